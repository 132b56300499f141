/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring: what goes in comes out, in both modes, and neither end can be led
 * astray by the other. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/ring.h"
#include "lan/drop.h"
#include "os/memfd.h"

/* Where the words that the other end writes lie. */
enum {
	AT_HEAD = 0,
	AT_LOW = 8,
	AT_TAIL = MEM_APART,
};

struct rig {
	int fd;
	uint8_t *memory; /* of a third party */
	size_t len;
	struct ring_writer w;
	struct ring_reader r;
	enum ring_mode mode;
};

static void rig_init(struct rig *g, enum ring_mode mode, uint64_t n)
{
	g->mode = mode;
	g->len = ring_len(n);
	assert_int_equal(memfd_make("ring", g->len, &g->fd), 0);
	g->memory = mmap(NULL, g->len, PROT_READ | PROT_WRITE, MAP_SHARED,
			 g->fd, 0);
	assert_ptr_not_equal(g->memory, MAP_FAILED);
	assert_int_equal(ring_writer_open(&g->w, g->fd, n, mode), 0);
	assert_int_equal(ring_reader_open(&g->r, g->fd, mode), 0);
}

static void rig_deinit(struct rig *g)
{
	ring_writer_close(&g->w);
	ring_reader_close(&g->r);
	munmap(g->memory, g->len);
	close(g->fd);
}

static void set_word(struct rig *g, size_t at, uint64_t v)
{
	memcpy(g->memory + at, &v, sizeof(v));
}

static uint8_t bytes[FRAME_MAX];

/* A frame of len bytes whose number is n. */
static uint64_t put(struct rig *g, uint32_t len, uint32_t n)
{
	struct ring_record r = {.type = RING_FRAME,
				.dir = RING_IN,
				.when_ns = n,
				.frame_len = len,
				.data_len = len,
				.port = "p"};
	struct frame f;

	memcpy(bytes, &n, sizeof(n));
	f = frame_flat(bytes, len);
	return ring_put_frame(&g->w, &r, &f);
}

/* The next record is number n, of len bytes. */
static void expect(struct rig *g, uint32_t len, uint32_t n)
{
	struct ring_record r;
	const uint8_t *data;

	assert_int_equal(ring_reader_next(&g->r, &r, &data), RING_R_RECORD);
	assert_int_equal(r.type, RING_FRAME);
	assert_int_equal(r.when_ns, n);
	assert_int_equal(r.frame_len, len);
	assert_string_equal(r.port, "p");
	memcpy(bytes, &n, sizeof(n));
	assert_memory_equal(data, bytes, len);
}

static void expect_none(struct rig *g)
{
	struct ring_record r;
	const uint8_t *data;

	assert_int_equal(ring_reader_next(&g->r, &r, &data), RING_R_NONE);
}

static void test_lengths(void **state)
{
	(void)state;
	assert_int_equal(ring_len(0), RING_FIRST + RING_MIN);
	assert_int_equal(ring_len(RING_MIN + 1), RING_FIRST + RING_MIN);
	assert_int_equal(ring_len(3 << 20), RING_FIRST + (2 << 20));
	assert_int_equal(ring_len(UINT64_MAX), (size_t)RING_FIRST + RING_MAX);
}

static void test_nothing_before_it_is_published(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	assert_false(ring_publish(&g.w, g.w.head));
	(void)put(&g, 60, 1);
	expect_none(&g);
	assert_true(ring_publish(&g.w, g.w.head));
	expect(&g, 60, 1);
	expect_none(&g);
	rig_deinit(&g);
}

/* Many rounds of all lengths, with a reader that is at times behind. */
static void test_stream_goes_round(void **state)
{
	uint32_t n_put = 0, n_read = 0;
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	while (n_read < 20000) {
		uint32_t n = 1 + (n_put * 7 + n_read) % 9;

		for (uint32_t i = 0; i < n; i++, n_put++)
			assert_true(put(&g, 60 + n_put * 7919 % 60000, n_put) !=
				    RING_NOWHERE);
		(void)ring_publish(&g.w, g.w.head);
		while (n_read < n_put) {
			expect(&g, 60 + n_read * 7919 % 60000, n_read);
			n_read++;
		}
		ring_reader_done(&g.r);
	}
	assert_int_equal(ring_reader_lost(&g.r), 0);
	rig_deinit(&g);
}

