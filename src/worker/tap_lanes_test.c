/* SPDX-License-Identifier: BSD-3-Clause */
/* The queues of a tap on several workers: pairs of sockets in their place, and
 * real ones, whose kernel chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "netdev/port_contract.h"
#include "netdev/rig_tap.h"
#include "netdev/tap_priv.h"
#include "worker/kinds_rig.h"

enum {
	QUEUES = 4,
	MANY = 5000,
	WINDOW = 100, /* frames that a pair of sockets surely holds */
	WAIT_MS = 60000,
	UDP_LEN = 60,
	FLOWS = 40,
	PORT_TAP = 1000, /* of the machine behind the tap */
	PORT_LAN = 2000, /* + flow: of the other */
};

/* A tap, and a fake port with a leg on each other worker. */
struct bench {
	struct world w;
	struct kinds k;
	struct rig_tap tap;                 /* fds given away */
	int peer[QUEUES];                   /* owned; -1: it is a real one */
	struct port *port;                  /* the tap's; NULL: removed */
	struct fake_port *other;            /* on worker 0 .. */
	struct fake_port *leg[MAX_WORKERS]; /* .. and its legs */
	mac at_tap, at_other;
};

static struct tap_part *part(struct bench *b, unsigned i)
{
	struct tap *t = container_of(b->port, struct tap_part, port)->tap;

	assert_true(i < t->n_parts);
	return t->part[i];
}

static void bench_init(struct bench *b, unsigned n_workers)
{
	*b = (struct bench){.at_tap = fake_mac(1), .at_other = fake_mac(2)};
	for (unsigned i = 0; i < QUEUES; i++)
		b->peer[i] = -1;
	world_init(&b->w, n_workers, 0);
	kinds_init(&b->k, &b->w);
	b->other = port_new(&b->w, "other");
	for (unsigned i = 1; i < n_workers; i++)
		b->leg[i] = leg_new(&b->w, b->other, i);
}

static int tap_try(struct bench *b, const int *fds, unsigned n, bool vnet_hdr)
{
	const struct netdev_tap_config c = {.name = "tap0",
					    .kind = "tap",
					    .fds = fds,
					    .n_fds = n,
					    .vnet_hdr = vnet_hdr};

	return netdev_tap_new(&b->k.env, &c, &b->port);
}

static void tap_new(struct bench *b, const int *fds, unsigned n)
{
	assert_int_equal(tap_try(b, fds, n, false), 0);
	assert_true(port_is_up(b->port));
}

static void tap_del(struct bench *b)
{
	if (b->port) {
		lan_port_del(b->port);
		b->port->ops->close(b->port);
		b->port = NULL;
	}
	for (unsigned i = 0; i < QUEUES; i++)
		fd_close(&b->peer[i]);
}

static void bench_deinit(struct bench *b)
{
	team_pause(b->w.t);
	for (unsigned i = 1; i < b->w.n; i++) {
		if (b->w.reader[i].port)
			loop_undefer(b->w.reader[i].loop, &b->w.reader[i].work);
	}
	team_resume(b->w.t);
	tap_del(b);
	fake_free(b->other);
	for (unsigned i = 1; i < b->w.n; i++)
		fake_free(b->leg[i]);
	world_deinit(&b->w);
}

/* One end into fds, the other is the peer's. */
static void socket_pairs(struct bench *b, int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int fd[2];

		assert_int_equal(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_NONBLOCK |
						    SOCK_CLOEXEC,
					    0, fd),
				 0);
		fds[i] = fd[0];
		b->peer[i] = fd[1];
	}
}

static void tap_of_sockets(struct bench *b, unsigned n)
{
	int fds[QUEUES];

	socket_pairs(b, fds, n);
	tap_new(b, fds, n);
}

static bool real_tap(struct bench *b, unsigned n)
{
	if (!rig_tap_open(&b->tap, "vmlanw0", n, false, false))
		return false;
	tap_new(b, b->tap.fds, n);
	return true;
}

/* ---- frames ---- */

static bool peer_say(struct bench *b, unsigned q, uint32_t number)
{
	uint8_t buf[FRAME_LEN];

	put_frame(buf, b->at_other, b->at_tap, number);
	return send(b->peer[q], buf, sizeof(buf), 0) == sizeof(buf);
}

