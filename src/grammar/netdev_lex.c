/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Splits a netdev string into items, in the three forms of QEMU.  Called by
 * netdev_parse() only.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"

enum {
	JSON_DEPTH_MAX = 8, /* the grammar needs 3 */
};

static int no_memory(struct error *e)
{
	return error_errno(e, ENOMEM, "netdev");
}

/* Takes key and value over, also on failure. */
static int items_add(struct netdev_items *items, char *key, char *value,
		     struct error *e)
{
	struct netdev_item *v = items->v;

	if (!key) {
		free(value);
		return no_memory(e);
	}
	if (items->n == items->room) {
		size_t room = items->room ? 2 * items->room : 16;

		v = realloc(items->v, room * sizeof(*v));
		if (!v) {
			free(key);
			free(value);
			return no_memory(e);
		}
		items->v = v;
		items->room = room;
	}
	v[items->n++] = (struct netdev_item){.key = key, .value = value};
	return 0;
}

void netdev_items_deinit(struct netdev_items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		free(items->v[i].key);
		free(items->v[i].value);
	}
	free(items->v);
	*items = (struct netdev_items){.v = NULL};
}

/* Bytes up to the single comma that ends a value, or to the end. */
static size_t value_extent(const char *text)
{
	size_t len = 0;

	while (text[len] && (text[len] != ',' || text[len + 1] == ','))
		len += text[len] == ',' ? 2 : 1;
	return len;
}

/* Reads a value up to a single comma or the end; ",," stands for a comma.
 * Moves *pp behind the comma.  NULL: no memory. */
static char *take_value(const char **pp)
{
	size_t len = value_extent(*pp), n = 0;
	char *out = malloc(len + 1);

	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		out[n++] = (*pp)[i];
		i += (*pp)[i] == ',';
	}
	out[n] = '\0';
	*pp += len + ((*pp)[len] == ',');
	return out;
}

/* One "key=value", "key", or at the front a bare TYPE. */
static int take_item(const char **pp, struct netdev_items *items,
		     struct error *e)
{
	size_t len = strcspn(*pp, "=,");
	bool is_bare = (*pp)[len] != '=';
	char *key, *value = NULL;

	if (is_bare && items->n == 0) {
		key = strdup("type");
		value = take_value(pp);
	} else {
		key = strndup(*pp, len);
		*pp += len;
		if (!is_bare) {
			++*pp;
			value = take_value(pp);
		} else if (**pp) {
			++*pp;
		}
	}
	if (!value && !(is_bare && items->n)) {
		free(key);
		return no_memory(e);
	}
	return items_add(items, key, value, e);
}

static int lex_text(const char *text, struct netdev_items *items,
		    struct error *e)
{
	const char *p = text;

	while (*p) {
		int r = take_item(&p, items, e);

		if (r < 0)
			return r;
	}
	return 0;
}

/* jansson parses nested values by recursion; this bounds it beforehand. */
static bool json_is_shallow(const char *text)
{
	unsigned depth = 0;
	bool in_string = false;

	for (const char *p = text; *p; p++) {
		if (in_string) {
			if (*p == '\\' && p[1])
				p++;
			else if (*p == '"')
				in_string = false;
			continue;
		}
		if (*p == '"')
			in_string = true;
		else if ((*p == '{' || *p == '[') && ++depth > JSON_DEPTH_MAX)
			return false;
		else if ((*p == '}' || *p == ']') && depth)
			depth--;
	}
	return true;
}

static const char *json_type_wanted(enum opt_type type)
{
	switch (type) {
	case OPT_STR:
		return "string";
	case OPT_BOOL:
		return "boolean";
	case OPT_U16:
	case OPT_U32:
	case OPT_U64:
	case OPT_INT:
	case OPT_SIZE:
		return "integer";
	case OPT_LIST:
		return "array";
	case OPT_SOCKADDR:
	case OPT_N_TYPES:
		break;
	}
	return "object";
}

