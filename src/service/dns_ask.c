/* SPDX-License-Identifier: BSD-3-Clause */
/* The way of a question to the resolvers and back; see dns_priv.h. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/be.h"
#include "service/dns_priv.h"

#define TRY_NS UINT64_C(1500000000)

static void on_socket(struct host_sock *s, unsigned events);

uint64_t dns_draw(struct dns *d)
{
	/* A keyed hash of a counter. */
	d->random++;
	return hash_bytes(&d->key, &d->random, sizeof(d->random));
}

/* --- what is sent --- */

/* What is asked in this step, in d->made if need be; the id is the guest's. */
static struct rd step_text(const struct question *q)
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

/* Half of the letters of the name at p become others' case, as seed has it. */
static void change_letters(const struct dns *d, uint64_t seed, uint8_t *p)
{
	uint64_t bits = 0;

	for (unsigned i = 0; *p; p++) {
		for (uint8_t n = *p; n; n--) {
			uint8_t c = dns_lower(*++p);
			bool is_letter = c >= 'a' && c <= 'z';

			if (!is_letter)
				continue;
			if (i++ % 64 == 0) {
				seed++;
				bits = hash_bytes(&d->key, &seed, sizeof(seed));
			}
			*p = bits & 1 ? (uint8_t)(c & ~0x20) : c;
			bits >>= 1;
		}
	}
}

/* The same as it is sent, which is in d->made. */
static struct rd sent_text(const struct question *q)
{
	struct dns *d = q->dns;
	struct rd text = step_text(q);
	size_t len = rd_left(&text);

	if (text.p != d->made)
		memcpy(d->made, text.p, len);
	if (!q->is_plain)
		change_letters(d, q->letters, d->made + DNS_HDR_LEN);
	return rd_init(d->made, len);
}

/* The name that is asked for, on the wire. */
static size_t step_name(const struct question *q, uint8_t name[DNS_NAME_LEN])
{
	struct rd text = step_text(q);

	return dns_question_name(&text, name);
}

/* --- sockets --- */

void dns_servers_init(struct dns *d)
{
	for (unsigned i = 0; i < DNS_SERVERS_MAX; i++) {
		for (unsigned k = 0; k < DNS_SOCKETS; k++)
			d->servers.s[i].s[k] = (struct dns_upsock){
				.sock = {.fd = -1, .event = on_socket},
				.dns = d,
				.server = (uint8_t)i,
				.slot = (uint8_t)k,
			};
	}
}

void dns_server_close(struct dns *d, struct dns_server *s)
{
	struct host *h = d->env->host;

	for (unsigned k = 0; k < DNS_SOCKETS; k++)
		h->ops->close(h, &s->s[k].sock, false);
}

/* True while it is asked by this socket. */
static bool is_asked_by(const struct question *q, const struct dns_upsock *u)
{
	return q->tries && !q->leader && q->server == u->server &&
	       q->slot == u->slot;
}

static bool is_in_use(const struct dns *d, const struct dns_upsock *u)
{
	list_each(it, &d->busy) {
		if (is_asked_by(container_of(it, struct question, link), u))
			return true;
	}
	return false;
}

/* A connected socket of the server, opened when first needed, and again with
 * another port after a while. */
static int open_socket(struct dns *d, const struct dns_server *s,
		       struct dns_upsock *u)
{
	struct host *h = d->env->host;
	int r;

	if (u->sock.fd >= 0 && u->n_sent >= DNS_SOCKET_USES && !is_in_use(d, u))
		h->ops->close(h, &u->sock, false);
	if (u->sock.fd >= 0)
		return 0;
	u->n_sent = 0;
	r = h->ops->open(h, &u->sock, HOST_UDP, !addr_is_v4(&s->ep.ip));
	if (r < 0)
		return r;
	r = h->ops->connect(h, &u->sock, &s->ep);
	if (r < 0)
		h->ops->close(h, &u->sock, false);
	return r;
}

/* --- asking --- */

