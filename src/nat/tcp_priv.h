/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of TCP, shared by tcp*.c.  One worker's thread.
 *
 * A flow is a guest connection on one side and a host socket on the other:
 *
 *	tcp_input.c	segments of guests: what is legal, ACKs, RST, FIN
 *	tcp_open.c	how flows begin, from both sides
 *	tcp_refuse.c	how they do not; hop limit and traffic class
 *	tcp_gone.c	... and that the host lost the address they are at
 *	tcp_up.c	guest -> host: socket, store, window
 *	tcp_queue.c	... and what a queue before us holds of it
 *	tcp_down.c	host -> guest: reading the socket, sending what is new
 *	tcp_source.c	where unacknowledged bytes wait: ring or socket
 *	tcp_urgent.c	urgent bytes, both ways
 *	tcp_sack.c	what the guest holds, what is lost, what is sent again
 *	tcp_emit.c	segments without payload, headers
 *	tcp_store.c	chunks of memory indexed by sequence number
 *	tcp_timer.c	the one timer of a flow
 *	tcp.c		the object itself; states; who has work to do
 *
 * States
 * ------
 * Those of RFC 9293 3.3.2 as we, standing for the remote end, see the guest;
 * CONNECT is ours.  "EOF" is the host's end of stream with everything before
 * it sent to the guest.
 *
 *	guest's SYN                       connection from the host's side
 *	    |                                     |
 *	    v                                     v
 *	 CONNECT --host refuses--> (end)       SYN_SENT --RST, silence--> (end)
 *	    | host is connected                   |
 *	    | SYN-ACK                             | SYN-ACK of the guest
 *	    v            guest's ACK              v
 *	 SYN_RCVD ----------------------> ESTABLISHED
 *	                        EOF, FIN  /       \  guest's FIN
 *	                                 v         v
 *	                           FIN_WAIT_1    CLOSE_WAIT
 *	              ACK of FIN  /    |  FIN       | EOF, FIN
 *	                         v     v            v
 *	                FIN_WAIT_2   CLOSING     LAST_ACK
 *	                guest's FIN \  | ACK        | ACK
 *	                             v v            v
 *	                          TIME_WAIT       (end)
 *
 * From every state a RST, a failing host socket, or a timer that gives up
 * leads to the end.  tcp_state() alone assigns the state.
 *
 *	state		host socket	guest's bytes	bytes to the guest
 *	CONNECT		connecting	none		none
 *	SYN_SENT	connected	none		none
 *	SYN_RCVD	connected	none		none
 *	ESTABLISHED	connected	taken		sent
 *	FIN_WAIT_1, 2	no more to read	taken		sent before the FIN
 *	CLOSE_WAIT	shut when the	none left	sent
 *			store is empty
 *	CLOSING, LAST_ACK as the two above, together
 *	TIME_WAIT	closed, or	none		none
 *			store draining
 *
 * Work
 * ----
 * Nothing is sent from the depths.  What happens to a flow (a segment, an
 * event of its socket, its timer) changes its fields and puts it on tcp.pend;
 * when the batch or event is over tcp_finish() calls tcp_output() for each,
 * and there stands the one order of things: lost segments, new bytes, FIN, and
 * an ACK if nothing has carried it.  Only what must be one segment per cause
 * (duplicate ACKs, RST, challenges) is queued at once, in tcp.out.  A flow that
 * ends goes to tcp.dead and is freed by tcp_finish(), so no caller up the stack
 * is left with a dangling pointer.
 */
#ifndef NAT_TCP_PRIV_H
#define NAT_TCP_PRIV_H

#include <netinet/in.h>

#include "base/slab.h"
#include "nat/flow.h"
#include "nat/tcp.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define TCP_MS UINT64_C(1000000)
#define TCP_SEC UINT64_C(1000000000)
#define TCP_NEVER UINT64_MAX

enum {
	/* memory */
	TCP_CHUNK_SHIFT = 14,
	TCP_CHUNK = 1 << TCP_CHUNK_SHIFT,
	TCP_CHUNKS = 64, /* of one store */
	TCP_CHUNKS_KEPT = 16, /* used once, kept while none is used */
	/* Bytes a store holds wherever they begin within a chunk. */
	TCP_STORE_MAX = (TCP_CHUNKS - 1) * TCP_CHUNK,
	TCP_RANGES = 64, /* out-of-order pieces of one flow */

