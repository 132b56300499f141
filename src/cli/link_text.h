/* SPDX-License-Identifier: BSD-3-Clause */
/* How a machine's cable is, in words: for link and show. */
#ifndef CLI_LINK_TEXT_H
#define CLI_LINK_TEXT_H

#include <jansson.h>

/* "up, to delay=50ms, seed 1"; NULL: one that is as it should be.  The caller
 * frees; NULL: no memory. */
char *link_words(const json_t *o);

/* Prints a line: label, "VM: up, to delay=50ms ..".  o: as GET .../link shows
 * it (control/protocol.h). */
void link_print(const char *label, const char *machine, const json_t *o);

#endif
