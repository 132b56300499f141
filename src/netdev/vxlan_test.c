/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of vxlan: who is believed, who gets what, and that no peer can make us
 * forget where another's machines are. */
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

#include "base/be.h"
#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/rig.h"
#include "wire/vxlan.h"

enum { LEN = 60, PEERS = 3, VNI = 42 };

struct bench {
	struct rig rig;
	struct mem_port *sink;
	struct port *port;
	int peer[PEERS]; /* owned; 127.0.1.N, all of one port */
	struct sockaddr_in us;
	uint8_t buf[VXLAN_HDR_LEN + LEN];
};

static int udp(struct sockaddr_in *a, uint32_t ip, uint16_t port)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	*a = (struct sockaddr_in){.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(ip),
				  .sin_port = htons(port)};
	assert_int_equal(bind(fd, (struct sockaddr *)a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

/* Peers in no order of their addresses. */
static void open_port(struct bench *b, bool learns)
{
	static const uint8_t last[PEERS] = {7, 3, 5};
	static const uint32_t mtus[PEERS] = {1450, 1350, 0};
	addr remotes[PEERS];
	struct netdev_vxlan_config c = {.name = "v0", .vni = VNI,
					.remotes = remotes, .mtus = mtus,
					.n_remotes = PEERS, .learns = learns,
					.age_ns = UINT64_C(300000000000)};
	struct sockaddr_in a;

	c.fd = udp(&b->us, INADDR_LOOPBACK, 0);
	for (unsigned i = 0; i < PEERS; i++) {
		remotes[i] = addr_v4(127, 0, 1, last[i]);
		b->peer[i] = udp(&a, addr_u32(&remotes[i]), c.port);
		c.port = ntohs(a.sin_port);
	}
	assert_int_equal(netdev_vxlan_new(&b->rig.env, &c, &b->port), 0);
	assert_true(b->port->caps.is_uplink && b->port->caps.lossy);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	rig_init(&b->rig);
	b->sink = mem_port_new(&b->rig, b->rig.lan, "sink", 256);
	for (unsigned i = 0; i < PEERS; i++)
		b->peer[i] = -1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	rig_remove(b->port);
	rig_remove(&b->sink->port);
	rig_deinit(&b->rig);
	for (unsigned i = 0; i < PEERS; i++)
		fd_close(&b->peer[i]);
	free(b);
	return 0;
}

static void drain(struct bench *b)
{
	uint8_t got[LEN];

	while (mem_port_pop(b->sink, got, sizeof(got)))
		;
}

/* A frame of the machine with that number, as a peer sends it. */
static void make(struct bench *b, uint32_t machine)
{
	const struct {
		uint8_t b[12];
	} macs = {{2, 0, 0, 0, 0, 1, 2, 9, (uint8_t)(machine >> 24),
		   (uint8_t)(machine >> 16), (uint8_t)(machine >> 8),
		   (uint8_t)machine}};
	struct wr w = wr_init(b->buf, sizeof(b->buf));

	vxlan_emit(&w, VNI);
	memset(b->buf + VXLAN_HDR_LEN, 0, LEN);
	memcpy(b->buf + VXLAN_HDR_LEN, &macs, sizeof(macs));
}

static void give(struct bench *b, int fd, size_t len)
{
	assert_int_equal(sendto(fd, b->buf, len, 0, (struct sockaddr *)&b->us,
				sizeof(b->us)),
			 len);
	for (unsigned i = 0; i < 3; i++)
		rig_turn(&b->rig, 0);
}

static void speak(struct bench *b, unsigned peer, uint32_t machine)
{
	make(b, machine);
	give(b, b->peer[peer], sizeof(b->buf));
	drain(b);
}

/* Sends a frame to a machine (0: to all); the set of peers that get it. */
static unsigned who_gets(struct bench *b, uint32_t machine)
{
	struct batch batch = {.n = 1};
	uint8_t got[sizeof(b->buf) + 1];
	unsigned set = 0;

	make(b, machine);
	memcpy(b->buf, b->buf + VXLAN_HDR_LEN + MAC_LEN, MAC_LEN);
	if (!machine)
		memset(b->buf, 0xff, MAC_LEN);
	batch.f[0] = frame_flat(b->buf, LEN);
	assert_true(b->port->ops->send(b->port, &batch, 1) == 1);
	for (unsigned i = 0; i < PEERS; i++) {
		ssize_t n = recv(b->peer[i], got, sizeof(got), 0);

		if (n < 0)
			continue;
		assert_int_equal(n, sizeof(b->buf));
		assert_int_equal(got[0], 8);
		assert_int_equal(got[6], VNI);
		assert_memory_equal(got + VXLAN_HDR_LEN, b->buf, LEN);
		set |= 1u << i;
	}
	return set;
}

static void test_what_is_refused(void **state)
{
	struct bench *b = *state;
	struct sockaddr_in a;
	int other = udp(&a, INADDR_LOOPBACK + 1, 0);
	int nat = udp(&a, INADDR_LOOPBACK + 0x106, 0);
	uint64_t want[DROP_N] = {
		[DROP_TUNNEL_SHORT] = 2,
		[DROP_TUNNEL_BAD] = 1,
		[DROP_TUNNEL_ID] = 1,
		[DROP_TUNNEL_PEER] = 1,
		[DROP_FRAME_SHORT] = 2,
	};

	open_port(b, true);
	make(b, 1);
	give(b, b->peer[0], 0);
	give(b, b->peer[0], VXLAN_HDR_LEN - 1);
	give(b, b->peer[0], VXLAN_HDR_LEN);
	give(b, b->peer[0], VXLAN_HDR_LEN + 13);
	give(b, other, sizeof(b->buf));
	b->buf[0] = 0;
	give(b, b->peer[1], sizeof(b->buf));
	make(b, 1);
	b->buf[6] ^= 1;
	give(b, b->peer[2], sizeof(b->buf));
	assert_memory_equal(b->rig.drops.n, want, sizeof(want));
	assert_int_equal(b->port->stats.rx_drops, 7);
	assert_int_equal(b->sink->n, 0);
	/* nothing of it was learned, and any port of a peer is its */
	assert_int_equal(who_gets(b, 1), 7);
	make(b, 1);
	give(b, nat, sizeof(b->buf));
	assert_int_equal(b->sink->n, 1);
	assert_int_equal(who_gets(b, 1), 1);
	assert_int_equal(b->rig.n_faults, 0);
	assert_int_equal(close(other), 0);
	assert_int_equal(close(nat), 0);
}

static void test_learning(void **state)
{
	struct bench *b = *state;

	open_port(b, true);
	assert_int_equal(who_gets(b, 0), 7);
	assert_int_equal(who_gets(b, 1), 7);
	for (unsigned i = 0; i < PEERS; i++)
		speak(b, i, 1 + i);
	for (unsigned i = 0; i < PEERS; i++)
		assert_int_equal(who_gets(b, 1 + i), 1u << i);
	assert_int_equal(who_gets(b, 0), 7);
	speak(b, 2, 1); /* it has moved */
	assert_int_equal(who_gets(b, 1), 4);
}

static void test_no_learning(void **state)
{
	struct bench *b = *state;

	open_port(b, false);
	speak(b, 1, 1);
	assert_int_equal(who_gets(b, 1), 7);
}

/* A datagram of len bytes of IP whose sum was left to a card. */
static void give_unsummed(struct bench *b, unsigned peer, uint32_t len)
{
	uint8_t buf[VXLAN_HDR_LEN + 1600] = {0};
	uint8_t *ip = buf + VXLAN_HDR_LEN + FRAME_ETH_LEN;
	struct sockaddr *us = (struct sockaddr *)&b->us;

	make(b, 1);
	memcpy(buf, b->buf, VXLAN_HDR_LEN + FRAME_ETH_LEN);
	put_be16(ip - 2, 0x0800);
	ip[0] = 0x45;
	put_be16(ip + 2, len);
	ip[9] = IPPROTO_UDP;
	put_be16(ip + 26, IPPROTO_UDP + len - 20); /* of no addresses */
	len += VXLAN_HDR_LEN + FRAME_ETH_LEN;
	assert_int_equal(
		sendto(b->peer[peer], buf, len, 0, us, sizeof(b->us)), len);
	for (unsigned i = 0; i < 3; i++)
		rig_turn(&b->rig, 0);
}

/* What can have come in one is a matter of that peer's way, not of another's
 * that is narrower. */
static void test_longest_of_each(void **state)
{
	static const uint32_t longest[PEERS] = {1450, 1350, 1500};
	struct bench *b = *state;

	open_port(b, true);
	for (unsigned i = 0; i < PEERS; i++) {
		give_unsummed(b, i, longest[i]);
		assert_int_equal(b->sink->n, i + 1);
		give_unsummed(b, i, longest[i] + 1);
		assert_int_equal(b->sink->n, i + 1);
		assert_int_equal(b->rig.drops.n[DROP_OFFLOAD_BAD], i + 1);
	}
}

/* Who invents machines pushes out his own. */
static void test_fairness(void **state)
{
	struct bench *b = *state;

	open_port(b, true);
	speak(b, 0, 1);
	speak(b, 1, 2);
	for (uint32_t i = 0; i < LAN_FDB_MAX + 100; i++)
		speak(b, 2, 1000 + i);
	assert_int_equal(who_gets(b, 1), 1);
	assert_int_equal(who_gets(b, 2), 2);
	assert_int_equal(who_gets(b, 1000), 7); /* forgotten */
	assert_int_equal(who_gets(b, 1000 + LAN_FDB_MAX + 99), 4);
}

/* More copies than a system call takes: each peer gets all, in order. */
static void test_floods(void **state)
{
	struct batch batch = {.n = FRAME_BATCH};
	struct bench *b = *state;
	uint8_t frames[FRAME_BATCH][LEN], got[VXLAN_HDR_LEN + LEN];

	open_port(b, true);
	memset(frames, 0xff, sizeof(frames));
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		frames[i][LEN - 1] = (uint8_t)i;
		batch.f[i] = frame_flat(frames[i], LEN);
	}
	assert_true(b->port->ops->send(b->port, &batch, batch_mask(&batch)) ==
		    batch_mask(&batch));
	for (unsigned p = 0; p < PEERS; p++) {
		for (unsigned i = 0; i < FRAME_BATCH; i++) {
			assert_int_equal(
				recv(b->peer[p], got, sizeof(got), 0),
				sizeof(got));
			assert_int_equal(got[sizeof(got) - 1], i);
		}
		assert_int_equal(recv(b->peer[p], got, sizeof(got), 0), -1);
	}
}

static void test_refused_configs(void **state)
{
	struct bench *b = *state;
	const addr lo = addr_v4(127, 0, 0, 1);
	struct netdev_vxlan_config c = {
		.name = "v0", .fd = 9999, .remotes = &lo, .n_remotes = 1};
	struct port *p = NULL;

	assert_int_equal(netdev_vxlan_new(&b->rig.env, &c, &p), -EBADF);
	c.vni = VXLAN_VNI_MAX + 1;
	assert_int_equal(netdev_vxlan_new(&b->rig.env, &c, &p), -EINVAL);
	c.vni = 0;
	c.n_remotes = 0;
	assert_int_equal(netdev_vxlan_new(&b->rig.env, &c, &p), -EINVAL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		TEST(test_what_is_refused), TEST(test_learning),
		TEST(test_no_learning),	    TEST(test_fairness),
		TEST(test_floods),	    TEST(test_refused_configs),
		TEST(test_longest_of_each),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
