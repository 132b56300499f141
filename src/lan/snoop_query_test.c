/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Only a query that every machine answers may make the switch keep groups from
 * machines: one that it believes and they do not would cost them their groups.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/fake_port.h"
#include "lan/lan_priv.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/igmp.h"
#include "wire/ip.h"
#include "wire/mld.h"

enum { ROOM = 256, AT = ETH_HDR_LEN, OPTIONS_MAX = 40 };

static const addr all4 = {{[10] = 0xff, 0xff, 224, 0, 0, 1}};
static const addr all6 = {{0xff, 2, [15] = 1}};

/* A general query and what is wrong with it. */
struct lie {
	const char *name;
	const char *src, *dst; /* NULL: as it should be */
	/* In place of the router alert's 4 bytes, or of the headers behind
	 * IPv6's. */
	uint8_t options[OPTIONS_MAX];
	uint32_t options_len;
	uint32_t len; /* of the message; 0: version 3's (MLD: 2's) */
	uint8_t n_sources;
};

/* The frame, its checksums right. */
static uint32_t emit(uint8_t *b, bool is_v4, const struct lie *l)
{
	const uint8_t alert4[4] = {0x94, 4};
	const uint8_t alert6[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1};
	const uint8_t *o = l->options_len ? l->options
			   : is_v4	  ? alert4
					  : alert6;
	uint32_t o_len = l->options_len ? l->options_len : is_v4 ? 4 : 8;
	uint32_t len = l->len ? l->len : is_v4 ? 12 : 28;
	addr src = is_v4 ? addr_v4(10, 0, 2, 2)
			 : (addr){{0xfe, 0x80, [15] = 2}};
	addr dst = is_v4 ? all4 : all6;
	struct eth_hdr eth = {.src = fake_mac(1), .type = ip_ethertype(&dst)};
	struct wr w = wr_init(b, ROOM);
	uint8_t *ip, *m;
	uint64_t sum;

	assert_true(!l->src || addr_parse(l->src, &src));
	assert_true(!l->dst || addr_parse(l->dst, &dst));
	eth.dst = group_mac(&dst);
	eth_emit(&w, &eth);
	ip = w.p;
	ip_emit(&w, &(struct ip_hdr){
			    .src = src,
			    .dst = dst,
			    .proto = is_v4 ? IPPROTO_IGMP : IPPROTO_HOPOPTS,
			    .ttl = 1,
			    .l4_len = o_len + len});
	wr_bytes(&w, o, o_len);
	m = w.p;
	wr_zero(&w, len);
	assert_true(wr_ok(&w));
	if (is_v4) {
		ip[0] = (uint8_t)(0x45 + o_len / 4);
		ip[10] = ip[11] = 0;
		put_be16(ip + 10, csum_fold(csum_add(ip, 20 + o_len, 0)));
	}
	m[0] = is_v4 ? 0x11 : 130;
	m[1] = is_v4 ? 10 : 0;
	m[4] = is_v4 ? 0 : 3;
	if (l->n_sources)
		m[is_v4 ? 11 : 27] = l->n_sources;
	sum = is_v4 ? 0 : csum_pseudo(&src, &dst, IPPROTO_ICMPV6, len);
	put_be16(m + 2, csum_fold(csum_add(m, len, sum)));
	return (uint32_t)wr_len(&w);
}

/* True if the switch takes it for a querier's. */
static bool is_believed(bool is_v4, const struct lie *l)
{
	struct fake_lan b;
	uint8_t buf[ROOM];
	uint32_t len = emit(buf, is_v4, l);
	struct fake_port *from, *other;
	enum port_family f = is_v4 ? PORT_V4 : PORT_V6;
	bool is_known;
	addr who;

	fake_lan_init(&b, false);
	from = fake_new(b.lan, &(struct fake_config){.name = "a"});
	other = fake_new(b.lan, &(struct fake_config){.name = "b"});
	fake_rx(from, buf, len, NULL);
	assert_int_equal(other->n_out, 1); /* it is carried all the same */
	is_known = lan_querier(b.lan, f, &who);
	assert_int_equal(b.lan->snoop.family[f].until_ns != 0, is_known);
	fake_lan_deinit(&b);
	return is_known;
}

static void test_what_all_answer(void **state)
{
	static const struct lie good4[] = {
		{.name = "version 3"},
		{.name = "version 2", .len = 8},
		{.name = "longer than we know", .len = 16},
		{.name = "padding before the alert",
		 .options = {1, 1, 1, 1, 0x94, 4, 0, 0},
		 .options_len = 8},
		{.name = "the end behind it",
		 .options = {0x94, 4, 0, 0, 0, 0, 0, 0},
		 .options_len = 8},
	};
	static const struct lie good6[] = {
		{.name = "version 2"},
		{.name = "version 1", .len = 24},
		{.name = "padding before the alert",
		 .options = {IPPROTO_ICMPV6, 0, 1, 0, 5, 2, 0, 0},
		 .options_len = 8},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(good4) / sizeof(good4[0]); i++) {
		if (!is_believed(true, &good4[i]))
			fail_msg("%s", good4[i].name);
	}
	for (unsigned i = 0; i < sizeof(good6) / sizeof(good6[0]); i++) {
		if (!is_believed(false, &good6[i]))
			fail_msg("%s", good6[i].name);
	}
}

static void test_what_nobody_answers(void **state)
{
	static const struct lie bad4[] = {
		{.name = "another group", .dst = "224.0.0.77"},
		{.name = "from the loopback", .src = "127.0.0.1"},
		{.name = "from a group", .src = "224.0.0.5"},
		{.name = "from all", .src = "255.255.255.255"},
		{.name = "from no network", .src = "0.0.0.1"},
		{.name = "from what is reserved", .src = "240.0.0.1"},
		{.name = "of no version", .len = 10},
		{.name = "sources", .n_sources = 1, .len = 16},
		{.name = "sources that are not there", .n_sources = 1},
		{.name = "an option without a length",
		 .options = {0x94, 4, 0, 0, 7, 0, 0, 0},
		 .options_len = 8},
		{.name = "an option that is too long",
		 .options = {0x94, 4, 0, 0, 7, 9, 0, 0},
		 .options_len = 8},
		{.name = "an alert that is too short",
		 .options = {0x94, 2, 1, 1},
		 .options_len = 4},
		{.name = "a source route",
		 .options = {0x94, 4, 0, 0, 0x83, 3, 4, 0},
		 .options_len = 8},
	};
	static const struct lie bad6[] = {
		{.name = "another group", .dst = "ff02::77"},
		{.name = "the interface's", .dst = "ff01::1"},
		{.name = "of no version", .len = 26},
		{.name = "sources", .n_sources = 1, .len = 44},
		{.name = "sources that are not there", .n_sources = 1},
		{.name = "an option that ends it",
		 .options = {IPPROTO_ICMPV6, 1, 5, 2, 0, 0, 0xfe, 8},
		 .options_len = 16},
		{.name = "an option that is too long",
		 .options = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 9},
		 .options_len = 8},
		{.name = "another header",
		 .options = {60, 0, 5, 2, 0, 0, 1, 0,
			     IPPROTO_ICMPV6, 0, 0xfe, 4},
		 .options_len = 16},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad4) / sizeof(bad4[0]); i++) {
		if (is_believed(true, &bad4[i]))
			fail_msg("%s", bad4[i].name);
	}
	for (unsigned i = 0; i < sizeof(bad6) / sizeof(bad6[0]); i++) {
		if (is_believed(false, &bad6[i]))
			fail_msg("%s", bad6[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_all_answer),
		cmocka_unit_test(test_what_nobody_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
