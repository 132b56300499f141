/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between a tap and a stream socket in the framing of QEMU: four bytes
 * of length, big-endian, before each; see front.h.
 *
 * up    Frames are read one behind the other into a buffer and sent together.
 *	 While the socket takes no more, the tap is not read.
 * down  What one recv() gave is cut into frames; the start of one that is not
 *	 complete moves to the front.
 *
 * Either end is tried only if an edge said so, or if what was done before
 * makes it likely.  That the engine took something is no news, and each would
 * be a wake-up: room in the socket is asked for only while there is none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "front.h"

enum {
	LEN_LEN = 4,
	ROOM = 512 * 1024, /* bytes of either buffer */
	PEER_EVENTS = EPOLLIN | EPOLLRDHUP,
};


struct stream {
	struct front *f; /* borrowed */
	bool may_read;	 /* the tap may have a frame */
	bool may_recv;	 /* the socket may have bytes */
	bool may_send;	 /* the socket may take some */
	bool has_room;	 /* it was full, and has told that it is not */
	uint32_t sent, filled; /* of up */
	uint32_t got;	       /* of down */
	uint8_t up[ROOM];
	uint8_t down[ROOM];
};

/* ---- up; these return 0, or -1 and have said why ---- */

/* Whether the socket takes some more; to be told of the change. */
static int set_may_send(struct stream *s, bool may)
{
	uint32_t events = may ? PEER_EVENTS : PEER_EVENTS | EPOLLOUT;

	if (s->may_send == may)
		return 0;
	s->may_send = may;
	return front_wait_change(s->f, s->f->peer, events, FRONT_PEER);
}

static int send_out(struct stream *s)
{
	uint32_t left = s->filled - s->sent;
	ssize_t n = send(s->f->peer, s->up + s->sent, left,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	s->f->c.up_kicks++;
	if (n < 0 && errno != EAGAIN)
		return front_say_errno("the engine's socket");
	if (n == (ssize_t)left) {
		s->sent = s->filled = 0;
		return set_may_send(s, true);
	}
	if (n > 0)
		s->sent += (uint32_t)n;
	s->f->c.up_full++;
	return set_may_send(s, false);
}

/* A frame of the tap behind those in the buffer. */
static int read_frame(struct stream *s)
{
	uint8_t *at = s->up + s->filled;
	ssize_t n = front_take(s->f, at + LEN_LEN, FRONT_FRAME_MAX);
	uint32_t len;

	if (n < 0 && errno == EAGAIN) {
		s->f->c.dry++;
		s->may_read = false;
		return 0;
	}
	if (n <= 0)
		return front_say_errno("tap");
	len = htonl((uint32_t)n);
	memcpy(at, &len, sizeof(len));
	s->filled += LEN_LEN + (uint32_t)n;
	return 0;
}

static int up(struct stream *s)
{
	/* The rest of before first. */
	if (s->filled && s->has_room) {
		s->has_room = false;
		if (send_out(s) < 0)
			return -1;
	}
	if (s->filled)
		return 0;
	for (unsigned n = 0; n < FRONT_BATCH && s->may_read; n++) {
		if (s->filled + LEN_LEN + FRONT_FRAME_MAX > ROOM)
			break;
		if (read_frame(s) < 0)
			return -1;
	}
	return s->filled ? send_out(s) : 0;
}

/* ---- down ---- */

/* The frames of the buffer to the tap; bytes they took, -1: nonsense. */
static int64_t cut(struct stream *s)
{
	uint32_t at = 0, len;
	struct iovec iov;

	while (s->got - at >= LEN_LEN) {
		memcpy(&len, s->down + at, sizeof(len));
		len = ntohl(len);
		if (len == 0 || len > FRONT_FRAME_MAX)
			return front_say("the engine sent a frame of %u "
					 "bytes",
					 len);
		if (s->got - at - LEN_LEN < len)
			break;
		iov = (struct iovec){s->down + at + LEN_LEN, len};
		front_give(s->f, &iov, 1, len);
		at += LEN_LEN + len;
	}
	return at;
}

static int down(struct stream *s)
{
	uint32_t room = ROOM - s->got;
	ssize_t n = recv(s->f->peer, s->down + s->got, room, MSG_DONTWAIT);
	int64_t done;

	if (n < 0 && errno != EAGAIN)
		return front_say_errno("the engine's socket");
	if (n == 0)
		return front_say("the engine closed the connection");
	/* What comes later is an edge of its own. */
	if (n < (ssize_t)room)
		s->may_recv = false;
	if (n < 0)
		return 0;
	s->f->c.down_calls++;
	s->got += (uint32_t)n;
	done = cut(s);
	if (done < 0)
		return -1;
	s->got -= (uint32_t)done;
	memmove(s->down, s->down + done, s->got);
	if (done) /* the machine answers at once */
		s->may_read = true;
	return 0;
}

/* ---- life ---- */

/* True if a signal asks for the end. */
static bool wait_for(struct stream *s, int timeout)
{
	struct epoll_event ev[FRONT_EVENTS];
	int n = epoll_wait(s->f->ep, ev, FRONT_EVENTS, timeout);

	s->f->c.waits++;
	for (int i = 0; i < n; i++) {
		if (ev[i].data.u32 == FRONT_SIGNAL && front_signal(s->f))
			return true;
		if (ev[i].data.u32 == FRONT_TAP)
			s->may_read = true;
		if (ev[i].data.u32 != FRONT_PEER)
			continue;
		s->has_room |= !s->may_send && (ev[i].events & EPOLLOUT);
		s->may_recv |= (ev[i].events & ~(uint32_t)EPOLLOUT) != 0;
	}
	return false;
}

static int set_up(struct front *f)
{
	if (front_tap_up(f) < 0 ||
	    front_wait_add(f, f->peer, PEER_EVENTS, FRONT_PEER) < 0)
		return -1;
	return 0;
}

static enum front_end run(struct stream *s)
{
	unsigned turns = 0;

	for (;;) {
		bool more;

		if (s->may_recv && down(s) < 0)
			return FRONT_BROKEN;
		if (up(s) < 0)
			return FRONT_BROKEN;
		more = s->may_recv || (s->filled ? s->has_room : s->may_read);
		if (more && ++turns % FRONT_TURNS)
			continue;
		if (wait_for(s, more ? 0 : -1))
			return FRONT_ASKED;
	}
}

enum front_end front_stream(struct front *f)
{
	struct stream *s = calloc(1, sizeof(*s));
	enum front_end end = FRONT_BROKEN;

	if (!s) {
		front_say_errno("memory");
		return FRONT_BROKEN;
	}
	s->f = f;
	s->may_read = s->may_recv = s->may_send = true;
	if (set_up(f) == 0) {
		front_ready(f);
		end = run(s);
	}
	free(s);
	return end;
}