	/* windows */
	TCP_WIN_INIT = 65535,		     /* fits a SYN-ACK unscaled */
	TCP_WIN_MAX = TCP_STORE_MAX - 64,    /* see tcp_up_window() */
	TCP_WIN_SHIFT = 5,		     /* our window scale */
	TCP_MSS_MIN = 64,
	TCP_MSS_DEFAULT = 536,		     /* RFC 9293 3.7.1 */
	TCP_MSS_DEFAULT6 = 1220,
	TCP_CWND_MIN_SEGS = 10,
	TCP_CWND_LOSSY_SEGS = 64,	     /* first flight, lossy exit */

	/* segments and system calls */
	TCP_CTL_MAX = ETH_HDR_LEN + IP6_HDR_LEN + TCP_HDR_MAX,
	TCP_RUN_IOV = 256,		     /* pieces of one send */
	TCP_TURN_BURSTS = 2,		     /* reads of a flow in a turn */
	TCP_GSO_FRAMES = 4,		     /* 64 KiB frames of one recv */
	TCP_IP_MAX = 65535,
	TCP_EXPECT_MIN = 4096,		     /* bytes asked of a quiet socket */
	TCP_EXPECT_MAX = 256 * 1024,
	TCP_PEEK_AFTER = 256 * 1024,	     /* see tcp_source.c */
	TCP_DRAIN_MIN = 16 * 1024,
	TCP_DRAIN_MAX = 256 * 1024,

	/* limits */
	TCP_HALF_OPEN_MAX = 1024, /* per guest and direction */
	TCP_WAITQS = 64,
	TCP_QUEUES = 64,
	TCP_QUEUE_STEP = 16 * 1024, /* see tcp_queue.c */
	TCP_PINGPONG = 3, /* answers in a row before ACKs wait for them */
	TCP_SYN_TRIES = 4, /* again, after 1, 2, 4 and 8 s */
	TCP_RTO_TRIES = 15,
	TCP_PERSIST_SHIFT = 8, /* of the RTO, between answered probes */
	TCP_KEEP_TRIES = 9,
	TCP_PASSES = 5, /* at a gap; then it is the RTO's turn */
	TCP_DUPTHRESH = 3,
	TCP_DUPTHRESH_MAX = 64,

	TCP_DSCP = 0xfc, /* of the TOS byte; the rest is ECN, which ends at
			  * each TCP */
};

#define TCP_RTO_MIN_NS	   (200 * TCP_MS)
#define TCP_RTO_FIRST_NS   (1 * TCP_SEC)
#define TCP_RTO_MAX_NS	   (60 * TCP_SEC)
#define TCP_PTO_MIN_NS	   (10 * TCP_MS)
#define TCP_PTO_CALM_NS	   (50 * TCP_MS) /* where nothing was lost so far: a
					  * slow reader's ACK is no loss */
#define TCP_DELACK_NS	   (2 * TCP_MS)
#define TCP_FIN_DELACK_NS  (1 * TCP_MS) /* before the guest probes its tail */
#define TCP_RETRY_NS	   (5 * TCP_MS)
#define TCP_CHALLENGE_NS   (500 * TCP_MS)
#define TCP_PROBE_REPLY_NS (20 * TCP_MS)
#define TCP_TRIM_NS	   (200 * TCP_MS)
#define TCP_TIME_WAIT_NS   (2 * TCP_SEC)
#define TCP_KEEP_IDLE_NS   (7200 * TCP_SEC)
#define TCP_KEEP_NS	   (75 * TCP_SEC)
#define TCP_CONNECT_NS	   (150 * TCP_SEC) /* the kernel gives up before */
#define TCP_SYN_SENT_NS	   (31 * TCP_SEC)

enum tcp_state {
	TCP_S_CLOSED, /* on tcp.dead, or not begun */
	TCP_S_CONNECT,
	TCP_S_SYN_SENT,
	TCP_S_SYN_RCVD,
	TCP_S_ESTABLISHED,
	TCP_S_FIN_WAIT_1,
	TCP_S_FIN_WAIT_2,
	TCP_S_CLOSE_WAIT,
	TCP_S_CLOSING,
	TCP_S_LAST_ACK,
	TCP_S_TIME_WAIT,
};

