/* SPDX-License-Identifier: BSD-3-Clause */
/* A service's surroundings for tests (fake_room.h). */
#include "service/fake_room.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/nat64.h"
#include "lan/fake_subnet.h"
#include "service/dns.h"
#include "wire/csum.h"
#include "wire/dns.h"
#include "wire/udp.h"

addr fake_addr6(uint8_t n)
{
	return (addr){{0xfe, 0xc0, [15] = n}};
}

void fake_room_init(struct fake_room *r)
{
	const struct fake_config gc = {.name = "user"};
	const struct fake_config pc = {.name = "vm0"};

	*r = (struct fake_room){0};
	fake_lan_init(&r->lan, false);
	r->gw = fake_new(r->lan.lan, &gc);
	r->guest = fake_new(r->lan.lan, &pc);
	r->up = fake_upstream_new();
	r->env = (struct service_env){
		.host = &r->up->host,
		.wheel = &r->lan.wheel,
		.now_ns = &r->lan.now_ns,
		.drops = &r->lan.drops,
		.port = &r->gw->port,
		.gw_mac = {{0x52, 0x55, 10, 0, 2, 2}},
		.v4 = fake_subnet4(),
		.v6 = fake_subnet6(),
		.ll6 = {{0xfe, 0x80, [15] = 2}},
		.mtu = 1500,
	};
}

struct dns *fake_room_dns64(struct fake_room *r)
{
	const struct endpoint up = {.ip = addr_v4(192, 0, 2, 53),
				    .port = DNS_PORT};
	struct dns *d;

	r->env.nat64 = NAT64_PREFIX;
	if (dns_new(&r->env, &d) < 0)
		abort();
	dns_set_upstreams(d, &up, 1);
	dns_ways(d, true);
	return d;
}

void fake_room_deinit(struct fake_room *r)
{
	if (r->up->n_open)
		abort();
	fake_upstream_free(r->up);
	fake_lan_deinit(&r->lan); /* the ports too */
	if (r->lan.wheel.n_armed)
		abort();
}

struct packet fake_room_packet(addr ip, uint16_t port, mac m)
{
	bool is_v4 = addr_is_v4(&ip);

	return (struct packet){
		.eth_src = m,
		.ip_version = is_v4 ? 4 : 6,
		.proto = IPPROTO_UDP,
		.src = {.ip = ip, .port = port},
		.dst.ip = is_v4 ? addr_v4(10, 0, 2, 3) : fake_addr6(3),
	};
}

bool fake_room_got(const struct fake_room *r, unsigned i, struct fake_dgram *gp)
{
	const struct fake_frame *f = &r->guest->out[i];
	struct packet p;
	uint64_t sum;

	if (i >= r->guest->n_out ||
	    packet_parse(f->data, f->len, f->len, &p) != PACKET_OK ||
	    p.proto != IPPROTO_UDP || !mac_eq(p.eth_src, r->env.gw_mac))
		return false;
	sum = csum_pseudo(&p.src.ip, &p.dst.ip, IPPROTO_UDP, p.l4_len);
	if (csum_fold(csum_add(f->data + p.l4_off, p.l4_len, sum)))
		return false;
	*gp = (struct fake_dgram){
		.pkt = p,
		.data = f->data + p.l4_off + UDP_HDR_LEN,
		.len = p.l4_len - UDP_HDR_LEN,
	};
	return true;
}
