/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP flows and clients of forwarded ports as they are shown
 * (base/flow_seen.h).  Called by the gateway, for the keeper; one worker's
 * thread. */
#include "nat/udp_priv.h"

static void show_flow(void *arg, const struct flow *of)
{
	const struct udp_flow *uf = container_of(of, struct udp_flow, flow);
	struct flow_seen *s = flow_show(arg, of, uf->used_ns);

	s->peer = uf->peer;
	s->state = uf->is_answered ? FLOW_ANSWERED : FLOW_UNANSWERED;
	s->sent = uf->sent;
	s->received = uf->received;
}

static void show_client(void *arg, const struct flow *of)
{
	const struct udp_client *c = container_of(of, struct udp_client, flow);
	struct flow_seen *s = flow_show(arg, of, c->used_ns);

	s->peer = of->remote;
	s->state = c->is_answered ? FLOW_ANSWERED : FLOW_UNANSWERED;
	s->is_inward = true;
	s->sent = c->sent;
	s->received = c->received;
}

uint32_t udp_show(const struct udp *u, uint32_t from, struct flow_room *r)
{
	return flow_walk(&u->flows, from, r->max - r->n, show_flow, r);
}

uint32_t udp_show_clients(const struct udp *u, uint32_t from,
			  struct flow_room *r)
{
	return flow_walk(&u->clients, from, r->max - r->n, show_client, r);
}
