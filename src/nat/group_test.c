/* SPDX-License-Identifier: BSD-3-Clause */
/* Multicast between the lan and the host's network. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat/fake_nat.h"
#include "nat/group.h"
#include "wire/csum.h"
#include "wire/group.h"
#include "wire/ip.h"

enum { LINK4 = 4, LINK6 = 6 };

struct box {
	struct fake_nat *n;
	struct groups *g;
	struct endpoint mdns, ssdp, other; /* of the guest's family */
};

static void gw_send(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	struct box *t = f->arg;

	for (; mask; mask &= mask - 1) {
		const struct frame *fr = &b->f[__builtin_ctzll(mask)];
		struct packet pkt;

		(void)packet_parse(fr->hdr, fr->hdr_len, fr->len, &pkt);
		groups_input(t->g, &pkt, fr);
	}
	udp_flush(t->n->udp);
}

static struct endpoint end_of(const char *group, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_true(addr_parse(group, &e.ip));
	return e;
}

static int setup_family(void **state, bool is_v6)
{
	struct box *t = calloc(1, sizeof(*t));
	const struct fake_nat_config c = {
		.port = {.name = "vm0", .offload = PORT_O_CSUM},
		.is_v6 = is_v6};

	assert_non_null(t);
	t->n = fake_nat_new(&c);
	t->mdns = end_of(is_v6 ? "ff02::fb" : "224.0.0.251", 5353);
	t->ssdp = end_of(is_v6 ? "ff05::c" : "239.255.255.250", 1900);
	t->other = end_of(is_v6 ? "ff0e::9" : "239.1.2.3", 7000);
	assert_int_equal(groups_new(&t->n->env, t->n->udp, &t->g), 0);
	t->n->gw->arg = t;
	t->n->gw->on_send = gw_send;
	t->n->g.ttl = 1;
	groups_links(t->g, LINK4, LINK6);
	fake_nat_pass(t->n, FAKE_SECOND);
	*state = t;
	return 0;
}

static int setup4(void **state)
{
	return setup_family(state, false);
}

static int setup6(void **state)
{
	return setup_family(state, true);
}

static int teardown(void **state)
{
	struct box *t = *state;

	t->g = groups_free(t->g);
	t->n->gw->on_send = NULL;
	fake_nat_free(t->n);
	free(t);
	return 0;
}

/* The number of the socket that hears to, -1: there is none. */
static int hears(struct box *t, const struct endpoint *to)
{
	for (unsigned i = 0; i < t->n->fh->n_numbers; i++) {
		struct endpoint own;

		if (fake_is_open(t->n->fh, i) &&
		    fake_local(t->n->fh, i, &own) && endpoint_eq(&own, to))
			return (int)i;
	}
	return -1;
}

/* The guest joins, or leaves, as IGMPv2 and MLDv1 do. */
static void report(struct box *t, const addr *group, bool joins)
{
	const bool is_v4 = addr_is_v4(group);
	uint8_t m[24] = {is_v4 ? (joins ? 0x16 : 0x17) : (joins ? 131 : 132)};
	uint8_t b[128];
	struct wr w = wr_init(b, sizeof(b));
	const uint32_t len = is_v4 ? 8 : 24;
	const struct ip_hdr h = {.src = t->n->g.ip,
				 .dst = *group,
				 .l4_len = is_v4 ? len : len + 8,
				 .proto = is_v4 ? IPPROTO_IGMP : 0,
				 .ttl = 1};
	uint16_t c;

	memcpy(m + (is_v4 ? 4 : 8), group->b + (is_v4 ? 12 : 0),
	       is_v4 ? 4 : 16);
	c = csum_fold(csum_add(m, len,
			       is_v4 ? 0 : csum_pseudo(&h.src, &h.dst, 58,
						       len)));
	m[2] = (uint8_t)(c >> 8);
	m[3] = (uint8_t)c;
	ip_emit_frame(&w, group_mac(group), t->n->g.mac, &h);
	if (!is_v4)
		wr_bytes(&w, "\x3a\0\5\2\0\0\1\0", 8);
	wr_bytes(&w, m, len);
	fake_rx(t->n->g.port, b, (uint32_t)wr_len(&w), NULL);
	groups_listeners(t->g);
	fake_nat_pass(t->n, FAKE_SECOND);
}

static void say(struct box *t, uint16_t sport, const struct endpoint *to)
{
	t->n->g.gw_mac = group_mac(&to->ip);
	fake_guest_udp(&t->n->g, sport, to, "question", 8);
	fake_guest_kick(&t->n->g);
}

