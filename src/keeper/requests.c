/* SPDX-License-Identifier: BSD-3-Clause */
/* What the requests to the control socket do; see requests.h. */
#include "keeper/requests.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/request.h"
#include "keeper/cable.h"
#include "control/text.h"
#include "keeper/capture.h"
#include "keeper/cloud.h"
#include "keeper/forwards.h"
#include "keeper/gvproxy.h"
#include "keeper/lease_list.h"
#include "keeper/look.h"
#include "keeper/machine.h"
#include "keeper/state.h"
#include "keeper/vde.h"
#include "keeper/why.h"

/* ---- what there is ---- */

/* Of one family: what machines are told of it. */
static json_t *one_subnet(const struct msg_user_add *m, const struct subnet *s)
{
	char net[PREFIX_STRLEN], gw[ADDR_STRLEN], dns[ADDR_STRLEN];
	bool is_v4 = s == &m->v4;
	const addr *router = is_v4 ? &m->router4 : &m->router6;
	bool has_router = !addr_is_unspecified(router);
	const struct serving *v = &m->serving;
	const addr *ns = v->has_nameserver ? &v->nameserver : &s->dns;
	bool has_dns = v->has_nameserver
			       ? !addr_is_unspecified(ns) &&
					 addr_is_v4(ns) == is_v4
			       : !m->is_restricted || m->keeps_services;

	addr_format(has_router ? router : &s->gw, gw);
	return json_pack("{s:s,s:s*,s:s*}", "net",
			 prefix_format(&s->net, net), "gateway",
			 has_router || !m->is_restricted ? gw : NULL, "dns",
			 has_dns ? addr_format(ns, dns) : NULL);
}

/* The networks of the netdev user. */
static bool put_subnets(struct keeper *k, json_t *list)
{
	const struct plan_netdev *n = plan_gateway(&k->plan);
	const struct msg_user_add *m = n ? &n->order.user_add : NULL;

	if (m && m->v4.is_on &&
	    json_array_append_new(list, one_subnet(m, &m->v4)) < 0)
		return false;
	return !m || !m->v6.is_on ||
	       json_array_append_new(list, one_subnet(m, &m->v6)) == 0;
}

/* Those of a netdev; m not NULL: of that machine only. */
static bool put_forwards(const struct plan_netdev *n, const struct machine *m,
			 json_t *list)
{
	for (unsigned i = 0; i < n->n_forwards; i++) {
		const struct plan_forward *f = &n->forwards[i];

		if (f->fd < 0 || (m && f->of->machine != m))
			continue;
		if (json_array_append_new(list, forward_port_object(f)) < 0)
			return false;
	}
	return true;
}

/* The network's own netdevs, as one would type them, and their forwards. */
static bool put_netdevs(const struct keeper *k, json_t *netdevs,
			json_t *forwards)
{
	list_each(it, &k->plan.netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);
		CLEANUP_FREE char *text = NULL;

		if (!put_forwards(n, NULL, forwards))
			return false;
		if (!plan_is_own(n))
			continue;
		text = netdev_spec_format(n->spec);
		if (!text ||
		    json_array_append_new(netdevs, text_shown(text)) < 0)
			return false;
	}
	return true;
}

/* Those that were heard, and the one that it is to have. */
static json_t *addresses_of(const struct machine *m)
{
	json_t *list = json_array();
	char text[ADDR_STRLEN];
	bool whole = list != NULL, has_kept = addr_is_unspecified(&m->ip);
	addr ip[MACHINE_ADDRESSES_MAX];
	unsigned n = machine_addresses(m, ip);

	for (unsigned i = 0; i < n && whole; i++) {
		has_kept |= addr_eq(&ip[i], &m->ip);
		whole = json_array_append_new(
				list,
				json_string(addr_format(&ip[i], text))) == 0;
	}
	if (whole && !has_kept)
		whole = json_array_append_new(
				list,
				json_string(addr_format(&m->ip, text))) == 0;
	if (whole)
		return list;
	json_decref(list);
	return NULL;
}

/* NULL: it is not known. */
static const char *mac_of(const struct machine *m, char text[MAC_STRLEN])
{
	const mac known = machine_mac(m);

	return mac_is_zero(known) ? NULL : mac_format(known, text);
}

