/* SPDX-License-Identifier: BSD-3-Clause */
/* Forwarded ports in words; see forward.h. */
#include "cli/forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/ctl.h"

static const char v4_start[] = "127.0.0.1:", v6_start[] = "[::1]:";

/* What is behind start in f's member host; NULL: it begins otherwise. */
static const char *behind(const json_t *f, const char *start)
{
	const char *host = ctl_str(f, "host");
	size_t n = strlen(start);

	return strncmp(host, start, n) == 0 ? host + n : NULL;
}

/* What 127.0.0.1 and ::1 have in common where a person calls both localhost;
 * the caller frees.  NULL: f has another address, or no memory. */
static char *key_of(const json_t *f, const char *start)
{
	const char *port = behind(f, start);
	char *key;

	if (!port || asprintf(&key, "%s %s %s", port, ctl_str(f, "proto"),
			      ctl_str(f, "guest")) < 0)
		return NULL;
	return key;
}

/* Each is looked up by its key: there may be thousands. */
json_t *forward_pairs(const json_t *list)
{
	json_t *pairs = json_object(), *f;
	size_t i;

	json_array_foreach(list, i, f)
	{
		CLEANUP_FREE char *key = key_of(f, v4_start);

		if (key)
			(void)json_object_set_new(pairs, key, json_null());
	}
	json_array_foreach(list, i, f)
	{
		CLEANUP_FREE char *key = key_of(f, v6_start);

		if (key && json_object_get(pairs, key))
			(void)json_object_set(pairs, key, f);
	}
	return pairs;
}

bool forward_text(const json_t *f, const json_t *pairs,
		  char buf[static FORWARD_TEXT_LEN])
{
	CLEANUP_FREE char *v4 = key_of(f, v4_start);
	CLEANUP_FREE char *v6 = key_of(f, v6_start);
	const json_t *other = v4 ? json_object_get(pairs, v4) : NULL;

	if (v6 && json_is_object(json_object_get(pairs, v6)))
		return false;
	if (!json_is_object(other))
		other = NULL;
	snprintf(buf, FORWARD_TEXT_LEN, "%s %s%s%s -> %s",
		 ctl_str(f, "proto"), ctl_str(f, "host"),
		 other ? " and " : "", other ? ctl_str(other, "host") : "",
		 ctl_str(f, "guest"));
	return true;
}
