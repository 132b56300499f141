/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest: any frames into a gateway over the fake host.  The input is
 * a sequence of records: two bytes of length (high bit: a pause follows),
 * then the frame.  The fake host echoes what is sent to it, so the way down is
 * walked too.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "gateway/fake_gateway.h"

#define MS UINT64_C(1000000)

static void add_forward(struct fake_gateway *b, uint8_t proto, int fd)
{
	struct gateway_forward f = {.proto = proto, .guest.port = 22, .fd = fd};
	struct endpoint client = {.ip = addr_v4(127, 0, 0, 1), .port = 777};

	if (gateway_forward_add(b->gw, &f) < 0)
		abort();
	if (proto == IPPROTO_UDP)
		fake_deliver(b->fh, (unsigned)fd, &client, "hello", 5);
	else
		fake_client(b->fh, fd, &client);
}

static void bench_init(struct fake_gateway *b)
{
	const struct gateway_config gc = fake_gateway_config();
	const struct fake_config pc = {.name = "vm0",
				       .offload = PORT_O_CSUM,
				       .can_lend = true,
				       .lend_piece = 512,
				       .hdr_max = FRAME_HDR_MAX};

	fake_gateway_init(b, &gc, &pc);
	b->fh->forgets = true;
	b->fh->echoes = true;
	add_forward(b, IPPROTO_UDP, fake_udp(b->fh, 2222));
	add_forward(b, IPPROTO_TCP, fake_listen(b->fh));
}

static void pass(struct fake_gateway *b, uint64_t ns)
{
	while (lan_port_readable(&b->g.port->port))
		;
	fake_gateway_pass(b, ns);
	fake_clear(b->g.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct fake_gateway b;

	bench_init(&b);
	while (rd_left(&r) > 2) {
		uint16_t head = rd_u16(&r);
		size_t len = head & 0x3fff;
		const uint8_t *p;

		if (len > rd_left(&r))
			len = rd_left(&r);
		p = rd_bytes(&r, len);
		if (len >= FRAME_ETH_LEN)
			fake_queue(b.g.port, p, (uint32_t)len, NULL);
		if (head & 0x8000)
			pass(&b, head & 0x4000 ? 20000 * MS : 10 * MS);
	}
	pass(&b, 1000 * MS);
	fake_gateway_deinit(&b);
	return 0;
}
