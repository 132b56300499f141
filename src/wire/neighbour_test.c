/* SPDX-License-Identifier: BSD-3-Clause */
/* What counts as a neighbour's word, and how one is asked and answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/group.h"
#include "wire/nd.h"
#include "wire/neighbour.h"

enum {
	ROOM = 256,
	AT_HOPS = ETH_HDR_LEN + 7,
	AT_CODE = ETH_HDR_LEN + 40 + 1,
	AT_OPTION = ETH_HDR_LEN + 40 + 24,
};

static const mac guest = {{0x52, 0x54, 0, 0, 0, 1}};
static const mac other = {{0x52, 0x54, 0, 0, 0, 2}};

static addr ip6(uint8_t last)
{
	return (addr){{0x20, 0x01, 0x0d, 0xb8, [15] = last}};
}

/* A frame, and what is read of it. */
struct bench {
	uint8_t b[ROOM];
	size_t len;
	struct neighbour n;
};

static bool reads(struct bench *t)
{
	memset(&t->n, 0, sizeof(t->n));
	return neighbour_parse(t->b, t->len, t->len, &t->n);
}

static void nd(struct bench *t, const addr *src, const addr *dst,
	       const struct nd_msg *m)
{
	struct wr w = wr_init(t->b, sizeof(t->b));

	nd_emit_frame(&w, group_mac(dst), guest, src, dst, m);
	assert_true(wr_ok(&w));
	t->len = wr_len(&w);
}

/* The question of 2001:db8::1 for 2001:db8::2. */
static void question(struct bench *t)
{
	const addr src = ip6(1), target = ip6(2), dst = nd_solicited(&target);
	const struct nd_msg m = {
		.type = ND_SOLICIT, .source = guest, .target = target};

	nd(t, &src, &dst, &m);
}

static void test_words_of_both_families(void **state)
{
	const addr a = addr_v4(192, 0, 2, 1), b = addr_v4(192, 0, 2, 2);
	const addr one = ip6(1), two = ip6(2), all = nd_all_nodes();
	const struct nd_msg word = {
		.type = ND_ADVERTISE, .target = one, .target_mac = guest};
	struct wr w;
	struct bench t;

	(void)state;
	question(&t);
	assert_true(reads(&t));
	assert_true(addr_eq(&t.n.from, &one) && addr_eq(&t.n.reply, &one));
	assert_true(addr_eq(&t.n.asked, &two) && mac_eq(t.n.mac, guest));
	nd(&t, &one, &all, &word);
	assert_true(reads(&t));
	assert_true(addr_eq(&t.n.from, &one));
	assert_true(addr_is_unspecified(&t.n.asked));
	w = wr_init(t.b, sizeof(t.b));
	neighbour_ask(&w, guest, &a, MAC_BROADCAST, &b);
	t.len = wr_len(&w);
	assert_true(reads(&t));
	assert_true(addr_eq(&t.n.from, &a) && addr_eq(&t.n.asked, &b));
}

/* Of a machine without an address: no MAC of its own, to the group alone. */
static void test_probe(void **state)
{
	const addr none = {{0}}, two = ip6(2), group = nd_solicited(&two);
	struct bench t;
	struct wr w = wr_init(t.b, sizeof(t.b));

	(void)state;
	neighbour_ask(&w, guest, &none, MAC_BROADCAST, &two);
	t.len = wr_len(&w);
	assert_int_equal(t.len, AT_OPTION);
	assert_true(mac_eq(mac_bytes(t.b), group_mac(&group)));
	assert_true(reads(&t));
	assert_true(addr_eq(&t.n.from, &two) && addr_eq(&t.n.asked, &two));
	assert_true(addr_is_unspecified(&t.n.reply));
	w = wr_init(t.b, sizeof(t.b));
	neighbour_ask(&w, guest, &none, other, &two); /* to one machine */
	t.len = wr_len(&w);
	assert_false(reads(&t));
}

