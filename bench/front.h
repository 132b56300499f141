/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-front: the machine's side of an engine under measurement.  A tap in
 * this network namespace is the machine's network card, and the kernel's TCP
 * the machine's; frames travel between the tap and the engine's socket.
 *
 *	kernel's TCP -- tap -- bench-front == vhost-user or stream == engine
 *
 * It shares the processors with the engine that is measured, so it is to cost
 * little: one system call for a frame, none for a ring.  One thread, which
 * waits as a virtual processor of KVM does (front_carry.c).
 */
#ifndef BENCH_FRONT_H
#define BENCH_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRONT_BATCH = 64,	/* frames of one turn in one direction */
	FRONT_VNET_LEN = 12,	/* virtio_net_hdr_mrg_rxbuf */
	FRONT_EVENTS = 8,	/* of one wait */
	FRONT_TURNS = 256,	/* at most, without a look at signals */
};

/* The longest a tap can give: a GSO packet, its Ethernet header and ours. */
#define FRONT_FRAME_MAX 69632u

struct front_opts {
	const char *path;
	const char *tap;
	bool is_stream;
	bool is_server;	   /* we listen at path */
	bool offload;	   /* accept what the engine offers of it */
	unsigned ring;	   /* entries of each queue */
	unsigned buf;	   /* bytes of a receive buffer, 0: as Linux chooses */
	unsigned mtu;	   /* of the tap; 0: as it is */
	unsigned txqlen;   /* frames the tap holds */
	unsigned poll;	   /* us before it sleeps, at most; 0: none */
};

/*
 * up: out of the machine; down: into it.
 *
 * A tap does not hold its senders back as a driver's full queue does, it
 * drops.  So it is given a long queue, of more frames than a few TCP flows can
 * have under way; what it loses all the same (UDP faster than the engine) is
 * counted as lost, and is not the engine's fault.
 */
struct front_counts {
	uint64_t up_frames, up_bytes;
	uint64_t down_frames, down_bytes;
	uint64_t up_full;	/* no room towards the engine */
	uint64_t down_empty;	/* the engine had no buffer left */
	uint64_t up_kicks, down_kicks;
	uint64_t up_calls, down_calls;
	uint64_t waits;		/* times it slept, or looked whether to */
	uint64_t dry;		/* reads of the tap that found nothing */
	uint64_t refused;	/* frames the tap would not take */
	uint64_t lost;		/* frames it had no room for, on the way up */
};

/* What epoll tells of. */
enum front_event {
	FRONT_SIGNAL,
	FRONT_PEER,
	FRONT_TAP,
	FRONT_CALL_DOWN,
	FRONT_CALL_UP,
};

enum front_end {
	FRONT_ASKED = 0,  /* by a signal */
	FRONT_BROKEN = 1, /* said why */
};

struct front {
	struct front_opts o;
	struct front_counts c;
	int tap;
	int peer;
	int ep;
	int sig;
	uint64_t features; /* of virtio, as agreed on */
};

/* One line on stderr; returns -1. */
__attribute__((format(printf, 1, 2))) int front_say(const char *fmt, ...);
/* As above, with ": " and the text of errno. */
__attribute__((format(printf, 1, 2))) int front_say_errno(const char *fmt,
							  ...);
/* The line that tells that frames can flow. */
void front_ready(const struct front *f);

/* ---- front_host.c; an int is 0, or -1 and it has said why ---- */

/* Makes f->tap, not up yet; vnet: a header of 12 bytes before each frame. */
int front_tap_open(struct front *f, bool vnet);
/* What the tap may leave to its reader: TUN_F_* bits. */
int front_tap_offload(struct front *f, unsigned offload);
int front_tap_up(struct front *f);
/* Frames it has dropped for want of room; 0 if it is gone. */
uint64_t front_tap_lost(const struct front *f);
/* f->peer: connected to, or accepted at, the path. */
int front_peer_open(struct front *f);
/* f->ep and f->sig. */
int front_wait_open(struct front *f);
/* Edge-triggered. */
int front_wait_add(struct front *f, int fd, uint32_t events,
		   enum front_event what);
int front_wait_change(struct front *f, int fd, uint32_t events,
		      enum front_event what);

/* ---- the two ways to carry ---- */

enum front_end front_vhost(struct front *f);
enum front_end front_stream(struct front *f);

#endif
