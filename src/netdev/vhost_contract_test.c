/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the port contract test for vhost-user, with the rings of drivers old
 * and new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/port_contract.h"
#include "netdev/rig_vhost.h"

struct bench {
	struct rig rig;
	struct vpeer peer;
};

static bool open_with(struct contract_rig *r, const struct vpeer_config *c)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct netdev_stream_config nc = {.name = "vm0"};
	int fd[2];

	assert_non_null(b);
	rig_init(&b->rig);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	nc.fd = fd[0];
	nc.queues = c->offered;
	assert_int_equal(netdev_vhost_new(&b->rig.env, &nc, &r->port), 0);
	vpeer_init(&b->peer, &b->rig, fd[1], c);
	vpeer_start(&b->peer);
	r->lan = b->rig.lan;
	r->drops = &b->rig.drops;
	r->priv = b;
	return true;
}

static void close_it(struct contract_rig *r)
{
	struct bench *b = r->priv;

	rig_remove(r->port);
	vpeer_deinit(&b->peer);
	rig_deinit(&b->rig);
	free(b);
}

static void turn(struct contract_rig *r, int ms)
{
	struct bench *b = r->priv;

	rig_turn(&b->rig, ms);
}

static bool peer_send(struct contract_rig *r, const void *p, uint32_t len)
{
	struct bench *b = r->priv;

	return vpeer_send(&b->peer, p, len);
}

static uint32_t peer_recv(struct contract_rig *r, void *p, uint32_t room)
{
	struct bench *b = r->priv;

	return vpeer_recv(&b->peer, p, room);
}

static void peer_vanish(struct contract_rig *r)
{
	struct bench *b = r->priv;

	fd_close(&b->peer.fd);
}

static bool open_new(struct contract_rig *r)
{
	return open_with(r, &(struct vpeer_config){.by_slots = true});
}

static bool open_1024(struct contract_rig *r)
{
	return open_with(r, &(struct vpeer_config){.rx_size = 1024,
						   .rx_buf = 4096});
}

/* By four pairs. */
static bool open_pairs(struct contract_rig *r)
{
	return open_with(r, &(struct vpeer_config){.pairs = 4, .offered = 4});
}

/* A guest that knows of one. */
static bool open_one_of_four(struct contract_rig *r)
{
	return open_with(r, &(struct vpeer_config){.pairs = 1, .offered = 4});
}

/* Neither merged buffers, events, indirect tables nor the protocol's bits. */
static bool open_old(struct contract_rig *r)
{
	return open_with(
		r, &(struct vpeer_config){
			   .features = VHOST_BIT(VIRTIO_NET_CSUM) |
				       VHOST_BIT(VIRTIO_NET_GUEST_CSUM),
			   .rx_size = 64,
			   .rx_buf = FRAME_MAX + 12,
			   .no_protocol = true});
}

#define PEER                                                                   \
	.is_lossless = true, .burst = 64, .close = close_it, .turn = turn,     \
	.peer_send = peer_send, .peer_recv = peer_recv,                        \
	.peer_close = peer_vanish

static void test_contract(void **state)
{
	static const struct contract_kind kinds[] = {
		{.name = "new", .open = open_new, .max_frame = 65535, PEER},
		{.name = "1024", .open = open_1024, .max_frame = 65535, PEER},
		{.name = "4 pairs",
		 .open = open_pairs,
		 .max_frame = 65535,
		 PEER},
		{.name = "1 of 4",
		 .open = open_one_of_four,
		 .max_frame = 65535,
		 PEER},
		{.name = "old", .open = open_old, .max_frame = 65535, PEER},
	};

	(void)state;
	for (unsigned i = 0; i < array_len(kinds); i++)
		assert_true(port_contract_run(&kinds[i]) > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
