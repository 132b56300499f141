/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan exec: a program of the host as one more machine of a network.
 *
 *      vmlan exec -- attach --> keeper -- tap, made in the child's namespace
 *          |                       ^            |
 *          +-- forks --> child     | pidfd of   engine
 *                        = program | exec
 *
 * The machine is there as long as this command is, which renews its lease; the
 * program's namespaces as long as anything is in them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/list.h"
#include "base/mem.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "os/clock.h"
#include "cli/ctl.h"
#include "cli/exec.h"
#include "cli/find.h"
#include "cli/renew.h"
#include "cli/start.h"
#include "control/request.h"
#include "mode/mode.h"
#include "os/fdpass.h"

static const char usage[] =
	"usage: vmlan exec [options] NETWORK [ip=IP] [--] PROGRAM ARGS...\n"
	"Runs a program of the host as one more machine of a network, with an\n"
	"address of its own; no root is needed. For example\n"
	"  vmlan exec lab -- curl http://10.0.2.15/\n"
	"  --name NAME      the machine's name (default: the program's)\n"
	"  ip=ADDRESS/LENGTH, ip=dhcp, ip=none\n"
	"                   its address (default: by DHCP, where the network\n"
	"                   has netdevs of its own; without IPv4, of the\n"
	"                   prefix that is advertised)\n"
	"The program's exit status is passed on; 125 is a failure of vmlan.\n";

struct exec {
	const char *network;
	char name[CONTROL_NAME_LEN]; /* of the machine, as asked for */
	bool has_name;
	bool has_ip;
	bool lacks_dhcp; /* and has no ip= */
	bool helped;
	struct exec_child child;
	struct exec_card card;
	bool is_attached;
	struct child_duty duty;
	struct renewal renewal;
	struct log log;
};

/* ---- the words ---- */

static int set_name(struct exec *x, const char *name)
{
	if (!control_name_ok(name))
		return cli_usage("exec: --name '%s': a name has letters, "
				 "digits, '-', '.' and '_', begins with a "
				 "letter or digit and has at most %zu of them",
				 name, sizeof(x->name) - 1);
	snprintf(x->name, sizeof(x->name), "%s", name);
	x->has_name = true;
	return 0;
}

/* "10.0.0.5/24", "fd00::5/64" */
static bool parse_prefix(const char *text, struct prefix *p)
{
	return prefix_parse(text, p) && prefix_len(p) > 0 &&
	       addr_is_unicast(&p->ip);
}

static int set_ip(struct exec *x, const char *text)
{
	if (x->has_ip)
		return cli_usage("exec: ip= is given twice");
	x->has_ip = true;
	if (strcmp(text, "dhcp") == 0)
		x->child.how = EXEC_IP_DHCP;
	else if (strcmp(text, "none") == 0)
		x->child.how = EXEC_IP_NONE;
	else if (parse_prefix(text, &x->child.ip))
		x->child.how = EXEC_IP_STATIC;
	else
		return cli_usage("exec: ip=%s: wants dhcp, none, or a "
				 "machine's address and its network's length, "
				 "as in 10.0.2.200/24",
				 text);
	return 0;
}

static int parse_options(struct exec *x, char **argv, int *ip)
{
	for (; argv[*ip] && argv[*ip][0] == '-'; ++*ip) {
		const char *value;
		int took = cli_value(argv[*ip], argv[*ip + 1], "--name",
				     &value);
		int r;

		if (took < 0)
			return EXIT_USAGE;
		if (cli_helps(argv[*ip], usage)) {
			x->helped = true;
			return 0;
		}
		if (strcmp(argv[*ip], "--") == 0)
			break;
		if (!took)
			return cli_usage("exec: unknown option '%s'; see vmlan "
					 "exec --help",
					 argv[*ip]);
		r = set_name(x, value);
		if (r)
			return r;
		*ip += took - 1;
	}
	return 0;
}

/* The program's own name, if a machine can have it. */
static void name_after(struct exec *x, const char *program)
{
	const char *base = strrchr(program, '/');

	base = base ? base + 1 : program;
	snprintf(x->name, sizeof(x->name), "%s",
		 control_name_ok(base) ? base : "exec");
}

