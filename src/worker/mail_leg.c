/* SPDX-License-Identifier: BSD-3-Clause */
/* A leg without a queue; see mail_leg.h.  On the lane's thread. */
#include "worker/mail_leg.h"

#include <stdlib.h>

#include "lan/lan.h"
#include "lan/tap.h"
#include "worker/lanes.h"

struct mail_leg {
	struct port port; /* first */
	uint32_t net;
	struct mail *to; /* borrowed */
};

static struct mail_leg *leg_of(struct port *p)
{
	return (struct mail_leg *)(void *)p;
}

static unsigned leg_recv(struct port *p, struct batch *b)
{
	(void)p;
	return b->n = 0;
}

static void leg_done(struct port *p, struct batch *b)
{
	(void)p;
	(void)b;
}

/* The lan counts what is sent here as sent; it is, where the queue is, and only
 * that number is shown. */
static uint64_t leg_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct mail_leg *g = leg_of(p);
	struct mail_cell c = {
		.kind = LANES_SEND,
		.who = lan_ingress(p->lan),
		.id = {g->net, p->serial, lan_ingress(p->lan)},
	};
	uint64_t went = mail_frames(g->to, &c, b, mask);

	uint64_t lost = mask & ~went;

	p->stats.tx_drops += (unsigned)__builtin_popcountll(lost);
	if (lost && lan_tap_wants(p)) {
		for (uint64_t m = lost; m; m &= m - 1)
			lan_tap_lost(p, b, (unsigned)__builtin_ctzll(m),
				     DROP_MAIL_FULL);
	}
	return mask;
}

static void leg_close(struct port *p)
{
	free(leg_of(p));
}

static const struct port_ops leg_ops = {
	.kind = "mail",
	.recv = leg_recv,
	.done = leg_done,
	.send = leg_send,
	.close = leg_close,
};

struct port *mail_leg_new(uint32_t net)
{
	struct mail_leg *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->net = net;
	g->port.ops = &leg_ops;
	return &g->port;
}

void mail_leg_aim(struct port *leg, struct mail *to)
{
	leg_of(leg)->to = to;
}
