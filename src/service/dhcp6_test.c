/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCPv6 server as clients see it, beside DHCPv4's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dhcp6.h"
#include "service/fake_client.h"
#include "wire/dhcp6.h"

#define SECOND UINT64_C(1000000000)

enum { XID = 0xabcdef, DAY = 86400, IAS = 20 };

/* An IA of the next message. */
struct wanted {
	uint16_t code; /* 0 = IA_NA */
	uint32_t iaid;
	addr ip[2];
	unsigned n_ips;
};

struct bench6 {
	struct bench *v4; /* the room, and a DHCPv4 client in it */
	struct dhcp6 *dhcp;
	/* What the client says next. */
	mac mac;
	uint8_t duid; /* of another machine than its MAC says; 0: of its own */
	addr src;     /* unspecified: fe80::99 */
	bool is_nameless, is_rapid, names_server;
	mac server;
	const char *fqdn;
	size_t fqdn_len;
	struct wanted ia[IAS];
	unsigned n_ia;
	/* What it was told last. */
	struct dhcp6_msg m;
	struct fake_dgram g;
	/* What the gateway was told. */
	unsigned n_bound;
	addr bound_ip;
	mac bound_mac;
};

static void on_bound(void *arg, const addr *ip, mac m)
{
	struct bench6 *b = arg;

	b->n_bound++;
	b->bound_ip = *ip;
	b->bound_mac = m;
}

static void start(struct bench6 *b, const struct dhcp6_config *c)
{
	b->dhcp = dhcp6_free(b->dhcp);
	assert_int_equal(dhcp6_new(&b->v4->room.env, c,
				   dhcp_leases_of(b->v4->dhcp), on_bound, b,
				   &b->dhcp),
			 0);
}

/* A client that asks for one address. */
static void be(struct bench6 *b, unsigned n)
{
	b->mac = fake_mac(n);
	b->v4->c = (struct client){.mac = b->mac};
	b->server = b->v4->room.env.gw_mac;
	b->src = (addr){{0xfe, 0x80, [15] = 0x99}};
	b->duid = 0;
	b->is_nameless = b->is_rapid = b->names_server = false;
	b->fqdn = NULL;
	b->n_ia = 1;
	b->ia[0] = (struct wanted){.iaid = 1};
}

/* .. and for this one. */
static void want(struct bench6 *b, uint8_t n)
{
	b->ia[0].ip[0] = fake_addr6(n);
	b->ia[0].n_ips = 1;
}

static int setup(void **state)
{
	const struct dhcp6_config c = {.domain = ""};
	struct bench6 *b = calloc(1, sizeof(*b));

	assert_int_equal(client_setup((void **)&b->v4), 0);
	start(b, &c);
	be(b, 1);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench6 *b = *state;

	dhcp6_free(b->dhcp);
	client_teardown((void **)&b->v4);
	free(b);
	return 0;
}

static void put_wanted(struct wr *w, const struct wanted *ia)
{
	size_t at = dhcp6_ia_begin(w, ia->code ? ia->code : DHCP6_O_IA_NA,
				   ia->iaid, 0, 0);

	for (unsigned i = 0; i < ia->n_ips; i++) {
		const struct dhcp6_addr a = {.ip = ia->ip[i]};

		dhcp6_emit_addr(w, &a);
	}
	dhcp6_opt_end(w, at);
}

static void say(struct bench6 *b, enum dhcp6_type type)
{
	mac duid = b->duid ? fake_mac(b->duid) : b->mac;
	struct packet p = fake_room_packet(b->src, DHCP6_PORT_CLIENT, b->mac);
	uint8_t buf[1400];
	struct wr w = wr_init(buf, sizeof(buf));

	dhcp6_emit_hdr(&w, type, XID);
	if (!b->is_nameless)
		dhcp6_emit_duid_ll(&w, DHCP6_O_CLIENT_ID, duid);
	if (b->names_server)
		dhcp6_emit_duid_ll(&w, DHCP6_O_SERVER_ID, b->server);
	if (b->is_rapid)
		dhcp6_emit_opt(&w, DHCP6_O_RAPID_COMMIT, "", 0);
	if (b->fqdn)
		dhcp6_emit_opt(&w, DHCP6_O_FQDN, b->fqdn, b->fqdn_len);
	for (unsigned i = 0; i < b->n_ia; i++)
		put_wanted(&w, &b->ia[i]);
	assert_true(wr_ok(&w));
	fake_clear(b->v4->room.guest);
	dhcp6_input(b->dhcp, &p, buf, wr_len(&w));
}

