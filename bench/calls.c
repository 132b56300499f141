/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-calls: see calls.h.  0: all went well; 1: it did not (one line on
 * standard error says what); 2: a wrong command line.
 */
#include "bench/calls.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

char *text_room(struct text *t, size_t len)
{
	if (t->room - t->len < len) {
		t->room = (t->len + len) * 2;
		t->at = realloc(t->at, t->room);
		if (!t->at)
			die("no memory");
	}
	return t->at + t->len;
}

void text_add(struct text *t, const void *bytes, size_t len)
{
	if (len)
		memcpy(text_room(t, len), bytes, len);
	t->len += len;
}

int unix_socket(const char *path, bool listens)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (strlen(path) >= sizeof(sa.sun_path))
		die("%s: too long for a socket", path);
	strcpy(sa.sun_path, path);
	if (fd < 0)
		die("socket: %m");
	if (listens) {
		rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
		if (!rc)
			rc = listen(fd, 1000);
	} else {
		rc = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	}
	if (rc)
		die("%s: %m", path);
	return fd;
}

int main(int argc, char **argv)
{
	struct args args;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1) {
		args_init(&args, argc - 2, argv + 2);
		if (!strcmp(argv[1], "run"))
			return calls_run(&args);
		if (!strcmp(argv[1], "placebo"))
			return calls_placebo(&args);
	}
	fprintf(stderr, "bench-calls run SOCKET PLAN [secs=0]"
			" [vmlan=PATH network=NAME]\n"
			"bench-calls placebo SOCKET ANSWERS\n");
	return 2;
}
