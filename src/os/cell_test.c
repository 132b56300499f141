/* SPDX-License-Identifier: BSD-3-Clause */
/* Cells: what programs in there see and may, and that nothing is left. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/cell.h"
#include "os/test_user.h"

static const struct cell_file files[] = {
	{"/etc/passwd", "guest:x:1000:1000::/:/bin/false\n"},
	{NULL, NULL},
};

/* A folder with one file, and a secret beside it. */
struct site {
	char dir[64];
	char share[80];
	struct cell *cell;
};

static void put(const char *dir, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int set_up(struct site *s, bool is_readonly, struct error *e)
{
	struct cell_config c = {
		.dir = s->share,
		.is_readonly = is_readonly,
		.uid = geteuid(),
		.gid = getegid(),
		.files = files,
	};

	snprintf(s->dir, sizeof(s->dir), "/tmp/vmlan-cell.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->share, sizeof(s->share), "%s/share", s->dir);
	assert_int_equal(mkdir(s->share, 0755), 0);
	put(s->dir, "secret", "secret\n");
	put(s->share, "open", "open\n");
	/* As whom the folder belongs to, where we may choose. */
	if (geteuid() == 0) {
		c.uid = c.gid = 1234;
		assert_int_equal(chown(s->share, 1234, 1234), 0);
	}
	s->cell = NULL;
	return cell_new(&c, &s->cell, e);
}

static void clean(struct site *s)
{
	char cmd[128];

	s->cell = cell_free(s->cell);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", s->dir);
	assert_int_equal(system(cmd), 0);
}

static int begin(struct site *s, const char *script, pid_t *pidp)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
	struct error e = ERROR_NULL;
	int fd = cell_start(s->cell, argv, 64, pidp, &e);

	if (fd < 0)
		fail_msg("%s", e.text);
	return fd;
}

/* All that the script says by its connection. */
static const char *run(struct site *s, const char *script, char *out,
		       size_t room)
{
	int status = -1;
	size_t len = 0;
	ssize_t n;
	pid_t pid;
	CLEANUP_FD int fd = begin(s, script, &pid);

	while (len < room - 1 &&
	       (n = read(fd, out + len, room - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return out;
}

static void test_sees_the_folder_and_nothing_else(void **state)
{
	struct error e = ERROR_NULL;
	char script[300], out[500];
	struct site s;

	(void)state;
	if (set_up(&s, false, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(run(&s, "cat /share/open >&0", out, sizeof(out)),
			    "open\n");
	snprintf(script, sizeof(script),
		 "cat %s/secret >&0; ls -d /home /root %s >&0; ls / >&0",
		 s.dir, s.dir);
	run(&s, script, out, sizeof(out));
	assert_null(strstr(out, "secret"));
	assert_null(strstr(out, "home"));
	assert_non_null(strstr(out, "share\n"));
	/* Not a file of the host's but those of /usr and the folder. */
	run(&s, "ls -A /etc /run /var /tmp /state >&0; hostname >&0", out,
	    sizeof(out));
	assert_non_null(strstr(out, "passwd\n"));
	assert_null(strstr(out, "shadow"));
	assert_non_null(strstr(out, "/tmp:\n\n"));
	assert_non_null(strstr(out, "vmlan\n"));
	clean(&s);
}

static void test_has_no_rights(void **state)
{
	struct error e = ERROR_NULL;
	struct stat st;
	char out[500], path[128];
	struct site s;

	(void)state;
	if (set_up(&s, false, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(run(&s, "id -u >&0; id -g >&0", out, sizeof(out)),
			    "1000\n1000\n");
	/* Writes in the folder, as who was named; not in /usr or /etc. */
	run(&s,
	    "echo x >/share/new && echo a >&0; echo x >/usr/x || echo b >&0;"
	    "echo x >/etc/x || echo c >&0; echo x >/state/x && echo d >&0;"
	    "mount -t tmpfs none /share || echo e >&0;"
	    "kill -9 1; echo f >&0",
	    out, sizeof(out));
	assert_string_equal(out, "a\nb\nc\nd\ne\nf\n");
	snprintf(path, sizeof(path), "%s/new", s.share);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, geteuid() ? geteuid() : 1234);
	assert_true(cell_is_alive(s.cell));
	/* What one program keeps another one finds. */
	assert_string_equal(run(&s, "cat /state/x >&0", out, sizeof(out)),
			    "x\n");
	clean(&s);
}

static void test_only_reads(void **state)
{
	struct error e = ERROR_NULL;
	char out[500];
	struct site s;

	(void)state;
	if (set_up(&s, true, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(run(&s, "echo x >/share/new || cat /share/open >&0",
				out, sizeof(out)),
			    "open\n");
	clean(&s);
}

static void test_ends_with_all_in_it(void **state)
{
	struct error e = ERROR_NULL;
	int status = 0, fd;
	struct site s;
	char byte;
	pid_t pid;

	(void)state;
	if (set_up(&s, false, &e) < 0)
		fail_msg("%s", e.text);
	/* An orphan that holds the connection, too. */
	fd = begin(&s, "trap '' TERM HUP; setsid sleep 600 & echo >&0; "
		       "sleep 600", &pid);
	assert_int_equal(read(fd, &byte, 1), 1);
	s.cell = cell_free(s.cell);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(fd);
	clean(&s);
}

static void test_says_what_is_wrong(void **state)
{
	char *argv[] = {(char *)"/usr/no-such-program", NULL};
	struct error e = ERROR_NULL;
	struct site s;
	pid_t pid;

	(void)state;
	if (set_up(&s, false, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(cell_start(s.cell, argv, 0, &pid, &e) < 0);
	assert_string_equal(e.text, "cannot be run: /usr/no-such-program: No "
				    "such file or directory");
	clean(&s);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	e = ERROR_NULL;
	{
		const struct cell_config c = {.dir = "/nowhere/at all",
					      .uid = geteuid(),
					      .gid = getegid(),
					      .files = files};

		assert_true(cell_new(&c, &s.cell, &e) < 0);
	}
	assert_string_equal(e.text, "namespaces of its own: /nowhere/at all: "
				    "No such file or directory");
	assert_int_equal(waitpid(-1, NULL, 0), -1);
}

/* Whoever may rename what was looked at. */
static void test_refuses_another_folder(void **state)
{
	struct cell_config c = {.dir = "/usr/lib", .files = files};
	struct error e = ERROR_NULL;
	struct cell *cell = NULL;
	struct stat st;

	(void)state;
	c.uid = geteuid() ? geteuid() : 1234;
	c.gid = geteuid() ? getegid() : 1234;
	assert_int_equal(stat("/usr/share", &st), 0);
	c.seen = &st;
	assert_true(cell_new(&c, &cell, &e) < 0);
	assert_string_equal(e.text, "namespaces of its own: /usr/lib: Stale "
				    "file handle");
	assert_int_equal(stat("/usr/lib", &st), 0);
	e = ERROR_NULL;
	assert_int_equal(cell_new(&c, &cell, &e), 0);
	cell_free(cell);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* Starts a program that has path/fifo open for writing, says where, and is
 * killed when it runs. */
static void die_as_maker(int say)
{
	struct error e = ERROR_NULL;
	char fifo[128], byte;
	struct site s;
	pid_t pid;
	int fd;

	if (set_up(&s, false, &e) < 0)
		_exit(1);
	snprintf(fifo, sizeof(fifo), "%s/fifo", s.share);
	if (mkfifo(fifo, 0600) < 0 || (geteuid() == 0 &&
				       chown(fifo, 1234, 1234) < 0))
		_exit(1);
	fd = begin(&s, "exec 3>/share/fifo; echo >&0; sleep 600", &pid);
	if (write(say, s.share, sizeof(s.share)) < 0 ||
	    read(fd, &byte, 1) != 1)
		_exit(1);
	kill(getpid(), SIGKILL);
}

static void test_ends_with_its_maker(void **state)
{
	char share[80], path[128], byte;
	int pair[2], status, fd;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	pid = fork();
	if (pid == 0)
		die_as_maker(pair[1]);
	close(pair[1]);
	assert_int_equal(read(pair[0], share, sizeof(share)), sizeof(share));
	close(pair[0]);
	snprintf(path, sizeof(path), "%s/fifo", share);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	/* The last who had it open is gone. */
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	snprintf(path, sizeof(path), "rm -rf '%.*s'",
		 (int)(strlen(share) - strlen("/share")), share);
	assert_int_equal(system(path), 0);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sees_the_folder_and_nothing_else),
		cmocka_unit_test(test_has_no_rights),
		cmocka_unit_test(test_only_reads),
		cmocka_unit_test(test_ends_with_all_in_it),
		cmocka_unit_test(test_says_what_is_wrong),
		cmocka_unit_test(test_refuses_another_folder),
		cmocka_unit_test(test_ends_with_its_maker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
