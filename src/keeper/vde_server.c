/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VDE switch's socket that others plug into; see vde.h.
 *
 * Who comes is hostile: sockets never block, a request has VDE_LATE_NS to
 * arrive and VDE_REQUEST_MAX bytes of room, and of those that say nothing the
 * oldest goes when there are VDE_COMERS_MAX.  The data socket that a client
 * names must be its own, or it could have us, with our rights, send to anybody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/vde.h"
#include "os/file.h"
#include "os/sock.h"

#define VDE_LATE_NS UINT64_C(10000000000)

enum {
	VDE_COMERS_MAX = 64,
	VDE_GROUPS_MAX = 256, /* of a client that count */
};

/* ---- the end of a connection ---- */

void vde_plug_del(struct vde_plug *p)
{
	struct vde_server *s = p->server;
	struct loop *loop = s->keeper->loop;

	timer_disarm(loop_wheel(loop), &p->late);
	loop_del(loop, &p->ctl);
	fd_close(&p->ctl.fd);
	if (p->netdev) {
		log_debug(s->netdev->log, "%s: unplugged from port %u",
			  p->netdev->name, p->port->number);
		engine_link_del(s->keeper, p->netdev);
		plan_remove(p->netdev);
		s->n_plugs--;
	} else {
		s->n_comers--;
	}
	if (p->port)
		p->port->plug = NULL;
	if (p->port && !p->port->is_kept)
		vde_port_del(p->port);
	if (p->path[0])
		unlink(p->path);
	list_del(&p->link);
	free(p);
}

static void on_late(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	vde_plug_del(container_of(t, struct vde_plug, late));
}

/* ---- what it takes to plug in ---- */

/* Connects fd to the client's data socket. */
static int connect_data(const struct vde_plug *p, int fd,
			const struct sockaddr_un *to, struct error *e)
{
	if (to->sun_path[0])
		return sock_dgram_unix_point_for(fd, to->sun_path, p->uid, e);
	if (p->uid != 0 && p->uid != geteuid())
		return error_set(e, EXIT_PERMISSION,
				 "its data socket has an abstract name, which "
				 "does not tell whose it is");
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return error_errno(e, errno, "its data socket");
	return 0;
}

/* Who has the right to the server has it to the data sockets.  A root's
 * server gives each to its client alone. */
static int give_data(const struct vde_plug *p, struct error *e)
{
	const struct vde_server *s = p->server;
	bool is_root = geteuid() == 0;
	int r = file_give(p->path,
			  S_IFSOCK | (is_root ? s->mode & 0700 : s->mode),
			  is_root ? p->uid : (uid_t)-1, s->gid);

	return r < 0 ? error_errno(e, r, "%s", p->path) : 0;
}

/* The data socket of p: connected to the client's, and bound. */
static int make_data(struct vde_plug *p, const struct sockaddr_un *to,
		     struct error *e)
{
	CLEANUP_FD int fd = sock_dgram_unix_tx(e);
	struct sockaddr_un sa;
	int r;

	if (fd < 0)
		return fd;
	r = connect_data(p, fd, to, e);
	if (r < 0)
		return r;
	snprintf(p->path, sizeof(p->path), "%.90s/%03u.%u", p->server->dir,
		 p->port->number, p->serial);
	if (!vde_address(p->path, &sa))
		return error_errno(e, ENAMETOOLONG, "%s", p->path);
	unlink(p->path); /* a killed server's */
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		p->path[0] = '\0';
		return error_errno(e, errno, "cannot bind unix:%s",
				   sa.sun_path);
	}
	r = give_data(p, e);
	return r < 0 ? r : fd_steal(&fd);
}

/* The port asked for, not yet p's. */
static int choose_port(struct vde_plug *p, const struct vde_request *r,
		       struct error *e)
{
	struct vde_ports *v = &p->server->ports;
	gid_t groups[VDE_GROUPS_MAX];
	socklen_t len = sizeof(groups) - sizeof(*groups);
	bool is_any = !r->is_port0 && !r->port;
	struct vde_port *port = is_any ? vde_port_any(v)
				       : vde_port_get(v, r->port);

