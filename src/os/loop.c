/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event loop; see loop.h.
 * #syscalls: epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
 * #syscalls: clock_gettime clock_nanosleep close sched_yield
 */
#include "os/loop.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/cpus.h"
#include "os/rest.h"
#include "os/spin.h"

enum {
	LOOP_EVENTS = 64,
	LOOK_STEP_NS = 2000, /* until the kernel is first asked, if seldom */
};

struct loop {
	int epfd;	      /* owned */
	uint64_t now_ns;
	bool stopping;
	bool no_pwait2;	      /* the kernel, or a sandbox around us, lacks it */
	struct list work;     /* deferred, in order */
	struct epoll_event events[LOOP_EVENTS];
	int n_events;	      /* of the current round */
	int next_event;
	struct timer_wheel wheel;
	struct list polls; /* struct loop_poll: looked at */
	struct list found; /* ... those with something, of this round */
	struct loop_hook *hook; /* borrowed, or NULL */
	bool has_stopped;	/* the polls, in this round */
	struct spin spin;
	struct rest rest;
	struct spin_round round; /* the current one */
};

int loop_new(struct loop **loopp)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	list_init(&l->work);
	list_init(&l->polls);
	list_init(&l->found);
	spin_init(&l->spin, cpus_usable());
	l->now_ns = clock_now_ns();
	timer_wheel_init(&l->wheel, l->now_ns);
	*loopp = l;
	return 0;
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	close(l->epfd);
	free(l);
	return NULL;
}

static int add(struct loop *l, struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	if (io->registered)
		return -EEXIST;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, io->fd, &ev) < 0)
		return -errno;
	io->registered = true;
	io->events = events;
	return 0;
}

int loop_add(struct loop *l, struct loop_io *io, uint32_t events)
{
	return add(l, io, events | EPOLLET);
}

int loop_add_level(struct loop *l, struct loop_io *io, uint32_t events)
{
	return add(l, io, events);
}

int loop_out(struct loop *l, struct loop_io *io, bool is_on)
{
	uint32_t events = is_on ? io->events | EPOLLOUT
				: io->events & ~(uint32_t)EPOLLOUT;
	struct epoll_event ev = {.events = events, .data.ptr = io};

	if (!io->registered)
		return -ENOENT;
	if (events == io->events)
		return 0;
	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, io->fd, &ev) < 0)
		return -errno;
	io->events = events;
	return 0;
}

void loop_forget(struct loop *l, struct loop_io *io)
{
	if (!io->registered)
		return;
	io->registered = false;
	for (int i = l->next_event; i < l->n_events; i++) {
		if (l->events[i].data.ptr == io)
			l->events[i].data.ptr = NULL;
	}
}

void loop_del(struct loop *l, struct loop_io *io)
{
	/* Fails only if the kernel dropped it with the descriptor. */
	if (io->registered)
		(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, io->fd, NULL);
	loop_forget(l, io);
}

void loop_work_init(struct loop_work *w, void (*fn)(struct loop_work *w))
{
	list_init(&w->link);
	w->fn = fn;
}

void loop_defer(struct loop *l, struct loop_work *w)
{
	if (list_empty(&w->link))
		list_add_tail(&l->work, &w->link);
}

void loop_undefer(struct loop *l, struct loop_work *w)
{
	(void)l; /* an unlinked node is on no list */
	list_del(&w->link);
}

const uint64_t *loop_now(const struct loop *l)
{
	return &l->now_ns;
}

struct timer_wheel *loop_wheel(struct loop *l)
{
	return &l->wheel;
}

/* How long the next sleep may be, ns; UINT64_MAX = until something comes. */
static uint64_t sleep_ns(const struct loop *l, int timeout_ms)
{
	uint64_t next = timer_wheel_next(&l->wheel);
	uint64_t ns = UINT64_MAX;

	if (!list_empty(&l->work))
		return 0;
	if (timeout_ms >= 0)
		ns = (uint64_t)timeout_ms * 1000000u;
	if (next != UINT64_MAX) {
		/* The clock of the last round is old by the work done since. */
		uint64_t now = clock_now_ns();
		uint64_t wait = next > now ? next - now : 0;

		if (wait < ns)
			ns = wait;
	}
	return ns;
}

/* ns in epoll_wait()'s milliseconds, rounded up: never early. */
static int to_ms(uint64_t ns)
{
	const uint64_t day = UINT64_C(86400000);
	uint64_t ms = ns / 1000000u + (ns % 1000000u != 0);

	if (ns == UINT64_MAX)
		return -1;
	return ms < day ? (int)ms : (int)day;
}

/* Sleeps for up to ns. */
static int block(struct loop *l, uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000u),
			      .tv_nsec = (long)(ns % 1000000000u)};
	int n = -1;

	if (ns && !l->no_pwait2) {
		n = epoll_pwait2(l->epfd, l->events, LOOP_EVENTS,
				 ns == UINT64_MAX ? NULL : &ts, NULL);
		l->no_pwait2 = n < 0 && (errno == ENOSYS || errno == EPERM);
	}
	if (!ns || l->no_pwait2)
		n = epoll_wait(l->epfd, l->events, LOOP_EVENTS, to_ms(ns));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n;
}

/* Looks at the polls once; those with something go to l->found. */
static bool look_at_polls(struct loop *l)
{
	struct list *it = l->polls.next;

	while (it != &l->polls) {
		struct loop_poll *p = container_of(it, struct loop_poll, link);

		it = it->next;
		if (!p->look(p))
			continue;
		list_del(&p->link);
		list_add_tail(&l->found, &p->link);
	}
	return !list_empty(&l->found);
}

