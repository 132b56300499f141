/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine's network: its keeper, and what the VMM must be told. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/run.h"
#include "grammar/netdev_spec.h"
#include "keeper/keeper.h"

enum {
	QEMU_STREAM = 702,    /* first with -netdev stream */
	QEMU_RECONNECT = 902, /* first whose stream client reconnects */
	NAMES_MAX = 100,      /* web, web-2, .. web-100 */
	/* the machine's netdev, user or those of -nic and -net, hubports */
	SPECS_MAX = 2 + 2 * RUN_NETS_MAX,
};

static const char placeholder[] = "{socket}";

__attribute__((format(printf, 2, 3))) static int own_failure(int code,
							     const char *fmt,
							     ...)
{
	struct error e = {.code = (enum exit_code)code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	return cli_fail(&e);
}

/* hostfwd= has no ranges: a rule for each port. */
static void put_hostfwds(FILE *f, const struct port_rule *range)
{
	struct port_rule one = *range;
	char text[PORT_RULE_STRLEN];

	for (;;) {
		one.host_hi = one.host_lo;
		fprintf(f, ",hostfwd=%s", port_rule_format(&one, text));
		if (one.host_lo == range->host_hi)
			return;
		one.host_lo++;
		one.guest_lo++;
	}
}

bool run_net_is(const struct net_option *o, const char *type)
{
	size_t len = strlen(type);

	return o->netdev && strncmp(o->netdev, type, len) == 0 &&
	       (!o->netdev[len] || o->netdev[len] == ',');
}

/* The text of a user netdev with all forwards of -p; NULL: no memory. */
static char *user_text(const struct run *r, const char *user)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(user, f);
	for (unsigned i = 0; i < r->n_rules; i++)
		put_hostfwds(f, &r->rules[i]);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* A comma in a value is written twice. */
static void put_value(FILE *f, const char *value)
{
	for (; *value; value++) {
		if (*value == ',')
			fputc(',', f);
		fputc(*value, f);
	}
}

static char *machine_text(const struct run *r)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(r->is_vhost ? "vhost-user,id=machine,path="
			  : "stream,id=machine,addr.type=unix,addr.path=",
	      f);
	put_value(f, r->socket);
	/* QEMU opens its socket a moment after it was started. */
	if (r->qemu_serves)
		fputs(",server=off,reconnect-ms=20", f);
	else
		fputs(",server=on", f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* The netdevs of the machine's LAN. */
struct specs {
	struct netdev_spec *v[SPECS_MAX]; /* owned */
	unsigned n;
};

/* NULL: there was no memory for it. */
static int add_spec(struct specs *s, const char *text, struct error *e)
{
	int r;

	if (!text)
		return error_errno(e, ENOMEM, "run");
	r = netdev_parse(text, &s->v[s->n], e);
	if (r == 0)
		s->n++;
	return r;
}

/* Those of -nic and -net; -p belongs to the first user among them. */
static int add_nets(const struct run *r, struct specs *s, struct error *e)
{
	bool has_forwards = false;
	int rc = 0;

	if (r->on_hub)
		rc = add_spec(s, "hubport,hubid=0,netdev=machine", e);
	for (unsigned i = 0; i < r->n_nets && rc == 0; i++) {
		const struct net_option *o = &r->nets[i];
		CLEANUP_FREE char *user = NULL;

		if (o->what != NET_OPTION_NETDEV)
			continue;
		if (!has_forwards && run_net_is(o, "user")) {
			has_forwards = true;
			user = user_text(r, o->netdev);
			rc = add_spec(s, user, e);
		} else {
			rc = add_spec(s, o->netdev, e);
		}
		if (rc == 0 && o->hubport)
			rc = add_spec(s, o->hubport, e);
	}
	return rc;
}

static int parse_specs(const struct run *r, struct specs *s, struct error *e)
{
	CLEANUP_FREE char *machine = machine_text(r);
	CLEANUP_FREE char *user = NULL;
	int rc = add_spec(s, machine, e);

	if (rc < 0)
		return rc;
	if (r->n_nets)
		return add_nets(r, s, e);
	user = user_text(r, "user,id=user");
	return add_spec(s, user, e);
}

/* What the keeper's process tells the command: ready, or why not. */
struct verdict {
	int code; /* EXIT_DONE: ready */
	char text[1024];
};

static void tell_ready(void *arg)
{
	struct verdict v = {.code = EXIT_DONE};

	(void)send(*(int *)arg, &v, sizeof(v), MSG_NOSIGNAL);
}

/* In the detached process: everything until the machine is gone. */
static int keep(struct run *r, int fd)
{
	struct specs specs = {.n = 0};
	struct error e = ERROR_NULL;
	struct log say = r->common.log;
	struct keeper_config c = {
		.specs = specs.v,
		.log = &r->common.log,
		.say = &say,
		.deny = r->common.deny,
		.resolv_conf = getenv("VMLAN_RESOLV_CONF"),
		.engine_outlives = true,
		.ready = tell_ready,
		.arg = &fd,
		.life_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3),
	};
	CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int rc;

	/* The machine's console is no place for the keeper's chatter. */
	if (r->verbosity == 0)
		r->common.log.level = LOG_LEVEL_WARN;

	setsid();
	/* Who reads the command's output must not wait for a daemon's end. */
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
	}
	prctl(PR_SET_NAME, "vmlan-keeper");
	signal(SIGPIPE, SIG_IGN);
	rc = parse_specs(r, &specs, &e);
	c.n_specs = specs.n;
	if (rc == 0)
		rc = keeper_run(&c, &e);
	if (rc < 0) {
		struct verdict v = {.code = e.code};

		snprintf(v.text, sizeof(v.text), "%s", e.text);
		/* Nobody waits any more once it was ready: then the person
		 * at the terminal is told. */
		if (send(fd, &v, sizeof(v), MSG_NOSIGNAL) < 0)
			cli_fail(&e);
	}
	for (unsigned i = 0; i < specs.n; i++)
		netdev_spec_free(specs.v[i]);
	rundir_remove(&r->dir);
	return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* A folder of the machine's own; of two with one name the second gets a
 * number. */
static int make_dir(struct run *r)
{
	const char *name = r->name[0] ? r->name : r->qemu.name;
	struct error e = ERROR_NULL;
	char full[96];
	int rc = -EEXIST;

	for (unsigned i = 1; i <= NAMES_MAX && rc == -EEXIST; i++) {
		e = ERROR_NULL;
		if (i == 1)
			snprintf(full, sizeof(full), "nat-%s", name);
		else
			snprintf(full, sizeof(full), "nat-%s-%u", name, i);
		rc = rundir_make(full, &r->dir, &e);
	}
	if (rc < 0)
		return own_failure(EXIT_RUN_FAILED, "run: %s", e.text);
	snprintf(r->name, sizeof(r->name), "%.63s", full + strlen("nat-"));
	if (snprintf(r->socket, sizeof(r->socket), "%s/vm.sock", r->dir.path) >=
	    (int)sizeof(r->socket))
		return own_failure(
			EXIT_RUN_FAILED,
			"run: %s/vm.sock is too long for a socket's "
			"name; set XDG_RUNTIME_DIR to a shorter path",
			r->dir.path);
	return 0;
}

/* Looks a program up as execvp() will: 0, ENOENT, EACCES. */
static int find_program(const char *name)
{
	const char *path = getenv("PATH");
	int err = ENOENT;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? 0 : errno;
	for (path = path ? path : "/usr/bin:/bin"; *path;) {
		size_t len = strcspn(path, ":");
		char full[4096];

		snprintf(full, sizeof(full), "%.*s/%s", len ? (int)len : 1,
			 len ? path : ".", name);
		if (access(full, X_OK) == 0)
			return 0;
		if (access(full, F_OK) == 0)
			err = EACCES;
		path += len;
		path += *path == ':';
	}
	return err;
}

/* Before anything is built for it. */
static int check_program(const char *name)
{
	int err = find_program(name);

	if (err == ENOENT)
		return own_failure(EXIT_RUN_NOT_FOUND,
				   "%s: not found; is it installed?", name);
	if (err)
		return own_failure(EXIT_RUN_CANNOT,
				   "%s: cannot be executed: %s", name,
				   strerror(err));
	return 0;
}

/* Another VMM is told its socket where it asks for it. */
static int check_other_vmm(const struct run *r)
{
	for (int i = 1; i < r->n_vmm; i++) {
		if (strstr(r->vmm[i], placeholder))
			return 0;
	}
	return cli_usage("run: %s is not QEMU: say where its arguments take "
			 "the path of a QEMU stream socket, by writing "
			 "{socket} there",
			 r->vmm[0]);
}

/* QEMU's name of the card. */
static const char *device_of(const struct run *r)
{
	return r->has_nic && r->nic.model ? r->nic.model->device
					  : r->qemu.nic_model;
}

/* Why the guest's virtqueues cannot be reached; NULL: they can. */
static const char *why_no_vhost(const struct run *r, int version)
{
	const char *device = device_of(r);

	if (strncmp(device, "virtio-net-", strlen("virtio-net-")) != 0)
		return "the card has no virtqueues";
	if (strcmp(device, "virtio-net-ccw") == 0)
		return "not with this machine";
	if (r->qemu.sets_memory)
		return "the command line sets up its memory itself";
	if (!r->qemu.memory[0])
		return "the command line tells no memory size (-m)";
	/* QEMU 7.2 dies in a guest's first steps with vhost-user and TCG. */
	if (version < QEMU_RECONNECT && !r->qemu.uses_kvm)
		return "this QEMU can do it with KVM only";
	return NULL;
}

/* How the machine is plugged in: its rings in shared memory where that can
 * be, else a stream of frames.  Who listens: a stream client of QEMU before
 * 9.2 cannot connect a second time; a vhost-user one always could. */
static void choose_link(struct run *r, int version)
{
	const char *why = why_no_vhost(r, version);

	r->has_ms = version >= QEMU_RECONNECT;
	r->is_vhost = !why;
	r->qemu_serves = why && !r->has_ms;
	if (why)
		log_info(&r->common.log, "network by stream: %s", why);
	else
		log_info(&r->common.log, "network by vhost-user");
}

/* Before 7.2 there is no way at all. */
static int choose_side(struct run *r)
{
	int version, err = check_program(r->vmm[0]);

	if (err)
		return err;
	if (!r->qemu.is_qemu)
		return check_other_vmm(r);
	version = qemu_version(r->vmm[0]);
	if (version == -EACCES)
		return own_failure(EXIT_RUN_CANNOT,
				   "%s: cannot be executed: %s", r->vmm[0],
				   strerror(EACCES));
	if (version < 0)
		return own_failure(
			EXIT_RUN_CANNOT,
			"%s: did not tell its version (%s --version)",
			r->vmm[0], r->vmm[0]);
	if (version < QEMU_STREAM)
		return own_failure(EXIT_RUN_FAILED,
				   "%s is version %d.%d; -netdev stream needs "
				   "7.2 or later",
				   r->vmm[0], version / 100, version % 100);
	choose_link(r, version);
	return 0;
}

static int await_verdict(struct run *r)
{
	struct verdict v;
	ssize_t n;

	do {
		n = recv(r->life_fd, &v, sizeof(v), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(v))
		return own_failure(EXIT_RUN_FAILED,
				   "run: the keeper died before it was ready");
	if (v.code == EXIT_DONE)
		return 0;
	v.text[sizeof(v.text) - 1] = '\0';
	/* A conflict or a permission keeps its own code; the VMM was not
	 * started, so nobody can take it for the VMM's. */
	return own_failure(v.code == EXIT_FAILED ? EXIT_RUN_FAILED : v.code,
			   "run: %s", v.text);
}

int run_net_start(struct run *r)
{
	int pair[2];
	int rc;

	rc = choose_side(r);
	if (rc == 0)
		rc = make_dir(r);
	if (rc)
		return rc;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return own_failure(EXIT_RUN_FAILED, "run: socketpair: %s",
				   strerror(errno));
	r->keeper = fork();
	if (r->keeper == 0) {
		close(pair[0]);
		_exit(keep(r, pair[1]));
	}
	close(pair[1]);
	r->life_fd = pair[0];
	if (r->keeper < 0) {
		r->keeper = 0;
		return own_failure(EXIT_RUN_FAILED, "run: fork: %s",
				   strerror(errno));
	}
	return await_verdict(r);
}

void run_net_end(struct run *r)
{
	fd_close(&r->life_fd); /* without a VMM the keeper ends by this */
	if (r->keeper > 0 && !r->qemu.daemonizes) {
		while (waitpid(r->keeper, NULL, 0) < 0 && errno == EINTR)
			;
	}
	rundir_release(&r->dir);
	rundir_sweep(); /* if it was killed, it left its folder */
}

/* ---- the VMM's arguments ---- */

void run_args_free(char **args)
{
	for (size_t i = 0; args && args[i]; i++)
		free(args[i]);
	free(args);
}

static char *print_netdev(const struct run *r)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	if (r->is_vhost) {
		fputs("vhost-user,id=vmlan0,chardev=vmlan0", f);
		return fclose(f) == 0 ? text : NULL;
	}
	fputs("stream,id=vmlan0,addr.type=unix,addr.path=", f);
	put_value(f, r->socket);
	fputs(r->qemu_serves ? ",server=on" : ",server=off,reconnect-ms=1000",
	      f);
	return fclose(f) == 0 ? text : NULL;
}

static char *print_device(const struct run *r)
{
	mac m = r->has_nic && r->nic.has_mac ? r->nic.mac
					     : qemu_mac("nat", r->name, 0);
	const char *more = "";
	char mac_text[MAC_STRLEN];
	char *text;

	for (unsigned i = 0; i < r->n_nets; i++) {
		if (r->nets[i].what == NET_OPTION_CARD)
			more = r->nets[i].device;
	}
	if (asprintf(&text, "%s,netdev=vmlan0,mac=%s%s", device_of(r),
		     mac_format(m, mac_text), more) < 0)
		return NULL;
	return text;
}

/* Replaces {socket} in one argument. */
static char *substitute(const char *arg, const char *path)
{
	const char *at = strstr(arg, placeholder);
	char *text;

	if (!at)
		return strdup(arg);
	if (asprintf(&text, "%.*s%s%s", (int)(at - arg), arg, path,
		     at + sizeof(placeholder) - 1) < 0)
		return NULL;
	return text;
}

static char *print_chardev(const struct run *r)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("socket,id=vmlan0,path=", f);
	put_value(f, r->socket);
	fputs(r->has_ms ? ",reconnect-ms=1000" : ",reconnect=1", f);
	return fclose(f) == 0 ? text : NULL;
}

