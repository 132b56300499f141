/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarded UDP ports: one host socket for all clients of a port.
 *
 * The guest sees each client under an address of its own (loopback ones as the
 * gateway), and an answer to that address goes back to the client from the
 * forward's socket. Two clients that would look alike get different ports, and
 * so does one that speaks to several of our addresses: each of its questions is
 * answered from where it was asked. Called by udp.c and forward.c; the worker's
 * thread.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "nat/udp_priv.h"

enum { PORT_TRIES = 64 }; /* ports looked at for one client */

#define SECOND_NS   UINT64_C(1000000000)
#define IDLE_NS     (UDP_IDLE_SECONDS * SECOND_NS)
#define NEW_IDLE_NS (UDP_NEW_IDLE_SECONDS * SECOND_NS)

static struct udp_client *client_of(struct flow *f)
{
	return container_of(f, struct udp_client, flow);
}

static void client_free(struct udp_client *c)
{
	struct udp *u = c->udp;

	timer_disarm(u->env->wheel, &c->flow.timer);
	list_del(&c->link_used);
	flow_del(&u->clients, &c->flow);
	slab_free(&u->client_slab, c);
}

/* Both lists have who was silent longest in front. */
static void client_touch(struct udp_client *c)
{
	c->used_ns = *c->udp->env->now_ns;
	list_del(&c->link_used);
	list_add_tail(&c->forward->clients, &c->link_used);
	list_del(&c->flow.link);
	list_add_tail(&c->udp->clients.all, &c->flow.link);
}

static uint64_t client_deadline(const struct udp_client *c)
{
	return c->used_ns + (c->is_answered ? IDLE_NS : NEW_IDLE_NS);
}

static void client_timeout(struct timer *t, uint64_t now_ns)
{
	struct udp_client *c = client_of(container_of(t, struct flow, timer));

	if (client_deadline(c) <= now_ns)
		client_free(c);
	else
		timer_arm(c->udp->env->wheel, t, client_deadline(c));
}

static struct udp_client *client_make(struct udp_forward *fw,
				      const struct flow_key *key,
				      const struct endpoint *real)
{
	struct udp *u = fw->end.udp;
	struct udp_client *c = slab_alloc(&u->client_slab);

	if (!c)
		return NULL;
	c->flow.guest = key->guest;
	c->flow.remote = key->remote;
	c->flow.proto = key->proto;
	c->flow.sock = HOST_SOCK_NULL;
	c->flow.born_ns = *u->env->now_ns;
	c->udp = u;
	c->forward = fw;
	c->real = *real;
	timer_init(&c->flow.timer, client_timeout);
	list_init(&c->link_used);
	if (!flow_add(&u->clients, &c->flow, 0)) {
		slab_free(&u->client_slab, c);
		return NULL;
	}
	client_touch(c);
	timer_arm(u->env->wheel, &c->flow.timer, client_deadline(c));
	return c;
}

/* The client that fw can do without best: its own, else one of its guest's
 * other ports. */
static struct udp_client *client_spare(struct udp_forward *fw)
{
	struct list *it = list_first(&fw->clients);

	if (it)
		return container_of(it, struct udp_client, link_used);
	list_each(other, &fw->end.udp->clients.all) {
		struct flow *f = container_of(other, struct flow, link);

		if (addr_eq(&f->guest.ip, &fw->guest.ip))
			return client_of(f);
	}
	return NULL;
}

/* Anybody outside can be a client, under any number of addresses: when there
 * is no room the one that was silent longest makes some. */
static struct udp_client *client_new(struct udp_forward *fw,
				     const struct flow_key *key,
				     const struct endpoint *real)
{
	struct udp_client *c = client_make(fw, key, real);
	struct udp_client *spare = c ? NULL : client_spare(fw);

	if (!spare)
		return c;
	client_free(spare);
	return client_make(fw, key, real);
}

/* True if c is who sent m to fw. */
static bool is_sender(const struct udp_client *c, const struct udp_forward *fw,
		      const struct host_msg *m)
{
	return c->forward == fw && endpoint_eq(&c->real, &m->ep) &&
	       c->has_local == m->has_local &&
	       (!m->has_local || addr_eq(&c->local, &m->local));
}

/* The client behind real: who sent m, known before or else new, or without m
 * the first that was known; NULL: no such client, or no room. */
static struct udp_client *client_get(struct udp_forward *fw,
				     const struct endpoint *real,
				     const struct host_msg *m)
{
	struct udp *u = fw->end.udp;
	struct flow_key key = {.guest = fw->guest,
			       .remote = nat_map_client(u->env, real,
							&fw->guest.ip),
			       .proto = IPPROTO_UDP};

	for (int i = 0; i < PORT_TRIES; i++) {
		struct flow *f = flow_find(&u->clients, &key);
		struct udp_client *c;

		if (!f)
			return m ? client_new(fw, &key, real) : NULL;
		c = client_of(f);
		if (m ? is_sender(c, fw, m)
		      : c->forward == fw && endpoint_eq(&c->real, real))
			return c;
		key.remote.port = key.remote.port < UINT16_MAX
					  ? key.remote.port + 1
					  : 1024;
	}
	return NULL;
}

struct udp_client *udp_client_find(struct udp *u, const struct packet *pkt)
{
	struct flow_key key = {
		.guest = pkt->src, .remote = pkt->dst, .proto = IPPROTO_UDP};
	struct udp_client *c;
	struct flow *f;

	if (u->clients.n == 0)
		return NULL;
	f = flow_find(&u->clients, &key);
	if (!f)
		return NULL;
	c = client_of(f);
	c->is_answered = true;
	client_touch(c);
	return c;
}

