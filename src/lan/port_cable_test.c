/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports whose cable is spoilt: what the lan, the kind and the peer see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/fake_port.h"
#include "lan/lane.h"
#include "wire/csum.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

enum {
	A = 1, /* fake_mac() of the machine at the port a, b .. */
	B = 2,
	LEN = 300,
	TCP_LEN = 14 + 20 + 20 + 5000,
	MSS = 1460,
};

struct bench {
	struct fake_lan net;
	struct fake_port *a, *b;
};

static void tell(struct fake_port *f, uint32_t who)
{
	uint8_t buf[60];

	fake_frame_fill(buf, sizeof(buf), MAC_BROADCAST, fake_mac(who), who);
	fake_rx(f, buf, sizeof(buf), NULL);
}

static void bench_init(struct bench *t, const struct fake_config *ca,
		       const struct fake_config *cb)
{
	memset(t, 0, sizeof(*t));
	fake_lan_init(&t->net, false);
	t->a = fake_new(t->net.lan, ca);
	t->b = fake_new(t->net.lan, cb);
	tell(t->a, A);
	tell(t->b, B);
	fake_clear(t->a);
	fake_clear(t->b);
}

static int setup(void **state)
{
	struct fake_config ca = {.name = "a", .offload = PORT_O_ALL,
				 .can_lend = true},
			   cb = {.name = "b", .offload = PORT_O_ALL};
	struct bench *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	bench_init(t, &ca, &cb);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct bench *t = *state;

	fake_lan_deinit(&t->net);
	free(t);
	return 0;
}

static void spoil(struct fake_port *f, const struct impair *to,
		  const struct impair *from)
{
	struct impair_set s = {.seed = 5};

	if (to)
		s.way[IMPAIR_TO] = *to;
	if (from)
		s.way[IMPAIR_FROM] = *from;
	assert_int_equal(lan_port_spoil(&f->port, &s, false), 0);
}

static void send_one(struct fake_port *f, uint32_t from, uint32_t to)
{
	uint8_t buf[LEN];

	fake_frame_fill(buf, sizeof(buf), fake_mac(to), fake_mac(from), 3);
	fake_rx(f, buf, sizeof(buf), NULL);
}

static void pass(struct bench *t, uint64_t ns)
{
	for (uint64_t i = 0; i < ns; i += MS)
		fake_lan_advance(&t->net, MS);
}

/* A TCP frame to be cut, its checksum to be made. */
static void send_tcp(struct fake_port *f, uint32_t from, uint32_t to)
{
	static uint8_t buf[TCP_LEN];
	const struct frame_offload off = {.flags = FRAME_F_NEEDS_CSUM,
					  .gso = FRAME_GSO_TCP4,
					  .gso_size = MSS,
					  .hdr_len = 54,
					  .csum_start = 34,
					  .csum_offset = 16};
	uint64_t sum;

	fake_frame_fill(buf, sizeof(buf), fake_mac(to), fake_mac(from), 3);
	put_be16(buf + 12, 0x0800);
	memset(buf + 14, 0, 40);
	buf[14] = 0x45;
	put_be16(buf + 16, TCP_LEN - 14);
	buf[22] = 64;
	buf[23] = 6;
	put_be32(buf + 26, 0x0a000001);
	put_be32(buf + 30, 0x0a000002);
	put_be16(buf + 24, csum_fold(csum_add(buf + 14, 20, 0)));
	put_be16(buf + 34, 1000);
	put_be16(buf + 36, 80);
	buf[46] = 5 << 4;
	buf[47] = 0x10;
	sum = csum_add(buf + 26, 8, 6 + TCP_LEN - 34);
	put_be16(buf + 50, (uint16_t)~csum_fold(sum));
	fake_rx(f, buf, sizeof(buf), &off);
}

