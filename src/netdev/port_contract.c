/* SPDX-License-Identifier: BSD-3-Clause */
/* The port contract test, see port_contract.h. */
#include "netdev/port_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"

enum {
	ETHERTYPE_TEST = 0x88b5, /* IEEE 802, local experiments */
	SEQ_AT = 2,		 /* in the destination MAC */
	SPIN_MAX = 20000,	 /* turns before a test gives up */
	POOL = 2 * 1024 * 1024,
};

/* The port on the other side of the lan: shows what the port under test lets
 * in, checked on the spot. */
struct sink {
	struct port port;
	uint32_t next;	 /* sequence number expected */
	bool may_skip;	 /* frames may be missing (lossy, or cut off) */
	uint64_t n, bytes;
	uint32_t last_len;
	unsigned n_room; /* calls of the room hook */
	/* What to do in the middle of a batch; may be NULL. */
	void (*inside)(struct sink *s);
	struct contract_test *t;
};

struct contract_test {
	const struct contract_kind *kind;
	struct contract_rig rig;
	struct sink sink;
	uint32_t out_seq;  /* next frame sink -> peer */
	uint32_t in_seq;   /* next frame peer -> sink */
	uint32_t peer_next; /* sequence number the peer expects */
	uint64_t peer_n;    /* frames the peer has received */
	uint32_t peer_last_len;
	bool peer_may_skip;
	uint8_t *pool; /* owned, POOL bytes: contents of a batch */
	uint8_t *buf;  /* owned, FRAME_MAX + 1 bytes: the peer's */
	struct iovec iov[FRAME_BATCH * FRAME_IOV_MAX];
};

/* ---- frames ---- */

/* Frame seq of len bytes: unknown unicast, contents that tell everything. */
static void frame_make(uint8_t *p, uint32_t len, uint32_t seq, uint8_t dir)
{
	const uint8_t head[FRAME_ETH_LEN] = {
		0x02, 0xaa, (uint8_t)(seq >> 24), (uint8_t)(seq >> 16),
		(uint8_t)(seq >> 8), (uint8_t)seq,
		0x02, dir, 0, 0, 0, 1,
		ETHERTYPE_TEST >> 8, ETHERTYPE_TEST & 0xff};

	memcpy(p, head, sizeof(head));
	for (uint32_t i = FRAME_ETH_LEN; i < len; i++)
		p[i] = (uint8_t)(seq * 7 + i * 13 + (i >> 8));
}

static bool frame_is_ours(const uint8_t *p, uint32_t len, uint8_t dir)
{
	return len >= FRAME_ETH_LEN && p[0] == 0x02 && p[1] == 0xaa &&
	       p[6] == 0x02 && p[7] == dir;
}

static uint32_t frame_seq(const uint8_t *p)
{
	return (uint32_t)p[SEQ_AT] << 24 | (uint32_t)p[SEQ_AT + 1] << 16 |
	       (uint32_t)p[SEQ_AT + 2] << 8 | p[SEQ_AT + 3];
}

static void frame_verify(const uint8_t *p, uint32_t len, uint32_t pad)
{
	uint32_t seq = frame_seq(p);

	for (uint32_t i = FRAME_ETH_LEN; i < len; i++) {
		uint8_t want = (uint8_t)(seq * 7 + i * 13 + (i >> 8));

		/* Padding is zeros, and where it starts is not told. */
		if (p[i] != want && !(p[i] == 0 && len == pad))
			fail_msg("frame %u of %u bytes: byte %u is %02x, not "
				 "%02x",
				 seq, len, i, p[i], want);
	}
}

enum { DIR_OUT = 0xcc, DIR_IN = 0xbb };

/* ---- sink ---- */

static unsigned sink_recv(struct port *p, struct batch *b)
{
	(void)p;
	b->n = 0;
	return 0;
}

static void sink_done(struct port *p, struct batch *b)
{
	(void)p;
	(void)b;
}

static void sink_take(struct sink *s, const struct frame *f)
{
	uint8_t *p = s->t->buf;
	uint32_t seq;

	assert_true(f->len <= FRAME_MAX);
	assert_true(frame_copy(f, 0, f->len, p));
	if (!frame_is_ours(p, f->len, DIR_IN))
		return; /* a kernel's own frame (IPv6 neighbours) */
	seq = frame_seq(p);
	if (s->may_skip)
		assert_true(seq >= s->next);
	else
		assert_int_equal(seq, s->next);
	frame_verify(p, f->len, 0);
	s->next = seq + 1;
	s->last_len = f->len;
	s->n++;
	s->bytes += f->len;
}

