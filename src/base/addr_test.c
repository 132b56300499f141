/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses: kinds, prefixes, and text both ways (RFC 5952). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"

static addr parse(const char *text)
{
	addr a;

	if (!addr_parse(text, &a))
		fail_msg("%s: not parsed", text);
	return a;
}

static void kinds(void **state)
{
	static const struct {
		const char *text;
		bool v4, unspecified, loopback, multicast, broadcast;
	} t[] = {
		{"0.0.0.0", true, true, false, false, false},
		{"::", false, true, false, false, false},
		{"127.0.0.1", true, false, true, false, false},
		{"127.255.255.255", true, false, true, false, false},
		{"126.255.255.255", true, false, false, false, false},
		{"128.0.0.1", true, false, false, false, false},
		{"::1", false, false, true, false, false},
		{"::2", false, false, false, false, false},
		{"223.255.255.255", true, false, false, false, false},
		{"224.0.0.1", true, false, false, true, false},
		{"239.255.255.255", true, false, false, true, false},
		{"240.0.0.1", true, false, false, false, false},
		{"ff02::1", false, false, false, true, false},
		{"feff::1", false, false, false, false, false},
		{"255.255.255.255", true, false, false, false, true},
		{"::ffff:127.0.0.1", true, false, true, false, false},
		{"ffff::", false, false, false, true, false},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		addr a = parse(t[i].text);

		assert_int_equal(addr_is_v4(&a), t[i].v4);
		assert_int_equal(addr_is_unspecified(&a), t[i].unspecified);
		assert_int_equal(addr_is_loopback(&a), t[i].loopback);
		assert_int_equal(addr_is_multicast(&a), t[i].multicast);
		assert_int_equal(addr_is_broadcast(&a), t[i].broadcast);
		assert_int_equal(addr_is_unicast(&a),
				 !t[i].unspecified && !t[i].loopback &&
					 !t[i].multicast && !t[i].broadcast);
	}
}

static void link_local(void **state)
{
	static const struct {
		const char *text;
		bool is_so;
	} t[] = {
		{"fe80::1", true},  {"febf::1", true},	  {"fec0::1", false},
		{"fe7f::1", false}, {"169.254.0.1", false}, {"ff02::1", false},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		addr a = parse(t[i].text);

		assert_int_equal(addr_is_link_local6(&a), t[i].is_so);
	}
}

static void numbers(void **state)
{
	addr a = addr_v4_u32(0x0a000202);
	addr b = addr_v4(10, 0, 2, 2);
	uint8_t bytes[4] = {10, 0, 2, 2};
	addr c = addr_v4_bytes(bytes);

	assert_true(addr_eq(&a, &b) && addr_eq(&a, &c));
	assert_int_equal(addr_u32(&a), 0x0a000202);
	b = addr_v4(10, 0, 2, 3);
	assert_false(addr_eq(&a, &b));
}

