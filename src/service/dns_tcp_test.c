/* SPDX-License-Identifier: BSD-3-Clause */
/* DNS over TCP: questions one after the other, a resolver
 * that closes, is silent or lies, and guests that want too much. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/nat64.h"
#include "service/dns_tcp.h"
#include "service/fake_room.h"
#include "wire/dns.h"

#define SECOND UINT64_C(1000000000)

enum { GUESTS = 80 };

struct bench {
	struct fake_room room;
	struct dns *dns;
	struct dns_tcp *tcp;
	struct endpoint guest, server;
	struct host_sock sock[GUESTS]; /* the guests' ends */
	unsigned n_socks;
	bool is_gone; /* the guest does not wait for its stream */
};

static void on_sock(struct host_sock *s, unsigned events)
{
}

static void served(void *arg, const struct endpoint *guest,
		   const struct endpoint *server, struct host_sock *far)
{
	struct bench *b = arg;

	assert_true(endpoint_eq(guest, &b->guest));
	assert_true(endpoint_eq(server, &b->server));
	if (b->is_gone)
		return;
	assert_true(b->n_socks < GUESTS);
	b->sock[b->n_socks].event = on_sock;
	b->room.up->host.ops->move(&b->room.up->host, far,
				   &b->sock[b->n_socks++]);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	fake_room_init(&b->room);
	b->dns = fake_room_dns64(&b->room);
	assert_int_equal(
		dns_tcp_new(&b->room.env, b->dns, served, b, &b->tcp), 0);
	b->guest.ip = (addr){{0xfe, 0xc0, [15] = 0x15}};
	b->guest.port = 5000;
	b->server.ip = (addr){{0xfe, 0xc0, [15] = 3}};
	b->server.port = DNS_PORT;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	struct host *h = &b->room.up->host;

	dns_tcp_free(b->tcp);
	for (unsigned i = 0; i < b->n_socks; i++)
		h->ops->close(h, &b->sock[i], false);
	dns_free(b->dns);
	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

static void run(struct bench *b)
{
	fake_lan_advance(&b->room.lan, 0);
	fake_upstream_run(b->room.up);
}

static void pass(struct bench *b, uint64_t ns)
{
	fake_lan_advance(&b->room.lan, ns);
	fake_upstream_run(b->room.up);
}

static int open_one(struct bench *b)
{
	return dns_tcp_open(b->tcp, &b->guest, fake_mac(1), &b->server);
}

static struct host_sock *dial(struct bench *b)
{
	unsigned n = b->n_socks;

	assert_int_equal(open_one(b), 0);
	assert_int_equal(b->n_socks, n);
	pass(b, SECOND / 100);
	assert_int_equal(b->n_socks, n + 1);
	return &b->sock[n];
}

static void say(struct bench *b, struct host_sock *s, const void *p, size_t len)
{
	struct host *h = &b->room.up->host;
	struct iovec v = {.iov_base = (void *)p, .iov_len = len};

	assert_int_equal(h->ops->send(h, s, &v, 1, 0), len);
	run(b);
}

/* What the guest read: its length, or as recv(). */
static ssize_t heard(struct bench *b, struct host_sock *s, uint8_t *p,
		     size_t len)
{
	struct host *h = &b->room.up->host;
	struct iovec v = {.iov_base = p, .iov_len = len};

	return h->ops->recv(h, s, &v, 1, 0);
}

#define WWW    "\3www\4test"
#define HDR_Q  "\x12\x34\1\0\0\1\0\0\0\0\0\0"
#define HDR_A(n) "\x12\x34\x81\x80\0\1\0" n "\0\0\0\0"
#define Q_AAAA WWW "\0\0\x1c\0\1"
#define Q_A    WWW "\0\0\1\0\1"
#define RR_A   "\xc0\x0c\0\1\0\1\0\0\0\x32\0\4\xc0\0\2\1"
/* which nobody may keep */
#define RR_A0  "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2\1"
#define RR_64                                                                  \
	"\xc0\x0c\0\x1c\0\1\0\0\0\x32\0\x10"                                   \
	"\0\x64\xff\x9b\0\0\0\0\0\0\0\0\xc0\0\2\1"

#define ASK(b, s, text) say(b, s, text, sizeof(text) - 1)
#define ANSWER(b, i, text) answer(b, i, text, sizeof(text) - 1)

/* The resolver answers by the socket that the ith question went by. */
static void answer(struct bench *b, unsigned i, const void *p, size_t len)
{
	assert_true(i < b->room.up->n_sent);
	assert_true(fake_upstream_say(b->room.up, b->room.up->sent[i].sock, p,
				      len, 0));
	run(b);
}

static void expect_asked(const struct bench *b, unsigned i, const void *p,
			 size_t len)
{
	assert_int_equal(b->room.up->n_sent, i + 1);
	assert_int_equal(b->room.up->sent[i].len, len);
	assert_memory_equal(b->room.up->sent[i].data, p, len);
}

#define EXPECT_ASKED(b, i, text) expect_asked(b, i, text, sizeof(text) - 1)

static void expect_heard(struct bench *b, struct host_sock *s, const void *p,
			 size_t len)
{
	uint8_t buf[512];

	assert_int_equal(heard(b, s, buf, sizeof(buf)), len);
	assert_memory_equal(buf, p, len);
}

#define EXPECT_HEARD(b, s, text) expect_heard(b, s, text, sizeof(text) - 1)

static void test_addresses_are_made(void **state)
{
	struct bench *b = *state;
	struct host_sock *s = dial(b);
	uint8_t buf[1];

	ASK(b, s, "\0\x1a" HDR_Q Q_AAAA);
	EXPECT_ASKED(b, 0, "\0\x1a" HDR_Q Q_AAAA);
	/* it comes in pieces */
	ANSWER(b, 0, "\0");
	ANSWER(b, 0, "\x1a" HDR_A("\0") WWW);
	ANSWER(b, 0, "\0\0\x1c\0\1");
	EXPECT_ASKED(b, 1, "\0\x1a" HDR_Q Q_A);
	assert_int_equal(b->room.up->sent[0].sock, b->room.up->sent[1].sock);
	assert_int_equal(heard(b, s, buf, 1), -EAGAIN);
	ANSWER(b, 1, "\0\x2a" HDR_A("\1") Q_A RR_A);
	EXPECT_HEARD(b, s, "\0\x36" HDR_A("\1") Q_AAAA RR_64);
}

static void test_one_after_the_other(void **state)
{
	struct bench *b = *state;
	struct host_sock *s = dial(b);

	/* two and a half at once */
	ASK(b, s,
	    "\0\x1a" HDR_Q Q_A "\0\x1a" HDR_Q Q_AAAA "\0\x1a" HDR_Q "\3ww");
	EXPECT_ASKED(b, 0, "\0\x1a" HDR_Q Q_A);
	ANSWER(b, 0, "\0\x2a" HDR_A("\1") Q_A RR_A);
	EXPECT_HEARD(b, s, "\0\x2a" HDR_A("\1") Q_A RR_A);
	EXPECT_ASKED(b, 1, "\0\x1a" HDR_Q Q_AAAA);
	ANSWER(b, 1, "\0\x1a" "\x12\x34\x81\x83\0\1\0\0\0\0\0\0" Q_AAAA);
	EXPECT_HEARD(b, s, "\0\x1a" "\x12\x34\x81\x83\0\1\0\0\0\0\0\0" Q_AAAA);
	/* what was asked before is known */
	ASK(b, s, "w\4test\0\0\1\0\1");
	EXPECT_HEARD(b, s, "\0\x2a" HDR_A("\1") Q_A RR_A);
	assert_int_equal(b->room.up->n_sent, 2);
}

/* The name counts for who asked, and for nobody else. */
static void test_whose_name_it_is(void **state)
{
	const addr ip = addr_v4(192, 0, 2, 1);
	struct bench *b = *state;
	struct host_sock *s = dial(b);
	const char *name;

	ASK(b, s, "\0\x1a" HDR_Q Q_A);
	ANSWER(b, 0, "\0\x2a" HDR_A("\1") Q_A RR_A);
	name = dns_looked_up(b->dns, fake_mac(1), &ip);
	assert_string_equal(name ? name : "(none)", "www.test");
	assert_null(dns_looked_up(b->dns, fake_mac(2), &ip));
	assert_null(dns_looked_up(b->dns, (mac){{0}}, &ip));
}

static void test_the_resolver_closes_what_is_idle(void **state)
{
	struct bench *b = *state;
	struct host_sock *s = dial(b);

	ASK(b, s, "\0\x1a" HDR_Q Q_A);
	ANSWER(b, 0, "\0\x2a" HDR_A("\1") Q_A RR_A0);
	EXPECT_HEARD(b, s, "\0\x2a" HDR_A("\1") Q_A RR_A0);
	/* and it is noticed when the next question has gone there */
	ASK(b, s, "\0\x1a" HDR_Q Q_A);
	ANSWER(b, 1, "");
	EXPECT_ASKED(b, 2, "\0\x1a" HDR_Q Q_A);
	assert_int_not_equal(b->room.up->sent[1].sock,
			     b->room.up->sent[2].sock);
	/* who closes at once does not answer */
	ANSWER(b, 2, "");
	EXPECT_HEARD(b, s,
		     "\0\x1a" "\x12\x34\x81\x82\0\1\0\0\0\0\0\0" Q_A);
}

/* Who does not answer makes way for the next, and that for the first again. */
static void test_several_resolvers(void **state)
{
	struct bench *b = *state;
	struct endpoint ep[2] = {{.ip = addr_v4(192, 0, 2, 53), .port = 53},
				 {.ip = addr_v4(192, 0, 2, 54), .port = 53}};
	struct host_sock *s = dial(b);

	dns_set_upstreams(b->dns, ep, 2);
	ASK(b, s, "\0\x1a" HDR_Q Q_A);
	assert_true(endpoint_eq(&b->room.up->sent[0].to, &ep[0]));
	ANSWER(b, 0, "");
	EXPECT_ASKED(b, 1, "\0\x1a" HDR_Q Q_A);
	assert_true(endpoint_eq(&b->room.up->sent[1].to, &ep[1]));
	ANSWER(b, 1, "\0\x2a" HDR_A("\1") Q_A RR_A0);
	EXPECT_HEARD(b, s, "\0\x2a" HDR_A("\1") Q_A RR_A0);
	/* silence, a lie, and both have failed */
	ASK(b, s, "\0\x1a" HDR_Q Q_A);
	assert_true(endpoint_eq(&b->room.up->sent[2].to, &ep[0]));
	pass(b, (DNS_TCP_TRY_SECONDS + 1) * SECOND);
	EXPECT_ASKED(b, 3, "\0\x1a" HDR_Q Q_A);
	assert_true(endpoint_eq(&b->room.up->sent[3].to, &ep[1]));
	ANSWER(b, 3, "\0\x1a" HDR_A("\0") Q_AAAA);
	EXPECT_HEARD(b, s,
		     "\0\x1a" "\x12\x34\x81\x82\0\1\0\0\0\0\0\0" Q_A);
	assert_int_equal(b->room.lan.drops.n[DROP_DNS_SILENT], 1);
	/* and a name of a domain goes where that is known */
	{
		struct dns_server_config c = {.ep = ep[0],
					      .domain = "\4test",
					      .domain_len = 6};

		c.ep.port = 99;
		assert_int_equal(dns_add_server(b->dns, &c), 0);
		ASK(b, s, "\0\x1a" HDR_Q Q_A);
		assert_true(endpoint_eq(&b->room.up->sent[4].to, &c.ep));
	}
}

static void test_nobody_answers(void **state)
{
	struct bench *b = *state;
	struct host_sock *s = dial(b);

	b->room.up->connect_err = -ECONNREFUSED;
	b->room.up->n_connect_err = 1;
	ASK(b, s, "\0\x1a" HDR_Q Q_A);
	EXPECT_HEARD(b, s,
		     "\0\x1a" "\x12\x34\x81\x82\0\1\0\0\0\0\0\0" Q_A);
	ASK(b, s, "\0\x1a" HDR_Q Q_A);
	pass(b, (DNS_TCP_SECONDS + 1) * SECOND);
	EXPECT_HEARD(b, s,
		     "\0\x1a" "\x12\x34\x81\x82\0\1\0\0\0\0\0\0" Q_A);
	/* another's answer is none */
	ASK(b, s, "\0\x1a" HDR_Q Q_A);
	ANSWER(b, 1, "\0\x1a" "\x12\x35\x81\x80\0\1\0\0\0\0\0\0" Q_A);
	EXPECT_HEARD(b, s,
		     "\0\x1a" "\x12\x34\x81\x82\0\1\0\0\0\0\0\0" Q_A);
	assert_int_equal(b->room.lan.drops.n[DROP_DNS_REPLY], 1);
}

static void test_what_is_no_question_ends_it(void **state)
{
	struct bench *b = *state;
	struct host_sock *s = dial(b);

	ASK(b, s, "\0\5abcde");
	assert_int_equal(b->room.lan.drops.n[DROP_DNS_BAD], 1);
	assert_int_equal(b->room.up->n_open, 1); /* the guest's end */
	s = dial(b);
	ASK(b, s, "\0\0");
	assert_int_equal(b->room.lan.drops.n[DROP_DNS_BAD], 2);
	assert_int_equal(b->room.up->n_open, 2);
}

static void test_idle_ones_end(void **state)
{
	struct bench *b = *state;

	dial(b);
	assert_int_equal(b->room.up->n_open, 2);
	pass(b, (DNS_TCP_SECONDS + 1) * SECOND);
	assert_int_equal(b->room.up->n_open, 1);
	/* so do those whose guest has gone, before or after */
	dial(b);
	b->room.up->host.ops->close(&b->room.up->host, &b->sock[1], false);
	run(b);
	assert_int_equal(b->room.up->n_open, 1);
	b->is_gone = true;
	assert_int_equal(open_one(b), 0);
	pass(b, SECOND / 100);
	assert_int_equal(b->room.up->n_open, 1);
}

static void test_one_guests_share(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < DNS_TCP_PER_GUEST; i++)
		dial(b);
	assert_int_equal(open_one(b), -EAGAIN);
	for (unsigned i = 0; i < DNS_TCP_MAX - DNS_TCP_PER_GUEST; i++) {
		b->guest.ip.b[14] = (uint8_t)(i / DNS_TCP_PER_GUEST + 1);
		dial(b);
	}
	b->guest.ip.b[14] = 0xff;
	assert_int_equal(open_one(b), -EAGAIN);
	/* and the host may have no descriptor */
	pass(b, (DNS_TCP_SECONDS + 1) * SECOND);
	b->room.up->open_err = -EMFILE;
	b->room.up->n_open_err = 1;
	assert_int_equal(open_one(b), -EAGAIN);
	dial(b);
}

