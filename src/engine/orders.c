/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each of the keeper's messages does.  Called by engine.c with checked
 * messages; runs on worker 0's thread between batches.
 */
#include "engine/engine_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "nat/env.h"
#include "nat/icmp.h"
#include "os/clock.h"

struct engine_lan *engine_lan_find(struct engine *e, uint32_t id)
{
	list_each(it, &e->lans) {
		struct engine_lan *l =
			container_of(it, struct engine_lan, link);

		if (l->id == id)
			return l;
	}
	return NULL;
}

struct engine_netdev *engine_netdev_find(struct engine *e, uint32_t id)
{
	list_each(it, &e->netdevs) {
		struct engine_netdev *n =
			container_of(it, struct engine_netdev, link);

		if (n->id == id)
			return n;
	}
	return NULL;
}

struct gateway *engine_gateway_find(struct engine *e, uint32_t id)
{
	struct engine_netdev *n = engine_netdev_find(e, id);

	return n && n->role == ROLE_GATEWAY ? n->gateway : NULL;
}

struct engine_netdev *engine_netdev_make(struct engine *e, uint32_t id,
					 enum netdev_role role)
{
	struct engine_netdev *n;

	if (engine_netdev_find(e, id))
		return NULL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->id = id;
	n->role = role;
	list_add_tail(&e->netdevs, &n->link);
	return n;
}

int engine_netdev_made(struct engine_netdev *n, int r)
{
	if (r < 0) {
		list_del(&n->link);
		free(n);
	}
	return r;
}

static void lan_drop(struct engine_lan *l)
{
	list_del(&l->link);
	engine_lan_alone(l);
	lan_free(l->lan);
	free(l);
}

static int order_lan_add(struct engine *e, const struct msg_lan_add *m)
{
	struct worker *w = e->worker;
	struct engine_lan *l;
	struct lan_config c = {
		.name = m->name,
		.is_hub = m->is_hub,
		.wheel = loop_wheel(w->loop),
		.now_ns = loop_now(w->loop),
		.read_ns = clock_now_ns,
		.talk = loop_talk(w->loop),
		.drops = w->drops,
		.log = &e->log,
		.events = engine_lan_events(e),
	};
	int r;

	if (engine_lan_find(e, m->lan))
		return -EEXIST;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	r = lan_new(&c, &l->lan);
	if (r < 0) {
		free(l);
		return r;
	}
	list_init(&l->link);
	l->id = m->lan;
	l->env = (struct netdev_env){
		.loop = w->loop,
		.lan = l->lan,
		.drops = w->drops,
		.log = &e->log,
	};
	engine_env_upcalls(e, &l->env);
	/* A hub's frames are for all: worker 0 has them. */
	r = m->is_hub ? 0 : engine_lan_workers(e, l);
	if (r < 0) {
		lan_drop(l);
		return r;
	}
	list_add_tail(&e->lans, &l->link);
	r = engine_captures_lan(e, l);
	if (r < 0) {
		engine_captures_lan_del(e, l);
		lan_drop(l);
	}
	return r;
}

static int order_stream(struct engine *e, const struct msg_stream_add *m,
			int *fds, unsigned n_fds)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	struct engine_netdev *n;
	struct netdev_stream_config c = {
		.name = m->name,
		.id = m->port,
		.fd = n_fds ? fds[0] : -1,
		.reconnect = m->reconnect,
		.queues = m->queues,
	};
	int r;

	n = l ? engine_netdev_make(e, m->port, ROLE_PORT) : NULL;
	if (!n)
		return -EINVAL;
	n->reconnects = m->reconnect;
	n->attach = m->is_vhost ? netdev_vhost_attach : netdev_stream_attach;
	r = m->is_vhost ? netdev_vhost_new(&l->env, &c, &n->port)
			: netdev_stream_new(&l->env, &c, &n->port);
	if (r == 0 && n_fds)
		fds[0] = -1;
	return engine_netdev_made(n, r);
}

