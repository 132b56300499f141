/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases that outlive an engine; see leases.h. */
#include "keeper/leases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "control/protocol.h"
#include "keeper/lease_list.h"
#include "os/file.h"
#include "os/statedir.h"

#define SYNC_NS	 UINT64_C(1000000000)
#define RETRY_NS UINT64_C(10000000000)

enum {
	BUCKETS = 1024,
	KEPT_LEASES_MAX = 2 * DHCP_POOL_MAX, /* of both families */
	FILE_LEN_MAX = 8 << 20,
	SPARE_LINES = 256, /* more than leases, and the file is written anew */
	LINES_MAX = FILE_LEN_MAX / LEASE_LINE_MAX - 1, /* never more of them */
	FORGET_S = 30 * 24 * 3600, /* after the end */
	NAME_LEN = CONTROL_NAME_LEN + 8,
};

_Static_assert((int)LINES_MAX > (int)KEPT_LEASES_MAX, "the file has all");

static const char head[] = "vmlan leases 1\n";

struct node {
	struct node *by_ip, *by_id; /* the next in its bucket */
	struct kept_lease l;
};

struct leases {
	struct keeper *keeper; /* borrowed */
	struct hash_key key;
	struct node *of_ip[BUCKETS], *of_id[BUCKETS];
	unsigned n;
	/* The file. */
	int dir;		/* owned; -1: leases are not written down */
	int fd;			/* owned, locked; -1 = none */
	char name[NAME_LEN];	/* in dir */
	char path[STATEDIR_LEN + NAME_LEN]; /* for people */
	unsigned n_lines;
	bool is_torn;	  /* it has to be written anew */
	bool has_said;	  /* that it cannot be */
	struct timer sync; /* armed: it is not on disk yet */
};

/* ---- the table ---- */

static unsigned ip_bucket(const struct leases *s, const addr *ip)
{
	return hash_bytes(&s->key, ip->b, sizeof(ip->b)) % BUCKETS;
}

static unsigned id_bucket(const struct leases *s, const struct dhcp_lease *l)
{
	return hash_bytes(&s->key, l->id, l->id_len) % BUCKETS;
}

/* One client of one family. */
static bool same_client(const struct dhcp_lease *a, const struct dhcp_lease *b)
{
	return addr_is_v4(&a->ip) == addr_is_v4(&b->ip) &&
	       a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
}

static struct node *find_ip(const struct leases *s, const addr *ip)
{
	struct node *n = s->of_ip[ip_bucket(s, ip)];

	while (n && !addr_eq(&n->l.lease.ip, ip))
		n = n->by_ip;
	return n;
}

static struct node *find_client(const struct leases *s,
				const struct dhcp_lease *l)
{
	struct node *n = s->of_id[id_bucket(s, l)];

	while (n && !same_client(&n->l.lease, l))
		n = n->by_id;
	return n;
}

static void unlink_id(struct leases *s, struct node *n)
{
	struct node **pp = &s->of_id[id_bucket(s, &n->l.lease)];

	while (*pp && *pp != n)
		pp = &(*pp)->by_id;
	if (*pp)
		*pp = n->by_id;
}

static void forget(struct leases *s, struct node *n)
{
	struct node **pp = &s->of_ip[ip_bucket(s, &n->l.lease.ip)];

	unlink_id(s, n);
	while (*pp && *pp != n)
		pp = &(*pp)->by_ip;
	if (*pp)
		*pp = n->by_ip;
	free(n);
	s->n--;
}

/* A client has one address, an address one client: what says otherwise is
 * older.  False: there are too many. */
static bool put(struct leases *s, const struct kept_lease *l)
{
	struct node *n = find_client(s, &l->lease);
	unsigned b;

	if (n && !addr_eq(&n->l.lease.ip, &l->lease.ip))
		forget(s, n);
	n = find_ip(s, &l->lease.ip);
	if (n) {
		unlink_id(s, n);
	} else {
		n = s->n < KEPT_LEASES_MAX ? calloc(1, sizeof(*n)) : NULL;
		if (!n)
			return false;
		b = ip_bucket(s, &l->lease.ip);
		n->by_ip = s->of_ip[b];
		s->of_ip[b] = n;
		s->n++;
	}
	n->l = *l;
	b = id_bucket(s, &l->lease);
	n->by_id = s->of_id[b];
	s->of_id[b] = n;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a;
	const struct node *y = *(const struct node *const *)b;
	bool is_v4 = addr_is_v4(&x->l.lease.ip);

	if (is_v4 != addr_is_v4(&y->l.lease.ip))
		return is_v4 ? -1 : 1;
	return memcmp(x->l.lease.ip.b, y->l.lease.ip.b, 16);
}

