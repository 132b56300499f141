/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan apply: what runs, made as the files have it. */
#include "cli/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ctl.h"
#include "cli/start.h"
#include "cli/up.h"
#include "control/protocol.h"

enum { TRIES = 20 }; /* of a network that ends just then */

static const char usage[] =
	"usage: vmlan apply [--dry-run] [--restart] [--down] [--json]\n"
	"                   [NETWORK..]\n"
	"Makes networks as their configuration files have them: those that\n"
	"are named, or all in ~/.config/vmlan, and of root in /etc/vmlan.\n"
	"Prints what it changes, a line each, and changes nothing else.\n"
	"Mode and options of a network that runs take a restart of it: exit\n"
	"code 5 without --restart.  See vmlan.conf(5).\n"
	"  --dry-run        prints it, and does nothing\n"
	"  --restart        its machines are plugged in again\n"
	"  --down           ends networks whose file is gone\n"
	"  --json           prints a JSON array\n"
	"  -v, -q           say more, say only warnings\n";

struct apply {
	bool is_dry, restarts, ends, is_json;
	int verbosity;
	char *const *names; /* borrowed */
	unsigned n_names;
	struct conf **v; /* owned, and each */
	unsigned n;
	json_t *list; /* owned: what was changed */
	enum exit_code code;
	struct cli_common common;
};

/* ---- one change ---- */

static void fail(struct apply *a, const char *network, struct error *e)
{
	error_set(e, EXIT_NO_NETWORK, "it has just ended");
	error_prefix(e, "apply: %s: ", network);
	cli_fail(e);
	if (a->code == EXIT_DONE)
		a->code = e->code;
}

static int carry_out(const struct change *c, struct error *e)
{
	CLEANUP_FREE char *body = c->body ? json_dumps(c->body, JSON_COMPACT)
					  : NULL;

	if (c->body && !body)
		return error_errno(e, ENOMEM, "apply");
	return start_ask(ctl_str(c->o, "network"), c->method, c->path, body,
			 NULL, e);
}

static void say(struct apply *a, const struct change *c, const char *behind)
{
	CLEANUP_FREE char *text = a->is_json ? NULL : change_text(c);

	if (a->is_json)
		json_array_append(a->list, c->o);
	else
		printf("%s%s\n", text ? text : "?", behind);
	fflush(stdout);
}

/* Those that a request makes. */
static void carry_out_all(struct apply *a, const struct changes *ch)
{
	for (unsigned i = 0; i < ch->n; i++) {
		const struct change *c = &ch->v[i];
		struct error e = ERROR_NULL;

		if (!a->is_dry && carry_out(c, &e) < 0)
			fail(a, ctl_str(c->o, "network"), &e);
		else
			say(a, c, "");
	}
}

/* ---- one network ---- */

static void check_memory(struct apply *a, const struct conf *c,
			 const struct changes *ch)
{
	struct error e = ERROR_NULL;

	if (!ch->is_out_of_memory)
		return;
	error_set(&e, EXIT_FAILED, "vmlan is out of memory");
	fail(a, c->name, &e);
}

static void live(struct apply *a, const struct conf *c,
		 const struct running *r)
{
	struct changes ch = CHANGES_NULL;

	diff_live(c, r, &ch);
	if (!ch.is_out_of_memory) /* else something may only seem to be gone */
		carry_out_all(a, &ch);
	check_memory(a, c, &ch);
	if (ch.n_waiting)
		log_info(&a->common.log,
			 "network %s: %u more for machines that are not "
			 "plugged in; apply again when they are",
			 c->name, ch.n_waiting);
	changes_deinit(&ch);
}

/* What it has now. */
static void live_anew(struct apply *a, const struct conf *c)
{
	struct error e = ERROR_NULL;
	struct running r;

	if (running_get(c->name, &r, &e) < 0)
		fail(a, c->name, &e);
	else
		live(a, c, &r);
	running_deinit(&r);
}

