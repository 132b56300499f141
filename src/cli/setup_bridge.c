/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bridge that takes an interface's place: what moves, and in which order.
 *
 * The host has its address at every moment.  The bridge gets all addresses
 * while the interface has them too, and routes behind the interface's; only
 * when both are complete does the interface lose its own.  Frames reach the
 * host by the bridge from the moment that the interface is plugged in, and can
 * leave by either.  The bridge has the interface's MAC, so neighbours and the
 * DHCP server see no difference.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/setup.h"
#include "os/change.h"
#include "os/may.h"
#include "os/sysctl.h"

enum { FILE_MAX = 4096 };

/* ---- what there is ---- */

/* A small file as text; false if it cannot be read. */
static bool slurp(const char *path, char *text)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, FILE_MAX - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

/* A line of the text is this one. */
static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	while (text) {
		if (strncmp(text, line, len) == 0 &&
		    (text[len] == '\n' || !text[len]))
			return true;
		text = strchr(text, '\n');
		text += !!text;
	}
	return false;
}

/* Interfaces of a kind that no bridge is made of. */
static int check_kind(const struct rtnl_link *l, struct error *e)
{
	if (l->flags & IFF_LOOPBACK)
		return error_set(e, EXIT_USAGE,
				 "setup: %s is the loopback: nothing is "
				 "plugged in there",
				 l->name);
	if (strcmp(l->kind, "bridge") == 0)
		return error_set(e, EXIT_USAGE,
				 "setup: %s is a bridge already: machines can "
				 "be put on it as it is",
				 l->name);
	if (l->type != ARPHRD_ETHER)
		return error_set(e, EXIT_USAGE,
				 "setup: %s carries no Ethernet frames, and a "
				 "bridge nothing else",
				 l->name);
	if (link_is_wireless(l->name))
		return error_set(e, EXIT_USAGE,
				 "setup: %s is Wi-Fi, where each station has "
				 "one MAC address: a bridge cannot work; put "
				 "machines on it by --net bridged,if=%s",
				 l->name, l->name);
	return 0;
}

static int check_master(const struct rtnl_link *l, struct error *e)
{
	struct rtnl_link master;

	if (!l->master)
		return 0;
	if (rtnl_link_get(NULL, l->master, &master) < 0)
		master = (struct rtnl_link){.name = "another one"};
	return error_set(e, EXIT_CONFLICT,
			 "setup: %s is plugged into %s already%s", l->name,
			 master.name,
			 strcmp(master.kind, "bridge") == 0
				 ? ": machines can be put on that"
				 : "");
}

/* As the kernel says of a name; '%' would make it choose one. */
static int check_name(const char *name, struct error *e)
{
	struct rtnl_link l;

	if (!*name || strlen(name) >= IFNAMSIZ || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0 || strpbrk(name, "/:% \t\n\r\v\f"))
		return error_set(e, EXIT_USAGE,
				 "setup: '%s' cannot be an interface's name",
				 name);
	if (rtnl_link_get(name, 0, &l) == 0)
		return error_set(e, EXIT_CONFLICT,
				 "setup: there is an interface %s already; "
				 "give the bridge another name by --name",
				 name);
	return 0;
}

/* Those that others go by come first. */
static void sort_routes(struct setup_bridge *b)
{
	int first = 0;

	for (int i = 0; i < b->n_routes; i++) {
		struct rtnl_route t = b->routes[i];

		if (rtnl_route_has_gateway(&t))
			continue;
		memmove(&b->routes[first + 1], &b->routes[first],
			(size_t)(i - first) * sizeof(t));
		b->routes[first++] = t;
	}
}

static int read_routes(struct setup_bridge *b, struct error *e)
{
	char text[RTNL_ROUTE_STRLEN];
	int n = rtnl_route_list(b->link.index, &b->routes);

	if (n == -E2BIG)
		return error_set(e, EXIT_FAILED,
				 "setup: a route by %s has so many nexthops "
				 "that it cannot be moved",
				 b->ifname);
	if (n < 0)
		return error_errno(e, n, "setup: routes by %s", b->ifname);
	b->n_routes = n;
	for (int i = 0; i < n; i++) {
		if (rtnl_route_has_nexthop_id(&b->routes[i]))
			return error_set(e, EXIT_FAILED,
					 "setup: the route '%s' by %s uses a "
					 "nexthop object and cannot be moved",
					 rtnl_route_format(&b->routes[i], text),
					 b->ifname);
	}
	sort_routes(b);
	return 0;
}

