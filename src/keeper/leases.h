/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The leases of a network, kept beyond its engines: each change that an engine
 * tells is a line behind the file's others, in the page cache before anything
 * else is done, so that no kill loses it, and on disk a second later.  When the
 * file has become long it is written anew beside itself and renamed.  A new
 * engine gets all of them before it serves.
 *
 * The file of a network that has a name is in the folder of os/statedir.h and
 * outlives it; a machine's own network has it in its own folder, which goes
 * with it.  Who holds the file has its lock; a network of the same name
 * elsewhere (another XDG_RUNTIME_DIR) that finds it held goes without.
 */
#ifndef KEEPER_LEASES_H
#define KEEPER_LEASES_H

#include "keeper/keeper_priv.h"
#include "keeper/lease_line.h"

struct leases;

/* Reads what there is.  Failures are told in the log and cost nothing but what
 * could not be read; NULL only without a network, or without memory. */
struct leases *leases_open(struct keeper *k);
struct leases *leases_close(struct leases *s); /* NULL is fine; returns NULL */

/* Sends all of them to a new engine, which has n's order; n is any netdev. */
MUST_USE int leases_send(struct leases *s, const struct plan_netdev *n);
/* The engine says that one has changed. */
void leases_take(struct leases *s, const struct msg_lease *m);
/* Whoever has this MAC does not come again. */
void leases_forget(struct leases *s, mac m);

/* Calls fn for each, by address, those of IPv4 first; NULL has none. */
typedef void (*leases_fn)(void *arg, const struct kept_lease *l);
void leases_each(struct leases *s, leases_fn fn, void *arg);
/* The one of this address, or NULL. */
const struct kept_lease *leases_at(const struct leases *s, const addr *ip);
/* True if it is its client's now. */
bool lease_is_live(const struct kept_lease *l);

#endif
