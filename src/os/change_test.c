/* SPDX-License-Identifier: BSD-3-Clause */
/* Each change of the host, in a namespace of the test: made, undone, undone
 * again, and undone where somebody else was quicker. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/change.h"
#include "os/nft.h"
#include "os/sysctl.h"
#include "os/test_site.h"
#include "os/test_user.h"

static int index_of(const char *name)
{
	struct rtnl_link l;

	assert_int_equal(rtnl_link_get(name, 0, &l), 0);
	return l.index;
}

static void a_link(void **state)
{
	struct site *s = *state;
	struct rtnl_link l;
	int index = site_add_bridge(s);

	assert_int_equal(rtnl_link_get("br0", 0, &l), 0);
	assert_int_equal(l.index, index);
	assert_true(index >= 1 << 20);
	assert_string_equal(l.kind, "bridge");
	assert_true(mac_eq(l.mac, (mac){{0x52, 0x54, 0, 1, 2, 3}}));
	site_undo(s);
	assert_false(site_has_link("br0"));
	site_undo(s);
}

static void a_link_of_somebody_else(void **state)
{
	const struct rtnl_link_new theirs = {.name = "br0", .kind = "bridge"};
	struct site *s = *state;
	struct error e = ERROR_NULL;
	int index = site_add_bridge(s), none;

	/* Ours is gone, and its name another one's. */
	assert_int_equal(rtnl_link_del(index), 0);
	assert_int_equal(rtnl_link_add(&theirs), 0);
	site_undo(s);
	assert_true(site_has_link("br0"));
	/* Nor is a name taken from it. */
	assert_int_equal(change_link_add(&s->j, &theirs, &none, &e), -EEXIST);
	assert_int_equal(e.code, EXIT_CONFLICT);
	assert_non_null(strstr(e.text, "br0"));
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
	assert_int_equal(rtnl_link_del(index_of("br0")), 0);
}

static void a_link_that_the_kernel_refuses(void **state)
{
	const struct rtnl_link_new n = {.name = "x0", .kind = "no-such-kind"};
	struct site *s = *state;
	struct error e = ERROR_NULL;
	int index;

	assert_true(change_link_add(&s->j, &n, &index, &e) < 0);
	assert_non_null(strstr(e.text, "x0"));
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
}

static void a_master(void **state)
{
	struct site *s = *state;
	int bridge = site_add_bridge(s);
	struct rtnl_link l;

	ok(change_link_master, &s->j, s->veth, bridge);
	assert_int_equal(rtnl_link_get("v0", 0, &l), 0);
	assert_int_equal(l.master, bridge);
	site_undo(s);
	assert_int_equal(rtnl_link_get("v0", 0, &l), 0);
	assert_int_equal(l.master, 0);
}

static void a_master_that_was_changed_since(void **state)
{
	const struct rtnl_link_new other = {.name = "br1", .kind = "bridge"};
	struct site *s = *state;
	int bridge = site_add_bridge(s), theirs;
	struct rtnl_link l;

	assert_int_equal(rtnl_link_add(&other), 0);
	theirs = index_of("br1");
	ok(change_link_master, &s->j, s->veth, bridge);
	assert_int_equal(rtnl_link_set_master(s->veth, theirs), 0);
	site_undo(s);
	assert_int_equal(rtnl_link_get("v0", 0, &l), 0);
	assert_int_equal(l.master, theirs);
	assert_int_equal(rtnl_link_del(theirs), 0);
}

static bool is_up(const char *name)
{
	struct rtnl_link l;

	assert_int_equal(rtnl_link_get(name, 0, &l), 0);
	return l.flags & IFF_UP;
}

static void up_and_down(void **state)
{
	struct site *s = *state;
	uint32_t mark;

	ok(change_link_up, &s->j, s->veth, false);
	assert_false(is_up("v0"));
	mark = s->j.len;
	ok(change_link_up, &s->j, s->veth, false);
	assert_int_equal(s->j.len, mark); /* as it was */
	site_undo(s);
	assert_true(is_up("v0"));
	ok(change_link_up, &s->j, s->veth, false);
	assert_int_equal(rtnl_link_set_up(s->veth, true), 0);
	site_undo(s);
	assert_true(is_up("v0"));
}

