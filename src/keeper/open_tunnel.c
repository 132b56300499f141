/* SPDX-License-Identifier: BSD-3-Clause */
/* Openers of l2tpv3 and vxlan: a socket, the peers' addresses, and what of a
 * machine's packets goes through whole. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/tunnel_opts.h"
#include "keeper/plan.h"
#include "os/sock.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/l2tpv3.h"
#include "wire/udp.h"
#include "wire/vxlan.h"

enum {
	PROTO_L2TP = 115,
	MTU_MIN4 = 576,	 /* RFC 791: what every host takes */
	MTU_MIN6 = 1280, /* RFC 8200 5 */
};

/* Of which family an address is as it is written. */
static enum sock_way way_of(const char *text)
{
	addr ip;

	if (text && strchr(text, ':'))
		return SOCK_V6;
	return text && addr_parse(text, &ip) ? SOCK_V4 : SOCK_ANY;
}

static enum sock_way way_like(const addr *ip)
{
	return addr_is_v4(ip) ? SOCK_V4 : SOCK_V6;
}

/* ---- the machines' MTU ---- */

/* Machines' packets of that many bytes go to the peer in one packet, hdr_len
 * being what stands between IP's header and theirs. */
static uint32_t inner_mtu(const struct sock_tunnel *t, size_t hdr_len)
{
	uint32_t mtu = sock_tunnel_mtu(t);
	size_t around = hdr_len + ip_hdr_len(&t->remote);

	return mtu > around ? mtu - (uint32_t)around : 0;
}

static void tell(const struct plan_netdev *n, struct plan_netdev *user)
{
	struct msg_user_add *m = &user->order.user_add;
	uint32_t least = m->v6.is_on ? MTU_MIN6 : MTU_MIN4;
	uint32_t mtu = n->inner_mtu < least ? least : n->inner_mtu;

	if (mtu >= m->mtu || spec_has(user->spec, "mtu"))
		return;
	m->mtu = mtu;
	log_info(n->log, "%s: %s tells machines an MTU of %u", n->name,
		 user->name, mtu);
}

void tunnel_tell_mtu(struct plan *p)
{
	struct plan_netdev *user = plan_gateway(p);

	list_each(it, &p->netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (user && n->inner_mtu && n->lan == user->lan)
			tell(n, user);
	}
}

/* Frames to it would come back to us. */
static bool is_own(const struct sock_tunnel *t, const addr *remote)
{
	return addr_eq(&t->local.ip, remote) ||
	       (addr_is_unspecified(&t->local.ip) && sock_has_address(remote));
}

static void say(const struct plan_netdev *n)
{
	if (n->inner_mtu)
		log_info(n->log, "%s: %s, packets of %u bytes go whole",
			 n->name, n->about, n->inner_mtu);
	else /* it may come */
		log_warn(n->log, "%s: %s: the host has no way there", n->name,
			 n->about);
}

/* ---- l2tpv3 ---- */

static int resolve_end(const struct plan_netdev *n, const char *key,
		       enum sock_way way, struct endpoint *ep, struct error *e)
{
	bool is_src = strcmp(key, "src") == 0;
	const char *port = spec_str(n->spec, is_src ? "srcport" : "dstport");
	int r = sock_resolve_as(spec_str(n->spec, key), port, way, ep, e);

	if (!port)
		ep->port = 0;
	if (r < 0)
		error_prefix(e, "l2tpv3: could not resolve %s%s: ", key,
			     way == SOCK_V4   ? " over IPv4"
			     : way == SOCK_V6 ? " over IPv6"
					      : "");
	return r;
}

static int resolve_ends(const struct plan_netdev *n, struct endpoint *src,
			struct endpoint *dst, struct error *e)
{
	enum sock_way way = way_of(spec_str(n->spec, "src"));
	int r;

