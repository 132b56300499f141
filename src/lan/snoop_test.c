/* SPDX-License-Identifier: BSD-3-Clause */
/* Who gets the frames of which multicast group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "lan/fake_port.h"
#include "lan/snoop.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/igmp.h"
#include "wire/ip.h"
#include "wire/mld.h"

#define SECOND UINT64_C(1000000000)

enum { PORTS = 4, ASKS = 3, PIM = 103 };

/* p[ASKS] is where queries come from in most tests. */
struct box {
	struct fake_lan b;
	struct fake_port *p[PORTS];
	bool is_v4;
};

static addr group_of(const struct box *t, uint8_t n)
{
	addr a = {{0xff, 0x0e, [15] = n}};

	return t->is_v4 ? addr_v4(239, 1, 2, n) : a;
}

static addr source_of(const struct box *t, uint8_t n)
{
	addr a = {{0xfe, 0x80, [15] = n}};

	return t->is_v4 ? addr_v4(10, 0, 2, n) : a;
}

/* The number of p's port, which is that of the machine behind it. */
static uint8_t number(const struct box *t, const struct fake_port *f)
{
	uint8_t n = 0;

	while (n < PORTS && t->p[n] != f)
		n++;
	return n + 1;
}

static uint32_t wrap(const struct box *t, uint8_t *b, size_t room, uint8_t n,
		     const addr *to, uint8_t proto, const uint8_t *p,
		     uint32_t len)
{
	const struct ip_hdr h = {.src = source_of(t, n),
				 .dst = *to,
				 .l4_len = len,
				 .proto = proto,
				 .ttl = 1};
	struct wr w = wr_init(b, room);

	ip_emit_frame(&w, group_mac(to), fake_mac(n), &h);
	wr_bytes(&w, p, len);
	assert_true(wr_ok(&w));
	return (uint32_t)wr_len(&w);
}

static void say_from(struct box *t, struct fake_port *f, uint8_t n,
		     const addr *to, uint8_t proto, const uint8_t *p,
		     uint32_t len)
{
	uint8_t b[2048];

	fake_rx(f, b, wrap(t, b, sizeof(b), n, to, proto, p, len), NULL);
}

static void say_to(struct box *t, struct fake_port *f, const addr *to)
{
	const uint8_t udp[8] = {0, 9, 0, 9, 0, 8, 0, 0};

	say_from(t, f, number(t, f), to, IPPROTO_UDP, udp, sizeof(udp));
}

/* The ports that get what f sends to group n, a bit each. */
static unsigned who_gets_addr(struct box *t, struct fake_port *f,
			      const addr *to)
{
	unsigned before[PORTS], who = 0;

	for (unsigned i = 0; i < PORTS; i++)
		before[i] = t->p[i]->n_out;
	say_to(t, f, to);
	for (unsigned i = 0; i < PORTS; i++)
		who |= (t->p[i]->n_out - before[i]) << i;
	return who;
}

static unsigned who_gets(struct box *t, struct fake_port *f, uint8_t n)
{
	const addr to = group_of(t, n);

	return who_gets_addr(t, f, &to);
}

/* A message with its checksum put right and, in IPv6, its header. */
static void say_msg(struct box *t, struct fake_port *f, uint8_t n,
		    const addr *to, uint8_t *msg, uint32_t len)
{
	uint8_t b[2048] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
	const addr src = source_of(t, n);
	uint64_t sum = t->is_v4 ? 0 : csum_pseudo(&src, to, IPPROTO_ICMPV6,
						  len);
	uint16_t c;

	msg[2] = msg[3] = 0;
	c = csum_fold(csum_add(msg, len, sum));
	msg[2] = (uint8_t)(c >> 8);
	msg[3] = (uint8_t)c;
	if (t->is_v4) {
		say_from(t, f, n, to, IPPROTO_IGMP, msg, len);
		return;
	}
	memcpy(b + 8, msg, len);
	say_from(t, f, n, to, IPPROTO_HOPOPTS, b, len + 8);
}

/* Of version 1 or 2: type is that of IGMP or MLD. */
static void say_plain(struct box *t, struct fake_port *f, uint8_t type4,
		      uint8_t type6, uint8_t group)
{
	const addr to = group_of(t, group);
	uint8_t m[24] = {t->is_v4 ? type4 : type6};

	memcpy(m + (t->is_v4 ? 4 : 8), to.b + (t->is_v4 ? 12 : 0),
	       t->is_v4 ? 4 : 16);
	say_msg(t, f, number(t, f), &to, m, t->is_v4 ? 8 : 24);
}

