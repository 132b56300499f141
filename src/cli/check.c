/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan check: what is wrong with configuration files, all of it at once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/conf.h"
#include "cli/conf_across.h"
#include "cli/ctl.h"
#include "control/text.h"

static const char usage[] =
	"usage: vmlan check [--json] [FILE|NETWORK..]\n"
	"Reads configuration files and says all that is wrong with them, and\n"
	"what contradicts itself between networks: of those that are named,\n"
	"or of all in ~/.config/vmlan and /etc/vmlan.  Exit code 2 if there\n"
	"is anything but warnings.  See vmlan.conf(5).\n"
	"  --json           as a JSON array\n";

struct check {
	struct conf **v; /* owned, and each */
	unsigned n;
	bool is_json;
};

static int no_memory(struct error *e)
{
	return error_errno(e, ENOMEM, "check");
}

/* One more; what is no name of a network is a file's. */
static int add(struct check *k, const char *word, struct error *e)
{
	bool is_file = strchr(word, '/') ||
		       (strlen(word) > 5 &&
			strcmp(word + strlen(word) - 5, ".conf") == 0);
	struct conf *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return no_memory(e);
	if (!is_file && !mode_name_ok(word, e)) {
		free(c);
		return -EINVAL;
	}
	r = is_file ? conf_load_file(word, c, e) : conf_load(word, c, e);
	if (r == 0) {
		k->v[k->n++] = c;
		return 0;
	}
	free(c);
	if (r == -ENOENT && is_file)
		return error_set(e, EXIT_NO_OBJECT,
				 "check: there is no file %s", word);
	if (r == -ENOENT)
		return error_set(e, EXIT_NO_OBJECT,
				 "check: network %s has no file: neither "
				 "~/.config/vmlan/%s.conf nor "
				 "/etc/vmlan/%s.conf is there",
				 word, word, word);
	return r;
}

/* ---- what was found ---- */

static void print_json(const struct check *k)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < k->n; i++) {
		const struct conf *c = k->v[i];

		for (unsigned m = 0; m < c->n_problems; m++) {
			const struct conf_problem *p = &c->problems[m];
			json_t *line = p->at.line
					       ? json_integer(p->at.line)
					       : NULL;

			json_array_append_new(
				list,
				json_pack("{s:s,s:o,s:o*,s:s,s:o}", "network",
					  c->name, "file",
					  text_shown(p->at.file), "line", line,
					  "level",
					  p->is_warning ? "warning" : "error",
					  "text", text_shown(p->text)));
		}
	}
	ctl_print(list);
	json_decref(list);
}

static void print(const struct check *k)
{
	if (k->is_json) {
		print_json(k);
		return;
	}
	for (unsigned i = 0; i < k->n; i++)
		for (unsigned m = 0; m < k->v[i]->n_problems; m++)
			conf_print_problem(stdout, &k->v[i]->problems[m]);
}

static int judge(struct check *k)
{
	struct error e = ERROR_NULL;

	conf_across(k->v, k->n);
	print(k);
	for (unsigned i = 0; i < k->n; i++) {
		if (k->v[i]->is_out_of_memory) {
			no_memory(&e);
			return cli_fail(&e);
		}
	}
	for (unsigned i = 0; i < k->n; i++) {
		if (k->v[i]->n_errors)
			return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static int check(struct check *k, char *const *words, unsigned n)
{
	struct error e = ERROR_NULL;
	char **all = NULL;
	int r = 0;

	if (!n && conf_list(true, &all, &n, &e) < 0)
		return cli_fail(&e);
	k->v = calloc(n + 1, sizeof(*k->v));
	if (!k->v)
		r = no_memory(&e);
	for (unsigned i = 0; i < n && r == 0; i++)
		r = add(k, all ? all[i] : words[i], &e);
	r = r < 0 ? cli_fail(&e) : judge(k);
	for (unsigned i = 0; i < k->n; i++) {
		conf_deinit(k->v[i]);
		free(k->v[i]);
	}
	free(k->v);
	for (unsigned i = 0; all && i < n; i++)
		free(all[i]);
	free(all);
	return r;
}

int cmd_check(int argc, char **argv)
{
	struct check k = {.v = NULL};
	unsigned n = 0;

	for (int i = 1; i < argc; i++) {
		if (cli_helps(argv[i], usage))
			return EXIT_DONE;
		if (strcmp(argv[i], "--json") == 0)
			k.is_json = true;
		else if (argv[i][0] == '-')
			return cli_usage("check: unknown option '%s'; see "
					 "vmlan check --help",
					 argv[i]);
		else
			argv[n++] = argv[i];
	}
	return check(&k, argv, n);
}