/* The number of the next frame that comes out of queue q. */
static uint32_t peer_hears(struct bench *b, unsigned q)
{
	struct pollfd p = {.fd = b->peer[q], .events = POLLIN};
	struct fake_frame f;
	uint8_t buf[FRAME_LEN + 1];

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	f.len = (uint32_t)recv(b->peer[q], buf, sizeof(buf), 0);
	f.data = buf;
	return number_of(&f);
}

static void peers_hear_no_more(struct bench *b, unsigned n)
{
	uint8_t c;

	for (unsigned q = 0; q < n; q++)
		assert_int_equal(recv(b->peer[q], &c, 1, 0), -1);
}

/* All know where the two machines are. */
static void greet(struct bench *b)
{
	assert_true(peer_say(b, 0, 0));
	until_got(&b->w, b->other, 1);
	say(b->other, b->at_tap, b->at_other);
	until_copied(&b->w);
	fake_clear(b->other);
	assert_int_equal(peer_hears(b, 0), 0);
}

/* ---- with sockets ---- */

static void each_worker_has_its_queues(void **state)
{
	struct fake_port *at[QUEUES];
	struct bench b;

	(void)state;
	bench_init(&b, 3);
	tap_of_sockets(&b, QUEUES);
	greet(&b);
	/* Queue 3 is the first worker's again. */
	at[0] = at[3] = b.other;
	at[1] = b.leg[1];
	at[2] = b.leg[2];
	for (unsigned q = 0; q < QUEUES; q++) {
		fake_clear(at[q]);
		for (unsigned i = 0; i < 10; i++)
			assert_true(peer_say(&b, q, i));
		until_got(&b.w, at[q], 10);
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(number_of(&at[q]->out[i]), i);
	}
	assert_int_equal(b.port->stats.rx_frames, 1 + 20);
	assert_int_equal(part(&b, 1)->port.stats.rx_frames, 10);
	assert_int_equal(part(&b, 2)->port.stats.rx_frames, 10);
	/* Each writes the first of its own. */
	for (unsigned i = 1; i < 3; i++)
		lane_say(&b.w, i, b.leg[i], b.at_tap, b.at_other, 10);
	say(b.other, b.at_tap, b.at_other);
	for (unsigned i = 1; i < 3; i++) {
		for (unsigned k = 0; k < 10; k++)
			assert_int_equal(peer_hears(&b, i), k);
	}
	assert_int_equal(peer_hears(&b, 0), 0);
	peers_hear_no_more(&b, QUEUES);
	bench_deinit(&b);
}

static bool is_heard(struct world *w, void *arg)
{
	const int *peer = arg;

	return recv(*peer, &(char){0}, 1, MSG_PEEK) > 0;
}

static void workers_without_a_queue_send_mail(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 4);
	tap_of_sockets(&b, 2);
	greet(&b);
	for (unsigned i = 1; i < 4; i++) {
		lane_say(&b.w, i, b.leg[i], b.at_tap, b.at_other, 5);
		if (i == 2) /* by the first worker, and that is us */
			until(&b.w, is_heard, &b.peer[0]);
		for (unsigned k = 0; k < 5; k++)
			assert_int_equal(peer_hears(&b, i % 2), k);
	}
	peers_hear_no_more(&b, 2);
	bench_deinit(&b);
}

static void one_queue_is_the_first_workers(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 2);
	tap_of_sockets(&b, 1);
	assert_int_equal(part(&b, 0)->tap->n_parts, 1);
	assert_int_equal(part(&b, 0)->tap->bell.fd, -1);
	greet(&b);
	assert_true(peer_say(&b, 0, 7));
	until_got(&b.w, b.other, 1);
	bench_deinit(&b);
}