/* No more looks; true if one had something all the same. */
static bool stop_polls(struct loop *l)
{
	struct list *it;

	while ((it = list_first(&l->polls))) {
		struct loop_poll *p = container_of(it, struct loop_poll, link);

		list_del(it);
		if (p->stop(p))
			list_add_tail(&l->found, &p->link);
	}
	return !list_empty(&l->found);
}

/* Looks for up to ns; events, as block().  What the polls found is enough: the
 * kernel is asked in the next round. */
static int look(struct loop *l, uint64_t ns, uint64_t from_ns)
{
	bool is_seldom = spin_asks_seldom(&l->spin);
	uint64_t passed = 0, ask_at = is_seldom ? LOOK_STEP_NS : 0;

	l->round.has_looked = true;
	while (passed < ns && spin_goes_on(&l->spin)) {
		int n;

		if (look_at_polls(l))
			return 0;
		passed = clock_now_ns() - from_ns;
		if (passed < ask_at)
			continue;
		n = block(l, 0);
		if (n != 0)
			return n;
		/* Whom we wait for may have been woken on this CPU. */
		sched_yield();
		ask_at += is_seldom ? passed : 0;
	}
	l->round.has_looked = false;
	if (passed >= SPIN_NS)
		spin_failed(&l->spin);
	return 0;
}

/* Looks or rests if that pays, then sleeps; all for up to ns. */
static int look_and_block(struct loop *l, uint64_t ns, uint64_t from_ns)
{
	const struct timespec rest = {.tv_nsec = REST_NS};
	uint64_t most = ns < SPIN_NS ? ns : SPIN_NS;
	int n;

	if (ns && spin_pays(&l->spin) && spin_begin(&l->spin)) {
		n = look(l, most, from_ns);
		if (n != 0 || !list_empty(&l->found))
			return n;
		ns -= ns == UINT64_MAX ? 0 : most;
	}
	l->has_stopped = ns > 0;
	if (ns && stop_polls(l))
		ns = 0;
	if (ns > REST_NS && rest_pays(&l->rest, from_ns))
		clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
	return block(l, ns);
}

static int wait_events(struct loop *l, uint64_t ns)
{
	uint64_t from = clock_now_ns();
	int n;

	l->round = (struct spin_round){0};
	l->has_stopped = false;
	n = look_and_block(l, look_at_polls(l) ? 0 : ns, from);
	l->now_ns = clock_now_ns();
	l->round.waited_ns = l->now_ns - from;
	return n;
}

static void run_events(struct loop *l)
{
	struct list *it;

	for (l->next_event = 0; l->next_event < l->n_events;) {
		struct epoll_event *ev = &l->events[l->next_event++];
		struct loop_io *io = ev->data.ptr;

		if (!io)
			continue;
		l->round.sides |= io->is_far ? SPIN_FAR : SPIN_NEAR;
		io->fn(io, ev->events);
	}
	l->n_events = 0;
	while ((it = list_first(&l->found))) {
		struct loop_poll *p = container_of(it, struct loop_poll, link);

		list_del(it);
		l->round.sides |= SPIN_NEAR;
		p->fn(p);
	}
}

struct talk *loop_talk(struct loop *l)
{
	return &l->round.talk;
}

bool loop_looks(const struct loop *l)
{
	return spin_pays(&l->spin);
}

void loop_poll_init(struct loop_poll *p)
{
	list_init(&p->link);
}

void loop_poll_on(struct loop *l, struct loop_poll *p)
{
	if (list_empty(&p->link))
		list_add_tail(&l->polls, &p->link);
}

void loop_poll_off(struct loop *l, struct loop_poll *p)
{
	(void)l; /* an unlinked node is on no list */
	list_del(&p->link);
}

void loop_share_looks(struct loop *l, struct spin_looks *looks)
{
	spin_share(&l->spin, looks);
}

void loop_hook_set(struct loop *l, struct loop_hook *h)
{
	l->hook = h;
}

void loop_moved(struct loop *l, enum loop_traffic what, unsigned n,
		uint64_t bytes)
{
	l->round.moved += bytes;
	switch (what) {
	case LOOP_OPENING:
		l->round.is_opening = true;
		break;
	case LOOP_STREAM:
		rest_stream(&l->rest);
		break;
	case LOOP_DATAGRAMS_IN:
		rest_datagrams(&l->rest, n);
		break;
	case LOOP_DATAGRAMS_OUT:
		break;
	}
}

static void run_work(struct loop *l)
{
	struct list batch;

	list_init(&batch);
	list_splice(&batch, &l->work);
	while (!list_empty(&batch)) {
		struct loop_work *w = container_of(batch.next,
						   struct loop_work, link);

		list_del(&w->link);
		w->fn(w);
	}
}

int loop_turn(struct loop *l, int timeout_ms)
{
	int n = wait_events(l, sleep_ns(l, timeout_ms));

	if (n < 0)
		return n;
	l->n_events = n;
	if (l->hook && l->has_stopped)
		l->hook->woke(l->hook);
	run_events(l);
	timer_wheel_run(&l->wheel, l->now_ns);
	run_work(l);
	spin_round(&l->spin, &l->round);
	if (l->hook)
		l->hook->between(l->hook);
	return 0;
}

int loop_run(struct loop *l)
{
	while (!l->stopping) {
		int r = loop_turn(l, -1);

		if (r < 0)
			return r;
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}
