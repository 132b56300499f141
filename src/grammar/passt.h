/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The netdev passt of QEMU in the words of ours, user: no process of that name
 * is started, the gateway built in does what the options mean.  Called by the
 * parser, which refuses what it cannot mean, and by the keeper.
 */
#ifndef GRAMMAR_PASST_H
#define GRAMMAR_PASST_H

#include "grammar/user_opts.h"

/* spec is of kind passt; as netdev_user_resolve(), forwards included. */
MUST_USE int netdev_passt_resolve(const struct netdev_spec *spec,
				  struct user_opts *o, struct error *e);
/* The netdev user that it is, without the forwards, as a string.  The caller
 * frees; NULL with the reason in *e (EXIT_USAGE). */
char *netdev_passt_user(const struct netdev_spec *spec, struct error *e);

#endif
