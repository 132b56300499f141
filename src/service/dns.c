/* SPDX-License-Identifier: BSD-3-Clause */
/* The DNS relay; see dns.h. */
#include "service/dns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/slab.h"
#include "wire/dns.h"

#define TRY_NS UINT64_C(1500000000)

enum {
	ANSWER_MAX = 65535,
};

/* One question in flight. */
struct question {
	struct list link; /* in dns->busy */
	struct timer timer;
	struct dns *dns;
	uint16_t id;	   /* ours */
	uint16_t guest_id;
	struct endpoint guest;
	addr asked; /* the address of ours that the guest asked */
	mac guest_mac;
	uint32_t port;	  /* of the lan, that it came by; 0: none */
	uint8_t tries;	  /* sent, not refused so far */
	uint8_t refusals;
	uint8_t upstream; /* index it was sent to last */
	uint8_t slot;	  /* socket it was sent by last */
	struct dns64_step step;
	uint16_t len;
	uint8_t text[DNS_QUESTION_MAX]; /* with the guest's id */
};

/* A socket connected to one upstream, opened at first use. */
struct upsock {
	struct host_sock sock;
	struct dns *dns;
	uint8_t upstream; /* index */
	uint8_t slot;
	unsigned n_sent; /* since it was opened */
};

struct upstream {
	struct endpoint ep;
	struct upsock s[DNS_SOCKETS];
};

struct dns {
	const struct service_env *env; /* borrowed */
	struct upstream up[DNS_UPSTREAMS_MAX];
	unsigned n_up;	  /* >= 1 */
	unsigned best;	  /* the one that answered last */
	struct list busy;   /* of struct question */
	struct slab memory; /* of the questions */
	struct question *by_id[65536]; /* in flight, by our id */
	struct dns64 dns64;
	uint64_t random;
	struct hash_key key;
	uint8_t run[ANSWER_MAX];    /* as received: one answer or several */
	uint8_t answer[ANSWER_MAX]; /* one of them */
	uint8_t made[ANSWER_MAX];   /* a question or an answer by dns64 */
};

static void on_timer(struct timer *t, uint64_t now_ns);
static void on_socket(struct host_sock *s, unsigned events);

/* Numbers nobody outside can guess: a keyed hash of a counter. */
static uint32_t draw(struct dns *d)
{
	d->random++;
	return (uint32_t)hash_bytes(&d->key, &d->random, sizeof(d->random));
}

/* Gives q an id of ours, in place of what it had. */
static void name_question(struct question *q)
{
	struct dns *d = q->dns;
	uint16_t old = q->id;

	do {
		q->id = (uint16_t)draw(d);
	} while (d->by_id[q->id]);
	d->by_id[q->id] = q;
	if (d->by_id[old] == q && old != q->id)
		d->by_id[old] = NULL;
}

static void reset_upstreams(struct dns *d)
{
	for (unsigned i = 0; i < DNS_UPSTREAMS_MAX; i++) {
		for (unsigned k = 0; k < DNS_SOCKETS; k++)
			d->up[i].s[k] = (struct upsock){
				.sock = {.fd = -1, .event = on_socket},
				.dns = d,
				.upstream = (uint8_t)i,
				.slot = (uint8_t)k,
			};
	}
}

int dns_new(const struct service_env *env, struct dns **dp)
{
	struct dns *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->env = env;
	d->dns64.prefix = env->nat64;
	d->key = hash_key_new();
	list_init(&d->busy);
	if (slab_init(&d->memory, sizeof(struct question), DNS_QUESTIONS) < 0) {
		free(d);
		return -ENOMEM;
	}
	reset_upstreams(d);
	dns_set_upstreams(d, NULL, 0);
	*dp = d;
	return 0;
}

static void close_upstreams(struct dns *d)
{
	struct host *h = d->env->host;

	for (unsigned i = 0; i < d->n_up; i++) {
		for (unsigned k = 0; k < DNS_SOCKETS; k++)
			h->ops->close(h, &d->up[i].s[k].sock, false);
	}
}

static void done(struct question *q)
{
	struct dns *d = q->dns;

	timer_disarm(d->env->wheel, &q->timer);
	d->by_id[q->id] = NULL;
	list_del(&q->link);
	slab_free(&d->memory, q);
}

struct dns *dns_free(struct dns *d)
{
	if (!d)
		return NULL;
	while (!list_empty(&d->busy))
		done(container_of(d->busy.next, struct question, link));
	close_upstreams(d);
	slab_deinit(&d->memory);
	free(d);
	return NULL;
}

