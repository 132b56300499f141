/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine shows, as JSON.  Called by look.c and by requests.c.
 * An entry is copied before it is looked at: the engine could change it in
 * between.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/text.h"
#include "keeper/look_priv.h"
#include "keeper/machine.h"
#include "keeper/stats.h"

/* The engine's word is any number, and JSON's go less far. */
static json_t *number(uint64_t n)
{
	return json_integer(n < INT64_MAX ? (json_int_t)n : INT64_MAX);
}

static void copy_entry(void *to, const void *list, unsigned i, size_t len)
{
	memcpy(to, (const char *)list + i * len, len);
	atomic_signal_fence(memory_order_seq_cst); /* once */
}

/* The machine that has the netdev; NULL: none has it. */
static const char *machine_at(const struct keeper *k, uint32_t id)
{
	const struct plan_netdev *n = plan_find((struct plan *)&k->plan, id);

	return n && n->machine ? n->machine->name : NULL;
}

/* ---- ports ---- */

static void take_port(struct look *l, const union look_room *room, unsigned i)
{
	struct look_port p;

	copy_entry(&p, room->port, i, sizeof(p));
	p.name[LOOK_NAME_LEN - 1] = '\0';
	p.kind[LOOK_KIND_LEN - 1] = '\0';
	look_put_item(l, json_pack("{s:o,s:o,s:s*,s:b,s:b,s:o,s:o,s:o,s:o,s:o,"
				   "s:o}",
				   "name", text_shown(p.name), "kind",
				   text_shown(p.kind), "machine",
				   machine_at(l->keeper, p.id), "connected",
				   p.is_connected, "up", p.is_up, "rx-frames",
				   number(p.rx_frames), "rx-bytes",
				   number(p.rx_bytes), "rx-drops",
				   number(p.rx_drops), "tx-frames",
				   number(p.tx_frames), "tx-bytes",
				   number(p.tx_bytes), "tx-drops",
				   number(p.tx_drops)));
}

/* ---- counters ---- */

static const struct {
	const char *name, *text;
} counters[LOOK_COUNT_N] = {
#define LOOK_COUNTER_WORDS(name, word, text) [LOOK_COUNT_##name] = {word, text},
	LOOK_COUNTERS(LOOK_COUNTER_WORDS)
#undef LOOK_COUNTER_WORDS
};

static void take_count(struct look *l, const union look_room *room, unsigned i)
{
	uint64_t n;

	if (i >= LOOK_COUNT_N)
		return;
	copy_entry(&n, room->count, i, sizeof(n));
	look_put_item(l, json_pack("{s:s,s:s,s:o}", "name", counters[i].name,
				   "text", counters[i].text, "count",
				   number(n)));
}

/* ---- GET /v1/stats ---- */

static void ports_end(struct look *l)
{
	look_put_text(l, "],\"counters\":[");
}

static const char *stats_end(struct look *l)
{
	return l->is_cut ? NULL : "]}\n";
}

static const struct look_kind stats_kind = {
	.part = {
		{LOOK_PORTS, take_port, ports_end},
		{LOOK_COUNTS, take_count, NULL},
	},
	.n_parts = 2,
	.end = stats_end,
};

int look_stats(struct keeper *k, const struct request *r, json_t **op,
	       struct error *e)
{
	uint64_t ms = (*loop_now(k->loop) - k->start_ns) / 1000000u;
	json_t *o = stats_object(k->c->network->name, ms, &k->counters);
	CLEANUP_FREE char *head = o ? json_dumps(o, JSON_COMPACT |
						 JSON_PRESERVE_ORDER)
				    : NULL;
	CLEANUP_FREE char *text = NULL;

	(void)op;
	json_decref(o);
	/* All but its last brace. */
	if (!head || asprintf(&text, "%.*s,\"ports\":[",
			      (int)strlen(head) - 1, head) < 0)
		return error_errno(e, ENOMEM, "the answer");
	return look_begin(k, r, &stats_kind, text, e);
}
