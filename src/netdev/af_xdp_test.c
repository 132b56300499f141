/* SPDX-License-Identifier: BSD-3-Clause */
/* The port kind af-xdp: the port contract in both modes, two queues, rings that
 * say what cannot be, an interface that goes down or away.  The interface is a
 * tap, whose descriptors are the wire.  Takes root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/port_contract.h"
#include "netdev/rig.h"
#include "netdev/rig_tap.h"
#include "netdev/xsk_ring.h"
#include "os/rtnl.h"
#include "os/xsk.h"

enum { LEN = 100 };

static const uint8_t frame[LEN] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 0x88,
				   0xb5};

struct bench {
	struct rig rig;
	struct rig_tap tap;
	struct xsk_opts opts;
	struct xsk xsk;
	struct xsk_ring rx, sent; /* of the first queue, as the kernel has them
				   * in its hands */
	struct port *port;
	struct mem_port *sink;
	int n_settled, settled;
};

static void settled(void *arg, struct port *p, int r)
{
	struct bench *b = arg;

	(void)p;
	b->n_settled++;
	b->settled = r;
}

/* Of the kernel's configuration. */
static bool has_af_xdp(void)
{
	CLEANUP_FD int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd >= 0 || errno != EAFNOSUPPORT;
}

/* False: not permitted, or not there. */
static bool attach(struct bench *b, enum xsk_mode mode, unsigned n_queues)
{
	struct error e = ERROR_NULL;

	*b = (struct bench){.opts = {.ifname = "vmlant0",
				     .mode = mode,
				     .n_queues = n_queues}};
	if (!rig_tap_open(&b->tap, "vmlant0", n_queues, false, false))
		return false;
	if (xsk_open(&b->opts, &b->xsk, &e) == 0)
		return true;
	print_message("  %s\n", e.text);
	if (has_af_xdp())
		assert_int_equal(e.code, EXIT_PERMISSION);
	rig_tap_remove(&b->tap);
	rig_tap_close(&b->tap);
	return false;
}

static struct netdev_af_xdp_config config_of(const struct bench *b,
					     const struct xsk_sockets *s)
{
	return (struct netdev_af_xdp_config){
		.name = "xdp0",
		.ifindex = b->xsk.ifindex,
		.copies = b->xsk.is_skb,
		.umem = s->umem,
		.fds = s->fds,
		.n_fds = s->n,
		.watch = fcntl(b->xsk.watch, F_DUPFD_CLOEXEC, 3),
		.link = -1,
	};
}

/* Both rings that the kernel writes, where it does; they can be mapped once the
 * sockets are made. */
static void map_kernels(struct bench *b, int fd)
{
	struct xdp_mmap_offsets o;
	socklen_t len = sizeof(o);

	assert_int_equal(getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &o, &len),
			 0);
	assert_int_equal(xsk_ring_map(&b->rx, fd, XDP_PGOFF_RX_RING, &o.rx,
				      XSK_RING, sizeof(struct xdp_desc), true),
			 0);
	assert_int_equal(xsk_ring_map(&b->sent, fd,
				      XDP_UMEM_PGOFF_COMPLETION_RING, &o.cr,
				      XSK_RING, sizeof(uint64_t), true),
			 0);
}

static bool bench_open(struct bench *b, enum xsk_mode mode, unsigned n_queues)
{
	struct netdev_af_xdp_config c;
	struct error e = ERROR_NULL;
	struct xsk_sockets s;

	if (!attach(b, mode, n_queues))
		return false;
	if (xsk_sockets_make(&b->opts, &b->xsk, NULL, &s, &e) < 0)
		fail_msg("%s", e.text);
	map_kernels(b, s.fds[0]);
	rig_init(&b->rig);
	c = config_of(b, &s);
	assert_int_equal(netdev_af_xdp_new(&b->rig.env, &c, &b->port), 0);
	assert_false(netdev_af_xdp_waits(b->port));
	assert_true(port_is_up(b->port));
	return true;
}

static void bench_close(struct bench *b)
{
	rig_remove(b->port);
	if (b->sink)
		rig_remove(&b->sink->port);
	rig_deinit(&b->rig);
	xsk_ring_unmap(&b->rx);
	xsk_ring_unmap(&b->sent);
	xsk_close(&b->xsk);
	for (unsigned i = 0; i < b->tap.n_fds; i++)
		fd_close(&b->tap.fds[i]);
	rig_tap_close(&b->tap);
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 8; i++)
		rig_turn(&b->rig, 0);
}

/* ---- the contract ---- */

static bool contract_start(struct contract_rig *r, enum xsk_mode mode)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	if (!bench_open(b, mode, 1)) {
		free(b);
		return false;
	}
	r->lan = b->rig.lan;
	r->drops = &b->rig.drops;
	r->port = b->port;
	r->priv = b;
	return true;
}

