/* SPDX-License-Identifier: BSD-3-Clause */
/* A Linux kernel as a file, and its modules: what a guest of our own making
 * is booted with. */
#ifndef CLI_KERNEL_H
#define CLI_KERNEL_H

#include <stddef.h>

#include "base/error.h"
#include "base/mem.h"

enum { KERNEL_RELEASE_LEN = 128, KERNEL_MODULES_MAX = 64 };

/* The release that an x86 kernel's file says of itself, as uname(2) tells it
 * of a running one.  -ENOEXEC: that is no such kernel. */
MUST_USE int kernel_release(int fd, char buf[KERNEL_RELEASE_LEN]);
/* The named kernel, or, where path is NULL, the one that runs here, or the
 * newest that is installed: a descriptor, the caller's to close, or negative
 * with one line in *e. */
MUST_USE int kernel_open(const char *path, struct error *e);

/* Modules in the order in which they can be loaded; paths below the folder. */
struct kernel_modules {
	char *paths[KERNEL_MODULES_MAX]; /* owned */
	unsigned n;
};

/* Finds modules and what they need in the folder's modules.dep.  One that is
 * not there is left out: it is built into the kernel, or nowhere.  0, or a
 * negative errno, -E2BIG for too many; free them in any case. */
MUST_USE int kernel_modules_find(const char *folder, const char *const names[],
				 size_t n, struct kernel_modules *m);
void kernel_modules_free(struct kernel_modules *m);

#endif
