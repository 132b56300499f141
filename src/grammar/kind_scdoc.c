/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The option tables in scdoc form, for vmlan-netdev(7): what they are, and
 * what is done with each of QEMU's.  Run by the build and the tests.
 */
#include <string.h>

#include "base/scdoc.h"
#include "grammar/kind_priv.h"

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
	if (o->flags & OPT_F_NO_EFFECT)
		fprintf(out, " Without effect.");
	if (o->flags & (OPT_F_LATER | OPT_F_REFUSED))
		fprintf(out, " %s%s%s.",
			o->flags & OPT_F_LATER ? "Not built yet" : "Refused",
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
		fprintf(out, " %s: ", netdev_kind_lack(kind));
		scdoc_text(kind->not_built, out);
		fputc('.', out);
	}
	if (kind->does) {
		fputc(' ', out);
		scdoc_sentence(kind->does, out);
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

/* ---- what is done with QEMU's ---- */

/* What QEMU takes besides -netdev, and the word that all netdevs have. */
static const struct {
	const char *form, *does;
} forms[] = {
	{"-netdev TYPE,id=ID,..",
	 "as in QEMU: what follows -netdev is what vmlan join takes, in any "
	 "order; id= may be left out. vmlan run makes QEMU's own -netdev, and "
	 "refuses another"},
	{"-netdev {..}", "as in QEMU, for all types"},
	{"-nic TYPE,..",
	 "vmlan run: as in QEMU, one machine's only cable; vmlan join: the "
	 "netdev, for the card is the machine's"},
	{"-nic ..,model=MODEL", "as in QEMU: the cards of vmlan nic list"},
	{"-nic ..,mac=ADDRESS", "as in QEMU"},
	{"-nic none", "as in QEMU: no network"},
	{"-net nic,..",
	 "vmlan run: as in QEMU, a card on hub 0; vmlan join: the LAN is on "
	 "hub 0"},
	{"-net TYPE,..",
	 "as in QEMU: on hub 0, by a port named hub0port0, hub0port1 .. "
	 "unless it has an id="},
	{"-net ..,name=NAME",
	 "refused as in QEMU, where only the manual knows it; id= is what is "
	 "meant"},
	{"-net hubport", "refused as in QEMU"},
	{"-net none", "as in QEMU: no network"},
};

static void scdoc_row(const char *key, bool is_first, FILE *out)
{
	fputs(is_first ? "|[ *" : "|  *", out);
	scdoc_text(key, out);
	fputs(is_first ? "*\n:< " : "*\n:  ", out);
}

static void scdoc_does(const struct netdev_option *o, FILE *out)
{
	if (o->flags & OPT_F_DIFFERS)
		fputs("differs: ", out);
	else if (o->flags & OPT_F_NO_EFFECT)
		fputs("without effect: ", out);
	else if (o->flags & (OPT_F_REFUSED | OPT_F_LATER))
		fputs("refused", out);
	else
		fputs("as in QEMU", out);
	if (o->accepts) {
		fputs(" but for ", out);
		scdoc_text(o->accepts, out);
	}
	if (o->flags & (OPT_F_REFUSED | OPT_F_LATER))
		fputs(": ", out);
	if (o->flags & OPT_F_LATER)
		fputs("not built yet", out);
	if (o->does)
		scdoc_text(o->does, out);
	fputc('\n', out);
}

/* All keys of a type that is not had, in one row. */
static void scdoc_lacking(const struct netdev_kind *kind, FILE *out)
{
	for (const struct netdev_option *o = kind->options; o->name; o++) {
		fputs(o == kind->options ? "|  " : ", ", out);
		fputc('*', out);
		scdoc_text(o->name, out);
		fputc('*', out);
	}
	if (kind->options->name)
		fputs("\n:  refused, as the type\n", out);
}

static void scdoc_kind_does(const struct netdev_kind *kind, FILE *out)
{
	fputs("## ", out);
	scdoc_text(kind->name, out);
	fputs("\n\n", out);
	scdoc_row("type", true, out);
	if (kind->is_built) {
		fputs(kind->does ? "differs: " : "as in QEMU", out);
	} else {
		fputs("refused: ", out);
		scdoc_text(kind->not_built, out);
		fputs(kind->does ? "; " : "", out);
	}
	if (kind->does)
		scdoc_text(kind->does, out);
	fputc('\n', out);
	if (!kind->is_built && !kind->does) {
		scdoc_lacking(kind, out);
	} else {
		for (const struct netdev_option *o = kind->options; o->name;
		     o++) {
			if (o->flags & OPT_F_EXTENSION)
				continue;
			scdoc_row(o->name, false, out);
			scdoc_does(o, out);
		}
	}
	fputc('\n', out);
}

void netdev_does_scdoc(FILE *out)
{
	const struct netdev_sockaddr_option *m = netdev_sockaddr_options;

	fputs("## Options\n\n", out);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		scdoc_row(forms[i].form, i == 0, out);
		scdoc_text(forms[i].does, out);
		fputc('\n', out);
	}
	fputc('\n', out);
	for (const struct netdev_kind *k = netdev_kinds; k->name; k++) {
		if (!k->is_extension)
			scdoc_kind_does(k, out);
	}
	fputs("## addr., local. and remote.\n\n", out);
	for (; m->opt.name; m++) {
		scdoc_row(m->opt.name, m == netdev_sockaddr_options, out);
		scdoc_does(&m->opt, out);
	}
	fputc('\n', out);
}