static void join(struct box *t, struct fake_port *f, uint8_t group)
{
	say_plain(t, f, 0x16, 131, group);
}

static void leave(struct box *t, struct fake_port *f, uint8_t group)
{
	say_plain(t, f, 0x17, 132, group);
}

/* Of version 3: n records of one type, for the groups from first on. */
static void say_records(struct box *t, struct fake_port *f, uint8_t type,
			uint8_t first, unsigned n)
{
	const addr v4 = addr_v4(224, 0, 0, 22);
	const addr v6 = {{0xff, 2, [15] = 0x16}};
	uint8_t m[2048] = {t->is_v4 ? 0x22 : 143, [7] = (uint8_t)n};
	struct wr w = wr_init(m + 8, sizeof(m) - 8);

	m[6] = (uint8_t)(n >> 8);
	for (unsigned i = 0; i < n; i++) {
		addr g = group_of(t, (uint8_t)(first + i));

		g.b[14] = (uint8_t)(g.b[14] + (first + i) / 256);
		wr_u32(&w, (uint32_t)type << 24);
		wr_bytes(&w, g.b + (t->is_v4 ? 12 : 0), t->is_v4 ? 4 : 16);
	}
	assert_true(wr_ok(&w));
	say_msg(t, f, number(t, f), t->is_v4 ? &v4 : &v6, m,
		(uint32_t)wr_len(&w) + 8);
}

static void query(struct box *t, struct fake_port *f)
{
	const addr src = source_of(t, number(t, f));
	uint8_t b[MLD_QUERY_FRAME];
	struct wr w = wr_init(b, sizeof(b));

	if (t->is_v4)
		igmp_emit_query(&w, fake_mac(number(t, f)), &src, 1000, 125);
	else
		mld_emit_query(&w, fake_mac(number(t, f)), &src, 1000, 125);
	fake_rx(f, b, (uint32_t)wr_len(&w), NULL);
}

/* All have been asked and had time to answer. */
static void ask(struct box *t)
{
	query(t, t->p[ASKS]);
	fake_lan_advance(&t->b, 3 * SECOND);
}

static void init(struct box *t, bool is_v4)
{
	*t = (struct box){.is_v4 = is_v4};
	fake_lan_init(&t->b, false);
	for (unsigned i = 0; i < PORTS; i++)
		t->p[i] = fake_new(t->b.lan,
				   &(struct fake_config){.name = "p"});
}

/* Runs the rest of a test for IPv4 and for IPv6. */
#define EACH_FAMILY(t)                                                         \
	for (int v = 0; v < 2 && (init(t, v == 0), true);                      \
	     fake_lan_deinit(&(t)->b), v++)

static void test_nobody_asks(void **state)
{
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		join(&t, t.p[0], 1);
		assert_int_equal(t.p[1]->n_out, 1); /* reports, too */
		assert_int_equal(who_gets(&t, t.p[1], 1), 13);
		assert_int_equal(who_gets(&t, t.p[1], 2), 13);
	}
}

static void test_members_and_routers(void **state)
{
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		query(&t, t.p[ASKS]);
		assert_int_equal(who_gets(&t, t.p[1], 1), 13); /* no answers */
		fake_lan_advance(&t.b, 3 * SECOND);
		assert_int_equal(who_gets(&t, t.p[1], 1), 8);
		join(&t, t.p[0], 1);
		assert_int_equal(who_gets(&t, t.p[1], 1), 9);
		assert_int_equal(who_gets(&t, t.p[0], 1), 8);
		assert_int_equal(who_gets(&t, t.p[1], 2), 8);
		assert_int_equal(who_gets(&t, t.p[ASKS], 1), 1);
		assert_int_equal(who_gets(&t, t.p[ASKS], 2), 0);
		assert_int_equal(t.b.drops.n[DROP_NO_LISTENER], 1);
		leave(&t, t.p[0], 1);
		assert_int_equal(who_gets(&t, t.p[1], 1), 8);
	}
}

