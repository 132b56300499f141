/* SPDX-License-Identifier: BSD-3-Clause */
/* hostfwd: listeners that hand over, UDP ports with many clients. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include <cmocka.h>

#include "nat/fake_nat.h"
#include "nat/forward.h"

/* The TCP part as forward sees it. */
struct tcp {
	struct host *host;
	unsigned n;
	struct endpoint guest, peer; /* of the last one */
	struct endpoint taken; /* no port of it is free */
	int result;
	uint8_t head[TCP_HEAD_MAX]; /* of the last one */
	uint32_t n_head;
	struct host_sock keep[64];
};

int tcp_connect_guest(struct tcp *t, struct host_sock *sock,
		      const struct nat_inward *in)
{
	t->n++;
	t->guest = in->guest;
	t->peer = in->peer;
	t->n_head = in->n_head;
	memcpy(t->head, in->head, in->n_head);
	t->host->ops->close(t->host, sock, t->result < 0);
	return t->result;
}

bool tcp_is_pair_free(struct tcp *t, const struct endpoint *guest,
		      const struct endpoint *peer)
{
	return !endpoint_eq(peer, &t->taken);
}

static const struct forward_rules any;

struct bench {
	struct fake_nat *n;
	struct tcp tcp;
	struct forward *fw;
	struct endpoint guest; /* port 22 */
	bool has_v6_clients;
};

static int setup(void **state, bool is_v6, bool has_v6_clients)
{
	struct bench *b = calloc(1, sizeof(*b));
	void *n;

	(void)(is_v6 ? fake_nat_setup6(&n) : fake_nat_setup(&n)); /* 0 */
	b->n = n;
	b->tcp.host = &b->n->fh->host;
	b->guest = (struct endpoint){.ip = b->n->g.ip, .port = 22};
	b->has_v6_clients = has_v6_clients;
	assert_int_equal(forward_new(&b->n->env, &b->tcp, b->n->udp, &b->fw),
			 0);
	*state = b;
	return 0;
}

/* Guest's family, clients' family. */
static int setup44(void **state)
{
	return setup(state, false, false);
}

static int setup46(void **state)
{
	return setup(state, false, true);
}

static int setup64(void **state)
{
	return setup(state, true, false);
}

static int setup66(void **state)
{
	return setup(state, true, true);
}

/* Somebody outside. */
static struct endpoint away(const struct bench *b, uint8_t host, uint16_t port)
{
	return b->has_v6_clients ? fake_ep6(host, port)
				 : fake_ep(192, 0, 2, host, port);
}

/* A program of the host. */
static struct endpoint local(const struct bench *b, uint16_t port)
{
	const addr like = away(b, 1, port).ip;

	return (struct endpoint){.ip = addr_loopback(&like), .port = port};
}

/* What the guest sees of an outer client, if nobody is in its way. */
static struct endpoint seen(const struct bench *b, const struct endpoint *c)
{
	struct endpoint ep = *c;

	if (b->has_v6_clients != !addr_is_v4(&b->guest.ip))
		ep.ip = b->n->gw_ip;
	return ep;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	forward_free(b->fw);
	fake_nat_free(b->n);
	free(b);
	return 0;
}

static void turn(struct bench *b)
{
	fake_host_run(b->n->fh);
	fake_nat_pass(b->n, FAKE_SECOND / 200);
}

static void test_client_keeps_its_address(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int fd = fake_listen(b->n->fh);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	assert_int_equal(b->tcp.n, 1);
	assert_true(endpoint_eq(&b->tcp.guest, &b->guest));
	c = seen(b, &c);
	assert_true(endpoint_eq(&b->tcp.peer, &c));
}

