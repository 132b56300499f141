/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels and their modules; see kernel.h. */
#include "cli/kernel.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "os/file.h"

/* Of a kernel, or a list of modules. */
enum { FILE_MAX = 1 << 30 };

/* ---- the kernel ---- */

/* The kernel's Documentation/arch/x86/boot.rst: where things stand. */
enum { AT_MAGIC = 0x202, AT_VERSION = 0x20e, VERSION_FROM = 0x200 };

int kernel_release(int fd, char buf[KERNEL_RELEASE_LEN])
{
	uint8_t head[AT_VERSION + 2];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	size_t at;

	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(head) ||
	    memcmp(head + AT_MAGIC, "HdrS", 4) != 0)
		return -ENOEXEC;
	at = (size_t)(head[AT_VERSION] | head[AT_VERSION + 1] << 8);
	n = pread(fd, buf, KERNEL_RELEASE_LEN - 1, (off_t)(at + VERSION_FROM));
	if (n < 0)
		return -errno;
	/* "6.1.0-42-amd64 (who built it) #1 SMP ..": a word for a folder */
	buf[n] = '\0';
	buf[strcspn(buf, " ")] = '\0';
	return at && *buf && !strchr(buf, '/') ? 0 : -ENOEXEC;
}

/* -1: it cannot be read, or is no kernel. */
static int open_kernel(const char *path)
{
	CLEANUP_FD int fd = file_open_plain(path, FILE_MAX);
	char release[KERNEL_RELEASE_LEN];

	return fd >= 0 && kernel_release(fd, release) == 0 ? fd_steal(&fd)
							   : -1;
}

static int open_running(void)
{
	struct utsname u;
	char path[256];
	int fd;

	if (uname(&u) < 0)
		return -1;
	snprintf(path, sizeof(path), "/boot/vmlinuz-%s", u.release);
	fd = open_kernel(path);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/lib/modules/%s/vmlinuz", u.release);
	return open_kernel(path);
}

static int open_newest(const char *pattern)
{
	const char *best = NULL;
	glob_t g;
	int fd = -1;

	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			const char *path = g.gl_pathv[i];
			int one = open_kernel(path);

			if (one < 0 || (best && strverscmp(path, best) < 0)) {
				fd_close(&one);
				continue;
			}
			fd_close(&fd);
			fd = one;
			best = path;
		}
	}
	globfree(&g);
	return fd;
}

int kernel_open(const char *path, struct error *e)
{
	char release[KERNEL_RELEASE_LEN];
	int fd, r;

	if (!path) {
		fd = open_running();
		if (fd < 0)
			fd = open_newest("/boot/vmlinuz*");
		if (fd < 0)
			fd = open_newest("/lib/modules/*/vmlinuz");
		return fd < 0 ? error_set(e, EXIT_FAILED,
					  "no kernel of this host can be "
					  "read; name one with --kernel FILE, "
					  "and with --modules FOLDER its "
					  "modules")
			      : fd;
	}
	fd = file_open_plain(path, FILE_MAX);
	r = fd < 0 ? fd : kernel_release(fd, release);
	if (r >= 0)
		return fd;
	fd_close(&fd);
	return r == -ENOEXEC || r == -EINVAL
		       ? error_set(e, EXIT_FAILED,
				   "--kernel %s: that is no kernel for x86-64",
				   path)
		       : error_errno(e, r, "--kernel %s", path);
}

/* ---- its modules ---- */

/* Whether "kernel/drivers/net/virtio_net.ko.xz" is virtio_net. */
static bool is_module(const char *path, size_t len, const char *name)
{
	const char *base = memrchr(path, '/', len);
	size_t n = strlen(name);

	base = base ? base + 1 : path;
	len -= (size_t)(base - path);
	return len >= n + 3 && memcmp(base, name, n) == 0 &&
	       memcmp(base + n, ".ko", 3) == 0;
}

static int add(struct kernel_modules *m, const char *path)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (strcmp(m->paths[i], path) == 0)
			return 0;
	}
	if (m->n == array_len(m->paths))
		return -E2BIG;
	m->paths[m->n] = strdup(path);
	return m->paths[m->n++] ? 0 : -ENOMEM;
}

/* "MODULE: LAST .. FIRST": what stands at the end comes first, the module
 * itself last.  The line is cut to pieces. */
static int add_line(struct kernel_modules *m, char *line)
{
	char *end = line + strlen(line);
	int r = 0;

	while (end > line && r == 0) {
		char *word;

		while (end > line && strchr(" :\n", end[-1]))
			*--end = '\0';
		for (word = end; word > line && !strchr(" :", word[-1]);)
			word--;
		if (word < end)
			r = add(m, word);
		end = word;
	}
	return r;
}

static int find_one(FILE *dep, const char *name, struct kernel_modules *m)
{
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;

	rewind(dep);
	while (getline(&line, &room, dep) > 0) {
		if (is_module(line, strcspn(line, ":"), name))
			return add_line(m, line);
	}
	return 0;
}

int kernel_modules_find(const char *folder, const char *const names[],
			size_t n, struct kernel_modules *m)
{
	char path[4096];
	FILE *dep;
	int fd, r = 0;

	*m = (struct kernel_modules){.n = 0};
	if ((size_t)snprintf(path, sizeof(path), "%s/modules.dep", folder) >=
	    sizeof(path))
		return -ENAMETOOLONG;
	fd = file_open_plain(path, FILE_MAX);
	if (fd < 0)
		return fd;
	dep = fdopen(fd, "r");
	if (!dep) {
		close(fd);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = find_one(dep, names[i], m);
	fclose(dep);
	return r;
}

void kernel_modules_free(struct kernel_modules *m)
{
	while (m->n)
		free(m->paths[--m->n]);
}
