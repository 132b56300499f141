/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A netdev string to a checked spec, and the accessors.  Called by the
 * commands and the keeper, on their one thread.
 */
#include "grammar/netdev_spec.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/number.h"

int spec_error(const struct netdev_kind *kind, struct error *e, const char *fmt,
	       ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(e, EXIT_USAGE, "%s: %s", kind->name, text);
}

struct netdev_spec *netdev_spec_free(struct netdev_spec *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_values; i++)
		value_deinit(&s->values[i]);
	free(s->values);
	free(s->id);
	free(s);
	return NULL;
}

static void spec_free_at(struct netdev_spec **sp)
{
	netdev_spec_free(*sp);
}

/* A spec of kind with all values at their defaults, none given. */
static struct netdev_spec *spec_new(const struct netdev_kind *kind,
				    enum netdev_form form)
{
	struct netdev_spec *s = calloc(1, sizeof(*s));
	size_t n = 0;

	if (!s)
		return NULL;
	s->kind = kind;
	while (kind->options[n].name)
		n++;
	s->values = calloc(n ? n : 1, sizeof(*s->values));
	if (!s->values)
		return netdev_spec_free(s);
	s->n_values = n;
	for (size_t i = 0; i < n; i++) {
		const struct netdev_option *o = &kind->options[i];

		if (o->deflt &&
		    value_set(s, &s->values[i], o, o->name, o->deflt, NULL) < 0)
			return netdev_spec_free(s);
	}
	s->form = form;
	return s;
}

/* The nearest of the kind's keys; full takes the name of a dotted one. */
static const char *nearest_key(const struct netdev_kind *kind, const char *key,
			       char *full, size_t size, unsigned *distp)
{
	const struct netdev_sockaddr_option *m;
	char dotted[64];

	snprintf(full, size, "id");
	*distp = word_distance(key, full);
	for (const struct netdev_option *o = kind->options; o->name; o++) {
		unsigned d = word_distance(key, o->name);

		if (o->type != OPT_SOCKADDR && d < *distp) {
			*distp = d;
			snprintf(full, size, "%s", o->name);
		}
		m = netdev_sockaddr_options;
		for (; o->type == OPT_SOCKADDR && m->opt.name; m++) {
			snprintf(dotted, sizeof(dotted), "%s.%s", o->name,
				 m->opt.name);
			d = word_distance(key, dotted);
			if (!strcmp(key, m->opt.name))
				d = 1; /* the prefix was forgotten */
			if (d < *distp) {
				*distp = d;
				snprintf(full, size, "%s", dotted);
			}
		}
	}
	return full;
}

int netdev_unknown_key(const struct netdev_kind *kind, enum netdev_form form,
		       const char *key, struct error *e)
{
	bool is_classic = form == FORM_CLASSIC || !*key;
	char q[QUOTE_LEN], near[64], hint[128];
	unsigned d;

	nearest_key(kind, key, near, sizeof(near), &d);
	if (d == 0)
		snprintf(hint, sizeof(hint),
			 "in JSON it is a member of an object");
	else if (d <= 1 + strlen(key) / 4 && d < strlen(key))
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	else
		snprintf(hint, sizeof(hint),
			 "the nearest is '%s', '%s,help' lists all", near,
			 kind->name);
	return spec_error(kind, e, "%s '%s'%s; %s",
			  is_classic ? "Invalid parameter" : "Parameter",
			  quote(q, key), is_classic ? "" : " is unexpected",
			  hint);
}

static int unknown_key(const struct netdev_spec *s, const char *key,
		       struct error *e)
{
	return netdev_unknown_key(s->kind, s->form, key, e);
}

static int given_twice(const struct netdev_spec *s, const char *key,
		       struct error *e)
{
	return spec_error(s->kind, e, "Parameter '%s' is given twice", key);
}

