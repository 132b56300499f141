/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost-user with several queue pairs: messages for each ring, pairs that come
 * and go, which pair a frame takes, one queue beside the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/mem.h"
#include "lan/steer.h"
#include "netdev/rig_vhost.h"
#include "netdev/vhost_user.h"

enum {
	PAIRS = 4,
	TX_SLOTS = 64,
	LEN = 200,
	PORT_AT = 34, /* of the source */
	UDP = 17,
	FLOWS = 64,
	F_WRITE = 2,
};

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 1, 2, 3};
static const uint8_t other_mac[6] = {0x52, 0x54, 0, 9, 9, 9};

struct bench {
	struct rig rig;
	struct port *port;
	struct mem_port *other; /* the rest of the lan */
	struct vpeer peer;
	uint8_t buf[FRAME_MAX];
	/* of what `other` gets */
	unsigned n_flood; /* frames to come */
	unsigned last, run, longest; /* flow; of one flow, one after another */
	bool has_come[PAIRS];
};

static unsigned rx(unsigned pair)
{
	return pair * VHOST_RINGS + VHOST_RX;
}

static unsigned tx(unsigned pair)
{
	return pair * VHOST_RINGS + VHOST_TX;
}

static void connect_peer(struct bench *b, const struct vpeer_config *c,
			 bool is_new)
{
	struct netdev_stream_config nc = {.name = "vm0", .queues = PAIRS};
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	nc.fd = fd[0];
	if (is_new)
		assert_int_equal(
			netdev_vhost_new(&b->rig.env, &nc, &b->port), 0);
	else
		assert_int_equal(netdev_vhost_attach(b->port, fd[0]), 0);
	vpeer_init(&b->peer, &b->rig, fd[1], c);
	vpeer_start(&b->peer);
	assert_true(port_is_up(b->port));
}

static struct bench *bench_new(const struct vpeer_config *c, unsigned n_other)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	rig_init_clock(&b->rig); /* nothing waits too long */
	b->other = mem_port_new(&b->rig, b->rig.lan, "other", n_other);
	connect_peer(b, c, true);
	return b;
}

static const struct vpeer_config all_pairs = {.pairs = PAIRS,
					      .offered = PAIRS};

static int setup(void **state)
{
	*state = bench_new(&all_pairs, 256);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	rig_remove(b->port);
	rig_remove(&b->other->port);
	vpeer_deinit(&b->peer);
	rig_deinit(&b->rig);
	free(b);
	return 0;
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 10; i++)
		rig_turn(&b->rig, 0);
}

static struct endpoint end(const char *ip, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_true(addr_parse(ip, &e.ip));
	return e;
}

/* The guest's and the other end of a flow. */
static uint32_t number_of(unsigned flow)
{
	struct endpoint g = end("10.0.0.1", (uint16_t)(1000 + flow));
	struct endpoint o = end("10.0.0.2", 7);

	return steer_flow(UDP, &g, &o);
}

/* A datagram of a flow, from the guest or to it. */
static uint8_t *make(struct bench *b, unsigned flow, bool is_sent)
{
	static const uint8_t head[] = {8, 0, 0x45, 0, 0, LEN - 14, 0, 0,
				       0, 0, 64,   UDP};
	uint8_t *p = b->buf;

	memset(p, 0, LEN);
	memcpy(p, is_sent ? other_mac : guest_mac, 6);
	memcpy(p + 6, is_sent ? guest_mac : other_mac, 6);
	memcpy(p + 12, head, sizeof(head));
	put_be16(p + 26, 10 << 8);
	put_be16(p + 28, is_sent ? 1 : 2);
	put_be16(p + 30, 10 << 8);
	put_be16(p + 32, is_sent ? 2 : 1);
	put_be16(p + PORT_AT, is_sent ? 1000 + flow : 7);
	put_be16(p + PORT_AT + 2, is_sent ? 7 : 1000 + flow);
	put_be16(p + 38, LEN - PORT_AT);
	return p;
}

static void send_on(struct bench *b, unsigned pair, unsigned flow)
{
	assert_true(vpeer_send_on(&b->peer, pair, NULL, make(b, flow, true),
				  LEN));
}

/* The other got a frame of this flow next. */
static void expect_out(struct bench *b, unsigned flow)
{
	uint8_t got[LEN];

	assert_int_equal(mem_port_pop(b->other, got, sizeof(got)), LEN);
	assert_int_equal(get_be16(got + PORT_AT), 1000 + flow);
}

