/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages between the keeper and its engine, over one SOCK_SEQPACKET
 * socketpair: a fixed struct per type behind a common head, its length exact,
 * descriptors beside it by SCM_RIGHTS.  Both ends are the same program, so
 * the structs travel as they are; the receiver still checks type, length and
 * number of descriptors before it looks inside (engine_msg_check).
 *
 * The engine is the less trusted end: the keeper believes nothing from it
 * beyond "this happened to port N".
 */
#ifndef CONTROL_ENGINE_MSG_H
#define CONTROL_ENGINE_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dhcp_lease.h"
#include "base/dhcp_rule.h"
#include "base/forward_rules.h"
#include "base/impair.h"
#include "base/serving.h"
#include "base/subnet.h"
#include "base/why.h"
#include "control/look.h"

enum {
	ENGINE_NAME_LEN = 48, /* PORT_NAME_LEN */
	ENGINE_KIND_LEN = 16,
	ENGINE_TEXT_LEN = 200,
	ENGINE_DNS_NAME_LEN = 256,
	ENGINE_SEARCH_MAX = 8,
	ENGINE_RESOLVERS_MAX = 8,
	ENGINE_GONE_MAX = 64, /* addresses in one message */
	ENGINE_FDS_MAX = 64,  /* descriptors with one message */
	ENGINE_REFUSED_LEN = 64,
	ENGINE_BOOT_LEN = 256,
	ENGINE_TFTP_LEN = 512, /* of a path, with NUL */
	ENGINE_HOST_IP_MAX = 16, /* addresses of an interface */
	ENGINE_HEARD_MAX = 8,	 /* of a machine */
	ENGINE_REMOTES_MAX = 256, /* peers of a tunnel */
};

/* X(name, struct, least fds, most fds); keeper to engine first */
#define ENGINE_MSGS(X)                                                         \
	X(START, msg_start, 1, 1)                                              \
	X(LAN_ADD, msg_lan_add, 0, 0)                                          \
	X(STREAM_ADD, msg_stream_add, 0, 1)                                    \
	X(SERVER_ADD, msg_server_add, 1, 1)                                    \
	X(DGRAM_ADD, msg_dgram_add, 1, 2)                                      \
	X(L2TPV3_ADD, msg_l2tpv3_add, 1, 1)                                    \
	X(VXLAN_ADD, msg_vxlan_add, 1, 1)                                      \
	X(TAP_ADD, msg_tap_add, 1, ENGINE_FDS_MAX)                             \
	X(LEG_ADD, msg_leg, 0, 1)                                              \
	X(PACKET_ADD, msg_packet_add, 1, 1)                                    \
	X(PACKET_HOST, msg_packet_host, 0, 0)                                  \
	X(HOSTIF_HOST, msg_hostif_host, 0, 0)                                  \
	X(AF_XDP_ADD, msg_af_xdp_add, 2, ENGINE_FDS_MAX)                       \
	X(HUBPORT_ADD, msg_hubport_add, 0, 0)                                  \
	X(USER_ADD, msg_user_add, 0, 0)                                        \
	X(USER_MOVE, msg_user_move, 0, 0)                                      \
	X(BOOT, msg_boot, 0, 0)                                                \
	X(TFTP_TAKE, msg_tftp_file, 0, 1)                                      \
	X(NAMED, msg_named, 0, 0)                                              \
	X(DNS_SERVER, msg_dns_server, 0, 0)                                    \
	X(NETDEV_DEL, msg_port, 0, 0)                                          \
	X(CABLE, msg_cable, 0, 0)                                              \
	X(DHCP_OPTION, msg_dhcp_option, 0, 0)                                  \
	X(DHCP_RESERVE, msg_dhcp_reserve, 0, 0)                                \
	X(LEASE_KEEP, msg_lease_keep, 0, 0)                                    \
	X(LEASE_ADD, msg_lease, 0, 0)                                          \
	X(FORWARD_ADD, msg_forward_add, 1, 1)                                  \
	X(FORWARD_DEL, msg_forward_del, 0, 0)                                  \
	X(GUESTFWD_ADD, msg_guestfwd_add, 0, 0)                                \
	X(GUESTFWD_TAKE, msg_guestfwd_call, 0, 1)                              \
	X(HTTP_ADD, msg_port, 0, 0)                                            \
	X(RESOLVERS, msg_resolvers, 0, 0)                                      \
	X(NETWORK, msg_network, 0, 0)                                          \
	X(ATTACH, msg_port, 1, 1)                                              \
	X(CAPTURE_ADD, msg_capture_add, 1, 2)                                  \
	X(CAPTURE_DEL, msg_port, 0, 0)                                         \
	X(SYNC, msg_sync, 0, 0)                                                \
	X(LOOK, msg_look, 0, 0)                                                \
	X(WHY_ASK, msg_why_ask, 0, 0)                                          \
	X(STOP, msg_sync, 0, 0)                                                \
	/* engine to keeper */                                                 \
	X(SYNCED, msg_sync, 0, 0)                                              \
	X(WANT_FD, msg_port, 0, 0)                                             \
	X(LEG_WANT, msg_leg, 0, 0)                                             \
	X(NEIGHBOUR, msg_neighbour, 0, 0)                                      \
	X(GUESTFWD_WANT, msg_guestfwd_call, 0, 0)                              \
	X(TFTP_WANT, msg_tftp_want, 0, 0)                                      \
	X(UDP_REFUSED, msg_udp_refused, 1, 1)                                  \
	X(MACHINE, msg_machine, 0, 0)                                          \
	X(HEARD, msg_heard, 0, 0)                                              \
	X(LEASE, msg_lease, 0, 0)                                              \
	X(FAILED, msg_failed, 0, 0)                                            \
	X(EVENT, msg_failed, 0, 0)                                             \
	X(LOOKED, msg_look, 0, 0)                                              \
	X(WHY, msg_why, 0, 0)

