/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of dgram: own echo, absent peers, full peers, odd lengths. */
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

struct bench {
	struct rig rig;
	struct mem_port *sink;
	struct port *port;
	int peer; /* owned */
	unsigned n_want;
	uint8_t *buf;	 /* owned */
};

enum { BUF = 256 * 1024 };

static void want_fd(void *arg, struct port *p)
{
	struct bench *b = arg;

	assert_ptr_equal(p, b->port);
	b->n_want++;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	rig_init(&b->rig);
	b->rig.env.want_fd = want_fd;
	b->rig.env.arg = b;
	b->buf = malloc(BUF);
	memset(b->buf, 2, BUF);
	b->buf[11] = 3;
	b->sink = mem_port_new(&b->rig, b->rig.lan, "sink", 1024);
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
	free(b->buf);
	free(b);
	return 0;
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 8; i++)
		rig_turn(&b->rig, 0);
}

static void open_unix(struct bench *b)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	b->peer = fd[1];
	set_nonblock(b->peer);
	assert_int_equal(
		netdev_dgram_new(&b->rig.env,
				 &(struct netdev_dgram_config){
					 .name = "d0",
					 .fd = fd[0],
					 .is_connected = true},
				 &b->port),
		0);
	assert_true(port_is_up(b->port));
	assert_true(b->port->caps.lossy);
}

static uint64_t send_n(struct bench *b, struct port *p, unsigned n,
		       uint32_t len)
{
	struct batch batch = {.n = n};

	for (unsigned i = 0; i < n; i++)
		batch.f[i] = frame_flat(b->buf, len);
	return p->ops->send(p, &batch, batch_mask(&batch));
}

/* Any length is a datagram; what is no frame is counted, never a fault. */
static void test_odd_lengths(void **state)
{
	struct bench *b = *state;
	int size = 1 << 20;
	uint8_t *got = malloc(FRAME_MAX);

	open_unix(b);
	(void)setsockopt(b->peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(send(b->peer, b->buf, 0, 0), 0);
	assert_int_equal(send(b->peer, b->buf, 13, 0), 13);
	assert_int_equal(send(b->peer, b->buf, FRAME_MAX + 1, 0),
			 FRAME_MAX + 1);
	assert_int_equal(send(b->peer, b->buf, 100000, 0), 100000);
	assert_int_equal(send(b->peer, b->buf, 14, 0), 14);
	assert_int_equal(send(b->peer, b->buf, FRAME_MAX, 0), FRAME_MAX);
	turns(b);
	assert_int_equal(b->rig.drops.n[DROP_FRAME_SHORT], 2);
	assert_int_equal(b->rig.drops.n[DROP_FRAME_LONG], 2);
	assert_int_equal(b->port->stats.rx_drops, 4);
	assert_int_equal(b->sink->n, 2);
	assert_int_equal(mem_port_pop(b->sink, got, FRAME_MAX), 14);
	assert_int_equal(mem_port_pop(b->sink, got, FRAME_MAX), FRAME_MAX);
	assert_int_equal(b->rig.n_faults, 0);
	free(got);
}

/* A peer that does not read: a prefix is accepted, the rest refused, and
 * there is word when it goes on. */
static void test_full_peer(void **state)
{
	struct bench *b = *state;
	unsigned total = 0, got = 0;
	uint64_t done;

	open_unix(b);
	do {
		done = send_n(b, b->port, FRAME_BATCH, 100);
		assert_true((done & (done + 1)) == 0); /* a prefix */
		total += __builtin_popcountll(done);
	} while (done == ~UINT64_C(0));
	assert_true(total > 0);
	b->port->ops->want_room(b->port);
	while (recv(b->peer, b->buf, 200, 0) == 100)
		got++;
	assert_int_equal(got, total);
	turns(b);
	assert_true(send_n(b, b->port, 1, 100) == 1);
	assert_int_equal(recv(b->peer, b->buf, 200, 0), 100);
	assert_int_equal(b->port->stats.tx_drops, 0);
}

/* The peer of a unix socket goes: frames are counted, the keeper is asked,
 * once a second at most. */
static void test_unix_peer_gone(void **state)
{
	struct bench *b = *state;

	open_unix(b);
	fd_close(&b->peer);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(send_n(b, b->port, 3, 100) == 7);
		turns(b);
	}
	assert_int_equal(b->rig.drops.n[DROP_PEER_REFUSED], 30);
	assert_int_equal(b->port->stats.tx_drops, 30);
	assert_int_equal(b->n_want, 1);
	assert_int_equal(b->rig.n_faults, 0);
	assert_true(port_is_up(b->port));
}