/* Gives q an id of ours, in place of what it had. */
static void name_question(struct question *q)
{
	struct dns *d = q->dns;
	uint16_t id;

	do {
		id = (uint16_t)dns_draw(d);
	} while (d->by_id[id]);
	if (d->by_id[q->id] == q)
		d->by_id[q->id] = NULL;
	d->by_id[id] = q;
	q->id = id;
}

/* By one of the server's sockets; 0, or negative as the kernel says. */
static int send_to(struct question *q, unsigned server)
{
	struct dns *d = q->dns;
	struct host *h = d->env->host;
	struct dns_server *s = &d->servers.s[server];
	struct dns_upsock *u = &s->s[dns_draw(d) % DNS_SOCKETS];
	struct iovec iov = {.iov_base = d->made};
	struct host_msg m = {.iov = &iov, .n_iov = 1};
	struct rd text;
	int r = open_socket(d, s, u);

	q->server = (uint8_t)server;
	q->slot = u->slot;
	if (r < 0)
		return r;
	q->letters = dns_draw(d);
	q->is_plain |= s->folds_case;
	text = sent_text(q);
	iov.iov_len = rd_left(&text);
	put_be16(d->made, q->id);
	u->n_sent++;
	r = h->ops->send_batch(h, &u->sock, &m, 1);
	/* The refusal of an earlier question may be told here. */
	if (r < 0 && r != -EAGAIN)
		r = h->ops->send_batch(h, &u->sock, &m, 1);
	if (r < 0)
		return r;
	d->stats.n_asked++;
	q->sent_ns = *d->env->now_ns;
	timer_arm(d->env->wheel, &q->timer, q->sent_ns + TRY_NS);
	return 0;
}

static void probe(struct question *q, unsigned chosen);

/* The next server, -1: none is left. */
static int next_server(struct question *q)
{
	struct dns *d = q->dns;
	uint8_t name[DNS_NAME_LEN];
	size_t len = step_name(q, name);
	int i = dns_servers_pick(&d->servers, name, len, q->tried | q->refused);

	if (i >= 0)
		return i;
	q->tried = 0;
	return dns_servers_pick(&d->servers, name, len, q->refused);
}

/* Sends the question to its next server; gives up after DNS_TRIES, or as soon
 * as every server has refused. */
static void ask(struct question *q)
{
	struct dns *d = q->dns;
	int i;

	while (q->tries < DNS_TRIES && (i = next_server(q)) >= 0) {
		bool is_first = !q->tries && !q->refused;

		q->tried |= UINT64_C(1) << i;
		q->is_plain = false;
		if (send_to(q, (unsigned)i) == 0) {
			q->tries++;
			if (is_first)
				probe(q, (unsigned)i);
			return;
		}
		q->refused |= UINT64_C(1) << i;
		dns_server_failed(&d->servers.s[i], false, 0, *d->env->now_ns);
	}
	dns_question_fail(q);
}

static void end_probe(struct question *q)
{
	q->dns->servers.s[q->server].is_probed = false;
	dns_question_done(q);
}

static void on_timer(struct timer *t, uint64_t now_ns)
{
	struct question *q = container_of(t, struct question, timer);
	struct dns_server *s = &q->dns->servers.s[q->server];

	dns_server_failed(s, true, q->sent_ns, now_ns);
	if (q->is_probe)
		end_probe(q);
	else
		ask(q);
}

/* The same question to a server that is down, or was not measured for long. */
static void probe(struct question *q, unsigned chosen)
{
	struct dns *d = q->dns;
	uint8_t name[DNS_NAME_LEN];
	size_t len = step_name(q, name);
	struct question *p;
	struct rd text;
	int i;

	/* Guests come first. */
	if (d->memory.n_used >= DNS_QUESTIONS / 2)
		return;
	i = dns_servers_probe(&d->servers, name, len, chosen,
			      *d->env->now_ns);
	p = i < 0 ? NULL : slab_alloc(&d->memory);
	if (!p)
		return;
	p->dns = d;
	p->is_probe = true;
	list_init(&p->followers);
	timer_init(&p->timer, on_timer);
	list_add_tail(&d->busy, &p->link);
	text = step_text(q);
	p->len = (uint16_t)rd_left(&text);
	memcpy(p->text, text.p, p->len);
	name_question(p);
	d->servers.s[i].is_probed = true;
	p->tries = 1;
	if (send_to(p, (unsigned)i) == 0)
		return;
	dns_server_failed(&d->servers.s[i], false, 0, *d->env->now_ns);
	end_probe(p);
}

