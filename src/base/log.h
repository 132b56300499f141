/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines.  A struct log is made by main and passed down (there is no
 * global); each call is one write(2) of one line, "vmlan: text" or, for
 * warnings and errors "vmlan: warning: text" / "vmlan: error: text".  Control
 * bytes become '?'.  Never called between recv and done of the data path.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

struct log {
	int fd;		      /* borrowed; usually 2 */
	enum log_level level; /* lines above this are not written */
	const char *name;     /* first word of each line, "vmlan" */
	/* A guest can cause lines, so they are rationed: a burst of 50,
	 * then 5 a second; what was held back is counted and said. */
	uint64_t refill_ns;
	unsigned tokens;
	unsigned n_held;
};

#define LOG_INIT(level_)                                                       \
	((struct log){                                                         \
		.fd = 2, .level = (level_), .name = "vmlan", .tokens = 50})

/* Writes one line (no newline in fmt). lg may be NULL: nothing is written. */
__attribute__((format(printf, 3, 4))) void
log_line(struct log *lg, enum log_level level, const char *fmt, ...);

#define log_error(lg, ...) log_line(lg, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(lg, ...)  log_line(lg, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(lg, ...)  log_line(lg, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(lg, ...) log_line(lg, LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
