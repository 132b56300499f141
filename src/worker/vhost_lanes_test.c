/* SPDX-License-Identifier: BSD-3-Clause */
/* Queue pairs of vhost-user guests on several workers: A and C have four, B has
 * one.  Frames on all of them, while pairs, memory and guests come and go.
 * Worker 0 is the test, and all guests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/mem.h"
#include "netdev/rig_vhost.h"
#include "netdev/vhost_user.h"
#include "os/clock.h"
#include "worker/kinds_rig.h"

enum {
	PAIRS = 4,
	LEN_MIN = 64,
	LEN_MAX = 1500,
	BODY_AT = 42, /* behind Ethernet, IPv4, UDP */
	UDP = 17,
	IN_FLIGHT = 24, /* frames of a sender that nobody may lose */
	WAIT_S = 60,
	F_WRITE = 2,
	BURST = 60, /* of a storm's round */
};

enum who { A, B, C, GUESTS };

/* What a frame says of itself. */
struct body {
	uint8_t from, to, pair, salt;
	uint32_t number;
};

struct guest {
	struct port *port;
	struct vpeer peer;
	bool is_here;
	bool is_asleep; /* takes no frames */
	unsigned sent, got; /* by all, to all; of all */
	/* frames got here: by sender, its pair, own pair */
	unsigned way[GUESTS][PAIRS][PAIRS];
};

struct test {
	struct world w;
	struct rig rig;
	struct kinds kinds;
	struct guest g[GUESTS];
	uint32_t number;
};

static unsigned n_pairs(enum who i)
{
	return i == B ? 1 : PAIRS;
}

/* ---- making ---- */

static void turn(struct test *t)
{
	rig_turn(&t->rig, 0);
}

static void guest_start(struct test *t, enum who i)
{
	static const char *const name[] = {"a", "b", "c"};
	struct vpeer_config c = {.pairs = n_pairs(i), .offered = n_pairs(i)};
	struct netdev_stream_config nc = {.name = name[i],
					  .queues = n_pairs(i)};
	struct guest *g = &t->g[i];
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	nc.fd = fd[0];
	if (g->port)
		assert_int_equal(netdev_vhost_attach(g->port, fd[0]), 0);
	else
		assert_int_equal(
			netdev_vhost_new(&t->rig.env, &nc, &g->port), 0);
	vpeer_init(&g->peer, &t->rig, fd[1], &c);
	vpeer_start(&g->peer);
	assert_true(port_is_up(g->port));
	g->is_here = true;
}

static bool is_gone(struct world *w, void *arg)
{
	const struct guest *g = arg;

	(void)w;
	return !g->port->carrier;
}

static void guest_stop(struct test *t, enum who i)
{
	vpeer_deinit(&t->g[i].peer);
	t->g[i].is_here = false;
	until(&t->w, is_gone, &t->g[i]);
}

static struct test *test_new(unsigned n_workers)
{
	struct test *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	world_init(&t->w, n_workers, 0);
	kinds_init(&t->kinds, &t->w);
	t->rig.loop = loop_of(&t->w, 0);
	t->rig.lan = t->w.lan;
	t->rig.env = t->kinds.env;
	for (unsigned i = 0; i < GUESTS; i++)
		guest_start(t, i);
	return t;
}

static int setup3(void **state)
{
	*state = test_new(3);
	return 0;
}

static int setup4(void **state)
{
	*state = test_new(4);
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	for (unsigned i = 0; i < GUESTS; i++) {
		rig_remove(t->g[i].port);
		if (t->g[i].is_here)
			vpeer_deinit(&t->g[i].peer);
	}
	world_deinit(&t->w);
	free(t);
	return 0;
}

/* ---- frames ---- */

static uint8_t fill_of(const struct body *b, unsigned i)
{
	return (uint8_t)(b->salt + b->number * 7 + i);
}

static uint32_t len_of(const struct body *b)
{
	return LEN_MIN + b->number * 37 % (LEN_MAX - LEN_MIN);
}

