/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a network's control socket serves: one table.  The keeper serves by it
 * (keeper/requests.c: what has no row is not found), answers GET /v1 with it,
 * and vmlan-control(7) is made of it.
 *
 * A new request is a number in the list below, a row in schema_table.c, a
 * function in keeper/requests.c, and an example in
 * tests/system/test_control.py, which compares what is answered with what is
 * written here.
 */
#ifndef CONTROL_SCHEMA_H
#define CONTROL_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "control/protocol.h"

/* X(name, how it is called) */
#define SCHEMA_TYPES(X)                                                        \
	X(STRING, "string")                                                    \
	X(INTEGER, "integer")                                                  \
	X(BOOLEAN, "boolean")                                                  \
	X(STRINGS, "list of strings")                                          \
	X(OBJECT, "object")                                                    \
	X(OBJECTS, "list of objects")                                          \
	X(TREE, "list of such objects, and so on")

enum schema_type {
#define SCHEMA_TYPE_ENUM(name, text) SCHEMA_##name,
	SCHEMA_TYPES(SCHEMA_TYPE_ENUM)
#undef SCHEMA_TYPE_ENUM
	SCHEMA_N_TYPES
};

/* A key of an object. */
struct schema_key {
	const char *name; /* "{mac}": any number of keys, each such a text */
	enum schema_type type;
	bool is_optional; /* it may be missing */
	const char *about; /* without its full stop */
	const struct schema_key *of; /* OBJECT, OBJECTS: its keys */
};

/* What a request's body or answer is. */
enum schema_form {
	SCHEMA_JSON,  /* one object */
	SCHEMA_BYTES, /* a body as it is */
	SCHEMA_LINES, /* an answer that goes on: an object in each line */
	SCHEMA_TEXT,  /* an answer of plain text, and so are its errors */
	SCHEMA_UPGRADE, /* with an answer of 101 the connection is no longer
			 * HTTP */
	SCHEMA_LIST,  /* an answer that is a list of objects */
};

/* Lists of keys end with one that has no name. */
struct schema_request {
	const char *method;
	const char *path; /* "/v1/machines/{name}": one segment is a name */
	const char *about;
	const struct schema_key *query; /* behind '?'; NULL: none */
	enum schema_form body_form;
	const struct schema_key *body; /* of JSON; NULL: no body but bytes */
	size_t body_max;	       /* bytes; 0: CONTROL_REQUEST_MAX */
	enum schema_form form;
	const struct schema_key *answer; /* NULL: an object without keys */
	unsigned status;		 /* if it is done; 0: 200 */
	unsigned codes; /* bits 1 << EXIT_*: how it fails, besides usage */
};

enum schema_id {
	SCHEMA_GET_V1,
	SCHEMA_GET_NETWORK,
	SCHEMA_PUT_KEPT,
	SCHEMA_GET_LEASES,
	SCHEMA_GET_STATS,
	SCHEMA_GET_FLOWS,
	SCHEMA_GET_MACS,
	SCHEMA_GET_EVENTS,
	SCHEMA_POST_MACHINES,
	SCHEMA_PUT_LIFE,
	SCHEMA_PUT_USER_DATA,
	SCHEMA_PUT_META_DATA,
	SCHEMA_GET_LINK,
	SCHEMA_PUT_LINK,
	SCHEMA_DELETE_MACHINE,
	SCHEMA_GET_CAPTURES,
	SCHEMA_POST_CAPTURES,
	SCHEMA_PUT_CAPTURES_KEPT,
	SCHEMA_GET_FORWARDS,
	SCHEMA_POST_FORWARDS,
	SCHEMA_DELETE_FORWARD,
	/* gvproxy's */
	SCHEMA_GV_DHCP_LEASES,
	SCHEMA_GV_LEASES,
	SCHEMA_GV_CAM,
	SCHEMA_GV_STATS,
	SCHEMA_GV_EXPOSE,
	SCHEMA_GV_UNEXPOSE,
	SCHEMA_GV_ALL,
	SCHEMA_GET_WHY,
	SCHEMA_N
};

extern const struct schema_request schema_requests[SCHEMA_N];

enum { SCHEMA_ALLOW_LEN = 64 };

/* The request with this method at this path; else SCHEMA_N: allow is then ""
 * (there is nothing at the path) or the methods that the path takes.  HEAD is
 * as GET.  What stands where the row's path has a name is copied to name. */
enum schema_id schema_find(const char *method, const char *url,
			   char name[CONTROL_NAME_LEN],
			   char allow[SCHEMA_ALLOW_LEN]);
/* Reads len bytes of JSON, which must be an object with the keys that r's body
 * has, each of its type. 0, *op is the caller's; else -1 with one line in *e
 * (EXIT_USAGE). */
__attribute__((warn_unused_result)) int
schema_read(const struct schema_request *r, const char *text, size_t len,
	    json_t **op, struct error *e);
/* The same for a query's keys, of which there are n. */
__attribute__((warn_unused_result)) int
schema_check_query(const struct schema_request *r, const char *const *keys,
		   size_t n, struct error *e);
/* "list of strings" */
const char *schema_type_name(enum schema_type type);
/* The table, the answer of GET /v1 but for "vmlan" and "network"; NULL: no
 * memory. */
json_t *schema_json(void);
/* The HTTP status that says what an exit code says. */
unsigned schema_status(enum exit_code code);
/* Lists of keys, of requests and events, as JSON; NULL: no memory. */
json_t *schema_keys_json(const struct schema_key *k);
/* The table in scdoc form. */
void schema_requests_scdoc(FILE *out);

#endif
