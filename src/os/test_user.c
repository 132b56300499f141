/* SPDX-License-Identifier: BSD-3-Clause */
/* Users and namespaces of tests; see test_user.h. */
#include "os/test_user.h"
#include "os/rtnl.h"
#include "os/userns.h"


#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>


enum { ORDINARY = 65534, DENIED = 77 };

int test_in_child(int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(fn(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : 1000 + WTERMSIG(status);
}

static int as_ordinary(void *arg)
{
	int (*const *group)(void) = arg;

	if (setgroups(0, NULL) < 0 || setgid(ORDINARY) < 0 ||
	    setuid(ORDINARY) < 0)
		return 254;
	/* Else its own /proc files would be root's. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return (*group)();
}

int test_as_both(int (*group)(void))
{
	int failed = group();

	if (geteuid() == 0) {
		fflush(stdout);
		failed += test_in_child(as_ordinary, &group);
	}
	return failed;
}

int test_enter_netns(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
	    userns_map(uid, gid, 0, 0) < 0)
		return -1;
	return rtnl_lo_up() < 0 ? -1 : 0;
}

static int enter_and_run(void *arg)
{
	int (*const *group)(void) = arg;

	return test_enter_netns() < 0 ? DENIED : (*group)();
}

int test_in_netns(int (*group)(void))
{
	int failed = test_in_child(enter_and_run, &group);

	if (failed != DENIED)
		return failed;
	printf("not run: no user namespaces for uid %u here\n", geteuid());
	return 0;
}

void test_public_tun(void)
{
	const char *node = "/dev/net/tun";

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/dev/net", "tmpfs", 0, "mode=0755") < 0 ||
	    mknod(node, S_IFCHR | 0666, makedev(10, 200)) < 0 ||
	    chmod(node, 0666) < 0)
		return; /* the tests then tell that they were not run */
}
