/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kinds that lead out of the process.  Each constructor takes open
 * descriptors only: names (paths, hosts, interfaces) were resolved by the
 * keeper, for the engine opens nothing by name.  On success the port owns the
 * descriptors and is on env->lan; on failure the caller still owns them.
 * Ports are freed by lan_port_del() and ops->close().
 */
#ifndef NETDEV_NETDEV_H
#define NETDEV_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/log.h"
#include "lan/lan.h"
#include "os/loop.h"
#include "wire/l2tpv3.h"

/* A worker behind the first, on which a port of several queues has a leg
 * (lan/lane.h). */
struct netdev_worker {
	struct loop *loop;
	struct lan *lane;
	struct drops *drops;
	struct log *log;
};

/* What a kind may use; borrowed, outlives the ports. */
struct netdev_env {
	struct loop *loop;
	struct lan *lan;
	struct drops *drops;
	struct log *log;
	/* Worker i is workers[i - 1].  Queue q of a port belongs to worker
	 * q % (n_workers + 1); none: all are the first one's. */
	const struct netdev_worker *workers;
	unsigned n_workers;
	/* In between, the others do nothing, and what is theirs may change.
	 * They nest. */
	void (*pause)(void *arg);
	void (*resume)(void *arg);
	/* On that worker, p's leg is this one from now on; NULL: it has none.
	 * Borrowed until then, or until p is taken off its lan.  After
	 * lan_port_add(), not from inside a hook of a port.  0 or -ENOMEM. */
	int (*leg)(void *arg, struct port *p, unsigned worker,
		   struct port *leg);
	/* A client lost its peer and wants a new connection: the keeper
	 * connects by name and hands the descriptor to
	 * netdev_stream_attach() or netdev_vhost_attach().  For a connected
	 * unix dgram port, whose peer is gone or was bound anew: the keeper
	 * calls connect() once more on its copy of the descriptor; asked at
	 * most once a second.  May be NULL. */
	void (*want_fd)(void *arg, struct port *p);
	/* A macvtap port wants leg i to be the macvtap of MAC m: an open one
	 * (is_open) gets that MAC, else one is made.  Answered by
	 * netdev_macvtap_leg(), one question at a time.  Negative: it was
	 * not asked. */
	int (*want_leg)(void *arg, struct port *p, unsigned i, mac m,
			bool is_open);
	/* hostif beside a card: a machine with MAC m has, or has no more, this
	 * address.  Negative: it was not told. */
	int (*neighbour)(void *arg, struct port *p, const addr *ip, mac m,
			 bool is_here);
	/* An af-xdp port that waited for its queues has them (0), or gave up
	 * (negative errno), and may then be freed.  May be NULL. */
	void (*settled)(void *arg, struct port *p, int r);
	/* A port of a server came or went by itself (for show, events,
	 * run).  A port that went is freed right after the call; it may not
	 * be freed inside it.  May be NULL. */
	void (*machine)(void *arg, struct port *p, bool is_here);
	void *arg;
};

/* stream, client or one given connection: u32 big-endian length, then the
 * frame (reference 1.2, 1.3).  fd may be -1: carrier stays down until
 * netdev_stream_attach(). */
struct netdev_stream_config {
	const char *name; /* copied */
	uint32_t id;
	int fd;		  /* connected SOCK_STREAM, or -1 */
	bool reconnect;	  /* ask want_fd when the peer goes */
	unsigned queues;  /* vhost-user: pairs it may have, at most
			   * NETDEV_VHOST_QUEUES; 0 = 1 */
};
__attribute__((warn_unused_result)) int
netdev_stream_new(const struct netdev_env *env,
		  const struct netdev_stream_config *c, struct port **portp);
/* A new connection for a stream port whose carrier is down; p owns fd. */
__attribute__((warn_unused_result)) int netdev_stream_attach(struct port *p,
							     int fd);

enum { NETDEV_VHOST_QUEUES = 16 };

