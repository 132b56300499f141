/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of modes and the text that asks for one; see mode.h. */
#include "mode/mode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_spec.h"
#include "mode/mode_priv.h"

const struct mode_key mode_no_keys[] = {
	{.key = NULL},
};

const struct mode modes[] = {
	{"none", "no network", MODE_NOBODYS, mode_no_keys, mode_none},
	{"nat", "the machine's own LAN, and the host's network behind a NAT",
	 MODE_ONES, mode_nat_keys, mode_nat},
	{"natnet", "one LAN for all its machines, and a NAT", MODE_SHARED,
	 mode_natnet_keys, mode_natnet},
	{"bridged", "the machines are on the host's own LAN", MODE_EITHER,
	 mode_bridged_keys, mode_bridged},
	{"hostonly", "the machines and the host", MODE_SHARED,
	 mode_hostonly_keys, mode_hostonly},
	{"internal", "the machines, and nobody else", MODE_SHARED,
	 mode_internal_keys, mode_internal},
	{"generic", "the machines and any netdev", MODE_EITHER,
	 mode_generic_keys, mode_generic},
	{.word = NULL},
};

const struct mode *mode_find(const char *word)
{
	for (const struct mode *m = modes; m->word; m++) {
		if (strcmp(m->word, word) == 0)
			return m;
	}
	return NULL;
}

bool mode_has_gateway(const struct mode *m)
{
	return m && (m->expand == mode_nat || m->expand == mode_natnet);
}

bool mode_allows_exec(const char *word, char *const *options, unsigned n)
{
	if (strcmp(word, "internal") != 0)
		return true;
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(options[i], "exec=on") == 0)
			return true;
	}
	return false;
}

bool mode_name_ok(const char *name, struct error *e)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-._");
	char q[QUOTE_LEN];

	if (mode_find(name)) {
		error_set(e, EXIT_USAGE,
			  "'%s' is a mode and cannot be a network's name",
			  name);
		return false;
	}
	if (len && !name[len] && len < MODE_NAME_LEN &&
	    !strchr("-._", name[0]))
		return true;
	error_set(e, EXIT_USAGE,
		  "'%s' cannot be a network's name: it has letters, digits, "
		  "'-', '.' and '_', a letter or digit first, at most %d of "
		  "them",
		  quote(q, name), MODE_NAME_LEN - 1);
	return false;
}

/* ---- options ---- */

/* The option's value if it is one of this key. */
static const char *value_of(const char *option, const char *key, size_t len)
{
	return strncmp(option, key, len) == 0 && option[len] == '='
		       ? option + len + 1
		       : NULL;
}

const char *mode_value(const struct mode_spec *s, const char *key)
{
	const char *found = NULL;

	for (unsigned i = 0; i < s->n_options; i++) {
		const char *v = value_of(s->options[i], key, strlen(key));

		found = v ? v : found;
	}
	return found;
}

const struct mode_key *mode_key_find(const struct mode *m, const char *text,
				     size_t len)
{
	for (const struct mode_key *k = m->keys; k->key; k++) {
		if (strlen(k->key) == len && memcmp(k->key, text, len) == 0)
			return k;
	}
	return NULL;
}

bool mode_knows(const struct mode *m, const char *key)
{
	return mode_key_find(m, key, strlen(key)) != NULL;
}

bool mode_is(const struct mode_spec *s, const char *key, const char *word)
{
	const char *value = mode_value(s, key);

	return value && strcmp(value, word) == 0;
}

int mode_check(const struct mode_spec *s, const char *key, const char *one,
	       const char *other, struct error *e)
{
	if (!mode_value(s, key) || mode_is(s, key, one) ||
	    mode_is(s, key, other))
		return 0;
	return error_set(e, EXIT_USAGE, "%s: %s= must be %s or %s",
			 s->mode->word, key, one, other);
}

static int unknown_key(const struct mode *m, const char *key, size_t len,
		       struct error *e)
{
	char known[512] = "";
	char q[QUOTE_LEN];
	size_t at = 0;

	for (const struct mode_key *k = m->keys; k->key; k++) {
		at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s",
				       at ? ", " : "", k->key);
		if (at >= sizeof(known))
			break;
	}
	return error_set(e, EXIT_USAGE, "%s: no key '%s'; %s%s", m->word,
			 quote_n(q, key, len),
			 known[0] ? "it knows " : "it has none", known);
}

int mode_option(struct mode_spec *s, const char *text, struct error *e)
{
	size_t len = strcspn(text, "=");
	const struct mode_key *k = mode_key_find(s->mode, text, len);
	char q[QUOTE_LEN];

	if (!k)
		return unknown_key(s->mode, text, len, e);
	if (!text[len] || !text[len + 1])
		return error_set(e, EXIT_USAGE, "%s: %s= needs a value",
				 s->mode->word, k->key);
	if (!k->is_list && mode_value(s, k->key))
		return error_set(e, EXIT_USAGE, "%s: %s= is given twice",
				 s->mode->word, k->key);
	if (s->n_options == MODE_OPTIONS_MAX)
		return error_set(e, EXIT_USAGE, "%s: more than %d keys",
				 s->mode->word, MODE_OPTIONS_MAX);
	if (strlen(text) > NETDEV_TEXT_MAX)
		return error_set(e, EXIT_USAGE, "%s: %s is too long",
				 s->mode->word, quote_n(q, text, len));
	s->options[s->n_options] = strdup(text);
	if (!s->options[s->n_options])
		return error_errno(e, ENOMEM, "%s", s->mode->word);
	s->n_options++;
	return 0;
}

