/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gateway's legs on the other workers' lanes (gateway_legs.h): made and
 * changed by worker 0 in pauses.  gateway_carry.c has what they do with frames.
 */
#include "gateway/gateway_legs.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_priv.h"

/* Longer than a call to a guest is tried. */
#define WANT_NS (UINT64_C(60) * 1000000000)
/* Between two connections from outside that are given away. */
#define SPREAD_NS UINT64_C(1000000)
/* Pauses for calls: what one costs all workers, times the part of the time that
 * they may come to; and so much is free before. */
#define CALL_NS (UINT64_C(50000) * 16)
#define CALLS_FREE_NS UINT64_C(1000000000)

/* ---- the hooks of a leg's parts ---- */

static bool leg_redirect(void *arg, uint8_t proto, const struct endpoint *dst,
			 struct endpoint *to)
{
	const struct gateway_leg *l = arg;

	return gateway_redirect(l->carrier.gw, proto, dst, to);
}

static bool leg_neigh(void *arg, const addr *ip, mac *macp)
{
	struct gateway_leg *l = arg;

	return neigh_known(&l->neigh, ip, macp);
}

static bool leg_source_ok(void *arg, const addr *src)
{
	const struct gateway_leg *l = arg;

	return gateway_source_ok(l->carrier.gw, src);
}

/* In a pause: worker 0 does it. */
static void leg_refuse(void *arg, int fd, const struct endpoint *client,
		       const struct icmp_refusal *r)
{
	const struct gateway_leg *l = arg;
	const struct nat_env *first = &l->carrier.gw->nat;

	first->refuse(first->arg, fd, client, r);
}

/* What worker 0's env says of the network, and the worker's own. */
static void sync_env(struct gateway_leg *l)
{
	const struct nat_env own = l->nat;

	l->nat = l->carrier.gw->nat;
	l->nat.host = own.host;
	l->nat.wheel = own.wheel;
	l->nat.now_ns = own.now_ns;
	l->nat.drops = own.drops;
	l->nat.log = own.log;
	l->nat.lan = own.lan;
	l->nat.port = &l->port;
	l->nat.arg = l;
	l->nat.redirect = leg_redirect;
	l->nat.is_served = NULL;
	l->nat.serve = NULL;
	l->nat.neigh = leg_neigh;
	l->nat.hold = NULL; /* every flow knows its guest's MAC */
	l->nat.refuse = l->nat.refuse ? leg_refuse : NULL;
	l->nat.connect = NULL;
	l->nat.source_ok = leg_source_ok;
}

/* ---- making and ending ---- */

static struct carrier *carrier_new(struct gateway *gw, struct buckets *b)
{
	struct carrier *c = mem_apart(1, sizeof(*c));