/* Somebody outside says what to a group; true if the guest gets it. */
static bool hears_from(struct box *t, const struct endpoint *to,
		 const struct endpoint *from, const char *what)
{
	int sock = hears(t, to);
	struct fake_got got;

	fake_clear(t->n->g.port);
	if (sock < 0)
		return false;
	assert_true(fake_deliver(t->n->fh, (unsigned)sock, from, what,
				 strlen(what)));
	fake_host_run(t->n->fh);
	if (!fake_guest_got(&t->n->g, 0, &got))
		return false;
	assert_true(endpoint_eq(&got.pkt.src, from));
	assert_true(endpoint_eq(&got.pkt.dst, to));
	assert_true(mac_eq(got.pkt.eth_dst, group_mac(&to->ip)));
	assert_true(got.csum_ok);
	assert_int_equal(got.l4_len, 8 + strlen(what));
	return true;
}

static void test_mdns_is_heard_at_once(void **state)
{
	struct box *t = *state;
	const struct endpoint from = fake_nat_ep(t->n, 7, 5353);

	assert_true(hears_from(t, &t->mdns, &from, "hello"));
	assert_int_equal(hears(t, &t->ssdp), -1); /* nobody joined */
	assert_int_equal(fake_option(t->n->fh,
				     (unsigned)hears(t, &t->mdns),
				     HOST_OPT_GROUP_LINK),
			 addr_is_v4(&t->mdns.ip) ? LINK4 : LINK6);
}

/* Whom no guest could answer is the gateway. */
static void test_an_address_of_another_link(void **state)
{
	const struct endpoint from = {.ip = {{0xfe, 0x80, 0, 0, 0, 0, 0, 3,
					      [15] = 7}}, .port = 5353};
	struct box *t = *state;
	struct fake_got got;
	int sock = hears(t, &t->mdns);

	if (addr_is_v4(&t->mdns.ip))
		return;
	fake_clear(t->n->g.port);
	assert_true(fake_deliver(t->n->fh, (unsigned)sock, &from, "hello", 5));
	fake_host_run(t->n->fh);
	assert_true(fake_guest_got(&t->n->g, 0, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &t->n->gw_ip));
	assert_true(got.csum_ok);
}

static void test_a_group_while_it_is_joined(void **state)
{
	struct box *t = *state;
	const struct endpoint from = fake_nat_ep(t->n, 7, 40000);

	report(t, &t->ssdp.ip, true);
	assert_true(hears_from(t, &t->ssdp, &from, "NOTIFY"));
	report(t, &t->ssdp.ip, false);
	assert_int_equal(hears(t, &t->ssdp), -1);
	/* of another group the port is known when a guest has sent there */
	report(t, &t->other.ip, true);
	assert_int_equal(hears(t, &t->other), -1);
	say(t, 5000, &t->other);
	assert_true(hears_from(t, &t->other, &from, "hello"));
	report(t, &t->other.ip, false);
	assert_int_equal(hears(t, &t->other), -1);
}

/* From the group's port by the group's socket, with the guest's hop limit; and
 * what comes back of it is not given to the guests again. */
static void test_out_from_the_port(void **state)
{
	struct box *t = *state;
	const struct endpoint self = fake_nat_ep(t->n, 99, 5353);
	const struct fake_sent *s;

	t->n->g.ttl = 255;
	say(t, 5353, &t->mdns);
	s = fake_sent(t->n->fh, 0);
	assert_non_null(s);
	assert_int_equal(s->sock, hears(t, &t->mdns));
	assert_true(endpoint_eq(&s->to, &t->mdns));
	assert_int_equal(fake_option(t->n->fh, s->sock, HOST_OPT_GROUP_TTL),
			 255);
	assert_false(hears_from(t, &t->mdns, &self, "question"));
	assert_true(hears_from(t, &t->mdns, &self, "question")); /* another's */
	say(t, 5353, &t->mdns);
	fake_nat_pass(t->n, 3 * FAKE_SECOND);
	assert_true(hears_from(t, &t->mdns, &self, "question"));
}

/* From another port by the guest's mapping, where the answer comes. */
static void test_out_from_another_port(void **state)
{
	struct box *t = *state;
	const struct endpoint answer = fake_nat_ep(t->n, 7, 1900);
	const struct fake_sent *s;
	struct endpoint self;
	struct fake_got got;

	report(t, &t->ssdp.ip, true);
	t->n->g.ttl = 2;
	say(t, 5000, &t->ssdp);
	s = fake_sent(t->n->fh, 0);
	assert_non_null(s);
	assert_true(endpoint_eq(&s->to, &t->ssdp));
	assert_int_not_equal(s->sock, hears(t, &t->ssdp));
	assert_int_equal(fake_option(t->n->fh, s->sock, HOST_OPT_GROUP_TTL), 2);
	assert_int_equal(fake_option(t->n->fh, s->sock, HOST_OPT_GROUP_LINK),
			 addr_is_v4(&t->ssdp.ip) ? LINK4 : LINK6);
	self = fake_nat_ep(t->n, 99, (uint16_t)(40000 + s->sock));
	assert_false(hears_from(t, &t->ssdp, &self, "question"));
	fake_clear(t->n->g.port);
	assert_true(fake_deliver(t->n->fh, s->sock, &answer, "here", 4));
	fake_host_run(t->n->fh);
	assert_true(fake_guest_got(&t->n->g, 0, &got));
	assert_true(endpoint_eq(&got.pkt.src, &answer));
	assert_int_equal(got.pkt.dst.port, 5000);
}

