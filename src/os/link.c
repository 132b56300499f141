/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces by rtnetlink; see link.h. */
#include "os/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"

/* Sends one request and waits for the kernel's acknowledgement. */
static int talk(struct nlmsghdr *nlh)
{
	char buf[8192]; /* the acknowledgement quotes the request */
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r = 0;
	ssize_t n;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		r = -errno;
	if (r == 0) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0 || mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq,
					mnl_socket_get_portid(nl), NULL,
					NULL) < 0)
			r = -errno;
	}
	mnl_socket_close(nl);
	return r;
}

int link_set(const struct link_change *c)
{
	char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifm;
	unsigned index = if_nametoindex(c->ifname);

	if (!index)
		return -ENODEV;
	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = AF_UNSPEC;
	ifm->ifi_index = (int)index;
	if (c->up) {
		ifm->ifi_flags = IFF_UP;
		ifm->ifi_change = IFF_UP;
	}
	if (c->txqlen)
		mnl_attr_put_u32(nlh, IFLA_TXQLEN, c->txqlen);
	if (c->mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, c->mtu);
	if (!mac_is_zero(c->mac))
		mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(c->mac.b), c->mac.b);
	return talk(nlh);
}

static int ask(const char *ifname, unsigned long request, struct ifreq *ifr)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*ifr = (struct ifreq){0};
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", ifname);
	return ioctl(fd, request, ifr) < 0 ? -errno : 0;
}

int link_txqlen(const char *ifname)
{
	struct ifreq ifr;
	int r = ask(ifname, SIOCGIFTXQLEN, &ifr);

	return r < 0 ? r : ifr.ifr_qlen;
}

int link_mac(const char *ifname, mac *mp)
{
	struct ifreq ifr;
	int r = ask(ifname, SIOCGIFHWADDR, &ifr);

	if (r == 0)
		memcpy(mp->b, ifr.ifr_hwaddr.sa_data, sizeof(mp->b));
	return r;
}
