/* SPDX-License-Identifier: BSD-3-Clause */
/* How scripts of tap end, and what is said of it. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/script.h"
#include "os/test_user.h"

struct place {
	char dir[32];
	char path[64];
	char out[64];
};

static void place_make(struct place *p, const char *text, mode_t mode)
{
	FILE *f;

	snprintf(p->dir, sizeof(p->dir), "/tmp/vmlan-script-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/script", p->dir);
	snprintf(p->out, sizeof(p->out), "%s/script.out", p->dir);
	f = fopen(p->path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(p->path, mode), 0);
}

static void place_clear(struct place *p)
{
	unlink(p->path);
	unlink(p->out);
	rmdir(p->dir);
}

static void it_gets_the_name_alone(void **state)
{
	struct error e = ERROR_NULL;
	struct place p;
	char line[64] = "";
	FILE *f;

	place_make(&p, "#!/bin/sh\necho \"$# $1\" >\"$0.out\"\n", 0700);
	assert_int_equal(script_run(p.path, "tap7", &e), 0);
	f = fopen(p.out, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_string_equal(line, "1 tap7\n");
	place_clear(&p);
}

/* Signals that the keeper blocks or ignores are not so for the script. */
static void it_starts_with_default_signals(void **state)
{
	struct error e = ERROR_NULL;
	struct place p;
	sigset_t set, old;

	place_make(&p, "#!/bin/sh\nkill -TERM $$\nexit 0\n", 0700);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	assert_true(script_run(p.path, "tap7", &e) < 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_non_null(strstr(e.text, "signal 15 (Terminated)"));
	place_clear(&p);
}

static void expect(const char *text, mode_t mode, const char *word)
{
	struct error e = ERROR_NULL;
	struct place p;

	place_make(&p, text, mode);
	assert_true(script_run(p.path, "tap7", &e) < 0);
	assert_int_equal(e.code, EXIT_FAILED);
	if (!strstr(e.text, word) || !strstr(e.text, p.path))
		fail_msg("no '%s' in: %s", word, e.text);
	place_clear(&p);
}

static void its_end_is_told(void **state)
{
	struct error e = ERROR_NULL;

	expect("#!/bin/sh\nexit 3\n", 0700, "status 3");
	/* A command that it did not find is not a script that was not. */
	expect("#!/bin/sh\nno-such-command-here 2>/dev/null\n", 0700,
	       "status 127");
	expect("#!/bin/sh\n", 0600, "Permission denied");
	expect("#!/no/such/shell\n", 0700, "No such file");
	expect("echo\n", 0700, "Exec format error");
	assert_true(script_run("/no/such/script", "tap7", &e) < 0);
	assert_non_null(strstr(e.text, "No such file"));
	assert_non_null(strstr(e.text, "script=no"));
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_gets_the_name_alone),
		cmocka_unit_test(it_starts_with_default_signals),
		cmocka_unit_test(its_end_is_told),
	};

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
