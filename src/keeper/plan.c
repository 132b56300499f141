/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From netdevs to lans, descriptors and orders.  Lan 0 is the one that all
 * netdevs of a command share; lan i + 1 is the hub with id hubs[i].  A netdev
 * that a hubport names (netdev=) sits on that hub, a hubport that names none
 * is a cable from the hub to lan 0.
 */
#include "keeper/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "grammar/kind.h"
#include "keeper/forwards.h"
#include "keeper/vde.h"
#include "os/cell.h"
#include "os/macvtap.h"
#include "os/script.h"
#include "os/sock.h"

static const struct opener openers[] = {
	{.kind = "stream", .open = open_stream, .connect = connect_stream},
	{.kind = "vhost-user", .open = open_vhost, .connect = connect_vhost},
	{.kind = "dgram", .open = open_dgram},
	{.kind = "socket", .open = open_socket, .connect = connect_stream},
	{.kind = "tap", .open = open_tap},
	{.kind = "netns", .open = open_netns},
	{.kind = "bridge", .open = open_bridge},
	{.kind = "hostif", .open = open_hostif},
	{.kind = "router", .open = open_router},
	{.kind = "macvtap", .open = open_macvtap},
	{.kind = "packet", .open = open_packet},
	{.kind = "af-xdp", .open = open_af_xdp},
	{.kind = "user", .open = open_user},
	{.kind = "passt", .open = open_passt},
	{.kind = "hubport", .open = open_hubport},
	{.kind = "vde", .open = open_vde},
	{.kind = "l2tpv3", .open = open_l2tpv3},
	{.kind = "vxlan", .open = open_vxlan},
};

const struct opener *opener_find(const char *kind)
{
	for (size_t i = 0; i < array_len(openers); i++) {
		if (strcmp(openers[i].kind, kind) == 0)
			return &openers[i];
	}
	return NULL;
}

struct plan_netdev *plan_find(struct plan *p, uint32_t id)
{
	list_each(it, &p->netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (n->id == id)
			return n;
	}
	return NULL;
}

struct plan_netdev *plan_gateway(struct plan *p)
{
	list_each(it, &p->netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (n->order.head.type == ENGINE_MSG_USER_ADD)
			return n;
	}
	return NULL;
}

/* Of vhost-user; the grammar has seen to its bounds. */
static uint8_t queues_of(const struct plan_netdev *n, bool is_vhost)
{
	return is_vhost ? (uint8_t)spec_u64(n->spec, "queues") : 1;
}

unsigned plan_queues(const struct plan_netdev *n)
{
	enum engine_msg_type type = (enum engine_msg_type)n->order.head.type;

	if (type == ENGINE_MSG_STREAM_ADD)
		return n->order.stream_add.queues;
	if (type == ENGINE_MSG_SERVER_ADD)
		return n->order.server_add.queues;
	return type == ENGINE_MSG_TAP_ADD ? n->n_fds : 1;
}

static void keep_fd(struct plan_netdev *n, int fd)
{
	n->fds[0] = fd;
	n->n_fds = 1;
}

void plan_client(struct plan_netdev *n, int fd, bool is_vhost)
{
	struct msg_stream_add *m = &n->order.stream_add;

	m->port = n->id;
	m->lan = n->lan;
	m->is_vhost = is_vhost;
	m->queues = queues_of(n, is_vhost);
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_STREAM_ADD;
	if (fd >= 0) {
		keep_fd(n, fd);
		n->gives_fds = true;
		return;
	}
	n->is_client = true;
	n->is_waiting = true;
	n->reconnect_ms = spec_u64(n->spec, "reconnect-ms");
	m->reconnect = n->reconnect_ms > 0;
}

void plan_server(struct plan_netdev *n, int fd, bool is_vhost)
{
	struct msg_server_add *m = &n->order.server_add;

	keep_fd(n, fd);
	m->port = n->id;
	m->lan = n->lan;
	m->is_vhost = is_vhost;
	m->queues = queues_of(n, is_vhost);
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_SERVER_ADD;
}

/* Number of the lan that is hub hubid; 0: there is no such hub. */
static uint32_t hub_find(const struct plan *p, int32_t hubid)
{
	for (unsigned i = 0; i < p->n_hubs; i++) {
		if (p->hubs[i] == hubid)
			return i + 1;
	}
	return 0;
}

