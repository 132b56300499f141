/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-front: the machine's side of an engine under measurement.  A tap in
 * this network namespace is the machine's network card, and the kernel's TCP
 * the machine's; frames travel between the tap and the engine's socket.
 *
 *	kernel's TCP -- tap -- bench-front == vhost-user or stream == engine
 *
 * Machines that meet without an engine of their own are reached as QEMU does:
 * by multicast datagrams, or a second tap (front_frames.c).
 *
 * Instead of a kernel, a machine may be a source of equal frames, which gives
 * as many as are taken, or may only count: then there is no tap.  What a
 * kernel's own network card carries has such a source too (front_packet.c).
 *
 * It shares the processors with the engine that is measured, so it is to cost
 * little: one system call for a frame, none for a ring.  One thread, which
 * waits as a virtual processor of KVM does (front_carry.c); of a card with
 * several pairs of queues one for each, with a queue of the tap, as a kernel has
 * each pair on a processor of its own.
 */
#ifndef BENCH_FRONT_H
#define BENCH_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct iovec;

enum {
	FRONT_BATCH = 64,     /* frames of one turn in one direction */
	FRONT_VNET_LEN = 12,  /* virtio_net_hdr_mrg_rxbuf */
	FRONT_EVENTS = 8,     /* of one wait */
	FRONT_TURNS = 256,    /* at most, without a look at signals */
	FRONT_RAW_LEAST = 60, /* bytes of an equal frame */
	FRONT_RAW_MOST = 1514,
	FRONT_QUEUES_MAX = 16,
	FRONT_MAC_LEN = 6,
	FRONT_ETH_LEN = 14,
};

/* The longest a tap can give: a GSO packet, its Ethernet header and ours. */
#define FRONT_FRAME_MAX 69632u

/* How the engine is reached, and what path names. */
enum front_way {
	FRONT_VHOST,  /* a unix socket */
	FRONT_STREAM, /* a unix socket */
	FRONT_DGRAM,  /* GROUP:PORT, IPv4 */
	FRONT_BESIDE, /* a tap in the other namespace */
	FRONT_PACKET, /* nothing: the engine has the machine's card already */
};

enum front_raw_how {
	FRONT_NOT_RAW,
	FRONT_COUNT, /* one frame tells who is there; then it only counts */
	FRONT_SEND,
};

struct front_opts {
	enum front_way way;
	const char *path;
	const char *tap;
	const char *net;   /* namespace of what path names; NULL: this one */
	bool is_server;	   /* we listen at path */
	bool offload;	   /* accept what the engine offers of it */
	unsigned queues;   /* pairs of them */
	unsigned ring;	   /* entries of each queue */
	unsigned buf;	   /* bytes of a receive buffer, 0: as Linux chooses */
	unsigned mtu;	   /* of the tap; 0: as it is */
	unsigned txqlen;   /* frames the tap holds */
	unsigned poll;	   /* us before it sleeps, at most; 0: none */
	enum front_raw_how raw;
	unsigned size;   /* bytes of an equal frame */
	unsigned me, to; /* last byte of its addresses */
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

/* The machine in place of a tap. */
struct front_raw {
	uint8_t frame[FRONT_VNET_LEN + FRONT_RAW_MOST]; /* empty header first */
	uint64_t left;                                  /* frames to give */
};

struct front {
	struct front_opts o;
	struct front *next; /* of the next pair of queues, NULL: the last */
	struct front_counts c;
	struct front_raw raw;
	uint8_t mac[FRONT_MAC_LEN]; /* the machine's */
	bool vnet; /* a header of FRONT_VNET_LEN before each frame */
	int tap;   /* -1: raw */
	int peer;
	int out; /* where frames for it go, if not to peer itself; or -1 */
	int ep;
	int sig;
	uint64_t features; /* of virtio, as agreed on */
};

/* One line on stderr; returns -1. */
__attribute__((format(printf, 1, 2))) int front_say(const char *fmt, ...);
/* As above, with ": " and the text of errno. */
__attribute__((format(printf, 1, 2))) int front_say_errno(const char *fmt,
							  ...);
/* Monotonic. */
uint64_t front_now_ns(void);
/* The line that tells that frames can flow. */
void front_ready(const struct front *f);
/* All counters, as one line. */
void front_print(struct front *f);

/* ---- front_host.c; an int is 0, or -1 and it has said why ---- */

/* Makes f->tap, not up yet, or what is raw in its place. */
int front_tap_open(struct front *f);
/* A tap of that name, with headers if vnet is set; owned by the caller. */
int front_tap_make(const struct front *f, const char *name);
/* What a tap may leave to its reader: TUN_F_* bits. */
int front_tap_offload(const struct front *f, int tap, unsigned offload);
/* Up, and waited for. */
int front_tap_up(struct front *f);
/* What the kernel counts: frames the tap has dropped for want of room and, of
 * a card that it has itself, those that came.  Nothing if that is gone. */
void front_tap_count(struct front *f);
/* f->peer, where the net option says: connected to, or accepted at, the path;
 * not for FRONT_PACKET. */
int front_peer_open(struct front *f);
/* f->ep and f->sig. */
int front_wait_open(struct front *f);
/* The next pair's, behind first: a queue of the tap and an ep, no more; for
 * ever.  NULL: it has said why. */
struct front *front_more(struct front *first);
/* SIGUSR1 prints the counters as they stand; true: another asks for the end. */
bool front_signal(struct front *f);
/* Edge-triggered. */
int front_wait_add(struct front *f, int fd, uint32_t events,
		   enum front_event what);
int front_wait_change(struct front *f, int fd, uint32_t events,
		      enum front_event what);

/* ---- front_raw.c: what the machine gives and takes, counted ---- */

/* The equal frame, after the options. */
void front_raw_init(struct front *f);
/* The machine's next frame, as read() of its tap: the bytes, -1 and EAGAIN. */
ssize_t front_take(struct front *f, void *to, size_t room);
/* A frame of len bytes to the machine, as writev(). */
void front_give(struct front *f, const struct iovec *iov, int n, uint64_t len);

/* ---- the ways to carry ---- */

enum front_end front_vhost(struct front *f);
enum front_end front_stream(struct front *f);
enum front_end front_frames(struct front *f);
enum front_end front_packet(struct front *f);

#endif