/* "addr.host": the member's value and option; NULL if there is none such. */
static struct value *find_member(struct netdev_spec *s, const char *key,
				 const struct netdev_option **optp)
{
	const struct netdev_sockaddr_option *m = netdev_sockaddr_options;
	const char *dot = strchr(key, '.');
	struct value *v;
	size_t i = 0;

	if (!dot)
		return NULL;
	for (; i < s->n_values; i++) {
		const struct netdev_option *o = &s->kind->options[i];

		if (o->type == OPT_SOCKADDR &&
		    strlen(o->name) == (size_t)(dot - key) &&
		    !strncmp(o->name, key, (size_t)(dot - key)))
			break;
	}
	if (i == s->n_values)
		return NULL;
	for (; m->opt.name; m++) {
		if (!strcmp(m->opt.name, dot + 1))
			break;
	}
	if (!m->opt.name)
		return NULL;
	v = &s->values[i];
	if (!v->addr)
		v->addr = calloc(1, sizeof(*v->addr));
	if (!v->addr)
		return NULL;
	v->is_set = true;
	*optp = &m->opt;
	return &v->addr->members[m - netdev_sockaddr_options];
}

static struct value *find_value(struct netdev_spec *s, const char *key,
				const struct netdev_option **optp)
{
	*optp = netdev_option_find(s->kind, key);
	return *optp ? &s->values[*optp - s->kind->options]
		     : find_member(s, key, optp);
}

/* A key without '=': on, or with "no" in front off, as QemuOpts has it. */
static int apply_bare(struct netdev_spec *s, const char *key,
		      const char **namep, const char **valuep, struct error *e)
{
	const struct netdev_option *o = netdev_option_find(s->kind, key);
	bool is_no = !o && !strncmp(key, "no", 2);
	char q[QUOTE_LEN];

	*namep = is_no ? key + 2 : key;
	*valuep = is_no ? "off" : "on";
	if (is_no)
		o = netdev_option_find(s->kind, key + 2);
	if (s->form == FORM_CLASSIC && o && o->type == OPT_BOOL)
		return 0;
	if (!o && !(strchr(key, '.') && s->kind->is_modern))
		return unknown_key(s, key, e);
	return spec_error(s->kind, e, "Expected '=' after parameter '%s'",
			  quote(q, key));
}

static int apply_id(struct netdev_spec *s, const char *text, struct error *e)
{
	char q[QUOTE_LEN];
	const char *p = text;

	if (s->id)
		return given_twice(s, "id", e);
	if (isalpha((unsigned char)*p)) {
		while (isalnum((unsigned char)*p) || (*p && strchr("-._", *p)))
			p++;
	}
	if (p == text || *p)
		return spec_error(s->kind, e,
				  "Parameter 'id' expects an identifier (a "
				  "letter, then letters, digits, '-', '.', "
				  "'_'), not '%s'",
				  quote(q, text));
	s->id = strdup(text);
	return s->id ? 0 : error_errno(e, ENOMEM, "%s", s->kind->name);
}

static int apply_item(struct netdev_spec *s, const struct netdev_item *it,
		      struct error *e)
{
	const char *key = it->key, *text = it->value;
	const struct netdev_option *opt;
	struct value *v;
	int r;

	if (!strcmp(key, "type"))
		return 0;
	if (!text && !strcmp(key, "id"))
		return spec_error(s->kind, e,
				  "Expected '=' after parameter 'id'");
	if (!strcmp(key, "id"))
		return apply_id(s, text, e);
	if (!text) {
		r = apply_bare(s, key, &key, &text, e);
		if (r < 0)
			return r;
	}
	v = find_value(s, key, &opt);
	if (!v)
		return unknown_key(s, key, e);
	if (v->is_set && opt->type != OPT_LIST)
		return given_twice(s, key, e);
	r = value_set(s, v, opt, key, text, e);
	if (r < 0)
		return r;
	v->is_set = true;
	return 0;
}

static int check_required(const struct netdev_spec *s, struct error *e)
{
	for (size_t i = 0; i < s->n_values; i++) {
		const struct netdev_option *o = &s->kind->options[i];

		if ((o->flags & OPT_F_REQUIRED) && !s->values[i].is_set)
			return spec_error(s->kind, e,
					  "Parameter '%s' is missing", o->name);
	}
	return 0;
}

/* True if the value asks for nothing that is not built. */
static bool is_harmless(const struct netdev_option *o, const struct value *v)
{
	uint64_t n;
	bool b, too_big;

	if (!o->accepts)
		return false;
	if (o->type == OPT_BOOL)
		return bool_parse(o->accepts, &b) && b == v->b;
	if (o->type == OPT_U32)
		return number_parse(o->accepts, UINT32_MAX, &n, &too_big) &&
		       n == v->u;
	return !strcmp(o->accepts, v->str);
}

