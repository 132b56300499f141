/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-load tcp: flows up (this end sends) or down (the server does).  The
 * rate counts what arrived, at the end where it arrived; a flow has ended
 * when both ends saw its end, and is complete when all that was sent arrived.
 */
#include "bench/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { TURNS = 4 };           /* reads or writes of one flow in a row */

struct flow {
	int fd;               /* owned; -1 once it has ended */
	uint64_t sent;
	unsigned retrans;
	bool ended;
	struct meter meter;
};

struct bench {
	struct target target;
	struct control control;
	bool is_down;
	int n;
	int64_t warm_ns;
	int64_t secs_ns;
	int64_t drain_ns;
	int epoll;
	int n_open;
	char *chunk;
	struct flow flow[FLOWS_MAX];
	struct netstat net;
};

static void flow_open(struct bench *b, int i)
{
	struct epoll_event e = {.events = b->is_down ? EPOLLIN : EPOLLOUT,
				.data.u32 = (uint32_t)i};
	char head[32];
	struct flow *f = &b->flow[i];

	f->fd = target_tcp(&b->target, 1);
	snprintf(head, sizeof(head), "%-9u %-5d\n", b->control.run, i);
	write_all(f->fd, head, FLOW_HEAD, "flow");
	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, f->fd, &e))
		die("epoll: %s", strerror(errno));
}

static void flow_end(struct bench *b, struct flow *f)
{
	f->ended = true;
	f->retrans = tcp_retrans(f->fd);
	meter_stop(&f->meter, now_ns());
	close(f->fd);
	f->fd = -1;
	b->n_open--;
}

static void flow_broken(const struct bench *b, const struct flow *f,
			const char *why)
{
	die("flow %d of %d: %s", (int)(f - b->flow) + 1, b->n, why);
}

