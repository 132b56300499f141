/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text in JSON; see text.h. */
#include "control/text.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static const char bytes_key[] = "bytes";

static json_t *bytes_of(const char *text)
{
	json_t *list = json_array();
	bool is_whole = list;

	for (const char *p = text; is_whole && *p; p++)
		is_whole = json_array_append_new(
				   list, json_integer((unsigned char)*p)) == 0;
	if (!is_whole) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:o}", bytes_key, list);
}

json_t *text_to_json(const char *text)
{
	json_t *o = json_string(text);

	return o ? o : bytes_of(text);
}

char *text_from_json(const json_t *o)
{
	const json_t *list = json_object_get(o, bytes_key);
	CLEANUP_FREE char *text = NULL;
	size_t n = json_array_size(list);

	if (json_is_string(o))
		return strdup(json_string_value(o));
	if (!json_is_array(list))
		return NULL;
	text = malloc(n + 1);
	for (size_t i = 0; text && i < n; i++) {
		json_int_t b = json_integer_value(json_array_get(list, i));

		if (b < 1 || b > 255)
			return NULL;
		text[i] = (char)b;
	}
	if (text)
		text[n] = '\0';
	return mem_steal(text);
}

/* How many bytes of it, at p, a terminal would act on; 0: none.  The controls
 * above 0x7f have two in UTF-8. */
static unsigned control_len(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0)
		return 2;
	return (u[0] < 0x20 && u[0] != '\t') || u[0] == 0x7f;
}

static bool has_control(const char *text)
{
	for (; *text; text++) {
		if (control_len(text))
			return true;
	}
	return false;
}

json_t *text_shown(const char *text)
{
	json_t *o = json_string(text);
	CLEANUP_FREE char *copy = NULL;
	bool is_utf8 = o != NULL;

	if (o && !has_control(text))
		return o;
	json_decref(o);
	copy = strdup(text);
	for (char *p = copy; p && *p; p++) {
		unsigned n = control_len(p);

		if (n)
			memset(p, '?', n);
		else if (!is_utf8 && (unsigned char)*p >= 0x80)
			*p = '?';
	}
	return copy ? json_string(copy) : NULL;
}
