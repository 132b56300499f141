/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch: where frames go, why they are lost, who is told of room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/fake_port.h"

#define SECOND UINT64_C(1000000000)

struct bench {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct drops drops;
	struct lan *lan;
	/* what control was told */
	unsigned n_link, n_fault, n_clash;
	bool link_up;
	char fault_text[64];
	struct port *clash_a, *clash_b;
};

static void on_link(void *arg, struct port *p, bool up)
{
	struct bench *b = arg;

	(void)p;
	b->n_link++;
	b->link_up = up;
}

static void on_fault(void *arg, struct port *p, enum port_fault why,
		     const char *text)
{
	struct bench *b = arg;

	(void)p;
	(void)why;
	b->n_fault++;
	strncpy(b->fault_text, text, sizeof(b->fault_text) - 1);
}

static void on_clash(void *arg, mac m, struct port *x, struct port *y)
{
	struct bench *b = arg;

	(void)m;
	b->n_clash++;
	b->clash_a = x;
	b->clash_b = y;
}

static struct lan *lan_make(struct bench *b, const char *name, bool is_hub)
{
	struct lan_config c = {
		.name = name,
		.is_hub = is_hub,
		.wheel = &b->wheel,
		.now_ns = &b->now_ns,
		.drops = &b->drops,
		.events = {.link = on_link, .fault = on_fault,
			   .mac_clash = on_clash, .arg = b},
	};
	struct lan *lan;

	assert_int_equal(lan_new(&c, &lan), 0);
	return lan;
}

static void bench_init(struct bench *b, bool is_hub)
{
	memset(b, 0, sizeof(*b));
	b->now_ns = SECOND;
	timer_wheel_init(&b->wheel, b->now_ns);
	b->lan = lan_make(b, "net0", is_hub);
}

static void bench_deinit(struct bench *b)
{
	while (!list_empty(lan_ports(b->lan)))
		fake_free((struct fake_port *)container_of(
			list_first(lan_ports(b->lan)), struct port, link_all));
	assert_null(lan_free(b->lan));
}

static void advance(struct bench *b, uint64_t ns)
{
	b->now_ns += ns;
	timer_wheel_run(&b->wheel, b->now_ns);
}

static struct fake_port *port_make(struct bench *b)
{
	return fake_new(b->lan, &(struct fake_config){.name = "p"});
}

static void say(struct fake_port *f, mac dst, mac src)
{
	uint8_t buf[64];

	fake_frame_fill(buf, sizeof(buf), dst, src, 9);
	fake_rx(f, buf, sizeof(buf), NULL);
}

/* --- where frames go ---------------------------------------------------- */

static void test_learns_and_forwards(void **state)
{
	struct fake_port *p[3];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	say(p[0], fake_mac(1), fake_mac(0)); /* unknown: flooded */
	assert_int_equal(p[0]->n_out, 0);
	assert_int_equal(p[1]->n_out, 1);
	assert_int_equal(p[2]->n_out, 1);
	say(p[1], fake_mac(0), fake_mac(1)); /* known: one exit */
	assert_int_equal(p[0]->n_out, 1);
	assert_int_equal(p[2]->n_out, 1);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[1]->n_out, 2);
	assert_int_equal(p[2]->n_out, 1);
	assert_int_equal(p[0]->n_recv, 2 * 2);
	assert_int_equal(p[0]->n_done, 2);
	assert_int_equal(p[0]->port.stats.rx_frames, 2);
	assert_int_equal(p[0]->port.stats.rx_bytes, 128);
	assert_int_equal(p[1]->port.stats.tx_frames, 2);
	assert_int_equal(p[1]->port.stats.tx_bytes, 128);
	assert_string_equal(lan_name(b.lan), "net0");
	bench_deinit(&b);
}

static void test_broadcast_and_multicast_flood(void **state)
{
	mac group = {{0x33, 0x33, 0, 0, 0, 1}};
	struct fake_port *p[3];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	say(p[0], MAC_BROADCAST, fake_mac(0));
	say(p[0], group, fake_mac(0));
	assert_int_equal(p[0]->n_out, 0);
	assert_int_equal(p[1]->n_out, 2);
	assert_int_equal(p[2]->n_out, 2);
	bench_deinit(&b);
}

