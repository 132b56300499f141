/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCP server as clients see it: each message in each state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dhcp.h"
#include "service/fake_room.h"
#include "wire/dhcp.h"

#define SECOND UINT64_C(1000000000)

/* A client: what its next message says. */
struct client {
	mac mac;
	mac sender;	   /* of the frame; as mac if zero */
	const char *id;	   /* option 61, NULL = none */
	uint32_t want;	   /* option 50, 0 = none */
	uint32_t server;   /* option 54, 0 = none */
	uint32_t ciaddr, giaddr;
	uint16_t flags;
	const char *params; /* option 55 */
	unsigned n_params;
	uint16_t max_size; /* option 57 */
	const char *name;  /* option 12 */
	const char *fqdn;  /* option 81, whole */
	unsigned fqdn_len;
	uint8_t htype; /* 0 = Ethernet */
	uint8_t op;    /* 0 = request */
};

struct bench {
	struct fake_room room;
	struct dhcp *dhcp;
	struct client c;
	unsigned n_bound;
	addr bound_ip;
	mac bound_mac;
};

static void on_bound(void *arg, const addr *ip, mac m)
{
	struct bench *b = arg;

	b->n_bound++;
	b->bound_ip = *ip;
	b->bound_mac = m;
}

static void start(struct bench *b, const struct dhcp_config *c)
{
	assert_int_equal(
		dhcp_new(&b->room.env, c, on_bound, b, &b->dhcp), 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct dhcp_config c = {
		.first = addr_v4(10, 0, 2, 15), .hostname = "", .domain = ""};

	fake_room_init(&b->room);
	start(b, &c);
	b->c.mac = fake_mac(1);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	dhcp_free(b->dhcp);
	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

/* As after a new start of the engine: no lease is known. */
static void restart(struct bench *b)
{
	const struct dhcp_config c = {
		.first = addr_v4(10, 0, 2, 15), .hostname = "", .domain = ""};

	b->dhcp = dhcp_free(b->dhcp);
	start(b, &c);
}

static void put_request(struct wr *w, const struct client *c,
			enum dhcp_type type)
{
	struct dhcp_hdr h = {
		.op = c->op ? c->op : DHCP_REQUEST_OP,
		.htype = c->htype ? c->htype : DHCP_HTYPE_ETHERNET,
		.hlen = 6,
		.xid = 0x12345678,
		.flags = c->flags,
		.ciaddr = addr_v4_u32(c->ciaddr),
		.yiaddr = addr_v4_u32(0),
		.siaddr = addr_v4_u32(0),
		.giaddr = addr_v4_u32(c->giaddr),
	};

	memcpy(h.chaddr, c->mac.b, sizeof(c->mac.b));
	dhcp_emit_hdr(w, &h);
	if (type != DHCP_NONE)
		dhcp_emit_u8(w, DHCP_O_TYPE, (uint8_t)type);
	if (c->id)
		dhcp_emit_text(w, DHCP_O_CLIENT_ID, c->id);
	if (c->want)
		dhcp_emit_u32(w, DHCP_O_REQUESTED_IP, c->want);
	if (c->server)
		dhcp_emit_u32(w, DHCP_O_SERVER_ID, c->server);
	if (c->max_size)
		dhcp_emit_u16(w, DHCP_O_MAX_SIZE, c->max_size);
	if (c->name)
		dhcp_emit_text(w, DHCP_O_HOSTNAME, c->name);
	if (c->fqdn)
		dhcp_emit_opt(w, DHCP_O_FQDN, c->fqdn, c->fqdn_len);
	if (c->n_params)
		dhcp_emit_opt(w, DHCP_O_PARAMS, c->params, c->n_params);
	dhcp_emit_end(w, 0);
}

/* Sends it and forgets what the client got before. */
static void say(struct bench *b, enum dhcp_type type)
{
	const struct client *c = &b->c;
	uint8_t buf[1500];
	struct wr w = wr_init(buf, sizeof(buf));
	struct packet p = fake_room_packet(
		addr_v4_u32(c->ciaddr), DHCP_PORT_CLIENT,
		mac_is_zero(c->sender) ? c->mac : c->sender);

	put_request(&w, c, type);
	assert_true(wr_ok(&w));
	fake_clear(b->room.guest);
	dhcp_input(b->dhcp, &p, buf, wr_len(&w));
}

/* The answer to the last message; false: there is none. */
static bool heard(struct bench *b, struct dhcp_msg *mp, struct fake_dgram *gp)
{
	struct rd r;

	if (!fake_room_got(&b->room, 0, gp))
		return false;
	assert_int_equal(b->room.guest->n_out, 1);
	assert_int_equal(gp->pkt.src.port, DHCP_PORT_SERVER);
	assert_int_equal(gp->pkt.dst.port, DHCP_PORT_CLIENT);
	assert_int_equal(addr_u32(&gp->pkt.src.ip), 0x0a000202);
	r = rd_init(gp->data, gp->len);
	assert_true(dhcp_parse(&r, mp));
	assert_int_equal(mp->hdr.op, DHCP_REPLY_OP);
	assert_int_equal(mp->hdr.xid, 0x12345678);
	assert_memory_equal(mp->hdr.chaddr, b->c.mac.b, 6);
	return true;
}

/* The type of the answer, DHCP_NONE if none; its yiaddr. */
static enum dhcp_type answer(struct bench *b, uint32_t *ipp)
{
	struct dhcp_msg m;
	struct fake_dgram g;

	*ipp = 0;
	if (!heard(b, &m, &g))
		return DHCP_NONE;
	*ipp = addr_u32(&m.hdr.yiaddr);
	return m.type;
}

static void expect(struct bench *b, enum dhcp_type type, uint32_t ip)
{
	uint32_t got;

	assert_int_equal(answer(b, &got), type);
	assert_int_equal(got, ip);
}

static void expect_nothing(struct bench *b)
{
	assert_int_equal(b->room.guest->n_out, 0);
}

static uint64_t drops(const struct bench *b, enum drop_reason why)
{
	return b->room.lan.drops.n[why];
}

/* DISCOVER and REQUEST; the address, 0: there is none. */
static uint32_t join(struct bench *b)
{
	uint32_t ip;

	say(b, DHCP_DISCOVER);
	if (answer(b, &ip) != DHCP_OFFER)
		return 0;
	b->c.want = ip;
	b->c.server = 0x0a000202;
	say(b, DHCP_REQUEST);
	expect(b, DHCP_ACK, ip);
	b->c.want = b->c.server = 0;
	return ip;
}

/* --- the states of RFC 2131 4.3.2 --- */

static void test_discover_request(void **state)
{
	struct bench *b = *state;

	assert_int_equal(join(b), 0x0a00020f);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	assert_int_equal(b->n_bound, 1);
	assert_int_equal(addr_u32(&b->bound_ip), 0x0a00020f);
	assert_true(mac_eq(b->bound_mac, b->c.mac));
	/* again: the same, and the next machine gets the next */
	assert_int_equal(join(b), 0x0a00020f);
	b->c.mac = fake_mac(2);
	assert_int_equal(join(b), 0x0a000210);
	assert_int_equal(dhcp_n_leases(b->dhcp), 2);
}

static void test_offer_is_not_a_lease(void **state)
{
	struct bench *b = *state;

	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a00020f);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	assert_int_equal(b->n_bound, 0);
	/* it is held for the client meanwhile */
	b->c.mac = fake_mac(2);
	b->c.want = 0x0a00020f;
	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a000210);
	/* for a minute */
	fake_lan_advance(&b->room.lan, 61 * SECOND);
	b->c.mac = fake_mac(3);
	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a00020f);
}

