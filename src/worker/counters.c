/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters in shared memory; see counters.h. */
/* #syscalls: mmap munmap */
#include "worker/counters.h"

#include <errno.h>
#include <sys/mman.h>

#include "os/memfd.h"

static const size_t length =
	COUNTERS_WORKERS * sizeof(struct counters_slot) + COUNTERS_ROOM;

static int map(int fd, int prot, struct counters *c)
{
	void *slots = mmap(NULL, length, prot, MAP_SHARED, fd, 0);

	if (slots == MAP_FAILED)
		return -errno;
	c->slots = slots;
	c->room = c->slots + COUNTERS_WORKERS;
	return 0;
}

int counters_open(struct counters *c)
{
	CLEANUP_FD int fd = -1;
	int r = memfd_make("vmlan-counters", length, &fd);

	if (r == 0)
		r = map(fd, PROT_READ, c);
	if (r == 0)
		c->fd = fd_steal(&fd);
	return r;
}

int counters_map(int fd, struct counters *c)
{
	return map(fd, PROT_READ | PROT_WRITE, c);
}

void counters_close(struct counters *c)
{
	if (c->slots)
		munmap(c->slots, length);
	fd_close(&c->fd);
	*c = COUNTERS_NULL;
}

uint64_t counters_drops(const struct counters *c, enum drop_reason why)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < COUNTERS_WORKERS; i++)
		n += drop_count(&c->slots[i].drops, why);
	return n;
}
