/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tap port, shared by tap.c and tap_legs.c (the legs of macvtap).  All of it
 * belongs to the lan's worker.
 */
#ifndef NETDEV_TAP_PRIV_H
#define NETDEV_TAP_PRIV_H

#include "base/mem.h"
#include "netdev/beside.h"
#include "netdev/fair.h"
#include "netdev/hostif.h"
#include "netdev/netdev.h"

struct tap;

struct tap_queue {
	struct tap *tap;
	struct loop_io io; /* io.fd owned; -1: none, or gone */
	bool ready;        /* may hold frames */
};

enum leg_state {
	LEG_FREE,
	LEG_ASKED, /* the keeper is at it */
	LEG_UP,
	LEG_REFUSED, /* the kernel did not want it: asked again later */
};

struct leg {
	enum leg_state state;
	mac mac;
	struct fair_place place;
	uint64_t wait_ns;  /* LEG_REFUSED: not before this time has passed .. */
	uint64_t again_ns; /* .. which is then */
};

/* The macvtaps of a port, one for each MAC behind us: leg i is queue i. */
struct tap_legs {
	struct leg leg[TAP_LEGS_MAX];
	unsigned last;     /* the one that was looked for last */
	unsigned asked;    /* leg with LEG_ASKED, TAP_LEGS_MAX: none */
	uint64_t asked_ns; /* when */
	struct loop_work ask;
	struct tap *tap;
};

struct tap {
	struct port port;
	const struct netdev_env *env; /* borrowed */
	struct loop_work more;        /* go on reading */
	struct loop_work gone;        /* the interface was removed */
	struct loop_work recheck;     /* look at the carrier, and the caps */
	struct timer probe;           /* armed while the carrier is down */
	uint8_t *area;                /* owned mapping, TAP_AREA bytes */
	struct tap_legs *legs;        /* owned; NULL: all queues are equal */
	struct beside *beside;        /* owned; NULL: it is not beside a card */
	struct hostif hostif;         /* n > 0: only this passes */
	uint32_t hdr_len;             /* VNETHDR_LEN or 0 */
	bool is_gone;                 /* `gone` is queued or done */
	bool no_uso;                  /* the kernel refused such a frame */
	unsigned n_queues;
	unsigned turn; /* the queue that the next recv() looks at first */
	struct tap_queue queue[];
};

/* Starts reading queue i from fd, which it owns. */
MUST_USE int tap_queue_add(struct tap *t, unsigned i, int fd);

/* NULL: no memory.  The first leg's MAC is first, if it is not zero. */
struct tap_legs *tap_legs_new(struct tap *t, mac first);
struct tap_legs *tap_legs_free(struct tap_legs *l);
/* The queue by which f leaves. */
struct tap_queue *tap_legs_out(struct tap *t, const struct frame *f);
/* False if f, which came by q, is none of the lan's business. */
bool tap_legs_in(struct tap *t, const struct tap_queue *q,
		 const struct frame *f);

#endif
