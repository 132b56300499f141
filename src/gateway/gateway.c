/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `user` (gateway.h): one object that the lan sees as a port,
 * with the NAT and the services behind it.  Made by the engine, called by the
 * lan; the worker's thread.
 */
#include "gateway/gateway_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/nat64.h"
#include "lan/tap.h"
#include "wire/dns.h"

enum {
	MTU_MIN = 576, /* RFC 791: what every host takes */
	MTU_MAX = 65520,
};

static struct gateway *gateway_of(struct port *p)
{
	return container_of(p, struct gateway, port);
}

/* What we send is pushed into the lan as it is made. */
static unsigned port_recv(struct port *p, struct batch *b)
{
	return 0;
}

static void port_done(struct port *p, struct batch *b)
{
}

/* The reasons for which nobody but the gateway loses a frame; one for another
 * machine that it was flooded with is not lost. */
static bool is_gateway_reason(unsigned why)
{
	return why >= DROP_ARP_BAD && why < DROP_TUNNEL_SHORT;
}

void gateway_tell_lost(struct port *p, const struct batch *b, unsigned i,
		       const struct drops *before, const struct drops *now)
{
	unsigned why = 0;

	while (why < DROP_N && (!is_gateway_reason(why) ||
				now->n[why] == before->n[why]))
		why++;
	if (why < DROP_N)
		lan_tap_lost(p, b, i, (enum drop_reason)why);
}

/* As each frame's gateway_input(), and tells which were lost, and why. */
static __attribute__((noinline)) void
input_tapped(struct gateway *gw, const struct batch *b, uint64_t mask)
{
	const struct drops *now = gw->nat.drops;

	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);
		struct drops before = *now;

		gateway_input(gw, &b->f[i]);
		gateway_tell_lost(&gw->port, b, i, &before, now);
	}
}

static uint64_t port_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct gateway *gw = gateway_of(p);

	/* An answer to our own frame, carried inside the call that sent it:
	 * no guest can do that, only a loop of lans. */
	if (gw->is_busy) {
		drop_n(gw->nat.drops, DROP_LAN_LOOP,
		       (unsigned)__builtin_popcountll(mask));
		return mask;
	}
	gw->is_busy = true;
	if (gw->legs)
		carrier_begin(gw->legs->first, b);
	if (lan_tap_wants(p))
		input_tapped(gw, b, mask);
	else
		for (uint64_t left = mask; left; left &= left - 1)
			gateway_input(gw, &b->f[__builtin_ctzll(left)]);
	if (gw->legs)
		carrier_end(gw->legs->first);
	udp_flush(gw->udp);
	tcp_flush(gw->tcp);
	reasm_flush(gw->reasm);
	gw->is_busy = false;
	return mask;
}

void gateway_room(struct tcp *t, struct udp *u, bool *is_udp_turnp)
{
	if (*is_udp_turnp)
		udp_room(u);
	tcp_room(t);
	if (!*is_udp_turnp)
		udp_room(u);
	*is_udp_turnp = !*is_udp_turnp;
}

static void port_room(struct port *p, struct port *other)
{
	struct gateway *gw = gateway_of(p);

	gateway_room(gw->tcp, gw->udp, &gw->is_udp_turn);
}

static void port_listeners(struct port *p)
{
	struct gateway *gw = gateway_of(p);

	querier_listeners(&gw->querier);
	if (gw->groups)
		groups_listeners(gw->groups);
}

static void port_close(struct port *p)
{
	(void)gateway_free(gateway_of(p)); /* NULL */
}

static const struct port_ops gateway_ops = {
	.kind = "user",
	.recv = port_recv,
	.done = port_done,
	.send = port_send,
	.room = port_room,
	.listeners = port_listeners,
	.close = port_close,
};

bool gateway_redirect(const struct gateway *gw, uint8_t proto,
		      const struct endpoint *dst, struct endpoint *to)
{
	const struct gateway_guestfwd *g =
		proto == IPPROTO_TCP ? gateway_guestfwd_find(gw, dst) : NULL;

	if (g) {
		*to = g->target;
		return true;
	}
	/* What the name server has is served. */
	return !gateway_is_dns(gw, &dst->ip) && !gw->config.is_restricted;
}

static bool env_redirect(void *arg, uint8_t proto, const struct endpoint *dst,
			 struct endpoint *to)
{
	return gateway_redirect(arg, proto, dst, to);
}

