/* SPDX-License-Identifier: BSD-3-Clause */
/* A program that serves one connection: guestfwd=..-cmd:. */
#ifndef OS_COMMAND_H
#define OS_COMMAND_H

#include <sys/types.h>

#include "base/error.h"

/* Starts argv[0], found by PATH, in a session of its own with no other
 * descriptors than one end of a stream socket as stdin, stdout and stderr.
 * n_files is its soft limit of descriptors, for the caller may have raised its
 * own; 0: the caller's.
 * Returns the other end, the caller's, and *pidp, a child to be waited for; or
 * negative with one line in *e, and no child is left. */
__attribute__((warn_unused_result)) int
command_start(char *const argv[], unsigned long n_files, pid_t *pidp,
	      struct error *e);

#endif
