/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a cable is spoilt, as people type it: delay=50ms loss=1% rate=10mbit.
 * Each value has its unit, and reads the same however it was written: 0.05s is
 * shown as 50ms.  Used by the command, and by the keeper for what others send.
 */
#ifndef GRAMMAR_LINK_OPTS_H
#define GRAMMAR_LINK_OPTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/impair.h"
#include "base/mem.h"

enum link_key {
	LINK_DELAY,
	LINK_JITTER,
	LINK_LOSS,
	LINK_DUPLICATE,
	LINK_REORDER,
	LINK_CORRUPT,
	LINK_RATE,
	LINK_BURST,
	LINK_KEYS
};

enum { LINK_VALUE_LEN = 32 }; /* of a value as text, with NUL */

/* "delay". */
const char *link_key_name(enum link_key key);
/* Sets what key says in *i; "off" sets it to nothing, and what needs it.  -1
 * with one line in *e (EXIT_USAGE): no such key, no such value; *i is as it
 * was. */
MUST_USE int link_opt_parse(const char *key, const char *value,
			    struct impair *i, struct error *e);
/* Whether the keys go together; -1 with one line in *e (EXIT_USAGE). */
MUST_USE int link_opts_check(const struct impair *i, struct error *e);
/* The value in its normal form; false: there is none.  A rate always has a
 * burst. */
bool link_opt_format(const struct impair *i, enum link_key key,
		     char buf[static LINK_VALUE_LEN]);
/* All that there are, by their keys; NULL: no memory. */
json_t *link_opts_object(const struct impair *i);
/* "30s", up to 30 days; -1 with one line in *e (EXIT_USAGE), which names
 * what. */
MUST_USE int link_time_parse(const char *what, const char *text,
			     uint64_t *nsp, struct error *e);
/* Such a time in its normal form. */
void link_time_format(uint64_t ns, char buf[static LINK_VALUE_LEN]);

#endif
