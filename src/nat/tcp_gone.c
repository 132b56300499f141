/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP when the host loses an address: its kernel keeps connections from there,
 * sends nothing for them and gives up after a quarter of an hour.  So they are
 * ended here as if the other end had reset them.  Called by the gateway; one
 * worker's thread.
 */
#include "nat/tcp_priv.h"

/* True if the host's end of f has one of n addresses. */
static bool is_at(struct tcp_flow *f, const addr *a, unsigned n)
{
	struct host *h = f->tcp->env->host;
	struct endpoint own;

	/* A program or a unix socket has none. */
	if (f->flow.sock.fd < 0 ||
	    h->ops->local(h, &f->flow.sock, &own) < 0)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (addr_eq(&a[i], &own.ip))
			return true;
	return false;
}

void tcp_addrs_gone(struct tcp *t, const addr *gone, unsigned n)
{
	/* Nothing is sent or freed before tcp_finish(). */
	list_each(it, &t->flows.all) {
		struct tcp_flow *f =
			tcp_of(container_of(it, struct flow, link));

		if (!is_at(f, gone, n))
			continue;
		f->flags |= TCP_F_HOST_ERR;
		/* What has come is the guest's before it is told. */
		if (!tcp_is(f, TCP_F_EOF))
			f->flags |= TCP_F_READABLE;
		tcp_pend(f);
	}
	tcp_finish(t);
}
