/* SPDX-License-Identifier: BSD-3-Clause */
/* Forwards that come and go while the network runs: what is asked for them, and
 * what another keeper is told of them; see forwards.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/text.h"
#include "grammar/forward_opts.h"
#include "keeper/forwards.h"
#include "keeper/machine.h"
#include "keeper/state.h"

/* ---- as JSON ---- */

static json_t *host_of(const struct plan_forward *pf)
{
	char host[ENDPOINT_STRLEN];

	return text_shown(pf->unix_path[0] ? pf->unix_path
					   : endpoint_format(&pf->host, host));
}

static const char *family_of(const struct plan_forward *pf)
{
	if (pf->unix_path[0])
		return "unix";
	return addr_is_v4(&pf->host.ip) ? "ipv4" : "ipv6";
}

static const char *proto_of(uint8_t proto)
{
	return proto == IPPROTO_UDP ? "udp" : "tcp";
}

/* NULL: nothing is asked of clients, or no memory. */
static json_t *sources_of(const struct forward_rules *r)
{
	json_t *list = r->n_from ? json_array() : NULL;
	char text[PREFIX_STRLEN];

	for (unsigned i = 0; i < r->n_from; i++)
		json_array_append_new(
			list, json_string(prefix_format(&r->from[i], text)));
	return list;
}

json_t *forward_port_object(const struct plan_forward *pf)
{
	const struct forward *f = pf->of;
	char guest[ENDPOINT_STRLEN];

	return json_pack("{s:s,s:o,s:s,s:s*,s:i,s:s,s:s*,s:o*}", "proto",
			 proto_of(pf->proto), "host", host_of(pf), "guest",
			 endpoint_format(&pf->guest, guest), "machine",
			 f->machine ? f->machine->name : NULL, "id", (int)f->id,
			 "family", family_of(pf), "proxy",
			 forward_proxy_name(f->rules.proxy), "from",
			 sources_of(&f->rules));
}

/* What it is bound to. */
static json_t *bound_of(const struct forward *f)
{
	const struct plan_netdev *n = f->netdev;
	json_t *list = json_array();

	for (unsigned i = 0; i < n->n_forwards; i++) {
		const struct plan_forward *pf = &n->forwards[i];
		char guest[ENDPOINT_STRLEN];

		if (pf->fd < 0 || pf->of != f)
			continue;
		json_array_append_new(
			list, json_pack("{s:o,s:s,s:s}", "host", host_of(pf),
					"family", family_of(pf), "guest",
					endpoint_format(&pf->guest, guest)));
	}
	return list;
}

static json_t *one_forward(const struct forward *f)
{
	char spec[PORT_RULE_STRLEN], ip[ADDR_STRLEN];

	return json_pack(
		"{s:i,s:o,s:s,s:s,s:s*,s:s*,s:o*,s:b,s:o}", "id", (int)f->id,
		"spec", text_shown(port_rule_format(&f->rule, spec)), "proto",
		proto_of(f->rule.proto), "guest", addr_format(&f->guest_ip, ip),
		"machine", f->machine ? f->machine->name : NULL, "proxy",
		forward_proxy_name(f->rules.proxy), "from",
		sources_of(&f->rules), "added", f->origin == FORWARD_ADDED,
		"bound", bound_of(f));
}

int forwards_get(struct keeper *k, const struct request *r, json_t **op,
		 struct error *e)
{
	json_t *list = json_array();

	(void)r;
	(void)e;
	list_each (it, &k->plan.forwards) {
		const struct forward *f =
			container_of(it, struct forward, link);

		if (!f->is_removed &&
		    json_array_append_new(list, one_forward(f)) < 0) {
			json_decref(list);
			return 0;
		}
	}
	*op = json_pack("{s:s,s:o}", "network", k->c->network->name, "forwards",
			list);
	return 0;
}

