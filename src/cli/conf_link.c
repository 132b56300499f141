/* SPDX-License-Identifier: BSD-3-Clause */
/* [link VM], in the words of vmlan link; see conf_link.h. */
#include "cli/conf_link.h"

#include <string.h>

#include "cli/ctl.h"
#include "grammar/link_opts.h"
#include "grammar/nearest.h"

#define SEED_MAX 9007199254740991 /* that JSON has exactly */

static json_t *way_of(struct conf *c, struct conf_part *part, const char *way)
{
	json_t *o = json_object_get(part->o, way);

	if (!o)
		conf_set(c, part->o, way, json_object());
	return json_object_get(part->o, way);
}

/* KEY=VALUE for one way: judged alone, and kept as it was typed. */
static void take_value(struct conf *c, struct conf_part *part,
		       const struct conf_pair *p, const char *way,
		       const char *key, const char *value)
{
	struct impair ignored = {0};
	struct error e = ERROR_NULL;
	json_t *o = way_of(c, part, way);

	if (link_opt_parse(key, value, &ignored, &e) < 0)
		conf_wrong(c, &p->at, "%s", e.text);
	else if (json_object_get(o, key))
		conf_wrong(c, &p->at, "%s= is given twice for what goes %s the "
				      "machine; leave one out",
			   key, way);
	else
		conf_set(c, o, key, json_string(value));
}

static void take_both(struct conf *c, struct conf_part *part,
		      const struct conf_pair *p)
{
	unsigned n = c->n_errors;

	take_value(c, part, p, "to", p->key, p->value);
	if (c->n_errors == n)
		take_value(c, part, p, "from", p->key, p->value);
}

/* "delay=50ms loss=1%" */
static void take_way(struct conf *c, struct conf_part *part,
		     const struct conf_pair *p)
{
	CLEANUP_FREE char *text = strdup(p->value);
	char *save = NULL;

	if (!text) {
		c->is_out_of_memory = true;
		return;
	}
	for (char *word = strtok_r(text, " \t", &save); word;
	     word = strtok_r(NULL, " \t", &save)) {
		char *equals = strchr(word, '=');
		char q[QUOTE_LEN];

		if (!equals) {
			conf_wrong(c, &p->at, "%s=: '%s' is no KEY=VALUE, as "
					      "delay=50ms is",
				   p->key, quote(q, word));
			continue;
		}
		*equals = '\0';
		take_value(c, part, p, p->key, word, equals + 1);
	}
}

static void take_cable(struct conf *c, struct conf_part *part,
		       const struct conf_pair *p)
{
	bool is_up = strcmp(p->value, "up") == 0;

	if (!is_up && strcmp(p->value, "down") != 0)
		conf_wrong(c, &p->at, "cable= must be up or down");
	else
		conf_set(c, part->o, "up", json_boolean(is_up));
}

static void take_seed(struct conf *c, struct conf_part *part,
		      const struct conf_pair *p)
{
	unsigned long long n = strtoull(p->value, NULL, 10);

	if (p->value[strspn(p->value, "0123456789")] ||
	    strlen(p->value) > 16 || n > SEED_MAX)
		conf_wrong(c, &p->at, "seed= must be a number from 0 to %lld",
			   (long long)SEED_MAX);
	else
		conf_set(c, part->o, "seed", json_integer((json_int_t)n));
}

const struct conf_key conf_link_keys[] = {
	{"cable", false, take_cable},	{"delay", false, take_both},
	{"jitter", false, take_both},	{"loss", false, take_both},
	{"duplicate", false, take_both}, {"reorder", false, take_both},
	{"corrupt", false, take_both},	{"rate", false, take_both},
	{"burst", false, take_both},	{"to", true, take_way},
	{"from", true, take_way},	{"seed", false, take_seed},
	{NULL, false, NULL},
};

/* All of one way in its normal form. */
static void finish_way(struct conf *c, struct conf_part *part, const char *way)
{
	json_t *said = way_of(c, part, way), *v;
	struct impair i = {0};
	struct error e = ERROR_NULL;
	const char *key;
	int r = 0;

	json_object_foreach(said, key, v)
		r |= link_opt_parse(key, json_string_value(v), &i, &e);
	if (r == 0)
		r = link_opts_check(&i, &e);
	if (r < 0)
		conf_wrong(c, &part->at, "%s", e.text);
	else
		conf_set(c, part->o, way, link_opts_object(&i));
}

void conf_link_finish(struct conf *c, struct conf_part *part)
{
	unsigned n = c->n_errors;

	finish_way(c, part, "to");
	finish_way(c, part, "from");
	if (c->n_errors != n)
		return;
	if (!json_object_get(part->o, "up"))
		conf_set(c, part->o, "up", json_true());
	conf_set(c, c->links, part->name, json_incref(part->o));
}

bool conf_link_is(const json_t *wanted, const json_t *cable)
{
	static const char *const keys[] = {"up", "to", "from", "seed"};
	json_t *plain = json_pack("{s:b,s:{},s:{}}", "up", 1, "to", "from");
	bool same = plain != NULL;

	wanted = wanted ? wanted : plain;
	cable = cable ? cable : plain;
	for (size_t i = 0; i < array_len(keys) && same; i++) {
		const json_t *w = json_object_get(wanted, keys[i]);

		/* A seed that was not asked for is any. */
		same = (!w && i == 3) ||
		       json_equal(w, json_object_get(cable, keys[i]));
	}
	/* Where nothing is left to chance there is none. */
	if (!same && json_object_get(wanted, "seed") &&
	    !json_object_size(json_object_get(wanted, "to")) &&
	    !json_object_size(json_object_get(wanted, "from")))
		same = ctl_bool(wanted, "up") == ctl_bool(cable, "up") &&
		       !json_object_size(json_object_get(cable, "to")) &&
		       !json_object_size(json_object_get(cable, "from"));
	json_decref(plain);
	return same;
}

json_t *conf_link_request(const json_t *wanted)
{
	json_t *o = wanted ? json_copy((json_t *)(uintptr_t)wanted)
			   : json_object();

	if (o && json_object_set_new(o, "reset", json_true()) == 0)
		return o;
	json_decref(o);
	return NULL;
}
