/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan up and vmlan down: networks that live with no machine on them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/apply.h"
#include "cli/cli.h"
#include "cli/conf.h"
#include "cli/ctl.h"
#include "cli/start.h"
#include "cli/up.h"
#include "control/protocol.h"
#include "grammar/user_opts.h"
#include "os/activation.h"

enum { TRIES = 20 }; /* of a network that ends just then */

static const char up_usage[] =
	"usage: vmlan up [--foreground] NAME [MODE] [KEY=VALUE...]\n"
	"Starts a network, which lives until vmlan down NAME, or keeps one\n"
	"that runs. MODE is natnet if none is given. Machines join it by\n"
	"vmlan run --net MODE:NAME.  Where there is a file NAME.conf\n"
	"(vmlan.conf(5)) the network is as that says, and as the words here\n"
	"say in place of it.\n"
	"  --foreground     is the network, until it ends or SIGTERM; for a\n"
	"                   service manager (sd_notify, LISTEN_FDS)\n"
	"  -v, -q           say more, say only warnings\n"
	"Modes and their keys:\n";

static const char down_usage[] =
	"usage: vmlan down NAME\n"
	"The network ends, once the last machine has left it.\n"
	"  -q               say only warnings\n";

struct up {
	struct mode_spec mode; /* owned */
	bool has_mode;	       /* the word was given */
	struct conf *conf; /* owned; NULL: it has none, or none that counts */
	bool has_looked; /* for that */
	int verbosity;
	bool helped;
	bool in_front;
	struct cli_common common;
};

/* ---- up ---- */

/* Keys without a mode are of the one that the file has. */
static int begin_unnamed(struct up *u, const char *name, struct error *e)
{
	struct conf *c = malloc(sizeof(*c));
	struct error unread = ERROR_NULL; /* look_at_file() will say it */
	const char *word = "natnet";

	if (!c)
		return error_errno(e, ENOMEM, "up");
	if (mode_name_ok(name, &unread) && conf_load(name, c, &unread) == 0) {
		if (c->mode.mode)
			word = c->mode.mode->word;
		conf_deinit(c);
	}
	free(c);
	return mode_begin(word, name, &u->mode, e);
}

