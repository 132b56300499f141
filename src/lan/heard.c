/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of machines, as they say; see heard.h. */
#include "lan/heard.h"

#include "lan/lan_priv.h"
#include "wire/eth.h"
#include "wire/neighbour.h"

enum { IP6_AT_SRC = 8 };

static unsigned place_of(const struct port *p, const addr *ip)
{
	unsigned i = 0;

	while (i < p->n_heard && !addr_eq(&p->heard[i], ip))
		i++;
	return i;
}

/* The i-th place is free, the ones behind it move up. */
static void take_out(struct port *p, unsigned i)
{
	p->n_heard--;
	memmove(&p->heard[i], &p->heard[i + 1],
		(p->n_heard - i) * sizeof(p->heard[0]));
}

static void tell(struct port *p)
{
	const struct lan_events *e = &p->lan->events;

	if (e->heard)
		e->heard(e->arg, p);
}

/* Somebody else has it now. */
static void take_from_others(struct port *p, const addr *ip)
{
	list_each(it, &p->lan->ports) {
		struct port *o = container_of(it, struct port, link_all);
		unsigned i = place_of(o, ip);

		if (o == p || i == o->n_heard)
			continue;
		take_out(o, i);
		tell(o);
	}
}

void heard_put(struct port *p, const addr *ip)
{
	unsigned i = place_of(p, ip);

	if (p->caps.is_uplink || p->caps.is_ours || !addr_is_unicast(ip))
		return;
	if (p->n_heard && i == 0)
		return;
	if (i == p->n_heard)
		take_from_others(p, ip);
	if (i == HEARD_MAX)
		i--;
	else if (i == p->n_heard)
		p->n_heard++;
	memmove(&p->heard[1], &p->heard[0], i * sizeof(p->heard[0]));
	p->heard[0] = *ip;
	tell(p);
}

/* ARP and neighbour discovery tell whose an address is.  Who asks for one and
 * has none is about to take it (RFC 4862 5.4): if it is another's, that one is
 * heard next. */
void heard_frame(struct port *from, const struct frame *f)
{
	struct rd r = rd_init(f->hdr, f->hdr_len);
	struct neighbour n;
	const uint8_t *src;
	struct eth_hdr eth;
	addr ip;

	if (!eth_parse(&r, &eth))
		return;
	if (neighbour_parse(f->hdr, f->hdr_len, f->len, &n))
		heard_put(from, &n.from);
	if (eth.type != ETH_T_IP6)
		return;
	rd_skip(&r, IP6_AT_SRC);
	src = rd_bytes(&r, sizeof(ip.b));
	if (!src)
		return;
	memcpy(ip.b, src, sizeof(ip.b));
	if (addr_is_link_local6(&ip))
		heard_put(from, &ip);
}

void lan_heard(struct lan *lan, const addr *ip)
{
	if (lan->ingress)
		heard_put(lan->ingress, ip);
}

bool lan_is_heard(const struct lan *lan, const addr *ip)
{
	const struct port *p = lan->ingress;

	return p && place_of(p, ip) < p->n_heard;
}

void heard_forget(struct port *p)
{
	if (!p->n_heard)
		return;
	p->n_heard = 0;
	tell(p);
}
