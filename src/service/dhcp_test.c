/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCP server as clients see it: each message in each state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/fake_client.h"

#define SECOND UINT64_C(1000000000)

/* --- the states of RFC 2131 4.3.2 --- */

static void test_discover_request(void **state)
{
	struct bench *b = *state;

	assert_int_equal(client_join(b), 0x0a00020f);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	assert_int_equal(b->n_bound, 1);
	assert_int_equal(addr_u32(&b->bound_ip), 0x0a00020f);
	assert_true(mac_eq(b->bound_mac, b->c.mac));
	/* again: the same, and the next machine gets the next */
	assert_int_equal(client_join(b), 0x0a00020f);
	b->c.mac = fake_mac(2);
	assert_int_equal(client_join(b), 0x0a000210);
	assert_int_equal(dhcp_n_leases(b->dhcp), 2);
}

static void test_offer_is_not_a_lease(void **state)
{
	struct bench *b = *state;

	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	assert_int_equal(b->n_bound, 0);
	/* it is held for the client meanwhile */
	b->c.mac = fake_mac(2);
	b->c.want = 0x0a00020f;
	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a000210);
	/* for a minute */
	fake_lan_advance(&b->room.lan, 61 * SECOND);
	b->c.mac = fake_mac(3);
	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
}

static void test_requested_address(void **state)
{
	struct bench *b = *state;

	b->c.want = 0x0a000264;
	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a000264);
	b->c.mac = fake_mac(2);
	b->c.want = 0x0a000202; /* ours */
	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
	b->c.mac = fake_mac(3);
	b->c.want = 0xc0000201; /* elsewhere */
	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a000210);
}

static void test_another_server_was_chosen(void **state)
{
	struct bench *b = *state;

	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
	b->c.want = 0x0a000299;
	b->c.server = 0x0a000209;
	client_say(b, DHCP_REQUEST);
	client_expect_nothing(b);
	/* not held any more */
	b->c = (struct client){.mac = fake_mac(2), .want = 0x0a00020f};
	assert_int_equal(client_join(b), 0x0a00020f);
	/* a lease is not given up by that */
	b->c.want = 0x0a000299;
	b->c.server = 0x0a000209;
	client_say(b, DHCP_REQUEST);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
}

static void test_init_reboot(void **state)
{
	struct bench *b = *state;

	client_join(b);
	b->c.want = 0x0a00020f;
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_ACK, 0x0a00020f);
}

static void test_renew_and_rebind(void **state)
{
	struct bench *b = *state;

	client_join(b);
	b->c.ciaddr = 0x0a00020f;
	for (unsigned i = 0; i < 3; i++) {
		fake_lan_advance(&b->room.lan, 43200 * SECOND);
		client_say(b, DHCP_REQUEST);
		client_expect(b, DHCP_ACK, 0x0a00020f);
	}
	/* it is kept for a day from then on */
	fake_lan_advance(&b->room.lan, 86399 * SECOND);
	b->c = (struct client){.mac = fake_mac(2), .want = 0x0a00020f};
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_NAK, 0);
	fake_lan_advance(&b->room.lan, 2 * SECOND);
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_ACK, 0x0a00020f);
}

static void test_unknown_leases_after_a_restart(void **state)
{
	struct bench *b = *state;

	client_join(b);
	client_restart(b);
	b->c.ciaddr = 0x0a00020f;
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_ACK, 0x0a00020f);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c = (struct client){.mac = fake_mac(2), .want = 0x0a000220};
	client_restart(b);
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_ACK, 0x0a000220);
	/* nobody else gets it */
	b->c = (struct client){.mac = fake_mac(3), .ciaddr = 0x0a000220};
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_NAK, 0);
}

static void test_release(void **state)
{
	struct bench *b = *state;

	client_join(b);
	b->c.ciaddr = 0x0a000210; /* not its own */
	client_say(b, DHCP_RELEASE);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c.ciaddr = 0x0a00020f;
	b->c.server = 0x0a000209; /* another's lease */
	client_say(b, DHCP_RELEASE);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c.server = 0x0a000202;
	client_say(b, DHCP_RELEASE);
	client_expect_nothing(b);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	b->c = (struct client){.mac = fake_mac(1)};
	assert_int_equal(client_join(b), 0x0a00020f);
}

static void test_decline(void **state)
{
	struct bench *b = *state;

	client_join(b);
	b->c.want = 0x0a00020f;
	b->c.server = 0x0a000209;
	client_say(b, DHCP_DECLINE); /* another server's */
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c.server = 0x0a000202;
	client_say(b, DHCP_DECLINE);
	client_expect_nothing(b);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	b->c = (struct client){.mac = fake_mac(1)};
	assert_int_equal(client_join(b), 0x0a000210);
	b->c = (struct client){.mac = fake_mac(2), .want = 0x0a00020f};
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_NAK, 0);
	fake_lan_advance(&b->room.lan, 601 * SECOND);
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_ACK, 0x0a00020f);
}

