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

#include "base/error.h"
#include "base/log.h"
#include "control/engine_msg.h"
#include "grammar/netdev_spec.h"

struct keeper_config {
	struct netdev_spec *const *specs; /* borrowed */
	unsigned n_specs;
	struct log *log;  /* borrowed */
	struct log *say;  /* borrowed: where what was bound is told */
	uint32_t deny;	  /* ENGINE_DENY_* */
	const char *resolv_conf; /* NULL = /etc/resolv.conf */
	/* The engine outlives a killed keeper while machines are connected
	 * (run); false: it ends at once (join). */
	bool engine_outlives;
	/* Called once, when every netdev is served. */
	void (*ready)(void *arg);
	void *arg;
	/* A descriptor that tells when to end, owned, -1 = none: readable with
	 * one message that carries a pidfd (then the end is that process's
	 * end), or end of file without one (then at once). */
	int life_fd;
};

/* Runs until SIGTERM, SIGINT, the end life_fd tells, or a failure. 0, or
 * negative with *e filled. */
__attribute__((warn_unused_result)) int
keeper_run(const struct keeper_config *c, struct error *e);

/* Bits of ENGINE_DENY_* for "peek_off,ping,gso,vnet_hdr" (the test switch
 * VMLAN_DENY); unknown words are -1. */
int keeper_deny_parse(const char *text);

#endif
