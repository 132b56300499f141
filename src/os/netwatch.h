/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's own network while it changes: addresses, routes, rules of routing
 * and interfaces of the current namespace, by rtnetlink.  Used by the keeper,
 * and by commands that wait.
 */
#ifndef OS_NETWATCH_H
#define OS_NETWATCH_H

#include "base/addr.h"
#include "os/loop.h"

struct netwatch;

/* Something changed, and these n addresses, which the host had when it was
 * looked at last, no interface has any more.  An address that was taken away
 * and came back in between is not among them. */
typedef void netwatch_fn(void *arg, const addr *gone, unsigned n);

/* Calls changed(arg, ...) after each change; several in 100 ms are one call.
 * The loop is borrowed.  0 or a negative errno. */
__attribute__((warn_unused_result)) int
netwatch_new(struct loop *loop, netwatch_fn *changed, void *arg,
	     struct netwatch **wp);
struct netwatch *netwatch_free(struct netwatch *w);

/* Waits until has_come(arg) is true, which is asked first and again after each
 * change, for ms at most.  0, -ETIMEDOUT or another negative errno. */
__attribute__((warn_unused_result)) int
netwatch_await(bool (*has_come)(void *arg), void *arg, unsigned ms);

#endif
