/* SPDX-License-Identifier: BSD-3-Clause */
/* The gateway as a neighbour and a router of IPv6. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "gateway/gateway_nd.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/group.h"
#include "wire/icmp.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static const addr ll6 = {{0xfe, 0x80, [15] = 2}};
static const addr guest_ll6 = {{0xfe, 0x80, [15] = 0x15}};
static const addr none;

static int setup(void **state)
{
	return fake_gateway_setup6(state, fake_gateway_config6());
}

static int setup_names(void **state)
{
	struct gateway_config gc = fake_gateway_config6();

	strcpy(gc.dnssearch[0], "lab.example");
	strcpy(gc.dnssearch[1], "no..name");
	gc.n_dnssearch = 2;
	strcpy(gc.domainname, "x");
	gc.mtu = 9000;
	return fake_gateway_setup6(state, gc);
}

static int setup_router(void **state)
{
	struct gateway_config gc = fake_gateway_config6();

	gc.router4 = addr_v4(10, 0, 2, 1);
	return fake_gateway_setup6(state, gc);
}

/* No SLAAC is possible in such a network. */
static int setup_short(void **state)
{
	struct gateway_config gc = fake_gateway_config6();

	gc.v6.net.len = 48;
	gc.mtu = 600;
	return fake_gateway_setup6(state, gc);
}

static int setup_without(void **state)
{
	return fake_gateway_setup6(state, fake_gateway_config());
}

/* --- what passes --- */

/* The guest says m; nothing it heard before is remembered. */
static void say_to(struct fake_gateway *b, mac to, const addr *src,
		   const addr *dst, const struct nd_msg *m)
{
	uint8_t buf[2000];
	struct wr w = wr_init(buf, sizeof(buf));

	nd_emit_frame(&w, to, b->g.mac, src, dst, m);
	fake_clear(b->g.port);
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
}

static void say(struct fake_gateway *b, const addr *src, const addr *dst,
		const struct nd_msg *m)
{
	say_to(b, addr_is_multicast(dst) ? group_mac(dst) : b->g.gw_mac, src,
	       dst, m);
}

/* Message i that the guest got. */
static bool heard(struct fake_gateway *b, unsigned i, struct packet *pkt,
		  struct nd_msg *m)
{
	const struct fake_frame *f;

	if (i >= b->g.port->n_out)
		return false;
	f = &b->g.port->out[i];
	return packet_parse(f->data, f->len, f->len, pkt) == PACKET_OK &&
	       nd_parse(pkt, f->data + pkt->l4_off, false, m);
}

/* The only one. */
static struct nd_msg heard_one(struct fake_gateway *b, struct packet *pkt,
			       uint8_t type)
{
	struct nd_msg m;

	assert_int_equal(b->g.port->n_out, 1);
	assert_true(heard(b, 0, pkt, &m));
	assert_int_equal(m.type, type);
	return m;
}

static struct nd_msg solicit(const struct fake_gateway *b, addr target)
{
	return (struct nd_msg){
		.type = ND_SOLICIT, .source = b->g.mac, .target = target};
}

/* The guest asks who has target. */
static void ask(struct fake_gateway *b, addr target)
{
	const struct nd_msg m = solicit(b, target);
	const addr group = nd_solicited(&target);

	say(b, &b->g.ip, &group, &m);
}

static void ask_router(struct fake_gateway *b, const addr *src)
{
	const struct nd_msg m = {.type = ND_SOLICIT_ROUTER};
	const addr all = {{0xff, 2, [15] = 2}};

	say(b, src, &all, &m);
}

/* --- our addresses --- */

static void test_ours_are_answered(void **state)
{
	const struct gateway_guestfwd fwd = {
		.server = {.ip = fake_inside6(4), .port = 80},
		.target = fake_ep(127, 0, 0, 1, 80)};
	const addr ours[] = {fake_inside6(2), fake_inside6(3), ll6,
			     fake_inside6(4)};
	struct fake_gateway *b = *state;
	struct packet pkt;
	struct nd_msg m;

	assert_int_equal(gateway_guestfwd_add(b->gw, &fwd), 0);
	for (unsigned i = 0; i < 4; i++) {
		ask(b, ours[i]);
		m = heard_one(b, &pkt, ND_ADVERTISE);
		assert_true(addr_eq(&m.target, &ours[i]));
		assert_true(addr_eq(&pkt.src.ip, &ours[i]));
		assert_true(addr_eq(&pkt.dst.ip, &b->g.ip));
		assert_true(mac_eq(pkt.eth_dst, b->g.mac));
		assert_true(mac_eq(m.target_mac, FAKE_GW_MAC));
		assert_true(m.is_solicited && m.overrides && m.is_router);
	}
}

