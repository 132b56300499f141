/* SPDX-License-Identifier: BSD-3-Clause */
/* Taps and links, in a network namespace of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/rtnl.h"
#include "os/tap.h"
#include "os/test_user.h"

/* Asks the kernel of interface name. */
static int txqlen_of(const char *ifname)
{
	struct rtnl_link l;
	int r = rtnl_link_get(ifname, 0, &l);

	return r < 0 ? r : (int)l.txqlen;
}

static void ask(const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	if (ioctl(fd, request, ifr) < 0)
		fail_msg("%s: %s", name, strerror(errno));
	close(fd);
}

static bool offloads(const char *name)
{
	struct ethtool_value tso = {.cmd = ETHTOOL_GTSO};
	struct ethtool_value csum = {.cmd = ETHTOOL_GTXCSUM};
	struct ifreq ifr = {.ifr_data = (void *)&tso};

	ask(name, SIOCETHTOOL, &ifr);
	ifr = (struct ifreq){.ifr_data = (void *)&csum};
	ask(name, SIOCETHTOOL, &ifr);
	assert_int_equal(!!tso.data, !!csum.data);
	return tso.data;
}

static void open_ok(const struct tap_opts *o, struct tap_result *t)
{
	struct error e = ERROR_NULL;

	if (tap_open(o, t, &e) < 0)
		fail_msg("%s", e.text);
}