static int order_server(struct engine *e, const struct msg_server_add *m,
			int *fds)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	struct engine_netdev *n;
	struct netdev_server_config c = {
		.name = m->name,
		.id = m->port,
		.fd = fds[0],
		.max = m->max,
		.is_vhost = m->is_vhost,
		.queues = m->queues,
	};
	int r;

	n = l ? engine_netdev_make(e, m->port, ROLE_SERVER) : NULL;
	if (!n)
		return -EINVAL;
	r = netdev_server_new(&l->env, &c, &n->server);
	if (r == 0)
		fds[0] = -1;
	return engine_netdev_made(n, r);
}

static int order_dgram(struct engine *e, const struct msg_dgram_add *m,
		       int *fds, unsigned n_fds)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	struct engine_netdev *n;
	struct netdev_dgram_config c = {
		.name = m->name,
		.id = m->port,
		.fd = fds[0],
		.tx_fd = n_fds > 1 ? fds[1] : -1,
		.is_connected = m->is_connected,
		.remote = m->remote,
		.is_multicast = m->is_multicast,
		.self = m->self,
		.is_vde = m->is_vde,
		.is_uplink = m->is_uplink,
	};
	int r;

	n = l ? engine_netdev_make(e, m->port, ROLE_PORT) : NULL;
	if (!n)
		return -EINVAL;
	memcpy(c.remote_path, m->remote_path, sizeof(c.remote_path));
	r = netdev_dgram_new(&l->env, &c, &n->port);
	if (r == 0) {
		fds[0] = -1;
		if (n_fds > 1)
			fds[1] = -1;
	}
	return engine_netdev_made(n, r);
}

static int order_tap(struct engine *e, const struct msg_tap_add *m, int *fds,
		     unsigned n_fds)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	struct engine_netdev *n;
	struct netdev_tap_config c = {
		.name = m->name,
		.id = m->port,
		.kind = m->kind,
		.fds = fds,
		.n_fds = n_fds,
		.vnet_hdr = m->vnet_hdr,
		.queue_frames = m->queue_frames,
		.host_ip = m->host_ip,
		.n_host_ip = m->n_host_ip,
		.is_beside = m->is_beside,
		.has_legs = m->has_legs,
		.mac = m->mac,
	};
	int r;

	n = l ? engine_netdev_make(e, m->port, ROLE_PORT) : NULL;
	if (!n)
		return -EINVAL;
	r = netdev_tap_new(&l->env, &c, &n->port);
	if (r == 0) {
		for (unsigned i = 0; i < n_fds; i++)
			fds[i] = -1;
	}
	return engine_netdev_made(n, r);
}

/* A port of that kind. */
static struct port *port_of_kind(struct engine *e, uint32_t id,
				 const char *kind)
{
	struct engine_netdev *n = engine_netdev_find(e, id);

	return n && n->role == ROLE_PORT &&
			       strcmp(n->port->ops->kind, kind) == 0
		       ? n->port
		       : NULL;
}

static int order_packet_host(struct engine *e, const struct msg_packet_host *m)
{
	struct port *p = port_of_kind(e, m->port, "packet");

	if (!p)
		return -EINVAL;
	netdev_packet_host(p, m->ip, m->n);
	return 0;
}

static int order_hostif_host(struct engine *e, const struct msg_hostif_host *m)
{
	struct port *p = port_of_kind(e, m->port, "hostif");

	if (!p)
		return -EINVAL;
	netdev_hostif_host(p, m->ip, m->n);
	return 0;
}

/* No failure of the LAN: the answer came too late, or the MAC asks again. */
static int order_leg(struct engine *e, const struct msg_leg *m, int *fds,
		     unsigned n_fds)
{
	struct port *p = port_of_kind(e, m->port, "macvtap");
	int r = -EINVAL;

	if (p)
		r = netdev_macvtap_leg(p, m->leg, m->mac, n_fds ? fds[0] : -1,
				       m->ok);
	if (r == 0 && n_fds)
		fds[0] = -1;
	return 0;
}

static int order_packet(struct engine *e, const struct msg_packet_add *m,
			int *fds)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	struct engine_netdev *n;
	struct netdev_packet_config c = {
		.name = m->name,
		.id = m->port,
		.fd = fds[0],
		.mac = m->mac,
		.translates = m->translates,
		.host_ip = m->host_ip,
		.n_host_ip = m->n_host_ip,
		.hides_host = m->hides_host,
	};
	int r;

	n = l ? engine_netdev_make(e, m->port, ROLE_PORT) : NULL;
	if (!n)
		return -EINVAL;
	r = netdev_packet_new(&l->env, &c, &n->port);
	if (r == 0)
		fds[0] = -1;
	return engine_netdev_made(n, r);
}

