/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-load udp: datagrams up (this end sends) or down (the server does),
 * flat out or at a given rate.  Counted where they arrive; what the
 * receiver's own socket had no room for is told apart from what was lost on
 * the way.
 */
#include "bench/load_batch.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS	 200000       /* between two batches of a paced sender */
#define QUIET_NS (100 * NS_PER_MS) /* nothing for so long: no more comes */
#define LATE_NS	 (2 * NS_PER_S)    /* but no longer than this */

struct bench {
	struct target target;
	struct cpu_watch cpu;
	struct control control;
	bool is_down;
	bool gso;
	bool gro;
	unsigned size;
	double pps;
	int64_t secs_ns;
	int fd;
	uint64_t sent;
	uint64_t drops;       /* at the receiver's socket */
	struct count count;
	int64_t span_ns;
};

/* ---- up ---- */

static void send_until(struct bench *b, struct sender *s, int64_t start)
{
	int64_t now = start;

	while (now < start + b->secs_ns) {
		uint64_t due = UINT64_MAX;
		int n;

		if (b->pps > 0)
			due = (uint64_t)(b->pps * (double)(now - start) / 1e9);
		if (due <= s->seq) {
			int64_t next = now + TICK_NS;
			struct timespec ts = {next / NS_PER_S, next % NS_PER_S};

			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts,
					NULL);
			now = now_ns();
			continue;
		}
		n = sender_push(s, due - s->seq);
		if (n < 0)
			die("send: %s", strerror(-n));
		now = now_ns();
	}
}

static void up(struct bench *b)
{
	struct sender *s = sender_new(b->fd, b->control.run, b->size, b->gso);
	struct run_report r = {0};
	uint64_t before;
	int64_t until;

	send_until(b, s, now_ns());
	b->sent = s->seq;
	deadline_phase("the server's report");
	until = now_ns() + LATE_NS;
	do {
		before = r.received;
		usleep(QUIET_NS / 2000);
		control_report(&b->control, &r);
	} while ((r.received != before || !before) && now_ns() < until);
	b->count.received = r.received;
	b->count.reordered = r.reordered;
	b->drops = r.drops;
	b->span_ns = r.span_ns;
	sender_free(s);
}

/* ---- down ---- */

static void call(const struct bench *b)
{
	struct stamp stamp = {.run = b->control.run};

	if (send(b->fd, &stamp, sizeof(stamp), 0) < 0)
		die("call: %s", strerror(errno));
}

/* Counts one batch; returns false when none came in a while. */
static bool take(struct bench *b, struct receiver *rx)
{
	int n = receiver_pull(rx, b->fd, MSG_WAITFORONE);
	int64_t now = now_ns();

	if (n < 0)
		die("receive: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		struct message m = receiver_message(rx, i);

		if (m.stamp.run == b->control.run)
			count_add(&b->count, &m, now);
	}
	return n > 0;
}

static void down(struct bench *b)
{
	struct receiver *rx = receiver_new(b->gro);
	struct timeval tv = {.tv_usec = QUIET_NS / 1000};
	int64_t begin = now_ns();
	int64_t end = begin + b->secs_ns;
	struct run_report r;

	setsockopt(b->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while (!b->count.received) {
		call(b);
		take(b, rx);
		if (now_ns() > begin + b->target.timeout_s * NS_PER_S)
			die("the server was called, but no datagram came");
	}
	end = now_ns() + b->secs_ns;
	for (;;) {
		bool some = take(b, rx);
		int64_t now = now_ns();

		if (now > end && (!some || now > end + LATE_NS))
			break;
	}
	b->drops = socket_drops(b->fd);
	b->span_ns = b->count.last_ns - b->count.first_ns;
	deadline_phase("the server's report");
	control_report(&b->control, &r);
	b->sent = r.sent;
	receiver_free(rx);
}

/* ---- both ---- */

static void read_args(struct bench *b, struct args *a)
{
	const char *dir = args_text(a, "dir", "");

	if (strcmp(dir, "up") && strcmp(dir, "down"))
		usage("dir= must be up or down");
	b->is_down = !strcmp(dir, "down");
	b->size = (unsigned)args_number(a, "size", 1400, sizeof(struct stamp),
					UDP_SIZE_MAX);
	b->secs_ns = (int64_t)(args_number(a, "secs", 2, 0.05, 600) * 1e9);
	b->pps = args_number(a, "pps", 0, 0, 1e8);
	b->gso = args_switch(a, "gso", false);
	b->gro = args_switch(a, "gro", false);
	cpu_watch_init(&b->cpu, a);
	target_init(&b->target, a);
	args_done(a);
}

static void print(const struct bench *b)
{
	uint64_t got = b->count.received;
	uint64_t there = got + b->drops;
	int64_t span = b->span_ns > b->secs_ns ? b->span_ns : b->secs_ns;
	double sent = b->sent ? (double)b->sent : 1;

	printf("{\"test\":\"udp\",\"dir\":\"%s\",\"size\":%u,\"secs\":%g,"
	       "\"asked_pps\":%g,\"sent\":%" PRIu64 ",\"received\":%" PRIu64
	       ",\"pps\":%.1f,\"sent_pps\":%.1f,\"gbit_s\":%.4f",
	       b->is_down ? "down" : "up", b->size, (double)b->secs_ns / 1e9,
	       b->pps, b->sent, got, (double)got * 1e9 / (double)span,
	       (double)b->sent * 1e9 / (double)b->secs_ns,
	       (double)got * b->size * 8 / (double)span);
	printf(",\"loss\":%.6f,\"socket_drops\":%" PRIu64
	       ",\"path_loss\":%.6f,\"reordered\":%" PRIu64,
	       b->sent > got ? (double)(b->sent - got) / sent : 0.0, b->drops,
	       b->sent > there ? (double)(b->sent - there) / sent : 0.0,
	       b->count.reordered);
	cpu_watch_print(&b->cpu);
	printf("}\n");
}

int load_udp(struct args *a)
{
	struct bench b = {0};
	char words[200];

	read_args(&b, a);
	deadline_set((double)b.secs_ns / 1e9 + 10 + b.target.timeout_s,
		     "datagrams");
	(void)prctl(PR_SET_TIMERSLACK, 1);
	snprintf(words, sizeof(words), "udp %s 0 0 %" PRId64 " %u %.3f %d",
		 b.is_down ? "down" : "up", b.secs_ns, b.size, b.pps, b.gso);
	control_open(&b.control, &b.target, words);
	b.fd = target_udp(&b.target, 1);
	set_large_buffer(b.fd);
	if (b.gro)
		set_option(b.fd, IPPROTO_UDP, UDP_GRO, 1, "GRO");
	cpu_watch_start(&b.cpu);
	if (b.is_down)
		down(&b);
	else
		up(&b);
	cpu_watch_stop(&b.cpu);
	print(&b);
	if (!b.count.received)
		die("not one datagram arrived");
	control_close(&b.control);
	return 0;
}
