/* SPDX-License-Identifier: BSD-3-Clause */
/* Who listens to which group?  See querier.h. */
#include "gateway/querier.h"

#include "wire/igmp.h"
#include "wire/mld.h"

#define SECOND UINT64_C(1000000000)
/* After a link came up: its machine may say by itself what it wants. */
#define SOON_NS SECOND
#define AGAIN_NS (5 * SECOND) /* not more often than that */

static bool is_on(const struct querier *q, enum port_family family)
{
	return family == PORT_V4 ? q->env->v4.is_on : q->env->v6.is_on;
}

/* True if there is somebody for whom it matters. */
static bool is_wanted(const struct querier *q)
{
	unsigned n = q->for_us;

	list_each(it, lan_ports(q->env->lan)) {
		const struct port *p = container_of(it, struct port, link_all);

		n += !p->caps.is_ours && port_is_up(p);
	}
	return n >= 2;
}

/* True if there is a port that has not been asked yet. */
static bool is_unasked(const struct querier *q)
{
	list_each(it, lan_ports(q->env->lan)) {
		const struct port *p = container_of(it, struct port, link_all);

		if (p->caps.is_ours || !port_is_up(p))
			continue;
		for (unsigned f = 0; f < PORT_FAMILIES; f++)
			if (is_on(q, f) && p->all_until_ns[f] == UINT64_MAX)
				return true;
	}
	return false;
}

static void ask(const struct querier *q, enum port_family family)
{
	const struct nat_env *env = q->env;
	const addr *ip = family == PORT_V4 ? &env->v4.gw : &env->ll6;
	uint8_t buf[MLD_QUERY_FRAME];
	struct wr w = wr_init(buf, sizeof(buf));
	struct batch b = {.n = 1};
	addr other;

	if (!is_on(q, family))
		return;
	/* From a foreign address machines may not take it (RFC 1812 5.3.8). */
	if (lan_querier(env->lan, family, &other) &&
	    (addr_is_link_local6(&other) || nat_is_inside(env, &other)) &&
	    memcmp(other.b, ip->b, sizeof(other.b)) < 0)
		return;
	if (family == PORT_V4)
		igmp_emit_query(&w, env->gw_mac, ip, QUERIER_WAIT_MS,
				QUERIER_EVERY_S);
	else
		mld_emit_query(&w, env->gw_mac, ip, QUERIER_WAIT_MS,
			       QUERIER_EVERY_S);
	b.f[0] = frame_flat(buf, (uint32_t)wr_len(&w));
	(void)lan_input(env->port, &b, false); /* losses are counted */
}

static void querier_fire(struct timer *t, uint64_t now_ns)
{
	struct querier *q = container_of(t, struct querier, timer);

	if (!is_wanted(q))
		return; /* until somebody's link comes up */
	q->asked_ns = now_ns;
	for (unsigned f = 0; f < PORT_FAMILIES; f++)
		ask(q, f);
	timer_arm(q->env->wheel, t, now_ns + QUERIER_EVERY_S * SECOND);
}

void querier_init(struct querier *q, const struct nat_env *env, bool for_us)
{
	*q = (struct querier){.env = env, .for_us = for_us};
	timer_init(&q->timer, querier_fire);
}

void querier_deinit(struct querier *q)
{
	if (q->env)
		timer_disarm(q->env->wheel, &q->timer);
}

void querier_listeners(struct querier *q)
{
	uint64_t at_ns = *q->env->now_ns + SOON_NS;

	if (!is_wanted(q) || !is_unasked(q))
		return;
	if (q->asked_ns && at_ns < q->asked_ns + AGAIN_NS)
		at_ns = q->asked_ns + AGAIN_NS;
	if (!timer_is_armed(&q->timer) || q->timer.deadline_ns > at_ns)
		timer_arm(q->env->wheel, &q->timer, at_ns);
}