static void expect_nothing(const struct bench6 *b)
{
	assert_int_equal(b->v4->room.guest->n_out, 0);
}

/* The answer to the last message is one of this type, to who asked. */
static void expect(struct bench6 *b, enum dhcp6_type type)
{
	mac duid = b->duid ? fake_mac(b->duid) : b->mac;
	const struct service_env *env = &b->v4->room.env;
	struct rd r;

	assert_int_equal(b->v4->room.guest->n_out, 1);
	assert_true(fake_room_got(&b->v4->room, 0, &b->g));
	assert_true(addr_eq(&b->g.pkt.src.ip, &env->ll6));
	assert_true(addr_eq(&b->g.pkt.dst.ip, &b->src));
	assert_true(mac_eq(b->g.pkt.eth_dst, b->mac));
	assert_int_equal(b->g.pkt.src.port, DHCP6_PORT_SERVER);
	assert_int_equal(b->g.pkt.dst.port, DHCP6_PORT_CLIENT);
	r = rd_init(b->g.data, b->g.len);
	assert_true(dhcp6_parse(&r, &b->m));
	assert_int_equal(b->m.type, type);
	assert_int_equal(b->m.xid, XID);
	assert_true(dhcp6_is_duid_ll(b->m.server_id, env->gw_mac));
	if (b->is_nameless)
		assert_int_equal(rd_left(&b->m.client_id), 0);
	else
		assert_true(dhcp6_is_duid_ll(b->m.client_id, duid));
}

/* An option among those at r; NULL: it is not there. */
static const uint8_t *find(struct rd r, uint16_t code, size_t *lenp)
{
	while (rd_left(&r)) {
		uint16_t c = rd_u16(&r);
		size_t len = rd_u16(&r);
		const uint8_t *p = rd_bytes(&r, len);

		assert_true(rd_ok(&r));
		if (c != code)
			continue;
		if (lenp)
			*lenp = len;
		return p;
	}
	return NULL;
}

static const uint8_t *told(const struct bench6 *b, uint16_t code, size_t *lenp)
{
	return find(rd_init(b->g.data + 4, b->g.len - 4), code, lenp);
}

static int status_at(const uint8_t *p)
{
	return p ? p[0] << 8 | p[1] : -1;
}

/* The status of the ith IA of the answer, -1: it has none. */
static int ia_status(const struct bench6 *b, unsigned i)
{
	assert_true(i < b->m.n_ia);
	return status_at(find(b->m.ia[i].opts, DHCP6_O_STATUS, NULL));
}

/* The number of the address in the ith IA, whose times must be these; -1:
 * there is none. */
static int ia_number(const struct bench6 *b, unsigned i, uint32_t seconds)
{
	struct rd opts = b->m.ia[i].opts;
	struct dhcp6_addr a;
	addr like;

	assert_true(i < b->m.n_ia);
	if (!dhcp6_next_addr(&opts, &a))
		return -1;
	like = fake_addr6(a.ip.b[15]);
	assert_true(addr_eq(&a.ip, &like));
	assert_int_equal(a.valid, seconds);
	assert_true(a.preferred <= a.valid);
	return a.ip.b[15];
}

/* The client asks as it should; its number. */
static int join(struct bench6 *b)
{
	int n;

	b->names_server = false;
	say(b, DHCP6_SOLICIT);
	expect(b, DHCP6_ADVERTISE);
	n = ia_number(b, 0, DAY);
	if (n < 0)
		return n;
	want(b, (uint8_t)n);
	b->names_server = true;
	say(b, DHCP6_REQUEST);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_number(b, 0, DAY), n);
	return n;
}

