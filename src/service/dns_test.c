/* SPDX-License-Identifier: BSD-3-Clause */
/* The name server between guests that ask and resolvers that lie, refuse or are
 * silent. */
#include "service/dns_bench.h"

/* --- the ordinary way --- */

static void test_question_and_answer(void **state)
{
	struct bench *b = *state;
	struct fake_dgram g;

	ask(b, 0x1234, "www");
	assert_int_equal(n_asked(b), 1);
	assert_true(went_to(b, 0, 0));
	assert_int_equal(asked(b, 0)->len, 21);
	assert_memory_equal(asked(b, 0)->data + 2,
			    "\1\0\0\1\0\0\0\0\0\0\3", 11);
	for (unsigned i = 13; i < 16; i++)
		assert_int_equal(asked(b, 0)->data[i] | 0x20, 'w');
	assert_memory_equal(asked(b, 0)->data + 16, "\0\0\1\0\1", 5);
	answer(b, 0, 16);
	g = got(b, 0);
	assert_int_equal(g.len, 37);
	assert_int_equal(id_of(g.data), 0x1234);
	assert_int_equal(rcode(&g), DNS_NOERROR);
	assert_memory_equal(g.data + 12, "\3www", 4); /* in its letters */
	/* the same answer once more is nobody's */
	answer(b, 0, 16);
	assert_int_equal(n_got(b), 1);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 1);
}

static void test_ids_are_ours(void **state)
{
	struct bench *b = *state;
	unsigned n_same = 0, n_ordered = 0;

	for (uint16_t i = 0; i < 60; i++) {
		b->port = (uint16_t)(6000 + i);
		ask(b, 7, "www");
		n_same += id_of(asked(b, i)->data) == 7;
		if (i)
			n_ordered += id_of(asked(b, i)->data) ==
				     id_of(asked(b, i - 1u)->data) + 1;
		answer(b, i, 0);
	}
	assert_true(n_same < 3);
	assert_true(n_ordered < 3);
	assert_int_equal(n_got(b), 60);
}

static void test_ports_change(void **state)
{
	struct bench *b = *state;
	unsigned n_before;

	use(b, 1); /* none is measured besides */
	for (uint16_t i = 0; i < 40; i++) {
		ask(b, i, "www");
		answer(b, i, 0);
	}
	n_before = b->room.up->n_numbers;
	assert_true(n_before > 1);
	assert_true(n_before <= DNS_SOCKETS);
	for (uint16_t i = 40; i < 8 * DNS_SOCKETS * DNS_SOCKET_USES; i++) {
		ask(b, i, "www");
		answer(b, i, 0);
	}
	assert_true(b->room.up->n_numbers > DNS_SOCKETS);
	assert_true(b->room.up->n_open <= DNS_SOCKETS);
	assert_int_equal(n_got(b), 8 * DNS_SOCKETS * DNS_SOCKET_USES);
}

static void test_a_port_in_use_is_kept(void **state)
{
	struct bench *b = *state;
	const unsigned n = 4 * DNS_SOCKETS * DNS_SOCKET_USES;

	use(b, 1); /* none is measured besides */
	ask(b, 0xffff, "slow");
	for (uint16_t i = 0; i < n; i++) {
		ask(b, i, "www");
		answer(b, i + 1u, 0);
	}
	answer(b, 0, 0);
	assert_int_equal(n_got(b), n + 1);
	assert_int_equal(id_of(got(b, n).data), 0xffff);
}

static void test_joined_answers_are_taken_apart(void **state)
{
	struct bench *b = *state;
	unsigned sock, n = 1;
	uint8_t run[22 * 2];

	ask_new(b, 1);
	sock = asked(b, 0)->sock;
	/* until one leaves by the same socket */
	do
		ask_new(b, (uint16_t)(1 + n));
	while (asked(b, n++)->sock != sock);
	memcpy(run, asked(b, 0)->data, 22);
	memcpy(run + 22, asked(b, n - 1)->data, 22);
	run[2] |= DNS_F_QR >> 8;
	run[22 + 2] |= DNS_F_QR >> 8;
	fake_upstream_say(b->room.up, sock, run, sizeof(run), 22);
	fake_upstream_run(b->room.up);
	assert_int_equal(n_got(b), 2);
	assert_int_equal(id_of(got(b, 0).data), 1);
	assert_int_equal(id_of(got(b, 1).data), n);
}

