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
#include "gateway/gateway.h"
#include "lan/fake_port.h"
#include "nat/fake_host.h"

#define MS UINT64_C(1000000)

struct bench {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct drops drops;
	struct lan *lan;
	struct fake_host *fh;
	struct gateway *gw;
	struct fake_port *guest;
};

static void add_forward(struct bench *b, uint8_t proto, int fd)
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

static void bench_init(struct bench *b)
{
	struct gateway_config gc = {
		.name = "net0",
		.net4 = {.ip = addr_v4(10, 0, 2, 0), .len = 120},
		.host4 = addr_v4(10, 0, 2, 2),
		.dns4 = addr_v4(10, 0, 2, 3),
		.dhcp_start4 = addr_v4(10, 0, 2, 15),
		.resolvers = {{.ip = addr_v4(192, 0, 2, 53), .port = 53}},
		.n_resolvers = 1,
	};
	struct fake_config pc = {.name = "vm0",
				 .offload = PORT_O_CSUM,
				 .can_lend = true,
				 .lend_piece = 512,
				 .hdr_max = FRAME_HDR_MAX};
	struct lan_config lc = {.name = "lan0",
				.now_ns = &b->now_ns,
				.wheel = &b->wheel,
				.drops = &b->drops};
	struct gateway_env ge;

	b->now_ns = 1000 * MS;
	timer_wheel_init(&b->wheel, b->now_ns);
	if (lan_new(&lc, &b->lan) < 0)
		abort();
	b->fh = fake_host_new();
	b->fh->forgets = true;
	b->fh->echoes = true;
	ge = (struct gateway_env){.host = &b->fh->host,
				  .wheel = &b->wheel,
				  .now_ns = &b->now_ns,
				  .lan = b->lan,
				  .drops = &b->drops};
	if (gateway_new(&ge, &gc, &b->gw) < 0)
		abort();
	b->guest = fake_new(b->lan, &pc);
	add_forward(b, IPPROTO_UDP, fake_udp(b->fh, 2222));
	add_forward(b, IPPROTO_TCP, fake_listen(b->fh));
}

static void bench_deinit(struct bench *b)
{
	gateway_free(b->gw);
	if (b->fh->n_socks)
		abort(); /* left behind */
	fake_host_free(b->fh);
	fake_free(b->guest);
	lan_free(b->lan);
	if (b->wheel.n_armed)
		abort();
}

static void pass(struct bench *b, uint64_t ns)
{
	while (lan_port_readable(&b->guest->port))
		;
	fake_host_run(b->fh);
	b->now_ns += ns;
	timer_wheel_run(&b->wheel, b->now_ns);
	fake_host_run(b->fh);
	fake_clear(b->guest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct bench b = {0};

	bench_init(&b);
	while (rd_left(&r) > 2) {
		uint16_t head = rd_u16(&r);
		size_t len = head & 0x3fff;
		const uint8_t *p;

		if (len > rd_left(&r))
			len = rd_left(&r);
		p = rd_bytes(&r, len);
		if (len >= FRAME_ETH_LEN)
			fake_queue(b.guest, p, (uint32_t)len, NULL);
		if (head & 0x8000)
			pass(&b, head & 0x4000 ? 20000 * MS : 10 * MS);
	}
	pass(&b, 1000 * MS);
	bench_deinit(&b);
	return 0;
}
