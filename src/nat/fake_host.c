/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host of tests (fake_host.h).
 */
#include "nat/fake_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_FIRST = 40000 };

struct fake_dgram {
	struct list link;
	struct endpoint from;
	uint16_t gso_size;
	uint8_t tos, ttl;
	addr local;
	bool is_to_group;
	size_t len;
	uint8_t data[];
};

struct fake_err {
	struct list link;
	struct host_err err;
};

struct fake_conn {
	struct list link;
	struct endpoint from;
	unsigned number;
};

struct bytes {
	uint8_t *p;
	size_t len;
};

struct fake_sock {
	struct list link;
	struct host_sock *s; /* NULL: not adopted yet */
	unsigned number;
	enum host_proto proto;
	struct endpoint local;
	struct endpoint peer; /* of connect(); zero = none */
	unsigned events; /* to be delivered */
	int error;       /* what error() takes */
	int opt[FAKE_OPTS];
	struct list dgrams;
	struct list errs;
	struct list conns; /* of a listener */
	struct bytes in, out;
	bool fin_in, is_listener, is_shared, is_v6;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct fake_host *fake_of(struct host *h)
{
	return container_of(h, struct fake_host, host);
}

static bool fails(struct fake_host *fh, enum fake_op op, int *errp)
{
	if (fh->fail_n[op] == 0)
		return false;
	if (fh->fail_after[op] > 0) {
		fh->fail_after[op]--;
		return false;
	}
	fh->fail_n[op]--;
	*errp = -fh->fail_err[op];
	return true;
}

void fake_fail_after(struct fake_host *fh, enum fake_op op, unsigned skip,
		     int err, unsigned n)
{
	fh->fail_err[op] = err;
	fh->fail_n[op] = n;
	fh->fail_after[op] = skip;
}

void fake_fail(struct fake_host *fh, enum fake_op op, int err, unsigned n)
{
	fake_fail_after(fh, op, 0, err, n);
}

static struct fake_sock *sock_find(const struct fake_host *fh, unsigned n)
{
	list_each (it, &fh->socks) {
		struct fake_sock *k = container_of(it, struct fake_sock, link);

		if (k->number == n)
			return k;
	}
	return NULL;
}

static struct fake_sock *sock_make(struct fake_host *fh, enum host_proto proto)
{
	struct fake_sock *k = must(calloc(1, sizeof(*k)));

