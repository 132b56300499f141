/* SPDX-License-Identifier: BSD-3-Clause */
/* A vhost-user front end for tests, see rig_vhost.h. */
#include "netdev/rig_vhost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/vnethdr.h"
#include "os/clock.h"
#include "os/fdpass.h"

enum {
	HEAR_MS = 60000, /* until who is asked is taken for dead */
	F_NEXT = 1,
	F_WRITE = 2,
	F_INDIRECT = 4,
	PAGE = 4096,
	TABLE_LEN = VPEER_DESCS * 16,
};

static uint64_t page_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* ---- memory ---- */

static unsigned n_rings(const struct vpeer *v)
{
	return v->c.pairs * VHOST_RINGS;
}

static unsigned n_slots(const struct vpeer *v)
{
	return v->c.pairs * v->c.tx_slots;
}

static void ring_lay(struct vpeer *v, unsigned i, uint32_t size)
{
	struct vpeer_ring *q = &v->ring[i];

	q->size = size;
	q->desc = v->len;
	q->avail = q->desc + size * 16u;
	q->used = page_up(q->avail + 6 + size * 2u);
	v->len = page_up(q->used + 6 + size * 8u);
	q->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	q->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(q->kick >= 0 && q->call >= 0);
}

void vpeer_init(struct vpeer *v, struct rig *r, int fd,
		const struct vpeer_config *c)
{
	*v = (struct vpeer){.c = *c, .rig = r, .fd = fd};
	if (!v->c.tx_slots)
		v->c.tx_slots = 64;
	if (!v->c.rx_size)
		v->c.rx_size = 256;
	if (!v->c.rx_buf)
		v->c.rx_buf = 1526;
	if (!v->c.pairs)
		v->c.pairs = 1;
	if (!v->c.offered)
		v->c.offered = v->c.pairs;
	for (unsigned i = 0; i < n_rings(v); i++)
		ring_lay(v, i,
			 i % VHOST_RINGS == VHOST_RX
				 ? v->c.rx_size
				 : v->c.tx_slots * VPEER_DESCS);
	v->table_at = v->len;
	v->len = page_up(v->len + n_slots(v) * (uint64_t)TABLE_LEN);
	v->tx_at = v->len;
	v->len += n_slots(v) * (uint64_t)VPEER_FRAME;
	/* Somewhere in the frames: some lie across the hole. */
	v->low = page_up(v->tx_at + VPEER_FRAME * (v->c.tx_slots / 2u) + PAGE);
	v->rx_at = v->len;
	v->len = page_up(v->len + v->c.pairs * v->c.rx_size *
					  (uint64_t)v->c.rx_buf);
	v->memfd = memfd_create("guest", MFD_CLOEXEC);
	assert_true(v->memfd >= 0);
	assert_int_equal(ftruncate(v->memfd, (off_t)v->len), 0);
	v->mem = mmap(NULL, v->len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->memfd, 0);
	assert_ptr_not_equal(v->mem, MAP_FAILED);
	v->tx_busy = calloc(n_slots(v), sizeof(bool));
	assert_non_null(v->tx_busy);
}

void vpeer_deinit(struct vpeer *v)
{
	for (unsigned i = 0; i < n_rings(v); i++) {
		fd_close(&v->ring[i].kick);
		fd_close(&v->ring[i].call);
	}
	fd_close(&v->fd);
	fd_close(&v->memfd);
	munmap(v->mem, v->len);
	free(v->tx_busy);
}

uint64_t vpeer_gpa(const struct vpeer *v, uint64_t off)
{
	return off < v->low ? off : VPEER_GPA_HIGH + (off - v->low);
}

static uint16_t *at16(const struct vpeer *v, uint64_t off)
{
	return (uint16_t *)(void *)(v->mem + off);
}

void vpeer_desc(struct vpeer *v, unsigned ring, uint16_t i, uint64_t gpa,
		uint32_t len, uint16_t flags, uint16_t next)
{
	uint8_t *p = v->mem + v->ring[ring].desc + i * 16u;

	memcpy(p, &gpa, 8);
	memcpy(p + 8, &len, 4);
	memcpy(p + 12, &flags, 2);
	memcpy(p + 14, &next, 2);
}

