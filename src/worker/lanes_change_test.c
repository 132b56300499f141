/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, links, faults and legs that change while lanes send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/lan_priv.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "worker/lanes_rig.h"

/* ---- ports ---- */

static void mail_for_a_port_that_has_gone_is_dropped(void **state)
{
	struct fake_port *again;
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	team_pause(w.t);
	pause_say(&w, t.leg, t.at_q, t.at_p); /* carried, not published */
	fake_free(t.q);
	again = port_new(&w, "q");
	team_resume(w.t);
	until_dropped(&w, DROP_LINK_DOWN, 1);
	assert_int_equal(again->n_out, 0);
	/* The same from one that has gone. */
	until_copied(&w);
	team_pause(w.t);
	pause_say(&w, t.leg, t.at_q, t.at_p); /* punted */
	fake_free(t.p);
	fake_free(t.leg);
	t.p = port_new(&w, "p");
	team_resume(w.t);
	until_dropped(&w, DROP_LINK_DOWN_IN, 1);
	assert_int_equal(again->n_out, 0);
	assert_int_equal(t.p->port.stats.rx_frames, 0);
	world_deinit(&w);
}

static void links_are_pulled_everywhere(void **state)
{
	struct world w;
	struct pair t;

	world_init(&w, 4, 0);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	lan_port_admin(&t.p->port, false);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 2);
	until_dropped(&w, DROP_LINK_DOWN_IN, 2);
	assert_int_equal(t.q->n_out, 0);
	assert_int_equal(stats_of(&w, t.p).rx_drops, 2);
	lan_port_admin(&t.p->port, true);
	/* q's peer goes: its address is nobody's, at once. */
	pair_greet(&w, &t);
	lan_port_link(&t.q->port, false);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 2);
	until_dropped(&w, DROP_LINK_DOWN, 2);
	lan_port_link(&t.q->port, true);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 2);
	until_got(&w, t.q, 2);
	pair_deinit(&w, &t);
}

static void put_probe(uint8_t *buf, mac src)
{
	struct wr wr = wr_init(buf, FRAME_LEN);
	struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = src, .type = ETH_T_ARP};
	struct arp_msg m = {.op = ARP_REQUEST,
			    .sha = src,
			    .spa = addr_v4(0, 0, 0, 0),
			    .tpa = addr_v4(10, 0, 2, 15)};

	eth_emit(&wr, &eth);
	arp_emit(&wr, &m);
	wr_zero(&wr, wr_left(&wr));
}

/* p's machine has the MAC of q's. */
static void an_alias_is_worker_0s_alone(void **state)
{
	uint8_t probe[FRAME_LEN];
	struct fake_port *r, *leg;
	struct world w;
	struct pair t;
	mac alias;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	r = port_new(&w, "r");
	say(r, t.at_q, fake_mac(5));
	say(t.q, fake_mac(5), t.at_q);
	until_copied(&w);
	put_probe(probe, t.at_q);
	fake_rx(t.p, probe, sizeof(probe), NULL);
	assert_false(list_empty(&t.p->port.aliases));
	alias = container_of(list_first(&t.p->port.aliases), struct alias,
			     link)->alias;
	assert_true(t.leg->port.is_punted);
	until_copied(&w);
	fake_clear(r);
	lane_say(&w, 1, t.leg, fake_mac(5), t.at_q, 2);
	until_got(&w, r, 2);
	assert_memory_equal(r->out[0].data + 6, alias.b, 6);
	assert_int_equal(t.leg->port.stats.rx_frames, 0);
	/* And what is for it. */
	leg = leg_new(&w, r, 1);
	fake_clear(t.p);
	lane_say(&w, 1, leg, alias, fake_mac(5), 1);
	until_got(&w, t.p, 1);
	assert_memory_equal(t.p->out[0].data, t.at_q.b, 6);
	assert_int_equal(leg->port.stats.rx_frames, 0);
	lan_port_link(&t.p->port, false);
	lan_port_link(&t.p->port, true);
	assert_false(t.leg->port.is_punted);
	fake_free(r);
	fake_free(leg);
	pair_deinit(&w, &t);
}

