/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's TCP for tests, see tcp_peer.h. */
#include "nat/tcp_peer.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "wire/csum.h"
#include "wire/ip.h"

enum { HDR_MAX = 54 + TCP_HDR_MAX, GSO_MAX = 45 };

#define DELACK_NS (40 * SIM_MS)
#define RTO_MIN_NS (200 * SIM_MS)

static void bad(struct peer *p, const char *why)
{
	if (!p->is_bad)
		p->why_bad = why;
	p->is_bad = true;
}

static uint32_t peer_ts(const struct peer *p)
{
	return (uint32_t)(p->sim->now_ns / SIM_MS) + 77;
}

/* Ranges of offsets, ascending and apart. */

static bool range_add(struct peer_range *r, unsigned *np, uint64_t from,
		      uint64_t to)
{
	unsigned n = *np, i = 0, k;

	while (i < n && r[i].to < from)
		i++;
	if (i < n && r[i].from <= from && r[i].to >= to)
		return false;
	for (k = i; k < n && r[k].from <= to; k++) {
		from = r[k].from < from ? r[k].from : from;
		to = r[k].to > to ? r[k].to : to;
	}
	if (k == i && n == PEER_RANGES)
		return false;
	memmove(r + i + 1, r + k, (n - k) * sizeof(*r));
	r[i] = (struct peer_range){from, to};
	*np = n + 1 - (k - i);
	return true;
}

static void range_cut(struct peer_range *r, unsigned *np, uint64_t below)
{
	unsigned k = 0;

	while (k < *np && r[k].to <= below)
		k++;
	memmove(r, r + k, (*np - k) * sizeof(*r));
	*np -= k;
	if (*np > 0 && r[0].from < below)
		r[0].from = below;
}

static uint32_t free_window(const struct peer *p)
{
	uint64_t unread = p->rx_nxt - p->rx_read;

	return unread >= p->rcv_buf ? 0 : p->rcv_buf - (uint32_t)unread;
}

static void emit(struct peer *p, struct tcp_hdr *h, const void *data,
		 uint32_t len, uint16_t gso)
{
	uint8_t b[65536 + HDR_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct frame_offload off = {.flags = 0};
	unsigned hlen = tcp_hdr_len(h), l4 = p->sim->l4;
	struct ip_hdr ip = {.l4_len = hlen + len,
			    .ttl = 64,
			    .proto = IPPROTO_TCP,
			    .src = p->me.ip,
			    .dst = p->other.ip};
	uint64_t sum;

	h->sport = p->me.port;
	h->dport = p->other.port;
	h->csum = 0;
	ip_emit_frame(&w, sim_gw_mac, sim_guest_mac, &ip);
	tcp_hdr_emit(&w, h);
	wr_bytes(&w, data, len);
	if (!wr_ok(&w))
		abort();
	if (gso) {
		off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
					     .gso = p->sim->is_v6
							    ? FRAME_GSO_TCP6
							    : FRAME_GSO_TCP4,
					     .gso_size = gso,
					     .hdr_len = (uint16_t)(l4 + hlen),
					     .csum_start = (uint16_t)l4,
					     .csum_offset = 16};
	} else {
		sum = csum_pseudo(&p->me.ip, &p->other.ip, IPPROTO_TCP,
				  hlen + len);
		h->csum = csum_fold(csum_add(b + l4, hlen + len, sum));
		b[l4 + 16] = (uint8_t)(h->csum >> 8);
		b[l4 + 17] = (uint8_t)h->csum;
	}
	sim_send_up(p->sim, b, (uint32_t)wr_len(&w), &off);
}

void peer_raw(struct peer *p, struct tcp_hdr *h, const void *data,
	      uint32_t len)
{
	emit(p, h, data, len, 0);
}

static void add_sack(struct peer *p, struct tcp_hdr *h)
{
	unsigned max = p->ts ? 3 : 4;

	for (unsigned i = 0; i < 4 && h->n_sack < max; i++) {
		for (unsigned k = 0; k < p->n_ooo; k++) {
			const struct peer_range *r = &p->ooo[k];
			unsigned j = 0;

			if (p->recent[i] < r->from || p->recent[i] >= r->to)
				continue;
			while (j < h->n_sack &&
			       h->sack[j].from !=
				       p->irs + 1 + (uint32_t)r->from)
				j++;
			if (j < h->n_sack)
				continue;
			h->sack[h->n_sack].from =
				p->irs + 1 + (uint32_t)r->from;
			h->sack[h->n_sack++].to =
				p->irs + 1 + (uint32_t)r->to;
		}
	}
}

