/* SPDX-License-Identifier: BSD-3-Clause */
/* A file that shrinks under its mapping costs its bytes, not the process. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sigbus.h"

enum { LEN = 4 * 4096 };

static void test_shrunk_file(void **state)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	volatile uint8_t *p;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, LEN), 0);
	p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	memset((void *)p, 7, LEN);
	assert_int_equal(sigbus_guard(), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(p[0], 7);
	assert_int_equal(p[4096], 0);
	p[2 * 4096 + 5] = 9;
	assert_int_equal(p[2 * 4096 + 5], 9);
	munmap((void *)p, LEN);
	close(fd);
}

/* Sent by somebody, it still kills. */
static void test_not_a_page(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(sigbus_guard(), 0);
	pid = fork();
	if (pid == 0) {
		raise(SIGBUS);
		raise(SIGBUS);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shrunk_file),
		cmocka_unit_test(test_not_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
