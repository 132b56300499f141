/* SPDX-License-Identifier: BSD-3-Clause */
/* When a look pays: what is a game of ping-pong and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/spin.h"

static const struct spin_round ping = {
	.waited_ns = 20000, .moved = 1, .sides = SPIN_NEAR};
static const struct spin_round pong = {
	.waited_ns = 20000, .moved = 1, .sides = SPIN_FAR};

static void play(struct spin *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		spin_round(s, &ping);
		spin_round(s, &pong);
	}
}

/* A spin that has seen n pairs. */
static struct spin after(unsigned n)
{
	struct spin s;

	spin_init(&s, 2);
	play(&s, n);
	return s;
}

static void a_game_is_looked_for(void **state)
{
	struct spin s = after(0);

	(void)state;
	assert_false(spin_pays(&s));
	s = after(SPIN_CREDIT_ON / 2);
	assert_false(spin_pays(&s)); /* the first ball was no return */
	spin_round(&s, &ping);
	assert_true(spin_pays(&s));
}

static void one_cpu_never_looks(void **state)
{
	struct spin s;

	(void)state;
	spin_init(&s, 1);
	play(&s, 1000);
	assert_false(spin_pays(&s));
}

/* n rounds r, after a long game. */
static bool pays_after(const struct spin_round *r, unsigned n)
{
	struct spin s = after(1000);

	assert_true(spin_pays(&s));
	for (unsigned i = 0; i < n; i++)
		spin_round(&s, r);
	return spin_pays(&s);
}

static void what_is_no_game_ends_it(void **state)
{
	const struct spin_round large = {.waited_ns = 20000,
					 .moved = SPIN_MOVED + 1,
					 .sides = SPIN_NEAR};
	const struct spin_round slow = {.waited_ns = SPIN_QUICK_NS + 1,
					.moved = 1,
					.sides = SPIN_NEAR};
	unsigned n = SPIN_CREDIT_MAX / SPIN_OTHER;

	(void)state;
	assert_true(pays_after(&large, n - 1));
	assert_false(pays_after(&large, n));
	assert_true(pays_after(&slow, n - 1));
	assert_false(pays_after(&slow, n));
}

/* A flood, a paced sender: nothing comes back. */
static void one_way_is_no_game(void **state)
{
	(void)state;
	assert_false(pays_after(&ping, SPIN_CREDIT_MAX + 1));
	assert_false(pays_after(&ping, 1000));
}

/* A large transfer: sides alternate as well, data one way and ACKs back. */
static void a_stream_never_begins_one(void **state)
{
	struct spin_round r = ping;
	struct spin s;

	(void)state;
	spin_init(&s, 2);
	r.moved = 65536;
	for (unsigned i = 0; i < 1000; i++) {
		spin_round(&s, &pong);
		spin_round(&s, &r);
		assert_false(spin_pays(&s));
	}
}

static void a_timer_is_no_round(void **state)
{
	const struct spin_round timer = {.waited_ns = SPIN_QUICK_NS + 1};

	(void)state;
	assert_true(pays_after(&timer, 1000));
}

static void an_odd_round_does_not_end_it(void **state)
{
	struct spin s = after(1000);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		play(&s, 2);
		spin_round(&s, &pong); /* an ACK besides */
		assert_true(spin_pays(&s));
	}
}

static void failures_end_it(void **state)
{
	struct spin s = after(1000);

	(void)state;
	for (unsigned i = 0; i < SPIN_CREDIT_MAX / SPIN_FAILURE; i++) {
		assert_true(spin_pays(&s));
		spin_failed(&s);
	}
	assert_false(spin_pays(&s));
	/* Failing on, it costs one look in so many rounds. */
	play(&s, SPIN_CREDIT_ON / 2 - 1);
	assert_false(spin_pays(&s));
	play(&s, 1);
	assert_true(spin_pays(&s));
	spin_failed(&s);
	assert_false(spin_pays(&s));
}

/* Looks that find the ball after ns, n of them; still looking? */
static bool looks(struct spin *s, uint64_t ns, unsigned n)
{
	struct spin_round r = {.waited_ns = ns, .moved = 1};

	for (unsigned i = 0; i < n; i++) {
		r.sides = s->last == SPIN_NEAR ? SPIN_FAR : SPIN_NEAR;
		r.has_looked = spin_pays(s);
		spin_round(s, &r);
	}
	return spin_pays(s);
}

static void short_looks_go_on(void **state)
{
	struct spin s = after(SPIN_CREDIT_ON);

	(void)state;
	assert_true(looks(&s, SPIN_WORTH_NS / 2, 100000));
}