static int parse_args(struct exec *x, char **argv)
{
	struct error e = ERROR_NULL;
	int i = 1;
	int r = parse_options(x, argv, &i);

	if (r || x->helped)
		return r;
	if (!argv[i] || strcmp(argv[i], "--") == 0)
		return cli_usage("exec: name the network; vmlan ls lists them");
	x->network = argv[i++];
	if (!mode_name_ok(x->network, &e)) {
		error_prefix(&e, "exec: ");
		return cli_fail(&e);
	}
	for (; argv[i] && strncmp(argv[i], "ip=", 3) == 0; i++) {
		r = set_ip(x, argv[i] + 3);
		if (r)
			return r;
	}
	if (argv[i] && strcmp(argv[i], "--") == 0)
		i++;
	if (!argv[i])
		return cli_usage("exec: name the program, for example: vmlan "
				 "exec %s -- ping 10.0.2.2",
				 x->network);
	x->child.argv = argv + i;
	if (!x->has_name)
		name_after(x, argv[i]);
	return 0;
}

/* ---- the network ---- */

/* The line says whose failure it is, and so does the status. */
static int failure(struct error *e)
{
	error_prefix(e, "exec: ");
	if (e->code < EXIT_RUN_FAILED)
		e->code = EXIT_RUN_FAILED;
	return cli_fail(e);
}

static int not_running(const struct exec *x, struct error *e)
{
	return error_set(e, EXIT_NO_NETWORK,
			 "no network %s is running; vmlan up %s starts one",
			 x->network, x->network);
}

/* Whether its gateway serves IPv6 alone; *dnsp is then the name server. */
static bool is_only_v6(const json_t *network, addr *dnsp)
{
	const json_t *list = json_object_get(network, "subnets");
	const json_t *s = json_array_get(list, 0);

	if (json_array_size(list) != 1 || !strchr(ctl_str(s, "net"), ':'))
		return false;
	if (!addr_parse(ctl_str(s, "dns"), dnsp))
		*dnsp = (addr){{0}};
	return true;
}

/* Who would lease an address where there is nobody but machines? */
static void choose_ip(struct exec *x, const json_t *network)
{
	if (x->has_ip)
		return;
	if (is_only_v6(network, &x->child.dns)) {
		x->child.how = EXEC_IP_ADVERTISED;
		return;
	}
	if (json_array_size(json_object_get(network, "netdevs"))) {
		x->child.how = EXEC_IP_DHCP;
		return;
	}
	x->child.how = EXEC_IP_NONE;
	x->lacks_dhcp = true;
}

static int look(struct exec *x, struct error *e)
{
	json_t *o = NULL;
	int r = start_ask(x->network, "GET", CONTROL_NETWORK, NULL, &o, e);

	if (r == -ENOENT)
		not_running(x, e);
	if (r < 0)
		return r;
	choose_ip(x, o);
	snprintf(x->card.dir, sizeof(x->card.dir), "%s", ctl_str(o, "folder"));
	json_decref(o);
	return 0;
}

static int attach(struct exec *x, pid_t child, struct error *e)
{
	struct attach_request a = {
		.pid = getpid(), .netns = child, .picks_mac = true};
	CLEANUP_FREE char *body = NULL;
	json_t *o = NULL;
	int r;

	memcpy(a.name, x->name, sizeof(a.name));
	body = attach_request_format(&a);
	if (!body)
		return error_errno(e, ENOMEM, "%s", x->network);
	r = start_ask(x->network, "POST", CONTROL_MACHINES, body, &o, e);
	if (r == -ENOENT)
		not_running(x, e);
	if (r < 0)
		return r;
	x->is_attached = true;
	if (x->lacks_dhcp)
		fprintf(stderr,
			"vmlan: network %s has no DHCP: %s has a link-local "
			"address only; ip=ADDRESS/LENGTH gives it another\n",
			x->network, ctl_str(o, "name"));
	snprintf(x->card.machine, sizeof(x->card.machine), "%s",
		 ctl_str(o, "name"));
	if (!mac_parse(ctl_str(o, "mac"), &x->card.mac))
		r = error_set(e, EXIT_FAILED, "%s: its keeper names no MAC",
			      x->network);
	json_decref(o);
	return r;
}

/* Under a new keeper the name may be another's. */
static bool is_ours(const struct exec *x)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;
	const json_t *m;
	bool is_there;

	if (ctl_ask(x->network, "GET", CONTROL_NETWORK, NULL, &o, &e) < 0)
		return false;
	m = find_in(o, x->card.machine);
	is_there = m && ctl_int(m, "pid") == getpid();
	json_decref(o);
	return is_there;
}