void leases_each(struct leases *s, leases_fn fn, void *arg)
{
	CLEANUP_FREE struct node **all =
		s ? calloc(s->n + 1, sizeof(*all)) : NULL;
	unsigned n = 0;

	if (!all)
		return;
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct node *p = s->of_ip[i]; p; p = p->by_ip)
			all[n++] = p;
	}
	qsort(all, n, sizeof(struct node *), compare);
	for (unsigned i = 0; i < n; i++)
		fn(arg, &all[i]->l);
}

const struct kept_lease *leases_at(const struct leases *s, const addr *ip)
{
	const struct node *n = s ? find_ip(s, ip) : NULL;

	return n ? &n->l : NULL;
}

bool lease_is_live(const struct kept_lease *l)
{
	return l->lease.state == DHCP_LEASE_BOUND &&
	       (l->end == LEASE_NEVER || l->end > (int64_t)time(NULL));
}

/* ---- the file ---- */

static void say(struct leases *s, const char *what, int err)
{
	if (!s->has_said)
		log_warn(s->keeper->c->log,
			 "%s: leases are not written down for now: %s%s%s",
			 s->path, what, err ? ": " : "",
			 err ? strerror(-err) : "");
	s->has_said = true;
}

static void print_one(void *arg, const struct kept_lease *l)
{
	char line[LEASE_LINE_MAX];
	const size_t len = lease_line_format(l, line);

	fwrite(line, 1, len, arg);
}

/* All of them as a file beside the one there is, locked, on disk. */
static int write_new(struct leases *s, const char *fresh)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FD int fd = -1;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f)
		return -ENOMEM;
	fputs(head, f);
	leases_each(s, print_one, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	(void)unlinkat(s->dir, fresh, 0);
	fd = openat(s->dir, fresh,
		    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC |
			    O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	r = file_write(fd, text, len);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(s->dir, fresh, 0);
		return r;
	}
	return fd_steal(&fd);
}

/* Whoever reads it finds the one before or this one. */
static void rewrite(struct leases *s)
{
	char fresh[NAME_LEN + 8];
	int fd;

	/* No network has such a name; one may be called NAME.new. */
	snprintf(fresh, sizeof(fresh), ".%s.new", s->name);
	fd = write_new(s, fresh);
	if (fd >= 0 && renameat(s->dir, fresh, s->dir, s->name) < 0) {
		int err = -errno;

		fd_close(&fd);
		fd = err;
	}
	s->is_torn = fd < 0;
	if (fd < 0) {
		say(s, "the file cannot be replaced", fd);
		return;
	}
	(void)fsync(s->dir); /* the name's turn; lost it is the one before */
	fd_close(&s->fd);
	s->fd = fd;
	s->n_lines = s->n;
	s->has_said = false;
}

static bool has_to_be_rewritten(const struct leases *s)
{
	return s->is_torn || s->n_lines > 2 * s->n + SPARE_LINES;
}

static void arm(struct leases *s, uint64_t ns)
{
	struct loop *loop = s->keeper->loop;

	if (!timer_is_armed(&s->sync))
		timer_arm(loop_wheel(loop), &s->sync, *loop_now(loop) + ns);
}

/* Now, or later if it cannot be. */
static void rewrite_at_last(struct leases *s)
{
	rewrite(s);
	if (s->is_torn)
		arm(s, RETRY_NS);
}

static void on_sync(struct timer *t, uint64_t now_ns)
{
	struct leases *s = container_of(t, struct leases, sync);

	(void)now_ns;
	if (has_to_be_rewritten(s))
		rewrite_at_last(s);
	else if (fdatasync(s->fd) < 0)
		say(s, "they are not on disk", -errno);
}