static void test_what_is_no_word(void **state)
{
	const addr one = ip6(1), two = ip6(2), all = nd_all_nodes();
	struct nd_msg m = {
		.type = ND_ADVERTISE, .target = one, .target_mac = other};
	struct bench t;

	(void)state;
	nd(&t, &one, &all, &m); /* for another MAC */
	assert_false(reads(&t));
	m.target_mac = guest;
	m.is_solicited = true; /* by whom? */
	nd(&t, &one, &all, &m);
	assert_false(reads(&t));
	m = (struct nd_msg){.type = ND_SOLICIT, .source = other, .target = two};
	nd(&t, &one, &all, &m);
	assert_false(reads(&t));
	m.source = (mac){{0}};
	nd(&t, &one, &all, &m); /* to many, and whose MAC? */
	assert_false(reads(&t));
	nd(&t, &one, &two, &m); /* to one */
	assert_true(reads(&t));
	m = (struct nd_msg){.type = ND_SOLICIT, .source = guest, .target = all};
	nd(&t, &one, &all, &m); /* a group is nobody's */
	assert_false(reads(&t));
	m = (struct nd_msg){.type = ND_SOLICIT_ROUTER, .source = guest};
	nd(&t, &one, &all, &m);
	assert_false(reads(&t));
}

static void test_malformed(void **state)
{
	struct bench t;

	(void)state;
	question(&t);
	assert_true(reads(&t));
	t.b[AT_OPTION + 1] = 0; /* its length */
	assert_false(reads(&t));
	question(&t);
	t.b[AT_OPTION + 1] = 2; /* beyond the end */
	assert_false(reads(&t));
	question(&t);
	t.b[AT_HOPS] = 254; /* came by a router */
	assert_false(reads(&t));
	question(&t);
	t.b[AT_CODE] = 1;
	assert_false(reads(&t));
	question(&t);
	while (t.len-- > 0)
		assert_false(reads(&t));
}

/* RFC 6980: not even one of a single fragment. */
static void test_behind_a_fragment_header(void **state)
{
	enum { L4 = ETH_HDR_LEN + 40, FRAG_LEN = 8 };
	static const uint8_t head[FRAG_LEN] = {58, [7] = 1};
	struct bench t;

	(void)state;
	question(&t);
	memmove(t.b + L4 + FRAG_LEN, t.b + L4, t.len - L4);
	memcpy(t.b + L4, head, FRAG_LEN);
	t.len += FRAG_LEN;
	t.b[ETH_HDR_LEN + 5] += FRAG_LEN; /* payload length */
	t.b[ETH_HDR_LEN + 6] = 44;
	assert_false(reads(&t));
	t.b[ETH_HDR_LEN + 6] = 60; /* options for who gets it: as they are */
	t.b[L4 + 1] = 0;
	t.b[L4 + 2] = 1;
	t.b[L4 + 3] = 4;
	assert_true(reads(&t));
}

static void test_answers(void **state)
{
	const addr one = ip6(1), two = ip6(2), none = {{0}};
	const addr all = nd_all_nodes();
	struct neighbour n = {
		.from = one, .mac = guest, .asked = two, .reply = one};
	struct bench t;
	struct packet pkt;
	struct nd_msg m;
	struct wr w = wr_init(t.b, sizeof(t.b));

	(void)state;
	neighbour_answer(&w, &n, other);
	assert_int_equal(wr_len(&w), NEIGHBOUR_LEN);
	assert_int_equal(packet_parse(t.b, wr_len(&w), wr_len(&w), &pkt),
			 PACKET_OK);
	assert_true(nd_parse(&pkt, t.b + pkt.l4_off, false, &m));
	assert_true(m.is_solicited && m.overrides && !m.is_router);
	assert_true(mac_eq(pkt.eth_dst, guest) && addr_eq(&pkt.dst.ip, &one));
	assert_true(addr_eq(&pkt.src.ip, &two) && addr_eq(&m.target, &two));
	n.reply = none;
	w = wr_init(t.b, sizeof(t.b));
	neighbour_answer(&w, &n, other);
	assert_int_equal(packet_parse(t.b, wr_len(&w), wr_len(&w), &pkt),
			 PACKET_OK);
	assert_true(nd_parse(&pkt, t.b + pkt.l4_off, false, &m));
	assert_true(!m.is_solicited && addr_eq(&pkt.dst.ip, &all));
	assert_true(mac_eq(pkt.eth_dst, group_mac(&all)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_of_both_families),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_what_is_no_word),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_behind_a_fragment_header),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
