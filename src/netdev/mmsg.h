/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames over a datagram socket, a batch a system call: what dgram, l2tpv3 and
 * vxlan have in common.  They differ in what stands in front of a frame and
 * where a frame goes; both are in struct mmsg_ops.
 *
 * Called by those kinds, the lan (port hooks) and the loop; one thread.
 *
 * In:  recvmmsg into 64 buffers side by side.  The memory is reserved, not
 *      touched: a page is paid for when a frame was that long.
 * Out: sendmmsg for all frames of a call.  A frame may go to several: it is a
 *      message for each.
 *
 * The kinds may lose frames, by nature and by name; a full socket refuses
 * frames, so that the sender may wait.  Nothing a peer does is a fault.
 */
#ifndef NETDEV_MMSG_H
#define NETDEV_MMSG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lan/drop.h"
#include "netdev/netdev.h"

enum {
	/* Three cache lines more than a frame: slots that start at the same
	 * place of a page would fight for one set of the cache.  With any
	 * header, what UDP and IP can carry fits. */
	MMSG_SLOT = FRAME_MAX + 192,
	MMSG_AREA = FRAME_BATCH * MMSG_SLOT,
	MMSG_IOV = 512, /* pieces of one sendmmsg */
	UDP4_MAX = 65507, /* bytes of a datagram */
	UDP6_MAX = 65527,
};

struct mmsg;

/* One sendmmsg. */
struct mmsg_out {
	struct mmsghdr msg[FRAME_BATCH];
	struct iovec iov[MMSG_IOV];
	uint8_t index[FRAME_BATCH]; /* of the frame in the batch */
	uint64_t ends;		    /* bit i: message i is its frame's last */
	unsigned n;		    /* messages */
	unsigned n_iov;
	unsigned part; /* messages of the first frame that are dealt with */
};

/* Where a message goes, and what stands in front of the frame; borrowed until
 * the messages are sent. */
struct mmsg_dest {
	const void *hdr; /* NULL: nothing */
	size_t hdr_len;
	const struct sockaddr_storage *to;
	socklen_t to_len; /* 0: to whom the socket is connected */
};

struct mmsg_ops {
	/* Takes the first n messages of the last read into b, which is
	 * empty (mmsg_take); counts those that are none. */
	void (*take)(struct mmsg *m, struct batch *b, unsigned n);
	/* Puts (mmsg_put) as many frames of mask as fit, in order, beginning
	 * with message o->part of the first.  None: that one never fits. */
	void (*fill)(struct mmsg *m, struct mmsg_out *o, const struct batch *b,
		     uint64_t mask);
	/* The peer refused a frame, which is counted.  May be NULL. */
	void (*lost)(struct mmsg *m);
};

/* Embedded at the front of each kind's own struct. */
struct mmsg {
	struct port port;
	const struct netdev_env *env; /* borrowed */
	const struct mmsg_ops *ops;
	int fd;			      /* owned */
	int tx_fd;		      /* owned; -1: fd sends */
	struct loop_io io;
	struct loop_work more; /* go on reading after the others' turn */
	struct timer retry;    /* looks for room where no event tells */
	bool keeps_from;       /* from[] is filled */
	bool refuses_late;     /* ECONNREFUSED of a send is about an earlier
				* one, as with UDP */
	bool is_dry;	       /* the last batch emptied the socket */
	bool is_room_wanted;   /* somebody waits for lan_port_room() */
	uint32_t n_out;	       /* messages dealt with, ever; wraps */
	uint8_t *area;	       /* owned mapping, MMSG_AREA bytes */
	struct mmsghdr in[FRAME_BATCH];
	struct iovec in_iov[FRAME_BATCH];
	struct sockaddr_storage from[FRAME_BATCH];
};

/* The hooks of such a port, for its struct port_ops. */
unsigned mmsg_recv(struct port *p, struct batch *b);
void mmsg_done(struct port *p, struct batch *b);
uint64_t mmsg_send(struct port *p, const struct batch *b, uint64_t mask);
void mmsg_want_room(struct port *p);

/* A port that is on no lan yet, of a struct of zeros.  ops, keeps_from and
 * refuses_late are the caller's to set, and port.ops and caps.max_frame (of a
 * frame without its header) before mmsg_open(). */
void mmsg_init(struct mmsg *m, const struct netdev_env *env, const char *name,
	       uint32_t id);
/* Buffers, the loop, the lan: the port is up.  It owns fd and tx_fd (-1: none)
 * then; on failure, -errno, the caller does. */
__attribute__((warn_unused_result)) int mmsg_open(struct mmsg *m, int fd,
						  int tx_fd);
/* Undoes mmsg_open(), whether it was called or failed or not; the caller frees
 * m. */
void mmsg_close(struct mmsg *m);

/* Message i of the last read is a frame from byte off on, off being no more
 * than its length: appends it to b, or counts it. */
void mmsg_take(struct mmsg *m, struct batch *b, unsigned i, uint32_t off);
/* One message more, which is frame f with number i in its batch, the last of
 * it if is_last.  False: it does not fit, or is longer than any that can. */
bool mmsg_put(const struct mmsg *m, struct mmsg_out *o, const struct batch *b,
	      unsigned i, const struct mmsg_dest *d, bool is_last);

/* Counts one frame as lost, from or to the peer. */
void mmsg_rx_drop(struct mmsg *m, enum drop_reason why);
void mmsg_tx_drop(struct mmsg *m, enum drop_reason why);

#endif
