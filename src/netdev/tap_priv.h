/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tap port, shared by tap.c and tap_legs.c (the legs of macvtap).
 *
 * A tap of several queues has a part on each worker that has one of them: queue
 * q is part[q % n_parts]'s.  A part is its worker's; worker 0 makes and frees
 * it, in a pause.  Everything else belongs to worker 0, whose part has the port
 * itself; the others' ports are that one's legs (lan/lane.h).
 */
#ifndef NETDEV_TAP_PRIV_H
#define NETDEV_TAP_PRIV_H

#include <stdatomic.h>

#include "base/mem.h"
#include "netdev/beside.h"
#include "netdev/fair.h"
#include "netdev/hostif.h"
#include "netdev/netdev.h"

struct tap_part;

struct tap_queue {
	struct tap_part *part;
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

/* What a part has found out, for worker 0. */
enum tap_news {
	TAP_NEWS_CHECK = 1 << 0,  /* the carrier may be gone */
	TAP_NEWS_GONE = 1 << 1,   /* the interface was removed */
	TAP_NEWS_NO_USO = 1 << 2, /* the kernel refused such a frame */
};

struct tap_part {
	struct port port;
	struct tap *tap;
	struct loop *loop;     /* borrowed: its worker's .. */
	struct drops *drops;   /* .. and this, too */
	struct loop_work more; /* go on reading */
	uint8_t *area;         /* owned mapping, TAP_AREA bytes */
	bool is_gone;          /* no queue is worth a call any more */
	unsigned turn; /* the queue that the next recv() looks at first */
	unsigned n_queues;
	struct tap_queue queue[]; /* the first one is written */
};

struct tap {
	const struct netdev_env *env; /* borrowed */
	_Atomic unsigned news;        /* enum tap_news; all parts: rw */
	struct loop_io bell;          /* fd owned: other parts' news; or -1 */
	struct loop_work heard;       /* the first part's */
	struct timer probe;           /* armed while the carrier is down */
	struct tap_legs *legs;        /* owned; NULL: all queues are equal */
	struct beside *beside;        /* owned; NULL: it is not beside a card */
	struct hostif hostif;         /* n > 0: only this passes */
	uint32_t hdr_len;             /* VNETHDR_LEN or 0 */
	unsigned n_parts;
	struct tap_part *part[]; /* owned */
};

/* Starts reading queue i of part s from fd, which it owns. */
MUST_USE int tap_queue_add(struct tap_part *s, unsigned i, int fd);

/* NULL: no memory.  The first leg's MAC is first, if it is not zero. */
struct tap_legs *tap_legs_new(struct tap *t, mac first);
struct tap_legs *tap_legs_free(struct tap_legs *l);
/* The queue by which f leaves. */
struct tap_queue *tap_legs_out(struct tap *t, const struct frame *f);
/* False if f, which came by q, is none of the lan's business. */
bool tap_legs_in(struct tap *t, const struct tap_queue *q,
		 const struct frame *f);

#endif
