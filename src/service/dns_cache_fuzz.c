/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: a question by a hostile guest, and what a hostile resolver
 * answers to it, into the cache and out again.  Input: the question's length in
 * two bytes, the question, the answer.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/dns_cache.h"

#define SECOND UINT64_C(1000000000)

enum { START = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out is the answer to this question, and ends where its records
 * do. */
static void check(const uint8_t *b, size_t len, const struct rd *question)
{
	struct rd made = rd_init(b, len), r = made;
	struct dns_question q, a;
	struct dns_record rec;
	unsigned n;

	assert(dns_question_parse(&made, &a) &&
	       dns_question_parse(question, &q));
	assert(a.end == q.end && a.hdr.id == q.hdr.id);
	assert(memcmp(b + DNS_HDR_LEN, question->p + DNS_HDR_LEN,
		      q.end - DNS_HDR_LEN) == 0);
	rd_skip(&r, a.end);
	n = (unsigned)a.hdr.n_answer + a.hdr.n_authority + a.hdr.n_extra;
	while (n--) {
		assert(dns_record_parse(&made, &r, &rec));
		assert(rec.type == DNS_T_OPT ||
		       rec.ttl <= UINT32_C(0x7fffffff));
	}
	assert(!rd_left(&r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd answer = rd_init(data, size);
	struct rd question = rd_sub(&answer, rd_u16(&answer));
	static const uint64_t ages[] = {0, 1, 59, 3600, 86399, 86400};
	struct dns_question q, a;
	struct dns_cache *c;
	uint8_t b[4096];

	/* The relay takes no others, and matches answers to them. */
	if (!rd_ok(&answer) || rd_left(&question) > 1024 ||
	    !dns_question_parse(&question, &q) || q.hdr.n_question != 1 ||
	    !dns_question_parse(&answer, &a) || a.hdr.n_question != 1 ||
	    a.end != q.end)
		return 0;
	if (dns_cache_new(&c) < 0)
		abort();
	dns_cache_put(c, &question, &answer, 1, START * SECOND);
	for (unsigned i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
		struct wr w = wr_init(b, sizeof(b));

		if (dns_cache_get(c, &question, (START + ages[i]) * SECOND,
				  &w)) {
			assert(ages[i] < DNS_CACHE_SECONDS);
			check(b, wr_len(&w), &question);
		} else {
			assert(wr_len(&w) == 0);
		}
	}
	dns_cache_free(c);
	return 0;
}
