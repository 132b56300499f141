/* SPDX-License-Identifier: BSD-3-Clause */
/* The name server and its guests: what one may have, what several share, which
 * resolver it is, what is kept. */
#include "service/dns_bench.h"

/* --- guests --- */

static void test_repeated_question_is_one(void **state)
{
	struct bench *b = *state;

	ask(b, 1, "www");
	b->mac = fake_mac(2); /* it has moved: the answer goes there */
	ask(b, 1, "www");
	assert_int_equal(n_asked(b), 1);
	answer(b, 0, 0);
	assert_int_equal(n_got(b), 1);
	(void)got(b, 0); /* checks the MAC */
	/* answered: asked anew */
	ask(b, 1, "www");
	assert_int_equal(n_asked(b), 2);
}

static void test_same_id_other_question(void **state)
{
	struct bench *b = *state;
	struct fake_dgram g;

	ask(b, 1, "www");
	ask(b, 1, "ftp"); /* the guest was started anew */
	assert_int_equal(n_asked(b), 2);
	answer(b, 0, 0);
	assert_int_equal(n_got(b), 0);
	answer(b, 1, 0);
	g = got(b, 0);
	assert_memory_equal(g.data + 12, "\3ftp", 4);
}

static void test_one_guests_share(void **state)
{
	struct bench *b = *state;
	char label[8] = "aaaa";

	use(b, 1); /* none is measured besides */
	for (unsigned i = 0; i < 300; i++) {
		label[0] = (char)('a' + i % 26);
		label[1] = (char)('a' + i / 26);
		b->ip = guest_ip(b, (uint8_t)(15 + i % 100));
		ask(b, (uint16_t)i, label); /* by one MAC */
	}
	assert_int_equal(n_asked(b), DNS_PER_GUEST);
	assert_int_equal(drops(b, DROP_DNS_BUSY), 300 - DNS_PER_GUEST);
	/* neither does another MAC help */
	b->ip = guest_ip(b, 200);
	b->mac = fake_mac(2);
	ask(b, 1, "www");
	assert_int_equal(n_asked(b), DNS_PER_GUEST + 1);
}

static void test_table_full(void **state)
{
	struct bench *b = *state;
	char label[8] = "aaaa";

	use(b, 1); /* none is measured besides */
	for (unsigned i = 0; i < DNS_QUESTIONS + 10; i++) {
		label[0] = (char)('a' + i % 26);
		label[1] = (char)('a' + i / 26);
		b->ip = guest_ip(b, (uint8_t)(15 + i % 200));
		b->mac = fake_mac(i % 200);
		ask(b, (uint16_t)i, label);
	}
	assert_int_equal(n_asked(b), DNS_QUESTIONS);
	assert_int_equal(drops(b, DROP_DNS_BUSY), 10);
	for (unsigned i = 0; i < 3; i++)
		fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_got(b), DNS_QUESTIONS); /* SERVFAIL for each */
	ask(b, 9999, "www");
	assert_int_equal(n_asked(b), 3 * DNS_QUESTIONS + 1);
}

static void test_a_loop_ends(void **state)
{
	struct bench *b = *state;
	unsigned n = 0;
	struct fake_dgram g;

	/* the guest's resolver asks us what we ask it, in whatever letters */
	for (; n_got(b) == 0; n++) {
		b->port = (uint16_t)(6000 + n);
		ask(b, (uint16_t)n, n % 2 ? "www" : "wWw");
		assert_true(n < 1000);
	}
	assert_int_equal(n, DNS_SAME_MAX + 1);
	assert_int_equal(n_asked(b), 1);
	g = got(b, 0);
	assert_int_equal(rcode(&g), DNS_SERVFAIL);
	assert_int_equal(drops(b, DROP_DNS_SAME), 1);
}