static int take_word(struct up *u, const char *word, const char *name,
		     bool is_first)
{
	struct error e = ERROR_NULL;
	int r;

	if (is_first && !strchr(word, '=')) {
		u->has_mode = true;
		r = mode_begin(word, name, &u->mode, &e);
	} else {
		r = u->mode.mode ? 0 : begin_unnamed(u, name, &e);
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
		} else if (strcmp(argv[i], "--foreground") == 0) {
			u->in_front = true;
		} else if (cli_helps(argv[i], up_usage)) {
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

/* ---- a network of a mode ---- */

/* As start_network() takes it. */
struct made {
	struct start s;
	struct netdev_spec *specs[MODE_NETDEVS_MAX]; /* owned */
	unsigned n;
	char mac_name[START_MAC_NAME_LEN];
};

static void made_init(struct made *m, const struct up_wanted *w)
{
	const struct mode_spec *mode = w->mode;

	*m = (struct made){.n = 0};
	m->s = (struct start){
		.name = w->name,
		.mode = mode->mode->word,
		.mac_name = m->mac_name,
		.options = mode->options,
		.n_options = mode->n_options,
		.specs = m->specs,
		.is_kept = true,
		.is_shared = true,
		.cwd = w->conf ? w->conf->folder : NULL,
		.file = w->conf ? w->conf->files[0].path : NULL,
		.common = w->common,
		.verbosity = w->verbosity,
		.life_fd = -1,
		.control_fd = -1,
	};
	start_mac_name(mode->mode, w->name, m->mac_name);
}

static void made_deinit(struct made *m)
{
	for (unsigned i = 0; i < m->n; i++)
		netdev_spec_free(m->specs[i]);
}

static int make_specs(struct made *m, const struct up_wanted *w,
		      struct error *e)
{
	struct mode_netdevs n;
	struct mode_host h;
	int r;

	start_look_at_host(&h);
	r = mode_expand(w->mode, &h, &n, e);
	start_forget_host(&h);
	memcpy(m->s.said, n.said, sizeof(m->s.said));
	for (unsigned i = 0; i < n.n && r == 0; i++) {
		r = netdev_parse(n.text[i], &m->specs[m->n], e);
		m->n += r == 0;
	}
	mode_netdevs_deinit(&n);
	m->s.n_specs = m->n;
	return r;
}

int up_start(const struct up_wanted *w, struct error *e)
{
	struct log log = w->common->log;
	struct made m;
	int r;

	made_init(&m, w);
	r = start_join(&m.s, e);
	if (r == -ENOENT) {
		r = make_specs(&m, w, e);
		if (r == 0)
			r = start_or_join(&m.s, e);
		start_done(&m.s);
	}
	made_deinit(&m);
	if (r == 0 && m.s.said[0])
		log_info(&log, "%s", m.s.said);
	if (r == 0)
		log_info(&log, "network %s is up: %s", w->name,
			 w->mode->mode->word);
	return r;
}

/* The IPv4 network that machines get addresses of. */
static bool subnet_of(const struct made *m, struct prefix *p)
{
	bool found = false;

	for (unsigned i = 0; i < m->n && !found; i++) {
		struct user_opts o = USER_OPTS_NULL;

		if (strcmp(spec_kind(m->specs[i])->name, "user") == 0 &&
		    netdev_user_resolve(m->specs[i], &o, NULL) == 0) {
			*p = o.v4.net;
			found = o.v4.is_on;
		}
		user_opts_deinit(&o);
	}
	return found;
}

/* What is kept for a machine: in another network that of the same number. */
static void move_address(json_t *machine, const struct prefix *net)
{
	char text[ADDR_STRLEN];
	addr ip;

	if (!addr_parse(ctl_str(machine, "address"), &ip) ||
	    addr_is_unspecified(&ip) || prefix_has(net, &ip))
		return;
	if (addr_is_v4(&ip)) {
		uint32_t hosts = (uint32_t)(UINT64_C(0xffffffff) >>
					    prefix_len(net));

		ip = addr_v4_u32(addr_u32(&net->ip) | (addr_u32(&ip) & hosts));
	}
	json_object_set_new(machine, "address",
			    json_string(addr_format(&ip, text)));
}

/* What was chosen in the networks that were is chosen anew. */
static void fix_state(json_t *state, const void *arg)
{
	const struct made *m = arg;
	struct prefix net;
	size_t i;
	json_t *v;

	json_object_set_new(state, "ports", json_array());
	json_array_foreach(json_object_get(state, "forwards"), i, v)
		json_object_set_new(v, "guest", json_string("::"));
	if (!subnet_of(m, &net))
		return;
	json_array_foreach(json_object_get(state, "machines"), i, v)
		move_address(v, &net);
}

int up_restart(const struct up_wanted *w, struct error *e)
{
	struct log log = w->common->log;
	struct made m;
	int r;

	made_init(&m, w);
	r = make_specs(&m, w, e);
	if (r == 0)
		r = start_replace(&m.s, fix_state, &m, e);
	made_deinit(&m);
	if (r == 0 && m.s.said[0])
		log_info(&log, "%s", m.s.said);
	return r;
}

/* ---- a file and words ---- */

/* True if words said something of this key. */
static bool is_typed(const struct mode_spec *typed, const char *option)
{
	size_t n = strcspn(option, "=") + 1;

	for (unsigned i = 0; i < typed->n_options; i++) {
		if (strncmp(typed->options[i], option, n) == 0)
			return true;
	}
	return false;
}

/* The options of the file, and those that were typed in place of them. */
static int merge(struct up *u, struct error *e)
{
	struct mode_spec *all = malloc(sizeof(*all));
	const struct conf *c = u->conf;
	int r;

	if (!all)
		return error_errno(e, ENOMEM, "up");
	r = mode_begin(c->mode.mode->word, c->name, all, e);
	for (unsigned i = 0; i < c->mode.n_options && r == 0; i++) {
		const char *option = c->mode.options[i];

		if (!is_typed(&u->mode, option))
			r = mode_option(all, option, e);
		else
			log_info(&u->common.log,
				 "%s:%u: %s is passed over, for what was typed",
				 c->options_at[i].file, c->options_at[i].line,
				 option);
	}
	for (unsigned i = 0; i < u->mode.n_options && r == 0; i++)
		r = mode_option(all, u->mode.options[i], e);
	mode_spec_deinit(&u->mode);
	u->mode = *all;
	free(all);
	return r;
}

static void forget_file(struct up *u)
{
	if (u->conf)
		conf_deinit(u->conf);
	free(u->conf);
	u->conf = NULL;
}

static int judge_file(struct up *u, struct error *e)
{
	const struct conf *c = u->conf;
	const char *path = c->files[0].path;

	for (unsigned i = 0; i < c->n_problems; i++)
		conf_print_problem(stderr, &c->problems[i]);
	if (c->n_errors)
		return error_set(e, EXIT_USAGE,
				 "network %s cannot be as %s has it; vmlan "
				 "check %s says why",
				 c->name, path, c->name);
	if (!u->has_mode || u->mode.mode == c->mode.mode)
		return merge(u, e);
	log_info(&u->common.log, "%s is passed over: it says %s", path,
		 c->mode.mode->word);
	forget_file(u);
	return 0;
}

/* Once: there may be a file that says what was not typed. */
static int look_at_file(struct up *u, const char *name, struct error *e)
{
	struct conf *c = u->has_looked ? NULL : malloc(sizeof(*c));
	int r;

	if (u->has_looked)
		return 0;
	u->has_looked = true;
	if (!c)
		return error_errno(e, ENOMEM, "up");
	r = conf_load(name, c, e);
	if (r == 0) {
		u->conf = c;
		return judge_file(u, e);
	}
	free(c);
	if (r != -ENOENT)
		return r;
	return u->mode.mode ? 0 : mode_begin("natnet", name, &u->mode, e);
}

/* Keeps what runs as it was typed, or starts it: 0, -ENOENT if it has just
 * ended. */
static int bring_up(struct up *u, const char *name, struct error *e)
{
	struct up_wanted w = {.name = name,
			      .mode = &u->mode,
			      .common = &u->common,
			      .verbosity = u->verbosity};
	struct start typed = {.name = name,
			      .options = u->mode.options,
			      .n_options = u->mode.n_options};
	int r = -ENOENT;

	if (u->mode.mode && !u->has_looked) {
		typed.mode = u->mode.mode->word;
		r = start_join(&typed, e);
	}
	if (r == -ENOENT) {
		r = look_at_file(u, name, e);
		w.conf = u->conf;
		if (r == 0)
			r = up_start(&w, e);
		if (r == 0 && u->conf)
			return apply_new(u->conf, &u->common, e);
	}
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

/* ---- up --foreground ---- */

/* The socket that the service manager opened in the network's folder. */
static int take_socket(const char *name, int *fdp, struct error *e)
{
	char dir[96], path[sizeof(dir) + sizeof(CONTROL_SOCKET) + 1] = "";

	if (rundir_path(name, dir, e) < 0) {
		if (e->code != EXIT_DONE)
			return -EINVAL;
		snprintf(dir, sizeof(dir), "vmlan/%s", name); /* not there */
	}
	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, dir);
	return activation_take(CONTROL_SOCKET, path, fdp, e);
}

/* The rest of what the file says; the network has just become ready. */
static void apply_rest(void *arg)
{
	const struct up *u = arg;
	struct error e = ERROR_NULL;

	if (apply_new(u->conf, &u->common, &e) < 0) {
		error_prefix(&e, "up: ");
		cli_fail(&e);
	}
}

static int up_in_front(struct up *u, const char *name)
{
	struct up_wanted w = {.name = name,
			      .mode = &u->mode,
			      .common = &u->common,
			      .verbosity = u->verbosity};
	struct error e = ERROR_NULL;
	struct made m;
	int r = look_at_file(u, name, &e);

	if (r < 0) {
		error_prefix(&e, "up: ");
		return cli_fail(&e);
	}
	w.conf = u->conf;
	made_init(&m, &w);
	m.s.in_front = true;
	if (u->conf) {
		m.s.after = apply_rest;
		m.s.arg = u;
	}
	r = take_socket(name, &m.s.control_fd, &e);
	if (r == 0)
		r = make_specs(&m, &w, &e);
	if (r == 0 && m.s.said[0])
		log_info(&u->common.log, "%s", m.s.said);
	if (r == 0)
		r = start_in_front(&m.s, &e);
	made_deinit(&m);
	if (r == 0)
		return EXIT_DONE;
	error_prefix(&e, "up: ");
	return cli_fail(&e);
}

int cmd_up(int argc, char **argv)
{
	struct up u = {.verbosity = 0};
	const char *name = NULL;
	int r = parse_up(&u, argc, argv, &name);

	if (r == 0 && !u.helped)
		r = cli_common_init(&u.common, u.verbosity);
	if (r == 0 && !u.helped && u.in_front) {
		r = up_in_front(&u, name);
	} else if (r == 0 && !u.helped) {
		start_sweep();
		r = up(&u, name);
	}
	mode_spec_deinit(&u.mode);
	forget_file(&u);
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
	/* One that a service manager only listens for does not run. */
	r = rundir_awaits(name, CONTROL_SOCKET)
		    ? -ENOENT
		    : set_kept(name, false, &answer, &e);
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
		if (cli_helps(argv[i], down_usage))
			return EXIT_DONE;
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
