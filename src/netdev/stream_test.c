/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of the stream client: peers that vanish, lie, stop reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/rig.h"

enum { HOLDS = 4096 };

struct bench {
	struct rig rig;
	struct mem_port *sink;
	struct port *port;
	int peer; /* owned */
	unsigned n_want;
	uint8_t *buf; /* owned, FRAME_MAX bytes */
};

static void want_fd(void *arg, struct port *p)
{
	struct bench *b = arg;

	assert_ptr_equal(p, b->port);
	assert_false(p->carrier);
	b->n_want++;
}

static int pair(int *peerp)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	*peerp = fd[1];
	set_nonblock(fd[1]);
	return fd[0];
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	int fd = pair(&b->peer);

	rig_init(&b->rig);
	b->buf = malloc(FRAME_MAX);
	b->rig.env.want_fd = want_fd;
	b->rig.env.arg = b;
	b->sink = mem_port_new(&b->rig, b->rig.lan, "sink", HOLDS);
	*state = b;
	return netdev_stream_new(
		&b->rig.env,
		&(struct netdev_stream_config){
			.name = "vm0", .id = 7, .fd = fd, .reconnect = true},
		&b->port);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	fd_close(&b->peer);
	rig_remove(b->port);
	rig_remove(&b->sink->port);
	rig_deinit(&b->rig);
	free(b->buf);
	free(b);
	return 0;
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 8; i++)
		rig_turn(&b->rig, 0);
}

static void reattach(struct bench *b)
{
	fd_close(&b->peer);
	assert_int_equal(netdev_stream_attach(b->port, pair(&b->peer)), 0);
	assert_true(port_is_up(b->port));
}

static uint32_t put_frame(uint8_t *p, uint32_t len, uint8_t fill)
{
	memset(p, 0, 4);
	p[0] = (uint8_t)(len >> 24);
	p[1] = (uint8_t)(len >> 16);
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	memset(p + 4, 2, len); /* to an unknown station */
	if (len > 11)
		p[4 + 11] = 3; /* from another */
	if (len)
		p[4 + len - 1] = fill;
	return len + 4;
}

static void peer_write(struct bench *b, const void *p, size_t len)
{
	assert_int_equal(send(b->peer, p, len, MSG_NOSIGNAL), len);
}

static void expect_frame(struct bench *b, uint32_t len, uint8_t fill)
{
	assert_int_equal(mem_port_pop(b->sink, b->buf, FRAME_MAX), len);
	assert_int_equal(b->buf[len - 1], fill);
}

static void expect_none(struct bench *b)
{
	assert_int_equal(b->sink->n, 0);
}

/* The peer vanishes at every byte; a new one starts with a clean framing. */
static void test_vanish_anywhere(void **state)
{
	struct bench *b = *state;
	uint8_t s[128];
	uint32_t one = put_frame(s, 20, 1), len = one;

	len += put_frame(s + len, 30, 2);
	for (uint32_t cut = 0; cut <= len; cut++) {
		unsigned n_want = b->n_want;

		peer_write(b, s, cut);
		if (cut % 2) /* in one wake with the end, or in two */
			turns(b);
		fd_close(&b->peer);
		turns(b);
		if (cut >= one)
			expect_frame(b, 20, 1);
		if (cut >= len)
			expect_frame(b, 30, 2);
		expect_none(b);
		assert_false(b->port->carrier);
		assert_int_equal(b->n_want, n_want + 1);
		reattach(b);
		peer_write(b, s, len);
		turns(b);
		expect_frame(b, 20, 1);
		expect_frame(b, 30, 2);
	}
	assert_int_equal(b->rig.n_faults, 0);
}

static void test_hostile_lengths(void **state)
{
	static const uint8_t heads[][4] = {{0, 1, 0x10, 1},
					   {0, 2, 0, 0},
					   {0x7f, 0xff, 0xff, 0xff},
					   {0x80, 0, 0, 0},
					   {0xff, 0xff, 0xff, 0xff}};
	struct bench *b = *state;
	struct port *other = NULL;
	int peer, fd = pair(&peer);
	uint8_t s[64];
	uint32_t len = put_frame(s, 20, 9);

	assert_int_equal(
		netdev_stream_new(&b->rig.env,
				  &(struct netdev_stream_config){.name = "vm1",
								 .fd = fd},
				  &other),
		0);
	for (unsigned i = 0; i < array_len(heads); i++) {
		uint8_t byte;

		peer_write(b, s, len);
		peer_write(b, heads[i], 4);
		peer_write(b, s, len);
		turns(b);
		expect_frame(b, 20, 9); /* what came before the lie is good */
		expect_none(b);
		assert_int_equal(b->rig.n_faults, i + 1);
		assert_false(b->port->carrier);
		/* Closed; it may say so by ECONNRESET. */
		assert_true(recv(b->peer, &byte, 1, 0) <= 0 && errno != EAGAIN);
		/* Only that one: the other port lives on. */
		assert_int_equal(send(peer, s, len, MSG_NOSIGNAL), len);
		turns(b);
		expect_frame(b, 20, 9);
		reattach(b);
		assert_int_equal(b->port->fault, FAULT_NONE);
	}
	close(peer);
	rig_remove(other);
}

