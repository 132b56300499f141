/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of vmlan cap; see cap.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cap.h"
#include "control/protocol.h"

struct unit {
	const char *name;
	uint64_t n;
};

/* A whole number and one of the units, in which letters' case is no matter. */
static bool parse_unit(const char *text, const struct unit *u, uint64_t *np)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long long n;

	if (!digits || digits > 12)
		return false;
	n = strtoull(text, NULL, 10);
	while (u->name && strcasecmp(u->name, text + digits) != 0)
		u++;
	if (!u->name || __builtin_mul_overflow(n, u->n, np))
		return false;
	return true;
}

bool cap_size_parse(const char *text, uint64_t *np)
{
	static const struct unit units[] = {
		{"k", 1 << 10},	 {"kb", 1 << 10}, {"kib", 1 << 10},
		{"m", 1 << 20},	 {"mb", 1 << 20}, {"mib", 1 << 20},
		{"g", 1 << 30},	 {"gb", 1 << 30}, {"gib", 1 << 30},
		{NULL, 0},
	};

	return parse_unit(text, units, np);
}

bool cap_time_parse(const char *text, uint64_t *nsp)
{
	static const struct unit units[] = {
		{"ms", 1000000},
		{"s", 1000000000},
		{"m", 60 * UINT64_C(1000000000)},
		{"min", 60 * UINT64_C(1000000000)},
		{"h", 3600 * UINT64_C(1000000000)},
		{NULL, 0},
	};

	return parse_unit(text, units, nsp);
}

/* ---- options ---- */

static int take_memory(uint32_t *np, const char *option, const char *value,
		       struct error *e)
{
	uint64_t n;

	if (!cap_size_parse(value, &n) || n < CONTROL_CAPTURE_MIN ||
	    n > CONTROL_CAPTURE_MAX)
		return error_set(e, EXIT_USAGE,
				 "cap: %s takes a size from 1mb to 1gb, not "
				 "'%s'",
				 option, value);
	*np = (uint32_t)n;
	return 0;
}

static int take_file(struct cap_args *a, const char *value, struct error *e)
{
	(void)e;
	a->file = value;
	return 0;
}

static int take_snap_len(struct cap_args *a, const char *value,
			 struct error *e)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (!strspn(value, "0123456789") || *end || errno ||
	    n > CONTROL_SNAP_MAX || (n && n < CONTROL_SNAP_MIN))
		return error_set(e, EXIT_USAGE,
				 "cap: -s takes a number of bytes from %d to "
				 "%d, or 0 for whole frames, not '%s'",
				 CONTROL_SNAP_MIN, CONTROL_SNAP_MAX, value);
	a->snap_len = (uint32_t)n;
	return 0;
}

static int take_max(struct cap_args *a, const char *value, struct error *e)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (!strspn(value, "0123456789") || *end || errno || !n)
		return error_set(e, EXIT_USAGE,
				 "cap: -c takes a number of frames, not '%s'",
				 value);
	a->n_max = n;
	return 0;
}

static int take_buffer(struct cap_args *a, const char *value, struct error *e)
{
	return take_memory(&a->memory, "--memory", value, e);
}

static int take_keep(struct cap_args *a, const char *value, struct error *e)
{
	a->keeps = true;
	a->keep = 0; /* the last word counts */
	return strcmp(value, "off") == 0
		       ? 0
		       : take_memory(&a->keep, "--keep", value, e);
}

static int take_last(struct cap_args *a, const char *value, struct error *e)
{
	if (cap_time_parse(value, &a->last_ns) && a->last_ns)
		return 0;
	return error_set(e, EXIT_USAGE,
			 "cap: --last takes a time with its unit, such as 30s "
			 "or 5min, not '%s'",
			 value);
}

struct option {
	const char *name;
	int (*take)(struct cap_args *a, const char *value, struct error *e);
};

/* "--name=value", "--name value", "-w value". The words it took, -1: *e says
 * what is wrong. */
static int take_option(struct cap_args *a, char **word, struct error *e)
{
	static const struct option options[] = {
		{"-w", take_file},	 {"-s", take_snap_len},
		{"-c", take_max},	 {"--memory", take_buffer},
		{"--keep", take_keep},	 {"--last", take_last},
		{NULL, NULL},
	};

	for (const struct option *o = options; o->name; o++) {
		size_t len = strlen(o->name);
		const char *rest = word[0] + len;

		if (strncmp(word[0], o->name, len) != 0)
			continue;
		if (o->name[1] == '-' && *rest == '=')
			return o->take(a, rest + 1, e) < 0 ? -1 : 1;
		if (*rest)
			continue;
		if (!word[1])
			return error_set(e, EXIT_USAGE,
					 "cap: %s needs a value", o->name);
		return o->take(a, word[1], e) < 0 ? -1 : 2;
	}
	return error_set(e, EXIT_USAGE,
			 "cap: unknown option '%s'; see vmlan cap --help",
			 word[0]);
}

/* The words of the filter, as one. */
static int take_filter(struct cap_args *a, char **word, struct error *e)
{
	size_t len = 1;

	for (char **w = word; *w; w++)
		len += strlen(*w) + 1;
	if (len == 1)
		return 0;
	a->filter = calloc(1, len);
	if (!a->filter)
		return error_errno(e, ENOMEM, "cap");
	for (char **w = word; *w; w++) {
		if (w != word)
			strcat(a->filter, " ");
		strcat(a->filter, *w);
	}
	return 0;
}

static int check(const struct cap_args *a, struct error *e)
{
	if (!a->name)
		return error_set(e, EXIT_USAGE,
				 "cap: name a network or a machine; vmlan ls "
				 "lists them");
	if (a->keeps && (a->last_ns || a->file || a->filter || a->n_max))
		return error_set(e, EXIT_USAGE,
				 "cap: --keep writes nothing: no -w, -c, "
				 "--last or filter with it; later, --last "
				 "takes them");
	if (a->keeps && a->memory)
		return error_set(e, EXIT_USAGE,
				 "cap: --keep says itself how much memory: no "
				 "--memory with it");
	if (a->lists && (a->last_ns || a->keeps || a->file || a->n_max ||
			 a->memory || a->snap_len))
		return error_set(e, EXIT_USAGE,
				 "cap: ls takes --json, and no other option");
	if (a->is_json && !a->lists)
		return error_set(e, EXIT_USAGE,
				 "cap: --json is ls's: vmlan cap --json "
				 "NETWORK ls");
	if (a->last_ns && (a->memory || a->snap_len))
		return error_set(e, EXIT_USAGE,
				 "cap: --memory and -s are --keep's to say, "
				 "not --last's");
	return 0;
}

int cap_args_parse(int argc, char **argv, struct cap_args *a, struct error *e)
{
	int i = 1;

	*a = CAP_ARGS_NULL;
	while (i < argc) {
		int n = 1;

		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0) {
			a->wants_help = true;
			return 0;
		}
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--json") == 0)
			a->is_json = true;
		else if (argv[i][0] == '-' && argv[i][1])
			n = take_option(a, argv + i, e);
		else if (!a->name)
			a->name = argv[i];
		else
			break;
		if (n < 0)
			return -1;
		i += n;
	}
	if (!a->name && i < argc)
		a->name = argv[i++];
	a->lists = i == argc - 1 && strcmp(argv[i], "ls") == 0;
	if (!a->lists && take_filter(a, argv + i, e) < 0)
		return -1;
	return check(a, e);
}

void cap_args_deinit(struct cap_args *a)
{
	free(a->filter);
	*a = CAP_ARGS_NULL;
}
