/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The share of a flow in the queue before its guest's port.  Called by
 * tcp_up.c and tcp_emit.c; one worker's thread.
 *
 * What a guest behind a tap sends waits in the tap's queue until we read it,
 * and what finds the queue full is lost (port_caps.queue_frames).  The queue
 * counts frames, the window bytes: a frame is one segment, or up to 64 KiB if
 * the guest leaves segmentation to us.  So each flow's frames are weighed as
 * they come, and its window is as many of them as the queue holds, divided by
 * the flows that send much.  A quarter is left to those that do not, to
 * datagrams, and to flows that have just begun.
 *
 * "Much" is TCP_QUEUE_STEP bytes within this epoch or the last; those who
 * began in these share with one another as if they all would send much.  A
 * SYN-ACK promises no more than a guest would send at once anyway: there may
 * be many of them.  Flows are counted anew in each epoch, so that one that
 * falls silent, ends, or moves to another port need not be taken off anywhere;
 * two ports with the same place in tcp.queue are each taken for as full as
 * both.
 */
#include "nat/tcp_priv.h"

enum {
	EPOCH_SHIFT = 29, /* of the clock: 0.5 s */
	SHARE_MIN = 4,	  /* frames, however many flows there are */
	FIRST_SEGS = 10,  /* a guest sends at first (RFC 6928) */
};

static struct tcp_queue *queue_of(const struct tcp_flow *f)
{
	return &f->tcp->queue[f->q_port % TCP_QUEUES];
}

static uint32_t epoch_now(const struct tcp *t)
{
	return (uint32_t)(tcp_now(t) >> EPOCH_SHIFT) + 1;
}

/* Finds f's queue and turns its page if a new epoch has begun. */
static struct tcp_queue *look(struct tcp_flow *f, uint32_t epoch)
{
	struct tcp_queue *q;
	struct lan_path path;

	lan_path(f->tcp->env->port, f->flow.guest_mac, &path);
	f->q_frames = path.queue_frames;
	f->q_port = path.port ? path.port->serial : 0;
	q = queue_of(f);
	if (q->epoch != epoch) {
		bool is_next = q->epoch == epoch - 1;

		q->n_last = is_next ? q->n_now : 0;
		q->n_last_young = is_next ? q->n_young : 0;
		q->n_now = 0;
		q->n_young = 0;
		q->epoch = epoch;
	}
	return q;
}

uint32_t tcp_queue_first(struct tcp_flow *f)
{
	uint32_t mss = tcp_rcv_mss(f);

	if (!f->q_born) {
		f->q_born = epoch_now(f->tcp);
		f->q_piece = mss;
		look(f, f->q_born)->n_young++;
	}
	if (!f->q_frames)
		return TCP_WIN_INIT;
	return tcp_min(TCP_WIN_INIT, FIRST_SEGS * mss);
}

/* Follows the average, but not its every move: where the window stands still
 * its edge moves by whole segments, and a guest sends whole ones. */
static void weigh(struct tcp_flow *f, uint32_t piece)
{
	uint32_t old = f->q_piece;

	if (piece > old + old / 8 || piece < old - old / 8)
		f->q_piece = old - old / 4 + piece / 4;
}

static void one_less(unsigned *np)
{
	if (*np > 0)
		(*np)--;
}

/* f sends much in the epoch: it is no longer what it was counted as. */
static void recount(struct tcp_queue *q, struct tcp_flow *f, uint32_t epoch)
{
	if (f->q_epoch == epoch - 1)
		one_less(&q->n_last);
	else if (f->q_born == epoch)
		one_less(&q->n_young);
	else if (f->q_born == epoch - 1)
		one_less(&q->n_last_young);
	q->n_now++;
	f->q_epoch = epoch;
}

void tcp_queue_step(struct tcp_flow *f)
{
	uint32_t epoch = epoch_now(f->tcp);
	uint32_t piece = f->q_bytes / f->q_n;

	if (f->q_epoch != epoch)
		recount(look(f, epoch), f, epoch);
	weigh(f, piece);
	f->q_bytes = 0;
	f->q_n = 0;
}

uint32_t tcp_queue_share(const struct tcp_flow *f)
{
	const struct tcp_queue *q = queue_of(f);
	uint32_t n = q->n_now + q->n_last;
	uint32_t frames = f->q_frames - f->q_frames / 4;
	uint64_t bytes;

	if (q->epoch - f->q_born <= 1)
		n += q->n_young + q->n_last_young;
	frames = tcp_max(frames / tcp_max(n, 1), SHARE_MIN);
	bytes = (uint64_t)frames * f->q_piece;
	if (bytes >= TCP_WIN_MAX)
		return TCP_WIN_MAX;
	return tcp_max((uint32_t)bytes, SHARE_MIN * tcp_rcv_mss(f));
}
