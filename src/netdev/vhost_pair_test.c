/* SPDX-License-Identifier: BSD-3-Clause */
/* Two vhost-user guests on one lan: what goes from ring to ring, what goes to
 * others besides, and what waits in the sender's ring for room in the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/rig_vhost.h"
#include "netdev/vhost_user.h"
#include "netdev/vnethdr.h"

#define MS UINT64_C(1000000)

enum {
	A,
	B,
	TX_SLOTS = 64,
	RX = 32,   /* buffers of a guest: what it can be sent unread */
	LEN = 700, /* of a frame */
	SEQ_AT = 20,
	TCP4_HDRS = 54,
	GSO_TCP4 = 1,
	MSS = 1448,
	MANY = 20, /* turns in which everything has happened */
};

struct guest {
	struct port *port;
	struct vpeer peer;
};

/* The guests, a machine that takes every offload and one that takes none. */
struct bench {
	struct rig rig;
	struct guest g[2];
	struct mem_port *all, *none;
	uint32_t seq; /* of the next frame */
	uint8_t buf[FRAME_MAX], got[FRAME_MAX];
	unsigned n_in_place; /* frames `all` and `none` saw in a's memory */
	struct frame_offload off; /* of the last that `all` saw */
};

static const uint8_t macs[2][6] = {{0x52, 0x54, 0, 1, 2, 3},
				   {0x52, 0x54, 0, 4, 5, 6}};
static const uint8_t all_mac[6] = {0x52, 0x54, 0, 7, 8, 9};
static const uint8_t none_mac[6] = {0x52, 0x54, 0, 10, 11, 12};
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* The tail of what is sent lies in the memory of a itself. */
static void look_none(void *arg, const struct frame *f)
{
	struct bench *b = arg;
	const struct vmem *m = &vhost_of(b->g[A].port)->s.mem;

	for (unsigned i = 0; i < f->n_iov; i++)
		if (vmem_gpa_of(m, f->iov[i].iov_base) == UINT64_MAX)
			return;
	b->n_in_place += f->n_iov > 0;
}

static void look_all(void *arg, const struct frame *f)
{
	struct bench *b = arg;

	b->off = f->off;
	look_none(arg, f);
}

static void connect_guest(struct bench *b, unsigned i, bool is_new,
			  const struct vpeer_config *c)
{
	struct netdev_stream_config nc = {.name = i == A ? "a" : "b"};
	struct guest *g = &b->g[i];
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	nc.fd = fd[0];
	if (is_new)
		assert_int_equal(netdev_vhost_new(&b->rig.env, &nc, &g->port),
				 0);
	else
		assert_int_equal(netdev_vhost_attach(g->port, fd[0]), 0);
	vpeer_init(&g->peer, &b->rig, fd[1], c);
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < MANY; i++)
		rig_turn(&b->rig, 0);
}

static uint8_t *make(struct bench *b, const uint8_t *dst, const uint8_t *src,
		     uint32_t len)
{
	for (uint32_t i = 14; i < len; i++)
		b->buf[i] = (uint8_t)(i * 7 + b->seq);
	memcpy(b->buf, dst, 6);
	memcpy(b->buf + 6, src, 6);
	b->buf[12] = 0x88;
	b->buf[13] = 0xb5; /* for experiments */
	memcpy(b->buf + SEQ_AT, &b->seq, 4);
	b->seq++;
	return b->buf;
}

static void drain(struct bench *b)
{
	for (unsigned i = 0; i < 2; i++)
		while (vpeer_recv(&b->g[i].peer, b->got, FRAME_MAX))
			;
	while (mem_port_pop(b->all, b->got, FRAME_MAX))
		;
	while (mem_port_pop(b->none, b->got, FRAME_MAX))
		;
	turns(b);
}

/* The lan knows who is where. */
static void introduce(struct bench *b)
{
	for (unsigned i = 0; i < 2; i++)
		assert_true(vpeer_send(&b->g[i].peer,
				       make(b, everybody, macs[i], 60), 60));
	assert_true(mem_port_push(b->all, make(b, everybody, all_mac, 60), 60));
	assert_true(mem_port_push(b->none, make(b, everybody, none_mac, 60),
				  60));
	turns(b);
	drain(b);
	memset(&b->rig.drops, 0, sizeof(b->rig.drops));
	b->seq = 0;
}

