/* SPDX-License-Identifier: BSD-3-Clause */
/* Machines' cables; see cable.h. */
#include "keeper/cable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "grammar/link_opts.h"
#include "keeper/events.h"
#include "keeper/state.h"

/* Numbers that every reader of JSON has exactly. */
#define SEED_MAX ((json_int_t)1 << 53)

/* What a request asks for. */
struct asked {
	struct cable_state state; /* as it is to be */
	bool has_seed;
	uint64_t for_ns; /* 0: for good */
};

static const char *const ways[] = {
	[IMPAIR_TO] = "to",
	[IMPAIR_FROM] = "from",
};
_Static_assert(array_len(ways) == IMPAIR_WAYS, "one for each");

static bool is_plain(const struct cable_state *s)
{
	return !s->is_pulled && impair_set_is_none(&s->set);
}

bool cable_is_plain(const struct machine *m)
{
	return is_plain(&m->cable) && !timer_is_armed(&m->cable_timer);
}

/* ---- to the engine ---- */

static int tell(const struct machine *m, bool restarts)
{
	union engine_msg msg = {.cable = {
					.port = m->netdev->id,
					.is_pulled = m->cable.is_pulled,
					.restarts = restarts,
					.set = m->cable.set,
				}};

	return engine_link_send(m->keeper, &msg, ENGINE_MSG_CABLE, NULL, 0);
}

int cable_tell(struct keeper *k, const struct plan_netdev *n)
{
	(void)k;
	if (!n->machine || is_plain(&n->machine->cable))
		return 0;
	return tell(n->machine, false);
}

/* ---- events ---- */

/* "delay=50ms loss=1%", the caller's; NULL: no memory. */
static json_t *way_words(const struct impair *i)
{
	char words[LINK_KEYS * (LINK_VALUE_LEN + 16)] = "";
	char text[LINK_VALUE_LEN];
	size_t n = 0;

	for (unsigned k = 0; k < LINK_KEYS; k++) {
		enum link_key key = (enum link_key)k;

		if (link_opt_format(i, key, text)) /* it fits */
			n += (size_t)snprintf(words + n, sizeof(words) - n,
					      "%s%s=%s", n ? " " : "",
					      link_key_name(key), text);
	}
	return json_string(words);
}

static void say(const struct machine *m, const struct cable_state *was)
{
	const struct impair_set *set = &m->cable.set;
	bool is_up = !m->cable.is_pulled;

	if (m->cable.is_pulled != was->is_pulled)
		event_say(m->keeper, is_up ? EVENT_LINK_UP : EVENT_LINK_DOWN,
			  "{s:s}", "machine", m->name);
	if (impair_set_is_same(set, &was->set))
		return;
	event_say(m->keeper, EVENT_LINK_CHANGED, "{s:s,s:o,s:o,s:o*}",
		  "machine", m->name, "to", way_words(&set->way[IMPAIR_TO]),
		  "from", way_words(&set->way[IMPAIR_FROM]), "seed",
		  impair_set_is_none(set)
			  ? NULL
			  : json_integer((json_int_t)set->seed));
}

/* m's cable is so from now on; an engine that is none now is told later. */
static void change(struct machine *m, const struct cable_state *s,
		   bool restarts)
{
	struct cable_state was = m->cable;

	m->cable = *s;
	(void)tell(m, restarts);
	say(m, &was);
	if (!m->netns)
		state_save(m->keeper);
}

static void on_over(struct timer *t, uint64_t now_ns)
{
	struct machine *m = container_of(t, struct machine, cable_timer);

	(void)now_ns;
	change(m, &m->cable_before, false);
}

void cable_init(struct machine *m)
{
	timer_init(&m->cable_timer, on_over);
}

void cable_stop(struct machine *m)
{
	timer_disarm(loop_wheel(m->keeper->loop), &m->cable_timer);
}

/* ---- from text ---- */

static int take_way(struct impair *i, const char *way, const json_t *o,
		    struct error *e)
{
	json_t *mutable = (json_t *)(uintptr_t)o;
	const char *key;
	json_t *v;

	if (!json_is_object(o))
		return error_set(e, EXIT_USAGE, "\"%s\" must be an object",
				 way);
	json_object_foreach(mutable, key, v) {
		const char *text = json_string_value(v);

		if (!text)
			return error_set(e, EXIT_USAGE,
					 "\"%s\": values must be text with a "
					 "unit, as {\"delay\": \"50ms\"}",
					 way);
		if (link_opt_parse(key, text, i, e) < 0)
			return -1;
	}
	/* One that it would have anyway is none: it goes with the rate. */
	if (i->burst == impair_burst(&(struct impair){.rate = i->rate}))
		i->burst = 0;
	return 0;
}

static int take_seed(struct asked *a, const json_t *v, struct error *e)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || n >= SEED_MAX)
		return error_set(e, EXIT_USAGE,
				 "\"seed\" must be a number from 0 to %lld",
				 (long long)SEED_MAX - 1);
	a->state.set.seed = (uint64_t)n;
	a->has_seed = true;
	return 0;
}

static int take_key(struct asked *a, const char *key, const json_t *v,
		    struct error *e)
{
	const char *text = json_string_value(v);