/* --- retries --- */

static void test_silence_goes_to_the_next(void **state)
{
	struct bench *b = *state;
	const struct rd www = rd_init("\0\1\1\0\0\1\0\0\0\0\0\0\3www\0", 17);
	const struct endpoint second = upstream(1);
	uint64_t tried = 0;
	struct endpoint tcp;

	ask(b, 1, "www");
	fake_lan_advance(&b->room.lan, 1400 * MS);
	assert_int_equal(n_asked(b), 1);
	fake_lan_advance(&b->room.lan, 102 * MS);
	assert_int_equal(n_asked(b), 2);
	assert_true(went_to(b, 1, 1));
	answer(b, 1, 0);
	assert_int_equal(n_got(b), 1);
	/* who answered is asked first from now on, by TCP too */
	ask(b, 2, "www");
	assert_true(went_to(b, 2, 1));
	assert_true(dns_pick(b->dns, &www, &tried, &tcp));
	assert_true(endpoint_eq(&tcp, &second));
	assert_true(dns_pick(b->dns, &www, &tried, &tcp));
	assert_true(dns_pick(b->dns, &www, &tried, &tcp));
	assert_false(dns_pick(b->dns, &www, &tried, &tcp));
}

static void test_three_silent_ones(void **state)
{
	struct bench *b = *state;

	use(b, 4);
	ask(b, 9, "www");
	for (unsigned i = 0; i < 2; i++)
		fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_asked(b), 3);
	assert_int_equal(n_got(b), 0);
	fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_asked(b), 3);
	expect_servfail(b, 9);
	/* a late answer finds nobody */
	answer(b, 0, 0);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 1);
	/* the fourth has its turn */
	ask(b, 10, "www");
	assert_true(went_to(b, 3, 3));
}

static void test_a_lone_silent_one_is_asked_three_times(void **state)
{
	struct bench *b = *state;

	use(b, 1);
	ask(b, 9, "www");
	for (unsigned i = 0; i < 3; i++)
		fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_asked(b), 3);
	expect_servfail(b, 9);
}

static void test_refusal_goes_to_the_next_at_once(void **state)
{
	struct bench *b = *state;

	ask(b, 1, "www");
	fake_upstream_refuse(b->room.up, asked(b, 0)->sock, -ECONNREFUSED);
	fake_upstream_run(b->room.up);
	assert_int_equal(n_asked(b), 2);
	assert_true(went_to(b, 1, 1));
	answer(b, 1, 0);
	assert_int_equal(n_got(b), 1);
}

static void test_refusal_is_told_by_send(void **state)
{
	struct bench *b = *state;

	/* once: it was an earlier question's */
	b->room.up->send_err = -ECONNREFUSED;
	b->room.up->n_send_err = 1;
	ask(b, 1, "www");
	assert_int_equal(n_asked(b), 1);
	assert_true(went_to(b, 0, 0));
	/* twice: it is meant */
	b->room.up->n_send_err = 2;
	ask(b, 2, "ftp");
	assert_int_equal(n_asked(b), 2);
	assert_true(went_to(b, 1, 1));
}

static void test_refused_by_all(void **state)
{
	struct bench *b = *state;

	ask(b, 1, "www");
	for (unsigned i = 0; i < 3; i++) {
		fake_upstream_refuse(b->room.up, asked(b, i)->sock,
				     -ECONNREFUSED);
		fake_upstream_run(b->room.up);
	}
	assert_int_equal(n_asked(b), 3);
	expect_servfail(b, 1);
	assert_int_equal(b->room.lan.now_ns, UINT64_C(1000000000));
}

static void test_refusal_concerns_its_own_socket_only(void **state)
{
	struct bench *b = *state;
	unsigned n = 2;

	ask_new(b, 1);
	do
		ask_new(b, (uint16_t)n);
	while (asked(b, n++ - 1)->sock == asked(b, 0)->sock);
	fake_upstream_refuse(b->room.up, asked(b, 0)->sock, -EHOSTUNREACH);
	fake_upstream_run(b->room.up);
	/* all but the last one have moved */
	assert_int_equal(n_asked(b), 2 * (n - 1) - 1);
	answer(b, n - 2, 0);
	assert_int_equal(n_got(b), 1);
	assert_int_equal(id_of(got(b, 0).data), n - 1);
}

