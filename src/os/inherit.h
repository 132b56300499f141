/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors that a command was started with.  Who goes on after it must not
 * keep them: somebody waits for the end of a pipe, or for a lock.
 */
#ifndef OS_INHERIT_H
#define OS_INHERIT_H

/* Closes all above stderr that an exec() would pass on, which are not ours:
 * ours are made with close-on-exec, and what was given by number is copied so
 * (sock_fd_take, tap_adopt). */
void inherited_close(void);

#endif