/* vhost-user: the virtqueues of a network card in the guest's own memory
 * (reference 6).  fd may be -1, as with stream.  -EINVAL: too many queues. */
__attribute__((warn_unused_result)) int
netdev_vhost_new(const struct netdev_env *env,
		 const struct netdev_stream_config *c, struct port **portp);
/* A new connection for a vhost-user port without one; p owns fd. */
__attribute__((warn_unused_result)) int netdev_vhost_attach(struct port *p,
							    int fd);

/* server: one listener, each connection a port of its own, named
 * NAME for the first and NAME.1, NAME.2.. for others alive at the same time.
 * Control may remove such a port as any other; the server notices. */
struct netdev_server_config {
	const char *name;
	uint32_t id;
	int fd;	      /* listening SOCK_STREAM */
	bool is_vhost; /* the machines are vhost-user front ends .. */
	unsigned queues; /* .. with queues as netdev_stream_config has it */
	unsigned max; /* machines at a time, 0 = any number; above it the
		       * next waits in the backlog, as in QEMU */
};
struct netdev_server;
__attribute__((warn_unused_result)) int
netdev_server_new(const struct netdev_env *env,
		  const struct netdev_server_config *c,
		  struct netdev_server **serverp);
/* Closes the listener and all its ports. */
struct netdev_server *netdev_server_free(struct netdev_server *s);

/* dgram: one frame per datagram, no header (reference 1.4). */
struct netdev_dgram_config {
	const char *name;
	uint32_t id;
	int fd;		     /* bound SOCK_DGRAM, AF_INET, AF_INET6, AF_UNIX */
	bool is_connected;   /* fd has its peer: send() is used */
	struct endpoint remote; /* inet: where to send */
	char remote_path[108];	/* unix: where to send */
	bool is_multicast;   /* drop what this port sent itself */
	int tx_fd;	     /* SOCK_DGRAM that is used for sending, owned as
			      * fd is; <= 0 = fd sends.  Multicast: of an own
			      * port, so that others on this host who share
			      * the group's port are not taken for us.  unix:
			      * connected by the keeper (with is_connected),
			      * while fd hears everybody, as in QEMU */
	struct endpoint self; /* multicast: our own source; ip unspecified =
			       * found out by the kind, with tx_fd only */
	bool is_vde;    /* the kind is "vde": fd has a VDE port as its peer */
	bool is_uplink; /* as port_caps.is_uplink */
};
__attribute__((warn_unused_result)) int
netdev_dgram_new(const struct netdev_env *env,
		 const struct netdev_dgram_config *c, struct port **portp);

/* l2tpv3: a frame behind a header (reference 1.9). */
struct netdev_l2tpv3_config {
	const char *name;
	uint32_t id;
	int fd; /* UDP, bound; or IP protocol 115, connected to the peer */
	struct l2tpv3_form tx, rx; /* of one is_udp */
	bool pins_counter;	   /* it stays 0 */
	struct endpoint remote;	   /* the peer; of UDP, where to send */
};
__attribute__((warn_unused_result)) int
netdev_l2tpv3_new(const struct netdev_env *env,
		  const struct netdev_l2tpv3_config *c, struct port **portp);

/* vxlan: a frame behind a header, in UDP, to one peer or several (RFC
 * 7348). */
struct netdev_vxlan_config {
	const char *name;
	uint32_t id;
	int fd;		     /* UDP, bound, of the peers' family */
	uint32_t vni;
	const addr *remotes; /* no two alike; copied */
	unsigned n_remotes;  /* >= 1 */
	uint16_t port;	     /* of the peers */
	bool learns;	     /* which machine is behind which peer .. */
	uint64_t age_ns;     /* .. for how long without hearing it */
	const uint32_t *mtus; /* of each peer: bytes of machines' packets that
			       * fit the way whole, 0: not known; copied.
			       * NULL: of none */
};
__attribute__((warn_unused_result)) int
netdev_vxlan_new(const struct netdev_env *env,
		 const struct netdev_vxlan_config *c, struct port **portp);

