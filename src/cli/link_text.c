/* SPDX-License-Identifier: BSD-3-Clause */
/* A machine's cable in words; see link_text.h. */
#include "cli/link_text.h"

#include <stdio.h>

#include "cli/ctl.h"
#include "grammar/link_opts.h"

static void put_way(FILE *f, const json_t *o, const char *label)
{
	const char *key;
	json_t *v;

	if (!json_object_size(o))
		return;
	fputs(label, f);
	json_object_foreach((json_t *)(uintptr_t)o, key, v)
		fprintf(f, " %s=%s", key, ctl_text(v));
}

static void put_link(FILE *f, const json_t *o)
{
	const json_t *to = json_object_get(o, "to");
	const json_t *from = json_object_get(o, "from");
	const json_t *seed = json_object_get(o, "seed");

	fputs(!o || ctl_bool(o, "up") ? "up" : "down", f);
	if (json_object_size(to) && json_equal(to, from)) {
		put_way(f, to, ", to and from");
	} else {
		put_way(f, to, ", to");
		put_way(f, from, ", from");
	}
	if (seed)
		fprintf(f, ", seed %" JSON_INTEGER_FORMAT,
			json_integer_value(seed));
}

char *link_words(const json_t *o)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	put_link(f, o);
	return fclose(f) == 0 ? text : NULL;
}

void link_print(const char *label, const char *machine, const json_t *o)
{
	const json_t *left = json_object_get(o, "left-ms");
	char text[LINK_VALUE_LEN];

	printf("%s%s: ", label, machine);
	put_link(stdout, o);
	if (left) {
		link_time_format((uint64_t)json_integer_value(left) * 1000000,
				 text);
		printf(", for %s more", text);
	}
	putchar('\n');
}
