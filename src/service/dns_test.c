/* SPDX-License-Identifier: BSD-3-Clause */
/* The DNS relay between guests that ask and resolvers that lie, refuse or are
 * silent. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dns.h"
#include "service/fake_room.h"
#include "wire/dns.h"

#define MS     UINT64_C(1000000)
#define TRY_NS (1500 * MS + 2 * MS) /* and the wheel's tick */

struct bench {
	struct fake_room room;
	struct dns *dns;
	bool is_v6; /* the guests */
	/* Who asks next. */
	addr ip;
	mac mac;
	uint16_t port;
};

/* The host's resolvers are of both families, whatever the guest's is. */
static struct endpoint upstream(unsigned i)
{
	if (i % 2)
		return (struct endpoint){
			.ip = {{0x20, 1, 0xd, 0xb8, [15] = (uint8_t)i}},
			.port = DNS_PORT};
	return (struct endpoint){.ip = addr_v4(192, 0, 2, (uint8_t)(53 + i)),
				 .port = DNS_PORT};
}

static void use(struct bench *b, unsigned n)
{
	struct endpoint ep[DNS_UPSTREAMS_MAX] = {0};

	for (unsigned i = 0; i < n; i++)
		ep[i] = upstream(i);
	dns_set_upstreams(b->dns, ep, n);
}

