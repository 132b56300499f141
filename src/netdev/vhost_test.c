/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost-user beyond the port contract: messages, hostile rings, offloads,
 * lending, interrupts, migration, restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/rig_vhost.h"
#include "netdev/vhost_user.h"
#include "netdev/vnethdr.h"
#include "os/fdpass.h"

enum {
	F_NEXT = 1,
	F_WRITE = 2,
	F_INDIRECT = 4,
	TCP4_HDRS = 54,
	GSO_TCP4 = 1,
};

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 1, 2, 3};
static const uint8_t other_mac[6] = {0x52, 0x54, 0, 9, 9, 9};

struct bench {
	struct rig rig;
	struct port *port;
	struct mem_port *other; /* the rest of the lan */
	struct vpeer peer;
	struct frame_offload off; /* of the last frame other got */
	uint8_t buf[FRAME_MAX];
};

static void look(void *arg, const struct frame *f)
{
	struct bench *b = arg;

	b->off = f->off;
}

static void connect_peer(struct bench *b, const struct vpeer_config *c,
			 bool is_new)
{
	struct netdev_stream_config nc = {.name = "vm0"};
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	nc.fd = fd[0];
	if (is_new)
		assert_int_equal(
			netdev_vhost_new(&b->rig.env, &nc, &b->port), 0);
	else
		assert_int_equal(netdev_vhost_attach(b->port, fd[0]), 0);
	vpeer_init(&b->peer, &b->rig, fd[1], c);
}

static struct bench *bench_new(const struct vpeer_config *c)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	rig_init(&b->rig);
	b->other = mem_port_new(&b->rig, b->rig.lan, "other", 256);
	b->other->port.caps.offload = PORT_O_ALL;
	b->other->look = look;
	b->other->look_arg = b;
	connect_peer(b, c, true);
	return b;
}

static int setup(void **state)
{
	struct bench *b = bench_new(&(struct vpeer_config){0});

	vpeer_start(&b->peer);
	assert_true(port_is_up(b->port));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	rig_remove(b->port);
	rig_remove(&b->other->port);
	vpeer_deinit(&b->peer);
	rig_deinit(&b->rig);
	free(b);
	return 0;
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 10; i++)
		rig_turn(&b->rig, 0);
}

/* len bytes between the two machines. */
static uint8_t *make(struct bench *b, const uint8_t *dst, const uint8_t *src,
		     uint32_t len)
{
	for (uint32_t i = 14; i < len; i++)
		b->buf[i] = (uint8_t)(i * 7);
	memcpy(b->buf, dst, 6);
	memcpy(b->buf + 6, src, 6);
	b->buf[12] = 0x88;
	b->buf[13] = 0xb5; /* for experiments */
	return b->buf;
}

/* The guest is heard, and hears. */
static void expect_alive(struct bench *b)
{
	uint8_t got[2000];

	assert_true(port_is_up(b->port));
	assert_true(vpeer_send(&b->peer, make(b, other_mac, guest_mac, 100),
			       100));
	turns(b);
	assert_int_equal(mem_port_pop(b->other, got, sizeof(got)), 100);
	assert_memory_equal(got, b->buf, 100);
	assert_true(mem_port_push(b->other, make(b, guest_mac, other_mac, 1400),
				  1400));
	turns(b);
	assert_int_equal(vpeer_recv(&b->peer, got, sizeof(got)), 1400);
	assert_memory_equal(got, b->buf, 1400);
}

/* --- messages --- */

static void test_what_is_offered(void **state)
{
	struct bench *b = *state;
	struct vpeer *v = &b->peer;

	assert_int_equal(vpeer_ask(v, VHOST_GET_FEATURES), VHOST_FEATURES);
	assert_int_equal(vpeer_ask(v, VHOST_GET_PROTOCOL_FEATURES),
			 VHOST_PROTOCOL);
	assert_int_equal(vpeer_ask(v, VHOST_GET_QUEUE_NUM), 1);
	assert_int_equal(vpeer_ask(v, VHOST_GET_MAX_MEM_SLOTS), VMEM_SLOTS);
	assert_int_equal(vpeer_ask(v, VHOST_GET_STATUS), 0);
	expect_alive(b);
}

