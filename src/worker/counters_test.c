/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters that one process writes and another one reads. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/counters.h"

_Static_assert(sizeof(struct counters_slot) % COUNTERS_LINE == 0,
	       "no two workers in one line");

static int count_and_exit(int fd, unsigned n)
{
	struct counters c = COUNTERS_NULL;

	if (counters_map(fd, &c) < 0)
		return 1;
	for (unsigned i = 0; i < COUNTERS_WORKERS; i++)
		drop_n(&c.slots[i].drops, DROP_TFTP_BUSY, n);
	drop(&c.slots[0].drops, DROP_N - 1);
	_exit(0); /* as a kill: nothing is put away */
}

/* One engine after the other counts in the same place. */
static void they_outlive_who_counts(void **state)
{
	struct counters c = COUNTERS_NULL;

	assert_int_equal(counters_open(&c), 0);
	assert_int_equal(counters_drops(&c, DROP_TFTP_BUSY), 0);
	for (unsigned i = 1; i <= 3; i++) {
		int status = -1;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(count_and_exit(c.fd, 5));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(counters_drops(&c, DROP_TFTP_BUSY),
				 5 * i * COUNTERS_WORKERS);
		assert_int_equal(counters_drops(&c, DROP_N - 1), i);
	}
	assert_int_equal(counters_drops(&c, DROP_TFTP_BAD), 0);
	counters_close(&c);
	assert_int_equal(c.fd, -1);
	counters_close(&c);
}

static void the_keeper_cannot_be_cut_short(void **state)
{
	struct counters c = COUNTERS_NULL;

	assert_int_equal(counters_open(&c), 0);
	assert_int_equal(ftruncate(c.fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(counters_drops(&c, DROP_N - 1), 0);
	counters_close(&c);
}

static void what_is_no_memory(void **state)
{
	struct counters c = COUNTERS_NULL;

	assert_int_equal(counters_map(-1, &c), -EBADF);
	assert_null(c.slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_outlive_who_counts),
		cmocka_unit_test(the_keeper_cannot_be_cut_short),
		cmocka_unit_test(what_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
