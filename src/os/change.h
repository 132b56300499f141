/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of the host, each written down before it is made (os/journal.h), so
 * that it is undone whatever happens: by the network's end (rundir_remove),
 * and after a kill by the next command (rundir_sweep).  Whatever vmlan changes
 * on the host outside of its own processes goes this way.  What the kernel
 * takes back by itself, such as a tap whose descriptors are closed, need not.
 *
 * All return 0 or negative with one line in *e; what was refused was not made,
 * and what was made before is undone by the journal.  What is as asked already
 * is left alone and not written down: it is somebody else's.
 *
 *	struct journal j;
 *	int bridge;
 *
 *	r = journal_open(dir_fd, &j, e);
 *	r = change_link_add(&j, &(struct rtnl_link_new){
 *		.name = "vmlan0", .kind = "bridge"}, &bridge, e);
 *	r = change_link_up(&j, bridge, true, e);
 *	...
 *	r = journal_undo(&j, e);
 */
#ifndef OS_CHANGE_H
#define OS_CHANGE_H

#include "os/journal.h"
#include "os/rtnl.h"

/* Makes the link, with an index of its own choice (n->index is not used).
 * -EEXIST: its name is taken. */
MUST_USE int change_link_add(struct journal *j, const struct rtnl_link_new *n,
			     int *indexp, struct error *e);
/* master 0: none. */
MUST_USE int change_link_master(struct journal *j, int index, int master,
				struct error *e);
MUST_USE int change_link_up(struct journal *j, int index, bool up,
			    struct error *e);
/* An IPv6 address is the host's at once: nobody is asked for it. */
MUST_USE int change_addr_add(struct journal *j, const struct rtnl_addr *a,
			     struct error *e);
MUST_USE int change_addr_del(struct journal *j, const struct rtnl_addr *a,
			     struct error *e);
MUST_USE int change_route_add(struct journal *j, const struct rtnl_route *t,
			      struct error *e);
MUST_USE int change_route_del(struct journal *j, const struct rtnl_route *t,
			      struct error *e);
/* Makes the table of our own, by the commands of this JSON text, which adds
 * it and changes no other.  -EEXIST: there is one of that name. */
MUST_USE int change_nft_table(struct journal *j, const char *family,
			      const char *name, const char *json,
			      struct error *e);
/* name as in sysctl.h.  Of several networks that want the same the last one's
 * end gives it back. */
MUST_USE int change_sysctl(struct journal *j, const char *name,
			   const char *value, struct error *e);
/* Has the host route packets of a family; -ENOENT: it has no IPv6.  The kernel,
 * told to stop again, changes other settings besides: those are given back as
 * well.  In IPv6 a link that forwards believes no router any more, and what the
 * host has by one (routes, its way out) it would lose: links that hear routers
 * go on doing so (accept_ra=2), and so do links made later. */
MUST_USE int change_forwarding(struct journal *j, bool is_v6,
			       struct error *e);

#endif
