/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest's fragments.  The input is a sequence of records of six
 * bytes: machine and identification, flags, offset / 8 (16 bit), length (16
 * bit).  Each byte of a datagram has one right value, so what comes out whole
 * is known.  The bound on incomplete ones is looked at after every fragment.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "nat/fake_guest.h"
#include "nat/fake_host.h"
#include "nat/reasm.h"
#include "wire/eth.h"
#include "wire/ip.h"

enum {
	F_MORE = 1,
	F_PAUSE = 2,
	F_LONG_PAUSE = 4,
	F_FLUSH = 8,
	F_CE = 16,
	F_SIX = 32, /* of IPv6 */
};

#define SECOND UINT64_C(1000000000)

struct bench {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct drops drops;
	struct lan *lan;
	struct fake_host *fh;
	struct fake_port *gw;
	struct nat_env env;
	struct icmp *icmp;
	struct reasm *reasm;
};

static void bench_init(struct bench *b)
{
	const struct fake_config pc = {.name = "gw"};
	struct lan_config lc = {.name = "lan",
				.now_ns = &b->now_ns,
				.wheel = &b->wheel,
				.drops = &b->drops};

	*b = (struct bench){.now_ns = SECOND};
	timer_wheel_init(&b->wheel, b->now_ns);
	if (lan_new(&lc, &b->lan) < 0)
		abort();
	b->fh = fake_host_new();
	b->gw = fake_new(b->lan, &pc);
	b->env = (struct nat_env){.host = &b->fh->host,
				  .wheel = &b->wheel,
				  .now_ns = &b->now_ns,
				  .drops = &b->drops,
				  .lan = b->lan,
				  .port = &b->gw->port,
				  .v4.is_on = true,
				  .v4.gw = addr_v4(10, 0, 2, 2),
				  .v6.is_on = true,
				  .v6.gw = {{0xfe, 0xc0, [15] = 2}},
				  .mtu = NAT_MTU};
	if (icmp_new(&b->env, 16, &b->icmp) < 0 ||
	    reasm_new(&b->env, b->icmp, &b->reasm) < 0)
		abort();
}

static void bench_deinit(struct bench *b)
{
	reasm_free(b->reasm);
	icmp_free(b->icmp);
	fake_host_free(b->fh);
	fake_free(b->gw);
	lan_free(b->lan);
	if (b->wheel.n_armed)
		abort();
}

static uint8_t body_at(uint32_t i)
{
	return (uint8_t)(i * 13 + i / 256);
}

static void check_whole(const struct frame *f)
{
	struct packet pkt;

	if (packet_parse(f->hdr, f->hdr_len, f->len, &pkt) != PACKET_OK ||
	    pkt.is_fragment ||
	    pkt.l4_off != ETH_HDR_LEN + ip_hdr_len(&pkt.dst.ip) ||
	    pkt.l4_len != f->len - pkt.l4_off)
		abort();
	for (uint32_t i = 0; i < pkt.l4_len; i++)
		if (f->hdr[pkt.l4_off + i] != body_at(i))
			abort();
}

/* One fragment; head is machine and identification. */
static void feed(struct bench *b, uint8_t head, uint8_t flags, uint32_t off,
		 uint32_t len)
{
	static uint8_t buf[FRAME_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	bool is_v6 = flags & F_SIX;
	const addr v6 = {{0xfe, 0xc0, [15] = 15}};
	const addr far6 = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	const struct ip_hdr ip = {
		.l4_len = len,
		.is_fragment = true,
		.id = head & 15,
		.off = off,
		.more = flags & F_MORE,
		.tos = flags & F_CE ? 3 : 2,
		.ttl = 64,
		.proto = IPPROTO_UDP,
		.src = is_v6 ? v6 : addr_v4(10, 0, 2, 15),
		.dst = is_v6 ? far6 : addr_v4(192, 0, 2, 1)};
	const struct frame *whole = NULL;
	struct frame f;
	struct packet pkt;

	ip_emit_frame(&w, b->env.gw_mac, fake_mac(head >> 4), &ip);
	for (uint32_t i = 0; i < len; i++)
		wr_u8(&w, body_at(off + i));
	f = frame_flat(buf, (uint32_t)wr_len(&w));
	if (packet_parse(buf, f.len, f.len, &pkt) == PACKET_OK &&
	    pkt.is_fragment)
		whole = reasm_input(b->reasm, head >> 6, &pkt, &f);
	if (whole)
		check_whole(whole);
	if (reasm_n(b->reasm) > REASM_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	unsigned n_whole = 0;
	struct bench b;

	bench_init(&b);
	while (rd_left(&r) >= 6) {
		uint8_t head = rd_u8(&r), flags = rd_u8(&r);
		uint32_t off = (rd_u16(&r) & IP4_OFF_MASK) * 8u;
		uint32_t len = rd_u16(&r);
		uint32_t max = flags & F_SIX ? 65527 : 65515;

		/* A batch has so many frames. */
		if (flags & F_FLUSH || ++n_whole == FRAME_BATCH) {
			reasm_flush(b.reasm);
			n_whole = 0;
		}
		feed(&b, head, flags, off, len < max ? len : max);
		if (flags & F_PAUSE)
			b.now_ns += SECOND;
		if (flags & F_LONG_PAUSE)
			b.now_ns += REASM_SECONDS * SECOND;
		timer_wheel_run(&b.wheel, b.now_ns);
		fake_clear(b.gw);
	}
	bench_deinit(&b);
	return 0;
}
