/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCP server; see dhcp.h. */
#include "service/dhcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "service/client_name.h"
#include "wire/dhcp.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	TEXT_LEN = 256,
	REPLY_ROOM = 1472,     /* an Ethernet frame's */
	FQDN_F_E = 1 << 2,     /* RFC 4702 2.1 */
};

struct dhcp {
	const struct service_env *env; /* borrowed */
	struct lease_table leases;
	dhcp_bound_fn bound;
	void *arg;
	char hostname[TEXT_LEN];
	char domain[TEXT_LEN];
	uint8_t search[TEXT_LEN]; /* as option 119 has it */
	size_t search_len;
	addr router;
	bool hides_router, hides_dns;
	addr nameserver;
	struct dhcp_msg msg; /* scratch of one call */
};

/* One request that is being answered. */
struct exchange {
	const struct dhcp_msg *m;
	const struct packet *pkt;
	struct lease_client client;
	addr want; /* requested or current address; unspecified = none */
	uint64_t now_ns;
};

int dhcp_new(const struct service_env *env, const struct dhcp_config *c,
	     dhcp_bound_fn bound, void *arg, struct dhcp **dp)
{
	struct dhcp *d = calloc(1, sizeof(*d));
	struct wr w;

	if (!d)
		return -ENOMEM;
	d->env = env;
	d->bound = bound;
	d->arg = arg;
	d->router = addr_is_unspecified(&c->router) ? env->v4.gw : c->router;
	d->hides_router = c->hides_router;
	d->hides_dns = c->hides_dns;
	d->nameserver = addr_is_unspecified(&c->nameserver) ? env->v4.dns
							    : c->nameserver;
	strncpy(d->hostname, c->hostname, TEXT_LEN - 1);
	strncpy(d->domain, c->domain, TEXT_LEN - 1);
	w = wr_init(d->search, sizeof(d->search));
	if (c->n_search && dhcp_search_encode(&w, c->search, c->n_search))
		d->search_len = wr_len(&w);
	else if (c->n_search)
		log_warn(env->log, "dnssearch= does not fit a DHCP option; "
				   "guests are not told of it");
	if (lease_table_init(&d->leases, &env->v4.net, &c->first) < 0) {
		free(d);
		return -ENOMEM;
	}
	lease_keep_first(&d->leases, c->n_kept);
	lease_reserve(&d->leases, &env->v4.net.ip);
	lease_reserve(&d->leases, &env->v4.gw);
	lease_reserve(&d->leases, &d->router);
	lease_reserve(&d->leases, &env->v4.dns);
	lease_reserve(&d->leases, &d->nameserver);
	*dp = d;
	return 0;
}

struct dhcp *dhcp_free(struct dhcp *d)
{
	if (!d)
		return NULL;
	lease_table_deinit(&d->leases);
	free(d);
	return NULL;
}

void dhcp_reserve(struct dhcp *d, const addr *ip)
{
	lease_reserve(&d->leases, ip);
}

void dhcp_keep(struct dhcp *d, const addr *ip, mac m)
{
	lease_keep_for(&d->leases, ip, m);
}

unsigned dhcp_n_leases(const struct dhcp *d)
{
	return lease_n_bound(&d->leases);
}

struct lease_table *dhcp_leases_of(struct dhcp *d)
{
	return &d->leases;
}

void dhcp_leases(const struct dhcp *d, dhcp_lease_fn fn, void *arg)
{
	for (unsigned i = 0; i < d->leases.n; i++) {
		const struct lease *l = &d->leases.lease[i];

		if (l->state == LEASE_BOUND)
			fn(arg, l);
	}
}

static uint32_t netmask(const struct prefix *p)
{
	unsigned host_bits = 128u - p->len;

	return host_bits < 32 ? UINT32_MAX << host_bits : 0;
}

/* The options of one answer, in the making. */
struct answer {
	const struct dhcp *d;
	struct wr w;
	bool has_lease;	  /* times are told */
	bool is_put[256]; /* by option code */
};

/* Without these a client is not on the network: whatever else it asked for
 * comes after them or leaves them room. The order is QEMU's. */
static const struct {
	uint8_t code;
	uint8_t len;
} essential[] = {
	{DHCP_O_MASK, 4},	{DHCP_O_ROUTER, 4},	{DHCP_O_DNS, 4},
	{DHCP_O_LEASE_TIME, 4}, {DHCP_O_RENEW_TIME, 4}, {DHCP_O_REBIND_TIME, 4},
	{DHCP_O_MTU, 2},
};

/* What else we have to say, asked or not, while there is room. */
static const uint8_t extra[] = {DHCP_O_HOSTNAME, DHCP_O_DOMAIN, DHCP_O_SEARCH};

/* An option of any length, unless an essential one or the end would then not
 * fit. */
