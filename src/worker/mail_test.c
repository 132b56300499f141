/* SPDX-License-Identifier: BSD-3-Clause */
/* Mail between two workers: order, bounds, what a full ring costs, and both
 * ends on threads of their own that sleep. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/mail.h"

enum {
	BYTES = MAIL_BYTES_MIN,
	STEPS = 60000,
	QUEUE = 8192, /* more messages than the ring holds */
	KIND_FRAME = 3,
	KIND_NEWS = 7,
	SENT = 30000, /* by a thread */
};

/* A frame of number n has these bytes, from n % 256 on. */
static uint8_t pattern[FRAME_MAX + 256];

struct rig {
	struct outbox box;
	struct drops drops;
	struct bell writer, reader;
	struct mail *m;
	struct batch b;
	uint32_t who; /* sends */
};

static void rig_init(struct rig *r)
{
	struct mail_config c = {.from = 2,
				.to = 5,
				.bytes = BYTES,
				.box = &r->box,
				.drops = &r->drops,
				.writer = &r->writer,
				.reader = &r->reader};

	for (unsigned i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + (i >> 8));
	*r = (struct rig){.m = NULL};
	assert_int_equal(bell_init(&r->writer), 0);
	assert_int_equal(bell_init(&r->reader), 0);
	assert_int_equal(mail_new(&c, &r->m), 0);
}

static void rig_deinit(struct rig *r)
{
	assert_null(mail_free(r->m));
	bell_deinit(&r->writer);
	bell_deinit(&r->reader);
}

static uint32_t next_random(uint32_t *s)
{
	*s = *s * 1664525 + 1013904223;
	return *s >> 8;
}

static const uint8_t *bytes_of(uint32_t n)
{
	return pattern + n % 256;
}

/* Lengths as they come: mostly small, some whole, a few of the longest. */
static uint32_t len_of(uint32_t n)
{
	uint32_t s = n * 2654435761u;
	uint32_t r = next_random(&s);

	if (r % 64 == 0)
		return FRAME_MAX - r % 5;
	return FRAME_ETH_LEN + r % (r % 8 ? 120 : 1500);
}

/* What the ring spends on it, at most. */
static uint32_t cost_of(uint32_t n)
{
	return (len_of(n) + 63) & ~31u;
}

static void put(struct rig *r, uint32_t n, uint32_t len)
{
	struct mail_cell c = {.kind = KIND_FRAME, .who = r->who, .id = {n}};

	r->b.n = 1;
	r->b.f[0] = frame_flat(bytes_of(n), len);
	mail_frames(r->m, &c, &r->b, 1);
}

static bool is_frame(const struct mail_cell *c, const struct frame *f,
		     uint32_t len)
{
	return c->kind == KIND_FRAME && f->len == len && f->hdr_len == len &&
	       memcmp(f->hdr, bytes_of(c->id[0]), len) == 0;
}

static bool post(struct rig *r, uint32_t n)
{
	struct mail_cell c = {.kind = KIND_NEWS, .n_words = 1, .word = {n}};

	return mail_post(r->m, &c);
}

/* Takes all there is, without a release; their number. */
static unsigned take_all(struct rig *r)
{
	struct mail_cell c;
	struct frame f;
	unsigned n = 0;

	while (mail_next(r->m, &c, &f))
		n++;
	return n;
}