/* Asks the questions of batch again; what is done for one may end others. */
static void ask_batch(struct dns *d, struct list *batch)
{
	struct list *first;

	while ((first = list_first(batch))) {
		struct question *q = container_of(first, struct question, link);

		list_del(first);
		list_add_tail(&d->busy, first);
		if (q->is_probe)
			end_probe(q);
		else
			ask(q);
	}
}

/* The resolver's port is closed, or there is no way to it: what was asked
 * there is asked elsewhere. */
static void refused(struct dns *d, const struct dns_upsock *u)
{
	struct list batch;

	list_init(&batch);
	dns_server_failed(&d->servers.s[u->server], false, 0, *d->env->now_ns);
	list_each_safe(it, &d->busy) {
		struct question *q = container_of(it, struct question, link);

		if (!is_asked_by(q, u))
			continue;
		q->tries--;
		q->refused |= UINT64_C(1) << u->server;
		list_del(it);
		list_add_tail(&batch, it);
	}
	ask_batch(d, &batch);
}

void dns_ask_again(struct dns *d, bool only_closed)
{
	struct list batch;

	list_init(&batch);
	list_each_safe(it, &d->busy) {
		struct question *q = container_of(it, struct question, link);
		const struct dns_server *s = &d->servers.s[q->server];

		if (q->leader || (only_closed && s->s[q->slot].sock.fd >= 0))
			continue;
		q->tries = 0;
		q->tried = 0;
		q->refused = 0;
		q->is_plain = false;
		list_del(it);
		list_add_tail(&batch, it);
	}
	ask_batch(d, &batch);
}

/* --- answers --- */

/* The answer p as it is, or longer than the guest takes: header and question,
 * truncated (RFC 2181 9); the guest asks again by TCP. */
static void pass(struct question *q, uint8_t *p, size_t len)
{
	struct dns *d = q->dns;
	struct rd r = rd_init(q->text, q->len);
	struct wr w = wr_init(d->answer, sizeof(d->answer));

	if (len <= dns_room(d, &r, &q->guest.ip)) {
		dns_question_reply(q, p, len);
		return;
	}
	if (!dns_emit_error(&w, &r, DNS_NOERROR))
		return;
	d->answer[2] |= DNS_F_TC >> 8;
	dns_question_reply(q, d->answer, wr_len(&w));
}

/* The last answer, to the guest. */
static void finish(struct question *q, size_t len)
{
	struct dns *d = q->dns;
	struct rd text = rd_init(q->text, q->len);
	struct rd answer = rd_init(d->answer, len);
	struct wr w = wr_init(d->made, sizeof(d->made));

	if (q->step.stage == DNS64_PLAIN || q->step.stage == DNS64_AAAA) {
		pass(q, d->answer, len);
	} else if (dns64_emit_answer(&d->dns64, &q->step, &text, &answer,
				     &w)) {
		pass(q, d->made, wr_len(&w));
	} else {
		dns_question_fail(q);
		return;
	}
	dns_question_done(q);
}

/* What was asked in this step has its answer, in d->answer, with the question
 * as it was to be asked. */
static void answered(struct question *q, size_t len)
{
	struct rd r = rd_init(q->dns->answer, len);

	if (dns64_is_last(&q->dns->dns64, &q->step, &r))
		finish(q, len);
	else
		dns_question_begin(q);
}

/* The same for all who follow q. */
static void answered_all(struct question *q, size_t len)
{
	struct dns *d = q->dns;
	const struct rd shared = rd_init(d->shared, len);
	struct list followers, *first;

	list_init(&followers);
	list_splice(&followers, &q->followers);
	if (!list_empty(&followers))
		memcpy(d->shared, d->answer, len);
	/* One that begins again may follow another, but q no more. */
	q->same = 0;
	timer_disarm(d->env->wheel, &q->timer);
	answered(q, len);
	while ((first = list_first(&followers))) {
		struct question *f =
			container_of(first, struct question, follow);
		struct rd text = step_text(f);
		struct wr w = wr_init(d->answer, sizeof(d->answer));

		list_del(first);
		f->leader = NULL;
		f->same = 0;
		if (dns_cache_adopt(&text, &shared, &w))
			answered(f, wr_len(&w));
		else
			dns_question_fail(f);
	}
}

