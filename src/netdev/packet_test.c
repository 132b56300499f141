/* SPDX-License-Identifier: BSD-3-Clause */
/* The port kind packet: the port contract, its filter, an interface that goes
 * down or away.  The interface is a tap, whose descriptor is the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/packet_filter.h"
#include "netdev/port_contract.h"
#include "netdev/rig.h"
#include "netdev/rig_filter.h"
#include "netdev/rig_tap.h"
#include "os/packet.h"

enum { LEN = 60 };

struct bench {
	struct rig rig;
	struct rig_tap tap;
	struct port *port;
	struct mem_port *sink;
};

static void set_filter(int fd, struct sock_filter *f, unsigned n)
{
	const struct sock_fprog prog = {.len = (unsigned short)n, .filter = f};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
				    sizeof(prog)),
			 0);
}

static bool bench_open_as(struct bench *b, bool hears_all, bool translates)
{
	struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, ~0u)};
	struct netdev_packet_config c = {.name = "packet0",
					 .translates = translates};
	struct packet_result p;
	struct error e = ERROR_NULL;
	int on = 1;

	*b = (struct bench){.port = NULL};
	if (!rig_tap_open(&b->tap, "vmlant0", 1, false, false))
		return false;
	if (packet_open("vmlant0", !translates, &p, &e) < 0)
		fail_msg("%s", e.text);
	if (hears_all) { /* and goes on to */
		set_filter(p.fd, all, 1);
		assert_int_equal(setsockopt(p.fd, SOL_SOCKET, SO_LOCK_FILTER,
					    &on, sizeof(on)),
				 0);
	}
	rig_init(&b->rig);
	c.fd = p.fd;
	c.mac = p.mac;
	assert_int_equal(netdev_packet_new(&b->rig.env, &c, &b->port), 0);
	assert_true(port_is_up(b->port));
	return true;
}

static bool bench_open(struct bench *b, bool hears_all)
{
	return bench_open_as(b, hears_all, false);
}

static void bench_close(struct bench *b)
{
	rig_remove(b->port);
	if (b->sink)
		rig_remove(&b->sink->port);
	rig_deinit(&b->rig);
	rig_tap_close(&b->tap);
	fd_close(&b->tap.fds[0]);
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 8; i++)
		rig_turn(&b->rig, 0);
}

/* ---- the contract ---- */

static bool contract_open_as(struct contract_rig *r, bool translates)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	if (!bench_open_as(b, !translates, translates)) {
		free(b);
		return false;
	}
	r->lan = b->rig.lan;
	r->drops = &b->rig.drops;
	r->port = b->port;
	r->priv = b;
	return true;
}

static bool contract_open(struct contract_rig *r)
{
	return contract_open_as(r, false);
}