static void dial_inside(struct fake_port *f, const struct batch *frames,
			uint64_t mask)
{
	struct bench *b = f->arg;
	unsigned n = 0;

	for (uint8_t i = 0; i < 2 * DNS_TCP_MAX; i++) {
		b->guest.ip.b[14] = (uint8_t)(i + 1);
		n += open_one(b) == 0;
	}
	assert_int_equal(n, DNS_TCP_MAX / 4 * 3);
}

/* As dial_inside(), over UDP, and by many MACs as well. */
static void ask_inside(struct fake_port *f, const struct batch *frames,
		       uint64_t mask)
{
	struct bench *b = f->arg;

	for (uint16_t i = 0; i < 2 * DNS_QUESTIONS; i++) {
		struct dns_hdr h = {.id = i, .n_question = 1};
		struct packet pkt;
		uint8_t buf[64];
		struct wr w = wr_init(buf, sizeof(buf));
		char name[32];

		snprintf(name, sizeof(name), "n%u.example", i);
		dns_hdr_emit(&w, &h);
		(void)dns_name_emit(&w, name);
		wr_u32(&w, DNS_T_A << 16 | DNS_C_IN);
		b->guest.ip.b[13] = (uint8_t)(i >> 8);
		b->guest.ip.b[14] = (uint8_t)i;
		pkt = fake_room_packet(b->guest.ip, i, fake_mac(i));
		dns_input(b->dns, &pkt, buf, wr_len(&w));
	}
	assert_int_equal(b->room.up->n_sent, DNS_QUESTIONS / 4 * 3);
}

/* A machine has many addresses, and one port. */
static void test_one_ports_share(void **state)
{
	struct bench *b = *state;
	uint8_t frame[60];

	fake_frame_fill(frame, sizeof(frame), MAC_BROADCAST, fake_mac(1), 0);
	b->room.gw->arg = b;
	b->room.gw->on_send = ask_inside;
	fake_rx(b->room.guest, frame, sizeof(frame), NULL);
	b->room.gw->on_send = dial_inside;
	fake_rx(b->room.guest, frame, sizeof(frame), NULL);
	b->guest.ip.b[14] = 0xff;
	assert_int_equal(open_one(b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses_are_made, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_one_after_the_other,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_whose_name_it_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_the_resolver_closes_what_is_idle, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_several_resolvers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_nobody_answers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_what_is_no_question_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_ones_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_one_guests_share, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_one_ports_share, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
