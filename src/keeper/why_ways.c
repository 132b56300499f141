/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A name, or the world, that both families lead to: each is looked at, in the
 * order in which a machine tries them, and the answer is that of the first that
 * leads there; see why.h.
 *
 *	why_ways_set() --> the first --why_ways_next()--> the second
 *	                       |                              |
 *	                       +-------> why_ways_join() <----+
 */
#include <stdio.h>
#include <string.h>

#include "keeper/why_priv.h"

bool why_address(const struct machine *m, bool is_v4, addr *ap)
{
	addr list[MACHINE_ADDRESSES_MAX];
	unsigned n = machine_addresses(m, list);

	for (unsigned i = 0; i < n; i++) {
		if (addr_is_v4(&list[i]) != is_v4 ||
		    addr_is_link_local6(&list[i]))
			continue;
		*ap = list[i];
		return true;
	}
	*ap = m->ip;
	return !addr_is_unspecified(&m->ip) && addr_is_v4(&m->ip) == is_v4;
}

/* Of label 1 (RFC 6724 2.1), as far as vmlan's networks and those who are to be
 * reached go: no address of a site alone. */
static bool is_global6(const addr *ip)
{
	const uint8_t *b = ip->b;
	const bool is_nat64 = !b[0] && b[1] == 0x64 && b[2] == 0xff &&
			      b[3] == 0x9b;

	return (b[0] & 0xe0) == 0x20 || is_nat64;
}

/* True if a machine tries IPv6 first: it has a router for it, and an address
 * that fits (RFC 6724 6, rules 1 and 5), or may have. */
static bool is_v6_first(struct why *w, const addr *v6)
{
	const struct plan_netdev *n = plan_gateway(&w->keeper->plan);
	const struct msg_user_add *g = n ? &n->order.user_add : NULL;
	const struct machine *m = why_machine(w, &w->from);
	const struct ways *out = &w->keeper->ways;
	addr own, own4;

	/* As the gateway says itself to be a router, or none. */
	if (!m || (g && !out->v6 && !(out->v4 && g->nat64)))
		return false;
	if (!why_address(m, false, &own)) {
		if (!g || !g->v6.is_on || why_address(m, true, &own4))
			return false;
		own = g->v6.net.ip;
	}
	return is_global6(&own) && is_global6(v6);
}

static void set_way(struct why *w, const addr *ip)
{
	const addr v4 = why_world(true), v6 = why_world(false);
	struct party *p = &w->way[w->n_ways++];

	*p = w->to;
	if (addr_eq(ip, &v4) || addr_eq(ip, &v6)) {
		p->kind = PARTY_INTERNET;
		p->ip = *ip;
	} else {
		why_party_at(w->keeper, p, ip);
	}
}

/* Both are one machine, on whose LAN the family does not matter. */
static bool is_one_machine(const struct why *w)
{
	const struct party *a = &w->way[0], *b = &w->way[1];

	return a->kind == PARTY_MACHINE && b->kind == PARTY_MACHINE &&
	       strcmp(a->name, b->name) == 0;
}

/* True if who is called by an address may speak from it there. */
static bool may_be_from(const struct why *w, bool is_v4)
{
	const struct plan_netdev *n = plan_gateway(&w->keeper->plan);
	const struct msg_user_add *g = n ? &n->order.user_add : NULL;

	if (addr_is_unspecified(&w->from.ip) ||
	    addr_is_v4(&w->from.ip) == is_v4)
		return true;
	return is_v4 && g && g->nat64 && !g->v4.is_on;
}

void why_ways_set(struct why *w, const addr *v4, const addr *v6)
{
	bool is_v6_1st;

	if (v4 && v6 && !may_be_from(w, true))
		v4 = NULL;
	else if (v4 && v6 && !may_be_from(w, false))
		v6 = NULL;
	is_v6_1st = v4 && v6 && is_v6_first(w, v6);
	w->n_ways = w->i_way = 0;
	if (v4 && !is_v6_1st)
		set_way(w, v4);
	if (v6)
		set_way(w, v6);
	if (v4 && is_v6_1st)
		set_way(w, v4);
	if (w->n_ways == WHY_WAYS && is_one_machine(w))
		w->n_ways = 1;
	if (w->n_ways)
		w->to = w->way[0];
	if (w->n_ways < WHY_WAYS)
		return;
	w->before = w->steps;
	w->steps = json_array();
	w->verdict[0] = '\0';
}

/* What was said; w begins anew. */
static void move_told(struct why *w, struct why_told *t)
{
	t->steps = w->steps;
	t->is_no = w->is_no;
	t->decider = w->decider;
	memcpy(t->verdict, w->verdict, sizeof(t->verdict));
	memcpy(t->remedy, w->remedy, sizeof(t->remedy));
	w->steps = json_array();
	w->is_no = false;
	w->decider = 0;
	w->verdict[0] = w->remedy[0] = '\0';
}

bool why_ways_next(struct why *w)
{
	if (w->i_way + 1 >= w->n_ways)
		return false;
	why_last(w);
	move_told(w, &w->told);
	w->to = w->way[++w->i_way];
	w->has_address = w->by_kernel = w->asks = false;
	return true;
}

/* What the way is that the answer is not of. */
static json_t *other_step(const struct why *w, unsigned i,
			  const struct why_told *t)
{
	const addr *ip = &w->way[i].ip;
	const char *family = addr_is_v4(ip) ? "IPv4" : "IPv6";
	char text[WHY_SAID_LEN + 100], at[ADDR_STRLEN + 4] = "";

	if (w->way[i].kind != PARTY_INTERNET) {
		char ip_text[ADDR_STRLEN];

		snprintf(at, sizeof(at), " to %s", addr_format(ip, ip_text));
	}
	snprintf(text, sizeof(text), "%s%s, which is tried %s, %s: %s", family,
		 at, i == 0 ? "first" : "next",
		 t->is_no ? "fails" : "would do as well", t->verdict);
	return why_step_new(addr_is_v4(ip) ? "ipv4" : "ipv6",
			    t->is_no ? WHY_NO : WHY_YES, text);
}

/* The steps ahead of those of the way that the answer is of. */
static void prepend(struct why *w)
{
	size_t n = json_array_size(w->before);

	if (!w->steps || json_array_extend(w->before, w->steps) < 0) {
		json_decref(w->steps);
		w->steps = NULL;
		return;
	}
	json_decref(w->steps);
	w->steps = w->before;
	w->before = NULL;
	w->decider += n;
}

void why_ways_join(struct why *w)
{
	struct why_told other = w->told;
	unsigned i = 0;

	if (!w->before)
		return;
	if (w->told.steps && (!w->told.is_no || w->is_no)) {
		const struct why_told first = w->told;

		i = 1;
		move_told(w, &other);
		json_decref(w->steps);
		w->steps = first.steps;
		w->is_no = first.is_no;
		w->decider = first.decider;
		memcpy(w->verdict, first.verdict, sizeof(w->verdict));
		memcpy(w->remedy, first.remedy, sizeof(w->remedy));
	}
	w->told.steps = NULL;
	if (other.steps)
		(void)json_array_append_new(w->before,
					    other_step(w, i, &other));
	json_decref(other.steps);
	prepend(w);
}
