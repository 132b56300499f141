/* SPDX-License-Identifier: BSD-3-Clause */
/* What the keeper hears of an engine that it does not listen to for a while. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine_priv.h"
#include "lan/fake_port.h"
#include "lan/heard.h"
#include "os/fdpass.h"

enum { N = 3 }; /* netdevs, with the numbers from 0 */

struct bench {
	struct engine e;
	struct engine_netdev n[N];
	struct drops drops;
	int keeper;
};

static void on_channel(struct loop_io *io, uint32_t events)
{
	if (events & EPOLLOUT)
		engine_news_tell(container_of(io, struct engine, io));
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	int pair[2];

	b->e.log = LOG_INIT(LOG_LEVEL_ERROR);
	engine_heard_init(&b->e);
	list_init(&b->e.lans);
	list_init(&b->e.netdevs);
	list_init(&b->e.failures);
	for (uint32_t i = 0; i < N; i++) {
		b->n[i].id = i;
		list_add_tail(&b->e.netdevs, &b->n[i].link);
	}
	assert_int_equal(worker_new(&b->e.log, NULL, &b->drops,
				    &b->e.worker), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
				    pair), 0);
	b->keeper = pair[0];
	b->e.sock = pair[1];
	b->e.io = (struct loop_io){.fd = pair[1], .fn = on_channel};
	assert_int_equal(loop_add_level(b->e.worker->loop, &b->e.io, EPOLLIN),
			 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	loop_del(b->e.worker->loop, &b->e.io);
	engine_heard_stop(&b->e);
	engine_news_forget(&b->e);
	assert_true(list_empty(&b->e.failures));
	worker_free(b->e.worker);
	close(b->e.sock);
	close(b->keeper);
	free(b);
	return 0;
}

/* Nothing goes into the channel any more. */
static void fill(struct bench *b)
{
	union engine_msg m = {0};

	while (engine_tell(&b->e, &m, ENGINE_MSG_EVENT) == 0)
		;
	assert_int_equal(engine_tell(&b->e, &m, ENGINE_MSG_EVENT), -EAGAIN);
}

/* The next message that is no event; false: there is none. */
static bool hear(struct bench *b, union engine_msg *m)
{
	unsigned n_fds;
	ssize_t n;

	do {
		n = fd_recv(b->keeper, m, sizeof(*m), NULL, 0, &n_fds);
		if (n < 0)
			return false;
		assert_true(engine_msg_check(m, (size_t)n, n_fds));
	} while (m->head.type == ENGINE_MSG_EVENT);
	return true;
}

/* The keeper reads until there is no more to say.  The channel may have room
 * for a part only, each time. */
static unsigned hear_all(struct bench *b, union engine_msg *m, unsigned max)
{
	unsigned n = 0, before;

	do {
		assert_int_equal(loop_turn(b->e.worker->loop, 0), 0);
		for (before = n; hear(b, &m[n]); n++)
			assert_true(n + 1 < max);
	} while (b->e.is_behind || n > before);
	return n;
}

static void machine(struct bench *b, unsigned i, bool is_here)
{
	char name[ENGINE_NAME_LEN];

	snprintf(name, sizeof(name), "vm%u", i);
	engine_news_machine(&b->e, &b->n[i], name, is_here);
}

static void assert_machine(const union engine_msg *m, unsigned i, bool is_here)
{
	assert_int_equal(m->head.type, ENGINE_MSG_MACHINE);
	assert_int_equal(m->machine.port, i);
	assert_int_equal(m->machine.is_here, is_here);
	assert_int_equal(m->machine.name[2], '0' + i);
}

static void test_news_are_told_at_once(void **state)
{
	const struct msg_look looked = {.cookie = 8};
	struct bench *b = *state;
	union engine_msg m;

	machine(b, 1, true);
	assert_true(hear(b, &m));
	assert_machine(&m, 1, true);
	machine(b, 1, false);
	assert_true(hear(b, &m));
	assert_machine(&m, 1, false);
	engine_news_want_fd(&b->e, &b->n[2]);
	assert_true(hear(b, &m));
	assert_int_equal(m.head.type, ENGINE_MSG_WANT_FD);
	assert_int_equal(m.port.port, 2);
	engine_news_synced(&b->e, 7);
	assert_true(hear(b, &m));
	assert_int_equal(m.head.type, ENGINE_MSG_SYNCED);
	assert_int_equal(m.sync.cookie, 7);
	engine_news_looked(&b->e, &looked);
	assert_true(hear(b, &m));
	assert_int_equal(m.head.type, ENGINE_MSG_LOOKED);
	assert_int_equal(m.look.cookie, 8);
	assert_false(hear(b, &m));
	assert_false(b->e.is_behind);
}