static void check_is_wire(const struct fake_frame *f)
{
	uint8_t pseudo[12] = {0};

	assert_int_equal(f->off.gso, FRAME_GSO_NONE);
	assert_int_equal(f->off.flags & FRAME_F_NEEDS_CSUM, 0);
	assert_in_range(f->len, 60, 54 + MSS);
	memcpy(pseudo, f->data + 26, 8);
	pseudo[9] = 6;
	put_be16(pseudo + 10, f->len - 34);
	assert_int_equal(csum_fold(csum_add(f->data + 34, f->len - 34,
					    csum_add(pseudo, 12, 0))),
			 0);
}

static void test_delay_to(void **state)
{
	struct bench *t = *state;

	spoil(t->a, &(struct impair){.delay_ns = 30 * MS}, NULL);
	send_one(t->b, B, A);
	send_one(t->a, A, B);
	assert_int_equal(t->a->n_out, 0);
	assert_int_equal(t->b->n_out, 1); /* the other way is as it was */
	pass(t, 29 * MS);
	assert_int_equal(t->a->n_out, 0);
	pass(t, 3 * MS);
	assert_int_equal(t->a->n_out, 1);
}

static void test_delay_from(void **state)
{
	struct bench *t = *state;

	spoil(t->a, NULL, &(struct impair){.delay_ns = 30 * MS});
	send_one(t->b, B, A);
	send_one(t->a, A, B);
	assert_int_equal(t->a->n_out, 1);
	assert_int_equal(t->b->n_out, 0);
	pass(t, 29 * MS);
	assert_int_equal(t->b->n_out, 0);
	pass(t, 3 * MS);
	assert_int_equal(t->b->n_out, 1);
}

/* What is lost, and by whom it is counted. */
static void test_counts(void **state)
{
	const struct impair all = {.loss = IMPAIR_ALL};
	struct bench *t = *state;
	uint64_t rx = t->a->port.stats.rx_frames;

	spoil(t->a, &all, &all);
	send_one(t->b, B, A);
	send_one(t->a, A, B);
	assert_int_equal(drop_count(&t->net.drops, DROP_LINK_LOSS), 2);
	assert_int_equal(t->a->port.stats.tx_drops, 1);
	assert_int_equal(t->a->port.stats.rx_drops, 1);
	assert_int_equal(t->a->port.stats.rx_frames, rx + 1);
	assert_int_equal(t->a->n_out + t->b->n_out, 0);
}

/* Frames on the wire, in both directions: four of 1460 bytes of TCP. */
static void test_cuts(void **state)
{
	const struct impair d = {.delay_ns = MS};
	struct bench *t = *state;

	send_tcp(t->b, B, A);
	assert_int_equal(t->a->n_out, 1);
	fake_clear(t->a);
	spoil(t->a, &d, &d);
	send_tcp(t->b, B, A);
	send_tcp(t->a, A, B);
	pass(t, 4 * MS);
	assert_int_equal(t->a->n_out, 4);
	assert_int_equal(t->b->n_out, 4);
	for (unsigned i = 0; i < 4; i++) {
		check_is_wire(&t->a->out[i]);
		check_is_wire(&t->b->out[i]);
	}
}

/* What is lent would pass the cable by. */
static void test_is_not_lent(void **state)
{
	struct bench *t = *state;
	struct lend *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	for (int round = 0; round < 3; round++) {
		bool is_spoilt = round == 1;

		spoil(t->a, &(struct impair){.delay_ns = is_spoilt * MS},
		      NULL);
		l->n = 1;
		l->f[0].want = LEN;
		assert_int_equal(lan_lend(&t->b->port, fake_mac(A), l), 1);
		assert_true(!l->port == is_spoilt);
		l->n_used = 0;
		assert_int_equal(lan_give(&t->b->port, fake_mac(A), l), 0);
	}
	free(l);
}