/* Says which option it is that cannot be had, and why. */
static int refuse_option(const struct netdev_spec *s,
			 const struct netdev_option *o, const struct value *v,
			 struct error *e)
{
	char q[QUOTE_LEN];

	if (o->flags & OPT_F_REFUSED)
		return spec_error(s->kind, e, "Parameter '%s' is refused: %s",
				  o->name, o->does);
	if (!o->accepts)
		return spec_error(s->kind, e, "Parameter '%s' is not built yet",
				  o->name);
	return spec_error(s->kind, e,
			  "Parameter '%s' is not built yet; only %s=%s is "
			  "accepted, not '%s'",
			  o->name, o->name, o->accepts, quote(q, v->str));
}

static int check_refused(const struct netdev_spec *s, struct error *e)
{
	for (size_t i = 0; i < s->n_values; i++) {
		const struct netdev_option *o = &s->kind->options[i];
		const struct value *v = &s->values[i];

		if ((o->flags & (OPT_F_LATER | OPT_F_REFUSED)) && v->is_set &&
		    !is_harmless(o, v))
			return refuse_option(s, o, v, e);
	}
	return 0;
}

static int refuse_unbuilt(const struct netdev_kind *kind, struct error *e)
{
	return spec_error(kind, e,
			  "network backend '%s' is not compiled into this "
			  "binary%s; %s",
			  kind->name,
			  kind->is_foreign ? "" : ", it is not built yet",
			  kind->not_built);
}

static int parse_items(const struct netdev_items *items,
		       struct netdev_spec **specp, struct error *e)
{
	__attribute__((cleanup(spec_free_at))) struct netdev_spec *s = NULL;
	const struct netdev_kind *kind = netdev_items_kind(items, e);
	enum netdev_form form = items->form;
	int r;

	if (!kind)
		return -1;
	if (!kind->is_built)
		return refuse_unbuilt(kind, e);
	if (form == FORM_CLASSIC && kind->is_modern)
		form = FORM_KEYVAL;
	s = spec_new(kind, form);
	if (!s)
		return error_errno(e, ENOMEM, "%s", kind->name);
	for (size_t i = 0; i < items->n; i++) {
		r = apply_item(s, &items->v[i], e);
		if (r < 0)
			return r;
	}
	r = check_required(s, e);
	if (r >= 0)
		r = netdev_check_addrs(s, e);
	if (r >= 0)
		r = netdev_check(s, e);
	if (r >= 0)
		r = check_refused(s, e);
	if (r < 0)
		return r;
	*specp = mem_steal(s);
	return 0;
}

int netdev_parse(const char *text, struct netdev_spec **specp, struct error *e)
{
	struct netdev_items items;
	int r = netdev_lex(text, &items, e);

	if (r >= 0)
		r = parse_items(&items, specp, e);
	netdev_items_deinit(&items);
	return r;
}

static bool is_help_word(const char *s)
{
	return !strcmp(s, "help") || !strcmp(s, "?");
}

bool netdev_wants_help(const char *text, const struct netdev_kind **kindp)
{
	struct netdev_items items;
	bool wanted = false;

	*kindp = NULL;
	if (is_help_word(text))
		return true;
	if (text[0] == '{')
		return false;
	if (netdev_lex(text, &items, NULL) >= 0) {
		for (size_t i = 0; i < items.n; i++)
			wanted |= !items.v[i].value &&
				  is_help_word(items.v[i].key);
		if (wanted)
			*kindp = netdev_items_kind(&items, NULL);
	}
	netdev_items_deinit(&items);
	return wanted && *kindp;
}

const struct netdev_kind *spec_kind(const struct netdev_spec *s)
{
	return s->kind;
}

const char *spec_id(const struct netdev_spec *s)
{
	return s->id;
}

static const struct value *value_of(const struct netdev_spec *s,
				    const char *key,
				    const struct netdev_option **optp)
{
	*optp = netdev_option_find(s->kind, key);
	assert(*optp);
	return &s->values[*optp - s->kind->options];
}

const struct value *spec_value(const struct netdev_spec *s, const char *key,
			       enum opt_type type)
{
	const struct netdev_option *opt;
	const struct value *v = value_of(s, key, &opt);

