/* SPDX-License-Identifier: BSD-3-Clause */
/* The name server and its guests; see dns.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "service/dns_priv.h"

int dns_new(const struct service_env *env, struct dns **dp)
{
	struct dns *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->env = env;
	d->dns64.prefix = env->nat64;
	d->key = hash_key_new();
	list_init(&d->busy);
	if (slab_init(&d->memory, sizeof(struct question), DNS_QUESTIONS) < 0)
		goto err_free;
	if (dns_cache_new(&d->cache) < 0)
		goto err_slab;
	if (dns_names_new(&d->names) < 0)
		goto err_cache;
	dns_set_upstreams(d, NULL, 0);
	*dp = d;
	return 0;

err_cache:
	d->cache = dns_cache_free(d->cache);
err_slab:
	slab_deinit(&d->memory);
err_free:
	free(d);
	return -ENOMEM;
}

static void close_servers(struct dns *d)
{
	for (unsigned i = 0; i < d->servers.n; i++)
		dns_server_close(d, &d->servers.s[i]);
}

struct dns *dns_free(struct dns *d)
{
	if (!d)
		return NULL;
	/* None asks again when the one it follows ends. */
	list_each(it, &d->busy) {
		struct question *q = container_of(it, struct question, link);

		q->leader = NULL;
		list_init(&q->followers);
	}
	while (!list_empty(&d->busy))
		dns_question_done(
			container_of(d->busy.next, struct question, link));
	close_servers(d);
	d->cache = dns_cache_free(d->cache);
	d->names = dns_names_free(d->names);
	slab_deinit(&d->memory);
	free(d);
	return NULL;
}

/* --- answers --- */

/* port: of the lan, that the question came by. */
static void send_answer(struct dns *d, const struct service_dgram *g,
			uint32_t port)
{
	const struct rd text = rd_init(g->payload, g->len);

	if (!service_send(d->env, g))
		drop(d->env->drops, DROP_DNS_BAD);
	else
		dns_told(d, g->to, port, &text);
}

/* The same to who asks just now. */
static void send_to(struct dns *d, const struct packet *pkt,
		    const uint8_t *msg, size_t len)
{
	const struct service_dgram g = {
		.to = pkt->eth_src,
		.src = {.ip = pkt->dst.ip, .port = DNS_PORT},
		.dst = pkt->src,
		.payload = msg,
		.len = len,
	};

	send_answer(d, &g, service_payer(d->env));
}

size_t dns_room(const struct dns *d, const struct rd *query, const addr *guest)
{
	size_t max = service_room(d->env, guest);
	size_t udp_max = dns_udp_max(query);

	return udp_max < max ? udp_max : max;
}

void dns_question_reply(struct question *q, uint8_t *msg, size_t len)
{
	const struct service_dgram g = {
		.to = q->guest_mac,
		.src = {.ip = q->asked, .port = DNS_PORT},
		.dst = q->guest,
		.payload = msg,
		.len = len,
	};

	put_be16(msg, q->guest_id);
	send_answer(q->dns, &g, q->port);
}

/* --- resolvers --- */

static void put_server(struct dns *d, const struct dns_server_config *c)
{
	struct dns_server *s = &d->servers.s[d->servers.n++];

	*s = (struct dns_server){.ep = c->ep, .domain_len = c->domain_len};
	memcpy(s->domain, c->domain, c->domain_len);
}

static bool is_for_all(const struct dns_server_config *c)
{
	return c->domain_len == 1;
}

/* All anew, from d->own and d->host. */
static void make_servers(struct dns *d)
{
	struct dns_server_config c = {
		.domain_len = 1, /* the root */
		.ep = {.ip = addr_v4(127, 0, 0, 1), .port = DNS_PORT},
	};
	bool has_all = false;

	close_servers(d);
	dns_cache_clear(d->cache);
	d->servers.n = 0;
	for (unsigned i = 0; i < d->n_own; i++) {
		put_server(d, &d->own[i]);
		has_all |= is_for_all(&d->own[i]);
	}
	for (unsigned i = 0; i < d->n_host && !has_all; i++) {
		c.ep = d->host[i];
		put_server(d, &c);
	}
	if (!d->n_host && !has_all)
		put_server(d, &c);
	dns_servers_init(d);
	dns_ask_again(d, false);
}

