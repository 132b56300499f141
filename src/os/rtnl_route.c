/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes by rtnetlink; see rtnl.h.  A route is kept as the kernel told it, so
 * that metrics, preferred sources, several nexthops and what later kernels
 * invent come back with it.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/rtnl.h"
#include "os/rtnl_priv.h"

enum {
	HEAD = sizeof(struct rtmsg),
	USER_HZ = 100, /* what the kernel counts lives in */
};

/* The attributes, one after the other: the next at *offp, which is moved on;
 * NULL at the end, or where one does not lie within the route. */
static const struct nlattr *next_attr(const struct rtnl_route *t,
				      unsigned *offp)
{
	struct nlattr a;
	unsigned off = *offp;

	if (off >= t->len || t->len - off < sizeof(a))
		return NULL;
	memcpy(&a, t->raw + off, sizeof(a));
	if (a.nla_len < sizeof(a) || a.nla_len > t->len - off)
		return NULL;
	*offp = off + MNL_ALIGN(a.nla_len);
	return (const struct nlattr *)(const void *)(t->raw + off);
}

static const struct nlattr *find(const struct rtnl_route *t, unsigned type)
{
	const struct nlattr *a;
	unsigned off = HEAD;

	while ((a = next_attr(t, &off))) {
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
	}
	return NULL;
}

/* The nexthops within RTA_MULTIPATH; NULL as next_attr(). */
static struct rtnexthop *next_hop(const struct nlattr *multi, unsigned *offp)
{
	unsigned len = mnl_attr_get_payload_len(multi), off = *offp;
	char *p = mnl_attr_get_payload(multi);
	struct rtnexthop *h = (struct rtnexthop *)(void *)(p + off);

	if (off >= len || len - off < sizeof(*h) || h->rtnh_len < sizeof(*h) ||
	    h->rtnh_len > len - off)
		return NULL;
	*offp = off + RTNH_ALIGN(h->rtnh_len);
	return h;
}

static bool has_sound_hops(const struct nlattr *multi)
{
	unsigned off = 0;

	while (next_hop(multi, &off))
		;
	return off >= mnl_attr_get_payload_len(multi);
}

bool rtnl_route_is_sound(const struct rtnl_route *t)
{
	const struct nlattr *a;
	unsigned off = HEAD;

	if (t->len < HEAD || t->len > RTNL_ROUTE_MAX)
		return false;
	while ((a = next_attr(t, &off))) {
		unsigned type = a->nla_type & NLA_TYPE_MASK;

		if (type == RTA_OIF && mnl_attr_get_payload_len(a) != 4)
			return false;
		if (type == RTA_MULTIPATH && !has_sound_hops(a))
			return false;
	}
	return off >= t->len;
}

int rtnl_route_index(const struct rtnl_route *t)
{
	const struct nlattr *a = find(t, RTA_OIF);

	return a ? (int)mnl_attr_get_u32(a) : 0;
}

static bool leaves_by(const struct rtnl_route *t, int index)
{
	const struct nlattr *multi = find(t, RTA_MULTIPATH);
	const struct rtnexthop *h;
	unsigned off = 0;

	if (rtnl_route_index(t) == index)
		return true;
	while (multi && (h = next_hop(multi, &off))) {
		if (h->rtnh_ifindex == index)
			return true;
	}
	return false;
}

/* ---- reading ---- */

/* What is being made of one message. */
struct reader {
	struct rtnl_route t;
	bool is_long; /* it did not fit */
};

static void put(struct reader *r, uint16_t type, const void *p, uint16_t len)
{
	const struct nlattr a = {
		.nla_len = (uint16_t)(sizeof(a) + len),
		.nla_type = type,
	};
	unsigned room = MNL_ALIGN(a.nla_len);

	if (room > (unsigned)(RTNL_ROUTE_MAX - r->t.len)) {
		r->is_long = true;
		return;
	}
	memcpy(r->t.raw + r->t.len, &a, sizeof(a));
	memcpy(r->t.raw + r->t.len + sizeof(a), p, len);
	r->t.len = (uint16_t)(r->t.len + room);
}

