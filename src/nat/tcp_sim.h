/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world around TCP for its tests: a virtual clock, a real lan with a port
 * that loses, delays and reorders as told, a host whose sockets have bounded
 * buffers, and guests with a small TCP of their own (tcp_peer.h).  Nothing
 * here shares code with what is tested.  Tests and fuzz targets only.
 *
 * Every stream carries a pattern in which each byte depends on its offset, so
 * both ends check what arrives without keeping it.
 */
#ifndef NAT_TCP_SIM_H
#define NAT_TCP_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/lan.h"
#include "nat/tcp.h"

#define SIM_MS UINT64_C(1000000)
#define SIM_SEC UINT64_C(1000000000)

enum {
	SIM_PERIOD = 65521, /* of the pattern */
	SIM_UNLIMITED = 1 << 30,
};

struct sim_config {
	/* the exit to the guests */
	bool tso, no_csum, can_lend, lossy;
	unsigned room;		/* frames on their way; 0: any number */
	uint64_t ns_per_byte;	/* down; 0: no limit */
	/* A queue before it, of so many frames that are read one by one; 0:
	 * none.  queue_said is what the port says of that. */
	unsigned queue, queue_said;
	uint64_t queue_ns;	/* reading one takes */
	uint32_t mtu;		/* 0: 1500 */
	/* the link, in 1/10000 of the packets */
	unsigned loss_up, loss_down, reorder, duplicate;
	uint64_t delay_ns;	/* one way; 0: 100 us */
	uint64_t reorder_ns;	/* what a reordered packet is late; 0: 2 ms */
	uint64_t seed;
	/* guests */
	bool no_sack, no_ts, no_wscale, delack, guest_tso;
	uint32_t rcv_buf;	/* 0: 1 MiB */
	uint16_t guest_mss;	/* 0: by the MTU */
	uint32_t up_piece;	/* what guests send lies in pieces of so many
				 * bytes behind its headers; 0: in one */
	/* the host's sockets */
	uint32_t sndbuf, rcvbuf; /* 0: 256 KiB */
	bool slow_connect;	 /* -EINPROGRESS, and OUT 20 ms later */
	int connect_err;	 /* what connect() comes to */
	bool no_answer;		 /* nor that */
	/* tcp_config */
	bool deny_peek;
	uint64_t peek_after, max_buffer;
	unsigned max_flows;
};

/* A socket of the host and the program behind it. */
struct sim_sock {
	struct sim *sim;
	struct host_sock *s; /* NULL: closed */
	unsigned events;
	bool is_dirty;	     /* on sim.dirty */
	struct endpoint to;
	addr local;	     /* its own address; unspecified: it has none */
	bool is_v6;
	bool is_adopted;     /* came by tcp_connect_guest() */
	uint64_t connect_at; /* when OUT is due; 0: not connecting */
	int err;	     /* what connect() or the peer's RST comes to */
	bool is_connected;
	/* program -> guest */
	uint64_t tx_total;   /* bytes it wants to send */
	bool tx_fin;	     /* ... and then end */
	uint64_t arrived;    /* ... that reached the socket */
	uint64_t base;	     /* ... that were taken out */
	int64_t peek_off;    /* -1: off */
	uint64_t urgent;     /* offset of the urgent byte; 0: none */
	uint64_t late_total, late_urgent; /* 0, or for the next read */
	bool fin_arrived;
	uint32_t rcvbuf;
	/* guest -> program */
	uint64_t got;	     /* bytes taken by send() */
	uint64_t consumed;   /* ... that left the buffer */
	uint64_t oob_at;     /* ... when the last urgent one came */
	unsigned n_oob;	     /* urgent bytes */
	int keep_s;	     /* of HOST_OPT_KEEPALIVE */
	uint32_t sndbuf;
	bool is_stalled;     /* nothing leaves the buffer */
	bool wants_out;	     /* send() was short */
	bool is_shut, was_closed, was_reset;
	/* counts */
	unsigned n_send, n_recv, n_peek, n_discard, n_set, n_shutdown,
		n_again; /* recv with nothing there */
	bool is_bad;	     /* a byte differed from the pattern */
	/* errors to come */
	int send_err;
};

struct sim_pkt {
	uint64_t at, order;
	uint32_t len;
	bool is_up;
	struct frame_offload off;
	uint8_t *data; /* owned */
};

