/* SPDX-License-Identifier: BSD-3-Clause */
/* What the gateway shows of its flows, and what it counts.  Called by the
 * engine, for the keeper. */
#include <stdio.h>

#include "gateway/gateway_priv.h"

enum {
	PART_TCP,
	PART_UDP,
	PART_CLIENTS,
	PART_ICMP,
	PARTS,
	/* Flows that may stand in one chain, which is shown whole: keys are
	 * hashed under a random key. */
	ROOM_MIN = 32,
};

unsigned gateway_n_workers(const struct gateway *gw)
{
	return gw->legs ? gw->legs->n + 1 : 1;
}

static uint32_t show_part(const struct gateway *gw,
			  const struct gateway_leg *l,
			  const struct gateway_flows_at *at,
			  struct flow_room *r)
{
	switch (at->part) {
	case PART_TCP:
		return tcp_show(l ? l->tcp : gw->tcp, at->chain, r);
	case PART_UDP:
		return udp_show(l ? l->udp : gw->udp, at->chain, r);
	case PART_CLIENTS:
		return udp_show_clients(l ? l->udp : gw->udp, at->chain, r);
	}
	return icmp_show(l ? l->icmp : gw->icmp, at->chain, r);
}

/* By which port of the LAN their guests are reached. */
static void put_ports(const struct lan *lan, const struct flow_room *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct port *p = lan_behind(lan, r->to[i].guest_mac);

		r->to[i].port = p ? p->id : 0;
	}
}

bool gateway_show_flows(struct gateway *gw, unsigned worker,
			struct gateway_flows_at *at, struct flow_room *r)
{
	const struct gateway_leg *l = worker ? gw->legs->leg[worker - 1] : NULL;

	r->now_ns = l ? *l->nat.now_ns : *gw->nat.now_ns;
	while (at->part < PARTS && r->max - r->n >= ROOM_MIN) {
		at->chain = show_part(gw, l, at, r);
		if (at->chain)
			break;
		at->part++;
	}
	put_ports(l ? l->port.lan : gw->port.lan, r);
	return at->part < PARTS;
}

void gateway_name_flows(const struct gateway *gw, struct flow_room *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct flow_seen *s = &r->to[i];
		const char *name = NULL;

		if (!addr_is_unspecified(&s->peer.ip))
			name = dns_looked_up(gw->dns, s->guest_mac,
					     &s->peer.ip);
		snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
	}
}

void gateway_stats_add(struct gateway_stats *sp, const struct tcp *tcp,
		       const struct udp *udp)
{
	struct tcp_stats t;
	struct udp_stats u;

	tcp_stats(tcp, &t);
	udp_stats(udp, &u);
	sp->n_tcp += t.n_flows;
	sp->n_udp += udp_n_flows(udp);
	sp->tcp_rto += t.n_rto;
	sp->tcp_fast_retransmit += t.n_fast_retransmit;
	sp->tcp_opened += t.n_opened;
	sp->tcp_refused += t.n_refused;
	sp->tcp_reset += t.n_reset;
	sp->tcp_up += t.bytes_up;
	sp->tcp_down += t.bytes_down;
	sp->buffer_used += t.buffer_used;
	sp->udp_up += u.bytes_up;
	sp->udp_down += u.bytes_down;
	sp->n_udp_up += u.n_up;
	sp->n_udp_down += u.n_down;
}

void gateway_stats(struct gateway *gw, struct gateway_stats *sp)
{
	struct dns_stats d;

	dns_stats(gw->dns, &d);
	*sp = (struct gateway_stats){
		.n_icmp = icmp_n_flows(gw->icmp),
		.n_leases = dhcp_n_leases(gw->dhcp),
		.dhcp = dhcp_n_answers(gw->dhcp),
		.dhcp6 = gw->dhcp6 ? dhcp6_n_answers(gw->dhcp6) : 0,
		.dns = d.n_questions,
		.dns_own = d.n_own,
		.dns_known = d.n_known,
		.dns_asked = d.n_asked,
		.dns_failed = d.n_failed,
	};
	gateway_stats_add(sp, gw->tcp, gw->udp);
	gateway_pause(gw);
	gateway_legs_stats(gw, sp);
	gateway_resume(gw);
}