/* Its name and address are free for others when this returns. */
static void detach(const struct exec *x)
{
	char path[sizeof(CONTROL_MACHINES) + CONTROL_NAME_LEN];
	struct error e = ERROR_NULL;

	if (!x->is_attached || !is_ours(x))
		return;
	snprintf(path, sizeof(path), CONTROL_MACHINES "/%s", x->card.machine);
	/* A keeper that does not hear it sees our end. */
	(void)!ctl_ask(x->network, "DELETE", path, NULL, NULL, &e);
}

/* ---- the child ---- */

/* Passes signals on until the child has something to say: 0; -EPIPE: it is
 * the program, or has ended. */
static int hear(pid_t child, int sock, int sfd, struct exec_news *news,
		int *fdp)
{
	unsigned n_fds;
	struct pollfd p[] = {{.fd = sock, .events = POLLIN},
			     {.fd = sfd, .events = POLLIN}};

	for (;;) {
		ssize_t n;

		if (poll(p, array_len(p), -1) < 0)
			continue; /* of a signal that is not ours to pass on */
		if (p[1].revents)
			child_pass_on(child, sfd);
		if (!p[0].revents)
			continue;
		n = fd_recv(sock, news, sizeof(*news), fdp, 1, &n_fds);
		return n == sizeof(*news) ? 0 : -EPIPE;
	}
}

static int on_duty(struct child_duty *d)
{
	struct exec *x = container_of(d, struct exec, duty);
	/* A host that slept has not renewed it. */
	int ms = renewal_turn(&x->renewal, clock_ms(CLOCK_BOOTTIME));

	d->fd = x->renewal.fd;
	return ms;
}

static void keep_lease(struct exec *x, const struct lease *l, int fd)
{
	struct renewal *r = &x->renewal;

	r->mac = x->card.mac;
	r->log = &x->log;
	memcpy(r->hostname, x->card.machine, sizeof(r->hostname));
	renewal_begin(r, fd, l, clock_ms(CLOCK_BOOTTIME));
	x->duty = (struct child_duty){.fd = r->fd, .turn = on_duty};
}

/* Until the child is the program, or has ended: 0, or negative with what it
 * said. */
static int bring_up(struct exec *x, pid_t child, int sock, int sfd,
		    struct error *e)
{
	struct exec_news news = {.error = ERROR_NULL};
	CLEANUP_FD int fd = -1;
	int r;

	while (hear(child, sock, sfd, &news, &fd) == 0 &&
	       news.error.code == EXIT_DONE) {
		if (news.has_lease) {
			keep_lease(x, &news.lease, fd_steal(&fd));
			continue;
		}
		r = attach(x, child, e);
		if (r < 0)
			return r;
		/* One that has ended reads nothing. */
		(void)send(sock, &x->card, sizeof(x->card), MSG_NOSIGNAL);
	}
	if (news.error.code == EXIT_DONE)
		return 0; /* its end tells */
	*e = news.error;
	e->text[sizeof(e->text) - 1] = '\0';
	return -1;
}

static int status_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* The program's exit status, or our own. */
static int run(struct exec *x)
{
	CLEANUP_FD int mine = -1, theirs = -1, sfd = -1;
	struct error e = ERROR_NULL;
	int pair[2], r, status;
	pid_t pid;

	sfd = child_signals(&x->child.signals);
	if (sfd < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		error_errno(&e, errno, "%s", x->child.argv[0]);
		return failure(&e);
	}
	mine = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid == 0) {
		fd_close(&mine);
		x->child.sock = theirs;
		x->child.network = x->network;
		exec_child(&x->child);
	}
	fd_close(&theirs);
	if (pid < 0) {
		error_errno(&e, errno, "%s", x->child.argv[0]);
		return failure(&e);
	}
	r = bring_up(x, pid, mine, sfd, &e);
	fd_close(&mine); /* a child that waits for its card ends */
	status = child_wait(pid, sfd, x->renewal.fd >= 0 ? &x->duty : NULL);
	renewal_deinit(&x->renewal);
	detach(x);
	if (r < 0)
		return failure(&e);
	return status < 0 ? EXIT_RUN_FAILED : status_of(status);
}

int cmd_exec(int argc, char **argv)
{
	struct exec x = {.child = {.how = EXEC_IP_DHCP},
			 .renewal = RENEWAL_NULL,
			 .log = LOG_INIT(LOG_LEVEL_WARN)};
	struct error e = ERROR_NULL;
	int r = parse_args(&x, argv);

	(void)argc;
	if (r || x.helped)
		return r;
	start_sweep();
	if (look(&x, &e) < 0)
		return failure(&e);
	return run(&x);
}
