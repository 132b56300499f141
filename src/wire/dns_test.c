/* SPDX-License-Identifier: BSD-3-Clause */
/* DNS: names, loops, questions, and replies without an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/dns.h"

/* id 0x1234, RD and CD, one question, one extra record. */
#define HDR "\x12\x34\x01\x10\0\1\0\0\0\0\0\1"
#define WWW "\3www\7example\3org\0"

static const char query[] = HDR WWW "\0\x1c\0\1"
				    "\0\0\x29\x04\xd0\0\0\0\0\0\0";

static struct rd over(const void *p, size_t len)
{
	return rd_init(p, len);
}

static void a_question_is_read(void **state)
{
	struct rd msg = over(query, sizeof(query) - 1);
	struct dns_question q;

	assert_true(dns_question_parse(&msg, &q));
	assert_int_equal(q.hdr.id, 0x1234);
	assert_int_equal(q.hdr.flags, DNS_F_RD | DNS_F_CD);
	assert_int_equal(q.hdr.n_question, 1);
	assert_int_equal(q.hdr.n_extra, 1);
	assert_string_equal(q.name, "www.example.org");
	assert_int_equal(q.type, DNS_T_AAAA);
	assert_int_equal(q.class, DNS_C_IN);
	assert_int_equal(q.end, 12 + 17 + 4);
	for (size_t n = 0; n < q.end; n++) {
		struct dns_question other;

		msg = over(query, n);
		assert_false(dns_question_parse(&msg, &other));
	}
}

static void a_questions_name_is_copied(void **state)
{
	struct rd msg = over(query, sizeof(query) - 1);
	uint8_t name[DNS_NAME_LEN];

	/* cut short anywhere */
	for (size_t n = 0; n < 12 + 17; n++) {
		struct rd cut = over(query, n);

		assert_int_equal(dns_question_name(&cut, name), 0);
	}
	assert_int_equal(dns_question_name(&msg, name), 17);
	assert_memory_equal(name, WWW, 17);
}

static void no_question_is_none(void **state)
{
	uint8_t b[12] = {0};
	struct rd msg = over(b, sizeof(b));
	struct dns_question q;

	assert_true(dns_question_parse(&msg, &q));
	assert_string_equal(q.name, "");
	assert_int_equal(q.end, 12);
	b[4] = 0xff; /* 65280 questions that are not there */
	assert_false(dns_question_parse(&msg, &q));
}

static void questions_may_share_names(void **state)
{
	static const char m[] = "\0\0\0\0\0\2\0\0\0\0\0\0" WWW "\0\1\0\1"
				"\4mail\xc0\x10\0\1\0\1";
	struct rd msg = over(m, sizeof(m) - 1);
	struct dns_question q;
	struct rd r = over(m, sizeof(m) - 1);
	char name[DNS_NAME_TEXT];

	assert_true(dns_question_parse(&msg, &q));
	assert_string_equal(q.name, "www.example.org");
	assert_int_equal(q.end, sizeof(m) - 1);
	rd_skip(&r, 12 + 17 + 4);
	assert_true(dns_name_parse(&msg, &r, name));
	assert_string_equal(name, "mail.example.org");
	assert_int_equal(rd_left(&r), 4);
}

/* The name at byte 12 of a message of these bytes behind a header. */
static bool name_of(const void *p, size_t len, char *buf)
{
	uint8_t m[1024] = {0};
	struct rd msg = over(m, 12 + len);
	struct rd r = msg;

	memcpy(m + 12, p, len);
	rd_skip(&r, 12);
	return dns_name_parse(&msg, &r, buf);
}

static void names_are_bounded(void **state)
{
	char name[DNS_NAME_TEXT] = "?";
	uint8_t b[300];

	assert_false(name_of("\xc0\x0c", 2, name));	    /* itself */
	assert_false(name_of("\1a\xc0\x0c", 4, name));	    /* its start */
	assert_false(name_of("\xc0\x0e\xc0\x0c", 4, name)); /* forward */
	assert_false(name_of("\1a\xc0\x0d", 4, name));	    /* into itself */
	assert_false(name_of("\xc0\x00", 2, name));	    /* the header */
	assert_false(name_of("\xc0", 1, name));
	assert_false(name_of("\x40" "a", 2, name)); /* reserved kinds */
	assert_false(name_of("\x80" "a", 2, name));
	assert_false(name_of("\2a", 2, name));
	assert_false(name_of("\1a", 2, name));
	assert_string_equal(name, "?");

	/* 127 labels of one byte make 255 bytes; one more is too long. */
	for (unsigned i = 0; i < 128; i++) {
		b[2 * i] = 1;
		b[2 * i + 1] = 'a';
	}
	b[254] = 0;
	assert_true(name_of(b, 255, name));
	assert_int_equal(strlen(name), 253);
	b[254] = 1;
	b[256] = 0;
	assert_false(name_of(b, 257, name));
	/* Long because of a pointer. */
	memset(b, 0, sizeof(b));
	b[0] = 63;
	b[64] = 63;
	b[128] = 63;
	b[193] = 63;
	b[257] = 0xc0;
	b[258] = 12;
	assert_true(name_of(b, 260, name));
	{
		uint8_t m[300] = {0};
		struct rd msg = over(m, 12 + 259);
		struct rd r = over(m + 12 + 193, 259 - 193);

		memcpy(m + 12, b, 259);
		assert_false(dns_name_parse(&msg, &r, name));
	}
}

