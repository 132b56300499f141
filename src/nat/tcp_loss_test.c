/* SPDX-License-Identifier: BSD-3-Clause */
/* Links that lose, reorder and repeat packets (tcp_sim.h): everything arrives,
 * byte for byte, and nothing stalls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_peer.h"

enum { MIB = 1 << 20 };

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

struct expect {
	uint64_t up, down;
	uint64_t limit_ns, stall_ns;
	unsigned max_rto; /* of ours */
};

static void run(const struct sim_config *c, const struct expect *e)
{
	struct sim *s = sim_new(c);
	struct peer *p = peer_connect(s, 40000, &s->server);
	uint64_t begin = s->now_ns;
	struct tcp_stats st;
	struct sim_sock *k;

	assert_true(sim_run(s, 60 * SIM_SEC, is_open, p));
	assert_int_equal(p->state, PEER_OPEN);
	k = s->sock[0];
	p->progress_ns = p->ack_progress_ns = s->now_ns;
	sim_sock_send(k, e->down, true);
	peer_send(p, e->up, true);
	(void)sim_run(s, e->limit_ns, is_over, p);
	tcp_stats(s->tcp, &st);
	if (getenv("TCP_SIM_SHOW"))
		print_message("%.3f s: stall %.0f ms down, %.0f ms up; lost "
			      "%u; ours: %llu rto %llu recoveries, %u data "
			      "frames, %u came twice; guest: %u rto %u again\n",
			      (double)(s->now_ns - begin) / 1e9,
			      (double)p->worst_ns / 1e6,
			      (double)p->ack_worst_ns / 1e6, s->n_lost,
			      (unsigned long long)st.n_rto,
			      (unsigned long long)st.n_fast_retransmit,
			      s->n_down_data, p->n_dup_rx, p->n_rto,
			      p->n_rex);
	if (p->is_bad)
		print_message("peer: %s\n", p->why_bad);
	assert_false(p->is_bad);
	assert_false(k->is_bad);
	assert_int_equal(k->got, e->up);
	assert_int_equal(p->rx_nxt, e->down);
	assert_int_equal(p->state, PEER_DONE);
	assert_false(k->was_reset);
	assert_true(p->worst_ns < e->stall_ns);
	assert_true(p->ack_worst_ns < e->stall_ns);
	assert_in_range(st.n_rto, 0, e->max_rto);
	sim_free(s);
}

static const struct expect calm = {.up = 16 * MIB,
				   .down = 16 * MIB,
				   .limit_ns = 60 * SIM_SEC,
				   .stall_ns = 1 * SIM_SEC,
				   .max_rto = 10};

static void test_one_percent(void **state)
{
	for (uint64_t seed = 1; seed <= 5; seed++)
		run(&(struct sim_config){.seed = seed, .loss_up = 100,
					 .loss_down = 100, .reorder = 100},
		    &calm);
}

static void test_one_percent_ring(void **state)
{
	run(&(struct sim_config){.seed = 11, .loss_up = 100, .loss_down = 100,
				 .reorder = 200, .deny_peek = true,
				 .delack = true},
	    &calm);
}

static void test_one_percent_tso(void **state)
{
	run(&(struct sim_config){.seed = 12, .loss_up = 100, .loss_down = 100,
				 .reorder = 200, .tso = true,
				 .can_lend = true, .guest_tso = true},
	    &calm);
}

static void test_one_percent_long_way(void **state)
{
	run(&(struct sim_config){.seed = 13, .loss_up = 100, .loss_down = 100,
				 .reorder = 100, .delay_ns = 5 * SIM_MS,
				 .reorder_ns = 4 * SIM_MS},
	    &calm);
}

static void test_reordering_alone(void **state)
{
	run(&(struct sim_config){.seed = 14, .reorder = 1000,
				 .reorder_ns = SIM_MS / 2},
	    &calm);
}

static void test_duplicates(void **state)
{
	run(&(struct sim_config){.seed = 15, .duplicate = 1000,
				 .reorder = 100},
	    &calm);
}

static void test_no_sack(void **state)
{
	struct expect e = calm;

	e.up = e.down = 2 * MIB;
	e.max_rto = 200;
	run(&(struct sim_config){.seed = 16, .loss_up = 50, .loss_down = 50,
				 .no_sack = true},
	    &e);
}

static void test_no_sack_no_timestamps(void **state)
{
	struct expect e = calm;

	e.up = e.down = 2 * MIB;
	e.max_rto = 200;
	run(&(struct sim_config){.seed = 17, .loss_up = 50, .loss_down = 50,
				 .no_sack = true, .no_ts = true,
				 .delack = true},
	    &e);
}

static void test_ten_percent(void **state)
{
	struct expect e = calm;

	e.up = e.down = 2 * MIB;
	e.stall_ns = 10 * SIM_SEC;
	e.max_rto = 100;
	run(&(struct sim_config){.seed = 18, .loss_up = 1000,
				 .loss_down = 1000, .reorder = 500,
				 .duplicate = 300},
	    &e);
}

static void test_lossy_exit(void **state)
{
	run(&(struct sim_config){.seed = 19, .lossy = true, .loss_down = 100,
				 .peek_after = 1},
	    &calm);
}

/* Short connections, where the loss of a SYN, a FIN or the only segment has
 * no neighbour to tell of it. */
static void test_many_short(void **state)
{
	const struct sim_config c = {.seed = 20, .loss_up = 200,
				     .loss_down = 200, .reorder = 200};
	struct sim *s = sim_new(&c);

	for (uint16_t i = 0; i < 300; i++) {
		struct peer *p = peer_connect(s, (uint16_t)(1000 + i),
					      &s->server);
		struct sim_sock *k;

		assert_true(sim_run(s, 60 * SIM_SEC, is_open, p));
		k = s->sock[s->n_socks - 1];
		sim_sock_send(k, 3000, true);
		peer_send(p, 2000, true);
		while (p->state == PEER_OPEN && p->progress_ns + 60 * SIM_SEC >
							s->now_ns)
			sim_pass(s, 10 * SIM_MS);
		assert_int_equal(p->state, PEER_DONE);
		assert_false(p->is_bad);
		assert_int_equal(p->rx_nxt, 3000);
		assert_int_equal(k->got, 2000);
	}
	sim_pass(s, 200 * SIM_SEC);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_percent),
		cmocka_unit_test(test_one_percent_ring),
		cmocka_unit_test(test_one_percent_tso),
		cmocka_unit_test(test_one_percent_long_way),
		cmocka_unit_test(test_reordering_alone),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_no_sack),
		cmocka_unit_test(test_no_sack_no_timestamps),
		cmocka_unit_test(test_ten_percent),
		cmocka_unit_test(test_lossy_exit),
		cmocka_unit_test(test_many_short),
	};

	return SIM_RUN(tests);
}