/* Every byte of a message by itself. */
static void test_messages_in_pieces(void **state)
{
	struct bench *b = *state;
	struct vhost_vring_state st = {.index = VHOST_TX, .num = 1};
	struct vhost_hdr h = {VHOST_SET_VRING_ENABLE,
			      VHOST_VERSION | VHOST_F_NEED_REPLY, sizeof(st)};
	uint8_t msg[VHOST_HDR_LEN + sizeof(st)];
	uint64_t ack = 1;

	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), &st, sizeof(st));
	for (unsigned i = 0; i < sizeof(msg); i++) {
		assert_int_equal(send(b->peer.fd, msg + i, 1, 0), 1);
		rig_turn(&b->rig, 0);
	}
	assert_true(vpeer_hear(&b->peer, VHOST_SET_VRING_ENABLE, &ack, 8));
	assert_int_equal(ack, 0);
	expect_alive(b);
}

struct bad_message {
	uint32_t request;
	uint32_t size;
	uint64_t payload[5];
	bool has_fd;
};

/* Each ends the connection, and nothing else. */
static void test_bad_messages(void **state)
{
	static const struct bad_message bad[] = {
		{0, 0, {0}, false},
		{21, 0, {0}, true}, /* SET_BACKEND_REQ_FD: never offered */
		{9999, 8, {0}, false},
		{VHOST_GET_FEATURES, 8, {0}, false},
		{VHOST_SET_FEATURES, 4, {0}, false},
		{VHOST_SET_FEATURES, 8, {VHOST_BIT(34)}, false}, /* packed */
		{VHOST_SET_PROTOCOL_FEATURES, 8, {VHOST_BIT(14)}, false},
		{VHOST_SET_MEM_TABLE, 8, {1}, true},
		{VHOST_SET_MEM_TABLE, 8, {9}, false},
		{VHOST_ADD_MEM_REG, 40, {0, 0, 4096, 0, 0}, false},
		{VHOST_ADD_MEM_REG, 40, {0, 0, 0, 0, 0}, true},
		{VHOST_ADD_MEM_REG, 40, {0, ~0ull, 4096, 0, 0}, true},
		{VHOST_REM_MEM_REG, 40, {0, 1, 2, 3, 0}, false},
		{VHOST_SET_VRING_NUM, 8, {VHOST_BIT(32) * 3}, false},
		{VHOST_SET_VRING_NUM, 8, {VHOST_BIT(32) * 4 + 2}, false},
		{VHOST_SET_VRING_BASE, 8, {7}, false},
		{VHOST_SET_VRING_KICK, 8, {0}, false},
		{VHOST_SET_VRING_KICK, 8, {VHOST_VRING_NOFD}, false},
		{VHOST_SET_VRING_KICK, 8, {0}, true}, /* a file */
		{VHOST_SET_VRING_CALL, 8, {0}, true},
		{VHOST_SET_VRING_CALL, 8, {2}, true},
		{VHOST_GET_VRING_BASE, 8, {2}, false},
		{VHOST_NET_SET_MTU, 8, {67}, false},
		{VHOST_SET_LOG_BASE, 16, {0, 0}, true},
		{VHOST_SET_LOG_BASE, 16, {~0ull, 2}, true},
		{VHOST_SET_STATUS, 300, {0}, false},
	};
	struct bench *b = *state;
	uint8_t payload[304];

	for (unsigned i = 0; i < array_len(bad); i++) {
		uint64_t junk;
		int fd = bad[i].has_fd ? b->peer.memfd : -1;

		memset(payload, 0, sizeof(payload));
		memcpy(payload, bad[i].payload, sizeof(bad[i].payload));
		print_message("  message %u\n", bad[i].request);
		vpeer_say(&b->peer, bad[i].request, 0, payload,
			  bad[i].size > 264 ? 264 : bad[i].size, fd);
		turns(b);
		assert_false(vpeer_hear(&b->peer, 0, &junk, 8));
		assert_false(b->port->carrier);
		vpeer_deinit(&b->peer);
		connect_peer(b, &(struct vpeer_config){0}, false);
		vpeer_start(&b->peer);
		expect_alive(b);
	}
}