void forward_say(struct keeper *k, enum event_id id, const struct forward *f)
{
	char spec[PORT_RULE_STRLEN], ip[ADDR_STRLEN];

	event_say(k, id, "{s:i,s:o,s:s,s:s,s:s*,s:o*}", "forward", (int)f->id,
		  "spec", text_shown(port_rule_format(&f->rule, spec)),
		  "proto", proto_of(f->rule.proto), "guest",
		  addr_format(&f->guest_ip, ip), "machine",
		  f->machine ? f->machine->name : NULL, "port",
		  f->drawn ? json_integer(f->drawn) : NULL);
}

void forwards_say_first(struct keeper *k)
{
	list_each (it, &k->plan.forwards) {
		const struct forward *f =
			container_of(it, struct forward, link);

		if (f->origin == FORWARD_OF_NETDEV && !f->is_removed)
			forward_say(k, EVENT_FORWARD_ADDED, f);
	}
}

/* ---- where one leads to ---- */

static int no_address(const struct plan_netdev *n, const struct machine *m,
		      struct error *e)
{
	return error_set(e, EXIT_USAGE,
			 "the address of %s is not known: name it, as in "
			 "tcp:localhost:2222-%s:22, or wait until it has one",
			 m->name,
			 n->order.user_add.v4.is_on ? "10.0.2.115"
						    : "[fd00::73]");
}

/* An address that m was heard to have in n's network, of that family. */
static bool heard_at(const struct plan_netdev *n, const struct machine *m,
		     const struct subnet *s, addr *ap)
{
	addr all[MACHINE_ADDRESSES_MAX];
	unsigned n_all = machine_addresses(m, all);

	for (unsigned i = 0; i < n_all; i++) {
		if (!subnet_has(s, &all[i]) || plan_is_gateways(n, &all[i]))
			continue;
		*ap = all[i];
		return true;
	}
	return false;
}

/* Where a rule that names no guest leads: the machine's kept address, or one
 * that it was heard to have, or the pool's first. */
static int choose_guest(struct keeper *k, const struct plan_netdev *n,
			struct forward *model, struct error *e)
{
	const struct msg_user_add *u = &n->order.user_add;
	const struct machine *m = model->machine;
	addr *ip = &model->guest_ip;

	if (addr_is_unspecified(ip)) /* else another keeper has chosen */
		*ip = model->rule.guest_ip;
	if (!addr_is_unspecified(ip))
		return 0;
	if (m && !addr_is_unspecified(&m->ip))
		*ip = m->ip;
	else if (m &&
		 (heard_at(n, m, &u->v4, ip) || heard_at(n, m, &u->v6, ip)))
		return 0;
	else if (m && (k->c->network->is_shared || k->n_machines > 1))
		return no_address(n, m, e);
	else if (!plan_place(n, 0, ip))
		return error_set(e, EXIT_USAGE,
				 "this network leases no address: name the "
				 "guest, as in tcp:localhost:2222-[fd00::73]"
				 ":22");
	return 0;
}

/* ---- one more ---- */

static unsigned n_bound(const struct plan *p)
{
	unsigned n = 0;

	list_each (it, &p->netdevs) {
		const struct plan_netdev *d =
			container_of(it, struct plan_netdev, link);

		for (unsigned i = 0; i < d->n_forwards; i++)
			n += d->forwards[i].fd >= 0;
	}
	return n;
}

/* Its sockets beside those that there are. */
static int check_number(const struct keeper *k, const struct port_rule *r,
			struct error *e)
{
	unsigned n = 1u + r->host_hi - r->host_lo, have = n_bound(&k->plan);

	if (n > CONTROL_FORWARD_PORTS_MAX)
		return error_set(e, EXIT_USAGE,
				 "a range of %u ports is too long; %d at most",
				 n, CONTROL_FORWARD_PORTS_MAX);
	n *= r->is_localhost || r->has_both ? 2 : 1;
	if (n > CONTROL_BOUND_MAX || have > CONTROL_BOUND_MAX - n)
		return error_set(e, EXIT_CONFLICT,
				 "%s has %u ports forwarded, and can have %d; "
				 "remove some first",
				 k->c->network->name, have, CONTROL_BOUND_MAX);
	return 0;
}