/* Empty frames are ignored, however many; too short ones counted. */
static void test_empty_and_short(void **state)
{
	struct bench *b = *state;
	uint8_t zeros[4096] = {0}, s[64];
	uint32_t len;

	for (unsigned i = 0; i < 2000; i++) {
		while (send(b->peer, zeros, sizeof(zeros), MSG_NOSIGNAL) !=
		       sizeof(zeros))
			rig_turn(&b->rig, 0);
	}
	len = put_frame(s, 13, 1);
	for (unsigned i = 0; i < 5; i++)
		peer_write(b, s, len);
	len = put_frame(s, 14, 3);
	peer_write(b, s, len);
	for (unsigned i = 0; i < 20; i++)
		turns(b);
	expect_frame(b, 14, 3);
	expect_none(b);
	assert_int_equal(b->rig.drops.n[DROP_FRAME_SHORT], 5);
	assert_int_equal(b->port->stats.rx_drops, 5);
	assert_int_equal(b->rig.n_faults, 0);
}

static unsigned fill(struct bench *b, uint32_t len)
{
	unsigned n = 0;

	for (;;) {
		struct batch batch = {.n = 1};

		memset(b->buf, (uint8_t)n, len);
		batch.f[0] = frame_flat(b->buf, len);
		if (!b->port->ops->send(b->port, &batch, 1))
			return n;
		n++;
		assert_true(n < 1000000);
	}
}

static void drain(struct bench *b, unsigned n, uint32_t len)
{
	struct stream_peer p;

	stream_peer_init(&p, dup(b->peer));
	for (unsigned i = 0; i < n; i++) {
		uint32_t got = 0;

		for (unsigned k = 0; k < 1000 && !got; k++) {
			got = stream_peer_recv(&p, b->buf, FRAME_MAX);
			rig_turn(&b->rig, 0);
		}
		assert_int_equal(got, len);
		assert_int_equal(b->buf[0], (uint8_t)i);
		assert_int_equal(b->buf[len - 1], (uint8_t)i);
	}
	assert_int_equal(stream_peer_recv(&p, b->buf, FRAME_MAX), 0);
	stream_peer_deinit(&p);
}

/* Whatever was accepted before the socket was full arrives whole: frames of
 * any size, one call each, or all at once. */
static void test_full_socket(void **state)
{
	static const uint32_t sizes[] = {14, 60, 1514, 9000, 65535, FRAME_MAX};
	struct bench *b = *state;

	for (unsigned i = 0; i < array_len(sizes); i++) {
		unsigned n = fill(b, sizes[i]);

		assert_true(n > 0);
		drain(b, n, sizes[i]);
	}
	assert_int_equal(b->port->stats.tx_drops, 0);
}

/* There is word of room when there is room, not before, and once. */
static void test_room(void **state)
{
	static const uint32_t sizes[] = {60, 1000, 9000, 65535};
	struct bench *b = *state;
	uint8_t s[64];

	peer_write(b, s, put_frame(s, 20, 1)); /* its MAC is learned */
	turns(b);
	expect_frame(b, 20, 1);
	for (unsigned i = 0; i < array_len(sizes); i++) {
		struct batch batch = {.n = 1};

		memset(b->buf, 2, sizes[i]);
		b->buf[5] = 3; /* to the peer */
		b->buf[11] = 4;
		batch.f[0] = frame_flat(b->buf, sizes[i]);
		while (!lan_input(&b->sink->port, &batch, true))
			;
		b->sink->n_told = 0;
		turns(b);
		assert_int_equal(b->sink->n_told, 0);
		while (recv(b->peer, b->buf, FRAME_MAX, 0) > 0)
			rig_turn(&b->rig, 0); /* a spill follows */
		turns(b);
		assert_int_equal(b->sink->n_told, 1);
		while (recv(b->peer, b->buf, FRAME_MAX, 0) > 0)
			rig_turn(&b->rig, 0);
	}
}

