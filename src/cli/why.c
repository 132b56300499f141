/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan why: what would become of a connection, and which part of the network
 * decides. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/start.h"
#include "control/protocol.h"
#include "control/request.h"
#include "mode/mode.h"

static const char usage[] =
	"usage: vmlan why [OPTIONS] VM|NETWORK/VM|host|internet|ADDRESS "
	"TO[:PORT]\n"
	"Tells whether the one reaches the other, and what decides, without\n"
	"a packet: cable, switch, gateway, NAT, forward, name server, routes.\n"
	"TO is a machine, too, host, internet, an address or a name of DNS.\n"
	"With a PORT it is about TCP, without one about ping.\n"
	"  --udp            about UDP\n"
	"  --icmp           about ping\n"
	"  --net NETWORK    the network, where no machine says which\n"
	"  --json           as a JSON object\n"
	"Exit status: 0 yes, 1 no.\n";

struct why_args {
	const char *net; /* NULL: by the machines */
	const char *proto; /* NULL: by the port */
	const char *from;
	const char *to_text;
	char to[CONTROL_REQUEST_MAX / 128];
	const char *port; /* NULL: none */
	bool is_json;
};

/* "b:443", "[::1]:53", "::1", "www.example.org": where the port is. */
static int split(struct why_args *a, struct error *e)
{
	const char *text = a->to_text, *end = strchr(text, ']');
	const char *colon = strrchr(text, ':');
	bool is_bracket = text[0] == '[' && end;
	size_t len = strlen(text);

	if (is_bracket) {
		colon = end[1] == ':' ? end + 1 : NULL;
		if (!colon && end[1])
			return error_set(e, EXIT_USAGE,
					 "why: '%s' is no [ADDRESS]:PORT",
					 text);
		text++;
		len = (size_t)(end - text);
	} else if (colon && strchr(text, ':') == colon) {
		len = (size_t)(colon - text);
	} else {
		colon = NULL; /* none, or those of IPv6 */
	}
	if (!len || len >= sizeof(a->to))
		return error_set(e, EXIT_USAGE, "why: '%s' is no TO[:PORT]",
				 a->to_text);
	memcpy(a->to, text, len);
	a->to[len] = '\0';
	a->port = colon ? colon + 1 : NULL;
	return 0;
}

/* What is no name of a machine. */
static bool is_word(const char *text)
{
	addr ip;

	return strcmp(text, "host") == 0 || strcmp(text, "localhost") == 0 ||
	       strcmp(text, "internet") == 0 || addr_parse(text, &ip);
}

/* ---- which network ---- */

/* One of its forwards has that port of the host. */
static bool has_port(const json_t *network, const char *port)
{
	size_t i, len = strlen(port);
	json_t *f;

	json_array_foreach(json_object_get(network, "forwards"), i, f) {
		const char *host = ctl_str(f, "host");
		size_t n = strlen(host);

		if (n > len && host[n - len - 1] == ':' &&
		    strcmp(host + n - len, port) == 0)
			return true;
	}
	return false;
}

/* A machine of it has that address. */
static bool has_address(const json_t *network, const char *ip)
{
	size_t i, k;
	json_t *m, *a;

	json_array_foreach(json_object_get(network, "machines"), i, m) {
		json_array_foreach(json_object_get(m, "addresses"), k, a) {
			if (strcmp(ctl_text(a), ip) == 0)
				return true;
		}
	}
	return false;
}

/* How well a network fits where neither is named as a machine: 3 an address of
 * its machines' is named, 2 it forwards the port, 1 it runs. */
static int fitness(const struct why_args *a, const json_t *o)
{
	if (has_address(o, a->from) || has_address(o, a->to))
		return 3;
	return a->port && has_port(o, a->port) ? 2 : 1;
}

static int find_fitting(const struct why_args *a,
			char network[CONTROL_NAME_LEN], struct error *e)
{
	json_t *list = json_array(), *o;
	int best = 0, n_best = 0;
	size_t i;
	int r = list ? ctl_ask_all(start_ask, list, e)
		     : error_errno(e, ENOMEM, "why");

	json_array_foreach(list, i, o) {
		int fit = fitness(a, o);

		n_best = fit > best ? 1 : n_best + (fit == best);
		if (fit > best)
			snprintf(network, CONTROL_NAME_LEN, "%s",
				 ctl_str(o, "name"));
		best = fit > best ? fit : best;
	}
	json_decref(list);
	if (r == 0 && !best)
		r = error_set(e, EXIT_NO_NETWORK,
			      "why: no network is running");
	if (r == 0 && n_best > 1)
		r = error_set(e, EXIT_USAGE,
			      "why: on which network? --net NETWORK names it");
	return r;
}

/* The network whose machine text is, if it is one; name is what its keeper
 * knows it by.  1: it is none. */
static int find_by(const char *text, char network[CONTROL_NAME_LEN],
		   const char **namep, struct error *e)
{
	struct found f = FOUND_NULL;
	const char *slash = strchr(text, '/');
	int r;

	if (is_word(text))
		return 1;
	r = find_machine(text, &f, e);
	if (r == 0) {
		memcpy(network, f.network, CONTROL_NAME_LEN);
		*namep = slash ? slash + 1 : text;
	}
	found_deinit(&f);
	return r;
}