enum engine_msg_type {
	ENGINE_MSG_NONE,
#define ENGINE_MSG_ENUM(name, type, lo, hi) ENGINE_MSG_##name,
	ENGINE_MSGS(ENGINE_MSG_ENUM)
#undef ENGINE_MSG_ENUM
	ENGINE_MSG_N
};

struct msg_head {
	uint32_t type; /* enum engine_msg_type */
	uint32_t len;  /* of the whole message */
};

enum { ENGINE_WORKERS_MAX = 16 };

/* What a kernel may lack, denied on purpose in tests (VMLAN_DENY). */
enum engine_deny {
	ENGINE_DENY_PEEK_OFF = 1 << 0,
	ENGINE_DENY_PING = 1 << 1,
	ENGINE_DENY_GSO = 1 << 2,
	ENGINE_DENY_VNET_HDR = 1 << 3,
};

/* With it: the memory that the workers count in (worker/counters.h). */
struct msg_start {
	struct msg_head head;
	uint32_t deny;		 /* ENGINE_DENY_* */
	uint32_t log_level;	 /* enum log_level */
	uint8_t ends_with_keeper; /* else: goes on while a machine is here */
	uint32_t more_workers;	  /* than one, < ENGINE_WORKERS_MAX */
};

struct msg_lan_add {
	struct msg_head head;
	uint32_t lan;
	uint8_t is_hub;
	char name[ENGINE_NAME_LEN];
};

struct msg_stream_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	uint8_t reconnect;
	uint8_t is_vhost; /* a vhost-user front end, no stream of frames .. */
	uint8_t queues;	  /* .. with queue pairs, at most */
	char name[ENGINE_NAME_LEN];
};

struct msg_server_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	uint32_t max;
	uint8_t is_vhost;
	uint8_t queues; /* as msg_stream_add has it */
	char name[ENGINE_NAME_LEN];
};

struct msg_dgram_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	uint8_t is_connected;
	uint8_t is_multicast;
	uint8_t is_vde;
	uint8_t is_uplink;
	struct endpoint remote;
	struct endpoint self;
	char remote_path[108];
	char name[ENGINE_NAME_LEN];
};

struct msg_l2tpv3_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	uint8_t is_udp;
	uint8_t cookie_len; /* 0, 4, 8 */
	uint8_t has_counter;
	uint8_t pins_counter;
	uint32_t offset;
	uint32_t tx_session, rx_session;
	uint64_t tx_cookie, rx_cookie;
	struct endpoint remote;
	char name[ENGINE_NAME_LEN];
};

struct msg_vxlan_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	uint32_t vni;
	uint32_t ageing; /* seconds */
	uint16_t remote_port;
	uint8_t learns;
	uint32_t n_remotes;
	addr remote[ENGINE_REMOTES_MAX];
	uint32_t mtu[ENGINE_REMOTES_MAX]; /* of machines' packets that go there
					   * whole; 0: not known */
	char name[ENGINE_NAME_LEN];
};