/* Both ways on all workers at once: no frame is lost, doubled or overtaken. */
static void all_queues_at_once(void **state)
{
	unsigned sent[3] = {0}, back[3] = {0}, got;
	struct bench b;

	(void)state;
	bench_init(&b, 3);
	tap_of_sockets(&b, 3);
	greet(&b);
	for (got = 0; got < 2 * MANY;) {
		got = 0;
		for (unsigned i = 1; i < 3; i++) {
			if (back[i] == sent[i] && sent[i] < MANY) {
				lane_say(&b.w, i, b.leg[i], b.at_tap,
					 b.at_other, WINDOW);
				for (unsigned k = 0; k < WINDOW; k++)
					assert_true(
						peer_say(&b, i, sent[i] + k));
				sent[i] += WINDOW;
			}
			while (back[i] < sent[i])
				assert_int_equal(peer_hears(&b, i),
						 back[i]++ % WINDOW);
			got += back[i];
			/* They wait in a pair of sockets until then. */
			until_got(&b.w, b.leg[i], sent[i]);
		}
	}
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(b.leg[i]->n_out, MANY);
		for (unsigned k = 0; k < MANY; k++)
			assert_int_equal(number_of(&b.leg[i]->out[k]), k);
	}
	bench_deinit(&b);
}

/* It goes, and comes, while all its workers are busy with it. */
static void removed_in_a_flood(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 3);
	for (unsigned round = 0; round < 30; round++) {
		tap_of_sockets(&b, QUEUES);
		greet(&b);
		for (unsigned i = 1; i < 3; i++) {
			lane_say(&b.w, i, b.leg[i], b.at_tap, b.at_other,
				 2 * WINDOW);
			for (unsigned k = 0; k < WINDOW; k++)
				assert_true(peer_say(&b, i, k));
		}
		(void)peer_hears(&b, 1 + round % 2);
		tap_del(&b);
		team_pause(b.w.t);
		for (unsigned i = 1; i < 3; i++)
			fake_clear(b.leg[i]);
		fake_clear(b.other);
		team_resume(b.w.t);
	}
	assert_int_equal(b.w.n_fault, 0);
	bench_deinit(&b);
}

/* A bad descriptor behind good ones: nothing is left, and they are ours. */
static void what_fails_leaves_nothing(void **state)
{
	int fds[QUEUES];
	struct bench b;

	(void)state;
	bench_init(&b, 3);
	socket_pairs(&b, fds, QUEUES);
	fd_close(&fds[3]);
	assert_int_equal(tap_try(&b, fds, QUEUES, false), -EBADF);
	assert_null(b.port);
	assert_ptr_equal(lan_ports(b.w.lan)->next, &b.other->port.link_all);
	assert_ptr_equal(lan_ports(b.w.lan)->prev, &b.other->port.link_all);
	for (unsigned q = 0; q < 3; q++) {
		/* Nobody reads it any more. */
		assert_true(peer_say(&b, q, q));
		assert_int_equal(recv(fds[q], &(char){0}, 1, 0), 1);
		close(fds[q]);
	}
	bench_deinit(&b);
}