/* A refusal is told before the connection ends. */
static void test_refusal_is_acknowledged(void **state)
{
	struct bench *b = *state;
	uint64_t mtu = 1, ack = 0;

	vpeer_say(&b->peer, VHOST_NET_SET_MTU, VHOST_F_NEED_REPLY, &mtu, 8, -1);
	assert_true(vpeer_hear(&b->peer, VHOST_NET_SET_MTU, &ack, 8));
	assert_int_equal(ack, 1);
}

/* --- hostile rings --- */

struct bad_chain {
	const char *what;
	unsigned ring;
	uint64_t gpa;
	uint32_t len;
	uint16_t flags, next;
};

static void test_broken_rings(void **state)
{
	static const struct bad_chain bad[] = {
		{"outside", VHOST_TX, 0x99000000, 100, 0, 0},
		{"over the end", VHOST_TX, 0, UINT32_MAX, 0, 0},
		{"in the hole", VHOST_TX, VPEER_GPA_HIGH - 50, 100, 0, 0},
		{"a loop", VHOST_TX, 0, 10, F_NEXT, 0},
		{"next outside", VHOST_TX, 0, 10, F_NEXT, 60000},
		{"to be written", VHOST_TX, 0, 100, F_WRITE, 0},
		{"table cut", VHOST_TX, 0, 17, F_INDIRECT, 0},
		{"table empty", VHOST_TX, 0, 0, F_INDIRECT, 0},
		{"table outside", VHOST_TX, 0x99000000, 32, F_INDIRECT, 0},
		{"table goes on", VHOST_TX, 0, 32, F_INDIRECT | F_NEXT, 1},
		{"to be read", VHOST_RX, 0, 2000, 0, 0},
		{"rx outside", VHOST_RX, 0x99000000, 2000, F_WRITE, 0},
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < array_len(bad); i++) {
		const struct bad_chain *c = &bad[i];
		unsigned faults = b->rig.n_faults;

		print_message("  %s\n", c->what);
		for (uint16_t d = 0; d < b->peer.ring[c->ring].size; d++)
			vpeer_desc(&b->peer, c->ring, d, c->gpa, c->len,
				   c->flags, c->next);
		vpeer_offer(&b->peer, c->ring, 0);
		turns(b);
		mem_port_push(b->other, make(b, guest_mac, other_mac, 200),
			      200);
		turns(b);
		assert_int_equal(b->rig.n_faults, faults + 1);
		/* a new driver repairs it */
		vpeer_stop(&b->peer);
		vpeer_deinit(&b->peer);
		turns(b);
		connect_peer(b, &(struct vpeer_config){0}, false);
		vpeer_start(&b->peer);
		expect_alive(b);
	}
}

static void test_broken_index(void **state)
{
	struct bench *b = *state;
	struct vpeer_ring *q = &b->peer.ring[VHOST_TX];

	q->avail_idx = (uint16_t)(q->avail_idx + q->size + 5);
	vpeer_offer(&b->peer, VHOST_TX, 0);
	assert_int_equal(write(q->kick, &(uint64_t){1}, 8), 8);
	turns(b);
	assert_int_equal(b->rig.n_faults, 1);
}

/* A head beyond the ring. */
static void test_broken_head(void **state)
{
	struct bench *b = *state;

	vpeer_offer(&b->peer, VHOST_TX, 0xffff);
	turns(b);
	assert_int_equal(b->rig.n_faults, 1);
}

