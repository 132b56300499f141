/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan macs: what the switch of a network knows. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/listing.h"
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

static int ask(const char *name, json_t **op, struct error *e)
{
	return find_network("macs", name, CONTROL_MACS, op, e);
}

static void print(const json_t *o)
{
	print_table(json_object_get(o, "macs"));
}

int cmd_macs(int argc, char **argv)
{
	static const struct listing macs = {"macs", usage, "name the network",
					    ask, print};

	return listing_run(&macs, argc, argv);
}
