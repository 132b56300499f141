/* SPDX-License-Identifier: BSD-3-Clause */
/* Lanes: what they carry, what they punt, and that their table follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/lan_priv.h"
#include "worker/lanes_rig.h"

enum { MANY = 20000 };

/* ---- carrying ---- */

static void unknown_is_punted_known_is_carried(void **state)
{
	struct port_stats s;
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	t.q->on_send = note_ingress;
	t.q->arg = &w;
	/* Neither address is known. */
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 3);
	until_got(&w, t.q, 3);
	assert_int_equal(w.ingress, t.p->port.serial);
	assert_int_equal(t.p->port.stats.rx_frames, 3); /* by the port itself */
	assert_int_equal(t.leg->port.stats.rx_frames, 0);
	assert_ptr_equal(fdb_find(&w.lan->fdb, t.at_p), &t.p->port);
	/* The answer is for queue 0, as worker 0 gave it. */
	say(t.q, t.at_p, t.at_q);
	assert_int_equal(t.p->n_out, 1);
	until_copied(&w);
	fake_clear(t.q);
	w.ingress = 0;
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 5);
	until_got(&w, t.q, 5);
	assert_int_equal(w.ingress, t.p->port.serial);
	assert_int_equal(t.p->port.stats.rx_frames, 3);
	assert_int_equal(t.leg->port.stats.rx_frames, 5);
	s = stats_of(&w, t.p);
	assert_int_equal(s.rx_frames, 8);
	assert_int_equal(s.rx_bytes, 8 * FRAME_LEN);
	assert_int_equal(s.tx_frames, 1);
	s = stats_of(&w, t.q);
	assert_int_equal(s.tx_frames, 8);
	assert_int_equal(s.tx_bytes, 8 * FRAME_LEN);
	assert_int_equal(s.rx_drops + s.tx_drops, 0);
	pair_deinit(&w, &t);
}

static void what_is_not_sure_is_punted(void **state)
{
	const mac group = {{1, 0, 0x5e, 1, 2, 3}};
	struct world w;
	struct pair t;
	struct fake_port *r;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	r = port_new(&w, "r");
	pair_greet(&w, &t);
	fake_clear(r);
	lane_say(&w, 1, t.leg, MAC_BROADCAST, t.at_p, 1);
	lane_say(&w, 1, t.leg, group, t.at_p, 1);
	lane_say(&w, 1, t.leg, fake_mac(99), t.at_p, 1); /* nobody's */
	lane_say(&w, 1, t.leg, t.at_q, fake_mac(3), 1);  /* learned there */
	until_got(&w, t.q, 4);
	assert_int_equal(r->n_out, 3);
	assert_int_equal(t.leg->port.stats.rx_frames, 0);
	assert_ptr_equal(fdb_find(&w.lan->fdb, fake_mac(3)), &t.p->port);
	/* What worker 0 does not carry it drops by name. */
	lane_say(&w, 1, t.leg, t.at_p, t.at_p, 2);
	until_dropped(&w, DROP_HAIRPIN, 2);
	lane_say(&w, 1, t.leg, t.at_q, group, 1);
	until_dropped(&w, DROP_FRAME_SRC_GROUP, 1);
	assert_int_equal(stats_of(&w, t.p).rx_drops, 3);
	assert_int_equal(t.leg->port.stats.rx_frames, 0);
	pair_deinit(&w, &t);
}