static void test_requested_address(void **state)
{
	struct bench *b = *state;

	b->c.want = 0x0a000264;
	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a000264);
	b->c.mac = fake_mac(2);
	b->c.want = 0x0a000202; /* ours */
	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a00020f);
	b->c.mac = fake_mac(3);
	b->c.want = 0xc0000201; /* elsewhere */
	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a000210);
}

static void test_another_server_was_chosen(void **state)
{
	struct bench *b = *state;

	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a00020f);
	b->c.want = 0x0a000299;
	b->c.server = 0x0a000209;
	say(b, DHCP_REQUEST);
	expect_nothing(b);
	/* not held any more */
	b->c = (struct client){.mac = fake_mac(2), .want = 0x0a00020f};
	assert_int_equal(join(b), 0x0a00020f);
	/* a lease is not given up by that */
	b->c.want = 0x0a000299;
	b->c.server = 0x0a000209;
	say(b, DHCP_REQUEST);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
}

static void test_init_reboot(void **state)
{
	struct bench *b = *state;

	join(b);
	b->c.want = 0x0a00020f;
	say(b, DHCP_REQUEST);
	expect(b, DHCP_ACK, 0x0a00020f);
}

static void test_renew_and_rebind(void **state)
{
	struct bench *b = *state;

	join(b);
	b->c.ciaddr = 0x0a00020f;
	for (unsigned i = 0; i < 3; i++) {
		fake_lan_advance(&b->room.lan, 43200 * SECOND);
		say(b, DHCP_REQUEST);
		expect(b, DHCP_ACK, 0x0a00020f);
	}
	/* it is kept for a day from then on */
	fake_lan_advance(&b->room.lan, 86399 * SECOND);
	b->c = (struct client){.mac = fake_mac(2), .want = 0x0a00020f};
	say(b, DHCP_REQUEST);
	expect(b, DHCP_NAK, 0);
	fake_lan_advance(&b->room.lan, 2 * SECOND);
	say(b, DHCP_REQUEST);
	expect(b, DHCP_ACK, 0x0a00020f);
}

