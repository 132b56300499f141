/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole connections through TCP, over good links and bad (tcp_sim.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_peer.h"

enum { MIB = 1 << 20, SMALL_MTU = 576 };

struct goal {
	struct peer *p;
	struct sim_sock *k;
	uint64_t up, down;
};

static bool is_moved(struct sim *s, void *arg)
{
	const struct goal *g = arg;

	return g->k->got >= g->up && g->p->rx_nxt >= g->down;
}

static bool is_open(struct sim *s, void *arg)
{
	return ((struct peer *)arg)->state >= PEER_OPEN;
}

static bool is_over(struct sim *s, void *arg)
{
	const struct peer *p = arg;
	struct tcp_stats st;

	tcp_stats(s->tcp, &st);
	return p->state == PEER_DONE && st.n_flows == 0;
}

/* A guest's connection, established. */
static struct goal start(struct sim *s)
{
	struct goal g = {.p = peer_connect(s, 40000, &s->server)};

	assert_true(sim_run(s, 20 * SIM_SEC, is_open, g.p));
	assert_int_equal(g.p->state, PEER_OPEN);
	assert_int_equal(s->n_socks, 1);
	g.k = s->sock[0];
	return g;
}

static void check_good(const struct sim *s, const struct goal *g)
{
	if (g->p->is_bad)
		print_message("peer: %s\n", g->p->why_bad);
	assert_false(g->p->is_bad);
	assert_false(g->k->is_bad);
	assert_int_equal(s->drops.n[DROP_TCP_NO_MEMORY], 0);
}

/* Moves up and down bytes, closes both ways, checks that nothing is left. */
static void transfer(struct sim *s, uint64_t up, uint64_t down,
		     uint64_t limit_ns)
{
	struct goal g = start(s);

	g.up = up;
	g.down = down;
	sim_sock_send(g.k, down, true);
	peer_send(g.p, up, true);
	if (!sim_run(s, limit_ns, is_moved, &g))
		print_message("up %llu of %llu, down %llu of %llu\n",
			      (unsigned long long)g.k->got,
			      (unsigned long long)up,
			      (unsigned long long)g.p->rx_nxt,
			      (unsigned long long)down);
	check_good(s, &g);
	assert_int_equal(g.k->got, up);
	assert_int_equal(g.p->rx_nxt, down);
	assert_true(sim_run(s, 30 * SIM_SEC, is_over, g.p));
	check_good(s, &g);
	assert_false(g.k->was_reset);
	assert_true(g.k->was_closed);
}

static void check_no_loss(const struct sim *s)
{
	struct tcp_stats st;

	tcp_stats(s->tcp, &st);
	assert_int_equal(st.n_rto, 0);
	assert_int_equal(st.n_fast_retransmit, 0);
	assert_int_equal(s->peers->n_rto, 0);
	assert_int_equal(s->peers->n_rex, 0);
	assert_int_equal(s->peers->n_dup_rx, 0);
	assert_int_equal(st.buffer_used, 0);
}

static void lossless(const struct sim_config *c)
{
	struct sim *s = sim_new(c);

	transfer(s, 8 * MIB, 8 * MIB, 20 * SIM_SEC);
	check_no_loss(s);
	sim_free(s);
}

static void test_plain(void **state)
{
	lossless(&(struct sim_config){.seed = 1});
}

static void test_tso_lent(void **state)
{
	lossless(&(struct sim_config){.seed = 2, .tso = true,
				      .can_lend = true, .guest_tso = true});
}

static void test_csum_lent(void **state)
{
	lossless(&(struct sim_config){.seed = 3, .can_lend = true});
}

static void test_no_csum(void **state)
{
	lossless(&(struct sim_config){.seed = 4, .no_csum = true});
}

static void test_no_options(void **state)
{
	lossless(&(struct sim_config){.seed = 5, .no_sack = true,
				      .no_ts = true, .no_wscale = true,
				      .delack = true});
}

static void test_delayed_acks(void **state)
{
	lossless(&(struct sim_config){.seed = 6, .delack = true});
}

static void test_ring_only(void **state)
{
	lossless(&(struct sim_config){.seed = 7, .deny_peek = true,
				      .tso = true});
}

static void test_peek_only(void **state)
{
	lossless(&(struct sim_config){.seed = 8, .peek_after = 1,
				      .can_lend = true});
}

static void test_small_mtu(void **state)
{
	lossless(&(struct sim_config){.seed = 9, .mtu = SMALL_MTU});
}

static void test_narrow_exit(void **state)
{
	lossless(&(struct sim_config){.seed = 10, .room = 20,
				      .ns_per_byte = 8});
}

static void test_narrow_exit_lent(void **state)
{
	lossless(&(struct sim_config){.seed = 11, .room = 20, .can_lend = true,
				      .ns_per_byte = 8, .peek_after = 1});
}

static void test_small_host_buffers(void **state)
{
	lossless(&(struct sim_config){.seed = 12, .sndbuf = 5000,
				      .rcvbuf = 5000});
}

static void test_small_host_buffers_peek(void **state)
{
	lossless(&(struct sim_config){.seed = 13, .rcvbuf = 20000,
				      .peek_after = 1});
}

static void test_small_guest_buffer(void **state)
{
	lossless(&(struct sim_config){.seed = 14, .rcv_buf = 3000});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tso_lent),
		cmocka_unit_test(test_csum_lent),
		cmocka_unit_test(test_no_csum),
		cmocka_unit_test(test_no_options),
		cmocka_unit_test(test_delayed_acks),
		cmocka_unit_test(test_ring_only),
		cmocka_unit_test(test_peek_only),
		cmocka_unit_test(test_small_mtu),
		cmocka_unit_test(test_narrow_exit),
		cmocka_unit_test(test_narrow_exit_lent),
		cmocka_unit_test(test_small_host_buffers),
		cmocka_unit_test(test_small_host_buffers_peek),
		cmocka_unit_test(test_small_guest_buffer),
	};

	return SIM_RUN(tests);
}