static void a_header_brings_offloads(void **state)
{
	const struct tap_opts o = {.ifname = "vt0", .queues = 1};
	struct ifreq ifr = {0};
	struct tap_result t;
	int len = 0;

	open_ok(&o, &t);
	assert_string_equal(t.ifname, "vt0");
	assert_int_equal(t.n_fds, 1);
	assert_true(t.vnet_hdr);
	assert_int_equal(ioctl(t.fds[0], TUNGETVNETHDRSZ, &len), 0);
	assert_int_equal(len, 12);
	assert_true(offloads("vt0"));
	assert_true(fcntl(t.fds[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(t.fds[0], F_GETFD) & FD_CLOEXEC);
	ask("vt0", SIOCGIFTXQLEN, &ifr);
	assert_int_equal(ifr.ifr_qlen, TAP_TXQLEN);
	assert_int_equal(t.queue_frames, TAP_TXQLEN);
	tap_result_deinit(&t);
	assert_int_equal(if_nametoindex("vt0"), 0);
}

/* Offloads of the one before would give frames that nobody can complete. */
static void without_a_header_frames_are_complete(void **state)
{
	struct tap_opts o = {.ifname = "vt1", .queues = 1};
	struct error e = ERROR_NULL;
	struct tap_result t;
	int fd;

	open_ok(&o, &t);
	assert_int_equal(ioctl(t.fds[0], TUNSETPERSIST, 1), 0);
	tap_result_deinit(&t);
	assert_true(offloads("vt1"));
	o.vnet_hdr = TAP_VNET_HDR_OFF;
	open_ok(&o, &t);
	assert_false(t.vnet_hdr);
	assert_false(offloads("vt1"));
	/* The same for one that is inherited. */
	assert_int_equal(
		ioctl(t.fds[0], TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0);
	fd = dup(t.fds[0]);
	tap_result_deinit(&t);
	assert_int_equal(tap_adopt(&fd, 1, &t, &e), 0);
	assert_false(t.vnet_hdr);
	assert_false(offloads("vt1"));
	assert_int_equal(ioctl(t.fds[0], TUNSETPERSIST, 0), 0);
	tap_result_deinit(&t);
}

static void set_qlen(const char *name, uint32_t n)
{
	const struct rtnl_link_change c = {.ifname = name, .txqlen = n};

	assert_int_equal(rtnl_link_set(&c), 0);
}

/* A short queue is made longer, a longer one stays, also of a descriptor that
 * another opened. */
static void queues_are_long_enough(void **state)
{
	struct tap_opts o = {.ifname = "vt5", .queues = 1};
	const uint32_t longer = TAP_TXQLEN + 1;
	struct error e = ERROR_NULL;
	struct tap_result t, u;
	int fd;

	open_ok(&o, &t);
	assert_int_equal(ioctl(t.fds[0], TUNSETPERSIST, 1), 0);
	for (int i = 0; i < 2; i++) {
		set_qlen("vt5", i ? longer : 100);
		tap_result_deinit(&t);
		open_ok(&o, &t);
		assert_int_equal(t.queue_frames, i ? longer : TAP_TXQLEN);
		assert_int_equal(txqlen_of("vt5"), t.queue_frames);
		set_qlen("vt5", i ? longer : 100);
		fd = dup(t.fds[0]);
		assert_int_equal(tap_adopt(&fd, 1, &u, &e), 0);
		assert_int_equal(u.queue_frames, i ? longer : TAP_TXQLEN);
		assert_int_equal(txqlen_of("vt5"), u.queue_frames);
		tap_result_deinit(&u);
	}
	assert_int_equal(ioctl(t.fds[0], TUNSETPERSIST, 0), 0);
	tap_result_deinit(&t);
}

/* The descriptor's interface is elsewhere, and another here has its name: that
 * one is left alone, and the queue taken for the shortest there is. */
static void a_namesake_is_left_alone(void **state)
{
	struct tap_opts o = {.ifname = "vt6", .queues = 1};
	struct error e = ERROR_NULL;
	struct tap_result t, u;
	int fd;

	open_ok(&o, &t);
	fd = dup(t.fds[0]);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	open_ok(&o, &u);
	set_qlen("vt6", 100);
	tap_result_deinit(&t);
	assert_int_equal(tap_adopt(&fd, 1, &t, &e), 0);
	assert_string_equal(t.ifname, "vt6");
	assert_int_equal(t.queue_frames, TAP_TXQLEN_LEAST);
	assert_int_equal(txqlen_of("vt6"), 100);
	tap_result_deinit(&t);
	tap_result_deinit(&u);
}

static int without_rights(void *arg)
{
	const struct tap_opts o = {.ifname = "vt7", .queues = 1};
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	struct error e = ERROR_NULL;
	struct tap_result t;
	bool is_ok;

	(void)arg;
	if (syscall(SYS_capset, &h, none) < 0 || tap_open(&o, &t, &e) < 0)
		return 1;
	is_ok = t.queue_frames == 321;
	tap_result_deinit(&t);
	return is_ok ? 0 : 2;
}

/* Made by an administrator for us, who have no right to change it. */
static void a_short_queue_is_told(void **state)
{
	const struct tap_opts o = {.ifname = "vt7", .queues = 1};
	struct tap_result t;

	open_ok(&o, &t);
	assert_int_equal(ioctl(t.fds[0], TUNSETPERSIST, 1), 0);
	assert_int_equal(ioctl(t.fds[0], TUNSETOWNER, geteuid()), 0);
	set_qlen("vt7", 321);
	tap_result_deinit(&t);
	assert_int_equal(test_in_child(without_rights, NULL), 0);
	assert_int_equal(txqlen_of("vt7"), 321);
	open_ok(&o, &t);
	assert_int_equal(ioctl(t.fds[0], TUNSETPERSIST, 0), 0);
	tap_result_deinit(&t);
}

static void queues_are_of_one_device(void **state)
{
	struct tap_opts o = {.queues = 3};
	struct error e = ERROR_NULL;
	struct tap_result t, u;
	struct ifreq ifr;
	int fds[3];

	open_ok(&o, &t);
	assert_int_equal(t.n_fds, 3);
	assert_int_equal(strncmp(t.ifname, "tap", 3), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ioctl(t.fds[i], TUNGETIFF, &ifr), 0);
		assert_string_equal(ifr.ifr_name, t.ifname);
		fds[i] = dup(t.fds[i]);
	}
	assert_int_equal(tap_adopt(fds, 3, &u, &e), 0);
	assert_int_equal(u.n_fds, 3);
	assert_true(u.vnet_hdr);
	assert_string_equal(u.ifname, t.ifname);
	for (int i = 0; i < 3; i++) /* taken over */
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
	fds[0] = fds[2] = t.fds[0];
	fds[1] = t.fds[1];
	tap_result_deinit(&u);
	assert_true(tap_adopt(fds, 3, &u, &e) < 0);
	assert_non_null(strstr(e.text, "twice"));
	assert_true(fcntl(fds[0], F_GETFD) >= 0);
	e = ERROR_NULL;
	tap_result_deinit(&t);
	tap_result_deinit(&u);
	o.queues = 0;
	assert_true(tap_open(&o, &t, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
}

/* A device made for many queues serves one that asks for one. */
static void one_queue_of_a_device_of_many(void **state)
{
	struct tap_opts o = {.ifname = "vt2", .queues = 2};
	struct tap_result t;

	open_ok(&o, &t);
	assert_int_equal(ioctl(t.fds[0], TUNSETPERSIST, 1), 0);
	tap_result_deinit(&t);
	o.queues = 1;
	open_ok(&o, &t);
	assert_int_equal(t.n_fds, 1);
	assert_int_equal(ioctl(t.fds[0], TUNSETPERSIST, 0), 0);
	tap_result_deinit(&t);
}

static void refusals_say_why(void **state)
{
	struct tap_opts o = {.ifname = "vt3", .queues = 1};
	struct error e = ERROR_NULL;
	struct tap_result t, u;
	int p[2], bad = 999;

	open_ok(&o, &t);
	assert_true(tap_open(&o, &u, &e) < 0);
	assert_int_equal(e.code, EXIT_CONFLICT);
	assert_non_null(strstr(e.text, "vt3"));
	assert_int_equal(u.n_fds, 0);
	tap_result_deinit(&t);

	e = ERROR_NULL;
	o.ifname = "a-name-of-16-byt";
	assert_true(tap_open(&o, &u, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);

	e = ERROR_NULL;
	assert_int_equal(pipe(p), 0);
	assert_true(tap_adopt(&p[0], 1, &u, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
	assert_true(fcntl(p[0], F_GETFD) >= 0); /* still the caller's */
	close(p[0]);
	close(p[1]);

	e = ERROR_NULL;
	assert_true(tap_adopt(&bad, 1, &u, &e) < 0);
	assert_non_null(strstr(e.text, "999"));
}

static void a_tun_device_is_no_tap(void **state)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR);
	struct error e = ERROR_NULL;
	struct tap_result t;

	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	assert_true(tap_adopt(&fd, 1, &t, &e) < 0);
	assert_non_null(strstr(e.text, "not a tap"));
	close(fd);
}

static void links_are_changed(void **state)
{
	const struct tap_opts o = {.ifname = "vt4", .queues = 1};
	const mac m = {{0x52, 0x54, 0, 1, 2, 3}};
	struct rtnl_link_change c = {.ifname = "vt4", .txqlen = 77, .mtu = 9000,
				.mac = m};
	struct ifreq ifr = {0};
	struct tap_result t;

	open_ok(&o, &t);
	assert_int_equal(rtnl_link_set(&c), 0);
	ask("vt4", SIOCGIFTXQLEN, &ifr);
	assert_int_equal(ifr.ifr_qlen, 77);
	assert_int_equal(txqlen_of("vt4"), 77);
	ask("vt4", SIOCGIFMTU, &ifr);
	assert_int_equal(ifr.ifr_mtu, 9000);
	ask("vt4", SIOCGIFHWADDR, &ifr);
	assert_memory_equal(ifr.ifr_hwaddr.sa_data, m.b, 6);
	ask("vt4", SIOCGIFFLAGS, &ifr);
	assert_false(ifr.ifr_flags & IFF_UP);
	c = (struct rtnl_link_change){.ifname = "vt4", .up = true};
	assert_int_equal(rtnl_link_set(&c), 0);
	ask("vt4", SIOCGIFFLAGS, &ifr);
	assert_true(ifr.ifr_flags & IFF_UP);
	c.ifname = "none";
	assert_int_equal(rtnl_link_set(&c), -ENODEV);
	assert_int_equal(txqlen_of("none"), -ENODEV);
	c = (struct rtnl_link_change){.ifname = "vt4", .mtu = 1 << 20};
	assert_int_equal(rtnl_link_set(&c), -EINVAL);
	tap_result_deinit(&t);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_brings_offloads),
		cmocka_unit_test(without_a_header_frames_are_complete),
		cmocka_unit_test(queues_are_long_enough),
		cmocka_unit_test(a_short_queue_is_told),
		cmocka_unit_test(queues_are_of_one_device),
		cmocka_unit_test(one_queue_of_a_device_of_many),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(a_tun_device_is_no_tap),
		cmocka_unit_test(links_are_changed),
		/* The last: it moves to another namespace. */
		cmocka_unit_test(a_namesake_is_left_alone),
	};

	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("not run: /dev/net/tun: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("tap", tests, NULL, NULL);
}

static int both(void)
{
	return test_in_netns(group);
}

int main(void)
{
	test_public_tun();
	return test_as_both(both);
}
