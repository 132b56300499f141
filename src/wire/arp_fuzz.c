/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: ARP behind its Ethernet header; what was read is emitted as the
 * same bytes.  Input: a frame.
 */
#include <assert.h>
#include <string.h>

#include "wire/arp.h"
#include "wire/eth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint8_t b[ETH_HDR_LEN + ARP_LEN];
	struct wr w = wr_init(b, sizeof(b));
	struct eth_hdr eth;
	struct arp_msg m;

	if (!eth_parse(&r, &eth))
		return 0;
	eth_emit(&w, &eth);
	assert(memcmp(b, data, ETH_HDR_LEN) == 0);
	if (!arp_parse(&r, &m))
		return 0;
	assert(m.op == ARP_REQUEST || m.op == ARP_REPLY);
	arp_emit(&w, &m);
	assert(wr_ok(&w) && wr_len(&w) == sizeof(b));
	assert(memcmp(b, data, sizeof(b)) == 0);
	return 0;
}
