/* SPDX-License-Identifier: BSD-3-Clause */
/* Openers of tap and netns: devices made or taken over, one fd a queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/plan.h"
#include "os/bridge.h"
#include "os/netns.h"
#include "os/script.h"
#include "os/tap.h"

/* The engine takes at most ENGINE_FDS_MAX queues with one order. */
static int check_queues(const struct plan_netdev *n, unsigned queues,
			struct error *e)
{
	if (queues > ENGINE_FDS_MAX)
		return error_set(e, EXIT_USAGE,
				 "%s: queues=%u: at most %d queues are built",
				 n->opener->kind, queues, ENGINE_FDS_MAX);
	return 0;
}

enum tap_vnet_hdr plan_vnet_hdr(const struct plan_netdev *n)
{
	return n->deny & ENGINE_DENY_VNET_HDR ? TAP_VNET_HDR_OFF
					      : TAP_VNET_HDR_AUTO;
}

static enum tap_vnet_hdr vnet_hdr_of(const struct plan_netdev *n)
{
	if (n->deny & ENGINE_DENY_VNET_HDR)
		return TAP_VNET_HDR_OFF;
	if (!spec_has(n->spec, "vnet_hdr"))
		return TAP_VNET_HDR_AUTO;
	return spec_bool(n->spec, "vnet_hdr") ? TAP_VNET_HDR_ON
					      : TAP_VNET_HDR_OFF;
}

void plan_tap(struct plan_netdev *n, struct tap_result *t)
{
	struct msg_tap_add *m = &n->order.tap_add;

	for (unsigned i = 0; i < t->n_fds; i++)
		n->fds[i] = fd_steal(&t->fds[i]);
	n->n_fds = t->n_fds;
	m->port = n->id;
	m->lan = n->lan;
	m->vnet_hdr = t->vnet_hdr;
	snprintf(m->kind, sizeof(m->kind), "%s", n->opener->kind);
	m->queue_frames = t->queue_frames;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_TAP_ADD;
	tap_result_deinit(t);
}

static int adopt_fds(struct plan_netdev *n, const char *key,
		     struct tap_result *t, struct error *e)
{
	int fds[NETDEV_QUEUES_MAX];
	unsigned k = spec_fds(n->spec, key, fds, NETDEV_QUEUES_MAX);
	int r = check_queues(n, k, e);

	if (r < 0)
		return r;
	return tap_adopt(fds, k, t, e);
}

/* "no" and "" mean none, as in QEMU. */
static const char *script_of(const struct plan_netdev *n, const char *key)
{
	const char *s = spec_str(n->spec, key);

	return s && *s && strcmp(s, "no") != 0 ? s : NULL;
}

/* QEMU's default scripts are run where they exist; asked-for ones must. */
static int run_script(struct plan_netdev *n, struct error *e)
{
	const char *up = script_of(n, "script");
	const char *down = script_of(n, "downscript");

	if (down &&
	    (spec_has(n->spec, "downscript") || access(down, X_OK) == 0))
		n->downscript = down;
	if (!up || (!spec_has(n->spec, "script") && access(up, X_OK) != 0))
		return 0;
	return script_run(up, n->ifname, e);
}

/* With helper= it is QEMU's bridge in other words. */
static int open_by_helper(struct plan_netdev *n, struct tap_result *t,
			  struct error *e)
{
	struct bridge_opts o = {
		.bridge = spec_str(n->spec, "br"),
		.helper = spec_str(n->spec, "helper"),
		.asks_helper = true,
		.patience_ms = plan_patience_ms(n),
	};
	int r = bridge_tap_open(&o, t, e);

	if (r == 0)
		plan_on_bridge(n, o.bridge, t);
	return r;
}

/* The keys that ask for the kernel's vhost-net have no effect; said once. */
static void warn_vhost(struct plan_netdev *n)
{
	const struct netdev_spec *s = n->spec;
	const struct {
		const char *key;
		bool asks;
	} keys[] = {
		{"vhost", spec_bool(s, "vhost")},
		{"vhostfd", spec_has(s, "vhostfd")},
		{"vhostfds", spec_has(s, "vhostfds")},
		{"vhostforce", spec_bool(s, "vhostforce")},
		{"poll-us", spec_u64(s, "poll-us") != 0},
	};
	char names[64] = "";
	size_t len = 0;

	for (size_t i = 0; i < array_len(keys); i++) {
		if (keys[i].asks)
			len += (size_t)snprintf(names + len,
						sizeof(names) - len, "%s%s=",
						len ? ", " : "", keys[i].key);
	}
	if (len)
		snprintf(n->warning, sizeof(n->warning),
			 "%s: the kernel's vhost-net is not used, vmlan "
			 "carries the frames itself",
			 names);
}

int open_tap(struct plan_netdev *n, struct error *e)
{
	struct tap_result t = TAP_RESULT_NULL;
	struct tap_opts o = {
		.ifname = spec_str(n->spec, "ifname"),
		.queues = (unsigned)spec_u64(n->spec, "queues"),
		.vnet_hdr = vnet_hdr_of(n),
		.sndbuf = spec_u64(n->spec, "sndbuf"),
	};
	int r;

	if (spec_has(n->spec, "fd"))
		r = adopt_fds(n, "fd", &t, e);
	else if (spec_has(n->spec, "fds"))
		r = adopt_fds(n, "fds", &t, e);
	else if (spec_has(n->spec, "helper"))
		r = open_by_helper(n, &t, e);
	else {
		r = check_queues(n, o.queues, e);
		if (r == 0)
			r = tap_open(&o, &t, e);
		if (r == 0) {
			snprintf(n->ifname, sizeof(n->ifname), "%s", t.ifname);
			r = run_script(n, e);
		}
		if (r == 0)
			log_info(n->log, "%s: interface %s", n->name,
				 n->ifname);
	}
	if (r < 0) {
		tap_result_deinit(&t);
		return r;
	}
	warn_vhost(n);
	plan_tap(n, &t);
	return 0;
}

int open_netns(struct plan_netdev *n, struct error *e)
{
	struct tap_result t = TAP_RESULT_NULL;
	struct netns_opts o = {
		.path = spec_str(n->spec, "path"),
		.pid = (int)spec_u64(n->spec, "pid"),
		.ifname = spec_str(n->spec, "ifname"),
		.queues = (unsigned)spec_u64(n->spec, "queues"),
		.vnet_hdr = vnet_hdr_of(n),
	};
	const char *text = spec_str(n->spec, "mac");
	int r;

	if (text && !mac_parse(text, &o.mac))
		return error_set(e, EXIT_USAGE,
				 "netns: mac=%s: invalid syntax for ethernet "
				 "address",
				 text);
	r = check_queues(n, o.queues, e);
	if (r == 0)
		r = netns_tap_open(&o, &t, e);
	if (r < 0) {
		tap_result_deinit(&t);
		return r;
	}
	log_info(n->log, "%s: interface %s in %s", n->name, t.ifname,
		 o.path ? o.path : "the namespace of the process");
	plan_tap(n, &t);
	return 0;
}