/* A guest that wants to know whether we are still there names its MAC or
 * not (RFC 4861 4.3). */
static void test_unicast_question(void **state)
{
	struct fake_gateway *b = *state;
	struct nd_msg m = solicit(b, ll6);
	struct packet pkt;

	m.source = (mac){{0}};
	say(b, &guest_ll6, &ll6, &m);
	m = heard_one(b, &pkt, ND_ADVERTISE);
	assert_true(m.is_solicited);
	assert_true(addr_eq(&pkt.dst.ip, &guest_ll6));
}

static void test_others_are_not_answered(void **state)
{
	const addr others[] = {fake_inside6(9), fake_ep6(1, 0).ip,
			       {{0xfe, 0x80, [15] = 9}}, fake_inside6(0)};
	struct fake_gateway *b = *state;

	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++) {
		ask(b, others[i]);
		assert_int_equal(b->g.port->n_out, 0);
	}
}

/* RFC 4862 5.4. */
static void test_ours_are_defended(void **state)
{
	const addr ours[] = {fake_inside6(2), fake_inside6(3), ll6};
	struct fake_gateway *b = *state;
	struct packet pkt;
	addr own;
	struct nd_msg m;

	for (unsigned i = 0; i < 3; i++) {
		const addr group = nd_solicited(&ours[i]);
		const addr all = nd_all_nodes();

		m = (struct nd_msg){.type = ND_SOLICIT, .target = ours[i]};
		say(b, &none, &group, &m);
		m = heard_one(b, &pkt, ND_ADVERTISE);
		assert_true(addr_eq(&pkt.dst.ip, &all));
		assert_true(mac_eq(pkt.eth_dst, group_mac(&all)));
		assert_true(addr_eq(&m.target, &ours[i]));
		assert_true(m.overrides && !m.is_solicited);
	}
	m.target = b->g.ip; /* its own */
	own = nd_solicited(&m.target);
	say(b, &none, &own, &m);
	assert_int_equal(b->g.port->n_out, 0);
}

static void test_what_is_no_message(void **state)
{
	struct fake_gateway *b = *state;
	const addr gw = fake_inside6(2);
	struct nd_msg m = solicit(b, gw);
	uint8_t buf[200];
	struct wr w = wr_init(buf, sizeof(buf));

	nd_emit_frame(&w, b->g.gw_mac, b->g.mac, &b->g.ip, &gw, &m);
	buf[21] = 64; /* of another network */
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
	buf[21] = 255;
	buf[60] ^= 1;
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
	buf[60] ^= 1;
	buf[54] = ND_REDIRECT;
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
	assert_int_equal(b->drops.n[DROP_ND_BAD], 3);
	assert_int_equal(b->g.port->n_out, 0);
}

static void test_sources(void **state)
{
	const addr bad[] = {fake_inside6(2), fake_inside6(3), fake_inside6(0),
			    fake_ep6(1, 0).ip, {{[15] = 1}}, ll6};
	const unsigned n = sizeof(bad) / sizeof(*bad);
	struct fake_gateway *b = *state;
	const struct endpoint far = fake_ep6(1, 9);

	for (unsigned i = 0; i < n; i++) {
		b->g.ip = bad[i];
		ask(b, fake_inside6(3));
		ask_router(b, &bad[i]);
		fake_guest_udp(&b->g, 5000, &far, "question", 8);
		fake_guest_kick(&b->g);
	}
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 3 * n);
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(b->fh->n_sent, 0);
}

/* Inside, such addresses are those of IPv4. */
static void test_two_families_in_one(void **state)
{
	struct fake_gateway *b = *state;
	uint8_t buf[62] = {0x52, 0x55, 10, 0, 2, 2, 2, 0, 0, 0, 0, 1, 0x86,
			   0xdd, 0x60, 0, 0, 0, 0, 8, 17, 64};

	memset(buf + 32, 0xff, 2); /* ::ffff:10.0.2.15 */
	memcpy(buf + 34, "\12\0\2\17", 4);
	buf[38] = 0x20;
	fake_rx(b->g.port, buf, sizeof(buf), NULL);
	assert_int_equal(b->drops.n[DROP_IP6_SHORT], 1);
}

