/* SPDX-License-Identifier: BSD-3-Clause */
/* Openers of bridge and hostif, taps that are a part of the host's network, and
 * of packet. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/uplink_opts.h"
#include "keeper/keeper_priv.h"
#include "os/bridge.h"
#include "os/guard.h"
#include "os/may.h"
#include "os/packet.h"
#include "os/rtnl.h"

enum { PATIENCE_MS = 5000 };

unsigned plan_patience_ms(const struct plan_netdev *n)
{
	return n->is_lost ? PATIENCE_MS : 0;
}

void plan_on_bridge(struct plan_netdev *n, const char *bridge,
		    const struct tap_result *t)
{
	struct rtnl_link l;

	n->lower = NULL;
	if (rtnl_link_get(t->ifname, 0, &l) < 0 || !l.master)
		return; /* a helper that is not QEMU's may leave it alone */
	n->lower = bridge;
	n->lower_index = l.master;
	n->port_index = l.index;
}

int open_bridge(struct plan_netdev *n, struct error *e)
{
	struct tap_result t = TAP_RESULT_NULL;
	struct bridge_opts o = {
		.bridge = spec_str(n->spec, "br"),
		.helper = spec_str(n->spec, "helper"),
		.asks_helper = spec_has(n->spec, "helper"),
		.patience_ms = plan_patience_ms(n),
		.vnet_hdr = plan_vnet_hdr(n),
	};
	int r = bridge_tap_open(&o, &t, e);

	if (r < 0)
		return r;
	log_info(n->log, "%s: interface %s on %s", n->name, t.ifname, o.bridge);
	plan_on_bridge(n, o.bridge, &t);
	plan_tap(n, &t);
	return 0;
}

/* One that is there is somebody's, and would stay with our address. */
static int check_new(const char *ifname, struct error *e)
{
	struct rtnl_link i;
	int r = rtnl_link_get(ifname, 0, &i);

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return error_errno(e, r, "hostif: %s", ifname);
	return error_set(e, EXIT_CONFLICT,
			 "hostif: there is an interface %s already; "
			 "ifname=NAME gives this one another name",
			 ifname);
}

static int add_addresses(struct plan_netdev *n, const struct tap_result *t,
			 struct error *e)
{
	struct msg_tap_add *m = &n->order.tap_add;
	bool is_router = spec_bool(n->spec, "forward");
	size_t k;
	const char *const *list = spec_list(n->spec, "addr", &k);

	for (size_t i = 0; i < k; i++) {
		struct prefix p = {.len = 0};
		int r = hostif_addr_parse(list[i], &p)
				? rtnl_addr_put(t->ifname, &p)
				: -EINVAL;

		if (r < 0 && !addr_is_v4(&p.ip) && !may_have_ipv6())
			return error_set(e, EXIT_USAGE,
					 "hostif: %s: addr=%s: this host has "
					 "IPv6 turned off "
					 "(net.ipv6.conf.default.disable_ipv6)",
					 t->ifname, list[i]);
		if (r < 0)
			return error_errno(e, r, "hostif: %s: addr=%s",
					   t->ifname, list[i]);
		if (!is_router)
			m->host_ip[m->n_host_ip++] = p;
		log_info(n->log, "%s: interface %s, address %s", n->name,
			 t->ifname, list[i]);
	}
	return 0;
}

void hostif_guard(const struct plan_netdev *n, const char *ifname)
{
	int r = guard_link(ifname, spec_bool(n->spec, "forward"));

	if (r < 0)
		log_warn(n->log,
			 "%s: machines can give the host routes by %s: its "
			 "settings cannot be written: %s",
			 n->name, ifname, strerror(-r));
}

static int make_hostif(struct plan_netdev *n, struct tap_result *t,
		       struct error *e)
{
	const char *text = spec_str(n->spec, "mac");
	struct rtnl_link_change c = {.ifname = t->ifname};
	int r;

	if (text && !mac_parse(text, &c.mac))
		return error_set(e, EXIT_USAGE, "hostif: mac=%s", text);
	c.mtu = (uint32_t)spec_u64(n->spec, "mtu");
	r = rtnl_link_set(&c);
	if (r < 0)
		return error_errno(e, r, "hostif: %s", t->ifname);
	hostif_guard(n, t->ifname);
	r = add_addresses(n, t, e);
	if (r < 0)
		return r;
	c = (struct rtnl_link_change){.ifname = t->ifname, .up = true};
	r = rtnl_link_set(&c);
	return r < 0 ? error_errno(e, r, "hostif: %s", t->ifname) : 0;
}

int open_hostif(struct plan_netdev *n, struct error *e)
{
	struct tap_result t = TAP_RESULT_NULL;
	struct tap_opts o = {
		.ifname = spec_str(n->spec, "ifname"),
		.queues = 1,
		.vnet_hdr = plan_vnet_hdr(n),
	};
	int r = spec_has(n->spec, "if") && !spec_has(n->spec, "ifname")
			? 0
			: check_new(o.ifname, e);

	if (r == 0 && spec_has(n->spec, "if"))
		return open_beside(n, e);
	if (r == 0)
		r = tap_open(&o, &t, e);
	if (r == 0)
		r = make_hostif(n, &t, e);
	if (r < 0) {
		tap_result_deinit(&t);
		return r;
	}
	plan_tap(n, &t);
	return 0;
}

int open_packet(struct plan_netdev *n, struct error *e)
{
	struct msg_packet_add *m = &n->order.packet_add;
	struct packet_result p;
	const char *ifname = spec_str(n->spec, "if");
	bool translates = spec_bool(n->spec, "translate");
	int r = packet_open(ifname, !translates, &p, e);

	if (r < 0)
		return r;
	n->lower = ifname;
	n->lower_index = (int)if_nametoindex(ifname);
	n->fds[0] = p.fd;
	n->n_fds = 1;
	m->port = n->id;
	m->lan = n->lan;
	m->mac = p.mac;
	m->translates = translates;
	m->n_host_ip =
		packet_addresses(ifname, m->host_ip, array_len(m->host_ip));
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_PACKET_ADD;
	return 0;
}

void packet_look(struct keeper *k, struct plan_netdev *n)
{
	struct msg_packet_add *m = &n->order.packet_add;
	union engine_msg now = {.packet_host = {.port = n->id}};

	if (n->order.head.type != ENGINE_MSG_PACKET_ADD ||
	    (!m->translates && !m->hides_host))
		return;
	m->n_host_ip = packet_addresses(spec_str(n->spec, "if"), m->host_ip,
					array_len(m->host_ip));
	now.packet_host.n = m->n_host_ip;
	memcpy(now.packet_host.ip, m->host_ip, sizeof(m->host_ip));
	/* If the engine is gone the next one gets them with its order. */
	(void)!engine_link_send(k, &now, ENGINE_MSG_PACKET_HOST, NULL, 0);
}
