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

/* Bytes of the UTF-8 character that starts with c; 0: none does. */
static size_t utf8_lead(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	if (c < 0xe0)
		return 2;
	return c < 0xf0 ? 3 : 4;
}

/* Bytes of the UTF-8 character at p, 0 if there is none before end. */
static size_t utf8_len(const unsigned char *p, const unsigned char *end)
{
	size_t n = utf8_lead(*p);

	if (n > (size_t)(end - p))
		return 0;
	if (n >= 3 &&
	    ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) ||
	     (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] >= 0x90)))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	/* U+0080 to U+009F are what ESC begins otherwise. */
	if (n == 2 && *p == 0xc2 && p[1] < 0xa0)
		return 0;
	return n;
}

const char *quote_n(char *buf, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;
	size_t n = 0;

	while (p < end) {
		size_t step = utf8_len(p, end);

		if (n + (step ? step : 1) > QUOTE_LEN - 3)
			break;
		if (step == 0 || *p < 0x20 || *p == 0x7f) {
			buf[n++] = '?';
			p++;
			continue;
		}
		memcpy(buf + n, p, step);
		n += step;
		p += step;
	}
	snprintf(buf + n, 3, "%s", p < end ? ".." : "");
	return buf;
}

const char *quote(char *buf, const char *text)
{
	return quote_n(buf, text, strlen(text));
}

bool text_is_plain(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	while (p < end) {
		size_t step = utf8_len(p, end);

		if (step == 0 || (*p < 0x20 && *p != '\t') || *p == 0x7f)
			return false;
		p += step;
	}
	return true;
}
