/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Networks whose keeper was killed: the next command gives each that is still
 * wanted another one.  The engine that was left holds the machines' cables and
 * the forwarded ports; it is ended, and the machines connect to the new one as
 * they do when an engine dies.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/ctl.h"
#include "cli/start.h"
#include "control/protocol.h"
#include "control/text.h"
#include "keeper/mhd.h"
#include "os/proc.h"
#include "os/sock.h"

enum {
	TAKE_MS = 5000, /* for the last moment of one that was ended */
	FRONT_MS = 500, /* for a command that looks into a folder */
};

/* A network as it was written down. */
struct past {
	json_t *state; /* owned */
	char *text;    /* owned; the same */
	char *cwd;     /* owned; NULL: not known */
	char *file;    /* owned; NULL: none */
	char **options; /* owned, as the array */
	unsigned n_options;
	struct netdev_spec **specs; /* owned, as the array */
	unsigned n_specs;
};

static void past_deinit(struct past *p)
{
	for (unsigned i = 0; i < p->n_specs; i++)
		netdev_spec_free(p->specs[i]);
	for (unsigned i = 0; i < p->n_options; i++)
		free(p->options[i]);
	free(p->specs);
	free(p->options);
	free(p->cwd);
	free(p->file);
	free(p->text);
	json_decref(p->state);
}

static json_t *read_state(const char *name)
{
	struct error e = ERROR_NULL;
	char dir[96], path[sizeof(dir) + sizeof(CONTROL_STATE) + 1];
	json_t *o;

	if (rundir_path(name, dir, &e) < 0)
		return NULL;
	snprintf(path, sizeof(path), "%s/" CONTROL_STATE, dir);
	o = json_load_file(path, 0, NULL);
	if (strcmp(ctl_str(o, "name"), name) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* True if it is kept, or a machine may be on it still. */
static bool is_wanted(const json_t *o)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(o, "machines"), i, v) {
		pid_t pid = ctl_int(v, "pid");

		if (!pid || (number(v, "pid_started") &&
			     proc_started(pid) == number(v, "pid_started")))
			return true;
	}
	return ctl_bool(o, "kept");
}

static bool is_spared(const json_t *o)
{
	return is_wanted(o) && !ctl_bool(o, "has_fds");
}

/* True if a service manager listens for it still: it gives it another keeper,
 * and has heard now that it is time. */
static bool is_managed(const json_t *o)
{
	char dir[96], path[sizeof(dir) + sizeof(CONTROL_SOCKET) + 1];
	struct error e = ERROR_NULL;
	CLEANUP_FD int fd = -1;

	if (!ctl_bool(o, "activated") ||
	    rundir_path(ctl_str(o, "name"), dir, &e) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, dir);
	fd = sock_connect_unix(path, false, false, &e);
	return fd >= 0;
}

static int take_options(struct past *p, struct error *e)
{
	const json_t *list = json_object_get(p->state, "options");
	size_t i;
	json_t *v;

	p->options = calloc(json_array_size(list) + 1, sizeof(*p->options));
	if (!p->options)
		return error_errno(e, ENOMEM, "options");
	json_array_foreach(list, i, v) {
		p->options[p->n_options] = text_from_json(v);
		if (!p->options[p->n_options])
			return error_errno(e, ENOMEM, "options");
		p->n_options++;
	}
	return 0;
}

static int take_netdevs(struct past *p, struct error *e)
{
	const json_t *list = json_object_get(p->state, "netdevs");
	size_t i;
	json_t *v;

	p->specs = calloc(json_array_size(list) + 1, sizeof(*p->specs));
	if (!p->specs)
		return error_errno(e, ENOMEM, "netdevs");
	json_array_foreach(list, i, v) {
		CLEANUP_FREE char *text = text_from_json(v);

		if (netdev_parse(text ? text : "", &p->specs[p->n_specs], e) <
		    0)
			return -EINVAL;
		p->n_specs++;
	}
	return 0;
}

/* What its engine holds is free. */
static int end_engine(const struct past *p, const struct rundir *dir)
{
	int r = proc_kill(ctl_int(p->state, "engine"),
			  number(p->state, "engine_started"));

	rundir_await_engine(dir); /* one that was just being started */
	return r == -ESRCH ? 0 : r;
}

