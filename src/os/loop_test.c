/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop: what is delivered, in which order, and what is not. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/loop.h"

enum { MANY = 200 };

/* An eventfd with a handler that counts. */
struct probe {
	struct loop_io io;
	struct loop *l;
	unsigned calls;
	uint32_t events;
	struct probe **others; /* to be removed and freed by the first call */
	unsigned n_others;
};

static void count(struct loop_io *io, uint32_t events)
{
	struct probe *p = container_of(io, struct probe, io);

	p->calls++;
	p->events = events;
}

static struct probe *probe_new(struct loop *l,
			       void (*fn)(struct loop_io *io, uint32_t ev))
{
	struct probe *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->l = l;
	p->io.fn = fn;
	p->io.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(p->io.fd >= 0);
	return p;
}

static void probe_free(struct probe *p)
{
	loop_del(p->l, &p->io);
	close(p->io.fd);
	free(p);
}

/* One CPU for this process. */
static bool is_alone(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 &&
	       CPU_COUNT(&set) == 1;
}

static struct loop *new_loop(void)
{
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l), 0);
	return l;
}

static void edges_come_once_levels_again(void **state)
{
	struct loop *l = new_loop();
	struct probe *e = probe_new(l, count), *v = probe_new(l, count);

	assert_int_equal(loop_add(l, &e->io, EPOLLIN), 0);
	assert_int_equal(loop_add_level(l, &v->io, EPOLLIN), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_turn(l, 0), 0);
	assert_int_equal(e->calls, 1);
	assert_int_equal(e->events, EPOLLIN);
	assert_int_equal(v->calls, 3);
	probe_free(e);
	probe_free(v);
	loop_free(l);
}

/* Each byte that the peer reads makes room anew. */
static void room_is_told_to_who_asks(void **state)
{
	struct loop *l = new_loop();
	struct probe *p = probe_new(l, count);
	int fds[2], own = p->io.fd;
	char c = 0;

	assert_int_equal(loop_out(l, &p->io, true), -ENOENT);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	p->io.fd = fds[0];
	assert_int_equal(loop_add(l, &p->io, EPOLLIN), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(loop_out(l, &p->io, i & 2), 0);
		p->events = 0;
		assert_int_equal(write(fds[0], &c, 1), 1);
		assert_int_equal(loop_turn(l, 0), 0); /* what is there */
		assert_int_equal(p->events, i == 2 ? EPOLLOUT : 0);
		assert_int_equal(read(fds[1], &c, 1), 1);
		p->events = 0;
		assert_int_equal(loop_turn(l, 0), 0);
		assert_int_equal(p->events, i & 2 ? EPOLLOUT : 0);
	}
	assert_int_equal(write(fds[1], &c, 1), 1);
	p->events = 0;
	assert_int_equal(loop_out(l, &p->io, false), 0);
	assert_int_equal(loop_turn(l, 0), 0);
	assert_int_equal(p->events, EPOLLIN);
	loop_del(l, &p->io);
	close(fds[0]);
	close(fds[1]);
	p->io.fd = own;
	probe_free(p);
	loop_free(l);
}

/* Removes and frees all others; their memory is used again at once. */
static void remove_others(struct loop_io *io, uint32_t events)
{
	struct probe *p = container_of(io, struct probe, io);

	count(io, events);
	for (unsigned i = 0; i < p->n_others; i++) {
		if (p->others[i] == p)
			continue;
		probe_free(p->others[i]);
		p->others[i] = probe_new(p->l, count);
	}
	p->n_others = 0;
	for (unsigned i = 0; i < MANY; i++)
		p->others[i]->n_others = 0; /* only the first one acts */
}

static void removed_ones_get_nothing_more(void **state)
{
	struct probe *all[MANY];
	struct loop *l = new_loop();
	unsigned called = 0;

	for (unsigned i = 0; i < MANY; i++) {
		all[i] = probe_new(l, remove_others);
		all[i]->others = all;
		all[i]->n_others = MANY;
		assert_int_equal(loop_add(l, &all[i]->io, EPOLLIN), 0);
	}
	for (int i = 0; i < 2 * MANY / 64; i++)
		assert_int_equal(loop_turn(l, 0), 0);
	for (unsigned i = 0; i < MANY; i++) {
		called += all[i]->calls;
		probe_free(all[i]);
	}
	assert_int_equal(called, 1);
	loop_free(l);
}

