/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process in a network of its own: network and mount namespaces, and, where
 * the kernel asks for one, a user namespace in which the process is the same
 * user as before.  Used by a command's child, before it becomes the program.
 */
#ifndef OS_OWNNS_H
#define OS_OWNNS_H

#include "base/addr.h"
#include "base/error.h"
#include "base/mem.h"

/* The calling process, which must have one thread, leaves the host's network
 * for an empty one with its loopback up.  Root gets no user namespace, if it
 * can do without.  Negative with *e filled. */
MUST_USE int ownns_enter(struct error *e);

/* The default route of the namespace, by an address that an interface reaches.
 * 0 or a negative errno. */
MUST_USE int ownns_route(const char *ifname, const addr *router);

/* From now on this process and its children read text where path names a file;
 * nobody else does.  dir: a folder that is there; what is in it is out of sight
 * for a moment.  0 or a negative errno. */
MUST_USE int ownns_cover(const char *path, const char *text, const char *dir);

#endif
