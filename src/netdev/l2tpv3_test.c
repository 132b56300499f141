/* SPDX-License-Identifier: BSD-3-Clause */
/* l2tpv3: what is refused and by which name, counters, absent peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/rig.h"
#include "netdev/rig_tap.h"

enum { LEN = 60, HDR = 4 + 4 + 8 + 4 + 2, AT_COUNTER = 16, PROTO_L2TP = 115 };

struct bench {
	struct rig rig;
	struct mem_port *sink;
	struct port *port;
	int peer; /* owned */
	struct sockaddr_in us;
	uint8_t buf[HDR + LEN];
};

static int udp(struct sockaddr_in *a, uint32_t ip)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	*a = (struct sockaddr_in){.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(ip)};
	assert_int_equal(bind(fd, (struct sockaddr *)a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

static struct l2tpv3_form form(uint32_t session, uint64_t cookie)
{
	return (struct l2tpv3_form){.is_udp = true,
				    .session = session,
				    .cookie_len = 8,
				    .cookie = cookie,
				    .has_counter = true,
				    .offset = 2};
}

static void open_port(struct bench *b, bool pins)
{
	struct netdev_l2tpv3_config c = {
		.name = "l0", .tx = form(1, 2), .rx = form(3, 4),
		.pins_counter = pins};
	struct sockaddr_in peer;

	c.fd = udp(&b->us, INADDR_LOOPBACK);
	b->peer = udp(&peer, INADDR_LOOPBACK + 1);
	c.remote = (struct endpoint){addr_v4(127, 0, 0, 2),
				     ntohs(peer.sin_port)};
	assert_int_equal(netdev_l2tpv3_new(&b->rig.env, &c, &b->port), 0);
	assert_true(port_is_up(b->port));
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	rig_init(&b->rig);
	b->sink = mem_port_new(&b->rig, b->rig.lan, "sink", 256);
	b->peer = -1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	rig_remove(b->port);
	rig_remove(&b->sink->port);
	rig_deinit(&b->rig);
	fd_close(&b->peer);
	free(b);
	return 0;
}

/* A message as it should be, in b->buf. */
static void make(struct bench *b)
{
	const struct l2tpv3_form f = form(3, 4);
	struct wr w = wr_init(b->buf, sizeof(b->buf));

	memset(b->buf, 2, sizeof(b->buf));
	b->buf[HDR + 11] = 3;
	l2tpv3_emit(&w, &f, 99);
	assert_int_equal(wr_len(&w), HDR);
}

static void give(struct bench *b, int fd, size_t len)
{
	assert_int_equal(sendto(fd, b->buf, len, 0, (struct sockaddr *)&b->us,
				sizeof(b->us)),
			 len);
	for (unsigned i = 0; i < 4; i++)
		rig_turn(&b->rig, 0);
}

static void test_what_is_refused(void **state)
{
	static const struct {
		size_t at, len; /* a byte that is turned over; of the message */
		enum drop_reason why;
	} bad[] = {
		{0, HDR + LEN, DROP_TUNNEL_BAD}, /* of T; reserved, fine */
		{7, HDR + LEN, DROP_TUNNEL_ID},
		{15, HDR + LEN, DROP_TUNNEL_COOKIE},
		{HDR, HDR - 1, DROP_TUNNEL_SHORT},
		{HDR, 0, DROP_TUNNEL_SHORT},
		{HDR, HDR + 13, DROP_FRAME_SHORT},
	};
	struct bench *b = *state;
	uint64_t want[DROP_N] = {0};
	struct sockaddr_in a;
	int other = udp(&a, INADDR_LOOPBACK + 2);
	int nat = udp(&a, INADDR_LOOPBACK + 1);

	open_port(b, false);
	for (size_t i = 0; i < array_len(bad); i++) {
		make(b);
		if (bad[i].at < HDR)
			b->buf[bad[i].at] ^= 0x80;
		give(b, b->peer, bad[i].len);
		want[bad[i].why]++;
	}
	make(b);
	give(b, other, HDR + LEN);
	want[DROP_TUNNEL_PEER]++;
	assert_memory_equal(b->rig.drops.n, want, sizeof(want));
	assert_int_equal(b->port->stats.rx_drops, array_len(bad) + 1);
	assert_int_equal(b->sink->n, 0);
	/* counter and offset may be anything, and the port may be another */
	make(b);
	memset(b->buf + AT_COUNTER, 0xff, 6);
	give(b, b->peer, HDR + LEN);
	give(b, nat, HDR + LEN);
	assert_int_equal(b->sink->n, 2);
	assert_int_equal(b->rig.n_faults, 0);
	assert_int_equal(close(other), 0);
	assert_int_equal(close(nat), 0);
}

/* Bound to 127.0.0.n; -1: not here. */
static int raw(uint8_t n)
{
	const struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + n)};
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, PROTO_L2TP);

	if (fd >= 0)
		assert_int_equal(
			bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* A raw socket hears everybody until it is connected. */
static void test_who_was_early(void **state)
{
	const uint8_t at[2] = {2, 3};
	struct netdev_l2tpv3_config c = {
		.name = "l0", .tx = form(1, 2), .rx = form(3, 4), .fd = raw(1)};
	struct sockaddr_in peer = {.sin_family = AF_INET};
	struct bench *b = *state;

	if (c.fd < 0)
		skip();
	b->us = (struct sockaddr_in){.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	make(b);
	for (unsigned i = 0; i < 2; i++) {
		int fd = raw(at[i]);

		give(b, fd, 0);
		assert_int_equal(sendto(fd, b->buf + 4, HDR - 4 + LEN, 0,
					(struct sockaddr *)&b->us,
					sizeof(b->us)),
				 HDR - 4 + LEN);
		assert_int_equal(close(fd), 0);
	}
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&peer, sizeof(peer)),
			 0);
	c.tx.is_udp = c.rx.is_udp = false;
	c.remote.ip = addr_v4(127, 0, 0, 2);
	assert_int_equal(netdev_l2tpv3_new(&b->rig.env, &c, &b->port), 0);
	for (unsigned i = 0; i < 4; i++)
		rig_turn(&b->rig, 0);
	assert_int_equal(b->sink->n, 1);
	assert_int_equal(b->rig.drops.n[DROP_TUNNEL_PEER], 2);
	assert_int_equal(b->rig.drops.n[DROP_TUNNEL_SHORT], 1);
}

