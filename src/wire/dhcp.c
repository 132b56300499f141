/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DHCP; see dhcp.h.  The names of option 119 are made in dhcp_search.c.
 *
 * Options are walked twice: first to learn how long each is with all its
 * pieces, then to copy the pieces to where they belong.
 */
#include "wire/dhcp.h"

#include "base/be.h"

enum {
	MAGIC = 0x63825363,
	PIECE_MAX = 255,
	IP4_LEN = 4,
	N_CODES = 256,
};

/* The fields that hold options, in the order of RFC 3396 5. */
struct fields {
	struct rd field[3];
	unsigned n;
};

/* The next option of a field.  False at its end; then r is bad if the field
 * ended within an option. */
static bool next_option(struct rd *r, uint8_t *codep, struct rd *valuep)
{
	while (rd_left(r)) {
		uint8_t code = rd_u8(r);

		if (code == DHCP_O_PAD)
			continue;
		if (code == DHCP_O_END)
			return false;
		*codep = code;
		*valuep = rd_sub(r, rd_u8(r));
		return rd_ok(r);
	}
	return false;
}

/* The overload bits of the options field; 0 if there is no such option. */
static uint8_t find_overload(struct rd r)
{
	struct rd value;
	uint8_t code;

	while (next_option(&r, &code, &value)) {
		if (code == DHCP_O_OVERLOAD && rd_left(&value) == 1)
			return rd_u8(&value) &
			       (DHCP_OVERLOAD_FILE | DHCP_OVERLOAD_SNAME);
	}
	return 0;
}

/* First walk: lengths and places.  False if a field is malformed or the
 * values do not fit. */
static bool measure(const struct fields *fs, struct dhcp_msg *m)
{
	size_t total = 0;

	for (unsigned i = 0; i < fs->n; i++) {
		struct rd r = fs->field[i];
		struct rd value;
		uint8_t code;

		while (next_option(&r, &code, &value)) {
			size_t len = rd_left(&value);

			if (len > DHCP_STORE - total)
				return false;
			total += len;
			m->opt[code].len = (uint16_t)(m->opt[code].len + len);
			m->opt[code].found = true;
		}
		if (!rd_ok(&r))
			return false;
	}
	total = 0;
	for (unsigned c = 0; c < N_CODES; c++) {
		m->opt[c].off = (uint16_t)total;
		total += m->opt[c].len;
	}
	return true;
}

/* Second walk: the values.  measure() made room for each of them. */
static void gather(const struct fields *fs, struct dhcp_msg *m)
{
	uint16_t filled[N_CODES] = {0};

	for (unsigned i = 0; i < fs->n; i++) {
		struct rd r = fs->field[i];
		struct rd value;
		uint8_t code;

		while (next_option(&r, &code, &value)) {
			size_t len = rd_left(&value);
			unsigned at = m->opt[code].off + filled[code];

			rd_copy(&value, m->store + at, len);
			filled[code] = (uint16_t)(filled[code] + len);
		}
	}
}

static addr read_addr(struct rd *r)
{
	uint8_t b[IP4_LEN];

	rd_copy(r, b, sizeof(b));
	return addr_v4_bytes(b);
}

/* Everything up to sname. */
static void parse_fixed(struct rd *r, struct dhcp_hdr *h)
{
	h->op = rd_u8(r);
	h->htype = rd_u8(r);
	h->hlen = rd_u8(r);
	h->hops = rd_u8(r);
	h->xid = rd_u32(r);
	h->secs = rd_u16(r);
	h->flags = rd_u16(r);
	h->ciaddr = read_addr(r);
	h->yiaddr = read_addr(r);
	h->siaddr = read_addr(r);
	h->giaddr = read_addr(r);
	rd_copy(r, h->chaddr, sizeof(h->chaddr));
}

/* The text of a field: to its first NUL or its end; to takes one more. */
static void read_text(struct rd r, char *to)
{
	while (rd_left(&r)) {
		char c = (char)rd_u8(&r);

		if (!c)
			break;
		*to++ = c;
	}
	*to = 0;
}

