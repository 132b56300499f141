/* SPDX-License-Identifier: BSD-3-Clause */
/* resolv.conf(5): its nameserver lines, and a watch on the file. */
#include "keeper/resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	FILE_MAX_LEN = 65536,
	SETTLE_MS = 50, /* writers replace the file in several steps */
	DNS_PORT = 53,
};

struct resolv_watch {
	struct loop *loop; /* borrowed */
	struct loop_io io;
	struct timer settle;
	char *path; /* owned */
	void (*changed)(void *);
	void *arg;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One line, without its end. */
static void parse_line(const char *p, const char *end, struct resolv_list *l)
{
	static const char key[] = "nameserver";
	const size_t key_len = sizeof(key) - 1;
	char text[ADDR_STRLEN];
	size_t len;

	while (p < end && is_blank(*p))
		p++;
	if ((size_t)(end - p) <= key_len || memcmp(p, key, key_len) != 0 ||
	    !is_blank(p[key_len]))
		return;
	p += key_len;
	while (p < end && is_blank(*p))
		p++;
	for (len = 0; p + len < end && !is_blank(p[len]); len++)
		;
	if (!len || len >= sizeof(text) || l->n >= RESOLV_MAX)
		return;
	memcpy(text, p, len);
	text[len] = '\0';
	if (addr_parse(text, &l->ep[l->n].ip))
		l->ep[l->n++].port = DNS_PORT;
}

void resolv_parse(const char *text, size_t len, struct resolv_list *listp)
{
	const char *p = text;
	const char *end = text + len;

	*listp = (struct resolv_list){0};
	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));

		if (!eol)
			eol = end;
		parse_line(p, eol, listp);
		p = eol < end ? eol + 1 : end;
	}
}

void resolv_read(const char *path, struct resolv_list *listp)
{
	CLEANUP_FREE char *buf = malloc(FILE_MAX_LEN);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;

	*listp = (struct resolv_list){0};
	if (fd < 0 || !buf)
		return;
	while (len < FILE_MAX_LEN) {
		ssize_t n = read(fd, buf + len, FILE_MAX_LEN - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	resolv_parse(buf, len, listp);
}

/* Watches the folder that holds path: the file itself may be replaced. */
static void watch_folder(int fd, const char *path)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE |
			      IN_DELETE;
	char dir[PATH_MAX];
	char *slash;

	if (strlen(path) >= sizeof(dir))
		return;
	strcpy(dir, path);
	slash = strrchr(dir, '/');
	if (!slash)
		return;
	slash[slash == dir] = '\0';
	/* Missing or unreadable: then there is nothing to follow there. */
	(void)inotify_add_watch(fd, dir, mask | IN_MASK_ADD);
}

static void watch_file(struct resolv_watch *w)
{
	char real[PATH_MAX];

	watch_folder(w->io.fd, w->path);
	if (realpath(w->path, real) && strcmp(real, w->path) != 0)
		watch_folder(w->io.fd, real);
}

static void watch_event(struct loop_io *io, uint32_t events)
{
	struct resolv_watch *w = container_of(io, struct resolv_watch, io);
	char buf[4096];

	(void)events;
	while (read(io->fd, buf, sizeof(buf)) > 0)
		;
	if (!timer_is_armed(&w->settle))
		timer_arm(loop_wheel(w->loop), &w->settle,
			  *loop_now(w->loop) + SETTLE_MS * 1000000ull);
}

static void watch_settled(struct timer *t, uint64_t now_ns)
{
	struct resolv_watch *w = container_of(t, struct resolv_watch, settle);

	(void)now_ns;
	watch_file(w); /* the link may point elsewhere now */
	w->changed(w->arg);
}

int resolv_watch_new(struct loop *loop, const char *path,
		     void (*changed)(void *), void *arg,
		     struct resolv_watch **wp)
{
	struct resolv_watch *w = calloc(1, sizeof(*w));
	int r = -ENOMEM;

	if (!w)
		return r;
	w->path = strdup(path);
	if (!w->path)
		goto err_free;
	w->loop = loop;
	w->changed = changed;
	w->arg = arg;
	timer_init(&w->settle, watch_settled);
	w->io.fn = watch_event;
	w->io.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->io.fd < 0) {
		r = -errno;
		goto err_path;
	}
	watch_file(w);
	r = loop_add_level(loop, &w->io, EPOLLIN);
	if (r < 0)
		goto err_close;
	*wp = w;
	return 0;

err_close:
	fd_close(&w->io.fd);
err_path:
	free(w->path);
err_free:
	free(w);
	return r;
}

struct resolv_watch *resolv_watch_free(struct resolv_watch *w)
{
	if (!w)
		return NULL;
	timer_disarm(loop_wheel(w->loop), &w->settle);
	loop_del(w->loop, &w->io);
	fd_close(&w->io.fd);
	free(w->path);
	free(w);
	return NULL;
}
