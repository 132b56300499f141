/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch: where frames go and why they are lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/fake_port.h"
#include "lan/lane.h"

#define SECOND UINT64_C(1000000000)

static struct fake_port *port_make(struct fake_lan *b)
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
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
}

static void test_who_speaks_is_noted(void **state)
{
	struct fake_port *p[2];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	assert_null(b.talk.who);
	say(p[0], fake_mac(1), fake_mac(0));
	say(p[0], fake_mac(1), fake_mac(0));
	assert_ptr_equal(b.talk.who, &p[0]->port);
	assert_false(b.talk.is_several);
	assert_int_equal(b.talk.bytes, 128);
	say(p[1], fake_mac(0), fake_mac(1));
	assert_true(b.talk.is_several);
	assert_int_equal(b.talk.bytes, 192);
	b.talk = (struct talk){0};
	say(p[1], fake_mac(0), fake_mac(1));
	assert_ptr_equal(b.talk.who, &p[1]->port);
	b.talk = (struct talk){0};
	p[1]->port.caps.is_ours = true;
	say(p[1], fake_mac(0), fake_mac(1));
	assert_null(b.talk.who);
	assert_int_equal(b.talk.bytes, 0);
	fake_lan_deinit(&b);
}

/* A lane where there was no memory for a leg of the sender. */
static void test_output_from_nobody(void **state)
{
	struct fake_port *p;
	struct fake_lan b;
	uint8_t buf[60] = {0};
	struct batch batch = {.n = 1};

	(void)state;
	fake_lan_init(&b, false);
	p = port_make(&b);
	batch.f[0] = frame_flat(buf, sizeof(buf));
	lan_output(&p->port, NULL, &batch);
	assert_int_equal(p->n_out, 1);
	assert_null(b.talk.who);
	fake_lan_deinit(&b);
}

static uint32_t heard_from;

static void note_ingress(struct fake_port *f, const struct batch *b,
			 uint64_t mask)
{
	heard_from = lan_ingress(f->port.lan);
}

/* ... and answers inside the call, which is another carriage. */
static void answer_and_note(struct fake_port *f, const struct batch *b,
			    uint64_t mask)
{
	uint32_t outer = lan_ingress(f->port.lan);

	say(f, fake_mac(0), fake_mac(2));
	assert_int_equal(lan_ingress(f->port.lan), outer);
}

static void test_the_ingress_is_told(void **state)
{
	struct fake_port *p[3];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	p[1]->on_send = note_ingress;
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(heard_from, p[0]->port.serial);
	say(p[2], fake_mac(1), fake_mac(0)); /* whatever it says */
	assert_int_equal(heard_from, p[2]->port.serial);
	say(p[0], fake_mac(5), fake_mac(0));
	p[2]->on_send = answer_and_note;
	p[0]->on_send = note_ingress;
	say(p[1], MAC_BROADCAST, fake_mac(1));
	assert_int_equal(heard_from, p[2]->port.serial);
	assert_int_equal(lan_ingress(b.lan), 0);
	fake_lan_deinit(&b);
}

static void test_broadcast_and_multicast_flood(void **state)
{
	mac group = {{0x33, 0x33, 0, 0, 0, 1}};
	struct fake_port *p[3];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	say(p[0], MAC_BROADCAST, fake_mac(0));
	say(p[0], group, fake_mac(0));
	assert_int_equal(p[0]->n_out, 0);
	assert_int_equal(p[1]->n_out, 2);
	assert_int_equal(p[2]->n_out, 2);
	fake_lan_deinit(&b);
}

static void test_hub_repeats_everything(void **state)
{
	mac stp = {{0x01, 0x80, 0xc2, 0, 0, 0}};
	struct fake_port *p[3];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, true);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	say(p[1], fake_mac(0), fake_mac(1));
	say(p[0], fake_mac(1), fake_mac(0));
	say(p[0], stp, fake_mac(0));
	say(p[0], fake_mac(1), MAC_BROADCAST);
	assert_int_equal(p[0]->n_out, 1);
	assert_int_equal(p[1]->n_out, 3);
	assert_int_equal(p[2]->n_out, 4);
	fake_lan_deinit(&b);
}

static void test_one_send_per_exit(void **state)
{
	struct fake_port *p[3];
	uint8_t buf[60];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
}

static void test_readable_gives_others_their_turn(void **state)
{
	struct fake_port *p;
	uint8_t buf[60];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
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
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < MANY; i++) {
		p[i] = fake_new(b.lan,
				&(struct fake_config){.is_uplink = true});
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
	fake_lan_deinit(&b);
}

static void test_aged_mac_floods_again(void **state)
{
	struct fake_port *p[3];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 3; i++)
		p[i] = port_make(&b);
	say(p[1], MAC_BROADCAST, fake_mac(1));
	fake_clear(p[2]);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[2]->n_out, 0);
	fake_lan_advance(&b, (LAN_AGE_SECONDS + 1) * SECOND);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[2]->n_out, 1);
	fake_lan_deinit(&b);
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
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	for (uint32_t i = 0; i < 10; i++)
		say(p[i % 2], MAC_BROADCAST, fake_mac(i));
	fake_lan_advance(&b, SECOND);
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
	fake_lan_deinit(&b);
}