/* Rubbish that is no breach: each frame is lost by name, the rest goes on. */
static void test_bad_frames(void **state)
{
	struct bench *b = *state;
	uint8_t hdr[VNETHDR_LEN] = {0};

	assert_true(vpeer_send(&b->peer, b->buf, 5));
	turns(b);
	assert_int_equal(b->rig.drops.n[DROP_FRAME_SHORT], 1);
	hdr[1] = 77; /* a segmentation nobody knows */
	assert_true(vpeer_send_hdr(&b->peer, hdr, b->buf, 100));
	turns(b);
	assert_int_equal(b->rig.drops.n[DROP_OFFLOAD_BAD], 1);
	expect_alive(b);
	assert_int_equal(b->rig.n_faults, 0);
}

/* A chain of empty descriptors ends nowhere near its table's end. */
static void test_empty_descriptors(void **state)
{
	enum { N = VHOST_CHAIN_IOV + 1 };
	struct bench *b = *state;
	struct vpeer *v = &b->peer;
	uint64_t at = v->tx_at;

	for (unsigned i = 0; i < N; i++) {
		const uint16_t rest[2] = {1 /* NEXT */, (uint16_t)(i + 1)};

		memset(v->mem + at + i * 16u, 0, 12);
		memcpy(v->mem + at + i * 16u + 12, rest, sizeof(rest));
	}
	for (unsigned less = 0; less < 2; less++) {
		vpeer_desc(v, VHOST_TX, 0, vpeer_gpa(v, at),
			   (N - less) * 16u, 4 /* INDIRECT */, 0);
		memset(v->mem + at + (N - 1 - less) * 16u + 12, 0, 2);
		vpeer_offer(v, VHOST_TX, 0);
		turns(b);
		assert_int_equal(b->rig.drops.n[DROP_FRAME_LONG], 1);
		assert_int_equal(b->rig.drops.n[DROP_FRAME_SHORT], less);
	}
	assert_int_equal(b->rig.n_faults, 0);
}

/* --- offloads --- */

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

/* A TCP segment of len bytes payload, to be cut to mss; its virtio header. */
static void make_tso(struct bench *b, const uint8_t *dst, const uint8_t *src,
		     uint32_t len, uint16_t mss, uint8_t *hdr)
{
	uint8_t *p = make(b, dst, src, TCP4_HDRS + len);

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
	put16(hdr + 4, mss);
	put16(hdr + 6, 34);
	put16(hdr + 8, 16);
}

static void test_tso_from_the_guest(void **state)
{
	struct bench *b = *state;
	uint8_t hdr[VNETHDR_LEN];
	uint8_t *got = malloc(FRAME_MAX);

	make_tso(b, other_mac, guest_mac, 60000, 1448, hdr);
	assert_true(vpeer_send_hdr(&b->peer, hdr, b->buf, TCP4_HDRS + 60000));
	turns(b);
	assert_int_equal(mem_port_pop(b->other, got, FRAME_MAX),
			 TCP4_HDRS + 60000);
	assert_int_equal(b->off.gso, FRAME_GSO_TCP4);
	assert_int_equal(b->off.gso_size, 1448);
	assert_memory_equal(got, b->buf, TCP4_HDRS + 60000);
	free(got);
}

static void test_tso_to_the_guest(void **state)
{
	struct bench *b = *state;
	uint8_t hdr[VNETHDR_LEN], got_hdr[VNETHDR_LEN];
	uint8_t *got = malloc(FRAME_MAX);
	struct batch batch = {.n = 1};

	make_tso(b, guest_mac, other_mac, 60000, 1448, hdr);
	batch.f[0] = frame_flat(b->buf, TCP4_HDRS + 60000);
	assert_true(vnethdr_parse(hdr, &batch.f[0]));
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	turns(b);
	assert_int_equal(vpeer_recv_hdr(&b->peer, got_hdr, got, FRAME_MAX),
			 TCP4_HDRS + 60000);
	assert_memory_equal(got_hdr, hdr, 10);
	assert_int_equal(got_hdr[10], 40); /* of 1526 bytes each */
	assert_memory_equal(got, b->buf, TCP4_HDRS + 60000);
	free(got);
}

