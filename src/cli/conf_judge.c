/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a file says of its network, judged by what the mode makes of it; see
 * conf.h.  The modes say what is wrong first, and not where: whose fault it was
 * is found by leaving one option out at a time.
 */
#include <string.h>

#include "cli/conf.h"

enum { FAULTS_MAX = 16 }; /* that are looked for */

/* A host on which anything goes: what is judged is the file. */
static const struct mode_host any_host = {
	.host_id = "any",
	.may_make_links = true,
	.may_have_ipv6 = true,
	.may_make_macvtaps = true,
};

void conf_option(struct conf *c, const struct conf_at *at, const char *text)
{
	unsigned n = c->mode.n_options;
	struct error e = ERROR_NULL;

	if (mode_option(&c->mode, text, &e) < 0)
		conf_wrong(c, at, "%s", e.text);
	else
		c->options_at[n] = *at;
}

/* Some of the options; they stay the conf's. */
struct trial {
	struct mode_spec spec;
	unsigned of[MODE_OPTIONS_MAX]; /* which of the conf's each is */
};

/* 0 if they go together; without: left out, -1: none. */
static int try(const struct trial *t, int without, struct error *e)
{
	struct mode_spec *s = malloc(sizeof(*s));
	struct mode_netdevs n;
	int r;

	if (!s)
		return error_set(e, EXIT_FAILED, "vmlan is out of memory");
	*s = t->spec;
	if (without >= 0) {
		s->n_options--;
		memmove(&s->options[without], &s->options[without + 1],
			(s->n_options - (unsigned)without + 1) *
				sizeof(s->options[0]));
	}
	r = mode_expand(s, &any_host, &n, e);
	mode_netdevs_deinit(&n);
	free(s);
	return r;
}

/* The option without which it is right, or else wrong in another way; -1: it is
 * none of them. */
static int find_fault(const struct trial *t, const struct error *said)
{
	int other = -1;

	for (unsigned i = t->spec.n_options; i--;) {
		struct error e = ERROR_NULL;

		if (try(t, (int)i, &e) == 0)
			return (int)i;
		if (strcmp(e.text, said->text) != 0)
			other = (int)i;
	}
	return other;
}

static void leave_out(struct trial *t, unsigned i)
{
	unsigned n = --t->spec.n_options - i;

	memmove(&t->spec.options[i], &t->spec.options[i + 1],
		(n + 1) * sizeof(t->spec.options[0]));
	memmove(&t->of[i], &t->of[i + 1], n * sizeof(t->of[0]));
}

void conf_judge(struct conf *c)
{
	struct conf_at whole = {c->n_files ? c->files[0].path : "", 0};
	struct trial *t = malloc(sizeof(*t));

	if (!t) {
		c->is_out_of_memory = true;
		return;
	}
	t->spec = c->mode;
	for (unsigned i = 0; i < c->mode.n_options; i++)
		t->of[i] = i;
	for (unsigned n = 0; n < FAULTS_MAX; n++) {
		struct error e = ERROR_NULL;
		int fault;

		if (try(t, -1, &e) == 0)
			break;
		fault = find_fault(t, &e);
		if (fault < 0) {
			conf_wrong(c, &whole, "%s", e.text);
			break;
		}
		conf_wrong(c, &c->options_at[t->of[fault]], "%s", e.text);
		leave_out(t, (unsigned)fault);
	}
	free(t);
}