static int order_af_xdp(struct engine *e, const struct msg_af_xdp_add *m,
			int *fds, unsigned n_fds)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	unsigned n_more = (m->has_watch != 0) + (m->has_link != 0);
	struct engine_netdev *n;
	struct netdev_af_xdp_config c = {
		.name = m->name,
		.id = m->port,
		.ifindex = m->ifindex,
		.first_queue = m->first_queue,
		.patience_ms = m->patience_ms,
		.copies = m->copies,
		.umem = fds[0],
		.fds = fds + 1,
		.n_fds = m->n_queues,
		.watch = m->has_watch ? fds[n_fds - n_more] : -1,
		.link = m->has_link ? fds[n_fds - 1] : -1,
	};
	int r;

	if (n_fds < 1 + n_more || n_fds - 1 - n_more != m->n_queues)
		return -EINVAL;
	n = l ? engine_netdev_make(e, m->port, ROLE_PORT) : NULL;
	if (!n)
		return -EINVAL;
	r = netdev_af_xdp_new(&l->env, &c, &n->port);
	if (r == 0) {
		for (unsigned i = 0; i < n_fds; i++)
			fds[i] = -1;
		engine_unsettled(e, n, m->is_awaited &&
					       netdev_af_xdp_waits(n->port));
	}
	return engine_netdev_made(n, r);
}

static int order_hubport(struct engine *e, const struct msg_hubport_add *m)
{
	struct engine_lan *a = engine_lan_find(e, m->lan);
	struct engine_lan *b = engine_lan_find(e, m->hub);
	struct engine_netdev *n;
	struct netdev_hubport_config c = {.name = m->name, .id = m->port};

	n = a && b && a != b ? engine_netdev_make(e, m->port, ROLE_CABLE)
			     : NULL;
	if (!n)
		return -EINVAL;
	c.a = a->lan;
	c.b = b->lan;
	return engine_netdev_made(n, netdev_hubport_new(&a->env, &c,
							&n->cable[0],
							&n->cable[1]));
}

static bool is_wanted_by(const struct engine_wanted *w, uint32_t port,
			 uint32_t from)
{
	return w->port == port && w->from == from;
}

static unsigned count_wanted(const struct engine *e, uint32_t port,
			     uint32_t from)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->n_wanted; i++)
		n += is_wanted_by(&e->wanted[i], port, from);
	return n;
}

static void forget_wanted(struct engine *e, uint32_t port, uint32_t from)
{
	for (unsigned i = 0; i < e->n_wanted; i++) {
		if (!is_wanted_by(&e->wanted[i], port, from))
			continue;
		e->wanted[i] = e->wanted[--e->n_wanted];
		return;
	}
}

/* A guest called a server that the keeper brings.  Guests can call faster than
 * programs start: what else there is to tell must find room in the channel.  A
 * guest has no more questions under way than are still free. */
static int want_guestfwd(void *arg, uint32_t id, const struct nat_call *c)
{
	struct engine *e = arg;
	struct port *gw = gateway_port(engine_gateway_find(e, id));
	union engine_msg m = {.guestfwd_call = {
				      .port = id,
				      .from = lan_ingress(gw->lan),
				      .netdev = lan_ingress_id(gw->lan),
				      .isn = c->isn,
				      .guest = c->guest,
				      .server = c->server,
			      }};
	const struct engine_wanted w = {.port = id,
					.from = m.guestfwd_call.from};
	int r;

	if (count_wanted(e, w.port, w.from) >= ENGINE_WANTED_MAX - e->n_wanted)
		return -EAGAIN;
	r = engine_tell(e, &m, ENGINE_MSG_GUESTFWD_WANT);
	if (r == 0)
		e->wanted[e->n_wanted++] = w;
	return r;
}

/* A guest refuses what came by a UDP socket of ours: which the keeper sees by
 * the socket itself.  If it cannot be told, the path has lost the refusal. */