static void an_address(void **state)
{
	struct site *s = *state;
	struct rtnl_addr a = site_address, got;
	uint32_t mark = s->j.len;

	a.index = s->veth;
	ok(change_addr_add, &s->j, &a); /* the one that is there */
	assert_int_equal(s->j.len, mark);
	a.local.b[15] = a.peer.b[15] = 77;
	ok(change_addr_add, &s->j, &a);
	assert_int_equal(site_find_addr(s->veth, &a, &got), 1);
	site_undo(s);
	assert_int_equal(site_find_addr(s->veth, &a, &got), 0);
	assert_int_equal(site_find_addr(s->veth, &site_address, &got), 1);
	site_undo(s);
	/* Somebody has removed it already. */
	ok(change_addr_add, &s->j, &a);
	assert_int_equal(rtnl_addr_del(&a), 0);
	site_undo(s);
}

static void an_address_taken_away(void **state)
{
	struct rtnl_addr a, b, got, none = site_address;
	struct site *s = *state;

	assert_int_equal(site_find_addr(s->veth, &site_address, &a), 1);
	ok(change_addr_del, &s->j, &a);
	assert_int_equal(site_find_addr(s->veth, &a, &got), 0);
	none.index = s->veth;
	none.local.b[15] = none.peer.b[15] = 78;
	ok(change_addr_del, &s->j, &none); /* is not there: no change */
	site_undo(s);
	assert_int_equal(site_find_addr(s->veth, &a, &b), 1);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(site_find_addr(s->veth, &none, &got), 0);
	/* Somebody was quicker. */
	ok(change_addr_del, &s->j, &a);
	assert_int_equal(rtnl_addr_add(&a, false), 0);
	site_undo(s);
	assert_int_equal(site_find_addr(s->veth, &a, &b), 1);
	/* Or the link is gone. */
	ok(change_addr_del, &s->j, &a);
	assert_int_equal(rtnl_link_del(s->veth), 0);
	site_undo(s);
	assert_int_equal(site_tear_down(state), 0);
	assert_int_equal(site_set_up(state), 0);
}

/* Its flags come back too, lifetimes as well, and it is used at once. */
static void an_address_of_ipv6(void **state)
{
	struct site *s = *state;
	struct rtnl_addr a =
				 {
					 .index = s->veth,
					 .family = AF_INET6,
					 .prefix_len = 64,
					 .local = {{0xfd, 0, 0, 0, 0, 0, 0, 0,
						    0, 0, 0, 0, 0, 0, 0, 2}},
					 .flags = IFA_F_NODAD |
						  IFA_F_NOPREFIXROUTE,
					 .metric = 77,
					 .valid_s = 5000,
					 .preferred_s = 4000,
				 },
			 got;

	a.peer = a.local;
	if (rtnl_addr_add(&a, false) == -EACCES)
		skip();
	a.flags = IFA_F_NOPREFIXROUTE;
	assert_int_equal(rtnl_addr_add(&a, true), 0);
	assert_int_equal(site_find_addr(s->veth, &a, &got), 1);
	assert_int_equal(got.flags, IFA_F_NOPREFIXROUTE);
	assert_int_equal(got.metric, 77);
	ok(change_addr_del, &s->j, &got);
	assert_int_equal(site_find_addr(s->veth, &a, &got), 0);
	site_undo(s);
	assert_int_equal(site_find_addr(s->veth, &a, &got), 1);
	assert_int_equal(got.flags, IFA_F_NOPREFIXROUTE);
	assert_int_equal(got.metric, 77);
	assert_true(got.valid_s > 4900 && got.valid_s <= 5000);
}

static void a_route(void **state)
{
	struct site *s = *state;
	struct rtnl_route t = site_default_by(s->veth);
	char text[RTNL_ROUTE_STRLEN];
	uint32_t mark;

	assert_true(rtnl_route_is_sound(&t));
	assert_true(rtnl_route_has_gateway(&t));
	assert_string_equal(rtnl_route_format(&t, text),
			    "default via 192.0.2.1 metric 77");
	ok(change_route_add, &s->j, &t);
	assert_true(site_has_route(s->veth, &t));
	mark = s->j.len;
	ok(change_route_add, &s->j, &t);
	assert_int_equal(s->j.len, mark);
	site_undo(s);
	assert_false(site_has_route(s->veth, &t));
	ok(change_route_del, &s->j, &t); /* is not there */
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
	/* Taken away, and given back with all that belongs to it. */
	assert_int_equal(rtnl_route_add(&t), 0);
	ok(change_route_del, &s->j, &t);
	assert_false(site_has_route(s->veth, &t));
	site_undo(s);
	assert_true(site_has_route(s->veth, &t));
	/* Somebody was quicker. */
	ok(change_route_del, &s->j, &t);
	assert_int_equal(rtnl_route_add(&t), 0);
	site_undo(s);
	assert_true(site_has_route(s->veth, &t));
}

