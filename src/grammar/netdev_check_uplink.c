/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules between the keys of the kinds that lead to the host's networks.
 * Called by netdev_check() only. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/uplink_opts.h"

enum {
	HOSTIF_MTU_MIN = 68,    /* RFC 791; IPv6 takes 1280 */
	HOSTIF_MTU_MAX = 65521, /* FRAME_MAX less Ethernet's header */
	HOSTIF_ADDR_MAX = 16,
	AF_XDP_QUEUE_MAX = 65535, /* as the kernel counts a card's */
	ROUTER_LEN_MAX = 30, /* a shorter network has no room for machines */
};

/* The length behind the slash, in the 128-bit form. */
static bool parse_len(const char *text, bool is_v4, uint8_t *lenp)
{
	uint8_t max = is_v4 ? 32 : 128;
	unsigned n = 0;

	if (!*text || strlen(text) > 3 || text[strspn(text, "0123456789")])
		return false;
	for (; *text; text++)
		n = n * 10 + (unsigned)(*text - '0');
	if (n == 0 || n > max)
		return false;
	*lenp = (uint8_t)(is_v4 ? n + 96 : n);
	return true;
}

/* Neither the network's own address nor its broadcast. */
static bool is_host(const struct prefix *p)
{
	struct prefix net = prefix_network(p);
	addr all = prefix_broadcast(p);

	if (!addr_is_unicast(&p->ip))
		return false;
	if (!addr_is_v4(&p->ip) || p->len >= 127)
		return true;
	return !addr_eq(&p->ip, &net.ip) && !addr_eq(&p->ip, &all);
}

bool hostif_addr_parse(const char *text, struct prefix *p)
{
	char ip[ADDR_STRLEN];
	size_t len = strcspn(text, "/");

	if (!text[len] || len >= sizeof(ip))
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	return addr_parse(ip, &p->ip) &&
	       parse_len(text + len + 1, addr_is_v4(&p->ip), &p->len) &&
	       is_host(p);
}

bool uplink_mode_parse(const char *text, enum uplink_mode *mp)
{
	static const char *const names[] = {
		[UPLINK_BRIDGE] = "bridge",
		[UPLINK_VEPA] = "vepa",
		[UPLINK_PRIVATE] = "private",
		[UPLINK_PASSTHRU] = "passthru",
	};

	for (size_t i = 0; i < array_len(names); i++) {
		if (strcmp(names[i], text) == 0) {
			*mp = (enum uplink_mode)i;
			return true;
		}
	}
	return false;
}

int netdev_check_macvtap(const struct netdev_spec *s, struct error *e)
{
	enum uplink_mode mode;
	char q[QUOTE_LEN];

	if (!uplink_mode_parse(spec_str(s, "mode"), &mode))
		return spec_error(s->kind, e,
				  "Parameter 'mode' expects bridge, vepa, "
				  "private or passthru, not '%s'",
				  quote(q, spec_str(s, "mode")));
	if (netdev_check_mac(s, e) < 0)
		return -1;
	return netdev_check_ifname(s, "if", e);
}

int netdev_check_mac(const struct netdev_spec *s, struct error *e)
{
	const char *text = spec_str(s, "mac");
	char q[QUOTE_LEN];
	mac m;

	if (text && !mac_parse(text, &m))
		return spec_error(s->kind, e,
				  "invalid syntax for ethernet address '%s' "
				  "(mac=)",
				  quote(q, text));
	if (text && mac_is_group(m))
		return spec_error(s->kind, e,
				  "NIC cannot have multicast MAC address "
				  "(mac=%s)",
				  quote(q, text));
	return 0;
}

int netdev_check_bridge(const struct netdev_spec *s, struct error *e)
{
	if (!*spec_str(s, "helper"))
		return spec_error(s->kind, e,
				  "Parameter 'helper' may not be empty");
	return netdev_check_ifname(s, "br", e);
}

static int check_mtu(const struct netdev_spec *s, struct error *e)
{
	uint64_t mtu = spec_u64(s, "mtu");

	if (mtu < HOSTIF_MTU_MIN || mtu > HOSTIF_MTU_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'mtu' expects %d to %d",
				  HOSTIF_MTU_MIN, HOSTIF_MTU_MAX);
	return 0;
}

int netdev_check_hostif(const struct netdev_spec *s, struct error *e)
{
	size_t n;
	const char *const *list = spec_list(s, "addr", &n);
	struct prefix p;
	char q[QUOTE_LEN];

	for (size_t i = 0; i < n; i++) {
		if (!hostif_addr_parse(list[i], &p))
			return spec_error(s->kind, e,
					  "Parameter 'addr' expects an address "
					  "of the host and the length of its "
					  "network (192.168.56.1/24), not '%s'",
					  quote(q, list[i]));
	}
	if (n > HOSTIF_ADDR_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'addr' is given more than %d "
				  "times",
				  HOSTIF_ADDR_MAX);
	if (spec_has(s, "if") && (n || spec_bool(s, "forward")))
		return spec_error(s->kind, e,
				  "if= is for the host's addresses on that "
				  "card: leave addr= and forward= out");
	if (check_mtu(s, e) < 0 || netdev_check_mac(s, e) < 0 ||
	    netdev_check_ifname(s, "if", e) < 0)
		return -1;
	return netdev_check_ifname(s, "ifname", e);
}

