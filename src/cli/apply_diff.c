/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a network that runs differs from its file; see apply.h.  Both are in the
 * words of the control socket: what is equal there is equal.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/apply.h"
#include "cli/conf_link.h"
#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/link_text.h"
#include "cli/start.h"
#include "control/protocol.h"

/* ---- what runs ---- */

int running_get(const char *name, struct running *r, struct error *e)
{
	int rc;

	*r = RUNNING_NULL;
	rc = start_ask(name, "GET", CONTROL_NETWORK, NULL, &r->network, e);
	if (rc == 0)
		rc = start_ask(name, "GET", CONTROL_FORWARDS, NULL,
			       &r->forwards, e);
	if (rc == 0)
		rc = start_ask(name, "GET", CONTROL_CAPTURES, NULL,
			       &r->captures, e);
	if (rc < 0)
		running_deinit(r);
	return rc;
}

void running_deinit(struct running *r)
{
	json_decref(r->network);
	json_decref(r->forwards);
	json_decref(r->captures);
	*r = RUNNING_NULL;
}

/* ---- changes ---- */

void changes_deinit(struct changes *ch)
{
	for (unsigned i = 0; i < ch->n; i++) {
		json_decref(ch->v[i].o);
		json_decref(ch->v[i].body);
		free(ch->v[i].path);
	}
	free(ch->v);
	*ch = CHANGES_NULL;
}

/* What a change is of. */
struct about {
	const char *what, *network, *machine, *key; /* the latter may be NULL */
	bool restarts;
};

/* from NULL: it is new; to NULL: it is no more.  NULL: no memory. */
static struct change *add(struct changes *ch, const struct about *a,
			  const char *from, const char *to)
{
	struct change *v = reallocarray(ch->v, ch->n + 1, sizeof(*v));
	const char *kind = !from ? "add" : !to ? "remove" : "change";
	json_t *o = json_pack("{s:s,s:s,s:s,s:s*,s:s*,s:s*,s:s*,s:b}",
			      "change", kind, "what", a->what, "network",
			      a->network, "machine", a->machine, "key", a->key,
			      "from", from, "to", to, "restart", a->restarts);

	if (v)
		ch->v = v;
	if (!v || !o) {
		json_decref(o);
		ch->is_out_of_memory = true;
		return NULL;
	}
	v[ch->n] = (struct change){.o = o};
	ch->n_restart += a->restarts;
	return &v[ch->n++];
}

/* The request that makes it; c NULL: there was no memory for that.  Takes
 * body. */
__attribute__((format(printf, 5, 6))) static void
by_request(struct changes *ch, struct change *c, const char *method,
	   json_t *body, const char *fmt, ...)
{
	va_list ap;

	if (!c) {
		json_decref(body);
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&c->path, fmt, ap) < 0) {
		c->path = NULL;
		ch->is_out_of_memory = true;
	}
	va_end(ap);
	c->method = method;
	c->body = body;
}

char *change_text(const struct change *c)
{
	const char *from = ctl_str(c->o, "from"), *to = ctl_str(c->o, "to");
	const char *machine = ctl_str(c->o, "machine");
	const char *key = ctl_str(c->o, "key");
	const char *kind = ctl_str(c->o, "change");
	char *text;
	int n = asprintf(&text, "%c %s %s%s%s%s%s: %s%s%s",
			 *kind == 'a' ? '+' : *kind == 'r' ? '-' : '~',
			 ctl_str(c->o, "what"), ctl_str(c->o, "network"),
			 *machine ? "/" : "", machine, *key ? " " : "", key,
			 from,
			 *kind == 'c' ? " -> " : "", to);

	return n < 0 ? NULL : text;
}

void diff_network(const char *name, const char *from, const char *to,
		  struct changes *ch)
{
	(void)add(ch, &(struct about){"network", name, NULL, NULL, false},
		  from, to);
}

/* ---- options ---- */

/* The values of key, with blanks between them; NULL: it is not given.  The
 * caller frees. */
static char *values_of(const json_t *options, const char *key, size_t len,
		       struct changes *ch)
{
	char *text = NULL;
	size_t i, n = 0;
	json_t *v;
	FILE *f = open_memstream(&text, &n);
	bool found = false;