static uint64_t sink_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct sink *s = container_of(p, struct sink, port);

	if (s->inside)
		s->inside(s);
	for (uint64_t m = mask; m; m &= m - 1)
		sink_take(s, &b->f[__builtin_ctzll(m)]);
	return mask;
}

static void sink_room(struct port *p, struct port *other)
{
	struct sink *s = container_of(p, struct sink, port);

	(void)other;
	s->n_room++;
}

static void sink_close(struct port *p)
{
	(void)p;
}

static const struct port_ops sink_ops = {
	.kind = "sink",
	.recv = sink_recv,
	.done = sink_done,
	.send = sink_send,
	.room = sink_room,
	.close = sink_close,
};

/* ---- one test's frame ---- */

static bool test_open(struct contract_test *t, const struct contract_kind *kind)
{
	memset(t, 0, sizeof(*t));
	t->kind = kind;
	if (!kind->open(&t->rig))
		return false;
	assert_non_null(t->rig.port);
	assert_true(port_is_up(t->rig.port));
	t->pool = malloc(POOL);
	t->buf = malloc(FRAME_MAX + 1);
	assert_non_null(t->pool);
	assert_non_null(t->buf);
	t->sink.t = t;
	t->sink.port = (struct port){
		.ops = &sink_ops,
		.caps = {.max_frame = FRAME_MAX, .queues = 1},
		.name = "sink",
	};
	lan_port_add(t->rig.lan, &t->sink.port);
	lan_port_link(&t->sink.port, true);
	t->sink.may_skip = t->peer_may_skip = !kind->is_lossless;
	return true;
}

static void test_close(struct contract_test *t)
{
	lan_port_del(&t->sink.port);
	t->kind->close(&t->rig);
	free(t->pool);
	free(t->buf);
}

static void turn(struct contract_test *t)
{
	t->kind->turn(&t->rig, 0);
}

/* Everything the peer has now. */
static unsigned peer_drain(struct contract_test *t)
{
	unsigned n = 0;
	uint32_t len;

	while ((len = t->kind->peer_recv(&t->rig, t->buf, FRAME_MAX + 1))) {
		uint32_t seq;

		if (!frame_is_ours(t->buf, len, DIR_OUT))
			continue;
		seq = frame_seq(t->buf);
		if (t->peer_may_skip)
			assert_true(seq >= t->peer_next);
		else
			assert_int_equal(seq, t->peer_next);
		frame_verify(t->buf, len, t->kind->pad);
		t->peer_next = seq + 1;
		t->peer_last_len = len;
		t->peer_n++;
		n++;
	}
	return n;
}

/* A batch of n frames of the given lengths, made in the pool. */
static void batch_make(struct contract_test *t, struct batch *b,
		       const uint32_t *len, unsigned n)
{
	uint8_t *p = t->pool;

	b->n = n;
	for (unsigned i = 0; i < n; i++) {
		assert_true((size_t)(t->pool + POOL - p) >= len[i]);
		frame_make(p, len[i], t->out_seq + i, DIR_OUT);
		b->f[i] = frame_flat(p, len[i]);
		p += len[i];
	}
}

/* Sends the frames of mask straight to the port; they must leave as a prefix
 * and in the end all of them. */
static void port_send_all(struct contract_test *t, const struct batch *b,
			  uint64_t mask)
{
	struct port *p = t->rig.port;

	for (unsigned i = 0; mask && i < SPIN_MAX; i++) {
		uint64_t done = p->ops->send(p, b, mask);

		assert_true((done & ~mask) == 0);
		mask &= ~done;
		/* What is left lies behind everything that went. */
		if (mask && done)
			assert_true((mask & -mask) > done);
		turn(t);
		peer_drain(t);
	}
	assert_true(mask == 0);
}

static void expect_peer(struct contract_test *t, uint64_t n)
{
	for (unsigned i = 0; i < SPIN_MAX && t->peer_n < n; i++) {
		t->kind->turn(&t->rig, i > 100 ? 1 : 0);
		peer_drain(t);
	}
	assert_int_equal(t->peer_n, n);
}

static void expect_sink(struct contract_test *t, uint64_t n)
{
	for (unsigned i = 0; i < SPIN_MAX && t->sink.n < n; i++)
		t->kind->turn(&t->rig, i > 100 ? 1 : 0);
	assert_int_equal(t->sink.n, n);
}

