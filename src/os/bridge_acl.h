/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file by which QEMU's bridge helper decides whether an ordinary user may
 * plug into a bridge: lines "allow BR", "deny BR", "include FILE", where BR may
 * be "all".  A deny outweighs any allow; what is not named is denied.  Only
 * read, to tell what is missing: the decision is the helper's.
 */
#ifndef OS_BRIDGE_ACL_H
#define OS_BRIDGE_ACL_H

#include <stdbool.h>

#include "base/mem.h"

#define BRIDGE_ACL_FILE "/etc/qemu/bridge.conf"

/* 1: the bridge is allowed, 0: it is not, or there is no such file; negative
 * errno: the file, or one it includes, cannot be read (-ELOOP: includes too
 * many). */
MUST_USE int bridge_acl_ask(const char *path, const char *bridge);

#endif