	k->number = fh->n_numbers++;
	k->proto = proto;
	k->local.ip = addr_v4(0, 0, 0, 0);
	k->local.port = (uint16_t)(PORT_FIRST + k->number % 20000);
	list_init(&k->dgrams);
	list_init(&k->errs);
	list_init(&k->conns);
	for (unsigned i = 0; i < FAKE_OPTS; i++)
		k->opt[i] = -1;
	list_add_tail(&fh->socks, &k->link);
	fh->n_socks++;
	return k;
}

static void sock_attach(struct fake_sock *k, struct host_sock *s)
{
	k->s = s;
	s->priv = k;
	s->fd = (int)k->number;
}

static void sock_destroy(struct fake_host *fh, struct fake_sock *k)
{
	list_each_safe (it, &k->dgrams)
		free(container_of(it, struct fake_dgram, link));
	list_each_safe (it, &k->errs)
		free(container_of(it, struct fake_err, link));
	list_each_safe (it, &k->conns)
		free(container_of(it, struct fake_conn, link));
	free(k->in.p);
	free(k->out.p);
	list_del(&k->link);
	fh->n_socks--;
	free(k);
}

static int op_open(struct host *h, struct host_sock *s, enum host_proto proto,
		   bool is_v6)
{
	struct fake_host *fh = fake_of(h);
	struct fake_sock *k;
	int err;

	if (fails(fh, FAKE_OPEN, &err))
		return err;
	if (fh->n_socks >= FAKE_SOCKS_MAX)
		return -EMFILE;
	k = sock_make(fh, proto);
	k->is_v6 = is_v6;
	sock_attach(k, s);
	return 0;
}

static int op_pair(struct host *h, struct host_sock *a, struct host_sock *b)
{
	struct fake_host *fh = fake_of(h);
	int err;

	if (fails(fh, FAKE_OPEN, &err))
		return err;
	sock_attach(sock_make(fh, HOST_TCP), a);
	sock_attach(sock_make(fh, HOST_TCP), b);
	return 0;
}

static int op_open_group(struct host *h, struct host_sock *s,
			 const struct endpoint *group, uint32_t link)
{
	int r = op_open(h, s, HOST_UDP, !addr_is_v4(&group->ip));
	struct fake_sock *k = s->priv;

	if (r < 0)
		return r;
	k->local = *group;
	k->opt[HOST_OPT_GROUP_LINK] = (int)link;
	return 0;
}

static int op_adopt(struct host *h, struct host_sock *s, int fd)
{
	struct fake_host *fh = fake_of(h);
	struct fake_sock *k = sock_find(fh, (unsigned)fd);
	int err;

	if (fails(fh, FAKE_ADOPT, &err))
		return err;
	if (!k || k->s)
		return -EBADF;
	sock_attach(k, s);
	return 0;
}

static int op_bind(struct host *h, struct host_sock *s,
		   const struct endpoint *ep)
{
	struct fake_sock *k = s->priv;
	int err;

	if (fails(fake_of(h), FAKE_BIND, &err))
		return err;
	k->local = *ep;
	return 0;
}

static void err_queue(struct fake_sock *k, const struct host_err *err)
{
	struct fake_err *fe = must(calloc(1, sizeof(*fe)));

	fe->err = *err;
	list_add_tail(&k->errs, &fe->link);
	k->events |= HOST_EV_ERR;
}

static void refuse(struct fake_host *fh, struct fake_sock *k)
{
	fh->n_refusals--;
	k->error = -fh->refusal.err;
	k->events = HOST_EV_ERR | HOST_EV_HUP;
	if (k->opt[HOST_OPT_RECVERR] == 1)
		err_queue(k, &fh->refusal);
}

void fake_refuse(struct fake_host *fh, const struct host_err *why, unsigned n)
{
	fh->refusal = *why;
	fh->n_refusals = n;
}

static int op_connect(struct host *h, struct host_sock *s,
		      const struct endpoint *ep)
{
	struct fake_sock *k = s->priv;
	int err;

	if (fails(fake_of(h), FAKE_CONNECT, &err))
		return err;
	k->peer = *ep;
	k->events |= HOST_EV_OUT;
	if (k->proto == HOST_TCP && fake_of(h)->n_refusals > 0)
		refuse(fake_of(h), k);
	return k->proto == HOST_TCP ? -EINPROGRESS : 0;
}

static int op_accept(struct host *h, struct host_sock *listener,
		     struct host_sock *s, struct endpoint *peerp)
{
	struct fake_host *fh = fake_of(h);
	struct fake_sock *k = listener->priv;
	struct fake_conn *c;
	struct fake_sock *made;
	int err;