/* The peer sends one frame; waits for room. */
static void peer_send(struct contract_test *t, uint32_t len)
{
	frame_make(t->buf, len, t->in_seq++, DIR_IN);
	for (unsigned i = 0; i < SPIN_MAX; i++) {
		if (t->kind->peer_send(&t->rig, t->buf, len))
			return;
		turn(t); /* uses t->buf */
		frame_make(t->buf, len, t->in_seq - 1, DIR_IN);
	}
	fail_msg("%s: no room for the peer", t->kind->name);
}

/* ---- the tests ---- */

static const uint32_t big_sizes[] = {4096, 9000, 16384, 65482, 65507, 65535};

static uint32_t size_at(const struct contract_test *t, unsigned i)
{
	enum { N_SMALL = 1518 - FRAME_ETH_LEN + 1 };

	if (i < N_SMALL)
		return FRAME_ETH_LEN + i;
	i -= N_SMALL;
	if (i >= sizeof(big_sizes) / sizeof(big_sizes[0]) ||
	    big_sizes[i] > t->kind->max_frame)
		return 0;
	return big_sizes[i];
}

/* Every size, one by one and in order, lan -> peer. */
static void test_sizes_out(struct contract_test *t)
{
	uint32_t len;

	for (unsigned i = 0; (len = size_at(t, i)); i++) {
		struct batch b;

		batch_make(t, &b, &len, 1);
		port_send_all(t, &b, 1);
		t->out_seq++;
		expect_peer(t, t->out_seq);
		assert_int_equal(t->peer_last_len,
				 len < t->kind->pad ? t->kind->pad : len);
	}
}

/* Every size, peer -> lan. */
static void test_sizes_in(struct contract_test *t)
{
	uint32_t len;

	for (unsigned i = 0; (len = size_at(t, i)); i++) {
		peer_send(t, len);
		expect_sink(t, t->in_seq);
		assert_int_equal(t->sink.last_len, len);
	}
}

static unsigned batch_len(const struct contract_test *t)
{
	return t->kind->burst < FRAME_BATCH ? t->kind->burst : FRAME_BATCH;
}

/* Full batches, lan -> peer, of mixed sizes. */
static void test_batches_out(struct contract_test *t)
{
	uint32_t len[FRAME_BATCH];
	struct batch b;

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < FRAME_BATCH; i++)
			len[i] = 14 + (round * 977 + i * 331) % 1500;
		batch_make(t, &b, len, FRAME_BATCH);
		for (unsigned i = 0; i < FRAME_BATCH; i += batch_len(t)) {
			uint64_t mask = batch_mask(&b) << i;

			if (i + batch_len(t) < FRAME_BATCH)
				mask &= (UINT64_C(1) << (i + batch_len(t))) - 1;
			port_send_all(t, &b, mask);
			expect_peer(t, t->out_seq + (i + batch_len(t) <
						     FRAME_BATCH
						     ? i + batch_len(t)
						     : FRAME_BATCH));
		}
		t->out_seq += FRAME_BATCH;
	}
}

/* Only the frames of the mask go. */
static void test_masks(struct contract_test *t)
{
	static const uint64_t masks[] = {
		UINT64_C(1),
		UINT64_C(1) << 63,
		UINT64_C(0xaaaaaaaaaaaaaaaa),
		UINT64_C(0x5555555555555555),
		UINT64_C(0x8000000000000001),
		UINT64_C(0x00ff00ff00ff00f0),
		UINT64_C(0),
	};
	uint32_t len[FRAME_BATCH];
	struct batch b;
	uint64_t n = 0;

	for (unsigned i = 0; i < FRAME_BATCH; i++)
		len[i] = 100 + i;
	t->peer_may_skip = true;
	for (unsigned k = 0; k < sizeof(masks) / sizeof(masks[0]); k++) {
		batch_make(t, &b, len, FRAME_BATCH);
		for (uint64_t m = masks[k]; m; m &= m - 1) {
			port_send_all(t, &b, m & -m);
			expect_peer(t, ++n);
			assert_int_equal(t->peer_next - 1,
					 t->out_seq + __builtin_ctzll(m));
		}
		if (t->kind->is_lossless) {
			t->peer_next = 0; /* the same again, in one go */
			port_send_all(t, &b, masks[k]);
			n += __builtin_popcountll(masks[k]);
			expect_peer(t, n);
		}
		t->out_seq += FRAME_BATCH;
	}
}

