/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port contract: what anything must do that gives and takes frames.
 *
 * A QEMU netdev is a port kind; so is the gateway ("user": NAT and services).
 * Above the port is the lan (lan.h), below it a descriptor, a ring, or another
 * room.  Everything here runs on the one worker that owns the lan; nothing is
 * locked and nothing here may block.
 *
 * The life of a port
 * ------------------
 *      made by its kind (netdev.h)          the kind allocates, opens nothing
 *      lan_port_add()                       may be given frames from now on
 *        ... lan_port_link(up) ...          carrier: frames flow
 *        ... lan_port_link(down) ...        peer gone; port stays, waits
 *        ... port_fault() ...               hostile or broken peer: the lan
 *                                           stops calling recv and send
 *      lan_port_del()                       no hook is called afterwards
 *      ops->close()                         frees the port itself
 *
 * Frames in (peer -> lan)
 * -----------------------
 * The kind learns that its peer has sent (epoll, a kick) and calls
 * lan_port_readable(), which loops: recv() fills a batch, the lan carries it,
 * done() gives the frames back.
 *
 *   recv(p, b)   fills b with up to FRAME_BATCH frames and returns their
 *                number; 0 = nothing now (the edge is consumed: the kind will
 *                be told again).  Frames are checked: length between
 *                FRAME_ETH_LEN and FRAME_MAX, offload requests by
 *                frame_offload_check(); what fails is dropped and counted by
 *                the kind.  Between recv and done the frames are borrowed and
 *                the kind must not move or reuse what they point at; send()
 *                on the SAME port may well be called in that time.
 *   done(p, b)   the frames of the last recv are finished with (used ring
 *                once, at most one interrupt).  Exactly one done per recv that
 *                returned more than 0.
 *
 * Frames out (lan -> peer)
 * ------------------------
 *   send(p, b, mask)  takes the frames of b whose bit is set, in order of
 *                their index; returns the bits accepted.  An accepted frame
 *                is in the peer's hands or copied: nothing of b is referenced
 *                after the return.  A bit not accepted means "no room"; the
 *                lan counts PORT_FULL.  A frame that can never be sent
 *                (too long, peer refused it) counts as accepted, and the kind
 *                drops it by name.  Short of room, a kind accepts a prefix of
 *                the mask (so that order is kept), never a random subset.
 *                The frames' offload requests are within caps.offload: the
 *                lan has segmented and summed for exits that cannot.
 *
 * Room
 * ----
 * A lossless kind (stream, vhost-user) that refused a frame or a lend knows
 * when it can take again.
 *   want_room(p) asks it to say so once: as soon as at least one frame of
 *                FRAME_MAX bytes would be accepted, the kind calls
 *                lan_port_room(p), from its event loop, never from inside
 *                want_room().  A kind whose caps.lossy is set, or that never
 *                refuses (the gateway), may leave the hook NULL; the lan then
 *                never asks.
 *   room(p, other)  the upcall to a port that had been told "no room": other
 *                (one of the ports it sends to) can take again.  Only senders
 *                that can wait (the gateway) have it.
 *
 * Holding (optional)
 * ------------------
 * A sender whose frames may stay where they are (a virtqueue: chains need not
 * come back in order) need not lose what an exit has no room for, nor stop for
 * it, which would make one slow machine everybody's.  The lan holds on to such
 * frames, the rest of the batch passes, and the peer is held up by the chains
 * that it does not get back: only who sends to the slow machine waits.
 *   let_go(p, cookie, n)  that many frames that were held are finished with;
 *                cookie[] is their frame.cookie, in no order.  Called from the
 *                event loop, from a timer, from inside lan_port_release() and
 *                lan_port_del(); never between recv and done of p.
 * With the hook, recv sets frame.hold_cost for what may be held, port.hold_max
 * says how much that may come to, and done() keeps its hands off the frames of
 * b->held: what their iov points at stays borrowed until let_go.  (Headers and
 * the list of pieces are copied.)  Before that memory goes away, or the peer is
 * told where its queue ends, the kind calls lan_port_release(), and nothing is
 * held any more.
 *   Held are frames of lan_port_readable() for one known exit with want_room
 * that refused them, or for which others wait already; not flooded ones.  For
 * one exit at most half of hold_max, a bounded number of frames and bytes
 * (hold.h), for 100 ms: what is more is lost as PORT_FULL, what waits longer as
 * PORT_STALLED.  The order of what one port sends to one other is kept.  Frames
 * that are cut for the exit go on where that was full in the middle of one.
 *
 * Link
 * ----
 *   link(p, up)  administrative state from control: the cable is pulled.  A
 *                kind tells its peer where it can (nothing to tell on a plain
 *                socket).  May be NULL.  The lan itself stops the frames.
 * lan_port_link() is the other direction: carrier as the kind sees it.
 *
 * Lend and give (optional; both or neither)
 * -----------------------------------------
 * The gateway receives straight into the peer's buffers:
 *   lend(p, l)   l->n frames of l->f[i].want bytes each are wanted.  The kind
 *                fills f[i].iov/n_iov with writable pieces of at least want
 *                bytes for as many frames as it can, in order, sets l->n to
 *                that number and returns it; 0 = no room (want_room applies).
 *                iov storage is the l->iov pool (bounded: every store is
 *                behind its own check).  At most one lend is open per port.
 *   give(p, l)   the first l->n_used frames hold f[i].len bytes (<= want)
 *                with f[i].off; they go to the peer in order.  The others and
 *                unused bytes are rewound as if never lent.  n_used may be 0.
 * Between lend and give no send() is called on the same port: the lan sees to
 * that, and the borrower must not call into the lan in between.
 *
 * Faults
 * ------
 * port_fault(p, why, ...) is for a peer that breaks the rules (a frame header
 * that lies, a broken ring).  It costs that port only: the lan marks it, stops
 * calling recv and send, tells control once.  The kind drops the connection;
 * a kind that can be connected again calls port_fault_clear() when it is.
 */
