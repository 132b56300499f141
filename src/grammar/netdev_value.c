/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stores the text of a value as its option's type says.  Called by
 * netdev_parse() only; the messages are those of QEMU's parsers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"
#include "grammar/number.h"

static uint64_t type_max(enum opt_type type)
{
	switch (type) {
	case OPT_U16:
		return UINT16_MAX;
	case OPT_U32:
		return UINT32_MAX;
	case OPT_INT:
		return INT32_MAX;
	case OPT_U64:
	case OPT_SIZE:
	case OPT_STR:
	case OPT_BOOL:
	case OPT_LIST:
	case OPT_SOCKADDR:
	case OPT_N_TYPES:
		break;
	}
	return UINT64_MAX;
}

static const char *type_c_name(enum opt_type type)
{
	switch (type) {
	case OPT_U16:
		return "uint16_t";
	case OPT_U32:
		return "uint32_t";
	case OPT_INT:
		return "int32_t";
	case OPT_U64:
	case OPT_SIZE:
	case OPT_STR:
	case OPT_BOOL:
	case OPT_LIST:
	case OPT_SOCKADDR:
	case OPT_N_TYPES:
		break;
	}
	return "uint64_t";
}

static int number_set(struct netdev_spec *s, struct value *v,
		      const struct netdev_option *opt, const char *name,
		      const char *text, struct error *e)
{
	bool is_negative = opt->type == OPT_INT && text[0] == '-';
	uint64_t max = type_max(opt->type) + is_negative;
	char q[QUOTE_LEN];
	bool too_big;

	if (number_parse(text + is_negative, max, &v->u, &too_big)) {
		v->i = is_negative ? -(int64_t)v->u : (int64_t)v->u;
		return 0;
	}
	if (too_big || (s->form == FORM_JSON && text[0] == '-'))
		return spec_error(s->kind, e, "Parameter '%s' expects %s", name,
				  type_c_name(opt->type));
	return spec_error(s->kind, e, "Parameter '%s' expects %s, not '%s'",
			  name,
			  s->form != FORM_CLASSIC ? "integer"
			  : opt->type == OPT_INT  ? "an int64 value"
						  : "a uint64 value",
			  quote(q, text));
}

static int size_set(struct netdev_spec *s, struct value *v, const char *name,
		    const char *text, struct error *e)
{
	char q[QUOTE_LEN];

	if (size_parse(text, &v->u))
		return 0;
	return spec_error(s->kind, e,
			  "Parameter '%s' expects a size value, not '%s'", name,
			  quote(q, text));
}

static int bool_set(struct netdev_spec *s, struct value *v,
		    const struct netdev_option *opt, const char *name,
		    const char *text, struct error *e)
{
	char q[QUOTE_LEN];

	if (bool_parse(text, &v->b))
		return 0;
	if (opt->also && !strcmp(text, opt->also)) {
		v->b = true;
		return 0;
	}
	return spec_error(s->kind, e,
			  "Parameter '%s' expects 'on'%s%s%s or 'off', not "
			  "'%s'",
			  name, opt->also ? ", '" : "",
			  opt->also ? opt->also : "", opt->also ? "'" : "",
			  quote(q, text));
}

static int list_add(struct value *v, const char *text)
{
	char **list = realloc(v->list, (v->n_list + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	v->list = list;
	list[v->n_list] = strdup(text);
	if (!list[v->n_list])
		return -ENOMEM;
	v->n_list++;
	return 0;
}

int value_set(struct netdev_spec *s, struct value *v,
	      const struct netdev_option *opt, const char *name,
	      const char *text, struct error *e)
{
	int r = 0;

	switch (opt->type) {
	case OPT_STR:
		break;
	case OPT_BOOL:
		r = bool_set(s, v, opt, name, text, e);
		break;
	case OPT_U16:
	case OPT_U32:
	case OPT_U64:
	case OPT_INT:
		r = number_set(s, v, opt, name, text, e);
		break;
	case OPT_SIZE:
		r = size_set(s, v, name, text, e);
		break;
	case OPT_LIST:
		r = list_add(v, text);
		return r < 0 ? error_errno(e, r, "%s", s->kind->name) : 0;
	case OPT_SOCKADDR:
	case OPT_N_TYPES:
		return spec_error(s->kind, e,
				  "Invalid parameter type for '%s', "
				  "expected: object (%s.type=, ..)",
				  name, name);
	}
	if (r < 0)
		return r;
	free(v->str);
	v->str = strdup(text);
	return v->str ? 0 : error_errno(e, ENOMEM, "%s", s->kind->name);
}

void value_deinit(struct value *v)
{
	free(v->str);
	for (size_t i = 0; i < v->n_list; i++)
		free(v->list[i]);
	free(v->list);
	if (v->addr) {
		for (size_t i = 0; i < SOCKADDR_N_MEMBERS; i++) {
			/* members hold no list and no address */
			free(v->addr->members[i].str);
		}
		free(v->addr);
	}
	*v = (struct value){.str = NULL};
}
