/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `vxlan`: Ethernet frames in UDP to one peer or several (RFC
 * 7348, wire/vxlan.h).  mmsg.h is the port; what is particular stands here.
 *
 * Called by the lan (port hooks) and by the loop; one worker's thread.
 *
 * What is for all goes to each peer.  So does what is for a machine that has
 * not been heard; where one has been, a table says.  That is the lan's own
 * MAC table, in which a peer stands for a port: it is bounded, and when it is
 * full the peer with most entries gives one up.  What came from one peer never
 * goes to another, for to the lan they are one port: who wants all of them to
 * meet names each to each.
 *
 * Believed is who sends from a peer's address, whichever port that is (the
 * kernel's VXLAN spreads its flows over many).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lan/fdb.h"
#include "lan/unsummed.h"
#include "netdev/mmsg.h"
#include "netdev/netdev.h"
#include "os/sockaddr.h"
#include "wire/vxlan.h"

enum { VXLAN_MTU = 1500 };

struct remote {
	struct port stand; /* in the MAC table; on no lan */
	addr ip;
	struct sockaddr_storage to;
	socklen_t to_len;
	uint32_t whole; /* bytes of an IP packet that its way does not cut */
};

struct vxlan {
	struct mmsg mmsg;
	uint32_t vni;
	unsigned n;	   /* remotes, >= 1 */
	struct remote *remotes; /* owned; by address */
	unsigned last;	   /* who sent last */
	bool learns;	   /* fdb is there */
	struct fdb fdb;
	uint8_t hdr[VXLAN_HDR_LEN]; /* of each message */
};

static struct vxlan *vxlan_of(struct mmsg *m)
{
	return container_of(m, struct vxlan, mmsg);
}

/* ---- in ---- */

static int compare(const void *a, const void *b)
{
	const struct remote *x = a, *y = b;

	return memcmp(x->ip.b, y->ip.b, sizeof(x->ip.b));
}

static struct remote *find_remote(struct vxlan *v,
				  const struct sockaddr_storage *from)
{
	struct remote key, *found;
	struct endpoint ep;

	if (!sockaddr_to(from, &ep))
		return NULL;
	if (addr_eq(&v->remotes[v->last].ip, &ep.ip))
		return &v->remotes[v->last];
	key.ip = ep.ip;
	found = bsearch(&key, v->remotes, v->n, sizeof(key), compare);
	if (found)
		v->last = (unsigned)(found - v->remotes);
	return found;
}

static enum drop_reason check(const struct vxlan *v, unsigned i)
{
	struct rd r = rd_init(v->mmsg.in_iov[i].iov_base,
			      v->mmsg.in[i].msg_len);
	uint32_t vni;

	if (rd_left(&r) < VXLAN_HDR_LEN)
		return DROP_TUNNEL_SHORT;
	if (!vxlan_parse(&r, &vni))
		return DROP_TUNNEL_BAD;
	return vni == v->vni ? DROP_N : DROP_TUNNEL_ID;
}

/* The last frame of b came from r. */
static void learn(struct vxlan *v, const struct batch *b, struct remote *r)
{
	const mac from = mac_bytes(b->f[b->n - 1].hdr + MAC_LEN);
	struct port *before;

	/* One that moves to another peer is nothing special. */
	if (!mac_is_group(from))
		(void)fdb_learn(&v->fdb, from, &r->stand,
				*loop_now(v->mmsg.env->loop), &before);
}

static void vxlan_take(struct mmsg *m, struct batch *b, unsigned n)
{
	struct vxlan *v = vxlan_of(m);

	for (unsigned i = 0; i < n; i++) {
		struct remote *r = find_remote(v, &m->from[i]);
		enum drop_reason why = r ? check(v, i) : DROP_TUNNEL_PEER;
		unsigned before = b->n;

		if (why != DROP_N) {
			mmsg_rx_drop(m, why);
			continue;
		}
		mmsg_take(m, b, i, VXLAN_HDR_LEN);
		if (b->n == before)
			continue;
		if (v->learns)
			learn(v, b, r);
		if (!unsummed_mark(&b->f[b->n - 1], r->whole)) {
			mmsg_rx_drop(m, DROP_OFFLOAD_BAD);
			b->n--;
		}
	}
}

/* ---- out ---- */

/* The one whom f is for, NULL: all of them. */
static struct remote *remote_of(const struct vxlan *v, const struct frame *f)
{
	const mac to = mac_bytes(f->hdr);
	struct port *p;

	if (v->n == 1)
		return &v->remotes[0];
	if (!v->learns || mac_is_group(to))
		return NULL;
	p = fdb_find(&v->fdb, to);
	return p ? container_of(p, struct remote, stand) : NULL;
}

