/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan up and vmlan down: networks that live with no machine on them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/start.h"
#include "control/protocol.h"

enum { TRIES = 20 }; /* of a network that ends just then */

static const char up_usage[] =
	"usage: vmlan up NAME [MODE] [KEY=VALUE...]\n"
	"Starts a network, which lives until vmlan down NAME, or keeps one\n"
	"that runs. MODE is natnet if none is given. Machines join it by\n"
	"vmlan run --net MODE:NAME.\n"
	"  -v, -q           say more, say only warnings\n"
	"Modes and their keys:\n";

static const char down_usage[] =
	"usage: vmlan down NAME\n"
	"The network ends, once the last machine has left it.\n"
	"  -q               say only warnings\n";

struct up {
	struct mode_spec mode; /* owned */
	bool has_mode;	       /* the word was given */
	int verbosity;
	bool helped;
	struct cli_common common;
};

/* ---- up ---- */

static int take_word(struct up *u, const char *word, const char *name,
		     bool is_first)
{
	struct error e = ERROR_NULL;
	int r;

	if (is_first && !strchr(word, '=')) {
		u->has_mode = true;
		r = mode_begin(word, name, &u->mode, &e);
	} else {
		r = 0;
		if (!u->mode.mode)
			r = mode_begin("natnet", name, &u->mode, &e);
		if (r == 0)
			r = mode_option(&u->mode, word, &e);
	}
	if (r < 0) {
		error_prefix(&e, "up: ");
		return cli_fail(&e);
	}
	return 0;
}

static int check_up(const struct up *u, const char *name)
{
	struct error e = ERROR_NULL;

	if (!name)
		return cli_usage("up: name the network, for example: vmlan up "
				 "lab natnet");
	if (!u->mode.mode && !mode_name_ok(name, &e))
		return cli_fail(&e);
	if (u->mode.mode && u->mode.mode->owner != MODE_SHARED &&
	    u->mode.mode->owner != MODE_EITHER)
		return cli_usage("up: %s is no network that machines share",
				 u->mode.mode->word);
	return 0;
}

static int parse_up(struct up *u, int argc, char **argv, const char **namep)
{
	bool is_first = true;

	for (int i = 1; i < argc; i++) {
		int r = 0;

		if (strcmp(argv[i], "-v") == 0) {
			u->verbosity++;
		} else if (strcmp(argv[i], "-q") == 0) {
			u->verbosity--;
		} else if (strcmp(argv[i], "--help") == 0 ||
			   strcmp(argv[i], "-h") == 0) {
			fputs(up_usage, stdout);
			mode_help(stdout);
			u->helped = true;
			return 0;
		} else if (argv[i][0] == '-') {
			r = cli_usage("up: unknown option '%s'; see vmlan up "
				      "--help",
				      argv[i]);
		} else if (!*namep) {
			*namep = argv[i];
		} else {
			r = take_word(u, argv[i], *namep, is_first);
			is_first = false;
		}
		if (r)
			return r;
	}
	return check_up(u, *namep);
}

static int set_kept(const char *name, bool is_kept, json_t **answerp,
		    struct error *e)
{
	return start_ask(name, "PUT", CONTROL_KEPT,
			 is_kept ? "{\"kept\":true}" : "{\"kept\":false}",
			 answerp, e);
}

/* The netdevs of a new network; they are the caller's. */
static int make_specs(struct up *u, struct start *s, struct netdev_spec **v,
		      unsigned *np, struct error *e)
{
	struct mode_netdevs n;
	struct mode_host h;
	int r;

	start_look_at_host(&h);
	r = mode_expand(&u->mode, &h, &n, e);
	start_forget_host(&h);
	memcpy(s->said, n.said, sizeof(s->said));
	for (unsigned i = 0; i < n.n && r == 0; i++) {
		r = netdev_parse(n.text[i], &v[*np], e);
		*np += r == 0;
	}
	mode_netdevs_deinit(&n);
	return r;
}

