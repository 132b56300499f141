/* SPDX-License-Identifier: BSD-3-Clause */
/* Which process a number means, told from a later one with the same number. */
#ifndef OS_PROC_H
#define OS_PROC_H

#include <stdint.h>
#include <sys/types.h>

/* When it was started, in ticks since the host was (proc(5), starttime); 0 if
 * there is no such process, or it has ended. */
uint64_t proc_started(pid_t pid);
/* Kills the process with that number if it is the one started then, and waits
 * for its end. 0, -ESRCH if it is not there, or -errno. */
__attribute__((warn_unused_result)) int proc_kill(pid_t pid,
						  uint64_t started);

/* A number that no other network namespace of this boot ever has; 0: not
 * known. */
uint64_t proc_netns(void);

#endif
