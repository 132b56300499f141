/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors that a person reads: one line of what, why and what to do.
 *
 * Functions return a negative errno for the unexpected and fill a struct
 * error for the person.  The first text wins: an outer layer may prefix it
 * (error_prefix) but never replaces the cause.  code is the exit code of the
 * command (design, section 1).
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_NETWORK = 3,
	EXIT_NO_OBJECT = 4,
	EXIT_CONFLICT = 5,
	EXIT_PERMISSION = 6,
	EXIT_RUN_FAILED = 125, /* run and exec: an own failure */
	EXIT_RUN_CANNOT = 126, /* run and exec: found but not executable */
	EXIT_RUN_NOT_FOUND = 127,
};

struct error {
	enum exit_code code; /* EXIT_DONE: no error */
	char text[1024];     /* no newline, no "vmlan:" in front */
};

#define ERROR_NULL ((struct error){.code = EXIT_DONE})

/* Fills *e unless it holds an error already; e may be NULL.  Returns -1, so
 * that a parser can say: return error_set(e, EXIT_USAGE, "..."). */
__attribute__((format(printf, 3, 4))) int
error_set(struct error *e, enum exit_code code, const char *fmt, ...);
/* As error_set(), with ": strerror(err)" appended and the code chosen from
 * err: EPERM/EACCES 6, EADDRINUSE/EEXIST/EBUSY 5, else 1.  err may be
 * negative.  Returns -abs(err). */
__attribute__((format(printf, 3, 4))) int
error_errno(struct error *e, int err, const char *fmt, ...);
/* Puts text in front of the error that *e holds. */
__attribute__((format(printf, 2, 3))) void
error_prefix(struct error *e, const char *fmt, ...);

#endif
