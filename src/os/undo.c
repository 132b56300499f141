/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of changes and their undoing; see undo.h. */
#include "os/undo.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/nft.h"
#include "os/sysctl.h"

/* ---- encoding ---- */

static void put_text(struct wr *w, const char *s)
{
	size_t len = strlen(s);

	wr_u8(w, (uint8_t)len);
	wr_bytes(w, s, len);
}

static void put_addr(struct wr *w, const struct rtnl_addr *a)
{
	wr_u32(w, (uint32_t)a->index);
	wr_u8(w, a->family);
	wr_u8(w, a->prefix_len);
	wr_u8(w, a->scope);
	wr_u8(w, a->proto);
	wr_u32(w, a->flags);
	wr_bytes(w, a->local.b, sizeof(a->local.b));
	wr_bytes(w, a->peer.b, sizeof(a->peer.b));
	wr_bytes(w, a->broadcast.b, sizeof(a->broadcast.b));
	put_text(w, a->label);
	wr_u32(w, a->metric);
	wr_u32(w, a->valid_s);
	wr_u32(w, a->preferred_s);
}

void undo_encode(const struct undo *u, struct wr *w)
{
	wr_u8(w, (uint8_t)u->type);
	switch (u->type) {
	case UNDO_LINK_ADD:
		wr_u32(w, (uint32_t)u->link.index);
		put_text(w, u->link.kind);
		break;
	case UNDO_LINK_MASTER:
		wr_u32(w, (uint32_t)u->master.index);
		wr_u32(w, (uint32_t)u->master.was);
		wr_u32(w, (uint32_t)u->master.is);
		break;
	case UNDO_LINK_UP:
		wr_u32(w, (uint32_t)u->up.index);
		wr_u8(w, u->up.was);
		wr_u8(w, u->up.is);
		break;
	case UNDO_ADDR_ADD:
	case UNDO_ADDR_DEL:
		put_addr(w, &u->addr);
		break;
	case UNDO_ROUTE_ADD:
	case UNDO_ROUTE_DEL:
		wr_u16(w, u->route.len);
		wr_bytes(w, u->route.raw, u->route.len);
		break;
	case UNDO_NFT_TABLE:
		put_text(w, u->table.family);
		put_text(w, u->table.name);
		break;
	case UNDO_SYSCTL:
		put_text(w, u->sysctl.name);
		put_text(w, u->sysctl.was);
		put_text(w, u->sysctl.is);
		break;
	case UNDO_KEEP:
		break;
	}
}

/* ---- decoding ---- */

static void get_text(struct rd *r, char *to, size_t room)
{
	size_t len = rd_u8(r);

	if (len >= room) {
		r->bad = true;
		len = 0;
	}
	rd_copy(r, to, len);
	to[len] = '\0';
	if (strlen(to) != len)
		r->bad = true;
}

static int get_index(struct rd *r)
{
	uint32_t x = rd_u32(r);

	if (x > INT32_MAX)
		r->bad = true;
	return (int)x;
}

static bool get_bool(struct rd *r)
{
	uint8_t x = rd_u8(r);

	if (x > 1)
		r->bad = true;
	return x;
}

static void get_addr(struct rd *r, struct rtnl_addr *a)
{
	*a = (struct rtnl_addr){.index = get_index(r)};
	a->family = rd_u8(r);
	a->prefix_len = rd_u8(r);
	a->scope = rd_u8(r);
	a->proto = rd_u8(r);
	a->flags = rd_u32(r);
	rd_copy(r, a->local.b, sizeof(a->local.b));
	rd_copy(r, a->peer.b, sizeof(a->peer.b));
	rd_copy(r, a->broadcast.b, sizeof(a->broadcast.b));
	get_text(r, a->label, sizeof(a->label));
	a->metric = rd_u32(r);
	a->valid_s = rd_u32(r);
	a->preferred_s = rd_u32(r);
	if (a->family != AF_INET && a->family != AF_INET6)
		r->bad = true;
}

