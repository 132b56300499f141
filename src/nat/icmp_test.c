/* SPDX-License-Identifier: BSD-3-Clause */
/* Ping, ICMP errors, and every ICMP drop. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include <cmocka.h>

#include "base/cursor.h"
#include "nat/fake_nat.h"
#include "wire/csum.h"

/* What messages are called in each family (RFC 792, 4443). */
static const struct names {
	uint8_t proto, echo, reply, unreachable, exceeded, parameter, origin;
	uint8_t u_net, u_host, u_port, u_admin;
	uint32_t ip_len, error_max; /* of an error, from the IP header on */
} names4 = {1, 8, 0, 3, 11, 12, SO_EE_ORIGIN_ICMP, 0, 1, 3, 13, 20, 576},
  names6 = {58, 128, 129, 1, 3, 4, SO_EE_ORIGIN_ICMP6, 0, 3, 4, 1, 40, 1280};

static const struct names *names(const struct fake_nat *n)
{
	return addr_is_v4(&n->g.ip) ? &names4 : &names6;
}

/* Of the guest's own wire, and there is nobody. */
static addr nobody(const struct fake_nat *n)
{
	addr a = n->gw_ip;

	a.b[15] = 99;
	return a;
}

/* The ith frame that the guest got is such an error from the gateway. */
static void heard(struct fake_nat *n, unsigned i, uint8_t type, uint8_t code)
{
	struct fake_got got;

	assert_true(fake_guest_got(&n->g, i, &got));
	assert_true(got.csum_ok);
	assert_int_equal(got.pkt.proto, names(n)->proto);
	assert_int_equal(got.l4[0], type);
	assert_int_equal(got.l4[1], code);
	assert_true(addr_eq(&got.pkt.src.ip, &n->gw_ip));
}

static void ping(struct fake_nat *n, addr dst, uint16_t id, uint16_t seq)
{
	fake_guest_echo(&n->g, dst, id, seq, "0123456789", 10);
	fake_guest_kick(&n->g);
}

/* The kernel's answer to the ith message sent. */
static void answer(struct fake_nat *n, unsigned i, const addr *from)
{
	const struct fake_sent *d = fake_sent(n->fh, i);
	struct endpoint ep = {.ip = *from};
	uint8_t buf[2048];

	memcpy(buf, d->data, d->len);
	buf[0] = names(n)->reply;
	buf[4] = 0xde; /* the kernel's identifier */
	buf[5] = 0xad;
	fake_deliver(n->fh, d->sock, &ep, buf, d->len);
	fake_host_run(n->fh);
}

static void test_echo_self(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	ping(n, n->gw_ip, 0x1234, 1);
	ping(n, n->dns_ip, 0x1234, 2);
	assert_int_equal(n->fh->n_numbers, 0); /* no socket was asked */
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &n->gw_ip));
	assert_true(got.csum_ok);
	assert_memory_equal(got.l4 + 4,
			    "\x12\x34\0\1"
			    "0123456789",
			    14);
	assert_true(fake_guest_got(&n->g, 1, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &n->dns_ip));
}

static void test_echo_self_ttl_one(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	n->g.ttl = 1;
	ping(n, n->gw_ip, 1, 1);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.pkt.ttl, 64);
}

static void test_ping_answered_by_target_only(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	ping(n, n->far.ip, 0x1234, 9);
	assert_int_equal(n->fh->n_sent, 1);
	assert_int_equal(n->g.port->n_out, 0); /* nobody has answered yet */
	assert_int_equal(fake_sent(n->fh, 0)->proto, HOST_PING);
	answer(n, 0, &n->far.ip);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.csum_ok);
	assert_int_equal(got.l4[0], names(n)->reply);
	assert_memory_equal(got.l4 + 4,
			    "\x12\x34\0\x09"
			    "0123456789",
			    14);
	assert_true(addr_eq(&got.pkt.src.ip, &n->far.ip));
}

