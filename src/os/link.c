/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces by rtnetlink; see link.h. */
#include "os/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "os/rtnl.h"
#include "os/rtnl_priv.h"

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
	if (c->all_multi) {
		ifm->ifi_flags |= IFF_ALLMULTI;
		ifm->ifi_change |= IFF_ALLMULTI;
	}
	if (c->no_arp) {
		ifm->ifi_flags |= IFF_NOARP;
		ifm->ifi_change |= IFF_NOARP;
	}
	if (c->master)
		mnl_attr_put_u32(nlh, IFLA_MASTER, c->master);
	if (c->txqlen)
		mnl_attr_put_u32(nlh, IFLA_TXQLEN, c->txqlen);
	if (c->mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, c->mtu);
	if (!mac_is_zero(c->mac))
		mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(c->mac.b), c->mac.b);
	return rtnl_talk(nlh);
}

static void take_kind(const struct nlattr *info, struct link_info *i)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info)
	{
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			snprintf(i->kind, sizeof(i->kind), "%.*s",
				 (int)mnl_attr_get_payload_len(a),
				 mnl_attr_get_str(a));
	}
}

static int take_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;
	struct link_info *i = arg;

	i->index = (unsigned)ifm->ifi_index;
	i->flags = ifm->ifi_flags;
	i->type = ifm->ifi_type;
	mnl_attr_for_each(a, nlh, sizeof(*ifm))
	{
		uint16_t type = mnl_attr_get_type(a);

		if (type == IFLA_MTU)
			i->mtu = mnl_attr_get_u32(a);
		else if (type == IFLA_MASTER)
			i->master = mnl_attr_get_u32(a);
		else if (type == IFLA_LINKINFO)
			take_kind(a, i);
		else if (type == IFLA_ADDRESS &&
			 mnl_attr_get_payload_len(a) == sizeof(i->mac.b))
			i->mac = mac_bytes(mnl_attr_get_payload(a));
	}
	return MNL_CB_STOP;
}

int link_get(const char *ifname, struct link_info *i)
{
	char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifm;

	*i = (struct link_info){.index = 0};
	if (strlen(ifname) >= IFNAMSIZ)
		return -ENODEV;
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = 1;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	return rtnl_exchange(nlh, take_link, i);
}

int link_macvtap_add(const struct link_macvtap *m)
{
	char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifm;
	struct nlattr *info, *data;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags =
		NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	nlh->nlmsg_seq = 1;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, m->ifname);
	mnl_attr_put_u32(nlh, IFLA_LINK, m->lower);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)m->ns);
	if (m->txqlen)
		mnl_attr_put_u32(nlh, IFLA_TXQLEN, m->txqlen);
	if (!mac_is_zero(m->mac))
		mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(m->mac.b), m->mac.b);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "macvtap");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_MACVLAN_MODE, m->mode);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return rtnl_talk(nlh);
}

int link_del(const char *ifname)
{
	char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifm;

	nlh->nlmsg_type = RTM_DELLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	return rtnl_talk(nlh);
}

int link_addr_add(const char *ifname, const struct prefix *p)
{
	char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	bool is_v4 = addr_is_v4(&p->ip);
	const uint8_t *at = is_v4 ? p->ip.b + 12 : p->ip.b;
	size_t len = is_v4 ? 4 : 16;
	struct ifaddrmsg *ifa;
	unsigned index = if_nametoindex(ifname);

	if (!index)
		return -ENODEV;
	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags =
		NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	nlh->nlmsg_seq = 1;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = is_v4 ? AF_INET : AF_INET6;
	ifa->ifa_prefixlen = (uint8_t)(is_v4 ? p->len - 96 : p->len);
	/* Nobody else can have it, and who waits for it waits in vain. */
	ifa->ifa_flags = is_v4 ? 0 : IFA_F_NODAD;
	ifa->ifa_index = index;
	mnl_attr_put(nlh, IFA_LOCAL, len, at);
	mnl_attr_put(nlh, IFA_ADDRESS, len, at);
	if (is_v4 && p->len < 127) {
		addr all = prefix_broadcast(p);

		mnl_attr_put(nlh, IFA_BROADCAST, 4, all.b + 12);
	}
	return rtnl_talk(nlh);
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
