/* SPDX-License-Identifier: BSD-3-Clause */
/* Locks of files that others have, and who waits for them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/file.h"
#include "os/holder.h"

/* True if somebody waits for the lock of that file. */
static bool is_waited_for(ino_t inode)
{
	char line[256], id[32];
	bool found = false;
	FILE *f = fopen("/proc/locks", "re");

	assert_non_null(f);
	snprintf(id, sizeof(id), ":%ju ", (uintmax_t)inode);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, "->") && strstr(line, id);
	fclose(f);
	return found;
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void await_waiter(const char *path, bool is_there)
{
	ino_t inode = inode_of(path);

	while (is_waited_for(inode) != is_there)
		sched_yield();
}

/* A file, and a process that has its lock until stop is closed, or somebody
 * waits for it. */
struct owner {
	char path[32];
	pid_t pid;
	int stop;
};

static void own(struct owner *o, bool is_kind)
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
		if (is_kind) {
			await_waiter(o->path, true);
			_exit(0);
		}
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

	own(&o, false);
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

static void who_waits_gets_it(void **state)
{
	struct owner o;
	int fd, other;

	own(&o, true);
	fd = open(o.path, O_RDWR | O_CLOEXEC);
	other = open(o.path, O_RDWR | O_CLOEXEC);
	assert_int_equal(file_lock(fd, "it", FILE_LOCK_MS), 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	end(&o);
	/* It is the descriptor's, and nobody is left who waited. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
	close(fd);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(file_lock_silently(other, LOCK_SH, 0), 0);
	fd = open(o.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_lock_silently(fd, LOCK_SH, 0), 0);
	assert_int_equal(file_lock_silently(fd, LOCK_EX, 20), -ETIMEDOUT);
	close(fd);
	close(other);
	assert_int_equal(unlink(o.path), 0);
}

/* Else it would have the lock, and all that its parent had, when nobody is
 * there any more. */
static void who_is_killed_waits_no_more(void **state)
{
	struct owner o;
	pid_t pid;

	own(&o, false);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		CLEANUP_FD int fd = open(o.path, O_RDWR | O_CLOEXEC);

		close(o.stop);
		_exit(file_lock(fd, "it", FILE_LOCK_MS) == 0);
	}
	await_waiter(o.path, true);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	await_waiter(o.path, false);
	end(&o);
	assert_int_equal(unlink(o.path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_has_an_end),
		cmocka_unit_test(who_waits_gets_it),
		cmocka_unit_test(who_is_killed_waits_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
