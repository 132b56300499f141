/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user as QEMU speaks it, for bench-front: memory, queues, features,
 * and the messages that tell the engine of them, in the order in which QEMU
 * sends them; see front.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "front_carry.h"
#include "netdev/vhost_msg.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum {
	DOWN = 0, /* numbers of the queues */
	UP = 1,
	QUEUES = 2,
	PAGE = 4096,
	LINE = 64,
	NET_STATUS = 16, /* feature bit */
	STATUS_RUNS = 1 | 2 | 4 | 8, /* seen, driver, driver ok, features ok */
};

/* The machine's memory as the engine sees it: nowhere near our own. */
#define GPA_BASE UINT64_C(0x40000000)

/* What its pairs of queues have in common; messages are the first one's. */
struct machine {
	struct carry *pair; /* owned, of o.queues */
	unsigned n;
	uint8_t *mem; /* owned mapping of len bytes, shared with the engine */
	uint64_t len;
	int memfd; /* owned */
};

#define PLAIN                                                                  \
	(VHOST_BIT(VIRTIO_VERSION_1) | VHOST_BIT(VIRTIO_NET_MRG_RXBUF) |       \
	 VHOST_BIT(VIRTIO_INDIRECT_DESC) | VHOST_BIT(VIRTIO_EVENT_IDX) |       \
	 VHOST_BIT(VIRTIO_NET_MTU) | VHOST_BIT(NET_STATUS) |                   \
	 VHOST_BIT(VHOST_PROTOCOL_FEATURES))
#define SENDS                                                                  \
	(VHOST_BIT(VIRTIO_NET_HOST_TSO4) | VHOST_BIT(VIRTIO_NET_HOST_TSO6) |   \
	 VHOST_BIT(VIRTIO_NET_HOST_ECN) | VHOST_BIT(VIRTIO_NET_HOST_USO))
#define TAKES                                                                  \
	(VHOST_BIT(VIRTIO_NET_GUEST_TSO4) | VHOST_BIT(VIRTIO_NET_GUEST_TSO6) | \
	 VHOST_BIT(VIRTIO_NET_GUEST_ECN) | VHOST_BIT(VIRTIO_NET_GUEST_USO4) |  \
	 VHOST_BIT(VIRTIO_NET_GUEST_USO6))

