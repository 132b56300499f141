/* SPDX-License-Identifier: BSD-3-Clause */
/* Reservations, options for all and for one, long options, lease times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dhcp_options.h"
#include "service/fake_client.h"

static struct dhcp_rules *rules;

static int setup(void **state)
{
	rules = dhcp_rules_new();
	return client_setup(state);
}

static int teardown(void **state)
{
	int r = client_teardown(state);

	rules = dhcp_rules_free(rules);
	return r;
}

static void start(struct bench *b, uint32_t lease_s)
{
	const struct dhcp_config c = {
		.pool = {.first = addr_v4(10, 0, 2, 100),
			 .last = addr_v4(10, 0, 2, 110),
			 .lowest = addr_v4(10, 0, 2, 20)},
		.hostname = "",
		.domain = "",
		.rules = rules,
		.lease_s = lease_s,
	};

	client_start(b, &c);
}

static struct dhcp_who who(enum dhcp_who_kind kind, const void *p, size_t len)
{
	struct dhcp_who w = {.kind = (uint8_t)kind, .len = (uint8_t)len};

	memcpy(w.b, p, len);
	return w;
}

static struct dhcp_who who_mac(mac m)
{
	return who(DHCP_WHO_MAC, m.b, MAC_LEN);
}

static void reserve(struct bench *b, struct dhcp_who w, uint32_t ip,
		    const char *name)
{
	struct dhcp_reservation v = {.who = w, .ip4 = addr_v4_u32(ip)};

	strcpy(v.name, name);
	assert_int_equal(dhcp_rules_add_reservation(rules, &v), 0);
	assert_true(dhcp_reserved(b->dhcp, dhcp_rules_count(rules)));
}

static void option(struct dhcp_who w, uint16_t code, const void *p, size_t len)
{
	struct dhcp_option o = {
		.who = w, .code = code, .len = (uint16_t)len};

	memcpy(o.value, p, len);
	assert_int_equal(dhcp_rules_add_option(rules, &o), 0);
}

static const struct dhcp_who all = {.kind = DHCP_WHO_ALL};

/* The value of an option of the last answer. */
static bool told(struct bench *b, uint8_t code, char *buf, size_t *np)
{
	static struct dhcp_msg m;
	struct fake_dgram g;
	struct rd r;

	assert_true(client_heard(b, &m, &g));
	if (!dhcp_find(&m, code, &r))
		return false;
	*np = rd_left(&r);
	rd_copy(&r, buf, *np);
	return true;
}

static void is_told(struct bench *b, uint8_t code, const void *p, size_t len)
{
	char buf[DHCP_VALUE_MAX];
	size_t n;

	assert_true(told(b, code, buf, &n));
	assert_int_equal(n, len);
	assert_memory_equal(buf, p, len);
}

static void is_not_told(struct bench *b, uint8_t code)
{
	char buf[DHCP_VALUE_MAX];
	size_t n;

	assert_false(told(b, code, buf, &n));
}

static uint32_t join_as(struct bench *b, unsigned n)
{
	b->c.mac = fake_mac((uint8_t)n);
	return client_join(b);
}

static void test_reserved_by_mac_in_and_outside_of_the_pool(void **state)
{
	struct bench *b = *state;

	start(b, 0);
	reserve(b, who_mac(fake_mac(2)), 0x0a000264, "two");
	reserve(b, who_mac(fake_mac(3)), 0x0a000214, ""); /* .20 */
	reserve(b, who_mac(fake_mac(4)), 0x0a0002c8, ""); /* .200 */
	assert_int_equal(join_as(b, 1), 0x0a000265);
	assert_int_equal(join_as(b, 2), 0x0a000264);
	is_told(b, DHCP_O_HOSTNAME, "two", 3);
	assert_int_equal(join_as(b, 3), 0x0a000214);
	assert_int_equal(join_as(b, 4), 0x0a0002c8);
	/* nobody else gets one by asking */
	b->c.mac = fake_mac(5);
	b->c.want = 0x0a0002c8;
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_NAK, 0);
	b->c.want = 0x0a000220; /* outside, and nobody's */
	client_say(b, DHCP_REQUEST);
	client_expect(b, DHCP_NAK, 0);
	b->c.want = 0;
}

