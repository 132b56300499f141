/* SPDX-License-Identifier: BSD-3-Clause */
/* Foreign text in an SVG document: names are whatever a guest, a user or a file
 * is called, in UTF-8. */
#ifndef CLI_SVG_H
#define CLI_SVG_H

#include <stdio.h>

/* How many cells of a monospaced font the text takes; one of East Asia's
 * takes two. */
unsigned svg_cells(const char *text);
/* Writes the text as XML, with "..." in place of what is beyond so many cells.
 * What XML cannot have, and what would turn the line around, is '?'. */
void svg_put(FILE *out, const char *text, unsigned cells);

#endif
