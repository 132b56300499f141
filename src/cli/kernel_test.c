/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels' files and their modules, made up in a folder. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/kernel.h"

struct folder {
	char path[64];
};

static void put(const struct folder *d, const char *name, const void *data,
		size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void begin(struct folder *d)
{
	snprintf(d->path, sizeof(d->path), "/tmp/vmlan-kernel.XXXXXX");
	assert_non_null(mkdtemp(d->path));
}

static void end(const struct folder *d, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	unlink(path);
	assert_int_equal(rmdir(d->path), 0);
}

/* ---- the kernel ---- */

enum { FILE_LEN = 1024, VERSION_AT = 700 };

/* As the boot protocol lays it out; the version is `len` bytes of text. */
static void put_kernel(const struct folder *d, const char *magic,
		       const char *text, size_t len)
{
	uint8_t file[FILE_LEN] = {0};

	memcpy(file + 0x202, magic, 4);
	file[0x20e] = (VERSION_AT - 0x200) & 255;
	file[0x20f] = (VERSION_AT - 0x200) >> 8;
	memcpy(file + VERSION_AT, text, len);
	put(d, "vmlinuz", file, VERSION_AT + len);
}

/* The release; NULL if it is no kernel. */
static const char *release_of(const struct folder *d,
			      char buf[KERNEL_RELEASE_LEN])
{
	struct error e = ERROR_NULL;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/vmlinuz", d->path);
	fd = kernel_open(path, &e);
	if (fd < 0) {
		assert_int_equal(e.code, EXIT_FAILED);
		assert_string_equal(strrchr(e.text, ':'),
				    ": that is no kernel for x86-64");
		return NULL;
	}
	assert_int_equal(kernel_release(fd, buf), 0);
	close(fd);
	return buf;
}

static void tells_the_release(void **state)
{
	static const char text[] = "6.1.0-42-amd64 (nobody) #1 SMP";
	char buf[KERNEL_RELEASE_LEN], lengthy[300], fifo[128];
	struct error e = ERROR_NULL;
	struct folder d;

	begin(&d);
	put_kernel(&d, "HdrS", text, sizeof(text));
	assert_string_equal(release_of(&d, buf), "6.1.0-42-amd64");
	put_kernel(&d, "HdrS", "6.18", 4); /* the file's end */
	assert_string_equal(release_of(&d, buf), "6.18");
	memset(lengthy, 'x', sizeof(lengthy));
	put_kernel(&d, "HdrS", lengthy, sizeof(lengthy));
	assert_int_equal(strlen(release_of(&d, buf)), sizeof(buf) - 1);
	put_kernel(&d, "hdrs", text, sizeof(text));
	assert_null(release_of(&d, buf));
	put_kernel(&d, "HdrS", "", 0);
	assert_null(release_of(&d, buf));
	put_kernel(&d, "HdrS", "../6.1", 7); /* names a folder */
	assert_null(release_of(&d, buf));
	put(&d, "vmlinuz", "short", 5);
	assert_null(release_of(&d, buf));
	end(&d, "vmlinuz");
	/* What would be waited for, or never ends. */
	begin(&d);
	snprintf(fifo, sizeof(fifo), "%s/vmlinuz", d.path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_true(kernel_open(fifo, &e) < 0);
	assert_int_equal(e.code, EXIT_FAILED);
	end(&d, "vmlinuz");
	e = ERROR_NULL;
	assert_true(kernel_open("/dev/zero", &e) < 0);
	assert_string_equal(e.text, "--kernel /dev/zero: that is no kernel "
				    "for x86-64");
	e = ERROR_NULL;
	assert_true(kernel_open("/nonexistent/vmlinuz", &e) < 0);
	assert_string_equal(e.text, "--kernel /nonexistent/vmlinuz: No such "
				    "file or directory");
}

/* ---- modules ---- */

static const char dep[] =
	"kernel/drivers/net/virtio_net.ko.xz: kernel/net/failover.ko.xz "
	"kernel/drivers/virtio/virtio.ko.xz kernel/ring.ko.xz\n"
	"kernel/drivers/net/virtio_network.ko:\n"
	"kernel/net/failover.ko.xz:\n"
	"kernel/drivers/virtio/virtio_pci.ko.xz: "
	"kernel/drivers/virtio/virtio.ko.xz kernel/ring.ko.xz\n"
	"kernel/drivers/virtio/virtio.ko.xz: kernel/ring.ko.xz\n"
	"kernel/ring.ko.xz:\n";

static void finds_modules_in_order(void **state)
{
	static const char *const names[] = {"virtio_pci", "af_packet",
					    "virtio_net"};
	static const char *const expected[] = {
		"kernel/ring.ko.xz",
		"kernel/drivers/virtio/virtio.ko.xz",
		"kernel/drivers/virtio/virtio_pci.ko.xz",
		"kernel/net/failover.ko.xz",
		"kernel/drivers/net/virtio_net.ko.xz",
	};
	struct kernel_modules m;
	struct folder d;

	begin(&d);
	put(&d, "modules.dep", dep, sizeof(dep) - 1);
	assert_int_equal(kernel_modules_find(d.path, names, 3, &m), 0);
	assert_int_equal(m.n, array_len(expected));
	for (unsigned i = 0; i < m.n; i++)
		assert_string_equal(m.paths[i], expected[i]);
	kernel_modules_free(&m);
	end(&d, "modules.dep");
	assert_int_equal(kernel_modules_find(d.path, names, 3, &m), -ENOENT);
	kernel_modules_free(&m);
}

static void bounds_modules(void **state)
{
	static const char *const names[] = {"a"};
	char text[KERNEL_MODULES_MAX * 16 + 64] = "a.ko:";
	struct kernel_modules m;
	struct folder d;

	for (int i = 0; i < KERNEL_MODULES_MAX; i++)
		snprintf(text + strlen(text), 16, " %d.ko", i);
	begin(&d);
	put(&d, "modules.dep", text, strlen(text));
	assert_int_equal(kernel_modules_find(d.path, names, 1, &m), -E2BIG);
	kernel_modules_free(&m);
	end(&d, "modules.dep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_release),
		cmocka_unit_test(finds_modules_in_order),
		cmocka_unit_test(bounds_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
