/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams to a guest (out.h).  Called by icmp and udp on the worker's
 * thread.
 */
#include "nat/out.h"

#include <string.h>

#include "base/cursor.h"

void out_init(struct out *o, const struct nat_env *env)
{
	o->env = env;
	o->ip_id = 0;
	o->hold = NULL;
	o->b.n = 0;
}

void out_put_ip4(uint8_t *p, const struct nat_env *env,
		 const struct out_addr *a, uint32_t l4_len,
		 const struct out_frag *fr)
{
	struct wr w = wr_init(p, OUT_L4);
	struct eth_hdr eth = {
		.dst = a->to, .src = env->gw_mac, .type = ETH_T_IP4};
	struct ip4_hdr ip = {.total_len = (uint16_t)(IP4_HDR_LEN + l4_len),
			     .frag = IP4_F_DF,
			     .tos = a->tos,
			     .ttl = a->ttl,
			     .proto = a->proto,
			     .src = a->src,
			     .dst = a->dst};

	if (fr) {
		ip.id = fr->id;
		ip.frag = (uint16_t)(fr->off / 8 | (fr->more ? IP4_F_MF : 0));
	}
	eth_emit(&w, &eth);
	ip4_emit(&w, &ip);
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

/* Queues bytes [off, off + len) of head and payload behind an IP header. */
static void put_frame(struct out *o, const struct out_dgram *d, uint32_t off,
		      uint32_t len, const struct out_frag *fr)
{
	uint8_t *hdr = o->hdr[o->b.n];
	struct frame *f = &o->b.f[o->b.n];
	uint32_t used = OUT_L4;
	uint32_t n;

	out_put_ip4(hdr, o->env, &d->a, len, fr);
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
	if (d->is_partial)
		f->off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
						.csum_start = OUT_L4,
						.csum_offset = 6};
	if (d->gso_size) {
		f->off.gso = FRAME_GSO_UDP4;
		f->off.gso_size = d->gso_size;
		f->off.hdr_len = OUT_UDP_PAYLOAD;
	}
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
	uint32_t room = o->env->mtu - IP4_HDR_LEN;
	struct out_frag fr = {0};

	if (l4_len <= room || d->gso_size) {
		put_frame(o, d, 0, l4_len, NULL);
		return;
	}
	fr.id = ++o->ip_id;
	room &= ~UINT32_C(7);
	while (fr.off < l4_len) {
		uint32_t n = l4_len - fr.off;

		fr.more = n > room;
		if (fr.more)
			n = room;
		put_frame(o, d, fr.off, n, &fr);
		fr.off += n;
	}
}
