/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between the machine and what takes one with each write and gives one
 * with each read, as QEMU carries them to its machine's card; see front.h.
 *
 * dgram   a multicast group on loopback, a frame in a datagram.  Everybody
 *hears everything, the sender too, so what a card would not take is dropped.
 * beside  a second tap, in the namespace of a bridge; frames go with their
 *	   headers, so that long ones stay whole.
 *
 * Neither says that it has no room: on loopback and at a tap a frame is its
 * receiver's at once, or lost.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "front.h"

struct frames {
	struct front *f; /* borrowed */
	int out;         /* borrowed: of f */
	bool may_take;   /* the machine may have a frame */
	bool may_hear;   /* the other side may have one */
	uint8_t buf[FRONT_FRAME_MAX];
};

/* What a frame of ours has before its Ethernet header. */
static size_t head_len(const struct front *f)
{
	return f->vnet ? FRONT_VNET_LEN : 0;
}

static int up(struct frames *s)
{
	for (unsigned n = 0; n < FRONT_BATCH && s->may_take; n++) {
		ssize_t len = front_take(s->f, s->buf, sizeof(s->buf));

		if (len < 0 && errno == EAGAIN) {
			s->f->c.dry++;
			s->may_take = false;
			break;
		}
		if (len <= 0)
			return front_say_errno("tap");
		s->f->c.up_kicks++;
		if (write(s->out, s->buf, (size_t)len) < 0)
			s->f->c.up_full++;
	}
	return 0;
}

/* Whether a card of that address takes it: what is for it or for a group, and
 * not its own. */
static bool is_for_us(const struct front *f, const uint8_t *eth)
{
	if (eth[0] & 1)
		return memcmp(eth + FRONT_MAC_LEN, f->mac, FRONT_MAC_LEN) != 0;
	return memcmp(eth, f->mac, FRONT_MAC_LEN) == 0;
}

static int down(struct frames *s)
{
	const size_t least = head_len(s->f) + FRONT_ETH_LEN;

	for (unsigned n = 0; n < FRONT_BATCH && s->may_hear; n++) {
		ssize_t len = read(s->f->peer, s->buf, sizeof(s->buf));
		struct iovec iov = {s->buf, (size_t)len};

		if (len < 0 && errno == EAGAIN) {
			s->may_hear = false;
			break;
		}
		if (len < 0)
			return front_say_errno("%s", s->f->o.path);
		s->f->c.down_calls++;
		if ((size_t)len < least)
			continue;
		if (s->f->o.way == FRONT_BESIDE || is_for_us(s->f, s->buf))
			front_give(s->f, &iov, 1, (uint64_t)len);
	}
	return 0;
}

/* True if a signal asks for the end. */
static bool wait_for(struct frames *s, int timeout)
{
	struct epoll_event ev[FRONT_EVENTS];
	int n = epoll_wait(s->f->ep, ev, FRONT_EVENTS, timeout);

	s->f->c.waits++;
	for (int i = 0; i < n; i++) {
		if (ev[i].data.u32 == FRONT_SIGNAL && front_signal(s->f))
			return true;
		s->may_take |= ev[i].data.u32 == FRONT_TAP;
		s->may_hear |= ev[i].data.u32 == FRONT_PEER;
	}
	return false;
}

static enum front_end run(struct frames *s)
{
	unsigned turns = 0;

	for (;;) {
		bool more;

		if (down(s) < 0 || up(s) < 0)
			return FRONT_BROKEN;
		more = s->may_take || s->may_hear;
		if (more && ++turns % FRONT_TURNS)
			continue;
		if (wait_for(s, more ? 0 : -1))
			return FRONT_ASKED;
	}
}

static int set_up(struct front *f)
{
	const unsigned whole =
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (f->o.way == FRONT_BESIDE &&
	    (front_tap_offload(f, f->tap, whole) < 0 ||
	     front_tap_offload(f, f->peer, whole) < 0))
		return -1;
	if (front_tap_up(f) < 0)
		return -1;
	return front_wait_add(f, f->peer, EPOLLIN, FRONT_PEER);
}

enum front_end front_frames(struct front *f)
{
	struct frames *s = calloc(1, sizeof(*s));
	enum front_end end = FRONT_BROKEN;

	if (!s) {
		front_say_errno("memory");
		return FRONT_BROKEN;
	}
	s->f = f;
	s->out = f->out < 0 ? f->peer : f->out;
	s->may_take = s->may_hear = true;
	if (set_up(f) == 0) {
		front_ready(f);
		end = run(s);
	}
	free(s);
	return end;
}
