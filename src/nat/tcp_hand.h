/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest moved by hand, for the tests of TCP's states: each segment it sends
 * is told, each it gets is looked at; nothing of it answers by itself.  Built
 * on tcp_sim.h; tests only.
 */
#ifndef NAT_TCP_HAND_H
#define NAT_TCP_HAND_H

#include "nat/tcp_peer.h"

enum { GOT_MAX = 512, ISS = 1000000, PORT = 40000 };

struct got {
	struct tcp_hdr h;
	uint32_t len;
};

/* A guest moved by hand; nothing of it answers by itself. */
struct hand {
	struct sim *s;
	struct peer *p;
	struct sim_sock *k;
	struct got got[GOT_MAX];
	unsigned n, next;  /* got; looked at */
	uint32_t snd, rcv; /* our next byte, next byte expected */
	bool ts;
	uint32_t ts_val;
	uint16_t win;
};

extern const struct sim_config hand_usual;

void hand_init(struct hand *g, struct sim *s);
void hand_settle(struct hand *g);
void hand_tell_at(struct hand *g, uint8_t flags, uint32_t seq, uint32_t ack,
		  uint32_t len);
void hand_tell(struct hand *g, uint8_t flags, uint32_t len);
const struct got *hand_hear(struct hand *g, uint8_t flags);
void hand_hear_nothing(const struct hand *g);
unsigned hand_n_flows(const struct hand *g);
uint64_t hand_drops(const struct hand *g, enum drop_reason why);
struct hand *hand_make(const struct sim_config *c);
void hand_finish(struct hand *g);
struct hand *hand_make_syn_rcvd(const struct sim_config *c);
struct hand *hand_make_open(const struct sim_config *c);

#endif