/* A life that ends is told in ticks, and asked for in seconds. */
static void put_expires(struct reader *r, const struct nlattr *a)
{
	struct rta_cacheinfo c;
	uint32_t s;

	if (mnl_attr_get_payload_len(a) < sizeof(c))
		return;
	memcpy(&c, mnl_attr_get_payload(a), sizeof(c));
	if (c.rta_expires <= 0)
		return;
	s = (uint32_t)c.rta_expires / USER_HZ + 1;
	put(r, RTA_EXPIRES, &s, sizeof(s));
}

static int on_attr(const struct nlattr *a, void *data)
{
	struct reader *r = data;

	switch (mnl_attr_get_type(a)) {
	case RTA_CACHEINFO:
		put_expires(r, a);
		break;
	case RTA_EXPIRES:
	case RTA_UID:
	case RTA_IIF:
		break;
	default: /* as it is */
		put(r, a->nla_type, mnl_attr_get_payload(a),
		    mnl_attr_get_payload_len(a));
	}
	return MNL_CB_OK;
}

/* What a nexthop happens to be in is no wish of anybody. */
static void forget_state(struct rtnl_route *t)
{
	const struct nlattr *a = find(t, RTA_MULTIPATH);
	struct rtnexthop *h;
	unsigned off = 0;

	while (a && (h = next_hop(a, &off)))
		h->rtnh_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
}

struct route_list {
	int index;
	struct rtnl_route *v; /* owned */
	unsigned n;
};

static void route_list_again(void *arg)
{
	struct route_list *l = arg;

	l->n = 0;
}

static uint32_t table_of(const struct rtnl_route *t)
{
	const struct nlattr *a = find(t, RTA_TABLE);
	struct rtmsg m;

	memcpy(&m, t->raw, sizeof(m));
	if (a && mnl_attr_get_payload_len(a) == sizeof(uint32_t))
		return mnl_attr_get_u32(a);
	return m.rtm_table;
}

/* Made by the kernel with the link's own link-local address. */
static bool is_link_local(const struct rtnl_route *t)
{
	const struct nlattr *a = find(t, RTA_DST);
	const uint8_t *p;
	struct rtmsg m;

	memcpy(&m, t->raw, sizeof(m));
	if (m.rtm_family != AF_INET6 || !a ||
	    mnl_attr_get_payload_len(a) != sizeof(addr))
		return false;
	p = mnl_attr_get_payload(a);
	return p[0] == 0xff || (p[0] == 0xfe && (p[1] & 0xc0) == 0x80);
}

static int keep(struct route_list *l, const struct rtnl_route *t)
{
	struct rtnl_route *more = reallocarray(l->v, l->n + 1, sizeof(*more));

	if (!more) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	l->v = more;
	l->v[l->n++] = *t;
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct reader r = {.t = {.len = HEAD}};
	struct route_list *l = data;
	struct rtmsg wish;

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
	    (m->rtm_family != AF_INET && m->rtm_family != AF_INET6) ||
	    m->rtm_flags & RTM_F_CLONED)
		return MNL_CB_OK;
	wish = *m;
	wish.rtm_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
	memcpy(r.t.raw, &wish, sizeof(wish));
	(void)mnl_attr_parse(h, sizeof(*m), on_attr, &r); /* never fails */
	/* A long one may name our link in the part that is missing; of those
	 * by other links there may be any. */
	if (r.is_long && !find(&r.t, RTA_OIF)) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	if (!rtnl_route_is_sound(&r.t) || !leaves_by(&r.t, l->index) ||
	    table_of(&r.t) == RT_TABLE_LOCAL || is_link_local(&r.t))
		return MNL_CB_OK;
	if (r.is_long) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	forget_state(&r.t);
	return keep(l, &r.t);
}

int rtnl_route_list(int index, struct rtnl_route **vp)
{
	struct route_list l = {.index = index};
	int r = rtnl_dump(RTM_GETROUTE, on_route, &l, route_list_again);

	if (r < 0) {
		free(l.v);
		return r;
	}
	*vp = l.v;
	return (int)l.n;
}

/* ---- asking ---- */