static void put_if_room(struct answer *a, uint8_t code, const void *p,
			size_t len)
{
	size_t rest = 1; /* the end option */

	for (unsigned i = 0; i < array_len(essential); i++) {
		if (!a->is_put[essential[i].code])
			rest += dhcp_opt_len(essential[i].len);
	}
	if (len && dhcp_opt_len(len) + rest <= wr_left(&a->w))
		dhcp_emit_opt(&a->w, code, p, len);
}

static void put_time(struct answer *a, uint8_t code, uint32_t seconds)
{
	if (a->has_lease)
		dhcp_emit_u32(&a->w, code, seconds);
}

static void put_broadcast(struct answer *a)
{
	addr broadcast = prefix_broadcast(&a->d->env->v4.net);

	put_if_room(a, DHCP_O_BROADCAST, broadcast.b + 12, 4);
}

static void put_text(struct answer *a, uint8_t code, const char *text)
{
	put_if_room(a, code, text, strlen(text));
}

/* Option code if we have it, once. */
static void put_option(struct answer *a, uint8_t code)
{
	const struct dhcp *d = a->d;
	const struct service_env *env = d->env;

	if (a->is_put[code])
		return;
	a->is_put[code] = true;
	switch (code) {
	case DHCP_O_MASK:
		dhcp_emit_u32(&a->w, code, netmask(&env->v4.net));
		return;
	case DHCP_O_ROUTER:
		if (!d->hides_router)
			dhcp_emit_addr(&a->w, code, &d->router);
		return;
	case DHCP_O_DNS:
		if (!d->hides_dns)
			dhcp_emit_addr(&a->w, code, &d->nameserver);
		return;
	case DHCP_O_LEASE_TIME:
		put_time(a, code, LEASE_SECONDS);
		return;
	case DHCP_O_RENEW_TIME:
		put_time(a, code, LEASE_SECONDS / 2);
		return;
	case DHCP_O_REBIND_TIME:
		put_time(a, code, LEASE_SECONDS / 8 * 7);
		return;
	case DHCP_O_MTU:
		dhcp_emit_u16(&a->w, code, (uint16_t)env->mtu);
		return;
	case DHCP_O_BROADCAST:
		put_broadcast(a);
		return;
	case DHCP_O_IPV6_ONLY:
		if (env->nat64.len)
			dhcp_emit_u32(&a->w, code, DHCP_IPV6_ONLY_SECONDS);
		return;
	case DHCP_O_HOSTNAME:
		put_text(a, code, d->hostname);
		return;
	case DHCP_O_DOMAIN:
		put_text(a, code, d->domain);
		return;
	case DHCP_O_SEARCH:
		put_if_room(a, code, d->search, d->search_len);
		return;
	}
}

/* First in the order the client asked for (option 55, RFC 2132 9.8), then
 * what it needs all the same. */
static void put_options(struct answer *a, const struct dhcp_msg *m)
{
	struct rd params;

	if (dhcp_find(m, DHCP_O_PARAMS, &params)) {
		while (rd_left(&params))
			put_option(a, rd_u8(&params));
	}
	for (unsigned i = 0; i < array_len(essential); i++)
		put_option(a, essential[i].code);
	for (unsigned i = 0; i < array_len(extra); i++)
		put_option(a, extra[i]);
}

/* Where an answer goes (RFC 2131 4.1): to the client's own address if it has
 * one, to everybody if it asks for that, else to the MAC with the address it
 * is about to get. */
static void address_answer(const struct exchange *x, const addr *yiaddr,
			   bool is_nak, struct service_dgram *g)
{
	const struct dhcp_hdr *h = &x->m->hdr;

	g->to = x->client.mac;
	g->dst = (struct endpoint){.ip = *yiaddr, .port = DHCP_PORT_CLIENT};
	if (!is_nak && !addr_is_unspecified(&h->ciaddr)) {
		g->dst.ip = h->ciaddr;
	} else if (is_nak || (h->flags & DHCP_F_BROADCAST) ||
		   addr_is_unspecified(yiaddr)) {
		g->to = MAC_BROADCAST;
		g->dst.ip = addr_v4(255, 255, 255, 255);
	}
}

/* As much as the client takes (option 57), in one frame. */
static size_t reply_room(const struct dhcp *d, const struct dhcp_msg *m)
{
	uint16_t max = 0;
	size_t room = DHCP_SURE_LEN;

	if (dhcp_find_u16(m, DHCP_O_MAX_SIZE, &max) && max >= 576)
		room = (size_t)max - 28;
	if (room > REPLY_ROOM)
		room = REPLY_ROOM;
	if (room > d->env->mtu - 28)
		room = d->env->mtu - 28;
	return room;
}

