/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets by name, for the keeper: what the engine gets are descriptors.
 * Each maker returns a close-on-exec descriptor, the caller's, or a negative
 * number with one line in *e.
 */
#ifndef OS_SOCK_H
#define OS_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/error.h"

/* An Internet socket address as a netdev string has it (QEMU's
 * InetSocketAddress). */
struct sock_inet {
	const char *host; /* NULL or "": any address */
	const char *port; /* a number, or a service without numeric */
	bool has_to;
	uint16_t to; /* listen: last port to try */
	bool ipv4, ipv6; /* families allowed */
	bool numeric;
	bool mptcp;
	bool keep_alive;
	uint32_t keep_alive_count, keep_alive_idle, keep_alive_interval;
};

/* A stale socket file is removed; a living listener is EXIT_CONFLICT, any
 * other file EXIT_CONFLICT as well. */
__attribute__((warn_unused_result)) int
sock_listen_unix(const char *path, bool is_abstract, bool is_tight,
		 struct error *e);
/* Removes a stream or datagram socket file that nobody has any more; what is
 * somebody's stays. */
void sock_remove_unix(const char *path);
/* A socket file, to be known again: where it is gone or another's, that is no
 * matter. */
struct sock_file {
	dev_t dev;
	ino_t ino; /* 0: none */
};
void sock_file_of(const char *path, struct sock_file *f);
void sock_file_remove(const char *path, const struct sock_file *f);
/* Connected at once, or refused. */
__attribute__((warn_unused_result)) int
sock_connect_unix(const char *path, bool is_abstract, bool is_tight,
		  struct error *e);
__attribute__((warn_unused_result)) int
sock_listen_inet(const struct sock_inet *a, struct endpoint *boundp,
		 struct error *e);
/* Begun: writable once decided, then sock_connect_result(). */
__attribute__((warn_unused_result)) int
sock_connect_inet(const struct sock_inet *a, struct error *e);
__attribute__((warn_unused_result)) int sock_connect_result(int fd,
							    struct error *e);
/* Host and port to one address, IPv4 first. */
__attribute__((warn_unused_result)) int
sock_resolve(const char *host, const char *port, bool numeric,
	     struct endpoint *ep, struct error *e);

/* The same of one family, or of any. */
enum sock_way {
	SOCK_ANY,
	SOCK_NUMERIC, /* look no names up */
	SOCK_V4,
	SOCK_V6,
};
__attribute__((warn_unused_result)) int
sock_resolve_as(const char *host, const char *port, enum sock_way way,
		struct endpoint *ep, struct error *e);

/* Datagram sockets of netdev dgram. */
__attribute__((warn_unused_result)) int sock_dgram_unix(const char *path,
							struct error *e);
/* The sending half of a unix pair: not connected yet. */
__attribute__((warn_unused_result)) int sock_dgram_unix_tx(struct error *e);
/* Points it at the socket that is bound to path now; -ENOENT, -ECONNREFUSED
 * while there is none. */
__attribute__((warn_unused_result)) int sock_dgram_unix_point(int fd,
							      const char *path);
/* Points it at the socket file at path, which the user uid has named, and which
 * must be his: we would send with our rights to whom he may not.  Root and our
 * own user may name anybody's. */
__attribute__((warn_unused_result)) int
sock_dgram_unix_point_for(int fd, const char *path, uid_t uid, struct error *e);
__attribute__((warn_unused_result)) int
sock_dgram_inet(const char *host, const char *port,
		const struct endpoint *remote, struct error *e);
struct sock_mcast {
	int rx_fd; /* bound to the group */
	int tx_fd; /* sends to it from a port of its own */
	struct endpoint self; /* where tx_fd's datagrams come from; ip
			       * unspecified: only the port is known */
};
#define SOCK_MCAST_NULL ((struct sock_mcast){.rx_fd = -1, .tx_fd = -1})
/* iface: an address of the interface to use, NULL = the kernel's choice. */
__attribute__((warn_unused_result)) int
sock_dgram_mcast(const struct endpoint *group, const char *iface,
		 struct sock_mcast *m, struct error *e);

/* Room of 8 MiB each way, for trains of long frames; less where the host allows
 * no more. */
void sock_set_buffers(int fd);
/* A tunnel's end. */
struct sock_tunnel {
	struct endpoint local; /* port 0: the kernel's choice; IP has none */
	addr remote;	       /* the peer, or one of them */
	bool sets_df;	       /* nothing is fragmented */
	uint8_t ttl;	       /* 0: the host's default */
};
/* Bound, and of its family only; the port is filled in. */
__attribute__((warn_unused_result)) int
sock_tunnel_udp(struct sock_tunnel *t, struct error *e);
/* A raw socket of this IP protocol, bound, and connected to the peer, by the
 * address that is filled in.  What came before it was connected is in it, from
 * whomever. */
__attribute__((warn_unused_result)) int
sock_tunnel_raw(struct sock_tunnel *t, int proto, struct error *e);
/* Bytes of the longest IP packet that goes to the peer whole, as far as the
 * host knows now; 0: it has no way there. */
uint32_t sock_tunnel_mtu(const struct sock_tunnel *t);

/* Takes over an inherited descriptor (fd=): checks its type, and for streams
 * whether it listens; a copy with close-on-exec is returned and fd closed. */
__attribute__((warn_unused_result)) int
sock_fd_take(int fd, int type, bool listening, struct error *e);
/* True if the other end of a connected unix socket is our own user's, or
 * root's. */
bool sock_peer_may(int fd);
/* To what fd is bound. 0 or -errno. */
int sock_bound_to(int fd, struct endpoint *ep);
/* True if a socket of this host can have that address. */
bool sock_has_address(const addr *ip);
/* hostfwd: a listening TCP or bound UDP socket on *ep; port 0 is filled with
 * the kernel's choice.  Busy: EXIT_CONFLICT, the holder named. */
__attribute__((warn_unused_result)) int
sock_listen_forward(uint8_t proto, struct endpoint *ep, struct error *e);
/* Nobody comes by it any more, and its port is free for the next one, though
 * another process may have the socket open for a moment more; it is the
 * caller's still.  One of UDP gives its place to sock_listen_again() alone. */
void sock_retire_forward(int fd, uint8_t proto);
/* As sock_listen_forward(), where such a one was before; no line is written. */
__attribute__((warn_unused_result)) int
sock_listen_again(const struct endpoint *ep);

#endif