static int request(const struct rtnl_route *t, uint16_t type, uint16_t flags)
{
	_Alignas(4) char buf[RTNL_ROUTE_MAX + 64];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	void *to;

	if (!rtnl_route_is_sound(t))
		return -EINVAL;
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = 1;
	to = mnl_nlmsg_put_extra_header(h, t->len);
	memcpy(to, t->raw, t->len);
	return rtnl_talk(h);
}

int rtnl_route_add(const struct rtnl_route *t)
{
	return request(t, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND);
}

int rtnl_route_del(const struct rtnl_route *t)
{
	return request(t, RTM_DELROUTE, 0);
}

static int on_answer(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct reader *r = data;

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	r->t.len = HEAD;
	memcpy(r->t.raw, m, sizeof(*m));
	(void)mnl_attr_parse(h, sizeof(*m), on_attr, r); /* never fails */
	return MNL_CB_OK;
}

int rtnl_route_find(const addr *to, struct rtnl_route *t)
{
	char buf[128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct reader r = {.t = {.len = 0}};
	bool is_v4 = addr_is_v4(to);
	struct rtmsg *m;
	int res;

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = is_v4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = is_v4 ? 32 : 128;
	mnl_attr_put(h, RTA_DST, is_v4 ? 4 : 16, to->b + (is_v4 ? 12 : 0));
	res = rtnl_exchange(h, on_answer, &r);
	if (res == 0 && !rtnl_route_is_sound(&r.t))
		res = -EBADMSG;
	if (res == 0)
		*t = r.t;
	return res;
}

bool rtnl_route_is_direct(const struct rtnl_route *t, int index)
{
	struct rtmsg m;

	memcpy(&m, t->raw, sizeof(m));
	return m.rtm_type == RTN_UNICAST && rtnl_route_index(t) == index &&
	       !rtnl_route_has_gateway(t);
}

bool rtnl_route_is_local(const struct rtnl_route *t)
{
	struct rtmsg m;

	memcpy(&m, t->raw, sizeof(m));
	return m.rtm_type == RTN_LOCAL;
}

struct rtnl_route rtnl_route_via(const struct prefix *to, const addr *router,
				 int index)
{
	struct reader r = {.t = {.len = HEAD}};
	bool is_v4 = addr_is_v4(router);
	unsigned skip = is_v4 ? 12 : 0;
	struct rtmsg m = {
		.rtm_family = is_v4 ? AF_INET : AF_INET6,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};

	if (to->len)
		m.rtm_dst_len = (uint8_t)(to->len - skip * 8);
	memcpy(r.t.raw, &m, HEAD);
	if (to->len)
		put(&r, RTA_DST, to->ip.b + skip, (uint16_t)(16 - skip));
	put(&r, RTA_GATEWAY, router->b + skip, (uint16_t)(16 - skip));
	put(&r, RTA_OIF, &index, sizeof(index));
	return r.t;
}

struct rtnl_route rtnl_route_to(const addr *to, const addr *from, int index)
{
	struct reader r = {.t = {.len = HEAD}};
	bool is_v4 = addr_is_v4(to);
	unsigned skip = is_v4 ? 12 : 0;
	struct rtmsg m = {
		.rtm_family = is_v4 ? AF_INET : AF_INET6,
		.rtm_dst_len = is_v4 ? 32 : 128,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = is_v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};

	memcpy(r.t.raw, &m, HEAD);
	put(&r, RTA_DST, to->b + skip, (uint16_t)(16 - skip));
	put(&r, RTA_PREFSRC, from->b + skip, (uint16_t)(16 - skip));
	put(&r, RTA_OIF, &index, sizeof(index));
	return r.t;
}

static bool is_ip(const struct nlattr *a, const addr *ip)
{
	unsigned skip = addr_is_v4(ip) ? 12 : 0;

	return mnl_attr_get_payload_len(a) == 16 - skip &&
	       memcmp(mnl_attr_get_payload(a), ip->b + skip, 16 - skip) == 0;
}

/* Of one nexthop of several. */
static bool hop_has_router(const struct rtnexthop *h, const addr *router)
{
	const char *p = (const char *)h + sizeof(*h);
	size_t left = h->rtnh_len - sizeof(*h), step;

	while (left >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const void *)p;

		if (a->nla_len < sizeof(*a) || a->nla_len > left)
			return false;
		if ((a->nla_type & NLA_TYPE_MASK) == RTA_GATEWAY &&
		    is_ip(a, router))
			return true;
		step = (size_t)MNL_ALIGN(a->nla_len);
		if (step >= left)
			return false;
		left -= step;
		p += step;
	}
	return false;
}

