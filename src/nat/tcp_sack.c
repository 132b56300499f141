/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the guest holds, what is lost, what is sent again (RFC 2018, 6675,
 * 8985, 6582 without SACK).  Called by tcp_input.c, tcp.c and tcp_timer.c; one
 * worker's thread.
 *
 *	snd_una   r[0]         r[1]                        snd_nxt
 *	   |------[####]--------[##]---------------------------|
 *	    gap[0]       gap[1]            gap[2]: the tail
 *
 * A gap is lost when so much was SACKed above it that reordering does not
 * explain it (dupthresh segments), or when a reordering window of a quarter of
 * the round trip has passed since something above it was seen first.  It is
 * then sent again, in passes: rex_nxt runs from the gap's start to its end, and
 * starts anew when the gap is still there two round trips after its last byte
 * was sent, so that a lost retransmission does not wait for the RTO.  Each pass
 * waits twice as long as the one before until snd_una moves.  A guest
 * that reports a byte twice (DSACK) has shown that we were too quick: dupthresh
 * doubles, and halves again with each recovery that needed none of that.
 *
 * The tail is lost only by a timeout, or as far as duplicate ACKs of a guest
 * without SACK tell.
 *
 * A loss means that some queue was full, so what is in flight is held to
 * cwnd: seven tenths of what it was, growing by an eighth per round trip until
 * it does not matter any more.  A path that loses nothing never has one.
 */
#include "nat/tcp_priv.h"

#define REX_MIN_NS (5 * TCP_MS)
#define REO_MIN_NS (1 * TCP_MS)

static inline uint32_t gap_from(const struct tcp_flow *f, unsigned i)
{
	return i > 0 ? f->recov->r[i - 1].to : f->snd_una;
}

static inline uint32_t gap_to(const struct tcp_flow *f, unsigned i)
{
	return i < f->recov->n ? f->recov->r[i].from : f->recov->tail_end;
}

static uint64_t reo_wnd_ns(const struct tcp_flow *f)
{
	/* The more reordering was seen, the more patience, up to a round
	 * trip. */
	uint64_t ns = UINT64_C(250) * f->srtt_us *
		      (1 + f->dupthresh / (4 * TCP_DUPTHRESH));

	if (ns > UINT64_C(1000) * f->srtt_us)
		ns = UINT64_C(1000) * f->srtt_us;
	return ns > REO_MIN_NS ? ns : REO_MIN_NS;
}

/* When the next pass at a gap that was sent again begins. */
static uint64_t pass_due(const struct tcp_flow *f, const struct tcp_gap *g)
{
	uint64_t ns = UINT64_C(2000) * f->srtt_us;

	if (g->n_pass >= TCP_PASSES)
		return TCP_NEVER;
	if (ns < REX_MIN_NS)
		ns = REX_MIN_NS;
	return g->at_ns + (ns << g->n_pass);
}

static struct tcp_recov *board(struct tcp_flow *f)
{
	if (!f->recov)
		f->recov = slab_alloc(&f->tcp->recov_slab);
	return f->recov;
}

void tcp_sack_free(struct tcp_flow *f)
{
	slab_free(&f->tcp->recov_slab, f->recov);
	f->recov = NULL;
}

uint32_t tcp_sack_pipe(const struct tcp_flow *f)
{
	const struct tcp_recov *rc = f->recov;
	uint32_t pipe = f->snd_nxt - f->snd_una;

	if (!rc)
		return pipe;
	/* Without SACK each duplicate ACK stands for a segment. */
	if (tcp_is(f, TCP_F_SACK))
		pipe -= rc->sacked;
	else
		pipe -= tcp_min((uint32_t)f->n_dup * f->mss, pipe);
	for (unsigned i = 0; i <= rc->n; i++)
		if (rc->gap[i].is_lost)
			pipe -= tcp_min(gap_to(f, i) - rc->gap[i].rex_nxt,
					pipe);
	return pipe;
}

/* Something was lost: once per flight, cwnd shrinks. */
static void enter_recovery(struct tcp_flow *f)
{
	uint32_t floor = (uint32_t)TCP_CWND_MIN_SEGS * f->mss;

	f->flags |= TCP_F_LOSSY;
	if (tcp_is(f, TCP_F_RECOVERY))
		return;
	f->flags |= TCP_F_RECOVERY | TCP_F_CWND;
	f->flags &= ~(uint32_t)(TCP_F_SLOW_START | TCP_F_RTO | TCP_F_DSACK);
	f->recover = f->snd_nxt;
	f->cwnd = tcp_max(tcp_sack_pipe(f) / 10 * 7, floor);
	f->tcp->stats.n_fast_retransmit++;
}

static void leave_recovery(struct tcp_flow *f)
{
	if (!tcp_is(f, TCP_F_DSACK) && f->dupthresh > TCP_DUPTHRESH)
		f->dupthresh = (uint8_t)tcp_max(f->dupthresh / 2,
						TCP_DUPTHRESH);
	f->flags &= ~(uint32_t)(TCP_F_RECOVERY | TCP_F_RTO);
}

/* A new range in the middle of gap i, which is split. */
static bool split_gap(struct tcp_flow *f, unsigned i, struct tcp_range add)
{
	struct tcp_recov *rc = f->recov;
	struct tcp_gap left = rc->gap[i], right = rc->gap[i];
	bool is_tail = i == rc->n;

	if (rc->n == TCP_RANGES)
		return false;
	if (!left.is_lost && is_tail)
		left.at_ns = tcp_now(f->tcp);
	if (seq_gt(left.rex_nxt, add.from))
		left.rex_nxt = add.from;
	if (seq_lt(right.rex_nxt, add.to))
		right.rex_nxt = add.to;
	if (is_tail && (!right.is_lost || seq_leq(rc->tail_end, add.to)))
		right.is_lost = false;
	memmove(&rc->r[i + 1], &rc->r[i], (rc->n - i) * sizeof(rc->r[0]));
	memmove(&rc->gap[i + 1], &rc->gap[i],
		(rc->n - i + 1) * sizeof(rc->gap[0]));
	rc->r[i] = add;
	rc->gap[i] = left;
	rc->gap[i + 1] = right;
	rc->n++;
	return true;
}

/* A range that touches r[first] to r[last - 1]: they become one. */
static void join_ranges(struct tcp_flow *f, unsigned first, unsigned last,
			struct tcp_range add)
{
	struct tcp_recov *rc = f->recov;
	struct tcp_gap *right;
	unsigned gone = last - first - 1;

	if (seq_lt(rc->r[first].from, add.from))
		add.from = rc->r[first].from;
	if (seq_gt(rc->r[last - 1].to, add.to))
		add.to = rc->r[last - 1].to;
	rc->r[first] = add;
	if (seq_gt(rc->gap[first].rex_nxt, add.from))
		rc->gap[first].rex_nxt = add.from;
	memmove(&rc->r[first + 1], &rc->r[last],
		(rc->n - last) * sizeof(rc->r[0]));
	memmove(&rc->gap[first + 1], &rc->gap[last],
		(rc->n - last + 1) * sizeof(rc->gap[0]));
	rc->n -= gone;
	right = &rc->gap[first + 1];
	if (seq_lt(right->rex_nxt, add.to))
		right->rex_nxt = add.to;
	if (first + 1 == rc->n && seq_leq(rc->tail_end, add.to))
		right->is_lost = false;
}

/* True if the block told something new. */
static bool block_add(struct tcp_flow *f, struct tcp_range add)
{
	struct tcp_recov *rc = f->recov;
	unsigned first = 0, last;

	while (first < rc->n && seq_lt(rc->r[first].to, add.from))
		first++;
	last = first;
	while (last < rc->n && seq_leq(rc->r[last].from, add.to))
		last++;
	if (first == last)
		return split_gap(f, first, add);
	if (seq_leq(rc->r[first].from, add.from) &&
	    seq_geq(rc->r[first].to, add.to))
		return false;
	join_ranges(f, first, last, add);
	return true;
}

static void count_sacked(struct tcp_recov *rc)
{
	rc->sacked = 0;
	for (unsigned i = 0; i < rc->n; i++)
		rc->sacked += rc->r[i].to - rc->r[i].from;
}

/* The guest got something twice. */
static void too_quick(struct tcp_flow *f)
{
	f->flags |= TCP_F_DSACK;
	f->dupthresh = (uint8_t)tcp_min(f->dupthresh * 2u, TCP_DUPTHRESH_MAX);
}

/* RFC 2883 4: the first block reports a duplicate if it lies below the ACK or
 * within the second one. */
static bool is_dsack(const struct tcp_hdr *h)
{
	const struct tcp_sack *s = h->sack;

	if (seq_leq(s[0].to, h->ack))
		return true;
	return h->n_sack > 1 && seq_geq(s[0].from, s[1].from) &&
	       seq_leq(s[0].to, s[1].to);
}

bool tcp_sack_input(struct tcp_flow *f, const struct tcp_hdr *h)
{
	bool is_new = false;
	unsigned first = 0;

	if (is_dsack(h)) {
		too_quick(f);
		first = 1;
	}
	for (unsigned i = first; i < h->n_sack; i++) {
		struct tcp_range r = {.from = h->sack[i].from,
				      .to = h->sack[i].to};

		if (seq_leq(r.to, f->snd_una) || seq_gt(r.to, f->snd_nxt) ||
		    seq_geq(r.from, r.to))
			continue;
		/* A block that begins at snd_una would have been ACKed. */
		if (seq_leq(r.from, f->snd_una))
			continue;
		if (!board(f))
			return false;
		is_new |= block_add(f, r);
	}
	if (is_new)
		count_sacked(f->recov);
	return is_new;
}

/* The first segment that is missing, as far as a guest without SACK lets us
 * know. */
static void lose_first(struct tcp_flow *f)
{
	struct tcp_recov *rc = f->recov;

	rc->gap[0].is_lost = true;
	rc->gap[0].n_pass = 0;
	rc->gap[0].rex_nxt = f->snd_una;
	rc->tail_end = f->snd_una + tcp_min(f->mss, f->snd_nxt - f->snd_una);
}

void tcp_sack_dup(struct tcp_flow *f)
{
	f->n_dup++;
	if (f->n_dup != f->dupthresh || tcp_is(f, TCP_F_RECOVERY) || !board(f))
		return;
	enter_recovery(f);
	lose_first(f);
}

static void grow_cwnd(struct tcp_flow *f, uint32_t n)
{
	f->cwnd += tcp_is(f, TCP_F_SLOW_START) ? n : n / 8;
	/* It has ceased to matter. */
	if (f->cwnd / 2 > f->max_wnd)
		f->flags &= ~(uint32_t)(TCP_F_CWND | TCP_F_SLOW_START);
}

void tcp_sack_acked(struct tcp_flow *f, uint32_t n)
{
	struct tcp_recov *rc = f->recov;
	unsigned k = 0;

	if (tcp_is(f, TCP_F_CWND))
		grow_cwnd(f, n);
	if (!rc)
		return;
	while (k < rc->n && seq_leq(rc->r[k].from, f->snd_una))
		k++;
	rc->n -= k;
	memmove(rc->r, rc->r + k, rc->n * sizeof(rc->r[0]));
	memmove(rc->gap, rc->gap + k, (rc->n + 1) * sizeof(rc->gap[0]));
	for (unsigned i = 0; i <= rc->n; i++)
		rc->gap[i].n_pass = 0;
	count_sacked(rc);
	if (seq_lt(rc->gap[0].rex_nxt, f->snd_una))
		rc->gap[0].rex_nxt = f->snd_una;
	if (rc->n == 0 && seq_leq(rc->tail_end, f->snd_una))
		rc->gap[0].is_lost = false;
	if (tcp_is(f, TCP_F_RECOVERY) && seq_geq(f->snd_una, f->recover))
		leave_recovery(f);
	if (rc->n == 0 && tcp_is(f, TCP_F_RECOVERY) &&
	    !tcp_is(f, TCP_F_SACK | TCP_F_RTO))
		lose_first(f); /* a partial ACK (RFC 6582 3.2) */
	if (rc->n == 0 && !rc->gap[0].is_lost &&
	    !tcp_is(f, TCP_F_RECOVERY))
		tcp_sack_free(f);
}

void tcp_sack_timeout(struct tcp_flow *f)
{
	struct tcp_recov *rc = board(f);

	if (!rc)
		return;
	/* What was SACKed may have been thrown away (RFC 2018 8). */
	if (f->n_rtx > 1) {
		rc->n = 0;
		rc->sacked = 0;
	}
	rc->tail_end = f->snd_nxt;
	for (unsigned i = 0; i <= rc->n; i++) {
		rc->gap[i].is_lost = gap_from(f, i) != gap_to(f, i);
		rc->gap[i].n_pass = TCP_PASSES; /* RTO until it answers */
		rc->gap[i].rex_nxt = gap_from(f, i);
	}
	f->flags |= TCP_F_RECOVERY | TCP_F_RTO | TCP_F_CWND |
		    TCP_F_SLOW_START | TCP_F_LOSSY;
	f->recover = f->snd_nxt;
	f->cwnd = (uint32_t)TCP_CWND_MIN_SEGS * f->mss;
}

/* Finds out which gaps are lost, and which were lost again. */
static void judge_gaps(struct tcp_flow *f)
{
	struct tcp_recov *rc = f->recov;
	uint64_t now = tcp_now(f->tcp);
	uint64_t reo = reo_wnd_ns(f);
	uint32_t enough = (uint32_t)f->dupthresh * f->mss;
	uint32_t above = rc->sacked;

	for (unsigned i = 0; i <= rc->n; i++) {
		struct tcp_gap *g = &rc->gap[i];

		if (g->is_lost) {
			if (g->rex_nxt == gap_to(f, i) &&
			    now >= pass_due(f, g)) {
				g->rex_nxt = gap_from(f, i);
				g->n_pass++;
			}
		} else if (i < rc->n &&
			   (above >= enough || now >= g->at_ns + reo)) {
			enter_recovery(f);
			g->is_lost = true;
			g->n_pass = 0;
			g->rex_nxt = gap_from(f, i);
		}
		if (i < rc->n)
			above -= rc->r[i].to - rc->r[i].from;
	}
}

/* Sends gap i again; false if nothing more can go out now. */
static bool resend_gap(struct tcp_flow *f, unsigned i)
{
	struct tcp_gap *g = &f->recov->gap[i];

	while (g->is_lost && g->rex_nxt != gap_to(f, i)) {
		uint32_t pipe = tcp_sack_pipe(f);
		uint32_t left = gap_to(f, i) - g->rex_nxt;
		uint32_t room = f->cwnd > pipe ? f->cwnd - pipe : 0;
		uint32_t sent;

		/* The first one missing goes out whatever cwnd says. */
		if (g->rex_nxt == f->snd_una)
			room = tcp_max(room, f->mss);
		if (tcp_is(f, TCP_F_CWND) && left > room)
			left = room / f->mss * f->mss;
		if (left == 0)
			return false;
		sent = tcp_down_again(f, g->rex_nxt, left);
		if (sent == 0)
			return false;
		g->rex_nxt += sent;
		g->at_ns = tcp_now(f->tcp);
	}
	return true;
}

void tcp_sack_output(struct tcp_flow *f)
{
	judge_gaps(f);
	for (unsigned i = 0; f->recov && i <= f->recov->n; i++)
		if (!resend_gap(f, i))
			return;
}

uint64_t tcp_sack_due(const struct tcp_flow *f)
{
	const struct tcp_recov *rc = f->recov;
	uint64_t due = TCP_NEVER;

	for (unsigned i = 0; i <= rc->n; i++) {
		const struct tcp_gap *g = &rc->gap[i];
		uint64_t at = TCP_NEVER;

		if (g->is_lost && g->rex_nxt == gap_to(f, i))
			at = pass_due(f, g);
		else if (!g->is_lost && i < rc->n)
			at = g->at_ns + reo_wnd_ns(f);
		if (at < due)
			due = at;
	}
	return due;
}
