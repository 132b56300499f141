/* SPDX-License-Identifier: BSD-3-Clause */
/* The host beside machines; see beside.h. */
#include "netdev/beside.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "netdev/fair.h"
#include "wire/neighbour.h"

enum { AT_SOURCE = 6 };

enum state { FREE, NEW, TOLD, GOING, BLOCKED };

struct place {
	enum state state;
	addr ip;
	mac mac;
	bool is_others;	    /* somebody on the wire has it, too */
	unsigned n_asked;   /* questions without an answer */
	uint64_t end_ns;    /* BLOCKED: until then */
	struct fair_place fair; /* used_ns: it last spoke */
};

struct beside {
	const struct netdev_env *env; /* borrowed */
	struct port *port;	      /* borrowed: the tap's */
	const struct hostif *host;    /* borrowed */
	mac own;
	unsigned n_tells; /* since the last tick */
	unsigned last;	  /* place of who sent the last packet to the host */
	struct timer tick;	/* armed while there are places in use */
	struct loop_work tell;
	struct place place[BESIDE_MAX];
};

static uint64_t now(const struct beside *b)
{
	return *loop_now(b->env->loop);
}

/* ---- telling ---- */

static void tell_later(struct beside *b)
{
	loop_defer(b->env->loop, &b->tell);
	if (!timer_is_armed(&b->tick))
		timer_arm(loop_wheel(b->env->loop), &b->tick,
			  now(b) + BESIDE_TICK_NS);
}

static void set_state(struct beside *b, struct place *p, enum state s)
{
	p->state = s;
	if (s == BLOCKED)
		p->end_ns = now(b) + BESIDE_BLOCK_NS;
	if (s == NEW || s == GOING)
		tell_later(b);
}

static void go(struct beside *b, struct place *p)
{
	if (p->state == TOLD)
		set_state(b, p, GOING);
	else if (p->state == NEW)
		set_state(b, p, p->is_others ? BLOCKED : FREE);
}

static bool tell(struct beside *b, const struct place *p, bool is_here)
{
	if (b->n_tells >= BESIDE_TELLS ||
	    b->env->neighbour(b->env->arg, b->port, &p->ip, p->mac, is_here) <
		    0)
		return false; /* with the next tick */
	b->n_tells++;
	return true;
}

static void tell_all(struct loop_work *w)
{
	struct beside *b = container_of(w, struct beside, tell);

	for (unsigned i = 0; i < BESIDE_MAX; i++) {
		struct place *p = &b->place[i];

		if (p->state == GOING && tell(b, p, false))
			set_state(b, p, p->is_others ? BLOCKED : FREE);
		else if (p->state == NEW && tell(b, p, true))
			set_state(b, p, TOLD);
	}
}

/* ---- whose an address is ---- */

static const struct prefix *network_of(const struct beside *b, const addr *ip)
{
	for (unsigned i = 0; i < b->host->n; i++) {
		const struct prefix *p = &b->host->ip[i];

		if (addr_is_v4(&p->ip) == addr_is_v4(ip) && prefix_has(p, ip))
			return p;
	}
	return NULL;
}

/* True for what a machine beside the host can have. */
static bool is_neighbours(const struct beside *b, const addr *ip)
{
	const struct prefix *p = network_of(b, ip);
	struct prefix net;
	addr all;

	if (!p || hostif_is_own(b->host, ip))
		return false;
	net = prefix_network(p);
	all = prefix_broadcast(p);
	return !addr_is_v4(ip) || p->len >= 127 ||
	       (!addr_eq(ip, &net.ip) && !addr_eq(ip, &all));
}

static struct place *find(struct beside *b, const addr *ip)
{
	for (unsigned i = 0; i < BESIDE_MAX; i++) {
		struct place *p = &b->place[i];

		if (p->state != FREE && addr_eq(&p->ip, ip))
			return p;
	}
	return NULL;
}

/* NULL: there is none now; who wants one comes again. */
static struct place *choose(struct beside *b, uint32_t from)
{
	unsigned i;

	for (i = 0; i < BESIDE_MAX; i++) {
		if (b->place[i].state == FREE)
			return &b->place[i];
	}
	i = fair_choose(&b->place[0].fair, sizeof(b->place[0]), BESIDE_MAX,
			from, now(b));
	if (i < BESIDE_MAX)
		go(b, &b->place[i]);
	return i < BESIDE_MAX && b->place[i].state == FREE ? &b->place[i]
							   : NULL;
}

/* Frames to m reach one port, and that is a machine's. */
static bool is_here(const struct beside *b, mac m)
{
	struct lan_path path;

	lan_path(b->port, m, &path);
	return path.port && !path.port->caps.is_uplink;
}

static void send(struct beside *b, const uint8_t *p, const struct wr *w)
{
	struct batch batch = {.n = 1};

	if (!wr_ok(w))
		return;
	batch.f[0] = frame_flat(p, (uint32_t)wr_len(w));
	(void)lan_input(b->port, &batch, false); /* losses are counted */
}

