/* SPDX-License-Identifier: BSD-3-Clause */
/* Links by rtnetlink; see rtnl.h. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "os/rtnl.h"
#include "os/rtnl_priv.h"

enum {
	/* The kernel counts from 1 and gets nowhere near. */
	INDEX_LEAST = 1 << 20,
	INDEX_SPAN = 1 << 24,
};

static struct nlmsghdr *link_request(char *buf, uint16_t type, int index)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = index;
	return h;
}

static int on_link_info(const struct nlattr *a, void *data)
{
	struct rtnl_link *l = data;

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND &&
	    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
		snprintf(l->kind, sizeof(l->kind), "%s", mnl_attr_get_str(a));
	return MNL_CB_OK;
}

static int on_link_xdp(const struct nlattr *a, void *data)
{
	struct rtnl_link *l = data;

	if (mnl_attr_get_type(a) == IFLA_XDP_ATTACHED &&
	    mnl_attr_get_payload_len(a) == sizeof(l->xdp))
		l->xdp = mnl_attr_get_u8(a);
	return MNL_CB_OK;
}

static int on_link_attr(const struct nlattr *a, void *data)
{
	struct rtnl_link *l = data;

	switch (mnl_attr_get_type(a)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(l->name, sizeof(l->name), "%s",
				 mnl_attr_get_str(a));
		break;
	case IFLA_MASTER:
		if (mnl_attr_get_payload_len(a) == sizeof(uint32_t))
			l->master = (int)mnl_attr_get_u32(a);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(a) == sizeof(l->mac.b))
			memcpy(l->mac.b, mnl_attr_get_payload(a),
			       sizeof(l->mac.b));
		break;
	case IFLA_MTU:
		if (mnl_attr_get_payload_len(a) == sizeof(uint32_t))
			l->mtu = mnl_attr_get_u32(a);
		break;
	case IFLA_TXQLEN:
		if (mnl_attr_get_payload_len(a) == sizeof(uint32_t))
			l->txqlen = mnl_attr_get_u32(a);
		break;
	case IFLA_LINKINFO:
		/* Never fails, as on_link_info() does not. */
		(void)mnl_attr_parse_nested(a, on_link_info, l);
		break;
	case IFLA_XDP:
		(void)mnl_attr_parse_nested(a, on_link_xdp, l); /* so too */
		break;
	default: /* nothing of ours */
		break;
	}
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *h, void *data)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct rtnl_link *l = data;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	l->index = m->ifi_index;
	l->flags = m->ifi_flags;
	l->type = m->ifi_type;
	(void)mnl_attr_parse(h, sizeof(*m), on_link_attr, l); /* as above */
	return MNL_CB_OK;
}

int rtnl_link_get(const char *name, int index, struct rtnl_link *l)
{
	char buf[256];
	struct nlmsghdr *h;
	int r;

	*l = (struct rtnl_link){0};
	if (name && (!*name || strlen(name) >= IFNAMSIZ))
		return -ENODEV;
	h = link_request(buf, RTM_GETLINK, name ? 0 : index);
	if (name)
		mnl_attr_put_strz(h, IFLA_IFNAME, name);
	r = rtnl_exchange(h, on_link, l);
	if (r == 0 && !l->index)
		r = -ENODEV;
	return r;
}

int rtnl_index_new(void)
{
	uint32_t x = 0;

	/* A number that is taken is refused by the kernel; 0 would be too. */
	(void)!getrandom(&x, sizeof(x), 0);
	return INDEX_LEAST + (int)(x % INDEX_SPAN);
}

static void put_kind_data(struct nlmsghdr *h, const struct rtnl_link_new *n)
{
	struct nlattr *data, *peer;
	struct ifinfomsg *m;

	if (!n->peer && !n->macvlan)
		return;
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	if (n->peer) {
		peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
		m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
		m->ifi_family = AF_UNSPEC;
		mnl_attr_put_strz(h, IFLA_IFNAME, n->peer);
		mnl_attr_nest_end(h, peer);
	} else {
		mnl_attr_put_u32(h, IFLA_MACVLAN_MODE, n->macvlan);
	}
	mnl_attr_nest_end(h, data);
}

