/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages of vhost-user, see vhost_session.h. */
/* #syscalls: recvmsg recvfrom sendto mmap munmap close fstat */
/* #syscalls: fcntl=F_GETFL fcntl=F_SETFL */
#include "netdev/vhost_session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/fdpass.h"

enum { MTU_MIN = 68, MTU_MAX = 65535 };

__attribute__((format(printf, 2, 3))) static int
bad(struct vhost_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return -EPROTO;
}

static void fds_close(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->n_fds; i++)
		fd_close(&s->fds[i]);
	s->n_fds = 0;
}

static void changed(struct vhost_session *s)
{
	s->hooks->changed(s->hooks->arg);
}

/* ---- answers ---- */

static int answer(struct vhost_session *s, const void *payload, uint32_t size)
{
	uint8_t buf[VHOST_HDR_LEN + sizeof(union vhost_payload)];
	struct vhost_hdr h = {
		.request = s->hdr.request,
		.flags = VHOST_VERSION | VHOST_F_REPLY,
		.size = size,
	};
	ssize_t n;

	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), payload, size);
	n = send(s->fd, buf, sizeof(h) + size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == (ssize_t)(sizeof(h) + size))
		return 0;
	/* It asks and does not read: nothing sensible follows. */
	return n < 0 && errno != EAGAIN ? -errno
					: bad(s, "it does not read answers");
}

static int answer_u64(struct vhost_session *s, uint64_t v)
{
	return answer(s, &v, sizeof(v));
}

/* ---- rings ---- */

static bool is_transmit(unsigned i)
{
	return i % VHOST_RINGS == VHOST_TX;
}

static int ring_of(struct vhost_session *s, uint64_t index,
		   struct vhost_ring **rp)
{
	if (index >= s->n_rings)
		return bad(s, "ring %llu of %u", (unsigned long long)index,
			   s->n_rings);
	*rp = s->ring[index];
	return 0;
}

static void ring_reset(struct vhost_session *s, unsigned i)
{
	struct vhost_ring *ring = s->ring[i];

	if (is_transmit(i))
		s->hooks->stop(s->hooks->arg, i);
	vring_stop(&ring->q);
	ring->has_mark = false;
	s->hooks->kick_fd(s->hooks->arg, i, -1);
}

static void ring_enable(struct vhost_session *s, unsigned i, bool on)
{
	struct vhost_ring *ring = s->ring[i];
	struct vring *q = &ring->q;

	if (on || !q->is_running) {
		ring->has_mark = false;
	} else if (ring->is_enabled && is_transmit(i)) {
		(void)vring_avail(q, q->size); /* looks again */
		ring->mark = q->avail_idx;
		ring->has_mark = true;
	}
	ring->is_enabled = on;
}

/* Memory or features changed under running rings. */
static void rings_again(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->n_rings; i++) {
		struct vring *q = &s->ring[i]->q;

		q->event_idx = vhost_has(s, VIRTIO_EVENT_IDX);
		if (q->is_running)
			(void)vring_map(q); /* broken then: the port looks */
	}
	s->log.is_on = vhost_has(s, VHOST_LOG_ALL);
}

static int set_vring_num(struct vhost_session *s)
{
	struct vhost_ring *ring = NULL;
	int r = ring_of(s, s->in.state.index, &ring);
	uint32_t n = s->in.state.num;
	struct vring *q;

	if (r < 0)
		return r;
	q = &ring->q;
	if (n == 0 || n > VRING_SIZE_MAX || (n & (n - 1)))
		return bad(s, "a ring of %u", n);
	if (q->is_running)
		return bad(s, "the size of a running ring");
	q->size = n;
	q->is_set = false;
	return 0;
}

static int set_vring_addr(struct vhost_session *s)
{
	const struct vhost_vring_addr *a = &s->in.addr;
	struct vhost_ring *ring = NULL;
	int r = ring_of(s, a->index, &ring);
	struct vring *q;

	if (r < 0)
		return r;
	q = &ring->q;
	q->desc_uva = a->desc;
	q->avail_uva = a->avail;
	q->used_uva = a->used;
	q->log_gpa = a->log;
	q->logs_used = a->flags & VHOST_VRING_F_LOG;
	q->is_set = true;
	if (q->is_running) /* for the log's sake, during a migration */
		(void)vring_map(q);
	changed(s);
	return 0;
}

