/* SPDX-License-Identifier: BSD-3-Clause */
/* The datagrams of the services; see service.h. */
#include "service/service.h"

#include <netinet/in.h>

#include "wire/csum.h"
#include "wire/ip.h"
#include "wire/udp.h"

enum { HEAD_MAX = ETH_HDR_LEN + IP6_HDR_LEN + UDP_HDR_LEN };

_Static_assert((int)HEAD_MAX <= (int)FRAME_HDR_MAX, "every header lies in hdr");

static uint16_t udp_checksum(const struct service_dgram *d,
			     const struct udp_hdr *h)
{
	uint8_t buf[UDP_HDR_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	uint64_t sum;

	udp_emit(&w, h);
	sum = csum_pseudo(&d->src.ip, &d->dst.ip, IPPROTO_UDP, h->len);
	sum = csum_add(buf, sizeof(buf), sum);
	return csum_stored(csum_add(d->payload, d->len, sum), UDP_AT_CSUM);
}

uint32_t service_payer(const struct service_env *env)
{
	return lan_payer(env->port->lan);
}

size_t service_room(const struct service_env *env, const addr *a)
{
	uint32_t head = ip_hdr_len(a) + UDP_HDR_LEN;

	return env->mtu > head ? env->mtu - head : 0;
}

bool service_send(const struct service_env *env, const struct service_dgram *d)
{
	uint8_t head[FRAME_HDR_MAX];
	struct wr w = wr_init(head, HEAD_MAX);
	struct iovec tail;
	struct batch b = {.n = 1};
	struct ip_hdr ip = {
		.src = d->src.ip,
		.dst = d->dst.ip,
		.l4_len = (uint32_t)(UDP_HDR_LEN + d->len),
		.proto = IPPROTO_UDP,
		.ttl = IP_HOP_LIMIT,
	};
	struct udp_hdr udp = {
		.sport = d->src.port,
		.dport = d->dst.port,
		.len = (uint16_t)(UDP_HDR_LEN + d->len),
	};
	size_t head_len, extra;

	if (d->len > service_room(env, &d->dst.ip))
		return false;
	udp.csum = udp_checksum(d, &udp);
	ip_emit_frame(&w, d->to, env->gw_mac, &ip);
	udp_emit(&w, &udp);
	head_len = wr_len(&w);
	/* The first FRAME_HDR_MAX bytes of a frame are in hdr (frame.h). */
	extra = d->len < FRAME_HDR_MAX - head_len ? d->len
						  : FRAME_HDR_MAX - head_len;
	memcpy(head + head_len, d->payload, extra);
	tail = (struct iovec){.iov_base = (void *)(d->payload + extra),
			      .iov_len = d->len - extra};
	b.f[0] = (struct frame){
		.hdr = head,
		.hdr_len = (uint32_t)(head_len + extra),
		.len = (uint32_t)(head_len + d->len),
		.iov = &tail,
		.n_iov = tail.iov_len ? 1 : 0,
	};
	(void)lan_input(env->port, &b, false); /* losses are counted */
	return true;
}