int dns_add_server(struct dns *d, const struct dns_server_config *c)
{
	if (d->n_own >= DNS_OWN_MAX)
		return -ENOBUFS;
	d->own[d->n_own++] = *c;
	make_servers(d);
	return 0;
}

void dns_set_upstreams(struct dns *d, const struct endpoint *ep, unsigned n)
{
	d->n_host = n > DNS_UPSTREAMS_MAX ? DNS_UPSTREAMS_MAX : n;
	if (n)
		memcpy(d->host, ep, d->n_host * sizeof(*ep));
	make_servers(d);
}

static void on_look(struct host_sock *s, unsigned events)
{
	(void)s; /* nothing is sent by it */
	(void)events;
}

/* The address that the host would use for this resolver now: unspecified, if
 * it has no way there; false: it cannot be asked. */
static bool find_source(const struct dns *d, const struct dns_server *s,
			addr *ap)
{
	struct host *h = d->env->host;
	struct host_sock look = {.fd = -1, .event = on_look};
	struct endpoint own;
	bool has_way;

	if (h->ops->open(h, &look, HOST_UDP, !addr_is_v4(&s->ep.ip)) < 0)
		return false;
	has_way = h->ops->connect(h, &look, &s->ep) == 0 &&
		  h->ops->local(h, &look, &own) == 0;
	h->ops->close(h, &look, false);
	*ap = has_way ? own.ip : (addr){{0}};
	return true;
}

/* Closes the sockets of a resolver that have another address than the host
 * would give them now: a connected socket keeps what it began with, and what
 * has no way any more is not waited for. */
static void close_stale(struct dns *d, struct dns_server *s)
{
	struct host *h = d->env->host;
	struct endpoint own;
	unsigned n_open = 0;
	addr now;

	for (unsigned k = 0; k < DNS_SOCKETS; k++)
		n_open += s->s[k].sock.fd >= 0;
	if (!n_open || !find_source(d, s, &now))
		return;
	for (unsigned k = 0; k < DNS_SOCKETS; k++) {
		struct host_sock *u = &s->s[k].sock;

		if (u->fd >= 0 && (h->ops->local(h, u, &own) < 0 ||
				   !addr_eq(&own.ip, &now)))
			h->ops->close(h, u, false);
	}
}

void dns_network(struct dns *d)
{
	for (unsigned i = 0; i < d->servers.n; i++) {
		struct dns_server *s = &d->servers.s[i];

		close_stale(d, s);
		/* Who was out of reach may not be any more. */
		s->rest_ns = 0;
		s->n_failed = 0;
	}
	dns_ask_again(d, true);
}

void dns_ways(struct dns *d, bool has_v6)
{
	d->dns64.is_only_way = !has_v6;
}

void dns_set_zone(struct dns *d, const struct zone_source *src,
		  const char *name, bool is_closed)
{
	(void)zone_init(&d->zone, d->env, src, name); /* none: no zone */
	d->is_closed = is_closed;
}

/* --- for DNS over TCP --- */

const struct dns64 *dns_dns64(const struct dns *d)
{
	return &d->dns64;
}

bool dns_pick(const struct dns *d, const struct rd *question,
	      uint64_t *triedp, struct endpoint *ep)
{
	uint8_t name[DNS_NAME_LEN];
	size_t len = dns_question_name(question, name);
	int i = len ? dns_servers_pick(&d->servers, name, len, *triedp) : -1;

	if (i < 0)
		return false;
	*triedp |= UINT64_C(1) << i;
	*ep = d->servers.s[i].ep;
	return true;
}

bool dns_recall(struct dns *d, const struct rd *question, struct wr *w)
{
	return dns_cache_get(d->cache, question, *d->env->now_ns, w);
}

void dns_learn(struct dns *d, const struct rd *question,
	       const struct rd *answer, uint32_t port)
{
	dns_cache_put(d->cache, question, answer, port, *d->env->now_ns);
}

void dns_told(struct dns *d, mac guest, uint32_t port, const struct rd *answer)
{
	dns_names_learn(d->names, guest, port, answer);
}

const char *dns_looked_up(const struct dns *d, mac guest, const addr *ip)
{
	return dns_names_find(d->names, guest, ip);
}

void dns_stats(const struct dns *d, struct dns_stats *sp)
{
	*sp = d->stats;
}

/* --- questions --- */