/* Memory that the engine can map, and the way to tell it. */
static int add_vhost_words(const struct run *r, char **args, int n)
{
	char *text = NULL;

	args[n++] = strdup("-object");
	if (asprintf(&text,
		     "memory-backend-memfd,id=vmlan-ram,share=on,size=%s",
		     r->qemu.memory) < 0)
		text = NULL;
	args[n++] = text;
	args[n++] = strdup("-machine");
	args[n++] = strdup("memory-backend=vmlan-ram");
	args[n++] = strdup("-chardev");
	args[n++] = print_chardev(r);
	return n;
}

static int add_qemu_words(const struct run *r, char **args, int n)
{
	if (r->is_vhost)
		n = add_vhost_words(r, args, n);
	args[n++] = strdup("-netdev");
	args[n++] = print_netdev(r);
	args[n++] = strdup("-device");
	args[n++] = print_device(r);
	return n;
}

char **run_args_make(struct run *r, int *codep)
{
	char **args = calloc((size_t)r->n_vmm + 11, sizeof(*args));
	bool whole = args != NULL;
	int n = 0;

	for (; whole && n < r->n_vmm; n++) {
		args[n] = r->qemu.is_qemu || !r->keeper
				  ? strdup(r->vmm[n])
				  : substitute(r->vmm[n], r->socket);
		whole = args[n] != NULL;
	}
	if (whole && r->qemu.is_qemu && r->keeper)
		n = add_qemu_words(r, args, n);
	else if (whole && r->qemu.is_qemu && r->net && !r->qemu.network_opt) {
		args[n++] = strdup("-nic");
		args[n++] = strdup("none");
	}
	for (int i = 0; i < n; i++)
		whole = whole && args[i];
	if (!whole) {
		*codep = own_failure(EXIT_RUN_FAILED, "run: out of memory");
		run_args_free(args);
		return NULL;
	}
	return args;
}