static void test_full_stream_counts(void **state)
{
	uint32_t n = 0, read = 0;
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	while (put(&g, 10000, n) != RING_NOWHERE)
		n++;
	assert_in_range(n, RING_MIN / 10200 - 16, RING_MIN / 10000);
	for (unsigned i = 0; i < 41; i++)
		assert_true(put(&g, 10000, n) == RING_NOWHERE);
	(void)ring_publish(&g.w, g.w.head);
	assert_int_equal(ring_reader_lost(&g.r), 42);
	assert_int_equal(ring_lost(g.fd), 42);
	assert_int_equal(ring_lost(-1), 0);
	/* What is said of ports has room still. */
	assert_true(ring_put(&g.w,
			     &(struct ring_record){
				     .type = RING_END,
				     .data_len = sizeof(struct ring_count)},
			     &(struct ring_count){.rx_frames = 3}) !=
		    RING_NOWHERE);
	while (read < n)
		expect(&g, 10000, read++);
	ring_reader_done(&g.r);
	assert_true(put(&g, 10000, n) != RING_NOWHERE);
	rig_deinit(&g);
}

/* The oldest go; what is left is in order, and whole. */
static void test_kept_forgets_the_oldest(void **state)
{
	const uint32_t n = 3000, len = 5000;
	struct ring_record r;
	const uint8_t *data;
	uint32_t first;
	struct rig g;

	(void)state;
	rig_init(&g, RING_KEPT, RING_MIN);
	for (uint32_t i = 0; i < n; i++)
		assert_true(put(&g, len, i) != RING_NOWHERE);
	(void)ring_publish(&g.w, g.w.head);
	ring_reader_close(&g.r);
	assert_int_equal(ring_reader_open(&g.r, g.fd, RING_KEPT), 0);
	assert_int_equal(ring_reader_next(&g.r, &r, &data), RING_R_RECORD);
	first = (uint32_t)r.when_ns;
	/* All but a block, and what does not fit blocks. */
	assert_in_range(n - first, (RING_MIN - 2 * RING_BLOCK_MIN) / 5200,
			RING_MIN / len);
	for (uint32_t i = first + 1; i < n; i++)
		expect(&g, len, i);
	expect_none(&g);
	assert_int_equal(ring_reader_lost(&g.r), 0);
	rig_deinit(&g);
}

/* What the writer took while the reader copied is not believed. */
static void test_kept_taken_meanwhile(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, RING_KEPT, RING_MIN);
	for (uint32_t i = 0; i < 20; i++)
		(void)put(&g, 60000, i);
	(void)ring_publish(&g.w, g.w.head);
	set_word(&g, AT_LOW, RING_BLOCK_MIN * 8); /* less than all */
	ring_reader_close(&g.r);
	assert_int_equal(ring_reader_open(&g.r, g.fd, RING_KEPT), 0);
	expect(&g, 60000, 16); /* two are in a block */
	set_word(&g, AT_LOW, UINT64_MAX);
	ring_reader_close(&g.r);
	assert_int_equal(ring_reader_open(&g.r, g.fd, RING_KEPT), 0);
	expect_none(&g);
	rig_deinit(&g);
}

/* The records that there are: in order, up to number end - 1, and no more than
 * two blocks and what does not fit them less than all. */
static void expect_full(struct rig *g, uint32_t len, uint32_t end)
{
	struct ring_record r;
	const uint8_t *data;
	uint32_t first;

	assert_int_equal(ring_reader_next(&g->r, &r, &data), RING_R_RECORD);
	first = (uint32_t)r.when_ns;
	assert_in_range(end - first, (RING_MIN - 3 * RING_BLOCK_MIN) / 5200,
			RING_MIN / len);
	for (uint32_t i = first + 1; i < end; i++)
		expect(g, len, i);
}

/* Who shows the writer's records comes late: what the ring holds is there. */
static void test_kept_shown_late(void **state)
{
	const uint32_t len = 5000;
	uint64_t first = 0, at;
	struct ring_record r;
	const uint8_t *data;
	uint32_t last = 0;
	struct rig g;

	(void)state;
	rig_init(&g, RING_KEPT, RING_MIN);
	for (uint32_t i = 0; i < 3000; i++) {
		at = put(&g, len, i);
		first = i ? first : at;
	}
	(void)ring_publish(&g.w, first); /* it is not taken back */
	ring_reader_close(&g.r);
	assert_int_equal(ring_reader_open(&g.r, g.fd, RING_KEPT), 0);
	while (ring_reader_next(&g.r, &r, &data) == RING_R_RECORD)
		last = (uint32_t)r.when_ns;
	assert_in_range(last, 3000 - 2 * RING_MIN / len, 3000);
	(void)ring_publish(&g.w, g.w.head);
	ring_reader_close(&g.r);
	assert_int_equal(ring_reader_open(&g.r, g.fd, RING_KEPT), 0);
	expect_full(&g, len, 3000);
	expect_none(&g);
	rig_deinit(&g);
}

