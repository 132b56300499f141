/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The owner of a LAN: opens what its netdevs name, starts the engine in its
 * sandbox, hands it plan and descriptors, connects and reconnects clients,
 * follows resolv.conf, starts the engine again if it dies, and undoes all of
 * it at the end.  It sees no guest byte.
 *
 * `join` runs it in the foreground; `run` starts it detached.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"
#include "control/engine_msg.h"
#include "grammar/netdev_spec.h"

/* A network with a name and a folder, which machines join while it runs, and
 * which ends when nobody needs it: it is not kept, the last machine has left,
 * and who started it has done what it wanted to. All borrowed. */
struct keeper_network {
	const char *name; /* of the folder too */
	const char *dir;  /* the folder */
	const char *mode; /* its word */
	const char *mac_name; /* what its machines' MACs are made from */
	char *const *options; /* KEY=VALUE, as given */
	unsigned n_options;
	bool is_kept; /* from the start on */
	bool is_shared; /* by machines that come and go; stderr is a file, which
			 * must not grow for ever */
	const char *state; /* as another keeper wrote it down; NULL: anew */
	const char *file; /* the configuration that it was started by; NULL */
	bool denies_exec; /* no program of the host may be a machine of it */
	int starter_fd; /* owned; end of file: who started it has done */
	bool in_front; /* a service manager's, or somebody's at a terminal:
			* stderr is none of ours */
	int control_fd; /* owned: listens in the folder, the service manager
			 * does as well; -1: one is opened there */
};

struct keeper_config {
	struct netdev_spec *const *specs; /* borrowed */
	unsigned n_specs;
	struct log *log;  /* borrowed */
	struct log *say;  /* borrowed: where what was bound is told */
	uint32_t deny;	  /* ENGINE_DENY_* */
	/* Workers of the engine; 0: as many as the greatest queues= of its
	 * plan, and of machines that will come has (0: 1), but no more than
	 * CPUs. */
	unsigned workers;
	unsigned queues;
	const char *resolv_conf; /* NULL = /etc/resolv.conf */
	/* The engine outlives a killed keeper while machines are connected
	 * (run); false: it ends at once (join). */
	bool engine_outlives;
	/* Called once, when every netdev is served.  May start a child, which
	 * asks the network for more: that is its pid, and rest_over is called
	 * when it has ended; else 0. */
	pid_t (*ready)(void *arg);
	void (*rest_over)(void *arg); /* NULL: no child is started */
	void *arg;
	/* NULL: it lives until told to end, and has no control socket. */
	const struct keeper_network *network;
};

/* Runs until SIGTERM, SIGINT, the end of the need for the network, or a
 * failure. 0, or negative with *e filled. */
__attribute__((warn_unused_result)) int
keeper_run(const struct keeper_config *c, struct error *e);

/* Bits of ENGINE_DENY_* for "peek_off,ping,gso,vnet_hdr" (the test switch
 * VMLAN_DENY); unknown words are -1. */
int keeper_deny_parse(const char *text);

#endif
