/* SPDX-License-Identifier: BSD-3-Clause */
/* Each block of a pcapng file, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/pcapng.h"

struct written {
	char *p; /* owned */
	size_t n;
	FILE *f;
};

static void begin(struct written *w)
{
	*w = (struct written){.p = NULL};
	w->f = open_memstream(&w->p, &w->n);
	assert_non_null(w->f);
}

static void expect(struct written *w, const uint8_t *bytes, size_t n)
{
	assert_int_equal(fclose(w->f), 0);
	assert_int_equal(w->n, n);
	assert_memory_equal(w->p, bytes, n);
	free(w->p);
}

static void test_section(void **state)
{
	static const uint8_t bytes[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 48, 0, 0, 0, /* */
		0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, /* order, version */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* length */
		1, 0, 2, 0, 'h', 'i', 0, 0, /* comment */
		4, 0, 4, 0, 'p', 'r', 'o', 'g', /* program */
		0, 0, 0, 0, 48, 0, 0, 0,
	};
	struct written w;

	(void)state;
	begin(&w);
	pcapng_section(w.f, "prog", "hi");
	expect(&w, bytes, sizeof(bytes));
}

static void test_bare_section(void **state)
{
	static const uint8_t bytes[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 32, 0, 0, 0, /* */
		0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, /* */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* */
		0, 0, 0, 0, 32, 0, 0, 0,
	};
	struct written w;

	(void)state;
	begin(&w);
	pcapng_section(w.f, NULL, NULL);
	expect(&w, bytes, sizeof(bytes));
}

static void test_interface(void **state)
{
	static const uint8_t bytes[] = {
		1, 0, 0, 0, 52, 0, 0, 0, /* */
		1, 0, 0, 0, 128, 0, 0, 0, /* Ethernet, snap length */
		2, 0, 3, 0, 'v', 'm', '0', 0, /* name */
		9, 0, 1, 0, 9, 0, 0, 0, /* nanoseconds */
		11, 0, 5, 0, 0, 'i', 'c', 'm', 'p', 0, 0, 0, /* filter */
		0, 0, 0, 0, 52, 0, 0, 0,
	};
	struct written w;

	(void)state;
	begin(&w);
	pcapng_interface(w.f, "vm0", 128, "icmp");
	expect(&w, bytes, sizeof(bytes));
}

static void test_frame(void **state)
{
	static const uint8_t data[] = {1, 2, 3, 4, 5};
	static const uint8_t bytes[] = {
		6, 0, 0, 0, 60, 0, 0, 0, /* */
		2, 0, 0, 0, /* interface */
		0x67, 0x45, 0x23, 0x01, 0xef, 0xcd, 0xab, 0x89, /* time */
		5, 0, 0, 0, 60, 0, 0, 0, /* bytes here, of the frame */
		1, 2, 3, 4, 5, 0, 0, 0, /* */
		1, 0, 4, 0, 'f', 'u', 'l', 'l', /* comment */
		2, 0, 4, 0, 2, 0, 0, 0, /* out */
		0, 0, 0, 0, 60, 0, 0, 0,
	};
	const struct pcapng_frame p = {
		.interface = 2,
		.when_ns = UINT64_C(0x0123456789abcdef),
		.frame_len = 60,
		.data_len = sizeof(data),
		.data = data,
		.dir = PCAPNG_OUT,
		.comment = "full",
	};
	struct written w;

	(void)state;
	begin(&w);
	pcapng_frame(w.f, &p);
	expect(&w, bytes, sizeof(bytes));
}

static void test_stats(void **state)
{
	static const uint8_t bytes[] = {
		5, 0, 0, 0, 76, 0, 0, 0, /* */
		1, 0, 0, 0, /* interface */
		0, 0, 0, 0, 9, 0, 0, 0, /* time */
		2, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 0, /* begin */
		3, 0, 8, 0, 0, 0, 0, 0, 9, 0, 0, 0, /* end */
		4, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0, /* received */
		7, 0, 8, 0, 3, 1, 0, 0, 0, 0, 0, 0, /* lost */
		/* neither dropped nor accepted */
		0, 0, 0, 0, 76, 0, 0, 0,
	};
	const struct pcapng_stats s = {
		.interface = 1,
		.begin_ns = 8,
		.end_ns = 9,
		.received = 7,
		.dropped = PCAPNG_UNKNOWN,
		.accepted = PCAPNG_UNKNOWN,
		.lost = 259,
	};
	struct written w;

	(void)state;
	begin(&w);
	pcapng_stats(w.f, &s);
	expect(&w, bytes, sizeof(bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_section),
		cmocka_unit_test(test_bare_section),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