static void tell_refused(void *arg, uint32_t id, int fd,
			 const struct endpoint *client,
			 const struct icmp_refusal *r)
{
	union engine_msg m = {.udp_refused = {
				      .port = id,
				      .client = *client,
				      .local = r->local,
				      .len = r->len,
				      .code = r->code,
				      .n_payload = r->n_payload,
			      }};

	_Static_assert(sizeof(r->payload) == sizeof(m.udp_refused.payload),
		       "one bound");
	memcpy(m.udp_refused.payload, r->payload, sizeof(r->payload));
	(void)engine_tell_fd(arg, &m, ENGINE_MSG_UDP_REFUSED, fd);
}

static int order_user(struct engine *e, const struct msg_user_add *m)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	struct worker *w = e->worker;
	struct gateway_config c = {
		.name = m->name,
		.id = m->port,
		.v4 = m->v4,
		.v6 = m->v6,
		.has_way6 = m->has_way6,
		.follows_host = m->follows_host,
		.nat64 = m->nat64,
		.dhcp_start4 = m->dhcp_start4,
		.router4 = m->router4,
		.router6 = m->router6,
		.n_dnssearch = m->n_dnssearch,
		.mtu = m->mtu,
		.n_kept = m->n_kept,
		.is_restricted = m->is_restricted,
		.keeps_services = m->keeps_services,
		.has_multicast = m->has_multicast,
		.serving = m->serving,
		.probes = true,
		.deny_peek_off = e->deny & ENGINE_DENY_PEEK_OFF,
	};
	struct gateway_env env = {
		.host = w->host,
		.wheel = loop_wheel(w->loop),
		.now_ns = loop_now(w->loop),
		.drops = w->drops,
		.log = &e->log,
		.serve = want_guestfwd,
		.refuse = tell_refused,
		.leases = engine_leases_changed,
		.tftp_files = &e->tftp_files,
		.machines = engine_next_machine,
		.arg = e,
	};
	struct engine_netdev *n;

	n = l ? engine_netdev_make(e, m->port, ROLE_GATEWAY) : NULL;
	if (!n)
		return -EINVAL;
	env.lan = l->lan;
	engine_gateway_workers(l, &env);
	memcpy(c.hostname, m->hostname, sizeof(c.hostname));
	memcpy(c.domainname, m->domainname, sizeof(c.domainname));
	memcpy(c.dnssearch, m->dnssearch, sizeof(c.dnssearch));
	memcpy(c.zone, m->zone, sizeof(c.zone));
	return engine_netdev_made(n, gateway_new(&env, &c, &n->gateway));
}

static int order_move(struct engine *e, const struct msg_user_move *m)
{
	struct gateway *gw = engine_gateway_find(e, m->port);

	return gw ? gateway_move6(gw, &m->v6) : -EINVAL;
}

static int order_forward(struct engine *e, const struct msg_forward_add *m,
			 int *fds)
{
	struct gateway *gw = engine_gateway_find(e, m->port);
	struct gateway_forward f = {
		.id = m->id,
		.proto = m->proto,
		.guest = m->guest,
		.rules = m->rules,
		.fd = fds[0],
	};
	int r;

	if (!gw)
		return -EINVAL;
	r = gateway_forward_add(gw, &f);
	if (r == 0)
		fds[0] = -1;
	return r;
}

static int order_forward_del(struct engine *e, const struct msg_forward_del *m)
{
	struct gateway *gw = engine_gateway_find(e, m->port);
	int r = gw ? gateway_forward_del(gw, m->id) : -EINVAL;

	return r == -ENOENT ? 0 : r; /* one that was refused is none */
}

static int order_guestfwd(struct engine *e, const struct msg_guestfwd_add *m)
{
	struct gateway *gw = engine_gateway_find(e, m->port);
	struct gateway_guestfwd g = {
		.server = m->server,
		.target = m->target,
	};

	return gw ? gateway_guestfwd_add(gw, &g) : -EINVAL;
}

/* No failure of the LAN: the guest is refused, or did not wait. */
static int order_guestfwd_take(struct engine *e,
			       const struct msg_guestfwd_call *m, int *fds,
			       unsigned n_fds)
{
	struct gateway *gw = engine_gateway_find(e, m->port);
	const struct nat_call call = {
		.guest = m->guest, .server = m->server, .isn = m->isn};
	int r = -ENOENT;

	forget_wanted(e, m->port, m->from);
	if (gw)
		r = gateway_guestfwd_answer(gw, &call, n_fds ? fds[0] : -1);
	if (r == 0 && n_fds)
		fds[0] = -1;
	return 0;
}

