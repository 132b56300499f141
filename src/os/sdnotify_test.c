/* SPDX-License-Identifier: BSD-3-Clause */
/* The service manager is told, by path or abstract name. */
#include <setjmp.h>
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

#include "os/sdnotify.h"
#include "os/sock.h"
#include "os/test_user.h"

static void expect(int fd, const char *text)
{
	char buf[64];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

static void by_path(void **state)
{
	char dir[] = "/tmp/vmlan-notify-XXXXXX", path[64];
	struct error e = ERROR_NULL;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	fd = sock_dgram_unix(path, &e);
	assert_true(fd >= 0);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(sdnotify_send("READY=1", &e), 0);
	expect(fd, "READY=1");
	close(fd);
	assert_true(sdnotify_send("STOPPING=1", &e) < 0);
	assert_non_null(strstr(e.text, path));
	unlink(path);
	rmdir(dir);
}

static void by_abstract_name(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct error e = ERROR_NULL;
	char name[32];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), len;

	len = snprintf(name, sizeof(name), "@vmlan-%d", (int)getpid());
	memcpy(sa.sun_path + 1, name + 1, (size_t)len - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un,
						   sun_path) +
					  (size_t)len)),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(sdnotify_send("STOPPING=1", &e), 0);
	expect(fd, "STOPPING=1");
	close(fd);
}

static void nobody_asked(void **state)
{
	struct error e = ERROR_NULL;

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sdnotify_send("READY=1", &e), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(sdnotify_send("READY=1", &e), 0);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_true(sdnotify_send("READY=1", &e) < 0);
	assert_int_equal(e.code, EXIT_FAILED);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_path),
		cmocka_unit_test(by_abstract_name),
		cmocka_unit_test(nobody_asked),
	};

	return cmocka_run_group_tests_name("sdnotify", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
