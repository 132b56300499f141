/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal of changes; see journal.h.
 *
 *   head:    "vmlan-j1", boot id (36), cookie of the namespace (8), sum (8)
 *   record:  length of the body (2), body (undo_encode), sum (8),
 *            length of the body again (2)
 *
 * The second length lets undoing walk backwards.  A sum is a hash of its place
 * and of what it covers, so that what lies there by chance is no record.
 */
#include "os/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "os/file.h"

enum {
	MAGIC_LEN = 8,
	BOOT_LEN = 36,
	SUM_LEN = 8,
	AROUND = 2 + SUM_LEN + 2, /* of a record, besides its body */
	RECORD_MAX = UNDO_RECORD_MAX + AROUND,
};

static const char magic[] = "vmlan-j1";

/* ---- the format ---- */

static uint64_t sum_of(uint64_t place, const uint8_t *p, size_t len)
{
	const struct hash_key key = {.k0 = place, .k1 = 0x766d6c616e};

	return hash_bytes(&key, p, len);
}

static void put_u64(struct wr *w, uint64_t x)
{
	wr_u32(w, (uint32_t)(x >> 32));
	wr_u32(w, (uint32_t)x);
}

static uint64_t get_u64(struct rd *r)
{
	uint64_t hi = rd_u32(r);

	return hi << 32 | rd_u32(r);
}

static bool is_head(const uint8_t *p, size_t len)
{
	struct rd r;

	if (len < JOURNAL_HEAD_LEN || memcmp(p, magic, MAGIC_LEN) != 0)
		return false;
	r = rd_init(p + JOURNAL_HEAD_LEN - SUM_LEN, SUM_LEN);
	return get_u64(&r) == sum_of(0, p, JOURNAL_HEAD_LEN - SUM_LEN);
}

/* The whole length of the record at off, 0 if there is none. */
static uint32_t record_at(const uint8_t *p, size_t len, uint32_t off,
			  struct undo *u)
{
	struct rd r = rd_init(p + off, len - off), body;
	uint16_t n = rd_u16(&r);
	uint64_t sum;

	if (n > UNDO_RECORD_MAX)
		return 0;
	body = rd_sub(&r, n);
	sum = get_u64(&r);
	if (rd_u16(&r) != n || !rd_ok(&r) ||
	    sum != sum_of(off, p + off + 2, n) || !undo_decode(&body, u))
		return 0;
	return n + (uint32_t)AROUND;
}

uint32_t journal_scan(const uint8_t *p, size_t len, uint32_t *lastp,
		      bool *keptp)
{
	uint32_t off = JOURNAL_HEAD_LEN;
	struct undo u;
	uint32_t n;

	*lastp = 0;
	*keptp = false;
	if (len > JOURNAL_MAX || !is_head(p, len))
		return 0;
	while (off < len && (n = record_at(p, len, off, &u))) {
		*lastp = off;
		*keptp = u.type == UNDO_KEEP;
		off += n;
	}
	return off;
}

uint32_t journal_read(const uint8_t *p, size_t len, uint32_t off,
		      struct undo *u)
{
	return off < len ? record_at(p, len, off, u) : 0;
}

/* ---- the file ---- */

/* This boot's name.  Where it is not told, the sum of nothing: then journals
 * are believed to be of this one. */
static void boot_id(uint8_t *to)
{
	CLEANUP_FD int fd =
		open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(to, '0', BOOT_LEN);
	if (fd >= 0)
		(void)!read(fd, to, BOOT_LEN); /* as above */
}

static bool is_of_this_boot(const uint8_t *head)
{
	uint8_t boot[BOOT_LEN];

	boot_id(boot);
	return memcmp(head + MAGIC_LEN, boot, BOOT_LEN) == 0;
}

/* A number that no other network namespace of this boot ever has. */
static int netns_cookie(uint64_t *cookiep)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*cookiep);

	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookiep, &len) < 0)
		return -errno;
	return 0;
}

