/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be read beneath a folder, and what cannot. */
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
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/rooted.h"

struct place {
	char dir[64]; /* with out.txt and the folder root in it */
	int fd;	      /* of dir */
	int root;
};

static void put(int at, const char *name, const char *text)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void make_links(struct place *p)
{
	char path[96];

	assert_int_equal(symlinkat("sub/deep.txt", p->root, "in"), 0);
	assert_int_equal(symlinkat("../file.txt", p->root, "sub/up"), 0);
	assert_int_equal(symlinkat("../out.txt", p->root, "out"), 0);
	assert_int_equal(symlinkat("..", p->root, "outdir"), 0);
	snprintf(path, sizeof(path), "%s/root/file.txt", p->dir);
	assert_int_equal(symlinkat(path, p->root, "absolute"), 0);
	assert_int_equal(symlinkat("loop", p->root, "loop"), 0);
	assert_int_equal(symlinkat("/proc/self/fd/0", p->root, "magic"), 0);
	assert_int_equal(symlinkat("nobody", p->root, "dangling"), 0);
}

static void make_others(struct place *p)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(mkfifoat(p->root, "fifo", 0600), 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/root/sock", p->dir);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
}

static int setup(void **state)
{
	static struct place place;
	struct place *p = &place;
	struct error e = ERROR_NULL;
	char path[96];

	snprintf(p->dir, sizeof(p->dir), "/tmp/vmlan-rooted.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->fd = open(p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->fd >= 0);
	put(p->fd, "out.txt", "secret");
	assert_int_equal(mkdirat(p->fd, "root", 0700), 0);
	snprintf(path, sizeof(path), "%s/root", p->dir);
	p->root = rooted_dir(path, &e);
	assert_true(p->root >= 0);
	assert_int_equal(mkdirat(p->root, "sub", 0700), 0);
	put(p->root, "file.txt", "file");
	put(p->root, "sub/deep.txt", "deep");
	make_links(p);
	make_others(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"in", "out", "outdir", "absolute", "loop", "magic",
		"dangling", "fifo", "sock", "file.txt", "sub/up",
		"sub/deep.txt",
	};
	struct place *p = *state;

	for (size_t i = 0; i < array_len(names); i++)
		(void)unlinkat(p->root, names[i], 0);
	(void)unlinkat(p->root, "sub", AT_REMOVEDIR);
	(void)unlinkat(p->fd, "root", AT_REMOVEDIR);
	(void)unlinkat(p->fd, "out.txt", 0);
	close(p->root);
	close(p->fd);
	return rmdir(p->dir);
}

static void reads(void **state)
{
	static const struct {
		const char *name, *text;
	} files[] = {
		{"file.txt", "file"},	    {"/file.txt", "file"},
		{"//file.txt", "file"},	    {"./file.txt", "file"},
		{"sub/deep.txt", "deep"},   {"sub//deep.txt", "deep"},
		{"sub/../file.txt", "file"}, {"in", "deep"},
		{"sub/up", "file"},
	};
	const struct place *p = *state;

	for (size_t i = 0; i < array_len(files); i++) {
		struct stat st;
		char buf[16] = "";
		int fd = rooted_open(p->root, files[i].name, &st);

		assert_true(fd >= 0);
		assert_int_equal(st.st_size, strlen(files[i].text));
		assert_int_equal(read(fd, buf, sizeof(buf) - 1), st.st_size);
		assert_string_equal(buf, files[i].text);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *name;
		int err;
	} files[] = {
		{"", EACCES},		  {"/", EACCES},
		{".", EACCES},		  {"sub", EACCES},
		{"nobody", ENOENT},	  {"file.txt/", ENOENT},
		{"file.txt/x", ENOENT},	  {"../out.txt", ENOENT},
		{"/../out.txt", ENOENT},  {"sub/../../out.txt", ENOENT},
		{"..", ENOENT},		  {"out", ENOENT},
		{"outdir/out.txt", ENOENT}, {"absolute", ENOENT},
		{"loop", ENOENT},	  {"magic", ENOENT},
		{"dangling", ENOENT},	  {"fifo", EACCES},
		{"sock", EACCES},
	};
	const struct place *p = *state;
	char path[96], name[ROOTED_PATH_MAX + 8];
	struct stat st;

	for (size_t i = 0; i < array_len(files); i++)
		assert_int_equal(rooted_open(p->root, files[i].name, &st),
				 -files[i].err);
	/* Named from the host's own root. */
	snprintf(path, sizeof(path), "%s/out.txt", p->dir);
	assert_int_equal(rooted_open(p->root, path, &st), -ENOENT);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(rooted_open(p->root, name, &st), -ENAMETOOLONG);
}

/* Whoever has a lease of a file holds nobody up. */
static void waits_for_no_lease(void **state)
{
	const struct place *p = *state;
	int fd = openat(p->root, "file.txt", O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_true(signal(SIGIO, SIG_IGN) != SIG_ERR);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0) {
		assert_int_equal(errno, EINVAL); /* no such file system */
		close(fd);
		skip();
	}
	alarm(20); /* half of /proc/sys/fs/lease-break-time */
	assert_int_equal(rooted_open(p->root, "file.txt", &st), -EAGAIN);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	alarm(0);
	close(fd);
	fd = rooted_open(p->root, "file.txt", &st);
	assert_true(fd >= 0);
	close(fd);
}

/* A device is not touched. */
static void refuses_devices(void **state)
{
	struct error e = ERROR_NULL;
	int root = rooted_dir("/dev", &e);
	struct stat st;

	(void)state;
	assert_true(root >= 0);
	assert_int_equal(rooted_open(root, "null", &st), -EACCES);
	close(root);
}

static void tells_what_is_there(void **state)
{
	const struct place *p = *state;

	assert_true(rooted_has(p->root, "in", S_IFREG));
	assert_false(rooted_has(p->root, "in", S_IFDIR));
	assert_true(rooted_has(p->root, "sub", S_IFDIR));
	assert_false(rooted_has(p->root, "sub", S_IFREG));
	assert_false(rooted_has(p->root, "fifo", S_IFREG));
	assert_false(rooted_has(p->root, "out", S_IFREG));
	assert_false(rooted_has(p->root, "outdir", S_IFDIR));
	assert_false(rooted_has(p->root, "/file.txt", S_IFREG));
}

static void names_no_folder(void **state)
{
	const struct place *p = *state;
	struct error e = ERROR_NULL;
	char path[96], line[128];

	snprintf(path, sizeof(path), "%s/out.txt", p->dir);
	assert_true(rooted_dir(path, &e) < 0);
	snprintf(line, sizeof(line), "%s is no folder", path);
	assert_string_equal(e.text, line);
	assert_int_equal(e.code, EXIT_USAGE);
	e = ERROR_NULL;
	snprintf(path, sizeof(path), "%s/nobody", p->dir);
	assert_true(rooted_dir(path, &e) < 0);
	assert_int_equal(e.code, EXIT_NO_OBJECT);
	if (geteuid() == 0)
		return; /* who is let in everywhere */
	e = ERROR_NULL;
	assert_int_equal(mkdirat(p->root, "closed", 0600), 0);
	snprintf(path, sizeof(path), "%s/root/closed", p->dir);
	assert_true(rooted_dir(path, &e) < 0);
	assert_int_equal(e.code, EXIT_PERMISSION);
	(void)unlinkat(p->root, "closed", AT_REMOVEDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_devices),
		cmocka_unit_test(waits_for_no_lease),
		cmocka_unit_test(tells_what_is_there),
		cmocka_unit_test(names_no_folder),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
