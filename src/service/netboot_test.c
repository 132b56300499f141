/* SPDX-License-Identifier: BSD-3-Clause */
/* What which machine boots, told by either family. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/fake_room.h"
#include "service/netboot.h"

struct bench {
	struct fake_room room;
	struct netboot n;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fake_room_init(&b->room);
	b->n.has_tftp = true;
	b->room.env.netboot = &b->n;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	fake_room_deinit(&b->room);
	free(b);
	return 0;
}

/* The folder has a file of this name now. */
static void has(struct bench *b, const char *name)
{
	for (unsigned i = 0; boot_files[i].name; i++) {
		if (strcmp(boot_files[i].name, name) == 0) {
			b->n.found |= UINT64_C(1) << i;
			return;
		}
	}
	fail_msg("%s is no known name", name);
}

/* What a client says in DHCPv4; NULL, or negative: nothing. */
static struct netboot_client said4(int arch, const char *vendor,
				   const char *user)
{
	static struct dhcp_msg m;
	uint8_t buf[400];
	struct wr w = wr_init(buf, sizeof(buf));
	const struct dhcp_hdr h = {.op = DHCP_REQUEST_OP, .htype = 1, .hlen = 6,
				   .ciaddr = addr_v4_u32(0),
				   .yiaddr = addr_v4_u32(0),
				   .siaddr = addr_v4_u32(0),
				   .giaddr = addr_v4_u32(0)};
	struct rd r;

	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, DHCP_DISCOVER);
	if (arch >= 0)
		dhcp_emit_u16(&w, DHCP_O_CLIENT_ARCH, (uint16_t)arch);
	if (vendor)
		dhcp_emit_text(&w, DHCP_O_VENDOR_CLASS, vendor);
	if (user)
		dhcp_emit_text(&w, DHCP_O_USER_CLASS, user);
	dhcp_emit_end(&w, 0);
	r = rd_init(buf, wr_len(&w));
	assert_true(dhcp_parse(&r, &m));
	return netboot_client4(&m);
}

static void put_item(struct wr *w, uint16_t code, uint32_t enterprise,
		     const char *text)
{
	size_t at = dhcp6_opt_begin(w, code);

	if (enterprise)
		wr_u32(w, enterprise);
	wr_u16(w, (uint16_t)strlen(text));
	wr_bytes(w, text, strlen(text));
	dhcp6_opt_end(w, at);
}

static struct netboot_client said6(int arch, const char *vendor,
				   const char *user)
{
	static uint8_t buf[400];
	struct wr w = wr_init(buf, sizeof(buf));
	struct dhcp6_msg m;
	struct rd r;

	dhcp6_emit_hdr(&w, DHCP6_SOLICIT, 1);
	if (arch >= 0) {
		const uint8_t number[2] = {(uint8_t)(arch >> 8), (uint8_t)arch};

		dhcp6_emit_opt(&w, DHCP6_O_CLIENT_ARCH, number, 2);
	}
	if (vendor)
		put_item(&w, DHCP6_O_VENDOR_CLASS, 343, vendor);
	if (user)
		put_item(&w, DHCP6_O_USER_CLASS, 0, user);
	r = rd_init(buf, wr_len(&w));
	assert_true(dhcp6_parse(&r, &m));
	return netboot_client6(&m);
}

/* The same by both families: the name by IPv4, the URL by IPv6. */
static void expect(struct bench *b, int arch, const char *vendor,
		   const char *user, const char *file, const char *url)
{
	struct netboot_client c = said4(arch, vendor, user);
	struct netboot_answer a;

	netboot_answer4(&b->room.env, &c, &a);
	assert_string_equal(a.file, file);
	assert_int_equal(a.is_http, strncmp(file, "http", 4) == 0);
	c = said6(arch, vendor, user);
	netboot_answer6(&b->room.env, &c, &a);
	assert_string_equal(a.file, url);
	assert_int_equal(a.is_http, strncmp(url, "http", 4) == 0);
}

#define OURS6 "tftp://[fec0::2]/"

static void test_nothing(void **state)
{
	struct bench *b = *state;

	expect(b, 0, "PXEClient:Arch:00000:UNDI:002001", NULL, "", "");
	b->room.env.netboot = NULL;
	expect(b, 0, "PXEClient:Arch:00000:UNDI:002001", "iPXE", "", "");
}