static void test_what_does_not_pass(void **state)
{
	struct box *t = *state;
	const bool is_v4 = addr_is_v4(&t->mdns.ip);
	const struct endpoint all = end_of(is_v4 ? "224.0.0.1" : "ff02::1", 9);
	const struct endpoint dhcp =
		end_of(is_v4 ? "224.0.0.251" : "ff02::1:2", 547);
	const struct endpoint inside = {.ip = t->n->g.ip, .port = 5353};
	uint64_t *n = t->n->drops.n;

	say(t, 5000, &all);
	say(t, 5000, &dhcp);
	assert_int_equal(n[DROP_IP_MULTICAST], 2);
	assert_int_equal(t->n->fh->n_sent, 0);
	assert_false(hears_from(t, &t->mdns, &inside, "hello"));
	assert_int_equal(n[DROP_IP_SOURCE], 1);
	t->n->g.port->port.caps.is_uplink = true;
	say(t, 5353, &t->mdns);
	assert_int_equal(n[DROP_IP_MULTICAST], 3);
	t->n->g.port->port.caps.is_uplink = false;
	groups_links(t->g, 0, 0); /* the host leads nowhere */
	assert_int_equal(hears(t, &t->mdns), -1);
	say(t, 5353, &t->mdns);
	assert_int_equal(n[DROP_IP_MULTICAST], 4);
	assert_int_equal(t->n->fh->n_sent, 0);
}

static void test_bounds(void **state)
{
	struct box *t = *state;
	const struct endpoint from = fake_nat_ep(t->n, 7, 5353);
	uint64_t *n = t->n->drops.n;
	unsigned got = 0;

	for (unsigned i = 0; i < GROUP_RATE + 10; i++)
		say(t, 5353, &t->mdns);
	assert_int_equal(t->n->fh->n_sent, GROUP_RATE);
	assert_int_equal(n[DROP_GROUP_RATE], 10);
	for (unsigned i = 0; i < GROUP_RATE + 10; i++)
		got += hears_from(t, &t->mdns, &from, "hello");
	assert_int_equal(got, GROUP_RATE);
	fake_nat_pass(t->n, FAKE_SECOND);
	assert_true(hears_from(t, &t->mdns, &from, "hello"));
	/* sockets: a guest joins and uses more than there are */
	for (unsigned i = 0; i < GROUP_SOCKS_MAX + 10; i++) {
		struct endpoint to = t->other;

		to.port = (uint16_t)(7000 + i);
		if (i == 0)
			report(t, &to.ip, true);
		say(t, to.port, &to);
	}
	assert_int_equal(t->n->fh->n_socks - udp_n_flows(t->n->udp),
			 GROUP_SOCKS_MAX);
}

static void test_another_way_out(void **state)
{
	struct box *t = *state;
	int before = hears(t, &t->mdns);

	groups_links(t->g, LINK4 + 1, LINK6 + 1);
	fake_nat_pass(t->n, FAKE_SECOND);
	assert_int_not_equal(hears(t, &t->mdns), before);
	assert_int_not_equal(hears(t, &t->mdns), -1);
	fake_fail(t->n->fh, FAKE_OPEN, 97, 100); /* EAFNOSUPPORT */
	groups_links(t->g, LINK4, LINK6);
	fake_nat_pass(t->n, FAKE_SECOND);
	assert_int_equal(hears(t, &t->mdns), -1);
	assert_true(t->n->drops.n[DROP_HOST_SOCKET] > 0);
}

#define BOTH(f)                                                                \
	cmocka_unit_test_setup_teardown(f, setup4, teardown),                  \
	cmocka_unit_test_setup_teardown(f, setup6, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_mdns_is_heard_at_once),
		BOTH(test_an_address_of_another_link),
		BOTH(test_a_group_while_it_is_joined),
		BOTH(test_out_from_the_port),
		BOTH(test_out_from_another_port),
		BOTH(test_what_does_not_pass),
		BOTH(test_bounds),
		BOTH(test_another_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