static uint64_t drops(const struct bench6 *b, enum drop_reason why)
{
	return client_drops(b->v4, why);
}

static void later(struct bench6 *b, uint64_t seconds)
{
	fake_lan_advance(&b->v4->room.lan, seconds * SECOND);
}

/* --- one client --- */

static void test_four_messages(void **state)
{
	struct bench6 *b = *state;
	addr fifteen = fake_addr6(15);
	size_t len;

	say(b, DHCP6_SOLICIT);
	expect(b, DHCP6_ADVERTISE);
	assert_int_equal(told(b, DHCP6_O_PREFERENCE, &len)[0], 255);
	assert_int_equal(len, 1);
	assert_int_equal(b->m.n_ia, 1);
	assert_int_equal(b->m.ia[0].iaid, 1);
	assert_int_equal(ia_number(b, 0, DAY), 15);
	assert_int_equal(b->n_bound, 0);
	assert_int_equal(dhcp_n_leases(b->v4->dhcp), 0);
	b->names_server = true;
	say(b, DHCP6_REQUEST);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_number(b, 0, DAY), 15);
	assert_int_equal(ia_status(b, 0), -1);
	/* IAID, T1 and T2: half of the time, and four fifths */
	assert_memory_equal(told(b, DHCP6_O_IA_NA, NULL),
			    "\0\0\0\1\0\0\xa8\xc0\0\1\x0e\0", 12);
	assert_null(told(b, DHCP6_O_PREFERENCE, &len));
	assert_int_equal(b->n_bound, 1);
	assert_true(addr_eq(&b->bound_ip, &fifteen));
	assert_true(mac_eq(b->bound_mac, b->mac));
	assert_int_equal(dhcp_n_leases(b->v4->dhcp), 1);
}

static void test_rapid_commit(void **state)
{
	struct bench6 *b = *state;
	size_t len;

	b->is_rapid = true;
	say(b, DHCP6_SOLICIT);
	expect(b, DHCP6_REPLY);
	assert_non_null(told(b, DHCP6_O_RAPID_COMMIT, &len));
	assert_int_equal(len, 0);
	assert_int_equal(ia_number(b, 0, DAY), 15);
	assert_int_equal(b->n_bound, 1);
}

static void test_an_offer_ends(void **state)
{
	struct bench6 *b = *state;

	say(b, DHCP6_SOLICIT);
	be(b, 2);
	say(b, DHCP6_SOLICIT);
	expect(b, DHCP6_ADVERTISE);
	assert_int_equal(ia_number(b, 0, DAY), 16);
	later(b, 61);
	be(b, 3);
	want(b, 16);
	assert_int_equal(join(b), 16);
}

static void test_another_server_was_chosen(void **state)
{
	struct bench6 *b = *state;

	say(b, DHCP6_SOLICIT);
	b->names_server = true;
	b->server = fake_mac(77);
	say(b, DHCP6_REQUEST);
	expect_nothing(b);
	be(b, 2);
	want(b, 15);
	assert_int_equal(join(b), 15);
	/* a lease is not given up by that */
	b->server = fake_mac(77);
	say(b, DHCP6_REQUEST);
	say(b, DHCP6_RELEASE);
	assert_int_equal(dhcp_n_leases(b->v4->dhcp), 1);
}

static void test_renew_and_rebind(void **state)
{
	struct bench6 *b = *state;

	join(b);
	for (unsigned i = 0; i < 4; i++) {
		later(b, DAY / 2);
		b->names_server = i % 2;
		say(b, i % 2 ? DHCP6_RENEW : DHCP6_REBIND);
		expect(b, DHCP6_REPLY);
		assert_int_equal(ia_number(b, 0, DAY), 15);
	}
	assert_int_equal(b->n_bound, 5);
	later(b, DAY - 2);
	be(b, 2);
	assert_int_equal(join(b), 16);
	later(b, 3);
	be(b, 3);
	want(b, 15);
	assert_int_equal(join(b), 15);
}

