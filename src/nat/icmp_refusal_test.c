/* SPDX-License-Identifier: BSD-3-Clause */
/* Which messages of a guest refuse what came to it, and what they say. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "nat/icmp.h"
#include "wire/ip.h"
#include "wire/udp.h"

enum { ROOM = 1600 };

/* The guest, who sent it something, and what IPv6 calls a closed port. */
static const struct side {
	addr guest, peer;
	uint8_t unreachable, port, admin;
} v4 = {
	.guest = {{[10] = 0xff, 0xff, 10, 0, 2, 15}},
	.peer = {{[10] = 0xff, 0xff, 192, 0, 2, 1}},
	.unreachable = 3,
	.port = 3,
	.admin = 13,
}, v6 = {
	.guest = {{0xfe, 0xc0, [15] = 15}},
	.peer = {{0x20, 1, 0xd, 0xb8, [15] = 1}},
	.unreachable = 1,
	.port = 4,
	.admin = 1,
};

/* What a test says otherwise than it is by right. */
struct message {
	uint8_t type, code;
	uint8_t proto;	 /* of what it is about */
	uint32_t off;	 /* of a fragment; 1: it is none */
	bool is_others;	 /* it came to another guest */
	bool is_foreign; /* by the other family's protocol */
};

static bool refuses(const struct side *s, const struct message *m,
		    struct icmp_refusal *rp)
{
	struct ip_hdr quote = {.src = s->peer,
			       .dst = s->guest,
			       .l4_len = 8 + 11,
			       .is_fragment = m->off != 1,
			       .more = true,
			       .off = m->off,
			       .proto = m->proto};
	struct ip_hdr ip = {.src = s->guest,
			    .dst = s->peer,
			    .l4_len = 600,
			    .ttl = 64,
			    .proto = icmp_proto(&s->guest)};
	uint8_t b[ROOM] = {0};
	struct wr w = wr_init(b, sizeof(b));
	struct packet pkt;
	struct frame f;

	quote.dst.b[15] ^= m->is_others;
	if (m->is_foreign)
		ip.proto ^= IPPROTO_ICMP ^ IPPROTO_ICMPV6;
	ip_emit_frame(&w, (mac){{0}}, (mac){{2}}, &ip);
	wr_u8(&w, m->type);
	wr_u8(&w, m->code);
	wr_zero(&w, 6);
	ip_emit(&w, &quote);
	wr_u16(&w, 999);
	wr_u16(&w, 22);
	wr_u16(&w, 8 + 11); /* UDP's length, the middle of TCP's number */
	wr_u16(&w, 0x1234);
	wr_bytes(&w, "hello world", 11);
	f = frame_flat(b, ETH_HDR_LEN + ip_hdr_len(&ip.dst) + ip.l4_len);
	assert_int_equal(packet_parse(b, f.hdr_len, f.len, &pkt), PACKET_OK);
	return icmp_is_refusal(&pkt, &f, rp);
}

static void test_a_closed_port(void **state)
{
	const struct side *s = *state;
	struct message m = {.type = s->unreachable,
			    .code = s->port,
			    .proto = IPPROTO_UDP,
			    .off = 1};
	struct icmp_refusal r;

	for (m.off = 0; m.off < 2; m.off++) { /* a first fragment as well */
		assert_true(refuses(s, &m, &r));
		assert_int_equal(r.proto, IPPROTO_UDP);
		assert_int_equal(r.code, ICMP_U_PORT);
		assert_true(addr_eq(&r.guest.ip, &s->guest));
		assert_int_equal(r.guest.port, 22);
		assert_true(addr_eq(&r.peer.ip, &s->peer));
		assert_int_equal(r.peer.port, 999);
		assert_int_equal(r.len, 11);
		assert_int_equal(r.n_payload, 11);
		assert_memory_equal(r.payload, "hello world", 11);
	}
	m.proto = IPPROTO_TCP;
	m.code = s->admin;
	m.off = 1;
	assert_true(refuses(s, &m, &r));
	assert_int_equal(r.proto, IPPROTO_TCP);
	assert_int_equal(r.code, ICMP_U_ADMIN);
	assert_int_equal(r.seq, 19u << 16 | 0x1234);
}

/* Each of these refuses nothing. */
static void test_others(void **state)
{
	const struct side *s = *state;
	const uint8_t un = s->unreachable, port = s->port;
	const struct message t[] = {
		{un, port, IPPROTO_ICMP, 1, false, false},
		{un, port, IPPROTO_UDP, 800, false, false},
		{un, port, IPPROTO_UDP, 1, true, false},
		{un, port, IPPROTO_UDP, 1, false, true},
		{un, 16, IPPROTO_UDP, 1, false, false},
		{s == &v4 ? 11 : 3, 0, IPPROTO_UDP, 1, false, false},
		/* too big, and what ends as much in the other family */
		{s == &v4 ? 3 : 2, s == &v4 ? 4 : 0, IPPROTO_UDP, 1, false,
		 false},
		{s == &v4 ? 1 : 8, 0, IPPROTO_UDP, 1, false, false},
	};
	struct icmp_refusal r;

	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++)
		assert_false(refuses(s, &t[i], &r));
}

/* A next header that is unknown is a parameter problem in IPv6. */
static void test_an_unknown_protocol(void **state)
{
	const struct message m4 = {3, 2, IPPROTO_UDP, 1, false, false};
	const struct message m6 = {4, 1, IPPROTO_UDP, 1, false, false};
	const struct side *s = *state;
	struct icmp_refusal r;

	assert_true(refuses(s, s == &v4 ? &m4 : &m6, &r));
	assert_int_equal(r.code, ICMP_U_PROTOCOL);
}

#define BOTH(f)                                                                \
	cmocka_unit_test_prestate(f, (void *)(uintptr_t)&v4),                  \
		cmocka_unit_test_prestate(f, (void *)(uintptr_t)&v6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_a_closed_port),
		BOTH(test_others),
		BOTH(test_an_unknown_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
