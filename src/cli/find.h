/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A machine that runs, by what a person calls it: NETWORK/VM, or VM alone
 * where no other network has one of that name.  A network, by its name.
 */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include <jansson.h>

#include "base/error.h"
#include "base/mem.h"
#include "control/protocol.h"

struct found {
	char network[CONTROL_NAME_LEN];
	char machine[CONTROL_NAME_LEN];
	json_t *o; /* owned: the network, as its keeper shows it */
};

#define FOUND_NULL ((struct found){.o = NULL})

/* What the network of that name shows at path (control/protocol.h): 0, *op is
 * then the caller's; or negative with one line in *e: EXIT_USAGE if it is no
 * name, EXIT_NO_NETWORK if it does not run, which the command says. */
MUST_USE int find_network(const char *command, const char *name,
			  const char *path, json_t **op, struct error *e);
/* 0, *f is then the caller's (found_deinit); else negative with one line in *e:
 * EXIT_USAGE if text is no name, EXIT_NO_NETWORK, EXIT_NO_OBJECT if there is no
 * such machine, or which it is is not clear. */
MUST_USE int find_machine(const char *text, struct found *f, struct error *e);
void found_deinit(struct found *f);
/* A network that runs, by its name, or a machine as find_machine(); a network
 * of that name comes before a machine.  *machine is "" if it is one. */
MUST_USE int find_place(const char *text, char network[CONTROL_NAME_LEN],
			char machine[CONTROL_NAME_LEN], struct error *e);
/* The machine of that name in what a keeper shows, or NULL. */
const json_t *find_in(const json_t *network, const char *machine);

#endif
