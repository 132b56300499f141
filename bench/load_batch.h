/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams in batches, for both ends: sent with as few calls as can be, and
 * received without copying more than the stamp.
 */
#ifndef BENCH_LOAD_BATCH_H
#define BENCH_LOAD_BATCH_H

#include "bench/load.h"

struct sender {
	int fd;               /* borrowed */
	uint32_t run;
	unsigned size;        /* of one datagram */
	unsigned per_message; /* datagrams, 1 without GSO */
	uint64_t seq;         /* datagrams sent */
	char *data;           /* owned: UDP_BATCH messages */
	struct iovec iov[UDP_BATCH];
	struct mmsghdr msg[UDP_BATCH];
};

struct sender *sender_new(int fd, uint32_t run, unsigned size, bool gso);
struct sender *sender_free(struct sender *s);
/* Sends up to so many datagrams, one batch at most.  Returns how many, 0 when
 * the socket is full, or a negative errno. */
int sender_push(struct sender *s, uint64_t n);

/* What has arrived of one run. */
struct count {
	uint64_t received;
	uint64_t reordered;
	uint64_t next_seq;
	int64_t first_ns;
	int64_t last_ns;
};

/* One message as it was received. */
struct message {
	struct stamp stamp;
	int n;                /* datagrams in it, more than 1 with GRO only */
	const struct sockaddr_storage *from;
	struct in6_pktinfo to; /* zero unless asked for */
};

struct receiver {
	bool gro;
	struct stamp stamp[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct sockaddr_storage from[UDP_BATCH];
	char control[UDP_BATCH][128] __attribute__((aligned(8)));
	struct mmsghdr msg[UDP_BATCH];
};

/* gro: the sockets have UDP_GRO. */
struct receiver *receiver_new(bool gro);
struct receiver *receiver_free(struct receiver *r);
/* Receives a batch: messages, 0 when there are none, or a negative errno.
 * flags as for recvmmsg. */
int receiver_pull(struct receiver *r, int fd, int flags);
struct message receiver_message(const struct receiver *r, int i);
void count_add(struct count *c, const struct message *m, int64_t now);

#endif