/* Several that ask the same are one question, and each has its answer. */
static void test_the_same_is_asked_once(void **state)
{
	struct bench *b = *state;

	ask(b, 1, "www");
	b->ip = guest_ip(b, 16);
	b->mac = fake_mac(2);
	ask(b, 2, "WWW");
	ask(b, 3, "ftp");
	assert_int_equal(n_asked(b), 2);
	fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_asked(b), 4);
	answer(b, 2, 16);
	assert_int_equal(n_got(b), 2);
	assert_int_equal(id_of(got(b, 1).data), 2);
	assert_int_equal(got(b, 1).len, 37);
	assert_memory_equal(got(b, 1).data + 12, "\3WWW", 4);
	fake_clear(b->room.guest);
	/* who asked first asks something else: the others still wait */
	ask(b, 5, "abc");
	ask(b, 6, "abc");
	ask(b, 5, "def");
	assert_int_equal(n_asked(b), 7);
	answer(b, 5, 0);
	assert_int_equal(id_of(got(b, 0).data), 6);
	answer(b, 6, 0);
	assert_int_equal(id_of(got(b, 1).data), 5);
	fake_clear(b->room.guest);
	/* nobody answers: all are told */
	b->room.up->send_err = -ENETUNREACH;
	ask(b, 7, "ghi");
	ask(b, 8, "ghi");
	b->room.up->n_send_err = 100;
	fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_got(b), 2 + 1); /* "ftp" as well */
}

static size_t put_a(uint8_t *buf, uint32_t ttl)
{
	struct wr w = wr_init(buf, 32);

	wr_u16(&w, 0xc00c);
	wr_u16(&w, DNS_T_A);
	wr_u16(&w, DNS_C_IN);
	wr_u32(&w, ttl);
	wr_u16(&w, 4);
	wr_u32(&w, 0x01020304);
	return wr_len(&w);
}

/* What was answered is answered again, until it is too old. */
static void test_answers_are_kept(void **state)
{
	struct bench *b = *state;
	uint8_t buf[128];
	size_t len;

	ask(b, 1, "www");
	len = asked(b, 0)->len;
	memcpy(buf, asked(b, 0)->data, len);
	buf[2] |= DNS_F_QR >> 8;
	buf[7] = 1;
	len += put_a(buf + len, 60);
	fake_upstream_say(b->room.up, asked(b, 0)->sock, buf, len, 0);
	fake_upstream_run(b->room.up);
	assert_int_equal(n_got(b), 1);
	fake_lan_advance(&b->room.lan, 10000 * MS);
	ask(b, 2, "wWW");
	assert_int_equal(n_asked(b), 1);
	assert_int_equal(n_got(b), 2);
	assert_int_equal(id_of(got(b, 1).data), 2);
	assert_memory_equal(got(b, 1).data + 12, "\3wWW", 4);
	assert_int_equal(got(b, 1).data[30], 50);
	/* other resolvers may know better */
	use(b, 2);
	ask(b, 3, "www");
	assert_int_equal(n_asked(b), 2);
}

/* The answer with this rcode, of the ith question. */
static void say_no(struct bench *b, unsigned i, uint8_t code)
{
	const struct fake_question *q = asked(b, i);
	uint8_t buf[64];

	memcpy(buf, q->data, q->len);
	buf[2] |= DNS_F_QR >> 8;
	buf[3] = code;
	fake_upstream_say(b->room.up, q->sock, buf, q->len, 0);
	fake_upstream_run(b->room.up);
}

static void test_who_cannot_answer_makes_way(void **state)
{
	struct bench *b = *state;
	struct fake_dgram g;

	ask(b, 1, "www");
	say_no(b, 0, DNS_REFUSED);
	assert_true(went_to(b, 1, 1));
	say_no(b, 1, DNS_SERVFAIL);
	assert_true(went_to(b, 2, 2));
	assert_int_equal(n_got(b), 0);
	say_no(b, 2, DNS_NOTIMP);
	g = got(b, 0); /* all say so */
	assert_int_equal(rcode(&g), DNS_NOTIMP);
	/* but there is no such name is an answer */
	ask(b, 2, "www");
	say_no(b, 3, DNS_NXDOMAIN);
	assert_int_equal(n_got(b), 2);
	assert_int_equal(n_asked(b), 4);
}