static void test_one_socket_per_identifier(void **state)
{
	struct fake_nat *n = *state;

	ping(n, n->far.ip, 1, 1);
	ping(n, n->far.ip, 1, 2);
	ping(n, fake_nat_ep(n, 9, 0).ip, 1, 3);
	assert_int_equal(n->fh->n_socks, 1);
	ping(n, n->far.ip, 2, 1);
	assert_int_equal(n->fh->n_socks, 2);
	assert_int_equal(icmp_n_flows(n->icmp), 2);
}

static void test_idle_flow_ends(void **state)
{
	struct fake_nat *n = *state;

	ping(n, n->far.ip, 1, 1);
	fake_nat_pass(n, (ICMP_IDLE_SECONDS - 1) * FAKE_SECOND);
	ping(n, n->far.ip, 1, 2);
	fake_nat_pass(n, (ICMP_IDLE_SECONDS - 1) * FAKE_SECOND);
	assert_int_equal(n->fh->n_socks, 1); /* it was used in between */
	fake_nat_pass(n, 2 * FAKE_SECOND);
	assert_int_equal(n->fh->n_socks, 0);
	assert_int_equal(icmp_n_flows(n->icmp), 0);
}

static void test_low_hop_limit_is_carried(void **state)
{
	struct fake_nat *n = *state;

	n->g.ttl = 3;
	ping(n, n->far.ip, 1, 1);
	n->g.ttl = 64;
	ping(n, n->far.ip, 1, 2);
	assert_int_equal(fake_sent(n->fh, 0)->ttl, 2);
	assert_int_equal(fake_sent(n->fh, 1)->ttl, 64);
}

static void test_time_exceeded_comes_from_the_hop(void **state)
{
	struct fake_nat *n = *state;
	const struct names *m = names(n);
	uint32_t ip_len = m->ip_len, addr_len = m == &names4 ? 4 : 16;
	struct host_err e = {.err = EHOSTUNREACH,
			     .origin = m->origin,
			     .type = m->exceeded,
			     .dst = {.ip = n->far.ip},
			     .offender = fake_nat_ep(n, 77, 0).ip,
			     .payload = {m->echo, 0, 1, 2, 0xde, 0xad, 0, 5},
			     .payload_len = 8};
	struct packet pkt = {0};
	struct fake_got got;
	uint8_t probe[FRAME_ETH_LEN + 58];

	n->g.ttl = 2;
	ping(n, n->far.ip, 0x1234, 5);
	fake_error(n->fh, fake_sent(n->fh, 0)->sock, &e);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(addr_eq(&got.pkt.src.ip, &e.offender));
	assert_int_equal(got.l4[0], m->exceeded);
	/* the guest's own packet is quoted: its address, its identifier, and
	 * all it said */
	assert_int_equal(got.l4_len, 8 + ip_len + 18);
	assert_memory_equal(got.l4 + 8 + ip_len - 2 * addr_len,
			    n->g.ip.b + 16 - addr_len, addr_len);
	assert_memory_equal(got.l4 + 8 + ip_len - addr_len,
			    n->far.ip.b + 16 - addr_len, addr_len);
	assert_memory_equal(got.l4 + 8 + ip_len + 4,
			    "\x12\x34\0\5"
			    "0123456789",
			    14);
	/* as a frame of the guest it would be right */
	memcpy(probe, got.frame, FRAME_ETH_LEN);
	memcpy(probe + FRAME_ETH_LEN, got.l4 + 8, ip_len + 18);
	assert_int_equal(packet_parse(probe, FRAME_ETH_LEN + ip_len + 18,
				      FRAME_ETH_LEN + ip_len + 18, &pkt),
			 PACKET_OK);
	assert_int_equal(pkt.ttl, 1);
	assert_int_equal(
		csum_fold(csum_add(probe + FRAME_ETH_LEN + ip_len, 18,
				   icmp_pseudo(&pkt.src.ip, &pkt.dst.ip, 18))),
		0);
}

