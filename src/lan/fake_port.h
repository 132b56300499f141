/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port for tests: remembers what it was sent, yields what it is told to,
 * has as much room as it is told to have.  Compiled only into tests (of any
 * room above the lan as well: test_deps = [lan_fake] in its meson.build).
 */
#ifndef LAN_FAKE_PORT_H
#define LAN_FAKE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/lan.h"

enum { FAKE_NO_LIMIT = 1 << 30 };

/* One frame, whole and flat. */
struct fake_frame {
	uint8_t *data; /* owned */
	uint32_t len;
	uint32_t hdr_len; /* private bytes it came with */
	struct frame_offload off;
	bool is_lent; /* came by give() */
};

struct fake_config {
	const char *name;
	uint32_t offload;   /* PORT_O_* */
	uint32_t max_frame; /* 0 = FRAME_MAX */
	bool lossy;	    /* caps.lossy, and no want_room hook */
	bool is_uplink;
	bool is_ours;
	bool can_lend;	    /* lend and give, like a virtqueue */
	bool can_wait;	    /* has the room hook (a sender like the gateway) */
	uint32_t hold_max;  /* not 0: it has let_go; a frame costs 1.  Frames
			     * are shown as with hdr_max = FRAME_HDR_MAX */
	uint32_t lend_piece; /* bytes per writable piece; 0 = 4096 */
	uint32_t queues; /* 0 = 1; of several: what is given is of lend.flow */
	uint32_t hdr_max;   /* recv: private bytes per frame, the rest in
			     * pieces of lend_piece; 0 = all */
};

struct fake_port {
	struct port port; /* first */
	struct fake_config c;

	/* What the test turns. */
	unsigned room;	       /* frames it still takes */
	/* Called at the end of each send(), may be NULL: a gateway that
	 * answers, a cable to another lan, a peer that breaks. */
	void (*on_send)(struct fake_port *f, const struct batch *b,
			uint64_t mask);
	void (*on_room)(struct fake_port *f, struct port *other);
	void *arg;

	/* What it saw. */
	struct fake_frame *out; /* owned: sent or given, in order */
	unsigned n_out, cap_out;
	unsigned n_send, n_recv, n_done, n_want_room, n_room, n_link, n_lend,
		n_give;
	struct port *last_room; /* other of the last room() */
	bool last_link;
	unsigned last_send;	/* bits in the last send's mask */

	/* What recv() will yield. */
	struct fake_frame *in; /* owned; data NULL: it was given back */
	unsigned n_in, cap_in, next_in;
	unsigned n_borrowed;   /* frames between recv and done */
	unsigned n_held;       /* not let go yet */
	unsigned n_let_go;

	/* Buffers of an open lend. */
	uint8_t *lent_mem; /* owned */
	bool is_lent;
	struct iovec *iov_in; /* owned: pieces of the frames of one recv */
};

/* A port on no lan, with unlimited room.  Never NULL. */
struct fake_port *fake_make(const struct fake_config *c);
/* One on lan, carrier up. */
struct fake_port *fake_new(struct lan *lan, const struct fake_config *c);
/* Takes it off its lan and frees it. */
void fake_free(struct fake_port *f);

/* Queues a frame for recv(); copied. */
void fake_queue(struct fake_port *f, const void *data, uint32_t len,
		const struct frame_offload *off);
/* fake_queue() of one, then lan_port_readable(). */
void fake_rx(struct fake_port *f, const void *data, uint32_t len,
	     const struct frame_offload *off);
/* Forgets what was sent. */
void fake_clear(struct fake_port *f);
/* More room; calls lan_port_room() if somebody asked. */
void fake_add_room(struct fake_port *f, unsigned n);

/* An Ethernet frame of len bytes (>= 14) at buf: type 0x88b5, a pattern from
 * seed in the rest. */
void fake_frame_fill(uint8_t *buf, uint32_t len, mac dst, mac src,
		     uint32_t seed);
/* 52:54:00 and the three low bytes of n. */
mac fake_mac(uint32_t n);

/* A lan with a virtual clock, and what it told control. */
struct fake_lan {
	struct timer_wheel wheel;
	uint64_t now_ns; /* starts at one second */
	struct talk talk;
	struct drops drops;
	struct lan *lan;
	unsigned n_link, n_fault, n_clash, n_heard;
	struct port *heard; /* the last */
	bool link_up;
	char fault_text[64];
	struct port *clash_a, *clash_b;
	mac clash_alias; /* zero: none */
};

void fake_lan_init(struct fake_lan *b, bool is_hub);
/* Frees all ports (which must be fake ports) and the lan. */
void fake_lan_deinit(struct fake_lan *b);
/* A second lan on the same clock; freed by fake_lan_free(). */
struct lan *fake_lan_more(struct fake_lan *b, const char *name);
struct lan *fake_lan_free(struct lan *lan);
/* Time passes; timers fire. */
void fake_lan_advance(struct fake_lan *b, uint64_t ns);

#endif
