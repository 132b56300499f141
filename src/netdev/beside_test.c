/* SPDX-License-Identifier: BSD-3-Clause */
/* The host beside machines on its card: who is answered, who is believed, what
 * passes.  Ports in memory play the machines, the wire and the tap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/beside.h"
#include "netdev/rig.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/neighbour.h"

enum { ROOM = 256, HELD = 400, S = 1000000000 };

struct bench {
	struct rig rig;
	struct mem_port *tap, *a, *b, *wire;
	struct hostif host;
	struct beside *beside;
	unsigned n_taken; /* frames that were for the host */
	/* what was told last, and how often */
	unsigned n_told;
	addr ip;
	mac mac;
	bool is_here;
	bool is_deaf;
	bool has_b; /* b has an address */
	uint64_t now_ns; /* how far later() has got */
};

static const mac own = {{2, 0, 0, 0, 0, 0xff}};
static const mac card = {{2, 0, 0, 0, 0, 0xee}};
static const mac mac_a = {{2, 0, 0, 0, 0, 1}};
static const mac mac_b = {{2, 0, 0, 0, 0, 2}};
static const mac mac_far = {{2, 0, 0, 0, 0, 9}};

static int on_neighbour(void *arg, struct port *p, const addr *ip, mac m,
			bool is_here)
{
	struct bench *t = arg;

	assert_ptr_equal(p, &t->tap->port);
	if (t->is_deaf)
		return -EAGAIN;
	t->ip = *ip;
	t->mac = m;
	t->is_here = is_here;
	t->n_told++;
	t->has_b |= is_here && mac_eq(m, mac_b);
	return 0;
}

/* As the tap's send() does. */
static void on_tap(void *arg, const struct frame *f)
{
	struct bench *t = arg;

	t->n_taken += beside_takes(t->beside, f);
}

static addr ip_of(const char *text)
{
	addr a;

	if (!addr_parse(text, &a))
		fail();
	return a;
}

static void bench_open(struct bench *t)
{
	*t = (struct bench){.host = {.n = 2}};
	t->host.ip[0] = (struct prefix){ip_of("192.0.2.1"), 96 + 24};
	t->host.ip[1] = (struct prefix){ip_of("2001:db8::1"), 64};
	rig_init(&t->rig);
	t->rig.env.neighbour = on_neighbour;
	t->rig.env.arg = t;
	t->tap = mem_port_new(&t->rig, t->rig.lan, "tap", HELD);
	t->a = mem_port_new(&t->rig, t->rig.lan, "a", HELD);
	t->b = mem_port_new(&t->rig, t->rig.lan, "b", HELD);
	t->wire = mem_port_new(&t->rig, t->rig.lan, "wire", HELD);
	t->wire->port.caps.is_uplink = true;
	t->beside = beside_new(&t->rig.env, &t->tap->port, &t->host, own);
	assert_non_null(t->beside);
	t->tap->look = on_tap;
	t->tap->look_arg = t;
}

static void bench_close(struct bench *t)
{
	beside_free(t->beside);
	rig_remove(&t->tap->port);
	rig_remove(&t->a->port);
	rig_remove(&t->b->port);
	rig_remove(&t->wire->port);
	rig_deinit(&t->rig);
}

static void turns(struct bench *t)
{
	for (int i = 0; i < 4; i++)
		rig_turn(&t->rig, 0);
}

static void drain(struct mem_port *m)
{
	uint8_t buf[ROOM];

	while (mem_port_pop(m, buf, sizeof(buf)))
		;
}

static void push(struct bench *t, struct mem_port *m, const uint8_t *p,
		 uint32_t len)
{
	drain(t->a);
	drain(t->b);
	drain(t->wire);
	drain(t->tap);
	assert_true(mem_port_push(m, p, len));
	turns(t);
}