static uint32_t make(uint8_t *p, const struct body *b)
{
	static const uint8_t head[] = {8, 0, 0x45, 0, 0, 0, 0, 0,
				       0, 0, 64,   UDP};
	static const uint8_t first[] = {0x52, 0x54, 0, 0, 0};
	uint32_t len = len_of(b);

	memset(p, 0, BODY_AT);
	memcpy(p, first, sizeof(first));
	memcpy(p + 6, first, sizeof(first));
	p[5] = (uint8_t)(1 + b->to);
	p[11] = (uint8_t)(1 + b->from);
	memcpy(p + 12, head, sizeof(head));
	put_be16(p + 16, (uint16_t)(len - 14));
	p[26] = p[30] = 10;
	p[29] = p[11];
	p[33] = p[5];
	/* Flows enough for each of the receiver's pairs. */
	put_be16(p + 34, (uint16_t)(1000 + b->number % 64));
	put_be16(p + 36, 7);
	put_be16(p + 38, (uint16_t)(len - 34));
	memcpy(p + BODY_AT, b, sizeof(*b));
	for (uint32_t i = BODY_AT + sizeof(*b); i < len; i++)
		p[i] = fill_of(b, i);
	return len;
}

/* True if there was room in its ring. */
static bool send_on(struct test *t, enum who from, enum who to, unsigned pair)
{
	struct body b = {.from = from,
			 .to = to,
			 .pair = (uint8_t)pair,
			 .salt = 0x35,
			 .number = t->number};
	uint8_t buf[LEN_MAX];
	uint32_t len = make(buf, &b);

	if (!vpeer_send_on(&t->g[from].peer, pair, NULL, buf, len))
		return false;
	t->number++;
	t->g[from].sent++;
	return true;
}

static void check(struct test *t, enum who to, unsigned pair,
		  const uint8_t *p, uint32_t len)
{
	uint8_t want[LEN_MAX];
	struct body b;

	assert_true(len >= LEN_MIN && len <= LEN_MAX);
	memcpy(&b, p + BODY_AT, sizeof(b));
	assert_in_range(b.from, 0, GUESTS - 1);
	assert_in_range(b.pair, 0, PAIRS - 1);
	assert_int_equal(len, make(want, &b));
	assert_memory_equal(p, want, len);
	if (b.to != to) /* flooded */
		return;
	t->g[to].got++;
	t->g[to].way[b.from][b.pair][pair]++;
}

static void take_all(struct test *t)
{
	uint8_t buf[LEN_MAX];
	uint32_t len;

	for (unsigned i = 0; i < GUESTS; i++) {
		struct guest *g = &t->g[i];

		for (unsigned q = 0; g->is_here && q < n_pairs(i); q++) {
			if (g->is_asleep)
				break;
			while ((len = vpeer_recv_on(&g->peer, q, NULL, buf,
						    sizeof(buf))))
				check(t, i, q, buf, len);
		}
	}
}

static void work(struct test *t)
{
	turn(t);
	take_all(t);
}

static void forget(struct test *t)
{
	for (unsigned i = 0; i < GUESTS; i++) {
		t->g[i].sent = t->g[i].got = 0;
		memset(t->g[i].way, 0, sizeof(t->g[i].way));
	}
}

static unsigned sum(const struct test *t, bool is_sent)
{
	unsigned n = 0;

	for (unsigned i = 0; i < GUESTS; i++)
		n += is_sent ? t->g[i].sent : t->g[i].got;
	return n;
}

static uint64_t drops_of(struct test *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		n += dropped(&t->w, i);
	return n;
}

static void until_all_got(struct test *t)
{
	int64_t end = now_ms() + WAIT_S * 1000;

	while (sum(t, false) < sum(t, true)) {
		if (now_ms() > end)
			fail_msg("%u of %u arrived, %llu dropped",
				 sum(t, false), sum(t, true),
				 (unsigned long long)drops_of(t));
		work(t);
	}
}

/* Until nothing is on its way any more: each worker has nothing to do. */
static void settle(struct test *t)
{
	unsigned before;

	for (unsigned i = 0; i < GUESTS; i++)
		t->g[i].is_asleep = false;
	for (unsigned calm = 0; calm < 20; calm++) {
		before = t->g[A].got + t->g[B].got + t->g[C].got;
		team_pause(t->w.t);
		team_resume(t->w.t);
		rig_turn(&t->rig, 2);
		take_all(t);
		if (t->g[A].got + t->g[B].got + t->g[C].got != before)
			calm = 0;
	}
	forget(t);
}

