/* SPDX-License-Identifier: BSD-3-Clause */
/* Multicast between the lan and the host's network; see group.h. */
#include "nat/group.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "nat/out.h"
#include "wire/group.h"

enum {
	LEN_MAX = 65536,
	ROUNDS = 16, /* of datagrams, one call each, of one turn */
};

/* What is heard without anybody having been heard to send there. */
static const struct service {
	const char *group;
	uint16_t port;
} services[] = {
	{"224.0.0.251", 5353}, /* mDNS, RFC 6762 */
	{"ff02::fb", 5353},
	{"224.0.0.252", 5355}, /* LLMNR, RFC 4795 */
	{"ff02::1:3", 5355},
	{"239.255.255.250", 1900}, /* SSDP */
	{"ff02::c", 1900},
	{"ff05::c", 1900},
	{"ff08::c", 1900},
	{"ff0e::c", 1900},
	{"239.255.255.250", 3702}, /* WS-Discovery */
	{"ff02::c", 3702},
};

enum { N_SERVICES = sizeof(services) / sizeof(services[0]) };

/* One group and port, while end.port is not 0. */
struct group_sock {
	struct groups *groups;
	struct host_sock sock;
	struct endpoint end;
	uint8_t ttl;	/* the option the socket has now */
	bool is_wanted; /* while the groups are gone through */
	bool is_ready;	/* there may be more to receive */
};

/* A datagram that left and may come back. */
struct echo {
	uint64_t hash;
	uint64_t until_ns; /* 0: none */
};

struct rate {
	uint64_t second;
	unsigned n;
};

struct groups {
	const struct nat_env *env; /* borrowed */
	struct udp *udp;	   /* borrowed */
	uint32_t link[PORT_FAMILIES];
	struct endpoint service[N_SERVICES];
	struct group_sock sock[GROUP_SOCKS_MAX];
	struct echo echo[GROUP_ECHO_MAX];
	unsigned next_echo;
	struct rate in, out_rate;
	struct hash_key key;
	struct timer look; /* at who listens to what */
	struct timer turn; /* of sockets that are ready */
	struct out out;
	uint8_t b[LEN_MAX];
};

static enum port_family family_of(const addr *a)
{
	return addr_is_v4(a) ? PORT_V4 : PORT_V6;
}

static bool is_within(struct rate *r, uint64_t now_ns)
{
	uint64_t second = now_ns / UINT64_C(1000000000);

	if (r->second != second)
		*r = (struct rate){.second = second};
	return ++r->n <= GROUP_RATE;
}

/* What a datagram is known by. */
static uint64_t echo_hash(const struct groups *g, uint16_t sport,
			  const struct endpoint *to, const uint8_t *p,
			  size_t len)
{
	uint64_t h[3] = {hash_bytes(&g->key, p, len),
			 hash_bytes(&g->key, to->ip.b, sizeof(to->ip.b)),
			 (uint64_t)sport << 16 | to->port};

	return hash_bytes(&g->key, h, sizeof(h));
}

static void echo_put(struct groups *g, uint64_t hash)
{
	struct echo *e = &g->echo[g->next_echo++ % GROUP_ECHO_MAX];

	e->hash = hash;
	e->until_ns = *g->env->now_ns +
		      GROUP_ECHO_SECONDS * UINT64_C(1000000000);
}

/* True, once, of what was put. */
static bool echo_take(struct groups *g, uint64_t hash)
{
	for (unsigned i = 0; i < GROUP_ECHO_MAX; i++) {
		struct echo *e = &g->echo[i];

		if (e->hash == hash && e->until_ns > *g->env->now_ns) {
			e->until_ns = 0;
			return true;
		}
	}
	return false;
}

static struct group_sock *sock_find(struct groups *g,
				    const struct endpoint *to)
{
	for (unsigned i = 0; i < GROUP_SOCKS_MAX; i++)
		if (g->sock[i].end.port && endpoint_eq(&g->sock[i].end, to))
			return &g->sock[i];
	return NULL;
}

static void sock_close(struct group_sock *s)
{
	struct host *h = s->groups->env->host;

	h->ops->close(h, &s->sock, false);
	s->end.port = 0;
	s->is_ready = false;
}

/* One datagram of the host's network, to the lan. */
static void emit(struct group_sock *s, const struct host_msg *m,
		 const uint8_t *p, uint32_t len)
{
	struct groups *g = s->groups;
	const struct nat_env *env = g->env;
	struct endpoint from = m->ep;
	struct out_dgram d = {.payload = p, .len = len};

	if (echo_take(g, echo_hash(g, from.port, &s->end, p, len)))
		return; /* ours: the guests have it */
	if (!is_within(&g->in, *env->now_ns)) {
		drop(env->drops, DROP_GROUP_RATE);
		return;
	}
	from = nat_map_in(env, &from, &s->end.ip);
	d.a = (struct out_addr){.to = group_mac(&s->end.ip),
				.src = from.ip,
				.dst = s->end.ip,
				.proto = IPPROTO_UDP,
				.ttl = m->ttl ? m->ttl : 1,
				.tos = m->tos};
	out_udp_head(&d, from.port, s->end.port);
	out_dgram(&g->out, &d);
}

