/* SPDX-License-Identifier: BSD-3-Clause */
/* What several networks' files have in common and should not. */
#ifndef CLI_CONF_ACROSS_H
#define CLI_CONF_ACROSS_H

#include "cli/conf.h"

/* Adds a warning to the later one of each two that are in each other's way: by
 * a subnet that is given, a port of the host, or an interface. */
void conf_across(struct conf *const *v, unsigned n);

#endif