/* All know where all are. */
static void greet(struct test *t)
{
	for (unsigned from = 0; from < GUESTS; from++) {
		for (unsigned to = 0; to < GUESTS; to++) {
			if (from != to)
				assert_true(send_on(t, from, to, 0));
		}
		work(t);
	}
	settle(t);
	until_copied(&t->w);
}

/* n frames each way between two, on this pair of the sender's; none is lost. */
static void exchange(struct test *t, enum who from, enum who to, unsigned pair,
		     unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		while (sum(t, true) - sum(t, false) >= IN_FLIGHT)
			work(t);
		while (!send_on(t, from, to, pair))
			work(t);
	}
	until_all_got(t);
}

/* The same while a third takes nothing. */
static void exchange_past(struct test *t, enum who from, enum who to,
			  unsigned pair, unsigned n)
{
	unsigned before = t->g[to].got;

	for (unsigned i = 0; i < n; i++) {
		while (!send_on(t, from, to, pair))
			work(t);
		while (t->g[to].got - before <= i)
			work(t);
	}
}

/* Frames on all pairs arrive, and on the worker's own. */
static void expect_all_ways(struct test *t, unsigned n)
{
	unsigned w = t->w.n;

	forget(t);
	for (unsigned from = 0; from < GUESTS; from++) {
		for (unsigned to = 0; to < GUESTS; to++) {
			for (unsigned q = 0; q < n_pairs(from); q++) {
				if (from != to)
					exchange(t, from, to, q, n);
			}
		}
	}
	for (unsigned q = 0; q < PAIRS; q++) {
		for (unsigned k = 0; k < PAIRS; k++) {
			bool is_same = q % w == k % w;

			if (!is_same)
				assert_int_equal(t->g[C].way[A][q][k], 0);
			else if (n >= 64)
				assert_true(t->g[C].way[A][q][k] > 0);
		}
	}
	forget(t);
}

/* ---- tests ---- */

static void test_all_pairs(void **state)
{
	struct test *t = *state;
	uint64_t lost = drops_of(t);
	struct port_stats s;

	greet(t);
	expect_all_ways(t, 150);
	assert_int_equal(drops_of(t), lost);
	lanes_port_stats(t->w.net, t->g[A].port, &s);
	assert_true(s.rx_frames >= 2 * PAIRS * 150);
	assert_true(s.tx_frames >= (PAIRS + 1) * 150);
	assert_int_equal(s.rx_drops + s.tx_drops, 0);
}

/* A guest of one queue stops nobody. */
static void test_one_queue_makes_no_pause(void **state)
{
	struct test *t = *state;
	unsigned before;

	greet(t);
	before = t->kinds.n_pauses;
	for (unsigned i = 0; i < 5; i++) {
		vpeer_stop(&t->g[B].peer);
		vpeer_rings(&t->g[B].peer);
		vpeer_enable(&t->g[B].peer, 0, false);
		vpeer_enable(&t->g[B].peer, 0, true);
		vpeer_share_memory(&t->g[B].peer);
		guest_stop(t, B);
		guest_start(t, B);
	}
	assert_int_equal(t->kinds.n_pauses, before);
	greet(t);
	expect_all_ways(t, 10);
}

static bool has_leg(struct test *t, enum who i, unsigned worker)
{
	bool has;

	team_pause(t->w.t);
	has = vhost_of(t->g[i].port)->leg[worker]->port.lan;
	team_resume(t->w.t);
	return has;
}

/* What is for a pair that is disabled goes to the others, whole. */
static void test_disabled_pairs(void **state)
{
	struct test *t = *state;

	greet(t);
	for (unsigned q = 1; q < PAIRS; q++) {
		vpeer_enable(&t->g[C].peer, q, false);
		settle(t);
		assert_int_equal(has_leg(t, C, 1), q < 1);
		for (unsigned k = 0; k < PAIRS; k++)
			exchange(t, A, C, k, 100);
		for (unsigned k = 0; k < PAIRS; k++) {
			for (unsigned d = 1; d <= q; d++)
				assert_int_equal(t->g[C].way[A][k][d], 0);
		}
		exchange(t, C, A, 0, 100);
		forget(t);
	}
	for (unsigned q = 1; q < PAIRS; q++)
		vpeer_enable(&t->g[C].peer, q, true);
	settle(t);
	assert_true(has_leg(t, C, 1));
	expect_all_ways(t, 64);
}

