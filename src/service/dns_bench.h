/* SPDX-License-Identifier: BSD-3-Clause */
/* A name server between guests that ask and resolvers that answer what the test
 * says: what its tests have in common. */
#ifndef SERVICE_DNS_BENCH_H
#define SERVICE_DNS_BENCH_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dns.h"
#include "service/fake_room.h"
#include "wire/dns.h"

#define MS     UINT64_C(1000000)
#define TRY_NS (1500 * MS + 2 * MS) /* and the wheel's tick */

struct bench {
	struct fake_room room;
	struct dns *dns;
	bool is_v6; /* the guests */
	/* Who asks next. */
	addr ip;
	mac mac;
	uint16_t port;
};

/* The host's resolvers are of both families, whatever the guest's is. */
static inline struct endpoint upstream(unsigned i)
{
	if (i % 2)
		return (struct endpoint){
			.ip = {{0x20, 1, 0xd, 0xb8, [15] = (uint8_t)i}},
			.port = DNS_PORT};
	return (struct endpoint){.ip = addr_v4(192, 0, 2, (uint8_t)(53 + i)),
				 .port = DNS_PORT};
}

static inline void use(struct bench *b, unsigned n)
{
	struct endpoint ep[DNS_UPSTREAMS_MAX] = {0};

	for (unsigned i = 0; i < n; i++)
		ep[i] = upstream(i);
	dns_set_upstreams(b->dns, ep, n);
}

/* A guest of the family that the tests run for. */
static inline addr guest_ip(const struct bench *b, uint8_t n)
{
	return b->is_v6 ? fake_addr6(n) : addr_v4(10, 0, 2, n);
}

static inline int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const bool *is_v6p = *state;

	b->is_v6 = *is_v6p;
	fake_room_init(&b->room);
	assert_int_equal(dns_new(&b->room.env, &b->dns), 0);
	use(b, 3);
	b->ip = guest_ip(b, 15);
	b->mac = fake_mac(1);
	b->port = 5000;
	*state = b;
	return 0;
}

static inline int teardown(void **state)
{
	struct bench *b = *state;

	dns_free(b->dns);
	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

static inline uint64_t drops(const struct bench *b, enum drop_reason why)
{
	return b->room.lan.drops.n[why];
}

static inline size_t put_question(uint8_t *buf, size_t room, uint16_t id,
			   uint16_t flags, const char *label)
{
	struct wr w = wr_init(buf, room);
	struct dns_hdr h = {.id = id, .flags = flags, .n_question = 1};

	dns_hdr_emit(&w, &h);
	wr_u8(&w, (uint8_t)strlen(label));
	wr_bytes(&w, label, strlen(label));
	wr_u8(&w, 0);
	wr_u16(&w, DNS_T_A);
	wr_u16(&w, DNS_C_IN);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

static inline void send_raw(struct bench *b, const void *p, size_t len)
{
	struct packet pkt = fake_room_packet(b->ip, b->port, b->mac);

	dns_input(b->dns, &pkt, p, len);
}

static inline void ask(struct bench *b, uint16_t id, const char *label)
{
	uint8_t buf[128];
	size_t len = put_question(buf, sizeof(buf), id, DNS_F_RD, label);

	send_raw(b, buf, len);
}

/* A question of its own for each id, all of one length. */
static inline void ask_new(struct bench *b, uint16_t id)
{
	char label[5];

	snprintf(label, sizeof(label), "%04x", id);
	ask(b, id, label);
}

static inline unsigned n_asked(const struct bench *b)
{
	return b->room.up->n_sent;
}

static inline const struct fake_question *asked(const struct bench *b,
						unsigned i)
{
	assert_true(i < b->room.up->n_sent);
	return &b->room.up->sent[i];
}

static inline uint16_t id_of(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The ith question is answered: itself with QR and extra bytes of answer. */
static inline void answer(struct bench *b, unsigned i, size_t extra)
{
	const struct fake_question *q = asked(b, i);
	uint8_t *buf = calloc(1, q->len + extra);

	memcpy(buf, q->data, q->len);
	buf[2] |= DNS_F_QR >> 8;
	fake_upstream_say(b->room.up, q->sock, buf, q->len + extra, 0);
	free(buf);
	fake_upstream_run(b->room.up);
}

static inline unsigned n_got(const struct bench *b)
{
	return b->room.guest->n_out;
}

/* What the guest got: from the resolver's address, to who asked. */
static inline struct fake_dgram got(struct bench *b, unsigned i)
{
	addr dns = guest_ip(b, 3);
	struct fake_dgram g;

	assert_true(fake_room_got(&b->room, i, &g));
	assert_true(addr_eq(&g.pkt.src.ip, &dns));
	assert_int_equal(g.pkt.src.port, DNS_PORT);
	assert_true(addr_eq(&g.pkt.dst.ip, &b->ip));
	assert_int_equal(g.pkt.dst.port, b->port);
	assert_true(mac_eq(g.pkt.eth_dst, b->mac));
	return g;
}

static inline unsigned rcode(const struct fake_dgram *g)
{
	return g->data[3] & DNS_F_RCODE;
}

static inline void expect_servfail(struct bench *b, uint16_t id)
{
	struct fake_dgram g = got(b, 0);

	assert_int_equal(n_got(b), 1);
	assert_int_equal(id_of(g.data), id);
	assert_int_equal(rcode(&g), DNS_SERVFAIL);
	assert_true(g.data[2] & DNS_F_QR >> 8);
}

static inline bool went_to(const struct bench *b, unsigned i, unsigned up)
{
	struct endpoint ep = upstream(up);

	return endpoint_eq(&asked(b, i)->to, &ep);
}

#endif
