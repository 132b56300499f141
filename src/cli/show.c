/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan ls and vmlan show: what runs, in words or JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/forward.h"
#include "cli/link_text.h"
#include "cli/show_svg.h"
#include "cli/start.h"
#include "control/protocol.h"

static const char ls_usage[] = "usage: vmlan ls [--json]\n"
			       "Lists the networks that run.\n";
static const char show_usage[] =
	"usage: vmlan show [--json|--netdevs|--svg] NAME\n"
	"Tells about a network that runs: its mode, netdevs, forwarded ports\n"
	"and machines.\n"
	"  --json           as a JSON object\n"
	"  --netdevs        what its mode expands to, one netdev a line\n"
	"  --svg            as a picture\n";

/* "kept, serving": what a network lives by, and how it is. */
static void print_state(const json_t *o, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s", ctl_bool(o, "kept") ? "up" : "used",
		 ctl_bool(o, "serving") ? "" : ", engine starts again");
}

/* ---- ls ---- */

static void print_row(const json_t *o)
{
	char state[64];

	print_state(o, state, sizeof(state));
	printf("%-20s %-9s %-8s %8zu\n", ctl_str(o, "name"),
	       ctl_str(o, "mode"), state,
	       json_array_size(json_object_get(o, "machines")));
}

/* One that starts or ends is none yet, or no more; one whose keeper is killed
 * at this moment is. */
static int ask_for_row(const char *name, const char *method, const char *path,
		       const char *body, json_t **answerp, struct error *e)
{
	int r = ctl_ask(name, method, path, body, answerp, e);

	if (r == -ENOENT && start_spares(name))
		r = start_ask(name, method, path, body, answerp, e);
	return r;
}

int cmd_ls(int argc, char **argv)
{
	struct error e = ERROR_NULL;
	bool is_json = false;
	json_t *list, *o;
	size_t i;

	for (int k = 1; k < argc; k++) {
		if (cli_helps(argv[k], ls_usage))
			return EXIT_DONE;
		if (strcmp(argv[k], "--json") != 0)
			return cli_usage("ls: unknown word '%s'; see vmlan ls "
					 "--help",
					 argv[k]);
		is_json = true;
	}
	start_sweep();
	list = json_array();
	if (!list)
		return cli_usage("ls: out of memory");
	if (ctl_ask_all(ask_for_row, list, &e) < 0)
		cli_fail(&e); /* those that answer are listed */
	if (is_json) {
		ctl_print(list);
	} else if (json_array_size(list)) {
		printf("%-20s %-9s %-8s %8s\n", "NAME", "MODE", "STATE",
		       "MACHINES");
		json_array_foreach(list, i, o)
			print_row(o);
	}
	json_decref(list);
	return e.code;
}

/* ---- show ---- */

static void print_list(const json_t *list, const char *label)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
		printf("%s%s\n", label, ctl_text(v));
}

static void print_machine(const json_t *m)
{
	const char *card = ctl_str(m, "mac");
	size_t i;
	json_t *v;

	printf("machine  %s: %s", ctl_str(m, "name"), ctl_str(m, "link"));
	v = json_object_get(m, "queues");
	if (v)
		printf(" of %d queues", (int)json_integer_value(v));
	printf(", %s%s%s",
	       ctl_bool(m, "connected") ? "connected" : "not connected",
	       *card ? ", " : "", card);
	json_array_foreach(json_object_get(m, "addresses"), i, v)
		printf(", %s", ctl_text(v));
	putchar('\n');
	v = json_object_get(m, "cable");
	if (v)
		link_print("cable    ", ctl_str(m, "name"), v);
}

/* Who is plugged into a VDE switch of the network's. */
static void print_plug(const json_t *p)
{
	printf("plug     %s: port %d, user %d, %s\n", ctl_str(p, "name"),
	       (int)json_integer_value(json_object_get(p, "port")),
	       (int)json_integer_value(json_object_get(p, "user")),
	       ctl_str(p, "about"));
}

static void print_tunnel(const json_t *t)
{
	json_int_t mtu = json_integer_value(json_object_get(t, "mtu"));

	printf("tunnel   %s: %s", ctl_str(t, "name"), ctl_str(t, "about"));
	if (mtu)
		printf(", packets of %d bytes go whole\n", (int)mtu);
	else
		printf(", no way there\n");
}

