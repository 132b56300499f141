/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory that nobody can take away from those who have it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/memfd.h"

enum { LEN = 5000 };

static void its_length_stays(void **state)
{
	struct stat st;
	int fd = -1;

	assert_int_equal(memfd_make("test", LEN, &fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, LEN);
	assert_true(st.st_blocks * 512 >= LEN); /* it has its pages */
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 2 * LEN), -1);
	assert_int_equal(errno, EPERM);
	/* nor can whoever has it next be denied to write */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(pwrite(fd, "x", 1, LEN - 1), 1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void one_that_cannot_be(void **state)
{
	int fd = -1;

	assert_true(memfd_make("test", 0, &fd) < 0);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_length_stays),
		cmocka_unit_test(one_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
