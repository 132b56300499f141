/* SPDX-License-Identifier: BSD-3-Clause */
/* struct host over real sockets, in a network namespace of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/host_sock.h"
#include "os/rtnl.h"
#include "os/sockaddr.h"
#include "os/test_user.h"

/* A socket that remembers what it was told. */
struct end {
	struct host_sock s;
	unsigned events;
};

struct rig {
	struct loop *l;
	struct host *h;
};

static void on_event(struct host_sock *s, unsigned events)
{
	container_of(s, struct end, s)->events |= events;
}

#define END ((struct end){.s = {.fd = -1, .event = on_event}})

static void rig_open(struct rig *r, const struct host_sock_limits *limits)
{
	assert_int_equal(loop_new(&r->l), 0);
	assert_int_equal(host_sock_new(r->l, limits, &r->h), 0);
}

static void rig_close(struct rig *r)
{
	host_sock_free(r->h);
	loop_free(r->l);
}

/* Turns the loop until e was told all of what. */
static void until(struct rig *r, struct end *e, unsigned what)
{
	while ((e->events & what) != what)
		assert_int_equal(loop_turn(r->l, -1), 0);
	e->events = 0;
}

static addr here(bool v6)
{
	return v6 ? (addr){{[15] = 1}} : addr_v4(127, 0, 0, 1);
}

static struct endpoint open_bound(struct rig *r, struct end *e,
				  enum host_proto proto, bool v6)
{
	struct endpoint ep = {.ip = here(v6)};
	const addr ip = ep.ip;

	*e = END;
	assert_int_equal(r->h->ops->open(r->h, &e->s, proto, v6), 0);
	assert_int_equal(r->h->ops->bind(r->h, &e->s, &ep), 0);
	assert_int_equal(r->h->ops->local(r->h, &e->s, &ep), 0);
	assert_true(addr_eq(&ep.ip, &ip));
	return ep;
}

static void end_close(struct rig *r, struct end *e)
{
	r->h->ops->close(r->h, &e->s, false);
	assert_int_equal(e->s.fd, -1);
	r->h->ops->close(r->h, &e->s, false); /* nothing more */
}

/* A listener, a client and what was accepted. */
static void tcp_connect(struct rig *r, struct end *a, struct end *b, bool v6)
{
	const struct host_ops *ops = r->h->ops;
	struct endpoint ep, peer, mine;
	struct end l, none = END;

	ep = open_bound(r, &l, HOST_TCP, v6);
	assert_int_equal(listen(l.s.fd, 4), 0);
	assert_int_equal(ops->accept(r->h, &l.s, &none.s, &peer), -EAGAIN);
	*a = END;
	*b = END;
	assert_int_equal(ops->open(r->h, &a->s, HOST_TCP, v6), 0);
	assert_int_equal(ops->connect(r->h, &a->s, &ep), -EINPROGRESS);
	until(r, a, HOST_EV_OUT);
	assert_int_equal(ops->error(r->h, &a->s), 0);
	assert_int_equal(ops->accept(r->h, &l.s, &b->s, &peer), 0);
	assert_int_equal(ops->local(r->h, &a->s, &mine), 0);
	assert_true(endpoint_eq(&peer, &mine));
	assert_true(fcntl(b->s.fd, F_GETFD) & FD_CLOEXEC);
	end_close(r, &l);
}

static ssize_t put(struct rig *r, struct end *e, const char *text)
{
	struct iovec v = {.iov_base = (void *)text, .iov_len = strlen(text)};

	return r->h->ops->send(r->h, &e->s, &v, 1, 0);
}