	if (!f) {
		ch->is_out_of_memory = true;
		return NULL;
	}
	json_array_foreach(options, i, v)
	{
		const char *s = ctl_text(v);

		if (strncmp(s, key, len) != 0 || s[len] != '=')
			continue;
		fprintf(f, "%s%s", found ? " " : "", s + len + 1);
		found = true;
	}
	if (fclose(f) != 0)
		ch->is_out_of_memory = true;
	if (found)
		return text;
	free(text);
	return NULL;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The key of list's option i, if no option before has it. */
static bool is_first(const json_t *list, size_t i, size_t *lenp)
{
	const char *option = ctl_text(json_array_get(list, i));

	*lenp = strcspn(option, "=");
	for (size_t k = 0; k < i; k++) {
		const char *s = ctl_text(json_array_get(list, k));

		if (strncmp(s, option, *lenp + 1) == 0)
			return false;
	}
	return true;
}

static void diff_key(const struct conf *c, const char *key, size_t len,
		     const json_t *was, const json_t *is, struct changes *ch)
{
	CLEANUP_FREE char *word = strndup(key, len);
	CLEANUP_FREE char *from = values_of(was, key, len, ch);
	CLEANUP_FREE char *to = values_of(is, key, len, ch);

	if (!word)
		ch->is_out_of_memory = true;
	else if (!is_same(from, to))
		(void)add(ch, &(struct about){"option", c->name, NULL, word,
					      true},
			  from, to);
}

void diff_options(const struct conf *c, const struct running *r,
		  struct changes *ch)
{
	const json_t *was = json_object_get(r->network, "options");
	const char *mode = ctl_str(r->network, "mode");
	json_t *is = json_array(), *v;
	size_t i, len;

	for (i = 0; i < c->mode.n_options; i++)
		ch->is_out_of_memory |= json_array_append_new(
			is, json_string(c->mode.options[i])) < 0;
	if (strcmp(mode, c->mode.mode->word) != 0)
		(void)add(ch, &(struct about){"mode", c->name, NULL, NULL,
					      true},
			  mode, c->mode.mode->word);
	json_array_foreach(was, i, v)
	{
		if (is_first(was, i, &len))
			diff_key(c, ctl_text(v), len, was, is, ch);
	}
	json_array_foreach(is, i, v)
	{
		const char *key = ctl_text(v);
		CLEANUP_FREE char *from = NULL;

		if (!is_first(is, i, &len))
			continue;
		from = values_of(was, key, len, ch);
		if (!from)
			diff_key(c, key, len, was, is, ch);
	}
	json_decref(is);
}

/* ---- forwards ---- */

/* As one would ask for it. */
static json_t *asked_for(const json_t *f)
{
	static const char *const keys[] = {"spec", "machine", "proxy", "from"};
	json_t *o = json_object();

	for (size_t i = 0; i < array_len(keys); i++) {
		json_t *v = json_object_get(f, keys[i]);

		if (v && json_object_set(o, keys[i], v) < 0) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

/* In the words of vmlan fwd; the caller frees. */
static char *forward_words(const json_t *f)
{
	const char *proxy = ctl_str(f, "proxy");
	char *text = NULL;
	size_t i, len;
	json_t *v;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "%s%s%s", ctl_str(f, "spec"), *proxy ? " proxy=" : "",
		proxy);
	json_array_foreach(json_object_get(f, "from"), i, v)
		fprintf(out, "%s%s", i ? "," : " from=", ctl_text(v));
	return fclose(out) == 0 ? text : NULL;
}

static const char *machine_of(const json_t *o)
{
	return json_string_value(json_object_get(o, "machine"));
}

/* How a forward is looked up among others, of which there may be thousands:
 * what is asked for, always spelt alike; the caller frees.  NULL: no memory. */
static char *forward_key(const json_t *f)
{
	json_t *o = asked_for(f);
	char *key = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(o);
	return key;
}

/* How many of list there are of each key, the caller's: of ports that the host
 * draws there may be several. */
static json_t *forward_keys(const json_t *list, struct changes *ch)
{
	json_t *keys = json_object(), *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		CLEANUP_FREE char *key = forward_key(v);

		if (!key ||
		    json_object_set_new(keys, key,
					json_integer(ctl_int(keys, key) + 1)))
			ch->is_out_of_memory = true;
	}
	return keys;
}

/* True if there is one of those left; it is then no more. */
static bool take_forward(json_t *keys, const json_t *f, struct changes *ch)
{
	CLEANUP_FREE char *key = forward_key(f);
	json_t *n = key ? json_object_get(keys, key) : NULL;

	if (!key)
		ch->is_out_of_memory = true;
	return n && json_integer_value(n) > 0 &&
	       json_integer_set(n, json_integer_value(n) - 1) == 0;
}

/* Those that came while it ran, and are in no file. */
static void diff_gone_forwards(const struct conf *c, const json_t *forwards,
			       struct changes *ch)
{
	json_t *wanted = forward_keys(c->forwards, ch), *v;
	size_t i;

