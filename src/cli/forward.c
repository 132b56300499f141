/* SPDX-License-Identifier: BSD-3-Clause */
/* Forwarded ports in words; see forward.h. */
#include "cli/forward.h"

#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"

/* What is behind start in f's member host; NULL: it begins otherwise. */
static const char *behind(const json_t *f, const char *start)
{
	const char *host = ctl_str(f, "host");
	size_t n = strlen(start);

	return strncmp(host, start, n) == 0 ? host + n : NULL;
}

static bool is_same(const json_t *a, const json_t *b, const char *key)
{
	return strcmp(ctl_str(a, key), ctl_str(b, key)) == 0;
}

/* Whether a's 127.0.0.1 and b's ::1 are what a person calls localhost. */
static bool is_localhost(const json_t *a, const json_t *b)
{
	const char *v4 = behind(a, "127.0.0.1:"), *v6 = behind(b, "[::1]:");

	return v4 && v6 && strcmp(v4, v6) == 0 && is_same(a, b, "proto") &&
	       is_same(a, b, "guest");
}

bool forward_text(const json_t *list, size_t i,
		  char buf[static FORWARD_TEXT_LEN])
{
	const json_t *f = json_array_get(list, i), *v6 = NULL;

	for (size_t k = 0; k < json_array_size(list); k++) {
		const json_t *other = json_array_get(list, k);

		if (is_localhost(other, f))
			return false;
		if (is_localhost(f, other))
			v6 = other;
	}
	snprintf(buf, FORWARD_TEXT_LEN, "%s %s%s%s -> %s",
		 ctl_str(f, "proto"), ctl_str(f, "host"), v6 ? " and " : "",
		 v6 ? ctl_str(v6, "host") : "", ctl_str(f, "guest"));
	return true;
}
