/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that only show; see listing.h. */
#include "cli/listing.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/start.h"

static int list(const struct listing *l, const char *name, bool is_json)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;

	if (l->ask(name, &o, &e) < 0)
		return cli_fail(&e);
	if (is_json)
		ctl_print(o);
	else
		l->print(o);
	json_decref(o);
	return EXIT_DONE;
}

int listing_run(const struct listing *l, int argc, char **argv)
{
	const char *name = NULL;
	bool is_json = false;

	for (int i = 1; i < argc; i++) {
		if (cli_helps(argv[i], l->usage))
			return EXIT_DONE;
		if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (argv[i][0] == '-' || name)
			return cli_usage("%s: '%s' is one word too many; see "
					 "vmlan %s --help",
					 l->command, argv[i], l->command);
		else
			name = argv[i];
	}
	if (!name)
		return cli_usage("%s: %s; vmlan ls lists them", l->command,
				 l->unnamed);
	start_sweep();
	return list(l, name, is_json);
}
