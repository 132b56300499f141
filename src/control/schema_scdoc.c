/* SPDX-License-Identifier: BSD-3-Clause */
/* The table in scdoc form, for vmlan-control(7); see schema.h.  Run by the
 * build. */
#include "control/schema.h"

#include <string.h>

#include "base/scdoc.h"
#include "control/events.h"

enum { PLACE_LEN = 128 };

/* The one before k that holds the same, NULL: none does. */
static const struct schema_key *twin(const struct schema_key *first,
				     const struct schema_key *k)
{
	for (; first != k; first++) {
		if (first->of && first->of == k->of)
			return first;
	}
	return NULL;
}

/* Each key of an object, and behind it those of what it holds. */
static void put_keys(const struct schema_key *k, const char *place, FILE *out)
{
	const struct schema_key *first = k, *same;
	char inner[PLACE_LEN];

	for (; k && k->name; k++) {
		same = twin(first, k);
		fputc('*', out);
		scdoc_text(place, out);
		scdoc_text(k->name, out);
		fprintf(out, "* _%s_%s\n\t", schema_type_name(k->type),
			k->is_optional ? ", may be missing" : "");
		scdoc_text(k->about, out);
		if (same) {
			fputs("; its keys are those of *", out);
			scdoc_text(same->name, out);
			fputc('*', out);
		}
		fputs("\n\n", out);
		if (!k->of || same)
			continue;
		snprintf(inner, sizeof(inner), "%s%s%s.", place, k->name,
			 k->type == SCHEMA_OBJECTS ? "[]" : "");
		put_keys(k->of, inner, out);
	}
}

static void put_part(const char *title, const struct schema_key *k, FILE *out)
{
	if (!k)
		return;
	fprintf(out, "%s:\n\n", title);
	put_keys(k, "", out);
}

static void put_codes(const struct schema_request *r, FILE *out)
{
	fprintf(out, "Status %u", r->status ? r->status : 200);
	for (unsigned i = 0; i <= EXIT_PERMISSION; i++) {
		if (r->codes & 1u << i || i == EXIT_USAGE)
			fprintf(out, "; code %u: %u", i,
				schema_status((enum exit_code)i));
	}
	fputs(".\n\n", out);
}

static void put_request(const struct schema_request *r, FILE *out)
{
	fprintf(out, "## %s ", r->method);
	scdoc_text(r->path, out);
	fputs("\n\n", out);
	scdoc_sentence(r->about, out);
	fputs(".\n\n", out);
	put_part("Query", r->query, out);
	if (r->body_form == SCHEMA_BYTES)
		fprintf(out, "The body is taken as it is, up to %zu bytes.\n\n",
			r->body_max);
	put_part("Body", r->body, out);
	if (r->form == SCHEMA_LINES)
		fputs("Answer: lines, see *EVENTS*.\n\n", out);
	else
		put_part(r->form == SCHEMA_LIST
				 ? "Answer: a list of objects with"
				 : "Answer",
			 r->answer, out);
	if (!r->answer && r->form == SCHEMA_JSON)
		fputs("Answer: an object without keys.\n\n", out);
	put_codes(r, out);
}

void schema_requests_scdoc(FILE *out)
{
	for (unsigned i = 0; i < SCHEMA_N; i++)
		put_request(&schema_requests[i], out);
}

void event_rows_scdoc(FILE *out)
{
	fputs("All have:\n\n", out);
	put_keys(event_head, "", out);
	for (unsigned i = 0; i < EVENT_N; i++) {
		const struct event_row *v = &event_rows[i];

		fputs("## ", out);
		scdoc_text(v->name, out);
		fputs("\n\n", out);
		scdoc_sentence(v->about, out);
		fputs(".\n\n", out);
		put_keys(v->keys, "", out);
	}
}