static void test_inform(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;
	uint32_t v;

	b->c.ciaddr = 0x0a000263; /* set by hand */
	client_say(b, DHCP_INFORM);
	assert_true(client_heard(b, &m, &g));
	assert_int_equal(m.type, DHCP_ACK);
	assert_true(addr_is_unspecified(&m.hdr.yiaddr));
	assert_int_equal(addr_u32(&g.pkt.dst.ip), 0x0a000263);
	assert_true(dhcp_find_u32(&m, DHCP_O_MASK, &v));
	assert_int_equal(v, 0xffffff00);
	assert_false(dhcp_find_u32(&m, DHCP_O_LEASE_TIME, &v));
	assert_false(dhcp_find_u32(&m, DHCP_O_RENEW_TIME, &v));
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	b->c.ciaddr = 0xc0000201;
	client_say(b, DHCP_INFORM);
	client_expect_nothing(b);
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), 1);
}

static void test_bootp(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;
	struct rd r;

	client_say(b, DHCP_NONE);
	assert_true(client_heard(b, &m, &g));
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
		client_say(b, DHCP_REQUEST);
		assert_true(client_heard(b, &m, &g));
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

	client_join(b);
	b->c.want = 0x0a000202;
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_NAK, 0);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
	b->c.want = 0;
	assert_int_equal(client_join(b), 0x0a00020f);
	/* a request that is granted moves it */
	b->c.want = 0x0a000240;
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_ACK, 0x0a000240);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
}

/* --- who is who --- */

static void test_client_identifier_is_the_client(void **state)
{
	struct bench *b = *state;

	b->c.id = "\xff" "duid-one";
	assert_int_equal(client_join(b), 0x0a00020f);
	b->c.mac = fake_mac(2); /* the same machine by another card */
	assert_int_equal(client_join(b), 0x0a00020f);
	assert_true(mac_eq(b->bound_mac, b->c.mac));
	b->c.id = "\xff" "duid-two";
	assert_int_equal(client_join(b), 0x0a000210);
	b->c.id = NULL;
	assert_int_equal(client_join(b), 0x0a000211);
}

static void test_300_machines(void **state)
{
	uint8_t seen[256] = {0};
	struct bench *b = *state;
	unsigned n = 0;

	for (unsigned i = 0; i < 300; i++) {
		uint32_t ip;

		b->c = (struct client){.mac = fake_mac(100 + i)};
		ip = client_join(b);
		if (!ip)
			continue;
		n++;
		assert_int_equal(ip >> 8, 0x0a0002);
		assert_int_equal(seen[ip & 255]++, 0);
	}
	assert_int_equal(n, 240); /* .15 to .254 */
	assert_int_equal(client_drops(b, DROP_DHCP_NO_LEASE), 60);
	/* a day later the others have their turn */
	fake_lan_advance(&b->room.lan, 86401 * SECOND);
	for (unsigned i = 240; i < 300; i++) {
		b->c = (struct client){.mac = fake_mac(100 + i)};
		assert_int_not_equal(client_join(b), 0);
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
		n += client_join(b) != 0;
	}
	assert_int_equal(n, LEASE_PER_SENDER);
	assert_int_equal(client_drops(b, DROP_DHCP_NO_LEASE), 300 - n);
	b->c = (struct client){.mac = fake_mac(2)};
	assert_int_not_equal(client_join(b), 0);
}

/* The one lease there is. */
static struct lease only_lease(struct bench *b)
{
	struct list *bound = &dhcp_leases_of(b->dhcp)->by_state[LEASE_BOUND];

	assert_false(list_empty(bound));
	assert_ptr_equal(bound->next, bound->prev);
	return *container_of(bound->next, struct lease, order);
}

static void test_client_names(void **state)
{
	static const char wire[] = "\x04\0\0\x03vm7\x03lab\0";
	struct bench *b = *state;
	struct lease l;

	b->c.name = "guest-one";
	client_join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "guest-one");
	assert_int_equal(addr_u32(&l.ip), 0x0a00020f);
	b->c.name = NULL; /* not said again: kept */
	client_join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "guest-one");
	b->c.fqdn = wire;
	b->c.fqdn_len = sizeof(wire) - 1;
	client_join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "vm7.lab");
	b->c.fqdn = "\0\0\0plain.example";
	b->c.fqdn_len = 16;
	client_join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "plain.example");
	b->c.fqdn = "\x04\0\0\x09vm7"; /* cut short */
	b->c.fqdn_len = 7;
	client_join(b);
	b->c.fqdn = "\0\0\0a\nb";
	b->c.fqdn_len = 6;
	client_join(b);
	l = only_lease(b);
	assert_string_equal(l.name, "plain.example");
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
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), ++n);
	dhcp_input(b->dhcp, &p, junk, sizeof(junk));
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), ++n);
	b->c.giaddr = 0x0a000209; /* a relay's */
	client_say(b, DHCP_DISCOVER);
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.mac = fake_mac(1), .htype = 6};
	client_say(b, DHCP_DISCOVER);
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.mac = fake_mac(1), .op = DHCP_REPLY_OP};
	client_say(b, DHCP_DISCOVER);
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.mac = MAC_BROADCAST};
	client_say(b, DHCP_DISCOVER);
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.sender = fake_mac(1)}; /* no chaddr */
	client_say(b, DHCP_DISCOVER);
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), ++n);
	b->c = (struct client){.mac = fake_mac(1)};
	client_say(b, DHCP_OFFER);
	client_say(b, DHCP_ACK);
	client_say(b, DHCP_NAK);
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), n += 3);
	client_say(b, DHCP_REQUEST); /* for nothing */
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), ++n);
	assert_int_equal(b->room.guest->n_out, 0);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, client_setup, client_teardown)

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
		T(test_bad_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