static void test_renewal_of_what_we_do_not_know(void **state)
{
	struct bench6 *b = *state;

	b->names_server = true;
	say(b, DHCP6_RENEW); /* of nothing */
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_status(b, 0), DHCP6_NO_BINDING);
	/* we were started anew */
	want(b, 40);
	say(b, DHCP6_RENEW);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_number(b, 0, DAY), 40);
	/* another has it meanwhile */
	be(b, 2);
	want(b, 40);
	b->names_server = true;
	say(b, DHCP6_RENEW);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_status(b, 0), DHCP6_NO_BINDING);
	b->names_server = false;
	say(b, DHCP6_REBIND);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_status(b, 0), -1);
	assert_int_equal(ia_number(b, 0, 0), 40);
}

static void test_an_address_more_in_a_renewal(void **state)
{
	struct bench6 *b = *state;
	struct rd opts;
	struct dhcp6_addr a;

	join(b);
	b->ia[0].ip[1] = (addr){{0x20, 1, [15] = 9}};
	b->ia[0].n_ips = 2;
	say(b, DHCP6_RENEW);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_number(b, 0, DAY), 15);
	opts = b->m.ia[0].opts;
	assert_true(dhcp6_next_addr(&opts, &a));
	assert_true(dhcp6_next_addr(&opts, &a));
	assert_true(addr_eq(&a.ip, &b->ia[0].ip[1]));
	assert_int_equal(a.valid, 0);
	assert_false(dhcp6_next_addr(&opts, &a));
}

static void test_confirm(void **state)
{
	struct bench6 *b = *state;

	want(b, 40);
	say(b, DHCP6_CONFIRM);
	expect(b, DHCP6_REPLY);
	assert_int_equal(status_at(told(b, DHCP6_O_STATUS, NULL)),
			 DHCP6_SUCCESS);
	b->ia[0].ip[0] = (addr){{0x20, 1, [15] = 9}};
	say(b, DHCP6_CONFIRM);
	expect(b, DHCP6_REPLY);
	assert_int_equal(status_at(told(b, DHCP6_O_STATUS, NULL)),
			 DHCP6_NOT_ON_LINK);
	b->names_server = true;
	say(b, DHCP6_REQUEST);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_status(b, 0), DHCP6_NOT_ON_LINK);
	b->names_server = false;
	b->ia[0].n_ips = 0;
	say(b, DHCP6_CONFIRM); /* of nothing */
	expect_nothing(b);
	assert_int_equal(b->n_bound, 0);
}

static void test_release(void **state)
{
	struct bench6 *b = *state;

	join(b);
	b->ia[0].ip[0] = fake_addr6(16); /* not its own */
	say(b, DHCP6_RELEASE);
	expect(b, DHCP6_REPLY);
	assert_int_equal(status_at(told(b, DHCP6_O_STATUS, NULL)),
			 DHCP6_SUCCESS);
	assert_int_equal(ia_status(b, 0), DHCP6_NO_BINDING);
	assert_int_equal(dhcp_n_leases(b->v4->dhcp), 1);
	b->ia[0].ip[0] = fake_addr6(15);
	say(b, DHCP6_RELEASE);
	expect(b, DHCP6_REPLY);
	assert_int_equal(b->m.n_ia, 0);
	assert_int_equal(dhcp_n_leases(b->v4->dhcp), 0);
	/* it is its first choice still */
	be(b, 2);
	assert_int_equal(join(b), 16);
	be(b, 1);
	assert_int_equal(join(b), 15);
}

static void test_decline(void **state)
{
	struct bench6 *b = *state;

	assert_int_equal(client_join(b->v4), 0x0a00020f);
	join(b);
	say(b, DHCP6_DECLINE);
	expect(b, DHCP6_REPLY);
	assert_int_equal(b->m.n_ia, 0);
	/* by IPv4 it stays, who asks anew gets another */
	assert_int_equal(client_join(b->v4), 0x0a00020f);
	want(b, 15);
	assert_int_equal(join(b), 16);
	be(b, 2);
	want(b, 15);
	b->names_server = true;
	say(b, DHCP6_RENEW);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_status(b, 0), DHCP6_NO_BINDING);
}

