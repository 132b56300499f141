/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `hubport`: a cable between two lans of this process (reference
 * 1.8).  Two ports, one on each lan; what is sent to one comes in by the other.
 *
 * Called by the lans; one worker's thread, which owns both lans.  Frames cross
 * as views: no byte is copied, offload requests are passed on as they are.
 * What an exit of the far lan has no room for is counted there, as PORT_FULL:
 * a flooded frame cannot be taken back, so the cable never refuses.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "netdev/netdev.h"

struct hubport;

struct hub_end {
	struct port port;
	struct hubport *cable;
	struct hub_end *far; /* NULL when the other end was closed */
	bool busy;	     /* a batch is on its way from here; an answer may
			      * come back meanwhile */
};

struct hubport {
	struct hub_end end[2];
	struct drops *drops; /* borrowed */
	unsigned n_open;     /* ends not closed */
};

static struct hub_end *end_of(struct port *p)
{
	return container_of(p, struct hub_end, port);
}

static unsigned hub_recv(struct port *p, struct batch *b)
{
	(void)p; /* frames come in by lan_input() from the far end's send */
	b->n = 0;
	return 0;
}

static void hub_done(struct port *p, struct batch *b)
{
	(void)p;
	(void)b;
}

static void hub_drop(struct hub_end *e, enum drop_reason why, uint64_t mask)
{
	unsigned n = (unsigned)__builtin_popcountll(mask);

	drop_n(e->cable->drops, why, n);
	e->port.stats.tx_drops += n;
}

static uint64_t hub_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct hub_end *e = end_of(p);
	struct batch view;

	if (!e->far || !e->far->port.lan || !port_is_up(&e->far->port)) {
		hub_drop(e, DROP_LINK_DOWN, mask);
		return mask;
	}
	if (e->busy) { /* a ring of cables: the frame has been here */
		hub_drop(e, DROP_HAIRPIN, mask);
		return mask;
	}
	view.n = 0;
	for (uint64_t m = mask; m; m &= m - 1) {
		const struct frame *f = &b->f[__builtin_ctzll(m)];

		if (f->len > FRAME_MAX)
			hub_drop(e, DROP_FRAME_LONG, 1);
		else
			view.f[view.n++] = *f;
	}
	e->busy = true;
	(void)lan_input(&e->far->port, &view, false); /* losses are counted */
	e->busy = false;
	return mask;
}

/* The cable is pulled at this end: the other end sees no carrier. */
static void hub_link(struct port *p, bool up)
{
	struct hub_end *e = end_of(p);

	if (e->far && e->far->port.lan)
		lan_port_link(&e->far->port, up);
}

static void hub_close(struct port *p)
{
	struct hub_end *e = end_of(p);
	struct hubport *c = e->cable;

	if (e->far) {
		e->far->far = NULL;
		if (e->far->port.lan)
			lan_port_link(&e->far->port, false);
	}
	e->far = NULL;
	if (--c->n_open == 0)
		free(c);
}

static const struct port_ops hub_ops = {
	.kind = "hubport",
	.recv = hub_recv,
	.done = hub_done,
	.send = hub_send,
	.link = hub_link,
	.close = hub_close,
};

static void hub_end_init(struct hubport *c, unsigned i,
			 const struct netdev_hubport_config *conf)
{
	struct hub_end *e = &c->end[i];

	*e = (struct hub_end){
		.port = {.ops = &hub_ops,
			 .caps = {.offload = PORT_O_ALL,
				  .max_frame = FRAME_MAX,
				  .queues = 1,
				  .lossy = true,
				  .is_uplink = true},
			 .id = conf->id},
		.cable = c,
		.far = &c->end[!i],
	};
	snprintf(e->port.name, sizeof(e->port.name), "%s", conf->name);
}

int netdev_hubport_new(const struct netdev_env *env,
		       const struct netdev_hubport_config *conf,
		       struct port **ap, struct port **bp)
{
	struct hubport *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->drops = env->drops;
	c->n_open = 2;
	hub_end_init(c, 0, conf);
	hub_end_init(c, 1, conf);
	lan_port_add(conf->a, &c->end[0].port);
	lan_port_add(conf->b, &c->end[1].port);
	lan_port_link(&c->end[0].port, true);
	lan_port_link(&c->end[1].port, true);
	*ap = &c->end[0].port;
	*bp = &c->end[1].port;
	return 0;
}
