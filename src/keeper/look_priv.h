/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of what the engine is asked for: look.c asks, look_json.c makes
 * JSON of what comes.  The keeper's thread. */
#ifndef KEEPER_LOOK_PRIV_H
#define KEEPER_LOOK_PRIV_H

#include "keeper/later.h"
#include "keeper/look.h"

struct look;

/* A list within an answer, from one listing of the engine's. */
struct look_part {
	enum look_what what;
	/* Entry i of the room, which the engine may be writing to. */
	void (*take)(struct look *l, const union look_room *room, unsigned i);
	/* There are no more of them; NULL: nothing is to be done. */
	void (*close)(struct look *l);
};

enum { LOOK_PARTS = 2 };

struct look_kind {
	struct look_part part[LOOK_PARTS];
	unsigned n_parts;
	/* What the answer ends with, TEXT_END bytes at most; NULL: it is a
	 * failure. */
	const char *(*end)(struct look *l);
};

/* One request. */
struct look {
	struct later later;
	struct list link; /* in looks.waiting; alone: it is over */
	struct keeper *keeper;
	const struct look_kind *kind;
	unsigned part;
	uint32_t cookie; /* of the turn that was asked for it last */
	uint32_t at[LOOK_AT];
	unsigned n_turns;
	char *text; /* owned; n bytes of room, not terminated before the end */
	size_t n, room;
	unsigned n_items; /* of the list under way */
	char machine[CONTROL_NAME_LEN]; /* flows of that one only; "": of all */
	struct {
		uint64_t count[LOOK_COUNT_N];
		uint64_t to_bytes, from_bytes; /* of all peers .. */
		uint64_t in_frames, out_frames; /* .. and of gateways */
	} sum; /* gvproxy's */
	bool is_cut; /* something was left out */
	struct error e; /* code EXIT_DONE: it is answered */
};

/* A request that waits from now on, whose answer begins with that text: 0; or
 * negative with one line in *e. */
MUST_USE int look_begin(struct keeper *k, const struct request *r,
			const struct look_kind *kind, const char *text,
			struct error *e);
/* An entry of a room, copied before anybody looks at it, for the engine could
 * change it in between. */
void look_copy(void *to, const void *list, unsigned i, size_t len);
/* The machine that has the netdev; NULL: none has it. */
const struct machine *look_machine_at(const struct keeper *k, uint32_t id);
/* The engine's word is any number, and JSON's go less far. */
json_t *look_number(uint64_t n);
/* Behind what there is; or l is cut. */
void look_put_text(struct look *l, const char *text);
/* The same of an entry of a list, which it takes; NULL: no memory. */
void look_put_item(struct look *l, json_t *o);

#endif
