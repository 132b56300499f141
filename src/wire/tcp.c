/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP headers; see tcp.h. */
#include "wire/tcp.h"

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WS = 3,
	OPT_SACK_OK = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
};

static void parse_sack(struct rd *r, struct tcp_hdr *h)
{
	h->n_sack = 0;
	while (rd_left(r) >= 8 && h->n_sack < TCP_SACK_MAX) {
		h->sack[h->n_sack].from = rd_u32(r);
		h->sack[h->n_sack].to = rd_u32(r);
		h->n_sack++;
	}
}

/* One option's value; of a length that is not its own it is ignored. */
static void parse_option(uint8_t kind, struct rd *r, struct tcp_hdr *h)
{
	size_t len = rd_left(r);

	if (kind == OPT_MSS && len == 2) {
		h->has_mss = true;
		h->mss = rd_u16(r);
	} else if (kind == OPT_WS && len == 1) {
		h->has_ws = true;
		h->ws = rd_u8(r);
		if (h->ws > TCP_WSCALE_MAX)
			h->ws = TCP_WSCALE_MAX;
	} else if (kind == OPT_SACK_OK && len == 0) {
		h->sack_ok = true;
	} else if (kind == OPT_SACK && len % 8 == 0) {
		parse_sack(r, h);
	} else if (kind == OPT_TS && len == 8) {
		h->has_ts = true;
		h->ts_val = rd_u32(r);
		h->ts_ecr = rd_u32(r);
	}
}

static void parse_options(struct rd *r, struct tcp_hdr *h)
{
	while (rd_left(r)) {
		uint8_t kind = rd_u8(r);
		struct rd value;
		uint8_t len;

		if (kind == OPT_END)
			return;
		if (kind == OPT_NOP)
			continue;
		len = rd_u8(r);
		if (len < 2)
			return;
		value = rd_sub(r, (size_t)len - 2);
		if (!rd_ok(r))
			return;
		parse_option(kind, &value, h);
	}
}

bool tcp_hdr_parse(struct rd *r, struct tcp_hdr *hp)
{
	struct tcp_hdr h = {0};
	struct rd options;

	h.sport = rd_u16(r);
	h.dport = rd_u16(r);
	h.seq = rd_u32(r);
	h.ack = rd_u32(r);
	h.off = (uint8_t)((rd_u8(r) >> 4) * 4);
	h.flags = rd_u8(r);
	h.win = rd_u16(r);
	h.csum = rd_u16(r);
	h.urg = rd_u16(r);
	if (!rd_ok(r) || h.off < TCP_HDR_LEN)
		return false;
	options = rd_sub(r, (size_t)(h.off - TCP_HDR_LEN));
	if (!rd_ok(r))
		return false;
	parse_options(&options, &h);
	*hp = h;
	return true;
}

unsigned tcp_hdr_len(const struct tcp_hdr *h)
{
	unsigned len = TCP_HDR_LEN;

	if (h->has_mss)
		len += 4;
	if (h->has_ws)
		len += 4;
	if (h->has_ts)
		len += 12;
	else if (h->sack_ok)
		len += 4;
	if (h->n_sack)
		len += 4 + 8u * h->n_sack;
	return len;
}

/* Every group fills whole words, so no padding is left for the end. */
static void emit_options(struct wr *w, const struct tcp_hdr *h)
{
	if (h->has_mss) {
		wr_u16(w, OPT_MSS << 8 | 4);
		wr_u16(w, h->mss);
	}
	if (h->has_ts) {
		/* SACK-permitted takes the place of the two NOPs. */
		wr_u16(w, h->sack_ok ? OPT_SACK_OK << 8 | 2
				     : OPT_NOP << 8 | OPT_NOP);
		wr_u16(w, OPT_TS << 8 | 10);
		wr_u32(w, h->ts_val);
		wr_u32(w, h->ts_ecr);
	} else if (h->sack_ok) {
		wr_u16(w, OPT_NOP << 8 | OPT_NOP);
		wr_u16(w, OPT_SACK_OK << 8 | 2);
	}
	if (h->has_ws) {
		wr_u16(w, OPT_NOP << 8 | OPT_WS);
		wr_u8(w, 3);
		wr_u8(w, h->ws);
	}
	if (h->n_sack) {
		wr_u16(w, OPT_NOP << 8 | OPT_NOP);
		wr_u8(w, OPT_SACK);
		wr_u8(w, (uint8_t)(2 + 8 * h->n_sack));
		for (unsigned i = 0; i < h->n_sack; i++) {
			wr_u32(w, h->sack[i].from);
			wr_u32(w, h->sack[i].to);
		}
	}
}

void tcp_hdr_emit(struct wr *w, const struct tcp_hdr *h)
{
	unsigned len = tcp_hdr_len(h);

	if (len > TCP_HDR_MAX) {
		w->bad = true;
		return;
	}
	wr_u16(w, h->sport);
	wr_u16(w, h->dport);
	wr_u32(w, h->seq);
	wr_u32(w, h->ack);
	wr_u8(w, (uint8_t)(len / 4 << 4));
	wr_u8(w, h->flags);
	wr_u16(w, h->win);
	wr_u16(w, h->csum);
	wr_u16(w, h->urg);
	emit_options(w, h);
}
