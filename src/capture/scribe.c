/* SPDX-License-Identifier: BSD-3-Clause */
/* Records to a file; see scribe.h. */
#include "capture/scribe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/hash.h"
#include "capture/pcapng.h"
#include "lan/drop.h"
#include "wire/csum.h"

enum {
	FIRST_PLACES = 64, /* of the table, a power of two */
	COMMENT_LEN = 256,
};

struct interface {
	char name[PORT_NAME_LEN];
	uint64_t n_seen, n_written;
	uint64_t begin_ns;
	/* what its ports counted: of those that went, .. */
	uint64_t counted, dropped;
	/* .. and of the one there is, when it came */
	bool is_open;
	struct ring_count at_begin;
	uint8_t dir;
};

struct scribe {
	struct scribe_config c;
	struct hash_key key;
	struct interface *list; /* owned array, in the file's order */
	uint32_t n, room;
	uint32_t *places; /* owned; of list, and 1; 0: free */
	uint32_t n_places;
	bool is_broken;
	uint64_t n_written;
	uint8_t frame[FRAME_MAX];
};

int scribe_new(const struct scribe_config *c, struct scribe **sp)
{
	struct scribe *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->c = *c;
	s->key = hash_key_new();
	pcapng_section(c->f, "vmlan " VMLAN_VERSION, c->comment);
	*sp = s;
	return 0;
}

struct scribe *scribe_free(struct scribe *s)
{
	if (!s)
		return NULL;
	free(s->list);
	free(s->places);
	free(s);
	return NULL;
}

uint64_t scribe_written(const struct scribe *s)
{
	return s->n_written;
}

/* ---- interfaces ---- */

/* Where name is in the table, or would be. */
static uint32_t *place_of(const struct scribe *s, const char *name)
{
	uint64_t h = hash_bytes(&s->key, name, strlen(name));
	uint32_t mask = s->n_places - 1;
	uint32_t i = (uint32_t)h & mask;

	while (s->places[i] &&
	       strcmp(s->list[s->places[i] - 1].name, name) != 0)
		i = (i + 1) & mask;
	return &s->places[i];
}

/* For one more, with half of the table free. */
static int make_room(struct scribe *s)
{
	uint32_t n = s->n_places ? s->n_places * 2 : FIRST_PLACES;
	struct interface *list;

	if (s->n < s->room)
		return 0;
	list = reallocarray(s->list, n / 2, sizeof(*list));
	if (!list)
		return -ENOMEM;
	s->list = list;
	free(s->places);
	s->places = calloc(n, sizeof(*s->places));
	s->n_places = s->places ? n : 0;
	s->room = s->places ? n / 2 : 0;
	if (!s->places)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n; i++)
		*place_of(s, list[i].name) = i + 1;
	return 0;
}

/* The interface of that name; a new one is written. NULL: no memory. */
static struct interface *interface_of(struct scribe *s,
				      const struct ring_record *r)
{
	struct interface *it;
	uint32_t *place;

	if (s->n_places) {
		place = place_of(s, r->port);
		if (*place)
			return &s->list[*place - 1];
	}
	if (make_room(s) < 0)
		return NULL;
	it = &s->list[s->n++];
	*it = (struct interface){.begin_ns = r->when_ns};
	memcpy(it->name, r->port, sizeof(it->name));
	*place_of(s, it->name) = s->n;
	pcapng_interface(s->c.f, it->name, s->c.snap_len, s->c.filter);
	return it;
}

/* ---- counts ---- */

static uint64_t frames(const struct ring_count *n, uint8_t dir)
{
	return (dir & RING_IN ? n->rx_frames : 0) +
	       (dir & RING_OUT ? n->tx_frames : 0);
}

static uint64_t drops(const struct ring_count *n, uint8_t dir)
{
	return (dir & RING_IN ? n->rx_drops : 0) +
	       (dir & RING_OUT ? n->tx_drops : 0);
}

