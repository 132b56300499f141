/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who spoke in a round of the loop, and how much: noted by the lans of a
 * worker for each batch that comes in, read by its loop, which chooses how to
 * wait (os/spin.h).
 */
#ifndef BASE_TALK_H
#define BASE_TALK_H

#include <stdbool.h>
#include <stdint.h>

struct talk {
	const void *who; /* the first; only ever compared. NULL: nobody */
	bool is_several; /* not the only one */
	uint64_t bytes;	 /* of all frames */
};

/* who brought frames of so many bytes. */
static inline void talk_note(struct talk *t, const void *who, uint64_t bytes)
{
	t->bytes += bytes;
	if (!t->who)
		t->who = who;
	else if (t->who != who)
		t->is_several = true;
}

#endif
