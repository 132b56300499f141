/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of flows, see steer.h. */
#include "lan/steer.h"

#include <netinet/in.h>
#include <string.h>

#include "base/be.h"
#include "lan/offload.h"

enum { IP4_SRC = 12, IP6_SRC = 8 };

/* A bijection in which each bit depends on all (Stafford's variant 13 of the
 * finaliser of MurmurHash3). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t of_ip4(const uint8_t *ip, uint16_t port)
{
	return mix((uint64_t)port << 32 | get_be32(ip));
}

static uint64_t of_ip6(const uint8_t *ip, uint16_t port)
{
	uint64_t w[2];

	memcpy(w, ip, sizeof(w));
	return mix(mix(w[0]) + w[1] + port);
}

/* Neither end comes first in a sum. */
static uint32_t of_ends(uint8_t proto, uint64_t x, uint64_t y)
{
	uint32_t h = (uint32_t)(mix(x + y + proto) >> 32);

	return h ? h : 1;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

static uint64_t of_endpoint(const struct endpoint *e, bool with_port)
{
	uint16_t port = with_port ? e->port : 0;

	return addr_is_v4(&e->ip) ? of_ip4(e->ip.b + 12, port)
				  : of_ip6(e->ip.b, port);
}

uint32_t steer_flow(uint8_t proto, const struct endpoint *x,
		    const struct endpoint *y)
{
	bool with_ports = has_ports(proto);

	return of_ends(proto, of_endpoint(x, with_ports),
		       of_endpoint(y, with_ports));
}

uint32_t steer_frame(const struct frame *f)
{
	struct offload_layout l;
	uint16_t sport = 0, dport = 0;
	const uint8_t *ip;

	if (!offload_layout(f, &l) || !l.ip_version)
		return 0;
	if (has_ports(l.proto)) {
		sport = get_be16(f->hdr + l.l4_off);
		dport = get_be16(f->hdr + l.l4_off + 2);
	}
	ip = f->hdr + l.l3_off;
	if (l.ip_version == 4) {
		ip += IP4_SRC;
		return of_ends(l.proto, of_ip4(ip, sport),
			       of_ip4(ip + 4, dport));
	}
	ip += IP6_SRC;
	return of_ends(l.proto, of_ip6(ip, sport), of_ip6(ip + 16, dport));
}
