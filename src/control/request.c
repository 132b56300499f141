/* SPDX-License-Identifier: BSD-3-Clause */
/* The bodies of requests to the control socket; see request.h. */
#include "control/request.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool control_name_ok(const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._";
	size_t len = strspn(name, chars);

	return len && !name[len] && len < CONTROL_NAME_LEN &&
	       !strchr("-._", name[0]);
}

/* One key of an object: which type its value must have, who reads it. */
struct field {
	const char *key;
	int (*take)(void *to, const json_t *v);
	const char *wants; /* what the value must be */
};

/* The object in text, NULL with *e filled.  Keys that are not in fields are
 * refused: who sends them expects something of them. */
static int read_object(const char *text, size_t len,
		       const struct field *fields, void *to, struct error *e)
{
	json_error_t je;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	const char *key;
	json_t *v;
	int r = 0;

	if (!json_is_object(o)) {
		r = error_set(e, EXIT_USAGE,
			      "the request's body is no JSON object");
		json_decref(o);
		return r;
	}
	json_object_foreach(o, key, v) {
		const struct field *f = fields;

		while (f->key && strcmp(f->key, key) != 0)
			f++;
		if (!f->key)
			r = error_set(e, EXIT_USAGE, "the request has a key "
						     "that is not known");
		else if (f->take(to, v) < 0)
			r = error_set(e, EXIT_USAGE, "%s must be %s", f->key,
				      f->wants);
		if (r < 0)
			break;
	}
	json_decref(o);
	return r;
}

/* ---- POST /v1/machines ---- */

static int take_name(void *to, const json_t *v)
{
	struct attach_request *a = to;
	const char *s = json_string_value(v);

	if (!s || !control_name_ok(s))
		return -1;
	snprintf(a->name, sizeof(a->name), "%s", s);
	return 0;
}

static int take_word(const json_t *v, const char *no, const char *yes,
		     bool *isp)
{
	const char *s = json_string_value(v);

	if (!s || (strcmp(s, yes) != 0 && strcmp(s, no) != 0))
		return -1;
	*isp = strcmp(s, yes) == 0;
	return 0;
}

static int take_link(void *to, const json_t *v)
{
	struct attach_request *a = to;

	return take_word(v, "stream", "vhost-user", &a->is_vhost);
}

static int take_listen(void *to, const json_t *v)
{
	struct attach_request *a = to;

	return take_word(v, "vmlan", "vmm", &a->vmm_listens);
}

static int take_number(const json_t *v, int lo, int hi, int *np)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < lo || n > hi)
		return -1;
	*np = (int)n;
	return 0;
}

static int take_pid(void *to, const json_t *v)
{
	struct attach_request *a = to;

	return take_number(v, 1, INT_MAX, &a->pid);
}

static int take_netns(void *to, const json_t *v)
{
	struct attach_request *a = to;

	return take_number(v, 1, INT_MAX, &a->netns);
}

static int take_hub(void *to, const json_t *v)
{
	struct attach_request *a = to;

	a->has_hub = true;
	return take_number(v, INT_MIN, INT_MAX, &a->hub);
}

static int take_nic(void *to, const json_t *v)
{
	struct attach_request *a = to;
	int n;

	if (take_number(v, 0, 255, &n) < 0)
		return -1;
	a->nic = (unsigned)n;
	return 0;
}

static int take_queues(void *to, const json_t *v)
{
	struct attach_request *a = to;
	int n;

	if (take_number(v, 1, CONTROL_QUEUES_MAX, &n) < 0)
		return -1;
	a->queues = (unsigned)n;
	return 0;
}

static int take_mac(void *to, const json_t *v)
{
	struct attach_request *a = to;
	const char *s = json_string_value(v);

	if (!s)
		return -1;
	a->picks_mac = strcmp(s, "auto") == 0;
	a->has_mac = !a->picks_mac;
	if (a->picks_mac)
		return 0;
	return mac_parse(s, &a->mac) && !mac_is_group(a->mac) &&
			       !mac_is_zero(a->mac)
		       ? 0
		       : -1;
}

static int take_forwards(void *to, const json_t *v)
{
	struct attach_request *a = to;
	size_t n = json_array_size(v);

	if (!json_is_array(v) || n > CONTROL_FORWARDS_MAX)
		return -1;
	a->forwards = calloc(n + 1, sizeof(*a->forwards));
	if (!a->forwards)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(v, i));

		a->forwards[i] = s ? strdup(s) : NULL;
		if (!a->forwards[i])
			return -1;
		a->n_forwards++;
	}
	return 0;
}

static const struct field attach_fields[] = {
	{"name", take_name,
	 "letters, digits, '-', '.' and '_', a letter or digit first, at "
	 "most 63"},
	{"link", take_link, "\"stream\" or \"vhost-user\""},
	{"listen", take_listen, "\"vmlan\" or \"vmm\""},
	{"pid", take_pid, "the number of a process"},
	{"netns", take_netns, "the number of a process"},
	{"hub", take_hub, "the number of a hub"},
	{"nic", take_nic, "a number from 0 to 255"},
	{"queues", take_queues, "a number from 1 to 16"},
	{"mac", take_mac, "\"auto\" or the MAC address of a card"},
	{"forwards", take_forwards, "a list of at most 256 strings"},
	{NULL, NULL, NULL},
};