static bool parse_type(struct dhcp_msg *m)
{
	uint8_t type;

	if (!m->opt[DHCP_O_TYPE].found)
		return true; /* BOOTP */
	if (!dhcp_find_u8(m, DHCP_O_TYPE, &type) || type < DHCP_DISCOVER ||
	    type > DHCP_INFORM)
		return false;
	m->type = (enum dhcp_type)type;
	return true;
}

bool dhcp_parse(struct rd *r, struct dhcp_msg *mp)
{
	struct dhcp_msg m = {0};
	struct rd sname, file;
	struct fields fs = {0};
	uint8_t overload;

	parse_fixed(r, &m.hdr);
	sname = rd_sub(r, DHCP_SNAME_LEN);
	file = rd_sub(r, DHCP_FILE_LEN);
	if (!rd_ok(r) || m.hdr.hlen > DHCP_CHADDR_LEN)
		return false;
	if (rd_left(r) >= 4 && rd_u32(r) == MAGIC)
		fs.field[fs.n++] = rd_sub(r, rd_left(r));
	overload = fs.n ? find_overload(fs.field[0]) : 0;
	if (overload & DHCP_OVERLOAD_FILE)
		fs.field[fs.n++] = file;
	else
		read_text(file, m.hdr.file);
	if (overload & DHCP_OVERLOAD_SNAME)
		fs.field[fs.n++] = sname;
	else
		read_text(sname, m.hdr.sname);
	if (!measure(&fs, &m))
		return false;
	gather(&fs, &m);
	if (!parse_type(&m))
		return false;
	*mp = m;
	return true;
}

bool dhcp_find(const struct dhcp_msg *m, uint8_t code, struct rd *rp)
{
	if (!m->opt[code].found)
		return false;
	*rp = rd_init(m->store + m->opt[code].off, m->opt[code].len);
	return true;
}

/* An option of exactly len bytes. */
static bool find_exact(const struct dhcp_msg *m, uint8_t code, size_t len,
		       struct rd *rp)
{
	return dhcp_find(m, code, rp) && rd_left(rp) == len;
}

bool dhcp_find_u8(const struct dhcp_msg *m, uint8_t code, uint8_t *vp)
{
	struct rd r;

	if (!find_exact(m, code, sizeof(*vp), &r))
		return false;
	*vp = rd_u8(&r);
	return true;
}

bool dhcp_find_u16(const struct dhcp_msg *m, uint8_t code, uint16_t *vp)
{
	struct rd r;

	if (!find_exact(m, code, sizeof(*vp), &r))
		return false;
	*vp = rd_u16(&r);
	return true;
}

bool dhcp_find_u32(const struct dhcp_msg *m, uint8_t code, uint32_t *vp)
{
	struct rd r;

	if (!find_exact(m, code, sizeof(*vp), &r))
		return false;
	*vp = rd_u32(&r);
	return true;
}

bool dhcp_find_addr(const struct dhcp_msg *m, uint8_t code, addr *ap)
{
	struct rd r;

	if (!find_exact(m, code, IP4_LEN, &r))
		return false;
	*ap = read_addr(&r);
	return true;
}

bool dhcp_find_text(const struct dhcp_msg *m, uint8_t code, char *buf,
		    size_t room)
{
	const uint8_t *p;
	struct rd r;
	size_t len;

	if (!dhcp_find(m, code, &r))
		return false;
	len = rd_left(&r);
	p = rd_bytes(&r, len);
	while (len && !p[len - 1])
		len--;
	if (!len || len >= room)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	}
	memcpy(buf, p, len);
	buf[len] = 0;
	return true;
}

bool dhcp_wants(const struct dhcp_msg *m, uint8_t code)
{
	struct rd r;

	if (!dhcp_find(m, DHCP_O_PARAMS, &r))
		return false;
	while (rd_left(&r)) {
		if (rd_u8(&r) == code)
			return true;
	}
	return false;
}

