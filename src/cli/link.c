/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan link: a machine's cable, pulled, spoilt or as it should be. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/link_text.h"
#include "cli/start.h"
#include "control/protocol.h"
#include "grammar/link_opts.h"

static const char usage[] =
	"usage: vmlan link [--json] VM [up|down|reset] [[to|from] "
	"KEY=VALUE..]\n"
	"                  [--for TIME] [--seed N]\n"
	"Pulls a machine's cable, spoils it, or tells how it is.\n"
	"  up, down         plugs it in, pulls it\n"
	"  reset            up, and as good as new\n"
	"  to, from         what follows is for what the machine gets, or\n"
	"                   sends; without them it is for both\n"
	"  delay=50ms jitter=5ms     each frame is that long on its way\n"
	"  loss=1% duplicate=1% corrupt=0.1% reorder=25%   of the frames\n"
	"  rate=10mbit burst=15kb    bits per second; bytes that pass at once\n"
	"  KEY=off          as it was without\n"
	"  --for TIME       then as before, as 30s, 5min, 1h\n"
	"  --seed N         the same losses again\n"
	"  --json           as a JSON object\n";

/* The command's words. */
struct words {
	const char *vm;
	bool is_json;
	json_t *body; /* owned: the request */
	const char *way; /* that keys are for; NULL: both */
};

static int no_memory(struct error *e)
{
	return error_set(e, EXIT_FAILED, "vmlan is out of memory; ask again "
					 "when there is some");
}

static int set_new(json_t *o, const char *key, json_t *v, struct error *e)
{
	return json_object_set_new(o, key, v) == 0 ? 0 : no_memory(e);
}

static int set_in_way(struct words *w, const char *way, const char *key,
		      const char *value, struct error *e)
{
	json_t *o = json_object_get(w->body, way);

	if (w->way && strcmp(w->way, way) != 0)
		return 0;
	if (!o && set_new(w->body, way, json_object(), e) < 0)
		return -1;
	return set_new(json_object_get(w->body, way), key, json_string(value),
		       e);
}

/* KEY=VALUE: judged here, so that a mistake is one whatever runs. */
static int take_pair(struct words *w, const char *word, struct error *e)
{
	const char *equals = strchr(word, '=');
	struct impair ignored = {0};
	char key[32] = "";

	if ((size_t)(equals - word) < sizeof(key))
		memcpy(key, word, (size_t)(equals - word));
	if (link_opt_parse(key, equals + 1, &ignored, e) < 0)
		return -1;
	if (set_in_way(w, "to", key, equals + 1, e) < 0)
		return -1;
	return set_in_way(w, "from", key, equals + 1, e);
}

static int take_word(struct words *w, const char *word, struct error *e)
{
	bool is_up = strcmp(word, "up") == 0;

	if (!w->vm) {
		w->vm = word;
		return 0;
	}
	if (is_up || strcmp(word, "down") == 0)
		return set_new(w->body, "up", json_boolean(is_up), e);
	if (strcmp(word, "reset") == 0)
		return set_new(w->body, "reset", json_true(), e);
	if (strcmp(word, "to") == 0 || strcmp(word, "from") == 0) {
		w->way = word;
		return 0;
	}
	if (strchr(word, '='))
		return take_pair(w, word, e);
	return error_set(e, EXIT_USAGE,
			 "link: unknown word '%s'; see vmlan link --help",
			 word);
}

static int take_seed(struct words *w, const char *text, struct error *e)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n >> 53)
		return error_set(e, EXIT_USAGE,
				 "link: --seed %s: it must be a number from 0 "
				 "to 9007199254740991",
				 text);
	return set_new(w->body, "seed", json_integer((json_int_t)n), e);
}

static int take_time(struct words *w, const char *text, struct error *e)
{
	uint64_t ns;

	if (link_time_parse("--for", text, &ns, e) < 0)
		return -1;
	return set_new(w->body, "for", json_string(text), e);
}

/* A word that may be an option's; how many words it took, 0 if it is none,
 * negative with *e filled, or with what was wrong said. */
static int take_option(struct words *w, const char *word, const char *next,
		       struct error *e)
{
	const char *value;
	int n = cli_value(word, next, "--for", &value);

	if (n > 0)
		return take_time(w, value, e) < 0 ? -1 : n;
	if (n == 0)
		n = cli_value(word, next, "--seed", &value);
	if (n > 0)
		return take_seed(w, value, e) < 0 ? -1 : n;
	if (n < 0)
		return n;
	if (strcmp(word, "--json") == 0) {
		w->is_json = true;
		return 1;
	}
	return word[0] == '-' ? error_set(e, EXIT_USAGE,
					  "link: unknown word '%s'; see vmlan "
					  "link --help",
					  word)
			      : 0;
}

static int take_all(struct words *w, int argc, char **argv, struct error *e)
{
	for (int i = 1; i < argc;) {
		int n = take_option(w, argv[i], argv[i + 1], e);

		if (n == 0)
			n = take_word(w, argv[i], e) < 0 ? -1 : 1;
		if (n < 0)
			return -1;
		i += n;
	}
	if (!w->vm)
		return error_set(e, EXIT_USAGE,
				 "link: name the machine; vmlan show NETWORK "
				 "lists them");
	if ((json_object_get(w->body, "for") ||
	     json_object_get(w->body, "seed")) &&
	    json_object_size(w->body) ==
		    (json_object_get(w->body, "for") != NULL) +
			    (size_t)(json_object_get(w->body, "seed") != NULL))
		return error_set(e, EXIT_USAGE,
				 "link: --for and --seed go with what is to be "
				 "done, as down or loss=1%%");
	return 0;
}

static int ask(const struct words *w, struct found *f, json_t **op,
	       struct error *e)
{
	CLEANUP_FREE char *body = NULL;
	char path[sizeof(CONTROL_MACHINES "/" CONTROL_LINK) +
		  CONTROL_NAME_LEN];
	bool changes = json_object_size(w->body) > 0;
	int r;

	body = changes ? json_dumps(w->body, JSON_COMPACT) : NULL;
	if (changes && !body)
		return no_memory(e);
	snprintf(path, sizeof(path), CONTROL_MACHINES "/%s" CONTROL_LINK,
		 f->machine);
	r = start_ask(f->network, changes ? "PUT" : "GET", path, body, op, e);
	if (r == -ENOENT)
		error_set(e, EXIT_NO_NETWORK,
			  "network %s has just ended; vmlan ls lists those "
			  "that run",
			  f->network);
	return r;
}

static int carry_out(const struct words *w, struct error *e)
{
	struct found f = FOUND_NULL;
	json_t *o = NULL;
	int r = find_machine(w->vm, &f, e);

	if (r == 0)
		r = ask(w, &f, &o, e);
	if (r == 0 && w->is_json)
		ctl_print(o);
	else if (r == 0)
		link_print("", f.machine, o);
	json_decref(o);
	found_deinit(&f);
	return r;
}

int cmd_link(int argc, char **argv)
{
	struct words w = {.body = json_object()};
	struct error e = ERROR_NULL;
	int r;

	for (int i = 1; i < argc; i++) {
		if (cli_helps(argv[i], usage)) {
			json_decref(w.body);
			return EXIT_DONE;
		}
	}
	r = w.body ? take_all(&w, argc, argv, &e) : no_memory(&e);
	if (r == 0) {
		start_sweep();
		r = carry_out(&w, &e);
	}
	json_decref(w.body);
	if (r == 0)
		return EXIT_DONE;
	return e.code ? cli_fail(&e) : EXIT_USAGE; /* cli_value() said it */
}