static void test_unknown_leases_after_a_restart(void **state)
{
	struct bench *b = *state;

	join(b);
	restart(b);
	b->c.ciaddr = 0x0a00020f;
	say(b, DHCP_REQUEST);
	expect(b, DHCP_ACK, 0x0a00020f);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c = (struct client){.mac = fake_mac(2), .want = 0x0a000220};
	restart(b);
	say(b, DHCP_REQUEST);
	expect(b, DHCP_ACK, 0x0a000220);
	/* nobody else gets it */
	b->c = (struct client){.mac = fake_mac(3), .ciaddr = 0x0a000220};
	say(b, DHCP_REQUEST);
	expect(b, DHCP_NAK, 0);
}

static void test_release(void **state)
{
	struct bench *b = *state;

	join(b);
	b->c.ciaddr = 0x0a000210; /* not its own */
	say(b, DHCP_RELEASE);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c.ciaddr = 0x0a00020f;
	b->c.server = 0x0a000209; /* another's lease */
	say(b, DHCP_RELEASE);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c.server = 0x0a000202;
	say(b, DHCP_RELEASE);
	expect_nothing(b);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	b->c = (struct client){.mac = fake_mac(1)};
	assert_int_equal(join(b), 0x0a00020f);
}

static void test_decline(void **state)
{
	struct bench *b = *state;

	join(b);
	b->c.want = 0x0a00020f;
	b->c.server = 0x0a000209;
	say(b, DHCP_DECLINE); /* another server's */
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c.server = 0x0a000202;
	say(b, DHCP_DECLINE);
	expect_nothing(b);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	b->c = (struct client){.mac = fake_mac(1)};
	assert_int_equal(join(b), 0x0a000210);
	b->c = (struct client){.mac = fake_mac(2), .want = 0x0a00020f};
	say(b, DHCP_REQUEST);
	expect(b, DHCP_NAK, 0);
	fake_lan_advance(&b->room.lan, 601 * SECOND);
	say(b, DHCP_REQUEST);
	expect(b, DHCP_ACK, 0x0a00020f);
}