static void append(struct leases *s, const struct kept_lease *l)
{
	char line[LEASE_LINE_MAX];
	size_t len = lease_line_format(l, line);
	int r;

	if (s->dir < 0)
		return;
	/* A file that is too long is not read again. */
	if (!s->is_torn && s->n_lines >= LINES_MAX) {
		rewrite_at_last(s);
		return;
	}
	r = s->is_torn ? 0 : file_write(s->fd, line, len);
	if (r < 0) {
		/* A part of it may be there. */
		s->is_torn = true;
		say(s, "the file cannot be written", r);
	}
	s->n_lines++;
	arm(s, s->is_torn ? RETRY_NS : SYNC_NS);
}

void leases_forget(struct leases *s, mac m)
{
	for (unsigned i = 0; s && i < BUCKETS; i++) {
		struct node *p = s->of_ip[i], *next;

		for (; p; p = next) {
			struct kept_lease l = p->l;

			next = p->by_ip;
			if (!mac_eq(l.lease.mac, m))
				continue;
			forget(s, p);
			/* who reads it takes it for too old */
			l.lease.state = DHCP_LEASE_ENDED;
			l.end = 0;
			append(s, &l);
		}
	}
}

/* ---- what was there ---- */

static void take_line(struct leases *s, const char *text, size_t len,
		      unsigned *n_badp)
{
	struct kept_lease l;

	s->n_lines++;
	if (!lease_line_parse(text, len, &l)) {
		(*n_badp)++;
		return;
	}
	if (!put(s, &l))
		(*n_badp)++;
}

static void take_text(struct leases *s, const char *text, size_t len)
{
	const char *end = text + len, *p = text;
	unsigned n_bad = 0;

	if (len >= sizeof(head) - 1 && !memcmp(text, head, sizeof(head) - 1))
		p += sizeof(head) - 1;
	else
		n_bad += len > 0;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (!nl) {
			n_bad++; /* whoever wrote it was killed */
			break;
		}
		take_line(s, p, (size_t)(nl - p), &n_bad);
		p = nl + 1;
	}
	if (n_bad)
		log_warn(s->keeper->c->log,
			 "%s: %u of its lines are no leases, or were cut short "
			 "by a kill; they are left out",
			 s->path, n_bad);
	s->is_torn = n_bad > 0 || !len;
}

static void forget_old(struct leases *s)
{
	int64_t now = (int64_t)time(NULL);

	for (unsigned i = 0; i < BUCKETS; i++) {
		struct node *p = s->of_ip[i], *next;

		for (; p; p = next) {
			next = p->by_ip;
			if (p->l.end != LEASE_NEVER &&
			    p->l.end < now - FORGET_S)
				forget(s, p);
		}
	}
}

/* The file, made if there is none, with its lock; whoever replaces it has had
 * the lock of the one before. */
