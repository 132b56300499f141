/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams that a guest left to be cut into IP fragments: put together again
 * here, and compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/fake_port.h"
#include "wire/csum.h"

struct bench {
	struct fake_lan net;
	struct fake_port *in, *out;
	uint8_t *data; /* the datagram, from the MACs on */
	uint32_t len, l4;
	bool is_v6;
};

static uint64_t pseudo(const struct bench *b, const uint8_t *frame,
		       uint32_t udp_len)
{
	const uint8_t *ip = frame + 14;
	uint64_t sum = csum_add(b->is_v6 ? ip + 8 : ip + 12,
				b->is_v6 ? 32 : 8, 0);
	uint8_t rest[4] = {0, 17};

	put_be16(rest + 2, udp_len);
	return csum_add(rest, sizeof(rest), sum);
}

static struct bench *bench_new(bool is_v6, uint32_t payload, uint32_t offload)
{
	struct bench *b = calloc(1, sizeof(*b));
	uint8_t *p;

	assert_non_null(b);
	fake_lan_init(&b->net, false);
	b->in = fake_new(b->net.lan, &(struct fake_config){.name = "in"});
	b->out = fake_new(b->net.lan, &(struct fake_config){
					      .name = "out",
					      .offload = offload});
	b->is_v6 = is_v6;
	b->l4 = 14 + (is_v6 ? 40 : 20);
	b->len = b->l4 + 8 + payload;
	p = b->data = malloc(b->len);
	assert_non_null(p);
	for (uint32_t i = 0; i < b->len; i++)
		p[i] = (uint8_t)(i * 31 + i / 256);
	memset(p, 0, b->l4);
	memcpy(p, (uint8_t[]){2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1}, 12);
	put_be16(p + 12, is_v6 ? 0x86dd : 0x0800);
	p[14] = is_v6 ? 0x60 : 0x45;
	put_be16(p + (is_v6 ? 18 : 16), b->len - (is_v6 ? b->l4 : 14));
	p[is_v6 ? 20 : 23] = 17;
	p[is_v6 ? 21 : 22] = 64;
	if (!is_v6)
		put_be16(p + 18, 0xbeef);
	memset(p + (is_v6 ? 22 : 26), 7, is_v6 ? 32 : 8);
	put_be16(p + b->l4 + 4, 8 + payload);
	put_be16(p + b->l4 + 6, csum_partial(pseudo(b, p, 8 + payload)));
	return b;
}

static void bench_free(struct bench *b)
{
	fake_lan_deinit(&b->net);
	free(b->data);
	free(b);
}

/* The datagram, its tail in pieces of 1000 bytes. */
static void send_it(struct bench *b, uint16_t gso_size)
{
	struct iovec iov[FRAME_IOV_MAX];
	struct batch batch = {.n = 1};
	struct frame *f = &batch.f[0];

	*f = frame_flat(b->data, b->len);
	f->hdr_len = b->len < FRAME_HDR_MAX ? b->len : FRAME_HDR_MAX;
	f->iov = iov;
	for (uint32_t at = f->hdr_len; at < b->len; at += 1000) {
		size_t n = b->len - at < 1000 ? b->len - at : 1000;

		iov[f->n_iov++] = (struct iovec){b->data + at, n};
	}
	f->off = (struct frame_offload){
		.flags = FRAME_F_NEEDS_CSUM,
		.gso = b->is_v6 ? FRAME_GSO_FRAG6 : FRAME_GSO_FRAG4,
		.gso_size = gso_size,
		.hdr_len = (uint16_t)(b->l4 + 8),
		.csum_start = (uint16_t)b->l4,
		.csum_offset = 6};
	assert_true(frame_offload_check(f));
	(void)lan_input(&b->in->port, &batch, false);
}

/* What one fragment says of itself. */
struct piece {
	uint32_t off, len;
	bool more;
	const uint8_t *bytes;
};

