/* SPDX-License-Identifier: BSD-3-Clause */
/* The zone: who has a name, of those who are given one, tell one, claim one;
 * and what is answered to each kind of question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "service/fake_room.h"
#include "service/zone.h"

#define SECOND UINT64_C(1000000000)

enum { MACHINES = 4 };

struct bench {
	struct fake_room room;
	struct lease_table v4, v6;
	struct zone_machine m[MACHINES];
	unsigned n;
	unsigned n_walked; /* machines that were looked at */
	addr ip[MACHINES][4];
	struct zone zone;
	uint8_t got[2048];
	size_t len;
	struct dns_question q; /* of what was got */
	struct rd r;	       /* behind it */
};

static bool next(void *arg, struct zone_walk *w, struct zone_machine *m)
{
	struct bench *b = arg;
	uintptr_t i = (uintptr_t)w->port;

	b->n_walked++;
	if (i >= b->n)
		return false;
	*m = b->m[i];
	m->key = &b->m[i];
	w->port = (void *)(i + 1);
	return true;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct lease_pool pool = {.first = addr_v4(10, 0, 2, 15)};
	struct zone_source src = {
		.next = next,
		.arg = b,
		.leases = &b->v4,
		.host4 = addr_v4(10, 0, 2, 2),
		.host6 = fake_addr6(2),
	};

	fake_room_init(&b->room);
	assert_int_equal(
		lease_table_init(&b->v4, &b->room.env.v4.net, &pool), 0);
	assert_int_equal(lease_table_twin(&b->v6, &b->v4,
					  &b->room.env.v4.net,
					  &b->room.env.v6.net),
			 0);
	assert_true(zone_init(&b->zone, &b->room.env, &src, "vm.lan"));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	lease_table_deinit(&b->v6);
	lease_table_deinit(&b->v4);
	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

/* A machine that is here, by a port of its own. */
static struct zone_machine *come(struct bench *b, const char *name, uint8_t n)
{
	struct zone_machine *m = &b->m[b->n];

	*m = (struct zone_machine){
		.name = name,
		.mac = fake_mac(n),
		.serial = n,
		.is_one = true,
		.ip = b->ip[b->n],
	};
	b->n++;
	return m;
}

static void say(struct bench *b, struct zone_machine *m, addr ip)
{
	b->ip[m - b->m][m->n_ip++] = ip;
}

static void lease(struct bench *b, uint8_t n, uint32_t port, const char *name,
		  bool is_v6, addr want)
{
	struct lease_table *t = is_v6 ? &b->v6 : &b->v4;
	const uint64_t now = b->room.lan.now_ns, end = now + 3600 * SECOND;
	struct lease_client c = {.id = {n}, .id_len = 1, .mac = fake_mac(n),
				 .sender = fake_mac(n), .port = port};
	char text[LEASE_NAME_LEN] = "";
	struct lease *l = lease_offer(t, &c, &want, end);

	assert_non_null(l);
	assert_true(addr_eq(&l->ip, &want));
	strcpy(text, name);
	lease_bind(t, l, end);
	lease_name(l, text, now);
}

static addr v4(uint8_t n)
{
	return addr_v4(10, 0, 2, n);
}

/* Asks; false: it is not about the zone. */
static bool ask_with(struct bench *b, const char *name, uint16_t type,
		     uint16_t flags, uint16_t class)
{
	struct dns_hdr h = {.id = 7, .flags = flags, .n_question = 1};
	uint8_t buf[512];
	struct wr w = wr_init(buf, sizeof(buf));
	struct wr out = wr_init(b->got, sizeof(b->got));
	struct rd msg;

	dns_hdr_emit(&w, &h);
	assert_true(dns_name_emit(&w, name));
	wr_u16(&w, type);
	wr_u16(&w, class);
	msg = rd_init(buf, wr_len(&w));
	if (!zone_answer(&b->zone, &msg, &out)) {
		assert_int_equal(wr_len(&out), 0);
		return false;
	}
	b->len = wr_len(&out);
	b->r = rd_init(b->got, b->len);
	assert_true(dns_question_parse(&b->r, &b->q));
	assert_true(b->q.hdr.flags & DNS_F_QR);
	assert_int_equal(b->q.hdr.id, 7);
	assert_string_equal(b->q.name, name);
	rd_skip(&b->r, b->q.end);
	return true;
}

static bool ask(struct bench *b, const char *name, uint16_t type)
{
	return ask_with(b, name, type, DNS_F_RD, DNS_C_IN);
}

static struct dns_record record(struct bench *b, uint16_t type)
{
	const struct rd msg = rd_init(b->got, b->len);
	struct dns_record rec;

	assert_true(dns_record_parse(&msg, &b->r, &rec));
	assert_int_equal(rec.type, type);
	assert_int_equal(rec.class, DNS_C_IN);
	return rec;
}

/* The answer is these addresses, in this order, as text; "" none of a name
 * that is there. */
static void expect(struct bench *b, const char *name, const char *wanted)
{
	bool is_v6 = strchr(wanted, ':') != NULL;
	char list[256] = "", text[ADDR_STRLEN];

	assert_true(ask(b, name, is_v6 ? DNS_T_AAAA : DNS_T_A));
	assert_int_equal(b->q.hdr.flags & DNS_F_RCODE, DNS_NOERROR);
	for (unsigned i = 0; i < b->q.hdr.n_answer; i++) {
		struct dns_record rec = record(b, is_v6 ? DNS_T_AAAA : DNS_T_A);
		addr a;

		assert_int_equal(rec.ttl, ZONE_TTL);
		assert_int_equal(rd_left(&rec.data), is_v6 ? 16 : 4);
		if (is_v6)
			memcpy(a.b, rec.data.p, 16);
		else
			a = addr_v4_bytes(rec.data.p);
		if (i)
			strcat(list, " ");
		strcat(list, addr_format(&a, text));
	}
	assert_string_equal(list, wanted);
	assert_int_equal(b->q.hdr.n_authority, !*wanted);
	if (!*wanted)
		assert_int_equal(record(b, DNS_T_SOA).ttl, ZONE_NEGATIVE_TTL);
	assert_int_equal(rd_left(&b->r), 0);
}

/* There is no such name in the zone, which has this name. */
static void expect_none(struct bench *b, const char *name, uint16_t type,
			const char *zone)
{
	const struct rd msg = rd_init(b->got, sizeof(b->got));
	char owner[DNS_NAME_TEXT];
	struct dns_record rec;

	assert_true(ask(b, name, type));
	assert_int_equal(b->q.hdr.flags & DNS_F_RCODE, DNS_NXDOMAIN);
	assert_int_equal(b->q.hdr.n_answer, 0);
	assert_int_equal(b->q.hdr.n_authority, 1);
	rec = record(b, DNS_T_SOA);
	assert_true(dns_name_parse(&msg, &rec.owner, owner));
	assert_string_equal(owner, zone);
	assert_int_equal(rd_left(&b->r), 0);
}

static void expect_name(struct bench *b, const char *name, const char *wanted)
{
	const struct rd msg = rd_init(b->got, sizeof(b->got));
	char text[DNS_NAME_TEXT];
	struct dns_record rec;

	assert_true(ask(b, name, DNS_T_PTR));
	assert_int_equal(b->q.hdr.n_answer, 1);
	rec = record(b, DNS_T_PTR);
	assert_true(dns_name_parse(&msg, &rec.data, text));
	assert_int_equal(rd_left(&rec.data), 0);
	assert_string_equal(text, wanted);
}

#define Z4   "0.0.0.0."
#define NET6 Z4 Z4 Z4 "0.c.e.f.ip6.arpa"
/* Of fec0::, behind the last four digits. */
#define REST6 Z4 Z4 Z4 NET6

static void test_own_names(void **state)
{
	struct bench *b = *state;

	expect(b, "gateway.vm.lan", "10.0.2.2");
	expect(b, "gateway.vm.lan", "fec0::2");
	expect(b, "dns.vm.lan", "10.0.2.3");
	expect(b, "host.vm.lan", "10.0.2.2");
	expect(b, "host", "fec0::2");
	expect_name(b, "2.2.0.10.in-addr.arpa", "gateway.vm.lan");
	expect_name(b, "3.2.0.10.in-addr.arpa", "dns.vm.lan");
	/* nobody else is called so */
	say(b, come(b, "gateway", 1), v4(50));
	lease(b, 2, 2, "dns", false, v4(15));
	come(b, NULL, 2);
	expect(b, "gateway.vm.lan", "10.0.2.2");
	expect(b, "dns.vm.lan", "10.0.2.3");
	expect_none(b, "50.2.0.10.in-addr.arpa", DNS_T_PTR,
		    "2.0.10.in-addr.arpa");
	/* of a family that is off there is nothing */
	b->room.env.v6.is_on = false;
	assert_true(ask(b, "gateway.vm.lan", DNS_T_AAAA));
	assert_int_equal(b->q.hdr.n_answer, 0);
	assert_false(ask(b, "3.0.0.0." REST6, DNS_T_PTR));
}

static void test_given_names(void **state)
{
	struct bench *b = *state;
	struct zone_machine *m = come(b, "Web_1.x", 1);

	/* known, and nowhere yet */
	expect(b, "web-1-x.vm.lan", "");
	expect(b, "WEB-1-X.VM.LAN", "");
	expect_none(b, "web.vm.lan", DNS_T_A, "vm.lan");
	say(b, m, v4(77));
	say(b, m, fake_addr6(0x77));
	say(b, m, (addr){{0xfe, 0x80, [15] = 1}});
	say(b, m, addr_v4(192, 0, 2, 1)); /* of no network that is ours */
	expect(b, "web-1-x.vm.lan", "10.0.2.77");
	expect(b, "web-1-x.vm.lan", "fec0::77");
	expect(b, "web-1-x", "10.0.2.77");
	expect_name(b, "77.2.0.10.in-addr.arpa", "web-1-x.vm.lan");
	expect_name(b, "7.7.0.0." REST6, "web-1-x.vm.lan");
	/* it leases one: that stays longer */
	lease(b, 1, 1, "debian", false, v4(15));
	expect(b, "web-1-x.vm.lan", "10.0.2.15 10.0.2.77");
	expect_name(b, "15.2.0.10.in-addr.arpa", "web-1-x.vm.lan");
	/* and has one name */
	expect_none(b, "debian.vm.lan", DNS_T_A, "vm.lan");
	/* it goes */
	b->n = 0;
	expect_none(b, "web-1-x.vm.lan", DNS_T_A, "vm.lan");
	expect_none(b, "15.2.0.10.in-addr.arpa", DNS_T_PTR,
		    "2.0.10.in-addr.arpa");
	assert_false(ask(b, "web-1-x", DNS_T_A));
}

/* Who claims what is ours or another's has it nonetheless not. */
static void test_claims(void **state)
{
	struct bench *b = *state;
	struct zone_machine *bad = come(b, "bad", 1);

	come(b, NULL, 2);
	lease(b, 2, 2, "web.lab.example", false, v4(15));
	say(b, bad, v4(2));
	say(b, bad, v4(3));
	say(b, bad, v4(255));
	say(b, bad, v4(15));
	expect(b, "bad.vm.lan", "");
	expect(b, "web.vm.lan", "10.0.2.15");
	expect_name(b, "15.2.0.10.in-addr.arpa", "web.vm.lan");
	/* once that is gone it may */
	b->m[1].serial = 9;
	b->m[1].mac = fake_mac(9);
	expect(b, "bad.vm.lan", "10.0.2.15");
}

/* The first keeps it, whatever the addresses are. */
static void test_two_want_one_name(void **state)
{
	struct bench *b = *state;

	come(b, NULL, 1);
	come(b, NULL, 2);
	lease(b, 1, 1, "web", false, v4(20));
	b->room.lan.now_ns += SECOND;
	lease(b, 2, 2, "WEB", false, v4(15));
	lease(b, 2, 2, "web", true, fake_addr6(15));
	expect(b, "web.vm.lan", "10.0.2.20");
	assert_true(ask(b, "web.vm.lan", DNS_T_AAAA));
	assert_int_equal(b->q.hdr.n_answer, 0);
	expect_none(b, "15.2.0.10.in-addr.arpa", DNS_T_PTR,
		    "2.0.10.in-addr.arpa");
	/* who was given it comes before both */
	say(b, come(b, "web", 3), v4(30));
	expect(b, "web.vm.lan", "10.0.2.30");
	b->n--;
	/* and when the first is gone it is the other's */
	b->m[0] = b->m[1];
	b->n = 1;
	expect(b, "web.vm.lan", "10.0.2.15");
	expect(b, "web.vm.lan", "fec0::f");
	expect_name(b, "15.2.0.10.in-addr.arpa", "web.vm.lan");
	/* until its lease ends */
	b->room.lan.now_ns += 3600 * SECOND;
	expect_none(b, "web.vm.lan", DNS_T_A, "vm.lan");
}

/* Told by DHCP, with addresses that it chose itself. */
static void test_addresses_it_chose(void **state)
{
	struct bench *b = *state;
	struct zone_machine *m = come(b, NULL, 1);

	lease(b, 1, 1, "web", false, v4(15));
	say(b, m, fake_addr6(0x99));
	expect(b, "web.vm.lan", "fec0::99");
	expect_name(b, "9.9.0.0." REST6, "web.vm.lan");
	/* many behind one port: whose it is nobody knows */
	m->is_one = false;
	assert_true(ask(b, "web.vm.lan", DNS_T_AAAA));
	assert_int_equal(b->q.hdr.n_answer, 0);
	expect(b, "web.vm.lan", "10.0.2.15");
}

static void test_behind_an_uplink(void **state)
{
	struct bench *b = *state;
	struct zone_machine *m;

	lease(b, 1, 0, "far", false, v4(15));
	expect_none(b, "far.vm.lan", DNS_T_A, "vm.lan");
	m = come(b, NULL, 9);
	m->is_uplink = true;
	say(b, m, v4(40));
	expect(b, "far.vm.lan", "10.0.2.15");
	expect_name(b, "15.2.0.10.in-addr.arpa", "far.vm.lan");
	expect_none(b, "40.2.0.10.in-addr.arpa", DNS_T_PTR,
		    "2.0.10.in-addr.arpa");
}

/* What an engine before this one has heard. */
static void test_heard_before(void **state)
{
	struct bench *b = *state;
	struct zone_machine *m = come(b, "web", 1);
	const addr before[] = {v4(60), fake_addr6(0x60)};

	m->before = before;
	m->n_before = 2;
	say(b, m, v4(61));
	expect(b, "web.vm.lan", "10.0.2.61 10.0.2.60");
	expect(b, "web.vm.lan", "fec0::60");
	expect_name(b, "60.2.0.10.in-addr.arpa", "web.vm.lan");
}

static void test_kinds_of_questions(void **state)
{
	struct bench *b = *state;

	say(b, come(b, "web", 1), v4(50));
	assert_true(ask(b, "vm.lan", DNS_T_SOA));
	assert_int_equal(b->q.hdr.n_answer, 1);
	assert_int_equal(record(b, DNS_T_SOA).ttl, ZONE_NEGATIVE_TTL);
	assert_true(b->q.hdr.flags & DNS_F_AA);
	assert_true(ask(b, "vm.lan", DNS_T_NS));
	assert_int_equal(b->q.hdr.n_answer, 1);
	(void)record(b, DNS_T_NS);
	/* there, with nothing of that type */
	static const uint16_t types[] = {15, 16, 255, 65, 252};

	for (size_t i = 0; i < array_len(types); i++) {
		assert_true(ask(b, "web.vm.lan", types[i]));
		assert_int_equal(b->q.hdr.flags & DNS_F_RCODE, 0);
		assert_int_equal(b->q.hdr.n_answer, 0);
		assert_int_equal(b->q.hdr.n_authority, 1);
		assert_true(ask(b, "50.2.0.10.in-addr.arpa", types[i]));
		assert_int_equal(b->q.hdr.n_answer, 0);
		assert_int_equal(b->q.hdr.n_authority, 1);
	}
	expect_none(b, "a.web.vm.lan", DNS_T_A, "vm.lan");
	expect_none(b, "we_b.vm.lan", DNS_T_A, "vm.lan");
	assert_true(ask_with(b, "web.vm.lan", DNS_T_A, 5 << 11, DNS_C_IN));
	assert_int_equal(b->q.hdr.flags & DNS_F_RCODE, DNS_NOTIMP);
	assert_true(ask_with(b, "web.vm.lan", DNS_T_A, 0, 3));
	assert_int_equal(b->q.hdr.flags & DNS_F_RCODE, DNS_REFUSED);
	/* others' names */
	assert_false(ask(b, "lan", DNS_T_A));
	assert_false(ask(b, "xvm.lan", DNS_T_A));
	assert_false(ask(b, "vm.lan.example", DNS_T_A));
	assert_false(ask(b, "web.example", DNS_T_A));
	assert_false(ask(b, "nobody", DNS_T_A));
}

static void test_reverse_names(void **state)
{
	struct bench *b = *state;

	expect_none(b, "99.2.0.10.in-addr.arpa", DNS_T_PTR,
		    "2.0.10.in-addr.arpa");
	expect_none(b, "02.2.0.10.in-addr.arpa", DNS_T_PTR,
		    "2.0.10.in-addr.arpa");
	expect_none(b, "256.2.0.10.in-addr.arpa", DNS_T_PTR,
		    "2.0.10.in-addr.arpa");
	expect_none(b, "x.2.2.0.10.in-addr.arpa", DNS_T_PTR,
		    "2.0.10.in-addr.arpa");
	expect_none(b, "7.7.0.0." REST6, DNS_T_PTR,
		    NET6);
	assert_true(ask(b, "2.0.10.in-addr.arpa", DNS_T_SOA));
	assert_int_equal(b->q.hdr.n_answer, 1);
	assert_false(ask(b, "0.10.in-addr.arpa", DNS_T_SOA));
	assert_false(ask(b, "1.3.0.10.in-addr.arpa", DNS_T_PTR));
	assert_false(ask(b, "in-addr.arpa", DNS_T_SOA));
	/* a network that ends within a label is several zones */
	b->room.env.v4.net.len = 96 + 22;
	b->room.env.v4.net.ip = addr_v4(10, 0, 0, 0);
	expect_none(b, "9.3.0.10.in-addr.arpa", DNS_T_PTR,
		    "3.0.10.in-addr.arpa");
	assert_false(ask(b, "9.4.0.10.in-addr.arpa", DNS_T_PTR));
	b->room.env.v4.net.len = 96 + 26;
	expect_none(b, "9.0.0.10.in-addr.arpa", DNS_T_PTR,
		    "9.0.0.10.in-addr.arpa");
	assert_false(ask(b, "99.0.0.10.in-addr.arpa", DNS_T_PTR));
}

static void test_edns(void **state)
{
	static const uint8_t msg[] = "\0\7\1\0\0\1\0\0\0\0\0\1\3dns\2vm\3lan\0"
				     "\0\1\0\1\0\0\x29\x10\0\0\0\x80\0\0\0";
	struct bench *b = *state;
	struct rd r = rd_init(msg, sizeof(msg) - 1);
	struct wr w = wr_init(b->got, sizeof(b->got));
	struct dns_record opt;

	assert_true(zone_answer(&b->zone, &r, &w));
	r = rd_init(b->got, wr_len(&w));
	assert_true(dns_opt_find(&r, &opt));
	assert_int_equal(opt.ttl, DNS_EDNS_DO);
	assert_int_equal(opt.class, 1232);
	/* no room */
	r = rd_init(msg, sizeof(msg) - 1);
	w = wr_init(b->got, 40);
	assert_false(zone_answer(&b->zone, &r, &w));
	assert_int_equal(wr_len(&w), 0);
}

/* What machines look for to trust it is found by a given name alone. */
static void test_names_of_trust(void **state)
{
	struct bench *b = *state;
	char label[ZONE_LABEL_LEN];
	const addr ip = v4(20);

	come(b, NULL, 1);
	lease(b, 1, 1, "WPAD", false, ip);
	expect_none(b, "wpad.vm.lan", DNS_T_A, "vm.lan");
	assert_false(ask(b, "wpad", DNS_T_A));
	assert_false(zone_find_name(&b->zone, &ip, label));
	b->m[0].name = "wpad";
	expect(b, "wpad.vm.lan", "10.0.2.20");
}

/* One machine that has very many leases, all of one name and each told before
 * the one that is looked at before it, makes no long search. */
static void test_many_leases_of_one(void **state)
{
	enum { LEASES = 90 };
	struct bench *b = *state;
	char label[ZONE_LABEL_LEN];
	const addr claimed = v4(250);

	for (uint8_t i = 1; i <= MACHINES; i++)
		come(b, NULL, i);
	say(b, &b->m[MACHINES - 1], claimed);
	for (uint8_t i = 0; i < LEASES; i++) {
		const addr ip = v4((uint8_t)(20 + i));

		lease(b, (uint8_t)(100 + i), MACHINES, "x", false, ip);
		lease_at(&b->v4, &ip)->named_ns = LEASES - i;
	}
	b->n_walked = 0;
	assert_true(ask(b, "x.vm.lan", DNS_T_A));
	assert_int_equal(b->q.hdr.n_answer, ZONE_ADDRS_MAX);
	assert_true(b->n_walked < 2 * LEASES);
	/* The same of one whose name was given, and by address. */
	b->m[MACHINES - 1].name = "y";
	b->n_walked = 0;
	expect_none(b, "x.vm.lan", DNS_T_A, "vm.lan");
	assert_true(b->n_walked < LEASES);
	b->m[MACHINES - 1].name = NULL;
	for (uint8_t i = 0; i < LEASES; i++) {
		const addr ip = v4((uint8_t)(20 + i));

		lease_at(&b->v4, &ip)->name[0] = '\0';
	}
	b->n_walked = 0;
	assert_false(zone_find_name(&b->zone, &claimed, label));
	assert_true(b->n_walked < LEASES);
}

static void test_no_zone(void **state)
{
	struct bench *b = *state;
	const struct zone_source none = {.next = NULL};

	assert_false(zone_init(&b->zone, &b->room.env, &none, ""));
	assert_false(ask(b, "gateway.vm.lan", DNS_T_A));
	assert_false(ask(b, "2.2.0.10.in-addr.arpa", DNS_T_PTR));
	assert_true(zone_init(&b->zone, &b->room.env, &none, "x.example"));
	expect(b, "gateway.x.example", "10.0.2.2");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_own_names),
		T(test_given_names),
		T(test_claims),
		T(test_two_want_one_name),
		T(test_addresses_it_chose),
		T(test_behind_an_uplink),
		T(test_heard_before),
		T(test_kinds_of_questions),
		T(test_reverse_names),
		T(test_edns),
		T(test_names_of_trust),
		T(test_many_leases_of_one),
		T(test_no_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
