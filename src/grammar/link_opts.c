/* SPDX-License-Identifier: BSD-3-Clause */
/* How a cable is spoilt, in words; see link_opts.h. */
#include "grammar/link_opts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_NS (UINT64_C(86400) * 1000000000)

/* A unit and what one of it is. */
struct unit {
	const char *name;
	uint64_t size;
};

/* Greatest first; what they count is said by the key. */
static const struct unit times[] = {
	{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}, {0}};
static const struct unit long_times[] = {
	{"h", UINT64_C(3600000000000)}, {"min", UINT64_C(60000000000)},
	{"s", 1000000000}, {"ms", 1000000}, {0}};
static const struct unit shares[] = {{"%", IMPAIR_ALL / 100}, {0}};
static const struct unit rates[] = {{"gbit", 1000000000}, {"mbit", 1000000},
				    {"kbit", 1000}, {"bit", 1}, {0}};
static const struct unit sizes[] = {
	{"mb", 1000000}, {"kb", 1000}, {"b", 1}, {0}};

/* What a key's value may be. */
struct kind {
	const char *name;
	const struct unit *units;
	uint64_t min, max;
	const char *example;
};

static const struct kind kinds[LINK_KEYS] = {
	[LINK_DELAY] = {"delay", times, 1, IMPAIR_DELAY_MAX_NS, "50ms"},
	[LINK_JITTER] = {"jitter", times, 1, IMPAIR_DELAY_MAX_NS, "5ms"},
	[LINK_LOSS] = {"loss", shares, 1, IMPAIR_ALL, "1%"},
	[LINK_DUPLICATE] = {"duplicate", shares, 1, IMPAIR_ALL, "1%"},
	[LINK_REORDER] = {"reorder", shares, 1, IMPAIR_ALL, "25%"},
	[LINK_CORRUPT] = {"corrupt", shares, 1, IMPAIR_ALL, "0.1%"},
	[LINK_RATE] = {"rate", rates, IMPAIR_RATE_MIN, IMPAIR_RATE_MAX,
		       "10mbit"},
	[LINK_BURST] = {"burst", sizes, 1, IMPAIR_BURST_MAX, "15kb"},
};

static const struct kind a_time = {NULL, long_times, 1, 30 * DAY_NS, "30s"};

const char *link_key_name(enum link_key key)
{
	return kinds[key].name;
}

static uint64_t get(const struct impair *i, enum link_key key)
{
	switch (key) {
	case LINK_DELAY:
		return i->delay_ns;
	case LINK_JITTER:
		return i->jitter_ns;
	case LINK_LOSS:
		return i->loss;
	case LINK_DUPLICATE:
		return i->duplicate;
	case LINK_REORDER:
		return i->reorder;
	case LINK_CORRUPT:
		return i->corrupt;
	case LINK_RATE:
		return i->rate;
	case LINK_BURST:
		return i->rate ? impair_burst(i) : i->burst;
	case LINK_KEYS:
		break;
	}
	return 0;
}

static void put(struct impair *i, enum link_key key, uint64_t n)
{
	switch (key) {
	case LINK_DELAY:
		i->delay_ns = n;
		if (!n) /* nor what it is for */
			i->jitter_ns = i->reorder = 0;
		break;
	case LINK_JITTER:
		i->jitter_ns = n;
		break;
	case LINK_LOSS:
		i->loss = (uint32_t)n;
		break;
	case LINK_DUPLICATE:
		i->duplicate = (uint32_t)n;
		break;
	case LINK_REORDER:
		i->reorder = (uint32_t)n;
		break;
	case LINK_CORRUPT:
		i->corrupt = (uint32_t)n;
		break;
	case LINK_RATE:
		i->rate = n;
		if (!n)
			i->burst = 0;
		break;
	case LINK_BURST:
		i->burst = n;
		break;
	case LINK_KEYS:
		break;
	}
}

/* ---- to numbers ---- */

static const struct unit *find_unit(const struct unit *u, const char *name)
{
	for (; u->name; u++) {
		if (strcmp(u->name, name) == 0)
			return u;
	}
	return NULL;
}

/* "s, ms, us, ns" */
static const char *list_units(const struct kind *k, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (const struct unit *u = k->units; u->name && at < len; u++)
		at += (size_t)snprintf(buf + at, len - at, "%s%s",
				       at ? ", " : "", u->name);
	return buf;
}

/* The digits at text, which end at end, with one point at most, in units of
 * size; false: they are not so many of anything. */
static bool take_number(const char *text, const char *end, uint64_t size,
			uint64_t *np)
{
	uint64_t n = 0, part = 0, step = size;
	const char *p = text;

	for (; p < end && *p != '.'; p++) {
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return false;
	}
	if (p < end)
		p++;
	for (; p < end && *p != '.'; p++) {
		/* What is less than one cannot be had. */
		if (*p != '0' && (step == 0 || step % 10))
			return false;
		step /= 10;
		part += step * (uint64_t)(*p - '0');
	}
	return p == end && !__builtin_mul_overflow(n, size, &n) &&
	       !__builtin_add_overflow(n, part, np);
}

/* Errors show what they are about, in one line. */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

/* In the greatest unit of which there is one, with what is left as decimals:
 * exact where that is a power of ten. */