static void ask(struct beside *b, struct place *p)
{
	const struct prefix *net = network_of(b, &p->ip);
	uint8_t buf[NEIGHBOUR_LEN];
	struct wr w = wr_init(buf, sizeof(buf));

	p->n_asked++;
	if (!net)
		return;
	neighbour_ask(&w, b->own, &net->ip, p->mac, &p->ip);
	send(b, buf, &w);
}

/* A machine says that ip is its own. */
static void claim(struct beside *b, const addr *ip, mac m)
{
	const uint32_t from = lan_ingress(b->env->lan);
	struct place *p = find(b, ip);

	if (!p) {
		if (!is_neighbours(b, ip) || mac_is_group(m))
			return;
		p = choose(b, from);
		if (!p)
			return;
		*p = (struct place){
			.ip = *ip, .mac = m, .fair = {now(b), from}};
		set_state(b, p, NEW);
	} else if (mac_eq(p->mac, m)) {
		p->fair.used_ns = now(b);
		p->n_asked = 0;
	} else if (p->n_asked == 0 && p->state == TOLD) {
		ask(b, p); /* whether it is the other's still */
	}
}

/* Somebody on the wire says so. */
static void claim_outside(struct beside *b, const addr *ip, mac m)
{
	struct place *p = find(b, ip);

	if (!p || mac_eq(p->mac, m) || p->is_others)
		return;
	p->is_others = true;
	go(b, p);
}

static void look(struct beside *b, struct place *p, uint64_t now_ns)
{
	if (p->state == BLOCKED && now_ns >= p->end_ns)
		set_state(b, p, FREE);
	if (p->state != NEW && p->state != TOLD)
		return;
	if (!is_here(b, p->mac) || !is_neighbours(b, &p->ip) ||
	    p->n_asked > BESIDE_ASKS)
		go(b, p);
	else if (p->n_asked || now_ns - p->fair.used_ns >= BESIDE_ASK_NS)
		ask(b, p);
}

static void tick(struct timer *t, uint64_t now_ns)
{
	struct beside *b = container_of(t, struct beside, tick);
	bool is_used = false;

	b->n_tells = 0;
	for (unsigned i = 0; i < BESIDE_MAX; i++) {
		look(b, &b->place[i], now_ns);
		is_used |= b->place[i].state != FREE;
	}
	if (is_used)
		tell_later(b);
}

void beside_changed(struct beside *b)
{
	for (unsigned i = 0; i < BESIDE_MAX; i++)
		look(b, &b->place[i], now(b));
}

/* ---- what passes ---- */

static void hear(struct beside *b, const struct neighbour *n)
{
	uint8_t buf[NEIGHBOUR_LEN];
	struct wr w = wr_init(buf, sizeof(buf));

	if (lan_ingress_is_uplink(b->env->lan)) {
		claim_outside(b, &n->from, n->mac);
		return;
	}
	if (hostif_is_own(b->host, &n->asked)) {
		neighbour_answer(&w, n, b->own);
		send(b, buf, &w);
	}
	claim(b, &n->from, n->mac);
}

/* True if the sender's address is its own, as far as is known.  A machine that
 * knows the host's MAC may ask nobody for long: its packets say as much, to an
 * engine that is new. */
static bool hear_packet(struct beside *b, const addr *from, mac m)
{
	const struct place *p = &b->place[b->last];

	if (p->state == TOLD && mac_eq(p->mac, m) && addr_eq(&p->ip, from))
		return true;
	claim(b, from, m);
	p = find(b, from);
	if (!p || !mac_eq(p->mac, m) || (p->state != NEW && p->state != TOLD))
		return false;
	b->last = (unsigned)(p - b->place);
	return true;
}

bool beside_takes(struct beside *b, const struct frame *f)
{
	struct neighbour n;
	addr from, to;

	if (neighbour_parse(f->hdr, f->hdr_len, f->len, &n)) {
		hear(b, &n);
		return false;
	}
	/* What is for all, or for one whose place is not known. */
	if (lan_ingress_is_uplink(b->env->lan) ||
	    !mac_eq(mac_bytes(f->hdr), b->own))
		return false;
	if (hostif_addresses(f, &from, &to) && hostif_is_own(b->host, &to) &&
	    hear_packet(b, &from, mac_bytes(f->hdr + AT_SOURCE)))
		return true;
	drop(b->env->drops, DROP_NOT_THE_HOST);
	b->port->stats.tx_drops++;
	return false;
}

bool beside_gives(const struct beside *b, const struct frame *f)
{
	addr from, to;

	return is_here(b, mac_bytes(f->hdr)) &&
	       hostif_addresses(f, &from, &to) && hostif_is_own(b->host, &from);
}

/* ---- life ---- */

struct beside *beside_new(const struct netdev_env *env, struct port *port,
			  const struct hostif *host, mac own)
{
	struct beside *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->env = env;
	b->port = port;
	b->host = host;
	b->own = own;
	timer_init(&b->tick, tick);
	loop_work_init(&b->tell, tell_all);
	return b;
}

struct beside *beside_free(struct beside *b)
{
	if (!b)
		return NULL;
	timer_disarm(loop_wheel(b->env->loop), &b->tick);
	loop_undefer(b->env->loop, &b->tell);
	free(b);
	return NULL;
}
