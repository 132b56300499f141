/* SPDX-License-Identifier: BSD-3-Clause */
/* The byte pump: two pipes and a connection. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/pump.h"

enum { MUCH = 5000000 };

struct bench {
	/* The test has in[1], out[0] and sock[1]. */
	int in[2], out[2], sock[2];
	pthread_t thread;
	int result;
};

static void *run(void *arg)
{
	struct bench *b = arg;

	b->result = pump(b->in[0], b->out[1], b->sock[0]);
	return NULL;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	bool is_socket = *state;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(b->in), 0);
	assert_int_equal(is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, b->out)
				   : pipe(b->out),
			 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b->sock), 0);
	assert_int_equal(pthread_create(&b->thread, NULL, run, b), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* It has ended with r. */
static void assert_ends(struct bench *b, int r)
{
	assert_int_equal(pthread_join(b->thread, NULL), 0);
	assert_int_equal(b->result, r);
	close(b->in[0]);
	close(b->sock[0]);
}

static void assert_reads(int fd, const char *text)
{
	char buf[64];
	size_t n = 0, len = strlen(text);

	while (n < len) {
		ssize_t k = read(fd, buf + n, len - n);

		assert_true(k > 0);
		n += (size_t)k;
	}
	assert_memory_equal(buf, text, len);
}

static void assert_end(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 0);
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* The end of what is sent is not the end of what comes. */
static void test_half_close_upward(void **state)
{
	struct bench *b = *state;

	say(b->in[1], "question");
	close(b->in[1]);
	assert_reads(b->sock[1], "question");
	assert_end(b->sock[1]);
	say(b->sock[1], "answer");
	assert_reads(b->out[0], "answer");
	close(b->sock[1]);
	assert_end(b->out[0]);
	assert_ends(b, 0);
	close(b->out[0]);
}

static void test_half_close_downward(void **state)
{
	struct bench *b = *state;

	say(b->sock[1], "greeting");
	shutdown(b->sock[1], SHUT_WR);
	assert_reads(b->out[0], "greeting");
	assert_end(b->out[0]);
	say(b->in[1], "more");
	assert_reads(b->sock[1], "more");
	close(b->in[1]);
	assert_end(b->sock[1]);
	assert_ends(b, 0);
	close(b->sock[1]);
	close(b->out[0]);
}

/* Nobody reads any more: it does not wait for the other direction. */
static void test_the_reader_is_gone(void **state)
{
	struct bench *b = *state;

	close(b->out[0]);
	assert_ends(b, -EPIPE);
	close(b->in[1]);
	close(b->sock[1]);
}

/* Who takes nothing more is listened to. */
static void test_the_far_end_reads_no_more(void **state)
{
	struct bench *b = *state;

	shutdown(b->sock[1], SHUT_RD);
	say(b->in[1], "lost");
	say(b->sock[1], "last words");
	assert_reads(b->out[0], "last words");
	shutdown(b->sock[1], SHUT_WR);
	assert_end(b->out[0]);
	close(b->in[1]);
	assert_ends(b, 0);
	close(b->sock[1]);
	close(b->out[0]);
}

static void *write_much(void *arg)
{
	int fd = *(int *)arg;
	uint8_t buf[10007];
	size_t n = 0;

	while (n < MUCH) {
		size_t len = MUCH - n < sizeof(buf) ? MUCH - n : sizeof(buf);
		ssize_t k;

		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)((n + i) * 2654435761u >> 24);
		k = write(fd, buf, len);
		if (k < 0)
			return NULL;
		n += (size_t)k;
	}
	shutdown(fd, SHUT_WR);
	close(fd);
	return NULL;
}

static void assert_much(int fd)
{
	uint8_t buf[65536];
	size_t n = 0;
	ssize_t k;

	while ((k = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < k; i++, n++)
			assert_int_equal(buf[i],
					 (uint8_t)(n * 2654435761u >> 24));
	}
	assert_int_equal(k, 0);
	assert_int_equal(n, MUCH);
}

static void test_much_both_ways(void **state)
{
	struct bench *b = *state;
	pthread_t up, down;
	int down_fd = dup(b->sock[1]);

	assert_int_equal(pthread_create(&up, NULL, write_much, &b->in[1]), 0);
	assert_int_equal(pthread_create(&down, NULL, write_much, &down_fd), 0);
	assert_much(b->out[0]);
	assert_much(b->sock[1]);
	pthread_join(up, NULL);
	pthread_join(down, NULL);
	assert_ends(b, 0);
	close(b->sock[1]);
	close(b->out[0]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static bool out_is_socket = true;
	const struct CMUnitTest tests[] = {
		T(test_half_close_upward),
		T(test_half_close_downward),
		T(test_the_reader_is_gone),
		cmocka_unit_test_prestate_setup_teardown(
			test_the_reader_is_gone, setup, teardown,
			&out_is_socket),
		T(test_the_far_end_reads_no_more),
		T(test_much_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
