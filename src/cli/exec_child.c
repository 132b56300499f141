/* SPDX-License-Identifier: BSD-3-Clause */
/* The child of vmlan exec, until it is the program; see exec.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/exec.h"
#include "cli/lease.h"
#include "cli/renew.h"
#include "os/fdpass.h"
#include "os/netwatch.h"
#include "os/ownns.h"
#include "os/rtnl.h"
#include "os/sock.h"
#include "os/sockaddr.h"

static const char ifname[] = "eth0";

enum {
	DHCP_FIRST_MS = 500, /* 500, 1000, 2000, 4000: 7.5 s */
	DHCP_TRIES = 4,
	ADVERTISED_MS = 10000, /* the kernel asks who else has it, twice */
};

/* Frames of the card, once it is there. */
static int open_card(struct error *e)
{
	CLEANUP_FD int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll sa = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};

	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_errno(e, errno, "%s", ifname);
	return fd_steal(&fd);
}

static int set_address(int fd, const struct exec_card *card,
		       const struct lease *l, struct error *e)
{
	const struct rtnl_link_change mtu = {.ifname = ifname, .mtu = l->mtu};
	char ip[ADDR_STRLEN];
	int r = l->mtu ? rtnl_link_set(&mtu) : 0;

	if (r < 0)
		return error_errno(e, r, "%s: mtu %u", ifname, l->mtu);
	r = rtnl_addr_put(ifname, &l->ip);
	if (r < 0)
		return error_errno(e, r, "%s: address %s", ifname,
				   addr_format(&l->ip.ip, ip));
	if (addr_is_v4(&l->ip.ip))
		lease_announce(fd, card->mac, &l->ip.ip);
	if (addr_is_unspecified(&l->router))
		return 0;
	r = ownns_route(ifname, &l->router);
	return r < 0 ? error_errno(e, r, "%s: route by %s", ifname,
				   addr_format(&l->router, ip))
		     : 0;
}

/* True once the card has an address of more than its link that nobody else
 * has. */
static bool has_advertised(void *arg)
{
	struct ifaddrs *all;
	bool found = false;

	(void)arg;
	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		struct sockaddr_storage ss = {0};
		struct endpoint own;

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET6 ||
		    strcmp(i->ifa_name, ifname) != 0)
			continue;
		memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in6));
		found = sockaddr_to(&ss, &own) &&
			!addr_is_link_local6(&own.ip) &&
			sock_has_address(&own.ip);
	}
	freeifaddrs(all);
	return found;
}

static int await_advertised(struct error *e)
{
	int r = netwatch_await(has_advertised, NULL, ADVERTISED_MS);

	if (r == -ETIMEDOUT)
		error_set(e, EXIT_FAILED,
			  "nobody advertises an IPv6 prefix to choose an "
			  "address of on this network; give one by "
			  "ip=ADDRESS/LENGTH, or ip=none");
	else if (r < 0)
		error_errno(e, r, "%s", ifname);
	return r;
}

/* The host's names are not this network's. */
static int set_names(const struct exec_child *c, const struct exec_card *card,
		     const struct lease *l, struct error *e)
{
	static const char path[] = "/etc/resolv.conf";
	char text[2 * LEASE_TEXT_LEN];
	int r;

	lease_resolv_conf(l, c->network, text);
	r = ownns_cover(path, text, card->dir);
	/* No file: nobody reads the host's. */
	if (r < 0 && r != -ENOENT)
		return error_errno(e, r, "%s", path);
	return 0;
}

static int tell(const struct exec_child *c, const struct exec_news *news,
		const int *fd)
{
	return fd_send(c->sock, news, sizeof(*news), fd, fd ? 1 : 0);
}

/* Whoever waits for our end renews it. */
static int tell_lease(const struct exec_child *c, const struct lease *l,
		      struct error *e)
{
	const struct exec_news news = {
		.error = ERROR_NULL, .has_lease = true, .lease = *l};
	CLEANUP_FD int fd = renewal_socket(ifname);

	if (fd < 0)
		return error_errno(e, fd, "DHCP");
	if (tell(c, &news, &fd) < 0)
		_exit(EXIT_RUN_FAILED); /* nobody waits any more */
	return 0;
}

static int set_up(const struct exec_child *c, const struct exec_card *card,
		  struct error *e)
{
	CLEANUP_FD int fd = open_card(e);
	struct lease l = {.ip = c->ip};
	const struct lease_args a = {
		.fd = fd,
		.mac = card->mac,
		.hostname = card->machine,
		.first_ms = DHCP_FIRST_MS,
		.tries = DHCP_TRIES,
	};
	int r = 0;

	if (fd < 0)
		return fd;
	if (c->how == EXEC_IP_DHCP)
		r = lease_ask(&a, &l, e);
	else if (c->how == EXEC_IP_ADVERTISED)
		r = await_advertised(e);
	if (!addr_is_unspecified(&c->dns))
		l.dns[l.n_dns++] = c->dns;
	if (r == 0 && (c->how == EXEC_IP_DHCP || c->how == EXEC_IP_STATIC))
		r = set_address(fd, card, &l, e);
	if (r == 0 && c->how == EXEC_IP_DHCP)
		r = tell_lease(c, &l, e);
	return r < 0 ? r : set_names(c, card, &l, e);
}

static int await_card(const struct exec_child *c, struct exec_card *card)
{
	ssize_t n;

	do {
		n = recv(c->sock, card, sizeof(*card), 0);
	} while (n < 0 && errno == EINTR);
	return n == sizeof(*card) ? 0 : -1;
}

/* Only if it could not be executed. */
static void become(const struct exec_child *c, struct error *e)
{
	int err;

	sigprocmask(SIG_SETMASK, &c->signals, NULL);
	execvp(c->argv[0], c->argv);
	err = errno;
	error_set(e, err == ENOENT ? EXIT_RUN_NOT_FOUND : EXIT_RUN_CANNOT,
		  err == ENOENT ? "%s: not found; is it installed? (%s)"
				: "%s: cannot be executed: %s",
		  c->argv[0], strerror(err));
}

_Noreturn void exec_child(struct exec_child *c)
{
	struct exec_news news = {.error = ERROR_NULL};
	struct exec_card card;
	int r;

	/* Nothing is to be undone: the kernel does, when we end. */
	sigprocmask(SIG_SETMASK, &c->signals, NULL);
	r = ownns_enter(&news.error);
	if (r == 0 && (tell(c, &news, NULL) < 0 || await_card(c, &card) < 0))
		_exit(EXIT_RUN_FAILED); /* the parent knows why */
	if (r == 0)
		r = set_up(c, &card, &news.error);
	if (r == 0)
		become(c, &news.error);
	if (news.error.code < EXIT_RUN_FAILED)
		news.error.code = EXIT_RUN_FAILED;
	(void)!tell(c, &news, NULL); /* nobody else to tell */
	_exit(news.error.code);
}