/* What a guest has in flight already. */
struct census {
	unsigned n;	       /* all questions */
	unsigned n_port;       /* those of its port */
	unsigned n_guest;      /* questions of this guest */
	unsigned n_same;       /* of them with the same content */
	struct question *same; /* from the same port with the same id */
};

/* Of what is asked, whatever its letters and its id. */
static uint64_t content_of(const struct dns *d, const uint8_t *payload,
			   const struct dns_question *view, size_t len)
{
	uint8_t buf[DNS_QUESTION_MAX];

	memcpy(buf, payload, len);
	for (size_t i = DNS_HDR_LEN; i < view->end - 4; i++)
		buf[i] = dns_lower(buf[i]);
	return hash_bytes(&d->key, buf + 2, len - 2);
}

static struct census look(struct dns *d, const struct packet *pkt,
			  const uint8_t *payload, uint64_t content)
{
	uint32_t port = service_payer(d->env);
	struct census c = {0};

	list_each(it, &d->busy) {
		struct question *q = container_of(it, struct question, link);

		c.n++;
		if (q->is_probe)
			continue;
		c.n_port += q->port == port;
		/* Neither of the two can be lent to get more. */
		if (!addr_eq(&q->guest.ip, &pkt->src.ip) &&
		    !mac_eq(q->guest_mac, pkt->eth_src))
			continue;
		c.n_guest++;
		c.n_same += q->content == content;
		if (endpoint_eq(&q->guest, &pkt->src) &&
		    memcmp(q->text, payload, 2) == 0)
			c.same = q;
	}
	return c;
}

static void answer_at_once(struct dns *d, const struct packet *pkt,
			   const struct rd *msg, enum dns_rcode rcode,
			   uint16_t flags)
{
	uint8_t buf[DNS_QUESTION_MAX + DNS_HDR_LEN];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!dns_emit_error(&w, msg, rcode))
		return;
	buf[2] |= (uint8_t)(flags >> 8);
	send_to(d, pkt, buf, wr_len(&w));
}

bool dns_emit_own(const struct dns *d, const struct rd *msg, bool is_v6,
		  struct wr *w)
{
	if (zone_answer(&d->zone, msg, w) ||
	    (is_v6 && dns64_emit_own(&d->dns64, msg, w)))
		return true;
	return d->is_closed && dns_emit_error(w, msg, DNS_REFUSED);
}

/* What we answer ourselves; true if that is all. */
static bool answer_own(struct dns *d, const struct packet *pkt,
		       const struct rd *msg, bool is_v6)
{
	struct wr w = wr_init(d->made, sizeof(d->made));

	if (!dns_emit_own(d, msg, is_v6, &w))
		return false;
	if (wr_len(&w) > dns_room(d, msg, &pkt->src.ip)) {
		answer_at_once(d, pkt, msg, DNS_NOERROR, DNS_F_TC);
		return true;
	}
	send_to(d, pkt, d->made, wr_len(&w));
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
	*q = (struct question){.dns = d, .port = port};
	list_init(&q->followers);
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
	uint64_t content;
	struct question *q;
	struct census c;

	if (len > DNS_QUESTION_MAX || !dns_question_parse(&r, &view) ||
	    (view.hdr.flags & DNS_F_QR)) {
		drop(d->env->drops, DROP_DNS_BAD);
		return;
	}
	if (view.hdr.n_question != 1) {
		answer_at_once(d, pkt, &r, DNS_FORMERR, 0);
		return;
	}
	d->stats.n_questions++;
	if (answer_own(d, pkt, &r, is_v6)) {
		d->stats.n_own++;
		return;
	}
	content = content_of(d, payload, &view, len);
	c = look(d, pkt, payload, content);
	if (c.same && c.same->len == len &&
	    memcmp(c.same->text, payload, len) == 0) {
		c.same->guest_mac = pkt->eth_src;
		return; /* it is being asked already */
	}
	if (c.same)
		dns_question_done(c.same); /* the guest was started anew */
	if (c.n_same >= DNS_SAME_MAX) {
		drop(d->env->drops, DROP_DNS_SAME);
		answer_at_once(d, pkt, &r, DNS_SERVFAIL, 0);
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
	q->content = content;
	q->len = (uint16_t)len;
	q->step = (struct dns64_step){.stage = DNS64_PLAIN};
	if (is_v6)
		q->step = dns64_begin(&d->dns64, &r);
	memcpy(q->text, payload, len);
	dns_question_begin(q);
}
