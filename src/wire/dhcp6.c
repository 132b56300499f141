/* SPDX-License-Identifier: BSD-3-Clause */
/* DHCPv6; see dhcp6.h. */
#include "wire/dhcp6.h"

#include "base/be.h"

enum {
	OPT_HDR_LEN = 4,
	TIMES_LEN = 8,	      /* T1 and T2 of an IA */
	IAADDR_LEN = 24,      /* fixed part */
	IAPREFIX_LEN = 25,
};

/* The next option.  False at the end; then r is bad if that was inside one. */
static bool next_option(struct rd *r, uint16_t *codep, struct rd *valuep)
{
	if (!rd_left(r))
		return false;
	*codep = rd_u16(r);
	*valuep = rd_sub(r, rd_u16(r));
	return rd_ok(r);
}

/* True if every option in r ends inside it. */
static bool is_walkable(struct rd r)
{
	struct rd value;
	uint16_t code;

	while (next_option(&r, &code, &value))
		continue;
	return rd_ok(&r);
}

/* What an IA holds, and what each of its addresses and prefixes holds. */
static bool is_sound_ia(struct rd r)
{
	struct rd value;
	uint16_t code;

	while (next_option(&r, &code, &value)) {
		if (code == DHCP6_O_IAADDR)
			rd_skip(&value, IAADDR_LEN);
		else if (code == DHCP6_O_IAPREFIX)
			rd_skip(&value, IAPREFIX_LEN);
		else
			continue;
		if (!rd_ok(&value) || !is_walkable(value))
			return false;
	}
	return rd_ok(&r);
}

static bool take_ia(struct dhcp6_msg *m, uint16_t code, struct rd value)
{
	struct dhcp6_ia ia = {.code = code, .iaid = rd_u32(&value)};

	if (code != DHCP6_O_IA_TA)
		rd_skip(&value, TIMES_LEN);
	if (!rd_ok(&value) || !is_sound_ia(value))
		return false;
	ia.opts = value;
	if (m->n_ia < DHCP6_IAS_MAX)
		m->ia[m->n_ia++] = ia;
	return true;
}

/* The first counts. */
static void keep_first(struct rd *to, struct rd value)
{
	if (!rd_left(to))
		*to = value;
}

static bool take_duid(struct rd *to, struct rd value)
{
	if (rd_left(&value) < DHCP6_DUID_MIN ||
	    rd_left(&value) > DHCP6_DUID_MAX)
		return false;
	keep_first(to, value);
	return true;
}

static bool take_option(struct dhcp6_msg *m, uint16_t code, struct rd value)
{
	switch (code) {
	case DHCP6_O_CLIENT_ID:
		return take_duid(&m->client_id, value);
	case DHCP6_O_SERVER_ID:
		return take_duid(&m->server_id, value);
	case DHCP6_O_IA_NA:
	case DHCP6_O_IA_TA:
	case DHCP6_O_IA_PD:
		return take_ia(m, code, value);
	case DHCP6_O_FQDN:
		keep_first(&m->fqdn, value);
		return true;
	case DHCP6_O_USER_CLASS:
		keep_first(&m->user_class, value);
		return true;
	case DHCP6_O_VENDOR_CLASS:
		keep_first(&m->vendor_class, value);
		return true;
	case DHCP6_O_CLIENT_ARCH:
		keep_first(&m->arch, value);
		return true;
	case DHCP6_O_RAPID_COMMIT:
		m->is_rapid = true;
		return true;
	}
	return true; /* none of those we look at */
}

bool dhcp6_parse(struct rd *r, struct dhcp6_msg *mp)
{
	uint32_t head = rd_u32(r);
	struct dhcp6_msg m = {
		.type = (uint8_t)(head >> 24),
		.xid = head & 0xffffff,
		.client_id = rd_init(NULL, 0),
		.server_id = rd_init(NULL, 0),
		.fqdn = rd_init(NULL, 0),
		.user_class = rd_init(NULL, 0),
		.vendor_class = rd_init(NULL, 0),
		.arch = rd_init(NULL, 0),
	};
	struct rd value;
	uint16_t code;

	if (m.type < DHCP6_SOLICIT || m.type >= DHCP6_TYPE_END)
		return false;
	while (next_option(r, &code, &value)) {
		if (!take_option(&m, code, value))
			return false;
	}
	if (!rd_ok(r))
		return false;
	*mp = m;
	return true;
}

bool dhcp6_next_addr(struct rd *opts, struct dhcp6_addr *ap)
{
	struct rd value;
	uint16_t code;

	while (next_option(opts, &code, &value)) {
		if (code != DHCP6_O_IAADDR)
			continue;
		rd_copy(&value, ap->ip.b, sizeof(ap->ip.b));
		ap->preferred = rd_u32(&value);
		ap->valid = rd_u32(&value);
		return true;
	}
	return false;
}

void dhcp6_emit_hdr(struct wr *w, enum dhcp6_type type, uint32_t xid)
{
	wr_u32(w, (uint32_t)type << 24 | (xid & 0xffffff));
}

void dhcp6_emit_opt(struct wr *w, uint16_t code, const void *p, size_t len)
{
	wr_u16(w, code);
	wr_u16(w, (uint16_t)len);
	wr_bytes(w, p, len);
}

size_t dhcp6_opt_begin(struct wr *w, uint16_t code)
{
	size_t at = wr_len(w);

	wr_u16(w, code);
	wr_u16(w, 0);
	return at;
}

void dhcp6_opt_end(struct wr *w, size_t at)
{
	size_t len;

	if (!wr_ok(w))
		return;
	len = wr_len(w) - at - OPT_HDR_LEN;
	put_be16(w->start + at + 2, (uint32_t)len);
}

size_t dhcp6_ia_begin(struct wr *w, uint16_t code, uint32_t iaid, uint32_t t1,
		      uint32_t t2)
{
	size_t at = dhcp6_opt_begin(w, code);

	wr_u32(w, iaid);
	if (code != DHCP6_O_IA_TA) {
		wr_u32(w, t1);
		wr_u32(w, t2);
	}
	return at;
}

void dhcp6_emit_addr(struct wr *w, const struct dhcp6_addr *a)
{
	wr_u16(w, DHCP6_O_IAADDR);
	wr_u16(w, IAADDR_LEN);
	wr_bytes(w, a->ip.b, sizeof(a->ip.b));
	wr_u32(w, a->preferred);
	wr_u32(w, a->valid);
}

void dhcp6_emit_status(struct wr *w, enum dhcp6_status status,
		       const char *text)
{
	size_t at = dhcp6_opt_begin(w, DHCP6_O_STATUS);

	wr_u16(w, (uint16_t)status);
	wr_bytes(w, text, strlen(text));
	dhcp6_opt_end(w, at);
}

static void put_duid_ll(struct wr *w, mac m)
{
	wr_u16(w, DHCP6_DUID_LL);
	wr_u16(w, DHCP6_HTYPE_ETHERNET);
	wr_bytes(w, m.b, sizeof(m.b));
}

void dhcp6_emit_duid_ll(struct wr *w, uint16_t code, mac m)
{
	size_t at = dhcp6_opt_begin(w, code);

	put_duid_ll(w, m);
	dhcp6_opt_end(w, at);
}

bool dhcp6_is_duid_ll(struct rd r, mac m)
{
	uint8_t own[DHCP6_DUID_LL_LEN];
	struct wr w = wr_init(own, sizeof(own));

	put_duid_ll(&w, m);
	return rd_left(&r) == sizeof(own) && memcmp(r.p, own, sizeof(own)) == 0;
}