static void test_hub_repeats_everything(void **state)
{
	mac stp = {{0x01, 0x80, 0xc2, 0, 0, 0}};
	struct fake_port *p[3];
	struct bench b;

	(void)state;
	bench_init(&b, true);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	say(p[1], fake_mac(0), fake_mac(1));
	say(p[0], fake_mac(1), fake_mac(0));
	say(p[0], stp, fake_mac(0));
	say(p[0], fake_mac(1), MAC_BROADCAST);
	assert_int_equal(p[0]->n_out, 1);
	assert_int_equal(p[1]->n_out, 3);
	assert_int_equal(p[2]->n_out, 4);
	bench_deinit(&b);
}

static void test_one_send_per_exit(void **state)
{
	struct fake_port *p[3];
	uint8_t buf[60];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 3; i++) {
		p[i] = port_make(&b);
		say(p[i], MAC_BROADCAST, fake_mac((uint32_t)i));
	}
	fake_clear(p[1]);
	p[1]->n_send = p[2]->n_send = 0;
	for (uint32_t i = 0; i < 40; i++) {
		mac dst = i % 4 == 3 ? MAC_BROADCAST : fake_mac(1 + i % 2);

		fake_frame_fill(buf, sizeof(buf), dst, fake_mac(0), i);
		fake_queue(p[0], buf, sizeof(buf), NULL);
	}
	assert_false(lan_port_readable(&p[0]->port));
	assert_int_equal(p[1]->n_send, 1);
	assert_int_equal(p[2]->n_send, 1);
	assert_int_equal(p[1]->last_send, 30); /* 20 own, 10 flooded */
	assert_int_equal(p[2]->last_send, 20); /* 10 own, 10 flooded */
	for (uint32_t i = 0, n = 0; i < 40; i++) { /* in order */
		if (i % 4 == 1)
			continue;
		fake_frame_fill(buf, sizeof(buf),
				i % 4 == 3 ? MAC_BROADCAST
					   : fake_mac(1 + i % 2),
				fake_mac(0), i);
		assert_memory_equal(p[1]->out[n].data, buf, sizeof(buf));
		n++;
	}
	bench_deinit(&b);
}

static void test_readable_gives_others_their_turn(void **state)
{
	struct fake_port *p;
	uint8_t buf[60];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	p = port_make(&b);
	(void)port_make(&b);
	fake_frame_fill(buf, sizeof(buf), MAC_BROADCAST, fake_mac(0), 1);
	for (int i = 0; i < FRAME_BATCH * LAN_READ_BATCHES + 1; i++)
		fake_queue(p, buf, sizeof(buf), NULL);
	assert_true(lan_port_readable(&p->port));
	assert_int_equal(p->n_recv, LAN_READ_BATCHES);
	assert_int_equal(p->n_done, LAN_READ_BATCHES);
	assert_false(lan_port_readable(&p->port));
	assert_int_equal(p->n_done, LAN_READ_BATCHES + 1);
	bench_deinit(&b);
}

/* 200 ports, random frames, against what a switch must do: the model knows
 * for each MAC the port it spoke from last. */
enum { MANY = 200 };

static void test_many_ports_random(void **state)
{
	static struct fake_port *p[MANY];
	unsigned expect[MANY] = {0};
	int where[MANY];
	uint32_t seed = 11;
	uint8_t buf[60];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < MANY; i++) {
		p[i] = port_make(&b);
		where[i] = -1;
	}
	for (int round = 0; round < 300; round++) {
		unsigned from, n;

		seed = seed * 1664525 + 1013904223;
		from = (seed >> 8) % MANY;
		n = 1 + (seed >> 20) % FRAME_BATCH;
		for (unsigned i = 0; i < n; i++) {
			unsigned src, dst;
			int to;

			seed = seed * 1664525 + 1013904223;
			/* mostly itself, now and then a machine that moved */
			src = seed >> 28 ? from : (seed >> 4) % MANY;
			dst = (seed >> 10) % (MANY + 2);
			fake_frame_fill(buf, sizeof(buf),
					dst < MANY ? fake_mac(dst)
						   : MAC_BROADCAST,
					fake_mac(src), seed);
			fake_queue(p[from], buf, sizeof(buf), NULL);
			where[src] = (int)from;
			to = dst < MANY ? where[dst] : -1;
			for (int k = 0; k < MANY; k++)
				expect[k] += k != (int)from &&
					     (to < 0 || to == k);
		}
		while (lan_port_readable(&p[from]->port))
			;
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(p[i]->n_out, expect[i]);
	bench_deinit(&b);
}

