/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that is somebody else's file may lose its file: a VMM that makes it
 * shorter would kill us by SIGBUS at the next touch.  With this guard the page
 * becomes an empty one of our own, and what was in it is garbage of that
 * guest's alone.
 */
#ifndef OS_SIGBUS_H
#define OS_SIGBUS_H

/* Once in a process, before threads are made.  0 or a negative errno. */
__attribute__((warn_unused_result)) int sigbus_guard(void);

#endif
