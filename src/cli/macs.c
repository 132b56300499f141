/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan macs: what the switch of a network knows. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/start.h"
#include "cli/units.h"
#include "control/protocol.h"

static const char usage[] =
	"usage: vmlan macs [--json] NETWORK\n"
	"Lists the MAC addresses that a network's switch knows: the port that\n"
	"each is behind, since when it was not seen, and the IP addresses of\n"
	"the machine there.\n"
	"  --json           as a JSON object\n";

static int port_width(const json_t *list)
{
	int width = 4;
	size_t i;
	json_t *m;

	json_array_foreach(list, i, m) {
		int n = (int)strlen(ctl_str(m, "port"));

		width = n > width ? n : width;
	}
	return width;
}

static void print_table(const json_t *list)
{
	int width = port_width(list);
	char idle[UNITS_LEN];
	size_t i, k;
	json_t *m, *a;

	if (json_array_size(list))
		printf("%-17s  %-*s  %9s  %s\n", "MAC", width, "PORT", "IDLE",
		       "ADDRESSES");
	json_array_foreach(list, i, m) {
		printf("%-17s  %-*s  %9s", ctl_str(m, "mac"), width,
		       ctl_str(m, "port"),
		       units_age(ctl_count(m, "idle-ms"), idle));
		json_array_foreach(json_object_get(m, "addresses"), k, a)
			printf("%s%s", k ? " " : "  ", ctl_text(a));
		putchar('\n');
	}
}

static int macs(const char *name, bool is_json)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;

	if (find_network("macs", name, CONTROL_MACS, &o, &e) < 0)
		return cli_fail(&e);
	if (is_json)
		ctl_print(o);
	else
		print_table(json_object_get(o, "macs"));
	json_decref(o);
	return EXIT_DONE;
}

int cmd_macs(int argc, char **argv)
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
			return cli_usage("macs: '%s' is one word too many; "
					 "see vmlan macs --help",
					 argv[i]);
		else
			name = argv[i];
	}
	if (!name)
		return cli_usage("macs: name the network; vmlan ls lists them");
	start_sweep();
	return macs(name, is_json);
}
