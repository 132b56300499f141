/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's resolvers, from resolv.conf(5), followed while they change.
 * Used by the keeper, which passes them on to its engine.
 */
#ifndef KEEPER_RESOLV_H
#define KEEPER_RESOLV_H

#include <stddef.h>

#include "base/addr.h"
#include "os/loop.h"

enum { RESOLV_MAX = 8 };

struct resolv_list {
	struct endpoint ep[RESOLV_MAX]; /* port 53 */
	unsigned n;			/* 0: the file names none */
};

/* Reads the nameserver lines of len bytes of text; others are passed over,
 * bad addresses are skipped, and those behind an interface (fe80::1%eth0)
 * that is not there. */
void resolv_parse(const char *text, size_t len, struct resolv_list *listp);
/* Reads a file (at most 64 KiB of it); one that is missing names none. */
void resolv_read(const char *path, struct resolv_list *listp);

bool resolv_equal(const struct resolv_list *a, const struct resolv_list *b);

struct resolv_watch;
/* Calls changed(arg) once the file may have changed: written, replaced, made or
 * removed, or any symbolic link or folder on the way to it.  Several changes in
 * 50 ms are one call, and what changes beside it may make one.  The loop is
 * borrowed.  0 or a negative errno (no inotify: nothing is followed). */
__attribute__((warn_unused_result)) int
resolv_watch_new(struct loop *loop, const char *path, void (*changed)(void *),
		 void *arg, struct resolv_watch **wp);
struct resolv_watch *resolv_watch_free(struct resolv_watch *w);

#endif