static void push(struct bench *b, unsigned flow)
{
	assert_true(mem_port_push(b->other, make(b, flow, false), LEN));
	turns(b);
}

/* The pair in which a frame of the flow arrived; there is no other. */
static unsigned arrived(struct bench *b, unsigned flow)
{
	unsigned at = PAIRS;
	uint8_t got[LEN];

	for (unsigned i = 0; i < b->peer.c.pairs; i++) {
		if (!vpeer_recv_on(&b->peer, i, NULL, got, sizeof(got)))
			continue;
		assert_int_equal(at, PAIRS);
		assert_int_equal(get_be16(got + PORT_AT + 2), 1000 + flow);
		at = i;
	}
	return at;
}

static unsigned way_of(struct bench *b, unsigned flow)
{
	push(b, flow);
	return arrived(b, flow);
}

/* What the guest sends on a pair comes out, and the answer by the same. */
static void expect_pair(struct bench *b, unsigned pair, unsigned flow)
{
	send_on(b, pair, flow);
	turns(b);
	expect_out(b, flow);
	assert_int_equal(way_of(b, flow), pair);
}

static void expect_alive(struct bench *b)
{
	assert_true(port_is_up(b->port));
	for (unsigned i = 0; i < PAIRS; i++)
		expect_pair(b, i, 70 + i);
}

/* --- messages --- */

static void test_what_is_offered(void **state)
{
	struct bench *b = *state;

	assert_int_equal(vpeer_ask(&b->peer, VHOST_GET_QUEUE_NUM), PAIRS);
	assert_int_equal(vpeer_ask(&b->peer, VHOST_GET_FEATURES),
			 VHOST_FEATURES | VHOST_FEATURES_MQ);
	assert_int_equal(b->port->caps.queues, PAIRS);
	expect_alive(b);
}

static void test_too_many(void **state)
{
	struct netdev_stream_config nc = {
		.name = "x", .fd = -1, .queues = NETDEV_VHOST_QUEUES + 1};
	struct bench *b = *state;
	struct port *p = NULL;

	assert_int_equal(netdev_vhost_new(&b->rig.env, &nc, &p), -EINVAL);
	nc.queues = NETDEV_VHOST_QUEUES;
	assert_int_equal(netdev_vhost_new(&b->rig.env, &nc, &p), 0);
	rig_remove(p);
}

/* The first ring that is none, and the last that can be named. */
static void test_rings_that_are_none(void **state)
{
	static const struct {
		uint32_t request, size;
		bool has_fd;
	} rows[] = {
		{VHOST_SET_VRING_NUM, 8, false},
		{VHOST_SET_VRING_BASE, 8, false},
		{VHOST_SET_VRING_ADDR, 40, false},
		{VHOST_SET_VRING_KICK, 8, true},
		{VHOST_SET_VRING_CALL, 8, true},
		{VHOST_SET_VRING_ERR, 8, true},
		{VHOST_SET_VRING_ENABLE, 8, false},
		{VHOST_GET_VRING_BASE, 8, false},
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < 2 * array_len(rows); i++) {
		uint64_t p[5] = {i % 2 ? 0xff : PAIRS * VHOST_RINGS}, junk;
		int fd = rows[i / 2].has_fd ? b->peer.ring[0].kick : -1;

		vpeer_say(&b->peer, rows[i / 2].request, 0, p,
			  rows[i / 2].size, fd);
		turns(b);
		assert_false(vpeer_hear(&b->peer, 0, &junk, 8));
		assert_false(b->port->carrier);
		vpeer_deinit(&b->peer);
		connect_peer(b, &all_pairs, false);
		expect_alive(b);
	}
}

/* QEMU 7.2 says it for each pair. */
static void test_memory_is_said_again(void **state)
{
	struct bench *b = *state;
	struct vhost_one_region one = {
		.region = {.gpa = 0x200000000, .size = 1 << 20,
			   .uva = 0x7f6600000000}};
	int fd = memfd_create("more", MFD_CLOEXEC);
	uint64_t ack = 0;

	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	for (unsigned i = 0, is_end; i < 4 * PAIRS; i++) {
		is_end = i / PAIRS % 2;
		vpeer_say(&b->peer,
			  is_end ? VHOST_REM_MEM_REG : VHOST_ADD_MEM_REG, 0,
			  &one, sizeof(one), is_end ? -1 : fd);
		assert_int_equal(vhost_of(b->port)->s.mem.n, 3 - is_end);
		expect_alive(b);
	}
	/* another in its place is a mistake still */
	vpeer_say(&b->peer, VHOST_ADD_MEM_REG, 0, &one, sizeof(one), fd);
	one.region.size *= 2;
	vpeer_say(&b->peer, VHOST_ADD_MEM_REG, VHOST_F_NEED_REPLY, &one,
		  sizeof(one), fd);
	assert_true(vpeer_hear(&b->peer, VHOST_ADD_MEM_REG, &ack, 8));
	assert_int_equal(ack, 1);
	close(fd);
}