static void send_answer(struct dns *d, mac to, const addr *asked,
			const struct endpoint *dst, const uint8_t *msg,
			size_t len)
{
	struct service_dgram g = {
		.to = to,
		.src = {.ip = *asked, .port = DNS_PORT},
		.dst = *dst,
		.payload = msg,
		.len = len,
	};

	if (!service_send(d->env, &g))
		drop(d->env->drops, DROP_DNS_BAD);
}

/* The answer goes to the guest under the guest's own id. */
static void reply(struct question *q, uint8_t *msg, size_t len)
{
	msg[0] = (uint8_t)(q->guest_id >> 8);
	msg[1] = (uint8_t)q->guest_id;
	send_answer(q->dns, q->guest_mac, &q->asked, &q->guest, msg, len);
}

/* The next question starts where this one would have gone on. */
static void fail(struct question *q)
{
	uint8_t buf[DNS_QUESTION_MAX + DNS_HDR_LEN];
	struct rd r = rd_init(q->text, q->len);
	struct wr w = wr_init(buf, sizeof(buf));
	struct dns *d = q->dns;

	d->best = (q->upstream + 1u) % d->n_up;
	if (dns_emit_error(&w, &r, DNS_SERVFAIL))
		reply(q, buf, wr_len(&w));
	done(q);
}

static bool is_in_use(const struct dns *d, const struct upsock *u)
{
	list_each(it, &d->busy) {
		const struct question *q =
			container_of(it, struct question, link);

		if (q->tries && q->upstream == u->upstream &&
		    q->slot == u->slot)
			return true;
	}
	return false;
}

/* A connected socket of the upstream, opened when first needed, and again
 * with another port after a while. */
static int open_socket(struct dns *d, struct upstream *up, struct upsock *u)
{
	struct host *h = d->env->host;
	struct host_sock *s = &u->sock;
	int r;

	if (s->fd >= 0 && u->n_sent >= DNS_SOCKET_USES && !is_in_use(d, u))
		h->ops->close(h, s, false);
	if (s->fd >= 0)
		return 0;
	u->n_sent = 0;
	r = h->ops->open(h, s, HOST_UDP, !addr_is_v4(&up->ep.ip));
	if (r < 0)
		return r;
	r = h->ops->connect(h, s, &up->ep);
	if (r < 0)
		h->ops->close(h, s, false);
	return r;
}

/* What the resolver is asked in this step, in d->made if need be; the id is
 * the guest's. */
static struct rd asked_text(const struct question *q)
{
	struct dns *d = q->dns;
	struct rd text = rd_init(q->text, q->len);
	struct wr w = wr_init(d->made, sizeof(d->made));

	/* It has room, and the question was parsed. */
	if (q->step.stage == DNS64_PLAIN || q->step.stage == DNS64_AAAA ||
	    !dns64_emit_question(&q->step, &text, &w))
		return text;
	return rd_init(d->made, wr_len(&w));
}

static int send_to(struct question *q, struct upstream *up, struct upsock *u)
{
	struct dns *d = q->dns;
	struct host *h = d->env->host;
	uint8_t head[2] = {(uint8_t)(q->id >> 8), (uint8_t)q->id};
	struct rd text = asked_text(q);
	struct iovec iov[2] = {
		{.iov_base = head, .iov_len = sizeof(head)},
		{.iov_base = (void *)(text.p + 2),
		 .iov_len = rd_left(&text) - 2},
	};
	struct host_msg m = {.iov = iov, .n_iov = 2};
	int r = open_socket(d, up, u);

	if (r < 0)
		return r;
	u->n_sent++;
	r = h->ops->send_batch(h, &u->sock, &m, 1);
	/* The refusal of an earlier question may be told here. */
	if (r < 0 && r != -EAGAIN)
		r = h->ops->send_batch(h, &u->sock, &m, 1);
	return r < 0 ? r : 0;
}

/* Sends the question to its next upstream; gives up after DNS_TRIES, or as
 * soon as every upstream has refused. */
static void ask(struct question *q)
{
	struct dns *d = q->dns;

	while (q->tries < DNS_TRIES && q->refusals < d->n_up) {
		bool is_first = !q->tries && !q->refusals;
		unsigned i = is_first ? d->best
				      : (q->upstream + 1u) % d->n_up;
		struct upsock *u = &d->up[i].s[draw(d) % DNS_SOCKETS];

		q->upstream = (uint8_t)i;
		q->slot = u->slot;
		if (send_to(q, &d->up[i], u) == 0) {
			q->tries++;
			timer_arm(d->env->wheel, &q->timer,
				  *d->env->now_ns + TRY_NS);
			return;
		}
		q->refusals++;
	}
	fail(q);
}