struct udp_end *udp_client_refused(struct udp *u, struct icmp_refusal *r,
				   struct endpoint *realp)
{
	struct flow_key key = {
		.guest = r->guest, .remote = r->peer, .proto = IPPROTO_UDP};
	struct flow *f = u->clients.n ? flow_find(&u->clients, &key) : NULL;
	struct udp_client *c = f ? client_of(f) : NULL;

	if (!c || !c->may_refuse)
		return NULL;
	c->may_refuse = false;
	if (c->has_local)
		r->local = c->local;
	*realp = c->real;
	return &c->forward->end;
}

bool udp_is_answer(struct udp *u, const struct packet *pkt)
{
	struct flow_key key = {
		.guest = pkt->src, .remote = pkt->dst, .proto = IPPROTO_UDP};

	return u->clients.n && flow_find(&u->clients, &key);
}

static bool forward_guest(struct udp_end *e, struct endpoint *guestp, mac *macp)
{
	struct udp_forward *fw = container_of(e, struct udp_forward, end);
	const struct nat_env *env = e->udp->env;

	*guestp = fw->guest;
	return env->neigh(env->arg, &fw->guest.ip, macp);
}

static bool forward_seen(struct udp_end *e, const struct host_msg *m,
			 struct endpoint *seenp)
{
	struct udp_forward *fw = container_of(e, struct udp_forward, end);
	bool admits = forward_rules_admit(&fw->rules, &m->ep.ip);
	struct udp_client *c = admits ? client_get(fw, &m->ep, m) : NULL;

	e->unseen = admits ? e->ops->unseen : DROP_FORWARD_SOURCE;
	if (!c)
		return false;
	client_touch(c);
	c->may_refuse = !m->is_to_group; /* RFC 1122 3.2.2 */
	c->has_local = m->has_local;
	c->local = m->local;
	e->received = &c->received;
	*seenp = c->flow.remote;
	return true;
}

static bool forward_known(struct udp_end *e, const struct endpoint *ep,
			  struct endpoint *seenp)
{
	struct udp_forward *fw = container_of(e, struct udp_forward, end);
	const struct udp_client *c = client_get(fw, ep, NULL);

	if (!c)
		return false;
	*seenp = c->flow.remote;
	return true;
}

static const struct udp_end_ops forward_end_ops = {
	.guest = forward_guest,
	.seen = forward_seen,
	.unseen = DROP_FLOW_TABLE_FULL, /* nowhere to remember the client */
	.known = forward_known,
};

static void forward_event(struct host_sock *s, unsigned events)
{
	struct udp_forward *fw = container_of(s, struct udp_forward, sock);

	udp_end_event(&fw->end, events);
}

int udp_forward_add(struct udp *u, uint32_t id, int fd,
		    const struct endpoint *guest,
		    const struct forward_rules *rules)
{
	struct host *h = u->env->host;
	struct udp_forward *fw;
	struct endpoint own;
	int r;

	if (u->n_forwards >= UDP_FORWARDS_MAX)
		return -ENOBUFS;
	fw = calloc(1, sizeof(*fw));
	if (!fw)
		return -ENOMEM;
	fw->sock = HOST_SOCK_NULL;
	fw->sock.event = forward_event;
	fw->guest = *guest;
	fw->rules = *rules;
	fw->id = id;
	list_init(&fw->link);
	list_init(&fw->clients);
	udp_end_init(&fw->end, u, &fw->sock, &forward_end_ops, &guest->ip);
	r = h->ops->adopt(h, &fw->sock, fd);
	if (r < 0) {
		free(fw);
		return r;
	}
	udp_end_open(&fw->end);
	/* A client is answered from where it asked.  Bound to one address
	 * that is so anyhow; without it the host chooses. */
	if (h->ops->local(h, &fw->sock, &own) == 0 &&
	    addr_is_unspecified(&own.ip))
		(void)h->ops->set(h, &fw->sock, HOST_OPT_PKTINFO, 1);
	list_add_tail(&u->forwards, &fw->link);
	u->n_forwards++;
	/* What came before the socket was adopted raises no edge. */
	list_add_tail(&u->ready, &fw->end.link);
	timer_arm(u->env->wheel, &u->turn, *u->env->now_ns);
	return 0;
}

static void udp_forward_free(struct udp_forward *fw)
{
	struct udp *u = fw->end.udp;

	list_each_safe (it, &fw->clients)
		client_free(container_of(it, struct udp_client, link_used));
	list_del(&fw->link);
	udp_end_close(&fw->end);
	free(fw);
	u->n_forwards--;
}

int udp_forward_del(struct udp *u, uint32_t id)
{
	list_each(it, &u->forwards) {
		struct udp_forward *fw =
			container_of(it, struct udp_forward, link);

		if (fw->id != id)
			continue;
		udp_forward_free(fw);
		return 0;
	}
	return -ENOENT;
}

void udp_forward_ports(const struct udp *u, uint8_t bits[UINT16_MAX / 8 + 1])
{
	memset(bits, 0, UINT16_MAX / 8 + 1);
	list_each(it, &u->forwards) {
		const struct udp_forward *fw =
			container_of(it, struct udp_forward, link);
		uint16_t port = fw->guest.port;

		bits[port / 8] |= (uint8_t)(1u << port % 8);
	}
}

void udp_forwards_close(struct udp *u)
{
	while (!list_empty(&u->forwards))
		udp_forward_free(container_of(list_first(&u->forwards),
					      struct udp_forward, link));
}
