/* SPDX-License-Identifier: BSD-3-Clause */
/* The terminal of vmlan top; see top_screen.h. */
#include "cli/top_screen.h"

#include <ncurses.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#undef columns /* of term.h, where all that a terminal has is a macro */

enum { ESCAPE_MS = 25, WARN_PAIR = 1 };

struct top_screen {
	SCREEN *screen; /* owned */
	bool has_colours;
};

/* Whether there is a description of it with what it takes, before newterm() is
 * asked, which leaves memory behind where there is none. */
static bool is_known(void)
{
	int why;

	if (setupterm(NULL, STDOUT_FILENO, &why) != OK)
		return false;
	(void)del_curterm(cur_term);
	return true;
}

int top_screen_open(struct top_screen **sp, struct error *e)
{
	struct top_screen *s;
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(e, EXIT_USAGE,
				 "top: there is no terminal here; --once "
				 "prints one screen as text");
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(e, EXIT_FAILED, "top: no memory");
	if (is_known())
		s->screen = newterm(NULL, stdout, stdin);
	if (!s->screen) {
		free(s);
		return error_set(e, EXIT_USAGE,
				 "top: TERM=%s is no terminal that can be "
				 "drawn on; --once prints one screen as text",
				 term ? term : "");
	}
	set_term(s->screen);
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	if (has_colors() && start_color() == OK &&
	    use_default_colors() == OK) {
		init_pair(WARN_PAIR, COLOR_RED, -1);
		s->has_colours = true;
	}
	*sp = s;
	return 0;
}

void top_screen_close(struct top_screen *s)
{
	if (!s)
		return;
	endwin();
	delscreen(s->screen);
	free(s);
}

void top_screen_size(const struct top_screen *s, int *rowsp, int *columnsp)
{
	(void)s;
	*rowsp = LINES;
	*columnsp = COLS;
}

void top_screen_resize(struct top_screen *s)
{
	struct winsize size;

	(void)s;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row &&
	    size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clearok(curscr, TRUE);
}

static attr_t attr_of(const struct top_screen *s, unsigned bits)
{
	attr_t a = A_NORMAL;

	if (bits & TOP_BOLD)
		a |= A_BOLD;
	if (bits & TOP_DIM)
		a |= A_DIM;
	if (bits & TOP_REVERSE)
		a |= A_REVERSE;
	if (bits & TOP_WARN)
		a |= s->has_colours ? COLOR_PAIR(WARN_PAIR) : A_BOLD;
	return a;
}

void top_screen_show(struct top_screen *s, const struct top_grid *g)
{
	erase();
	for (int y = 0; y < g->rows && y < LINES; y++) {
		for (int x = 0; x < g->columns && x < COLS; x++) {
			int at = y * g->columns + x;

			/* That of the last cell would move the cursor off. */
			(void)mvaddch(y, x,
				      (unsigned char)g->text[at] |
					      attr_of(s, g->attrs[at]));
		}
	}
	refresh();
}

int top_screen_key(struct top_screen *s)
{
	int c = getch();

	(void)s;
	switch (c) {
	case ERR:
		return TOP_KEY_NONE;
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_BACKSPACE:
	case '\b':
	case 0x7f:
		return TOP_KEY_ERASE;
	case KEY_ENTER:
	case '\r':
	case '\n':
		return TOP_KEY_ENTER;
	case 0x1b:
		return TOP_KEY_ESCAPE;
	default:
		return c >= ' ' && c <= '~' ? c : TOP_KEY_OTHER;
	}
}
