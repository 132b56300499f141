/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who listens to which group; see snoop.h.
 *
 * A listener is on three lists: its group's, its port's and, by the group, the
 * table's.  Tables are bounded and filled by guests: where one is full, the
 * port gets every group for as long as the listener would have been known.
 */
#include "lan/snoop.h"

#include <errno.h>
#include <netinet/in.h>

#include "lan/lan_priv.h"
#include "wire/eth.h"
#include "wire/igmp.h"
#include "wire/ip.h"
#include "wire/mld.h"
#include "wire/packet.h"

enum {
	MSG_MAX = 2048,	   /* longest message that is looked into */
	IP4_ALERT = 0x94,  /* RFC 2113 */
	IP6_ALERT = 5,	   /* RFC 2711 */
	IP6_NEXT_AT = 6,
	ALERT_LEN = 2,	   /* of its value */
	IP4_RESERVED = 240, /* from this first byte on: nobody's */
	OPTION_END = 0,	   /* IPv4's .. */
	OPTION_NOP = 1,
	OPTION_PAD1 = 0,   /* .. and IPv6's */
	OPTION_PADN = 1,
};

/* From when on is all known of a port that is asked for the first time: hosts
 * use all of the time they are given. */
#define ANSWER_NS SNOOP_SECOND

struct snoop_group {
	addr ip;
	struct snoop_group *next; /* in the chain */
	struct list listeners;	  /* of snoop_listener.link_group */
	struct list link;	  /* in snoop.by_group */
};

struct snoop_listener {
	struct snoop_group *group;
	struct port *port;	/* borrowed; forgotten before it goes */
	uint64_t until_ns;
	struct list link_group;
	struct list link_port;	/* in port.listens */
};

/* A frame, as far as it concerns groups. */
struct seen {
	const struct frame *f;
	struct packet pkt;
	struct group_msg msg;
	uint8_t b[MSG_MAX];	/* what msg points into */
};

static enum port_family family_of(const addr *group)
{
	return addr_is_v4(group) ? PORT_V4 : PORT_V6;
}

static struct snoop_group **chain(struct snoop *s, const addr *ip)
{
	return &s->bucket[hash_bytes(&s->key, ip->b, sizeof(ip->b)) %
			  SNOOP_BUCKETS];
}

static struct snoop_group *group_find(struct snoop *s, const addr *ip)
{
	struct snoop_group *g = *chain(s, ip);

	while (g && !addr_eq(&g->ip, ip))
		g = g->next;
	return g;
}

/* Tells the ports that want to know (the gateway). */
static void tell(struct lan *lan, const struct port *but)
{
	list_each(it, &lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p != but && p->ops->listeners)
			p->ops->listeners(p);
	}
}

/* Its last listener is gone, which was behind p. */
static void group_free(struct snoop *s, struct snoop_group *g, struct port *p)
{
	struct snoop_group **pp = chain(s, &g->ip);

	while (*pp != g)
		pp = &(*pp)->next;
	*pp = g->next;
	list_del(&g->link);
	slab_free(&s->groups, g);
	tell(p->lan, p);
}

static void listener_free(struct snoop *s, struct snoop_listener *l)
{
	struct snoop_group *g = l->group;
	struct port *p = l->port;
	bool is_last = g->listeners.next == g->listeners.prev;

	list_del(&l->link_group);
	list_del(&l->link_port);
	p->n_listens--;
	slab_free(&s->listeners, l);
	if (is_last)
		group_free(s, g, p);
}

/* Forgets those of g whose time is up; the next of the others comes at
 * *nextp. */
static void age_group(struct snoop *s, struct snoop_group *g, uint64_t now_ns,
		      uint64_t *nextp)
{
	struct list *it = g->listeners.next;
	bool is_last;

	do {
		struct snoop_listener *l =
			container_of(it, struct snoop_listener, link_group);

		it = it->next;
		is_last = it == &g->listeners; /* g may be gone after it */
		if (l->until_ns <= now_ns)
			listener_free(s, l);
		else if (l->until_ns < *nextp)
			*nextp = l->until_ns;
	} while (!is_last);
}

static void age_fire(struct timer *t, uint64_t now_ns)
{
	struct snoop *s = container_of(t, struct snoop, age_timer);
	uint64_t next_ns = UINT64_MAX;

	list_each_safe(it, &s->by_group)
		age_group(s, container_of(it, struct snoop_group, link),
			  now_ns, &next_ns);
	if (next_ns != UINT64_MAX)
		timer_arm(s->wheel, t, next_ns);
}

