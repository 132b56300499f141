/* SPDX-License-Identifier: BSD-3-Clause */
/* What passes between a LAN and a host that is to be no router. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/hostif.h"

enum { LEN = 60, TYPE_ARP = 0x0806, TYPE_V4 = 0x0800, TYPE_V6 = 0x86dd };

static struct hostif host(void)
{
	struct hostif h = {.n = 2};

	h.ip[0] =
		(struct prefix){.ip = addr_v4(192, 168, 56, 1), .len = 96 + 24};
	h.ip[1] = (struct prefix){.len = 64};
	if (!addr_parse("fd56::1", &h.ip[1].ip))
		fail();
	return h;
}

/* Bytes of a frame between two addresses; its first n are there. */
static struct frame frame(uint8_t *p, const char *from, const char *to,
			  uint32_t n)
{
	addr a, b;

	memset(p, 0, LEN);
	assert_true(addr_parse(from, &a) && addr_parse(to, &b));
	if (addr_is_v4(&a)) {
		p[12] = TYPE_V4 >> 8;
		memcpy(p + 26, a.b + 12, 4);
		memcpy(p + 30, b.b + 12, 4);
	} else {
		p[12] = TYPE_V6 >> 8;
		p[13] = TYPE_V6 & 0xff;
		memcpy(p + 22, a.b, 16);
		memcpy(p + 38, b.b, 16);
	}
	return frame_flat(p, n);
}

static void the_host_and_the_machines(void **state)
{
	static const struct {
		const char *from, *to;
		bool taken, given;
	} rows[] = {
		{"192.168.56.9", "192.168.56.1", true, false},
		{"192.168.56.1", "192.168.56.9", false, true},
		/* the world, by the host as a router */
		{"192.168.56.9", "203.0.113.1", false, false},
		{"203.0.113.1", "192.168.56.9", false, false},
		/* the host's other addresses */
		{"192.168.56.9", "192.0.2.2", false, false},
		/* groups */
		{"192.168.56.9", "192.168.56.255", true, false},
		{"192.168.56.9", "255.255.255.255", true, false},
		{"192.168.56.9", "224.0.0.251", true, false},
		{"192.168.56.1", "224.0.0.251", true, true},
		{"203.0.113.1", "224.0.0.251", true, false},
		{"fd56::9", "fd56::1", true, false},
		{"fd56::1", "fd56::9", false, true},
		{"fd56::9", "2001:db8::1", false, false},
		{"2001:db8::1", "fd56::9", false, false},
		{"fe80::1", "fe80::2", true, true},
		{"fe80::1", "fd56::9", false, true},
		{"::", "ff02::1", true, true},
		{"fec0::1", "fec0::2", false, false},
	};
	const struct hostif h = host();
	uint8_t p[LEN];

	for (size_t i = 0; i < array_len(rows); i++) {
		struct frame f = frame(p, rows[i].from, rows[i].to, LEN);

		if (hostif_takes(&h, &f) != rows[i].taken ||
		    hostif_gives(&h, &f) != rows[i].given)
			fail_msg("%s to %s", rows[i].from, rows[i].to);
	}
}

static void what_is_no_ip(void **state)
{
	const struct hostif h = host();
	uint8_t p[LEN] = {0};
	struct frame f = frame_flat(p, LEN);
	static const struct {
		unsigned type;
		bool passes;
	} rows[] = {{TYPE_ARP, true}, {0x8100, false}, {0x88cc, false}};

	for (size_t i = 0; i < array_len(rows); i++) {
		p[12] = (uint8_t)(rows[i].type >> 8);
		p[13] = (uint8_t)rows[i].type;
		assert_true(hostif_takes(&h, &f) == rows[i].passes);
		assert_true(hostif_gives(&h, &f) == rows[i].passes);
	}
}

static void what_is_cut_short(void **state)
{
	const struct hostif h = host();
	uint8_t p[LEN];
	struct frame f = frame(p, "192.168.56.9", "192.168.56.1", 33);

	assert_false(hostif_takes(&h, &f));
	f = frame(p, "192.168.56.9", "192.168.56.1", 34);
	assert_true(hostif_takes(&h, &f));
	f = frame(p, "fd56::9", "fd56::1", 53);
	assert_false(hostif_takes(&h, &f));
	f = frame(p, "fd56::9", "fd56::1", 54);
	assert_true(hostif_takes(&h, &f));
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(the_host_and_the_machines),
		cmocka_unit_test(what_is_no_ip),
		cmocka_unit_test(what_is_cut_short),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