static struct tcp_hdr header(struct peer *p, uint8_t flags, uint64_t off)
{
	struct tcp_hdr h = {.flags = flags,
			    .seq = p->iss + 1 + (uint32_t)off};
	uint64_t edge = p->rx_nxt + free_window(p);

	if (flags & TCP_ACK) {
		h.ack = p->irs + 1 + (uint32_t)p->rx_nxt + p->got_fin;
		p->n_unacked = 0;
		p->delack_at = 0;
	}
	if (edge < p->adv_edge)
		edge = p->adv_edge;
	if (edge - p->rx_nxt > (uint64_t)65535 << p->rcv_shift)
		edge = p->rx_nxt + ((uint64_t)65535 << p->rcv_shift);
	h.win = (uint16_t)((edge - p->rx_nxt) >> p->rcv_shift);
	edge = p->rx_nxt + ((uint64_t)h.win << p->rcv_shift);
	if (edge > p->adv_edge)
		p->adv_edge = edge;
	if (h.win == 0)
		p->n_zero_wnd++;
	if (p->ts) {
		h.has_ts = true;
		h.ts_val = peer_ts(p);
		h.ts_ecr = p->ts_recent;
	}
	return h;
}

static void send_ack(struct peer *p, const struct peer_range *dup)
{
	struct tcp_hdr h = header(p, TCP_ACK, p->nxt + p->fin_sent);

	if (p->sack && dup) {
		h.sack[0].from = p->irs + 1 + (uint32_t)dup->from;
		h.sack[0].to = p->irs + 1 + (uint32_t)dup->to;
		h.n_sack = 1;
	}
	if (p->sack)
		add_sack(p, &h);
	emit(p, &h, NULL, 0, 0);
}

static void send_data(struct peer *p, uint64_t off, uint32_t len)
{
	struct tcp_hdr h = header(p, TCP_ACK | TCP_PSH, off);
	uint8_t b[65536];

	if (off < p->max)
		p->n_rex++;
	for (uint32_t at = 0; at < len;) {
		uint32_t now = len - at < SIM_PERIOD ? len - at : SIM_PERIOD;

		memcpy(b + at, sim_pattern(off + at), now);
		at += now;
	}
	emit(p, &h, b, len, len > p->mss ? p->mss : 0);
}

static uint16_t mss_max(const struct sim *s)
{
	return (uint16_t)(s->env.mtu - (s->l4 - 14) - TCP_HDR_LEN);
}

static void send_syn(struct peer *p, uint8_t flags)
{
	const struct sim_config *c = &p->sim->c;
	struct tcp_hdr h = {.flags = flags, .seq = p->iss, .has_mss = true};

	h.mss = (uint16_t)(c->guest_mss ? c->guest_mss
					: mss_max(p->sim));
	h.has_ws = p->rcv_shift > 0;
	h.ws = p->rcv_shift;
	h.sack_ok = p->sack;
	h.win = p->rcv_buf > 65535 ? 65535 : (uint16_t)p->rcv_buf;
	p->adv_edge = h.win;
	if (p->ts) {
		h.has_ts = true;
		h.ts_val = peer_ts(p);
		h.ts_ecr = p->ts_recent;
	}
	if (flags & TCP_ACK)
		h.ack = p->irs + 1;
	emit(p, &h, NULL, 0, 0);
	if (!p->rto_at)
		p->rto_ns = SIM_SEC;
	p->rto_at = p->sim->now_ns + p->rto_ns;
}

static struct peer *peer_new(struct sim *s, uint16_t port)
{
	struct peer *p = calloc(1, sizeof(*p));
	struct peer **at = &s->peers;

	if (!p)
		abort();
	p->sim = s;
	p->me = (struct endpoint){s->guest_ip, port};
	p->sack = !s->c.no_sack;
	p->ts = !s->c.no_ts;
	p->rcv_shift = s->c.no_wscale ? 0 : 7;
	p->rcv_buf = s->c.rcv_buf ? s->c.rcv_buf : 1 << 20;
	p->iss = (uint32_t)sim_random(s);
	p->mss = mss_max(s);
	p->rx_fin = UINT64_MAX;
	p->cwnd = 10 * p->mss;
	p->ssthresh = 1 << 30;
	p->rto_ns = SIM_SEC;
	for (unsigned i = 0; i < 4; i++)
		p->recent[i] = UINT64_MAX;
	while (*at)
		at = &(*at)->next;
	*at = p;
	return p;
}

