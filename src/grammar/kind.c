/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding kinds and options, and printing their tables. */
#include "grammar/kind.h"

#include <ctype.h>
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
	if (o->flags & OPT_F_LATER) {
		fprintf(out, " [not built yet");
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

static const char *not_built(const struct netdev_kind *kind)
{
	return kind->is_foreign ? "Not here" : "Not built yet";
}

void netdev_kind_help(const struct netdev_kind *kind, FILE *out)
{
	fprintf(out, "%s: %s%s\n", kind->name, kind->help,
		kind->is_extension ? " [extension]" : "");
	if (!kind->is_built)
		fprintf(out, "%s; %s.\n", not_built(kind), kind->not_built);
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

/* Text with what scdoc would take for markup escaped. */
static void scdoc_text(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (strchr("*_\\#~<>[]|`", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

/* A line of help as a sentence, without its full stop. */
static void scdoc_sentence(const char *text, FILE *out)
{
	if (isalpha((unsigned char)*text))
		fputc(toupper((unsigned char)*text++), out);
	scdoc_text(text, out);
}

static void scdoc_option(const struct netdev_kind *kind,
			 const struct netdev_option *o, const char *prefix,
			 FILE *out)
{
	fputc('*', out);
	scdoc_text(prefix, out);
	scdoc_text(o->name, out);
	fprintf(out, "=*_");
	scdoc_text(opt_type_name(o->type), out);
	fprintf(out, "_\n\t");
	scdoc_sentence(o->help, out);
	fputc('.', out);
	if (o->deflt) {
		fprintf(out, " Default ");
		scdoc_text(o->deflt, out);
		fputc('.', out);
	}
	if (o->flags & OPT_F_REQUIRED)
		fprintf(out, " Required.");
	if ((o->flags & OPT_F_EXTENSION) && !kind->is_extension)
		fprintf(out, " Extension.");
	if (o->flags & OPT_F_LATER)
		fprintf(out, " Not built yet%s%s.",
			o->accepts ? "; accepted is only " : "",
			o->accepts ? o->accepts : "");
	fprintf(out, "\n\n");
}

static void scdoc_kind(const struct netdev_kind *kind, FILE *out)
{
	fprintf(out, "## ");
	scdoc_text(kind->name, out);
	fprintf(out, "\n\n");
	scdoc_sentence(kind->help, out);
	fprintf(out, ".%s", kind->is_extension ? " Extension." : "");
	if (!kind->is_built) {
		fprintf(out, " %s: ", not_built(kind));
		scdoc_text(kind->not_built, out);
		fputc('.', out);
	}
	fprintf(out, "\n\n");
	for (const struct netdev_option *o = kind->options; o->name; o++)
		scdoc_option(kind, o, "", out);
}

void netdev_help_scdoc(FILE *out)
{
	static const struct netdev_kind plain = {.name = NULL};
	const struct netdev_sockaddr_option *m = netdev_sockaddr_options;

	for (const struct netdev_kind *k = netdev_kinds; k->name; k++)
		scdoc_kind(k, out);
	fprintf(out, "## Members of an address\n\n"
		     "They follow the key and a dot: *addr.type=unix*. Each "
		     "belongs to the types named.\n\n");
	for (; m->opt.name; m++) {
		struct netdev_option shown = m->opt;
		char help[160];
		int n = snprintf(help, sizeof(help), "%s (", shown.help);

		for (unsigned t = 0; t < SOCK_ADDR_N_TYPES; t++) {
			if (m->types & (1u << t))
				n += snprintf(help + n, sizeof(help) - n,
					      "%s%s",
					      help[n - 1] == '(' ? "" : ", ",
					      sock_addr_type_names[t]);
		}
		snprintf(help + n, sizeof(help) - n, ")");
		shown.help = help;
		scdoc_option(&plain, &shown, "", out);
	}
}
