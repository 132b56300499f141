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
/* The same in parts, as many pages take long: memory of that length, and then
 * the pages of len bytes from `from` on.  Until all are there it is nobody's
 * who must not be cut short.  0 or a negative errno. */
MUST_USE int memfd_make_empty(const char *name, size_t len, int *fdp);
MUST_USE int memfd_fill(int fd, size_t from, size_t len);

#endif
