/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of the host, written down first; see change.h. */
#include "os/change.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/nft.h"
#include "os/sysctl.h"

/* Of drawing an index that is taken. */
enum { INDEX_TRIES = 16 };

static const char remedy[] = " (this needs root or CAP_NET_ADMIN)";

static const char *remedy_of(int r)
{
	return r == -EPERM || r == -EACCES ? remedy : "";
}

/* The kernel's answer to a change that is written down behind mark: one that
 * was refused is struck out, for whoever may not make it may not undo it
 * either. */
static int answer(struct journal *j, uint32_t mark, int r, struct error *e)
{
	int struck = r < 0 ? journal_strike(j, mark, e) : 0;

	return struck < 0 ? struck : r;
}

int change_link_add(struct journal *j, const struct rtnl_link_new *n,
		    int *indexp, struct error *e)
{
	struct undo u = {.type = UNDO_LINK_ADD};
	struct rtnl_link_new mine = *n;
	const uint32_t mark = j->len;
	struct rtnl_link l;
	int r;

	if (rtnl_link_get(n->name, 0, &l) == 0) {
		error_set(e, EXIT_CONFLICT, "there is an interface %s already",
			  n->name);
		return -EEXIST;
	}
	snprintf(u.link.kind, sizeof(u.link.kind), "%s", n->kind);
	for (int i = 0; i < INDEX_TRIES; i++) {
		mine.index = rtnl_index_new();
		if (rtnl_link_get(NULL, mine.index, &l) != -ENODEV)
			continue;
		u.link.index = mine.index;
		r = journal_add(j, &u, e);
		if (r < 0)
			return r;
		r = answer(j, mark, rtnl_link_add(&mine), e);
		*indexp = mine.index;
		return r < 0 ? error_errno(e, r, "cannot make the %s %s%s",
					   n->kind, n->name, remedy_of(r))
			     : 0;
	}
	return error_errno(e, EBUSY, "%s: no free index", n->name);
}

int change_link_master(struct journal *j, int index, int master,
		       struct error *e)
{
	struct undo u = {.type = UNDO_LINK_MASTER,
			 .master = {.index = index, .is = master}};
	const uint32_t mark = j->len;
	struct rtnl_link l;
	int r = rtnl_link_get(NULL, index, &l);

	if (r < 0)
		return error_errno(e, r, "interface of index %d", index);
	if (l.master == master)
		return 0;
	u.master.was = l.master;
	r = journal_add(j, &u, e);
	if (r < 0)
		return r;
	r = answer(j, mark, rtnl_link_set_master(index, master), e);
	return r < 0 ? error_errno(e, r, "%s cannot be plugged in%s", l.name,
				   remedy_of(r))
		     : 0;
}

int change_link_up(struct journal *j, int index, bool up, struct error *e)
{
	struct undo u = {.type = UNDO_LINK_UP,
			 .up = {.index = index, .was = !up, .is = up}};
	const uint32_t mark = j->len;
	struct rtnl_link l;
	int r = rtnl_link_get(NULL, index, &l);

	if (r < 0)
		return error_errno(e, r, "interface of index %d", index);
	if (!(l.flags & IFF_UP) == !up)
		return 0;
	r = journal_add(j, &u, e);
	if (r < 0)
		return r;
	r = answer(j, mark, rtnl_link_set_up(index, up), e);
	return r < 0 ? error_errno(e, r, "%s cannot be set %s%s", l.name,
				   up ? "up" : "down", remedy_of(r))
		     : 0;
}

/* 1 if the link has it, 0 if not. */
static int has_addr(const struct rtnl_addr *a)
{
	CLEANUP_FREE struct rtnl_addr *v = NULL;
	int n = rtnl_addr_list(a->index, &v);

	for (int i = 0; i < n; i++) {
		if (v[i].prefix_len == a->prefix_len &&
		    addr_eq(&v[i].local, &a->local) &&
		    addr_eq(&v[i].peer, &a->peer))
			return 1;
	}
	return n < 0 ? n : 0;
}

