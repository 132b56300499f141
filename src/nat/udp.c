/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP flows: who has which host socket, and for how long (udp.h).  Called by
 * the gateway for each datagram of a guest, and by the loop; the worker's
 * thread.
 */
#include "nat/udp_priv.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "wire/csum.h"

#define SECOND_NS   UINT64_C(1000000000)
#define IDLE_NS     (UDP_IDLE_SECONDS * SECOND_NS)
#define NEW_IDLE_NS (UDP_NEW_IDLE_SECONDS * SECOND_NS)
#define DNS_IDLE_NS (UDP_DNS_IDLE_SECONDS * SECOND_NS)

enum { PORT_DNS = 53 };

static struct udp_flow *flow_of(struct flow *f)
{
	return container_of(f, struct udp_flow, flow);
}

static bool flow_guest(struct udp_end *e, struct endpoint *guestp, mac *macp)
{
	struct udp_flow *uf = container_of(e, struct udp_flow, end);

	*guestp = uf->flow.guest;
	*macp = uf->flow.guest_mac;
	return true;
}

static bool flow_known(struct udp_end *e, const struct endpoint *ep,
		       struct endpoint *seenp)
{
	const struct udp_flow *uf = container_of(e, struct udp_flow, end);

	*seenp = nat_map_in(e->udp->env, ep, &uf->flow.guest.ip);
	return true;
}

/* A socket of IPv6 hears IPv4 too.  Whom the guest cannot have asked, and has
 * no address for, is not let in under ours. */
static bool is_alien(const struct udp_flow *uf, const struct host_msg *m,
		     const struct endpoint *seen)
{
	const addr *guest = &uf->flow.guest.ip;

	return addr_is_v4(&m->ep.ip) != addr_is_v4(guest) &&
	       addr_eq(&seen->ip, &nat_subnet(uf->end.udp->env, guest)->gw);
}

static bool flow_seen(struct udp_end *e, const struct host_msg *m,
		      struct endpoint *seenp)
{
	struct udp_flow *uf = container_of(e, struct udp_flow, end);

	(void)flow_known(e, &m->ep, seenp); /* all are */
	if (is_alien(uf, m, seenp))
		return false;
	uf->used_ns = *e->udp->env->now_ns;
	uf->is_answered = true;
	e->received = &uf->received;
	udp_flow_heard(uf, m);
	return true;
}

static const struct udp_end_ops flow_end_ops = {
	.guest = flow_guest,
	.seen = flow_seen,
	.unseen = DROP_IP_SOURCE,
	.known = flow_known,
};

void udp_end_init(struct udp_end *e, struct udp *u, struct host_sock *s,
		  const struct udp_end_ops *ops, const addr *guest)
{
	/* What is not asked of a socket of IPv6 it fragments. */
	*e = (struct udp_end){.udp = u,
			      .sock = s,
			      .ops = ops,
			      .unseen = ops->unseen,
			      .expect = UDP_EXPECT_MIN,
			      .ttl = IP_HOP_LIMIT,
			      .has_df = !addr_is_v4(guest)};
	list_init(&e->link);
}

void udp_end_open(struct udp_end *e)
{
	struct host *h = e->udp->env->host;

	/* Without it refusals are lost, and datagrams flow. */
	(void)h->ops->set(h, e->sock, HOST_OPT_RECVERR, 1);
}

void udp_end_close(struct udp_end *e)
{
	struct host *h = e->udp->env->host;

	/* A batch ends before any timer or event runs. */
	assert(e->udp->tx.end != e);
	list_del(&e->link);
	h->ops->close(h, e->sock, false);
}

void udp_end_event(struct udp_end *e, unsigned events)
{
	if (events & HOST_EV_ERR)
		(void)udp_end_errors(e, NULL); /* the number is nothing */
	udp_end_read(e);
}

static void flow_event(struct host_sock *s, unsigned events)
{
	struct udp_flow *uf = flow_of(container_of(s, struct flow, sock));

	udp_end_event(&uf->end, events);
}

static void flow_close(struct udp_flow *uf)
{
	struct udp *u = uf->end.udp;

	timer_disarm(u->env->wheel, &uf->flow.timer);
	udp_end_close(&uf->end);
	flow_del(&u->flows, &uf->flow);
	slab_free(&u->flow_slab, uf);
}

static uint64_t flow_deadline(const struct udp_flow *uf)
{
	if (uf->n_dns)
		return uf->used_ns + DNS_IDLE_NS;
	return uf->used_ns + (uf->is_answered ? IDLE_NS : NEW_IDLE_NS);
}

/* A datagram to port leaves by uf.  A program that looks a name up asks for it
 * a few times, by one port, and is done; what goes on is no lookup. */
static void flow_used(struct udp_flow *uf, uint16_t port)
{
	uf->used_ns = *uf->end.udp->env->now_ns;
	if (!uf->n_dns)
		return;
	if (port == PORT_DNS && uf->n_dns < UDP_DNS_QUESTIONS)
		uf->n_dns++;
	else
		uf->n_dns = 0;
}

