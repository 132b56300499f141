/* SPDX-License-Identifier: BSD-3-Clause */
/* What a lan tells its observer, see tap.h: the slow side of lan.c, lend.c and
 * hold.c. */
#include "lan/tap.h"

#include <assert.h>

#include "lan/lan_priv.h"

void lan_tap_set(struct lan *lan, const struct lan_tap *tap)
{
	assert(lan->busy == 0 && !lan->lend_open);
	lan->tap = tap;
	if (tap)
		return;
	list_each(it, &lan->ports)
		lan_tap_port(container_of(it, struct port, link_all), 0);
}

void lan_tap_port(struct port *p, uint8_t tap)
{
	bool is_news = p->tap != tap;

	p->tap = tap;
	if (p->lan && is_news)
		lan_port_news(p);
}

bool lan_tap_wants(const struct port *p)
{
	const struct lan *lan = p->lan;

	return lan->tap && (p->tap || (lan->tapped && lan->tapped->from->tap));
}

void lan_tap_lost(struct port *p, const struct batch *b, unsigned i,
		  enum drop_reason why)
{
	tap_lost(p->lan, p, true, b, UINT64_C(1) << i, why);
}

void tap_out(struct port *exit, const struct batch *b, uint64_t mask)
{
	const struct lan_tap *tap = exit->lan->tap;

	if (tap && mask)
		tap->out(tap->arg, exit, b, mask);
}

void tap_lost(struct lan *lan, struct port *at, bool is_exit,
	      const struct batch *b, uint64_t mask, enum drop_reason why)
{
	const struct lan_tap *tap = lan->tap;

	if (tap && mask)
		tap->lost(tap->arg, lan->tapped, at, is_exit, b, mask, why);
}

void tap_lost_frame(struct port *exit, const struct frame *f,
		    enum drop_reason why)
{
	struct lan *lan = exit->lan;
	struct tap_batch *outer = lan->tapped;
	struct batch b;

	if (!lan->tap)
		return;
	b.n = 1; /* the array is filled as far as it is used */
	b.f[0] = *f;
	lan->tapped = NULL;
	lan->tap->begin(lan->tap->arg);
	tap_lost(lan, exit, true, &b, 1, why);
	lan->tap->end(lan->tap->arg);
	lan->tapped = outer;
}

void tap_lent(struct port *p, const struct lend *l, bool is_out)
{
	const struct lan_tap *tap = p->lan->tap;
	struct tap_batch t;
	struct batch b;

	if (!p->tap || l->n_used == 0)
		return;
	b.n = l->n_used;
	for (unsigned i = 0; i < l->n_used; i++) {
		const struct lend_frame *f = &l->f[i];

		/* No consumer of these reads hdr. */
		b.f[i] = (struct frame){.iov = f->iov,
					.n_iov = f->n_iov,
					.len = f->len,
					.off = f->off};
	}
	t.from = p;
	tap->begin(tap->arg);
	if (is_out)
		tap->out(tap->arg, p, &b, batch_mask(&b));
	else
		tap->in(tap->arg, p, &b, &t);
	tap->end(tap->arg);
}
