/* SPDX-License-Identifier: BSD-3-Clause */
/* What a VDE client's bytes mean, and which of them are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/mem.h"
#include "keeper/vde_wire.h"

/* A request as libvdeplug puts it together, on its own. */
struct bytes {
	uint8_t p[VDE_REQUEST_MAX];
	size_t n;
};

static void put(struct bytes *b, const void *p, size_t n)
{
	assert_true(n <= sizeof(b->p) - b->n);
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static struct bytes made(uint32_t magic, uint32_t version, uint32_t type,
			 const struct sockaddr_un *sa, const char *about)
{
	struct bytes b = {.n = 0};

	put(&b, &magic, 4);
	put(&b, &version, 4);
	put(&b, &type, 4);
	put(&b, sa, sizeof(*sa));
	put(&b, about, strlen(about));
	return b;
}

static const struct sockaddr_un good = {AF_UNIX, "/tmp/sw/.00123-00000"};

static void whole(const struct bytes *b, struct vde_request *r)
{
	const char *why = NULL;

	assert_int_equal(vde_request_parse(b->p, b->n, r, &why), VDE_WHOLE);
	assert_null(why);
}

static void bad(const struct bytes *b, const char *says)
{
	struct vde_request r;
	const char *why = NULL;

	assert_int_equal(vde_request_parse(b->p, b->n, &r, &why), VDE_BAD);
	assert_string_equal(why, says);
}

static void a_request_is_read(void **state)
{
	struct bytes b = made(0xfeedface, 3, 0, &good, "QEMU user=me pid=5");
	struct vde_request r;

	whole(&b, &r);
	assert_false(r.is_port0);
	assert_int_equal(r.port, 0);
	assert_string_equal(r.data.sun_path, good.sun_path);
	assert_string_equal(r.about, "QEMU user=me pid=5");
	b = made(0xfeedface, 3, 65535u << 8, &good, "");
	whole(&b, &r);
	assert_int_equal(r.port, 65535);
	assert_string_equal(r.about, "");
	b = made(0xfeedface, 3, 1, &good, "");
	whole(&b, &r);
	assert_true(r.is_port0);
}

/* Cut anywhere in front of its text it is one that has not ended yet. */
static void it_may_come_in_pieces(void **state)
{
	const struct bytes b = made(0xfeedface, 3, 0, &good, "x");
	struct vde_request r;
	const char *why;

	for (size_t n = 0; n < VDE_REQUEST_LEN; n++)
		assert_int_equal(vde_request_parse(b.p, n, &r, &why),
				 VDE_MORE);
	assert_int_equal(vde_request_parse(b.p, VDE_REQUEST_LEN, &r, &why),
			 VDE_WHOLE);
}

static void what_is_none_is_refused_early(void **state)
{
	struct bytes b = made(0xfeedfacf, 3, 0, &good, "");

	b.n = 4;
	bad(&b, "it does not speak the protocol of VDE");
	b = made(0xfeedface, 2, 0, &good, "");
	b.n = 8;
	bad(&b, "it speaks another version of VDE's protocol than 3");
	b = made(0xfeedface, 3, 2, &good, "");
	b.n = 12;
	bad(&b, "it asks for something unknown");
	b = made(0xfeedface, 3, 65536u << 8, &good, "");
	bad(&b, "there are no ports above 65535");
}

static void addresses_are_judged(void **state)
{
	struct sockaddr_un sa = good;
	struct vde_request r;
	struct bytes b;

	sa.sun_family = AF_INET;
	b = made(0xfeedface, 3, 0, &sa, "");
	bad(&b, "its data socket is no unix socket");
	sa = (struct sockaddr_un){AF_UNIX, "sw/.1"};
	b = made(0xfeedface, 3, 0, &sa, "");
	bad(&b, "the path of its data socket is not absolute");
	sa.sun_path[0] = '/';
	memset(sa.sun_path + 1, 'x', sizeof(sa.sun_path) - 1);
	b = made(0xfeedface, 3, 0, &sa, "");
	bad(&b, "the path of its data socket does not end");
	sa.sun_path[0] = '\0'; /* as User-mode Linux names its own */
	b = made(0xfeedface, 3, 0, &sa, "");
	whole(&b, &r);
	assert_memory_equal(&r.data, &sa, sizeof(sa));
}

static void text_is_cut_and_printable(void **state)
{
	char text[VDE_ABOUT_LEN];
	struct vde_request r;
	struct bytes b = made(0xfeedface, 3, 0, &good, "a\n\x1b[2J\xc3\xa4");

	whole(&b, &r);
	assert_string_equal(r.about, "a??[2J??");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	b = made(0xfeedface, 3, 0, &good, text);
	assert_int_equal(b.n, VDE_REQUEST_MAX);
	whole(&b, &r);
	assert_string_equal(r.about, text);
	b = made(0xfeedface, 3, 0, &good, "");
	put(&b, "ab\0cd", 5);
	whole(&b, &r);
	assert_string_equal(r.about, "ab");
}

static void what_we_ask_is_a_request(void **state)
{
	struct vde_request mine = {.port = 7, .data = good, .about = "vmlan"};
	struct vde_request r;
	struct bytes b;
	const struct bytes theirs =
		made(0xfeedface, 3, 7u << 8, &good, "vmlan");

	b.n = vde_request_emit(&mine, b.p);
	assert_int_equal(b.n, theirs.n);
	assert_memory_equal(b.p, theirs.p, b.n);
	whole(&b, &r);
	mine = (struct vde_request){.is_port0 = true, .data = good};
	memset(mine.about, 'y', sizeof(mine.about) - 1);
	b.n = vde_request_emit(&mine, b.p);
	assert_int_equal(b.n, VDE_REQUEST_MAX);
	whole(&b, &r);
	assert_true(r.is_port0);
	assert_string_equal(r.about, mine.about);
}

static void answers_are_judged(void **state)
{
	uint8_t p[VDE_REPLY_LEN];
	struct sockaddr_un sa;

	assert_true(vde_address("/tmp/sw/001.5", &sa));
	memcpy(p, &sa, sizeof(p));
	memset(&sa, 0, sizeof(sa));
	assert_true(vde_reply_parse(p, &sa));
	assert_string_equal(sa.sun_path, "/tmp/sw/001.5");
	memset(p + offsetof(struct sockaddr_un, sun_path), 'x',
	       sizeof(sa.sun_path));
	assert_false(vde_reply_parse(p, &sa));
	memset(p, 0, sizeof(p));
	assert_false(vde_reply_parse(p, &sa));
}

static void addresses_fit_or_not(void **state)
{
	char path[sizeof(good.sun_path) + 1];
	struct sockaddr_un sa;

	memset(path, '/', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_false(vde_address(path, &sa));
	path[sizeof(path) - 2] = '\0';
	assert_true(vde_address(path, &sa));
	assert_string_equal(sa.sun_path, path);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_request_is_read),
		cmocka_unit_test(it_may_come_in_pieces),
		cmocka_unit_test(what_is_none_is_refused_early),
		cmocka_unit_test(addresses_are_judged),
		cmocka_unit_test(text_is_cut_and_printable),
		cmocka_unit_test(what_we_ask_is_a_request),
		cmocka_unit_test(answers_are_judged),
		cmocka_unit_test(addresses_fit_or_not),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
