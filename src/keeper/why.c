/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of why, and who waits for the engine; see why.h. */
#include "keeper/why.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/text.h"
#include "keeper/leases.h"
#include "keeper/why_priv.h"

#define WAIT_NS (UINT64_C(5) * 1000000000) /* for each of its questions */

enum { WHYS_MAX = 64 }; /* that the engine owes, whoever waits still */

static const char *const oks[WHY_OKS] = {
	[WHY_NO] = "no", [WHY_YES] = "yes", [WHY_UNKNOWN] = "unknown"};

/* ---- what is said ---- */

json_t *why_step_new(const char *what, enum why_ok ok, const char *text)
{
	return json_pack("{s:s,s:s,s:o,s:b}", "what", what, "ok", oks[ok],
			 "text", text_shown(text), "decides", 0);
}

static void put_step(struct why *w, const char *what, enum why_ok ok,
		     bool decides, const char *text)
{
	if (json_array_append_new(w->steps, why_step_new(what, ok, text)) < 0) {
		json_decref(w->steps);
		w->steps = NULL;
	}
	w->is_no = ok == WHY_NO;
	if (decides || w->is_no || !w->verdict[0]) {
		w->decider = json_array_size(w->steps) - 1;
		snprintf(w->verdict, sizeof(w->verdict), "%s", text);
	}
}

static void say(struct why *w, const char *what, enum why_ok ok, bool decides,
		const char *fmt, va_list ap)
{
	char text[WHY_SAID_LEN];

	if (w->is_no || !w->steps)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	put_step(w, what, ok, decides, text);
}

void why_say(struct why *w, const char *what, enum why_ok ok, const char *fmt,
	     ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(w, what, ok, false, fmt, ap);
	va_end(ap);
}

void why_decide(struct why *w, const char *what, enum why_ok ok,
		const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(w, what, ok, true, fmt, ap);
	va_end(ap);
}

void why_finally(struct why *w, const char *what, enum why_ok ok,
		 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->last, sizeof(w->last), fmt, ap);
	va_end(ap);
	w->last_what = what;
	w->last_ok = ok;
}

void why_last(struct why *w)
{
	if (w->last_what)
		why_decide(w, w->last_what, w->last_ok, "%s", w->last);
	w->last_what = NULL;
}

void why_remedy(struct why *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->is_no || w->remedy[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w->remedy, sizeof(w->remedy), fmt, ap);
	va_end(ap);
}

static const char *proto_name(const struct why *w)
{
	if (w->proto == IPPROTO_ICMP)
		return "icmp";
	return w->proto == IPPROTO_UDP ? "udp" : "tcp";
}

const char *why_what(const struct why *w, char buf[static 32])
{
	if (w->proto == IPPROTO_ICMP)
		snprintf(buf, 32, "ping");
	else
		snprintf(buf, 32, "%s port %u", proto_name(w), w->port);
	return buf;
}

/* The answer; takes the steps. */
static json_t *why_object(struct why *w)
{
	char verdict[WHY_SAID_LEN + 8];
	json_t *o, *steps;

	why_last(w);
	why_ways_join(w);
	steps = w->steps;
	w->steps = NULL;
	if (!steps)
		return NULL;
	json_object_set_new(json_array_get(steps, w->decider), "decides",
			    json_true());
	snprintf(verdict, sizeof(verdict), "%s: %s", w->is_no ? "no" : "yes",
		 w->verdict);
	o = json_pack("{s:s,s:o,s:o,s:s,s:o*,s:o,s:b,s:o,s:o*}", "network",
		      w->keeper->c->network->name, "from",
		      text_shown(w->from.text), "to", text_shown(w->to.text),
		      "proto", proto_name(w), "port",
		      w->port ? json_integer(w->port) : NULL, "steps", steps,
		      "reaches", !w->is_no, "verdict", text_shown(verdict),
		      "remedy", w->remedy[0] ? text_shown(w->remedy) : NULL);
	return o;
}

/* ---- who ---- */

/* True if m is known to have that address. */
static bool has_address(const struct machine *m, const addr *ip)
{
	addr list[MACHINE_ADDRESSES_MAX];
	unsigned n = machine_addresses(m, list);
	const struct kept_lease *l = leases_at(m->keeper->leases, ip);
	const mac known = machine_mac(m);

	for (unsigned i = 0; i < n; i++) {
		if (addr_eq(&list[i], ip))
			return true;
	}
	if (addr_eq(&m->ip, ip) && !addr_is_unspecified(ip))
		return true;
	return l && lease_is_live(l) && !mac_is_zero(known) &&
	       mac_eq(l->lease.mac, known);
}