/* All but the keeping: the engine is not told, nothing is written down. */
static int open_one(struct keeper *k, struct forward *model,
		    struct forward **fp, struct error *e)
{
	struct plan_netdev *n = plan_gateway(&k->plan);
	int r;

	if (!n)
		return error_set(e, EXIT_USAGE,
				 "network %s has no gateway that forwards "
				 "ports",
				 k->c->network->name);
	r = forward_rules_check(&model->rule, &model->rules, e);
	if (r == 0)
		r = choose_guest(k, n, model, e);
	if (r == 0)
		r = plan_forward_check(n, model->rule.proto, &model->guest_ip,
				       e);
	if (r == 0)
		r = check_number(k, &model->rule, e);
	model->origin = FORWARD_ADDED;
	return r < 0 ? r : forward_open(n, model, fp, e);
}

static void keep_one(struct keeper *k, struct forward *f)
{
	forward_tell(k, f);
	forward_say(k, EVENT_FORWARD_ADDED, f);
	router_forward(&k->plan);
	state_save(k);
}

int forwards_open(struct keeper *k, struct forward *model, struct forward **fp,
		  struct error *e)
{
	int r = open_one(k, model, fp, e);

	if (r == 0)
		keep_one(k, *fp);
	return r;
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int read_rules(const json_t *o, struct forward_rules *rules,
		      struct error *e)
{
	int r = json_object_get(o, "proxy")
			? forward_proxy_parse(str(o, "proxy"), rules, e)
			: 0;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(o, "from"), i, v)
	{
		if (r == 0)
			r = forward_from_add(json_string_value(v), rules, e);
	}
	return r;
}

/* What the request says of all its forwards. */
static int take_request(struct keeper *k, const json_t *o,
			struct forward *model, struct error *e)
{
	if (json_object_get(o, "machine")) {
		model->machine = machine_find(k, str(o, "machine"));
		if (!model->machine)
			return error_set(e, EXIT_NO_OBJECT,
					 "network %s has no machine of that "
					 "name",
					 k->c->network->name);
	}
	return read_rules(o, &model->rules, e);
}

/* Opens all or none; *np were opened. */
static int open_all(struct keeper *k, const json_t *o,
		    struct forward *opened[CONTROL_SPECS_MAX], unsigned *np,
		    struct error *e)
{
	struct port_rule rules[CONTROL_SPECS_MAX];
	struct forward model = {.id = 0};
	uint32_t last = k->plan.last_forward;
	unsigned n;
	int r = take_request(k, o, &model, e);

	*np = 0;
	if (r == 0)
		r = port_spec_parse(str(o, "spec"), rules, CONTROL_SPECS_MAX,
				    &n, e);
	if (r < 0)
		return r;
	for (; *np < n && r == 0; *np += r == 0) {
		model.rule = rules[*np];
		model.guest_ip = (addr){{0}};
		if (!model.rule.has_host_ip && !model.rule.unix_path[0])
			port_rule_localhost(&model.rule);
		r = open_one(k, &model, &opened[*np], e);
	}
	if (r == 0)
		return 0;
	while (*np)
		forward_close(opened[--*np]);
	k->plan.last_forward = last;
	return r;
}

int forwards_post(struct keeper *k, const struct request *r, json_t **op,
		  struct error *e)
{
	struct forward *opened[CONTROL_SPECS_MAX];
	unsigned n_opened = 0;
	json_t *list;
	int rc = open_all(k, r->json, opened, &n_opened, e);

	if (rc < 0)
		return rc;
	list = json_array();
	for (unsigned i = 0; i < n_opened; i++) {
		forward_tell(k, opened[i]);
		forward_say(k, EVENT_FORWARD_ADDED, opened[i]);
		json_array_append_new(list, one_forward(opened[i]));
	}
	router_forward(&k->plan);
	state_save(k);
	*op = json_pack("{s:o}", "forwards", list);
	return 0;
}

/* ---- one less ---- */

