/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that processes share, whose length none of them can change. */
#ifndef OS_MEMFD_H
#define OS_MEMFD_H

#include <stddef.h>

#include "base/mem.h"

/* Makes len bytes of zeros; name is for those who look at /proc. Who maps them
 * cannot be cut short by another who has them, nor, as all pages are there, by
 * a lack of memory later. 0, *fdp is then the caller's; or a negative errno. */
MUST_USE int memfd_make(const char *name, size_t len, int *fdp);
/* The same, but a page is there from when it is first touched: for much memory
 * of which perhaps little is used. A lack of it is then met by who touches it,
 * as with any memory that a process asks for; where the kernel promises no more
 * than it has (vm.overcommit_memory=2), all are there as well. */
MUST_USE int memfd_make_sparse(const char *name, size_t len, int *fdp);

#endif
