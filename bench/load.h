/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-load: traffic for the measurements.  The server is in the world, the
 * client in the machine; one process and one thread each.
 *
 * Ports, from the option port=P on:
 *      P         control (TCP): lines of text, see load_run.c
 *      P+1       data: TCP flows of a run, UDP datagrams of a run
 *      P+2...    echo (TCP and UDP), ECHO_PORTS of them, so that a client may
 *                open more connections than it has ports
 *
 * A flow's first 16 bytes are text, "RUN FLOW" padded with spaces; datagrams
 * of a run begin with struct stamp.  What both ends saw is told at the end.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/common.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
	LOAD_PORT = 7000,
	ECHO_PORTS = 16,
	FLOW_HEAD = 16,       /* bytes before a flow's own */
	FLOWS_MAX = 64,
	CHUNK = 128 << 10,    /* one write */
	SINK_CHUNK = 1 << 20, /* one read that drops what it reads */
	UDP_BATCH = 64,
	UDP_SIZE_MAX = 65000,
	ECHO_MAX = 64 << 10,  /* one request */
};

/* What a datagram of a run begins with; both ends are this program on the
 * same kind of machine. */
struct stamp {
	uint32_t run;
	uint32_t zero;
	uint64_t seq;
};

/* ---- load_net.c: addresses and sockets ---- */

/* Where the server is, and from where to speak to it. */
struct target {
	struct sockaddr_storage to;
	socklen_t to_len;
	struct sockaddr_storage from;
	socklen_t from_len;   /* 0: the kernel chooses */
	uint16_t port;        /* the first of the server's */
	const char *name;     /* as given, borrowed */
	const char *cc;       /* congestion control of TCP sockets, borrowed */
	int timeout_s;        /* for each call that blocks */
};

/* Reads HOST, port=, bind=, cc= and timeout=. */
void target_init(struct target *t, struct args *a);
/* A connected blocking socket to the server's port + offset; ends the program
 * when there is none. */
int target_tcp(const struct target *t, unsigned offset);
int target_udp(const struct target *t, unsigned offset);
/* A socket whose connect has begun, -1 when it failed at once. */
int target_tcp_begin(const struct target *t, unsigned offset);

/* Sets an option that must work. */
void set_option(int fd, int level, int name, int value, const char *what);
/* Receive buffer as large as we may. */
void set_large_buffer(int fd);
void set_cc(int fd, const char *cc);
/* Allows itself as many descriptors as it may; returns how many. */
unsigned long raise_files(void);
/* Retransmissions of a connection. */
unsigned tcp_retrans(int fd);
/* Datagrams that this socket had no room for. */
unsigned socket_drops(int fd);
/* Writes or reads all, or ends the program. */
void write_all(int fd, const void *p, size_t len, const char *what);
void read_all(int fd, void *p, size_t len, const char *what);

/* Counters of this network namespace. */
struct netstat {
	int64_t timeouts;     /* retransmission timeouts */
	int64_t out_of_order; /* segments that came too early */
};

void netstat_read(struct netstat *s);

/* ---- load_meter.c: a flow as its receiver sees it ---- */

struct meter {
	int64_t start_ns;
	int64_t from_ns;      /* the window that counts for the rate */
	int64_t to_ns;
	int64_t last_ns;      /* of the last byte or the start */
	int64_t stall_ns;     /* longest time without a byte */
	uint64_t bytes;
	uint64_t at_from;     /* bytes before the window, once it has begun */
	uint64_t at_to;
	bool begun;
	bool over;
};

void meter_start(struct meter *m, int64_t now, int64_t warm_ns,
		 int64_t secs_ns);
void meter_add(struct meter *m, int64_t now, uint64_t bytes);
/* The flow has ended, or is looked at for the last time. */
void meter_stop(struct meter *m, int64_t now);
/* Bytes inside the window. */
uint64_t meter_window(const struct meter *m);

/* ---- load_control.c: the client's side of the control connection ---- */

struct flow_report {
	uint64_t bytes;       /* received, or sent when the server sends */
	uint64_t window;
	int64_t stall_ns;
	unsigned retrans;
	char state[12];       /* "open", "ended", "reset" */
};

struct run_report {
	struct flow_report flow[FLOWS_MAX];
	int n_flows;
	uint64_t sent;        /* datagrams, when the server sends */
	uint64_t received;
	uint64_t reordered;
	uint64_t drops;       /* at the server's socket, not on the way */
	int64_t span_ns;      /* from the first to the last */
	bool done;            /* the server has sent all */
	struct netstat net;   /* since the run began */
	int64_t cpu_ns;       /* the server's own */
};

struct control {
	FILE *in;             /* owned */
	int fd;               /* owned by in */
	unsigned run;
};

/* Connects and begins a run; words are its options. */
void control_open(struct control *c, const struct target *t,
		  const char *words);
void control_close(struct control *c);
void control_report(struct control *c, struct run_report *r);

/* ---- the commands ---- */

int load_serve(struct args *a);
int load_tcp(struct args *a);
int load_rr(struct args *a);
int load_crr(struct args *a);
int load_udp(struct args *a);
int load_open(struct args *a);

/* Opens n connections to the echo ports, each answered with one byte.
 * Returns how many were; fd[] is the caller's, -1 for those that failed. */
int crowd_open(const struct target *t, int *fd, int n, int at_once);

#endif
