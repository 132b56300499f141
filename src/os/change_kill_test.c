/* SPDX-License-Identifier: BSD-3-Clause */
/* Networks whose owner is killed: what they changed is undone, by whoever
 * comes next. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/nft.h"
#include "os/rundir.h"
#include "os/test_site.h"
#include "os/test_user.h"

/* Killed at any moment of its changes: the next one finds all as before. */
static void after_a_kill(void **state)
{
	struct site *s = *state;
	struct rtnl_route t = site_default_by(s->veth);
	unsigned seed = 1;

	assert_int_equal(rtnl_route_add(&t), 0);
	journal_close(&s->j);
	for (int i = 0; i < 40; i++) {
		struct rtnl_addr a;
		pid_t pid = fork();

		if (pid == 0) {
			struct error e = ERROR_NULL;

			if (journal_open(s->dir_fd, &s->j, &e) < 0)
				_exit(1);
			site_find_addr(s->veth, &site_address, &a);
			for (;;) {
				struct rtnl_addr b = a;
				int bridge = site_add_bridge(s);
				struct rtnl_route u =
					rtnl_route_by(&t, s->veth, bridge);

				b.index = bridge;
				ok(change_link_up, &s->j, bridge, true);
				ok(change_addr_add, &s->j, &b);
				ok(change_link_master, &s->j, s->veth, bridge);
				ok(change_route_add, &s->j, &u);
				ok(change_route_del, &s->j, &t);
				ok(change_addr_del, &s->j, &a);
				ok(journal_undo, &s->j);
			}
		}
		usleep((unsigned)rand_r(&seed) % 20000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		site_undo(s);
		journal_close(&s->j);
		assert_false(site_has_link("br0"));
		assert_true(site_has_route(s->veth, &t));
		assert_int_equal(site_find_addr(s->veth, &site_address, &a), 1);
	}
}

static int rmdir_of_all(const struct site *s)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/vmlan", s->dir);
	return rmdir(path);
}

static void journal_in(const struct rundir *d, struct journal *j)
{
	int fd = rundir_fd(d);

	assert_true(fd >= 0);
	ok(journal_open, fd, j);
	close(fd);
}

/* Of a network whose keeper was killed (released: its lock is free). */
static void a_dead_network(void **state)
{
	struct site *s = *state;
	struct rundir d;
	int lock;

	assert_int_equal(setenv("XDG_RUNTIME_DIR", s->dir, 1), 0);
	for (int i = 0; i < 3; i++) {
		ok(rundir_make, "dead", &d);
		journal_close(&s->j);
		journal_in(&d, &s->j);
		(void)site_add_bridge(s);
		assert_true(site_has_link("br0"));
		journal_close(&s->j); /* as its owner does, or dies */
		if (i == 0) { /* in good order */
			rundir_remove(&d);
		} else if (i == 1) { /* swept */
			rundir_release(&d);
			rundir_sweep(NULL);
		} else { /* the name is wanted again */
			rundir_release(&d);
			ok(rundir_make, "dead", &d);
			assert_false(site_has_link("br0"));
			rundir_remove(&d);
		}
		assert_false(site_has_link("br0"));
		assert_int_equal(rundir_fd(&d), -1);
	}
	/* Alive, nobody touches it. */
	ok(rundir_make, "dead", &d);
	journal_close(&s->j);
	journal_in(&d, &s->j);
	(void)site_add_bridge(s);
	journal_close(&s->j);
	lock = dup(d.lock_fd);
	rundir_release(&d);
	rundir_sweep(NULL);
	assert_true(site_has_link("br0"));
	close(lock);
	rundir_sweep(NULL);
	assert_false(site_has_link("br0"));
	assert_int_equal(rmdir_of_all(s), 0);
}

