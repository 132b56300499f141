/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the UDP part: udp.c has flows and timers, udp_forward.c
 * forwards and their clients, udp_send.c the way up, udp_recv.c the way down,
 * udp_refuse.c what guests refuse of it.  One worker's thread.
 */
#ifndef NAT_UDP_PRIV_H
#define NAT_UDP_PRIV_H

#include "base/slab.h"
#include "nat/flow.h"
#include "nat/out.h"
#include "nat/udp.h"

enum {
	UDP_BATCH = FRAME_BATCH,
	UDP_SEND_IOV = 512, /* pieces of one send_batch() */
	UDP_RECV_IOV = LEND_IOV_MAX + UDP_BATCH,
	UDP_LEN_MAX = 65507,  /* payload over IPv4, and of a run */
	UDP_LEN_MAX6 = 65527, /* over IPv6, where the header does not count */
	UDP_GSO_MAX = 64,     /* datagrams of one segmented run */
	UDP_EXPECT_MIN = 4,   /* datagrams asked for at a time, at least */
	UDP_DF_FROM = 548,    /* shorter ones fit every path (RFC 1122
			       * 3.3.3), DF or not */
	UDP_DF_FROM6 = IP6_MTU_MIN - IP6_HDR_LEN + 1, /* (RFC 8200 5) */
	UDP_HEARD_MAX = 8,	/* peers of a flow that it can refuse, .. */
	UDP_HEARD_SECONDS = 30, /* .. and how long after they sent */
};

/* One host socket: of a flow, or of a forwarded port. */
struct udp_end {
	struct udp *udp;        /* borrowed */
	struct host_sock *sock; /* in the flow or forward */
	struct list link;       /* in udp->ready or udp->blocked */
	const struct udp_end_ops *ops;
	enum drop_reason unseen; /* why seen() last said no */
	uint16_t expect; /* datagrams asked for at a time */
	/* options the socket has now */
	uint8_t ttl;
	uint8_t tos;
	bool df; /* meaningless until has_df */
	bool has_df;
	bool no_gso;  /* a segmented run was refused */
	struct endpoint last; /* the guest's other end of the datagram that
			       * came last; kept for guests of several
			       * queues only */
	bool is_long; /* last time datagrams came longer than a frame, or
		       * several as one (UDP_GRO) */
	uint64_t *received; /* bytes of the one that seen() said yes to last */
};

/* What differs between a flow and a forward. */
struct udp_end_ops {
	/* Who gets what the socket receives.  False: the MAC is not known
	 * yet, the frames are to be held. */
	bool (*guest)(struct udp_end *e, struct endpoint *guestp, mac *macp);
	/* What the guest sees as the source of a datagram that came. False:
	 * nothing, and it is lost as the end's unseen says. */
	bool (*seen)(struct udp_end *e, const struct host_msg *m,
		     struct endpoint *seenp);
	enum drop_reason unseen; /* the usual one */
	/* The same of ep that the guest sent to, which does not count as use.
	 * False: nobody knows ep any more. */
	bool (*known)(struct udp_end *e, const struct endpoint *ep,
		      struct endpoint *seenp);
};

/* A peer that sent to a flow. */
struct udp_heard {
	struct endpoint ep; /* its real one; the port is 0: none */
	addr local;	 /* our address that it sent to, if has_local */
	bool has_local;
	bool may_refuse; /* as that of struct udp_client */
	uint32_t at_s;	 /* second of the worker's clock */
};

struct udp_flow {
	struct flow flow;
	struct udp_end end;
	uint64_t used_ns;
	uint64_t sent, received; /* bytes of payload, by the guest and to it */
	struct endpoint peer;	 /* whom it sent to last, as it names him */
	uint8_t n_dns;	  /* questions to port 53, 0: it is used otherwise */
	bool is_answered; /* somebody has sent it something */
	uint8_t group_ttl;  /* options the socket has now, 0: never set */
	uint32_t group_link;
	bool is_told_local; /* HOST_OPT_PKTINFO was asked for */
	struct udp_heard heard[UDP_HEARD_MAX]; /* the last one first */
};

struct udp_forward {
	struct list link; /* in udp->forwards */
	struct host_sock sock;
	struct udp_end end;
	struct endpoint guest;
	struct forward_rules rules;
	uint32_t id;
	struct list clients; /* of link_used, longest unused first */
};