static struct bench *bench_new(const struct vpeer_config *c)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	rig_init_clock(&b->rig);
	b->all = mem_port_new(&b->rig, b->rig.lan, "all", 256);
	b->all->port.caps.offload = PORT_O_ALL;
	b->all->look = look_all;
	b->none = mem_port_new(&b->rig, b->rig.lan, "none", 256);
	b->none->look = look_none;
	b->all->look_arg = b->none->look_arg = b;
	for (unsigned i = 0; i < 2; i++) {
		connect_guest(b, i, true, c);
		vpeer_start(&b->g[i].peer);
		assert_true(port_is_up(b->g[i].port));
	}
	introduce(b);
	return b;
}

static int setup(void **state)
{
	*state = bench_new(&(struct vpeer_config){.tx_slots = TX_SLOTS,
						  .rx_size = RX});
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 2; i++) {
		rig_remove(b->g[i].port);
		vpeer_deinit(&b->g[i].peer);
	}
	rig_remove(&b->all->port);
	rig_remove(&b->none->port);
	rig_deinit(&b->rig);
	free(b);
	return 0;
}

static uint64_t lost(const struct bench *b, enum drop_reason why)
{
	return b->rig.drops.n[why];
}

static uint64_t lost_all(const struct bench *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		n += b->rig.drops.n[i];
	return n;
}

/* --- ring to ring --- */

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

/* A TCP segment of len bytes payload, to be cut to MSS; its virtio header. */
static void make_tso(struct bench *b, const uint8_t *dst, uint32_t len,
		     uint8_t *hdr)
{
	uint8_t *p = make(b, dst, macs[A], TCP4_HDRS + len);

	memset(p + 14, 0, 40);
	p[12] = 8;
	p[13] = 0;
	p[14] = 0x45;
	p[16] = (uint8_t)((40 + len) >> 8);
	p[17] = (uint8_t)(40 + len);
	p[22] = 64;
	p[23] = 6;
	p[46] = 0x50;
	memset(hdr, 0, VNETHDR_LEN);
	hdr[0] = 1; /* NEEDS_CSUM */
	hdr[1] = GSO_TCP4;
	put16(hdr + 2, TCP4_HDRS);
	put16(hdr + 4, MSS);
	put16(hdr + 6, 34);
	put16(hdr + 8, 16);
}

/* Whole, with its requests, between guests that can; cut for who cannot, in
 * the same flood; and never copied on its way. */
static void test_gso_stays_whole(void **state)
{
	struct bench *b = bench_new(&(struct vpeer_config){.rx_size = 128});
	const uint32_t len = 60000;
	uint8_t hdr[VNETHDR_LEN], got[VNETHDR_LEN];
	const uint8_t *dst[] = {macs[B], everybody};
	void *p = b;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make_tso(b, dst[i], len, hdr);
		b->n_in_place = 0;
		assert_true(vpeer_send_hdr(&b->g[A].peer, hdr, b->buf,
					   TCP4_HDRS + len));
		turns(b);
		assert_int_equal(vpeer_recv_hdr(&b->g[B].peer, got, b->got,
						FRAME_MAX),
				 TCP4_HDRS + len);
		assert_memory_equal(got, hdr, 10);
		assert_memory_equal(b->got, b->buf, TCP4_HDRS + len);
	}
	assert_int_equal(mem_port_pop(b->all, b->got, FRAME_MAX),
			 TCP4_HDRS + len);
	assert_int_equal(b->off.gso_size, MSS);
	assert_memory_equal(b->got, b->buf, TCP4_HDRS + len);
	for (uint32_t at = 0; at < len; at += MSS) {
		uint32_t n = len - at < MSS ? len - at : MSS;

		assert_int_equal(mem_port_pop(b->none, b->got, FRAME_MAX),
				 TCP4_HDRS + n);
		assert_memory_equal(b->got + TCP4_HDRS, b->buf + TCP4_HDRS + at,
				    n);
	}
	assert_int_equal(mem_port_pop(b->none, b->got, FRAME_MAX), 0);
	assert_int_equal(b->n_in_place, 1 + (len + MSS - 1) / MSS);
	assert_int_equal(lost_all(b), 0);
	teardown(&p);
}

