/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings of an AF_XDP socket, in memory shared with the kernel.
 *
 *             we write            the kernel writes
 *   fill      chunks to receive   (none)
 *   rx        (none)              what it received
 *   tx        what is to be sent  (none)
 *   completion (none)             chunks that it has sent
 *
 * A ring has one writer and one reader, each with an index that counts up and
 * wraps at 2^32.  Our own index is kept here and never read back; the other's
 * is read once per call and believed only as far as the ring is long.
 */
#ifndef NETDEV_XSK_RING_H
#define NETDEV_XSK_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xdp_desc;
struct xdp_ring_offset;

struct xsk_ring {
	uint32_t *ours;	  /* our index, in the shared memory */
	const uint32_t *theirs;
	const uint32_t *flags; /* XDP_RING_*; the kernel's */
	void *entries;	  /* u64 each, or struct xdp_desc */
	uint32_t n;	  /* of them, a power of two */
	uint32_t at;	  /* our index as it is; published by a commit */
	void *map;	  /* owned mapping; NULL = none */
	size_t map_len;
};

#define XSK_RING_NULL ((struct xsk_ring){.map = NULL})

/* Maps a ring of n entries of entry_len bytes of the socket fd; offset as in
 * XDP_PGOFF_*.  writes: we are the writer.  0 or negative errno. */
__attribute__((warn_unused_result)) int
xsk_ring_map(struct xsk_ring *r, int fd, uint64_t offset,
	     const struct xdp_ring_offset *o, uint32_t n, size_t entry_len,
	     bool writes);
void xsk_ring_unmap(struct xsk_ring *r);

/* Entries that can be written; n + 1: the other's index cannot be. */
uint32_t xsk_ring_room(const struct xsk_ring *r);
/* Entries to be read; n + 1: the other's index cannot be. */
uint32_t xsk_ring_ready(const struct xsk_ring *r);
/* The next entry, of which there is one (room, ready); our index moves on,
 * and is published by xsk_ring_commit(). */
uint64_t *xsk_ring_chunk(struct xsk_ring *r);
struct xdp_desc *xsk_ring_desc(struct xsk_ring *r);
void xsk_ring_commit(struct xsk_ring *r);
/* The kernel sleeps: it goes on when it is asked to by a system call. */
bool xsk_ring_sleeps(const struct xsk_ring *r);

#endif