static void test_aged_mac_floods_again(void **state)
{
	struct fake_port *p[3];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	say(p[1], MAC_BROADCAST, fake_mac(1));
	fake_clear(p[2]);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[2]->n_out, 0);
	advance(&b, (LAN_AGE_SECONDS + 1) * SECOND);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[2]->n_out, 1);
	bench_deinit(&b);
}

static void count_mac(void *arg, mac m, struct port *p, uint64_t age_ns)
{
	(void)m;
	assert_non_null(p->lan);
	assert_true(age_ns <= 2 * SECOND);
	++*(unsigned *)arg;
}

static void test_macs_are_listed_and_flushed(void **state)
{
	struct fake_port *p[2];
	unsigned n = 0;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	for (uint32_t i = 0; i < 10; i++)
		say(p[i % 2], MAC_BROADCAST, fake_mac(i));
	advance(&b, SECOND);
	lan_macs(b.lan, count_mac, &n);
	assert_int_equal(n, 10);
	lan_port_link(&p[0]->port, false);
	n = 0;
	lan_macs(b.lan, count_mac, &n);
	assert_int_equal(n, 5);
	assert_int_equal(p[0]->port.n_macs, 0);
	fake_free(p[1]);
	n = 0;
	lan_macs(b.lan, count_mac, &n);
	assert_int_equal(n, 0);
	bench_deinit(&b);
}

/* --- frames lost by name ------------------------------------------------ */

static void test_drop_src_group(void **state)
{
	struct fake_port *p[2];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[0], fake_mac(1), MAC_BROADCAST);
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(b.drops.n[DROP_FRAME_SRC_GROUP], 1);
	assert_int_equal(p[0]->port.stats.rx_drops, 1);
	bench_deinit(&b);
}

static void test_drop_reserved_group(void **state)
{
	mac stp = {{0x01, 0x80, 0xc2, 0, 0, 0x0e}};
	mac not_reserved = {{0x01, 0x80, 0xc2, 0, 0, 0x10}};
	struct fake_port *p[2];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[0], stp, fake_mac(0));
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(b.drops.n[DROP_RESERVED_GROUP], 1);
	say(p[0], not_reserved, fake_mac(0));
	assert_int_equal(p[1]->n_out, 1);
	bench_deinit(&b);
}

static void test_drop_short(void **state)
{
	uint8_t buf[13] = {2};
	struct fake_port *p[2];
	struct batch batch = {.n = 1};
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	batch.f[0] = frame_flat(buf, sizeof(buf));
	assert_true(lan_input(&p[0]->port, &batch, true) == 0);
	assert_int_equal(b.drops.n[DROP_FRAME_SHORT], 1);
	assert_int_equal(p[1]->n_out, 0);
	bench_deinit(&b);
}

static void test_drop_long(void **state)
{
	struct fake_port *p[2];
	uint8_t buf[1515];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	p[0] = port_make(&b);
	p[1] = fake_new(b.lan, &(struct fake_config){.max_frame = 1514});
	fake_frame_fill(buf, sizeof(buf), MAC_BROADCAST, fake_mac(0), 0);
	fake_queue(p[0], buf, 1514, NULL);
	fake_queue(p[0], buf, 1515, NULL);
	fake_rx(p[0], buf, 60, NULL);
	assert_int_equal(p[1]->n_out, 2);
	assert_int_equal(p[1]->out[0].len, 1514);
	assert_int_equal(p[1]->out[1].len, 60);
	assert_int_equal(b.drops.n[DROP_FRAME_LONG], 1);
	assert_int_equal(p[1]->port.stats.tx_drops, 1);
	bench_deinit(&b);
}

