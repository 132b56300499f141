/* SPDX-License-Identifier: BSD-3-Clause */
/* DNS64; see dns64.h. */
#include "service/dns64.h"

#include <stdio.h>
#include <strings.h>

#include "base/be.h"
#include "base/hex.h"
#include "base/nat64.h"
#include "wire/dns.h"

enum {
	ADDR4_LEN = 4,
	ADDR6_LEN = 16,
	NAMES_MAX = 16, /* that are pointed to, of one answer */
	SOA_NUMBERS = 20,
	POINTER_MAX = 0x3fff,
};

/* An answer on its way, and where in it are names. */
struct maker {
	const struct dns64 *c;
	const struct dns64_step *step;
	const struct rd *msg; /* the resolver's */
	struct wr *w;
	size_t base; /* of the answer in w */
	uint16_t name[NAMES_MAX];
	unsigned n_names;
	uint16_t n_records; /* of this section */
};

/* Header and question of a message that was parsed once, and a reader behind
 * them. */
static bool open_message(const struct rd *msg, struct dns_question *q,
			 struct rd *r)
{
	if (!dns_question_parse(msg, q) || q->hdr.n_question != 1)
		return false;
	*r = *msg;
	rd_skip(r, q->end);
	return true;
}

/* The address of a name under ip6.arpa (RFC 3596 2.5). */
static bool reverse_addr(const char *name, addr *ap)
{
	addr a = {{0}};

	for (unsigned i = 0; i < 2 * ADDR6_LEN; i++, name += 2) {
		int v = hex_digit(name[0]);

		if (v < 0 || name[1] != '.')
			return false;
		a.b[ADDR6_LEN - 1 - i / 2] |= (uint8_t)(v << (i % 2 * 4));
	}
	if (strcasecmp(name, "ip6.arpa") != 0)
		return false;
	*ap = a;
	return true;
}

struct dns64_step dns64_begin(const struct dns64 *c, const struct rd *msg)
{
	struct dns64_step s = {.stage = DNS64_PLAIN, .ttl = DNS64_TTL};
	struct dns_question q;
	struct dns_record opt;
	addr a;

	if (!c->prefix.len || !dns_question_parse(msg, &q) ||
	    q.hdr.n_question != 1 || q.class != DNS_C_IN ||
	    (q.hdr.flags & (DNS_F_QR | DNS_F_OPCODE)))
		return s;
	if ((q.hdr.flags & DNS_F_CD) && dns_opt_find(msg, &opt) &&
	    (opt.ttl & DNS_EDNS_DO))
		return s;
	if (q.type == DNS_T_AAAA)
		s.stage = DNS64_AAAA;
	else if (q.type == DNS_T_PTR && reverse_addr(q.name, &a) &&
		 nat64_has(&c->prefix, &a))
		s.stage = DNS64_PTR;
	return s;
}

/* The labels of an IPv4 address under in-addr.arpa. */
static void put_reverse(struct wr *w, const addr *v4)
{
	char text[ADDR4_LEN];

	for (unsigned i = 0; i < ADDR4_LEN; i++) {
		int n = snprintf(text, sizeof(text), "%u",
				 v4->b[ADDR6_LEN - 1 - i]);

		wr_u8(w, (uint8_t)n);
		wr_bytes(w, text, (size_t)n);
	}
	wr_bytes(w, "\7in-addr\4arpa", 14);
}

/* The IPv4 address that the PTR question q is about. */
static addr asked_v4(const struct dns_question *q)
{
	addr a = {{0}};

	(void)reverse_addr(q->name, &a); /* it was one: the step is PTR */
	return nat64_v4(&a);
}

bool dns64_emit_question(const struct dns64_step *s, const struct rd *msg,
			 struct wr *w)
{
	struct dns_question q;
	struct wr v = *w;
	struct rd r;
	addr v4;