	if (way == SOCK_ANY)
		way = way_of(spec_str(n->spec, "dst"));
	if (spec_has(n->spec, "ipv6"))
		way = spec_bool(n->spec, "ipv6") ? SOCK_V6 : SOCK_V4;
	r = resolve_end(n, "src", way, src, e);
	if (r == 0)
		r = resolve_end(n, "dst", way_like(&src->ip), dst, e);
	if (r == 0 && !addr_is_unicast(&dst->ip) && !addr_is_loopback(&dst->ip))
		r = error_set(e, EXIT_USAGE,
			      "l2tpv3: dst=%s is nobody's address; give the "
			      "peer's",
			      spec_str(n->spec, "dst"));
	return r;
}

static void l2tpv3_order(struct plan_netdev *n, const struct endpoint *dst)
{
	struct msg_l2tpv3_add *m = &n->order.l2tpv3_add;
	const struct netdev_spec *s = n->spec;

	m->port = n->id;
	m->lan = n->lan;
	m->is_udp = spec_bool(s, "udp");
	if (spec_has(s, "txcookie"))
		m->cookie_len = spec_bool(s, "cookie64") ? 8 : 4;
	m->has_counter = spec_bool(s, "counter");
	m->pins_counter = spec_bool(s, "pincounter");
	m->offset = (uint32_t)spec_u64(s, "offset");
	m->tx_session = (uint32_t)spec_u64(s, "txsession");
	m->rx_session = spec_has(s, "rxsession")
				? (uint32_t)spec_u64(s, "rxsession")
				: m->tx_session;
	m->tx_cookie = spec_u64(s, "txcookie");
	m->rx_cookie = spec_u64(s, "rxcookie");
	m->remote = *dst;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_L2TPV3_ADD;
}

static size_t l2tpv3_around(const struct msg_l2tpv3_add *m)
{
	const struct l2tpv3_form f = {
		.is_udp = m->is_udp,
		.cookie_len = m->cookie_len,
		.has_counter = m->has_counter,
		.offset = m->offset,
	};

	return (m->is_udp ? UDP_HDR_LEN : 0u) + l2tpv3_len(&f) + ETH_HDR_LEN;
}

int open_l2tpv3(struct plan_netdev *n, struct error *e)
{
	struct sock_tunnel t = {0};
	struct endpoint dst;
	struct msg_l2tpv3_add *m = &n->order.l2tpv3_add;
	char from[ENDPOINT_STRLEN], to[ENDPOINT_STRLEN];
	int fd, r = resolve_ends(n, &t.local, &dst, e);

	if (r < 0)
		return r;
	l2tpv3_order(n, &dst);
	t.remote = dst.ip;
	fd = m->is_udp ? sock_tunnel_udp(&t, e)
		       : sock_tunnel_raw(&t, PROTO_L2TP, e);
	if (fd < 0) {
		error_prefix(e, "l2tpv3: ");
		return fd;
	}
	n->fds[n->n_fds++] = fd;
	if (t.local.port == dst.port && is_own(&t, &dst.ip) &&
	    m->tx_session == m->rx_session)
		return error_set(e, EXIT_USAGE,
				 "l2tpv3: src and dst are one, and so are the "
				 "sessions: it would hear itself; give "
				 "rxsession=");
	n->inner_mtu = inner_mtu(&t, l2tpv3_around(m));
	snprintf(n->about, sizeof(n->about), "%s%s to %s, session %u",
		 m->is_udp ? "udp:" : "ip:",
		 m->is_udp ? endpoint_format(&t.local, from)
			   : addr_format(&t.local.ip, from),
		 m->is_udp ? endpoint_format(&dst, to)
			   : addr_format(&dst.ip, to),
		 m->tx_session);
	say(n);
	return 0;
}

/* ---- vxlan ---- */

