/* SPDX-License-Identifier: BSD-3-Clause */
/* The host's sockets of the world around TCP, see tcp_sim.h. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/tcp_sim_priv.h"

enum { DISCARD_MAX = 2 << 20 }; /* thrown away by one call, as in os/ */

static void raise_event(struct sim_sock *k, unsigned ev)
{
	k->events |= ev;
	if (!k->is_dirty)
		k->sim->dirty[k->sim->n_dirty++] = k;
	k->is_dirty = true;
}

static struct sim_sock *sock_new(struct sim *s, struct host_sock *hs)
{
	struct sim_sock *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	assert_true(s->n_socks < SIM_SOCKS);
	k->sim = s;
	k->s = hs;
	k->peek_off = -1;
	k->sndbuf = s->c.sndbuf ? s->c.sndbuf : 256 * 1024;
	k->rcvbuf = s->c.rcvbuf ? s->c.rcvbuf : 256 * 1024;
	hs->fd = (int)s->n_socks;
	hs->priv = k;
	s->sock[s->n_socks++] = k;
	s->n_open++;
	return k;
}

/* Bytes of the program come into the socket's buffer. */
static void sock_arrive(struct sim_sock *k)
{
	uint64_t end = k->base + k->rcvbuf;

	if (!k->is_connected || k->err)
		return;
	if (end > k->tx_total)
		end = k->tx_total;
	if (end > k->arrived) {
		k->arrived = end;
		raise_event(k, HOST_EV_IN);
	}
	if (k->arrived == k->tx_total && k->tx_fin && !k->fin_arrived) {
		k->fin_arrived = true;
		raise_event(k, HOST_EV_IN | HOST_EV_RDHUP);
	}
}

void sim_sock_send(struct sim_sock *k, uint64_t total, bool fin)
{
	k->tx_total = total;
	k->tx_fin = fin;
	sock_arrive(k);
}

void sim_sock_urgent(struct sim_sock *k, uint64_t off)
{
	k->urgent = off;
	raise_event(k, HOST_EV_IN | HOST_EV_PRI);
}

void sim_sock_urgent_late(struct sim_sock *k, uint64_t total, uint64_t off)
{
	k->late_total = total;
	k->late_urgent = off;
}

static void late_urgent(struct sim_sock *k)
{
	uint64_t total = k->late_total;

	if (!total)
		return;
	k->late_total = 0;
	sim_sock_send(k, total, false);
	sim_sock_urgent(k, k->late_urgent);
}

void sim_sock_reset(struct sim_sock *k)
{
	k->err = ECONNRESET;
	raise_event(k, HOST_EV_IN | HOST_EV_OUT | HOST_EV_RDHUP |
			       HOST_EV_ERR | HOST_EV_HUP);
}

void sim_sock_resume(struct sim_sock *k)
{
	k->is_stalled = false;
	k->consumed = k->got;
	if (k->wants_out) {
		k->wants_out = false;
		raise_event(k, HOST_EV_OUT);
	}
}

struct sim_sock *sim_client(struct sim *s, struct host_sock *hs)
{
	struct sim_sock *k = sock_new(s, hs);

	k->is_adopted = true;
	k->is_connected = true;
	return k;
}

static int op_open(struct host *h, struct host_sock *hs, enum host_proto proto,
		   bool is_v6)
{
	struct sim *s = container_of(h, struct sim, host);

	assert_int_equal(proto, HOST_TCP);
	if (s->open_err)
		return -s->open_err;
	sock_new(s, hs)->is_v6 = is_v6;
	return 0;
}

static int op_connect(struct host *h, struct host_sock *hs,
		      const struct endpoint *ep)
{
	struct sim *s = container_of(h, struct sim, host);
	struct sim_sock *k = hs->priv;

	assert_int_equal(k->is_v6, !addr_is_v4(&ep->ip));
	k->to = *ep;
	if (s->on_connect)
		s->on_connect(s, k);
	if (s->c.no_answer)
		return -EINPROGRESS;
	if (s->c.slow_connect) {
		k->err = s->c.connect_err;
		k->connect_at = s->now_ns + 20 * SIM_MS;
		return -EINPROGRESS;
	}
	if (s->c.connect_err)
		return -s->c.connect_err;
	k->is_connected = true;
	sock_arrive(k);
	return 0;
}

