/* SPDX-License-Identifier: BSD-3-Clause */
/* A site to change; see test_site.h. */
#include "os/test_site.h"

#include <errno.h>
#include <fcntl.h>
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

const struct rtnl_addr site_address = {
	.family = AF_INET,
	.prefix_len = 24,
	.local = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2}},
	.peer = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2}},
	.label = "v0",
	.valid_s = RTNL_FOREVER,
	.preferred_s = RTNL_FOREVER,
};

int site_set_up(void **state)
{
	static struct site s;
	const struct rtnl_link_new veth = {
		.name = "v0", .kind = "veth", .peer = "v1"};
	struct rtnl_addr a = site_address;
	struct error e = ERROR_NULL;
	struct rtnl_link l;

	s = (struct site){.base = "/tmp/vmlan-change-XXXXXX"};
	if (!mkdtemp(s.base))
		return -1;
	snprintf(s.dir, sizeof(s.dir), "%s/a", s.base);
	if (mkdir(s.dir, 0700) < 0 || rtnl_link_add(&veth) < 0 ||
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

int site_tear_down(void **state)
{
	struct site *s = *state;
	int r = rtnl_link_del(s->veth);

	journal_close(&s->j);
	unlinkat(s->dir_fd, "journal", 0);
	unlinkat(s->dir_fd, "../.settings", 0);
	close(s->dir_fd);
	if (rmdir(s->dir) < 0 || rmdir(s->base) < 0)
		return -1;
	/* A test may have removed it. */
	return r < 0 && r != -ENODEV ? -1 : 0;
}

void site_undo(struct site *s)
{
	struct error e = ERROR_NULL;

	journal_close(&s->j);
	if (journal_settle(s->dir_fd, &e) != 0 || e.code != EXIT_DONE)
		fail_msg("%s", e.text);
	if (journal_open(s->dir_fd, &s->j, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s->j.len, JOURNAL_HEAD_LEN);
}

bool site_has_link(const char *name)
{
	struct rtnl_link l;

	return rtnl_link_get(name, 0, &l) == 0;
}

int site_add_bridge(struct site *s)
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

int site_find_addr(int index, const struct rtnl_addr *want,
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

int site_list_routes(int index, struct rtnl_route **vp)
{
	int n = rtnl_route_list(index, vp);

	assert_true(n >= 0);
	return n;
}

bool site_has_route(int index, const struct rtnl_route *t)
{
	struct rtnl_route *v = NULL;
	int n = site_list_routes(index, &v);
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

struct rtnl_route site_default_by(int index)
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
