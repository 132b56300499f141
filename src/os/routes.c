/* SPDX-License-Identifier: BSD-3-Clause */
/* The host's routes; see routes.h. */
#include "os/routes.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "os/rtnl_priv.h"

struct found {
	struct prefix *v; /* owned */
	unsigned n;
};

static int on_attr(const struct nlattr *a, void *data)
{
	if (mnl_attr_get_type(a) == RTA_DST &&
	    mnl_attr_get_payload_len(a) == 4)
		*(const struct nlattr **)data = a;
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *dst = NULL;
	struct found *f = data;

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	if (m->rtm_family != AF_INET || m->rtm_type != RTN_UNICAST ||
	    m->rtm_dst_len < ROUTES_LEN_MIN || m->rtm_dst_len > 32)
		return MNL_CB_OK;
	(void)mnl_attr_parse(h, sizeof(*m), on_attr, &dst); /* never fails */
	if (!dst || f->n == ROUTES_MAX)
		return MNL_CB_OK;
	f->v[f->n].ip = addr_v4_bytes(mnl_attr_get_payload(dst));
	f->v[f->n].len = (uint8_t)(96 + m->rtm_dst_len);
	f->n++;
	return MNL_CB_OK;
}

static void found_again(void *arg)
{
	((struct found *)arg)->n = 0;
}

int routes_read(struct prefix **vp, unsigned *np)
{
	struct found f = {.v = calloc(ROUTES_MAX, sizeof(*f.v))};
	int r = -ENOMEM;

	if (f.v)
		r = rtnl_dump(RTM_GETROUTE, on_route, &f, found_again);
	if (r < 0) {
		free(f.v);
		return r;
	}
	*vp = f.v;
	*np = f.n;
	return 0;
}