int change_addr_add(struct journal *j, const struct rtnl_addr *a,
		    struct error *e)
{
	struct undo u = {.type = UNDO_ADDR_ADD, .addr = *a};
	const uint32_t mark = j->len;
	char text[RTNL_ADDR_STRLEN];
	int r = has_addr(a);

	if (r > 0)
		return 0;
	rtnl_addr_format(a, text);
	if (r < 0)
		return error_errno(e, r, "address %s", text);
	if (a->family == AF_INET6)
		u.addr.flags |= IFA_F_NODAD;
	r = journal_add(j, &u, e);
	if (r < 0)
		return r;
	r = answer(j, mark, rtnl_addr_add(&u.addr, false), e);
	return r < 0 ? error_errno(e, r, "cannot add the address %s%s", text,
				   remedy_of(r))
		     : 0;
}

int change_addr_del(struct journal *j, const struct rtnl_addr *a,
		    struct error *e)
{
	const struct undo u = {.type = UNDO_ADDR_DEL, .addr = *a};
	const uint32_t mark = j->len;
	char text[RTNL_ADDR_STRLEN];
	int r = has_addr(a);

	if (r == 0)
		return 0;
	rtnl_addr_format(a, text);
	if (r < 0)
		return error_errno(e, r, "address %s", text);
	r = journal_add(j, &u, e);
	if (r < 0)
		return r;
	r = answer(j, mark, rtnl_addr_del(a), e);
	return r < 0 ? error_errno(e, r, "cannot remove the address %s%s", text,
				   remedy_of(r))
		     : 0;
}

/* 1 if it is there just so, 0 if not. */
static int has_route(const struct rtnl_route *t)
{
	CLEANUP_FREE struct rtnl_route *v = NULL;
	int n = rtnl_route_list(rtnl_route_index(t), &v);

	for (int i = 0; i < n; i++) {
		if (v[i].len == t->len && memcmp(v[i].raw, t->raw, t->len) == 0)
			return 1;
	}
	return n < 0 ? n : 0;
}

/* none: what the kernel says if it is no change. */
static int change_route(struct journal *j, const struct undo *u, int none,
			struct error *e)
{
	const bool adds = u->type == UNDO_ROUTE_ADD;
	const uint32_t mark = j->len;
	char text[RTNL_ROUTE_STRLEN];
	int r;

	rtnl_route_format(&u->route, text);
	r = journal_add(j, u, e);
	if (r < 0)
		return r;
	r = adds ? rtnl_route_add(&u->route) : rtnl_route_del(&u->route);
	r = answer(j, mark, r, e);
	if (r == none)
		return 0;
	return r < 0 ? error_errno(e, r, "cannot %s the route %s%s",
				   adds ? "add" : "remove", text, remedy_of(r))
		     : 0;
}

int change_route_add(struct journal *j, const struct rtnl_route *t,
		     struct error *e)
{
	const struct undo u = {.type = UNDO_ROUTE_ADD, .route = *t};
	int r = has_route(t);

	if (r > 0)
		return 0;
	if (r < 0)
		return error_errno(e, r, "routes");
	return change_route(j, &u, -EEXIST, e);
}

int change_route_del(struct journal *j, const struct rtnl_route *t,
		     struct error *e)
{
	const struct undo u = {.type = UNDO_ROUTE_DEL, .route = *t};

	return change_route(j, &u, -ESRCH, e);
}