/* One client of a forwarded port: flow.remote is what the guest sees. */
struct udp_client {
	struct flow flow; /* its socket is not used */
	struct list link_used;
	struct udp_forward *forward;
	struct udp *udp;
	struct endpoint real;
	uint64_t used_ns;
	uint64_t sent, received; /* as those of struct udp_flow */
	addr local;	  /* our address that it speaks to, if has_local */
	bool has_local;
	bool is_answered; /* by the guest */
	bool may_refuse;  /* it sent something to us alone since it was refused
			   * last */
};

/* Datagrams for one socket, collected within one batch of frames. */
struct udp_tx {
	struct udp_end *end; /* NULL: empty */
	unsigned n;
	unsigned n_iov;
	struct host_msg m[UDP_BATCH];
	struct iovec iov[UDP_SEND_IOV];
	const struct frame *frame[UDP_BATCH]; /* the first of m[i] */
	uint32_t len[UDP_BATCH];              /* payload bytes of m[i] */
};

/* Room for one round of receiving. */
struct udp_rx {
	struct lend lend;
	struct host_msg m[UDP_BATCH];
	struct iovec iov[UDP_RECV_IOV];
	uint8_t *spill; /* owned: UDP_BATCH areas, see udp_recv.c */
};

struct udp {
	const struct nat_env *env; /* borrowed */
	struct icmp *icmp;         /* borrowed */
	struct flow_table flows;
	struct flow_table clients; /* by (guest, seen) */
	struct slab flow_slab;
	struct slab client_slab;
	struct list forwards;
	unsigned n_forwards;
	struct list ready;   /* ends that had more than one turn's worth */
	struct list blocked; /* ends that wait for room on the lan */
	struct timer turn;   /* runs the ready ones */
	struct udp_tx tx;
	struct udp_rx rx;
	struct out out;
	struct udp_stats stats;
};

/* A message of len bytes came for who seen() said, and goes to the guest. */
static inline void udp_end_received(struct udp_end *e, size_t len)
{
	*e->received += len;
	e->udp->stats.n_down++;
	e->udp->stats.bytes_down += len;
}

/* Payload of a datagram to or from guest at most. */
static inline uint32_t udp_len_max(const addr *guest)
{
	return addr_is_v4(guest) ? UDP_LEN_MAX : UDP_LEN_MAX6;
}

/* s serves a guest with that address. */
void udp_end_init(struct udp_end *e, struct udp *u, struct host_sock *s,
		  const struct udp_end_ops *ops, const addr *guest);
/* Opens the options an end's socket needs; forgets it before it closes. */
void udp_end_open(struct udp_end *e);
void udp_end_close(struct udp_end *e);
/* The events of any end's socket. */
void udp_end_event(struct udp_end *e, unsigned events);
/* Passes the error queue on to the guest; number of entries.  What the host
 * says of a datagram that it did not send for its length is not counted: it
 * goes to *mtup (NULL: nowhere), for whoever has the datagram at hand. */
unsigned udp_end_errors(struct udp_end *e, uint32_t *mtup);
/* Reads what the socket has, a turn's worth; e goes to udp->ready if there
 * may be more, to udp->blocked if the lan has no room. */
void udp_end_read(struct udp_end *e);
/* The timer that gives the ready ends their next turn. */
void udp_turn(struct timer *t, uint64_t now_ns);

/* Where a datagram goes. */
struct udp_way {
	struct endpoint to;
	const addr *from; /* borrowed; NULL: the host chooses */
};

/* Adds the len payload bytes of f to what is collected for e. */
void udp_send(struct udp_end *e, const struct udp_way *way,
	      const struct packet *pkt, const struct frame *f, uint32_t len);

/* The len bytes behind the first skip of the n_from pieces, as far as they go,
 * in pieces of their own: how many, more than max where they are more. */
unsigned udp_slice(const struct iovec *from, unsigned n_from, uint32_t skip,
		   uint32_t len, struct iovec *to, unsigned max);

__attribute__((warn_unused_result)) int udp_rx_init(struct udp_rx *rx);
void udp_rx_deinit(struct udp_rx *rx);

/* The client of a forwarded port that pkt answers (and so is in use), or
 * NULL. */
struct udp_client *udp_client_find(struct udp *u, const struct packet *pkt);
void udp_forwards_close(struct udp *u);

/* Somebody sent m to uf. */
void udp_flow_heard(struct udp_flow *uf, const struct host_msg *m);
/* The forward that r is about, which can be refused once for each datagram, or
 * NULL; *realp is the client. */
struct udp_end *udp_client_refused(struct udp *u, struct icmp_refusal *r,
				   struct endpoint *realp);

#endif
