/* SPDX-License-Identifier: BSD-3-Clause */
/* DNS over TCP; see dns_tcp.h. */
#include "service/dns_tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/be.h"
#include "base/slab.h"
#include "wire/dns.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	LEN_LEN = 2, /* in front of each message (RFC 1035 4.2.2) */
	MESSAGE_MAX = LEN_LEN + UINT16_MAX,
};

enum state {
	STATE_QUESTION, /* the guest's is read */
	STATE_ASK,	/* what is asked for it is written to the resolver */
	STATE_ANSWER,	/* the resolver's is read */
	STATE_REPLY,	/* the guest's is written */
};

/* Bytes of a message on their way in or out. */
struct buffer {
	size_t len; /* read, or to be written */
	size_t at;  /* written */
	uint8_t b[MESSAGE_MAX];
};

struct conn {
	struct list link; /* in dns_tcp->conns */
	struct dns_tcp *t;
	struct timer timer; /* serve() first, then no progress */
	struct endpoint guest, server;
	mac guest_mac;
	uint32_t port;	       /* of the lan, that it came by; 0: none */
	struct host_sock far;  /* the guest's end, until serve() */
	struct host_sock down; /* ours of it */
	struct host_sock up;   /* to the resolver */
	struct endpoint resolver; /* at its other end */
	uint64_t tried; /* resolvers, for this question: dns_pick() */
	bool is_known;	/* the answer was, and nobody is asked */
	bool is_used; /* up has answered: the resolver may have closed it */
	enum state state;
	struct dns64_step step;
	size_t n_question; /* bytes of the message at question.b, with its
			    * length */
	struct buffer question; /* and what came behind it */
	struct buffer answer;
	struct buffer out;
};

struct dns_tcp {
	const struct service_env *env; /* borrowed */
	struct dns *dns;	       /* borrowed */
	dns_tcp_fn serve;
	void *arg;
	struct list conns;
	unsigned n_conns;
	struct slab memory; /* of struct conn */
};

static void conn_free(struct conn *c)
{
	struct dns_tcp *t = c->t;
	struct host *h = t->env->host;

	timer_disarm(t->env->wheel, &c->timer);
	h->ops->close(h, &c->down, false);
	h->ops->close(h, &c->up, false);
	h->ops->close(h, &c->far, false);
	list_del(&c->link);
	t->n_conns--;
	slab_free(&t->memory, c);
}

static struct rd message(const struct buffer *b, size_t n)
{
	return rd_init(b->b + LEN_LEN, n - LEN_LEN);
}

/* Others have to wait less for one that is silent. */
static uint64_t patience_ns(const struct conn *c, enum state s)
{
	uint64_t tried = c->tried;
	struct endpoint ep;
	struct rd asked;

	if (s != STATE_ASK && s != STATE_ANSWER)
		return DNS_TCP_SECONDS * SECOND_NS;
	asked = message(&c->out, c->out.len);
	return (dns_pick(c->t->dns, &asked, &tried, &ep) ? DNS_TCP_TRY_SECONDS
							  : DNS_TCP_SECONDS) *
	       SECOND_NS;
}

static void enter(struct conn *c, enum state s)
{
	c->state = s;
	timer_arm(c->t->env->wheel, &c->timer,
		  *c->t->env->now_ns + patience_ns(c, s));
}

/* The message at b->b is complete; *np has its length with the field's. */
static bool is_whole(const struct buffer *b, size_t *np)
{
	size_t n;

	if (b->len < LEN_LEN)
		return false;
	n = LEN_LEN + (size_t)get_be16(b->b);
	*np = n;
	return b->len >= n;
}

/* What is written next, of len bytes behind the length field. */
static void set_out(struct conn *c, size_t len)
{
	put_be16(c->out.b, (uint32_t)len);
	c->out.len = LEN_LEN + len;
	c->out.at = 0;
}

/* The guest's answer, of len bytes. */
static void reply(struct conn *c, size_t len)
{
	const struct rd text = rd_init(c->out.b + LEN_LEN, len);

	set_out(c, len);
	dns_told(c->t->dns, c->guest_mac, c->port, &text);
	enter(c, STATE_REPLY);
}

