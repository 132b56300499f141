/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said of a packet that nobody sends, and that nobody sends it. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "gateway/fake_segment.h"
#include "gateway/gateway_priv.h"

static int setup_closed(void **state)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_config gc = fake_gateway_config();

	gc.is_restricted = true;
	return fake_gateway_setup_with(state, &gc, &pc);
}

static int setup_hidden(void **state)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_config gc = fake_gateway_config();

	gc.serving.hides_host = true;
	return fake_gateway_setup_with(state, &gc, &pc);
}

static int setup64(void **state)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_config gc = fake_gateway_config6();

	gc.nat64 = true;
	return fake_gateway_setup_with(state, &gc, &pc);
}

/* The guest's question; nothing was sent, lost or left behind for it. */
static struct why_trail ask(struct fake_gateway *b, struct gateway_why q)
{
	static const struct drops none;
	struct why_trail t = {.n = 0};

	if (!q.from.port)
		q.from = fake_ep(10, 0, 2, 15, 6000);
	q.name = q.name ? q.name : "";
	gateway_why(b->gw, &q, &t);
	fake_gateway_pass(b, 1000000);
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(b->fh->n_sent, 0);
	assert_int_equal(b->n_calls, 0);
	assert_memory_equal(&b->drops, &none, sizeof(none));
	assert_true(t.n > 0);
	assert_true(why_trail_is_sound(&t));
	return t;
}

static struct why_trail to(struct fake_gateway *b, uint8_t proto,
			   struct endpoint ep)
{
	return ask(b, (struct gateway_why){.proto = proto, .to = ep});
}

static void expect(const struct why_trail *t, enum why_code code,
		   enum why_ok ok)
{
	assert_int_equal(t->step[t->n - 1].code, code);
	assert_int_equal(t->step[t->n - 1].ok, ok);
}

static void expect_mapped(const struct why_trail *t, struct endpoint ep)
{
	assert_int_equal(t->n, 2);
	assert_int_equal(t->step[0].code, WHY_MAPPED);
	assert_true(endpoint_eq(&t->step[0].ep, &ep));
	expect(t, WHY_HOST_WAY, WHY_YES);
}

static void test_mapping(void **state)
{
	struct fake_gateway *b = *state;
	struct why_trail t;

	for (int i = 0; i < 2; i++) {
		uint8_t proto = i ? IPPROTO_UDP : IPPROTO_TCP;

		t = to(b, proto, fake_ep(192, 0, 2, 1, 443));
		expect_mapped(&t, fake_ep(192, 0, 2, 1, 443));
		t = to(b, proto, fake_ep(10, 0, 2, 2, 22));
		expect_mapped(&t, fake_ep(127, 0, 0, 1, 22));
		t = to(b, proto, fake_ep(10, 0, 2, 77, 22));
		expect(&t, WHY_NOBODY, WHY_NO);
		t = to(b, proto, fake_ep(10, 0, 2, 3, 22));
		expect(&t, WHY_NOT_OWN, WHY_NO);
		t = to(b, proto, fake_ep(10, 0, 2, 3, 53));
		expect(&t, WHY_OWN, WHY_YES);
		assert_string_equal(t.step[0].text, "DNS");
		t = to(b, proto, fake_ep(127, 0, 0, 1, 22));
		expect(&t, WHY_REFUSED, WHY_NO);
		t = ask(b, (struct gateway_why){.proto = proto,
						.is_host = true,
						.to.port = 22});
		expect_mapped(&t, fake_ep(127, 0, 0, 1, 22));
	}
	t = to(b, IPPROTO_ICMP, fake_ep(10, 0, 2, 2, 0));
	expect(&t, WHY_OWN, WHY_YES);
	t = to(b, IPPROTO_ICMP, fake_ep(192, 0, 2, 1, 0));
	expect_mapped(&t, fake_ep(192, 0, 2, 1, 0));
	t = to(b, IPPROTO_TCP, fake_ep(224, 0, 0, 5, 22));
	expect(&t, WHY_REFUSED, WHY_NO);
	assert_int_equal(t.step[0].err, DROP_IP_MULTICAST);
}

static void test_whose(void **state)
{
	struct fake_gateway *b = *state;
	struct gateway_why q = {.proto = IPPROTO_TCP,
				.from = fake_ep(192, 0, 2, 9, 6000),
				.to = fake_ep(192, 0, 2, 1, 80)};
	struct why_trail t = ask(b, q);

	expect(&t, WHY_SOURCE, WHY_NO);
	q.from.ip = fake_inside6(15); /* IPv6 is off */
	t = ask(b, q);
	expect(&t, WHY_FAMILY_OFF, WHY_NO);
}

