/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors that close themselves, memory that lies apart; see mem.h. */
#include "base/mem.h"

#include <errno.h>
#include <string.h>

void fd_close(int *fdp)
{
	int saved = errno;

	if (*fdp >= 0)
		close(*fdp);
	*fdp = -1;
	errno = saved;
}

void *mem_apart(size_t n, size_t size)
{
	size_t len;
	void *p;

	if (__builtin_mul_overflow(n, size, &len) ||
	    __builtin_add_overflow(len, MEM_APART - 1, &len))
		return NULL;
	len = len / MEM_APART * MEM_APART;
	p = aligned_alloc(MEM_APART, len);
	if (p)
		memset(p, 0, len);
	return p;
}
