/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine shows of itself, a turn at a time (control/look.h).  Called
 * by orders.c; worker 0's thread, between batches.  What other workers count is
 * read in a pause, which is as short as a turn.
 */
#include <stdio.h>
#include <string.h>

#include "control/look.h"
#include "engine/engine_priv.h"

_Static_assert(sizeof(union look_room) <= COUNTERS_ROOM, "it is in there");
_Static_assert((int)LOOK_NAME_LEN == (int)PORT_NAME_LEN &&
		       (int)LOOK_ADDRS == (int)HEARD_MAX,
	       "one bound");

static union look_room *room_of(const struct engine *e)
{
	return e->counters.room;
}

/* ---- ports: at[0] is a lan, at[1] the port of it that came last ---- */

/* The first lan from that number on; NULL: none. */
static struct engine_lan *lan_from(struct engine *e, uint32_t id)
{
	struct engine_lan *found = NULL;

	list_each(it, &e->lans) {
		struct engine_lan *l =
			container_of(it, struct engine_lan, link);

		if (l->id >= id && (!found || l->id < found->id))
			found = l;
	}
	return found;
}

static void show_port(const struct engine_lan *l, const struct port *p,
		      struct look_port *to)
{
	struct port_stats s = p->stats;

	if (l->net)
		lanes_port_stats(l->net, p, &s);
	*to = (struct look_port){
		.id = p->id,
		.is_connected = p->carrier,
		.is_up = port_is_up(p),
		.rx_frames = s.rx_frames,
		.rx_bytes = s.rx_bytes,
		.rx_drops = s.rx_drops,
		.tx_frames = s.tx_frames,
		.tx_bytes = s.tx_bytes,
		.tx_drops = s.tx_drops,
	};
	memcpy(to->name, p->name, sizeof(to->name));
	snprintf(to->kind, sizeof(to->kind), "%s", p->ops->kind);
}

/* Ports are in the order of their serials. */
static void show_ports(struct engine *e, struct msg_look *m)
{
	union look_room *room = room_of(e);
	struct engine_lan *l = lan_from(e, m->at[0]);

	m->is_over = !l;
	if (!l)
		return;
	if (l->id != m->at[0])
		m->at[1] = 0;
	list_each(it, lan_ports(l->lan)) {
		struct port *p = container_of(it, struct port, link_all);

		if (p->serial <= m->at[1])
			continue;
		if (m->n == LOOK_TURN) {
			m->at[0] = l->id;
			return;
		}
		show_port(l, p, &room->port[m->n++]);
		m->at[1] = p->serial;
	}
	m->is_over = !lan_from(e, l->id + 1);
	m->at[0] = l->id + 1;
	m->at[1] = 0;
}

/* ---- counters, in one turn ---- */

static void count_gateway(struct gateway *gw, uint64_t *n)
{
	struct gateway_stats s;

	gateway_stats(gw, &s);
	n[LOOK_COUNT_LEASES] += s.n_leases;
	n[LOOK_COUNT_TCP_FLOWS] += s.n_tcp;
	n[LOOK_COUNT_UDP_FLOWS] += s.n_udp;
	n[LOOK_COUNT_ICMP_FLOWS] += s.n_icmp;
	n[LOOK_COUNT_TCP_OPENED] += s.tcp_opened;
	n[LOOK_COUNT_TCP_REFUSED] += s.tcp_refused;
	n[LOOK_COUNT_TCP_RESET] += s.tcp_reset;
	n[LOOK_COUNT_TCP_SENT] += s.tcp_up;
	n[LOOK_COUNT_TCP_RECEIVED] += s.tcp_down;
	n[LOOK_COUNT_TCP_TIMEOUTS] += s.tcp_rto;
	n[LOOK_COUNT_TCP_RECOVERIES] += s.tcp_fast_retransmit;
	n[LOOK_COUNT_TCP_BUFFER] += s.buffer_used;
	n[LOOK_COUNT_UDP_DATAGRAMS_SENT] += s.n_udp_up;
	n[LOOK_COUNT_UDP_SENT] += s.udp_up;
	n[LOOK_COUNT_UDP_DATAGRAMS_RECEIVED] += s.n_udp_down;
	n[LOOK_COUNT_UDP_RECEIVED] += s.udp_down;
	n[LOOK_COUNT_DHCP] += s.dhcp;
	n[LOOK_COUNT_DHCP6] += s.dhcp6;
	n[LOOK_COUNT_DNS] += s.dns;
	n[LOOK_COUNT_DNS_OWN] += s.dns_own;
	n[LOOK_COUNT_DNS_KNOWN] += s.dns_known;
	n[LOOK_COUNT_DNS_ASKED] += s.dns_asked;
	n[LOOK_COUNT_DNS_FAILED] += s.dns_failed;
}

static void show_counts(struct engine *e, struct msg_look *m)
{
	uint64_t *n = room_of(e)->count;

	memset(n, 0, sizeof(room_of(e)->count));
	n[LOOK_COUNT_MACHINES] = e->n_machines;
	list_each(lt, &e->lans)
		n[LOOK_COUNT_MACS] += lan_n_macs(
			container_of(lt, struct engine_lan, link)->lan);
	list_each(it, &e->netdevs) {
		struct engine_netdev *d =
			container_of(it, struct engine_netdev, link);

		if (d->role == ROLE_GATEWAY)
			count_gateway(d->gateway, n);
	}
	m->n = LOOK_COUNT_N;
	m->is_over = true;
}

/* ---- MACs: at[0] is a lan, at[1] a part of its table ---- */

struct macs {
	const struct engine *e;
	struct msg_look *m;
};

/* The addresses heard are a port's: whose they are is known where it has one
 * MAC. */
static void show_mac(void *arg, mac m, struct port *p, uint64_t age_ns)
{
	const struct macs *s = arg;
	struct look_mac *to = &room_of(s->e)->mac[s->m->n++];
	bool is_alone = p->n_macs == 1;

	*to = (struct look_mac){
		.mac = m,
		.id = p->id,
		.idle_ms = age_ns / 1000000u,
		.n = is_alone ? (uint8_t)p->n_heard : 0,
	};
	if (is_alone)
		memcpy(to->ip, p->heard, sizeof(to->ip));
	memcpy(to->name, p->name, sizeof(to->name));
}

static void show_macs(struct engine *e, struct msg_look *m)
{
	struct engine_lan *l = lan_from(e, m->at[0]);
	struct macs s = {.e = e, .m = m};

	m->is_over = !l;
	if (!l)
		return;
	if (l->id != m->at[0])
		m->at[1] = 0;
	m->at[0] = l->id;
	m->at[1] = lan_some_macs(l->lan, m->at[1], LOOK_TURN, show_mac, &s);
	if (m->at[1])
		return;
	m->is_over = !lan_from(e, l->id + 1);
	m->at[0] = l->id + 1;
}

void engine_order_look(struct engine *e, const struct msg_look *m)
{
	struct msg_look answer = *m;

	if (engine_look_later(e, m))
		return;
	if (m->what == LOOK_FLOWS) {
		engine_look_flows(e, m);
		return;
	}
	answer.n = 0;
	answer.is_over = true;
	team_pause(e->team);
	switch ((enum look_what)m->what) {
	case LOOK_PORTS:
		show_ports(e, &answer);
		break;
	case LOOK_COUNTS:
		show_counts(e, &answer);
		break;
	case LOOK_MACS:
		show_macs(e, &answer);
		break;
	case LOOK_FLOWS:
	case LOOK_N:
		break;
	}
	team_resume(e->team);
	engine_news_looked(e, &answer);
}