static void remove_itself(struct loop_io *io, uint32_t events)
{
	struct probe *p = container_of(io, struct probe, io);

	*p->others = NULL;
	probe_free(p);
}

static void one_may_remove_itself(void **state)
{
	struct loop *l = new_loop();
	struct probe *p = probe_new(l, remove_itself);
	struct probe *slot = p;

	p->others = &slot;
	assert_int_equal(loop_add_level(l, &p->io, EPOLLIN), 0);
	assert_int_equal(loop_turn(l, 0), 0);
	assert_int_equal(loop_turn(l, 0), 0);
	assert_null(slot);
	loop_free(l);
}

/* All ready ones are served in few turns, whoever is registered. */
static void idle_ones_cost_no_turns(void **state)
{
	struct probe *all[MANY];
	struct loop *l = new_loop();
	unsigned called = 0;

	for (unsigned i = 0; i < MANY; i++) {
		all[i] = probe_new(l, count);
		assert_int_equal(loop_add_level(l, &all[i]->io, EPOLLIN), 0);
	}
	for (int i = 0; i < (MANY + 63) / 64; i++)
		assert_int_equal(loop_turn(l, 0), 0);
	for (unsigned i = 0; i < MANY; i++) {
		called += all[i]->calls > 0;
		probe_free(all[i]);
	}
	assert_int_equal(called, MANY);
	loop_free(l);
}

struct job {
	struct loop_work work;
	struct loop *l;
	struct job *also; /* deferred by the call */
	struct job *not;  /* taken back by the call */
	unsigned calls;
};

static void do_job(struct loop_work *w)
{
	struct job *j = container_of(w, struct job, work);

	j->calls++;
	if (j->also)
		loop_defer(j->l, &j->also->work);
	if (j->not)
		loop_undefer(j->l, &j->not->work);
}

static void deferred_work_runs_once_and_later(void **state)
{
	struct loop *l = new_loop();
	struct job a = {.l = l}, b = {.l = l}, c = {.l = l};

	loop_work_init(&a.work, do_job);
	loop_work_init(&b.work, do_job);
	loop_work_init(&c.work, do_job);
	a.also = &a; /* itself again: the next turn, not this one */
	a.not = &c;
	loop_defer(l, &a.work);
	loop_defer(l, &a.work);
	loop_defer(l, &b.work);
	loop_defer(l, &c.work);
	/* Work waits: a turn without a limit does not sleep. */
	assert_int_equal(loop_turn(l, -1), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 1);
	assert_int_equal(c.calls, 0);
	assert_int_equal(loop_turn(l, -1), 0);
	assert_int_equal(a.calls, 2);
	loop_undefer(l, &a.work);
	assert_int_equal(loop_turn(l, 0), 0);
	assert_int_equal(a.calls, 2);
	loop_free(l);
}

struct alarm_clock {
	struct timer t;
	struct loop *l;
	uint64_t at;
};

static void ring(struct timer *t, uint64_t now_ns)
{
	struct alarm_clock *a = container_of(t, struct alarm_clock, t);

	a->at = now_ns;
	loop_stop(a->l);
}

static void a_timer_ends_the_sleep(void **state)
{
	struct loop *l = new_loop();
	struct alarm_clock a = {.l = l};
	uint64_t due = *loop_now(l) + 3000000;

	timer_init(&a.t, ring);
	timer_arm(loop_wheel(l), &a.t, due);
	assert_int_equal(loop_run(l), 0);
	assert_true(a.at >= due);
	assert_int_equal(a.at, *loop_now(l));
	loop_free(l);
}

static void removing_twice_is_harmless(void **state)
{
	struct loop *l = new_loop();
	struct probe *p = probe_new(l, count);

	loop_del(l, &p->io);
	assert_int_equal(loop_add(l, &p->io, EPOLLIN), 0);
	assert_true(loop_add(l, &p->io, EPOLLIN) < 0);
	loop_del(l, &p->io);
	loop_del(l, &p->io);
	assert_int_equal(loop_turn(l, 0), 0);
	assert_int_equal(p->calls, 0);
	probe_free(p);
	assert_null(loop_free(l));
}