/* A guest without a router could not answer anybody else. */
static void test_client_of_a_guest_without_a_way(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int fd = fake_listen(b->n->fh);
	bool is_v4 = addr_is_v4(&b->guest.ip);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	b->n->env.lacks_way4 = !is_v4; /* another family's is no matter */
	b->n->env.lacks_way6 = is_v4;
	fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	assert_true(endpoint_eq(&b->tcp.peer, &(struct endpoint){
						      .ip = seen(b, &c).ip,
						      .port = 3333}));
	b->n->env.lacks_way4 = is_v4;
	b->n->env.lacks_way6 = !is_v4;
	fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	assert_true(addr_eq(&b->tcp.peer.ip, &b->n->gw_ip));
	assert_int_equal(b->tcp.peer.port, 3333);
}

/* Another client looks like it to the guest: it gets a port of its own. */
static void test_a_client_that_looks_like_another(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int fd = fake_listen(b->n->fh);

	b->tcp.taken = seen(b, &c);
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	assert_true(addr_eq(&b->tcp.peer.ip, &b->tcp.taken.ip));
	assert_int_not_equal(b->tcp.peer.port, 3333);
}

static void test_loopback_client_is_the_gateway(void **state)
{
	struct bench *b = *state;
	struct endpoint c = local(b, 3333);
	int fd = fake_listen(b->n->fh);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	assert_true(addr_eq(&b->tcp.peer.ip, &b->n->gw_ip));
	assert_int_equal(b->tcp.peer.port, 3333);
}

static void test_unix_clients_get_ports(void **state)
{
	struct bench *b = *state;
	struct endpoint c = {.port = 0};
	int fd = fake_listen(b->n->fh);
	uint16_t first;

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	first = b->tcp.peer.port;
	assert_true(addr_eq(&b->tcp.peer.ip, &b->n->gw_ip));
	assert_in_range(first, 49152, 65535);
	fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	assert_int_not_equal(b->tcp.peer.port, first);
}

static void test_a_listener_goes_away(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int first = fake_listen(b->n->fh), second = fake_listen(b->n->fh);

	assert_int_equal(
		forward_add(b->fw, 7, IPPROTO_TCP, first, &b->guest, NULL), 0);
	assert_int_equal(
		forward_add(b->fw, 8, IPPROTO_TCP, second, &b->guest, NULL), 0);
	fake_client(b->n->fh, first, &c);
	fake_host_run(b->n->fh);
	assert_int_equal(b->tcp.n, 1);
	assert_int_equal(forward_del(b->fw, 9), -ENOENT);
	assert_int_equal(forward_del(b->fw, 7), 0);
	assert_int_equal(forward_del(b->fw, 7), -ENOENT);
	assert_false(fake_is_open(b->n->fh, (unsigned)first));
	assert_true(fake_is_open(b->n->fh, (unsigned)second));
	turn(b); /* its timer is gone with it */
	fake_client(b->n->fh, second, &c);
	turn(b);
	assert_int_equal(b->tcp.n, 2);
	/* the place is free again */
	first = fake_listen(b->n->fh);
	assert_int_equal(
		forward_add(b->fw, 7, IPPROTO_TCP, first, &b->guest, NULL), 0);
}

static void test_accepts_in_turns(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int fd = fake_listen(b->n->fh);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	for (int i = 0; i < 2 * FORWARD_ACCEPTS + 1; i++)
		fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	assert_int_equal(b->tcp.n, FORWARD_ACCEPTS);
	for (int i = 0; i < 4; i++)
		turn(b);
	assert_int_equal(b->tcp.n, 2 * FORWARD_ACCEPTS + 1);
}

static void test_clients_from_before_are_seen(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int fd = fake_listen(b->n->fh);

	fake_client(b->n->fh, fd, &c);
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	fake_nat_pass(b->n, FAKE_SECOND / 200); /* no event is needed */
	assert_int_equal(b->tcp.n, 1);
}

static void test_no_descriptor_is_tried_again(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int fd = fake_listen(b->n->fh);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	fake_client(b->n->fh, fd, &c);
	fake_fail(b->n->fh, FAKE_ACCEPT, EMFILE, 1);
	fake_host_run(b->n->fh);
	assert_int_equal(b->tcp.n, 0);
	assert_int_equal(b->n->drops.n[DROP_HOST_SOCKET], 1);
	fake_nat_pass(b->n, FAKE_SECOND / 2);
	assert_int_equal(b->tcp.n, 1);
}