/* .. also before the writer has gone around for the first time. */
static void test_kept_shown_early(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, RING_KEPT, RING_MIN);
	for (uint32_t i = 0; i < 150; i++)
		(void)put(&g, 5000, i);
	assert_true(g.w.head < RING_MIN);
	ring_reader_close(&g.r);
	assert_int_equal(ring_reader_open(&g.r, g.fd, RING_KEPT), 0);
	for (uint32_t i = 0; i < 50; i++)
		expect(&g, 5000, i);
	rig_deinit(&g);
}

/* Its writer died before it woke the reader: the next one does. */
static void test_waits_for_the_next(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	assert_false(ring_reader_waits(&g.w)); /* nobody does yet */
	assert_true(ring_reader_wait(&g.r));
	(void)put(&g, 60, 1);
	(void)ring_publish(&g.w, g.w.head);
	assert_true(ring_reader_waits(&g.w));
	assert_false(ring_reader_waits(&g.w));
	ring_writer_close(&g.w);
	assert_int_equal(ring_writer_open(&g.w, g.fd, RING_MIN, RING_STREAM),
			 0);
	assert_true(ring_reader_waits(&g.w));
	rig_deinit(&g);
}

/* What ports counted is not there: who reads can know that. */
static void test_counts_without_room(void **state)
{
	const struct ring_count n = {.rx_frames = 1};
	struct ring_record r = {.type = RING_END, .data_len = sizeof(n),
				.port = "p"};
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	for (uint32_t i = 0; put(&g, 5000, i) != RING_NOWHERE; i++)
		;
	assert_int_equal(g.w.lost, 1);
	assert_true(ring_put(&g.w, &r, &n) != RING_NOWHERE);
	assert_false(ring_reader_has_gaps(&g.r));
	while (ring_put(&g.w, &r, &n) != RING_NOWHERE)
		;
	assert_true(ring_reader_has_gaps(&g.r));
	assert_int_equal(g.w.lost, 1);
	rig_deinit(&g);
}

/* The page that the reader's copy comes to last; then the writer has gone once
 * around. */
static struct rig *overtaken;

static void overtake(int sig)
{
	uint8_t *last = overtaken->memory + overtaken->len - RING_FIRST;

	(void)sig;
	if (mprotect(last, RING_FIRST, PROT_READ | PROT_WRITE) < 0)
		abort();
	for (uint32_t i = 1000; i < 2000; i++)
		(void)put(overtaken, 5000, i);
	(void)ring_publish(&overtaken->w, overtaken->w.head);
}

/* All of it is taken while the reader copies: it copies again. */
static void test_kept_overtaken(void **state)
{
	const struct sigaction act = {.sa_handler = overtake};
	struct sigaction old;
	struct rig g;

	(void)state;
	rig_init(&g, RING_KEPT, RING_MIN);
	overtaken = &g;
	for (uint32_t i = 0; i < 1000; i++)
		(void)put(&g, 5000, i);
	(void)ring_publish(&g.w, g.w.head);
	ring_reader_close(&g.r);
	assert_int_equal(mprotect(g.memory + g.len - RING_FIRST, RING_FIRST,
				  PROT_NONE),
			 0);
	assert_int_equal(sigaction(SIGSEGV, &act, &old), 0);
	assert_int_equal(ring_reader_init(&g.r, g.memory, g.len, RING_KEPT),
			 0);
	assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);
	expect_full(&g, 5000, 2000);
	expect_none(&g);
	free(g.r.copy);
	g.r = (struct ring_reader){.shared = NULL};
	rig_deinit(&g);
}

static void test_another_writer(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, RING_KEPT, RING_MIN);
	(void)put(&g, 100, 1);
	(void)ring_publish(&g.w, g.w.head);
	(void)put(&g, 100, 2); /* died before it was shown */
	ring_writer_close(&g.w);
	assert_int_equal(ring_writer_open(&g.w, g.fd, RING_MIN, RING_KEPT), 0);
	(void)put(&g, 100, 3);
	(void)ring_publish(&g.w, g.w.head);
	ring_reader_close(&g.r);
	assert_int_equal(ring_reader_open(&g.r, g.fd, RING_KEPT), 0);
	expect(&g, 100, 1);
	expect(&g, 100, 3);
	expect_none(&g);
	rig_deinit(&g);
}