static bool contract_open_translate(struct contract_rig *r)
{
	return contract_open_as(r, true);
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

/* What waits in the socket goes with its interface. */
static void contract_vanish(struct contract_rig *r)
{
	struct bench *b = r->priv;

	turns(b);
	rig_tap_remove(&b->tap);
}

static void test_contract(void **state)
{
	static const struct contract_kind kind = {
		.name = "packet",
		.max_frame = 65535,
		.burst = 32,
		.is_uplink = true,
		.open = contract_open,
		.close = contract_close,
		.turn = contract_turn,
		.peer_send = contract_send,
		.peer_recv = contract_recv,
		.peer_close = contract_vanish,
	};
	/* Passes what is for an address of a machine's, and no other. */
	static const struct contract_kind translate = {
		.name = "packet, translate",
		.open = contract_open_translate,
		.close = contract_close,
		.turn = contract_turn,
	};

	if (port_contract_run(&kind) == 0 ||
	    port_contract_run(&translate) == 0)
		skip();
}

/* ---- the filter ---- */

static mac numbered(unsigned i)
{
	return (mac){{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};
}

/* True if the kernel lets a frame to m pass the filter of s. */
static bool passes(const struct packet_macs *s, mac to)
{
	struct sock_filter f[PACKET_FILTER_MAX];
	unsigned n = packet_macs_filter(s, f);
	uint8_t frame[LEN] = {0}, got[LEN];
	int fd[2];
	bool passed;

	assert_true(n <= PACKET_FILTER_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd),
			 0);
	set_filter(fd[1], f, n);
	memcpy(frame, to.b, sizeof(to.b));
	assert_int_equal(send(fd[0], frame, LEN, 0), LEN);
	passed = recv(fd[1], got, LEN, 0) == LEN;
	close(fd[0]);
	close(fd[1]);
	return passed;
}

static void the_filter_passes_groups_and_ours(void **state)
{
	struct packet_macs s = {.host = numbered(9)};
	const mac ipv6 = {{0x33, 0x33, 0, 0, 0, 1}};

	assert_true(passes(&s, MAC_BROADCAST));
	assert_true(passes(&s, ipv6));
	assert_false(passes(&s, numbered(1)));
	assert_true(packet_macs_saw(&s, numbered(1), 1));
	assert_false(packet_macs_saw(&s, numbered(1), 2));
	assert_true(packet_macs_saw(&s, numbered(256), 2));
	assert_true(passes(&s, numbered(1)));
	assert_true(passes(&s, numbered(256)));
	assert_false(passes(&s, numbered(2)));
	assert_false(passes(&s, (mac){{2, 0, 0, 1, 0, 1}}));
	assert_true(passes(&s, MAC_BROADCAST));
	/* Nobody gets what is for the host by taking its address. */
	assert_false(packet_macs_saw(&s, numbered(9), 3));
	assert_false(packet_macs_saw(&s, MAC_BROADCAST, 3));
	assert_false(packet_macs_saw(&s, (mac){{0}}, 3));
	assert_false(passes(&s, numbered(9)));
}

static void a_full_filter_fits(void **state)
{
	struct packet_macs s = {.n = 0};
	struct sock_filter f[PACKET_FILTER_MAX];
	unsigned n;

	/* No two begin alike, and some end so. */
	for (uint8_t i = 0; i < PACKET_MACS_MAX; i++) {
		mac m = {{2, i, 0, 0, 0, (uint8_t)(i / 2)}};

		assert_true(packet_macs_saw(&s, m, 1));
	}
	for (uint8_t i = 0; i < PACKET_MACS_MAX; i++) {
		assert_true(passes(&s, (mac){{2, i, 0, 0, 0, i / 2}}));
		assert_false(passes(&s, (mac){{2, i, 0, 0, 0, i / 2 + 1}}));
		assert_false(passes(&s, (mac){{4, i, 0, 0, 0, i / 2}}));
	}
	n = packet_macs_filter(&s, f);
	assert_in_range(rig_filter_bytes(f, n), 1, RIG_FILTER_BYTES);
}

static void the_silent_give_way(void **state)
{
	const uint64_t s30 = UINT64_C(30000000000);
	struct packet_macs s = {.n = 0};

	for (unsigned i = 0; i < PACKET_MACS_MAX; i++)
		assert_true(packet_macs_saw(&s, numbered(i + 1), 10 + i));
	assert_true(passes(&s, numbered(PACKET_MACS_MAX)));
	assert_false(packet_macs_saw(&s, numbered(500), 1000));
	assert_false(packet_macs_saw(&s, numbered(1), 1000));
	/* The second has been silent since 11. */
	assert_false(packet_macs_saw(&s, numbered(500), s30 + 10));
	assert_true(packet_macs_saw(&s, numbered(500), s30 + 11));
	assert_true(passes(&s, numbered(500)));
	assert_true(passes(&s, numbered(1)));
	assert_false(passes(&s, numbered(2)));
	assert_false(packet_macs_saw(&s, numbered(501), s30 + 11));
}

/* A guest that invents MACs keeps no other out. */
static void who_has_few_takes_from_who_has_most(void **state)
{
	struct packet_macs s = {.from = 1};

	for (unsigned i = 0; i < PACKET_MACS_MAX; i++)
		assert_true(packet_macs_saw(&s, numbered(i + 1), 10 + i));
	s.from = 2;
	assert_true(packet_macs_saw(&s, numbered(500), 1000));
	assert_true(passes(&s, numbered(500)));
	assert_false(passes(&s, numbered(1)));
	s.from = 1;
	for (unsigned i = 0; i < 1000; i++)
		assert_false(packet_macs_saw(&s, numbered(1000 + i), 2000 + i));
	assert_true(passes(&s, numbered(500)));
}

/* A machine is heard from its first frame on. */
static void the_port_hears_who_has_sent(void **state)
{
	uint8_t out[LEN] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
	uint8_t in[LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0xb5};
	struct batch batch = {.n = 1};
	struct bench b;
	uint8_t got[200];

	if (!bench_open(&b, false))
		skip();
	b.sink = mem_port_new(&b.rig, b.rig.lan, "sink", 16);
	assert_int_equal(write(b.tap.fds[0], in, LEN), LEN);
	turns(&b);
	assert_int_equal(mem_port_pop(b.sink, got, sizeof(got)), 0);
	batch.f[0] = frame_flat(out, LEN);
	assert_true(b.port->ops->send(b.port, &batch, 1) == 1);
	/* What it sent itself does not come back. */
	assert_int_equal(write(b.tap.fds[0], in, LEN), LEN);
	turns(&b);
	assert_int_equal(mem_port_pop(b.sink, got, sizeof(got)), LEN);
	assert_memory_equal(got, in, LEN);
	assert_int_equal(mem_port_pop(b.sink, got, sizeof(got)), 0);
	bench_close(&b);
}

/* ---- the interface ---- */

static void send_one(struct bench *b)
{
	uint8_t frame[100] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 0x88, 0xb5};
	struct batch batch = {.n = 1};

	batch.f[0] = frame_flat(frame, sizeof(frame));
	assert_true(b->port->ops->send(b->port, &batch, 1) == 1);
}

