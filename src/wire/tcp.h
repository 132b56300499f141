/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP headers with the options that are in use: MSS (RFC 9293), window scale
 * and timestamps (RFC 7323), SACK (RFC 2018). Stateless.
 */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include "base/addr.h"
#include "base/cursor.h"

enum {
	TCP_HDR_LEN = 20,
	TCP_HDR_MAX = 60,
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
	TCP_SACK_MAX = 4,   /* blocks in one header; 3 beside timestamps */
	TCP_WSCALE_MAX = 14, /* RFC 7323 2.3 */
};

struct tcp_sack {
	uint32_t from; /* first byte */
	uint32_t to;   /* one past the last */
};

struct tcp_hdr {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t off;   /* parse: header bytes, options included */
	uint8_t flags; /* TCP_* */
	uint16_t win;  /* as on the wire, not scaled */
	uint16_t csum;
	uint16_t urg;
	bool has_mss, has_ws, sack_ok, has_ts;
	uint16_t mss;
	uint8_t ws;    /* held to TCP_WSCALE_MAX */
	uint32_t ts_val, ts_ecr;
	uint8_t n_sack;
	struct tcp_sack sack[TCP_SACK_MAX];
};

/* Header and options; unknown options are passed over, malformed ones end the
 * list.  r then stands at the payload.  False (and *hp untouched) if the
 * header is cut short or its length lies. */
bool tcp_hdr_parse(struct rd *r, struct tcp_hdr *hp);
/* Header with the options that are set, csum as given. */
void tcp_hdr_emit(struct wr *w, const struct tcp_hdr *h);
/* Bytes tcp_hdr_emit() will write. */
unsigned tcp_hdr_len(const struct tcp_hdr *h);

/* Sequence numbers compare modulo 2^32 (RFC 9293 3.4). */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) <= 0;
}

static inline bool seq_gt(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) > 0;
}

static inline bool seq_geq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) >= 0;
}

#endif
