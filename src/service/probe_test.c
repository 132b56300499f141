/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses that somebody has already, asked for before they are offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/fake_client.h"
#include "service/probe.h"
#include "wire/neighbour.h"

#define MS UINT64_C(1000000)

static struct probes *probes;

static int setup(void **state)
{
	int r = client_setup(state);
	struct bench *b = *state;
	const struct dhcp_config c = {.pool.first = addr_v4(10, 0, 2, 15),
				      .pool.last = addr_v4(10, 0, 2, 60),
				      .hostname = "",
				      .domain = ""};
	struct dhcp_config with = c;

	probes = probes_new(&b->room.env);
	if (r < 0 || !probes)
		return -1;
	with.probes = probes;
	client_start(b, &with);
	return 0;
}

static int teardown(void **state)
{
	probes = probes_free(probes);
	return client_teardown(state);
}

static void as(struct bench *b, uint8_t n)
{
	b->c.mac = fake_mac(n);
}

/* The address that was asked for by the i-th frame, host order. */
static uint32_t asked(const struct bench *b, unsigned i)
{
	const struct fake_frame *f = &b->room.guest->out[i];
	struct neighbour n;

	assert_true(i < b->room.guest->n_out);
	assert_true(neighbour_parse(f->data, f->len, f->len, &n));
	assert_true(mac_eq(n.mac, b->room.env.gw_mac));
	return addr_u32(&n.asked);
}

static void wait_ms(struct bench *b, unsigned ms)
{
	fake_clear(b->room.guest);
	fake_lan_advance(&b->room.lan, ms * MS);
}

static void heard(uint32_t ip, uint8_t n)
{
	const addr a = addr_v4_u32(ip);

	probe_heard(probes, &a, fake_mac(n));
}

static void test_a_new_address_is_asked_for(void **state)
{
	struct bench *b = *state;

	client_say(b, DHCP_DISCOVER);
	assert_int_equal(b->room.guest->n_out, 1);
	assert_int_equal(asked(b, 0), 0x0a00020f);
	heard(0x0a00020f, 1); /* the client itself has it still */
	wait_ms(b, PROBE_MS / 2);
	client_expect_nothing(b);
	wait_ms(b, PROBE_MS);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
	b->c.want = 0x0a00020f;
	b->c.server = 0x0a000202;
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_ACK, 0x0a00020f);
	/* its own is offered at once */
	b->c.want = b->c.server = 0;
	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
}

static void test_one_in_use_rests(void **state)
{
	struct bench *b = *state;

	client_say(b, DHCP_DISCOVER);
	fake_clear(b->room.guest);
	heard(0x0a00020f, 9);
	assert_int_equal(asked(b, 0), 0x0a000210);
	assert_int_equal(client_drops(b, DROP_DHCP_IN_USE), 1);
	wait_ms(b, PROBE_MS + 10);
	client_expect(b, DHCP_OFFER, 0x0a000210);
	/* another one is not even asked whether .15 is free */
	as(b, 2);
	client_say(b, DHCP_DISCOVER);
	assert_int_equal(asked(b, 0), 0x0a000211);
	wait_ms(b, PROBE_MS + 10);
	client_expect(b, DHCP_OFFER, 0x0a000211);
	/* until it has rested */
	b->room.lan.now_ns += (LEASE_REST_SECONDS + 1) * 1000 * MS;
	as(b, 3);
	b->c.want = 0x0a00020f;
	client_say(b, DHCP_DISCOVER);
	assert_int_equal(asked(b, 0), 0x0a00020f);
	b->c.want = 0;
}

/* Said again: the later message is answered, once, when it is time. */
static void test_a_client_that_says_it_again(void **state)
{
	struct bench *b = *state;

	client_say(b, DHCP_DISCOVER);
	wait_ms(b, PROBE_MS / 2);
	client_say(b, DHCP_DISCOVER);
	client_expect_nothing(b); /* nor is it asked for again */
	wait_ms(b, PROBE_MS / 2 + 10);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
	wait_ms(b, 2 * PROBE_MS);
	client_expect_nothing(b);
}

/* One that says of every address that it is its own takes a few, and holds
 * nobody up for long. */
static void test_a_liar_takes_few(void **state)
{
	struct bench *b = *state;
	unsigned n_got = 0;

	for (uint8_t i = 1; i < 40; i++) {
		uint32_t ip;

		as(b, i);
		client_say(b, DHCP_DISCOVER);
		for (unsigned k = 0; k < PROBE_TRIES + 1; k++) {
			if (!b->room.guest->n_out)
				break;
			if (client_answer(b, &ip) == DHCP_OFFER)
				break;
			ip = asked(b, b->room.guest->n_out - 1);
			fake_clear(b->room.guest);
			heard(ip, 200);
		}
		if (!b->room.guest->n_out)
			wait_ms(b, PROBE_MS + 10);
		n_got += client_answer(b, &ip) == DHCP_OFFER;
	}
	assert_int_equal(client_drops(b, DROP_DHCP_IN_USE), LEASE_PER_SENDER);
	assert_true(n_got >= 30);
}

static void test_room_for_messages(void **state)
{
	struct bench *b = *state;
	struct probe_msg m = {.port = 7, .payload = (const uint8_t *)"x",
			      .len = 1};
	unsigned n = 0;
	struct lease l = {.ip = addr_v4(10, 0, 2, 70)};

	for (unsigned i = 1; i <= PROBES_MAX; i++) {
		mac c = {{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};

		n += probe_start(probes, &l, c, &m, NULL, b);
	}
	/* one port leaves a quarter of it */
	assert_true(n > PROBES_MAX / 2 && n < PROBES_MAX);
	m.port = 8;
	assert_true(probe_start(probes, &l, fake_mac(3), &m, NULL, b));
	m.tries = PROBE_TRIES;
	assert_false(probe_start(probes, &l, fake_mac(4), &m, NULL, b));
	m.tries = 0;
	m.len = PROBE_LEN_MAX + 1;
	assert_false(probe_start(probes, &l, fake_mac(4), &m, NULL, b));
	assert_false(probe_start(NULL, &l, fake_mac(4), &m, NULL, b));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_new_address_is_asked_for),
		TEST(test_one_in_use_rests),
		TEST(test_a_client_that_says_it_again),
		TEST(test_a_liar_takes_few),
		TEST(test_room_for_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