/* What one call received may be several datagrams (UDP_GRO). */
static void emit_all(struct group_sock *s, const struct host_msg *m)
{
	struct groups *g = s->groups;
	uint32_t left = (uint32_t)m->len;
	uint32_t step = m->gso_size ? m->gso_size : left;
	const uint8_t *p = g->b;

	if (m->truncated || (!m->gso_size && left > UINT16_MAX - UDP_HDR_LEN)) {
		drop(g->env->drops, DROP_UDP_TOO_LONG);
		return;
	}
	/* One of the guests' own addresses is nobody's out there. */
	if (nat_is_inside(g->env, &m->ep.ip) || m->ep.port == 0) {
		drop(g->env->drops, DROP_IP_SOURCE);
		return;
	}
	do {
		uint32_t len = left < step ? left : step;

		emit(s, m, p, len);
		p += len;
		left -= len;
	} while (left);
	out_flush(&g->out);
}

/* False: there may be more. */
static bool read_some(struct group_sock *s)
{
	struct groups *g = s->groups;
	struct host *h = g->env->host;
	struct host_err err;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct iovec iov = {.iov_base = g->b, .iov_len = LEN_MAX};
		struct host_msg m = {.iov = &iov, .n_iov = 1};
		int r = h->ops->recv_batch(h, &s->sock, &m, 1);

		if (r == 0 || r == -EAGAIN)
			return true;
		if (r > 0)
			emit_all(s, &m);
		else
			(void)h->ops->recv_err(h, &s->sock, &err); /* of none */
	}
	return false;
}

static void sock_event(struct host_sock *hs, unsigned events)
{
	struct group_sock *s = container_of(hs, struct group_sock, sock);
	struct groups *g = s->groups;

	if (!(events & (HOST_EV_IN | HOST_EV_ERR)) || read_some(s))
		return;
	s->is_ready = true;
	timer_arm(g->env->wheel, &g->turn, *g->env->now_ns);
}

static void turn_fire(struct timer *t, uint64_t now_ns)
{
	struct groups *g = container_of(t, struct groups, turn);

	for (unsigned i = 0; i < GROUP_SOCKS_MAX; i++) {
		struct group_sock *s = &g->sock[i];

		if (!s->end.port || !s->is_ready)
			continue;
		s->is_ready = !read_some(s);
		if (s->is_ready)
			timer_arm(g->env->wheel, t, now_ns);
	}
}

static struct group_sock *sock_open(struct groups *g,
				    const struct endpoint *to)
{
	struct host *h = g->env->host;
	struct group_sock *s = g->sock;
	uint32_t link = g->link[family_of(&to->ip)];

	if (!link)
		return NULL;
	while (s < g->sock + GROUP_SOCKS_MAX && s->end.port)
		s++;
	if (s == g->sock + GROUP_SOCKS_MAX)
		return NULL;
	*s = (struct group_sock){.groups = g,
				 .sock = HOST_SOCK_NULL,
				 .end = *to,
				 .is_wanted = true};
	s->sock.event = sock_event;
	if (h->ops->open_group(h, &s->sock, to, link) < 0) {
		drop(g->env->drops, DROP_HOST_SOCKET);
		s->end.port = 0;
		return NULL;
	}
	return s;
}

static void want(struct groups *g, const struct endpoint *to)
{
	struct group_sock *s = sock_find(g, to);

	if (s)
		s->is_wanted = true;
	else
		(void)sock_open(g, to); /* the next look tries again */
}

/* A guest listens to this group. */
static void want_group(void *arg, const addr *group)
{
	struct groups *g = arg;

	for (unsigned i = 0; i < N_SERVICES; i++)
		if (addr_eq(&g->service[i].ip, group))
			want(g, &g->service[i]);
	for (unsigned i = 0; i < GROUP_SOCKS_MAX; i++)
		if (g->sock[i].end.port && addr_eq(&g->sock[i].end.ip, group))
			g->sock[i].is_wanted = true;
}

static void look_fire(struct timer *t, uint64_t now_ns)
{
	struct groups *g = container_of(t, struct groups, look);

	for (unsigned i = 0; i < GROUP_SOCKS_MAX; i++)
		g->sock[i].is_wanted = false;
	for (unsigned i = 0; i < N_SERVICES; i++) {
		const addr *ip = &g->service[i].ip;

		if (group_is_local(ip) && nat_subnet(g->env, ip)->is_on)
			want(g, &g->service[i]);
	}
	lan_groups(g->env->lan, want_group, g);
	for (unsigned i = 0; i < GROUP_SOCKS_MAX; i++)
		if (g->sock[i].end.port && !g->sock[i].is_wanted)
			sock_close(&g->sock[i]);
}