static void long_looks_are_given_up(void **state)
{
	struct spin s = after(SPIN_CREDIT_ON);

	(void)state;
	assert_true(spin_pays(&s));
	assert_false(looks(&s, SPIN_WORTH_NS * 2, SPIN_TRIAL + 2));
	/* tried again later, */
	assert_false(looks(&s, SPIN_WORTH_NS * 2, SPIN_DOUBT_MIN - 8));
	assert_true(looks(&s, SPIN_WORTH_NS / 2, SPIN_TRIAL));
	/* with less and less hope */
	assert_false(looks(&s, SPIN_WORTH_NS * 2, 1000));
	for (unsigned i = 0, n = 0; i < 100; i++, n = 0) {
		while (n < 100000 && !looks(&s, SPIN_WORTH_NS * 2, 1))
			n++;
		assert_true(n <= SPIN_DOUBT_MAX);
		assert_true(i < 10 || n > SPIN_DOUBT_MAX / 2);
		(void)looks(&s, SPIN_WORTH_NS * 2, SPIN_TRIAL + 2);
	}
}

static void connections_ask_the_kernel_seldom(void **state)
{
	struct spin_round opening = ping;
	struct spin s = after(1000);

	(void)state;
	assert_false(spin_asks_seldom(&s));
	opening.is_opening = true;
	for (unsigned i = 0; i < 1000; i++) {
		spin_round(&s, &opening);
		spin_round(&s, &pong);
		play(&s, SPIN_OPENING / 2 - 1);
		assert_true(spin_pays(&s));
		assert_true(spin_asks_seldom(&s));
	}
	play(&s, 1);
	assert_false(spin_asks_seldom(&s));
	assert_true(spin_pays(&s));
}

/* ---- between machines ---- */

static const char machine[3]; /* their places in memory are who they are */

/* Machine who speaks alone; still looking? */
static bool speaks(struct spin *s, const void *who, uint64_t bytes)
{
	struct spin_round r = {.waited_ns = 20000,
			       .sides = SPIN_NEAR,
			       .has_looked = spin_pays(s),
			       .talk = {.who = who, .bytes = bytes}};

	spin_round(s, &r);
	return spin_pays(s);
}

/* Two machines that have played for long. */
static struct spin after_machines(void)
{
	struct spin s;

	spin_init(&s, 2);
	for (unsigned i = 0; i < 1000; i++)
		(void)speaks(&s, &machine[i % 2], 67);
	assert_true(spin_pays(&s));
	return s;
}

static void machines_that_take_turns_play(void **state)
{
	struct spin s;
	unsigned n = 0;

	(void)state;
	spin_init(&s, 2);
	while (n < 1000 && !speaks(&s, &machine[n % 2], 67))
		n++;
	/* The first two were no answers. */
	assert_int_equal(n, SPIN_CREDIT_ON + 2 - 1);
	for (n = 0; n < SPIN_CREDIT_MAX; n++)
		assert_true(speaks(&s, &machine[n % 2], 67));
	/* One that goes on alone ends it. */
	for (n = 0; n < SPIN_CREDIT_MAX + 1; n++)
		(void)speaks(&s, &machine[0], 67);
	assert_false(spin_pays(&s));
}

static void a_bell_without_frames_does_not_end_it(void **state)
{
	const struct spin_round bell = {.waited_ns = 20000,
					.sides = SPIN_NEAR};
	struct spin s = after_machines();

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(speaks(&s, &machine[0], 67));
		assert_true(speaks(&s, &machine[1], 67));
		spin_round(&s, &bell);
	}
}

/* Data one way, ACKs back; whole, or two short frames to each ACK. */
static void a_stream_between_machines_is_no_game(void **state)
{
	struct spin s = after_machines();
	unsigned n = 0;

	(void)state;
	while (n < 1000 && speaks(&s, &machine[n % 2], n % 2 ? 66 : 65550))
		n++;
	assert_true(n < 2 * SPIN_CREDIT_MAX / (SPIN_OTHER - 1) + 2);
	for (n = 0; n < 1000; n++)
		assert_false(speaks(&s, &machine[n % 2], n % 2 ? 66 : 65550));
	for (n = 0; n < 1000; n++) {
		assert_false(speaks(&s, &machine[0], 1514));
		assert_false(speaks(&s, &machine[0], 1514));
		assert_false(speaks(&s, &machine[1], 66));
	}
	/* It ends a game, too. */
	s = after_machines();
	for (n = 0; n < 3 * SPIN_CREDIT_MAX; n++)
		(void)speaks(&s, &machine[n % 3 == 2], n % 3 == 2 ? 66 : 1514);
	assert_false(spin_pays(&s));
}

/* Who has the next word cannot be told, or waits for nobody. */
static void a_crowd_is_no_game(void **state)
{
	struct spin_round both = {.waited_ns = 20000,
				  .sides = SPIN_NEAR,
				  .talk = {.who = machine,
					   .is_several = true,
					   .bytes = 134}};
	struct spin s = after_machines();
	unsigned n;

	(void)state;
	for (n = 0; n < SPIN_CREDIT_MAX + 2; n++) /* two answer still */
		(void)speaks(&s, &machine[n % 3], 67);
	assert_false(spin_pays(&s));
	s = after_machines();
	for (n = 0; n < SPIN_CREDIT_MAX + 1; n++)
		spin_round(&s, &both);
	assert_false(spin_pays(&s));
	/* What several said was nobody's word to answer. */
	for (n = 0; n < 1000; n++) {
		assert_false(speaks(&s, &machine[0], 67));
		spin_round(&s, &both);
	}
}