static int make_head(uint8_t *head, struct error *e)
{
	struct wr w = wr_init(head, JOURNAL_HEAD_LEN);
	uint64_t cookie = 0;
	uint8_t *boot;
	int r = netns_cookie(&cookie);

	if (r < 0)
		return error_errno(e, r, "journal: this network namespace");
	wr_bytes(&w, magic, MAGIC_LEN);
	boot = wr_room(&w, BOOT_LEN);
	if (boot)
		boot_id(boot);
	put_u64(&w, cookie);
	put_u64(&w, sum_of(0, head, JOURNAL_HEAD_LEN - SUM_LEN));
	return wr_ok(&w) ? 0 : -EINVAL;
}

int journal_load(int fd, uint8_t **pp)
{
	CLEANUP_FREE uint8_t *p = NULL;
	struct stat st;
	size_t got = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > JOURNAL_MAX)
		return -EFBIG;
	p = malloc((size_t)st.st_size + 1);
	if (!p)
		return -ENOMEM;
	while (got < (size_t)st.st_size) {
		ssize_t n = pread(fd, p + got, (size_t)st.st_size - got,
				  (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*pp = mem_steal(p);
	return (int)got;
}

static int write_at(int fd, const uint8_t *p, size_t len, uint32_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		off += (uint32_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int flush(int fd)
{
	return fdatasync(fd) < 0 ? -errno : 0;
}

/* Shortens it to len, which is on disk then. */
static int cut(struct journal *j, uint32_t len)
{
	if (ftruncate(j->fd, (off_t)len) < 0)
		return -errno;
	j->len = len;
	return flush(j->fd);
}

/* A new one: its name is on disk before its first record can be. */
static int begin(int dir_fd, struct journal *j, const uint8_t *head)
{
	int r = cut(j, 0);

	if (r == 0)
		r = write_at(j->fd, head, JOURNAL_HEAD_LEN, 0);
	if (r == 0)
		r = flush(j->fd);
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	if (r == 0)
		j->len = JOURNAL_HEAD_LEN;
	return r;
}

/* More lies behind the whole records than one that was being written. */
static bool is_damaged(size_t n, uint32_t len)
{
	return n - len > (len ? (size_t)RECORD_MAX : (size_t)JOURNAL_HEAD_LEN);
}

/* Takes up what is in the file: *lenp bytes, 0 if it is nothing for us. */
static int take_up(const uint8_t *p, int n, const uint8_t *head, uint32_t *lenp,
		   struct error *e)
{
	const size_t same = MAGIC_LEN + BOOT_LEN;
	uint32_t last;
	bool kept;

	*lenp = journal_scan(p, (size_t)n, &last, &kept);
	if (*lenp && !is_of_this_boot(p)) {
		*lenp = 0;
		return 0;
	}
	if (is_damaged((size_t)n, *lenp)) {
		error_set(e, EXIT_FAILED,
			  "its journal is damaged at byte %u, so not all that "
			  "was changed is known; undo it by hand and remove "
			  "its folder",
			  (unsigned)*lenp);
		return -EBADMSG;
	}
	if (!*lenp)
		return 0;
	if (memcmp(p + same, head + same, JOURNAL_HEAD_LEN - same) != 0) {
		error_set(e, EXIT_CONFLICT,
			  "what it changed is in another network namespace; "
			  "run vmlan there");
		return -EXDEV;
	}
	return 0;
}

int journal_open(int dir_fd, struct journal *j, struct error *e)
{
	CLEANUP_FREE uint8_t *p = NULL;
	uint8_t head[JOURNAL_HEAD_LEN];
	struct journal mine = JOURNAL_NULL;
	uint32_t len = 0;
	int r, n;

	*j = JOURNAL_NULL;
	r = make_head(head, e);
	if (r < 0)
		return r;
	mine.fd = openat(dir_fd, JOURNAL_FILE,
			 O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (mine.fd < 0)
		return error_errno(e, errno, "journal");
	mine.dir_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A program that its last owner had started may be at work still. */
	r = file_lock(mine.fd, "the journal of what is done to this host",
		      FILE_LOCK_MS);
	n = r < 0 ? r : journal_load(mine.fd, &p);
	r = n < 0 ? n : take_up(p, n, head, &len, e);
	if (mine.dir_fd < 0)
		r = -EIO;
	if (r == 0 && !len)
		r = begin(dir_fd, &mine, head);
	else if (r == 0)
		r = cut(&mine, len); /* less what is no whole record */
	if (r < 0) {
		journal_close(&mine);
		return error_errno(e, r, "journal");
	}
	*j = mine;
	return 0;
}

void journal_close(struct journal *j)
{
	fd_close(&j->fd);
	fd_close(&j->dir_fd);
	j->len = 0;
}

int journal_add(struct journal *j, const struct undo *u, struct error *e)
{
	uint8_t buf[RECORD_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	uint16_t n;
	int r;

	wr_u16(&w, 0);
	undo_encode(u, &w);
	n = (uint16_t)(wr_len(&w) - 2);
	buf[0] = (uint8_t)(n >> 8);
	buf[1] = (uint8_t)n;
	put_u64(&w, sum_of(j->len, buf + 2, n));
	wr_u16(&w, n);
	if (!wr_ok(&w) || n > UNDO_RECORD_MAX)
		return error_errno(e, EINVAL, "journal: record");
	if (wr_len(&w) > JOURNAL_MAX - j->len)
		return error_errno(e, ENOSPC, "journal");
	r = write_at(j->fd, buf, wr_len(&w), j->len);
	if (r == 0)
		r = flush(j->fd);
	if (r < 0) {
		/* The change will not be made. */
		(void)!ftruncate(j->fd, (off_t)j->len);
		return error_errno(e, r, "journal");
	}
	j->len += (uint32_t)wr_len(&w);
	return 0;
}

int journal_strike(struct journal *j, uint32_t len, struct error *e)
{
	int r = cut(j, len);

	return r < 0 ? error_errno(e, r, "journal") : 0;
}

int journal_keep(struct journal *j, struct error *e)
{
	const struct undo u = {.type = UNDO_KEEP};

	return journal_add(j, &u, e);
}

/* The record that ends at j->len; where it begins. */
static int last_record(const struct journal *j, const uint8_t *p,
		       struct undo *u)
{
	uint32_t len = j->len, n;

	if (len < JOURNAL_HEAD_LEN + AROUND)
		return -EINVAL;
	n = (uint32_t)(p[len - 2] << 8 | p[len - 1]) + (uint32_t)AROUND;
	if (n > len - JOURNAL_HEAD_LEN || !journal_read(p, len, len - n, u))
		return -EINVAL;
	return (int)(len - n);
}

/* Undoes the last record and strikes it out. */
static int undo_one(struct journal *j, const struct undo *u, uint32_t off,
		    struct error *e)
{
	CLEANUP_FD int lock = -1;
	struct undo other;
	int r = 0;

	if (u->type == UNDO_SYSCTL) {
		lock = journal_shared_lock(j);
		if (lock < 0)
			return lock;
	}
	if (lock < 0 || !journal_shared_find(j, u, &other))
		r = undo_apply(u, j->fd, e);
	return r < 0 ? r : cut(j, off);
}

int journal_undo(struct journal *j, struct error *e)
{
	CLEANUP_FREE uint8_t *p = NULL;
	int n = journal_load(j->fd, &p), r = 0;

	if (n < 0 || (uint32_t)n < j->len)
		return error_errno(e, n < 0 ? n : EIO, "journal");
	while (j->len > JOURNAL_HEAD_LEN) {
		struct undo u;
		int off = last_record(j, p, &u);

		if (off < 0)
			return error_errno(e, off, "journal");
		r = undo_one(j, &u, (uint32_t)off, e);
		if (r < 0)
			return error_errno(e, r, "journal");
	}
	return 0;
}

int journal_settle(int dir_fd, struct error *e)
{
	CLEANUP_FREE uint8_t *p = NULL;
	CLEANUP_FD int fd =
		openat(dir_fd, JOURNAL_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct journal j;
	uint32_t last, len;
	bool kept = false;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(e, errno, "journal");
	r = journal_load(fd, &p);
	if (r < 0)
		return error_errno(e, r, "journal");
	len = journal_scan(p, (size_t)r, &last, &kept);
	if (!last && !is_damaged((size_t)r, len))
		return 0;
	if (kept && is_of_this_boot(p))
		return 1;
	r = journal_open(dir_fd, &j, e);
	if (r < 0)
		return r;
	r = journal_undo(&j, e);
	journal_close(&j);
	return r;
}