#ifndef LAN_PORT_H
#define LAN_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "lan/frame.h"

struct hold;
struct lan;
struct port;
struct port_cable;

/* What an exit can carry out by itself (bits of port_caps.offload). */
enum port_offload {
	PORT_O_CSUM = 1 << 0, /* frames with FRAME_F_NEEDS_CSUM */
	PORT_O_TSO4 = 1 << 1, /* FRAME_GSO_TCP4 */
	PORT_O_TSO6 = 1 << 2,
	PORT_O_USO4 = 1 << 3, /* FRAME_GSO_UDP4 */
	PORT_O_USO6 = 1 << 4,
	PORT_O_ECN = 1 << 5, /* FRAME_F_ECN with TSO */
	PORT_O_ALL = (1 << 6) - 1,
	PORT_O_UFO = 1 << 6, /* FRAME_GSO_FRAG4, 6: of old guests; only the
			      * gateway takes them whole, so not in ALL */
};

struct port_caps {
	uint32_t offload;   /* PORT_O_*; what send() takes */
	uint32_t max_frame; /* longest frame without gso, FRAME_MAX if any */
	uint32_t queues;    /* queue pairs, >= 1 */
	uint32_t queue_frames; /* of its peer that can wait for recv(); what
				* comes on top is lost.  0 = none is ever.
				* Whoever can bound what the peer sends (the
				* NAT, by TCP's window) does */
	bool lossy;	    /* may lose frames without a word (dgram, tap) */
	bool is_uplink;	    /* leads to more machines than one: a MAC that
			     * moves here is ordinary, equal MACs are not
			     * worth a warning */
	bool is_ours;	    /* a part of this process (the gateway): its MACs
			     * are its own, whoever else has them */
};

enum port_fault {
	FAULT_NONE,
	FAULT_FRAMING, /* a length that cannot be */
	FAULT_RING,    /* descriptor or index out of range */
	FAULT_IO,      /* the kernel failed an operation that must not fail */
	FAULT_N
};

enum {
	LEND_IOV_MAX = 1024, /* pieces of all frames of one lend */
};

struct lend_frame {
	uint32_t want;	    /* in: bytes wanted, <= FRAME_MAX */
	uint32_t len;	    /* give: bytes used */
	struct iovec *iov;  /* lend: writable pieces, in l->iov */
	uint32_t n_iov;
	uint32_t cookie;    /* the port's own */
	struct frame_offload off; /* give: as frame.off */
};

/* Frames lent by an exit to be filled in place; lives in the borrower. */
struct lend {
	struct port *port; /* who lent; NULL = scratch of the lan */
	unsigned n;	   /* frames lent */
	unsigned n_used;   /* frames given back full */
	unsigned n_iov;	   /* pieces used of iov */
	uint32_t flow;	   /* in: steer_flow() of all frames; 0 = not known, or
			    * of several */
	struct lend_frame f[FRAME_BATCH];
	struct iovec iov[LEND_IOV_MAX];
};