static void a_route_that_leads_nowhere(void **state)
{
	struct site *s = *state;
	struct rtnl_route t = site_default_by(s->veth);
	struct error e = ERROR_NULL;
	struct rtnl_addr a;

	assert_int_equal(site_find_addr(s->veth, &site_address, &a), 1);
	assert_int_equal(rtnl_addr_del(&a), 0);
	assert_true(change_route_add(&s->j, &t, &e) < 0);
	assert_non_null(strstr(e.text, "default via 192.0.2.1"));
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
	/* The same when it is to come back: that is said, and over. */
	assert_int_equal(rtnl_addr_add(&a, false), 0);
	assert_int_equal(rtnl_route_add(&t), 0);
	e = ERROR_NULL;
	assert_int_equal(change_route_del(&s->j, &t, &e), 0);
	assert_int_equal(rtnl_addr_del(&a), 0);
	assert_int_equal(journal_undo(&s->j, &e), 0);
	assert_non_null(strstr(e.text, "give back the route default"));
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
}

/* All of one link, to another, as setup bridge does. */
static void routes_move(void **state)
{
	struct site *s = *state;
	struct rtnl_route t = site_default_by(s->veth), u, *v = NULL;
	int bridge = site_add_bridge(s), n;
	struct rtnl_addr a;

	assert_int_equal(rtnl_route_add(&t), 0);
	n = site_list_routes(s->veth, &v);
	assert_int_equal(n, 2); /* and the network of the address */
	assert_int_equal(rtnl_route_has_gateway(&v[0]) +
				 rtnl_route_has_gateway(&v[1]),
			 1);
	assert_false(rtnl_route_has_nexthop_id(&v[0]));
	ok(change_link_up, &s->j, bridge, true);
	assert_int_equal(site_find_addr(s->veth, &site_address, &a), 1);
	a.index = bridge;
	ok(change_addr_add, &s->j, &a);
	u = rtnl_route_by(&t, s->veth, bridge);
	assert_int_equal(rtnl_route_index(&u), bridge);
	ok(change_route_add, &s->j, &u);
	ok(change_route_del, &s->j, &t);
	assert_true(site_has_route(bridge, &u));
	assert_false(site_has_route(s->veth, &t));
	site_undo(s);
	assert_true(site_has_route(s->veth, &t));
	assert_false(site_has_link("br0"));
	free(v);
}

static void a_setting(void **state)
{
	static const char name[] = "net/ipv4/conf/v0/forwarding";
	struct site *s = *state;
	struct error e = ERROR_NULL;
	char was[UNDO_VALUE_LEN], now[UNDO_VALUE_LEN];
	const char *other;

	assert_int_equal(sysctl_get(name, was, sizeof(was)), 0);
	other = strcmp(was, "0") ? "0" : "1";
	ok(change_sysctl, &s->j, name, was);
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
	ok(change_sysctl, &s->j, name, other);
	assert_int_equal(sysctl_get(name, now, sizeof(now)), 0);
	assert_string_equal(now, other);
	site_undo(s);
	assert_int_equal(sysctl_get(name, now, sizeof(now)), 0);
	assert_string_equal(now, was);
	/* Somebody wrote a third value. */
	ok(change_sysctl, &s->j, "net/ipv4/conf/v0/rp_filter", "1");
	assert_int_equal(sysctl_set("net/ipv4/conf/v0/rp_filter", "2"), 0);
	site_undo(s);
	assert_int_equal(
		sysctl_get("net/ipv4/conf/v0/rp_filter", now, sizeof(now)), 0);
	assert_string_equal(now, "2");
	assert_int_equal(change_sysctl(&s->j, "net/nosuch", "1", &e), -ENOENT);
	assert_int_equal(change_sysctl(&s->j, "net/../kernel/x", "1", &e),
			 -EINVAL);
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
}

static void second_journal(const struct site *s, const char *name,
			   struct journal *j)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", s->base, name);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(journal_open, fd, j);
	close(fd);
}

static void end_second(const struct site *s, const char *name,
		       struct journal *j)
{
	char path[64];

	journal_close(j);
	snprintf(path, sizeof(path), "%s/%s/journal", s->base, name);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/%s", s->base, name);
	assert_int_equal(rmdir(path), 0);
}