static void test_closed(void **state)
{
	struct fake_gateway *b = *state;
	struct why_trail t = to(b, IPPROTO_TCP, fake_ep(192, 0, 2, 1, 80));

	expect(&t, WHY_RESTRICTED, WHY_NO);
	t = to(b, IPPROTO_UDP, fake_ep(192, 0, 2, 1, 80));
	expect(&t, WHY_RESTRICTED, WHY_NO);
	t = to(b, IPPROTO_ICMP, fake_ep(192, 0, 2, 1, 0));
	expect(&t, WHY_RESTRICTED, WHY_NO);
	t = to(b, IPPROTO_ICMP, fake_ep(10, 0, 2, 2, 0));
	expect(&t, WHY_OWN, WHY_YES);
	t = ask(b, (struct gateway_why){.name = "a.test", .only_name = true});
	expect(&t, WHY_NAME_NOWHERE, WHY_NO);
}

static void test_hidden_host(void **state)
{
	struct fake_gateway *b = *state;
	struct why_trail t = ask(b, (struct gateway_why){
					    .proto = IPPROTO_TCP,
					    .is_host = true,
					    .to.port = 22});

	expect(&t, WHY_NOT_OWN, WHY_NO);
	t = to(b, IPPROTO_TCP, fake_ep(10, 0, 2, 2, 22));
	expect(&t, WHY_NOT_OWN, WHY_NO);
}

static void test_names(void **state)
{
	struct fake_gateway *b = *state;
	char longest[300];
	struct why_trail t = ask(b, (struct gateway_why){.name = "a.test",
							 .only_name = true});

	expect(&t, WHY_NAME_ASKED, WHY_UNKNOWN);
	assert_int_equal(t.step[0].ep.port, 53);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	t = ask(b, (struct gateway_why){.name = longest, .only_name = true});
	expect(&t, WHY_NAME_NOWHERE, WHY_NO);
}

static int setup6(void **state)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	const struct gateway_config gc = fake_gateway_config6();

	return fake_gateway_setup_with(state, &gc, &pc);
}

/* An answer is kept: an address of `type`, or that there is none. */
static void keep(struct fake_gateway *b, const char *name, uint16_t type,
		 const void *ip, uint16_t len)
{
	struct dns_hdr h = {.flags = DNS_F_RD, .n_question = 1};
	uint8_t q[128], a[256];
	struct wr w = wr_init(q, sizeof(q));
	struct rd question, answer;

	dns_hdr_emit(&w, &h);
	assert_true(dns_name_emit(&w, name));
	wr_u32(&w, (uint32_t)type << 16 | DNS_C_IN);
	question = rd_init(q, wr_len(&w));
	h.flags |= DNS_F_QR;
	h.n_answer = len > 0;
	h.n_authority = len == 0;
	w = wr_init(a, sizeof(a));
	dns_hdr_emit(&w, &h);
	wr_bytes(&w, q + DNS_HDR_LEN, rd_left(&question) - DNS_HDR_LEN);
	wr_u16(&w, DNS_POINTER | DNS_HDR_LEN);
	wr_u16(&w, len ? type : DNS_T_SOA);
	wr_u16(&w, DNS_C_IN);
	wr_u32(&w, 60);
	wr_u16(&w, len ? len : 22);
	wr_bytes(&w, len ? ip : "\0\0", len ? len : 2);
	for (unsigned i = 0; !len && i < 5; i++)
		wr_u32(&w, 60);
	answer = rd_init(a, wr_len(&w));
	dns_learn(b->gw->dns, &question, &answer, 0);
}

static void expect_name(const struct why_trail *t, unsigned side,
			enum why_code code, const addr *ip)
{
	const struct why_step *s = &t->step[side];
	const addr none = {{0}};

	assert_int_equal(t->n, 2);
	assert_int_equal(s->side, side);
	assert_int_equal(s->code, code);
	if (ip)
		assert_true(addr_eq(&s->ep.ip, ip));
	else
		assert_true(addr_eq(&s->ep.ip, &none) ||
			    code == WHY_NAME_ASKED);
}

static struct why_trail ask_name(struct fake_gateway *b)
{
	const struct gateway_why q = {.from = fake_ep(10, 0, 2, 15, 6000),
				      .name = "a.test",
				      .only_name = true};
	struct why_trail t = {.n = 0};

	gateway_why(b->gw, &q, &t);
	assert_int_equal(b->fh->n_sent, 0);
	return t;
}

