/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams of a run at bench-load's server: counted when the client sends,
 * and sent, paced or flat out, once the client has called.
 */
#include "bench/load_serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { PUSHES = 4 };          /* batches between two looks at the events */

static void set_busy(struct server *s, struct blast *b, bool busy)
{
	s->n_busy += (int)busy - (int)b->busy;
	b->busy = busy;
}

void blast_push(struct server *s, struct blast *b)
{
	for (int i = 0; i < PUSHES && !b->done; i++) {
		int64_t now = now_ns();
		uint64_t due = UINT64_MAX;
		int n;

		if (now - b->start_ns >= b->secs_ns) {
			b->done = true;
			break;
		}
		if (b->pps > 0)
			due = (uint64_t)(b->pps *
					 (double)(now - b->start_ns) / 1e9);
		if (due <= b->sender->seq)
			return;
		n = sender_push(b->sender, due - b->sender->seq);
		if (n < 0)
			b->done = true;
		if (n == 0)
			set_busy(s, b, false);
		if (n <= 0)
			break;
	}
	if (b->done)
		set_busy(s, b, false);
}

/* The sender's socket has room again. */
static void room(struct server *s, struct source *src, uint32_t events)
{
	struct blast *b = NULL;

	for (int i = 0; i < RUNS_MAX && !b; i++)
		if (s->run[i] && run_blast(s->run[i])->out == src)
			b = run_blast(s->run[i]);
	if (b && !b->done && b->pps <= 0)
		set_busy(s, b, true);
}

/* The client has called: datagrams go back to where it did so from. */
static void answer(struct server *s, struct blast *b, const struct message *m)
{
	int fd;

	if (b->sender)
		return;
	fd = server_socket(s, SOCK_DGRAM, 1, &m->to.ipi6_addr);
	b->done = connect(fd, (const struct sockaddr *)m->from,
			  sizeof(*m->from)) != 0;
	b->out = source_new(s, fd, EPOLLOUT | EPOLLET, sizeof(struct source),
			    room);
	b->sender = sender_new(fd, m->stamp.run, b->size, b->gso);
	b->start_ns = now_ns();
	set_busy(s, b, !b->done && b->pps <= 0);
}

void blast_ready(struct server *s, struct source *src, uint32_t events)
{
	int n = receiver_pull(s->receiver, src->fd, MSG_DONTWAIT);
	int64_t now = now_ns();
	struct run *r = NULL;
	uint32_t last = 0;

	for (int i = 0; i < n; i++) {
		struct message m = receiver_message(s->receiver, i);

		if (!r || m.stamp.run != last)
			r = run_find(s, m.stamp.run);
		last = m.stamp.run;
		if (!r)
			continue;
		if (run_blast(r)->is_down)
			answer(s, run_blast(r), &m);
		else
			count_add(&run_blast(r)->count, &m, now);
	}
}

void blast_end(struct server *s, struct blast *b)
{
	set_busy(s, b, false);
	b->done = true;
	b->sender = sender_free(b->sender);
	if (b->out)
		source_drop(s, b->out);
	b->out = NULL;
}
