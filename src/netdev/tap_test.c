/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of tap: offloads both ways, an interface that goes down or away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/rig.h"
#include "netdev/rig_tap.h"

enum {
	TCP_AT = 34,	/* Ethernet and IPv4 before it */
	HEADERS = 54,	/* and TCP without options */
	PAYLOAD = 5000, /* of a TSO frame */
	MSS = 1000,
	VNET10 = 10, /* what a packet socket puts in front */
};

struct bench {
	struct rig rig;
	struct rig_tap tap;
	struct port *port;
	struct mem_port *sink;
	struct frame_offload seen; /* of the last frame that came in */
	uint32_t seen_len;
};

static bool bench_open(struct bench *b, unsigned n_queues, bool vnet_hdr,
		       bool up)
{
	*b = (struct bench){0};
	if (!rig_tap_open(&b->tap, "vmlant1", n_queues, vnet_hdr, false))
		return false;
	rig_tap_up(&b->tap, up);
	rig_init(&b->rig);
	b->sink = mem_port_new(&b->rig, b->rig.lan, "sink", 256);
	assert_int_equal(
		netdev_tap_new(&b->rig.env,
			       &(struct netdev_tap_config){.name = "tap0",
							   .kind = "tap",
							   .fds = b->tap.fds,
							   .n_fds = n_queues,
							   .vnet_hdr =
								   vnet_hdr},
			       &b->port),
		0);
	return true;
}

static void bench_close(struct bench *b)
{
	rig_remove(b->port);
	rig_remove(&b->sink->port);
	rig_deinit(&b->rig);
	rig_tap_close(&b->tap);
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 8; i++)
		rig_turn(&b->rig, 0);
}

/* An IPv4 TCP frame with the pseudo-header sum in place. */
static uint32_t tcp_frame(uint8_t *p, uint32_t payload)
{
	static const uint8_t head[HEADERS] = {
		2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 8, 0,
		0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0,
		10, 0, 2, 15, 10, 0, 2, 2,
		4, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff};
	uint32_t ip_len = HEADERS - 14 + payload, sum = 0;

	memcpy(p, head, sizeof(head));
	memset(p + HEADERS, 'x', payload);
	p[16] = (uint8_t)(ip_len >> 8);
	p[17] = (uint8_t)ip_len;
	for (unsigned i = 14; i < TCP_AT; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	p[24] = (uint8_t)(~sum >> 8);
	p[25] = (uint8_t)~sum;
	sum = 10 * 256 + 2 * 256 + 15 + 10 * 256 + 2 * 256 + 2 + 6 + 20 +
	      payload;
	p[50] = (uint8_t)(sum >> 8);
	p[51] = (uint8_t)sum;
	return HEADERS + payload;
}

static void packet_vnet(struct bench *b)
{
	int on = 1;

	assert_int_equal(setsockopt(b->tap.packet, SOL_PACKET, PACKET_VNET_HDR,
				    &on, sizeof(on)),
			 0);
}

static const struct frame_offload tso4 = {
	.flags = FRAME_F_NEEDS_CSUM,
	.gso = FRAME_GSO_TCP4,
	.gso_size = MSS,
	.hdr_len = HEADERS,
	.csum_start = TCP_AT,
	.csum_offset = 16,
};

/* lan -> interface: one big frame stays one, with its request. */
static void test_tso_out(void **state)
{
	struct bench b;
	uint8_t frame[HEADERS + PAYLOAD], got[VNET10 + sizeof(frame)];
	struct batch batch = {.n = 1};
	struct virtio_net_hdr h;

	(void)state;
	if (!bench_open(&b, 1, true, true))
		skip();
	packet_vnet(&b);
	assert_true(b.port->caps.offload & PORT_O_TSO4);
	batch.f[0] = frame_flat(frame, tcp_frame(frame, PAYLOAD));
	batch.f[0].off = tso4;
	assert_true(frame_offload_check(&batch.f[0]));
	assert_true(b.port->ops->send(b.port, &batch, 1) == 1);
	assert_int_equal(b.port->stats.tx_drops, 0);
	assert_int_equal(rig_tap_recv(&b.tap, got, sizeof(got)), sizeof(got));
	memcpy(&h, got, sizeof(h));
	assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(h.gso_size, MSS);
	assert_true(h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(h.csum_start, TCP_AT);
	assert_memory_equal(got + VNET10, frame, sizeof(frame));
	bench_close(&b);
}

static void look(void *arg, const struct frame *f)
{
	struct bench *b = arg;

	b->seen = f->off;
	b->seen_len = f->len;
}

/* interface -> lan: the request comes out as the frame's. */
static void test_tso_in(void **state)
{
	struct bench b;
	uint8_t frame[VNET10 + HEADERS + PAYLOAD];
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				   .hdr_len = HEADERS,
				   .gso_size = MSS,
				   .csum_start = TCP_AT,
				   .csum_offset = 16};
	struct port_caps caps;

	(void)state;
	if (!bench_open(&b, 1, true, true))
		skip();
	packet_vnet(&b);
	b.sink->look = look;
	b.sink->look_arg = &b;
	caps = b.sink->port.caps;
	caps.offload = PORT_O_ALL;
	lan_port_caps(&b.sink->port, &caps);
	memcpy(frame, &h, sizeof(h));
	tcp_frame(frame + VNET10, PAYLOAD);
	assert_true(rig_tap_send(&b.tap, frame, sizeof(frame)));
	turns(&b);
	assert_int_equal(b.seen_len, HEADERS + PAYLOAD);
	assert_memory_equal(&b.seen, &tso4, sizeof(tso4));
	bench_close(&b);
}

static void send_one(struct bench *b)
{
	uint8_t frame[100] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 0x88, 0xb5};
	struct batch batch = {.n = 1};

	batch.f[0] = frame_flat(frame, sizeof(frame));
	assert_true(b->port->ops->send(b->port, &batch, 1) == 1);
}

