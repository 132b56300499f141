/* SPDX-License-Identifier: BSD-3-Clause */
/* Text to number, boolean, size and IPv4 address; any thread. */
#include "grammar/number.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

bool number_parse(const char *text, uint64_t max, uint64_t *np, bool *too_bigp)
{
	uint64_t n = 0;
	int base = 10;

	*too_bigp = false;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	} else if (text[0] == '0' && text[1]) {
		base = 8;
		text++;
	}
	if (!*text)
		return false;
	for (; *text; text++) {
		int d = hex_digit(*text);

		if (d < 0 || d >= base)
			return false;
		if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)d, &n))
			*too_bigp = true;
	}
	if (n > max)
		*too_bigp = true;
	if (*too_bigp)
		return false;
	*np = n;
	return true;
}

bool bool_parse(const char *text, bool *bp)
{
	static const char *const words[] = {"on",  "yes", "true",  "y",
					    "off", "no",  "false", "n"};

	for (size_t i = 0; i < array_len(words); i++) {
		if (!strcmp(text, words[i])) {
			*bp = i < array_len(words) / 2;
			return true;
		}
	}
	return false;
}

/* The power of 1024 of a suffix, or -1. */
static int suffix_power(const char *text)
{
	static const char letters[] = "bkmgtpe";
	const char *at;

	if (!*text)
		return 0;
	at = strchr(letters, tolower((unsigned char)*text));
	return at && !text[1] ? (int)(at - letters) : -1;
}

/* The digits behind a decimal point, in units; digits past the 15th do not
 * count. */
static uint64_t fraction_of(const char *text, uint64_t unit)
{
	double part = 0, scale = 1;

	for (int i = 0; i < 15 && isdigit((unsigned char)text[i]); i++) {
		part = part * 10 + (text[i] - '0');
		scale *= 10;
	}
	return (uint64_t)(part / scale * (double)unit);
}

bool size_parse(const char *text, uint64_t *np)
{
	const char *point, *end = text + strspn(text, "0123456789");
	uint64_t n = 0, unit;
	bool too_big;
	int power;

	if (end == text)
		return false;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return number_parse(text, UINT64_MAX, np, &too_big);
	for (const char *p = text; p < end; p++) {
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return false;
	}
	point = end;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	power = suffix_power(end);
	if (power < 0 || (end != point && (end == point + 1 || !power)))
		return false;
	unit = (uint64_t)1 << (10 * power);
	if (__builtin_mul_overflow(n, unit, &n))
		return false;
	if (end != point &&
	    __builtin_add_overflow(n, fraction_of(point + 1, unit), &n))
		return false;
	*np = n;
	return true;
}

bool ip4_parse(const char *text, addr *ap)
{
	struct in_addr in;

	if (text[strspn(text, "0123456789abcdefABCDEFxX.")] ||
	    !inet_aton(text, &in))
		return false;
	*ap = addr_v4_u32(ntohl(in.s_addr));
	return true;
}

bool ip6_parse(const char *text, addr *ap)
{
	addr a;

	if (!addr_parse(text, &a) || addr_is_v4(&a))
		return false;
	*ap = a;
	return true;
}

bool ip6_take(const char **pp, addr *ap)
{
	const char *end = **pp == '[' ? strchr(*pp, ']') : NULL;
	char text[ADDR_STRLEN];
	size_t len = end ? (size_t)(end - *pp) - 1 : sizeof(text);

	if (len >= sizeof(text))
		return false;
	memcpy(text, *pp + 1, len);
	text[len] = '\0';
	if (!ip6_parse(text, ap))
		return false;
	*pp = end + 1;
	return true;
}