/* Its lock is held; front: in the place of this one, NULL: detached. */
static int start_again(struct past *p, struct rundir *dir,
		       const struct start *front, struct error *e)
{
	struct cli_common common;
	struct start s = {
		.name = ctl_str(p->state, "name"),
		.mode = ctl_str(p->state, "mode"),
		.mac_name = ctl_str(p->state, "mac_name"),
		.is_kept = ctl_bool(p->state, "kept"),
		.is_shared = ctl_bool(p->state, "shared"),
		.common = &common,
		.state = p->text,
	};
	int r;

	if (front) {
		s.common = front->common;
		s.verbosity = front->verbosity;
		s.in_front = true;
		s.control_fd = front->control_fd;
	}
	s.cwd = p->cwd = text_from_json(json_object_get(p->state, "cwd"));
	s.file = p->file = text_from_json(json_object_get(p->state, "file"));
	r = take_options(p, e);
	if (r == 0)
		r = take_netdevs(p, e);
	if (r == 0 && !front && cli_common_init(&common, 0))
		r = error_set(e, EXIT_USAGE, "VMLAN_DENY");
	if (r == 0)
		r = end_engine(p, dir);
	if (r < 0) {
		rundir_remove(dir);
		return error_set(e, EXIT_FAILED,
				 "its engine, process %d, cannot be ended: %s",
				 ctl_int(p->state, "engine"), strerror(-r));
	}
	s.options = p->options;
	s.n_options = p->n_options;
	s.specs = p->specs;
	s.n_specs = p->n_specs;
	s.dir = *dir;
	*dir = RUNDIR_NULL;
	r = start_taken(&s, e);
	start_done(&s);
	return r;
}

/* Why it cannot be started again here; NULL: it can. */
static const char *why_not_here(const json_t *o)
{
	if (number(o, "netns") != proc_netns())
		return "vmlan ls in its network namespace gives it another";
	if (ctl_bool(o, "has_fds"))
		return "with it went the descriptors that it was given: start "
		       "the network again";
	return NULL;
}

/* What every keeper needs, asked before anything is ended for another one. */
static int check_library(struct error *e)
{
	struct mhd m;

	return mhd_load(&m, e);
}

/* Its lock is held. */
static int revive(struct past *p, const char *name, struct rundir *dir,
		  struct log *log)
{
	struct error e = ERROR_NULL;

	p->text = json_dumps(p->state, 0);
	if (!p->text) {
		rundir_release(dir);
		return -ENOENT;
	}
	if (check_library(&e) < 0) {
		rundir_release(dir); /* its machines have their network still */
		log_warn(log,
			 "the keeper of network %s was killed, and it cannot "
			 "have another one yet: %s",
			 name, e.text);
		return -ENOENT;
	}
	if (start_again(p, dir, NULL, &e) < 0) {
		log_warn(log, "the keeper of network %s was killed, and it "
			      "cannot have another: %s",
			 name, e.text);
		return -ENOENT;
	}
	log_warn(log, "the keeper of network %s was killed; it has another "
		      "one now",
		 name);
	return 0;
}

/* As rundir_take().  *is_newsp: whoever looked before could not have it. */
static int take(const char *name, unsigned wait_ms, struct rundir *dir,
		bool *is_newsp)
{
	int r = rundir_take(name, 0, dir);

	*is_newsp = !wait_ms;
	if (r == -EBUSY && wait_ms) {
		*is_newsp = true;
		r = rundir_take(name, wait_ms, dir);
	}
	return r;
}

int start_revive(const char *name, unsigned wait_ms, struct log *log)
{
	struct past p = {.state = read_state(name)};
	struct rundir dir = RUNDIR_NULL;
	const char *why = NULL;
	bool is_news = false;
	int r = -ENOENT;

	if (is_wanted(p.state))
		r = take(name, wait_ms, &dir, &is_news);
	if (r == 0) {
		/* As it is now that nobody else can be at it. */
		json_decref(p.state);
		p.state = read_state(name);
	}
	if (r == 0 && is_managed(p.state)) {
		rundir_release(&dir);
		r = -EBUSY;
	}
	if ((r == 0 || r == -EXDEV) && is_wanted(p.state))
		why = why_not_here(p.state);
	if (why && is_news)
		log_warn(log, "the keeper of network %s was killed; %s", name,
			 why);
	if (r == 0 && (why || !is_wanted(p.state))) {
		if (!is_spared(p.state))
			rundir_remove(&dir);
		rundir_release(&dir);
		r = -ENOENT;
	}
	if (r == 0)
		r = revive(&p, name, &dir, log);
	past_deinit(&p);
	return r == 0 || r == -EBUSY ? r : -ENOENT;
}

/* ---- another in the place of one that lives ---- */

/* Ends the keeper and takes its folder, with the state as it was last. */
static int take_over(struct past *p, const char *name, struct rundir *dir,
		     struct error *e)
{
	json_t *o = NULL;
	pid_t pid;
	int r = ctl_ask(name, "GET", CONTROL_NETWORK, NULL, &o, e);