/* Rings heard since. */
static uint64_t rings(const struct bell *b)
{
	uint64_t n = 0;

	return read(b->fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void what_is_written_is_read(void **state)
{
	struct mail_cell c = {.kind = KIND_FRAME,
			      .n_words = 2,
			      .id = {1, 2, 3},
			      .word = {4, 5, 6, 7}};
	struct iovec iov[2] = {{pattern + 100, 50}, {pattern + 150, 50}};
	struct rig r;
	struct frame f;

	rig_init(&r);
	assert_int_equal(mail_from(r.m), 2);
	assert_int_equal(mail_to(r.m), 5);
	r.b.n = 3;
	r.b.f[0] = frame_flat(pattern, 60);
	r.b.f[1] = frame_flat(pattern, 61); /* not in the mask */
	r.b.f[2] = (struct frame){.hdr = pattern,
				  .hdr_len = 100,
				  .len = 200,
				  .iov = iov,
				  .n_iov = 2,
				  .off = {.flags = FRAME_F_NEEDS_CSUM,
					  .csum_start = 34,
					  .csum_offset = 16}};
	mail_frames(r.m, &c, &r.b, 5);
	c = (struct mail_cell){
		.kind = KIND_NEWS, .n_words = 4, .word = {8, 9, 10, 11}};
	assert_true(mail_post(r.m, &c));
	assert_false(mail_is_waiting(r.m, true)); /* not published */
	assert_false(mail_next(r.m, &c, &f));
	outbox_publish(&r.box);
	assert_true(mail_is_waiting(r.m, false));

	assert_true(mail_next(r.m, &c, &f));
	assert_int_equal(f.len, 60);
	assert_int_equal(f.off.flags, 0);
	assert_memory_equal(f.hdr, pattern, 60);
	assert_true(mail_next(r.m, &c, &f));
	assert_int_equal(c.kind, KIND_FRAME);
	assert_int_equal(c.id[2], 3);
	assert_int_equal(c.n_words, 2);
	assert_int_equal(c.word[1], 5);
	assert_int_equal(c.word[2], 0);
	assert_int_equal(f.len, 200);
	assert_int_equal(f.hdr_len, 200);
	assert_int_equal(f.n_iov, 0);
	assert_int_equal(f.off.csum_start, 34);
	assert_memory_equal(f.hdr, pattern, 200);
	assert_true(mail_next(r.m, &c, &f));
	assert_int_equal(c.kind, KIND_NEWS);
	assert_int_equal(c.word[3], 11);
	assert_int_equal(f.len, 0);
	assert_false(mail_next(r.m, &c, &f));
	assert_false(mail_is_waiting(r.m, true));
	rig_deinit(&r);
}

/* Against a queue, over many laps: nothing is changed, nothing is lost but by
 * name, and only when there is little room. */
static void it_agrees_with_a_queue(void **state)
{
	static uint32_t queue[QUEUE];
	uint32_t seed = 1, put_at = 0, take_at = 0, released_at = 0;
	uint64_t out = 0; /* bytes not released */
	uint64_t lost = 0;
	struct mail_cell c;
	struct frame f;
	struct rig r;

	rig_init(&r);
	for (uint32_t n = 0; n < STEPS; n++) {
		bool has_room =
			out + cost_of(n) <= BYTES - BYTES / MAIL_NEWS_PART;

		put(&r, n, len_of(n));
		if (r.drops.n[DROP_MAIL_FULL] == lost) {
			queue[put_at++ % QUEUE] = n;
			out += cost_of(n);
		} else {
			lost++;
			assert_false(has_room);
		}
		assert_true(out <= BYTES && put_at - take_at < QUEUE);
		if (next_random(&seed) % 4 == 0)
			outbox_publish(&r.box);
		for (unsigned i = next_random(&seed) % 3;
		     i && mail_next(r.m, &c, &f); i--) {
			assert_int_equal(c.id[0], queue[take_at++ % QUEUE]);
			assert_true(is_frame(&c, &f, len_of(c.id[0])));
		}
		if (next_random(&seed) % 8)
			continue;
		mail_release(r.m);
		for (; released_at != take_at; released_at++)
			out -= cost_of(queue[released_at % QUEUE]);
	}
	assert_true(lost > 0 && lost < STEPS / 2);
	outbox_publish(&r.box);
	assert_int_equal(take_all(&r), put_at - take_at);
	rig_deinit(&r);
}

/* Fills the ring with frames; how many it took. */
static unsigned fill(struct rig *r, uint32_t len)
{
	uint64_t lost = r->drops.n[DROP_MAIL_FULL];
	unsigned n = 0;

	for (;; n++) {
		put(r, n, len);
		if (r->drops.n[DROP_MAIL_FULL] != lost)
			return n;
	}
}

static void news_find_room_where_frames_do_not(void **state)
{
	unsigned n, frames;
	struct rig r;

	rig_init(&r);
	frames = fill(&r, 64);
	assert_true(frames * 96 > BYTES / 10 * 9);
	assert_int_equal(r.drops.n[DROP_MAIL_FULL], 1);
	for (n = 0; post(&r, n); n++)
		;
	assert_true(n > BYTES / MAIL_NEWS_PART / 64 - 2);
	assert_false(post(&r, n)); /* twice: told once */
	outbox_publish(&r.box);
	assert_false(outbox_has_room(&r.box, true));
	assert_null(outbox_roomy(&r.box));
	assert_int_equal(take_all(&r), frames + n);
	bell_sleeps(&r.writer);
	assert_false(outbox_has_room(&r.box, true)); /* still borrowed */
	mail_release(r.m);
	assert_int_equal(rings(&r.writer), 1);
	assert_true(outbox_has_room(&r.box, true));
	assert_ptr_equal(outbox_roomy(&r.box), r.m);
	assert_null(outbox_roomy(&r.box));
	assert_true(post(&r, n));
	outbox_publish(&r.box);
	bell_sleeps(&r.writer);
	assert_int_equal(take_all(&r), 1);
	mail_release(r.m);
	assert_int_equal(rings(&r.writer), 0); /* nobody wants any */
	rig_deinit(&r);
}

/* One that floods has most of the ring and a part, and others each a part
 * behind it; when that most is enough again, it may go on. */
static void a_flood_leaves_room_for_others(void **state)
{
	const unsigned part = BYTES / MAIL_SENDER_PART / 96;
	unsigned first, second;
	struct rig r;

	(void)state;
	rig_init(&r);
	r.who = 1;
	first = fill(&r, 64);
	assert_in_range(first, BYTES / 4 * 3 / 96 + part - 2,
			BYTES / 4 * 3 / 96 + part);
	for (r.who = 2; r.who < 6; r.who++)
		assert_in_range(fill(&r, 64), part - 1, part);
	r.who = 1;
	assert_int_equal(fill(&r, 64), 0);
	outbox_publish(&r.box);
	second = take_all(&r);
	assert_true(second > first);
	assert_int_equal(fill(&r, 64), 0); /* still borrowed */
	mail_release(r.m);
	assert_in_range(fill(&r, 64), first - 2, first + 2);
	rig_deinit(&r);
}

static void an_empty_ring_begins_anew(void **state)
{
	const uint8_t *first = NULL;
	struct mail_cell c;
	struct frame f;
	unsigned all;
	struct rig r;

	rig_init(&r);
	all = fill(&r, 1500);
	outbox_publish(&r.box);
	assert_int_equal(take_all(&r), all);
	mail_release(r.m);
	for (unsigned i = 0; i < 3 * BYTES / 1500; i++) {
		put(&r, i, 1500);
		outbox_publish(&r.box);
		assert_true(mail_next(r.m, &c, &f));
		assert_true(is_frame(&c, &f, 1500));
		mail_release(r.m);
		first = first ? first : f.hdr;
		assert_ptr_equal(f.hdr, first);
	}
	/* All of it is there again, wherever it began. */
	assert_int_equal(fill(&r, 1500), all);
	outbox_publish(&r.box);
	assert_int_equal(take_all(&r), all);
	rig_deinit(&r);
}

/* The reader need not wait for the end of a long round. */
static void a_quarter_is_published_at_once(void **state)
{
	struct rig r;
	unsigned n;

	rig_init(&r);
	for (n = 0; n < 1000 && !mail_is_waiting(r.m, true); n++)
		put(&r, n, 1500);
	assert_int_equal(n, BYTES / 4 / 1536 + 1);
	assert_int_equal(take_all(&r), n);
	mail_release(r.m);
	outbox_publish(&r.box); /* nothing new */
	assert_int_equal(take_all(&r), 0);
	rig_deinit(&r);
}

static void who_is_awake_is_not_rung(void **state)
{
	struct rig r;

	rig_init(&r);
	assert_true(post(&r, 0));
	outbox_publish(&r.box);
	assert_int_equal(rings(&r.reader), 0);
	bell_sleeps(&r.reader);
	assert_true(post(&r, 1));
	assert_int_equal(rings(&r.reader), 0); /* not published */
	outbox_publish(&r.box);
	outbox_publish(&r.box);
	assert_true(post(&r, 2));
	outbox_publish(&r.box);
	assert_int_equal(rings(&r.reader), 1); /* once a sleep */
	bell_sleeps(&r.reader);
	bell_woke(&r.reader);
	assert_true(post(&r, 3));
	outbox_publish(&r.box);
	assert_int_equal(rings(&r.reader), 0);
	rig_deinit(&r);
}

/* Sleeps until it is rung. */
static void await(struct bell *b)
{
	struct pollfd p = {.fd = b->fd, .events = POLLIN};

	(void)poll(&p, 1, -1);
	(void)rings(b);
	bell_woke(b);
}

/* Every fifth message is a frame and may be lost; what is lost is known. */
static void *write_all(void *arg)
{
	struct rig *r = arg;

	for (uint32_t n = 0; n < SENT; n++) {
		if (n % 5 == 0) {
			put(r, n, len_of(n));
		} else {
			while (!post(r, n)) {
				outbox_publish(&r->box);
				bell_sleeps(&r->writer);
				if (!outbox_has_room(&r->box, true))
					await(&r->writer);
				bell_woke(&r->writer);
				(void)outbox_roomy(&r->box);
			}
		}
		if (n % 7 == 0)
			outbox_publish(&r->box);
	}
	outbox_publish(&r->box);
	return NULL;
}

/* Both ends on their threads, each asleep whenever it can: all arrives. */
static void two_threads_sleep_and_nothing_is_forgotten(void **state)
{
	uint64_t next = 0, n_news = 0, n_frames = 0, bad = 0;
	struct mail_cell c;
	struct frame f;
	pthread_t t;
	struct rig r;

	rig_init(&r);
	assert_int_equal(pthread_create(&t, NULL, write_all, &r), 0);
	while (next < SENT) {
		unsigned n = 0;

		for (; n < 50 && mail_next(r.m, &c, &f); n++) {
			bool is_news = c.kind == KIND_NEWS;
			uint64_t seen = is_news ? c.word[0] : c.id[0];

			bad += seen < next || (is_news && f.len) ||
			       (!is_news && !is_frame(&c, &f, len_of(c.id[0])));
			next = seen + 1;
			n_news += is_news;
			n_frames += !is_news;
		}
		mail_release(r.m);
		if (n)
			continue;
		bell_sleeps(&r.reader);
		if (!mail_is_waiting(r.m, true))
			await(&r.reader);
		bell_woke(&r.reader);
	}
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(bad, 0);
	assert_int_equal(n_news, SENT - SENT / 5);
	assert_int_equal(n_frames + r.drops.n[DROP_MAIL_FULL], SENT / 5);
	rig_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(it_agrees_with_a_queue),
		cmocka_unit_test(news_find_room_where_frames_do_not),
		cmocka_unit_test(a_flood_leaves_room_for_others),
		cmocka_unit_test(an_empty_ring_begins_anew),
		cmocka_unit_test(a_quarter_is_published_at_once),
		cmocka_unit_test(who_is_awake_is_not_rung),
		cmocka_unit_test(two_threads_sleep_and_nothing_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
