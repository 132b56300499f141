/* SPDX-License-Identifier: BSD-3-Clause */
/* Edit distance and quotation; used by the parsers, on any thread. */
#include "grammar/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	WORD_MAX = 40,
	UNLIKE = 1000,
};

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment, three rows of the table at a time. */
unsigned word_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2], *tmp;
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return UNLIKE;
	for (size_t j = 0; j <= nb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			bool eq = same(a[i - 1], b[j - 1]);

			now[j] = min_of(last[j - 1] + !eq,
					min_of(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]))
				now[j] = min_of(now[j], before[j - 2] + 1);
		}
		tmp = before;
		before = last;
		last = now;
		now = tmp;
	}
	return last[nb];
}

const char *quote_n(char *buf, const char *text, size_t len)
{
	size_t n = len < QUOTE_LEN - 3 ? len : QUOTE_LEN - 3;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		buf[i] = (c < 0x20 || c == 0x7f) ? '?' : (char)c;
	}
	snprintf(buf + n, 3, "%s", len > n ? ".." : "");
	return buf;
}

const char *quote(char *buf, const char *text)
{
	return quote_n(buf, text, strlen(text));
}