/* The same, made on first mention. */
static int hub_lan(struct plan *p, int32_t hubid, uint32_t *lanp)
{
	int32_t *grown;

	*lanp = hub_find(p, hubid);
	if (*lanp)
		return 0;
	grown = reallocarray(p->hubs, p->n_hubs + 1, sizeof(*p->hubs));
	if (!grown)
		return -ENOMEM;
	p->hubs = grown;
	p->hubs[p->n_hubs] = hubid;
	*lanp = ++p->n_hubs;
	return 0;
}

static bool is_hubport(const struct plan_netdev *n)
{
	return strcmp(n->opener->kind, "hubport") == 0;
}

/* A netdev that is not open yet, at the end of the list; name NULL: its id, or
 * one made of its kind. */
static struct plan_netdev *netdev_make(struct plan *p,
				       const struct netdev_spec *spec,
				       const char *name, struct error *e)
{
	const char *kind = spec_kind(spec)->name;
	const struct opener *opener = opener_find(kind);
	struct plan_netdev *n;

	if (!opener) {
		error_set(e, EXIT_USAGE, "netdev type '%s' is not built yet",
			  kind);
		return NULL;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		error_errno(e, ENOMEM, "%s", kind);
		return NULL;
	}
	n->plan = p;
	n->id = ++p->last_id;
	n->spec = spec;
	n->opener = opener;
	n->log = p->log;
	n->deny = p->deny;
	n->connect_io.fd = -1;
	n->boot_dir = -1;
	if (!name)
		name = spec_id(spec);
	if (name)
		snprintf(n->name, sizeof(n->name), "%s", name);
	else
		snprintf(n->name, sizeof(n->name), "%s%u", kind, n->id - 1);
	list_add_tail(&p->netdevs, &n->link);
	return n;
}

static struct plan_netdev *find_by_id(struct plan *p, const char *id)
{
	list_each(it, &p->netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (spec_id(n->spec) && strcmp(spec_id(n->spec), id) == 0)
			return n;
	}
	return NULL;
}

static int check_ids(struct plan *p, struct error *e)
{
	list_each(it, &p->netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);
		const char *id = spec_id(n->spec);

		if (id && find_by_id(p, id) != n)
			return error_set(e, EXIT_USAGE,
					 "Duplicate ID '%s' for netdev", id);
	}
	return 0;
}

/* Puts one hubport's hub on the map: the netdev it names, or a cable. */
static int place_hubport(struct plan *p, struct plan_netdev *h,
			 bool *cabled, struct error *e)
{
	int32_t hubid = spec_int(h->spec, "hubid");
	const char *peer = spec_str(h->spec, "netdev");
	struct plan_netdev *n;
	uint32_t lan;

	if (hub_lan(p, hubid, &lan) < 0)
		return error_errno(e, ENOMEM, "hubport");
	if (!peer) {
		h->order.hubport_add.hub = lan;
		if (cabled[lan - 1])
			return error_set(
				e, EXIT_USAGE,
				"hub %d would be joined to this LAN twice, "
				"which is a loop; leave one hubport out",
				(int)hubid);
		cabled[lan - 1] = true;
		return 0;
	}
	n = find_by_id(p, peer);
	if (!n)
		return error_set(e, EXIT_USAGE, "netdev '%s' not found", peer);
	if (is_hubport(n))
		return error_set(e, EXIT_USAGE,
				 "hubport: netdev '%s' is a hubport itself; "
				 "name another kind of netdev",
				 peer);
	if (n->lan)
		return error_set(e, EXIT_USAGE,
				 "netdev '%s' is on hub %d already", peer,
				 (int)p->hubs[n->lan - 1]);
	n->lan = lan;
	h->lan = lan;
	return 0;
}