/* What spoils it has no lane. */
static void a_spoilt_cable_is_worker_0s(void **state)
{
	const struct impair all = {.loss = IMPAIR_ALL};
	struct impair_set s = {.way = {all, all}};
	struct world w;
	struct pair t;

	(void)state;
	world_init(&w, 2, 0);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	fake_clear(t.q);
	assert_int_equal(lan_port_spoil(&t.p->port, &s, false), 0);
	assert_true(t.leg->port.is_punted);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 2);
	until_dropped(&w, DROP_LINK_LOSS, 2);
	assert_int_equal(t.leg->port.stats.rx_frames, 0);
	say(t.q, t.at_p, t.at_q);
	until_dropped(&w, DROP_LINK_LOSS, 3);
	assert_int_equal(t.q->n_out, 0);
	s = (struct impair_set){.seed = 1};
	assert_int_equal(lan_port_spoil(&t.p->port, &s, false), 0);
	assert_false(t.leg->port.is_punted);
	until_copied(&w);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 2);
	until_got(&w, t.q, 2);
	assert_int_equal(t.leg->port.stats.rx_frames, 2);
	pair_deinit(&w, &t);
}

/* True if leg, of q, lends to p's. */
static bool lends(struct world *w, struct pair *t, struct fake_port *leg)
{
	static struct lend l;
	struct port *lender;

	l.n = 1;
	l.f[0] = (struct lend_frame){.want = FRAME_LEN};
	team_pause(w->t);
	assert_int_equal(lan_lend(&t->leg->port, t->at_q, &l), 1);
	lender = l.port;
	(void)lan_give(&t->leg->port, t->at_q, &l);
	team_resume(w->t);
	return lender == &leg->port;
}

/* Who lends passes by the MAC table: so only while that has nothing to say. */
static void a_lend_is_worker_0s_at_times(void **state)
{
	uint8_t probe[FRAME_LEN];
	struct fake_port *r, *leg;
	struct world w;
	struct pair t;

	(void)state;
	world_init(&w, 2, 0);
	pair_init(&w, &t);
	r = port_new(&w, "r");
	leg = fake_make(&(struct fake_config){.name = "q", .can_lend = true});
	assert_int_equal(lanes_leg_set(w.net, &t.q->port, 1, &leg->port), 0);
	pair_greet(&w, &t);
	assert_true(lends(&w, &t, leg));
	/* Another says that p's address is its own; p goes on speaking. */
	say(r, t.at_q, t.at_p);
	until_copied(&w);
	assert_false(lends(&w, &t, leg));
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 1);
	until_got(&w, t.q, 2);
	until_copied(&w);
	assert_true(lends(&w, &t, leg));
	/* q's machine goes by an alias of p's. */
	put_probe(probe, t.at_p);
	fake_rx(t.q, probe, sizeof(probe), NULL);
	assert_true(leg->port.is_punted);
	say(t.p, t.at_q, t.at_p);
	until_copied(&w);
	assert_false(lends(&w, &t, leg));
	lan_port_link(&t.q->port, false);
	fake_free(r);
	assert_int_equal(lanes_leg_set(w.net, &t.q->port, 1, NULL), 0);
	fake_free(leg);
	pair_deinit(&w, &t);
}

/* ---- faults ---- */

static void break_ring(struct fake_port *f, const struct batch *b,
		       uint64_t mask)
{
	(void)b;
	(void)mask;
	port_fault(&f->port, FAULT_RING, "ring of %s", f->c.name);
}

static bool is_faulty(struct world *w, void *arg)
{
	return w->n_fault > 0;
}