static void kick(struct vpeer *v, unsigned ring)
{
	struct vpeer_ring *q = &v->ring[ring];
	uint64_t one = 1;
	bool wants;

	if (v->features & VHOST_BIT(VIRTIO_EVENT_IDX))
		wants = __atomic_load_n(at16(v, q->used + 4 + q->size * 8u),
					__ATOMIC_SEQ_CST) ==
			(uint16_t)(q->avail_idx - 1);
	else
		wants = !(__atomic_load_n(at16(v, q->used), __ATOMIC_SEQ_CST) &
			  1);
	if (wants)
		assert_int_equal(write(q->kick, &one, 8), 8);
}

void vpeer_offer(struct vpeer *v, unsigned ring, uint16_t head)
{
	struct vpeer_ring *q = &v->ring[ring];

	*at16(v, q->avail + 4 + (q->avail_idx & (q->size - 1)) * 2u) = head;
	q->avail_idx++;
	__atomic_store_n(at16(v, q->avail + 2), q->avail_idx,
			 __ATOMIC_SEQ_CST);
	kick(v, ring);
}

/* The next used element; false: there is none. */
static bool take_used(struct vpeer *v, unsigned ring, uint32_t *head,
		      uint32_t *len)
{
	struct vpeer_ring *q = &v->ring[ring];
	uint16_t idx = __atomic_load_n(at16(v, q->used + 2), __ATOMIC_ACQUIRE);
	const uint8_t *p;

	if (q->last_used == idx)
		return false;
	p = v->mem + q->used + 4 + (q->last_used & (q->size - 1)) * 8u;
	memcpy(head, p, 4);
	memcpy(len, p + 4, 4);
	assert_true(*head < q->size);
	q->last_used++;
	/* Told at the next one, by event index. */
	*at16(v, q->avail + 4 + q->size * 2u) = q->last_used;
	return true;
}

uint64_t vpeer_count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, 8) == 8 ? n : 0;
}

bool vpeer_is_dirty(const uint8_t *log, uint64_t gpa)
{
	return log[gpa / PAGE / 8] >> (gpa / PAGE % 8) & 1;
}

/* ---- messages ---- */

void vpeer_say(struct vpeer *v, uint32_t request, uint32_t flags,
	       const void *payload, uint32_t size, int fd)
{
	uint8_t buf[VHOST_HDR_LEN + sizeof(union vhost_payload)];
	struct vhost_hdr h = {request, VHOST_VERSION | flags, size};

	memcpy(buf, &h, sizeof(h));
	if (size)
		memcpy(buf + sizeof(h), payload, size);
	assert_int_equal(fd_send(v->fd, buf, sizeof(h) + size, &fd, fd >= 0),
			 0);
	rig_turn(v->rig, 0);
}

bool vpeer_hear(struct vpeer *v, uint32_t request, void *payload, uint32_t size)
{
	uint8_t buf[VHOST_HDR_LEN + sizeof(union vhost_payload)];
	struct vhost_hdr h;
	const int64_t until = now_ms() + HEAR_MS;
	ssize_t n = -1;

	for (unsigned i = 0; n < 0 && now_ms() < until; i++) {
		rig_turn(v->rig, i ? 10 : 0);
		n = recv(v->fd, buf, VHOST_HDR_LEN + size, MSG_DONTWAIT);
	}
	if (n <= 0)
		return false;
	assert_int_equal(n, VHOST_HDR_LEN + size);
	memcpy(&h, buf, sizeof(h));
	assert_int_equal(h.request, request);
	assert_int_equal(h.flags, VHOST_VERSION | VHOST_F_REPLY);
	assert_int_equal(h.size, size);
	memcpy(payload, buf + VHOST_HDR_LEN, size);
	return true;
}

uint64_t vpeer_ask(struct vpeer *v, uint32_t request)
{
	uint64_t u = 0;

	vpeer_say(v, request, 0, NULL, 0, -1);
	assert_true(vpeer_hear(v, request, &u, sizeof(u)));
	return u;
}

