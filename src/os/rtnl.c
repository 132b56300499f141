/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses by rtnetlink, and what all share; see rtnl.h. */
#include "os/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/rtnl_priv.h"

enum {
	DUMP_TRIES = 5,  /* of one that changes while it is read */
	BUF_LEN = 32768, /* as the kernel's longest piece of a dump */
};

int rtnl_exchange(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	CLEANUP_FREE char *buf = NULL;
	unsigned port;
	int r = 0;

	if (!nl)
		return -errno;
	buf = malloc(BUF_LEN);
	if (!buf)
		r = -ENOMEM;
	else if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
		 mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		r = -errno;
	port = mnl_socket_get_portid(nl);
	while (r == 0) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, BUF_LEN);
		int more;

		if (n < 0 && errno == EINTR)
			continue;
		more = n < 0 ? -1
			     : mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq, port,
					  cb, arg);
		if (more < 0)
			r = -errno;
		else if (more == MNL_CB_STOP)
			break;
	}
	mnl_socket_close(nl);
	return r;
}

int rtnl_talk(struct nlmsghdr *nlh)
{
	return rtnl_exchange(nlh, NULL, NULL);
}

int rtnl_dump(uint16_t type, mnl_cb_t cb, void *arg, void (*again)(void *))
{
	char buf[64];
	int r = -EINTR;

	for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
		struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
		struct rtgenmsg *m;

		h->nlmsg_type = type;
		h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		h->nlmsg_seq = (unsigned)i + 1;
		m = mnl_nlmsg_put_extra_header(h, sizeof(struct rtmsg));
		m->rtgen_family = AF_UNSPEC;
		again(arg);
		r = rtnl_exchange(h, cb, arg);
	}
	return r;
}

/* What can be asked for; the rest is the kernel's to say. */
#define ADDR_FLAGS                                                             \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |              \
	 IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

struct addr_found {
	struct rtnl_addr a;
	bool has_local, has_peer;
};

static bool get_ip(const struct nlattr *a, uint8_t family, addr *ip)
{
	if (family == AF_INET && mnl_attr_get_payload_len(a) == 4)
		*ip = addr_v4_bytes(mnl_attr_get_payload(a));
	else if (family == AF_INET6 &&
		 mnl_attr_get_payload_len(a) == sizeof(ip->b))
		memcpy(ip->b, mnl_attr_get_payload(a), sizeof(ip->b));
	else
		return false;
	return true;
}

static void get_lifetimes(const struct nlattr *a, struct rtnl_addr *x)
{
	struct ifa_cacheinfo c;

	if (mnl_attr_get_payload_len(a) < sizeof(c))
		return;
	memcpy(&c, mnl_attr_get_payload(a), sizeof(c));
	x->valid_s = c.ifa_valid;
	x->preferred_s = c.ifa_prefered;
}

