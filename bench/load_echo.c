/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The echo ports of bench-load's server.  A TCP connection gets as many bytes
 * as it sent (zeros: who counts transactions counts bytes); a datagram comes
 * back as it is, from the address that it was sent to.
 */
#include "bench/load_serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { ECHO_BATCH = 16, ACCEPTS = 64 };

struct echo {
	struct source src;
	size_t owed;          /* bytes to be sent */
};

static void echo_ready(struct server *s, struct source *src, uint32_t events)
{
	struct echo *e = (struct echo *)src;
	size_t owed = e->owed;
	ssize_t n;

	if (events & ~(uint32_t)EPOLLOUT) {
		n = recv(src->fd, s->chunk, ECHO_MAX, MSG_TRUNC | MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			source_drop(s, src);
			return;
		}
		e->owed += n > 0 ? (size_t)n : 0;
	}
	if (e->owed) {
		n = send(src->fd, s->chunk,
			 e->owed < ECHO_MAX ? e->owed : ECHO_MAX,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		e->owed -= n > 0 ? (size_t)n : 0;
	}
	if (!owed != !e->owed)
		source_events(s, src, EPOLLIN | (e->owed ? EPOLLOUT : 0));
}

void echo_accept(struct server *s, struct source *src, uint32_t events)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = source_accept(src);

		if (fd < 0)
			return;
		source_new(s, fd, EPOLLIN, sizeof(struct echo), echo_ready);
	}
}

struct udp_echo {
	struct iovec iov[ECHO_BATCH];
	struct sockaddr_storage from[ECHO_BATCH];
	char control[ECHO_BATCH][64] __attribute__((aligned(8)));
	struct mmsghdr msg[ECHO_BATCH];
	char data[ECHO_BATCH][ECHO_MAX];
};

struct udp_echo *udp_echo_new(void)
{
	struct udp_echo *u = calloc(1, sizeof(*u));

	if (!u)
		die("no memory");
	for (int i = 0; i < ECHO_BATCH; i++) {
		struct msghdr *h = &u->msg[i].msg_hdr;

		u->iov[i].iov_base = u->data[i];
		h->msg_iov = &u->iov[i];
		h->msg_iovlen = 1;
		h->msg_name = &u->from[i];
		h->msg_control = u->control[i];
	}
	return u;
}

/* The address it came to is the one to answer from, by whatever way. */
static void forget_interface(struct msghdr *h)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	struct in6_pktinfo info;

	if (!c || c->cmsg_type != IPV6_PKTINFO)
		return;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		info.ipi6_ifindex = 0;
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

void udp_echo_ready(struct server *s, struct source *src, uint32_t events)
{
	struct udp_echo *u = s->echo;
	int n;

	for (int i = 0; i < ECHO_BATCH; i++) {
		u->iov[i].iov_len = ECHO_MAX;
		u->msg[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
		u->msg[i].msg_hdr.msg_controllen = sizeof(u->control[i]);
	}
	n = recvmmsg(src->fd, u->msg, ECHO_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		u->iov[i].iov_len = u->msg[i].msg_len;
		forget_interface(&u->msg[i].msg_hdr);
	}
	for (int done = 0; done < n;) {
		int k = sendmmsg(src->fd, u->msg + done, (unsigned)(n - done),
				 MSG_DONTWAIT);

		/* One that cannot be sent is lost, as on any network. */
		done += k > 0 ? k : 1;
	}
}
