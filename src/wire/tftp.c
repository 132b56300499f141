/* SPDX-License-Identifier: BSD-3-Clause */
/* TFTP packets; see tftp.h. */
#include "wire/tftp.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

/* The next string, in place and ended by NUL; NULL: it has no end. */
static const char *rd_string(struct rd *r)
{
	const uint8_t *nul = rd_left(r) ? memchr(r->p, '\0', rd_left(r)) : NULL;

	if (!nul) {
		r->bad = true;
		return NULL;
	}
	return (const char *)rd_bytes(r, (size_t)(nul - r->p) + 1);
}

/* A decimal number of lo..hi; 0: it is none. */
static uint16_t number(const char *text, uint32_t lo, uint32_t hi)
{
	uint32_t n = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || n > UINT16_MAX)
			return 0;
		n = n * 10 + (uint32_t)(*p - '0');
	}
	return n >= lo && n <= hi ? (uint16_t)n : 0;
}

static void take_option(struct tftp_request *q, const char *name,
			const char *value)
{
	if (strcasecmp(name, "blksize") == 0 && !q->blksize)
		q->blksize = number(value, TFTP_BLOCK_MIN, TFTP_BLOCK_MAX);
	else if (strcasecmp(name, "timeout") == 0 && !q->timeout_s)
		q->timeout_s = (uint8_t)number(value, 1, UINT8_MAX);
	else if (strcasecmp(name, "windowsize") == 0 && !q->windowsize)
		q->windowsize = number(value, 1, UINT16_MAX);
	else if (strcasecmp(name, "tsize") == 0)
		q->wants_tsize = true;
}

bool tftp_parse_request(struct rd *r, struct tftp_request *qp)
{
	struct tftp_request q = {.is_octet = false};
	const char *name = rd_string(r), *mode = rd_string(r);

	if (!name || !mode || !*name || strlen(name) >= sizeof(q.name))
		return false;
	memcpy(q.name, name, strlen(name) + 1);
	q.is_octet = strcasecmp(mode, "octet") == 0;
	/* There are clients that fill up with zeros: an option without a name
	 * is the end. */
	while (rd_left(r) && *r->p) {
		const char *option = rd_string(r), *value = rd_string(r);

		if (!option || !value)
			return false;
		take_option(&q, option, value);
	}
	*qp = q;
	return true;
}

void tftp_emit_data(struct wr *w, uint16_t block)
{
	wr_u16(w, TFTP_DATA);
	wr_u16(w, block);
}

static void wr_string(struct wr *w, const char *text)
{
	wr_bytes(w, text, strlen(text) + 1);
}

void tftp_emit_error(struct wr *w, enum tftp_error code, const char *text)
{
	wr_u16(w, TFTP_ERROR);
	wr_u16(w, (uint16_t)code);
	wr_string(w, text);
}

void tftp_emit_oack(struct wr *w)
{
	wr_u16(w, TFTP_OACK);
}

void tftp_emit_option(struct wr *w, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	wr_string(w, name);
	wr_string(w, text);
}