/* --- what clients are told --- */

static void test_information(void **state)
{
	const struct dhcp6_config c = {
		.domain = "LAB.example", /* among them */
		.search = {"lab.example", "a..b", "example"},
		.n_search = 3,
	};
	struct bench6 *b = *state;
	addr dns = fake_addr6(3);
	size_t len;

	start(b, &c);
	b->n_ia = 0;
	b->is_nameless = true;
	for (unsigned i = 0; i < 2; i++) {
		say(b, DHCP6_INFORMATION_REQUEST);
		expect(b, DHCP6_REPLY);
		assert_memory_equal(told(b, DHCP6_O_DNS, &len), dns.b, 16);
		assert_int_equal(len, 16);
		assert_memory_equal(told(b, DHCP6_O_DOMAINS, &len),
				    "\3lab\7example\0\7example\0", 22);
		assert_int_equal(len, 22);
		b->names_server = true;
	}
	b->server = fake_mac(9); /* somebody else is asked */
	say(b, DHCP6_INFORMATION_REQUEST);
	expect_nothing(b);
	b->names_server = false;
	b->n_ia = 1;
	say(b, DHCP6_INFORMATION_REQUEST);
	expect_nothing(b);
	assert_int_equal(drops(b, DROP_DHCP_BAD), 1);
}

static void test_domain_behind_the_search(void **state)
{
	const struct dhcp6_config c = {
		.domain = "lab",
		.search = {"x"},
		.n_search = 1,
		.hides_dns = true,
	};
	struct bench6 *b = *state;
	size_t len;

	start(b, &c);
	say(b, DHCP6_SOLICIT);
	expect(b, DHCP6_ADVERTISE);
	assert_memory_equal(told(b, DHCP6_O_DOMAINS, &len), "\1x\0\3lab\0",
			    8);
	assert_int_equal(len, 8);
	assert_null(told(b, DHCP6_O_DNS, &len));
}

static void test_name(void **state)
{
	const addr fifteen = fake_addr6(15);
	struct bench6 *b = *state;
	const struct lease_table *t;

	b->fqdn = "\1\3vm7"; /* without a domain */
	b->fqdn_len = 5;
	join(b);
	t = dhcp_leases_of(b->v4->dhcp)->twin;
	assert_true(addr_eq(&t->lease[0].ip, &fifteen));
	assert_string_equal(t->lease[0].name, "vm7");
	b->fqdn = "\1\3vm8\3lab";
	b->fqdn_len = 10;
	join(b);
	assert_string_equal(t->lease[0].name, "vm8.lab");
	b->fqdn = "\1\5vm9";
	b->fqdn_len = 5;
	join(b);
	b->fqdn_len = 0;
	join(b);
	assert_string_equal(t->lease[0].name, "vm8.lab");
}

/* --- several IAs, and what is not given --- */

static void test_other_kinds_of_ia(void **state)
{
	struct bench6 *b = *state;

	b->n_ia = 3;
	b->ia[1] = (struct wanted){.code = DHCP6_O_IA_TA, .iaid = 7};
	b->ia[2] = (struct wanted){.code = DHCP6_O_IA_PD, .iaid = 8};
	say(b, DHCP6_SOLICIT);
	expect(b, DHCP6_ADVERTISE);
	assert_int_equal(b->m.n_ia, 3);
	assert_int_equal(ia_number(b, 0, DAY), 15);
	assert_int_equal(b->m.ia[1].code, DHCP6_O_IA_TA);
	assert_int_equal(b->m.ia[1].iaid, 7);
	assert_int_equal(ia_status(b, 1), DHCP6_NO_ADDRS_AVAIL);
	assert_int_equal(b->m.ia[2].code, DHCP6_O_IA_PD);
	assert_int_equal(b->m.ia[2].iaid, 8);
	assert_int_equal(ia_status(b, 2), DHCP6_NO_PREFIX_AVAIL);
	b->names_server = true;
	say(b, DHCP6_RENEW);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_status(b, 1), DHCP6_NO_BINDING);
	assert_int_equal(ia_status(b, 2), DHCP6_NO_BINDING);
}

