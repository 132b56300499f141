/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings of AF_XDP, in memory that a test writes as the kernel would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/xsk_ring.h"

enum { N = 8 };

/* As the kernel lays it out; both sides of one ring. */
struct shared {
	uint32_t producer, consumer, flags;
	_Alignas(16) uint64_t entries[2 * N];
};

struct bench {
	int fd;
	struct shared *kernel; /* its view */
	struct xsk_ring ring;
};

static void bench_open(struct bench *b, size_t entry_len, bool writes,
		       uint32_t start)
{
	static const struct xdp_ring_offset o = {
		.producer = offsetof(struct shared, producer),
		.consumer = offsetof(struct shared, consumer),
		.flags = offsetof(struct shared, flags),
		.desc = offsetof(struct shared, entries),
	};

	b->fd = memfd_create("ring", MFD_CLOEXEC);
	assert_true(b->fd >= 0);
	assert_int_equal(ftruncate(b->fd, sizeof(struct shared)), 0);
	b->kernel = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED, b->fd, 0);
	assert_true(b->kernel != MAP_FAILED);
	b->kernel->producer = b->kernel->consumer = start;
	assert_int_equal(xsk_ring_map(&b->ring, b->fd, 0, &o, N, entry_len,
				      writes),
			 0);
}

static void bench_close(struct bench *b)
{
	xsk_ring_unmap(&b->ring);
	assert_null(b->ring.map);
	munmap(b->kernel, sizeof(struct shared));
	fd_close(&b->fd);
}

static void what_is_written_is_seen_when_committed(void **state)
{
	struct bench b;

	bench_open(&b, sizeof(uint64_t), true, 0);
	assert_int_equal(xsk_ring_room(&b.ring), N);
	for (unsigned i = 0; i < N; i++)
		*xsk_ring_chunk(&b.ring) = 100 + i;
	assert_int_equal(xsk_ring_room(&b.ring), 0);
	assert_int_equal(b.kernel->producer, 0);
	xsk_ring_commit(&b.ring);
	assert_int_equal(b.kernel->producer, N);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(b.kernel->entries[i], 100 + i);
	b.kernel->consumer = 3;
	assert_int_equal(xsk_ring_room(&b.ring), 3);
	*xsk_ring_chunk(&b.ring) = 7;
	assert_int_equal(b.kernel->entries[0], 7); /* round the corner */
	bench_close(&b);
}

static void what_is_read_is_given_back_when_committed(void **state)
{
	struct bench b;
	struct xdp_desc d = {.addr = 4096, .len = 60};

	bench_open(&b, sizeof(struct xdp_desc), false, 0);
	assert_int_equal(xsk_ring_ready(&b.ring), 0);
	memcpy(&b.kernel->entries[2], &d, sizeof(d)); /* the second */
	b.kernel->producer = 2;
	assert_int_equal(xsk_ring_ready(&b.ring), 2);
	(void)xsk_ring_desc(&b.ring);
	assert_memory_equal(xsk_ring_desc(&b.ring), &d, sizeof(d));
	assert_int_equal(xsk_ring_ready(&b.ring), 0);
	assert_int_equal(b.kernel->consumer, 0);
	xsk_ring_commit(&b.ring);
	assert_int_equal(b.kernel->consumer, 2);
	bench_close(&b);
}

/* The indices count beyond 2^32. */
static void indices_wrap(void **state)
{
	const uint32_t start = UINT32_MAX - 2;
	struct bench b;

	bench_open(&b, sizeof(uint64_t), true, start);
	for (unsigned i = 0; i < N; i++)
		*xsk_ring_chunk(&b.ring) = i;
	xsk_ring_commit(&b.ring);
	assert_int_equal(b.kernel->producer, start + N);
	assert_int_equal(xsk_ring_room(&b.ring), 0);
	b.kernel->consumer = start + N;
	assert_int_equal(xsk_ring_room(&b.ring), N);
	bench_close(&b);
	bench_open(&b, sizeof(uint64_t), false, start);
	b.kernel->producer = start + 5;
	assert_int_equal(xsk_ring_ready(&b.ring), 5);
	bench_close(&b);
}

/* More than the ring holds, or less than nothing, is no index. */
static void an_index_that_cannot_be_is_told(void **state)
{
	static const uint32_t reader[] = {N + 1, 1000, UINT32_MAX, 1u << 31};
	static const uint32_t writer[] = {1, UINT32_MAX - N, 1u << 31};
	struct bench b;

	bench_open(&b, sizeof(uint64_t), false, 0);
	for (size_t i = 0; i < array_len(reader); i++) {
		b.kernel->producer = reader[i];
		assert_int_equal(xsk_ring_ready(&b.ring), N + 1);
	}
	b.kernel->producer = N;
	assert_int_equal(xsk_ring_ready(&b.ring), N);
	bench_close(&b);
	bench_open(&b, sizeof(uint64_t), true, 0);
	for (size_t i = 0; i < array_len(writer); i++) {
		b.kernel->consumer = writer[i];
		assert_int_equal(xsk_ring_room(&b.ring), N + 1);
	}
	bench_close(&b);
}

/* Ours is kept, whatever is written over it. */
static void our_index_is_not_read_back(void **state)
{
	struct bench b;

	bench_open(&b, sizeof(uint64_t), true, 0);
	*xsk_ring_chunk(&b.ring) = 1;
	xsk_ring_commit(&b.ring);
	b.kernel->producer = 77;
	assert_int_equal(xsk_ring_room(&b.ring), N - 1);
	*xsk_ring_chunk(&b.ring) = 2;
	xsk_ring_commit(&b.ring);
	assert_int_equal(b.kernel->producer, 2);
	assert_int_equal(b.kernel->entries[1], 2);
	bench_close(&b);
}

static void the_kernel_says_that_it_sleeps(void **state)
{
	struct bench b;

	bench_open(&b, sizeof(uint64_t), true, 0);
	assert_false(xsk_ring_sleeps(&b.ring));
	b.kernel->flags = XDP_RING_NEED_WAKEUP;
	assert_true(xsk_ring_sleeps(&b.ring));
	bench_close(&b);
}

static void a_ring_that_cannot_be_mapped(void **state)
{
	const struct xdp_ring_offset o = {.desc = 64};
	struct xsk_ring r;

	assert_int_equal(xsk_ring_map(&r, -1, 0, &o, N, 8, true), -EBADF);
	assert_null(r.map);
	xsk_ring_unmap(&r);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(what_is_written_is_seen_when_committed),
		cmocka_unit_test(what_is_read_is_given_back_when_committed),
		cmocka_unit_test(indices_wrap),
		cmocka_unit_test(an_index_that_cannot_be_is_told),
		cmocka_unit_test(our_index_is_not_read_back),
		cmocka_unit_test(the_kernel_says_that_it_sleeps),
		cmocka_unit_test(a_ring_that_cannot_be_mapped),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
