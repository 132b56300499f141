/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A gateway between a fake guest and a fake host on a clock of its own, for
 * the tests and the fuzz target of this room.
 */
#ifndef GATEWAY_FAKE_GATEWAY_H
#define GATEWAY_FAKE_GATEWAY_H

#include "gateway/gateway.h"
#include "nat/env.h"
#include "nat/fake_guest.h"
#include "nat/fake_host.h"

#define FAKE_GW_MAC ((mac){{0x52, 0x55, 10, 0, 2, 2}})
#define FAKE_DNS_MAC ((mac){{0x52, 0x55, 10, 0, 2, 3}})

struct fake_gateway {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct drops drops;
	struct lan *lan;
	struct fake_host *fh;
	struct gateway *gw;
	struct fake_guest g; /* 10.0.2.15 */
	/* serve(): how often it was called, with what last, its answer. */
	unsigned n_calls;
	struct nat_call call;
	int serve_err;
};

/* QEMU's network. */
struct gateway_config fake_gateway_config(void);
/* The same in both families, on a host with a way out. */
struct gateway_config fake_gateway_config6(void);
/* fec0::host, of that network. */
static inline addr fake_inside6(uint8_t host)
{
	return (addr){{0xfe, 0xc0, [15] = host}};
}

/* Aborts if it cannot be made. */
void fake_gateway_init(struct fake_gateway *b, const struct gateway_config *gc,
		       const struct fake_config *pc);
/* Aborts if a host socket or a timer was left behind. */
void fake_gateway_deinit(struct fake_gateway *b);
/* Fixtures of cmocka: *state is a gateway on the heap, of QEMU's network and
 * with a guest on the port vm0; setup_with() takes what is otherwise. */
int fake_gateway_setup(void **state);
int fake_gateway_setup_with(void **state, const struct gateway_config *gc,
			    const struct fake_config *pc);
/* The same with a guest of IPv6. */
int fake_gateway_setup6(void **state, struct gateway_config gc);
/* With a guest of IPv6 and restrict=on, and with restrict=services. */
int fake_gateway_setup_closed6(void **state);
int fake_gateway_setup_services6(void **state);
int fake_gateway_teardown(void **state);
/* Time passes: timers fire, then events are delivered. */
void fake_gateway_pass(struct fake_gateway *b, uint64_t ns);

#endif