static void test_no_resolver_at_all(void **state)
{
	struct bench *b = *state;
	const struct endpoint local = {.ip = addr_v4(127, 0, 0, 1),
				       .port = DNS_PORT};

	use(b, 0);
	ask(b, 3, "www");
	assert_true(endpoint_eq(&asked(b, 0)->to, &local));
	fake_upstream_refuse(b->room.up, asked(b, 0)->sock, -ECONNREFUSED);
	fake_upstream_run(b->room.up);
	expect_servfail(b, 3);
}

static void test_no_sockets(void **state)
{
	struct bench *b = *state;

	b->room.up->open_err = -EMFILE;
	b->room.up->n_open_err = 3;
	ask(b, 3, "www");
	expect_servfail(b, 3);
	fake_clear(b->room.guest);
	b->room.up->connect_err = -ENETUNREACH;
	b->room.up->n_connect_err = 3;
	ask(b, 4, "www");
	expect_servfail(b, 4);
	assert_int_equal(b->room.up->n_open, 0);
}

static void test_resolvers_change(void **state)
{
	struct bench *b = *state;
	const struct endpoint other = {.ip = addr_v4(198, 51, 100, 1),
				       .port = DNS_PORT};

	ask(b, 1, "www");
	dns_set_upstreams(b->dns, &other, 1);
	assert_int_equal(b->room.up->n_open, 1);
	assert_int_equal(n_asked(b), 2);
	assert_true(endpoint_eq(&asked(b, 1)->to, &other));
	answer(b, 1, 0);
	assert_int_equal(n_got(b), 1);
	/* to one that is not there, with questions in flight */
	for (uint16_t i = 0; i < 5; i++)
		ask_new(b, i);
	fake_clear(b->room.guest);
	b->room.up->open_err = -EMFILE;
	b->room.up->n_open_err = 5;
	dns_set_upstreams(b->dns, &other, 1);
	assert_int_equal(n_got(b), 5);
}

/* --- another network --- */

static void test_network_that_stays_asks_nothing_again(void **state)
{
	struct bench *b = *state;

	b->room.up->source = addr_v4(192, 0, 2, 2);
	ask(b, 1, "www");
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 1);
	assert_int_equal(b->room.up->n_open, 1);
	answer(b, 0, 0);
	assert_int_equal(n_got(b), 1);
}

/* The host speaks from another address now. */
static void test_network_that_moved_is_asked_by_other_sockets(void **state)
{
	struct bench *b = *state;

	b->room.up->source = addr_v4(192, 0, 2, 2);
	for (uint16_t i = 0; i < 20; i++)
		ask_new(b, i);
	/* Which socket a question leaves by is drawn. */
	assert_in_range(b->room.up->n_open, 2, DNS_SOCKETS);
	for (uint16_t i = 0; i < 5; i++)
		answer(b, i, 0);
	assert_int_equal(n_got(b), 5);
	b->room.up->source = addr_v4(198, 51, 100, 2);
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 20 + 15); /* what is in flight, once */
	for (uint16_t i = 20; i < 35; i++)
		answer(b, i, 0);
	assert_int_equal(n_got(b), 20);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 0);
}

/* Nobody waits for a resolver to whom no way leads: another is asked. */
static void test_network_without_a_way(void **state)
{
	struct bench *b = *state;
	const struct endpoint two[2] = {upstream(0), upstream(1)};

	b->room.up->source = addr_v4(192, 0, 2, 2);
	use(b, 2);
	ask(b, 1, "www");
	assert_true(endpoint_eq(&asked(b, 0)->to, &two[0]));
	/* which cannot be asked of a host without a descriptor */
	b->room.up->open_err = -EMFILE;
	b->room.up->n_open_err = 1;
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 1);
	assert_int_equal(b->room.up->n_open, 1);
	b->room.up->connect_err = -ENETUNREACH;
	b->room.up->n_connect_err = 2; /* the look, and the question again */
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 2);
	assert_true(endpoint_eq(&asked(b, 1)->to, &two[1]));
	assert_int_equal(b->room.up->n_open, 1);
	assert_int_equal(n_got(b), 0);
	/* and where there is none, the guest is told at once */
	b->room.up->n_connect_err = 100;
	dns_network(b->dns);
	assert_int_equal(n_asked(b), 2);
	expect_servfail(b, 1);
}