/* An ARP request for asked of who says that from is his. */
static void arp(struct bench *t, struct mem_port *m, mac sender,
		const char *from, const char *asked)
{
	uint8_t buf[ROOM];
	struct wr w = wr_init(buf, sizeof(buf));
	struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = sender, .type = ETH_T_ARP};
	struct arp_msg msg = {.op = ARP_REQUEST,
			      .sha = sender,
			      .spa = ip_of(from),
			      .tpa = ip_of(asked)};

	eth_emit(&w, &eth);
	arp_emit(&w, &msg);
	push(t, m, buf, (uint32_t)wr_len(&w));
}

/* An IPv4 or IPv6 packet of nothing. */
static uint32_t packet(uint8_t buf[static ROOM], mac from, mac to,
		       const char *src, const char *dst)
{
	addr s = ip_of(src), d = ip_of(dst);
	bool is_v4 = addr_is_v4(&s);
	size_t at = is_v4 ? 26 : 22, len = is_v4 ? 4 : 16;

	memset(buf, 0, ROOM);
	memcpy(buf, to.b, MAC_LEN);
	memcpy(buf + 6, from.b, MAC_LEN);
	buf[12] = is_v4 ? 0x08 : 0x86;
	buf[13] = is_v4 ? 0 : 0xdd;
	memcpy(buf + at, s.b + 16 - len, len);
	memcpy(buf + at + len, d.b + 16 - len, len);
	return 80;
}

static bool is_taken(struct bench *t, struct mem_port *m, const char *dst)
{
	mac from = m == t->a ? mac_a : mac_far;
	uint8_t buf[ROOM];
	unsigned n = t->n_taken;

	push(t, m, buf, packet(buf, from, own, "192.0.2.9", dst));
	return t->n_taken > n;
}

static bool is_given(struct bench *t, mac to, const char *src)
{
	uint8_t buf[ROOM];
	struct frame f = frame_flat(
		buf, packet(buf, own, to, src,
			    strchr(src, ':') ? "2001:db8::9" : "192.0.2.9"));

	return beside_gives(t->beside, &f);
}

/* The answer that machine m got. */
static bool answered(struct mem_port *m, struct neighbour *n)
{
	uint8_t buf[ROOM];
	uint32_t len = mem_port_pop(m, buf, sizeof(buf));

	return len && neighbour_parse(buf, len, len, n);
}

static void told(const struct bench *t, unsigned n, const char *ip, mac m,
		 bool is_here)
{
	addr want = ip_of(ip);

	assert_int_equal(t->n_told, n);
	assert_memory_equal(t->ip.b, want.b, sizeof(want.b));
	assert_true(mac_eq(t->mac, m));
	assert_true(t->is_here == is_here);
}

/* A bit more than a second later, as far as timers and the code see, until the
 * loop turns again. */
static void later(struct bench *t)
{
	uint64_t *clock = (uint64_t *)(uintptr_t)loop_now(t->rig.loop);

	if (*clock > t->now_ns)
		t->now_ns = *clock;
	t->now_ns += S + S / 10;
	*clock = t->now_ns;
	timer_wheel_run(loop_wheel(t->rig.loop), t->now_ns);
}

/* ---- tests ---- */

static void machines_are_answered_and_told(void **state)
{
	struct neighbour n;
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.1");
	told(&t, 1, "192.0.2.9", mac_a, true);
	assert_true(answered(t.a, &n) && mac_eq(n.mac, own));
	assert_true(addr_eq(&n.from, &t.host.ip[0].ip));
	/* Nobody else hears that, and once is enough. */
	drain(t.wire);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.1");
	assert_int_equal(t.n_told, 1);
	assert_true(answered(t.a, &n) && answered(t.b, &n));
	/* One that looks whether the address is free hears that it is not. */
	arp(&t, t.b, mac_b, "0.0.0.0", "192.0.2.1");
	drain(t.a);
	assert_true(answered(t.b, &n) && mac_eq(n.mac, own));
	assert_int_equal(t.n_told, 1);
	bench_close(&t);
}