static bool contract_skb(struct contract_rig *r)
{
	return contract_start(r, XSK_MODE_SKB);
}

static bool contract_native(struct contract_rig *r)
{
	return contract_start(r, XSK_MODE_NATIVE);
}

static void contract_close(struct contract_rig *r)
{
	struct bench *b = r->priv;

	b->port = r->port;
	bench_close(b);
	free(b);
	r->port = NULL;
}

static void contract_turn(struct contract_rig *r, int ms)
{
	rig_turn(&((struct bench *)r->priv)->rig, ms);
}

static bool contract_send(struct contract_rig *r, const void *p, uint32_t len)
{
	const struct bench *b = r->priv;

	return write(b->tap.fds[0], p, len) == (ssize_t)len;
}

static uint32_t contract_recv(struct contract_rig *r, void *p, uint32_t room)
{
	const struct bench *b = r->priv;
	ssize_t n = read(b->tap.fds[0], p, room);

	return n > 0 ? (uint32_t)n : 0;
}

static void contract(bool (*open)(struct contract_rig *r))
{
	const struct contract_kind kind = {
		.name = "af-xdp",
		.max_frame = XSK_FRAME_MAX,
		.burst = 32,
		.is_uplink = true,
		.open = open,
		.close = contract_close,
		.turn = contract_turn,
		.peer_send = contract_send,
		.peer_recv = contract_recv,
	};

	if (port_contract_run(&kind) == 0)
		skip();
}

static void test_contract_skb(void **state)
{
	contract(contract_skb);
}

static void test_contract_native(void **state)
{
	contract(contract_native);
}

/* ---- frames ---- */

static bool send_one(struct bench *b, const uint8_t *p, uint32_t len)
{
	struct batch batch = {.n = 1};

	batch.f[0] = frame_flat(p, len);
	return b->port->ops->send(b->port, &batch, 1) == 1;
}

static void all_queues_are_served(void **state)
{
	uint8_t f[LEN], got[2 * LEN];
	struct bench b;

	if (!bench_open(&b, XSK_MODE_SKB, 2))
		skip();
	b.sink = mem_port_new(&b.rig, b.rig.lan, "sink", 16);
	for (unsigned i = 0; i < 8; i++) {
		memcpy(f, frame, LEN);
		f[LEN - 1] = (uint8_t)i;
		assert_int_equal(write(b.tap.fds[i % 2], f, LEN), LEN);
		turns(&b);
		assert_int_equal(mem_port_pop(b.sink, got, sizeof(got)), LEN);
		assert_memory_equal(got, f, LEN);
	}
	for (unsigned i = 0; i < 8; i++) {
		ssize_t n = -1;

		memcpy(f, frame, LEN);
		f[5] = (uint8_t)i; /* of which the queue is made */
		assert_true(send_one(&b, f, LEN));
		for (unsigned q = 0; q < 2 && n < 0; q++)
			n = read(b.tap.fds[q], got, sizeof(got));
		assert_int_equal(n, LEN);
		assert_memory_equal(got, f, LEN);
	}
	bench_close(&b);
}

/* Every chunk comes back, both ways. */
static void no_chunk_is_lost(void **state)
{
	uint8_t f[LEN], got[2 * LEN];
	struct bench b;

	if (!bench_open(&b, XSK_MODE_SKB, 1))
		skip();
	b.sink = mem_port_new(&b.rig, b.rig.lan, "sink", 16);
	memcpy(f, frame, LEN);
	for (unsigned i = 0; i < 3 * XSK_RING; i++) {
		memcpy(f + LEN - sizeof(i), &i, sizeof(i));
		assert_true(send_one(&b, f, LEN));
		assert_int_equal(read(b.tap.fds[0], got, sizeof(got)), LEN);
		assert_memory_equal(got, f, LEN);
		assert_int_equal(write(b.tap.fds[0], f, LEN), LEN);
		turns(&b);
		assert_int_equal(mem_port_pop(b.sink, got, sizeof(got)), LEN);
		assert_memory_equal(got, f, LEN);
	}
	assert_int_equal(b.port->stats.rx_drops, 0);
	assert_int_equal(b.port->stats.tx_drops, 0);
	bench_close(&b);
}

static void a_frame_too_long_is_named(void **state)
{
	static uint8_t f[XSK_FRAME_MAX + 1] = {2, [11] = 3};
	struct bench b;

	if (!bench_open(&b, XSK_MODE_SKB, 1))
		skip();
	assert_true(send_one(&b, f, sizeof(f)));
	assert_int_equal(b.rig.drops.n[DROP_FRAME_LONG], 1);
	assert_int_equal(b.port->stats.tx_drops, 1);
	bench_close(&b);
}

