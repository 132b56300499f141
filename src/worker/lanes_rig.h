/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of lanes: a team, a network with fake ports, and ways to have its
 * workers send and to wait for what comes of it.  Worker 0 is the test.
 */
#ifndef WORKER_LANES_RIG_H
#define WORKER_LANES_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/fake_port.h"
#include "worker/lanes_priv.h"

enum {
	FRAME_LEN = 60,
	AT_SEED = 14, /* where a frame has its number */
	MAX_WORKERS = 4,
};

/* What is left of a leg's queue is read when its worker's turn comes. */
struct reader {
	struct loop_work work;
	struct fake_port *port;
	struct loop *loop;
	bool repeats;
	uint32_t next; /* number of its next frame, if it repeats */
	mac src, dst;
};

struct world {
	struct team *t;
	unsigned n;
	struct lanes *lanes;
	struct lan *lan;
	struct lanes_net *net;
	struct reader reader[MAX_WORKERS];
	/* what control heard */
	unsigned n_fault;
	enum port_fault fault; /* the last */
	char fault_text[64];
	struct port *fault_port;
	uint32_t ingress; /* of what g got last */
};

void world_init(struct world *w, unsigned n, uint64_t tell_ns);
/* The same, with mail of so many bytes (mail_config). */
void world_init_mail(struct world *w, unsigned n, uint64_t tell_ns,
		     size_t mail_bytes);
/* Frees the ports of the lan, too. */
void world_deinit(struct world *w);
struct loop *loop_of(struct world *w, unsigned i);
struct fake_port *port_new(struct world *w, const char *name);
/* A queue of p on worker i. */
struct fake_port *leg_new(struct world *w, struct fake_port *p, unsigned i);

/* Works until it is so, seen in a pause. */
typedef bool (*is_fn)(struct world *w, void *arg);
void until(struct world *w, is_fn is, void *arg);
void until_got(struct world *w, const struct fake_port *f, unsigned n);
uint64_t dropped(struct world *w, enum drop_reason why);
void until_dropped(struct world *w, enum drop_reason why, uint64_t n);
/* Every lane knows what worker 0 knows, and nothing else. */
void until_copied(struct world *w);

/* A frame with a number. */
void put_frame(uint8_t *buf, mac dst, mac src, uint32_t number);
uint32_t number_of(const struct fake_frame *f);
/* By a port of worker 0. */
void say(struct fake_port *f, mac dst, mac src);
/* That which reads leg on worker i; in a pause. */
struct reader *reader_of(struct world *w, unsigned i, struct fake_port *leg);
/* n frames by a leg on worker i, on its thread. */
void lane_say(struct world *w, unsigned i, struct fake_port *leg, mac dst,
	      mac src, unsigned n);
/* One by us, who stand in for it in a pause. */
void pause_say(struct world *w, struct fake_port *leg, mac dst, mac src);
struct port_stats stats_of(struct world *w, const struct fake_port *p);
/* on_send hook; arg is the world. */
void note_ingress(struct fake_port *f, const struct batch *b, uint64_t mask);

/* p has a queue on worker 1, q only on the first one. */
struct pair {
	struct fake_port *p, *leg, *q;
	mac at_p, at_q;
};

void pair_init(struct world *w, struct pair *t);
/* Each says something to the other, and all know both. */
void pair_greet(struct world *w, struct pair *t);
/* With the world. */
void pair_deinit(struct world *w, struct pair *t);

#endif