int snoop_init(struct snoop *s, struct timer_wheel *wheel)
{
	*s = (struct snoop){.wheel = wheel, .key = hash_key_new()};
	list_init(&s->by_group);
	timer_init(&s->age_timer, age_fire);
	if (slab_init(&s->listeners, sizeof(struct snoop_listener),
		      SNOOP_MAX) < 0 ||
	    slab_init(&s->groups, sizeof(struct snoop_group), SNOOP_MAX) < 0) {
		snoop_deinit(s);
		return -ENOMEM;
	}
	return 0;
}

void snoop_deinit(struct snoop *s)
{
	if (s->wheel)
		timer_disarm(s->wheel, &s->age_timer);
	slab_deinit(&s->listeners);
	slab_deinit(&s->groups);
	*s = (struct snoop){0};
}

static struct snoop_group *group_get(struct snoop *s, const addr *ip)
{
	struct snoop_group **pp, *g = group_find(s, ip);

	if (g)
		return g;
	g = slab_alloc(&s->groups);
	if (!g)
		return NULL;
	pp = chain(s, ip);
	g->ip = *ip;
	g->next = *pp;
	*pp = g;
	list_init(&g->listeners);
	list_add_tail(&s->by_group, &g->link);
	return g;
}

static struct snoop_listener *listener_find(const struct snoop_group *g,
					    const struct port *p)
{
	list_each(it, &g->listeners) {
		struct snoop_listener *l =
			container_of(it, struct snoop_listener, link_group);

		if (l->port == p)
			return l;
	}
	return NULL;
}

static struct snoop_listener *listener_add(struct snoop *s, const addr *ip,
					   struct port *p)
{
	struct snoop_listener *l;
	struct snoop_group *g;

	if (p->n_listens == SNOOP_PORT_MAX)
		return NULL;
	l = slab_alloc(&s->listeners);
	if (!l)
		return NULL;
	g = group_get(s, ip); /* there are as many as listeners */
	if (!g) {
		slab_free(&s->listeners, l);
		return NULL;
	}
	l->group = g;
	l->port = p;
	list_add_tail(&g->listeners, &l->link_group);
	list_add_tail(&p->listens, &l->link_port);
	p->n_listens++;
	if (g->listeners.next == g->listeners.prev) /* the first */
		tell(p->lan, p);
	return l;
}

/* p has more than is remembered. */
static void overflow(struct port *p, enum port_family family, uint64_t now_ns)
{
	if (p->all_until_ns[family] < now_ns + SNOOP_LISTENER_NS)
		p->all_until_ns[family] = now_ns + SNOOP_LISTENER_NS;
}

static void join(struct port *p, const addr *ip)
{
	struct snoop *s = &p->lan->snoop;
	uint64_t now_ns = *p->lan->now_ns;
	struct snoop_listener *l = NULL;
	struct snoop_group *g;

	if (group_is_local(ip))
		return;
	g = group_find(s, ip);
	if (g)
		l = listener_find(g, p);
	if (!l)
		l = listener_add(s, ip, p);
	if (!l) {
		overflow(p, family_of(ip), now_ns);
		return;
	}
	l->until_ns = now_ns + SNOOP_LISTENER_NS;
	if (!timer_is_armed(&s->age_timer))
		timer_arm(s->wheel, &s->age_timer, l->until_ns);
}

/* Whether others behind p listen still is known only if there are none. */
static void leave(struct port *p, const addr *ip)
{
	struct snoop *s = &p->lan->snoop;
	struct snoop_group *g = group_find(s, ip);
	struct snoop_listener *l = g ? listener_find(g, p) : NULL;

	if (l && p->n_macs == 1 && !p->caps.is_uplink)
		listener_free(s, l);
}

static void router(struct port *p)
{
	p->router_until_ns = *p->lan->now_ns + SNOOP_QUERIER_NS;
}

/* What is known of p counts again when it has answered a query of wait_ns. */
static void ask_port(struct port *p, enum port_family family, bool is_first,
		     uint64_t answered_ns)
{
	uint64_t *all = &p->all_until_ns[family];

	if (is_first || *all == UINT64_MAX)
		*all = answered_ns;
}

static void query(struct port *from, const struct seen *seen)
{
	enum port_family family = family_of(&seen->pkt.src.ip);
	struct snoop_family *k = &from->lan->snoop.family[family];
	uint64_t now_ns = *from->lan->now_ns;
	uint64_t answered_ns = now_ns + ANSWER_NS +
			       seen->msg.wait_ms * UINT64_C(1000000);
	bool is_first = k->until_ns <= now_ns;

	if (!addr_is_unspecified(&seen->msg.group) ||
	    addr_is_unspecified(&seen->pkt.src.ip) ||
	    seen->msg.wait_ms > SNOOP_WAIT_MAX_MS)
		return;
	if (is_first) /* nobody has asked it */
		from->all_until_ns[family] = UINT64_MAX;
	list_each(it, &from->lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p != from && port_is_up(p))
			ask_port(p, family, is_first, answered_ns);
	}
	router(from);
	k->until_ns = now_ns + SNOOP_QUERIER_NS;
	if (from->caps.is_ours)
		return;
	if (k->other_until_ns <= now_ns ||
	    memcmp(seen->pkt.src.ip.b, k->other.b, sizeof(k->other.b)) <= 0) {
		k->other = seen->pkt.src.ip;
		k->other_until_ns = k->until_ns;
	}
}