struct peer *peer_connect(struct sim *s, uint16_t port,
			  const struct endpoint *to)
{
	struct peer *p = peer_new(s, port);

	p->other = *to;
	p->state = PEER_SYN_SENT;
	p->progress_ns = s->now_ns;
	send_syn(p, TCP_SYN);
	return p;
}

struct peer *peer_listen(struct sim *s, uint16_t port)
{
	struct peer *p = peer_new(s, port);

	p->state = PEER_LISTEN;
	return p;
}

void peer_send(struct peer *p, uint64_t total, bool fin)
{
	p->tx_total = total;
	p->tx_fin = fin;
	peer_output(p);
}

void peer_abort(struct peer *p)
{
	struct tcp_hdr h = header(p, TCP_RST | TCP_ACK, p->nxt + p->fin_sent);

	emit(p, &h, NULL, 0, 0);
	p->state = PEER_RESET;
}

static void arm_rto(struct peer *p)
{
	bool flight = p->una < p->nxt || (p->fin_sent && !p->fin_acked);

	p->rto_at = flight ? p->sim->now_ns + p->rto_ns : 0;
	/* A shut window is asked about. */
	if (!flight && p->nxt < p->tx_total && p->wnd_end <= p->nxt)
		p->rto_at = p->sim->now_ns + p->rto_ns;
}

static uint64_t sacked_bytes(const struct peer *p)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < p->n_sacked; i++)
		n += p->sacked[i].to - p->sacked[i].from;
	return n;
}

/* Holes below what was SACKed go out again, in passes. */
static void resend_holes(struct peer *p)
{
	uint64_t now = p->sim->now_ns;
	uint64_t wait = 2 * p->srtt_ns + 3 * SIM_MS;
	uint64_t from = p->una;
	unsigned budget = 20;

	if (now >= p->rex_ns + wait)
		p->rex_nxt = p->una;
	for (unsigned i = 0; i < p->n_sacked && budget > 0; i++) {
		uint64_t at = from > p->rex_nxt ? from : p->rex_nxt;

		while (at < p->sacked[i].from && budget-- > 0) {
			uint64_t n = p->sacked[i].from - at;

			n = n < p->mss ? n : p->mss;
			send_data(p, at, (uint32_t)n);
			at += n;
			p->rex_nxt = at;
			p->rex_ns = now;
		}
		from = p->sacked[i].to;
	}
}

static void enter_recovery(struct peer *p)
{
	if (p->in_recovery)
		return;
	p->in_recovery = true;
	p->recover = p->nxt;
	p->rex_nxt = p->una;
	p->rex_ns = p->sim->now_ns;
	p->cwnd = p->cwnd / 2 > 10u * p->mss ? p->cwnd / 2 : 10u * p->mss;
	p->ssthresh = p->cwnd;
}

void peer_output(struct peer *p)
{
	uint32_t most = p->sim->c.guest_tso ? GSO_MAX * p->mss : p->mss;

	if (p->state != PEER_OPEN)
		return;
	while (p->nxt < p->tx_total) {
		uint64_t flight = p->nxt - p->una - sacked_bytes(p);
		uint64_t n = p->tx_total - p->nxt;

		if (flight >= p->cwnd || p->wnd_end <= p->nxt)
			break;
		n = n < most ? n : most;
		if (n > p->wnd_end - p->nxt)
			n = p->wnd_end - p->nxt;
		send_data(p, p->nxt, (uint32_t)n);
		if (!p->timed_ns) {
			p->timed_ns = p->sim->now_ns;
			p->timed_off = p->nxt + n;
		}
		p->nxt += n;
		p->max = p->nxt > p->max ? p->nxt : p->max;
		if (!p->rto_at)
			arm_rto(p);
	}
	if (p->nxt == p->tx_total && p->tx_fin && !p->fin_sent) {
		struct tcp_hdr h = header(p, TCP_FIN | TCP_ACK, p->nxt);

		emit(p, &h, NULL, 0, 0);
		p->fin_sent = p->fin_was_sent = true;
		if (!p->rto_at)
			arm_rto(p);
	}
	if (!p->rto_at)
		arm_rto(p);
}

