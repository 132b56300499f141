/* SPDX-License-Identifier: BSD-3-Clause */
/* Networks beside each other; see conf_across.h. */
#include "cli/conf_across.h"

#include <string.h>

#include "grammar/user_opts.h"


/* ---- subnets ---- */

/* The network that such an option gives: "10.0.2.0/24", or as QEMU takes net=
 * otherwise. */
static bool subnet_of(const char *option, struct prefix *p)
{
	static const char *const keys[] = {"net=", "ipv6-net=", "addr="};
	struct user_opts o = USER_OPTS_NULL;
	struct netdev_spec *spec = NULL;
	CLEANUP_FREE char *text = NULL;
	const char *value = strchr(option, '=') + 1;
	bool found = false;

	for (size_t i = 0; i < array_len(keys); i++)
		found |= strncmp(option, keys[i], strlen(keys[i])) == 0;
	if (!found)
		return false;
	if (prefix_parse(value, p)) {
		*p = prefix_network(p);
		return true;
	}
	if (asprintf(&text, "user,%s", option) < 0) {
		text = NULL;
		return false;
	}
	found = netdev_parse(text, &spec, NULL) == 0 &&
		netdev_user_resolve(spec, &o, NULL) == 0;
	if (found)
		*p = strncmp(option, "net=", 4) == 0 ? o.v4.net : o.v6.net;
	user_opts_deinit(&o);
	netdev_spec_free(spec);
	return found;
}

static bool overlaps(const struct prefix *a, const struct prefix *b)
{
	return addr_is_v4(&a->ip) == addr_is_v4(&b->ip) &&
	       (prefix_has(a, &b->ip) || prefix_has(b, &a->ip));
}

/* ---- options ---- */

/* Of the host there is one, and a network's own. */
static bool is_interface(const char *option)
{
	static const char *const keys[] = {"bridge=", "if=", "ifname="};

	for (size_t i = 0; i < array_len(keys); i++) {
		if (strncmp(option, keys[i], strlen(keys[i])) == 0)
			return true;
	}
	return false;
}

static void compare_options(struct conf *c, unsigned i, const struct conf *d,
			    unsigned k)
{
	const char *a = c->mode.options[i], *b = d->mode.options[k];
	const struct conf_at *other = &d->options_at[k];
	struct prefix p, q;

	if (is_interface(a) && strcmp(strchr(a, '='), strchr(b, '=')) == 0 &&
	    is_interface(b))
		conf_warn(c, &c->options_at[i],
			  "%s: network %s has that interface, too (%s:%u); "
			  "take another, or join the two",
			  a, d->name, other->file, other->line);
	else if (subnet_of(a, &p) && subnet_of(b, &q) && overlaps(&p, &q))
		conf_warn(c, &c->options_at[i],
			  "%s: network %s has addresses of that, too (%s:%u); "
			  "take another",
			  a, d->name, other->file, other->line);
}

/* ---- forwards ---- */

static void compare_forwards(struct conf *c, const struct conf *d)
{
	for (unsigned i = 0; i < c->n_rules; i++) {
		for (unsigned k = 0; k < d->n_rules; k++) {
			const struct conf_forward *f = &d->rules[k];
			char text[PORT_RULE_STRLEN];

			if (!port_rule_overlaps(&c->rules[i].rule, &f->rule))
				continue;
			conf_warn(c, &c->rules[i].at,
				  "%s: network %s forwards that port, too "
				  "(%s:%u); take another",
				  port_rule_format(&c->rules[i].rule, text),
				  d->name, f->at.file, f->at.line);
		}
	}
}

static void compare(struct conf *c, const struct conf *d)
{
	for (unsigned i = 0; i < c->mode.n_options; i++) {
		for (unsigned k = 0; k < d->mode.n_options; k++)
			compare_options(c, i, d, k);
	}
	compare_forwards(c, d);
}

void conf_across(struct conf *const *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < i; k++) {
			if (strcmp(v[i]->name, v[k]->name) != 0)
				compare(v[i], v[k]);
		}
	}
}
