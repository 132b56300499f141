/* SPDX-License-Identifier: BSD-3-Clause */
/* What the requests to the control socket do; see requests.h. */
#include "keeper/requests.h"

#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/request.h"
#include "keeper/cloud.h"
#include "keeper/lease_list.h"
#include "keeper/machine.h"
#include "keeper/state.h"
#include "keeper/stats.h"
#include "keeper/vde.h"

/* Which HTTP status says what an exit code says. */
static unsigned status_of(enum exit_code code)
{
	switch (code) {
	case EXIT_DONE:
		return 200;
	case EXIT_USAGE:
		return 400;
	case EXIT_PERMISSION:
		return 403;
	case EXIT_NO_NETWORK:
	case EXIT_NO_OBJECT:
		return 404;
	case EXIT_CONFLICT:
		return 409;
	case EXIT_FAILED:
	case EXIT_RUN_FAILED:
	case EXIT_RUN_CANNOT:
	case EXIT_RUN_NOT_FOUND:
		break;
	}
	return 500;
}

/* An object's text; takes o. */
static char *text_of(json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER)
		       : NULL;

	json_decref(o);
	return text;
}

static unsigned refuse(const struct error *e, char **bodyp)
{
	*bodyp = text_of(json_pack("{s:s,s:i}", "error", e->text, "code",
				   (int)e->code));
	return status_of(e->code);
}

/* JSON is UTF-8, and paths are any bytes: what is none is shown by '?'. */
static json_t *shown(const char *text)
{
	json_t *o = json_string(text);
	CLEANUP_FREE char *copy = o ? NULL : strdup(text);

	for (char *p = copy; p && *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	return copy ? json_string(copy) : o;
}

/* ---- what there is ---- */

static json_t *one_forward(const struct plan_forward *f)
{
	char host[ENDPOINT_STRLEN], guest[ENDPOINT_STRLEN];

	return json_pack("{s:s,s:o,s:s,s:s*}", "proto",
			 f->proto == IPPROTO_UDP ? "udp" : "tcp", "host",
			 shown(f->unix_path[0]
				       ? f->unix_path
				       : endpoint_format(&f->host, host)),
			 "guest", endpoint_format(&f->guest, guest), "machine",
			 f->machine ? f->machine->name : NULL);
}

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

		if (f->fd < 0 || (m && f->machine != m))
			continue;
		if (json_array_append_new(list, one_forward(f)) < 0)
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
		    json_array_append_new(netdevs, shown(text)) < 0)
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

	return json_pack("{s:s,s:s,s:o*,s:s*,s:s*,s:b,s:i,s:s*,s:s*,s:o,s:s*}",
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
			 m->has_cloud ? cloud_url(m->keeper, url) : NULL);
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
		if (json_array_append_new(list, shown(n->options[i])) < 0)
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

	if (whole)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *stats(struct keeper *k)
{
	return stats_object(k->c->network->name, &k->counters);
}

/* ---- what changes it ---- */