static bool put(const struct vxlan *v, struct mmsg_out *o,
		const struct batch *b, unsigned i, unsigned part)
{
	const struct remote *one = remote_of(v, &b->f[i]);
	const struct remote *r = one ? one : &v->remotes[part];
	const struct remote *end = one ? one + 1 : &v->remotes[v->n];

	for (; r < end; r++) {
		const struct mmsg_dest d = {.hdr = v->hdr,
					    .hdr_len = sizeof(v->hdr),
					    .to = &r->to,
					    .to_len = r->to_len};

		if (!mmsg_put(&v->mmsg, o, b, i, &d, r + 1 == end))
			return false;
	}
	return true;
}

static void vxlan_fill(struct mmsg *m, struct mmsg_out *o,
		       const struct batch *b, uint64_t mask)
{
	const struct vxlan *v = vxlan_of(m);
	unsigned part = o->part;

	for (; mask; mask &= mask - 1, part = 0) {
		if (!put(v, o, b, (unsigned)__builtin_ctzll(mask), part))
			return;
	}
}

/* ---- life ---- */

static void vxlan_close(struct port *p)
{
	struct vxlan *v = container_of(p, struct vxlan, mmsg.port);

	mmsg_close(&v->mmsg);
	for (unsigned i = 0; i < v->n && v->learns; i++)
		fdb_flush(&v->fdb, &v->remotes[i].stand);
	if (v->learns)
		fdb_deinit(&v->fdb);
	free(v->remotes);
	free(v);
}

static const struct mmsg_ops vxlan_mmsg_ops = {
	.take = vxlan_take,
	.fill = vxlan_fill,
};

static const struct port_ops vxlan_ops = {
	.kind = "vxlan",
	.recv = mmsg_recv,
	.done = mmsg_done,
	.send = mmsg_send,
	.want_room = mmsg_want_room,
	.close = vxlan_close,
};

/* How many of c's peers have smaller addresses than number i: its place.  (To
 * sort long lists, qsort() makes system calls that the engine may not make.) */
static unsigned place(const struct netdev_vxlan_config *c, unsigned i)
{
	unsigned n = 0;

	for (unsigned j = 0; j < c->n_remotes; j++)
		n += memcmp(c->remotes[j].b, c->remotes[i].b,
			    sizeof(c->remotes[i].b)) < 0;
	return n;
}

static int set_up(struct vxlan *v, const struct netdev_vxlan_config *c)
{
	struct wr w = wr_init(v->hdr, sizeof(v->hdr));

	vxlan_emit(&w, c->vni);
	v->vni = c->vni;
	v->remotes = calloc(c->n_remotes, sizeof(*v->remotes));
	if (!v->remotes)
		return -ENOMEM;
	v->n = c->n_remotes;
	for (unsigned i = 0; i < v->n; i++) {
		struct remote *r = &v->remotes[place(c, i)];
		const struct endpoint ep = {c->remotes[i], c->port};

		r->ip = ep.ip;
		r->whole = c->mtus && c->mtus[i] ? c->mtus[i] : VXLAN_MTU;
		r->to_len = sockaddr_from(&ep, &r->to);
	}
	for (unsigned i = 0; i < v->n; i++) {
		fdb_port_init(&v->remotes[i].stand);
		v->remotes[i].stand.serial = i + 1;
	}
	if (!c->learns || v->n == 1)
		return 0;
	if (fdb_init(&v->fdb, LAN_FDB_MAX, c->age_ns,
		     loop_wheel(v->mmsg.env->loop)) < 0)
		return -ENOMEM;
	v->learns = true;
	return 0;
}

int netdev_vxlan_new(const struct netdev_env *env,
		     const struct netdev_vxlan_config *c, struct port **portp)
{
	struct vxlan *v;
	int r;

	if (!c->n_remotes || c->vni > VXLAN_VNI_MAX)
		return -EINVAL;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	mmsg_init(&v->mmsg, env, c->name, c->id);
	v->mmsg.ops = &vxlan_mmsg_ops;
	v->mmsg.keeps_from = true;
	v->mmsg.port.ops = &vxlan_ops;
	v->mmsg.port.caps.is_uplink = true;
	v->mmsg.port.caps.max_frame =
		(addr_is_v4(&c->remotes[0]) ? UDP4_MAX : UDP6_MAX) -
		VXLAN_HDR_LEN;
	r = set_up(v, c);
	if (r == 0)
		r = mmsg_open(&v->mmsg, c->fd, -1);
	if (r < 0) {
		vxlan_close(&v->mmsg.port);
		return r;
	}
	*portp = &v->mmsg.port;
	return 0;
}
