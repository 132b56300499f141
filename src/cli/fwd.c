/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan fwd: port forwards of a network that runs. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/start.h"
#include "control/protocol.h"
#include "control/request.h"
#include "grammar/port_spec.h"

static const char usage[] =
	"usage: vmlan fwd NETWORK|VM|NETWORK/VM add SPEC.. [proxy=v1|v2]\n"
	"                 [from=ADDRESS|NETWORK,..]\n"
	"       vmlan fwd [--json] NETWORK|VM|NETWORK/VM ls\n"
	"       vmlan fwd NETWORK|VM|NETWORK/VM rm NUMBER|SPEC..\n"
	"Forwards ports of the host to a machine while it runs: to VM, or "
	"else\n"
	"to the first address that the network leases.  SPEC is as run -p "
	"takes\n"
	"it: 2222:22, 127.0.0.1:8080:80/udp, [::1]:53:53/udp, 8000-8010, 0:22\n"
	"(any host port), unix:/PATH:80; on localhost unless an address is\n"
	"given.  All of it is bound, or none.\n"
	"  proxy=VERSION    each connection begins with a header of the PROXY\n"
	"                   protocol, which tells the server who its client "
	"is\n"
	"  from=LIST        only these may come\n"
	"  --json           as JSON\n"
	"What is removed takes no more connections; those it has go on.\n";

/* What is typed. */
struct fwd {
	char network[CONTROL_NAME_LEN];
	char machine[CONTROL_NAME_LEN]; /* "": the network */
	char *const *words;             /* borrowed: behind add, ls or rm */
	unsigned n_words;
	bool is_json;
};

static int gone(const char *network, struct error *e)
{
	return error_set(e, EXIT_NO_NETWORK,
			 "no network %s is running; vmlan ls lists those that "
			 "are",
			 network);
}

/* *op is the caller's. */
static int ask(const struct fwd *f, const char *method, const char *path,
	       const char *body, json_t **op, struct error *e)
{
	int r = start_ask(f->network, method, path, body, op, e);

	return r == -ENOENT ? gone(f->network, e) : r;
}

/* ---- in words ---- */

enum { HOST_TEXT_LEN = 400 };

/* Where the port begins in "1.2.3.4:80", "[::1]:80". */
static const char *port_in(const char *host)
{
	const char *colon = strrchr(host, ':');

	return colon ? colon + 1 : "";
}

static bool is_one_address(const char *a, const char *b)
{
	size_t n = (size_t)(port_in(a) - a);

	return strncmp(a, b, n) == 0 && (size_t)(port_in(b) - b) == n;
}

/* The last of the ports of a's address. */
static const char *last_port(const json_t *bound, const char *a)
{
	const char *last = port_in(a);
	size_t i;
	json_t *v;

	json_array_foreach(bound, i,
			   v) if (is_one_address(a, ctl_str(v, "host"))) last =
		port_in(ctl_str(v, "host"));
	return last;
}

/* "127.0.0.1:8000-8010 and [::1]:8000-8010" */
static void host_text(const json_t *f, const char *and, char *buf, size_t len)
{
	const json_t *bound = json_object_get(f, "bound");
	const char *first = NULL;
	size_t i, n = 0;
	json_t *v;

	buf[0] = '\0';
	json_array_foreach(bound, i, v)
	{
		const char *host = ctl_str(v, "host"), *last;

		if (strcmp(ctl_str(v, "family"), "unix") == 0) {
			snprintf(buf, len, "unix:%s", host);
			return;
		}
		if (first && is_one_address(first, host))
			continue;
		/* There are two addresses at most. */
		if (first && strcmp(ctl_str(v, "family"), "ipv6") != 0)
			continue;
		last = last_port(bound, host);
		if (n >= len || (first && n == 0))
			return;
		n += (size_t)snprintf(buf + n, len - n, "%s%s%s%s",
				      first ? and : "", host,
				      last == port_in(host) ? "" : "-",
				      last == port_in(host) ? "" : last);
		if (first)
			return;
		first = host;
	}
}

/* "10.0.2.15:80", of a range "10.0.2.15:9000-9010" */
static void guest_text(const json_t *f, char *buf, size_t len)
{
	const json_t *bound = json_object_get(f, "bound");
	size_t n = json_array_size(bound);
	const char *lo = ctl_str(json_array_get(bound, 0), "guest");
	const char *hi =
		n ? ctl_str(json_array_get(bound, n - 1), "guest") : "";
	bool is_range = strcmp(port_in(lo), port_in(hi)) != 0;

	snprintf(buf, len, "%s%s%s", lo, is_range ? "-" : "",
		 is_range ? port_in(hi) : "");
}