static void test_inform(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;
	uint32_t v;

	b->c.ciaddr = 0x0a000263; /* set by hand */
	say(b, DHCP_INFORM);
	assert_true(heard(b, &m, &g));
	assert_int_equal(m.type, DHCP_ACK);
	assert_true(addr_is_unspecified(&m.hdr.yiaddr));
	assert_int_equal(addr_u32(&g.pkt.dst.ip), 0x0a000263);
	assert_true(dhcp_find_u32(&m, DHCP_O_MASK, &v));
	assert_int_equal(v, 0xffffff00);
	assert_false(dhcp_find_u32(&m, DHCP_O_LEASE_TIME, &v));
	assert_false(dhcp_find_u32(&m, DHCP_O_RENEW_TIME, &v));
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	b->c.ciaddr = 0xc0000201;
	say(b, DHCP_INFORM);
	expect_nothing(b);
	assert_int_equal(drops(b, DROP_DHCP_BAD), 1);
}

static void test_bootp(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;
	struct rd r;

	say(b, DHCP_NONE);
	assert_true(heard(b, &m, &g));
	assert_int_equal(m.type, DHCP_NONE);
	assert_int_equal(addr_u32(&m.hdr.yiaddr), 0x0a00020f);
	assert_int_equal(addr_u32(&m.hdr.siaddr), 0x0a000202);
	assert_true(dhcp_find(&m, DHCP_O_ROUTER, &r));
	assert_false(dhcp_find(&m, DHCP_O_SERVER_ID, &r));
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
}

static void test_nak(void **state)
{
	static const uint32_t bad[] = {0x0a000202, 0x0a000203, 0x0a0002ff,
				       0x0a00020e, 0xc0a80105};
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;
	char text[64];
	addr server;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		b->c.ciaddr = bad[i];
		say(b, DHCP_REQUEST);
		assert_true(heard(b, &m, &g));
		assert_int_equal(m.type, DHCP_NAK);
		assert_true(addr_is_unspecified(&m.hdr.yiaddr));
		assert_true(mac_is_broadcast(g.pkt.eth_dst));
		assert_true(addr_is_broadcast(&g.pkt.dst.ip));
		assert_true(dhcp_find_addr(&m, DHCP_O_SERVER_ID, &server));
		assert_true(dhcp_find_text(&m, DHCP_O_MESSAGE, text,
					   sizeof(text)));
		assert_string_equal(text, "requested address not available");
	}
}

static void test_nak_leaves_the_old_lease(void **state)
{
	struct bench *b = *state;

	join(b);
	b->c.want = 0x0a000202;
	say(b, DHCP_REQUEST);
	expect(b, DHCP_NAK, 0);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c.want = 0;
	assert_int_equal(join(b), 0x0a00020f);
	/* a request that is granted moves it */
	b->c.want = 0x0a000240;
	say(b, DHCP_REQUEST);
	expect(b, DHCP_ACK, 0x0a000240);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
}

/* --- who is who --- */

static void test_client_identifier_is_the_client(void **state)
{
	struct bench *b = *state;

	b->c.id = "\xff" "duid-one";
	assert_int_equal(join(b), 0x0a00020f);
	b->c.mac = fake_mac(2); /* the same machine by another card */
	assert_int_equal(join(b), 0x0a00020f);
	assert_true(mac_eq(b->bound_mac, b->c.mac));
	b->c.id = "\xff" "duid-two";
	assert_int_equal(join(b), 0x0a000210);
	b->c.id = NULL;
	assert_int_equal(join(b), 0x0a000211);
}

static void test_300_machines(void **state)
{
	uint8_t seen[256] = {0};
	struct bench *b = *state;
	unsigned n = 0;

	for (unsigned i = 0; i < 300; i++) {
		uint32_t ip;

		b->c = (struct client){.mac = fake_mac(100 + i)};
		ip = join(b);
		if (!ip)
			continue;
		n++;
		assert_int_equal(ip >> 8, 0x0a0002);
		assert_int_equal(seen[ip & 255]++, 0);
	}
	assert_int_equal(n, 240); /* .15 to .254 */
	assert_int_equal(drops(b, DROP_DHCP_NO_LEASE), 60);
	/* a day later the others have their turn */
	fake_lan_advance(&b->room.lan, 86401 * SECOND);
	for (unsigned i = 240; i < 300; i++) {
		b->c = (struct client){.mac = fake_mac(100 + i)};
		assert_int_not_equal(join(b), 0);
	}
}