/* A report is for routers only, a query for all. */
static void test_reports_and_queries(void **state)
{
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		ask(&t);
		for (unsigned i = 0; i < PORTS; i++)
			fake_clear(t.p[i]);
		join(&t, t.p[0], 1);
		say_records(&t, t.p[0], 4, 1, 1);
		leave(&t, t.p[0], 1);
		assert_int_equal(t.p[1]->n_out, 0);
		assert_int_equal(t.p[2]->n_out, 0);
		assert_int_equal(t.p[ASKS]->n_out, 3);
		query(&t, t.p[ASKS]);
		assert_int_equal(t.p[0]->n_out, 1);
		assert_int_equal(t.p[2]->n_out, 1);
	}
}

static void test_version_3(void **state)
{
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		ask(&t);
		say_records(&t, t.p[0], 4, 1, 30); /* longer than the header */
		assert_int_equal(who_gets(&t, t.p[1], 1), 9);
		assert_int_equal(who_gets(&t, t.p[1], 30), 9);
		assert_int_equal(who_gets(&t, t.p[1], 31), 8);
		say_records(&t, t.p[0], 3, 30, 1);
		assert_int_equal(who_gets(&t, t.p[1], 30), 8);
		assert_int_equal(who_gets(&t, t.p[1], 29), 9);
	}
}

/* These go to all, whoever asks. */
static void test_what_is_never_kept_back(void **state)
{
	static const char *const group[] = {
		"224.0.0.1", "224.0.0.251", "224.0.0.255", "ff01::1",
		"ff02::1",   "ff02::fb",    "ff02::1:ff00:1", "ff12::9",
	};
	uint8_t b[64];
	struct box t;
	addr a;

	(void)state;
	EACH_FAMILY(&t) {
		ask(&t);
		for (unsigned i = 0; i < 8; i++) {
			assert_true(addr_parse(group[i], &a));
			if (addr_is_v4(&a) != t.is_v4)
				continue;
			assert_int_equal(who_gets_addr(&t, t.p[1], &a), 13);
		}
		/* a group of another kind than its MAC says, and not IP */
		a = group_of(&t, 1);
		wrap(&t, b, sizeof(b), 2, &a, IPPROTO_UDP, b, 8);
		b[5] ^= 1;
		fake_clear(t.p[0]);
		fake_rx(t.p[1], b, sizeof(b), NULL);
		assert_int_equal(t.p[0]->n_out, 1);
		b[5] ^= 1;
		b[12] = 0x81; /* a VLAN tag */
		b[13] = 0;
		fake_rx(t.p[1], b, sizeof(b), NULL);
		assert_int_equal(t.p[0]->n_out, 2);
	}
}

static void test_ageing(void **state)
{
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		ask(&t);
		join(&t, t.p[0], 1);
		fake_lan_advance(&t.b, 250 * SECOND);
		assert_int_equal(who_gets(&t, t.p[1], 1), 9);
		ask(&t); /* p[0] does not answer */
		fake_lan_advance(&t.b, 80 * SECOND);
		assert_int_equal(who_gets(&t, t.p[1], 1), 9);
		fake_lan_advance(&t.b, 10 * SECOND);
		assert_int_equal(who_gets(&t, t.p[1], 1), 8);
		/* and nobody asks any more */
		fake_lan_advance(&t.b, 200 * SECOND);
		assert_int_equal(who_gets(&t, t.p[1], 1), 13);
		/* again: what was known is worth nothing */
		query(&t, t.p[ASKS]);
		assert_int_equal(who_gets(&t, t.p[1], 1), 13);
		fake_lan_advance(&t.b, 3 * SECOND);
		assert_int_equal(who_gets(&t, t.p[1], 1), 8);
	}
}

/* Who comes anew gets all until he has been asked. */
static void test_the_link(void **state)
{
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		ask(&t);
		join(&t, t.p[0], 1);
		lan_port_link(&t.p[0]->port, false);
		assert_int_equal(who_gets(&t, t.p[1], 1), 8);
		lan_port_link(&t.p[0]->port, true);
		assert_int_equal(who_gets(&t, t.p[1], 1), 9);
		assert_int_equal(who_gets(&t, t.p[1], 2), 9);
		ask(&t);
		assert_int_equal(who_gets(&t, t.p[1], 1), 8);
	}
}

/* Two machines behind a port: only time tells that the last one left. */
static void test_two_behind_a_port(void **state)
{
	uint8_t udp[8] = {0, 9, 0, 9, 0, 8, 0, 0};
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		const addr any = group_of(&t, 9);

		ask(&t);
		join(&t, t.p[0], 1);
		say_from(&t, t.p[0], 77, &any, IPPROTO_UDP, udp, sizeof(udp));
		leave(&t, t.p[0], 1);
		assert_int_equal(who_gets(&t, t.p[1], 1), 9);
	}
}

