/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine shows, as JSON.  Called by look.c and by requests.c.
 * An entry is copied before it is looked at: the engine could change it in
 * between.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/text.h"
#include "keeper/look_priv.h"
#include "keeper/machine.h"
#include "keeper/stats.h"

json_t *look_number(uint64_t n)
{
	return json_integer(n < INT64_MAX ? (json_int_t)n : INT64_MAX);
}

void look_copy(void *to, const void *list, unsigned i, size_t len)
{
	memcpy(to, (const char *)list + i * len, len);
	atomic_signal_fence(memory_order_seq_cst); /* once */
}

const struct machine *look_machine_at(const struct keeper *k, uint32_t id)
{
	const struct plan_netdev *n = plan_find((struct plan *)&k->plan, id);

	return n ? n->machine : NULL;
}

static const char *name_at(const struct keeper *k, uint32_t id)
{
	const struct machine *m = look_machine_at(k, id);

	return m ? m->name : NULL;
}

/* ---- ports ---- */

static void take_port(struct look *l, const union look_room *room, unsigned i)
{
	struct look_port p;

	look_copy(&p, room->port, i, sizeof(p));
	p.name[LOOK_NAME_LEN - 1] = '\0';
	p.kind[LOOK_KIND_LEN - 1] = '\0';
	look_put_item(l, json_pack("{s:o,s:o,s:s*,s:b,s:b,s:o,s:o,s:o,s:o,s:o,"
				   "s:o}",
				   "name", text_shown(p.name), "kind",
				   text_shown(p.kind), "machine",
				   name_at(l->keeper, p.id), "connected",
				   p.is_connected, "up", p.is_up, "rx-frames",
				   look_number(p.rx_frames), "rx-bytes",
				   look_number(p.rx_bytes), "rx-drops",
				   look_number(p.rx_drops), "tx-frames",
				   look_number(p.tx_frames), "tx-bytes",
				   look_number(p.tx_bytes), "tx-drops",
				   look_number(p.tx_drops)));
}

/* ---- counters ---- */

static const struct {
	const char *name, *text;
} counters[LOOK_COUNT_N] = {
#define LOOK_COUNTER_WORDS(name, word, text) [LOOK_COUNT_##name] = {word, text},
	LOOK_COUNTERS(LOOK_COUNTER_WORDS)
#undef LOOK_COUNTER_WORDS
};

static void take_count(struct look *l, const union look_room *room, unsigned i)
{
	uint64_t n;

	if (i >= LOOK_COUNT_N)
		return;
	look_copy(&n, room->count, i, sizeof(n));
	look_put_item(l, json_pack("{s:s,s:s,s:o}", "name", counters[i].name,
				   "text", counters[i].text, "count",
				   look_number(n)));
}

/* ---- GET /v1/stats ---- */

static void ports_end(struct look *l)
{
	look_put_text(l, "],\"counters\":[");
}

static const char *stats_end(struct look *l)
{
	return l->is_cut ? NULL : "]}\n";
}

static const struct look_kind stats_kind = {
	.part = {
		{LOOK_PORTS, take_port, ports_end},
		{LOOK_COUNTS, take_count, NULL},
	},
	.n_parts = 2,
	.end = stats_end,
};

int look_stats(struct keeper *k, const struct request *r, json_t **op,
	       struct error *e)
{
	uint64_t ms = (*loop_now(k->loop) - k->start_ns) / 1000000u;
	json_t *o = stats_object(k->c->network->name, ms, &k->counters);
	CLEANUP_FREE char *head = o ? json_dumps(o, JSON_COMPACT |
						 JSON_PRESERVE_ORDER)
				    : NULL;
	CLEANUP_FREE char *text = NULL;

	(void)op;
	json_decref(o);
	/* All but its last brace. */
	if (!head || asprintf(&text, "%.*s,\"ports\":[",
			      (int)strlen(head) - 1, head) < 0)
		return error_errno(e, ENOMEM, "the answer");
	return look_begin(k, r, &stats_kind, text, e);
}

/* ---- GET /v1/macs ---- */

static json_t *addresses(const struct look_mac *m)
{
	json_t *list = json_array();
	char text[ADDR_STRLEN];
	unsigned n = m->n < LOOK_ADDRS ? m->n : LOOK_ADDRS;

	for (unsigned i = 0; i < n && list; i++)
		json_array_append_new(list, json_string(addr_format(&m->ip[i],
								    text)));
	return list;
}

