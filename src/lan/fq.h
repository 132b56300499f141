/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queue before a cable with a rate: flows take turns, and each that keeps
 * the queue long is told so, by ECN or by a loss (FlowQueue-CoDel, RFC 8290;
 * CoDel, RFC 8289).
 *
 *	frame -> its flow's queue    FQ_FLOWS of them, by the frame's addresses
 *	new flows, old flows         who is next; quantum bytes a turn
 *	head -> out, if CoDel lets   it waited for less than target, or not yet
 *	                             for interval more than that
 *
 * Called by cable.c on the worker's thread.
 */
#ifndef LAN_FQ_H
#define LAN_FQ_H

#include <stdint.h>

#include "base/mem.h"
#include "lan/drop.h"
#include "lan/parcel.h"

enum {
	FQ_FLOWS = 1024, /* a power of two */
	FQ_QUANTUM = 1514,
	FQ_LIMIT_MIN = 128 * 1024, /* bytes that may wait, at least .. */
	FQ_LIMIT_MAX = 32 * 1024 * 1024, /* .. and at most, of a second's */
};

#define FQ_TARGET_NS   UINT64_C(5000000)
#define FQ_INTERVAL_NS UINT64_C(100000000)

struct fq;

/* Where parcels go that the queue gives up; frees them. */
struct fq_config {
	void (*lost)(void *arg, struct parcel *p, enum drop_reason why);
	void *arg;
};

/* 0 with *qp set, or -ENOMEM. */
MUST_USE int fq_new(const struct fq_config *c, struct fq **qp);
/* It is empty. */
struct fq *fq_free(struct fq *q);
/* Frames leave at so many bits per second: what waiting is too long, and how
 * many may wait. */
void fq_rate(struct fq *q, uint64_t rate);
/* salt: which flows share a queue by chance. */
void fq_salt(struct fq *q, uint32_t salt);
/* Takes p, which came at p->since_ns. */
void fq_put(struct fq *q, struct parcel *p);
/* The next to leave, the caller's; NULL: none. */
struct parcel *fq_take(struct fq *q, uint64_t now_ns);
/* The same where the queue has no end to wait for: none is lost for having
 * waited. */
struct parcel *fq_drain(struct fq *q);
/* Gives up some of the flow that has most; false: there is nothing. */
bool fq_shed(struct fq *q);
/* All of them are given up, as that. */
void fq_clear(struct fq *q, enum drop_reason why);
/* Bytes that wait. */
uint64_t fq_bytes(const struct fq *q);
bool fq_is_empty(const struct fq *q);

#endif