void mode_spec_deinit(struct mode_spec *s)
{
	for (unsigned i = 0; i < s->n_options; i++)
		free(s->options[i]);
	*s = (struct mode_spec){.mode = NULL};
}

/* ---- the text ---- */

static int check_name(const struct mode *m, const char *name, struct error *e)
{
	if (*name && m->owner == MODE_NOBODYS)
		return error_set(e, EXIT_USAGE,
				 "none is no network and has no name");
	if (*name && m->owner == MODE_ONES)
		return error_set(e, EXIT_USAGE,
				 "nat is each machine's own and has no name; "
				 "natnet:%s is shared",
				 name);
	if (!*name && m->owner == MODE_SHARED)
		return error_set(e, EXIT_USAGE,
				 "%s is shared: give the network a name, as in "
				 "%s:lab",
				 m->word, m->word);
	return 0;
}

int mode_begin(const char *word, const char *name, struct mode_spec *s,
	       struct error *e)
{
	char q[QUOTE_LEN];

	*s = (struct mode_spec){.mode = mode_find(word)};
	if (!s->mode)
		return error_set(e, EXIT_USAGE,
				 "'%s' is no mode; modes are none, nat, "
				 "natnet, bridged, hostonly, internal and "
				 "generic",
				 quote(q, word));
	if (*name && !mode_name_ok(name, e))
		return -1;
	snprintf(s->name, sizeof(s->name), "%s", name);
	return check_name(s->mode, name, e);
}

/* The next item of text up to a single comma, with doubled ones made one;
 * *textp is behind it, NULL at the end.  The caller frees. */
static char *next_item(const char **textp)
{
	const char *p = *textp;
	char *item = malloc(strlen(p) + 1);
	size_t n = 0;

	if (!item)
		return NULL;
	for (; *p; p++) {
		if (*p == ',' && p[1] != ',')
			break;
		p += *p == ',';
		item[n++] = *p;
	}
	item[n] = '\0';
	*textp = *p ? p + 1 : NULL;
	return item;
}

int mode_parse(const char *text, struct mode_spec *s, struct error *e)
{
	CLEANUP_FREE char *head = NULL;
	char *colon;
	int r;

	*s = (struct mode_spec){.mode = NULL};
	if (strlen(text) > NETDEV_TEXT_MAX)
		return error_set(e, EXIT_USAGE, "the mode's text is too long");
	head = next_item(&text);
	if (!head)
		return error_errno(e, ENOMEM, "mode");
	colon = strchr(head, ':');
	if (colon)
		*colon = '\0';
	if (colon && !colon[1])
		return error_set(e, EXIT_USAGE,
				 "a name is missing behind the colon");
	r = mode_begin(head, colon ? colon + 1 : "", s, e);
	while (r == 0 && text) {
		CLEANUP_FREE char *item = next_item(&text);

		r = item ? mode_option(s, item, e)
			 : error_errno(e, ENOMEM, "mode");
	}
	return r < 0 ? -1 : 0;
}

/* ---- what comes of it ---- */

int mode_netdev_add(struct mode_netdevs *n, char *text, struct error *e)
{
	struct netdev_spec *spec = NULL;
	int r;

	if (!text)
		return error_errno(e, ENOMEM, "mode");
	if (n->n == MODE_NETDEVS_MAX) {
		free(text);
		return error_set(e, EXIT_USAGE, "more than %d netdevs",
				 MODE_NETDEVS_MAX);
	}
	n->text[n->n++] = text;
	r = netdev_parse(text, &spec, e);
	netdev_spec_free(spec);
	return r;
}

int mode_expand(const struct mode_spec *s, const struct mode_host *h,
		struct mode_netdevs *n, struct error *e)
{
	*n = (struct mode_netdevs){.n = 0};
	if (s->mode->expand(s, h, n, e) == 0)
		return 0;
	mode_netdevs_deinit(n);
	return -1;
}

void mode_netdevs_deinit(struct mode_netdevs *n)
{
	for (unsigned i = 0; i < n->n; i++)
		free(n->text[i]);
	*n = (struct mode_netdevs){.n = 0};
}

void mode_help(FILE *out)
{
	for (const struct mode *m = modes; m->word; m++) {
		fprintf(out, "  %-9s %s\n", m->word, m->help);
		for (const struct mode_key *k = m->keys; k->key; k++)
			fprintf(out, "    %-11s %s\n", k->key, k->help);
	}
}