/* Taken off, everything is as it was; what was under way arrives. */
static void test_reset(void **state)
{
	const struct impair d = {.delay_ns = S, .rate = 8000000};
	struct bench *t = *state;
	const struct port_ops *ops = t->a->port.ops;

	assert_true(lan_port_is_plain(&t->a->port));
	spoil(t->a, &d, &d);
	assert_false(lan_port_is_plain(&t->a->port));
	assert_int_equal(t->a->port.caps.offload, 0);
	send_one(t->a, A, B);
	send_one(t->b, B, A);
	assert_int_equal(t->a->n_out + t->b->n_out, 0);
	spoil(t->a, NULL, NULL);
	assert_int_equal(t->a->n_out, 1);
	assert_int_equal(t->b->n_out, 1);
	assert_true(lan_port_is_plain(&t->a->port));
	assert_true(t->a->port.ops == ops);
	assert_int_equal(t->a->port.caps.offload, PORT_O_ALL);
	assert_false(t->a->port.caps.lossy);
}

/* What the kind says of itself meanwhile holds afterwards. */
static void test_caps_change(void **state)
{
	struct bench *t = *state;
	struct port_caps caps;

	spoil(t->a, &(struct impair){.delay_ns = MS}, NULL);
	caps = *lan_port_own_caps(&t->a->port); /* as a kind would */
	assert_int_equal(caps.offload, PORT_O_ALL);
	assert_false(caps.lossy);
	caps.offload = PORT_O_CSUM;
	caps.max_frame = 9000;
	lan_port_caps(&t->a->port, &caps);
	assert_int_equal(t->a->port.caps.offload, 0);
	assert_int_equal(t->a->port.caps.max_frame, 9000);
	spoil(t->a, NULL, NULL);
	assert_int_equal(t->a->port.caps.offload, PORT_O_CSUM);
	assert_int_equal(t->a->port.caps.max_frame, 9000);
	assert_false(t->a->port.caps.lossy);
	assert_ptr_equal(lan_port_own_caps(&t->a->port), &t->a->port.caps);
}

static void test_link_down_frees(void **state)
{
	const struct impair d = {.delay_ns = S};
	struct bench *t = *state;

	spoil(t->a, &d, &d);
	send_one(t->a, A, B);
	send_one(t->b, B, A);
	lan_port_admin(&t->a->port, false);
	assert_int_equal(drop_count(&t->net.drops, DROP_LINK_DOWN), 1);
	assert_int_equal(drop_count(&t->net.drops, DROP_LINK_DOWN_IN), 1);
	lan_port_admin(&t->a->port, true);
	pass(t, 2 * S);
	assert_int_equal(t->a->n_out + t->b->n_out, 0);
	tell(t->a, A); /* and it works on */
	pass(t, 2 * S);
	assert_int_equal(t->b->n_out, 1);
	fake_clear(t->b);
	send_one(t->b, B, A);
	pass(t, 2 * S);
	assert_int_equal(t->a->n_out, 1);
}

/* Who pulls the cable does not unplug the peer. */
static void test_peer_stays(void **state)
{
	struct bench *t = *state;
	unsigned n = t->net.n_link;

	lan_port_admin(&t->a->port, false);
	assert_int_equal(t->net.n_link, n);
	lan_port_link(&t->a->port, false);
	assert_int_equal(t->net.n_link, n + 1);
	assert_false(t->net.link_up);
	lan_port_link(&t->a->port, true);
	assert_int_equal(t->net.n_link, n + 2);
	assert_true(t->net.link_up);
	assert_false(port_is_up(&t->a->port));
	lan_port_admin(&t->a->port, true);
	assert_int_equal(t->net.n_link, n + 2);
	assert_true(port_is_up(&t->a->port));
}

/* A port that goes takes along what is on its way. */
static void test_port_goes(void **state)
{
	const struct impair d = {.delay_ns = S};
	struct bench *t = *state;

	spoil(t->a, &d, &d);
	send_one(t->a, A, B);
	send_one(t->b, B, A);
	fake_free(t->a);
	pass(t, 2 * S);
	assert_int_equal(t->b->n_out, 0);
}

/* Full at the peer's end: the frames wait, and come when there is room. */
static void test_room_at_the_peer(void **state)
{
	struct bench *t = *state;

	spoil(t->a, &(struct impair){.delay_ns = 5 * MS}, NULL);
	t->a->room = 2;
	for (int i = 0; i < 10; i++)
		send_one(t->b, B, A);
	pass(t, 10 * MS);
	assert_int_equal(t->a->n_out, 2);
	assert_int_equal(t->a->n_want_room, 1);
	fake_add_room(t->a, 100);
	assert_int_equal(t->a->n_out, 10);
	assert_int_equal(drop_count(&t->net.drops, DROP_PORT_FULL), 0);
}

