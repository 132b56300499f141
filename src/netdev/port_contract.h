/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port contract (lan/port.h) as a test that every port kind passes.
 *
 * The body knows nothing of the kind: a harness (struct contract_kind) opens
 * a port on a real lan, plays its peer and turns the event loop.  On the same
 * lan the body puts a port of its own, the sink, which shows what came in and
 * from which frames go out.  Compiled into tests only.
 */
#ifndef NETDEV_PORT_CONTRACT_H
#define NETDEV_PORT_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/drop.h"
#include "lan/lan.h"
#include "lan/port.h"

/* One run: filled by the kind's open(). */
struct contract_rig {
	struct lan *lan;     /* the harness's */
	struct drops *drops; /* the lan's */
	struct port *port;   /* under test, on lan, carrier up; NULL: gone */
	void *priv;	     /* the harness's own */
};

struct contract_kind {
	const char *name;
	bool is_lossless;   /* nothing is lost while the peer is there */
	uint32_t max_frame; /* longest frame that crosses, both ways */
	uint32_t pad;	    /* shorter ones reach the peer this long; 0: none */
	unsigned burst;	    /* frames the peer's side can hold unread */
	/* False: cannot be run here (no permission); the test is skipped. */
	bool (*open)(struct contract_rig *r);
	/* Removes r->port unless NULL, then everything else. */
	void (*close)(struct contract_rig *r);
	/* One iteration of the loop that waits for at most ms. */
	void (*turn)(struct contract_rig *r, int ms);

	/* The peer.  NULL where the kind has none that passes frames on (the
	 * gateway): the tests that need it are left out. */
	/* Sends; false if there was no room, and then nothing was sent. */
	bool (*peer_send)(struct contract_rig *r, const void *p, uint32_t len);
	/* Receives one frame: its length, or 0 if none is there. */
	uint32_t (*peer_recv)(struct contract_rig *r, void *p, uint32_t room);
	/* The peer vanishes; NULL where it cannot be noticed. */
	void (*peer_close)(struct contract_rig *r);
	bool frees_itself; /* the port is gone with its peer (a server's) */
	bool is_uplink;	   /* caps.is_uplink */
};

/* Runs all that apply; cmocka assertions.  Returns the number of tests, 0 if
 * open() said no. */
unsigned port_contract_run(const struct contract_kind *kind);
/* A program's main(): a cmocka test of each of the n kinds, skipped where
 * open() said no.  Returns cmocka's number of failures. */
int port_contract_main(const struct contract_kind *kinds, unsigned n);
/* One of them, for kinds with a peer whose ports are no uplinks: another port
 * uses the peer's MAC.  False if open() said no. */
bool port_contract_twins(const struct contract_kind *kind);

#endif