static void on_timer(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	ask(container_of(t, struct question, timer));
}

/* Asks the questions of batch again; what is done for one may end others. */
static void ask_again(struct dns *d, struct list *batch)
{
	struct list *first;

	while ((first = list_first(batch))) {
		list_del(first);
		list_add_tail(&d->busy, first);
		ask(container_of(first, struct question, link));
	}
}

/* The resolver's port is closed, or there is no way to it: what was asked
 * there is asked elsewhere. */
static void refused(struct dns *d, unsigned upstream, unsigned slot)
{
	struct list batch;

	list_init(&batch);
	list_each_safe(it, &d->busy) {
		struct question *q = container_of(it, struct question, link);

		if (!q->tries || q->upstream != upstream || q->slot != slot)
			continue;
		q->tries--;
		q->refusals++;
		list_del(it);
		list_add_tail(&batch, it);
	}
	ask_again(d, &batch);
}

/* True if the message answers what was asked for q. */
static bool answers(const struct dns *d, size_t len, const struct question *q)
{
	struct rd a = rd_init(d->answer, len), b = asked_text(q);
	struct dns_question qa, qb;
	struct rd head = a;

	/* One question only: many would take long to read. */
	if (!dns_hdr_parse(&head, &qa.hdr) || qa.hdr.n_question != 1 ||
	    !dns_question_parse(&a, &qa) || !dns_question_parse(&b, &qb))
		return false;
	return (qa.hdr.flags & DNS_F_QR) && qa.type == qb.type &&
	       qa.class == qb.class && strcasecmp(qa.name, qb.name) == 0;
}

/* The answer p as it is, or longer than max: header and question, truncated
 * (RFC 2181 9); the guest asks again by TCP. */
static void pass(struct question *q, uint8_t *p, size_t len, size_t max)
{
	struct dns *d = q->dns;
	struct rd r = rd_init(q->text, q->len);
	struct wr w = wr_init(d->answer, sizeof(d->answer));

	if (len <= max) {
		reply(q, p, len);
		return;
	}
	if (!dns_emit_error(&w, &r, DNS_NOERROR))
		return;
	d->answer[2] |= DNS_F_TC >> 8;
	reply(q, d->answer, wr_len(&w));
}

/* The last answer, to the guest. */
static void finish(struct question *q, size_t len)
{
	struct dns *d = q->dns;
	struct rd text = rd_init(q->text, q->len);
	struct rd answer = rd_init(d->answer, len);
	struct wr w = wr_init(d->made, sizeof(d->made));
	size_t max = service_room(d->env, &q->guest.ip);
	size_t udp_max;

	if (q->step.stage == DNS64_PLAIN || q->step.stage == DNS64_AAAA) {
		pass(q, d->answer, len, max);
	} else if (dns64_emit_answer(&d->dns64, &q->step, &text, &answer,
				     &w)) {
		udp_max = dns64_udp_max(&text);
		pass(q, d->made, wr_len(&w), udp_max < max ? udp_max : max);
	} else {
		fail(q);
		return;
	}
	done(q);
}

static void take_answer(struct dns *d, unsigned upstream, unsigned slot,
			size_t len)
{
	struct rd r = rd_init(d->answer, len);
	struct question *q = NULL;
	struct dns_hdr h;

	if (dns_hdr_parse(&r, &h))
		q = d->by_id[h.id];
	if (!q || q->upstream != upstream || q->slot != slot ||
	    !answers(d, len, q)) {
		drop(d->env->drops, DROP_DNS_REPLY);
		return;
	}
	d->best = upstream;
	r = rd_init(d->answer, len);
	if (dns64_is_last(&d->dns64, &q->step, &r)) {
		finish(q, len);
		return;
	}
	/* Another id: the old answer once more is none to the next question. */
	name_question(q);
	q->tries = 0;
	q->refusals = 0;
	ask(q);
}

/* Answers of one size that the kernel has joined (UDP_GRO) are taken apart. */
static void take_run(struct dns *d, const struct upsock *u, size_t len,
		     size_t piece)
{
	size_t at = 0;

	if (!piece || piece > len)
		piece = len;
	do {
		size_t n = len - at < piece ? len - at : piece;

		memcpy(d->answer, d->run + at, n);
		take_answer(d, u->upstream, u->slot, n);
		at += n;
	} while (at < len);
}