static void carrier_follows_the_interface(void **state)
{
	struct bench b;
	uint8_t got[200];

	if (!bench_open(&b, false))
		skip();
	for (unsigned i = 0; i < 2; i++) {
		rig_tap_up(&b.tap, false);
		if (i == 0) {
			send_one(&b);
			assert_int_equal(b.rig.drops.n[DROP_LINK_DOWN], 1);
		}
		turns(&b);
		assert_false(port_is_up(b.port));
		rig_tap_up(&b.tap, true);
		for (unsigned k = 0; k < 1000 && !port_is_up(b.port); k++)
			rig_turn(&b.rig, 10);
		assert_true(port_is_up(b.port));
		send_one(&b);
		assert_int_equal(read(b.tap.fds[0], got, sizeof(got)), 100);
	}
	assert_int_equal(b.rig.n_faults, 0);
	bench_close(&b);
}

static void a_removed_interface_is_a_fault(void **state)
{
	for (unsigned send_first = 0; send_first < 2; send_first++) {
		struct bench b;

		if (!bench_open(&b, false))
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

static void a_frame_too_long_is_named(void **state)
{
	static uint8_t frame[2000] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3};
	struct batch batch = {.n = 1};
	struct bench b;

	if (!bench_open(&b, false))
		skip();
	rig_tap_mtu(&b.tap, 1500);
	batch.f[0] = frame_flat(frame, sizeof(frame));
	assert_true(b.port->ops->send(b.port, &batch, 1) == 1);
	assert_int_equal(b.rig.drops.n[DROP_FRAME_LONG], 1);
	assert_int_equal(b.port->stats.tx_drops, 1);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_contract),
		cmocka_unit_test(the_filter_passes_groups_and_ours),
		cmocka_unit_test(a_full_filter_fits),
		cmocka_unit_test(the_silent_give_way),
		cmocka_unit_test(who_has_few_takes_from_who_has_most),
		cmocka_unit_test(the_port_hears_who_has_sent),
		cmocka_unit_test(carrier_follows_the_interface),
		cmocka_unit_test(a_removed_interface_is_a_fault),
		cmocka_unit_test(a_frame_too_long_is_named),
	};

	if (!rig_netns_enter())
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(t, NULL, NULL);
}