static int udp(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*a = (struct sockaddr_in){.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

/* Nobody at the other end: refusals are counted, and the first frame after
 * somebody came arrives. */
static void test_udp_refused(void **state)
{
	struct bench *b = *state;
	struct sockaddr_in us, peer;
	int fd = udp(&us);

	b->peer = udp(&peer);
	assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof(peer)),
			 0);
	fd_close(&b->peer);
	assert_int_equal(
		netdev_dgram_new(&b->rig.env,
				 &(struct netdev_dgram_config){
					 .name = "d0",
					 .fd = fd,
					 .is_connected = true},
				 &b->port),
		0);
	for (unsigned i = 0; i < 5; i++)
		assert_true(send_n(b, b->port, 8, 100) == 255);
	turns(b);
	assert_true(b->rig.drops.n[DROP_PEER_REFUSED] > 0);
	assert_int_equal(b->n_want, 0); /* a matter of unix sockets */
	b->peer = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(b->peer, (struct sockaddr *)&peer, sizeof(peer)),
			 0);
	assert_true(send_n(b, b->port, 1, 100) == 1);
	assert_int_equal(recv(b->peer, b->buf, 200, 0), 100);
}

static int joined(struct sockaddr_in *group, int *txp)
{
	struct in_addr lo = {htonl(INADDR_LOOPBACK)};
	struct ip_mreqn m = {.imr_multiaddr = group->sin_addr,
			     .imr_address = lo};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	socklen_t len = sizeof(*group);

	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)group, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)group, &len), 0);
	assert_int_equal(
		setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)),
		0);
	*txp = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(setsockopt(*txp, IPPROTO_IP, IP_MULTICAST_IF, &lo,
				    sizeof(lo)),
			 0);
	return fd;
}

/* Two of us on one host and one group: each hears the other, none itself. */
static void test_self_echo(void **state)
{
	struct bench *b = *state;
	struct sockaddr_in group = {.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(0xefc80124)};
	struct lan *far = rig_lan(&b->rig, "far");
	struct mem_port *far_sink = mem_port_new(&b->rig, far, "far", 64);
	struct netdev_env env = b->rig.env;
	struct netdev_dgram_config c = {.name = "m0", .is_multicast = true};
	struct port *other = NULL;

	c.fd = joined(&group, &c.tx_fd);
	c.remote = (struct endpoint){addr_v4(239, 200, 1, 36),
				     ntohs(group.sin_port)};
	assert_int_equal(netdev_dgram_new(&b->rig.env, &c, &b->port), 0);
	c.fd = joined(&group, &c.tx_fd);
	env.lan = far;
	assert_int_equal(netdev_dgram_new(&env, &c, &other), 0);
	for (unsigned i = 1; i <= 5; i++) {
		assert_true(send_n(b, b->port, 4, 100 + i) == 15);
		turns(b);
		assert_int_equal(b->rig.drops.n[DROP_SELF_ECHO], 8 * i - 4);
		assert_true(send_n(b, other, 4, 200 + i) == 15);
		turns(b);
		assert_int_equal(b->rig.drops.n[DROP_SELF_ECHO], 8 * i);
		assert_int_equal(b->sink->n, 4 * i);
		assert_int_equal(far_sink->n, 4 * i);
	}
	rig_remove(other);
	rig_remove(&far_sink->port);
	lan_free(far);
}

/* What cannot work is refused, and the descriptor stays the caller's. */
static void test_refused_configs(void **state)
{
	struct bench *b = *state;
	struct port *p = NULL;
	int stream = socket(AF_INET, SOCK_STREAM, 0);
	int v4 = socket(AF_INET, SOCK_DGRAM, 0);
	struct netdev_dgram_config c = {.name = "d0", .fd = stream};

	assert_int_equal(netdev_dgram_new(&b->rig.env, &c, &p), -EPROTOTYPE);
	c.fd = v4;
	c.remote.ip.b[15] = 1; /* ::1 over IPv4 */
	c.remote.port = 1;
	assert_int_equal(netdev_dgram_new(&b->rig.env, &c, &p), -EAFNOSUPPORT);
	c.remote.ip = addr_v4(239, 1, 1, 1);
	c.is_multicast = true; /* and no way to know our own */
	assert_int_equal(netdev_dgram_new(&b->rig.env, &c, &p), -EDESTADDRREQ);
	c.fd = 9999;
	assert_int_equal(netdev_dgram_new(&b->rig.env, &c, &p), -EBADF);
	assert_int_equal(close(stream), 0);
	assert_int_equal(close(v4), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		TEST(test_odd_lengths), TEST(test_full_peer),
		TEST(test_unix_peer_gone), TEST(test_udp_refused),
		TEST(test_self_echo), TEST(test_refused_configs),
	};

	rig_lo_enter(); /* nobody else takes a port that was let go */
	return cmocka_run_group_tests(t, NULL, NULL);
}