static int order_resolvers(struct engine *e, const struct msg_resolvers *m)
{
	list_each(it, &e->netdevs) {
		struct engine_netdev *n =
			container_of(it, struct engine_netdev, link);

		if (n->role == ROLE_GATEWAY)
			gateway_resolvers(n->gateway, m->ep, m->n);
	}
	return 0;
}

static int order_network(struct engine *e, const struct msg_network *m)
{
	list_each(it, &e->netdevs) {
		struct engine_netdev *n =
			container_of(it, struct engine_netdev, link);

		if (n->role != ROLE_GATEWAY)
			continue;
		gateway_network(n->gateway, m->gone, m->n);
		gateway_ways(n->gateway, m->has_way4, m->has_way6);
		gateway_links(n->gateway, m->link4, m->link6);
	}
	return 0;
}

static int order_attach(struct engine *e, const struct msg_port *m, int *fds)
{
	struct engine_netdev *n = engine_netdev_find(e, m->port);
	int r;

	if (!n || n->role != ROLE_PORT || !n->attach)
		return -EINVAL;
	r = n->attach(n->port, fds[0]);
	if (r == 0)
		fds[0] = -1;
	return r;
}

static int order_stop(struct engine *e)
{
	loop_stop(e->worker->loop);
	return 0;
}

static void port_drop(struct port *p)
{
	lan_port_link(p, false); /* a machine that was here is gone */
	lan_port_del(p);
	p->ops->close(p);
}

void engine_netdev_drop(struct engine *e, struct engine_netdev *n)
{
	switch (n->role) {
	case ROLE_PORT:
		port_drop(n->port);
		break;
	case ROLE_SERVER:
		netdev_server_free(n->server);
		break;
	case ROLE_GATEWAY:
		engine_look_forget(e, n->gateway);
		gateway_free(n->gateway);
		break;
	case ROLE_CABLE:
		port_drop(n->cable[0]);
		port_drop(n->cable[1]);
		break;
	}
	engine_unsettled(e, n, false);
	engine_unnamed(e, n->id);
	engine_cable_forget(e, n->id);
	list_del(&n->link); /* not before: its machines go now */
	free(n);
}

static int order_netdev_del(struct engine *e, uint32_t id)
{
	struct engine_netdev *n = engine_netdev_find(e, id);

	if (!n)
		return -ENOENT;
	engine_netdev_drop(e, n);
	return 0;
}