/* A guest without offloads beside them. */
static void test_guest_that_cannot(void **state)
{
	struct bench *b = bench_new(&(struct vpeer_config){.rx_size = 128});
	uint8_t hdr[VNETHDR_LEN];
	void *p = b;

	(void)state;
	vpeer_stop(&b->g[B].peer);
	vpeer_deinit(&b->g[B].peer);
	turns(b);
	connect_guest(b, B, false,
		      &(struct vpeer_config){
			      .features = VHOST_BIT(VIRTIO_VERSION_1)});
	vpeer_start(&b->g[B].peer);
	introduce(b);
	make_tso(b, macs[B], 5 * MSS, hdr);
	assert_true(vpeer_send_hdr(&b->g[A].peer, hdr, b->buf,
				   TCP4_HDRS + 5 * MSS));
	turns(b);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(vpeer_recv_hdr(&b->g[B].peer, hdr, b->got,
						FRAME_MAX),
				 TCP4_HDRS + MSS);
		assert_int_equal(hdr[0] | hdr[1], 0);
	}
	assert_int_equal(lost_all(b), 0);
	teardown(&p);
}

/* --- waiting --- */

/* One frame of a's is on its way. */
static bool send_a(struct bench *b, const uint8_t *dst)
{
	if (!vpeer_send(&b->g[A].peer, make(b, dst, macs[A], LEN), LEN)) {
		b->seq--;
		return false;
	}
	turns(b);
	return true;
}

static void expect_seq(struct bench *b, uint32_t len, uint32_t seq)
{
	uint32_t n;

	assert_int_equal(len, LEN);
	memcpy(&n, b->got + SEQ_AT, 4);
	assert_int_equal(n, seq);
	for (uint32_t i = SEQ_AT + 4; i < LEN; i++)
		assert_int_equal(b->got[i], (uint8_t)(i * 7 + seq));
}

/* Chains of a's that it has not got back. */
static unsigned out_a(const struct bench *b)
{
	const struct vpeer *v = &b->g[A].peer;
	const struct vpeer_ring *q = &v->ring[VHOST_TX];
	uint16_t used;

	memcpy(&used, v->mem + q->used + 2, 2);
	return (uint16_t)(q->avail_idx - used);
}

/* b's driver is silent: its queue is full, and n frames wait in a's. */
static void fill_b(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < RX + n; i++)
		assert_true(send_a(b, macs[B]));
	assert_int_equal(out_a(b), n);
	assert_in_range(b->g[A].port->hold_max, 1,
			TX_SLOTS * VPEER_DESCS / 4 - 1);
	assert_int_equal(lost_all(b), 0);
}

static void expect_b(struct bench *b, uint32_t first, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		expect_seq(b,
			   vpeer_recv(&b->g[B].peer, b->got, FRAME_MAX),
			   first + i);
		turns(b);
	}
	assert_int_equal(vpeer_recv(&b->g[B].peer, b->got, FRAME_MAX), 0);
}

/* a goes on with whoever reads; b gets all, in order, when it reads. */
static void test_one_waits_others_pass(void **state)
{
	struct bench *b = *state;
	uint32_t n;

	fill_b(b, 20);
	for (unsigned i = 0; i < 300; i++) {
		assert_true(send_a(b, all_mac));
		n = mem_port_pop(b->all, b->got, FRAME_MAX);
		expect_seq(b, n, b->seq - 1);
		assert_int_equal(out_a(b), 20);
	}
	expect_b(b, 0, RX + 20);
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost_all(b), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_true(send_a(b, macs[B]));
	expect_b(b, RX + 20 + 300, 5);
}

/* One for whom frames are cut is full in the middle of one: it goes on there
 * when it has room. */
static void test_the_rest_of_a_frame_waits(void **state)
{
	enum { N = 10, PIECES = 42, LAST = 60000 - (PIECES - 1) * MSS };
	struct bench *b = *state;
	uint8_t hdr[VNETHDR_LEN];

	for (unsigned i = 0; i < N; i++) {
		make_tso(b, none_mac, 60000, hdr);
		b->buf[TCP4_HDRS] = (uint8_t)i;
		assert_true(vpeer_send_hdr(&b->g[A].peer, hdr, b->buf,
					   TCP4_HDRS + 60000));
		turns(b);
	}
	assert_int_equal(b->none->n, 256);
	assert_int_equal(out_a(b), N - 256 / PIECES);
	for (unsigned i = 0; i < N * PIECES; i++) {
		uint32_t n = mem_port_pop(b->none, b->got, FRAME_MAX);

		assert_int_equal(n, TCP4_HDRS +
					    ((i + 1) % PIECES ? MSS : LAST));
		if (i % PIECES == 0)
			assert_int_equal(b->got[TCP4_HDRS], i / PIECES);
		turns(b);
	}
	assert_int_equal(out_a(b), 0);
	assert_int_equal(b->none->n, 0);
	assert_int_equal(lost_all(b), 0);
}