static struct wr out_room(struct conn *c)
{
	return wr_init(c->out.b + LEN_LEN, sizeof(c->out.b) - LEN_LEN);
}

/* 1: all was written; 0: later; negative: it cannot be. */
static int flush(struct conn *c, struct host_sock *s)
{
	struct host *h = c->t->env->host;

	while (c->out.at < c->out.len) {
		struct iovec v = {.iov_base = c->out.b + c->out.at,
				  .iov_len = c->out.len - c->out.at};
		ssize_t n = h->ops->send(h, s, &v, 1, 0);

		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		c->out.at += (size_t)n;
	}
	return 1;
}

/* Bytes read; 0: end of the stream; negative as recv(). */
static ssize_t fill(struct conn *c, struct host_sock *s, struct buffer *b)
{
	struct host *h = c->t->env->host;
	struct iovec v = {.iov_base = b->b + b->len,
			  .iov_len = sizeof(b->b) - b->len};
	ssize_t n = h->ops->recv(h, s, &v, 1, 0);

	if (n > 0)
		b->len += (size_t)n;
	return n;
}

static void close_up(struct conn *c)
{
	struct host *h = c->t->env->host;

	h->ops->close(h, &c->up, false);
	c->is_used = false;
}

/* The resolver does not answer. */
static void fail(struct conn *c)
{
	struct rd msg = message(&c->question, c->n_question);
	struct wr w = out_room(c);

	drop(c->t->env->drops, DROP_DNS_SILENT);
	close_up(c);
	(void)dns_emit_error(&w, &msg, DNS_SERVFAIL); /* it is a question */
	reply(c, wr_len(&w));
}

/* What c->out has is asked of the next resolver, by the connection to it if
 * there is one. */
static void ask_next(struct conn *c)
{
	struct rd asked = message(&c->out, c->out.len);
	struct endpoint ep;

	if (!dns_pick(c->t->dns, &asked, &c->tried, &ep)) {
		fail(c);
		return;
	}
	if (c->up.fd >= 0 && !endpoint_eq(&ep, &c->resolver))
		close_up(c);
	c->resolver = ep;
	c->out.at = 0;
	enter(c, STATE_ASK);
}

static void give_up_resolver(struct conn *c)
{
	close_up(c);
	ask_next(c);
}

/* The connection to the resolver is over: one that was idle is no failure. */
static void lost(struct conn *c)
{
	if (!c->is_used) {
		give_up_resolver(c);
		return;
	}
	close_up(c);
	c->out.at = 0;
	enter(c, STATE_ASK);
}

/* The answer is known already: it stands where it would be read to. */
static bool recall(struct conn *c)
{
	struct rd asked = message(&c->out, c->out.len);
	struct buffer *b = &c->answer;
	struct wr w = wr_init(b->b + LEN_LEN, sizeof(b->b) - LEN_LEN);

	c->is_known = dns_recall(c->t->dns, &asked, &w);
	if (!c->is_known)
		return false;
	put_be16(b->b, (uint32_t)wr_len(&w));
	b->len = LEN_LEN + wr_len(&w);
	enter(c, STATE_ANSWER);
	return true;
}

static void ask(struct conn *c)
{
	struct rd msg = message(&c->question, c->n_question);
	struct wr w = out_room(c);

	if (!dns64_emit_question(&c->step, &msg, &w)) {
		fail(c);
		return;
	}
	set_out(c, wr_len(&w));
	c->tried = 0;
	if (!recall(c))
		ask_next(c);
}

/* The guest's next question is whole. */
static void begin(struct conn *c)
{
	struct rd msg = message(&c->question, c->n_question);
	const struct dns64 *d = dns_dns64(c->t->dns);
	bool is_v6 = !addr_is_v4(&c->guest.ip);
	struct wr w = out_room(c);

	if (dns_emit_own(c->t->dns, &msg, is_v6, &w)) {
		reply(c, wr_len(&w));
		return;
	}
	c->step = (struct dns64_step){.stage = DNS64_PLAIN};
	if (is_v6)
		c->step = dns64_begin(d, &msg);
	ask(c);
}

