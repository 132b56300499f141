/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths, ranges and tags of HTTP; see http_text.h. */
#include "keeper/http_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"

/* The byte of "XX"; -1: it is none, or 0. */
static int hex_byte(const char *p)
{
	int hi = hex_digit(p[0]);
	int lo = hi < 0 ? -1 : hex_digit(p[1]);

	return lo < 0 || (hi | lo) == 0 ? -1 : hi << 4 | lo;
}

bool http_path(const char *url, char *buf, size_t room)
{
	size_t n = 0;

	for (; *url; url++) {
		int c = *url == '%' ? hex_byte(url + 1)
				    : (unsigned char)*url;

		if (c < 0 || room - n < 2)
			return false;
		url += *url == '%' ? 2 : 0;
		buf[n++] = (char)c;
	}
	if (n >= room)
		return false;
	buf[n] = '\0';
	return true;
}

/* Digits at *pp, which goes behind them; more than fit are the most that do.
 * False: there is none. */
static bool take_number(const char **pp, uint64_t *np)
{
	const char *p = *pp;

	*np = 0;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(*np, 10u, np) ||
		    __builtin_add_overflow(*np, (unsigned)(*p - '0'), np))
			*np = UINT64_MAX;
	}
	*pp = p;
	return true;
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* "-500": the last bytes. */
static enum http_range last_bytes(uint64_t n, uint64_t size, uint64_t *fromp,
				  uint64_t *lenp)
{
	if (!n || !size)
		return HTTP_RANGE_NONE;
	*lenp = n < size ? n : size;
	*fromp = size - *lenp;
	return HTTP_RANGE_PART;
}

enum http_range http_range(const char *text, uint64_t size, uint64_t *fromp,
			   uint64_t *lenp)
{
	uint64_t from, to = UINT64_MAX;
	bool has_from, has_to;

	if (!text || strncasecmp(text, "bytes=", 6) != 0)
		return HTTP_RANGE_WHOLE;
	text = skip_blanks(text + 6);
	has_from = take_number(&text, &from);
	if (*text++ != '-')
		return HTTP_RANGE_WHOLE;
	has_to = take_number(&text, &to);
	if (*skip_blanks(text) || (!has_from && !has_to))
		return HTTP_RANGE_WHOLE;
	if (!has_from)
		return last_bytes(to, size, fromp, lenp);
	if (!has_to)
		to = UINT64_MAX;
	if (to < from)
		return HTTP_RANGE_WHOLE; /* makes no sense */
	if (from >= size)
		return HTTP_RANGE_NONE;
	*fromp = from;
	*lenp = (to < size ? to + 1 : size) - from;
	return HTTP_RANGE_PART;
}

const char *http_content_range(uint64_t from, uint64_t len, uint64_t size,
			       char buf[HTTP_RANGE_LEN])
{
	if (len)
		snprintf(buf, HTTP_RANGE_LEN,
			 "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from,
			 from + len - 1, size);
	else
		snprintf(buf, HTTP_RANGE_LEN, "bytes */%" PRIu64, size);
	return buf;
}

const char *http_tag(const struct stat *st, char buf[HTTP_TAG_LEN])
{
	uint64_t changed = (uint64_t)st->st_mtim.tv_sec * 1000000000u +
			   (uint64_t)st->st_mtim.tv_nsec;

	snprintf(buf, HTTP_TAG_LEN, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
		 (uint64_t)st->st_ino, (uint64_t)st->st_size, changed);
	return buf;
}

bool http_has_tag(const char *list, const char *tag)
{
	size_t len = strlen(tag);

	list = skip_blanks(list);
	if (*list == '*')
		return true;
	while (*list) {
		size_t n = strcspn(list, ",");

		/* Weak or not: it is the same file (RFC 9110 13.1.2). */
		if (n >= 2 && strncmp(list, "W/", 2) == 0) {
			list += 2;
			n -= 2;
		}
		if (n >= len && strncmp(list, tag, len) == 0 &&
		    strspn(list + len, " \t") == n - len)
			return true;
		list += n;
		list += strspn(list, ", \t");
	}
	return false;
}

const char *http_date(time_t t, char buf[HTTP_DATE_LEN])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	buf[0] = '\0';
	if (!gmtime_r(&t, &tm))
		return buf;
	snprintf(buf, HTTP_DATE_LEN, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return buf;
}

const char *http_type(const char *name)
{
	/* UEFI 2.10, 24.7.3.2: what is to be started how. */
	static const struct {
		const char *end, *type;
	} types[] = {
		{".efi", "application/efi"},
		{".iso", "application/vnd.efi-iso"},
		{".img", "application/vnd.efi-img"},
	};
	size_t len = strlen(name);

	for (size_t i = 0; i < array_len(types); i++) {
		size_t n = strlen(types[i].end);

		if (len > n && strcasecmp(name + len - n, types[i].end) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}