static void test_aborted_client_does_not_stop_the_next(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int fd = fake_listen(b->n->fh);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	fake_client(b->n->fh, fd, &c);
	fake_fail(b->n->fh, FAKE_ACCEPT, ECONNABORTED, 1);
	fake_host_run(b->n->fh);
	assert_int_equal(b->tcp.n, 1);
}

static void test_tcp_that_cannot(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);
	int fd = fake_listen(b->n->fh);

	b->tcp.result = -ENOBUFS;
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	fake_client(b->n->fh, fd, &c);
	fake_host_run(b->n->fh);
	assert_int_equal(b->n->drops.n[DROP_FLOW_TABLE_FULL], 1);
}

static void test_add_that_fails_leaves_the_descriptor(void **state)
{
	struct bench *b = *state;
	int fd = fake_listen(b->n->fh);
	int udp = fake_udp(b->n->fh, 53);

	fake_fail(b->n->fh, FAKE_ADOPT, ENOMEM, 2);
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL),
		-ENOMEM);
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_UDP, udp, &b->guest, NULL),
		-ENOMEM);
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_SCTP, fd, &b->guest, NULL),
		-EINVAL);
	assert_int_equal(b->n->fh->n_socks, 2);
	/* they can be added still */
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, NULL), 0);
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_UDP, udp, &b->guest, NULL), 0);
}

/* What came by a listener whose clients are said to be, or must be, somebody.
 */
static int ruled(struct bench *b, const struct forward_rules *rules)
{
	int fd = fake_listen(b->n->fh);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_TCP, fd, &b->guest, rules), 0);
	return fd;
}

static void test_a_head_tells_of_the_client(void **state)
{
	struct bench *b = *state;
	const struct forward_rules rules = {.proxy = PROXY_V1};
	struct endpoint c = away(b, 9, 3333), own = away(b, 1, 80);
	int fd = ruled(b, &rules);
	char text[160], from[ADDR_STRLEN], to[ADDR_STRLEN];

	fake_bind(b->n->fh, (int)fake_client(b->n->fh, fd, &c), &own);
	fake_host_run(b->n->fh);
	snprintf(text, sizeof(text), "PROXY %s %s %s 3333 80\r\n",
		 b->has_v6_clients ? "TCP6" : "TCP4", addr_format(&c.ip, from),
		 addr_format(&own.ip, to));
	assert_int_equal(b->tcp.n_head, strlen(text));
	assert_memory_equal(b->tcp.head, text, strlen(text));
}

static void test_a_head_of_a_unix_client(void **state)
{
	struct bench *b = *state;
	const struct forward_rules rules = {.proxy = PROXY_V1};
	struct endpoint c = {.port = 0};

	fake_client(b->n->fh, ruled(b, &rules), &c);
	fake_host_run(b->n->fh);
	assert_int_equal(b->tcp.n_head, 15);
	assert_memory_equal(b->tcp.head, "PROXY UNKNOWN\r\n", 15);
}

static void test_no_head_unasked(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 3333);

	fake_client(b->n->fh, ruled(b, NULL), &c);
	fake_host_run(b->n->fh);
	assert_int_equal(b->tcp.n, 1);
	assert_int_equal(b->tcp.n_head, 0);
}

/* Only those whose last byte is 8 or 9. */
static struct forward_rules only_few(const struct bench *b)
{
	struct forward_rules r = {.n_from = 2};

	r.from[0] = (struct prefix){away(b, 200, 0).ip, 128};
	r.from[1] = (struct prefix){away(b, 8, 0).ip, 127};
	return r;
}

