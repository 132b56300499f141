/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP flows as they are shown (base/flow_seen.h).  Called by the gateway, for
 * the keeper; one worker's thread. */
#include "nat/tcp_priv.h"

static enum flow_state state_of(const struct tcp_flow *f)
{
	switch ((enum tcp_state)f->state) {
	case TCP_S_CLOSED:
		return FLOW_CLOSED;
	case TCP_S_CONNECT:
		return FLOW_CONNECT;
	case TCP_S_SYN_SENT:
		return FLOW_SYN_SENT;
	case TCP_S_SYN_RCVD:
		return FLOW_SYN_RCVD;
	case TCP_S_ESTABLISHED:
		return FLOW_ESTABLISHED;
	case TCP_S_FIN_WAIT_1:
		return FLOW_FIN_WAIT_1;
	case TCP_S_FIN_WAIT_2:
		return FLOW_FIN_WAIT_2;
	case TCP_S_CLOSE_WAIT:
		return FLOW_CLOSE_WAIT;
	case TCP_S_CLOSING:
		return FLOW_CLOSING;
	case TCP_S_LAST_ACK:
		return FLOW_LAST_ACK;
	case TCP_S_TIME_WAIT:
		return FLOW_TIME_WAIT;
	}
	return FLOW_CLOSED;
}

static void show(void *arg, const struct flow *of)
{
	const struct tcp_flow *f = container_of(of, struct tcp_flow, flow);
	uint64_t used_ns = f->rx_ns > f->tx_ns ? f->rx_ns : f->tx_ns;
	struct flow_seen *s = flow_show(arg, of, used_ns);

	s->peer = of->remote;
	s->state = (uint8_t)state_of(f);
	s->is_inward = f->is_inward;
	s->is_tcp = true;
	s->sent = f->bytes_up;
	s->received = f->bytes_down;
	s->n_again = f->n_again;
	if (tcp_is(f, TCP_F_MEASURED))
		s->rtt_us = f->srtt_us;
}

uint32_t tcp_show(const struct tcp *t, uint32_t from, struct flow_room *r)
{
	return flow_walk(&t->flows, from, r->max - r->n, show, r);
}