static bool has_netdev(const json_t *list, const char *start)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
		if (strncmp(ctl_text(v), start, strlen(start)) == 0)
			return true;
	return false;
}

/* On a card that the host shares with machines they do not see each other,
 * unless it has an interface beside it. */
static void print_host(const json_t *list)
{
	if (has_netdev(list, "macvtap,") || has_netdev(list, "packet,"))
		printf("host     %s\n",
		       has_netdev(list, "hostif,")
			       ? "reached, and reaches the machines"
			       : "not reached, nor does it reach the machines");
}

static void print_subnet(const json_t *s)
{
	const char *gateway = ctl_str(s, "gateway"), *dns = ctl_str(s, "dns");

	printf("subnet   %s%s%s%s%s\n", ctl_str(s, "net"),
	       *gateway ? ", gateway " : ", no gateway", gateway,
	       *dns ? ", name server " : "", dns);
}

static void print_forwards(const json_t *list)
{
	json_t *pairs = forward_pairs(list), *f;
	char text[FORWARD_TEXT_LEN];
	size_t i;

	json_array_foreach(list, i, f)
	{
		if (forward_text(f, pairs, text))
			printf("forward  %s\n", text);
	}
	json_decref(pairs);
}

static void print_network(const json_t *o)
{
	char state[64];
	size_t i;
	json_t *v;

	print_state(o, state, sizeof(state));
	printf("network  %s\nmode     %s\nstate    %s\n", ctl_str(o, "name"),
	       ctl_str(o, "mode"), state);
	print_list(json_object_get(o, "options"), "option   ");
	print_list(json_object_get(o, "netdevs"), "netdev   ");
	json_array_foreach(json_object_get(o, "tunnels"), i, v)
		print_tunnel(v);
	print_host(json_object_get(o, "netdevs"));
	json_array_foreach(json_object_get(o, "subnets"), i, v)
		print_subnet(v);
	print_forwards(json_object_get(o, "forwards"));
	json_array_foreach(json_object_get(o, "machines"), i, v)
		print_machine(v);
	json_array_foreach(json_object_get(o, "plugs"), i, v)
		print_plug(v);
}

enum view { VIEW_WORDS, VIEW_JSON, VIEW_NETDEVS, VIEW_SVG };

static int show_picture(const char *name, const json_t *o, struct error *e)
{
	json_t *captures = NULL;
	int r = ctl_ask(name, "GET", CONTROL_CAPTURES, NULL, &captures, e);

	if (r == -ENOENT)
		return error_set(e, EXIT_NO_NETWORK, "%s has just ended", name);
	if (r == 0)
		r = show_svg(stdout, o, captures, e);
	json_decref(captures);
	return r;
}

static int show(const char *name, enum view view)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;

	if (find_network("show", name, CONTROL_NETWORK, &o, &e) < 0)
		return cli_fail(&e);
	switch (view) {
	case VIEW_WORDS:
		print_network(o);
		break;
	case VIEW_JSON:
		ctl_print(o);
		break;
	case VIEW_NETDEVS:
		print_list(json_object_get(o, "netdevs"), "");
		break;
	case VIEW_SVG:
		(void)!show_picture(name, o, &e); /* *e says it */
		break;
	}
	json_decref(o);
	return e.code == EXIT_DONE ? EXIT_DONE : cli_fail(&e);
}

int cmd_show(int argc, char **argv)
{
	enum view view = VIEW_WORDS;
	const char *name = NULL;

	for (int i = 1; i < argc; i++) {
		if (cli_helps(argv[i], show_usage))
			return EXIT_DONE;
		if (strcmp(argv[i], "--json") == 0)
			view = VIEW_JSON;
		else if (strcmp(argv[i], "--netdevs") == 0)
			view = VIEW_NETDEVS;
		else if (strcmp(argv[i], "--svg") == 0)
			view = VIEW_SVG;
		else if (argv[i][0] == '-' || name)
			return cli_usage("show: '%s' is one word too many; see "
					 "vmlan show --help",
					 argv[i]);
		else
			name = argv[i];
	}
	if (!name)
		return cli_usage("show: name the network; vmlan ls lists "
				 "them");
	start_sweep();
	return show(name, view);
}