static void input_ack(struct peer *p, const struct tcp_hdr *h, uint32_t len)
{
	uint64_t old_una = p->una, old_wnd = p->wnd_end;
	int32_t d = (int32_t)(h->ack - (p->iss + 1 + (uint32_t)p->una));
	uint64_t ack = p->una + (uint64_t)(int64_t)d;
	uint64_t fin = p->fin_was_sent && ack == p->tx_total + 1;

	if (d < 0)
		return;
	ack -= fin;
	if (ack > p->max) {
		bad(p, "ACK of what was never sent");
		return;
	}
	if (fin && !p->fin_acked) {
		p->fin_acked = p->fin_sent = true;
		p->rto_at = 0;
	}
	p->wnd_end = ack + ((uint64_t)h->win << p->snd_shift);
	if (p->wnd_end < old_wnd &&
	    (p->sim->c.reorder || p->sim->c.duplicate))
		p->wnd_end = old_wnd; /* an older segment, come late */
	if (p->wnd_end + 31 < old_wnd)
		bad(p, "the window shrank");
	for (unsigned i = 0; p->sack && i < h->n_sack; i++) {
		uint64_t from = p->una + (uint64_t)(int64_t)(int32_t)(
			h->sack[i].from - (p->iss + 1 + (uint32_t)p->una));
		uint64_t to = from + (h->sack[i].to - h->sack[i].from);

		if ((int64_t)from < (int64_t)ack)
			continue; /* DSACK */
		if (to > p->max)
			bad(p, "SACK of what was never sent");
		(void)range_add(p->sacked, &p->n_sacked, from, to);
	}
	if (ack > p->una) {
		uint32_t n = (uint32_t)(ack - p->una);

		if (p->sim->now_ns - p->ack_progress_ns > p->ack_worst_ns &&
		    p->ack_progress_ns)
			p->ack_worst_ns = p->sim->now_ns - p->ack_progress_ns;
		p->ack_progress_ns = p->sim->now_ns;
		p->una = ack;
		p->nxt = p->nxt > ack ? p->nxt : ack;
		p->n_dup = 0;
		range_cut(p->sacked, &p->n_sacked, ack);
		if (p->timed_ns && ack >= p->timed_off) {
			uint64_t rtt = p->sim->now_ns - p->timed_ns;

			p->srtt_ns = p->srtt_ns ? (7 * p->srtt_ns + rtt) / 8
						: rtt;
			p->timed_ns = 0;
		}
		p->rto_ns = p->srtt_ns * 2 > RTO_MIN_NS ? p->srtt_ns * 2
							: RTO_MIN_NS;
		if (p->in_recovery && ack >= p->recover)
			p->in_recovery = false;
		else if (p->in_recovery && !p->sack) /* RFC 6582 */
			send_data(p, p->una, p->max - p->una < p->mss
						     ? (uint32_t)(p->max -
								  p->una)
						     : p->mss);
		if (!p->in_recovery)
			p->cwnd += p->cwnd < p->ssthresh
					   ? n
					   : (n * p->mss) / p->cwnd + 1;
		arm_rto(p);
	} else if (p->una == old_una && len == 0 && p->una < p->max &&
		   p->wnd_end == old_wnd && !p->sack) {
		if (++p->n_dup == 3) {
			enter_recovery(p);
			send_data(p, p->una, p->max - p->una < p->mss
						     ? (uint32_t)(p->max -
								  p->una)
						     : p->mss);
		}
	}
	if (sacked_bytes(p) >= 3u * p->mss)
		enter_recovery(p);
	if (p->in_recovery && p->sack)
		resend_holes(p);
	if (p->rto_at == 0 && (p->una < p->nxt || p->fin_sent))
		arm_rto(p);
}

/* The program reads. */
static void take(struct peer *p)
{
	uint32_t before = free_window(p);

	if (p->is_stalled)
		return;
	if (p->read_rate == 0) {
		p->rx_read = p->rx_nxt;
	} else if (p->sim->now_ns >= p->next_read) {
		uint64_t n = p->rx_nxt - p->rx_read;

		p->rx_read += n < p->read_rate ? n : p->read_rate;
		p->next_read = p->sim->now_ns + SIM_MS;
	}
	if (p->state == PEER_OPEN && before < 2u * p->mss &&
	    free_window(p) >= 2u * p->mss)
		send_ack(p, NULL); /* a window update */
}

