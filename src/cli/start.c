/* SPDX-License-Identifier: BSD-3-Clause */
/* Detached keepers; see start.h. */
#include "cli/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/ctl.h"
#include "cli/find.h"
#include "control/protocol.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/inherit.h"
#include "os/may.h"
#include "os/routes.h"
#include "os/sdnotify.h"
#include "os/sock.h"

enum {
	PAUSE_MS = 10,	  /* between two looks at a network */
	JOIN_MS = 15000,  /* for one that starts or ends */
	END_MS = 5000,
	REVIVE_MS = 100,  /* for a killed one's last moment */
	REVIVALS = 3,	  /* of one whose new keeper is killed, too */
	HOST_ID_LEN = 65,
};

/* What the keeper's process tells the command: ready, or why not. */
struct verdict {
	int code; /* EXIT_DONE: ready */
	char text[1024];
};

/* The keeper's own end. */
struct detached {
	struct log log;
	struct log say;
	int fd; /* to the command; -1: this is it */
	const struct start *start; /* what is wanted; borrowed */
};

static void tell_manager(void *arg)
{
	struct error e = ERROR_NULL;

	(void)arg;
	if (sdnotify_send("READY=1", &e) < 0)
		cli_fail(&e); /* the service manager will say more */
}

/* What else is to be asked of the network is asked by a child, for this process
 * is who answers; the service manager waits for that, too. */
static pid_t tell_front(const struct start *s)
{
	struct log lg = LOG_INIT(LOG_LEVEL_WARN);
	pid_t pid = s->after ? fork() : -1;

	if (pid == 0) {
		/* The keeper's lock and sockets end with the keeper. */
		(void)close_range(STDERR_FILENO + 1, ~0u, 0);
		s->after(s->arg);
		_exit(EXIT_DONE);
	}
	if (s->after && pid < 0)
		log_warn(&lg,
			 "network %s runs without the rest of what its file "
			 "says, until vmlan apply: %s",
			 s->name, strerror(errno));
	if (pid > 0)
		return pid;
	tell_manager(NULL);
	return 0;
}

static pid_t tell_ready(void *arg)
{
	struct detached *d = arg;
	struct verdict v = {.code = EXIT_DONE};

	if (d->fd < 0)
		return tell_front(d->start);
	(void)send(d->fd, &v, sizeof(v), MSG_NOSIGNAL);
	/* Who reads the command's output must not wait for a daemon's end. */
	if (d->say.fd != 2)
		close(d->say.fd);
	d->say.fd = 2;
	inherited_close();
	return 0;
}

/* The log of a network that outlives the command that made it. */
static void log_to_file(struct detached *d, const struct rundir *dir)
{
	char path[sizeof(dir->path) + 8];
	CLEANUP_FD int fd = -1;
	int say;

	snprintf(path, sizeof(path), "%s/log", dir->path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	say = fcntl(2, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || say < 0) {
		fd_close(&say);
		return; /* it goes on where the command says its things */
	}
	d->say.fd = say;
	dup2(fd, 2);
}

static void detach(struct start *s, struct detached *d)
{
	CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
	}
	/* Nor is the terminal of whoever gives a network its keeper back. */
	if (s->is_shared || s->state)
		log_to_file(d, &s->dir);
	else if (s->verbosity == 0)
		/* The machine's console is no place for our chatter. */
		d->log.level = LOG_LEVEL_WARN;
}

/* Everything until nobody needs the network. */
static int run_keeper(struct start *s, struct detached *d, struct error *e)
{
	struct keeper_network network = {
		.name = s->name,
		.dir = s->dir.path,
		.mode = s->mode,
		.mac_name = s->mac_name,
		.options = s->options,
		.n_options = s->n_options,
		.is_kept = s->is_kept,
		.is_shared = s->is_shared,
		.state = s->state,
		.file = s->file,
		.denies_exec = !mode_allows_exec(s->mode, s->options,
						 s->n_options),
		.starter_fd = d->fd < 0 ? -1 : fcntl(d->fd, F_DUPFD_CLOEXEC, 3),
		.in_front = s->in_front,
		.control_fd = s->in_front ? s->control_fd : -1,
	};
	struct keeper_config c = {
		.specs = s->specs,
		.n_specs = s->n_specs,
		.log = &d->log,
		.say = &d->say,
		.deny = s->common->deny,
		.workers = s->common->workers,
		.queues = s->queues,
		.resolv_conf = getenv("VMLAN_RESOLV_CONF"),
		.engine_outlives = true,
		.ready = tell_ready,
		.rest_over = tell_manager,
		.arg = d,
		.network = &network,
	};

	if (s->state)
		d->say.level = LOG_LEVEL_WARN; /* the first one has said it */
	prctl(PR_SET_NAME, "vmlan-keeper");
	signal(SIGPIPE, SIG_IGN);
	if (s->cwd && chdir(s->cwd) < 0)
		return error_errno(e, errno, "%s", s->cwd);
	return keeper_run(&c, e);
}