/* --- lies --- */

static void lie(struct bench *b, unsigned sock, unsigned at, uint8_t xor)
{
	const struct fake_question *q = asked(b, 0);
	uint8_t buf[64];

	memcpy(buf, q->data, q->len);
	buf[2] |= DNS_F_QR >> 8;
	buf[at] ^= xor;
	fake_upstream_say(b->room.up, sock, buf, q->len, 0);
	fake_upstream_run(b->room.up);
}

static void test_lies(void **state)
{
	static const uint8_t at[] = {
		0,  1, /* id */
		2,     /* a question, not an answer */
		5,     /* number of questions */
		14,    /* name */
		18,    /* type */
		20,    /* class */
	};
	struct bench *b = *state;
	unsigned sock;

	ask(b, 1, "www");
	sock = asked(b, 0)->sock;
	for (unsigned i = 0; i < sizeof(at); i++) {
		lie(b, sock, at[i], at[i] == 2 ? 0x80 : 0x03);
		assert_int_equal(drops(b, DROP_DNS_REPLY), i + 1);
	}
	fake_upstream_say(b->room.up, sock, "\0\1", 2, 0);
	fake_upstream_say(b->room.up, sock, "", 0, 0);
	fake_upstream_run(b->room.up);
	assert_int_equal(drops(b, DROP_DNS_REPLY), sizeof(at) + 2);
	assert_int_equal(n_got(b), 0);
	/* letters that were not chosen may be a guess: it is asked again as
	 * the guest had it, and otherwise no more */
	lie(b, sock, 14, 0x20);
	assert_int_equal(drops(b, DROP_DNS_REPLY), sizeof(at) + 3);
	assert_int_equal(n_got(b), 0);
	assert_int_equal(n_asked(b), 2);
	assert_true(went_to(b, 1, 0));
	assert_memory_equal(asked(b, 1)->data + 12, "\3www", 4);
	lie(b, sock, 14, 0x20);
	assert_int_equal(drops(b, DROP_DNS_REPLY), sizeof(at) + 4);
	answer(b, 1, 0);
	assert_int_equal(n_got(b), 1);
	ask(b, 2, "wwwwwwwwwwwwwwwwwwwwwwwwwwww");
	assert_memory_equal(asked(b, 2)->data + 12,
			    "\x1cwwwwwwwwwwwwwwwwwwwwwwwwwwww", 29);
}

static void test_answer_by_another_socket(void **state)
{
	struct bench *b = *state;
	unsigned n = 1;

	ask(b, 1, "www");
	do
		ask_new(b, (uint16_t)(n + 1));
	while (asked(b, n++)->sock == asked(b, 0)->sock);
	lie(b, asked(b, n - 1)->sock, 0, 0);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 1);
	/* nor by that of the resolver that was given up */
	fake_lan_advance(&b->room.lan, TRY_NS);
	lie(b, asked(b, 0)->sock, 0, 0);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 2);
	assert_int_equal(n_got(b), 0);
}

#define T(f)                                                                   \
	cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, &is_v6)

static int run(bool is_v6)
{
	const struct CMUnitTest tests[] = {
		T(test_question_and_answer),
		T(test_ids_are_ours),
		T(test_ports_change),
		T(test_a_port_in_use_is_kept),
		T(test_joined_answers_are_taken_apart),
		T(test_silence_goes_to_the_next),
		T(test_three_silent_ones),
		T(test_a_lone_silent_one_is_asked_three_times),
		T(test_refusal_goes_to_the_next_at_once),
		T(test_refusal_is_told_by_send),
		T(test_refused_by_all),
		T(test_refusal_concerns_its_own_socket_only),
		T(test_no_resolver_at_all),
		T(test_no_sockets),
		T(test_resolvers_change),
		T(test_network_that_stays_asks_nothing_again),
		T(test_network_that_moved_is_asked_by_other_sockets),
		T(test_network_without_a_way),
		T(test_lies),
		T(test_answer_by_another_socket),
	};

	return cmocka_run_group_tests_name(is_v6 ? "IPv6" : "IPv4", tests, NULL,
					   NULL);
}

int main(void)
{
	int r = run(false);

	return r ? r : run(true);
}
