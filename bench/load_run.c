/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A run at bench-load's server: begun by a line on the control connection,
 * ended with that connection.
 *
 *   run tcp|udp up|down FLOWS WARM_NS SECS_NS SIZE PPS GSO   -> ok RUN
 *   report -> flow BYTES WINDOW STALL_NS RETRANS STATE   (one for each flow)
 *             udp SENT RECEIVED REORDERED DROPS SPAN_NS DONE
 *             host TIMEOUTS OUT_OF_ORDER CPU_NS
 *             end
 *
 * The flows of a run begin together, once all of them are there; when the
 * server sends it ends them after WARM + SECS.
 */
#include "bench/load_serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TURNS = 4 };           /* reads or writes of one flow in a row */
#define TICK_NS 200000        /* between two batches of a paced sender */

enum flow_state {
	FLOW_OPEN,
	FLOW_ENDED,           /* the end of the stream was seen */
	FLOW_RESET,
};

static const char *const state_names[] = {
	[FLOW_OPEN] = "open",
	[FLOW_ENDED] = "ended",
	[FLOW_RESET] = "reset",
};

struct flow {
	struct source src;
	struct run *run;      /* owner; NULL until the head is complete */
	char head[FLOW_HEAD + 1];
	unsigned head_len;
	struct meter meter;   /* when the server receives */
	uint64_t sent;
	unsigned retrans;
	bool shut;            /* the server has sent all */
	enum flow_state state;
};

struct run {
	struct source src;    /* the control connection */
	uint32_t id;          /* 0 until begun */
	bool is_tcp;
	bool is_down;
	bool started;
	unsigned n_flows;     /* wanted */
	unsigned n_there;
	struct flow *flow[FLOWS_MAX]; /* owned */
	int64_t warm_ns;
	int64_t secs_ns;
	struct blast blast;
	struct run_timer *timer; /* owned */
	struct netstat net_before;
	int64_t cpu_before;
	char line[300];
	unsigned line_len;
};

struct run_timer {
	struct source src;
	struct run *run;      /* owner */
};

struct run *run_find(struct server *s, uint32_t id)
{
	struct run *r = s->run[id % RUNS_MAX];

	return r && r->id == id ? r : NULL;
}

struct blast *run_blast(struct run *r)
{
	return &r->blast;
}

/* ---- flows ---- */

static void flow_finish(struct flow *f, enum flow_state state)
{
	f->state = state;
	f->retrans = tcp_retrans(f->src.fd);
	meter_stop(&f->meter, now_ns());
	source_close(&f->src);
}

static void flow_receive(struct server *s, struct flow *f)
{
	for (int i = 0; i < TURNS; i++) {
		ssize_t n = recv(f->src.fd, s->chunk, SINK_CHUNK,
				 MSG_TRUNC | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			flow_finish(f, n || (f->run->is_down && !f->shut) ?
				    FLOW_RESET : FLOW_ENDED);
			return;
		}
		meter_add(&f->meter, now_ns(), (uint64_t)n);
		if (n < SINK_CHUNK)
			return;
	}
}