/* Frames in pieces, as guest memory has them: hdr, then many iov. */
static void test_pieces(struct contract_test *t)
{
	uint32_t len = 14 + FRAME_HDR_MAX + 4000, n = 0;
	struct batch b;

	if (len > t->kind->max_frame)
		len = t->kind->max_frame;
	for (unsigned pieces = 1; pieces <= FRAME_IOV_MAX; pieces += 7) {
		uint32_t at = FRAME_HDR_MAX, step;

		batch_make(t, &b, &len, 1);
		step = (len - at) / pieces;
		for (unsigned i = 0; i < pieces; i++) {
			uint32_t end = i + 1 == pieces ? len : at + step;

			t->iov[i] = (struct iovec){t->pool + at, end - at};
			at = end;
		}
		b.f[0].hdr_len = FRAME_HDR_MAX;
		b.f[0].iov = t->iov;
		b.f[0].n_iov = pieces;
		port_send_all(t, &b, 1);
		t->out_seq++;
		expect_peer(t, ++n);
	}
}

/* A frame that cannot be sent is accepted, counted, and harms no other. */
static void test_too_long(struct contract_test *t)
{
	uint64_t before = t->rig.drops->n[DROP_FRAME_LONG];
	uint32_t len[3] = {60, 60, 60};
	struct batch b;

	batch_make(t, &b, len, 3);
	t->iov[0] = (struct iovec){t->pool, FRAME_MAX};
	b.f[1].len += FRAME_MAX;
	b.f[1].iov = t->iov;
	b.f[1].n_iov = 1;
	t->peer_may_skip = true;
	port_send_all(t, &b, 7);
	expect_peer(t, 2);
	assert_int_equal(t->rig.drops->n[DROP_FRAME_LONG], before + 1);
	t->out_seq += 3;
}

/* A lossless kind refuses while the peer does not read, says when there is
 * room again, and delivers everything once, in order. */
static void test_room(struct contract_test *t)
{
	const uint32_t total = 20000;
	const mac peer = {{0x02, DIR_IN, 0, 0, 0, 1}};
	uint32_t len = 1000, stuck = 0;

	if (!t->kind->is_lossless)
		return;
	peer_send(t, 60); /* its MAC is learned: one known exit */
	expect_sink(t, 1);
	for (unsigned i = 0; i < SPIN_MAX * 10 && t->out_seq < total; i++) {
		struct batch b = {.n = 1};
		uint64_t refused;

		frame_make(t->pool, len, t->out_seq, DIR_OUT);
		memcpy(t->pool + FRAME_ETH_LEN, t->pool, 6);
		memcpy(t->pool, peer.b, 6);
		b.f[0] = frame_flat(t->pool, len);
		refused = lan_input(&t->sink.port, &b, true);
		if (!refused) {
			t->out_seq++;
			continue;
		}
		stuck++;
		t->sink.n_room = 0;
		for (unsigned k = 0; k < SPIN_MAX && !t->sink.n_room; k++) {
			uint32_t n = t->kind->peer_recv(&t->rig, t->buf,
							FRAME_MAX);

			if (n) {
				assert_int_equal(n, len);
				assert_int_equal(
					frame_seq(t->buf + FRAME_ETH_LEN),
					t->peer_n);
				t->peer_n++;
			}
			turn(t);
		}
		assert_true(t->sink.n_room > 0);
	}
	assert_int_equal(t->out_seq, total);
	assert_true(stuck > 0);
	for (unsigned i = 0; i < SPIN_MAX * 10 && t->peer_n < total; i++) {
		if (t->kind->peer_recv(&t->rig, t->buf, FRAME_MAX)) {
			assert_int_equal(frame_seq(t->buf + FRAME_ETH_LEN),
					 t->peer_n);
			t->peer_n++;
		}
		turn(t);
	}
	assert_int_equal(t->peer_n, total);
}

/* Both ways at once, as many as the peer can hold. */
static void test_both_ways(struct contract_test *t)
{
	const uint32_t total = t->kind->is_lossless ? 8000 : 2000;
	uint32_t len = 0;
	struct batch b;

	while (t->out_seq < total) {
		for (unsigned i = 0; i < batch_len(t) / 2; i++)
			peer_send(t, 14 + (t->in_seq * 37) % 1500);
		for (unsigned i = 0; i < batch_len(t) / 2; i++) {
			len = 14 + (t->out_seq * 53) % 1500;
			batch_make(t, &b, &len, 1);
			port_send_all(t, &b, 1);
			t->out_seq++;
		}
		expect_peer(t, t->out_seq);
		expect_sink(t, t->in_seq);
	}
}

