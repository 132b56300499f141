/* SPDX-License-Identifier: BSD-3-Clause */
/* Files, read and written. */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/mem.h"

/* All of it, in as many pieces as the kernel likes; 0 or a negative errno. */
MUST_USE int file_write(int fd, const void *p, size_t len);
/* The file at path anew, for its owner alone: who reads it finds the one before
 * or this one, which is made beside it as PATH.new.  0, or a negative errno and
 * the one before stays. */
MUST_USE int file_replace(const char *path, const void *data, size_t len);
/* In one piece to a file that is there, as those of /proc want it; 0 or a
 * negative errno. */
MUST_USE int file_put(const char *path, const char *text);
/* An ordinary file of at most max bytes, to read: its descriptor.  -EFBIG;
 * -EISDIR, or -EINVAL for what else is none: it may make one wait for ever, or
 * have no end. */
MUST_USE int file_open_plain(const char *path, off_t max);

/* Gives the socket (mode: S_IFSOCK | permissions) or folder (S_IFDIR) at path,
 * which we made, an owner and a group; -1: as it is.  Others may write to the
 * folder it is in, and put something else there: no link is followed, and what
 * is not our user's, not of that type, or has another name is left alone,
 * -ESTALE.  0, or another negative errno. */
MUST_USE int file_give(const char *path, mode_t mode, uid_t uid, gid_t gid);

enum { FILE_LOCK_MS = 30000 }; /* nobody works longer, but who hangs */

/* Takes the lock of fd (flock(2)), for itself alone.  Who waits for longer than
 * a second says for whom, and what he has: what, as in "the journal of lab".
 * 0, or a negative errno: -ETIMEDOUT after wait_ms. */
MUST_USE int file_lock(int fd, const char *what, unsigned wait_ms);
/* The same without a word, LOCK_EX or LOCK_SH. */
MUST_USE int file_lock_silently(int fd, int how, unsigned wait_ms);

#endif