static unsigned set_kept(struct keeper *k, const struct request *r,
			 char **bodyp)
{
	struct error e = ERROR_NULL;
	bool is_kept;

	if (kept_request_parse(r->body, r->n_body, &is_kept, &e) < 0)
		return refuse(&e, bodyp);
	k->is_kept = is_kept;
	state_save(k);
	*bodyp = text_of(json_pack("{s:b,s:i}", "kept", is_kept, "machines",
				   (int)k->n_machines));
	return 200;
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

static unsigned attach(struct keeper *k, const struct request *r, char **bodyp)
{
	struct attach_request a;
	struct error e = ERROR_NULL;
	struct machine *m = NULL;

	int rc = attach_request_parse(r->body, r->n_body, &a, &e);

	if (rc == 0)
		rc = machine_attach(k, &a, &m, &e);
	attach_request_deinit(&a);
	if (rc < 0)
		return refuse(&e, bodyp);
	*bodyp = text_of(attached(k, m));
	return 201;
}

static unsigned hold(struct machine *m, const struct request *r, char **bodyp)
{
	struct error e = ERROR_NULL;
	pid_t pid;

	if (life_request_parse(r->body, r->n_body, &pid, &e) < 0 ||
	    machine_hold(m, pid, &e) < 0)
		return refuse(&e, bodyp);
	*bodyp = text_of(json_object());
	return 200;
}

static unsigned no_way(enum exit_code code, const char *text, char **bodyp)
{
	struct error e = ERROR_NULL;

	error_set(&e, code, "%s", text);
	return refuse(&e, bodyp);
}

static unsigned wrong_method(const char *text, char **bodyp)
{
	(void)no_way(EXIT_USAGE, text, bodyp);
	return 405;
}

static unsigned put_cloud(struct machine *m, enum cloud_part part,
			  const struct request *r, char **bodyp)
{
	struct error e = ERROR_NULL;
	char url[CLOUD_URL_LEN];

	if (strcmp(r->method, "PUT") != 0)
		return wrong_method("a machine's data takes PUT", bodyp);
	if (cloud_put(m, part, r->body, r->n_body, &e) < 0)
		return refuse(&e, bodyp);
	*bodyp = text_of(json_pack("{s:s*}", "url",
				   cloud_url(m->keeper, url)));
	return 200;
}

/* ---- who does what ---- */

/* /v1/machines/NAME and what is below it. */
static unsigned on_machine(struct keeper *k, const struct request *r,
			   const char *rest, char **bodyp)
{
	char name[CONTROL_NAME_LEN] = "";
	size_t len = strcspn(rest, "/");
	struct machine *m;

	if (len < sizeof(name))
		memcpy(name, rest, len);
	m = machine_find(k, name);
	if (!m)
		return no_way(EXIT_NO_OBJECT,
			      "this network has no machine of that name",
			      bodyp);
	if (strcmp(rest + len, CONTROL_LIFE) == 0 &&
	    strcmp(r->method, "PUT") == 0)
		return hold(m, r, bodyp);
	if (strcmp(rest + len, CONTROL_LIFE) == 0)
		return wrong_method("a machine's life takes PUT", bodyp);
	if (strcmp(rest + len, CONTROL_USER_DATA) == 0)
		return put_cloud(m, CLOUD_USER_DATA, r, bodyp);
	if (strcmp(rest + len, CONTROL_META_DATA) == 0)
		return put_cloud(m, CLOUD_META_DATA, r, bodyp);
	if (rest[len])
		return no_way(EXIT_NO_OBJECT, "there is nothing at this path",
			      bodyp);
	if (strcmp(r->method, "DELETE") != 0)
		return wrong_method("a machine takes DELETE", bodyp);
	machine_detach(m);
	*bodyp = text_of(json_object());
	return 200;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len > n && strcmp(text + len - n, end) == 0;
}

size_t request_max(const char *url)
{
	return ends_with(url, CONTROL_USER_DATA) ||
			       ends_with(url, CONTROL_META_DATA)
		       ? CONTROL_CLOUD_MAX
		       : CONTROL_REQUEST_MAX;
}

unsigned request_answer(struct keeper *k, const struct request *r,
			char **bodyp)
{
	static const char below[] = CONTROL_MACHINES "/";
	static const struct {
		const char *url;
		json_t *(*fn)(struct keeper *k);
	} views[] = {
		{CONTROL_NETWORK, show},
		{CONTROL_LEASES, lease_list},
		{CONTROL_STATS, stats},
	};
	static const struct {
		const char *url, *method;
		unsigned (*fn)(struct keeper *k, const struct request *r,
			       char **bodyp);
		const char *wrong;
	} paths[] = {
		{CONTROL_KEPT, "PUT", set_kept, "this path takes PUT"},
		{CONTROL_MACHINES, "POST", attach, "this path takes POST"},
	};

	if (r->is_cut)
		return no_way(EXIT_USAGE, "the request is too long", bodyp);
	if (k->is_stopping) {
		(void)no_way(EXIT_NO_NETWORK, "this network is ending", bodyp);
		return 503;
	}
	for (size_t i = 0; i < array_len(views); i++) {
		if (strcmp(r->url, views[i].url) != 0)
			continue;
		if (strcmp(r->method, "GET") != 0)
			return wrong_method("this path takes GET", bodyp);
		*bodyp = text_of(views[i].fn(k));
		return 200;
	}
	for (size_t i = 0; i < array_len(paths); i++) {
		if (strcmp(r->url, paths[i].url) != 0)
			continue;
		return strcmp(r->method, paths[i].method) == 0
			       ? paths[i].fn(k, r, bodyp)
			       : wrong_method(paths[i].wrong, bodyp);
	}
	if (strncmp(r->url, below, sizeof(below) - 1) == 0)
		return on_machine(k, r, r->url + sizeof(below) - 1, bodyp);
	return no_way(EXIT_NO_OBJECT, "there is nothing at this path", bodyp);
}