struct port_ops {
	const char *kind; /* "stream": the netdev type */
	unsigned (*recv)(struct port *p, struct batch *b);
	void (*done)(struct port *p, struct batch *b);
	uint64_t (*send)(struct port *p, const struct batch *b, uint64_t mask);
	void (*want_room)(struct port *p);
	void (*room)(struct port *p, struct port *other);
	void (*link)(struct port *p, bool up);
	unsigned (*lend)(struct port *p, struct lend *l);
	void (*give)(struct port *p, struct lend *l);
	void (*let_go)(struct port *p, const uint32_t *cookie, unsigned n);
	/* Listeners of multicast groups came or went (lan_groups()), or
	 * another port's link came up.  Called while a batch is carried:
	 * notes it and returns.  May be NULL. */
	void (*listeners)(struct port *p);
	void (*close)(struct port *p); /* frees p */
};

/* The two that differ in who listens and who asks (snoop.h). */
enum port_family {
	PORT_V4,
	PORT_V6,
	PORT_FAMILIES
};

/* worker: rw, control: ro relaxed */
struct port_stats {
	uint64_t rx_frames, rx_bytes; /* peer -> lan */
	uint64_t tx_frames, tx_bytes; /* lan -> peer */
	uint64_t rx_drops, tx_drops;
};

enum {
	PORT_NAME_LEN = 48,
	HEARD_MAX = 8,
};

/* Embedded at the front of each kind's own struct. */
struct port {
	/* set by the kind before lan_port_add() */
	const struct port_ops *ops;
	struct port_caps caps; /* later changes: lan_port_caps() */
	char name[PORT_NAME_LEN]; /* netdev id, "vm0" or "vm0.3" */
	uint32_t id;		  /* control's number for the netdev */
	uint32_t hold_max;	  /* with let_go: sum of frame.hold_cost the
				   * lan may hold.  A kind of several queues
				   * sets it in recv, for the batch: what is
				   * held of the other queues, and what this
				   * one may come to */

	/* the lan's */
	struct lan *lan;     /* NULL while on no lan */
	struct list link_all; /* in lan->ports */
	uint64_t pending;    /* frames of the current batch for this exit */
	struct port *pending_next;
	bool carrier;	     /* the kind: peer is there */
	bool admin_up;	     /* control: cable is in */
	bool wants_room;     /* somebody waits for room here */
	bool lent;	     /* a lend is open */
	uint8_t fault;	     /* enum port_fault */
	uint8_t alias_use;   /* ALIAS_USE_*; 0: frames pass as they are */
	uint8_t tap;	     /* who look at its frames, see tap.h */
	bool is_punted;	     /* of a lane: what comes here or goes here is
			      * worker 0's, see lane.h */
	unsigned n_known;    /* of a lane: addresses known behind it */
	unsigned n_macs;     /* entries of the MAC table behind it */
	struct list macs;    /* those entries, longest unseen first */
	mac last_mac;	     /* the last that came behind it; zero: none */
	struct list link_n;  /* among ports with as many entries */
	uint32_t serial;     /* never used twice on one lan */
	uint32_t wait_slot;  /* as a waiting sender: bit in others' waiters */
	uint64_t waiters;    /* senders to tell when there is room here */
	uint32_t wait_turn;  /* the bit that is told first next time */
	struct list link_wake; /* in lan->wake: they are told from a timer */
	struct port_cable *cable; /* owned; NULL: it is as it should be */
	struct hold *hold;   /* owned; what it waits with, NULL: it cannot */
	struct list holders; /* of frames for it: hold_queue.link_exit */
	bool holders_first;  /* they are told before those in waiters */
	uint64_t hold_after_ns;  /* it stalled: nothing is held for it before,
			      * 0 = it did not .. */
	uint64_t hold_tx_frames; /* .. and while this is stats.tx_frames */
	struct list aliases; /* of struct alias: MACs behind it that another
			      * port has too, see alias.h */
	mac watch;	     /* a MAC that moved here .. */
	uint32_t watch_from; /* .. from the port with this serial .. */
	uint64_t watch_ns;   /* .. and when */
	addr heard[HEARD_MAX]; /* IP addresses behind it, that heard last
			* first, see heard.h */
	unsigned n_heard;
	unsigned n_listens;
	struct list listens; /* multicast groups with a listener behind it, see
			      * snoop.h */
	uint64_t router_until_ns; /* a multicast router is behind it */
	uint64_t all_until_ns[PORT_FAMILIES]; /* gets every group: UINT64_MAX,
			      * until it has been asked what it wants */
	struct port_stats stats;
};

#endif
