/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `vhost-user`, shared by vhost_user.c (life, frames in) and
 * vhost_rx.c (frames out, to the guest's receive queue).
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

struct vhost_user {
	struct port port;
	const struct netdev_env *env; /* borrowed */
	struct conn_args args;	      /* name and fd are not used later */
	int fd;			      /* owned; -1: no front end */
	struct loop_io io;
	struct loop_io kick[VHOST_RINGS]; /* fd owned, -1: none */
	struct loop_poll poll;	/* the transmit queue, while kicks are off */
	struct loop_work more;	/* go on reading frames */
	struct loop_work next;	/* go on reading messages */
	struct loop_work gone;	/* the front end went */
	struct loop_work room;	/* room was asked for while there was some */
	struct loop_work tell;	/* a few frames were given: the interrupt */
	struct vhost_hooks hooks;
	struct vhost_session s;
	bool is_gone;	     /* `gone` is queued */
	bool room_wanted;
	uint8_t hdr_len;     /* bytes of the header in front of frames */

	/* in: valid from recv to done */
	uint8_t (*hdr)[FRAME_HDR_MAX]; /* owned [FRAME_BATCH] */
	struct iovec *tx_iov;	       /* owned [VHOST_TX_IOV] */
	unsigned n_tx_iov;
	uint8_t *bounce; /* owned [FRAME_MAX]: a frame in too many pieces */
	bool bounce_used;
	uint16_t head[VHOST_TX_HEADS];
	bool is_held[VHOST_TX_HEADS]; /* by the lan, beyond done */
	unsigned n_heads;
	uint16_t held[HOLD_FRAMES]; /* heads the lan has frames of */
	unsigned n_held;

	/* scratch of one call */
	struct iovec *iov;	     /* owned [VHOST_CHAIN_IOV] */
	struct vhost_buffer *buffer; /* owned [VRING_SIZE_MAX] */

	/* out: valid from lend to give */
	struct vhost_lent lent[FRAME_BATCH];
	uint8_t *trash; /* owned [FRAME_MAX]: lent where nothing fits */
};

static inline struct vhost_user *vhost_of(struct port *p)
{
	return container_of(p, struct vhost_user, port);
}

/* The ring was found broken: the port's fault, told once. */
void vhost_fault(struct vhost_user *v);

uint64_t vhost_send(struct port *p, const struct batch *b, uint64_t mask);
unsigned vhost_lend(struct port *p, struct lend *l);
void vhost_give(struct port *p, struct lend *l);
/* True if a frame of FRAME_MAX bytes, or the longest the guest can take,
 * would be accepted. */
bool vhost_has_room(struct vhost_user *v);

#endif
