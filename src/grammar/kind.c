/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding kinds and options, and printing their tables. */
#include "grammar/kind.h"

#include <string.h>

#include "grammar/nearest.h"

const struct netdev_kind *netdev_kind_find(const char *name)
{
	for (const struct netdev_kind *k = netdev_kinds; k->name; k++) {
		if (!strcmp(k->name, name))
			return k;
	}
	return NULL;
}

const struct netdev_option *netdev_option_find(const struct netdev_kind *kind,
					       const char *name)
{
	for (const struct netdev_option *o = kind->options; o->name; o++) {
		if (!strcmp(o->name, name))
			return o;
	}
	return NULL;
}

const struct netdev_kind *netdev_kind_nearest(const char *name)
{
	const struct netdev_kind *best = netdev_kinds;
	unsigned least = word_distance(name, best->name);

	for (const struct netdev_kind *k = netdev_kinds + 1; k->name; k++) {
		unsigned d = word_distance(name, k->name);

		if (d < least) {
			least = d;
			best = k;
		}
	}
	return best;
}

const char *opt_type_name(enum opt_type type)
{
	static const char *const names[OPT_N_TYPES] = {
		[OPT_STR] = "string",       [OPT_BOOL] = "on|off",
		[OPT_U16] = "number",       [OPT_U32] = "number",
		[OPT_U64] = "number",       [OPT_INT] = "number",
		[OPT_SIZE] = "size",        [OPT_LIST] = "string, repeatable",
		[OPT_SOCKADDR] = "address",
	};

	return names[type];
}

static void help_option(const struct netdev_kind *kind,
			const struct netdev_option *o, const char *prefix,
			FILE *out)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s=", prefix, o->name);
	fprintf(out, "  %-26s %s", name, o->help);
	if (o->deflt)
		fprintf(out, " (default %s)", o->deflt);
	if (o->flags & OPT_F_REQUIRED)
		fprintf(out, " (required)");
	if ((o->flags & OPT_F_EXTENSION) && !kind->is_extension)
		fprintf(out, " [extension]");
	if (o->flags & OPT_F_NO_EFFECT)
		fprintf(out, " [without effect]");
	if (o->flags & (OPT_F_LATER | OPT_F_REFUSED)) {
		fprintf(out, o->flags & OPT_F_LATER ? " [not built yet"
						    : " [refused");
		if (o->accepts)
			fprintf(out, ", only %s", o->accepts);
		fprintf(out, "]");
	}
	fprintf(out, "  <%s>\n", opt_type_name(o->type));
}

static void help_sockaddr(const struct netdev_kind *kind,
			  const struct netdev_option *o, FILE *out)
{
	const struct netdev_sockaddr_option *m = netdev_sockaddr_options;
	char prefix[64];

	help_option(kind, o, "", out);
	snprintf(prefix, sizeof(prefix), "%s.", o->name);
	for (; m->opt.name; m++) {
		struct netdev_option shown = m->opt;

		/* required of one type of address, not of all */
		if (m != netdev_sockaddr_options)
			shown.flags &= ~(unsigned)OPT_F_REQUIRED;
		help_option(kind, &shown, prefix, out);
	}
}

const char *netdev_kind_lack(const struct netdev_kind *kind)
{
	return kind->is_foreign ? "Not here" : "Not built yet";
}

void netdev_kind_help(const struct netdev_kind *kind, FILE *out)
{
	fprintf(out, "%s: %s%s\n", kind->name, kind->help,
		kind->is_extension ? " [extension]" : "");
	if (!kind->is_built)
		fprintf(out, "%s; %s.\n", netdev_kind_lack(kind),
			kind->not_built);
	if (kind->does)
		fprintf(out, "%s.\n", kind->does);
	fprintf(out, "\n  %-26s %s\n", "id=", "name of the netdev  <string>");
	for (const struct netdev_option *o = kind->options; o->name; o++) {
		if (o->type == OPT_SOCKADDR)
			help_sockaddr(kind, o, out);
		else
			help_option(kind, o, "", out);
	}
}

void netdev_help(FILE *out)
{
	fprintf(out, "Types of netdev (TYPE,help lists the options of one):\n");
	for (const struct netdev_kind *k = netdev_kinds; k->name; k++) {
		fprintf(out, "  %-14s %s%s%s\n", k->name, k->help,
			k->is_extension ? " [extension]" : "",
			k->is_foreign  ? " [not here]"
			: !k->is_built ? " [not built yet]"
				       : "");
	}
}