static void test_reserved_by_id_duid_and_name(void **state)
{
	struct bench *b = *state;
	static const char id[] = "\1abc", of_duid[] = "\377IAIDduid";

	start(b, 0);
	reserve(b, who(DHCP_WHO_ID, id, 4), 0x0a000220, "");
	reserve(b, who(DHCP_WHO_DUID, "duid", 4), 0x0a000221, "");
	reserve(b, who(DHCP_WHO_NAME, "bob", 3), 0x0a000222, "");
	b->c.id = id;
	assert_int_equal(join_as(b, 1), 0x0a000220);
	b->c.id = of_duid;
	assert_int_equal(join_as(b, 2), 0x0a000221);
	b->c.id = NULL;
	b->c.name = "Bob.example.org";
	assert_int_equal(join_as(b, 3), 0x0a000222);
	b->c.name = "bobby";
	assert_int_equal(join_as(b, 4), 0x0a000264);
}

/* Two cards that tell one name: the second waits for an end of the lease. */
static void test_one_place_is_one_machines(void **state)
{
	struct bench *b = *state;

	start(b, 0);
	reserve(b, who(DHCP_WHO_NAME, "bob", 3), 0x0a000222, "");
	b->c.name = "bob";
	assert_int_equal(join_as(b, 3), 0x0a000222);
	assert_int_equal(join_as(b, 4), 0x0a000264);
	b->room.lan.now_ns += (LEASE_SECONDS + 1) * UINT64_C(1000000000);
	assert_int_equal(join_as(b, 4), 0x0a000222);
}

static void test_options_of_all_and_of_one(void **state)
{
	struct bench *b = *state;

	start(b, 0);
	option(all, DHCP_O_ROUTER, "\12\0\2\11", 4);
	option(all, DHCP_O_DNS, "", 0);
	option(all, 150, "abcd", 4);
	option(who_mac(fake_mac(2)), 150, "efgh", 4);
	option(who_mac(fake_mac(2)), DHCP_O_DNS, "\12\0\2\10", 4);
	assert_int_not_equal(join_as(b, 1), 0);
	is_told(b, DHCP_O_ROUTER, "\12\0\2\11", 4);
	is_not_told(b, DHCP_O_DNS);
	is_told(b, 150, "abcd", 4);
	assert_int_not_equal(join_as(b, 2), 0);
	is_told(b, 150, "efgh", 4);
	is_told(b, DHCP_O_DNS, "\12\0\2\10", 4);
}

/* What has no room in 548 bytes goes where no boot file is named. */
static void test_long_options_and_overload(void **state)
{
	struct bench *b = *state;
	char value[300], name[100];

	memset(value, 'v', sizeof(value));
	memset(name, 'n', sizeof(name));
	start(b, 0);
	option(all, 200, value, 200);
	option(all, 201, name, 100);
	option(all, 202, name, 50);
	assert_int_not_equal(join_as(b, 1), 0);
	is_told(b, 200, value, 200);
	is_told(b, 201, name, 100);
	is_told(b, 202, name, 50);
	is_told(b, DHCP_O_MTU, "\5\334", 2);
	/* in pieces (RFC 3396) for who has room for them */
	option(all, 203, value, 300);
	b->c.max_size = 1500;
	assert_int_not_equal(join_as(b, 1), 0);
	is_told(b, 203, value, 300);
	is_told(b, 200, value, 200);
}

static void test_inform_gets_options_and_no_lease(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	start(b, 600);
	option(all, 150, "abcd", 4);
	b->c.ciaddr = 0x0a000240;
	client_say(b, DHCP_INFORM);
	assert_true(client_heard(b, &m, &g));
	assert_int_equal(m.type, DHCP_ACK);
	assert_true(addr_is_unspecified(&m.hdr.yiaddr));
	assert_int_equal(addr_u32(&g.pkt.dst.ip), 0x0a000240);
	is_told(b, 150, "abcd", 4);
	is_not_told(b, DHCP_O_LEASE_TIME);
	is_not_told(b, DHCP_O_RENEW_TIME);
	b->c.ciaddr = 0;
}