enum match {
	MATCH_NONE,
	MATCH_NAME, /* in other letters */
	MATCH_ALL,
};

/* How far the message answers what was asked for q. */
static enum match match(const struct dns *d, size_t len,
			const struct question *q)
{
	struct rd a = rd_init(d->answer, len), b = sent_text(q);
	struct dns_question qa, qb;
	struct rd head = a;

	/* One question only: many would take long to read. */
	if (!dns_hdr_parse(&head, &qa.hdr) || qa.hdr.n_question != 1 ||
	    !dns_question_parse(&a, &qa) || !dns_question_parse(&b, &qb))
		return MATCH_NONE;
	if (!(qa.hdr.flags & DNS_F_QR) || qa.type != qb.type ||
	    qa.class != qb.class || qa.end != qb.end ||
	    strcasecmp(qa.name, qb.name) != 0)
		return MATCH_NONE;
	return memcmp(a.p + DNS_HDR_LEN, b.p + DNS_HDR_LEN,
		      qa.end - DNS_HDR_LEN) == 0
		       ? MATCH_ALL
		       : MATCH_NAME;
}

/* An answer in other letters may be a guess.  Once more without a choice of
 * letters, under another id and maybe by another port: a server that has its
 * own answers that too, and is known for it from then on. */
static void ask_plainly(struct question *q)
{
	q->is_plain = true;
	name_question(q);
	if (send_to(q, q->server) < 0)
		ask(q);
}

/* A server that says no may be the wrong one for this name: the others are
 * asked as well, as the C library does. */
static bool is_refusal(const struct question *q, size_t len)
{
	struct rd r = rd_init(q->dns->answer, len);
	uint8_t name[DNS_NAME_LEN];
	struct dns_hdr h;
	unsigned rcode;

	if (!dns_hdr_parse(&r, &h))
		return false;
	rcode = h.flags & DNS_F_RCODE;
	return (rcode == DNS_SERVFAIL || rcode == DNS_REFUSED ||
		rcode == DNS_NOTIMP) &&
	       q->tries < DNS_TRIES &&
	       dns_servers_pick(&q->dns->servers, name, step_name(q, name),
				q->tried | q->refused) >= 0;
}

/* The question asked has this answer, which is the server's. */
static void take_sound(struct question *q, size_t len)
{
	struct dns *d = q->dns;
	struct dns_server *s = &d->servers.s[q->server];
	struct rd text, answer = rd_init(d->answer, len);
	struct dns_question view;

	dns_server_answered(s, q->sent_ns, *d->env->now_ns);
	s->folds_case |= q->is_plain;
	if (q->is_probe) {
		end_probe(q);
		return;
	}
	if (is_refusal(q, len)) {
		ask(q);
		return;
	}
	text = step_text(q);
	if (dns_question_parse(&text, &view))
		memcpy(d->answer + DNS_HDR_LEN, text.p + DNS_HDR_LEN,
		       view.end - DNS_HDR_LEN);
	dns_cache_put(d->cache, &text, &answer, q->port, *d->env->now_ns);
	answered_all(q, len);
}

static void take_answer(const struct dns_upsock *u, size_t len)
{
	struct dns *d = u->dns;
	struct rd r = rd_init(d->answer, len);
	struct question *q = NULL;
	enum match m = MATCH_NONE;
	struct dns_hdr h;

	if (dns_hdr_parse(&r, &h))
		q = d->by_id[h.id];
	if (q && is_asked_by(q, u))
		m = match(d, len, q);
	if (m == MATCH_ALL || (m == MATCH_NAME && q->is_plain)) {
		take_sound(q, len);
		return;
	}
	drop(d->env->drops, DROP_DNS_REPLY);
	if (m == MATCH_NAME)
		ask_plainly(q);
}