/* A guest that uses fewer, as firmware does that knows of one. */
static void test_fewer_are_used(void **state)
{
	(void)state;
	for (unsigned n = 1; n < PAIRS; n++) {
		struct vpeer_config c = {.pairs = n, .offered = PAIRS};
		struct bench *b = bench_new(&c, 256);
		void *p = b;

		for (unsigned i = 0; i < n; i++)
			expect_pair(b, i, i);
		for (unsigned i = 0; i < FLOWS; i++) {
			push(b, 100 + i);
			assert_int_equal(vpeer_recv(&b->peer, b->buf, LEN),
					 LEN);
		}
		teardown(&p);
	}
}

/* --- which pair --- */

static void test_answers_follow(void **state)
{
	struct bench *b = *state;

	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < FLOWS; i++)
			expect_pair(b, (i + round) % PAIRS, i);
}

/* What the guest never sent of is spread, and each flow stays where it is. */
static void test_unknown_flows(void **state)
{
	struct bench *b = *state;
	unsigned n[PAIRS] = {0};

	send_on(b, 0, 999); /* its MAC is known */
	turns(b);
	for (unsigned i = 0; i < 4 * FLOWS; i++) {
		unsigned at = way_of(b, i);

		assert_in_range(at, 0, PAIRS - 1);
		assert_int_equal(way_of(b, i), at);
		n[at]++;
	}
	for (unsigned i = 0; i < PAIRS; i++)
		assert_in_range(n[i], FLOWS / 2, FLOWS * 2);
}

/* A batch for all pairs: each gets its own, in order. */
static void test_one_batch(void **state)
{
	struct bench *b = *state;
	uint8_t got[LEN];

	for (unsigned i = 0; i < PAIRS; i++)
		send_on(b, i, i);
	turns(b);
	for (unsigned i = 0; i < 40; i++) {
		make(b, i % PAIRS, false)[100] = (uint8_t)i;
		assert_true(mem_port_push(b->other, b->buf, LEN));
	}
	turns(b);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(vpeer_recv_on(&b->peer, i % PAIRS, NULL, got,
					       sizeof(got)),
				 LEN);
		assert_int_equal(got[100], i);
	}
	assert_int_equal(vpeer_recv(&b->peer, got, sizeof(got)), 0);
}

static void test_lend_follows(void **state)
{
	const mac to = {{0x52, 0x54, 0, 1, 2, 3}};
	struct bench *b = *state;
	struct lend *l = calloc(1, sizeof(*l));

	for (unsigned i = 0; i < PAIRS; i++) {
		send_on(b, i, i);
		turns(b);
		expect_out(b, i);
		l->n = 3;
		l->flow = number_of(i);
		for (unsigned k = 0; k < 3; k++)
			l->f[k].want = LEN;
		assert_int_equal(lan_lend(&b->other->port, to, l), 3);
		for (unsigned k = 0; k < 2; k++) {
			lend_put(&l->f[k], 0, make(b, i, false), LEN);
			l->f[k].len = LEN;
			l->f[k].off = (struct frame_offload){0};
		}
		l->n_used = 2;
		assert_int_equal(lan_give(&b->other->port, to, l), 2);
		turns(b);
		assert_int_equal(arrived(b, i), i);
		assert_int_equal(arrived(b, i), i);
		assert_int_equal(arrived(b, i), PAIRS);
	}
	free(l);
	expect_alive(b);
}

/* --- pairs come and go --- */

static void test_enable_and_disable(void **state)
{
	struct bench *b = *state;

	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 1; i < PAIRS; i++) {
			expect_pair(b, i, i);
			vpeer_enable(&b->peer, i, false);
			assert_true(port_is_up(b->port));
			assert_int_equal(way_of(b, i), 0);
			expect_pair(b, 0, 50);
		}
		for (unsigned i = 0; i < FLOWS; i++)
			assert_int_equal(way_of(b, 200 + i), 0);
		for (unsigned i = 1; i < PAIRS; i++) {
			vpeer_enable(&b->peer, i, true);
			assert_int_equal(way_of(b, i), i);
		}
	}
	expect_alive(b);
}