static void test_uplinks_and_routers(void **state)
{
	const addr pim4 = addr_v4(224, 0, 0, 13);
	const addr pim6 = {{0xff, 2, [15] = 0x0d}};
	const uint8_t hello[8] = {0x20};
	struct fake_port *up;
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		up = fake_new(t.b.lan,
			      &(struct fake_config){.is_uplink = true});
		ask(&t);
		fake_clear(up);
		who_gets(&t, t.p[1], 5);
		assert_int_equal(up->n_out, 1);
		join(&t, t.p[0], 1);
		assert_int_equal(up->n_out, 2);
		say_from(&t, t.p[2], 3, t.is_v4 ? &pim4 : &pim6, PIM, hello,
			 sizeof(hello));
		assert_int_equal(who_gets(&t, t.p[1], 5), 12);
	}
}

/* No bound of a table costs anybody a frame. */
static void test_a_port_with_too_many(void **state)
{
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		ask(&t);
		for (unsigned i = 0; i < 5; i++)
			say_records(&t, t.p[0], 4, 1, 60);
		assert_int_equal(t.p[0]->port.n_listens, 60);
		assert_int_equal(who_gets(&t, t.p[1], 200), 8);
		for (unsigned i = 0; i < SNOOP_PORT_MAX; i++) {
			addr g = group_of(&t, 1);
			uint8_t m[24] = {t.is_v4 ? 0x16 : 131};

			g.b[14] = (uint8_t)(100 + i / 250);
			g.b[15] = (uint8_t)(i % 250);
			memcpy(m + (t.is_v4 ? 4 : 8),
			       g.b + (t.is_v4 ? 12 : 0), t.is_v4 ? 4 : 16);
			say_msg(&t, t.p[0], 1, &g, m, t.is_v4 ? 8 : 24);
		}
		assert_int_equal(t.p[0]->port.n_listens, SNOOP_PORT_MAX);
		assert_int_equal(who_gets(&t, t.p[1], 200), 9);
		join(&t, t.p[2], 200);
		assert_int_equal(who_gets(&t, t.p[1], 200), 13);
		fake_lan_advance(&t.b, 200 * SECOND);
		ask(&t);
		fake_lan_advance(&t.b, 150 * SECOND);
		assert_int_equal(t.p[0]->port.n_listens, 0);
		assert_int_equal(who_gets(&t, t.p[1], 200), 8);
	}
}

/* What is not sound is neither believed nor kept back. */
static void test_what_is_not_sound(void **state)
{
	const addr all4 = addr_v4(224, 0, 0, 1);
	const addr all6 = {{0xff, 2, [15] = 1}};
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		const addr *all = t.is_v4 ? &all4 : &all6;
		const addr g = group_of(&t, 1);
		/* answers within two minutes, and no router alert */
		uint8_t q[28] = {t.is_v4 ? 0x11 : 130, t.is_v4 ? 0xff : 0, 0,
				 0, t.is_v4 ? 0 : 0xff};
		uint8_t r[24] = {t.is_v4 ? 0x16 : 131};

		say_msg(&t, t.p[2], 3, all, q, t.is_v4 ? 12 : 28);
		fake_lan_advance(&t.b, 3 * SECOND);
		assert_int_equal(who_gets(&t, t.p[1], 1), 13);
		ask(&t);
		say_from(&t, t.p[0], 1, &g, t.is_v4 ? IPPROTO_IGMP
						    : IPPROTO_ICMPV6,
			 r, t.is_v4 ? 8 : 24); /* checksum */
		assert_int_equal(who_gets(&t, t.p[1], 1), 8);
	}
}

static void test_who_asks(void **state)
{
	struct fake_port *ours;
	struct box t;
	addr a;

	(void)state;
	EACH_FAMILY(&t) {
		const enum port_family f = t.is_v4 ? PORT_V4 : PORT_V6;
		addr want = source_of(&t, 3);

		assert_false(lan_querier(t.b.lan, f, &a));
		query(&t, t.p[ASKS]);
		assert_true(lan_querier(t.b.lan, f, &a));
		query(&t, t.p[2]);
		query(&t, t.p[ASKS]);
		assert_true(lan_querier(t.b.lan, f, &a));
		assert_true(addr_eq(&a, &want));
		fake_lan_advance(&t.b, 270 * SECOND);
		assert_false(lan_querier(t.b.lan, f, &a));
		ours = fake_new(t.b.lan,
				&(struct fake_config){.is_ours = true});
		query(&t, ours);
		assert_false(lan_querier(t.b.lan, f, &a));
	}
}