/* A peer that goes while a frame is cut in half: the loss has a name. */
static void test_gone_with_spill(void **state)
{
	struct bench *b = *state;

	assert_true(fill(b, FRAME_MAX) > 0);
	fd_close(&b->peer);
	turns(b);
	assert_false(b->port->carrier);
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN], 1);
	reattach(b);
	drain(b, fill(b, 1000), 1000); /* nothing of the old frame */
}

/* The peer sent, went, and we notice by our own send first. */
static void test_send_finds_it_gone(void **state)
{
	struct bench *b = *state;
	struct batch batch = {.n = 1};
	uint8_t s[64];
	uint32_t len = put_frame(s, 20, 5);

	for (unsigned i = 0; i < 10; i++)
		peer_write(b, s, len);
	fd_close(&b->peer);
	memset(b->buf, 2, 60);
	batch.f[0] = frame_flat(b->buf, 60);
	assert_true(b->port->ops->send(b->port, &batch, 1) == 1);
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN], 1);
	turns(b);
	for (unsigned i = 0; i < 10; i++)
		expect_frame(b, 20, 5);
	assert_false(b->port->carrier);
	assert_int_equal(b->n_want, 1);
}

enum { CUT_FRAMES = 8, CUT_PIECES = 63 };

/* Frames of so many pieces that a call takes several system calls, each of a
 * few frames; len bytes each, first and last byte from n on. */
static void cut_batch(struct batch *batch, uint8_t *bytes, uint32_t len,
		      uint8_t n, struct iovec iov[CUT_FRAMES][CUT_PIECES])
{
	const uint32_t step = (len - FRAME_HDR_MAX) / CUT_PIECES;

	batch->n = CUT_FRAMES;
	for (unsigned i = 0; i < CUT_FRAMES; i++, n++, bytes += len) {
		uint8_t *at = bytes + FRAME_HDR_MAX;

		memset(bytes, n, len);
		batch->f[i] = frame_flat(bytes, len);
		batch->f[i].hdr_len = FRAME_HDR_MAX;
		batch->f[i].iov = iov[i];
		batch->f[i].n_iov = CUT_PIECES;
		for (unsigned k = 0; k < CUT_PIECES; k++, at += step)
			iov[i][k] = (struct iovec){at, step};
		iov[i][CUT_PIECES - 1].iov_len +=
			(len - FRAME_HDR_MAX) % CUT_PIECES;
	}
}

/* The next sendmsg() of more than one frame leaves its last bytes to later. */
static bool is_short_once;

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct iovec iov[IOV_MAX];
	struct msghdr m = *msg;

	if (is_short_once) {
		is_short_once = false;
		assert_true(m.msg_iovlen > CUT_PIECES);
		memcpy(iov, m.msg_iov, m.msg_iovlen * sizeof(iov[0]));
		iov[m.msg_iovlen - 1].iov_len -= 5;
		m.msg_iov = iov;
	}
	return syscall(SYS_sendmsg, fd, &m, flags);
}

/* The next send() fails for want of memory, and leaves no event behind. */
static bool is_short_of_memory;

ssize_t send(int fd, const void *p, size_t len, int flags)
{
	if (is_short_of_memory) {
		is_short_of_memory = false;
		errno = ENOBUFS;
		return -1;
	}
	return sendto(fd, p, len, flags, NULL, 0);
}

/* The rest of a cut frame meets a shortage of memory after the last event of
 * the socket: it is sent nevertheless. */
static void test_no_memory_for_rest(void **state)
{
	struct bench *b = *state;
	size_t want = (FRAME_MAX + 4) * (size_t)fill(b, FRAME_MAX), got = 0;
	ssize_t n;

	while ((n = recv(b->peer, b->buf, FRAME_MAX, 0)) > 0)
		got += (size_t)n;
	assert_true(got < want);
	is_short_of_memory = true;
	for (unsigned i = 0; got < want && i < 100; i++) {
		rig_turn(&b->rig, 100);
		while ((n = recv(b->peer, b->buf, FRAME_MAX, 0)) > 0)
			got += (size_t)n;
	}
	assert_false(is_short_of_memory);
	assert_int_equal(got, want);
}

/* The socket is full within the last frame of a system call, more frames wait
 * for the next, and meanwhile the peer has made room: they may not be put into
 * the middle of the one that is cut. */
