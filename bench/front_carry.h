/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-front's vhost-user in two parts: front_vhost.c makes memory and queues
 * and tells the engine of them, front_carry.c moves the frames.
 */
#ifndef BENCH_FRONT_CARRY_H
#define BENCH_FRONT_CARRY_H

#include <sys/uio.h>

#include "front.h"
#include "front_vq.h"

enum {
	CARRY_PIECES = 4,   /* descriptors of a long frame */
	CARRY_IOV = 1024,   /* buffers of one frame: what writev() takes */
	CARRY_PAGE = 4096,  /* most bytes of a buffer that follows frames */
	CARRY_SHORT = 1530, /* least of one: an Ethernet frame and its header */
};

struct carry {
	struct front *f; /* borrowed */
	struct vq down, up;
	uint8_t *mem; /* mapping shared with the engine, all pairs' */
	uint64_t protocol; /* features of vhost-user, as agreed on */
	uint64_t gpa_tx, gpa_table; /* of tx and table, for the engine */

	/* down: buffer i is descriptor i's, for ever */
	uint8_t *rx;
	uint32_t rx_stride, rx_most; /* bytes */
	uint32_t rx_least, rx_len;   /* bytes of a buffer offered now */
	uint32_t rx_mean;	     /* bytes of a frame, rx_len follows it */
	bool merges;		    /* frames in several buffers */

	/* up: buffer i and table i are head i's, for ever */
	uint8_t *tx; /* of FRONT_FRAME_MAX bytes each */
	struct vq_desc (*table)[CARRY_PIECES];
	bool pieces;	/* long frames as a driver with fragments has them */
	uint16_t *free; /* owned; a stack: what was used last is still warm */
	unsigned n_free;
	bool is_full; /* none was free */

	uint64_t poll_ns; /* how long to poll before the next sleep */

	struct iovec iov[CARRY_IOV];
};

/* Moves frames until a signal or the engine ends it. */
enum front_end carry_run(struct carry *c);
/* Into the front's counters what the queues have counted. */
void carry_count(struct carry *c);

#endif
