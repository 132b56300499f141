/* SPDX-License-Identifier: BSD-3-Clause */
/* What is closed of what a process has. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/inherit.h"
#include "os/test_user.h"

enum { MANY = 100 };

static int close_and_look(void *arg)
{
	int ours[MANY], theirs[MANY];

	(void)arg;
	for (int i = 0; i < MANY; i++) {
		ours[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		theirs[i] = open("/dev/null", O_RDONLY);
		if (ours[i] < 0 || theirs[i] < 0)
			return 1;
	}
	inherited_close();
	for (int i = 0; i < MANY; i++) {
		if (fcntl(ours[i], F_GETFD) < 0)
			return 2;
		if (fcntl(theirs[i], F_GETFD) >= 0)
			return 3;
	}
	return fcntl(STDERR_FILENO, F_GETFD) < 0 ? 4 : 0;
}

static void what_is_not_ours_is_closed(void **state)
{
	(void)state;
	assert_int_equal(test_in_child(close_and_look, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_ours_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