	if (!open_message(msg, &q, &r))
		return false;
	switch (s->stage) {
	case DNS64_PLAIN:
	case DNS64_AAAA:
		wr_bytes(&v, msg->p, q.end);
		break;
	case DNS64_A:
		wr_bytes(&v, msg->p, q.end - 4);
		wr_u16(&v, DNS_T_A);
		wr_u16(&v, DNS_C_IN);
		break;
	case DNS64_PTR:
		v4 = asked_v4(&q);
		wr_bytes(&v, msg->p, DNS_HDR_LEN);
		put_reverse(&v, &v4);
		wr_u16(&v, DNS_T_PTR);
		wr_u16(&v, DNS_C_IN);
		break;
	}
	/* What follows is OPT at most in a question: no pointers. */
	wr_bytes(&v, r.p, rd_left(&r));
	if (!wr_ok(&v))
		return false;
	*w = v;
	return true;
}

bool dns64_is_useful(const struct dns64 *c, const addr *ip)
{
	return !addr_is_v4(ip) &&
	       (!c->is_only_way || nat64_has(&c->prefix, ip));
}

static bool is_useful(const struct dns64 *c, const struct dns_record *rec)
{
	addr a;

	if (rec->type != DNS_T_AAAA || rec->class != DNS_C_IN ||
	    rd_left(&rec->data) != ADDR6_LEN)
		return false;
	memcpy(a.b, rec->data.p, sizeof(a.b));
	return dns64_is_useful(c, &a);
}

static bool is_a(const struct dns_record *rec)
{
	return rec->type == DNS_T_A && rec->class == DNS_C_IN &&
	       rd_left(&rec->data) == ADDR4_LEN;
}

static bool is_last_aaaa(const struct dns64 *c, struct dns64_step *s,
			 const struct dns_question *q, const struct rd *msg,
			 struct rd r)
{
	unsigned rcode = q->hdr.flags & DNS_F_RCODE;
	struct dns_record rec;

	/* Without an answer's end nobody knows what is not in it: the guest
	 * asks by TCP.  Errors are as good as nothing (5.1.2). */
	if (rcode == DNS_NXDOMAIN || (q->hdr.flags & DNS_F_TC))
		return true;
	s->stage = DNS64_A;
	if (rcode)
		return false;
	for (unsigned i = 0; i < q->hdr.n_answer; i++) {
		if (!dns_record_parse(msg, &r, &rec))
			return false;
		if (is_useful(c, &rec)) {
			s->stage = DNS64_AAAA;
			return true;
		}
		s->had_aaaa |= rec.type == DNS_T_AAAA;
	}
	for (unsigned i = 0; i < q->hdr.n_authority; i++) {
		if (!dns_record_parse(msg, &r, &rec))
			return false;
		if (rec.type == DNS_T_SOA)
			s->ttl = rec.ttl;
	}
	return false;
}

static bool is_last_a(struct dns64_step *s, const struct dns_question *q,
		      const struct rd *msg, struct rd r)
{
	struct dns_record rec;

	if (!s->had_aaaa || (q->hdr.flags & DNS_F_TC))
		return true;
	for (unsigned i = 0; i < q->hdr.n_answer; i++) {
		if (!dns_record_parse(msg, &r, &rec))
			break;
		if (is_a(&rec))
			return true;
	}
	/* Better an address that leads nowhere than none. */
	s->stage = DNS64_PLAIN;
	return false;
}

bool dns64_is_last(const struct dns64 *c, struct dns64_step *s,
		   const struct rd *answer)
{
	struct dns_question q;
	struct rd r;

	if (!open_message(answer, &q, &r))
		return true;
	switch (s->stage) {
	case DNS64_AAAA:
		return is_last_aaaa(c, s, &q, answer, r);
	case DNS64_A:
		return is_last_a(s, &q, answer, r);
	case DNS64_PLAIN:
	case DNS64_PTR:
		break;
	}
	return true;
}