/* What was not remembered is quoted as it can be told, checksum and all. */
static void test_an_error_about_an_ordinary_echo(void **state)
{
	struct fake_nat *n = *state;
	const struct names *m = names(n);
	struct host_err e = {.err = EHOSTUNREACH,
			     .origin = m->origin,
			     .type = m->unreachable,
			     .code = m->u_host,
			     .dst = {.ip = n->far.ip},
			     .offender = fake_nat_ep(n, 77, 0).ip,
			     .payload_len = 18};
	const struct fake_sent *d;
	struct fake_got got;
	uint64_t sum;

	ping(n, n->far.ip, 0x1234, 5);
	d = fake_sent(n->fh, 0);
	assert_int_equal(d->len, 18);
	memcpy(e.payload, d->data, 18);
	/* the kernel's identifier, which the checksum allows for */
	e.payload[4] = 0;
	e.payload[5] = 0;
	sum = (uint64_t)(e.payload[2] << 8 | e.payload[3]) + 0x1234;
	sum = (sum & 0xffff) + (sum >> 16);
	e.payload[2] = (uint8_t)(sum >> 8);
	e.payload[3] = (uint8_t)sum;
	fake_error(n->fh, d->sock, &e);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.l4[0], m->unreachable);
	assert_int_equal(got.l4[1], m->u_host);
	assert_memory_equal(got.l4 + 8 + m->ip_len + 4, "\x12\x34\0\5", 4);
	assert_int_equal(csum_fold(csum_add(got.l4 + 8 + m->ip_len, 18,
					    icmp_pseudo(&n->g.ip, &n->far.ip,
							18))),
			 0);
}

/* What the host heard about an echo request of IPv6. */
static struct host_err said(const struct fake_nat *n, uint8_t origin,
			    uint8_t type, uint8_t code, uint32_t info)
{
	return (struct host_err){.err = EPROTO,
				 .origin = origin,
				 .type = type,
				 .code = code,
				 .info = info,
				 .dst = {.ip = n->far.ip},
				 .payload = {128},
				 .payload_len = 8};
}

/* IPv6's own words, and IPv4's for a guest of IPv6 (RFC 7915 4.2). */
static void test_what_the_path_of_ipv6_says(void **state)
{
	static const struct {
		uint8_t origin, type, code;
		uint32_t info;
		uint8_t want_type, want_code;
		uint32_t want_rest;
	} t[] = {
		{SO_EE_ORIGIN_ICMP6, 1, 5, 7, 1, 5, 0},
		{SO_EE_ORIGIN_ICMP6, 2, 0, 1400, 2, 0, 1400},
		{SO_EE_ORIGIN_ICMP6, 2, 0, 600, 2, 0, 1280},
		{SO_EE_ORIGIN_ICMP6, 3, 0, 0, 3, 0, 0},
		{SO_EE_ORIGIN_ICMP6, 4, 1, 6, 4, 1, 6},
		{SO_EE_ORIGIN_ICMP, 3, 1, 0, 1, 3, 0},
		{SO_EE_ORIGIN_ICMP, 3, 2, 0, 4, 1, 6},
		{SO_EE_ORIGIN_ICMP, 3, 4, 1400, 2, 0, 1420},
		{SO_EE_ORIGIN_ICMP, 3, 4, 0, 2, 0, 1280},
		{SO_EE_ORIGIN_ICMP, 11, 0, 0, 3, 0, 0},
		{SO_EE_ORIGIN_ICMP, 12, 0, 8, 4, 0, 7},
	};
	struct fake_nat *n = *state;

	ping(n, n->far.ip, 1, 1);
	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct host_err e = said(n, t[i].origin, t[i].type,
					 t[i].code, t[i].info);
		struct fake_got got;
		struct rd r;

		/* who has no address of IPv6 is shown as the gateway */
		if (e.origin == SO_EE_ORIGIN_ICMP)
			e.offender = addr_v4(192, 0, 2, 1);
		fake_clear(n->g.port);
		fake_error(n->fh, 0, &e);
		fake_host_run(n->fh);
		heard(n, 0, t[i].want_type, t[i].want_code);
		assert_true(fake_guest_got(&n->g, 0, &got));
		r = rd_init(got.l4 + 4, 4);
		assert_int_equal(rd_u32(&r), t[i].want_rest);
	}
}

