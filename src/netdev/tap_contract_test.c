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

static bool open_with(struct contract_rig *r, struct netdev_tap_config c)
{
	struct bench *b = calloc(1, sizeof(*b));
	bool far = strcmp(c.kind, "netns") == 0;

	assert_non_null(b);
	if (!rig_tap_open(&b->tap, "vmlant0", c.n_fds, c.vnet_hdr, far)) {
		rig_tap_close(&b->tap);
		free(b);
		return false;
	}
	rig_init(&b->rig);
	b->rig.env.want_leg = no_leg;
	r->lan = b->rig.lan;
	r->drops = &b->rig.drops;
	r->priv = b;
	c.name = "tap0";
	c.fds = b->tap.fds;
	assert_int_equal(netdev_tap_new(&b->rig.env, &c, &r->port), 0);
	return true;
}

static bool open_kind(struct contract_rig *r, const char *kind)
{
	return open_with(r, (struct netdev_tap_config){.kind = kind,
						       .n_fds = 1,
						       .vnet_hdr = true});
}

static bool open_plain(struct contract_rig *r)
{
	return open_with(r, (struct netdev_tap_config){.kind = "tap",
						       .n_fds = 1});
}

static bool open_vnet(struct contract_rig *r)
{
	return open_kind(r, "tap");
}

static bool open_queues(struct contract_rig *r)
{
	return open_with(r,
			 (struct netdev_tap_config){.kind = "tap",
						    .n_fds = RIG_TAP_QUEUES,
						    .vnet_hdr = true});
}

static bool open_netns(struct contract_rig *r)
{
	return open_kind(r, "netns");
}

static bool open_bridge(struct contract_rig *r)
{
	return open_kind(r, "bridge");
}

static bool open_router(struct contract_rig *r)
{
	return open_kind(r, "router");
}

static bool open_hostif(struct contract_rig *r)
{
	return open_kind(r, "hostif");
}

static bool open_for_host(struct contract_rig *r, bool is_beside)
{
	const struct prefix ip = {addr_v4_bytes((uint8_t[]){10, 0, 0, 1}), 120};

	return open_with(r, (struct netdev_tap_config){
				    .kind = "hostif",
				    .n_fds = 1,
				    .vnet_hdr = true,
				    .host_ip = &ip,
				    .n_host_ip = 1,
				    .is_beside = is_beside,
				    .mac = {{0x02, 0, 0, 0, 0, 1}}});
}

static bool open_hostif_ip(struct contract_rig *r)
{
	return open_for_host(r, false);
}

static bool open_beside(struct contract_rig *r)
{
	return open_for_host(r, true);
}

static bool open_macvtap(struct contract_rig *r)
{
	return open_with(r, (struct netdev_tap_config){.kind = "macvtap",
						       .n_fds = 1,
						       .has_legs = true,
						       .vnet_hdr = true});
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

/* What waits in a tap goes with it, so it is read before. */
static void tap_vanish(struct contract_rig *r)
{
	struct bench *b = r->priv;

	for (unsigned i = 0; i < 100; i++)
		rig_turn(&b->rig, 0);
	rig_tap_remove(&b->tap);
}

#define TAP_PEER                                                               \
	.close = tap_close, .turn = tap_turn, .peer_send = tap_send,           \
	.peer_recv = tap_recv, .peer_close = tap_vanish
#define NO_PEER .close = tap_close, .turn = tap_turn

static const struct contract_kind kinds[] = {
	{"tap", false, 65535, 60, 32, open_plain, TAP_PEER},
	{"tap, vnet_hdr", false, 65535, 60, 32, open_vnet, TAP_PEER},
	{"tap, 4 queues", false, 65535, 60, 32, open_queues, TAP_PEER},
	{"netns", false, 65535, 60, 32, open_netns, TAP_PEER},
	{"bridge", false, 65535, 60, 32, open_bridge, TAP_PEER,
	 .is_uplink = true},
	{"router", false, 65535, 60, 32, open_router, TAP_PEER,
	 .is_uplink = true},
	{"hostif", false, 65535, 60, 32, open_hostif, TAP_PEER},
	/* These pass what is for the host and from it, and nothing else. */
	{.name = "hostif, address", .open = open_hostif_ip, NO_PEER},
	{.name = "hostif, beside a card", .open = open_beside, NO_PEER},
	{"macvtap", false, 65535, 60, 32, open_macvtap, TAP_PEER,
	 .is_uplink = true},
};

int main(void)
{
	if (!rig_netns_enter())
		return 77; /* meson: skipped */
	return port_contract_main(kinds, array_len(kinds));
}