struct msg_tap_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	uint32_t queue_frames;
	uint8_t vnet_hdr;
	uint32_t n_host_ip; /* hostif: nothing but these passes, if any */
	struct prefix host_ip[ENGINE_HOST_IP_MAX];
	uint8_t is_beside; /* hostif: those are of a card (netdev/beside.h) */
	uint8_t has_legs;
	mac mac;                    /* of the first leg, zero: none yet;
				     * is_beside: of the interface */
	char kind[ENGINE_KIND_LEN]; /* "tap", "netns", "bridge" .. */
	char name[ENGINE_NAME_LEN];
};

/* A macvtap port wants its leg number i to be of this MAC (LEG_WANT), and the
 * answer to it (LEG_ADD), with a descriptor if none was open. */
struct msg_leg {
	struct msg_head head;
	uint32_t port;
	uint32_t leg;
	mac mac;
	uint8_t is_open;
	uint8_t ok;
};

struct msg_packet_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	mac mac; /* of the interface */
	uint8_t translates;
	uint8_t hides_host;
	uint32_t n_host_ip;
	addr host_ip[ENGINE_HOST_IP_MAX];
	char name[ENGINE_NAME_LEN];
};

/* The host's addresses on a packet port's interface are these now. */
struct msg_packet_host {
	struct msg_head head;
	uint32_t port;
	uint32_t n;
	addr ip[ENGINE_HOST_IP_MAX];
};

/* The same of the card that a hostif is beside. */
struct msg_hostif_host {
	struct msg_head head;
	uint32_t port;
	uint32_t n;
	struct prefix ip[ENGINE_HOST_IP_MAX];
};

/* A machine on the LAN of a hostif beside a card has, or has no more, this
 * address. */
struct msg_neighbour {
	struct msg_head head;
	uint32_t port;
	addr ip;
	mac mac;
	uint8_t is_here;
};

/* With it: the memory, a socket for each queue, then, if there, the socket that
 * watches the interface and the link that holds the program. */
struct msg_af_xdp_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	int32_t ifindex;
	uint32_t first_queue;
	uint32_t n_queues;
	uint32_t patience_ms; /* with a queue that is in use */
	uint8_t is_awaited; /* SYNCED waits until the queues are bound */
	uint8_t copies; /* no zero-copy */
	uint8_t has_watch;
	uint8_t has_link;
	char name[ENGINE_NAME_LEN];
};

struct msg_hubport_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	uint32_t hub; /* the other lan */
	char name[ENGINE_NAME_LEN];
};

struct msg_user_add {
	struct msg_head head;
	uint32_t port;
	uint32_t lan;
	struct subnet v4, v6;
	addr dhcp_start4;
	addr router4; /* unspecified: v4.gw */
	addr router6; /* unspecified: the gateway */
	uint32_t mtu;
	uint8_t is_restricted;
	uint8_t keeps_services;
	uint8_t has_multicast;
	uint8_t has_way6; /* the host leads somewhere in IPv6 */
	uint8_t nat64;
	uint8_t follows_host; /* USER_MOVE will come */
	struct serving serving;
	uint32_t n_kept; /* of the pool's first addresses, for LEASE_KEEP */
	uint32_t n_dnssearch;
	char hostname[ENGINE_DNS_NAME_LEN];
	char domainname[ENGINE_DNS_NAME_LEN];
	char zone[ENGINE_DNS_NAME_LEN]; /* "": none */
	char dnssearch[ENGINE_SEARCH_MAX][ENGINE_DNS_NAME_LEN];
	char name[ENGINE_NAME_LEN];
};

/* Its IPv6 network is another now. */
struct msg_user_move {
	struct msg_head head;
	uint32_t port; /* the user netdev */
	struct subnet v6;
};

/* What the DHCP servers of a netdev user do for somebody; behind its USER_ADD,
 * before there is a lease. */
struct msg_dhcp_option {
	struct msg_head head;
	uint32_t port;
	struct dhcp_option option;
};

struct msg_dhcp_reserve {
	struct msg_head head;
	uint32_t port;
	struct dhcp_reservation reservation;
};

/* What its machines boot: as struct netboot (service/netboot.h). */
struct msg_boot {
	struct msg_head head;
	uint32_t port; /* the user netdev */
	uint8_t has_tftp;
	uint8_t is_folder;
	uint64_t found;
	addr server4;
	char bootfile[ENGINE_BOOT_LEN];
	char server_name[ENGINE_BOOT_LEN];
};