/* The interface goes down: carrier follows; it comes up: so does carrier. */
static void test_down_up(void **state)
{
	struct bench b;
	uint8_t got[200];

	(void)state;
	if (!bench_open(&b, 1, false, true))
		skip();
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(port_is_up(b.port));
		rig_tap_up(&b.tap, false);
		send_one(&b);
		assert_int_equal(b.rig.drops.n[DROP_LINK_DOWN], i);
		turns(&b);
		assert_false(port_is_up(b.port));
		rig_tap_up(&b.tap, true);
		for (unsigned k = 0; k < 1000 && !port_is_up(b.port); k++)
			rig_turn(&b.rig, 10);
		assert_true(port_is_up(b.port));
		/* The packet socket tells once that it was down. */
		(void)rig_tap_recv(&b.tap, got, sizeof(got));
		send_one(&b);
		assert_int_equal(rig_tap_recv(&b.tap, got, sizeof(got)), 100);
	}
	assert_int_equal(b.rig.n_faults, 0);
	bench_close(&b);
}

/* An interface nobody has pulled up yet. */
static void test_starts_down(void **state)
{
	struct bench b;

	(void)state;
	if (!bench_open(&b, 1, true, false))
		skip();
	assert_false(port_is_up(b.port));
	rig_tap_up(&b.tap, true);
	for (unsigned k = 0; k < 1000 && !port_is_up(b.port); k++)
		rig_turn(&b.rig, 10);
	assert_true(port_is_up(b.port));
	bench_close(&b);
}

/* The interface is removed: one port's fault, everything else goes on. */
static void test_removed(void **state)
{
	struct bench b;

	(void)state;
	for (unsigned send_first = 0; send_first < 2; send_first++) {
		unsigned n = RIG_TAP_QUEUES;

		if (!bench_open(&b, n, true, true))
			skip();
		rig_tap_remove(&b.tap);
		if (send_first)
			send_one(&b);
		turns(&b);
		assert_int_equal(b.rig.n_faults, 1);
		assert_int_equal(b.port->fault, FAULT_IO);
		assert_false(b.port->carrier);
		send_one(&b);
		assert_int_equal(b.rig.drops.n[DROP_LINK_DOWN], 1 + send_first);
		turns(&b);
		bench_close(&b);
	}
}

static void test_refused_configs(void **state)
{
	struct rig r;
	struct port *p = NULL;
	int fds[2] = {-1, -1};
	struct netdev_tap_config c = {.name = "t", .kind = "tap", .fds = fds};

	(void)state;
	rig_init(&r);
	assert_int_equal(netdev_tap_new(&r.env, &c, &p), -EINVAL);
	c.n_fds = 2;
	assert_int_equal(netdev_tap_new(&r.env, &c, &p), -EBADF);
	rig_deinit(&r);
}

enum { FED_MAX = 20000 };

/* Two queues; the first gets a new frame for each that was taken from it. */
struct fed {
	struct rig rig;
	struct mem_port *sink;
	int peer[2]; /* owned */
	unsigned n_other; /* frames seen of the second queue */
};

static void feed(struct fed *x, unsigned queue)
{
	uint8_t frame[60] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3};

	frame[12] = (uint8_t)queue;
	assert_int_equal(send(x->peer[queue], frame, sizeof(frame), 0),
			 sizeof(frame));
}

static void feed_again(void *arg, const struct frame *f)
{
	struct fed *x = arg;

	if (f->hdr[12])
		x->n_other++;
	else
		feed(x, 0);
}

/* A queue that never runs dry does not keep the others from being read. */
static void test_fair_queues(void **state)
{
	struct fed x = {0};
	struct port *p = NULL;
	int fds[2];

	(void)state;
	rig_init(&x.rig);
	x.sink = mem_port_new(&x.rig, x.rig.lan, "sink", FED_MAX);
	x.sink->look = feed_again;
	x.sink->look_arg = &x;
	for (unsigned i = 0; i < 2; i++) {
		int fd[2];

		assert_int_equal(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
					    fd),
				 0);
		fds[i] = fd[0];
		x.peer[i] = fd[1];
	}
	assert_int_equal(
		netdev_tap_new(&x.rig.env,
			       &(struct netdev_tap_config){.name = "tap0",
							   .kind = "tap",
							   .fds = fds,
							   .n_fds = 2},
			       &p),
		0);
	for (unsigned i = 0; i < 100; i++)
		feed(&x, 0);
	feed(&x, 1);
	for (unsigned i = 0; i < 3; i++)
		rig_turn(&x.rig, 0);
	assert_true(x.sink->n < FED_MAX); /* fed to the end */
	assert_int_equal(x.n_other, 1);
	rig_remove(p);
	rig_remove(&x.sink->port);
	rig_deinit(&x.rig);
	close(x.peer[0]);
	close(x.peer[1]);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_tso_out),
		cmocka_unit_test(test_tso_in),
		cmocka_unit_test(test_down_up),
		cmocka_unit_test(test_starts_down),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_refused_configs),
		cmocka_unit_test(test_fair_queues),
	};

	if (!rig_netns_enter())
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(t, NULL, NULL);
}
