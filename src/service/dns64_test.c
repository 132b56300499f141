/* SPDX-License-Identifier: BSD-3-Clause */
/* DNS64: what is asked of resolvers for a guest with IPv6 only, and what the
 * guest is told; alone, and by the relay. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/nat64.h"
#include "service/dns.h"
#include "service/dns64.h"
#include "service/fake_room.h"
#include "wire/dns.h"

#define WWW   "\3www\4test"
#define AT_Q  "\xc0\x0c" /* the name that was asked for */
#define EDNS  "\0\0\x29\x04\xd0\0\0\0\0\0\0"
#define EDNS_DO_SET "\0\0\x29\x04\xd0\0\0\x80\0\0\0"

enum { ROOM = 4096 };

/* A message under construction. */
struct text {
	uint8_t b[ROOM];
	size_t len;
};

static struct dns64 on(void)
{
	return (struct dns64){.prefix = NAT64_PREFIX};
}

static struct rd over(const struct text *t)
{
	return rd_init(t->b, t->len);
}

/* A message with the question name (whose last byte, 0, is the literal's end),
 * and records that were written by hand. */
static struct text message(uint16_t flags, const char *name, uint16_t type)
{
	struct text t = {.len = 0};
	struct wr w = wr_init(t.b, sizeof(t.b));
	struct dns_hdr h = {.id = 0x1234, .flags = flags, .n_question = 1};

	dns_hdr_emit(&w, &h);
	wr_bytes(&w, name, strlen(name) + 1);
	wr_u16(&w, type);
	wr_u16(&w, DNS_C_IN);
	t.len = wr_len(&w);
	return t;
}

/* One more record in the section whose count is at byte 6, 8 or 10. */
static void add(struct text *t, unsigned section, const void *p, size_t len)
{
	memcpy(t->b + t->len, p, len);
	t->len += len;
	t->b[section + 1]++;
}

#define ADD(t, section, literal) add(t, section, literal, sizeof(literal) - 1)

enum { ANSWER = 6, AUTHORITY = 8, EXTRA = 10 };

/* name, SOA, IN, 100 s, 22 bytes: two roots and five numbers */
#define SOA                                                                    \
	"\4test\0\0\6\0\1\0\0\0\x64\0\x16\0\0"                                 \
	"\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"

static void expect_bytes(const uint8_t *p, size_t len, const void *want,
			 size_t n)
{
	assert_true(len >= n);
	assert_memory_equal(p, want, n);
}

static struct text emit(const struct dns64 *c, const struct dns64_step *s,
			const struct text *q, const struct text *a)
{
	struct text t = {.len = 0};
	struct wr w = wr_init(t.b, sizeof(t.b));
	struct rd msg = over(q), answer = over(a);

	assert_true(dns64_emit_answer(c, s, &msg, &answer, &w));
	t.len = wr_len(&w);
	return t;
}

static enum dns64_stage first(const struct dns64 *c, const struct text *q)
{
	struct rd msg = over(q);

	return dns64_begin(c, &msg).stage;
}

static bool is_last(const struct dns64 *c, struct dns64_step *s,
		    const struct text *a)
{
	struct rd msg = over(a);

	return dns64_is_last(c, s, &msg);
}

/* --- alone --- */

static void test_who_gets_nothing_made_up(void **state)
{
	const struct dns64 off = {.is_only_way = false};
	const struct dns64 c = on();
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);

	assert_int_equal(first(&c, &q), DNS64_AAAA);
	assert_int_equal(first(&off, &q), DNS64_PLAIN);
	q = message(DNS_F_RD, WWW, DNS_T_A);
	assert_int_equal(first(&c, &q), DNS64_PLAIN);
	q = message(DNS_F_QR, WWW, DNS_T_AAAA);
	assert_int_equal(first(&c, &q), DNS64_PLAIN);
	q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	q.b[q.len - 1] = 3; /* CHAOS */
	assert_int_equal(first(&c, &q), DNS64_PLAIN);
	/* it checks signatures itself; each of the two alone says nothing */
	q = message(DNS_F_CD, WWW, DNS_T_AAAA);
	assert_int_equal(first(&c, &q), DNS64_AAAA);
	ADD(&q, EXTRA, EDNS_DO_SET);
	assert_int_equal(first(&c, &q), DNS64_PLAIN);
	q.b[3] &= (uint8_t)~DNS_F_CD;
	assert_int_equal(first(&c, &q), DNS64_AAAA);
}