static int open_locked(struct leases *s, struct error *e)
{
	for (;;) {
		CLEANUP_FD int fd = openat(s->dir, s->name,
					   O_RDWR | O_CREAT | O_APPEND |
						   O_CLOEXEC | O_NOFOLLOW |
						   O_NONBLOCK,
					   0600);
		struct stat st, named;

		if (fd < 0 || fstat(fd, &st) < 0)
			return error_errno(e, errno, "%s", s->path);
		if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
			return error_set(e, EXIT_PERMISSION,
					 "%s is no file of ours", s->path);
		if (st.st_size > FILE_LEN_MAX)
			return error_set(e, EXIT_FAILED, "%s is too long",
					 s->path);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return error_set(e, EXIT_CONFLICT,
					 "%s is another network's of this name",
					 s->path);
		if (fstatat(s->dir, s->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (named.st_ino == st.st_ino && named.st_dev == st.st_dev)
			return fd_steal(&fd);
	}
}

static int read_all(struct leases *s, struct error *e)
{
	CLEANUP_FREE char *text = malloc(FILE_LEN_MAX);
	size_t len = 0;
	ssize_t n = 1;

	if (!text)
		return error_errno(e, ENOMEM, "%s", s->path);
	while (n > 0 && len < FILE_LEN_MAX) {
		n = pread(s->fd, text + len, FILE_LEN_MAX - len, (off_t)len);
		if (n < 0)
			return error_errno(e, errno, "%s", s->path);
		len += (size_t)n;
	}
	take_text(s, text, len);
	forget_old(s);
	return 0;
}

static int open_file(struct leases *s, struct error *e)
{
	const struct keeper_network *n = s->keeper->c->network;
	char dir[STATEDIR_LEN];

	if (n->is_shared) {
		s->dir = statedir_open(dir, e);
		snprintf(s->name, sizeof(s->name), "%s", n->name);
	} else {
		snprintf(dir, sizeof(dir), "%s", n->dir);
		s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->dir < 0)
			return error_errno(e, errno, "%s", dir);
		snprintf(s->name, sizeof(s->name), "leases");
	}
	if (s->dir < 0)
		return s->dir;
	snprintf(s->path, sizeof(s->path), "%s/%s", dir, s->name);
	s->fd = open_locked(s, e);
	return s->fd < 0 ? s->fd : read_all(s, e);
}

struct leases *leases_open(struct keeper *k)
{
	struct leases *s = k->c->network ? calloc(1, sizeof(*s)) : NULL;
	struct error e = ERROR_NULL;

	if (!s)
		return NULL;
	s->keeper = k;
	s->key = hash_key_new();
	s->dir = s->fd = -1;
	timer_init(&s->sync, on_sync);
	if (!plan_gateway(&k->plan))
		return s; /* nobody leases anything */
	if (open_file(s, &e) < 0) {
		log_warn(k->c->log, "leases are not written down: %s", e.text);
		fd_close(&s->fd);
		fd_close(&s->dir);
	} else if (has_to_be_rewritten(s)) {
		rewrite_at_last(s);
	}
	return s;
}

static void free_one(void *arg, const struct kept_lease *l)
{
	(void)arg;
	free(container_of(l, struct node, l));
}

struct leases *leases_close(struct leases *s)
{
	if (!s)
		return NULL;
	if (timer_is_armed(&s->sync)) {
		timer_disarm(loop_wheel(s->keeper->loop), &s->sync);
		if (s->is_torn)
			rewrite(s);
		else
			(void)fdatasync(s->fd); /* it is there all the same */
	}
	leases_each(s, free_one, NULL);
	fd_close(&s->fd);
	fd_close(&s->dir);
	free(s);
	return NULL;
}

/* ---- the engine ---- */

struct sending {
	struct keeper *k;
	union engine_msg m;
	int64_t now;
	int r;
};

static void send_one(void *arg, const struct kept_lease *l)
{
	struct sending *to = arg;
	int64_t left = l->end == LEASE_NEVER ? 0 : l->end - to->now;

	if (to->r < 0)
		return;
	to->m.lease.lease = l->lease;
	if (left < 0 || (!left && l->end != LEASE_NEVER))
		to->m.lease.lease.state = DHCP_LEASE_ENDED;
	if (left < 0)
		left = 0;
	if (left > (int64_t)DHCP_FOREVER - 1)
		left = (int64_t)DHCP_FOREVER - 1;
	to->m.lease.left_s = l->end == LEASE_NEVER ? DHCP_FOREVER
						   : (uint32_t)left;
	to->r = engine_link_send(to->k, &to->m, ENGINE_MSG_LEASE_ADD, NULL, 0);
}

int leases_send(struct leases *s, const struct plan_netdev *n)
{
	struct sending to = {.now = (int64_t)time(NULL)};

	if (!s || n != plan_gateway(&s->keeper->plan))
		return 0;
	to.k = s->keeper;
	to.m.lease.port = n->id;
	leases_each(s, send_one, &to);
	return to.r;
}

void leases_take(struct leases *s, const struct msg_lease *m)
{
	const struct plan_netdev *n = s ? plan_gateway(&s->keeper->plan) : NULL;
	struct kept_lease l = {.lease = m->lease, .end = LEASE_NEVER}, old;
	const struct node *before;

	if (!n || n->id != m->port || !lease_is_sound(&l.lease))
		return;
	if (m->left_s != DHCP_FOREVER)
		l.end = (int64_t)time(NULL) + m->left_s;
	before = find_ip(s, &l.lease.ip);
	old = before ? before->l : (struct kept_lease){.end = 0};
	if (!put(s, &l))
		return;
	append(s, &l);
	lease_say(s->keeper, before ? &old : NULL, &l);
}