/* What was sent before is read still, though by another; what comes after is
 * not. */
static void test_sent_before_disabling(void **state)
{
	struct vhost_vring_state off = {.index = 2 * VHOST_RINGS + VHOST_TX};
	struct test *t = *state;
	uint64_t ack = 1;

	greet(t);
	team_pause(t->w.t); /* nobody reads before the message is there */
	for (unsigned i = 0; i < 20; i++)
		assert_true(send_on(t, A, C, 2));
	vpeer_say(&t->g[A].peer, VHOST_SET_VRING_ENABLE, VHOST_F_NEED_REPLY,
		  &off, sizeof(off), -1);
	team_resume(t->w.t);
	assert_true(vpeer_hear(&t->g[A].peer, VHOST_SET_VRING_ENABLE, &ack,
			       sizeof(ack)));
	until_all_got(t);
	settle(t);
	for (unsigned i = 0; i < 20; i++)
		assert_true(send_on(t, A, C, 2));
	until_dropped(&t->w, DROP_LINK_DOWN_IN, 20);
	assert_int_equal(t->g[C].got, 0);
	vpeer_enable(&t->g[A].peer, 2, true);
	settle(t);
	expect_all_ways(t, 64);
}

/* Everybody sends as much as he can. */
static void storm(struct test *t)
{
	for (unsigned k = 0; k < BURST; k++) {
		for (unsigned from = 0; from < GUESTS; from++) {
			unsigned to = (from + 1 + (unsigned)rand() % 2) %
				      GUESTS;
			unsigned q = (unsigned)rand() % n_pairs(from);

			if (t->g[from].is_here)
				(void)send_on(t, from, to, q);
		}
	}
	for (unsigned i = 0; i < GUESTS; i++)
		t->g[i].is_asleep = rand() % 8 == 0;
	work(t);
}

/* All that any guest gave is back, and all goes on. */
static void expect_calm(struct test *t)
{
	settle(t);
	for (unsigned i = 0; i < GUESTS; i++) {
		vpeer_stop(&t->g[i].peer); /* asserts that all is back */
		vpeer_rings(&t->g[i].peer);
	}
	greet(t);
	expect_all_ways(t, 64);
	assert_int_equal(t->w.n_fault, 0);
}

static bool holds(struct world *w, void *arg)
{
	const struct test *t = arg;

	return vhost_of(t->g[A].port)->pair[1]->n_held ||
	       dropped(w, DROP_PORT_STALLED);
}

/* What a leg has no room for waits in the sender's queue on that lane, and
 * goes on or is lost by name. */
static void test_full_leg(void **state)
{
	struct test *t = *state;
	uint64_t lost;

	greet(t);
	lost = drops_of(t);
	t->g[C].is_asleep = true;
	for (unsigned i = 0; i < t->g[C].peer.c.rx_size + 10; i++) {
		while (!send_on(t, A, C, 1))
			work(t);
	}
	until(&t->w, holds, t);
	/* The others pass. */
	exchange_past(t, A, B, 1, 100);
	t->g[C].is_asleep = false;
	while (sum(t, false) + drops_of(t) - lost < sum(t, true))
		work(t);
	assert_true(t->g[C].got >= t->g[C].peer.c.rx_size);
	expect_calm(t);
}

static void test_pairs_come_and_go(void **state)
{
	struct test *t = *state;
	unsigned got = 0;

	greet(t);
	for (unsigned i = 0; i < 300; i++) {
		enum who who = rand() % 2 ? A : C;

		storm(t);
		if (i % 2 == 0)
			vpeer_enable(&t->g[who].peer,
				     1 + (unsigned)rand() % (PAIRS - 1),
				     rand() % 2);
		if (i % 16 == 0) {
			unsigned ring = (unsigned)rand() % (2 * PAIRS);

			vpeer_ring_stop(&t->g[who].peer, ring);
			storm(t);
			vpeer_ring_start(&t->g[who].peer, ring);
		}
	}
	got = sum(t, false);
	assert_true(got > 1000);
	for (unsigned q = 1; q < PAIRS; q++) {
		vpeer_enable(&t->g[A].peer, q, true);
		vpeer_enable(&t->g[C].peer, q, true);
	}
	expect_calm(t);
}

