/* SPDX-License-Identifier: BSD-3-Clause */
/* A network's forwarded ports in words. */
#ifndef CLI_FORWARD_H
#define CLI_FORWARD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { FORWARD_TEXT_LEN = 512 };

/* The i-th of a keeper's "forwards", as "tcp 127.0.0.1:2222 and [::1]:2222 ->
 * 10.0.2.15:22".  False: it is told with another. */
bool forward_text(const json_t *list, size_t i,
		  char buf[static FORWARD_TEXT_LEN]);

#endif
