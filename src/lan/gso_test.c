/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software segmentation and checksums, against a naive segmenter that works
 * on flat bytes and sums them one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/fake_port.h"
#include "lan/gso.h"
#include "lan/tap.h"

enum { BUF_LEN = FRAME_MAX };

struct bench {
	struct fake_lan net;
	struct fake_port *in, *out;
};

static void bench_init(struct bench *b, uint32_t offload)
{
	fake_lan_init(&b->net, false);
	b->in = fake_new(b->net.lan, &(struct fake_config){.can_wait = true});
	b->out = fake_new(b->net.lan,
			  &(struct fake_config){.offload = offload});
}

static void bench_deinit(struct bench *b)
{
	fake_lan_deinit(&b->net);
}

static uint32_t rnd(uint32_t *s)
{
	*s = *s * 1664525 + 1013904223;
	return *s >> 8;
}

/* --- frames ------------------------------------------------------------- */

struct spec {
	bool is_v6, is_udp;
	unsigned n_tags;    /* VLAN */
	unsigned opt_words; /* IPv4 options, or IPv6 hop-by-hop of 8 bytes */
	unsigned tcp_words; /* TCP options */
	uint8_t tcp_flags;
	uint16_t ip_id;
	uint32_t seq;
	uint32_t payload;
	uint16_t gso_size;  /* 0: an ordinary frame, checksum missing */
};

struct built {
	uint8_t *data;
	uint32_t len, l3, l4, payload;
	struct frame_offload off;
};

static uint64_t sum_bytes(const uint8_t *p, uint32_t len, uint64_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint64_t)p[i] << 8;
	return sum;
}