static int set_vring_base(struct vhost_session *s)
{
	struct vhost_ring *ring = NULL;
	int r = ring_of(s, s->in.state.index, &ring);

	if (r < 0)
		return r;
	if (ring->q.is_running)
		return bad(s, "the base of a running ring");
	ring->q.last_avail = (uint16_t)s->in.state.num;
	return 0;
}

static int get_vring_base(struct vhost_session *s)
{
	struct vhost_vring_state st = s->in.state;
	struct vhost_ring *ring = NULL;
	int r = ring_of(s, st.index, &ring);

	if (r < 0)
		return r;
	ring_reset(s, st.index);
	changed(s);
	st.num = ring->q.last_avail;
	return answer(s, &st, sizeof(st));
}

/* The descriptor that came with KICK, CALL or ERR; -1: none is meant. */
static int vring_fd(struct vhost_session *s, struct vhost_ring **rp,
		    int *fdp)
{
	int r = ring_of(s, s->in.u64 & VHOST_VRING_INDEX, rp);

	if (r < 0)
		return r;
	*fdp = -1;
	if (s->in.u64 & VHOST_VRING_NOFD)
		return 0;
	if (s->n_fds != 1)
		return bad(s, "no descriptor with message %u",
			   s->hdr.request);
	*fdp = fd_steal(&s->fds[0]);
	s->n_fds = 0;
	return 0;
}

/* An eventfd is a file of no type.  Nothing else will do: behind a name there
 * may be a file system in user space, whose answers can be waited for for ever,
 * and a pipe's or socket's other end is not known. */
static bool is_eventfd(int fd)
{
	struct stat st;

	return syscall(SYS_fstat, fd, &st) == 0 && !(st.st_mode & S_IFMT);
}

static int set_vring_kick(struct vhost_session *s)
{
	unsigned i = (unsigned)(s->in.u64 & VHOST_VRING_INDEX);
	struct vhost_ring *ring = NULL;
	int fd = -1;
	int r = vring_fd(s, &ring, &fd);

	if (r < 0)
		return r;
	if (fd < 0)
		return bad(s, "it wants its rings polled, without a kick");
	if (!is_eventfd(fd)) {
		fd_close(&fd);
		return bad(s, "a kick that is no eventfd");
	}
	s->hooks->kick_fd(s->hooks->arg, i, fd);
	if (!ring->q.is_running)
		(void)vring_start(&ring->q); /* broken then: the port looks */
	changed(s);
	return 0;
}

/* However full: no write to it may wait, for that would hold up all other
 * machines.  (Who shares the descriptor could make it wait again: vhost-user's
 * front end is trusted with that, a guest has no word in it.) */
static bool never_waits(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 &&
	       (flags & O_NONBLOCK ||
		fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}

static int set_vring_call(struct vhost_session *s)
{
	struct vhost_ring *ring = NULL;
	struct vring *q;
	int fd = -1;
	int r = vring_fd(s, &ring, &fd);

	if (r < 0)
		return r;
	if (fd >= 0 && (!is_eventfd(fd) || !never_waits(fd))) {
		fd_close(&fd);
		return bad(s, "a call that is no eventfd");
	}
	q = &ring->q;
	fd_close(&q->call_fd);
	q->call_fd = fd;
	/* What the old one told may not have been heard. */
	if (q->is_running) {
		q->signalled = (uint16_t)(q->used_idx - 1);
		vring_signal(q);
	}
	return 0;
}

static int set_vring_err(struct vhost_session *s)
{
	struct vhost_ring *ring = NULL;
	CLEANUP_FD int fd = -1;

	/* Faults are told to the user instead. */
	return vring_fd(s, &ring, &fd);
}

static int set_vring_enable(struct vhost_session *s)
{
	struct vhost_ring *ring = NULL;
	int r = ring_of(s, s->in.state.index, &ring);

	if (r < 0)
		return r;
	ring_enable(s, s->in.state.index, s->in.state.num);
	changed(s);
	return 0;
}

/* ---- features ---- */

uint64_t vhost_offered(const struct vhost_session *s)
{
	return VHOST_FEATURES |
	       (s->n_rings > VHOST_RINGS ? VHOST_FEATURES_MQ : 0);
}

static int set_features(struct vhost_session *s)
{
	const uint64_t known = vhost_offered(s) | VHOST_FRONT_END;
	const uint64_t other = s->in.u64 & ~known;

	if (other)
		return bad(s, "features %#llx, which were not offered",
			   (unsigned long long)other);
	s->features = s->in.u64;
	/* Without the protocol's own bit rings need no enabling. */
	for (unsigned i = 0; i < s->n_rings; i++) {
		if (!vhost_has(s, VHOST_PROTOCOL_FEATURES))
			ring_enable(s, i, true);
	}
	rings_again(s);
	changed(s);
	return 0;
}

static int set_protocol_features(struct vhost_session *s)
{
	if (s->in.u64 & ~VHOST_PROTOCOL)
		return bad(s, "protocol features %#llx, which were not "
			      "offered",
			   (unsigned long long)(s->in.u64 & ~VHOST_PROTOCOL));
	s->protocol = s->in.u64;
	return 0;
}

/* The driver starts from the beginning. */
static int reset_device(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->n_rings; i++) {
		ring_reset(s, i);
		s->ring[i]->is_enabled = false;
		s->ring[i]->q.last_avail = 0;
		s->ring[i]->q.is_set = false;
	}
	s->status = 0;
	changed(s);
	return 0;
}