static void expect(const char *name, const char *value)
{
	char now[UNDO_VALUE_LEN];

	assert_int_equal(sysctl_get(name, now, sizeof(now)), 0);
	assert_string_equal(now, value);
}

/* Forwarding, on while one of them is up, in whatever order they end. */
static void a_setting_of_three(void **state)
{
	static const char name[] = "net/ipv4/conf/v0/rp_filter";
	struct site *s = *state;
	struct journal b, c;

	assert_int_equal(sysctl_set(name, "0"), 0);
	for (int i = 0; i < 3; i++) {
		second_journal(s, "b", &b);
		second_journal(s, "c", &c);
		ok(change_sysctl, &s->j, name, "1");
		ok(change_sysctl, &b, name, "1");
		ok(change_sysctl, &c, "net/ipv4/conf/v0/arp_ignore", "1");
		expect(name, "1");
		if (i == 1)
			ok(journal_undo, &b);
		else
			ok(journal_undo, &s->j);
		expect(name, "1");
		if (i == 2) /* a third one, when the first is gone */
			ok(change_sysctl, &c, name, "1");
		ok(journal_undo, i == 1 ? &s->j : &b);
		expect(name, i == 2 ? "1" : "0");
		ok(journal_undo, &c);
		expect(name, "0");
		expect("net/ipv4/conf/v0/arp_ignore", "0");
		end_second(s, "b", &b);
		end_second(s, "c", &c);
	}
}

static void set(const char *name, const char *value)
{
	assert_int_equal(sysctl_set(name, value), 0);
}

static void expect_no_forwarding(void)
{
	expect("net/ipv4/ip_forward", "0");
	expect("net/ipv4/conf/all/accept_redirects", "0");
	expect("net/ipv4/conf/default/forwarding", "1");
	expect("net/ipv4/conf/v0/forwarding", "1");
	expect("net/ipv4/conf/lo/forwarding", "0");
}

/* What the kernel changes besides is given back, by the last of two. */
static void forwarding(void **state)
{
	/* A name of any bytes. */
	const struct rtnl_link_new odd = {.name = "v\xc3\xbc.7",
					  .kind = "bridge"};
	static const char odd_name[] = "net/ipv4/conf/v\xc3\xbc.7/forwarding";
	struct site *s = *state;
	struct journal b;

	assert_int_equal(rtnl_link_add(&odd), 0);
	set("net/ipv4/ip_forward", "0");
	set("net/ipv4/conf/all/accept_redirects", "0");
	set("net/ipv4/conf/default/forwarding", "1");
	set("net/ipv4/conf/v0/forwarding", "1");
	set("net/ipv4/conf/lo/forwarding", "0");
	set(odd_name, "1");
	ok(change_forwarding, &s->j, false);
	expect("net/ipv4/ip_forward", "1");
	expect("net/ipv4/conf/lo/forwarding", "1");
	second_journal(s, "b", &b);
	ok(change_forwarding, &b, false);
	site_undo(s);
	expect("net/ipv4/ip_forward", "1");
	ok(journal_undo, &b);
	expect_no_forwarding();
	expect(odd_name, "1");
	assert_int_equal(rtnl_link_del(index_of(odd.name)), 0);
	end_second(s, "b", &b);
	/* Somebody else's stays. */
	set("net/ipv4/ip_forward", "1");
	ok(change_forwarding, &s->j, false);
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
}

static void expect_links6(const char *v0, const char *lo, const char *deflt,
			  const char *odd)
{
	expect("net/ipv6/conf/v0/accept_ra", v0);
	expect("net/ipv6/conf/lo/accept_ra", lo);
	expect("net/ipv6/conf/default/accept_ra", deflt);
	expect("net/ipv6/conf/br7/accept_ra", odd);
}