enum tcp_flow_flag {
	TCP_F_SACK = 1 << 0,	   /* negotiated */
	TCP_F_TS = 1 << 1,	   /* negotiated */
	TCP_F_ACK_NOW = 1 << 2,	   /* an ACK is due at the end of the batch */
	TCP_F_ACK_LATER = 1 << 3,  /* an ACK is due at due_ack */
	TCP_F_READABLE = 1 << 4,   /* the socket's edge is not consumed */
	TCP_F_EOF = 1 << 5,	   /* the socket's stream is at its end */
	TCP_F_HOST_ERR = 1 << 6,   /* the socket failed: RST after the bytes */
	TCP_F_BLOCKED = 1 << 7,	   /* the socket refused bytes: wait for OUT */
	TCP_F_FIN_SEEN = 1 << 8,   /* fin_seq is valid */
	TCP_F_GUEST_FIN = 1 << 9,  /* ... and rcv_nxt is past it */
	TCP_F_SHUT = 1 << 10,	   /* the socket was shut down for sending */
	TCP_F_FIN_SENT = 1 << 11,  /* snd_nxt is past our FIN */
	TCP_F_PEEK = 1 << 12,	   /* bytes from ring_end on are peeked */
	TCP_F_OPTS_SET = 1u << 31, /* NODELAY is set */
	TCP_F_SENT = 1 << 13,	   /* something was sent to the socket */
	TCP_F_RECV_SET = 1 << 14,  /* OOBINLINE is set */
	TCP_F_TLP = 1 << 16,	   /* a tail probe is out */
	TCP_F_RTT = 1 << 17,	   /* rtt_seq is being timed */
	TCP_F_RECOVERY = 1 << 18,  /* until snd_una passes recover */
	TCP_F_READ_ON = 1 << 19,   /* a short read is not the last: the end
				    * of the stream is behind it */
	TCP_F_CTL_LOST = 1 << 20,  /* our SYN or FIN found no room */
	TCP_F_HALF_OPEN = 1 << 21, /* counted in half */
	TCP_F_RETRY = 1 << 22,	   /* due_ack also reads the socket again */
	TCP_F_CWND = 1 << 23,	   /* cwnd holds */
	TCP_F_SLOW_START = 1 << 24,
	TCP_F_RTO = 1 << 25,	   /* the recovery was begun by a timeout */
	TCP_F_MEASURED = 1 << 26,  /* srtt and rttvar hold a sample */
	TCP_F_LOSSY = 1 << 27,	   /* something was lost, or may well be */
	TCP_F_DSACK = 1 << 28,	   /* since the recovery began */
	TCP_F_OVERRIDE = 1 << 29,  /* a small segment may go out */
	TCP_F_DEAD = 1 << 30,	   /* on tcp.dead */
	TCP_F_NO_NEIGH = 1 << 15,  /* SYN_SENT: its MAC is not known */
};

/* Urgent bytes (RFC 6093), tcp_urgent.c. */
enum tcp_urgent_flag {
	TCP_U_UP = 1 << 0,   /* up_urg is to be sent as the host's urgent */
	TCP_U_SEEN = 1 << 1, /* the host sent one: each read looks for more */
	TCP_U_DOWN = 1 << 2, /* down_urg is the host's, not yet ACKed */
};

/* What due_rtx stands for. */
enum tcp_rtx {
	TCP_RTX_NONE,
	TCP_RTX_SYN,	 /* SYN or SYN-ACK again */
	TCP_RTX_RTO,
	TCP_RTX_TLP,	 /* RFC 8985 7 */
	TCP_RTX_LOSS,	 /* look at the gaps again */
	TCP_RTX_PERSIST, /* RFC 9293 3.8.6.1 */
};

struct tcp_range {
	uint32_t from; /* first byte */
	uint32_t to;   /* one past the last */
};

/* Which half of the memory a store draws on. */
enum tcp_pool_use { TCP_USE_UP, TCP_USE_DOWN, TCP_USE_N };

/* Bytes of one direction of one flow, found by sequence number: byte s lies in
 * chunk[s >> TCP_CHUNK_SHIFT & 63].  Sequence numbers wrap at a multiple of the
 * array's span, so this holds across the wrap. */
struct tcp_store {
	uint8_t *chunk[TCP_CHUNKS]; /* owned; NULL where nothing is */
	unsigned n_chunks;
	uint8_t use; /* enum tcp_pool_use */
	struct quota_payer payer; /* whose chunks they are: flow.payer */
};

/* Pieces that came out of order; their bytes are in the store. */
struct tcp_reasm {
	unsigned n;
	struct tcp_range r[TCP_RANGES]; /* ascending, apart, above rcv_nxt */
	uint32_t recent[TCP_SACK_MAX];	/* a byte of each block reported last,
					 * newest first (RFC 2018 4) */
	unsigned n_recent;
};

/* Bytes the guest has not reported, between two that it has. */
struct tcp_gap {
	uint64_t at_ns;	  /* seen first, or retransmitted last */
	uint32_t rex_nxt; /* next byte to retransmit in this pass */
	uint8_t n_pass;	  /* passes since snd_una moved */
	bool is_lost;
};