static int json_wrong_type(const struct netdev_kind *kind, const char *name,
			   const char *wanted, struct error *e)
{
	char q[QUOTE_LEN];

	return spec_error(kind, e,
			  "Invalid parameter type for '%s', expected: %s",
			  quote(q, name), wanted);
}

/* A scalar as text, or NULL if its type is not the one wanted. */
static const char *json_scalar_text(const json_t *j, enum opt_type type,
				    char *buf, size_t size)
{
	switch (type) {
	case OPT_STR:
		return json_string_value(j);
	case OPT_BOOL:
		if (!json_is_boolean(j))
			return NULL;
		return json_is_true(j) ? "on" : "off";
	case OPT_U16:
	case OPT_U32:
	case OPT_U64:
	case OPT_INT:
	case OPT_SIZE:
		if (!json_is_integer(j))
			return NULL;
		snprintf(buf, size, "%lld", (long long)json_integer_value(j));
		return buf;
	case OPT_LIST:
	case OPT_SOCKADDR:
	case OPT_N_TYPES:
		break;
	}
	return NULL;
}

/* Where a JSON value stands, for the functions below. */
struct json_place {
	const struct netdev_kind *kind;
	struct netdev_items *items;
	struct error *e;
};

static int json_add_scalar(const struct json_place *at, const char *name,
			   enum opt_type type, const json_t *j)
{
	char buf[32];
	const char *text = json_scalar_text(j, type, buf, sizeof(buf));
	char *value;

	if (!text)
		return json_wrong_type(at->kind, name, json_type_wanted(type),
				       at->e);
	value = strdup(text);
	if (!value)
		return no_memory(at->e);
	return items_add(at->items, strdup(name), value, at->e);
}

/* {"str": TEXT}, which is called full in errors */
static int json_add_element(const struct json_place *at, const char *name,
			    const char *full, json_t *el)
{
	json_t *str = json_object_get(el, "str");
	char dotted[128], q[QUOTE_LEN];
	const char *member;
	json_t *j;

	if (!json_is_object(el))
		return json_wrong_type(at->kind, full, "object", at->e);
	if (!str)
		return spec_error(at->kind, at->e,
				  "Parameter '%s.str' is missing", full);
	json_object_foreach(el, member, j)
	{
		if (strcmp(member, "str"))
			return spec_error(at->kind, at->e,
					  "Parameter '%s.%s' is unexpected, "
					  "only '%s.str' is known",
					  full, quote(q, member), full);
	}
	snprintf(dotted, sizeof(dotted), "%s.str", full);
	if (!json_is_string(str))
		return json_wrong_type(at->kind, dotted, "string", at->e);
	return json_add_scalar(at, name, OPT_STR, str);
}