void why_party_at(struct keeper *k, struct party *p, const addr *ip)
{
	p->kind = PARTY_ADDRESS;
	p->ip = *ip;
	list_each(it, &k->machines) {
		const struct machine *m =
			container_of(it, struct machine, link);

		if (!has_address(m, ip))
			continue;
		p->kind = PARTY_MACHINE;
		memcpy(p->name, m->name, sizeof(p->name));
		return;
	}
}

struct machine *why_machine(struct why *w, const struct party *p)
{
	return p->kind == PARTY_MACHINE ? machine_find(w->keeper, p->name)
					: NULL;
}

static bool is_plain(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	for (size_t i = 0; i < len; i++) {
		if (!isgraph((unsigned char)text[i]))
			return false;
	}
	return len > 0 && len < ENGINE_DNS_NAME_LEN - 1;
}

static bool is_machine(struct keeper *k, struct party *p, const char *name)
{
	const struct machine *m = machine_find(k, name);

	if (!m)
		return false;
	p->kind = PARTY_MACHINE;
	memcpy(p->name, m->name, sizeof(p->name));
	return true;
}

/* NETWORK/VM. */
static int parse_full(struct keeper *k, const char *text, const char *slash,
		      struct party *p, struct error *e)
{
	const char *own = k->c->network->name;
	size_t len = (size_t)(slash - text);

	p->kind = PARTY_ELSEWHERE;
	if (strlen(own) != len || strncmp(own, text, len) != 0)
		return 0;
	if (!is_machine(k, p, slash + 1))
		return error_set(e, EXIT_NO_OBJECT,
				 "this network has no machine %s", slash + 1);
	return 0;
}

static int parse_party(struct keeper *k, const char *text, struct party *p,
		       struct error *e)
{
	const char *slash;
	addr ip;

	*p = (struct party){.kind = PARTY_NAME};
	if (!text || !is_plain(text))
		return error_set(e, EXIT_USAGE,
				 "from and to are machines, host, internet, "
				 "addresses or names of DNS");
	slash = strchr(text, '/');
	snprintf(p->text, sizeof(p->text), "%s", text);
	if (strcmp(text, "host") == 0 || strcmp(text, "localhost") == 0)
		p->kind = PARTY_HOST;
	else if (strcmp(text, "internet") == 0)
		p->kind = PARTY_INTERNET;
	else if (addr_parse(text, &ip))
		why_party_at(k, p, &ip);
	else if (slash)
		return parse_full(k, text, slash, p, e);
	else
		(void)is_machine(k, p, text); /* or it is a name of DNS */
	return 0;
}

static int parse_port(const char *text, uint16_t *portp, struct error *e)
{
	unsigned long n = 0;
	char *end = NULL;

	if (text && isdigit((unsigned char)*text))
		n = strtoul(text, &end, 10);
	if (!end || *end || n < 1 || n > UINT16_MAX)
		return error_set(e, EXIT_USAGE, "port is a number, 1 to 65535");
	*portp = (uint16_t)n;
	return 0;
}

static int parse_proto(struct why *w, const struct request *r, struct error *e)
{
	const char *proto = request_arg(r, "proto");
	const char *port = request_arg(r, "port");

	if (!proto)
		proto = port ? "tcp" : "icmp";
	if (strcmp(proto, "tcp") == 0)
		w->proto = IPPROTO_TCP;
	else if (strcmp(proto, "udp") == 0)
		w->proto = IPPROTO_UDP;
	else if (strcmp(proto, "icmp") == 0)
		w->proto = IPPROTO_ICMP;
	else
		return error_set(e, EXIT_USAGE,
				 "proto is tcp, udp or icmp");
	if (w->proto == IPPROTO_ICMP && port)
		return error_set(e, EXIT_USAGE, "icmp has no ports");
	if (w->proto == IPPROTO_ICMP)
		return 0;
	return parse_port(port, &w->port, e);
}