/* What was sent before is read, what comes after is given back unread, and
 * nothing is told of it when the pair is there again. */
static void test_sent_before_and_after(void **state)
{
	struct bench *b = *state;
	struct vhost_vring_state off = {.index = tx(2), .num = 0};
	uint64_t ack = 1;

	/* Nothing is read before the message is: both are there at once. */
	for (unsigned i = 0; i < 5; i++)
		send_on(b, 2, i);
	vpeer_say(&b->peer, VHOST_SET_VRING_ENABLE, VHOST_F_NEED_REPLY, &off,
		  sizeof(off), -1);
	assert_true(vpeer_hear(&b->peer, VHOST_SET_VRING_ENABLE, &ack, 8));
	turns(b);
	for (unsigned i = 0; i < 5; i++)
		expect_out(b, i);
	for (unsigned i = 0; i < 3 * TX_SLOTS; i++) {
		send_on(b, 2, i);
		turns(b);
	}
	assert_int_equal(b->other->n, 0);
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN_IN], 3 * TX_SLOTS);
	vpeer_enable(&b->peer, 2, true);
	turns(b);
	assert_int_equal(b->other->n, 0);
	expect_alive(b);
}

/* One pair stops, and starts where it stopped. */
static void test_one_pair_stops(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 1; i < PAIRS; i++) {
		expect_pair(b, i, i);
		vpeer_ring_stop(&b->peer, rx(i));
		vpeer_ring_stop(&b->peer, tx(i));
		assert_true(port_is_up(b->port));
		for (unsigned k = 0; k < PAIRS; k++)
			if (k != i)
				expect_pair(b, k, 80 + k);
		assert_int_equal(way_of(b, i), 0);
		vpeer_ring_start(&b->peer, rx(i));
		vpeer_ring_start(&b->peer, tx(i));
		turns(b);
		expect_pair(b, i, i);
	}
	vpeer_ring_stop(&b->peer, rx(0));
	assert_false(port_is_up(b->port));
	vpeer_ring_start(&b->peer, rx(0));
	turns(b);
	expect_alive(b);
}

/* Rings that were never described are nobody's fault. */
static void test_kick_of_nothing(void **state)
{
	struct vpeer_config c = {.pairs = 1, .offered = PAIRS};
	struct bench *b = bench_new(&c, 256);
	void *p = b;

	(void)state;
	for (uint64_t i = VHOST_RINGS; i < 2 * PAIRS; i++) {
		struct vhost_vring_state on = {.index = (uint32_t)i, .num = 1};

		vpeer_say(&b->peer, VHOST_SET_VRING_ENABLE, 0, &on, sizeof(on),
			  -1);
		vpeer_say(&b->peer, VHOST_SET_VRING_KICK, 0, &i, 8,
			  b->peer.ring[0].kick);
		vpeer_say(&b->peer, VHOST_GET_VRING_BASE, 0, &on, sizeof(on),
			  -1);
		assert_true(vpeer_hear(&b->peer, VHOST_GET_VRING_BASE, &on,
				       sizeof(on)));
		assert_int_equal(on.num, 0);
	}
	assert_int_equal(b->rig.n_faults, 0);
	expect_pair(b, 0, 1);
	teardown(&p);
}

/* --- one queue beside the others --- */

static void test_broken_ring(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		bool is_rx = i % VHOST_RINGS == VHOST_RX;
		unsigned faults = b->rig.n_faults;

		for (uint16_t d = 0; d < b->peer.ring[i].size; d++)
			vpeer_desc(&b->peer, i, d, 0x99000000, 2000,
				   is_rx ? F_WRITE : 0, 0);
		if (is_rx) /* it may wait in the one or the other */
			for (unsigned k = 0; k < FLOWS; k++)
				push(b, 300 + k);
		else
			vpeer_offer(&b->peer, i, 0);
		turns(b);
		/* and stays so, whatever is said of the others */
		vpeer_enable(&b->peer, (i / 2 + 1) % PAIRS, false);
		vpeer_enable(&b->peer, (i / 2 + 1) % PAIRS, true);
		assert_int_equal(b->rig.n_faults, faults + 1);
		assert_false(port_is_up(b->port));
		vpeer_deinit(&b->peer);
		turns(b);
		connect_peer(b, &all_pairs, false);
		expect_alive(b);
	}
}

