/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan complete WORD..: the words after vmlan, the last as far as it is typed.
 * Prints what it can become, one a line; :file, :dir and :command leave it to
 * the shell.  What commands take is read out of their help (synopsis.h).
 *
 * Nothing is started by it, and no network is given a keeper or woken.  Keepers
 * are waited for once, all together, and it works for WORK_S at most: what it
 * offers is not to depend on how busy the host is.  WALL_S are for who holds a
 * folder, and for file systems.
 */
#include "cli/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/synopsis.h"

enum {
	WORK_S = 3, /* of a processor */
	WALL_S = 20,
};

void complete_settle(struct complete *c, size_t n)
{
	free(c->head);
	c->head = strndup(c->word, n);
	c->rest = c->word + n;
}

void complete_offer(struct complete *c, const char *text, const char *end)
{
	char *line = NULL;

	if (strncmp(text, c->rest, strlen(c->rest)) != 0 && *text != ':')
		return;
	if (asprintf(&line, "%s%s%s",
		     c->head && *text != ':' ? c->head : "", text, end) < 0)
		return;
	if (!json_object_get(c->said, line) &&
	    json_object_set_new(c->said, line, json_true()) == 0)
		puts(line);
	free(line);
}

static void offer_commands(struct complete *c)
{
	for (const struct cli_command *k = cli_commands; k->name; k++) {
		if (k->help)
			complete_offer(c, k->name, "");
	}
}

/* True if the next words are a program's own. */
static bool is_programs(const struct synopsis_form *f, int at)
{
	for (int i = 0; i < at; i++) {
		const char *text = f->words[i].text;

		if (strcmp(text, "PROGRAM") == 0 || strcmp(text, "VMM") == 0 ||
		    strcmp(text, "COMMAND") == 0)
			return true;
	}
	return at > 0 && (unsigned)at < f->n &&
	       strcmp(f->words[at].text, "ARGS") == 0;
}

static bool has_program(const struct synopsis *s, const struct complete *c)
{
	for (unsigned i = 0; i < s->n_forms; i++) {
		int at = synopsis_align(&s->forms[i], c->typed, c->n_typed);

		if (is_programs(&s->forms[i], at))
			return true;
	}
	return false;
}

static void offer_words(const struct synopsis *s, struct complete *c)
{
	for (unsigned i = 0; i < s->n_forms; i++) {
		const struct synopsis_form *f = &s->forms[i];
		int at = synopsis_align(f, c->typed, c->n_typed);

		for (; at >= 0 && (unsigned)at < f->n; at++) {
			const struct synopsis_word *w = &f->words[at];

			if (strcmp(w->text, "--") == 0) {
				complete_offer(c, "--", "");
				if (!w->is_optional)
					break;
				continue;
			}
			complete_value(c, w->text, false);
			if (!w->is_optional && !w->repeats)
				break;
		}
	}
}

static void offer_options(const struct synopsis *s, struct complete *c)
{
	const struct synopsis_option *o = synopsis_option(s, c->word);
	size_t n = strcspn(c->word, "=");

	if (c->word[n]) {
		complete_settle(c, n + 1);
		if (o && o->value)
			complete_value(c, o->value, true);
		return;
	}
	for (unsigned i = 0; i < s->n_options; i++)
		complete_offer(c, s->options[i].name, "");
	complete_offer(c, "--help", "");
}

/* words: those behind the command's name, the last of n is being typed. */
static void complete_command(const struct synopsis *s, struct complete *c,
			     char **words, int n, char **typed)
{
	c->typed = typed;
	c->keys = s->keys;
	c->n_keys = s->n_keys;
	for (int i = 0; i < n - 1; i++) {
		const struct synopsis_option *o;

		if (strcmp(words[i], "--") == 0) {
			complete_offer(c, i == n - 2 ? ":command" : ":file",
				       "");
			return;
		}
		if (words[i][0] != '-' || !words[i][1]) {
			typed[c->n_typed++] = words[i];
			if (!has_program(s, c))
				continue;
			complete_offer(c, ":file", "");
			return;
		}
		o = synopsis_option(s, words[i]);
		if (!o || !o->value || strchr(words[i], '='))
			continue;
		if (++i == n - 1) {
			complete_value(c, o->value, true);
			return;
		}
	}
	if (c->word[0] == '-')
		offer_options(s, c);
	else
		offer_words(s, c);
}

static void complete(struct complete *c, int n, char **words)
{
	struct synopsis s = SYNOPSIS_NULL;
	const struct cli_command *k;
	char **typed = NULL, *help;

	if (n < 2 || (n == 2 && strcmp(words[0], "help") == 0)) {
		offer_commands(c);
		if (n == 2)
			return;
		complete_offer(c, "help", "");
		complete_offer(c, "--help", "");
		complete_offer(c, "--version", "");
		return;
	}
	k = cli_command_find(words[0]);
	help = k && k->help ? cli_help_text(k) : NULL;
	typed = calloc((size_t)n, sizeof(*typed));
	c->takes_files = strcmp(words[0], "up") == 0 ||
			 strcmp(words[0], "check") == 0 ||
			 strcmp(words[0], "apply") == 0;
	if (help && typed && synopsis_read(help, &s) == 0)
		complete_command(&s, c, words + 1, n - 1, typed);
	synopsis_deinit(&s);
	free(typed);
	free(help);
}

int cmd_complete(int argc, char **argv)
{
	const struct itimerval limit = {.it_value.tv_sec = WORK_S};
	struct complete c = {.word = argc > 1 ? argv[argc - 1] : ""};

	c.rest = c.word;
	c.said = json_object();
	setvbuf(stdout, NULL, _IOLBF, 0); /* what was found by then is there */
	(void)setitimer(ITIMER_PROF, &limit, NULL); /* SIGPROF ends it */
	(void)alarm(WALL_S); /* or SIGALRM */
	complete(&c, argc - 1, argv + 1);
	json_decref(c.said);
	free(c.head);
	return EXIT_DONE;
}