/* Starts it or, if it runs, keeps it: 0, -ENOENT if it has just ended. */
static int bring_up(struct up *u, const char *name, struct error *e)
{
	struct netdev_spec *specs[MODE_NETDEVS_MAX];
	char mac_name[START_MAC_NAME_LEN];
	unsigned n = 0;
	struct start s = {
		.name = name,
		.mode = u->mode.mode->word,
		.mac_name = mac_name,
		.options = u->mode.options,
		.n_options = u->mode.n_options,
		.specs = specs,
		.is_kept = true,
		.is_shared = true,
		.common = &u->common,
		.verbosity = u->verbosity,
		.life_fd = -1,
	};
	int r = start_join(&s, e);

	start_mac_name(u->mode.mode, name, mac_name);
	if (r == -ENOENT) {
		r = make_specs(u, &s, specs, &n, e);
		s.n_specs = n;
		if (r == 0)
			r = start_or_join(&s, e);
		start_done(&s);
	}
	for (unsigned i = 0; i < n; i++)
		netdev_spec_free(specs[i]);
	if (r == 0 && s.said[0])
		log_info(&u->common.log, "%s", s.said);
	if (r == 0)
		log_info(&u->common.log, "network %s is up: %s", name,
			 u->mode.mode->word);
	if (r <= 0)
		return r;
	r = set_kept(name, true, NULL, e);
	if (r == 0)
		log_info(&u->common.log,
			 "network %s runs already, and is kept from now on",
			 name);
	return r;
}

static int up(struct up *u, const char *name)
{
	struct error e = ERROR_NULL;
	int r = -ENOENT;

	/* Whatever mode it has. */
	if (!u->mode.mode) {
		r = set_kept(name, true, NULL, &e);
		if (r == 0)
			log_info(&u->common.log,
				 "network %s runs already, and is kept from "
				 "now on",
				 name);
		else if (r == -ENOENT &&
			 mode_begin("natnet", name, &u->mode, &e) < 0)
			return cli_fail(&e);
	}
	for (int i = 0; i < TRIES && r == -ENOENT; i++) {
		e = ERROR_NULL;
		r = bring_up(u, name, &e);
	}
	if (r < 0) {
		error_set(&e, EXIT_FAILED, "network %s ends again and again",
			  name);
		error_prefix(&e, "up: ");
		return cli_fail(&e);
	}
	return EXIT_DONE;
}

int cmd_up(int argc, char **argv)
{
	struct up u = {.verbosity = 0};
	const char *name = NULL;
	int r = parse_up(&u, argc, argv, &name);

	if (r == 0 && !u.helped)
		r = cli_common_init(&u.common, u.verbosity);
	if (r == 0 && !u.helped) {
		start_sweep();
		r = up(&u, name);
	}
	mode_spec_deinit(&u.mode);
	return r;
}

/* ---- down ---- */

static int down(const char *name, bool is_quiet)
{
	struct error e = ERROR_NULL;
	json_t *answer = NULL;
	int n, r;

	if (!mode_name_ok(name, &e))
		return cli_fail(&e);
	r = set_kept(name, false, &answer, &e);
	if (r == -ENOENT)
		error_set(&e, EXIT_NO_NETWORK, "down: no network %s is running",
			  name);
	if (r < 0)
		return cli_fail(&e);
	n = ctl_int(answer, "machines");
	json_decref(answer);
	if (!n)
		start_await_end(name, NULL);
	else if (!is_quiet)
		fprintf(stderr,
			"vmlan: network %s has %d machine%s, and ends when %s "
			"left it\n",
			name, n, n > 1 ? "s" : "",
			n > 1 ? "they have" : "it has");
	return EXIT_DONE;
}

int cmd_down(int argc, char **argv)
{
	const char *name = NULL;
	bool is_quiet = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0) {
			fputs(down_usage, stdout);
			return EXIT_DONE;
		}
		if (strcmp(argv[i], "-q") == 0)
			is_quiet = true;
		else if (argv[i][0] == '-' || name)
			return cli_usage("down: '%s' is one word too many; see "
					 "vmlan down --help",
					 argv[i]);
		else
			name = argv[i];
	}
	if (!name)
		return cli_usage("down: name the network; vmlan ls lists "
				 "them");
	start_sweep();
	return down(name, is_quiet);
}