static int place(struct plan *p, unsigned n_specs, struct error *e)
{
	CLEANUP_FREE bool *cabled = calloc(n_specs + 1, sizeof(*cabled));

	if (!cabled)
		return error_errno(e, ENOMEM, "plan");
	list_each(it, &p->netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);
		int r;

		if (!is_hubport(n))
			continue;
		r = place_hubport(p, n, cabled, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_all(struct plan *p, struct error *e)
{
	list_each(it, &p->netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);
		int r = n->opener->open(n, e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The host is on this LAN beside its card: to machines there its MAC is that of
 * the hostif, whatever it says on the card. */
static void hide_host(struct plan *p, const struct plan_netdev *host)
{
	list_each(it, &p->netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (host->beside && n->lan == host->lan &&
		    n->order.head.type == ENGINE_MSG_PACKET_ADD)
			n->order.packet_add.hides_host = true;
	}
}

int plan_open(struct plan *p, const struct plan_args *a, struct error *e)
{
	int r = 0;

	list_init(&p->netdevs);
	list_init(&p->forwards);
	p->log = a->log;
	p->deny = a->deny;
	p->dir = a->dir;
	p->journal = JOURNAL_NULL;
	p->port_before = a->port_before;
	p->past = a->past;
	for (unsigned i = 0; i < a->n_specs && r == 0; i++)
		r = netdev_make(p, a->specs[i], NULL, e) ? 0 : -EINVAL;
	if (r == 0)
		r = check_ids(p, e);
	if (r == 0)
		r = place(p, a->n_specs, e);
	if (r == 0)
		r = open_all(p, e);
	p->port_before = NULL;
	p->past = NULL;
	if (r < 0)
		plan_close(p);
	tunnel_tell_mtu(p);
	list_each(it, &p->netdevs)
		hide_host(p, container_of(it, struct plan_netdev, link));
	return r;
}

int plan_add(struct plan *p, const struct netdev_spec *spec, const char *name,
	     const int *hub, struct plan_netdev **np, struct error *e)
{
	struct plan_netdev *n = netdev_make(p, spec, name, e);
	int r = 0;

	if (!n)
		return -EINVAL;
	n->lan = hub ? hub_find(p, *hub) : 0;
	if (hub && !n->lan)
		r = error_set(e, EXIT_NO_OBJECT,
			      "this network has no hub %d: none of its netdevs "
			      "is on it",
			      *hub);
	if (r == 0)
		r = n->opener->open(n, e);
	if (r < 0) {
		plan_remove(n);
		return r;
	}
	*np = n;
	return 0;
}

static void close_macvtaps(struct plan_netdev *n)
{
	if (!n->has_macvtaps)
		return;
	macvtap_remove(n->macvtap_ns, 0);
	fd_close(&n->macvtap_ns);
	n->has_macvtaps = n->has_more_macvtaps = false;
}

static void close_fds(struct plan_netdev *n)
{
	for (unsigned i = 0; i < n->n_fds; i++)
		fd_close(&n->fds[i]);
	n->n_fds = 0;
}

void plan_lose(struct plan_netdev *n)
{
	close_fds(n);
	close_macvtaps(n);
	af_xdp_free(n);
	n->order.head.type = ENGINE_MSG_NONE;
	n->is_lost = true;
	n->id = ++n->plan->last_id; /* what was said of it is not of the next */
}

struct plan_netdev *plan_plug(struct plan_netdev *server, struct vde_plug *plug,
			      const char *name, struct error *e)
{
	struct plan_netdev *n = netdev_make(server->plan, server->spec, name,
					    e);

	if (!n)
		return NULL;
	n->lan = server->lan;
	n->vde_plug = plug;
	return n;
}

static void close_forwards(struct plan_netdev *n)
{
	list_each_safe(it, &n->plan->forwards) {
		struct forward *f = container_of(it, struct forward, link);

		if (f->netdev == n)
			forward_close(f);
	}
}

void plan_remove(struct plan_netdev *n)
{
	if (n->downscript && n->ifname[0]) {
		struct error e = ERROR_NULL;

		if (script_run(n->downscript, n->ifname, &e) < 0)
			log_warn(n->log, "%s: %s", n->name, e.text);
	}
	close_fds(n);
	close_forwards(n);
	free(n->forwards);
	free(n->guestfwds);
	dhcp_said_deinit(&n->dhcp);
	n->smb = cell_free(n->smb);
	boot_free(n);
	free(n->dns_servers);
	fd_close(&n->connect_io.fd);
	fd_close(&n->boot_dir);
	close_macvtaps(n);
	af_xdp_free(n);
	vde_server_free(n->vde_server);
	vde_client_free(n->vde_client);
	free(n->beside); /* the kernel removes the rest with the tap */
	if (n->unlink_path[0])
		sock_remove_unix(n->unlink_path);
	netdev_spec_free(n->own_spec);
	list_del(&n->link);
	free(n);
}

void plan_close(struct plan *p)
{
	list_each_safe(it, &p->netdevs)
		plan_remove(container_of(it, struct plan_netdev, link));
	free(p->hubs);
	p->hubs = NULL;
	p->n_hubs = 0;
	journal_close(&p->journal);
}

struct journal *plan_journal(struct plan *p, struct error *e)
{
	CLEANUP_FD int dir = -1;

	if (p->journal.fd >= 0)
		return &p->journal;
	if (!p->dir) {
		error_set(e, EXIT_USAGE,
			  "it changes the host, and only networks remember "
			  "what to undo: vmlan up, vmlan run");
		return NULL;
	}
	dir = open(p->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0) {
		error_errno(e, errno, "%s", p->dir);
		return NULL;
	}
	return journal_open(dir, &p->journal, e) < 0 ? NULL : &p->journal;
}

static bool is_localhost(const struct plan_forward *f)
{
	const addr own = addr_loopback(&f->host.ip);

	return f->fd >= 0 && !f->unix_path[0] && addr_eq(&f->host.ip, &own);
}

/* The same port of localhost's other address, which leads to the same place;
 * NULL: none. */
static const struct plan_forward *other_of(const struct plan_netdev *n,
					   const struct plan_forward *f)
{
	for (unsigned i = 0; i < n->n_forwards && is_localhost(f); i++) {
		const struct plan_forward *o = &n->forwards[i];

		if (is_localhost(o) && o->proto == f->proto &&
		    o->host.port == f->host.port &&
		    !addr_eq(&o->host.ip, &f->host.ip) &&
		    endpoint_eq(&o->guest, &f->guest))
			return o;
	}
	return NULL;
}

static void say_forward(const struct plan_netdev *n,
			const struct plan_forward *f, struct log *log)
{
	char host[ENDPOINT_STRLEN], guest[ENDPOINT_STRLEN];
	char more[ENDPOINT_STRLEN] = "";
	const struct plan_forward *other = other_of(n, f);

	if (other && !addr_is_v4(&f->host.ip))
		return; /* told with the other */
	if (other)
		endpoint_format(&other->host, more);
	endpoint_format(&f->guest, guest);
	if (f->unix_path[0])
		log_info(log, "forward unix:%s -> %s", f->unix_path, guest);
	else
		log_info(log, "forward %s %s%s%s -> %s",
			 f->proto == IPPROTO_UDP ? "udp" : "tcp",
			 endpoint_format(&f->host, host), other ? " and " : "",
			 more, guest);
}

static void say_guestfwd(const struct plan_guestfwd *g, struct log *log)
{
	static const char *const kinds[] = {
		[GUESTFWD_CMD] = "cmd:",
		[GUESTFWD_TCP] = "tcp:",
		[GUESTFWD_UNIX] = "unix:",
		[GUESTFWD_SMB] = "smb:",
	};
	char server[ENDPOINT_STRLEN], target[ENDPOINT_STRLEN];
	const char *to = g->rule.target;

	if (g->rule.kind == GUESTFWD_TCP && addr_is_link_local6(&g->target.ip))
		snprintf(target, sizeof(target), "[%.40s]:%u", to,
			 g->target.port); /* and of which link */
	else if (g->rule.kind == GUESTFWD_TCP)
		endpoint_format(&g->target, target);
	log_info(log, "guest forward tcp %s -> %s%s",
		 endpoint_format(&g->rule.server, server), kinds[g->rule.kind],
		 g->rule.kind == GUESTFWD_TCP ? target : to);
}

void plan_say(const struct plan *p, struct log *log)
{
	list_each(it, &p->netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		for (unsigned i = 0; i < n->n_forwards; i++) {
			if (n->forwards[i].fd >= 0)
				say_forward(n, &n->forwards[i], log);
		}
		for (unsigned i = 0; i < n->n_guestfwds; i++)
			say_guestfwd(&n->guestfwds[i], log);
		boot_say(n, log);
		af_xdp_say(n, log);
		if (n->warning[0])
			log_warn(log, "%s: %s", n->name, n->warning);
	}
}