/* The scoreboard (RFC 6675) of a flow that has lost something. */
struct tcp_recov {
	unsigned n;			  /* ranges SACKed */
	struct tcp_range r[TCP_RANGES];	  /* ascending, apart, above snd_una */
	struct tcp_gap gap[TCP_RANGES + 1]; /* gap[i] lies before r[i], the
					     * last one after all of them */
	uint32_t sacked;		  /* bytes in r */
	uint32_t tail_end; /* end of the last gap, while that is lost */
};

struct tcp_flow {
	struct flow flow;      /* key, MAC, socket, timer */
	struct tcp *tcp;       /* borrowed */
	struct list link_pend; /* tcp.pend or tcp.dead */
	struct list link_wait; /* a tcp_waitq, or tcp.turns */
	uint32_t flags;	       /* TCP_F_* */
	uint8_t state;	       /* enum tcp_state; tcp_state() assigns it */
	uint8_t rtx_kind;      /* enum tcp_rtx: meaning of due_rtx */
	uint8_t n_rtx;	       /* timeouts in a row */
	uint8_t n_keep;	       /* keepalives without an answer */
	uint8_t snd_shift;     /* the guest's window scale */
	uint8_t rcv_shift;     /* ours; 0 if the guest has none */
	uint8_t pingpong;      /* answers in a row that came at once */
	uint8_t dupthresh;     /* segments above a gap that tell it lost */
	bool is_inward;	       /* it came from the host's side */
	bool has_queue;	       /* CONNECT: the socket keeps its errors */
	uint8_t urgent;	       /* TCP_U_* */
	uint16_t keep_s;       /* the host's peer is asked after; 0: never */
	uint8_t ttl, dscp;     /* the socket's; TOS byte without ECN */
	uint8_t syn_ttl;       /* what the SYN asked for; IP_HOP_LIMIT: */
	uint8_t syn_tos;       /* nothing */
	uint16_t mss;	       /* payload bytes per segment to the guest */
	uint16_t n_dup;	       /* duplicate ACKs in a row, without SACK */

	/* guest -> host */
	uint32_t irs;	     /* the guest's initial sequence number */
	uint32_t rcv_nxt;    /* next byte expected */
	uint32_t rcv_adv;    /* right edge the guest was told */
	uint32_t rcv_acked;  /* last ACK sent */
	uint32_t up_pos;     /* first byte not in the socket */
	uint32_t rcv_cap;    /* bytes of window when the store is empty */
	uint32_t rcv_grow;   /* bytes taken since rcv_cap grew */
	uint32_t fin_seq;    /* of the guest's FIN */
	uint32_t ts_recent;  /* RFC 7323 */
	uint32_t ts_age_s;   /* second of the clock when it was set */
	uint32_t up_urg;     /* U_UP: the guest's urgent byte */
	uint32_t q_frames;   /* the guest's exit holds; 0: any number */
	uint32_t q_born;     /* epoch in which f began */
	uint32_t q_epoch;    /* ... in which it was counted last */
	uint32_t q_port;     /* serial of the exit */
	uint32_t q_piece;    /* payload of a frame, on average */
	uint32_t q_bytes, q_n; /* since that was looked at */
	struct tcp_store *up;	 /* owned, NULL when empty */
	struct tcp_reasm *reasm; /* owned, NULL when in order */
	uint64_t rx_ns;		 /* last payload of the guest */
	uint64_t bytes_up;	 /* that went on to the host */

	/* host -> guest */
	uint32_t iss;
	uint32_t snd_una;   /* first byte not acknowledged */
	uint32_t snd_nxt;   /* next byte to send */
	uint32_t snd_wnd;   /* bytes from snd_una on, scaled */
	uint32_t max_wnd;   /* largest snd_wnd seen */
	uint32_t wl1, wl2;  /* RFC 9293 3.10.7.4: last window update */
	uint32_t ring_from; /* first byte in the ring */
	uint32_t ring_end;  /* end of the bytes in the ring */
	uint32_t sock_seq;  /* PEEK: first byte in the socket */
	uint32_t peek_seq;  /* PEEK: where the next peek begins */
	uint32_t drain;	    /* PEEK: bytes that are drained together */
	uint32_t expect;    /* bytes the next read will ask for */
	uint32_t cwnd;	    /* bytes in flight, if CWND */
	uint32_t down_urg;  /* U_DOWN: the host's urgent byte */
	uint32_t recover;   /* RECOVERY: snd_nxt when it began */
	uint32_t rtt_seq;   /* RTT: end of what is timed */
	uint32_t srtt_us, rttvar_us;
	struct tcp_store *ring;	 /* owned, NULL when empty */
	struct tcp_recov *recov; /* owned, NULL when nothing is missing */
	uint64_t bytes_down;
	uint32_t n_again;   /* segments that were sent again */
	uint64_t rtt_ns;    /* RTT: when it was sent */
	uint64_t tx_ns;	    /* new bytes were sent last */
	uint64_t base_ns;   /* the retransmission timeout counts from here */