	json_array_foreach(forwards, i, v)
	{
		if (!ctl_bool(v, "added"))
			(void)take_forward(wanted, v, ch);
	}
	json_array_foreach(forwards, i, v)
	{
		CLEANUP_FREE char *words = forward_words(v);
		struct about a = {"forward", c->name, machine_of(v), NULL,
				  false};

		if (!words)
			ch->is_out_of_memory = true;
		else if (ctl_bool(v, "added") && !take_forward(wanted, v, ch))
			by_request(ch, add(ch, &a, words, NULL), "DELETE",
				   NULL, CONTROL_FORWARDS "/%d",
				   ctl_int(v, "id"));
	}
	json_decref(wanted);
}

/* True if there is no such machine now: what it is to have has to wait. */
static bool is_away(const struct running *r, const char *machine,
		    struct changes *ch)
{
	if (!machine || find_in(r->network, machine))
		return false;
	ch->n_waiting++;
	return true;
}

static void diff_forwards(const struct conf *c, const struct running *r,
			  struct changes *ch)
{
	const json_t *forwards = json_object_get(r->forwards, "forwards");
	json_t *keys = forward_keys(forwards, ch), *v;
	size_t i;

	diff_gone_forwards(c, forwards, ch);
	json_array_foreach(c->forwards, i, v)
	{
		CLEANUP_FREE char *words = forward_words(v);
		struct about a = {"forward", c->name, machine_of(v), NULL,
				  false};

		if (!words)
			ch->is_out_of_memory = true;
		else if (!take_forward(keys, v, ch) &&
			 !is_away(r, machine_of(v), ch))
			by_request(ch, add(ch, &a, NULL, words), "POST",
				   json_incref(v), CONTROL_FORWARDS);
	}
	json_decref(keys);
}

/* ---- captures ---- */

/* The one of that machine, or of the network. */
static const json_t *capture_of(const json_t *list, const char *machine,
				bool is_kept)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
	{
		if ((!is_kept || ctl_bool(v, "kept")) &&
		    is_same(machine_of(v), machine))
			return v;
	}
	return NULL;
}

/* "keep=67108864 snaplen=128" */
static const char *capture_words(const json_t *o, char *buf, size_t len)
{
	int n = snprintf(buf, len, "keep=%dkb", ctl_int(o, "memory") / 1024);

	if (ctl_int(o, "snaplen") < CONTROL_SNAP_MAX)
		snprintf(buf + n, len - (size_t)n, " snaplen=%d",
			 ctl_int(o, "snaplen"));
	return buf;
}

static void diff_captures(const struct conf *c, const struct running *r,
			  struct changes *ch)
{
	const json_t *list = json_object_get(r->captures, "captures");
	char is[64], was[64];
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
	{
		struct about a = {"capture", c->name, machine_of(v), NULL,
				  false};

		if (ctl_bool(v, "kept") &&
		    !capture_of(c->captures, machine_of(v), false))
			by_request(ch,
				   add(ch, &a,
				       capture_words(v, was, sizeof(was)),
				       NULL),
				   "PUT",
				   json_pack("{s:s*,s:i}", "machine",
					     machine_of(v), "memory", 0),
				   CONTROL_CAPTURES_KEPT);
	}
	json_array_foreach(c->captures, i, v)
	{
		struct about a = {"capture", c->name, machine_of(v), NULL,
				  false};
		const json_t *o = capture_of(list, machine_of(v), true);

		capture_words(v, is, sizeof(is));
		if (o && !strcmp(is, capture_words(o, was, sizeof(was))))
			continue;
		if (!is_away(r, machine_of(v), ch))
			by_request(ch, add(ch, &a, o ? was : NULL, is), "PUT",
				   json_incref(v), CONTROL_CAPTURES_KEPT);
	}
}

/* ---- cables ---- */

static void diff_cable(const struct conf *c, const json_t *m,
		       const json_t *wanted, struct changes *ch)
{
	const json_t *cable = json_object_get(m, "cable");
	CLEANUP_FREE char *was = link_words(cable);
	CLEANUP_FREE char *is = link_words(wanted);
	struct about a = {"link", c->name, ctl_str(m, "name"), NULL, false};

	if (!was || !is) {
		ch->is_out_of_memory = true;
		return;
	}
	/* What is for a time ends by itself. */
	if (conf_link_is(wanted, cable) || json_object_get(cable, "left-ms"))
		return;
	by_request(ch, add(ch, &a, was, is), "PUT", conf_link_request(wanted),
		   CONTROL_MACHINES "/%s" CONTROL_LINK, ctl_str(m, "name"));
}

static void diff_cables(const struct conf *c, const struct running *r,
			struct changes *ch)
{
	const char *name;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(r->network, "machines"), i, v)
		diff_cable(c, v, json_object_get(c->links, ctl_str(v, "name")),
			   ch);
	json_object_foreach(c->links, name, v)
		(void)is_away(r, name, ch); /* it is counted */
}

/* ---- all that can be changed while it runs ---- */

void diff_live(const struct conf *c, const struct running *r,
	       struct changes *ch)
{
	struct about kept = {"kept", c->name, NULL, NULL, false};

	if (!ctl_bool(r->network, "kept"))
		by_request(ch, add(ch, &kept, "no", "yes"), "PUT",
			   json_pack("{s:b}", "kept", 1), CONTROL_KEPT);
	diff_forwards(c, r, ch);
	diff_captures(c, r, ch);
	diff_cables(c, r, ch);
}
