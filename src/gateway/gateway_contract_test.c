/* SPDX-License-Identifier: BSD-3-Clause */
/* The gateway keeps the port contract, as every kind does.  It passes no
 * frames on, so the tests that need a peer do not apply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "netdev/port_contract.h"

static bool user_open(struct contract_rig *r)
{
	struct fake_gateway *b = malloc(sizeof(*b));
	const struct gateway_config gc = fake_gateway_config();
	const struct fake_config pc = {.name = "vm0"};

	assert_non_null(b);
	fake_gateway_init(b, &gc, &pc);
	*r = (struct contract_rig){.lan = b->lan,
				   .drops = &b->drops,
				   .port = gateway_port(b->gw),
				   .priv = b};
	return true;
}

static void user_close(struct contract_rig *r)
{
	fake_gateway_deinit(r->priv);
	free(r->priv);
}

static void user_turn(struct contract_rig *r, int ms)
{
	fake_gateway_pass(r->priv, (uint64_t)ms * 1000000);
}

static void test_contract(void **state)
{
	static const struct contract_kind user = {
		.name = "user",
		.open = user_open,
		.close = user_close,
		.turn = user_turn,
	};

	(void)state;
	assert_int_equal(port_contract_run(&user), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
