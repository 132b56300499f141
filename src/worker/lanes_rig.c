/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of lanes, see lanes_rig.h. */
#include "worker/lanes_rig.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lan/lan_priv.h"

enum { WAIT_S = 60 };

/* ---- a team, a network ---- */

static void on_mail(void *arg, unsigned me, struct mail *m)
{
	struct world *w = arg;
	struct mail_cell c;
	struct frame f;

	for (unsigned i = 0; i < 1024 && mail_next(m, &c, &f); i++)
		lanes_take(w->lanes, me, mail_from(m), &c, &f);
	lanes_taken(w->lanes, me);
}

static void on_room(void *arg, unsigned me, struct mail *m)
{
	struct world *w = arg;

	lanes_room(w->lanes, me, m);
}

static void on_fault(void *arg, struct port *p, enum port_fault why,
		     const char *text)
{
	struct world *w = arg;

	w->n_fault++;
	w->fault = why;
	w->fault_port = p;
	snprintf(w->fault_text, sizeof(w->fault_text), "%s", text);
}

struct loop *loop_of(struct world *w, unsigned i)
{
	return team_worker(w->t, i)->loop;
}

void world_init(struct world *w, unsigned n, uint64_t tell_ns)
{
	world_init_mail(w, n, tell_ns, MAIL_BYTES_MIN);
}

void world_init_mail(struct world *w, unsigned n, uint64_t tell_ns,
		     size_t mail_bytes)
{
	static const struct team_ops ops = {.mail = on_mail, .room = on_room};
	struct team_config tc = {
		.n = n, .mail_bytes = mail_bytes, .ops = &ops, .arg = w};
	struct error e = ERROR_NULL;
	struct lan_config lc = {.name = "net0",
				.events = {.fault = on_fault, .arg = w}};

	*w = (struct world){.n = n};
	assert_int_equal(team_new(&tc, &w->t, &e), 0);
	lc.wheel = loop_wheel(loop_of(w, 0));
	lc.now_ns = loop_now(loop_of(w, 0));
	lc.drops = team_worker(w->t, 0)->drops;
	assert_int_equal(lan_new(&lc, &w->lan), 0);
	assert_int_equal(lanes_new(w->t, &w->lanes), 0);
	assert_int_equal(lanes_net_new(w->lanes, w->lan, tell_ns, &w->net), 0);
}

void world_deinit(struct world *w)
{
	struct list *it;

	while ((it = list_first(lan_ports(w->lan))))
		fake_free((void *)container_of(it, struct port, link_all));
	assert_null(lanes_net_free(w->net));
	lan_free(w->lan);
	/* Mail may be on its way until the threads are gone. */
	team_free(w->t);
	assert_null(lanes_free(w->lanes));
}

struct fake_port *port_new(struct world *w, const char *name)
{
	struct fake_config c = {.name = name};

	return fake_new(w->lan, &c);
}

struct fake_port *leg_new(struct world *w, struct fake_port *p, unsigned i)
{
	struct fake_config c = {.name = "leg", .lossy = p->c.lossy};
	struct fake_port *leg = fake_make(&c);

	assert_int_equal(lanes_leg_set(w->net, &p->port, i, &leg->port), 0);
	return leg;
}

/* ---- time ---- */

static uint64_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

void until(struct world *w, is_fn is, void *arg)
{
	uint64_t end = seconds() + WAIT_S;
	bool is_so = false;

	while (!is_so) {
		if (seconds() > end)
			fail_msg("it never came to be");
		assert_int_equal(loop_turn(loop_of(w, 0), 2), 0);
		team_pause(w->t);
		is_so = is(w, arg);
		team_resume(w->t);
	}
}

struct count {
	const struct fake_port *f;
	unsigned n;
};

static bool has_got(struct world *w, void *arg)
{
	const struct count *c = arg;

	return c->f->n_out >= c->n;
}

void until_got(struct world *w, const struct fake_port *f, unsigned n)
{
	struct count c = {f, n};

	until(w, has_got, &c);
}

struct drop_count {
	enum drop_reason why;
	uint64_t n;
};

uint64_t dropped(struct world *w, enum drop_reason why)
{
	uint64_t n = 0;

	team_pause(w->t);
	for (unsigned i = 0; i < w->n; i++)
		n += team_worker(w->t, i)->drops->n[why];
	team_resume(w->t);
	return n;
}

static bool is_dropped(struct world *w, void *arg)
{
	const struct drop_count *c = arg;

	return dropped(w, c->why) >= c->n;
}