/* Full at the exit of what the peer sent: the same. */
static void test_room_at_the_exit(void **state)
{
	struct bench *t = *state;

	spoil(t->a, NULL, &(struct impair){.delay_ns = 5 * MS});
	t->b->room = 2;
	for (int i = 0; i < 10; i++)
		send_one(t->a, A, B);
	pass(t, 10 * MS);
	assert_int_equal(t->b->n_out, 2);
	fake_add_room(t->b, 100);
	assert_int_equal(t->b->n_out, 10);
	/* And one that never has any holds nothing up for long. */
	t->b->room = 0;
	for (int i = 0; i < 10; i++)
		send_one(t->a, A, B);
	pass(t, 120 * MS);
	assert_int_equal(drop_count(&t->net.drops, DROP_PORT_STALLED), 10);
}

/* A kind that only drops is not waited for. */
static void test_lossy_peer(void **state)
{
	struct bench *t = *state;
	struct fake_port *c = fake_new(
		t->net.lan, &(struct fake_config){.name = "c", .lossy = true});

	tell(c, 7);
	spoil(c, &(struct impair){.delay_ns = 5 * MS}, NULL);
	c->room = 1;
	for (int i = 0; i < 3; i++)
		send_one(t->b, B, 7);
	pass(t, 10 * MS);
	assert_int_equal(c->n_out, 1);
	assert_int_equal(drop_count(&t->net.drops, DROP_PORT_FULL), 2);
	assert_int_equal(c->port.stats.tx_drops, 2);
}

/* Nothing of a sender's is held for a cable, nor past its own. */
static void test_holding(void **state)
{
	struct bench *t = *state;
	struct fake_port *s = fake_new(
		t->net.lan, &(struct fake_config){.name = "s",
						  .hold_max = 64});

	tell(s, 8);
	fake_clear(t->b);
	t->b->room = 0;
	send_one(s, 8, B);
	assert_int_equal(s->n_held, 1);
	spoil(t->b, &(struct impair){.delay_ns = MS}, NULL);
	spoil(s, NULL, &(struct impair){.delay_ns = MS});
	t->b->room = 10;
	lan_port_room(&t->b->port);
	assert_int_equal(s->n_held, 0);
	t->b->room = 0;
	send_one(s, 8, B);
	assert_int_equal(s->n_held, 0);
	t->b->room = 10;
	pass(t, 10 * MS);
	assert_int_equal(t->b->n_out, 2);
}

/* On a hub each frame is for all, and goes through each one's cable. */
static void test_hub(void **state)
{
	struct fake_lan net;
	struct fake_port *p[3];

	(void)state;
	fake_lan_init(&net, true);
	for (int i = 0; i < 3; i++)
		p[i] = fake_new(net.lan, &(struct fake_config){.name = "p"});
	spoil(p[1], &(struct impair){.loss = IMPAIR_ALL}, NULL);
	send_tcp(p[0], 1, 2);
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(p[2]->n_out, 4);
	assert_int_equal(drop_count(&net.drops, DROP_LINK_LOSS), 4);
	fake_lan_deinit(&net);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_delay_to),
		TEST(test_delay_from),
		TEST(test_counts),
		TEST(test_cuts),
		TEST(test_is_not_lent),
		TEST(test_reset),
		TEST(test_caps_change),
		TEST(test_link_down_frees),
		TEST(test_peer_stays),
		TEST(test_port_goes),
		TEST(test_room_at_the_peer),
		TEST(test_room_at_the_exit),
		TEST(test_lossy_peer),
		TEST(test_holding),
		cmocka_unit_test(test_hub),
	};

	return cmocka_run_group_tests_name("lan/port_cable", tests, NULL,
					   NULL);
}