static void test_architectures(void **state)
{
	static const struct {
		int arch;
		const char *name;
	} cases[] = {
		{0, "pxelinux.0"},     {6, "bootia32.efi"},
		{7, "grubx64.efi"},    {9, "grubx64.efi"},
		{10, "grubarm.efi"},   {11, "grubaa64.efi"},
		{27, "bootriscv64.efi"}, {39, "bootloongarch64.efi"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		has(b, cases[i].name);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char url[80];

		strcat(strcpy(url, OURS6), cases[i].name);
		expect(b, cases[i].arch, NULL, NULL, cases[i].name, url);
	}
	/* who does not say, or is none that we know */
	expect(b, -1, NULL, NULL, "", "");
	expect(b, 1, "PXEClient", NULL, "", "");
	expect(b, 65535, NULL, NULL, "", "");
	/* by the vendor class alone, which counts less */
	expect(b, -1, "PXEClient:Arch:00011:UNDI:003016", NULL, "grubaa64.efi",
	       OURS6 "grubaa64.efi");
	expect(b, 0, "PXEClient:Arch:00011:UNDI:003016", NULL, "pxelinux.0",
	       OURS6 "pxelinux.0");
	expect(b, -1, "PXEClient:Arch:0001", NULL, "", "");
	expect(b, -1, "PXEClient:Arch:000x7:UNDI", NULL, "", "");
	expect(b, -1, "PXEClient:Arch:65547:UNDI", NULL, "", "");
	expect(b, -1, "PXEClien:Arch:00007", NULL, "", "");
}

static void test_order(void **state)
{
	struct bench *b = *state;

	has(b, "bootx64.efi");
	expect(b, 7, NULL, NULL, "bootx64.efi", OURS6 "bootx64.efi");
	has(b, "shimx64.efi");
	expect(b, 7, NULL, NULL, "shimx64.efi", OURS6 "shimx64.efi");
	has(b, "ipxe.efi");
	expect(b, 7, NULL, NULL, "ipxe.efi", OURS6 "ipxe.efi");
}

/* iPXE does not load itself for ever. */
static void test_ipxe(void **state)
{
	struct bench *b = *state;
	struct netboot_client c;
	struct dhcp_msg m = {.type = DHCP_DISCOVER};

	has(b, "undionly.kpxe");
	expect(b, 0, NULL, NULL, "undionly.kpxe", OURS6 "undionly.kpxe");
	expect(b, 0, NULL, "iPXE", "", "");
	has(b, "pxelinux.0");
	expect(b, 0, NULL, "iPXE", "pxelinux.0", OURS6 "pxelinux.0");
	expect(b, 0, NULL, "gPXE", "undionly.kpxe", OURS6 "undionly.kpxe");
	expect(b, 0, NULL, "iPXE2", "undionly.kpxe", OURS6 "undionly.kpxe");
	has(b, "boot.ipxe");
	expect(b, 0, NULL, "iPXE", "boot.ipxe", OURS6 "boot.ipxe");
	expect(b, -1, NULL, "iPXE", "boot.ipxe", OURS6 "boot.ipxe");
	expect(b, 0, NULL, NULL, "undionly.kpxe", OURS6 "undionly.kpxe");
	m.opt[DHCP_O_IPXE].found = true; /* its own options say it, too */
	c = netboot_client4(&m);
	assert_true(c.is_ipxe);
}

static void test_named_file(void **state)
{
	struct bench *b = *state;

	has(b, "grubx64.efi");
	strcpy(b->n.bootfile, "/my/loader");
	expect(b, -1, NULL, NULL, "/my/loader", OURS6 "my/loader");
	expect(b, 7, NULL, "iPXE", "/my/loader", OURS6 "my/loader");
	b->n.has_tftp = false; /* somebody else's server */
	strcpy(b->n.server_name, "boot.test");
	expect(b, 0, NULL, NULL, "/my/loader", "tftp://boot.test/my/loader");
	strcpy(b->n.server_name, "2001:db8::1");
	expect(b, 0, NULL, NULL, "/my/loader",
	       "tftp://[2001:db8::1]/my/loader");
	strcpy(b->n.server_name, "192.0.2.1");
	expect(b, 0, NULL, NULL, "/my/loader", OURS6 "my/loader");
	strcpy(b->n.bootfile, "tftp://elsewhere/a b");
	expect(b, 0, NULL, NULL, "tftp://elsewhere/a b",
	       "tftp://elsewhere/a b");
}

static void test_folder(void **state)
{
	struct bench *b = *state;

	strcpy(b->n.bootfile, "debian 12");
	b->n.is_folder = true;
	has(b, "grubx64.efi");
	expect(b, 7, NULL, NULL, "debian 12/grubx64.efi",
	       OURS6 "debian%2012/grubx64.efi");
	expect(b, 0, NULL, NULL, "", "");
	/* a name that would not be whole is none */
	memset(b->n.bootfile, 'x', sizeof(b->n.bootfile) - 1);
	expect(b, 7, NULL, NULL, "", "");
	memset(b->n.bootfile, '%', 90);
	b->n.bootfile[90] = '\0';
	expect(b, 7, NULL, NULL, "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%"
	       "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%/grubx64.efi",
	       "");
}

static void test_http(void **state)
{
	static const char vendor[] = "HTTPClient:Arch:00016:UNDI:003001";
	struct bench *b = *state;

	has(b, "grubx64.efi");
	/* nobody serves it: firmware that wants a URL hears of no name */
	expect(b, 16, vendor, NULL, "", "");
	b->room.env.has_http = true;
	expect(b, 16, vendor, NULL, "http://10.0.2.3/boot/grubx64.efi",
	       "http://[fec0::3]/boot/grubx64.efi");
	expect(b, -1, vendor, NULL, "http://10.0.2.3/boot/grubx64.efi",
	       "http://[fec0::3]/boot/grubx64.efi");
	expect(b, 7, NULL, NULL, "grubx64.efi", OURS6 "grubx64.efi");
	expect(b, 19, NULL, NULL, "", "");
	strcpy(b->n.bootfile, "/a b/c.efi");
	expect(b, 16, vendor, NULL, "http://10.0.2.3/boot/a%20b/c.efi",
	       "http://[fec0::3]/boot/a%20b/c.efi");
	expect(b, 7, NULL, NULL, "/a b/c.efi", OURS6 "a%20b/c.efi");
	/* a URL that was given is everybody's */
	strcpy(b->n.bootfile, "https://boot.test/x.efi");
	expect(b, 16, vendor, NULL, "https://boot.test/x.efi",
	       "https://boot.test/x.efi");
	expect(b, -1, NULL, NULL, "https://boot.test/x.efi",
	       "https://boot.test/x.efi");
}

/* What an answer is told, of either family. */
static struct dhcp_told *told(struct bench *b, const struct dhcp_msg *m4,
			      const struct dhcp6_msg *m6)
{
	static struct dhcp_told t;
	const struct dhcp_asker a = {.m4 = m4, .m6 = m6};

	t = (struct dhcp_told){.n = 0};
	netboot_tell(&b->room.env, &a, &t);
	return &t;
}

static void expect_told(const struct dhcp_told *t, uint16_t code,
			const char *text, size_t len)
{
	struct rd r;

	assert_int_equal(dhcp_told_find(t, code, &r), text != NULL);
	if (!text)
		return;
	assert_int_equal(rd_left(&r), len);
	assert_memory_equal(r.p, text, len);
}

static void test_answers(void **state)
{
	static const uint8_t wanted[] = {DHCP_O_BOOTFILE};
	struct bench *b = *state;
	struct dhcp_msg m4 = {.type = DHCP_DISCOVER};
	const struct dhcp6_msg m6 = {.type = DHCP6_SOLICIT};
	struct dhcp_told *t = told(b, &m4, NULL);

	assert_int_equal(t->n, 0);
	assert_true(addr_is_unspecified(&t->siaddr) && !t->file[0]);
	b->n.server4 = addr_v4(192, 0, 2, 9);
	strcpy(b->n.server_name, "boot.test");
	strcpy(b->n.bootfile, "a");
	t = told(b, &m4, NULL);
	assert_int_equal(addr_u32(&t->siaddr), 0xc0000209);
	assert_string_equal(t->file, "a");
	expect_told(t, DHCP_O_TFTP_SERVER, "boot.test", 9);
	expect_told(t, DHCP_O_BOOTFILE, NULL, 0);
	expect_told(t, DHCP_O_VENDOR_CLASS, NULL, 0);
	m4.opt[DHCP_O_PARAMS].found = true;
	m4.opt[DHCP_O_PARAMS].len = 1;
	m4.store[0] = wanted[0];
	expect_told(told(b, &m4, NULL), DHCP_O_BOOTFILE, "a", 1);
	t = told(b, NULL, &m6);
	assert_int_equal(t->n, 1);
	expect_told(t, DHCP6_O_BOOT_URL, "tftp://boot.test/a", 18);
	strcpy(b->n.bootfile, "http://x/y");
	expect_told(told(b, &m4, NULL), DHCP_O_VENDOR_CLASS, "HTTPClient", 10);
	t = told(b, NULL, &m6);
	expect_told(t, DHCP6_O_BOOT_URL, "http://x/y", 10);
	expect_told(t, DHCP6_O_VENDOR_CLASS, "\0\0\1\127\0\12HTTPClient", 16);
	/* longer than the field: by the option, asked for or not */
	memset(b->n.bootfile, 'x', 200);
	m4.opt[DHCP_O_PARAMS].found = false;
	t = told(b, &m4, NULL);
	assert_false(t->file[0]);
	expect_told(t, DHCP_O_BOOTFILE, b->n.bootfile, 200);
	b->room.env.netboot = NULL;
	assert_int_equal(told(b, &m4, NULL)->n, 0);
	assert_int_equal(told(b, NULL, &m6)->n, 0);
}

/* What clients say is theirs: cut short, it is nothing, and is not overread. */
static void test_cut_short(void **state)
{
	static const uint8_t odd[] = {0, 0, 1, 87, 0, 200, 'P', 'X'};
	struct dhcp6_msg m = {.arch = rd_init(odd, 1),
			      .vendor_class = rd_init(odd, sizeof(odd)),
			      .user_class = rd_init(odd + 4, 3)};
	struct netboot_client c = netboot_client6(&m);

	(void)state;
	assert_int_equal(c.class, BOOT_NONE);
	assert_false(c.is_http || c.is_ipxe);
	for (size_t len = 0; len < sizeof(odd); len++) {
		m.vendor_class = rd_init(odd, len);
		m.user_class = rd_init(odd, len);
		c = netboot_client6(&m);
		assert_false(c.is_http || c.is_ipxe);
	}
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),    TEST(test_architectures),
		TEST(test_order),      TEST(test_ipxe),
		TEST(test_named_file), TEST(test_folder),
		TEST(test_http),       TEST(test_answers),
		TEST(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
