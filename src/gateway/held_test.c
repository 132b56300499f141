/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams for a guest that has said nothing yet. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "gateway/gateway_priv.h"
#include "gateway/held.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/udp.h"

#define MS UINT64_C(1000000)

struct bench {
	struct fake_gateway gw;
	unsigned sock; /* of the forwarded port */
};

static int setup(void **state)
{
	struct bench *b = malloc(sizeof(*b));
	const struct gateway_config gc = fake_gateway_config();
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_forward f = {.proto = IPPROTO_UDP, .guest.port = 22};

	assert_non_null(b);
	fake_gateway_init(&b->gw, &gc, &pc);
	f.fd = fake_udp(b->gw.fh, 2222);
	assert_int_equal(gateway_forward_add(b->gw.gw, &f), 0);
	b->sock = (unsigned)f.fd;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	fake_gateway_deinit(&b->gw);
	free(b);
	return 0;
}

static void hear(struct bench *b, const char *text, size_t len)
{
	const struct endpoint client = fake_ep(192, 0, 2, 9, 999);

	assert_true(fake_deliver(b->gw.fh, b->sock, &client, text, len));
	fake_host_run(b->gw.fh);
}

static void speak(struct bench *b)
{
	fake_guest_arp(&b->gw.g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->gw.g);
	fake_clear(b->gw.g.port); /* the reply */
	fake_gateway_pass(&b->gw, 2 * MS);
}

/* ARP requests among what the guest got. */
static unsigned n_asked(struct bench *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->gw.g.port->n_out; i++) {
		struct rd r = rd_init(b->gw.g.port->out[i].data,
				      b->gw.g.port->out[i].len);
		struct arp_msg m;

		rd_skip(&r, ETH_HDR_LEN);
		n += arp_parse(&r, &m) && m.op == ARP_REQUEST;
	}
	return n;
}

static void test_it_waits_for_the_guest(void **state)
{
	struct bench *b = *state;
	struct fake_got got;

	hear(b, "one", 3);
	hear(b, "", 0);
	assert_int_equal(n_asked(b), 1);
	assert_int_equal(b->gw.g.port->n_out, 1);
	speak(b);
	assert_int_equal(b->gw.g.port->n_out, 2);
	assert_true(fake_guest_got(&b->gw.g, 0, &got));
	assert_true(mac_eq(got.pkt.eth_dst, b->gw.g.mac));
	assert_true(got.csum_ok);
	assert_int_equal(got.l4_len, UDP_HDR_LEN + 3);
	assert_memory_equal(got.l4 + UDP_HDR_LEN, "one", 3);
	assert_true(fake_guest_got(&b->gw.g, 1, &got));
	assert_int_equal(got.l4_len, UDP_HDR_LEN);
	/* once, and no longer asked for */
	fake_clear(b->gw.g.port);
	fake_gateway_pass(&b->gw, 10000 * MS);
	assert_int_equal(b->gw.g.port->n_out, 0);
	assert_int_equal(b->gw.drops.n[DROP_NEIGH_FAILED], 0);
}

static void test_a_guest_that_comes_late(void **state)
{
	struct bench *b = *state;

	hear(b, "one", 3);
	for (unsigned i = 0; i < 10; i++)
		fake_gateway_pass(&b->gw, 260 * MS);
	assert_in_range(n_asked(b), 8, 11);
	speak(b);
	assert_int_equal(b->gw.g.port->n_out, 1);
}

static void test_a_guest_that_never_comes(void **state)
{
	struct bench *b = *state;
	unsigned n;

	hear(b, "one", 3);
	for (unsigned i = 0; i < 4 * HELD_SECONDS; i++) {
		assert_int_equal(b->gw.drops.n[DROP_NEIGH_FAILED], 0);
		fake_gateway_pass(&b->gw, 250 * MS);
	}
	fake_gateway_pass(&b->gw, 300 * MS);
	assert_int_equal(b->gw.drops.n[DROP_NEIGH_FAILED], 1);
	n = n_asked(b);
	fake_gateway_pass(&b->gw, 10000 * MS);
	assert_int_equal(n_asked(b), n);
	speak(b);
	assert_int_equal(b->gw.g.port->n_out, 0);
}