/* A kernel before 6.2 refuses segments of UDP; another worker was told so. */
static void what_the_kernel_cannot_do_all_know(void **state)
{
	const uint32_t uso = PORT_O_USO4 | PORT_O_USO6;
	const uint64_t one = 1;
	int fds[QUEUES];
	struct bench b;
	struct tap *t;

	(void)state;
	bench_init(&b, 2);
	socket_pairs(&b, fds, 2);
	assert_int_equal(tap_try(&b, fds, 2, true), 0);
	t = part(&b, 0)->tap;
	assert_int_equal(part(&b, 1)->port.caps.offload, PORT_O_ALL);
	atomic_fetch_or(&t->news, TAP_NEWS_NO_USO);
	assert_int_equal(write(t->bell.fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_turn(loop_of(&b.w, 0), WAIT_MS), 0);
	assert_int_equal(b.port->caps.offload, PORT_O_ALL & ~uso);
	assert_int_equal(part(&b, 1)->port.caps.offload, PORT_O_ALL & ~uso);
	assert_true(port_is_up(b.port));
	bench_deinit(&b);
}

/* ---- real ones ---- */

/* Worker i finds something out about the tap, and we hear of it. */
static void until_rung(struct bench *b)
{
	struct pollfd p = {.fd = part(b, 0)->tap->bell.fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	while (atomic_load(&part(b, 0)->tap->news))
		assert_int_equal(loop_turn(loop_of(&b->w, 0), 2), 0);
}

static void real_greet(struct bench *b)
{
	uint8_t buf[FRAME_LEN];

	/* The packet socket tells once that it was down. */
	(void)rig_tap_recv(&b->tap, buf, sizeof(buf));
	until_copied(&b->w);
	fake_clear(b->other);
	put_frame(buf, b->at_other, b->at_tap, 0);
	assert_true(rig_tap_send(&b->tap, buf, sizeof(buf)));
	until_got(&b->w, b->other, 1);
	say(b->other, b->at_tap, b->at_other);
	until_copied(&b->w);
}

static bool is_up(struct world *w, void *arg)
{
	return port_is_up(arg);
}

static void another_worker_finds_it_down(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 2);
	if (!real_tap(&b, 2)) {
		bench_deinit(&b);
		skip();
	}
	for (unsigned i = 1; i <= 3; i++) {
		uint64_t had = dropped(&b.w, DROP_LINK_DOWN);

		real_greet(&b);
		rig_tap_up(&b.tap, false);
		assert_true(port_is_up(b.port));
		lane_say(&b.w, 1, b.leg[1], b.at_tap, b.at_other, 1);
		until_dropped(&b.w, DROP_LINK_DOWN, had + 1);
		until_rung(&b);
		assert_false(port_is_up(b.port));
		rig_tap_up(&b.tap, true);
		until(&b.w, is_up, b.port);
	}
	assert_int_equal(b.w.n_fault, 0);
	rig_tap_close(&b.tap);
	bench_deinit(&b);
}

static bool is_faulty(struct world *w, void *arg)
{
	return w->n_fault > 0;
}

/* The interface goes: one fault, whoever saw it first. */
static void an_interface_is_removed(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 2);
	if (!real_tap(&b, 2)) {
		bench_deinit(&b);
		skip();
	}
	real_greet(&b);
	rig_tap_remove(&b.tap);
	until_rung(&b); /* worker 1 was, while we did not look */
	until(&b.w, is_faulty, NULL);
	assert_int_equal(b.w.fault, FAULT_IO);
	assert_ptr_equal(b.w.fault_port, b.port);
	assert_false(b.port->carrier);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(loop_turn(loop_of(&b.w, 0), 1), 0);
	assert_int_equal(b.w.n_fault, 1);
	rig_tap_close(&b.tap);
	bench_deinit(&b);
}

/* A datagram of a flow, without a sum. */
static void put_udp(struct bench *b, uint8_t *p, bool is_out, unsigned flow)
{
	static const uint8_t ip[] = {0x45, 0,    0, UDP_LEN - 14, 0,
				     0,    0x40, 0, 64,           17};
	uint16_t from = (uint16_t)(PORT_LAN + flow), to = PORT_TAP;
	mac dst = is_out ? b->at_tap : b->at_other;
	mac src = is_out ? b->at_other : b->at_tap;
	uint32_t sum = 0;

	memset(p, 0, UDP_LEN);
	memcpy(p, dst.b, 6);
	memcpy(p + 6, src.b, 6);
	p[12] = 8;
	memcpy(p + 14, ip, sizeof(ip));
	memcpy(p + 26, (uint8_t[]){10, 0, 2, is_out ? 2 : 1}, 4);
	memcpy(p + 30, (uint8_t[]){10, 0, 2, is_out ? 1 : 2}, 4);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	p[24] = (uint8_t)(sum >> 8);
	p[25] = (uint8_t)sum;
	p[is_out ? 34 : 36] = (uint8_t)(from >> 8);
	p[is_out ? 35 : 37] = (uint8_t)from;
	p[is_out ? 36 : 34] = (uint8_t)(to >> 8);
	p[is_out ? 37 : 35] = (uint8_t)to;
	p[39] = UDP_LEN - 34;
}

/* By worker i, and the interface has it. */
static void flow_out(struct bench *b, unsigned i, unsigned flow)
{
	struct fake_port *by = i ? b->leg[i] : b->other;
	struct pollfd p = {.fd = b->tap.packet, .events = POLLIN};
	uint8_t buf[UDP_LEN], got[UDP_LEN + 1];
	struct reader *r;

	put_udp(b, buf, true, flow);
	team_pause(b->w.t);
	if (i) {
		r = b->w.reader[i].port ? &b->w.reader[i]
					: reader_of(&b->w, i, by);
		fake_queue(by, buf, sizeof(buf), NULL);
		loop_defer(r->loop, &r->work);
	} else {
		fake_rx(by, buf, sizeof(buf), NULL);
	}
	team_resume(b->w.t);
	do
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	while (rig_tap_recv(&b->tap, got, sizeof(got)) != UDP_LEN ||
	       memcmp(got, buf, UDP_LEN) != 0);
	/* The kernel notes the queue after it has passed the frame on. */
	team_pause(b->w.t);
	team_resume(b->w.t);
}