/* A guest wants a file of the folder that TFTP serves .. */
struct msg_tftp_want {
	struct msg_head head;
	uint32_t port; /* the user netdev */
	uint64_t number;
	char path[ENGINE_TFTP_LEN]; /* below the folder */
};

/* .. and the answer: an ordinary file, or why there is none. */
struct msg_tftp_file {
	struct msg_head head;
	uint32_t port;
	uint64_t number;
	uint64_t size; /* bytes */
	int32_t err;   /* errno; 0: the file comes with it */
};

/* The machine of this netdev was given a name, and others heard of it before:
 * what it used last and where it was. */
struct msg_named {
	struct msg_head head;
	uint32_t port;
	mac mac; /* zero: not known */
	uint32_t n;
	addr ip[ENGINE_HEARD_MAX];
	char name[ENGINE_NAME_LEN];
};

/* A user netdev's own resolver. */
struct msg_dns_server {
	struct msg_head head;
	uint32_t port;
	struct endpoint ep;
	char domain[ENGINE_DNS_NAME_LEN]; /* "": for all names */
};

/* The address is for the machine with this MAC; zero: for nobody. */
struct msg_lease_keep {
	struct msg_head head;
	uint32_t port; /* the user netdev */
	addr ip;
	mac mac;
};

/* A lease has changed; or it is as it was with an engine before. */
struct msg_lease {
	struct msg_head head;
	uint32_t port;	 /* the user netdev */
	uint32_t left_s; /* until it ends; DHCP_FOREVER */
	struct dhcp_lease lease;
};

struct msg_forward_add {
	struct msg_head head;
	uint32_t port; /* the user netdev */
	uint32_t id;   /* for FORWARD_DEL */
	uint8_t proto;
	struct endpoint guest;
	struct forward_rules rules;
};

struct msg_forward_del {
	struct msg_head head;
	uint32_t port;
	uint32_t id;
};

struct msg_guestfwd_add {
	struct msg_head head;
	uint32_t port; /* the user netdev */
	struct endpoint server;
	struct endpoint target; /* ip unspecified: GUESTFWD_WANT asks */
};

/* A guest's connection to a server that the keeper brings (one of guestfwd=, or
 * HTTP at the name server's address, if HTTP_ADD said so): the question, and
 * with it as it came the answer, a connected stream or none. */
struct msg_guestfwd_call {
	struct msg_head head;
	uint32_t port;
	uint32_t from; /* the guest's port of the lan, which tells guests apart
			* (port.serial) */
	uint32_t netdev; /* of that port */
	uint32_t isn;	 /* of the guest: which connection of these ends */
	struct endpoint guest;
	struct endpoint server;
};

struct msg_resolvers {
	struct msg_head head;
	uint32_t n;
	struct endpoint ep[ENGINE_RESOLVERS_MAX];
};

/* The host's addresses or routes changed; it has lost n addresses.  An engine
 * that is new is told its ways, too. */
struct msg_network {
	struct msg_head head;
	uint8_t has_way4, has_way6; /* a way out in each family */
	uint32_t link4, link6; /* the interfaces they lead by, 0: unknown */
	uint32_t n;
	addr gone[ENGINE_GONE_MAX];
};

struct msg_port {
	struct msg_head head;
	uint32_t port;
};

/* With it: the ring (capture/ring.h), and one of two sockets, of which a
 * reader that follows has the other. */
struct msg_capture_add {
	struct msg_head head;
	uint32_t port; /* the capture's own number: not 0 */
	uint32_t snap_len;
	uint64_t size;		    /* of the ring's records */
	uint8_t is_kept;	    /* it begins anew instead of being full */
	char name[ENGINE_NAME_LEN]; /* of a port; "": of all */
};

/* The cable of a machine's netdev is so from now on. */
struct msg_cable {
	struct msg_head head;
	uint32_t port;
	uint8_t is_pulled;
	uint8_t restarts; /* chance begins anew */
	struct impair_set set;
};

struct msg_sync {
	struct msg_head head;
	uint32_t cookie; /* comes back in SYNCED */
};

/* Where a packet would go that nobody sends; 0: it is no machine's, or there is
 * no gateway to go to. */