/* --- guests' addresses --- */

static struct gateway_forward forward(struct fake_gateway *b, addr guest)
{
	struct gateway_forward f = {.proto = IPPROTO_UDP,
				    .guest = {.ip = guest, .port = 22},
				    .fd = fake_udp(b->fh, 2222)};

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	return f;
}

/* A datagram from outside for the guest. */
static void deliver(struct fake_gateway *b, const struct gateway_forward *f)
{
	const struct endpoint client = fake_ep6(7, 777);

	fake_clear(b->g.port);
	fake_deliver(b->fh, (unsigned)f->fd, &client, "hello", 5);
	fake_host_run(b->fh);
}

static void expect_hello(struct fake_gateway *b, unsigned i, mac to)
{
	struct fake_got got;

	assert_true(fake_guest_got(&b->g, i, &got));
	assert_int_equal(got.pkt.proto, IPPROTO_UDP);
	assert_true(got.csum_ok);
	assert_memory_equal(got.l4 + 8, "hello", 5);
	assert_true(mac_eq(got.pkt.eth_dst, to));
}

static void test_unknown_guest_is_asked_for(void **state)
{
	struct fake_gateway *b = *state;
	const struct gateway_forward f = forward(b, b->g.ip);
	const addr group = nd_solicited(&b->g.ip), gw = fake_inside6(2);
	struct packet pkt;
	struct nd_msg m;

	deliver(b, &f);
	m = heard_one(b, &pkt, ND_SOLICIT);
	assert_true(addr_eq(&m.target, &b->g.ip));
	assert_true(addr_eq(&pkt.src.ip, &gw));
	assert_true(addr_eq(&pkt.dst.ip, &group));
	assert_true(mac_eq(pkt.eth_dst, group_mac(&group)));
	assert_true(mac_eq(m.source, FAKE_GW_MAC));
	m = (struct nd_msg){.type = ND_ADVERTISE,
			    .target = b->g.ip,
			    .target_mac = b->g.mac,
			    .is_solicited = true,
			    .overrides = true};
	say(b, &b->g.ip, &gw, &m);
	fake_gateway_pass(b, 10 * MS);
	assert_int_equal(b->g.port->n_out, 1); /* what was held for it */
	expect_hello(b, 0, b->g.mac);
}

/* By its own question, and by its question for a router. */
static void test_guest_is_learned(void **state)
{
	struct fake_gateway *b = *state;
	const struct gateway_forward f = forward(b, b->g.ip);
	const struct nd_msg m = {.type = ND_SOLICIT_ROUTER,
				 .source = fake_mac(7)};
	const addr routers = {{0xff, 2, [15] = 2}};

	ask(b, fake_inside6(2));
	deliver(b, &f);
	assert_int_equal(b->g.port->n_out, 1);
	expect_hello(b, 0, b->g.mac);
	say(b, &b->g.ip, &routers, &m);
	deliver(b, &f);
	expect_hello(b, 0, fake_mac(7));
}

static void advertise(struct fake_gateway *b, addr target, mac at,
		      bool overrides)
{
	const struct nd_msg m = {.type = ND_ADVERTISE,
				 .target = target,
				 .target_mac = at,
				 .overrides = overrides};
	const addr all = nd_all_nodes();

	say(b, &guest_ll6, &all, &m);
}

static void test_what_is_not_believed(void **state)
{
	struct fake_gateway *b = *state;
	const struct gateway_forward f = forward(b, b->g.ip);

	advertise(b, fake_inside6(2), b->g.mac, true);
	advertise(b, ll6, b->g.mac, true);
	advertise(b, fake_ep6(1, 0).ip, b->g.mac, true);
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 3);
	assert_int_equal(b->g.port->n_out, 0);
	advertise(b, b->g.ip, b->g.mac, false); /* of an unknown one */
	deliver(b, &f);
	expect_hello(b, 0, b->g.mac);
	advertise(b, b->g.ip, fake_mac(7), false);
	deliver(b, &f);
	expect_hello(b, 0, b->g.mac);
	advertise(b, b->g.ip, fake_mac(7), true);
	deliver(b, &f);
	expect_hello(b, 0, fake_mac(7));
	advertise(b, b->g.ip, MAC_BROADCAST, true); /* a group is nobody */
	deliver(b, &f);
	expect_hello(b, 0, fake_mac(7));
}