/* NULL: one. */
static json_t *queues_of(const struct machine *m)
{
	return m->request.queues > 1 ? json_integer(m->request.queues) : NULL;
}

static json_t *one_machine(const struct machine *m)
{
	char text[MAC_STRLEN], ip[ADDR_STRLEN], url[CLOUD_URL_LEN];

	const char *link = m->is_vhost ? "vhost-user" : "stream";
	const char *listen = m->vmm_listens ? "vmm" : "vmlan";
	bool is_program = m->netns != 0;

	return json_pack("{s:s,s:s,s:o*,s:s*,s:s*,s:b,s:i,s:s*,s:s*,s:o,s:s*,"
			 "s:o*}",
			 "name", m->name, "link", is_program ? "netns" : link,
			 "queues", queues_of(m),
			 "listen", is_program ? NULL : listen, "socket",
			 is_program ? NULL : m->socket, "connected",
			 is_program || m->netdev->n_connected > 0, "pid",
			 (int)m->pid, "mac",
			 mac_of(m, text), "address",
			 addr_is_unspecified(&m->ip) ? NULL
						     : addr_format(&m->ip, ip),
			 "addresses", addresses_of(m), "cloud",
			 m->has_cloud ? cloud_url(m->keeper, url) : NULL,
			 "cable", cable_is_plain(m) ? NULL : cable_object(m));
}

static bool put_machines(const struct keeper *k, json_t *list)
{
	list_each(it, &k->machines) {
		if (json_array_append_new(
			    list, one_machine(container_of(
					  it, struct machine, link))) < 0)
			return false;
	}
	return true;
}

static bool put_plugs(const struct vde_server *s, json_t *list)
{
	list_each(it, &s->plugs) {
		const struct vde_plug *p =
			container_of(it, struct vde_plug, link);
		json_t *o = json_pack("{s:s,s:s,s:i,s:i,s:s}", "name",
				      p->netdev->name, "netdev",
				      s->netdev->name, "port",
				      (int)p->port->number, "user", (int)p->uid,
				      "about", p->about);

		if (json_array_append_new(list, o) < 0)
			return false;
	}
	return true;
}

/* Who is plugged into the network's VDE switches. */
static bool put_all_plugs(const struct keeper *k, json_t *list)
{
	list_each(it, &k->plan.netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (n->vde_server && !put_plugs(n->vde_server, list))
			return false;
	}
	return true;
}

/* Where the network's tunnels lead. */
static bool put_tunnels(const struct keeper *k, json_t *list)
{
	list_each(it, &k->plan.netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);
		json_t *o;

		if (!n->about[0])
			continue;
		o = json_pack("{s:s,s:s,s:i}", "name", n->name, "about",
			      n->about, "mtu", (int)n->inner_mtu);
		if (json_array_append_new(list, o) < 0)
			return false;
	}
	return true;
}

static bool put_options(const struct keeper_network *n, json_t *list)
{
	for (unsigned i = 0; i < n->n_options; i++) {
		if (json_array_append_new(list, text_shown(n->options[i])) < 0)
			return false;
	}
	return true;
}

static json_t *show(struct keeper *k)
{
	const struct keeper_network *n = k->c->network;
	json_t *options = json_array(), *netdevs = json_array();
	json_t *machines = json_array(), *forwards = json_array();
	json_t *subnets = json_array(), *plugs = json_array();
	json_t *tunnels = json_array();
	bool whole = options && netdevs && machines && forwards && subnets &&
		     plugs && put_all_plugs(k, plugs) &&
		     tunnels && put_tunnels(k, tunnels) &&
		     put_subnets(k, subnets) &&
		     put_options(n, options) &&
		     put_netdevs(k, netdevs, forwards) &&
		     put_machines(k, machines);
	json_t *o = json_pack("{s:s,s:s,s:o,s:b,s:b,s:b,s:i,s:i,s:s,s:o,s:o,"
			      "s:o,s:o,s:o,s:o}",
			      "name", n->name, "mode", n->mode, "options",
			      options, "kept", k->is_kept, "serving",
			      k->engine.synced, "exec", !n->denies_exec,
			      "keeper", (int)getpid(), "engine",
			      (int)k->engine.pid, "folder", n->dir,
			      "netdevs", netdevs, "subnets", subnets,
			      "forwards", forwards, "tunnels", tunnels,
			      "machines", machines, "plugs", plugs);

	if (whole && o && n->file)
		whole = json_object_set_new(o, "file", text_shown(n->file)) ==
			0;
	if (whole)
		return o;
	json_decref(o);
	return NULL;
}