void groups_listeners(struct groups *g)
{
	if (!timer_is_armed(&g->look))
		timer_arm(g->env->wheel, &g->look, *g->env->now_ns);
}

void groups_links(struct groups *g, uint32_t v4, uint32_t v6)
{
	const uint32_t link[PORT_FAMILIES] = {[PORT_V4] = v4, [PORT_V6] = v6};

	for (unsigned i = 0; i < GROUP_SOCKS_MAX; i++) {
		struct group_sock *s = &g->sock[i];
		enum port_family f = family_of(&s->end.ip);

		if (s->end.port && link[f] != g->link[f])
			sock_close(s);
	}
	memcpy(g->link, link, sizeof(g->link));
	groups_listeners(g);
}

struct is_joined {
	const addr *group;
	bool answer;
};

static void see_group(void *arg, const addr *group)
{
	struct is_joined *j = arg;

	j->answer |= addr_eq(j->group, group);
}

/* The socket that hears to; NULL: nobody wants to hear it. */
static struct group_sock *sock_for(struct groups *g, const struct endpoint *to)
{
	struct group_sock *s = sock_find(g, to);
	struct is_joined j = {.group = &to->ip};

	if (s)
		return s;
	lan_groups(g->env->lan, see_group, &j);
	return j.answer ? sock_open(g, to) : NULL;
}

/* True for a group that is more than the guests' own wire's. */
static bool is_carried(const struct groups *g, const struct endpoint *to)
{
	if (!group_is_local(&to->ip))
		return to->port != 0;
	for (unsigned i = 0; i < N_SERVICES; i++)
		if (endpoint_eq(&g->service[i], to))
			return true;
	return false;
}

/* Leaves from the group's own port. */
static void send_as_group(struct groups *g, struct group_sock *s,
			  const struct packet *pkt, uint32_t len)
{
	struct host *h = g->env->host;
	struct iovec iov = {.iov_base = g->b, .iov_len = len};
	struct host_msg m = {.ep = pkt->dst, .iov = &iov, .n_iov = 1};

	if (s->ttl != pkt->ttl &&
	    h->ops->set(h, &s->sock, HOST_OPT_GROUP_TTL, pkt->ttl) == 0)
		s->ttl = pkt->ttl;
	if (h->ops->send_batch(h, &s->sock, &m, 1) != 1)
		drop(g->env->drops, DROP_UDP_SEND);
}

void groups_input(struct groups *g, const struct packet *pkt,
		  const struct frame *f)
{
	const struct nat_env *env = g->env;
	uint32_t link = g->link[family_of(&pkt->dst.ip)];
	struct group_sock *s;
	uint16_t sport;
	uint32_t len;

	if (pkt->proto != IPPROTO_UDP || pkt->is_fragment || f->off.gso ||
	    !link ||
	    !is_carried(g, &pkt->dst) || lan_ingress_is_uplink(env->lan)) {
		drop(env->drops, DROP_IP_MULTICAST);
		return;
	}
	if (!is_within(&g->out_rate, *env->now_ns)) {
		drop(env->drops, DROP_GROUP_RATE);
		return;
	}
	if (!udp_check(env, pkt, f, &len))
		return; /* counted there */
	if (!frame_copy(f, pkt->l4_off + UDP_HDR_LEN, len, g->b)) {
		drop(env->drops, DROP_UDP_SHORT);
		return;
	}
	s = sock_for(g, &pkt->dst);
	sport = pkt->src.port;
	if (s && sport == pkt->dst.port)
		send_as_group(g, s, pkt, len);
	else
		sport = udp_input_group(g->udp, pkt, f, link);
	if (s && sport)
		echo_put(g, echo_hash(g, sport, &pkt->dst, g->b, len));
}

int groups_new(const struct nat_env *env, struct udp *u, struct groups **gp)
{
	struct groups *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->env = env;
	g->udp = u;
	g->key = hash_key_new();
	out_init(&g->out, env);
	timer_init(&g->look, look_fire);
	timer_init(&g->turn, turn_fire);
	for (unsigned i = 0; i < N_SERVICES; i++) {
		g->service[i].port = services[i].port;
		if (!addr_parse(services[i].group, &g->service[i].ip))
			abort(); /* our own table */
	}
	*gp = g;
	return 0;
}

struct groups *groups_free(struct groups *g)
{
	if (!g)
		return NULL;
	for (unsigned i = 0; i < GROUP_SOCKS_MAX; i++)
		if (g->sock[i].end.port)
			sock_close(&g->sock[i]);
	timer_disarm(g->env->wheel, &g->look);
	timer_disarm(g->env->wheel, &g->turn);
	free(g);
	return NULL;
}
