/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine has said of a packet's way, in words, and what the host does
 * with it then: its routes, and who has the port; see why.h.  The engine is
 * believed no more than that it said so.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "control/text.h"
#include "grammar/link_opts.h"
#include "keeper/cable.h"
#include "keeper/why_priv.h"
#include "lan/drop.h"
#include "os/holder.h"
#include "os/rtnl.h"

/* ---- the host ---- */

/* Who takes what comes to the host itself. */
static void say_listener(struct why *w, const struct endpoint *ep)
{
	char at[ENDPOINT_STRLEN], what[32], who[128];

	if (w->proto == IPPROTO_ICMP) {
		why_decide(w, "host", WHY_YES, "the host itself answers pings");
		return;
	}
	endpoint_format(ep, at);
	if (holder_find_port(w->proto, ep, who, sizeof(who))) {
		why_decide(w, "host", WHY_YES, "%s has %s of the host", who,
			   at);
		return;
	}
	why_say(w, "host", WHY_NO, "nobody on the host has %s (%s)",
		why_what(w, what), at);
	why_remedy(w, "start the server there, or let it listen on %s", at);
}

/* By which link; one without a carrier leads nowhere. */
static void say_link(struct why *w, const struct rtnl_route *t,
		     const struct endpoint *ep)
{
	char text[RTNL_ROUTE_STRLEN], ip[ADDR_STRLEN];
	int index = rtnl_route_index(t);
	struct rtnl_link l;

	addr_format(&ep->ip, ip);
	rtnl_route_format(t, text);
	if (index <= 0 || rtnl_link_get(NULL, index, &l) < 0) {
		why_decide(w, "route", WHY_YES,
			   "the host has a route to %s: %s", ip, text);
		return;
	}
	if (!(l.flags & IFF_RUNNING)) {
		why_say(w, "route", WHY_NO,
			"the host's route to %s leads by %s, whose cable is "
			"out",
			ip, l.name);
		why_remedy(w, "plug %s in", l.name);
		return;
	}
	why_decide(w, "route", WHY_YES, "the host has a route to %s: %s by %s",
		   ip, text, l.name);
}

void why_host(struct why *w, const struct endpoint *ep)
{
	struct rtnl_route t;
	char ip[ADDR_STRLEN];
	int r = rtnl_route_find(&ep->ip, &t);

	addr_format(&ep->ip, ip);
	if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES ||
	    r == -EINVAL) {
		why_say(w, "route", WHY_NO, "the host has no route to %s: %s",
			ip, strerror(-r));
		why_remedy(w, "ip route get %s; vmlan doctor", ip);
	} else if (r < 0) {
		why_say(w, "route", WHY_UNKNOWN,
			"the host's routes cannot be read: %s", strerror(-r));
	} else if (rtnl_route_is_local(&t)) {
		say_listener(w, ep);
	} else {
		say_link(w, &t, ep);
	}
}

/* ---- the engine ---- */

/* ", what it sends: delay=50ms loss=1%" */
static void put_way(const struct impair *i, const char *which, FILE *f)
{
	char value[LINK_VALUE_LEN];

	if (impair_is_none(i))
		return;
	fprintf(f, ", %s:", which);
	for (int key = 0; key < LINK_KEYS; key++) {
		if (link_opt_format(i, (enum link_key)key, value))
			fprintf(f, " %s=%s", link_key_name((enum link_key)key),
				value);
	}
}

/* It is up, and maybe spoilt. */
static void say_cable(struct why *w, const struct party *p, const char *name)
{
	const struct machine *m = why_machine(w, p);
	const struct impair *way = m ? m->cable.set.way : NULL;
	char text[WHY_SAID_LEN / 2] = "";
	FILE *f;

	if (!m || cable_is_plain(m)) {
		why_say(w, "cable", WHY_YES, "%s's cable is in, and up", name);
		return;
	}
	f = fmemopen(text, sizeof(text), "w");
	if (f) {
		put_way(&way[IMPAIR_TO], "what it gets", f);
		put_way(&way[IMPAIR_FROM], "what it sends", f);
		fclose(f);
		text[sizeof(text) - 1] = '\0';
	}
	why_say(w, "cable",
		way[IMPAIR_TO].loss == IMPAIR_ALL ||
				way[IMPAIR_FROM].loss == IMPAIR_ALL
			? WHY_NO
			: WHY_UNKNOWN,
		"%s's cable is up, and spoilt%s", name, text);
	why_remedy(w, "vmlan link %s reset", name);
}

