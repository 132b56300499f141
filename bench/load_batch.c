/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams in batches; see load_batch.h.
 */
#include "bench/load_batch.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

enum { GSO_SEGMENTS_MAX = 64 };

struct sender *sender_new(int fd, uint32_t run, unsigned size, bool gso)
{
	struct sender *s = calloc(1, sizeof(*s));
	unsigned n = gso ? UDP_SIZE_MAX / size : 1;

	if (!s)
		die("no memory");
	s->fd = fd;
	s->run = run;
	s->size = size;
	s->per_message = n > GSO_SEGMENTS_MAX ? GSO_SEGMENTS_MAX : n;
	s->data = calloc(UDP_BATCH * s->per_message, size);
	if (!s->data)
		die("no memory");
	if (gso)
		set_option(fd, IPPROTO_UDP, UDP_SEGMENT, (int)size, "GSO");
	for (int i = 0; i < UDP_BATCH; i++) {
		s->iov[i].iov_base = s->data +
				     (size_t)i * s->per_message * size;
		s->msg[i].msg_hdr.msg_iov = &s->iov[i];
		s->msg[i].msg_hdr.msg_iovlen = 1;
	}
	return s;
}

struct sender *sender_free(struct sender *s)
{
	if (s)
		free(s->data);
	free(s);
	return NULL;
}

int sender_push(struct sender *s, uint64_t n)
{
	struct stamp stamp = {.run = s->run};
	uint64_t left;
	unsigned vlen;
	int sent;
	int sum = 0;

	if (n > UDP_BATCH * s->per_message)
		n = UDP_BATCH * s->per_message;
	for (uint64_t i = 0; i < n; i++) {
		stamp.seq = s->seq + i;
		memcpy(s->data + i * s->size, &stamp, sizeof(stamp));
	}
	left = n;
	for (vlen = 0; left; vlen++) {
		unsigned k = left < s->per_message ? (unsigned)left
						   : s->per_message;

		s->iov[vlen].iov_len = (size_t)k * s->size;
		left -= k;
	}
	sent = sendmmsg(s->fd, s->msg, vlen, 0);
	if (sent < 0)
		return errno == EAGAIN || errno == ENOBUFS || errno == EINTR
		       ? 0 : -errno;
	for (int i = 0; i < sent; i++)
		sum += (int)(s->iov[i].iov_len / s->size);
	s->seq += (uint64_t)sum;
	return sum;
}

struct receiver *receiver_new(bool gro)
{
	struct receiver *r = calloc(1, sizeof(*r));

	if (!r)
		die("no memory");
	r->gro = gro;
	for (int i = 0; i < UDP_BATCH; i++) {
		struct msghdr *h = &r->msg[i].msg_hdr;

		r->iov[i].iov_base = &r->stamp[i];
		r->iov[i].iov_len = sizeof(r->stamp[i]);
		h->msg_iov = &r->iov[i];
		h->msg_iovlen = 1;
		h->msg_name = &r->from[i];
		h->msg_control = r->control[i];
	}
	return r;
}

struct receiver *receiver_free(struct receiver *r)
{
	free(r);
	return NULL;
}

int receiver_pull(struct receiver *r, int fd, int flags)
{
	int n;

	for (int i = 0; i < UDP_BATCH; i++) {
		r->msg[i].msg_hdr.msg_namelen = sizeof(r->from[i]);
		r->msg[i].msg_hdr.msg_controllen = sizeof(r->control[i]);
	}
	n = recvmmsg(fd, r->msg, UDP_BATCH, flags | MSG_TRUNC, NULL);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

struct message receiver_message(const struct receiver *r, int i)
{
	struct msghdr h = r->msg[i].msg_hdr;
	struct message m = {.n = 1, .from = &r->from[i]};
	unsigned len = r->msg[i].msg_len;

	if (len >= sizeof(m.stamp))
		m.stamp = r->stamp[i];
	else
		m.stamp.run = UINT32_MAX;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO)
			memcpy(&m.to, CMSG_DATA(c), sizeof(m.to));
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			if (size > 0)
				m.n = (int)((len + (unsigned)size - 1) /
					    (unsigned)size);
		}
	}
	return m;
}

void count_add(struct count *c, const struct message *m, int64_t now)
{
	if (!c->received)
		c->first_ns = now;
	c->last_ns = now;
	c->received += (uint64_t)m->n;
	if (m->stamp.seq < c->next_seq)
		c->reordered++;
	else
		c->next_seq = m->stamp.seq + (uint64_t)m->n;
}