/* The kernel gives what answers a flow to the queue that had it. */
static void answers_come_where_the_flow_is(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 2);
	if (!real_tap(&b, 2)) {
		bench_deinit(&b);
		skip();
	}
	real_greet(&b);
	team_pause(b.w.t);
	fake_clear(b.other);
	fake_clear(b.leg[1]);
	team_resume(b.w.t);
	for (unsigned flow = 0; flow < FLOWS; flow++) {
		unsigned i = flow / 3 % 2;
		uint8_t buf[UDP_LEN];

		flow_out(&b, i, flow);
		put_udp(&b, buf, false, flow);
		assert_true(rig_tap_send(&b.tap, buf, sizeof(buf)));
		until_got(&b.w, i ? b.leg[1] : b.other, 1);
		team_pause(b.w.t);
		assert_int_equal(b.leg[1]->n_out, i);
		assert_int_equal(b.other->n_out, 1 - i);
		fake_clear(b.other);
		fake_clear(b.leg[1]);
		team_resume(b.w.t);
	}
	rig_tap_close(&b.tap);
	bench_deinit(&b);
}

/* ---- the port contract ---- */

struct contract_bench {
	struct world w;
	struct kinds k;
	struct rig_tap tap;
};

static bool contract_open(struct contract_rig *r)
{
	struct contract_bench *b = calloc(1, sizeof(*b));
	struct netdev_tap_config c = {.name = "tap0",
				      .kind = "tap",
				      .n_fds = QUEUES,
				      .vnet_hdr = true};

	assert_non_null(b);
	if (!rig_tap_open(&b->tap, "vmlanw1", QUEUES, true, false)) {
		free(b);
		return false;
	}
	world_init_mail(&b->w, 3, 0, 0);
	kinds_init(&b->k, &b->w);
	r->lan = b->w.lan;
	r->drops = b->k.env.drops;
	r->priv = b;
	c.fds = b->tap.fds;
	assert_int_equal(netdev_tap_new(&b->k.env, &c, &r->port), 0);
	return true;
}

static void contract_close(struct contract_rig *r)
{
	struct contract_bench *b = r->priv;

	if (r->port) {
		lan_port_del(r->port);
		r->port->ops->close(r->port);
	}
	r->port = NULL;
	world_deinit(&b->w);
	rig_tap_close(&b->tap);
	free(b);
}

static void contract_turn(struct contract_rig *r, int ms)
{
	struct contract_bench *b = r->priv;

	assert_int_equal(loop_turn(loop_of(&b->w, 0), ms), 0);
}

static bool contract_send(struct contract_rig *r, const void *p, uint32_t len)
{
	return rig_tap_send(&((struct contract_bench *)r->priv)->tap, p, len);
}

static uint32_t contract_recv(struct contract_rig *r, void *p, uint32_t room)
{
	return rig_tap_recv(&((struct contract_bench *)r->priv)->tap, p, room);
}

static void keeps_the_contract(void **state)
{
	static const struct contract_kind kind = {"tap, 4 queues on 3 workers",
						  false,
						  65535,
						  60,
						  32,
						  contract_open,
						  .close = contract_close,
						  .turn = contract_turn,
						  .peer_send = contract_send,
						  .peer_recv = contract_recv};

	(void)state;
	if (port_contract_run(&kind) == 0)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_has_its_queues),
		cmocka_unit_test(workers_without_a_queue_send_mail),
		cmocka_unit_test(one_queue_is_the_first_workers),
		cmocka_unit_test(all_queues_at_once),
		cmocka_unit_test(removed_in_a_flood),
		cmocka_unit_test(what_fails_leaves_nothing),
		cmocka_unit_test(what_the_kernel_cannot_do_all_know),
		cmocka_unit_test(another_worker_finds_it_down),
		cmocka_unit_test(an_interface_is_removed),
		cmocka_unit_test(answers_come_where_the_flow_is),
		cmocka_unit_test(keeps_the_contract),
	};

	if (!rig_netns_enter())
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
