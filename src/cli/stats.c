/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan stats: what a network has counted, in words or JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/listing.h"
#include "cli/units.h"
#include "control/protocol.h"

static const char usage[] =
	"usage: vmlan stats [--json] NAME\n"
	"Tells what a network that runs has lost, and why: how many frames,\n"
	"packets or questions for each reason; what went through each port of\n"
	"its LAN; and what else is counted.\n"
	"  --json           as a JSON object\n";

static void print_drops(const json_t *o)
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

static const char *state_of(const json_t *p)
{
	if (ctl_bool(p, "up"))
		return "up";
	return ctl_bool(p, "connected") ? "down" : "no peer";
}

/* RX is what came from the machine, TX what went to it. */
static void print_ports(const json_t *ports)
{
	int name = 4, kind = 4;
	size_t i;
	json_t *p;

	json_array_foreach(ports, i, p) {
		int n = (int)strlen(ctl_str(p, "name"));
		int k = (int)strlen(ctl_str(p, "kind"));

		name = n > name ? n : name;
		kind = k > kind ? k : kind;
	}
	if (json_array_size(ports))
		printf("\n%-*s  %-*s  %-7s  %9s %10s %7s  %9s %10s %7s\n", name,
		       "PORT", kind, "KIND", "STATE", "RX", "FRAMES", "DROPS",
		       "TX", "FRAMES", "DROPS");
	json_array_foreach(ports, i, p) {
		char rx[UNITS_LEN], tx[UNITS_LEN], b[4][UNITS_LEN];

		printf("%-*s  %-*s  %-7s  %9s %10s %7s  %9s %10s %7s\n", name,
		       ctl_str(p, "name"), kind, ctl_str(p, "kind"),
		       state_of(p), units_bytes(ctl_count(p, "rx-bytes"), rx),
		       units_count((double)ctl_count(p, "rx-frames"), b[0]),
		       units_count((double)ctl_count(p, "rx-drops"), b[1]),
		       units_bytes(ctl_count(p, "tx-bytes"), tx),
		       units_count((double)ctl_count(p, "tx-frames"), b[2]),
		       units_count((double)ctl_count(p, "tx-drops"), b[3]));
	}
}

static bool is_bytes(const char *name)
{
	const char *end = strrchr(name, '-');

	return end && strcmp(end, "-bytes") == 0;
}

/* What is 0 is not worth a line. */
static void print_counters(const json_t *counters)
{
	char text[UNITS_LEN];
	bool is_first = true;
	size_t i;
	json_t *c;

	json_array_foreach(counters, i, c) {
		uint64_t n = ctl_count(c, "count");

		if (!n)
			continue;
		if (is_first)
			putchar('\n');
		is_first = false;
		if (is_bytes(ctl_str(c, "name")))
			units_bytes(n, text);
		else
			snprintf(text, sizeof(text), "%llu",
				 (unsigned long long)n);
		printf("%10s  %-47s  %s\n", text, ctl_str(c, "text"),
		       ctl_str(c, "name"));
	}
}

static int ask(const char *name, json_t **op, struct error *e)
{
	return find_network("stats", name, CONTROL_STATS, op, e);
}

static void print(const json_t *o)
{
	print_drops(o);
	print_ports(json_object_get(o, "ports"));
	print_counters(json_object_get(o, "counters"));
}

int cmd_stats(int argc, char **argv)
{
	static const struct listing stats = {"stats", usage,
					     "name the network", ask, print};

	return listing_run(&stats, argc, argv);
}
