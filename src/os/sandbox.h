/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's sandbox, in named stages; the order is the documentation.
 *
 *   sandbox_fork      (keeper)  a child in namespaces of its own: user, mount,
 *                               pid, ipc, uts, cgroup.  Not net: the engine
 *                               makes the host's sockets.  Where the kernel
 *                               denies one, the child goes without that one
 *                               and the log says so.
 *   sandbox_enter     (engine)  descriptors but a few closed; stdin, stdout to
 *                               /dev/null; root is an empty read-only tmpfs;
 *                               no capability, no new privileges, no core
 *                               dump, not ptraceable.
 *   sandbox_seccomp   (engine)  only the system calls that the sources list
 *                               beside the code that needs them; any other
 *                               one ends the process.  socket() for Internet
 *                               streams and datagrams only, ioctl() and
 *                               fcntl() by request, no executable memory,
 *                               tgkill() to itself (abort).
 *
 * Threads are made between the last two.  Capabilities and no new privileges
 * belong to a thread, and what it makes inherits them: who is made after
 * sandbox_enter() has neither more nor less.  The list is put on all threads at
 * once; each must have come as far as its own function, since the C library
 * makes calls before that which are not in it, nor is clone().  A forbidden
 * call of any of them ends the process.
 *
 * The child keeps its user and group (all others are nobody), so that
 * net.ipv4.ping_group_range means the same inside, and its controlling
 * terminal: what is typed there (^C) reaches it too.  It is pid 1 of its
 * namespace: a signal without a handler does nothing to it unless the keeper
 * sends SIGKILL, and it lives on when the keeper dies.
 */
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"

/* As fork(): 0 in the child, its pid in the parent, negative errno with *e
 * filled.  The caller has one thread. */
__attribute__((warn_unused_result)) pid_t sandbox_fork(struct log *log,
						       struct error *e);
/* fds[n] stay open besides stderr (and are renumbered by nobody).  The caller
 * has one thread. */
__attribute__((warn_unused_result)) int
sandbox_enter(const int *fds, unsigned n, struct error *e);
/* For all threads. */
__attribute__((warn_unused_result)) int sandbox_seccomp(struct error *e);
/* Waits for a child to end, for at most ms (-1: for ever):
 * its wait status, or -ETIMEDOUT. */
int sandbox_wait(pid_t pid, int ms);

#endif