static void test_cut_between_calls(void **state)
{
	enum { LEN = 1000 };
	struct iovec iov[CUT_FRAMES][CUT_PIECES];
	uint8_t bytes[CUT_FRAMES * LEN];
	struct bench *b = *state;
	struct batch batch;
	uint64_t got;

	cut_batch(&batch, bytes, LEN, 0, iov);
	is_short_once = true;
	got = b->port->ops->send(b->port, &batch, batch_mask(&batch));
	assert_false(is_short_once);
	assert_true(got && !(got & (got + 1)) && got != batch_mask(&batch));
	turns(b); /* the rest of the one that is cut goes out */
	drain(b, (unsigned)__builtin_popcountll(got), LEN);
	assert_int_equal(b->port->stats.tx_drops, 0);
}

/* The peer will read no more while a frame is cut in half and somebody waits
 * for room: it is told, and loses its frames by name. */
static void test_deaf_peer(void **state)
{
	struct bench *b = *state;
	struct batch batch = {.n = 1};
	uint8_t s[64];

	peer_write(b, s, put_frame(s, 20, 1));
	turns(b);
	expect_frame(b, 20, 1);
	memset(b->buf, 2, FRAME_MAX);
	b->buf[5] = 3; /* to the peer */
	b->buf[11] = 4;
	batch.f[0] = frame_flat(b->buf, FRAME_MAX);
	while (!lan_input(&b->sink->port, &batch, true))
		;
	b->sink->n_told = 0;
	assert_int_equal(shutdown(b->peer, SHUT_RD), 0);
	while (recv(b->peer, b->buf, FRAME_MAX, 0) > 0)
		rig_turn(&b->rig, 0);
	turns(b);
	assert_int_equal(b->sink->n_told, 1);
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN], 1);
	assert_true(b->port->ops->send(b->port, &batch, 1) == 1);
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN], 2);
}

static void test_reset(void **state)
{
	struct bench *b = *state;
	const struct linger now = {.l_onoff = 1};
	int fd[2];

	fd_close(&b->peer);
	turns(b);
	tcp_pair(fd);
	b->peer = fd[1];
	assert_int_equal(netdev_stream_attach(b->port, fd[0]), 0);
	assert_int_equal(
		setsockopt(b->peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)),
		0);
	fd_close(&b->peer);
	turns(b);
	assert_false(b->port->carrier);
	assert_int_equal(b->n_want, 2);
}

static void test_attach_refused(void **state)
{
	struct bench *b = *state;
	int peer, fd = pair(&peer);
	int dgram = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_int_equal(netdev_stream_attach(b->port, fd), -EISCONN);
	fd_close(&b->peer);
	turns(b);
	assert_int_equal(netdev_stream_attach(b->port, dgram), -EPROTOTYPE);
	assert_int_equal(netdev_stream_attach(b->port, 9999), -EBADF);
	assert_false(b->port->carrier);
	/* Still ours: these would fail if they had been closed. */
	assert_int_equal(close(dgram), 0);
	assert_int_equal(close(fd), 0);
	close(peer);
}

/* A port without a connection: down, frames to it are counted. */
static void test_no_connection(void **state)
{
	struct bench *b = *state;
	struct port *p = NULL;
	struct batch batch = {.n = 2};
	int peer;

	assert_int_equal(
		netdev_stream_new(&b->rig.env,
				  &(struct netdev_stream_config){.name = "vm1",
								 .fd = -1},
				  &p),
		0);
	assert_false(port_is_up(p));
	memset(b->buf, 2, 60);
	batch.f[0] = batch.f[1] = frame_flat(b->buf, 60);
	assert_true(p->ops->send(p, &batch, 3) == 3);
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN], 2);
	assert_int_equal(netdev_stream_attach(p, pair(&peer)), 0);
	assert_true(port_is_up(p));
	close(peer);
	turns(b);
	assert_false(port_is_up(p));
	rig_remove(p);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		TEST(test_vanish_anywhere),    TEST(test_hostile_lengths),
		TEST(test_empty_and_short),    TEST(test_full_socket),
		TEST(test_gone_with_spill),    TEST(test_send_finds_it_gone),
		TEST(test_room),	       TEST(test_reset),
		TEST(test_attach_refused),     TEST(test_no_connection),
		TEST(test_cut_between_calls),  TEST(test_deaf_peer),
		TEST(test_no_memory_for_rest),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