static void test_few_are_kept(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < HELD_EACH_MAX + 5; i++)
		hear(b, "one", 3);
	assert_int_equal(b->gw.drops.n[DROP_NEIGH_PENDING], 5);
	speak(b);
	assert_int_equal(b->gw.g.port->n_out, HELD_EACH_MAX);
	hear(b, "two", 3); /* there is room again, and no need */
	assert_int_equal(b->gw.g.port->n_out, HELD_EACH_MAX + 1);
}

static void test_a_long_one_is_kept_whole(void **state)
{
	static char text[65507];
	struct bench *b = *state;

	hear(b, text, sizeof(text));
	speak(b);
	assert_int_equal(b->gw.g.port->n_out, 45);
	assert_int_equal(b->gw.drops.n[DROP_NEIGH_PENDING], 0);
}

/* Two guests whose addresses fall on one set of neigh.h, each behind a forward
 * of its own. */
static void make_neighbours(struct bench *b, addr ip[2], unsigned sock[2])
{
	const struct neigh *n = &b->gw.gw->neigh;
	uint8_t at[NEIGH_SETS] = {0};

	for (uint8_t i = 20; i < 250; i++) {
		unsigned k;

		ip[1] = addr_v4(10, 0, 2, i);
		k = hash_bytes(&n->key, ip[1].b, sizeof(ip[1].b)) %
		    NEIGH_SETS;
		if (at[k]) {
			ip[0] = addr_v4(10, 0, 2, at[k]);
			break;
		}
		at[k] = i;
		assert_in_range(i, 20, 248); /* there is a pair */
	}
	for (uint16_t i = 0; i < 2; i++) {
		struct gateway_forward f = {.proto = IPPROTO_UDP,
					    .guest = {.ip = ip[i],
						      .port = 22}};

		f.fd = fake_udp(b->gw.fh, (uint16_t)(3000 + i));
		assert_int_equal(gateway_forward_add(b->gw.gw, &f), 0);
		sock[i] = (unsigned)f.fd;
	}
}

/* One that is looked for in vain does not make us forget the other. */
static void test_each_gets_its_own(void **state)
{
	struct bench *b = *state;
	unsigned sock[2];
	addr ip[2];

	make_neighbours(b, ip, sock);
	for (unsigned i = 0; i < 2; i++) {
		b->sock = sock[i];
		hear(b, "one", 3);
	}
	b->gw.g.ip = ip[1];
	speak(b);
	assert_int_equal(b->gw.g.port->n_out - n_asked(b), 1);
}

/* Nobody is asked for more often because others speak. */
static void test_a_talker_makes_no_questions(void **state)
{
	struct bench *b = *state;
	unsigned sock[2];
	addr ip[2];

	make_neighbours(b, ip, sock);
	for (unsigned i = 0; i < 8; i++) {
		b->sock = sock[i % 2];
		hear(b, "one", 3);
	}
	for (unsigned i = 0; i < 5; i++) {
		speak(b);
		assert_int_equal(n_asked(b), 0);
	}
	fake_gateway_pass(&b->gw, 260 * MS);
	assert_int_equal(n_asked(b), 2);
}

static void test_the_end_comes_first(void **state)
{
	hear(*state, "one", 3); /* the teardown sees that nothing stays */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_it_waits_for_the_guest),
		T(test_a_guest_that_comes_late),
		T(test_a_guest_that_never_comes),
		T(test_few_are_kept),
		T(test_a_long_one_is_kept_whole),
		T(test_each_gets_its_own),
		T(test_a_talker_makes_no_questions),
		T(test_the_end_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
