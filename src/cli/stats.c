/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan stats: what a network has counted, in words or JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/start.h"
#include "control/protocol.h"

static const char usage[] =
	"usage: vmlan stats [--json] NAME\n"
	"Tells what a network that runs has lost, and why: how many frames,\n"
	"packets or questions for each reason.\n"
	"  --json           as a JSON object\n";

static void print_words(const json_t *o)
{
	const json_t *drops = json_object_get(o, "drops");
	size_t i;
	json_t *d;

	if (!json_array_size(drops))
		printf("nothing was lost on %s\n", ctl_str(o, "network"));
	json_array_foreach(drops, i, d)
		printf("%10" JSON_INTEGER_FORMAT "  %-47s  %s\n",
		       json_integer_value(json_object_get(d, "count")),
		       ctl_str(d, "text"), ctl_str(d, "name"));
}

static int stats(const char *name, bool is_json)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;

	if (find_network("stats", name, CONTROL_STATS, &o, &e) < 0)
		return cli_fail(&e);
	if (is_json)
		ctl_print(o);
	else
		print_words(o);
	json_decref(o);
	return EXIT_DONE;
}

int cmd_stats(int argc, char **argv)
{
	const char *name = NULL;
	bool is_json = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0) {
			fputs(usage, stdout);
			return EXIT_DONE;
		}
		if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (argv[i][0] == '-' || name)
			return cli_usage("stats: '%s' is one word too many; "
					 "see vmlan stats --help",
					 argv[i]);
		else
			name = argv[i];
	}
	if (!name)
		return cli_usage("stats: name the network; vmlan ls lists "
				 "them");
	start_sweep();
	return stats(name, is_json);
}