static void test_one_machine_cannot_starve_the_others(void **state)
{
	struct bench *b = *state;
	char id[8] = "\001xxxx";
	unsigned n = 0;

	for (unsigned i = 0; i < 300; i++) {
		id[1] = (char)('a' + i % 26);
		id[2] = (char)('a' + i / 26);
		b->c = (struct client){.mac = fake_mac(500 + i),
				       .sender = fake_mac(1),
				       .id = id};
		n += join(b) != 0;
	}
	assert_int_equal(n, LEASE_PER_SENDER);
	assert_int_equal(drops(b, DROP_DHCP_NO_LEASE), 300 - n);
	b->c = (struct client){.mac = fake_mac(2)};
	assert_int_not_equal(join(b), 0);
}

static void on_lease(void *arg, const struct lease *l)
{
	struct lease *onlyp = arg;

	assert_false(onlyp->was_used);
	*onlyp = *l;
}

/* The one lease there is. */
static struct lease only_lease(struct bench *b)
{
	struct lease l = {0};

	dhcp_leases(b->dhcp, on_lease, &l);
	assert_true(l.was_used);
	return l;
}

static void test_client_names(void **state)
{
	static const char wire[] = "\x04\0\0\x03vm7\x03lab\0";
	struct bench *b = *state;
	struct lease l;

	b->c.name = "guest-one";
	join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "guest-one");
	assert_int_equal(addr_u32(&l.ip), 0x0a00020f);
	b->c.name = NULL; /* not said again: kept */
	join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "guest-one");
	b->c.fqdn = wire;
	b->c.fqdn_len = sizeof(wire) - 1;
	join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "vm7.lab");
	b->c.fqdn = "\0\0\0plain.example";
	b->c.fqdn_len = 16;
	join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "plain.example");
	b->c.fqdn = "\x04\0\0\x09vm7"; /* cut short */
	b->c.fqdn_len = 7;
	join(b);
	b->c.fqdn = "\0\0\0a\nb";
	b->c.fqdn_len = 6;
	join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "plain.example");
}

/* --- where answers go --- */

static void test_unicast_to_the_new_address(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	say(b, DHCP_DISCOVER);
	assert_true(heard(b, &m, &g));
	assert_true(mac_eq(g.pkt.eth_dst, b->c.mac));
	assert_int_equal(addr_u32(&g.pkt.dst.ip), 0x0a00020f);
}

static void test_broadcast_when_asked(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	b->c.flags = DHCP_F_BROADCAST;
	say(b, DHCP_DISCOVER);
	assert_true(heard(b, &m, &g));
	assert_true(mac_is_broadcast(g.pkt.eth_dst));
	assert_true(addr_is_broadcast(&g.pkt.dst.ip));
	assert_int_equal(m.hdr.flags, DHCP_F_BROADCAST);
}

static void test_unicast_to_a_known_address(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	join(b);
	b->c.ciaddr = 0x0a00020f;
	b->c.flags = DHCP_F_BROADCAST; /* it has an address: that counts */
	say(b, DHCP_REQUEST);
	assert_true(heard(b, &m, &g));
	assert_true(mac_eq(g.pkt.eth_dst, b->c.mac));
	assert_int_equal(addr_u32(&g.pkt.dst.ip), 0x0a00020f);
	assert_int_equal(addr_u32(&m.hdr.ciaddr), 0x0a00020f);
}

/* --- options --- */

static void expect_options(struct bench *b, const void *bytes, size_t len)
{
	struct dhcp_msg m;
	struct fake_dgram g;

	assert_true(heard(b, &m, &g));
	assert_true(g.len >= DHCP_HDR_LEN + len);
	assert_memory_equal(g.data + DHCP_HDR_LEN, bytes, len);
}

