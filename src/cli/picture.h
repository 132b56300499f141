/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where things are in the picture of a network: boxes of text, a LAN between
 * those above and those below, cables.
 *
 *	 host ---->  gateway    uplink		above, each straight on the LAN
 *			|	   |
 *	=================================	the LAN
 *	 |      |      |			one row: straight cables
 *	 a      b      c
 *
 * Several rows hang on trunks, left of each column: a box is reached from its
 * trunk by a cable to its left side.
 */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H

#include <stdbool.h>

#include "base/mem.h"

enum {
	PICTURE_LINE = 18,	/* from one line of text to the next, pixels */
	PICTURE_PAD = 12,	/* from a box's side to its text */
	PICTURE_MARGIN = 24,	/* around everything */
	PICTURE_CELLS_MIN = 20, /* of a box's text */
	PICTURE_CELLS_MAX = 44,
};

/* A cell of the font is 7.2 pixels wide; what is measured is a bit more. */
#define PICTURE_CELL 7.4

struct rect {
	int x, y, w, h; /* pixels */
};

enum picture_place {
	PICTURE_HOST,  /* above, on the left: at most one */
	PICTURE_ABOVE, /* above, on the LAN */
	PICTURE_BELOW, /* on the LAN */
};

/* What a line is. */
enum picture_style {
	PICTURE_NAME,
	PICTURE_TEXT,
	PICTURE_DIM,
	PICTURE_WARN,
};

enum picture_cable {
	PICTURE_CABLE_GOOD,
	PICTURE_CABLE_LOOSE, /* nobody is there */
	PICTURE_CABLE_SPOILT,
	PICTURE_CABLE_PULLED,
};

/* What a box is. */
enum picture_kind {
	PICTURE_MACHINE,
	PICTURE_GATEWAY,
	PICTURE_UPLINK, /* and what else is no machine */
	PICTURE_THE_HOST,
};

struct picture_line {
	char *text; /* owned, never NULL */
	enum picture_style style;
};

struct picture_box {
	struct rect at; /* by picture_lay_out() */
	struct picture_line *lines; /* owned */
	unsigned n_lines;
	unsigned cells; /* of the longest line, within the limits above */
	enum picture_place place;
	enum picture_kind kind;
	enum picture_cable cable;
	struct rect line; /* its cable: from the LAN or its trunk, w or h 0 */
};

struct picture {
	struct picture_box *boxes; /* owned */
	unsigned n_boxes;
	unsigned n_arrows; /* from the host to the first above: lines 1 .. */
	unsigned title_cells; /* of its widest line */
	/* by picture_lay_out() */
	struct rect lan;
	int width, height;
	unsigned n_columns; /* of those below */
	struct rect *trunks; /* owned: of each column, w 0; NULL: one row */
};

#define PICTURE_NULL ((struct picture){.boxes = NULL})

/* One more box, to be filled; valid until the next.  NULL: no memory. */
struct picture_box *picture_add(struct picture *p, enum picture_place place,
				enum picture_kind kind);
/* One more line of a box.  False: no memory. */
__attribute__((format(printf, 3, 4))) MUST_USE bool
picture_say(struct picture_box *b, enum picture_style style, const char *fmt,
	    ...);
/* Places all.  False: no memory. */
MUST_USE bool picture_lay_out(struct picture *p);
void picture_deinit(struct picture *p);

#endif