	/* times; the timer is armed for the earliest */
	uint64_t due_rtx;
	uint64_t due_ack;   /* a delayed ACK, a retried read */
	uint64_t due_idle;  /* keepalive, or the end of the state */
	uint64_t oow_ns;    /* last challenge ACK */
};

/* Pieces of consecutive segments of one flow, to be sent at once. */
struct tcp_run {
	struct tcp_flow *f; /* NULL: empty */
	uint32_t len;	    /* bytes; they end at f->rcv_nxt */
	unsigned n_iov;
	struct iovec iov[TCP_RUN_IOV]; /* borrowed until tcp_flush() */
};

/* Segments without payload on their way out. */
struct tcp_out {
	struct batch b;
	uint8_t hdr[FRAME_BATCH][TCP_CTL_MAX];
	struct tcp_flow *flow[FRAME_BATCH]; /* who, NULL: nobody */
};

/* Flows that found no room, by the hash of their guest's MAC. */
struct tcp_waitq {
	struct list flows; /* of link_wait, who waits longest first */
	mac first;	   /* guest of the first that came */
	bool is_mixed;	   /* there are others */
};

/* Who sends much through a port that holds a bounded number of frames. */
struct tcp_queue {
	uint32_t epoch;
	unsigned n_now;	 /* flows counted in this epoch */
	unsigned n_last; /* in the one before, and not in this one */
	unsigned n_young;      /* begun in this epoch and not counted yet */
	unsigned n_last_young; /* ... in the one before */
};

/* Of one tcp, or of those of all workers. */
struct tcp_share {
	struct flow_share flows;
	bool is_shared;
	struct quota chunks[TCP_USE_N];
	/* half-open flows: begun by guests; to them (is_inward) */
	struct quota half[2];
	/* bytes of window that may still be promised */
	_Atomic uint64_t credit;
	uint64_t credit_max;
};

struct tcp {
	const struct nat_env *env; /* borrowed */
	struct tcp_share *share;   /* own, or borrowed */
	struct tcp_share own;
	struct tcp_report report;
	struct flow_table flows;
	struct slab flow_slab, chunk_slab, store_slab, reasm_slab, recov_slab;
	unsigned max_chunks[TCP_USE_N];
	struct hash_key isn_key;
	bool can_peek;
	uint64_t peek_after; /* bytes_down from which a flow is peeked */
	bool in_finish;	     /* inside tcp_finish() */
	bool in_lan;	     /* a call of the lan is under way; what it brings
			      * is noted and done by tcp_finish() */
	struct list pend;
	struct list dead;
	struct tcp_waitq wait[TCP_WAITQS];
	struct list turns;   /* flows that have sent a turn's worth */
	struct timer turn;   /* serves them in the next round */
	struct timer trim;   /* gives back the memory of chunks */
	struct tcp_queue queue[TCP_QUEUES]; /* by the port's serial */
	struct tcp_stats stats;
	struct tcp_run run;
	struct tcp_out out;
	struct lend lend;
	struct iovec iov[LEND_IOV_MAX]; /* of one read */
};

/* One segment of a guest. */
struct tcp_seg {
	const struct packet *pkt;
	struct frame frame;   /* cut to the IP packet's length */
	struct tcp_hdr h;
	uint32_t seq;	      /* of the first payload byte */
	uint32_t len;	      /* payload bytes */
	uint32_t off;	      /* of the payload in the frame */
	bool has_fin;	      /* FIN at seq + len */
};

static inline struct tcp_flow *tcp_of(struct flow *f)
{
	return container_of(f, struct tcp_flow, flow);
}

static inline uint64_t tcp_now(const struct tcp *t)
{
	return *t->env->now_ns;
}

static inline uint32_t tcp_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t tcp_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline bool tcp_is(const struct tcp_flow *f, uint32_t flags)
{
	return f->flags & flags;
}

/* Payload the guest may send us in one segment. */
static inline uint32_t tcp_rcv_mss(const struct tcp_flow *f)
{
	return f->tcp->env->mtu - ip_hdr_len(&f->flow.guest.ip) - TCP_HDR_LEN;
}