static int take_count(struct scribe *s, const struct ring_record *r,
		      const uint8_t *data)
{
	struct interface *it = interface_of(s, r);
	struct ring_count n;

	if (!it)
		return -ENOMEM;
	memcpy(&n, data, sizeof(n));
	if (r->type == RING_BEGIN) {
		s->is_broken |= it->is_open;
		it->is_open = true;
		it->at_begin = n;
		it->dir = r->dir;
		return 0;
	}
	if (it->is_open && it->dir == r->dir) {
		it->counted += frames(&n, r->dir) -
			       frames(&it->at_begin, r->dir);
		it->dropped += drops(&n, r->dir) - drops(&it->at_begin, r->dir);
	} else {
		s->is_broken = true;
	}
	it->is_open = false;
	return 0;
}

/* ---- frames ---- */

/* What the sender left to a card that does not exist. */
static void fill_checksum(struct scribe *s, const struct ring_record *r)
{
	const struct frame_offload *off = &r->off;
	uint32_t at = (uint32_t)off->csum_start + off->csum_offset;
	uint64_t sum;

	if (!(off->flags & FRAME_F_NEEDS_CSUM) || r->data_len < r->frame_len ||
	    off->csum_start >= r->data_len || at + 2 > r->data_len)
		return;
	sum = csum_add(s->frame + off->csum_start,
		       r->data_len - off->csum_start, 0);
	put_be16(s->frame + at, csum_stored(sum, off->csum_offset));
}

static const char *comment_of(const struct ring_record *r,
			      char buf[static COMMENT_LEN])
{
	unsigned why = r->lost - 1u;

	if (!r->lost)
		return NULL;
	snprintf(buf, COMMENT_LEN, "lost at %s: %s (%s)", r->at,
		 drop_text((enum drop_reason)why),
		 drop_name((enum drop_reason)why));
	return buf;
}

static int take_frame(struct scribe *s, const struct ring_record *r,
		      const uint8_t *data)
{
	struct pcapng_frame p = {
		.when_ns = r->when_ns,
		.frame_len = r->frame_len,
		.data_len = r->data_len,
		.data = s->frame,
		.dir = r->dir == RING_OUT ? PCAPNG_OUT : PCAPNG_IN,
	};
	char comment[COMMENT_LEN];
	struct interface *it;

	if (r->when_ns < s->c.since_ns)
		return 0;
	it = interface_of(s, r);
	if (!it)
		return -ENOMEM;
	it->n_seen += !r->is_out;
	if (s->c.n_max && s->n_written >= s->c.n_max)
		return 0;
	memcpy(s->frame, data, r->data_len);
	if (s->c.filter && !s->c.passes(s->c.arg, r, s->frame))
		return 0;
	fill_checksum(s, r);
	p.interface = (uint32_t)(it - s->list);
	p.comment = comment_of(r, comment);
	pcapng_frame(s->c.f, &p);
	it->n_written++;
	s->n_written++;
	return 0;
}

int scribe_record(struct scribe *s, const struct ring_record *r,
		  const uint8_t *data)
{
	if (r->type == RING_FRAME)
		return take_frame(s, r, data);
	return s->c.has_counts ? take_count(s, r, data) : 0;
}

/* ---- the end ---- */

void scribe_lacks_counts(struct scribe *s)
{
	s->is_broken = true;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void scribe_end(struct scribe *s, uint64_t end_ns, uint64_t lost,
		struct scribe_sum *sum)
{
	*sum = (struct scribe_sum){.n_written = s->n_written,
				   .n_interfaces = s->n};
	for (uint32_t i = 0; i < s->n; i++) {
		const struct interface *it = &s->list[i];
		bool is_known = s->c.has_counts && !s->is_broken &&
				!it->is_open;
		struct pcapng_stats p = {
			.interface = i,
			.begin_ns = it->begin_ns,
			.end_ns = end_ns,
			.received = is_known ? it->counted : PCAPNG_UNKNOWN,
			.dropped = is_known ? it->dropped : PCAPNG_UNKNOWN,
			.accepted = it->n_written,
			.lost = is_known ? less(it->counted, it->n_seen)
					 : PCAPNG_UNKNOWN,
		};
		char text[COMMENT_LEN];

		snprintf(text, sizeof(text),
			 "the port's counts are not known: the engine was "
			 "another one, or has not said them; the capture had "
			 "no room for %" PRIu64 " frames of all ports", lost);
		if (!is_known && s->c.has_counts)
			p.comment = text;
		pcapng_stats(s->c.f, &p);
		sum->n_seen += it->n_seen;
	}
}
