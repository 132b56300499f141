/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An enclave: a process with namespaces of its own, in which it is root and
 * may make whatever networks it likes.  It is the first of a pid namespace, so
 * that with it everything ends that was started in there, and with the
 * processes the kernel removes what they made; it ends when its maker does.
 * An ordinary user gets one where the kernel lets him have user namespaces.
 */
#ifndef OS_ENCLAVE_H
#define OS_ENCLAVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/mem.h"

/* In a fresh network, mount and pid namespace (and, for who may not make
 * these, user namespace), with a /proc of its own and an empty /run, the child
 * calls fn(arg) and ends with the status that it returns.  The child's pid, to
 * be waited for, or negative with one line in *e. */
MUST_USE pid_t enclave_start(int (*fn)(void *arg), void *arg, struct error *e);
/* True in an enclave that is in a user namespace of its own. */
bool enclave_is_users(void);
/* A child that calls fn(arg, fd), writes a byte to fd when it is ready, and
 * goes on.  Returns when it is: its pid, 0 if it ended before, or negative with
 * one line in *e. */
MUST_USE pid_t enclave_child(void (*fn)(void *arg, int fd), void *arg,
			     struct error *e);
/* In an enclave: a child in a network namespace of its own, with its loopback
 * up, calls fn(arg, fd), writes a byte to fd when it is ready, and goes on.
 * Returns when it is: its pid, or negative with one line in *e. */
MUST_USE pid_t enclave_room(void (*fn)(void *arg, int fd), void *arg,
			    struct error *e);
/* The network namespace of that process, 0: the caller's, for setns(2): a
 * descriptor, the caller's to close, or a negative errno. */
MUST_USE int enclave_net(pid_t pid);

#endif