static void test_a_source_that_is_not_admitted(void **state)
{
	struct bench *b = *state;
	const struct forward_rules rules = only_few(b);
	struct endpoint in = away(b, 9, 3333), out = away(b, 10, 3333);
	int fd = ruled(b, &rules);
	unsigned k = fake_client(b->n->fh, fd, &out);

	fake_client(b->n->fh, fd, &in);
	fake_host_run(b->n->fh);
	assert_int_equal(b->tcp.n, 1);
	assert_false(fake_is_open(b->n->fh, k));
	assert_int_equal(b->n->drops.n[DROP_FORWARD_SOURCE], 1);
	in = seen(b, &in);
	assert_true(endpoint_eq(&b->tcp.peer, &in));
}

/* --- UDP --- */

static unsigned udp_forward(struct bench *b)
{
	int fd = fake_udp(b->n->fh, 2222);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_UDP, fd, &b->guest, NULL), 0);
	return (unsigned)fd;
}

static void hear(struct bench *b, unsigned sock, const struct endpoint *from,
		 const char *text)
{
	fake_deliver(b->n->fh, sock, from, text, strlen(text));
	fake_host_run(b->n->fh);
}

static void say(struct bench *b, const struct endpoint *dst, const char *text)
{
	fake_guest_udp(&b->n->g, 22, dst, text, (uint32_t)strlen(text));
	fake_guest_kick(&b->n->g);
}

static void test_udp_answer_leaves_by_the_forward(void **state)
{
	struct bench *b = *state;
	struct endpoint lo = local(b, 999);
	struct endpoint far = away(b, 9, 999), far_seen = seen(b, &far);
	unsigned sock = udp_forward(b);
	struct fake_got got;

	hear(b, sock, &lo, "one");
	hear(b, sock, &far, "two");
	assert_true(fake_guest_got(&b->n->g, 0, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &b->n->gw_ip));
	assert_int_equal(got.pkt.src.port, 999);
	assert_int_equal(got.pkt.dst.port, 22);
	say(b, &got.pkt.src, "to one");
	assert_true(fake_guest_got(&b->n->g, 1, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &far_seen.ip));
	/* as the gateway it needs a port of its own */
	assert_int_equal(got.pkt.src.port,
			 addr_eq(&far_seen.ip, &b->n->gw_ip) ? 1000 : 999);
	say(b, &got.pkt.src, "to two");
	assert_int_equal(b->n->fh->n_sent, 2);
	assert_int_equal(fake_sent(b->n->fh, 0)->sock, sock);
	assert_true(endpoint_eq(&fake_sent(b->n->fh, 0)->to, &lo));
	assert_int_equal(fake_sent(b->n->fh, 1)->sock, sock);
	assert_true(endpoint_eq(&fake_sent(b->n->fh, 1)->to, &far));
	assert_int_equal(udp_n_flows(b->n->udp), 0);
}

static void test_udp_of_a_source_that_is_not_admitted(void **state)
{
	struct bench *b = *state;
	const struct forward_rules rules = only_few(b);
	struct endpoint in = away(b, 8, 999), out = away(b, 10, 999);
	int fd = fake_udp(b->n->fh, 2222);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_UDP, fd, &b->guest, &rules), 0);
	hear(b, (unsigned)fd, &out, "one");
	hear(b, (unsigned)fd, &in, "two");
	hear(b, (unsigned)fd, &out, "three");
	assert_int_equal(b->n->g.port->n_out, 1);
	assert_int_equal(b->n->drops.n[DROP_FORWARD_SOURCE], 2);
	assert_int_equal(b->n->drops.n[DROP_FLOW_TABLE_FULL], 0);
}

static void test_udp_has_no_head(void **state)
{
	struct bench *b = *state;
	const struct forward_rules rules = {.proxy = PROXY_V2};
	int fd = fake_udp(b->n->fh, 2222);

	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_UDP, fd, &b->guest, &rules),
		-EINVAL);
	fake_close_stream(b->n->fh, fd);
}

