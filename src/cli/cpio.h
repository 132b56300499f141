/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes an archive as the kernel takes it for its first file system: cpio's
 * "newc" form (the kernel's Documentation/driver-api/early-userspace/
 * buffer-format.rst).  Everything in it is root's.  Errors are the stream's:
 * look at them once, when it is flushed.
 */
#ifndef CLI_CPIO_H
#define CLI_CPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/mem.h"

struct cpio {
	FILE *out;	/* borrowed; at the archive's begin */
	unsigned n;	/* entries so far */
};

/* Names are paths without the first slash.  The kernel makes no folder by
 * itself: each stands before what is in it. */
void cpio_dir(struct cpio *c, const char *name);
void cpio_device(struct cpio *c, const char *name, unsigned major,
		 unsigned minor);
void cpio_file(struct cpio *c, const char *name, mode_t mode, const void *data,
	       size_t len);
/* A copy of the file at path; a negative errno if it cannot be read. */
MUST_USE int cpio_copy(struct cpio *c, const char *name, mode_t mode,
		       const char *path);
void cpio_end(struct cpio *c);

#endif
