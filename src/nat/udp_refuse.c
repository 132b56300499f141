/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What guests refuse of the datagrams that came to them: who sent it is told
 * (env->refuse), and all goes on as before (RFC 4787 REQ-12, RFC 5508 REQ-6).
 *
 * A flow has any number of peers and remembers none; but of the last few that
 * sent something it keeps who they are, so that a guest can make errors of
 * nothing that did not come.  Called by the gateway, and by udp.c for each
 * datagram; the worker's thread.
 */
#include <netinet/in.h>
#include <string.h>

#include "nat/udp_priv.h"

static uint32_t now_s(const struct udp *u)
{
	return (uint32_t)(*u->env->now_ns / UINT64_C(1000000000));
}

/* Puts ep in front, in place of itself or of who is silent longest. */
static void to_front(struct udp_flow *uf, const struct endpoint *ep)
{
	const struct udp_heard h = {.ep = *ep};
	unsigned i = 0;

	while (i < UDP_HEARD_MAX - 1 && !endpoint_eq(&uf->heard[i].ep, ep))
		i++;
	memmove(uf->heard + 1, uf->heard, i * sizeof(h));
	uf->heard[0] = h;
}

void udp_flow_heard(struct udp_flow *uf, const struct host_msg *m)
{
	struct udp_heard *h = &uf->heard[0];

	if (!m->ep.port) /* it wants no answer, and could get none */
		return;
	if (!endpoint_eq(&h->ep, &m->ep))
		to_front(uf, &m->ep);
	h->may_refuse = !m->is_to_group; /* RFC 1122 3.2.2 */
	h->at_s = now_s(uf->end.udp);
	h->has_local = m->has_local;
	if (m->has_local)
		h->local = m->local;
}

/* Who was heard last of those that look like peer to the guest: the host's
 * loopback has many addresses, and it sees one. */
static struct udp_heard *heard_find(struct udp_flow *uf,
				    const struct endpoint *peer,
				    struct endpoint *realp)
{
	const struct udp *u = uf->end.udp;

	for (unsigned i = 0; i < UDP_HEARD_MAX; i++) {
		struct udp_heard *h = &uf->heard[i];
		struct endpoint seen;

		if (h->ep.port == 0)
			return NULL;
		*realp = h->ep;
		seen = nat_map_in(u->env, realp, &uf->flow.guest.ip);
		if (h->may_refuse && endpoint_eq(&seen, peer) &&
		    now_s(u) - h->at_s <= UDP_HEARD_SECONDS)
			return h;
	}
	return NULL;
}

/* As udp_client_refused(), of what came by a flow. */
static struct udp_end *flow_refused(struct udp *u, struct icmp_refusal *r,
				    struct endpoint *realp)
{
	const struct flow_key key = {.guest = r->guest, .proto = IPPROTO_UDP};
	struct host *host = u->env->host;
	struct flow *f = flow_find(&u->flows, &key);
	struct udp_flow *uf;
	struct udp_heard *h;

	if (!f)
		return NULL;
	uf = container_of(f, struct udp_flow, flow);
	h = heard_find(uf, &r->peer, realp);
	if (!h)
		return NULL;
	h->may_refuse = false;
	if (h->has_local)
		r->local = h->local;
	/* It costs each datagram something, so only flows that refuse ask. */
	if (!uf->is_told_local)
		(void)host->ops->set(host, &f->sock, HOST_OPT_PKTINFO, 1);
	uf->is_told_local = true;
	return &uf->end;
}

void udp_refused(struct udp *u, struct icmp_refusal *r)
{
	const struct nat_env *env = u->env;
	struct endpoint real;
	struct udp_end *e = udp_client_refused(u, r, &real);

	if (!e)
		e = flow_refused(u, r, &real);
	if (!e || !env->refuse) {
		drop(env->drops, DROP_ICMP_TYPE);
		return;
	}
	if (!icmp_ration_refusal(u->icmp))
		return;
	env->refuse(env->arg, env->host->ops->share(env->host, e->sock), &real,
		    r);
}
