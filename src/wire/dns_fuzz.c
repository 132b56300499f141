/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: the question section, a name at every place, and the error
 * reply, which must be readable itself.  Input: a DNS message.
 */
#include <assert.h>
#include <string.h>

#include "wire/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(const struct rd *msg)
{
	uint8_t b[DNS_HDR_LEN + 2 * DNS_NAME_LEN];
	struct wr w = wr_init(b, sizeof(b));
	struct dns_question q, a;
	struct rd reply;

	if (!dns_emit_error(&w, msg, DNS_REFUSED)) {
		assert(wr_ok(&w) && wr_len(&w) == 0);
		return;
	}
	reply = rd_init(b, wr_len(&w));
	assert(dns_question_parse(&reply, &a));
	assert(a.end == wr_len(&w));
	assert(a.hdr.flags & DNS_F_QR);
	assert((a.hdr.flags & DNS_F_RCODE) == DNS_REFUSED);
	if (!a.hdr.n_question)
		return;
	assert(dns_question_parse(msg, &q));
	assert(q.hdr.id == a.hdr.id && q.type == a.type && q.class == a.class);
	assert(strcmp(q.name, a.name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd msg = rd_init(data, size);
	struct dns_question q;
	char name[DNS_NAME_TEXT];

	if (dns_question_parse(&msg, &q)) {
		assert(q.end >= DNS_HDR_LEN && q.end <= size);
		assert(strlen(q.name) < sizeof(q.name));
		assert(!!q.hdr.n_question == !!*q.name);
	}
	for (size_t i = 0; i < size && i < 64; i++) {
		struct rd r = rd_init(data + i, size - i);

		if (!dns_name_parse(&msg, &r, name))
			continue;
		assert(r.p > data + i && r.p <= data + size);
		assert(strlen(name) < sizeof(name) && *name);
	}
	check_reply(&msg);
	return 0;
}
