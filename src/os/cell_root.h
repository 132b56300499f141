/* SPDX-License-Identifier: BSD-3-Clause */
/* What is to be seen in a cell; for cell.c. */
#ifndef OS_CELL_ROOT_H
#define OS_CELL_ROOT_H

#include "os/cell.h"

/* In the cell's first process, which has every right in there and becomes its
 * user: leaves the host's files.  0, or a negative errno with *whatp saying of
 * what. */
MUST_USE int cell_root(const struct cell_config *c, const char **whatp);

#endif