static void records(struct port *from, struct group_msg *m)
{
	enum group_change change;
	addr group;

	while (group_next(m, &group, &change)) {
		if (change == GROUP_C_JOIN)
			join(from, &group);
		else if (change == GROUP_C_LEAVE)
			leave(from, &group);
	}
}

/* True if it is a report, which is for routers only. */
static bool learn(struct port *from, struct seen *seen)
{
	switch (seen->msg.kind) {
	case GROUP_QUERY:
		query(from, seen);
		return false;
	case GROUP_JOIN:
		join(from, &seen->msg.group);
		return true;
	case GROUP_LEAVE:
		leave(from, &seen->msg.group);
		return true;
	case GROUP_RECORDS:
		records(from, &seen->msg);
		return true;
	case GROUP_ROUTER:
		router(from);
		return false;
	case GROUP_OTHER:
		return false;
	}
	return false;
}

/* What lies between the IP header and the message, in *r: IPv4's options, or
 * those of the hop-by-hop header, which look alike but for their first two.
 * False: there is something else. */
static bool find_options(const struct seen *seen, struct rd *r)
{
	const uint8_t *ip = seen->f->hdr + seen->pkt.l3_off;
	size_t len = seen->pkt.l4_off - seen->pkt.l3_off;

	*r = rd_init(ip, len);
	if (seen->pkt.ip_version == 4) {
		rd_skip(r, IP4_HDR_LEN);
		return true;
	}
	rd_skip(r, IP6_HDR_LEN);
	if (ip[IP6_NEXT_AT] != IPPROTO_HOPOPTS ||
	    rd_u8(r) != IPPROTO_ICMPV6)
		return false;
	rd_skip(r, 1);
	return rd_ok(r);
}

/* True if the router alert is there and nothing but padding beside it: for all
 * else there are machines that drop the packet (RFC 1122 3.2.1.8, 8200 4.2). */
static bool has_alert(const struct seen *seen)
{
	bool is_v4 = seen->pkt.ip_version == 4, is_found = false;
	uint8_t alert = is_v4 ? IP4_ALERT : IP6_ALERT;
	struct rd r;

	if (!find_options(seen, &r))
		return false;
	while (rd_left(&r)) {
		uint8_t type = rd_u8(&r);
		uint8_t n;

		if (is_v4 && type == OPTION_END)
			break;
		if (type == (is_v4 ? OPTION_NOP : OPTION_PAD1))
			continue;
		n = rd_u8(&r);
		if (is_v4)
			n = n < 2 ? 0xff : n - 2;
		if (type == alert)
			is_found = n == ALERT_LEN;
		else if (is_v4 || type != OPTION_PADN)
			return false;
		rd_skip(&r, n);
		if (!rd_ok(&r))
			return false;
	}
	return is_found;
}

/* True for a general query that every machine answers: it may be by an address
 * that no machine takes for another's, or to a group that none listens to
 * (RFC 3376 4.1.12, 9.1; RFC 3810 5.1.14, 5.1.15).  A query for a group says
 * nothing here. */
static bool is_answered(const struct packet *pkt, const struct group_msg *m)
{
	const addr all4 = addr_v4(224, 0, 0, 1);
	const addr all6 = {{0xff, 2, [15] = 1}};
	const addr *src = &pkt->src.ip;

	if (!addr_is_unspecified(&m->group))
		return true;
	if (pkt->ip_version == 6)
		return addr_eq(&pkt->dst.ip, &all6) &&
		       addr_is_link_local6(src) && !m->n_sources;
	return addr_eq(&pkt->dst.ip, &all4) && !m->n_sources &&
	       addr_is_unicast(src) && src->b[12] != 0 &&
	       src->b[12] < IP4_RESERVED;
}