static void op_move(struct host *h, struct host_sock *from,
		    struct host_sock *to)
{
	struct sim_sock *k = from->priv;

	k->s = to;
	to->priv = k;
	to->fd = from->fd;
	from->fd = -1;
	from->priv = NULL;
}

static int op_local(struct host *h, struct host_sock *hs, struct endpoint *ep)
{
	const struct sim_sock *k = hs->priv;

	if (addr_is_unspecified(&k->local))
		return -EAFNOSUPPORT;
	*ep = (struct endpoint){.ip = k->local};
	return 0;
}

static ssize_t op_send(struct host *h, struct host_sock *hs,
		       const struct iovec *iov, unsigned n_iov, unsigned flags)
{
	struct sim_sock *k = hs->priv;
	ssize_t done = 0;

	k->n_send++;
	assert_true(n_iov > 0 && !k->is_shut);
	if (flags & HOST_OOB)
		assert_true(n_iov == 1 && iov[0].iov_len == 1);
	if (k->send_err)
		return -k->send_err;
	if (k->err)
		return -EPIPE;
	for (unsigned i = 0; i < n_iov; i++) {
		uint64_t room = k->sndbuf - (k->got - k->consumed);
		size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;
		const uint8_t *p = iov[i].iov_base;

		assert_true(iov[i].iov_len > 0);
		for (size_t at = 0; at < n;) {
			size_t now = n - at < SIM_PERIOD ? n - at : SIM_PERIOD;

			if (memcmp(p + at, sim_pattern(k->got), now) != 0)
				k->is_bad = true;
			at += now;
			k->got += now;
		}
		done += (ssize_t)n;
		if (n < iov[i].iov_len) {
			k->wants_out = true;
			break;
		}
	}
	if (flags & HOST_OOB && done > 0) {
		k->oob_at = k->got - 1;
		k->n_oob++;
	}
	if (!k->is_stalled)
		raise_event(k, 0); /* the program reads in its own time */
	return done > 0 ? done : -EAGAIN;
}

static ssize_t recv_now(struct sim_sock *k, const struct iovec *iov,
			unsigned n_iov, unsigned flags)
{
	uint64_t at = k->base, have;
	size_t done = 0, want = 0;

	k->n_recv++;
	for (unsigned i = 0; i < n_iov; i++)
		want += iov[i].iov_len;
	if (want == 0)
		return -EINVAL;
	if (flags & HOST_PEEK && k->peek_off > 0)
		at += (uint64_t)k->peek_off;
	have = k->arrived - at;
	if ((int64_t)have <= 0) {
		if (k->err)
			return -k->err;
		if (k->fin_arrived)
			return 0;
		k->n_again++;
		return -EAGAIN;
	}
	if (want > have)
		want = have;
	if (at < k->urgent && want > k->urgent - at)
		want = k->urgent - at;
	if (flags & HOST_DISCARD && want > DISCARD_MAX)
		want = DISCARD_MAX;
	for (unsigned i = 0; !(flags & HOST_DISCARD) && done < want; i++) {
		size_t n = iov[i].iov_len < want - done ? iov[i].iov_len
							: want - done;
		uint8_t *p = iov[i].iov_base;

		for (size_t o = 0; o < n;) {
			size_t now = n - o < SIM_PERIOD ? n - o : SIM_PERIOD;

			memcpy(p + o, sim_pattern(at + done + o), now);
			o += now;
		}
		done += n;
	}
	if (flags & HOST_PEEK) {
		k->n_peek++;
		if (k->peek_off >= 0)
			k->peek_off += (int64_t)want;
		return (ssize_t)want;
	}
	if (flags & HOST_DISCARD)
		k->n_discard++;
	k->base += want;
	if (k->peek_off >= 0) {
		k->peek_off -= (int64_t)want;
		if (k->peek_off < 0)
			k->peek_off = 0;
	}
	sock_arrive(k);
	return (ssize_t)want;
}

