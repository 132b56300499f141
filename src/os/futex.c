/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting on a word; see futex.h.
 * #syscalls: futex
 */
#include "os/futex.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(_Atomic uint32_t) == 4, "the kernel compares 4 bytes");

void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
	/* EAGAIN: it has changed; EINTR: the caller looks again as well. */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

void futex_wake(_Atomic uint32_t *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL,
		      0);
}
