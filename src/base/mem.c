/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors that close themselves; see mem.h. */
#include "base/mem.h"

#include <errno.h>

void fd_close(int *fdp)
{
	int saved = errno;

	if (*fdp >= 0)
		close(*fdp);
	*fdp = -1;
	errno = saved;
}