static void the_wire_is_not_answered(void **state)
{
	struct neighbour n;
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.wire, mac_far, "192.0.2.9", "192.0.2.1");
	assert_false(answered(t.wire, &n));
	assert_int_equal(t.n_told, 0);
	bench_close(&t);
}

static void not_every_claim_is_believed(void **state)
{
	static const char *const no[] = {
		"192.0.2.1",   "192.0.2.0", "192.0.2.255", "198.51.100.7",
		"0.0.0.0",     "127.0.0.1", "224.0.0.1",   "255.255.255.255",
	};
	struct bench t;

	(void)state;
	bench_open(&t);
	for (size_t i = 0; i < array_len(no); i++)
		arp(&t, t.a, mac_a, no[i], "192.0.2.77");
	assert_int_equal(t.n_told, 0);
	bench_close(&t);
}

static void who_is_on_the_wire_comes_first(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	told(&t, 1, "192.0.2.9", mac_a, true);
	arp(&t, t.wire, mac_far, "192.0.2.9", "192.0.2.78");
	told(&t, 2, "192.0.2.9", mac_a, false);
	/* Now the machine may say what it likes .. */
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	assert_int_equal(t.n_told, 2);
	/* .. for a while. */
	for (uint64_t s = 1; s <= BESIDE_BLOCK_NS / S + 2; s++)
		later(&t);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	told(&t, 3, "192.0.2.9", mac_a, true);
	bench_close(&t);
}

static void who_has_it_keeps_it_while_he_answers(void **state)
{
	struct neighbour n;
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	arp(&t, t.b, mac_b, "192.0.2.9", "192.0.2.77");
	assert_int_equal(t.n_told, 1);
	/* a is asked, by the host's address on that network */
	assert_true(answered(t.a, &n) && mac_eq(n.mac, own));
	assert_true(answered(t.a, &n) && mac_eq(n.mac, mac_b)); /* to all */
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	arp(&t, t.b, mac_b, "192.0.2.9", "192.0.2.77");
	/* and is gone when it answers no more */
	for (int i = 0; i < BESIDE_ASKS + 2; i++)
		later(&t);
	turns(&t);
	told(&t, 2, "192.0.2.9", mac_a, false);
	arp(&t, t.b, mac_b, "192.0.2.9", "192.0.2.77");
	told(&t, 3, "192.0.2.9", mac_b, true);
	bench_close(&t);
}

static void the_silent_are_asked(void **state)
{
	struct neighbour n;
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	drain(t.a);
	for (uint64_t s = 0; s <= BESIDE_ASK_NS / S; s++)
		later(&t);
	assert_true(answered(t.a, &n) && mac_eq(n.mac, own));
	assert_true(addr_eq(&n.from, &t.host.ip[0].ip));
	assert_int_equal(t.n_told, 1);
	bench_close(&t);
}

static void who_left_is_gone(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	lan_port_link(&t.a->port, false);
	later(&t);
	turns(&t);
	told(&t, 2, "192.0.2.9", mac_a, false);
	bench_close(&t);
}

static void the_host_moves(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	t.host.ip[0].ip = ip_of("198.51.100.1");
	beside_changed(t.beside);
	turns(&t);
	told(&t, 2, "192.0.2.9", mac_a, false);
	arp(&t, t.a, mac_a, "198.51.100.9", "198.51.100.1");
	told(&t, 3, "198.51.100.9", mac_a, true);
	bench_close(&t);
}

static void what_was_not_told_is_told_later(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.is_deaf = true;
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.77");
	assert_int_equal(t.n_told, 0);
	t.is_deaf = false;
	later(&t);
	turns(&t);
	told(&t, 1, "192.0.2.9", mac_a, true);
	bench_close(&t);
}

