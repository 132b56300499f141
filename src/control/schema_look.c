/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine shows, key by key; see schema_table.c. */
#include "control/schema_look.h"

static const struct schema_key drop_keys[] = {
	{"name", SCHEMA_STRING, .about = "the reason"},
	{"text", SCHEMA_STRING, .about = "the same in words"},
	{"count", SCHEMA_INTEGER, .about = "frames, packets or questions"},
	{NULL},
};

static const struct schema_key port_keys[] = {
	{"name", SCHEMA_STRING, .about = "its netdev's, or its machine's"},
	{"kind", SCHEMA_STRING, .about = "of netdev, as user or stream"},
	{"machine", SCHEMA_STRING, true, "whose port it is"},
	{"connected", SCHEMA_BOOLEAN, .about = "its peer is there"},
	{"up", SCHEMA_BOOLEAN, .about = "frames pass"},
	{"rx-frames", SCHEMA_INTEGER, .about = "from the peer into the LAN"},
	{"rx-bytes", SCHEMA_INTEGER, .about = "their bytes"},
	{"rx-drops", SCHEMA_INTEGER, .about = "of them, what went nowhere"},
	{"tx-frames", SCHEMA_INTEGER, .about = "from the LAN to the peer"},
	{"tx-bytes", SCHEMA_INTEGER, .about = "their bytes"},
	{"tx-drops", SCHEMA_INTEGER, .about = "what did not reach the peer"},
	{NULL},
};

static const struct schema_key counter_keys[] = {
	{"name", SCHEMA_STRING, .about = "what is counted"},
	{"text", SCHEMA_STRING, .about = "the same in words"},
	{"count", SCHEMA_INTEGER, .about = "how many"},
	{NULL},
};

const struct schema_key schema_stats_keys[] = {
	{"network", SCHEMA_STRING, .about = "its name"},
	{"uptime-ms", SCHEMA_INTEGER, .about = "since its keeper began"},
	{"drops", SCHEMA_OBJECTS, false, "what was lost, by reason", drop_keys},
	{"ports", SCHEMA_OBJECTS, false,
	 "of its LANs, since the engine began to serve them", port_keys},
	{"counters", SCHEMA_OBJECTS, false, "what else the engine counts",
	 counter_keys},
	{NULL},
};

static const struct schema_key mac_keys[] = {
	{"mac", SCHEMA_STRING, .about = "the address"},
	{"port", SCHEMA_STRING, .about = "the port that it is behind"},
	{"machine", SCHEMA_STRING, true, "whose port that is"},
	{"idle-ms", SCHEMA_INTEGER, .about = "since it was seen last"},
	{"addresses", SCHEMA_STRINGS, .about =
	 "what the machine was heard to have, the last first; none where "
	 "several MACs are behind the port"},
	{NULL},
};

const struct schema_key schema_macs_keys[] = {
	{"macs", SCHEMA_OBJECTS, false, "of all LANs", mac_keys},
	{NULL},
};

const struct schema_key schema_flows_query[] = {
	{"machine", SCHEMA_STRING, true, "of that one only"},
	{NULL},
};

static const struct schema_key flow_keys[] = {
	{"proto", SCHEMA_STRING, .about = "tcp, udp or icmp (a ping)"},
	{"machine", SCHEMA_STRING, true, "whose it is"},
	{"guest", SCHEMA_STRING, .about =
	 "its end, address:port; of a ping its identifier is the port"},
	{"peer", SCHEMA_STRING, .about =
	 "the other, as the guest names it; of UDP the last that it sent to"},
	{"name", SCHEMA_STRING, true, "what the guest looked the peer up by"},
	{"direction", SCHEMA_STRING,
	 .about = "who began: out, the guest, or in"},
	{"state", SCHEMA_STRING, .about =
	 "of TCP as in RFC 9293, or connect, before the server has "
	 "answered; else answered or unanswered"},
	{"age-ms", SCHEMA_INTEGER, .about = "since it began"},
	{"idle-ms", SCHEMA_INTEGER, .about = "since bytes passed"},
	{"sent-bytes", SCHEMA_INTEGER, .about = "payload that the guest sent"},
	{"received-bytes", SCHEMA_INTEGER, .about = "payload that it was sent"},
	{"rtt-us", SCHEMA_INTEGER, true,
	 "of TCP: to the guest and back, its cable with it, smoothed; measured "
	 "by the handshake and by bytes that the guest is sent, so one by "
	 "which it only sends keeps what was"},
	{"retransmissions", SCHEMA_INTEGER, true,
	 "of TCP: segments that the guest was sent again"},
	{NULL},
};

