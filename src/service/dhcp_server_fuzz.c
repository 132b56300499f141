/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hostile DHCP clients: any messages, by several machines, over hours.  The
 * input is a sequence of records: one byte of who (low bits) and of whether
 * time passes (high bit), two of length, then the message.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "service/dhcp.h"
#include "service/fake_room.h"

#define MINUTE (60 * UINT64_C(1000000000))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step(struct fake_room *room, struct dhcp *dhcp, struct rd *r)
{
	uint8_t who = rd_u8(r);
	size_t len = rd_u16(r);
	struct packet pkt = fake_room_packet(addr_v4(0, 0, 0, 0), 68,
					     fake_mac(who & 0x0f));
	uint8_t *copy;

	if (len > rd_left(r))
		len = rd_left(r);
	copy = malloc(len ? len : 1); /* of this size: ASan sees its end */
	if (!copy)
		abort();
	rd_copy(r, copy, len);
	dhcp_input(dhcp, &pkt, copy, len);
	free(copy);
	if (who & 0x80) {
		fake_lan_advance(&room->lan, 100 * MINUTE);
		fake_clear(room->guest);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	const struct dhcp_config c = {
		/* few: all are soon taken */
		.pool.first = addr_v4(10, 0, 2, 250),
		.hostname = "vm",
		.domain = "lab.example",
		.search = {"lab.example", "example"},
		.n_search = 2,
	};
	struct fake_room room;
	struct dhcp *dhcp;

	fake_room_init(&room);
	if (dhcp_new(&room.env, &c, NULL, NULL, &dhcp) < 0)
		abort();
	while (rd_left(&r) >= 3)
		step(&room, dhcp, &r);
	if (dhcp_n_leases(dhcp) > 5)
		abort(); /* .250 to .254 */
	dhcp_free(dhcp);
	fake_room_deinit(&room);
	return 0;
}
