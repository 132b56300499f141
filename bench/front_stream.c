/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between a tap and a stream socket in the framing of QEMU: four bytes
 * of length, big-endian, before each; see front.h.
 *
 * up    Frames are read one behind the other into a buffer and sent together.
 *	 While the socket takes no more, the tap is not read.
 * down  What one recv() gave is cut into frames; the start of one that is not
 *	 complete moves to the front.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front.h"

enum {
	LEN_LEN = 4,
	ROOM = 512 * 1024, /* bytes of either buffer */
};

enum turn {
	TURN_IDLE,
	TURN_MORE,
	TURN_BROKEN,
};

struct stream {
	struct front *f; /* borrowed */
	bool is_full;	 /* the socket takes no more for now */
	uint32_t sent, filled; /* of up */
	uint32_t got;	       /* of down */
	uint8_t up[ROOM];
	uint8_t down[ROOM];
};

static enum turn broken(const char *what)
{
	front_say_errno("%s", what);
	return TURN_BROKEN;
}

/* ---- up ---- */

static enum turn send_out(struct stream *s)
{
	ssize_t n = send(s->f->peer, s->up + s->sent, s->filled - s->sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	s->f->c.up_kicks++;
	if (n < 0 && errno != EAGAIN)
		return broken("the engine's socket");
	if (n > 0)
		s->sent += (uint32_t)n;
	s->is_full = s->sent < s->filled;
	if (s->is_full)
		s->f->c.up_full++;
	else
		s->sent = s->filled = 0;
	return TURN_IDLE;
}

/* A frame of the tap behind those in the buffer. */
static enum turn read_frame(struct stream *s)
{
	uint8_t *at = s->up + s->filled;
	ssize_t n = read(s->f->tap, at + LEN_LEN, FRONT_FRAME_MAX);
	uint32_t len;

	if (n < 0 && errno == EAGAIN) {
		s->f->c.dry++;
		return TURN_IDLE;
	}
	if (n <= 0)
		return broken("tap");
	len = htonl((uint32_t)n);
	memcpy(at, &len, sizeof(len));
	s->filled += LEN_LEN + (uint32_t)n;
	s->f->c.up_frames++;
	s->f->c.up_bytes += (uint64_t)n;
	return TURN_MORE;
}

static enum turn up(struct stream *s)
{
	enum turn turn = TURN_MORE;

	/* The rest of before first. */
	if (s->filled && send_out(s) == TURN_BROKEN)
		return TURN_BROKEN;
	if (s->is_full)
		return TURN_IDLE;
	for (unsigned n = 0; n < FRONT_BATCH && turn == TURN_MORE; n++) {
		if (s->filled + LEN_LEN + FRONT_FRAME_MAX > ROOM)
			break;
		turn = read_frame(s);
	}
	if (turn != TURN_BROKEN && s->filled && send_out(s) == TURN_BROKEN)
		return TURN_BROKEN;
	return s->is_full && turn != TURN_BROKEN ? TURN_IDLE : turn;
}

/* ---- down ---- */

/* The frames of the buffer to the tap; bytes they took, -1: nonsense. */
static int64_t cut(struct stream *s)
{
	uint32_t at = 0, len;

	while (s->got - at >= LEN_LEN) {
		memcpy(&len, s->down + at, sizeof(len));
		len = ntohl(len);
		if (len == 0 || len > FRONT_FRAME_MAX)
			return front_say("the engine sent a frame of %u "
					 "bytes",
					 len);
		if (s->got - at - LEN_LEN < len)
			break;
		if (write(s->f->tap, s->down + at + LEN_LEN, len) < 0) {
			s->f->c.refused++;
		} else {
			s->f->c.down_frames++;
			s->f->c.down_bytes += len;
		}
		at += LEN_LEN + len;
	}
	return at;
}

static enum turn down(struct stream *s)
{
	ssize_t n = recv(s->f->peer, s->down + s->got, ROOM - s->got,
			 MSG_DONTWAIT);
	int64_t done;

	if (n < 0 && errno == EAGAIN)
		return TURN_IDLE;
	if (n < 0)
		return broken("the engine's socket");
	if (n == 0) {
		front_say("the engine closed the connection");
		return TURN_BROKEN;
	}
	s->f->c.down_calls++;
	s->got += (uint32_t)n;
	done = cut(s);
	if (done < 0)
		return TURN_BROKEN;
	s->got -= (uint32_t)done;
	memmove(s->down, s->down + done, s->got);
	return TURN_MORE;
}

/* ---- life ---- */

static bool is_asked_to_end(struct front *f, int timeout)
{
	struct epoll_event ev[FRONT_EVENTS];
	int n = epoll_wait(f->ep, ev, FRONT_EVENTS, timeout);

	f->c.waits++;
	for (int i = 0; i < n; i++) {
		if (ev[i].data.u32 == FRONT_SIGNAL)
			return true;
	}
	return false;
}

static int set_up(struct front *f)
{
	if (front_tap_up(f) < 0 ||
	    front_wait_add(f, f->tap, EPOLLIN, FRONT_TAP) < 0 ||
	    front_wait_add(f, f->peer, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
			   FRONT_PEER) < 0)
		return -1;
	return 0;
}

static enum front_end run(struct stream *s)
{
	unsigned turns = 0;

	for (;;) {
		enum turn d = down(s), u;
		bool more;

		u = d == TURN_BROKEN ? TURN_BROKEN : up(s);
		if (u == TURN_BROKEN)
			return FRONT_BROKEN;
		more = d == TURN_MORE || u == TURN_MORE;
		if (more && ++turns % FRONT_TURNS)
			continue;
		if (is_asked_to_end(s->f, more ? 0 : -1))
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
	if (set_up(f) == 0) {
		front_ready(f);
		end = run(s);
	}
	free(s);
	return end;
}