/* Worker 1's own leg of q breaks while it is sent to there. */
static void a_fault_of_a_leg_is_the_ports(void **state)
{
	struct fake_port *q1;
	struct world w;
	struct pair t;

	world_init(&w, 4, 0);
	pair_init(&w, &t);
	q1 = leg_new(&w, t.q, 1);
	pair_greet(&w, &t);
	q1->on_send = break_ring;
	team_pause(w.t);
	pause_say(&w, t.leg, t.at_q, t.at_p);
	/* Until worker 0 knows, what is for it is lost. */
	pause_say(&w, t.leg, t.at_q, t.at_p);
	assert_int_equal(dropped(&w, DROP_PORT_FAULT), 1);
	/* Other changes of the port are no end of it. */
	lan_port_caps(&t.q->port, &t.q->port.caps);
	pause_say(&w, t.leg, t.at_q, t.at_p);
	assert_int_equal(dropped(&w, DROP_PORT_FAULT), 2);
	team_resume(w.t);
	assert_int_equal(w.n_fault, 0);
	until(&w, is_faulty, NULL);
	assert_ptr_equal(w.fault_port, &t.q->port);
	assert_int_equal(w.fault, FAULT_RING);
	assert_string_equal(w.fault_text, "ring of leg");
	assert_int_equal(t.q->port.fault, FAULT_RING);
	port_fault_clear(&t.q->port);
	assert_int_equal(q1->port.fault, FAULT_NONE);
	q1->on_send = NULL;
	pair_greet(&w, &t);
	fake_clear(q1);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 1);
	until_got(&w, q1, 1);
	assert_int_equal(w.n_fault, 1);
	fake_free(t.q);
	fake_free(q1);
	pair_deinit(&w, &t);
}

/* When it is told, the peer is another already. */
static void a_fault_of_a_peer_that_has_gone_is_none(void **state)
{
	struct fake_port *q1;
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	q1 = leg_new(&w, t.q, 1);
	pair_greet(&w, &t);
	team_pause(w.t);
	port_fault(&q1->port, FAULT_RING, "old");
	lan_port_link(&t.q->port, false);
	lan_port_link(&t.q->port, true);
	assert_int_equal(q1->port.fault, FAULT_NONE);
	team_resume(w.t);
	pair_greet(&w, &t); /* comes after it */
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 1);
	until_got(&w, q1, 1);
	assert_int_equal(w.n_fault, 0);
	fake_free(t.q);
	fake_free(q1);
	pair_deinit(&w, &t);
}

static bool is_fault_known(struct world *w, void *arg)
{
	const struct pair *t = arg;

	return t->q->port.fault == FAULT_RING;
}

/* There is no room to tell it. */
static void a_fault_is_told_when_there_is_room(void **state)
{
	struct fake_port *q1;
	struct mail *m;
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	q1 = leg_new(&w, t.q, 1);
	pair_greet(&w, &t);
	team_pause(w.t);
	m = team_mail(w.t, 1, 0);
	while (mail_post(m, &(struct mail_cell){.kind = LANES_USED,
						.n_words = 1}))
		;
	port_fault(&q1->port, FAULT_RING, "late");
	team_resume(w.t);
	until(&w, is_fault_known, &t);
	assert_string_equal(w.fault_text, "late");
	fake_free(t.q);
	fake_free(q1);
	pair_deinit(&w, &t);
}

/* ---- all at once ---- */

enum { TURNS = 8 * 40 };

struct sum {
	const struct fake_port *p;
	uint64_t n;
};

static bool is_all_here(struct world *w, void *arg)
{
	const struct sum *s = arg;

	return stats_of(w, s->p).rx_frames == s->n;
}

