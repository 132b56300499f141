/* SPDX-License-Identifier: BSD-3-Clause */
/* Guests whose frames wait in a bounded queue before us (tcp_sim.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "nat/tcp_peer.h"

enum { MIB = 1 << 20, KIB = 1 << 10, FLOWS_MAX = 32 };

struct world {
	struct sim *sim;
	struct peer *p[FLOWS_MAX];
	unsigned n;
	uint64_t worst_wnd; /* bytes promised to one flow at a time */
};

static struct world *world_new(const struct sim_config *c, unsigned n)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->sim = sim_new(c);
	w->n = n;
	for (unsigned i = 0; i < n; i++)
		w->p[i] = peer_connect(w->sim, (uint16_t)(1000 + i),
				       &w->sim->server);
	return w;
}

static void world_free(struct world *w)
{
	sim_free(w->sim);
	free(w);
}

static uint64_t window(const struct peer *p)
{
	return p->wnd_end - p->una;
}

static bool all_arrived(struct sim *s, void *arg)
{
	struct world *w = arg;
	bool is_done = true;

	for (unsigned i = 0; i < w->n; i++) {
		if (window(w->p[i]) > w->worst_wnd)
			w->worst_wnd = window(w->p[i]);
		is_done &= w->p[i]->una >= w->p[i]->tx_total;
	}
	(void)s;
	return is_done;
}

/* All flows send len bytes each. */
static void upload(struct world *w, uint64_t len)
{
	for (unsigned i = 0; i < w->n; i++)
		peer_send(w->p[i], w->p[i]->tx_total + len, false);
	assert_true(sim_run(w->sim, 100 * SIM_SEC, all_arrived, w));
	for (unsigned i = 0; i < w->n; i++) {
		assert_false(w->sim->sock[i]->is_bad);
		if (w->p[i]->is_bad)
			fail_msg("peer: %s", w->p[i]->why_bad);
	}
}

static unsigned sent_again(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++)
		n += w->p[i]->n_rex;
	return n;
}

/* A frame each 3 us, from a queue of 200: less than a window of segments. */
static const struct sim_config short_queue = {
	.seed = 1, .queue = 200, .queue_said = 200, .queue_ns = 3000};

/* The window is what the queue holds, whoever shares it. */
static void test_nothing_is_lost(void **state)
{
	static const unsigned flows[] = {1, 2, 4, 8, 16};

	(void)state;
	for (unsigned i = 0; i < array_len(flows); i++) {
		struct world *w = world_new(&short_queue, flows[i]);

		upload(w, 16 * MIB / flows[i]);
		assert_int_equal(w->sim->n_overrun, 0);
		assert_int_equal(sent_again(w), 0);
		assert_true(w->worst_wnd < 200 * 1460);
		world_free(w);
	}
}

/* The same queue, of which nobody tells: it does overrun. */
static void test_a_queue_untold_overruns(void **state)
{
	struct sim_config c = short_queue;
	struct world *w;

	(void)state;
	c.queue_said = 0;
	w = world_new(&c, 4);
	upload(w, 4 * MIB);
	assert_true(w->sim->n_overrun > 0);
	assert_true(sent_again(w) > 0);
	world_free(w);
}

/* The queue is never empty for want of window: bounded is not slow. */
static void test_the_queue_is_kept_busy(void **state)
{
	struct world *w = world_new(&short_queue, 4);
	uint64_t start, frames;

	(void)state;
	upload(w, 1 * MIB);
	start = w->sim->now_ns;
	frames = w->sim->n_up_frames;
	upload(w, 4 * MIB);
	frames = w->sim->n_up_frames - frames;
	assert_in_range(w->sim->now_ns - start, 0,
			frames * short_queue.queue_ns * 11 / 10);
	world_free(w);
}

/* A frame of 64 KiB is one: full windows through a queue of few. */
static void test_great_frames_count_once(void **state)
{
	struct sim_config c = short_queue;
	struct world *w;

	(void)state;
	c.guest_tso = true;
	c.queue = c.queue_said = 64;
	c.queue_ns = 20000;
	w = world_new(&c, 2);
	upload(w, 16 * MIB);
	assert_true(w->worst_wnd > 900 * KIB);
	assert_int_equal(w->sim->n_overrun, 0);
	assert_int_equal(sent_again(w), 0);
	world_free(w);
}