void forwards_remove(struct keeper *k, struct forward *f)
{
	forward_untell(k, f);
	forward_say(k, EVENT_FORWARD_REMOVED, f);
	switch (f->origin) {
	case FORWARD_OF_NETDEV:
		forward_retire(f);
		break;
	case FORWARD_OF_MACHINE:
		machine_forward_removed(f->machine, f->index);
		forward_close(f);
		break;
	case FORWARD_ADDED:
		forward_close(f);
		break;
	}
	router_forward(&k->plan);
	state_save(k);
}

int forwards_delete(struct keeper *k, const struct request *r, json_t **op,
		    struct error *e)
{
	const char *id = r->name;
	char *end;
	unsigned long n = strtoul(id, &end, 10);
	bool is_number = *id >= '0' && *id <= '9' && !*end && n <= UINT32_MAX;
	struct forward *f =
		is_number ? forward_find(&k->plan, (uint32_t)n) : NULL;

	if (!f)
		return error_set(e, EXIT_NO_OBJECT,
				 "network %s has no forward of that number; "
				 "vmlan fwd %s ls lists them",
				 k->c->network->name, k->c->network->name);
	*op = one_forward(f);
	forwards_remove(k, f);
	return 0;
}

/* ---- for another keeper ---- */

static json_t *write_down(const struct forward *f)
{
	char spec[PORT_RULE_STRLEN], ip[ADDR_STRLEN];

	return json_pack("{s:i,s:s,s:b,s:s,s:i,s:s*,s:s*,s:s*,s:o*}", "id",
			 (int)f->id, "spec", port_rule_format(&f->rule, spec),
			 "both", f->rule.has_both, "guest",
			 addr_format(&f->guest_ip, ip), "port", (int)f->drawn,
			 "local", f->local, "machine",
			 f->machine ? f->machine->name : NULL, "proxy",
			 forward_proxy_name(f->rules.proxy), "from",
			 sources_of(&f->rules));
}

json_t *forwards_state(const struct keeper *k)
{
	json_t *list = json_array();

	list_each (it, &k->plan.forwards) {
		const struct forward *f =
			container_of(it, struct forward, link);

		if (f->origin == FORWARD_ADDED)
			json_array_append_new(list, write_down(f));
	}
	return list;
}

static int restore_one(struct keeper *k, const json_t *o, struct error *e)
{
	const char *spec = str(o, "spec"), *name = str(o, "machine");
	struct forward *f, model = {
				   .id = (uint32_t)json_integer_value(
					   json_object_get(o, "id")),
				   .drawn = (uint16_t)json_integer_value(
					   json_object_get(o, "port")),
			   };
	CLEANUP_FREE char *local = NULL;
	unsigned n;

	if (json_object_get(o, "local"))
		local = strdup(str(o, "local"));
	model.local = local;

	/* QEMU's form says all of one port, and has any path. */
	if (hostfwd_parse(spec, &model.rule, NULL) < 0 &&
	    port_spec_parse(spec, &model.rule, 1, &n, e) < 0)
		return -EINVAL;
	model.rule.has_both = json_is_true(json_object_get(o, "both"));
	if (read_rules(o, &model.rules, e) < 0)
		return -EINVAL;
	if (*name) {
		model.machine = machine_find(k, name);
		if (!model.machine)
			return error_set(e, EXIT_NO_OBJECT,
					 "machine %s is not there any more",
					 name);
	}
	if (!addr_parse(str(o, "guest"), &model.guest_ip))
		return error_set(e, EXIT_FAILED, "its entry makes no sense");
	if (open_one(k, &model, &f, e) < 0)
		return -EINVAL;
	forward_say(k, EVENT_FORWARD_ADDED, f);
	return 0;
}

void forwards_restore(struct keeper *k, const json_t *list)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
	{
		struct error e = ERROR_NULL;

		if (restore_one(k, v, &e) < 0)
			log_warn(k->c->log, "forward %d is not there again: %s",
				 (int)json_integer_value(
					 json_object_get(v, "id")),
				 e.text);
	}
	if (json_array_size(list))
		router_forward(&k->plan);
}
