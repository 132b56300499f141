/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours by rtnetlink: which MAC an address has on a link; see rtnl.h. */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "os/rtnl.h"
#include "os/rtnl_priv.h"

static struct nlmsghdr *request(char *buf, uint16_t type, int index,
				const addr *ip)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	bool is_v4 = addr_is_v4(ip);
	struct ndmsg *m;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ndm_family = is_v4 ? AF_INET : AF_INET6;
	m->ndm_ifindex = index;
	m->ndm_state = NUD_PERMANENT;
	mnl_attr_put(h, NDA_DST, is_v4 ? 4 : 16, ip->b + (is_v4 ? 12 : 0));
	return h;
}

int rtnl_neighbour_set(int index, const addr *ip, mac m)
{
	char buf[128];
	struct nlmsghdr *h = request(buf, RTM_NEWNEIGH, index, ip);

	h->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	mnl_attr_put(h, NDA_LLADDR, sizeof(m.b), m.b);
	return rtnl_talk(h);
}

int rtnl_neighbour_del(int index, const addr *ip)
{
	char buf[128];

	return rtnl_talk(request(buf, RTM_DELNEIGH, index, ip));
}

int rtnl_neighbour_ask(int index, const addr *ip)
{
	char buf[128];
	struct nlmsghdr *h = request(buf, RTM_NEWNEIGH, index, ip);
	struct ndmsg *m = mnl_nlmsg_get_payload(h);

	m->ndm_state = NUD_NONE;
	m->ndm_flags = NTF_USE;
	return rtnl_talk(h);
}

struct search {
	int index;
	const addr *ip;
	mac mac;
	bool is_found;
};

static void search_again(void *arg)
{
	((struct search *)arg)->is_found = false;
}

struct found {
	const struct nlattr *ip, *mac;
};

static int on_attr(const struct nlattr *a, void *data)
{
	struct found *f = data;

	if (mnl_attr_get_type(a) == NDA_DST)
		f->ip = a;
	else if (mnl_attr_get_type(a) == NDA_LLADDR)
		f->mac = a;
	return MNL_CB_OK;
}

static int on_neighbour(const struct nlmsghdr *h, void *data)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct search *s = data;
	unsigned skip = addr_is_v4(s->ip) ? 12 : 0;
	struct found f = {NULL, NULL};

	if (h->nlmsg_type != RTM_NEWNEIGH ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
	    m->ndm_ifindex != s->index ||
	    m->ndm_state & (NUD_FAILED | NUD_INCOMPLETE | NUD_NOARP))
		return MNL_CB_OK;
	(void)mnl_attr_parse(h, sizeof(*m), on_attr, &f); /* never fails */
	if (!f.ip || !f.mac ||
	    mnl_attr_get_payload_len(f.ip) != sizeof(s->ip->b) - skip ||
	    mnl_attr_get_payload_len(f.mac) != sizeof(s->mac.b) ||
	    memcmp(mnl_attr_get_payload(f.ip), s->ip->b + skip,
		   sizeof(s->ip->b) - skip) != 0)
		return MNL_CB_OK;
	s->mac = mac_bytes(mnl_attr_get_payload(f.mac));
	s->is_found = true;
	return MNL_CB_OK;
}

int rtnl_neighbour_find(int index, const addr *ip, mac *mp)
{
	struct search s = {.index = index, .ip = ip};
	int r = rtnl_dump(RTM_GETNEIGH, on_neighbour, &s, search_again);

	if (r < 0)
		return r;
	if (!s.is_found)
		return -ENOENT;
	*mp = s.mac;
	return 0;
}
