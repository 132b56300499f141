/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sections of a configuration file and their keys; see conf.h.  [network]
 * has the keys of the network's mode, and so no table here.
 */
#include <string.h>

#include "cli/cap.h"
#include "cli/conf.h"
#include "cli/conf_link.h"
#include "cli/start.h"
#include "control/protocol.h"
#include "grammar/nearest.h"
#include "grammar/nic.h"

/* ---- [forward] ---- */

/* What stands behind the ports. */
struct forward_words {
	struct forward_rules rules;
	const char *proxy;
};

/* Up to the next blank, in place; NULL: that was all. */
static char *next_word(char **textp)
{
	char *word = *textp + strspn(*textp, " \t");
	size_t n = strcspn(word, " \t");

	if (!n)
		return NULL;
	*textp = word + n + (word[n] != '\0');
	word[n] = '\0';
	return word;
}

static int take_from(char *list, struct forward_rules *r, struct error *e)
{
	for (char *save = NULL, *one = strtok_r(list, ",", &save); one;
	     one = strtok_r(NULL, ",", &save)) {
		if (forward_from_add(one, r, e) < 0)
			return -1;
	}
	return r->n_from ? 0
			 : error_set(e, EXIT_USAGE,
				     "from= needs an address or a network");
}

static json_t *from_list(struct conf *c, const struct forward_rules *r)
{
	json_t *list = r->n_from ? json_array() : NULL;
	char text[PREFIX_STRLEN];

	for (unsigned i = 0; i < r->n_from; i++)
		conf_append(c, list,
			    json_string(prefix_format(&r->from[i], text)));
	return list;
}

/* Two of one network that listen at one place. */
static void check_place(struct conf *c, const struct port_rule *rule,
			const struct conf_at *at)
{
	for (unsigned i = 0; i < c->n_rules; i++) {
		const struct conf_forward *f = &c->rules[i];

		if (!port_rule_overlaps(rule, &f->rule))
			continue;
		conf_wrong(c, at, "%s:%u forwards that port already; leave "
				  "one out, or take another port",
			   f->at.file, f->at.line);
		return;
	}
}

/* As the keeper counts; said once. */
static bool has_room(struct conf *c, const struct port_rule *r,
		     const struct conf_at *at)
{
	unsigned n = (1u + r->host_hi - r->host_lo) *
		     (r->is_localhost || r->has_both ? 2 : 1);
	bool had = c->n_bound <= CONTROL_BOUND_MAX;

	c->n_bound += had ? n : 0;
	if (had && c->n_bound > CONTROL_BOUND_MAX)
		conf_wrong(c, at,
			   "a network can have %d ports forwarded (those of "
			   "localhost count twice), and this is one too many; "
			   "leave some out",
			   CONTROL_BOUND_MAX);
	return c->n_bound <= CONTROL_BOUND_MAX;
}

static void keep_rule(struct conf *c, const struct conf_part *part,
		      const struct port_rule *said,
		      const struct forward_words *w, const struct conf_at *at)
{
	struct conf_forward *v;
	struct port_rule rule = *said;
	char spec[PORT_RULE_STRLEN];

	if (!rule.has_host_ip && !rule.unix_path[0])
		port_rule_localhost(&rule);
	if (!has_room(c, &rule, at))
		return;
	check_place(c, &rule, at);
	v = reallocarray(c->rules, c->n_rules + 1, sizeof(*v));
	if (!v) {
		c->is_out_of_memory = true;
		return;
	}
	c->rules = v;
	v[c->n_rules++] = (struct conf_forward){rule, *at};
	conf_append(c, c->forwards,
		    json_pack("{s:s,s:s*,s:s*,s:o*}", "spec",
			      port_rule_format(&rule, spec), "machine",
			      *part->name ? part->name : NULL, "proxy",
			      forward_proxy_name(w->rules.proxy), "from",
			      from_list(c, &w->rules)));
}

static int take_forward_word(char *word, struct port_rule *rules, unsigned *np,
			     struct forward_words *w, struct error *e)
{
	unsigned n = 0;
	int r;

	if (strncmp(word, "proxy=", 6) == 0)
		return forward_proxy_parse(word + 6, &w->rules, e);
	if (strncmp(word, "from=", 5) == 0)
		return take_from(word + 5, &w->rules, e);
	r = port_spec_parse(word, rules + *np, CONTROL_SPECS_MAX - *np, &n, e);
	*np += r < 0 ? 0 : n;
	return r;
}

