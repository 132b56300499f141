/* SPDX-License-Identifier: BSD-3-Clause */
/* Taps on bridges, in a network namespace of the test's own.  Called with the
 * arguments of a bridge helper, this program is one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/bridge.h"
#include "os/fdpass.h"
#include "os/rtnl.h"
#include "os/test_user.h"

static void bridge_ioctl(unsigned long request, const char *name)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, request, name) < 0)
		fail_msg("%s: %s", name, strerror(errno));
}

static void set_up(const char *name)
{
	const struct rtnl_link_change c = {.ifname = name, .up = true};

	assert_int_equal(rtnl_link_set(&c), 0);
}

static int make_bridge(void **state)
{
	const struct rtnl_link_change c = {.ifname = "br0", .mtu = 1400};

	bridge_ioctl(SIOCBRADDBR, "br0");
	assert_int_equal(rtnl_link_set(&c), 0);
	set_up("br0");
	return 0;
}

static int remove_bridge(void **state)
{
	struct ifreq ifr = {.ifr_name = "br0"};
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return -1;
	bridge_ioctl(SIOCBRDELBR, "br0");
	return 0;
}

static void check_port(struct tap_result *t)
{
	struct rtnl_link br, tap;

	assert_int_equal(rtnl_link_get("br0", 0, &br), 0);
	assert_int_equal(rtnl_link_get(t->ifname, 0, &tap), 0);
	assert_string_equal(br.kind, "bridge");
	assert_string_equal(tap.kind, "tun");
	assert_int_equal(tap.master, br.index);
	assert_true(tap.flags & IFF_UP);
	assert_int_equal(tap.mtu, 1400);
	assert_int_equal(tap.mac.b[0], 0xfe);
	assert_int_equal(t->n_fds, 1);
	tap_result_deinit(t);
	assert_int_equal(rtnl_link_get(tap.kind, 0, &tap), -ENODEV);
}

static void a_tap_is_made_on_the_bridge(void **state)
{
	const struct bridge_opts o = {.bridge = "br0",
				      .helper = "/nonexistent"};
	struct error e = ERROR_NULL;
	struct tap_result t;
	char name[16];

	if (bridge_tap_open(&o, &t, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(t.vnet_hdr);
	memcpy(name, t.ifname, sizeof(name));
	check_port(&t);
	assert_int_equal(if_nametoindex(name), 0);
}

/* ---- the helper ---- */