static void send_reply(struct dhcp *d, const struct exchange *x,
		       const struct wr *w, const addr *yiaddr, bool is_nak)
{
	struct service_dgram g = {
		.src = {.ip = d->env->v4.gw, .port = DHCP_PORT_SERVER},
		.payload = w->start,
		.len = wr_len(w),
	};

	address_answer(x, yiaddr, is_nak, &g);
	if (!wr_ok(w) || !service_send(d->env, &g))
		drop(d->env->drops, DROP_DHCP_BAD);
}

/* OFFER, ACK, the ACK of an INFORM (lease NULL), or a BOOTP reply. */
static void answer(struct dhcp *d, const struct exchange *x,
		   enum dhcp_type type, const struct lease *l)
{
	uint8_t buf[REPLY_ROOM];
	struct answer a = {
		.d = d,
		.w = wr_init(buf, reply_room(d, x->m)),
		.has_lease = l && type != DHCP_NONE,
	};
	struct dhcp_hdr h = dhcp_reply_hdr(x->m);

	if (l)
		h.yiaddr = l->ip;
	h.siaddr = d->env->v4.gw;
	if (type == DHCP_ACK)
		h.ciaddr = x->m->hdr.ciaddr;
	dhcp_emit_hdr(&a.w, &h);
	if (type != DHCP_NONE) {
		dhcp_emit_u8(&a.w, DHCP_O_TYPE, (uint8_t)type);
		dhcp_emit_addr(&a.w, DHCP_O_SERVER_ID, &d->env->v4.gw);
	}
	put_options(&a, x->m);
	dhcp_emit_end(&a.w, 0);
	send_reply(d, x, &a.w, l ? &l->ip : &x->m->hdr.ciaddr, false);
}

static void refuse(struct dhcp *d, const struct exchange *x, const char *why)
{
	const addr none = addr_v4(0, 0, 0, 0);
	uint8_t buf[DHCP_SURE_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct dhcp_hdr h = dhcp_reply_hdr(x->m);

	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, DHCP_NAK);
	dhcp_emit_addr(&w, DHCP_O_SERVER_ID, &d->env->v4.gw);
	dhcp_emit_text(&w, DHCP_O_MESSAGE, why);
	dhcp_emit_end(&w, 0);
	send_reply(d, x, &w, &none, true);
}

/* The name of option 81: in wire form if its flag E says so (RFC 4702 2.1). */
static bool fqdn_text(struct rd *r, char *buf, size_t room)
{
	uint8_t flags = rd_u8(r);

	rd_skip(r, 2); /* two rcodes of old */
	return rd_ok(r) && client_name_parse(r, flags & FQDN_F_E, buf, room);
}

/* What the client calls itself; kept when it does not say so again. */
static void learn_name(const struct dhcp_msg *m, struct lease *l)
{
	char name[LEASE_NAME_LEN] = "";
	struct rd r;

	if (dhcp_find_text(m, DHCP_O_HOSTNAME, name, sizeof(name)) ||
	    (dhcp_find(m, DHCP_O_FQDN, &r) &&
	     fqdn_text(&r, name, sizeof(name))))
		memcpy(l->name, name, sizeof(name));
}

static void confirm(struct dhcp *d, const struct exchange *x, struct lease *l)
{
	lease_bind(&d->leases, l, x->now_ns + LEASE_SECONDS * SECOND_NS);
	learn_name(x->m, l);
	if (d->bound)
		d->bound(d->arg, &l->ip, x->client.mac);
}

static struct lease *offer(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = lease_offer(
		&d->leases, &x->client, &x->want,
		x->now_ns + LEASE_OFFER_SECONDS * SECOND_NS);

	if (!l)
		drop(d->env->drops, DROP_DHCP_NO_LEASE);
	return l;
}

static void on_discover(struct dhcp *d, struct exchange *x)
{
	struct lease *l;

	x->want = lease_wish(&d->leases, &x->client, &x->want);
	l = offer(d, x);
	if (l)
		answer(d, x, DHCP_OFFER, l);
}

/* A client that asks for exactly this address: SELECTING, INIT-REBOOT,
 * RENEWING, REBINDING.  One that we do not know (we were started anew) gets
 * the address if it is free. */
static void on_request(struct dhcp *d, const struct exchange *x)
{
	addr server;
	bool selecting = dhcp_find_addr(x->m, DHCP_O_SERVER_ID, &server);
	struct lease *own = lease_find(&d->leases, &x->client);
	struct lease *l;

	if (selecting && !addr_eq(&server, &d->env->v4.gw)) {
		/* It took another server's offer; ours is free again. */
		if (own && own->state == LEASE_OFFERED)
			lease_release(&d->leases, own);
		return;
	}
	if (addr_is_unspecified(&x->want)) {
		drop(d->env->drops, DROP_DHCP_BAD);
		return;
	}
	l = lease_at(&d->leases, &x->want);
	if (!l || !lease_may_have(&d->leases, l, &x->client)) {
		refuse(d, x, "requested address not available");
		return;
	}
	if (own && own != l && own->state != LEASE_RESTED)
		lease_release(&d->leases, own);
	l = offer(d, x);
	if (!l)
		return;
	confirm(d, x, l);
	answer(d, x, DHCP_ACK, l);
}

