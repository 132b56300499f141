/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: dhcp_parse() and every way to look at an option; the options
 * are emitted whole and read again.  Input: a DHCP message.
 */
#include <assert.h>
#include <string.h>

#include "wire/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Options as a service asks for them. */
static void look(const struct dhcp_msg *m, uint8_t code)
{
	char text[64];
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	unsigned n;
	struct rd r;
	addr a;

	n = dhcp_find_u8(m, code, &u8);
	n += dhcp_find_u16(m, code, &u16);
	n += dhcp_find_u32(m, code, &u32);
	assert(n <= 1);
	assert(dhcp_find_addr(m, code, &a) == dhcp_find_u32(m, code, &u32));
	if (dhcp_find_text(m, code, text, sizeof(text))) {
		assert(strlen(text) > 0 && strlen(text) < sizeof(text));
		assert(dhcp_find(m, code, &r));
		assert(memcmp(r.p, text, strlen(text)) == 0);
	}
	(void)dhcp_wants(m, code); /* either answer */
}

static void round_trip(const struct dhcp_msg *m)
{
	static const size_t room = 2 * DHCP_STORE + 1024;
	struct dhcp_hdr h = dhcp_reply_hdr(m);
	uint8_t b[2 * DHCP_STORE + 1024];
	struct wr w = wr_init(b, room);
	struct dhcp_msg g;
	struct rd r, o;

	dhcp_emit_hdr(&w, &h);
	for (unsigned c = 1; c < 255; c++) {
		if (c != DHCP_O_OVERLOAD && dhcp_find(m, (uint8_t)c, &r))
			dhcp_emit_opt(&w, (uint8_t)c, r.p, rd_left(&r));
	}
	dhcp_emit_end(&w, 0);
	assert(wr_ok(&w) && wr_len(&w) >= DHCP_MIN_LEN);
	r = rd_init(b, wr_len(&w));
	assert(dhcp_parse(&r, &g));
	assert(g.type == m->type && g.hdr.xid == m->hdr.xid);
	for (unsigned c = 1; c < 255; c++) {
		if (c == DHCP_O_OVERLOAD)
			continue;
		assert(dhcp_find(m, (uint8_t)c, &r) ==
		       dhcp_find(&g, (uint8_t)c, &o));
		if (!dhcp_find(m, (uint8_t)c, &r))
			continue;
		assert(rd_left(&r) == rd_left(&o));
		assert(memcmp(r.p, o.p, rd_left(&r)) == 0);
	}
}

/* The text options become names of a search list, good ones or not. */
static void search(const struct dhcp_msg *m)
{
	char text[4][128];
	const char *names[4];
	uint8_t b[256];
	struct wr w = wr_init(b, sizeof(b));
	unsigned n = 0;

	for (unsigned c = 1; c < 255 && n < 4; c++) {
		if (!dhcp_find_text(m, (uint8_t)c, text[n], sizeof(text[n])))
			continue;
		names[n] = text[n];
		n++;
	}
	if (!dhcp_search_encode(&w, names, n))
		assert(wr_len(&w) == 0);
	assert(wr_ok(&w));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct dhcp_msg m;

	if (!dhcp_parse(&r, &m))
		return 0;
	assert(m.hdr.hlen <= DHCP_CHADDR_LEN);
	assert(strlen(m.hdr.sname) <= DHCP_SNAME_LEN);
	assert(strlen(m.hdr.file) <= DHCP_FILE_LEN);
	for (unsigned c = 0; c < 256; c++)
		look(&m, (uint8_t)c);
	round_trip(&m);
	search(&m);
	return 0;
}
