/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan events: what happens on a network, as it does, in words or JSON. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/start.h"
#include "control/protocol.h"

static const char usage[] =
	"usage: vmlan events [--json] [--since N|now] [--no-follow] NAME\n"
	"Tells what happens on a network that runs: machines that come and\n"
	"go, leases, faults, an engine's death. It begins with what is kept\n"
	"of the past, and goes on until the network ends.\n"
	"  --json           each event as a JSON object in a line\n"
	"  --since N        those after the N-th; now: only those to come\n"
	"  --no-follow      ends with the last that there is\n";

struct telling {
	bool is_json;
	bool has_ended; /* the network said so */
	bool is_unread; /* who reads it has gone, or has no room */
};

/* "machine=vm", "addresses=10.0.2.15,fec0::f" */
static void print_value(const json_t *v)
{
	size_t i;
	json_t *one;

	if (json_is_string(v))
		fputs(json_string_value(v), stdout);
	else if (json_is_integer(v))
		printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_boolean(v))
		fputs(json_is_true(v) ? "yes" : "no", stdout);
	json_array_foreach(v, i, one) {
		fputs(i ? "," : "", stdout);
		print_value(one);
	}
}

static void print_words(json_t *o)
{
	const char *key;
	json_t *v;

	printf("%-24s %-20s", ctl_str(o, "time"), ctl_str(o, "type"));
	json_object_foreach(o, key, v) {
		if (strcmp(key, "time") == 0 || strcmp(key, "type") == 0 ||
		    strcmp(key, "seq") == 0)
			continue;
		printf(" %s=", key);
		print_value(v);
	}
	putchar('\n');
}

/* ctl_lines_fn: false, nobody reads it any more. */
static bool tell(void *arg, const char *line, size_t len)
{
	struct telling *t = arg;
	json_t *o = json_loadb(line, len, 0, NULL);

	t->has_ended |= strcmp(ctl_str(o, "type"), "network-ending") == 0;
	if (t->is_json)
		printf("%.*s\n", (int)len, line);
	else if (o)
		print_words(o);
	json_decref(o);
	t->is_unread = fflush(stdout) != 0; /* main() says why */
	return !t->is_unread;
}

/* "12" or "now" */
static bool is_since(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return strcmp(text, "now") == 0 || (n && n < 16 && !text[n]);
}

static int events(const char *name, const char *since, bool follows,
		  bool is_json)
{
	struct telling t = {.is_json = is_json};
	struct error e = ERROR_NULL;
	json_t *o = NULL;
	char path[80];
	int r;

	/* Gives one whose keeper was killed another one. */
	if (find_network("events", name, CONTROL_NETWORK, &o, &e) < 0)
		return cli_fail(&e);
	json_decref(o);
	snprintf(path, sizeof(path), CONTROL_EVENTS "?since=%s&follow=%d",
		 since, follows);
	r = ctl_lines(name, path, tell, &t, &e);
	if (r == -ENOENT || (r == 0 && follows && !t.has_ended && !t.is_unread))
		error_set(&e, EXIT_FAILED,
			  "events: the keeper of network %s ended without a "
			  "word; vmlan ls gives the network another one if "
			  "it is wanted",
			  name);
	return e.code == EXIT_DONE ? EXIT_DONE : cli_fail(&e);
}

int cmd_events(int argc, char **argv)
{
	const char *name = NULL, *since = "0", *value;
	bool is_json = false, follows = true;

	for (int i = 1; i < argc; i++) {
		int n = cli_value(argv[i], argv[i + 1], "--since", &value);

		if (cli_helps(argv[i], usage))
			return EXIT_DONE;
		if (n < 0)
			return EXIT_USAGE;
		if (n > 0)
			since = value;
		else if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (strcmp(argv[i], "--no-follow") == 0)
			follows = false;
		else if (argv[i][0] == '-' || name)
			return cli_usage("events: '%s' is one word too many; "
					 "see vmlan events --help",
					 argv[i]);
		else
			name = argv[i];
		i += n > 1;
	}
	if (!name)
		return cli_usage("events: name the network; vmlan ls lists "
				 "them");
	if (!is_since(since))
		return cli_usage("events: --since takes the number of an "
				 "event, or now, not '%s'",
				 since);
	start_sweep();
	return events(name, since, follows, is_json);
}
