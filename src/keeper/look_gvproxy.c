/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET /stats, as gvproxy answers it: the keys of its that we count, under its
 * names.  It looks from the gateway's side: what it received a machine sent.
 * GET /cam: the MACs that the switch has learnt, but for the gateway's own.
 * Called by requests.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/look_priv.h"

static void take_port(struct look *l, const union look_room *room, unsigned i)
{
	struct look_port p;

	look_copy(&p, room->port, i, sizeof(p));
	p.kind[LOOK_KIND_LEN - 1] = '\0';
	if (strcmp(p.kind, "user") == 0) {
		l->sum.in_frames += p.tx_frames;
		l->sum.out_frames += p.rx_frames;
		return;
	}
	l->sum.to_bytes += p.tx_bytes;
	l->sum.from_bytes += p.rx_bytes;
}

static void take_count(struct look *l, const union look_room *room, unsigned i)
{
	if (i < LOOK_COUNT_N)
		look_copy(&l->sum.count[i], room->count, i, sizeof(uint64_t));
}

static uint64_t lost(const struct look *l, enum drop_reason why)
{
	return counters_drops(&l->keeper->counters, why);
}

static uint64_t all_lost(const struct look *l)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		n += lost(l, (enum drop_reason)i);
	return n;
}

static json_t *ip_part(const struct look *l)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "PacketsReceived",
			 look_number(l->sum.in_frames), "PacketsSent",
			 look_number(l->sum.out_frames),
			 "InvalidDestinationAddressesReceived",
			 look_number(lost(l, DROP_IP_DEST)),
			 "InvalidSourceAddressesReceived",
			 look_number(lost(l, DROP_IP_SOURCE)),
			 "MalformedPacketsReceived",
			 look_number(lost(l, DROP_IP4_SHORT) +
				     lost(l, DROP_IP4_CSUM) +
				     lost(l, DROP_IP6_SHORT)),
			 "MalformedFragmentsReceived",
			 look_number(lost(l, DROP_FRAG_BAD)));
}

static json_t *tcp_part(const struct look *l)
{
	const uint64_t *n = l->sum.count;

	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
			 "PassiveConnectionOpenings",
			 look_number(n[LOOK_COUNT_TCP_OPENED]),
			 "CurrentConnected",
			 look_number(n[LOOK_COUNT_TCP_FLOWS]),
			 "EstablishedResets",
			 look_number(n[LOOK_COUNT_TCP_RESET]),
			 "FailedConnectionAttempts",
			 look_number(n[LOOK_COUNT_TCP_REFUSED]),
			 "InvalidSegmentsReceived",
			 look_number(lost(l, DROP_TCP_SHORT) +
				     lost(l, DROP_TCP_CSUM)),
			 "FastRetransmit",
			 look_number(n[LOOK_COUNT_TCP_RECOVERIES]), "Timeouts",
			 look_number(n[LOOK_COUNT_TCP_TIMEOUTS]));
}

static json_t *udp_part(const struct look *l)
{
	const uint64_t *n = l->sum.count;

	return json_pack("{s:o,s:o,s:o,s:o}", "PacketsReceived",
			 look_number(n[LOOK_COUNT_UDP_DATAGRAMS_SENT]),
			 "PacketsSent",
			 look_number(n[LOOK_COUNT_UDP_DATAGRAMS_RECEIVED]),
			 "MalformedPacketsReceived",
			 look_number(lost(l, DROP_UDP_SHORT) +
				     lost(l, DROP_UDP_CSUM)),
			 "PacketSendErrors",
			 look_number(lost(l, DROP_UDP_SEND)));
}

static void all_there(struct look *l)
{
	json_t *o = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "BytesSent",
			      look_number(l->sum.to_bytes), "BytesReceived",
			      look_number(l->sum.from_bytes),
			      "UnknownProtocolRcvdPackets",
			      look_number(lost(l, DROP_IP_PROTOCOL)),
			      "DroppedPackets", look_number(all_lost(l)), "IP",
			      ip_part(l), "TCP", tcp_part(l), "UDP",
			      udp_part(l));

	look_put_item(l, o);
}

static void take_mac(struct look *l, const union look_room *room, unsigned i)
{
	const struct plan_netdev *gw = plan_gateway(&l->keeper->plan);
	char text[MAC_STRLEN], member[MAC_STRLEN + 32];
	struct look_mac m;

	look_copy(&m, room->mac, i, sizeof(m));
	if (gw && gw->id == m.id)
		return;
	snprintf(member, sizeof(member), "%s\"%s\":%u",
		 l->n_items++ ? "," : "", mac_format(m.mac, text), m.id);
	look_put_text(l, member);
}

static const char *cam_end(struct look *l)
{
	return l->is_cut ? NULL : "}\n";
}

static const struct look_kind cam = {
	.part = {{LOOK_MACS, take_mac, NULL}},
	.n_parts = 1,
	.end = cam_end,
};

int look_cam(struct keeper *k, const struct request *r, json_t **op,
	     struct error *e)
{
	(void)op;
	return look_begin(k, r, &cam, "{", e);
}

static const char *end(struct look *l)
{
	return l->is_cut ? NULL : "\n";
}

static const struct look_kind kind = {
	.part = {
		{LOOK_PORTS, take_port, NULL},
		{LOOK_COUNTS, take_count, all_there},
	},
	.n_parts = 2,
	.end = end,
};

int look_gvproxy(struct keeper *k, const struct request *r, json_t **op,
		 struct error *e)
{
	(void)op;
	return look_begin(k, r, &kind, "", e);
}