void until_dropped(struct world *w, enum drop_reason why, uint64_t n)
{
	struct drop_count c = {why, n};

	until(w, is_dropped, &c);
}

static bool is_copied(struct world *w, void *arg)
{
	for (unsigned i = 1; i < w->n; i++) {
		const struct lane *l = lanes_lane(w->net, i)->lane;

		for (unsigned k = 0; k < lan_mac_slots(w->lan); k++) {
			struct port *here = l->table.entry[k].port, *p;
			mac m;

			p = lan_mac_slot(w->lan, k, &m);
			if (!p != !here)
				return false;
			if (p && (p->serial != here->serial ||
				  lane_find(l, m) != here))
				return false;
		}
	}
	return true;
}

void until_copied(struct world *w)
{
	until(w, is_copied, NULL);
}

/* ---- frames ---- */

void put_frame(uint8_t *buf, mac dst, mac src, uint32_t number)
{
	fake_frame_fill(buf, FRAME_LEN, dst, src, number);
	memcpy(buf + AT_SEED, &number, sizeof(number));
}

uint32_t number_of(const struct fake_frame *f)
{
	uint32_t number;

	assert_int_equal(f->len, FRAME_LEN);
	memcpy(&number, f->data + AT_SEED, sizeof(number));
	return number;
}

void say(struct fake_port *f, mac dst, mac src)
{
	uint8_t buf[FRAME_LEN];

	put_frame(buf, dst, src, 0);
	fake_rx(f, buf, sizeof(buf), NULL);
}

static void read_leg(struct loop_work *lw)
{
	struct reader *r = container_of(lw, struct reader, work);
	uint8_t buf[FRAME_LEN];

	for (unsigned i = 0; r->repeats && r->port->port.lan && i < FRAME_BATCH;
	     i++) {
		put_frame(buf, r->dst, r->src, r->next++);
		fake_queue(r->port, buf, sizeof(buf), NULL);
	}
	while (lan_port_readable(&r->port->port))
		;
	if (r->repeats)
		loop_defer(r->loop, &r->work);
}

struct reader *reader_of(struct world *w, unsigned i, struct fake_port *leg)
{
	struct reader *r = &w->reader[i];

	r->port = leg;
	r->loop = loop_of(w, i);
	loop_work_init(&r->work, read_leg);
	return r;
}

void lane_say(struct world *w, unsigned i, struct fake_port *leg, mac dst,
	      mac src, unsigned n)
{
	struct reader *r = &w->reader[i];
	uint8_t buf[FRAME_LEN];

	team_pause(w->t);
	if (r->port != leg)
		r = reader_of(w, i, leg);
	for (unsigned k = 0; k < n; k++) {
		put_frame(buf, dst, src, k);
		fake_queue(leg, buf, sizeof(buf), NULL);
	}
	loop_defer(r->loop, &r->work);
	team_resume(w->t);
}

void pause_say(struct world *w, struct fake_port *leg, mac dst, mac src)
{
	uint8_t buf[FRAME_LEN];

	put_frame(buf, dst, src, 0);
	fake_rx(leg, buf, sizeof(buf), NULL);
}

struct port_stats stats_of(struct world *w, const struct fake_port *p)
{
	struct port_stats s;

	lanes_port_stats(w->net, &p->port, &s);
	return s;
}

/* ---- two ports ---- */

void pair_init(struct world *w, struct pair *t)
{
	t->p = port_new(w, "p");
	t->q = port_new(w, "q");
	t->leg = leg_new(w, t->p, 1);
	t->at_p = fake_mac(1);
	t->at_q = fake_mac(2);
}

void pair_greet(struct world *w, struct pair *t)
{
	say(t->p, t->at_q, t->at_p);
	say(t->q, t->at_p, t->at_q);
	until_copied(w);
	fake_clear(t->p);
	fake_clear(t->q);
}

/* What is queued to be read is not read any more. */
static void readers_stop(struct world *w)
{
	team_pause(w->t);
	for (unsigned i = 1; i < w->n; i++) {
		if (w->reader[i].port)
			loop_undefer(w->reader[i].loop, &w->reader[i].work);
	}
	team_resume(w->t);
}

void pair_deinit(struct world *w, struct pair *t)
{
	readers_stop(w);
	fake_free(t->p);
	fake_free(t->leg); /* which is on no lane now */
	world_deinit(w);
}

void note_ingress(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	struct world *w = f->arg;

	(void)b;
	(void)mask;
	w->ingress = lan_ingress(f->port.lan);
	assert(lan_payer(f->port.lan) == w->ingress);
}
