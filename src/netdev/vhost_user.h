/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `vhost-user`, shared by vhost_user.c (life), vhost_leg.c (who
 * carries what), vhost_tx.c (frames in, of the guest's transmit queues) and
 * vhost_rx.c (frames out, to its receive queues).
 *
 *	struct vhost_user   the port's session: messages, memory, features;
 *	    |               one for all queues, worker 0's
 *	    +-- leg         what one worker carries: a port on its lane,
 *	         |          scratch, deferred work, the state of a recv
 *	         +-- pair   a receive and a transmit ring, their kicks
 *
 * Leg i is worker i's, and leg 0's port is the port itself.  Pair q is at home
 * on worker q modulo the workers, and belongs to that leg while both its rings
 * are up; else, and where there is no other worker, to leg 0.  So a leg behind
 * the first is on its lane while it has a pair that takes frames, and what a
 * guest sent before it disabled a queue is read by worker 0.
 *
 * The threads: a leg and its pairs are touched by its worker only; the session
 * and all the rest by worker 0 only.  Worker 0 touches another leg, and changes
 * what the others read (pair.leg, what messages say of rings, memory, features)
 * in a pause, vhost_enter(); while all pairs are its own it needs none.
 */
#ifndef NETDEV_VHOST_USER_H
#define NETDEV_VHOST_USER_H

#include "base/list.h"
#include "base/mem.h"
#include "base/timer.h"
#include "lan/hold.h"
#include "netdev/conn.h"
#include "netdev/vhost_session.h"
#include "netdev/vnethdr.h"

enum {
	VHOST_CHAIN_IOV = 1024,	 /* pieces of one frame, in a ring */
	VHOST_TX_IOV = 2048,	 /* pieces of one batch */
	VHOST_TX_HEADS = 256,	 /* chains of one recv */
	VHOST_STEER = 4096,	 /* places of flows; a power of two */
};

/* A frame lent to the gateway. */
struct vhost_lent {
	unsigned first, n;	       /* chains, from last_avail on */
	struct iovec hdr[VNETHDR_LEN]; /* where its header goes */
	unsigned n_hdr;
	bool is_void; /* can never fit: lent from elsewhere, then dropped */
};

/* A chain of the receive queue. */
struct vhost_buffer {
	uint16_t head;
	uint32_t len;
};

struct vhost_pair {
	_Alignas(MEM_APART) struct vhost_leg *leg; /* borrowed; in pauses */
	unsigned q;	       /* its number */
	struct vhost_ring ring[VHOST_RINGS];
	struct loop_io kick[VHOST_RINGS]; /* fd owned, -1: none */
	struct loop_poll poll;	/* the transmit queue, while kicks are off */
	uint16_t held[HOLD_FRAMES];	 /* heads the lan has frames of .. */
	uint16_t held_cost[HOLD_FRAMES]; /* .. their descriptors .. */
	unsigned n_held;
	uint32_t cost;			 /* .. and the sum of those */
	unsigned n; /* of one call: chains used, or given back */
};

struct vhost_leg {
	_Alignas(MEM_APART) struct port port;
	struct vhost_user *v; /* borrowed */
	unsigned worker;
	struct loop *loop;    /* borrowed */
	struct drops *drops;  /* borrowed */
	struct loop_work more;	/* go on reading frames */
	struct loop_work room;	/* room was asked for while there was some */
	struct loop_work tell;	/* a few frames were given: the interrupt */
	/* Sets of pairs, a bit each. */
	uint32_t mine;	  /* in pauses */
	uint32_t ready;	  /* to be read: told of, or not seen empty since */
	uint32_t refused; /* had no room when a frame was for it */
	uint32_t untold;  /* `tell` owes the interrupt */
	bool room_wanted;
	unsigned turn;	  /* the pair that is read first next time */
	/* Pairs whose receive queue is up, and their number; in pauses. */
	uint8_t up[VHOST_PAIRS_MAX];
	unsigned n_up;
	/* By steer_frame(): the pair on which the guest sent of that flow last,
	 * + 1; 0: on none of this leg's. */
	uint8_t *steer; /* owned [VHOST_STEER]; NULL where it is one pair */

	/* in: valid from recv to done */
	struct vhost_pair *from;       /* whose chains they are */
	uint8_t (*hdr)[FRAME_HDR_MAX]; /* owned [FRAME_BATCH] */
	struct iovec *tx_iov;	       /* owned [VHOST_TX_IOV] */
	unsigned n_tx_iov;
	uint8_t *bounce; /* owned [FRAME_MAX]: a frame in too many pieces */
	bool bounce_used;
	uint16_t head[VHOST_TX_HEADS];
	bool is_held[VHOST_TX_HEADS]; /* by the lan, beyond done */
	unsigned n_heads;
	uint32_t held_cost; /* of all pairs: what the lan has */

	/* scratch of one call */
	struct iovec *iov;	     /* owned [VHOST_CHAIN_IOV] */
	struct vhost_buffer *buffer; /* owned [VRING_SIZE_MAX] */

	/* out: valid from lend to give */
	struct vhost_pair *to; /* whose chains are lent */
	struct vhost_lent lent[FRAME_BATCH];
	uint8_t *trash; /* owned [FRAME_MAX]: lent where nothing fits */
};

struct vhost_user {
	/* never changed */
	const struct netdev_env *env; /* borrowed */
	struct port *port;	      /* leg[0]'s */
	struct vhost_leg *leg[VHOST_PAIRS_MAX];	  /* owned */
	struct vhost_pair *pair[VHOST_PAIRS_MAX]; /* owned */
	struct vhost_ring *ring[VHOST_RINGS_MAX]; /* all pairs' */
	unsigned n_legs, n_pairs;
	/* in pauses */
	int fd;			      /* owned; -1: no front end */
	bool is_gone;	     /* `gone` is queued */
	uint8_t hdr_len;     /* bytes of the header in front of frames */
	struct vhost_session s; /* memory, features, log; the rest is worker
				 * 0's */
	/* worker 0's */
	struct conn_args args;	      /* name and fd are not used later */
	struct loop_io io;
	struct loop_work next;	/* go on reading messages */
	struct loop_work gone;	/* the front end went */
	struct vhost_hooks hooks;
	unsigned n_away;     /* pairs that are other workers' */
	unsigned n_entered;
	bool has_begun;	     /* a message has entered */
	uint64_t entered_ns;
	uint64_t paid_ns;    /* its pauses are paid for then */
	struct timer later;  /* go on reading messages, then */
};

static inline struct vhost_leg *vhost_leg_of(struct port *p)
{
	return container_of(p, struct vhost_leg, port);
}

static inline struct vhost_user *vhost_of(struct port *p)
{
	return vhost_leg_of(p)->v;
}

static inline uint32_t vhost_bit(const struct vhost_pair *p)
{
	return UINT32_C(1) << p->q;
}

/* The pair of the lowest bit. */
static inline struct vhost_pair *vhost_first(const struct vhost_leg *g,
					     uint32_t set)
{
	return g->v->pair[__builtin_ctz(set)];
}

/* A ring of the leg was found broken: its port's fault, told once. */
void vhost_fault(struct vhost_leg *g);

/* ---- legs (vhost_leg.c); worker 0 ---- */

/* Legs and pairs.  False: no memory; what there is vhost_legs_free() frees. */
MUST_USE bool vhost_legs_new(struct vhost_user *v);
void vhost_legs_free(struct vhost_user *v);
/* The others do nothing until vhost_leave(); they nest. */
void vhost_enter(struct vhost_user *v);
void vhost_leave(struct vhost_user *v);
/* So long we worked for this guest while others had to wait, ns. */
void vhost_charge(struct vhost_user *v, uint64_t ns);
/* True if that was more than its part: `later` tells when it may go on. */
bool vhost_must_wait(struct vhost_user *v);
/* Each pair goes where it belongs now.  In a pause if any is away. */
void vhost_settle(struct vhost_user *v);
/* All pairs are leg 0's. */
void vhost_recall(struct vhost_user *v);
/* A kick's descriptor goes to the loop of its pair's leg. */
void vhost_kick_on(struct vhost_pair *p, unsigned way);
/* No deferred work of frames any more. */
void vhost_leg_stop(struct vhost_leg *g);

/* ---- from the guest (vhost_tx.c) ---- */

unsigned vhost_recv(struct port *p, struct batch *b);
void vhost_done(struct port *p, struct batch *b);
void vhost_let_go(struct port *p, const uint32_t *cookie, unsigned n);
/* Frames may wait in all its queues, since before they could be read. */
void vhost_all_ready(struct vhost_leg *g);
/* The hooks of a pair's kicks and looks, and of leg.more. */
void vhost_tx_kick(struct loop_io *io, uint32_t events);
void vhost_poll_init(struct loop_poll *p);
void vhost_more(struct loop_work *w);

/* ---- to the guest (vhost_rx.c) ---- */

uint64_t vhost_send(struct port *p, const struct batch *b, uint64_t mask);
unsigned vhost_lend(struct port *p, struct lend *l);
void vhost_give(struct port *p, struct lend *l);
void vhost_want_room(struct port *p);
/* The guest is told of what waited for the end of the round. */
void vhost_tell_now(struct vhost_leg *g);
/* The hooks of a pair's kick, of leg.room and leg.tell. */
void vhost_rx_kick(struct loop_io *io, uint32_t events);
void vhost_room(struct loop_work *w);
void vhost_tell(struct loop_work *w);

#endif
