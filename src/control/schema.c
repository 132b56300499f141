/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests found and bodies checked by the table; see schema.h. */
#include "control/schema.h"

#include <string.h>

const char *schema_type_name(enum schema_type type)
{
	static const char *const names[] = {
#define SCHEMA_TYPE_NAME(name, text) [SCHEMA_##name] = text,
		SCHEMA_TYPES(SCHEMA_TYPE_NAME)
#undef SCHEMA_TYPE_NAME
	};

	return names[type];
}

unsigned schema_status(enum exit_code code)
{
	switch (code) {
	case EXIT_DONE:
		return 200;
	case EXIT_USAGE:
		return 400;
	case EXIT_PERMISSION:
		return 403;
	case EXIT_NO_NETWORK:
	case EXIT_NO_OBJECT:
		return 404;
	case EXIT_CONFLICT:
		return 409;
	case EXIT_FAILED:
	case EXIT_RUN_FAILED:
	case EXIT_RUN_CANNOT:
	case EXIT_RUN_NOT_FOUND:
		break;
	}
	return 500;
}

/* ---- which request ---- */

/* One segment of the url is the name that path has in braces. */
static bool path_has(const char *path, const char *url,
		     char name[CONTROL_NAME_LEN])
{
	size_t at = strcspn(path, "{");
	size_t len = strncmp(path, url, at) == 0 ? strcspn(url + at, "/") : 0;

	name[0] = '\0';
	if (!path[at])
		return strcmp(path, url) == 0;
	if (!len || len >= CONTROL_NAME_LEN ||
	    strcmp(strchr(path + at, '}') + 1, url + at + len) != 0)
		return false;
	memcpy(name, url + at, len);
	name[len] = '\0';
	return true;
}

static void put_method(char allow[SCHEMA_ALLOW_LEN], const char *method)
{
	size_t len = strlen(allow);

	snprintf(allow + len, SCHEMA_ALLOW_LEN - len, "%s%s%s",
		 len ? ", " : "", method,
		 strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

enum schema_id schema_find(const char *method, const char *url,
			   char name[CONTROL_NAME_LEN],
			   char allow[SCHEMA_ALLOW_LEN])
{
	const char *wants = strcmp(method, "HEAD") == 0 ? "GET" : method;

	allow[0] = '\0';
	for (unsigned i = 0; i < SCHEMA_N; i++) {
		const struct schema_request *r = &schema_requests[i];

		if (!path_has(r->path, url, name))
			continue;
		if (strcmp(r->method, wants) == 0)
			return (enum schema_id)i;
		put_method(allow, r->method);
	}
	name[0] = '\0';
	return SCHEMA_N;
}

/* ---- whether its keys are known ---- */

static const struct schema_key *key_find(const struct schema_key *k,
					 const char *name)
{
	for (; k && k->name; k++) {
		if (strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

/* "name", "link", .. */
static void print_keys(const struct schema_key *k, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	for (; k && k->name && n < len; k++)
		n += (size_t)snprintf(buf + n, len - n, "%s\"%s\"",
				      n ? ", " : "", k->name);
}

static bool is_of(const json_t *v, enum schema_type type)
{
	size_t i;
	json_t *one;

	switch (type) {
	case SCHEMA_STRING:
		return json_is_string(v);
	case SCHEMA_INTEGER:
		return json_is_integer(v);
	case SCHEMA_BOOLEAN:
		return json_is_boolean(v);
	case SCHEMA_OBJECT:
		return json_is_object(v);
	case SCHEMA_STRINGS:
	case SCHEMA_OBJECTS:
	case SCHEMA_TREE:
		json_array_foreach(v, i, one) {
			if (!is_of(one, type == SCHEMA_STRINGS ? SCHEMA_STRING
							: SCHEMA_OBJECT))
				return false;
		}
		return json_is_array(v);
	case SCHEMA_N_TYPES:
		break;
	}
	return false;
}

static int check_object(const struct schema_key *keys, json_t *o,
			struct error *e)
{
	const char *name;
	char known[256];
	json_t *v;

	json_object_foreach(o, name, v) {
		const struct schema_key *k = key_find(keys, name);

		print_keys(keys, known, sizeof(known));
		if (!k)
			return error_set(e, EXIT_USAGE,
					 "the request has a key that is not "
					 "known; known are %s",
					 known);
		if (!is_of(v, k->type))
			return error_set(e, EXIT_USAGE,
					 "\"%s\" must be of type %s", k->name,
					 schema_type_name(k->type));
	}
	for (const struct schema_key *k = keys; k->name; k++) {
		if (!k->is_optional && !json_object_get(o, k->name))
			return error_set(e, EXIT_USAGE,
					 "the request names no \"%s\"",
					 k->name);
	}
	return 0;
}

int schema_read(const struct schema_request *r, const char *text, size_t len,
		json_t **op, struct error *e)
{
	json_error_t je;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);

	if (!o)
		return error_set(e, EXIT_USAGE,
				 "the request's body is no JSON object: line "
				 "%d, column %d, byte %d",
				 je.line, je.column, je.position);
	if (!json_is_object(o)) {
		json_decref(o);
		return error_set(e, EXIT_USAGE,
				 "the request's body is no JSON object");
	}
	if (check_object(r->body, o, e) < 0) {
		json_decref(o);
		return -1;
	}
	*op = o;
	return 0;
}

int schema_check_query(const struct schema_request *r, const char *const *keys,
		       size_t n, struct error *e)
{
	char known[256];

	print_keys(r->query, known, sizeof(known));
	for (size_t i = 0; i < n; i++) {
		if (key_find(r->query, keys[i]))
			continue;
		return error_set(e, EXIT_USAGE,
				 "the request has a query that is not known; "
				 "known %s%s",
				 r->query ? "are " : "is none here", known);
	}
	return 0;
}
