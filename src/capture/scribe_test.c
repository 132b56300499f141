/* SPDX-License-Identifier: BSD-3-Clause */
/* Records become a file: interfaces, comments, checksums, counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "capture/scribe.h"
#include "lan/drop.h"

struct rig {
	char *p; /* owned */
	size_t n;
	FILE *f;
	struct scribe *s;
	uint64_t now;
};

static void rig_init(struct rig *g, struct scribe_config c)
{
	*g = (struct rig){.now = 1000};
	g->f = open_memstream(&g->p, &g->n);
	assert_non_null(g->f);
	c.f = g->f;
	assert_int_equal(scribe_new(&c, &g->s), 0);
}

static void rig_end(struct rig *g, uint64_t lost, struct scribe_sum *sum)
{
	scribe_end(g->s, 5000, lost, sum);
	g->s = scribe_free(g->s);
	fclose(g->f);
}

static struct ring_record frame_of(struct rig *g, const char *port)
{
	struct ring_record r = {.type = RING_FRAME, .dir = RING_IN,
				.when_ns = g->now++, .frame_len = 60,
				.data_len = 60};

	strcpy(r.port, port);
	return r;
}

static void say(struct rig *g, struct ring_record r)
{
	static const uint8_t data[FRAME_MAX];

	assert_int_equal(scribe_record(g->s, &r, data), 0);
}

static void count(struct rig *g, enum ring_type type, const char *port,
		  uint64_t rx, uint64_t drops)
{
	const struct ring_count n = {.rx_frames = rx, .tx_frames = 1000,
				     .rx_drops = drops, .tx_drops = 1000};
	struct ring_record r = {.type = (uint8_t)type, .dir = RING_IN,
				.when_ns = g->now++, .data_len = sizeof(n)};

	strcpy(r.port, port);
	assert_int_equal(scribe_record(g->s, &r, (const uint8_t *)&n), 0);
}

static uint32_t le32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v; /* of a test on such a machine */
}

/* The i-th block of that type, NULL: there is none; blocks are whole. */
static const char *block(const struct rig *g, uint32_t type, unsigned i)
{
	for (size_t at = 0; at < g->n;) {
		uint32_t len = le32(g->p + at + 4);

		assert_true(len >= 12 && len <= g->n - at);
		assert_int_equal(le32(g->p + at + len - 4), len);
		if (le32(g->p + at) == type && i-- == 0)
			return g->p + at;
		at += len;
	}
	return NULL;
}

static bool has_text(const char *b, const char *text)
{
	return memmem(b, le32(b + 4), text, strlen(text)) != NULL;
}

/* The number that option `code` of statistics has, -1: it is not there. */
static int64_t stat_of(const char *b, unsigned code)
{
	const char *end = b + le32(b + 4) - 4;

	for (const char *p = b + 20; p < end && (uint8_t)p[0] != 0;) {
		unsigned len = (uint8_t)p[2] | (unsigned)(uint8_t)p[3] << 8;

		if ((uint8_t)p[0] == code)
			return (int64_t)le32(p + 4);
		p += 4 + ((len + 3) & ~3u);
	}
	return -1;
}

enum { SHB = 0x0a0d0d0a, IDB = 1, ISB = 5, EPB = 6 };
enum { COMMENT = 1, RECEIVED = 4, DROPPED = 5, ACCEPTED = 6, LOST = 7 };

static void test_interfaces_by_name(void **state)
{
	struct scribe_sum sum;
	char name[PORT_NAME_LEN];
	struct rig g;

	(void)state;
	rig_init(&g, (struct scribe_config){.comment = "all of it"});
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "vm%u", i % 100);
		say(&g, frame_of(&g, name));
	}
	rig_end(&g, 0, &sum);
	assert_int_equal(sum.n_interfaces, 100);
	assert_int_equal(sum.n_written, 500);
	assert_true(has_text(block(&g, SHB, 0), "all of it"));
	assert_non_null(block(&g, IDB, 99));
	assert_null(block(&g, IDB, 100));
	assert_true(has_text(block(&g, IDB, 37), "vm37"));
	assert_int_equal(le32(block(&g, EPB, 237) + 8), 37);
	free(g.p);
}