static void on_socket(struct host_sock *s, unsigned events)
{
	struct upsock *u = container_of(s, struct upsock, sock);
	struct dns *d = u->dns;
	struct host *h = d->env->host;

	(void)events; /* errors come by recv as well */
	while (s->fd >= 0) {
		struct iovec iov = {.iov_base = d->run,
				    .iov_len = sizeof(d->run)};
		struct host_msg m = {.iov = &iov, .n_iov = 1};
		int r = h->ops->recv_batch(h, s, &m, 1);

		if (r == 1) {
			take_run(d, u, m.len, m.gso_size);
			continue;
		}
		if (r < 0 && r != -EAGAIN && r != -EINTR) {
			refused(d, u->upstream, u->slot);
			continue;
		}
		break;
	}
}

void dns_set_upstreams(struct dns *d, const struct endpoint *ep, unsigned n)
{
	const struct endpoint local = {.ip = addr_v4(127, 0, 0, 1),
				       .port = DNS_PORT};
	struct list batch;

	close_upstreams(d);
	if (!n) {
		ep = &local;
		n = 1;
	}
	d->n_up = n > DNS_UPSTREAMS_MAX ? DNS_UPSTREAMS_MAX : n;
	d->best = 0;
	for (unsigned i = 0; i < d->n_up; i++)
		d->up[i].ep = ep[i];
	list_each(it, &d->busy) {
		struct question *q = container_of(it, struct question, link);

		q->tries = 0;
		q->refusals = 0;
	}
	list_init(&batch);
	list_splice(&batch, &d->busy);
	ask_again(d, &batch);
}

static void on_probe(struct host_sock *s, unsigned events)
{
	(void)s; /* nothing is sent by it */
	(void)events;
}

/* The address that the host would use for this upstream now: unspecified, if
 * it has no way there; false: it cannot be asked. */
static bool find_source(const struct dns *d, const struct upstream *up,
			addr *ap)
{
	struct host *h = d->env->host;
	struct host_sock s = {.fd = -1, .event = on_probe};
	struct endpoint own;
	bool has_way;

	if (h->ops->open(h, &s, HOST_UDP, !addr_is_v4(&up->ep.ip)) < 0)
		return false;
	has_way = h->ops->connect(h, &s, &up->ep) == 0 &&
		  h->ops->local(h, &s, &own) == 0;
	h->ops->close(h, &s, false);
	*ap = has_way ? own.ip : (addr){{0}};
	return true;
}

/* Closes the sockets of an upstream that have another address than the host
 * would give them now: a connected socket keeps what it began with, and what
 * has no way any more is not waited for. */
static void close_stale(struct dns *d, struct upstream *up)
{
	struct host *h = d->env->host;
	struct endpoint own;
	unsigned n_open = 0;
	addr now;

	for (unsigned k = 0; k < DNS_SOCKETS; k++)
		n_open += up->s[k].sock.fd >= 0;
	if (!n_open || !find_source(d, up, &now))
		return;
	for (unsigned k = 0; k < DNS_SOCKETS; k++) {
		struct host_sock *s = &up->s[k].sock;

		if (s->fd >= 0 && (h->ops->local(h, s, &own) < 0 ||
				   !addr_eq(&own.ip, &now)))
			h->ops->close(h, s, false);
	}
}

void dns_network(struct dns *d)
{
	struct list batch;

	for (unsigned i = 0; i < d->n_up; i++)
		close_stale(d, &d->up[i]);
	list_init(&batch);
	list_each_safe(it, &d->busy) {
		struct question *q = container_of(it, struct question, link);

		if (d->up[q->upstream].s[q->slot].sock.fd >= 0)
			continue;
		q->tries = 0;
		q->refusals = 0;
		list_del(it);
		list_add_tail(&batch, it);
	}
	ask_again(d, &batch);
}

const struct dns64 *dns_dns64(const struct dns *d)
{
	return &d->dns64;
}

struct endpoint dns_tcp_upstream(const struct dns *d)
{
	return d->up[d->best].ep;
}

/* What a guest has in flight already. */
struct census {
	unsigned n;	       /* all questions */
	unsigned n_port;       /* those of its port */
	unsigned n_guest;      /* questions of this guest */
	unsigned n_same;       /* of them with the same content */
	struct question *same; /* from the same port with the same id */
};