static void send_inside(struct sink *s)
{
	struct contract_test *t = s->t;
	struct port *p = t->rig.port;
	uint8_t frame[200];
	struct batch b = {.n = 1};

	frame_make(frame, sizeof(frame), t->out_seq, DIR_OUT);
	b.f[0] = frame_flat(frame, sizeof(frame));
	if (p->ops->send(p, &b, 1))
		t->out_seq++;
	memset(frame, 0xee, sizeof(frame)); /* nothing of b is kept */
}

/* send() on the same port between recv and done: what was received stays. */
static void test_send_inside(struct contract_test *t)
{
	t->sink.inside = send_inside;
	for (unsigned round = 0; round < 200; round++) {
		unsigned n = 1 + round % (batch_len(t) < 8 ? batch_len(t) : 8);

		for (unsigned i = 0; i < n; i++)
			peer_send(t, 60 + (t->in_seq * 101) % 1400);
		expect_sink(t, t->in_seq);
		expect_peer(t, t->out_seq);
	}
	assert_true(t->out_seq > 0);
}

/* The cable is pulled and plugged: frames stop, are counted, flow again. */
static void test_link(struct contract_test *t)
{
	uint32_t len = 100;
	struct batch b;

	for (unsigned round = 0; round < 3; round++) {
		uint64_t before = t->rig.drops->n[DROP_LINK_DOWN] +
				  t->rig.drops->n[DROP_NO_EXIT];
		uint64_t n = t->sink.n;

		peer_send(t, len);
		expect_sink(t, n + 1);
		lan_port_admin(t->rig.port, false);
		assert_false(port_is_up(t->rig.port));
		peer_send(t, len);
		for (unsigned i = 0; i < 10; i++)
			turn(t);
		assert_int_equal(t->sink.n, n + 1);
		batch_make(t, &b, &len, 1);
		(void)lan_input(&t->sink.port, &b, false); /* nothing kept */
		assert_true(t->rig.drops->n[DROP_LINK_DOWN] +
				    t->rig.drops->n[DROP_NO_EXIT] >
			    before);
		lan_port_admin(t->rig.port, true);
		for (unsigned i = 0; i < 10; i++)
			turn(t);
		assert_true(port_is_up(t->rig.port));
		/* What the peer sent meanwhile may come late or never. */
		t->sink.may_skip = true;
		n = t->sink.n;
		peer_send(t, len + 1);
		for (unsigned i = 0; i < SPIN_MAX; i++) {
			if (t->sink.last_len == len + 1)
				break;
			t->kind->turn(&t->rig, i > 100 ? 1 : 0);
		}
		assert_int_equal(t->sink.last_len, len + 1);
		batch_make(t, &b, &len, 1);
		(void)lan_input(&t->sink.port, &b, false);
		expect_peer(t, round + 1);
		t->out_seq++;
	}
}

/* The port is removed while its peer floods it. */
static void test_removed_in_flood(struct contract_test *t)
{
	struct port *p = t->rig.port;
	uint32_t len = 1400;
	struct batch b;
	unsigned n = 0;

	t->sink.may_skip = t->peer_may_skip = true;
	frame_make(t->buf, len, t->in_seq, DIR_IN);
	while (n < 5000 && t->kind->peer_send(&t->rig, t->buf, len))
		frame_make(t->buf, len, t->in_seq + ++n, DIR_IN);
	assert_true(n > 0);
	for (unsigned i = 0; i < 200; i++) { /* and it has frames of ours */
		batch_make(t, &b, &len, 1);
		if (!p->ops->send(p, &b, 1))
			break;
		t->out_seq++;
	}
	turn(t);
	if (p->ops->want_room)
		p->ops->want_room(p);
	lan_port_del(p);
	p->ops->close(p);
	t->rig.port = NULL;
	for (unsigned i = 0; i < 10; i++)
		turn(t);
}

/* The peer vanishes: what it sent before arrives, carrier goes, what is sent
 * then is accepted and counted. */