/* However much happens meanwhile: who is here is known in the end, and who had
 * been, and is not what was, has been told to go. */
static void test_machines_are_counted(void **state)
{
	struct bench *b = *state;
	union engine_msg m[16];

	machine(b, 1, true); /* known .. */
	assert_true(hear(b, &m[0]));
	fill(b);
	for (unsigned i = 0; i < 500; i++) {
		machine(b, 0, true); /* 500 come and go */
		machine(b, 0, false);
		machine(b, 1, false); /* one goes and comes */
		machine(b, 1, true);
	}
	machine(b, 2, true); /* two come */
	machine(b, 2, true);
	assert_true(b->e.is_behind);
	assert_int_equal(hear_all(b, m, 16), 6);
	assert_machine(&m[0], 0, true);
	assert_machine(&m[1], 0, false);
	assert_machine(&m[2], 1, false);
	assert_machine(&m[3], 1, true);
	assert_machine(&m[4], 2, true);
	assert_machine(&m[5], 2, true);
	/* and all is as before */
	machine(b, 2, false);
	assert_true(hear(b, &m[0]));
	assert_machine(&m[0], 2, false);
	assert_false(hear(b, &m[0]));
}

static void test_answers_wait(void **state)
{
	const struct msg_look looked = {.cookie = 8};
	const struct msg_failed first = {.port = 1, .text = "first"};
	const struct msg_failed second = {.port = 2, .text = "second"};
	struct bench *b = *state;
	union engine_msg m[8];

	fill(b);
	engine_news_failed(&b->e, &first);
	engine_news_failed(&b->e, &second);
	engine_news_synced(&b->e, 7);
	engine_news_looked(&b->e, &looked);
	engine_news_want_fd(&b->e, &b->n[2]);
	engine_news_want_fd(&b->e, &b->n[2]);
	assert_int_equal(hear_all(b, m, 8), 5);
	assert_int_equal(m[0].head.type, ENGINE_MSG_WANT_FD);
	assert_int_equal(m[1].head.type, ENGINE_MSG_FAILED);
	assert_string_equal(m[1].failed.text, "first");
	assert_int_equal(m[2].head.type, ENGINE_MSG_FAILED);
	assert_string_equal(m[2].failed.text, "second");
	assert_int_equal(m[3].head.type, ENGINE_MSG_SYNCED);
	assert_int_equal(m[3].sync.cookie, 7);
	assert_int_equal(m[4].head.type, ENGINE_MSG_LOOKED);
	assert_int_equal(m[4].look.cookie, 8);
}

/* More than the channel takes at a time. */
static void test_much_is_told_by_and_by(void **state)
{
	struct bench *b = *state;
	union engine_msg *m = calloc(2000, sizeof(*m));

	fill(b);
	for (unsigned i = 0; i < 1500; i++)
		machine(b, 0, true);
	assert_int_equal(hear_all(b, m, 2000), 1500);
	for (unsigned i = 0; i < 1500; i++)
		assert_machine(&m[i], 0, true);
	free(m);
}

/* Then nobody is to hear anything. */
static void test_a_keeper_that_is_gone(void **state)
{
	struct bench *b = *state;
	int fd = b->keeper;

	fill(b);
	machine(b, 0, true);
	assert_true(b->e.is_behind);
	close(fd);
	b->keeper = -1;
	engine_news_tell(&b->e);
	assert_false(b->e.is_behind);
	machine(b, 0, false);
	assert_false(b->e.is_behind);
}

/* One port of netdev i, with so many addresses. */
static struct fake_port *addressed(struct fake_lan *l, uint32_t i, uint8_t n)
{
	struct fake_port *p = fake_new(l->lan, &(struct fake_config){0});

	p->port.id = i;
	for (uint8_t k = 0; k < n; k++) {
		const addr ip = addr_v4(10, 0, (uint8_t)i, k);

		heard_put(&p->port, &ip);
	}
	return p;
}

