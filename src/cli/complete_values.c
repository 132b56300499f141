/* SPDX-License-Identifier: BSD-3-Clause */
/* What there is of each kind of word; see complete.h. */
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/complete.h"
#include "cli/conf.h"
#include "cli/ctl.h"
#include "control/protocol.h"
#include "control/request.h"
#include "grammar/kind.h"
#include "grammar/nic.h"
#include "mode/mode.h"
#include "os/clock.h"
#include "os/rundir.h"

/* Who types has as much; a keeper has answered long before, but where the host
 * is busy. */
enum { PATIENCE_MS = 5000 };

/* ---- what runs ---- */

typedef void each_network(struct complete *c, const char *name);

static void each(struct complete *c, each_network *fn)
{
	char **names;
	unsigned n;

	(void)!rundir_names(&names, &n); /* those that it could read */
	for (unsigned i = 0; i < n; i++) {
		/* Nobody is asked who would have to be started. */
		if (rundir_is_held(names[i]))
			fn(c, names[i]);
		free(names[i]);
	}
	free(names);
}

static void put_name(struct complete *c, const char *name)
{
	complete_offer(c, name, "");
}

/* Those that a file tells of. */
static void put_written(struct complete *c)
{
	struct error e = ERROR_NULL;
	char **paths;
	unsigned n;

	if (conf_list(true, &paths, &n, &e) < 0)
		return;
	for (unsigned i = 0; i < n; i++) {
		char *name = strrchr(paths[i], '/') + 1;

		name[strlen(name) - strlen(".conf")] = '\0';
		if (control_name_ok(name)) /* nothing that a shell reads */
			put_name(c, name);
		free(paths[i]);
	}
	free(paths);
}

static void put_networks(struct complete *c)
{
	if (c->takes_files)
		put_written(c);
	each(c, put_name);
}

/* What the network shows, the caller's; NULL: nothing. */
static json_t *ask(struct complete *c, const char *network, const char *path)
{
	struct error e = ERROR_NULL;
	json_t *o = NULL;

	if (!c->until_ms)
		c->until_ms = now_ms() + PATIENCE_MS;
	if (now_ms() >= c->until_ms ||
	    ctl_get_until(network, path, c->until_ms, &o, &e) < 0)
		return NULL;
	return o;
}

static void put_its_machines(struct complete *c, const char *network)
{
	json_t *o = ask(c, network, CONTROL_NETWORK), *m;
	size_t i;

	json_array_foreach(json_object_get(o, "machines"), i, m)
		complete_offer(c, ctl_str(m, "name"), "");
	json_decref(o);
}

static void put_machines(struct complete *c)
{
	if (!strchr(c->rest, '/'))
		each(c, put_its_machines);
}

static void put_pair(struct complete *c, const char *network)
{
	size_t len = strlen(network), i;
	json_t *o, *m;

	if (strncmp(c->rest, network, len) != 0 || c->rest[len] != '/')
		return; /* nothing of it is asked for */
	o = ask(c, network, CONTROL_NETWORK);
	json_array_foreach(json_object_get(o, "machines"), i, m) {
		char *text = NULL;

		if (asprintf(&text, "%s/%s", network, ctl_str(m, "name")) < 0)
			continue;
		complete_offer(c, text, "");
		free(text);
	}
	json_decref(o);
}

/* Of a network that is named already: else they are too many. */
static void put_pairs(struct complete *c)
{
	if (strchr(c->rest, '/'))
		each(c, put_pair);
}

static void put_its_numbers(struct complete *c, const char *network)
{
	const char *of = c->n_typed ? c->typed[0] : "";
	const char *slash = strchr(of, '/');
	bool is_all = strcmp(of, network) == 0;
	json_t *o, *f;
	size_t i;

	if (slash && (strncmp(of, network, (size_t)(slash - of)) != 0 ||
		      network[slash - of]))
		return;
	o = ask(c, network, CONTROL_FORWARDS);
	json_array_foreach(json_object_get(o, "forwards"), i, f) {
		char number[24];

		snprintf(number, sizeof(number), "%d", ctl_int(f, "id"));
		if (is_all || strcmp(ctl_str(f, "machine"),
				     slash ? slash + 1 : of) == 0)
			complete_offer(c, number, "");
	}
	json_decref(o);
}

static void put_numbers(struct complete *c)
{
	each(c, put_its_numbers);
}

/* ---- what can be written ---- */

static void put_keys_of(struct complete *c, const struct mode *m)
{
	for (const struct mode_key *k = m->keys; k->key; k++)
		complete_offer(c, k->key, "=");
}

/* The command's own; or of the mode that was named, or else the default one. */
static void put_keys(struct complete *c)
{
	const struct mode *m =
		c->n_typed > 1 ? mode_find(c->typed[1]) : NULL;

	for (unsigned i = 0; i < c->n_keys; i++)
		complete_offer(c, c->keys[i], "=");
	if (!c->n_keys)
		put_keys_of(c, m ? m : mode_find("natnet"));
}

static void put_shared_modes(struct complete *c)
{
	for (const struct mode *m = modes; m->word; m++) {
		if (m->owner == MODE_SHARED || m->owner == MODE_EITHER)
			complete_offer(c, m->word, "");
	}
}

static size_t behind_last(const char *text, char sign)
{
	const char *last = strrchr(text, sign);

	return last ? (size_t)(last - text) + 1 : 0;
}

