/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery: known bytes, both ways, all that is refused. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/csum.h"
#include "wire/dns.h"
#include "wire/eth.h"
#include "wire/group.h"
#include "wire/ip.h"
#include "wire/nd.h"

enum { L4 = ETH_HDR_LEN + IP6_HDR_LEN, ROOM = L4 + 1240, TTL_AT = 21 };

static const mac guest = {{0x52, 0x54, 0, 1, 2, 3}};
static const mac ours = {{0x52, 0x55, 10, 0, 2, 2}};
static const addr ll6 = {{0xfe, 0x80, [15] = 2}};
static const addr host6 = {{0xfe, 0xc0, [15] = 2}};
static const addr guest6 = {{0xfe, 0xc0, [15] = 0x15}};
static const addr none;

struct message {
	uint8_t b[ROOM];
	size_t len;
};

static struct message make(const addr *src, const addr *dst,
			   const struct nd_msg *m)
{
	struct message f;
	struct wr w = wr_init(f.b, sizeof(f.b));

	nd_emit_frame(&w, guest, ours, src, dst, m);
	assert_true(wr_ok(&w));
	f.len = wr_len(&w);
	return f;
}

static bool parse(const struct message *f, struct nd_msg *mp)
{
	struct packet pkt;

	assert_int_equal(packet_parse(f->b, f->len, f->len, &pkt), PACKET_OK);
	assert_int_equal(pkt.l4_off, L4);
	return nd_parse(&pkt, f->b + L4, false, mp);
}

/* Its lengths and checksum are right again. */
static void resum(struct message *f)
{
	size_t n = f->len - L4;
	addr src, dst;
	uint16_t sum;

	f->b[18] = (uint8_t)(n >> 8);
	f->b[19] = (uint8_t)n;
	f->b[L4 + 2] = f->b[L4 + 3] = 0;
	memcpy(src.b, f->b + 22, sizeof(src.b));
	memcpy(dst.b, f->b + 38, sizeof(dst.b));
	sum = csum_fold(csum_add(f->b + L4, n,
				 csum_pseudo(&src, &dst, IPPROTO_ICMPV6,
					     (uint32_t)n)));
	f->b[L4 + 2] = (uint8_t)(sum >> 8);
	f->b[L4 + 3] = (uint8_t)sum;
}

static struct nd_msg solicit(const addr *target)
{
	return (struct nd_msg){
		.type = ND_SOLICIT, .source = guest, .target = *target};
}

static void test_known_bytes(void **state)
{
	static const uint8_t want[] = {
		0x33, 0x33, 0xff, 0, 0, 2, 0x52, 0x54, 0, 1, 2, 3, 0x86, 0xdd,
		0x60, 0, 0, 0, 0, 32, 58, 255,
		0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x15,
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2,
		135, 0, 0x27, 0xac, 0, 0, 0, 0,
		0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
		1, 1, 0x52, 0x54, 0, 1, 2, 3,
	};
	const struct nd_msg m = solicit(&host6);
	addr dst = nd_solicited(&host6);
	uint8_t b[sizeof(want)];
	struct wr w = wr_init(b, sizeof(b));

	nd_emit_frame(&w, group_mac(&dst), guest, &guest6, &dst, &m);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), sizeof(want));
	assert_memory_equal(b, want, sizeof(want));
}

static void test_neighbours(void **state)
{
	struct nd_msg m = solicit(&host6), g;
	struct message f = make(&guest6, &host6, &m);

	assert_true(parse(&f, &g));
	assert_int_equal(g.type, ND_SOLICIT);
	assert_true(mac_eq(g.source, guest));
	assert_true(mac_is_zero(g.target_mac));
	assert_true(addr_eq(&g.target, &host6));
	m = (struct nd_msg){.type = ND_ADVERTISE,
			    .target = host6,
			    .target_mac = ours,
			    .is_router = true,
			    .overrides = true};
	f = make(&host6, &guest6, &m);
	assert_true(parse(&f, &g));
	assert_true(g.is_router && g.overrides && !g.is_solicited);
	assert_true(mac_eq(g.target_mac, ours));
	m.is_router = m.overrides = false;
	m.is_solicited = true;
	f = make(&host6, &guest6, &m);
	assert_true(parse(&f, &g));
	assert_true(!g.is_router && !g.overrides && g.is_solicited);
}