static void print_value(const struct unit *u, uint64_t n, char *buf,
			size_t len)
{
	uint64_t rest, step;
	int at;

	while (u[1].name && n < u->size)
		u++;
	at = snprintf(buf, len, "%" PRIu64, n / u->size);
	rest = n % u->size;
	if (rest)
		at += snprintf(buf + at, len - (size_t)at, ".");
	for (step = u->size / 10; rest; step /= 10) {
		at += snprintf(buf + at, len - (size_t)at, "%d",
			       (int)(rest / step));
		rest %= step;
	}
	snprintf(buf + at, len - (size_t)at, "%s", u->name);
}

static int read_value(const struct kind *k, const char *what,
		      const char *value, uint64_t *np, struct error *e)
{
	const char *end = value + strspn(value, "0123456789.");
	const struct unit *u = find_unit(k->units, end);
	char units[64], limit[LINK_VALUE_LEN];
	uint64_t n = 0;

	if (!is_plain(value))
		return error_set(e, EXIT_USAGE,
				 "%s= has a value that is none, as %s=%s is",
				 what, what, k->example);
	if (end == value || *value == '.' || end[-1] == '.')
		return error_set(e, EXIT_USAGE,
				 "%s=%.40s: it must be a number and a unit, as "
				 "%s=%s",
				 what, value, what, k->example);
	if (!*end && strspn(value, "0.") != (size_t)(end - value))
		return error_set(e, EXIT_USAGE,
				 "%s=%.40s: say the unit (%s), as %s=%s", what,
				 value, list_units(k, units, sizeof(units)),
				 what, k->example);
	if (*end && !u)
		return error_set(e, EXIT_USAGE,
				 "%s=%.40s: '%.16s' is no unit of it; there "
				 "are %s",
				 what, value, end,
				 list_units(k, units, sizeof(units)));
	if (!take_number(value, end, u ? u->size : 1, &n))
		return error_set(e, EXIT_USAGE,
				 "%s=%.40s: no such amount can be had", what,
				 value);
	if (n > k->max || (n && n < k->min)) {
		print_value(k->units, n > k->max ? k->max : k->min, limit,
			    sizeof(limit));
		return error_set(e, EXIT_USAGE, "%s=%.40s: it is too %s is %s",
				 what, value,
				 n > k->max ? "much; the most there can be"
					    : "little; the least",
				 limit);
	}
	*np = n;
	return 0;
}

int link_opt_parse(const char *key, const char *value, struct impair *i,
		   struct error *e)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < LINK_KEYS; k++) {
		if (strcmp(key, kinds[k].name) != 0)
			continue;
		if (strcmp(value, "off") != 0 &&
		    read_value(&kinds[k], key, value, &n, e) < 0)
			return -1;
		put(i, (enum link_key)k, n);
		return 0;
	}
	return error_set(e, EXIT_USAGE,
			 "'%.40s' is nothing that a cable has; there are "
			 "delay, jitter, loss, duplicate, reorder, corrupt, "
			 "rate, burst",
			 is_plain(key) ? key : "?");
}

int link_opts_check(const struct impair *i, struct error *e)
{
	if (i->jitter_ns > i->delay_ns)
		return error_set(e, EXIT_USAGE,
				 "jitter= is more than delay=: frames cannot "
				 "arrive before they were sent");
	if (i->reorder && !i->delay_ns)
		return error_set(e, EXIT_USAGE,
				 "reorder= needs delay=: what overtakes skips "
				 "that");
	if (i->burst && !i->rate)
		return error_set(e, EXIT_USAGE,
				 "burst= needs rate=: without one all pass at "
				 "once");
	return 0;
}

json_t *link_opts_object(const struct impair *i)
{
	json_t *o = json_object();
	char text[LINK_VALUE_LEN];

	for (unsigned k = 0; k < LINK_KEYS && o; k++) {
		enum link_key key = (enum link_key)k;

		if (!link_opt_format(i, key, text) ||
		    json_object_set_new(o, link_key_name(key),
					json_string(text)) == 0)
			continue;
		json_decref(o);
		o = NULL;
	}
	return o;
}

int link_time_parse(const char *what, const char *text, uint64_t *nsp,
		    struct error *e)
{
	uint64_t n;

	if (read_value(&a_time, what, text, &n, e) < 0)
		return -1;
	if (n == 0)
		return error_set(e, EXIT_USAGE,
				 "%s=%.40s: it must be some time, as %s=30s",
				 what, text, what);
	*nsp = n;
	return 0;
}

/* ---- to text ---- */

bool link_opt_format(const struct impair *i, enum link_key key,
		     char buf[static LINK_VALUE_LEN])
{
	uint64_t n = get(i, key);

	if (n)
		print_value(kinds[key].units, n, buf, LINK_VALUE_LEN);
	return n != 0;
}

void link_time_format(uint64_t ns, char buf[static LINK_VALUE_LEN])
{
	uint64_t s = (ns + 500000000) / 1000000000;

	if (s < 60)
		print_value(times, ns / 1000000 * 1000000, buf,
			    LINK_VALUE_LEN);
	else if (s < 3600)
		snprintf(buf, LINK_VALUE_LEN, "%d min %d s", (int)(s / 60),
			 (int)(s % 60));
	else
		snprintf(buf, LINK_VALUE_LEN, "%d h %d min", (int)(s / 3600),
			 (int)(s / 60 % 60));
}
