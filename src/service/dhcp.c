/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCP server; see dhcp.h.  What it answers is dhcp_reply.c's. */
#include "service/dhcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/client_name.h"
#include "service/dhcp_priv.h"

static void take(struct dhcp *d, const struct probe_msg *in);

enum {
	FQDN_F_E = 1 << 2, /* RFC 4702 2.1 */
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
	strncpy(d->hostname, c->hostname, DHCP_TEXT_LEN - 1);
	strncpy(d->domain, c->domain, DHCP_TEXT_LEN - 1);
	w = wr_init(d->search, sizeof(d->search));
	if (c->n_search && dhcp_search_encode(&w, c->search, c->n_search))
		d->search_len = wr_len(&w);
	else if (c->n_search)
		log_warn(env->log, "dnssearch= does not fit a DHCP option; "
				   "guests are not told of it");
	d->rules = c->rules;
	d->probes = c->probes;
	d->lease_s = c->lease_s ? c->lease_s : LEASE_SECONDS;
	if (lease_table_init(&d->leases, &env->v4.net, &c->pool) < 0) {
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

static bool set_rule(struct lease_table *t, unsigned number,
		     const struct lease *l)
{
	const addr none = {{0}};

	return lease_set_rule(t, number, l ? &l->ip : &none);
}

bool dhcp_reserved(struct dhcp *d, unsigned number)
{
	const struct dhcp_reservation *v = dhcp_rules_get(d->rules, number);
	struct lease_table *t6 = d->leases.twin;
	struct lease *l4 = lease_at(&d->leases, &v->ip4);
	struct lease *l6 = t6 ? lease_at(t6, &v->ip6) : NULL;
	bool found;

	if (!l4 && l6 && addr_is_unspecified(&v->ip4))
		l4 = l6->twin;
	if (!l6 && l4 && addr_is_unspecified(&v->ip6))
		l6 = l4->twin;
	found = set_rule(&d->leases, number, l4);
	if (t6)
		found |= set_rule(t6, number, l6);
	return found;
}

uint32_t dhcp_lease_seconds(const struct dhcp *d)
{
	return d->lease_s;
}

uint16_t dhcp_rule_of(const struct dhcp *d, const struct lease *l)
{
	const struct lease_client *c = &l->client;
	struct dhcp_asker a = {.mac = c->mac};

	a.id = a.duid = rd_init(NULL, 0);
	if (addr_is_v4(&l->ip)) {
		a.id = rd_init(c->id, c->id_len);
		a.duid = dhcp_id_duid(a.id);
	} else {
		a.duid = rd_init(c->id, c->id_len - c->n_part);
	}
	memcpy(a.name, l->name, sizeof(a.name));
	return (uint16_t)dhcp_rules_find(d->rules, &a);
}

void dhcp_keep(struct dhcp *d, const addr *ip, mac m)
{
	lease_keep_for(&d->leases, ip, m);
}

uint64_t dhcp_n_answers(const struct dhcp *d)
{
	return d->n_answers;
}

unsigned dhcp_n_leases(const struct dhcp *d)
{
	return lease_n_bound(&d->leases);
}

struct lease_table *dhcp_leases_of(struct dhcp *d)
{
	return &d->leases;
}

/* The name of option 81: in wire form if its flag E says so (RFC 4702 2.1). */
static bool fqdn_text(struct rd *r, char *buf, size_t room)
{
	uint8_t flags = rd_u8(r);

	rd_skip(r, 2); /* two rcodes of old */
	return rd_ok(r) && client_name_parse(r, flags & FQDN_F_E, buf, room);
}

/* What the client calls itself, "" if it does not say so. */
static void find_name(const struct dhcp_msg *m, char name[LEASE_NAME_LEN])
{
	struct rd r;

	if (dhcp_find_text(m, DHCP_O_HOSTNAME, name, LEASE_NAME_LEN))
		return;
	if (!dhcp_find(m, DHCP_O_FQDN, &r) ||
	    !fqdn_text(&r, name, LEASE_NAME_LEN))
		name[0] = '\0';
}

static void confirm(struct dhcp *d, const struct exchange *x, struct lease *l)
{
	dhcp_learn_name(d->rules, &x->asker, x->client.rule, l, x->now_ns);
	lease_bind(&d->leases, l, lease_end(x->now_ns, d->lease_s));
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

static void on_probed(void *arg, const struct probe_msg *m, const addr *ip,
		      const struct probe_user *user)
{
	struct dhcp *d = arg;

	probe_settle(&d->leases, ip, user, d->env);
	take(d, m);
}

/* True if the offer waits until it is known whether somebody has the
 * address. */
static bool must_wait(struct dhcp *d, const struct exchange *x,
		      const struct lease *l)
{
	return probe_start(d->probes, l, x->client.mac, x->in, on_probed, d);
}

static void on_discover(struct dhcp *d, struct exchange *x)
{
	struct lease *l;

	x->want = lease_wish(&d->leases, &x->client, &x->want);
	l = offer(d, x);
	if (l && !must_wait(d, x, l))
		dhcp_answer(d, x, DHCP_OFFER, l);
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
		dhcp_refuse(d, x, "requested address not available");
		return;
	}
	if (own && own != l && own->state != LEASE_RESTED)
		lease_release(&d->leases, own);
	l = offer(d, x);
	if (!l)
		return;
	confirm(d, x, l);
	dhcp_answer(d, x, DHCP_ACK, l);
}

/* BOOTP: an address without a question back. */
static void on_bootp(struct dhcp *d, const struct exchange *x)
{
	struct lease *l = offer(d, x);

	if (!l || must_wait(d, x, l))
		return;
	confirm(d, x, l);
	dhcp_answer(d, x, DHCP_NONE, l);
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
		dhcp_answer(d, x, DHCP_ACK, NULL);
	else
		drop(d->env->drops, DROP_DHCP_BAD);
}

/* All that the message says of who sent it. */
static void fill_asker(const struct dhcp_msg *m, struct dhcp_asker *a)
{
	*a = (struct dhcp_asker){.m4 = m, .mac = mac_bytes(m->hdr.chaddr)};
	a->id = a->duid = rd_init(NULL, 0);
	if (dhcp_find(m, DHCP_O_CLIENT_ID, &a->id))
		a->duid = dhcp_id_duid(a->id);
	find_name(m, a->name);
}

/* RFC 2131 4.2: the identifier with its type, else hardware type and MAC. */
static void identify(const struct dhcp *d, struct exchange *x)
{
	struct lease_client *c = &x->client;
	struct rd r;

	fill_asker(x->m, &x->asker);
	*c = (struct lease_client){.mac = x->asker.mac,
				   .sender = x->in->pkt.eth_src,
				   .port = x->in->port};
	c->rule = (uint16_t)dhcp_rules_find(d->rules, &x->asker);
	r = x->asker.id;
	if (rd_left(&r) >= 2 && rd_left(&r) <= sizeof(c->id)) {
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

static void take(struct dhcp *d, const struct probe_msg *in)
{
	struct rd r = rd_init(in->payload, in->len);
	struct exchange x = {
		.m = &d->msg,
		.in = in,
		.now_ns = *d->env->now_ns,
	};

	if (!dhcp_parse(&r, &d->msg) || !is_acceptable(&d->msg)) {
		drop(d->env->drops, DROP_DHCP_BAD);
		return;
	}
	lease_expire(&d->leases, x.now_ns);
	identify(d, &x);
	if (!dhcp_find_addr(&d->msg, DHCP_O_REQUESTED_IP, &x.want))
		x.want = d->msg.hdr.ciaddr;
	dispatch(d, &x);
}

void dhcp_input(struct dhcp *d, const struct packet *pkt,
		const uint8_t *payload, size_t len)
{
	const struct probe_msg in = {
		.pkt = *pkt,
		.port = service_payer(d->env),
		.payload = payload,
		.len = len,
	};

	take(d, &in);
}
