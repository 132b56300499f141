/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP and ICMP of the NAT between a fake guest and a fake host, for the tests
 * of this room: what the gateway does with a frame, without its judgement.
 */
#ifndef NAT_FAKE_NAT_H
#define NAT_FAKE_NAT_H

#include "nat/env.h"
#include "nat/fake_guest.h"
#include "nat/fake_host.h"
#include "nat/icmp.h"
#include "nat/udp.h"

#define FAKE_SECOND UINT64_C(1000000000)

struct fake_nat {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct drops drops;
	struct lan *lan;
	struct fake_host *fh;
	struct fake_port *gw;
	struct nat_env env;
	struct icmp *icmp;
	struct udp *udp;
	struct fake_guest g; /* 10.0.2.15 or fec0::15, on a port that can
			      * lend */
	struct endpoint far; /* of its family: fake_nat_ep(1, 9) */
	addr gw_ip, dns_ip;  /* ours in its family */
	bool knows_guest;    /* env.neigh() knows it; true at first */
	unsigned n_held;     /* frames given to env.hold() */
	uint32_t held_len;   /* of the last one */
	/* calls of env.refuse(), and what the last one said */
	unsigned n_refused;
	unsigned refused_by; /* socket */
	struct endpoint refused_client;
	struct icmp_refusal refused;
};

struct fake_nat_config {
	struct fake_config port; /* the guest's */
	unsigned max_udp, max_clients, max_icmp;
	uint32_t mtu;
	bool is_v6; /* the guest is */
};

struct fake_nat *fake_nat_new(const struct fake_nat_config *c);
/* Fails the test if a host socket is left open. */
void fake_nat_free(struct fake_nat *n);
/* Somebody outside, of the guest's family: 192.0.2.host, 2001:db8::host. */
struct endpoint fake_nat_ep(const struct fake_nat *n, uint8_t host,
			    uint16_t port);
/* Bytes of Ethernet and IP headers of a packet of the guest. */
uint32_t fake_nat_l4(const struct fake_nat *n);
/* Time passes: timers fire, then events are delivered. */
void fake_nat_pass(struct fake_nat *n, uint64_t ns);
/* cmocka's, with a guest that can lend and take partial checksums. */
int fake_nat_setup(void **state);
/* ... and speaks IPv6. */
int fake_nat_setup6(void **state);
int fake_nat_teardown(void **state);

#endif