/* After a while, all at once, and once. */
static void test_addresses_are_told_now_and_then(void **state)
{
	struct bench *b = *state;
	struct engine_lan lan = {.id = 0};
	struct fake_port *p;
	union engine_msg m;
	struct fake_lan l;
	const addr want = addr_v4(10, 0, 1, 2);

	fake_lan_init(&l, false);
	lan.lan = l.lan;
	list_add_tail(&b->e.lans, &lan.link);
	p = addressed(&l, 1, 3);
	(void)addressed(&l, 2, 1);
	engine_heard(&b->e, &p->port);
	engine_heard(&b->e, &p->port);
	assert_false(hear(b, &m));
	while (!hear(b, &m))
		assert_int_equal(loop_turn(b->e.worker->loop, -1), 0);
	assert_int_equal(m.head.type, ENGINE_MSG_HEARD);
	assert_int_equal(m.heard.port, 1);
	assert_int_equal(m.heard.n, 3);
	assert_true(addr_eq(&m.heard.ip[0], &want));
	assert_false(timer_is_armed(&b->e.heard_timer));
	assert_false(hear(b, &m));
	/* of a netdev that is none, and with a full channel */
	p->port.id = 77;
	engine_heard(&b->e, &p->port);
	assert_false(timer_is_armed(&b->e.heard_timer));
	p->port.id = 1;
	fill(b);
	engine_heard(&b->e, &p->port);
	while (!b->e.is_behind)
		assert_int_equal(loop_turn(b->e.worker->loop, -1), 0);
	assert_int_equal(hear_all(b, &m, 2), 1);
	assert_int_equal(m.heard.n, 3);
	list_del(&lan.link);
	fake_lan_deinit(&l);
}

/* At once, but not as often as a guest likes. */
static void test_leases_are_not_always_urgent(void **state)
{
	struct bench *b = *state;
	const struct engine_news *s = &b->n[1].news;

	for (unsigned i = 0; i < ENGINE_LEASES_URGENT; i++)
		engine_leases_changed(&b->e, 1, true);
	assert_false(s->has_leases);
	engine_leases_changed(&b->e, 1, true);
	assert_true(s->has_leases);
	assert_false(s->owes_leases);
	/* another network has its own */
	engine_leases_changed(&b->e, 2, true);
	assert_false(b->n[2].news.has_leases);
	while (s->has_leases)
		assert_int_equal(loop_turn(b->e.worker->loop, -1), 0);
	assert_false(s->owes_leases);
	b->n[1].news.urgent_ns = 0; /* a second ago */
	engine_leases_changed(&b->e, 1, true);
	assert_false(s->has_leases);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* There is one room: while another worker writes to it, what is asked waits,
 * whatever it is, and the answer to what was asked before is lost. */
static void test_looks_take_turns(void **state)
{
	const struct msg_look counts = {.cookie = 5, .what = LOOK_COUNTS};
	const struct team_ops ops = {.mail = NULL};
	const struct team_config one = {.n = 1, .ops = &ops};
	struct error err = ERROR_NULL;
	struct bench *b = *state;
	union look_room room;
	union engine_msg m;

	b->e.counters.room = &room;
	assert_int_equal(team_new(&one, &b->e.team, &err), 0);
	memset(&room, 0xa5, sizeof(room));
	b->e.look.worker = 1;
	b->e.look.m.cookie = 4;
	engine_order_look(&b->e, &counts);
	assert_false(hear(b, &m));
	assert_int_equal(room.count[0], UINT64_C(0xa5a5a5a5a5a5a5a5));
	engine_look_mail(&b->e, 0); /* it gives back the turn */
	assert_true(hear(b, &m));
	assert_int_equal(m.head.type, ENGINE_MSG_LOOKED);
	assert_int_equal(m.look.cookie, 5);
	assert_int_equal(m.look.n, LOOK_COUNT_N);
	assert_int_equal(room.count[0], 0);
	assert_false(hear(b, &m));
	b->e.team = team_free(b->e.team);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_news_are_told_at_once),
		T(test_machines_are_counted),
		T(test_answers_wait),
		T(test_much_is_told_by_and_by),
		T(test_a_keeper_that_is_gone),
		T(test_addresses_are_told_now_and_then),
		T(test_leases_are_not_always_urgent),
		T(test_looks_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