static struct census look(struct dns *d, const struct packet *pkt,
			  const uint8_t *payload, size_t len)
{
	uint32_t port = service_payer(d->env);
	struct census c = {0};

	list_each(it, &d->busy) {
		struct question *q = container_of(it, struct question, link);

		c.n++;
		c.n_port += q->port == port;
		/* Neither of the two can be lent to get more. */
		if (!addr_eq(&q->guest.ip, &pkt->src.ip) &&
		    !mac_eq(q->guest_mac, pkt->eth_src))
			continue;
		c.n_guest++;
		if (q->len == len &&
		    memcmp(q->text + 2, payload + 2, len - 2) == 0)
			c.n_same++;
		if (endpoint_eq(&q->guest, &pkt->src) &&
		    memcmp(q->text, payload, 2) == 0)
			c.same = q;
	}
	return c;
}

static void answer_at_once(struct dns *d, const struct packet *pkt,
			   const struct rd *msg, enum dns_rcode rcode)
{
	uint8_t buf[DNS_QUESTION_MAX + DNS_HDR_LEN];
	struct wr w = wr_init(buf, sizeof(buf));

	if (dns_emit_error(&w, msg, rcode))
		send_answer(d, pkt->eth_src, &pkt->dst.ip, &pkt->src, buf,
			    wr_len(&w));
}

/* What we answer ourselves; true if that is all. */
static bool answer_own(struct dns *d, const struct packet *pkt,
		       const struct rd *msg)
{
	struct wr w = wr_init(d->made, sizeof(d->made));

	if (!dns64_emit_own(&d->dns64, msg, &w))
		return false;
	send_answer(d, pkt->eth_src, &pkt->dst.ip, &pkt->src, d->made,
		    wr_len(&w));
	return true;
}

/* NULL: all are in use, or what this guest may have of them. */
static struct question *take_question(struct dns *d, const struct census *c)
{
	uint32_t port = service_payer(d->env);
	struct question *q;

	if (c->n_guest >= DNS_PER_GUEST ||
	    service_port_is_full(port, c->n_port, c->n, DNS_QUESTIONS))
		return NULL;
	q = slab_alloc_raw(&d->memory);
	if (!q)
		return NULL;
	q->dns = d;
	q->port = port;
	q->id = 0;
	timer_init(&q->timer, on_timer);
	name_question(q);
	list_add_tail(&d->busy, &q->link);
	return q;
}

void dns_input(struct dns *d, const struct packet *pkt, const uint8_t *payload,
	       size_t len)
{
	struct rd r = rd_init(payload, len);
	/* Who asks by IPv4 has it. */
	bool is_v6 = !addr_is_v4(&pkt->src.ip);
	struct dns_question view;
	struct question *q;
	struct census c;

	if (len > DNS_QUESTION_MAX || !dns_question_parse(&r, &view) ||
	    (view.hdr.flags & DNS_F_QR)) {
		drop(d->env->drops, DROP_DNS_BAD);
		return;
	}
	if (view.hdr.n_question != 1) {
		answer_at_once(d, pkt, &r, DNS_FORMERR);
		return;
	}
	if (is_v6 && answer_own(d, pkt, &r))
		return;
	c = look(d, pkt, payload, len);
	if (c.same && c.same->len == len &&
	    memcmp(c.same->text, payload, len) == 0) {
		c.same->guest_mac = pkt->eth_src;
		return; /* it is being asked already */
	}
	if (c.same)
		done(c.same); /* the guest was started anew */
	if (c.n_same >= DNS_SAME_MAX) {
		answer_at_once(d, pkt, &r, DNS_SERVFAIL);
		return;
	}
	q = take_question(d, &c);
	if (!q) {
		drop(d->env->drops, DROP_DNS_BUSY);
		return;
	}
	q->guest = pkt->src;
	q->asked = pkt->dst.ip;
	q->guest_id = view.hdr.id;
	q->guest_mac = pkt->eth_src;
	q->tries = 0;
	q->refusals = 0;
	q->len = (uint16_t)len;
	q->step = (struct dns64_step){.stage = DNS64_PLAIN};
	if (is_v6)
		q->step = dns64_begin(&d->dns64, &r);
	memcpy(q->text, payload, len);
	ask(q);
}

void dns_ways(struct dns *d, bool has_v6)
{
	d->dns64.is_only_way = !has_v6;
}
