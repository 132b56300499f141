/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A host for tests (base/host.h), all in memory: no descriptor, no time of
 * its own.  Tests and fuzz targets of nat and gateway only.
 *
 * How to use it
 * -------------
 *	struct fake_host *fh = fake_host_new();
 *	env.host = &fh->host;
 *	... the part opens sockets and sends ...
 *	const struct fake_sent *d = fake_sent(fh, 0);	what left by UDP, ping
 *	fake_deliver(fh, d->sock, &from, "abc", 3);	an answer to it
 *	fake_error(fh, d->sock, &err);			or an error
 *	fake_host_run(fh);				event() is called here
 *
 * Events are edges: they are collected by the calls above and delivered by
 * fake_host_run(), never from inside an op.  Sockets are numbered from 0 in
 * the order they were opened, adopted or accepted; a number is never used
 * again.  UDP and ping sockets get local port 40000 + number unless bound.
 *
 * TCP is two byte queues per socket: fake_tcp_push() is what the peer sent,
 * fake_tcp_out() what the part sent.  connect() answers -EINPROGRESS and then
 * OUT, or the errno set by fake_fail(FAKE_CONNECT, ..).  There is no peer
 * behind it.  A listener is made by fake_listen(), whose result is "fd" for
 * adopt(); fake_client() lets somebody connect to it.
 *
 * Every op can be made to fail: fake_fail(fh, FAKE_SEND, EAGAIN, 3).
 */
#ifndef NAT_FAKE_HOST_H
#define NAT_FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/list.h"

enum {
	FAKE_SOCKS_MAX = 4096, /* alive at a time; more: open gives -EMFILE */
	FAKE_SENT_MAX = 4096,  /* datagrams remembered, the later ones not */
	FAKE_OPTS = 16,
};

/* What its clock always says: 2026. */
#define FAKE_REALTIME_NS UINT64_C(1795000000000000000)

enum fake_op {
	FAKE_OPEN,
	FAKE_ADOPT,
	FAKE_BIND,
	FAKE_CONNECT,
	FAKE_ACCEPT,
	FAKE_SEND, /* send and send_batch */
	FAKE_RECV, /* recv and recv_batch */
	FAKE_SET,
	FAKE_OP_N
};

/* A datagram that left; an entry of a segmented run counts as one, with
 * gso_size. */
struct fake_sent {
	unsigned sock;
	enum host_proto proto;
	struct endpoint to; /* or what the socket is connected to */
	uint16_t gso_size;
	bool has_local;
	addr local;	  /* from where, if has_local */
	int ttl, tos, df; /* the socket's options then; -1: never set */
	unsigned call;    /* number of the send_batch() call */
	uint8_t *data;    /* owned by the fake host */
	size_t len;
};

struct fake_sock;

struct fake_host {
	struct host host;
	struct list socks;  /* alive */
	unsigned n_socks;   /* alive */
	unsigned n_numbers; /* given out */
	unsigned n_sent;    /* datagrams, all */
	unsigned n_calls;   /* of send_batch() */
	bool forgets;       /* sent datagrams are counted only (fuzzing) */
	bool echoes;        /* each datagram sent comes back (fuzzing) */
	struct fake_sent sent[FAKE_SENT_MAX];
	int fail_err[FAKE_OP_N];
	unsigned fail_n[FAKE_OP_N];
	unsigned fail_after[FAKE_OP_N];
	struct host_err refusal; /* of the next n_refusals connects */
	unsigned n_refusals;
};

struct fake_host *fake_host_new(void);
/* Frees everything, open sockets too; returns NULL. */
struct fake_host *fake_host_free(struct fake_host *fh);

/* The next n calls of op give -err. */
void fake_fail(struct fake_host *fh, enum fake_op op, int err, unsigned n);
/* As fake_fail(), after skip good ones. For FAKE_SEND every message of a
 * batch counts, so a batch can break in its middle. */
void fake_fail_after(struct fake_host *fh, enum fake_op op, unsigned skip,
		     int err, unsigned n);

/* The path refuses the next n connects, after a while: why->err, and why in
 * the error queue of a socket that has one. */
void fake_refuse(struct fake_host *fh, const struct host_err *why, unsigned n);

/* Delivers the events that are due, and those they cause. */
void fake_host_run(struct fake_host *fh);

/* The ith datagram sent, or NULL. */
const struct fake_sent *fake_sent(const struct fake_host *fh, unsigned i);
/* Option opt of a socket as set last, -1: never. */
int fake_option(const struct fake_host *fh, unsigned sock, enum host_opt opt);
bool fake_is_open(const struct fake_host *fh, unsigned sock);
/* True if an open one was opened for IPv6. */
bool fake_is_v6(const struct fake_host *fh, unsigned sock);
/* True if a copy of an open one may be given away (share()). */
bool fake_is_shared(const struct fake_host *fh, unsigned sock);
/* What an open socket is bound to; false: it is not open. */
bool fake_local(const struct fake_host *fh, unsigned sock,
		struct endpoint *ep);
/* What an open socket was connected to; zero: to nothing. */
struct endpoint fake_peer(const struct fake_host *fh, unsigned sock);

/* What a socket received. */
struct fake_datagram {
	struct endpoint from;
	const void *data; /* copied */
	size_t len;
	uint16_t gso_size;
	uint8_t tos, ttl;
	addr local; /* where it came to, told if HOST_OPT_PKTINFO is on */
	bool is_to_group; /* told with it */
};
/* False if the socket is closed. */
bool fake_deliver_full(struct fake_host *fh, unsigned sock,
		       const struct fake_datagram *d);
bool fake_deliver(struct fake_host *fh, unsigned sock,
		  const struct endpoint *from, const void *data, size_t len);
/* Appends to the error queue. */
bool fake_error(struct fake_host *fh, unsigned sock,
		const struct host_err *err);

/* A bound UDP socket for adopt(); of all addresses, unless fake_bind(). */
int fake_udp(struct fake_host *fh, uint16_t port);
void fake_bind(struct fake_host *fh, int fd, const struct endpoint *own);
/* A listener for adopt(). */
int fake_listen(struct fake_host *fh);
/* A connected stream that nobody adopted yet. */
int fake_stream(struct fake_host *fh);
/* Closes one. */
void fake_close_stream(struct fake_host *fh, int fd);
/* Somebody connects to the listener of that number; returns the socket number
 * the connection will have when it is accepted. */
unsigned fake_client(struct fake_host *fh, int fd, const struct endpoint *from);
/* The peer of a TCP socket sends; len 0: FIN. */
void fake_tcp_push(struct fake_host *fh, unsigned sock, const void *data,
		   size_t len);
/* What was sent into a TCP socket; *lenp bytes. */
const uint8_t *fake_tcp_out(const struct fake_host *fh, unsigned sock,
			    size_t *lenp);

#endif
