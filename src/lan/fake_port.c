/* SPDX-License-Identifier: BSD-3-Clause */
/* A port for tests, see fake_port.h. */
#include "lan/fake_port.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lan/steer.h"

static struct fake_port *fake_of(struct port *p)
{
	return (struct fake_port *)(void *)p;
}

static struct fake_frame *frame_append(struct fake_frame **arr, unsigned *np,
				       unsigned *capp)
{
	if (*np == *capp) {
		*capp = *capp ? *capp * 2 : 16;
		*arr = realloc(*arr, *capp * sizeof(**arr));
		assert(*arr);
	}
	memset(&(*arr)[*np], 0, sizeof(**arr));
	return &(*arr)[(*np)++];
}

static uint32_t piece_len(const struct fake_port *f)
{
	return f->c.lend_piece ? f->c.lend_piece : 4096;
}

/* Splits len bytes at p into pieces; returns their number. */
static unsigned split(const struct fake_port *f, uint8_t *p, uint32_t len,
		      struct iovec *iov, unsigned max)
{
	unsigned n = 0;

	while (len > 0) {
		uint32_t now = piece_len(f) < len ? piece_len(f) : len;

		assert(n < max);
		if (n == max - 1)
			now = len;
		iov[n++] = (struct iovec){.iov_base = p, .iov_len = now};
		p += now;
		len -= now;
	}
	return n;
}

static unsigned fake_recv(struct port *p, struct batch *b)
{
	struct fake_port *f = fake_of(p);
	uint32_t hdr_max = f->c.hold_max ? FRAME_HDR_MAX : f->c.hdr_max;
	unsigned n = 0;

	assert(f->n_borrowed == 0);
	f->n_recv++;
	while (n < FRAME_BATCH && f->next_in < f->n_in) {
		struct fake_frame *in = &f->in[f->next_in++];
		struct frame *to = &b->f[n];

		*to = frame_flat(in->data, in->len);
		to->off = in->off;
		to->cookie = f->next_in - 1;
		to->hold_cost = f->c.hold_max > 0;
		if (hdr_max && in->len > hdr_max) {
			struct iovec *v = f->iov_in + n * FRAME_IOV_MAX;

			to->hdr_len = hdr_max;
			to->iov = v;
			to->n_iov = split(f, in->data + to->hdr_len,
					  in->len - to->hdr_len, v,
					  FRAME_IOV_MAX);
		}
		n++;
	}
	f->n_borrowed = n;
	b->n = n;
	return n;
}

static void in_free(struct fake_port *f, uint32_t i)
{
	assert(i < f->next_in && f->in[i].data);
	free(f->in[i].data);
	f->in[i].data = NULL;
}

/* All were read and given back. */
static void in_forget(struct fake_port *f)
{
	if (f->next_in == f->n_in && f->n_held == 0)
		f->n_in = f->next_in = 0;
}

static void fake_done(struct port *p, struct batch *b)
{
	struct fake_port *f = fake_of(p);

	assert(f->n_borrowed == b->n && b->n > 0);
	assert(!(b->held & ~batch_mask(b)));
	f->n_borrowed = 0;
	f->n_done++;
	for (unsigned i = 0; i < b->n; i++) {
		if (b->held >> i & 1)
			f->n_held++;
		else
			in_free(f, b->f[i].cookie);
	}
	in_forget(f);
}

static void fake_let_go(struct port *p, const uint32_t *cookie, unsigned n)
{
	struct fake_port *f = fake_of(p);

	assert(n > 0 && n <= f->n_held && f->n_borrowed == 0);
	f->n_let_go += n;
	f->n_held -= n;
	for (unsigned i = 0; i < n; i++)
		in_free(f, cookie[i]);
	in_forget(f);
}

static uint64_t fake_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct fake_port *f = fake_of(p);
	uint64_t got = 0;

	assert(mask && !f->is_lent && !(mask & ~batch_mask(b)));
	f->n_send++;
	f->last_send = (unsigned)__builtin_popcountll(mask);
	for (uint64_t m = mask; m && f->room > 0; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m);
		const struct frame *from = &b->f[i];
		struct fake_frame *to = frame_append(&f->out, &f->n_out,
						     &f->cap_out);
		bool copied;

		assert(from->hdr_len >= FRAME_HDR_MAX ||
		       from->hdr_len == from->len);
		to->len = from->len;
		to->hdr_len = from->hdr_len;
		to->off = from->off;
		to->data = malloc(from->len);
		assert(to->data);
		copied = frame_copy(from, 0, from->len, to->data);
		assert(copied);
		(void)copied;
		got |= UINT64_C(1) << i;
		f->room--;
	}
	if (f->on_send)
		f->on_send(f, b, mask);
	return got;
}

static void fake_want_room(struct port *p)
{
	fake_of(p)->n_want_room++;
}