static int on_addr_attr(const struct nlattr *a, void *data)
{
	struct addr_found *f = data;
	struct rtnl_addr *x = &f->a;

	switch (mnl_attr_get_type(a)) {
	case IFA_LOCAL:
		f->has_local = get_ip(a, x->family, &x->local);
		break;
	case IFA_ADDRESS:
		f->has_peer = get_ip(a, x->family, &x->peer);
		break;
	case IFA_BROADCAST:
		(void)get_ip(a, x->family, &x->broadcast); /* or none */
		break;
	case IFA_LABEL:
		if (mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(x->label, sizeof(x->label), "%s",
				 mnl_attr_get_str(a));
		break;
	case IFA_FLAGS:
		if (mnl_attr_get_payload_len(a) == sizeof(uint32_t))
			x->flags = mnl_attr_get_u32(a) & ADDR_FLAGS;
		break;
	case IFA_RT_PRIORITY:
		if (mnl_attr_get_payload_len(a) == sizeof(uint32_t))
			x->metric = mnl_attr_get_u32(a);
		break;
	case IFA_PROTO:
		if (mnl_attr_get_payload_len(a) == sizeof(uint8_t))
			x->proto = mnl_attr_get_u8(a);
		break;
	case IFA_CACHEINFO:
		get_lifetimes(a, x);
		break;
	default: /* nothing of ours */
		break;
	}
	return MNL_CB_OK;
}

struct addr_list {
	int index;
	struct rtnl_addr *v; /* owned */
	unsigned n;
};

static void addr_list_again(void *arg)
{
	struct addr_list *l = arg;

	l->n = 0;
}

static int on_addr(const struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct addr_found f = {.has_local = false};
	struct addr_list *l = data;
	struct rtnl_addr *more;

	if (h->nlmsg_type != RTM_NEWADDR ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
	    (int)m->ifa_index != l->index)
		return MNL_CB_OK;
	f.a = (struct rtnl_addr){
		.index = l->index,
		.family = m->ifa_family,
		.prefix_len = m->ifa_prefixlen,
		.scope = m->ifa_scope,
		.flags = m->ifa_flags & ADDR_FLAGS,
		.valid_s = RTNL_FOREVER,
		.preferred_s = RTNL_FOREVER,
	};
	(void)mnl_attr_parse(h, sizeof(*m), on_addr_attr, &f); /* never fails */
	if (!f.has_local)
		f.a.local = f.a.peer;
	if (!f.has_peer)
		f.a.peer = f.a.local;
	if ((!f.has_local && !f.has_peer) ||
	    (m->ifa_family == AF_INET6 && m->ifa_scope == RT_SCOPE_LINK))
		return MNL_CB_OK;
	more = reallocarray(l->v, l->n + 1, sizeof(*more));
	if (!more) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	l->v = more;
	l->v[l->n++] = f.a;
	return MNL_CB_OK;
}

int rtnl_addr_list(int index, struct rtnl_addr **vp)
{
	struct addr_list l = {.index = index};
	int r = rtnl_dump(RTM_GETADDR, on_addr, &l, addr_list_again);

	if (r < 0) {
		free(l.v);
		return r;
	}
	*vp = l.v;
	return (int)l.n;
}

static void put_ip(struct nlmsghdr *h, uint16_t type, uint8_t family,
		   const addr *ip)
{
	if (family == AF_INET)
		mnl_attr_put(h, type, 4, ip->b + 12);
	else
		mnl_attr_put(h, type, sizeof(ip->b), ip->b);
}

static struct nlmsghdr *addr_request(char *buf, uint16_t type,
				     const struct rtnl_addr *a)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *m;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = a->family;
	m->ifa_prefixlen = a->prefix_len;
	m->ifa_scope = a->scope;
	m->ifa_index = (unsigned)a->index;
	put_ip(h, IFA_LOCAL, a->family, &a->local);
	put_ip(h, IFA_ADDRESS, a->family, &a->peer);
	if (a->label[0])
		mnl_attr_put_strz(h, IFA_LABEL, a->label);
	return h;
}

int rtnl_addr_add(const struct rtnl_addr *a, bool replace)
{
	const struct ifa_cacheinfo c = {
		.ifa_valid = a->valid_s,
		.ifa_prefered = a->preferred_s,
	};
	char buf[512];
	struct nlmsghdr *h = addr_request(buf, RTM_NEWADDR, a);

	h->nlmsg_flags |= NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL);
	mnl_attr_put_u32(h, IFA_FLAGS, a->flags);
	if (!addr_is_unspecified(&a->broadcast))
		put_ip(h, IFA_BROADCAST, a->family, &a->broadcast);
	if (a->metric)
		mnl_attr_put_u32(h, IFA_RT_PRIORITY, a->metric);
	if (a->proto)
		mnl_attr_put_u8(h, IFA_PROTO, a->proto);
	if (a->valid_s != RTNL_FOREVER || a->preferred_s != RTNL_FOREVER)
		mnl_attr_put(h, IFA_CACHEINFO, sizeof(c), &c);
	return rtnl_talk(h);
}

struct rtnl_addr rtnl_addr_of(int index, const struct prefix *p)
{
	const bool is_v4 = addr_is_v4(&p->ip);

	return (struct rtnl_addr){
		.index = index,
		.family = is_v4 ? AF_INET : AF_INET6,
		.prefix_len = (uint8_t)prefix_len(p),
		.local = p->ip,
		.peer = p->ip,
		/* Two addresses have none (RFC 3021). */
		.broadcast = is_v4 && p->len < 127 ? prefix_broadcast(p)
						   : (addr){{0}},
		.valid_s = RTNL_FOREVER,
		.preferred_s = RTNL_FOREVER,
	};
}

int rtnl_addr_put(const char *ifname, const struct prefix *p)
{
	struct rtnl_addr a = rtnl_addr_of((int)if_nametoindex(ifname), p);

	if (!a.index)
		return -ENODEV;
	/* Nobody else can have it, and who waits for it waits in vain. */
	if (a.family == AF_INET6)
		a.flags = IFA_F_NODAD;
	return rtnl_addr_add(&a, false);
}

int rtnl_addr_del(const struct rtnl_addr *a)
{
	char buf[256];

	return rtnl_talk(addr_request(buf, RTM_DELADDR, a));
}

const char *rtnl_addr_format(const struct rtnl_addr *a, char *buf)
{
	char ip[ADDR_STRLEN];

	snprintf(buf, RTNL_ADDR_STRLEN, "%s/%u", addr_format(&a->local, ip),
		 a->prefix_len);
	return buf;
}
