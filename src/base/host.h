/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's sockets, as the NAT and the services see them: the only seam
 * through which those rooms reach the kernel.  os/host_sock.c implements it
 * over epoll; tests implement a fake with a virtual clock.
 *
 * Rules for both sides:
 * - every socket is non-blocking and registered once for its life,
 *   edge-triggered for IN, OUT, RDHUP, PRI, ERR (never modified afterwards);
 * - event() may be called spuriously; it is called from the loop, never from
 *   inside one of the ops; it may close any socket, including its own;
 * - every op returns a negative errno on failure, -EAGAIN when it would block;
 * - addresses are struct addr in both families; the implementation chooses
 *   AF_INET or AF_INET6 by the family given to open();
 * - a datagram socket of IPv6 carries IPv4 as well, and so does a listener
 *   that was adopted as one: options hold for both;
 * - open() says -EAFNOSUPPORT on a host without the family.
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/addr.h"

struct host;

enum host_event {
	HOST_EV_IN = 1 << 0,
	HOST_EV_OUT = 1 << 1,
	HOST_EV_RDHUP = 1 << 2, /* the peer sent FIN */
	HOST_EV_ERR = 1 << 3,	/* SO_ERROR or the error queue has something */
	HOST_EV_HUP = 1 << 4,	/* both directions are over */
	HOST_EV_PRI = 1 << 5,	/* TCP: an urgent byte is in the stream or on
				 * its way, and a read stops before it */
};

/* One socket, embedded in the owner's object (flow, transaction). */
struct host_sock {
	int fd; /* owned by this struct; -1 = none */
	/* events: HOST_EV_* bits; the owner is found by container_of() */
	void (*event)(struct host_sock *s, unsigned events);
	void *priv; /* the implementation's */
};

#define HOST_SOCK_NULL ((struct host_sock){.fd = -1})

enum host_proto {
	HOST_TCP,
	HOST_UDP,
	HOST_PING, /* SOCK_DGRAM with IPPROTO_ICMP or ICMPV6: echo only */
};

enum host_flag {
	HOST_PEEK = 1 << 0,    /* leave the bytes in the socket */
	HOST_DISCARD = 1 << 1, /* TCP: throw away, iov gives the length */
	HOST_OOB = 1 << 2,     /* TCP: the last byte sent is urgent */
	HOST_MORE = 1 << 3,    /* more follows at once */
};

enum host_opt {
	HOST_OPT_NODELAY,   /* bool */
	HOST_OPT_KEEPALIVE, /* TCP: seconds of silence after which the peer is
			     * asked whether it is there; 0: never */
	HOST_OPT_OOBINLINE, /* bool */
	HOST_OPT_TTL,	    /* IP_TTL / hop limit */
	HOST_OPT_TOS,	    /* IP_TOS / traffic class */
	HOST_OPT_DF,	    /* bool: IP_PMTUDISC_DO or _DONT */
	HOST_OPT_RECVERR,   /* bool: errors are queued for recv_err() */
	HOST_OPT_SNDBUF,    /* bytes */
	HOST_OPT_RCVBUF,    /* bytes */
	HOST_OPT_PEEK_OFF,  /* SO_PEEK_OFF; -ENOTSUP where TCP has none */
	HOST_OPT_SNDQ,	    /* get only: bytes not yet ACKed (SIOCOUTQ) */
	HOST_OPT_MTU,	    /* get only: path MTU of a connected socket */
	HOST_OPT_PKTINFO,   /* bool: datagrams tell where they came to */
	HOST_OPT_GROUP_TTL, /* of datagrams to multicast groups */
	HOST_OPT_GROUP_LINK, /* the interface they leave by */
	HOST_OPT_ATMARK,    /* get only, TCP: the next byte is the urgent one */
};

/* One datagram of a batch.  For sending, to is the destination (port 0 in
 * to.ip unspecified: connected); for receiving it is filled with the source
 * and len with the bytes received. */
struct host_msg {
	struct endpoint ep;
	struct iovec *iov;
	unsigned n_iov;
	size_t len;	    /* receive: bytes stored; send: ignored */
	uint16_t gso_size;  /* send: UDP_SEGMENT if not 0; receive: UDP_GRO */
	uint8_t tos;	    /* receive: as it came; send: unused */
	uint8_t ttl;	    /* receive: as it came (0 unknown) */
	bool truncated;	    /* receive: the datagram was longer */
	bool has_local;	    /* local counts */
	addr local;	    /* receive: our address that it came to, if
			     * HOST_OPT_PKTINFO is on; send: from which of our
			     * addresses, else the host chooses */
	bool is_to_group;   /* receive: it came to a broadcast or multicast
			     * address; IPv4: local is what stands for that */
};

