/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server of bench-load: one thread, one epoll set, level-triggered so
 * that nothing is ever forgotten.
 */
#ifndef BENCH_LOAD_SERVE_H
#define BENCH_LOAD_SERVE_H

#include "bench/load.h"
#include "bench/load_batch.h"

enum { RUNS_MAX = 64, EVENTS = 64 };

struct server;
struct run;

/* What epoll calls; the first member of a larger thing from malloc. */
struct source {
	void (*ready)(struct server *s, struct source *src, uint32_t events);
	int fd;               /* owned; -1 once closed */
	struct source *next_dead;
};

struct server {
	int epoll;
	const char *cc;       /* of the connections' own side, borrowed */
	bool gro;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	uint16_t port;
	int udp_data;         /* borrowed from its source */
	struct run *run[RUNS_MAX];
	uint32_t n_begun;     /* runs since the start */
	int n_busy;           /* runs that send datagrams flat out */
	struct source *dead;  /* to be freed after the events at hand */
	char *chunk;          /* zeros to send; what is dropped goes there */
	struct receiver *receiver;
	struct udp_echo *echo;
};

/* ---- load_serve.c ---- */

/* A new source in the epoll set; size is that of the larger thing. */
void *source_new(struct server *s, int fd, uint32_t events, size_t size,
		 void (*ready)(struct server *, struct source *, uint32_t));
void source_events(struct server *s, struct source *src, uint32_t events);
void source_close(struct source *src);
/* Closes it, and frees it when no event can name it any more. */
void source_drop(struct server *s, struct source *src);
/* A socket bound to the server's port + offset, and to its address, or to
 * self (may be NULL) when the server has any. */
int server_socket(const struct server *s, int type, unsigned offset,
		  const struct in6_addr *self);

/* A new connection of a listener, -1 when there is none. */
int source_accept(const struct source *src);

/* ---- load_run.c ---- */

void run_control_accept(struct server *s, struct source *src,
			uint32_t events);
void run_flow_accept(struct server *s, struct source *src, uint32_t events);
/* The run of this number, NULL when there is none. */
struct run *run_find(struct server *s, uint32_t id);

/* ---- load_blast.c: datagrams ---- */

/* A run's datagrams, whoever sends them. */
struct blast {
	struct count count;   /* received, when the client sends */
	struct sender *sender; /* owned; NULL until the client has called */
	struct source *out;   /* owned: the connected socket of the sender */
	int64_t start_ns;
	int64_t secs_ns;
	double pps;           /* 0: as many as go */
	unsigned size;
	bool gso;
	bool is_down;         /* the server sends */
	bool busy;            /* flat out and not held up by a full buffer */
	bool done;
	unsigned drops_before; /* of the data socket, when the run began */
};

/* The run's datagrams, always there. */
struct blast *run_blast(struct run *r);

/* Datagrams at the data socket. */
void blast_ready(struct server *s, struct source *src, uint32_t events);
/* Sends what is due. */
void blast_push(struct server *s, struct blast *b);
void blast_end(struct server *s, struct blast *b);

/* ---- load_echo.c ---- */

void echo_accept(struct server *s, struct source *src, uint32_t events);
struct udp_echo *udp_echo_new(void);
void udp_echo_ready(struct server *s, struct source *src, uint32_t events);

#endif
