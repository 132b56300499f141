/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be said of a forward behind its ports: proxy= and from=.  Called by
 * the keeper, and by the command for what is plainly wrong. */
#ifndef GRAMMAR_FORWARD_OPTS_H
#define GRAMMAR_FORWARD_OPTS_H

#include "base/forward_rules.h"
#include "grammar/port_spec.h"

/* "v1", "v2". */
MUST_USE int forward_proxy_parse(const char *text, struct forward_rules *r,
				 struct error *e);
/* The same, static; NULL: none. */
const char *forward_proxy_name(uint8_t proxy);
/* One address or ADDRESS/LENGTH more, whose host bits are of no matter. */
MUST_USE int forward_from_add(const char *text, struct forward_rules *r,
			      struct error *e);
/* What such a rule cannot have: negative, with one line. */
MUST_USE int forward_rules_check(const struct port_rule *rule,
				 const struct forward_rules *r,
				 struct error *e);

#endif