static void test_lost_and_void(void **state)
{
	char where[PORT_NAME_LEN] = "vm2";
	struct ring_record r;
	const uint8_t *data;
	uint64_t at[3];
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	for (uint32_t i = 0; i < 3; i++)
		at[i] = put(&g, 60, i);
	ring_set_void(&g.w, at[0]);
	ring_set_lost(&g.w, at[2], DROP_PORT_FULL, where);
	/* No record's place: whoever says so. */
	ring_set_lost(&g.w, g.w.head, DROP_PORT_FULL, where);
	ring_set_lost(&g.w, UINT64_MAX - 7, DROP_PORT_FULL, where);
	for (size_t i = RING_FIRST + g.w.head; i < g.len; i++)
		assert_int_equal(g.memory[i], 0);
	(void)ring_publish(&g.w, g.w.head);
	ring_set_void(&g.w, at[1]); /* too late */
	expect(&g, 60, 1);
	assert_int_equal(ring_reader_next(&g.r, &r, &data), RING_R_RECORD);
	assert_int_equal(r.lost, DROP_PORT_FULL + 1);
	assert_string_equal(r.at, "vm2");
	/* One that found no room and is taken back was never lost. */
	g.w.lost = 1;
	ring_set_void(&g.w, RING_NOWHERE);
	assert_int_equal(g.w.lost, 0);
	rig_deinit(&g);
}

static void test_frame_in_pieces(void **state)
{
	uint8_t a[40], b[30], c[50], all[120];
	const struct iovec iov[] = {{.iov_base = b, .iov_len = sizeof(b)},
				    {.iov_base = c, .iov_len = sizeof(c)}};
	const struct frame f = {.hdr = a, .hdr_len = sizeof(a), .iov = iov,
				.n_iov = 2, .len = sizeof(all)};
	struct ring_record r = {.type = RING_FRAME, .frame_len = sizeof(all)};
	const uint8_t *data;
	struct rig g;

	(void)state;
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i + 1);
	memcpy(a, all, 40);
	memcpy(b, all + 40, 30);
	memcpy(c, all + 70, 50);
	rig_init(&g, RING_STREAM, RING_MIN);
	for (uint32_t len = 0; len <= sizeof(all); len++) {
		r.data_len = len;
		assert_true(ring_put_frame(&g.w, &r, &f) != RING_NOWHERE);
	}
	(void)ring_publish(&g.w, g.w.head);
	for (uint32_t len = 0; len <= sizeof(all); len++) {
		assert_int_equal(ring_reader_next(&g.r, &r, &data),
				 RING_R_RECORD);
		assert_int_equal(r.data_len, len);
		assert_memory_equal(data, all, len);
	}
	rig_deinit(&g);
}

/* A reader may say anything of how far it is. */
static void test_hostile_reader(void **state)
{
	const uint64_t tails[] = {0, 1, 7, RING_MIN - 1, RING_MIN, RING_MIN + 1,
				  UINT64_MAX, UINT64_MAX - RING_MIN,
				  UINT64_C(1) << 63};
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	for (uint32_t n = 0; n < 3000; n++) {
		set_word(&g, AT_TAIL, tails[n % array_len(tails)] +
					      (n % 3 ? g.w.head : 0));
		(void)put(&g, 60 + n * 31 % 65000, n);
		(void)ring_publish(&g.w, g.w.head);
		assert_true(ring_unread(&g.w) <= g.w.size);
	}
	/* A new writer begins where it is told, within the ring. */
	for (unsigned i = 0; i < array_len(tails); i++) {
		set_word(&g, AT_HEAD, tails[i]);
		set_word(&g, AT_LOW, tails[i] / 3);
		ring_writer_close(&g.w);
		assert_int_equal(ring_writer_open(&g.w, g.fd, RING_MIN,
						  i % 2 ? RING_KEPT
							: RING_STREAM),
				 0);
		for (uint32_t n = 0; n < 100; n++)
			(void)put(&g, FRAME_MAX, n);
		(void)ring_publish(&g.w, g.w.head);
	}
	rig_deinit(&g);
}