static void test_memory_changes(void **state)
{
	struct test *t = *state;

	greet(t);
	for (unsigned i = 0; i < 100; i++) {
		storm(t);
		vpeer_share_memory(&t->g[i % GUESTS].peer);
	}
	expect_calm(t);
}

static void test_guests_vanish(void **state)
{
	struct test *t = *state;

	greet(t);
	for (unsigned i = 0; i < 15; i++) {
		for (unsigned k = 0; k < 10; k++)
			storm(t);
		guest_stop(t, i % GUESTS);
		for (unsigned k = 0; k < 5; k++)
			storm(t);
		guest_start(t, i % GUESTS);
	}
	expect_calm(t);
}

/* The port goes, with frames everywhere. */
static void test_ports_are_removed(void **state)
{
	struct test *t = *state;

	greet(t);
	for (unsigned i = 0; i < 10; i++) {
		struct guest *g = &t->g[i % GUESTS];

		for (unsigned k = 0; k < 10; k++)
			storm(t);
		rig_remove(g->port);
		g->port = NULL;
		vpeer_deinit(&g->peer);
		g->is_here = false;
		for (unsigned k = 0; k < 5; k++)
			storm(t);
		guest_start(t, i % GUESTS);
	}
	expect_calm(t);
}

static bool is_faulty(struct world *w, void *arg)
{
	const struct port *p = arg;

	(void)w;
	return p->fault;
}

/* It is told of once, by its number, and costs that guest only. */
static void test_broken_ring(void **state)
{
	struct test *t = *state;

	greet(t);
	for (unsigned i = VHOST_RINGS; i < 2 * PAIRS; i++) {
		bool is_rx = i % VHOST_RINGS == VHOST_RX;
		struct guest *g = &t->g[C];
		char name[32];

		for (unsigned k = 0; k < 4; k++)
			storm(t);
		settle(t);
		for (uint16_t d = 0; d < g->peer.ring[i].size; d++)
			vpeer_desc(&g->peer, i, d, 0x99000000, 2000,
				   is_rx ? F_WRITE : 0, 0);
		if (!is_rx)
			vpeer_offer(&g->peer, i, 0);
		for (unsigned k = 0; is_rx && k < 300; k++) {
			(void)send_on(t, A, C, i / VHOST_RINGS);
			work(t);
		}
		until(&t->w, is_faulty, g->port);
		assert_int_equal(t->w.n_fault, i - VHOST_RINGS + 1);
		snprintf(name, sizeof(name), "%s queue %u",
			 is_rx ? "receive" : "transmit", i / VHOST_RINGS);
		assert_non_null(strstr(t->w.fault_text, name));
		assert_ptr_equal(t->w.fault_port, g->port);
		settle(t);
		exchange(t, A, B, 1, 50);
		exchange(t, B, A, 0, 50);
		guest_stop(t, C);
		guest_start(t, C);
		greet(t);
		expect_all_ways(t, 64);
	}
}

/* Another worker's guest enables and disables as fast as it can: the pauses
 * are a part of the time, and no more. */
static void test_pauses_are_bounded(void **state)
{
	const uint64_t part = 16, pause_ns = 50000, free_ns = 1000000000;
	struct test *t = *state;
	uint64_t from = clock_now_ns(), spent;
	unsigned before = t->kinds.n_pauses;

	greet(t);
	for (unsigned i = 0; i < 1200; i++)
		vpeer_enable(&t->g[A].peer, 1 + i / 2 % (PAIRS - 1), i % 2);
	spent = clock_now_ns() - from;
	assert_true((t->kinds.n_pauses - before) * pause_ns * part <=
		    spent + free_ns + 10 * pause_ns * part);
	for (unsigned q = 1; q < PAIRS; q++)
		vpeer_enable(&t->g[A].peer, q, true);
	expect_calm(t);
}

