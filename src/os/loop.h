/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event loop of one thread: epoll, a timer wheel, deferred work, a clock.
 *
 * Descriptors are registered once, edge-triggered, for their life.  An
 * iteration is: sleep until something is ready or the wheel is due; read the
 * clock once; call the handlers; run the wheel; run deferred work.  Deferred
 * work makes the next sleep zero, so that a busy port gives the others their
 * turn without a lost edge.  O(events), never O(descriptors).
 *
 * Before it sleeps the loop may look for events a while (spin.h).  A kind whose
 * peer writes to shared memory and need not tell then leaves notifications
 * off, and has the loop look for it (struct loop_poll).  In a flood it rests
 * before it asks for more (rest.h).
 */
#ifndef OS_LOOP_H
#define OS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/list.h"
#include "base/talk.h"
#include "base/timer.h"

struct loop;
struct spin_looks;

/* One registered descriptor, inside the owner's object.  The loop never
 * closes fd. */
struct loop_io {
	int fd;
	uint32_t events; /* registered for; the loop's */
	/* events: EPOLLIN | EPOLLOUT | ...  May remove any loop_io, its own
	 * included: events still queued for a removed one are not delivered. */
	void (*fn)(struct loop_io *io, uint32_t events);
	bool registered;
	bool is_far; /* of the host's side, not the guests' (spin.h) */
};

/* A place in memory that the loop looks at in every round, inside the owner's
 * object, while its notifications are off. */
struct loop_poll {
	struct list link;
	/* True if there is something; reads a word or two and does nothing. */
	bool (*look)(struct loop_poll *p);
	/* There was. The loop has let go of p: who wants to be looked at again
	 * says so. */
	void (*fn)(struct loop_poll *p);
	/* The loop goes to sleep and has let go of p: notifications on. True if
	 * there is something all the same; fn is called then. */
	bool (*stop)(struct loop_poll *p);
};

/* For a thread that works with others (worker/team.h), inside the owner's
 * object. */
struct loop_hook {
	/* The polls were stopped, for a sleep: it is over.  Nothing of what
	 * ended it has been handled yet. */
	void (*woke)(struct loop_hook *h);
	/* A round is over.  No event of it waits any more, so that whatever the
	 * loop has may change here, by another thread too if the hook sleeps
	 * until that is done. */
	void (*between)(struct loop_hook *h);
};

/* A call to be made once, at the end of this iteration. */
struct loop_work {
	struct list link;
	void (*fn)(struct loop_work *w);
};

__attribute__((warn_unused_result)) int loop_new(struct loop **loopp);
struct loop *loop_free(struct loop *l);
/* Registers io->fd for events (EPOLLET is added here; LOOP_LEVEL not to).
 * 0 or -errno. */
__attribute__((warn_unused_result)) int
loop_add(struct loop *l, struct loop_io *io, uint32_t events);
/* As loop_add() but level-triggered, for slow paths (listeners, control). */
__attribute__((warn_unused_result)) int
loop_add_level(struct loop *l, struct loop_io *io, uint32_t events);
/* Registers io for EPOLLOUT besides, or no longer. Room that is there already
 * is an event. A unix or datagram socket has one each time that its peer reads,
 * so who waits for no room should not stay registered for it. Harmless twice.
 * 0 or -errno. */
int loop_out(struct loop *l, struct loop_io *io, bool is_on);
/* Must be called before the descriptor is closed. Harmless twice. */
void loop_del(struct loop *l, struct loop_io *io);
/* The same for a descriptor that is closed next and has no copy anywhere, for
 * which the kernel forgets it by itself: one system call less. */
void loop_forget(struct loop *l, struct loop_io *io);

/* True while a sleep would begin with a look: loop_poll_on() is worth it. */
bool loop_looks(const struct loop *l);
void loop_poll_init(struct loop_poll *p);
/* Looks at p from now on. Harmless twice. */
void loop_poll_on(struct loop *l, struct loop_poll *p);
/* Lets go of p; notifications are p's owner's affair. Harmless twice. */
void loop_poll_off(struct loop *l, struct loop_poll *p);

/* What went through a socket of the far side, for the loop to choose how to
 * wait (spin.h, rest.h). */
enum loop_traffic {
	LOOP_OPENING, /* a connection comes or goes */
	LOOP_STREAM,
	LOOP_DATAGRAMS_IN, /* to the guests */
	LOOP_DATAGRAMS_OUT,
};
/* bytes, in n datagrams if it was no stream. */
void loop_moved(struct loop *l, enum loop_traffic what, unsigned n,
		uint64_t bytes);

/* The loop looks only while those that count there leave a processor to
 * others (spin.h); borrowed. */
void loop_share_looks(struct loop *l, struct spin_looks *looks);
/* Calls h from now on; one for a loop, borrowed.  NULL: no more. */
void loop_hook_set(struct loop *l, struct loop_hook *h);

/* Where the lans of this thread note which machines spoke in this round, for
 * the same purpose. */
struct talk *loop_talk(struct loop *l);

void loop_work_init(struct loop_work *w, void (*fn)(struct loop_work *w));
/* Queues w for this iteration's end (for the next one, if called from
 * deferred work); queued twice runs once. */
void loop_defer(struct loop *l, struct loop_work *w);
void loop_undefer(struct loop *l, struct loop_work *w);

/* The loop's clock, CLOCK_MONOTONIC ns, read once per iteration. */
const uint64_t *loop_now(const struct loop *l);
/* The loop's wheel. */
struct timer_wheel *loop_wheel(struct loop *l);

/* Runs until loop_stop(). 0, or -errno if epoll itself failed. */
__attribute__((warn_unused_result)) int loop_run(struct loop *l);
/* One iteration that sleeps for at most timeout_ms (-1: as needed). */
__attribute__((warn_unused_result)) int loop_turn(struct loop *l,
						  int timeout_ms);
void loop_stop(struct loop *l);

#endif