static void flow_receive(struct bench *b, struct flow *f)
{
	for (int i = 0; i < TURNS; i++) {
		ssize_t n = recv(f->fd, b->chunk, SINK_CHUNK,
				 MSG_TRUNC | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			flow_broken(b, f, strerror(errno));
		if (n == 0) {
			flow_end(b, f);
			return;
		}
		meter_add(&f->meter, now_ns(), (uint64_t)n);
		if (n < SINK_CHUNK)
			return;
	}
}

static void flow_send(struct bench *b, struct flow *f)
{
	for (int i = 0; i < TURNS; i++) {
		ssize_t n = send(f->fd, b->chunk, CHUNK,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			flow_broken(b, f, strerror(errno));
		f->sent += n > 0 ? (uint64_t)n : 0;
		if (n < CHUNK)
			return;
	}
}

/* One look at the flows, no later than until. */
static void turn(struct bench *b, int64_t until, bool sending)
{
	struct epoll_event e[FLOWS_MAX];
	int64_t left = until - now_ns();
	int n = epoll_wait(b->epoll, e, FLOWS_MAX,
			   left < 0 ? 0 : (int)(left / NS_PER_MS) + 1);

	for (int i = 0; i < n; i++) {
		struct flow *f = &b->flow[e[i].data.u32];

		if (f->fd < 0)
			continue;
		if (sending && !(e[i].events & EPOLLERR))
			flow_send(b, f);
		else
			flow_receive(b, f);
	}
}

static void end_sending(struct bench *b)
{
	for (int i = 0; i < b->n; i++) {
		struct epoll_event e = {.events = EPOLLIN,
					.data.u32 = (uint32_t)i};

		shutdown(b->flow[i].fd, SHUT_WR);
		epoll_ctl(b->epoll, EPOLL_CTL_MOD, b->flow[i].fd, &e);
	}
}

static void run_flows(struct bench *b)
{
	int64_t now = now_ns();
	int64_t end = now + b->warm_ns + b->secs_ns;

	deadline_phase("flows running");
	for (int i = 0; i < b->n; i++)
		meter_start(&b->flow[i].meter, now, b->warm_ns, b->secs_ns);
	while (!b->is_down && now_ns() < end)
		turn(b, end, true);
	if (!b->is_down)
		end_sending(b);
	deadline_phase("the ends of the flows");
	while (b->n_open && now_ns() < end + b->drain_ns)
		turn(b, end + b->drain_ns, false);
	for (int i = 0; i < b->n; i++) {
		struct flow *f = &b->flow[i];

		if (f->fd < 0)
			continue;
		f->retrans = tcp_retrans(f->fd);
		meter_stop(&f->meter, now_ns());
	}
}

/* Puts the server's view in r once it has seen the ends as well. */
static void settle(struct bench *b, struct run_report *r)
{
	int64_t until = now_ns() + NS_PER_S;
	bool open;

	deadline_phase("the server's report");
	/* What is still open is cut, so that it ends at the server too. */
	for (int i = 0; i < b->n; i++)
		if (b->flow[i].fd >= 0)
			shutdown(b->flow[i].fd, SHUT_RDWR);
	do {
		control_report(&b->control, r);
		open = false;
		for (int i = 0; i < r->n_flows; i++)
			open |= !strcmp(r->flow[i].state, "open");
		if (open)
			usleep(5000);
	} while (open && now_ns() < until);
}

/* Prints the line; returns whether every flow ended with all its bytes. */
static bool print(const struct bench *b, const struct run_report *r,
		  const struct cpu_watch *cpu)
{
	double secs = (double)b->secs_ns / 1e9, sum = 0, stalls[FLOWS_MAX];
	uint64_t sent = 0, received = 0;
	int64_t stall = 0;
	unsigned retrans = 0, server_retrans = 0;
	int ended = 0, complete = 0;

	printf("{\"test\":\"tcp\",\"dir\":\"%s\",\"flows\":%d,\"secs\":%g,"
	       "\"flow_gbit_s\":[", b->is_down ? "down" : "up", b->n, secs);
	for (int i = 0; i < b->n; i++) {
		const struct flow *f = &b->flow[i];
		const struct flow_report *s = &r->flow[i];
		uint64_t out = b->is_down ? s->bytes : f->sent;
		uint64_t in = b->is_down ? f->meter.bytes : s->bytes;
		int64_t still = b->is_down ? f->meter.stall_ns : s->stall_ns;
		double rate = (double)(b->is_down ? meter_window(&f->meter)
						  : s->window) * 8e-9 / secs;

		printf("%s%.4f", i ? "," : "", rate);
		sum += rate;
		sent += out;
		received += in;
		stalls[i] = (double)still / 1e6;
		stall = still > stall ? still : stall;
		retrans += f->retrans;
		server_retrans += s->retrans;
		ended += f->ended && !strcmp(s->state, "ended");
		complete += in == out;
	}
	printf("],\"gbit_s\":%.4f,\"bytes\":%" PRIu64 ",\"bytes_sent\":%" PRIu64
	       ",\"ended\":%d,\"complete\":%d,\"stall_ms\":%.1f,"
	       "\"retrans\":%u,\"rto\":%" PRId64 ",\"out_of_order\":%" PRId64,
	       sum, received, sent, ended, complete, (double)stall / 1e6,
	       retrans, b->net.timeouts, b->net.out_of_order);
	printf(",\"flow_stall_ms\":[");
	for (int i = 0; i < b->n; i++)
		printf("%s%.1f", i ? "," : "", stalls[i]);
	printf("],\"server_retrans\":%u,\"server_rto\":%" PRId64
	       ",\"server_cpu_s\":%.6f", server_retrans, r->net.timeouts,
	       (double)r->cpu_ns / 1e9);
	cpu_watch_print(cpu);
	printf("}\n");
	return ended == b->n && complete == b->n;
}

/* Names the first flow that did not end, or lacks bytes. */
static void complain(const struct bench *b, const struct run_report *r)
{
	for (int i = 0; i < b->n; i++) {
		const struct flow *f = &b->flow[i];
		const struct flow_report *s = &r->flow[i];
		uint64_t here = b->is_down ? f->meter.bytes : f->sent;

		if (f->ended && !strcmp(s->state, "ended") && here == s->bytes)
			continue;
		die("flow %d of %d did not end well: here %s after %" PRIu64
		    " bytes, at the server %s after %" PRIu64, i + 1, b->n,
		    f->ended ? "ended" : "open", here, s->state, s->bytes);
	}
}

static void read_args(struct bench *b, struct args *a, struct cpu_watch *cpu)
{
	const char *dir = args_text(a, "dir", "");

	if (strcmp(dir, "up") && strcmp(dir, "down"))
		usage("dir= must be up or down");
	b->is_down = !strcmp(dir, "down");
	b->n = (int)args_number(a, "flows", 1, 1, FLOWS_MAX);
	b->secs_ns = (int64_t)(args_number(a, "secs", 2, 0.05, 600) * 1e9);
	b->warm_ns = (int64_t)(args_number(a, "warm", 0.5, 0, 60) * 1e9);
	b->drain_ns = (int64_t)(args_number(a, "drain", 5, 0.1, 60) * 1e9);
	cpu_watch_init(cpu, a);
	target_init(&b->target, a);
	args_done(a);
}

int load_tcp(struct args *a)
{
	struct bench b = {0};
	struct cpu_watch cpu;
	struct netstat net;
	struct run_report r;
	char words[200];

	read_args(&b, a, &cpu);
	deadline_set((double)(b.secs_ns + b.warm_ns + b.drain_ns) / 1e9 + 5 +
		     b.target.timeout_s, "connections");
	b.chunk = calloc(1, SINK_CHUNK);
	b.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!b.chunk || b.epoll < 0)
		die("no memory");
	snprintf(words, sizeof(words), "tcp %s %d %" PRId64 " %" PRId64
		 " 64 0 0", b.is_down ? "down" : "up", b.n, b.warm_ns,
		 b.secs_ns);
	control_open(&b.control, &b.target, words);
	netstat_read(&net);
	cpu_watch_start(&cpu);
	b.n_open = b.n;
	for (int i = 0; i < b.n; i++)
		flow_open(&b, i);
	run_flows(&b);
	cpu_watch_stop(&cpu);
	netstat_read(&b.net);
	b.net.timeouts -= net.timeouts;
	b.net.out_of_order -= net.out_of_order;
	settle(&b, &r);
	if (!print(&b, &r, &cpu))
		complain(&b, &r);
	free(b.chunk);
	control_close(&b.control);
	return 0;
}
