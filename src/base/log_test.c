/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines as they arrive at the descriptor, and their rationing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

static char text[65536];

/* All that was written since the last call. */
static const char *written(int fd)
{
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static void make_pipe(int fd[2])
{
	assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
}

static unsigned n_lines(const char *p)
{
	unsigned n = 0;

	for (; *p; p++)
		n += *p == '\n';
	return n;
}

static void levels_and_words(void **state)
{
	struct log lg = LOG_INIT(LOG_LEVEL_INFO);
	int fd[2];

	make_pipe(fd);
	lg.fd = fd[1];
	log_error(&lg, "no %s", "way");
	log_warn(&lg, "%d", 7);
	log_info(&lg, "hello");
	log_debug(&lg, "unseen");
	log_info(NULL, "nobody");
	assert_string_equal(written(fd[0]), "vmlan: error: no way\n"
					    "vmlan: warning: 7\n"
					    "vmlan: hello\n");
	fd_close(&fd[0]);
	fd_close(&fd[1]);
}

static void one_line_stays_one(void **state)
{
	struct log lg = LOG_INIT(LOG_LEVEL_INFO);
	char longer[3000];
	const char *got;
	int fd[2];

	make_pipe(fd);
	lg.fd = fd[1];
	log_info(&lg, "host %s", "a\nvmlan: error: b\r\x1b[31m\x7f");
	assert_string_equal(written(fd[0]),
			    "vmlan: host a?vmlan: error: b??[31m?\n");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	log_info(&lg, "%s", longer);
	got = written(fd[0]);
	assert_int_equal(n_lines(got), 1);
	assert_int_equal(got[strlen(got) - 1], '\n');
	assert_true(strlen(got) > 1000 && strlen(got) < sizeof(longer));
	fd_close(&fd[0]);
	fd_close(&fd[1]);
}

static void lines_are_rationed(void **state)
{
	struct log lg = LOG_INIT(LOG_LEVEL_INFO);
	int fd[2];

	make_pipe(fd);
	lg.fd = fd[1];
	log_info(&lg, "first");
	assert_string_equal(written(fd[0]), "vmlan: first\n");
	lg.refill_ns = UINT64_MAX; /* time stands still */
	for (unsigned i = 0; i < 100; i++)
		log_info(&lg, "again");
	assert_int_equal(n_lines(written(fd[0])), 49);
	assert_int_equal(lg.n_held, 51);
	assert_int_equal(lg.tokens, 0);
	/* And then it has passed. */
	lg.n_held = 3;
	lg.refill_ns = 0;
	log_info(&lg, "after a pause");
	assert_string_equal(written(fd[0]), "vmlan: 3 lines were held back\n"
					    "vmlan: after a pause\n");
	assert_int_equal(lg.n_held, 0);
	assert_int_equal(lg.tokens, 49);
	/* Lines above the level cost nothing. */
	log_debug(&lg, "unseen");
	assert_int_equal(lg.tokens, 49);
	fd_close(&fd[0]);
	fd_close(&fd[1]);
}

static void descriptors_are_closed_once(void **state)
{
	int fd[2], other;

	make_pipe(fd);
	other = fd_steal(&fd[1]);
	assert_int_equal(fd[1], -1);
	fd_close(&fd[1]);
	errno = EXDEV;
	fd_close(&other);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(other, -1);
	/* The other end sees the end: it is closed indeed. */
	assert_int_equal(read(fd[0], text, 1), 0);
	fd_close(&fd[0]);
}

static void pointers_are_stolen(void **state)
{
	CLEANUP_FREE char *p = strdup("x");
	CLEANUP_FREE char *q = mem_steal(p);

	assert_null(p);
	assert_string_equal(q, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_and_words),
		cmocka_unit_test(one_line_stays_one),
		cmocka_unit_test(lines_are_rationed),
		cmocka_unit_test(descriptors_are_closed_once),
		cmocka_unit_test(pointers_are_stolen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
