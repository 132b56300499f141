/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When to rest before waiting for more (interrupt moderation).
 *
 * In a flood of datagrams from the host's side an engine that keeps up is woken
 * for each of them, and being woken costs several times what a datagram does;
 * then others do not get the CPU, and datagrams are lost.  A short rest lets
 * some gather, as the interrupts of network cards do.  It delays what comes
 * meanwhile by up to 0.1 ms, so there is none while a stream moves: its peers
 * wait for each other, those of a flood do not.
 *
 * Called by the loop; pure, the time is given.
 */
#ifndef OS_REST_H
#define OS_REST_H

#include <stdbool.h>
#include <stdint.h>

enum {
	REST_NS = 50000, /* and the kernel's timer slack on top */
	REST_WINDOW_NS = 1000000,
	REST_FLOOD = 64, /* datagrams in a window, at least */
};

struct rest {
	uint64_t since_ns; /* the window's begin */
	uint32_t n;	   /* datagrams in it */
	bool is_stream;	   /* ... and bytes of a stream */
	bool is_on;	   /* the last window was a flood */
};

/* n datagrams came. */
static inline void rest_datagrams(struct rest *r, unsigned n)
{
	r->n += n;
}

/* Bytes of a stream went by. */
static inline void rest_stream(struct rest *r)
{
	r->is_stream = true;
}

/* True if a rest is worth it now. */
bool rest_pays(struct rest *r, uint64_t now_ns);

#endif
