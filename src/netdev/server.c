/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server side of `stream` and `vhost-user`: one listener, any number of
 * machines, each a port of its own that is freed when its peer goes (reference
 * 1.3).
 *
 * Called by the engine (new, free) and by the loop (connections, the retry
 * timer); one worker's thread.
 *
 * With max machines connected, nobody is accepted: the next waits in the
 * backlog until one leaves.  The listener is registered edge-triggered, so a
 * waiting connection costs nothing; `waiting` remembers that there may be one.
 * Out of descriptors or memory, accepting pauses for SERVER_RETRY_NS.
 */
/* #syscalls: accept4 fcntl close */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/conn.h"

#define SERVER_RETRY_NS UINT64_C(200000000)

enum {
	SERVER_BURST = 64, /* connections taken before the others' turn */
};

struct netdev_server {
	const struct netdev_env *env; /* borrowed */
	char name[PORT_NAME_LEN];
	uint32_t id;
	int (*make)(const struct netdev_env *env, const struct conn_args *a,
		    struct port **portp);
	unsigned queues;     /* of each machine */
	unsigned max;	     /* 0 = any number */
	unsigned n_machines; /* length of machines */
	struct list machines; /* of struct machine, by index */
	int fd;		     /* owned, listening, non-blocking */
	struct loop_io io;
	struct loop_work more; /* go on accepting after the others' turn */
	struct timer retry;    /* armed while short of descriptors */
	bool waiting;	       /* the backlog may hold somebody */
};

/* One connection. */
struct machine {
	struct list link;
	struct netdev_server *server; /* borrowed */
	unsigned index;		      /* in the port's name; 0: no suffix */
	struct port *port;	      /* owned */
};

static void server_accept(struct netdev_server *s);

static void machine_del(struct machine *m)
{
	struct port *p = m->port;

	lan_port_link(p, false);
	lan_port_del(p);
	p->ops->close(p); /* frees m by machine_closed() */
}

/* The peer went by itself. */
static void machine_gone(void *arg, struct port *p)
{
	struct machine *m = arg;
	const struct netdev_env *env = m->server->env;

	if (env->machine)
		env->machine(env->arg, p, false);
	machine_del(m);
}

/* The port is being freed, whoever wanted it: there is room for another. */
static void machine_closed(void *arg, struct port *p)
{
	struct machine *m = arg;
	struct netdev_server *s = m->server;

	(void)p;
	if (!list_empty(&m->link)) {
		list_del(&m->link);
		s->n_machines--;
	}
	if (s->waiting)
		loop_defer(s->env->loop, &s->more);
	free(m);
}

/* Puts m at the lowest index no other machine has. */
static void machine_number(struct netdev_server *s, struct machine *m)
{
	struct list *pos = &s->machines;

	m->index = 0;
	list_each(it, &s->machines) {
		struct machine *other = container_of(it, struct machine, link);

		if (other->index != m->index) {
			pos = it;
			break;
		}
		m->index++;
	}
	list_add_before(pos, &m->link);
	s->n_machines++;
}

static void machine_name(const struct machine *m, char *buf, size_t len)
{
	char suffix[16] = "";

	if (m->index)
		snprintf(suffix, sizeof(suffix), ".%u", m->index);
	snprintf(buf, len, "%.*s%s", (int)(len - strlen(suffix) - 1),
		 m->server->name, suffix);
}

/* A port for the connection fd, which is closed on failure. */
static int machine_new(struct netdev_server *s, int fd)
{
	struct machine *m = calloc(1, sizeof(*m));
	char name[PORT_NAME_LEN];
	int r = -ENOMEM;

	if (!m)
		goto err_close;
	m->server = s;
	machine_number(s, m);
	machine_name(m, name, sizeof(name));
	r = s->make(s->env,
		    &(struct conn_args){.name = name,
					.id = s->id,
					.fd = fd,
					.queues = s->queues,
					.gone = machine_gone,
					.closed = machine_closed,
					.arg = m},
		    &m->port);
	if (r < 0)
		goto err_unlink;
	if (s->env->machine)
		s->env->machine(s->env->arg, m->port, true);
	return 0;

err_unlink:
	list_del(&m->link);
	s->n_machines--;
	free(m);
err_close:
	fd_close(&fd);
	return r;
}

static bool is_shortage(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS ||
	       err == ENOMEM;
}

static void server_pause(struct netdev_server *s, int err)
{
	if (!timer_is_armed(&s->retry))
		log_warn(s->env->log,
			 "%s: cannot take another connection: %s; trying "
			 "again",
			 s->name, strerror(err));
	timer_arm(loop_wheel(s->env->loop), &s->retry,
		  *loop_now(s->env->loop) + SERVER_RETRY_NS);
}

/* One connection; false when there is none, or none can be taken now. */
static bool server_accept_one(struct netdev_server *s)
{
	int fd, r;

	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && errno == EAGAIN) {
		s->waiting = false;
		return false;
	}
	if (fd < 0 && (errno == EINVAL || errno == EBADF)) {
		s->waiting = false; /* the listener was shut down */
		return false;
	}
	if (fd < 0 && is_shortage(errno)) {
		server_pause(s, errno);
		return false;
	}
	if (fd < 0)
		return true; /* that one gave up (ECONNABORTED): the next */
	r = machine_new(s, fd);
	if (r < 0)
		log_warn(s->env->log, "%s: a connection was dropped: %s",
			 s->name, strerror(-r));
	return true;
}

static void server_accept(struct netdev_server *s)
{
	for (unsigned i = 0; i < SERVER_BURST; i++) {
		if (s->max && s->n_machines >= s->max)
			return;
		if (!server_accept_one(s))
			return;
	}
	loop_defer(s->env->loop, &s->more);
}

static void server_event(struct loop_io *io, uint32_t events)
{
	struct netdev_server *s = container_of(io, struct netdev_server, io);

	(void)events;
	s->waiting = true;
	server_accept(s);
}

static void server_more(struct loop_work *w)
{
	server_accept(container_of(w, struct netdev_server, more));
}

static void server_retry(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	server_accept(container_of(t, struct netdev_server, retry));
}

int netdev_server_new(const struct netdev_env *env,
		      const struct netdev_server_config *c,
		      struct netdev_server **serverp)
{
	CLEANUP_FREE struct netdev_server *s = calloc(1, sizeof(*s));
	int flags, r;

	if (!s)
		return -ENOMEM;
	*s = (struct netdev_server){
		.env = env,
		.id = c->id,
		.make = c->is_vhost ? vhost_new : stream_new,
		.queues = c->queues,
		.max = c->max,
		.fd = c->fd,
		.io = {.fd = c->fd, .fn = server_event},
	};
	snprintf(s->name, sizeof(s->name), "%s", c->name);
	list_init(&s->machines);
	loop_work_init(&s->more, server_more);
	timer_init(&s->retry, server_retry);
	flags = fcntl(c->fd, F_GETFL);
	if (flags < 0 || fcntl(c->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r = loop_add(env->loop, &s->io, EPOLLIN);
	if (r < 0)
		return r;
	*serverp = s;
	s = NULL;
	return 0;
}

struct netdev_server *netdev_server_free(struct netdev_server *s)
{
	if (!s)
		return NULL;
	s->waiting = false;
	while (!list_empty(&s->machines))
		machine_del(container_of(list_first(&s->machines),
					 struct machine, link));
	loop_del(s->env->loop, &s->io);
	loop_undefer(s->env->loop, &s->more);
	timer_disarm(loop_wheel(s->env->loop), &s->retry);
	fd_close(&s->fd);
	free(s);
	return NULL;
}
