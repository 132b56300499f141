/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams to a guest (out.h).  Called by icmp and udp on the worker's
 * thread.
 */
#include "nat/out.h"

#include <netinet/in.h>
#include <string.h>

#include "base/cursor.h"
#include "wire/csum.h"

void out_init(struct out *o, const struct nat_env *env)
{
	o->env = env;
	o->ip_id = 0;
	o->hold = NULL;
	o->b.n = 0;
}

static struct ip_hdr header(const struct out_addr *a, uint32_t l4_len)
{
	return (struct ip_hdr){.src = a->src,
			       .dst = a->dst,
			       .l4_len = l4_len,
			       .proto = a->proto,
			       .ttl = a->ttl,
			       .tos = a->tos};
}

void out_put_ip(uint8_t *p, const struct nat_env *env, const struct out_addr *a,
		uint32_t l4_len)
{
	struct wr w = wr_init(p, out_l4(&a->dst));
	struct ip_hdr ip = header(a, l4_len);

	ip_emit_frame(&w, a->to, env->gw_mac, &ip);
}

void out_udp_head(struct out_dgram *d, uint16_t sport, uint16_t dport)
{
	struct wr w = wr_init(d->head, UDP_HDR_LEN);
	struct udp_hdr udp = {.sport = sport,
			      .dport = dport,
			      .len = (uint16_t)(UDP_HDR_LEN + d->len)};
	uint64_t sum = csum_pseudo(&d->a.src, &d->a.dst, IPPROTO_UDP, udp.len);

	if (d->is_partial) {
		udp.csum = csum_partial(sum);
	} else {
		udp_emit(&w, &udp);
		sum = csum_add(d->head, UDP_HDR_LEN, sum);
		udp.csum = csum_stored(csum_add(d->payload, d->len, sum),
				       UDP_AT_CSUM);
		w = wr_init(d->head, UDP_HDR_LEN);
	}
	udp_emit(&w, &udp);
}

void out_flush(struct out *o)
{
	const struct nat_env *env = o->env;

	if (o->b.n == 0)
		return;
	if (o->hold && env->hold)
		for (unsigned i = 0; i < o->b.n; i++)
			env->hold(env->arg, o->hold, &o->b.f[i]);
	else if (o->hold)
		drop_n(env->drops, DROP_NEIGH_FAILED, o->b.n);
	else
		(void)lan_input(env->port, &o->b, false); /* it counts */
	o->b.n = 0;
}

/* What the exit is to do with a datagram whose transport header is at l4. */
static struct frame_offload offload(const struct out_dgram *d, uint32_t l4)
{
	struct frame_offload o = {0};

	if (d->is_partial)
		o = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
					   .csum_start = (uint16_t)l4,
					   .csum_offset = 6};
	if (d->gso_size) {
		o.gso = addr_is_v4(&d->a.dst) ? FRAME_GSO_UDP4
					      : FRAME_GSO_UDP6;
		o.gso_size = d->gso_size;
		o.hdr_len = (uint16_t)(l4 + UDP_HDR_LEN);
	}
	return o;
}

/* Queues the l4_len bytes of head and payload from ip->off on behind ip. */
static void put_frame(struct out *o, const struct out_dgram *d,
		      const struct ip_hdr *ip)
{
	uint8_t *hdr = o->hdr[o->b.n];
	struct frame *f = &o->b.f[o->b.n];
	struct wr w = wr_init(hdr, FRAME_HDR_MAX);
	uint32_t off = ip->off, len = ip->l4_len, used, n;

	ip_emit_frame(&w, d->a.to, o->env->gw_mac, ip);
	used = (uint32_t)wr_len(&w);
	if (off == 0) {
		memcpy(hdr + used, d->head, OUT_HEAD_MAX);
		used += OUT_HEAD_MAX;
		len -= OUT_HEAD_MAX;
	} else {
		off -= OUT_HEAD_MAX;
	}
	n = FRAME_HDR_MAX - used;
	if (n > len)
		n = len;
	if (n > 0)
		memcpy(hdr + used, d->payload + off, n);
	*f = frame_flat(hdr, used + n);
	f->off = offload(d, out_l4(&d->a.dst));
	if (len > n) {
		o->iov[o->b.n] = (struct iovec){
			.iov_base = (void *)(uintptr_t)(d->payload + off + n),
			.iov_len = len - n};
		f->iov = &o->iov[o->b.n];
		f->n_iov = 1;
		f->len += len - n;
	}
	if (++o->b.n == OUT_FRAMES)
		out_flush(o);
}

void out_dgram(struct out *o, const struct out_dgram *d)
{
	uint32_t l4_len = OUT_HEAD_MAX + d->len;
	uint32_t room = o->env->mtu - ip_hdr_len(&d->a.dst);
	struct ip_hdr ip = header(&d->a, l4_len);

	if (l4_len <= room || d->gso_size) {
		put_frame(o, d, &ip);
		return;
	}
	ip.is_fragment = true;
	/* In IPv6 the protocols have one room of numbers; each protocol's
	 * part counts for itself. */
	ip.id = ++o->ip_id | (uint32_t)d->a.proto << 24;
	room = (o->env->mtu - ip_frag_hdr_len(&d->a.dst)) & ~UINT32_C(7);
	for (; ip.off < l4_len; ip.off += ip.l4_len) {
		ip.l4_len = l4_len - ip.off;
		ip.more = ip.l4_len > room;
		if (ip.more)
			ip.l4_len = room;
		put_frame(o, d, &ip);
	}
}