static void test_drop_hairpin(void **state)
{
	struct fake_port *p[2];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[0], MAC_BROADCAST, fake_mac(7));
	fake_clear(p[1]);
	say(p[0], fake_mac(7), fake_mac(0));
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(p[0]->n_out, 0);
	assert_int_equal(b.drops.n[DROP_HAIRPIN], 1);
	bench_deinit(&b);
}

static void test_drop_no_exit(void **state)
{
	struct fake_port *p;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	p = port_make(&b);
	say(p, MAC_BROADCAST, fake_mac(0));
	assert_int_equal(b.drops.n[DROP_NO_EXIT], 1);
	bench_deinit(&b);
}

static void test_drop_link_down(void **state)
{
	struct fake_port *p[2];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[1], MAC_BROADCAST, fake_mac(1));
	b.n_link = 0;
	lan_port_link(&p[1]->port, false);
	assert_int_equal(b.n_link, 1);
	assert_false(b.link_up);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(b.drops.n[DROP_LINK_DOWN], 1);
	say(p[1], fake_mac(0), fake_mac(1));
	assert_int_equal(b.drops.n[DROP_LINK_DOWN_IN], 1);
	assert_int_equal(p[1]->n_done, 2); /* taken from the peer all the same */
	lan_port_link(&p[1]->port, true);
	lan_port_link(&p[1]->port, true);
	assert_int_equal(b.n_link, 2);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[1]->n_out, 1);
	bench_deinit(&b);
}

static void test_cable_pulled_by_control(void **state)
{
	struct fake_port *p[3];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	lan_port_admin(&p[1]->port, false);
	lan_port_admin(&p[1]->port, false);
	assert_int_equal(p[1]->n_link, 1);
	assert_false(p[1]->last_link);
	assert_false(port_is_up(&p[1]->port));
	say(p[0], MAC_BROADCAST, fake_mac(0));
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(p[2]->n_out, 1);
	/* one exit of two took it: nothing was lost */
	assert_int_equal(b.drops.n[DROP_LINK_DOWN], 0);
	lan_port_admin(&p[1]->port, true);
	assert_true(p[1]->last_link);
	say(p[0], MAC_BROADCAST, fake_mac(0));
	assert_int_equal(p[1]->n_out, 1);
	bench_deinit(&b);
}

static void break_in_send(struct fake_port *f, const struct batch *b,
			  uint64_t mask)
{
	(void)b;
	(void)mask;
	port_fault(&f->port, FAULT_RING, "index %d", 77);
	port_fault(&f->port, FAULT_RING, "told once");
}

static void test_fault_inside_send(void **state)
{
	struct fake_port *p[2];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[1], MAC_BROADCAST, fake_mac(1));
	p[1]->on_send = break_in_send;
	p[1]->room = 0;
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(b.n_fault, 1);
	assert_string_equal(b.fault_text, "index 77");
	assert_int_equal(p[1]->n_send, 1);
	assert_int_equal(b.drops.n[DROP_PORT_FAULT], 1);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[1]->n_send, 1);
	assert_int_equal(b.drops.n[DROP_PORT_FAULT], 2);
	say(p[1], MAC_BROADCAST, fake_mac(1)); /* not even read */
	assert_int_equal(p[1]->n_done, 1);
	p[1]->on_send = NULL;
	p[1]->room = FAKE_NO_LIMIT;
	port_fault_clear(&p[1]->port);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[1]->n_out, 1);
	bench_deinit(&b);
}

/* A port that goes down while the very batch is carried that has frames for
 * it: the first exit's send() does it. */
static void cut_other(struct fake_port *f, const struct batch *b,
		      uint64_t mask)
{
	(void)b;
	(void)mask;
	lan_port_link(f->arg, false);
}

