/* SPDX-License-Identifier: BSD-3-Clause */
/* tap's script= and downscript= (QEMU: run as `script IFNAME`). */
#ifndef OS_SCRIPT_H
#define OS_SCRIPT_H

#include "base/error.h"

/* Runs it and waits for its end. 0, or negative with *e telling how it
 * ended. */
__attribute__((warn_unused_result)) int
script_run(const char *path, const char *ifname, struct error *e);

#endif
