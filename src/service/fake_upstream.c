/* SPDX-License-Identifier: BSD-3-Clause */
/* The host of the services' tests (fake_upstream.h). */
#include "service/fake_upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct answer {
	struct list link;
	int err; /* negative: no datagram, a failure */
	uint16_t piece;
	size_t len;
	uint8_t data[];
};

struct fake_sock {
	struct list link;
	struct host_sock *s;
	unsigned number;
	unsigned events;
	struct endpoint to;
	addr local;
	struct list answers; /* of a stream: pieces */
	bool is_stream;
	struct fake_sock *other; /* of a pair, while that is open */
};

static struct fake_upstream *fake_of(struct host *h)
{
	return container_of(h, struct fake_upstream, host);
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static bool fails(unsigned *np)
{
	if (!*np)
		return false;
	--*np;
	return true;
}

static struct fake_sock *find(struct fake_upstream *u, unsigned number)
{
	list_each(it, &u->socks) {
		struct fake_sock *k = container_of(it, struct fake_sock, link);

		if (k->number == number)
			return k;
	}
	return NULL;
}

static void add_sock(struct fake_upstream *u, struct host_sock *s,
		     bool is_stream)
{
	struct fake_sock *k = must(calloc(1, sizeof(*k)));

	k->s = s;
	k->number = u->n_numbers++;
	k->is_stream = is_stream;
	list_init(&k->answers);
	list_add_tail(&u->socks, &k->link);
	u->n_open++;
	s->fd = (int)k->number;
	s->priv = k;
}

static int op_open(struct host *h, struct host_sock *s, enum host_proto proto,
		   bool is_v6)
{
	struct fake_upstream *u = fake_of(h);

	if (proto == HOST_PING)
		return -EPROTONOSUPPORT;
	if (fails(&u->n_open_err))
		return u->open_err;
	add_sock(u, s, proto == HOST_TCP);
	return 0;
}

static int op_pair(struct host *h, struct host_sock *a, struct host_sock *b)
{
	struct fake_upstream *u = fake_of(h);
	struct fake_sock *ka, *kb;

	if (fails(&u->n_open_err))
		return u->open_err;
	add_sock(u, a, true);
	add_sock(u, b, true);
	ka = a->priv;
	kb = b->priv;
	ka->other = kb;
	kb->other = ka;
	return 0;
}

static void op_move(struct host *h, struct host_sock *from,
		    struct host_sock *to)
{
	struct fake_sock *k = from->priv;

	to->fd = from->fd;
	to->priv = k;
	k->s = to;
	from->fd = -1;
	from->priv = NULL;
}

static int op_connect(struct host *h, struct host_sock *s,
		      const struct endpoint *ep)
{
	struct fake_upstream *u = fake_of(h);
	struct fake_sock *k = s->priv;

	if (fails(&u->n_connect_err))
		return u->connect_err;
	k->to = *ep;
	k->local = u->source;
	return 0;
}

static int op_local(struct host *h, struct host_sock *s, struct endpoint *ep)
{
	const struct fake_sock *k = s->priv;

	*ep = (struct endpoint){.ip = k->local};
	return 0;
}

static int op_send_batch(struct host *h, struct host_sock *s,
			 const struct host_msg *m, unsigned n)
{
	struct fake_upstream *u = fake_of(h);
	struct fake_sock *k = s->priv;
	struct fake_question *q;
	size_t len = 0;

	if (n != 1)
		return -EINVAL;
	if (fails(&u->n_send_err))
		return u->send_err;
	if (u->n_sent++ >= FAKE_UPSTREAM_SENT)
		return 1;
	for (unsigned i = 0; i < m->n_iov; i++)
		len += m->iov[i].iov_len;
	q = &u->sent[u->n_sent - 1];
	*q = (struct fake_question){.sock = k->number, .to = k->to};
	q->data = must(malloc(len ? len : 1));
	for (unsigned i = 0; i < m->n_iov; i++) {
		memcpy(q->data + q->len, m->iov[i].iov_base,
		       m->iov[i].iov_len);
		q->len += m->iov[i].iov_len;
	}
	return 1;
}

static int op_recv_batch(struct host *h, struct host_sock *s,
			 struct host_msg *m, unsigned n)
{
	struct fake_sock *k = s->priv;
	struct list *first = list_first(&k->answers);
	struct answer *a;
	int r;

	if (!first)
		return -EAGAIN;
	a = container_of(first, struct answer, link);
	list_del(first);
	r = a->err ? a->err : 1;
	if (r > 0) {
		m->len = a->len < m->iov->iov_len ? a->len : m->iov->iov_len;
		m->ep = k->to;
		m->gso_size = a->piece;
		m->truncated = m->len < a->len;
		memcpy(m->iov->iov_base, a->data, m->len);
	}
	free(a);
	return r;
}

static struct answer *piece_new(const void *data, size_t len)
{
	struct answer *a = must(calloc(1, sizeof(*a) + len));