static void test_exit_goes_down_during_batch(void **state)
{
	struct fake_port *p[3];
	uint8_t buf[60];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 3; i++) {
		p[i] = port_make(&b);
		say(p[i], MAC_BROADCAST, fake_mac((uint32_t)i));
	}
	fake_clear(p[1]);
	fake_clear(p[2]);
	p[1]->on_send = p[2]->on_send = cut_other;
	p[1]->arg = &p[2]->port;
	p[2]->arg = &p[1]->port;
	for (uint32_t i = 1; i < 3; i++) {
		fake_frame_fill(buf, sizeof(buf), fake_mac(i), fake_mac(0), i);
		fake_queue(p[0], buf, sizeof(buf), NULL);
	}
	fake_frame_fill(buf, sizeof(buf), MAC_BROADCAST, fake_mac(0), 3);
	fake_rx(p[0], buf, sizeof(buf), NULL);
	assert_int_equal(p[1]->n_out + p[2]->n_out, 2);
	assert_int_equal(b.drops.n[DROP_LINK_DOWN], 1);
	bench_deinit(&b);
}

static void test_drop_port_full(void **state)
{
	struct fake_port *p[2];
	uint8_t buf[60];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	p[1]->room = 3;
	fake_frame_fill(buf, sizeof(buf), MAC_BROADCAST, fake_mac(0), 0);
	for (int i = 0; i < 10; i++)
		fake_queue(p[0], buf, sizeof(buf), NULL);
	(void)lan_port_readable(&p[0]->port);
	assert_int_equal(p[1]->n_out, 3);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 7);
	assert_int_equal(p[1]->port.stats.tx_drops, 7);
	assert_int_equal(p[1]->n_want_room, 0); /* nobody can wait */
	bench_deinit(&b);
}

/* --- room --------------------------------------------------------------- */

static void batch_fill(struct batch *b, uint8_t buf[][60], unsigned n, mac dst,
		       mac src)
{
	b->n = n;
	for (unsigned i = 0; i < n; i++) {
		fake_frame_fill(buf[i], 60, dst, src, i);
		b->f[i] = frame_flat(buf[i], 60);
	}
}

static void test_keep_and_room(void **state)
{
	struct fake_port *gw, *vm;
	uint8_t buf[10][60];
	struct batch batch;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = port_make(&b);
	say(vm, MAC_BROADCAST, fake_mac(1));
	vm->room = 4;
	batch_fill(&batch, buf, 10, fake_mac(1), fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 0x3f0);
	assert_int_equal(vm->n_out, 4);
	assert_int_equal(gw->port.stats.rx_frames, 4);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 0);
	assert_int_equal(vm->n_want_room, 1);
	assert_true(lan_input(&gw->port, &batch, true) == 0x3ff);
	assert_int_equal(vm->n_want_room, 1); /* asked once */
	assert_int_equal(gw->n_room, 0);
	fake_add_room(vm, 100);
	assert_int_equal(gw->n_room, 1);
	assert_ptr_equal(gw->last_room, &vm->port);
	lan_port_room(&vm->port);
	assert_int_equal(gw->n_room, 1); /* told once */
	assert_true(lan_input(&gw->port, &batch, true) == 0);
	/* without keep they are lost, and said to be */
	vm->room = 4;
	assert_true(lan_input(&gw->port, &batch, false) == 0x3f0);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 6);
	assert_int_equal(vm->n_want_room, 1);
	bench_deinit(&b);
}

static void test_keep_at_lossy_exit_loses(void **state)
{
	struct fake_port *gw, *vm;
	uint8_t buf[10][60];
	struct batch batch;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = fake_new(b.lan, &(struct fake_config){.lossy = true});
	say(vm, MAC_BROADCAST, fake_mac(1));
	vm->room = 4;
	batch_fill(&batch, buf, 10, fake_mac(1), fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 0);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 6);
	bench_deinit(&b);
}

static void test_keep_does_not_keep_floods(void **state)
{
	struct fake_port *gw, *vm;
	uint8_t buf[10][60];
	struct batch batch;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = port_make(&b);
	vm->room = 4;
	batch_fill(&batch, buf, 10, MAC_BROADCAST, fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 0);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 6);
	bench_deinit(&b);
}

/* Each room fills one frame; the sender that is told first gets it. */
static void take_room(struct fake_port *f, struct port *other)
{
	uint8_t buf[1][60];
	struct batch batch;

	(void)other;
	batch_fill(&batch, buf, 1, fake_mac(1), *(mac *)f->arg);
	if (lan_input(&f->port, &batch, true) == 0)
		f->arg = (mac *)f->arg; /* it waits no more */
}