static void say_port(struct why *w, const struct why_step *s)
{
	const struct party *p = s->side ? &w->to : &w->from;
	const char *name = p->kind == PARTY_MACHINE ? p->name : "the machine";

	switch ((enum why_port)s->err) {
	case WHY_PORT_UP:
		say_cable(w, p, name);
		return;
	case WHY_PORT_PULLED:
		why_say(w, "cable", WHY_NO, "%s's cable is pulled", name);
		why_remedy(w, "vmlan link %s up", name);
		return;
	case WHY_PORT_FAULT:
		why_say(w, "cable", WHY_NO,
			"%s's port is shut: it sent what no frame can be",
			name);
		why_remedy(w, "vmlan events tells what; start the machine "
			      "again");
		return;
	case WHY_PORT_ALONE:
	case WHY_PORTS:
		break;
	}
	why_say(w, "cable", WHY_NO,
		"%s's cable has no peer: its VMM is not connected", name);
	why_remedy(w, "see that its VMM runs, with the socket that vmlan show "
		      "names");
}

/* Text that an engine sent, of plain letters. */
static const char *plain(const struct why_step *s,
			 char buf[static WHY_TEXT_LEN])
{
	size_t n = 0;

	for (; s->text[n]; n++)
		buf[n] = s->text[n] >= ' ' && s->text[n] <= '~' ? s->text[n]
								  : '?';
	buf[n] = '\0';
	return buf;
}

static void say_exit(struct why *w, const struct why_step *s)
{
	char buf[WHY_TEXT_LEN];

	if (s->ok == WHY_YES)
		why_say(w, "switch", WHY_YES,
			"the switch knows the MAC of %s, behind port %s",
			w->to.name, plain(s, buf));
	else
		why_say(w, "switch", WHY_UNKNOWN,
			"the switch does not know where the MAC of %s is, and "
			"floods until it answers",
			w->to.name);
}

static void say_restricted(struct why *w)
{
	const struct plan_netdev *n = plan_gateway(&w->keeper->plan);
	char what[32];

	if (n && n->order.user_add.is_restricted) {
		why_say(w, "gateway", WHY_NO,
			"the gateway is closed (restrict=): %s to %s does not "
			"pass",
			why_what(w, what), w->to.text);
		why_remedy(w, "restrict=off where the network is started; a "
			      "network of mode hostonly or internal has no "
			      "way out");
		return;
	}
	why_say(w, "gateway", WHY_NO, "the gateway does not serve %s here",
		why_what(w, what));
}

/* What the gateway decides itself. */
static void say_gateway(struct why *w, const struct why_step *s)
{
	char ep[ENDPOINT_STRLEN], ip[ADDR_STRLEN], buf[WHY_TEXT_LEN], what[32];

	addr_format(&s->ep.ip, ip);
	switch ((int)s->code) {
	case WHY_FAMILY_OFF:
		why_say(w, "gateway", WHY_NO,
			"the gateway does not serve %s on this network",
			addr_is_v4(&s->ep.ip) ? "IPv4" : "IPv6");
		why_remedy(w, "%s=on where the network is started",
			   addr_is_v4(&s->ep.ip) ? "ipv4" : "ipv6");
		return;
	case WHY_SOURCE:
		why_say(w, "gateway", WHY_NO,
			"%s, from which %s speaks, is no address of a machine "
			"of this network",
			ip, w->from.name);
		why_remedy(w, "the machine gets one by DHCP");
		return;
	case WHY_RESTRICTED:
		say_restricted(w);
		return;
	case WHY_REFUSED:
		why_say(w, "gateway", WHY_NO, "the gateway refuses it: %s",
			s->err >= 0 && s->err < DROP_N
				? drop_text((enum drop_reason)s->err)
				: "no reason");
		return;
	case WHY_OWN:
		why_decide(w, "gateway", WHY_YES,
			   "the gateway itself answers that (%s)",
			   plain(s, buf));
		return;
	case WHY_NOT_OWN:
		why_say(w, "gateway", WHY_NO,
			"%s is the gateway's own, and %s there leads nowhere",
			ip, why_what(w, what));
		return;
	case WHY_NOBODY:
		why_say(w, "gateway", WHY_NO,
			"%s is an address of the machines' own LAN, of nobody "
			"that is known",
			ip);
		return;
	case WHY_MAPPED:
		why_say(w, "gateway", WHY_YES,
			"the gateway's NAT carries it, to %s",
			s->ep.port ? endpoint_format(&s->ep, ep) : ip);
		return;
	}
}