static void test_several_ias(void **state)
{
	struct bench6 *b = *state;

	b->n_ia = 3;
	for (unsigned i = 0; i < 3; i++)
		b->ia[i] = (struct wanted){.iaid = 10 + i};
	for (unsigned k = 0; k < 2; k++) {
		b->is_rapid = k;
		say(b, DHCP6_SOLICIT);
		expect(b, k ? DHCP6_REPLY : DHCP6_ADVERTISE);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(b->m.ia[i].iaid, 10 + i);
			assert_int_equal(ia_number(b, i, DAY), 15 + (int)i);
		}
	}
	/* by IPv4 the machine is at the first of them */
	be(b, 2);
	assert_int_equal(join(b), 18);
	be(b, 1);
	assert_int_equal(client_join(b->v4), 0x0a00020f);
}

static void test_one_machine_cannot_starve_the_others(void **state)
{
	struct bench6 *b = *state;
	unsigned n = 0;

	for (unsigned i = 0; i < 50; i++) {
		b->n_ia = IAS;
		for (unsigned k = 0; k < IAS; k++)
			b->ia[k] = (struct wanted){.iaid = i * IAS + k};
		b->is_rapid = true;
		say(b, DHCP6_SOLICIT);
		expect(b, DHCP6_REPLY);
		assert_int_equal(b->m.n_ia, DHCP6_IAS_MAX);
	}
	n = dhcp_n_leases(b->v4->dhcp);
	assert_int_equal(n, LEASE_PER_SENDER);
	be(b, 2);
	assert_int_not_equal(join(b), -1);
}

static void test_all_are_taken(void **state)
{
	struct bench6 *b = *state;

	for (unsigned i = 0; i < 240; i++) {
		be(b, 100 + i);
		assert_int_equal(join(b), 15 + (int)i);
	}
	be(b, 1);
	say(b, DHCP6_SOLICIT);
	expect(b, DHCP6_ADVERTISE);
	assert_int_equal(ia_status(b, 0), DHCP6_NO_ADDRS_AVAIL);
	assert_int_equal(ia_number(b, 0, 0), -1);
	assert_int_equal(drops(b, DROP_DHCP_NO_LEASE), 1);
	/* who has one by IPv6 has it by IPv4 */
	be(b, 100 + 77);
	assert_int_equal(client_join(b->v4), 0x0a000200 + 15 + 77);
	be(b, 1);
	assert_int_equal(client_join(b->v4), 0);
}

/* --- with DHCPv4 --- */

static void test_one_place_for_both(void **state)
{
	struct bench6 *b = *state;

	assert_int_equal(client_join(b->v4), 0x0a00020f);
	be(b, 2);
	assert_int_equal(join(b), 16);
	assert_int_equal(client_join(b->v4), 0x0a000210);
	be(b, 1);
	assert_int_equal(join(b), 15);
	assert_int_equal(dhcp_n_leases(b->v4->dhcp), 2);
}

static void test_kept_address(void **state)
{
	const struct dhcp6_config c6 = {.domain = ""};
	const struct dhcp_config c4 = {.pool.first = addr_v4(10, 0, 2, 15),
				       .n_kept = 4,
				       .hostname = "",
				       .domain = ""};
	struct bench6 *b = *state;
	addr sixteen = addr_v4(10, 0, 2, 16), seventeen = fake_addr6(17);

	client_start(b->v4, &c4);
	start(b, &c6);
	assert_int_equal(join(b), 19);
	dhcp_keep(b->v4->dhcp, &sixteen, fake_mac(2));
	dhcp_keep(b->v4->dhcp, &seventeen, fake_mac(3));
	be(b, 2);
	assert_int_equal(join(b), 16);
	assert_int_equal(client_join(b->v4), 0x0a000210);
	be(b, 3);
	assert_int_equal(client_join(b->v4), 0x0a000211);
	assert_int_equal(join(b), 17);
	/* who had another before is moved when it renews */
	be(b, 1);
	dhcp_keep(b->v4->dhcp, &sixteen, fake_mac(1));
	want(b, 19);
	b->names_server = true;
	say(b, DHCP6_RENEW);
	expect(b, DHCP6_REPLY);
	assert_int_equal(ia_number(b, 0, DAY), 16);
}

