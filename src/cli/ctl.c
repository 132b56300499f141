/* SPDX-License-Identifier: BSD-3-Clause */
/* One request to a control socket; see ctl.h. */
#include "cli/ctl_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/clock.h"
#include "control/answer.h"
#include "control/protocol.h"
#include "os/fdpass.h"
#include "os/rundir.h"

/* A busy keeper's backlog may be full: that is waited for. */
static int reach(int fd, const struct sockaddr_un *sa, int64_t until)
{
	for (;;) {
		int64_t left = until - now_ms();
		const struct timeval t = {.tv_sec = left / 1000,
					  .tv_usec = left % 1000 * 1000};

		if (left <= 0) /* no time would be no end */
			return -ETIMEDOUT;
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static int send_all(int fd, const char *text, size_t len, int64_t until)
{
	while (len) {
		ssize_t n = send(fd, text, len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			int r = clock_await(fd, POLLOUT, until);

			if (r < 0)
				return r;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Reads until the answer is whole. */
static int read_answer(int fd, char *buf, struct control_answer *a,
		       int64_t until)
{
	size_t len = 0;
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		ssize_t n;

		r = clock_await(fd, POLLIN, until);
		if (r < 0)
			return r;
		n = recv(fd, buf + len, CONTROL_ANSWER_MAX - len,
			 MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			r = -EAGAIN;
			continue;
		}
		if (n < 0)
			return -errno;
		if (n == 0)
			return len < CONTROL_ANSWER_MAX ? -ECONNRESET
							: -EMSGSIZE;
		len += (size_t)n;
		r = control_answer_parse(buf, len, a);
	}
	return r;
}

static int exchange_once(const struct sockaddr_un *sa,
			 const struct ctl_asked *q, char *buf,
			 struct control_answer *a, int64_t until)
{
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = reach(fd, sa, until);
	if (r == 0)
		r = send_all(fd, q->text, q->len, until);
	/* One that is refused before its end was sent is answered as well. */
	if (r == 0 || r == -EPIPE)
		r = read_answer(fd, buf, a, until);
	return r;
}

/* 408: others wait, and this process, that of a busy host, had not come to ask:
 * nothing was done. */
static int exchange(const struct sockaddr_un *sa, const struct ctl_asked *q,
		    char *buf, struct control_answer *a, int64_t until)
{
	int r;

	do {
		r = exchange_once(sa, q, buf, a, until);
	} while (r == 0 && a->status == 408 && now_ms() < until);
	return r;
}

int ctl_request(const char *method, const char *path,
		const char *connection, const void *body, size_t n,
		struct ctl_asked *q)
{
	int len = asprintf(&q->text,
			   "%s %s HTTP/1.1\r\nHost: vmlan\r\n"
			   "Connection: %s\r\nContent-Length: %zu\r\n\r\n",
			   method, path, connection, n);
	char *whole = len < 0 ? NULL : realloc(q->text, (size_t)len + n);

	if (!whole) {
		if (len >= 0)
			free(q->text);
		q->text = NULL;
		return -ENOMEM;
	}
	if (n)
		memcpy(whole + len, body, n);
	*q = (struct ctl_asked){.text = whole, .len = (size_t)len + n};
	return 0;
}

int ctl_judge(const char *name, const struct control_answer *a,
	      json_t **answerp, struct error *e)
{
	json_t *o = json_loadb(a->body, a->n_body, 0, NULL);
	int code, r;

	if (a->status == 503) {
		json_decref(o);
		return -ENOENT;
	}
	if (!json_is_object(o)) {
		json_decref(o);
		return error_set(e, EXIT_FAILED,
				 "%s: its keeper answers what is no JSON "
				 "object (status %d)",
				 name, a->status);
	}
	if (a->status >= 200 && a->status < 300) {
		*answerp = o;
		return 0;
	}
	code = ctl_int(o, "code");
	r = error_set(e,
		      code > EXIT_DONE && code <= EXIT_PERMISSION
			      ? (enum exit_code)code
			      : EXIT_FAILED,
		      "%s", ctl_str(o, "error"));
	json_decref(o);
	return r;
}

int ctl_address(const char *name, struct sockaddr_un *sa, struct error *e)
{
	char dir[96];
	int r = rundir_path(name, dir, e);

	if (r < 0)
		return r;
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/" CONTROL_SOCKET,
		     dir) >= (int)sizeof(sa->sun_path))
		return error_errno(e, ENAMETOOLONG, "%s/" CONTROL_SOCKET, dir);
	return 0;
}

bool ctl_is_gone(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED || err == -ECONNRESET ||
	       err == -EPIPE;
}

int ctl_open(const char *name, const char *text, struct error *e)
{
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t until = now_ms() + CONTROL_ASK_S * 1000;
	struct sockaddr_un sa;
	int r = fd < 0 ? error_errno(e, errno, "%s", name)
		       : ctl_address(name, &sa, e);

	if (r < 0)
		return r;
	r = reach(fd, &sa, until);
	if (r == 0)
		r = send_all(fd, text, strlen(text), until);
	if (ctl_is_gone(r))
		return -ENOENT;
	return r < 0 ? error_errno(e, r, "%s: its keeper does not answer", name)
		     : fd_steal(&fd);
}

static int put_question(const char *name, const struct ctl_asked *q,
			int64_t until, json_t **answerp, struct error *e)
{
	CLEANUP_FREE char *buf = malloc(CONTROL_ANSWER_MAX);
	struct control_answer a = {0};
	struct sockaddr_un sa;
	json_t *ignored = NULL;
	int r;

	if (!buf)
		return error_errno(e, ENOMEM, "%s", name);
	r = ctl_address(name, &sa, e);
	if (r < 0)
		return r;
	r = exchange(&sa, q, buf, &a, until);
	if (ctl_is_gone(r))
		return -ENOENT;
	if (r < 0)
		return error_errno(e, r, "%s: its keeper does not answer",
				   name);
	r = ctl_judge(name, &a, answerp ? answerp : &ignored, e);
	json_decref(ignored);
	return r;
}

static int ask_until(const char *name, const char *method, const char *path,
		     const void *body, size_t n, int64_t until,
		     json_t **answerp, struct error *e)
{
	struct ctl_asked q = {.text = NULL};
	int r;

	if (answerp)
		*answerp = NULL;
	if (ctl_request(method, path, "close", body, n, &q) < 0)
		return error_errno(e, ENOMEM, "%s", name);
	r = put_question(name, &q, until, answerp, e);
	free(q.text);
	return r;
}

int ctl_send(const char *name, const char *method, const char *path,
	     const void *body, size_t n, json_t **answerp, struct error *e)
{
	return ask_until(name, method, path, body, n,
			 now_ms() + CONTROL_ASK_S * 1000, answerp, e);
}

int ctl_get_until(const char *name, const char *path, int64_t until_ms,
		  json_t **answerp, struct error *e)
{
	return ask_until(name, "GET", path, NULL, 0, until_ms, answerp, e);
}

/* Reads the head of an answer and what comes with it: 0, or a refusal's, with
 * *a. */
static int read_upgrade(int fd, char *buf, struct ctl_upgraded *u,
			struct control_answer *a, int64_t until)
{
	static const char switching[] = "HTTP/1.1 101 ";
	size_t len = 0;

	for (;;) {
		int r = clock_await(fd, POLLIN, until);
		unsigned n_fds;
		ssize_t n;

		if (r < 0)
			return r;
		n = fd_recv(fd, buf + len, CONTROL_REQUEST_MAX - 1 - len,
			    u->fds + u->n_fds, CTL_UPGRADE_FDS - u->n_fds,
			    &n_fds);
		if (n <= 0)
			return n < 0 ? (int)n : -ECONNRESET;
		u->n_fds += n_fds;
		len += (size_t)n;
		buf[len] = '\0';
		if (strncmp(buf, switching, sizeof(switching) - 1) == 0) {
			if (u->n_fds && strstr(buf, "\r\n\r\n"))
				return 0;
			continue;
		}
		r = control_answer_parse(buf, len, a);
		if (r != -EAGAIN)
			return r < 0 ? r : 1;
		if (len == CONTROL_REQUEST_MAX - 1)
			return -EMSGSIZE;
	}
}

static int upgrade(const struct sockaddr_un *sa, const struct ctl_asked *q,
		   char *buf, struct ctl_upgraded *u, struct control_answer *a)
{
	int64_t until = now_ms() + CONTROL_ASK_S * 1000;
	int r;

	u->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (u->fd < 0)
		return -errno;
	r = reach(u->fd, sa, until);
	if (r == 0)
		r = send_all(u->fd, q->text, q->len, until);
	return r < 0 ? r : read_upgrade(u->fd, buf, u, a, until);
}

int ctl_upgrade(const char *name, const char *path, const char *to,
		const char *body, struct ctl_upgraded *u, struct error *e)
{
	CLEANUP_FREE char *buf = malloc(CONTROL_REQUEST_MAX);
	CLEANUP_FREE char *connection = NULL;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct control_answer a = {0};
	struct ctl_asked q = {.text = NULL};
	json_t *ignored = NULL;
	int r;

	*u = CTL_UPGRADED_NULL;
	if (asprintf(&connection, "Upgrade\r\nUpgrade: %s", to) < 0)
		connection = NULL;
	if (!buf || !connection ||
	    ctl_request("POST", path, connection, body, strlen(body), &q) < 0)
		return error_errno(e, ENOMEM, "%s", name);
	r = ctl_address(name, &sa, e);
	if (r == 0)
		r = upgrade(&sa, &q, buf, u, &a);
	free(q.text);
	if (r == 0)
		return 0;
	ctl_upgraded_close(u);
	if (r == 1)
		r = ctl_judge(name, &a, &ignored, e);
	json_decref(ignored);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return error_set(e, EXIT_NO_NETWORK, "%s has just ended", name);
	if (r == 0)
		return error_set(e, EXIT_FAILED,
				 "%s: its keeper answers something else", name);
	return error_errno(e, r, "%s: its keeper does not answer", name);
}

void ctl_upgraded_close(struct ctl_upgraded *u)
{
	fd_close(&u->fd);
	while (u->n_fds)
		fd_close(&u->fds[--u->n_fds]);
}

int ctl_ask(const char *name, const char *method, const char *path,
	    const char *body, json_t **answerp, struct error *e)
{
	return ctl_send(name, method, path, body, body ? strlen(body) : 0,
			answerp, e);
}

int ctl_ask_all(ctl_asker *ask, json_t *list, struct error *e)
{
	char **names;
	unsigned n;
	int r = rundir_names(&names, &n);

	if (r < 0)
		error_errno(e, r, "the folder of networks");
	for (unsigned i = 0; i < n; i++) {
		json_t *o = NULL;

		/* Asking would start it. */
		if (r == 0 && !rundir_awaits(names[i], CONTROL_SOCKET))
			r = ask(names[i], "GET", CONTROL_NETWORK, NULL, &o, e);
		if (r == -ENOENT)
			r = 0;
		if (o)
			json_array_append_new(list, o);
		free(names[i]);
	}
	free(names);
	return r;
}

void ctl_print(const json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
}

const char *ctl_str(const json_t *o, const char *key)
{
	return ctl_text(json_object_get(o, key));
}

const char *ctl_text(const json_t *v)
{
	const char *s = json_string_value(v);

	return s ? s : "";
}

int ctl_int(const json_t *o, const char *key)
{
	return (int)json_integer_value(json_object_get(o, key));
}

uint64_t ctl_count(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

bool ctl_bool(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}
