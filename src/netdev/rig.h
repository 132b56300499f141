/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of this room have in common: a loop with a lan on it, and
 * the other end of a stream link.  Compiled into tests only.
 */
#ifndef NETDEV_RIG_H
#define NETDEV_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netdev/netdev.h"

struct rig {
	struct loop *loop;
	struct lan *lan;
	struct drops drops;
	struct netdev_env env;
	unsigned n_faults; /* port_fault() upcalls */
	/* The lan's own clock, if it has one that stands still by itself. */
	bool has_clock;
	uint64_t now_ns;
	struct timer_wheel wheel;
};

/* Fails the test on error. */
void rig_init(struct rig *r);
/* The same; for the lan time passes only by rig_advance(). */
void rig_init_clock(struct rig *r);
void rig_advance(struct rig *r, uint64_t ns);
/* All ports are gone from the lan. */
void rig_deinit(struct rig *r);
/* Another lan on the same loop. */
struct lan *rig_lan(struct rig *r, const char *name);
/* One iteration that waits for at most ms. */
void rig_turn(struct rig *r, int ms);
/* Takes p off its lan and frees it; NULL is accepted. */
void rig_remove(struct port *p);

/* A program that speaks the stream framing. */
struct stream_peer {
	int fd; /* owned, non-blocking */
	uint8_t *tx; /* owned: the rest of a frame that was cut */
	size_t tx_off, tx_len;
	uint8_t *rx; /* owned: bytes not yet handed out */
	size_t rx_off, rx_len;
};

void stream_peer_init(struct stream_peer *s, int fd);
void stream_peer_deinit(struct stream_peer *s);
/* True if the frame is on its way (its end perhaps with the next call). */
bool stream_peer_send(struct stream_peer *s, const void *p, uint32_t len);
/* One frame into p[room]: its length, 0 = none now or end of stream. */
uint32_t stream_peer_recv(struct stream_peer *s, void *p, uint32_t room);

/* A connected pair of TCP sockets over loopback. */
void tcp_pair(int fd[2]);
void set_nonblock(int fd);

/* A port that holds frames in memory: the far side of a hubport, and the
 * simplest kind there is. */
struct mem_port {
	struct port port;
	unsigned n_max;	   /* frames it holds before it refuses */
	unsigned n;	   /* frames sent to it and not yet taken */
	unsigned first;	   /* index of the oldest */
	uint8_t **frames;  /* owned [n_max] of owned copies */
	uint32_t *len;	   /* owned [n_max] */
	bool is_wanted;	   /* want_room was called */
	unsigned n_told;   /* calls of the room hook: it may send again */
	/* Shows each frame that is sent to it as it is; may be NULL. */
	void (*look)(void *arg, const struct frame *f);
	void *look_arg;
	struct loop *loop;   /* borrowed */
	struct drops *drops; /* borrowed */
	struct loop_work room;
	/* in: at most FRAME_BATCH frames wait for recv */
	uint8_t *in; /* owned, FRAME_BATCH * FRAME_MAX */
	uint32_t in_len[FRAME_BATCH];
	unsigned n_in;
	bool is_lent; /* between recv and done */
	struct loop_work readable;
};

/* On lan, carrier up; freed by rig_remove(). */
struct mem_port *mem_port_new(struct rig *r, struct lan *lan,
			      const char *name, unsigned n_max);
/* The peer's side. */
bool mem_port_push(struct mem_port *m, const void *p, uint32_t len);
uint32_t mem_port_pop(struct mem_port *m, void *p, uint32_t room);

#endif