/* ---- requests: 0, and *op, NULL if there is no memory; or negative ---- */

static int get_v1(struct keeper *k, const struct request *r, json_t **op,
		  struct error *e)
{
	json_t *o = schema_json();

	(void)r;
	(void)e;
	if (o)
		json_object_set_new(o, "vmlan", json_string(VMLAN_VERSION));
	if (o)
		json_object_set_new(o, "network",
				    json_string(k->c->network->name));
	*op = o;
	return 0;
}

static int get_network(struct keeper *k, const struct request *r, json_t **op,
		       struct error *e)
{
	(void)r;
	(void)e;
	*op = show(k);
	return 0;
}

static int get_leases(struct keeper *k, const struct request *r, json_t **op,
		      struct error *e)
{
	(void)r;
	(void)e;
	*op = lease_list(k);
	return 0;
}

static int put_kept(struct keeper *k, const struct request *r, json_t **op,
		    struct error *e)
{
	bool is_kept;

	if (kept_request_parse(r->body, r->n_body, &is_kept, e) < 0)
		return -EINVAL;
	k->is_kept = is_kept;
	event_say(k, EVENT_NETWORK_KEPT, "{s:b}", "kept", is_kept);
	state_save(k);
	*op = json_pack("{s:b,s:i}", "kept", is_kept, "machines",
			(int)k->n_machines);
	return 0;
}