/* A guest of the family that the tests run for. */
static addr guest_ip(const struct bench *b, uint8_t n)
{
	return b->is_v6 ? fake_addr6(n) : addr_v4(10, 0, 2, n);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const bool *is_v6p = *state;

	b->is_v6 = *is_v6p;
	fake_room_init(&b->room);
	assert_int_equal(dns_new(&b->room.env, &b->dns), 0);
	use(b, 3);
	b->ip = guest_ip(b, 15);
	b->mac = fake_mac(1);
	b->port = 5000;
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

static uint64_t drops(const struct bench *b, enum drop_reason why)
{
	return b->room.lan.drops.n[why];
}

static size_t put_question(uint8_t *buf, size_t room, uint16_t id,
			   uint16_t flags, const char *label)
{
	struct wr w = wr_init(buf, room);
	struct dns_hdr h = {.id = id, .flags = flags, .n_question = 1};

	dns_hdr_emit(&w, &h);
	wr_u8(&w, (uint8_t)strlen(label));
	wr_bytes(&w, label, strlen(label));
	wr_u8(&w, 0);
	wr_u16(&w, DNS_T_A);
	wr_u16(&w, DNS_C_IN);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

static void send_raw(struct bench *b, const void *p, size_t len)
{
	struct packet pkt = fake_room_packet(b->ip, b->port, b->mac);

	dns_input(b->dns, &pkt, p, len);
}

static void ask(struct bench *b, uint16_t id, const char *label)
{
	uint8_t buf[128];
	size_t len = put_question(buf, sizeof(buf), id, DNS_F_RD, label);

	send_raw(b, buf, len);
}

static unsigned n_asked(const struct bench *b)
{
	return b->room.up->n_sent;
}

static const struct fake_question *asked(const struct bench *b, unsigned i)
{
	assert_true(i < b->room.up->n_sent);
	return &b->room.up->sent[i];
}

static uint16_t id_of(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The ith question is answered: itself with QR and extra bytes of answer. */
static void answer(struct bench *b, unsigned i, size_t extra)
{
	const struct fake_question *q = asked(b, i);
	uint8_t *buf = calloc(1, q->len + extra);

	memcpy(buf, q->data, q->len);
	buf[2] |= DNS_F_QR >> 8;
	fake_upstream_say(b->room.up, q->sock, buf, q->len + extra, 0);
	free(buf);
	fake_upstream_run(b->room.up);
}

static unsigned n_got(const struct bench *b)
{
	return b->room.guest->n_out;
}

/* What the guest got: from the resolver's address, to who asked. */
static struct fake_dgram got(struct bench *b, unsigned i)
{
	addr dns = guest_ip(b, 3);
	struct fake_dgram g;

	assert_true(fake_room_got(&b->room, i, &g));
	assert_true(addr_eq(&g.pkt.src.ip, &dns));
	assert_int_equal(g.pkt.src.port, DNS_PORT);
	assert_true(addr_eq(&g.pkt.dst.ip, &b->ip));
	assert_int_equal(g.pkt.dst.port, b->port);
	assert_true(mac_eq(g.pkt.eth_dst, b->mac));
	return g;
}

static unsigned rcode(const struct fake_dgram *g)
{
	return g->data[3] & DNS_F_RCODE;
}

static void expect_servfail(struct bench *b, uint16_t id)
{
	struct fake_dgram g = got(b, 0);

	assert_int_equal(n_got(b), 1);
	assert_int_equal(id_of(g.data), id);
	assert_int_equal(rcode(&g), DNS_SERVFAIL);
	assert_true(g.data[2] & DNS_F_QR >> 8);
}

static bool went_to(const struct bench *b, unsigned i, unsigned up)
{
	struct endpoint ep = upstream(up);

	return endpoint_eq(&asked(b, i)->to, &ep);
}

/* --- the ordinary way --- */

static void test_question_and_answer(void **state)
{
	struct bench *b = *state;
	struct fake_dgram g;

	ask(b, 0x1234, "www");
	assert_int_equal(n_asked(b), 1);
	assert_true(went_to(b, 0, 0));
	assert_int_equal(asked(b, 0)->len, 21);
	assert_memory_equal(asked(b, 0)->data + 2,
			    "\1\0\0\1\0\0\0\0\0\0\3www\0\0\1\0\1", 19);
	answer(b, 0, 16);
	g = got(b, 0);
	assert_int_equal(g.len, 37);
	assert_int_equal(id_of(g.data), 0x1234);
	assert_int_equal(rcode(&g), DNS_NOERROR);
	/* the same answer once more is nobody's */
	answer(b, 0, 16);
	assert_int_equal(n_got(b), 1);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 1);
}

static void test_ids_are_ours(void **state)
{
	struct bench *b = *state;
	unsigned n_same = 0, n_ordered = 0;

	for (uint16_t i = 0; i < 60; i++) {
		b->port = (uint16_t)(6000 + i);
		ask(b, 7, "www");
		n_same += id_of(asked(b, i)->data) == 7;
		if (i)
			n_ordered += id_of(asked(b, i)->data) ==
				     id_of(asked(b, i - 1u)->data) + 1;
		answer(b, i, 0);
	}
	assert_true(n_same < 3);
	assert_true(n_ordered < 3);
	assert_int_equal(n_got(b), 60);
}

static void test_ports_change(void **state)
{
	struct bench *b = *state;
	unsigned n_before;

	for (uint16_t i = 0; i < 40; i++) {
		ask(b, i, "www");
		answer(b, i, 0);
	}
	n_before = b->room.up->n_numbers;
	assert_true(n_before > 1);
	assert_true(n_before <= DNS_SOCKETS);
	for (uint16_t i = 40; i < 8 * DNS_SOCKETS * DNS_SOCKET_USES; i++) {
		ask(b, i, "www");
		answer(b, i, 0);
	}
	assert_true(b->room.up->n_numbers > DNS_SOCKETS);
	assert_true(b->room.up->n_open <= DNS_SOCKETS);
	assert_int_equal(n_got(b), 8 * DNS_SOCKETS * DNS_SOCKET_USES);
}

static void test_a_port_in_use_is_kept(void **state)
{
	struct bench *b = *state;
	const unsigned n = 4 * DNS_SOCKETS * DNS_SOCKET_USES;

	ask(b, 0xffff, "slow");
	for (uint16_t i = 0; i < n; i++) {
		ask(b, i, "www");
		answer(b, i + 1u, 0);
	}
	answer(b, 0, 0);
	assert_int_equal(n_got(b), n + 1);
	assert_int_equal(id_of(got(b, n).data), 0xffff);
}

static void test_joined_answers_are_taken_apart(void **state)
{
	struct bench *b = *state;
	unsigned sock, n = 1;
	uint8_t run[21 * 2];

	ask(b, 1, "www");
	sock = asked(b, 0)->sock;
	/* until one leaves by the same socket */
	do
		ask(b, (uint16_t)(1 + n), "www");
	while (asked(b, n++)->sock != sock);
	memcpy(run, asked(b, 0)->data, 21);
	memcpy(run + 21, asked(b, n - 1)->data, 21);
	run[2] |= DNS_F_QR >> 8;
	run[21 + 2] |= DNS_F_QR >> 8;
	fake_upstream_say(b->room.up, sock, run, sizeof(run), 21);
	fake_upstream_run(b->room.up);
	assert_int_equal(n_got(b), 2);
	assert_int_equal(id_of(got(b, 0).data), 1);
	assert_int_equal(id_of(got(b, 1).data), n);
}

/* --- retries --- */

static void test_silence_goes_to_the_next(void **state)
{
	struct bench *b = *state;
	const struct endpoint second = upstream(1);
	struct endpoint tcp;

	ask(b, 1, "www");
	fake_lan_advance(&b->room.lan, 1400 * MS);
	assert_int_equal(n_asked(b), 1);
	fake_lan_advance(&b->room.lan, 102 * MS);
	assert_int_equal(n_asked(b), 2);
	assert_true(went_to(b, 1, 1));
	answer(b, 1, 0);
	assert_int_equal(n_got(b), 1);
	/* who answered is asked first from now on, by TCP too */
	ask(b, 2, "www");
	assert_true(went_to(b, 2, 1));
	tcp = dns_tcp_upstream(b->dns);
	assert_true(endpoint_eq(&tcp, &second));
}

static void test_three_silent_ones(void **state)
{
	struct bench *b = *state;

	use(b, 4);
	ask(b, 9, "www");
	for (unsigned i = 0; i < 2; i++)
		fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_asked(b), 3);
	assert_int_equal(n_got(b), 0);
	fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_asked(b), 3);
	expect_servfail(b, 9);
	/* a late answer finds nobody */
	answer(b, 0, 0);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 1);
	/* the fourth has its turn */
	ask(b, 10, "www");
	assert_true(went_to(b, 3, 3));
}

