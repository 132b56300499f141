/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: a question by hostile hands to the zone, and host names by
 * others.  Input: a byte of length and a DHCP client's host name, the same
 * with a given one, then the question.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/fake_room.h"
#include "service/zone.h"

#define SECOND UINT64_C(1000000000)

struct world {
	struct zone_machine m[2];
	addr heard;
	char given[48];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool next(void *arg, struct zone_walk *w, struct zone_machine *m)
{
	struct world *x = arg;
	struct zone_machine *at = w->port ? w->port : x->m;

	if (at == x->m + 2)
		return false;
	*m = *at;
	m->key = at;
	w->port = at + 1;
	return true;
}

static void take_text(struct rd *r, char *buf, size_t room)
{
	struct rd text = rd_sub(r, rd_u8(r) % room);
	size_t n = rd_left(&text);

	memcpy(buf, text.p, n);
	buf[n] = '\0';
}

/* What was made is a message with one question, sound to its end. */
static void check(const uint8_t *b, size_t len)
{
	struct rd msg = rd_init(b, len), r = msg;
	struct dns_question q;
	struct dns_record rec;
	unsigned n;

	assert(dns_question_parse(&msg, &q) && q.hdr.n_question == 1);
	assert(q.hdr.flags & DNS_F_QR);
	rd_skip(&r, q.end);
	n = (unsigned)q.hdr.n_answer + q.hdr.n_authority + q.hdr.n_extra;
	while (n--)
		assert(dns_record_parse(&msg, &r, &rec));
	assert(!rd_left(&r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct world x = {.heard = addr_v4(10, 0, 2, 77)};
	struct zone_source src = {.next = next, .arg = &x};
	char name[LEASE_NAME_LEN] = "";
	struct lease_client c = {.id = {1}, .id_len = 1, .port = 1};
	const struct lease_pool pool = {.first = addr_v4(10, 0, 2, 15)};
	struct lease_table t;
	struct fake_room room;
	struct lease *l;
	struct zone z;
	uint8_t b[1024];
	struct wr w = wr_init(b, sizeof(b));

	take_text(&r, name, sizeof(name));
	take_text(&r, x.given, sizeof(x.given));
	x.m[0] = (struct zone_machine){.serial = 1, .is_one = true};
	x.m[1] = (struct zone_machine){
		.name = x.given, .serial = 2, .ip = &x.heard, .n_ip = 1};
	fake_room_init(&room);
	if (lease_table_init(&t, &room.env.v4.net, &pool) < 0)
		abort();
	l = lease_offer(&t, &c, &pool.first, room.lan.now_ns + SECOND);
	lease_bind(&t, l, room.lan.now_ns + SECOND);
	lease_name(l, name, room.lan.now_ns);
	src.leases = &t;
	if (!zone_init(&z, &room.env, &src, "vm.lan"))
		abort();
	if (rd_left(&r) > 1024)
		r.end = r.p + 1024; /* as the service takes it */
	if (zone_answer(&z, &r, &w))
		check(b, wr_len(&w));
	else
		assert(wr_len(&w) == 0);
	lease_table_deinit(&t);
	fake_room_deinit(&room);
	return 0;
}
