/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See cpio.h.  An entry is a header of 110 digits and letters, its name with
 * the zero at its end, and its bytes, each of the two filled up with zeros to
 * a multiple of four.
 */
#include "cli/cpio.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "os/file.h"

enum { HEADER_LEN = 110, ALIGN = 4 };

struct entry {
	const char *name;
	mode_t mode;
	unsigned major, minor; /* of a device */
	const void *data;
	size_t len;
};

static void fill_up(FILE *out, size_t len)
{
	while (len++ % ALIGN)
		fputc(0, out);
}

static void put(struct cpio *c, const struct entry *e)
{
	size_t name_len = strlen(e->name) + 1;

	/* ino, mode, uid, gid, nlink, mtime, size, device of the file system,
	 * own device, length of the name, and a sum that this form lacks */
	fprintf(c->out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x"
		"%08x",
		++c->n, (unsigned)e->mode, 0, 0, 1, 0, (unsigned)e->len, 0, 0,
		e->major, e->minor, (unsigned)name_len, 0);
	fwrite(e->name, 1, name_len, c->out);
	fill_up(c->out, HEADER_LEN + name_len);
	if (e->len)
		fwrite(e->data, 1, e->len, c->out);
	fill_up(c->out, e->len);
}

void cpio_dir(struct cpio *c, const char *name)
{
	put(c, &(struct entry){.name = name, .mode = S_IFDIR | 0755});
}

void cpio_device(struct cpio *c, const char *name, unsigned major,
		 unsigned minor)
{
	put(c, &(struct entry){.name = name,
			       .mode = S_IFCHR | 0600,
			       .major = major,
			       .minor = minor});
}

void cpio_file(struct cpio *c, const char *name, mode_t mode, const void *data,
	       size_t len)
{
	put(c, &(struct entry){.name = name,
			       .mode = S_IFREG | mode,
			       .data = data,
			       .len = len});
}

int cpio_copy(struct cpio *c, const char *name, mode_t mode, const char *path)
{
	CLEANUP_FD int fd = file_open_plain(path, INT32_MAX);
	struct stat st;
	void *data;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!st.st_size) {
		cpio_file(c, name, mode, NULL, 0);
		return 0;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	cpio_file(c, name, mode, data, (size_t)st.st_size);
	munmap(data, (size_t)st.st_size);
	return 0;
}

void cpio_end(struct cpio *c)
{
	put(c, &(struct entry){.name = "TRAILER!!!"});
}
