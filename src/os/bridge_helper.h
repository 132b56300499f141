/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU's contract with its bridge helper (reference 1.5). */
#ifndef OS_BRIDGE_HELPER_H
#define OS_BRIDGE_HELPER_H

#include "base/error.h"

/* Runs the helper and waits for its end, for patience_ms at most; 0: as long as
 * that takes.  The descriptor of a tap on that bridge, or negative with *e
 * filled. */
__attribute__((warn_unused_result)) int
bridge_helper_run(const char *helper, const char *bridge,
		  unsigned patience_ms, struct error *e);

#endif