struct msg_why_ask {
	struct msg_head head;
	uint32_t cookie;
	uint32_t from, to; /* netdevs of machines */
	uint32_t gateway;  /* the netdev user */
	uint8_t proto;
	uint8_t only_name, is_host, is_inward; /* as struct gateway_why */
	mac from_mac, to_mac;	    /* zero: not known */
	struct endpoint src, dst;
	char name[ENGINE_DNS_NAME_LEN];
};

/* The answer. */
struct msg_why {
	struct msg_head head;
	uint32_t cookie;
	struct why_trail trail;
};

/* A guest says that what client sent to it finds nobody there.  With it comes
 * the UDP socket that got it, which says more than a number would: nobody but
 * its owner can send it. */
struct msg_udp_refused {
	struct msg_head head;
	uint32_t port; /* the user netdev */
	struct endpoint client;
	addr local;	   /* whom it sent to; unspecified: not known */
	uint16_t len;	   /* of the datagram's payload */
	uint8_t code;	   /* of ICMP's destination unreachable */
	uint8_t n_payload;
	uint8_t payload[ENGINE_REFUSED_LEN]; /* the first bytes */
};

struct msg_machine {
	struct msg_head head;
	uint32_t port;
	uint8_t is_here;
	char name[ENGINE_NAME_LEN];
};

/* All that is known of the addresses of the machine there. */
struct msg_heard {
	struct msg_head head;
	uint32_t port;
	mac mac; /* that it used last; zero: none */
	uint32_t n;
	addr ip[ENGINE_HEARD_MAX]; /* heard last first */
};

struct msg_failed {
	struct msg_head head;
	uint32_t port;
	uint32_t order; /* FAILED: the type that failed .. */
	uint32_t id;	/* .. FORWARD_ADD: of which forward */
	int32_t err;	/* .. and its errno; EVENT: not 0, the port is shut */
	char text[ENGINE_TEXT_LEN];
};

/* A turn of a listing (control/look.h), and what came of it. */
struct msg_look {
	struct msg_head head;
	uint32_t cookie; /* comes back */
	uint32_t what;	 /* enum look_what */
	uint32_t at[LOOK_AT]; /* where it begins, all 0: at the start; LOOKED:
			       * where the next one does */
	/* LOOKED */
	uint32_t n;	 /* entries in the room */
	uint8_t is_over; /* there is no next one */
};

/* Any message, as received. */
union engine_msg {
	struct msg_head head;
	struct msg_start start;
	struct msg_lan_add lan_add;
	struct msg_stream_add stream_add;
	struct msg_server_add server_add;
	struct msg_dgram_add dgram_add;
	struct msg_l2tpv3_add l2tpv3_add;
	struct msg_vxlan_add vxlan_add;
	struct msg_tap_add tap_add;
	struct msg_leg leg;
	struct msg_packet_add packet_add;
	struct msg_packet_host packet_host;
	struct msg_hostif_host hostif_host;
	struct msg_neighbour neighbour;
	struct msg_af_xdp_add af_xdp_add;
	struct msg_hubport_add hubport_add;
	struct msg_user_add user_add;
	struct msg_user_move user_move;
	struct msg_dhcp_option dhcp_option;
	struct msg_dhcp_reserve dhcp_reserve;
	struct msg_boot boot;
	struct msg_tftp_want tftp_want;
	struct msg_tftp_file tftp_file;
	struct msg_named named;
	struct msg_dns_server dns_server;
	struct msg_lease_keep lease_keep;
	struct msg_lease lease;
	struct msg_forward_add forward_add;
	struct msg_forward_del forward_del;
	struct msg_guestfwd_add guestfwd_add;
	struct msg_guestfwd_call guestfwd_call;
	struct msg_resolvers resolvers;
	struct msg_network network;
	struct msg_port port;
	struct msg_capture_add capture_add;
	struct msg_cable cable;
	struct msg_sync sync;
	struct msg_udp_refused udp_refused;
	struct msg_machine machine;
	struct msg_heard heard;
	struct msg_failed failed;
	struct msg_look look;
	struct msg_why_ask why_ask;
	struct msg_why why;
};

/* True if a received message of got bytes with n_fds descriptors is one of
 * the table's, exactly; names in it are then terminated. */
bool engine_msg_check(union engine_msg *m, size_t got, unsigned n_fds);
/* Bytes of a message of this type; 0 for an unknown one. */
size_t engine_msg_len(enum engine_msg_type type);
/* "STREAM_ADD"; "?" for an unknown type. */
const char *engine_msg_name(uint32_t type);

#endif