int setup_bridge_plan(struct setup_bridge *b, struct error *e)
{
	int r = rtnl_link_get(b->ifname, 0, &b->link);

	if (r == -ENODEV)
		return error_set(e, EXIT_NO_OBJECT,
				 "setup: there is no interface '%s'",
				 b->ifname);
	if (r < 0)
		return error_errno(e, r, "setup: %s", b->ifname);
	r = check_kind(&b->link, e);
	if (r == 0)
		r = check_master(&b->link, e);
	if (r == 0)
		r = check_name(b->bridge, e);
	if (r < 0)
		return r;
	b->n_addrs = rtnl_addr_list(b->link.index, &b->addrs);
	if (b->n_addrs < 0)
		return error_errno(e, b->n_addrs, "setup: addresses of %s",
				   b->ifname);
	return read_routes(b, e);
}

void setup_bridge_deinit(struct setup_bridge *b)
{
	free(b->addrs);
	free(b->routes);
	b->addrs = NULL;
	b->routes = NULL;
}

/* ---- saying it ---- */

static bool is_managed(const char *folder, int index, const char *const *lines)
{
	char path[96], text[FILE_MAX];

	snprintf(path, sizeof(path), "%s/%d", folder, index);
	if (!slurp(path, text))
		return false;
	for (; *lines; lines++) {
		if (has_line(text, *lines))
			return true;
	}
	return false;
}

/* Who else has a hand on the interface. */
static void print_managers(const struct setup_bridge *b)
{
	static const char *const nm[] = {"managed=true", "managed=full", NULL};
	static const char *const networkd[] = {"ADMIN_STATE=configured",
					       "ADMIN_STATE=configuring", NULL};
	char text[RTNL_ADDR_STRLEN];

	if (is_managed("/run/NetworkManager/devices", b->link.index, nm))
		fprintf(stderr,
			"vmlan: warning: NetworkManager manages %s and may "
			"undo this: let it make the bridge (nmcli connection "
			"add type bridge ifname %s), or keep it off %s "
			"(unmanaged-devices= in NetworkManager.conf)\n",
			b->ifname, b->bridge, b->ifname);
	if (is_managed("/run/systemd/netif/links", b->link.index, networkd))
		fprintf(stderr,
			"vmlan: warning: systemd-networkd manages %s and may "
			"undo this: let it make the bridge (Bridge=%s in its "
			".network file), or keep it off %s (Unmanaged=yes "
			"there)\n",
			b->ifname, b->bridge, b->ifname);
	for (int i = 0; i < b->n_addrs; i++) {
		if (b->addrs[i].valid_s == RTNL_FOREVER)
			continue;
		fprintf(stderr,
			"vmlan: warning: %s is lent to %s for %u s more: %s "
			"keeps it for good; have whoever renews it do so on "
			"%s\n",
			rtnl_addr_format(&b->addrs[i], text), b->ifname,
			b->addrs[i].valid_s, b->bridge, b->bridge);
	}
}

void setup_bridge_print(const struct setup_bridge *b)
{
	char text[RTNL_ROUTE_STRLEN], mac_text[MAC_STRLEN];
	const char *gap = "";

	printf("vmlan will\n"
	       "  make the bridge %s with the MAC address of %s, %s\n",
	       b->bridge, b->ifname, mac_format(b->link.mac, mac_text));
	if (!(b->link.flags & IFF_UP))
		printf("  set %s up\n", b->ifname);
	printf("  plug %s into %s\n", b->ifname, b->bridge);
	if (b->n_addrs) {
		printf("  move to %s the address%s", b->bridge,
		       b->n_addrs > 1 ? "es" : "");
		for (int i = 0; i < b->n_addrs; i++) {
			printf("%s %s", gap,
			       rtnl_addr_format(&b->addrs[i], text));
			gap = ",";
		}
		printf("\n");
	}
	for (int i = 0; i < b->n_routes; i++)
		printf("  move to %s the route %s\n", b->bridge,
		       rtnl_route_format(&b->routes[i], text));
	fflush(stdout);
	print_managers(b);
}