/* In the detached process. */
static int keep(struct start *s, int fd)
{
	struct detached d = {
		.log = s->common->log, .say = s->common->log, .fd = fd};
	struct error e = ERROR_NULL;
	int r;

	detach(s, &d);
	r = run_keeper(s, &d, &e);
	if (r < 0) {
		struct verdict v = {.code = e.code};

		snprintf(v.text, sizeof(v.text), "%s", e.text);
		/* Nobody waits any more once it was ready: then the person
		 * at the terminal, or the log, is told. */
		if (send(fd, &v, sizeof(v), MSG_NOSIGNAL) < 0)
			cli_fail(&e);
	}
	rundir_remove(&s->dir);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int keep_in_front(struct start *s, struct error *e)
{
	struct detached d = {
		.log = s->common->log, .say = s->common->log, .fd = -1,
		.start = s};
	int r = run_keeper(s, &d, e);

	rundir_remove(&s->dir);
	return r;
}

static int await_verdict(struct start *s, struct error *e)
{
	struct verdict v;
	ssize_t n;

	do {
		n = recv(s->life_fd, &v, sizeof(v), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(v)) {
		error_set(e, EXIT_FAILED,
			  "the keeper died before it was ready");
		return -EIO;
	}
	if (v.code == EXIT_DONE)
		return 0;
	v.text[sizeof(v.text) - 1] = '\0';
	error_set(e, (enum exit_code)v.code, "%s", v.text);
	return -EIO;
}

int start_taken(struct start *s, struct error *e)
{
	int pair[2];
	int r;

	s->keeper = 0;
	s->life_fd = -1;
	if (s->in_front)
		return keep_in_front(s, e);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		r = error_errno(e, errno, "socketpair");
		rundir_remove(&s->dir);
		return r;
	}
	s->keeper = fork();
	if (s->keeper == 0) {
		close(pair[0]);
		_exit(keep(s, pair[1]));
	}
	close(pair[1]);
	s->life_fd = pair[0];
	if (s->keeper < 0) {
		r = error_errno(e, errno, "fork");
		s->keeper = 0;
		rundir_remove(&s->dir);
		fd_close(&s->life_fd);
		return r;
	}
	/* Its folder is the keeper's, and goes with it. */
	rundir_release(&s->dir);
	return await_verdict(s, e);
}

int start_network(struct start *s, struct error *e)
{
	struct log log = LOG_INIT(LOG_LEVEL_WARN);
	int r;

	s->keeper = 0;
	s->life_fd = -1;
	if (start_wakes(s->name)) {
		error_set(e, EXIT_CONFLICT,
			  "network %s is a service manager's, and starts now",
			  s->name);
		return -EEXIST;
	}
	r = rundir_make_sparing(s->name, start_spares, &s->dir, e);
	if (r == -ESTALE) {
		/* Killed since this command looked for such ones. */
		r = start_revive(s->name, REVIVE_MS, &log);
		if (r == -EBUSY) /* somebody else gives it another */
			return -EEXIST; /* *e is of its folder */
		*e = ERROR_NULL;
		r = rundir_make_sparing(s->name, start_spares, &s->dir, e);
	}
	if (r == -ESTALE) {
		*e = ERROR_NULL;
		error_set(e, EXIT_CONFLICT,
			  "the keeper of network %s was killed, and it "
			  "cannot have another here (vmlan ls says why); "
			  "take another name",
			  s->name);
		r = -EXDEV;
	}
	return r < 0 ? r : start_taken(s, e);
}

void start_done(struct start *s)
{
	fd_close(&s->life_fd);
}

/* ---- who comes second ---- */

bool start_wakes(const char *name)
{
	char dir[96], path[sizeof(dir) + sizeof(CONTROL_SOCKET) + 1];
	struct error e = ERROR_NULL;
	CLEANUP_FD int fd = -1;

	if (!rundir_awaits(name, CONTROL_SOCKET) ||
	    rundir_path(name, dir, &e) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, dir);
	fd = sock_connect_unix(path, false, false, &e);
	return fd >= 0;
}

static void pause_ms(int ms)
{
	const struct timespec t = {.tv_sec = ms / 1000,
				   .tv_nsec = (ms % 1000) * 1000000L};

	nanosleep(&t, NULL);
}

static bool has_option(const json_t *options, const char *text)
{
	size_t i;
	json_t *v;

	json_array_foreach(options, i, v) {
		if (strcmp(ctl_text(v), text) == 0)
			return true;
	}
	return false;
}

/* True if the running network is what is wanted. */
int start_check_same(const struct start *s, const json_t *o, struct error *e)
{
	const char *mode = ctl_str(o, "mode");

	if (strcmp(mode, s->mode) != 0)
		return error_set(e, EXIT_CONFLICT,
				 "network %s runs already, and is %s, not %s; "
				 "take another name, or 'vmlan down %s'",
				 s->name, mode, s->mode, s->name);
	for (unsigned i = 0; i < s->n_options; i++) {
		if (!has_option(json_object_get(o, "options"), s->options[i]))
			return error_set(
				e, EXIT_CONFLICT,
				"network %s runs already, without %s; leave "
				"that out, or 'vmlan down %s' first",
				s->name, s->options[i], s->name);
	}
	return 0;
}

int start_ask(const char *name, const char *method, const char *path,
	      const char *body, json_t **answerp, struct error *e)
{
	struct log log = LOG_INIT(LOG_LEVEL_WARN);
	int64_t begin = now_ms(), wanted = begin;
	unsigned failed = 0;
	int r = -ENOENT;

	while (now_ms() - begin < JOIN_MS) {
		r = ctl_ask(name, method, path, body, answerp, e);
		if (r != -ENOENT)
			return r;
		r = start_revive(name, REVIVE_MS, &log);
		if (r == 0 || r == -EBUSY) {
			wanted = now_ms();
			continue;
		}
		/* It starts or ends, if it is there at all; or nobody has it,
		 * and somebody should. */
		if (!rundir_is_held(name) &&
		    (!start_may_revive(name) || ++failed > REVIVALS))
			return -ENOENT;
		if (now_ms() - wanted >= END_MS)
			return -ENOENT;
		pause_ms(PAUSE_MS);
	}
	return r == -ENOENT
		       ? r
		       : error_set(e, EXIT_FAILED,
				   "network %s runs, but nobody answers for it",
				   name);
}

int start_join(const struct start *s, struct error *e)
{
	json_t *o = NULL;
	int r = ctl_ask(s->name, "GET", CONTROL_NETWORK, NULL, &o, e);

	if (r == 0)
		r = start_check_same(s, o, e);
	json_decref(o);
	return r < 0 ? r : 1;
}

int start_or_join(struct start *s, struct error *e)
{
	for (int waited = 0; waited < JOIN_MS; waited += PAUSE_MS) {
		int r;

		*e = ERROR_NULL;
		r = start_network(s, e);
		if (r != -EEXIST)
			return r;
		*e = ERROR_NULL;
		r = start_join(s, e);
		if (r != -ENOENT)
			return r;
		pause_ms(PAUSE_MS); /* it starts, or ends */
	}
	error_set(e, EXIT_FAILED, "network %s runs, but nobody answers for it",
		  s->name);
	return -ETIMEDOUT;
}

static void put_host_id(char buf[static HOST_ID_LEN])
{
	FILE *f = fopen("/etc/machine-id", "re");

	buf[0] = '\0';
	if (f && fgets(buf, HOST_ID_LEN, f))
		buf[strcspn(buf, "\n")] = '\0';
	if (f)
		fclose(f);
	if (!buf[0] && gethostname(buf, HOST_ID_LEN) < 0)
		buf[0] = '\0';
	buf[HOST_ID_LEN - 1] = '\0';
}

void start_mac_name(const struct mode *mode, const char *name,
		    char buf[static START_MAC_NAME_LEN])
{
	char host[HOST_ID_LEN];

	if (mode && mode->owner != MODE_EITHER) {
		snprintf(buf, START_MAC_NAME_LEN, "%s", name);
		return;
	}
	put_host_id(host);
	snprintf(buf, START_MAC_NAME_LEN, "%s@%s@%u", name, host, geteuid());
}

void start_look_at_host(struct mode_host *h)
{
	struct prefix *v = NULL, *mine = NULL;
	char host[HOST_ID_LEN], *id = NULL;
	unsigned n = 0, n_mine = 0;

	/* Where nothing is known, nothing is in the way. */
	if (routes_read(&v, &n) < 0)
		n = 0;
	if (routes_delegated(&mine, &n_mine) < 0)
		n_mine = 0;
	put_host_id(host);
	if (asprintf(&id, "%s@%u", host, geteuid()) < 0)
		id = NULL;
	*h = (struct mode_host){
		.routes = v,
		.n_routes = n,
		.delegated = mine,
		.n_delegated = n_mine,
		.host_id = id,
		.may_make_links = may_make_links(),
		.may_have_ipv6 = may_have_ipv6(),
		.may_make_macvtaps = may_make_macvtaps(),
		.is_wireless = link_is_wireless,
	};
}

void start_forget_host(struct mode_host *h)
{
	free((void *)h->routes);
	free((void *)h->delegated);
	free((void *)h->host_id);
	*h = (struct mode_host){.routes = NULL};
}

/* True if machine has left a network that goes on for others. */
static bool has_left(const json_t *o, const char *machine)
{
	bool is_needed = ctl_bool(o, "kept") ||
			 json_array_size(json_object_get(o, "machines")) > 0;

	return machine && is_needed && !find_in(o, machine);
}

void start_await_end(const char *name, const char *machine)
{
	for (int waited = 0; waited < END_MS; waited += PAUSE_MS) {
		struct error e = ERROR_NULL;
		json_t *o = NULL;
		/* One that is over is not asked: that would start it where a
		 * service manager listens. */
		bool is_over = !rundir_is_held(name);

		if (!is_over && machine &&
		    ctl_ask(name, "GET", CONTROL_NETWORK, NULL, &o, &e) == 0)
			is_over = has_left(o, machine);
		json_decref(o);
		if (is_over)
			return;
		pause_ms(PAUSE_MS);
	}
}