/* A guest with one queue, whose abilities go and come, pays for the pauses in
 * which the other workers are told of them; for what is no news it does not. */
static void test_abilities_are_charged(void **state)
{
	const uint64_t pause_ns = 50000, part = 16;
	struct test *t = *state;
	struct vpeer *peer = &t->g[B].peer;
	const struct vhost_user *v = vhost_of(t->g[B].port);
	uint64_t features = peer->features, paid = v->paid_ns;

	for (unsigned i = 0; i < 20; i++) {
		if (i % 2 == 0)
			features ^= VHOST_BIT(VIRTIO_NET_GUEST_TSO4);
		vpeer_say(peer, VHOST_SET_FEATURES, 0, &features, 8, -1);
		(void)vpeer_ask(peer, VHOST_GET_FEATURES);
		if (i % 2 == 0)
			assert_true(v->paid_ns >= paid + pause_ns * part);
		else
			assert_int_equal(v->paid_ns, paid);
		paid = v->paid_ns;
	}
}

/* That we do not get a CPU in a pause is not its guest's doing. */
static void test_only_work_is_charged(void **state)
{
	const struct timespec away = {.tv_nsec = 200000000};
	struct test *t = *state;
	struct vhost_user *v = vhost_of(t->g[A].port);
	uint64_t from = clock_now_ns();

	vhost_enter(v);
	nanosleep(&away, NULL);
	vhost_leave(v);
	assert_true(v->paid_ns < from + (uint64_t)away.tv_nsec * 4);
}

/* The pages of all rings and buffers that are written are in the log. */
static void test_log(void **state)
{
	struct test *t = *state;
	struct vpeer *v = &t->g[C].peer;
	uint64_t size = (VPEER_GPA_HIGH + v->len) / 4096 / 8 + 1, ack = 1;
	uint64_t features = v->features | VHOST_BIT(VHOST_LOG_ALL);
	struct vhost_log l = {.size = size};
	int fd = memfd_create("log", MFD_CLOEXEC);
	uint8_t *log;

	greet(t);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	log = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(log, MAP_FAILED);
	vpeer_say(v, VHOST_SET_LOG_BASE, 0, &l, sizeof(l), fd);
	assert_true(vpeer_hear(v, VHOST_SET_LOG_BASE, &ack, 8));
	vpeer_say(v, VHOST_SET_FEATURES, 0, &features, 8, -1);
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		struct vhost_vring_addr a = {
			.index = i,
			.flags = VHOST_VRING_F_LOG,
			.desc = VPEER_UVA + v->ring[i].desc,
			.avail = VPEER_UVA + v->ring[i].avail,
			.used = VPEER_UVA + v->ring[i].used,
			.log = v->ring[i].used,
		};

		vpeer_say(v, VHOST_SET_VRING_ADDR, 0, &a, sizeof(a), -1);
	}
	for (unsigned q = 0; q < PAIRS; q++) {
		exchange(t, A, C, q, 600);
		exchange(t, C, A, q, 64);
	}
	for (unsigned i = 0; i < 2 * PAIRS; i++)
		assert_true(vpeer_is_dirty(log, v->ring[i].used));
	/* each queue's first buffer */
	for (unsigned q = 0; q < PAIRS; q++)
		assert_true(vpeer_is_dirty(
			log, vpeer_gpa(v, v->rx_at + q * v->c.rx_size *
						    (uint64_t)v->c.rx_buf)));
	munmap(log, size);
	close(fd);
}

#define T3(f) cmocka_unit_test_setup_teardown(f, setup3, teardown)
#define T4(f) cmocka_unit_test_setup_teardown(f, setup4, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T3(test_all_pairs),
		T4(test_all_pairs),
		T3(test_one_queue_makes_no_pause),
		T3(test_disabled_pairs),
		T4(test_disabled_pairs),
		T3(test_sent_before_disabling),
		T4(test_full_leg),
		T3(test_pairs_come_and_go),
		T4(test_pairs_come_and_go),
		T3(test_memory_changes),
		T4(test_guests_vanish),
		T4(test_ports_are_removed),
		T3(test_broken_ring),
		T3(test_pauses_are_bounded),
		T3(test_abilities_are_charged),
		T3(test_only_work_is_charged),
		T3(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
