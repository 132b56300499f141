/* SPDX-License-Identifier: BSD-3-Clause */
/* What happened; see events.h. */
#include "keeper/events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keeper/keeper_priv.h"

enum { TIME_LEN = 64 };

void events_deinit(struct events *v)
{
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		free(v->line[i]);
	*v = (struct events){.last = 0};
}

/* "2026-11-22T19:33:00.123Z" */
static const char *now_text(char buf[TIME_LEN])
{
	struct timespec t;
	struct tm tm;
	char day[32] = "";

	clock_gettime(CLOCK_REALTIME, &t);
	if (gmtime_r(&t.tv_sec, &tm))
		strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, TIME_LEN, "%s.%03dZ", day, (int)(t.tv_nsec / 1000000));
	return buf;
}

/* Takes keys. NULL: no memory. */
static char *make_line(uint64_t seq, enum event_id id, json_t *keys)
{
	char time[TIME_LEN];
	json_t *o = json_pack("{s:I,s:s,s:s}", "seq", (json_int_t)seq, "time",
			      now_text(time), "type", event_rows[id].name);
	char *text = NULL, *line;

	if (o && keys && json_object_update(o, keys) == 0)
		text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(o);
	json_decref(keys);
	if (!text)
		return NULL;
	if (asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

static uint64_t oldest(const struct events *v)
{
	return v->last < EVENTS_KEPT ? 1 : v->last - EVENTS_KEPT + 1;
}

void events_add(struct events *v, enum event_id id, json_t *keys)
{
	char **place = &v->line[++v->last % EVENTS_KEPT];

	free(*place);
	*place = make_line(v->last, id, keys);
	if (v->woke)
		v->woke(v->arg);
}

/* Those behind *seqp that there are no more; the last of them, 0: none. */
static uint64_t lost_to(const struct events *v, uint64_t seq)
{
	uint64_t to = seq + 1 < oldest(v) ? oldest(v) - 1 : 0;

	/* And those for which there was no memory. */
	for (uint64_t s = to ? to : seq;
	     s < v->last && !v->line[(s + 1) % EVENTS_KEPT]; s++)
		to = s + 1;
	return to;
}

char *events_next(struct events *v, uint64_t *seqp, bool *is_fullp)
{
	uint64_t seq = *seqp, to = lost_to(v, seq);
	char *line = NULL;

	*is_fullp = false;
	if (seq == v->last)
		return NULL;
	if (seq > v->last) {
		line = make_line(0, EVENT_ANEW,
				 json_pack("{s:I}", "since", (json_int_t)seq));
		seq = 0;
	} else if (to) {
		line = make_line(to, EVENT_LOST,
				 json_pack("{s:I,s:I}", "from",
					   (json_int_t)(seq + 1), "to",
					   (json_int_t)to));
		seq = to;
	} else {
		line = strdup(v->line[++seq % EVENTS_KEPT]);
	}
	*is_fullp = !line;
	if (line)
		*seqp = seq;
	return line;
}

void event_say(struct keeper *k, enum event_id id, const char *fmt, ...)
{
	json_t *keys;
	va_list ap;

	va_start(ap, fmt);
	keys = json_vpack_ex(NULL, 0, fmt, ap); /* takes what is in it */
	va_end(ap);
	if (k->c->network)
		events_add(&k->events, id, keys);
	else
		json_decref(keys);
}