bool rtnl_route_has_router(const struct rtnl_route *t, const addr *router)
{
	const struct nlattr *gw = find(t, RTA_GATEWAY);
	const struct nlattr *multi = find(t, RTA_MULTIPATH);
	const struct rtnexthop *h;
	unsigned off = 0;

	if (gw && is_ip(gw, router))
		return true;
	while (multi && (h = next_hop(multi, &off))) {
		if (hop_has_router(h, router))
			return true;
	}
	return false;
}

struct rtnl_route rtnl_route_by(const struct rtnl_route *t, int from, int to)
{
	struct reader r = {.t = {.len = HEAD}};
	const struct nlattr *a;
	struct rtnexthop *h;
	unsigned off = HEAD;

	memcpy(r.t.raw, t->raw, HEAD);
	while ((a = next_attr(t, &off))) {
		const void *p = mnl_attr_get_payload(a);

		if ((a->nla_type & NLA_TYPE_MASK) == RTA_EXPIRES)
			continue;
		if ((a->nla_type & NLA_TYPE_MASK) == RTA_OIF)
			p = &to;
		put(&r, a->nla_type, p, mnl_attr_get_payload_len(a));
	}
	a = find(&r.t, RTA_MULTIPATH);
	off = 0;
	while (a && (h = next_hop(a, &off))) {
		if (h->rtnh_ifindex == from)
			h->rtnh_ifindex = to;
	}
	return r.t;
}

bool rtnl_route_has_gateway(const struct rtnl_route *t)
{
	return find(t, RTA_GATEWAY) || find(t, RTA_VIA) ||
	       find(t, RTA_MULTIPATH);
}

bool rtnl_route_has_nexthop_id(const struct rtnl_route *t)
{
	return find(t, RTA_NH_ID);
}

/* ---- text ---- */

static const char *ip_text(const struct nlattr *a, char *buf)
{
	addr ip = {{0}};

	if (mnl_attr_get_payload_len(a) == 4)
		ip = addr_v4_bytes(mnl_attr_get_payload(a));
	else if (mnl_attr_get_payload_len(a) == sizeof(ip.b))
		memcpy(ip.b, mnl_attr_get_payload(a), sizeof(ip.b));
	return addr_format(&ip, buf);
}

const char *rtnl_route_format(const struct rtnl_route *t, char *buf)
{
	const struct nlattr *dst = find(t, RTA_DST);
	const struct nlattr *gw = find(t, RTA_GATEWAY);
	const struct nlattr *metric = find(t, RTA_PRIORITY);
	uint32_t table = table_of(t);
	size_t room = RTNL_ROUTE_STRLEN;
	char ip[ADDR_STRLEN];
	struct rtmsg m;
	int n;

	memcpy(&m, t->raw, sizeof(m));
	if (dst)
		n = snprintf(buf, room, "%s/%u", ip_text(dst, ip),
			     m.rtm_dst_len);
	else
		n = snprintf(buf, room, "default");
	if (gw)
		n += snprintf(buf + n, room - (size_t)n, " via %s",
			      ip_text(gw, ip));
	else if (rtnl_route_has_gateway(t))
		n += snprintf(buf + n, room - (size_t)n, " via several");
	if (metric && mnl_attr_get_payload_len(metric) == sizeof(uint32_t))
		n += snprintf(buf + n, room - (size_t)n, " metric %u",
			      mnl_attr_get_u32(metric));
	if (table != RT_TABLE_MAIN)
		snprintf(buf + n, room - (size_t)n, " table %u", table);
	return buf;
}
