/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines, rationed; see log.h.
 * #syscalls: write
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
	BURST = 50,
	PER_SECOND = 5,
	LINE_MAX_LEN = 1280,
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* True if a line may be written now. */
static bool take_token(struct log *lg)
{
	const uint64_t step = 1000000000u / PER_SECOND;
	uint64_t now = clock_ns();
	uint64_t n = now > lg->refill_ns ? (now - lg->refill_ns) / step : 0;

	if (n) {
		/* The rest of a step counts for the next one. */
		lg->refill_ns += n * step;
		lg->tokens = n > BURST - lg->tokens ? BURST
						    : lg->tokens + (unsigned)n;
	}
	if (!lg->tokens) {
		lg->n_held++;
		return false;
	}
	lg->tokens--;
	return true;
}

/* One line stays one, whatever a guest had written into it. */
static void make_plain(char *p, int len)
{
	for (int i = 0; i < len; i++) {
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '?';
	}
}

static void put_line(const struct log *lg, char *line, int len)
{
	if (len < 0)
		return;
	if (len >= LINE_MAX_LEN)
		len = LINE_MAX_LEN - 1;
	make_plain(line, len);
	line[len] = '\n';
	/* A log that cannot be written has nobody to be told. */
	(void)!write(lg->fd, line, (size_t)len + 1);
}

void log_line(struct log *lg, enum log_level level, const char *fmt, ...)
{
	static const char *const words[] = {"error: ", "warning: ", "", ""};
	char line[LINE_MAX_LEN + 1];
	va_list ap;
	int n, m;

	if (!lg || level > lg->level || !take_token(lg))
		return;
	if (lg->n_held) {
		n = snprintf(line, LINE_MAX_LEN, "%s: %u lines were held back",
			     lg->name, lg->n_held);
		lg->n_held = 0;
		put_line(lg, line, n);
	}
	n = snprintf(line, LINE_MAX_LEN, "%s: %s", lg->name, words[level]);
	if (n < 0 || n >= LINE_MAX_LEN)
		return;
	va_start(ap, fmt);
	m = vsnprintf(line + n, (size_t)(LINE_MAX_LEN - n), fmt, ap);
	va_end(ap);
	put_line(lg, line, m < 0 ? m : n + m);
}
