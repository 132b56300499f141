/* SPDX-License-Identifier: BSD-3-Clause */
/* Running a script; see script.h. */
#include "os/script.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int script_run(const char *path, const char *ifname, struct error *e)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return error_errno(e, errno, "network script %s", path);
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execl(path, path, ifname, (char *)NULL);
		_exit(errno == ENOENT ? 127 : 126);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_errno(e, errno, "network script %s", path);
	}
	if (WIFSIGNALED(status))
		return error_set(e, EXIT_FAILED,
				 "network script %s was killed by signal %d",
				 path, WTERMSIG(status));
	if (WEXITSTATUS(status) == 127)
		return error_set(e, EXIT_FAILED,
				 "network script %s: not found (script=no runs "
				 "none)",
				 path);
	if (WEXITSTATUS(status) == 126)
		return error_set(e, EXIT_FAILED,
				 "network script %s: cannot be executed "
				 "(script=no runs none)",
				 path);
	if (WEXITSTATUS(status))
		return error_set(e, EXIT_FAILED,
				 "network script %s failed with status %d",
				 path, WEXITSTATUS(status));
	return 0;
}
