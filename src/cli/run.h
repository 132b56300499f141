/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of `vmlan run`: run.c reads the command line, run_link.c chooses
 * the cables, run_net.c starts or joins the networks, run_cloud.c hands them
 * what cloud-init asks for, run_args.c makes the VMM's arguments, run_vmm.c
 * starts the VMM and waits for it.  One thread, the command's process.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/cli.h"
#include "cli/qemu.h"
#include "cli/start.h"
#include "control/protocol.h"
#include "grammar/net_option.h"
#include "grammar/nic.h"
#include "grammar/port_spec.h"

enum {
	RUN_RULES_MAX = 256,
	RUN_NETS_MAX = 16, /* -net and -nic */
	RUN_NICS_MAX = 8,
};

/* One card of the machine, and the network that it is on. */
struct run_nic {
	struct mode_spec mode; /* owned; .mode NULL: what -nic and -net say */
	bool has_model;
	struct nic_spec card; /* model NULL: what the machine takes */
	/* as found and made */
	struct start start; /* the network's keeper, if we started it */
	char network[MODE_NAME_LEN + 16];
	char machine[CONTROL_NAME_LEN]; /* its name there */
	bool is_attached;
	char socket[108];    /* the machine's end of its cable */
	bool qemu_serves;    /* QEMU listens, vmlan connects */
	bool is_vhost;	     /* the cable is vhost-user, no stream */
	char mac[MAC_STRLEN]; /* "" = not known */
};

/* What the machine's cloud-init finds; driven by run_cloud.c. */
struct run_cloud {
	bool is_on;	       /* any of the three options was given */
	bool is_made;	       /* --cloud */
	const char *user_file; /* borrowed from argv; NULL: not given */
	const char *meta_file;
	char *user_data, *meta_data; /* owned; NULL: none yet */
	size_t n_user_data, n_meta_data;
	char url[80]; /* where it is found; "" = not known yet */
};

struct run {
	/* as asked for */
	char name[CONTROL_NAME_LEN]; /* "" = from the VMM's command line */
	struct port_rule rules[RUN_RULES_MAX];
	unsigned n_rules;
	struct run_nic nics[RUN_NICS_MAX];
	unsigned n_nics;
	unsigned n_modes; /* --net was given so often .. */
	unsigned n_cards; /* .. and a card */
	const char *pxe;  /* borrowed from argv: the folder that the machine
			   * boots from; NULL: from its disks */
	const struct run_nic *pxe_nic; /* by this card */
	bool is_none;	  /* no network: --net none, -nic none, -net none */
	/* -nic and -net: the LAN's netdevs, instead of the mode's */
	struct net_option nets[RUN_NETS_MAX]; /* owned */
	unsigned n_nets;
	bool on_hub; /* the card is on hub 0 */
	struct run_cloud cloud;
	int verbosity;
	bool helped;
	char **vmm; /* NULL-terminated, borrowed from argv */
	int n_vmm;

	/* as found */
	struct qemu_cmd qemu;
	struct cli_common common;
	bool has_ms; /* QEMU knows reconnect-ms */
	bool has_started; /* the VMM */
};

/* True if n is the type of o's netdev. */
bool run_net_is(const struct net_option *o, const char *type);
/* A failure of vmlan's own, said; returns code. */
__attribute__((format(printf, 2, 3))) int run_failure(int code,
						      const char *fmt, ...);
/* The same of e.  A conflict or a permission keeps its own code; the VMM was
 * not started, so nobody can take it for the VMM's. */
int run_net_failure(const struct error *e);
/* Everything after the command line; returns the exit code. */
int run_machine(struct run *r);

/* Finds the VMM and chooses each card's cable. 0, or an exit code having said
 * why. */
int run_choose_links(struct run *r);
/* Starts or joins the networks and plugs the machine in. 0, or an exit code
 * having said why. */
int run_nets_start(struct run *r);
/* The networks live as long as this process now. */
void run_nets_hold(struct run *r, pid_t pid);
/* Leaves the networks, and waits for the end of those that were ours alone. */
void run_nets_end(struct run *r);

/* --user-data, --meta-data. 0, or EXIT_USAGE having said why. */
int run_cloud_user_data(struct run *r, const char *path);
int run_cloud_meta_data(struct run *r, const char *path);
/* When the command line is known: whether it can be had, and what is in the
 * files. 0, or an exit code having said why. */
int run_cloud_check(struct run *r);
/* When the machine is plugged in: hands it to a network of its. 0, or an exit
 * code having said why. */
int run_cloud_put(struct run *r);
/* The value of -smbios by which cloud-init finds it, which the caller frees;
 * NULL: no memory. */
char *run_cloud_smbios(const struct run *r);
void run_cloud_deinit(struct run *r);

/* The VMM's arguments with the cards added: a NULL-terminated array that the
 * caller frees with run_args_free(); NULL having said why, *codep set. */
char **run_args_make(struct run *r, int *codep);
void run_args_free(char **args);
/* A VMM that is not QEMU must say where it takes its sockets. 0, or
 * EXIT_USAGE having said why. */
int run_args_check(const struct run *r);

/* Starts args[0], has the networks live for it, passes signals on and waits.
 * The VMM's status, 128 + signal, or 125 to 127. */
int run_vmm(struct run *r, char **args);

#endif