static int set_status(struct vhost_session *s)
{
	s->status = s->in.u64 & 0xff;
	return s->status ? 0 : reset_device(s);
}

/* ---- memory ---- */

static struct vmem_spec spec_of(const struct vhost_region *v)
{
	return (struct vmem_spec){.gpa = v->gpa,
				  .size = v->size,
				  .uva = v->uva,
				  .offset = v->offset};
}

static int add_region(struct vhost_session *s, const struct vhost_region *v,
		      int fd)
{
	struct vmem_spec spec = spec_of(v);
	int r = vmem_add(&s->mem, &spec, fd);

	if (r < 0)
		return bad(s, "a memory region of %llu bytes at %#llx: %s",
			   (unsigned long long)v->size,
			   (unsigned long long)v->gpa, strerror(-r));
	return 0;
}

static int set_mem_table(struct vhost_session *s)
{
	const struct vhost_mem_table *t = &s->in.table;
	int r = 0;

	if (t->n > VHOST_TABLE_MAX || s->n_fds != t->n ||
	    s->hdr.size < offsetof(struct vhost_mem_table, region) +
				  t->n * sizeof(t->region[0]))
		return bad(s, "a memory table of %u regions and %u "
			      "descriptors",
			   t->n, s->n_fds);
	s->hooks->release(s->hooks->arg);
	vmem_clear(&s->mem);
	for (unsigned i = 0; i < t->n && r == 0; i++)
		r = add_region(s, &t->region[i], s->fds[i]);
	rings_again(s);
	changed(s);
	return r;
}

/* QEMU 7.2 says of each region once for each pair that it is there, and that it
 * is no more; one pair says all before the next begins. */
static bool may_repeat(const struct vhost_session *s)
{
	return s->n_rings > VHOST_RINGS;
}

static int add_mem_reg(struct vhost_session *s)
{
	struct vmem_spec spec = spec_of(&s->in.one.region);
	int r;

	if (s->n_fds != 1)
		return bad(s, "a memory region with %u descriptors", s->n_fds);
	if (may_repeat(s) && vmem_has(&s->mem, &spec))
		return 0;
	r = add_region(s, &s->in.one.region, s->fds[0]);
	rings_again(s);
	changed(s);
	return r;
}

static int rem_mem_reg(struct vhost_session *s)
{
	struct vmem_spec spec = spec_of(&s->in.one.region);

	s->hooks->release(s->hooks->arg);
	if (vmem_del(&s->mem, &spec) < 0)
		return may_repeat(s) ? 0
				     : bad(s, "the end of a memory region that "
					      "is none");
	rings_again(s);
	changed(s);
	return 0;
}

static void log_close(struct vhost_session *s)
{
	if (s->log.map)
		munmap(s->log.map, s->log.map_len);
	s->log = (struct vlog){.is_on = s->log.is_on};
}