/* A guest that only writes is stopped by its own ring, and keeps half of what
 * may wait for others. */
static void test_no_more_than_its_share(void **state)
{
	struct bench *b = bench_new(&(struct vpeer_config){
		.features = VHOST_FEATURES & ~VHOST_BIT(VIRTIO_INDIRECT_DESC) &
			    ~VHOST_BIT(VHOST_LOG_ALL),
		.tx_slots = TX_SLOTS,
		.rx_size = RX});
	unsigned n, held;
	void *p = b;

	(void)state;
	while (send_a(b, macs[B]) && !lost_all(b))
		;
	held = out_a(b);
	/* of 512 descriptors; four frames take twelve */
	assert_in_range(held, 60 / 3 - 2, 60 / 3 + 2);
	assert_int_equal(lost(b, DROP_PORT_FULL), 1);
	n = b->seq;
	for (unsigned i = 0; i < 200; i++) {
		assert_true(send_a(b, all_mac));
		expect_seq(b, mem_port_pop(b->all, b->got, FRAME_MAX), n + i);
	}
	expect_b(b, 0, RX + held);
	assert_int_equal(out_a(b), 0);
	teardown(&p);
}

/* Linux stops a queue that has no room for the longest packet, and wants to be
 * told when three quarters of what is out are back: though two do not read. */
static void test_a_full_sender_is_told(void **state)
{
	enum { SIZE = 16 * VPEER_DESCS, FULL = SIZE - 18 };
	struct bench *b = bench_new(
		&(struct vpeer_config){.tx_slots = 16, .rx_size = RX});
	struct vpeer *v = &b->g[A].peer;
	const struct vpeer_ring *q = &v->ring[VHOST_TX];
	const uint8_t *dst[] = {macs[B], none_mac};
	void *p = b;
	uint16_t event;

	(void)state;
	for (unsigned i = 0; i < RX; i++)
		assert_true(send_a(b, macs[B]));
	for (unsigned i = 0; i < 256; i++)
		assert_true(send_a(b, none_mac));
	assert_int_equal(out_a(b), 0);
	memcpy(&event, v->mem + q->used + 2, 2);
	event = (uint16_t)(event + FULL * 3 / 4);
	memcpy(v->mem + q->avail + 4 + SIZE * 2, &event, 2);
	(void)vpeer_count(q->call);
	for (uint16_t i = 0; i < FULL; i++) {
		uint64_t at = v->tx_at + i % 2 * VPEER_FRAME;

		memset(v->mem + at, 0, v->hdr_len);
		memcpy(v->mem + at + v->hdr_len,
		       make(b, dst[i % 2], macs[A], LEN), LEN);
		vpeer_desc(v, VHOST_TX, i, vpeer_gpa(v, at), v->hdr_len + LEN,
			   0, 0);
		vpeer_offer(v, VHOST_TX, i);
	}
	turns(b);
	assert_in_range(out_a(b), 2, FULL / 4);
	assert_int_equal(vpeer_count(q->call), 1);
	drain(b);
	assert_int_equal(out_a(b), 0);
	teardown(&p);
}

static void test_a_silent_guest_is_given_up(void **state)
{
	struct bench *b = *state;

	fill_b(b, 20);
	rig_advance(&b->rig, 50 * MS);
	assert_int_equal(out_a(b), 20);
	rig_advance(&b->rig, 52 * MS);
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost(b, DROP_PORT_STALLED), 20);
	for (unsigned i = 0; i < 20; i++)
		assert_true(send_a(b, macs[B]));
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost(b, DROP_PORT_FULL), 20);
	expect_b(b, 0, RX);
}

/* The driver of a full queue sleeps until it gets chains back. */
static void test_sender_is_told(void **state)
{
	struct bench *b = *state;
	struct vpeer *v = &b->g[A].peer;
	uint8_t *event = v->mem + v->ring[VHOST_TX].avail + 4 +
			 v->ring[VHOST_TX].size * 2;

	fill_b(b, 10);
	memcpy(event, v->mem + v->ring[VHOST_TX].used + 2, 2); /* the next */
	(void)vpeer_count(v->ring[VHOST_TX].call);
	turns(b);
	assert_int_equal(vpeer_count(v->ring[VHOST_TX].call), 0);
	expect_b(b, 0, RX + 10);
	assert_int_equal(vpeer_count(v->ring[VHOST_TX].call), 1);
}