/* The name server's answers over TCP are made here. */
static bool is_dns_tcp(const struct gateway *gw, const struct endpoint *dst)
{
	return gateway_has_dns(gw) && dst->port == DNS_PORT &&
	       gateway_is_dns(gw, &dst->ip);
}

static bool env_is_served(void *arg, const struct endpoint *dst)
{
	struct gateway *gw = arg;

	return is_dns_tcp(gw, dst) || gateway_is_served(gw, dst);
}

static int env_serve(void *arg, const struct nat_call *c)
{
	struct gateway *gw = arg;

	if (is_dns_tcp(gw, &c->server))
		return dns_tcp_open(gw->dns_tcp, &c->guest, c->guest_mac,
				    &c->server);
	return gateway_serve(gw, c);
}

static void dns_tcp_served(void *arg, const struct endpoint *guest,
			   const struct endpoint *server,
			   struct host_sock *far)
{
	struct gateway *gw = arg;

	tcp_serve_sock(gw->tcp, guest, server, far);
}

static bool env_neigh(void *arg, const addr *ip, mac *macp)
{
	struct gateway *gw = arg;

	return neigh_find(&gw->neigh, &gw->nat, ip, macp);
}

static void env_hold(void *arg, const addr *ip, const struct frame *f)
{
	struct gateway *gw = arg;

	held_add(&gw->held, ip, f);
}

void gateway_learn(struct gateway *gw, const addr *ip, mac m)
{
	neigh_learn(&gw->neigh, ip, m, lan_ingress(gw->nat.lan),
		    *gw->nat.now_ns);
	held_known(&gw->held);
	probe_heard(gw->probes, ip, m);
	if (gw->legs)
		gateway_legs_learn(gw, ip, m);
}

static bool env_source_ok(void *arg, const addr *src)
{
	return gateway_source_ok(arg, src);
}

static void env_refuse(void *arg, int fd, const struct endpoint *client,
		       const struct icmp_refusal *r)
{
	struct gateway *gw = arg;

	gw->refuse(gw->env_arg, gw->port.id, fd, client, r);
}

static bool has_other_router(const struct gateway_config *c)
{
	return !addr_is_unspecified(&c->router4) ||
	       !addr_is_unspecified(&c->router6);
}

/* What leads nowhere is not shown. */
static struct prefix nat64_prefix(const struct gateway_config *c)
{
	if (!c->nat64 || !c->v6.is_on || c->is_restricted ||
	    has_other_router(c))
		return (struct prefix){.len = 0};
	return NAT64_PREFIX;
}

static void init_env(struct gateway *gw, const struct gateway_env *env)
{
	const struct gateway_config *c = &gw->config;
	uint32_t mtu = c->mtu ? c->mtu : NAT_MTU;

	mtu = mtu < MTU_MIN ? MTU_MIN : mtu;
	gw->nat = (struct nat_env){
		.host = env->host,
		.wheel = env->wheel,
		.now_ns = env->now_ns,
		.drops = env->drops,
		.log = env->log,
		.lan = env->lan,
		.port = &gw->port,
		.gw_mac = serving_mac(&c->serving, &c->v4.gw),
		.v4 = c->v4,
		.v6 = c->v6,
		.hides_host = c->serving.hides_host,
		.host4 = c->serving.host4,
		.host6 = c->serving.host6,
		.ll6 = {{0xfe, 0x80, [15] = 2}},
		.nat64 = nat64_prefix(c),
		.mtu = mtu > MTU_MAX ? MTU_MAX : mtu,
		.has_other_router = has_other_router(c),
		.arg = gw,
		.redirect = env_redirect,
		.is_served = env_is_served,
		.serve = env_serve,
		.refuse = env->refuse ? env_refuse : NULL,
		.neigh = env_neigh,
		.hold = env_hold,
		.source_ok = env_source_ok,
	};
	gw->service = (struct service_env){
		.host = env->host,
		.wheel = env->wheel,
		.now_ns = env->now_ns,
		.drops = env->drops,
		.log = env->log,
		.port = &gw->port,
		.gw_mac = gw->nat.gw_mac,
		.v4 = c->v4,
		.v6 = c->v6,
		.ll6 = gw->nat.ll6,
		.nat64 = gw->nat.nat64,
		.mtu = gw->nat.mtu,
	};
	gw->tftp_files = env->tftp_files;
	gw->serve = env->serve;
	gw->refuse = env->refuse;
	gw->leases = env->leases;
	gw->machines = env->machines;
	gw->env_arg = env->arg;
	gw->dns_mac = serving_mac_of(&c->v4.dns);
	gw->broadcast4 = prefix_broadcast(&gw->nat.v4.net);
}