/* x has its second queue on worker 1, y has it on worker 2. */
static void lanes_send_to_each_other(void **state)
{
	struct fake_port *x, *y, *x1, *y2;
	struct world w;

	world_init(&w, 4, 0);
	x = port_new(&w, "x");
	y = port_new(&w, "y");
	x1 = leg_new(&w, x, 1);
	y2 = leg_new(&w, y, 2);
	say(x, fake_mac(2), fake_mac(1));
	say(y, fake_mac(1), fake_mac(2));
	until_copied(&w);
	fake_clear(y);
	y2->on_send = note_ingress;
	y2->arg = &w;
	/* Lane 1's mail leg takes the second of y's queues. */
	lane_say(&w, 1, x1, fake_mac(2), fake_mac(1), 100);
	until_got(&w, y2, 100);
	assert_int_equal(w.ingress, x->port.serial);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(number_of(&y2->out[i]), i);
	assert_int_equal(y->n_out, 0);
	assert_int_equal(stats_of(&w, y).tx_frames, 101);
	/* Both have one on worker 2. */
	y2->on_send = NULL;
	fake_clear(y2);
	lane_say(&w, 2, y2, fake_mac(1), fake_mac(2), 10);
	until_got(&w, x, 10);
	/* y's is gone: what is for it goes by its first. */
	assert_int_equal(lanes_leg_set(w.net, &y->port, 2, NULL), 0);
	lane_say(&w, 1, x1, fake_mac(2), fake_mac(1), 7);
	until_got(&w, y, 7);
	assert_int_equal(y2->n_out, 0);
	/* Of the old leg, too. */
	assert_int_equal(stats_of(&w, y).tx_frames, 108);
	fake_free(y2);
	assert_int_equal(lanes_leg_set(w.net, &x->port, 1, NULL), 0);
	fake_free(x1);
	world_deinit(&w);
}

static bool is_all_counted(struct world *w, void *arg)
{
	const struct pair *t = arg;

	return t->q->n_out + dropped(w, DROP_MAIL_FULL) == MANY;
}

static void frames_stay_in_order_and_are_all_counted(void **state)
{
	struct port_stats s;
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, MANY);
	until(&w, is_all_counted, &t);
	for (unsigned i = 1; i < t.q->n_out; i++)
		assert_true(number_of(&t.q->out[i]) >
			    number_of(&t.q->out[i - 1]));
	assert_true(t.q->n_out > 0);
	s = stats_of(&w, t.p);
	assert_int_equal(s.rx_frames, 1 + MANY);
	s = stats_of(&w, t.q);
	assert_int_equal(s.tx_frames, 1 + t.q->n_out);
	assert_int_equal(s.tx_drops, MANY - t.q->n_out);
	pair_deinit(&w, &t);
}

/* What one machine sends too much of, punted or for a mail leg, leaves room
 * for what another on its worker has to say. */
static void a_flood_is_its_senders_loss(void **state)
{
	struct world w;
	struct pair t, o;
	uint64_t lost;

	(void)state;
	for (unsigned is_known = 0; is_known < 2; is_known++) {
		world_init(&w, 2, 0);
		pair_init(&w, &t);
		o.p = port_new(&w, "o");
		o.leg = leg_new(&w, o.p, 1);
		if (is_known)
			pair_greet(&w, &t);
		team_pause(w.t);
		for (unsigned i = 0; i < MANY; i++)
			pause_say(&w, t.leg, t.at_q, t.at_p);
		lost = dropped(&w, DROP_MAIL_FULL);
		assert_true(lost > 0);
		for (unsigned i = 0; i < 50; i++)
			pause_say(&w, o.leg, t.at_q, fake_mac(77));
		assert_int_equal(dropped(&w, DROP_MAIL_FULL), lost);
		team_resume(w.t);
		assert_int_equal(lanes_leg_set(w.net, &o.p->port, 1, NULL), 0);
		fake_free(o.leg);
		pair_deinit(&w, &t);
	}
}

/* The mail is full of what was punted. */
static void what_is_punted_and_lost_is_counted(void **state)
{
	struct port_stats s;
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	team_pause(w.t);
	for (unsigned i = 0; i < MANY; i++)
		pause_say(&w, t.leg, t.at_q, t.at_p);
	assert_true(dropped(&w, DROP_MAIL_FULL) > 0);
	team_resume(w.t);
	until(&w, is_all_counted, &t);
	s = stats_of(&w, t.p);
	assert_int_equal(s.rx_frames, MANY);
	assert_int_equal(s.rx_bytes, (uint64_t)MANY * FRAME_LEN);
	assert_int_equal(s.rx_drops, MANY - t.q->n_out);
	pair_deinit(&w, &t);
}