/* As QEMU's: "--use-vnet --fd=N --br=BRIDGE", and no other. */
static int be_helper(int argc, char **argv)
{
	const struct bridge_opts o = {.bridge = "br0", .helper = "/none"};
	struct error e = ERROR_NULL;
	struct tap_result t;
	int fd;

	if (argc != 4 || strcmp(argv[1], "--use-vnet") != 0 ||
	    sscanf(argv[2], "--fd=%d", &fd) != 1 ||
	    strcmp(argv[3], "--br=br0") != 0) {
		fprintf(stderr, "bad arguments\n");
		return 2;
	}
	if (bridge_tap_open(&o, &t, &e) < 0 ||
	    fd_send(fd, "", 1, t.fds, 1) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	return 0;
}

static void the_helper_is_asked(void **state)
{
	static const char *const more[] = {"%s", "env %s", "%s --use-vnet"};
	struct error e = ERROR_NULL;
	char exe[512], helper[600];
	struct bridge_opts o = {.bridge = "br0", .asks_helper = true};
	struct tap_result t;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	o.helper = helper;
	for (size_t i = 0; i < 2; i++) {
		snprintf(helper, sizeof(helper), more[i], exe);
		if (bridge_tap_open(&o, &t, &e) < 0)
			fail_msg("%s: %s", helper, e.text);
		assert_true(t.vnet_hdr);
		check_port(&t);
	}
	/* One argument too many for ours: what it says is told. */
	snprintf(helper, sizeof(helper), more[2], exe);
	assert_true(bridge_tap_open(&o, &t, &e) < 0);
	assert_non_null(strstr(e.text, "bad arguments"));
}

static void refused(const char *helper, enum exit_code code, const char *says)
{
	const struct bridge_opts o = {
		.bridge = "br0", .helper = helper, .asks_helper = true};
	struct error e = ERROR_NULL;
	struct tap_result t;

	assert_true(bridge_tap_open(&o, &t, &e) < 0);
	assert_int_equal(e.code, code);
	if (!strstr(e.text, "bridge helper failed") || !strstr(e.text, says) ||
	    strchr(e.text, '\n'))
		fail_msg("'%s' does not say '%s'", e.text, says);
}

static void what_the_helper_says_is_told(void **state)
{
	refused("/nonexistent/helper", EXIT_FAILED, "No such file");
	refused("/bin/true", EXIT_PERMISSION, "/bin/true, which says: nothing");
	refused("echo first >&2; echo second >&2; exit 1; :", EXIT_PERMISSION,
		"says: first");
	refused("echo access denied by acl file >&2; exit 1; :",
		EXIT_PERMISSION,
		"/etc/qemu/bridge.conf needs the line 'allow br0'");
	/* No descriptor, and much to say. */
	refused("head -c 100000 /dev/zero | tr '\\0' x >&2; :", EXIT_PERMISSION,
		"says: xxxx");
}

/* Whoever has patience gets the same of one that ends, whatever it leaves
 * behind; one that does not end is ended. */
static void patience_has_an_end(void **state)
{
	static const char *const endless[] = {"exec sleep 1000; :",
					      "exec sleep 1000 2>&-; :",
					      "exec yes >&2; :"};
	struct bridge_opts o = {.bridge = "br0", .asks_helper = true};
	struct error e = ERROR_NULL;
	struct tap_result t;
	char helper[80];
	int p[2], in;

	/* cat ends with us, and has the helper's socket until then. */
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	in = dup(p[0]);
	assert_in_range(in, 3, 9); /* what a shell can write */
	snprintf(helper, sizeof(helper), "cat <&%d 2>&- & exit 0; :", in);
	o.helper = helper;
	assert_true(bridge_tap_open(&o, &t, &e) < 0);
	assert_non_null(strstr(e.text, "which says: nothing"));
	close(in);
	close(p[0]);
	close(p[1]);

	o.patience_ms = 100;
	for (size_t i = 0; i < array_len(endless); i++) {
		e = ERROR_NULL;
		o.helper = endless[i];
		assert_true(bridge_tap_open(&o, &t, &e) < 0);
		assert_int_equal(e.code, EXIT_FAILED);
		assert_non_null(strstr(e.text, "did not end within"));
	}
}

/* ---- what is no bridge ---- */

static void opening_fails(const char *bridge, enum exit_code code,
			  const char *says)
{
	const struct bridge_opts o = {.bridge = bridge, .helper = "/none"};
	struct error e = ERROR_NULL;
	struct tap_result t;

	assert_true(bridge_tap_open(&o, &t, &e) < 0);
	assert_int_equal(e.code, code);
	if (!strstr(e.text, says))
		fail_msg("'%s' does not say '%s'", e.text, says);
}

static void what_is_no_bridge_is_refused(void **state)
{
	bridge_ioctl(SIOCBRADDBR, "br1");
	opening_fails("br1", EXIT_FAILED, "ip link set br1 up");
	bridge_ioctl(SIOCBRDELBR, "br1");
	opening_fails("br1", EXIT_NO_OBJECT, "there is no interface 'br1'");
	opening_fails("a-name-that-is-too-long", EXIT_NO_OBJECT,
		      "there is no interface");
	opening_fails("lo", EXIT_FAILED, "lo is no bridge");
}

static void addresses_are_given(void **state)
{
	struct prefix p = {.ip = addr_v4(192, 168, 56, 1), .len = 120};
	struct ifreq ifr = {.ifr_name = "br0"};
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(rtnl_addr_put("br0", &p), 0);
	assert_int_equal(rtnl_addr_put("br0", &p), -EEXIST);
	assert_int_equal(rtnl_addr_put("br9", &p), -ENODEV);
	assert_int_equal(ioctl(fd, SIOCGIFADDR, &ifr), 0);
	assert_memory_equal(ifr.ifr_addr.sa_data + 2, p.ip.b + 12, 4);
	assert_int_equal(ioctl(fd, SIOCGIFNETMASK, &ifr), 0);
	assert_memory_equal(ifr.ifr_addr.sa_data + 2, "\xff\xff\xff\0", 4);
	assert_int_equal(ioctl(fd, SIOCGIFBRDADDR, &ifr), 0);
	assert_memory_equal(ifr.ifr_addr.sa_data + 2, "\xc0\xa8\x38\xff", 4);
}

static int in_netns(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tap_is_made_on_the_bridge),
		cmocka_unit_test(the_helper_is_asked),
		cmocka_unit_test(what_the_helper_says_is_told),
		cmocka_unit_test(patience_has_an_end),
		cmocka_unit_test(what_is_no_bridge_is_refused),
		cmocka_unit_test(addresses_are_given),
	};

	return cmocka_run_group_tests_name("bridge", tests, make_bridge,
					   remove_bridge);
}

static int all(void)
{
	return test_in_netns(in_netns);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return be_helper(argc, argv);
	test_public_tun();
	return test_as_both(all);
}
