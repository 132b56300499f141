/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nftables by its own program, `nft -j -f -`: one table of ours for each
 * network, made and removed whole.  All commands of one call are one
 * transaction of the kernel.
 */
#ifndef OS_NFT_H
#define OS_NFT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"

/* Whether it can name a table (letters, digits, '_', '-', '.'), or a family. */
bool nft_is_name(const char *name);
/* Where the program is: PATH and the places for root's.  False: nowhere. */
bool nft_find(char *path, size_t room);
/* Runs the commands of this JSON text ({"nftables":[...]}).  0; -ENOENT: the
 * program is missing; -EPERM, -EIO: it refused; *e tells.  The program may
 * outlive a caller that is killed, and do its work then: so it holds a
 * descriptor, the journal's of what it changes, as long as it runs; -1: it
 * changes nothing that would matter. */
MUST_USE int nft_run(const char *json, int held, struct error *e);
/* 1 if there is such a table, 0 if not, negative as nft_run(). */
MUST_USE int nft_table_find(const char *family, const char *name,
			    struct error *e);
/* The first chain that drops those forwarded packets, of IPv4, or with_v6 of
 * either family, for which it has no rule, and has none about the interface, as
 * "FAMILY TABLE CHAIN".  A rule about vm-* is one about all whose names begin
 * so.  1, 0: there is none; negative as nft_run(). */
MUST_USE int nft_find_dropper(const char *ifname, bool with_v6, char *buf,
			      size_t room, struct error *e);
/* Removes it, if it is there; held as in nft_run(). */
MUST_USE int nft_table_del(const char *family, const char *name, int held,
			   struct error *e);

#endif
