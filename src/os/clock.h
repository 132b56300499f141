/* SPDX-License-Identifier: BSD-3-Clause */
/* The clock of the loop, of commands that wait, and of work whose time is
 * counted. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/mem.h"

/* CLOCK_MONOTONIC, or CLOCK_BOOTTIME, which goes on while the host sleeps. */
static inline int64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline int64_t now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* What the calling thread has worked; not what it has waited, for a CPU
 * neither. */
static inline uint64_t clock_worked_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Waits for these of poll(2)'s events of fd, or an error of it, until now_ms()
 * is that.  0, -ETIMEDOUT or another negative errno. */
MUST_USE int clock_await(int fd, short events, int64_t until_ms);

#endif