static uint16_t sum_end(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint64_t sum_pseudo(const struct built *b, const struct spec *s,
			   uint32_t l4_len)
{
	const uint8_t *ip = b->data + b->l3;
	uint64_t sum = l4_len + (s->is_udp ? 17 : 6);

	return s->is_v6 ? sum_bytes(ip + 8, 32, sum)
			: sum_bytes(ip + 12, 8, sum);
}

static void build_ip(struct built *b, const struct spec *s)
{
	uint8_t *ip = b->data + b->l3;
	uint8_t proto = s->is_udp ? 17 : 6;

	if (s->is_v6) {
		ip[0] = 0x60;
		put_be16(ip + 4, b->len - b->l3 - 40);
		ip[6] = s->opt_words ? 0 : proto;
		ip[7] = 64;
		if (s->opt_words) {
			memset(ip + 40, 0, s->opt_words * 8);
			ip[40] = proto;
			ip[41] = (uint8_t)(s->opt_words - 1);
		}
		return;
	}
	ip[0] = (uint8_t)(0x45 + s->opt_words);
	put_be16(ip + 2, b->len - b->l3);
	put_be16(ip + 4, s->ip_id);
	put_be16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = proto;
	put_be16(ip + 10, 0);
	put_be16(ip + 10,
		 (uint16_t)~sum_end(sum_bytes(ip, 20 + s->opt_words * 4, 0)));
}

static void build_l4(struct built *b, const struct spec *s)
{
	uint8_t *l4 = b->data + b->l4;

	if (s->is_udp) {
		put_be16(l4 + 4, b->len - b->l4);
		b->off.csum_offset = 6;
	} else {
		put_be32(l4 + 4, s->seq);
		l4[12] = (uint8_t)((5 + s->tcp_words) << 4);
		l4[13] = s->tcp_flags;
		b->off.csum_offset = 16;
	}
	put_be16(l4 + b->off.csum_offset,
		 sum_end(sum_pseudo(b, s, b->len - b->l4)));
}

/* data takes BUF_LEN bytes. */
static struct built build(const struct spec *s, uint8_t *data, uint32_t *seed)
{
	struct built b = {.data = data};

	b.l3 = FRAME_ETH_LEN + 4 * s->n_tags;
	b.l4 = b.l3 + (s->is_v6 ? 40 + 8 * s->opt_words
				: 20 + 4 * s->opt_words);
	b.payload = b.l4 + (s->is_udp ? 8 : 20 + 4 * s->tcp_words);
	b.len = b.payload + s->payload;
	assert_true(b.len <= BUF_LEN && b.payload <= FRAME_HDR_MAX);
	for (uint32_t i = 0; i < b.len; i++)
		data[i] = (uint8_t)rnd(seed);
	memset(data, 0xff, 6);
	data[6] = 0x52;
	for (unsigned i = 0; i < s->n_tags; i++)
		put_be16(data + 12 + 4 * i, i ? 0x8100 : 0x88a8);
	put_be16(data + b.l3 - 2, s->is_v6 ? 0x86dd : 0x0800);
	build_ip(&b, s);
	b.off.flags = FRAME_F_NEEDS_CSUM;
	b.off.csum_start = (uint16_t)b.l4;
	build_l4(&b, s);
	if (s->gso_size) {
		b.off.gso_size = s->gso_size;
		b.off.hdr_len = (uint16_t)b.payload;
		b.off.gso = s->is_udp
				    ? s->is_v6 ? FRAME_GSO_UDP6 : FRAME_GSO_UDP4
			    : s->is_v6 ? FRAME_GSO_TCP6
				       : FRAME_GSO_TCP4;
	}
	return b;
}

/* The naive segmenter: piece i of b, flat, at to; returns its length. */
static uint32_t naive_piece(const struct built *b, const struct spec *s,
			    uint32_t i, uint8_t *to)
{
	uint32_t size = s->gso_size ? s->gso_size : s->payload;
	uint32_t from = i * size;
	uint32_t n = s->payload - from < size ? s->payload - from : size;
	struct built p = *b;
	uint8_t *l4 = to + b->l4, *ip = to + b->l3;
	uint32_t sum;

	memcpy(to, b->data, b->payload);
	memcpy(to + b->payload, b->data + b->payload + from, n);
	p.data = to;
	p.len = b->payload + n;
	if (s->is_v6) {
		put_be16(ip + 4, p.len - b->l3 - 40);
	} else {
		uint32_t ihl = 20 + s->opt_words * 4;

		put_be16(ip + 2, p.len - b->l3);
		put_be16(ip + 4, s->ip_id + i);
		put_be16(ip + 10, 0);
		put_be16(ip + 10, (uint16_t)~sum_end(sum_bytes(ip, ihl, 0)));
	}
	if (s->is_udp) {
		put_be16(l4 + 4, p.len - b->l4);
	} else {
		put_be32(l4 + 4, s->seq + from);
		if (from + n < s->payload)
			l4[13] &= 0xf6; /* FIN, PSH */
		if (i > 0)
			l4[13] &= 0x7f; /* CWR */
	}
	put_be16(l4 + b->off.csum_offset, 0);
	sum = sum_end(sum_bytes(l4, p.len - b->l4,
				sum_pseudo(&p, s, p.len - b->l4)));
	sum = ~sum & 0xffff;
	put_be16(l4 + b->off.csum_offset, sum || !s->is_udp ? sum : 0xffff);
	return p.len;
}

static uint32_t n_pieces(const struct spec *s)
{
	return s->gso_size ? (s->payload + s->gso_size - 1) / s->gso_size : 1;
}

/* A frame over b with random private length and random pieces. */
static struct frame scatter(const struct built *b, struct iovec *iov,
			    uint32_t *seed)
{
	struct frame f = frame_flat(b->data, b->len);
	uint32_t at;

	f.off = b->off;
	if (b->len <= FRAME_HDR_MAX || rnd(seed) % 4 == 0)
		return f;
	f.hdr_len = FRAME_HDR_MAX;
	if (rnd(seed) % 4 == 0)
		f.hdr_len += rnd(seed) % (b->len - FRAME_HDR_MAX);
	f.iov = iov;
	for (at = f.hdr_len; at < b->len; f.n_iov++) {
		uint32_t left = b->len - at;
		uint32_t n = 1 + rnd(seed) % (left / (rnd(seed) % 8 + 1) + 1);

		if (n > left || f.n_iov == FRAME_IOV_MAX - 2)
			n = left;
		iov[f.n_iov].iov_base = b->data + at;
		iov[f.n_iov].iov_len = n;
		at += n;
	}
	return f;
}

static struct spec spec_random(uint32_t *seed)
{
	struct spec s = {
		.is_v6 = rnd(seed) % 2,
		.is_udp = rnd(seed) % 2,
		.n_tags = rnd(seed) % 3,
		.opt_words = rnd(seed) % 4,
		.tcp_words = rnd(seed) % 11,
		.tcp_flags = (uint8_t)rnd(seed),
		.ip_id = (uint16_t)rnd(seed),
		.seq = rnd(seed) << 8 | 0xf0,
		.payload = 1 + rnd(seed) % 4000,
		.gso_size = (uint16_t)(8 + rnd(seed) % 1500),
	};

	if (rnd(seed) % 4 == 0)
		s.gso_size = 0;
	if (rnd(seed) % 8 == 0)
		s.payload = 1 + rnd(seed) % 65300;
	if (s.gso_size && s.payload / s.gso_size > 2000)
		s.gso_size = 1448;
	return s;
}

static void expect_pieces(const struct fake_port *p, unsigned at,
			  const struct built *b, const struct spec *s)
{
	static uint8_t want[BUF_LEN];

	for (uint32_t i = 0; i < n_pieces(s); i++) {
		const struct fake_frame *got = &p->out[at + i];
		uint32_t len = naive_piece(b, s, i, want);

		assert_int_equal(got->len, len);
		assert_memory_equal(got->data, want, len);
		assert_int_equal(got->off.flags, 0);
		assert_int_equal(got->off.gso, FRAME_GSO_NONE);
	}
}

static uint8_t *buf_new(void)
{
	uint8_t *p = malloc(BUF_LEN);

	assert_non_null(p);
	return p;
}

/* --- tests -------------------------------------------------------------- */

static void test_random_frames(void **state)
{
	struct iovec iov[FRAME_IOV_MAX];
	uint8_t *data = buf_new();
	struct batch batch;
	uint32_t seed = 5;
	struct bench b;

	(void)state;
	bench_init(&b, 0);
	for (int round = 0; round < 400; round++) {
		struct spec s = spec_random(&seed);
		struct built bu = build(&s, data, &seed);

		batch.n = 1;
		batch.f[0] = scatter(&bu, iov, &seed);
		assert_true(frame_offload_check(&batch.f[0]));
		assert_true(lan_input(&b.in->port, &batch, false) == 0);
		assert_int_equal(b.out->n_out, n_pieces(&s));
		expect_pieces(b.out, 0, &bu, &s);
		fake_clear(b.out);
	}
	assert_int_equal(b.net.drops.n[DROP_GSO_FAILED], 0);
	bench_deinit(&b);
	free(data);
}

/* Several frames of all sorts in one batch leave in order. */
static void test_mixed_batch_keeps_order(void **state)
{
	enum { N = 40 };
	struct iovec(*iov)[FRAME_IOV_MAX] = calloc(N, sizeof(*iov));
	struct spec s[N];
	struct built bu[N];
	uint8_t plain[60];
	struct batch batch = {.n = N};
	uint32_t seed = 77;
	unsigned at = 0;
	struct bench b;

	(void)state;
	assert_non_null(iov);
	bench_init(&b, 0);
	fake_frame_fill(plain, sizeof(plain), MAC_BROADCAST, fake_mac(1), 4);
	for (int i = 0; i < N; i++) {
		s[i] = spec_random(&seed);
		bu[i] = build(&s[i], buf_new(), &seed);
		batch.f[i] = scatter(&bu[i], iov[i], &seed);
		if (i % 3 == 0)
			batch.f[i] = frame_flat(plain, sizeof(plain));
	}
	assert_true(lan_input(&b.in->port, &batch, false) == 0);
	for (int i = 0; i < N; i++) {
		if (i % 3 == 0) {
			assert_int_equal(b.out->out[at].len, sizeof(plain));
			assert_memory_equal(b.out->out[at].data, plain,
					    sizeof(plain));
			at++;
		} else {
			expect_pieces(b.out, at, &bu[i], &s[i]);
			at += n_pieces(&s[i]);
		}
		free(bu[i].data);
	}
	assert_int_equal(b.out->n_out, at);
	bench_deinit(&b);
	free(iov);
}

/* An exit that can do some of it gets that part whole. */
static void test_only_what_the_exit_cannot(void **state)
{
	struct spec tcp4 = {.payload = 5000, .gso_size = 1460};
	struct spec udp4 = {.payload = 5000, .gso_size = 1460, .is_udp = true};
	uint8_t *data = buf_new(), *data2 = buf_new();
	struct batch batch = {.n = 2};
	struct built bu, bu2;
	uint32_t seed = 1;
	struct bench b;

	(void)state;
	bench_init(&b, PORT_O_CSUM | PORT_O_TSO4);
	bu = build(&tcp4, data, &seed);
	bu2 = build(&udp4, data2, &seed);
	batch.f[0] = frame_flat(data, bu.len);
	batch.f[0].off = bu.off;
	batch.f[1] = frame_flat(data2, bu2.len);
	batch.f[1].off = bu2.off;
	assert_true(lan_input(&b.in->port, &batch, false) == 0);
	assert_int_equal(b.out->n_out, 1 + 4);
	assert_int_equal(b.out->out[0].len, bu.len);
	assert_memory_equal(b.out->out[0].data, data, bu.len);
	assert_int_equal(b.out->out[0].off.gso, FRAME_GSO_TCP4);
	expect_pieces(b.out, 1, &bu2, &udp4);
	/* ECN is an ability of its own. */
	fake_clear(b.out);
	batch.n = 1;
	batch.f[0].off.flags |= FRAME_F_ECN;
	assert_true(lan_input(&b.in->port, &batch, false) == 0);
	assert_int_equal(b.out->n_out, 4);
	bench_deinit(&b);
	free(data);
	free(data2);
}

/* The source learned: frames to it from b->in are unicast and can be kept. */
static void make_known(struct bench *b, const uint8_t *dst)
{
	uint8_t buf[60];

	fake_frame_fill(buf, sizeof(buf), MAC_BROADCAST, mac_bytes(dst), 1);
	fake_rx(b->out, buf, sizeof(buf), NULL);
}

static void test_partial_room(void **state)
{
	struct spec s = {.payload = 14600, .gso_size = 1460};
	uint8_t *data = buf_new();
	struct batch batch = {.n = 3};
	uint32_t seed = 1;
	struct built bu;
	struct bench b;

	(void)state;
	bench_init(&b, 0);
	bu = build(&s, data, &seed);
	memcpy(data, fake_mac(9).b, 6);
	make_known(&b, data);
	for (int i = 0; i < 3; i++) {
		batch.f[i] = frame_flat(data, bu.len);
		batch.f[i].off = bu.off;
	}
	b.out->room = 14; /* one whole, four pieces of the next */
	assert_true(lan_input(&b.in->port, &batch, true) == 4);
	assert_int_equal(b.out->n_out, 14);
	expect_pieces(b.out, 0, &bu, &s);
	assert_int_equal(b.net.drops.n[DROP_PORT_FULL], 6);
	assert_int_equal(b.out->n_want_room, 1);
	/* none taken: all come back, nothing is lost */
	b.out->room = 0;
	assert_true(lan_input(&b.in->port, &batch, true) == 7);
	assert_int_equal(b.net.drops.n[DROP_PORT_FULL], 6);
	/* the first piece of the second batch of 64 pieces is refused */
	fake_clear(b.out);
	b.out->room = 64;
	batch.n = 9;
	for (int i = 3; i < 9; i++)
		batch.f[i] = batch.f[0];
	assert_true(lan_input(&b.in->port, &batch, true) == 0x180);
	assert_int_equal(b.out->n_out, 64);
	assert_int_equal(b.net.drops.n[DROP_PORT_FULL], 6 + 6);
	bench_deinit(&b);
	free(data);
}

/* A sender that can wait: the exit is full again and again in the middle of a
 * frame, and in the end has every piece, once, as if it had never been. */
static void test_rest_waits(void **state)
{
	uint8_t *data = buf_new();
	uint32_t seed = 21;
	struct fake_port *in;
	struct bench b;

	(void)state;
	bench_init(&b, 0);
	in = fake_new(b.net.lan, &(struct fake_config){.hold_max = 64,
						       .lend_piece = 2000});
	memcpy(data, fake_mac(9).b, 6);
	make_known(&b, data);
	for (int round = 0; round < 400; round++) {
		struct spec s = spec_random(&seed);
		struct built bu = build(&s, data, &seed);

		memcpy(data, fake_mac(9).b, 6);
		b.out->room = rnd(&seed) % 4;
		for (unsigned i = 0; i < 2; i++)
			fake_queue(in, data, bu.len, &bu.off);
		while (lan_port_readable(&in->port))
			;
		while (b.out->n_out < 2 * n_pieces(&s)) {
			assert_int_not_equal(in->n_held, 0);
			fake_add_room(b.out, 1 + rnd(&seed) % 90);
		}
		assert_int_equal(in->n_held, 0);
		assert_int_equal(b.out->n_out, 2 * n_pieces(&s));
		expect_pieces(b.out, 0, &bu, &s);
		expect_pieces(b.out, n_pieces(&s), &bu, &s);
		fake_clear(b.out);
	}
	assert_int_equal(b.net.drops.n[DROP_PORT_FULL], 0);
	assert_int_equal(b.net.drops.n[DROP_GSO_FAILED], 0);
	bench_deinit(&b);
	free(data);
}

static void fault_in_send(struct fake_port *f, const struct batch *b,
			  uint64_t mask)
{
	(void)b;
	(void)mask;
	port_fault(&f->port, FAULT_IO, "gone");
}

/* Who was sent to, and how many frames. */
static unsigned sent_to[64], sent_n[64], n_sent;

static void note_send(struct fake_port *f, const struct batch *b,
		      uint64_t mask)
{
	(void)b;
	assert_in_range(n_sent, 0, 63);
	sent_to[n_sent] = *(unsigned *)f->arg;
	sent_n[n_sent++] = (unsigned)__builtin_popcountll(mask);
}

enum { N_FLOOD = 5 };

static void flood_ports(struct bench *b, struct fake_port **p)
{
	static const uint32_t offload[N_FLOOD] = {0, PORT_O_ALL, 0,
						  PORT_O_CSUM, 0};
	static unsigned id[N_FLOOD];

	bench_init(b, PORT_O_ALL);
	for (unsigned i = 0; i < N_FLOOD; i++) {
		p[i] = fake_new(b->net.lan, &(struct fake_config){
						    .offload = offload[i]});
		id[i] = i;
		p[i]->arg = &id[i];
		p[i]->on_send = note_send;
	}
	n_sent = 0;
}

/* A flood: for those who lack the same it is cut once, and each gets what it
 * has room for, as if it were alone. */
static void test_flood_is_cut_once(void **state)
{
	/* whole, and in two times 64 and 36 pieces */
	static const unsigned want[][2] = {{1, 1},  {0, 64}, {2, 64},
					   {3, 64}, {4, 64}, {0, 36},
					   {2, 36}, {3, 36}, {4, 36}};
	struct spec s = {.payload = 50000, .gso_size = 500};
	struct batch batch = {.n = 1};
	uint8_t *data = buf_new();
	struct fake_port *p[N_FLOOD];
	uint32_t seed = 3;
	struct built bu;
	struct bench b;

	(void)state;
	flood_ports(&b, p);
	bu = build(&s, data, &seed);
	batch.f[0] = frame_flat(data, bu.len);
	batch.f[0].off = bu.off;
	assert_true(lan_input(&b.in->port, &batch, false) == 0);
	assert_int_equal(n_sent, sizeof(want) / sizeof(want[0]));
	for (unsigned i = 0; i < n_sent; i++) {
		assert_int_equal(sent_to[i], want[i][0]);
		assert_int_equal(sent_n[i], want[i][1]);
	}
	for (unsigned i = 0; i < N_FLOOD; i++) {
		assert_int_equal(p[i]->n_out, i == 1 ? 1 : 100);
		assert_int_equal(p[i]->port.stats.tx_frames, 1);
		if (i != 1)
			expect_pieces(p[i], 0, &bu, &s);
		fake_clear(p[i]);
	}
	/* one is full in the middle, one from the start, one breaks */
	p[0]->room = 70;
	p[2]->room = 0;
	p[4]->on_send = fault_in_send;
	assert_true(lan_input(&b.in->port, &batch, false) == 0);
	assert_int_equal(p[0]->n_out, 70);
	assert_int_equal(p[0]->port.stats.tx_frames, 2);
	assert_int_equal(p[2]->n_out, 0);
	assert_int_equal(p[2]->port.stats.tx_drops, 1);
	assert_int_equal(p[3]->n_out, 100);
	expect_pieces(p[3], 0, &bu, &s);
	assert_int_equal(p[4]->n_out, 64);
	assert_int_equal(b.net.drops.n[DROP_PORT_FULL], 30 + 1 + 36);
	bench_deinit(&b);
	free(data);
}

static void test_fault_ends_it(void **state)
{
	struct spec s = {.payload = 60000, .gso_size = 100};
	uint8_t *data = buf_new();
	struct batch batch = {.n = 1};
	uint32_t seed = 1;
	struct built bu;
	struct bench b;

	(void)state;
	bench_init(&b, 0);
	bu = build(&s, data, &seed);
	batch.f[0] = frame_flat(data, bu.len);
	batch.f[0].off = bu.off;
	b.out->on_send = fault_in_send;
	(void)lan_input(&b.in->port, &batch, false);
	assert_int_equal(b.out->n_send, 1);
	assert_int_equal(b.out->n_out, FRAME_BATCH);
	bench_deinit(&b);
	free(data);
}

static void test_drop_gso_failed(void **state)
{
	struct spec s = {.payload = 300 + FRAME_IOV_MAX - 54};
	struct iovec iov[FRAME_IOV_MAX];
	uint8_t *data = buf_new();
	struct batch batch = {.n = 2};
	uint32_t seed = 1;
	struct built bu;
	struct bench b;

	(void)state;
	bench_init(&b, 0);
	bu = build(&s, data, &seed);
	/* private bytes beyond FRAME_HDR_MAX and then 64 pieces: 65 */
	batch.f[0] = frame_flat(data, bu.len);
	batch.f[0].off = bu.off;
	batch.f[0].hdr_len = 300;
	batch.f[0].iov = iov;
	batch.f[0].n_iov = FRAME_IOV_MAX;
	for (int i = 0; i < FRAME_IOV_MAX; i++)
		iov[i] = (struct iovec){data + 300 + i, 1};
	batch.f[1] = frame_flat(data, bu.len);
	batch.f[1].off = bu.off;
	assert_true(lan_input(&b.in->port, &batch, false) == 0);
	assert_int_equal(b.net.drops.n[DROP_GSO_FAILED], 1);
	assert_int_equal(b.out->n_out, 1); /* the other one is not hurt */
	expect_pieces(b.out, 0, &bu, &s);
	bench_deinit(&b);
	free(data);
}

/* What would be too long on the wire is lost; what is cut is not. */
static void test_wire_length(void **state)
{
	struct spec s = {.payload = 5000, .gso_size = 1460};
	uint8_t *data = buf_new();
	struct batch batch = {.n = 1};
	uint32_t seed = 1;
	struct built bu;
	struct bench b;

	(void)state;
	bench_init(&b, 0);
	b.out->port.caps.max_frame = 1514;
	bu = build(&s, data, &seed);
	batch.f[0] = frame_flat(data, bu.len);
	batch.f[0].off = bu.off;
	(void)lan_input(&b.in->port, &batch, false);
	assert_int_equal(b.out->n_out, 4);
	assert_int_equal(b.net.drops.n[DROP_FRAME_LONG], 0);
	b.out->port.caps.max_frame = 1513;
	(void)lan_input(&b.in->port, &batch, false);
	assert_int_equal(b.out->n_out, 4);
	assert_int_equal(b.net.drops.n[DROP_FRAME_LONG], 1);
	bench_deinit(&b);
	free(data);
}

/* A UDP checksum that comes out as 0 is sent as 0xffff: 0 means "none".  That
 * of TCP is 0 (RFC 1624 3). */
static void zero_checksum(bool is_udp)
{
	struct spec s = {.payload = 100, .is_udp = is_udp};
	uint8_t *data = buf_new(), *got;
	struct batch batch = {.n = 1};
	uint32_t seed = 3;
	struct built bu;
	struct bench b;

	bench_init(&b, 0);
	bu = build(&s, data, &seed);
	put_be16(data + bu.len - 2, 0);
	put_be16(data + bu.len - 2, (uint16_t)~sum_end(sum_bytes(
					    data + bu.l4, bu.len - bu.l4, 0)));
	batch.f[0] = frame_flat(data, bu.len);
	batch.f[0].off = bu.off;
	assert_true(lan_input(&b.in->port, &batch, false) == 0);
	got = b.out->out[0].data + bu.l4 + bu.off.csum_offset;
	assert_int_equal(get_be16(got), is_udp ? 0xffff : 0);
	expect_pieces(b.out, 0, &bu, &s);
	bench_deinit(&b);
	free(data);
}

static void test_zero_checksum(void **state)
{
	(void)state;
	zero_checksum(true);
	zero_checksum(false);
}

/* --- who looks on ------------------------------------------------------- */

/* It took them, and says of each that it is lost: a lane's leg. */
static void lose_all(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	assert_true(lan_tap_wants(&f->port));
	for (; mask; mask &= mask - 1)
		lan_tap_lost(&f->port, b, (unsigned)__builtin_ctzll(mask),
			     DROP_MAIL_FULL);
}

static void on_nothing(void *arg)
{
	(void)arg;
}

static void on_in(void *arg, struct port *from, const struct batch *b,
		  struct tap_batch *t)
{
	(void)arg;
	(void)b;
	assert_ptr_equal(t->from, from);
}

static void on_out(void *arg, struct port *exit, const struct batch *b,
		   uint64_t mask)
{
	(void)arg;
	(void)exit;
	(void)b;
	(void)mask;
}

/* A piece is none of the frames that in() was told of. */
static void on_lost(void *arg, const struct tap_batch *t, struct port *at,
		    bool is_exit, const struct batch *b, uint64_t mask,
		    enum drop_reason why)
{
	unsigned i = (unsigned)__builtin_ctzll(mask);

	assert_null(t);
	assert_true(is_exit && at);
	assert_int_equal(why, DROP_MAIL_FULL);
	assert_true(i < b->n && b->f[i].len <= 14 + 20 + 20 + 100);
	(*(unsigned *)arg)++;
}

static void test_pieces_lost_on_the_way(void **state)
{
	struct spec s = {.payload = 3000, .gso_size = 100};
	unsigned n_lost = 0;
	const struct lan_tap tap = {
		.begin = on_nothing,
		.end = on_nothing,
		.in = on_in,
		.out = on_out,
		.lost = on_lost,
		.arg = &n_lost,
	};
	uint8_t *data = buf_new();
	struct batch batch = {.n = 2};
	uint32_t seed = 3;
	struct built bu;
	struct bench b;

	(void)state;
	bench_init(&b, 0);
	bu = build(&s, data, &seed);
	for (unsigned i = 0; i < batch.n; i++) {
		batch.f[i] = frame_flat(data, bu.len);
		batch.f[i].off = bu.off;
	}
	lan_tap_set(b.net.lan, &tap);
	lan_tap_port(&b.in->port, 1);
	lan_tap_port(&b.out->port, 1);
	b.out->on_send = lose_all;
	assert_true(lan_input(&b.in->port, &batch, false) == 0);
	assert_int_equal(n_lost, 60);
	lan_tap_set(b.net.lan, NULL);
	bench_deinit(&b);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_frames),
		cmocka_unit_test(test_mixed_batch_keeps_order),
		cmocka_unit_test(test_only_what_the_exit_cannot),
		cmocka_unit_test(test_partial_room),
		cmocka_unit_test(test_rest_waits),
		cmocka_unit_test(test_flood_is_cut_once),
		cmocka_unit_test(test_fault_ends_it),
		cmocka_unit_test(test_drop_gso_failed),
		cmocka_unit_test(test_wire_length),
		cmocka_unit_test(test_zero_checksum),
		cmocka_unit_test(test_pieces_lost_on_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