static int set_log_base(struct vhost_session *s)
{
	const struct vhost_log *l = &s->in.log;
	uint64_t len = l->offset + l->size;
	void *map;

	if (s->n_fds != 1 || l->size == 0 || len < l->size || len > SIZE_MAX)
		return bad(s, "a log of %llu bytes",
			   (unsigned long long)l->size);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, s->fds[0],
		   0);
	if (map == MAP_FAILED)
		return bad(s, "its log: %s", strerror(errno));
	log_close(s);
	s->log.map = map;
	s->log.map_len = len;
	s->log.bits = s->log.map + l->offset;
	s->log.size = l->size;
	if (s->protocol & VHOST_BIT(VHOST_PF_LOG_SHMFD))
		return answer_u64(s, 0);
	return 0;
}

/* ---- the rest ---- */

static int send_rarp(struct vhost_session *s)
{
	uint8_t guest[6];

	memcpy(guest, &s->in.u64, sizeof(guest));
	s->hooks->announce(s->hooks->arg, guest);
	return 0;
}

static int net_set_mtu(struct vhost_session *s)
{
	if (s->in.u64 < MTU_MIN || s->in.u64 > MTU_MAX)
		return bad(s, "an MTU of %llu", (unsigned long long)s->in.u64);
	s->mtu = (uint16_t)s->in.u64;
	return 0;
}

static int get_features(struct vhost_session *s)
{
	return answer_u64(s, vhost_offered(s));
}

static int get_protocol_features(struct vhost_session *s)
{
	return answer_u64(s, VHOST_PROTOCOL);
}

static int get_queue_num(struct vhost_session *s)
{
	return answer_u64(s, s->n_rings / VHOST_RINGS);
}

static int get_max_mem_slots(struct vhost_session *s)
{
	return answer_u64(s, VMEM_SLOTS);
}

static int get_status(struct vhost_session *s)
{
	return answer_u64(s, s->status);
}

static int nothing_to_do(struct vhost_session *s)
{
	(void)s;
	return 0;
}

/* What each message carries and does. */
static const struct vhost_row {
	int (*fn)(struct vhost_session *s);
	uint16_t least, most; /* bytes of payload */
	bool is_answered;     /* by itself: no acknowledgement besides */
	bool changes;         /* what frames need */
} rows[VHOST_REQUESTS] = {
	[VHOST_GET_FEATURES] = {get_features, 0, 0, true},
	[VHOST_SET_FEATURES] = {set_features, 8, 8, false, true},
	[VHOST_SET_OWNER] = {nothing_to_do, 0, 0, false},
	[VHOST_RESET_OWNER] = {nothing_to_do, 0, 0, false},
	[VHOST_SET_MEM_TABLE] = {set_mem_table, 8, 264, false, true},
	[VHOST_SET_LOG_BASE] = {set_log_base, 16, 16, true, true},
	[VHOST_SET_LOG_FD] = {nothing_to_do, 0, 8, false},
	[VHOST_SET_VRING_NUM] = {set_vring_num, 8, 8, false, true},
	[VHOST_SET_VRING_ADDR] = {set_vring_addr, 40, 40, false, true},
	[VHOST_SET_VRING_BASE] = {set_vring_base, 8, 8, false, true},
	[VHOST_GET_VRING_BASE] = {get_vring_base, 8, 8, true, true},
	[VHOST_SET_VRING_KICK] = {set_vring_kick, 8, 8, false, true},
	[VHOST_SET_VRING_CALL] = {set_vring_call, 8, 8, false, true},
	[VHOST_SET_VRING_ERR] = {set_vring_err, 8, 8, false},
	[VHOST_GET_PROTOCOL_FEATURES] = {get_protocol_features, 0, 0, true},
	[VHOST_SET_PROTOCOL_FEATURES] = {set_protocol_features, 8, 8, false},
	[VHOST_GET_QUEUE_NUM] = {get_queue_num, 0, 0, true},
	[VHOST_SET_VRING_ENABLE] = {set_vring_enable, 8, 8, false, true},
	[VHOST_SEND_RARP] = {send_rarp, 8, 8, false},
	[VHOST_NET_SET_MTU] = {net_set_mtu, 8, 8, false},
	[VHOST_RESET_DEVICE] = {reset_device, 0, 0, false, true},
	[VHOST_GET_MAX_MEM_SLOTS] = {get_max_mem_slots, 0, 0, true},
	[VHOST_ADD_MEM_REG] = {add_mem_reg, 40, 40, false, true},
	[VHOST_REM_MEM_REG] = {rem_mem_reg, 40, 40, false, true},
	[VHOST_SET_STATUS] = {set_status, 8, 8, false, true},
	[VHOST_GET_STATUS] = {get_status, 0, 0, true},
};