/* One that is down hears of questions besides, and is asked when it answers. */
static void test_who_is_down_is_probed(void **state)
{
	struct bench *b = *state;

	use(b, 2);
	ask(b, 1, "www");
	fake_lan_advance(&b->room.lan, TRY_NS);
	answer(b, 1, 0);
	fake_lan_advance(&b->room.lan, DNS_REST_SECONDS * 1000 * MS);
	ask(b, 2, "abc");
	assert_int_equal(n_asked(b), 4);
	assert_true(went_to(b, 2, 1));
	assert_true(went_to(b, 3, 0));
	answer(b, 2, 0);
	assert_int_equal(n_got(b), 2);
	/* in vain: for longer now */
	fake_lan_advance(&b->room.lan, TRY_NS);
	fake_lan_advance(&b->room.lan, DNS_REST_SECONDS * 1000 * MS);
	ask(b, 3, "abc");
	answer(b, 4, 0);
	assert_int_equal(n_asked(b), 5);
	fake_lan_advance(&b->room.lan, DNS_REST_SECONDS * 1000 * MS);
	ask(b, 4, "def");
	assert_true(went_to(b, 6, 0));
	answer(b, 6, 0); /* to nobody */
	assert_int_equal(n_got(b), 3);
	answer(b, 5, 0);
	assert_int_equal(n_got(b), 4);
	fake_lan_advance(&b->room.lan, 20 * MS);
	ask(b, 5, "ghi");
	assert_int_equal(n_asked(b), 8);
	assert_int_equal(drops(b, DROP_DNS_REPLY), 0);
}

static void add_own(struct bench *b, const char *domain, uint8_t n)
{
	struct dns_server_config c = {
		.ep = {.ip = addr_v4(198, 51, 100, n), .port = 5300}};
	struct wr w = wr_init(c.domain, sizeof(c.domain));

	if (*domain)
		assert_true(dns_name_emit(&w, domain));
	else
		wr_u8(&w, 0);
	c.domain_len = wr_len(&w);
	assert_int_equal(dns_add_server(b->dns, &c), 0);
}

static bool went_to_own(const struct bench *b, unsigned i, uint8_t n)
{
	const struct endpoint ep = {.ip = addr_v4(198, 51, 100, n),
				    .port = 5300};

	return endpoint_eq(&asked(b, i)->to, &ep);
}

static void test_resolvers_of_domains(void **state)
{
	struct bench *b = *state;

	add_own(b, "corp", 1);
	ask(b, 1, "www");
	assert_true(went_to(b, 0, 0));
	ask(b, 2, "corp");
	assert_true(went_to_own(b, 1, 1));
	/* it, and no other */
	for (unsigned i = 0; i < 3; i++)
		fake_lan_advance(&b->room.lan, TRY_NS);
	assert_int_equal(n_asked(b), 6);
	for (unsigned i = 1; i < 6; i++)
		assert_true(went_to_own(b, i, 1) == (i % 2));
	fake_clear(b->room.guest);
	/* the host's resolvers come and go, these stay */
	use(b, 1);
	ask(b, 3, "corp");
	assert_true(went_to_own(b, 6, 1));
	/* for all names: instead of the host's */
	add_own(b, "", 2);
	ask(b, 4, "ftp");
	assert_true(went_to_own(b, n_asked(b) - 1, 2));
	use(b, 3);
	ask(b, 5, "abc");
	assert_true(went_to_own(b, n_asked(b) - 1, 2));
}

/* Names of machines are answered here, and where nothing leads out nothing else
 * is. */
static void test_the_zone(void **state)
{
	const struct zone_source src = {.next = NULL};
	struct bench *b = *state;
	struct fake_dgram g;

	dns_set_zone(b->dns, &src, "vm.lan", false);
	ask(b, 1, "gateway");
	assert_int_equal(n_asked(b), 0);
	g = got(b, 0);
	assert_int_equal(g.data[7], 1);
	ask(b, 2, "www");
	assert_int_equal(n_asked(b), 1);
	dns_set_zone(b->dns, &src, "vm.lan", true);
	ask(b, 3, "ftp");
	g = got(b, 1);
	assert_int_equal(rcode(&g), DNS_REFUSED);
	assert_int_equal(n_asked(b), 1);
}

