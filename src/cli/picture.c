/* SPDX-License-Identifier: BSD-3-Clause */
/* Where things are in the picture of a network; see picture.h. */
#include "cli/picture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/svg.h"

enum {
	TITLE_H = 56,	/* its two lines */
	ARROW_W = 110,	/* between host and gateway */
	GAP = 30,	/* between boxes */
	CABLE_H = 44,	/* between the LAN and a box */
	LAN_H = 30,
	WIDTH_MIN = 560,
	COLUMNS_MAX = 10,
	ROW_MAX = 4, /* so many machines are in one row */
	BOXES_FIRST = 16,
};

struct picture_box *picture_add(struct picture *p, enum picture_place place,
				enum picture_kind kind)
{
	/* Room for twice as many whenever a power of two is full. */
	if (p->n_boxes == 0 || (p->n_boxes >= BOXES_FIRST &&
				(p->n_boxes & (p->n_boxes - 1)) == 0)) {
		size_t room = p->n_boxes ? 2 * (size_t)p->n_boxes : BOXES_FIRST;
		struct picture_box *more =
			reallocarray(p->boxes, room, sizeof(*more));

		if (!more)
			return NULL;
		p->boxes = more;
	}
	p->boxes[p->n_boxes] = (struct picture_box){
		.place = place, .kind = kind, .cells = PICTURE_CELLS_MIN};
	return &p->boxes[p->n_boxes++];
}

bool picture_say(struct picture_box *b, enum picture_style style,
		 const char *fmt, ...)
{
	struct picture_line *more =
		reallocarray(b->lines, b->n_lines + 1, sizeof(*more));
	unsigned cells;
	char *text;
	va_list ap;
	int r;

	if (!more)
		return false;
	b->lines = more;
	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0)
		return false;
	b->lines[b->n_lines++] = (struct picture_line){text, style};
	cells = svg_cells(text);
	if (cells > b->cells)
		b->cells = cells < PICTURE_CELLS_MAX ? cells
						     : PICTURE_CELLS_MAX;
	return true;
}

static int width_of(unsigned cells)
{
	return (int)(cells * PICTURE_CELL) + 2 * PICTURE_PAD;
}

static int height_of(const struct picture_box *b)
{
	return (int)b->n_lines * PICTURE_LINE + 2 * PICTURE_PAD;
}

static int max(int a, int b)
{
	return a > b ? a : b;
}

/* Those above in a row, with their tops at y and the host first: its height;
 * *xp: where it ends. */
static int lay_above(struct picture *p, int y, int *xp)
{
	int h = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < p->n_boxes; i++) {
			struct picture_box *b = &p->boxes[i];
			bool is_host = b->place == PICTURE_HOST;

			if (b->place == PICTURE_BELOW || is_host != (pass == 0))
				continue;
			b->at = (struct rect){*xp, y, width_of(b->cells),
					      height_of(b)};
			*xp += b->at.w + (is_host ? ARROW_W : GAP);
			h = max(h, b->at.h);
		}
	}
	return h;
}

/* About as wide as it is high, of boxes that are wider than high. */
static unsigned columns_for(unsigned n)
{
	unsigned c = 1;

	if (n <= ROW_MAX)
		return n;
	while (c < COLUMNS_MAX && c * c < n)
		c++;
	return max((int)c, ROW_MAX);
}

/* Those below as a grid under y: where it ends; *xp: its right side. */
static int lay_below(struct picture *p, int y, int *xp)
{
	unsigned k = 0, cells = PICTURE_CELLS_MIN;
	bool has_trunks = p->trunks != NULL;
	int step, row_h = 0;

	for (unsigned i = 0; i < p->n_boxes; i++) {
		if (p->boxes[i].place == PICTURE_BELOW)
			cells = (unsigned)max((int)cells,
					      (int)p->boxes[i].cells);
	}
	step = width_of(cells) + GAP;
	for (unsigned i = 0; i < p->n_boxes; i++) {
		struct picture_box *b = &p->boxes[i];
		unsigned column = p->n_columns ? k % p->n_columns : 0;
		int x = PICTURE_MARGIN + (has_trunks ? GAP : 0) +
			(int)column * step;

		if (b->place != PICTURE_BELOW)
			continue;
		if (k && column == 0) {
			y += row_h + GAP;
			row_h = 0;
		}
		b->at = (struct rect){x, y, width_of(cells), height_of(b)};
		row_h = max(row_h, b->at.h);
		*xp = max(*xp, x + b->at.w);
		if (has_trunks) {
			int mid = y + PICTURE_PAD + PICTURE_LINE / 2;
			struct rect *t = &p->trunks[column];

			b->line = (struct rect){x - GAP / 2, mid, GAP / 2, 0};
			*t = (struct rect){x - GAP / 2, p->lan.y + LAN_H, 0,
					   mid - p->lan.y - LAN_H};
		} else {
			b->line = (struct rect){x + b->at.w / 2,
						p->lan.y + LAN_H, 0, CABLE_H};
		}
		k++;
	}
	return y + row_h;
}

bool picture_lay_out(struct picture *p)
{
	int above_x = PICTURE_MARGIN, below_x = 0, y = PICTURE_MARGIN + TITLE_H;
	unsigned n = 0;
	int h;

	for (unsigned i = 0; i < p->n_boxes; i++)
		n += p->boxes[i].place == PICTURE_BELOW;
	p->n_columns = columns_for(n);
	if (n > p->n_columns) {
		p->trunks = calloc(p->n_columns, sizeof(*p->trunks));
		if (!p->trunks)
			return false;
	}
	h = lay_above(p, y, &above_x);
	y += h ? h + CABLE_H : 0;
	p->lan = (struct rect){PICTURE_MARGIN, y, 0, LAN_H};
	for (unsigned i = 0; i < p->n_boxes; i++) {
		struct picture_box *b = &p->boxes[i];
		int end = b->at.y + b->at.h;

		if (b->place == PICTURE_ABOVE)
			b->line = (struct rect){b->at.x + b->at.w / 2, end, 0,
						y - end};
	}
	y = lay_below(p, y + LAN_H + CABLE_H, &below_x);
	p->height = y + PICTURE_MARGIN;
	p->width = max(max(above_x - GAP, below_x),
		       max(WIDTH_MIN, width_of(p->title_cells))) +
		   PICTURE_MARGIN;
	p->lan.w = p->width - 2 * PICTURE_MARGIN;
	return true;
}

void picture_deinit(struct picture *p)
{
	for (unsigned i = 0; i < p->n_boxes; i++) {
		for (unsigned k = 0; k < p->boxes[i].n_lines; k++)
			free(p->boxes[i].lines[k].text);
		free(p->boxes[i].lines);
	}
	free(p->boxes);
	free(p->trunks);
	*p = PICTURE_NULL;
}
