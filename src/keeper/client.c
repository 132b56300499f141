/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of stream clients: the engine cannot connect by name, so the
 * keeper does, and hands it the descriptor.
 *
 *        want                 connected
 *   idle ----> connecting ------------> served (the engine has it)
 *                | refused                 | lost
 *                v                         v
 *              retry timer <---------------+   (with reconnect-ms)
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "keeper/keeper_priv.h"
#include "os/sock.h"

static void retry_later(struct keeper *k, struct plan_netdev *n)
{
	timer_arm(loop_wheel(k->loop), &n->retry,
		  *loop_now(k->loop) + n->reconnect_ms * 1000000u);
}

static void retry_now(struct timer *t, uint64_t now_ns)
{
	struct plan_netdev *n = container_of(t, struct plan_netdev, retry);

	(void)now_ns;
	client_start(n->owner, n);
}

/* At its first use: the timer may be armed at any later one. */
static void own(struct keeper *k, struct plan_netdev *n)
{
	if (n->owner)
		return;
	n->owner = k;
	timer_init(&n->retry, retry_now);
}

/* An attempt failed: try again if asked to, else say so and go on without,
 * or, if it was the first, end. */
static void failed(struct keeper *k, struct plan_netdev *n,
		   const struct error *e)
{
	if (n->reconnect_ms) {
		log_debug(k->c->log, "%s: %s", n->name, e->text);
		retry_later(k, n);
		return;
	}
	n->is_waiting = false;
	if (n->has_connected) {
		log_warn(k->c->log, "%s: %s", n->name, e->text);
		return;
	}
	error_set(&k->error, e->code,
		  "%s: %s (reconnect-ms=1000 would wait for the peer)",
		  n->name, e->text);
	keeper_fail(k);
}

static void connected(struct keeper *k, struct plan_netdev *n)
{
	union engine_msg m = {.port = {.port = n->id}};
	CLEANUP_FD int fd = fd_steal(&n->connect_io.fd);

	int r = engine_link_send(k, &m, ENGINE_MSG_ATTACH, &fd, 1);

	if (r < 0 && k->engine.sock >= 0 && n->reconnect_ms)
		retry_later(k, n); /* no room for descriptors on their way */
	if (r < 0)
		return; /* a new engine will want a new connection */
	n->is_waiting = false;
	n->has_connected = true;
	keeper_check_ready(k);
}

static void connect_event(struct loop_io *io, uint32_t events)
{
	struct plan_netdev *n = container_of(io, struct plan_netdev,
					     connect_io);
	struct keeper *k = n->owner;
	struct error e = ERROR_NULL;

	(void)events; /* either way the result is asked for */
	loop_del(k->loop, io);
	if (sock_connect_result(io->fd, &e) < 0) {
		fd_close(&io->fd);
		failed(k, n, &e);
		return;
	}
	connected(k, n);
}

void client_start(struct keeper *k, struct plan_netdev *n)
{
	struct error e = ERROR_NULL;
	int fd;
	int r;

	if (!n->is_waiting || n->connect_io.fd >= 0 || !k->engine.synced)
		return;
	own(k, n);
	timer_disarm(loop_wheel(k->loop), &n->retry);
	fd = n->opener->connect(n, &e);
	if (fd < 0) {
		failed(k, n, &e);
		return;
	}
	n->connect_io = (struct loop_io){.fd = fd, .fn = connect_event};
	r = loop_add_level(k->loop, &n->connect_io, EPOLLOUT);
	if (r < 0) {
		error_errno(&e, r, "epoll");
		fd_close(&n->connect_io.fd);
		failed(k, n, &e);
	}
}

void client_lost(struct keeper *k, struct plan_netdev *n)
{
	if (!n->is_client || k->is_stopping)
		return;
	if (n->has_connected && !n->reconnect_ms) {
		log_warn(k->c->log, "%s: the peer has gone; this netdev stays "
				    "down (reconnect-ms= would wait for it)",
			 n->name);
		return;
	}
	n->is_waiting = true;
	own(k, n);
	if (n->connect_io.fd >= 0)
		return;
	retry_later(k, n);
}

void client_stop(struct keeper *k, struct plan_netdev *n)
{
	if (!n->owner)
		return;
	timer_disarm(loop_wheel(k->loop), &n->retry);
	loop_del(k->loop, &n->connect_io);
	fd_close(&n->connect_io.fd);
}
