/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors that guests send about what came to them (icmp.h).
 * Called by the gateway; one worker's thread.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/cursor.h"
#include "nat/icmp_priv.h"
#include "wire/udp.h"

/* behind the longest IP header */
enum { QUOTE_MAX = 60 + UDP_HDR_LEN + 64 };

/* True if h refuses; it is ICMP's afterwards, whichever it was. */
static bool is_refusal(const addr *from, struct icmp_hdr *h)
{
	if (!addr_is_v4(from) && !icmp_to4(&h->type, &h->code))
		return false;
	/* 15 is the last that RFC 1812 5.2.7.1 knows. */
	return h->type == ICMP_UNREACHABLE && h->code <= 15 &&
	       h->code != ICMP_U_FRAG_NEEDED;
}

/* Of a UDP datagram, from its length field on. */
static void take_payload(struct rd *r, struct icmp_refusal *rp)
{
	size_t len;

	rp->len = rd_u16(r);
	rp->len = rp->len > UDP_HDR_LEN ? rp->len - UDP_HDR_LEN : 0;
	rd_skip(r, 2);
	len = rd_left(r);
	if (len > sizeof(rp->payload))
		len = sizeof(rp->payload);
	if (len > rp->len)
		len = rp->len;
	memcpy(rp->payload, r->p, len);
	rp->n_payload = (uint8_t)len;
}

bool icmp_is_refusal(const struct packet *pkt, const struct frame *f,
		     struct icmp_refusal *rp)
{
	uint8_t b[ICMP_HDR_LEN + QUOTE_MAX];
	uint32_t len = pkt->l4_len < sizeof(b) ? pkt->l4_len : sizeof(b);
	struct icmp_quote q;
	struct icmp_hdr h;
	struct rd r;

	if (pkt->proto != icmp_proto(&pkt->src.ip) ||
	    !frame_copy(f, pkt->l4_off, len, b))
		return false;
	r = rd_init(b, len);
	if (!icmp_parse(&r, &h) || !is_refusal(&pkt->src.ip, &h) ||
	    !icmp_parse_quote(&r, &q))
		return false;
	/* A machine speaks for itself only. */
	if ((q.proto != IPPROTO_UDP && q.proto != IPPROTO_TCP) || q.is_later ||
	    q.l4_len < UDP_HDR_LEN || !addr_eq(&q.dst.ip, &pkt->src.ip))
		return false;
	*rp = (struct icmp_refusal){.proto = q.proto,
				    .guest = q.dst,
				    .peer = q.src,
				    .code = h.code};
	r = rd_init(q.l4, q.l4_len);
	rd_skip(&r, 4);
	if (q.proto == IPPROTO_TCP)
		rp->seq = rd_u32(&r);
	else
		take_payload(&r, rp);
	return true;
}

/* The window that it is now. */
static void turn_window(struct icmp_refusals *r, uint64_t now_ns)
{
	uint64_t w = now_ns / (ICMP_REFUSAL_MS * UINT64_C(1000000)) + 1;

	if (w == r->window)
		return;
	r->n_before = w == r->window + 1 ? r->n_asking : 0;
	r->n_asking = 0;
	r->n = 0;
	r->window = w;
}

bool icmp_ration_refusal(struct icmp *ic)
{
	struct icmp_refusals *r = &ic->refusals;
	uint32_t i = lan_ingress(ic->env->lan) % ICMP_REFUSERS;
	unsigned n_ports, share;

	turn_window(r, *ic->env->now_ns);
	if (r->port[i].window != r->window) {
		r->port[i].window = r->window;
		r->port[i].n = 0;
		r->n_asking++;
	}
	n_ports = r->n_asking > r->n_before ? r->n_asking : r->n_before;
	share = ICMP_REFUSALS / (n_ports + 1);
	if (r->n >= ICMP_REFUSALS || r->port[i].n >= (share ? share : 1)) {
		drop(ic->env->drops, DROP_ICMP_RATE);
		return false;
	}
	r->port[i].n++;
	r->n++;
	return true;
}