/* A game with the host stays one, however much its machines say at once. */
static void frames_count_only_between_machines(void **state)
{
	struct spin_round crowd = ping;
	struct spin s = after(1000);

	(void)state;
	crowd.talk = (struct talk){
		.who = machine, .is_several = true, .bytes = SPIN_MOVED + 1};
	for (unsigned i = 0; i < 1000; i++) {
		spin_round(&s, &crowd);
		spin_round(&s, &pong);
		assert_true(spin_pays(&s));
	}
}

/* Frames of machines in rounds that are the host's, too, answer nobody. */
static void the_host_beside_is_no_game_of_machines(void **state)
{
	struct spin_round r = {.waited_ns = 20000,
			       .sides = SPIN_NEAR | SPIN_FAR};
	struct spin s;

	(void)state;
	spin_init(&s, 2);
	for (unsigned i = 0; i < 1000; i++) {
		r.talk = (struct talk){.who = &machine[i % 2], .bytes = 67};
		spin_round(&s, &r);
		assert_false(spin_pays(&s));
	}
}

/* ---- several loops ---- */

static void one_cpu_is_left_to_the_others(void **state)
{
	struct spin_looks looks = {0};
	struct spin one, two, other, three, alone;

	(void)state;
	spin_init(&one, 1);
	assert_false(spin_begin(&one)); /* by itself, too */
	spin_init(&two, 2);
	spin_init(&other, 2);
	spin_init(&three, 3);
	spin_init(&alone, 2);
	spin_share(&two, &looks);
	spin_share(&other, &looks);
	spin_share(&three, &looks);
	assert_true(spin_begin(&alone));
	assert_true(spin_begin(&two));
	assert_true(spin_goes_on(&two));
	assert_true(spin_begin(&other)); /* in its place */
	assert_false(spin_goes_on(&two));
	assert_true(spin_goes_on(&other));
	assert_true(spin_begin(&three));
	assert_false(spin_goes_on(&other));
	assert_true(spin_begin(&two));
	assert_true(spin_goes_on(&two));
	assert_true(spin_goes_on(&three)); /* two may, of three */
	assert_true(spin_begin(&two));
	assert_false(spin_goes_on(&three));
	assert_true(spin_goes_on(&alone));
}

/* Only a round with a new connection, of each. */
static void opens(struct spin *s)
{
	const struct spin_round r = {
		.sides = SPIN_NEAR, .waited_ns = 1000, .is_opening = true};

	spin_round(s, &r);
}

static void the_last_connection_is_looked_for(void **state)
{
	struct spin a, b, c;
	struct spin_looks looks = {0};

	(void)state;
	spin_init(&a, 2);
	spin_init(&b, 2);
	spin_share(&a, &looks);
	spin_share(&b, &looks);
	opens(&a);
	assert_true(spin_begin(&a));
	opens(&b);
	assert_true(spin_begin(&b));
	assert_false(spin_begin(&a)); /* b's goes on */
	assert_true(spin_goes_on(&b));
	opens(&a);
	assert_true(spin_begin(&a));
	assert_false(spin_goes_on(&b));
	assert_false(spin_begin(&b));

	spin_init(&c, 3); /* the last two */
	spin_share(&c, &looks);
	opens(&c);
	opens(&a);
	assert_true(spin_begin(&c));
	opens(&a);
	assert_false(spin_begin(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_game_is_looked_for),
		cmocka_unit_test(one_cpu_never_looks),
		cmocka_unit_test(what_is_no_game_ends_it),
		cmocka_unit_test(one_way_is_no_game),
		cmocka_unit_test(a_stream_never_begins_one),
		cmocka_unit_test(a_timer_is_no_round),
		cmocka_unit_test(an_odd_round_does_not_end_it),
		cmocka_unit_test(failures_end_it),
		cmocka_unit_test(short_looks_go_on),
		cmocka_unit_test(long_looks_are_given_up),
		cmocka_unit_test(connections_ask_the_kernel_seldom),
		cmocka_unit_test(machines_that_take_turns_play),
		cmocka_unit_test(a_bell_without_frames_does_not_end_it),
		cmocka_unit_test(a_stream_between_machines_is_no_game),
		cmocka_unit_test(a_crowd_is_no_game),
		cmocka_unit_test(frames_count_only_between_machines),
		cmocka_unit_test(the_host_beside_is_no_game_of_machines),
		cmocka_unit_test(one_cpu_is_left_to_the_others),
		cmocka_unit_test(the_last_connection_is_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
