/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP when the host loses an address: its kernel keeps connections from there,
 * sends nothing for them and gives up after a quarter of an hour.  So they are
 * ended here as if the other end had reset them.  And when it loses its way
 * out: what is open may live to see another, and who waits for a connection
 * would wait in vain for two minutes.  Called by the gateway; one worker's
 * thread.
 */
#include "nat/tcp_priv.h"

/* The host's end of f; false: a program or a unix socket has none. */
static bool find_own(struct tcp_flow *f, struct endpoint *ownp)
{
	struct host *h = f->tcp->env->host;

	return f->flow.sock.fd >= 0 &&
	       h->ops->local(h, &f->flow.sock, ownp) >= 0;
}

/* True if the host's end of f has one of n addresses. */
static bool is_at(struct tcp_flow *f, const addr *a, unsigned n)
{
	struct endpoint own;

	if (!find_own(f, &own))
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

void tcp_way_gone(struct tcp *t, bool is_v4)
{
	/* As above: tcp_finish() asks the host once more. */
	list_each(it, &t->flows.all) {
		struct tcp_flow *f =
			tcp_of(container_of(it, struct flow, link));
		struct endpoint own;

		if (f->state != TCP_S_CONNECT || !find_own(f, &own) ||
		    addr_is_v4(&own.ip) != is_v4)
			continue;
		f->flags |= TCP_F_HOST_ERR;
		tcp_pend(f);
	}
	tcp_finish(t);
}