static void test_udp_client_of_a_guest_without_a_way(void **state)
{
	struct bench *b = *state;
	struct endpoint far = away(b, 9, 999);
	unsigned sock = udp_forward(b);
	struct fake_got got;

	b->n->env.lacks_way4 = b->n->env.lacks_way6 = true;
	hear(b, sock, &far, "one");
	assert_true(fake_guest_got(&b->n->g, 0, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &b->n->gw_ip));
	say(b, &got.pkt.src, "to one");
	assert_int_equal(b->n->fh->n_sent, 1);
	assert_true(endpoint_eq(&fake_sent(b->n->fh, 0)->to, &far));
}

static void test_udp_forward_goes_away(void **state)
{
	struct bench *b = *state;
	struct endpoint one = away(b, 9, 999), two = away(b, 9, 1000);
	unsigned first = udp_forward(b), second;

	second = (unsigned)fake_udp(b->n->fh, 2223);
	assert_int_equal(forward_add(b->fw, 8, IPPROTO_UDP, (int)second,
				     &b->guest, NULL),
			 0);
	hear(b, first, &one, "one");
	hear(b, second, &two, "two");
	one = seen(b, &one);
	two = seen(b, &two);
	assert_int_equal(forward_del(b->fw, 0), 0);
	assert_int_equal(forward_del(b->fw, 0), -ENOENT);
	assert_false(fake_is_open(b->n->fh, first));
	/* its client is forgotten: an answer is a flow of its own */
	say(b, &one, "to one");
	assert_int_equal(udp_n_flows(b->n->udp), 1);
	say(b, &two, "to two");
	assert_int_equal(fake_sent(b->n->fh, 1)->sock, second);
}

/* fe80::1 behind interface i (os/sockaddr.h). */
static struct endpoint on_link(uint8_t i, uint16_t port)
{
	return (struct endpoint){.ip = {{0xfe, 0x80, [7] = i, [15] = 1}},
				 .port = port};
}

enum { ALIKE = 5 };

static void test_udp_clients_that_look_alike(void **state)
{
	struct bench *b = *state;
	struct endpoint c[ALIKE] = {fake_ep(127, 0, 0, 1, 999),
				    fake_ep(127, 0, 0, 2, 999),
				    on_link(2, 999), on_link(3, 999),
				    {.ip = {{[15] = 1}}, .port = 999}};
	unsigned sock = udp_forward(b);
	struct fake_got got;

	for (unsigned i = 0; i < ALIKE; i++)
		hear(b, sock, &c[i], "x");
	hear(b, sock, &c[1], "again");
	for (unsigned i = 0; i < ALIKE; i++) {
		assert_true(fake_guest_got(&b->n->g, i, &got));
		say(b, &got.pkt.src, "y");
		assert_true(endpoint_eq(&fake_sent(b->n->fh, i)->to, &c[i]));
	}
	assert_true(fake_guest_got(&b->n->g, ALIKE, &got));
	say(b, &got.pkt.src, "z");
	assert_true(endpoint_eq(&fake_sent(b->n->fh, ALIKE)->to, &c[1]));
}

/* One client, two ports of the host that lead to one port of the guest. */
static void test_udp_forwards_that_meet(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 999);
	unsigned sock[2] = {udp_forward(b), udp_forward(b)};
	struct fake_got got;

	for (unsigned i = 0; i < 2; i++) {
		hear(b, sock[i], &c, "x");
		assert_true(fake_guest_got(&b->n->g, i, &got));
		say(b, &got.pkt.src, "y");
		assert_int_equal(fake_sent(b->n->fh, i)->sock, sock[i]);
	}
}

static void test_udp_others_use_a_flow(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 999);
	struct endpoint other = fake_nat_ep(b->n, 10, 999);
	unsigned sock = udp_forward(b);

	hear(b, sock, &c, "x");
	say(b, &other, "y");
	assert_int_not_equal(fake_sent(b->n->fh, 0)->sock, sock);
}