/* Answers of one size that the kernel has joined (UDP_GRO) are taken apart. */
static void take_run(const struct dns_upsock *u, size_t len, size_t piece)
{
	struct dns *d = u->dns;
	size_t at = 0;

	if (!piece || piece > len)
		piece = len;
	do {
		size_t n = len - at < piece ? len - at : piece;

		memcpy(d->answer, d->run + at, n);
		take_answer(u, n);
		at += n;
	} while (at < len);
}

static void on_socket(struct host_sock *s, unsigned events)
{
	struct dns_upsock *u = container_of(s, struct dns_upsock, sock);
	struct dns *d = u->dns;
	struct host *h = d->env->host;

	(void)events; /* errors come by recv as well */
	while (s->fd >= 0) {
		struct iovec iov = {.iov_base = d->run,
				    .iov_len = sizeof(d->run)};
		struct host_msg m = {.iov = &iov, .n_iov = 1};
		int r = h->ops->recv_batch(h, s, &m, 1);

		if (r == 1) {
			take_run(u, m.len, m.gso_size);
			continue;
		}
		if (r < 0 && r != -EAGAIN && r != -EINTR) {
			refused(d, u);
			continue;
		}
		break;
	}
}

/* --- the beginning and the end --- */

/* Who asks the same, and is asked. */
static struct question *find_leader(const struct question *q)
{
	list_each(it, &q->dns->busy) {
		struct question *o = container_of(it, struct question, link);

		if (o != q && o->same == q->same && o->tries && !o->leader &&
		    !o->is_probe)
			return o;
	}
	return NULL;
}

void dns_question_begin(struct question *q)
{
	struct dns *d = q->dns;
	struct rd text = step_text(q);
	struct wr w = wr_init(d->answer, sizeof(d->answer));
	struct dns_cache_key key;

	q->tries = 0;
	q->tried = 0;
	q->refused = 0;
	q->is_plain = false;
	q->leader = NULL;
	q->same = 0;
	timer_init(&q->timer, on_timer);
	if (dns_cache_get(d->cache, &text, *d->env->now_ns, &w)) {
		d->stats.n_known++;
		answered(q, wr_len(&w));
		return;
	}
	if (dns_cache_key(&text, &key)) {
		q->same = hash_bytes(&d->key, key.b, key.len) | 1;
		q->leader = find_leader(q);
	}
	if (q->leader) {
		list_add_tail(&q->leader->followers, &q->follow);
		return;
	}
	/* Another id: an old answer once more is none to the next question. */
	name_question(q);
	ask(q);
}

void dns_question_done(struct question *q)
{
	struct dns *d = q->dns;
	struct list followers, *first;

	list_init(&followers);
	list_splice(&followers, &q->followers);
	timer_disarm(d->env->wheel, &q->timer);
	if (q->leader)
		list_del(&q->follow);
	if (d->by_id[q->id] == q)
		d->by_id[q->id] = NULL;
	list_del(&q->link);
	slab_free(&d->memory, q);
	while ((first = list_first(&followers))) {
		list_del(first);
		dns_question_begin(
			container_of(first, struct question, follow));
	}
}

/* Nobody answers: so that the guest is not left waiting. */
static void reply_failed(struct question *q)
{
	uint8_t buf[DNS_QUESTION_MAX + DNS_HDR_LEN];
	struct rd r = rd_init(q->text, q->len);
	struct wr w = wr_init(buf, sizeof(buf));

	drop(q->dns->env->drops, DROP_DNS_SILENT);
	q->dns->stats.n_failed++;
	if (dns_emit_error(&w, &r, DNS_SERVFAIL))
		dns_question_reply(q, buf, wr_len(&w));
}

void dns_question_fail(struct question *q)
{
	struct list *first;

	while ((first = list_first(&q->followers))) {
		struct question *f =
			container_of(first, struct question, follow);

		list_del(first);
		f->leader = NULL;
		reply_failed(f);
		dns_question_done(f); /* it has no followers itself */
	}
	reply_failed(q);
	dns_question_done(q);
}