/* --- frames lost by name ------------------------------------------------ */

static void test_drop_src_group(void **state)
{
	struct fake_port *p[2];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[0], fake_mac(1), MAC_BROADCAST);
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(b.drops.n[DROP_FRAME_SRC_GROUP], 1);
	assert_int_equal(p[0]->port.stats.rx_drops, 1);
	fake_lan_deinit(&b);
}

static void test_drop_reserved_group(void **state)
{
	mac stp = {{0x01, 0x80, 0xc2, 0, 0, 0x0e}};
	mac not_reserved = {{0x01, 0x80, 0xc2, 0, 0, 0x10}};
	struct fake_port *p[2];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[0], stp, fake_mac(0));
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(b.drops.n[DROP_RESERVED_GROUP], 1);
	say(p[0], not_reserved, fake_mac(0));
	assert_int_equal(p[1]->n_out, 1);
	fake_lan_deinit(&b);
}

static void test_drop_short(void **state)
{
	uint8_t buf[13] = {2};
	struct fake_port *p[2];
	struct batch batch = {.n = 1};
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	batch.f[0] = frame_flat(buf, sizeof(buf));
	assert_true(lan_input(&p[0]->port, &batch, true) == 0);
	assert_int_equal(b.drops.n[DROP_FRAME_SHORT], 1);
	assert_int_equal(p[1]->n_out, 0);
	fake_lan_deinit(&b);
}

static void test_drop_long(void **state)
{
	struct fake_port *p[2];
	uint8_t buf[1515];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
}

static void test_drop_hairpin(void **state)
{
	struct fake_port *p[2];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (int i = 0; i < 2; i++)
		p[i] = port_make(&b);
	say(p[0], MAC_BROADCAST, fake_mac(7));
	fake_clear(p[1]);
	say(p[0], fake_mac(7), fake_mac(0));
	assert_int_equal(p[1]->n_out, 0);
	assert_int_equal(p[0]->n_out, 0);
	assert_int_equal(b.drops.n[DROP_HAIRPIN], 1);
	fake_lan_deinit(&b);
}

static void test_drop_no_exit(void **state)
{
	struct fake_port *p;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	p = port_make(&b);
	say(p, MAC_BROADCAST, fake_mac(0));
	assert_int_equal(b.drops.n[DROP_NO_EXIT], 1);
	fake_lan_deinit(&b);
}

static void test_drop_link_down(void **state)
{
	struct fake_port *p[2];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	assert_int_equal(p[1]->n_done, 2); /* but taken from the peer */
	lan_port_link(&p[1]->port, true);
	lan_port_link(&p[1]->port, true);
	assert_int_equal(b.n_link, 2);
	say(p[0], fake_mac(1), fake_mac(0));
	assert_int_equal(p[1]->n_out, 1);
	fake_lan_deinit(&b);
}

static void test_cable_pulled_by_control(void **state)
{
	struct fake_port *p[3];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
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
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
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
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
}

static void test_drop_port_full(void **state)
{
	struct fake_port *p[2];
	uint8_t buf[60];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
}

/* --- clashes ------------------------------------------------------------ */

static void test_no_clash_at_uplink(void **state)
{
	struct fake_port *p[2];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	p[0] = port_make(&b);
	p[1] = fake_new(b.lan, &(struct fake_config){.is_uplink = true});
	for (int i = 0; i < 10; i++)
		say(p[i % 2], MAC_BROADCAST, fake_mac(1));
	assert_int_equal(b.n_clash, 0);
	fake_lan_deinit(&b);
}

static void test_path(void **state)
{
	struct fake_port *p[3];
	struct lan_path path;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
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
	fake_lan_deinit(&b);
}

/* The queue before us: of the one exit, else the shortest; 0 is no end. */
static void test_path_queue(void **state)
{
	static const uint32_t queue[] = {0, 0, 1000, 500};
	struct fake_port *p[4];
	struct lan_path path;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	for (unsigned i = 0; i < 4; i++) {
		struct port_caps caps;

		p[i] = port_make(&b);
		caps = p[i]->port.caps;
		caps.queue_frames = queue[i];
		lan_port_caps(&p[i]->port, &caps);
		if (i > 0)
			say(p[i], MAC_BROADCAST, fake_mac(i));
	}
	for (unsigned i = 1; i < 4; i++) {
		lan_path(&p[0]->port, fake_mac(i), &path);
		assert_int_equal(path.queue_frames, queue[i]);
	}
	lan_path(&p[0]->port, fake_mac(99), &path);
	assert_int_equal(path.queue_frames, 500);
	lan_port_link(&p[3]->port, false);
	lan_path(&p[0]->port, fake_mac(99), &path);
	assert_int_equal(path.queue_frames, 1000);
	lan_port_link(&p[2]->port, false);
	lan_path(&p[0]->port, fake_mac(99), &path);
	assert_int_equal(path.queue_frames, 0);
	fake_lan_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns_and_forwards),
		cmocka_unit_test(test_who_speaks_is_noted),
		cmocka_unit_test(test_output_from_nobody),
		cmocka_unit_test(test_the_ingress_is_told),
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
		cmocka_unit_test(test_no_clash_at_uplink),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_path_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