static void test_options_without_a_list(void **state)
{
	static const uint8_t want[] = {
		53, 1, 2,		      /* OFFER */
		54, 4, 10,   0,	   2,	 2,   /* server */
		1,  4, 255,  255,  255,	 0,   /* mask */
		3,  4, 10,   0,	   2,	 2,   /* router */
		6,  4, 10,   0,	   2,	 3,   /* resolver */
		51, 4, 0x00, 0x01, 0x51, 0x80, /* a day */
		58, 4, 0x00, 0x00, 0xa8, 0xc0, /* half of it */
		59, 4, 0x00, 0x01, 0x27, 0x50, /* seven eighths */
		26, 2, 0x05, 0xdc,	      /* MTU */
		255};
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	say(b, DHCP_DISCOVER);
	expect_options(b, want, sizeof(want));
	assert_true(heard(b, &m, &g));
	assert_int_equal(g.len, DHCP_MIN_LEN);
	assert_int_equal(addr_u32(&m.hdr.siaddr), 0x0a000202);
}

static void configured(struct bench *b, unsigned text_len)
{
	char text[256];
	struct dhcp_config c = {
		.first = addr_v4(10, 0, 2, 15),
		.hostname = "vm",
		.domain = "lab.example",
		.search = {"lab.example", "example"},
		.n_search = 2,
	};

	memset(text, 'a', sizeof(text));
	text[text_len] = '\0';
	if (text_len)
		c.hostname = c.domain = text;
	b->dhcp = dhcp_free(b->dhcp);
	start(b, &c);
}

static void test_options_in_the_order_of_the_list(void **state)
{
	static const uint8_t want[] = {
		53, 1, 2, 54, 4, 10, 0, 2, 2,	   /* always in front */
		28, 4, 10, 0, 2, 255,		   /* asked: broadcast */
		6, 4, 10, 0, 2, 3,		   /* resolver */
		12, 2, 'v', 'm',		   /* name */
		1, 4, 255, 255, 255, 0,		   /* mask */
		3, 4, 10, 0, 2, 2,		   /* needed all the same */
		51, 4, 0, 1, 0x51, 0x80, 58, 4, 0, 0, 0xa8, 0xc0,
		59, 4, 0, 1, 0x27, 0x50, 26, 2, 5, 0xdc,
		15, 11, 'l', 'a', 'b', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e',
		119, 15, 3, 'l', 'a', 'b', 7, 'e', 'x', 'a', 'm', 'p', 'l',
		'e', 0, 0xc0, 4,
		255};
	struct bench *b = *state;

	configured(b, 0);
	b->c.params = "\x1c\x06\x2a\x0c\x06\x01\xfc";
	b->c.n_params = 7;
	say(b, DHCP_DISCOVER);
	expect_options(b, want, sizeof(want));
}

static void test_size(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;
	struct rd r;

	/* two texts of 230: only one fits what every client takes */
	configured(b, 230);
	b->c.params = "\x0f\x0c\x77";
	b->c.n_params = 3;
	say(b, DHCP_DISCOVER);
	assert_true(heard(b, &m, &g));
	assert_true(g.len <= DHCP_SURE_LEN);
	assert_true(dhcp_find(&m, DHCP_O_DOMAIN, &r));
	assert_false(dhcp_find(&m, DHCP_O_HOSTNAME, &r));
	assert_true(dhcp_find(&m, DHCP_O_SEARCH, &r));
	assert_true(dhcp_find(&m, DHCP_O_MASK, &r));
	assert_true(dhcp_find(&m, DHCP_O_LEASE_TIME, &r));
	assert_true(dhcp_find(&m, DHCP_O_MTU, &r));
	/* a client that takes more gets more */
	b->c.max_size = 1500;
	say(b, DHCP_DISCOVER);
	assert_true(heard(b, &m, &g));
	assert_true(dhcp_find(&m, DHCP_O_HOSTNAME, &r));
	assert_int_equal(rd_left(&r), 230);
	assert_true(dhcp_find(&m, DHCP_O_DOMAIN, &r));
	/* one that claims to take less than it must is not believed */
	b->c.max_size = 68;
	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a00020f);
}