static void init_port(struct gateway *gw, const struct gateway_config *c)
{
	struct port *p = &gw->port;

	p->ops = &gateway_ops;
	p->id = c->id;
	p->caps = (struct port_caps){
		.offload = PORT_O_CSUM | PORT_O_TSO4 | PORT_O_TSO6 |
			   PORT_O_ECN | PORT_O_USO4 | PORT_O_USO6 |
			   PORT_O_UFO,
		.max_frame = FRAME_MAX,
		.queues = 1,
		.is_ours = true,
	};
	snprintf(p->name, sizeof(p->name), "%s", c->name ? c->name : "user");
}

static void report_unreachable(void *arg, const struct packet *pkt,
			       const struct frame *f, int err)
{
	icmp_errno(arg, err, 0, pkt, f);
}

static bool report_relay(void *arg, const struct icmp_relay *r)
{
	return icmp_relay(arg, r);
}

static void report_probe(void *arg, const struct packet *pkt,
			 const struct frame *f)
{
	icmp_probe(arg, pkt, f);
}

void gateway_tcp_reports(struct tcp *t, struct icmp *icmp)
{
	const struct tcp_report report = {.unreachable = report_unreachable,
					  .relay = report_relay,
					  .probe = report_probe,
					  .arg = icmp};

	tcp_set_report(t, &report);
}

static void dhcp_bound(void *arg, const addr *ip, mac m)
{
	struct gateway *gw = arg;

	gateway_learn(gw, ip, m);
	lan_heard(gw->port.lan, ip);
}

bool gateway_nameserver(const struct gateway *gw, bool is_v4, addr *ap)
{
	const struct gateway_config *c = &gw->config;
	const struct serving *v = &c->serving;

	*ap = (addr){{0}};
	if (v->has_nameserver) {
		if (addr_is_unspecified(&v->nameserver) ||
		    addr_is_v4(&v->nameserver) != is_v4)
			return false;
		*ap = v->nameserver;
		return true;
	}
	if (!gateway_has_dns(gw))
		return false;
	*ap = is_v4 ? gw->nat.v4.dns : gw->nat.v6.dns;
	return true;
}

static int make_dhcp6(struct gateway *gw, const struct dhcp_config *dc)
{
	addr dns;
	struct dhcp6_config c = {
		.domain = dc->domain,
		.n_search = dc->n_search,
		.hides_dns = !gateway_nameserver(gw, false, &dns),
		.nameserver = gw->config.serving.nameserver,
		.moves = gw->config.follows_host,
		.lease_s = dc->lease_s,
		.rules = gw->dhcp_rules,
		.probes = gw->probes,
	};

	_Static_assert((int)DHCP_SEARCH_NAMES == (int)DHCP6_SEARCH_NAMES,
		       "one bound");
	memcpy(c.search, dc->search, sizeof(c.search));
	return dhcp6_new(&gw->service, &c, dhcp_leases_of(gw->dhcp),
			 dhcp_bound, gw, &gw->dhcp6);
}