/* Pairs 0 and 3 have a new frame for each that was taken from them. */
static void refill(void *arg, const struct frame *f)
{
	struct bench *b = arg;
	unsigned flow = get_be16(f->hdr + PORT_AT) - 1000u;

	b->has_come[flow] = true;
	b->run = flow == b->last ? b->run + 1 : 1;
	b->last = flow;
	if (b->has_come[0] && b->has_come[3] && b->run > b->longest)
		b->longest = b->run;
	if (b->n_flood) {
		b->n_flood--;
		send_on(b, flow, flow);
	}
}

/* Two that never end have their turns, of a batch. */
static void test_fair(void **state)
{
	struct bench *b = bench_new(&all_pairs, 4096);
	void *p = b;

	(void)state;
	b->other->look = refill;
	b->other->look_arg = b;
	b->n_flood = 3000;
	for (unsigned i = 0; i < TX_SLOTS / 2; i++) {
		send_on(b, 0, 0);
		send_on(b, 3, 3);
	}
	for (unsigned i = 0; i < 1000 && b->n_flood; i++)
		rig_turn(&b->rig, 0);
	assert_int_equal(b->n_flood, 0);
	assert_in_range(b->longest, 1, FRAME_BATCH);
	teardown(&p);
}

/* The interrupt is that of the pair. */
static void test_interrupts(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < PAIRS; i++)
		send_on(b, i, i);
	turns(b);
	for (unsigned i = 0; i < PAIRS; i++) {
		for (unsigned k = 0; k < 2 * PAIRS; k++)
			(void)vpeer_count(b->peer.ring[k].call);
		push(b, i);
		for (unsigned k = 0; k < 2 * PAIRS; k++)
			assert_int_equal(vpeer_count(b->peer.ring[k].call),
					 k == rx(i));
		assert_int_equal(arrived(b, i), i);
	}
}

/* A full receive queue is told of when that queue has room. */
static void test_room(void **state)
{
	struct vpeer_config c = {
		.pairs = PAIRS, .offered = PAIRS, .rx_size = 16};
	struct bench *b = bench_new(&c, 256);
	struct batch batch = {.n = 20};
	unsigned told;
	void *p = b;

	(void)state;
	send_on(b, 0, 0);
	send_on(b, 2, 1);
	turns(b);
	make(b, 1, false);
	for (unsigned i = 0; i < batch.n; i++)
		batch.f[i] = frame_flat(b->buf, LEN);
	told = b->other->n_told;
	/* 16 of the 20: the others are the sender's still */
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0xf0000);
	turns(b);
	assert_int_equal(b->other->n_told, told);
	assert_int_equal(vpeer_recv_on(&b->peer, 2, NULL, b->buf, LEN), LEN);
	for (unsigned i = 1; i < 16; i++)
		assert_int_equal(vpeer_recv_on(&b->peer, 2, NULL, b->buf, LEN),
				 LEN);
	turns(b);
	assert_int_equal(b->other->n_told, told + 1);
	assert_int_equal(way_of(b, 1), 2);
	teardown(&p);
}

/* The lan knows where `other` is: what is flooded is not held. */
static void introduce(struct bench *b)
{
	push(b, 0);
	assert_int_equal(vpeer_recv(&b->peer, b->buf, LEN), LEN);
}

/* A slow machine: each ring waits with its own chains, less than a quarter of
 * its descriptors, in order, and gets them back. */
static void test_holding(void **state)
{
	enum { MANY = TX_SLOTS };
	struct bench *b = bench_new(&all_pairs, 4);
	const struct vhost_user *v = vhost_of(b->port);
	unsigned next[2] = {0}, n = 0;
	uint8_t got[LEN];
	void *p = b;

	(void)state;
	introduce(b);
	for (unsigned i = 0; i < 2 * MANY; i++) {
		make(b, i % 2, true)[100] = (uint8_t)(i / 2);
		assert_true(
			vpeer_send_on(&b->peer, i % 2, NULL, b->buf, LEN));
	}
	turns(b);
	for (unsigned k = 0; k < 2; k++) {
		assert_true(v->pair[k]->n_held > 0);
		assert_true(v->pair[k]->cost < TX_SLOTS * VPEER_DESCS / 4);
	}
	assert_int_equal(v->pair[0]->cost + v->pair[1]->cost,
			 v->leg[0]->held_cost);
	while (mem_port_pop(b->other, got, sizeof(got))) {
		unsigned k = get_be16(got + PORT_AT) - 1000;

		assert_in_range(k, 0, 1);
		assert_in_range(got[100], next[k], MANY - 1);
		next[k] = got[100] + 1u;
		n++;
		turns(b);
	}
	assert_int_equal(n + b->rig.drops.n[DROP_PORT_FULL], 2 * MANY);
	assert_int_equal(v->leg[0]->held_cost, 0);
	/* all is back, in both rings */
	vpeer_stop(&b->peer);
	vpeer_rings(&b->peer);
	turns(b);
	expect_pair(b, 1, 1);
	teardown(&p);
}

