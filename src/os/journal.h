/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal of a network: what it changed on the host, one record for each
 * change, in the file "journal" of the network's folder (os/rundir.h).
 *
 * A record is on disk before its change is made (os/change.h), and leaves the
 * file only when the change is undone, the last one first.  So at any moment,
 * whoever is killed, the file names all that there is to undo, and at most one
 * change that was not made yet; and undoing what was not made does nothing
 * (os/undo.h).  A record that was being written when its writer was killed is
 * no record: its change was not made.
 *
 * The file begins with the boot and the network namespace it speaks of.  After
 * a reboot there is nothing to undo; in another namespace nothing may be.
 *
 * Whoever holds the folder's lock owns the file.  A program that changes the
 * host for the owner (os/nft.h) holds the file's own lock with it, so that what
 * it does when the owner was killed is done before the next owner reads.
 */
#ifndef OS_JOURNAL_H
#define OS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/undo.h"

enum {
	JOURNAL_MAX = 1 << 20, /* bytes */
	JOURNAL_HEAD_LEN = 8 + 36 + 8 + 8,
};

#define JOURNAL_FILE "journal"

struct journal {
	int fd;       /* owned */
	int dir_fd;   /* owned: the folder it is in */
	uint32_t len; /* bytes of it that are whole records */
};

#define JOURNAL_NULL ((struct journal){.fd = -1, .dir_fd = -1})

/* Opens the journal of the folder, makes it if there is none.  One that holds
 * records of this boot is continued, when the programs of its last owner have
 * ended.  -EXDEV: it is of another namespace. */
MUST_USE int journal_open(int dir_fd, struct journal *j, struct error *e);
/* Gives the descriptor up; nothing is undone. */
void journal_close(struct journal *j);
/* Writes the record down; it is on disk when this returns 0. */
MUST_USE int journal_add(struct journal *j, const struct undo *u,
			 struct error *e);
/* Takes back the records from len (j->len of before) on: the kernel refused
 * their change. */
MUST_USE int journal_strike(struct journal *j, uint32_t len, struct error *e);
/* All that was changed is to stay when its owner ends, until journal_undo(). */
MUST_USE int journal_keep(struct journal *j, struct error *e);
/* Undoes all records, the last first.  Negative with *e filled: some could not
 * be, and are still in it.  Where one never can be (somebody has removed the
 * address that a route needs), that is said in *e, the rest is undone, and 0
 * returned. */
MUST_USE int journal_undo(struct journal *j, struct error *e);

/* For a folder whose owner is gone, before it is removed: undoes what its
 * journal says.  0: nothing is left to undo; 1: it is to be kept; negative with
 * *e filled: it cannot be now. */
MUST_USE int journal_settle(int dir_fd, struct error *e);

/* ---- what networks share: journal_shared.c ---- */

/*
 * A setting of the host that several networks want, such as forwarding, has the
 * value from before the first of them until the last is gone.  So whoever finds
 * it set by another network writes down that one's value of before, and whoever
 * undoes leaves it while another's journal names it.  All that is done about
 * settings is done under one lock for the folder of all networks.
 */

/* The lock, held while the descriptor is open; or a negative errno. */
MUST_USE int journal_shared_lock(const struct journal *j);
/* The record of another network here, alive or not, that set the same to the
 * same value; false: there is none. */
MUST_USE bool journal_shared_find(const struct journal *j,
				  const struct undo *mine, struct undo *found);

/* ---- the format: for the above, and for tests ---- */

/* The length of the whole records at p, from the head on; 0: no head.  *lastp:
 * where the last of them begins (0: there is none), *keptp: whether it is
 * UNDO_KEEP. */
uint32_t journal_scan(const uint8_t *p, size_t len, uint32_t *lastp,
		      bool *keptp);
/* The record that begins at off, as journal_scan() told; its length, 0 if there
 * is none. */
MUST_USE uint32_t journal_read(const uint8_t *p, size_t len, uint32_t off,
			       struct undo *u);
/* All of an open file, malloc'd: its length, *pp the caller's. */
MUST_USE int journal_load(int fd, uint8_t **pp);

#endif