int change_nft_table(struct journal *j, const char *family, const char *name,
		     const char *json, struct error *e)
{
	struct undo u = {.type = UNDO_NFT_TABLE};
	const uint32_t mark = j->len;
	int r;

	if (!nft_is_name(family) || !nft_is_name(name) ||
	    strlen(family) >= sizeof(u.table.family) ||
	    strlen(name) >= sizeof(u.table.name))
		return error_errno(e, EINVAL, "nftables table %s %s", family,
				   name);
	snprintf(u.table.family, sizeof(u.table.family), "%s", family);
	snprintf(u.table.name, sizeof(u.table.name), "%s", name);
	r = nft_table_find(family, name, e);
	if (r > 0) {
		error_set(e, EXIT_CONFLICT,
			  "there is an nftables table %s %s already "
			  "(nft delete table %s %s)",
			  family, name, family, name);
		return -EEXIST;
	}
	if (r == 0)
		r = journal_add(j, &u, e);
	if (r < 0)
		return r;
	r = nft_run(json, j->fd, e);
	/* However else it failed, the table may be there. */
	return r == -EPERM || r == -ENOENT ? answer(j, mark, r, e) : r;
}

/* Who finds it as wanted asks whether a network of ours has made it so. */
static int sysctl_before(const struct journal *j, struct undo *u)
{
	struct undo other;
	int r = sysctl_get(u->sysctl.name, u->sysctl.was,
			   sizeof(u->sysctl.was));

	if (r < 0 || strcmp(u->sysctl.was, u->sysctl.is) != 0)
		return r;
	if (!journal_shared_find(j, u, &other))
		return 1; /* it is somebody else's */
	memcpy(u->sysctl.was, other.sysctl.was, sizeof(u->sysctl.was));
	return 0;
}

/* The record of a setting, but for its value of before. */
static int sysctl_record(const char *name, const char *value, struct undo *u,
			 struct error *e)
{
	*u = (struct undo){.type = UNDO_SYSCTL};
	if (strlen(name) >= sizeof(u->sysctl.name) ||
	    strlen(value) >= sizeof(u->sysctl.is))
		return error_errno(e, ENAMETOOLONG, "setting %s", name);
	memcpy(u->sysctl.name, name, strlen(name));
	memcpy(u->sysctl.is, value, strlen(value));
	return 0;
}

/* The lock of settings is held. */
static int set_sysctl(struct journal *j, const char *name, const char *value,
		      struct error *e)
{
	const uint32_t mark = j->len;
	struct undo u;
	int r = sysctl_record(name, value, &u, e);

	if (r < 0)
		return r;
	r = sysctl_before(j, &u);
	if (r < 0)
		return error_errno(e, r, "setting %s", name);
	if (r > 0)
		return 0;
	r = journal_add(j, &u, e);
	if (r < 0)
		return r;
	r = answer(j, mark, sysctl_set(name, value), e);
	return r < 0 ? error_errno(e, r, "cannot set %s=%s%s", name, value,
				   remedy_of(r))
		     : 0;
}

int change_sysctl(struct journal *j, const char *name, const char *value,
		  struct error *e)
{
	CLEANUP_FD int lock = journal_shared_lock(j);

	if (lock < 0)
		return error_errno(e, lock, "journal");
	return set_sysctl(j, name, value, e);
}

/* ---- forwarding ---- */

/* What is a family's of it. */
static const struct forwarding {
	const char *name; /* of the host as a whole */
	const char *conf; /* the folder of its links, below /proc/sys */
	const char *also; /* what the kernel sets to 1 when it ends; or NULL */
	bool mutes;	  /* links that forward hear no router */
} forwardings[] = {
	{"net/ipv4/ip_forward", "net/ipv4/conf",
	 "net/ipv4/conf/all/accept_redirects", false},
	{"net/ipv6/conf/all/forwarding", "net/ipv6/conf", NULL, true},
};

/* One link's part, or what the links made later begin with. */
typedef int (*link_fn)(struct journal *j, const char *link, bool is_on,
		       struct error *e);

/* 1: it is off, or on because a network of ours has set it. */
static int is_forwarding_ours(const struct journal *j, const char *name,
			      bool *is_onp, struct error *e)
{
	struct undo mine, other;
	char now[UNDO_VALUE_LEN];
	int r = sysctl_record(name, "1", &mine, e);

	if (r == 0)
		r = sysctl_get(name, now, sizeof(now));
	if (r < 0)
		return error_errno(e, r, "setting %s", name);
	*is_onp = strcmp(now, "1") == 0;
	return !*is_onp || journal_shared_find(j, &mine, &other);
}

