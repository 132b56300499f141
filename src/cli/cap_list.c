/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan cap NETWORK ls: which captures run, and which are kept. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cap.h"
#include "cli/ctl.h"
#include "control/protocol.h"

/* Those of that machine, "": all, with the network's name in front. */
static json_t *select_of(const char *network, const char *machine,
			 const json_t *all)
{
	json_t *list = json_array(), *c;
	size_t i;

	json_array_foreach(all, i, c) {
		json_t *o;

		if (*machine && strcmp(ctl_str(c, "machine"), machine) != 0)
			continue;
		o = json_pack("{s:s}", "network", network);
		if (!o || json_object_update(o, c) ||
		    json_array_append(list, o)) {
			json_decref(o);
			json_decref(list);
			return NULL;
		}
		json_decref(o);
	}
	return list;
}

static void print_row(const json_t *c)
{
	const char *machine = ctl_str(c, "machine");
	char frames[32] = "whole";

	if (ctl_int(c, "snaplen") < CONTROL_SNAP_MAX)
		snprintf(frames, sizeof(frames), "%d bytes",
			 ctl_int(c, "snaplen"));
	printf("%-7d %-20s %-6s %6d MiB  %s\n", ctl_int(c, "number"),
	       *machine ? machine : "-", ctl_bool(c, "kept") ? "kept" : "runs",
	       ctl_int(c, "memory") >> 20, frames);
}

int cap_list(const char *network, const char *machine, bool is_json,
	     struct error *e)
{
	json_t *o = NULL, *list, *c;
	size_t i;
	int r = ctl_ask(network, "GET", CONTROL_CAPTURES, NULL, &o, e);

	if (r == -ENOENT)
		return error_set(e, EXIT_NO_NETWORK, "%s has just ended",
				 network);
	if (r < 0)
		return r;
	list = select_of(network, machine, json_object_get(o, "captures"));
	json_decref(o);
	if (!list)
		return error_errno(e, ENOMEM, "cap");
	if (is_json)
		ctl_print(list);
	else if (json_array_size(list))
		printf("%-7s %-20s %-6s %10s  %s\n", "NUMBER", "MACHINE",
		       "STATE", "MEMORY", "FRAMES");
	if (!is_json)
		json_array_foreach(list, i, c)
			print_row(c);
	json_decref(list);
	return 0;
}