/* RFC 4861 7.3: it is asked where it was, then everywhere. */
static void unreachable(struct fake_gateway *b, const struct gateway_forward *f,
			bool (*is_question)(struct fake_gateway *, mac *))
{
	mac to;

	fake_gateway_pass(b, 29 * SECOND);
	deliver(b, f);
	expect_hello(b, 0, b->g.mac);
	for (unsigned i = 0; i < 3; i++) {
		fake_gateway_pass(b, 2 * SECOND);
		deliver(b, f);
		assert_int_equal(b->g.port->n_out, 2);
		assert_true(is_question(b, &to));
		assert_true(mac_eq(to, b->g.mac));
		expect_hello(b, 1, b->g.mac);
		deliver(b, f); /* not asked twice at once */
		assert_int_equal(b->g.port->n_out, 1);
	}
	fake_gateway_pass(b, 2 * SECOND);
	deliver(b, f);
	assert_int_equal(b->g.port->n_out, 1);
	assert_true(is_question(b, &to));
	assert_true(mac_is_group(to));
	fake_gateway_pass(b, 4 * SECOND);
	assert_int_equal(b->drops.n[DROP_NEIGH_FAILED], 1);
}

static bool is_solicit(struct fake_gateway *b, mac *top)
{
	struct packet pkt;
	struct nd_msg m;

	if (!heard(b, 0, &pkt, &m) || m.type != ND_SOLICIT)
		return false;
	*top = pkt.eth_dst;
	return addr_eq(&m.target, &b->g.ip);
}

static bool is_arp(struct fake_gateway *b, mac *top)
{
	struct rd r;
	struct eth_hdr eth;
	struct arp_msg m;

	if (!b->g.port->n_out)
		return false;
	r = rd_init(b->g.port->out[0].data, b->g.port->out[0].len);
	if (!eth_parse(&r, &eth) || !arp_parse(&r, &m))
		return false;
	*top = eth.dst;
	return m.op == ARP_REQUEST && addr_eq(&m.tpa, &b->g.ip);
}

static void test_silent_guest(void **state)
{
	struct fake_gateway *b = *state;
	const struct gateway_forward f = forward(b, b->g.ip);

	gateway_ways(b->gw, true, true);
	fake_gateway_pass(b, 60 * SECOND); /* the first advertisements */
	ask(b, fake_inside6(2));
	unreachable(b, &f, is_solicit);
}

static void test_silent_guest4(void **state)
{
	struct fake_gateway *b = *state;
	const addr guest4 = addr_v4(10, 0, 2, 15);
	const struct gateway_forward f = forward(b, guest4);

	b->g.ip = guest4;
	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g);
	unreachable(b, &f, is_arp);
}

static void test_guest_that_answers(void **state)
{
	struct fake_gateway *b = *state;
	const struct gateway_forward f = forward(b, b->g.ip);
	mac to;

	fake_gateway_pass(b, 60 * SECOND);
	ask(b, fake_inside6(2));
	for (unsigned i = 0; i < 5; i++) {
		fake_gateway_pass(b, 31 * SECOND);
		deliver(b, &f);
		assert_int_equal(b->g.port->n_out, 2);
		assert_true(is_solicit(b, &to));
		advertise(b, b->g.ip, b->g.mac, true);
		deliver(b, &f);
		assert_int_equal(b->g.port->n_out, 1);
	}
}

static bool has_heard(const struct fake_gateway *b, addr ip)
{
	const struct port *p = &b->g.port->port;
	unsigned i = 0;

	while (i < p->n_heard && !addr_eq(&p->heard[i], &ip))
		i++;
	return i < p->n_heard;
}

/* For those who ask where a machine is (heard.h). */
static void test_people_hear_of_it(void **state)
{
	struct fake_gateway *b = *state;
	const addr gw = fake_inside6(2);
	struct nd_msg m = solicit(b, gw);

	say(b, &b->g.ip, &gw, &m); /* not flooded: we alone hear it */
	assert_true(has_heard(b, b->g.ip));
	m = (struct nd_msg){.type = ND_ADVERTISE,
			    .target = fake_inside6(0x16),
			    .target_mac = b->g.mac};
	say(b, &guest_ll6, &gw, &m);
	assert_true(has_heard(b, fake_inside6(0x16)));
	assert_false(has_heard(b, gw));
}

/* --- as a router --- */