static void say_host_way(struct why *w, const struct why_step *s)
{
	char ip[ADDR_STRLEN];

	if (s->ok == WHY_YES) {
		why_say(w, "socket", WHY_YES,
			"the host's sockets speak there from %s",
			addr_format(&s->ep.ip, ip));
		return;
	}
	why_say(w, "socket", WHY_NO, "the host has no way there: %s",
		strerror(s->err > 0 && s->err < 4096 ? s->err : EIO));
	why_remedy(w, "vmlan doctor; ip route");
}

static void say_ping_denied(struct why *w)
{
	why_say(w, "socket", WHY_NO,
		"this user may not open ping sockets on the host");
	why_remedy(w, "sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"");
}

/* It says an address. */
static bool has_ip(const struct why_step *s)
{
	return s && (s->code == WHY_NAME_OWN || s->code == WHY_NAME_KEPT) &&
	       !addr_is_unspecified(&s->ep.ip);
}

static void say_known_name(struct why *w, const struct why_step *s,
			   const char *more)
{
	bool is_own = s->code == WHY_NAME_OWN;
	char ip[ADDR_STRLEN];

	if (has_ip(s))
		why_say(w, "name", WHY_YES, "%s is %s, %s%s", w->to.text,
			addr_format(&s->ep.ip, ip),
			is_own ? "by the network's own names"
			       : "as its resolver answered before",
			more);
	else
		why_say(w, "name", WHY_NO, "nobody is called %s%s", w->to.text,
			is_own ? " in the network's own zone"
			       : ", as its resolver answered before");
	why_remedy(w, "vmlan leases and vmlan show tell the names of the "
		      "machines");
}

/* more: what is to be said behind an address. */
static void say_name(struct why *w, const struct why_step *s, const char *more)
{
	const char *name = w->to.text;
	char ep[ENDPOINT_STRLEN];

	if (s->code == WHY_NAME_OWN || s->code == WHY_NAME_KEPT) {
		say_known_name(w, s, more);
	} else if (s->code == WHY_NAME_ASKED) {
		why_say(w, "name", WHY_UNKNOWN,
			"the network's name server would ask %s for %s%s",
			endpoint_format(&s->ep, ep), name, more);
	} else if (s->code == WHY_NAME_CLOSED) {
		why_say(w, "name", WHY_NO,
			"the network's name server knows its machines alone, "
			"and %s is none",
			name);
		why_remedy(w, "a network that is open, such as natnet, asks "
			      "the host's resolvers");
	} else {
		why_say(w, "name", WHY_NO,
			"the network has no name server for %s", name);
		why_remedy(w, "restrict=services keeps the name server");
	}
}

static void say_guest(struct why *w, const struct why_step *s)
{
	char ip[ADDR_STRLEN], buf[WHY_TEXT_LEN];

	addr_format(&s->ep.ip, ip);
	if (s->ok == WHY_YES)
		why_say(w, "neighbour", WHY_YES,
			"the gateway knows who has %s, behind port %s", ip,
			plain(s, buf));
	else
		why_say(w, "neighbour", WHY_UNKNOWN,
			"the gateway would ask the machines first who has %s",
			ip);
}

static bool is_name(const struct why_step *s)
{
	return s->code >= WHY_NAME_OWN && s->code <= WHY_NAME_NOWHERE;
}

static void say_step(struct why *w, const struct why_step *s)
{
	if (s->code == WHY_PORT)
		say_port(w, s);
	else if (s->code == WHY_EXIT)
		say_exit(w, s);
	else if (s->code == WHY_HOST_WAY)
		say_host_way(w, s);
	else if (s->code == WHY_PING_DENIED)
		say_ping_denied(w);
	else if (s->code == WHY_GUEST)
		say_guest(w, s);
	else if (!is_name(s))
		say_gateway(w, s);
}

/* The step of that kind, or NULL. */
static const struct why_step *find(const struct why_trail *t,
				   enum why_code code)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->step[i].code == code)
			return &t->step[i];
	}
	return NULL;
}