/* ---- rings that cannot be ---- */

static void is_broken(struct bench *b)
{
	turns(b);
	assert_int_equal(b->rig.n_faults, 1);
	assert_int_equal(b->port->fault, FAULT_RING);
	assert_false(b->port->carrier);
	assert_true(send_one(b, frame, LEN));
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN], 1);
	bench_close(b);
}

static void an_index_out_of_range_is_a_fault(void **state)
{
	struct bench b;

	if (!bench_open(&b, XSK_MODE_SKB, 1))
		skip();
	b.rx.at = XSK_RING + 1;
	xsk_ring_commit(&b.rx);
	assert_false(lan_port_readable(b.port));
	is_broken(&b);
}

/* A chunk that is none, is for sending, ends too late, was received already. */
static void a_chunk_that_cannot_be_is_a_fault(void **state)
{
	static const struct xdp_desc bad[] = {
		{.addr = UINT64_MAX, .len = 60},
		{.addr = UINT64_C(1) << 40, .len = 60},
		{.addr = (uint64_t)XSK_RING * XSK_CHUNK, .len = 60},
		{.addr = XSK_CHUNK - 59, .len = 60},
		{.addr = XSK_HEADROOM, .len = UINT32_MAX},
	};
	struct bench b;

	for (size_t i = 0; i <= array_len(bad); i++) {
		bool is_twice = i == array_len(bad);
		const struct xdp_desc good = {.addr = XSK_HEADROOM, .len = 60};

		if (!bench_open(&b, XSK_MODE_SKB, 1))
			skip();
		if (is_twice)
			*xsk_ring_desc(&b.rx) = good;
		*xsk_ring_desc(&b.rx) = is_twice ? good : bad[i];
		xsk_ring_commit(&b.rx);
		(void)lan_port_readable(b.port);
		is_broken(&b);
	}
}

/* One that we did not send. */
static void a_completion_that_cannot_be_is_a_fault(void **state)
{
	static const uint64_t bad[] = {
		(uint64_t)XSK_RING * XSK_CHUNK, /* free: it is sent last */
		0,				/* for receiving */
		(uint64_t)XSK_CHUNKS * XSK_CHUNK,
		UINT64_MAX,
	};
	struct bench b;
	unsigned k;

	for (size_t i = 0; i < array_len(bad); i++) {
		if (!bench_open(&b, XSK_MODE_SKB, 1))
			skip();
		/* All but one of the chunks are out; then the answers are
		 * looked at, with one more than there can be. */
		for (k = 0; k < XSK_RING - 1; k++)
			assert_true(send_one(&b, frame, LEN));
		b.sent.at = *b.sent.ours;
		*xsk_ring_chunk(&b.sent) = bad[i];
		if (i == 0) /* what it holds already is read first */
			*xsk_ring_chunk(&b.sent) = bad[i];
		xsk_ring_commit(&b.sent);
		while (b.rig.n_faults == 0 && k++ < 3 * XSK_RING) {
			(void)send_one(&b, frame, LEN);
			turns(&b);
		}
		b.rig.drops.n[DROP_LINK_DOWN] = 0;
		is_broken(&b);
	}
}

/* ---- the interface ---- */

static void carrier_follows_the_interface(void **state)
{
	struct bench b;
	uint8_t got[200];

	if (!bench_open(&b, XSK_MODE_ANY, 1))
		skip();
	for (unsigned i = 0; i < 2; i++) {
		ssize_t n = -1;

		rig_tap_up(&b.tap, false);
		/* What the port took before it heard of it is not lost. */
		assert_true(send_one(&b, frame, LEN));
		turns(&b);
		assert_false(port_is_up(b.port));
		rig_tap_up(&b.tap, true);
		for (unsigned k = 0;
		     k < 1000 && (n < 0 || !port_is_up(b.port)); k++) {
			rig_turn(&b.rig, 10);
			if (n < 0)
				n = read(b.tap.fds[0], got, sizeof(got));
		}
		assert_int_equal(n, LEN);
		assert_true(port_is_up(b.port));
		assert_true(send_one(&b, frame, LEN));
		assert_int_equal(read(b.tap.fds[0], got, sizeof(got)), LEN);
	}
	assert_int_equal(b.rig.n_faults, 0);
	bench_close(&b);
}

static void a_removed_interface_is_a_fault(void **state)
{
	struct bench b;

	if (!bench_open(&b, XSK_MODE_ANY, 1))
		skip();
	rig_tap_remove(&b.tap);
	turns(&b);
	assert_int_equal(b.rig.n_faults, 1);
	assert_int_equal(b.port->fault, FAULT_IO);
	assert_false(b.port->carrier);
	assert_true(send_one(&b, frame, LEN));
	assert_int_equal(b.rig.drops.n[DROP_LINK_DOWN], 1);
	turns(&b);
	bench_close(&b);
}