static void expect_router(const struct fake_gateway *b,
			  const struct packet *pkt, const struct nd_msg *m)
{
	const struct nd_router *r = &m->router;
	const addr dns = fake_inside6(3), net = fake_inside6(0);

	assert_true(addr_eq(&pkt->src.ip, &ll6));
	assert_true(mac_eq(pkt->eth_src, FAKE_GW_MAC));
	assert_true(mac_eq(m->source, FAKE_GW_MAC));
	assert_int_equal(r->hop_limit, 64);
	assert_int_equal(r->lifetime_s, 1800);
	assert_int_equal(r->mtu, 1500);
	assert_true(r->has_prefix && r->is_on_link && r->is_autonomous);
	assert_int_equal(r->prefix.len, 64);
	assert_true(addr_eq(&r->prefix.ip, &net));
	assert_int_equal(r->valid_s, 2592000);
	assert_int_equal(r->preferred_s, 604800);
	assert_true(addr_eq(&r->dns, &dns));
	assert_int_equal(r->dns_s, 1800);
	assert_int_equal(r->search_len, 0);
}

static void test_question_for_routers(void **state)
{
	const addr all = nd_all_nodes();
	struct fake_gateway *b = *state;
	struct packet pkt;
	struct nd_msg m;

	ask_router(b, &guest_ll6);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	expect_router(b, &pkt, &m);
	assert_true(addr_eq(&pkt.dst.ip, &guest_ll6));
	assert_true(mac_eq(pkt.eth_dst, b->g.mac));
	ask_router(b, &none);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	expect_router(b, &pkt, &m);
	assert_true(addr_eq(&pkt.dst.ip, &all));
	assert_true(mac_eq(pkt.eth_dst, b->g.mac)); /* nobody is bothered */
}

/* When the guest hears of us next, without asking. */
static uint64_t next_word(struct fake_gateway *b, struct nd_msg *m)
{
	const addr all = nd_all_nodes();
	uint64_t from = b->now_ns;
	struct packet pkt;

	fake_clear(b->g.port);
	while (!b->g.port->n_out && b->now_ns - from < 1000 * SECOND)
		fake_gateway_pass(b, 100 * MS);
	*m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	assert_true(addr_eq(&pkt.dst.ip, &all));
	assert_true(mac_eq(pkt.eth_dst, group_mac(&all)));
	fake_clear(b->g.port);
	return (b->now_ns - from) / SECOND;
}

static void test_words_of_its_own(void **state)
{
	struct fake_gateway *b = *state;
	uint64_t before = 0;
	bool is_other = false;
	struct nd_msg m;

	for (unsigned i = 0; i < 2; i++) /* there was one before the guest */
		assert_in_range(next_word(b, &m), 15, 16);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t s = next_word(b, &m);

		assert_in_range(s, 199, 601);
		is_other |= i && s != before;
		before = s;
	}
	assert_true(is_other);
}

static void test_ways_come_and_go(void **state)
{
	struct fake_gateway *b = *state;
	struct packet pkt;
	struct nd_msg m;

	fake_gateway_pass(b, SECOND);
	gateway_ways(b->gw, true, true); /* no news */
	assert_int_equal(b->g.port->n_out, 0);
	gateway_ways(b->gw, true, false);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	assert_int_equal(m.router.lifetime_s, 0);
	assert_true(m.router.has_prefix); /* among themselves all is well */
	assert_false(addr_is_unspecified(&m.router.dns));
	ask_router(b, &guest_ll6);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	assert_int_equal(m.router.lifetime_s, 0);
	ask(b, fake_inside6(2));
	m = heard_one(b, &pkt, ND_ADVERTISE);
	assert_false(m.is_router);
	/* who changes often is heard of less often */
	fake_clear(b->g.port);
	for (unsigned i = 0; i < 11; i++)
		gateway_ways(b->gw, true, i % 2 == 0);
	assert_int_equal(b->g.port->n_out, 0);
	fake_gateway_pass(b, 400 * MS);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	assert_int_equal(m.router.lifetime_s, 1800);
}

static void test_names_and_mtu(void **state)
{
	struct fake_gateway *b = *state;
	struct packet pkt;
	struct nd_msg m;

	ask_router(b, &guest_ll6);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	assert_int_equal(m.router.mtu, 9000);
	assert_int_equal(m.router.search_len, 16);
	assert_memory_equal(m.router.search, "\3lab\7example\0\1x", 16);
	assert_int_equal(m.router.search_s, 1800);
}

static void test_network_without_slaac(void **state)
{
	struct fake_gateway *b = *state;
	struct packet pkt;
	struct nd_msg m;

	ask_router(b, &guest_ll6);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	assert_int_equal(m.router.prefix.len, 48);
	assert_true(m.router.is_on_link && !m.router.is_autonomous);
	assert_int_equal(m.router.mtu, 1280); /* no link may have less */
}

