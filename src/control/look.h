/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an engine shows of itself when the keeper looks (LOOK in engine_msg.h).
 *
 * The keeper asks for a turn, the engine writes what fits of it to a room that
 * both have mapped (worker/counters.h) and says LOOKED: how many entries there
 * are, and where the next turn begins.  So nothing long is walked at once, and
 * the engine keeps nothing between two turns.  What comes or goes meanwhile may
 * be in the listing or not; everything else is in it once.
 *
 * The engine may write anything there: the keeper copies an entry before it
 * looks at it.
 */
#ifndef CONTROL_LOOK_H
#define CONTROL_LOOK_H

#include <stdint.h>

#include "base/addr.h"
#include "base/flow_seen.h"

enum {
	LOOK_TURN = 128, /* entries of one turn, at most */
	LOOK_NAME_LEN = 48, /* PORT_NAME_LEN */
	LOOK_KIND_LEN = 16,
	LOOK_ADDRS = 8, /* of a machine, HEARD_MAX */
	LOOK_AT = 4,
};

enum look_what {
	LOOK_PORTS,
	LOOK_COUNTS,
	LOOK_MACS,
	LOOK_FLOWS,
	LOOK_N
};

/* X(name, what it is called, the same in words) */
#define LOOK_COUNTERS(X)                                                       \
	X(MACHINES, "machines", "machines that are connected")                 \
	X(MACS, "macs", "MAC addresses that are known on the LANs")            \
	X(LEASES, "leases", "IPv4 addresses that are leased")                  \
	X(DHCP, "dhcp-answers", "answers of DHCP over IPv4")                   \
	X(DHCP6, "dhcpv6-answers", "answers of DHCP over IPv6")                \
	X(DNS, "dns-questions", "questions to the name server over UDP")       \
	X(DNS_OWN, "dns-own", "of them, what it answered by itself")           \
	X(DNS_KNOWN, "dns-known", "answers that it remembered")                \
	X(DNS_ASKED, "dns-asked", "questions that it sent to resolvers")       \
	X(DNS_FAILED, "dns-failed", "questions that no resolver answered")     \
	X(TCP_FLOWS, "tcp-flows", "TCP connections of guests now")             \
	X(UDP_FLOWS, "udp-flows", "UDP ports of guests in use now")            \
	X(ICMP_FLOWS, "icmp-flows", "pings of guests under way")               \
	X(TCP_OPENED, "tcp-opened", "TCP connections that were established")   \
	X(TCP_REFUSED, "tcp-refused", "TCP connections that were refused")     \
	X(TCP_RESET, "tcp-reset", "TCP connections that were reset")           \
	X(TCP_SENT, "tcp-sent-bytes", "bytes that guests sent by TCP")         \
	X(TCP_RECEIVED, "tcp-received-bytes", "bytes that guests got by TCP")  \
	X(TCP_TIMEOUTS, "tcp-timeouts",                                        \
	  "times that a guest was silent and TCP sent again")                  \
	X(TCP_RECOVERIES, "tcp-fast-retransmits",                              \
	  "times that a guest told of a loss and TCP sent again")              \
	X(TCP_BUFFER, "tcp-buffer-bytes", "memory that TCP uses now")          \
	X(UDP_DATAGRAMS_SENT, "udp-sent", "datagrams that guests sent")        \
	X(UDP_SENT, "udp-sent-bytes", "bytes of their payload")                \
	X(UDP_DATAGRAMS_RECEIVED, "udp-received", "datagrams that guests got") \
	X(UDP_RECEIVED, "udp-received-bytes", "bytes of their payload")

enum look_counter {
#define LOOK_COUNTER_ENUM(name, word, text) LOOK_COUNT_##name,
	LOOK_COUNTERS(LOOK_COUNTER_ENUM)
#undef LOOK_COUNTER_ENUM
	LOOK_COUNT_N
};

/* A port of a LAN. */
struct look_port {
	uint32_t id; /* of its netdev */
	uint8_t is_connected, is_up;
	char name[LOOK_NAME_LEN];
	char kind[LOOK_KIND_LEN];
	/* rx: from the peer into the LAN */
	uint64_t rx_frames, rx_bytes, rx_drops;
	uint64_t tx_frames, tx_bytes, tx_drops;
};

/* A MAC that is known on a LAN. */
struct look_mac {
	mac mac;
	uint8_t n;   /* addresses */
	uint32_t id; /* of the netdev that it is behind */
	uint64_t idle_ms;
	addr ip[LOOK_ADDRS];
	char name[LOOK_NAME_LEN]; /* of that port */
};

/* One turn's. */
union look_room {
	struct look_mac mac[LOOK_TURN];
	struct flow_seen flow[LOOK_TURN];
	struct look_port port[LOOK_TURN];
	uint64_t count[LOOK_COUNT_N]; /* all of them in one turn */
};

#endif