int attach_request_parse(const char *text, size_t len,
			 struct attach_request *a, struct error *e)
{
	int r;

	*a = (struct attach_request){.n_forwards = 0};
	r = read_object(text, len, attach_fields, a, e);
	if (r == 0 && (!a->name[0] || !a->pid))
		r = error_set(e, EXIT_USAGE,
			      "a machine needs \"name\" and \"pid\"");
	if (r == 0 && a->queues > 1 && !a->is_vhost)
		r = error_set(e, EXIT_USAGE,
			      "\"queues\" are for \"link\": \"vhost-user\"");
	if (r < 0) {
		attach_request_deinit(a);
		return -1;
	}
	return 0;
}

void attach_request_deinit(struct attach_request *a)
{
	for (unsigned i = 0; i < a->n_forwards; i++)
		free(a->forwards[i]);
	free(a->forwards);
	*a = (struct attach_request){.n_forwards = 0};
}

char *attach_request_format(const struct attach_request *a)
{
	char mac_text[MAC_STRLEN] = "auto";
	json_t *list = json_array();
	json_t *o = json_pack("{s:s,s:s,s:s,s:i,s:i,s:o}", "name", a->name,
			      "link", a->is_vhost ? "vhost-user" : "stream",
			      "listen", a->vmm_listens ? "vmm" : "vmlan",
			      "pid", (int)a->pid, "nic", (int)a->nic,
			      "forwards", list);
	bool whole = o != NULL;
	char *text;

	for (unsigned i = 0; i < a->n_forwards && whole; i++)
		whole = json_array_append_new(
				list, json_string(a->forwards[i])) == 0;
	if (whole && a->has_hub)
		whole = json_object_set_new(o, "hub",
					    json_integer(a->hub)) == 0;
	if (whole && a->queues)
		whole = json_object_set_new(o, "queues",
					    json_integer(a->queues)) == 0;
	if (whole && a->netns)
		whole = json_object_set_new(o, "netns",
					    json_integer(a->netns)) == 0;
	if (a->has_mac)
		mac_format(a->mac, mac_text);
	if (whole && (a->has_mac || a->picks_mac))
		whole = json_object_set_new(o, "mac",
					    json_string(mac_text)) == 0;
	text = whole ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}

/* ---- the small ones ---- */

static int take_life(void *to, const json_t *v)
{
	return take_number(v, 0, INT_MAX, to);
}

int life_request_parse(const char *text, size_t len, pid_t *pidp,
		       struct error *e)
{
	static const struct field fields[] = {
		{"pid", take_life, "the number of a process, or 0"},
		{NULL, NULL, NULL},
	};

	*pidp = -1;
	if (read_object(text, len, fields, pidp, e) < 0)
		return -1;
	if (*pidp < 0)
		return error_set(e, EXIT_USAGE, "the request names no \"pid\"");
	return 0;
}

static int take_kept(void *to, const json_t *v)
{
	*(int *)to = json_is_true(v);
	return json_is_boolean(v) ? 0 : -1;
}

int kept_request_parse(const char *text, size_t len, bool *keptp,
		       struct error *e)
{
	static const struct field fields[] = {
		{"kept", take_kept, "true or false"},
		{NULL, NULL, NULL},
	};
	int is_kept = -1;

	if (read_object(text, len, fields, &is_kept, e) < 0)
		return -1;
	if (is_kept < 0)
		return error_set(e, EXIT_USAGE,
				 "the request does not say \"kept\"");
	*keptp = is_kept;
	return 0;
}

/* ---- captures ---- */

static int take_machine(void *to, const json_t *v)
{
	struct capture_request *c = to;
	const char *s = json_string_value(v);

	if (!s || !control_name_ok(s))
		return -1;
	snprintf(c->machine, sizeof(c->machine), "%s", s);
	return 0;
}

static int take_size(const json_t *v, int lo, int hi, uint32_t *np)
{
	int n = 0;

	if (take_number(v, 0, hi, &n) < 0 || (n && n < lo))
		return -1;
	*np = (uint32_t)n;
	return 0;
}

static int take_memory(void *to, const json_t *v)
{
	struct capture_request *c = to;

	return take_size(v, CONTROL_CAPTURE_MIN, CONTROL_CAPTURE_MAX,
			 &c->memory);
}

static int take_snap_len(void *to, const json_t *v)
{
	struct capture_request *c = to;

	return take_size(v, CONTROL_SNAP_MIN, CONTROL_SNAP_MAX, &c->snap_len);
}

static int take_last(void *to, const json_t *v)
{
	struct capture_request *c = to;

	c->is_last = json_is_true(v);
	return json_is_boolean(v) ? 0 : -1;
}

int capture_request_parse(const char *text, size_t len,
			  struct capture_request *c, struct error *e)
{
	static const struct field fields[] = {
		{"machine", take_machine, "a machine's name"},
		{"memory", take_memory,
		 "0, or bytes from 1048576 to 1073741824"},
		{"snaplen", take_snap_len, "0, or bytes from 64 to 262144"},
		{"last", take_last, "true or false"},
		{NULL, NULL, NULL},
	};

	*c = (struct capture_request){.memory = 0};
	return read_object(text, len, fields, c, e) < 0 ? -1 : 0;
}