/* Writes the name at r, once as itself and then as a pointer. */
static bool put_name(struct maker *m, struct rd *r)
{
	uint8_t name[DNS_NAME_LEN], old[DNS_NAME_LEN];
	struct wr w = wr_init(name, sizeof(name));
	struct rd own = rd_init(m->w->start + m->base, wr_len(m->w) - m->base);
	size_t at = rd_left(&own);

	if (!dns_name_copy(m->msg, r, &w))
		return false;
	if (wr_len(&w) == 1) { /* the root is shorter than a pointer */
		wr_u8(m->w, 0);
		return true;
	}
	for (unsigned i = 0; i < m->n_names; i++) {
		struct wr o = wr_init(old, sizeof(old));
		struct rd p = own;

		rd_skip(&p, m->name[i]);
		if (!dns_name_copy(&own, &p, &o) || wr_len(&o) != wr_len(&w) ||
		    memcmp(old, name, wr_len(&w)) != 0)
			continue;
		wr_u16(m->w, (uint16_t)(DNS_POINTER | m->name[i]));
		return true;
	}
	if (at <= POINTER_MAX && m->n_names < NAMES_MAX)
		m->name[m->n_names++] = (uint16_t)at;
	wr_bytes(m->w, name, wr_len(&w));
	return true;
}

/* Everything of a record but its data, whose length is written by
 * end_record(). */
static bool begin_record(struct maker *m, const struct dns_record *rec,
			 uint16_t type, uint32_t ttl)
{
	struct rd owner = rec->owner;

	if (!put_name(m, &owner))
		return false;
	wr_u16(m->w, type);
	wr_u16(m->w, rec->class);
	wr_u32(m->w, ttl);
	wr_u16(m->w, 0);
	return true;
}

static void end_record(struct maker *m, size_t start)
{
	size_t len = wr_len(m->w) - start;

	if (!wr_ok(m->w))
		return;
	put_be16(m->w->start + start - 2, (uint32_t)len);
	m->n_records++;
}

/* A record whose data is n_names names and then n_more bytes. */
static bool put_record(struct maker *m, const struct dns_record *rec,
		       unsigned n_names, size_t n_more)
{
	struct rd data = rec->data;
	size_t start;

	if (!begin_record(m, rec, rec->type, rec->ttl))
		return false;
	start = wr_len(m->w);
	while (n_names--) {
		if (!put_name(m, &data))
			return false;
	}
	if (rd_left(&data) != n_more)
		return false;
	wr_bytes(m->w, data.p, n_more);
	end_record(m, start);
	return true;
}

static bool put_aaaa(struct maker *m, const struct dns_record *rec)
{
	addr v4 = addr_v4_bytes(rec->data.p);
	addr a = nat64_v6(&m->c->prefix, &v4);
	uint32_t ttl = m->step->ttl;
	size_t start;

	if (rec->ttl < ttl)
		ttl = rec->ttl;
	if (!begin_record(m, rec, DNS_T_AAAA, ttl))
		return false;
	start = wr_len(m->w);
	wr_bytes(m->w, a.b, sizeof(a.b));
	end_record(m, start);
	return true;
}

/* One record of the answer section; what nobody could check or use any more
 * (signatures) is left out. */
static bool put_answer(struct maker *m, const struct dns_record *rec)
{
	enum dns64_stage stage = m->step->stage;

	if (rec->type == DNS_T_CNAME || rec->type == DNS_T_DNAME ||
	    (stage == DNS64_PTR && rec->type == DNS_T_PTR))
		return put_record(m, rec, 1, 0);
	if (stage == DNS64_A && is_a(rec))
		return put_aaaa(m, rec);
	return true;
}

/* The name that was asked for stands for the one we asked for (5.3.1). */
static void put_alias(struct maker *m, const struct dns_question *q)
{
	addr v4 = asked_v4(q);
	size_t start;

	wr_u16(m->w, DNS_POINTER | DNS_HDR_LEN);
	wr_u16(m->w, DNS_T_CNAME);
	wr_u16(m->w, DNS_C_IN);
	wr_u32(m->w, DNS64_TTL_OWN);
	wr_u16(m->w, 0);
	start = wr_len(m->w);
	if (start - m->base <= POINTER_MAX)
		m->name[m->n_names++] = (uint16_t)(start - m->base);
	put_reverse(m->w, &v4);
	end_record(m, start);
}