static void test_lease_times(void **state)
{
	struct bench *b = *state;

	start(b, 600);
	assert_int_not_equal(join_as(b, 1), 0);
	is_told(b, DHCP_O_LEASE_TIME, "\0\0\2\130", 4);
	is_told(b, DHCP_O_RENEW_TIME, "\0\0\1\54", 4);
	is_told(b, DHCP_O_REBIND_TIME, "\0\0\2\15", 4);
	b->room.lan.now_ns += 601 * UINT64_C(1000000000);
	lease_expire(dhcp_leases_of(b->dhcp), b->room.lan.now_ns);
	assert_int_equal(dhcp_n_leases(b->dhcp), 0);
	start(b, DHCP_FOREVER);
	assert_int_not_equal(join_as(b, 1), 0);
	is_told(b, DHCP_O_LEASE_TIME, "\377\377\377\377", 4);
	is_not_told(b, DHCP_O_RENEW_TIME);
	b->room.lan.now_ns += 1000 * LEASE_SECONDS * UINT64_C(1000000000);
	lease_expire(dhcp_leases_of(b->dhcp), b->room.lan.now_ns);
	assert_int_equal(dhcp_n_leases(b->dhcp), 1);
}

static void add_boot(void *arg, const struct dhcp_asker *a,
		     struct dhcp_told *t)
{
	assert_non_null(a->m4);
	strcpy(t->file, arg);
	t->siaddr = addr_v4(10, 0, 2, 4);
	dhcp_told_put(t, 210, "/x", 2);
}

static void test_a_service_adds_its_own(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	start(b, 0);
	assert_int_equal(dhcp_rules_add_more(rules, add_boot, "pxelinux.0"), 0);
	option(all, 210, "/y", 2);
	assert_int_not_equal(join_as(b, 1), 0);
	assert_true(client_heard(b, &m, &g));
	assert_string_equal(m.hdr.file, "pxelinux.0");
	assert_int_equal(addr_u32(&m.hdr.siaddr), 0x0a000204);
	is_told(b, 210, "/y", 2); /* what was given by hand is later */
}

static void booted(struct bench *b, unsigned n, const char *file)
{
	struct dhcp_msg m;
	struct fake_dgram g;

	assert_int_not_equal(join_as(b, n), 0);
	assert_true(client_heard(b, &m, &g));
	assert_string_equal(m.hdr.file, file);
}

/* The one who was given another boot file reads of no other. */
static void test_boot_file_of_one(void **state)
{
	struct bench *b = *state;
	char name[200];

	memset(name, 'n', sizeof(name));
	start(b, 0);
	assert_int_equal(dhcp_rules_add_more(rules, add_boot, "pxelinux.0"), 0);
	option(who_mac(fake_mac(2)), DHCP_O_BOOTFILE, "own.0", 5);
	option(who_mac(fake_mac(3)), DHCP_O_BOOTFILE, "", 0);
	option(who_mac(fake_mac(4)), DHCP_O_BOOTFILE, name, sizeof(name));
	booted(b, 1, "pxelinux.0");
	booted(b, 2, "own.0");
	is_told(b, DHCP_O_BOOTFILE, "own.0", 5);
	booted(b, 3, "");
	booted(b, 4, "");
	is_told(b, DHCP_O_BOOTFILE, name, sizeof(name));
}

static void test_rules_that_make_no_sense(void **state)
{
	struct dhcp_reservation v = {.who = all, .ip4 = addr_v4(10, 0, 2, 30)};
	struct dhcp_option o = {.who = all, .len = DHCP_VALUE_MAX + 1};

	assert_true(dhcp_rules_add_reservation(rules, &v) < 0);
	assert_true(dhcp_rules_add_option(rules, &o) < 0);
	o.len = 0;
	o.who.kind = DHCP_WHO_NAME + 1;
	assert_true(dhcp_rules_add_option(rules, &o) < 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_reserved_by_mac_in_and_outside_of_the_pool),
		TEST(test_reserved_by_id_duid_and_name),
		TEST(test_one_place_is_one_machines),
		TEST(test_options_of_all_and_of_one),
		TEST(test_long_options_and_overload),
		TEST(test_inform_gets_options_and_no_lease),
		TEST(test_lease_times),
		TEST(test_a_service_adds_its_own),
		TEST(test_boot_file_of_one),
		TEST(test_rules_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
