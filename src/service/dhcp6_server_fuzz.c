/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hostile clients of both DHCP servers, which share a pool: any messages, by
 * several machines, over hours.  The input is a sequence of records: one byte
 * of who (low bits), of which server (0x40: DHCPv4's) and of whether time
 * passes (high bit), two of length, then the message.  No place may be two
 * machines'.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "service/dhcp.h"
#include "service/dhcp6.h"
#include "service/fake_room.h"

#define MINUTE (60 * UINT64_C(1000000000))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct fake_room room;
	struct dhcp *dhcp;
	struct dhcp6 *dhcp6;
};

static void check(const struct world *w)
{
	const struct lease_table *t = dhcp_leases_of(w->dhcp);

	for (unsigned i = 0; i < t->n; i++) {
		const struct lease *l = &t->lease[i];

		if (l->state == LEASE_BOUND && l->twin->state == LEASE_BOUND &&
		    !mac_eq(l->client.mac, l->twin->client.mac))
			abort();
		if (l->twin->state != LEASE_FREE && l->twin->reserved)
			abort();
	}
	if (dhcp_n_leases(w->dhcp) > t->n)
		abort();
}

static void step(struct world *w, struct rd *r)
{
	const addr ll = {{0xfe, 0x80, [15] = 9}};
	uint8_t who = rd_u8(r);
	bool is_v4 = who & 0x40;
	size_t len = rd_u16(r);
	struct packet pkt = fake_room_packet(is_v4 ? addr_v4(0, 0, 0, 0) : ll,
					     is_v4 ? 68 : 546,
					     fake_mac(who & 0x0f));
	uint8_t *copy;

	if (len > rd_left(r))
		len = rd_left(r);
	copy = malloc(len ? len : 1); /* of this size: ASan sees its end */
	if (!copy)
		abort();
	rd_copy(r, copy, len);
	if (is_v4)
		dhcp_input(w->dhcp, &pkt, copy, len);
	else
		dhcp6_input(w->dhcp6, &pkt, copy, len);
	free(copy);
	if (who & 0x80) {
		fake_lan_advance(&w->room.lan, 100 * MINUTE);
		fake_clear(w->room.guest);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	const struct dhcp_config c = {
		/* few: all are soon taken */
		.pool.first = addr_v4(10, 0, 2, 250),
		.n_kept = 1,
		.hostname = "vm",
		.domain = "lab.example",
	};
	const struct dhcp6_config c6 = {
		.domain = "",
		.search = {"lab.example", "example"},
		.n_search = 2,
	};
	const addr kept = addr_v4(10, 0, 2, 250);
	struct world w;

	fake_room_init(&w.room);
	if (dhcp_new(&w.room.env, &c, NULL, NULL, &w.dhcp) < 0 ||
	    dhcp6_new(&w.room.env, &c6, dhcp_leases_of(w.dhcp), NULL, NULL,
		      &w.dhcp6) < 0)
		abort();
	dhcp_keep(w.dhcp, &kept, fake_mac(1));
	while (rd_left(&r) >= 3) {
		step(&w, &r);
		check(&w);
	}
	dhcp6_free(w.dhcp6);
	dhcp_free(w.dhcp);
	fake_room_deinit(&w.room);
	return 0;
}