static int add_remote(struct msg_vxlan_add *m, const char *text,
		      const struct sock_tunnel *t, struct error *e)
{
	struct endpoint ep;
	int r = sock_resolve_as(text, NULL, way_like(&t->local.ip), &ep, e);

	if (r < 0) {
		error_prefix(e, "vxlan: remote=%s: ", text);
		return r;
	}
	for (unsigned i = 0; i < m->n_remotes; i++) {
		if (addr_eq(&m->remote[i], &ep.ip))
			return error_set(e, EXIT_USAGE,
					 "vxlan: remote=%s is given twice; "
					 "leave one out",
					 text);
	}
	if (!addr_is_unicast(&ep.ip) && !addr_is_loopback(&ep.ip))
		return error_set(e, EXIT_USAGE,
				 "vxlan: remote=%s is no peer's address; name "
				 "each peer",
				 text);
	if (is_own(t, &ep.ip))
		return error_set(e, EXIT_USAGE,
				 "vxlan: remote=%s is this end; name the "
				 "others, and with local= this one",
				 text);
	m->remote[m->n_remotes++] = ep.ip;
	return 0;
}

/* This end: local=, or any address of the family of the first peer. */
static int resolve_local(const struct netdev_spec *s, const char *first,
			 struct endpoint *ep, struct error *e)
{
	const char *local = spec_str(s, "local");
	enum sock_way way = local ? way_of(local) : SOCK_ANY;
	int r;

	if (way == SOCK_ANY)
		way = way_of(first);
	r = sock_resolve_as(local ? local : first, NULL, way, ep, e);
	if (r < 0)
		error_prefix(e, "vxlan: %s=%s: ", local ? "local" : "remote",
			     local ? local : first);
	else if (!local)
		ep->ip = addr_is_v4(&ep->ip) ? addr_v4(0, 0, 0, 0) : (addr){0};
	ep->port = (uint16_t)spec_u64(s, "port");
	return r;
}

static int resolve_all(const struct netdev_spec *s, struct sock_tunnel *t,
		       struct msg_vxlan_add *m, struct error *e)
{
	size_t k;
	const char *const *list = spec_list(s, "remote", &k);
	int r = resolve_local(s, list[0], &t->local, e);

	_Static_assert((int)ENGINE_REMOTES_MAX == (int)TUNNEL_REMOTES_MAX,
		       "one bound");
	for (size_t i = 0; i < k && r == 0; i++)
		r = add_remote(m, list[i], t, e);
	return r;
}

/* Of each of the ways, and of the worst of them. */
static uint32_t vxlan_inner_mtu(struct sock_tunnel *t, struct msg_vxlan_add *m)
{
	const size_t around = UDP_HDR_LEN + VXLAN_HDR_LEN + ETH_HDR_LEN;
	uint32_t least = UINT32_MAX;

	for (unsigned i = 0; i < m->n_remotes; i++) {
		t->remote = m->remote[i];
		m->mtu[i] = inner_mtu(t, around);
		if (m->mtu[i] && m->mtu[i] < least)
			least = m->mtu[i];
	}
	return least == UINT32_MAX ? 0 : least;
}

int open_vxlan(struct plan_netdev *n, struct error *e)
{
	struct msg_vxlan_add *m = &n->order.vxlan_add;
	struct sock_tunnel t = {
		.sets_df = strcmp(spec_str(n->spec, "df"), "set") == 0,
		.ttl = (uint8_t)spec_u64(n->spec, "ttl"),
	};
	char text[ENDPOINT_STRLEN];
	int fd, r = resolve_all(n->spec, &t, m, e);

	if (r < 0)
		return r;
	fd = sock_tunnel_udp(&t, e);
	if (fd < 0) {
		error_prefix(e, "vxlan: ");
		return fd;
	}
	n->fds[n->n_fds++] = fd;
	m->port = n->id;
	m->lan = n->lan;
	m->vni = (uint32_t)spec_u64(n->spec, "vni");
	m->learns = spec_bool(n->spec, "learning");
	m->ageing = (uint32_t)spec_u64(n->spec, "ageing");
	m->remote_port = t.local.port;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_VXLAN_ADD;
	n->inner_mtu = vxlan_inner_mtu(&t, m);
	snprintf(n->about, sizeof(n->about), "udp:%s, network %u, %u peer%s",
		 endpoint_format(&t.local, text), m->vni, m->n_remotes,
		 m->n_remotes == 1 ? "" : "s");
	say(n);
	return 0;
}
