/* SPDX-License-Identifier: BSD-3-Clause */
/* DNS; see dns.h. */
#include "wire/dns.h"

enum {
	LABEL_POINTER = 0xc0, /* both bits set: 14 bits of offset */
	QUESTION_TAIL = 4,    /* type and class */
};

bool dns_hdr_parse(struct rd *r, struct dns_hdr *hp)
{
	struct dns_hdr h;

	h.id = rd_u16(r);
	h.flags = rd_u16(r);
	h.n_question = rd_u16(r);
	h.n_answer = rd_u16(r);
	h.n_authority = rd_u16(r);
	h.n_extra = rd_u16(r);
	if (!rd_ok(r))
		return false;
	*hp = h;
	return true;
}

void dns_hdr_emit(struct wr *w, const struct dns_hdr *h)
{
	wr_u16(w, h->id);
	wr_u16(w, h->flags);
	wr_u16(w, h->n_question);
	wr_u16(w, h->n_answer);
	wr_u16(w, h->n_authority);
	wr_u16(w, h->n_extra);
}

/* One byte of a label (RFC 1035 5.1; RFC 4343 2.1). */
static void put_byte(struct wr *w, uint8_t c)
{
	if (c == '.' || c == '\\') {
		wr_u8(w, '\\');
		wr_u8(w, c);
	} else if (c > 0x20 && c < 0x7f) {
		wr_u8(w, c);
	} else {
		wr_u8(w, '\\');
		wr_u8(w, (uint8_t)('0' + c / 100));
		wr_u8(w, (uint8_t)('0' + c / 10 % 10));
		wr_u8(w, (uint8_t)('0' + c % 10));
	}
}

/* A label of len bytes, a dot in front unless it is the first. */
static void put_label(struct wr *w, struct rd *r, uint8_t len)
{
	struct rd label = rd_sub(r, len);

	if (wr_len(w))
		wr_u8(w, '.');
	while (rd_left(&label))
		put_byte(w, rd_u8(&label));
}

/* Moves at to where a pointer leads.  It must lead to before start, where
 * the labels that ended with it began: so every jump goes back and the walk
 * ends.  False if it does not. */
static bool follow(const struct rd *msg, struct rd *at, uint8_t high,
		   const uint8_t **startp)
{
	size_t off = (size_t)(high & ~LABEL_POINTER) << 8 | rd_u8(at);

	if (!rd_ok(at) || off < DNS_HDR_LEN ||
	    off >= (size_t)(*startp - msg->p))
		return false;
	at->p = msg->p + off;
	*startp = at->p;
	return true;
}

bool dns_name_parse(const struct rd *msg, struct rd *r, char *buf)
{
	char text[DNS_NAME_TEXT];
	struct wr w = wr_init(text, sizeof(text) - 1);
	struct rd at = *r;
	const uint8_t *start = r->p, *after = NULL;
	size_t len = 0;

	for (;;) {
		uint8_t n = rd_u8(&at);

		if (!rd_ok(&at))
			return false;
		if ((n & LABEL_POINTER) == LABEL_POINTER) {
			if (!after)
				after = at.p + 1;
			if (!follow(msg, &at, n, &start))
				return false;
			continue;
		}
		len += 1u + n;
		if (n > DNS_LABEL_LEN || len > DNS_NAME_LEN)
			return false;
		if (!n)
			break;
		put_label(&w, &at, n);
	}
	if (!wr_len(&w))
		wr_u8(&w, '.');
	if (!rd_ok(&at) || !wr_ok(&w))
		return false;
	memcpy(buf, text, wr_len(&w));
	buf[wr_len(&w)] = 0;
	r->p = after ? after : at.p;
	return true;
}

bool dns_question_parse(const struct rd *msg, struct dns_question *qp)
{
	struct rd r = *msg;
	struct dns_question q = {.name = ""};
	char other[DNS_NAME_TEXT];

	if (!dns_hdr_parse(&r, &q.hdr))
		return false;
	/* Each takes at least five bytes, so the message bounds the loop. */
	for (unsigned i = 0; i < q.hdr.n_question; i++) {
		if (!dns_name_parse(msg, &r, i ? other : q.name))
			return false;
		if (i) {
			rd_skip(&r, QUESTION_TAIL);
			continue;
		}
		q.type = rd_u16(&r);
		q.class = rd_u16(&r);
	}
	if (!rd_ok(&r))
		return false;
	q.end = (size_t)(r.p - msg->p);
	*qp = q;
	return true;
}

bool dns_emit_error(struct wr *w, const struct rd *msg, enum dns_rcode rcode)
{
	const uint16_t keep = DNS_F_OPCODE | DNS_F_RD | DNS_F_CD;
	struct wr v = *w;
	struct rd r = *msg;
	struct dns_question q;
	struct dns_hdr h;

	if (!dns_hdr_parse(&r, &h) || h.flags & DNS_F_QR)
		return false;
	h = (struct dns_hdr){
		.id = h.id,
		.flags = (uint16_t)(DNS_F_QR | DNS_F_RA | (h.flags & keep) |
				    ((unsigned)rcode & DNS_F_RCODE)),
		.n_question = h.n_question,
	};
	if (h.n_question != 1 || !dns_question_parse(msg, &q)) {
		h.n_question = 0;
		dns_hdr_emit(&v, &h);
	} else {
		/* Pointers stay true: the header in front is as long. */
		dns_hdr_emit(&v, &h);
		wr_bytes(&v, msg->p + DNS_HDR_LEN, q.end - DNS_HDR_LEN);
	}
	if (!wr_ok(&v))
		return false;
	*w = v;
	return true;
}
