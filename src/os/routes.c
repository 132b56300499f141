/* SPDX-License-Identifier: BSD-3-Clause */
/* The host's routes; see routes.h. */
#include "os/routes.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

enum { BUF_LEN = 32768 }; /* as the kernel's longest piece of a dump */

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

static int ask(struct mnl_socket *nl)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *m;

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = AF_INET;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	return 0;
}

static int read_answer(struct mnl_socket *nl, struct found *f)
{
	CLEANUP_FREE char *buf = malloc(BUF_LEN);
	unsigned port = mnl_socket_get_portid(nl);
	int r = MNL_CB_OK;

	if (!buf)
		return -ENOMEM;
	while (r == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, BUF_LEN);

		r = n < 0 ? MNL_CB_ERROR
			  : mnl_cb_run(buf, (size_t)n, 0, port, on_route, f);
	}
	return r == MNL_CB_ERROR ? -errno : 0;
}

int routes_read(struct prefix **vp, unsigned *np)
{
	struct found f = {.v = calloc(ROUTES_MAX, sizeof(*f.v))};
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r;

	if (!nl || !f.v)
		r = nl ? -ENOMEM : -errno;
	else
		r = ask(nl);
	if (r == 0)
		r = read_answer(nl, &f);
	if (nl)
		mnl_socket_close(nl);
	if (r < 0) {
		free(f.v);
		return r;
	}
	*vp = f.v;
	*np = f.n;
	return 0;
}
