/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP headers: what is emitted is parsed again; hostile options end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/tcp.h"

static void round_trip(const struct tcp_hdr *h)
{
	uint8_t b[TCP_HDR_MAX + 8] = {0};
	struct wr w = wr_init(b, TCP_HDR_MAX);
	struct tcp_hdr g;
	struct rd r;

	tcp_hdr_emit(&w, h);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), tcp_hdr_len(h));
	assert_int_equal(wr_len(&w) % 4, 0);
	r = rd_init(b, wr_len(&w) + 5);
	assert_true(tcp_hdr_parse(&r, &g));
	assert_int_equal(rd_left(&r), 5);
	assert_int_equal(g.off, tcp_hdr_len(h));
	g.off = h->off;
	assert_memory_equal(&g, h, sizeof(g));
	for (size_t n = 0; n < wr_len(&w); n++) {
		r = rd_init(b, n);
		assert_false(tcp_hdr_parse(&r, &g));
	}
}

static void all_combinations(void **state)
{
	for (unsigned m = 0; m < 16; m++) {
		struct tcp_hdr h;

		memset(&h, 0, sizeof(h));
		h.sport = 1;
		h.dport = 65535;
		h.seq = 0xfffffff0u;
		h.ack = 7;
		h.flags = TCP_SYN | TCP_ACK;
		h.win = 1234;
		h.has_mss = m & 1;
		h.mss = h.has_mss ? 1460 : 0;
		h.has_ws = m & 2;
		h.ws = h.has_ws ? 7 : 0;
		h.sack_ok = m & 4;
		h.has_ts = m & 8;
		h.ts_val = h.has_ts ? 77 : 0;
		h.ts_ecr = h.has_ts ? 78 : 0;
		round_trip(&h);
		h.has_mss = h.has_ws = h.sack_ok = false;
		h.mss = 0;
		h.ws = 0;
		h.n_sack = h.has_ts ? 3 : 4;
		for (unsigned i = 0; i < h.n_sack; i++)
			h.sack[i] = (struct tcp_sack){i * 10, i * 10 + 5};
		round_trip(&h);
	}
}

static void too_many_options_are_refused(void **state)
{
	uint8_t b[128];
	struct wr w = wr_init(b, sizeof(b));
	struct tcp_hdr h = {.has_ts = true, .n_sack = 4};

	tcp_hdr_emit(&w, &h);
	assert_false(wr_ok(&w));
}

static void random_options_end(void **state)
{
	uint8_t b[60];
	struct tcp_hdr h;

	srandom(3);
	for (unsigned n = 0; n < 100000; n++) {
		struct rd r = rd_init(b, sizeof(b));

		for (size_t i = 0; i < sizeof(b); i++)
			b[i] = (uint8_t)(random() % (i < 20 ? 256 : 12));
		b[12] = 0xf0;
		assert_true(tcp_hdr_parse(&r, &h));
		assert_in_range(h.n_sack, 0, TCP_SACK_MAX);
		assert_in_range(h.ws, 0, TCP_WSCALE_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_combinations),
		cmocka_unit_test(too_many_options_are_refused),
		cmocka_unit_test(random_options_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