static void test_bad_questions(void **state)
{
	struct bench *b = *state;
	uint8_t buf[DNS_QUESTION_MAX + 1] = {0};
	struct fake_dgram g;
	size_t len;

	send_raw(b, buf, 11);
	assert_int_equal(drops(b, DROP_DNS_BAD), 1);
	len = put_question(buf, sizeof(buf), 1, DNS_F_QR, "www");
	send_raw(b, buf, len); /* an answer */
	assert_int_equal(drops(b, DROP_DNS_BAD), 2);
	len = put_question(buf, sizeof(buf), 1, 0, "www");
	send_raw(b, buf, len - 1);
	assert_int_equal(drops(b, DROP_DNS_BAD), 3);
	send_raw(b, buf, sizeof(buf)); /* too long */
	assert_int_equal(drops(b, DROP_DNS_BAD), 4);
	send_raw(b, buf, sizeof(buf) - 1); /* just not */
	assert_int_equal(n_asked(b), 1);
	/* no question, or two: said so at once */
	buf[5] = 0;
	send_raw(b, buf, len);
	g = got(b, 0);
	assert_int_equal(rcode(&g), DNS_FORMERR);
	assert_int_equal(n_asked(b), 1);
}

/* --- long answers --- */

/* Who takes up to 4096 bytes. */
static void ask_edns(struct bench *b, uint16_t id)
{
	uint8_t buf[64];
	size_t len = put_question(buf, sizeof(buf), id, DNS_F_RD, "www");

	buf[11] = 1;
	memcpy(buf + len, "\0\0\x29\x10\0\0\0\0\0\0\0", 11);
	send_raw(b, buf, len + 11);
}

static void expect_truncated(struct bench *b, uint16_t id)
{
	struct fake_dgram g = got(b, 0);

	assert_int_equal(g.len, 21);
	assert_int_equal(id_of(g.data), id);
	assert_true(g.data[2] & DNS_F_TC >> 8);
	assert_true(g.data[2] & DNS_F_QR >> 8);
	assert_int_equal(rcode(&g), DNS_NOERROR);
	assert_memory_equal(g.data + 12, "\3www", 4);
	fake_clear(b->room.guest);
}

static void test_long_answers(void **state)
{
	struct bench *b = *state;
	const size_t room = b->is_v6 ? 1452 : 1472;
	struct fake_dgram g;

	ask_edns(b, 1);
	answer(b, 0, room - 32);
	g = got(b, 0);
	assert_int_equal(g.len, room);
	assert_false(g.data[2] & DNS_F_TC >> 8);
	fake_clear(b->room.guest);
	ask_edns(b, 2);
	answer(b, 1, room + 1 - 32); /* one byte too many */
	expect_truncated(b, 2);
	/* who does not speak EDNS takes less */
	ask(b, 3, "www");
	answer(b, 2, 512 - 21);
	assert_int_equal(got(b, 0).len, 512);
	fake_clear(b->room.guest);
	ask(b, 4, "www");
	answer(b, 3, 513 - 21);
	expect_truncated(b, 4);
}

static void test_an_answer_that_fits_no_frame(void **state)
{
	struct bench *b = *state;

	b->room.env.mtu = 40;
	ask(b, 1, "www");
	answer(b, 0, 100);
	assert_int_equal(n_got(b), 0);
	assert_int_equal(drops(b, DROP_DNS_BAD), 1);
}

#define T(f)                                                                   \
	cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, &is_v6)

static int run(bool is_v6)
{
	const struct CMUnitTest tests[] = {
		T(test_repeated_question_is_one),
		T(test_same_id_other_question),
		T(test_one_guests_share),
		T(test_table_full),
		T(test_a_loop_ends),
		T(test_the_same_is_asked_once),
		T(test_answers_are_kept),
		T(test_who_cannot_answer_makes_way),
		T(test_who_is_down_is_probed),
		T(test_resolvers_of_domains),
		T(test_the_zone),
		T(test_bad_questions),
		T(test_long_answers),
		T(test_an_answer_that_fits_no_frame),
	};

	return cmocka_run_group_tests_name(is_v6 ? "IPv6" : "IPv4", tests, NULL,
					   NULL);
}

int main(void)
{
	int r = run(false);

	return r ? r : run(true);
}