	for (unsigned w = 0; w < IMPAIR_WAYS; w++) {
		if (strcmp(key, ways[w]) == 0)
			return take_way(&a->state.set.way[w], key, v, e);
	}
	if (strcmp(key, "seed") == 0)
		return take_seed(a, v, e);
	if (strcmp(key, "for") == 0)
		return text ? link_time_parse("for", text, &a->for_ns, e)
			    : error_set(e, EXIT_USAGE,
					"\"for\" must be a time, as \"30s\"");
	if (strcmp(key, "up") == 0 && json_is_boolean(v)) {
		a->state.is_pulled = !json_is_true(v);
		return 0;
	}
	if (strcmp(key, "reset") == 0 && json_is_true(v))
		return 0; /* was done first */
	return error_set(e, EXIT_USAGE,
			 "the request has a key that is not known, or its "
			 "value is none");
}

/* All of o, behind what a->state has. */
static int take_object(struct asked *a, const json_t *o, struct error *e)
{
	json_t *mutable = (json_t *)(uintptr_t)o;
	const char *key;
	json_t *v;

	if (json_is_true(json_object_get(o, "reset")))
		a->state = (struct cable_state){.is_pulled = false};
	json_object_foreach(mutable, key, v) {
		if (take_key(a, key, v, e) < 0)
			return -1;
	}
	for (unsigned w = 0; w < IMPAIR_WAYS; w++) {
		if (link_opts_check(&a->state.set.way[w], e) < 0)
			return -1;
	}
	return 0;
}

/* For how long, and by which numbers, says nothing alone. */
static int check_object(const json_t *o, struct error *e)
{
	size_t n = json_object_get(o, "for") != NULL;

	n += json_object_get(o, "seed") != NULL;
	return n && json_object_size(o) == n
		       ? error_set(e, EXIT_USAGE,
				   "\"for\" and \"seed\" go with what is to be "
				   "done, as \"up\": false")
		       : 0;
}

/* Who names no seed gets one that can be named the next time. */
static void choose_seed(struct asked *a, const struct cable_state *was)
{
	if (a->has_seed || !impair_set_is_none(&was->set))
		return;
	a->state.set.seed = hash_key_new().k0 % 1000000;
}

int cable_request(struct machine *m, const json_t *o, struct error *e)
{
	struct timer_wheel *wheel = loop_wheel(m->keeper->loop);
	struct asked a = {.state = m->cable};

	if (take_object(&a, o, e) < 0 || check_object(o, e) < 0)
		return -EINVAL;
	choose_seed(&a, &m->cable);
	if (impair_set_is_none(&a.state.set))
		a.state.set.seed = 0;
	/* Times do not nest: what was before the first comes again. */
	if (a.for_ns && !timer_is_armed(&m->cable_timer))
		m->cable_before = m->cable;
	if (a.for_ns)
		timer_arm(wheel, &m->cable_timer,
			  *loop_now(m->keeper->loop) + a.for_ns);
	else
		timer_disarm(wheel, &m->cable_timer);
	change(m, &a.state, a.has_seed);
	return 0;
}

/* ---- to text ---- */

static json_t *state_object(const struct cable_state *s)
{
	bool has_seed = !impair_set_is_none(&s->set);

	return json_pack("{s:b,s:o,s:o,s:o*}", "up", !s->is_pulled, "to",
			 link_opts_object(&s->set.way[IMPAIR_TO]), "from",
			 link_opts_object(&s->set.way[IMPAIR_FROM]), "seed",
			 has_seed ? json_integer((json_int_t)s->set.seed)
				  : NULL);
}

json_t *cable_object(const struct machine *m)
{
	json_t *o = state_object(&m->cable);
	uint64_t now_ns = *loop_now(m->keeper->loop);
	uint64_t end_ns = m->cable_timer.deadline_ns;

	if (!timer_is_armed(&m->cable_timer))
		return o;
	if (o && json_object_set_new(
			 o, "left-ms",
			 json_integer(end_ns > now_ns
					      ? (json_int_t)((end_ns - now_ns) /
							     1000000)
					      : 0)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* ---- the state ---- */

json_t *cable_print(const struct machine *m)
{
	bool ends = timer_is_armed(&m->cable_timer);

	if (cable_is_plain(m))
		return NULL;
	return json_pack("{s:o,s:o*,s:o*}", "now", state_object(&m->cable),
			 "before",
			 ends ? state_object(&m->cable_before) : NULL,
			 "until_ns",
			 ends ? json_integer((json_int_t)
						     m->cable_timer.deadline_ns)
			      : NULL);
}

/* What a keeper wrote; if it makes no sense, a cable as it should be. */
static struct cable_state state_of(const json_t *o)
{
	struct asked a = {.has_seed = false};
	struct error e = ERROR_NULL;

	if (o && take_object(&a, o, &e) < 0)
		return (struct cable_state){.is_pulled = false};
	return a.state;
}

void cable_restore(struct machine *m, const json_t *o)
{
	const json_t *until = json_object_get(o, "until_ns");

	m->cable = state_of(json_object_get(o, "now"));
	m->cable_before = state_of(json_object_get(o, "before"));
	if (until) /* of this host's clock since it was started */
		timer_arm(loop_wheel(m->keeper->loop), &m->cable_timer,
			  (uint64_t)json_integer_value(until));
}
