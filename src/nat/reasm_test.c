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
#include "wire/ip.h"

struct bench {
	struct fake_nat *n;
	struct reasm *r;
	bool is_v6;
	uint32_t head_len; /* of a whole datagram, from Ethernet on */
	uint32_t body_max;
	const struct frame *whole; /* of the last fragment */
};

/* The fragment that the next call sends. */
struct piece {
	uint32_t off, len;
	bool more;
	uint32_t id;
	uint8_t tos;
	uint8_t from; /* which machine */
	uint8_t port; /* behind which port */
	uint8_t fill; /* added to each byte */
	bool has_hop; /* IPv6: hop-by-hop options before it */
};

static int setup_family(void **state, bool is_v6)
{
	struct bench *b = calloc(1, sizeof(*b));
	void *n;

	assert_int_equal(is_v6 ? fake_nat_setup6(&n) : fake_nat_setup(&n), 0);
	b->n = n;
	b->is_v6 = is_v6;
	b->head_len = fake_nat_l4(n);
	b->body_max = is_v6 ? 65535 : 65515;
	assert_int_equal(reasm_new(&b->n->env, b->n->icmp, &b->r), 0);
	*state = b;
	return 0;
}

static int setup(void **state)
{
	return setup_family(state, false);
}

static int setup6(void **state)
{
	return setup_family(state, true);
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

/* Hop-by-hop options come between the IPv6 header and the fragment's. */
static void put_hop(struct wr *w)
{
	uint8_t *ip = w->start + ETH_HDR_LEN, *ext = ip + IP6_HDR_LEN;
	static const uint8_t pad[8] = {44, 0, 1, 4};
	unsigned len = 8u + (unsigned)(ip[4] << 8 | ip[5]);

	memmove(ext + 8, ext, IP6_FRAG_LEN);
	memcpy(ext, pad, 8);
	ip[4] = (uint8_t)(len >> 8);
	ip[5] = (uint8_t)len;
	ip[IP6_PROTO_AT] = IPPROTO_HOPOPTS;
	w->p += 8;
}

static bool feed(struct bench *b, const struct piece *p)
{
	static uint8_t buf[FRAME_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	struct ip_hdr ip = {.l4_len = p->len,
			    .is_fragment = true,
			    .id = p->id,
			    .off = p->off,
			    .more = p->more,
			    .tos = p->tos,
			    .ttl = 64,
			    .proto = IPPROTO_UDP,
			    .src = b->n->g.ip,
			    .dst = b->n->far.ip};
	mac from = p->from ? fake_mac(100 + p->from) : b->n->g.mac;
	struct packet pkt;
	struct frame f;

	ip_emit_frame(&w, b->n->env.gw_mac, from, &ip);
	if (p->has_hop)
		put_hop(&w);
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

	assert_int_equal(b->whole->len, b->head_len + len);
	assert_int_equal(packet_parse(b->whole->hdr, b->whole->hdr_len,
				      b->whole->len, &pkt),
			 PACKET_OK);
	assert_false(pkt.is_fragment);
	/* it may be fragmented, as it was; IPv6 has no words for it */
	assert_int_equal(pkt.df, b->is_v6);
	assert_int_equal(pkt.proto, IPPROTO_UDP);
	assert_int_equal(pkt.l4_len, len);
	assert_int_equal(pkt.ttl, 64);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(b->whole->hdr[b->head_len + i], body_at(i));
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

	for (uint32_t off = 0; off + 1480 < b->body_max; off += 1480)
		assert_false(frag(b, off, 1480, true));
	assert_true(frag(b, 65120, b->body_max - 65120, false));
	check_whole(b, b->body_max);
}

static void test_pieces_of_eight(void **state)
{
	struct bench *b = *state;

	for (uint32_t off = 65504; off > 0; off -= 8)
		assert_false(frag(b, off, 8, off < 65504));
	assert_true(frag(b, 0, 8, true));
	check_whole(b, 65512);
}

/* The lan has to know where the guest is. */
static void be_known(struct bench *b)
{
	fake_guest_echo(&b->n->g, b->n->gw_ip, 1, 1, "", 0);
	fake_guest_kick(&b->n->g);
	fake_clear(b->n->g.port);
}

/* The ith answer is a parameter problem there (RFC 8200 4.5). */
static void check_pointer(struct bench *b, unsigned i, uint8_t at)
{
	struct fake_got got;

	assert_true(fake_guest_got(&b->n->g, i, &got));
	assert_true(got.csum_ok);
	assert_int_equal(got.l4[0], 4);
	assert_int_equal(got.l4[1], 0);
	assert_int_equal(got.l4[7], at);
}

static void test_what_cannot_be(void **state)
{
	struct bench *b = *state;
	uint32_t last = b->body_max & ~7u, len = b->body_max - last;

	be_known(b);
	assert_false(frag(b, 0, 1479, true)); /* no multiple of eight */
	assert_false(frag(b, 8, 0, false));   /* nothing */
	assert_false(frag(b, last, len + 1, false)); /* longer than IP can be */
	assert_false(frag(b, 65528, 8, false));
	assert_int_equal(lost(b, DROP_FRAG_BAD), 4);
	assert_int_equal(reasm_n(b->r), 0);
	assert_false(frag(b, last, len, false)); /* just as long */
	assert_int_equal(reasm_n(b->r), 1);
	if (!b->is_v6) {
		assert_int_equal(b->n->g.port->n_out, 0);
		return;
	}
	assert_int_equal(b->n->g.port->n_out, 3);
	check_pointer(b, 0, 4);	 /* payload length */
	check_pointer(b, 1, 42); /* fragment offset */
	check_pointer(b, 2, 42);
}

/* IPv6: the headers before the fragment's are left away. */
static void test_headers_in_front(void **state)
{
	struct bench *b = *state;
	struct piece p = {.len = 80, .more = true, .has_hop = true};

	be_known(b);
	assert_false(feed(b, &p));
	p = (struct piece){.off = 80, .len = 9};
	assert_true(feed(b, &p));
	check_whole(b, 89);
	/* The offset that is wrong is behind them. */
	p = (struct piece){.off = 65528, .len = 8, .has_hop = true};
	assert_false(feed(b, &p));
	check_pointer(b, 0, 50);
	/* Of these who sent it is not told. */
	p = (struct piece){.len = 80, .more = true, .has_hop = true};
	assert_false(feed(b, &p));
	fake_nat_pass(b->n, (REASM_SECONDS + 1) * FAKE_SECOND);
	assert_int_equal(lost(b, DROP_FRAG_TIMEOUT), 1);
	assert_int_equal(b->n->g.port->n_out, 1);
}

/* IPv6's identification has 32 bits. */
static void test_long_identification(void **state)
{
	struct bench *b = *state;
	struct piece p = {.len = 80, .more = true, .id = 0x10001};

	assert_false(feed(b, &p));
	p = (struct piece){.off = 80, .len = 9, .id = 0x20001};
	assert_false(feed(b, &p));
	assert_int_equal(reasm_n(b->r), 2);
	p.id = 0x10001;
	assert_true(feed(b, &p));
	check_whole(b, 89);
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

static void test_timeout_is_told(void **state)
{
	struct bench *b = *state;
	uint32_t head = b->is_v6 ? 48 : 20;
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
	assert_int_equal(got.l4[0], b->is_v6 ? 3 : 11);
	assert_int_equal(got.l4[1], ICMP_T_REASSEMBLY);
	/* the first fragment is quoted, as it was */
	assert_int_equal(got.l4_len, 8 + head + 80);
	if (b->is_v6)
		assert_int_equal(got.l4[8 + 43], 1);
	else
		assert_int_equal(got.l4[8 + 6], IP4_F_MF >> 8);
	assert_int_equal(got.l4[8 + head + 79], body_at(79));
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

static uint8_t tos_of(const struct bench *b)
{
	struct packet pkt;

	assert_int_equal(packet_parse(b->whole->hdr, b->whole->hdr_len,
				      b->whole->len, &pkt),
			 PACKET_OK);
	return pkt.tos;
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

		p.id = i;
		assert_false(feed(b, &p));
		p.off = 8;
		p.more = false;
		p.tos = t[i].b;
		assert_int_equal(feed(b, &p), !t[i].is_lost);
		if (!t[i].is_lost)
			assert_int_equal(tos_of(b), t[i].tos);
		reasm_flush(b->r);
	}
	assert_int_equal(lost(b, DROP_FRAG_BAD), 4);
	assert_int_equal(reasm_n(b->r), 0);
}

#define T6(f) cmocka_unit_test_setup_teardown(f, setup6, teardown)
/* In both families. */
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown), T6(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_in_order),
		T(test_any_order),
		T(test_the_longest),
		T(test_pieces_of_eight),
		T(test_what_cannot_be),
		T6(test_headers_in_front),
		T6(test_long_identification),
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