/* TO may be a machine of another network, or no machine at all. */
static int find_from_to(struct why_args *a, char network[CONTROL_NAME_LEN],
			struct error *e)
{
	struct error other = ERROR_NULL;
	const char *to = a->to;
	int r = find_by(a->from, network, &a->from, e);

	if (r <= 0)
		return r;
	r = find_by(a->to, network, &to, &other);
	if (r == 0)
		memmove(a->to, to, strlen(to) + 1);
	return r == 0 ? 0 : find_fitting(a, network, e);
}

/* A name alone that is no machine of from's network, but of another. */
static void name_fully(struct why_args *a, const char *network)
{
	struct error e = ERROR_NULL;
	struct found f = FOUND_NULL;
	json_t *o = NULL;
	bool is_here;

	if (is_word(a->to) || strchr(a->to, '/') || !control_name_ok(a->to) ||
	    start_ask(network, "GET", CONTROL_NETWORK, NULL, &o, &e) < 0)
		return;
	is_here = find_in(o, a->to) != NULL;
	json_decref(o);
	if (!is_here && find_machine(a->to, &f, &e) == 0)
		snprintf(a->to, sizeof(a->to), "%s/%s", f.network, f.machine);
	found_deinit(&f);
}

static int find_where(struct why_args *a, char network[CONTROL_NAME_LEN],
		      struct error *e)
{
	const char *slash = strchr(a->from, '/');
	size_t len;

	if (!a->net)
		return find_from_to(a, network, e);
	if (!mode_name_ok(a->net, e))
		return -EINVAL;
	snprintf(network, CONTROL_NAME_LEN, "%s", a->net);
	len = strlen(network);
	if (slash && (size_t)(slash - a->from) == len &&
	    strncmp(a->from, network, len) == 0)
		a->from = slash + 1;
	return 0;
}

/* ---- what is said ---- */

static void print_words(const json_t *o)
{
	size_t i;
	json_t *s;

	printf("%s -> %s", ctl_str(o, "from"), ctl_str(o, "to"));
	if (json_object_get(o, "port"))
		printf(", %s port %d", ctl_str(o, "proto"), ctl_int(o, "port"));
	else
		fputs(", ping", stdout);
	printf(", network %s\n", ctl_str(o, "network"));
	json_array_foreach(json_object_get(o, "steps"), i, s)
		printf("%c %-8s %-10s %s\n", ctl_bool(s, "decides") ? '*' : ' ',
		       ctl_str(s, "ok"), ctl_str(s, "what"),
		       ctl_str(s, "text"));
	printf("%s\n", ctl_str(o, "verdict"));
	if (*ctl_str(o, "remedy"))
		printf("remedy: %s\n", ctl_str(o, "remedy"));
}

/* Adds KEY=TEXT to a query, whatever the text is. */
static void put_key(FILE *f, const char *key, const char *text)
{
	fprintf(f, "%s=", key);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._:", c))
			fputc(c, f);
		else
			fprintf(f, "%%%02x", c);
	}
}

/* The caller frees. */
static char *make_path(const struct why_args *a)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(CONTROL_WHY "?", f);
	put_key(f, "from", a->from);
	put_key(f, "&to", a->to);
	if (a->port)
		put_key(f, "&port", a->port);
	if (a->proto)
		put_key(f, "&proto", a->proto);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int why(struct why_args *a)
{
	char network[CONTROL_NAME_LEN] = "";
	struct error e = ERROR_NULL;
	CLEANUP_FREE char *path = NULL;
	json_t *o = NULL;
	bool reaches;
	int r = split(a, &e);

	if (r == 0)
		r = find_where(a, network, &e);
	if (r < 0)
		return cli_fail(&e);
	name_fully(a, network);
	path = make_path(a);
	r = path ? start_ask(network, "GET", path, NULL, &o, &e)
		 : error_errno(&e, ENOMEM, "why");
	if (r == -ENOENT)
		error_set(&e, EXIT_NO_NETWORK, "why: no network %s is running",
			  network);
	if (r < 0)
		return cli_fail(&e);
	reaches = ctl_bool(o, "reaches");
	if (a->is_json)
		ctl_print(o);
	else
		print_words(o);
	json_decref(o);
	return reaches ? EXIT_DONE : EXIT_FAILED;
}

/* True if argv[*ip] is an option, which is taken. */
static bool take_option(struct why_args *a, int argc, char **argv, int *ip)
{
	const char *word = argv[*ip];

	if (strcmp(word, "--json") == 0)
		a->is_json = true;
	else if (strcmp(word, "--udp") == 0)
		a->proto = "udp";
	else if (strcmp(word, "--icmp") == 0)
		a->proto = "icmp";
	else if (strcmp(word, "--net") == 0 && *ip + 1 < argc)
		a->net = argv[++*ip];
	else
		return false;
	return true;
}

int cmd_why(int argc, char **argv)
{
	struct why_args a = {.from = NULL};

	for (int i = 1; i < argc; i++) {
		if (cli_helps(argv[i], usage))
			return EXIT_DONE;
		if (take_option(&a, argc, argv, &i))
			continue;
		if (argv[i][0] == '-' || (a.from && a.to_text))
			return cli_usage("why: '%s' is not known, or one word "
					 "too many; see vmlan why --help",
					 argv[i]);
		if (a.from)
			a.to_text = argv[i];
		else
			a.from = argv[i];
	}
	if (!a.to_text)
		return cli_usage("why: name who is to reach whom: vmlan why VM "
				 "www.example.org:443");
	start_sweep();
	return why(&a);
}
