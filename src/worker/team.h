/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The workers of one engine: threads with a loop each, mail between any two,
 * and the pause in which worker 0 may change what is the others'.
 *
 * Worker 0 is the thread that made the team; the others are threads made here,
 * before seccomp forbids it, and after the capabilities are gone, which each
 * thread has for itself (os/sandbox.h).  They take no signals but those that
 * their own doings cause.
 *
 *	worker i >= 1			worker 0
 *
 *	   round			...
 *	   round			team_pause()
 *	   between: acknowledges -------->  all have
 *	   sleeps			changes lanes, ports, rules
 *	   between <--------------------- team_resume()
 *	   round			...
 *
 * Between two rounds a worker loads one word, which is seldom written: that is
 * all that the pause costs it.  A sleeping worker is woken for one: what its
 * epoll was about to report might be of a descriptor that goes in the pause.
 *
 * A team of one has no thread, no hook in the loop and no pause.
 */
#ifndef WORKER_TEAM_H
#define WORKER_TEAM_H

#include "base/error.h"
#include "worker/counters.h"
#include "worker/mail.h"
#include "worker/worker.h"

enum { TEAM_MAX = 16 };

struct team;

/* What the workers are for.  Any hook may be NULL; arg is the config's.  me
 * says whose thread it is. */
struct team_ops {
	/* First of all on that thread, before its loop runs; of worker 0 in
	 * team_new().  One after the other.  0 or a negative errno: there is no
	 * team then. */
	int (*start)(void *arg, unsigned me);
	/* Last of all, of those that have started; of worker 0 in
	 * team_free(). */
	void (*stop)(void *arg, unsigned me);
	/* Mail has come; what was taken is released afterwards.  Takes at least
	 * one message; for what it leaves it is called in the next round. */
	void (*mail)(void *arg, unsigned me, struct mail *m);
	/* mail_post() had no room in m, and would have now. */
	void (*room)(void *arg, unsigned me, struct mail *m);
};

struct team_config {
	unsigned n;      /* workers, 1 to TEAM_MAX */
	struct log *log; /* borrowed, worker 0's; the others have copies */
	const struct host_sock_limits *limits; /* as of host_sock_new() */
	struct counters_slot *slots; /* borrowed, n, where they count; NULL:
				      * in places of their own */
	size_t mail_bytes;          /* of each mail, see mail_config */
	const struct team_ops *ops; /* borrowed */
	void *arg;                  /* borrowed */
};

/* 0 with *teamp set and all threads in their loops, or a negative errno with
 * *e filled and nothing left behind. */
MUST_USE int team_new(const struct team_config *c, struct team **teamp,
		      struct error *e);
/* Ends the threads, each after its round, and waits for them.  Not from a
 * round of worker 0's loop. */
struct team *team_free(struct team *t);

unsigned team_size(const struct team *t);
/* Worker i; the others than one's own only in a pause. */
struct worker *team_worker(const struct team *t, unsigned i);
/* From worker `from` to another one; NULL: to itself there is none. */
struct mail *team_mail(const struct team *t, unsigned from, unsigned to);

/* Runs worker 0's loop until it is stopped.  0, or what ended the loop of one
 * of the workers (a negative errno). */
MUST_USE int team_run(struct team *t);

/* Worker 0: when it returns all others are between two rounds, asleep, and
 * what they did is seen here; until as many team_resume() were called.  Waits
 * for the longest of their rounds, and nothing in between may wait for one of
 * them. */
void team_pause(struct team *t);
void team_resume(struct team *t);

#endif
