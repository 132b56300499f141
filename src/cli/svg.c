/* SPDX-License-Identifier: BSD-3-Clause */
/* Foreign text in SVG; see svg.h. */
#include "cli/svg.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum { DOTS = 3 };

/* The next character, and how many bytes it has; 0 at the end.  What is no
 * UTF-8 is a character of one byte, U+FFFD. */
static uint32_t next(const char *s, unsigned *np)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned n = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = u[0];

	*np = 1;
	if (n == 1)
		return c;
	if (u[0] < 0xc0 || u[0] > 0xf4)
		return 0xfffd;
	c = u[0] & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0xfffd;
		c = c << 6 | (u[i] & 0x3fu);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0xfffd;
	*np = n;
	return c;
}

static unsigned width(uint32_t c)
{
	bool is_wide = (c >= 0x1100 && c < 0x1160) ||
		       (c >= 0x2e80 && c < 0xa4d0) ||
		       (c >= 0xac00 && c < 0xd7a4) ||
		       (c >= 0xf900 && c < 0xfb00) ||
		       (c >= 0xfe30 && c < 0xfe70) ||
		       (c >= 0xff00 && c < 0xff61) ||
		       (c >= 0x1f300 && c < 0x1fb00) ||
		       (c >= 0x20000 && c < 0x40000);

	return is_wide ? 2 : 1;
}

static bool is_shown(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c & 0xfffe) == 0xfffe)
		return false;
	return !(c >= 0x200e && c < 0x2010) && !(c >= 0x2028 && c < 0x202f) &&
	       !(c >= 0x2066 && c < 0x206a);
}

unsigned svg_cells(const char *text)
{
	unsigned sum = 0, n;
	uint32_t c;

	while ((c = next(text, &n)) && sum < UINT_MAX / 2) {
		sum += width(c);
		text += n;
	}
	return sum;
}

static void put_one(FILE *out, uint32_t c, const char *s, unsigned n)
{
	if (!is_shown(c))
		fputc('?', out);
	else if (c == '&')
		fputs("&amp;", out);
	else if (c == '<')
		fputs("&lt;", out);
	else if (c == '>')
		fputs("&gt;", out);
	else if (c == '"')
		fputs("&quot;", out);
	else if (c == '\'')
		fputs("&#39;", out);
	else if (c == 0xfffd)
		fputs("&#65533;", out);
	else
		fwrite(s, 1, n, out);
}

void svg_put(FILE *out, const char *text, unsigned cells)
{
	bool is_cut = svg_cells(text) > cells;
	unsigned left = is_cut ? (cells > DOTS ? cells - DOTS : 0) : cells, n;
	uint32_t c;

	while ((c = next(text, &n)) && width(c) <= left) {
		put_one(out, c, text, n);
		left -= width(c);
		text += n;
	}
	if (is_cut)
		fputs("...", out);
}