static void test_search_list_too_long(void **state)
{
	struct bench *b = *state;
	struct dhcp_config c = {.first = addr_v4(10, 0, 2, 15),
				.hostname = "",
				.domain = "",
				.search = {"a..b"},
				.n_search = 1};
	struct dhcp_msg m;
	struct fake_dgram g;
	struct rd r;

	b->dhcp = dhcp_free(b->dhcp);
	start(b, &c);
	say(b, DHCP_DISCOVER);
	assert_true(heard(b, &m, &g));
	assert_false(dhcp_find(&m, DHCP_O_SEARCH, &r));
}

static void test_small_mtu(void **state)
{
	struct bench *b = *state;

	b->room.env.mtu = 576;
	configured(b, 250);
	b->c.max_size = 1500;
	say(b, DHCP_DISCOVER);
	expect(b, DHCP_OFFER, 0x0a00020f);
	/* one that no answer fits: lost by name */
	b->room.env.mtu = 300;
	say(b, DHCP_DISCOVER);
	expect_nothing(b);
	assert_int_equal(drops(b, DROP_DHCP_BAD), 1);
}

/* --- what is not answered --- */

static void test_bad_messages(void **state)
{
	static const uint8_t junk[300];
	struct bench *b = *state;
	struct packet p = fake_room_packet(addr_v4(0, 0, 0, 0), 68,
					   fake_mac(1));
	unsigned n = 0;

	dhcp_input(b->dhcp, &p, junk, 10);
	assert_int_equal(drops(b, DROP_DHCP_BAD), ++n);
	dhcp_input(b->dhcp, &p, junk, sizeof(junk));
	assert_int_equal(drops(b, DROP_DHCP_BAD), ++n);
	b->c.giaddr = 0x0a000209; /* a relay's */
	say(b, DHCP_DISCOVER);
	assert_int_equal(drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.mac = fake_mac(1), .htype = 6};
	say(b, DHCP_DISCOVER);
	assert_int_equal(drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.mac = fake_mac(1), .op = DHCP_REPLY_OP};
	say(b, DHCP_DISCOVER);
	assert_int_equal(drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.mac = MAC_BROADCAST};
	say(b, DHCP_DISCOVER);
	assert_int_equal(drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.sender = fake_mac(1)}; /* no chaddr */
	say(b, DHCP_DISCOVER);
	assert_int_equal(drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.mac = fake_mac(1)};
	say(b, DHCP_OFFER);
	say(b, DHCP_ACK);
	say(b, DHCP_NAK);
	assert_int_equal(drops(b, DROP_DHCP_BAD), n += 3);
	say(b, DHCP_REQUEST); /* for nothing */
	assert_int_equal(drops(b, DROP_DHCP_BAD), ++n);
	assert_int_equal(b->room.guest->n_out, 0);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_discover_request),
		T(test_offer_is_not_a_lease),
		T(test_requested_address),
		T(test_another_server_was_chosen),
		T(test_init_reboot),
		T(test_renew_and_rebind),
		T(test_unknown_leases_after_a_restart),
		T(test_release),
		T(test_decline),
		T(test_inform),
		T(test_bootp),
		T(test_nak),
		T(test_nak_leaves_the_old_lease),
		T(test_client_identifier_is_the_client),
		T(test_300_machines),
		T(test_one_machine_cannot_starve_the_others),
		T(test_client_names),
		T(test_unicast_to_the_new_address),
		T(test_broadcast_when_asked),
		T(test_unicast_to_a_known_address),
		T(test_options_without_a_list),
		T(test_options_in_the_order_of_the_list),
		T(test_size),
		T(test_search_list_too_long),
		T(test_small_mtu),
		T(test_bad_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