void peer_resume(struct peer *p)
{
	p->is_stalled = false;
	take(p);
}

static void check_done(struct peer *p)
{
	if (p->got_fin && p->fin_acked && p->state == PEER_OPEN)
		p->state = PEER_DONE;
}

static void input_data(struct peer *p, const struct tcp_hdr *h,
		       const uint8_t *data, uint32_t len)
{
	int32_t d = (int32_t)(h->seq - (p->irs + 1 + (uint32_t)p->rx_nxt));
	uint64_t from = p->rx_nxt + (uint64_t)(int64_t)d, to = from + len;
	struct peer_range dup = {from, to};
	bool is_new = false, was_ooo = p->n_ooo > 0;

	if (d < 0 && to <= p->rx_nxt && len > 0) {
		p->n_dup_rx++;
		send_ack(p, &dup);
		return;
	}
	if ((int64_t)from < 0 || to > p->adv_edge) {
		if (len > 0 && to > p->adv_edge)
			bad(p, "payload beyond the window");
		send_ack(p, NULL);
		return;
	}
	if (len > 0 && memcmp(data, sim_pattern(from), len) != 0)
		bad(p, "a byte differs");
	if (h->flags & TCP_FIN)
		p->rx_fin = to;
	if (len > 0) {
		uint64_t before = p->rx_nxt;

		is_new = range_add(p->ooo, &p->n_ooo, from, to);
		if (!is_new)
			p->n_dup_rx++;
		memmove(p->recent + 1, p->recent, 3 * sizeof(p->recent[0]));
		p->recent[0] = from;
		if (p->n_ooo > 0 && p->ooo[0].from <= p->rx_nxt) {
			p->rx_nxt = p->ooo[0].to;
			range_cut(p->ooo, &p->n_ooo, p->rx_nxt);
		}
		if (p->rx_nxt > before) {
			uint64_t gap = p->sim->now_ns - p->progress_ns;

			p->worst_ns = gap > p->worst_ns ? gap : p->worst_ns;
			p->progress_ns = p->sim->now_ns;
		}
	}
	if (p->rx_nxt == p->rx_fin)
		p->got_fin = true;
	p->n_unacked++;
	if (!p->sim->c.delack || was_ooo || p->n_ooo > 0 || p->got_fin ||
	    p->n_unacked >= 2)
		send_ack(p, !is_new && len > 0 ? &dup : NULL);
	else if (!p->delack_at)
		p->delack_at = p->sim->now_ns + DELACK_NS;
	take(p);
}

static void learn(struct peer *p, const struct tcp_hdr *h)
{
	p->irs = h->seq;
	p->sack = p->sack && h->sack_ok;
	p->ts = p->ts && h->has_ts;
	p->snd_shift = h->has_ws ? h->ws : 0;
	if (!h->has_ws)
		p->rcv_shift = 0;
	if (h->has_mss && h->mss < p->mss)
		p->mss = h->mss;
	if (p->ts)
		p->mss -= 12;
	p->ts_recent = h->ts_val;
	p->wnd_end = h->win;
	p->progress_ns = p->ack_progress_ns = p->sim->now_ns;
}

static void input_open(struct peer *p, const struct tcp_hdr *h)
{
	if (p->state == PEER_LISTEN && h->flags & TCP_SYN) {
		learn(p, h);
		p->state = PEER_SYN_RCVD;
		send_syn(p, TCP_SYN | TCP_ACK);
	} else if (p->state == PEER_SYN_RCVD && h->flags & TCP_SYN) {
		send_syn(p, TCP_SYN | TCP_ACK);
	} else if (p->state == PEER_SYN_RCVD && h->flags & TCP_ACK &&
		   h->ack == p->iss + 1) {
		p->state = PEER_OPEN;
		p->rto_at = 0;
		p->rto_ns = RTO_MIN_NS;
		p->wnd_end = (uint64_t)h->win << p->snd_shift;
	} else if (p->state == PEER_SYN_SENT && h->flags & TCP_SYN &&
		   h->flags & TCP_ACK && h->ack == p->iss + 1) {
		learn(p, h);
		p->state = PEER_OPEN;
		p->rto_at = 0;
		p->rto_ns = RTO_MIN_NS;
		send_ack(p, NULL);
	}
}