	if (r < 0) {
		error_set(e, EXIT_NO_NETWORK, "network %s has just ended",
			  name);
		return r;
	}
	pid = ctl_int(o, "keeper");
	json_decref(o);
	p->state = read_state(name);
	if (!p->state || why_not_here(p->state))
		return error_set(e, EXIT_CONFLICT,
				 "network %s cannot be started again here: %s",
				 name,
				 p->state ? why_not_here(p->state)
					  : "its state is not written down");
	if (ctl_bool(p->state, "front"))
		return error_set(e, EXIT_CONFLICT,
				 "network %s is a service, and has to be "
				 "started again for this: restart that, by "
				 "'systemctl restart vmlan@%s' if it is "
				 "systemd's",
				 name, name);
	r = proc_kill(pid, proc_started(pid));
	if (r == 0 || r == -ESRCH)
		r = rundir_take(name, TAKE_MS, dir);
	if (r < 0)
		return error_set(e, EXIT_CONFLICT,
				 "network %s could not be taken over: %s; see "
				 "vmlan ls",
				 name, strerror(-r));
	/* Nobody writes it any more. */
	o = read_state(name);
	if (o) {
		json_decref(p->state);
		p->state = o;
	}
	return 0;
}

/* As it was, which its folder may not tell any more. */
static void start_as_before(struct past *p, struct error *e)
{
	const char *name = ctl_str(p->state, "name");
	struct rundir dir = RUNDIR_NULL;
	struct error why = ERROR_NULL;
	int r;

	free(p->text);
	p->text = json_dumps(p->state, 0);
	r = p->text ? rundir_make(name, &dir, &why) : -ENOMEM;
	if (r == 0)
		r = start_again(p, &dir, NULL, &why);
	error_prefix(e, r < 0 ? "network %s has ended: "
			      : "network %s is as it was before: ",
		     name);
}

int start_replace(struct start *s, void (*fix)(json_t *state, const void *arg),
		  const void *arg, struct error *e)
{
	struct past p = {.state = NULL};
	CLEANUP_FREE char *text = NULL;
	json_t *state = NULL;
	int r;

	s->keeper = 0;
	r = check_library(e);
	if (r == 0)
		r = take_over(&p, s->name, &s->dir, e);
	if (r < 0) {
		past_deinit(&p);
		return r;
	}
	state = json_deep_copy(p.state);
	if (state)
		fix(state, arg);
	text = state ? json_dumps(state, 0) : NULL;
	json_decref(state);
	s->state = text;
	r = text ? end_engine(&p, &s->dir) : -ENOMEM;
	if (r < 0) {
		error_errno(e, r, "network %s", s->name);
		rundir_remove(&s->dir);
	} else {
		r = start_taken(s, e);
		start_done(s);
	}
	if (r < 0 && s->keeper > 0)
		proc_bury(s->keeper); /* it removes the folder last */
	if (r < 0)
		start_as_before(&p, e);
	s->state = NULL;
	past_deinit(&p);
	return r;
}

bool start_may_revive(const char *name)
{
	json_t *o = read_state(name);
	bool may = is_wanted(o) && !why_not_here(o);

	json_decref(o);
	return may;
}

/* That its file was edited meanwhile costs the machines on it nothing. */
static int check_same(const struct start *want, const json_t *state,
		      struct error *e)
{
	struct log log = want->common->log;
	int r = start_check_same(want, state, e);

	if (r == 0 || !want->file)
		return r;
	log_warn(&log,
		 "network %s is as it was when its keeper was killed, not as "
		 "%s has it now: vmlan apply --dry-run %s tells how they "
		 "differ",
		 want->name, want->file, want->name);
	*e = ERROR_NULL;
	return 0;
}

int start_revive_in_front(const struct start *want, struct error *e)
{
	struct past p = {.state = NULL};
	struct rundir dir = RUNDIR_NULL;
	const char *why;
	int r = rundir_take(want->name, FRONT_MS, &dir);

	if (r < 0)
		return -ENOENT; /* who makes the folder says why it cannot be */
	dir.stays = want->control_fd < 0 ? NULL : CONTROL_SOCKET;
	p.state = read_state(want->name);
	p.text = p.state ? json_dumps(p.state, 0) : NULL;
	why = why_not_here(p.state);
	if (!is_spared(p.state) || !p.text)
		r = -ENOENT;
	else if (why)
		r = error_set(e, EXIT_CONFLICT,
			      "the keeper of network %s was killed; %s",
			      want->name, why);
	else
		r = check_same(want, p.state, e);
	if (r == 0)
		r = check_library(e);
	if (r == 0)
		r = start_again(&p, &dir, want, e);
	else
		rundir_release(&dir);
	past_deinit(&p);
	return r;
}

/* It may have been killed since this command looked for such ones. */
bool start_spares(const char *name)
{
	json_t *o = read_state(name);
	bool spares = is_spared(o) || is_managed(o);

	json_decref(o);
	return spares;
}

void start_sweep(void)
{
	struct log log = LOG_INIT(LOG_LEVEL_WARN);
	char **names;
	unsigned n;

	(void)!rundir_names(&names, &n); /* those that it could read */
	for (unsigned i = 0; i < n; i++) {
		(void)!start_revive(names[i], 0, &log);
		free(names[i]);
	}
	free(names);
	rundir_sweep(start_spares);
}
