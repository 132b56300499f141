/* SPDX-License-Identifier: BSD-3-Clause */
/* Each change of the host, in a namespace of the test: made, undone, undone
 * again, and undone where somebody else was quicker. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/change.h"
#include "os/nft.h"
#include "os/rundir.h"
#include "os/sysctl.h"
#include "os/test_user.h"

/* What each test has: a journal, and a veth that it may change, up, with
 * 192.0.2.2/24 on it. */
struct site {
	char dir[sizeof("/tmp/vmlan-change-XXXXXX")];
	int dir_fd, veth;
	struct journal j;
};

static const struct rtnl_addr address = {
	.family = AF_INET,
	.prefix_len = 24,
	.local = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2}},
	.peer = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2}},
	.label = "v0",
	.valid_s = RTNL_FOREVER,
	.preferred_s = RTNL_FOREVER,
};

static int set_up(void **state)
{
	static struct site s;
	const struct rtnl_link_new veth = {
		.name = "v0", .kind = "veth", .peer = "v1"};
	struct rtnl_addr a = address;
	struct error e = ERROR_NULL;
	struct rtnl_link l;

	s = (struct site){.dir = "/tmp/vmlan-change-XXXXXX"};
	if (!mkdtemp(s.dir) || rtnl_link_add(&veth) < 0 ||
	    rtnl_link_get("v1", 0, &l) < 0 ||
	    rtnl_link_set_up(l.index, true) < 0 ||
	    rtnl_link_get("v0", 0, &l) < 0 ||
	    rtnl_link_set_up(l.index, true) < 0)
		return -1;
	s.veth = a.index = l.index;
	s.dir_fd = open(s.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &s;
	return rtnl_addr_add(&a, false) < 0 ||
			       journal_open(s.dir_fd, &s.j, &e) < 0
		       ? -1
		       : 0;
}

static int tear_down(void **state)
{
	struct site *s = *state;

	journal_close(&s->j);
	unlinkat(s->dir_fd, "journal", 0);
	close(s->dir_fd);
	return rtnl_link_del(s->veth) < 0 ? -1 : rmdir(s->dir);
}

/* As another process would, after a kill: of what the file says. */
static void undo_all(struct site *s)
{
	struct error e = ERROR_NULL;

	journal_close(&s->j);
	if (journal_settle(s->dir_fd, &e) != 0 || e.code != EXIT_DONE)
		fail_msg("%s", e.text);
	if (journal_open(s->dir_fd, &s->j, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
}

#define ok(fn, ...)                                                            \
	do {                                                                   \
		struct error ok_e = ERROR_NULL;                                \
		if (fn(__VA_ARGS__, &ok_e) < 0)                                \
			fail_msg("%s", ok_e.text);                             \
	} while (0)

static bool exists(const char *name)
{
	struct rtnl_link l;

	return rtnl_link_get(name, 0, &l) == 0;
}

static int index_of(const char *name)
{
	struct rtnl_link l;

	assert_int_equal(rtnl_link_get(name, 0, &l), 0);
	return l.index;
}

static int add_bridge(struct site *s)
{
	const struct rtnl_link_new n = {
		.name = "br0",
		.kind = "bridge",
		.mac = {{0x52, 0x54, 0, 1, 2, 3}},
	};
	int index;

	ok(change_link_add, &s->j, &n, &index);
	return index;
}

static void a_link(void **state)
{
	struct site *s = *state;
	struct rtnl_link l;
	int index = add_bridge(s);

	assert_int_equal(rtnl_link_get("br0", 0, &l), 0);
	assert_int_equal(l.index, index);
	assert_true(index >= 1 << 20);
	assert_string_equal(l.kind, "bridge");
	assert_true(mac_eq(l.mac, (mac){{0x52, 0x54, 0, 1, 2, 3}}));
	undo_all(s);
	assert_false(exists("br0"));
	undo_all(s);
}

static void a_link_of_somebody_else(void **state)
{
	const struct rtnl_link_new theirs = {.name = "br0", .kind = "bridge"};
	struct site *s = *state;
	struct error e = ERROR_NULL;
	int index = add_bridge(s), none;

	/* Ours is gone, and its name another one's. */
	assert_int_equal(rtnl_link_del(index), 0);
	assert_int_equal(rtnl_link_add(&theirs), 0);
	undo_all(s);
	assert_true(exists("br0"));
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
	int bridge = add_bridge(s);
	struct rtnl_link l;

	ok(change_link_master, &s->j, s->veth, bridge);
	assert_int_equal(rtnl_link_get("v0", 0, &l), 0);
	assert_int_equal(l.master, bridge);
	undo_all(s);
	assert_int_equal(rtnl_link_get("v0", 0, &l), 0);
	assert_int_equal(l.master, 0);
}

static void a_master_that_was_changed_since(void **state)
{
	const struct rtnl_link_new other = {.name = "br1", .kind = "bridge"};
	struct site *s = *state;
	int bridge = add_bridge(s), theirs;
	struct rtnl_link l;

	assert_int_equal(rtnl_link_add(&other), 0);
	theirs = index_of("br1");
	ok(change_link_master, &s->j, s->veth, bridge);
	assert_int_equal(rtnl_link_set_master(s->veth, theirs), 0);
	undo_all(s);
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
	undo_all(s);
	assert_true(is_up("v0"));
	ok(change_link_up, &s->j, s->veth, false);
	assert_int_equal(rtnl_link_set_up(s->veth, true), 0);
	undo_all(s);
	assert_true(is_up("v0"));
}

static int find_addr(int index, const struct rtnl_addr *want,
		     struct rtnl_addr *got)
{
	struct rtnl_addr *v = NULL;
	int n = rtnl_addr_list(index, &v), found = 0;

	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		if (addr_eq(&v[i].local, &want->local)) {
			*got = v[i];
			found++;
		}
	}
	free(v);
	return found;
}

static void an_address(void **state)
{
	struct site *s = *state;
	struct rtnl_addr a = address, got;
	uint32_t mark = s->j.len;

	a.index = s->veth;
	ok(change_addr_add, &s->j, &a); /* the one that is there */
	assert_int_equal(s->j.len, mark);
	a.local.b[15] = a.peer.b[15] = 77;
	ok(change_addr_add, &s->j, &a);
	assert_int_equal(find_addr(s->veth, &a, &got), 1);
	undo_all(s);
	assert_int_equal(find_addr(s->veth, &a, &got), 0);
	assert_int_equal(find_addr(s->veth, &address, &got), 1);
	undo_all(s);
	/* Somebody has removed it already. */
	ok(change_addr_add, &s->j, &a);
	assert_int_equal(rtnl_addr_del(&a), 0);
	undo_all(s);
}

static void an_address_taken_away(void **state)
{
	struct rtnl_addr a, b, got, none = address;
	struct site *s = *state;

	assert_int_equal(find_addr(s->veth, &address, &a), 1);
	ok(change_addr_del, &s->j, &a);
	assert_int_equal(find_addr(s->veth, &a, &got), 0);
	none.index = s->veth;
	none.local.b[15] = none.peer.b[15] = 78;
	ok(change_addr_del, &s->j, &none); /* is not there: no change */
	undo_all(s);
	assert_int_equal(find_addr(s->veth, &a, &b), 1);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(find_addr(s->veth, &none, &got), 0);
	/* Somebody was quicker. */
	ok(change_addr_del, &s->j, &a);
	assert_int_equal(rtnl_addr_add(&a, false), 0);
	undo_all(s);
	assert_int_equal(find_addr(s->veth, &a, &b), 1);
	/* Or the link is gone. */
	ok(change_addr_del, &s->j, &a);
	assert_int_equal(rtnl_link_del(s->veth), 0);
	undo_all(s);
	tear_down(state);
	assert_int_equal(set_up(state), 0);
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
	assert_int_equal(find_addr(s->veth, &a, &got), 1);
	assert_int_equal(got.flags, IFA_F_NOPREFIXROUTE);
	assert_int_equal(got.metric, 77);
	ok(change_addr_del, &s->j, &got);
	assert_int_equal(find_addr(s->veth, &a, &got), 0);
	undo_all(s);
	assert_int_equal(find_addr(s->veth, &a, &got), 1);
	assert_int_equal(got.flags, IFA_F_NOPREFIXROUTE);
	assert_int_equal(got.metric, 77);
	assert_true(got.valid_s > 4900 && got.valid_s <= 5000);
}

static int list_routes(int index, struct rtnl_route **vp)
{
	int n = rtnl_route_list(index, vp);

	assert_true(n >= 0);
	return n;
}

static bool has_route(int index, const struct rtnl_route *t)
{
	struct rtnl_route *v = NULL;
	int n = list_routes(index, &v);
	bool found = false;

	for (int i = 0; i < n; i++)
		found |= v[i].len == t->len &&
			 memcmp(v[i].raw, t->raw, t->len) == 0;
	free(v);
	return found;
}

static void put_attr(struct rtnl_route *t, unsigned short type, const void *p,
		     unsigned short len)
{
	const struct rtattr a = {.rta_len = (unsigned short)(4 + len),
				 .rta_type = type};

	memcpy(t->raw + t->len, &a, 4);
	memcpy(t->raw + t->len + 4, p, len);
	t->len = (uint16_t)(t->len + 4 + len);
}

/* default via 192.0.2.1 metric 77 mtu 1400, as the kernel orders it. */
static struct rtnl_route default_by(int index)
{
	const struct rtmsg m = {
		.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	const uint32_t table = RT_TABLE_MAIN, metric = 77;
	const struct {
		struct rtattr a;
		uint32_t x;
	} mtu = {{.rta_len = 8, .rta_type = RTAX_MTU}, 1400};
	const uint8_t gateway[4] = {192, 0, 2, 1};
	struct rtnl_route t = {.len = sizeof(m)};

	memcpy(t.raw, &m, sizeof(m));
	put_attr(&t, RTA_TABLE, &table, 4);
	put_attr(&t, RTA_PRIORITY, &metric, 4);
	put_attr(&t, RTA_METRICS, &mtu, sizeof(mtu));
	put_attr(&t, RTA_GATEWAY, gateway, 4);
	put_attr(&t, RTA_OIF, &index, 4);
	return t;
}

static void a_route(void **state)
{
	struct site *s = *state;
	struct rtnl_route t = default_by(s->veth);
	char text[RTNL_ROUTE_STRLEN];
	uint32_t mark;

	assert_true(rtnl_route_is_sound(&t));
	assert_true(rtnl_route_has_gateway(&t));
	assert_string_equal(rtnl_route_format(&t, text),
			    "default via 192.0.2.1 metric 77");
	ok(change_route_add, &s->j, &t);
	assert_true(has_route(s->veth, &t));
	mark = s->j.len;
	ok(change_route_add, &s->j, &t);
	assert_int_equal(s->j.len, mark);
	undo_all(s);
	assert_false(has_route(s->veth, &t));
	ok(change_route_del, &s->j, &t); /* is not there */
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
	/* Taken away, and given back with all that belongs to it. */
	assert_int_equal(rtnl_route_add(&t), 0);
	ok(change_route_del, &s->j, &t);
	assert_false(has_route(s->veth, &t));
	undo_all(s);
	assert_true(has_route(s->veth, &t));
	/* Somebody was quicker. */
	ok(change_route_del, &s->j, &t);
	assert_int_equal(rtnl_route_add(&t), 0);
	undo_all(s);
	assert_true(has_route(s->veth, &t));
}

static void a_route_that_leads_nowhere(void **state)
{
	struct site *s = *state;
	struct rtnl_route t = default_by(s->veth);
	struct error e = ERROR_NULL;
	struct rtnl_addr a;

	assert_int_equal(find_addr(s->veth, &address, &a), 1);
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
	struct rtnl_route t = default_by(s->veth), u, *v = NULL;
	int bridge = add_bridge(s), n;
	struct rtnl_addr a;

	assert_int_equal(rtnl_route_add(&t), 0);
	n = list_routes(s->veth, &v);
	assert_int_equal(n, 2); /* and the network of the address */
	assert_int_equal(rtnl_route_has_gateway(&v[0]) +
				 rtnl_route_has_gateway(&v[1]),
			 1);
	assert_false(rtnl_route_has_nexthop_id(&v[0]));
	ok(change_link_up, &s->j, bridge, true);
	assert_int_equal(find_addr(s->veth, &address, &a), 1);
	a.index = bridge;
	ok(change_addr_add, &s->j, &a);
	u = rtnl_route_by(&t, s->veth, bridge);
	assert_int_equal(rtnl_route_index(&u), bridge);
	ok(change_route_add, &s->j, &u);
	ok(change_route_del, &s->j, &t);
	assert_true(has_route(bridge, &u));
	assert_false(has_route(s->veth, &t));
	undo_all(s);
	assert_true(has_route(s->veth, &t));
	assert_false(exists("br0"));
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
	undo_all(s);
	assert_int_equal(sysctl_get(name, now, sizeof(now)), 0);
	assert_string_equal(now, was);
	/* Somebody wrote a third value. */
	ok(change_sysctl, &s->j, "net/ipv4/conf/v0/rp_filter", "1");
	assert_int_equal(sysctl_set("net/ipv4/conf/v0/rp_filter", "2"), 0);
	undo_all(s);
	assert_int_equal(
		sysctl_get("net/ipv4/conf/v0/rp_filter", now, sizeof(now)), 0);
	assert_string_equal(now, "2");
	assert_int_equal(change_sysctl(&s->j, "net/nosuch", "1", &e), -ENOENT);
	assert_int_equal(change_sysctl(&s->j, "net/../kernel/x", "1", &e),
			 -EINVAL);
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
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
	undo_all(s);
	assert_int_equal(nft_table_find("inet", "vmlan-t", &e), 0);
	/* Somebody has removed it. */
	ok(change_nft_table, &s->j, "inet", "vmlan-t", json);
	assert_int_equal(nft_table_del("inet", "vmlan-t", &e), 0);
	undo_all(s);
	e = ERROR_NULL;
	assert_true(change_nft_table(&s->j, "inet", "vmlan-t", "{", &e) < 0);
	assert_true(e.text[0] && !strchr(e.text, '\n'));
	undo_all(s);
}

/* Killed at any moment of its changes: the next one finds all as before. */
static void after_a_kill(void **state)
{
	struct site *s = *state;
	struct rtnl_route t = default_by(s->veth);
	unsigned seed = 1;

	assert_int_equal(rtnl_route_add(&t), 0);
	journal_close(&s->j);
	for (int i = 0; i < 40; i++) {
		struct rtnl_addr a;
		pid_t pid = fork();

		if (pid == 0) {
			struct error e = ERROR_NULL;

			if (journal_open(s->dir_fd, &s->j, &e) < 0)
				_exit(1);
			find_addr(s->veth, &address, &a);
			for (;;) {
				struct rtnl_addr b = a;
				int bridge = add_bridge(s);
				struct rtnl_route u =
					rtnl_route_by(&t, s->veth, bridge);

				b.index = bridge;
				ok(change_link_up, &s->j, bridge, true);
				ok(change_addr_add, &s->j, &b);
				ok(change_link_master, &s->j, s->veth, bridge);
				ok(change_route_add, &s->j, &u);
				ok(change_route_del, &s->j, &t);
				ok(change_addr_del, &s->j, &a);
				ok(journal_undo, &s->j);
			}
		}
		usleep((unsigned)rand_r(&seed) % 20000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		undo_all(s);
		journal_close(&s->j);
		assert_false(exists("br0"));
		assert_true(has_route(s->veth, &t));
		assert_int_equal(find_addr(s->veth, &address, &a), 1);
	}
}

static int rmdir_of_all(const struct site *s)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/vmlan", s->dir);
	return rmdir(path);
}

static void journal_in(const struct rundir *d, struct journal *j)
{
	int fd = rundir_fd(d);

	assert_true(fd >= 0);
	ok(journal_open, fd, j);
	close(fd);
}

/* Of a network whose keeper was killed (released: its lock is free). */
static void a_dead_network(void **state)
{
	struct site *s = *state;
	struct rundir d;
	int lock;

	assert_int_equal(setenv("XDG_RUNTIME_DIR", s->dir, 1), 0);
	for (int i = 0; i < 3; i++) {
		ok(rundir_make, "dead", &d);
		journal_close(&s->j);
		journal_in(&d, &s->j);
		(void)add_bridge(s);
		assert_true(exists("br0"));
		if (i == 0) { /* in good order */
			rundir_remove(&d);
		} else if (i == 1) { /* swept */
			rundir_release(&d);
			rundir_sweep();
		} else { /* the name is wanted again */
			rundir_release(&d);
			ok(rundir_make, "dead", &d);
			assert_false(exists("br0"));
			rundir_remove(&d);
		}
		assert_false(exists("br0"));
		assert_int_equal(rundir_fd(&d), -1);
	}
	/* Alive, nobody touches it. */
	ok(rundir_make, "dead", &d);
	journal_close(&s->j);
	journal_in(&d, &s->j);
	(void)add_bridge(s);
	lock = dup(d.lock_fd);
	rundir_release(&d);
	rundir_sweep();
	assert_true(exists("br0"));
	close(lock);
	rundir_sweep();
	assert_false(exists("br0"));
	assert_int_equal(rmdir_of_all(s), 0);
}

static void a_kept_network(void **state)
{
	struct site *s = *state;
	struct error e = ERROR_NULL;
	struct rundir d, other;
	char path[128];

	assert_int_equal(setenv("XDG_RUNTIME_DIR", s->dir, 1), 0);
	ok(rundir_make, "kept", &d);
	journal_close(&s->j);
	journal_in(&d, &s->j);
	(void)add_bridge(s);
	ok(journal_keep, &s->j);
	snprintf(path, sizeof(path), "%s", d.path);
	rundir_release(&d);
	rundir_sweep();
	assert_true(exists("br0"));
	assert_int_equal(rundir_make("kept", &other, &e), -EEXIST);
	assert_int_equal(e.code, EXIT_CONFLICT);
	assert_true(exists("br0"));
	assert_int_equal(access(path, F_OK), 0);
	ok(journal_undo, &s->j);
	rundir_sweep();
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir_of_all(s), 0);
}

#define case_of(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

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
		case_of(a_table),
		case_of(after_a_kill),
		case_of(a_dead_network),
		case_of(a_kept_network),
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