static void names_are_printable(void **state)
{
	char name[DNS_NAME_TEXT];
	uint8_t b[255];

	assert_true(name_of("\0", 1, name));
	assert_string_equal(name, ".");
	assert_true(name_of("\4a.b\\\3\0 \xff\0", 10, name));
	assert_string_equal(name, "a\\.b\\\\.\\000\\032\\255");
	/* The longest text: every byte escaped. */
	memset(b, 0, sizeof(b));
	b[0] = b[64] = b[128] = 63;
	b[192] = 61;
	b[254] = 0;
	assert_true(name_of(b, 255, name));
	assert_int_equal(strlen(name), (63 * 3 + 61) * 4 + 3);
}

static void an_error_repeats_the_question(void **state)
{
	struct rd msg = over(query, sizeof(query) - 1);
	struct dns_question q;
	uint8_t b[64], again[64];
	struct wr w = wr_init(b, sizeof(b));

	assert_true(dns_emit_error(&w, &msg, DNS_SERVFAIL));
	assert_int_equal(wr_len(&w), 12 + 17 + 4);
	assert_memory_equal(b + 12, query + 12, 17 + 4);
	msg = over(b, wr_len(&w));
	assert_true(dns_question_parse(&msg, &q));
	assert_int_equal(q.hdr.id, 0x1234);
	assert_int_equal(q.hdr.flags, DNS_F_QR | DNS_F_RD | DNS_F_RA |
					      DNS_F_CD | DNS_SERVFAIL);
	assert_int_equal(q.hdr.n_question, 1);
	assert_int_equal(q.hdr.n_answer, 0);
	assert_int_equal(q.hdr.n_extra, 0);
	assert_string_equal(q.name, "www.example.org");
	/* A response is never answered. */
	w = wr_init(again, sizeof(again));
	assert_false(dns_emit_error(&w, &msg, DNS_SERVFAIL));
	assert_int_equal(wr_len(&w), 0);
	/* No room. */
	msg = over(query, sizeof(query) - 1);
	w = wr_init(b, 32);
	assert_false(dns_emit_error(&w, &msg, DNS_SERVFAIL));
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), 0);
}

static void an_error_without_a_good_question(void **state)
{
	struct rd msg = over(query, 20);
	uint8_t b[64];
	struct wr w = wr_init(b, sizeof(b));
	struct dns_hdr h;
	struct rd r;

	assert_true(dns_emit_error(&w, &msg, DNS_FORMERR));
	assert_int_equal(wr_len(&w), 12);
	r = over(b, 12);
	assert_true(dns_hdr_parse(&r, &h));
	assert_int_equal(h.n_question, 0);
	assert_int_equal(h.flags & DNS_F_RCODE, DNS_FORMERR);
	msg = over(query, 11);
	w = wr_init(b, sizeof(b));
	assert_false(dns_emit_error(&w, &msg, DNS_FORMERR));
}

static void the_opcode_is_kept(void **state)
{
	static const char notify[] = "\0\7\x24\0\0\1\0\0\0\0\0\0"
				     "\0\0\6\0\1";
	struct rd msg = over(notify, sizeof(notify) - 1);
	uint8_t b[64];
	struct wr w = wr_init(b, sizeof(b));

	assert_true(dns_emit_error(&w, &msg, DNS_NOTIMP));
	assert_int_equal(b[2], 0xa0); /* QR, NOTIFY, no AA */
	assert_int_equal(b[3], 0x80 | DNS_NOTIMP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_read),
		cmocka_unit_test(a_questions_name_is_copied),
		cmocka_unit_test(no_question_is_none),
		cmocka_unit_test(questions_may_share_names),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(names_are_printable),
		cmocka_unit_test(an_error_repeats_the_question),
		cmocka_unit_test(an_error_without_a_good_question),
		cmocka_unit_test(the_opcode_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