/* Bytes before the TCP header of a segment to guest. */
static inline unsigned tcp_l4(const addr *guest)
{
	return ETH_HDR_LEN + ip_hdr_len(guest);
}

/* Our timestamp clock: milliseconds with an offset per pair of endpoints, so
 * that it goes on where an earlier connection of this pair stopped. */
static inline uint32_t tcp_ts(const struct tcp_flow *f)
{
	return (uint32_t)(tcp_now(f->tcp) / TCP_MS) + f->flow.hash;
}

/* Bytes of window that nobody was promised. */
static inline uint64_t tcp_credit(const struct tcp *t)
{
	return atomic_load_explicit(&t->share->credit, memory_order_relaxed);
}

/* tcp.c */

/* Promises n bytes more, which leave three times as many for others; false:
 * they do not. */
MUST_USE bool tcp_credit_take(struct tcp *t, uint32_t n);
void tcp_credit_give(struct tcp *t, uint32_t n);
/* The only place that assigns f->state: counts, and arms what the state
 * needs. */
void tcp_state(struct tcp_flow *f, enum tcp_state to);
/* A flow in the table with everything zero but its key; NULL when there is no
 * room (counted). f->state is CLOSED. */
struct tcp_flow *tcp_flow_new(struct tcp *t, const struct flow_key *key);
/* Ends f now; is_reset: the host's peer gets a RST. Twice is harmless. */
void tcp_kill(struct tcp_flow *f, bool is_reset);
/* RST to the guest, reset to the host, end. */
void tcp_abort(struct tcp_flow *f);
/* f has something to do at the end of the batch. */
void tcp_pend(struct tcp_flow *f);
/* f waits for room at its exit. */
void tcp_wait(struct tcp_flow *f);
/* f has more to send, after the loop has looked at all others. */
void tcp_turn(struct tcp_flow *f);
/* Ends a batch, an event or a timer: sends what is due, frees the dead. */
void tcp_finish(struct tcp *t);
/* The socket is closed once both directions are over. */
void tcp_close_host(struct tcp_flow *f);

/* tcp_open.c */

/* A SYN for which there is no flow. */
void tcp_open(struct tcp *t, const struct tcp_seg *s);
/* A segment of a flow that is not yet established. True if the flow is now,
 * and the segment is to be looked at as any other. */
bool tcp_open_input(struct tcp_flow *f, const struct tcp_seg *s);
/* SYN or SYN-ACK, for the first time or because it found no room. */
void tcp_open_send(struct tcp_flow *f);
/* ... or because nobody answered. */
void tcp_open_timer(struct tcp_flow *f);
/* It has taken too long. */
void tcp_open_expired(struct tcp_flow *f);
/* Makes the host's end and connects it. */
void tcp_connect_host(struct tcp_flow *f, const struct endpoint *to);
/* The event hook of a flow's socket. */
void tcp_host_event(struct host_sock *s, unsigned events);

/* tcp_refuse.c */

/* The guest's SYN: what its socket is to carry. */
void tcp_carry_syn(struct tcp_flow *f, const struct tcp_seg *s);
/* A socket that is not connected yet gets its options. */
void tcp_carry_open(struct tcp_flow *f);
/* The handshake is over; pkt is the guest's last word of it. */
void tcp_carry_established(struct tcp_flow *f, const struct packet *pkt);
/* The guest marks its segments so from now on. */
void tcp_carry_tos(struct tcp_flow *f, uint8_t tos);
/* The host could not connect; err is positive. is_late: it took a while, so
 * that the path may have said so. f is gone, or connects once more. */
void tcp_refused(struct tcp_flow *f, int err, bool is_late);
/* CONNECT: the socket was lost on the way; tries another one. */
void tcp_reconnect(struct tcp_flow *f);

/* tcp_up.c */

/* Payload of s, which is not all old and begins within the window. */
void tcp_up_input(struct tcp_flow *f, const struct tcp_seg *s);
/* Sends the run to its socket; what is not taken goes to the store. */
void tcp_up_flush(struct tcp *t);
/* The run's frames are about to go: f (NULL: any) has none left in it. */
void tcp_up_forget(struct tcp *t, const struct tcp_flow *f);
/* Sends what waits in the store. */
void tcp_up_drain(struct tcp_flow *f);
/* The window field of the next segment; remembers the edge it tells. */
uint16_t tcp_up_window(struct tcp_flow *f);
/* The guest asks whether we are there: so does its host end, from now on. */
void tcp_up_keepalive(struct tcp_flow *f);
/* The window has opened so far that the guest should be told. */
bool tcp_up_should_tell(const struct tcp_flow *f);
/* The FIN at fin_seq is in order: goes on to the host when all before it
 * has. */