static struct nd_msg closed(struct fake_gateway *b)
{
	struct packet pkt;
	struct nd_msg m;

	ask_router(b, &guest_ll6);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	assert_int_equal(m.router.lifetime_s, 0);
	assert_true(m.router.is_autonomous);
	return m;
}

static void test_closed_network(void **state)
{
	const struct nd_msg m = closed(*state);

	assert_true(addr_is_unspecified(&m.router.dns));
}

static void test_closed_but_for_services(void **state)
{
	const struct nd_msg m = closed(*state);

	assert_false(addr_is_unspecified(&m.router.dns));
}

static void test_other_router(void **state)
{
	const struct nd_msg m = closed(*state);

	assert_false(addr_is_unspecified(&m.router.dns));
}

static void test_goodbye(void **state)
{
	struct fake_gateway *b = *state;
	struct packet pkt;
	struct nd_msg m;

	b->gw = gateway_free(b->gw);
	m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);
	assert_int_equal(m.router.lifetime_s, 0);
	assert_int_equal(m.router.dns_s, 0);
}

static void test_where_it_is_off(void **state)
{
	struct fake_gateway *b = *state;

	ask_router(b, &guest_ll6);
	ask(b, fake_inside6(2));
	gateway_ways(b->gw, true, true);
	fake_gateway_pass(b, 700 * SECOND);
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(b->drops.n[DROP_ETHERTYPE], 2);
	b->gw = gateway_free(b->gw);
	assert_int_equal(b->g.port->n_out, 0);
}

/* Two of our kind on one lan, of one network in IPv6: neither makes the other
 * speak. */
static void test_two_gateways(void **state)
{
	struct fake_gateway *b = *state;
	struct gateway_config gc = fake_gateway_config6();
	const struct gateway_env ge = {.host = &b->fh->host,
				       .wheel = &b->wheel,
				       .now_ns = &b->now_ns,
				       .lan = b->lan,
				       .drops = &b->drops};
	struct gateway_forward f;
	struct gateway *other;

	gc.v4.net.ip = addr_v4(10, 0, 3, 0);
	gc.v4.gw = addr_v4(10, 0, 3, 2);
	gc.v4.dns = addr_v4(10, 0, 3, 3);
	gc.dhcp_start4 = addr_v4(10, 0, 3, 15);
	assert_int_equal(gateway_new(&ge, &gc, &other), 0);
	assert_int_equal(b->g.port->n_out, 1);
	fake_clear(b->g.port);
	fake_gateway_pass(b, 14 * SECOND);
	assert_int_equal(b->g.port->n_out, 0);
	fake_gateway_pass(b, 10 * SECOND);
	assert_int_equal(b->g.port->n_out, 2); /* one of each */
	f = forward(b, b->g.ip);
	deliver(b, &f); /* both hear the question */
	assert_int_equal(b->g.port->n_out, 1);
	ask(b, fake_inside6(2));
	assert_int_equal(b->g.port->n_out, 2); /* as with ARP */
	assert_int_equal(b->drops.n[DROP_LAN_LOOP], 0);
	gateway_free(other);
	fake_gateway_pass(b, 10 * SECOND); /* the datagram is lost */
}

#define T(f) TW(f, setup)
#define TW(f, s) \
	cmocka_unit_test_setup_teardown(f, s, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ours_are_answered),
		T(test_unicast_question),
		T(test_others_are_not_answered),
		T(test_ours_are_defended),
		T(test_what_is_no_message),
		T(test_sources),
		T(test_two_families_in_one),
		T(test_unknown_guest_is_asked_for),
		T(test_guest_is_learned),
		T(test_what_is_not_believed),
		T(test_silent_guest),
		T(test_silent_guest4),
		T(test_guest_that_answers),
		T(test_people_hear_of_it),
		T(test_question_for_routers),
		T(test_words_of_its_own),
		T(test_ways_come_and_go),
		TW(test_names_and_mtu, setup_names),
		TW(test_network_without_slaac, setup_short),
		TW(test_closed_network, fake_gateway_setup_closed6),
		TW(test_closed_but_for_services, fake_gateway_setup_services6),
		TW(test_other_router, setup_router),
		T(test_goodbye),
		TW(test_where_it_is_off, setup_without),
		T(test_two_gateways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