/* The timer is not moved by each datagram: it looks when it fires. */
static void flow_timeout(struct timer *t, uint64_t now_ns)
{
	struct udp_flow *uf = flow_of(container_of(t, struct flow, timer));

	if (flow_deadline(uf) <= now_ns)
		flow_close(uf);
	else
		timer_arm(uf->end.udp->env->wheel, t, flow_deadline(uf));
}

/* Of the guest's family, so that who answers is; on a host without IPv6 of
 * IPv4, which a guest may reach by NAT64. */
static int open_socket(struct udp *u, struct flow *f)
{
	struct host *h = u->env->host;
	bool is_v6 = !addr_is_v4(&f->guest.ip);
	int r = h->ops->open(h, &f->sock, HOST_UDP, is_v6);

	if (r == -EAFNOSUPPORT && is_v6)
		r = h->ops->open(h, &f->sock, HOST_UDP, false);
	return r;
}

static struct udp_flow *flow_open(struct udp *u, const struct flow_key *key,
				  uint16_t dst_port)
{
	struct udp_flow *uf = slab_alloc(&u->flow_slab);

	if (!uf) {
		drop(u->env->drops, DROP_FLOW_TABLE_FULL);
		return NULL;
	}
	uf->flow.guest = key->guest;
	uf->flow.proto = key->proto;
	uf->flow.sock = HOST_SOCK_NULL;
	uf->flow.sock.event = flow_event;
	uf->flow.born_ns = *u->env->now_ns;
	uf->used_ns = *u->env->now_ns;
	uf->n_dns = dst_port == PORT_DNS;
	timer_init(&uf->flow.timer, flow_timeout);
	udp_end_init(&uf->end, u, &uf->flow.sock, &flow_end_ops,
		     &key->guest.ip);
	if (!flow_add(&u->flows, &uf->flow, lan_payer(u->env->lan))) {
		drop(u->env->drops, DROP_FLOW_TABLE_FULL);
		slab_free(&u->flow_slab, uf);
		return NULL;
	}
	if (open_socket(u, &uf->flow) < 0) {
		drop(u->env->drops, DROP_HOST_SOCKET);
		flow_close(uf);
		return NULL;
	}
	udp_end_open(&uf->end);
	timer_arm(u->env->wheel, &uf->flow.timer, flow_deadline(uf));
	return uf;
}

/* RFC 8200 8.1: over IPv6 nothing else guards the addresses. */
static bool may_lack_csum(const struct nat_env *env, const struct packet *pkt)
{
	if (addr_is_v4(&pkt->src.ip))
		return true;
	drop(env->drops, DROP_UDP_NO_CSUM);
	return false;
}

bool udp_check(const struct nat_env *env, const struct packet *pkt,
	       const struct frame *f, uint32_t *lenp)
{
	struct rd r = rd_init(f->hdr, f->hdr_len);
	struct frame cut = *f;
	struct udp_hdr h;
	uint64_t sum;

	rd_skip(&r, pkt->l4_off);
	if (!udp_parse(&r, pkt->l4_len, &h)) {
		drop(env->drops, DROP_UDP_SHORT);
		return false;
	}
	*lenp = h.len - UDP_HDR_LEN;
	if (f->off.flags & (FRAME_F_NEEDS_CSUM | FRAME_F_CSUM_VALID))
		return true;
	if (h.csum == 0) /* the sender made none (RFC 768) */
		return may_lack_csum(env, pkt);
	cut.len = (uint32_t)pkt->l4_off + h.len;
	if (cut.hdr_len > cut.len)
		cut.hdr_len = cut.len;
	sum = csum_pseudo(&pkt->src.ip, &pkt->dst.ip, IPPROTO_UDP, h.len);
	if (csum_fold(frame_sum(&cut, pkt->l4_off, sum)) != 0) {
		drop(env->drops, DROP_UDP_CSUM);
		return false;
	}
	return true;
}

static void refuse(struct udp *u, const struct packet *pkt,
		   const struct frame *f)
{
	const struct nat_env *env = u->env;
	const addr *dst = &pkt->dst.ip;

	drop(env->drops, DROP_IP_DEST);
	if (nat_is_ours(env, dst))
		icmp_error(u->icmp, ICMP_UNREACHABLE, ICMP_U_PORT, 0, pkt, f);
	else if (nat_is_inside(env, dst))
		icmp_error(u->icmp, ICMP_UNREACHABLE, ICMP_U_HOST, 0, pkt, f);
}

bool udp_has(struct udp *u, const struct endpoint *guest)
{
	const struct flow_key key = {.guest = *guest, .proto = IPPROTO_UDP};

	return flow_find(&u->flows, &key);
}

/* The mapping of the guest that sent pkt, new if need be; NULL: none. */
static struct udp_flow *flow_for(struct udp *u, const struct packet *pkt)
{
	const struct flow_key key = {.guest = pkt->src, .proto = IPPROTO_UDP};
	struct flow *found = flow_find(&u->flows, &key);
	struct udp_flow *uf;