/* ---- the program and the queue ---- */

static uint8_t program_on(const struct bench *b)
{
	struct rtnl_link l;

	assert_int_equal(rtnl_link_get(b->opts.ifname, 0, &l), 0);
	return l.xdp;
}

static void the_program_goes_with_its_descriptor(void **state)
{
	static const struct {
		enum xsk_mode mode;
		uint8_t attached;
	} modes[] = {
		{XSK_MODE_ANY, XDP_ATTACHED_DRV},
		{XSK_MODE_NATIVE, XDP_ATTACHED_DRV},
		{XSK_MODE_SKB, XDP_ATTACHED_SKB},
	};

	for (size_t i = 0; i < array_len(modes); i++) {
		struct error e = ERROR_NULL;
		struct xsk second;
		struct bench b;

		if (!attach(&b, modes[i].mode, 1))
			skip();
		assert_int_equal(program_on(&b), modes[i].attached);
		assert_true(xsk_open(&b.opts, &second, &e) < 0);
		assert_int_equal(e.code, EXIT_CONFLICT);
		xsk_close(&b.xsk);
		assert_int_equal(program_on(&b), XDP_ATTACHED_NONE);
		fd_close(&b.tap.fds[0]);
		rig_tap_close(&b.tap);
	}
}

/* A queue that is in use is waited for. */
static void a_queue_in_use_is_waited_for(void **state)
{
	struct netdev_af_xdp_config c;
	struct error e = ERROR_NULL;
	struct xsk_sockets s;
	struct port *second;
	struct bench b;

	for (unsigned becomes_free = 0; becomes_free < 2; becomes_free++) {
		if (!bench_open(&b, XSK_MODE_SKB, 1))
			skip();
		b.rig.env.settled = settled;
		b.rig.env.arg = &b;
		if (xsk_sockets_make(&b.opts, &b.xsk, NULL, &s, &e) < 0)
			fail_msg("%s", e.text);
		c = config_of(&b, &s);
		c.patience_ms = becomes_free ? 60000 : 50;
		assert_int_equal(netdev_af_xdp_new(&b.rig.env, &c, &second), 0);
		assert_true(netdev_af_xdp_waits(second));
		assert_false(port_is_up(second));
		if (becomes_free) {
			rig_remove(b.port);
			b.port = NULL;
			xsk_ring_unmap(&b.rx); /* they hold the socket */
			xsk_ring_unmap(&b.sent);
		}
		while (!b.n_settled) /* one of both is certain */
			rig_turn(&b.rig, 100);
		assert_int_equal(b.n_settled, 1);
		assert_int_equal(b.settled, becomes_free ? 0 : -EBUSY);
		assert_false(netdev_af_xdp_waits(second));
		assert_int_equal(port_is_up(second), becomes_free);
		assert_int_equal(b.rig.n_faults, 0);
		rig_remove(second);
		bench_close(&b);
	}
}

static void a_queue_that_is_not_there_is_refused(void **state)
{
	struct netdev_af_xdp_config c;
	struct error e = ERROR_NULL;
	struct xsk_sockets s;
	struct port *second;
	struct bench b;

	if (!bench_open(&b, XSK_MODE_SKB, 1))
		skip();
	if (xsk_sockets_make(&b.opts, &b.xsk, NULL, &s, &e) < 0)
		fail_msg("%s", e.text);
	c = config_of(&b, &s);
	c.first_queue = 77;
	assert_int_equal(netdev_af_xdp_new(&b.rig.env, &c, &second), -EINVAL);
	close(c.watch); /* all are still ours */
	xsk_sockets_close(&s);
	xsk_refused(&b.opts, -EINVAL, &e);
	assert_int_equal(e.code, EXIT_NO_OBJECT);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_contract_skb),
		cmocka_unit_test(test_contract_native),
		cmocka_unit_test(all_queues_are_served),
		cmocka_unit_test(no_chunk_is_lost),
		cmocka_unit_test(a_frame_too_long_is_named),
		cmocka_unit_test(an_index_out_of_range_is_a_fault),
		cmocka_unit_test(a_chunk_that_cannot_be_is_a_fault),
		cmocka_unit_test(a_completion_that_cannot_be_is_a_fault),
		cmocka_unit_test(carrier_follows_the_interface),
		cmocka_unit_test(a_removed_interface_is_a_fault),
		cmocka_unit_test(the_program_goes_with_its_descriptor),
		cmocka_unit_test(a_queue_in_use_is_waited_for),
		cmocka_unit_test(a_queue_that_is_not_there_is_refused),
	};

	if (!rig_netns_enter())
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(t, NULL, NULL);
}