/* With frames held of two pairs one of them stops. */
static void test_stop_while_holding(void **state)
{
	struct bench *b = bench_new(&all_pairs, 1);
	const struct vhost_user *v = vhost_of(b->port);
	uint8_t got[LEN];
	void *p = b;

	(void)state;
	introduce(b);
	for (unsigned i = 0; i < 10; i++) {
		send_on(b, 0, 0);
		send_on(b, 1, 1);
	}
	turns(b);
	assert_true(v->pair[0]->n_held && v->pair[1]->n_held);
	vpeer_ring_stop(&b->peer, tx(1)); /* asserts that all is back */
	assert_int_equal(v->pair[1]->n_held, 0);
	vpeer_ring_start(&b->peer, tx(1));
	turns(b);
	while (mem_port_pop(b->other, got, sizeof(got)))
		turns(b);
	for (unsigned i = 0; i < PAIRS; i++)
		expect_pair(b, i, i);
	teardown(&p);
}

/* --- migration --- */

/* Each ring's used elements are told where that ring's are. */
static void test_log(void **state)
{
	struct bench *b = *state;
	struct vpeer *v = &b->peer;
	uint64_t size = (VPEER_GPA_HIGH + v->len) / 4096 / 8 + 1, ack = 1;
	uint64_t features = v->features | VHOST_BIT(VHOST_LOG_ALL);
	struct vhost_log l = {.size = size};
	int fd = memfd_create("log", MFD_CLOEXEC);
	uint8_t *log;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	log = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(log, MAP_FAILED);
	for (unsigned i = 0; i < PAIRS; i++)
		send_on(b, i, i);
	turns(b);
	vpeer_say(v, VHOST_SET_LOG_BASE, 0, &l, sizeof(l), fd);
	assert_true(vpeer_hear(v, VHOST_SET_LOG_BASE, &ack, 8));
	vpeer_say(v, VHOST_SET_FEATURES, 0, &features, 8, -1);
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		struct vhost_vring_addr a = {
			.index = i,
			.flags = VHOST_VRING_F_LOG,
			.desc = VPEER_UVA + v->ring[i].desc,
			.avail = VPEER_UVA + v->ring[i].avail,
			.used = VPEER_UVA + v->ring[i].used,
			.log = v->ring[i].used,
		};

		vpeer_say(v, VHOST_SET_VRING_ADDR, 0, &a, sizeof(a), -1);
	}
	turns(b);
	for (unsigned i = 0; i < PAIRS; i++) {
		assert_false(vpeer_is_dirty(log, v->ring[rx(i)].used));
		push(b, i);
		assert_true(vpeer_is_dirty(log, v->ring[rx(i)].used));
		assert_int_equal(arrived(b, i), i);
	}
	munmap(log, size);
	close(fd);
}

/* --- starting again --- */

static void test_another_connection(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 10; i++) {
		struct vpeer_config c = {.pairs = 1 + i % PAIRS,
					 .offered = PAIRS,
					 .by_slots = i % 2};

		vpeer_deinit(&b->peer);
		turns(b);
		assert_false(b->port->carrier);
		connect_peer(b, &c, false);
		for (unsigned k = 0; k < c.pairs; k++)
			expect_pair(b, k, k);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_offered),
		T(test_too_many),
		T(test_rings_that_are_none),
		T(test_memory_is_said_again),
		cmocka_unit_test(test_fewer_are_used),
		T(test_answers_follow),
		T(test_unknown_flows),
		T(test_one_batch),
		T(test_lend_follows),
		T(test_enable_and_disable),
		T(test_sent_before_and_after),
		T(test_one_pair_stops),
		cmocka_unit_test(test_kick_of_nothing),
		T(test_broken_ring),
		cmocka_unit_test(test_fair),
		T(test_interrupts),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_holding),
		cmocka_unit_test(test_stop_while_holding),
		T(test_log),
		T(test_another_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
