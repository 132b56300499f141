/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header in front of an Ethernet frame in L2TPv3 (RFC 3931 4.1, RFC 4719),
 * of data messages only: there is no control connection.  Stateless.
 *
 *      over UDP: 0, version 3, 16 bits of 0     4 bytes
 *      session                                  4
 *      cookie                                   0, 4 or 8
 *      counter                                  0 or 4
 *      anything                                 offset
 *
 * Session, cookie, counter and offset are no part of the wire: both ends must
 * have been told the same.
 */
#ifndef WIRE_L2TPV3_H
#define WIRE_L2TPV3_H

#include <stdbool.h>

#include "base/cursor.h"

enum {
	L2TPV3_OFFSET_MAX = 256,
	L2TPV3_HDR_MAX = 4 + 4 + 8 + 4 + L2TPV3_OFFSET_MAX,
};

/* What one direction of a session looks like. */
struct l2tpv3_form {
	bool is_udp;	    /* else in IP protocol 115 */
	uint32_t session;
	uint8_t cookie_len; /* 0, 4, 8 */
	uint64_t cookie;    /* the low bytes of it */
	bool has_counter;
	uint32_t offset;    /* <= L2TPV3_OFFSET_MAX */
};

enum l2tpv3_result {
	L2TPV3_OK,
	L2TPV3_E_SHORT,
	L2TPV3_E_VERSION, /* or a control message */
	L2TPV3_E_SESSION,
	L2TPV3_E_COOKIE,
};

/* Bytes of the header. */
size_t l2tpv3_len(const struct l2tpv3_form *f);
/* Where the counter stands in it, if there is one. */
size_t l2tpv3_counter_at(const struct l2tpv3_form *f);
/* Takes the header; the frame is what is left.  The counter's value is not
 * looked at. */
enum l2tpv3_result l2tpv3_parse(struct rd *r, const struct l2tpv3_form *f);
/* With this counter, and an offset of zeros. */
void l2tpv3_emit(struct wr *w, const struct l2tpv3_form *f, uint32_t counter);

/* Takes the header of the IPv4 packet that a raw socket received.  False: it
 * is cut short or none. */
bool l2tpv3_skip_ip4(struct rd *r);

#endif