/* Of a name each family of the network is told. */
static void test_names_of_both(void **state)
{
	const addr v4 = addr_v4(192, 0, 2, 80);
	const addr v6 = {{0x20, 1, 0xd, 0xb8, [15] = 0x80}};
	struct fake_gateway *b = *state;
	struct why_trail t = ask_name(b);

	expect_name(&t, 0, WHY_NAME_ASKED, NULL);
	expect_name(&t, 1, WHY_NAME_ASKED, NULL);
	keep(b, "a.test", DNS_T_A, v4.b + 12, 4);
	t = ask_name(b);
	expect_name(&t, 0, WHY_NAME_KEPT, &v4);
	expect_name(&t, 1, WHY_NAME_ASKED, NULL);
	keep(b, "a.test", DNS_T_AAAA, NULL, 0);
	t = ask_name(b);
	expect_name(&t, 0, WHY_NAME_KEPT, &v4);
	expect_name(&t, 1, WHY_NAME_KEPT, NULL);
	keep(b, "a.test", DNS_T_AAAA, v6.b, 16);
	t = ask_name(b);
	expect_name(&t, 1, WHY_NAME_KEPT, &v6);
}

/* With NAT64 there is an address of IPv6 where there is one of IPv4. */
static void test_names_made(void **state)
{
	const addr v4 = addr_v4(192, 0, 2, 80);
	const addr made = {{0, 0x64, 0xff, 0x9b, [12] = 192, 0, 2, 80}};
	struct fake_gateway *b = *state;
	struct why_trail t;

	keep(b, "a.test", DNS_T_A, v4.b + 12, 4);
	keep(b, "a.test", DNS_T_AAAA, NULL, 0);
	t = ask_name(b);
	expect_name(&t, 0, WHY_NAME_KEPT, &v4);
	expect_name(&t, 1, WHY_NAME_KEPT, &made);
}

/* .. and where the one of IPv6 leads nowhere: what is not known of the former
 * is asked. */
static void test_names_made_anew(void **state)
{
	const addr v4 = addr_v4(192, 0, 2, 80);
	const addr v6 = {{0x20, 1, 0x0d, 0xb8, [15] = 80}};
	const addr made = {{0, 0x64, 0xff, 0x9b, [12] = 192, 0, 2, 80}};
	struct fake_gateway *b = *state;
	struct why_trail t;

	keep(b, "a.test", DNS_T_AAAA, v6.b, 16);
	t = ask_name(b);
	expect_name(&t, 1, WHY_NAME_KEPT, &v6);
	gateway_ways(b->gw, true, false);
	t = ask_name(b);
	expect_name(&t, 1, WHY_NAME_ASKED, NULL);
	keep(b, "a.test", DNS_T_A, v4.b + 12, 4);
	t = ask_name(b);
	expect_name(&t, 1, WHY_NAME_KEPT, &made);
	keep(b, "a.test", DNS_T_A, NULL, 0);
	t = ask_name(b);
	expect_name(&t, 1, WHY_NAME_KEPT, &v6);
}

/* Who has not spoken is asked for first: by who comes, not by the question. */
static void test_inward(void **state)
{
	struct fake_gateway *b = *state;
	const struct gateway_why q = {.proto = IPPROTO_TCP,
				      .is_inward = true,
				      .to = fake_ep(10, 0, 2, 15, 22)};
	const struct endpoint far = fake_ep(192, 0, 2, 1, 9);
	struct why_trail t = ask(b, q);

	expect(&t, WHY_GUEST, WHY_UNKNOWN);
	fake_guest_udp(&b->g, 6000, &far, "hello", 5);
	fake_guest_kick(&b->g);
	t = (struct why_trail){.n = 0};
	gateway_why(b->gw, &q, &t);
	expect(&t, WHY_GUEST, WHY_YES);
	assert_string_equal(t.step[0].text, "vm0");
}

/* What finds no room is left out. */
static void test_trail(void **state)
{
	struct why_trail t = {.n = 0};

	(void)state;
	for (int i = 0; i < 2 * WHY_STEPS_MAX; i++)
		why_put(&t, WHY_PORT, WHY_YES);
	assert_int_equal(t.n, WHY_STEPS_MAX);
	memset(t.step[3].text, 'a', WHY_TEXT_LEN);
	assert_true(why_trail_is_sound(&t));
	assert_int_equal(strlen(t.step[3].text), WHY_TEXT_LEN - 1);
	t.step[0].ok = WHY_OKS;
	assert_false(why_trail_is_sound(&t));
	t.step[0].ok = WHY_NO;
	t.step[0].code = WHY_CODES;
	assert_false(why_trail_is_sound(&t));
	t.step[0].code = 0;
	t.n++;
	assert_false(why_trail_is_sound(&t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mapping,
						fake_gateway_setup,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_whose, fake_gateway_setup,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_closed, setup_closed,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_hidden_host, setup_hidden,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_names, fake_gateway_setup,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_names_of_both, setup6,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_names_made, setup64,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_names_made_anew, setup64,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_inward,
						fake_gateway_setup,
						fake_gateway_teardown),
		cmocka_unit_test(test_trail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