static void test_udp_client_is_forgotten(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 999);
	unsigned sock = udp_forward(b);

	hear(b, sock, &c, "x");
	c = seen(b, &c);
	fake_nat_pass(b->n, (UDP_NEW_IDLE_SECONDS - 1) * FAKE_SECOND);
	say(b, &c, "still here");
	assert_int_equal(fake_sent(b->n->fh, 0)->sock, sock);
	fake_nat_pass(b->n, (UDP_IDLE_SECONDS - 1) * FAKE_SECOND);
	say(b, &c, "still here");
	assert_int_equal(fake_sent(b->n->fh, 1)->sock, sock);
	fake_nat_pass(b->n, (UDP_IDLE_SECONDS + 1) * FAKE_SECOND);
	say(b, &c, "gone");
	assert_int_not_equal(fake_sent(b->n->fh, 2)->sock, sock);
}

static void test_udp_waits_for_the_guest(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 999);
	unsigned sock = udp_forward(b);

	b->n->knows_guest = false;
	hear(b, sock, &c, "hello");
	assert_int_equal(b->n->n_held, 1);
	assert_int_equal(b->n->held_len, fake_nat_l4(b->n) + 8 + 5);
	assert_int_equal(b->n->g.port->n_out, 0);
	b->n->env.hold = NULL; /* nobody keeps it */
	hear(b, sock, &c, "hello");
	assert_int_equal(b->n->drops.n[DROP_NEIGH_FAILED], 1);
	b->n->knows_guest = true;
	hear(b, sock, &c, "hello");
	assert_int_equal(b->n->g.port->n_out, 1);
}

static void test_udp_from_before_is_read(void **state)
{
	struct bench *b = *state;
	struct endpoint c = away(b, 9, 999);
	int fd = fake_udp(b->n->fh, 2222);

	fake_deliver(b->n->fh, (unsigned)fd, &c, "early", 5);
	assert_int_equal(
		forward_add(b->fw, 0, IPPROTO_UDP, fd, &b->guest, NULL), 0);
	b->n->now_ns += FAKE_SECOND;
	timer_wheel_run(&b->n->wheel, b->n->now_ns); /* no event is needed */
	assert_int_equal(b->n->g.port->n_out, 1);
}

static void test_udp_client_table_full(void **state)
{
	struct bench *b = *state;
	struct fake_nat_config nc = {.max_clients = 16,
				     .port.name = "vm0",
				     .is_v6 = !addr_is_v4(&b->guest.ip)};
	struct fake_nat *n = fake_nat_new(&nc);
	struct endpoint guest = b->guest;
	int fd = fake_udp(n->fh, 2222);

	assert_int_equal(udp_forward_add(n->udp, 0, fd, &guest, &any), 0);
	for (uint16_t i = 1; i <= 12; i++) {
		struct endpoint c = away(b, 9, i);

		fake_deliver(n->fh, (unsigned)fd, &c, "x", 1);
	}
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 12);
	assert_int_equal(n->drops.n[DROP_FLOW_TABLE_FULL], 0);
	fake_nat_free(n);
}

/* Strangers in great number: who talks on is not forgotten for them, nor is
 * another port kept from its first client. */
static void test_udp_strangers(void **state)
{
	struct bench *b = *state;
	struct fake_nat_config nc = {.max_clients = 16,
				     .port.name = "vm0",
				     .is_v6 = !addr_is_v4(&b->guest.ip)};
	struct fake_nat *n = fake_nat_new(&nc);
	struct endpoint guest = b->guest;
	struct endpoint friend = away(b, 8, 7);
	struct endpoint last = away(b, 9, 100);
	int fd = fake_udp(n->fh, 2222), other = fake_udp(n->fh, 2223);

	assert_int_equal(udp_forward_add(n->udp, 0, fd, &guest, &any), 0);
	assert_int_equal(udp_forward_add(n->udp, 0, other, &guest, &any), 0);
	for (uint16_t i = 1; i <= 100; i++) {
		struct endpoint c = away(b, 9, i);

		fake_deliver(n->fh, (unsigned)fd, &friend, "x", 1);
		fake_deliver(n->fh, (unsigned)fd, &c, "x", 1);
		fake_host_run(n->fh);
	}
	fake_deliver(n->fh, (unsigned)other, &friend, "x", 1);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 201);
	fake_guest_udp(&n->g, 22, &friend, "y", 1);
	fake_guest_udp(&n->g, 22, &last, "y", 1);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 2);
	assert_int_equal(fake_sent(n->fh, 0)->sock, fd);
	assert_int_equal(fake_sent(n->fh, 1)->sock, fd);
	fake_nat_free(n);
}