static void test_room_is_shared_fairly(void **state)
{
	enum { N = 70, ROUNDS = 30 }; /* more than there are wait bits */
	struct fake_port *gw[N], *vm;
	mac src[N];
	unsigned got[N] = {0};
	struct bench b;

	(void)state;
	bench_init(&b, false);
	vm = port_make(&b);
	say(vm, MAC_BROADCAST, fake_mac(1));
	for (unsigned i = 0; i < N; i++) {
		src[i] = fake_mac(100 + i);
		gw[i] = fake_new(b.lan, &(struct fake_config){.can_wait = true});
		gw[i]->arg = &src[i];
		gw[i]->on_room = take_room;
	}
	vm->room = 0;
	for (unsigned i = 0; i < N; i++)
		take_room(gw[i], NULL);
	for (unsigned round = 0; round < N * ROUNDS; round++) {
		fake_clear(vm);
		fake_add_room(vm, 1);
		assert_int_equal(vm->n_out, 1);
		for (unsigned i = 0; i < N; i++) {
			if (memcmp(vm->out[0].data + 6, src[i].b, 6) != 0)
				continue;
			got[i]++;
			take_room(gw[i], NULL); /* wants more */
		}
	}
	for (unsigned i = 0; i < 63; i++)
		assert_in_range(got[i], ROUNDS / 2, ROUNDS * 2);
	bench_deinit(&b);
}

static void test_waiting_sender_is_told_of_the_end(void **state)
{
	struct fake_port *gw, *vm[2];
	uint8_t buf[2][60];
	struct batch batch;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	for (uint32_t i = 0; i < 2; i++) {
		vm[i] = port_make(&b);
		say(vm[i], MAC_BROADCAST, fake_mac(1 + i));
		vm[i]->room = 0;
		batch_fill(&batch, buf, 2, fake_mac(1 + i), fake_mac(0));
		assert_true(lan_input(&gw->port, &batch, true) == 3);
	}
	lan_port_link(&vm[0]->port, false);
	assert_int_equal(gw->n_room, 0); /* never from the depths */
	advance(&b, SECOND / 100);
	assert_int_equal(gw->n_room, 1);
	fake_free(vm[1]);
	assert_int_equal(gw->n_room, 2);
	bench_deinit(&b);
}

/* A kind that says "room" from inside a hook is heard after the batch. */
static void room_in_send(struct fake_port *f, const struct batch *b,
			 uint64_t mask)
{
	(void)b;
	(void)mask;
	f->room = FAKE_NO_LIMIT;
	lan_port_room(f->arg);
}

static void test_room_from_inside_is_put_off(void **state)
{
	struct fake_port *gw, *vm, *other;
	uint8_t buf[1][60];
	struct batch batch;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = port_make(&b);
	other = port_make(&b);
	say(vm, MAC_BROADCAST, fake_mac(1));
	vm->room = 0;
	batch_fill(&batch, buf, 1, fake_mac(1), fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 1);
	vm->on_send = room_in_send;
	vm->arg = &vm->port;
	assert_true(lan_input(&gw->port, &batch, true) == 1);
	assert_int_equal(gw->n_room, 0);
	say(other, fake_mac(1), fake_mac(2));
	assert_int_equal(gw->n_room, 1);
	bench_deinit(&b);
}

static void test_waiter_leaves(void **state)
{
	struct fake_port *gw, *gw2, *vm;
	uint8_t buf[1][60];
	struct batch batch;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = port_make(&b);
	say(vm, MAC_BROADCAST, fake_mac(1));
	vm->room = 0;
	batch_fill(&batch, buf, 1, fake_mac(1), fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 1);
	fake_free(gw);
	gw2 = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	fake_add_room(vm, 1);
	assert_int_equal(gw2->n_room, 0); /* it took the bit, not the wait */
	bench_deinit(&b);
}

/* --- nesting ------------------------------------------------------------ */

