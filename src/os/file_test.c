/* SPDX-License-Identifier: BSD-3-Clause */
/* Locks of files that others have, and who waits for them; files given, and
 * replaced. */
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}

static void socket_at(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
}

static int give(const char *path)
{
	return file_give(path, S_IFSOCK | 0642, (uid_t)-1, (gid_t)-1);
}

/* Who can write to the folder of a socket could have us give him any file. */
static void only_our_own_socket_is_given(void **state)
{
	char dir[] = "/tmp/vmlan-file-XXXXXX", at[40], other[40];

	assert_non_null(mkdtemp(dir));
	snprintf(at, sizeof(at), "%s/at", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	socket_at(other);
	assert_int_equal(chmod(other, 0600), 0);
	assert_int_equal(give(at), -ENOENT);
	assert_int_equal(symlink(other, at), 0);
	assert_int_equal(give(at), -ESTALE);
	unlink(at);
	assert_int_equal(link(other, at), 0);
	assert_int_equal(give(at), -ESTALE);
	assert_int_equal(mode_of(other), S_IFSOCK | 0600);
	unlink(at);
	if (geteuid() == 0) {
		assert_int_equal(chown(other, 1, (gid_t)-1), 0);
		assert_int_equal(give(other), -ESTALE);
		assert_int_equal(chown(other, 0, (gid_t)-1), 0);
	}
	assert_int_equal(give(other), 0);
	assert_int_equal(mode_of(other), S_IFSOCK | 0642);
	assert_int_equal(give(dir), -ESTALE);
	assert_int_equal(file_give(dir, S_IFDIR | 0750, (uid_t)-1, getegid()),
			 0);
	assert_int_equal(mode_of(dir), S_IFDIR | 0750);
	unlink(other);
	assert_int_equal(rmdir(dir), 0);
}

static void assert_is(const char *path, const char *text)
{
	CLEANUP_FD int fd = open(path, O_RDONLY);
	char buf[32] = "";
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf) - 1), strlen(text));
	assert_string_equal(buf, text);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
	char dir[] = "/tmp/vmlan-file-XXXXXX", path[64], fresh[64], in[80];
	int was;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(fresh, sizeof(fresh), "%s/a.new", dir);
	assert_int_equal(file_replace(path, "one and more", 12), 0);
	assert_is(path, "one and more");
	was = open(path, O_RDONLY | O_CLOEXEC);
	/* What somebody left who was killed. */
	assert_int_equal(mkdir(fresh, 0700), 0);
	assert_int_equal(file_replace(path, "two", 3), -EISDIR);
	assert_is(path, "one and more");
	assert_int_equal(rmdir(fresh), 0);
	close(open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(file_replace(path, "two", 3), 0);
	assert_is(path, "two");
	assert_int_equal(access(fresh, F_OK), -1);
	assert_int_equal(lseek(was, 0, SEEK_END), 12); /* who reads it */
	close(was);
	/* Where none can be, nothing is left behind. */
	assert_int_equal(unlink(path), 0);
	snprintf(in, sizeof(in), "%s/b", path);
	assert_int_equal(file_replace(in, "two", 3), -ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_replace(path, "two", 3), -EISDIR);
	assert_int_equal(access(fresh, F_OK), -1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_has_an_end),
		cmocka_unit_test(who_waits_gets_it),
		cmocka_unit_test(who_is_killed_waits_no_more),
		cmocka_unit_test(only_our_own_socket_is_given),
		cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