enum { TAP_LEGS_MAX = 32 }; /* machines behind one macvtap port */

/* tap, netns (a tap that lives in another namespace), bridge and router (a tap
 * that is a port of a bridge) and hostif (a tap with the host's addresses):
 * /dev/net/tun descriptors, one per queue.  macvtap: that of the first
 * macvtap. */
struct netdev_tap_config {
	const char *name;
	uint32_t id;
	const char *kind;  /* as above; others are -EINVAL */
	const int *fds;	   /* attached, non-blocking */
	unsigned n_fds;
	bool vnet_hdr;	   /* IFF_VNET_HDR is on, header of 12 bytes */
	uint32_t queue_frames; /* the kernel holds for us, of each queue */
	/* hostif: the host's addresses, if it is to be no router. */
	const struct prefix *host_ip;
	unsigned n_host_ip;
	bool is_beside; /* hostif: those are of a card (beside.h) */
	bool has_legs; /* a macvtap for each MAC, made while they come */
	mac mac;       /* .. and that of the first, zero: none yet; beside:
			* the interface's */
};
__attribute__((warn_unused_result)) int
netdev_tap_new(const struct netdev_env *env, const struct netdev_tap_config *c,
	       struct port **portp);

/* The answer to want_leg: fd (owned if it succeeds) if none was open, else -1.
 * Not ok: the kernel refused. */
__attribute__((warn_unused_result)) int
netdev_macvtap_leg(struct port *p, unsigned i, mac m, int fd, bool ok);

/* hostif: the host's addresses are these now. */
void netdev_hostif_host(struct port *p, const struct prefix *ip, unsigned n);

/* packet: an interface of the host, by a packet socket as os/packet.h opens
 * it. */
struct netdev_packet_config {
	const char *name;
	uint32_t id;
	int fd;
	mac mac;             /* of the interface: the host's */
	bool translates;     /* to the network all machines have that MAC */
	const addr *host_ip; /* .. and these addresses are the host's */
	unsigned n_host_ip;
	bool hides_host; /* the machines reach the host by another port: what
			  * its own ARP on the interface says is kept from
			  * them */
};
__attribute__((warn_unused_result)) int
netdev_packet_new(const struct netdev_env *env,
		  const struct netdev_packet_config *c, struct port **portp);
/* With translates or hides_host: the host's addresses are these now. */
void netdev_packet_host(struct port *p, const addr *ip, unsigned n);

/* af-xdp: queues of an interface of the host, by sockets as os/xsk.h makes
 * them. */
struct netdev_af_xdp_config {
	const char *name;
	uint32_t id;
	int ifindex;
	uint32_t first_queue;
	uint32_t patience_ms; /* how long it waits for a queue in use */
	bool copies;    /* the kernel copies frames, whatever the driver can */
	int umem;       /* memfd */
	const int *fds; /* a socket for each queue, not bound */
	unsigned n_fds;
	int watch; /* os/packet.h: says when the interface goes; -1 = none */
	int link;  /* kept open, no more; -1 = none */
};
/* A queue of which the last user has just gone is free a moment later: then
 * the port has no carrier yet and netdev_af_xdp_waits(); env->settled tells how
 * that ends.  The descriptors are the port's then, too. */
__attribute__((warn_unused_result)) int
netdev_af_xdp_new(const struct netdev_env *env,
		  const struct netdev_af_xdp_config *c, struct port **portp);
bool netdev_af_xdp_waits(const struct port *p);

/* hubport: a cable between two lans of this process (a hub and a lan, or a
 * hub and another netdev's lan).  Makes two ports, one on each. */
struct netdev_hubport_config {
	const char *name;
	uint32_t id;
	struct lan *a;
	struct lan *b;
};
__attribute__((warn_unused_result)) int
netdev_hubport_new(const struct netdev_env *env,
		   const struct netdev_hubport_config *c, struct port **ap,
		   struct port **bp);

#endif