static void turn(struct loop *l)
{
	assert_int_equal(loop_turn(l, 0), 0);
}

/* A word in memory, and what the loop asked of it. */
struct place {
	struct loop_poll poll;
	struct loop *l;
	bool has_some;
	bool will_have; /* ... when the loop stops looking */
	unsigned n_look, n_found, n_stop;
};

static bool place_look(struct loop_poll *p)
{
	struct place *pl = container_of(p, struct place, poll);

	pl->n_look++;
	return pl->has_some;
}

static void place_found(struct loop_poll *p)
{
	struct place *pl = container_of(p, struct place, poll);

	pl->n_found++;
	pl->has_some = false;
}

static bool place_stop(struct loop_poll *p)
{
	struct place *pl = container_of(p, struct place, poll);

	pl->n_stop++;
	return pl->will_have;
}

static void place_init(struct place *pl, struct loop *l)
{
	*pl = (struct place){.l = l,
			     .poll = {.look = place_look,
				      .fn = place_found,
				      .stop = place_stop}};
	loop_poll_init(&pl->poll);
}

static void places_are_looked_at_in_every_round(void **state)
{
	struct loop *l = new_loop();
	struct place a, b;

	(void)state;
	place_init(&a, l);
	place_init(&b, l);
	loop_poll_on(l, &a.poll);
	loop_poll_on(l, &a.poll); /* harmless */
	loop_poll_on(l, &b.poll);
	turn(l);
	assert_int_equal(a.n_look, 1);
	assert_int_equal(a.n_found, 0);
	a.has_some = true;
	turn(l);
	assert_int_equal(a.n_found, 1);
	assert_int_equal(b.n_found, 0);
	a.has_some = true; /* but the loop has let go of it */
	turn(l);
	assert_int_equal(a.n_found, 1);
	loop_poll_on(l, &a.poll);
	loop_poll_off(l, &a.poll);
	turn(l);
	assert_int_equal(a.n_found, 1);
	assert_int_equal(a.n_stop + b.n_stop, 0); /* it never slept */
	loop_free(l);
}

static void nobody_sleeps_over_a_place(void **state)
{
	struct loop *l = new_loop();
	struct place a;

	(void)state;
	place_init(&a, l);
	a.will_have = true; /* it came just before notifications were on */
	loop_poll_on(l, &a.poll);
	assert_int_equal(loop_turn(l, 60000), 0);
	assert_int_equal(a.n_stop, 1);
	assert_int_equal(a.n_found, 1);
	a.will_have = false;
	loop_poll_on(l, &a.poll);
	assert_int_equal(loop_turn(l, 1), 0);
	assert_int_equal(a.n_stop, 2);
	assert_int_equal(a.n_found, 1);
	loop_free(l);
}

/* A handler may take a place that was found out of the loop. */
static void removes_place(struct loop_io *io, uint32_t events)
{
	struct probe *p = container_of(io, struct probe, io);
	struct place *pl = (void *)p->others;

	(void)events;
	loop_poll_off(p->l, &pl->poll);
}

static void a_removed_place_is_not_told(void **state)
{
	struct loop *l = new_loop();
	struct probe *p = probe_new(l, removes_place);
	struct place a;

	(void)state;
	place_init(&a, l);
	a.has_some = true;
	p->others = (void *)&a;
	assert_int_equal(loop_add(l, &p->io, EPOLLIN), 0);
	loop_poll_on(l, &a.poll);
	turn(l);
	assert_int_equal(a.n_look, 1);
	assert_int_equal(a.n_found, 0);
	probe_free(p);
	loop_free(l);
}