/* Of a network with room for machines, one of a family. */
static int check_router_addrs(const struct netdev_spec *s, struct error *e)
{
	size_t n, of_family[2] = {0, 0};
	const char *const *list = spec_list(s, "addr", &n);
	struct prefix p;
	char q[QUOTE_LEN];

	for (size_t i = 0; i < n; i++) {
		if (!hostif_addr_parse(list[i], &p) ||
		    p.len > 96 + ROUTER_LEN_MAX || addr_is_link_local6(&p.ip))
			return spec_error(s->kind, e,
					  "Parameter 'addr' expects an address "
					  "of the host and the length of its "
					  "network (10.0.2.2/24), not '%s'",
					  quote(q, list[i]));
		if (of_family[addr_is_v4(&p.ip)]++)
			return spec_error(s->kind, e,
					  "Parameter 'addr' is given twice for "
					  "one family (%s)",
					  quote(q, list[i]));
	}
	return 0;
}

/* Its name is in the firewall's rules too, and in a table's name. */
int netdev_check_router(const struct netdev_spec *s, struct error *e)
{
	const char *br = spec_str(s, "br");
	char q[QUOTE_LEN];

	if (check_router_addrs(s, e) < 0)
		return -1;
	for (const char *c = br; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
			return spec_error(s->kind, e,
					  "Parameter 'br' expects letters, "
					  "digits, '_', '.' and '-', not '%s'",
					  quote(q, br));
	}
	return check_mtu(s, e) < 0 ? -1 : netdev_check_ifname(s, "br", e);
}

int netdev_check_packet(const struct netdev_spec *s, struct error *e)
{
	return netdev_check_ifname(s, "if", e);
}

/* Sockets or a map of another's, of which inhibit=on speaks. */
static int check_af_xdp_given(const struct netdev_spec *s, int queues,
			      struct error *e)
{
	bool has_fds = spec_has(s, "sock-fds");
	bool has_map = spec_has(s, "map-path");
	unsigned n;

	if (has_fds && has_map)
		return spec_error(s->kind, e,
				  "'sock-fds' and 'map-path' are mutually "
				  "exclusive");
	if (spec_bool(s, "inhibit") && !has_fds && !has_map)
		return spec_error(s->kind, e,
				  "'inhibit=on' requires 'sock-fds' or "
				  "'map-path'");
	if (!spec_bool(s, "inhibit") && (has_fds || has_map))
		return spec_error(s->kind, e,
				  "'sock-fds' and 'map-path' require "
				  "'inhibit=on'");
	if (spec_has(s, "map-start-index") && !has_map)
		return spec_error(s->kind, e,
				  "'map-start-index' requires 'map-path'");
	if (spec_int(s, "map-start-index") < 0)
		return spec_error(s->kind, e,
				  "'map-start-index' cannot be negative");
	if (has_map && !*spec_str(s, "map-path"))
		return spec_error(s->kind, e,
				  "Parameter 'map-path' may not be empty");
	if (netdev_check_fds(s, "sock-fds", e) < 0)
		return -1;
	n = spec_fds(s, "sock-fds", NULL, 0);
	if (has_fds && n != (unsigned)queues)
		return spec_error(s->kind, e,
				  "expected %d socket fds, got %u", queues, n);
	return 0;
}

int netdev_check_af_xdp(const struct netdev_spec *s, struct error *e)
{
	const char *mode = spec_str(s, "mode");
	int queues = spec_int(s, "queues"), first = spec_int(s, "start-queue");
	char q[QUOTE_LEN];

	if (mode && strcmp(mode, "native") != 0 && strcmp(mode, "skb") != 0)
		return spec_error(s->kind, e,
				  "Parameter 'mode' does not accept value "
				  "'%s'; it is native or skb",
				  quote(q, mode));
	if (netdev_check_ifname(s, "ifname", e) < 0)
		return -1;
	if (queues < 1)
		return spec_error(s->kind, e,
				  "invalid number of queues (%d) for '%s'",
				  queues, spec_str(s, "ifname"));
	if (queues > NETDEV_QUEUES_MAX)
		return spec_error(s->kind, e, "queues exceeds maximum %d",
				  NETDEV_QUEUES_MAX);
	if (first < 0 || first > AF_XDP_QUEUE_MAX)
		return spec_error(s->kind, e,
				  "Parameter 'start-queue' expects 0 to %d",
				  AF_XDP_QUEUE_MAX);
	return check_af_xdp_given(s, queues, e);
}
