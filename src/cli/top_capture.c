/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures that vmlan top started; see top_capture.h. */
#include "cli/top_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/protocol.h"
#include "os/clock.h"

enum {
	FILE_LEN = 2 * CONTROL_NAME_LEN + 48,
	END_WAIT_MS = 5000, /* until one is killed */
	TRIES = 100,	    /* names of a file */
};

struct capture {
	struct list link;
	char machine[CONTROL_NAME_LEN];
	char file[FILE_LEN];
	pid_t pid;
	int words; /* owned: what it says on standard error */
};

/* "lab-web-20260922-224501.pcapng", and a number if that is there. */
static int name_file(char file[FILE_LEN], const char *network,
		     const char *machine)
{
	time_t now = time(NULL);
	char stamp[24] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	for (unsigned i = 1; i <= TRIES; i++) {
		char number[16] = "";

		if (i > 1)
			snprintf(number, sizeof(number), "-%u", i);
		snprintf(file, FILE_LEN, "%s-%s-%s%s.pcapng", network, machine,
			 stamp, number);
		if (access(file, F_OK) < 0 && errno == ENOENT)
			return 0;
	}
	return -EEXIST;
}

/* Nobody's keys, and all signals as they were when vmlan began. */
static void be_capture(const char *what, char *file, int words, pid_t parent)
{
	char *argv[] = {(char *)"vmlan", (char *)"cap", (char *)what,
			(char *)"-w", file, NULL};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(words, 2);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_FAILED);
	execv("/proc/self/exe", argv);
	_exit(EXIT_FAILED);
}

static int start(struct capture *c, const char *network, struct error *e)
{
	char what[2 * CONTROL_NAME_LEN];
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(e, errno, "pipe");
	snprintf(what, sizeof(what), "%s/%s", network, c->machine);
	c->pid = fork();
	if (c->pid == 0)
		be_capture(what, c->file, ends[1], parent);
	close(ends[1]);
	if (c->pid < 0) {
		int r = error_errno(e, errno, "fork");

		close(ends[0]);
		return r;
	}
	c->words = ends[0];
	return 0;
}

int top_capture_begin(struct list *captures, const char *network,
		      const char *machine, char said[TOP_SAID_LEN],
		      struct error *e)
{
	struct capture *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_errno(e, ENOMEM, "capture");
	snprintf(c->machine, sizeof(c->machine), "%s", machine);
	r = name_file(c->file, network, machine);
	r = r < 0 ? error_errno(e, r, "%s", c->file) : start(c, network, e);
	if (r < 0) {
		free(c);
		return r;
	}
	list_add_tail(captures, &c->link);
	snprintf(said, TOP_SAID_LEN, "capturing %s into %s; c ends it", machine,
		 c->file);
	return 0;
}

static struct capture *find(const struct list *captures, const char *machine)
{
	list_each(it, captures) {
		struct capture *c = container_of(it, struct capture, link);

		if (strcmp(c->machine, machine) == 0)
			return c;
	}
	return NULL;
}

bool top_capture_has(const struct list *captures, const char *machine)
{
	return find(captures, machine) != NULL;
}

bool top_capture_stop(struct list *captures, const char *machine)
{
	struct capture *c = find(captures, machine);

	return c && kill(c->pid, SIGINT) == 0;
}

/* Its words' last line, without who says it. */
static void last_line(const struct capture *c, char said[TOP_SAID_LEN])
{
	static const char *const heads[] = {"vmlan: ", "error: "};
	char words[4096];
	ssize_t n = read(c->words, words, sizeof(words) - 1);
	char *line = words, *end;

	words[n > 0 ? n : 0] = '\0';
	end = words + strlen(words);
	while (end > words && end[-1] == '\n')
		*--end = '\0';
	for (char *p = words; (p = strchr(p, '\n')); line = ++p)
		;
	for (size_t i = 0; i < array_len(heads); i++) {
		if (strncmp(line, heads[i], strlen(heads[i])) == 0)
			line += strlen(heads[i]);
	}
	snprintf(said, TOP_SAID_LEN, "%s: %.300s", c->file,
		 *line ? line : "the capture has ended without a word");
}

static void forget(struct capture *c)
{
	list_del(&c->link);
	fd_close(&c->words);
	free(c);
}

bool top_capture_reap(struct list *captures, char said[TOP_SAID_LEN])
{
	list_each_safe(it, captures) {
		struct capture *c = container_of(it, struct capture, link);

		if (waitpid(c->pid, NULL, WNOHANG) != c->pid)
			continue;
		last_line(c, said);
		forget(c);
		return true;
	}
	return false;
}

void top_capture_end(struct list *captures)
{
	int64_t until = now_ms() + END_WAIT_MS;
	char said[TOP_SAID_LEN];

	list_each(it, captures)
		kill(container_of(it, struct capture, link)->pid, SIGINT);
	list_each_safe(it, captures) {
		struct capture *c = container_of(it, struct capture, link);
		CLEANUP_FD int fd =
			(int)syscall(SYS_pidfd_open, c->pid, 0);

		if (fd < 0 || clock_await(fd, POLLIN, until) < 0)
			kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		last_line(c, said);
		fprintf(stderr, "vmlan: %s\n", said);
		forget(c);
	}
}
