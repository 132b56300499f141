/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: dhcp6_parse() and every address of every IA; what was found is
 * emitted and read again.  Input: a DHCPv6 message.
 */
#include <assert.h>
#include <string.h>

#include "wire/dhcp6.h"
#include "wire/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(struct rd a, struct rd b)
{
	return rd_left(&a) == rd_left(&b) &&
	       memcmp(a.p, b.p, rd_left(&a)) == 0;
}

static void put_ia(struct wr *w, const struct dhcp6_ia *ia)
{
	struct rd opts = ia->opts;
	struct dhcp6_addr a;
	size_t at = dhcp6_ia_begin(w, ia->code, ia->iaid, 1, 2);

	while (dhcp6_next_addr(&opts, &a))
		dhcp6_emit_addr(w, &a);
	assert(rd_ok(&opts) && !rd_left(&opts));
	dhcp6_opt_end(w, at);
}

static void same_ia(const struct dhcp6_ia *a, const struct dhcp6_ia *b)
{
	struct rd x = a->opts, y = b->opts;
	struct dhcp6_addr p, q;

	assert(a->code == b->code && a->iaid == b->iaid);
	while (dhcp6_next_addr(&x, &p)) {
		assert(dhcp6_next_addr(&y, &q));
		assert(addr_eq(&p.ip, &q.ip) && p.valid == q.valid &&
		       p.preferred == q.preferred);
	}
	assert(!dhcp6_next_addr(&y, &q));
}

static void round_trip(const struct dhcp6_msg *m, size_t size)
{
	uint8_t b[65536];
	struct wr w = wr_init(b, sizeof(b));
	struct dhcp6_msg g;
	struct rd r;

	dhcp6_emit_hdr(&w, m->type, m->xid);
	if (rd_left(&m->client_id))
		dhcp6_emit_opt(&w, DHCP6_O_CLIENT_ID, m->client_id.p,
			       rd_left(&m->client_id));
	if (rd_left(&m->server_id))
		dhcp6_emit_opt(&w, DHCP6_O_SERVER_ID, m->server_id.p,
			       rd_left(&m->server_id));
	if (rd_left(&m->fqdn))
		dhcp6_emit_opt(&w, DHCP6_O_FQDN, m->fqdn.p,
			       rd_left(&m->fqdn));
	for (unsigned i = 0; i < m->n_ia; i++)
		put_ia(&w, &m->ia[i]);
	assert(wr_ok(&w) && wr_len(&w) <= size);
	r = rd_init(b, wr_len(&w));
	assert(dhcp6_parse(&r, &g));
	assert(g.type == m->type && g.xid == m->xid && g.n_ia == m->n_ia);
	assert(same(g.client_id, m->client_id) &&
	       same(g.server_id, m->server_id) && same(g.fqdn, m->fqdn));
	for (unsigned i = 0; i < m->n_ia; i++)
		same_ia(&g.ia[i], &m->ia[i]);
}

/* The input is a name as well, good or not. */
static void name(const uint8_t *data, size_t size)
{
	char text[300];
	uint8_t b[256];
	struct wr w = wr_init(b, sizeof(b));

	if (size >= sizeof(text))
		size = sizeof(text) - 1;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (!dns_name_emit(&w, text))
		assert(wr_len(&w) == 0);
	assert(wr_ok(&w) && wr_len(&w) <= 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct dhcp6_msg m;

	name(data, size);
	if (size > 65535 || !dhcp6_parse(&r, &m))
		return 0;
	assert(m.n_ia <= DHCP6_IAS_MAX);
	assert(rd_left(&m.client_id) <= DHCP6_DUID_MAX);
	round_trip(&m, size);
	return 0;
}
