/* SPDX-License-Identifier: BSD-3-Clause */
/* One-line errors for people; see error.h. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum exit_code code_of(int err)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return EXIT_PERMISSION;
	case EADDRINUSE:
	case EEXIST:
	case EBUSY:
		return EXIT_CONFLICT;
	default: /* every other errno is a plain failure */
		return EXIT_FAILED;
	}
}

int error_set(struct error *e, enum exit_code code, const char *fmt, ...)
{
	va_list ap;

	if (!e || e->code != EXIT_DONE)
		return -1;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

int error_errno(struct error *e, int err, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	if (err < 0)
		err = -err;
	if (!e || e->code != EXIT_DONE)
		return -err;
	e->code = code_of(err);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(err));
	return -err;
}

void error_prefix(struct error *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	va_list ap;
	size_t len;

	if (!e || e->code == EXIT_DONE)
		return;
	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, "%s", old);
}
