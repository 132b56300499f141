/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: neighbour discovery behind Ethernet and IPv6; what was read is
 * emitted, and what is read of that is emitted as the same bytes.  Input: a
 * frame.
 */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/nd.h"
#include "wire/neighbour.h"

enum { ROOM = 2048, SHORT_MAX = 1280 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t emit(uint8_t *b, const struct packet *pkt, const struct nd_msg *m)
{
	struct wr w = wr_init(b, ROOM);

	nd_emit_frame(&w, pkt->eth_dst, pkt->eth_src, &pkt->src.ip,
		      &pkt->dst.ip, m);
	assert(wr_ok(&w));
	return wr_len(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t b[ROOM], c[ROOM];
	struct packet pkt, again;
	struct neighbour who;
	struct nd_msg m, n;
	size_t len;

	(void)neighbour_parse(data, size, size, &who); /* only looked at */
	if (packet_parse(data, size, size, &pkt) != PACKET_OK ||
	    !nd_parse(&pkt, data + pkt.l4_off, true, &m))
		return 0;
	assert(m.type >= ND_SOLICIT_ROUTER && m.type <= ND_ADVERTISE);
	assert(!addr_is_multicast(&m.target) && !addr_is_v4(&m.target));
	len = emit(b, &pkt, &m);
	assert(len <= SHORT_MAX);
	assert(packet_parse(b, len, len, &again) == PACKET_OK);
	assert(nd_parse(&again, b + again.l4_off, false, &n));
	assert(emit(c, &again, &n) == len);
	assert(memcmp(b, c, len) == 0);
	return 0;
}
