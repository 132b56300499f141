/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: what a hostile machine says of groups.  Input: frames, each
 * behind two bytes of length; the one bit above it says by which port it
 * comes.  Afterwards what must reach everybody still does, and so does what a
 * machine has asked for.
 */
#include <assert.h>
#include <string.h>

#include "lan/fake_port.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/group.h"
#include "wire/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEN_MAX = 0x7fff, UDP = 17, REPORT_AT = ETH_HDR_LEN + IP4_HDR_LEN };

static void packet(struct fake_port *f, mac src, const addr *to, uint8_t proto,
		   const uint8_t *p, uint32_t len)
{
	const struct ip_hdr h = {.src = addr_v4(10, 0, 2, 15),
				 .dst = *to,
				 .l4_len = len,
				 .proto = proto,
				 .ttl = 1};
	uint8_t b[64];
	struct wr w = wr_init(b, sizeof(b));

	ip_emit_frame(&w, group_mac(to), src, &h);
	wr_bytes(&w, p, len);
	assert(wr_ok(&w));
	fake_rx(f, b, (uint32_t)wr_len(&w), NULL);
}

/* What is sent to a group comes to f. */
static void must_get(struct fake_port *f, struct fake_port *from,
		     const addr *to)
{
	static const uint8_t udp[8] = {0, 9, 0, 9, 0, 8, 0, 0};
	unsigned before = f->n_out;

	packet(from, fake_mac(2), to, UDP, udp, sizeof(udp));
	assert(f->n_out == before + 1);
}

static void hostile(struct fake_port *p, struct fake_port *q,
		    const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	while (rd_left(&r) > 2) {
		uint16_t head = rd_u16(&r);
		size_t len = head & LEN_MAX;

		if (len > rd_left(&r))
			len = rd_left(&r);
		fake_rx(head & 0x8000 ? p : q, rd_bytes(&r, len),
			(uint32_t)len, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t report[8] = {0x16, 0, 0xf8, 0xfa, 239, 1, 2, 3};
	const addr mdns = addr_v4(224, 0, 0, 251);
	const addr group = addr_v4(239, 1, 2, 3);
	struct fake_port *p[3];
	struct fake_lan b;

	fake_lan_init(&b, false);
	for (unsigned i = 0; i < 3; i++)
		p[i] = fake_new(b.lan, &(struct fake_config){.name = "p"});
	packet(p[2], fake_mac(1), &group, 2, report, sizeof(report));
	hostile(p[0], p[1], data, size);
	must_get(p[2], p[1], &mdns);
	must_get(p[2], p[1], &group);
	fake_lan_advance(&b, UINT64_C(30) * 1000000000);
	must_get(p[2], p[1], &group);
	fake_lan_deinit(&b);
	return 0;
}