	if (found) {
		uf = flow_of(found);
		flow_used(uf, pkt->dst.port);
	} else {
		uf = flow_open(u, &key, pkt->dst.port);
	}
	if (!uf)
		return NULL;
	uf->flow.guest_mac = pkt->eth_src;
	uf->peer = pkt->dst;
	return uf;
}

/* One of len bytes leaves, and *sentp counts it. */
static void count_sent(struct udp *u, uint64_t *sentp, uint32_t len)
{
	*sentp += len;
	u->stats.n_up++;
	u->stats.bytes_up += len;
}

uint16_t udp_input_group(struct udp *u, const struct packet *pkt,
			 const struct frame *f, uint32_t link)
{
	struct host *h = u->env->host;
	struct udp_way way = {.to = pkt->dst};
	struct udp_flow *uf = flow_for(u, pkt);
	struct endpoint own = {0};
	uint32_t len;

	if (!uf || !udp_check(u->env, pkt, f, &len))
		return 0;
	if (uf->group_link != link &&
	    h->ops->set(h, &uf->flow.sock, HOST_OPT_GROUP_LINK,
			(int)link) == 0)
		uf->group_link = link;
	if (uf->group_ttl != pkt->ttl &&
	    h->ops->set(h, &uf->flow.sock, HOST_OPT_GROUP_TTL, pkt->ttl) == 0)
		uf->group_ttl = pkt->ttl;
	count_sent(u, &uf->sent, len);
	udp_send(&uf->end, &way, pkt, f, len);
	udp_flush(u);
	return h->ops->local(h, &uf->flow.sock, &own) < 0 ? 0 : own.port;
}

void udp_input(struct udp *u, const struct packet *pkt, const struct frame *f)
{
	struct udp_client *c;
	struct udp_flow *uf;
	struct udp_way way = {.from = NULL};
	uint32_t len;

	if (!udp_check(u->env, pkt, f, &len))
		return;
	c = udp_client_find(u, pkt);
	if (c) {
		way.to = c->real;
		way.from = c->has_local ? &c->local : NULL;
		count_sent(u, &c->sent, len);
		udp_send(&c->forward->end, &way, pkt, f, len);
		return;
	}
	if (!nat_map_out(u->env, IPPROTO_UDP, &pkt->dst, &way.to)) {
		refuse(u, pkt, f);
		return;
	}
	uf = flow_for(u, pkt);
	if (!uf)
		return;
	count_sent(u, &uf->sent, len);
	udp_send(&uf->end, &way, pkt, f, len);
}

void udp_room(struct udp *u)
{
	struct list waiting;

	list_init(&waiting);
	list_splice(&waiting, &u->blocked);
	while (!list_empty(&waiting)) {
		struct udp_end *e = container_of(list_first(&waiting),
						 struct udp_end, link);

		list_del(&e->link);
		udp_end_read(e);
	}
}

int udp_new(const struct nat_env *env, struct icmp *ic,
	    const struct udp_config *c, struct udp **up)
{
	unsigned n_flows = c->max_flows ? c->max_flows : UDP_FLOWS_MAX;
	unsigned n_clients = c->max_clients ? c->max_clients : UDP_CLIENTS_MAX;
	struct udp *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->env = env;
	u->icmp = ic;
	list_init(&u->forwards);
	list_init(&u->ready);
	list_init(&u->blocked);
	timer_init(&u->turn, udp_turn);
	out_init(&u->out, env);
	if (udp_rx_init(&u->rx) < 0 ||
	    flow_table_init(&u->flows, n_flows) < 0 ||
	    flow_table_init(&u->clients, n_clients) < 0 ||
	    slab_init(&u->flow_slab, sizeof(struct udp_flow), n_flows) < 0 ||
	    slab_init(&u->client_slab, sizeof(struct udp_client), n_clients) <
		    0) {
		(void)udp_free(u); /* NULL */
		return -ENOMEM;
	}
	if (c->share)
		flow_table_join(&u->flows, c->share, c->holds);
	*up = u;
	return 0;
}

struct udp *udp_free(struct udp *u)
{
	if (!u)
		return NULL;
	udp_forwards_close(u);
	if (u->flows.bucket)
		list_each_safe (it, &u->flows.all)
			flow_close(
				flow_of(container_of(it, struct flow, link)));
	timer_disarm(u->env->wheel, &u->turn);
	flow_table_deinit(&u->flows);
	flow_table_deinit(&u->clients);
	slab_deinit(&u->flow_slab);
	slab_deinit(&u->client_slab);
	udp_rx_deinit(&u->rx);
	free(u);
	return NULL;
}

unsigned udp_n_flows(const struct udp *u)
{
	return u->flows.n;
}

void udp_stats(const struct udp *u, struct udp_stats *sp)
{
	*sp = u->stats;
}