/* True if there is more to do at once, as of all four below; c is gone if it
 * was closed. */
static bool read_question(struct conn *c)
{
	struct dns_question q;
	struct rd msg;
	ssize_t n;

	if (!is_whole(&c->question, &c->n_question)) {
		n = fill(c, &c->down, &c->question);
		if (n == -EAGAIN)
			return false;
		if (n <= 0) {
			conn_free(c);
			return false;
		}
		return true;
	}
	msg = message(&c->question, c->n_question);
	if (rd_left(&msg) > DNS_QUESTION_MAX ||
	    !dns_question_parse(&msg, &q) || q.hdr.n_question != 1 ||
	    (q.hdr.flags & DNS_F_QR)) {
		drop(c->t->env->drops, DROP_DNS_BAD);
		conn_free(c);
		return false;
	}
	begin(c);
	return true;
}

static bool open_up(struct conn *c)
{
	struct host *h = c->t->env->host;
	int r;

	if (c->up.fd >= 0)
		return true;
	r = h->ops->open(h, &c->up, HOST_TCP, !addr_is_v4(&c->resolver.ip));
	if (r < 0)
		return false;
	r = h->ops->connect(h, &c->up, &c->resolver);
	return r == 0 || r == -EINPROGRESS;
}

static bool write_question(struct conn *c)
{
	int r;

	if (!open_up(c)) {
		give_up_resolver(c);
		return true;
	}
	r = flush(c, &c->up);
	if (r == 0)
		return false;
	if (r < 0) {
		lost(c);
		return true;
	}
	c->answer.len = 0;
	enter(c, STATE_ANSWER);
	return true;
}

/* The answer is one to what was asked. */
static bool is_sound(const struct rd *asked, const struct rd *answer)
{
	struct dns_question q, a;

	return dns_question_parse(answer, &a) && (a.hdr.flags & DNS_F_QR) &&
	       a.hdr.n_question == 1 && dns_question_parse(asked, &q) &&
	       a.hdr.id == q.hdr.id && a.type == q.type &&
	       a.class == q.class && strcasecmp(a.name, q.name) == 0;
}

/* The answer is whole, of n bytes. */
static void take_answer(struct conn *c, size_t n)
{
	struct rd msg = message(&c->question, c->n_question);
	struct rd asked = message(&c->out, c->out.len);
	struct rd answer = message(&c->answer, n);
	struct wr w = out_room(c);
	const struct dns64 *d = dns_dns64(c->t->dns);

	if (!is_sound(&asked, &answer)) {
		drop(c->t->env->drops, DROP_DNS_REPLY);
		give_up_resolver(c);
		return;
	}
	c->is_used |= !c->is_known;
	if (!c->is_known)
		dns_learn(c->t->dns, &asked, &answer, c->port);
	if (!dns64_is_last(d, &c->step, &answer)) {
		ask(c);
		return;
	}
	if (c->step.stage == DNS64_PLAIN || c->step.stage == DNS64_AAAA)
		wr_bytes(&w, answer.p, rd_left(&answer));
	else if (!dns64_emit_answer(d, &c->step, &msg, &answer, &w)) {
		fail(c);
		return;
	}
	reply(c, wr_len(&w));
}

static bool read_answer(struct conn *c)
{
	size_t whole;
	ssize_t n;

	if (is_whole(&c->answer, &whole)) {
		take_answer(c, whole);
		return true;
	}
	n = fill(c, &c->up, &c->answer);
	if (n == -EAGAIN)
		return false;
	if (n <= 0)
		lost(c);
	return true;
}

static bool write_reply(struct conn *c)
{
	int r = flush(c, &c->down);

	if (r == 0)
		return false;
	if (r < 0) {
		conn_free(c);
		return false;
	}
	c->question.len -= c->n_question;
	memmove(c->question.b, c->question.b + c->n_question,
		c->question.len);
	enter(c, STATE_QUESTION);
	return true;
}