/* A gateway: answers each frame to its sender from inside send(). */
static void answer(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	static const mac me = {{0x52, 0x55, 10, 0, 2, 2}};
	uint8_t buf[FRAME_BATCH][60];
	struct batch back = {.n = 0};

	for (; mask; mask &= mask - 1) {
		const struct frame *in = &b->f[__builtin_ctzll(mask)];

		fake_frame_fill(buf[back.n], 60, mac_bytes(in->hdr + 6), me,
				in->hdr[20]);
		back.f[back.n] = frame_flat(buf[back.n], 60);
		back.n++;
	}
	lan_input(&f->port, &back, false);
}

static void test_answer_inside_send(void **state)
{
	mac me = {{0x52, 0x55, 10, 0, 2, 2}};
	struct fake_port *gw, *vm, *vm2;
	uint8_t buf[60];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	gw = port_make(&b);
	vm = port_make(&b);
	vm2 = port_make(&b);
	say(gw, MAC_BROADCAST, me);
	say(vm2, MAC_BROADCAST, fake_mac(2));
	gw->on_send = answer;
	fake_clear(vm);
	fake_clear(gw);
	fake_clear(vm2);
	/* frames to the gateway, to another machine and to all in one batch:
	 * the answers must not disturb what is still to be sent */
	for (uint32_t i = 0; i < 60; i++) {
		fake_frame_fill(buf, sizeof(buf),
				i % 3 == 0   ? me
				: i % 3 == 1 ? fake_mac(2)
					     : MAC_BROADCAST,
				fake_mac(1), i);
		fake_queue(vm, buf, sizeof(buf), NULL);
	}
	while (lan_port_readable(&vm->port))
		;
	assert_int_equal(gw->n_out, 40);
	assert_int_equal(vm->n_out, 40);
	assert_int_equal(vm2->n_out, 40);
	bench_deinit(&b);
}

/* A cable: what is sent to one end comes in by the other. */
static void cable(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	struct fake_port *far = f->arg;
	struct batch view = {.n = 0};

	for (; mask; mask &= mask - 1)
		view.f[view.n++] = b->f[__builtin_ctzll(mask)];
	lan_input(&far->port, &view, false);
}

static void join(struct fake_port *x, struct fake_port *y)
{
	x->on_send = y->on_send = cable;
	x->arg = y;
	y->arg = x;
}

static void test_lan_to_lan_and_loop(void **state)
{
	struct fake_port *vm, *far, *c[2], *d[2];
	struct lan *lan2;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	lan2 = lan_make(&b, "net1", false);
	vm = port_make(&b);
	c[0] = port_make(&b);
	c[1] = fake_new(lan2, &(struct fake_config){.name = "c1"});
	far = fake_new(lan2, &(struct fake_config){.name = "far"});
	join(c[0], c[1]);
	say(vm, MAC_BROADCAST, fake_mac(1));
	say(far, fake_mac(1), fake_mac(2));
	say(vm, fake_mac(2), fake_mac(1));
	assert_int_equal(far->n_out, 2);
	assert_int_equal(vm->n_out, 1);
	assert_int_equal(b.drops.n[DROP_LAN_LOOP], 0);
	/* A second cable makes a loop: it ends, by name. */
	d[0] = port_make(&b);
	d[1] = fake_new(lan2, &(struct fake_config){.name = "d1"});
	join(d[0], d[1]);
	say(vm, MAC_BROADCAST, fake_mac(1));
	assert_true(b.drops.n[DROP_LAN_LOOP] > 0);
	fake_free(d[1]);
	fake_free(c[1]);
	fake_free(far);
	lan_free(lan2);
	bench_deinit(&b);
}

/* --- clashes ------------------------------------------------------------ */

static void test_mac_clash_is_told_once_a_minute(void **state)
{
	struct fake_port *p[2];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[0], MAC_BROADCAST, fake_mac(1));
	say(p[1], MAC_BROADCAST, fake_mac(1)); /* may have moved */
	assert_int_equal(b.n_clash, 0);
	say(p[0], MAC_BROADCAST, fake_mac(1));
	assert_int_equal(b.n_clash, 1);
	assert_true(b.clash_a == &p[0]->port || b.clash_b == &p[0]->port);
	assert_true(b.clash_a == &p[1]->port || b.clash_b == &p[1]->port);
	for (int i = 0; i < 50; i++) {
		say(p[i % 2], MAC_BROADCAST, fake_mac(1));
		advance(&b, SECOND);
	}
	assert_int_equal(b.n_clash, 1);
	for (int i = 0; i < 20; i++) {
		say(p[i % 2], MAC_BROADCAST, fake_mac(1));
		advance(&b, SECOND);
	}
	assert_int_equal(b.n_clash, 2);
	bench_deinit(&b);
}