/* With an acknowledgement where the protocol has one. */
static void tell(struct vpeer *v, uint32_t request, const void *payload,
		 uint32_t size, int fd)
{
	uint64_t ack = 1;

	vpeer_say(v, request, v->c.no_protocol ? 0 : VHOST_F_NEED_REPLY,
		  payload, size, fd);
	if (v->c.no_protocol)
		return;
	assert_true(vpeer_hear(v, request, &ack, sizeof(ack)));
	assert_int_equal(ack, 0);
}

static void region(const struct vpeer *v, unsigned i, struct vhost_region *r)
{
	*r = (struct vhost_region){.size = v->low, .uva = VPEER_UVA};
	if (i)
		*r = (struct vhost_region){.gpa = VPEER_GPA_HIGH,
					   .size = v->len - v->low,
					   .uva = VPEER_UVA + v->low +
						  0x10000000,
					   .offset = v->low};
}

void vpeer_share_memory(struct vpeer *v)
{
	struct vhost_mem_table t = {.n = 2};
	struct vhost_hdr h = {VHOST_SET_MEM_TABLE, VHOST_VERSION,
			      8 + 2 * sizeof(struct vhost_region)};
	uint8_t buf[VHOST_HDR_LEN + sizeof(t)];
	int fds[2] = {v->memfd, v->memfd};

	for (unsigned i = 0; i < 2; i++)
		region(v, i, &t.region[i]);
	if (v->c.by_slots) {
		for (unsigned i = 0; i < 2; i++) {
			struct vhost_one_region one = {.region = t.region[i]};

			tell(v, VHOST_ADD_MEM_REG, &one, sizeof(one),
			     v->memfd);
		}
		return;
	}
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), &t, sizeof(t));
	assert_int_equal(fd_send(v->fd, buf, sizeof(h) + h.size, fds, 2), 0);
	rig_turn(v->rig, 0);
}

static void state(struct vpeer *v, uint32_t request, unsigned i, uint32_t num)
{
	struct vhost_vring_state st = {i, num};

	tell(v, request, &st, sizeof(st), -1);
}

void vpeer_ring_start(struct vpeer *v, unsigned i)
{
	const struct vpeer_ring *q = &v->ring[i];
	uint16_t base = *at16(v, q->used + 2);
	struct vhost_vring_addr a = {
		.index = i,
		.desc = VPEER_UVA + q->desc,
		.avail = VPEER_UVA + q->avail,
		.used = VPEER_UVA + q->used,
	};
	uint64_t index = i;

	state(v, VHOST_SET_VRING_NUM, i, q->size);
	state(v, VHOST_SET_VRING_BASE, i, base);
	tell(v, VHOST_SET_VRING_ADDR, &a, sizeof(a), -1);
	tell(v, VHOST_SET_VRING_KICK, &index, 8, q->kick);
	tell(v, VHOST_SET_VRING_CALL, &index, 8, q->call);
	if (!v->c.no_protocol)
		state(v, VHOST_SET_VRING_ENABLE, i, 1);
}

/* Where the receive buffer i of a pair is. */
static uint64_t rx_buffer(const struct vpeer *v, unsigned pair, uint32_t i)
{
	return v->rx_at +
	       (pair * v->c.rx_size + i) * (uint64_t)v->c.rx_buf;
}

static void post(struct vpeer *v, unsigned pair, uint16_t i)
{
	unsigned ring = pair * VHOST_RINGS + VHOST_RX;
	uint64_t off = rx_buffer(v, pair, i);

	vpeer_desc(v, ring, i, vpeer_gpa(v, off), v->c.rx_buf, F_WRITE, 0);
	vpeer_offer(v, ring, i);
}

void vpeer_rings(struct vpeer *v)
{
	for (unsigned i = 0; i < n_rings(v); i++)
		vpeer_ring_start(v, i);
}

void vpeer_ring_stop(struct vpeer *v, unsigned i)
{
	struct vhost_vring_state st = {.index = i};

	vpeer_say(v, VHOST_GET_VRING_BASE, 0, &st, sizeof(st), -1);
	assert_true(vpeer_hear(v, VHOST_GET_VRING_BASE, &st, sizeof(st)));
	assert_int_equal(st.index, i);
	/* Nothing is held: all that was taken was given back. */
	assert_int_equal(st.num, *at16(v, v->ring[i].used + 2));
}

