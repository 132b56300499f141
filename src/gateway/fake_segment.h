/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP by hand through a gateway, for the tests of this room. */
#ifndef GATEWAY_FAKE_SEGMENT_H
#define GATEWAY_FAKE_SEGMENT_H

#include "gateway/fake_gateway.h"
#include "wire/tcp.h"

/* A SYN of the guest from port 5000, sequence number 100. */
struct tcp_hdr fake_syn(uint16_t dport);
/* Sends a segment; what the guest got before is forgotten, 1 ms passes. */
void fake_tell(struct fake_gateway *b, addr dst, struct tcp_hdr h,
	       const void *data, size_t len);
/* The only segment that the guest got; fails the test if there is not one. */
struct tcp_hdr fake_heard(struct fake_gateway *b, struct fake_got *gp);

#endif