/* "proxy=v1 from=10.0.0.0/8,::1/128" */
static void print_rules(const json_t *f)
{
	const char *proxy = ctl_str(f, "proxy"), *sep = "from=";
	size_t i;
	json_t *v;

	if (*proxy)
		printf(" proxy=%s", proxy);
	json_array_foreach(json_object_get(f, "from"), i, v)
	{
		printf("%s%s", i ? "," : " ", i ? "" : sep);
		fputs(ctl_text(v), stdout);
	}
}

/* A line behind start. */
static void say(const char *start, const json_t *f)
{
	char host[HOST_TEXT_LEN], guest[ENDPOINT_STRLEN + 8];

	host_text(f, " and ", host, sizeof(host));
	guest_text(f, guest, sizeof(guest));
	printf("%s %d: %s %s -> %s", start, ctl_int(f, "id"),
	       ctl_str(f, "proto"), host, guest);
	print_rules(f);
	putchar('\n');
}

/* ---- add ---- */

/* The words that are no options, with commas between them; the caller frees. */
static char *join_specs(const struct fwd *f)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const char *comma = "";

	if (!out)
		return NULL;
	for (unsigned i = 0; i < f->n_words; i++) {
		if (!strncmp(f->words[i], "proxy=", 6) ||
		    !strncmp(f->words[i], "from=", 5))
			continue;
		fprintf(out, "%s%s", comma, f->words[i]);
		comma = ",";
	}
	return fclose(out) == 0 ? text : NULL;
}

/* "A,B": to the list.  False: not all of it, by which others could come. */
static bool split_list(const char *text, json_t *list)
{
	for (;;) {
		size_t n = strcspn(text, ",");

		if (json_array_append_new(list, json_stringn(text, n)) < 0)
			return false;
		if (!text[n])
			return true;
		text += n + 1;
	}
}

/* The request's body, the caller's; NULL: no memory. */
static char *add_body(const struct fwd *f)
{
	char *spec = join_specs(f);
	const char *proxy = NULL;
	json_t *from = json_array(), *o = NULL;
	bool is_whole = true;
	char *text;

	for (unsigned i = 0; i < f->n_words; i++) {
		if (strncmp(f->words[i], "proxy=", 6) == 0)
			proxy = f->words[i] + 6;
		else if (strncmp(f->words[i], "from=", 5) == 0)
			is_whole &= split_list(f->words[i] + 5, from);
	}
	if (is_whole)
		o = json_pack("{s:s,s:O,s:s*,s:s*}", "spec", spec, "from",
			      from, "proxy", proxy, "machine",
			      f->machine[0] ? f->machine : NULL);
	json_decref(from);
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	free(spec);
	return text;
}

/* The forward of network o by which it has the port, or NULL: where is
 * "tcp 127.0.0.1:80", maybe with something behind it. */
static const json_t *forward_at(const json_t *o, const char *where)
{
	const char *colon = strstr(where, ": ");
	size_t i, n = colon ? (size_t)(colon - where) : strlen(where);
	json_t *v;

	json_array_foreach(json_object_get(o, "forwards"), i, v)
	{
		const char *port = port_in(ctl_str(v, "host"));
		size_t len = strlen(port);

		if (len && n > len && where[n - len - 1] == ':' &&
		    strncmp(where + n - len, port, len) == 0 &&
		    strncmp(where, ctl_str(v, "proto"), 3) == 0)
			return v;
	}
	return NULL;
}

/* A port is held by a process that is one of vmlan's: says of which network,
 * and whose forward it is there. */