static int make_services(struct gateway *gw)
{
	const struct gateway_config *c = &gw->config;
	addr dns;
	struct dhcp_config dc = {
		.pool = {.first = c->dhcp_start4,
			 .last = c->serving.dhcp_last,
			 .lowest = c->serving.dhcp_lowest},
		.lease_s = c->serving.lease_s,
		.rules = gw->dhcp_rules,
		.probes = gw->probes,
		.n_kept = c->n_kept,
		.hostname = c->hostname,
		.domain = c->domainname,
		.n_search = c->n_dnssearch,
		.router = c->router4,
		.hides_router = c->is_restricted &&
				addr_is_unspecified(&c->router4),
		.hides_dns = !gateway_nameserver(gw, true, &dns),
		.nameserver = c->serving.nameserver,
	};
	int r;

	_Static_assert((int)DHCP_SEARCH_NAMES == (int)GATEWAY_SEARCH_MAX,
		       "one bound");
	_Static_assert((int)DNS_UPSTREAMS_MAX == (int)GATEWAY_RESOLVERS_MAX,
		       "one bound");
	for (unsigned i = 0; i < c->n_dnssearch; i++)
		dc.search[i] = c->dnssearch[i];
	r = dhcp_new(&gw->service, &dc, dhcp_bound, gw, &gw->dhcp);
	if (r == 0)
		dhcp_reserve(gw->dhcp, nat_host(&gw->nat, &gw->nat.v4));
	if (r == 0 && c->v6.is_on && !(c->serving.lacks & LACK_DHCP6))
		r = make_dhcp6(gw, &dc);
	if (r == 0)
		dhcp_reserve(gw->dhcp, nat_host(&gw->nat, &gw->nat.v6));
	if (r == 0)
		r = dns_new(&gw->service, &gw->dns);
	if (r == 0)
		r = dns_tcp_new(&gw->service, gw->dns, dns_tcp_served, gw,
				&gw->dns_tcp);
	if (r == 0 && c->serving.has_ntp)
		r = gateway_ntp_new(gw);
	if (r < 0)
		return r;
	gateway_names(gw);
	gateway_resolvers(gw, c->resolvers, c->n_resolvers);
	dns_ways(gw->dns, c->has_way6);
	return 0;
}

static int make_parts(struct gateway *gw)
{
	const struct hash_key seed = hash_key_new();
	struct gateway_legs *ls = gw->legs;
	const struct udp_config uc = {
		.share = ls ? &ls->udp_share : NULL,
		.holds = ls ? &ls->first->holds : NULL,
	};
	int r = icmp_new(&gw->nat, 0, &gw->icmp);

	gw->tcp_config = (struct tcp_config){
		.deny_peek_off = gw->config.deny_peek_off,
		.seed = {seed.k0, seed.k1},
		.share = ls ? ls->tcp_share : NULL,
		.holds = uc.holds,
	};
	if (r == 0)
		r = reasm_new(&gw->nat, gw->icmp, &gw->reasm);
	if (r == 0)
		r = udp_new(&gw->nat, gw->icmp, &uc, &gw->udp);
	if (r == 0)
		r = tcp_new(&gw->nat, &gw->tcp_config, &gw->tcp);
	if (r == 0)
		r = forward_new(&gw->nat, gw->tcp, gw->udp, &gw->forward);
	if (r == 0)
		gateway_tcp_reports(gw->tcp, gw->icmp);
	gw->dhcp_rules = r == 0 ? dhcp_rules_new() : NULL;
	if (r == 0 && !gw->dhcp_rules)
		r = -ENOMEM;
	gw->probes = r == 0 && gw->config.probes ? probes_new(&gw->service)
						 : NULL;
	if (r == 0 && gw->config.probes && !gw->probes)
		r = -ENOMEM;
	if (r == 0)
		r = make_services(gw);
	return r;
}

static bool carries_groups(const struct gateway_config *c)
{
	return c->has_multicast && !c->is_restricted;
}

/* What guests are told of a way out, by DHCP and by advertisements. */
static void note_ways(struct gateway *gw)
{
	gw->nat.lacks_way4 = gw->config.is_restricted;
	gw->nat.lacks_way6 = !gateway_is_way6(gw);
}

int gateway_new(const struct gateway_env *env, const struct gateway_config *c,
		struct gateway **gwp)
{
	struct gateway *gw = calloc(1, sizeof(*gw));
	int r;

	if (!gw)
		return -ENOMEM;
	gw->config = *c;
	gw->config.name = NULL; /* copied into the port */
	init_env(gw, env);
	note_ways(gw);
	init_port(gw, c);
	neigh_init(&gw->neigh);
	gateway_nd_init(gw);
	held_init(&gw->held, &gw->neigh, &gw->nat);
	querier_init(&gw->querier, &gw->nat, carries_groups(c));
	r = gateway_legs_new(gw, env);
	if (r == 0 && gw->legs)
		gw->nat.connect = gateway_legs_connect;
	if (r == 0)
		r = make_parts(gw);
	if (r == 0)
		gateway_lease_watch(gw);
	if (r == 0 && carries_groups(c))
		r = groups_new(&gw->nat, gw->udp, &gw->groups);
	if (r < 0) {
		(void)gateway_free(gw); /* NULL */
		return r;
	}
	lan_port_add(env->lan, &gw->port);
	r = gateway_legs_start(gw);
	if (r < 0) {
		(void)gateway_free(gw); /* NULL */
		return r;
	}
	lan_port_link(&gw->port, true);
	querier_listeners(&gw->querier);
	gateway_nd_start(gw);
	*gwp = gw;
	return 0;
}

