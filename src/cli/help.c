/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan help: a command's manual page, or what its --help says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"

/* Has the command say its help into fd. */
static int say_help(const struct cli_command *c, int fd)
{
	char *argv[] = {(char *)c->name, (char *)"--help", NULL};
	CLEANUP_FD int out = -1;
	int r;

	fflush(stdout);
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (out < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return -errno;
	r = c->run(2, argv);
	if (fflush(stdout) != 0)
		r = -EIO;
	if (dup2(out, STDOUT_FILENO) < 0)
		return -errno;
	return r;
}

char *cli_help_text(const struct cli_command *c)
{
	CLEANUP_FD int fd = memfd_create("help", MFD_CLOEXEC);
	char *text;
	struct stat st;

	if (fd < 0 || say_help(c, fd) != 0 || fstat(fd, &st) < 0)
		return NULL;
	text = calloc(1, (size_t)st.st_size + 1);
	if (text && pread(fd, text, (size_t)st.st_size, 0) != st.st_size) {
		free(text);
		text = NULL;
	}
	return text;
}

/* True: man has shown it. */
static bool show_page(const char *page)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* That there is no page, or no man, is no matter. */
		CLEANUP_FD int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null >= 0)
			dup2(null, STDERR_FILENO);
		execlp("man", "man", page, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int cmd_help(int argc, char **argv)
{
	const struct cli_command *c = NULL;
	char *own[] = {NULL, (char *)"--help", NULL};
	char page[64];

	if (argc > 2)
		return cli_usage("help: '%s' is one word too many: vmlan help "
				 "COMMAND",
				 argv[2]);
	c = cli_command_find(argv[1]);
	if (!c || !c->help)
		return cli_usage("help: unknown command '%s'; see vmlan --help",
				 argv[1]);
	snprintf(page, sizeof(page), "vmlan-%s", c->name);
	if (show_page(page))
		return EXIT_DONE;
	own[0] = (char *)c->name;
	return c->run(2, own);
}