/* In IPv6 besides: a host that hears routers goes on doing so. */
static void forwarding_of_ip6(void **state)
{
	const struct rtnl_link_new br = {.name = "br7", .kind = "bridge"};
	struct site *s = *state;
	struct journal b;

	assert_int_equal(rtnl_link_add(&br), 0);
	set("net/ipv6/conf/all/forwarding", "0");
	set("net/ipv6/conf/v0/accept_ra", "1");
	set("net/ipv6/conf/lo/accept_ra", "0");
	set("net/ipv6/conf/default/accept_ra", "1");
	/* this one forwards, and so hears none */
	set("net/ipv6/conf/br7/accept_ra", "1");
	set("net/ipv6/conf/br7/forwarding", "1");
	ok(change_forwarding, &s->j, true);
	expect("net/ipv6/conf/all/forwarding", "1");
	expect("net/ipv6/conf/lo/forwarding", "1");
	expect_links6("2", "0", "2", "1");
	second_journal(s, "b", &b);
	ok(change_forwarding, &b, true);
	site_undo(s);
	expect("net/ipv6/conf/all/forwarding", "1");
	expect_links6("2", "0", "2", "1");
	ok(journal_undo, &b);
	expect("net/ipv6/conf/all/forwarding", "0");
	expect("net/ipv6/conf/v0/forwarding", "0");
	expect("net/ipv6/conf/br7/forwarding", "1");
	expect_links6("1", "0", "1", "1");
	assert_int_equal(rtnl_link_del(index_of(br.name)), 0);
	end_second(s, "b", &b);
	/* Somebody else's stays, and what goes with it is his. */
	set("net/ipv6/conf/all/forwarding", "1");
	ok(change_forwarding, &s->j, true);
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
	expect("net/ipv6/conf/v0/accept_ra", "1");
	set("net/ipv6/conf/all/forwarding", "0");
}

static void a_table(void **state)
{
	static const char json[] =
		"{\"nftables\":[{\"add\":{\"table\":{\"family\":\"inet\","
		"\"name\":\"vmlan-t\"}}},{\"add\":{\"chain\":{\"family\":"
		"\"inet\",\"table\":\"vmlan-t\",\"name\":\"c\"}}}]}";
	struct site *s = *state;
	struct error e = ERROR_NULL;
	char path[256];

	if (!nft_find(path, sizeof(path)))
		skip();
	assert_int_equal(nft_table_find("inet", "vmlan-t", &e), 0);
	ok(change_nft_table, &s->j, "inet", "vmlan-t", json);
	assert_int_equal(nft_table_find("inet", "vmlan-t", &e), 1);
	assert_int_equal(change_nft_table(&s->j, "inet", "vmlan-t", json, &e),
			 -EEXIST);
	assert_int_equal(e.code, EXIT_CONFLICT);
	site_undo(s);
	assert_int_equal(nft_table_find("inet", "vmlan-t", &e), 0);
	/* Somebody has removed it. */
	ok(change_nft_table, &s->j, "inet", "vmlan-t", json);
	assert_int_equal(nft_table_del("inet", "vmlan-t", -1, &e), 0);
	site_undo(s);
	e = ERROR_NULL;
	assert_true(change_nft_table(&s->j, "inet", "vmlan-t", "{", &e) < 0);
	assert_true(e.text[0] && !strchr(e.text, '\n'));
	site_undo(s);
}

#define case_of(fn)                                                            \
	cmocka_unit_test_setup_teardown(fn, site_set_up, site_tear_down)

static int group(void)
{
	const struct CMUnitTest tests[] = {
		case_of(a_link),
		case_of(a_link_of_somebody_else),
		case_of(a_link_that_the_kernel_refuses),
		case_of(a_master),
		case_of(a_master_that_was_changed_since),
		case_of(up_and_down),
		case_of(an_address),
		case_of(an_address_taken_away),
		case_of(an_address_of_ipv6),
		case_of(a_route),
		case_of(a_route_that_leads_nowhere),
		case_of(routes_move),
		case_of(a_setting),
		case_of(a_setting_of_three),
		case_of(forwarding),
		case_of(forwarding_of_ip6),
		case_of(a_table),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}

/* Whoever may not change the host leaves no record behind. */
static void without_the_right(void **state)
{
	const struct rtnl_link_new n = {.name = "br9", .kind = "bridge"};
	char dir[] = "/tmp/vmlan-change-XXXXXX";
	struct error e = ERROR_NULL;
	struct journal j;
	int fd, index;

	(void)state;
	if (geteuid() == 0)
		skip();
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(journal_open(fd, &j, &e), 0);
	assert_int_equal(change_link_add(&j, &n, &index, &e), -EPERM);
	assert_int_equal(e.code, EXIT_PERMISSION);
	assert_int_equal(j.len, JOURNAL_HEAD_LEN);
	journal_close(&j);
	unlinkat(fd, "journal", 0);
	close(fd);
	rmdir(dir);
}

static int outside(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_right),
	};

	return cmocka_run_group_tests_name("outside", tests, NULL, NULL);
}

static int both(void)
{
	return outside() + test_in_netns(group);
}

int main(void)
{
	return test_as_both(both);
}