static ssize_t op_recv(struct host *h, struct host_sock *hs,
		       const struct iovec *iov, unsigned n_iov, unsigned flags)
{
	struct sim_sock *k = hs->priv;
	ssize_t r = recv_now(k, iov, n_iov, flags);

	if (r > 0)
		late_urgent(k);
	return r;
}

static int op_error(struct host *h, struct host_sock *hs)
{
	struct sim_sock *k = hs->priv;
	int err = k->err;

	return -err;
}

static int op_shutdown(struct host *h, struct host_sock *hs)
{
	struct sim_sock *k = hs->priv;

	k->n_shutdown++;
	if (k->err)
		return -ENOTCONN;
	k->is_shut = true;
	return 0;
}

static void op_close(struct host *h, struct host_sock *hs, bool reset)
{
	struct sim_sock *k = hs->priv;

	if (hs->fd < 0)
		return;
	k->was_closed = true;
	k->was_reset = reset;
	/* Linux resets when unread bytes are thrown away. */
	if (k->is_connected && k->base < k->arrived)
		k->was_reset = true;
	k->s = NULL;
	k->sim->n_open--;
	hs->fd = -1;
	hs->priv = NULL;
}

/* Nothing here knows more of an error than its number. */
static int op_recv_err(struct host *h, struct host_sock *hs,
		       struct host_err *e)
{
	return 0;
}

static int op_set(struct host *h, struct host_sock *hs, enum host_opt opt,
		  int value)
{
	struct sim_sock *k = hs->priv;

	k->n_set++;
	if (opt == HOST_OPT_KEEPALIVE)
		k->keep_s = value;
	if (opt != HOST_OPT_PEEK_OFF)
		return 0;
	if (k->sim->c.deny_peek)
		return -ENOTSUP;
	k->peek_off = value;
	return 0;
}

static int op_get(struct host *h, struct host_sock *hs, enum host_opt opt,
		  int *valuep)
{
	struct sim_sock *k = hs->priv;

	*valuep = opt == HOST_OPT_RCVBUF ? (int)k->rcvbuf : 0;
	if (opt == HOST_OPT_ATMARK)
		*valuep = k->urgent && k->urgent == k->base;
	return 0;
}

const struct host_ops sim_host_ops = {
	.open = op_open,
	.connect = op_connect,
	.move = op_move,
	.local = op_local,
	.send = op_send,
	.recv = op_recv,
	.error = op_error,
	.recv_err = op_recv_err,
	.shutdown = op_shutdown,
	.close = op_close,
	.set = op_set,
	.get = op_get,
};

static void sock_events(struct sim_sock *k)
{
	unsigned ev = k->events;

	k->events = 0;
	k->is_dirty = false;
	if (!k->is_stalled && k->consumed < k->got) {
		k->consumed = k->got;
		if (k->wants_out)
			ev |= HOST_EV_OUT;
		k->wants_out = false;
	}
	if (ev && k->s)
		k->s->event(k->s, ev);
}

/* The loop's part: what became of the sockets since. */
void sim_host_events(struct sim *s)
{
	while (s->n_dirty > 0)
		sock_events(s->dirty[--s->n_dirty]);
}

void sim_host_connects(struct sim *s)
{
	for (unsigned i = 0; i < s->n_socks; i++) {
		struct sim_sock *k = s->sock[i];

		if (!k->s || k->connect_at == 0 || k->connect_at > s->now_ns)
			continue;
		k->connect_at = 0;
		if (k->err) {
			raise_event(k, HOST_EV_OUT | HOST_EV_ERR |
					       HOST_EV_HUP);
			continue;
		}
		k->is_connected = true;
		raise_event(k, HOST_EV_OUT);
		sock_arrive(k);
	}
}

uint64_t sim_host_due(const struct sim *s)
{
	uint64_t due = UINT64_MAX;

	if (!s->c.slow_connect)
		return due;
	for (unsigned i = 0; i < s->n_socks; i++)
		if (s->sock[i]->connect_at && s->sock[i]->s &&
		    s->sock[i]->connect_at < due)
			due = s->sock[i]->connect_at;
	return due;
}