void tcp_up_fin(struct tcp_flow *f);
/* SACK blocks for an ACK into h. */
void tcp_up_sack(const struct tcp_flow *f, struct tcp_hdr *h);
/* Releases what f holds of this direction. */
void tcp_up_free(struct tcp_flow *f);

/* tcp_queue.c */

/* Bytes of window that our SYN or SYN-ACK tells. */
uint32_t tcp_queue_first(struct tcp_flow *f);
/* Every TCP_QUEUE_STEP bytes of payload: how they came. */
void tcp_queue_step(struct tcp_flow *f);
/* Bytes of window that f may have, of a port that holds f->q_frames. */
uint32_t tcp_queue_share(const struct tcp_flow *f);

/* A frame with len bytes of payload came. */
static inline void tcp_queue_note(struct tcp_flow *f, uint32_t len)
{
	f->q_n++;
	f->q_bytes += len;
	if (f->q_bytes >= TCP_QUEUE_STEP)
		tcp_queue_step(f);
}

/* Bytes that the guest may have on their way, as far as its port goes. */
static inline uint32_t tcp_queue_cap(const struct tcp_flow *f)
{
	return f->q_frames ? tcp_queue_share(f) : UINT32_MAX;
}

/* tcp_down.c */

/* Sends new bytes and the FIN as far as windows and room allow. */
void tcp_down_push(struct tcp_flow *f);
/* Sends [seq, seq + len) again; bytes that went out. */
uint32_t tcp_down_again(struct tcp_flow *f, uint32_t seq, uint32_t len);
/* Bytes of new data that may go out now. */
uint32_t tcp_down_room(const struct tcp_flow *f);
/* True if there may be bytes or a FIN that were never sent. */
bool tcp_down_has_more(const struct tcp_flow *f);
/* There is something to send and the window does not take it. */
bool tcp_down_is_stuck(const struct tcp_flow *f);
/* The bytes before snd_una are done with. */
void tcp_down_acked(struct tcp_flow *f);
/* Releases what f holds of this direction. */
void tcp_down_free(struct tcp_flow *f);

/* tcp_source.c */

enum tcp_src_result {
	TCP_SRC_OK,
	TCP_SRC_DRY,	/* nothing now */
	TCP_SRC_END,	/* end of stream, or the socket failed */
	TCP_SRC_MEMORY, /* no chunk */
};

/* Chooses ring or peek for what comes next; before each read of new bytes. */
void tcp_src_prepare(struct tcp_flow *f);
/* Reads up to len new bytes from the socket into the ring. */
enum tcp_src_result tcp_src_fill(struct tcp_flow *f, uint32_t len);
/* Peeks bytes from seq on into tcp.iov[n_iov]; bytes got, 0 see *whyp. */
uint32_t tcp_src_peek(struct tcp_flow *f, uint32_t seq, unsigned n_iov,
		      enum tcp_src_result *whyp);
/* Takes acknowledged bytes out of the socket; all: however few. */
void tcp_src_drain(struct tcp_flow *f, bool all);

/* tcp_urgent.c */

/* A segment of the guest with URG, within the window. */
void tcp_urgent_input(struct tcp_flow *f, const struct tcp_seg *s);
/* Of len bytes for the host from up_pos on: how many go before the urgent one
 * (then that alone, *oobp), or all that is left. */
uint32_t tcp_urgent_piece(const struct tcp_flow *f, uint32_t len, bool *oobp);
/* The host's urgent byte is in the socket, or may be. */
void tcp_urgent_event(struct tcp_flow *f);
/* Before new bytes are peeked: where one may be urgent, a ring takes them from
 * now on.  False: what was sent must be acknowledged first. */
bool tcp_urgent_unpeek(struct tcp_flow *f);
/* Before new bytes are received: finds out whether the next is urgent.  > 0:
 * receive; else what the socket says instead, as recv(). */
ssize_t tcp_urgent_look(struct tcp_flow *f);
/* Bytes from seq on, len at most, that one emission may hold. */
uint32_t tcp_urgent_cut(const struct tcp_flow *f, uint32_t seq, uint32_t len);

/* True if the byte at seq is the host's urgent one. */
static inline bool tcp_urgent_is(const struct tcp_flow *f, uint32_t seq)
{
	return f->urgent & TCP_U_DOWN && f->down_urg == seq;
}

/* tcp_sack.c */

