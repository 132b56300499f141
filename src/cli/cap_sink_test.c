/* SPDX-License-Identifier: BSD-3-Clause */
/* A stream whose reader stands still, goes, or comes back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cap_sink.h"

enum { MUCH = 3 << 20, KINDS = 3 };

struct rig {
	struct cap_sink s;
	int reader, signals; /* owned */
	uint8_t *data;	     /* owned, MUCH bytes */
	uint8_t *got;	     /* owned */
	size_t n_got;
};

/* A pipe, one of a kernel that has less, a socket. */
static void rig_init(struct rig *g, unsigned kind)
{
	sigset_t set;
	int fds[2];

	*g = (struct rig){.signals = -1};
	if (kind == 2)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	else
		assert_int_equal(pipe(fds), 0);
	g->reader = fds[0];
	assert_int_equal(cap_sink_open(&g->s, fds[1]), 0);
	g->s.has_no_nowait |= kind == 1;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	g->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	assert_true(g->signals >= 0);
	g->s.signals = g->signals;
	g->data = malloc(MUCH);
	g->got = malloc(MUCH);
	assert_non_null(g->data);
	assert_non_null(g->got);
	for (size_t i = 0; i < MUCH; i++)
		g->data[i] = (uint8_t)(i * 7 + i / 251);
}

static void rig_deinit(struct rig *g)
{
	cap_sink_close(&g->s);
	fd_close(&g->reader);
	fd_close(&g->signals);
	free(g->data);
	free(g->got);
}

static void *read_all(void *arg)
{
	struct rig *g = arg;
	ssize_t n;

	while ((n = read(g->reader, g->got + g->n_got, MUCH - g->n_got)) > 0)
		g->n_got += (size_t)n;
	return NULL;
}

static void check_whole(unsigned kind, bool is_told)
{
	struct rig g;
	pthread_t t;

	rig_init(&g, kind);
	if (is_told) /* but somebody reads */
		assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(pthread_create(&t, NULL, read_all, &g), 0);
	for (size_t at = 0; at < MUCH; at += MUCH / 8)
		assert_int_equal(fwrite(g.data + at, 1, MUCH / 8, g.s.f),
				 MUCH / 8);
	assert_int_equal(cap_sink_flush(&g.s), 0);
	cap_sink_close(&g.s);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(g.n_got, MUCH);
	assert_memory_equal(g.got, g.data, MUCH);
	while (is_told && read(g.signals, g.got, MUCH) > 0)
		; /* if there was always room nobody has heard it */
	rig_deinit(&g);
}

static void test_all_arrives(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		check_whole(kind, false);
		check_whole(kind, true);
	}
}

/* Tells the process to end, when it has heard that for the first time. */
static void *tell_twice(void *arg)
{
	pid_t pid = getpid();

	(void)arg;
	for (unsigned i = 0; i < 2; i++) {
		usleep(100000); /* nothing depends on how long */
		kill(pid, SIGTERM);
	}
	return NULL;
}

static void test_nobody_reads(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct rig g;
		pthread_t t;

		rig_init(&g, kind);
		assert_int_equal(pthread_create(&t, NULL, tell_twice, &g), 0);
		assert_true(fwrite(g.data, 1, MUCH, g.s.f) < MUCH);
		assert_int_equal(cap_sink_flush(&g.s), ECANCELED);
		assert_in_range(g.s.n_told, 1, 2);
		assert_int_equal(pthread_join(t, NULL), 0);
		while (cap_sink_hear(&g.s))
			;
		rig_deinit(&g);
	}
}

static void test_reader_goes(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct rig g;

		rig_init(&g, kind);
		fd_close(&g.reader);
		assert_true(fwrite(g.data, 1, 100, g.s.f) == 100);
		assert_int_equal(cap_sink_flush(&g.s), EPIPE);
		rig_deinit(&g);
	}
}

/* The first reason is kept, whatever comes behind it. */
static void test_no_space(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct cap_sink s;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(cap_sink_open(&s, fd), 0);
	assert_true(fputs("x", s.f) >= 0);
	assert_int_equal(cap_sink_flush(&s), ENOSPC);
	(void)fputs("y", s.f);
	errno = 0;
	assert_int_equal(cap_sink_flush(&s), ENOSPC);
	cap_sink_close(&s);
	assert_int_equal(cap_sink_open(&s, -1), -EBADF);
	cap_sink_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_arrives),
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_reader_goes),
		cmocka_unit_test(test_no_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
