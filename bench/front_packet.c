/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Equal frames out of a card that the machine's kernel has already (a tap of
 * the engine's own, a veth), through a packet socket and past the queueing
 * discipline; what comes in is counted by the kernel itself; see front.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "front.h"

/* One that hears nothing: of protocol 0. */
static int packet_open(struct front *f)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex(f->o.tap),
	};
	const int on = 1;

	f->out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (f->out < 0 || sll.sll_ifindex == 0 ||
	    bind(f->out, (struct sockaddr *)&sll, sizeof(sll)) ||
	    setsockopt(f->out, SOL_PACKET, PACKET_QDISC_BYPASS, &on,
		       sizeof(on)))
		return front_say_errno("%s: packets", f->o.tap);
	return 0;
}

/* As many as one call takes; those the card has no room for are lost. */
static int send_some(struct front *f)
{
	uint8_t frame[FRONT_RAW_MOST];
	struct iovec iov = {.iov_base = frame};
	struct mmsghdr m[FRONT_BATCH];
	unsigned n = 0;

	for (; n < FRONT_BATCH; n++) {
		ssize_t len = front_take(f, frame, sizeof(frame));

		if (len < 0)
			break;
		iov.iov_len = (size_t)len;
		m[n] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	}
	for (unsigned at = 0; at < n;) {
		int done = sendmmsg(f->out, m + at, n - at, 0);

		f->c.up_kicks++;
		if (done < 0 && errno != ENOBUFS && errno != EAGAIN)
			return front_say_errno("%s", f->o.tap);
		if (done < 0)
			f->c.up_full++;
		at += done < 0 ? 1 : (unsigned)done;
	}
	return 0;
}

/* True if a signal asks for the end. */
static bool wait_for(struct front *f, int timeout)
{
	struct epoll_event ev;

	f->c.waits++;
	return epoll_wait(f->ep, &ev, 1, timeout) > 0 && front_signal(f);
}

enum front_end front_packet(struct front *f)
{
	if (packet_open(f) < 0)
		return FRONT_BROKEN;
	front_ready(f);
	do {
		if (send_some(f) < 0)
			return FRONT_BROKEN;
	} while (!wait_for(f, f->raw.left ? 0 : -1));
	return FRONT_ASKED;
}