static void test_what_ipv6_has_no_word_for(void **state)
{
	static const struct {
		uint8_t origin, type, code, info;
	} t[] = {
		{SO_EE_ORIGIN_ICMP6, 5, 0, 0}, {SO_EE_ORIGIN_ICMP6, 0, 0, 0},
		{SO_EE_ORIGIN_ICMP, 3, 14, 0}, {SO_EE_ORIGIN_ICMP, 12, 0, 4},
		{SO_EE_ORIGIN_ICMP, 12, 1, 0}, {SO_EE_ORIGIN_ICMP, 4, 0, 0},
	};
	struct fake_nat *n = *state;

	ping(n, n->far.ip, 1, 1);
	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct host_err e = said(n, t[i].origin, t[i].type,
					 t[i].code, t[i].info);

		fake_error(n->fh, 0, &e);
	}
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 0);
}

static void test_error_that_is_no_refusal_is_not_told(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = {.err = EPROTO,
			     .origin = names(n)->origin,
			     /* source quench; in IPv6 none is known */
			     .type = names(n) == &names4 ? 4 : 5,
			     .payload = {names(n)->echo},
			     .payload_len = 8};

	ping(n, n->far.ip, 1, 1);
	fake_error(n->fh, 0, &e);
	e.type = names(n)->unreachable;
	e.payload_len = 7; /* too short to quote */
	fake_error(n->fh, 0, &e);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 0);
}

static void test_what_is_no_reply_is_ignored(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint ep = {.ip = n->far.ip};
	const uint8_t msg[8] = {names(n)->echo, [5] = 1, [7] = 1};

	ping(n, n->far.ip, 1, 1);
	fake_deliver(n->fh, 0, &ep, msg, 8);
	fake_deliver(n->fh, 0, &ep, &names(n)->reply, 1);
	fake_deliver(n->fh, 0, &ep, "", 0);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 0);
}

static void test_flood_takes_turns(void **state)
{
	struct fake_nat *n = *state;
	const uint8_t msg[8] = {names(n)->reply, [5] = 1, [7] = 1};

	ping(n, n->far.ip, 1, 1);
	for (int i = 0; i < 200; i++) {
		struct endpoint ep = {.ip = n->far.ip};

		fake_deliver(n->fh, 0, &ep, msg, 8);
	}
	fake_host_run(n->fh);
	assert_in_range(n->g.port->n_out, 1, 199);
	for (int i = 0; i < 8; i++)
		fake_nat_pass(n, FAKE_SECOND / 100);
	assert_int_equal(n->g.port->n_out, 200);
}

static void test_denied_is_counted_and_said_once(void **state)
{
	struct fake_nat *n = *state;

	fake_fail(n->fh, FAKE_OPEN, EACCES, 2);
	ping(n, n->far.ip, 1, 1);
	ping(n, n->far.ip, 2, 1);
	assert_int_equal(n->drops.n[DROP_ICMP_DENIED], 2);
	for (unsigned i = 0; i < 2; i++) /* no answer is made up */
		heard(n, i, names(n)->unreachable, names(n)->u_admin);
	assert_int_equal(n->g.port->n_out, 2);
	ping(n, n->far.ip, 3, 1);
	assert_int_equal(n->fh->n_sent, 1);
}

static void test_no_socket(void **state)
{
	struct fake_nat *n = *state;

	fake_fail(n->fh, FAKE_OPEN, EMFILE, 1);
	ping(n, n->far.ip, 1, 1);
	assert_int_equal(n->drops.n[DROP_HOST_SOCKET], 1);
	assert_int_equal(icmp_n_flows(n->icmp), 0);
}

