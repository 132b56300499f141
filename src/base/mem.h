/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cleanup attributes for constructors and short functions, and descriptors
 * that default to -1.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdlib.h>
#include <unistd.h>

/* Closes *fdp unless it is negative, sets it to -1, keeps errno. */
void fd_close(int *fdp);
/* Takes the descriptor out of *fdp, which becomes -1. */
static inline int fd_steal(int *fdp)
{
	int fd = *fdp;

	*fdp = -1;
	return fd;
}

static inline void mem_free_at(void *pp)
{
	free(*(void **)pp);
}

#define CLEANUP_FD   __attribute__((cleanup(fd_close)))
#define CLEANUP_FREE __attribute__((cleanup(mem_free_at)))
#define MUST_USE     __attribute__((warn_unused_result))

/* What several threads write is kept so far apart: two lines, as CPUs fetch the
 * neighbour too. */
enum { MEM_APART = 128 };
/* n objects of that size, zeroed, where nobody else has anything within
 * MEM_APART.  NULL: no memory.  For free(). */
MUST_USE void *mem_apart(size_t n, size_t size);

#define array_len(a) (sizeof(a) / sizeof((a)[0]))

static inline void *mem_steal_at(void *pp)
{
	void *p = *(void **)pp;

	*(void **)pp = NULL;
	return p;
}

/* Takes the pointer out of p, which becomes NULL. */
#define mem_steal(p) ((__typeof__(p))mem_steal_at(&(p)))

#endif