/* A writer may say anything, too. */
static void test_hostile_writer(void **state)
{
	const struct {
		size_t at; /* of the record */
		uint32_t v;
		size_t len;
	} lies[] = {
		{offsetof(struct ring_record, len), 0, 4},
		{offsetof(struct ring_record, len), 8, 4},
		{offsetof(struct ring_record, len), 161, 4},
		{offsetof(struct ring_record, len), RING_BLOCK_MIN + 8, 4},
		{offsetof(struct ring_record, len), UINT32_MAX - 7, 4},
		{offsetof(struct ring_record, type), RING_TYPES, 1},
		{offsetof(struct ring_record, type), RING_BEGIN, 1},
		{offsetof(struct ring_record, lost), DROP_N + 1, 2},
		{offsetof(struct ring_record, data_len), 1 << 16, 4},
		{offsetof(struct ring_record, data_len), 61, 4},
		{offsetof(struct ring_record, frame_len), FRAME_MAX + 1, 4},
		{offsetof(struct ring_record, off) + 1, FRAME_GSO_N, 1},
	};
	struct ring_record r;
	const uint8_t *data;

	(void)state;
	for (unsigned i = 0; i < array_len(lies); i++) {
		struct rig g;

		rig_init(&g, RING_STREAM, RING_MIN);
		(void)put(&g, 60, 1);
		memcpy(g.memory + RING_FIRST + lies[i].at, &lies[i].v,
		       lies[i].len);
		(void)put(&g, 60, 2);
		(void)ring_publish(&g.w, g.w.head);
		assert_int_equal(ring_reader_next(&g.r, &r, &data),
				 RING_R_DAMAGED);
		expect_none(&g); /* the block is skipped */
		(void)put(&g, 60000, 3); /* in it, and passed over */
		(void)ring_publish(&g.w, g.w.head);
		while (ring_reader_next(&g.r, &r, &data) != RING_R_NONE)
			;
		rig_deinit(&g);
	}
}

static void test_name_without_end(void **state)
{
	struct ring_record r;
	const uint8_t *data;
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	(void)put(&g, 60, 1);
	memset(g.memory + RING_FIRST + offsetof(struct ring_record, port), 'x',
	       PORT_NAME_LEN);
	(void)ring_publish(&g.w, g.w.head);
	assert_int_equal(ring_reader_next(&g.r, &r, &data), RING_R_DAMAGED);
	rig_deinit(&g);
}

static void test_hostile_head(void **state)
{
	struct ring_record r;
	const uint8_t *data;
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	(void)put(&g, 60, 1);
	(void)ring_publish(&g.w, g.w.head);
	set_word(&g, AT_HEAD, UINT64_C(1) << 40);
	assert_int_equal(ring_reader_next(&g.r, &r, &data), RING_R_DAMAGED);
	expect_none(&g);
	set_word(&g, AT_HEAD, (UINT64_C(1) << 40) + 4); /* less than a record */
	assert_int_equal(ring_reader_next(&g.r, &r, &data), RING_R_DAMAGED);
	expect_none(&g);
	rig_deinit(&g);
}

static void test_waiting(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, RING_STREAM, RING_MIN);
	assert_false(ring_reader_waits(&g.w));
	assert_true(ring_reader_wait(&g.r));
	assert_true(ring_reader_waits(&g.w));
	assert_false(ring_reader_waits(&g.w)); /* once */
	(void)put(&g, 60, 1);
	(void)ring_publish(&g.w, g.w.head);
	assert_false(ring_reader_wait(&g.r)); /* there is something */
	expect(&g, 60, 1);
	assert_false(ring_reader_is_over(&g.r));
	ring_writer_over(&g.w);
	assert_true(ring_reader_is_over(&g.r));
	assert_false(ring_reader_wait(&g.r));
	rig_deinit(&g);
}

static void test_no_ring(void **state)
{
	struct ring_reader r;
	int fd;

	(void)state;
	assert_int_equal(memfd_make("none", 4096, &fd), 0);
	assert_int_not_equal(ring_reader_open(&r, fd, RING_STREAM), 0);
	ring_reader_close(&r);
	close(fd);
	assert_int_equal(memfd_make("none", ring_len(0) + 4096, &fd), 0);
	assert_int_not_equal(ring_reader_open(&r, fd, RING_KEPT), 0);
	ring_reader_close(&r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_nothing_before_it_is_published),
		cmocka_unit_test(test_stream_goes_round),
		cmocka_unit_test(test_full_stream_counts),
		cmocka_unit_test(test_kept_forgets_the_oldest),
		cmocka_unit_test(test_kept_taken_meanwhile),
		cmocka_unit_test(test_kept_shown_late),
		cmocka_unit_test(test_kept_shown_early),
		cmocka_unit_test(test_waits_for_the_next),
		cmocka_unit_test(test_counts_without_room),
		cmocka_unit_test(test_kept_overtaken),
		cmocka_unit_test(test_another_writer),
		cmocka_unit_test(test_lost_and_void),
		cmocka_unit_test(test_frame_in_pieces),
		cmocka_unit_test(test_hostile_reader),
		cmocka_unit_test(test_hostile_writer),
		cmocka_unit_test(test_name_without_end),
		cmocka_unit_test(test_hostile_head),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_no_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
