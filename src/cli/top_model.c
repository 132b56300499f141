/* SPDX-License-Identifier: BSD-3-Clause */
/* What vmlan top knows; see top_model.h. */
#include "cli/top_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl.h"

static const char *const count_keys[] = {
#define TOP_COUNT_KEY(name, key) key,
	TOP_COUNTS(TOP_COUNT_KEY)
#undef TOP_COUNT_KEY
};

static const char *const sort_names[] = {
#define TOP_SORT_NAME(name, text) text,
	TOP_SORTS(TOP_SORT_NAME)
#undef TOP_SORT_NAME
};

const char *top_sort_name(enum top_sort sort)
{
	return sort_names[sort];
}

/* ---- what was answered ---- */

static void take_text(char *to, size_t len, const json_t *o, const char *key)
{
	const char *s = ctl_str(o, key);
	size_t i;

	for (i = 0; s[i] && i + 1 < len; i++)
		to[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
	to[i] = '\0';
}

#define TAKE_TEXT(array, o, key) take_text(array, sizeof(array), o, key)

static uint64_t take_count(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

static int64_t take_known(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* A sample that is not the model's yet. */
struct sample {
	struct top_machine *machines; /* owned */
	struct top_flow *flows;	      /* owned */
	struct top_drop *drops;	      /* owned */
	unsigned n_machines, n_flows, n_drops;
};

static void sample_deinit(struct sample *s)
{
	free(s->machines);
	free(s->flows);
	free(s->drops);
}

static struct top_machine *sample_find(struct sample *s, const char *name)
{
	for (unsigned i = 0; i < s->n_machines; i++) {
		struct top_machine *m = &s->machines[i];

		if (m->is_machine && strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

static void take_machine(struct top_machine *m, const json_t *o)
{
	const json_t *cable = json_object_get(o, "cable");
	const json_t *addresses = json_object_get(o, "addresses");
	const char *first = json_string_value(json_array_get(addresses, 0));
	json_t *one = json_pack("{s:s}", "a", first ? first : "");

	m->is_machine = true;
	TAKE_TEXT(m->name, o, "name");
	TAKE_TEXT(m->mac, o, "mac");
	TAKE_TEXT(m->about, one, "a");
	json_decref(one);
	m->cable = ctl_bool(o, "connected") ? TOP_CABLE_UP : TOP_CABLE_LOOSE;
	if (cable)
		m->cable = ctl_bool(cable, "up") ? TOP_CABLE_SPOILT
						 : TOP_CABLE_PULLED;
}

/* Of a machine's several ports it is the sum. */
static void take_port(struct sample *s, const json_t *o)
{
	char name[TOP_NAME_LEN];
	struct top_machine *m;

	TAKE_TEXT(name, o, "machine");
	m = name[0] ? sample_find(s, name) : NULL;
	if (!m) {
		m = &s->machines[s->n_machines++];
		m->is_machine = name[0] != '\0';
		TAKE_TEXT(m->name, o, name[0] ? "machine" : "name");
		TAKE_TEXT(m->about, o, "kind");
		m->cable = ctl_bool(o, "connected") ? TOP_CABLE_UP
						    : TOP_CABLE_LOOSE;
	}
	m->is_counted = true;
	for (unsigned i = 0; i < TOP_N_COUNTS; i++)
		m->counts[i] += take_count(o, count_keys[i]);
}

static void take_flow(struct top_flow *f, const json_t *o, double seconds)
{
	TAKE_TEXT(f->machine, o, "machine");
	TAKE_TEXT(f->proto, o, "proto");
	TAKE_TEXT(f->guest, o, "guest");
	TAKE_TEXT(f->peer, o, "peer");
	TAKE_TEXT(f->name, o, "name");
	TAKE_TEXT(f->state, o, "state");
	f->is_in = strcmp(ctl_str(o, "direction"), "in") == 0;
	f->sent = take_count(o, "sent-bytes");
	f->received = take_count(o, "received-bytes");
	f->rtt_us = take_known(o, "rtt-us");
	/* One that began since the sample before was none then. */
	f->has_rates = seconds > 0 &&
		       (double)take_count(o, "age-ms") <= seconds * 1000;
	if (f->has_rates) {
		f->sent_rate = (double)f->sent / seconds;
		f->received_rate = (double)f->received / seconds;
	}
}

/* All that there is room for, at least one. */
static void *room_for(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

static int sample_read(struct sample *s, const json_t *network,
		       const json_t *stats, const json_t *flows, double seconds)
{
	const json_t *machines = json_object_get(network, "machines");
	const json_t *ports = json_object_get(stats, "ports");
	const json_t *drops = json_object_get(stats, "drops");
	size_t i;
	json_t *o;

	flows = json_object_get(flows, "flows");
	s->machines = room_for(json_array_size(machines) +
				       json_array_size(ports),
			       sizeof(*s->machines));
	s->flows = room_for(json_array_size(flows), sizeof(*s->flows));
	s->drops = room_for(json_array_size(drops), sizeof(*s->drops));
	if (!s->machines || !s->flows || !s->drops)
		return -ENOMEM;
	json_array_foreach(machines, i, o)
		take_machine(&s->machines[s->n_machines++], o);
	json_array_foreach(ports, i, o)
		take_port(s, o);
	json_array_foreach(flows, i, o)
		take_flow(&s->flows[s->n_flows++], o, seconds);
	json_array_foreach(drops, i, o) {
		struct top_drop *d = &s->drops[s->n_drops++];

		TAKE_TEXT(d->name, o, "name");
		TAKE_TEXT(d->text, o, "text");
		d->count = take_count(o, "count");
		d->rate = -1;
	}
	return 0;
}

/* ---- what that is per second ---- */

/* False: it counts anew. */
static bool rate_of(uint64_t now, uint64_t before, double seconds,
		    double *ratep)
{
	if (now < before)
		return false;
	*ratep = (double)(now - before) / seconds;
	return true;
}

static const struct top_machine *machine_before(const struct top_model *m,
						const struct top_machine *now)
{
	for (unsigned i = 0; i < m->n_machines; i++) {
		const struct top_machine *it = &m->machines[i];

		if (it->is_machine == now->is_machine && it->is_counted &&
		    strcmp(it->name, now->name) == 0)
			return it;
	}
	return NULL;
}

static void rate_machine(const struct top_model *m, struct top_machine *now,
			 double seconds)
{
	const struct top_machine *before = machine_before(m, now);

	now->has_rates = before && now->is_counted;
	for (unsigned i = 0; i < TOP_N_COUNTS && now->has_rates; i++)
		now->has_rates = rate_of(now->counts[i], before->counts[i],
					 seconds, &now->rates[i]);
	if (!now->has_rates)
		memset(now->rates, 0, sizeof(now->rates));
}

static int compare_flows(const void *av, const void *bv)
{
	const struct top_flow *a = av, *b = bv;
	int r = strcmp(a->guest, b->guest);

	if (!r)
		r = strcmp(a->peer, b->peer);
	if (!r)
		r = strcmp(a->proto, b->proto);
	if (!r)
		r = strcmp(a->machine, b->machine);
	return r ? r : a->is_in - b->is_in;
}

/* The model's flows are in the order of compare_flows() now. */
static void rate_flow(const struct top_model *m, struct top_flow *now,
		      double seconds)
{
	const struct top_flow *before =
		m->n_flows ? bsearch(now, m->flows, m->n_flows,
				     sizeof(*now), compare_flows)
			   : NULL;

	if (!before || now->sent < before->sent ||
	    now->received < before->received)
		return; /* it is new, or its rate is not known */
	now->has_rates = rate_of(now->sent, before->sent, seconds,
				 &now->sent_rate) &&
			 rate_of(now->received, before->received, seconds,
				 &now->received_rate);
}

static void rate_drop(const struct top_model *m, struct top_drop *now,
		      double seconds)
{
	for (unsigned i = 0; i < m->n_drops; i++) {
		const struct top_drop *before = &m->drops[i];

		if (strcmp(before->name, now->name) != 0)
			continue;
		if (!rate_of(now->count, before->count, seconds, &now->rate))
			now->rate = -1;
		return;
	}
	now->rate = (double)now->count / seconds; /* it was 0 */
}

static void rate_all(struct top_model *m, struct sample *s, double seconds)
{
	qsort(m->flows, m->n_flows, sizeof(*m->flows), compare_flows);
	for (unsigned i = 0; i < s->n_machines; i++)
		rate_machine(m, &s->machines[i], seconds);
	for (unsigned i = 0; i < s->n_flows; i++)
		rate_flow(m, &s->flows[i], seconds);
	for (unsigned i = 0; i < s->n_drops; i++)
		rate_drop(m, &s->drops[i], seconds);
}

/* Between the two samples, by the keeper's clock if it tells; 0: rates cannot
 * be told. */
static double seconds_between(const struct top_model *m, int64_t uptime_ms,
			      int64_t now_ms)
{
	int64_t ms = now_ms - m->when_ms;

	if (m->uptime_ms >= 0 && uptime_ms >= 0)
		ms = uptime_ms - m->uptime_ms;
	return m->has_sample && ms > 0 ? (double)ms / 1000 : 0;
}

int top_model_take(struct top_model *m, const json_t *network,
		   const json_t *stats, const json_t *flows, int64_t now_ms)
{
	int64_t uptime_ms = take_known(stats, "uptime-ms");
	int64_t engine = take_known(network, "engine");
	bool is_other = m->has_sample && engine != m->engine;
	double seconds = is_other ? 0 : seconds_between(m, uptime_ms, now_ms);
	struct sample s = {.machines = NULL};

	if (sample_read(&s, network, stats, flows, seconds) < 0) {
		sample_deinit(&s);
		return -ENOMEM;
	}
	if (seconds > 0)
		rate_all(m, &s, seconds);
	free(m->machines);
	free(m->flows);
	free(m->drops);
	m->machines = s.machines;
	m->flows = s.flows;
	m->drops = s.drops;
	m->n_machines = s.n_machines;
	m->n_flows = s.n_flows;
	m->n_drops = s.n_drops;
	m->n_real = (unsigned)json_array_size(
		json_object_get(network, "machines"));
	m->has_sample = true;
	m->has_flows = flows != NULL;
	m->has_more = ctl_bool(flows, "more");
	m->is_serving = ctl_bool(network, "serving");
	m->is_kept = ctl_bool(network, "kept");
	m->has_other_engine = is_other;
	TAKE_TEXT(m->mode, network, "mode");
	m->engine = engine;
	m->when_ms = now_ms;
	m->uptime_ms = uptime_ms;
	top_model_arrange(m);
	return 0;
}

void top_model_forget(struct top_model *m)
{
	struct top_model empty = TOP_MODEL_NULL;

	free(m->machines);
	free(m->flows);
	free(m->drops);
	empty.sort = m->sort;
	memcpy(empty.filter, m->filter, sizeof(empty.filter));
	*m = empty;
}

/* ---- how it is arranged ---- */

static bool has_word(const char *text, const char *word)
{
	return strcasestr(text, word) != NULL;
}

static double machine_key(const struct top_machine *m, enum top_sort sort)
{
	switch (sort) {
	case TOP_BY_FROM:
		return m->rates[TOP_RX_BYTES];
	case TOP_BY_TO:
		return m->rates[TOP_TX_BYTES];
	case TOP_BY_PACKETS:
		return m->rates[TOP_RX_FRAMES] + m->rates[TOP_TX_FRAMES];
	case TOP_BY_LOST:
		return m->rates[TOP_RX_DROPS] + m->rates[TOP_TX_DROPS];
	case TOP_BY_TRAFFIC:
		return m->rates[TOP_RX_BYTES] + m->rates[TOP_TX_BYTES];
	case TOP_BY_NAME:
	case TOP_N_SORTS:
		break;
	}
	return 0;
}

double top_flow_rate(const struct top_flow *f, enum top_sort sort)
{
	if (sort == TOP_BY_FROM)
		return f->sent_rate;
	if (sort == TOP_BY_TO)
		return f->received_rate;
	return f->sent_rate + f->received_rate;
}

static int descending(double a, double b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

/* Machines come before other ports, whatever these do. */
static int order_machines(const void *av, const void *bv, void *arg)
{
	const struct top_machine *a = av, *b = bv;
	const enum top_sort *sort = arg;
	int r = a->is_hidden - b->is_hidden;

	if (!r)
		r = b->is_machine - a->is_machine;
	if (!r)
		r = descending(machine_key(a, *sort), machine_key(b, *sort));
	return r ? r : strcmp(a->name, b->name);
}

static int order_flows(const void *av, const void *bv, void *arg)
{
	const struct top_flow *a = av, *b = bv;
	const enum top_sort *sort = arg;
	int r = a->is_hidden - b->is_hidden;

	if (!r && *sort == TOP_BY_NAME)
		r = strcmp(a->machine, b->machine);
	if (!r)
		r = descending(top_flow_rate(a, *sort),
			       top_flow_rate(b, *sort));
	if (!r)
		r = (a->sent + a->received < b->sent + b->received) -
		    (a->sent + a->received > b->sent + b->received);
	return r ? r : compare_flows(a, b);
}

static int order_drops(const void *av, const void *bv)
{
	const struct top_drop *a = av, *b = bv;
	int r = descending(a->rate, b->rate);

	if (!r)
		r = (a->count < b->count) - (a->count > b->count);
	return r ? r : strcmp(a->name, b->name);
}

void top_model_arrange(struct top_model *m)
{
	const char *word = m->filter;

	m->n_shown_machines = 0;
	m->n_shown_flows = 0;
	for (unsigned i = 0; i < m->n_machines; i++) {
		struct top_machine *it = &m->machines[i];

		it->is_hidden = !has_word(it->name, word) &&
				!has_word(it->about, word) &&
				!has_word(it->mac, word);
		m->n_shown_machines += !it->is_hidden;
	}
	for (unsigned i = 0; i < m->n_flows; i++) {
		struct top_flow *f = &m->flows[i];

		f->is_hidden = !has_word(f->machine, word) &&
			       !has_word(f->guest, word) &&
			       !has_word(f->peer, word) &&
			       !has_word(f->name, word) &&
			       !has_word(f->proto, word);
		m->n_shown_flows += !f->is_hidden;
	}
	if (m->n_machines)
		qsort_r(m->machines, m->n_machines, sizeof(*m->machines),
			order_machines, &m->sort);
	if (m->n_flows)
		qsort_r(m->flows, m->n_flows, sizeof(*m->flows), order_flows,
			&m->sort);
	if (m->n_drops)
		qsort(m->drops, m->n_drops, sizeof(*m->drops), order_drops);
}

double top_model_sum(const struct top_model *m, enum top_count c)
{
	double sum = 0;

	for (unsigned i = 0; i < m->n_machines; i++)
		sum += m->machines[i].is_machine ? m->machines[i].rates[c] : 0;
	return sum;
}

int top_model_place(const struct top_model *m, const char *name)
{
	for (unsigned i = 0; i < m->n_shown_machines; i++) {
		if (m->machines[i].is_machine &&
		    strcmp(m->machines[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}
