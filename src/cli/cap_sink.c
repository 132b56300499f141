/* SPDX-License-Identifier: BSD-3-Clause */
/* A stream whose reader may stand still; see cap_sink.h. */
#include "cli/cap_sink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 }; /* bytes */

bool cap_sink_hear(struct cap_sink *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return false;
	s->n_told++;
	return true;
}

/* Of a pipe that has room at least a page goes without a wait (pipe(7)). */
static ssize_t put_page(struct cap_sink *s, const char *p, size_t n)
{
	struct pollfd room = {.fd = s->fd, .events = POLLOUT};

	if (poll(&room, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(s->fd, p, n < PIPE_BUF ? n : PIPE_BUF);
}

/* As write(2), but does not wait for who reads. */
static ssize_t put_some(struct cap_sink *s, const char *p, size_t n)
{
	struct iovec v = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
	ssize_t r;

	if (s->is_socket)
		return send(s->fd, p, n, MSG_DONTWAIT);
	if (!s->is_pipe)
		return write(s->fd, p, n);
	if (!s->has_no_nowait) {
		r = pwritev2(s->fd, &v, 1, -1, RWF_NOWAIT);
		if (r >= 0 || errno != EOPNOTSUPP)
			return r;
		s->has_no_nowait = true;
	}
	return put_page(s, p, n);
}

/* Waits for room, or for who loses patience: false then. */
static bool has_room(struct cap_sink *s)
{
	struct pollfd p[] = {{.fd = s->fd, .events = POLLOUT},
			     {.fd = s->signals, .events = POLLIN}};
	int n;

	do {
		if (s->n_told > 1)
			return false;
		n = poll(p, array_len(p), s->n_told ? CAP_SINK_STILL_MS : -1);
		if (n > 0 && p[1].revents)
			(void)cap_sink_hear(s);
	} while (n < 0 || (n > 0 && !p[0].revents));
	return n > 0;
}

static ssize_t put(void *arg, const char *p, size_t n)
{
	struct cap_sink *s = arg;
	size_t done = 0;

	while (done < n && !s->err) {
		ssize_t r = put_some(s, p + done, n - done);

		if (r >= 0)
			done += (size_t)r;
		else if (errno == EAGAIN && !has_room(s))
			s->err = ECANCELED;
		else if (errno != EAGAIN && errno != EINTR)
			s->err = errno;
	}
	return (ssize_t)done; /* fewer than n: the stream has failed */
}

static void close_fd(struct cap_sink *s)
{
	if (s->fd != STDOUT_FILENO)
		fd_close(&s->fd);
}

int cap_sink_open(struct cap_sink *s, int fd)
{
	static const cookie_io_functions_t to = {.write = put};
	struct stat st;
	int r = 0;

	*s = CAP_SINK_NULL;
	s->fd = fd;
	if (fstat(fd, &st) < 0) {
		r = -errno;
	} else {
		s->is_pipe = S_ISFIFO(st.st_mode);
		s->is_socket = S_ISSOCK(st.st_mode);
		s->f = fopencookie(s, "w", to);
		r = s->f ? 0 : -ENOMEM;
	}
	if (r < 0)
		close_fd(s);
	else
		(void)setvbuf(s->f, NULL, _IOFBF, BUFFER); /* or a smaller */
	return r;
}

int cap_sink_flush(struct cap_sink *s)
{
	if (fflush(s->f) != 0 && !s->err)
		s->err = errno ? errno : EIO;
	return s->err;
}

void cap_sink_close(struct cap_sink *s)
{
	if (s->f)
		fclose(s->f);
	close_fd(s);
	*s = CAP_SINK_NULL;
}
