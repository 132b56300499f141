/* SPDX-License-Identifier: BSD-3-Clause */
/* User namespaces: who one is in them. */
#ifndef OS_USERNS_H
#define OS_USERNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/mem.h"

/* In a user namespace that this process has just made: who was uid and gid
 * outside is as_uid and as_gid in it, and nobody else is there.  0 or a
 * negative errno. */
MUST_USE int userns_map(uid_t uid, gid_t gid, uid_t as_uid, gid_t as_gid);
/* The same for one that the child pid was born in.  Only root may leave the
 * child the right to drop its groups, and name others than himself. */
MUST_USE int userns_map_child(pid_t pid, bool denies_groups, uid_t uid,
			      gid_t gid, uid_t as_uid, gid_t as_gid);
/* True in the one that the host began with, and where the kernel has none. */
bool userns_is_first(void);

#endif