/* ---- doing it ---- */

/* Settings of the interface that are meant for the host behind it.  They go
 * with the bridge, so nothing of this is to be undone; a kernel without one
 * does without it. */
static void copy_settings(const char *from, const char *to)
{
	static const char *const names[] = {
		"ipv4/conf/%s/rp_filter",    "ipv4/conf/%s/forwarding",
		"ipv4/conf/%s/arp_ignore",   "ipv4/conf/%s/arp_announce",
		"ipv6/conf/%s/disable_ipv6", "ipv6/conf/%s/accept_ra",
		"ipv6/conf/%s/autoconf",     "ipv6/conf/%s/use_tempaddr",
		"ipv6/conf/%s/forwarding",   "ipv6/conf/%s/addr_gen_mode",
	};

	for (size_t i = 0; i < array_len(names); i++) {
		int cut = (int)strcspn(names[i], "%");
		const char *rest = names[i] + cut + 2;
		char a[UNDO_SYSCTL_LEN], b[UNDO_SYSCTL_LEN];
		char value[UNDO_VALUE_LEN];

		snprintf(a, sizeof(a), "net/%.*s%s%s", cut, names[i], from,
			 rest);
		snprintf(b, sizeof(b), "net/%.*s%s%s", cut, names[i], to, rest);
		if (sysctl_get(a, value, sizeof(value)) == 0)
			(void)!sysctl_set(b, value); /* as said above */
	}
}

/* The same address on the bridge.  Its life has no end there, for the host
 * shall not lose it if nobody renews it. */
static struct rtnl_addr on_bridge(const struct setup_bridge *b,
				  const struct rtnl_addr *a, int index)
{
	struct rtnl_addr x = *a;
	const char *suffix = strchr(a->label, ':');
	size_t len = strlen(b->bridge);

	x.index = index;
	x.valid_s = x.preferred_s = RTNL_FOREVER;
	x.label[0] = '\0';
	if (suffix && len + strlen(suffix) < sizeof(x.label)) {
		memcpy(x.label, b->bridge, len);
		memcpy(x.label + len, suffix, strlen(suffix) + 1);
	}
	return x;
}

static int make_link(const struct setup_bridge *b, struct journal *j,
		     int *indexp, struct error *e)
{
	const struct rtnl_link_new n = {
		.name = b->bridge,
		.kind = "bridge",
		.mac = b->link.mac,
	};
	int r = change_link_add(j, &n, indexp, e);

	if (r < 0)
		return r;
	copy_settings(b->ifname, b->bridge);
	r = change_link_up(j, *indexp, true, e);
	for (int i = 0; i < b->n_addrs && r == 0; i++) {
		const struct rtnl_addr a = on_bridge(b, &b->addrs[i], *indexp);

		r = change_addr_add(j, &a, e);
	}
	return r;
}

int setup_bridge_make(const struct setup_bridge *b, struct journal *j,
		      struct error *e)
{
	const int from = b->link.index;
	int index = 0;
	int r = make_link(b, j, &index, e);

	if (r == 0)
		r = change_link_up(j, from, true, e);
	if (r == 0)
		r = change_link_master(j, from, index, e);
	for (int i = 0; i < b->n_routes && r == 0; i++) {
		const struct rtnl_route t =
			rtnl_route_by(&b->routes[i], from, index);

		r = change_route_add(j, &t, e);
	}
	/* The other way round, so that undoing finds the right order. */
	for (int i = b->n_routes - 1; i >= 0 && r == 0; i--)
		r = change_route_del(j, &b->routes[i], e);
	/* Secondary addresses would go with the first one of their network. */
	for (int i = b->n_addrs - 1; i >= 0 && r == 0; i--)
		r = change_addr_del(j, &b->addrs[i], e);
	return r;
}