void vpeer_stop(struct vpeer *v)
{
	for (unsigned i = 0; i < n_rings(v); i++)
		vpeer_ring_stop(v, i);
}

void vpeer_enable(struct vpeer *v, unsigned pair, bool on)
{
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		state(v, VHOST_SET_VRING_ENABLE, pair * VHOST_RINGS + i, on);
}

void vpeer_start_rings_anew(struct vpeer *v)
{
	vpeer_rings(v);
	for (unsigned pair = 0; pair < v->c.pairs; pair++)
		for (unsigned i = 0; i < v->c.rx_size; i++)
			post(v, pair, (uint16_t)i);
	for (unsigned i = 0; i < 4; i++)
		rig_turn(v->rig, 0);
}

void vpeer_start(struct vpeer *v)
{
	uint64_t offered = vpeer_ask(v, VHOST_GET_FEATURES), protocol;

	v->features = v->c.features ? v->c.features : offered;
	v->features &= ~VHOST_BIT(VHOST_LOG_ALL);
	if (!v->c.no_protocol) {
		v->features |= VHOST_BIT(VHOST_PROTOCOL_FEATURES);
		protocol = vpeer_ask(v, VHOST_GET_PROTOCOL_FEATURES);
		vpeer_say(v, VHOST_SET_PROTOCOL_FEATURES, 0, &protocol, 8, -1);
		assert_int_equal(vpeer_ask(v, VHOST_GET_QUEUE_NUM),
				 v->c.offered);
	} else {
		v->features &= ~VHOST_BIT(VHOST_PROTOCOL_FEATURES);
	}
	assert_int_equal(v->features & ~offered, 0);
	v->hdr_len = v->features & (VHOST_BIT(VIRTIO_VERSION_1) |
				    VHOST_BIT(VIRTIO_NET_MRG_RXBUF))
			     ? 12
			     : 10;
	tell(v, VHOST_SET_OWNER, NULL, 0, -1);
	tell(v, VHOST_SET_FEATURES, &v->features, 8, -1);
	vpeer_share_memory(v);
	vpeer_start_rings_anew(v);
}

/* ---- the driver ---- */

static unsigned tx_ring(unsigned pair)
{
	return pair * VHOST_RINGS + VHOST_TX;
}

static void reap(struct vpeer *v, unsigned pair)
{
	bool *busy = v->tx_busy + pair * v->c.tx_slots;
	uint32_t head, len;

	while (take_used(v, tx_ring(pair), &head, &len))
		busy[head / VPEER_DESCS] = false;
}

/* The pieces a frame is laid out in: header, then parts of the rest. */
static unsigned cut(const struct vpeer *v, uint32_t total, uint32_t *piece)
{
	unsigned n = 0, parts;

	switch (v->turn % 4) {
	case 0:
		piece[0] = total;
		return 1;
	case 1: /* as drivers of the first days */
		piece[0] = v->hdr_len;
		piece[1] = total - v->hdr_len;
		return 2;
	case 2: /* in the middle of the header */
		piece[0] = 5;
		piece[1] = total - 5;
		return 2;
	}
	parts = VPEER_DESCS - 1;
	for (uint32_t left = total; left; left -= piece[n - 1]) {
		piece[n] = left / (parts - n);
		n++;
	}
	return n;
}

/* slot: of all pairs' */
static void put_chain(struct vpeer *v, unsigned slot, uint64_t off,
		      uint32_t total)
{
	uint64_t table = v->table_at + slot * (uint64_t)TABLE_LEN;
	unsigned ring = tx_ring(slot / v->c.tx_slots);
	uint16_t first = (uint16_t)(slot % v->c.tx_slots * VPEER_DESCS);
	bool indirect = (v->features & VHOST_BIT(VIRTIO_INDIRECT_DESC)) &&
			v->turn % 8 >= 4;
	struct vpeer_ring saved = v->ring[ring];
	uint32_t piece[VPEER_DESCS];
	unsigned n = cut(v, total, piece);

	if (indirect)
		v->ring[ring].desc = table;
	for (unsigned i = 0; i < n; i++) {
		uint16_t at = (uint16_t)(indirect ? i : first + i);

		vpeer_desc(v, ring, at, vpeer_gpa(v, off), piece[i],
			   i + 1 < n ? F_NEXT : 0, (uint16_t)(at + 1));
		off += piece[i];
	}
	v->ring[ring] = saved;
	if (indirect)
		vpeer_desc(v, ring, first, vpeer_gpa(v, table), n * 16,
			   F_INDIRECT, 0);
	v->turn++;
}

