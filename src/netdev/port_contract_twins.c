/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A part of the port contract test: the peer's MAC is in use at another port
 * (lan/alias.h).  What goes to the port and comes from it is changed on the
 * way, in whatever form the kind has its frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netdev/port_contract.h"

enum { SPIN_MAX = 20000, LEN_MAX = 9000, START_LEN = 60 };

static const mac twin = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}};
static const mac own = {{0x02, 0xaa, 0, 0, 0, 9}};
static const uint8_t type_test[2] = {0x88, 0xb5};
static const uint8_t type_arp[2] = {0x08, 0x06};

/* The other port: sends from twin, too, and from its own. */
struct twins {
	struct port port;
	const struct contract_kind *kind;
	struct contract_rig rig;
	mac alias; /* what the peer is known by; zero: not heard yet */
	uint8_t frame[LEN_MAX];
	uint8_t got[LEN_MAX]; /* by the port or by the peer */
	uint32_t got_len;     /* 0: nothing yet */
	uint8_t buf[FRAME_MAX + 1];
};

static struct twins *twins_of(struct port *p)
{
	return container_of(p, struct twins, port);
}

static unsigned twins_recv(struct port *p, struct batch *b)
{
	(void)p;
	b->n = 0;
	return 0;
}

static void twins_done(struct port *p, struct batch *b)
{
	(void)p;
	(void)b;
}

static uint64_t twins_send(struct port *p, const struct batch *b,
			   uint64_t mask)
{
	struct twins *t = twins_of(p);

	for (uint64_t m = mask; m; m &= m - 1) {
		const struct frame *f = &b->f[__builtin_ctzll(m)];

		if (memcmp(f->hdr + 12, type_arp, 2) == 0 &&
		    f->hdr[6] == 0x0e) {
			t->alias = mac_bytes(f->hdr + 6);
			assert_memory_equal(f->hdr + 22, t->alias.b, 6);
		}
		if (memcmp(f->hdr + 12, type_test, 2) != 0)
			continue;
		assert_true(f->len <= LEN_MAX);
		assert_true(frame_copy(f, 0, f->len, t->got));
		t->got_len = f->len;
	}
	return mask;
}

static void twins_room(struct port *p, struct port *other)
{
	(void)p;
	(void)other;
}

static void twins_close(struct port *p)
{
	(void)p;
}

static const struct port_ops twins_ops = {
	.kind = "twins",
	.recv = twins_recv,
	.done = twins_done,
	.send = twins_send,
	.room = twins_room,
	.close = twins_close,
};

static void frame_make(struct twins *t, uint32_t len, mac dst, mac src)
{
	memcpy(t->frame, dst.b, 6);
	memcpy(t->frame + 6, src.b, 6);
	memcpy(t->frame + 12, type_test, 2);
	for (uint32_t i = FRAME_ETH_LEN; i < len; i++)
		t->frame[i] = (uint8_t)(i * 13 + (i >> 8) + len);
}

/* An ARP probe (RFC 5227): a machine that starts. */
static void start_make(uint8_t *p)
{
	static const uint8_t arp[8] = {0, 1, 8, 0, 6, 4, 0, 1};

	memset(p, 0, START_LEN);
	memset(p, 0xff, 6);
	memcpy(p + 6, twin.b, 6);
	memcpy(p + 12, type_arp, 2);
	memcpy(p + 14, arp, sizeof(arp));
	memcpy(p + 22, twin.b, 6);
	p[38] = 10;
}

static void lan_send(struct twins *t, const uint8_t *p, uint32_t len)
{
	struct batch b = {.n = 1};

	b.f[0] = frame_flat(p, len);
	(void)lan_input(&t->port, &b, false);
}

static void peer_send(struct twins *t, const uint8_t *p, uint32_t len)
{
	for (unsigned i = 0; i < SPIN_MAX; i++) {
		if (t->kind->peer_send(&t->rig, p, len))
			return;
		t->kind->turn(&t->rig, i > 100 ? 1 : 0);
	}
	fail_msg("%s: no room for the peer", t->kind->name);
}

