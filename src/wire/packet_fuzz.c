/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: packet_parse(), then what its callers do with the result.
 * Input: two bytes (how much longer the frame is than the input), the frame.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "wire/packet.h"
#include "wire/tcp.h"
#include "wire/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HDR_MAX = 192, PREFIX = 2 };

static void check(const struct packet *p, size_t frame_len)
{
	assert(p->l3_off == 14);
	assert(p->ip_version == 4 || p->ip_version == 6);
	assert(p->l4_off >= p->l3_off + (p->ip_version == 4 ? 20 : 40));
	assert(p->l4_off <= frame_len);
	assert(p->l4_len <= frame_len - p->l4_off);
	assert(p->is_fragment || !p->frag_off);
	assert(p->frag_off % 8 == 0);
	assert(addr_is_v4(&p->src.ip) == (p->ip_version == 4));
	assert(addr_is_v4(&p->dst.ip) == (p->ip_version == 4));
	assert(p->ip_version == 4 || p->next_off < p->l4_off);
	if (p->frag_off || (p->proto != 6 && p->proto != 17))
		assert(p->src.port == 0 && p->dst.port == 0);
}

/* The transport header lies in the first bytes, with the ports told. */
static void check_ports(const struct packet *p, const uint8_t *hdr,
			size_t hdr_len)
{
	struct tcp_hdr t;
	struct udp_hdr u;
	struct rd r;

	if (p->frag_off || (p->proto != 6 && p->proto != 17))
		return;
	assert(p->l4_off <= hdr_len);
	r = rd_init(hdr + p->l4_off, hdr_len - p->l4_off);
	if (p->proto == 6 && tcp_hdr_parse(&r, &t))
		assert(t.sport == p->src.port && t.dport == p->dst.port);
	if (p->proto == 17 && udp_parse(&r, p->l4_len, &u))
		assert(u.sport == p->src.port && u.dport == p->dst.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t frame_len, hdr_len;
	enum packet_result res;
	struct packet p;
	uint8_t *hdr;

	if (size < PREFIX)
		return 0;
	frame_len = size - PREFIX;
	hdr_len = frame_len < HDR_MAX ? frame_len : HDR_MAX;
	if (hdr_len == HDR_MAX)
		frame_len += (size_t)data[0] << 8 | data[1];
	hdr = malloc(hdr_len ? hdr_len : 1);
	if (!hdr)
		return 0;
	memcpy(hdr, data + PREFIX, hdr_len);
	memset(&p, 0xa5, sizeof(p));
	res = packet_parse(hdr, hdr_len, frame_len, &p);
	assert((res == PACKET_ETH_SHORT) == (frame_len < 14));
	if (res == PACKET_OK || res == PACKET_IP4_OPTIONS ||
	    res == PACKET_L4_SHORT)
		check(&p, frame_len);
	if (res == PACKET_OK)
		check_ports(&p, hdr, hdr_len);
	free(hdr);
	return 0;
}