/* A machine with its forwards. */
static json_t *attached(struct keeper *k, const struct machine *m)
{
	const struct plan_netdev *n = plan_gateway(&k->plan);
	json_t *o = one_machine(m), *list = json_array();

	if (o && list && (!n || put_forwards(n, m, list)) &&
	    json_object_set_new(o, "forwards", list) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int post_machines(struct keeper *k, const struct request *r,
			 json_t **op, struct error *e)
{
	struct attach_request a;
	struct machine *m = NULL;
	int rc = attach_request_parse(r->body, r->n_body, &a, e);

	if (rc == 0)
		rc = machine_attach(k, &a, &m, e);
	attach_request_deinit(&a);
	if (rc == 0)
		*op = attached(k, m);
	return rc;
}

/* The one that the path names. */
static struct machine *machine_of(struct keeper *k, const struct request *r,
				  struct error *e)
{
	struct machine *m = machine_find(k, r->name);

	if (!m)
		error_set(e, EXIT_NO_OBJECT,
			  "this network has no machine of that name");
	return m;
}

static int put_life(struct keeper *k, const struct request *r, json_t **op,
		    struct error *e)
{
	struct machine *m = machine_of(k, r, e);
	pid_t pid;

	if (!m || life_request_parse(r->body, r->n_body, &pid, e) < 0 ||
	    machine_hold(m, pid, e) < 0)
		return -EINVAL;
	*op = json_object();
	return 0;
}

static int put_cloud(struct keeper *k, const struct request *r,
		     enum cloud_part part, json_t **op, struct error *e)
{
	struct machine *m = machine_of(k, r, e);
	char url[CLOUD_URL_LEN];

	if (!m || cloud_put(m, part, r->body, r->n_body, e) < 0)
		return -EINVAL;
	*op = json_pack("{s:s}", "url", cloud_url(k, url));
	return 0;
}

static int put_user_data(struct keeper *k, const struct request *r,
			 json_t **op, struct error *e)
{
	return put_cloud(k, r, CLOUD_USER_DATA, op, e);
}

static int put_meta_data(struct keeper *k, const struct request *r,
			 json_t **op, struct error *e)
{
	return put_cloud(k, r, CLOUD_META_DATA, op, e);
}

static int delete_machine(struct keeper *k, const struct request *r,
			  json_t **op, struct error *e)
{
	struct machine *m = machine_of(k, r, e);

	if (!m)
		return -ENOENT;
	machine_detach(m);
	*op = json_object();
	return 0;
}

static int get_link(struct keeper *k, const struct request *r, json_t **op,
		    struct error *e)
{
	struct machine *m = machine_of(k, r, e);

	if (!m)
		return -ENOENT;
	*op = cable_object(m);
	return 0;
}

static int put_link(struct keeper *k, const struct request *r, json_t **op,
		    struct error *e)
{
	struct machine *m = machine_of(k, r, e);

	if (!m || cable_request(m, r->json, e) < 0)
		return -EINVAL;
	*op = cable_object(m);
	return 0;
}

/* ---- who does what ---- */

typedef int request_fn(struct keeper *k, const struct request *r, json_t **op,
		       struct error *e);

/* NULL: it is one of control.c's (SCHEMA_LINES). */
static request_fn *const functions[SCHEMA_N] = {
	[SCHEMA_GET_V1] = get_v1,
	[SCHEMA_GET_NETWORK] = get_network,
	[SCHEMA_PUT_KEPT] = put_kept,
	[SCHEMA_GET_LEASES] = get_leases,
	[SCHEMA_GET_STATS] = look_stats,
	[SCHEMA_GET_MACS] = look_macs,
	[SCHEMA_GET_FLOWS] = look_flows,
	[SCHEMA_GV_STATS] = look_gvproxy,
	[SCHEMA_POST_MACHINES] = post_machines,
	[SCHEMA_PUT_LIFE] = put_life,
	[SCHEMA_PUT_USER_DATA] = put_user_data,
	[SCHEMA_PUT_META_DATA] = put_meta_data,
	[SCHEMA_GET_LINK] = get_link,
	[SCHEMA_PUT_LINK] = put_link,
	[SCHEMA_DELETE_MACHINE] = delete_machine,
	[SCHEMA_GET_CAPTURES] = capture_list,
	[SCHEMA_POST_CAPTURES] = capture_post,
	[SCHEMA_PUT_CAPTURES_KEPT] = capture_keep,
	[SCHEMA_GV_DHCP_LEASES] = gvproxy_leases,
	[SCHEMA_GV_LEASES] = gvproxy_leases,
	[SCHEMA_GV_CAM] = look_cam,
	[SCHEMA_GET_FORWARDS] = forwards_get,
	[SCHEMA_POST_FORWARDS] = forwards_post,
	[SCHEMA_DELETE_FORWARD] = forwards_delete,
	[SCHEMA_GV_EXPOSE] = forwarder_expose,
	[SCHEMA_GV_UNEXPOSE] = forwarder_unexpose,
	[SCHEMA_GV_ALL] = forwarder_all,
	[SCHEMA_GET_WHY] = why_get,
};

size_t request_max(enum schema_id id)
{
	size_t n = id < SCHEMA_N ? schema_requests[id].body_max : 0;

	return n ? n : CONTROL_REQUEST_MAX;
}

const char *request_arg(const struct request *r, const char *key)
{
	for (size_t i = 0; i < r->n_args; i++) {
		if (strcmp(r->keys[i], key) == 0)
			return r->values[i];
	}
	return NULL;
}

/* An object's text, a line; takes o. */
static char *text_of(json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER)
		       : NULL;
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	json_decref(o);
	if (line)
		memcpy(line + len, "\n", 2);
	else
		free(text);
	return line;
}

static bool is_text(const struct request *r)
{
	return r->id < SCHEMA_N && schema_requests[r->id].form == SCHEMA_TEXT;
}

void request_refuse(const struct request *r, const struct error *e,
		    struct answer *a)
{
	*a = (struct answer){.status = schema_status(e->code)};
	if (is_text(r)) {
		a->type = "text/plain; charset=utf-8";
		if (asprintf(&a->text, "%s\n", e->text) < 0)
			a->text = NULL;
		return;
	}
	a->type = "application/json";
	/* It may name anything, and be cut anywhere. */
	a->text = text_of(json_pack("{s:o,s:i}", "error", text_shown(e->text),
				    "code", (int)e->code));
}

__attribute__((format(printf, 5, 6))) static void
no_way(const struct request *r, struct answer *a, unsigned status,
       enum exit_code code, const char *fmt, ...)
{
	struct error e = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	request_refuse(r, &e, a);
	a->status = status;
}

/* What is in no row. */
static void no_row(const struct request *r, struct answer *a)
{
	const char *v = r->url[0] == '/' && r->url[1] == 'v' ? r->url + 2 : "";
	size_t n = strspn(v, "0123456789");
	bool is_other = n && (v[n] == '/' || !v[n]) &&
			(n > 1 || v[0] != '0' + CONTROL_VERSION);

	if (r->allow[0])
		no_way(r, a, 405, EXIT_USAGE, "this path takes %s", r->allow);
	else if (is_other)
		no_way(r, a, 404, EXIT_NO_OBJECT,
		       "this network speaks version %d, at /v%d; GET /v%d "
		       "lists what there is",
		       CONTROL_VERSION, CONTROL_VERSION, CONTROL_VERSION);
	else
		no_way(r, a, 404, EXIT_NO_OBJECT,
		       "there is nothing at this path; GET /v%d lists what "
		       "there is",
		       CONTROL_VERSION);
}

/* 0 if query and body are what the row describes; r->json is the body then. */
static int check(struct request *r, struct error *e)
{
	const struct schema_request *row = &schema_requests[r->id];

	if (r->has_more_args)
		return error_set(e, EXIT_USAGE, "the request's query has more "
						"than %d keys",
				 REQUEST_ARGS_MAX);
	if (schema_check_query(row, r->keys, r->n_args, e) < 0)
		return -1;
	if (row->body)
		return schema_read(row, r->body, r->n_body, &r->json, e);
	if (r->n_body && row->body_form == SCHEMA_JSON)
		return error_set(e, EXIT_USAGE, "this request has no body");
	return 0;
}

/* What is served is the same as long as there is the keeper: the longest of all
 * answers is made once. */
static bool is_known(const struct keeper *k, const struct request *r,
		     struct answer *a)
{
	if (r->id != SCHEMA_GET_V1 || !k->v1)
		return false;
	*a = (struct answer){
		.status = 200,
		.type = "application/json",
		.text = strdup(k->v1),
	};
	return true;
}

void request_done(const struct request *r, json_t *o, struct answer *a)
{
	const struct schema_request *row = &schema_requests[r->id];
	const char *text;

	*a = (struct answer){.text = NULL};
	a->status = row->status ? row->status : 200;
	if (row->form == SCHEMA_TEXT) {
		text = json_string_value(o);
		a->type = "text/plain; charset=utf-8";
		a->text = text ? strdup(text) : NULL;
		json_decref(o);
		return;
	}
	a->type = "application/json";
	a->text = text_of(o);
}

static void carry_out(struct keeper *k, const struct request *r,
		      struct answer *a)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;

	if (is_known(k, r, a))
		return;
	if (functions[r->id](k, r, &o, &e) < 0)
		request_refuse(r, &e, a);
	else if (!*r->laterp)
		request_done(r, o, a);
	if (r->id == SCHEMA_GET_V1 && !k->v1 && a->text)
		k->v1 = strdup(a->text); /* or it is made again */
}

void request_answer(struct keeper *k, struct request *r, struct answer *a)
{
	struct error e = ERROR_NULL;

	*a = (struct answer){.text = NULL};
	r->json = NULL;
	if (r->is_cut)
		no_way(r, a, 413, EXIT_USAGE,
		       "the request is too long: its body may have %zu bytes",
		       request_max(r->id));
	else if (k->is_stopping)
		no_way(r, a, 503, EXIT_NO_NETWORK, "this network is ending");
	else if (r->id == SCHEMA_N)
		no_row(r, a);
	else if (check(r, &e) < 0)
		request_refuse(r, &e, a);
	else if (schema_requests[r->id].form == SCHEMA_LINES)
		a->is_stream = true;
	else
		carry_out(k, r, a);
	json_decref(r->json);
	r->json = NULL;
}