/* Legs send without end to a port that comes, goes, moves, and changes. */
static void nothing_is_torn_while_all_changes(void **state)
{
	struct fake_port *p, *leg[MAX_WORKERS], *q = NULL;
	struct sum sum = {.n = 1}; /* p's own */
	struct port_stats s;
	struct world w;

	world_init(&w, MAX_WORKERS, 1);
	p = port_new(&w, "p");
	for (unsigned i = 1; i < w.n; i++)
		leg[i] = leg_new(&w, p, i);
	say(p, fake_mac(2), fake_mac(1));
	team_pause(w.t);
	for (unsigned i = 1; i < w.n; i++) {
		struct reader *r = reader_of(&w, i, leg[i]);

		r->repeats = true;
		r->src = fake_mac(1);
		r->dst = fake_mac(2);
		loop_defer(r->loop, &r->work);
	}
	team_resume(w.t);
	for (unsigned i = 0; i < TURNS; i++) {
		unsigned me = 1 + i % (w.n - 1);

		if (i % 8 == 0)
			q = port_new(&w, "q");
		say(q, fake_mac(1), fake_mac(2));
		assert_int_equal(loop_turn(loop_of(&w, 0), 0), 0);
		if (i % 8 == 3)
			lan_port_link(&p->port, false);
		if (i % 8 == 4)
			lan_port_link(&p->port, true);
		assert_int_equal(lanes_leg_set(w.net, &p->port, me, NULL), 0);
		assert_int_equal(loop_turn(loop_of(&w, 0), 0), 0);
		assert_int_equal(lanes_leg_set(w.net, &p->port, me,
					       &leg[me]->port), 0);
		fake_clear(q);
		if (i % 8 == 7)
			fake_free(q);
	}
	q = port_new(&w, "q");
	say(q, fake_mac(1), fake_mac(2));
	until_got(&w, q, 1);
	team_pause(w.t);
	for (unsigned i = 1; i < w.n; i++) {
		loop_undefer(w.reader[i].loop, &w.reader[i].work);
		sum.n += w.reader[i].next;
	}
	team_resume(w.t);
	sum.p = p;
	until(&w, is_all_here, &sum); /* what was punted, too */
	until_copied(&w);
	s = stats_of(&w, p);
	assert_int_equal(s.rx_bytes, s.rx_frames * FRAME_LEN);
	fake_free(p);
	for (unsigned i = 1; i < w.n; i++)
		fake_free(leg[i]);
	world_deinit(&w);
}

/* ---- life ---- */

/* A network whose ports are there already, with a team of one and of more. */
static void a_network_gets_lanes_late_and_loses_them_early(void **state)
{
	for (unsigned n = 1; n <= 2; n++) {
		struct fake_port *p, *q;
		struct world w;

		world_init(&w, n, 0);
		p = port_new(&w, "p");
		q = port_new(&w, "q");
		say(p, fake_mac(2), fake_mac(1));
		assert_null(lanes_net_free(w.net));
		say(q, fake_mac(1), fake_mac(2));
		assert_int_equal(lanes_net_new(w.lanes, w.lan, 0, &w.net), 0);
		until_copied(&w);
		assert_int_equal(stats_of(&w, q).rx_frames, 1);
		if (n == 2) {
			struct fake_port *leg = leg_new(&w, p, 1);

			fake_clear(q);
			lane_say(&w, 1, leg, fake_mac(2), fake_mac(1), 1);
			until_got(&w, q, 1);
			fake_free(p);
			fake_free(leg);
		}
		world_deinit(&w);
	}
	assert_null(lanes_net_free(NULL));
	assert_null(lanes_free(NULL));
}

/* ---- who looks on ---- */

/* What a lan has told, on its thread. */
struct seen {
	unsigned in, back, out, lost;
	uint64_t end; /* what the port that went had counted */
};

static void on_nothing(void *arg)
{
	(void)arg;
}

static void on_in(void *arg, struct port *from, const struct batch *b,
		  struct tap_batch *t)
{
	(void)from;
	(void)t;
	((struct seen *)arg)->in += b->n;
}

static void on_back(void *arg, struct tap_batch *t, uint64_t mask)
{
	(void)t;
	((struct seen *)arg)->back += (unsigned)__builtin_popcountll(mask);
}

