/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether addresses are in use; see probe.h. */
#include "service/probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "wire/neighbour.h"

#define MS_NS UINT64_C(1000000)

struct probe {
	struct list link; /* oldest first */
	addr ip;
	mac client;
	uint64_t until_ns;
	probe_fn fn;
	void *arg;
	struct probe_msg msg; /* payload is data */
	uint8_t data[];
};

struct probes {
	const struct service_env *env; /* borrowed */
	struct list waiting;	       /* of struct probe */
	unsigned n;
	struct timer timer; /* the oldest's end */
};

static struct probe *probe_of(struct list *it)
{
	return container_of(it, struct probe, link);
}

static void arm(struct probes *p)
{
	struct list *first = list_first(&p->waiting);

	timer_disarm(p->env->wheel, &p->timer);
	if (first)
		timer_arm(p->env->wheel, &p->timer, probe_of(first)->until_ns);
}

/* Out of the list first: the server may ask for another address at once. */
static void end(struct probes *p, struct probe *q,
		const struct probe_user *user)
{
	list_del(&q->link);
	p->n--;
	q->fn(q->arg, &q->msg, &q->ip, user);
	free(q);
}

static void on_timer(struct timer *t, uint64_t now_ns)
{
	struct probes *p = container_of(t, struct probes, timer);
	struct list *first;

	while ((first = list_first(&p->waiting)) &&
	       probe_of(first)->until_ns <= now_ns)
		end(p, probe_of(first), NULL);
	arm(p);
}

struct probes *probes_new(const struct service_env *env)
{
	struct probes *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->env = env;
	list_init(&p->waiting);
	timer_init(&p->timer, on_timer);
	return p;
}

struct probes *probes_free(struct probes *p)
{
	struct list *first;

	if (!p)
		return NULL;
	timer_disarm(p->env->wheel, &p->timer);
	while ((first = list_first(&p->waiting))) {
		list_del(first);
		free(probe_of(first));
	}
	free(p);
	return NULL;
}

/* ip of the network; the gateway asks, so nobody takes it for a claim. */
static void ask(const struct service_env *env, const addr *ip)
{
	const addr *src = addr_is_v4(ip) ? &env->v4.gw : &env->v6.gw;
	uint8_t buf[NEIGHBOUR_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct batch b = {.n = 1};

	neighbour_ask(&w, env->gw_mac, src, MAC_BROADCAST, ip);
	b.f[0] = frame_flat(buf, (uint32_t)wr_len(&w));
	(void)lan_input(env->port, &b, false); /* losses are counted */
}

static unsigned count_port(const struct probes *p, uint32_t port)
{
	unsigned n = 0;

	list_each(it, &p->waiting)
		n += probe_of(it)->msg.port == port;
	return n;
}

/* The one that waits for this client, of ip's family; NULL: none does. */
static struct probe *find(const struct probes *p, mac client, const addr *ip)
{
	list_each(it, &p->waiting) {
		struct probe *q = probe_of(it);

		if (mac_eq(q->client, client) &&
		    addr_is_v4(&q->ip) == addr_is_v4(ip))
			return q;
	}
	return NULL;
}

/* Nothing to ask: the client had the address before, is known to have it, or it
 * is known that nobody has. */
static bool is_settled(const struct probes *p, const struct lease *l)
{
	return l->was_bound || l->is_probed ||
	       lan_is_heard(p->env->port->lan, &l->ip);
}

static struct probe *probe_new(const struct probe_msg *m)
{
	struct probe *q = malloc(sizeof(*q) + m->len);

	if (!q)
		return NULL;
	list_init(&q->link);
	q->msg = *m;
	q->msg.tries++;
	q->msg.payload = q->data;
	memcpy(q->data, m->payload, m->len);
	return q;
}

bool probe_start(struct probes *p, const struct lease *l, mac client,
		 const struct probe_msg *m, probe_fn fn, void *arg)
{
	struct probe *old, *q;
	bool is_same; /* said again */

	if (!p || is_settled(p, l) || m->tries >= PROBE_TRIES ||
	    m->len > PROBE_LEN_MAX)
		return false;
	old = find(p, client, &l->ip);
	if (!old && (p->n >= PROBES_MAX ||
		     service_port_is_full(m->port, count_port(p, m->port),
					  p->n, PROBES_MAX)))
		return false;
	q = probe_new(m);
	if (!q)
		return false;
	is_same = old && addr_eq(&old->ip, &l->ip);
	q->ip = l->ip;
	q->client = client;
	q->fn = fn;
	q->arg = arg;
	/* What is known then answers the later message. */
	q->until_ns = is_same ? old->until_ns
			      : *p->env->now_ns + PROBE_MS * MS_NS;
	list_add_before(is_same ? &old->link : &p->waiting, &q->link);
	if (old)
		list_del(&old->link);
	else
		p->n++;
	arm(p);
	if (!is_same)
		ask(p->env, &l->ip); /* the answer may come inside the call */
	free(old);
	return true;
}

void probe_heard(struct probes *p, const addr *ip, mac m)
{
	const struct probe_user user = {
		.mac = m,
		.port = p && p->n ? service_payer(p->env) : 0,
	};

	if (!p || !p->n)
		return;
	list_each(it, &p->waiting) {
		struct probe *q = probe_of(it);

		if (!addr_eq(&q->ip, ip) || mac_eq(q->client, m))
			continue;
		end(p, q, &user);
		arm(p);
		return; /* the list may be another now */
	}
}

void probe_settle(struct lease_table *t, const addr *ip,
		  const struct probe_user *user, const struct service_env *env)
{
	const uint64_t second_ns = UINT64_C(1000000000);
	struct lease *l = lease_at(t, ip);

	if (!l || l->state != LEASE_OFFERED)
		return; /* it is another's by now, or nobody's */
	if (user &&
	    lease_used(t, l, user->mac, user->port,
		       *env->now_ns + LEASE_REST_SECONDS * second_ns))
		drop(env->drops, DROP_DHCP_IN_USE);
	else
		l->is_probed = true;
}
