/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of changes of the host: a site to change, in a namespace of the
 * test (test_in_netns). */
#ifndef OS_TEST_SITE_H
#define OS_TEST_SITE_H

#include <stdbool.h>

#include "os/change.h"

/* What each test has: a journal, and a veth that it may change, up, with
 * 192.0.2.2/24 on it. */
struct site {
	char base[sizeof("/tmp/vmlan-change-XXXXXX")]; /* of all networks */
	char dir[sizeof("/tmp/vmlan-change-XXXXXX/a")];
	int dir_fd, veth;
	struct journal j;
};

extern const struct rtnl_addr site_address; /* without its index */

/* For cmocka: *state is the site. */
int site_set_up(void **state);
int site_tear_down(void **state);

/* As another process would, after a kill: of what the file says. */
void site_undo(struct site *s);

/* A call that may fill an error, which is its last parameter: it must not
 * fail. */
#define ok(fn, ...)                                                            \
	do {                                                                   \
		struct error ok_e = ERROR_NULL;                                \
		if (fn(__VA_ARGS__, &ok_e) < 0)                                \
			fail_msg("%s", ok_e.text);                             \
	} while (0)

bool site_has_link(const char *name);
/* br0, made by the site's journal; its index. */
int site_add_bridge(struct site *s);
/* How many of the link's addresses are that one; *got is the last of them. */
int site_find_addr(int index, const struct rtnl_addr *want,
		   struct rtnl_addr *got);
/* rtnl_route_list(), which must not fail. */
int site_list_routes(int index, struct rtnl_route **vp);
/* True if it is there just so. */
bool site_has_route(int index, const struct rtnl_route *t);
/* default via 192.0.2.1 metric 77 mtu 1400, as the kernel orders it. */
struct rtnl_route site_default_by(int index);

#endif
