/* SPDX-License-Identifier: BSD-3-Clause */
/* The table as JSON, the answer of GET /v1; see schema.h. */
#include "control/schema.h"

#include "control/events.h"

static const char *const forms[] = {
	[SCHEMA_JSON] = "json",
	[SCHEMA_BYTES] = "bytes",
	[SCHEMA_LINES] = "lines",
	[SCHEMA_TEXT] = "text",
	[SCHEMA_UPGRADE] = "upgrade",
	[SCHEMA_LIST] = "list",
};

static json_t *key_json(const struct schema_key *k)
{
	json_t *o = json_pack("{s:s,s:s,s:b,s:s}", "name", k->name, "type",
			      schema_type_name(k->type), "optional",
			      k->is_optional, "about", k->about);

	if (o && k->of &&
	    json_object_set_new(o, "keys", schema_keys_json(k->of)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* Tables are as deep as they are written. */
json_t *schema_keys_json(const struct schema_key *k)
{
	json_t *list = json_array();

	for (; list && k && k->name; k++) {
		if (json_array_append_new(list, key_json(k)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *codes_json(const struct schema_request *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; list && i <= EXIT_PERMISSION; i++) {
		unsigned status = schema_status((enum exit_code)i);

		if (!(r->codes & 1u << i) && i != EXIT_USAGE)
			continue;
		if (json_array_append_new(list,
					  json_pack("{s:i,s:i}", "code",
						    (int)i, "status",
						    (int)status)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *request_json(const struct schema_request *r)
{
	bool has_body = r->body || r->body_form == SCHEMA_BYTES;

	return json_pack(
		"{s:s,s:s,s:s,s:o,s:s*,s:o,s:i,s:s,s:o,s:i,s:o}", "method",
		r->method, "path", r->path, "about", r->about, "query",
		schema_keys_json(r->query), "takes",
		has_body ? forms[r->body_form] : NULL, "body",
		schema_keys_json(r->body), "most",
		(int)(r->body_max ? r->body_max : CONTROL_REQUEST_MAX),
		"gives", forms[r->form], "answer", schema_keys_json(r->answer),
		"status", (int)(r->status ? r->status : 200), "codes",
		codes_json(r));
}

json_t *event_rows_json(void)
{
	json_t *list = json_array();

	for (unsigned i = 0; list && i < EVENT_N; i++) {
		const struct event_row *v = &event_rows[i];
		json_t *o = json_pack("{s:s,s:s,s:o}", "name", v->name, "about",
				      v->about, "keys",
				      schema_keys_json(v->keys));

		if (json_array_append_new(list, o) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *schema_json(void)
{
	json_t *requests = json_array();

	for (unsigned i = 0; requests && i < SCHEMA_N; i++) {
		if (json_array_append_new(requests,
					  request_json(&schema_requests[i])) <
		    0) {
			json_decref(requests);
			return NULL;
		}
	}
	return json_pack("{s:i,s:o,s:o,s:o}", "version", CONTROL_VERSION,
			 "requests", requests, "event",
			 schema_keys_json(event_head), "events",
			 event_rows_json());
}