/* A guest without offloads gets small, summed frames. */
static void test_guest_without_offloads(void **state)
{
	const struct vpeer_config c = {.features = VHOST_BIT(VIRTIO_VERSION_1)};
	struct bench *b = bench_new(&c);
	uint8_t hdr[VNETHDR_LEN], got[2000];
	struct batch batch = {.n = 1};
	void *p = b;

	(void)state;
	vpeer_start(&b->peer);
	assert_int_equal(b->port->caps.offload, 0);
	make_tso(b, guest_mac, other_mac, 5000, 1000, hdr);
	batch.f[0] = frame_flat(b->buf, TCP4_HDRS + 5000);
	assert_true(vnethdr_parse(hdr, &batch.f[0]));
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(
			vpeer_recv_hdr(&b->peer, hdr, got, sizeof(got)),
			TCP4_HDRS + 1000);
		assert_int_equal(hdr[0] | hdr[1], 0);
	}
	teardown(&p);
}

/* --- lend and give --- */

static void learn(struct bench *b)
{
	vpeer_send(&b->peer, make(b, other_mac, guest_mac, 60), 60);
	turns(b);
	assert_int_equal(mem_port_pop(b->other, b->buf, sizeof(b->buf)), 60);
}

static void fill(struct lend_frame *f, uint8_t what, uint32_t len)
{
	uint32_t off = 0;

	for (unsigned i = 0; i < f->n_iov && off < len; i++) {
		size_t n = f->iov[i].iov_len < len - off ? f->iov[i].iov_len
							 : len - off;

		memset(f->iov[i].iov_base, what, n);
		off += (uint32_t)n;
	}
	assert_int_equal(off, len);
	f->len = len;
	f->off = (struct frame_offload){0};
}

