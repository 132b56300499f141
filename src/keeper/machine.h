/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The machines of a network that are plugged in while it runs: each has a
 * netdev, a socket in the network's folder, and a process whose life is its
 * own.  Called by the control socket's requests and by what the engine tells.
 *
 *	          attach                 the process has ended, or let go
 *	nobody ------------> plugged in ----------------------------> over
 *	   ^                                                            |
 *	   +----- the cable has no peer (any more) ---------------------+
 *
 * A VMM that made itself a daemon left a child behind that still uses the
 * network: its cable tells when that ends.  An engine that died took all cables
 * with it; then a peer has LONELY_NS to come back.  A program of the host has
 * its card in a namespace of its own, and its process is all it lives by.
 */
#ifndef KEEPER_MACHINE_H
#define KEEPER_MACHINE_H

#include "base/impair.h"
#include "control/request.h"
#include "keeper/keeper_priv.h"

/* A machine's cable, as asked for; all zero: as it should be. */
struct cable_state {
	bool is_pulled;
	struct impair_set set;
};

struct machine {
	struct list link; /* in keeper.machines */
	struct keeper *keeper;
	char name[CONTROL_NAME_LEN];
	struct netdev_spec *spec;  /* owned */
	struct plan_netdev *netdev; /* the plan's; goes with the machine */
	unsigned plug;		   /* number in the socket's name */
	char socket[108];
	pid_t netns; /* whose namespace has its card; 0: it has a socket */
	bool is_vhost;
	bool vmm_listens;
	bool has_mac; /* mac is the card's */
	mac mac;
	addr ip; /* kept for that; unspecified: none is */
	mac heard_mac; /* what the engine heard: zero, none */
	addr heard[ENGINE_HEARD_MAX]; /* last first */
	unsigned n_heard;
	/* What engines before this one heard: a machine that goes on need not
	 * say again where it is. */
	addr before[ENGINE_HEARD_MAX];
	unsigned n_before;
	bool has_cloud; /* cloud.h */
	struct cable_state cable; /* cable.h */
	struct cable_state cable_before; /* and again, when the .. */
	struct timer cable_timer; /* .. time is over; disarmed: it stays */
	struct attach_request request; /* owned; as it would be asked again */
	/* Of the forwards that ask for any host port: the one that they got. */
	uint16_t ports[CONTROL_FORWARDS_MAX];
	uint32_t ids[CONTROL_FORWARDS_MAX]; /* their numbers */
	struct loop_io life; /* fd: pidfd, owned; -1 = nobody holds it */
	pid_t pid;	     /* of that process, 0 = none */
	uint64_t pid_started; /* as proc_started() says */
	struct timer lonely;
};

/* That it is known by: what was given, or was heard; zero: none yet. */
static inline mac machine_mac(const struct machine *m)
{
	return m->has_mac ? m->mac : m->heard_mac;
}

/* Plugs a machine in. 0, or negative with one line in *e. */
__attribute__((warn_unused_result)) int
machine_attach(struct keeper *k, const struct attach_request *a,
	       struct machine **mp, struct error *e);
/* What a machine had with a keeper that was killed. */
struct machine_past {
	unsigned plug;
	addr ip;
	pid_t pid; /* 0: nobody is known to hold it; it must come by itself */
	uint16_t ports[CONTROL_FORWARDS_MAX]; /* as struct machine's */
	uint32_t ids[CONTROL_FORWARDS_MAX];   /* 0: new ones */
	addr before[ENGINE_HEARD_MAX];
	unsigned n_before;
};
/* Plugs such a machine in again, before there is an engine. */
__attribute__((warn_unused_result)) int
machine_restore(struct keeper *k, const struct attach_request *a,
		const struct machine_past *past, struct machine **mp,
		struct error *e);
/* NULL: there is none of that name. */
struct machine *machine_find(struct keeper *k, const char *name);
/* From now on it lives as long as pid does; 0: until its cable has no peer.
 * It may be gone after that. */
__attribute__((warn_unused_result)) int
machine_hold(struct machine *m, pid_t pid, struct error *e);
/* Unplugs it. */
void machine_detach(struct machine *m);
/* A peer of its netdev came or went. */
void machine_peer(struct machine *m, bool is_here);
/* The engine heard which addresses it has (heard.c). */
void machine_heard(struct machine *m, const struct msg_heard *h);
/* The engine that heard it is no more. */
void machine_heard_before(struct machine *m);
enum { MACHINE_ADDRESSES_MAX = 2 * ENGINE_HEARD_MAX };
/* All that were heard, and not elsewhere since; their number.  Those that mean
 * something on one link alone (RFC 4291 2.5.6) come last. */
unsigned machine_addresses(const struct machine *m,
			   addr list[MACHINE_ADDRESSES_MAX]);
/* The i-th of the forwards that it was plugged in with has been taken away, and
 * is not asked for another time. */
void machine_forward_removed(struct machine *m, unsigned i);
/* All cables died with the engine. */
void machines_engine_lost(struct keeper *k);

#endif