static void send_n(struct bench *b, unsigned n)
{
	struct batch batch = {.n = n};

	memset(b->buf, 2, LEN);
	for (unsigned i = 0; i < n; i++)
		batch.f[i] = frame_flat(b->buf, LEN);
	assert_true(b->port->ops->send(b->port, &batch, batch_mask(&batch)) ==
		    batch_mask(&batch));
}

static uint32_t counter(struct bench *b)
{
	uint8_t got[HDR + LEN + 1];

	assert_int_equal(recv(b->peer, got, sizeof(got), 0), HDR + LEN);
	assert_int_equal(got[HDR - 1], 0);
	assert_int_equal(got[HDR], 2);
	return (uint32_t)got[AT_COUNTER] << 24 | got[AT_COUNTER + 1] << 16 |
	       got[AT_COUNTER + 2] << 8 | got[AT_COUNTER + 3];
}

/* From 1 on, through calls of any length. */
static void test_counter(void **state)
{
	struct bench *b = *state;
	uint32_t last = 0;

	open_port(b, false);
	for (unsigned n = 1; n <= 64; n += 9) {
		send_n(b, n);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(counter(b), ++last);
	}
}

static void test_pinned_counter(void **state)
{
	struct bench *b = *state;

	open_port(b, true);
	send_n(b, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(counter(b), 0);
}

/* Frames to nobody are gone, and the first after somebody came arrives. */
static void test_absent_peer(void **state)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	struct bench *b = *state;

	open_port(b, false);
	assert_int_equal(getsockname(b->peer, (struct sockaddr *)&peer, &len),
			 0);
	fd_close(&b->peer);
	for (unsigned i = 0; i < 5; i++) {
		send_n(b, 8);
		rig_turn(&b->rig, 0);
	}
	b->peer = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(b->peer, (struct sockaddr *)&peer, len), 0);
	send_n(b, 1);
	assert_int_equal(counter(b), 41);
	assert_true(port_is_up(b->port));
}

/* What cannot work is refused, and the descriptor stays the caller's. */
static void test_refused_configs(void **state)
{
	struct bench *b = *state;
	struct netdev_l2tpv3_config c = {
		.name = "l0", .tx = form(1, 2), .rx = form(3, 4), .fd = 9999};
	struct port *p = NULL;

	assert_int_equal(netdev_l2tpv3_new(&b->rig.env, &c, &p), -EBADF);
	c.tx.cookie_len = 5;
	assert_int_equal(netdev_l2tpv3_new(&b->rig.env, &c, &p), -EINVAL);
	c.tx = c.rx;
	c.rx.offset = L2TPV3_OFFSET_MAX + 1;
	assert_int_equal(netdev_l2tpv3_new(&b->rig.env, &c, &p), -EINVAL);
	c.rx = c.tx;
	c.rx.is_udp = false;
	assert_int_equal(netdev_l2tpv3_new(&b->rig.env, &c, &p), -EINVAL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		TEST(test_what_is_refused), TEST(test_counter),
		TEST(test_pinned_counter), TEST(test_absent_peer),
		TEST(test_refused_configs), TEST(test_who_was_early),
	};

	rig_lo_enter(); /* raw sockets hear other runs of this test */
	return cmocka_run_group_tests(t, NULL, NULL);
}