static void flow_send(struct server *s, struct flow *f)
{
	for (int i = 0; i < TURNS; i++) {
		ssize_t n = send(f->src.fd, s->chunk, CHUNK,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			f->sent += (uint64_t)n;
		else if (errno != EAGAIN)
			flow_finish(f, FLOW_RESET);
		if (n < CHUNK)
			return;
	}
}

static void flow_ready(struct server *s, struct source *src, uint32_t events)
{
	struct flow *f = (struct flow *)src;

	if (events & ~(uint32_t)EPOLLOUT)
		flow_receive(s, f);
	/* The timer of the same turn may have shut it. */
	if ((events & EPOLLOUT) && src->fd >= 0 && !f->shut)
		flow_send(s, f);
}

static void arm(struct run *r, int64_t first_ns, int64_t every_ns)
{
	struct itimerspec it = {
		.it_value = {first_ns / NS_PER_S, first_ns % NS_PER_S},
		.it_interval = {every_ns / NS_PER_S, every_ns % NS_PER_S},
	};

	if (timerfd_settime(r->timer->src.fd, 0, &it, NULL))
		die("timer: %s", strerror(errno));
}

/* All flows are there. */
static void start_flows(struct server *s, struct run *r)
{
	int64_t now = now_ns();

	r->started = true;
	for (unsigned i = 0; i < r->n_flows; i++) {
		struct flow *f = r->flow[i];

		meter_start(&f->meter, now, r->warm_ns, r->secs_ns);
		if (f->src.fd >= 0)
			source_events(s, &f->src,
				      EPOLLIN | (r->is_down ? EPOLLOUT : 0));
	}
	if (r->is_down)
		arm(r, r->warm_ns + r->secs_ns, 0);
}

static void end_flows(struct server *s, struct run *r)
{
	for (unsigned i = 0; i < r->n_flows; i++) {
		struct flow *f = r->flow[i];

		if (!f || f->src.fd < 0)
			continue;
		f->shut = true;
		shutdown(f->src.fd, SHUT_WR);
		source_events(s, &f->src, EPOLLIN);
	}
}

/* A flow whose first bytes are not yet all there. */
static void head_ready(struct server *s, struct source *src, uint32_t events)
{
	struct flow *f = (struct flow *)src;
	ssize_t n = recv(src->fd, f->head + f->head_len,
			 FLOW_HEAD - f->head_len, MSG_DONTWAIT);
	unsigned id, index;
	struct run *r;

	if (n < 0 && errno == EAGAIN)
		return;
	f->head_len += n > 0 ? (unsigned)n : 0;
	if (n > 0 && f->head_len < FLOW_HEAD)
		return;
	if (n <= 0 || sscanf(f->head, "%u %u", &id, &index) != 2 ||
	    !(r = run_find(s, id)) || !r->is_tcp || index >= r->n_flows ||
	    r->flow[index]) {
		source_drop(s, src);
		return;
	}
	f->run = r;
	r->flow[index] = f;
	src->ready = flow_ready;
	/* What it sends is left to the kernel until all are there. */
	source_events(s, src, 0);
	if (++r->n_there == r->n_flows)
		start_flows(s, r);
}

void run_flow_accept(struct server *s, struct source *src, uint32_t events)
{
	int fd = source_accept(src);

	if (fd >= 0)
		source_new(s, fd, EPOLLIN, sizeof(struct flow), head_ready);
}

/* ---- the control connection ---- */

static void run_free(struct server *s, struct run *r)
{
	if (r->id)
		s->run[r->id % RUNS_MAX] = NULL;
	blast_end(s, &r->blast);
	for (unsigned i = 0; i < r->n_flows; i++)
		if (r->flow[i])
			source_drop(s, &r->flow[i]->src);
	if (r->timer)
		source_drop(s, &r->timer->src);
	source_drop(s, &r->src);
}

static void timer_ready(struct server *s, struct source *src, uint32_t events)
{
	struct run *r = ((struct run_timer *)src)->run;
	uint64_t times;

	if (read(src->fd, &times, sizeof(times)) < 0)
		return;
	if (r->is_tcp)
		end_flows(s, r);
	else if (r->blast.sender && !r->blast.done && r->blast.pps > 0)
		blast_push(s, &r->blast);
}

static void reply(struct run *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void reply(struct run *r, const char *format, ...)
{
	char line[200];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	/* A few KiB at most on an idle connection: never short.  If the
	 * client is gone the connection says so by itself. */
	(void)!send(r->src.fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void begin(struct server *s, struct run *r, const char *line)
{
	char proto[8], dir[8];
	struct blast *b = &r->blast;
	unsigned gso;
	uint32_t id;
	int fd;

	if (r->id || sscanf(line, "run %7s %7s %u %" SCNd64 " %" SCNd64
			    " %u %lf %u", proto, dir, &r->n_flows, &r->warm_ns,
			    &r->secs_ns, &b->size, &b->pps, &gso) != 8 ||
	    r->n_flows > FLOWS_MAX || b->size > UDP_SIZE_MAX ||
	    b->size < sizeof(struct stamp)) {
		r->n_flows = 0;
		reply(r, "no such run\n");
		return;
	}
	id = ++s->n_begun;
	if (s->run[id % RUNS_MAX]) {
		reply(r, "no room for another run\n");
		return;
	}
	r->id = id;
	s->run[id % RUNS_MAX] = r;
	r->is_tcp = !strcmp(proto, "tcp");
	r->is_down = b->is_down = !strcmp(dir, "down");
	b->secs_ns = r->secs_ns;
	b->gso = gso;
	b->drops_before = socket_drops(s->udp_data);
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	r->timer = source_new(s, fd, EPOLLIN, sizeof(*r->timer), timer_ready);
	r->timer->run = r;
	if (!r->is_tcp && r->is_down && b->pps > 0)
		arm(r, TICK_NS, TICK_NS);
	netstat_read(&r->net_before);
	r->cpu_before = cpu_self_ns();
	reply(r, "ok %u\n", id);
}

static void report(struct server *s, struct run *r)
{
	struct blast *b = &r->blast;
	struct netstat net;

	for (unsigned i = 0; i < r->n_flows; i++) {
		struct flow *f = r->flow[i];

		if (!f) {
			reply(r, "flow 0 0 0 0 absent\n");
			continue;
		}
		if (f->src.fd >= 0) {
			f->retrans = tcp_retrans(f->src.fd);
			meter_stop(&f->meter, now_ns());
		}
		reply(r, "flow %" PRIu64 " %" PRIu64 " %" PRId64 " %u %s\n",
		      r->is_down ? f->sent : f->meter.bytes,
		      meter_window(&f->meter), f->meter.stall_ns, f->retrans,
		      state_names[f->state]);
	}
	reply(r, "udp %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %" PRId64
	      " %d\n", b->sender ? b->sender->seq : 0, b->count.received,
	      b->count.reordered,
	      socket_drops(s->udp_data) - b->drops_before,
	      b->count.last_ns - b->count.first_ns, b->done);
	netstat_read(&net);
	reply(r, "host %" PRId64 " %" PRId64 " %" PRId64 "\n",
	      net.timeouts - r->net_before.timeouts,
	      net.out_of_order - r->net_before.out_of_order,
	      cpu_self_ns() - r->cpu_before);
	reply(r, "end\n");
}

static void control_ready(struct server *s, struct source *src,
			  uint32_t events)
{
	struct run *r = (struct run *)src;
	ssize_t n = recv(src->fd, r->line + r->line_len,
			 sizeof(r->line) - 1 - r->line_len, MSG_DONTWAIT);
	char *end;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		run_free(s, r);
		return;
	}
	r->line_len += (unsigned)n;
	r->line[r->line_len] = 0;
	while ((end = strchr(r->line, '\n'))) {
		*end = 0;
		if (!strcmp(r->line, "report"))
			report(s, r);
		else
			begin(s, r, r->line);
		r->line_len -= (unsigned)(end + 1 - r->line);
		memmove(r->line, end + 1, r->line_len + 1);
	}
	if (r->line_len == sizeof(r->line) - 1)
		run_free(s, r);
}

void run_control_accept(struct server *s, struct source *src, uint32_t events)
{
	int fd = source_accept(src);

	if (fd >= 0)
		source_new(s, fd, EPOLLIN, sizeof(struct run), control_ready);
}