static bool has(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

/* What of the offer is accepted (VIRTIO 1.3, 5.1.3.1 for what needs what). */
static uint64_t choose(const struct front_opts *o, uint64_t offered)
{
	uint64_t want = PLAIN;

	if (o->queues > 1)
		want |= VHOST_BIT(VIRTIO_NET_MQ);
	if (o->offload && has(offered, VIRTIO_NET_CSUM))
		want |= VHOST_BIT(VIRTIO_NET_CSUM) | SENDS;
	if (o->offload && has(offered, VIRTIO_NET_GUEST_CSUM))
		want |= VHOST_BIT(VIRTIO_NET_GUEST_CSUM);
	/* Long frames are to come in many short buffers only. */
	if (has(want & offered, VIRTIO_NET_GUEST_CSUM) &&
	    has(offered, VIRTIO_NET_MRG_RXBUF))
		want |= TAKES;
	return want & offered;
}

static unsigned tap_offload(uint64_t features)
{
	unsigned o = 0;

	if (!has(features, VIRTIO_NET_CSUM))
		return 0;
	o = TUN_F_CSUM;
	if (has(features, VIRTIO_NET_HOST_TSO4))
		o |= TUN_F_TSO4;
	if (has(features, VIRTIO_NET_HOST_TSO6))
		o |= TUN_F_TSO6;
	if (has(features, VIRTIO_NET_HOST_ECN) && (o & ~(unsigned)TUN_F_CSUM))
		o |= TUN_F_TSO_ECN;
	if (has(features, VIRTIO_NET_HOST_USO))
		o |= TUN_F_USO4 | TUN_F_USO6;
	return o;
}

/* ---- messages ---- */

static int say(struct carry *c, uint32_t request, uint32_t flags,
	       const void *payload, uint32_t size, int fd)
{
	struct vhost_hdr h = {request, VHOST_VERSION | flags, size};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl = {0};
	uint8_t buf[VHOST_HDR_LEN + sizeof(union vhost_payload)];
	struct iovec iov = {buf, sizeof(h) + size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(buf, &h, sizeof(h));
	if (size)
		memcpy(buf + sizeof(h), payload, size);
	if (fd >= 0) {
		struct cmsghdr *cm = &ctl.align;

		m.msg_control = ctl.buf;
		m.msg_controllen = sizeof(ctl.buf);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	}
	if (sendmsg(c->f->peer, &m, MSG_NOSIGNAL) != (ssize_t)iov.iov_len)
		return front_say_errno("vhost-user message %u", request);
	return 0;
}

static int hear_u64(struct carry *c, uint32_t request, uint64_t *up)
{
	uint8_t buf[VHOST_HDR_LEN + sizeof(*up)];
	struct vhost_hdr h = {0};
	ssize_t n = recv(c->f->peer, buf, sizeof(buf), MSG_WAITALL);

	if (n < 0)
		return front_say_errno("vhost-user message %u", request);
	if (n < (ssize_t)sizeof(buf))
		return front_say("vhost-user message %u: the engine closed "
				 "the connection",
				 request);
	memcpy(&h, buf, sizeof(h));
	if (h.request != request || !(h.flags & VHOST_F_REPLY) ||
	    h.size != sizeof(*up))
		return front_say("vhost-user message %u: answer %u of %u "
				 "bytes",
				 request, h.request, h.size);
	memcpy(up, buf + sizeof(h), sizeof(*up));
	return 0;
}

static int ask(struct carry *c, uint32_t request, uint64_t *up)
{
	if (say(c, request, 0, NULL, 0, -1) < 0)
		return -1;
	return hear_u64(c, request, up);
}

static int say_u64(struct carry *c, uint32_t request, uint64_t u, int fd)
{
	return say(c, request, 0, &u, sizeof(u), fd);
}

static int say_state(struct carry *c, uint32_t request, uint32_t index,
		     uint32_t num)
{
	struct vhost_vring_state st = {index, num};

	return say(c, request, 0, &st, sizeof(st), -1);
}

/* ---- memory ---- */

static uint64_t gpa(const struct carry *c, const void *p)
{
	return GPA_BASE + (uint64_t)((const uint8_t *)p - c->mem);
}

/* Bytes for something, and where it begins. */
static uint64_t take(uint64_t *lenp, uint64_t size, uint64_t align)
{
	uint64_t at = (*lenp + align - 1) & ~(align - 1);

	*lenp = at + size;
	return at;
}

struct layout {
	uint64_t desc[QUEUES], avail[QUEUES], used[QUEUES];
	uint64_t table, rx, tx;
	uint64_t len;
};

static void lay_out(const struct carry *c, struct layout *l)
{
	uint64_t n = c->f->o.ring;

	*l = (struct layout){0};
	for (unsigned i = 0; i < QUEUES; i++) {
		l->desc[i] = take(&l->len, n * sizeof(struct vq_desc), PAGE);
		l->avail[i] = take(&l->len, 6 + n * 2, LINE);
		l->used[i] = take(&l->len, 6 + n * sizeof(struct vq_elem),
				  PAGE);
	}
	l->table = take(&l->len, n * sizeof(*c->table), PAGE);
	l->rx = take(&l->len, n * c->rx_stride, PAGE);
	l->tx = take(&l->len, n * FRONT_FRAME_MAX, PAGE);
	l->len = (l->len + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static int queue_init(struct carry *c, struct vq *q, const struct layout *l,
		      uint8_t *base, unsigned i)
{
	uint32_t n = c->f->o.ring;

	q->desc = (void *)(base + l->desc[i]);
	q->avail = (void *)(base + l->avail[i]);
	q->used = (void *)(base + l->used[i]);
	q->used_event = &q->avail->ring[n];
	q->avail_event = (const void *)&q->used->ring[n];
	q->mask = n - 1;
	q->event_idx = has(c->f->features, VIRTIO_EVENT_IDX);
	q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->kick < 0 || q->call < 0)
		return front_say_errno("eventfd");
	return 0;
}

/* All that never changes of the descriptors; the receive queue is full. */
static void fill(struct carry *c)
{
	unsigned n = c->f->o.ring;

	for (unsigned i = 0; i < n; i++) {
		c->down.desc[i] = (struct vq_desc){
			.addr = gpa(c, c->rx + (uint64_t)i * c->rx_stride),
			.len = c->rx_len,
			.flags = VQ_F_WRITE};
		vq_offer(&c->down, (uint16_t)i);
		/* The first comes off the stack first. */
		c->free[c->n_free++] = (uint16_t)(n - 1 - i);
	}
	vq_publish(&c->down);
	vq_quiet(&c->up);
}

static void choose_buffers(struct carry *c)
{
	uint32_t least = c->f->o.buf ? c->f->o.buf : CARRY_SHORT;

	/* All buffers together hold a frame, as those of a Linux driver. */
	c->rx_least = FRONT_FRAME_MAX / c->f->o.ring;
	if (c->rx_least < least)
		c->rx_least = least;
	c->rx_most = c->rx_least;
	if (!c->f->o.buf && c->merges && c->rx_most < CARRY_PAGE)
		c->rx_most = CARRY_PAGE;
	c->rx_mean = c->rx_len = c->rx_least;
	c->rx_stride = (c->rx_most + LINE - 1) & ~(uint32_t)(LINE - 1);
}

/* The memory of one pair, from base on. */
static int pair_init(struct carry *c, const struct layout *l, uint8_t *base)
{
	c->free = calloc(c->f->o.ring, sizeof(*c->free));
	if (!c->free)
		return front_say_errno("memory");
	c->table = (void *)(base + l->table);
	c->rx = base + l->rx;
	c->tx = base + l->tx;
	c->gpa_tx = gpa(c, c->tx);
	c->gpa_table = gpa(c, c->table);
	/* A Linux driver has fragments only where it leaves checksums. */
	c->pieces = has(c->f->features, VIRTIO_INDIRECT_DESC) &&
		    has(c->f->features, VIRTIO_NET_CSUM);
	if (queue_init(c, &c->down, l, base, DOWN) < 0 ||
	    queue_init(c, &c->up, l, base, UP) < 0)
		return -1;
	fill(c);
	return 0;
}

static int memory_init(struct machine *m)
{
	struct layout l;

	choose_buffers(&m->pair[0]);
	lay_out(&m->pair[0], &l);
	m->len = l.len * m->n;
	m->memfd = memfd_create("machine", MFD_CLOEXEC);
	if (m->memfd < 0 || ftruncate(m->memfd, (off_t)m->len) < 0)
		return front_say_errno("memory");
	m->mem = mmap(NULL, m->len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      m->memfd, 0);
	if (m->mem == MAP_FAILED)
		return front_say_errno("memory");
	m->pair[0].mem = m->mem;
	for (unsigned i = 1; i < m->n; i++) {
		m->pair[i] = m->pair[0];
		m->pair[i].f = front_more(m->pair[0].f);
		if (!m->pair[i].f)
			return -1;
	}
	for (unsigned i = 0; i < m->n; i++) {
		if (pair_init(&m->pair[i], &l, m->mem + i * l.len) < 0)
			return -1;
	}
	return 0;
}

/* ---- the handshake ---- */

/* As many pairs as asked for, or it says why not. */
static int agree_queues(struct carry *c)
{
	uint64_t n = 1;

	if (c->f->o.queues == 1)
		return 0;
	if (has(c->protocol, VHOST_PF_MQ) &&
	    has(c->f->features, VIRTIO_NET_MQ) &&
	    ask(c, VHOST_GET_QUEUE_NUM, &n) < 0)
		return -1;
	if (n >= c->f->o.queues)
		return 0;
	return front_say("the engine has %" PRIu64 " of %u pairs of queues", n,
			 c->f->o.queues);
}

static int agree(struct carry *c)
{
	static const uint64_t known = VHOST_BIT(VHOST_PF_REPLY_ACK) |
				      VHOST_BIT(VHOST_PF_MQ) |
				      VHOST_BIT(VHOST_PF_MTU) |
				      VHOST_BIT(VHOST_PF_STATUS);
	struct front *f = c->f;
	uint64_t offered = 0, protocol = 0;

	if (ask(c, VHOST_GET_FEATURES, &offered) < 0)
		return -1;
	f->features = choose(&f->o, offered);
	if (!has(offered, VIRTIO_VERSION_1))
		return front_say("the engine does not offer VERSION_1");
	if (!has(f->features, VHOST_PROTOCOL_FEATURES))
		return agree_queues(c);
	if (ask(c, VHOST_GET_PROTOCOL_FEATURES, &protocol) < 0)
		return -1;
	c->protocol = protocol & known;
	if (say_u64(c, VHOST_SET_PROTOCOL_FEATURES, c->protocol, -1) < 0)
		return -1;
	return agree_queues(c);
}

static int share_memory(struct machine *m)
{
	struct carry *c = &m->pair[0];
	const struct vhost_mem_table t = {
		.n = 1,
		.region = {{.gpa = GPA_BASE,
			    .size = m->len,
			    .uva = (uint64_t)(uintptr_t)m->mem}},
	};
	const uint32_t size = 8 + sizeof(t.region[0]);
	bool acks = has(c->protocol, VHOST_PF_REPLY_ACK);
	uint64_t ack = 0;

	if (say(c, VHOST_SET_MEM_TABLE, acks ? VHOST_F_NEED_REPLY : 0, &t,
		size, m->memfd) < 0)
		return -1;
	if (acks && hear_u64(c, VHOST_SET_MEM_TABLE, &ack) < 0)
		return -1;
	return ack ? front_say("the engine refuses the memory") : 0;
}

static int queue_start(struct machine *m, const struct vq *q, uint32_t i)
{
	struct carry *c = &m->pair[0];
	const struct vhost_vring_addr a = {
		.index = i,
		.desc = (uint64_t)(uintptr_t)q->desc,
		.avail = (uint64_t)(uintptr_t)q->avail,
		.used = (uint64_t)(uintptr_t)q->used,
	};

	if (say_state(c, VHOST_SET_VRING_NUM, i, q->mask + 1) < 0 ||
	    say_state(c, VHOST_SET_VRING_BASE, i, 0) < 0 ||
	    say(c, VHOST_SET_VRING_ADDR, 0, &a, sizeof(a), -1) < 0 ||
	    say_u64(c, VHOST_SET_VRING_KICK, i, q->kick) < 0 ||
	    say_u64(c, VHOST_SET_VRING_CALL, i, q->call) < 0)
		return -1;
	if (!has(c->f->features, VHOST_PROTOCOL_FEATURES))
		return 0;
	return say_state(c, VHOST_SET_VRING_ENABLE, i, 1);
}

/* Everything up to running queues; an answer at the end proves that the
 * engine has come so far. */
static int start(struct machine *m)
{
	struct carry *c = &m->pair[0];
	uint64_t features = 0;

	if (say(c, VHOST_SET_OWNER, 0, NULL, 0, -1) < 0 ||
	    say_u64(c, VHOST_SET_FEATURES, c->f->features, -1) < 0 ||
	    share_memory(m) < 0)
		return -1;
	for (unsigned i = 0; i < m->n; i++) {
		if (queue_start(m, &m->pair[i].down, i * QUEUES + DOWN) < 0 ||
		    queue_start(m, &m->pair[i].up, i * QUEUES + UP) < 0)
			return -1;
	}
	if (has(c->protocol, VHOST_PF_STATUS) &&
	    say_u64(c, VHOST_SET_STATUS, STATUS_RUNS, -1) < 0)
		return -1;
	return ask(c, VHOST_GET_FEATURES, &features);
}

static int wait_for_calls(struct carry *c)
{
	if (front_wait_add(c->f, c->down.call, EPOLLIN, FRONT_CALL_DOWN) < 0)
		return -1;
	return front_wait_add(c->f, c->up.call, EPOLLIN, FRONT_CALL_UP);
}

static int set_up(struct machine *m)
{
	struct carry *c = &m->pair[0];
	struct front *f = c->f;

	if (agree(c) < 0)
		return -1;
	c->merges = has(f->features, VIRTIO_NET_MRG_RXBUF);
	if (memory_init(m) < 0 || start(m) < 0)
		return -1;
	if (front_tap_offload(f, f->tap, tap_offload(f->features)) < 0 ||
	    front_tap_up(f) < 0)
		return -1;
	if (front_wait_add(f, f->peer, EPOLLIN | EPOLLRDHUP, FRONT_PEER) < 0)
		return -1;
	for (unsigned i = 0; i < m->n; i++) {
		c = &m->pair[i];
		if (wait_for_calls(c) < 0)
			return -1;
		if (i > 0 && c->f->tap >= 0 &&
		    front_wait_add(c->f, c->f->tap, EPOLLIN, FRONT_TAP) < 0)
			return -1;
	}
	return 0;
}

/* Of a pair behind the first: ends only when it is broken, and all with it. */
static void *run_more(void *arg)
{
	_exit((int)carry_run(arg));
}

static int run_all(struct machine *m)
{
	pthread_t t;

	for (unsigned i = 1; i < m->n; i++) {
		errno = pthread_create(&t, NULL, run_more, &m->pair[i]);
		if (errno)
			return front_say_errno("thread");
	}
	front_ready(m->pair[0].f);
	return 0;
}

enum front_end front_vhost(struct front *f)
{
	static struct machine m; /* other threads' until the very end */
	enum front_end end = FRONT_BROKEN;

	m = (struct machine){.n = f->o.queues, .memfd = -1};
	m.pair = calloc(m.n, sizeof(*m.pair));
	if (!m.pair) {
		front_say_errno("memory");
		return FRONT_BROKEN;
	}
	m.pair[0].f = f;
	if (set_up(&m) == 0 && run_all(&m) == 0) {
		end = carry_run(&m.pair[0]);
		for (unsigned i = 0; i < m.n; i++)
			carry_count(&m.pair[i]);
	}
	/* Memory, descriptors and threads go with the process. */
	return end;
}
