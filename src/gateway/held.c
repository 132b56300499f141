/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that wait for a guest's MAC (held.h). */
#include "gateway/held.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define ASK_NS (SECOND_NS / NEIGH_ASKS_PER_SECOND)

struct held_frame {
	struct list link;
	addr ip;
	uint64_t since_ns;
	struct frame_offload off;
	uint32_t len;
	uint8_t data[];
};

static void frame_free(struct held *h, struct held_frame *f)
{
	list_del(&f->link);
	h->n--;
	h->bytes -= f->len;
	free(f);
}

static void send_frame(struct held *h, struct held_frame *f, mac to)
{
	struct batch b = {.n = 1};

	memcpy(f->data, to.b, sizeof(to.b));
	b.f[0] = frame_flat(f->data, f->len);
	b.f[0].off = f->off;
	(void)lan_input(h->env->port, &b, false); /* losses are counted */
}

static struct held_frame *frame_of(struct list *it)
{
	return container_of(it, struct held_frame, link);
}

/* True if no frame before f is for the same guest. */
static bool is_first(struct held *h, const struct held_frame *f)
{
	list_each(it, &h->frames) {
		const struct held_frame *other = frame_of(it);

		if (addr_eq(&other->ip, &f->ip))
			return other == f;
	}
	return true;
}

/* One question for each guest: those who share places of neigh.h would
 * otherwise be asked for with each frame. */
static void ask(struct held *h, uint64_t now_ns)
{
	mac to;

	h->ask_ns = now_ns + ASK_NS;
	list_each_safe (it, &h->frames) {
		const struct held_frame *f = frame_of(it);

		if (is_first(h, f))
			(void)neigh_find(h->neigh, h->env, &f->ip, &to);
	}
}

/* Sends what can be sent, then asks once more for the others if it is time:
 * a question may make us forget another guest. */
static void held_turn(struct timer *t, uint64_t now_ns)
{
	struct held *h = container_of(t, struct held, timer);
	mac to;

	list_each_safe (it, &h->frames) {
		struct held_frame *f = frame_of(it);

		if (neigh_known(h->neigh, &f->ip, &to))
			send_frame(h, f, to);
		else if (now_ns - f->since_ns < HELD_SECONDS * SECOND_NS)
			continue;
		else
			drop(h->env->drops, DROP_NEIGH_FAILED);
		frame_free(h, f);
	}
	if (h->n && now_ns >= h->ask_ns)
		ask(h, now_ns);
	if (h->n)
		timer_arm(h->env->wheel, &h->timer, h->ask_ns);
}

void held_init(struct held *h, struct neigh *n, const struct nat_env *env)
{
	*h = (struct held){.neigh = n, .env = env};
	list_init(&h->frames);
	timer_init(&h->timer, held_turn);
}

void held_deinit(struct held *h)
{
	timer_disarm(h->env->wheel, &h->timer);
	while (h->n) {
		drop(h->env->drops, DROP_NEIGH_FAILED);
		frame_free(h, container_of(list_first(&h->frames),
					   struct held_frame, link));
	}
}

static bool has_room(const struct held *h, const addr *ip, uint32_t len)
{
	unsigned n = 0;

	list_each(it, &h->frames) {
		const struct held_frame *f =
			container_of(it, struct held_frame, link);

		n += addr_eq(&f->ip, ip);
	}
	return n < HELD_EACH_MAX && h->n < HELD_MAX &&
	       h->bytes + len <= HELD_BYTES_MAX;
}

void held_add(struct held *h, const addr *ip, const struct frame *f)
{
	struct held_frame *hf =
		has_room(h, ip, f->len) ? malloc(sizeof(*hf) + f->len) : NULL;

	if (!hf || !frame_copy(f, 0, f->len, hf->data)) {
		free(hf);
		drop(h->env->drops, DROP_NEIGH_PENDING);
		return;
	}
	hf->ip = *ip;
	hf->since_ns = *h->env->now_ns;
	hf->off = f->off;
	hf->len = f->len;
	list_init(&hf->link);
	list_add_tail(&h->frames, &hf->link);
	h->bytes += hf->len;
	if (h->n++ > 0)
		return;
	h->ask_ns = *h->env->now_ns + ASK_NS;
	timer_arm(h->env->wheel, &h->timer, h->ask_ns);
}

void held_known(struct held *h)
{
	if (h->n)
		timer_arm(h->env->wheel, &h->timer, *h->env->now_ns);
}