static void test_peer_gone(struct contract_test *t)
{
	struct port *p = t->rig.port;
	uint64_t before = t->rig.drops->n[DROP_LINK_DOWN];
	uint32_t len = 200;
	struct batch b;

	if (!t->kind->peer_close)
		return;
	for (unsigned i = 0; i < 50; i++)
		peer_send(t, len);
	t->kind->peer_close(&t->rig);
	expect_sink(t, 50);
	batch_make(t, &b, &len, 1);
	if (!t->kind->frees_itself)
		assert_true(p->ops->send(p, &b, 1) == 1);
	for (unsigned i = 0; i < 20; i++)
		turn(t);
	if (t->kind->frees_itself) {
		assert_null(t->rig.port);
		return;
	}
	assert_false(p->carrier);
	assert_false(port_is_up(p));
	assert_true(p->ops->send(p, &b, 1) == 1);
	assert_true(t->rig.drops->n[DROP_LINK_DOWN] > before);
}

/* What holds for a kind that has no peer to play with. */
static void test_hooks(struct contract_test *t)
{
	struct port *p = t->rig.port;
	bool may_refuse = p->caps.lossy || p->ops->want_room;
	struct batch b = {.n = 0};
	uint32_t len[4] = {14, 60, 300, 1400};

	assert_non_null(p->ops->kind);
	assert_non_null(p->ops->recv);
	assert_non_null(p->ops->done);
	assert_non_null(p->ops->send);
	assert_non_null(p->ops->close);
	assert_true(!p->ops->lend == !p->ops->give);
	assert_true((p->caps.offload &
		     ~(uint32_t)(PORT_O_ALL | PORT_O_UFO)) == 0);
	assert_true(p->caps.max_frame >= 1514 &&
		    p->caps.max_frame <= FRAME_MAX);
	assert_true(p->caps.queues >= 1);
	assert_true(p->ops->send(p, &b, 0) == 0);
	batch_make(t, &b, len, 4);
	for (uint64_t m = 0; m < 16; m++) {
		uint64_t done = p->ops->send(p, &b, m);

		assert_true((done & ~m) == 0);
		assert_true(done == m || may_refuse);
		if (m & ~done && done)
			assert_true(((m & ~done) & -(m & ~done)) > done);
		turn(t);
	}
	t->sink.may_skip = true;
	for (unsigned i = 0; i < 3; i++) {
		lan_port_admin(p, false);
		turn(t);
		lan_port_admin(p, true);
		turn(t);
	}
	for (unsigned i = 0; i < 20; i++)
		turn(t);
	if (p->ops->want_room) {
		p->ops->want_room(p);
		for (unsigned i = 0; i < 20; i++)
			turn(t);
	}
}

static const struct {
	const char *name;
	void (*fn)(struct contract_test *t);
	bool needs_peer;
} tests[] = {
	{"hooks", test_hooks, false},
	{"sizes_out", test_sizes_out, true},
	{"sizes_in", test_sizes_in, true},
	{"batches_out", test_batches_out, true},
	{"masks", test_masks, true},
	{"pieces", test_pieces, true},
	{"too_long", test_too_long, true},
	{"room", test_room, true},
	{"both_ways", test_both_ways, true},
	{"send_inside", test_send_inside, true},
	{"link", test_link, true},
	{"removed_in_flood", test_removed_in_flood, true},
	{"peer_gone", test_peer_gone, true},
};

unsigned port_contract_run(const struct contract_kind *kind)
{
	struct contract_test *t = malloc(sizeof(*t));
	unsigned n = 0;

	assert_non_null(t);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (tests[i].needs_peer && !kind->peer_send)
			continue;
		if (!test_open(t, kind))
			break;
		print_message("  %s: %s\n", kind->name, tests[i].name);
		tests[i].fn(t);
		test_close(t);
		n++;
	}
	free(t);
	if (kind->peer_send && !kind->is_uplink && n > 0) {
		print_message("  %s: twins\n", kind->name);
		n += port_contract_twins(kind);
	}
	return n;
}

static void test_kind(void **state)
{
	if (port_contract_run(*state) == 0)
		skip();
}

int port_contract_main(const struct contract_kind *kinds, unsigned n)
{
	struct CMUnitTest *t = calloc(n, sizeof(*t));
	int failed;

	if (!t)
		return 1;
	for (unsigned i = 0; i < n; i++)
		t[i] = (struct CMUnitTest){
			.name = kinds[i].name,
			.test_func = test_kind,
			.initial_state = (void *)(uintptr_t)&kinds[i],
		};
	/* The macro around it wants an array of known length. */
	failed = _cmocka_run_group_tests("kinds", t, n, NULL, NULL);
	free(t);
	return failed;
}
