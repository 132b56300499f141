/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of `vmlan run`: run.c reads the command line, run_net.c makes the
 * machine's network (keeper) and the VMM's arguments, run_vmm.c starts and
 * waits for the VMM.  One thread, the command's process.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/cli.h"
#include "cli/qemu.h"
#include "grammar/net_option.h"
#include "grammar/nic.h"
#include "grammar/port_spec.h"
#include "os/rundir.h"

enum {
	RUN_RULES_MAX = 256,
	RUN_NETS_MAX = 16,
};

struct run {
	/* as asked for */
	char name[64]; /* "" = from the VMM's command line */
	const char *net; /* NULL = nat */
	struct port_rule rules[RUN_RULES_MAX];
	unsigned n_rules;
	bool has_nic;
	struct nic_spec nic; /* model NULL: what the machine takes */
	/* -nic and -net: the LAN's netdevs, instead of the mode's */
	struct net_option nets[RUN_NETS_MAX]; /* owned */
	unsigned n_nets;
	bool on_hub; /* the card is on hub 0 */
	bool is_none; /* -nic none or -net none was said */
	int verbosity;
	bool helped;
	char **vmm; /* NULL-terminated, borrowed from argv */
	int n_vmm;

	/* as found and made */
	struct qemu_cmd qemu;
	struct cli_common common;
	struct rundir dir;
	char socket[108];    /* the machine's end of its cable */
	bool qemu_serves;    /* QEMU listens, vmlan connects */
	bool is_vhost;	     /* the cable is vhost-user, no stream */
	bool has_ms;	     /* QEMU knows reconnect-ms */
	pid_t keeper;	     /* 0 = none */
	int life_fd;	     /* to the keeper, owned */
};

/* True if n is the type of o's netdev. */
bool run_net_is(const struct net_option *o, const char *type);
/* Everything after the command line; returns the exit code. */
int run_machine(struct run *r);

/* Starts the keeper with its netdevs and waits until all is served. 0, or
 * an exit code having said why. */
int run_net_start(struct run *r);
/* Waits for the keeper's end and removes what it left. */
void run_net_end(struct run *r);
/* The VMM's arguments with the NIC added: a NULL-terminated array that the
 * caller frees with run_args_free(); NULL having said why, *codep set. */
char **run_args_make(struct run *r, int *codep);
void run_args_free(char **args);

/* Starts args[0], tells the keeper whom to live for, passes signals on and
 * waits. The VMM's status, 128 + signal, or 125 to 127. */
int run_vmm(struct run *r, char **args);

#endif