/* --- ends --- */

static void expect_pair_alive(struct bench *b)
{
	drain(b);
	introduce(b);
	for (unsigned i = 0; i < 3 * RX; i++) {
		assert_true(send_a(b, macs[B]));
		expect_b(b, i, 1);
	}
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost_all(b), 0);
}

/* GET_VRING_BASE: vpeer_stop() compares its answer with the used index. */
static void test_rings_stop(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 3; i++) {
		fill_b(b, 20);
		vpeer_stop(&b->g[A].peer);
		assert_int_equal(out_a(b), 0);
		assert_int_equal(lost(b, DROP_LINK_DOWN_IN), 20);
		vpeer_rings(&b->g[A].peer);
		turns(b);
		expect_b(b, 0, RX);
		expect_pair_alive(b);
		b->seq = 0;
		fill_b(b, 20);
		vpeer_stop(&b->g[B].peer);
		turns(b);
		assert_int_equal(out_a(b), 0);
		assert_int_equal(lost(b, DROP_LINK_DOWN), 20);
		vpeer_rings(&b->g[B].peer);
		turns(b);
		expect_pair_alive(b);
		b->seq = 0;
	}
}

static void reset_a(struct bench *b, uint32_t request)
{
	struct vpeer *v = &b->g[A].peer;
	uint64_t zero = 0;

	vpeer_say(v, request, 0, &zero, request == VHOST_SET_STATUS ? 8 : 0,
		  -1);
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost(b, DROP_LINK_DOWN_IN), 20);
	memset(v->mem, 0, v->table_at);
	for (unsigned k = 0; k < VHOST_RINGS; k++) {
		v->ring[k].avail_idx = 0;
		v->ring[k].last_used = 0;
	}
	memset(v->tx_busy, 0, v->c.tx_slots);
	vpeer_start_rings_anew(v);
	turns(b);
}

static void test_device_is_reset(void **state)
{
	struct bench *b = *state;

	fill_b(b, 20);
	reset_a(b, VHOST_RESET_DEVICE);
	expect_pair_alive(b);
	b->seq = 0;
	fill_b(b, 20);
	reset_a(b, VHOST_SET_STATUS);
	expect_pair_alive(b);
}

/* The region that the frames lie in goes away under them. */
static void test_memory_goes(void **state)
{
	struct bench *b = bench_new(&(struct vpeer_config){
		.tx_slots = TX_SLOTS, .rx_size = RX, .by_slots = true});
	struct vpeer *v = &b->g[A].peer;
	struct vhost_one_region one = {
		.region = {.gpa = VPEER_GPA_HIGH,
			   .size = v->len - v->low,
			   .uva = VPEER_UVA + v->low + 0x10000000,
			   .offset = v->low}};
	void *p = b;

	(void)state;
	fill_b(b, 20);
	vpeer_say(v, VHOST_REM_MEM_REG, 0, &one, sizeof(one), -1);
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost(b, DROP_LINK_DOWN_IN), 20);
	expect_b(b, 0, RX);
	vpeer_say(v, VHOST_ADD_MEM_REG, 0, &one, sizeof(one), v->memfd);
	turns(b);
	expect_pair_alive(b);
	teardown(&p);
}

/* An empty table: the rings are lost with it. */
static void test_memory_table_changes(void **state)
{
	struct bench *b = *state;
	struct vhost_mem_table t = {.n = 0};

	fill_b(b, 20);
	vpeer_say(&b->g[A].peer, VHOST_SET_MEM_TABLE, 0, &t, 8, -1);
	assert_int_equal(lost(b, DROP_LINK_DOWN_IN), 20);
	turns(b);
	expect_b(b, 0, RX);
	assert_false(port_is_up(b->g[A].port));
}

static void test_front_end_goes(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 2; i++) {
		unsigned who = i % 2 ? A : B;

		fill_b(b, 20);
		vpeer_deinit(&b->g[who].peer);
		turns(b);
		assert_int_equal(lost(b, who == A ? DROP_LINK_DOWN_IN
						  : DROP_LINK_DOWN),
				 20);
		connect_guest(b, who, false,
			      &(struct vpeer_config){.tx_slots = TX_SLOTS,
						     .rx_size = RX});
		vpeer_start(&b->g[who].peer);
		expect_pair_alive(b);
		b->seq = 0;
	}
	fill_b(b, 20);
	rig_remove(b->g[A].port);
	b->g[A].port = NULL;
	assert_int_equal(lost(b, DROP_LINK_DOWN_IN), 20);
	expect_b(b, 0, RX);
}