/* The exit of a mail leg is asked what it can do, and is cut for. */
static void abilities_are_the_exits(void **state)
{
	struct port_caps caps = {.max_frame = FRAME_LEN - 1, .queues = 1};
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	lan_port_caps(&t.q->port, &caps);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 2);
	until_dropped(&w, DROP_FRAME_LONG, 2);
	assert_int_equal(stats_of(&w, t.q).tx_drops, 2);
	caps.max_frame = FRAME_LEN;
	lan_port_caps(&t.q->port, &caps);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 2);
	until_got(&w, t.q, 2);
	pair_deinit(&w, &t);
}

static void what_the_exit_cannot_do_is_done_before(void **state)
{
	const struct frame_offload off = {.flags = FRAME_F_NEEDS_CSUM,
					  .csum_start = 20,
					  .csum_offset = 2};
	struct port_caps caps = {.max_frame = FRAME_MAX, .queues = 1};
	uint8_t buf[FRAME_LEN];
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	put_frame(buf, t.at_q, t.at_p, 1);
	for (unsigned can = 0; can < 2; can++) {
		caps.offload = can ? PORT_O_CSUM : 0;
		lan_port_caps(&t.q->port, &caps);
		team_pause(w.t);
		fake_rx(t.leg, buf, sizeof(buf), &off);
		team_resume(w.t);
		until_got(&w, t.q, 1 + can);
	}
	assert_int_equal(t.q->out[0].off.flags & FRAME_F_NEEDS_CSUM, 0);
	assert_memory_not_equal(t.q->out[0].data, buf, sizeof(buf));
	assert_memory_equal(&t.q->out[1].off, &off, sizeof(off));
	assert_memory_equal(t.q->out[1].data, buf, sizeof(buf));
	pair_deinit(&w, &t);
}

static bool is_let_go(struct world *w, void *arg)
{
	const struct fake_port *f = arg;

	return f->n_held == 0;
}

/* Between two queues of one worker a sender can wait, as anywhere. */
static void a_lane_holds_what_its_own_leg_has_no_room_for(void **state)
{
	struct fake_config c = {.name = "leg", .hold_max = 64};
	struct fake_port *q1, *held;
	struct world w;
	struct pair t;

	world_init(&w, 2, 0);
	pair_init(&w, &t);
	held = fake_make(&c);
	assert_int_equal(lanes_leg_set(w.net, &t.p->port, 1, &held->port), 0);
	q1 = leg_new(&w, t.q, 1);
	pair_greet(&w, &t);
	q1->room = 0;
	team_pause(w.t);
	pause_say(&w, held, t.at_q, t.at_p);
	assert_int_equal(held->n_held, 1);
	fake_add_room(q1, 1);
	assert_int_equal(held->n_held, 0);
	assert_int_equal(q1->n_out, 1);
	/* The sender is unplugged: its worker lets go. */
	pause_say(&w, held, t.at_q, t.at_p);
	assert_int_equal(held->n_held, 1);
	lan_port_admin(&t.p->port, false);
	team_resume(w.t);
	until(&w, is_let_go, held);
	assert_int_equal(dropped(&w, DROP_LINK_DOWN_IN), 1);
	fake_free(t.q);
	fake_free(q1);
	fake_free(t.p);
	fake_free(held);
	fake_free(t.leg);
	world_deinit(&w);
}

/* ---- the table ---- */