	if (!c)
		return NULL;
	c->gw = gw;
	if (bucket_holds_init(&c->holds, b, 0) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

static struct gateway_leg *leg_new(struct gateway *gw, struct buckets *b,
				   const struct gateway_worker *w, unsigned me)
{
	struct gateway_leg *l = mem_apart(1, sizeof(*l));

	if (!l)
		return NULL;
	l->carrier.gw = gw;
	l->carrier.me = me;
	if (bucket_holds_init(&l->carrier.holds, b, me) < 0) {
		free(l);
		return NULL;
	}
	l->nat = (struct nat_env){.host = w->host,
				  .wheel = w->wheel,
				  .now_ns = w->now_ns,
				  .drops = w->drops,
				  .log = w->log,
				  .lan = w->lane};
	neigh_init(&l->neigh);
	return l;
}

int gateway_legs_new(struct gateway *gw, const struct gateway_env *env)
{
	const struct tcp_config tc = {0};
	struct gateway_legs *ls;
	int r;

	/* With restrict= hardly anything passes, and that is worker 0's. */
	if (env->n_workers == 0 || gw->config.is_restricted)
		return 0;
	if (env->n_workers >= GATEWAY_WORKERS_MAX)
		return -EINVAL;
	ls = calloc(1, sizeof(*ls) + env->n_workers * sizeof(ls->leg[0]));
	if (!ls)
		return -ENOMEM;
	gw->legs = ls;
	ls->pause = env->pause;
	ls->resume = env->resume;
	ls->leg_set = env->leg;
	ls->arg = env->arg;
	ls->mail = env->mail;
	ls->mail_arg = env->mail_arg;
	flow_share_init(&ls->udp_share);
	r = buckets_new(&ls->buckets);
	if (r == 0)
		r = tcp_share_new(&tc, &ls->tcp_share);
	if (r < 0)
		return r;
	ls->first = carrier_new(gw, ls->buckets);
	if (!ls->first)
		return -ENOMEM;
	for (; ls->n < env->n_workers; ls->n++) {
		ls->leg[ls->n] = leg_new(gw, ls->buckets, &env->workers[ls->n],
					 ls->n + 1);
		if (!ls->leg[ls->n])
			return -ENOMEM;
	}
	return 0;
}

static int make_parts(struct gateway_leg *l)
{
	struct gateway *gw = l->carrier.gw;
	struct gateway_legs *ls = gw->legs;
	struct tcp_config tc = gw->tcp_config;
	const struct udp_config uc = {.max_clients = 1,
				      .share = &ls->udp_share,
				      .holds = &l->carrier.holds};
	int r = icmp_new(&l->nat, 1, &l->icmp); /* it pings nobody */

	tc.holds = &l->carrier.holds;
	if (r == 0)
		r = udp_new(&l->nat, l->icmp, &uc, &l->udp);
	if (r == 0)
		r = tcp_new(&l->nat, &tc, &l->tcp);
	if (r < 0)
		return r;
	gateway_tcp_reports(l->tcp, l->icmp);
	l->carrier.tcp = l->tcp;
	l->carrier.udp = l->udp;
	return 0;
}

int gateway_legs_start(struct gateway *gw)
{
	struct gateway_legs *ls = gw->legs;
	int r = 0;

	if (!ls)
		return 0;
	ls->first->tcp = gw->tcp;
	ls->first->udp = gw->udp;
	gateway_pause(gw);
	for (unsigned i = 0; r == 0 && i < ls->n; i++) {
		struct gateway_leg *l = ls->leg[i];

		sync_env(l);
		gateway_leg_port(l);
		r = make_parts(l);
		if (r == 0)
			r = ls->leg_set(ls->arg, &gw->port, i + 1, &l->port);
		l->is_on = r == 0;
	}
	gateway_resume(gw);
	return r;
}

void gateway_legs_stop(struct gateway *gw)
{
	struct gateway_legs *ls = gw->legs;

	if (!ls)
		return;
	gateway_pause(gw);
	for (unsigned i = 0; i < ls->n; i++) {
		struct gateway_leg *l = ls->leg[i];

		l->tcp = tcp_free(l->tcp);
		l->udp = udp_free(l->udp);
		l->icmp = icmp_free(l->icmp);
		/* Without a leg there comes a mail leg, which fails for want
		 * of memory at worst. */
		if (l->is_on && gw->port.lan)
			(void)ls->leg_set(ls->arg, &gw->port, i + 1, NULL);
		l->is_on = false;
	}
	gateway_resume(gw);
}

void gateway_legs_free(struct gateway *gw)
{
	struct gateway_legs *ls = gw->legs;

	if (!ls)
		return;
	for (unsigned i = 0; i < ls->n; i++) {
		bucket_holds_deinit(&ls->leg[i]->carrier.holds);
		free(ls->leg[i]);
	}
	if (ls->first)
		bucket_holds_deinit(&ls->first->holds);
	free(ls->first);
	ls->tcp_share = tcp_share_free(ls->tcp_share);
	ls->buckets = buckets_free(ls->buckets);
	free(ls);
	gw->legs = NULL;
}

void gateway_pause(struct gateway *gw)
{
	if (gw->legs)
		gw->legs->pause(gw->legs->arg);
}

void gateway_resume(struct gateway *gw)
{
	struct gateway_legs *ls = gw->legs;

	if (!ls)
		return;
	for (unsigned i = 0; i < ls->n; i++)
		sync_env(ls->leg[i]);
	ls->resume(ls->arg);
}

/* ---- what worker 0 tells them ---- */

void gateway_legs_network(struct gateway *gw, const addr *gone, unsigned n)
{
	for (unsigned i = 0; gw->legs && i < gw->legs->n; i++)
		tcp_addrs_gone(gw->legs->leg[i]->tcp, gone, n);
}

void gateway_legs_way_gone(struct gateway *gw, bool is_v4)
{
	for (unsigned i = 0; gw->legs && i < gw->legs->n; i++)
		tcp_way_gone(gw->legs->leg[i]->tcp, is_v4);
}

void gateway_legs_forward_to(struct gateway *gw, uint16_t port)
{
	struct gateway_legs *ls = gw->legs;

	if (!ls || gateway_legs_forward(ls, port))
		return;
	gateway_pause(gw);
	ls->forwarded[port / 8] |= (uint8_t)(1u << port % 8);
	gateway_resume(gw);
}

/* There may be many forwards: they are looked through before the pause. */
void gateway_legs_forwards(struct gateway *gw)
{
	struct gateway_legs *ls = gw->legs;
	uint8_t bits[UINT16_MAX / 8 + 1];

	if (!ls)
		return;
	udp_forward_ports(gw->udp, bits);
	if (memcmp(bits, ls->forwarded, sizeof(bits)) == 0)
		return;
	gateway_pause(gw);
	memcpy(ls->forwarded, bits, sizeof(bits));
	gateway_resume(gw);
}

void gateway_legs_stats(struct gateway *gw, struct gateway_stats *sp)
{
	for (unsigned i = 0; gw->legs && i < gw->legs->n; i++)
		gateway_stats_add(sp, gw->legs->leg[i]->tcp,
				  gw->legs->leg[i]->udp);
}

/* ---- MACs ---- */

static void want(struct gateway *gw, struct gateway_leg *l, const addr *ip)
{
	addr *place = &l->want[l->next_want];

	for (unsigned i = 0; i < GATEWAY_WANTS; i++) {
		if (addr_eq(&l->want[i], ip))
			return;
	}
	gw->legs->n_wants += addr_is_unspecified(place);
	gw->legs->wants_until_ns = *gw->nat.now_ns + WANT_NS;
	*place = *ip; /* who waits longest has asked in vain */
	l->next_want = (l->next_want + 1) % GATEWAY_WANTS;
}

static void learn(struct gateway *gw, struct gateway_leg *l, const addr *ip,
		  mac m)
{
	neigh_learn(&l->neigh, ip, m, lan_ingress(gw->nat.lan),
		    *gw->nat.now_ns);
}

static void want_no_more(struct gateway_legs *ls)
{
	for (unsigned i = 0; i < ls->n; i++)
		memset(ls->leg[i]->want, 0, sizeof(ls->leg[i]->want));
	ls->n_wants = 0;
}

void gateway_legs_learn(struct gateway *gw, const addr *ip, mac m)
{
	struct gateway_legs *ls = gw->legs;

	if (ls->n_wants == 0)
		return;
	if (*gw->nat.now_ns >= ls->wants_until_ns)
		want_no_more(ls);
	for (unsigned i = 0; i < ls->n; i++) {
		struct gateway_leg *l = ls->leg[i];

		for (unsigned k = 0; k < GATEWAY_WANTS; k++) {
			if (!addr_eq(&l->want[k], ip))
				continue;
			l->want[k] = (addr){{0}};
			ls->n_wants--;
			ls->pause(ls->arg);
			learn(gw, l, ip, m);
			ls->resume(ls->arg);
		}
	}
}

/* The leg is to know ip's MAC, now or as soon as worker 0 does. */
static void introduce(struct gateway *gw, struct gateway_leg *l, const addr *ip)
{
	mac m;

	if (neigh_find(&gw->neigh, &gw->nat, ip, &m))
		learn(gw, l, ip, m);
	else
		want(gw, l, ip);
}

/* ---- flows that are theirs ---- */

/* The leg that has the bucket, or NULL. */
static struct gateway_leg *owner_of(const struct gateway *gw, uint32_t bucket)
{
	unsigned w;

	if (!buckets_owner(gw->legs->buckets, bucket, &w) || w == 0)
		return NULL;
	return gw->legs->leg[w - 1];
}

bool gateway_legs_refused(struct gateway *gw, struct icmp_refusal *r)
{
	const struct endpoint any = {.port = 0};
	struct gateway_legs *ls = gw->legs;
	bool is_tcp = r->proto == IPPROTO_TCP;
	uint32_t bucket = buckets_of(ls->buckets, r->proto, &r->guest,
				     is_tcp ? &r->peer : &any);

	if (is_tcp ? tcp_has(gw->tcp, &r->guest, &r->peer)
		   : udp_has(gw->udp, &r->guest) ||
			     gateway_legs_forward(ls, r->guest.port))
		return false;
	if (!owner_of(gw, bucket))
		return false;
	/* A pause costs them all something. */
	if (!icmp_ration_refusal(gw->icmp))
		return true;
	ls->pause(ls->arg);
	if (owner_of(gw, bucket) && is_tcp)
		tcp_guest_refused(owner_of(gw, bucket)->tcp, r);
	else if (owner_of(gw, bucket))
		udp_refused(owner_of(gw, bucket)->udp, r);
	ls->resume(ls->arg);
	return true;
}

/* In a pause. */
static int hand_over(struct gateway *gw, struct gateway_leg *l,
		     struct host_sock *sock, const struct nat_inward *in)
{
	struct host *from = gw->nat.host, *to = l->nat.host;
	struct host_sock moved = HOST_SOCK_NULL;
	int r;

	if (!tcp_is_pair_free(l->tcp, &in->guest, &in->peer))
		return -EAGAIN;
	r = to->ops->adopt(to, &moved, sock->fd);
	if (r < 0) {
		from->ops->close(from, sock, true);
		return r;
	}
	(void)from->ops->release(from, sock); /* the same number */
	introduce(gw, l, &in->guest.ip);
	return tcp_connect_guest(l->tcp, &moved, in);
}

/* Of pauses for calls; what it says yes to is paid for. */
static bool may_pause(struct gateway *gw)
{
	struct gateway_legs *ls = gw->legs;
	uint64_t now = *gw->nat.now_ns;

	if (ls->paid_ns + CALLS_FREE_NS < now)
		ls->paid_ns = now - CALLS_FREE_NS;
	if (ls->paid_ns > now)
		return false;
	ls->paid_ns += CALL_NS;
	return true;
}

/* Whose turn it is to have a new connection to a guest of several queues, NULL:
 * worker 0's.  A pause in a millisecond costs nobody much; what comes faster
 * stays here. */
static struct gateway_leg *next_turn(struct gateway *gw, const addr *guest)
{
	struct gateway_legs *ls = gw->legs;
	const uint64_t now = *gw->nat.now_ns;
	struct lan_path path;
	unsigned n, turn;
	mac m;

	if (now - ls->spread_ns < SPREAD_NS ||
	    !neigh_known(&gw->neigh, guest, &m))
		return NULL;
	lan_path(&gw->port, m, &path);
	if (!path.port || path.port->caps.queues < 2)
		return NULL;
	n = path.port->caps.queues < ls->n + 1 ? path.port->caps.queues
					       : ls->n + 1;
	turn = ls->turn++ % n;
	if (turn == 0 || !may_pause(gw))
		return NULL;
	ls->spread_ns = now;
	return ls->leg[turn - 1];
}

/* In a pause: the guest's port has a queue on l's lane. */
static bool has_queue(struct gateway *gw, struct gateway_leg *l,
		      const addr *guest)
{
	struct lan_path here, there;
	mac m;

	if (!neigh_known(&gw->neigh, guest, &m))
		return false;
	lan_path(&gw->port, m, &here);
	lan_path(&l->port, m, &there);
	return here.port && there.port &&
	       strcmp(here.port->ops->kind, there.port->ops->kind) == 0;
}

/* In a pause: the bucket is worker 0's, for nothing but this connection, which
 * l is to have. */
static int connect_turn(struct gateway *gw, struct gateway_leg *l,
			uint32_t bucket, struct host_sock *sock,
			const struct nat_inward *in)
{
	bool is_its = has_queue(gw, l, &in->guest.ip);
	int r;

	/* Free now, and nobody claims it in a pause. */
	if (is_its)
		bucket_release(&gw->legs->first->holds, bucket);
	r = is_its ? hand_over(gw, l, sock, in)
		   : tcp_connect_guest(gw->tcp, sock, in);
	if (!is_its)
		bucket_release(&gw->legs->first->holds, bucket);
	return r;
}

/* In a pause: the bucket was another's just now. */
static int connect_other(struct gateway *gw, uint32_t bucket,
			 struct host_sock *sock, const struct nat_inward *in)
{
	struct gateway_leg *l = owner_of(gw, bucket);

	if (l)
		return hand_over(gw, l, sock, in);
	return tcp_connect_guest(gw->tcp, sock, in);
}

int gateway_legs_connect(void *arg, struct host_sock *sock,
			 const struct nat_inward *in)
{
	struct gateway *gw = arg;
	struct gateway_legs *ls = gw->legs;
	uint32_t bucket = buckets_of(ls->buckets, IPPROTO_TCP, &in->guest,
				     &in->peer);
	struct bucket_holds *holds = &ls->first->holds;
	struct gateway_leg *l;
	unsigned w;
	int r;

	/* What the guest sends to an address of ours comes here anyhow. */
	if (!gateway_is_far(gw, &in->peer.ip))
		return tcp_connect_guest(gw->tcp, sock, in);
	if (!bucket_hold(holds, bucket, &w)) {
		if (!may_pause(gw))
			return -EAGAIN; /* another port of peer's */
		ls->pause(ls->arg);
		r = connect_other(gw, bucket, sock, in);
		ls->resume(ls->arg);
		return r;
	}
	l = holds->n[bucket] == 1 ? next_turn(gw, &in->guest.ip) : NULL;
	if (l) {
		ls->pause(ls->arg);
		r = connect_turn(gw, l, bucket, sock, in);
		ls->resume(ls->arg);
		return r;
	}
	r = tcp_connect_guest(gw->tcp, sock, in);
	bucket_release(holds, bucket);
	return r;
}
