/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IGMP and MLD snooping (RFC 4541): behind which port somebody listens to
 * which multicast group.
 *
 * The switch listens to the reports of machines.  It may keep a frame from a
 * port only if it can know that nobody there wants it, and machines repeat
 * their reports only when somebody asks.  Hence these rules, for each family:
 *
 *      nobody asks (no general query within SNOOP_QUERIER_NS)
 *              every group frame goes to every port
 *      somebody asks
 *              a frame goes to the ports where its group has a listener, to
 *              routers (whoever asks, or says that it routes; uplinks), and to
 *              ports of which not all is known: their link came up and they
 *              have not been asked since and had time to answer, or they have
 *              more listeners than are remembered
 *      in any case
 *              groups of link-local scope (224.0.0.0/24, ff02::/16: ARP's
 *              successor, mDNS, routing) go to every port, and so does all
 *              that is not plainly IP multicast
 *
 * A report is for routers only (RFC 4541 2.1.1): a machine of an old version
 * that heard another's would keep its own to itself.  So nothing is lost by a
 * bound, a lost report costs nothing before the third query, and a machine
 * that lies about queries or groups gets more than it wants and takes nothing
 * from others: a query restricts by being answered (one that machines may drop
 * is not believed), each report is for its own port only, and both wear off
 * together.
 *
 * Called by lan.c and lan_port.c for group frames only, on the worker's
 * thread.  A hub has the table too (the gateway asks it), and repeats all.
 */
#ifndef LAN_SNOOP_H
#define LAN_SNOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/timer.h"
#include "lan/port.h"

struct snoop_group;

enum {
	SNOOP_MAX = 4096,     /* listeners: a group at a port is one */
	SNOOP_PORT_MAX = 256, /* of them at one port */
	SNOOP_BUCKETS = 1024,
	SNOOP_FLOOD = -1,     /* see snoop_exits() */
};

#define SNOOP_SECOND UINT64_C(1000000000)
/* The other querier present interval of RFC 2236 and 2710, 255 s, rounded. */
#define SNOOP_QUERIER_NS (260 * SNOOP_SECOND)
/* A query that lets its answers wait longer is not believed. */
#define SNOOP_WAIT_MAX_MS 26000
/* How long a report holds: two queries' answers more than a querier does. */
#define SNOOP_LISTENER_NS (340 * SNOOP_SECOND)

/* What is known of the queries of one family. */
struct snoop_family {
	uint64_t until_ns; /* somebody asks, until then */
	/* Who has the lowest address of those that are none of our ports. */
	addr other;
	uint64_t other_until_ns;
};

struct snoop {
	struct slab listeners; /* of struct snoop_listener */
	struct slab groups;    /* of struct snoop_group */
	struct snoop_group *bucket[SNOOP_BUCKETS];
	struct list by_group;  /* of struct snoop_group */
	struct hash_key key;
	struct snoop_family family[PORT_FAMILIES];
	struct timer_wheel *wheel; /* borrowed */
	struct timer age_timer; /* armed while there are listeners */
};

/* 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int snoop_init(struct snoop *s,
						   struct timer_wheel *wheel);
void snoop_deinit(struct snoop *s);

/* p comes onto the lan, or its link changes: nothing is known of it. */
void snoop_port_init(struct port *p);
void snoop_forget(struct port *p);
void snoop_link_up(struct port *p);
/* Who gets the group frame f that came by from: the ports, at most max, are
 * stored at exit and their number is returned; or SNOOP_FLOOD: all do.  What f
 * says of listeners is learned. */
int snoop_exits(struct port *from, const struct frame *f, struct port **exit,
		unsigned max);

#endif