static void test_a_new_duid_of_the_same_machine(void **state)
{
	struct bench6 *b = *state;

	assert_int_equal(join(b), 15);
	be(b, 1);
	b->duid = 99;
	assert_int_equal(join(b), 15);
	assert_int_equal(dhcp_n_leases(b->v4->dhcp), 1);
}

static void test_our_own_addresses(void **state)
{
	const struct dhcp6_config c6 = {.domain = ""};
	const struct dhcp_config c4 = {.pool.first = addr_v4(10, 0, 2, 1),
				       .hostname = "",
				       .domain = ""};
	struct bench6 *b = *state;

	client_start(b->v4, &c4);
	b->v4->room.env.v6.gw = fake_addr6(4);
	b->v4->room.env.v6.dns = fake_addr6(5);
	start(b, &c6);
	/* .2 and .3 are IPv4's, 4 and 5 IPv6's */
	assert_int_equal(join(b), 1);
	be(b, 2);
	assert_int_equal(join(b), 6);
	be(b, 3);
	assert_int_equal(client_join(b->v4), 0x0a000204);
	assert_int_equal(join(b), 7);
}

/* --- what is not answered --- */

static void test_not_answered(void **state)
{
	struct bench6 *b = *state;
	unsigned n = 0;

	for (unsigned type = 0; type < 256; type++) {
		be(b, 1);
		b->is_nameless = true;
		if (type == DHCP6_INFORMATION_REQUEST)
			continue;
		say(b, (enum dhcp6_type)type);
		b->names_server = true;
		say(b, (enum dhcp6_type)type);
		expect_nothing(b);
		n += 2;
	}
	/* to all, and yet to one; to one, and yet to all */
	be(b, 1);
	b->names_server = true;
	say(b, DHCP6_SOLICIT);
	say(b, DHCP6_CONFIRM);
	say(b, DHCP6_REBIND);
	b->names_server = false;
	say(b, DHCP6_REQUEST);
	say(b, DHCP6_RENEW);
	say(b, DHCP6_RELEASE);
	say(b, DHCP6_DECLINE);
	say(b, DHCP6_ADVERTISE);
	say(b, DHCP6_REPLY);
	say(b, DHCP6_RECONFIGURE);
	n += 10;
	b->src = (addr){{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}; /* elsewhere */
	say(b, DHCP6_SOLICIT);
	b->src = fake_addr6(2); /* our own */
	say(b, DHCP6_SOLICIT);
	n += 2;
	expect_nothing(b);
	assert_int_equal(drops(b, DROP_DHCP_BAD), n);
	assert_int_equal(dhcp_n_leases(b->v4->dhcp), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_four_messages),
		T(test_rapid_commit),
		T(test_an_offer_ends),
		T(test_another_server_was_chosen),
		T(test_renew_and_rebind),
		T(test_renewal_of_what_we_do_not_know),
		T(test_an_address_more_in_a_renewal),
		T(test_confirm),
		T(test_release),
		T(test_decline),
		T(test_information),
		T(test_domain_behind_the_search),
		T(test_name),
		T(test_other_kinds_of_ia),
		T(test_several_ias),
		T(test_one_machine_cannot_starve_the_others),
		T(test_all_are_taken),
		T(test_one_place_for_both),
		T(test_kept_address),
		T(test_a_new_duid_of_the_same_machine),
		T(test_our_own_addresses),
		T(test_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