static void test_table_full(void **state)
{
	struct fake_nat_config c = {.max_icmp = 16, .port.name = "vm0"};
	struct fake_nat *n = fake_nat_new(&c);

	for (uint16_t id = 0; id < 10; id++)
		ping(n, n->far.ip, id, 1);
	assert_int_equal(icmp_n_flows(n->icmp), 8);
	assert_int_equal(n->drops.n[DROP_FLOW_TABLE_FULL], 2);
	fake_nat_free(n);
}

static void test_unreachable_on_send(void **state)
{
	struct fake_nat *n = *state;

	fake_fail(n->fh, FAKE_SEND, ENETUNREACH, 2);
	ping(n, n->far.ip, 1, 1);
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 1);
	heard(n, 0, names(n)->unreachable, names(n)->u_net);
}

static void test_earlier_error_does_not_cost_an_echo(void **state)
{
	struct fake_nat *n = *state;

	ping(n, n->far.ip, 1, 1);
	fake_fail(n->fh, FAKE_SEND, EHOSTUNREACH, 1);
	ping(n, n->far.ip, 1, 2);
	assert_int_equal(n->fh->n_sent, 2);
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 0);
}

static void test_not_routed(void **state)
{
	struct fake_nat *n = *state;

	ping(n, nobody(n), 1, 1);
	assert_int_equal(n->drops.n[DROP_IP_DEST], 1);
	heard(n, 0, names(n)->unreachable, names(n)->u_host);
}

static void test_short_bad_and_foreign(void **state)
{
	/* A timestamp; IPv6 has none of this number either. */
	uint8_t timestamp[20] = {13, 0, 0xf2, 0xff};
	struct fake_nat *n = *state;
	uint16_t sum;

	n->g.bad_l4_csum = true;
	ping(n, n->far.ip, 1, 1);
	assert_int_equal(n->drops.n[DROP_ICMP_CSUM], 1);
	if (names(n) == &names6) {
		timestamp[2] = timestamp[3] = 0;
		sum = csum_fold(csum_add(
			timestamp, sizeof(timestamp),
			icmp_pseudo(&n->g.ip, &n->far.ip, sizeof(timestamp))));
		timestamp[2] = (uint8_t)(sum >> 8);
		timestamp[3] = (uint8_t)sum;
	}
	fake_guest_ip(&n->g, n->far.ip, names(n)->proto, timestamp,
		      sizeof(timestamp));
	fake_guest_kick(&n->g);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 1);
	/* the other family's protocol */
	fake_guest_ip(&n->g, n->far.ip, 59 - names(n)->proto, timestamp,
		      sizeof(timestamp));
	fake_guest_kick(&n->g);
	assert_int_equal(n->drops.n[DROP_ICMP_TYPE], 2);
	assert_int_equal(n->fh->n_sent, 0);
	assert_int_equal(n->g.port->n_out, 0);
}

static void test_cut_short(void **state)
{
	struct fake_nat *n = *state;
	uint8_t buf[64] = {0};
	struct packet pkt = {.proto = names(n)->proto,
			     .l3_off = 14,
			     .l4_off = 34,
			     .l4_len = 7,
			     .src.ip = n->g.ip,
			     .dst.ip = n->far.ip};
	struct frame f = frame_flat(buf, sizeof(buf));

	icmp_input(n->icmp, &pkt, &f);
	pkt.l4_len = 31;
	icmp_input(n->icmp, &pkt, &f);
	assert_int_equal(n->drops.n[DROP_ICMP_SHORT], 2);
}

static void test_padding_is_not_data(void **state)
{
	struct fake_nat *n = *state;

	n->g.pad = 8;
	ping(n, n->far.ip, 1, 1);
	assert_int_equal(fake_sent(n->fh, 0)->len, 18);
}

