/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: headers of tunnels.  Input: a byte that chooses the form, two of
 * the offset, a message (L2TPv3, behind IPv4's header or not).  What is taken
 * is emitted again as it was, but for flags, counter and offset, which are not
 * looked at.
 */
#include <assert.h>
#include <string.h>

#include "wire/l2tpv3.h"
#include "wire/vxlan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { F_UDP = 1, F_COUNTER = 2, F_COOKIE = 4, F_COOKIE64 = 8, F_IP4 = 16 };

static void vxlan(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint8_t b[VXLAN_HDR_LEN];
	struct wr w = wr_init(b, sizeof(b));
	uint32_t vni = ~UINT32_C(0);

	if (!vxlan_parse(&r, &vni)) {
		assert(vni == ~UINT32_C(0));
		return;
	}
	assert(vni <= VXLAN_VNI_MAX && rd_left(&r) == size - VXLAN_HDR_LEN);
	vxlan_emit(&w, vni);
	assert(wr_ok(&w) && wr_len(&w) == VXLAN_HDR_LEN);
	assert(memcmp(b + 4, data + 4, 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size), at;
	uint8_t how = rd_u8(&r), b[L2TPV3_HDR_MAX];
	struct l2tpv3_form f = {
		.is_udp = how & F_UDP,
		.has_counter = how & F_COUNTER,
		.cookie_len = how & F_COOKIE64 ? 8 : how & F_COOKIE ? 4 : 0,
		.offset = rd_u16(&r) % (L2TPV3_OFFSET_MAX + 1),
	};
	struct wr w = wr_init(b, sizeof(b));
	size_t start = f.is_udp ? 4 : 0;

	if (!rd_ok(&r))
		return 0;
	vxlan(r.p, rd_left(&r));
	if ((how & F_IP4) && !l2tpv3_skip_ip4(&r))
		return 0;
	/* The session and cookie that are there, so that one gets further. */
	at = r;
	rd_skip(&at, start);
	f.session = rd_u32(&at);
	for (unsigned i = 0; i < f.cookie_len; i++)
		f.cookie = f.cookie << 8 | rd_u8(&at);
	at = r;
	if (l2tpv3_parse(&r, &f) != L2TPV3_OK)
		return 0;
	assert(rd_left(&at) - rd_left(&r) == l2tpv3_len(&f));
	l2tpv3_emit(&w, &f, 1);
	assert(wr_ok(&w) && wr_len(&w) == l2tpv3_len(&f));
	assert(memcmp(b + start, at.p + start,
		      l2tpv3_counter_at(&f) - start) == 0);
	return 0;
}
