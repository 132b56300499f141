/* SPDX-License-Identifier: BSD-3-Clause */
/* A network written down; see state.h. */
#include "keeper/state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/protocol.h"
#include "control/text.h"
#include "keeper/cable.h"
#include "keeper/forwards.h"
#include "keeper/machine.h"
#include "os/file.h"
#include "os/proc.h"

#define PAUSE_NS UINT64_C(1000000000)

/* ---- to the file ---- */

static json_t *print_ports(const struct machine *m)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < m->request.n_forwards; i++)
		json_array_append_new(list, json_integer(m->ports[i]));
	return list;
}

static json_t *print_ids(const struct machine *m)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < m->request.n_forwards; i++)
		json_array_append_new(list, json_integer(m->ids[i]));
	return list;
}

static json_t *print_heard(const struct machine *m)
{
	json_t *list = json_array();
	addr ip[MACHINE_ADDRESSES_MAX];
	unsigned n = machine_addresses(m, ip);
	char text[ADDR_STRLEN];

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list,
				      json_string(addr_format(&ip[i], text)));
	return list;
}

static json_t *print_machine(const struct machine *m)
{
	CLEANUP_FREE char *request = attach_request_format(&m->request);
	char ip[ADDR_STRLEN];

	if (!request)
		return NULL;
	return json_pack("{s:o,s:i,s:s,s:o,s:o,s:o,s:i,s:I,s:o*}", "request",
			 json_loads(request, 0, NULL), "plug", (int)m->plug,
			 "address", addr_format(&m->ip, ip), "ports",
			 print_ports(m), "ids", print_ids(m), "heard",
			 print_heard(m), "pid", (int)m->pid, "pid_started",
			 (json_int_t)m->pid_started, "cable",
			 cable_print(m));
}

static bool put_machines(const struct keeper *k, json_t *list)
{
	list_each(it, &k->machines) {
		const struct machine *m = container_of(it, struct machine,
						       link);

		/* A program's card goes with the keeper, and its address with
		 * that: another card would be of no use to it. */
		if (m->netns)
			continue;
		if (json_array_append_new(list, print_machine(m)) < 0)
			return false;
	}
	return true;
}

static bool put_netdevs(const struct keeper *k, json_t *list)
{
	list_each(it, &k->plan.netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);
		CLEANUP_FREE char *text = NULL;

		if (!plan_is_own(n))
			continue;
		text = netdev_spec_format(n->spec);
		if (!text ||
		    json_array_append_new(list, text_to_json(text)) < 0)
			return false;
	}
	return true;
}

/* Of the netdev's hostfwd= that ask for any host port: that; of those that were
 * taken away: PLAN_NO_FORWARD; 0: others. */
static json_t *print_hostfwds(const struct keeper *k,
			      const struct plan_netdev *n)
{
	json_t *ports = json_array();

	list_each (it, &k->plan.forwards) {
		const struct forward *f =
			container_of(it, struct forward, link);

		/* They come in order. */
		if (f->netdev == n && f->origin == FORWARD_OF_NETDEV)
			json_array_append_new(
				ports,
				json_integer(f->is_removed ? PLAN_NO_FORWARD
							   : f->drawn));
	}
	return ports;
}

static bool put_ports(const struct keeper *k, json_t *list)
{
	list_each(it, &k->plan.netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		if (plan_is_own(n) &&
		    json_array_append_new(list, print_hostfwds(k, n)) < 0)
			return false;
	}
	return true;
}

static bool put_options(const struct keeper_network *n, json_t *list)
{
	for (unsigned i = 0; i < n->n_options; i++) {
		if (json_array_append_new(list, text_to_json(n->options[i])) <
		    0)
			return false;
	}
	return true;
}

/* Another process has others. */
static bool has_fds(const struct keeper *k)
{
	for (unsigned i = 0; i < k->c->n_specs; i++) {
		if (spec_is_fd(k->c->specs[i]))
			return true;
	}
	return false;
}

/* NULL: no memory. */
static char *print(const struct keeper *k)
{
	CLEANUP_FREE char *cwd = get_current_dir_name();
	const struct keeper_network *n = k->c->network;
	json_t *options = json_array(), *netdevs = json_array();
	json_t *machines = json_array(), *ports = json_array();
	bool whole = put_options(n, options) && put_netdevs(k, netdevs) &&
		     put_ports(k, ports) && put_machines(k, machines);
	json_t *o =
		json_pack("{s:s,s:s,s:s,s:o,s:b,s:b,s:o,s:o,s:i,s:I,s:o*,s:I,"
			  "s:b,s:b,s:b,s:o,s:o,s:i,s:o*}",
			  "name", n->name, "mode", n->mode, "mac_name",
			  n->mac_name, "options", options, "kept", k->is_kept,
			  "shared", n->is_shared, "netdevs", netdevs, "ports",
			  ports, "engine", (int)k->engine.pid, "engine_started",
			  (json_int_t)k->engine.started, "cwd",
			  cwd ? text_to_json(cwd) : NULL, "netns",
			  (json_int_t)k->state_netns, "has_fds", has_fds(k),
			  "activated", n->control_fd >= 0, "front", n->in_front,
			  "machines", machines, "forwards", forwards_state(k),
			  "last_forward", (int)k->plan.last_forward, "file",
			  n->file ? text_to_json(n->file) : NULL);
	char *text = o && whole ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return text;
}