static void test_a_lone_silent_one_is_asked_three_times(void **state)
{
	struct bench *b = *state;

	use(b, 1);
	ask(b, 9, "www");
	for (unsigned i = 0; i < 3; i++)
		fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_asked(b), 3);
	expect_servfail(b, 9);
}

static void test_refusal_goes_to_the_next_at_once(void **state)
{
	struct bench *b = *state;

	ask(b, 1, "www");
	fake_upstream_refuse(b->room.up, asked(b, 0)->sock, -ECONNREFUSED);
	fake_upstream_run(b->room.up);
	assert_int_equal(n_asked(b), 2);
	assert_true(went_to(b, 1, 1));
	answer(b, 1, 0);
	assert_int_equal(n_got(b), 1);
}

static void test_refusal_is_told_by_send(void **state)
{
	struct bench *b = *state;

	/* once: it was an earlier question's */
	b->room.up->send_err = -ECONNREFUSED;
	b->room.up->n_send_err = 1;
	ask(b, 1, "www");
	assert_int_equal(n_asked(b), 1);
	assert_true(went_to(b, 0, 0));
	/* twice: it is meant */
	b->room.up->n_send_err = 2;
	ask(b, 2, "www");
	assert_int_equal(n_asked(b), 2);
	assert_true(went_to(b, 1, 1));
}

static void test_refused_by_all(void **state)
{
	struct bench *b = *state;

	ask(b, 1, "www");
	for (unsigned i = 0; i < 3; i++) {
		fake_upstream_refuse(b->room.up, asked(b, i)->sock,
				     -ECONNREFUSED);
		fake_upstream_run(b->room.up);
	}
	assert_int_equal(n_asked(b), 3);
	expect_servfail(b, 1);
	assert_int_equal(b->room.lan.now_ns, UINT64_C(1000000000));
}

static void test_refusal_concerns_its_own_socket_only(void **state)
{
	struct bench *b = *state;
	unsigned n = 2;

	ask(b, 1, "www");
	do
		ask(b, (uint16_t)n, "www");
	while (asked(b, n++ - 1)->sock == asked(b, 0)->sock);
	fake_upstream_refuse(b->room.up, asked(b, 0)->sock, -EHOSTUNREACH);
	fake_upstream_run(b->room.up);
	/* all but the last one have moved */
	assert_int_equal(n_asked(b), 2 * (n - 1) - 1);
	answer(b, n - 2, 0);
	assert_int_equal(n_got(b), 1);
	assert_int_equal(id_of(got(b, 0).data), n - 1);
}

static void test_no_resolver_at_all(void **state)
{
	struct bench *b = *state;
	const struct endpoint local = {.ip = addr_v4(127, 0, 0, 1),
				       .port = DNS_PORT};

	use(b, 0);
	ask(b, 3, "www");
	assert_true(endpoint_eq(&asked(b, 0)->to, &local));
	fake_upstream_refuse(b->room.up, asked(b, 0)->sock, -ECONNREFUSED);
	fake_upstream_run(b->room.up);
	expect_servfail(b, 3);
}

