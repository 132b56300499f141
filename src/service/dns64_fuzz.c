/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: a guest's question and a resolver's answer, both by hostile
 * hands, through every step of DNS64.  Input: a byte (1: IPv6 does not leave
 * the host), the question's length in two, the question, the answer.
 */
#include <assert.h>
#include <string.h>

#include "base/nat64.h"
#include "service/dns64.h"
#include "wire/dns.h"

enum { ROOM = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was made is a message with the question of msg, exactly. */
static void check(const uint8_t *b, const struct wr *w, const struct rd *msg)
{
	struct rd made = rd_init(b, wr_len(w));
	struct dns_question q, a;

	assert(dns_question_parse(&made, &a) && dns_question_parse(msg, &q));
	assert(a.hdr.flags & DNS_F_QR);
	assert(a.hdr.n_question == 1 && a.end == q.end);
	assert(memcmp(b + DNS_HDR_LEN, msg->p + DNS_HDR_LEN,
		      q.end - DNS_HDR_LEN) == 0);
}

static void walk(const struct dns64 *c, const struct rd *msg,
		 const struct rd *answer)
{
	struct dns64_step s = dns64_begin(c, msg);
	unsigned n = 0;

	do {
		uint8_t b[ROOM];
		struct wr w = wr_init(b, sizeof(b));
		struct dns_question q;
		struct rd asked;

		assert(n < 3);
		n++;
		if (s.stage == DNS64_PLAIN)
			return;
		assert(dns64_emit_question(&s, msg, &w));
		asked = rd_init(b, wr_len(&w));
		assert(dns_question_parse(&asked, &q));
		w = wr_init(b, sizeof(b));
		if (dns64_emit_answer(c, &s, msg, answer, &w))
			check(b, &w, msg);
		else
			assert(wr_len(&w) == 0);
	} while (!dns64_is_last(c, &s, answer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct dns64 c = {.prefix = NAT64_PREFIX,
			  .is_only_way = rd_u8(&r) & 1};
	struct rd msg = rd_sub(&r, rd_u16(&r));
	uint8_t b[ROOM];
	struct wr w = wr_init(b, sizeof(b));
	struct dns_question q;

	/* The relay takes no others. */
	if (!rd_ok(&r) || rd_left(&msg) > 1024 ||
	    !dns_question_parse(&msg, &q) || q.hdr.n_question != 1)
		return 0;
	assert(dns_udp_max(&msg) >= DNS_UDP_MAX);
	if (dns64_emit_own(&c, &msg, &w))
		check(b, &w, &msg);
	walk(&c, &msg, &r);
	return 0;
}
