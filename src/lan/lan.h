/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lan: a learning switch (or a hub) between ports.
 *
 * It knows MACs and ports and nothing of IP but who listens to which
 * multicast group (snoop.h).  Called by the port kinds when
 * they have frames, by the gateway when it makes some, by the engine to add
 * and remove ports.  One worker's thread; no system call is made here; the
 * time is a pointer to the worker's clock.
 */
#ifndef LAN_LAN_H
#define LAN_LAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/impair.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/talk.h"
#include "base/timer.h"
#include "lan/drop.h"
#include "lan/frame.h"
#include "lan/port.h"

struct lan;
struct lane_config;

enum {
	LAN_FDB_MAX = 4096,	 /* MAC table entries */
	LAN_AGE_SECONDS = 300,	 /* IEEE 802.1Q 8.8.3 default */
	LAN_READ_BATCHES = 16,	 /* batches per lan_port_readable() call */
};

/* What control wants to hear; any hook may be NULL.  Called from the data
 * path's edge: implementations only note and return. */
struct lan_events {
	/* p's peer has come or gone, whatever control does to the cable. */
	void (*link)(void *arg, struct port *p, bool up);
	void (*fault)(void *arg, struct port *p, enum port_fault why,
		      const char *text);
	/* Machines behind the ports a and b use the same MAC.  alias: what b's
	 * goes by from now on (alias.h); NULL if there are too many. */
	void (*mac_clash)(void *arg, mac m, struct port *a, struct port *b,
			  const mac *alias);
	/* What is known of the addresses behind p (port.heard) changed.  May
	 * be called while a batch is carried. */
	void (*heard)(void *arg, struct port *p);
	void *arg;
};

struct lan_config {
	const char *name;	   /* copied */
	bool is_hub;		   /* repeats every frame, learns nothing */
	unsigned fdb_max;	   /* 0 = LAN_FDB_MAX */
	uint64_t age_ns;	   /* 0 = LAN_AGE_SECONDS */
	struct timer_wheel *wheel; /* borrowed */
	const uint64_t *now_ns;	   /* borrowed: the worker's clock */
	uint64_t (*read_ns)(void); /* where it is read; NULL: it stands still */
	struct talk *talk;	   /* borrowed, the worker's; NULL: none */
	struct drops *drops;	   /* borrowed */
	struct log *log;	   /* borrowed, may be NULL */
	struct lan_events events;
	const struct lane_config *lane; /* copied; NULL: it is none, see lane.h;
					 * else worker 0's fdb_max */
};

/* 0 with *lanp set, or -ENOMEM. Free only after the ports were removed. */
__attribute__((warn_unused_result)) int lan_new(const struct lan_config *c,
						struct lan **lanp);
struct lan *lan_free(struct lan *lan);

/* Puts p on the lan, carrier down, cable in. p is borrowed until
 * lan_port_del().  Any number of ports. */
void lan_port_add(struct lan *lan, struct port *p);
/* Takes p off: its MACs are forgotten, waiting senders are told.  Only from
 * the event loop: never from inside a hook of any port on the lan (recv, send,
 * room, ..), where a port may be faulted, unlinked or pulled but not removed.
 * The same holds for lan_port_add(). */
void lan_port_del(struct port *p);
/* Carrier as the kind sees it; down forgets the MACs behind p. */
void lan_port_link(struct port *p, bool up);
/* Control pulls or plugs the cable. */
void lan_port_admin(struct port *p, bool up);
/* Its cable does that to frames from now on; all zero: none any more, and what
 * is under way arrives.  The numbers of chance begin anew where the seed is
 * another one, or restarts.  As lan_port_add(), where a cable is taken off.
 * 0, or -ENOMEM: one way may be as it was. */
MUST_USE int lan_port_spoil(struct port *p, const struct impair_set *s,
			    bool restarts);
/* The kind's abilities changed. */
void lan_port_caps(struct port *p, const struct port_caps *caps);
/* What the kind has said of them, whatever a cable makes of that: what it is
 * to begin with when they change. */
const struct port_caps *lan_port_own_caps(const struct port *p);
/* True if frames flow through p now. */
bool port_is_up(const struct port *p);

/* The peer of p has sent: recv, carry, done, for at most LAN_READ_BATCHES
 * batches. True = there may be more (call again soon, after others had their
 * turn); false = recv said 0. */
bool lan_port_readable(struct port *p);
/* p can take frames again: everybody told "no room" is woken (room hook), at
 * once from the event loop; from inside a hook it is put off until the batch
 * is over. */
void lan_port_room(struct port *p);
/* The lan lets go of all that it holds of p's: dropped by name, let_go() called
 * before it returns.  Only from the event loop, as lan_port_del(). */
