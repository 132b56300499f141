/* SPDX-License-Identifier: BSD-3-Clause */
/* The datagrams of the services; see service.h. */
#include "service/service.h"

#include <netinet/in.h>

#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/udp.h"

enum { HEAD_LEN = ETH_HDR_LEN + IP4_HDR_LEN + UDP_HDR_LEN };

static uint16_t udp_checksum(const struct service_dgram *d,
			     const struct udp_hdr *h)
{
	uint8_t buf[UDP_HDR_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	uint64_t sum;
	uint16_t csum;

	udp_emit(&w, h);
	sum = csum_pseudo(&d->src.ip, &d->dst.ip, IPPROTO_UDP, h->len);
	sum = csum_add(buf, sizeof(buf), sum);
	csum = csum_fold(csum_add(d->payload, d->len, sum));
	return csum ? csum : 0xffff; /* RFC 768: zero means none */
}

bool service_send(const struct service_env *env, const struct service_dgram *d)
{
	uint8_t head[FRAME_HDR_MAX];
	struct wr w = wr_init(head, HEAD_LEN);
	struct iovec tail;
	struct batch b = {.n = 1};
	struct eth_hdr eth = {
		.dst = d->to, .src = env->gw_mac, .type = ETH_T_IP4};
	struct ip4_hdr ip = {
		.ttl = IP4_TTL,
		.proto = IPPROTO_UDP,
		.frag = IP4_F_DF,
		.src = d->src.ip,
		.dst = d->dst.ip,
	};
	struct udp_hdr udp = {.sport = d->src.port, .dport = d->dst.port};
	size_t extra, total = IP4_HDR_LEN + UDP_HDR_LEN + d->len;

	if (total > env->mtu)
		return false;
	ip.total_len = (uint16_t)total;
	udp.len = (uint16_t)(UDP_HDR_LEN + d->len);
	udp.csum = udp_checksum(d, &udp);
	eth_emit(&w, &eth);
	ip4_emit(&w, &ip);
	udp_emit(&w, &udp);
	/* The first FRAME_HDR_MAX bytes of a frame are in hdr (frame.h). */
	extra = d->len < FRAME_HDR_MAX - HEAD_LEN ? d->len
						  : FRAME_HDR_MAX - HEAD_LEN;
	memcpy(head + HEAD_LEN, d->payload, extra);
	tail = (struct iovec){.iov_base = (void *)(d->payload + extra),
			      .iov_len = d->len - extra};
	b.f[0] = (struct frame){
		.hdr = head,
		.hdr_len = (uint32_t)(HEAD_LEN + extra),
		.len = (uint32_t)(HEAD_LEN + d->len),
		.iov = &tail,
		.n_iov = tail.iov_len ? 1 : 0,
	};
	(void)lan_input(env->port, &b, false); /* losses are counted */
	return true;
}