static void test_no_sockets(void **state)
{
	struct bench *b = *state;

	b->room.up->open_err = -EMFILE;
	b->room.up->n_open_err = 3;
	ask(b, 3, "www");
	expect_servfail(b, 3);
	fake_clear(b->room.guest);
	b->room.up->connect_err = -ENETUNREACH;
	b->room.up->n_connect_err = 3;
	ask(b, 4, "www");
	expect_servfail(b, 4);
	assert_int_equal(b->room.up->n_open, 0);
}

static void test_resolvers_change(void **state)
{
	struct bench *b = *state;
	const struct endpoint other = {.ip = addr_v4(198, 51, 100, 1),
				       .port = DNS_PORT};

	ask(b, 1, "www");
	dns_set_upstreams(b->dns, &other, 1);
	assert_int_equal(b->room.up->n_open, 1);
	assert_int_equal(n_asked(b), 2);
	assert_true(endpoint_eq(&asked(b, 1)->to, &other));
	answer(b, 1, 0);
	assert_int_equal(n_got(b), 1);
	/* to one that is not there, with questions in flight */
	for (uint16_t i = 0; i < 5; i++)
		ask(b, i, "www");
	fake_clear(b->room.guest);
	b->room.up->open_err = -EMFILE;
	b->room.up->n_open_err = 5;
	dns_set_upstreams(b->dns, &other, 1);
	assert_int_equal(n_got(b), 5);
}

/* --- another network --- */

static void test_network_that_stays_asks_nothing_again(void **state)
{
	struct bench *b = *state;

	b->room.up->source = addr_v4(192, 0, 2, 2);
	ask(b, 1, "www");
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 1);
	assert_int_equal(b->room.up->n_open, 1);
	answer(b, 0, 0);
	assert_int_equal(n_got(b), 1);
}

/* The host speaks from another address now. */
static void test_network_that_moved_is_asked_by_other_sockets(void **state)
{
	struct bench *b = *state;

	b->room.up->source = addr_v4(192, 0, 2, 2);
	for (uint16_t i = 0; i < 20; i++)
		ask(b, i, "www");
	/* Which socket a question leaves by is drawn. */
	assert_in_range(b->room.up->n_open, 2, DNS_SOCKETS);
	for (uint16_t i = 0; i < 5; i++)
		answer(b, i, 0);
	assert_int_equal(n_got(b), 5);
	b->room.up->source = addr_v4(198, 51, 100, 2);
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 20 + 15); /* what is in flight, once */
	for (uint16_t i = 20; i < 35; i++)
		answer(b, i, 0);
	assert_int_equal(n_got(b), 20);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 0);
}

/* Nobody waits for a resolver to whom no way leads: another is asked. */
static void test_network_without_a_way(void **state)
{
	struct bench *b = *state;
	const struct endpoint two[2] = {upstream(0), upstream(1)};

	b->room.up->source = addr_v4(192, 0, 2, 2);
	use(b, 2);
	ask(b, 1, "www");
	assert_true(endpoint_eq(&asked(b, 0)->to, &two[0]));
	/* which cannot be asked of a host without a descriptor */
	b->room.up->open_err = -EMFILE;
	b->room.up->n_open_err = 1;
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 1);
	assert_int_equal(b->room.up->n_open, 1);
	b->room.up->connect_err = -ENETUNREACH;
	b->room.up->n_connect_err = 2; /* the look, and the question again */
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 2);
	assert_true(endpoint_eq(&asked(b, 1)->to, &two[1]));
	assert_int_equal(b->room.up->n_open, 1);
	assert_int_equal(n_got(b), 0);
	/* and where there is none, the guest is told at once */
	b->room.up->n_connect_err = 100;
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 2);
	expect_servfail(b, 1);
}

/* --- lies --- */

static void lie(struct bench *b, unsigned sock, unsigned at, uint8_t xor)
{
	const struct fake_question *q = asked(b, 0);
	uint8_t buf[64];

	memcpy(buf, q->data, q->len);
	buf[2] |= DNS_F_QR >> 8;
	buf[at] ^= xor;
	fake_upstream_say(b->room.up, sock, buf, q->len, 0);
	fake_upstream_run(b->room.up);
}

