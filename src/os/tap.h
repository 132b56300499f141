/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap devices (/dev/net/tun): made, or taken over as open descriptors.  With
 * IFF_VNET_HDR the header is 12 bytes and the kernel is told that it may hand
 * over unsegmented frames without checksums (the lan finishes them where an
 * exit cannot).  Reference 1.5.
 */
#ifndef OS_TAP_H
#define OS_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
	TAP_QUEUES_MAX = 256,
	TAP_TXQLEN = 10000, /* frames the kernel holds for us: see tap.c */
	TAP_TXQLEN_LEAST = 500, /* a kernel gives to a tun or tap */
};

enum tap_vnet_hdr { TAP_VNET_HDR_AUTO, TAP_VNET_HDR_ON, TAP_VNET_HDR_OFF };

struct tap_opts {
	const char *ifname; /* NULL = the kernel's choice ("tap%d") */
	unsigned queues;    /* >= 1 */
	enum tap_vnet_hdr vnet_hdr;
	uint64_t sndbuf;    /* bytes, 0 = unlimited */
};

struct tap_result {
	char ifname[16];
	int fds[TAP_QUEUES_MAX]; /* owned; -1 where none */
	unsigned n_fds;
	bool vnet_hdr; /* header of 12 bytes in front of each frame */
	uint32_t queue_frames; /* that the kernel holds before it drops, of
				* each queue; >= 1 */
};

#define TAP_RESULT_NULL ((struct tap_result){.n_fds = 0})

/* Makes (or attaches to) the interface; negative with *e filled. */
__attribute__((warn_unused_result)) int
tap_open(const struct tap_opts *o, struct tap_result *t, struct error *e);
/* Takes over copies of inherited tap descriptors; the given ones are closed,
 * unless it fails. */
__attribute__((warn_unused_result)) int
tap_adopt(const int *fds, unsigned n, struct tap_result *t, struct error *e);
/* What all descriptors of taps and macvtaps need after TUNSETIFF: header of
 * 12 bytes and offloads, or neither. 0 or a negative errno. */
__attribute__((warn_unused_result)) int tap_set_up_frames(int fd,
							  bool vnet_hdr);
void tap_result_deinit(struct tap_result *t);

#endif
