/* SPDX-License-Identifier: BSD-3-Clause */
/* Unix sockets by name: what is stale is replaced, nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sock.h"
#include "os/test_user.h"

/* A folder, and the path of a socket in it. */
struct place {
	char dir[32];
	char path[64];
};

static struct place place_make(void)
{
	struct place p;

	snprintf(p.dir, sizeof(p.dir), "/tmp/vmlan-unix-XXXXXX");
	assert_non_null(mkdtemp(p.dir));
	snprintf(p.path, sizeof(p.path), "%s/s", p.dir);
	return p;
}

static void place_clear(const struct place *p)
{
	unlink(p->path);
	assert_int_equal(rmdir(p->dir), 0);
}

static int listen_ok(const char *path)
{
	struct error e = ERROR_NULL;
	int fd = sock_listen_unix(path, false, true, &e);

	if (fd < 0)
		fail_msg("%s", e.text);
	return fd;
}

static void expect_conflict(int fd, const struct error *e, const char *word)
{
	assert_true(fd < 0);
	assert_int_equal(e->code, EXIT_CONFLICT);
	if (!strstr(e->text, word))
		fail_msg("no '%s' in: %s", word, e->text);
}

static void only_what_is_nobodys_is_removed(void **state)
{
	struct place p = place_make();
	struct error e = ERROR_NULL;
	int fd = listen_ok(p.path);

	sock_remove_unix(p.path);
	assert_int_equal(access(p.path, F_OK), 0);
	close(fd);
	sock_remove_unix(p.path);
	assert_int_equal(access(p.path, F_OK), -1);
	fd = sock_dgram_unix(p.path, &e);
	assert_true(fd >= 0);
	sock_remove_unix(p.path);
	assert_int_equal(access(p.path, F_OK), 0);
	close(fd);
	sock_remove_unix(p.path);
	assert_int_equal(access(p.path, F_OK), -1);
	fd = open(p.path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	sock_remove_unix(p.path);
	assert_int_equal(access(p.path, F_OK), 0);
	place_clear(&p);
}

/* Our own file goes while somebody listens there; one that came later stays. */
static void our_file_is_known_again(void **state)
{
	struct place p = place_make();
	int fd = listen_ok(p.path), other;
	struct sock_file f, none;

	(void)state;
	sock_file_of("/nonexistent/socket", &none);
	sock_file_remove(p.path, &none);
	sock_file_of(p.path, &f);
	assert_int_equal(access(p.path, F_OK), 0);
	sock_file_remove(p.path, &f);
	assert_int_equal(access(p.path, F_OK), -1);
	other = open(p.path, O_CREAT | O_WRONLY, 0600);
	assert_true(other >= 0);
	sock_file_remove(p.path, &f);
	assert_int_equal(access(p.path, F_OK), 0);
	close(other);
	close(fd);
	place_clear(&p);
}

static void a_stale_listener_is_replaced(void **state)
{
	struct place p = place_make();
	struct error e = ERROR_NULL;
	int a = listen_ok(p.path), b;

	assert_true(fcntl(a, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(a, F_GETFL) & O_NONBLOCK);
	expect_conflict(sock_listen_unix(p.path, false, true, &e), &e,
			"somebody listens");
	e = ERROR_NULL;
	expect_conflict(sock_dgram_unix(p.path, &e), &e, "another type");
	b = sock_connect_unix(p.path, false, true, NULL);
	assert_true(b >= 0); /* still there */
	close(b);
	close(a);
	e = ERROR_NULL;
	assert_true(sock_connect_unix(p.path, false, true, &e) < 0);
	assert_non_null(strstr(e.text, p.path));
	a = listen_ok(p.path);
	b = sock_connect_unix(p.path, false, true, NULL);
	assert_true(b >= 0);
	close(a);
	close(b);
	place_clear(&p);
}

static void a_stale_reader_is_replaced(void **state)
{
	struct place p = place_make();
	struct error e = ERROR_NULL;
	int a = sock_dgram_unix(p.path, &e), b;

	assert_true(a >= 0);
	expect_conflict(sock_dgram_unix(p.path, &e), &e, "somebody reads");
	e = ERROR_NULL;
	expect_conflict(sock_listen_unix(p.path, false, true, &e), &e,
			"another type");
	b = sock_dgram_unix_tx(&e);
	assert_true(b >= 0);
	assert_int_equal(sock_dgram_unix_point(b, p.path), 0);
	assert_int_equal(send(b, "x", 1, 0), 1);
	/* One that has chosen its peer lives as well. */
	assert_int_equal(sock_dgram_unix_point(a, p.path), 0);
	e = ERROR_NULL;
	expect_conflict(sock_dgram_unix(p.path, &e), &e, "somebody reads");
	close(a);
	assert_int_equal(sock_dgram_unix_point(b, p.path), -ECONNREFUSED);
	e = ERROR_NULL;
	a = sock_dgram_unix(p.path, &e);
	assert_true(a >= 0);
	close(a);
	close(b);
	place_clear(&p);
}

static void other_files_are_left_alone(void **state)
{
	struct place p = place_make();
	struct error e = ERROR_NULL;
	struct stat st;

	assert_int_equal(mkdir(p.path, 0700), 0);
	expect_conflict(sock_listen_unix(p.path, false, true, &e), &e,
			"not a socket");
	rmdir(p.path);
	/* Not even a link to nothing. */
	assert_int_equal(symlink("/no/where", p.path), 0);
	e = ERROR_NULL;
	expect_conflict(sock_dgram_unix(p.path, &e), &e, "not a socket");
	assert_int_equal(lstat(p.path, &st), 0);
	place_clear(&p);
}

static void names_have_limits(void **state)
{
	struct error e = ERROR_NULL;
	char path[120];

	memset(path, 'x', sizeof(path));
	path[108] = '\0';
	assert_true(sock_listen_unix(path, false, true, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
	e = ERROR_NULL;
	assert_true(sock_dgram_unix("", &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
	e = ERROR_NULL;
	assert_true(sock_listen_unix("/no/such/folder/s", false, true, &e) < 0);
	assert_int_equal(e.code, EXIT_FAILED);
	assert_non_null(strstr(e.text, "/no/such/folder/s"));
}

static void abstract_names_are_tight_or_not(void **state)
{
	struct error e = ERROR_NULL;
	char name[32];
	int a, b, c;

	snprintf(name, sizeof(name), "vmlan-unix-%d", (int)getpid());
	a = sock_listen_unix(name, true, true, &e);
	assert_true(a >= 0);
	assert_true(sock_listen_unix(name, true, true, &e) < 0);
	assert_int_equal(e.code, EXIT_CONFLICT);
	e = ERROR_NULL;
	b = sock_listen_unix(name, true, false, &e); /* another name */
	assert_true(b >= 0);
	c = sock_connect_unix(name, true, true, &e);
	assert_true(c >= 0);
	assert_true(accept(a, NULL, NULL) >= 0);
	close(c);
	c = sock_connect_unix(name, true, false, &e);
	assert_true(c >= 0);
	assert_true(accept(b, NULL, NULL) >= 0);
	close(a);
	close(b);
	close(c);
}

/* A user who names a socket may not have us send to somebody else's. */
static void who_names_a_reader_owns_it(void **state)
{
	struct place p = place_make();
	struct error e = ERROR_NULL;
	int a = sock_dgram_unix(p.path, &e), b = sock_dgram_unix_tx(&e);
	char link[72];

	assert_true(a >= 0 && b >= 0);
	assert_true(sock_dgram_unix_point_for(b, p.path, geteuid() + 1, &e) <
		    0);
	assert_int_equal(e.code, EXIT_PERMISSION);
	assert_int_equal(send(b, "x", 1, 0), -1);
	snprintf(link, sizeof(link), "%s/link", p.dir);
	assert_int_equal(symlink(p.path, link), 0);
	assert_true(sock_dgram_unix_point_for(b, link, geteuid(), &e) < 0);
	unlink(link);
	assert_true(sock_dgram_unix_point_for(b, p.dir, geteuid(), &e) < 0);
	assert_true(sock_dgram_unix_point_for(b, link, geteuid(), &e) < 0);
	assert_int_equal(sock_dgram_unix_point_for(b, p.path, geteuid(), &e),
			 0);
	assert_int_equal(send(b, "x", 1, 0), 1);
	close(b);
	b = sock_dgram_unix_tx(&e);
	assert_int_equal(sock_dgram_unix_point_for(b, p.path, 0, &e), 0);
	close(a);
	close(b);
	place_clear(&p);
}

enum { CONTENDERS = 6, CONTESTS = 30 };

/* Starts when told and says how it went: 'w' it listens, and does so until
 * hold is closed; 'l' somebody else does; 'x' neither. */
static int contend(const char *path, int go, int hold, int say)
{
	struct error e = ERROR_NULL;
	char c = 'x';
	int fd;

	if (read(go, &c, 1) != 1)
		return 1;
	fd = sock_listen_unix(path, false, true, &e);
	c = fd >= 0 ? 'w' : e.code == EXIT_CONFLICT ? 'l' : 'x';
	return write(say, &c, 1) != 1 || read(hold, &c, 1) != 0;
}

static void contest(void)
{
	struct place p = place_make();
	unsigned n_won = 0, n_lost = 0;
	int go[2], hold[2], say[2], fd, status;
	char c;

	close(listen_ok(p.path));
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(say), 0);
	for (int i = 0; i < CONTENDERS; i++) {
		if (fork() == 0) {
			close(hold[1]);
			_exit(contend(p.path, go[0], hold[0], say[1]));
		}
	}
	assert_int_equal(write(go[1], "123456", CONTENDERS), CONTENDERS);
	for (int i = 0; i < CONTENDERS; i++) {
		assert_int_equal(read(say[0], &c, 1), 1);
		n_won += c == 'w';
		n_lost += c == 'l';
	}
	fd = sock_connect_unix(p.path, false, true, NULL);
	close(hold[1]);
	for (int i = 0; i < CONTENDERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(n_won, 1);
	assert_int_equal(n_lost, CONTENDERS - 1);
	assert_true(fd >= 0);
	close(fd);
	close(hold[0]);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(say[i]);
	}
	place_clear(&p);
}

/* Of all that find the same stale socket one wins, and is reachable. */
static void one_winner_of_a_stale_name(void **state)
{
	for (int i = 0; i < CONTESTS; i++)
		contest();
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_nobodys_is_removed),
		cmocka_unit_test(our_file_is_known_again),
		cmocka_unit_test(a_stale_listener_is_replaced),
		cmocka_unit_test(a_stale_reader_is_replaced),
		cmocka_unit_test(other_files_are_left_alone),
		cmocka_unit_test(who_names_a_reader_owns_it),
		cmocka_unit_test(names_have_limits),
		cmocka_unit_test(abstract_names_are_tight_or_not),
		cmocka_unit_test(one_winner_of_a_stale_name),
	};

	return cmocka_run_group_tests_name("sock_unix", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
