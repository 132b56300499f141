/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of lanes: lanes.c makes and changes them, in pauses; lanes_mail.c
 * has what goes between them.  "In pauses" below: written by worker 0 in a
 * pause only, read by all.
 */
#ifndef WORKER_LANES_PRIV_H
#define WORKER_LANES_PRIV_H

#include "base/list.h"
#include "worker/dirty.h"
#include "worker/lanes.h"

/* A port on one worker; of worker 0's the port itself. */
struct lanes_leg {
	/* in pauses */
	struct port *port; /* NULL: it has none there */
	struct port *mail; /* owned; on the lane while it is .port; NULL: there
			    * was no memory, or worker 0 */
	/* the lane's, and worker 0's in pauses */
	bool is_told;  /* it was told of the fault */
	uint8_t fault; /* enum port_fault, found there and not taken yet */
	char text[256];
};

/* In pauses, but for what is said above. */
struct lanes_port {
	struct lanes_port *next; /* in the chain */
	struct list link;        /* in lanes_net.ports */
	struct port *port;       /* borrowed: worker 0's */
	uint32_t serial;
	bool is_up;
	struct port_stats past; /* of legs that it had */
	struct lanes_leg leg[]; /* by worker */
};

struct lanes_lane {
	struct lanes_net *net;
	unsigned me;
	struct lan *lan; /* owned */
	/* the lane's */
	bool has_untold; /* a fault that is not told */
	/* worker 0's: places of its table that are to be told there */
	_Alignas(MEM_APART) struct dirty dirty;
};

struct lanes_net {
	/* in pauses */
	struct lanes *lanes;
	uint32_t number;
	struct lan *lan;            /* borrowed: worker 0's */
	struct lanes_port **bucket; /* owned; chains by serial */
	uint32_t mask;              /* number of those - 1 */
	struct list ports;          /* of lanes_port.link */
	unsigned n_ports;
	struct lanes_lane *lane; /* owned; by worker, the first is not used */
	/* worker 0's */
	struct timer_wheel *wheel; /* borrowed */
	struct timer timer;        /* news are told */
	uint64_t news_ns;          /* not before */
};

/* A worker's: frames that came one behind the other on one way. */
struct lanes_intake {
	_Alignas(MEM_APART) struct mail_cell cell; /* of all of b */
	struct batch b;
};

struct lanes {
	struct team *team; /* borrowed */
	unsigned n;        /* workers */
	/* in pauses */
	struct lanes_net **net; /* owned; by number, NULL: gone */
	uint32_t n_nets;        /* ever: numbers are not used again */
	struct lanes_intake *intake; /* owned; by worker */
};

/* The port of that serial, or NULL. */
struct lanes_port *lanes_find(const struct lanes_net *n, uint32_t serial);

/* lan_watch.mac: worker 0's table has changed. */
void lanes_mac_changed(void *arg, unsigned slot);
/* All of it is news for lane i. */
void lanes_mac_all(struct lanes_net *n, unsigned i);
/* timer_fn of lanes_net.timer. */
void lanes_news_fire(struct timer *t, uint64_t now_ns);
/* The hooks of lane_config, and lan_events.fault; arg is the lanes_lane. */
uint64_t lanes_punt(void *arg, struct port *from, const struct batch *b,
		    uint64_t mask);
void lanes_used(void *arg, struct port *p, mac m);
void lanes_fault(void *arg, struct port *leg, enum port_fault why,
		 const char *text);

#endif