static bool step(struct conn *c)
{
	switch (c->state) {
	case STATE_QUESTION:
		return read_question(c);
	case STATE_ASK:
		return write_question(c);
	case STATE_ANSWER:
		return read_answer(c);
	case STATE_REPLY:
		return write_reply(c);
	}
	return false;
}

/* As far as it goes now: an edge tells when it goes on. */
static void run(struct conn *c)
{
	while (step(c))
		;
}

static void on_down(struct host_sock *s, unsigned events)
{
	struct conn *c = container_of(s, struct conn, down);

	if (events & (HOST_EV_HUP | HOST_EV_ERR))
		conn_free(c);
	else
		run(c);
}

static void on_up(struct host_sock *s, unsigned events)
{
	(void)events; /* what they are, the next call says */
	run(container_of(s, struct conn, up));
}

static void on_far(struct host_sock *s, unsigned events)
{
	(void)s; /* whoever gets it reads it from the start */
	(void)events;
}

/* The guest's connection is ready for its other end. */
static void hand_over(struct conn *c)
{
	struct dns_tcp *t = c->t;

	enter(c, STATE_QUESTION);
	t->serve(t->arg, &c->guest, &c->server, &c->far);
	if (c->far.fd >= 0)
		conn_free(c);
}

static void on_timer(struct timer *t, uint64_t now_ns)
{
	struct conn *c = container_of(t, struct conn, timer);

	(void)now_ns;
	if (c->far.fd >= 0) {
		hand_over(c);
	} else if (c->state == STATE_ASK || c->state == STATE_ANSWER) {
		give_up_resolver(c);
		run(c);
	} else {
		conn_free(c);
	}
}

/* True if the guest may have one more. */
static bool has_share(const struct dns_tcp *t, const addr *guest, uint32_t port)
{
	unsigned n_guest = 0, n_port = 0;

	list_each (it, &t->conns) {
		const struct conn *c = container_of(it, struct conn, link);

		n_guest += addr_eq(&c->guest.ip, guest);
		n_port += c->port == port;
	}
	return n_guest < DNS_TCP_PER_GUEST &&
	       !service_port_is_full(port, n_port, t->n_conns, DNS_TCP_MAX);
}

int dns_tcp_open(struct dns_tcp *t, const struct endpoint *guest,
		 mac guest_mac, const struct endpoint *server)
{
	struct host *h = t->env->host;
	uint32_t port = service_payer(t->env);
	struct conn *c;

	if (!has_share(t, &guest->ip, port))
		return -EAGAIN;
	c = slab_alloc_raw(&t->memory);
	if (!c)
		return -EAGAIN;
	c->t = t;
	c->guest = *guest;
	c->guest_mac = guest_mac;
	c->server = *server;
	c->port = port;
	c->far = HOST_SOCK_NULL;
	c->far.event = on_far;
	c->down = HOST_SOCK_NULL;
	c->down.event = on_down;
	c->up = HOST_SOCK_NULL;
	c->up.event = on_up;
	c->is_used = false;
	c->state = STATE_QUESTION;
	c->question.len = 0;
	if (h->ops->pair(h, &c->down, &c->far) < 0) {
		slab_free(&t->memory, c);
		return -EAGAIN;
	}
	timer_init(&c->timer, on_timer);
	timer_arm(t->env->wheel, &c->timer, *t->env->now_ns);
	list_add_tail(&t->conns, &c->link);
	t->n_conns++;
	return 0;
}

int dns_tcp_new(const struct service_env *env, struct dns *dns,
		dns_tcp_fn serve, void *arg, struct dns_tcp **tp)
{
	struct dns_tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->env = env;
	t->dns = dns;
	t->serve = serve;
	t->arg = arg;
	list_init(&t->conns);
	if (slab_init(&t->memory, sizeof(struct conn), DNS_TCP_MAX) < 0) {
		free(t);
		return -ENOMEM;
	}
	*tp = t;
	return 0;
}

struct dns_tcp *dns_tcp_free(struct dns_tcp *t)
{
	if (!t)
		return NULL;
	while (!list_empty(&t->conns))
		conn_free(container_of(t->conns.next, struct conn, link));
	slab_deinit(&t->memory);
	free(t);
	return NULL;
}