static void who_moves_is_followed(void **state)
{
	struct fake_port *r;
	struct world w;
	struct pair t;

	world_init(&w, 4, 0);
	pair_init(&w, &t);
	r = port_new(&w, "r");
	pair_greet(&w, &t);
	fake_clear(r);
	say(r, t.at_p, t.at_q);
	until_copied(&w);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 4);
	until_got(&w, r, 4);
	assert_int_equal(t.q->n_out, 0);
	/* And p itself: its leg knows it is not there. */
	say(r, t.at_q, t.at_p);
	until_copied(&w);
	fake_clear(r);
	lane_say(&w, 1, t.leg, t.at_q, t.at_p, 1);
	until_got(&w, r, 1);
	assert_ptr_equal(fdb_find(&w.lan->fdb, t.at_p), &t.p->port);
	pair_deinit(&w, &t);
}

/* Thousands of addresses, for some of which the mail has no room at first. */
static void a_flood_of_addresses_is_told_in_the_end(void **state)
{
	struct world w;
	struct pair t;

	world_init(&w, 4, 0);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	team_pause(w.t);
	while (mail_post(team_mail(w.t, 0, 1),
			 &(struct mail_cell){.kind = LANES_KINDS_END}))
		;
	for (uint32_t i = 0; i < 3 * LAN_FDB_MAX; i++)
		say(t.q, t.at_p, fake_mac(100 + i));
	assert_int_equal(w.lan->fdb.n, LAN_FDB_MAX);
	while (timer_is_armed(&w.net->timer))
		assert_int_equal(loop_turn(loop_of(&w, 0), 2), 0);
	assert_int_equal(w.net->lane[1].dirty.n, LAN_FDB_MAX - 1);
	assert_int_equal(w.net->lane[2].dirty.n, 0);
	team_resume(w.t);
	until_copied(&w);
	lan_port_link(&t.q->port, false);
	until_copied(&w);
	assert_int_equal(w.lan->fdb.n, 1);
	pair_deinit(&w, &t);
}

struct seen {
	mac m;
	uint64_t age_ns;
};

static void note_age(void *arg, mac m, struct port *p, uint64_t age_ns)
{
	struct seen *s = arg;

	if (mac_eq(m, s->m))
		s->age_ns = age_ns;
}

struct used {
	struct pair *t;
	uint64_t last_ns;
};

static bool is_younger(struct world *w, void *arg)
{
	struct used *u = arg;
	struct seen s = {.m = u->t->at_p, .age_ns = UINT64_MAX};
	uint64_t before = u->last_ns;

	lan_macs(w->lan, note_age, &s);
	u->last_ns = s.age_ns;
	lane_say(w, 1, u->t->leg, u->t->at_q, u->t->at_p, 1);
	return s.age_ns < before;
}

/* What only a lane carries keeps the entry of worker 0 alive. */
static void who_sends_on_a_lane_is_not_forgotten(void **state)
{
	struct used u = {.last_ns = 0};
	struct world w;
	struct pair t;

	world_init(&w, 2, 1);
	pair_init(&w, &t);
	pair_greet(&w, &t);
	u.t = &t;
	until(&w, is_younger, &u);
	assert_int_equal(t.p->port.stats.rx_frames, 1);
	pair_deinit(&w, &t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_is_punted_known_is_carried),
		cmocka_unit_test(what_is_not_sure_is_punted),
		cmocka_unit_test(lanes_send_to_each_other),
		cmocka_unit_test(frames_stay_in_order_and_are_all_counted),
		cmocka_unit_test(a_flood_is_its_senders_loss),
		cmocka_unit_test(what_is_punted_and_lost_is_counted),
		cmocka_unit_test(abilities_are_the_exits),
		cmocka_unit_test(what_the_exit_cannot_do_is_done_before),
		cmocka_unit_test(
			a_lane_holds_what_its_own_leg_has_no_room_for),
		cmocka_unit_test(who_moves_is_followed),
		cmocka_unit_test(a_flood_of_addresses_is_told_in_the_end),
		cmocka_unit_test(who_sends_on_a_lane_is_not_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