bool vpeer_send_on(struct vpeer *v, unsigned pair, const uint8_t *hdr,
		   const void *p, uint32_t len)
{
	unsigned slot = pair * v->c.tx_slots, end = slot + v->c.tx_slots;
	uint64_t off;

	reap(v, pair);
	while (slot < end && v->tx_busy[slot])
		slot++;
	if (slot == end || v->fd < 0)
		return false;
	off = v->tx_at + slot * (uint64_t)VPEER_FRAME;
	if (off < v->low && off + VPEER_FRAME > v->low)
		off = v->low; /* this slot's begins behind the hole */
	memset(v->mem + off, 0, v->hdr_len);
	if (hdr)
		memcpy(v->mem + off, hdr, v->hdr_len);
	memcpy(v->mem + off + v->hdr_len, p, len);
	v->tx_busy[slot] = true;
	put_chain(v, slot, off, v->hdr_len + len);
	vpeer_offer(v, tx_ring(pair),
		    (uint16_t)(slot % v->c.tx_slots * VPEER_DESCS));
	return true;
}

bool vpeer_send_hdr(struct vpeer *v, const uint8_t *hdr, const void *p,
		    uint32_t len)
{
	return vpeer_send_on(v, 0, hdr, p, len);
}

bool vpeer_send(struct vpeer *v, const void *p, uint32_t len)
{
	const bool *busy = v->tx_busy + v->pair * v->c.tx_slots;
	unsigned slot = 0;

	reap(v, v->pair);
	while (slot < v->c.tx_slots && !busy[slot])
		slot++;
	if (slot == v->c.tx_slots)
		v->pair = (v->pair + 1) % v->c.pairs;
	return vpeer_send_on(v, v->pair, NULL, p, len);
}

uint32_t vpeer_recv_on(struct vpeer *v, unsigned pair, uint8_t *hdr, void *p,
		       uint32_t room)
{
	uint8_t own[VNETHDR_LEN] = {0};
	uint32_t head = 0, len = 0, total = 0;
	uint16_t n_buffers = 1;

	if (!hdr)
		hdr = own;
	for (unsigned i = 0; i < n_buffers; i++) {
		const uint8_t *buf;
		uint32_t skip = i ? 0 : v->hdr_len;

		if (!take_used(v, pair * VHOST_RINGS + VHOST_RX, &head,
			       &len)) {
			assert_int_equal(i, 0);
			return 0;
		}
		assert_true(len >= skip && len <= v->c.rx_buf);
		buf = v->mem + rx_buffer(v, pair, head);
		if (i == 0)
			memcpy(hdr, buf, v->hdr_len);
		if (i == 0 && (v->features & VHOST_BIT(VIRTIO_NET_MRG_RXBUF)))
			memcpy(&n_buffers, buf + 10, 2);
		assert_true(n_buffers > 0);
		assert_true(total + len - skip <= room);
		memcpy((uint8_t *)p + total, buf + skip, len - skip);
		total += len - skip;
		post(v, pair, (uint16_t)head);
	}
	return total;
}

uint32_t vpeer_recv_hdr(struct vpeer *v, uint8_t *hdr, void *p, uint32_t room)
{
	return vpeer_recv_on(v, 0, hdr, p, room);
}

uint32_t vpeer_recv(struct vpeer *v, void *p, uint32_t room)
{
	uint32_t len = 0;

	for (unsigned pair = 0; pair < v->c.pairs && !len; pair++)
		len = vpeer_recv_on(v, pair, NULL, p, room);
	return len;
}