static void fake_room(struct port *p, struct port *other)
{
	struct fake_port *f = fake_of(p);

	f->n_room++;
	f->last_room = other;
	if (f->on_room)
		f->on_room(f, other);
}

static void fake_link(struct port *p, bool up)
{
	struct fake_port *f = fake_of(p);

	f->n_link++;
	f->last_link = up;
}

static unsigned fake_lend(struct port *p, struct lend *l)
{
	struct fake_port *f = fake_of(p);
	unsigned want = l->n;
	uint8_t *mem;

	assert(!f->is_lent);
	f->n_lend++;
	mem = f->lent_mem = malloc((size_t)FRAME_BATCH * FRAME_MAX);
	assert(mem);
	for (l->n = 0; l->n < want && l->n < f->room; l->n++) {
		struct lend_frame *to = &l->f[l->n];
		uint32_t n = (to->want + piece_len(f) - 1) / piece_len(f);

		if (n > LEND_IOV_MAX - l->n_iov)
			break;
		to->iov = l->iov + l->n_iov;
		to->n_iov = split(f, mem, to->want, to->iov,
				  LEND_IOV_MAX - l->n_iov);
		l->n_iov += to->n_iov;
		mem += to->want;
	}
	if (l->n > 0)
		f->is_lent = true;
	else
		free(mem), f->lent_mem = NULL;
	return l->n;
}

static void fake_give(struct port *p, struct lend *l)
{
	struct fake_port *f = fake_of(p);

	assert(f->is_lent && l->n_used <= l->n);
	f->n_give++;
	for (unsigned i = 0; i < l->n_used; i++) {
		const struct lend_frame *from = &l->f[i];
		struct fake_frame *to = frame_append(&f->out, &f->n_out,
						     &f->cap_out);
		struct frame view = {.iov = from->iov, .n_iov = from->n_iov,
				     .len = from->len};
		bool copied;

		to->len = to->hdr_len = from->len;
		to->off = from->off;
		to->is_lent = true;
		to->data = malloc(from->len);
		assert(to->data);
		copied = frame_copy(&view, 0, from->len, to->data);
		assert(copied);
		(void)copied;
		if (f->c.queues > 1) {
			view = frame_flat(to->data, to->len);
			assert(steer_frame(&view) == l->flow);
		}
		f->room--;
	}
	f->is_lent = false;
	free(f->lent_mem);
	f->lent_mem = NULL;
}

static void fake_close(struct port *p)
{
	struct fake_port *f = fake_of(p);

	assert(!f->is_lent && f->n_borrowed == 0 && f->n_held == 0);
	fake_clear(f);
	for (unsigned i = 0; i < f->n_in; i++)
		free(f->in[i].data);
	free(f->in);
	free(f->out);
	free(f->iov_in);
	free(f->lent_mem);
	free(f);
}

/* One table per combination of optional hooks: wait, lend, room; and one of a
 * guest's rings. */
#define FAKE_OPS(want_room_, lend_, give_, room_)                              \
	{                                                                      \
		.kind = "fake", .recv = fake_recv, .done = fake_done,          \
		.send = fake_send, .want_room = want_room_, .room = room_,     \
		.link = fake_link, .lend = lend_, .give = give_,               \
		.close = fake_close,                                           \
	}

static const struct port_ops fake_ops[2][2][2] = {
	{
		{FAKE_OPS(fake_want_room, NULL, NULL, NULL),
		 FAKE_OPS(fake_want_room, NULL, NULL, fake_room)},
		{FAKE_OPS(fake_want_room, fake_lend, fake_give, NULL),
		 FAKE_OPS(fake_want_room, fake_lend, fake_give, fake_room)},
	},
	{
		{FAKE_OPS(NULL, NULL, NULL, NULL),
		 FAKE_OPS(NULL, NULL, NULL, fake_room)},
		{FAKE_OPS(NULL, fake_lend, fake_give, NULL),
		 FAKE_OPS(NULL, fake_lend, fake_give, fake_room)},
	},
};

static const struct port_ops holder_ops = {
	.kind = "fake",
	.recv = fake_recv,
	.done = fake_done,
	.send = fake_send,
	.want_room = fake_want_room,
	.link = fake_link,
	.lend = fake_lend,
	.give = fake_give,
	.let_go = fake_let_go,
	.close = fake_close,
};

struct fake_port *fake_make(const struct fake_config *c)
{
	struct fake_port *f = calloc(1, sizeof(*f));

