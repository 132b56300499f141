/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's TCP for tests: small, honest, independent of ours.  Window scale,
 * timestamps, SACK both ways, delayed ACKs, Reno with SACK recovery, FIN, RST.
 */
#ifndef NAT_TCP_PEER_H
#define NAT_TCP_PEER_H

#include "nat/tcp_sim.h"
#include "wire/tcp.h"

enum { PEER_RANGES = 256 };

enum peer_state {
	PEER_LISTEN,
	PEER_SYN_SENT,
	PEER_SYN_RCVD,
	PEER_OPEN,
	PEER_REFUSED, /* RST to our SYN */
	PEER_RESET,
	PEER_DONE, /* both FINs acknowledged */
};

struct peer_range {
	uint64_t from, to; /* stream offsets */
};

struct peer {
	struct peer *next;
	struct sim *sim;
	enum peer_state state;
	struct endpoint me, other;

	/* negotiated */
	bool sack, ts;
	uint8_t snd_shift, rcv_shift;
	uint16_t mss;
	uint32_t ts_recent;

	/* sending; offsets of the stream, 0 is the first byte */
	uint32_t iss;
	uint64_t tx_total;
	bool tx_fin;
	uint64_t una, nxt, max;
	uint64_t wnd_end;
	bool fin_sent, fin_was_sent, fin_acked;
	uint32_t cwnd, ssthresh;
	struct peer_range sacked[PEER_RANGES];
	unsigned n_sacked;
	uint64_t recover;      /* in recovery until una passes it */
	bool in_recovery;
	uint64_t rex_nxt;      /* next byte of a hole to send again */
	uint64_t rex_ns;
	unsigned n_dup;
	uint64_t rto_at;       /* 0: none */
	uint64_t rto_ns;
	uint64_t srtt_ns;
	uint64_t timed_off, timed_ns; /* timed_ns 0: none */

	/* receiving */
	uint32_t irs;
	uint64_t rx_nxt;
	uint64_t rx_fin;      /* offset of the FIN, UINT64_MAX unknown */
	bool got_fin;
	struct peer_range ooo[PEER_RANGES];
	unsigned n_ooo;
	uint64_t recent[4];
	uint32_t rcv_buf;
	uint64_t rx_read;     /* the program has read up to here */
	bool is_stalled;      /* it reads nothing */
	uint32_t read_rate;   /* bytes per ms; 0: at once */
	uint64_t next_read;
	uint64_t adv_edge;
	unsigned n_unacked;   /* segments */
	uint64_t delack_at;   /* 0: none */
	bool drop_all;	      /* vanished */

	/* observed */
	uint64_t progress_ns; /* something new arrived last */
	uint64_t worst_ns;    /* longest time without */
	uint64_t ack_progress_ns, ack_worst_ns; /* the same for una */
	unsigned n_dup_rx;    /* payload that was there already */
	unsigned n_rex;	      /* segments sent again */
	unsigned n_rto;
	unsigned n_acks_rx;   /* segments without payload */
	unsigned n_zero_wnd;
	bool is_bad;	      /* pattern, or a rule of TCP broken */
	const char *why_bad;
};

/* A guest's program connects. */
struct peer *peer_connect(struct sim *s, uint16_t port,
			  const struct endpoint *to);
/* ... or listens; one connection. */
struct peer *peer_listen(struct sim *s, uint16_t port);
void peer_input(struct sim *s, const uint8_t *p, uint32_t len);
/* Sends what may be sent. */
void peer_output(struct peer *p);
/* total bytes in all, then a FIN if fin. */
void peer_send(struct peer *p, uint64_t total, bool fin);
void peer_abort(struct peer *p);
void peer_resume(struct peer *p);
/* One segment by hand, with the options that are set. */
void peer_raw(struct peer *p, struct tcp_hdr *h, const void *data,
	      uint32_t len);
/* When the next timer is due, UINT64_MAX if none. */
uint64_t peer_due(const struct peer *p);
void peer_timer(struct peer *p);

#endif