static void test_no_clash_at_uplink(void **state)
{
	struct fake_port *p[2];
	struct bench b;

	(void)state;
	bench_init(&b, false);
	p[0] = port_make(&b);
	p[1] = fake_new(b.lan, &(struct fake_config){.is_uplink = true});
	for (int i = 0; i < 10; i++)
		say(p[i % 2], MAC_BROADCAST, fake_mac(1));
	assert_int_equal(b.n_clash, 0);
	bench_deinit(&b);
}

static void test_path(void **state)
{
	struct fake_port *p[3];
	struct lan_path path;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	p[0] = port_make(&b);
	p[1] = fake_new(b.lan,
			&(struct fake_config){.offload = PORT_O_ALL,
					      .max_frame = 9000});
	p[2] = fake_new(b.lan,
			&(struct fake_config){.offload = PORT_O_CSUM,
					      .max_frame = 1514,
					      .lossy = true});
	say(p[1], MAC_BROADCAST, fake_mac(1));
	lan_path(&p[0]->port, fake_mac(1), &path);
	assert_ptr_equal(path.port, &p[1]->port);
	assert_int_equal(path.offload, PORT_O_ALL);
	assert_int_equal(path.max_frame, 9000);
	assert_false(path.lossy);
	lan_path(&p[0]->port, MAC_BROADCAST, &path);
	assert_null(path.port);
	assert_int_equal(path.offload, PORT_O_CSUM);
	assert_int_equal(path.max_frame, 1514);
	assert_true(path.lossy);
	lan_port_caps(&p[2]->port, &(struct port_caps){.offload = PORT_O_ALL,
						       .max_frame = 9000});
	lan_path(&p[0]->port, fake_mac(99), &path);
	assert_int_equal(path.offload, PORT_O_ALL);
	assert_false(path.lossy);
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns_and_forwards),
		cmocka_unit_test(test_broadcast_and_multicast_flood),
		cmocka_unit_test(test_hub_repeats_everything),
		cmocka_unit_test(test_one_send_per_exit),
		cmocka_unit_test(test_readable_gives_others_their_turn),
		cmocka_unit_test(test_many_ports_random),
		cmocka_unit_test(test_aged_mac_floods_again),
		cmocka_unit_test(test_macs_are_listed_and_flushed),
		cmocka_unit_test(test_drop_src_group),
		cmocka_unit_test(test_drop_reserved_group),
		cmocka_unit_test(test_drop_short),
		cmocka_unit_test(test_drop_long),
		cmocka_unit_test(test_drop_hairpin),
		cmocka_unit_test(test_drop_no_exit),
		cmocka_unit_test(test_drop_link_down),
		cmocka_unit_test(test_cable_pulled_by_control),
		cmocka_unit_test(test_fault_inside_send),
		cmocka_unit_test(test_exit_goes_down_during_batch),
		cmocka_unit_test(test_drop_port_full),
		cmocka_unit_test(test_keep_and_room),
		cmocka_unit_test(test_keep_at_lossy_exit_loses),
		cmocka_unit_test(test_keep_does_not_keep_floods),
		cmocka_unit_test(test_room_is_shared_fairly),
		cmocka_unit_test(test_waiting_sender_is_told_of_the_end),
		cmocka_unit_test(test_room_from_inside_is_put_off),
		cmocka_unit_test(test_waiter_leaves),
		cmocka_unit_test(test_answer_inside_send),
		cmocka_unit_test(test_lan_to_lan_and_loop),
		cmocka_unit_test(test_mac_clash_is_told_once_a_minute),
		cmocka_unit_test(test_no_clash_at_uplink),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
