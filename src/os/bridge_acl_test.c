/* SPDX-License-Identifier: BSD-3-Clause */
/* What QEMU's helper would make of its file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/bridge_acl.h"

static char dir[] = "/tmp/vmlan-acl-XXXXXX";

static const char *path_of(const char *name, char *buf, size_t room)
{
	snprintf(buf, room, "%s/%s", dir, name);
	return buf;
}

static void put(const char *name, const char *text)
{
	char path[64];
	FILE *f = fopen(path_of(name, path, sizeof(path)), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int ask(const char *text, const char *bridge)
{
	char path[64];

	put("bridge.conf", text);
	return bridge_acl_ask(path_of("bridge.conf", path, sizeof(path)),
			      bridge);
}

static void rules(void **state)
{
	(void)state;
	assert_int_equal(ask("allow br0\n", "br0"), 1);
	assert_int_equal(ask("allow br0", "br0"), 1);
	assert_int_equal(ask("\tallow\t br0 \r\n", "br0"), 1);
	assert_int_equal(ask("allow br0\n", "br1"), 0);
	assert_int_equal(ask("allow br\n", "br0"), 0);
	assert_int_equal(ask("allow all\n", "br1"), 1);
	assert_int_equal(ask("", "br0"), 0);
	assert_int_equal(ask("# allow br0\n", "br0"), 0);
	assert_int_equal(ask("allow br0 # and no other\n", "br0"), 1);
	assert_int_equal(ask("allow\nbr0\n", "br0"), 0);
	assert_int_equal(ask("deny br0\nallow all\n", "br0"), 0);
	assert_int_equal(ask("allow br0\ndeny all\n", "br0"), 0);
	assert_int_equal(ask("deny br0\nallow all\n", "br1"), 1);
}

static void files(void **state)
{
	char path[64], text[128];

	(void)state;
	assert_int_equal(
		bridge_acl_ask(path_of("nosuch", path, sizeof(path)), "br0"),
		0);
	snprintf(text, sizeof(text), "include %s\n", path);
	assert_int_equal(ask(text, "br0"), -ENOENT);
	put("more", "allow br0\n");
	snprintf(text, sizeof(text), "include %s/more\n", dir);
	assert_int_equal(ask(text, "br0"), 1);
	/* One that includes itself has an end. */
	snprintf(text, sizeof(text), "allow br0\ninclude %s/bridge.conf\n",
		 dir);
	assert_int_equal(ask(text, "br0"), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(files),
	};
	char path[64];
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests_name("bridge_acl", tests, NULL, NULL);
	unlink(path_of("bridge.conf", path, sizeof(path)));
	unlink(path_of("more", path, sizeof(path)));
	rmdir(dir);
	return r;
}
