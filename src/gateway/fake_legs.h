/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the gateway on several workers: a real team, real sockets of the
 * loopback, and a guest of as many queues as there are workers.
 *
 *	guest's queue i --- lane i --- leg i of the gateway --- 127.0.0.1
 *
 * Where the test itself speaks for a queue it does so in a pause, in place of
 * its worker; what comes of it is done by the workers.
 */
#ifndef GATEWAY_FAKE_LEGS_H
#define GATEWAY_FAKE_LEGS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/gateway_priv.h"
#include "nat/fake_guest.h"
#include "wire/tcp.h"
#include "worker/lanes_rig.h"

enum { LEGS_N = MAX_WORKERS, LEGS_MANY = 64, LEGS_ISS = 1000 };

struct legs_bench {
	struct world w;
	struct gateway_worker workers[LEGS_N - 1];
	struct gateway *gw;
	struct fake_guest g[LEGS_N]; /* one guest, 10.0.2.15, by its queues */
	/* what the keeper was to tell of refusals: how often, whom last */
	unsigned n_refused;
	struct endpoint refused;
};

/* A guest's connection. */
struct legs_conn {
	uint16_t sport;
	struct endpoint server;
	uint32_t snd, rcv;
};

/* Fixtures of cmocka. */
int legs_setup(void **state);
int legs_teardown(void **state);

/* ---- the host ---- */

struct sockaddr_in legs_loopback(uint16_t port);
uint16_t legs_port_of(int fd);
/* Bound to a port of 127.0.0.1; a stream one listens. */
int legs_host_socket(int type, uint16_t port);
/* is_fn: the descriptor *arg can be read. */
bool legs_is_readable(struct world *w, void *arg);
int legs_host_accept(struct legs_bench *b, int listener);
void legs_host_expect(struct legs_bench *b, int fd, const char *text);
/* A datagram; from which port of ours. */
uint16_t legs_host_heard(struct legs_bench *b, int fd, const char *text);

/* ---- the guest ---- */

/* A connection to a listener of the host. */
struct legs_conn legs_conn_to(uint16_t sport, int listener);
/* Queues the next segment of c. */
void legs_put_segment(struct fake_guest *g, struct legs_conn *c, uint8_t flags,
		      const char *text);
/* The same by queue q, which is read. */
void legs_say_tcp(struct legs_bench *b, unsigned q, struct legs_conn *c,
		  uint8_t flags, const char *text);
void legs_say_udp(struct legs_bench *b, unsigned q, uint16_t sport,
		  const struct endpoint *to, const char *text);
/* The guest gets a segment by queue q: it is the next of c. */
struct tcp_hdr legs_hear_tcp(struct legs_bench *b, unsigned q,
			     struct legs_conn *c, uint8_t flags);

/* Flows of worker i. */
unsigned legs_n_tcp(struct legs_bench *b, unsigned i);
unsigned legs_n_udp(struct legs_bench *b, unsigned i);

/* ---- many at once ---- */

/* What is read of a queue on its worker's own thread. */
struct legs_talk {
	struct loop_work work;
	struct fake_guest *g;
};

/* In a pause: all queues are read, each by its worker; t has LEGS_N. */
void legs_talk_all(struct legs_bench *b, struct legs_talk *t);

struct legs_sum {
	struct legs_bench *b;
	unsigned want;
};

/* is_fn: all workers together have so many flows. */
bool legs_has_flows(struct world *w, void *arg);

#endif