static unsigned n_groups;

static void count_group(void *arg, const addr *group)
{
	const addr *want = arg;

	assert_true(addr_eq(group, want));
	n_groups++;
}

static void test_the_listing(void **state)
{
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		addr g = group_of(&t, 1);

		n_groups = 0;
		join(&t, t.p[0], 1);
		join(&t, t.p[1], 1);
		lan_groups(t.b.lan, count_group, &g);
		assert_int_equal(n_groups, 1);
		leave(&t, t.p[0], 1);
		leave(&t, t.p[1], 1);
		lan_groups(t.b.lan, count_group, &g);
		assert_int_equal(n_groups, 1);
	}
}

/* More listeners than exits of one batch: everybody gets it, once. */
static void test_a_crowd(void **state)
{
	enum { CROWD = 130 };
	struct fake_port *crowd[CROWD];
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		for (unsigned i = 0; i < CROWD; i++)
			crowd[i] = fake_new(t.b.lan,
					    &(struct fake_config){0});
		ask(&t);
		for (unsigned i = 0; i < CROWD; i++) {
			uint8_t m[24] = {t.is_v4 ? 0x16 : 131};
			const addr g = group_of(&t, 1);

			memcpy(m + (t.is_v4 ? 4 : 8),
			       g.b + (t.is_v4 ? 12 : 0), t.is_v4 ? 4 : 16);
			say_msg(&t, crowd[i], (uint8_t)(100 + i), &g, m,
				t.is_v4 ? 8 : 24);
			fake_clear(crowd[i]);
			if (i == 100) {
				assert_int_equal(who_gets(&t, t.p[1], 1), 8);
				assert_int_equal(crowd[i]->n_out, 1);
				fake_clear(crowd[i]);
			}
		}
		for (unsigned i = 0; i < CROWD; i++)
			fake_clear(crowd[i]);
		assert_int_equal(who_gets(&t, t.p[1], 1), 13);
		for (unsigned i = 0; i < CROWD; i++)
			assert_int_equal(crowd[i]->n_out, 1);
	}
}

/* A sender that can wait is not asked to send again what others have. */
static void test_no_room(void **state)
{
	const uint8_t udp[8] = {0, 9, 0, 9, 0, 8, 0, 0};
	struct batch b = {.n = 1};
	uint8_t buf[64];
	struct box t;

	(void)state;
	EACH_FAMILY(&t) {
		const addr g = group_of(&t, 1);
		uint32_t len = wrap(&t, buf, sizeof(buf), 2, &g, IPPROTO_UDP,
				    udp, sizeof(udp));

		ask(&t);
		join(&t, t.p[0], 1);
		t.p[0]->room = 0;
		b.f[0] = frame_flat(buf, len);
		assert_int_equal(lan_input(&t.p[1]->port, &b, true), 0);
		assert_int_equal(t.b.drops.n[DROP_PORT_FULL], 1);
	}
}

static void test_a_hub(void **state)
{
	struct fake_port *p[3];
	const addr group = addr_v4(239, 1, 2, 3);
	struct box t = {.is_v4 = true};

	(void)state;
	fake_lan_init(&t.b, true);
	for (unsigned i = 0; i < 3; i++)
		t.p[i] = p[i] = fake_new(t.b.lan, &(struct fake_config){0});
	t.p[ASKS] = p[2];
	ask(&t);
	fake_clear(p[0]);
	say_to(&t, p[1], &group);
	assert_int_equal(p[0]->n_out, 1);
	fake_lan_deinit(&t.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_asks),
		cmocka_unit_test(test_members_and_routers),
		cmocka_unit_test(test_reports_and_queries),
		cmocka_unit_test(test_version_3),
		cmocka_unit_test(test_what_is_never_kept_back),
		cmocka_unit_test(test_ageing),
		cmocka_unit_test(test_the_link),
		cmocka_unit_test(test_two_behind_a_port),
		cmocka_unit_test(test_uplinks_and_routers),
		cmocka_unit_test(test_a_port_with_too_many),
		cmocka_unit_test(test_what_is_not_sound),
		cmocka_unit_test(test_who_asks),
		cmocka_unit_test(test_the_listing),
		cmocka_unit_test(test_a_crowd),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_a_hub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
