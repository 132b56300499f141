/* SPDX-License-Identifier: BSD-3-Clause */
/* Archives for the kernel: byte by byte, and as a reader takes them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cpio.h"

struct archive {
	struct cpio c;
	char *data;
	size_t len;
};

static void begin(struct archive *a)
{
	*a = (struct archive){.c.n = 0};
	a->c.out = open_memstream(&a->data, &a->len);
	assert_non_null(a->c.out);
}

static void end(struct archive *a)
{
	cpio_end(&a->c);
	assert_int_equal(fclose(a->c.out), 0);
}

static void is_the_format(void **state)
{
	static const char expected[] =
		"070701" "00000001" "000081a4" "00000000" "00000000" "00000001"
		"00000000" "00000005" "00000000" "00000000" "00000000"
		"00000000" "00000002" "00000000" "a\0" "hello\0\0\0"
		"070701" "00000002" "00000000" "00000000" "00000000" "00000001"
		"00000000" "00000000" "00000000" "00000000" "00000000"
		"00000000" "0000000b" "00000000" "TRAILER!!!\0\0\0";
	struct archive a;

	begin(&a);
	cpio_file(&a.c, "a", 0644, "hello", 5);
	end(&a);
	assert_int_equal(a.len, sizeof(expected)); /* its last 0 is filling */
	assert_memory_equal(a.data, expected, a.len);
	free(a.data);
}

/* ---- a reader ---- */

enum { FIELD_MODE = 1, FIELD_SIZE = 6, FIELD_MAJOR = 9, FIELD_MINOR,
       FIELD_NAME };

static unsigned field(const char *entry, int i)
{
	char text[9] = "";

	memcpy(text, entry + 6 + 8 * i, 8);
	return (unsigned)strtoul(text, NULL, 16);
}

static size_t up4(size_t n)
{
	return (n + 3) / 4 * 4;
}

/* The entry of that name. */
static const char *find(const struct archive *a, const char *name)
{
	size_t at = 0;

	while (at + 110 < a->len) {
		const char *e = a->data + at;

		assert_memory_equal(e, "070701", 6);
		assert_int_equal(strlen(e + 110) + 1, field(e, FIELD_NAME));
		if (strcmp(e + 110, name) == 0)
			return e;
		at += up4(110 + field(e, FIELD_NAME)) +
		      up4(field(e, FIELD_SIZE));
	}
	return NULL;
}

static const char *data_of(const char *e)
{
	return e + up4(110 + field(e, FIELD_NAME));
}

static void has_what_was_put(void **state)
{
	char path[] = "/tmp/vmlan-cpio.XXXXXX";
	int fd = mkstemp(path);
	struct archive a;
	const char *e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "abcdef", 6), 6);
	close(fd);
	begin(&a);
	cpio_dir(&a.c, "dev");
	cpio_device(&a.c, "dev/console", 5, 1);
	cpio_file(&a.c, "empty", 0644, NULL, 0);
	assert_int_equal(cpio_copy(&a.c, "bin", 0755, path), 0);
	assert_int_equal(cpio_copy(&a.c, "x", 0755, "/nonexistent"), -ENOENT);
	assert_int_equal(cpio_copy(&a.c, "x", 0755, "/tmp"), -EISDIR);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(cpio_copy(&a.c, "void", 0755, path), 0);
	unlink(path);
	end(&a);
	e = find(&a, "dev");
	assert_int_equal(field(e, FIELD_MODE), S_IFDIR | 0755);
	e = find(&a, "dev/console");
	assert_int_equal(field(e, FIELD_MODE), S_IFCHR | 0600);
	assert_int_equal(field(e, FIELD_MAJOR), 5);
	assert_int_equal(field(e, FIELD_MINOR), 1);
	assert_int_equal(field(find(&a, "empty"), FIELD_SIZE), 0);
	assert_int_equal(field(find(&a, "void"), FIELD_SIZE), 0);
	e = find(&a, "bin");
	assert_int_equal(field(e, FIELD_MODE), S_IFREG | 0755);
	assert_int_equal(field(e, FIELD_SIZE), 6);
	assert_memory_equal(data_of(e), "abcdef\0", 8);
	assert_null(find(&a, "x")); /* nothing of what cannot be read */
	assert_non_null(find(&a, "TRAILER!!!"));
	assert_int_equal(a.len % 4, 0);
	free(a.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_format),
		cmocka_unit_test(has_what_was_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