/* A setting that the kernel will have made `is` when forwarding ends, unless
 * that is what it was. */
static int note_setting(struct journal *j, const char *name, const char *is,
			bool is_on, struct error *e)
{
	struct undo u, other;
	int r = sysctl_record(name, is, &u, e);

	if (r < 0)
		return r;
	if (is_on) {
		if (!journal_shared_find(j, &u, &other))
			return 0;
		memcpy(u.sysctl.was, other.sysctl.was, sizeof(u.sysctl.was));
	} else {
		r = sysctl_get(name, u.sysctl.was, sizeof(u.sysctl.was));
		if (r == -ENOENT)
			return 0; /* its link has just gone */
		if (r < 0)
			return error_errno(e, r, "setting %s", name);
		if (strcmp(u.sysctl.was, is) == 0)
			return 0;
	}
	return journal_add(j, &u, e);
}

/* A link that forwards though the host as a whole does not. */
static int note_link(struct journal *j, const char *link, bool is_on,
		     struct error *e)
{
	char name[UNDO_SYSCTL_LEN];

	snprintf(name, sizeof(name), "%s/forwarding", link);
	return note_setting(j, name, "0", is_on, e);
}

/* A link that hears routers: to go on doing so while it forwards, and to lose
 * nothing of what it has by them, takes 2. */
static int keep_routers(struct journal *j, const char *link, bool is_on,
			struct error *e)
{
	char accepts[UNDO_SYSCTL_LEN], forwards[UNDO_SYSCTL_LEN];
	char is[UNDO_VALUE_LEN], is_forwarding[UNDO_VALUE_LEN];
	int r;

	snprintf(accepts, sizeof(accepts), "%s/accept_ra", link);
	snprintf(forwards, sizeof(forwards), "%s/forwarding", link);
	r = sysctl_get(accepts, is, sizeof(is));
	if (r == 0)
		r = sysctl_get(forwards, is_forwarding, sizeof(is_forwarding));
	if (r == -ENOENT)
		return 0; /* it has just gone */
	if (r < 0)
		return error_errno(e, r, "setting %s", accepts);
	if (is_on ? strcmp(is, "2") != 0
		  : strcmp(is, "1") != 0 || strcmp(is_forwarding, "0") != 0)
		return 0;
	return set_sysctl(j, accepts, "2", e);
}

static int each_link(struct journal *j, const char *conf, link_fn fn,
		     bool is_on, struct error *e)
{
	char path[64], link[64];
	struct dirent *de;
	int r = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/sys/%s", conf);
	d = opendir(path);
	if (!d)
		return error_errno(e, errno, "%s", path);
	while (r == 0 && (de = readdir(d))) {
		if (de->d_name[0] == '.' || strcmp(de->d_name, "all") == 0)
			continue;
		snprintf(link, sizeof(link), "%s/%.16s", conf, de->d_name);
		r = fn(j, link, is_on, e);
	}
	closedir(d);
	return r;
}

int change_forwarding(struct journal *j, bool is_v6, struct error *e)
{
	const struct forwarding *f = &forwardings[is_v6];
	CLEANUP_FD int lock = journal_shared_lock(j);
	bool is_on = false;
	int r;

	if (lock < 0)
		return error_errno(e, lock, "journal");
	r = is_forwarding_ours(j, f->name, &is_on, e);
	if (r <= 0)
		return r;
	/* Undone behind it, for they are written down before it. */
	r = f->mutes ? each_link(j, f->conf, keep_routers, is_on, e) : 0;
	if (r == 0 && f->also)
		r = note_setting(j, f->also, "1", is_on, e);
	if (r == 0)
		r = each_link(j, f->conf, note_link, is_on, e);
	return r < 0 ? r : set_sysctl(j, f->name, "1", e);
}
