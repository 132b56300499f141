/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-calls: asks a network's control socket what a plan says, and answers
 * as one (the placebo).  callers.py writes both files, and judges.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include "bench/common.h"

/* Bytes that grow; ends with die() when there is no memory. */
struct text {
	char *at; /* owned */
	size_t len, room;
};

void text_add(struct text *t, const void *bytes, size_t len);
/* Room for so many bytes behind what there is; they do not count yet. */
char *text_room(struct text *t, size_t len);

/* A unix socket's address and its socket: one that listens there, or one that
 * is connected.  Ends with die() when that fails. */
int unix_socket(const char *path, bool listens);

/* Each is a command; an exit status. */
int calls_run(struct args *a);
int calls_placebo(struct args *a);

#endif
