/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan leases: who has which address from vmlan's DHCP servers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/start.h"
#include "control/protocol.h"
#include "control/request.h"

static const char usage[] =
	"usage: vmlan leases [--json] [NETWORK|VM|NETWORK/VM]\n"
	"Lists the addresses that vmlan has leased, of all networks that run,\n"
	"of one, or of one machine.\n"
	"  --json           as a JSON array\n";

static int no_memory(const char *whose, struct error *e)
{
	return error_set(e, EXIT_FAILED,
			 "the leases of %s are not all listed: vmlan is out of "
			 "memory; ask again when there is some",
			 whose);
}

/* Appends the leases of a network to list; card: of that MAC only, NULL: of
 * all. */
static int add_network(json_t *list, const char *network, const char *card,
		       struct error *e)
{
	json_t *o = NULL, *l;
	size_t i;
	int r = start_ask(network, "GET", CONTROL_LEASES, NULL, &o, e);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(o, "leases"), i, l) {
		if (card && strcmp(ctl_str(l, "mac"), card) != 0)
			continue;
		if (json_object_set_new(l, "network", json_string(network)) ||
		    json_array_append(list, l))
			r = no_memory(network, e);
	}
	json_decref(o);
	return r;
}

static int add_all(json_t *list, struct error *e)
{
	json_t *networks = json_array(), *o;
	size_t i;
	int r = networks ? ctl_ask_all(ctl_ask, networks, e)
			 : no_memory("all networks", e);

	json_array_foreach(networks, i, o) {
		int rc = add_network(list, ctl_str(o, "name"), NULL, e);

		if (rc < 0 && rc != -ENOENT) /* one that has just ended */
			r = rc;
	}
	json_decref(networks);
	return r;
}

static int add_machine(json_t *list, const char *text, struct error *e)
{
	struct found f = FOUND_NULL;
	const json_t *m;
	int r = find_machine(text, &f, e);

	if (r < 0)
		return r;
	m = find_in(f.o, f.machine);
	r = *ctl_str(m, "mac") ? add_network(list, f.network,
					     ctl_str(m, "mac"), e)
			       : 0;
	if (r == -ENOENT)
		error_set(e, EXIT_NO_NETWORK,
			  "network %s has just ended; vmlan ls lists those "
			  "that run",
			  f.network);
	found_deinit(&f);
	return r;
}

/* A network's name comes before a machine's. */
static int add_named(json_t *list, const char *text, struct error *e)
{
	int r = -ENOENT;

	if (!strchr(text, '/') && control_name_ok(text))
		r = add_network(list, text, NULL, e);
	return r == -ENOENT ? add_machine(list, text, e) : r;
}

/* ---- words ---- */

static void print_end(const json_t *l, char *buf, size_t len)
{
	const json_t *ends = json_object_get(l, "ends");
	time_t t = (time_t)json_integer_value(ends);
	struct tm tm;

	if (!ends)
		snprintf(buf, len, "never");
	else if (!localtime_r(&t, &tm) ||
		 !strftime(buf, len, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(buf, len, "?");
}

/* The columns of the table. */
#define ROW "%-16s %-24s %-17s %-16s %-6s %-19s %s\n"

static void print_row(const json_t *l)
{
	const char *id = ctl_str(l, "client-id"), *name = ctl_str(l, "name");
	char end[32];

	print_end(l, end, sizeof(end));
	printf(ROW, ctl_str(l, "network"),
	       ctl_str(l, "address"), ctl_str(l, "mac"), *name ? name : "-",
	       ctl_str(l, "state"), end, *id ? id : ctl_str(l, "duid"));
}

static void print_table(const json_t *list)
{
	size_t i;
	json_t *l;

	if (json_array_size(list))
		printf(ROW, "NETWORK", "ADDRESS", "MAC", "NAME", "STATE",
		       "ENDS", "CLIENT");
	json_array_foreach(list, i, l)
		print_row(l);
}

int cmd_leases(int argc, char **argv)
{
	struct error e = ERROR_NULL;
	const char *name = NULL;
	bool is_json = false;
	json_t *list;
	int r;

	for (int i = 1; i < argc; i++) {
		if (cli_helps(argv[i], usage))
			return EXIT_DONE;
		if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (argv[i][0] == '-')
			return cli_usage("leases: unknown word '%s'; see vmlan "
					 "leases --help",
					 argv[i]);
		else if (name)
			return cli_usage("leases: '%s' is one word too many; "
					 "see vmlan leases --help",
					 argv[i]);
		else
			name = argv[i];
	}
	start_sweep();
	list = json_array();
	if (!list) {
		no_memory(name ? name : "all networks", &e);
		return cli_fail(&e);
	}
	r = name ? add_named(list, name, &e) : add_all(list, &e);
	if (r < 0)
		cli_fail(&e); /* those that are known are listed */
	if (is_json && (r == 0 || !name))
		ctl_print(list);
	else if (!is_json)
		print_table(list);
	json_decref(list);
	return e.code;
}