	a->len = len;
	if (len)
		memcpy(a->data, data, len);
	return a;
}

static ssize_t op_send(struct host *h, struct host_sock *s,
		       const struct iovec *iov, unsigned n_iov, unsigned flags)
{
	struct fake_sock *k = s->priv;
	struct answer *a;
	int r;

	if (!k->other) {
		const struct host_msg m = {.iov = (struct iovec *)iov,
					   .n_iov = n_iov};

		r = op_send_batch(h, s, &m, 1);
		return r < 0 ? r : (ssize_t)iov->iov_len;
	}
	a = piece_new(iov->iov_base, iov->iov_len);
	list_add_tail(&k->other->answers, &a->link);
	k->other->events |= HOST_EV_IN;
	return (ssize_t)iov->iov_len;
}

static ssize_t op_recv(struct host *h, struct host_sock *s,
		       const struct iovec *iov, unsigned n_iov, unsigned flags)
{
	struct fake_sock *k = s->priv;
	struct list *first = list_first(&k->answers);
	struct answer *a;
	size_t n;
	int r;

	if (!first)
		return -EAGAIN;
	a = container_of(first, struct answer, link);
	n = a->len < iov->iov_len ? a->len : iov->iov_len;
	memcpy(iov->iov_base, a->data, n);
	if (n < a->len) {
		a->len -= n;
		memmove(a->data, a->data + n, a->len);
		return (ssize_t)n;
	}
	r = a->err;
	list_del(first);
	free(a);
	return r ? r : (ssize_t)n;
}

static void op_close(struct host *h, struct host_sock *s, bool reset)
{
	struct fake_sock *k = s->priv;

	if (s->fd < 0)
		return;
	list_each_safe(it, &k->answers)
		free(container_of(it, struct answer, link));
	if (k->other) {
		k->other->other = NULL;
		k->other->events |= HOST_EV_HUP;
	}
	list_del(&k->link);
	free(k);
	fake_of(h)->n_open--;
	s->fd = -1;
	s->priv = NULL;
}

static uint64_t op_realtime(struct host *h)
{
	struct fake_upstream *u = container_of(h, struct fake_upstream, host);

	return u->realtime_ns += 1000;
}

static void op_clock(struct host *h, struct host_clock *c)
{
	*c = container_of(h, struct fake_upstream, host)->clock;
}

static const struct host_ops ops = {
	.open = op_open,
	.pair = op_pair,
	.move = op_move,
	.connect = op_connect,
	.local = op_local,
	.send = op_send,
	.recv = op_recv,
	.send_batch = op_send_batch,
	.recv_batch = op_recv_batch,
	.close = op_close,
	.realtime = op_realtime,
	.clock = op_clock,
};

struct fake_upstream *fake_upstream_new(void)
{
	struct fake_upstream *u = must(calloc(1, sizeof(*u)));

	u->host.ops = &ops;
	list_init(&u->socks);
	return u;
}

struct fake_upstream *fake_upstream_free(struct fake_upstream *u)
{
	for (unsigned i = 0; i < u->n_sent && i < FAKE_UPSTREAM_SENT; i++)
		free(u->sent[i].data);
	list_each_safe(it, &u->socks) {
		struct fake_sock *k = container_of(it, struct fake_sock, link);

		op_close(&u->host, k->s, false);
	}
	free(u);
	return NULL;
}

static bool queue(struct fake_upstream *u, unsigned sock, struct answer *a,
		  unsigned events)
{
	struct fake_sock *k = find(u, sock);

	if (!k) {
		free(a);
		return false;
	}
	list_add_tail(&k->answers, &a->link);
	k->events |= events;
	return true;
}

bool fake_upstream_say(struct fake_upstream *u, unsigned sock,
		       const void *data, size_t len, uint16_t piece)
{
	struct answer *a = piece_new(data, len);

	a->piece = piece;
	return queue(u, sock, a, HOST_EV_IN);
}

bool fake_upstream_refuse(struct fake_upstream *u, unsigned sock, int err)
{
	struct answer *a = must(calloc(1, sizeof(*a)));

	a->err = err;
	return queue(u, sock, a, HOST_EV_ERR);
}

static struct fake_sock *next_due(struct fake_upstream *u)
{
	list_each(it, &u->socks) {
		struct fake_sock *k = container_of(it, struct fake_sock, link);

		if (k->events)
			return k;
	}
	return NULL;
}

void fake_upstream_run(struct fake_upstream *u)
{
	struct fake_sock *k;

	while ((k = next_due(u))) {
		unsigned events = k->events;

		k->events = 0;
		k->s->event(k->s, events);
	}
}