/* ---- all of it ---- */

/* True if the machine gets a network of ours. */
static bool wants_net(const struct run *r)
{
	return !r->qemu.network_opt && (!r->net || strcmp(r->net, "nat") == 0);
}

static int check_own_network(const struct run *r)
{
	if (!r->qemu.network_opt)
		return 0;
	if (r->n_rules || r->has_nic || r->net || r->n_nets)
		return cli_usage("run: the VMM's command line has a network of "
				 "its own (%s); leave that out, or leave out "
				 "run's -p, -nic, -net, --nic and --net",
				 r->qemu.network_opt);
	if (r->verbosity >= 0)
		fprintf(stderr,
			"vmlan: the command line brings its own network (%s); "
			"it is left alone and vmlan adds nothing\n",
			r->qemu.network_opt);
	return 0;
}

int run_machine(struct run *r)
{
	char **args = NULL;
	int rc;

	rc = cli_common_init(&r->common, r->verbosity);
	if (rc == 0)
		rc = check_own_network(r);
	if (rc == 0 && r->n_rules && r->net && strcmp(r->net, "none") == 0)
		rc = cli_usage("run: --net none has no ports to forward (-p)");
	if (rc)
		return rc;
	rundir_sweep();
	r->dir = RUNDIR_NULL;
	if (wants_net(r))
		rc = run_net_start(r);
	if (rc == 0)
		args = run_args_make(r, &rc);
	if (args)
		rc = run_vmm(r, args);
	run_net_end(r);
	run_args_free(args);
	return rc;
}
