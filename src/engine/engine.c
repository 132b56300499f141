/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's life: sandbox, channel to the keeper, end.
 * #syscalls: recvmsg sendmsg close exit exit_group rt_sigreturn
 */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/engine_priv.h"
#include "os/fdpass.h"
#include "os/sandbox.h"
#include "os/sigbus.h"

enum { MESSAGES_PER_WAKE = 64 };

static int tell(struct engine *e, union engine_msg *m,
		enum engine_msg_type type, const int *fds, unsigned n_fds)
{
	int r;

	if (e->sock < 0)
		return -ENOTCONN;
	m->head.type = type;
	m->head.len = (uint32_t)engine_msg_len(type);
	/* The keeper reads promptly; one that does not, or that is gone,
	 * must not hold up the frames. */
	r = fd_send(e->sock, m, m->head.len, fds, n_fds);
	if (r < 0)
		log_debug(&e->log, "engine: the keeper does not listen");
	return r;
}

int engine_tell(struct engine *e, union engine_msg *m,
		enum engine_msg_type type)
{
	return tell(e, m, type, NULL, 0);
}

int engine_tell_fd(struct engine *e, union engine_msg *m,
		   enum engine_msg_type type, int fd)
{
	return tell(e, m, type, &fd, 1);
}

/* With its keeper gone an engine serves on while a machine needs it. */
static void end_if_unneeded(struct engine *e)
{
	if (e->sock < 0 && (e->ends_with_keeper || !e->n_machines))
		loop_stop(e->worker->loop);
}

static void keeper_gone(struct engine *e)
{
	loop_del(e->worker->loop, &e->io);
	fd_close(&e->sock);
	e->n_wanted = 0;
	end_if_unneeded(e);
}

/* An order has failed.  A connection that could not be taken costs that port
 * some time, not the keeper its LAN: another is asked for. */
static void order_failed(struct engine *e, const union engine_msg *m, int err)
{
	bool is_start = m->head.type == ENGINE_MSG_START;
	struct msg_failed answer = {.port = is_start ? 0 : m->port.port,
				    .order = m->head.type,
				    .err = -err};
	struct engine_netdev *n = engine_netdev_find(e, m->port.port);

	if (m->head.type == ENGINE_MSG_ATTACH && n && n->reconnects) {
		if (err != -EISCONN)
			engine_news_want_fd(e, n);
		return;
	}
	if (m->head.type == ENGINE_MSG_FORWARD_ADD)
		answer.id = m->forward_add.id;
	snprintf(answer.text, sizeof(answer.text), "%s: %s",
		 engine_msg_name(m->head.type), strerror(-err));
	engine_news_failed(e, &answer);
}

/* The message is whole; its descriptors found no room.  A guest may be why:
 * then no more fails than its connection. */
static void fds_lost(struct engine *e, union engine_msg *m)
{
	if (m->head.type == ENGINE_MSG_GUESTFWD_TAKE ||
	    m->head.type == ENGINE_MSG_TFTP_TAKE)
		(void)engine_order(e, m, NULL, 0); /* 0: the guest is refused */
	else
		order_failed(e, m, -EMFILE);
}

/* Reads one message: 1, 0 when there is none, -1 when the keeper is gone. */
static int take_message(struct engine *e)
{
	int fds[ENGINE_FDS_MAX];
	union engine_msg m = {0};
	unsigned n_fds = 0;
	ssize_t n;
	int r;

	n = fd_recv(e->sock, &m, sizeof(m), fds, ENGINE_FDS_MAX, &n_fds);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n == -EMSGSIZE) {
		fds_lost(e, &m);
		return 1;
	}
	if (n <= 0)
		return -1;
	if (!engine_msg_check(&m, (size_t)n, n_fds)) {
		log_error(&e->log, "engine: malformed message from the keeper");
		r = -EPROTO;
	} else {
		r = engine_order(e, &m, fds, n_fds);
	}
	for (unsigned i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
	if (r < 0)
		order_failed(e, &m, r);
	return 1;
}

static void channel_ready(struct loop_io *io, uint32_t events)
{
	struct engine *e = container_of(io, struct engine, io);

	if (events & EPOLLOUT)
		engine_news_tell(e);
	/* level-triggered: the read tells */
	for (int i = 0; i < MESSAGES_PER_WAKE; i++) {
		int r = take_message(e);

		if (r < 0) {
			keeper_gone(e);
			return;
		}
		if (!r)
			break;
	}
	end_if_unneeded(e);
}

/* The first message, read before there is a loop. */
static int take_start(struct engine *e)
{
	struct host_sock_limits limits = {0};
	union engine_msg m = {0};
	CLEANUP_FD int fd = -1;
	unsigned n_fds = 0;
	ssize_t n;
	int r;

	n = fd_recv(e->sock, &m, sizeof(m), &fd, 1, &n_fds);
	if (n <= 0 || !engine_msg_check(&m, (size_t)n, n_fds) ||
	    m.head.type != ENGINE_MSG_START)
		return -EPROTO;
	e->deny = m.start.deny;
	e->ends_with_keeper = m.start.ends_with_keeper;
	e->log.level = (enum log_level)m.start.log_level;
	limits.deny_peek_off = e->deny & ENGINE_DENY_PEEK_OFF;
	limits.deny_ping = e->deny & ENGINE_DENY_PING;
	limits.deny_gso = e->deny & ENGINE_DENY_GSO;
	r = counters_map(fd, &e->counters);
	if (r < 0)
		return r;
	r = engine_workers_start(e, 1 + m.start.more_workers, &limits);
	return r < 0 ? r : engine_captures_start(e);
}

static int run(struct engine *e)
{
	struct error err = ERROR_NULL;
	int r;

	r = take_start(e);
	if (r < 0)
		return r;
	r = sandbox_seccomp(&err);
	if (r < 0) {
		log_error(&e->log, "engine: %s", err.text);
		return r;
	}
	/* From now on a wake reads several messages, until none is left. */
	if (fcntl(e->sock, F_SETFL, fcntl(e->sock, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	e->io = (struct loop_io){.fd = e->sock, .fn = channel_ready};
	r = loop_add_level(e->worker->loop, &e->io, EPOLLIN);
	if (r < 0)
		return r;
	return team_run(e->team);
}

int engine_main(int sock, int lock)
{
	const int kept[] = {sock, lock};
	struct engine e = {.log = LOG_INIT(LOG_LEVEL_INFO), .sock = sock,
			   .counters = COUNTERS_NULL};
	struct error err = ERROR_NULL;
	int r;

	prctl(PR_SET_NAME, "vmlan-engine");
	/* A terminal's ^C is for the keeper and the VMM; the keeper then
	 * says stop.  As pid 1 of its namespace the engine gets no other
	 * signal by default. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (sigbus_guard() < 0)
		log_warn(&e.log, "a VMM that cuts its memory short can end "
				 "the engine (no SIGBUS handler)");
	list_init(&e.lans);
	list_init(&e.netdevs);
	list_init(&e.cables);
	list_init(&e.failures);
	engine_heard_init(&e);
	e.tftp_files = engine_tftp_files(&e);
	r = sandbox_enter(kept, array_len(kept), &err);
	if (r < 0) {
		log_error(&e.log, "engine: %s", err.text);
		return EXIT_FAILED;
	}
	r = run(&e);
	if (r < 0)
		log_error(&e.log, "engine: %s", strerror(-r));
	engine_clear(&e);
	engine_captures_stop(&e);
	engine_heard_stop(&e);
	engine_news_forget(&e);
	engine_workers_stop(&e);
	counters_close(&e.counters);
	fd_close(&e.sock);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