static void on_out(void *arg, struct port *exit, const struct batch *b,
		   uint64_t mask)
{
	(void)exit;
	(void)b;
	((struct seen *)arg)->out += (unsigned)__builtin_popcountll(mask);
}

static void on_lost(void *arg, const struct tap_batch *t, struct port *at,
		    bool is_exit, const struct batch *b, uint64_t mask,
		    enum drop_reason why)
{
	assert_non_null(t);
	(void)at;
	(void)is_exit;
	(void)b;
	assert_int_equal(why, DROP_MAIL_FULL);
	((struct seen *)arg)->lost += (unsigned)__builtin_popcountll(mask);
}

static void on_added(void *arg, struct port *p)
{
	(void)arg;
	(void)p;
}

static void on_removed(void *arg, struct port *p)
{
	if (p->tap)
		((struct seen *)arg)->end = p->stats.rx_frames;
}

static void look_on(struct lan *lan, struct lan_tap *tap, struct seen *seen)
{
	*tap = (struct lan_tap){
		.begin = on_nothing,
		.end = on_nothing,
		.in = on_in,
		.back = on_back,
		.out = on_out,
		.lost = on_lost,
		.added = on_added,
		.removed = on_removed,
		.arg = seen,
	};
	lan_tap_set(lan, tap);
}

/* Nothing takes another way because somebody looks at it. */
static void what_is_looked_at_stays_on_its_lane(void **state)
{
	struct seen seen[2] = {{0}};
	struct lan_tap tap[2];
	struct world w;
	struct pair t;
	uint64_t sum;

	(void)state;
	world_init(&w, 2, 0);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	fake_clear(t.q);
	team_pause(w.t);
	look_on(w.lan, &tap[0], &seen[0]);
	look_on(lanes_lane(w.net, 1), &tap[1], &seen[1]);
	lan_tap_port(&t.p->port, 1);
	team_resume(w.t);
	assert_false(t.leg->port.is_punted);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 5);
	until_got(&w, t.q, 5);
	lane_say(&w, 1, t.leg, fake_mac(99), t.at_p, 2); /* punted */
	until_got(&w, t.q, 7);
	team_pause(w.t);
	assert_int_equal(seen[1].in, 7);
	assert_int_equal(seen[1].back, 2);
	assert_int_equal(seen[0].in, 2);
	assert_int_equal(seen[0].out + seen[1].out, 0);
	/* What the mail has no room for. */
	for (unsigned i = 0; i < 20000; i++)
		pause_say(&w, t.leg, i % 2 ? t.at_q : fake_mac(99), t.at_p);
	assert_true(seen[1].lost > 0);
	assert_int_equal(seen[1].lost, dropped(&w, DROP_MAIL_FULL));
	lan_tap_set(lanes_lane(w.net, 1), NULL);
	/* At its end the port has counted all of it. */
	sum = stats_of(&w, t.p).rx_frames;
	assert_true(sum > t.p->port.stats.rx_frames);
	team_resume(w.t);
	pair_deinit(&w, &t);
	assert_true(seen[0].end >= sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_for_a_port_that_has_gone_is_dropped),
		cmocka_unit_test(links_are_pulled_everywhere),
		cmocka_unit_test(an_alias_is_worker_0s_alone),
		cmocka_unit_test(a_spoilt_cable_is_worker_0s),
		cmocka_unit_test(what_is_looked_at_stays_on_its_lane),
		cmocka_unit_test(a_lend_is_worker_0s_at_times),
		cmocka_unit_test(a_fault_of_a_leg_is_the_ports),
		cmocka_unit_test(a_fault_of_a_peer_that_has_gone_is_none),
		cmocka_unit_test(a_fault_is_told_when_there_is_room),
		cmocka_unit_test(nothing_is_torn_while_all_changes),
		cmocka_unit_test(
			a_network_gets_lanes_late_and_loses_them_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