/* RFC 5952 4 and 5; the same in the shape it is written in. */
static void formats(void **state)
{
	static const char *const t[][2] = {
		{"::", "::"},
		{"0:0:0:0:0:0:0:1", "::1"},
		{"::102:304", "::102:304"},
		{"::2:0", "::2:0"},
		{"2001:db8::0:1", "2001:db8::1"},
		{"2001:DB8:0:0:0:0:2:1", "2001:db8::2:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"1:0:0:0:0:0:0:0", "1::"},
		{"0:0:0:0:0:0:0:0", "::"},
		{"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
		{"0:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
		{"fe80::0001:00ab", "fe80::1:ab"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"255.255.255.255", "255.255.255.255"},
		{"0.0.0.0", "0.0.0.0"},
	};
	char buf[ADDR_STRLEN];

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		addr a = parse(t[i][0]);

		assert_ptr_equal(addr_format(&a, buf), buf);
		assert_string_equal(buf, t[i][1]);
	}
}

static void random_text_comes_back(void **state)
{
	char buf[ADDR_STRLEN];

	srandom(5);
	for (unsigned n = 0; n < 20000; n++) {
		addr a = {{0}}, b;

		for (unsigned i = 0; i < 16; i++) {
			if (random() % 3)
				a.b[i] = (uint8_t)random();
			else if (random() % 2 && i < 15)
				i++;
		}
		assert_true(strlen(addr_format(&a, buf)) < ADDR_STRLEN);
		b = parse(buf);
		assert_true(addr_eq(&a, &b));
	}
}

static void bad_text(void **state)
{
	static const char *const t[] = {
		"", " ", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ",
		" 1.2.3.4", "01.2.3.4", "1..3.4", "0x7f.0.0.1", "1.2.3.-4",
		":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"12345::", "g::", "::1%lo", "[::1]", "::1.2.3", "1.2.3.4::",
		"fe80::1/64", "localhost",
	};
	addr a = addr_v4(1, 2, 3, 4);

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (addr_parse(t[i], &a))
			fail_msg("\"%s\" was parsed", t[i]);
	}
	assert_int_equal(addr_u32(&a), 0x01020304);
}

static void endpoints(void **state)
{
	struct endpoint e = {.ip = addr_v4(10, 0, 2, 15), .port = 22};
	struct endpoint f = e;
	char buf[ENDPOINT_STRLEN];

	assert_string_equal(endpoint_format(&e, buf), "10.0.2.15:22");
	assert_true(endpoint_eq(&e, &f));
	f.port = 23;
	assert_false(endpoint_eq(&e, &f));
	e.ip = parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1");
	e.port = 65535;
	assert_string_equal(endpoint_format(&e, buf),
			    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1]:65535");
	f.ip = e.ip;
	f.port = 65535;
	assert_true(endpoint_eq(&e, &f));
}

static void prefixes(void **state)
{
	struct prefix p = {.ip = addr_v4(10, 0, 2, 77), .len = 120};
	struct prefix n = prefix_network(&p);
	addr a = prefix_broadcast(&p);
	char buf[ADDR_STRLEN];

	assert_string_equal(addr_format(&n.ip, buf), "10.0.2.0");
	assert_int_equal(n.len, 120);
	assert_string_equal(addr_format(&a, buf), "10.0.2.255");
	p.len = 96 + 22;
	n = prefix_network(&p);
	a = prefix_broadcast(&p);
	assert_string_equal(addr_format(&n.ip, buf), "10.0.0.0");
	assert_string_equal(addr_format(&a, buf), "10.0.3.255");
	p.len = 128;
	a = prefix_broadcast(&p);
	assert_string_equal(addr_format(&a, buf), "10.0.2.77");
	p.len = 96;
	a = prefix_broadcast(&p);
	assert_string_equal(addr_format(&a, buf), "255.255.255.255");
	p = (struct prefix){.ip = parse("2001:db8::5"), .len = 64};
	n = prefix_network(&p);
	a = prefix_broadcast(&p);
	assert_string_equal(addr_format(&n.ip, buf), "2001:db8::");
	assert_string_equal(addr_format(&a, buf), "ff02::1");
}

static void prefixes_in_text(void **state)
{
	static const struct {
		const char *ip;
		uint8_t len, counted;
		const char *text;
	} t[] = {
		{"10.0.2.0", 120, 24, "10.0.2.0/24"},
		{"10.0.2.7", 120, 24, "10.0.2.7/24"},
		{"0.0.0.0", 96, 0, "0.0.0.0/0"},
		{"255.255.255.255", 128, 32, "255.255.255.255/32"},
		{"fec0::", 64, 64, "fec0::/64"},
		{"::", 0, 0, "::/0"},
		{"64:ff9b::", 96, 96, "64:ff9b::/96"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128, 128,
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	};
	char buf[PREFIX_STRLEN];

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		addr ip = parse(t[i].ip);
		struct prefix p = prefix_of(&ip, t[i].counted);

		assert_true(addr_eq(&p.ip, &ip));
		assert_int_equal(p.len, t[i].len);
		assert_int_equal(prefix_len(&p), t[i].counted);
		assert_ptr_equal(prefix_format(&p, buf), buf);
		assert_string_equal(buf, t[i].text);
	}
}

/* prefix_has() bit by bit. */
static void a_prefix_has_what_it_should(void **state)
{
	srandom(6);
	for (unsigned len = 0; len <= 128; len++) {
		struct prefix p = {.len = (uint8_t)len};

		for (unsigned i = 0; i < 16; i++)
			p.ip.b[i] = (uint8_t)random();
		assert_true(prefix_has(&p, &p.ip));
		for (unsigned bit = 0; bit < 128; bit++) {
			addr a = p.ip;

			a.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_int_equal(prefix_has(&p, &a), bit >= len);
		}
	}
}

static void macs(void **state)
{
	static const char *const bad[] = {
		"", "52:54:00:12:34", "52:54:00:12:34:56:78",
		"52:54:0:12:34:56",
		"525400123456", "52:54:00:12:34:5g", "52:54:00:12:34:56 ",
		"52.54.00.12.34.56", "52:54:00:12:34:5",
	};
	mac m = {{1, 2, 3, 4, 5, 6}};
	char buf[MAC_STRLEN];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(mac_parse(bad[i], &m));
	assert_int_equal(m.b[5], 6);
	assert_true(mac_parse("52:54:00:aB:Cd:fF", &m));
	assert_string_equal(mac_format(m, buf), "52:54:00:ab:cd:ff");
	assert_true(mac_parse("52-54-00-12-34-56", &m));
	assert_string_equal(mac_format(m, buf), "52:54:00:12:34:56");
	assert_false(mac_is_zero(m) || mac_is_group(m) || mac_is_broadcast(m));
	assert_true(mac_is_zero((mac){{0}}));
	assert_true(mac_is_group((mac){{0x33, 0x33}}));
	assert_false(mac_is_broadcast((mac){{0x33, 0x33}}));
	assert_true(mac_is_group(MAC_BROADCAST));
	assert_true(mac_is_broadcast(MAC_BROADCAST));
	assert_true(mac_eq(m, mac_bytes(m.b)));
	for (unsigned i = 0; i < 6; i++) {
		mac one = {{0}}, all = MAC_BROADCAST;

		one.b[i] = 2;
		all.b[i] = 0xfd;
		assert_false(mac_is_zero(one));
		assert_false(mac_is_broadcast(all));
		assert_false(mac_eq(one, (mac){{0}}));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(link_local),
		cmocka_unit_test(numbers),
		cmocka_unit_test(formats),
		cmocka_unit_test(random_text_comes_back),
		cmocka_unit_test(bad_text),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(prefixes_in_text),
		cmocka_unit_test(a_prefix_has_what_it_should),
		cmocka_unit_test(macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
