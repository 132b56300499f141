/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The domain search list of option 119 (RFC 3397); see dhcp.h.  A tail of
 * labels that was written before becomes a pointer to it.
 */
#include "wire/dhcp.h"

#include <strings.h>

#include "wire/dns.h"

enum {
	LABEL_MAX = 63,
	NAME_MAX_LEN = 255,   /* encoded, the root's zero included */
	POINTER_MAX = 0x3fff,
	TAILS_MAX = 256,
};

/* A tail ("example.org") that stands at off of the value. */
struct tail {
	const char *text; /* borrowed from the names */
	uint16_t off;
};

struct tails {
	struct tail tail[TAILS_MAX];
	unsigned n;
};

/* Without the dot that may end a name. */
static size_t tail_len(const char *text)
{
	size_t len = strlen(text);

	return len && text[len - 1] == '.' ? len - 1 : len;
}

static const struct tail *find_tail(const struct tails *ts, const char *text)
{
	size_t len = tail_len(text);

	for (unsigned i = 0; i < ts->n; i++) {
		const struct tail *t = &ts->tail[i];

		if (tail_len(t->text) == len &&
		    strncasecmp(t->text, text, len) == 0)
			return t;
	}
	return NULL;
}

static void add_tail(struct tails *ts, const char *text, size_t off)
{
	if (ts->n == TAILS_MAX || off > POINTER_MAX)
		return; /* only compresses less */
	ts->tail[ts->n++] = (struct tail){.text = text, .off = (uint16_t)off};
}

/* True if text is labels of 1 to 63 bytes and not too long together. */
static bool name_is_good(const char *text)
{
	size_t len = tail_len(text);
	size_t label = 0;

	if (!len || len + 2 > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '.' && ++label <= LABEL_MAX)
			continue;
		if (text[i] != '.' || !label)
			return false;
		label = 0;
	}
	return label > 0;
}

static void encode_name(struct wr *w, struct tails *ts, const char *text)
{
	const char *end = text + tail_len(text);

	while (text < end) {
		const struct tail *t = find_tail(ts, text);
		size_t len = strcspn(text, ".");

		if (t) {
			wr_u16(w, (uint16_t)(DNS_POINTER | t->off));
			return;
		}
		add_tail(ts, text, wr_len(w));
		wr_u8(w, (uint8_t)len);
		wr_bytes(w, text, len);
		text += len;
		if (text < end)
			text++;
	}
	wr_u8(w, 0);
}

bool dhcp_search_encode(struct wr *w, const char *const *names, unsigned n)
{
	struct wr v = *w;
	struct tails ts = {.n = 0};

	for (unsigned i = 0; i < n; i++) {
		if (!name_is_good(names[i]))
			return false;
		encode_name(&v, &ts, names[i]);
	}
	if (!wr_ok(&v))
		return false;
	*w = v;
	return true;
}