static void name_holder(struct error *e)
{
	static const char said[] = "cannot forward ";
	const char *who = strstr(e->text, "held by vmlan-"), *pid;
	json_t *list = json_array(), *o;
	size_t i;

	pid = who ? strstr(who, "(pid ") : NULL;
	if (pid && list && strncmp(e->text, said, sizeof(said) - 1) == 0)
		(void)!ctl_ask_all(ctl_ask, list, NULL); /* or it stays */
	json_array_foreach(list, i, o)
	{
		const json_t *v = forward_at(o, e->text + sizeof(said) - 1);
		struct error more = {.code = e->code};
		int n = atoi(pid + 5);

		if (!v ||
		    (ctl_int(o, "keeper") != n && ctl_int(o, "engine") != n))
			continue;
		snprintf(more.text, sizeof(more.text),
			 "%.*sforward %d of network %s (to %s%s%s), %s",
			 (int)(who - e->text) + 8, e->text, ctl_int(v, "id"),
			 ctl_str(o, "name"), ctl_str(v, "machine"),
			 *ctl_str(v, "machine") ? ", " : "",
			 ctl_str(v, "guest"), who + 8);
		*e = more;
		break;
	}
	json_decref(list);
}

static int add(const struct fwd *f, struct error *e)
{
	char *body = add_body(f);
	json_t *o = NULL, *v;
	size_t i;
	int r;

	if (!body)
		return error_set(e, EXIT_USAGE,
				 "fwd add: out of memory, or a word that is no "
				 "UTF-8");
	r = ask(f, "POST", CONTROL_FORWARDS, body, &o, e);
	free(body);
	if (r < 0 && e->code == EXIT_CONFLICT)
		name_holder(e);
	if (r == 0 && f->is_json)
		ctl_print(json_object_get(o, "forwards"));
	else
		json_array_foreach(json_object_get(o, "forwards"), i, v)
			say("forward", v);
	json_decref(o);
	return r;
}

/* ---- ls ---- */

static bool is_asked_for(const struct fwd *f, const json_t *v)
{
	return !f->machine[0] || strcmp(ctl_str(v, "machine"), f->machine) == 0;
}

static void print_row(const json_t *v)
{
	char host[HOST_TEXT_LEN], guest[ENDPOINT_STRLEN + 8];

	host_text(v, ", ", host, sizeof(host));
	guest_text(v, guest, sizeof(guest));
	printf("%-4d %-5s %-40s %-22s %s", ctl_int(v, "id"),
	       ctl_str(v, "proto"), host, guest,
	       *ctl_str(v, "machine") ? ctl_str(v, "machine") : "-");
	print_rules(v);
	putchar('\n');
}

/* *op is the caller's: the forwards that are asked for. */
static int list_of(const struct fwd *f, json_t **op, struct error *e)
{
	json_t *o = NULL, *list = json_array(), *v;
	size_t i;
	int r = ask(f, "GET", CONTROL_FORWARDS, NULL, &o, e);

	json_array_foreach(json_object_get(o, "forwards"), i,
			   v) if (is_asked_for(f, v))
		json_array_append(list, v);
	json_decref(o);
	*op = list;
	return r;
}

static int list(const struct fwd *f, struct error *e)
{
	json_t *list, *v;
	size_t i;
	int r = list_of(f, &list, e);

	if (r == 0 && f->is_json) {
		ctl_print(list);
	} else if (r == 0 && json_array_size(list)) {
		printf("%-4s %-5s %-40s %-22s %s\n", "ID", "PROTO", "HOST",
		       "GUEST", "MACHINE");
		json_array_foreach(list, i, v) print_row(v);
	}
	json_decref(list);
	return r;
}

/* ---- rm ---- */

static bool is_number(const char *word)
{
	return *word && word[strspn(word, "0123456789")] == '\0';
}

/* Whether the forward was asked for by this rule, be it with or without the
 * localhost that the commands mean. */
static bool is_of(const json_t *v, const struct port_rule *rule)
{
	struct port_rule local = *rule;
	char typed[PORT_RULE_STRLEN], meant[PORT_RULE_STRLEN];
	const char *spec = ctl_str(v, "spec");

	if (!rule->has_host_ip && !rule->unix_path[0])
		port_rule_localhost(&local);
	return strcmp(spec, port_rule_format(rule, typed)) == 0 ||
	       strcmp(spec, port_rule_format(&local, meant)) == 0;
}

static int remove_id(const struct fwd *f, int id, struct error *e)
{
	char path[64];
	json_t *o = NULL;
	int r;

	snprintf(path, sizeof(path), CONTROL_FORWARDS "/%d", id);
	r = ask(f, "DELETE", path, NULL, &o, e);
	if (r == 0 && f->is_json)
		ctl_print(o);
	else if (r == 0)
		say("removed", o);
	json_decref(o);
	return r;
}

