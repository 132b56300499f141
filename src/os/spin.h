/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When to look for events a while before sleeping (adaptive busy polling).
 *
 * To fall asleep and be woken on another CPU costs some 10 us, twice in every
 * request and response that crosses the engine.  To look in vain costs what
 * the look took, on a CPU the guest could use.  So looking must have been
 * worth it lately: only a game of ping-pong is waited for, in which small
 * pieces go one way, then the other, each soon after the last: between the
 * guests and the host's sockets, or between two machines of a lan, which speak
 * in turn.  A stream with its ACKs, a flood, a paced sender, a crowd or an idle
 * machine is none.  And the ball must come back within about the time that
 * sleeps cost; where it takes longer, looking would be paid for with the CPU.
 *
 * Connections that come and go are a game of longer moves: a kernel opens or
 * closes one in each.  There the kernel is asked less and less often during a
 * look, and the guests' rings, which cost no system call, all the time.
 *
 * Where several loops share the CPUs one is left to those who are waited for:
 * as many as there are CPUs less one look at a time.  Who begins takes the
 * place of who has looked longest: the ball is where something was heard last.
 * Where connections come and go it is where the last one came: who only has to
 * close one sleeps.
 *
 * Called by the loop for each of its rounds; the time is given.
 */
#ifndef OS_SPIN_H
#define OS_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/talk.h"

enum {
	SPIN_NEAR = 1 << 0, /* sides of a round's events: the guests' */
	SPIN_FAR = 1 << 1,  /* the host's sockets */
};

enum {
	SPIN_NS = 50000,	/* the longest look */
	SPIN_QUICK_NS = 200000, /* a sleep that was as good as none */
	SPIN_MOVED = 4096,	/* bytes of a round that is a ping or a pong */
	SPIN_CREDIT_MAX = 64,
	SPIN_CREDIT_ON = 16,	/* looks begin; they end when none is left */
	SPIN_FAILURE = 16,	/* what a look in vain costs */
	SPIN_OTHER = 8,		/* ... and a round that is no part of a game */
	SPIN_WORTH_NS = 30000,	/* on average looks must be shorter: longer
				 * ones cost more CPU than the two sleeps and
				 * wake-ups that they save, ours and a peer's */
	SPIN_OPENING = 64,	/* rounds that the last new connection counts */
	SPIN_TRIAL = 32,	/* looks before they are judged */
	SPIN_DOUBT_MIN = 512,	/* rounds until the next trial */
	SPIN_DOUBT_MAX = 16384,
};

struct spin {
	unsigned most;	 /* looks at a time; 0 with one CPU */
	struct spin_looks *looks; /* borrowed; NULL: no other loop's count */
	uint32_t look;	 /* the number of the last one among those */
	uint32_t opened; /* ... and of the last round with a new connection */
	bool is_on;
	uint8_t last;	 /* side of the last round */
	uint8_t opening; /* rounds left of SPIN_OPENING */
	uint16_t credit; /* returns of the ball, less what was not */
	uint16_t trial;	 /* looks until they are judged */
	uint16_t doubt;	 /* rounds to pass after the next bad verdict */
	uint16_t wait;	 /* rounds until there may be a trial */
	uint32_t mean_ns; /* of the looks' lengths, moving */
	/* Machines that spoke alone in the last two rounds in which one did,
	 * newest first; NULL: several did. */
	const void *who[2];
};

/* What a round was. */
struct spin_round {
	uint64_t waited_ns; /* asleep or looking */
	uint64_t moved;	    /* bytes through the host's sockets */
	unsigned sides;	    /* SPIN_NEAR | SPIN_FAR; 0: a timer or nothing */
	bool has_looked;    /* it began with a look, which found it */
	bool is_opening;    /* a connection came */
	struct talk talk;   /* machines that sent frames, and their bytes */
};

/* The looks of loops that share the processors; zeroed: none yet. */
struct spin_looks {
	_Atomic uint32_t n;	 /* begun, ever */
	_Atomic uint32_t opened; /* rounds with a new connection, ever */
};

/* cpus: those that the loop's thread may run on. */
void spin_init(struct spin *s, unsigned cpus);
/* It shares them with others that count there; borrowed. */
void spin_share(struct spin *s, struct spin_looks *looks);
/* True if the next wait should begin with a look. */
static inline bool spin_pays(const struct spin *s)
{
	return s->is_on;
}
/* True if a look should not ask the kernel all the time. */
static inline bool spin_asks_seldom(const struct spin *s)
{
	return s->opening > 0;
}
/* A look begins; false: there may be none. */
bool spin_begin(struct spin *s);
/* False: too many have begun since. */
bool spin_goes_on(const struct spin *s);
/* A look has found nothing in all its time. */
void spin_failed(struct spin *s);
/* A round is over. */
void spin_round(struct spin *s, const struct spin_round *r);

#endif