static void test_why_it_was_lost(void **state)
{
	struct scribe_sum sum;
	struct ring_record r;
	struct rig g;

	(void)state;
	rig_init(&g, (struct scribe_config){.n_max = 0});
	r = frame_of(&g, "vm1");
	r.lost = DROP_PORT_FULL + 1;
	strcpy(r.at, "vm2");
	say(&g, r);
	say(&g, frame_of(&g, "vm1"));
	rig_end(&g, 0, &sum);
	assert_true(has_text(block(&g, EPB, 0), "lost at vm2: exit had no room "
						"(PORT_FULL)"));
	assert_false(has_text(block(&g, EPB, 1), "lost"));
	free(g.p);
}

/* The example of RFC 1071 3, as the payload of some header. */
static void test_checksum_is_filled_in(void **state)
{
	uint8_t data[64] = {0};
	struct scribe_sum sum;
	struct ring_record r;
	struct rig g;

	(void)state;
	memcpy(data + 34, "\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", 8);
	rig_init(&g, (struct scribe_config){.n_max = 0});
	for (int i = 0; i < 4; i++) {
		r = frame_of(&g, "vm1");
		r.frame_len = sizeof(data);
		r.data_len = sizeof(data);
		r.off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
					       .csum_start = 34,
					       .csum_offset = 16};
		if (i == 1)
			r.off.flags = 0;
		if (i == 2)
			r.data_len = 60; /* cut: nobody can sum it */
		if (i == 3) { /* an engine that lies */
			r.off.csum_start = 60;
			r.off.csum_offset = UINT16_MAX;
		}
		assert_int_equal(scribe_record(g.s, &r, data), 0);
	}
	rig_end(&g, 0, &sum);
	assert_int_equal(get_be16((const uint8_t *)block(&g, EPB, 0) + 28 + 50),
			 0x220d);
	for (unsigned i = 1; i < 4; i++)
		assert_memory_equal(block(&g, EPB, i) + 28, data, 60);
	free(g.p);
}

/* One that comes out as 0 is 0xffff for UDP alone, where 0 is "none". */
static void test_checksum_of_zero(void **state)
{
	uint8_t data[64] = {[54] = 0xff, [55] = 0xff};
	struct scribe_sum sum;
	struct ring_record r;
	struct rig g;

	(void)state;
	rig_init(&g, (struct scribe_config){.n_max = 0});
	for (unsigned i = 0; i < 2; i++) {
		r = frame_of(&g, "vm1");
		r.frame_len = sizeof(data);
		r.data_len = sizeof(data);
		r.off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
					       .csum_start = 34,
					       .csum_offset = i ? 16 : 6};
		assert_int_equal(scribe_record(g.s, &r, data), 0);
	}
	rig_end(&g, 0, &sum);
	assert_int_equal(get_be16((const uint8_t *)block(&g, EPB, 0) + 28 + 40),
			 0xffff);
	assert_int_equal(get_be16((const uint8_t *)block(&g, EPB, 1) + 28 + 50),
			 0);
	free(g.p);
}

static bool is_even(void *arg, const struct ring_record *r, const uint8_t *data)
{
	(void)arg;
	(void)data;
	return r->when_ns % 2 == 0;
}

