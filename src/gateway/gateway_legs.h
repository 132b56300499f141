/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gateway on several workers.
 *
 * On the lane of each worker but the first the gateway has a leg: a port with a
 * TCP, a UDP and the ICMP for their errors, on that worker's sockets and
 * clock.  So a flow is carried whole by the worker by whose queue its guest
 * sends, without a copy and without a lock.  Everything else is worker 0's:
 * what the gateway answers itself, services, groups, ping, fragments, ICMP,
 * forwarded ports.
 *
 *	a guest's queue 1 -> lane 1 -> leg 1
 *	                                 |  not a flow that may be a leg's?
 *	                                 |------------------------> worker 0
 *	                                 |  a flow of its own?
 *	                                 |------> carries it
 *	                                 |  its bucket (nat/buckets.h) is free?
 *	                                 |------> claims it, carries it
 *	                                 |  it is worker 2's?
 *	                                 +------------------------> leg 2
 *
 * Worker 0 does the same with what comes by its own lan.  Both judge a packet
 * alike (gateway_is_shared()), so none is sent round in circles.  Who takes a
 * packet of no flow of its own holds the bucket meanwhile: nobody else claims
 * it between the look and the flow that begins.
 *
 * A connection from outside whose bucket is another's is handed over to that
 * worker in a pause; such is rare, the bucket being mostly free.  Then the
 * workers have it by turn, if its guest has several queues: one in a
 * millisecond, for the pause's sake, the rest worker 0.  A guest that has many
 * flows and calls itself by a forwarded port could make the former frequent:
 * where the pauses come to more than a part of the time the guest sees the
 * client with another port, of a bucket that is free.  A leg asks for no MACs:
 * worker 0 tells it those of whom it is to call.
 *
 * Bounds: flows, half-open connections, bytes of windows and of buffers are
 * counted together (nat/quota.h).  Each worker has a ration of ICMP errors of
 * its own (nat/icmp.h), so a guest may get as many times as many as it has
 * queues.
 */
#ifndef GATEWAY_GATEWAY_LEGS_H
#define GATEWAY_GATEWAY_LEGS_H

#include "gateway/gateway.h"
#include "gateway/neigh.h"
#include "nat/buckets.h"
#include "nat/env.h"
#include "nat/flow.h"
#include "nat/icmp.h"
#include "nat/tcp.h"
#include "nat/udp.h"

enum {
	GATEWAY_WORKERS_MAX = 64, /* bits of carrier.away */
	GATEWAY_WANTS = 8,        /* MACs that a leg waits for */
};

/* One worker's share in carrying flows; the worker's own. */
struct carrier {
	struct gateway *gw; /* borrowed */
	unsigned me;
	struct bucket_holds holds;
	struct tcp *tcp;                  /* borrowed */
	struct udp *udp;                  /* borrowed */
	const struct batch *b;            /* of the send() under way */
	uint64_t away;                    /* workers that get some of it .. */
	uint64_t to[GATEWAY_WORKERS_MAX]; /* .. and which frames */
};

struct gateway_leg {
	struct port port; /* first */
	struct carrier carrier;
	struct nat_env nat;
	struct neigh neigh; /* written in pauses */
	struct icmp *icmp;  /* owned, as those two */
	struct udp *udp;
	struct tcp *tcp;
	bool is_busy;     /* inside send() */
	bool is_udp_turn; /* as struct gateway's */
	/* worker 0's */
	bool is_on;               /* the lane */
	addr want[GATEWAY_WANTS]; /* whose MACs it lacks; unspecified: none */
	unsigned next_want;
};

/* In pauses, but for what is said. */
struct gateway_legs {
	struct buckets *buckets;     /* owned */
	struct tcp_share *tcp_share; /* owned */
	struct flow_share udp_share;
	/* guests' ends of forwarded UDP ports, a bit for each: what comes from
	 * there may answer a client, whom worker 0 knows */
	uint8_t forwarded[UINT16_MAX / 8 + 1];
	void (*pause)(void *arg);
	void (*resume)(void *arg);
	int (*leg_set)(void *arg, struct port *p, unsigned worker,
		       struct port *leg);
	void *arg;
	uint64_t (*mail)(void *mail_arg, const struct port *p, unsigned me,
			 unsigned to, const struct batch *b, uint64_t mask);
	void *mail_arg;
	uint64_t spread_ns; /* worker 0's: when one was given away .. */
	unsigned turn;	    /* .. and to whom comes the next */
	unsigned n_wants;      /* worker 0's: of all legs .. */
	uint64_t wants_until_ns; /* .. and until when */
	uint64_t paid_ns; /* worker 0's: its pauses for calls are paid then */
	struct carrier *first; /* owned: worker 0's */
	unsigned n;
	struct gateway_leg *leg[]; /* owned; worker i's is leg[i - 1] */
};

/* What the parts of worker 0 and of the legs have in common, and the legs
 * without theirs; nothing on one worker.  0 or a negative errno. */
MUST_USE int gateway_legs_new(struct gateway *gw,
			      const struct gateway_env *env);
/* Puts legs with all they have on the lanes of the gateway's port. */
MUST_USE int gateway_legs_start(struct gateway *gw);
/* They say good-bye to their guests, and are on no lane any more. */
void gateway_legs_stop(struct gateway *gw);
/* After worker 0's parts have gone. */
void gateway_legs_free(struct gateway *gw);

/* Until gateway_resume() the legs do nothing, and what they read may change;
 * then it is known to all of them.  They nest. */
void gateway_pause(struct gateway *gw);
void gateway_resume(struct gateway *gw);

/* ---- any worker, with legs ---- */

/* A batch of frames begins, and ends: what went away of it is mailed. */
void carrier_begin(struct carrier *c, const struct batch *b);
void carrier_end(struct carrier *c);
/* A sound packet that is shared: carries it, or it goes to whose it is. */
void carrier_carry(struct carrier *c, const struct packet *pkt,
		   const struct frame *f);

/* ---- worker 0, with legs ---- */

/* Fills in what makes l a port. */
void gateway_leg_port(struct gateway_leg *l);
/* True if port is a guest's end of a forward of UDP. */
static inline bool gateway_legs_forward(const struct gateway_legs *ls,
					uint16_t port)
{
	return ls->forwarded[port / 8] >> port % 8 & 1;
}

/* ip has the MAC m: some leg may want to know. */
void gateway_legs_learn(struct gateway *gw, const addr *ip, mac m);
/* A guest has refused what a leg sent it; false: none did. */
MUST_USE bool gateway_legs_refused(struct gateway *gw, struct icmp_refusal *r);
/* nat_env.connect */
int gateway_legs_connect(void *arg, struct host_sock *sock,
			 const struct nat_inward *in);
void gateway_legs_network(struct gateway *gw, const addr *gone, unsigned n);
void gateway_legs_way_gone(struct gateway *gw, bool is_v4);
/* There is one more forward of UDP, to this port of a guest. */
void gateway_legs_forward_to(struct gateway *gw, uint16_t port);
/* A forward has gone. */
void gateway_legs_forwards(struct gateway *gw);
void gateway_legs_stats(struct gateway *gw, struct gateway_stats *sp);

#endif