static void nobody_has_all_places(void **state)
{
	char text[ADDR_STRLEN];
	struct bench t;
	uint64_t began;

	(void)state;
	bench_open(&t);
	began = *loop_now(t.rig.loop);
	for (unsigned i = 2; i < BESIDE_MAX + 40; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", i);
		arp(&t, t.a, mac_a, text, "192.0.2.1");
	}
	/* .. nor keeps the keeper busy. */
	assert_true(t.n_told <=
		    BESIDE_TELLS *
			    (1 + (*loop_now(t.rig.loop) - began) / S));
	arp(&t, t.b, mac_b, "192.0.2.250", "192.0.2.1");
	for (int i = 0; i < 8; i++) {
		later(&t);
		turns(&t);
		arp(&t, t.b, mac_b, "192.0.2.250", "192.0.2.1");
	}
	assert_true(t.has_b);
	bench_close(&t);
}

static void what_passes(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.a, mac_a, "192.0.2.9", "192.0.2.1");
	arp(&t, t.wire, mac_far, "192.0.2.8", "192.0.2.77");
	assert_int_equal(t.n_told, 1);
	assert_true(is_taken(&t, t.a, "192.0.2.1"));
	assert_int_equal(t.n_told, 1);
	assert_false(is_taken(&t, t.a, "203.0.113.1"));
	assert_false(is_taken(&t, t.a, "192.0.2.255"));
	assert_int_equal(t.rig.drops.n[DROP_NOT_THE_HOST], 2);
	assert_false(is_taken(&t, t.wire, "192.0.2.1"));
	assert_true(is_given(&t, mac_a, "192.0.2.1"));
	assert_true(is_given(&t, mac_a, "2001:db8::1"));
	assert_false(is_given(&t, mac_a, "203.0.113.1"));
	assert_false(is_given(&t, mac_a, "fe80::1"));
	/* nothing of it gets on the wire */
	assert_false(is_given(&t, mac_far, "192.0.2.1"));
	assert_false(is_given(&t, mac_b, "192.0.2.1"));
	assert_false(is_given(&t, MAC_BROADCAST, "192.0.2.1"));
	bench_close(&t);
}

static bool is_taken_from(struct bench *t, mac from, const char *src,
			  const char *dst)
{
	uint8_t buf[ROOM];
	unsigned n = t->n_taken;

	push(t, mac_eq(from, mac_a) ? t->a : t->b, buf,
	     packet(buf, from, own, src, dst));
	return t->n_taken > n;
}

/* Who speaks to the host by an address that is not his is not heard: neither
 * for another machine, nor for somebody elsewhere, nor, by IPv6's link-local
 * addresses, as a router. */
static void nobody_speaks_for_others(void **state)
{
	static const char *const lies[] = {
		"192.0.2.8",   "192.0.2.1", "192.0.2.255", "198.51.100.7",
		"127.0.0.1", "0.0.0.0",   "224.0.0.1",
	};
	static const char *const lies6[] = {"fe80::9", "::", "2001:db8:1::9",
					    "2001:db8::1", "ff02::1"};
	struct bench t;

	(void)state;
	bench_open(&t);
	arp(&t, t.b, mac_b, "192.0.2.8", "192.0.2.1");
	for (size_t i = 0; i < array_len(lies); i++)
		assert_false(is_taken_from(&t, mac_a, lies[i], "192.0.2.1"));
	for (size_t i = 0; i < array_len(lies6); i++)
		assert_false(is_taken_from(&t, mac_a, lies6[i], "2001:db8::1"));
	assert_true(is_taken_from(&t, mac_b, "192.0.2.8", "192.0.2.1"));
	assert_true(is_taken_from(&t, mac_a, "192.0.2.9", "192.0.2.1"));
	assert_true(is_taken_from(&t, mac_a, "2001:db8::9", "2001:db8::1"));
	/* Somebody on the wire has it. */
	arp(&t, t.wire, mac_far, "192.0.2.9", "192.0.2.78");
	assert_false(is_taken_from(&t, mac_a, "192.0.2.9", "192.0.2.1"));
	bench_close(&t);
}