void state_save(struct keeper *k)
{
	const struct keeper_network *n = k->c->network;
	CLEANUP_FREE char *text = NULL;
	char path[128];
	int r;

	if (!n || !k->is_ready || k->is_stopping)
		return;
	text = print(k);
	snprintf(path, sizeof(path), "%s/" CONTROL_STATE, n->dir);
	r = text ? file_replace(path, text, strlen(text)) : -ENOMEM;
	if (r < 0)
		log_warn(k->c->log, "the network's state is not written down, "
				    "for the case of a kill: %s",
			 strerror(-r));
}

static void save_and_wait(struct keeper *k, uint64_t now_ns)
{
	k->state_is_old = false;
	state_save(k);
	timer_arm(loop_wheel(k->loop), &k->state_timer, now_ns + PAUSE_NS);
}

static void on_pause_over(struct timer *t, uint64_t now_ns)
{
	struct keeper *k = container_of(t, struct keeper, state_timer);

	if (k->state_is_old)
		save_and_wait(k, now_ns);
}

void state_init(struct keeper *k)
{
	timer_init(&k->state_timer, on_pause_over);
	k->state_netns = proc_netns();
}

void state_save_rarely(struct keeper *k)
{
	if (timer_is_armed(&k->state_timer))
		k->state_is_old = true;
	else
		save_and_wait(k, *loop_now(k->loop));
}

/* ---- from the file ---- */

static uint16_t port_at(const json_t *list, size_t i)
{
	json_int_t port = json_integer_value(json_array_get(list, i));

	return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

int state_port(const void *past, unsigned n, unsigned i)
{
	const json_t *list = json_array_get(json_object_get(past, "ports"), n);
	bool is_removed =
		json_integer_value(json_array_get(list, i)) == PLAN_NO_FORWARD;

	return is_removed ? PLAN_NO_FORWARD : port_at(list, i);
}

static void take_ids(const json_t *list, struct machine_past *past)
{
	for (size_t i = 0; i < CONTROL_FORWARDS_MAX; i++)
		past->ids[i] =
			(uint32_t)json_integer_value(json_array_get(list, i));
}

static void take_ports(const json_t *list, struct machine_past *past)
{
	for (size_t i = 0; i < CONTROL_FORWARDS_MAX; i++)
		past->ports[i] = port_at(list, i);
}

static void take_heard(const json_t *list, struct machine_past *past)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v) {
		const char *ip = json_string_value(v);

		if (ip && past->n_before < ENGINE_HEARD_MAX &&
		    addr_parse(ip, &past->before[past->n_before]))
			past->n_before++;
	}
}

static int restore_one(struct keeper *k, const json_t *o, struct error *e)
{
	CLEANUP_FREE char *text = json_dumps(json_object_get(o, "request"), 0);
	struct machine_past past = {
		.plug = (unsigned)json_integer_value(
			json_object_get(o, "plug")),
		.pid = (pid_t)json_integer_value(json_object_get(o, "pid")),
	};
	const char *ip = json_string_value(json_object_get(o, "address"));
	uint64_t started = (uint64_t)json_integer_value(
		json_object_get(o, "pid_started"));
	struct attach_request a;
	struct machine *m;
	int r;

	if (!text || !ip || !addr_parse(ip, &past.ip) || !past.plug)
		return error_set(e, EXIT_FAILED, "its entry makes no sense");
	if (!started || proc_started(past.pid) != started)
		past.pid = 0;
	take_ports(json_object_get(o, "ports"), &past);
	take_ids(json_object_get(o, "ids"), &past);
	take_heard(json_object_get(o, "heard"), &past);
	r = attach_request_parse(text, strlen(text), &a, e);
	if (r == 0)
		r = machine_restore(k, &a, &past, &m, e);
	if (r == 0)
		cable_restore(m, json_object_get(o, "cable"));
	attach_request_deinit(&a);
	return r;
}

void state_restore(struct keeper *k)
{
	json_t *o = json_loads(k->c->network->state, 0, NULL);
	json_int_t last;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(o, "machines"), i, v) {
		struct error e = ERROR_NULL;

		if (restore_one(k, v, &e) < 0)
			log_warn(k->c->log,
				 "a machine is not plugged in again: %s",
				 e.text);
	}
	forwards_restore(k, json_object_get(o, "forwards"));
	last = json_integer_value(json_object_get(o, "last_forward"));
	if (last > k->plan.last_forward)
		k->plan.last_forward = (uint32_t)last;
	json_decref(o);
}
