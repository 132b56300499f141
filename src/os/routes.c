/* SPDX-License-Identifier: BSD-3-Clause */
/* The host's routes; see routes.h. */
#include "os/routes.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/rtnl_priv.h"

struct found {
	struct prefix *v; /* owned */
	unsigned n;
};

/* What is looked at. */
struct attrs {
	const struct nlattr *dst, *gateway;
};

static int on_attr(const struct nlattr *a, void *data)
{
	struct attrs *as = data;

	if (mnl_attr_get_type(a) == RTA_DST)
		as->dst = a;
	else if (mnl_attr_get_type(a) == RTA_GATEWAY)
		as->gateway = a;
	return MNL_CB_OK;
}

/* The destination; of length 0 if there is none to look at. */
static struct prefix destination(const struct nlmsghdr *h,
				 const struct rtmsg *m, struct attrs *as)
{
	const bool is_v4 = m->rtm_family == AF_INET;
	const unsigned bytes = is_v4 ? 4 : 16;
	struct prefix p = {.len = 0};

	*as = (struct attrs){.dst = NULL};
	(void)mnl_attr_parse(h, sizeof(*m), on_attr, as); /* never fails */
	if ((!is_v4 && m->rtm_family != AF_INET6) || !as->dst ||
	    mnl_attr_get_payload_len(as->dst) != bytes ||
	    m->rtm_dst_len < ROUTES_LEN_MIN || m->rtm_dst_len > 8 * bytes)
		return p;
	if (is_v4)
		p.ip = addr_v4_bytes(mnl_attr_get_payload(as->dst));
	else
		memcpy(p.ip.b, mnl_attr_get_payload(as->dst), 16);
	p.len = (uint8_t)(128 - 8 * bytes + m->rtm_dst_len);
	return p;
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct found *f = data;
	struct prefix p;
	struct attrs as;

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	if (m->rtm_type != RTN_UNICAST || f->n == ROUTES_MAX)
		return MNL_CB_OK;
	p = destination(h, m, &as);
	if (p.len && !addr_is_link_local6(&p.ip) && !addr_is_multicast(&p.ip))
		f->v[f->n++] = p;
	return MNL_CB_OK;
}

/* A delegated prefix is unreachable but for its parts; one on a link has no
 * router. */
static int on_delegated(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct found *f = data;
	struct prefix p;
	struct attrs as;

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
	    m->rtm_family != AF_INET6 || f->n == ROUTES_MAX)
		return MNL_CB_OK;
	p = destination(h, m, &as);
	if (p.len < ROUTES_DELEGATED_MIN || p.len >= 64 ||
	    (p.ip.b[0] & 0xe0) != 0x20)
		return MNL_CB_OK;
	if (m->rtm_type == RTN_UNREACHABLE || m->rtm_type == RTN_BLACKHOLE ||
	    m->rtm_type == RTN_PROHIBIT ||
	    (m->rtm_type == RTN_UNICAST && !as.gateway))
		f->v[f->n++] = p;
	return MNL_CB_OK;
}

static void found_again(void *arg)
{
	((struct found *)arg)->n = 0;
}

static int read_all(mnl_cb_t cb, struct prefix **vp, unsigned *np)
{
	struct found f = {.v = calloc(ROUTES_MAX, sizeof(*f.v))};
	int r = -ENOMEM;

	if (f.v)
		r = rtnl_dump(RTM_GETROUTE, cb, &f, found_again);
	if (r < 0) {
		free(f.v);
		return r;
	}
	*vp = f.v;
	*np = f.n;
	return 0;
}

int routes_read(struct prefix **vp, unsigned *np)
{
	return read_all(on_route, vp, np);
}

int routes_delegated(struct prefix **vp, unsigned *np)
{
	return read_all(on_delegated, vp, np);
}