/* One entry of the error queue (IP_RECVERR). */
struct host_err {
	int err;	       /* errno: ECONNREFUSED, EHOSTUNREACH.. */
	uint8_t origin;	       /* SO_EE_ORIGIN_* */
	uint8_t type, code;    /* ICMP or ICMPv6 type and code */
	uint32_t info;	       /* path MTU for EMSGSIZE */
	struct endpoint dst;   /* where our packet was going */
	addr offender;	       /* who sent the ICMP; unspecified if local */
	uint8_t payload[64];   /* the start of our datagram */
	size_t payload_len;
};

/* What is known of the host's clock of the day. */
struct host_clock {
	bool is_synced; /* somebody sees to it; the rest counts only then */
	int leap; /* this day's last minute is longer (1), shorter (-1) */
	uint32_t max_error_us; /* it is not more wrong than this */
};

struct host_ops {
	/* A new socket into *s (s->event set by the caller before). */
	int (*open)(struct host *h, struct host_sock *s, enum host_proto proto,
		    bool is_v6);
	/* Two ends of one stream, as two sockets (events set before). */
	int (*pair)(struct host *h, struct host_sock *a, struct host_sock *b);
	/* Takes over a descriptor made elsewhere (a listener, one end of a
	 * socketpair); owned by s afterwards. */
	int (*adopt)(struct host *h, struct host_sock *s, int fd);
	/* A new UDP socket into *s that hears what comes to this group and
	 * port by the interface numbered link, whoever else hears it, and
	 * sends to groups by it. */
	int (*open_group)(struct host *h, struct host_sock *s,
			  const struct endpoint *group, uint32_t link);
	int (*bind)(struct host *h, struct host_sock *s,
		    const struct endpoint *ep);
	/* 0, -EINPROGRESS (OUT or ERR will be reported), or the refusal. */
	int (*connect)(struct host *h, struct host_sock *s,
		       const struct endpoint *ep);
	/* Accepts from listener into *s; *peerp is the client's address
	 * (unspecified for unix). -EAGAIN when there is none. */
	int (*accept)(struct host *h, struct host_sock *listener,
		      struct host_sock *s, struct endpoint *peerp);
	/* *to (its event set by the caller) becomes what *from was; from->fd
	 * becomes -1. Events not delivered yet go to *to. */
	void (*move)(struct host *h, struct host_sock *from,
		     struct host_sock *to);
	/* Address of our own end. */
	int (*local)(struct host *h, struct host_sock *s,
		     struct endpoint *ep);
	/* Stream bytes: number sent, possibly fewer than given. */
	ssize_t (*send)(struct host *h, struct host_sock *s,
			const struct iovec *iov, unsigned n_iov,
			unsigned flags);
	/* Stream bytes: number received, 0 = end of stream. An empty iov is
	 * refused with -EINVAL: 0 never means "no room". */
	ssize_t (*recv)(struct host *h, struct host_sock *s,
			const struct iovec *iov, unsigned n_iov,
			unsigned flags);
	/* Datagrams in one call: number sent; an error is returned only if
	 * the first failed. */
	int (*send_batch)(struct host *h, struct host_sock *s,
			  const struct host_msg *m, unsigned n);
	/* Datagrams in one call: number received. */
	int (*recv_batch)(struct host *h, struct host_sock *s,
			  struct host_msg *m, unsigned n);
	/* 1 with *e filled, 0 when the queue is empty. */
	int (*recv_err)(struct host *h, struct host_sock *s,
			struct host_err *e);
	/* Takes SO_ERROR: 0 or a negative errno. */
	int (*error)(struct host *h, struct host_sock *s);
	/* Sends FIN (SHUT_WR). */
	int (*shutdown)(struct host *h, struct host_sock *s);
	/* Closes and sets fd to -1; reset: RST instead of FIN. NULL-safe on
	 * fd -1. */
	void (*close)(struct host *h, struct host_sock *s, bool reset);
	/* The descriptor, still owned by s, of which another process is to
	 * get a copy.  Whoever sends a copy away without asking here may hear
	 * events of s after close(). */
	int (*share)(struct host *h, struct host_sock *s);
	/* Takes s out of the loop and lets go of its descriptor, which is the
	 * caller's (or a host's that has adopted it) from now on. */
	int (*release)(struct host *h, struct host_sock *s);
	int (*set)(struct host *h, struct host_sock *s, enum host_opt opt,
		   int value);
	int (*get)(struct host *h, struct host_sock *s, enum host_opt opt,
		   int *valuep);
	/* The clock of the day, which may be set back: nanoseconds since 1970,
	 * UTC. */
	uint64_t (*realtime)(struct host *h);
	void (*clock)(struct host *h, struct host_clock *c);
};

/* Embedded at the front of an implementation. */
struct host {
	const struct host_ops *ops;
};

#endif