/* Small pieces to and fro: the loop looks, and says so. */
static void ping_pong_makes_the_loop_look(void **state)
{
	struct loop *l = new_loop();
	struct probe *side[2] = {probe_new(l, count), probe_new(l, count)};
	const uint64_t one = 1;
	unsigned n = 0;

	(void)state;
	side[1]->io.is_far = true;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(loop_add(l, &side[i]->io, EPOLLIN), 0);
	turn(l);
	assert_false(loop_looks(l));
	/* With one CPU to run on it never will. */
	while (n < 10000 && !loop_looks(l)) {
		assert_int_equal(write(side[n % 2]->io.fd, &one, 8), 8);
		loop_moved(l, LOOP_STREAM, 0, 1);
		turn(l);
		n++;
	}
	assert_int_equal(n < 10000, !is_alone());
	for (n = 0; n < 100; n++) { /* one way only */
		assert_int_equal(write(side[0]->io.fd, &one, 8), 8);
		turn(l);
	}
	assert_false(loop_looks(l));
	for (unsigned i = 0; i < 2; i++)
		probe_free(side[i]);
	loop_free(l);
}

/* What happened in the rounds, one letter each. */
struct diary {
	struct loop_hook hook;
	struct loop_poll poll;
	struct probe probe;
	struct loop_work work;
	struct loop *l;
	char text[64];
	unsigned n;
};

static void note(struct diary *d, char what)
{
	assert_true(d->n < sizeof(d->text) - 1);
	d->text[d->n++] = what;
}

static void diary_woke(struct loop_hook *h)
{
	struct diary *d = container_of(h, struct diary, hook);

	note(d, 'w');
	loop_poll_on(d->l, &d->poll);
}

static void diary_between(struct loop_hook *h)
{
	note(container_of(h, struct diary, hook), '.');
}

static void diary_event(struct loop_io *io, uint32_t events)
{
	struct probe *p = container_of(io, struct probe, io);

	note(container_of(p, struct diary, probe), 'e');
}

static void diary_work(struct loop_work *w)
{
	note(container_of(w, struct diary, work), 'd');
}

static bool diary_look(struct loop_poll *p)
{
	return false;
}

static bool diary_stop(struct loop_poll *p)
{
	note(container_of(p, struct diary, poll), 's');
	return false;
}

static void who_hooks_hears_of_sleep_and_rounds(void **state)
{
	struct loop *l = new_loop();
	struct diary d = {.hook = {.woke = diary_woke,
				   .between = diary_between},
			  .poll = {.look = diary_look, .stop = diary_stop},
			  .probe.io = {.fd = eventfd(1, EFD_CLOEXEC),
				       .fn = diary_event},
			  .l = l};

	loop_poll_init(&d.poll);
	loop_poll_on(l, &d.poll);
	loop_work_init(&d.work, diary_work);
	assert_int_equal(loop_add(l, &d.probe.io, EPOLLIN), 0);
	loop_hook_set(l, &d.hook);
	assert_int_equal(loop_turn(l, -1), 0);
	assert_string_equal(d.text, "swe.");
	/* Nothing slept: the poll is as it was. */
	loop_defer(l, &d.work);
	assert_int_equal(loop_turn(l, -1), 0);
	assert_string_equal(d.text, "swe.d.");
	assert_int_equal(loop_turn(l, 1), 0);
	assert_string_equal(d.text, "swe.d.sw.");
	loop_hook_set(l, NULL);
	assert_int_equal(loop_turn(l, 0), 0);
	assert_string_equal(d.text, "swe.d.sw.");
	loop_del(l, &d.probe.io);
	close(d.probe.io.fd);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_hooks_hears_of_sleep_and_rounds),
		cmocka_unit_test(edges_come_once_levels_again),
		cmocka_unit_test(room_is_told_to_who_asks),
		cmocka_unit_test(removed_ones_get_nothing_more),
		cmocka_unit_test(one_may_remove_itself),
		cmocka_unit_test(idle_ones_cost_no_turns),
		cmocka_unit_test(deferred_work_runs_once_and_later),
		cmocka_unit_test(a_timer_ends_the_sleep),
		cmocka_unit_test(removing_twice_is_harmless),
		cmocka_unit_test(places_are_looked_at_in_every_round),
		cmocka_unit_test(nobody_sleeps_over_a_place),
		cmocka_unit_test(a_removed_place_is_not_told),
		cmocka_unit_test(ping_pong_makes_the_loop_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
