/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest: any frames into a gateway over the fake host.  The input is
 * a sequence of records: two bytes of length (high bit: a pause follows),
 * then the frame.  The fake host echoes what is sent to it, so the way down is
 * walked too.
 *
 * A record of one byte is no frame.  As the first it chooses the network (enum
 * setup), later it is the keeper's word about the guestfwd asked for last:
 * odd: here is somebody, even: nobody comes; bit 1: he speaks first, bit 2: and
 * leaves.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "gateway/fake_gateway.h"

#define MS UINT64_C(1000000)

enum setup {
	SETUP_RESTRICT = 1,
	SETUP_SERVICES = 2,
	SETUP_GUESTFWD = 4,
	SETUP_UNASKED = 8, /* nobody can be asked */
	SETUP_IP6 = 16,
	SETUP_NAT64 = 32,
	SETUP_GROUPS = 64,
};

enum answer {
	ANSWER_TAKEN = 1,
	ANSWER_SPEAKS = 2,
	ANSWER_LEAVES = 4,
};

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

/* 10.0.2.100 port 80 is served, port 81 goes elsewhere, as does DNS by TCP
 * to an address of the pool. */
static void add_guestfwds(struct fake_gateway *b)
{
	const struct gateway_guestfwd rules[] = {
		{.server = fake_ep(10, 0, 2, 100, 80)},
		{.server = fake_ep(10, 0, 2, 100, 81),
		 .target = fake_ep(192, 0, 2, 9, 99)},
		{.server = fake_ep(10, 0, 2, 16, 53),
		 .target = fake_ep(127, 0, 0, 1, 53)},
	};

	for (unsigned i = 0; i < 3; i++) {
		if (gateway_guestfwd_add(b->gw, &rules[i]) < 0)
			abort();
	}
}

/* The socket of an answer that nobody takes stays the caller's. */
static void answer(struct fake_gateway *b, uint8_t how)
{
	const struct nat_call call = b->call;
	int fd = how & ANSWER_TAKEN ? fake_stream(b->fh) : -1;

	if (fd >= 0 && how & ANSWER_SPEAKS)
		fake_tcp_push(b->fh, (unsigned)fd, "hello", 5);
	if (fd >= 0 && how & ANSWER_LEAVES)
		fake_tcp_push(b->fh, (unsigned)fd, NULL, 0);
	if (gateway_guestfwd_answer(b->gw, &call, fd) < 0 && fd >= 0)
		fake_close_stream(b->fh, fd);
}

static void bench_init(struct fake_gateway *b, uint8_t how)
{
	struct gateway_config gc = how & SETUP_IP6 ? fake_gateway_config6()
						   : fake_gateway_config();
	const struct fake_config pc = {.name = "vm0",
				       .offload = PORT_O_CSUM,
				       .can_lend = true,
				       .lend_piece = 512,
				       .hdr_max = FRAME_HDR_MAX};

	gc.is_restricted = how & SETUP_RESTRICT;
	gc.keeps_services = how & SETUP_SERVICES;
	gc.nat64 = how & SETUP_NAT64;
	gc.has_multicast = how & SETUP_GROUPS;
	fake_gateway_init(b, &gc, &pc);
	gateway_links(b->gw, 1, 1);
	if (how & SETUP_GUESTFWD)
		add_guestfwds(b);
	if (how & SETUP_UNASKED)
		b->serve_err = -ENOTCONN;
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
	uint8_t how = 0;

	if (size > 2 && data[0] == 0 && data[1] == 1) {
		rd_skip(&r, 2);
		how = rd_u8(&r);
	}
	bench_init(&b, how);
	while (rd_left(&r) > 2) {
		uint16_t head = rd_u16(&r);
		size_t len = head & 0x3fff;
		const uint8_t *p;

		if (len > rd_left(&r))
			len = rd_left(&r);
		p = rd_bytes(&r, len);
		if (len >= FRAME_ETH_LEN)
			fake_queue(b.g.port, p, (uint32_t)len, NULL);
		else if (len == 1 && b.n_calls)
			answer(&b, *p);
		if (head & 0x8000)
			pass(&b, head & 0x4000 ? 20000 * MS : 10 * MS);
	}
	pass(&b, 1000 * MS);
	fake_gateway_deinit(&b);
	return 0;
}
