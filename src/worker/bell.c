/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's door bell; see bell.h.
 * #syscalls: write close
 */
#include "worker/bell.h"

#include <errno.h>
#include <sys/eventfd.h>

int bell_init(struct bell *b)
{
	atomic_init(&b->is_asleep, 0);
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return b->fd < 0 ? -errno : 0;
}

void bell_deinit(struct bell *b)
{
	fd_close(&b->fd);
}

void bell_ring(struct bell *b)
{
	const uint64_t one = 1;

	/* The exchange lets one of several ring. */
	if (!atomic_load(&b->is_asleep) || !atomic_exchange(&b->is_asleep, 0))
		return;
	/* Fails only if it was rung 2^64 times: then it is an event already. */
	(void)!write(b->fd, &one, sizeof(one));
}
