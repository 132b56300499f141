/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP and ICMP between fakes (fake_nat.h). */
#include "nat/fake_nat.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lan/fake_subnet.h"
#include "wire/ip.h"

static const mac gw_mac = {{0x52, 0x55, 10, 0, 2, 2}};

static void gw_send(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	struct fake_nat *n = f->arg;

	for (; mask; mask &= mask - 1) {
		const struct frame *fr = &b->f[__builtin_ctzll(mask)];
		struct icmp_refusal r;
		struct packet pkt;

		assert_int_equal(
			packet_parse(fr->hdr, fr->hdr_len, fr->len, &pkt),
			PACKET_OK);
		if (pkt.proto == IPPROTO_UDP)
			udp_input(n->udp, &pkt, fr);
		else if (!icmp_is_refusal(&pkt, fr, &r))
			icmp_input(n->icmp, &pkt, fr);
		else if (icmp_check(n->icmp, &pkt, fr) &&
			 r.proto == IPPROTO_UDP)
			udp_refused(n->udp, &r);
	}
	udp_flush(n->udp);
}

static void gw_room(struct fake_port *f, struct port *other)
{
	struct fake_nat *n = f->arg;

	udp_room(n->udp);
}

static bool env_neigh(void *arg, const addr *ip, mac *macp)
{
	struct fake_nat *n = arg;

	*macp = n->g.mac;
	return n->knows_guest && addr_eq(ip, &n->g.ip);
}

static void env_hold(void *arg, const addr *ip, const struct frame *f)
{
	struct fake_nat *n = arg;

	n->n_held++;
	n->held_len = f->len;
}

static void env_refuse(void *arg, int fd, const struct endpoint *client,
		       const struct icmp_refusal *r)
{
	struct fake_nat *n = arg;

	assert_true(fake_is_shared(n->fh, (unsigned)fd));
	n->n_refused++;
	n->refused_by = (unsigned)fd;
	n->refused_client = *client;
	n->refused = *r;
}

static struct udp *udp_make(struct fake_nat *n, const struct fake_nat_config *c)
{
	const struct udp_config uc = {.max_flows = c->max_udp,
				      .max_clients = c->max_clients};
	struct udp *u;

	assert_int_equal(icmp_new(&n->env, c->max_icmp, &n->icmp), 0);
	assert_int_equal(udp_new(&n->env, n->icmp, &uc, &u), 0);
	return u;
}

struct fake_nat *fake_nat_new(const struct fake_nat_config *c)
{
	const struct fake_config gc = {
		.name = "gw", .offload = PORT_O_ALL, .can_wait = true};
	struct fake_nat *n = calloc(1, sizeof(*n));
	struct lan_config lc = {.name = "lan",
				.wheel = &n->wheel,
				.now_ns = &n->now_ns,
				.drops = &n->drops};

	n->now_ns = FAKE_SECOND;
	timer_wheel_init(&n->wheel, n->now_ns);
	assert_int_equal(lan_new(&lc, &n->lan), 0);
	n->fh = fake_host_new();
	n->gw = fake_new(n->lan, &gc);
	n->gw->arg = n;
	n->gw->on_send = gw_send;
	n->gw->on_room = gw_room;
	n->knows_guest = true;
	n->env = (struct nat_env){
		.host = &n->fh->host,
		.wheel = &n->wheel,
		.now_ns = &n->now_ns,
		.drops = &n->drops,
		.lan = n->lan,
		.port = &n->gw->port,
		.gw_mac = gw_mac,
		.v4 = fake_subnet4(),
		.v6 = fake_subnet6(),
		.mtu = c->mtu ? c->mtu : NAT_MTU,
		.arg = n,
		.neigh = env_neigh,
		.hold = env_hold,
		.refuse = env_refuse,
	};
	n->udp = udp_make(n, c);
	fake_guest_init(&n->g, fake_new(n->lan, &c->port), fake_mac(1), gw_mac,
			c->is_v6 ? (addr){{0xfe, 0xc0, [15] = 0x15}}
				 : addr_v4(10, 0, 2, 15));
	n->far = fake_nat_ep(n, 1, 9);
	n->gw_ip = nat_subnet(&n->env, &n->g.ip)->gw;
	n->dns_ip = nat_subnet(&n->env, &n->g.ip)->dns;
	return n;
}

struct endpoint fake_nat_ep(const struct fake_nat *n, uint8_t host,
			    uint16_t port)
{
	return addr_is_v4(&n->g.ip) ? fake_ep(192, 0, 2, host, port)
				    : fake_ep6(host, port);
}

uint32_t fake_nat_l4(const struct fake_nat *n)
{
	return FRAME_ETH_LEN + ip_hdr_len(&n->g.ip);
}

void fake_nat_free(struct fake_nat *n)
{
	udp_free(n->udp);
	icmp_free(n->icmp);
	assert_int_equal(n->fh->n_socks, 0);
	fake_host_free(n->fh);
	fake_free(n->g.port);
	fake_free(n->gw);
	lan_free(n->lan);
	free(n);
}

void fake_nat_pass(struct fake_nat *n, uint64_t ns)
{
	n->now_ns += ns;
	timer_wheel_run(&n->wheel, n->now_ns);
	fake_host_run(n->fh);
}

static int setup(void **state, bool is_v6)
{
	const struct fake_nat_config c = {.port = {.name = "vm0",
						   .offload = PORT_O_CSUM,
						   .can_lend = true,
						   .lend_piece = 300},
					  .is_v6 = is_v6};

	*state = fake_nat_new(&c);
	return 0;
}

int fake_nat_setup(void **state)
{
	return setup(state, false);
}

int fake_nat_setup6(void **state)
{
	return setup(state, true);
}

int fake_nat_teardown(void **state)
{
	fake_nat_free(*state);
	return 0;
}
