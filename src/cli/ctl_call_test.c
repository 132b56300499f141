/* SPDX-License-Identifier: BSD-3-Clause */
/* A request that nobody waits for, to a keeper that answers in pieces, late, or
 * not at all. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/ctl_call.h"
#include "control/protocol.h"

struct site {
	char top[64];
	struct sockaddr_un sa;
	int listener;
};

static int setup(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	*state = s;
	strcpy(s->top, "/tmp/vmlan-call-XXXXXX");
	if (!mkdtemp(s->top))
		return -1;
	setenv("XDG_RUNTIME_DIR", s->top, 1);
	s->sa.sun_family = AF_UNIX;
	snprintf(s->sa.sun_path, sizeof(s->sa.sun_path), "%s/vmlan", s->top);
	mkdir(s->sa.sun_path, 0700);
	strcat(s->sa.sun_path, "/lab");
	mkdir(s->sa.sun_path, 0700);
	strcat(s->sa.sun_path, "/" CONTROL_SOCKET);
	s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(s->listener, (struct sockaddr *)&s->sa, sizeof(s->sa)) < 0)
		return -1;
	return listen(s->listener, 1);
}

static int teardown(void **state)
{
	struct site *s = *state;
	char command[96];

	close(s->listener);
	snprintf(command, sizeof(command), "rm -r %s", s->top);
	if (system(command) != 0)
		return -1;
	free(s);
	return 0;
}

static void write_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void test_pieces(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n"
				     "\r\n{\"a\":1}";
	struct site *s = *state;
	struct ctl_call c = CTL_CALL_NULL;
	struct error e = ERROR_NULL;
	char request[512] = "";
	json_t *o = NULL;
	int peer;

	assert_int_equal(ctl_call_begin(&c, "lab", "PUT", "/v1/x", "{}", &e),
			 0);
	assert_int_equal(ctl_call_events(&c), POLLIN | POLLOUT);
	assert_int_equal(ctl_call_turn(&c, "lab", &o, &e), -EAGAIN);
	assert_int_equal(ctl_call_events(&c), POLLIN);
	peer = accept(s->listener, NULL, NULL);
	assert_true(read(peer, request, sizeof(request) - 1) > 0);
	assert_int_equal(strncmp(request, "PUT /v1/x HTTP/1.1\r\n", 20), 0);
	assert_string_equal(request + strlen(request) - 4, "\r\n{}");
	for (size_t i = 0; i + 1 < sizeof(answer) - 1; i++) {
		assert_int_equal(write(peer, answer + i, 1), 1);
		assert_int_equal(ctl_call_turn(&c, "lab", &o, &e), -EAGAIN);
	}
	assert_int_equal(write(peer, "}", 1), 1);
	assert_int_equal(ctl_call_turn(&c, "lab", &o, &e), 0);
	assert_int_equal(json_integer_value(json_object_get(o, "a")), 1);
	assert_int_equal(c.fd, -1);
	json_decref(o);
	close(peer);
}

/* 503, and a keeper that goes away. */
static void test_gone(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"};
	struct site *s = *state;
	struct error e = ERROR_NULL;
	json_t *o = NULL;

	for (unsigned i = 0; i < array_len(texts); i++) {
		struct ctl_call c = CTL_CALL_NULL;
		int peer;

		assert_int_equal(ctl_call_begin(&c, "lab", "GET", "/v1", NULL,
						&e), 0);
		peer = accept(s->listener, NULL, NULL);
		write_text(peer, texts[i]);
		shutdown(peer, SHUT_WR);
		assert_int_equal(ctl_call_turn(&c, "lab", &o, &e), -ENOENT);
		assert_null(o);
		close(peer);
	}
}

static void test_refused(void **state)
{
	struct site *s = *state;
	struct ctl_call c = CTL_CALL_NULL;
	struct error e = ERROR_NULL;
	json_t *o = NULL;
	int peer;

	assert_int_equal(ctl_call_begin(&c, "lab", "GET", "/v1", NULL, &e), 0);
	peer = accept(s->listener, NULL, NULL);
	write_text(peer, "HTTP/1.1 404 No\r\nContent-Length: 25\r\n\r\n"
			 "{\"error\":\"none\",\"code\":4}");
	assert_int_equal(ctl_call_turn(&c, "lab", &o, &e), -1);
	assert_int_equal(e.code, EXIT_NO_OBJECT);
	assert_string_equal(e.text, "none");
	close(peer);
	e = ERROR_NULL;
	assert_int_equal(ctl_call_begin(&c, "other", "GET", "/v1", NULL, &e),
			 -ENOENT);
	assert_int_equal(e.code, EXIT_DONE);
}

/* Nobody accepts: it is told at once, and does not wait. */
static void test_busy(void **state)
{
	struct ctl_call calls[8];
	struct error e = ERROR_NULL;
	unsigned n = 0;

	(void)state;
	while (n < array_len(calls) &&
	       ctl_call_begin(&calls[n], "lab", "GET", "/v1", NULL, &e) == 0)
		n++;
	assert_in_range(n, 1, array_len(calls) - 1);
	assert_int_equal(e.code, EXIT_CONFLICT);
	while (n)
		ctl_call_end(&calls[--n]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