static struct nd_msg router(const uint8_t *search, size_t len)
{
	return (struct nd_msg){.type = ND_ADVERTISE_ROUTER,
			       .source = ours,
			       .router = {.hop_limit = 64,
					  .has_other = true,
					  .lifetime_s = 1800,
					  .mtu = 1500,
					  .has_prefix = true,
					  .is_on_link = true,
					  .prefix = {.ip = {{0xfe, 0xc0}},
						     .len = 64},
					  .valid_s = 2592000,
					  .preferred_s = 604800,
					  .dns = host6,
					  .dns_s = 1200,
					  .search = search,
					  .search_len = len,
					  .search_s = 900}};
}

static void test_routers(void **state)
{
	const uint8_t names[] = "\3lab\7example\0\1x";
	struct nd_msg m = router(names, sizeof(names)), g;
	const addr all = nd_all_nodes();
	struct message f = make(&ll6, &all, &m);
	const struct nd_router *r = &g.router;

	assert_true(parse(&f, &g));
	assert_int_equal(r->hop_limit, 64);
	assert_true(r->has_other && !r->is_managed);
	assert_int_equal(r->lifetime_s, 1800);
	assert_int_equal(r->mtu, 1500);
	assert_true(r->has_prefix && r->is_on_link && !r->is_autonomous);
	assert_int_equal(r->prefix.len, 64);
	assert_int_equal(r->prefix.ip.b[1], 0xc0);
	assert_int_equal(r->valid_s, 2592000);
	assert_int_equal(r->preferred_s, 604800);
	assert_true(addr_eq(&r->dns, &host6));
	assert_int_equal(r->dns_s, 1200);
	assert_int_equal(r->search_len, 16);
	assert_memory_equal(r->search, names, sizeof(names));
	assert_int_equal(r->search_s, 900);
	assert_true(mac_eq(g.source, ours));
	/* and one that says next to nothing */
	m = (struct nd_msg){.type = ND_ADVERTISE_ROUTER,
			    .router.is_managed = true};
	f = make(&ll6, &guest6, &m);
	assert_int_equal(f.len, L4 + 16);
	assert_true(parse(&f, &g));
	assert_true(r->is_managed && !r->has_prefix && !r->search_len);
	assert_int_equal(r->mtu, 0);
	m = (struct nd_msg){.type = ND_SOLICIT_ROUTER};
	f = make(&none, &all, &m);
	assert_int_equal(f.len, L4 + 8);
	assert_true(parse(&f, &g));
	assert_int_equal(g.type, ND_SOLICIT_ROUTER);
}

static void test_each_byte_is_summed(void **state)
{
	const struct nd_msg m = solicit(&host6);
	const struct message f = make(&guest6, &host6, &m);
	struct nd_msg g;

	for (size_t i = L4; i < f.len; i++) {
		struct message bad = f;

		bad.b[i] ^= 0x10;
		assert_false(parse(&bad, &g));
	}
}

/* A router's message without its last options. */
static bool is_whole(size_t n)
{
	static const uint8_t ends[] = {16, 24, 32, 64, 88};

	return memchr(ends, (int)n, sizeof(ends));
}

static void test_every_cut(void **state)
{
	const struct nd_msg ra = router((const uint8_t *)"\1x", 3);
	const struct message f = make(&ll6, &guest6, &ra);
	struct nd_msg g = {.type = 99};

	for (size_t n = L4 + 8; n < f.len; n++) {
		struct message cut = f;

		cut.len = n;
		resum(&cut);
		/* whole options may be missing, but nothing else */
		assert_int_equal(parse(&cut, &g), is_whole(n - L4));
	}
}

static void expect_refused(struct message f)
{
	struct nd_msg g = {.type = 99};

	resum(&f);
	assert_false(parse(&f, &g));
	assert_int_equal(g.type, 99);
}

static void test_what_is_refused(void **state)
{
	const struct nd_msg m = solicit(&host6);
	const struct message good = make(&guest6, &host6, &m);
	struct message f = good;

	f.b[TTL_AT] = 254; /* a router was on the way */
	expect_refused(f);
	f = good;
	f.b[L4 + 1] = 1; /* code */
	expect_refused(f);
	f = good;
	f.b[L4] = ND_REDIRECT;
	expect_refused(f);
	f = good;
	f.b[L4] = 128; /* echo */
	expect_refused(f);
	f = good;
	f.b[L4 + 25] = 0; /* an option of no length */
	expect_refused(f);
	f.b[L4 + 25] = 2; /* and one that is longer than the message */
	expect_refused(f);
	f = good;
	f.b[L4 + ND_AT_TARGET] = 0xff; /* a group is nobody's */
	expect_refused(f);
	f = good; /* ::ffff:a.b.c.d, which is IPv4 here */
	memset(f.b + L4 + ND_AT_TARGET, 0, 10);
	memset(f.b + L4 + ND_AT_TARGET + 10, 0xff, 2);
	expect_refused(f);
}