static int parse(struct why *w, const struct request *r, struct error *e)
{
	struct keeper *k = w->keeper;
	int rc = parse_proto(w, r, e);

	if (rc == 0)
		rc = parse_party(k, request_arg(r, "from"), &w->from, e);
	if (rc == 0)
		rc = parse_party(k, request_arg(r, "to"), &w->to, e);
	if (rc < 0)
		return rc;
	if (w->from.kind == PARTY_NAME)
		return error_set(e, EXIT_NO_OBJECT,
				 "this network has no machine %s",
				 w->from.text);
	if (w->from.kind == PARTY_MACHINE || w->to.kind == PARTY_MACHINE)
		return 0;
	if (w->from.kind == PARTY_ELSEWHERE ||
	    (w->to.kind != PARTY_HOST && w->to.kind != PARTY_ADDRESS))
		return error_set(e, EXIT_NO_OBJECT,
				 "neither %s nor %s is a machine of this "
				 "network, nor a port of the host",
				 w->from.text, w->to.text);
	return 0;
}

/* ---- the life of one ---- */

static void why_free(struct why *w)
{
	timer_disarm(loop_wheel(w->keeper->loop), &w->patience);
	list_del(&w->link);
	json_decref(w->steps);
	json_decref(w->before);
	json_decref(w->told.steps);
	free(w);
}

static void answer_later(struct later *l, const struct request *r,
			 struct answer *a)
{
	request_done(r, why_object(container_of(l, struct why, later)), a);
}

static void free_later(struct later *l)
{
	why_free(container_of(l, struct why, later));
}

/* True: the engine is asked, and its answer, or none, ends it. */
static bool ask(struct why *w)
{
	struct keeper *k = w->keeper;
	union engine_msg m = {.why_ask = w->ask};

	if (!w->asks || w->is_no || !w->steps)
		return false;
	w->asks = false;
	w->cookie = ++k->last_why;
	m.why_ask.cookie = w->cookie;
	if (engine_link_send(k, &m, ENGINE_MSG_WHY_ASK, NULL, 0) < 0) {
		why_say(w, "engine", WHY_NO,
			"the network's engine is just being started again");
		why_remedy(w, "ask again");
		return false;
	}
	k->whys_owed++;
	list_add_tail(&k->whys, &w->link);
	timer_arm(loop_wheel(k->loop), &w->patience,
		  *loop_now(k->loop) + WAIT_NS);
	return true;
}

/* The same, of one way after the other. */
static bool go_on(struct why *w)
{
	while (!ask(w)) {
		if (!why_ways_next(w))
			return false;
		why_way(w);
	}
	return true;
}

/* It waits no longer, and may be gone. */
static void give_up(struct why *w)
{
	timer_disarm(loop_wheel(w->keeper->loop), &w->patience);
	list_del(&w->link);
	list_init(&w->link);
	why_say(w, "engine", WHY_NO, "the network's engine does not answer");
	why_remedy(w, "ask again");
	later_over(&w->later);
}

static void on_patience(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	give_up(container_of(t, struct why, patience));
}

void whys_end(struct keeper *k)
{
	k->whys_owed = 0;
	while (!list_empty(&k->whys))
		give_up(container_of(list_first(&k->whys), struct why, link));
}

void why_told(struct keeper *k, const struct msg_why *m)
{
	k->whys_owed -= k->whys_owed > 0;
	list_each(it, &k->whys) {
		struct why *w = container_of(it, struct why, link);

		if (w->cookie != m->cookie)
			continue;
		timer_disarm(loop_wheel(k->loop), &w->patience);
		list_del(&w->link);
		list_init(&w->link);
		if (why_said(w, &m->trail))
			why_way(w);
		if (!go_on(w))
			later_over(&w->later);
		return;
	}
}

static struct why *why_new(struct keeper *k)
{
	struct why *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->keeper = k;
	w->later.answer = answer_later;
	w->later.free = free_later;
	w->steps = json_array();
	list_init(&w->link);
	timer_init(&w->patience, on_patience);
	return w;
}

int why_get(struct keeper *k, const struct request *r, json_t **op,
	    struct error *e)
{
	struct why *w;
	int rc;

	if (k->whys_owed >= WHYS_MAX)
		return error_set(e, EXIT_FAILED,
				 "%d such questions wait for the engine "
				 "already; ask again",
				 WHYS_MAX);
	w = why_new(k);
	if (!w)
		return error_errno(e, ENOMEM, "why");
	rc = parse(w, r, e);
	if (rc == 0)
		why_way(w);
	if (rc == 0 && go_on(w)) {
		*r->laterp = &w->later;
		return 0;
	}
	if (rc == 0)
		*op = why_object(w);
	why_free(w);
	return rc;
}
