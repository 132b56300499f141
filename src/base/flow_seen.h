/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow of a guest as it is shown: made by its part of the NAT, looked at by
 * the keeper, who believes no part of it: any bytes are a value.
 */
#ifndef BASE_FLOW_SEEN_H
#define BASE_FLOW_SEEN_H

#include <stdint.h>

#include "base/addr.h"

/* X(name, how it is called) */
#define FLOW_STATES(X)                                                         \
	X(UNANSWERED, "unanswered") /* UDP, ping: one end has spoken */        \
	X(ANSWERED, "answered")	    /* .. both have */                         \
	X(CONNECT, "connect")	    /* TCP: the server has not answered */     \
	X(SYN_SENT, "syn-sent")                                                \
	X(SYN_RCVD, "syn-received")                                            \
	X(ESTABLISHED, "established")                                          \
	X(FIN_WAIT_1, "fin-wait-1")                                            \
	X(FIN_WAIT_2, "fin-wait-2")                                            \
	X(CLOSE_WAIT, "close-wait")                                            \
	X(CLOSING, "closing")                                                  \
	X(LAST_ACK, "last-ack")                                                \
	X(TIME_WAIT, "time-wait")                                              \
	X(CLOSED, "closed")

enum flow_state {
#define FLOW_STATE_ENUM(name, text) FLOW_##name,
	FLOW_STATES(FLOW_STATE_ENUM)
#undef FLOW_STATE_ENUM
	FLOW_STATES_N
};

enum { FLOW_NAME_LEN = 256 };

struct flow_seen {
	struct endpoint guest; /* of a ping the port is its identifier */
	struct endpoint peer;  /* as the guest names it; of a mapping that
				* has several, the last; unspecified: none */
	mac guest_mac;
	uint8_t proto;	   /* IPPROTO_* */
	uint8_t state;	   /* enum flow_state */
	uint8_t is_inward; /* it began outside */
	uint8_t is_tcp;	   /* n_again holds, and rtt_us if it is not 0 */
	uint32_t port;	   /* of the LAN, its netdev's number; 0: not known */
	uint32_t rtt_us;   /* to the guest, smoothed */
	uint32_t n_again;  /* segments that were sent to the guest again */
	uint64_t age_ms, idle_ms;
	uint64_t sent;	   /* bytes of payload that came from the guest .. */
	uint64_t received; /* .. and that went to it */
	char name[FLOW_NAME_LEN]; /* what the guest looked the peer up by */
};

/* Room for flows to be shown. */
struct flow_room {
	struct flow_seen *to; /* borrowed */
	unsigned n, max;
	uint64_t now_ns; /* the worker's */
};

#endif