	if (fails(fh, FAKE_ACCEPT, &err))
		return err;
	if (list_empty(&k->conns))
		return -EAGAIN;
	c = container_of(list_first(&k->conns), struct fake_conn, link);
	made = sock_find(fh, c->number);
	sock_attach(made, s);
	*peerp = c->from;
	list_del(&c->link);
	free(c);
	return 0;
}

static int op_local(struct host *h, struct host_sock *s, struct endpoint *ep)
{
	struct fake_sock *k = s->priv;

	*ep = k->local;
	return 0;
}

static size_t iov_total(const struct iovec *iov, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

static void iov_gather(const struct iovec *iov, unsigned n, uint8_t *to)
{
	for (unsigned i = 0; i < n; i++) {
		if (iov[i].iov_len)
			memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
}

static size_t iov_scatter(const struct iovec *iov, unsigned n,
			  const uint8_t *from, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t k = len - done;

		if (k > iov[i].iov_len)
			k = iov[i].iov_len;
		if (k)
			memcpy(iov[i].iov_base, from + done, k);
		done += k;
	}
	return done;
}

static void bytes_drop(struct bytes *b, size_t n)
{
	b->len -= n;
	memmove(b->p, b->p + n, b->len);
}

static uint8_t *bytes_grow(struct bytes *b, size_t n)
{
	b->p = must(realloc(b->p, b->len + n + 1));
	b->len += n;
	return b->p + b->len - n;
}

static ssize_t op_send(struct host *h, struct host_sock *s,
		       const struct iovec *iov, unsigned n_iov, unsigned flags)
{
	struct fake_sock *k = s->priv;
	size_t len = iov_total(iov, n_iov);
	int err;

	if (fails(fake_of(h), FAKE_SEND, &err))
		return err;
	if (!fake_of(h)->forgets)
		iov_gather(iov, n_iov, bytes_grow(&k->out, len));
	return (ssize_t)len;
}

static ssize_t op_recv(struct host *h, struct host_sock *s,
		       const struct iovec *iov, unsigned n_iov, unsigned flags)
{
	struct fake_sock *k = s->priv;
	size_t n = iov_total(iov, n_iov);
	int err;

	if (fails(fake_of(h), FAKE_RECV, &err))
		return err;
	if (n == 0)
		return -EINVAL;
	if (k->in.len == 0)
		return k->fin_in ? 0 : -EAGAIN;
	if (n > k->in.len)
		n = k->in.len;
	if (!(flags & HOST_DISCARD))
		iov_scatter(iov, n_iov, k->in.p, n);
	if (!(flags & HOST_PEEK))
		bytes_drop(&k->in, n);
	return (ssize_t)n;
}

static void remember(struct fake_host *fh, struct fake_sock *k,
		     const struct host_msg *m)
{
	size_t len = iov_total(m->iov, m->n_iov);
	uint8_t *data = must(malloc(len + 1));
	struct fake_sent *d;

	iov_gather(m->iov, m->n_iov, data);
	if (fh->echoes) {
		if (k->proto == HOST_PING && len > 0)
			data[0] = 0; /* echo reply */
		fake_deliver(fh, k->number, &m->ep, data, len);
	}
	if (fh->forgets || fh->n_sent >= FAKE_SENT_MAX) {
		free(data);
		fh->n_sent++;
		return;
	}
	d = &fh->sent[fh->n_sent++];
	*d = (struct fake_sent){.sock = k->number,
				.proto = k->proto,
				.to = k->peer.port ? k->peer : m->ep,
				.gso_size = m->gso_size,
				.has_local = m->has_local,
				.local = m->local,
				.ttl = k->opt[HOST_OPT_TTL],
				.tos = k->opt[HOST_OPT_TOS],
				.df = k->opt[HOST_OPT_DF],
				.call = fh->n_calls,
				.data = data,
				.len = len};
}

static int op_send_batch(struct host *h, struct host_sock *s,
			 const struct host_msg *m, unsigned n)
{
	struct fake_host *fh = fake_of(h);
	struct fake_sock *k = s->priv;
	int err;

	fh->n_calls++;
	for (unsigned i = 0; i < n; i++) {
		if (fails(fh, FAKE_SEND, &err)) {
			if (i == 0)
				return err;
			fh->fail_n[FAKE_SEND]++; /* told by the next call */
			return (int)i;
		}
		remember(fh, k, &m[i]);
	}
	return (int)n;
}

static int op_recv_batch(struct host *h, struct host_sock *s,
			 struct host_msg *m, unsigned n)
{
	struct fake_sock *k = s->priv;
	unsigned i;
	int err;

	if (fails(fake_of(h), FAKE_RECV, &err))
		return err;
	for (i = 0; i < n && !list_empty(&k->dgrams); i++) {
		struct fake_dgram *d = container_of(list_first(&k->dgrams),
						    struct fake_dgram, link);

		m[i].ep = d->from;
		m[i].gso_size = d->gso_size;
		m[i].tos = d->tos;
		m[i].ttl = d->ttl;
		m[i].has_local = k->opt[HOST_OPT_PKTINFO] == 1;
		m[i].local = d->local;
		m[i].is_to_group = m[i].has_local && d->is_to_group;
		m[i].len = iov_scatter(m[i].iov, m[i].n_iov, d->data, d->len);
		m[i].truncated = m[i].len < d->len;
		list_del(&d->link);
		free(d);
	}
	return i > 0 ? (int)i : -EAGAIN;
}

static int op_recv_err(struct host *h, struct host_sock *s, struct host_err *e)
{
	struct fake_sock *k = s->priv;
	struct fake_err *fe;

	if (list_empty(&k->errs))
		return 0;
	fe = container_of(list_first(&k->errs), struct fake_err, link);
	*e = fe->err;
	list_del(&fe->link);
	free(fe);
	return 1;
}

static int op_error(struct host *h, struct host_sock *s)
{
	struct fake_sock *k = s->priv;
	int err = k->error;

	k->error = 0;
	return err;
}

static void op_move(struct host *h, struct host_sock *from,
		    struct host_sock *to)
{
	sock_attach(from->priv, to);
	from->fd = -1;
	from->priv = NULL;
}

static int op_shutdown(struct host *h, struct host_sock *s)
{
	return 0;
}

static void op_close(struct host *h, struct host_sock *s, bool reset)
{
	if (s->fd < 0)
		return;
	sock_destroy(fake_of(h), s->priv);
	s->fd = -1;
	s->priv = NULL;
}

static int op_share(struct host *h, struct host_sock *s)
{
	struct fake_sock *k = s->priv;

	k->is_shared = true;
	return (int)k->number;
}

static int op_release(struct host *h, struct host_sock *s)
{
	struct fake_sock *k = s->priv;

	k->s = NULL;
	s->fd = -1;
	s->priv = NULL;
	return (int)k->number;
}

static int op_set(struct host *h, struct host_sock *s, enum host_opt opt,
		  int value)
{
	struct fake_sock *k = s->priv;
	int err;

	if (fails(fake_of(h), FAKE_SET, &err))
		return err;
	if (opt == HOST_OPT_PEEK_OFF)
		return -ENOTSUP;
	k->opt[opt] = value;
	return 0;
}

static int op_get(struct host *h, struct host_sock *s, enum host_opt opt,
		  int *valuep)
{
	struct fake_sock *k = s->priv;

	*valuep = k->opt[opt] < 0 ? 0 : k->opt[opt];
	return 0;
}

static uint64_t op_realtime(struct host *h)
{
	(void)h;
	return FAKE_REALTIME_NS;
}

static void op_clock(struct host *h, struct host_clock *c)
{
	(void)h;
	*c = (struct host_clock){.is_synced = false};
}

static const struct host_ops fake_ops = {
	.open = op_open,
	.pair = op_pair,
	.open_group = op_open_group,
	.adopt = op_adopt,
	.bind = op_bind,
	.connect = op_connect,
	.accept = op_accept,
	.move = op_move,
	.local = op_local,
	.send = op_send,
	.recv = op_recv,
	.send_batch = op_send_batch,
	.recv_batch = op_recv_batch,
	.recv_err = op_recv_err,
	.error = op_error,
	.shutdown = op_shutdown,
	.close = op_close,
	.share = op_share,
	.release = op_release,
	.set = op_set,
	.get = op_get,
	.realtime = op_realtime,
	.clock = op_clock,
};

struct fake_host *fake_host_new(void)
{
	struct fake_host *fh = must(calloc(1, sizeof(*fh)));

	fh->host.ops = &fake_ops;
	list_init(&fh->socks);
	return fh;
}

struct fake_host *fake_host_free(struct fake_host *fh)
{
	if (!fh)
		return NULL;
	list_each_safe (it, &fh->socks)
		sock_destroy(fh, container_of(it, struct fake_sock, link));
	for (unsigned i = 0; i < FAKE_SENT_MAX; i++)
		free(fh->sent[i].data);
	free(fh);
	return NULL;
}

static struct fake_sock *next_due(struct fake_host *fh)
{
	list_each (it, &fh->socks) {
		struct fake_sock *k = container_of(it, struct fake_sock, link);

		if (k->events && k->s && k->s->event)
			return k;
	}
	return NULL;
}

void fake_host_run(struct fake_host *fh)
{
	struct fake_sock *k;

	while ((k = next_due(fh))) {
		unsigned events = k->events;

		k->events = 0;
		k->s->event(k->s, events);
	}
}

const struct fake_sent *fake_sent(const struct fake_host *fh, unsigned i)
{
	if (i >= fh->n_sent || i >= FAKE_SENT_MAX || fh->forgets)
		return NULL;
	return &fh->sent[i];
}

int fake_option(const struct fake_host *fh, unsigned sock, enum host_opt opt)
{
	struct fake_sock *k = sock_find(fh, sock);

	return k ? k->opt[opt] : -1;
}

bool fake_local(const struct fake_host *fh, unsigned sock, struct endpoint *ep)
{
	const struct fake_sock *k = sock_find(fh, sock);

	if (!k)
		return false;
	*ep = k->local;
	return true;
}

bool fake_is_open(const struct fake_host *fh, unsigned sock)
{
	return sock_find(fh, sock);
}

bool fake_is_v6(const struct fake_host *fh, unsigned sock)
{
	return sock_find(fh, sock)->is_v6;
}

bool fake_is_shared(const struct fake_host *fh, unsigned sock)
{
	return sock_find(fh, sock)->is_shared;
}

struct endpoint fake_peer(const struct fake_host *fh, unsigned sock)
{
	const struct fake_sock *k = sock_find(fh, sock);

	return k ? k->peer : (struct endpoint){.port = 0};
}

bool fake_deliver_full(struct fake_host *fh, unsigned sock,
		       const struct fake_datagram *d)
{
	struct fake_sock *k = sock_find(fh, sock);
	struct fake_dgram *q;

	if (!k)
		return false;
	q = must(malloc(sizeof(*q) + d->len));
	q->from = d->from;
	q->gso_size = d->gso_size;
	q->tos = d->tos;
	q->ttl = d->ttl;
	q->local = d->local;
	q->is_to_group = d->is_to_group;
	q->len = d->len;
	if (d->len)
		memcpy(q->data, d->data, d->len);
	list_add_tail(&k->dgrams, &q->link);
	k->events |= HOST_EV_IN;
	return true;
}

bool fake_deliver(struct fake_host *fh, unsigned sock,
		  const struct endpoint *from, const void *data, size_t len)
{
	struct fake_datagram d = {.from = *from, .data = data, .len = len};

	return fake_deliver_full(fh, sock, &d);
}

bool fake_error(struct fake_host *fh, unsigned sock, const struct host_err *err)
{
	struct fake_sock *k = sock_find(fh, sock);
	struct fake_err *fe;

	if (!k)
		return false;
	fe = must(malloc(sizeof(*fe)));
	fe->err = *err;
	list_add_tail(&k->errs, &fe->link);
	k->events |= HOST_EV_ERR;
	return true;
}

int fake_udp(struct fake_host *fh, uint16_t port)
{
	struct fake_sock *k = sock_make(fh, HOST_UDP);

	k->local.port = port;
	return (int)k->number;
}

void fake_bind(struct fake_host *fh, int fd, const struct endpoint *own)
{
	sock_find(fh, (unsigned)fd)->local = *own;
}

int fake_stream(struct fake_host *fh)
{
	return (int)sock_make(fh, HOST_TCP)->number;
}

void fake_close_stream(struct fake_host *fh, int fd)
{
	struct fake_sock *k = sock_find(fh, (unsigned)fd);

	if (!k || k->s)
		abort();
	sock_destroy(fh, k);
}

int fake_listen(struct fake_host *fh)
{
	struct fake_sock *k = sock_make(fh, HOST_TCP);

	k->is_listener = true;
	return (int)k->number;
}

unsigned fake_client(struct fake_host *fh, int fd, const struct endpoint *from)
{
	struct fake_sock *k = sock_find(fh, (unsigned)fd);
	struct fake_conn *c = must(malloc(sizeof(*c)));

	c->from = *from;
	c->number = sock_make(fh, HOST_TCP)->number;
	list_add_tail(&k->conns, &c->link);
	k->events |= HOST_EV_IN;
	return c->number;
}

void fake_tcp_push(struct fake_host *fh, unsigned sock, const void *data,
		   size_t len)
{
	struct fake_sock *k = sock_find(fh, sock);

	if (!k)
		return;
	if (len > 0)
		memcpy(bytes_grow(&k->in, len), data, len);
	else
		k->fin_in = true;
	k->events |= HOST_EV_IN | (len ? 0 : HOST_EV_RDHUP);
}

const uint8_t *fake_tcp_out(const struct fake_host *fh, unsigned sock,
			    size_t *lenp)
{
	struct fake_sock *k = sock_find(fh, sock);

	*lenp = k ? k->out.len : 0;
	return k ? k->out.p : NULL;
}
