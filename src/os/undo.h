/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How one change of the host is undone: what was changed, and what was there
 * before.  A record holds all that this takes, so that another process, later,
 * can do it; os/journal.h keeps records, os/change.h makes them.
 *
 * Undoing is idempotent.  A change that was never made, is undone already, or
 * was replaced by somebody else's since is left alone, and that is success:
 *
 *   LINK_ADD     the link of that index and kind is removed; the index was
 *                drawn for it (rtnl_index_new) and no other link ever has it
 *   LINK_MASTER  if the master is still the new one: the old one
 *   LINK_UP      if it is still as it was set: as before
 *   ADDR_ADD     that very address is removed, if it is there
 *   ADDR_DEL     it is added, if it is not there and the link is
 *   ROUTE_ADD    that very route is removed, if it is there
 *   ROUTE_DEL    it is added, if it is not there and its link is
 *   NFT_TABLE    the table of our own is removed
 *   SYSCTL       if the value is still the one that was written: the old one
 */
#ifndef OS_UNDO_H
#define OS_UNDO_H

#include "base/cursor.h"
#include "base/error.h"
#include "os/rtnl.h"

enum undo_type {
	UNDO_LINK_ADD = 1,
	UNDO_LINK_MASTER,
	UNDO_LINK_UP,
	UNDO_ADDR_ADD,
	UNDO_ADDR_DEL,
	UNDO_ROUTE_ADD,
	UNDO_ROUTE_DEL,
	UNDO_NFT_TABLE,
	UNDO_SYSCTL,
	/* No change: what stands before it is to stay until it is asked for
	 * (journal_keep). */
	UNDO_KEEP,
};

enum {
	UNDO_TABLE_LEN = 64,   /* name of an nftables table, with NUL */
	UNDO_SYSCTL_LEN = 96,  /* "net/ipv4/ip_forward" with NUL */
	UNDO_VALUE_LEN = 64,   /* of a sysctl, with NUL, no newline */
	UNDO_RECORD_MAX = 640, /* longest encoding */
};

struct undo {
	enum undo_type type;
	union {
		struct {
			int index;
			char kind[RTNL_KIND_LEN];
		} link;
		struct {
			int index, was, is;
		} master;
		struct {
			int index;
			bool was, is;
		} up;
		struct rtnl_addr addr;
		struct rtnl_route route;
		struct {
			char family[8]; /* "inet", "bridge" .. */
			char name[UNDO_TABLE_LEN];
		} table;
		struct {
			char name[UNDO_SYSCTL_LEN]; /* below /proc/sys */
			char was[UNDO_VALUE_LEN];
			char is[UNDO_VALUE_LEN];
		} sysctl;
	};
};

/* Writes the record (not its length); the writer tells if it did not fit. */
void undo_encode(const struct undo *u, struct wr *w);
/* The reader holds one record and nothing else.  False: it is none. */
MUST_USE bool undo_decode(struct rd *r, struct undo *u);
/* Undoes it, as said above.  Negative with *e filled: it could not be, and
 * trying again may help (no permission, no memory).  1 with *e filled: it
 * cannot be, ever; 0: done.  held: as nft_run() says. */
MUST_USE int undo_apply(const struct undo *u, int held, struct error *e);

#endif
