/* SPDX-License-Identifier: BSD-3-Clause */
/* Folders of networks: who has them, who removes them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/rundir.h"
#include "os/sock.h"
#include "os/test_user.h"

/* XDG_RUNTIME_DIR of one test. */
static int set_up(void **state)
{
	static char dir[sizeof("/tmp/vmlan-rundir-XXXXXX")];

	strcpy(dir, "/tmp/vmlan-rundir-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	*state = dir;
	return setenv("XDG_RUNTIME_DIR", dir, 1);
}

/* Nothing may be left but the folder of all. */
static int tear_down(void **state)
{
	const char *dir = *state;
	char path[64];

	snprintf(path, sizeof(path), "%s/vmlan", dir);
	if (rmdir(path) < 0 && errno != ENOENT)
		return -1;
	return rmdir(dir);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void make_ok(const char *name, struct rundir *d)
{
	struct error e = ERROR_NULL;

	if (rundir_make(name, d, &e) < 0)
		fail_msg("%s", e.text);
}

/* Leaves name with a file, a socket and a link behind, as kill -9 would. */
static void abandon(const char *name, const char *link_to)
{
	struct rundir d;
	char path[128];
	int fd;

	make_ok(name, &d);
	snprintf(path, sizeof(path), "%s/leases", d.path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/ctl", d.path);
	fd = sock_listen_unix(path, false, true, NULL);
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/link", d.path);
	assert_int_equal(symlink(link_to, path), 0);
	rundir_release(&d);
}

static void one_name_has_one_owner(void **state)
{
	struct error e = ERROR_NULL;
	struct rundir a, b;
	struct stat st;
	char want[96];

	make_ok("a", &a);
	snprintf(want, sizeof(want), "%s/vmlan/a", (char *)*state);
	assert_string_equal(a.path, want);
	assert_int_equal(stat(a.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(rundir_make("a", &b, &e), -EEXIST);
	assert_int_equal(e.code, EXIT_CONFLICT);
	assert_int_equal(b.lock_fd, -1);
	assert_string_equal(b.path, "");
	make_ok("b", &b);
	rundir_sweep(NULL); /* both alive */
	assert_true(exists(a.path) && exists(b.path));
	rundir_remove(&a);
	assert_false(exists(want));
	assert_int_equal(a.lock_fd, -1);
	rundir_remove(&a); /* nothing more */
	make_ok("a", &a);
	rundir_remove(&a);
	rundir_remove(&b);
}

/* In a child: an engine that ends when somebody has been at the folder of all
 * for a while, and not been at its own.  Exit code 0: it was so. */
static void be_engine(const char *path)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	int lock, looks = 0, base;
	char all[96];

	snprintf(all, sizeof(all), "%s", path);
	*strrchr(all, '/') = '\0';
	base = open(all, O_RDONLY | O_DIRECTORY);
	if (base < 0)
		_exit(2);
	do {
		lock = rundir_engine_lock(path);
	} while (lock < 0); /* who looks has it for a moment */
	while (looks < 10 && exists(path)) {
		if (flock(base, LOCK_SH | LOCK_NB) == 0) {
			flock(base, LOCK_UN);
			looks = 0;
		} else {
			looks++;
		}
		nanosleep(&moment, NULL);
	}
	_exit(!exists(path));
}

/* What it holds would be in the way of whoever has the name next. */
static void an_engine_is_waited_for(void **state)
{
	struct rundir d;
	char path[96];
	int status;
	pid_t pid;

	for (int again = 0; again < 2; again++) {
		make_ok("a", &d);
		memcpy(path, d.path, sizeof(path));
		pid = fork();
		if (pid == 0) {
			fd_close(&d.lock_fd);
			be_engine(path);
		}
		/* .. has its lock: a second one is refused */
		while (access(path, F_OK) == 0) {
			int fd = rundir_engine_lock(path);

			if (fd < 0)
				break;
			close(fd);
		}
		rundir_release(&d);
		if (again)
			make_ok("a", &d);
		else
			rundir_sweep(NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	rundir_remove(&d);
}

/* Somebody took the folder away, and another network has its name. */
static void a_successor_is_left_alone(void **state)
{
	struct rundir old, fresh;
	char away[96];

	make_ok("a", &old);
	snprintf(away, sizeof(away), "%s/away", (char *)*state);
	assert_int_equal(rename(old.path, away), 0);
	make_ok("a", &fresh);
	assert_int_equal(rundir_fd(&old), -1);
	rundir_remove(&old);
	assert_true(exists(fresh.path));
	assert_true(rundir_is_held("a"));
	assert_true(exists(away));
	rundir_remove(&fresh);
	assert_false(exists(fresh.path));
	snprintf(away, sizeof(away), "%s/away/lock", (char *)*state);
	assert_int_equal(unlink(away), 0);
	*strrchr(away, '/') = '\0';
	assert_int_equal(rmdir(away), 0);
}

static void the_dead_are_swept(void **state)
{
	char outside[64], path[96];
	int fd;

	snprintf(outside, sizeof(outside), "%s/precious", (char *)*state);
	fd = open(outside, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	abandon("dead", outside);
	snprintf(path, sizeof(path), "%s/vmlan/dead", (char *)*state);
	assert_true(exists(path));
	rundir_sweep(NULL);
	assert_false(exists(path));
	assert_true(exists(outside)); /* links are not followed */
	/* A folder that is a link is not entered. */
	snprintf(path, sizeof(path), "%s/vmlan/alias", (char *)*state);
	assert_int_equal(symlink(*state, path), 0);
	rundir_sweep(NULL);
	assert_true(exists(outside));
	unlink(path);
	unlink(outside);
}

static void a_dead_ones_name_is_free_and_empty(void **state)
{
	struct rundir d;
	char path[128];

	abandon("n", "/");
	make_ok("n", &d);
	snprintf(path, sizeof(path), "%s/ctl", d.path);
	assert_false(exists(path));
	snprintf(path, sizeof(path), "%s/link", d.path);
	assert_false(exists(path));
	rundir_remove(&d);
}

/* Killed between mkdir and lock. */
static bool spares_b(const char *name)
{
	return strcmp(name, "b") == 0;
}

/* What somebody may want is neither swept nor made anew. */
static void one_that_is_wanted_stays(void **state)
{
	struct error e = ERROR_NULL;
	char a[96], b[96], in_b[128];
	struct rundir d, owner;

	snprintf(a, sizeof(a), "%s/vmlan/a", (char *)*state);
	snprintf(b, sizeof(b), "%s/vmlan/b", (char *)*state);
	snprintf(in_b, sizeof(in_b), "%s/leases", b);
	abandon("a", "/nowhere");
	abandon("b", "/nowhere");
	rundir_sweep(spares_b);
	assert_false(exists(a));
	assert_true(exists(in_b));
	assert_int_equal(rundir_make_sparing("b", spares_b, &d, &e), -ESTALE);
	assert_int_equal(d.lock_fd, -1);
	assert_true(exists(in_b));
	assert_false(rundir_is_held("b"));
	/* Its owner's, once there is one. */
	assert_int_equal(rundir_take("b", 0, &owner), 0);
	e = ERROR_NULL;
	assert_int_equal(rundir_make_sparing("b", spares_b, &d, &e), -EEXIST);
	rundir_release(&owner);
	rundir_sweep(NULL);
	assert_false(exists(b));
}

static void an_unfinished_one_is_swept(void **state)
{
	struct rundir d;
	char path[96];

	make_ok("x", &d);
	snprintf(path, sizeof(path), "%s/vmlan/unfinished", (char *)*state);
	assert_int_equal(mkdir(path, 0700), 0);
	rundir_sweep(NULL);
	assert_false(exists(path));
	rundir_remove(&d);
}

static void a_child_keeps_the_lock(void **state)
{
	struct rundir d;
	int hold[2];
	char c, path[96];
	pid_t pid;

	assert_int_equal(pipe(hold), 0);
	make_ok("held", &d);
	snprintf(path, sizeof(path), "%s", d.path);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		_exit((int)read(hold[0], &c, 1));
	}
	rundir_release(&d);
	rundir_sweep(NULL);
	assert_true(exists(path));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	rundir_sweep(NULL);
	assert_false(exists(path));
	close(hold[0]);
	close(hold[1]);
}

/* A process that has the folder until a byte comes, and then ends, in order or
 * not. */
static pid_t owner_of(const char *name, bool in_order, int *tellp)
{
	struct rundir d;
	int hold[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(hold), 0);
	make_ok(name, &d);
	pid = fork();
	if (pid == 0) {
		(void)!read(hold[0], &c, 1);
		if (in_order)
			rundir_remove(&d);
		_exit(0);
	}
	rundir_release(&d);
	close(hold[0]);
	*tellp = hold[1];
	return pid;
}

/* Of one that ends in order there is nothing to be had. */
static void who_ends_is_waited_for(void **state)
{
	for (int in_order = 0; in_order < 2; in_order++) {
		struct rundir d;
		int tell;
		pid_t pid = owner_of("its", in_order, &tell);

		assert_int_equal(rundir_take("its", 0, &d), -EBUSY);
		assert_int_equal(rundir_take("its", 20, &d), -EBUSY);
		assert_int_equal(d.lock_fd, -1);
		assert_int_equal(write(tell, "", 1), 1);
		assert_int_equal(rundir_take("its", 10000, &d),
				 in_order ? -ENOENT : 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(tell);
		rundir_remove(&d);
		assert_int_equal(rundir_take("its", 0, &d), -ENOENT);
	}
}

static void bad_names_and_places_are_refused(void **state)
{
	static const char *const bad[] = {"", ".", "..", ".x", "a/b", "../a"};
	struct error e = ERROR_NULL;
	char long_name[200], path[64];
	struct rundir d;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		e = ERROR_NULL;
		assert_int_equal(rundir_make(bad[i], &d, &e), -EINVAL);
		assert_int_equal(e.code, EXIT_USAGE);
	}
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	e = ERROR_NULL;
	assert_int_equal(rundir_make(long_name, &d, &e), -ENAMETOOLONG);
	/* A folder of all that others can write to. */
	snprintf(path, sizeof(path), "%s/vmlan", (char *)*state);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0777), 0);
	e = ERROR_NULL;
	assert_true(rundir_make("a", &d, &e) < 0);
	assert_int_equal(e.code, EXIT_PERMISSION);
}

/* Whoever made the folder of all would be believed to be our keeper, and given
 * the machine's memory. */
static void nobody_else_is_asked(void **state)
{
	struct error e = ERROR_NULL;
	char base[64], path[96], want[96];

	assert_int_equal(rundir_path("a", path, &e), -ENOENT);
	assert_int_equal(e.code, EXIT_DONE);
	snprintf(base, sizeof(base), "%s/vmlan", (char *)*state);
	snprintf(want, sizeof(want), "%s/a", base);
	assert_int_equal(mkdir(base, 0700), 0);
	assert_int_equal(rundir_path("a", path, &e), 0);
	assert_string_equal(path, want);
	assert_int_equal(chmod(base, 0777), 0);
	assert_int_equal(rundir_path("a", path, &e), -EPERM);
	assert_int_equal(e.code, EXIT_PERMISSION);
	assert_int_equal(rmdir(base), 0);
	e = ERROR_NULL;
	assert_int_equal(symlink(".", base), 0);
	assert_int_equal(rundir_path("a", path, &e), -EPERM);
	assert_int_equal(unlink(base), 0);
	if (geteuid() != 0)
		return; /* who may give folders away? */
	e = ERROR_NULL;
	assert_int_equal(mkdir(base, 0700), 0);
	assert_int_equal(chown(base, 65534, 65534), 0);
	assert_int_equal(rundir_path("a", path, &e), -EPERM);
	assert_int_equal(e.code, EXIT_PERMISSION);
}

enum { CONTENDERS = 4, ROUNDS = 60 };

/* Makes, removes, abandons and sweeps; nothing may fail but for EEXIST. */
static int contend(void *arg)
{
	unsigned seed = *(unsigned *)arg;
	struct error e;
	struct rundir d;

	for (int i = 0; i < ROUNDS; i++) {
		int r;

		e = ERROR_NULL;
		r = rundir_make("one", &d, &e);
		if (r == -EEXIST)
			continue;
		if (r < 0) {
			fprintf(stderr, "%s\n", e.text);
			return 1;
		}
		if ((seed + (unsigned)i) % 2)
			rundir_remove(&d);
		else
			rundir_release(&d);
		rundir_sweep(NULL);
	}
	return 0;
}

static void many_at_once_are_safe(void **state)
{
	pid_t pid[CONTENDERS];
	int status;

	for (unsigned i = 0; i < CONTENDERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(contend(&i));
	}
	for (unsigned i = 0; i < CONTENDERS; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	rundir_sweep(NULL);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_name_has_one_owner, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_engine_is_waited_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_successor_is_left_alone,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_dead_are_swept, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_dead_ones_name_is_free_and_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_wanted_stays,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_unfinished_one_is_swept,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_child_keeps_the_lock, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(who_ends_is_waited_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			bad_names_and_places_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_else_is_asked, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(many_at_once_are_safe, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("rundir", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
