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

bool dns_name_copy(const struct rd *msg, struct rd *r, struct wr *w)
{
	struct wr v = *w;
	struct rd at = *r;
	const uint8_t *start = r->p, *after = NULL;
	size_t len = 0;
	uint8_t n;

	do {
		n = rd_u8(&at);
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
		if (n > DNS_LABEL_LEN || len > DNS_NAME_LEN || n > rd_left(&at))
			return false;
		wr_u8(&v, n);
		wr_bytes(&v, at.p, n);
		rd_skip(&at, n);
	} while (n);
	if (!wr_ok(&v))
		return false;
	*w = v;
	r->p = after ? after : at.p;
	return true;
}

bool dns_name_parse(const struct rd *msg, struct rd *r, char *buf)
{
	uint8_t name[DNS_NAME_LEN];
	struct wr wire = wr_init(name, sizeof(name));
	/* Four bytes of text for each of the name's at most. */
	struct wr w = wr_init(buf, DNS_NAME_TEXT);
	struct rd at;
	uint8_t n;

	if (!dns_name_copy(msg, r, &wire))
		return false;
	at = rd_init(name, wr_len(&wire));
	while ((n = rd_u8(&at))) {
		if (wr_len(&w))
			wr_u8(&w, '.');
		while (n--)
			put_byte(&w, rd_u8(&at));
	}
	if (!wr_len(&w))
		wr_u8(&w, '.');
	wr_u8(&w, 0);
	return true;
}

bool dns_name_emit(struct wr *w, const char *name)
{
	struct wr v = *w;

	while (*name) {
		size_t len = strcspn(name, ".");

		if (!len || len > DNS_LABEL_LEN)
			return false;
		wr_u8(&v, (uint8_t)len);
		wr_bytes(&v, name, len);
		name += len;
		name += *name == '.';
	}
	wr_u8(&v, 0);
	if (!wr_ok(&v) || v.p - w->p == 1 || v.p - w->p > DNS_NAME_LEN)
		return false;
	*w = v;
	return true;
}

bool dns_name_is_below(const uint8_t *name, size_t len, const uint8_t *domain,
		       size_t domain_len)
{
	size_t at = 0;

	while (at < len && len - at > domain_len)
		at += 1u + name[at];
	if (at > len || len - at != domain_len)
		return false;
	for (size_t i = 0; i < domain_len; i++) {
		if (dns_lower(name[at + i]) != dns_lower(domain[i]))
			return false;
	}
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

size_t dns_question_name(const struct rd *msg, uint8_t name[DNS_NAME_LEN])
{
	struct wr w = wr_init(name, DNS_NAME_LEN);
	struct rd r = *msg;

	rd_skip(&r, DNS_HDR_LEN);
	return dns_name_copy(msg, &r, &w) ? wr_len(&w) : 0;
}

bool dns_record_parse(const struct rd *msg, struct rd *r, struct dns_record *rp)
{
	uint8_t name[DNS_NAME_LEN];
	struct wr skipped = wr_init(name, sizeof(name));
	struct dns_record c = {.owner = *r};

	if (!dns_name_copy(msg, r, &skipped))
		return false;
	c.type = rd_u16(r);
	c.class = rd_u16(r);
	c.ttl = rd_u32(r);
	c.data = rd_sub(r, rd_u16(r));
	if (!rd_ok(r))
		return false;
	/* Names in it end with it, and may point to before it. */
	*rp = c;
	return true;
}

bool dns_walk_begin(struct dns_walk *w, const struct rd *msg)
{
	if (!dns_question_parse(msg, &w->q))
		return false;
	w->msg = msg;
	w->r = *msg;
	rd_skip(&w->r, w->q.end);
	w->n = (unsigned)w->q.hdr.n_answer + w->q.hdr.n_authority +
	       w->q.hdr.n_extra;
	w->i = 0;
	return true;
}

bool dns_walk_next(struct dns_walk *w, struct dns_record *rp)
{
	/* Each takes eleven bytes at least: the message bounds the walk. */
	if (w->i == w->n || !dns_record_parse(w->msg, &w->r, rp))
		return false;
	w->i++;
	return true;
}

bool dns_opt_find(const struct rd *msg, struct dns_record *rp)
{
	struct dns_walk w;
	struct dns_record c;

	if (!dns_walk_begin(&w, msg) || w.q.hdr.n_question != 1)
		return false;
	while (dns_walk_next(&w, &c)) {
		if (c.type != DNS_T_OPT)
			continue;
		*rp = c;
		return true;
	}
	return false;
}

size_t dns_udp_max(const struct rd *msg)
{
	struct dns_record opt;

	if (!dns_opt_find(msg, &opt) || opt.class < DNS_UDP_MAX)
		return DNS_UDP_MAX;
	return opt.class;
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