static void get_route(struct rd *r, struct rtnl_route *t)
{
	*t = (struct rtnl_route){.len = rd_u16(r)};
	if (t->len > RTNL_ROUTE_MAX) {
		r->bad = true;
		return;
	}
	rd_copy(r, t->raw, t->len);
	if (!rtnl_route_is_sound(t))
		r->bad = true;
}

static void get_sysctl(struct rd *r, struct undo *u)
{
	get_text(r, u->sysctl.name, sizeof(u->sysctl.name));
	get_text(r, u->sysctl.was, sizeof(u->sysctl.was));
	get_text(r, u->sysctl.is, sizeof(u->sysctl.is));
	if (!sysctl_is_name(u->sysctl.name))
		r->bad = true;
}

static void get_table(struct rd *r, struct undo *u)
{
	get_text(r, u->table.family, sizeof(u->table.family));
	get_text(r, u->table.name, sizeof(u->table.name));
	if (!nft_is_name(u->table.family) || !nft_is_name(u->table.name))
		r->bad = true;
}

bool undo_decode(struct rd *r, struct undo *u)
{
	*u = (struct undo){.type = (enum undo_type)rd_u8(r)};
	switch (u->type) {
	case UNDO_LINK_ADD:
		u->link.index = get_index(r);
		get_text(r, u->link.kind, sizeof(u->link.kind));
		break;
	case UNDO_LINK_MASTER:
		u->master.index = get_index(r);
		u->master.was = get_index(r);
		u->master.is = get_index(r);
		break;
	case UNDO_LINK_UP:
		u->up.index = get_index(r);
		u->up.was = get_bool(r);
		u->up.is = get_bool(r);
		break;
	case UNDO_ADDR_ADD:
	case UNDO_ADDR_DEL:
		get_addr(r, &u->addr);
		break;
	case UNDO_ROUTE_ADD:
	case UNDO_ROUTE_DEL:
		get_route(r, &u->route);
		break;
	case UNDO_NFT_TABLE:
		get_table(r, u);
		break;
	case UNDO_SYSCTL:
		get_sysctl(r, u);
		break;
	case UNDO_KEEP:
		break;
	default: /* a byte of the file, and of no type */
		return false;
	}
	return rd_ok(r) && rd_left(r) == 0;
}

/* ---- undoing ---- */

/* A refusal that will be the same tomorrow is told and not tried again. */
static int judge(int r, struct error *e, const char *what, const char *name)
{
	if (r >= 0)
		return 0;
	error_errno(e, r, "cannot %s %s", what, name);
	switch (-r) {
	case EPERM:
	case EACCES:
	case ENOMEM:
	case ENOBUFS:
	case EINTR:
	case EMFILE:
	case ENFILE:
		return r;
	default: /* whatever else the kernel says */
		return 1;
	}
}

static bool is_one_of(int r, int a, int b)
{
	return r == a || r == b;
}

static int undo_link(const struct undo *u, struct error *e)
{
	struct rtnl_link l;
	int r = rtnl_link_get(NULL, u->link.index, &l);

	if (r == 0 && strcmp(l.kind, u->link.kind) != 0)
		return 0;
	if (r == 0)
		r = rtnl_link_del(u->link.index);
	return r == -ENODEV ? 0 : judge(r, e, "remove the link", l.name);
}

static int undo_master(const struct undo *u, struct error *e)
{
	struct rtnl_link l, old;
	int was = u->master.was;
	int r = rtnl_link_get(NULL, u->master.index, &l);

	if (r == 0 && l.master != u->master.is)
		return 0;
	if (r == 0 && was && rtnl_link_get(NULL, was, &old) == -ENODEV)
		was = 0;
	if (r == 0)
		r = rtnl_link_set_master(u->master.index, was);
	return r == -ENODEV ? 0 : judge(r, e, "unplug", l.name);
}

