/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host for tests of the services (base/host.h): UDP sockets in memory,
 * with resolvers behind them that answer what the test says.  Tests and fuzz
 * targets of this room only.
 *
 * Sockets are numbered from 0 in the order they were opened; a number is not
 * used again.  Events are delivered by fake_upstream_run().  Of a TCP socket
 * each send is a datagram too, and each datagram said to it a piece of what it
 * reads, an empty one the end; two of a pair say it to each other.
 */
#ifndef SERVICE_FAKE_UPSTREAM_H
#define SERVICE_FAKE_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/list.h"

enum { FAKE_UPSTREAM_SENT = 4096 };

/* A datagram that left. */
struct fake_question {
	unsigned sock;
	struct endpoint to; /* what the socket is connected to */
	uint8_t *data;	    /* owned by the fake */
	size_t len;
};

struct fake_upstream {
	struct host host; /* first */
	struct list socks;
	unsigned n_open;    /* now */
	unsigned n_numbers; /* ever */
	unsigned n_sent;    /* ever; the first FAKE_UPSTREAM_SENT are kept */
	struct fake_question sent[FAKE_UPSTREAM_SENT];
	/* The next so many calls fail like this (negative errno). */
	int open_err, connect_err, send_err;
	unsigned n_open_err, n_connect_err, n_send_err;
	uint64_t realtime_ns; /* the clock; it goes on by 1 us when looked at */
	struct host_clock clock;
	addr source; /* what sockets that connect now get as their own */
};

struct fake_upstream *fake_upstream_new(void);
struct fake_upstream *fake_upstream_free(struct fake_upstream *u);
/* A datagram for a socket; with piece, a run of datagrams of that size that
 * the kernel has joined. False: the socket is closed. */
bool fake_upstream_say(struct fake_upstream *u, unsigned sock,
		       const void *data, size_t len, uint16_t piece);
/* The socket's next receive fails. */
bool fake_upstream_refuse(struct fake_upstream *u, unsigned sock, int err);
/* Delivers the events that are due, and those they cause. */
void fake_upstream_run(struct fake_upstream *u);

#endif