/* Reads len bytes with flags and expects text. */
static void expect(struct rig *r, struct end *e, const char *text,
		   unsigned flags)
{
	char buf[64];
	size_t half = strlen(text) / 2;
	struct iovec v[2] = {
		{.iov_base = buf, .iov_len = half},
		{.iov_base = buf + half, .iov_len = strlen(text) - half}};

	assert_int_equal(r->h->ops->recv(r->h, &e->s, v, 2, flags),
			 strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

static void discard(struct rig *r, struct end *e, size_t len)
{
	struct iovec v = {.iov_base = NULL, .iov_len = len};

	assert_int_equal(r->h->ops->recv(r->h, &e->s, &v, 1, HOST_DISCARD),
			 len);
}

static void check_stream(struct rig *r, struct end *a, struct end *b)
{
	const struct host_ops *ops = r->h->ops;
	struct iovec none = {0}, one;
	char c;

	one = (struct iovec){.iov_base = &c, .iov_len = 1};
	b->events = 0;
	assert_int_equal(put(r, a, "abcdefgh"), 8);
	until(r, b, HOST_EV_IN);
	expect(r, b, "abcd", HOST_PEEK);
	discard(r, b, 3);
	expect(r, b, "def", 0);
	assert_int_equal(ops->recv(r->h, &b->s, &none, 1, 0), -EINVAL);
	discard(r, b, 2);
	assert_int_equal(ops->recv(r->h, &b->s, &one, 1, 0), -EAGAIN);
	/* half-close: b may still send */
	assert_int_equal(ops->shutdown(r->h, &a->s), 0);
	until(r, b, HOST_EV_RDHUP);
	assert_int_equal(ops->recv(r->h, &b->s, &one, 1, 0), 0);
	assert_int_equal(put(r, b, "bye"), 3);
	until(r, a, HOST_EV_IN);
	expect(r, a, "bye", 0);
}

static void tcp_carries_bytes(void **state)
{
	struct rig r;
	struct end a, b;

	rig_open(&r, NULL);
	for (int v6 = 0; v6 < 2; v6++) {
		tcp_connect(&r, &a, &b, v6);
		check_stream(&r, &a, &b);
		end_close(&r, &a);
		end_close(&r, &b);
	}
	rig_close(&r);
}

static void an_adopted_socketpair_carries_bytes(void **state)
{
	struct rig r;
	struct end a = END, b = END;
	int fd[2];

	rig_open(&r, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(r.h->ops->adopt(r.h, &a.s, fd[0]), 0);
	assert_int_equal(r.h->ops->adopt(r.h, &b.s, fd[1]), 0);
	check_stream(&r, &a, &b);
	end_close(&r, &a);
	end_close(&r, &b);
	assert_true(r.h->ops->adopt(r.h, &a.s, fd[0]) < 0);
	rig_close(&r);
}

/* What tcp relies on: a read stops at an urgent byte, no edge tells of what is
 * behind it, but PRI was there before. */
static void an_urgent_byte_is_told(void **state)
{
	struct iovec bang = {.iov_base = "!", .iov_len = 1}, v;
	struct rig r;
	struct end a, b;
	char buf[16];
	int at;

	rig_open(&r, NULL);
	tcp_connect(&r, &a, &b, false);
	assert_int_equal(r.h->ops->set(r.h, &b.s, HOST_OPT_OOBINLINE, 1), 0);
	b.events = 0;
	assert_int_equal(put(&r, &a, "abc"), 3);
	assert_int_equal(r.h->ops->send(r.h, &a.s, &bang, 1, HOST_OOB), 1);
	assert_int_equal(put(&r, &a, "def"), 3);
	until(&r, &b, HOST_EV_IN | HOST_EV_PRI);
	v = (struct iovec){.iov_base = buf, .iov_len = sizeof(buf)};
	assert_int_equal(r.h->ops->get(r.h, &b.s, HOST_OPT_ATMARK, &at), 0);
	assert_int_equal(at, 0);
	assert_int_equal(r.h->ops->recv(r.h, &b.s, &v, 1, 0), 3);
	assert_int_equal(r.h->ops->get(r.h, &b.s, HOST_OPT_ATMARK, &at), 0);
	assert_int_equal(at, 1);
	expect(&r, &b, "!def", 0);
	assert_int_equal(r.h->ops->get(r.h, &b.s, HOST_OPT_ATMARK, &at), 0);
	assert_int_equal(at, 0);
	end_close(&r, &a);
	end_close(&r, &b);
	rig_close(&r);
}

/* More than one call's worth of what is thrown away. */
static void much_is_discarded_in_big_steps(void **state)
{
	static char block[1 << 20];
	struct iovec v = {.iov_base = block, .iov_len = sizeof(block)};
	struct iovec all = {.iov_base = NULL, .iov_len = 16 << 20};
	size_t sent = 0, gone = 0;
	struct rig r;
	struct end a, b;
	ssize_t n;

	rig_open(&r, NULL);
	tcp_connect(&r, &a, &b, false);
	while ((n = r.h->ops->send(r.h, &a.s, &v, 1, 0)) > 0)
		sent += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	while (gone < sent) {
		n = r.h->ops->recv(r.h, &b.s, &all, 1, HOST_DISCARD);
		assert_true(n > 0 || n == -EAGAIN);
		gone += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(gone, sent);
	end_close(&r, &a);
	end_close(&r, &b);
	rig_close(&r);
}

static void a_reset_is_told_from_an_end(void **state)
{
	struct rig r;
	struct end a, b;
	char c;
	struct iovec v = {.iov_base = &c, .iov_len = 1};

	rig_open(&r, NULL);
	tcp_connect(&r, &a, &b, false);
	b.events = 0;
	r.h->ops->close(r.h, &a.s, true);
	until(&r, &b, HOST_EV_ERR | HOST_EV_HUP);
	assert_int_equal(r.h->ops->recv(r.h, &b.s, &v, 1, 0), -ECONNRESET);
	end_close(&r, &b);
	rig_close(&r);
}

static void a_refusal_is_told(void **state)
{
	struct endpoint ep;
	struct rig r;
	struct end a, b;

	rig_open(&r, NULL);
	ep = open_bound(&r, &b, HOST_TCP, false); /* bound, not listening */
	a = END;
	assert_int_equal(r.h->ops->open(r.h, &a.s, HOST_TCP, false), 0);
	assert_int_equal(r.h->ops->connect(r.h, &a.s, &ep), -EINPROGRESS);
	until(&r, &a, HOST_EV_ERR);
	assert_int_equal(r.h->ops->error(r.h, &a.s), -ECONNREFUSED);
	end_close(&r, &a);
	end_close(&r, &b);
	rig_close(&r);
}

static void options_are_set_and_read(void **state)
{
	struct host_sock_limits old = {.deny_peek_off = true};
	const enum host_opt tcp[] = {HOST_OPT_NODELAY, HOST_OPT_KEEPALIVE,
				     HOST_OPT_OOBINLINE, HOST_OPT_TTL,
				     HOST_OPT_TOS};
	struct rig r, denied;
	struct end a, b;
	int v = 0;

	rig_open(&r, NULL);
	rig_open(&denied, &old);
	for (int v6 = 0; v6 < 2; v6++) {
		tcp_connect(&r, &a, &b, v6);
		for (size_t i = 0; i < sizeof(tcp) / sizeof(*tcp); i++)
			assert_int_equal(r.h->ops->set(r.h, &a.s, tcp[i], 8),
					 0);
		assert_int_equal(put(&r, &a, "x"), 1);
		assert_int_equal(r.h->ops->get(r.h, &a.s, HOST_OPT_SNDQ, &v),
				 0);
		assert_in_range(v, 0, 1);
		assert_int_equal(r.h->ops->get(r.h, &a.s, HOST_OPT_MTU, &v),
				 0);
		assert_true(v > 1500);
		assert_int_equal(r.h->ops->set(r.h, &a.s, HOST_OPT_SNDBUF,
					       65536),
				 0);
		assert_int_equal(r.h->ops->get(r.h, &a.s, HOST_OPT_SNDBUF, &v),
				 0);
		assert_int_equal(v, 131072); /* socket(7): doubled */
		assert_int_equal(r.h->ops->set(r.h, &a.s, HOST_OPT_SNDQ, 1),
				 -EINVAL);
		assert_int_equal(r.h->ops->get(r.h, &a.s, HOST_OPT_TTL, &v),
				 -EINVAL);
		assert_int_equal(denied.h->ops->set(denied.h, &a.s,
						    HOST_OPT_PEEK_OFF, 0),
				 -ENOTSUP);
		end_close(&r, &a);
		end_close(&r, &b);
	}
	rig_close(&r);
	rig_close(&denied);
}

enum { BATCH = 3 };

/* Messages with a buffer each. */
struct batch {
	struct host_msg m[BATCH];
	struct iovec v[BATCH];
	char buf[BATCH][2048];
};

static void batch_init(struct batch *b, size_t len)
{
	memset(b, 0, sizeof(*b));
	for (int i = 0; i < BATCH; i++) {
		b->v[i] = (struct iovec){.iov_base = b->buf[i],
					 .iov_len = len};
		b->m[i] = (struct host_msg){.iov = &b->v[i], .n_iov = 1};
		memset(b->buf[i], 'a' + i, sizeof(b->buf[i]));
	}
}

static void check_batch(struct rig *r, bool v6)
{
	const struct host_ops *ops = r->h->ops;
	struct endpoint to, from;
	struct batch out, in;
	struct end a, b;

	from = open_bound(r, &a, HOST_UDP, v6);
	to = open_bound(r, &b, HOST_UDP, v6);
	assert_int_equal(ops->set(r->h, &a.s, HOST_OPT_TTL, 33), 0);
	assert_int_equal(ops->set(r->h, &a.s, HOST_OPT_TOS, 0x68), 0);
	batch_init(&out, 100);
	for (int i = 0; i < BATCH; i++)
		out.m[i].ep = to;
	out.v[1].iov_len = 0; /* an empty datagram is one */
	assert_int_equal(ops->send_batch(r->h, &a.s, out.m, BATCH), BATCH);
	batch_init(&in, 60);
	b.events = 0;
	assert_int_equal(ops->recv_batch(r->h, &b.s, in.m, BATCH), BATCH);
	assert_int_equal(ops->recv_batch(r->h, &b.s, in.m + 2, 1), -EAGAIN);
	for (int i = 0; i < 2; i++) {
		assert_true(endpoint_eq(&in.m[i].ep, &from));
		assert_int_equal(in.m[i].ttl, 33);
		assert_int_equal(in.m[i].tos, 0x68);
		assert_int_equal(in.m[i].gso_size, 0);
	}
	assert_int_equal(in.m[0].len, 60);
	assert_true(in.m[0].truncated);
	assert_memory_equal(in.buf[0], out.buf[0], 60);
	assert_int_equal(in.m[1].len, 0);
	assert_false(in.m[1].truncated);
	/* connected: no address needed */
	assert_int_equal(ops->connect(r->h, &a.s, &to), 0);
	out.m[0].ep = (struct endpoint){0};
	assert_int_equal(ops->send_batch(r->h, &a.s, out.m, 1), 1);
	assert_int_equal(ops->recv_batch(r->h, &b.s, in.m, BATCH), 1);
	end_close(r, &a);
	end_close(r, &b);
}

static void datagrams_go_in_batches(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	check_batch(&r, false);
	check_batch(&r, true);
	rig_close(&r);
}

static void runs_of_datagrams_cross_whole(void **state)
{
	struct host_sock_limits limits = {.deny_gso = true};
	struct endpoint to;
	struct batch out, in;
	struct end a, b;
	struct rig r;

	rig_open(&r, NULL);
	(void)open_bound(&r, &a, HOST_UDP, false);
	to = open_bound(&r, &b, HOST_UDP, false);
	batch_init(&out, 1000);
	out.m[0].ep = to;
	out.m[0].gso_size = 400;
	assert_int_equal(r.h->ops->send_batch(r.h, &a.s, out.m, 1), 1);
	batch_init(&in, 2000);
	assert_int_equal(r.h->ops->recv_batch(r.h, &b.s, in.m, BATCH), 1);
	assert_int_equal(in.m[0].len, 1000);
	assert_int_equal(in.m[0].gso_size, 400);
	end_close(&r, &a);
	end_close(&r, &b);
	rig_close(&r);

	rig_open(&r, &limits);
	(void)open_bound(&r, &a, HOST_UDP, false);
	to = open_bound(&r, &b, HOST_UDP, false);
	for (int i = 0; i < BATCH; i++)
		out.m[i].ep = to;
	assert_int_equal(r.h->ops->send_batch(r.h, &a.s, out.m, BATCH),
			 -EOPNOTSUPP);
	out.m[0].gso_size = 0;
	out.m[2].gso_size = 400;
	assert_int_equal(r.h->ops->send_batch(r.h, &a.s, out.m, BATCH), 2);
	assert_int_equal(r.h->ops->recv_batch(r.h, &b.s, in.m, BATCH), 2);
	end_close(&r, &a);
	end_close(&r, &b);
	rig_close(&r);
}

/* A datagram socket of all addresses; where a has it. */
static struct endpoint open_any(struct rig *r, struct end *e, bool v6, addr a)
{
	struct endpoint ep = {.ip = v6 ? (addr){{0}} : addr_v4(0, 0, 0, 0)};

	*e = END;
	assert_int_equal(r->h->ops->open(r->h, &e->s, HOST_UDP, v6), 0);
	assert_int_equal(r->h->ops->bind(r->h, &e->s, &ep), 0);
	assert_int_equal(r->h->ops->local(r->h, &e->s, &ep), 0);
	ep.ip = a;
	return ep;
}

/* b, of v6, is asked at to by from, which is a's. */
static void check_asked(struct rig *r, struct end *a, struct end *b,
			const struct endpoint *from, const struct endpoint *to)
{
	struct batch out, in;

	assert_int_equal(r->h->ops->set(r->h, &a->s, HOST_OPT_TTL, 33), 0);
	assert_int_equal(r->h->ops->set(r->h, &a->s, HOST_OPT_TOS, 0x68), 0);
	for (int on = 0; on < 2; on++) {
		assert_int_equal(r->h->ops->set(r->h, &b->s, HOST_OPT_PKTINFO,
						on), 0);
		batch_init(&out, 100);
		out.m[0].ep = *to;
		assert_int_equal(r->h->ops->send_batch(r->h, &a->s, out.m, 1),
				 1);
		batch_init(&in, 2000);
		until(r, b, HOST_EV_IN);
		assert_int_equal(r->h->ops->recv_batch(r->h, &b->s, in.m,
						       BATCH), 1);
		assert_true(endpoint_eq(&in.m[0].ep, from));
		assert_int_equal(in.m[0].ttl, 33);
		assert_int_equal(in.m[0].tos, 0x68);
		assert_false(in.m[0].is_to_group);
		assert_int_equal(in.m[0].has_local, on);
		assert_true(!on || addr_eq(&in.m[0].local, &to->ip));
	}
	assert_int_equal(r->h->ops->set(r->h, &b->s, HOST_OPT_TTL, 44), 0);
	for (uint16_t gso = 0; gso <= 40; gso += 40) {
		batch_init(&out, 100);
		out.m[0].ep = *from;
		out.m[0].gso_size = gso;
		out.m[0].has_local = true;
		out.m[0].local = to->ip;
		assert_int_equal(r->h->ops->send_batch(r->h, &b->s, out.m, 1),
				 1);
		batch_init(&in, 2000);
		until(r, a, HOST_EV_IN);
		assert_int_equal(r->h->ops->recv_batch(r->h, &a->s, in.m,
						       BATCH), 1);
		assert_true(endpoint_eq(&in.m[0].ep, to));
		assert_int_equal(in.m[0].ttl, 44);
		assert_int_equal(in.m[0].gso_size, gso);
		assert_false(in.m[0].has_local);
	}
}

/* A socket of all addresses tells which was asked, and answers from there,
 * runs too; one of IPv6 carries IPv4. */
static void the_address_that_was_asked_answers(void **state)
{
	static const struct {
		bool a_v6, b_v6;
	} t[] = {{false, false}, {true, true}, {false, true}};

	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct endpoint from, to;
		struct end a, b;
		struct rig r;

		rig_open(&r, NULL);
		from = open_bound(&r, &a, HOST_UDP, t[i].a_v6);
		to = open_any(&r, &b, t[i].b_v6,
			      t[i].a_v6 ? here(true) : addr_v4(127, 0, 0, 9));
		check_asked(&r, &a, &b, &from, &to);
		end_close(&r, &a);
		end_close(&r, &b);
		rig_close(&r);
	}
}

enum { A_MOMENT = 10 }; /* ms */

/* A new address is not there at once: b hears a after some tries. */
static void lead_in(struct rig *r, struct end *a, struct end *b,
		    const struct endpoint *to)
{
	struct batch m;

	do {
		batch_init(&m, 100);
		m.m[0].ep = *to;
		assert_int_equal(r->h->ops->send_batch(r->h, &a->s, m.m, 1), 1);
		assert_int_equal(loop_turn(r->l, A_MOMENT), 0);
	} while (!(b->events & HOST_EV_IN));
	while (r->h->ops->recv_batch(r->h, &b->s, m.m, BATCH) > 0)
		;
	b->events = 0;
}

/* Who is behind one interface only is answered there. */
static void a_link_local_client_is_answered(void **state)
{
	const struct prefix on_lo = {.ip = {{0xfe, 0x80, [15] = 1}}, .len = 64};
	struct endpoint from = {.ip = sockaddr_scoped(on_lo.ip,
						      if_nametoindex("lo"))};
	struct endpoint to;
	struct end a = END, b;
	struct rig r;

	assert_int_equal(rtnl_addr_put("lo", &on_lo), 0);
	rig_open(&r, NULL);
	assert_int_equal(r.h->ops->open(r.h, &a.s, HOST_UDP, true), 0);
	while (r.h->ops->bind(r.h, &a.s, &from) == -EADDRNOTAVAIL)
		assert_int_equal(loop_turn(r.l, A_MOMENT), 0);
	assert_int_equal(r.h->ops->local(r.h, &a.s, &from), 0);
	to = open_any(&r, &b, true, from.ip);
	lead_in(&r, &a, &b, &to);
	check_asked(&r, &a, &b, &from, &to);
	end_close(&r, &a);
	end_close(&r, &b);
	rig_close(&r);
}

/* A copy of the descriptor keeps the socket, and the kernel's events of it,
 * alive: they are not for an owner that has closed it. */
static void a_copy_tells_its_old_owner_nothing(void **state)
{
	struct batch out;
	struct end a, b;
	struct rig r;
	int copy;

	rig_open(&r, NULL);
	(void)open_bound(&r, &a, HOST_UDP, false);
	batch_init(&out, 100);
	out.m[0].ep = open_bound(&r, &b, HOST_UDP, false);
	until(&r, &b, HOST_EV_OUT);
	copy = dup(r.h->ops->share(r.h, &b.s));
	assert_true(copy >= 0);
	end_close(&r, &b);
	assert_int_equal(r.h->ops->send_batch(r.h, &a.s, out.m, 1), 1);
	/* The next one has the same place in memory; what is told of it comes
	 * behind what would be told of the old one. */
	(void)open_bound(&r, &b, HOST_UDP, false);
	while (!(b.events & HOST_EV_OUT))
		assert_int_equal(loop_turn(r.l, -1), 0);
	assert_false(b.events & HOST_EV_IN);
	close(copy);
	end_close(&r, &a);
	end_close(&r, &b);
	rig_close(&r);
}

static void check_to_all(struct rig *r, bool v6)
{
	const addr own = addr_v4(127, 0, 0, 1);
	struct endpoint to;
	struct batch out, in;
	struct end a, b;
	const int on = 1;

	(void)open_bound(r, &a, HOST_UDP, false);
	assert_int_equal(setsockopt(a.s.fd, SOL_SOCKET, SO_BROADCAST, &on,
				    sizeof(on)), 0);
	to = open_any(r, &b, v6, own);
	assert_int_equal(r->h->ops->set(r->h, &b.s, HOST_OPT_PKTINFO, 1), 0);
	for (int all = 1; all >= 0; all--) {
		to.ip = all ? addr_v4(127, 255, 255, 255) : own;
		batch_init(&out, 100);
		out.m[0].ep = to;
		assert_int_equal(r->h->ops->send_batch(r->h, &a.s, out.m, 1),
				 1);
		batch_init(&in, 2000);
		assert_int_equal(r->h->ops->recv_batch(r->h, &b.s, in.m,
						       BATCH), 1);
		assert_int_equal(in.m[0].is_to_group, all);
		assert_true(in.m[0].has_local);
		assert_true(addr_eq(&in.m[0].local, &own));
	}
	end_close(r, &a);
	end_close(r, &b);
}

static void a_datagram_to_all_is_told(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	check_to_all(&r, false);
	check_to_all(&r, true);
	rig_close(&r);
}

/* A socket of the family sock_v6 sends to one of v6. */
static void check_port_unreachable(struct rig *r, bool v6, bool sock_v6)
{
	const struct host_ops *ops = r->h->ops;
	struct endpoint dead;
	struct host_err e;
	struct batch out;
	struct end a;

	dead = open_bound(r, &a, HOST_UDP, v6);
	end_close(r, &a);
	(void)open_any(r, &a, sock_v6, dead.ip);
	assert_int_equal(ops->set(r->h, &a.s, HOST_OPT_RECVERR, 1), 0);
	assert_int_equal(ops->recv_err(r->h, &a.s, &e), 0);
	batch_init(&out, 100);
	out.m[0].ep = dead;
	assert_int_equal(ops->send_batch(r->h, &a.s, out.m, 1), 1);
	until(r, &a, HOST_EV_ERR);
	assert_int_equal(ops->recv_err(r->h, &a.s, &e), 1);
	assert_int_equal(e.err, ECONNREFUSED);
	assert_int_equal(e.origin, v6 ? 3 : 2); /* SO_EE_ORIGIN_ICMP6, _ICMP */
	assert_int_equal(e.type, v6 ? 1 : 3);
	assert_int_equal(e.code, v6 ? 4 : 3);
	assert_true(endpoint_eq(&e.dst, &dead));
	assert_true(addr_eq(&e.offender, &dead.ip));
	assert_int_equal(e.payload_len, sizeof(e.payload));
	assert_memory_equal(e.payload, out.buf[0], sizeof(e.payload));
	assert_int_equal(ops->recv_err(r->h, &a.s, &e), 0);
	end_close(r, &a);
}

static void unreachables_are_decoded(void **state)
{
	struct rig r;

	rig_open(&r, NULL);
	check_port_unreachable(&r, false, false);
	check_port_unreachable(&r, true, true);
	check_port_unreachable(&r, false, true);
	rig_close(&r);
}

/* A datagram that the path does not take tells the path's MTU. */
static void the_path_mtu_is_told(void **state)
{
	static char big[65500];
	struct iovec v = {.iov_base = big, .iov_len = sizeof(big)};
	struct host_msg m = {.iov = &v, .n_iov = 1};
	struct host_err e;
	struct rig r;
	struct end a, b;
	int mtu = 0;

	rig_open(&r, NULL);
	m.ep = open_bound(&r, &b, HOST_UDP, true);
	(void)open_bound(&r, &a, HOST_UDP, true);
	assert_int_equal(r.h->ops->set(r.h, &a.s, HOST_OPT_RECVERR, 1), 0);
	assert_int_equal(r.h->ops->set(r.h, &a.s, HOST_OPT_DF, 1), 0);
	assert_int_equal(r.h->ops->connect(r.h, &a.s, &m.ep), 0);
	assert_int_equal(r.h->ops->get(r.h, &a.s, HOST_OPT_MTU, &mtu), 0);
	assert_int_equal(mtu, 65536);
	m.ep = (struct endpoint){0};
	assert_int_equal(r.h->ops->send_batch(r.h, &a.s, &m, 1), -EMSGSIZE);
	assert_int_equal(r.h->ops->recv_err(r.h, &a.s, &e), 1);
	assert_int_equal(e.err, EMSGSIZE);
	assert_int_equal(e.origin, 1); /* SO_EE_ORIGIN_LOCAL */
	assert_int_equal(e.info, mtu);
	assert_true(addr_is_unspecified(&e.offender));
	end_close(&r, &a);
	end_close(&r, &b);
	rig_close(&r);
}

static void pings_are_answered(void **state)
{
	static const uint8_t echo[] = {ICMP_ECHO, 0, 0, 0,   0,
				       0,         0, 7, 'h', 'i'};
	struct host_sock_limits limits = {.deny_ping = true};
	struct iovec v = {.iov_base = (void *)echo, .iov_len = sizeof(echo)};
	struct host_msg m = {.ep = {.ip = here(false)}, .iov = &v, .n_iov = 1};
	struct rig r;
	struct end a = END;
	struct batch in;
	int n;

	rig_open(&r, &limits);
	assert_int_equal(r.h->ops->open(r.h, &a.s, HOST_PING, false), -EACCES);
	rig_close(&r);
	rig_open(&r, NULL);
	assert_int_equal(r.h->ops->open(r.h, &a.s, HOST_PING, false), 0);
	assert_int_equal(r.h->ops->send_batch(r.h, &a.s, &m, 1), 1);
	batch_init(&in, 100);
	until(&r, &a, HOST_EV_IN);
	n = r.h->ops->recv_batch(r.h, &a.s, in.m, BATCH);
	assert_int_equal(n, 1);
	assert_int_equal(in.m[0].len, sizeof(echo));
	assert_int_equal(in.buf[0][0], ICMP_ECHOREPLY);
	assert_int_equal(in.buf[0][7], 7);
	assert_true(in.m[0].ttl > 0);
	assert_true(addr_eq(&in.m[0].ep.ip, &m.ep.ip));
	end_close(&r, &a);
	rig_close(&r);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_carries_bytes),
		cmocka_unit_test(an_adopted_socketpair_carries_bytes),
		cmocka_unit_test(an_urgent_byte_is_told),
		cmocka_unit_test(much_is_discarded_in_big_steps),
		cmocka_unit_test(a_reset_is_told_from_an_end),
		cmocka_unit_test(a_refusal_is_told),
		cmocka_unit_test(options_are_set_and_read),
		cmocka_unit_test(datagrams_go_in_batches),
		cmocka_unit_test(runs_of_datagrams_cross_whole),
		cmocka_unit_test(the_address_that_was_asked_answers),
		cmocka_unit_test(a_link_local_client_is_answered),
		cmocka_unit_test(a_copy_tells_its_old_owner_nothing),
		cmocka_unit_test(a_datagram_to_all_is_told),
		cmocka_unit_test(unreachables_are_decoded),
		cmocka_unit_test(the_path_mtu_is_told),
		cmocka_unit_test(pings_are_answered),
	};

	return cmocka_run_group_tests_name("host_sock", tests, NULL, NULL);
}

static int may_ping(void)
{
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
	int failed = fd < 0 || write(fd, "0 0", 3) != 3;

	close(fd);
	return failed;
}

static int in_netns(void)
{
	return may_ping() ? 1 : group();
}

static int both(void)
{
	return test_in_netns(in_netns);
}

int main(void)
{
	return test_as_both(both);
}