/* Reads IGMP or MLD into seen->msg; false: it is none, or not sound. */
static bool read_msg(struct port *from, struct seen *seen)
{
	const struct packet *pkt = &seen->pkt;
	const addr *src = &pkt->src.ip;
	struct rd r;
	bool is_v4 = pkt->ip_version == 4;
	bool is_sound;

	if (pkt->proto != (is_v4 ? IPPROTO_IGMP : IPPROTO_ICMPV6) ||
	    pkt->is_fragment || pkt->ttl != 1)
		return false;
	if (pkt->l4_len > sizeof(seen->b)) {
		overflow(from, family_of(src), *from->lan->now_ns);
		return false;
	}
	if (!frame_copy(seen->f, pkt->l4_off, pkt->l4_len, seen->b))
		return false;
	r = rd_init(seen->b, pkt->l4_len);
	is_sound = is_v4 ? igmp_parse(&r, &seen->msg)
			 : mld_parse(&r, src, &pkt->dst.ip, &seen->msg);
	/* A report without the option concerns its own port alone. */
	return is_sound && (seen->msg.kind != GROUP_QUERY ||
			    ((!seen->msg.needs_alert || has_alert(seen)) &&
			     is_answered(pkt, &seen->msg)));
}

static bool is_router(const struct port *p, uint64_t now_ns)
{
	return p->caps.is_uplink || p->router_until_ns > now_ns;
}

/* Routers, and with `is_data` also those who must not be left out. */
static bool gets_all(const struct port *p, enum port_family family,
		     bool is_data, uint64_t now_ns)
{
	return is_router(p, now_ns) ||
	       (is_data && p->all_until_ns[family] > now_ns);
}

static int collect(struct port *from, enum port_family family,
		   const struct snoop_group *g, bool is_data,
		   struct port **exit, unsigned max)
{
	uint64_t now_ns = *from->lan->now_ns;
	unsigned n = 0;

	list_each(it, &from->lan->ports) {
		struct port *p = container_of(it, struct port, link_all);

		if (p == from || !port_is_up(p) ||
		    !gets_all(p, family, is_data, now_ns))
			continue;
		if (n == max)
			return SNOOP_FLOOD;
		exit[n++] = p;
	}
	if (!g)
		return (int)n;
	list_each(it, &g->listeners) {
		struct port *p = container_of(it, struct snoop_listener,
					      link_group)->port;

		if (p == from || !port_is_up(p) ||
		    gets_all(p, family, is_data, now_ns))
			continue;
		if (n == max)
			return SNOOP_FLOOD;
		exit[n++] = p;
	}
	return (int)n;
}

/* Fills seen->pkt; false: not plainly IP multicast. */
static bool is_ip_group(struct seen *seen)
{
	const struct frame *f = seen->f;
	enum packet_result r =
		packet_parse(f->hdr, f->hdr_len, f->len, &seen->pkt);

	return (r == PACKET_OK || r == PACKET_IP4_OPTIONS) &&
	       addr_is_multicast(&seen->pkt.dst.ip) &&
	       mac_eq(group_mac(&seen->pkt.dst.ip), seen->pkt.eth_dst);
}

int snoop_exits(struct port *from, const struct frame *f, struct port **exit,
		unsigned max)
{
	struct snoop *s = &from->lan->snoop;
	struct seen seen;
	const addr *dst = &seen.pkt.dst.ip;
	enum port_family family;
	bool is_msg, is_report;

	seen.f = f;
	if (!is_ip_group(&seen))
		return SNOOP_FLOOD;
	family = family_of(dst);
	is_msg = read_msg(from, &seen);
	is_report = is_msg && learn(from, &seen);
	if (seen.pkt.proto == IPPROTO_PIM && group_is_local(dst))
		router(from);
	if (from->lan->is_hub ||
	    s->family[family].until_ns <= *from->lan->now_ns)
		return SNOOP_FLOOD;
	if (is_report)
		return collect(from, family, NULL, false, exit, max);
	if (is_msg || group_is_local(dst))
		return SNOOP_FLOOD;
	return collect(from, family, group_find(s, dst), true, exit, max);
}

void snoop_port_init(struct port *p)
{
	p->n_listens = 0;
	list_init(&p->listens);
	p->router_until_ns = 0;
	for (unsigned i = 0; i < PORT_FAMILIES; i++)
		p->all_until_ns[i] = UINT64_MAX;
}

void snoop_forget(struct port *p)
{
	list_each_safe(it, &p->listens)
		listener_free(&p->lan->snoop,
			      container_of(it, struct snoop_listener,
					   link_port));
	snoop_port_init(p);
}

void snoop_link_up(struct port *p)
{
	tell(p->lan, p);
}

bool lan_querier(const struct lan *lan, enum port_family family, addr *ipp)
{
	const struct snoop_family *k = &lan->snoop.family[family];

	if (k->other_until_ns <= *lan->now_ns)
		return false;
	*ipp = k->other;
	return true;
}

void lan_groups(struct lan *lan, lan_group_fn fn, void *arg)
{
	list_each(it, &lan->snoop.by_group)
		fn(arg, &container_of(it, struct snoop_group, link)->ip);
}