static void take_mac(struct look *l, const union look_room *room, unsigned i)
{
	char text[MAC_STRLEN];
	struct look_mac m;

	look_copy(&m, room->mac, i, sizeof(m));
	m.name[LOOK_NAME_LEN - 1] = '\0';
	look_put_item(l, json_pack("{s:s,s:o,s:s*,s:o,s:o}", "mac",
				   mac_format(m.mac, text), "port",
				   text_shown(m.name), "machine",
				   name_at(l->keeper, m.id), "idle-ms",
				   look_number(m.idle_ms), "addresses",
				   addresses(&m)));
}

static const struct look_kind macs_kind = {
	.part = {{LOOK_MACS, take_mac, NULL}},
	.n_parts = 1,
	.end = stats_end,
};

int look_macs(struct keeper *k, const struct request *r, json_t **op,
	      struct error *e)
{
	(void)op;
	return look_begin(k, r, &macs_kind, "{\"macs\":[", e);
}

/* ---- GET /v1/flows ---- */

static const char *const states[FLOW_STATES_N] = {
#define FLOW_STATE_TEXT(name, text) [FLOW_##name] = text,
	FLOW_STATES(FLOW_STATE_TEXT)
#undef FLOW_STATE_TEXT
};

/* By the port that leads to the guest; where that is not known any more, by
 * its address. */
static const struct machine *machine_of(const struct keeper *k,
					const struct flow_seen *s)
{
	const struct machine *m = look_machine_at(k, s->port);

	if (m || s->port)
		return m;
	list_each(it, &k->machines) {
		addr list[MACHINE_ADDRESSES_MAX];
		unsigned n;

		m = container_of(it, struct machine, link);
		n = machine_addresses(m, list);
		for (unsigned i = 0; i < n; i++) {
			if (addr_eq(&list[i], &s->guest.ip))
				return m;
		}
	}
	return NULL;
}

static const char *proto_of(const struct flow_seen *s)
{
	switch (s->proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	}
	return "icmp";
}

/* A ping has no port there. */
static const char *peer_of(const struct flow_seen *s, char *buf)
{
	return s->peer.port ? endpoint_format(&s->peer, buf)
			    : addr_format(&s->peer.ip, buf);
}

static void take_flow(struct look *l, const union look_room *room, unsigned i)
{
	char guest[ENDPOINT_STRLEN], peer[ENDPOINT_STRLEN];
	const struct machine *m;
	struct flow_seen s;

	look_copy(&s, room->flow, i, sizeof(s));
	s.name[FLOW_NAME_LEN - 1] = '\0';
	m = machine_of(l->keeper, &s);
	if (l->machine[0] && (!m || strcmp(m->name, l->machine) != 0))
		return;
	look_put_item(
		l,
		json_pack("{s:s,s:s*,s:s,s:s,s:o*,s:s,s:s,s:o,s:o,s:o,s:o,"
			  "s:o*,s:o*}",
			  "proto", proto_of(&s), "machine", m ? m->name : NULL,
			  "guest", endpoint_format(&s.guest, guest), "peer",
			  peer_of(&s, peer), "name",
			  s.name[0] ? text_shown(s.name) : NULL, "direction",
			  s.is_inward ? "in" : "out", "state",
			  s.state < FLOW_STATES_N ? states[s.state] : "?",
			  "age-ms", look_number(s.age_ms), "idle-ms",
			  look_number(s.idle_ms), "sent-bytes",
			  look_number(s.sent), "received-bytes",
			  look_number(s.received), "rtt-us",
			  s.is_tcp && s.rtt_us ? look_number(s.rtt_us) : NULL,
			  "retransmissions",
			  s.is_tcp ? look_number(s.n_again) : NULL));
}

static const char *flows_end(struct look *l)
{
	return l->is_cut ? "],\"more\":true}\n" : "],\"more\":false}\n";
}

static const struct look_kind flows_kind = {
	.part = {{LOOK_FLOWS, take_flow, NULL}},
	.n_parts = 1,
	.end = flows_end,
};

int look_flows(struct keeper *k, const struct request *r, json_t **op,
	       struct error *e)
{
	const char *machine = request_arg(r, "machine");
	struct look *l;
	int rc;

	(void)op;
	if (machine && !machine_find(k, machine))
		return error_set(e, EXIT_NO_OBJECT,
				 "this network has no machine of that name");
	rc = look_begin(k, r, &flows_kind, "{\"flows\":[", e);
	if (rc < 0 || !machine)
		return rc;
	l = container_of(*r->laterp, struct look, later);
	snprintf(l->machine, sizeof(l->machine), "%s", machine);
	return 0;
}
