/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan flows: who of a network speaks to whom. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/listing.h"
#include "cli/units.h"
#include "control/protocol.h"

static const char usage[] =
	"usage: vmlan flows [--json] NETWORK|VM|NETWORK/VM\n"
	"Lists the connections of a network's machines, or of one: what they\n"
	"looked the other end up by, state, age, bytes both ways, and of TCP\n"
	"the round trip to the machine and what was sent to it again.\n"
	"  --json           as a JSON object\n";

enum { COLUMNS = 11, CELL = 320 };

/* The last ones are numbers, and end at the right. */
enum { FIRST_NUMBER = 5 };

static const char *const heads[COLUMNS] = {
	"PROTO", "MACHINE", "GUEST", "PEER", "STATE", "AGE", "IDLE",
	"SENT", "RECEIVED", "RTT", "AGAIN",
};

/* "192.0.2.1:443 (example.org)"; "<-" before one that called the guest. */
static void print_peer(const json_t *f, char *buf)
{
	const char *name = ctl_str(f, "name");
	bool is_in = strcmp(ctl_str(f, "direction"), "in") == 0;

	snprintf(buf, CELL, "%s%s%s%s%s", is_in ? "<- " : "",
		 ctl_str(f, "peer"), *name ? " (" : "", name,
		 *name ? ")" : "");
}

static void fill(const json_t *f, char cell[COLUMNS][CELL])
{
	const char *machine = ctl_str(f, "machine");

	snprintf(cell[0], CELL, "%s", ctl_str(f, "proto"));
	snprintf(cell[1], CELL, "%s", *machine ? machine : "-");
	snprintf(cell[2], CELL, "%s", ctl_str(f, "guest"));
	print_peer(f, cell[3]);
	snprintf(cell[4], CELL, "%s", ctl_str(f, "state"));
	units_age(ctl_count(f, "age-ms"), cell[5]);
	units_age(ctl_count(f, "idle-ms"), cell[6]);
	units_bytes(ctl_count(f, "sent-bytes"), cell[7]);
	units_bytes(ctl_count(f, "received-bytes"), cell[8]);
	cell[9][0] = cell[10][0] = '\0';
	if (json_object_get(f, "rtt-us"))
		units_us(ctl_count(f, "rtt-us"), cell[9]);
	if (json_object_get(f, "retransmissions"))
		snprintf(cell[10], CELL, "%llu",
			 (unsigned long long)ctl_count(f, "retransmissions"));
}

static void print_row(char cell[COLUMNS][CELL], const int width[COLUMNS])
{
	for (unsigned i = 0; i < COLUMNS; i++)
		printf("%*s%s", i < FIRST_NUMBER ? -width[i] : width[i],
		       cell[i], i + 1 < COLUMNS ? "  " : "\n");
}

static void print_table(const json_t *list)
{
	char cell[COLUMNS][CELL];
	int width[COLUMNS];
	size_t k;
	json_t *f;

	for (unsigned i = 0; i < COLUMNS; i++)
		width[i] = (int)strlen(heads[i]);
	json_array_foreach(list, k, f) {
		fill(f, cell);
		for (unsigned i = 0; i < COLUMNS; i++) {
			int n = (int)strlen(cell[i]);

			width[i] = n > width[i] ? n : width[i];
		}
	}
	for (unsigned i = 0; i < COLUMNS; i++)
		snprintf(cell[i], CELL, "%s", heads[i]);
	if (json_array_size(list))
		print_row(cell, width);
	json_array_foreach(list, k, f) {
		fill(f, cell);
		print_row(cell, width);
	}
}

static int ask(const char *text, json_t **op, struct error *e)
{
	char network[CONTROL_NAME_LEN], machine[CONTROL_NAME_LEN];
	char path[sizeof(CONTROL_FLOWS) + CONTROL_NAME_LEN + 16];
	int r = find_place(text, network, machine, e);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s%s%s", CONTROL_FLOWS,
		 machine[0] ? "?machine=" : "", machine);
	return find_network("flows", network, path, op, e);
}

static void print(const json_t *o)
{
	print_table(json_object_get(o, "flows"));
	if (ctl_bool(o, "more"))
		puts(".. and others: there are more than an answer holds");
}

int cmd_flows(int argc, char **argv)
{
	static const struct listing flows = {
		"flows", usage, "name the network, or a machine", ask, print};

	return listing_run(&flows, argc, argv);
}
