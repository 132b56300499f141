/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lend and give: the gateway fills the buffers of the exit in place, or
 * scratch of the lan where there are none.  Called on the worker's thread.
 *
 * Scratch is a stack of areas, for a lend may be opened while another one's
 * give is carried (two gateways on joined lans answering each other).  Frames
 * lie close together in it, so that a batch of ordinary size stays in cache.
 */
#include <assert.h>

#include "lan/gso.h"
#include "lan/lan_priv.h"

/* True if exit can lend what l wants.  A hub never does: its frames are for
 * everybody. */
static bool can_lend(const struct port *exit, const struct lend *l)
{
	const uint32_t any_gso = PORT_O_TSO4 | PORT_O_TSO6 | PORT_O_USO4 |
				 PORT_O_USO6;

	if (!exit->ops->lend)
		return false;
	if (exit->caps.offload & any_gso)
		return true;
	for (unsigned i = 0; i < l->n; i++)
		if (l->f[i].want > exit->caps.max_frame)
			return false;
	return true;
}

static unsigned lend_scratch(struct lan *lan, struct lend *l)
{
	uint8_t *p = slab_alloc_raw(&lan->scratch);

	assert(p && lan->n_lent < LAN_SCRATCH_MAX);
	lan->lent[lan->n_lent++] = p;
	for (unsigned i = 0; i < l->n; i++) {
		struct lend_frame *f = &l->f[i];

		assert(f->want <= FRAME_MAX);
		l->iov[i] = (struct iovec){.iov_base = p, .iov_len = f->want};
		f->iov = &l->iov[i];
		f->n_iov = 1;
		p += (f->want + LAN_SCRATCH_ALIGN - 1) &
		     ~(uint32_t)(LAN_SCRATCH_ALIGN - 1);
	}
	l->port = NULL;
	l->n_iov = l->n;
	lan->lend_open = true;
	return l->n;
}

unsigned lan_lend(struct port *from, mac dst, struct lend *l)
{
	struct lan *lan = from->lan;
	struct port *exit = lan_exit(lan, dst);
	unsigned n = l->n;

	assert(!lan->lend_open && n <= FRAME_BATCH);
	l->n_used = 0;
	l->n_iov = 0;
	if (n == 0)
		return 0;
	if (!exit || exit == from || !port_is_up(exit) ||
	    (lan->lane && !lane_may_lend(from, exit)))
		return lend_scratch(lan, l);
	if (port_can_refuse(exit) && exit->wants_room) {
		lan_wait(from, exit);
		return l->n = 0;
	}
	if (!can_lend(exit, l))
		return lend_scratch(lan, l);
	lan->busy++;
	(void)exit->ops->lend(exit, l); /* the number is l->n, too */
	lan->busy--;
	if (l->n > 0) {
		assert(l->n <= n && l->n_iov <= LEND_IOV_MAX);
		l->port = exit;
		exit->lent = true;
		lan->lend_open = true;
		return l->n;
	}
	if (port_is_up(exit) && port_can_refuse(exit)) {
		lan_wait(from, exit);
		return l->n = 0;
	}
	l->n = n;
	return lend_scratch(lan, l);
}

static unsigned give_direct(struct port *from, struct lend *l)
{
	struct port *exit = l->port;
	uint64_t bytes = 0;

	exit->lent = false;
	if (from->lan->tap)
		tap_lent(from, l, false);
	for (unsigned i = 0; i < l->n_used; i++) {
		struct lend_frame *f = &l->f[i];
		uint32_t cannot = gso_need(&f->off) & ~exit->caps.offload;

		assert(f->len >= FRAME_ETH_LEN && f->len <= f->want);
		assert(!(cannot & ~(uint32_t)PORT_O_CSUM));
		if (cannot)
			gso_csum_in_place(f);
		if (exit->alias_use & ALIAS_USE_SWAP)
			alias_lent(exit, f);
		bytes += f->len;
	}
	if (from->lan->tap)
		tap_lent(exit, l, true);
	from->lan->busy++;
	exit->ops->give(exit, l);
	from->lan->busy--;
	from->stats.rx_frames += l->n_used;
	from->stats.rx_bytes += bytes;
	exit->stats.tx_frames += l->n_used;
	exit->stats.tx_bytes += bytes;
	if (l->n_used > 0)
		fdb_touch(&from->lan->fdb, from, *from->lan->now_ns);
	return l->n_used;
}

static unsigned give_scratch(struct port *from, struct lend *l)
{
	struct lan *lan = from->lan;
	uint64_t back = 0;
	struct batch b;

	b.n = l->n_used; /* the array is filled as far as it is used */
	for (unsigned i = 0; i < l->n_used; i++) {
		struct lend_frame *f = &l->f[i];

		assert(f->len <= f->want);
		b.f[i] = frame_flat(f->iov[0].iov_base, f->len);
		b.f[i].off = f->off;
	}
	if (b.n > 0)
		back = lan_input(from, &b, true);
	slab_free(&lan->scratch, lan->lent[--lan->n_lent]);
	return back ? (unsigned)__builtin_ctzll(back) : l->n_used;
}

unsigned lan_give(struct port *from, mac dst, struct lend *l)
{
	struct lan *lan = from->lan;

	(void)dst; /* the frames' own headers say it again */
	assert(lan->lend_open && l->n_used <= l->n);
	lan->lend_open = false;
	return l->port ? give_direct(from, l) : give_scratch(from, l);
}

void lend_put(struct lend_frame *f, uint32_t off, const void *p, uint32_t len)
{
	const uint8_t *from = p;

	assert(off <= f->want && len <= f->want - off);
	for (unsigned i = 0; len > 0 && i < f->n_iov; i++) {
		const struct iovec *v = &f->iov[i];
		uint32_t n;

		if (off >= v->iov_len) {
			off -= (uint32_t)v->iov_len;
			continue;
		}
		n = (uint32_t)v->iov_len - off;
		if (n > len)
			n = len;
		memcpy((uint8_t *)v->iov_base + off, from, n);
		from += n;
		len -= n;
		off = 0;
	}
	assert(len == 0);
}
