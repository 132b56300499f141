/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest and hostile resolvers around the DNS relay.  The input is a
 * sequence of records: one byte that says what happens, one of length, then
 * bytes: a guest's question, a resolver's answer (whole, or laid over the
 * question that was sent last, so that its id is right), a refusal, time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "service/dns.h"
#include "service/fake_room.h"
#include "wire/dns.h"

#define SECOND UINT64_C(1000000000)

enum what {
	WHAT_ASK,
	WHAT_ANSWER,
	WHAT_OVERLAY,
	WHAT_REFUSE,
	WHAT_WAIT,
	WHAT_RESOLVERS,
	WHAT_FAIL,
	WHAT_N
};

struct world {
	struct fake_room room;
	struct dns *dns;
	uint8_t bytes[256];
	size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resolvers(struct world *w, unsigned n)
{
	struct endpoint ep[3];

	for (unsigned i = 0; i < 3; i++)
		ep[i] = (struct endpoint){
			.ip = addr_v4(192, 0, 2, (uint8_t)i), .port = DNS_PORT};
	dns_set_upstreams(w->dns, ep, n % 4);
}

static void question(struct world *w, uint8_t who)
{
	uint8_t n = (uint8_t)(15 + who);
	struct packet pkt = fake_room_packet(
		who & 1 ? fake_addr6(n) : addr_v4(10, 0, 2, n),
		(uint16_t)(5000 + who), fake_mac(who));
	uint8_t *copy = malloc(w->len ? w->len : 1);

	if (!copy)
		abort();
	memcpy(copy, w->bytes, w->len);
	dns_input(w->dns, &pkt, copy, w->len);
	free(copy);
}

/* The last question, as its answer, with the input's bytes over its tail. */
static void overlay(struct world *w)
{
	struct fake_upstream *up = w->room.up;
	const struct fake_question *q;
	uint8_t buf[2048] = {0};
	size_t len;

	if (!up->n_sent || up->n_sent > FAKE_UPSTREAM_SENT)
		return;
	q = &up->sent[up->n_sent - 1];
	memcpy(buf, q->data, q->len);
	buf[2] |= DNS_F_QR >> 8;
	len = q->len + w->len;
	memcpy(buf + q->len, w->bytes, w->len);
	if (w->len > 250)
		len = sizeof(buf); /* longer than a frame */
	fake_upstream_say(up, q->sock, buf, len, 0);
}

static void step(struct world *w, struct rd *r)
{
	struct fake_upstream *up = w->room.up;
	uint8_t head = rd_u8(r), n = rd_u8(r);
	unsigned sock = up->n_numbers ? n % up->n_numbers : 0;

	w->len = n < rd_left(r) ? n : rd_left(r);
	rd_copy(r, w->bytes, w->len);
	switch ((enum what)(head % WHAT_N)) {
	case WHAT_ASK:
		question(w, head >> 5);
		break;
	case WHAT_ANSWER:
		fake_upstream_say(up, sock, w->bytes, w->len, head >> 4);
		break;
	case WHAT_OVERLAY:
		overlay(w);
		break;
	case WHAT_REFUSE:
		fake_upstream_refuse(up, sock, -ECONNREFUSED);
		break;
	case WHAT_WAIT:
		fake_lan_advance(&w->room.lan, n * SECOND / 10);
		break;
	case WHAT_RESOLVERS:
		resolvers(w, n);
		break;
	case WHAT_FAIL:
		up->send_err = -ENETUNREACH;
		up->n_send_err = n;
		break;
	case WHAT_N:
		break;
	}
	fake_upstream_run(up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct world w = {0};

	fake_room_init(&w.room);
	if (dns_new(&w.room.env, &w.dns) < 0)
		abort();
	resolvers(&w, 2);
	while (rd_left(&r) >= 2)
		step(&w, &r);
	/* Three tries later each question has its answer. */
	for (unsigned i = 0; i < 3; i++)
		fake_lan_advance(&w.room.lan, 2 * SECOND);
	if (w.room.lan.wheel.n_armed > 1)
		abort(); /* the lan's own is the one */
	dns_free(w.dns);
	fake_room_deinit(&w.room);
	return 0;
}
