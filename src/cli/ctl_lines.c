/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An answer that goes on, a line at a time; see ctl.h.  It is asked for by
 * HTTP/1.0, so that it comes as it is, up to the connection's end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl.h"

/* "HTTP/1.1 200 OK", and what is behind it up to an empty line: the status, or
 * a negative errno. */
static int read_head(FILE *f)
{
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	int status = 0;

	if (getline(&line, &room, f) < 0)
		return -ENOENT;
	if (sscanf(line, "HTTP/1.%*1d %3d", &status) != 1)
		return -EPROTO;
	do {
		if (getline(&line, &room, f) < 0)
			return -ENOENT;
	} while (line[strspn(line, "\r\n")]);
	return status;
}

/* Why there are no lines. */
static int take_refusal(const char *name, int status, FILE *f, struct error *e)
{
	char text[4096];
	struct control_answer a = {.status = status, .body = text};
	json_t *ignored = NULL;
	int r;

	a.n_body = fread(text, 1, sizeof(text), f);
	r = ctl_judge(name, &a, &ignored, e);
	json_decref(ignored);
	return r;
}

static void take_lines(FILE *f, ctl_lines_fn *fn, void *arg)
{
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	ssize_t n;

	do {
		n = getline(&line, &room, f);
		/* One that is cut short is none. */
	} while (n > 0 && line[n - 1] == '\n' && fn(arg, line, (size_t)n - 1));
}

int ctl_lines(const char *name, const char *path, ctl_lines_fn *fn, void *arg,
	      struct error *e)
{
	CLEANUP_FREE char *text = NULL;
	FILE *f = NULL;
	int fd, r;

	if (asprintf(&text, "GET %s HTTP/1.0\r\nHost: vmlan\r\n\r\n",
		     path) < 0) {
		text = NULL;
		return error_errno(e, ENOMEM, "%s", name);
	}
	fd = ctl_open(name, text, e);
	if (fd < 0)
		return fd;
	f = fdopen(fd, "r");
	if (!f) {
		fd_close(&fd);
		return error_errno(e, ENOMEM, "%s", name);
	}
	r = read_head(f);
	if (r == 200)
		take_lines(f, fn, arg);
	else if (r > 0)
		r = take_refusal(name, r, f, e);
	else if (r == -EPROTO)
		error_errno(e, r, "%s: its keeper answers what is no HTTP",
			    name);
	fclose(f);
	return r < 0 ? r : 0;
}
