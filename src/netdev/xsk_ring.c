/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings of AF_XDP; see xsk_ring.h. */
/* #syscalls: mmap munmap */
#include "netdev/xsk_ring.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>

int xsk_ring_map(struct xsk_ring *r, int fd, uint64_t offset,
		 const struct xdp_ring_offset *o, uint32_t n, size_t entry_len,
		 bool writes)
{
	size_t len = o->desc + n * entry_len;
	uint8_t *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);

	*r = XSK_RING_NULL;
	if (at == MAP_FAILED)
		return -errno;
	r->map = at;
	r->map_len = len;
	r->n = n;
	r->ours = (uint32_t *)(void *)(at + (writes ? o->producer
						    : o->consumer));
	r->theirs = (uint32_t *)(void *)(at + (writes ? o->consumer
						      : o->producer));
	r->flags = (uint32_t *)(void *)(at + o->flags);
	r->entries = at + o->desc;
	r->at = *r->ours;
	return 0;
}

void xsk_ring_unmap(struct xsk_ring *r)
{
	if (r->map)
		munmap(r->map, r->map_len);
	*r = XSK_RING_NULL;
}

uint32_t xsk_ring_room(const struct xsk_ring *r)
{
	uint32_t used = r->at - __atomic_load_n(r->theirs, __ATOMIC_ACQUIRE);

	return used <= r->n ? r->n - used : r->n + 1;
}

uint32_t xsk_ring_ready(const struct xsk_ring *r)
{
	uint32_t n = __atomic_load_n(r->theirs, __ATOMIC_ACQUIRE) - r->at;

	return n <= r->n ? n : r->n + 1;
}

uint64_t *xsk_ring_chunk(struct xsk_ring *r)
{
	return (uint64_t *)r->entries + (r->at++ & (r->n - 1));
}

struct xdp_desc *xsk_ring_desc(struct xsk_ring *r)
{
	return (struct xdp_desc *)r->entries + (r->at++ & (r->n - 1));
}

void xsk_ring_commit(struct xsk_ring *r)
{
	/* Seen before xsk_ring_sleeps() looks, or the kernel's look sees it. */
	__atomic_store_n(r->ours, r->at, __ATOMIC_SEQ_CST);
}

bool xsk_ring_sleeps(const struct xsk_ring *r)
{
	return __atomic_load_n(r->flags, __ATOMIC_SEQ_CST) &
	       XDP_RING_NEED_WAKEUP;
}
