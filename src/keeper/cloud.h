/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a machine's cloud-init asks the network for when it starts (NoCloud,
 * by HTTP): user-data and meta-data, put there by whoever plugged the machine
 * in, for that machine alone.  Kept in files of the network's folder that
 * nobody but its user can read: they outlive a keeper that is killed, and go
 * with the machine.  Called by http.c, requests.c and machine.c.
 */
#ifndef KEEPER_CLOUD_H
#define KEEPER_CLOUD_H

#include <stddef.h>
#include <sys/stat.h>

#include "base/addr.h"
#include "keeper/machine.h"

enum cloud_part { CLOUD_USER_DATA, CLOUD_META_DATA, CLOUD_N };

enum { CLOUD_URL_LEN = 16 + ADDR_STRLEN };

/* Where machines find theirs, in buf, which it returns: "http://IP/cloud/".
 * NULL: the network has no gateway that could serve it. */
const char *cloud_url(struct keeper *k, char buf[CLOUD_URL_LEN]);
/* Keeps len bytes as that part of m's, in place of those of before.  0, or
 * negative with one line in *e. */
MUST_USE int cloud_put(struct machine *m, enum cloud_part part,
		       const void *data, size_t len, struct error *e);
/* The part, to read: its descriptor, the caller's, and what it is in *st;
 * -ENOENT if m has none, or another negative errno. */
MUST_USE int cloud_open(const struct machine *m, enum cloud_part part,
			struct stat *st);
/* m was restored: it may have some of before. */
void cloud_restore(struct machine *m);
/* m goes, or comes: there is none of its plug's any more. */
void cloud_remove(const struct machine *m);

#endif
