/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwards as people see them: each has a number, and one host port or a range
 * of them, of one address of the host's or of two (localhost; all of them), so
 * that one forward is several sockets (struct plan_forward), all of them or
 * none.
 *
 *	a netdev's hostfwd=  --+
 *	a machine's (run -p) --+--> struct forward ---> sockets --> engine
 *	vmlan fwd, gvproxy's --+
 *
 * A number is never given twice, and stays with its forward when the network
 * gets another keeper.  Called by the netdev user's opener, machine.c, the
 * requests and state.c.
 */
#ifndef KEEPER_FORWARDS_H
#define KEEPER_FORWARDS_H

#include <jansson.h>

#include "keeper/keeper_priv.h"
#include "keeper/requests.h"

enum forward_origin {
	FORWARD_OF_NETDEV,  /* the i-th of a netdev's hostfwd= */
	FORWARD_OF_MACHINE, /* the i-th that a machine was plugged in with */
	FORWARD_ADDED,	    /* while the network ran */
};

struct forward {
	struct list link; /* in plan.forwards, by number */
	uint32_t id;
	enum forward_origin origin;
	unsigned index;		    /* i above */
	struct plan_netdev *netdev; /* borrowed: the netdev user */
	struct machine *machine; /* borrowed: it goes with that; NULL: none */
	struct port_rule rule;	 /* as it was asked for */
	addr guest_ip;		 /* where it leads */
	struct forward_rules rules;
	uint16_t drawn; /* the host port where any was asked for; before it is
			 * open: that of before */
	char *local;	/* owned: the host's side in a gvproxy client's words;
			 * NULL: it was nobody's */
	bool is_removed; /* one of hostfwd= that the netdev has no more */
};

/* Opens all sockets of a forward like model (its id 0: a new one), whose guest
 * is one of n's network; the engine is not told.  0; or negative, nothing is
 * open then, and *e names the port and who holds it. */
MUST_USE int forward_open(struct plan_netdev *n, const struct forward *model,
			  struct forward **fp, struct error *e);
/* Closes them, and forgets it. */
void forward_close(struct forward *f);
/* Closes them, and remembers that the netdev's hostfwd= is not wanted. */
void forward_retire(struct forward *f);
/* Tells a running engine. */
void forward_tell(struct keeper *k, const struct forward *f);
void forward_untell(struct keeper *k, const struct forward *f);
/* Its event, FORWARD_ADDED or _REMOVED; all of hostfwd= are there. */
void forward_say(struct keeper *k, enum event_id id, const struct forward *f);
void forwards_say_first(struct keeper *k);
/* Number of its sockets. */
unsigned forward_n_ports(const struct forward *f);
/* NULL: there is none, or none any more. */
struct forward *forward_find(struct plan *p, uint32_t id);

/* The engine has no room for the socket that it knows as serial.  True: who is
 * not the network's own goes without it; false: it was the network's. */
bool forward_refused(struct keeper *k, struct plan_netdev *n, uint32_t serial,
		     const char *why);

/* ---- requests (forward_requests.c), as schema.h describes them: 0 with *op,
 * which is NULL if there was no memory for it, or negative with *e ---- */

MUST_USE int forwards_get(struct keeper *k, const struct request *r,
			  json_t **op, struct error *e);
MUST_USE int forwards_post(struct keeper *k, const struct request *r,
			   json_t **op, struct error *e);
MUST_USE int forwards_delete(struct keeper *k, const struct request *r,
			     json_t **op, struct error *e);
/* Takes it away, whosever it is. */
void forwards_remove(struct keeper *k, struct forward *f);
/* Opens and keeps one that was added; machine NULL: the network's.  Its rule is
 * as typed, the guest maybe not named. */
MUST_USE int forwards_open(struct keeper *k, struct forward *model,
			   struct forward **fp, struct error *e);

/* One socket of a forward's, as show has it. */
json_t *forward_port_object(const struct plan_forward *pf);

/* ---- for state.c ---- */

/* Those that were added, as text for another keeper; NULL: no memory. */
json_t *forwards_state(const struct keeper *k);
/* Opens them again, after the machines; one that cannot be is left out, and
 * the log says so. */
void forwards_restore(struct keeper *k, const json_t *list);

/* ---- gvproxy's requests (forwarder.c), the same ---- */

MUST_USE int forwarder_expose(struct keeper *k, const struct request *r,
			      json_t **op, struct error *e);
MUST_USE int forwarder_unexpose(struct keeper *k, const struct request *r,
				json_t **op, struct error *e);
MUST_USE int forwarder_all(struct keeper *k, const struct request *r,
			   json_t **op, struct error *e);

#endif
