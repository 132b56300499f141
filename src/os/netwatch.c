/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of the host's network by rtnetlink; see netwatch.h.  What a message
 * says is not looked at: it may be lost (ENOBUFS) or old by the time.  All
 * addresses are read instead, and compared with those of before.
 */
#include "os/netwatch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/clock.h"
#include "os/rtnl_priv.h"

enum {
	SETTLE_MS = 100, /* a change comes in several messages */
	READS = 1000,	 /* of messages, then others' turn */
	GROUPS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
		 RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
		 1 << (RTNLGRP_IPV6_RULE - 1),
};

/* Ascending, each once. */
struct addr_set {
	addr *a; /* owned */
	unsigned n, cap;
};

struct netwatch {
	struct loop *loop; /* borrowed */
	struct loop_io io;
	struct timer settle;
	struct mnl_socket *nl; /* owned */
	struct addr_set set;
	netwatch_fn *changed;
	void *arg;
};

static int addr_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(addr));
}

static bool set_add(struct addr_set *s, const addr *a)
{
	if (s->n == s->cap) {
		unsigned cap = s->cap ? s->cap * 2 : 16;
		addr *more = reallocarray(s->a, cap, sizeof(*more));

		if (!more)
			return false;
		s->a = more;
		s->cap = cap;
	}
	s->a[s->n++] = *a;
	return true;
}

static void set_sort(struct addr_set *s)
{
	unsigned n = 0;

	if (s->n)
		qsort(s->a, s->n, sizeof(*s->a), addr_cmp);
	for (unsigned i = 0; i < s->n; i++) {
		if (!n || !addr_eq(&s->a[n - 1], &s->a[i]))
			s->a[n++] = s->a[i];
	}
	s->n = n;
}

/* Keeps in s what is not in other. */
static void set_subtract(struct addr_set *s, const struct addr_set *other)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (!other->n || !bsearch(&s->a[i], other->a, other->n,
					  sizeof(*other->a), addr_cmp))
			s->a[n++] = s->a[i];
	}
	s->n = n;
}

struct own_address {
	uint8_t family;
	const struct nlattr *local; /* NULL: not said */
	const struct nlattr *address;
};

static int on_attr(const struct nlattr *a, void *data)
{
	struct own_address *o = data;

	if (mnl_attr_get_type(a) == IFA_LOCAL)
		o->local = a;
	else if (mnl_attr_get_type(a) == IFA_ADDRESS)
		o->address = a;
	return MNL_CB_OK;
}

static int on_address(const struct nlmsghdr *h, void *data)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct own_address o = {0};
	const struct nlattr *a;
	addr ip;

	if (h->nlmsg_type != RTM_NEWADDR ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	(void)mnl_attr_parse(h, sizeof(*m), on_attr, &o); /* never fails */
	/* Of a point-to-point link the other one is the peer's. */
	a = o.local ? o.local : o.address;
	if (!a)
		return MNL_CB_OK;
	if (m->ifa_family == AF_INET && mnl_attr_get_payload_len(a) == 4)
		ip = addr_v4_bytes(mnl_attr_get_payload(a));
	else if (m->ifa_family == AF_INET6 &&
		 mnl_attr_get_payload_len(a) == sizeof(ip.b))
		memcpy(ip.b, mnl_attr_get_payload(a), sizeof(ip.b));
	else
		return MNL_CB_OK;
	if (set_add(data, &ip))
		return MNL_CB_OK;
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

static void set_again(void *arg)
{
	((struct addr_set *)arg)->n = 0;
}

/* All addresses that interfaces have now. */
static int read_addresses(struct addr_set *s)
{
	int r = rtnl_dump(RTM_GETADDR, on_address, s, set_again);

	set_sort(s);
	return r;
}

/* Some that were lost are news, too. */
static void read_messages(int fd)
{
	char buf[4096];

	for (unsigned i = 0; i < READS; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			break;
	}
}

static void on_message(struct loop_io *io, uint32_t events)
{
	struct netwatch *w = container_of(io, struct netwatch, io);

	(void)events; /* level-triggered; and errors are read as well */
	read_messages(io->fd);
	if (!timer_is_armed(&w->settle))
		timer_arm(loop_wheel(w->loop), &w->settle,
			  *loop_now(w->loop) + SETTLE_MS * 1000000ull);
}

static void on_settled(struct timer *t, uint64_t now_ns)
{
	struct netwatch *w = container_of(t, struct netwatch, settle);
	struct addr_set old = w->set;

	(void)now_ns;
	w->set = (struct addr_set){0};
	if (read_addresses(&w->set) < 0) {
		/* Nothing is known to have gone; the next change tells. */
		free(w->set.a);
		w->set = old;
		w->changed(w->arg, NULL, 0);
		return;
	}
	set_subtract(&old, &w->set);
	w->changed(w->arg, old.a, old.n);
	free(old.a);
}

/* Bound before the first look, so that nothing is missed. */
static int open_socket(struct mnl_socket **nlp)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r = 0;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, GROUPS, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		mnl_socket_close(nl);
		return r;
	}
	*nlp = nl;
	return 0;
}

int netwatch_new(struct loop *loop, netwatch_fn *changed, void *arg,
		 struct netwatch **wp)
{
	struct netwatch *w = calloc(1, sizeof(*w));
	int r = -ENOMEM;

	if (!w)
		return r;
	w->loop = loop;
	w->changed = changed;
	w->arg = arg;
	timer_init(&w->settle, on_settled);
	r = open_socket(&w->nl);
	if (r < 0)
		goto err_free;
	r = read_addresses(&w->set);
	if (r < 0)
		goto err_set;
	w->io = (struct loop_io){.fd = mnl_socket_get_fd(w->nl),
				 .fn = on_message};
	r = loop_add_level(loop, &w->io, EPOLLIN);
	if (r < 0)
		goto err_set;
	*wp = w;
	return 0;

err_set:
	free(w->set.a);
	mnl_socket_close(w->nl);
err_free:
	free(w);
	return r;
}

struct netwatch *netwatch_free(struct netwatch *w)
{
	if (!w)
		return NULL;
	timer_disarm(loop_wheel(w->loop), &w->settle);
	loop_del(w->loop, &w->io);
	mnl_socket_close(w->nl);
	free(w->set.a);
	free(w);
	return NULL;
}

int netwatch_await(bool (*has_come)(void *arg), void *arg, unsigned ms)
{
	int64_t until = now_ms() + ms;
	struct mnl_socket *nl = NULL;
	bool has_it;
	int r = open_socket(&nl);

	if (r < 0)
		return r;
	while (!(has_it = has_come(arg)) && r == 0) {
		r = clock_await(mnl_socket_get_fd(nl), POLLIN, until);
		if (r == 0)
			read_messages(mnl_socket_get_fd(nl));
	}
	mnl_socket_close(nl);
	return has_it ? 0 : r;
}