/* What the others leave is there for one that goes on alone. */
static void test_silent_flows_leave_their_share(void **state)
{
	struct world *w = world_new(&short_queue, 8);
	uint64_t crowded;

	(void)state;
	upload(w, 1 * MIB);
	w->worst_wnd = 0;
	upload(w, 1 * MIB);
	crowded = w->worst_wnd;
	assert_true(crowded < 200 * 1460 / 4);
	w->n = 1;
	upload(w, 16 * MIB); /* 36 ms */
	assert_true(w->worst_wnd <= crowded);
	sim_pass(w->sim, 2 * SIM_SEC);
	upload(w, 16 * MIB);
	assert_true(w->worst_wnd > 3 * crowded);
	assert_int_equal(w->sim->n_overrun, 0);
	world_free(w);
}

/* Flows that begin as one epoch goes over into the next share in both. */
static void test_the_turn_of_an_epoch_counts_all(void **state)
{
	struct sim_config c = short_queue;

	(void)state;
	c.queue = c.queue_said = 400;
	for (unsigned before = 1; before < 40; before++) {
		struct world *w = world_new(&c, 0);
		uint64_t now = w->sim->now_ns;
		uint64_t turn = ((now >> 29) + 1) << 29;

		sim_pass(w->sim, turn - now - before * SIM_MS / 2);
		for (; w->n < 16; w->n++)
			w->p[w->n] = peer_connect(w->sim,
						  (uint16_t)(1000 + w->n),
						  &w->sim->server);
		upload(w, 1 * MIB);
		if (w->sim->n_overrun)
			fail_msg("%u frames lost, begun %u half ms before",
				 w->sim->n_overrun, before);
		world_free(w);
	}
}

/* Many that send little do not count. */
static void test_talkers_take_no_share(void **state)
{
	struct world *w = world_new(&short_queue, FLOWS_MAX);

	(void)state;
	w->worst_wnd = 0;
	for (unsigned round = 0; round < 400; round++) {
		for (unsigned i = 1; i < w->n; i++)
			peer_send(w->p[i], w->p[i]->tx_total + 100, false);
		peer_send(w->p[0], w->p[0]->tx_total + 100 * KIB, false);
		sim_pass(w->sim, SIM_MS);
		(void)all_arrived(w->sim, w);
	}
	upload(w, 0);
	assert_true(window(w->p[0]) > 100 * 1460);
	assert_int_equal(w->sim->n_overrun, 0);
	world_free(w);
}

/* A machine that moves to a port that loses nothing has windows as any. */
static void test_bound_goes_with_the_port(void **state)
{
	struct world *w = world_new(&short_queue, 1);
	struct port_caps caps;

	(void)state;
	upload(w, 4 * MIB);
	assert_true(w->worst_wnd < 200 * 1460);
	caps = w->sim->guest_port.caps;
	caps.queue_frames = 0;
	lan_port_caps(&w->sim->guest_port, &caps);
	w->sim->c.queue = 0;
	sim_pass(w->sim, SIM_SEC);
	upload(w, 16 * MIB);
	assert_true(w->worst_wnd > 900 * KIB);
	world_free(w);
}

/* Connections to servers in the guest begin as small as its own. */
static void test_servers_begin_with_little(void **state)
{
	struct world *w = world_new(&short_queue, 1);
	const struct endpoint client = w->sim->gw;

	(void)state;
	sim_pass(w->sim, 10 * SIM_MS); /* the lan knows the guest */
	for (; w->n < 16; w->n++) {
		uint16_t port = (uint16_t)(1000 + w->n);
		const struct nat_inward in = {
			.guest = {w->sim->guest_ip, port}, .peer = client};
		struct host_sock hs = HOST_SOCK_NULL;

		w->p[w->n] = peer_listen(w->sim, port);
		(void)sim_client(w->sim, &hs);
		assert_int_equal(tcp_connect_guest(w->sim->tcp, &hs, &in),
				 0);
	}
	sim_pass(w->sim, 10 * SIM_MS);
	for (unsigned i = 1; i < w->n; i++) {
		assert_int_equal(w->p[i]->state, PEER_OPEN);
		assert_in_range(window(w->p[i]), 1, 10 * 1460 + 31);
	}
	upload(w, 1 * MIB);
	assert_int_equal(w->sim->n_overrun, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost),
		cmocka_unit_test(test_a_queue_untold_overruns),
		cmocka_unit_test(test_the_queue_is_kept_busy),
		cmocka_unit_test(test_great_frames_count_once),
		cmocka_unit_test(test_silent_flows_leave_their_share),
		cmocka_unit_test(test_the_turn_of_an_epoch_counts_all),
		cmocka_unit_test(test_talkers_take_no_share),
		cmocka_unit_test(test_bound_goes_with_the_port),
		cmocka_unit_test(test_servers_begin_with_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
