/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `vhost-user`, shared by vhost_user.c (life), vhost_tx.c (frames
 * in, of the guest's transmit queues) and vhost_rx.c (frames out, to its
 * receive queues).
 *
 *	struct vhost_user   the port and its session: messages, memory,
 *	    |               features; one for all queues
 *	    +-- leg         what one worker carries: scratch, deferred work, the
 *	         |          state of a recv or a lend
 *	         +-- pair   a receive and a transmit ring, their kicks
 *
 * There is one leg, with all pairs.  Only the leg's own worker touches it and
 * its pairs; what it reads of the session changes while it does nothing.
 */
#ifndef NETDEV_VHOST_USER_H
#define NETDEV_VHOST_USER_H

#include "base/list.h"
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
	struct vhost_leg *leg; /* borrowed */
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
	struct vhost_user *v; /* borrowed */
	struct loop *loop;    /* borrowed */
	struct drops *drops;  /* borrowed */
	struct vhost_pair **pair; /* owned [n_pairs], and what they point at */
	unsigned n_pairs;
	struct loop_work more;	/* go on reading frames */
	struct loop_work room;	/* room was asked for while there was some */
	struct loop_work tell;	/* a few frames were given: the interrupt */
	/* Sets of pairs, a bit each. */
	uint32_t ready;	  /* to be read: told of, or not seen empty since */
	uint32_t refused; /* had no room when a frame was for it */
	uint32_t untold;  /* `tell` owes the interrupt */
	bool room_wanted;
	unsigned turn;	  /* the pair that is read first next time */

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
	struct port port;
	const struct netdev_env *env; /* borrowed */
	struct conn_args args;	      /* name and fd are not used later */
	int fd;			      /* owned; -1: no front end */
	struct loop_io io;
	struct loop_work next;	/* go on reading messages */
	struct loop_work gone;	/* the front end went */
	struct vhost_hooks hooks;
	struct vhost_session s;
	struct vhost_ring *ring[VHOST_RINGS_MAX]; /* all pairs' */
	struct vhost_pair *pair[VHOST_PAIRS_MAX]; /* borrowed from the leg */
	unsigned n_pairs;
	bool is_gone;	     /* `gone` is queued */
	uint8_t hdr_len;     /* bytes of the header in front of frames */
	/* Pairs whose receive queue is up, and their number. */
	uint8_t up[VHOST_PAIRS_MAX];
	unsigned n_up;
	/* By steer_frame(): the pair on which the guest sent of that flow last,
	 * + 1; 0: it did not.  With more pairs than one. */
	uint8_t *steer; /* owned [VHOST_STEER]; NULL with one */
	struct vhost_leg leg;
};

static inline struct vhost_user *vhost_of(struct port *p)
{
	return container_of(p, struct vhost_user, port);
}

/* A ring was found broken: the port's fault, told once. */
void vhost_fault(struct vhost_user *v);

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