struct dhcp_hdr dhcp_reply_hdr(const struct dhcp_msg *request)
{
	const struct dhcp_hdr *q = &request->hdr;
	struct dhcp_hdr h = {
		.op = DHCP_REPLY_OP,
		.htype = q->htype,
		.hlen = q->hlen,
		.xid = q->xid,
		.flags = q->flags,
		.ciaddr = addr_v4(0, 0, 0, 0),
		.yiaddr = addr_v4(0, 0, 0, 0),
		.siaddr = addr_v4(0, 0, 0, 0),
		.giaddr = q->giaddr,
	};

	memcpy(h.chaddr, q->chaddr, sizeof(h.chaddr));
	return h;
}

/* text in a field of len bytes, zeros behind it; a text that fills the field
 * is refused: it must end with NUL (RFC 2131 2). */
static void emit_field(struct wr *w, const char *text, size_t len)
{
	size_t n = strlen(text);

	if (n >= len) {
		w->bad = true;
		return;
	}
	wr_bytes(w, text, n);
	wr_zero(w, len - n);
}

void dhcp_emit_hdr(struct wr *w, const struct dhcp_hdr *h)
{
	wr_u8(w, h->op);
	wr_u8(w, h->htype);
	wr_u8(w, h->hlen);
	wr_u8(w, h->hops);
	wr_u32(w, h->xid);
	wr_u16(w, h->secs);
	wr_u16(w, h->flags);
	wr_u32(w, addr_u32(&h->ciaddr));
	wr_u32(w, addr_u32(&h->yiaddr));
	wr_u32(w, addr_u32(&h->siaddr));
	wr_u32(w, addr_u32(&h->giaddr));
	wr_bytes(w, h->chaddr, sizeof(h->chaddr));
	emit_field(w, h->sname, DHCP_SNAME_LEN);
	emit_field(w, h->file, DHCP_FILE_LEN);
	wr_u32(w, MAGIC);
}

size_t dhcp_opt_len(size_t len)
{
	size_t n_pieces = len ? (len + PIECE_MAX - 1) / PIECE_MAX : 1;

	return len + 2 * n_pieces;
}

void dhcp_emit_opt(struct wr *w, uint8_t code, const void *p, size_t len)
{
	const uint8_t *b = p;

	/* All or nothing: a cut option would be worse than none. */
	if (dhcp_opt_len(len) > wr_left(w)) {
		w->bad = true;
		return;
	}
	do {
		size_t now = len < PIECE_MAX ? len : PIECE_MAX;

		wr_u8(w, code);
		wr_u8(w, (uint8_t)now);
		wr_bytes(w, b, now);
		b += now;
		len -= now;
	} while (len);
}

void dhcp_emit_u8(struct wr *w, uint8_t code, uint8_t v)
{
	dhcp_emit_opt(w, code, &v, sizeof(v));
}

void dhcp_emit_u16(struct wr *w, uint8_t code, uint16_t v)
{
	uint8_t b[sizeof(v)];

	put_be16(b, v);
	dhcp_emit_opt(w, code, b, sizeof(b));
}

void dhcp_emit_u32(struct wr *w, uint8_t code, uint32_t v)
{
	uint8_t b[sizeof(v)];

	put_be32(b, v);
	dhcp_emit_opt(w, code, b, sizeof(b));
}

void dhcp_emit_addr(struct wr *w, uint8_t code, const addr *a)
{
	dhcp_emit_opt(w, code, a->b + 12, IP4_LEN);
}

void dhcp_emit_text(struct wr *w, uint8_t code, const char *text)
{
	if (*text)
		dhcp_emit_opt(w, code, text, strlen(text));
}

void dhcp_emit_end(struct wr *w, size_t start)
{
	size_t len;

	wr_u8(w, DHCP_O_END);
	len = wr_len(w) - start;
	if (len < DHCP_MIN_LEN)
		wr_zero(w, DHCP_MIN_LEN - len);
}
