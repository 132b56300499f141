/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection of a vhost-user front end: its messages, and the device they
 * describe (memory, rings, features, log).
 *
 * Called by vhost_user.c from worker 0's event loop, never from inside the lan.
 * Rings, memory, features and log are read by other workers too, and change
 * between the hooks begin and end only.  Every message that is read is answered
 * at once: QEMU's main loop waits for the answer.  A message that breaks the
 * protocol ends the connection; a ring that breaks is the port's fault and
 * leaves the connection alone, so that a guest's reset can repair it.
 */
#ifndef NETDEV_VHOST_SESSION_H
#define NETDEV_VHOST_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "netdev/netdev.h"
#include "netdev/vhost_msg.h"
#include "netdev/vring.h"

/* Ring 2q + VHOST_RX and ring 2q + VHOST_TX are queue pair q. */
enum {
	VHOST_RX = 0, /* to the guest */
	VHOST_TX = 1, /* from the guest */
	VHOST_RINGS = 2, /* of a pair */
	VHOST_PAIRS_MAX = NETDEV_VHOST_QUEUES,
	VHOST_RINGS_MAX = VHOST_RINGS * VHOST_PAIRS_MAX,
};

/* What we can do, of device and protocol. */
#define VHOST_FEATURES                                                         \
	(VHOST_BIT(VIRTIO_NET_CSUM) | VHOST_BIT(VIRTIO_NET_GUEST_CSUM) |       \
	 VHOST_BIT(VIRTIO_NET_MTU) | VHOST_BIT(VIRTIO_NET_GUEST_TSO4) |        \
	 VHOST_BIT(VIRTIO_NET_GUEST_TSO6) | VHOST_BIT(VIRTIO_NET_GUEST_ECN) |  \
	 VHOST_BIT(VIRTIO_NET_HOST_TSO4) | VHOST_BIT(VIRTIO_NET_HOST_TSO6) |   \
	 VHOST_BIT(VIRTIO_NET_HOST_ECN) | VHOST_BIT(VIRTIO_NET_HOST_UFO) |     \
	 VHOST_BIT(VIRTIO_NET_MRG_RXBUF) |                                     \
	 VHOST_BIT(VIRTIO_NET_GUEST_ANNOUNCE) | VHOST_BIT(VHOST_LOG_ALL) |     \
	 VHOST_BIT(VIRTIO_ANY_LAYOUT) | VHOST_BIT(VIRTIO_INDIRECT_DESC) |      \
	 VHOST_BIT(VIRTIO_EVENT_IDX) | VHOST_BIT(VHOST_PROTOCOL_FEATURES) |    \
	 VHOST_BIT(VIRTIO_VERSION_1) | VHOST_BIT(VIRTIO_NET_GUEST_USO4) |      \
	 VHOST_BIT(VIRTIO_NET_GUEST_USO6) | VHOST_BIT(VIRTIO_NET_HOST_USO))

/* .. and, with more pairs than one: */
#define VHOST_FEATURES_MQ VHOST_BIT(VIRTIO_NET_MQ)

/* Acknowledged by some front ends though only theirs: MAC, link status, the
 * control queue and its commands; nothing of them changes a ring or frame. */
#define VHOST_FRONT_END                                                        \
	(VHOST_BIT(2) | VHOST_BIT(5) | VHOST_BIT(16) | VHOST_BIT(17) |         \
	 VHOST_BIT(18) | VHOST_BIT(19) | VHOST_BIT(20) | VHOST_BIT(23))

#define VHOST_PROTOCOL                                                         \
	(VHOST_BIT(VHOST_PF_MQ) | VHOST_BIT(VHOST_PF_LOG_SHMFD) |              \
	 VHOST_BIT(VHOST_PF_RARP) | VHOST_BIT(VHOST_PF_REPLY_ACK) |            \
	 VHOST_BIT(VHOST_PF_MTU) | VHOST_BIT(VHOST_PF_RESET_DEVICE) |          \
	 VHOST_BIT(VHOST_PF_CONFIGURE_MEM_SLOTS) |                             \
	 VHOST_BIT(VHOST_PF_STATUS))

/* What the port wants to hear; may not free the session. */
struct vhost_hooks {
	/* A message is about to change any of what frames need, and has. */
	void (*begin)(void *arg);
	void (*end)(void *arg);
	/* Rings started, stopped, enabled, disabled; features changed. */
	void (*changed)(void *arg);
	/* A new kick descriptor of ring i, the port's from now on. */
	void (*kick_fd)(void *arg, unsigned i, int fd);
	/* The guest moved here: tell the lan of its MAC. */
	void (*announce)(void *arg, const uint8_t guest[static 6]);
	/* Ring i, of transmit, is about to be stopped: its chains are given
	 * back, and no frame points there afterwards. */
	void (*stop)(void *arg, unsigned i);
	/* Memory is about to go: the same of all rings. */
	void (*release)(void *arg);
	void *arg;
};

/* A ring and what messages said of it, which the session changes while nothing
 * reads or writes frames of it. */
struct vhost_ring {
	struct vring q;
	bool is_enabled;
	/* Transmit: it was disabled when the driver had offered the heads up
	 * to `mark`; those are frames still, what follows is discarded. */
	bool has_mark;
	uint16_t mark;
};

struct vhost_session {
	int fd; /* borrowed: the connection */
	const struct vhost_hooks *hooks;
	struct vmem mem;
	struct vlog log;
	struct vhost_ring *const *ring; /* borrowed [n_rings] */
	unsigned n_rings;  /* even */
	uint64_t features; /* acknowledged */
	uint64_t protocol;
	uint64_t status;
	uint16_t mtu; /* 0: not told */
	char why[128]; /* what was wrong, when a call said -EPROTO */

	/* the message being read */
	struct vhost_hdr hdr;
	union vhost_payload in;
	unsigned got; /* bytes of header and payload so far */
	int fds[VHOST_FDS_MAX]; /* owned */
	unsigned n_fds;
};

/* The rings, n of them, and the array are borrowed, and set up from nothing. */
void vhost_session_init(struct vhost_session *s, int fd,
			const struct vhost_hooks *hooks,
			struct vhost_ring *const *ring, unsigned n_rings);
/* Unmaps and closes everything but the connection.  No other worker uses any
 * of it. */
void vhost_session_deinit(struct vhost_session *s);
/* Handles the next message: 1; 0: none is complete; -EPROTO with s->why, or
 * another negative errno: the connection is over. */
__attribute__((warn_unused_result)) int
vhost_session_step(struct vhost_session *s);
/* True if frames can flow through it. */
static inline bool vhost_ring_is_up(const struct vhost_ring *r)
{
	return r->q.is_running && !r->q.is_broken && r->is_enabled;
}
/* What the back end offers. */
uint64_t vhost_offered(const struct vhost_session *s);
static inline bool vhost_has(const struct vhost_session *s, unsigned feature)
{
	return s->features >> feature & 1;
}

#endif
