/* SPDX-License-Identifier: BSD-3-Clause */
/* Forms and options out of texts of help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/synopsis.h"

/* "NETWORK|VM add SPEC.. (proxy=v1|v2)" */
static void put_form(const struct synopsis_form *f, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < f->n; i++) {
		const struct synopsis_word *w = &f->words[i];

		n += (size_t)snprintf(buf + n, len - n, "%s%s%s%s%s",
				      i ? " " : "", w->is_optional ? "(" : "",
				      w->text, w->repeats ? ".." : "",
				      w->is_optional ? ")" : "");
		assert_true(n < len);
	}
}

static void check(const char *help, const char *forms, const char *options)
{
	char text[512] = "", form[256];
	struct synopsis s;

	assert_int_equal(synopsis_read(help, &s), 0);
	for (unsigned i = 0; i < s.n_forms; i++) {
		put_form(&s.forms[i], form, sizeof(form));
		assert_true(strlen(text) + strlen(form) + 2 < sizeof(text));
		strcat(strcat(text, form), "\n");
	}
	assert_string_equal(text, forms);
	text[0] = '\0';
	for (unsigned i = 0; i < s.n_options; i++) {
		const struct synopsis_option *o = &s.options[i];

		snprintf(form, sizeof(form), "%s%s%s ", o->name,
			 o->value ? "=" : "", o->value ? o->value : "");
		strcat(text, form);
	}
	assert_string_equal(text, options);
	synopsis_deinit(&s);
}

static void test_forms(void **state)
{
	(void)state;
	check("usage: vmlan fwd NETWORK|VM|NETWORK/VM add SPEC.. "
	      "[proxy=v1|v2]\n"
	      "                 [from=ADDRESS|NETWORK,..]\n"
	      "       vmlan fwd [--json] NETWORK|VM ls\n"
	      "Forwards.\n"
	      "  --json           as JSON\n",
	      "NETWORK|VM|NETWORK/VM add SPEC.. (proxy=v1|v2) "
	      "(from=ADDRESS|NETWORK..)\n"
	      "NETWORK|VM ls\n",
	      "--json ");
	check("usage: vmlan run [options] -- VMM ARGS...\n"
	      "  vmlan run -p 2222:22 -- no option\n"
	      "  --net MODE[:NAME][,KEY=VALUE]...\n"
	      "                   the network\n"
	      "  --user-data FILE what it is told\n"
	      "  -net nic|NETDEV  as QEMU\n"
	      "  --cloud          -x is none\n"
	      "  -p, --publish SPEC\n"
	      "                   forward\n"
	      "  -v, -q           say more\n",
	      "-- VMM ARGS..\n",
	      "--net=MODE --user-data=FILE -net=nic|NETDEV --cloud -p=SPEC "
	      "--publish=SPEC -v -q ");
	check("usage: vmlan ssh [options] [ssh's options] [USER@]VM "
	      "[COMMAND...]\n",
	      "VM (COMMAND..)\n", "");
	check("usage: vmlan events [--since N|now] [--a|--b] [-w FILE] NAME\n"
	      "       vmlan events IF --undo\n",
	      "NAME\nIF\n", "--since=N|now --a --b -w=FILE --undo ");
	check("usage: vmlan exec NETWORK [ip=IP] [--] PROGRAM ARGS...",
	      "NETWORK (ip=IP) (--) PROGRAM ARGS..\n", "");
	check("", "", "");
	check("usage: vmlan", "", "");
	check("usage: vmlan x", "\n", "");
	check("usage: vmlan x A[ B", "A\n", "");
	check("usage: vmlan x [", "\n", "");
	check("usage: vmlan x [--", "\n", "");
}

static void test_keys(void **state)
{
	struct synopsis s;

	(void)state;
	assert_int_equal(synopsis_read("usage: vmlan link VM [[to|from] "
				       "KEY=VALUE..]\n"
				       "  delay=50ms jitter=5ms     each\n"
				       "  KEY=off          none\n"
				       "  a thing=1\n"
				       "  rate=1mbit\n",
				       &s),
			 0);
	assert_int_equal(s.forms[0].n, 3);
	assert_string_equal(s.forms[0].words[1].text, "to|from");
	assert_string_equal(s.forms[0].words[2].text, "KEY=VALUE");
	assert_true(s.forms[0].words[2].repeats);
	assert_int_equal(s.n_keys, 3);
	assert_string_equal(s.keys[0], "delay");
	assert_string_equal(s.keys[1], "jitter");
	assert_string_equal(s.keys[2], "rate");
	synopsis_deinit(&s);
}

static int align(const char *help, const char *first, const char *second,
		 const char *third)
{
	char *typed[] = {(char *)first, (char *)second, (char *)third};
	struct synopsis s;
	int r;

	assert_int_equal(synopsis_read(help, &s), 0);
	r = synopsis_align(&s.forms[0], typed,
			   third ? 3 : second ? 2 : first ? 1 : 0);
	synopsis_deinit(&s);
	return r;
}

static void test_where_one_is(void **state)
{
	static const char fwd[] = "usage: vmlan fwd NETWORK add SPEC..";
	static const char exec[] =
		"usage: vmlan exec NETWORK [ip=IP] [--] PROGRAM ARGS...";
	static const char up[] = "usage: vmlan up NAME [MODE] [KEY=VALUE...]";

	(void)state;
	assert_int_equal(align(fwd, NULL, NULL, NULL), 0);
	assert_int_equal(align(fwd, "lab", NULL, NULL), 1);
	assert_int_equal(align(fwd, "lab", "add", "80:80"), 2);
	assert_int_equal(align(fwd, "lab", "rm", NULL), -1);
	assert_int_equal(align(exec, "lab", "ip=dhcp", NULL), 2);
	assert_int_equal(align(exec, "lab", "ping", NULL), 4);
	assert_int_equal(align(exec, "lab", "ip=none", "ping"), 4);
	assert_int_equal(align(up, "lab", "natnet", NULL), 2);
	assert_int_equal(align(up, "lab", "mtu=1400", NULL), 2);
	assert_int_equal(align(up, "lab", "natnet", "bare"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_where_one_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
