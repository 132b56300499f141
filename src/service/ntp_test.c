/* SPDX-License-Identifier: BSD-3-Clause */
/* The time as clients are told it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/fake_room.h"
#include "service/ntp.h"
#include "wire/ntp.h"

#define SECOND UINT64_C(1000000000)
/* 2026-11-22, and a half second. */
#define NOW_NS (UINT64_C(1795305600) * SECOND + 500000000)

struct bench {
	struct fake_room room;
	struct ntp *ntp;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fake_room_init(&b->room);
	b->room.up->realtime_ns = NOW_NS;
	assert_int_equal(ntp_new(&b->room.env, &b->ntp), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	ntp_free(b->ntp);
	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

/* A client asks so, and may have something behind it; true: it got *mp. */
static bool ask(struct bench *b, addr ip, uint8_t first, size_t more,
		struct ntp_msg *mp)
{
	uint8_t buf[NTP_LEN + 100] = {first, 0, 9};
	struct packet pkt = fake_room_packet(ip, 12345, fake_mac(1));
	struct fake_dgram d;
	struct rd r;

	memset(buf + 40, 0xa5, 8); /* transmit */
	pkt.dst.ip = addr_is_v4(&ip) ? b->room.env.v4.gw : b->room.env.v6.gw;
	pkt.dst.port = NTP_PORT;
	fake_clear(b->room.guest);
	ntp_input(b->ntp, &pkt, buf, NTP_LEN + more);
	if (!fake_room_got(&b->room, 0, &d))
		return false;
	assert_int_equal(b->room.guest->n_out, 1);
	/* From where it was asked, to who asked; no more than was asked. */
	assert_true(endpoint_eq(&d.pkt.src, &pkt.dst));
	assert_true(endpoint_eq(&d.pkt.dst, &pkt.src));
	assert_int_equal(d.len, NTP_LEN);
	r = rd_init(d.data, d.len);
	assert_true(ntp_parse(&r, mp));
	return true;
}

static const addr guest4 = {{[10] = 0xff, 0xff, 10, 0, 2, 15}};

static void test_answer(void **state)
{
	struct bench *b = *state;
	struct ntp_msg m;

	for (unsigned v = NTP_VERSION_MIN; v <= NTP_VERSION_MAX; v++) {
		uint8_t first = (uint8_t)(v << 3 | NTP_MODE_CLIENT);

		b->room.up->realtime_ns = NOW_NS;
		assert_true(ask(b, v & 1 ? guest4 : fake_addr6(0x15), first,
				v == 4 ? 20 : 0, &m));
		assert_int_equal(m.version, v);
		assert_int_equal(m.mode, NTP_MODE_SERVER);
		assert_int_equal(m.leap, NTP_LEAP_NONE);
		assert_int_equal(m.stratum, NTP_STRATUM);
		assert_int_equal(m.poll, 9);
		assert_int_equal(m.root_dispersion, 0);
		assert_true(m.originate == UINT64_C(0xa5a5a5a5a5a5a5a5));
		assert_true(m.receive == ntp_time(NOW_NS + 1000));
		assert_true(m.transmit == ntp_time(NOW_NS + 2000));
		assert_true(m.reference && m.reference <= m.receive);
	}
}

static void test_what_is_known_of_the_clock(void **state)
{
	static const struct {
		struct host_clock clock;
		uint8_t leap;
		uint32_t dispersion;
	} rows[] = {
		{{.is_synced = true, .max_error_us = 250000}, NTP_LEAP_NONE,
		 0x4000},
		{{.is_synced = true, .leap = 1}, NTP_LEAP_LONGER, 0},
		{{.is_synced = true, .leap = -1}, NTP_LEAP_SHORTER, 0},
		{{.is_synced = true, .max_error_us = 9000000}, NTP_LEAP_NONE,
		 0x10000},
		{{.leap = 1, .max_error_us = 16000000}, NTP_LEAP_NONE, 0},
	};
	struct bench *b = *state;
	struct ntp_msg m;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		b->room.up->clock = rows[i].clock;
		fake_lan_advance(&b->room.lan, SECOND);
		assert_true(ask(b, guest4, 0x23, 0, &m));
		assert_int_equal(m.leap, rows[i].leap);
		assert_int_equal(m.root_dispersion, rows[i].dispersion);
	}
}

/* A clock that is set is told as it is then. */
static void test_clock_is_set(void **state)
{
	struct bench *b = *state;
	struct ntp_msg m;

	assert_true(ask(b, guest4, 0x23, 0, &m));
	b->room.up->realtime_ns = NOW_NS - 3600 * SECOND;
	assert_true(ask(b, guest4, 0x23, 0, &m));
	assert_true(m.receive == ntp_time(NOW_NS - 3600 * SECOND + 1000));
}

static void test_no_question(void **state)
{
	struct bench *b = *state;
	struct packet pkt = fake_room_packet(guest4, NTP_PORT, fake_mac(1));
	struct ntp_msg m;
	unsigned n_bad = 0;

	/* All modes of all versions but the client's of four. */
	for (unsigned first = 0; first < 64; first++) {
		unsigned v = first >> 3;
		bool is_question = (first & 7) == NTP_MODE_CLIENT && v >= 1 &&
				   v <= 4;

		assert_int_equal(ask(b, guest4, (uint8_t)first, 0, &m),
				 is_question);
		n_bad += !is_question;
	}
	for (size_t len = 0; len < NTP_LEN; len++) {
		static const uint8_t buf[NTP_LEN] = {0x23};

		ntp_input(b->ntp, &pkt, buf, len);
		n_bad++;
	}
	assert_int_equal(b->room.lan.drops.n[DROP_NTP_BAD], n_bad);
}

static void test_no_more_than_so_many(void **state)
{
	struct bench *b = *state;
	struct ntp_msg m;

	fake_lan_advance(&b->room.lan, SECOND - b->room.lan.now_ns % SECOND);
	for (unsigned i = 0; i < NTP_RATE; i++)
		assert_true(ask(b, guest4, 0x23, 0, &m));
	assert_false(ask(b, guest4, 0x23, 0, &m));
	assert_false(ask(b, fake_addr6(0x15), 0x23, 0, &m));
	assert_int_equal(b->room.lan.drops.n[DROP_NTP_RATE], 2);
	fake_lan_advance(&b->room.lan, SECOND);
	assert_true(ask(b, guest4, 0x23, 0, &m));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_answer),
		T(test_what_is_known_of_the_clock),
		T(test_clock_is_set),
		T(test_no_question),
		T(test_no_more_than_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
