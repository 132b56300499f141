/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the port contract test (port_contract.h) for taps: plain, with the
 * offload header, with several queues, and in another namespace (netns). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/port_contract.h"
#include "netdev/rig.h"
#include "netdev/rig_tap.h"

struct bench {
	struct rig rig;
	struct rig_tap tap;
};

/* All frames leave by the first leg then. */
static int no_leg(void *arg, struct port *p, unsigned i, mac m, bool is_open)
{
	return -EAGAIN;
}

static bool open_tap(struct contract_rig *r, const char *kind,
		     unsigned n_queues, bool vnet_hdr)
{
	struct bench *b = calloc(1, sizeof(*b));
	bool far = strcmp(kind, "netns") == 0;
	bool has_legs = strcmp(kind, "macvtap") == 0;

	assert_non_null(b);
	if (!rig_tap_open(&b->tap, "vmlant0", n_queues, vnet_hdr, far)) {
		rig_tap_close(&b->tap);
		free(b);
		return false;
	}
	rig_init(&b->rig);
	b->rig.env.want_leg = no_leg;
	r->lan = b->rig.lan;
	r->drops = &b->rig.drops;
	r->priv = b;
	assert_int_equal(netdev_tap_new(&b->rig.env,
					&(struct netdev_tap_config){
						.name = "tap0",
						.kind = kind,
						.fds = b->tap.fds,
						.n_fds = n_queues,
						.has_legs = has_legs,
						.vnet_hdr = vnet_hdr},
					&r->port),
			 0);
	return true;
}

static bool open_plain(struct contract_rig *r)
{
	return open_tap(r, "tap", 1, false);
}

static bool open_vnet(struct contract_rig *r)
{
	return open_tap(r, "tap", 1, true);
}

static bool open_queues(struct contract_rig *r)
{
	return open_tap(r, "tap", RIG_TAP_QUEUES, true);
}

static bool open_netns(struct contract_rig *r)
{
	return open_tap(r, "netns", 1, true);
}

static bool open_bridge(struct contract_rig *r)
{
	return open_tap(r, "bridge", 1, true);
}

static bool open_hostif(struct contract_rig *r)
{
	return open_tap(r, "hostif", 1, true);
}

static bool open_macvtap(struct contract_rig *r)
{
	return open_tap(r, "macvtap", 1, true);
}

static void tap_close(struct contract_rig *r)
{
	struct bench *b = r->priv;

	rig_remove(r->port);
	rig_deinit(&b->rig);
	rig_tap_close(&b->tap);
	free(b);
	r->port = NULL;
}

static void tap_turn(struct contract_rig *r, int ms)
{
	rig_turn(&((struct bench *)r->priv)->rig, ms);
}

static bool tap_send(struct contract_rig *r, const void *p, uint32_t len)
{
	return rig_tap_send(&((struct bench *)r->priv)->tap, p, len);
}

static uint32_t tap_recv(struct contract_rig *r, void *p, uint32_t room)
{
	return rig_tap_recv(&((struct bench *)r->priv)->tap, p, room);
}

#define TAP_PEER                                                               \
	.close = tap_close, .turn = tap_turn, .peer_send = tap_send,           \
	.peer_recv = tap_recv

static const struct contract_kind kinds[] = {
	{"tap", false, 65535, 60, 32, open_plain, TAP_PEER},
	{"tap, vnet_hdr", false, 65535, 60, 32, open_vnet, TAP_PEER},
	{"tap, 4 queues", false, 65535, 60, 32, open_queues, TAP_PEER},
	{"netns", false, 65535, 60, 32, open_netns, TAP_PEER},
	{"bridge", false, 65535, 60, 32, open_bridge, TAP_PEER,
	 .is_uplink = true},
	{"hostif", false, 65535, 60, 32, open_hostif, TAP_PEER},
	{"macvtap", false, 65535, 60, 32, open_macvtap, TAP_PEER,
	 .is_uplink = true},
};

static void test_kind(void **state)
{
	if (port_contract_run(*state) == 0)
		skip();
}

int main(void)
{
	struct CMUnitTest t[array_len(kinds)];

	if (!rig_netns_enter())
		return 77; /* meson: skipped */
	for (unsigned i = 0; i < array_len(kinds); i++)
		t[i] = (struct CMUnitTest){
			.name = kinds[i].name,
			.test_func = test_kind,
			.initial_state = (void *)&kinds[i],
		};
	return cmocka_run_group_tests(t, NULL, NULL);
}
