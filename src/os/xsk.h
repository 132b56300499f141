/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_XDP (the kernel's Documentation/networking/af_xdp.rst): an interface of
 * the host by rings in shared memory, made by the keeper and used by the
 * engine.
 *
 * The keeper makes the sockets, gives each its rings and its memory (UMEM, part
 * of one memfd), and loads the XDP program that leads the queues' frames to
 * them, by bpf(2).  The engine maps the memfd and the rings and then binds the
 * sockets, which takes no privilege; a kernel before 6.4 lets nobody map the
 * rings of one that is bound.
 *
 * Nothing stays when keeper and engine have ended, by whatever way: the program
 * is attached by a bpf_link, which goes with its last descriptor, the memory
 * with the sockets, promiscuous mode with the packet socket that asked for it.
 */
#ifndef OS_XSK_H
#define OS_XSK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

enum {
	XSK_CHUNK = 4096, /* bytes of UMEM for one frame */
	XSK_HEADROOM = 256, /* of it, that the kernel keeps in front of what
			     * it receives (XDP_PACKET_HEADROOM) */
	XSK_FRAME_MAX = XSK_CHUNK - XSK_HEADROOM,
	XSK_RING = 2048, /* entries of each of a socket's four rings */
	/* Of one queue, one after the other in the memfd: the first XSK_RING
	 * chunks are for receiving, the others for sending. */
	XSK_CHUNKS = 2 * XSK_RING,
	XSK_UMEM_LEN = XSK_CHUNKS * XSK_CHUNK,
	XSK_QUEUES_MAX = 60, /* of one netdev: they go in one message */
};

enum xsk_mode {
	XSK_MODE_ANY, /* native, or skb where the driver has none */
	XSK_MODE_NATIVE,
	XSK_MODE_SKB,
};

struct xsk_opts {
	const char *ifname;
	enum xsk_mode mode;
	unsigned first_queue, n_queues;
	bool inhibit; /* the program is there already, with its map: */
	const char *map_path; /* pinned; NULL: the sockets given are in it */
	unsigned map_index;   /* of the first queue, in that map */
};

/* What stays with the keeper. */
struct xsk {
	int ifindex;
	int map;     /* owned, XSKMAP; -1: somebody else's */
	int link;    /* owned: the program as long as it is open; -1: somebody
		      * else's */
	int watch;   /* owned: packet_watch(); -1: not permitted */
	bool is_skb; /* the program runs on the kernel's copies */
};

#define XSK_NULL ((struct xsk){.map = -1, .link = -1, .watch = -1})

/* What one engine gets. */
struct xsk_sockets {
	int umem; /* owned: memfd of XSK_UMEM_LEN bytes a queue */
	int fds[XSK_QUEUES_MAX]; /* owned, not bound */
	unsigned n;
};

#define XSK_SOCKETS_NULL ((struct xsk_sockets){.umem = -1})

/* Finds the interface and attaches the program, or finds that one is there
 * (inhibit).  Negative with *e filled: 4 no such interface, 5 it has a program
 * already, 6 not permitted. */
MUST_USE int xsk_open(const struct xsk_opts *o, struct xsk *x, struct error *e);
void xsk_close(struct xsk *x);
/* Sockets for the queues, with rings and memory, entered into the map.  given:
 * n_queues of another's making, taken over at success; NULL: made here. */
MUST_USE int xsk_sockets_make(const struct xsk_opts *o, const struct xsk *x,
			      const int *given, struct xsk_sockets *s,
			      struct error *e);
void xsk_sockets_close(struct xsk_sockets *s);
/* Why the engine could not bind: err is its errno.  Fills *e. */
void xsk_refused(const struct xsk_opts *o, int err, struct error *e);

#endif