static void test_long_reply_is_fragmented(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint ep = {.ip = n->far.ip};
	uint8_t big[3000] = {names(n)->reply};
	struct fake_got got;

	ping(n, n->far.ip, 1, 1);
	fake_deliver(n->fh, 0, &ep, big, sizeof(big));
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 3);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.pkt.frag_more);
	assert_true(fake_guest_got(&n->g, 2, &got));
	assert_int_equal(got.pkt.frag_off + got.l4_len, 3000);
}

static void error_about(struct fake_nat *n, const struct packet *pkt,
			const struct frame *f)
{
	icmp_error(n->icmp, ICMP_UNREACHABLE, ICMP_U_PORT, 0, pkt, f);
}

static void test_what_gets_no_error(void **state)
{
	struct fake_nat *n = *state;
	bool is_v4 = names(n) == &names4;
	uint8_t buf[84] = {0}, *type = buf + fake_nat_l4(n);
	struct frame f = frame_flat(buf, sizeof(buf));
	struct packet good = {.ip_version = is_v4 ? 4 : 6,
			      .proto = 17,
			      .l3_off = 14,
			      .l4_off = (uint16_t)fake_nat_l4(n),
			      .l4_len = 30,
			      .dst.ip = n->far.ip,
			      .eth_src = n->g.mac,
			      .src.ip = n->g.ip};
	struct packet pkt = good;

	pkt.eth_dst = MAC_BROADCAST;
	error_about(n, &pkt, &f);
	pkt = good;
	pkt.eth_src = MAC_BROADCAST;
	error_about(n, &pkt, &f);
	pkt = good;
	pkt.src.ip = (addr){{0}};
	error_about(n, &pkt, &f);
	pkt = good;
	pkt.is_fragment = is_v4; /* IPv6 answers later fragments */
	pkt.frag_off = 8;
	if (!is_v4)
		pkt.proto = IPPROTO_NONE;
	error_about(n, &pkt, &f);
	pkt = good;
	pkt.dst.ip = is_v4 ? addr_v4(224, 0, 0, 1)
			   : (addr){{0xff, 0x0e, [15] = 1}};
	error_about(n, &pkt, &f);
	pkt.dst.ip = addr_v4(255, 255, 255, 255);
	error_about(n, &pkt, &f);
	pkt = good;
	pkt.proto = names(n)->proto;
	*type = names(n)->unreachable; /* about an error */
	error_about(n, &pkt, &f);
	*type = 137; /* about a redirect */
	error_about(n, &pkt, &f);
	fake_guest_kick(&n->g);
	assert_int_equal(n->g.port->n_out, 0);
	*type = names(n)->echo;
	fake_guest_udp(&n->g, 1, &n->far, "x", 1);
	fake_guest_kick(&n->g); /* the lan learns the guest */
	error_about(n, &pkt, &f);
	assert_int_equal(n->g.port->n_out, 1);
}

/* RFC 8200 4, 4.4: where the parameter problem points. */
static void test_an_unknown_next_header(void **state)
{
	struct fake_nat *n = *state;
	uint8_t buf[84] = {0};
	struct frame f = frame_flat(buf, sizeof(buf));
	struct packet pkt = {.ip_version = 6,
			     .proto = 132,
			     .l3_off = 14,
			     .l4_off = 62,
			     .next_off = 40,
			     .l4_len = 22,
			     .dst.ip = n->far.ip,
			     .eth_src = n->g.mac,
			     .src.ip = n->g.ip};
	struct fake_got got;

	ping(n, n->gw_ip, 1, 1); /* the lan learns the guest */
	fake_clear(n->g.port);
	icmp_error(n->icmp, ICMP_UNREACHABLE, ICMP_U_PROTOCOL, 0, &pkt, &f);
	heard(n, 0, 4, 1);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_memory_equal(got.l4 + 4, "\0\0\0\x28", 4);
	pkt.proto = IPPROTO_ROUTING;
	pkt.next_off = 42;
	icmp_error(n->icmp, ICMP_UNREACHABLE, ICMP_U_PROTOCOL, 0, &pkt, &f);
	heard(n, 1, 4, 0);
	assert_true(fake_guest_got(&n->g, 1, &got));
	assert_memory_equal(got.l4 + 4, "\0\0\0\x2a", 4);
}

