/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The strings of QEMU's own documentation, tests/qemu/strings.tsv: each is
 * understood, or refused in the words that stand beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/net_option.h"
#include "grammar/user_opts.h"

enum { LEAST = 100 }; /* strings that there are, at least */

/* As -netdev has it; what user makes of its keys is judged besides. */
static int understand_netdev(const char *text, struct error *e)
{
	struct user_opts o = USER_OPTS_NULL;
	struct netdev_spec *s = NULL;
	int r = netdev_parse(text, &s, e);

	if (r == 0 && strcmp(spec_kind(s)->name, "user") == 0)
		r = netdev_user_resolve(s, &o, e);
	user_opts_deinit(&o);
	netdev_spec_free(s);
	return r;
}

static int understand(const char *option, const char *text, struct error *e)
{
	struct net_option o = NET_OPTION_NULL;
	int r;

	if (strcmp(option, "netdev") == 0)
		return understand_netdev(text, e);
	if (strcmp(option, "nic") == 0)
		r = net_option_nic(text, &o, e);
	else
		r = net_option_net(text, 0, &o, e);
	if (r == 0 && o.netdev)
		r = understand_netdev(o.netdev, e);
	net_option_deinit(&o);
	return r;
}

static void check(char *line)
{
	char *option = strsep(&line, "\t"), *text = strsep(&line, "\t");
	char *wanted = strsep(&line, "\t");
	struct error e = ERROR_NULL;
	int r;

	assert_non_null(wanted);
	r = understand(option, text, &e);
	if (r == 0 && strcmp(wanted, "ok") != 0)
		fail_msg("understood: -%s %s", option, text);
	if (r < 0 && strcmp(wanted, "ok") == 0)
		fail_msg("-%s %s: %s", option, text, e.text);
	if (r == 0)
		return;
	assert_int_equal(e.code, EXIT_USAGE);
	assert_string_equal(e.text, wanted);
}

static void test_each_string(void **state)
{
	FILE *f = fopen(QEMU_STRINGS, "r");
	char line[2048];
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		check(line);
		n++;
	}
	fclose(f);
	assert_true(n >= LEAST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