static void test_a_real_address_is_enough(void **state)
{
	struct dns64 c = on();
	struct dns64_step s = {.stage = DNS64_AAAA};
	struct text a = message(DNS_F_QR, WWW, DNS_T_AAAA);

	ADD(&a, ANSWER,
	    AT_Q "\0\x1c\0\1\0\0\0\x0a\0\x10"
		 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	assert_true(is_last(&c, &s, &a));
	assert_int_equal(s.stage, DNS64_AAAA);
	/* but not where IPv6 does not leave the host */
	c.is_only_way = true;
	assert_false(is_last(&c, &s, &a));
	assert_int_equal(s.stage, DNS64_A);
	assert_true(s.had_aaaa);
	/* without IPv4 either, it is told after all */
	a = message(DNS_F_QR, WWW, DNS_T_A);
	assert_false(is_last(&c, &s, &a));
	assert_int_equal(s.stage, DNS64_PLAIN);
	assert_true(is_last(&c, &s, &a));
}

static void test_mapped_addresses_lead_nowhere(void **state)
{
	const struct dns64 c = on();
	struct dns64_step s = {.stage = DNS64_AAAA};
	struct text a = message(DNS_F_QR, WWW, DNS_T_AAAA);

	ADD(&a, ANSWER,
	    AT_Q "\0\x1c\0\1\0\0\0\x0a\0\x10"
		 "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4");
	assert_false(is_last(&c, &s, &a));
	assert_int_equal(s.stage, DNS64_A);
}

static void test_no_such_name_is_no(void **state)
{
	const struct dns64 c = on();
	struct dns64_step s = {.stage = DNS64_AAAA};
	struct text a = message(DNS_F_QR | DNS_NXDOMAIN, WWW, DNS_T_AAAA);

	assert_true(is_last(&c, &s, &a));
	assert_int_equal(s.stage, DNS64_AAAA);
	a = message(DNS_F_QR | DNS_F_TC, WWW, DNS_T_AAAA);
	assert_true(is_last(&c, &s, &a));
	assert_int_equal(s.stage, DNS64_AAAA);
	/* a server that knows no AAAA may know A (RFC 6147 5.1.2) */
	a = message(DNS_F_QR | DNS_SERVFAIL, WWW, DNS_T_AAAA);
	assert_false(is_last(&c, &s, &a));
	assert_int_equal(s.stage, DNS64_A);
}

static void test_the_question_for_a(void **state)
{
	const struct dns64_step s = {.stage = DNS64_A};
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct text want = message(DNS_F_RD, WWW, DNS_T_A);
	uint8_t b[ROOM];
	struct wr w = wr_init(b, sizeof(b));
	struct rd msg;

	ADD(&q, EXTRA, EDNS);
	ADD(&want, EXTRA, EDNS);
	msg = over(&q);
	assert_true(dns64_emit_question(&s, &msg, &w));
	assert_int_equal(wr_len(&w), want.len);
	assert_memory_equal(b, want.b, want.len);
	/* no room: nothing */
	w = wr_init(b, want.len - 1);
	assert_false(dns64_emit_question(&s, &msg, &w));
	assert_int_equal(wr_len(&w), 0);
}

static void test_addresses_are_made(void **state)
{
	const struct dns64 c = on();
	struct dns64_step s = {.stage = DNS64_AAAA, .ttl = DNS64_TTL};
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct text no = message(DNS_F_QR, WWW, DNS_T_AAAA);
	struct text a =
		message(DNS_F_QR | DNS_F_RD | DNS_F_RA | DNS_F_AD | DNS_F_AA,
			WWW, DNS_T_A);
	struct text got;
	static const char want[] =
		"\x12\x34\x81\x80\0\1\0\3\0\0\0\1" WWW "\0\0\x1c\0\1"
		/* www.test is a.test */
		AT_Q "\0\5\0\1\0\0\0\x07\0\x08\1a\4test\0"
		/* of which one is gone sooner than "no AAAA" is */
		"\xc0\x26\0\x1c\0\1\0\0\0\x32\0\x10"
		"\0\x64\xff\x9b\0\0\0\0\0\0\0\0\xc0\0\2\1"
		"\xc0\x26\0\x1c\0\1\0\0\0\x64\0\x10"
		"\0\x64\xff\x9b\0\0\0\0\0\0\0\0\xc0\0\2\2" EDNS;

	ADD(&no, AUTHORITY, SOA);
	assert_false(is_last(&c, &s, &no));
	assert_int_equal(s.ttl, 100);
	ADD(&a, ANSWER, AT_Q "\0\5\0\1\0\0\0\x07\0\4\1a\xc0\x10");
	ADD(&a, ANSWER, "\1a\xc0\x10\0\1\0\1\0\0\0\x32\0\4\xc0\0\2\1");
	ADD(&a, ANSWER, "\1a\xc0\x10\0\x2e\0\1\0\0\0\x32\0\2\0\1"); /* RRSIG */
	ADD(&a, ANSWER, "\1a\xc0\x10\0\1\0\1\0\0\x10\x32\0\4\xc0\0\2\2");
	ADD(&a, AUTHORITY, "\4test\0\0\2\0\1\0\0\0\x32\0\1\0"); /* NS */
	ADD(&a, EXTRA, EDNS);
	assert_true(is_last(&c, &s, &a));
	got = emit(&c, &s, &q, &a);
	assert_int_equal(got.len, sizeof(want) - 1);
	assert_memory_equal(got.b, want, got.len);
}

static void test_no_is_passed_on_with_its_time(void **state)
{
	const struct dns64 c = on();
	const struct dns64_step s = {.stage = DNS64_A};
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct text a = message(DNS_F_QR | DNS_NXDOMAIN, WWW, DNS_T_A);
	struct text got;

	ADD(&a, AUTHORITY, SOA);
	got = emit(&c, &s, &q, &a);
	expect_bytes(got.b, got.len,
		     "\x12\x34\x80\x03\0\1\0\0\0\1\0\0" WWW "\0\0\x1c\0\1", 26);
	assert_int_equal(got.len, 26 + sizeof(SOA) - 1);
}

static void test_what_is_malformed_is_no_answer(void **state)
{
	const struct dns64 c = on();
	const struct dns64_step s = {.stage = DNS64_A};
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct text a = message(DNS_F_QR, WWW, DNS_T_A);
	uint8_t b[ROOM];
	struct wr w = wr_init(b, sizeof(b));
	struct rd msg = over(&q), answer;

	ADD(&a, AUTHORITY, SOA);
	a.b[a.len - 24] = 0x17; /* one byte more than it has */
	answer = over(&a);
	assert_false(dns64_emit_answer(&c, &s, &msg, &answer, &w));
	assert_int_equal(wr_len(&w), 0);
	a.b[a.len++] = 0; /* it has that byte, and no use for it */
	answer = over(&a);
	assert_false(dns64_emit_answer(&c, &s, &msg, &answer, &w));
	a.len -= 2;
	a.b[a.len - 23] = 0x16; /* cut short */
	answer = over(&a);
	assert_false(dns64_emit_answer(&c, &s, &msg, &answer, &w));
	assert_int_equal(wr_len(&w), 0);
}

#define V6_ARPA                                                                \
	"\1" "1\1" "0\1" "2\1" "0\1" "0\1" "0\1" "0\1" "c\1" "0\1" "0\1" "0\1" \
	"0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0"  \
	"\1" "0\1" "b\1" "9\1" "F\1" "f\1" "4\1" "6\1" "0\1" "0\3ip6\4arpa"
#define V4_ARPA "\1" "1\1" "2\1" "0\003192\7in-addr\4arpa"

static void test_the_name_of_an_address(void **state)
{
	const struct dns64 c = on();
	struct text q = message(DNS_F_RD, V6_ARPA, DNS_T_PTR);
	struct text want = message(DNS_F_RD, V4_ARPA, DNS_T_PTR);
	struct text a = message(DNS_F_QR | DNS_F_RA, V4_ARPA, DNS_T_PTR);
	struct text got;
	struct rd msg = over(&q);
	struct dns64_step s = dns64_begin(&c, &msg);
	uint8_t b[ROOM];
	struct wr w = wr_init(b, sizeof(b));

	assert_int_equal(s.stage, DNS64_PTR);
	assert_true(dns64_emit_question(&s, &msg, &w));
	assert_int_equal(wr_len(&w), want.len);
	assert_memory_equal(b, want.b, want.len);
	ADD(&a, ANSWER, AT_Q "\0\x0c\0\1\0\0\0\x32\0\x0a" WWW "\0");
	assert_true(is_last(&c, &s, &a));
	got = emit(&c, &s, &q, &a);
	expect_bytes(got.b, got.len, "\x12\x34\x80\x80\0\1\0\2\0\0\0\0", 12);
	assert_int_equal(got.b[q.len + 3], DNS_T_CNAME);
	expect_bytes(got.b + q.len + 12, got.len - q.len - 12, V4_ARPA "\0",
		     sizeof(V4_ARPA));
	/* its name is pointed to by what it has */
	expect_bytes(got.b + q.len + 12 + sizeof(V4_ARPA), 2 + 2,
		     "\xc0\x66\0\x0c", 4);
	/* another prefix's is the resolver's matter */
	q.b[12 + 62] = '1';
	assert_int_equal(first(&c, &q), DNS64_PLAIN);
}

static void test_the_prefix_is_told(void **state)
{
	const struct dns64 c = on(), off = {.is_only_way = false};
	struct text q = message(DNS_F_RD, "\x8ipv4Only\4arpa", DNS_T_AAAA);
	struct rd msg = over(&q);
	uint8_t b[ROOM];
	struct wr w = wr_init(b, sizeof(b));

	assert_false(dns64_emit_own(&off, &msg, &w));
	assert_true(dns64_emit_own(&c, &msg, &w));
	assert_int_equal(wr_len(&w), q.len + 2 * 28);
	expect_bytes(b, wr_len(&w), "\x12\x34\x85\x80\0\1\0\2\0\0\0\0", 12);
	assert_memory_equal(b + q.len + 12,
			    "\0\x64\xff\x9b\0\0\0\0\0\0\0\0\xc0\0\0\xaa", 16);
	q = message(DNS_F_RD, "\x8ipv4only\4arpa", DNS_T_A);
	msg = over(&q);
	w = wr_init(b, sizeof(b));
	assert_true(dns64_emit_own(&c, &msg, &w));
	assert_int_equal(wr_len(&w), q.len + 2 * 16);
	assert_memory_equal(b + q.len + 12, "\xc0\0\0\xaa", 4);
	w = wr_init(b, q.len + 20);
	assert_false(dns64_emit_own(&c, &msg, &w));
	assert_int_equal(wr_len(&w), 0);
}

static void test_how_much_fits(void **state)
{
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct rd msg = over(&q);

	assert_int_equal(dns_udp_max(&msg), 512);
	ADD(&q, EXTRA, EDNS);
	msg = over(&q);
	assert_int_equal(dns_udp_max(&msg), 1232);
}

/* --- by the relay --- */

struct bench {
	struct fake_room room;
	struct dns *dns;
	addr ip;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	fake_room_init(&b->room);
	b->dns = fake_room_dns64(&b->room);
	b->ip = fake_addr6(15);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	dns_free(b->dns);
	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

static void ask(struct bench *b, const struct text *q)
{
	struct packet pkt = fake_room_packet(b->ip, 5000, fake_mac(1));

	dns_input(b->dns, &pkt, q->b, q->len);
}

/* The type that the ith question upstream is for. */
static uint16_t asked_type(const struct bench *b, unsigned i)
{
	const struct fake_question *q = &b->room.up->sent[i];

	assert_true(i < b->room.up->n_sent);
	return (uint16_t)(q->data[22] << 8 | q->data[23]);
}

/* The ith question is answered by a, which takes its id and letters. */
static void answer(struct bench *b, unsigned i, struct text a)
{
	const struct fake_question *q = &b->room.up->sent[i];

	assert_true(i < b->room.up->n_sent);
	memcpy(a.b, q->data, 2);
	memcpy(a.b + DNS_HDR_LEN, q->data + DNS_HDR_LEN, 22 - DNS_HDR_LEN);
	fake_upstream_say(b->room.up, q->sock, a.b, a.len, 0);
	fake_upstream_run(b->room.up);
}

static struct text a_answer(unsigned n)
{
	struct text a = message(DNS_F_QR | DNS_F_RA, WWW, DNS_T_A);

	while (n--)
		ADD(&a, ANSWER, AT_Q "\0\1\0\1\0\0\0\x32\0\4\xc0\0\2\1");
	return a;
}

static struct fake_dgram got(struct bench *b, unsigned i)
{
	struct fake_dgram g;

	assert_true(fake_room_got(&b->room, i, &g));
	assert_memory_equal(g.data, "\x12\x34", 2);
	return g;
}

static void test_two_questions_for_one(void **state)
{
	struct bench *b = *state;
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct text no = message(DNS_F_QR, WWW, DNS_T_AAAA);
	struct fake_dgram g;

	ask(b, &q);
	assert_int_equal(asked_type(b, 0), DNS_T_AAAA);
	answer(b, 0, no);
	assert_int_equal(b->room.guest->n_out, 0);
	assert_int_equal(asked_type(b, 1), DNS_T_A);
	/* the first answer once more is none to the second question */
	answer(b, 0, no);
	assert_int_equal(b->room.lan.drops.n[DROP_DNS_REPLY], 1);
	answer(b, 1, a_answer(1));
	assert_int_equal(b->room.up->n_sent, 2);
	assert_int_equal(b->room.guest->n_out, 1);
	g = got(b, 0);
	assert_int_equal(g.len, q.len + 28);
	assert_memory_equal(g.data + g.len - 16,
			    "\0\x64\xff\x9b\0\0\0\0\0\0\0\0\xc0\0\2\1", 16);
}

static void test_what_is_too_long_says_so(void **state)
{
	struct bench *b = *state;
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct text no = message(DNS_F_QR, WWW, DNS_T_AAAA);
	struct fake_dgram g;

	ask(b, &q);
	answer(b, 0, no);
	answer(b, 1, a_answer(30)); /* 480 bytes, and 840 made of them */
	g = got(b, 0);
	assert_int_equal(g.len, q.len);
	assert_true(g.data[2] & DNS_F_TC >> 8);
	/* who says that it takes more gets more */
	ADD(&q, EXTRA, EDNS);
	ask(b, &q);
	answer(b, 2, no);
	answer(b, 3, a_answer(30));
	g = got(b, 1);
	assert_false(g.data[2] & DNS_F_TC >> 8);
	assert_int_equal(g.data[7], 30);
}

static void test_silence_of_the_second(void **state)
{
	struct bench *b = *state;
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct fake_dgram g;

	ask(b, &q);
	answer(b, 0, message(DNS_F_QR, WWW, DNS_T_AAAA));
	for (unsigned i = 0; i < DNS_TRIES; i++)
		fake_lan_advance(&b->room.lan, UINT64_C(1502000000));
	assert_int_equal(b->room.up->n_sent, 1 + DNS_TRIES);
	g = got(b, 0);
	assert_int_equal(g.data[3] & DNS_F_RCODE, DNS_SERVFAIL);
}

static void test_a_host_without_ipv6(void **state)
{
	struct bench *b = *state;
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct text yes = message(DNS_F_QR, WWW, DNS_T_AAAA);
	struct fake_dgram g;

	ADD(&yes, ANSWER,
	    AT_Q "\0\x1c\0\1\0\0\0\x0a\0\x10"
		 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	dns_ways(b->dns, false);
	ask(b, &q);
	answer(b, 0, yes);
	assert_int_equal(asked_type(b, 1), DNS_T_A);
	answer(b, 1, a_answer(0));
	/* better that than nothing; it is still known */
	g = got(b, 0);
	assert_int_equal(g.len, yes.len);
	dns_ways(b->dns, true);
	ask(b, &q);
	assert_int_equal(got(b, 1).len, yes.len);
	assert_int_equal(b->room.up->n_sent, 2);
}

static void test_the_prefix_needs_no_resolver(void **state)
{
	struct bench *b = *state;
	struct text q = message(DNS_F_RD, "\x8ipv4only\4arpa", DNS_T_AAAA);

	ask(b, &q);
	assert_int_equal(b->room.up->n_sent, 0);
	assert_int_equal(got(b, 0).data[7], 2);
}

static void test_who_has_ipv4_asks_for_it(void **state)
{
	struct bench *b = *state;
	struct text q = message(DNS_F_RD, WWW, DNS_T_AAAA);
	struct text own = message(DNS_F_RD, "\x8ipv4only\4arpa", DNS_T_AAAA);

	b->ip = addr_v4(10, 0, 2, 15);
	ask(b, &q);
	answer(b, 0, message(DNS_F_QR, WWW, DNS_T_AAAA));
	assert_int_equal(b->room.up->n_sent, 1);
	assert_int_equal(got(b, 0).len, q.len);
	ask(b, &own);
	assert_int_equal(b->room.up->n_sent, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_gets_nothing_made_up),
		cmocka_unit_test(test_a_real_address_is_enough),
		cmocka_unit_test(test_mapped_addresses_lead_nowhere),
		cmocka_unit_test(test_no_such_name_is_no),
		cmocka_unit_test(test_the_question_for_a),
		cmocka_unit_test(test_addresses_are_made),
		cmocka_unit_test(test_no_is_passed_on_with_its_time),
		cmocka_unit_test(test_what_is_malformed_is_no_answer),
		cmocka_unit_test(test_the_name_of_an_address),
		cmocka_unit_test(test_the_prefix_is_told),
		cmocka_unit_test(test_how_much_fits),
		cmocka_unit_test_setup_teardown(test_two_questions_for_one,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_too_long_says_so,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence_of_the_second,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_host_without_ipv6,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_prefix_needs_no_resolver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_has_ipv4_asks_for_it,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