static int none(const struct fwd *f, const char *word, struct error *e)
{
	return error_set(e, EXIT_NO_OBJECT,
			 "%s%s%s has no forward %s; vmlan fwd %s ls lists them",
			 f->network, f->machine[0] ? "/" : "", f->machine, word,
			 f->network);
}

/* Those of list that word names. */
static int remove_spec(const struct fwd *f, const json_t *list,
		       const char *word, struct error *e)
{
	struct port_rule rules[CONTROL_SPECS_MAX];
	bool found = false;
	unsigned n;
	size_t i;
	json_t *v;

	if (port_spec_parse(word, rules, CONTROL_SPECS_MAX, &n, e) < 0)
		return -EINVAL;
	for (unsigned k = 0; k < n; k++) {
		found = false;
		json_array_foreach(list, i, v)
		{
			if (!is_of(v, &rules[k]))
				continue;
			found = true;
			if (remove_id(f, ctl_int(v, "id"), e) < 0)
				return -EIO;
		}
		if (!found)
			return none(f, word, e);
	}
	return 0;
}

static int remove_number(const struct fwd *f, const json_t *list,
			 const char *word, struct error *e)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
	{
		if (ctl_int(v, "id") == strtol(word, NULL, 10))
			return remove_id(f, ctl_int(v, "id"), e);
	}
	return none(f, word, e);
}

static int rm(const struct fwd *f, struct error *e)
{
	json_t *list;
	int r = list_of(f, &list, e);

	for (unsigned i = 0; i < f->n_words && r == 0; i++)
		r = is_number(f->words[i])
			    ? remove_number(f, list, f->words[i], e)
			    : remove_spec(f, list, f->words[i], e);
	json_decref(list);
	return r;
}

/* ---- */

static const struct verb {
	const char *name;
	int (*fn)(const struct fwd *f, struct error *e);
	bool wants_words;
} verbs[] = {
	{"add", add, true},
	{"ls", list, false},
	{"rm", rm, true},
};

/* What is wrong with the words behind the verb, said; or 0. */
static int check_words(const struct verb *v, const struct fwd *f)
{
	unsigned n_specs = 0;

	if (!v->wants_words && f->n_words)
		return cli_usage("fwd: '%s' is one word too many; see vmlan "
				 "fwd --help",
				 f->words[0]);
	for (unsigned i = 0; i < f->n_words; i++) {
		const char *word = f->words[i];
		size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz");
		bool is_option = n && word[n] == '=';

		if (is_option &&
		    (v->fn != add || (strncmp(word, "proxy=", 6) != 0 &&
				      strncmp(word, "from=", 5) != 0)))
			return cli_usage("fwd %s: unknown option '%s'; see "
					 "vmlan fwd --help",
					 v->name, word);
		n_specs += !is_option;
	}
	if (v->wants_words && !n_specs)
		return cli_usage("fwd %s: name what is forwarded, such as "
				 "2222:22",
				 v->name);
	return 0;
}

static int run(struct fwd *f, const char *who, const struct verb *v)
{
	struct error e = ERROR_NULL;
	int r = check_words(v, f);

	if (r)
		return r;
	start_sweep();
	r = find_place(who, f->network, f->machine, &e);
	if (r == 0)
		r = v->fn(f, &e);
	return r < 0 ? cli_fail(&e) : EXIT_DONE;
}

int cmd_fwd(int argc, char **argv)
{
	struct fwd f = {.n_words = 0};
	char **words = argv; /* those that are no options, from 0 on */
	unsigned n = 0;

	for (int i = 1; i < argc; i++) {
		if (cli_helps(argv[i], usage))
			return EXIT_DONE;
		if (strcmp(argv[i], "--json") == 0)
			f.is_json = true;
		else if (argv[i][0] == '-')
			return cli_usage("fwd: unknown option '%s'; see vmlan "
					 "fwd --help",
					 argv[i]);
		else
			words[n++] = argv[i];
	}
	if (n < 2)
		return cli_usage("fwd: name a network or machine, and add, ls "
				 "or rm; see vmlan fwd --help");
	f.words = words + 2;
	f.n_words = n - 2;
	for (size_t i = 0; i < array_len(verbs); i++) {
		if (strcmp(words[1], verbs[i].name) == 0)
			return run(&f, words[0], &verbs[i]);
	}
	return cli_usage("fwd: '%s' is none of add, ls and rm; see vmlan fwd "
			 "--help",
			 words[1]);
}
