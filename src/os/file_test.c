/* SPDX-License-Identifier: BSD-3-Clause */
/* Locks of files that others have. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/file.h"
#include "os/holder.h"

/* A file, and a process that has its lock until stop is closed. */
struct owner {
	char path[32];
	pid_t pid;
	int stop;
};

static void own(struct owner *o)
{
	int ready[2], stop[2];
	char c;

	strcpy(o->path, "/tmp/vmlan-lock-XXXXXX");
	close(mkstemp(o->path));
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(stop), 0);
	o->pid = fork();
	assert_true(o->pid >= 0);
	if (o->pid == 0) {
		CLEANUP_FD int fd = open(o->path, O_RDWR);

		close(stop[1]);
		if (fd < 0 || flock(fd, LOCK_EX) < 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		_exit((int)read(stop[0], &c, 1));
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(stop[0]);
	o->stop = stop[1];
}

static void end(struct owner *o)
{
	int status;

	close(o->stop);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
	assert_int_equal(status, 0);
}

static void who_waits_has_an_end(void **state)
{
	struct owner o;
	char buf[128], pid[32];
	int fd;

	own(&o);
	fd = open(o.path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(file_lock(fd, "it", 20), -ETIMEDOUT);
	snprintf(pid, sizeof(pid), "(pid %d)", (int)o.pid);
	assert_non_null(strstr(holder_of_file(fd, buf, sizeof(buf)), pid));
	end(&o);
	assert_int_equal(file_lock(fd, "it", 0), 0);
	assert_string_equal(holder_of_file(fd, buf, sizeof(buf)),
			    "another process");
	close(fd);
	assert_int_equal(file_lock(-1, "it", 20), -EBADF);
	assert_int_equal(unlink(o.path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
