/* SPDX-License-Identifier: BSD-3-Clause */
/* resolv.conf(5): its nameserver lines, and a watch on the file. */
#include "keeper/resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/sockaddr.h"

enum {
	FILE_MAX_LEN = 65536,
	SETTLE_MS = 50, /* writers replace the file in several steps */
	DNS_PORT = 53,
	LINKS_MAX = 40, /* as the kernel's */
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

/* An address, and for one of a link its interface: by name or number (RFC 4007
 * 11). */
static bool parse_address(char *text, addr *ap)
{
	char *percent = strchr(text, '%');
	unsigned long scope;
	char *end;

	if (!percent)
		return addr_parse(text, ap);
	*percent++ = '\0';
	scope = if_nametoindex(percent);
	if (!scope && *percent) {
		scope = strtoul(percent, &end, 10);
		scope = *end || scope > INT_MAX ? 0 : scope;
	}
	if (!scope || !addr_parse(text, ap) || !addr_is_link_local6(ap))
		return false;
	*ap = sockaddr_scoped(*ap, (uint32_t)scope);
	return true;
}

/* One line, without its end. */
static void parse_line(const char *p, const char *end, struct resolv_list *l)
{
	static const char key[] = "nameserver";
	const size_t key_len = sizeof(key) - 1;
	char text[ADDR_STRLEN + IF_NAMESIZE];
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
	if (parse_address(text, &l->ep[l->n].ip))
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

bool resolv_equal(const struct resolv_list *a, const struct resolv_list *b)
{
	for (unsigned i = 0; i < a->n && i < b->n; i++)
		if (!endpoint_eq(&a->ep[i], &b->ep[i]))
			return false;
	return a->n == b->n;
}

/* Watches the folder that holds the last name of path. */
static void watch_folder(int fd, const char *path)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE |
			      IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
			      IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";

	if (slash) {
		size_t len = slash == path ? 1 : (size_t)(slash - path);

		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	/* Unreadable, or gone by now: the folder above tells. */
	(void)inotify_add_watch(fd, dir, mask | IN_MASK_ADD);
}

/* A path on its way to the file, links resolved up to len. */
struct walk {
	char path[PATH_MAX];
	size_t len;	/* names up to here are no links */
	unsigned links; /* followed */
};

/* Puts the target of the link that ends at end in its place.  False: the whole
 * becomes too long, or there is no end of links. */
static bool walk_follow(struct walk *w, size_t end, const char *target)
{
	char rest[PATH_MAX];
	size_t keep = 0;
	int n;

	if (++w->links > LINKS_MAX)
		return false;
	memcpy(rest, w->path + end, strlen(w->path + end) + 1);
	if (*target != '/' && (w->len || *w->path == '/')) {
		keep = w->len;
		w->path[keep++] = '/';
	}
	n = snprintf(w->path + keep, sizeof(w->path) - keep, "%s%s", target,
		     rest);
	w->len = 0;
	return n >= 0 && (size_t)n < sizeof(w->path) - keep;
}

/* Looks at the next name of the path, and watches the folder it is in if that
 * can change where the path leads.  False: the walk is over. */
static bool walk_name(struct walk *w, int fd)
{
	char target[PATH_MAX], *name = w->path + w->len;
	size_t end;
	char after;
	ssize_t n;

	name += strspn(name, "/");
	end = (size_t)(name - w->path) + strcspn(name, "/");
	after = w->path[end];
	w->path[end] = '\0';
	n = readlink(w->path, target, sizeof(target) - 1);
	if (n >= 0 || errno != EINVAL || !after) {
		watch_folder(fd, w->path);
		/* It may have come, or become a link, before the watch. */
		n = readlink(w->path, target, sizeof(target) - 1);
	}
	if (n < 0 && errno != EINVAL)
		return false;
	w->path[end] = after;
	if (n >= 0) {
		target[n] = '\0';
		return walk_follow(w, end, target);
	}
	w->len = end;
	return after;
}

/* Watches each folder on the way to the file in which a name is a link, or
 * missing, and the one that the file is in. */
static void watch_file(struct resolv_watch *rw)
{
	struct walk w = {0};

	if (strlen(rw->path) >= sizeof(w.path))
		return;
	strcpy(w.path, rw->path);
	while (walk_name(&w, rw->io.fd))
		;
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
