/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a network is, written down in its folder at each change, so that
 * another keeper can take the place of one that was killed: the command that
 * finds the folder reads it (cli/revive.c), ends the engine that was left, and
 * starts a keeper with it.
 *
 *	{"name", "mode", "mac_name", "options": [..], "kept", "shared",
 *	 "netdevs": [..], "ports": [[..], ..], "engine", "engine_started",
 *	 "cwd", "netns", "has_fds", "activated", "front",
 *	 "machines": [{"request": {..}, "plug", "address", "ports": [..],
 *	 "ids": [..], "heard": [..], "pid", "pid_started",
 *	 "cable": {..}}],
 *	 "forwards": [..], "last_forward"}
 *
 * "options", "netdevs" and "cwd" may be any bytes (control/text.h).
 *
 * What names and paths mean depends on where one is: the new keeper begins in
 * the folder "cwd", and only in the same network namespace.  One that was given
 * descriptors cannot have a successor.
 */
#ifndef KEEPER_STATE_H
#define KEEPER_STATE_H

#include "keeper/keeper_priv.h"

/* Writes it down. A failure is told in the log, once for each. */
void state_save(struct keeper *k);
/* The same, once a second at most: what machines say is no reason to write more
 * often. */
void state_save_rarely(struct keeper *k);
/* Notes the network namespace, in which alone another may begin. */
void state_init(struct keeper *k);
/* plan_args.port_before; past: network->state, read. */
int state_port(const void *past, unsigned n, unsigned i);
/* Plugs the machines of network->state in again, before there is an engine;
 * one that cannot be is left out, and the log says so. */
void state_restore(struct keeper *k);

#endif
