/* SPDX-License-Identifier: BSD-3-Clause */
/* Taps for the tests, see rig_tap.h. */
#include "netdev/rig_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/vnethdr.h"
#include "os/file.h"
#include "os/userns.h"

enum { TAP_MTU = 65535 - 14 };

bool rig_netns_enter(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (unshare(CLONE_NEWNET) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
			print_message("no namespace: %s\n", strerror(errno));
			return false;
		}
		/* Not there, or not allowed: the tests do not depend on it. */
		(void)!userns_map(uid, gid, 0, 0);
	}
	return true;
}

/* An ioctl on the interface, in the namespace we are in. */
static void if_ioctl(const char *name, unsigned long request,
		     struct ifreq *ifr)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	assert_true(fd >= 0);
	if (ioctl(fd, request, ifr) < 0)
		fail_msg("%s: interface ioctl: %s", name, strerror(errno));
}

void rig_lo_enter(void)
{
	struct ifreq ifr = {.ifr_flags = IFF_UP};

	if (rig_netns_enter())
		if_ioctl("lo", SIOCSIFFLAGS, &ifr);
}

static bool tap_fds(struct rig_tap *t, unsigned n, bool vnet_hdr)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int size = VNETHDR_LEN;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", t->name);
	if (vnet_hdr)
		ifr.ifr_flags |= IFF_VNET_HDR;
	if (n > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	for (unsigned i = 0; i < n; i++) {
		int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
			print_message("  no tap here: %s\n", strerror(errno));
			fd_close(&fd);
			while (t->n_fds)
				fd_close(&t->fds[--t->n_fds]);
			return false;
		}
		t->fds[t->n_fds++] = fd;
		if (!vnet_hdr)
			continue;
		assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &size), 0);
		assert_int_equal(ioctl(fd, TUNSETOFFLOAD, offload), 0);
	}
	return true;
}

static void packet_open(struct rig_tap *t)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_ALL),
				.sll_ifindex = t->ifindex};
	int size = 8 << 20;

	t->packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			   htons(ETH_P_ALL));
	assert_true(t->packet >= 0);
	(void)setsockopt(t->packet, SOL_SOCKET, SO_RCVBUFFORCE, &size,
			 sizeof(size));
	assert_int_equal(bind(t->packet, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void link_up(const char *name, bool up)
{
	struct ifreq ifr = {0};

	if_ioctl(name, SIOCGIFFLAGS, &ifr);
	if (up)
		ifr.ifr_flags |= IFF_UP;
	else
		ifr.ifr_flags &= (short)~IFF_UP;
	if_ioctl(name, SIOCSIFFLAGS, &ifr);
}

static void enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

static int here(void)
{
	int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(ns >= 0);
	return ns;
}

bool rig_tap_open(struct rig_tap *t, const char *name, unsigned n_queues,
		  bool vnet_hdr, bool far)
{
	CLEANUP_FD int home = here();
	struct ifreq ifr = {.ifr_mtu = TAP_MTU};
	bool ok;

	*t = (struct rig_tap){.packet = -1, .ns = -1};
	snprintf(t->name, sizeof(t->name), "%s", name);
	if (far) {
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		t->ns = here();
	}
	/* Where it may be written. */
	(void)!file_put("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	ok = tap_fds(t, n_queues, vnet_hdr);
	if (ok) {
		if_ioctl(name, SIOCSIFMTU, &ifr);
		link_up(name, true);
		t->ifindex = (int)if_nametoindex(name);
		packet_open(t);
	}
	if (far)
		enter(home);
	return ok;
}

void rig_tap_close(struct rig_tap *t)
{
	fd_close(&t->packet);
	fd_close(&t->ns);
}

void rig_tap_up(struct rig_tap *t, bool up)
{
	CLEANUP_FD int home = here();

	if (t->ns >= 0)
		enter(t->ns);
	link_up(t->name, up);
	enter(home);
}

void rig_tap_mtu(struct rig_tap *t, int mtu)
{
	struct ifreq ifr = {.ifr_mtu = mtu};

	if_ioctl(t->name, SIOCSIFMTU, &ifr);
}

void rig_tap_remove(struct rig_tap *t)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} req = {
		.h = {.nlmsg_len = sizeof(req),
		      .nlmsg_type = RTM_DELLINK,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.i = {.ifi_index = t->ifindex},
	};
	CLEANUP_FD int home = here();
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[256];
	} ack;
	CLEANUP_FD int fd = -1;

	if (t->ns >= 0)
		enter(t->ns);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, &req, sizeof(req), 0), sizeof(req));
	assert_true(recv(fd, &ack, sizeof(ack), 0) >=
		    (ssize_t)(sizeof(ack.h) + sizeof(int)));
	assert_int_equal(ack.e.error, 0);
	enter(home);
}

bool rig_tap_send(struct rig_tap *t, const void *p, uint32_t len)
{
	return send(t->packet, p, len, 0) == (ssize_t)len;
}

uint32_t rig_tap_recv(struct rig_tap *t, void *p, uint32_t room)
{
	ssize_t n = recv(t->packet, p, room, 0);

	return n > 0 ? (uint32_t)n : 0;
}