/* The SACK blocks of an ACK. True if they told something new. */
bool tcp_sack_input(struct tcp_flow *f, const struct tcp_hdr *h);
/* A duplicate ACK of a guest without SACK. */
void tcp_sack_dup(struct tcp_flow *f);
/* snd_una has moved by n bytes. */
void tcp_sack_acked(struct tcp_flow *f, uint32_t n);
/* The retransmission timer went off: all that is not SACKed is lost. */
void tcp_sack_timeout(struct tcp_flow *f);
/* Declares lost what is, sends again what may be sent. */
void tcp_sack_output(struct tcp_flow *f);
/* When the gaps are to be looked at again; TCP_NEVER. */
uint64_t tcp_sack_due(const struct tcp_flow *f);
/* Bytes thought to be in flight. */
uint32_t tcp_sack_pipe(const struct tcp_flow *f);
void tcp_sack_free(struct tcp_flow *f);

/* tcp_emit.c */

/* Queues a segment without payload; flags TCP_*, seq as given. */
void tcp_emit(struct tcp_flow *f, uint8_t flags, uint32_t seq);
/* An ACK now; dup may be NULL, else it is reported as DSACK (RFC 2883). */
void tcp_emit_ack(struct tcp_flow *f, const struct tcp_range *dup);
/* A rate-limited ACK to a segment that is not acceptable. */
void tcp_emit_challenge(struct tcp_flow *f, uint64_t limit_ns);
/* The RST that answers s (RFC 9293 3.10.7.1). */
void tcp_emit_rst(struct tcp *t, const struct tcp_seg *s);
/* Sends what is queued. */
void tcp_emit_flush(struct tcp *t);
/* Headers of a segment with payload into p, which takes TCP_CTL_MAX; returns
 * their length. The checksum field is left for tcp_emit_patch(). */
unsigned tcp_emit_headers(struct tcp_flow *f, uint8_t *p);
unsigned tcp_emit_headers_len(const struct tcp_flow *f);
struct tcp_patch {
	uint32_t seq;
	uint32_t payload; /* bytes */
	uint8_t flags;
};
/* Turns those headers (len bytes) into the ones of a certain segment. */
void tcp_emit_patch(const struct tcp_flow *f, uint8_t *p, unsigned len,
		    const struct tcp_patch *c);
/* An ACK has gone out with a segment. */
void tcp_emit_acked(struct tcp_flow *f);

/* tcp_store.c */

/* The timer tcp.trim. */
void tcp_store_trim(struct timer *timer, uint64_t now_ns);
/* Chunks of *sp, one of f's stores, for [from, from + len), as far as there is
 * memory; the bytes from `from` on that have a place. *sp is made when NULL. */
uint32_t tcp_store_reserve(struct tcp_flow *f, struct tcp_store **sp,
			   enum tcp_pool_use use, uint32_t from, uint32_t len);
/* Pieces of [seq, seq + len), which was reserved; their number, *lenp is cut
 * to what max pieces cover. */
unsigned tcp_store_iov(const struct tcp_store *s, uint32_t seq,
		       uint32_t *lenp, struct iovec *iov, unsigned max);
/* Writes len bytes of iov from byte skip on into f->up at seq; bytes that had
 * a place. */
uint32_t tcp_store_write(struct tcp_flow *f, uint32_t seq,
			 const struct iovec *iov, uint32_t skip, uint32_t len);
/* The bytes [from, to) are done with. */
void tcp_store_release(struct tcp *t, struct tcp_store *s, uint32_t from,
		       uint32_t to);
/* Gives everything back; *sp becomes NULL, and may be NULL. */
void tcp_store_free(struct tcp *t, struct tcp_store **sp);

/* Adds a range to an ascending list of ranges that stay apart; false if there
 * is no room for one more. */
bool tcp_range_add(struct tcp_range *r, unsigned *np, unsigned max,
		   struct tcp_range add);

/* tcp_timer.c */

/* Arms f's timer for what is due first. */
void tcp_timer_update(struct tcp_flow *f);
/* Chooses what due_rtx stands for, after something was sent or ACKed. */
void tcp_timer_rtx(struct tcp_flow *f);
uint64_t tcp_timer_rto(const struct tcp_flow *f);
/* Reads and writes the socket again soon: no edge will tell when. */
void tcp_timer_retry(struct tcp_flow *f);
/* A measured round trip. */
void tcp_timer_rtt(struct tcp_flow *f, uint64_t rtt_ns);
/* The timer hook of a flow. */
void tcp_timer_fire(struct timer *timer, uint64_t now_ns);

#endif