static void test_errors_are_rationed(void **state)
{
	struct fake_nat *n = *state;

	for (int i = 0; i < ICMP_ERROR_BURST + 5; i++)
		ping(n, nobody(n), 1, 1);
	assert_int_equal(n->g.port->n_out, ICMP_ERROR_BURST);
	assert_int_equal(n->drops.n[DROP_ICMP_RATE], 5);
	n->g.ip.b[15]++; /* another name is of no use */
	ping(n, nobody(n), 1, 1);
	assert_int_equal(n->g.port->n_out, ICMP_ERROR_BURST);
	n->g.ip.b[15]--;
	fake_clear(n->g.port);
	fake_nat_pass(n, FAKE_SECOND / ICMP_ERROR_RATE);
	ping(n, nobody(n), 1, 1);
	assert_int_equal(n->g.port->n_out, 1);
	fake_nat_pass(n, 3600 * FAKE_SECOND);
	for (int i = 0; i < ICMP_ERROR_BURST + 5; i++)
		ping(n, nobody(n), 1, 1);
	assert_int_equal(n->g.port->n_out, ICMP_ERROR_BURST + 1);
}

/* One guest uses up all errors, under the address of another. */
static void test_errors_of_others_are_not_spent(void **state)
{
	struct fake_nat *n = *state;
	unsigned before = 0, i;

	/* Two that share a bucket are rare; then a third is none of them. */
	for (i = 0; i < 8 && n->g.port->n_out == before; i++) {
		fake_nat_pass(n, FAKE_SECOND);
		n->g.mac = fake_mac(2 + i);
		for (int k = 0; k < ICMP_ERROR_BURST + 5; k++)
			ping(n, nobody(n), 1, 1);
		before = n->g.port->n_out;
		n->g.mac = fake_mac(1);
		ping(n, nobody(n), 1, 1);
	}
	assert_true(n->g.port->n_out > before);
}

static void test_errors_are_bounded(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint dst = {.ip = nobody(n), .port = 9};
	struct fake_got got;
	uint8_t big[1400] = {0};

	fake_guest_udp(&n->g, 1, &dst, big, sizeof(big));
	fake_guest_kick(&n->g);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.len, 14 + names(n)->error_max);
	assert_true(got.csum_ok);
}

#define T6(f)                                                                  \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup6, fake_nat_teardown)
/* In both families. */
#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup, fake_nat_teardown), \
		T6(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_echo_self),
		T(test_echo_self_ttl_one),
		T(test_ping_answered_by_target_only),
		T(test_one_socket_per_identifier),
		T(test_idle_flow_ends),
		T(test_low_hop_limit_is_carried),
		T(test_time_exceeded_comes_from_the_hop),
		T(test_an_error_about_an_ordinary_echo),
		T6(test_what_the_path_of_ipv6_says),
		T6(test_what_ipv6_has_no_word_for),
		T(test_error_that_is_no_refusal_is_not_told),
		T(test_what_is_no_reply_is_ignored),
		T(test_flood_takes_turns),
		T(test_denied_is_counted_and_said_once),
		T(test_no_socket),
		cmocka_unit_test(test_table_full),
		T(test_unreachable_on_send),
		T(test_earlier_error_does_not_cost_an_echo),
		T(test_not_routed),
		T(test_short_bad_and_foreign),
		T(test_cut_short),
		T(test_padding_is_not_data),
		T(test_long_reply_is_fragmented),
		T(test_what_gets_no_error),
		T6(test_an_unknown_next_header),
		T(test_errors_are_rationed),
		T(test_errors_of_others_are_not_spent),
		T(test_errors_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
