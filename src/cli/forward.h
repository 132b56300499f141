/* SPDX-License-Identifier: BSD-3-Clause */
/* A network's forwarded ports in words. */
#ifndef CLI_FORWARD_H
#define CLI_FORWARD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { FORWARD_TEXT_LEN = 512 };

/* Of a keeper's "forwards" those that localhost is two of, to be told as one:
 * an object, the caller's.  NULL: no memory; then each is told by itself. */
json_t *forward_pairs(const json_t *list);
/* f, one of that list, as "tcp 127.0.0.1:2222 and [::1]:2222 -> 10.0.2.15:22".
 * False: it is told with another. */
bool forward_text(const json_t *f, const json_t *pairs,
		  char buf[static FORWARD_TEXT_LEN]);

#endif