/* What came is t->frame, but for the addresses, at either end. */
static void expect(struct twins *t, uint32_t len, mac dst, mac src)
{
	uint32_t pad = t->kind->pad;

	assert_int_equal(t->got_len, len < pad && t->got_len == pad ? pad
								    : len);
	assert_memory_equal(t->got, dst.b, 6);
	assert_memory_equal(t->got + 6, src.b, 6);
	assert_memory_equal(t->got + 12, t->frame + 12, len - 12);
	t->got_len = 0;
}

static void wait_inside(struct twins *t)
{
	for (unsigned i = 0; i < SPIN_MAX && !t->got_len; i++)
		t->kind->turn(&t->rig, i > 100 ? 1 : 0);
}

/* The peer hears itself on a multicast group. */
static bool is_echo(const struct twins *t)
{
	return memcmp(t->buf + 6, twin.b, 6) == 0;
}

static void wait_peer(struct twins *t)
{
	for (unsigned i = 0; i < SPIN_MAX && !t->got_len; i++) {
		uint32_t len = t->kind->peer_recv(&t->rig, t->buf, FRAME_MAX);

		if (len >= FRAME_ETH_LEN && len <= LEN_MAX &&
		    memcmp(t->buf + 12, type_test, 2) == 0 &&
		    !is_echo(t)) {
			memcpy(t->got, t->buf, len);
			t->got_len = len;
			return;
		}
		if (!len)
			t->kind->turn(&t->rig, i > 100 ? 1 : 0);
	}
}

static void meet(struct twins *t)
{
	uint8_t start[START_LEN];

	start_make(start);
	lan_send(t, start, START_LEN);
	peer_send(t, start, START_LEN);
	for (unsigned i = 0; i < SPIN_MAX && mac_is_zero(t->alias); i++)
		t->kind->turn(&t->rig, i > 100 ? 1 : 0);
	assert_false(mac_is_zero(t->alias));
}

static void talk(struct twins *t, uint32_t len)
{
	frame_make(t, len, own, twin);
	peer_send(t, t->frame, len);
	wait_inside(t);
	expect(t, len, own, t->alias);
	frame_make(t, len, t->alias, own);
	lan_send(t, t->frame, len);
	wait_peer(t);
	expect(t, len, twin, own);
	/* twin to twin */
	frame_make(t, len, t->alias, twin);
	lan_send(t, t->frame, len);
	wait_peer(t);
	expect(t, len, twin, t->alias);
	frame_make(t, len, t->alias, twin);
	peer_send(t, t->frame, len);
	wait_inside(t);
	expect(t, len, twin, t->alias);
}

/* By lend and give, where the kind has them. */
static void lend(struct twins *t, uint32_t len)
{
	struct lend *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->n = 1;
	l->f[0].want = len;
	assert_int_equal(lan_lend(&t->port, t->alias, l), 1);
	assert_true(!l->port == !t->rig.port->ops->lend);
	frame_make(t, len, t->alias, own);
	lend_put(&l->f[0], 0, t->frame, len);
	l->f[0].len = len;
	l->n_used = 1;
	assert_int_equal(lan_give(&t->port, t->alias, l), 1);
	wait_peer(t);
	expect(t, len, twin, own);
	free(l);
}

bool port_contract_twins(const struct contract_kind *kind)
{
	static const uint32_t sizes[] = {60, 191, 192, 193, 1000, 1514, 9000};
	struct twins *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->kind = kind;
	if (!kind->open(&t->rig)) {
		free(t);
		return false;
	}
	t->port = (struct port){
		.ops = &twins_ops,
		.caps = {.max_frame = FRAME_MAX, .queues = 1},
		.name = "twins",
	};
	lan_port_add(t->rig.lan, &t->port);
	lan_port_link(&t->port, true);
	meet(t);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (sizes[i] > kind->max_frame)
			continue;
		talk(t, sizes[i]);
		lend(t, sizes[i]);
	}
	lan_port_del(&t->port);
	kind->close(&t->rig);
	free(t);
	return true;
}