static void test_addresses(void **state)
{
	const addr group = nd_solicited(&host6), all = nd_all_nodes();
	struct nd_msg m = solicit(&host6), g;
	struct message f;

	expect_refused(make(&none, &group, &m)); /* a MAC of nobody */
	m.source = (mac){{0}};
	expect_refused(make(&none, &host6, &m)); /* a probe is for all */
	expect_refused(make(&none, &all, &m));
	f = make(&none, &group, &m);
	assert_true(parse(&f, &g));
	m = (struct nd_msg){.type = ND_ADVERTISE,
			    .is_solicited = true,
			    .target = guest6};
	expect_refused(make(&guest6, &all, &m)); /* by whom? */
	m = router(NULL, 0);
	expect_refused(make(&host6, &all, &m)); /* routers are of the link */
	m = (struct nd_msg){.type = ND_SOLICIT_ROUTER, .source = guest};
	expect_refused(make(&none, &all, &m));
}

/* Others' options, and ours where they are of another length, are passed
 * over. */
static void test_odd_options(void **state)
{
	const struct nd_msg m = solicit(&host6);
	const struct message good = make(&guest6, &host6, &m);
	struct message f = good;
	struct nd_msg g;

	f.b[L4 + 24] = 14; /* RFC 3971's nonce */
	resum(&f);
	assert_true(parse(&f, &g));
	assert_true(mac_is_zero(g.source));
	f = good;
	f.b[L4 + 25] = 2;
	memset(f.b + f.len, 0, 8);
	f.len += 8;
	resum(&f);
	assert_true(parse(&f, &g));
	assert_true(mac_is_zero(g.source));
}

static void test_prefix_of_nothing(void **state)
{
	const struct nd_msg m = router(NULL, 0);
	struct message f = make(&ll6, &guest6, &m);
	struct nd_msg g;

	f.b[L4 + 16 + 8 + 8 + 2] = 129; /* behind the MAC and the MTU */
	resum(&f);
	assert_true(parse(&f, &g));
	assert_false(g.router.has_prefix);
	assert_int_equal(g.router.mtu, 1500);
}

static void test_search_list(void **state)
{
	uint8_t b[ND_SEARCH_MAX];
	struct wr w = wr_init(b, sizeof(b));
	char label[DNS_LABEL_LEN + 2];

	assert_true(dns_name_emit(&w, "lab.example"));
	assert_true(dns_name_emit(&w, "x."));
	assert_int_equal(wr_len(&w), 16);
	assert_memory_equal(b, "\3lab\7example\0\1x", 16);
	assert_false(dns_name_emit(&w, ""));
	assert_false(dns_name_emit(&w, "."));
	assert_false(dns_name_emit(&w, "a..b"));
	memset(label, 'a', sizeof(label) - 1);
	label[sizeof(label) - 1] = 0;
	assert_false(dns_name_emit(&w, label));
	assert_int_equal(wr_len(&w), 16);
	label[DNS_LABEL_LEN] = 0;
	assert_true(dns_name_emit(&w, label));
	w = wr_init(b, 5);
	assert_true(dns_name_emit(&w, "abc"));
	assert_false(dns_name_emit(&w, "d"));
	assert_true(wr_ok(&w));
}

static void test_groups(void **state)
{
	const addr a = {{0x20, 1, [13] = 0xaa, [14] = 0xbb, [15] = 0xcc}};
	const addr want = {{0xff, 2, [11] = 1, [12] = 0xff, [13] = 0xaa,
			    [14] = 0xbb, [15] = 0xcc}};
	const addr group = nd_solicited(&a), all = nd_all_nodes();

	assert_true(addr_eq(&group, &want));
	assert_true(mac_eq(group_mac(&group),
			   (mac){{0x33, 0x33, 0xff, 0xaa, 0xbb, 0xcc}}));
	assert_true(mac_eq(group_mac(&all),
			   (mac){{0x33, 0x33, 0, 0, 0, 1}}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_bytes),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_routers),
		cmocka_unit_test(test_each_byte_is_summed),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_odd_options),
		cmocka_unit_test(test_prefix_of_nothing),
		cmocka_unit_test(test_search_list),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
