/* SPDX-License-Identifier: BSD-3-Clause */
/* See pairs_vhost.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "netdev/vhost_msg.h"
#include "tools/pairs_vhost.h"

enum { PAGE = 4096 };

/* The machine's memory as the engine sees it: nowhere near our own. */
#define GPA_BASE UINT64_C(0x40000000)

struct vm vm = {.fd = -1};

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("pairs: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* ---- messages ---- */

static void say(uint32_t request, uint32_t flags, const void *payload,
		uint32_t size, int fd)
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
	if (sendmsg(vm.fd, &m, MSG_NOSIGNAL) != (ssize_t)iov.iov_len)
		die("message %u: %s", request, strerror(errno));
}

static void say_u64(uint32_t request, uint64_t u, int fd)
{
	say(request, 0, &u, sizeof(u), fd);
}

static void say_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_vring_state st = {index, num};

	say(request, 0, &st, sizeof(st), -1);
}

static uint64_t hear(uint32_t request)
{
	uint8_t buf[VHOST_HDR_LEN + sizeof(uint64_t)];
	struct vhost_hdr h;
	uint64_t u;

	if (recv(vm.fd, buf, sizeof(buf), MSG_WAITALL) != sizeof(buf))
		die("message %u: the engine is gone", request);
	memcpy(&h, buf, sizeof(h));
	if (h.request != request || !(h.flags & VHOST_F_REPLY) ||
	    h.size != sizeof(u))
		die("message %u: an answer to %u, of %u bytes", request,
		    h.request, h.size);
	memcpy(&u, buf + sizeof(h), sizeof(u));
	return u;
}

static uint64_t ask(uint32_t request)
{
	say(request, 0, NULL, 0, -1);
	return hear(request);
}

/* ---- memory and rings ---- */

uint64_t gpa(const void *p)
{
	return GPA_BASE + (uint64_t)((const uint8_t *)p - vm.mem);
}

static uint8_t *take(uint64_t *lenp, uint64_t size)
{
	uint64_t at = *lenp;

	*lenp = (at + size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	return vm.mem + at;
}

static void ring_init(struct vq *q, uint64_t *lenp, uint32_t n)
{
	q->desc = (void *)take(lenp, n * sizeof(*q->desc));
	q->avail = (void *)take(lenp, 6 + 2 * n);
	q->used = (void *)take(lenp, 6 + n * sizeof(struct vq_elem));
	q->used_event = &q->avail->ring[n];
	q->avail_event = (const void *)&q->used->ring[n];
	q->mask = n - 1;
	q->event_idx = vm.features >> VIRTIO_EVENT_IDX & 1;
	q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->kick < 0 || q->call < 0)
		die("eventfd: %s", strerror(errno));
}

static void pair_init(struct pair *p, uint64_t *lenp)
{
	ring_init(&p->rx, lenp, RX_SIZE);
	ring_init(&p->tx, lenp, TX_SIZE);
	p->rx_at = take(lenp, RX_SIZE * RX_BUF);
	p->tx_at = take(lenp, (uint64_t)TX_SIZE * TX_BUF);
	p->is_on = true;
	for (uint16_t i = 0; i < RX_SIZE; i++) {
		p->rx.desc[i] =
			(struct vq_desc){.addr = gpa(p->rx_at + i * RX_BUF),
					 .len = RX_BUF,
					 .flags = VQ_F_WRITE};
		vq_offer(&p->rx, i);
	}
	vq_publish(&p->rx);
	for (uint16_t i = 0; i < TX_SIZE; i++)
		p->free[p->n_free++] = i;
}

void tell_memory(void)
{
	const struct vhost_mem_table t = {
		.n = 1,
		.region = {{.gpa = GPA_BASE,
			    .size = vm.len,
			    .uva = (uint64_t)(uintptr_t)vm.mem}},
	};

	say(VHOST_SET_MEM_TABLE, VHOST_F_NEED_REPLY, &t,
	    8 + sizeof(t.region[0]), vm.memfd);
	if (hear(VHOST_SET_MEM_TABLE))
		die("the engine refuses the memory");
}