static void test_udp_refusal_by_the_client(void **state)
{
	struct bench *b = *state;
	struct endpoint c = local(b, 999);
	unsigned sock = udp_forward(b);
	bool is_v6 = !addr_is_v4(&b->guest.ip);
	struct host_err e = {.err = ECONNREFUSED,
			     .origin = b->has_v6_clients ? SO_EE_ORIGIN_ICMP6
							 : SO_EE_ORIGIN_ICMP,
			     .type = b->has_v6_clients ? ICMP6_UNREACHABLE
						       : ICMP_UNREACHABLE,
			     .code = b->has_v6_clients ? ICMP6_U_PORT
						       : ICMP_U_PORT,
			     .dst = c,
			     .offender = c.ip};
	const uint8_t *quoted;
	struct fake_got got;

	hear(b, sock, &c, "x");
	fake_error(b->n->fh, sock, &e);
	fake_host_run(b->n->fh);
	assert_true(fake_guest_got(&b->n->g, 1, &got));
	assert_int_equal(got.l4[0],
			 is_v6 ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE);
	assert_int_equal(got.l4[1], is_v6 ? ICMP6_U_PORT : ICMP_U_PORT);
	/* quoted: from port 22 of the guest to port 999 of the gateway */
	quoted = got.l4 + ICMP_HDR_LEN + fake_nat_l4(b->n) - FRAME_ETH_LEN;
	assert_memory_equal(quoted, "\0\x16\x03\xe7", 4);
	assert_memory_equal(quoted - 4, b->n->gw_ip.b + 12, 4);
}

#define T4(f) cmocka_unit_test_setup_teardown(f, setup44, teardown)
#define T6(f) {#f " over IPv6", f, setup66, teardown, NULL}
/* a guest and clients of one family; of either */
#define TS(f) T4(f), T6(f)
#define T(f)                                                                   \
	TS(f), {#f " from IPv6", f, setup46, teardown, NULL},                  \
		{#f " to IPv6", f, setup64, teardown, NULL}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_client_keeps_its_address),
		T(test_client_of_a_guest_without_a_way),
		T(test_a_client_that_looks_like_another),
		T(test_loopback_client_is_the_gateway),
		T(test_unix_clients_get_ports),
		T(test_a_listener_goes_away),
		T(test_accepts_in_turns),
		T(test_clients_from_before_are_seen),
		T(test_no_descriptor_is_tried_again),
		T(test_aborted_client_does_not_stop_the_next),
		T(test_tcp_that_cannot),
		T(test_add_that_fails_leaves_the_descriptor),
		T(test_a_head_tells_of_the_client),
		T(test_a_head_of_a_unix_client),
		T(test_no_head_unasked),
		T(test_a_source_that_is_not_admitted),
		T(test_udp_of_a_source_that_is_not_admitted),
		T(test_udp_has_no_head),
		T(test_udp_answer_leaves_by_the_forward),
		T(test_udp_client_of_a_guest_without_a_way),
		T(test_udp_forward_goes_away),
		T(test_udp_clients_that_look_alike),
		T(test_udp_forwards_that_meet),
		T(test_udp_others_use_a_flow),
		T(test_udp_client_is_forgotten),
		T(test_udp_waits_for_the_guest),
		T(test_udp_from_before_is_read),
		T(test_udp_client_table_full),
		TS(test_udp_strangers),
		T(test_udp_refusal_by_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
