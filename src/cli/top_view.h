/* SPDX-License-Identifier: BSD-3-Clause */
/* What vmlan top shows, as cells of text: the same for a terminal
 * (top_screen.c) and for --once. */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include <stdio.h>

#include "cli/top_model.h"

enum top_attr {
	TOP_PLAIN = 0,
	TOP_BOLD = 1 << 0,
	TOP_DIM = 1 << 1,
	TOP_REVERSE = 1 << 2,
	TOP_WARN = 1 << 3,
};

struct top_grid {
	int rows, columns;
	char *text;    /* owned: rows * columns of printable ASCII */
	uint8_t *attrs; /* owned: bits of enum top_attr, of each */
};

#define TOP_GRID_NULL ((struct top_grid){.rows = 0})

/* Of this size, empty. -ENOMEM: it is as it was. */
MUST_USE int top_grid_init(struct top_grid *g, int rows, int columns);
void top_grid_deinit(struct top_grid *g);
/* As text, without blanks and lines at the end of it. */
void top_grid_print(const struct top_grid *g, FILE *out);

/* What is shown besides the model. */
struct top_look {
	const char *network;
	const char *status;   /* the last line; "": the keys */
	const char *trouble;  /* why there is nothing new; "" */
	const char *selected; /* a machine's name; "" */
	bool is_asking;	      /* status is a question */
	bool has_help;	      /* the keys, in place of all else */
	bool has_no_keys;     /* it is a text */
	/* Whether that machine is captured. */
	bool (*is_captured)(void *arg, const char *machine);
	void *arg;
};

/* How many rows it takes to show all machines and drops, and n_flows flows. */
int top_view_rows(const struct top_model *m, unsigned n_flows);
void top_view_draw(const struct top_model *m, const struct top_look *look,
		   struct top_grid *g);

#endif