static struct up_wanted wanted(const struct apply *a, const struct conf *c)
{
	return (struct up_wanted){.name = c->name,
				  .mode = &c->mode,
				  .conf = c,
				  .common = &a->common,
				  .verbosity = a->verbosity};
}

/* Mode and options: true if all else can be looked at. */
static bool restart(struct apply *a, const struct conf *c,
		    const struct changes *ch, size_t n_machines)
{
	struct up_wanted w = wanted(a, c);
	struct error e = ERROR_NULL;
	char behind[200];

	if (!a->restarts)
		snprintf(behind, sizeof(behind),
			 " (needs a restart: vmlan apply --restart %s)",
			 c->name);
	else
		snprintf(behind, sizeof(behind),
			 n_machines ? " (by a restart; %zu machine%s plugged "
				      "in again)"
				    : " (by a restart)",
			 n_machines, n_machines == 1 ? " is" : "s are");
	if (a->restarts && !a->is_dry && up_restart(&w, &e) < 0) {
		fail(a, c->name, &e);
		return false;
	}
	for (unsigned i = 0; i < ch->n; i++)
		say(a, &ch->v[i], behind);
	if (a->restarts)
		return true;
	error_set(&e, EXIT_CONFLICT,
		  "%u change%s a restart of the network; vmlan apply "
		  "--restart %s makes %s",
		  ch->n_restart, ch->n_restart == 1 ? " needs" : "s need",
		  c->name, ch->n_restart == 1 ? "it" : "them");
	fail(a, c->name, &e);
	return true;
}

static void adjust(struct apply *a, const struct conf *c,
		   const struct running *r)
{
	struct changes ch = CHANGES_NULL;
	bool goes_on = true, is_anew;

	diff_options(c, r, &ch);
	check_memory(a, c, &ch);
	is_anew = ch.n && a->restarts && !a->is_dry;
	if (ch.n)
		goes_on = restart(a, c, &ch,
				  json_array_size(json_object_get(
					  r->network, "machines")));
	changes_deinit(&ch);
	if (goes_on && is_anew)
		live_anew(a, c);
	else if (goes_on)
		live(a, c, r);
}

/* "natnet mtu=1400" */
static char *recipe(const struct conf *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(c->mode.mode->word, f);
	for (unsigned i = 0; i < c->mode.n_options; i++)
		fprintf(f, " %s", c->mode.options[i]);
	return fclose(f) == 0 ? text : NULL;
}

/* What a network shows that has none of it yet. */
static struct running nothing(void)
{
	return (struct running){
		.network = json_pack("{s:b,s:[]}", "kept", 1, "machines"),
		.forwards = json_object(),
		.captures = json_object(),
	};
}

static int start_it(const struct apply *a, const struct conf *c,
		    struct error *e)
{
	struct up_wanted w = wanted(a, c);
	struct cli_common quiet = a->common;
	int r;

	/* The line that is printed says so. */
	if (quiet.log.level == LOG_LEVEL_INFO)
		quiet.log.level = LOG_LEVEL_WARN;
	w.common = &quiet;
	r = up_start(&w, e);
	return r > 0 ? 0 : r;
}

static void begin(struct apply *a, const struct conf *c)
{
	CLEANUP_FREE char *text = recipe(c);
	struct changes ch = CHANGES_NULL;
	struct error e = ERROR_NULL;
	struct running r;
	int rc = 0;

	diff_network(c->name, NULL, text ? text : "?", &ch);
	check_memory(a, c, &ch);
	for (int i = 0; i < TRIES && !a->is_dry; i++) {
		e = ERROR_NULL;
		rc = start_it(a, c, &e);
		if (rc != -ENOENT)
			break;
	}
	if (rc < 0) {
		fail(a, c->name, &e);
	} else if (ch.n) {
		say(a, &ch.v[0], "");
		r = nothing();
		if (a->is_dry)
			live(a, c, &r);
		else
			live_anew(a, c);
		running_deinit(&r);
	}
	changes_deinit(&ch);
}