enum { SIM_SOCKS = 16384 };

struct peer;

struct sim {
	struct sim_config c;
	uint64_t now_ns;
	uint64_t rnd;
	struct timer_wheel wheel;
	struct drops drops;
	struct lan *lan;
	struct port guest_port, gw_port;
	struct host host;
	struct nat_env env;
	struct tcp *tcp;
	bool knows_guest;
	bool is_v6;
	unsigned l4;   /* Ethernet and IP headers of a whole packet */
	addr guest_ip; /* of the peers to come */
	struct endpoint server; /* somebody outside, of the guest's family */
	struct endpoint gw;	/* a client that the guest sees as us */

	struct sim_sock *sock[SIM_SOCKS]; /* owned, in order of opening */
	unsigned n_socks, n_open;
	struct sim_sock *dirty[SIM_SOCKS]; /* that may have events */
	unsigned n_dirty;

	struct sim_pkt *q; /* owned: a heap by (at, order) */
	unsigned n_q, cap_q;
	uint64_t order, line_free; /* when the rate limit lets the next go */
	uint64_t queue_free; /* ... or the queue is empty */
	unsigned n_down;   /* frames on their way to the guest */
	bool wants_room, is_exit_shut;
	uint8_t *lent;	   /* owned: buffers of an open lend */

	struct peer *peers; /* owned: list */
	void (*on_down)(struct sim *s, const uint8_t *p, uint32_t len);
	void *arg;	   /* of the test */
	bool drop_syn;	    /* our SYNs and SYN-ACKs are lost */
	int open_err;	    /* of the next open() */
	unsigned n_down_frames, n_down_data, n_up_frames, n_lost;
	unsigned n_overrun; /* found the queue full */
	unsigned n_unreachable;
	int last_unreachable;
	/* before sockets connect: how they will behave */
	void (*on_connect)(struct sim *s, struct sim_sock *k);
};

/* Of which family the worlds are that are made from now on; for cmocka. */
int sim_speaks4(void **state);
int sim_speaks6(void **state);
/* The whole group, over IPv4 and over IPv6. */
#define SIM_RUN(tests)                                                         \
	(cmocka_run_group_tests_name("IPv4", tests, sim_speaks4, NULL) +       \
	 cmocka_run_group_tests_name("IPv6", tests, sim_speaks6, NULL))

struct sim *sim_new(const struct sim_config *c);
/* Frees all; fails the test if a flow, socket or byte is left. */
void sim_free(struct sim *s);

/* Runs until done() or the clock has moved by limit_ns; true if done. */
bool sim_run(struct sim *s, uint64_t limit_ns,
	     bool (*done)(struct sim *s, void *arg), void *arg);
/* The nth guest's address: 10.0.2.n, fec0::n. */
addr sim_guest(const struct sim *s, uint8_t n);
/* One whose quota is not that of s->guest_ip: of a thousand one shares it. */
addr sim_other_guest(const struct sim *s);
/* Lets ns pass. */
void sim_pass(struct sim *s, uint64_t ns);
uint64_t sim_random(struct sim *s);
/* True in n of 10000 cases. */
bool sim_chance(struct sim *s, unsigned n);

/* A packet of a guest goes on the link. */
void sim_send_up(struct sim *s, const uint8_t *p, uint32_t len,
		 const struct frame_offload *off);
const uint8_t *sim_pattern(uint64_t off);
/* The program sends total bytes in all, then ends if fin. */
void sim_sock_send(struct sim_sock *k, uint64_t total, bool fin);
/* The byte at off, among those sent by then, is urgent: a read stops before
 * it (tcp(7), SO_OOBINLINE). */
void sim_sock_urgent(struct sim_sock *k, uint64_t off);
/* The same, but they come right after the next read, before any event: the
 * program sends total bytes in all by then. */
void sim_sock_urgent_late(struct sim_sock *k, uint64_t total, uint64_t off);
/* The program's end resets. */
void sim_sock_reset(struct sim_sock *k);
/* The buffer drains again. */
void sim_sock_resume(struct sim_sock *k);
/* A client connected to a forwarded port: its end of the host. */
struct sim_sock *sim_client(struct sim *s, struct host_sock *hs);

extern const mac sim_gw_mac, sim_guest_mac;

#endif