static void test_counts(void **state)
{
	struct scribe_sum sum;
	const char *b;
	struct rig g;

	(void)state;
	rig_init(&g, (struct scribe_config){.has_counts = true,
					    .filter = "even",
					    .passes = is_even});
	count(&g, RING_BEGIN, "vm1", 100, 5);
	count(&g, RING_BEGIN, "vm2", 0, 0);
	for (unsigned i = 0; i < 10; i++)
		say(&g, frame_of(&g, "vm1"));
	count(&g, RING_END, "vm1", 113, 6); /* it goes .. */
	count(&g, RING_BEGIN, "vm1", 0, 0); /* .. and another one comes */
	say(&g, frame_of(&g, "vm1"));
	count(&g, RING_END, "vm1", 1, 0);
	count(&g, RING_END, "vm2", 0, 0);
	rig_end(&g, 3, &sum);
	assert_int_equal(sum.n_seen, 11);
	b = block(&g, ISB, 0);
	assert_int_equal(stat_of(b, RECEIVED), 14);
	assert_int_equal(stat_of(b, DROPPED), 1);
	assert_int_equal(stat_of(b, LOST), 3);
	assert_int_equal(stat_of(b, ACCEPTED), sum.n_written);
	assert_in_range(sum.n_written, 5, 6);
	assert_int_equal(stat_of(b, COMMENT), -1);
	assert_int_equal(stat_of(block(&g, ISB, 1), RECEIVED), 0);
	assert_true(has_text(block(&g, IDB, 0), "even"));
	free(g.p);
}

/* One that is lost at the exit has been counted by its entrance only. */
static void test_lost_at_exit_is_no_counted_one(void **state)
{
	struct scribe_sum sum;
	struct ring_record r;
	struct rig g;

	(void)state;
	rig_init(&g, (struct scribe_config){.has_counts = true});
	count(&g, RING_BEGIN, "vm1", 0, 0);
	say(&g, frame_of(&g, "vm1"));
	r = frame_of(&g, "vm1");
	r.is_out = true;
	r.lost = DROP_PORT_FULL + 1;
	say(&g, r);
	count(&g, RING_END, "vm1", 1, 0);
	rig_end(&g, 0, &sum);
	assert_int_equal(sum.n_seen, 1);
	assert_int_equal(sum.n_written, 2);
	free(g.p);
}

/* Counts that do not belong together are not shown. */
static void test_broken_counts(void **state)
{
	struct scribe_sum sum;
	struct rig g;

	(void)state;
	rig_init(&g, (struct scribe_config){.has_counts = true});
	count(&g, RING_BEGIN, "vm1", 100, 0);
	count(&g, RING_BEGIN, "vm1", 0, 0); /* of another engine */
	count(&g, RING_END, "vm1", 3, 0);
	rig_end(&g, 7, &sum);
	assert_int_equal(stat_of(block(&g, ISB, 0), RECEIVED), -1);
	assert_true(has_text(block(&g, ISB, 0), "no room for 7 frames"));
	free(g.p);
	rig_init(&g, (struct scribe_config){.has_counts = true});
	count(&g, RING_BEGIN, "vm1", 100, 0); /* and no end */
	rig_end(&g, 0, &sum);
	assert_int_equal(stat_of(block(&g, ISB, 0), RECEIVED), -1);
	free(g.p);
}

static void test_since_and_max(void **state)
{
	struct scribe_sum sum;
	struct rig g;

	(void)state;
	rig_init(&g, (struct scribe_config){.since_ns = 1004, .n_max = 3});
	count(&g, RING_BEGIN, "vm9", 100, 0); /* of which nothing is said */
	for (unsigned i = 0; i < 10; i++)
		say(&g, frame_of(&g, "vm1"));
	rig_end(&g, 0, &sum);
	assert_int_equal(sum.n_written, 3);
	assert_int_equal(sum.n_interfaces, 1);
	assert_int_equal(le32(block(&g, EPB, 0) + 16), 1004);
	assert_int_equal(stat_of(block(&g, ISB, 0), RECEIVED), -1);
	assert_int_equal(stat_of(block(&g, ISB, 0), COMMENT), -1);
	free(g.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces_by_name),
		cmocka_unit_test(test_why_it_was_lost),
		cmocka_unit_test(test_checksum_is_filled_in),
		cmocka_unit_test(test_checksum_of_zero),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_lost_at_exit_is_no_counted_one),
		cmocka_unit_test(test_broken_counts),
		cmocka_unit_test(test_since_and_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