static int handle(struct vhost_session *s)
{
	const struct vhost_hdr *h = &s->hdr;
	const struct vhost_row *row =
		h->request < VHOST_REQUESTS ? &rows[h->request] : NULL;
	bool acks = (h->flags & VHOST_F_NEED_REPLY) &&
		    (s->protocol & VHOST_BIT(VHOST_PF_REPLY_ACK));
	int r;

	if (!row || !row->fn)
		return bad(s, "message %u, which is none of a network card",
			   h->request);
	if (h->size < row->least || h->size > row->most)
		return bad(s, "message %u of %u bytes", h->request, h->size);
	if (row->changes)
		s->hooks->begin(s->hooks->arg);
	r = row->fn(s);
	if (row->changes)
		s->hooks->end(s->hooks->arg);
	if (acks && !row->is_answered && r == 0)
		return answer_u64(s, 0);
	/* A refusal is told, too; then the connection ends. */
	if (acks && !row->is_answered && r == -EPROTO) {
		char why[sizeof(s->why)];

		memcpy(why, s->why, sizeof(why));
		(void)answer_u64(s, 1);
		memcpy(s->why, why, sizeof(why));
	}
	return r;
}

/* ---- reading ---- */

/* Reads towards want bytes; 1 when they are there. */
static int fill(struct vhost_session *s, void *at, size_t have, size_t want)
{
	ssize_t n;

	if (have == want)
		return 1;
	if (s->got == 0) /* descriptors come with the first byte */
		n = fd_recv(s->fd, at, want, s->fds, VHOST_FDS_MAX, &s->n_fds);
	else
		n = recv(s->fd, (uint8_t *)at + have, want - have,
			 MSG_DONTWAIT);
	if (n < 0 && s->got)
		n = -errno;
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n <= 0)
		return n < 0 ? (int)n : -ECONNRESET;
	s->got += (unsigned)n;
	return have + (size_t)n == want ? 1 : 0;
}

static int read_message(struct vhost_session *s)
{
	int r;

	if (s->got < VHOST_HDR_LEN) {
		r = fill(s, &s->hdr, s->got, VHOST_HDR_LEN);
		if (r != 1)
			return r;
		if ((s->hdr.flags & VHOST_VERSION_MASK) != VHOST_VERSION)
			return bad(s, "version %u of the protocol",
				   s->hdr.flags & VHOST_VERSION_MASK);
		if (s->hdr.size > sizeof(s->in))
			return bad(s, "message %u of %u bytes",
				   s->hdr.request, s->hdr.size);
		memset(&s->in, 0, sizeof(s->in));
	}
	return fill(s, &s->in, s->got - VHOST_HDR_LEN, s->hdr.size);
}

int vhost_session_step(struct vhost_session *s)
{
	int r;

	/* A short read is no end: there may be more behind it. */
	do {
		unsigned before = s->got;

		r = read_message(s);
		if (r == 0 && s->got == before)
			return 0;
	} while (r == 0);
	if (r < 0)
		return r;
	r = handle(s);
	fds_close(s);
	s->got = 0;
	return r < 0 ? r : 1;
}

void vhost_session_init(struct vhost_session *s, int fd,
			const struct vhost_hooks *hooks,
			struct vhost_ring *const *ring, unsigned n_rings)
{
	*s = (struct vhost_session){.fd = fd,
				    .hooks = hooks,
				    .ring = ring,
				    .n_rings = n_rings};
	for (unsigned i = 0; i < n_rings; i++)
		*ring[i] = (struct vhost_ring){.q = {.mem = &s->mem,
						     .log = &s->log,
						     .call_fd = -1}};
}

void vhost_session_deinit(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->n_rings; i++) {
		ring_reset(s, i);
		fd_close(&s->ring[i]->q.call_fd);
	}
	fds_close(s);
	log_close(s);
	vmem_clear(&s->mem);
	s->fd = -1;
}
