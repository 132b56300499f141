/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the guests of the matrix boot: a kernel of the host's, or one that is
 * named, and a first file system that is made here, of this very program, the
 * libraries that it runs with, and the modules of its card:
 *
 *	dev/console
 *	dev/ lib/ modules/ proc/
 *	vmlan                    the first process: matrix --agent NAME
 *	lib/libc.so.6 ..         all by the names they were loaded by
 *	lib64/ld-linux-x86-64.so.2   as the program names it
 *	modules/order, modules/virtio_net.ko ..
 *
 * So there is nothing to install, and a guest asks and answers by the same code
 * as a namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cpio.h"
#include "cli/kernel.h"
#include "cli/matrix.h"
#include "cli/qemu.h"
#include "os/cpus.h"

enum {
	LIBRARIES_MAX = 64,
	PATH_LEN = 4096,
	MIB = 1 << 20,
	GUEST_MIB = 256, /* without what it boots */
	QEMU_MIB = 128,	 /* of the host's, beside the guest's */
	ROWS_MAX = 3,
};

/* What the card takes of a kernel that is made of modules, and probes do. */
static const char *const modules_wanted[] = {"virtio_pci", "virtio_net",
					     "af_packet"};

/* ---- this program's parts ---- */

struct parts {
	char *libraries[LIBRARIES_MAX]; /* owned */
	unsigned n;
	char *loader; /* owned; NULL: the program needs none */
};

static void add_library(struct parts *p, const char *path)
{
	if (p->n < array_len(p->libraries) && *path == '/')
		p->libraries[p->n++] = strdup(path);
}

/* Called for each object in this process, the program first. */
static int look_at(struct dl_phdr_info *o, size_t len, void *arg)
{
	struct parts *p = arg;

	for (unsigned i = 0; i < o->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &o->dlpi_phdr[i];

		if (h->p_type == PT_INTERP && !p->loader)
			p->loader = strdup(
				(const char *)(o->dlpi_addr + h->p_vaddr));
	}
	add_library(p, o->dlpi_name); /* "" is the program's */
	return 0;
}

static void parts_deinit(struct parts *p)
{
	while (p->n)
		free(p->libraries[--p->n]);
	free(p->loader);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int copy(struct cpio *c, const char *name, mode_t mode,
		const char *path, struct error *e)
{
	int r = cpio_copy(c, name, mode, path);

	return r < 0 ? error_errno(e, r, "%s", path) : 0;
}

/* The folders that a path is in. */
static void put_folders(struct cpio *c, const char *path)
{
	char name[PATH_LEN];

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(name, sizeof(name), "%.*s", (int)(p - path), path);
		cpio_dir(c, name);
	}
}

static int put_program(struct cpio *c, struct error *e)
{
	struct parts p = {.n = 0};
	char name[PATH_LEN];
	int r;

	dl_iterate_phdr(look_at, &p);
	r = copy(c, "vmlan", 0755, "/proc/self/exe", e);
	for (unsigned i = 0; i < p.n && r == 0; i++) {
		snprintf(name, sizeof(name), "lib/%s",
			 base_name(p.libraries[i]));
		r = copy(c, name, 0755, p.libraries[i], e);
	}
	if (p.loader && r == 0) {
		put_folders(c, p.loader + 1);
		r = copy(c, p.loader + 1, 0755, p.loader, e);
	}
	parts_deinit(&p);
	return r;
}

/* ---- modules ---- */

static int copy_modules(struct cpio *c, const char *folder,
			const struct kernel_modules *m, struct error *e)
{
	CLEANUP_FREE char *order = NULL;
	char name[PATH_LEN], path[PATH_LEN];
	size_t len = 0;
	FILE *f = open_memstream(&order, &len);
	int r = f ? 0 : error_errno(e, errno, "no memory");

	for (unsigned i = 0; i < m->n && r == 0; i++) {
		fprintf(f, "%s\n", base_name(m->paths[i]));
		snprintf(name, sizeof(name), AGENT_MODULES "/%s",
			 base_name(m->paths[i]));
		snprintf(path, sizeof(path), "%s/%s", folder, m->paths[i]);
		r = copy(c, name + 1, 0644, path, e);
	}
	if (f && fclose(f) != 0 && r == 0)
		r = error_errno(e, errno, "no memory");
	if (r == 0)
		cpio_file(c, &AGENT_MODULES "/order"[1], 0644, order, len);
	return r;
}