static void a_kept_network(void **state)
{
	struct site *s = *state;
	struct error e = ERROR_NULL;
	struct rundir d, other;
	char path[128];

	assert_int_equal(setenv("XDG_RUNTIME_DIR", s->dir, 1), 0);
	ok(rundir_make, "kept", &d);
	journal_close(&s->j);
	journal_in(&d, &s->j);
	(void)site_add_bridge(s);
	ok(journal_keep, &s->j);
	snprintf(path, sizeof(path), "%s", d.path);
	rundir_release(&d);
	rundir_sweep(NULL);
	assert_true(site_has_link("br0"));
	assert_int_equal(rundir_make("kept", &other, &e), -EEXIST);
	assert_int_equal(e.code, EXIT_CONFLICT);
	assert_true(site_has_link("br0"));
	assert_int_equal(access(path, F_OK), 0);
	ok(journal_undo, &s->j);
	rundir_sweep(NULL);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir_of_all(s), 0);
}

/* An nft that takes its time: where the file "wait" is, it says that it is
 * "here", and adds what it is to add when "wait" is gone. */
static void make_slow_nft(const char *dir)
{
	char path[256], real[256], at[256];
	FILE *f;

	assert_true(nft_find(real, sizeof(real)));
	snprintf(path, sizeof(path), "%s/nft", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"#!/bin/sh\n"
		"if [ -e %s/wait ] && grep -q '\"add\"' </proc/self/fd/0\n"
		"then\n"
		"	: >%s/here\n"
		"	while [ -e %s/wait ]; do sleep 0.01; done\n"
		"fi\n"
		"exec %s \"$@\"\n",
		dir, dir, dir, real);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(at, sizeof(at), "%s:/usr/bin:/bin", dir);
	assert_int_equal(setenv("PATH", at, 1), 0);
}

static void await_file(int dir_fd, const char *name)
{
	while (faccessat(dir_fd, name, F_OK, 0) < 0)
		usleep(1000);
}

/* Lets nft go on when somebody may be waiting for its end. */
static pid_t fork_releaser(const struct site *s)
{
	pid_t pid = fork();

	if (pid == 0) {
		await_file(s->dir_fd, "here");
		usleep(100000);
		_exit(unlinkat(s->dir_fd, "wait", 0) < 0);
	}
	return pid;
}

/* An owner in another process, killed while nft makes a table for it.  The end
 * of what is returned can be read when nft is no more. */
static int kill_owner(struct site *s)
{
	static const char json[] = "{\"nftables\":[{\"add\":{\"table\":{"
				   "\"family\":\"inet\","
				   "\"name\":\"vmlan-late\"}}}]}";
	struct error e = ERROR_NULL;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0); /* nft has it, too */
	pid = fork();
	if (pid == 0) {
		if (journal_open(s->dir_fd, &s->j, &e) == 0)
			(void)!change_nft_table(&s->j, "inet", "vmlan-late",
						json, &e);
		_exit(1);
	}
	close(ends[1]);
	await_file(s->dir_fd, "here");
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return ends[0];
}

/* What a program of a killed owner still does is undone, too. */
static void a_program_outlives_its_owner(void **state)
{
	struct site *s = *state;
	struct error e = ERROR_NULL;
	char real[256], byte;
	pid_t releaser;
	int end;

	if (!nft_find(real, sizeof(real)))
		skip();
	make_slow_nft(s->dir);
	end = openat(s->dir_fd, "wait", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(end >= 0);
	close(end);
	journal_close(&s->j);
	releaser = fork_releaser(s);
	end = kill_owner(s);
	site_undo(s);
	assert_int_equal(read(end, &byte, 1), 0);
	close(end);
	assert_int_equal(waitpid(releaser, NULL, 0), releaser);
	assert_int_equal(nft_table_find("inet", "vmlan-late", &e), 0);
	assert_int_equal(unlinkat(s->dir_fd, "here", 0), 0);
	assert_int_equal(unlinkat(s->dir_fd, "nft", 0), 0);
}

#define case_of(fn)                                                            \
	cmocka_unit_test_setup_teardown(fn, site_set_up, site_tear_down)

static int group(void)
{
	const struct CMUnitTest tests[] = {
		case_of(after_a_kill),
		case_of(a_dead_network),
		case_of(a_kept_network),
		case_of(a_program_outlives_its_owner),
	};

	return cmocka_run_group_tests_name("change_kill", tests, NULL, NULL);
}

static int both(void)
{
	return test_in_netns(group);
}

int main(void)
{
	return test_as_both(both);
}
