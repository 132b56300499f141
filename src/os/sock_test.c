/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets by name, folders, descriptors over sockets. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/fdpass.h"
#include "os/rundir.h"
#include "os/sock.h"

static void a_stale_unix_socket_is_replaced(void **state)
{
	char dir[] = "/tmp/vmlan-sock-XXXXXX";
	struct error e = ERROR_NULL;
	char path[64];
	int a, b;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	a = sock_listen_unix(path, false, true, &e);
	assert_true(a >= 0);
	/* alive: a conflict */
	assert_true(sock_listen_unix(path, false, true, &e) < 0);
	assert_int_equal(e.code, EXIT_CONFLICT);
	close(a);
	/* stale: replaced */
	e = ERROR_NULL;
	a = sock_listen_unix(path, false, true, &e);
	assert_true(a >= 0);
	b = sock_connect_unix(path, false, true, &e);
	assert_true(b >= 0);
	close(a);
	close(b);
	unlink(path);
	/* another kind of file is left alone */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(sock_listen_unix(path, false, true, &e) < 0);
	assert_int_equal(e.code, EXIT_CONFLICT);
	rmdir(path);
	rmdir(dir);
}

static void long_paths_are_refused(void **state)
{
	struct error e = ERROR_NULL;
	char path[200];

	memset(path, 'x', sizeof(path));
	path[150] = '\0';
	assert_true(sock_listen_unix(path, false, true, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
}

static void a_busy_port_names_its_holder(void **state)
{
	struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1)};
	struct error e = ERROR_NULL;
	char pid[32];
	int a;

	a = sock_listen_forward(IPPROTO_TCP, &ep, &e);
	assert_true(a >= 0);
	assert_int_not_equal(ep.port, 0);
	assert_true(sock_listen_forward(IPPROTO_TCP, &ep, &e) < 0);
	assert_int_equal(e.code, EXIT_CONFLICT);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_non_null(strstr(e.text, pid));
	close(a);
	e = ERROR_NULL;
	ep.port = 0;
	a = sock_listen_forward(IPPROTO_UDP, &ep, &e);
	assert_true(a >= 0);
	assert_true(sock_listen_forward(IPPROTO_UDP, &ep, &e) < 0);
	assert_non_null(strstr(e.text, pid));
	close(a);
}

static void inet_streams_connect(void **state)
{
	struct sock_inet a = {.host = "127.0.0.1", .port = "0", .ipv4 = true,
			      .ipv6 = true};
	struct error e = ERROR_NULL;
	struct endpoint bound;
	char port[8];
	int l, c;

	l = sock_listen_inet(&a, &bound, &e);
	assert_true(l >= 0);
	snprintf(port, sizeof(port), "%u", bound.port);
	a.port = port;
	c = sock_connect_inet(&a, &e);
	assert_true(c >= 0);
	assert_int_equal(sock_connect_result(c, &e), 0);
	assert_true(sock_listen_inet(&a, &bound, &e) < 0);
	assert_int_equal(e.code, EXIT_CONFLICT);
	close(c);
	close(l);
	a.host = "no.such.host.invalid";
	a.numeric = true;
	e = ERROR_NULL;
	assert_true(sock_connect_inet(&a, &e) < 0);
	assert_int_equal(e.code, EXIT_FAILED);
}

static void descriptors_travel(void **state)
{
	int pair[2], p[2], got[4];
	unsigned n = 9;
	char c = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_send(pair[0], "x", 1, p, 2), 0);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 4, &n), 1);
	assert_int_equal(n, 2);
	assert_int_equal(write(got[1], "y", 1), 1);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	close(got[0]);
	close(got[1]);
	/* more than there is room for: refused, nothing leaks */
	assert_int_equal(fd_send(pair[0], "x", 1, p, 2), 0);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 1, &n), -EMSGSIZE);
	assert_int_equal(n, 0);
	assert_int_equal(fd_send(pair[0], "xy", 2, NULL, 0), 0);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 1, &n), -EMSGSIZE);
	close(pair[0]);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 1, &n), 0);
	close(pair[1]);
	close(p[0]);
	close(p[1]);
}

static void folders_of_the_dead_are_swept(void **state)
{
	char dir[] = "/tmp/vmlan-rundir-XXXXXX";
	struct rundir a, b;
	struct error e = ERROR_NULL;
	char file[200], path[120];
	struct stat st;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	setenv("XDG_RUNTIME_DIR", dir, 1);
	assert_int_equal(rundir_make("a", &a, &e), 0);
	assert_int_equal(rundir_make("a", &b, &e), -EEXIST);
	snprintf(path, sizeof(path), "%s", a.path);
	snprintf(file, sizeof(file), "%s/sock", a.path);
	f = fopen(file, "w");
	assert_non_null(f);
	fclose(f);
	rundir_sweep(); /* alive: stays */
	assert_int_equal(stat(file, &st), 0);
	rundir_release(&a);
	rundir_sweep(); /* nobody holds it: goes */
	assert_int_equal(stat(path, &st), -1);
	e = ERROR_NULL;
	assert_int_equal(rundir_make("a", &a, &e), 0);
	rundir_remove(&a);
	assert_int_equal(stat(path, &st), -1);
	snprintf(path, sizeof(path), "%s/vmlan", dir);
	rmdir(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stale_unix_socket_is_replaced),
		cmocka_unit_test(long_paths_are_refused),
		cmocka_unit_test(a_busy_port_names_its_holder),
		cmocka_unit_test(inet_streams_connect),
		cmocka_unit_test(descriptors_travel),
		cmocka_unit_test(folders_of_the_dead_are_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