static void peer_segment(struct peer *p, const struct tcp_hdr *h,
			 const uint8_t *data, uint32_t len)
{
	bool was_open = p->state == PEER_OPEN;

	if (p->drop_all)
		return;
	if (h->flags & TCP_RST) {
		if (p->state == PEER_SYN_SENT && h->ack == p->iss + 1)
			p->state = PEER_REFUSED;
		else if (p->state == PEER_OPEN || p->state == PEER_SYN_RCVD)
			p->state = PEER_RESET;
		p->rto_at = 0;
		return;
	}
	if (p->state < PEER_OPEN)
		input_open(p, h);
	if (p->state != PEER_OPEN && p->state != PEER_DONE)
		return;
	if (was_open && h->flags & TCP_SYN) {
		send_ack(p, NULL);
		return;
	}
	if (h->flags & TCP_SYN) {
		peer_output(p);
		return;
	}
	if (p->ts && h->has_ts && (int32_t)(h->ts_val - p->ts_recent) > 0)
		p->ts_recent = h->ts_val;
	if (h->flags & TCP_ACK)
		input_ack(p, h, len);
	if (len > 0 || h->flags & TCP_FIN)
		input_data(p, h, data, len);
	else if (was_open && h->seq == p->irs + (uint32_t)p->rx_nxt +
					       p->got_fin)
		send_ack(p, NULL); /* a keepalive or a probe */
	else
		p->n_acks_rx++;
	peer_output(p);
	check_done(p);
}

void peer_input(struct sim *s, const uint8_t *b, uint32_t len)
{
	struct packet pkt;
	struct tcp_hdr h;
	struct rd r;

	if (packet_parse(b, len, len, &pkt) != PACKET_OK ||
	    pkt.proto != IPPROTO_TCP)
		return;
	r = rd_init(b + pkt.l4_off, pkt.l4_len);
	if (!tcp_hdr_parse(&r, &h))
		return;
	for (struct peer *p = s->peers; p; p = p->next) {
		if (p->me.port != h.dport)
			continue;
		if (p->state == PEER_LISTEN)
			p->other = pkt.src;
		if (p->other.port != h.sport)
			continue;
		peer_segment(p, &h, r.p, (uint32_t)rd_left(&r));
		return;
	}
}

uint64_t peer_due(const struct peer *p)
{
	uint64_t due = UINT64_MAX;

	if (p->rto_at)
		due = p->rto_at;
	if (p->delack_at && p->delack_at < due)
		due = p->delack_at;
	if (p->read_rate && !p->is_stalled && p->rx_read < p->rx_nxt &&
	    p->next_read < due)
		due = p->next_read;
	return due;
}

static void timeout(struct peer *p)
{
	p->rto_at = 0;
	p->rto_ns = p->rto_ns * 2 < 60 * SIM_SEC ? p->rto_ns * 2
						 : 60 * SIM_SEC;
	if (p->state == PEER_SYN_SENT || p->state == PEER_SYN_RCVD) {
		send_syn(p, p->state == PEER_SYN_SENT ? TCP_SYN
						      : TCP_SYN | TCP_ACK);
		p->rto_at = p->sim->now_ns + p->rto_ns;
		return;
	}
	if (p->state != PEER_OPEN)
		return;
	if (p->una < p->nxt) {
		p->n_rto++;
		p->n_sacked = 0;
		p->in_recovery = false;
		p->timed_ns = 0;
		p->ssthresh = p->cwnd / 2;
		p->cwnd = 10u * p->mss;
		p->nxt = p->una;
		p->fin_sent = false;
		peer_output(p);
	} else if (p->fin_sent && !p->fin_acked) {
		p->n_rto++;
		p->fin_sent = false;
		peer_output(p);
	} else if (p->nxt < p->tx_total) {
		send_data(p, p->nxt, 1); /* a window probe */
		p->max = p->max > p->nxt + 1 ? p->max : p->nxt + 1;
	}
	if (!p->rto_at)
		p->rto_at = p->sim->now_ns + p->rto_ns;
}

void peer_timer(struct peer *p)
{
	uint64_t now = p->sim->now_ns;

	if (p->rto_at && now >= p->rto_at)
		timeout(p);
	if (p->delack_at && now >= p->delack_at)
		send_ack(p, NULL);
	if (p->read_rate && now >= p->next_read)
		take(p);
}
