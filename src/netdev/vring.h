/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device's side of one split virtqueue (VIRTIO 1.3, 2.7) in guest memory.
 *
 * Called by the kind vhost-user on the worker that carries it, or for that one
 * in a pause.  The driver is hostile: each field is read once, indices and
 * lengths meet their limits before they are used, a chain is no longer than
 * the ring.  What breaks the rules makes the ring broken (-EPROTO); it is not
 * looked at again until it is set up anew.
 *
 *          last_avail            avail->idx            the driver's
 *   ------------|====================|------------->   heads on offer
 *            used->idx  (what was given back; last_avail when nothing is held)
 *
 * Chains may be given back in another order than they were taken in: the
 * feature that forbids it (VIRTIO_F_IN_ORDER) is not offered.  Then the two
 * indices alone do not tell which are out, and whoever goes on with the ring
 * after this process was killed has nothing else: the front end tells him the
 * used index.  So those that are out are noted in the used elements that are
 * not published yet, which are the device's to write and which no driver looks
 * at; vring_start() gives noted ones back.
 *
 * Notifications: the driver's kicks are asked for only when the ring was found
 * empty (vring_want_kick), ours are sent once for what was pushed since the
 * last time (vring_signal), by event index (2.7.10) or by flag.
 */
#ifndef NETDEV_VRING_H
#define NETDEV_VRING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "netdev/vmem.h"

enum {
	VRING_SIZE_MAX = 32768, /* 2.7 */
};

/* The guest's pages that were written, for migration: one bit for each 4 KiB
 * of guest-physical memory. */
struct vlog {
	uint8_t *map;	 /* owned; NULL: no log */
	uint64_t map_len; /* of the mapping */
	uint8_t *bits;
	uint64_t size; /* bytes at bits */
	bool is_on;    /* F_LOG_ALL is negotiated */
};

struct vring {
	const struct vmem *mem; /* borrowed */
	const struct vlog *log; /* borrowed */
	/* as told by messages */
	uint32_t size;	   /* power of two */
	uint64_t desc_uva, avail_uva, used_uva;
	uint64_t log_gpa;  /* of the used ring, in the log */
	bool logs_used;
	bool is_set;	   /* addresses were told */
	int call_fd;	   /* owned eventfd; -1: the driver polls */
	bool event_idx;	   /* VIRTIO_F_EVENT_IDX */

	/* while it runs */
	bool is_running;
	bool is_broken;
	unsigned hit;	   /* the region found last, see vmem_gpa() */
	const uint8_t *desc; /* NULL: not mapped */
	const uint8_t *avail;
	uint8_t *used;
	uint16_t last_avail; /* next head to take */
	uint16_t avail_idx;  /* as read last */
	uint16_t used_idx;   /* next place to fill */
	uint16_t signalled;  /* used_idx at the last signal */
};

/* One chain: what it covers of the caller's iov. */
struct vchain {
	uint16_t head;
	uint32_t n_desc; /* of the ring itself */
	uint32_t n_read; /* descriptors, those of a table too */
	uint32_t n_iov;
	uint64_t len;
};

/* Maps the ring anew (memory changed, or its addresses).  0; -EPROTO if it is
 * not wholly inside the guest's memory, and then it is broken. */
int vring_map(struct vring *q);
/* Starts at last_avail, with what the used ring's index is now; chains noted
 * there are given back.  0; -EPROTO, and then it is broken. */
int vring_start(struct vring *q);
void vring_stop(struct vring *q);

/* Heads on offer; looks again if fewer than want are known of. */
unsigned vring_avail(struct vring *q, unsigned want);
/* Reads the chain that is nth from last_avail on (n < vring_avail()) into
 * iov[max].  writable: the device writes to it, else it reads.  0; -E2BIG:
 * more than max pieces or descriptors, of which some may be empty; -EPROTO:
 * broken, and marked so. */
__attribute__((warn_unused_result)) int
vring_chain(struct vring *q, unsigned nth, bool writable, struct iovec *iov,
	    unsigned max, struct vchain *c);
/* n heads are taken: the next chain is nth n from before. */
static inline void vring_take(struct vring *q, unsigned n)
{
	q->last_avail = (uint16_t)(q->last_avail + n);
}
/* Writes the used element nth behind those published; len: bytes written. */
void vring_push(struct vring *q, unsigned nth, uint16_t head, uint32_t len);
/* Publishes n used elements. */
void vring_publish(struct vring *q, unsigned n);
/* These n chains, at most half the ring, are all that are taken and will not
 * be given back soon.  To be said again after vring_publish(). */
void vring_note(struct vring *q, const uint16_t *head, unsigned n);
/* Tells the driver of what was published, if it wants to be told. */
void vring_signal(struct vring *q);

/* Asks for a kick at the next head; true if there are more than seen already
 * on offer, so that no kick may come for them. */
bool vring_want_kick(struct vring *q);
/* No kicks, please. */
void vring_no_kick(struct vring *q);

/* Bytes written at p, len of them, for the log. */
void vlog_bytes(const struct vlog *log, const struct vmem *m, const void *p,
		uint64_t len);

#endif
