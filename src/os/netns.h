/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tap inside another network namespace: a child of ours joins it, makes the
 * device there (or attaches to the one that is there), sets it up and passes
 * the descriptors back.  The child joins the user namespace that owns the
 * network first, so that an ordinary user reaches the namespaces of his own
 * processes (`unshare -rn`), by pid or by path.
 */
#ifndef OS_NETNS_H
#define OS_NETNS_H

#include "base/addr.h"
#include "os/tap.h"

struct netns_opts {
	const char *path;   /* "/run/netns/NAME"; NULL: use pid */
	int pid;
	const char *ifname; /* NULL = "tap%d" */
	unsigned queues;    /* >= 1 */
	enum tap_vnet_hdr vnet_hdr;
	mac mac;	    /* zero = the kernel's choice */
};

/* Negative with *e filled. */
__attribute__((warn_unused_result)) int
netns_tap_open(const struct netns_opts *o, struct tap_result *t,
	       struct error *e);

#endif