static int json_add_list(const struct json_place *at, const char *name,
			 json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		char full[96];
		int r;

		snprintf(full, sizeof(full), "%s[%zu]", name, i);
		r = json_add_element(at, name, full, json_array_get(array, i));
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct netdev_option *member_find(const char *name)
{
	const struct netdev_sockaddr_option *m = netdev_sockaddr_options;

	for (; m->opt.name; m++) {
		if (!strcmp(m->opt.name, name))
			return &m->opt;
	}
	return NULL;
}

static int json_add_sockaddr(const struct json_place *at, const char *name,
			     json_t *object)
{
	const char *member;
	json_t *j;

	json_object_foreach(object, member, j)
	{
		const struct netdev_option *opt = member_find(member);
		char *full;
		int r;

		if (asprintf(&full, "%s.%s", name, member) < 0)
			return no_memory(at->e);
		r = opt ? json_add_scalar(at, full, opt->type, j)
			: netdev_unknown_key(at->kind, FORM_JSON, full, at->e);
		free(full);
		if (r < 0)
			return r;
	}
	if (json_object_size(object) == 0)
		return spec_error(at->kind, at->e,
				  "Parameter '%s.type' is missing", name);
	return 0;
}

static int json_add_member(const struct json_place *at, const char *name,
			   json_t *j)
{
	const struct netdev_option *opt;

	if (!strcmp(name, "type") || !strcmp(name, "id"))
		return json_add_scalar(at, name, OPT_STR, j);
	if (!at->kind->is_built) /* refused later, whatever is in it */
		return items_add(at->items, strdup(name), NULL, at->e);
	opt = netdev_option_find(at->kind, name);
	if (!opt)
		return netdev_unknown_key(at->kind, FORM_JSON, name, at->e);
	if (opt->type == OPT_LIST && json_is_array(j))
		return json_add_list(at, name, j);
	if (opt->type == OPT_SOCKADDR && json_is_object(j))
		return json_add_sockaddr(at, name, j);
	if (opt->also && json_is_string(j) &&
	    !strcmp(json_string_value(j), opt->also))
		return json_add_scalar(at, name, OPT_STR, j);
	return json_add_scalar(at, name, opt->type, j);
}

static int json_find_kind(json_t *root, const struct netdev_kind **kindp,
			  struct error *e)
{
	struct netdev_item it = {.key = (char[]){"type"}};
	struct netdev_items one = {.v = &it, .n = 1};
	json_t *type = json_object_get(root, "type");

	if (!type)
		return error_set(e, EXIT_USAGE, "Parameter 'type' is missing");
	if (!json_is_string(type))
		return error_set(e, EXIT_USAGE,
				 "Invalid parameter type for 'type', "
				 "expected: string");
	it.value = (char *)json_string_value(type);
	*kindp = netdev_items_kind(&one, e);
	return *kindp ? 0 : -1;
}

static int json_add_all(json_t *root, struct netdev_items *items,
			struct error *e)
{
	struct json_place at = {.items = items, .e = e};
	const char *name;
	json_t *j;
	int r;

	r = json_find_kind(root, &at.kind, e);
	if (r < 0)
		return r;
	json_object_foreach(root, name, j)
	{
		r = json_add_member(&at, name, j);
		if (r < 0)
			return r;
	}
	return 0;
}

static int lex_json(const char *text, struct netdev_items *items,
		    struct error *e)
{
	char q[QUOTE_LEN];
	json_error_t je;
	json_t *root;
	int r;

	items->form = FORM_JSON;
	if (!json_is_shallow(text))
		return error_set(e, EXIT_USAGE,
				 "JSON parse error, nested more than %d deep",
				 JSON_DEPTH_MAX);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &je);
	if (!root)
		return error_set(e, EXIT_USAGE,
				 "JSON parse error, %s (column %d)",
				 quote(q, je.text), je.column);
	r = json_add_all(root, items, e);
	json_decref(root);
	return r;
}

const struct netdev_kind *netdev_items_kind(const struct netdev_items *items,
					    struct error *e)
{
	const struct netdev_kind *kind;
	const char *word = NULL;
	char q[QUOTE_LEN];

	for (size_t i = 0; i < items->n; i++) {
		if (strcmp(items->v[i].key, "type"))
			continue;
		if (word) {
			error_set(e, EXIT_USAGE,
				  "%s: Parameter 'type' is given twice",
				  quote(q, word));
			return NULL;
		}
		word = items->v[i].value;
	}
	if (!word) {
		error_set(e, EXIT_USAGE, "Parameter 'type' is missing");
		return NULL;
	}
	kind = netdev_kind_find(word);
	if (!kind) {
		error_set(e, EXIT_USAGE,
			  "Parameter 'type' does not accept value '%s'; the "
			  "nearest is '%s', 'help' lists all",
			  quote(q, word), netdev_kind_nearest(word)->name);
		return NULL;
	}
	return kind;
}

int netdev_lex(const char *text, struct netdev_items *items, struct error *e)
{
	*items = (struct netdev_items){.form = FORM_CLASSIC};
	if (strlen(text) > NETDEV_TEXT_MAX)
		return error_set(e, EXIT_USAGE,
				 "a netdev may not be longer than %d bytes",
				 NETDEV_TEXT_MAX);
	if (text[0] == '{')
		return lex_json(text, items, e);
	return lex_text(text, items, e);
}