static struct piece look4(const struct bench *b, const uint8_t *p,
			  uint32_t len)
{
	assert_int_equal(csum_fold(csum_add(p + 14, 20, 0)), 0);
	assert_int_equal(get_be16(p + 16), len - 14);
	assert_int_equal(get_be16(p + 18), get_be16(b->data + 18));
	return (struct piece){.off = (get_be16(p + 20) & 0x1fff) * 8,
			      .more = get_be16(p + 20) & 0x2000,
			      .len = len - 34,
			      .bytes = p + 34};
}

static struct piece look6(const uint8_t *p, const uint8_t *first, uint32_t len)
{
	assert_int_equal(get_be16(p + 18), len - 54);
	assert_int_equal(p[20], 44);
	assert_int_equal(p[54], 17);
	assert_memory_equal(p + 58, first + 58, 4); /* one identification */
	return (struct piece){.off = get_be16(p + 56) & 0xfff8,
			      .more = get_be16(p + 56) & 1,
			      .len = len - 62,
			      .bytes = p + 62};
}

static void expect_datagram(struct bench *b, uint16_t gso_size)
{
	uint32_t total = b->len - b->l4, at = 0;
	uint8_t *got = malloc(total);

	assert_int_equal(b->out->n_out, (total + gso_size - 1) / gso_size);
	for (unsigned i = 0; i < b->out->n_out; i++) {
		const uint8_t *p = b->out->out[i].data;
		uint32_t len = b->out->out[i].len;
		struct piece c = b->is_v6 ? look6(p, b->out->out[0].data, len)
					  : look4(b, p, len);

		assert_memory_equal(p, b->data, 14);
		assert_int_equal(c.off, at);
		assert_true(c.len <= gso_size && at + c.len <= total);
		assert_int_equal(c.more, at + c.len < total);
		memcpy(got + at, c.bytes, c.len);
		at += c.len;
	}
	assert_int_equal(at, total);
	assert_memory_equal(got, b->data + b->l4, 6);
	assert_memory_equal(got + 8, b->data + b->l4 + 8, total - 8);
	assert_int_equal(csum_fold(csum_add(got, total,
					    pseudo(b, b->data, total))),
			 0);
	free(got);
}

static void test_fragments(void **state)
{
	static const uint32_t payload[] = {1473, 1480, 2953, 9000, 63000};
	static const uint16_t size[] = {1480, 8, 1448, 4096};

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (unsigned i = 0; i < 20; i++) {
			struct bench *b = bench_new(v6, payload[i / 4], 0);
			uint16_t gso = size[i % 4];

			if (gso == 8 && payload[i / 4] > 16000)
				gso = 64;
			send_it(b, gso);
			expect_datagram(b, gso);
			bench_free(b);
		}
	}
}

/* An exit that takes it whole gets it so. */
static void test_whole(void **state)
{
	struct bench *b = bench_new(false, 9000, PORT_O_ALL | PORT_O_UFO);

	(void)state;
	send_it(b, 1480);
	assert_int_equal(b->out->n_out, 1);
	assert_int_equal(b->out->out[0].len, b->len);
	assert_int_equal(b->out->out[0].off.gso, FRAME_GSO_FRAG4);
	bench_free(b);
}

static void test_lies(void **state)
{
	struct bench *b = bench_new(false, 3000, 0);
	struct frame f = frame_flat(b->data, b->len);

	(void)state;
	f.off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
				       .gso = FRAME_GSO_FRAG4,
				       .gso_size = 1480,
				       .csum_start = (uint16_t)b->l4,
				       .csum_offset = 6};
	assert_true(frame_offload_check(&f));
	f.off.gso_size = 0;
	assert_false(frame_offload_check(&f));
	f.off.gso_size = 1481;
	assert_false(frame_offload_check(&f));
	f.off.gso_size = 1480;
	f.off.gso = FRAME_GSO_FRAG6;
	assert_false(frame_offload_check(&f));
	f.off.gso = FRAME_GSO_FRAG4;
	b->data[23] = 6;
	assert_false(frame_offload_check(&f));
	b->data[23] = 17;
	b->data[b->l4 + 5]++; /* UDP's length */
	assert_false(frame_offload_check(&f));
	b->data[b->l4 + 5]--;
	b->data[17]++; /* IP's */
	assert_false(frame_offload_check(&f));
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