	assert(opt->type == type);
	return v;
}

bool spec_has(const struct netdev_spec *s, const char *key)
{
	const struct netdev_option *opt;

	return value_of(s, key, &opt)->is_set;
}

const char *spec_str(const struct netdev_spec *s, const char *key)
{
	return spec_value(s, key, OPT_STR)->str;
}

const char *spec_typed(const struct netdev_spec *s, const char *key)
{
	const struct netdev_option *opt;

	return value_of(s, key, &opt)->str;
}

bool spec_bool(const struct netdev_spec *s, const char *key)
{
	return spec_value(s, key, OPT_BOOL)->b;
}

bool spec_is_also(const struct netdev_spec *s, const char *key)
{
	const struct netdev_option *opt;
	const struct value *v = value_of(s, key, &opt);

	assert(opt->type == OPT_BOOL && opt->also);
	return v->str && !strcmp(v->str, opt->also);
}

uint64_t spec_u64(const struct netdev_spec *s, const char *key)
{
	const struct netdev_option *opt;
	const struct value *v = value_of(s, key, &opt);

	assert(opt->type == OPT_U16 || opt->type == OPT_U32 ||
	       opt->type == OPT_U64 || opt->type == OPT_SIZE);
	return v->u;
}

int32_t spec_int(const struct netdev_spec *s, const char *key)
{
	return (int32_t)spec_value(s, key, OPT_INT)->i;
}

const char *const *spec_list(const struct netdev_spec *s, const char *key,
			     size_t *np)
{
	const struct value *v = spec_value(s, key, OPT_LIST);

	*np = v->n_list;
	return (const char *const *)v->list;
}

const struct sock_addr_spec *spec_addr(const struct netdev_spec *s,
				       const char *key)
{
	const struct value *v = spec_value(s, key, OPT_SOCKADDR);

	return v->addr ? &v->addr->spec : NULL;
}

bool spec_is_fd(const struct netdev_spec *s)
{
	for (size_t i = 0; s->kind->options[i].name; i++) {
		const char *name = s->kind->options[i].name;
		const struct value *v = &s->values[i];

		if (v->addr && v->addr->spec.type == SOCK_ADDR_FD)
			return true;
		if (v->is_set &&
		    (strcmp(name, "fd") == 0 || strcmp(name, "fds") == 0 ||
		     strcmp(name, "sock-fds") == 0))
			return true;
	}
	return false;
}

unsigned spec_fds(const struct netdev_spec *s, const char *key, int *fds,
		  unsigned max)
{
	const char *p = spec_str(s, key);
	unsigned n = 0;

	while (p && *p) {
		char *end;
		int fd = (int)strtol(p, &end, 10);

		if (n < max)
			fds[n] = fd;
		n++;
		p = *end ? end + 1 : end;
	}
	return n;
}

void netdev_value_put(FILE *f, const char *value)
{
	for (; *value; value++) {
		if (*value == ',')
			fputc(',', f);
		fputc(*value, f);
	}
}

void netdev_key_put(FILE *f, const char *prefix, const char *name,
		    const char *text)
{
	fprintf(f, ",%s%s=", prefix, name);
	netdev_value_put(f, text);
}

static void format_addr(FILE *f, const char *name,
			const struct sockaddr_value *a)
{
	const struct netdev_sockaddr_option *m = netdev_sockaddr_options;
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "%s.", name);
	for (; m->opt.name; m++) {
		const struct value *v =
			&a->members[m - netdev_sockaddr_options];

		if (v->is_set)
			netdev_key_put(f, prefix, m->opt.name, v->str);
	}
}

char *netdev_spec_format(const struct netdev_spec *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "%s", s->kind->name);
	if (s->id)
		fprintf(f, ",id=%s", s->id);
	for (size_t i = 0; i < s->n_values; i++) {
		const struct netdev_option *o = &s->kind->options[i];
		const struct value *v = &s->values[i];

		if (!v->is_set)
			continue;
		if (o->type == OPT_SOCKADDR)
			format_addr(f, o->name, v->addr);
		else if (o->type == OPT_LIST)
			for (size_t j = 0; j < v->n_list; j++)
				netdev_key_put(f, "", o->name, v->list[j]);
		else
			netdev_key_put(f, "", o->name, v->str);
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