/* MODE[:NAME][,KEY=VALUE].. */
static void put_mode(struct complete *c)
{
	const char *text = c->rest;
	char *word = strndup(text, strcspn(text, ":,"));
	const struct mode *m = word ? mode_find(word) : NULL;
	size_t base = (size_t)(text - c->word);

	free(word);
	if (strchr(text, ',')) {
		complete_settle(c, base + behind_last(text, ','));
		if (m)
			put_keys_of(c, m);
		return;
	}
	if (strchr(text, ':')) {
		complete_settle(c, base + behind_last(text, ':'));
		put_networks(c);
		return;
	}
	for (m = modes; m->word; m++)
		complete_offer(c, m->word,
			       m->owner == MODE_SHARED ? ":" : "");
}

static void put_members(struct complete *c, const struct netdev_option *o)
{
	for (const struct netdev_sockaddr_option *m = netdev_sockaddr_options;
	     m->opt.name; m++) {
		char *key = NULL;

		if (asprintf(&key, "%s.%s", o->name, m->opt.name) < 0)
			continue;
		complete_offer(c, key, "=");
		free(key);
	}
}

static void put_netdev(struct complete *c)
{
	const char *text = c->rest;
	char *word = strndup(text, strcspn(text, ","));
	const struct netdev_kind *k = word ? netdev_kind_find(word) : NULL;
	size_t base = (size_t)(text - c->word);

	free(word);
	if (strchr(text, ',')) {
		complete_settle(c, base + behind_last(text, ','));
		for (const struct netdev_option *o = k ? k->options : NULL;
		     o && o->name; o++) {
			if (o->flags & (OPT_F_LATER | OPT_F_REFUSED))
				continue;
			if (o->type == OPT_SOCKADDR)
				put_members(c, o);
			else
				complete_offer(c, o->name, "=");
		}
		return;
	}
	for (k = netdev_kinds; k->name; k++) {
		if (k->is_built)
			complete_offer(c, k->name, "");
	}
}

static void put_models(struct complete *c)
{
	for (const struct nic_model *m = nic_models; m->name; m++)
		complete_offer(c, m->name, "");
}

static void put_interfaces(struct complete *c)
{
	struct if_nameindex *v = if_nameindex();

	for (struct if_nameindex *i = v; i && i->if_name; i++)
		complete_offer(c, i->if_name, "");
	if (v)
		if_freenameindex(v);
}

/* ---- the shell's own ---- */

static void put_files(struct complete *c)
{
	complete_offer(c, ":file", "");
}

static void put_folders(struct complete *c)
{
	complete_offer(c, ":dir", "");
}

static void put_programs(struct complete *c)
{
	complete_offer(c, ":command", "");
}

/* ---- by what the help calls them ---- */

static const struct {
	const char *called;
	void (*of_command)(struct complete *c); /* NULL: there is no list */
	void (*of_option)(struct complete *c);
} kinds[] = {
	{"NETWORK", put_networks, put_networks},
	{"NAME", put_networks, NULL},
	{"VM", put_machines, put_machines},
	{"NETWORK/VM", put_pairs, put_pairs},
	{"NUMBER", put_numbers, NULL},
	{"MODE", put_shared_modes, put_mode},
	{"KEY=VALUE", put_keys, NULL},
	{"NETDEV", put_netdev, put_netdev},
	{"MODEL", put_models, put_models},
	{"IF", put_interfaces, put_interfaces},
	{"BRIDGE", put_interfaces, put_interfaces},
	{"FILE", put_files, put_files},
	{"FOLDER", put_folders, put_folders},
	{"DIR", put_folders, put_folders},
	{"PROGRAM", put_programs, NULL},
	{"VMM", put_programs, NULL},
	{"COMMAND", put_programs, NULL},
};

static void put_kind(struct complete *c, const char *called, size_t n,
		     bool of_option)
{
	for (size_t i = 0; i < array_len(kinds); i++) {
		void (*put)(struct complete *) = of_option
							 ? kinds[i].of_option
							 : kinds[i].of_command;

		if (put && strlen(kinds[i].called) == n &&
		    strncmp(kinds[i].called, called, n) == 0)
			put(c);
	}
}

/* A word that stands for itself: text of n bytes behind the key of n_key. */
static void put_literal(struct complete *c, const char *key, size_t n_key,
			const char *text, size_t n)
{
	char *word = NULL;

	if (asprintf(&word, "%.*s%.*s", (int)n_key, key, (int)n, text) < 0)
		return;
	complete_offer(c, word, "");
	free(word);
}

/* Live names, for which somebody is asked, come last. */
void complete_value(struct complete *c, const char *called, bool of_option)
{
	for (int is_live = 0; is_live < 2; is_live++) {
		const char *alt = called, *key = "";
		size_t n_key = 0;

		for (;;) {
			size_t n = strcspn(alt, "|"), at = strcspn(alt, "=");
			bool is_kind = isupper((unsigned char)*alt);

			if (!is_kind && at < n) {
				key = alt;
				n_key = at + 1;
				alt += n_key;
				n -= n_key;
				is_kind = false;
			}
			if (is_kind && !n_key) {
				if (is_live)
					put_kind(c, alt, n, of_option);
			} else if (!is_live) {
				bool is_word = islower((unsigned char)*alt);

				put_literal(c, key, n_key, alt,
					    is_word ? n : 0);
			}
			if (!alt[n])
				break;
			alt += n + 1;
		}
	}
}