void lan_port_release(struct port *p);
/* See port.h, Faults. */
__attribute__((format(printf, 3, 4))) void
port_fault(struct port *p, enum port_fault why, const char *fmt, ...);
void port_fault_clear(struct port *p);

/* Carries a batch that came in by `from`. The frames are borrowed for the
 * call. Returns the mask of unicast frames for a known exit that had no room
 * (already counted as PORT_FULL unless keep): a sender that can wait passes
 * keep = true, keeps those frames and is called back by its room hook.  With
 * keep, what a lossy exit (or one without want_room) refused is lost, counted,
 * and not in the mask.  Calls nest: from inside any send() another lan_input()
 * may be made, on this lan too, to a depth of 8 (DROP_LAN_LOOP beyond). */
uint64_t lan_input(struct port *from, const struct batch *b, bool keep);

/* Inside send(): by which port the frames came in (port.serial); 0 outside.
 * Who sent them may name himself as he likes, but comes by no other port. */
uint32_t lan_ingress(const struct lan *lan);
/* The same port's id, which is its netdev's. */
uint32_t lan_ingress_id(const struct lan *lan);
/* The same of the port that pays for what the frames cost here; 0 also for an
 * uplink: there are others' networks behind it, where the machines are many. */
uint32_t lan_payer(const struct lan *lan);
/* Inside send(): who sent the frames has this IP address. */
void lan_heard(struct lan *lan, const addr *ip);
/* True inside send() if who sent the frames is known to have this address. */
bool lan_is_heard(const struct lan *lan, const addr *ip);
/* True inside send() if that port is an uplink. */
bool lan_ingress_is_uplink(const struct lan *lan);

/* Where frames from `from` to dst would go now. */
struct lan_path {
	struct port *port; /* the one known exit, or NULL: flooded */
	uint32_t offload;  /* PORT_O_* every exit concerned can take */
	uint32_t max_frame;
	bool lossy;	   /* some exit may lose frames silently */
	uint32_t queue_frames; /* the way back: the least of the exits', see
				* port_caps */
};
void lan_path(struct port *from, mac dst, struct lan_path *pathp);

/* Borrows buffers for l->n frames of l->f[i].want bytes to dst.  From the one
 * known exit if it can lend and no stage is armed, else scratch of the lan
 * (l->port NULL).  Returns the number of frames lent (l->n); 0 = the exit has
 * no room: the room hook of `from` will be called.  Every non-zero lend is
 * followed by one lan_give() before anything else is called here.  The pieces
 * at f[i].iov are left as they are (the borrower copies what it cuts). */
unsigned lan_lend(struct port *from, mac dst, struct lend *l);
/* Sends the first l->n_used frames (f[i].len, f[i].off), rewinds the others.
 * GSO in f[i].off only within lan_path().offload; a checksum may be asked for
 * always.
 * Frames given from scratch that found no room are lost as PORT_FULL only if
 * the exit is lossy; for a lossless exit the number of frames it took is
 * returned and the borrower still holds the others' contents nowhere: it must
 * produce them again (the payload still waits in the socket or ring). */
unsigned lan_give(struct port *from, mac dst, struct lend *l);
/* Copies len bytes into a lent frame at offset off (headers). */
void lend_put(struct lend_frame *f, uint32_t off, const void *p, uint32_t len);

/* MAC table as a listing: called for each entry. */
typedef void (*lan_mac_fn)(void *arg, mac m, struct port *p,
			   uint64_t age_ns);
void lan_macs(struct lan *lan, lan_mac_fn fn, void *arg);
/* The same a part at a time: as fdb_walk(). */
unsigned lan_some_macs(struct lan *lan, unsigned from, unsigned max,
		       lan_mac_fn fn, void *arg);
unsigned lan_n_macs(const struct lan *lan);
/* The port that m is known behind, of a lane its leg; NULL: none. */
struct port *lan_behind(const struct lan *lan, mac m);
/* Whose queries for multicast listeners were heard within the time in which
 * RFC 2236 and 2710 count on him, the gateways' left out: the lowest address.
 * False (and *ipp untouched): nobody's. */
bool lan_querier(const struct lan *lan, enum port_family family, addr *ipp);
/* Calls fn for each multicast group that has a listener; link-local ones are
 * not among them. */
typedef void (*lan_group_fn)(void *arg, const addr *group);
void lan_groups(struct lan *lan, lan_group_fn fn, void *arg);
const char *lan_name(const struct lan *lan);
struct list *lan_ports(struct lan *lan); /* of struct port.link_all */

#endif
