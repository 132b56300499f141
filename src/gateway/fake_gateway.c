/* SPDX-License-Identifier: BSD-3-Clause */
/* A gateway for tests: see the header. */
#include "gateway/fake_gateway.h"

#include <stdlib.h>

#include "lan/fake_subnet.h"

struct gateway_config fake_gateway_config(void)
{
	return (struct gateway_config){
		.name = "net0",
		.v4 = fake_subnet4(),
		.dhcp_start4 = addr_v4(10, 0, 2, 15),
		.resolvers = {fake_ep(192, 0, 2, 53, 53)},
		.n_resolvers = 1,
	};
}

struct gateway_config fake_gateway_config6(void)
{
	struct gateway_config c = fake_gateway_config();

	c.v6 = fake_subnet6();
	c.has_way6 = true;
	return c;
}

static int serve(void *arg, uint32_t id, const struct nat_call *c)
{
	struct fake_gateway *b = arg;

	(void)id;
	b->n_calls++;
	b->call = *c;
	return b->serve_err;
}

void fake_gateway_init(struct fake_gateway *b, const struct gateway_config *gc,
		       const struct fake_config *pc)
{
	struct lan_config lc = {.name = "lan0",
				.now_ns = &b->now_ns,
				.wheel = &b->wheel,
				.drops = &b->drops};
	struct gateway_env ge;

	*b = (struct fake_gateway){.now_ns = UINT64_C(1000000000)};
	timer_wheel_init(&b->wheel, b->now_ns);
	if (lan_new(&lc, &b->lan) < 0)
		abort();
	b->fh = fake_host_new();
	ge = (struct gateway_env){.host = &b->fh->host,
				  .wheel = &b->wheel,
				  .now_ns = &b->now_ns,
				  .lan = b->lan,
				  .drops = &b->drops,
				  .serve = serve,
				  .arg = b};
	if (gateway_new(&ge, gc, &b->gw) < 0)
		abort();
	fake_guest_init(&b->g, fake_new(b->lan, pc), fake_mac(1), FAKE_GW_MAC,
			addr_v4(10, 0, 2, 15));
}

void fake_gateway_deinit(struct fake_gateway *b)
{
	gateway_free(b->gw);
	if (b->fh->n_socks)
		abort();
	fake_host_free(b->fh);
	fake_free(b->g.port);
	lan_free(b->lan);
	if (b->wheel.n_armed)
		abort();
}

int fake_gateway_setup_with(void **state, const struct gateway_config *gc,
			    const struct fake_config *pc)
{
	struct fake_gateway *b = malloc(sizeof(*b));

	if (!b)
		abort();
	fake_gateway_init(b, gc, pc);
	*state = b;
	return 0;
}

int fake_gateway_setup(void **state)
{
	const struct gateway_config gc = fake_gateway_config();
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};

	return fake_gateway_setup_with(state, &gc, &pc);
}

int fake_gateway_setup6(void **state, struct gateway_config gc)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct fake_gateway *b;

	(void)fake_gateway_setup_with(state, &gc, &pc); /* 0 */
	b = *state;
	b->g.ip = fake_inside6(0x15);
	return 0;
}

int fake_gateway_setup_closed6(void **state)
{
	struct gateway_config gc = fake_gateway_config6();

	gc.is_restricted = true;
	return fake_gateway_setup6(state, gc);
}

int fake_gateway_setup_services6(void **state)
{
	struct gateway_config gc = fake_gateway_config6();

	gc.is_restricted = true;
	gc.keeps_services = true;
	return fake_gateway_setup6(state, gc);
}

int fake_gateway_teardown(void **state)
{
	fake_gateway_deinit(*state);
	free(*state);
	return 0;
}

void fake_gateway_pass(struct fake_gateway *b, uint64_t ns)
{
	fake_host_run(b->fh);
	b->now_ns += ns;
	timer_wheel_run(&b->wheel, b->now_ns);
	fake_host_run(b->fh);
}
