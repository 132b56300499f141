/* SPDX-License-Identifier: BSD-3-Clause */
/* The door of the keeper-engine channel: only exact messages pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/engine_msg.h"

static void exact_messages_pass(void **state)
{
	union engine_msg m;

	for (uint32_t t = 1; t < ENGINE_MSG_N; t++) {
		size_t len = engine_msg_len((enum engine_msg_type)t);
		unsigned least = 0;

		memset(&m, 0, sizeof(m));
		m.head = (struct msg_head){.type = t, .len = (uint32_t)len};
		while (least < 3 && !engine_msg_check(&m, len, least))
			least++;
		assert_true(least < 3);
		assert_int_equal(least == 2, t == ENGINE_MSG_AF_XDP_ADD);
		assert_string_not_equal(engine_msg_name(t), "?");
	}
}

static void wrong_lengths_are_refused(void **state)
{
	union engine_msg m;

	for (uint32_t t = 0; t < ENGINE_MSG_N + 3; t++) {
		size_t len = engine_msg_len((enum engine_msg_type)t);

		for (size_t got = 0; got <= sizeof(m); got++) {
			if (got == len)
				continue;
			memset(&m, 0, sizeof(m));
			m.head.type = t;
			m.head.len = (uint32_t)got;
			assert_false(engine_msg_check(&m, got, 0));
			assert_false(engine_msg_check(&m, got, 1));
		}
	}
}

static void workers_are_bounded(void **state)
{
	union engine_msg m = {.start = {.more_workers = ENGINE_WORKERS_MAX}};

	m.head = (struct msg_head){.type = ENGINE_MSG_START,
				   .len = sizeof(m.start)};
	assert_false(engine_msg_check(&m, sizeof(m.start), 1));
	m.start.more_workers--;
	assert_true(engine_msg_check(&m, sizeof(m.start), 1));
}

static void counts_are_held_and_strings_ended(void **state)
{
	union engine_msg m;
	size_t len = sizeof(m.user_add);

	memset(&m, 'x', sizeof(m));
	m.head = (struct msg_head){.type = ENGINE_MSG_USER_ADD,
				   .len = (uint32_t)len};
	assert_false(engine_msg_check(&m, len, 0));
	m.user_add.n_dnssearch = ENGINE_SEARCH_MAX;
	assert_true(engine_msg_check(&m, len, 0));
	assert_int_equal(strlen(m.user_add.hostname), ENGINE_DNS_NAME_LEN - 1);
	assert_false(engine_msg_check(&m, len, 1));

	memset(&m, 0xff, sizeof(m));
	len = sizeof(m.resolvers);
	m.head = (struct msg_head){.type = ENGINE_MSG_RESOLVERS,
				   .len = (uint32_t)len};
	assert_false(engine_msg_check(&m, len, 0));

	len = sizeof(m.network);
	m.head = (struct msg_head){.type = ENGINE_MSG_NETWORK,
				   .len = (uint32_t)len};
	m.network.n = ENGINE_GONE_MAX + 1;
	assert_false(engine_msg_check(&m, len, 0));
	m.network.n = ENGINE_GONE_MAX;
	assert_true(engine_msg_check(&m, len, 0));

	len = sizeof(m.udp_refused);
	m.head = (struct msg_head){.type = ENGINE_MSG_UDP_REFUSED,
				   .len = (uint32_t)len};
	m.udp_refused.n_payload = ENGINE_REFUSED_LEN + 1;
	assert_false(engine_msg_check(&m, len, 1));
	m.udp_refused.n_payload = ENGINE_REFUSED_LEN;
	assert_true(engine_msg_check(&m, len, 1));

	len = sizeof(m.heard);
	m.head = (struct msg_head){.type = ENGINE_MSG_HEARD,
				   .len = (uint32_t)len};
	m.heard.n = ENGINE_HEARD_MAX + 1;
	assert_false(engine_msg_check(&m, len, 0));
	m.heard.n = ENGINE_HEARD_MAX;
	assert_true(engine_msg_check(&m, len, 0));
}

/* The keeper sees by its socket which port refuses: without, or with two, it
 * would not know. */
static void a_refusal_has_one_socket(void **state)
{
	union engine_msg m = {.head = {.type = ENGINE_MSG_UDP_REFUSED}};
	size_t len = engine_msg_len(ENGINE_MSG_UDP_REFUSED);

	m.head.len = (uint32_t)len;
	assert_false(engine_msg_check(&m, len, 0));
	assert_true(engine_msg_check(&m, len, 1));
	assert_false(engine_msg_check(&m, len, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_messages_pass),
		cmocka_unit_test(wrong_lengths_are_refused),
		cmocka_unit_test(workers_are_bounded),
		cmocka_unit_test(counts_are_held_and_strings_ended),
		cmocka_unit_test(a_refusal_has_one_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
