/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments of guests: order, overlap, bounds, time, and every drop. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "nat/fake_nat.h"
#include "nat/reasm.h"
#include "wire/eth.h"
#include "wire/ip4.h"

enum { BODY_MAX = 65515 };

struct bench {
	struct fake_nat *n;
	struct reasm *r;
	const struct frame *whole; /* of the last fragment */
};

/* The fragment that the next call sends. */
struct piece {
	uint32_t off, len;
	bool more;
	uint16_t id;
	uint8_t tos;
	uint8_t from; /* which machine */
	uint8_t port; /* behind which port */
	uint8_t fill; /* added to each byte */
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	void *n;

	assert_int_equal(fake_nat_setup(&n), 0);
	b->n = n;
	assert_int_equal(reasm_new(&b->n->env, b->n->icmp, &b->r), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	/* The lan has a timer too, once it knows somebody. */
	unsigned n_armed = b->n->wheel.n_armed - (reasm_n(b->r) > 0);

	reasm_free(b->r);
	assert_int_equal(b->n->wheel.n_armed, n_armed);
	fake_nat_free(b->n);
	free(b);
	return 0;
}

static uint8_t body_at(uint32_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static bool feed(struct bench *b, const struct piece *p)
{
	static uint8_t buf[FRAME_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	struct eth_hdr eth = {.dst = b->n->env.gw_mac,
			      .src = p->from ? fake_mac(100 + p->from)
					     : b->n->g.mac,
			      .type = ETH_T_IP4};
	struct ip4_hdr ip = {
		.total_len = (uint16_t)(IP4_HDR_LEN + p->len),
		.id = p->id,
		.frag = (uint16_t)(p->off / 8 | (p->more ? IP4_F_MF : 0)),
		.tos = p->tos,
		.ttl = 64,
		.proto = IPPROTO_UDP,
		.src = b->n->g.ip,
		.dst = addr_v4(192, 0, 2, 1)};
	struct packet pkt;
	struct frame f;

	eth_emit(&w, &eth);
	ip4_emit(&w, &ip);
	for (uint32_t i = 0; i < p->len; i++)
		wr_u8(&w, (uint8_t)(body_at(p->off + i) + p->fill));
	f = frame_flat(buf, (uint32_t)wr_len(&w));
	assert_int_equal(packet_parse(buf, f.len, f.len, &pkt), PACKET_OK);
	b->whole = reasm_input(b->r, p->port, &pkt, &f);
	return b->whole;
}

static bool frag(struct bench *b, uint32_t off, uint32_t len, bool more)
{
	const struct piece p = {.off = off, .len = len, .more = more, .id = 1};

	return feed(b, &p);
}

/* What came out is a whole datagram of len bytes. */
static void check_whole(struct bench *b, uint32_t len)
{
	struct packet pkt;

	assert_int_equal(b->whole->len, 34 + len);
	assert_int_equal(packet_parse(b->whole->hdr, b->whole->hdr_len,
				      b->whole->len, &pkt),
			 PACKET_OK);
	assert_false(pkt.is_fragment);
	assert_false(pkt.df); /* it may be fragmented, as it was */
	assert_int_equal(pkt.l4_len, len);
	assert_int_equal(pkt.ttl, 64);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(b->whole->hdr[34 + i], body_at(i));
}

static uint64_t lost(const struct bench *b, enum drop_reason why)
{
	return b->n->drops.n[why];
}

static void test_in_order(void **state)
{
	struct bench *b = *state;

	assert_false(frag(b, 0, 1480, true));
	assert_false(frag(b, 1480, 1480, true));
	assert_int_equal(reasm_n(b->r), 1);
	assert_true(frag(b, 2960, 41, false));
	check_whole(b, 3001);
	assert_int_equal(reasm_n(b->r), 0);
	reasm_flush(b->r);
}

static void test_any_order(void **state)
{
	static const uint8_t order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct bench *b = *state;

	for (unsigned i = 0; i < 6; i++) {
		for (unsigned k = 0; k < 3; k++) {
			unsigned at = order[i][k];
			bool is_whole = frag(b, at * 80, at == 2 ? 3 : 80,
					     at < 2);

			assert_int_equal(is_whole, k == 2);
		}
		check_whole(b, 163);
		reasm_flush(b->r);
	}
}

static void test_the_longest(void **state)
{
	struct bench *b = *state;

	for (uint32_t off = 0; off + 1480 < BODY_MAX; off += 1480)
		assert_false(frag(b, off, 1480, true));
	assert_true(frag(b, 65120, BODY_MAX - 65120, false));
	check_whole(b, BODY_MAX);
}

static void test_pieces_of_eight(void **state)
{
	struct bench *b = *state;

	for (uint32_t off = 65504; off > 0; off -= 8)
		assert_false(frag(b, off, 8, off < 65504));
	assert_true(frag(b, 0, 8, true));
	check_whole(b, 65512);
}

static void test_what_cannot_be(void **state)
{
	struct bench *b = *state;

	assert_false(frag(b, 0, 1479, true)); /* no multiple of eight */
	assert_false(frag(b, 8, 0, false));   /* nothing */
	assert_false(frag(b, 65512, 4, false)); /* longer than IP can be */
	assert_false(frag(b, 65528, 8, false));
	assert_int_equal(lost(b, DROP_IP4_FRAGMENT), 4);
	assert_int_equal(reasm_n(b->r), 0);
	assert_false(frag(b, 65512, 3, false)); /* just as long */
	assert_int_equal(reasm_n(b->r), 1);
}

static void test_repetition_is_let_pass(void **state)
{
	const struct piece other = {
		.off = 80, .len = 80, .more = true, .id = 1, .fill = 1};
	struct bench *b = *state;

	assert_false(frag(b, 0, 80, true));
	assert_false(frag(b, 80, 80, true));
	assert_false(feed(b, &other)); /* the first one counts */
	assert_false(frag(b, 0, 80, true));
	assert_int_equal(lost(b, DROP_FRAG_AGAIN), 2);
	assert_true(frag(b, 160, 8, false));
	check_whole(b, 168);
}

/* Each of these ends the datagram, whatever comes after. */
static void test_overlaps(void **state)
{
	static const struct piece bad[] = {
		{.off = 40, .len = 80, .more = true},  /* across an edge */
		{.off = 8, .len = 16, .more = true},   /* inside */
		{.off = 0, .len = 40, .more = true},   /* its beginning */
		{.off = 40, .len = 40, .more = true},  /* its end */
		{.off = 0, .len = 160, .more = true},  /* over two */
		{.off = 72, .len = 8, .more = false},  /* an end before */
		{.off = 400, .len = 8, .more = true},  /* behind the end */
		{.off = 304, .len = 8, .more = false}, /* another end */
		{.off = 288, .len = 8, .more = false}, /* and an earlier one */
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct piece p = bad[i];
		uint64_t before = lost(b, DROP_FRAG_OVERLAP);

		assert_false(frag(b, 0, 80, true));
		assert_false(frag(b, 80, 80, true));
		assert_false(frag(b, 296, 8, false));
		p.id = 1;
		assert_false(feed(b, &p));
		assert_int_equal(lost(b, DROP_FRAG_OVERLAP), before + 4);
		assert_false(frag(b, 160, 136, true)); /* the missing one */
		assert_int_equal(lost(b, DROP_FRAG_OVERLAP), before + 5);
		assert_int_equal(reasm_n(b->r), 1);
		fake_nat_pass(b->n, (REASM_SECONDS + 1) * FAKE_SECOND);
		assert_int_equal(reasm_n(b->r), 0);
	}
	assert_int_equal(b->n->g.port->n_out, 0); /* nobody is told */
}

static void test_what_is_apart(void **state)
{
	const struct piece p[] = {
		{.off = 0, .len = 8, .more = true, .id = 2},
		{.off = 8, .len = 8, .more = false, .id = 3},
		{.off = 8, .len = 8, .more = false, .id = 2, .from = 1},
		{.off = 8, .len = 8, .more = false, .id = 2, .port = 1}};
	struct bench *b = *state;

	for (unsigned i = 0; i < 4; i++)
		assert_false(feed(b, &p[i]));
	assert_int_equal(reasm_n(b->r), 4);
}

/* The lan has to know where the guest is. */
static void be_known(struct bench *b)
{
	fake_guest_echo(&b->n->g, b->n->env.gw4, 1, 1, "", 0);
	fake_guest_kick(&b->n->g);
	fake_clear(b->n->g.port);
}

static void test_timeout_is_told(void **state)
{
	struct bench *b = *state;
	struct fake_got got;

	be_known(b);
	assert_false(frag(b, 80, 80, true));
	assert_false(frag(b, 0, 80, true));
	fake_nat_pass(b->n, (REASM_SECONDS - 1) * FAKE_SECOND);
	assert_int_equal(reasm_n(b->r), 1);
	fake_nat_pass(b->n, 2 * FAKE_SECOND);
	assert_int_equal(reasm_n(b->r), 0);
	assert_int_equal(lost(b, DROP_FRAG_TIMEOUT), 2);
	assert_true(fake_guest_got(&b->n->g, 0, &got));
	assert_int_equal(got.l4[0], ICMP_TIME_EXCEEDED);
	assert_int_equal(got.l4[1], ICMP_T_REASSEMBLY);
	/* the first fragment is quoted, as it was */
	assert_int_equal(got.l4_len, 8 + IP4_HDR_LEN + 80);
	assert_int_equal(got.l4[8 + 6], IP4_F_MF >> 8);
	assert_int_equal(got.l4[8 + 20 + 79], body_at(79));
}

static void test_timeout_without_the_first_is_silent(void **state)
{
	struct bench *b = *state;

	be_known(b);
	assert_false(frag(b, 80, 80, true));
	fake_nat_pass(b->n, (REASM_SECONDS + 1) * FAKE_SECOND);
	assert_int_equal(lost(b, DROP_FRAG_TIMEOUT), 1);
	assert_int_equal(b->n->g.port->n_out, 0);
}

static void test_one_machine_has_half(void **state)
{
	struct bench *b = *state;
	struct piece p = {.len = 8, .more = true};

	for (p.id = 1; p.id <= 2 * REASM_MAX; p.id++)
		assert_false(feed(b, &p));
	assert_int_equal(reasm_n(b->r), REASM_MAX / 2);
	assert_int_equal(lost(b, DROP_FRAG_FULL), 2 * REASM_MAX * 3 / 4);
	/* its newest are still there, and another machine has a place */
	p = (struct piece){.off = 8, .len = 8, .id = 2 * REASM_MAX};
	assert_true(feed(b, &p));
	check_whole(b, 16);
	p = (struct piece){.len = 8, .more = true, .id = 5, .port = 1};
	assert_false(feed(b, &p));
	p = (struct piece){.off = 8, .len = 8, .id = 5, .port = 1};
	assert_true(feed(b, &p));
	check_whole(b, 16);
}

/* Under many MACs as under one. */
static void test_one_port_has_half(void **state)
{
	struct bench *b = *state;
	struct piece p = {.len = 8, .more = true};

	for (p.from = 1; p.from <= 2 * REASM_MAX; p.from++)
		assert_false(feed(b, &p));
	assert_int_equal(reasm_n(b->r), REASM_MAX / 2);
	assert_int_equal(lost(b, DROP_FRAG_FULL), 2 * REASM_MAX * 3 / 4);
	for (p.id = 1, p.port = 1; p.id <= REASM_MAX / 4; p.id++)
		assert_false(feed(b, &p));
	assert_int_equal(reasm_n(b->r), REASM_MAX * 3 / 4);
	assert_int_equal(lost(b, DROP_FRAG_FULL), 2 * REASM_MAX * 3 / 4);
}

/* Neighbours behind one port do not pay for one of them. */
static void test_who_has_much_pays(void **state)
{
	struct bench *b = *state;
	struct piece p = {.len = 8, .more = true, .id = 1, .from = 1};

	assert_false(feed(b, &p)); /* the oldest of the port */
	p.from = 0;
	for (p.id = 1; p.id <= 2 * REASM_MAX; p.id++)
		assert_false(feed(b, &p));
	p = (struct piece){.off = 8, .len = 8, .id = 1, .from = 1};
	assert_true(feed(b, &p));
	check_whole(b, 16);
	/* a neighbour that has none is served all the same */
	p = (struct piece){.len = 8, .more = true, .id = 5, .from = 2};
	assert_false(feed(b, &p));
	p = (struct piece){.off = 8, .len = 8, .id = 5, .from = 2};
	assert_true(feed(b, &p));
	check_whole(b, 16);
}

static void test_many_machines_share_all(void **state)
{
	struct bench *b = *state;
	struct piece p = {.len = 8, .more = true};

	for (p.port = 1; p.port <= 200; p.port++)
		for (p.id = 1; p.id <= 40; p.id++)
			assert_false(feed(b, &p));
	assert_in_range(reasm_n(b->r), REASM_MAX - 1, REASM_MAX);
	/* whoever comes now is served */
	p = (struct piece){.len = 8, .more = true, .id = 50, .port = 201};
	assert_false(feed(b, &p));
	p = (struct piece){.off = 8, .len = 8, .id = 50, .port = 201};
	assert_true(feed(b, &p));
	check_whole(b, 16);
}

static void test_whole_ones_stay_for_the_batch(void **state)
{
	struct bench *b = *state;
	struct piece p = {0};
	const struct frame *first = NULL;

	for (p.id = 1; p.id <= FRAME_BATCH; p.id++) {
		p.off = 0;
		p.len = 8;
		p.more = true;
		assert_false(feed(b, &p));
		p.off = 8;
		p.more = false;
		assert_true(feed(b, &p));
		if (p.id == 1)
			first = b->whole;
	}
	b->whole = first;
	check_whole(b, 16);
	reasm_flush(b->r);
}

/* RFC 3168 5.3 */
static void test_congestion_marks(void **state)
{
	static const struct {
		uint8_t a, b;
		bool is_lost;
		uint8_t tos;
	} t[] = {{0x28, 0x28, false, 0x28}, {0x2a, 0x2b, false, 0x2b},
		 {0x2b, 0x2a, false, 0x2b}, {0x29, 0x2a, false, 0x29},
		 {0x28, 0x2b, true, 0},     {0x2b, 0x28, true, 0}};
	struct bench *b = *state;

	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct piece p = {.len = 8, .more = true, .tos = t[i].a};

		p.id = (uint16_t)i;
		assert_false(feed(b, &p));
		p.off = 8;
		p.more = false;
		p.tos = t[i].b;
		assert_int_equal(feed(b, &p), !t[i].is_lost);
		if (!t[i].is_lost)
			assert_int_equal(b->whole->hdr[15], t[i].tos);
		reasm_flush(b->r);
	}
	assert_int_equal(lost(b, DROP_IP4_FRAGMENT), 4);
	assert_int_equal(reasm_n(b->r), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_in_order),
		T(test_any_order),
		T(test_the_longest),
		T(test_pieces_of_eight),
		T(test_what_cannot_be),
		T(test_repetition_is_let_pass),
		T(test_overlaps),
		T(test_what_is_apart),
		T(test_timeout_is_told),
		T(test_timeout_without_the_first_is_silent),
		T(test_one_machine_has_half),
		T(test_one_port_has_half),
		T(test_who_has_much_pays),
		T(test_many_machines_share_all),
		T(test_whole_ones_stay_for_the_batch),
		T(test_congestion_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