static void test_lies(void **state)
{
	static const uint8_t at[] = {
		0,  1, /* id */
		2,     /* a question, not an answer */
		5,     /* number of questions */
		14,    /* name */
		18,    /* type */
		20,    /* class */
	};
	struct bench *b = *state;
	unsigned sock;

	ask(b, 1, "www");
	sock = asked(b, 0)->sock;
	for (unsigned i = 0; i < sizeof(at); i++) {
		lie(b, sock, at[i], at[i] == 2 ? 0x80 : 0x03);
		assert_int_equal(drops(b, DROP_DNS_REPLY), i + 1);
	}
	fake_upstream_say(b->room.up, sock, "\0\1", 2, 0);
	fake_upstream_say(b->room.up, sock, "", 0, 0);
	fake_upstream_run(b->room.up);
	assert_int_equal(drops(b, DROP_DNS_REPLY), sizeof(at) + 2);
	assert_int_equal(n_got(b), 0);
	/* letters may change their case */
	lie(b, sock, 14, 0x20);
	assert_int_equal(n_got(b), 1);
}

static void test_answer_by_another_socket(void **state)
{
	struct bench *b = *state;
	unsigned n = 1;

	ask(b, 1, "www");
	do
		ask(b, (uint16_t)(n + 1), "other");
	while (asked(b, n++)->sock == asked(b, 0)->sock);
	lie(b, asked(b, n - 1)->sock, 0, 0);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 1);
	/* nor by that of the resolver that was given up */
	fake_lan_advance(&b->room.lan, TRY_NS);
	lie(b, asked(b, 0)->sock, 0, 0);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 2);
	assert_int_equal(n_got(b), 0);
}

/* --- guests --- */

static void test_repeated_question_is_one(void **state)
{
	struct bench *b = *state;

	ask(b, 1, "www");
	b->mac = fake_mac(2); /* it has moved: the answer goes there */
	ask(b, 1, "www");
	assert_int_equal(n_asked(b), 1);
	answer(b, 0, 0);
	assert_int_equal(n_got(b), 1);
	(void)got(b, 0); /* checks the MAC */
	/* answered: asked anew */
	ask(b, 1, "www");
	assert_int_equal(n_asked(b), 2);
}

static void test_same_id_other_question(void **state)
{
	struct bench *b = *state;
	struct fake_dgram g;

	ask(b, 1, "www");
	ask(b, 1, "ftp"); /* the guest was started anew */
	assert_int_equal(n_asked(b), 2);
	answer(b, 0, 0);
	assert_int_equal(n_got(b), 0);
	answer(b, 1, 0);
	g = got(b, 0);
	assert_memory_equal(g.data + 12, "\3ftp", 4);
}

static void test_one_guests_share(void **state)
{
	struct bench *b = *state;
	char label[8] = "aaaa";

	for (unsigned i = 0; i < 300; i++) {
		label[0] = (char)('a' + i % 26);
		label[1] = (char)('a' + i / 26);
		b->ip = guest_ip(b, (uint8_t)(15 + i % 100));
		ask(b, (uint16_t)i, label); /* by one MAC */
	}
	assert_int_equal(n_asked(b), DNS_PER_GUEST);
	assert_int_equal(drops(b, DROP_DNS_BUSY), 300 - DNS_PER_GUEST);
	/* neither does another MAC help */
	b->ip = guest_ip(b, 200);
	b->mac = fake_mac(2);
	ask(b, 1, "www");
	assert_int_equal(n_asked(b), DNS_PER_GUEST + 1);
}

static void test_table_full(void **state)
{
	struct bench *b = *state;
	char label[8] = "aaaa";

	for (unsigned i = 0; i < DNS_QUESTIONS + 10; i++) {
		label[0] = (char)('a' + i % 26);
		label[1] = (char)('a' + i / 26);
		b->ip = guest_ip(b, (uint8_t)(15 + i % 200));
		b->mac = fake_mac(i % 200);
		ask(b, (uint16_t)i, label);
	}
	assert_int_equal(n_asked(b), DNS_QUESTIONS);
	assert_int_equal(drops(b, DROP_DNS_BUSY), 10);
	for (unsigned i = 0; i < 3; i++)
		fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_got(b), DNS_QUESTIONS); /* SERVFAIL for each */
	ask(b, 9999, "www");
	assert_int_equal(n_asked(b), 3 * DNS_QUESTIONS + 1);
}