int rtnl_link_add(const struct rtnl_link_new *n)
{
	char buf[1024];
	struct nlmsghdr *h = link_request(buf, RTM_NEWLINK, n->index);
	struct nlattr *info;

	if (strlen(n->name) >= IFNAMSIZ || strlen(n->kind) >= RTNL_KIND_LEN ||
	    (n->peer && strlen(n->peer) >= IFNAMSIZ))
		return -EINVAL;
	h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(h, IFLA_IFNAME, n->name);
	if (!mac_is_zero(n->mac))
		mnl_attr_put(h, IFLA_ADDRESS, sizeof(n->mac.b), n->mac.b);
	if (n->lower)
		mnl_attr_put_u32(h, IFLA_LINK, (uint32_t)n->lower);
	if (n->txqlen)
		mnl_attr_put_u32(h, IFLA_TXQLEN, n->txqlen);
	if (n->netns > 0)
		mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)n->netns);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, n->kind);
	put_kind_data(h, n);
	mnl_attr_nest_end(h, info);
	return rtnl_talk(h);
}

int rtnl_link_del(int index)
{
	char buf[64];

	/* Index 0 would be all links of group 0. */
	if (index <= 0)
		return -ENODEV;
	return rtnl_talk(link_request(buf, RTM_DELLINK, index));
}

static int set_u32(int index, uint16_t attr, uint32_t value)
{
	char buf[64];
	struct nlmsghdr *h = link_request(buf, RTM_SETLINK, index);

	if (index <= 0)
		return -ENODEV;
	mnl_attr_put_u32(h, attr, value);
	return rtnl_talk(h);
}

int rtnl_link_set_master(int index, int master)
{
	return set_u32(index, IFLA_MASTER, (uint32_t)master);
}

int rtnl_link_set_up(int index, bool up)
{
	char buf[64];
	struct nlmsghdr *h = link_request(buf, RTM_SETLINK, index);
	struct ifinfomsg *m = mnl_nlmsg_get_payload(h);

	if (index <= 0)
		return -ENODEV;
	m->ifi_flags = up ? IFF_UP : 0;
	m->ifi_change = IFF_UP;
	return rtnl_talk(h);
}

int rtnl_lo_up(void)
{
	struct rtnl_link lo;
	int r = rtnl_link_get("lo", 0, &lo);

	return r < 0 ? r : rtnl_link_set_up(lo.index, true);
}

static void put_flags(struct ifinfomsg *m, const struct rtnl_link_change *c)
{
	m->ifi_flags = (c->up ? IFF_UP : 0u) |
		       (c->all_multi ? IFF_ALLMULTI : 0u) |
		       (c->no_arp ? IFF_NOARP : 0u);
	m->ifi_change = m->ifi_flags;
}

int rtnl_link_set(const struct rtnl_link_change *c)
{
	char buf[256];
	int index = (int)if_nametoindex(c->ifname);
	struct nlmsghdr *h = link_request(buf, RTM_NEWLINK, index);

	if (!index)
		return -ENODEV;
	put_flags(mnl_nlmsg_get_payload(h), c);
	if (c->master)
		mnl_attr_put_u32(h, IFLA_MASTER, (uint32_t)c->master);
	if (c->txqlen)
		mnl_attr_put_u32(h, IFLA_TXQLEN, c->txqlen);
	if (c->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, c->mtu);
	if (!mac_is_zero(c->mac))
		mnl_attr_put(h, IFLA_ADDRESS, sizeof(c->mac.b), c->mac.b);
	return rtnl_talk(h);
}

int rtnl_link_set_netns(int index, pid_t pid)
{
	return set_u32(index, IFLA_NET_NS_PID, (uint32_t)pid);
}
