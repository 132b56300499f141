/* SPDX-License-Identifier: BSD-3-Clause */
/* The head of an HTTP answer; see answer.h. */
#include "control/answer.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "control/protocol.h"

/* A line of the head: its length without the line's end. */
static bool next_line(const char **pp, const char *end, const char **linep,
		      size_t *lenp)
{
	const char *p = *pp;
	const char *nl = memchr(p, '\n', (size_t)(end - p));

	if (!nl)
		return false;
	*linep = p;
	*lenp = (size_t)(nl - p);
	if (*lenp && p[*lenp - 1] == '\r')
		(*lenp)--;
	*pp = nl + 1;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK" */
static int status_of(const char *line, size_t len)
{
	static const char version[] = "HTTP/1.1 ";
	size_t at = sizeof(version) - 1;
	int status = 0;

	if (len < at + 3 || memcmp(line, version, at) != 0)
		return -EPROTO;
	for (size_t i = at; i < at + 3; i++) {
		if (!is_digit(line[i]))
			return -EPROTO;
		status = status * 10 + (line[i] - '0');
	}
	if (len > at + 3 && line[at + 3] != ' ')
		return -EPROTO;
	return status >= 100 ? status : -EPROTO;
}

/* The number of "Content-Length: N", -ENOENT for another line. */
static long length_of(const char *line, size_t len)
{
	static const char name[] = "content-length:";
	size_t at = sizeof(name) - 1;
	long n = 0;

	if (len < at || strncasecmp(line, name, at) != 0)
		return -ENOENT;
	while (at < len && line[at] == ' ')
		at++;
	if (at == len)
		return -EPROTO;
	for (; at < len; at++) {
		if (!is_digit(line[at]))
			return -EPROTO;
		n = n * 10 + (line[at] - '0');
		if (n > CONTROL_ANSWER_MAX)
			return -EPROTO;
	}
	return n;
}

int control_answer_parse(const char *text, size_t len,
			 struct control_answer *a)
{
	const char *p = text, *end = text + len, *line;
	long n_body = -ENOENT;
	bool has_head = false;
	size_t n;

	if (len > CONTROL_ANSWER_MAX)
		return -EPROTO;
	if (!next_line(&p, end, &line, &n))
		return -EAGAIN;
	a->status = status_of(line, n);
	if (a->status < 0)
		return -EPROTO;
	while (!has_head && next_line(&p, end, &line, &n)) {
		long got = length_of(line, n);

		has_head = n == 0;
		if (got == -EPROTO || (got >= 0 && n_body >= 0))
			return -EPROTO;
		if (got >= 0)
			n_body = got;
	}
	if (!has_head)
		return -EAGAIN;
	if (n_body < 0)
		return -EPROTO; /* what serves us says it always */
	if ((size_t)(end - p) < (size_t)n_body)
		return -EAGAIN;
	a->body = p;
	a->n_body = (size_t)n_body;
	return 0;
}