const struct schema_key schema_flows_keys[] = {
	{"flows", SCHEMA_OBJECTS, false, "in no order", flow_keys},
	{"more", SCHEMA_BOOLEAN, .about =
	 "some were left out: an answer has 32 MiB at most, all that are "
	 "being made have four times that, and the engine is asked for one "
	 "65,536 times at most"},
	{NULL},
};

static const struct schema_key gv_ip_keys[] = {
	{"PacketsReceived", SCHEMA_INTEGER, .about = "frames to the gateway"},
	{"PacketsSent", SCHEMA_INTEGER, .about = "frames from it"},
	{"InvalidDestinationAddressesReceived", SCHEMA_INTEGER,
	 .about = "lost as IP_DEST"},
	{"InvalidSourceAddressesReceived", SCHEMA_INTEGER,
	 .about = "lost as IP_SOURCE"},
	{"MalformedPacketsReceived", SCHEMA_INTEGER,
	 .about = "lost as IP4_SHORT, IP4_CSUM or IP6_SHORT"},
	{"MalformedFragmentsReceived", SCHEMA_INTEGER,
	 .about = "lost as FRAG_BAD"},
	{NULL},
};

static const struct schema_key gv_tcp_keys[] = {
	{"PassiveConnectionOpenings", SCHEMA_INTEGER, .about = "tcp-opened"},
	{"CurrentConnected", SCHEMA_INTEGER, .about = "tcp-flows"},
	{"EstablishedResets", SCHEMA_INTEGER, .about = "tcp-reset"},
	{"FailedConnectionAttempts", SCHEMA_INTEGER, .about = "tcp-refused"},
	{"InvalidSegmentsReceived", SCHEMA_INTEGER,
	 .about = "lost as TCP_SHORT or TCP_CSUM"},
	{"FastRetransmit", SCHEMA_INTEGER, .about = "tcp-fast-retransmits"},
	{"Timeouts", SCHEMA_INTEGER, .about = "tcp-timeouts"},
	{NULL},
};

static const struct schema_key gv_udp_keys[] = {
	{"PacketsReceived", SCHEMA_INTEGER, .about = "udp-sent"},
	{"PacketsSent", SCHEMA_INTEGER, .about = "udp-received"},
	{"MalformedPacketsReceived", SCHEMA_INTEGER,
	 .about = "lost as UDP_SHORT or UDP_CSUM"},
	{"PacketSendErrors", SCHEMA_INTEGER, .about = "lost as UDP_SEND"},
	{NULL},
};

const struct schema_key schema_gv_stats_keys[] = {
	{"BytesSent", SCHEMA_INTEGER, .about = "of frames to all machines"},
	{"BytesReceived", SCHEMA_INTEGER, .about = "of frames from them"},
	{"UnknownProtocolRcvdPackets", SCHEMA_INTEGER,
	 .about = "lost as IP_PROTOCOL"},
	{"DroppedPackets", SCHEMA_INTEGER, .about = "all that was lost"},
	{"IP", SCHEMA_OBJECT, false, "of both families", gv_ip_keys},
	{"TCP", SCHEMA_OBJECT, false, "as in GET /v1/stats", gv_tcp_keys},
	{"UDP", SCHEMA_OBJECT, false, "the same", gv_udp_keys},
	{NULL},
};
