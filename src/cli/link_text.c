/* SPDX-License-Identifier: BSD-3-Clause */
/* A machine's cable in words; see link_text.h. */
#include "cli/link_text.h"

#include <stdio.h>

#include "cli/ctl.h"
#include "grammar/link_opts.h"

static void print_way(const json_t *o, const char *label)
{
	const char *key;
	json_t *v;

	if (!json_object_size(o))
		return;
	printf("%s", label);
	json_object_foreach((json_t *)(uintptr_t)o, key, v)
		printf(" %s=%s", key, json_string_value(v));
}

void link_print(const char *label, const char *machine, const json_t *o)
{
	const json_t *to = json_object_get(o, "to");
	const json_t *from = json_object_get(o, "from");
	const json_t *seed = json_object_get(o, "seed");
	const json_t *left = json_object_get(o, "left-ms");
	char text[LINK_VALUE_LEN];

	printf("%s%s: %s", label, machine, ctl_bool(o, "up") ? "up" : "down");
	if (json_object_size(to) && json_equal(to, from)) {
		print_way(to, ", to and from");
	} else {
		print_way(to, ", to");
		print_way(from, ", from");
	}
	if (seed)
		printf(", seed %" JSON_INTEGER_FORMAT,
		       json_integer_value(seed));
	if (left) {
		link_time_format((uint64_t)json_integer_value(left) * 1000000,
				 text);
		printf(", for %s more", text);
	}
	putchar('\n');
}