static void expect_filled(struct bench *b, uint8_t what, uint32_t len)
{
	assert_int_equal(vpeer_recv(&b->peer, b->buf, sizeof(b->buf)), len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(b->buf[i], what);
}

/* Frames of less than was asked for leave no gap in the ring. */
static void test_lend_and_give(void **state)
{
	static const uint32_t len[] = {60000, 100, 1514, 1515, 3000, 14, 20000};
	const mac to = {{0x52, 0x54, 0, 1, 2, 3}};
	struct bench *b = *state;
	struct lend *l = calloc(1, sizeof(*l));
	unsigned n;

	learn(b);
	for (unsigned round = 0; round < 500; round++) {
		l->n = 4;
		for (unsigned i = 0; i < 4; i++)
			l->f[i].want = 65000;
		n = lan_lend(&b->other->port, to, l);
		assert_int_equal(n, 4);
		assert_ptr_equal(l->port, b->port);
		l->n_used = round % 5;
		for (unsigned i = 0; i < l->n_used; i++)
			fill(&l->f[i], (uint8_t)(round + i),
			     len[(round + i) % array_len(len)]);
		assert_int_equal(lan_give(&b->other->port, to, l), l->n_used);
		for (unsigned i = 0; i < round % 5; i++)
			expect_filled(b, (uint8_t)(round + i),
				      len[(round + i) % array_len(len)]);
		assert_int_equal(vpeer_recv(&b->peer, b->buf, sizeof(b->buf)),
				 0);
	}
	free(l);
	expect_alive(b);
}

/* What can never fit is lost by name, not waited for. */
static void test_never_fits(void **state)
{
	struct bench *b = bench_new(&(struct vpeer_config){.rx_size = 16});
	const mac to = {{0x52, 0x54, 0, 1, 2, 3}};
	struct lend *l = calloc(1, sizeof(*l));
	struct batch batch = {.n = 1};
	void *p = b;

	(void)state;
	vpeer_start(&b->peer);
	learn(b);
	batch.f[0] = frame_flat(make(b, guest_mac, other_mac, 60000), 60000);
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	assert_int_equal(b->rig.drops.n[DROP_FRAME_LONG], 1);
	l->n = 1;
	l->f[0].want = 60000;
	assert_int_equal(lan_lend(&b->other->port, to, l), 1);
	fill(&l->f[0], 1, 60000);
	l->n_used = 1;
	(void)lan_give(&b->other->port, to, l);
	assert_int_equal(b->rig.drops.n[DROP_FRAME_LONG], 2);
	free(l);
	expect_alive(b);
	teardown(&p);
}

/* --- interrupts and kicks --- */

static void test_one_interrupt_for_a_batch(void **state)
{
	struct bench *b = *state;
	struct batch batch = {.n = 40};

	make(b, guest_mac, other_mac, 100);
	for (unsigned i = 0; i < batch.n; i++)
		batch.f[i] = frame_flat(b->buf, 100);
	(void)vpeer_count(b->peer.ring[VHOST_RX].call);
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	assert_int_equal(vpeer_count(b->peer.ring[VHOST_RX].call), 1);
	/* none has been taken: no more until the driver wants to know */
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	assert_int_equal(vpeer_count(b->peer.ring[VHOST_RX].call), 0);
}

static void test_one_interrupt_for_a_round(void **state)
{
	struct bench *b = *state;
	struct batch batch = {.n = 1, .f = {frame_flat(b->buf, 100)}};
	int call;

	make(b, guest_mac, other_mac, 100);
	call = b->peer.ring[VHOST_RX].call;
	(void)vpeer_count(call);
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	assert_int_equal(vpeer_count(call), 0);
	rig_turn(&b->rig, 0);
	assert_int_equal(vpeer_count(call), 1);
}

/* The front end is another machine's host process: a call that is full, and
 * waits, may cost that machine its interrupts, and nobody anything. */
static void test_a_call_that_is_full(void **state)
{
	struct bench *b = *state;
	struct batch batch = {.n = 40};
	uint64_t most = UINT64_MAX - 1;
	struct vpeer_ring *q = &b->peer.ring[VHOST_RX];
	int flags = fcntl(q->call, F_GETFL);

	assert_int_equal(fcntl(q->call, F_SETFL, flags & ~O_NONBLOCK), 0);
	vpeer_stop(&b->peer);
	vpeer_rings(&b->peer);
	turns(b);
	assert_int_equal(fcntl(q->call, F_GETFL), flags);
	(void)vpeer_count(q->call);
	assert_int_equal(write(q->call, &most, sizeof(most)), sizeof(most));
	make(b, guest_mac, other_mac, 100);
	for (unsigned i = 0; i < batch.n; i++)
		batch.f[i] = frame_flat(b->buf, 100);
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	assert_true(vpeer_count(q->call) == most);
}

/* --- migration --- */

static void test_log(void **state)
{
	struct bench *b = *state;
	struct vpeer *v = &b->peer;
	/* of guest memory up to the end of the second region */
	uint64_t size = (VPEER_GPA_HIGH + v->len) / 4096 / 8 + 1, ack = 1;
	uint64_t features = v->features | VHOST_BIT(VHOST_LOG_ALL);
	struct vhost_log l = {.size = size};
	struct vhost_vring_addr a = {
		.index = VHOST_RX,
		.flags = VHOST_VRING_F_LOG,
		.desc = VPEER_UVA + v->ring[VHOST_RX].desc,
		.avail = VPEER_UVA + v->ring[VHOST_RX].avail,
		.used = VPEER_UVA + v->ring[VHOST_RX].used,
		.log = v->ring[VHOST_RX].used,
	};
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct batch batch = {.n = 1};
	uint8_t *log;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	log = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(log, MAP_FAILED);
	vpeer_say(v, VHOST_SET_LOG_BASE, 0, &l, sizeof(l), fd);
	assert_true(vpeer_hear(v, VHOST_SET_LOG_BASE, &ack, 8));
	vpeer_say(v, VHOST_SET_FEATURES, 0, &features, 8, -1);
	vpeer_say(v, VHOST_SET_VRING_ADDR, 0, &a, sizeof(a), -1);
	turns(b);
	batch.f[0] = frame_flat(make(b, guest_mac, other_mac, 100), 100);
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	assert_true(vpeer_is_dirty(log, vpeer_gpa(v, v->rx_at)));
	assert_true(vpeer_is_dirty(log, v->ring[VHOST_RX].used));
	assert_false(vpeer_is_dirty(log, vpeer_gpa(v, v->rx_at + 100 * 4096)));
	/* off again */
	vpeer_say(v, VHOST_SET_FEATURES, 0, &v->features, 8, -1);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lan_input(&b->other->port, &batch, true), 0);
	munmap(log, size);
	close(fd);
}