	if (!port)
		return error_errno(e, ENOMEM, "port");
	if (port->plug)
		return error_set(e, EXIT_CONFLICT, "port %u is taken",
				 port->number);
	if (getsockopt(p->ctl.fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		len = 0;
	groups[len / sizeof(*groups)] = p->gid;
	if (!vde_port_may(port, p->uid, groups, len / sizeof(*groups) + 1))
		return error_set(e, EXIT_PERMISSION,
				 "port %u is not for user %u", port->number,
				 (unsigned)p->uid);
	p->port = port;
	port->plug = p;
	return 0;
}

/* Puts p at the lowest index that no other plug has. */
static void number_plug(struct vde_plug *p)
{
	struct vde_server *s = p->server;
	struct list *pos = &s->plugs;

	p->index = 0;
	list_each(it, &s->plugs) {
		if (container_of(it, struct vde_plug, link)->index !=
		    p->index) {
			pos = it;
			break;
		}
		p->index++;
	}
	list_del(&p->link);
	list_add_before(pos, &p->link);
	s->n_comers--;
	s->n_plugs++;
}

static int make_netdev(struct vde_plug *p, int fd, struct error *e)
{
	struct vde_server *s = p->server;
	char name[ENGINE_NAME_LEN], suffix[16] = "";
	struct plan_netdev *n;
	struct msg_dgram_add *m;

	number_plug(p);
	if (p->index)
		snprintf(suffix, sizeof(suffix), ".%u", p->index);
	snprintf(name, sizeof(name), "%.*s%s",
		 (int)(sizeof(name) - strlen(suffix) - 1), s->netdev->name,
		 suffix);
	n = plan_plug(s->netdev, p, name, e);
	if (!n) {
		s->n_plugs--;
		s->n_comers++; /* as which it ends */
		return -ENOMEM;
	}
	p->netdev = n;
	n->fds[n->n_fds++] = fd;
	m = &n->order.dgram_add;
	m->port = n->id;
	m->lan = n->lan;
	m->is_connected = true;
	m->is_vde = true;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_DGRAM_ADD;
	return 0;
}

/* Tells the client where its data socket is. */
static int answer(const struct vde_plug *p)
{
	struct sockaddr_un sa;

	if (!vde_address(p->path, &sa))
		return -ENAMETOOLONG;
	return send(p->ctl.fd, &sa, sizeof(sa), MSG_NOSIGNAL | MSG_DONTWAIT) ==
			       (ssize_t)sizeof(sa)
		       ? 0
		       : -EPIPE;
}

/* Fails with p as it can be deleted. */
static int plug_in(struct vde_plug *p, const struct vde_request *r,
		   struct error *e)
{
	struct vde_server *s = p->server;
	int fd, rc;

	if (s->max && s->n_plugs >= s->max)
		return error_set(e, EXIT_CONFLICT,
				 "there are %u plugs already (max=)", s->max);
	rc = choose_port(p, r, e);
	if (rc < 0)
		return rc;
	fd = make_data(p, &r->data, e);
	if (fd < 0)
		return fd;
	rc = make_netdev(p, fd, e);
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	memcpy(p->about, r->about, sizeof(p->about));
	timer_disarm(loop_wheel(s->keeper->loop), &p->late);
	if (answer(p) < 0)
		return error_set(e, EXIT_FAILED, "it has gone");
	engine_link_add(s->keeper, p->netdev);
	log_debug(s->netdev->log, "%s: plugged into port %u by user %u: %s",
		  p->netdev->name, p->port->number, (unsigned)p->uid, p->about);
	return 0;
}

/* ---- what comes in ---- */

static void judge(struct vde_plug *p)
{
	struct log *log = p->server->netdev->log;
	const char *name = p->server->netdev->name;
	struct error e = ERROR_NULL;
	struct vde_request r;
	const char *why;

	switch (vde_request_parse(p->in, p->n_in, &r, &why)) {
	case VDE_MORE:
		return;
	case VDE_BAD:
		log_info(log, "%s: somebody may not plug in: %s", name, why);
		vde_plug_del(p);
		return;
	case VDE_WHOLE:
		if (plug_in(p, &r, &e) == 0)
			return;
		log_info(log, "%s: user %u may not plug in: %s", name,
			 (unsigned)p->uid, e.text);
		vde_plug_del(p);
		return;
	}
}

static void on_ctl(struct loop_io *io, uint32_t events)
{
	struct vde_plug *p = container_of(io, struct vde_plug, ctl);
	uint8_t rest[VDE_REQUEST_MAX];
	/* What a plug says has no meaning, but its end has. */
	uint8_t *to = p->netdev ? rest : p->in + p->n_in;
	size_t room = p->netdev ? sizeof(rest) : sizeof(p->in) - p->n_in;
	ssize_t n = recv(io->fd, to, room, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		vde_plug_del(p);
		return;
	}
	if (p->netdev)
		return;
	p->n_in += (size_t)n;
	judge(p);
}

static int take(struct vde_server *s, int fd)
{
	struct loop *loop = s->keeper->loop;
	struct vde_plug *p = calloc(1, sizeof(*p));
	struct ucred who;
	socklen_t len = sizeof(who);
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct vde_plug){
		.server = s,
		.serial = ++s->last_serial,
		.ctl = {.fd = fd, .fn = on_ctl},
	};
	r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ? -errno
								    : 0;
	if (r == 0)
		r = loop_add_level(loop, &p->ctl, EPOLLIN);
	if (r < 0) {
		free(p);
		return r;
	}
	p->uid = who.uid;
	p->gid = who.gid;
	timer_init(&p->late, on_late);
	timer_arm(loop_wheel(loop), &p->late, *loop_now(loop) + VDE_LATE_NS);
	if (s->n_comers >= VDE_COMERS_MAX)
		vde_plug_del(container_of(list_first(&s->comers),
					  struct vde_plug, link));
	list_add_tail(&s->comers, &p->link);
	s->n_comers++;
	return 0;
}

static void on_comer(struct listener *l, int fd)
{
	if (take(container_of(l, struct vde_server, listener), fd) < 0)
		fd_close(&fd);
}

/* ---- its life ---- */

void vde_server_start(struct keeper *k, struct plan_netdev *n)
{
	struct vde_server *s = n->vde_server;
	int r;

	if (!s || s->keeper)
		return;
	s->keeper = k;
	s->listener = (struct listener){.io = {.fd = s->fd}, .fn = on_comer};
	r = listener_on(&s->listener, k->loop);
	if (r == 0 && s->mgmt)
		r = vde_mgmt_start(s->mgmt);
	if (r < 0) {
		error_errno(&k->error, r, "%s: epoll", n->name);
		keeper_fail(k);
	}
}

void vde_server_stop(struct plan_netdev *n)
{
	struct vde_server *s = n->vde_server;

	if (!s || !s->keeper)
		return;
	if (s->mgmt)
		vde_mgmt_stop(s->mgmt);
	listener_off(&s->listener);
	while (!list_empty(&s->comers))
		vde_plug_del(container_of(list_first(&s->comers),
					  struct vde_plug, link));
	while (!list_empty(&s->plugs))
		vde_plug_del(container_of(list_first(&s->plugs),
					  struct vde_plug, link));
}

struct vde_server *vde_server_free(struct vde_server *s)
{
	if (!s)
		return NULL;
	vde_mgmt_free(s->mgmt);
	if (s->fd >= 0) {
		fd_close(&s->fd);
		sock_remove_unix(s->ctl);
	}
	if (s->removes_dir)
		rmdir(s->dir);
	vde_ports_clear(&s->ports);
	free(s);
	return NULL;
}

void vde_plug_heard(struct plan_netdev *n, const struct msg_heard *h)
{
	struct vde_plug *p = n->vde_plug;

	p->heard_mac = h->mac;
	p->heard_ns = *loop_now(p->server->keeper->loop);
}

void vde_plug_refused(struct plan_netdev *n, const char *why)
{
	log_error(n->log, "engine refused %s: %s", n->name, why);
	vde_plug_del(n->vde_plug);
}
