/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's network cards: what `vmlan nic list` prints and `run --nic`
 * takes.  Constant data; called by the commands.
 */
#ifndef GRAMMAR_NIC_H
#define GRAMMAR_NIC_H

#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/mem.h"

struct nic_model {
	const char *name;    /* NULL ends the table */
	const char *aliases; /* joined by spaces, NULL = none */
	const char *device;  /* QEMU's -device name */
	const char *help;    /* one line */
};

struct nic_spec {
	const struct nic_model *model;
	bool has_mac;
	mac mac;
	unsigned queues; /* pairs; 0: not said, one */
};

/* All models; the first is the default of `run`. */
extern const struct nic_model nic_models[];

/* By name or alias; NULL if there is none. */
const struct nic_model *nic_model_find(const char *name);
/* "MODEL", "model=MODEL", "mac=MAC" and "queues=N", or some of them joined by
 * commas; a MODEL without its key is first, and without one it is the default.
 * 0, or negative with one line in *e (EXIT_USAGE). */
MUST_USE int nic_parse(const char *text, struct nic_spec *np, struct error *e);
/* A machine's MAC: 52:54:00 and 24 bits of a hash of network, name and the
 * number of the card; the same in every run. */
mac nic_mac(const char *network, const char *name, unsigned nic);
/* The table of `vmlan nic list`. */
void nic_list(FILE *out);

#endif