static void apply_one(struct apply *a, const struct conf *c)
{
	struct error e = ERROR_NULL;
	struct running r = RUNNING_NULL;
	int rc = -ENOENT;

	/* To ask a service manager's would start it. */
	if (!a->is_dry || !rundir_awaits(c->name, CONTROL_SOCKET))
		rc = running_get(c->name, &r, &e);
	if (rc == -ENOENT)
		begin(a, c);
	else if (rc < 0)
		fail(a, c->name, &e);
	else
		adjust(a, c, &r);
	running_deinit(&r);
}

int apply_new(const struct conf *c, const struct cli_common *common,
	      struct error *e)
{
	struct changes ch = CHANGES_NULL;
	struct log log = common->log;
	struct running r;
	int rc = running_get(c->name, &r, e);

	if (rc == 0)
		diff_live(c, &r, &ch);
	if (ch.is_out_of_memory)
		rc = error_errno(e, ENOMEM, "network %s", c->name);
	for (unsigned i = 0; i < ch.n && rc == 0; i++) {
		CLEANUP_FREE char *text = change_text(&ch.v[i]);

		rc = carry_out(&ch.v[i], e);
		if (rc == 0)
			log_info(&log, "%s", text ? text : "?");
		else
			error_prefix(e, "network %s is up, but not as %s has "
					"it: ",
				     c->name, c->files[0].path);
	}
	changes_deinit(&ch);
	running_deinit(&r);
	return rc;
}

/* ---- networks without a file ---- */

static bool is_named(const struct apply *a, const char *name)
{
	for (unsigned i = 0; i < a->n_names; i++) {
		if (strcmp(a->names[i], name) == 0)
			return true;
	}
	return a->n_names == 0;
}

/* True if its file is one of those that were read. */
static bool has_file(const struct apply *a, const char *name)
{
	for (unsigned i = 0; i < a->n; i++) {
		if (strcmp(a->v[i]->name, name) == 0)
			return true;
	}
	return false;
}

static void end(struct apply *a, const json_t *o)
{
	const char *name = ctl_str(o, "name");
	struct changes ch = CHANGES_NULL;
	struct error e = ERROR_NULL;
	size_t n = json_array_size(json_object_get(o, "machines"));
	int r = 0;

	if (!ctl_bool(o, "kept")) /* it ends with its last machine */
		return;
	diff_network(name, ctl_str(o, "mode"), NULL, &ch);
	if (!a->is_dry)
		r = start_ask(name, "PUT", CONTROL_KEPT, "{\"kept\":false}",
			      NULL, &e);
	if (r < 0 && r != -ENOENT)
		fail(a, name, &e);
	else if (ch.n)
		say(a, &ch.v[0], n ? " (when its machines have left it)" : "");
	if (r == 0 && !n && !a->is_dry)
		start_await_end(name, NULL);
	changes_deinit(&ch);
}

static void look_at_rest(struct apply *a)
{
	struct error e = ERROR_NULL;
	json_t *list = json_array(), *o;
	size_t i;

	if (!list || ctl_ask_all(ctl_ask, list, &e) < 0)
		fail(a, "the networks that run", &e);
	json_array_foreach(list, i, o)
	{
		const char *name = ctl_str(o, "name");
		const char *file = ctl_str(o, "file");

		if (has_file(a, name) || !is_named(a, name))
			continue;
		if (!*file)
			log_debug(&a->common.log,
				  "network %s has no file, and is left as it "
				  "is",
				  name);
		else if (access(file, F_OK) == 0 || errno != ENOENT)
			continue;
		else if (a->ends)
			end(a, o);
		else if (ctl_bool(o, "kept"))
			log_info(&a->common.log,
				 "network %s is left as it is: its file %s is "
				 "gone; vmlan apply --down %s ends it",
				 name, file, name);
	}
	json_decref(list);
}

/* ---- files ---- */