struct gateway *gateway_free(struct gateway *gw)
{
	if (!gw)
		return NULL;
	/* The parts say good-bye to the guests: the port goes last. */
	gateway_legs_stop(gw);
	gw->forward = forward_free(gw->forward);
	gw->groups = groups_free(gw->groups);
	gw->tcp = tcp_free(gw->tcp);
	gw->udp = udp_free(gw->udp);
	gateway_nd_stop(gw);
	gw->reasm = reasm_free(gw->reasm);
	gw->icmp = icmp_free(gw->icmp);
	gw->tftp = tftp_free(gw->tftp);
	gw->dns_tcp = dns_tcp_free(gw->dns_tcp);
	gw->ntp = ntp_free(gw->ntp);
	gw->dns = dns_free(gw->dns);
	gw->probes = probes_free(gw->probes);
	gw->dhcp6 = dhcp6_free(gw->dhcp6);
	gw->dhcp = dhcp_free(gw->dhcp);
	gw->dhcp_rules = dhcp_rules_free(gw->dhcp_rules);
	held_deinit(&gw->held);
	querier_deinit(&gw->querier);
	lan_port_del(&gw->port);
	gateway_legs_free(gw);
	free(gw);
	return NULL;
}

struct port *gateway_port(struct gateway *gw)
{
	return &gw->port;
}

void gateway_resolvers(struct gateway *gw, const struct endpoint *r, unsigned n)
{
	const struct endpoint own = {.ip = gw->config.serving.resolver,
				     .port = DNS_PORT};

	if (addr_is_unspecified(&own.ip))
		dns_set_upstreams(gw->dns, r, n);
	else
		dns_set_upstreams(gw->dns, &own, 1);
}

void gateway_network(struct gateway *gw, const addr *gone, unsigned n)
{
	/* UDP and ping need nothing: their sockets are bound to no address. */
	if (n) {
		tcp_addrs_gone(gw->tcp, gone, n);
		gateway_pause(gw);
		gateway_legs_network(gw, gone, n);
		gateway_resume(gw);
	}
	dns_network(gw->dns);
}

void gateway_ways(struct gateway *gw, bool has_v4, bool has_v6)
{
	struct gateway_config *c = &gw->config;
	bool was_out = gateway_is_way6(gw), lost4 = c->has_way4 && !has_v4,
	     lost6 = c->has_way6 && !has_v6;

	gateway_pause(gw);
	c->has_way4 = has_v4;
	c->has_way6 = has_v6;
	note_ways(gw);
	if (lost4)
		gateway_legs_way_gone(gw, true);
	if (lost6)
		gateway_legs_way_gone(gw, false);
	gateway_resume(gw);
	dns_ways(gw->dns, has_v6);
	if (gateway_is_way6(gw) != was_out)
		gateway_nd_changed(gw);
	if (lost4)
		tcp_way_gone(gw->tcp, true);
	if (lost6)
		tcp_way_gone(gw->tcp, false);
}

void gateway_links(struct gateway *gw, uint32_t v4, uint32_t v6)
{
	if (gw->groups)
		groups_links(gw->groups, v4, v6);
}

int gateway_forward_add(struct gateway *gw, const struct gateway_forward *f)
{
	struct endpoint guest = f->guest;
	int r;

	if (addr_is_unspecified(&guest.ip))
		guest.ip = gw->config.dhcp_start4;
	/* Anybody else would not be asked for on this wire. */
	if (!gateway_source_ok(gw, &guest.ip))
		return -EINVAL;
	r = forward_add(gw->forward, f->id, f->proto, f->fd, &guest,
			&f->rules);
	if (r == 0 && f->proto == IPPROTO_UDP)
		gateway_legs_forward_to(gw, guest.port);
	return r;
}

int gateway_forward_del(struct gateway *gw, uint32_t id)
{
	int r = forward_del(gw->forward, id);

	if (r == 0)
		gateway_legs_forwards(gw);
	return r;
}