static void test_exit_is_removed(void **state)
{
	struct bench *b = *state;

	fill_b(b, 20);
	rig_remove(b->g[B].port);
	b->g[B].port = NULL;
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost(b, DROP_LINK_DOWN), 20);
}

static void test_cables(void **state)
{
	struct bench *b = *state;

	fill_b(b, 20);
	lan_port_admin(b->g[B].port, false);
	turns(b);
	rig_advance(&b->rig, 2 * MS);
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost(b, DROP_LINK_DOWN), 20);
	lan_port_admin(b->g[B].port, true);
	expect_pair_alive(b);
	b->seq = 0;
	fill_b(b, 20);
	lan_port_admin(b->g[A].port, false);
	turns(b);
	rig_advance(&b->rig, 2 * MS);
	assert_int_equal(out_a(b), 0);
	assert_int_equal(lost(b, DROP_LINK_DOWN_IN), 20);
	lan_port_admin(b->g[A].port, true);
	expect_pair_alive(b);
}

/* The sender's ring breaks while frames of it wait. */
static void test_sender_breaks(void **state)
{
	struct bench *b = *state;

	fill_b(b, 20);
	vpeer_offer(&b->g[A].peer, VHOST_TX, 0xffff);
	turns(b);
	assert_int_equal(b->rig.n_faults, 1);
	rig_advance(&b->rig, 2 * MS);
	assert_int_equal(lost(b, DROP_LINK_DOWN_IN), 20);
	expect_b(b, 0, RX);
	vpeer_deinit(&b->g[A].peer);
	turns(b);
	connect_guest(b, A, false, &(struct vpeer_config){.rx_size = RX});
	vpeer_start(&b->g[A].peer);
	expect_pair_alive(b);
}

/* --- killed --- */

/* What is out is noted where the next used elements will be.  Whoever goes on
 * with the ring at the used index, all that is known when an engine was
 * killed, gives them back and goes on behind them. */
static void test_killed_while_frames_wait(void **state)
{
	struct bench *b = *state;
	struct vpeer *v = &b->g[A].peer;
	const struct vpeer_ring *q = &v->ring[VHOST_TX];
	uint64_t len = 6 + q->size * 8u;
	uint8_t *used = malloc(len);
	uint32_t first;

	assert_non_null(used);
	fill_b(b, 20);
	for (unsigned i = 0; i < 100; i++) { /* others come and go */
		assert_true(send_a(b, all_mac));
		assert_int_equal(mem_port_pop(b->all, b->got, FRAME_MAX), LEN);
	}
	memcpy(used, v->mem + q->used, len);
	vpeer_stop(v);
	/* what the last one did then did not happen */
	memcpy(v->mem + q->used, used, len);
	free(used);
	assert_int_equal(out_a(b), 20);
	(void)vpeer_count(q->call);
	first = b->seq;
	/* three wait in the ring since */
	for (unsigned i = 0; i < 3; i++)
		assert_true(vpeer_send(v, make(b, macs[B], macs[A], LEN), LEN));
	expect_b(b, 0, RX);
	vpeer_rings(v);
	turns(b);
	/* of a driver that waits for the first of them */
	assert_int_equal(vpeer_count(q->call), 1);
	expect_b(b, first, 3);
	assert_int_equal(out_a(b), 0);
	expect_pair_alive(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gso_stays_whole),
		cmocka_unit_test(test_guest_that_cannot),
		T(test_one_waits_others_pass),
		T(test_the_rest_of_a_frame_waits),
		cmocka_unit_test(test_no_more_than_its_share),
		cmocka_unit_test(test_a_full_sender_is_told),
		T(test_a_silent_guest_is_given_up),
		T(test_sender_is_told),
		T(test_rings_stop),
		T(test_device_is_reset),
		cmocka_unit_test(test_memory_goes),
		T(test_memory_table_changes),
		T(test_front_end_goes),
		T(test_exit_is_removed),
		T(test_cables),
		T(test_sender_breaks),
		T(test_killed_while_frames_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
