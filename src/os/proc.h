/* SPDX-License-Identifier: BSD-3-Clause */
/* Which process a number means, told from a later one with the same number; and
 * our own children. */
#ifndef OS_PROC_H
#define OS_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"

/* When it was started, in ticks since the host was (proc(5), starttime); 0 if
 * there is no such process, or it has ended. */
uint64_t proc_started(pid_t pid);
/* Kills the process with that number if it is the one started then, and waits
 * for its end. 0, -ESRCH if it is not there, or -errno. */
MUST_USE int proc_kill(pid_t pid, uint64_t started);

/* As fork(), with flags of clone(2) besides: namespaces, CLONE_PARENT.  By the
 * system call: nothing of libc is told.  -1 with errno. */
MUST_USE pid_t proc_fork(unsigned long flags);
/* Waits until a child of ours has ended, however it does. */
void proc_bury(pid_t pid);

/* A number that no other network namespace of this boot ever has; 0: not
 * known. */
uint64_t proc_netns(void);

#endif
