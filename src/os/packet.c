/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet sockets; see packet.h. */
#include "os/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "os/card.h"
#include "os/sock.h"
#include "os/sockaddr.h"

enum { PROTOCOL_RARE = 0x88b5 }; /* IEEE 802: local experiments */

static int make_deaf(int fd)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	const struct sock_fprog deaf = {.len = 1, .filter = nothing};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &deaf,
			  sizeof(deaf)) < 0
		       ? -errno
		       : 0;
}

/* Before it is bound: what it hears is then wanted, and has its header. */
static int set_up(int fd)
{
	int on = 1;

	if (make_deaf(fd) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0)
		return -errno;
	sock_set_buffers(fd); /* 64 KiB frames come in trains */
	return 0;
}

static int join(int fd, int ifindex, uint16_t protocol, bool all_macs)
{
	const struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = ifindex,
	};
	const struct packet_mreq all = {
		.mr_ifindex = ifindex,
		.mr_type = (unsigned short)(all_macs ? PACKET_MR_PROMISC
						     : PACKET_MR_ALLMULTI),
	};

	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all,
		       sizeof(all)) < 0)
		return -errno;
	return 0;
}

int packet_open(const char *ifname, bool all_macs, struct packet_result *p,
		struct error *e)
{
	struct rtnl_link i;
	CLEANUP_FD int fd = -1;
	int r = card_find(ifname, &i, e);

	if (r < 0) {
		error_prefix(e, "packet: ");
		return r;
	}
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && (errno == EPERM || errno == EACCES))
		return error_set(e, EXIT_PERMISSION,
				 "packet: hearing %s takes CAP_NET_RAW (root, "
				 "or setcap cap_net_raw+ep on vmlan)",
				 ifname);
	if (fd < 0)
		return error_errno(e, errno, "packet: %s", ifname);
	r = set_up(fd);
	if (r == 0)
		r = join(fd, i.index, ETH_P_ALL, all_macs);
	if (r < 0)
		return error_errno(e, r, "packet: %s", ifname);
	p->fd = fd_steal(&fd);
	p->mac = i.mac;
	return 0;
}

int packet_watch(int ifindex, int *fdp)
{
	CLEANUP_FD int fd = socket(
		AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : make_deaf(fd);

	/* Of no protocol it would not be told what becomes of the interface. */
	if (r == 0)
		r = join(fd, ifindex, PROTOCOL_RARE, true);
	if (r == 0)
		*fdp = fd_steal(&fd);
	return r;
}

unsigned packet_addresses(const char *ifname, addr *a, unsigned max)
{
	struct ifaddrs *all;
	struct endpoint ep;
	unsigned n = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *i = all; i && n < max; i = i->ifa_next) {
		struct sockaddr_storage s = {0};

		if (!i->ifa_addr || strcmp(i->ifa_name, ifname) != 0)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			memcpy(&s, i->ifa_addr, sizeof(struct sockaddr_in));
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&s, i->ifa_addr, sizeof(struct sockaddr_in6));
		if (sockaddr_to(&s, &ep))
			a[n++] = ep.ip;
	}
	freeifaddrs(all);
	return n;
}