static void ring_start(const struct vq *q, uint32_t i, uint32_t base, bool on)
{
	const struct vhost_vring_addr a = {
		.index = i,
		.desc = (uint64_t)(uintptr_t)q->desc,
		.avail = (uint64_t)(uintptr_t)q->avail,
		.used = (uint64_t)(uintptr_t)q->used,
	};

	say_state(VHOST_SET_VRING_NUM, i, q->mask + 1);
	say_state(VHOST_SET_VRING_BASE, i, base);
	say(VHOST_SET_VRING_ADDR, 0, &a, sizeof(a), -1);
	say_u64(VHOST_SET_VRING_KICK, i, q->kick);
	say_u64(VHOST_SET_VRING_CALL, i, q->call);
	say_state(VHOST_SET_VRING_ENABLE, i, on);
}

static struct vq *ring(unsigned i)
{
	struct pair *p = &vm.pairs[i / 2];

	return i % 2 ? &p->tx : &p->rx;
}

void restart(unsigned i)
{
	struct vhost_vring_state st = {i, 0};
	struct vq *q = ring(i);
	uint64_t answer;

	say(VHOST_GET_VRING_BASE, 0, &st, sizeof(st), -1);
	answer = hear(VHOST_GET_VRING_BASE);
	memcpy(&st, &answer, sizeof(st));
	if (st.index != i ||
	    st.num != __atomic_load_n(&q->used->idx, __ATOMIC_SEQ_CST))
		die("ring %u stops at %u, and has used %u", i, st.num,
		    q->used->idx);
	ring_start(q, i, st.num, vm.pairs[i / 2].is_on);
}

void enable(unsigned pair, bool on)
{
	say_state(VHOST_SET_VRING_ENABLE, 2 * pair, on);
	say_state(VHOST_SET_VRING_ENABLE, 2 * pair + 1, on);
	vm.pairs[pair].is_on = on;
}

static void agree(void)
{
	uint64_t wanted =
		VHOST_BIT(VIRTIO_VERSION_1) | VHOST_BIT(VIRTIO_NET_MRG_RXBUF) |
		VHOST_BIT(VIRTIO_EVENT_IDX) | VHOST_BIT(VIRTIO_NET_MQ) |
		VHOST_BIT(VHOST_PROTOCOL_FEATURES) |
		VHOST_BIT(VIRTIO_NET_CSUM) | VHOST_BIT(VIRTIO_NET_GUEST_CSUM) |
		VHOST_BIT(VIRTIO_NET_HOST_TSO4) |
		VHOST_BIT(VIRTIO_NET_HOST_TSO6) |
		VHOST_BIT(VIRTIO_NET_GUEST_TSO4) |
		VHOST_BIT(VIRTIO_NET_GUEST_TSO6);
	const uint64_t protocol =
		VHOST_BIT(VHOST_PF_MQ) | VHOST_BIT(VHOST_PF_REPLY_ACK);

	if (vm.n == 1)
		wanted &= ~VHOST_BIT(VIRTIO_NET_MQ);
	vm.features = ask(VHOST_GET_FEATURES) & wanted;
	if (vm.features != wanted)
		die("the engine lacks features %#" PRIx64,
		    wanted & ~vm.features);
	if ((ask(VHOST_GET_PROTOCOL_FEATURES) & protocol) != protocol)
		die("the engine lacks features of the protocol");
	say_u64(VHOST_SET_PROTOCOL_FEATURES, protocol, -1);
	if (ask(VHOST_GET_QUEUE_NUM) < vm.n)
		die("the engine has too few queues");
}

void plug(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	vm.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (vm.fd < 0 || connect(vm.fd, (void *)&sa, sizeof(sa)) < 0)
		die("%s: %s", path, strerror(errno));
	agree();
	vm.len = (uint64_t)vm.n *
		 (RX_SIZE * RX_BUF + TX_SIZE * TX_BUF + 16 * PAGE);
	vm.memfd = memfd_create("machine", MFD_CLOEXEC);
	if (vm.memfd < 0 || ftruncate(vm.memfd, (off_t)vm.len) < 0)
		die("memory: %s", strerror(errno));
	vm.mem = mmap(NULL, vm.len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      vm.memfd, 0);
	if (vm.mem == MAP_FAILED)
		die("memory: %s", strerror(errno));
	vm.len = 0;
	for (unsigned i = 0; i < vm.n; i++)
		pair_init(&vm.pairs[i], &vm.len);
	say(VHOST_SET_OWNER, 0, NULL, 0, -1);
	say_u64(VHOST_SET_FEATURES, vm.features, -1);
	tell_memory();
	for (unsigned i = 0; i < 2 * vm.n; i++)
		ring_start(ring(i), i, 0, true);
	/* Who answers has come so far. */
	ask(VHOST_GET_FEATURES);
}