/* What a name is in each family; NULL: the network does not have that. */
struct name_said {
	const struct why_step *v4, *v6;
};

static struct name_said name_said(const struct why_trail *t)
{
	struct name_said n = {.v4 = NULL};

	for (uint32_t i = 0; i < t->n; i++) {
		const struct why_step *s = &t->step[i];

		if (is_name(s) && s->side)
			n.v6 = s;
		else if (is_name(s))
			n.v4 = s;
	}
	return n;
}

static bool is_asked(const struct why_step *s)
{
	return s && s->code == WHY_NAME_ASKED;
}

/* There is something to say of it beside the other. */
static bool leads(const struct why_step *s, const struct why_step *other)
{
	/* The network's own names have no others' addresses. */
	if (has_ip(other) && other->code == WHY_NAME_OWN)
		return has_ip(s);
	return has_ip(s) || is_asked(s);
}

static void say_name_of(struct why *w, const struct name_said *n)
{
	bool leads4 = leads(n->v4, n->v6), leads6 = leads(n->v6, n->v4);
	const char *none4 = n->v4 ? ", and it has no IPv4 address" : "";
	const char *none6 = n->v6 ? ", and it has no IPv6 address" : "";

	if ((is_asked(n->v4) && is_asked(n->v6)) || !(leads4 || leads6)) {
		say_name(w, n->v4 ? n->v4 : n->v6, "");
		return;
	}
	if (leads4 && leads6) {
		say_name(w, n->v4, has_ip(n->v4) ? "" : " (IPv4)");
		say_name(w, n->v6, has_ip(n->v6) ? "" : " (IPv6)");
	} else if (leads4) {
		say_name(w, n->v4, none6);
	} else {
		say_name(w, n->v6, none4);
	}
}

/* A name has led to addresses, or to somebody out there; of one address that is
 * known and one that would be asked for, to the former. */
static void follow_name(struct why *w, const struct name_said *n)
{
	const addr world4 = why_world(true), world6 = why_world(false);
	const struct plan_netdev *g = plan_gateway(&w->keeper->plan);
	/* DNS64 makes an address of IPv6 of one of IPv4. */
	const bool may_be_made = !n->v4 && g && g->order.user_add.nat64;

	if (has_ip(n->v4) || has_ip(n->v6))
		why_ways_set(w, has_ip(n->v4) ? &n->v4->ep.ip : NULL,
			     has_ip(n->v6) ? &n->v6->ep.ip : NULL);
	else
		why_ways_set(w,
			     is_asked(n->v4) || (is_asked(n->v6) && may_be_made)
				     ? &world4
				     : NULL,
			     is_asked(n->v6) ? &world6 : NULL);
}

bool why_said(struct why *w, const struct why_trail *t)
{
	const struct why_step *mapped = find(t, WHY_MAPPED);
	const struct name_said name = name_said(t);
	struct endpoint to = {.ip = w->to.ip, .port = w->port};

	for (uint32_t i = 0; i < t->n; i++)
		say_step(w, &t->step[i]);
	if (name.v4 || name.v6)
		say_name_of(w, &name);
	if (w->is_no)
		return false;
	if (w->ask.only_name) {
		w->ask.only_name = false;
		follow_name(w, &name);
		return w->n_ways > 0;
	}
	if (mapped)
		why_host(w, &mapped->ep);
	else if (w->by_kernel)
		why_host(w, &to);
	return false;
}
