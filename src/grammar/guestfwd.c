/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules of guestfwd= and the commands in them; called by user_opts.c and the
 * keeper. */
#include "grammar/guestfwd.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/number.h"

static const char targets[] =
	"the target is none of cmd:COMMAND, tcp:HOST:PORT and unix:PATH";

/* Copies n bytes of text; false if they do not fit. */
static bool copy(char *out, size_t size, const char *text, size_t n)
{
	if (n >= size)
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* One word from *pp into *wp; returns why not, or NULL. */
static const char *take_word(const char **pp, char **wp)
{
	const char *p = *pp;
	char *w = *wp;
	char quoting = 0;

	for (; *p && (quoting || !is_blank(*p)); p++) {
		if (quoting != '\'' && *p == '\\') {
			/* between double quotes only these are special */
			if (quoting && !strchr("\"\\$`", p[1])) {
				*w++ = *p;
				continue;
			}
			if (!*++p)
				return "it ends with a backslash";
			*w++ = *p;
		} else if (!quoting && (*p == '"' || *p == '\'')) {
			quoting = *p;
		} else if (*p == quoting) {
			quoting = 0;
		} else {
			*w++ = *p;
		}
	}
	*w++ = '\0';
	*pp = p;
	*wp = w;
	return quoting ? "a quote in it is not closed" : NULL;
}

const char *command_split(const char *text, char *buf,
			  char *argv[GUESTFWD_ARGS_MAX + 1])
{
	const char *p = text, *why;
	char *w = buf;
	unsigned n = 0;

	/* A word and its NUL take no more than the word and its blank. */
	if (strlen(text) >= GUESTFWD_TARGET_LEN)
		return "it is too long";
	for (;;) {
		while (is_blank(*p))
			p++;
		if (!*p)
			break;
		if (n == GUESTFWD_ARGS_MAX)
			return "it has too many words";
		argv[n++] = w;
		why = take_word(&p, &w);
		if (why)
			return why;
	}
	argv[n] = NULL;
	if (!n)
		return "it is empty";
	return *argv[0] ? NULL : "its first word is empty";
}

static const char *parse_cmd(const char *text, struct guestfwd_rule *r)
{
	char buf[GUESTFWD_TARGET_LEN];
	char *argv[GUESTFWD_ARGS_MAX + 1];

	r->kind = GUESTFWD_CMD;
	if (!copy(r->target, sizeof(r->target), text, strlen(text)))
		return "the command: it is too long";
	return command_split(text, buf, argv);
}

static const char *parse_unix(const char *path, struct guestfwd_rule *r)
{
	r->kind = GUESTFWD_UNIX;
	if (*path != '/')
		return "the socket's path must be absolute";
	if (strchr(path, ','))
		return "options of a chardev are not built; give the path "
		       "only";
	if (strlen(path) > 107)
		return "the socket's path is too long";
	return copy(r->target, sizeof(r->target), path, strlen(path)) ? NULL
								      : targets;
}

/* A service's name, or a number that is a port: a resolver would take any. */
static bool is_port(const char *text)
{
	uint64_t n;
	bool too_big;

	if (text[strspn(text, "0123456789")])
		return isalnum((unsigned char)*text);
	/* decimal, so no leading zeros as octal */
	while (*text == '0' && text[1])
		text++;
	return number_parse(text, UINT16_MAX, &n, &too_big) && n;
}

/* "HOST:PORT", "[IPV6]:PORT" */
static const char *parse_tcp(const char *text, struct guestfwd_rule *r)
{
	const char *colon = strrchr(text, ':');

	r->kind = GUESTFWD_TCP;
	if (strchr(text, ','))
		return "options of a chardev are not built; give tcp:HOST:PORT "
		       "only";
	if (!colon)
		return "the target's port is missing, tcp:HOST:PORT";
	if (!copy(r->port, sizeof(r->port), colon + 1, strlen(colon + 1)) ||
	    !is_port(r->port))
		return "bad port of the target";
	if (*text == '[' && colon > text + 1 && colon[-1] == ']') {
		text++;
		colon--;
	}
	if (colon == text)
		return "the target's host is missing, tcp:HOST:PORT";
	return copy(r->target, sizeof(r->target), text,
		    (size_t)(colon - text))
		       ? NULL
		       : "the target's host is too long";
}

static const char *parse_target(const char *text, struct guestfwd_rule *r)
{
	static const char *const later[] = {"stdio", "pty", "file:", "chardev:",
					    "udp:", "vc", "null", "pipe:"};

	if (!strncmp(text, "cmd:", 4))
		return parse_cmd(text + 4, r);
	if (!strncmp(text, "unix:", 5))
		return parse_unix(text + 5, r);
	if (!strncmp(text, "tcp:", 4))
		return parse_tcp(text + 4, r);
	for (size_t i = 0; i < array_len(later); i++) {
		if (!strncmp(text, later[i], strlen(later[i])))
			return "this chardev is not built; cmd:, tcp: and "
			       "unix: are";
	}
	return targets;
}

/* "[SERVER]:PORT-"; *pp is left behind it. */
static const char *parse_server(const char **pp, struct guestfwd_rule *r)
{
	const char *from = *pp, *colon, *dash;
	char field[64];
	uint64_t port;
	bool too_big;

	if (*from == '[' && (!ip6_take(&from, &r->server.ip) ||
			     addr_is_unspecified(&r->server.ip)))
		return "Bad server address";
	colon = strchr(from, ':');
	dash = colon ? strchr(colon, '-') : NULL;
	if (!colon)
		return "Missing : separator";
	if (!copy(field, sizeof(field), from, (size_t)(colon - from)) ||
	    (from > *pp && *field))
		return "Bad server address";
	if (*field && !ip4_parse(field, &r->server.ip))
		return "Bad server address";
	if (!dash)
		return "Missing - separator";
	if (!copy(field, sizeof(field), colon + 1,
		  (size_t)(dash - colon - 1)) ||
	    !number_parse(field, UINT16_MAX, &port, &too_big) || !port)
		return "Bad server port";
	r->server.port = (uint16_t)port;
	*pp = dash + 1;
	return NULL;
}

int guestfwd_parse(const char *text, struct guestfwd_rule *rp, struct error *e)
{
	struct guestfwd_rule r = {.server.ip = addr_v4(0, 0, 0, 0)};
	const char *p = text, *why = NULL;
	char q[QUOTE_LEN];

	if (!strncmp(p, "tcp:", 4))
		p += 4;
	else if (*p == ':')
		p++;
	else
		why = "Bad protocol name, only tcp is there";
	if (!why)
		why = parse_server(&p, &r);
	if (!why)
		why = parse_target(p, &r);
	if (why)
		return error_set(e, EXIT_USAGE,
				 "Invalid guest forwarding rule '%s' (%s)",
				 quote(q, text), why);
	*rp = r;
	return 0;
}
