/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every frame or packet that is lost here has a name and a counter: one
 * table of reasons for the whole house.  Counters belong to one worker.
 */
#ifndef LAN_DROP_H
#define LAN_DROP_H

#include <stdint.h>

/* X(name, text for people) */
#define DROP_REASONS(X)                                                        \
	X(FRAME_SHORT, "frame shorter than an Ethernet header")                \
	X(FRAME_LONG, "frame longer than the exit can carry")                  \
	X(FRAME_SRC_GROUP, "source MAC is a group address")                    \
	X(OFFLOAD_BAD, "offload request does not fit the frame")               \
	X(LINK_DOWN, "link of the exit is down")                               \
	X(LINK_DOWN_IN, "link of the entrance is down")                        \
	X(LINK_LOSS, "lost on a cable, as vmlan link says")                    \
	X(LINK_QUEUE, "too much on its way on a cable that is spoilt")         \
	X(LINK_CODEL, "waited too long for its turn at a cable's rate")        \
	X(PORT_FULL, "exit had no room")                                       \
	X(PORT_STALLED, "exit had no room for 100 ms")                         \
	X(PORT_FAULT, "exit is shut after a fault")                            \
	X(NO_EXIT, "no other port on the lan")                                 \
	X(NO_LISTENER, "nobody else listens to the multicast group")           \
	X(HAIRPIN, "destination is behind the entrance")                       \
	X(LAN_LOOP, "lans are joined in a loop")                               \
	X(GSO_FAILED, "frame could not be segmented")                          \
	X(PEER_REFUSED, "peer refused the frame")                              \
	X(MEMORY_GONE, "the sender took the frame's memory away")              \
	X(SELF_ECHO, "own multicast frame came back")                          \
	X(RESERVED_GROUP, "link-local bridge protocol (802.1D 7.12.6)")        \
	X(ETHERTYPE, "Ethernet type not served by the gateway")                \
	X(NOT_FOR_US, "unicast frame for another machine")                     \
	X(ARP_BAD, "malformed ARP")                                            \
	X(ND_BAD, "malformed IPv6 neighbour discovery")                        \
	X(NEIGH_PENDING, "too many frames wait for one address")               \
	X(NEIGH_FAILED, "nobody answered for the address")                     \
	X(IP4_SHORT, "IPv4 header cut short")                                  \
	X(IP4_CSUM, "IPv4 header checksum")                                    \
	X(IP4_OPTIONS, "IPv4 options")                                         \
	X(FRAG_BAD, "fragment that cannot be part of a datagram")              \
	X(FRAG_AGAIN, "fragment received before")                              \
	X(FRAG_OVERLAP, "fragments overlap or disagree")                       \
	X(FRAG_TIMEOUT, "datagram stayed incomplete")                          \
	X(FRAG_FULL, "too many incomplete datagrams")                          \
	X(IP6_SHORT, "IPv6 header cut short")                                  \
	X(IP_SOURCE, "source address not valid on this lan")                   \
	X(IP_DEST, "destination address not routed")                           \
	X(IP_TTL, "time to live used up")                                      \
	X(IP_PROTOCOL, "IP protocol not served")                               \
	X(IP_MULTICAST, "multicast is not routed")                             \
	X(GROUP_RATE, "more multicast than passes in a second")                \
	X(RESTRICTED, "closed by restrict=, or a protocol that is off")        \
	X(NOT_THE_HOST, "neither from nor to the host's own address")          \
	X(TCP_SHORT, "TCP header cut short")                                   \
	X(TCP_CSUM, "TCP checksum")                                            \
	X(TCP_NO_FLOW, "TCP segment of no known flow")                         \
	X(TCP_WINDOW, "TCP segment outside the window")                        \
	X(TCP_OLD, "TCP bytes received before")                                \
	X(TCP_BAD_STATE, "TCP segment not legal in the flow's state")          \
	X(TCP_NO_MEMORY, "no buffer for out-of-order or waiting TCP bytes")    \
	X(UDP_SHORT, "UDP header cut short")                                   \
	X(UDP_CSUM, "UDP checksum")                                            \
	X(UDP_NO_CSUM, "UDP without a checksum over IPv6")                     \
	X(UDP_SEND, "host socket refused the datagram")                        \
	X(UDP_TOO_LONG, "datagram longer than the guest's MTU")                \
	X(ICMP_SHORT, "ICMP message cut short")                                \
	X(ICMP_CSUM, "ICMP checksum")                                          \
	X(ICMP_TYPE, "ICMP type not served")                                   \
	X(ICMP_DENIED, "ping sockets are denied by ping_group_range")          \
	X(ICMP_RATE, "ICMP error suppressed by the rate limit")                \
	X(FORWARD_SOURCE, "client that the forwarded port is not for (from=)") \
	X(FLOW_TABLE_FULL, "flow table is full")                               \
	X(HOST_SOCKET, "host socket could not be made")                        \
	X(DHCP_BAD, "malformed DHCP")                                          \
	X(DHCP_NO_LEASE, "no free address for a lease")                        \
	X(DHCP_IN_USE, "address to lease that somebody has already")           \
	X(DNS_BAD, "malformed DNS")                                            \
	X(DNS_BUSY, "too many DNS questions in flight")                        \
	X(DNS_REPLY, "DNS reply that matches no question")                     \
	X(TFTP_BAD, "malformed TFTP")                                          \
	X(TFTP_BUSY, "too many TFTP transfers under way")                      \
	X(TFTP_SILENT, "TFTP client, or its file, did not answer")             \
	X(NTP_BAD, "no question for the time")                                 \
	X(NTP_RATE, "more questions for the time than are answered")           \
	X(DNS_SAME, "DNS question asked too often at once")                    \
	X(DNS_SILENT, "DNS question that no resolver answers")                 \
	X(TUNNEL_SHORT, "tunnel's header cut short")                           \
	X(TUNNEL_BAD, "tunnel's header of another protocol or version")        \
	X(TUNNEL_ID, "of another tunnel's session or network")                 \
	X(TUNNEL_COOKIE, "of the tunnel's session, with another cookie")       \
	X(TUNNEL_PEER, "not from a peer of the tunnel")                        \
	X(NO_BUFFER, "no buffer could be lent")                                \
	X(MAIL_FULL, "the worker of the exit is too far behind")

enum drop_reason {
#define DROP_ENUM(name, text) DROP_##name,
	DROP_REASONS(DROP_ENUM)
#undef DROP_ENUM
	DROP_N
};

/* worker: rw, control: ro relaxed */
struct drops {
	uint64_t n[DROP_N];
};

/* One thread counts, so nothing is locked; others may read (drop_count). */
static inline void drop_n(struct drops *d, enum drop_reason why, unsigned n)
{
	__atomic_store_n(&d->n[why], d->n[why] + n, __ATOMIC_RELAXED);
}

/* Counts one lost frame. */
static inline void drop(struct drops *d, enum drop_reason why)
{
	drop_n(d, why, 1);
}

/* How many there were; for any thread or process. */
static inline uint64_t drop_count(const struct drops *d, enum drop_reason why)
{
	return __atomic_load_n(&d->n[why], __ATOMIC_RELAXED);
}

/* "TCP_NO_FLOW" and "TCP segment of no known flow"; static strings. */
const char *drop_name(enum drop_reason why);
const char *drop_text(enum drop_reason why);

#endif
