/* SPDX-License-Identifier: BSD-3-Clause */
/* A tap in the network namespace of another process. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/fdpass.h"
#include "os/netns.h"
#include "os/test_user.h"

/* A process in namespaces of its own.  It answers questions about its
 * interfaces until its socket is closed. */
struct guest {
	pid_t pid;
	int sock;
	char path[64];
};

struct facts {
	char name[IFNAMSIZ];
	bool is_there;
	bool is_up;
	uint8_t mac[6];
};

static void look(struct facts *f)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memcpy(ifr.ifr_name, f->name, sizeof(f->name));
	f->is_there = ioctl(fd, SIOCGIFHWADDR, &ifr) == 0;
	if (f->is_there) {
		memcpy(f->mac, ifr.ifr_hwaddr.sa_data, 6);
		f->is_up = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 &&
			   ifr.ifr_flags & IFF_UP;
	}
	close(fd);
}

/* Without a user namespace of its own only root's guest can be made. */
static int guest_life(int sock, bool own_user)
{
	struct facts f = {0};

	if (own_user ? test_enter_netns() < 0 : unshare(CLONE_NEWNET) < 0)
		return 1;
	do {
		if (write(sock, &f, sizeof(f)) != sizeof(f))
			return 1;
		if (read(sock, &f, sizeof(f)) != sizeof(f))
			return 0;
		look(&f);
	} while (true);
}

/* False: the kernel denies it. */
static bool guest_start(struct guest *g, bool own_user)
{
	struct facts f;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    pair),
			 0);
	g->sock = pair[0];
	g->pid = fork();
	if (g->pid == 0) {
		close(pair[0]);
		_exit(guest_life(pair[1], own_user));
	}
	close(pair[1]);
	snprintf(g->path, sizeof(g->path), "/proc/%d/ns/net", (int)g->pid);
	if (read(g->sock, &f, sizeof(f)) == sizeof(f))
		return true;
	close(g->sock);
	waitpid(g->pid, NULL, 0);
	return false;
}

static void guest_end(struct guest *g)
{
	close(g->sock);
	waitpid(g->pid, NULL, 0);
}

static struct facts guest_sees(struct guest *g, const char *name)
{
	struct facts f = {0};

	snprintf(f.name, sizeof(f.name), "%s", name);
	assert_int_equal(write(g->sock, &f, sizeof(f)), sizeof(f));
	assert_int_equal(read(g->sock, &f, sizeof(f)), sizeof(f));
	return f;
}

static void open_ok(const struct netns_opts *o, struct tap_result *t)
{
	struct error e = ERROR_NULL;

	if (netns_tap_open(o, t, &e) < 0)
		fail_msg("%s", e.text);
}

static void check_guest(struct guest *g, struct netns_opts *o)
{
	const mac m = {{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc}};
	struct tap_result t;
	struct facts f;
	char ifname[16];
	int len = 0;

	o->ifname = "eth0";
	o->queues = 2;
	o->mac = m;
	open_ok(o, &t);
	assert_string_equal(t.ifname, "eth0");
	assert_int_equal(t.n_fds, 2);
	assert_true(t.vnet_hdr);
	assert_int_equal(ioctl(t.fds[1], TUNGETVNETHDRSZ, &len), 0);
	assert_int_equal(len, 12);
	assert_true(fcntl(t.fds[0], F_GETFD) & FD_CLOEXEC);
	f = guest_sees(g, "eth0");
	assert_true(f.is_there && f.is_up);
	assert_memory_equal(f.mac, m.b, 6);
	/* Not in ours. */
	assert_int_equal(if_nametoindex("eth0") &&
				 guest_sees(g, "lo").is_there == false,
			 0);
	tap_result_deinit(&t);
	assert_false(guest_sees(g, "eth0").is_there);
	/* The kernel's choice of name, address and no header. */
	*o = (struct netns_opts){.path = o->path,
				 .pid = o->pid,
				 .queues = 1,
				 .vnet_hdr = TAP_VNET_HDR_OFF};
	open_ok(o, &t);
	assert_false(t.vnet_hdr);
	memcpy(ifname, t.ifname, sizeof(ifname));
	assert_true(guest_sees(g, ifname).is_up);
	tap_result_deinit(&t);
}

static void by_pid(void **state)
{
	struct netns_opts o = {0};
	struct guest g;

	if (!guest_start(&g, true))
		skip();
	o.pid = g.pid;
	check_guest(&g, &o);
	guest_end(&g);
}

static void by_path(void **state)
{
	struct netns_opts o = {0};
	struct guest g;

	if (!guest_start(&g, true))
		skip();
	o.path = g.path;
	check_guest(&g, &o);
	guest_end(&g);
}

static void roots_own(void **state)
{
	struct netns_opts o = {0};
	struct guest g;

	if (geteuid() != 0)
		skip();
	assert_true(guest_start(&g, false));
	o.pid = g.pid;
	check_guest(&g, &o);
	guest_end(&g);
}

static void expect_refusal(const struct netns_opts *o, enum exit_code code,
			   const char *word)
{
	struct error e = ERROR_NULL;
	struct tap_result t;

	assert_true(netns_tap_open(o, &t, &e) < 0);
	assert_int_equal(e.code, code);
	assert_int_equal(t.n_fds, 0);
	if (!strstr(e.text, word))
		fail_msg("no '%s' in: %s", word, e.text);
}

static void refusals_say_why(void **state)
{
	struct netns_opts o = {.queues = 1, .path = "/no/such/namespace"};
	struct tap_result t;
	struct guest g;

	expect_refusal(&o, EXIT_NO_OBJECT, "/no/such/namespace");
	o.path = "/proc/self/ns/user";
	expect_refusal(&o, EXIT_USAGE, "no network namespace");
	o.path = "/dev/null";
	expect_refusal(&o, EXIT_USAGE, "no network namespace");
	o = (struct netns_opts){.queues = FDPASS_MAX + 1, .pid = 1};
	expect_refusal(&o, EXIT_USAGE, "queues");
	if (geteuid() != 0) {
		o = (struct netns_opts){.queues = 1, .pid = 1};
		expect_refusal(&o, EXIT_PERMISSION, "denied");
	}
	if (!guest_start(&g, true))
		return;
	o = (struct netns_opts){.queues = 1, .pid = g.pid, .ifname = "eth0"};
	open_ok(&o, &t);
	expect_refusal(&o, EXIT_CONFLICT, "eth0");
	tap_result_deinit(&t);
	guest_end(&g);
	expect_refusal(&o, EXIT_NO_OBJECT, "no process with pid");
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_pid),
		cmocka_unit_test(by_path),
		cmocka_unit_test(roots_own),
		cmocka_unit_test(refusals_say_why),
	};

	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("not run: /dev/net/tun: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("netns", tests, NULL, NULL);
}

int main(void)
{
	test_public_tun();
	return test_as_both(group);
}
