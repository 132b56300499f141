/* SPDX-License-Identifier: BSD-3-Clause */
/* The terminal of vmlan top: the only file that knows ncurses. */
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

#include "base/error.h"
#include "cli/top_view.h"

/* What is no character. */
enum top_key {
	TOP_KEY_NONE = -1, /* no more for now */
	TOP_KEY_UP = 1000,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_ERASE,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE,
	TOP_KEY_OTHER, /* one that we do not know */
};

struct top_screen;

/* Takes the terminal of standard input and output.  0, or -1 with one line in
 * *e: there is none. */
MUST_USE int top_screen_open(struct top_screen **sp, struct error *e);
/* Gives it back as it was. */
void top_screen_close(struct top_screen *s);
void top_screen_size(const struct top_screen *s, int *rowsp, int *columnsp);
/* After SIGWINCH. */
void top_screen_resize(struct top_screen *s);
void top_screen_show(struct top_screen *s, const struct top_grid *g);
/* The next key: a character, or an enum top_key. */
int top_screen_key(struct top_screen *s);

#endif