static int no_file(const struct apply *a, const char *name, struct error *e)
{
	json_t *o = NULL;
	int r = a->ends && !rundir_awaits(name, CONTROL_SOCKET)
			? ctl_ask(name, "GET", CONTROL_NETWORK, NULL, &o, e)
			: -ENOENT;
	bool has_been = r == 0 && *ctl_str(o, "file");

	json_decref(o);
	if (has_been)
		return 0;
	return error_set(e, EXIT_NO_OBJECT,
			 "apply: network %s has no file: neither "
			 "~/.config/vmlan/%s.conf nor /etc/vmlan/%s.conf is "
			 "there",
			 name, name, name);
}

static int load(struct apply *a, const char *word, bool is_file,
		struct error *e)
{
	struct conf *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return error_errno(e, ENOMEM, "apply");
	r = is_file		    ? conf_load_file(word, c, e)
	    : mode_name_ok(word, e) ? conf_load(word, c, e)
				    : -EINVAL;
	if (r == 0) {
		a->v[a->n++] = c;
		return 0;
	}
	free(c);
	if (r != -ENOENT)
		return r;
	return is_file ? 0 : no_file(a, word, e);
}

/* All problems of all files; true if there is none that counts. */
static bool judge(const struct apply *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n; i++) {
		const struct conf *c = a->v[i];

		n += c->n_errors;
		for (unsigned k = 0; k < c->n_problems; k++)
			conf_print_problem(stderr, &c->problems[k]);
	}
	if (n)
		cli_usage("apply: %u mistake%s in the files, and nothing was "
			  "changed",
			  n, n == 1 ? "" : "s");
	return n == 0;
}

static int load_all(struct apply *a)
{
	struct error e = ERROR_NULL;
	char *const *words = a->names;
	unsigned n = a->n_names;
	char **all = NULL;
	int r = 0;

	if (!n) {
		if (conf_list(geteuid() == 0, &all, &n, &e) < 0)
			return cli_fail(&e);
		words = all;
	}
	a->v = calloc(n + 1, sizeof(*a->v));
	if (!a->v)
		r = error_errno(&e, ENOMEM, "apply");
	for (unsigned i = 0; i < n && r == 0; i++)
		r = load(a, words[i], all != NULL, &e);
	for (unsigned i = 0; all && i < n; i++)
		free(all[i]);
	free(all);
	if (r < 0)
		return cli_fail(&e);
	return judge(a) ? 0 : EXIT_USAGE;
}

static int apply(struct apply *a)
{
	int r = load_all(a);

	if (r)
		return r;
	start_sweep();
	for (unsigned i = 0; i < a->n; i++)
		apply_one(a, a->v[i]);
	look_at_rest(a);
	if (a->is_json)
		ctl_print(a->list);
	return a->code;
}

int cmd_apply(int argc, char **argv)
{
	struct apply a = {.names = argv};
	const struct {
		const char *word;
		bool *flag;
	} flags[] = {{"--dry-run", &a.is_dry},
		     {"--restart", &a.restarts},
		     {"--down", &a.ends},
		     {"--json", &a.is_json}};
	int r;

	for (int i = 1; i < argc; i++) {
		size_t k = 0;

		if (cli_helps(argv[i], usage))
			return EXIT_DONE;
		while (k < array_len(flags) && strcmp(argv[i], flags[k].word))
			k++;
		if (k < array_len(flags))
			*flags[k].flag = true;
		else if (strcmp(argv[i], "-v") == 0)
			a.verbosity++;
		else if (strcmp(argv[i], "-q") == 0)
			a.verbosity--;
		else if (argv[i][0] == '-')
			return cli_usage("apply: unknown option '%s'; see "
					 "vmlan apply --help",
					 argv[i]);
		else
			argv[a.n_names++] = argv[i];
	}
	r = cli_common_init(&a.common, a.verbosity);
	a.list = json_array();
	if (r == 0)
		r = apply(&a);
	for (unsigned i = 0; i < a.n; i++) {
		conf_deinit(a.v[i]);
		free(a.v[i]);
	}
	free(a.v);
	json_decref(a.list);
	return r;
}