/* BOOTP: an address without a question back. */
static void on_bootp(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = offer(d, x);

	if (!l)
		return;
	confirm(d, x, l);
	answer(d, x, DHCP_NONE, l);
}

/* True if a message that ends a lease means one of ours. */
static bool is_for_us(const struct dhcp *d, const struct dhcp_msg *m)
{
	addr server;

	return !dhcp_find_addr(m, DHCP_O_SERVER_ID, &server) ||
	       addr_eq(&server, &d->env->v4.gw);
}

static void on_decline(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = lease_find(&d->leases, &x->client);

	if (l && l->state != LEASE_FREE && addr_eq(&l->ip, &x->want) &&
	    is_for_us(d, x->m))
		lease_rest(&d->leases, l,
			   x->now_ns + LEASE_REST_SECONDS * SECOND_NS);
}

static void on_release(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = lease_find(&d->leases, &x->client);

	if (l && l->state == LEASE_BOUND &&
	    addr_eq(&l->ip, &x->m->hdr.ciaddr) && is_for_us(d, x->m))
		lease_release(&d->leases, l);
}

static void on_inform(struct dhcp *d, const struct exchange *x)
{
	if (prefix_has(&d->env->v4.net, &x->m->hdr.ciaddr))
		answer(d, x, DHCP_ACK, NULL);
	else
		drop(d->env->drops, DROP_DHCP_BAD);
}

/* RFC 2131 4.2: the identifier with its type, else hardware type and MAC. */
static void identify(const struct dhcp_msg *m, const struct packet *pkt,
		     uint32_t port, struct lease_client *c)
{
	struct rd r;

	*c = (struct lease_client){.sender = pkt->eth_src, .port = port};
	memcpy(c->mac.b, m->hdr.chaddr, sizeof(c->mac.b));
	if (dhcp_find(m, DHCP_O_CLIENT_ID, &r) && rd_left(&r) >= 2 &&
	    rd_left(&r) <= sizeof(c->id)) {
		c->id_len = rd_left(&r);
		rd_copy(&r, c->id, c->id_len);
		return;
	}
	c->id[0] = DHCP_HTYPE_ETHERNET;
	memcpy(c->id + 1, c->mac.b, sizeof(c->mac.b));
	c->id_len = 1 + sizeof(c->mac.b);
}

static bool is_acceptable(const struct dhcp_msg *m)
{
	const struct dhcp_hdr *h = &m->hdr;
	mac chaddr = mac_bytes(h->chaddr);

	return h->op == DHCP_REQUEST_OP && h->htype == DHCP_HTYPE_ETHERNET &&
	       h->hlen == sizeof(chaddr.b) && !mac_is_group(chaddr) &&
	       !mac_is_zero(chaddr) && addr_is_unspecified(&h->giaddr);
}

static void dispatch(struct dhcp *d, struct exchange *x)
{
	switch (x->m->type) {
	case DHCP_NONE:
		on_bootp(d, x);
		return;
	case DHCP_DISCOVER:
		on_discover(d, x);
		return;
	case DHCP_REQUEST:
		on_request(d, x);
		return;
	case DHCP_DECLINE:
		on_decline(d, x);
		return;
	case DHCP_RELEASE:
		on_release(d, x);
		return;
	case DHCP_INFORM:
		on_inform(d, x);
		return;
	case DHCP_OFFER:
	case DHCP_ACK:
	case DHCP_NAK:
		break; /* a server's */
	}
	drop(d->env->drops, DROP_DHCP_BAD);
}

void dhcp_input(struct dhcp *d, const struct packet *pkt,
		const uint8_t *payload, size_t len)
{
	struct rd r = rd_init(payload, len);
	struct exchange x = {
		.m = &d->msg,
		.pkt = pkt,
		.now_ns = *d->env->now_ns,
	};

	if (!dhcp_parse(&r, &d->msg) || !is_acceptable(&d->msg)) {
		drop(d->env->drops, DROP_DHCP_BAD);
		return;
	}
	lease_expire(&d->leases, x.now_ns);
	identify(&d->msg, pkt, service_payer(d->env), &x.client);
	if (!dhcp_find_addr(&d->msg, DHCP_O_REQUESTED_IP, &x.want))
		x.want = d->msg.hdr.ciaddr;
	dispatch(d, &x);
}