static void take_port(struct conf *c, struct conf_part *part,
		      const struct conf_pair *p)
{
	CLEANUP_FREE char *text = strdup(p->value);
	struct port_rule rules[CONTROL_SPECS_MAX];
	struct forward_words w = {.proxy = NULL};
	struct error e = ERROR_NULL;
	char *at = text, *word;
	unsigned n = 0;
	int r = 0;

	if (!text) {
		c->is_out_of_memory = true;
		return;
	}
	while (r == 0 && (word = next_word(&at)))
		r = take_forward_word(word, rules, &n, &w, &e);
	if (r == 0 && !n)
		r = error_set(&e, EXIT_USAGE,
			      "what is forwarded is missing, such as 2222:22");
	for (unsigned i = 0; i < n && r == 0; i++)
		r = forward_rules_check(&rules[i], &w.rules, &e);
	if (r < 0) {
		conf_wrong(c, &p->at, "port=: %s", e.text);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		keep_rule(c, part, &rules[i], &w, &p->at);
}

static void finish_forward(struct conf *c, struct conf_part *part)
{
	if (c->mode.mode && !mode_has_gateway(c->mode.mode) &&
	    strcmp(c->mode.mode->word, "generic") != 0)
		conf_wrong(c, &part->at,
			   "%s has no gateway that forwards ports; leave the "
			   "section out, or take mode=natnet",
			   c->mode.mode->word);
}

static const struct conf_key forward_keys[] = {
	{"port", true, take_port},
	{NULL, false, NULL},
};

/* ---- [capture] ---- */

static void take_keep(struct conf *c, struct conf_part *part,
		      const struct conf_pair *p)
{
	uint64_t n;

	if (cap_size_parse(p->value, &n) && n >= CONTROL_CAPTURE_MIN &&
	    n <= CONTROL_CAPTURE_MAX)
		/* As the ring is. */
		conf_set(c, part->o, "memory",
			 json_integer((json_int_t)1
				      << (63 - __builtin_clzll(n))));
	else
		conf_wrong(c, &p->at, "keep= takes a size from 1mb to 1gb");
}

static void take_snaplen(struct conf *c, struct conf_part *part,
			 const struct conf_pair *p)
{
	uint64_t n = strtoull(p->value, NULL, 10);

	if (p->value[strspn(p->value, "0123456789")] ||
	    strlen(p->value) > 9 || n < CONTROL_SNAP_MIN ||
	    n > CONTROL_SNAP_MAX)
		conf_wrong(c, &p->at, "snaplen= takes a number of bytes from "
				      "%d to %d; leave it out for whole frames",
			   CONTROL_SNAP_MIN, CONTROL_SNAP_MAX);
	else
		conf_set(c, part->o, "snaplen", json_integer((json_int_t)n));
}

static void finish_capture(struct conf *c, struct conf_part *part)
{
	const json_t *snaplen = json_object_get(part->o, "snaplen");

	if (!json_object_get(part->o, "memory")) {
		if (snaplen)
			conf_wrong(c, &part->at,
				   "[capture] keeps nothing without keep=; say "
				   "how much, as in keep = 64mb");
		return;
	}
	if (!snaplen)
		conf_set(c, part->o, "snaplen", json_integer(CONTROL_SNAP_MAX));
	if (*part->name)
		conf_set(c, part->o, "machine", json_string(part->name));
	conf_append(c, c->captures, json_incref(part->o));
}

static const struct conf_key capture_keys[] = {
	{"keep", false, take_keep},
	{"snaplen", false, take_snaplen},
	{NULL, false, NULL},
};

/* ---- [machine] ---- */

static void take_mac(struct conf *c, struct conf_part *part,
		     const struct conf_pair *p)
{
	char text[MAC_STRLEN];
	mac m;

	if (mac_parse(p->value, &m) && !mac_is_zero(m) && !mac_is_group(m))
		conf_set(c, part->o, "mac", json_string(mac_format(m, text)));
	else
		conf_wrong(c, &p->at, "mac= is no machine's address, as "
				      "52:54:00:12:34:56 is");
}

static void take_address(struct conf *c, struct conf_part *part,
			 const struct conf_pair *p)
{
	const char *key;
	addr ip;

	if (!addr_parse(p->value, &ip)) {
		conf_wrong(c, &p->at, "address= is neither an IPv4 nor an IPv6 "
				      "address");
		return;
	}
	key = addr_is_v4(&ip) ? "address4" : "address6";
	if (json_object_get(part->o, key))
		conf_wrong(c, &p->at, "address= is given twice for one family; "
				      "a machine has one of IPv4 and one of "
				      "IPv6 kept");
	else
		conf_set(c, part->o, key, json_string(p->value));
}

/* The MAC that vmlan run gives it. */
static void put_own_mac(const struct conf *c, const char *machine,
			char text[static MAC_STRLEN])
{
	char name[START_MAC_NAME_LEN];

	start_mac_name(c->mode.mode, c->name, name);
	mac_format(nic_mac(name, machine, 0), text);
}

/* An address is kept for it by reserve=, which [network] could say as well. */
static void finish_machine(struct conf *c, struct conf_part *part)
{
	const json_t *o = part->o;
	const char *v4 = json_string_value(json_object_get(o, "address4"));
	const char *v6 = json_string_value(json_object_get(o, "address6"));
	const char *said = json_string_value(json_object_get(o, "mac"));
	CLEANUP_FREE char *text = NULL;
	char own[MAC_STRLEN];

	if (!v4 && !v6) {
		if (json_object_size(part->o))
			conf_wrong(c, &part->at,
				   "[machine %s] keeps no address for it; say "
				   "which, as in address = 10.0.2.20",
				   part->name);
		return;
	}
	if (!c->mode.mode)
		return;
	if (!mode_knows(c->mode.mode, "reserve")) {
		conf_wrong(c, &part->at,
			   "%s has no DHCP server that keeps addresses; leave "
			   "the section out, or take mode=natnet",
			   c->mode.mode->word);
		return;
	}
	put_own_mac(c, part->name, own);
	if (asprintf(&text, "reserve=%s/%s%s%s/%s", said ? said : own,
		     v4 ? v4 : "", v4 && v6 ? "/" : "", v6 ? v6 : "",
		     part->name) < 0) {
		text = NULL;
		c->is_out_of_memory = true;
		return;
	}
	conf_option(c, &part->at, text);
}

static const struct conf_key machine_keys[] = {
	{"mac", false, take_mac},
	{"address", true, take_address},
	{NULL, false, NULL},
};

/* ---- all of them ---- */

static const struct conf_section sections[] = {
	{"network", CONF_UNNAMED, NULL, NULL},
	{"forward", CONF_MAYBE_NAMED, forward_keys, finish_forward},
	{"link", CONF_NAMED, conf_link_keys, conf_link_finish},
	{"capture", CONF_MAYBE_NAMED, capture_keys, finish_capture},
	{"machine", CONF_NAMED, machine_keys, finish_machine},
};

const struct conf_section *conf_section_find(const char *word)
{
	for (size_t i = 0; i < array_len(sections); i++) {
		if (strcmp(sections[i].word, word) == 0)
			return &sections[i];
	}
	return NULL;
}

static const struct conf_key *key_of(const struct conf_section *s,
				     const char *key)
{
	for (const struct conf_key *k = s->keys; k && k->key; k++) {
		if (strcmp(k->key, key) == 0)
			return k;
	}
	return NULL;
}

bool conf_key_find(const struct conf_section *s, const struct mode *m,
		   const char *key, bool *is_listp)
{
	const struct conf_key *k = key_of(s, key);

	if (k)
		*is_listp = k->is_list;
	if (s->keys || !m)
		return k;
	for (const struct mode_key *o = m->keys; o->key; o++) {
		if (strcmp(o->key, key) != 0)
			continue;
		*is_listp = o->is_list;
		return true;
	}
	return false;
}

void conf_take(struct conf *c, const struct conf_pair *p)
{
	const struct conf_key *k = key_of(p->part->section, p->key);
	CLEANUP_FREE char *text = NULL;

	if (k) {
		k->take(c, p->part, p);
		return;
	}
	if (asprintf(&text, "%s=%s", p->key, p->value) < 0) {
		text = NULL;
		c->is_out_of_memory = true;
		return;
	}
	conf_option(c, &p->at, text);
}

/* ---- words that are none ---- */

/* The nearest of some words to one. */
struct nearest {
	const char *word, *best;
	unsigned least;
};

static void look_at(struct nearest *n, const char *candidate)
{
	unsigned d = word_distance(n->word, candidate);

	if (d >= n->least)
		return;
	n->least = d;
	n->best = candidate;
}

/* Farther than that it is not what was meant. */
static struct nearest nearest_to(const char *word)
{
	return (struct nearest){.word = word,
				.least = (unsigned)strlen(word) / 3 + 2};
}

void conf_unknown_section(struct conf *c, const struct conf_at *at,
			  const char *word)
{
	struct nearest n = nearest_to(word);
	char q[QUOTE_LEN];

	for (size_t i = 0; i < array_len(sections); i++)
		look_at(&n, sections[i].word);
	if (n.best)
		conf_wrong(c, at, "there is no section [%s]; [%s] is meant?",
			   quote(q, word), n.best);
	else
		conf_wrong(c, at, "there is no section [%s]; there are "
				  "[network], [forward], [link VM], [capture] "
				  "and [machine VM]",
			   quote(q, word));
}

/* The first mode of networks that has the key. */
static const struct mode *mode_with(const char *key)
{
	const struct mode *m = modes;

	while (m->word && (m->owner == MODE_ONES || !mode_knows(m, key)))
		m++;
	return m->word ? m : NULL;
}

void conf_unknown_key(struct conf *c, const struct conf_pair *p)
{
	const struct conf_section *s = p->part->section;
	const struct mode *m = s->keys ? NULL : c->mode.mode, *other = NULL;
	struct nearest n = nearest_to(p->key);
	char q[QUOTE_LEN];

	for (const struct conf_key *k = s->keys; k && k->key; k++)
		look_at(&n, k->key);
	for (const struct mode_key *k = m ? m->keys : NULL; k && k->key; k++)
		look_at(&n, k->key);
	if (m)
		look_at(&n, "mode");
	if (m)
		other = mode_with(p->key);
	quote(q, p->key);
	if (other)
		conf_wrong(c, &p->at, "%s has no %s=, which is for %s; leave "
				      "it out, or take mode=%s",
			   m->word, q, other->word, other->word);
	else if (n.best)
		conf_wrong(c, &p->at, "[%s] has no %s=; %s= is meant?",
			   s->word, q, n.best);
	else
		conf_wrong(c, &p->at, "[%s] has no %s=; vmlan.conf(5) has what "
				      "there is",
			   s->word, q);
}
