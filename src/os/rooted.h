/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A folder whose files strangers may read by name, and nothing beside it: what
 * TFTP and HTTP give to guests.  Called by the keeper.
 */
#ifndef OS_ROOTED_H
#define OS_ROOTED_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/mem.h"

enum { ROOTED_PATH_MAX = 1024 }; /* bytes of a name, its NUL included */

/* Opens the folder at path: a descriptor for rooted_open(), the caller's.
 * Negative with one line in *e. */
MUST_USE int rooted_dir(const char *path, struct error *e);
/* Opens to read the file that name is beneath root: its descriptor, the
 * caller's, and what it is in *st.  Slashes in front of name mean root itself.
 * Links are followed as long as they stay beneath root.  -ENOENT: there is
 * none, or the way to it leads out of root; -EACCES: it may not be read, or is
 * no ordinary file, which is not opened at all: that can have effects, or make
 * one wait; -EAGAIN: somebody has a lease of it (fcntl(2)), for now;
 * -ENAMETOOLONG; or another negative errno. */
MUST_USE int rooted_open(int root, const char *name, struct stat *st);
/* True if that is beneath root, and a file of this type (S_IFREG, S_IFDIR). */
bool rooted_has(int root, const char *name, mode_t type);

#endif
