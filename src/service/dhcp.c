/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCP server; see dhcp.h. */
#include "service/dhcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/dhcp.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	LEASE_SECONDS = 86400, /* QEMU's */
	OFFER_SECONDS = 60,
	REST_SECONDS = 600,
	TEXT_LEN = 256,
	REPLY_ROOM = 1472,     /* an Ethernet frame's */
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
	strncpy(d->hostname, c->hostname, TEXT_LEN - 1);
	strncpy(d->domain, c->domain, TEXT_LEN - 1);
	w = wr_init(d->search, sizeof(d->search));
	if (c->n_search && dhcp_search_encode(&w, c->search, c->n_search))
		d->search_len = wr_len(&w);
	else if (c->n_search)
		log_warn(env->log, "dnssearch= does not fit a DHCP option; "
				   "guests are not told of it");
	if (lease_table_init(&d->leases, &env->net4, &c->first) < 0) {
		free(d);
		return -ENOMEM;
	}
	lease_reserve(&d->leases, &env->gw4);
	lease_reserve(&d->leases, &env->dns4);
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

unsigned dhcp_n_leases(const struct dhcp *d)
{
	return d->leases.n_bound;
}

/* What every answer has, and what was asked for (RFC 2131 4.3.1). */
static void put_options(const struct dhcp *d, const struct dhcp_msg *m,
			struct wr *w)
{
	const struct service_env *env = d->env;
	addr broadcast = prefix_broadcast(&env->net4);
	uint32_t mask = UINT32_MAX << (128 - env->net4.len);

	dhcp_emit_u32(w, DHCP_O_MASK, mask);
	dhcp_emit_addr(w, DHCP_O_ROUTER, &env->gw4);
	dhcp_emit_addr(w, DHCP_O_DNS, &env->dns4);
	if (dhcp_wants(m, DHCP_O_BROADCAST))
		dhcp_emit_addr(w, DHCP_O_BROADCAST, &broadcast);
	dhcp_emit_u16(w, DHCP_O_MTU, (uint16_t)env->mtu);
	dhcp_emit_text(w, DHCP_O_HOSTNAME, d->hostname);
	dhcp_emit_text(w, DHCP_O_DOMAIN, d->domain);
	if (d->search_len)
		dhcp_emit_opt(w, DHCP_O_SEARCH, d->search, d->search_len);
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
		.src = {.ip = d->env->gw4, .port = DHCP_PORT_SERVER},
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
	struct wr w = wr_init(buf, reply_room(d, x->m));
	struct dhcp_hdr h = dhcp_reply_hdr(x->m);

	if (l)
		h.yiaddr = l->ip;
	h.siaddr = d->env->gw4;
	if (type == DHCP_ACK)
		h.ciaddr = x->m->hdr.ciaddr;
	dhcp_emit_hdr(&w, &h);
	if (type != DHCP_NONE) {
		dhcp_emit_u8(&w, DHCP_O_TYPE, (uint8_t)type);
		dhcp_emit_addr(&w, DHCP_O_SERVER_ID, &d->env->gw4);
		if (l) {
			dhcp_emit_u32(&w, DHCP_O_LEASE_TIME, LEASE_SECONDS);
			dhcp_emit_u32(&w, DHCP_O_RENEW_TIME, LEASE_SECONDS / 2);
			dhcp_emit_u32(&w, DHCP_O_REBIND_TIME,
				      LEASE_SECONDS / 8 * 7);
		}
	}
	put_options(d, x->m, &w);
	dhcp_emit_end(&w, 0);
	send_reply(d, x, &w, l ? &l->ip : &x->m->hdr.ciaddr, false);
}

static void refuse(struct dhcp *d, const struct exchange *x, const char *why)
{
	const addr none = addr_v4(0, 0, 0, 0);
	uint8_t buf[DHCP_SURE_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct dhcp_hdr h = dhcp_reply_hdr(x->m);

	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, DHCP_NAK);
	dhcp_emit_addr(&w, DHCP_O_SERVER_ID, &d->env->gw4);
	dhcp_emit_text(&w, DHCP_O_MESSAGE, why);
	dhcp_emit_end(&w, 0);
	send_reply(d, x, &w, &none, true);
}

static void confirm(struct dhcp *d, const struct exchange *x, struct lease *l)
{
	lease_bind(&d->leases, l, x->now_ns + LEASE_SECONDS * SECOND_NS);
	if (!dhcp_find_text(x->m, DHCP_O_HOSTNAME, l->name, sizeof(l->name)))
		l->name[0] = '\0';
	if (d->bound)
		d->bound(d->arg, &l->ip, x->client.mac);
}

static struct lease *offer(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = lease_offer(&d->leases, &x->client, &x->want,
				      x->now_ns,
				      x->now_ns + OFFER_SECONDS * SECOND_NS);

	if (!l)
		drop(d->env->drops, DROP_DHCP_NO_LEASE);
	return l;
}

static void on_discover(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = offer(d, x);

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

	if (selecting && !addr_eq(&server, &d->env->gw4)) {
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
	if (own && own != l && own->state != LEASE_RESTED)
		lease_release(&d->leases, own);
	if (!l || !lease_is_free_for(&d->leases, l, &x->client, x->now_ns)) {
		refuse(d, x, "requested address not available");
		return;
	}
	l = offer(d, x);
	if (!l)
		return;
	if (!addr_eq(&l->ip, &x->want)) {
		lease_release(&d->leases, l);
		refuse(d, x, "requested address not available");
		return;
	}
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

static void on_decline(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = lease_find(&d->leases, &x->client);

	if (l && addr_eq(&l->ip, &x->want))
		lease_rest(&d->leases, l,
			   x->now_ns + REST_SECONDS * SECOND_NS);
}

static void on_release(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = lease_find(&d->leases, &x->client);

	if (l && l->state == LEASE_BOUND &&
	    addr_eq(&l->ip, &x->m->hdr.ciaddr))
		lease_release(&d->leases, l);
}

static void on_inform(struct dhcp *d, const struct exchange *x)
{
	if (prefix_has(&d->env->net4, &x->m->hdr.ciaddr))
		answer(d, x, DHCP_ACK, NULL);
	else
		drop(d->env->drops, DROP_DHCP_BAD);
}

/* RFC 2131 4.2: the identifier with its type, else hardware type and MAC. */
static void identify(const struct dhcp_msg *m, const struct packet *pkt,
		     struct lease_client *c)
{
	struct rd r;

	*c = (struct lease_client){.sender = pkt->eth_src};
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

static void dispatch(struct dhcp *d, const struct exchange *x)
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
	identify(&d->msg, pkt, &x.client);
	if (!dhcp_find_addr(&d->msg, DHCP_O_REQUESTED_IP, &x.want))
		x.want = d->msg.hdr.ciaddr;
	dispatch(d, &x);
}