/* A question for target of who has from. */
static void solicit(struct bench *t, mac sender, const char *from,
		    const char *target)
{
	uint8_t buf[ROOM];
	struct wr w = wr_init(buf, sizeof(buf));
	addr a = ip_of(from), b = ip_of(target);

	neighbour_ask(&w, sender, &a, MAC_BROADCAST, &b);
	assert_true(wr_ok(&w));
	push(t, t->a, buf, (uint32_t)wr_len(&w));
}

static void ip6_likewise(void **state)
{
	struct neighbour n;
	struct bench t;

	(void)state;
	bench_open(&t);
	solicit(&t, mac_a, "2001:db8::9", "2001:db8::1");
	told(&t, 1, "2001:db8::9", mac_a, true);
	assert_true(answered(t.a, &n) && mac_eq(n.mac, own));
	assert_true(addr_eq(&n.from, &t.host.ip[1].ip));
	/* One without an address: for whether it is free, and to be told. */
	solicit(&t, mac_a, "::", "2001:db8::1");
	assert_true(answered(t.a, &n) && mac_eq(n.mac, own));
	assert_int_equal(t.n_told, 1);
	solicit(&t, mac_a, "::", "2001:db8::a");
	told(&t, 2, "2001:db8::a", mac_a, true);
	assert_false(answered(t.a, &n));
	/* no router passes those on, so neither are they believed */
	solicit(&t, mac_a, "fe80::9", "2001:db8::2");
	solicit(&t, mac_a, "2001:db8:1::9", "2001:db8::2");
	assert_int_equal(t.n_told, 2);
	bench_close(&t);
}

/* To an engine that is new a machine need not introduce itself. */
static void packets_tell_as_well(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	assert_true(is_taken(&t, t.a, "192.0.2.1"));
	told(&t, 1, "192.0.2.9", mac_a, true);
	assert_true(is_taken(&t, t.a, "192.0.2.1"));
	assert_int_equal(t.n_told, 1);
	bench_close(&t);
}

static void only_what_is_whole(void **state)
{
	uint8_t buf[ROOM];
	struct wr w = wr_init(buf, sizeof(buf));
	addr a = ip_of("2001:db8::9"), b = ip_of("2001:db8::1");
	struct neighbour n;
	size_t len;

	(void)state;
	neighbour_ask(&w, mac_a, &a, own, &b);
	assert_int_equal(wr_len(&w), NEIGHBOUR_LEN);
	for (len = 0; len < NEIGHBOUR_LEN; len++)
		assert_false(neighbour_parse(buf, len, len, &n));
	assert_true(neighbour_parse(buf, len, len, &n));
	buf[21] = 64; /* came by a router */
	assert_false(neighbour_parse(buf, len, len, &n));
	w = wr_init(buf, sizeof(buf));
	a = ip_of("192.0.2.9");
	b = ip_of("192.0.2.1");
	neighbour_ask(&w, mac_a, &a, own, &b);
	len = wr_len(&w);
	assert_true(neighbour_parse(buf, len, len, &n));
	assert_true(mac_eq(n.mac, mac_a));
	memcpy(buf + 6, card.b, MAC_LEN); /* speaks for another */
	assert_false(neighbour_parse(buf, len, len, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machines_are_answered_and_told),
		cmocka_unit_test(the_wire_is_not_answered),
		cmocka_unit_test(not_every_claim_is_believed),
		cmocka_unit_test(who_is_on_the_wire_comes_first),
		cmocka_unit_test(who_has_it_keeps_it_while_he_answers),
		cmocka_unit_test(the_silent_are_asked),
		cmocka_unit_test(who_left_is_gone),
		cmocka_unit_test(the_host_moves),
		cmocka_unit_test(what_was_not_told_is_told_later),
		cmocka_unit_test(nobody_has_all_places),
		cmocka_unit_test(what_passes),
		cmocka_unit_test(nobody_speaks_for_others),
		cmocka_unit_test(ip6_likewise),
		cmocka_unit_test(packets_tell_as_well),
		cmocka_unit_test(only_what_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