	assert(f);
	f->c = *c;
	f->room = FAKE_NO_LIMIT;
	f->iov_in = calloc((size_t)FRAME_BATCH * FRAME_IOV_MAX,
			   sizeof(*f->iov_in));
	assert(f->iov_in);
	f->port.ops = &fake_ops[c->lossy][c->can_lend][c->can_wait];
	if (c->hold_max)
		f->port.ops = &holder_ops;
	f->port.hold_max = c->hold_max;
	f->port.caps = (struct port_caps){
		.offload = c->offload,
		.max_frame = c->max_frame ? c->max_frame : FRAME_MAX,
		.queues = c->queues ? c->queues : 1,
		.lossy = c->lossy,
		.is_uplink = c->is_uplink,
		.is_ours = c->is_ours,
	};
	snprintf(f->port.name, sizeof(f->port.name), "%s",
		 c->name ? c->name : "fake");
	return f;
}

struct fake_port *fake_new(struct lan *lan, const struct fake_config *c)
{
	struct fake_port *f = fake_make(c);

	lan_port_add(lan, &f->port);
	lan_port_link(&f->port, true);
	return f;
}

void fake_free(struct fake_port *f)
{
	lan_port_del(&f->port);
	f->port.ops->close(&f->port);
}

void fake_queue(struct fake_port *f, const void *data, uint32_t len,
		const struct frame_offload *off)
{
	struct fake_frame *in = frame_append(&f->in, &f->n_in, &f->cap_in);

	in->data = malloc(len ? len : 1);
	assert(in->data);
	memcpy(in->data, data, len);
	in->len = len;
	if (off)
		in->off = *off;
}

void fake_rx(struct fake_port *f, const void *data, uint32_t len,
	     const struct frame_offload *off)
{
	fake_queue(f, data, len, off);
	while (lan_port_readable(&f->port))
		;
}

void fake_clear(struct fake_port *f)
{
	for (unsigned i = 0; i < f->n_out; i++)
		free(f->out[i].data);
	f->n_out = 0;
}

void fake_add_room(struct fake_port *f, unsigned n)
{
	f->room += n;
	if (f->port.wants_room)
		lan_port_room(&f->port);
}

void fake_frame_fill(uint8_t *buf, uint32_t len, mac dst, mac src,
		     uint32_t seed)
{
	memcpy(buf, dst.b, 6);
	memcpy(buf + 6, src.b, 6);
	buf[12] = 0x88;
	buf[13] = 0xb5; /* IEEE 802 local experimental 1 */
	for (uint32_t i = FRAME_ETH_LEN; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		buf[i] = (uint8_t)(seed >> 24);
	}
}

mac fake_mac(uint32_t n)
{
	return (mac){{0x52, 0x54, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		      (uint8_t)n}};
}

static void on_link(void *arg, struct port *p, bool up)
{
	struct fake_lan *b = arg;

	(void)p;
	b->n_link++;
	b->link_up = up;
}

static void on_fault(void *arg, struct port *p, enum port_fault why,
		     const char *text)
{
	struct fake_lan *b = arg;

	(void)p;
	(void)why;
	b->n_fault++;
	snprintf(b->fault_text, sizeof(b->fault_text), "%s", text);
}

static void on_clash(void *arg, mac m, struct port *x, struct port *y,
		     const mac *alias)
{
	struct fake_lan *b = arg;

	(void)m;
	b->n_clash++;
	b->clash_a = x;
	b->clash_b = y;
	b->clash_alias = alias ? *alias : (mac){0};
}

static void on_heard(void *arg, struct port *p)
{
	struct fake_lan *b = arg;

	b->n_heard++;
	b->heard = p;
}

static struct lan *lan_make(struct fake_lan *b, const char *name, bool is_hub)
{
	struct lan_config c = {
		.name = name,
		.is_hub = is_hub,
		.wheel = &b->wheel,
		.now_ns = &b->now_ns,
		.talk = &b->talk,
		.drops = &b->drops,
		.events = {.link = on_link, .fault = on_fault,
			   .mac_clash = on_clash, .heard = on_heard, .arg = b},
	};
	struct lan *lan;
	int ret = lan_new(&c, &lan);

	assert(ret == 0);
	(void)ret;
	return lan;
}

void fake_lan_init(struct fake_lan *b, bool is_hub)
{
	memset(b, 0, sizeof(*b));
	b->now_ns = 1000000000;
	timer_wheel_init(&b->wheel, b->now_ns);
	b->lan = lan_make(b, "net0", is_hub);
}

struct lan *fake_lan_more(struct fake_lan *b, const char *name)
{
	return lan_make(b, name, false);
}

struct lan *fake_lan_free(struct lan *lan)
{
	struct list *it;

	while ((it = list_first(lan_ports(lan))))
		fake_free(fake_of(container_of(it, struct port, link_all)));
	return lan_free(lan);
}

void fake_lan_deinit(struct fake_lan *b)
{
	b->lan = fake_lan_free(b->lan);
}

void fake_lan_advance(struct fake_lan *b, uint64_t ns)
{
	b->now_ns += ns;
	timer_wheel_run(&b->wheel, b->now_ns);
}