int engine_order(struct engine *e, union engine_msg *m, int *fds,
		 unsigned n_fds)
{
	switch ((enum engine_msg_type)m->head.type) {
	case ENGINE_MSG_LAN_ADD:
		return order_lan_add(e, &m->lan_add);
	case ENGINE_MSG_STREAM_ADD:
		return order_stream(e, &m->stream_add, fds, n_fds);
	case ENGINE_MSG_SERVER_ADD:
		return order_server(e, &m->server_add, fds);
	case ENGINE_MSG_DGRAM_ADD:
		return order_dgram(e, &m->dgram_add, fds, n_fds);
	case ENGINE_MSG_L2TPV3_ADD:
		return engine_order_l2tpv3(e, &m->l2tpv3_add, fds);
	case ENGINE_MSG_VXLAN_ADD:
		return engine_order_vxlan(e, &m->vxlan_add, fds);
	case ENGINE_MSG_TAP_ADD:
		return order_tap(e, &m->tap_add, fds, n_fds);
	case ENGINE_MSG_LEG_ADD:
		return order_leg(e, &m->leg, fds, n_fds);
	case ENGINE_MSG_PACKET_ADD:
		return order_packet(e, &m->packet_add, fds);
	case ENGINE_MSG_PACKET_HOST:
		return order_packet_host(e, &m->packet_host);
	case ENGINE_MSG_HOSTIF_HOST:
		return order_hostif_host(e, &m->hostif_host);
	case ENGINE_MSG_AF_XDP_ADD:
		return order_af_xdp(e, &m->af_xdp_add, fds, n_fds);
	case ENGINE_MSG_HUBPORT_ADD:
		return order_hubport(e, &m->hubport_add);
	case ENGINE_MSG_USER_ADD:
		return order_user(e, &m->user_add);
	case ENGINE_MSG_USER_MOVE:
		return order_move(e, &m->user_move);
	case ENGINE_MSG_BOOT:
		return engine_order_boot(e, &m->boot);
	case ENGINE_MSG_TFTP_TAKE:
		return engine_order_tftp(e, &m->tftp_file, fds, n_fds);
	case ENGINE_MSG_NAMED:
		return engine_order_named(e, &m->named);
	case ENGINE_MSG_DNS_SERVER:
		return engine_order_dns_server(e, &m->dns_server);
	case ENGINE_MSG_NETDEV_DEL:
		return order_netdev_del(e, m->port.port);
	case ENGINE_MSG_CABLE:
		return engine_order_cable(e, &m->cable);
	case ENGINE_MSG_LEASE_KEEP:
	case ENGINE_MSG_DHCP_OPTION:
	case ENGINE_MSG_DHCP_RESERVE:
	case ENGINE_MSG_LEASE_ADD:
		return engine_order_dhcp(e, m);
	case ENGINE_MSG_FORWARD_ADD:
		return order_forward(e, &m->forward_add, fds);
	case ENGINE_MSG_FORWARD_DEL:
		return order_forward_del(e, &m->forward_del);
	case ENGINE_MSG_GUESTFWD_ADD:
		return order_guestfwd(e, &m->guestfwd_add);
	case ENGINE_MSG_GUESTFWD_TAKE:
		return order_guestfwd_take(e, &m->guestfwd_call, fds, n_fds);
	case ENGINE_MSG_HTTP_ADD:
		return engine_order_http(e, &m->port);
	case ENGINE_MSG_RESOLVERS:
		return order_resolvers(e, &m->resolvers);
	case ENGINE_MSG_NETWORK:
		return order_network(e, &m->network);
	case ENGINE_MSG_ATTACH:
		return order_attach(e, &m->port, fds);
	case ENGINE_MSG_CAPTURE_ADD:
		return engine_order_capture(e, &m->capture_add, fds, n_fds);
	case ENGINE_MSG_CAPTURE_DEL:
		return engine_order_capture_del(e, &m->port);
	case ENGINE_MSG_SYNC:
		engine_news_synced(e, m->sync.cookie);
		return 0;
	case ENGINE_MSG_LOOK:
		engine_order_look(e, &m->look);
		return 0;
	case ENGINE_MSG_WHY_ASK:
		return engine_order_why(e, &m->why_ask);
	case ENGINE_MSG_STOP:
		return order_stop(e);
	case ENGINE_MSG_NONE:
	case ENGINE_MSG_START: /* once only, taken before the loop */
	case ENGINE_MSG_SYNCED:
	case ENGINE_MSG_WANT_FD:
	case ENGINE_MSG_LEG_WANT:
	case ENGINE_MSG_NEIGHBOUR:
	case ENGINE_MSG_GUESTFWD_WANT:
	case ENGINE_MSG_TFTP_WANT:
	case ENGINE_MSG_UDP_REFUSED:
	case ENGINE_MSG_MACHINE:
	case ENGINE_MSG_HEARD:
	case ENGINE_MSG_LEASE:
	case ENGINE_MSG_FAILED:
	case ENGINE_MSG_EVENT:
	case ENGINE_MSG_LOOKED:
	case ENGINE_MSG_WHY:
	case ENGINE_MSG_N:
		break;
	}
	return -EPROTO;
}

void engine_clear(struct engine *e)
{
	/* Gateways first: their flows say goodbye through the other ports. */
	list_each_safe(it, &e->netdevs) {
		struct engine_netdev *n =
			container_of(it, struct engine_netdev, link);

		if (n->role == ROLE_GATEWAY)
			engine_netdev_drop(e, n);
	}
	list_each_safe(jt, &e->netdevs)
		engine_netdev_drop(
			e, container_of(jt, struct engine_netdev, link));
	list_each_safe(kt, &e->lans) {
		struct engine_lan *l =
			container_of(kt, struct engine_lan, link);

		engine_captures_lan_del(e, l);
		lan_drop(l);
	}
	while (e->n_named) /* of netdevs that were refused */
		engine_unnamed(e, e->named->port);
}
