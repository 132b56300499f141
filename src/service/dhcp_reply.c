/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCP server's answers; see dhcp_priv.h. */
#include <string.h>

#include "base/be.h"
#include "base/mem.h"
#include "service/dhcp_priv.h"

enum {
	REPLY_ROOM = 1472, /* an Ethernet frame's */
	AT_SNAME = 44,	   /* of the fixed part (RFC 2131 2) */
	AT_FILE = AT_SNAME + DHCP_SNAME_LEN,
	OVERLOAD_LEN = 3,
};

static uint32_t netmask(const struct prefix *p)
{
	unsigned host_bits = 128u - p->len;

	return host_bits < 32 ? UINT32_MAX << host_bits : 0;
}

/* The options of one answer, in the making. */
struct answer {
	const struct dhcp *d;
	struct wr w;
	/* What finds no room there goes here (option 52). */
	struct wr file, sname;
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

/* What must still find room behind what is put now. */
static size_t rest_of(const struct answer *a)
{
	/* the end option, and which says that there is more elsewhere */
	size_t rest = 1 + OVERLOAD_LEN;
	struct rd own;

	for (unsigned i = 0; i < array_len(essential); i++) {
		if (a->is_put[essential[i].code])
			continue;
		if (dhcp_told_find(&a->d->told, essential[i].code, &own))
			rest += dhcp_opt_len(rd_left(&own));
		else
			rest += dhcp_opt_len(essential[i].len);
	}
	return rest;
}

static bool fits(const struct wr *w, size_t len, size_t rest)
{
	return wr_left(w) >= rest && dhcp_opt_len(len) <= wr_left(w) - rest;
}

/* An option of any length, unless an essential one or the end would then not
 * fit. */
static void put_if_room(struct answer *a, uint8_t code, const void *p,
			size_t len)
{
	struct wr *w = NULL;

	if (!len)
		return;
	if (fits(&a->w, len, rest_of(a)))
		w = &a->w;
	else if (fits(&a->file, len, 1))
		w = &a->file;
	else if (fits(&a->sname, len, 1))
		w = &a->sname;
	if (w)
		dhcp_emit_opt(w, code, p, len);
}

static void put_u32(struct answer *a, uint8_t code, uint32_t v)
{
	const addr as_bytes = addr_v4_u32(v);

	put_if_room(a, code, as_bytes.b + 12, 4);
}

static void put_addr(struct answer *a, uint8_t code, const addr *ip)
{
	put_if_room(a, code, ip->b + 12, 4);
}

static void put_time(struct answer *a, uint8_t code, uint32_t seconds)
{
	if (a->has_lease)
		put_u32(a, code, seconds);
}

/* T1 and T2; a lease that does not end has none. */
static void put_turn(struct answer *a, uint8_t code, uint32_t eighths)
{
	uint32_t s = a->d->lease_s;

	if (s != DHCP_FOREVER)
		put_time(a, code, (uint32_t)((uint64_t)s * eighths / 8));
}

static void put_text(struct answer *a, uint8_t code, const char *text)
{
	put_if_room(a, code, text, strlen(text));
}

/* What the server says by itself. */
static void put_own(struct answer *a, uint8_t code)
{
	const struct dhcp *d = a->d;
	const struct service_env *env = d->env;
	const addr broadcast = prefix_broadcast(&env->v4.net);
	uint8_t mtu[2];

	put_be16(mtu, env->mtu);
	switch (code) {
	case DHCP_O_MASK:
		put_u32(a, code, netmask(&env->v4.net));
		return;
	case DHCP_O_ROUTER:
		if (!d->hides_router)
			put_addr(a, code, &d->router);
		return;
	case DHCP_O_DNS:
		if (!d->hides_dns)
			put_addr(a, code, &d->nameserver);
		return;
	case DHCP_O_LEASE_TIME:
		put_time(a, code, d->lease_s);
		return;
	case DHCP_O_RENEW_TIME:
		put_turn(a, code, 4);
		return;
	case DHCP_O_REBIND_TIME:
		put_turn(a, code, 7);
		return;
	case DHCP_O_MTU:
		put_if_room(a, code, mtu, sizeof(mtu));
		return;
	case DHCP_O_BROADCAST:
		put_addr(a, code, &broadcast);
		return;
	case DHCP_O_IPV6_ONLY:
		if (env->nat64.len)
			put_u32(a, code, DHCP_IPV6_ONLY_SECONDS);
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

/* Option code if we have it, once. */
static void put_option(struct answer *a, uint8_t code)
{
	struct rd own;

	if (a->is_put[code])
		return;
	a->is_put[code] = true;
	if (dhcp_told_find(&a->d->told, code, &own))
		put_if_room(a, code, own.p, rd_left(&own));
	else
		put_own(a, code);
}

/* First in the order the client asked for (option 55, RFC 2132 9.8), then
 * what it needs all the same. */
static void put_options(struct answer *a, const struct dhcp_msg *m)
{
	const struct dhcp_told *told = &a->d->told;
	struct rd params;

	if (dhcp_find(m, DHCP_O_PARAMS, &params)) {
		while (rd_left(&params))
			put_option(a, rd_u8(&params));
	}
	for (unsigned i = 0; i < array_len(essential); i++)
		put_option(a, essential[i].code);
	for (unsigned i = 0; i < told->n; i++)
		put_option(a, (uint8_t)told->opt[i].code);
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
	else
		d->n_answers++;
}

/* Says which of the two fields hold options, and ends those. */
static void put_overload(struct answer *a)
{
	uint8_t which = 0;

	if (wr_len(&a->file)) {
		which |= DHCP_OVERLOAD_FILE;
		wr_u8(&a->file, DHCP_O_END);
	}
	if (wr_len(&a->sname)) {
		which |= DHCP_OVERLOAD_SNAME;
		wr_u8(&a->sname, DHCP_O_END);
	}
	if (which)
		dhcp_emit_u8(&a->w, DHCP_O_OVERLOAD, which);
}

/* The fields that a boot does not want can hold options. */
static void begin_overload(struct answer *a, uint8_t *buf,
			   const struct dhcp_hdr *h, enum dhcp_type type)
{
	bool is_bootp = type == DHCP_NONE;

	a->file = wr_init(buf + AT_FILE,
			  is_bootp || h->file[0] ? 0 : DHCP_FILE_LEN);
	a->sname = wr_init(buf + AT_SNAME,
			   is_bootp || h->sname[0] ? 0 : DHCP_SNAME_LEN);
}

/* An option with the boot file that was given replaces the service's in the
 * fixed part too, which there are clients (iPXE) that look at first. */
static void tell_file(const struct dhcp_told *t, struct dhcp_hdr *h)
{
	struct rd given;
	size_t len;

	memcpy(h->file, t->file, sizeof(t->file));
	h->file[sizeof(t->file) - 1] = '\0';
	if (!dhcp_told_find(t, DHCP_O_BOOTFILE, &given))
		return;
	len = rd_left(&given);
	if (len >= sizeof(t->file))
		len = 0; /* a part of a name is none */
	rd_copy(&given, h->file, len);
	h->file[len] = '\0';
}

/* What the rules say to this client. */
static void tell(struct dhcp *d, const struct exchange *x, struct dhcp_hdr *h)
{
	struct dhcp_told *t = &d->told;
	const char *name;
	struct rd given;

	dhcp_rules_tell(d->rules, &x->asker, t);
	name = x->client.rule
		       ? dhcp_rules_get(d->rules, x->client.rule)->name
		       : "";
	if (*name && !dhcp_told_find(t, DHCP_O_HOSTNAME, &given))
		dhcp_told_put(t, DHCP_O_HOSTNAME, name, strlen(name));
	h->siaddr = addr_is_unspecified(&t->siaddr) ? d->env->v4.gw
						    : t->siaddr;
	memcpy(h->sname, t->sname, sizeof(t->sname));
	h->sname[sizeof(t->sname) - 1] = '\0';
	tell_file(t, h);
}

void dhcp_answer(struct dhcp *d, const struct exchange *x, enum dhcp_type type,
		 const struct lease *l)
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
	if (type == DHCP_ACK)
		h.ciaddr = x->m->hdr.ciaddr;
	tell(d, x, &h);
	dhcp_emit_hdr(&a.w, &h);
	begin_overload(&a, buf, &h, type);
	if (type != DHCP_NONE) {
		dhcp_emit_u8(&a.w, DHCP_O_TYPE, (uint8_t)type);
		dhcp_emit_addr(&a.w, DHCP_O_SERVER_ID, &d->env->v4.gw);
	}
	put_options(&a, x->m);
	put_overload(&a);
	dhcp_emit_end(&a.w, 0);
	send_reply(d, x, &a.w, l ? &l->ip : &x->m->hdr.ciaddr, false);
}

void dhcp_refuse(struct dhcp *d, const struct exchange *x, const char *why)
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
