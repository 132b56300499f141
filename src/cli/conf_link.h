/* SPDX-License-Identifier: BSD-3-Clause */
/* [link VM] of a configuration file: how a machine's cable is to be.  A cable
 * that is as it should be is NULL. */
#ifndef CLI_CONF_LINK_H
#define CLI_CONF_LINK_H

#include "cli/conf.h"

extern const struct conf_key conf_link_keys[];
void conf_link_finish(struct conf *c, struct conf_part *part);

/* True if the cable, as the network shows it, is as the file has it. */
bool conf_link_is(const json_t *wanted, const json_t *cable);
/* The body of the request that makes it so; NULL: no memory. */
json_t *conf_link_request(const json_t *wanted);

#endif
