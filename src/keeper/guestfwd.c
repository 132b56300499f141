/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guestfwd= to programs and unix sockets, smb=, and HTTP: for each connection
 * of a guest the keeper starts the program, connects to the socket or serves it
 * (http.c), and passes the engine the other end.  The keeper takes of the
 * engine's word only which rule is meant, and bounds the programs that live at
 * a time.  A guest has no more of them than could still be started, so that
 * none can have all; who it is the engine says, and the bound of all is ours.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "keeper/http.h"
#include "keeper/keeper_priv.h"
#include "os/command.h"
#include "os/sandbox.h"
#include "os/sock.h"

enum { STOP_MS = 1000 };

static const struct plan_guestfwd *rule_find(const struct plan_netdev *n,
					     const struct msg_guestfwd_call *c)
{
	for (unsigned i = 0; i < n->n_guestfwds; i++) {
		if (endpoint_eq(&n->guestfwds[i].rule.server, &c->server))
			return &n->guestfwds[i];
	}
	return NULL;
}

/* What it was asked for by. */
static const char *key_of(const struct plan_guestfwd *g)
{
	return g->rule.kind == GUESTFWD_SMB ? "smb" : "guestfwd";
}

static unsigned count_programs(const struct keeper *k,
			       const struct msg_guestfwd_call *call)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->n_children; i++)
		n += k->children[i].port == call->port &&
		     k->children[i].from == call->from;
	return n;
}

static int start_command(struct keeper *k, const struct plan_guestfwd *g,
			 pid_t *pidp, struct error *e)
{
	char words[GUESTFWD_TARGET_LEN];
	char *argv[GUESTFWD_ARGS_MAX + 1];
	const char *why = command_split(g->rule.target, words, argv);

	if (why)
		return error_set(e, EXIT_FAILED, "%s", why);
	return command_start(argv, k->n_files, pidp, e);
}

static int start_program(struct keeper *k, struct plan_netdev *n,
			 const struct plan_guestfwd *g,
			 const struct msg_guestfwd_call *call, struct error *e)
{
	unsigned n_own = count_programs(k, call);
	struct keeper_child child = {
		.guestfwd = g, .port = call->port, .from = call->from};
	int fd;

	if (n_own >= CHILDREN_MAX - k->n_children)
		return error_set(e, EXIT_FAILED,
				 "%u programs run already, %u of them for this "
				 "guest, which is refused",
				 k->n_children, n_own);
	fd = g->rule.kind == GUESTFWD_SMB
		     ? smb_start(n, k->n_files, &child.pid, e)
		     : start_command(k, g, &child.pid, e);
	if (fd < 0)
		return fd;
	k->children[k->n_children++] = child;
	return fd;
}

static int open_target(struct keeper *k, struct plan_netdev *n,
		       const struct plan_guestfwd *g,
		       const struct msg_guestfwd_call *call, struct error *e)
{
	switch (g->rule.kind) {
	case GUESTFWD_CMD:
	case GUESTFWD_SMB:
		return start_program(k, n, g, call, e);
	case GUESTFWD_UNIX:
		return sock_connect_unix(g->rule.target, false, false, e);
	case GUESTFWD_TCP: /* the engine's own */
		break;
	}
	return error_set(e, EXIT_FAILED, "not asked for");
}

void guestfwd_call(struct keeper *k, const struct msg_guestfwd_call *call)
{
	struct plan_netdev *n = plan_find(&k->plan, call->port);
	const struct plan_guestfwd *g = n ? rule_find(n, call) : NULL;
	union engine_msg m = {.guestfwd_call = *call};
	struct error e = ERROR_NULL;
	CLEANUP_FD int fd = -1;
	char server[ENDPOINT_STRLEN];
	int r;

	if (g)
		fd = open_target(k, n, g, call, &e);
	else if (n && http_is_server(n, &call->server))
		fd = http_call(k, call, &e);
	if (e.code != EXIT_DONE)
		log_warn(k->c->log, "%s %s: %s", g ? key_of(g) : "http",
			 endpoint_format(&call->server, server), e.text);
	r = engine_link_send(k, &m, ENGINE_MSG_GUESTFWD_TAKE, &fd, fd >= 0);
	/* Each question has an answer: that it cannot be passed is one. */
	if (r < 0 && fd >= 0)
		(void)engine_link_send(k, &m, ENGINE_MSG_GUESTFWD_TAKE, NULL,
				       0);
}

/* smbd may end by the signal that it sends to its children, and has its own
 * group of processes get it. */
static bool is_usual_end(const struct plan_guestfwd *g, int status)
{
	if (WIFSIGNALED(status))
		return g->rule.kind == GUESTFWD_SMB &&
		       WTERMSIG(status) == SIGTERM;
	return WEXITSTATUS(status) == 0;
}

void guestfwd_ended(struct keeper *k, pid_t pid, int status)
{
	char server[ENDPOINT_STRLEN];

	for (unsigned i = 0; i < k->n_children; i++) {
		const struct keeper_child c = k->children[i];

		if (c.pid != pid)
			continue;
		k->children[i] = k->children[--k->n_children];
		endpoint_format(&c.guestfwd->rule.server, server);
		if (is_usual_end(c.guestfwd, status))
			return;
		if (WIFSIGNALED(status))
			log_warn(k->c->log,
				 "%s %s: %s was killed by signal %d (%s)",
				 key_of(c.guestfwd), server,
				 c.guestfwd->rule.target,
				 WTERMSIG(status), strsignal(WTERMSIG(status)));
		else
			log_warn(k->c->log,
				 "%s %s: %s ended with status %d",
				 key_of(c.guestfwd), server,
				 c.guestfwd->rule.target, WEXITSTATUS(status));
		return;
	}
}

void guestfwd_stop(struct keeper *k)
{
	/* Each leads a session; what it started ends with it. */
	for (unsigned i = 0; i < k->n_children; i++) {
		const struct keeper_child *c = &k->children[i];
		bool is_smb = c->guestfwd->rule.kind == GUESTFWD_SMB;

		kill(-c->pid, is_smb ? SIGKILL : SIGTERM);
	}
	/* What is in a cell is gone when we are; unless it waits for a disk. */
	for (unsigned i = 0; i < k->n_children; i++) {
		const struct keeper_child *c = &k->children[i];

		if (c->guestfwd->rule.kind == GUESTFWD_SMB)
			(void)sandbox_wait(c->pid, STOP_MS);
	}
}