/* The sections of the answer, of those at r; their sizes go to h. */
static bool put_sections(struct maker *m, struct rd r,
			 const struct dns_question *q, struct dns_hdr *h)
{
	struct dns_record rec;

	for (unsigned i = 0; i < q->hdr.n_answer; i++) {
		if (!dns_record_parse(m->msg, &r, &rec) ||
		    !put_answer(m, &rec))
			return false;
	}
	h->n_answer = m->n_records;
	m->n_records = 0;
	/* Of the rest: how long "no" holds, and EDNS. */
	for (unsigned i = 0; i < q->hdr.n_authority; i++) {
		if (!dns_record_parse(m->msg, &r, &rec) ||
		    (rec.type == DNS_T_SOA &&
		     !put_record(m, &rec, 2, SOA_NUMBERS)))
			return false;
	}
	h->n_authority = m->n_records;
	m->n_records = 0;
	for (unsigned i = 0; i < q->hdr.n_extra; i++) {
		if (!dns_record_parse(m->msg, &r, &rec) ||
		    (rec.type == DNS_T_OPT &&
		     !put_record(m, &rec, 0, rd_left(&rec.data))))
			return false;
	}
	h->n_extra = m->n_records;
	return true;
}

bool dns64_emit_answer(const struct dns64 *c, const struct dns64_step *s,
		       const struct rd *msg, const struct rd *answer,
		       struct wr *w)
{
	const uint16_t keep = DNS_F_TC | DNS_F_RD | DNS_F_RA | DNS_F_CD |
			      DNS_F_RCODE;
	struct wr v = *w, head = *w;
	struct maker m = {.c = c,
			  .step = s,
			  .msg = answer,
			  .w = &v,
			  .base = wr_len(w),
			  .name = {DNS_HDR_LEN},
			  .n_names = 1};
	struct dns_question q, a;
	struct dns_hdr h;
	struct rd r;

	if (!dns_question_parse(msg, &q) || !open_message(answer, &a, &r))
		return false;
	h = (struct dns_hdr){.id = q.hdr.id,
			     .flags = (uint16_t)(DNS_F_QR |
						 (a.hdr.flags & keep)),
			     .n_question = 1};
	dns_hdr_emit(&v, &h);
	wr_bytes(&v, msg->p + DNS_HDR_LEN, q.end - DNS_HDR_LEN);
	if (!(h.flags & DNS_F_TC)) {
		if (s->stage == DNS64_PTR)
			put_alias(&m, &q);
		if (!put_sections(&m, r, &a, &h))
			return false;
	}
	if (!wr_ok(&v))
		return false;
	dns_hdr_emit(&head, &h);
	*w = v;
	return true;
}

bool dns64_emit_own(const struct dns64 *c, const struct rd *msg, struct wr *w)
{
	static const uint8_t host[2] = {170, 171}; /* of 192.0.0 */
	const uint16_t keep = DNS_F_RD | DNS_F_CD;
	struct dns_question q;
	struct dns_hdr h;
	struct wr v = *w;
	struct rd r;

	if (!c->prefix.len || !open_message(msg, &q, &r) ||
	    (q.hdr.flags & (DNS_F_QR | DNS_F_OPCODE)) ||
	    q.class != DNS_C_IN ||
	    (q.type != DNS_T_AAAA && q.type != DNS_T_A) ||
	    strcasecmp(q.name, "ipv4only.arpa") != 0)
		return false;
	h = (struct dns_hdr){
		.id = q.hdr.id,
		.flags = (uint16_t)(DNS_F_QR | DNS_F_RA | DNS_F_AA |
				    (q.hdr.flags & keep)),
		.n_question = 1,
		.n_answer = sizeof(host)};
	dns_hdr_emit(&v, &h);
	wr_bytes(&v, msg->p + DNS_HDR_LEN, q.end - DNS_HDR_LEN);
	for (unsigned i = 0; i < sizeof(host); i++) {
		addr v4 = addr_v4(192, 0, 0, host[i]);
		addr a = nat64_v6(&c->prefix, &v4);
		unsigned skip = q.type == DNS_T_A ? 12 : 0;

		wr_u16(&v, DNS_POINTER | DNS_HDR_LEN);
		wr_u16(&v, q.type);
		wr_u16(&v, DNS_C_IN);
		wr_u32(&v, DNS64_TTL_OWN);
		wr_u16(&v, (uint16_t)(ADDR6_LEN - skip));
		wr_bytes(&v, a.b + skip, ADDR6_LEN - skip);
	}
	if (!wr_ok(&v))
		return false;
	*w = v;
	return true;
}