static int undo_up(const struct undo *u, struct error *e)
{
	struct rtnl_link l;
	int r = rtnl_link_get(NULL, u->up.index, &l);

	if (r == 0 && !(l.flags & IFF_UP) == u->up.is)
		return 0;
	if (r == 0)
		r = rtnl_link_set_up(u->up.index, u->up.was);
	return r == -ENODEV
		       ? 0
		       : judge(r, e, u->up.was ? "set up" : "set down", l.name);
}

static int undo_addr_add(const struct undo *u, struct error *e)
{
	char text[RTNL_ADDR_STRLEN];
	int r = rtnl_addr_del(&u->addr);

	if (is_one_of(r, -EADDRNOTAVAIL, -ENODEV))
		return 0;
	return judge(r, e, "remove the address",
		     rtnl_addr_format(&u->addr, text));
}

/* IPv6 would first ask whether somebody else has it, which the host cannot
 * wait for; and it must not look so afterwards. */
static int forget_nodad(const struct rtnl_addr *a)
{
	CLEANUP_FREE struct rtnl_addr *v = NULL;
	int n = rtnl_addr_list(a->index, &v);

	for (int i = 0; i < n; i++) {
		if (addr_eq(&v[i].local, &a->local) && v[i].flags & IFA_F_NODAD)
			return rtnl_addr_add(a, true);
	}
	return n < 0 ? n : 0;
}

static int undo_addr_del(const struct undo *u, struct error *e)
{
	char text[RTNL_ADDR_STRLEN];
	struct rtnl_addr a = u->addr;
	int r;

	if (a.family == AF_INET6)
		a.flags |= IFA_F_NODAD;
	r = rtnl_addr_add(&a, false);
	if (r == -EEXIST)
		r = 0;
	if (r == 0 && a.flags != u->addr.flags)
		r = forget_nodad(&u->addr);
	return r == -ENODEV ? 0
			    : judge(r, e, "give back the address",
				    rtnl_addr_format(&u->addr, text));
}

static int undo_route_add(const struct undo *u, struct error *e)
{
	char text[RTNL_ROUTE_STRLEN];
	int r = rtnl_route_del(&u->route);

	if (is_one_of(r, -ESRCH, -ENODEV))
		return 0;
	return judge(r, e, "remove the route",
		     rtnl_route_format(&u->route, text));
}

static int undo_route_del(const struct undo *u, struct error *e)
{
	char text[RTNL_ROUTE_STRLEN];
	int r = rtnl_route_add(&u->route);

	if (is_one_of(r, -EEXIST, -ENODEV))
		return 0;
	return judge(r, e, "give back the route",
		     rtnl_route_format(&u->route, text));
}

static int undo_sysctl(const struct undo *u, struct error *e)
{
	char now[UNDO_VALUE_LEN];
	int r = sysctl_get(u->sysctl.name, now, sizeof(now));

	/* Settings of a link go with it. */
	if (r == -ENOENT || (r == 0 && strcmp(now, u->sysctl.is) != 0))
		return 0;
	if (r == 0)
		r = sysctl_set(u->sysctl.name, u->sysctl.was);
	return judge(r, e, "give back the setting", u->sysctl.name);
}

int undo_apply(const struct undo *u, int held, struct error *e)
{
	switch (u->type) {
	case UNDO_LINK_ADD:
		return undo_link(u, e);
	case UNDO_LINK_MASTER:
		return undo_master(u, e);
	case UNDO_LINK_UP:
		return undo_up(u, e);
	case UNDO_ADDR_ADD:
		return undo_addr_add(u, e);
	case UNDO_ADDR_DEL:
		return undo_addr_del(u, e);
	case UNDO_ROUTE_ADD:
		return undo_route_add(u, e);
	case UNDO_ROUTE_DEL:
		return undo_route_del(u, e);
	case UNDO_NFT_TABLE:
		return nft_table_del(u->table.family, u->table.name, held, e);
	case UNDO_SYSCTL:
		return undo_sysctl(u, e);
	case UNDO_KEEP:
		break;
	}
	return 0;
}
