/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hostile DHCP clients: any messages, by several machines, over hours.  The
 * input is a sequence of records: one byte of who (low bits) and of whether
 * time passes (high bit), two of length, then the message.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "service/dhcp.h"
#include "service/fake_room.h"

#define MINUTE (60 * UINT64_C(1000000000))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct probes *probes;

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
	if (who & 0x40) { /* somebody has the address that was asked for last */
		const addr ip = addr_v4(10, 0, 2, 250 + who % 5);

		probe_heard(probes, &ip, fake_mac(who & 0x1f));
	}
	if (who & 0x20)
		fake_lan_advance(&room->lan, PROBE_MS * UINT64_C(1000000));
	if (who & 0x80) {
		fake_lan_advance(&room->lan, 100 * MINUTE);
		fake_clear(room->guest);
	}
}

/* A place of its own for one, and options that do not fit at once. */
static struct dhcp_rules *rules_new(void)
{
	struct dhcp_rules *rules = dhcp_rules_new();
	const mac m = fake_mac(3);
	struct dhcp_reservation v = {
		.who = {.kind = DHCP_WHO_MAC, .len = MAC_LEN},
		.ip4 = addr_v4(10, 0, 2, 20),
		.name = "own",
	};
	struct dhcp_option o = {.code = 200, .len = 300};

	memcpy(v.who.b, m.b, MAC_LEN);
	if (!rules || dhcp_rules_add_reservation(rules, &v) < 0 ||
	    dhcp_rules_add_option(rules, &o) < 0)
		abort();
	o.code = 201;
	o.len = 100;
	if (dhcp_rules_add_option(rules, &o) < 0)
		abort();
	return rules;
}

/* What is told makes sense, and ends. */
static void look_at_news(struct dhcp *dhcp)
{
	struct lease_table *t = dhcp_leases_of(dhcp);
	unsigned n = 0;
	struct lease *l;

	while ((l = lease_news_take(t))) {
		if (l->client.id_len > sizeof(l->client.id) || ++n > t->n)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct dhcp_config c = {
		/* few: all are soon taken */
		.pool = {.first = addr_v4(10, 0, 2, 250),
			 .lowest = addr_v4(10, 0, 2, 20)},
		.hostname = "vm",
		.domain = "lab.example",
		.search = {"lab.example", "example"},
		.n_search = 2,
		.rules = rules_new(),
	};
	struct fake_room room;
	struct dhcp *dhcp;

	fake_room_init(&room);
	probes = probes_new(&room.env);
	c.probes = probes;
	if (!probes || dhcp_new(&room.env, &c, NULL, NULL, &dhcp) < 0 ||
	    !dhcp_reserved(dhcp, 1))
		abort();
	while (rd_left(&r) >= 3) {
		step(&room, dhcp, &r);
		look_at_news(dhcp);
	}
	if (dhcp_n_leases(dhcp) > 6)
		abort(); /* .250 to .254, and the one that is reserved */
	dhcp_free(dhcp);
	probes_free(probes);
	dhcp_rules_free((struct dhcp_rules *)c.rules);
	fake_room_deinit(&room);
	return 0;
}
