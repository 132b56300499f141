/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network's keeper, started detached from the command that wants it.
 *
 * Of two that want one network at the same instant one gets the lock of its
 * folder and starts it, the other attaches to it.
 */
#ifndef CLI_START_H
#define CLI_START_H

#include <jansson.h>
#include <sys/types.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "grammar/netdev_spec.h"
#include "mode/mode.h"
#include "os/rundir.h"

struct start {
	/* what is wanted; borrowed */
	const char *name;     /* of network and folder */
	const char *mode;     /* its word */
	const char *mac_name; /* what its machines' MACs are made from */
	char *const *options; /* KEY=VALUE */
	unsigned n_options;
	struct netdev_spec *const *specs;
	unsigned n_specs;
	unsigned queues; /* of the machine that it is started for; 0: 1 */
	bool is_kept;	/* as by vmlan up */
	bool is_shared; /* by machines that come and go: it outlives the
			 * command, and logs to a file of its own */
	const char *state; /* as a killed keeper wrote it down; NULL: anew */
	const char *cwd;   /* the keeper's; NULL: this one */
	const char *file;  /* that says all this; NULL: none does */
	const struct cli_common *common;
	int verbosity;
	bool in_front;	/* the keeper is this process, until it ends */
	int control_fd; /* in_front: owned, listens in its folder; -1: none */
	/* in_front: called with arg in a child, once it serves anew; NULL */
	void (*after)(void *arg);
	void *arg;
	char said[MODE_SAID_LEN]; /* to be told once it runs; "" = nothing */
	/* what came of it */
	struct rundir dir;
	pid_t keeper; /* our child; 0 = none */
	int life_fd;  /* owned: the keeper stays while it is open; -1 */
};

/* Starts it and waits until all is served. 0; -EEXIST if a living network has
 * that name; -EXDEV if one has whose keeper was killed, and this is not the
 * place to give it another; else negative; *e is filled unless 0. */
MUST_USE int start_network(struct start *s, struct error *e);
/* The same in dir, whose lock is taken; in_front: until the keeper ends. */
MUST_USE int start_taken(struct start *s, struct error *e);
/* Lets go of the keeper: from now on it lives as long as it is needed. */
void start_done(struct start *s);

/* Finds the network running as wanted: 1, -ENOENT if it does not run, else
 * negative with *e filled. */
MUST_USE int start_join(const struct start *s, struct error *e);
/* Starts the network, or finds it running in the same mode, with no other
 * value of a key that is given. 0: started, 1: found, negative with *e. */
MUST_USE int start_or_join(struct start *s, struct error *e);

/* Is the network's keeper until that ends (front.c), in the place of one that
 * was killed, if it was of the same network.  0, or negative with *e. */
MUST_USE int start_in_front(struct start *s, struct error *e);
/* The part of it that takes a killed one's place: -ENOENT, there is none. */
MUST_USE int start_revive_in_front(const struct start *s, struct error *e);
/* 0 if o, which runs or ran, is what is wanted; else negative with *e. */
MUST_USE int start_check_same(const struct start *s, const json_t *o,
			      struct error *e);
/* True if a service manager listens for the network, which does not run; now it
 * does start it. */
bool start_wakes(const char *name);

enum { START_MAC_NAME_LEN = 192 };

/* What the MACs of a network's machines are made from.  LANs of our own know
 * each other's machines by nothing but their names; what a machine is called on
 * a LAN that others share (mode NULL: it may be one) says nothing there without
 * host and user. */
void start_mac_name(const struct mode *mode, const char *name,
		    char buf[static START_MAC_NAME_LEN]);

/* The host's side of modes: where it has routes to, and who it is. */
void start_look_at_host(struct mode_host *h);
void start_forget_host(struct mode_host *h);
/* As ctl_ask(), but waits a while for a network that starts or ends, and gives
 * one whose keeper is killed at this moment another one. */
MUST_USE int start_ask(const char *name, const char *method, const char *path,
		       const char *body, json_t **answerp, struct error *e);
/* Gives the network of that name, whose keeper was killed, another one if it is
 * wanted and this is the place for it; says so, or why not (revive.c), which
 * before a call with wait_ms start_sweep() has said.  Who was killed may hold
 * its folder for a moment more: that is waited for.  0; -EBUSY: somebody lives
 * in it, or is giving it a keeper; -ENOENT: it has none, nor will it have one
 * here. */
MUST_USE int start_revive(const char *name, unsigned wait_ms, struct log *log);
/* Gives the network of that name, which runs, a keeper and an engine with s's
 * mode, options, specs and file, in place of those that it has; its machines
 * are plugged in again, with the addresses that fix() gives them in its state
 * (control/protocol.h).  Where that cannot be it is as before, if that can be.
 * 0, or negative with *e. */
MUST_USE int start_replace(struct start *s, void (*fix)(json_t *state,
							const void *arg),
			   const void *arg, struct error *e);
/* True if it is wanted, and could have another here; whether it has one is not
 * looked at. */
bool start_may_revive(const char *name);
/* True if it is wanted: its folder is not to be removed (rundir_spares). */
bool start_spares(const char *name);
/* Gives networks that lost their keeper another one, where they are wanted, and
 * removes what else kills left behind, as rundir_sweep() (revive.c). */
void start_sweep(void);
/* Waits for the end of a network that nobody needs, or, machine given, until
 * that machine is gone from it.  Gives up after seconds. */
void start_await_end(const char *name, const char *machine);

#endif