/* folder NULL: where the kernel's are on this host. */
static int put_modules(struct cpio *c, int kernel, const char *folder,
		       struct error *e)
{
	char own[KERNEL_RELEASE_LEN + 16], release[KERNEL_RELEASE_LEN];
	struct kernel_modules m;
	int r = kernel_release(kernel, release);

	if (r < 0)
		return error_errno(e, r, "the kernel's release");
	snprintf(own, sizeof(own), "/lib/modules/%s", release);
	r = kernel_modules_find(folder ? folder : own, modules_wanted,
				array_len(modules_wanted), &m);
	/* Nothing at the usual place: it may have all built in. */
	if (r < 0 && (folder || r != -ENOENT))
		error_errno(e, r, "--modules %s: modules.dep",
			    folder ? folder : own);
	else
		r = copy_modules(c, folder ? folder : own, &m, e);
	kernel_modules_free(&m);
	return r;
}

/* ---- the whole ---- */

static int put_all(FILE *out, int kernel, const char *modules,
		   struct error *e)
{
	static const char *const folders[] = {
		"dev", "lib", &AGENT_MODULES[1], "proc"};
	struct cpio c = {.out = out};

	for (size_t i = 0; i < array_len(folders); i++)
		cpio_dir(&c, folders[i]);
	cpio_device(&c, "dev/console", 5, 1);
	if (put_program(&c, e) < 0 || put_modules(&c, kernel, modules, e) < 0)
		return -1;
	cpio_end(&c);
	return 0;
}

static int write_initrd(struct guest_image *im, const char *modules,
			struct error *e)
{
	struct stat st;
	FILE *out;
	int fd, r;

	im->initrd = memfd_create("vmlan-initrd", MFD_CLOEXEC);
	fd = im->initrd < 0 ? -1 : fcntl(im->initrd, F_DUPFD_CLOEXEC, 3);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		fd_close(&fd);
		return error_errno(e, errno, "no memory for an initrd");
	}
	r = put_all(out, im->kernel, modules, e);
	if (fclose(out) != 0 && r == 0)
		r = error_errno(e, errno, "no memory for an initrd");
	if (r < 0 || fstat(im->initrd, &st) < 0)
		return -1;
	/* The archive, what comes of it, and as much as the kernel keeps. */
	im->memory_mib = GUEST_MIB + 3 * (unsigned)(st.st_size / MIB);
	return 0;
}

static int check_qemu(struct error *e)
{
	static const char program[] = "qemu-system-x86_64";
	int version = -ENOSYS;

#if defined(__x86_64__)
	version = qemu_version(program);
#endif
	if (version == -ENOSYS)
		return error_set(e, EXIT_FAILED, "--guests qemu is for hosts "
						 "of x86-64 only");
	if (version == -ENOENT)
		return error_set(e, EXIT_FAILED,
				 "--guests qemu: %s: not found; is QEMU "
				 "installed?",
				 program);
	return version < 0 ? error_errno(e, version, "%s", program) : 0;
}

int guest_image_make(const char *kernel, const char *modules,
		     struct guest_image *im, struct error *e)
{
	*im = (struct guest_image){.kernel = -1, .initrd = -1};
	if (check_qemu(e) < 0)
		return -1;
	im->kernel = kernel_open(kernel, e);
	return im->kernel < 0 ? -1 : write_initrd(im, modules, e);
}

unsigned guest_rows_at_once(const struct guest_image *im)
{
	long pages = sysconf(_SC_AVPHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	long row_mib = 2 * ((long)im->memory_mib + QEMU_MIB);
	long fit = pages > 0 && page > 0 ? pages / (MIB / page) / row_mib : 1;
	long n = cpus_usable();

	if (fit > n)
		fit = n;
	if (fit > ROWS_MAX)
		fit = ROWS_MAX;
	return fit < 1 ? 1 : (unsigned)fit;
}