static void test_a_loop_ends(void **state)
{
	struct bench *b = *state;
	unsigned n = 0;
	struct fake_dgram g;

	/* the guest's resolver asks us what we ask it */
	for (; n_got(b) == 0; n++) {
		b->port = (uint16_t)(6000 + n);
		ask(b, (uint16_t)n, "www");
		assert_true(n < 1000);
	}
	assert_int_equal(n_asked(b), DNS_SAME_MAX);
	g = got(b, 0);
	assert_int_equal(rcode(&g), DNS_SERVFAIL);
}

static void test_bad_questions(void **state)
{
	struct bench *b = *state;
	uint8_t buf[DNS_QUESTION_MAX + 1] = {0};
	struct fake_dgram g;
	size_t len;

	send_raw(b, buf, 11);
	assert_int_equal(drops(b, DROP_DNS_BAD), 1);
	len = put_question(buf, sizeof(buf), 1, DNS_F_QR, "www");
	send_raw(b, buf, len); /* an answer */
	assert_int_equal(drops(b, DROP_DNS_BAD), 2);
	len = put_question(buf, sizeof(buf), 1, 0, "www");
	send_raw(b, buf, len - 1);
	assert_int_equal(drops(b, DROP_DNS_BAD), 3);
	send_raw(b, buf, sizeof(buf)); /* too long */
	assert_int_equal(drops(b, DROP_DNS_BAD), 4);
	send_raw(b, buf, sizeof(buf) - 1); /* just not */
	assert_int_equal(n_asked(b), 1);
	/* no question, or two: said so at once */
	buf[5] = 0;
	send_raw(b, buf, len);
	g = got(b, 0);
	assert_int_equal(rcode(&g), DNS_FORMERR);
	assert_int_equal(n_asked(b), 1);
}

/* --- long answers --- */

static void test_long_answers(void **state)
{
	struct bench *b = *state;
	const size_t room = b->is_v6 ? 1452 : 1472;
	struct fake_dgram g;

	ask(b, 1, "www");
	answer(b, 0, room - 21);
	g = got(b, 0);
	assert_int_equal(g.len, room);
	assert_false(g.data[2] & DNS_F_TC >> 8);
	fake_clear(b->room.guest);
	ask(b, 2, "www");
	answer(b, 1, room + 1 - 21); /* one byte too many */
	g = got(b, 0);
	assert_int_equal(g.len, 21);
	assert_int_equal(id_of(g.data), 2);
	assert_true(g.data[2] & DNS_F_TC >> 8);
	assert_true(g.data[2] & DNS_F_QR >> 8);
	assert_int_equal(rcode(&g), DNS_NOERROR);
	assert_memory_equal(g.data + 12, "\3www", 4);
}

static void test_an_answer_that_fits_no_frame(void **state)
{
	struct bench *b = *state;

	b->room.env.mtu = 40;
	ask(b, 1, "www");
	answer(b, 0, 100);
	assert_int_equal(n_got(b), 0);
	assert_int_equal(drops(b, DROP_DNS_BAD), 1);
}

#define T(f)                                                                   \
	cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, &is_v6)

static int run(bool is_v6)
{
	const struct CMUnitTest tests[] = {
		T(test_question_and_answer),
		T(test_ids_are_ours),
		T(test_ports_change),
		T(test_a_port_in_use_is_kept),
		T(test_joined_answers_are_taken_apart),
		T(test_silence_goes_to_the_next),
		T(test_three_silent_ones),
		T(test_a_lone_silent_one_is_asked_three_times),
		T(test_refusal_goes_to_the_next_at_once),
		T(test_refusal_is_told_by_send),
		T(test_refused_by_all),
		T(test_refusal_concerns_its_own_socket_only),
		T(test_no_resolver_at_all),
		T(test_no_sockets),
		T(test_resolvers_change),
		T(test_network_that_stays_asks_nothing_again),
		T(test_network_that_moved_is_asked_by_other_sockets),
		T(test_network_without_a_way),
		T(test_lies),
		T(test_answer_by_another_socket),
		T(test_repeated_question_is_one),
		T(test_same_id_other_question),
		T(test_one_guests_share),
		T(test_table_full),
		T(test_a_loop_ends),
		T(test_bad_questions),
		T(test_long_answers),
		T(test_an_answer_that_fits_no_frame),
	};

	return cmocka_run_group_tests_name(is_v6 ? "IPv6" : "IPv4", tests, NULL,
					   NULL);
}

int main(void)
{
	int r = run(false);

	return r ? r : run(true);
}
