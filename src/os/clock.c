/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting with an end; see clock.h. */
#include "os/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

int clock_await(int fd, short events, int64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = until_ms - now_ms();
		int most = left < INT_MAX ? (int)left : INT_MAX;
		int n = poll(&p, 1, most < 0 ? 0 : most);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && left <= 0)
			return -ETIMEDOUT;
	}
}
