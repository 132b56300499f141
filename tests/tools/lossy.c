/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bad cable for the tests: carries frames between two QEMU stream sockets
 * (u32 length, frame) and loses and reorders some of them, by a seeded
 * generator, the same every time.
 *
 *      lossy LISTEN_PATH CONNECT_PATH LOSS_PER_10000 REORDER_PER_10000 SEED
 *
 * Listens on one path for one peer, connects to the other, ends when either
 * goes.  A reordered frame is held back until the next three have passed.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FRAME_MAX = 69632, BUF = 1 << 20, HOLD = 3 };

struct dir {
	int from, to;
	uint8_t in[BUF];
	size_t n;
	uint8_t held[4 + FRAME_MAX];
	size_t held_len; /* 0: none */
	unsigned held_for;
	uint64_t frames, lost, late;
};

static uint64_t rng;

static unsigned rnd10000(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 33) % 10000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int unix_socket(const char *path, struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sa->sun_path)) {
		fprintf(stderr, "lossy: %s: too long\n", path);
		exit(1);
	}
	strcpy(sa->sun_path, path);
	return fd;
}

static bool put_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static bool carry_frame(struct dir *d, const uint8_t *p, size_t n,
			unsigned loss, unsigned reorder)
{
	d->frames++;
	if (rnd10000() < loss) {
		d->lost++;
		return true;
	}
	if (!d->held_len && rnd10000() < reorder) {
		memcpy(d->held, p, n);
		d->held_len = n;
		d->held_for = HOLD;
		d->late++;
		return true;
	}
	if (!put_all(d->to, p, n))
		return false;
	if (d->held_len && --d->held_for == 0) {
		bool ok = put_all(d->to, d->held, d->held_len);

		d->held_len = 0;
		return ok;
	}
	return true;
}

static bool carry(struct dir *d, unsigned loss, unsigned reorder)
{
	ssize_t k = read(d->from, d->in + d->n, BUF - d->n);
	size_t at = 0;

	if (k <= 0)
		return false;
	d->n += (size_t)k;
	while (d->n - at >= 4) {
		const uint8_t *p = d->in + at;
		size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 |
			     (size_t)p[2] << 8 | p[3];

		if (len > FRAME_MAX)
			return false;
		if (d->n - at < 4 + len)
			break;
		if (!carry_frame(d, p, 4 + len, loss, reorder))
			return false;
		at += 4 + len;
	}
	memmove(d->in, d->in + at, d->n - at);
	d->n -= at;
	return true;
}

/* A held frame is not held for ever when the link is quiet. */
static bool let_go(struct dir *d)
{
	bool ok = !d->held_len || put_all(d->to, d->held, d->held_len);

	d->held_len = 0;
	return ok;
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa;
	struct dir *d;
	unsigned loss, reorder;
	int lfd, a, b;

	if (argc != 6) {
		fprintf(stderr, "usage: lossy LISTEN CONNECT LOSS REORDER SEED\n");
		return 2;
	}
	loss = (unsigned)atoi(argv[3]);
	reorder = (unsigned)atoi(argv[4]);
	rng = strtoull(argv[5], NULL, 0) * 2 + 1;
	d = calloc(2, sizeof(*d));
	lfd = unix_socket(argv[1], &sa);
	unlink(argv[1]);
	if (!d || bind(lfd, (void *)&sa, sizeof(sa)) < 0 || listen(lfd, 1) < 0)
		die(argv[1]);
	b = unix_socket(argv[2], &sa);
	if (connect(b, (void *)&sa, sizeof(sa)) < 0)
		die(argv[2]);
	a = accept(lfd, NULL, NULL);
	if (a < 0)
		die("accept");
	d[0] = (struct dir){.from = a, .to = b};
	d[1] = (struct dir){.from = b, .to = a};
	for (;;) {
		struct pollfd p[2] = {{.fd = a, .events = POLLIN},
				      {.fd = b, .events = POLLIN}};
		int n = poll(p, 2, 2);
		bool ok = true;

		if (n < 0 && errno != EINTR)
			die("poll");
		for (int i = 0; i < 2; i++) {
			if (n > 0 && p[i].revents)
				ok = ok && carry(&d[i], loss, reorder);
			else
				ok = ok && let_go(&d[i]);
		}
		if (!ok)
			break;
	}
	for (int i = 0; i < 2; i++)
		printf("%llu frames, %llu lost, %llu late\n",
		       (unsigned long long)d[i].frames,
		       (unsigned long long)d[i].lost,
		       (unsigned long long)d[i].late);
	free(d);
	return 0;
}