static void test_announcement(void **state)
{
	struct bench *b = *state;
	uint64_t u = 0;
	uint8_t got[100];

	memcpy(&u, guest_mac, 6);
	vpeer_say(&b->peer, VHOST_SEND_RARP, 0, &u, 8, -1);
	turns(b);
	assert_int_equal(mem_port_pop(b->other, got, sizeof(got)), 60);
	assert_memory_equal(got, "\xff\xff\xff\xff\xff\xff\x52\x54\0\1\2\3\x80"
				 "\x35\0\1\x08\0\6\4\0\3",
			    22);
}

/* --- starting again --- */

static void test_stop_and_go_on(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 20; i++) {
		expect_alive(b);
		vpeer_stop(&b->peer);
		assert_false(port_is_up(b->port));
		vpeer_rings(&b->peer);
		turns(b);
	}
	expect_alive(b);
}

/* As a guest's reboot, or its driver taken out and put in. */
static void test_driver_starts_anew(void **state)
{
	struct bench *b = *state;
	struct vpeer *v = &b->peer;

	for (unsigned i = 0; i < 5; i++) {
		uint64_t zero = 0;

		expect_alive(b);
		vpeer_stop(v);
		if (i % 2)
			vpeer_say(v, VHOST_RESET_DEVICE, 0, NULL, 0, -1);
		else
			vpeer_say(v, VHOST_SET_STATUS, 0, &zero, 8, -1);
		memset(v->mem, 0, v->table_at);
		for (unsigned k = 0; k < VHOST_RINGS; k++) {
			v->ring[k].avail_idx = 0;
			v->ring[k].last_used = 0;
		}
		memset(v->tx_busy, 0, v->c.tx_slots);
		vpeer_start_rings_anew(v);
		turns(b);
	}
	expect_alive(b);
}

static void test_memory_is_plugged(void **state)
{
	struct bench *b = *state;
	struct vhost_one_region one = {
		.region = {.gpa = 0x200000000, .size = 1 << 20,
			   .uva = 0x7f6600000000}};
	int fd = memfd_create("more", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	for (unsigned i = 0; i < 50; i++) {
		vpeer_say(&b->peer, VHOST_ADD_MEM_REG, 0, &one, sizeof(one),
			  fd);
		expect_alive(b);
		/* QEMU sends a descriptor with the end as well */
		vpeer_say(&b->peer, VHOST_REM_MEM_REG, 0, &one, sizeof(one),
			  i % 2 ? fd : -1);
		expect_alive(b);
	}
	close(fd);
}

static void test_another_connection(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 20; i++) {
		expect_alive(b);
		assert_int_equal(netdev_vhost_attach(b->port, 0), -EISCONN);
		vpeer_deinit(&b->peer);
		turns(b);
		assert_false(b->port->carrier);
		connect_peer(b, &(struct vpeer_config){.by_slots = i % 2},
			     false);
		vpeer_start(&b->peer);
	}
	expect_alive(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_offered),
		T(test_messages_in_pieces),
		T(test_bad_messages),
		T(test_refusal_is_acknowledged),
		T(test_broken_rings),
		T(test_broken_index),
		T(test_broken_head),
		T(test_bad_frames),
		T(test_empty_descriptors),
		T(test_tso_from_the_guest),
		T(test_tso_to_the_guest),
		cmocka_unit_test(test_guest_without_offloads),
		T(test_lend_and_give),
		cmocka_unit_test(test_never_fits),
		T(test_one_interrupt_for_a_batch),
		T(test_one_interrupt_for_a_round),
		T(test_a_call_that_is_full),
		T(test_log),
		T(test_announcement),
		T(test_stop_and_go_on),
		T(test_driver_starts_anew),
		T(test_memory_is_plugged),
		T(test_another_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
