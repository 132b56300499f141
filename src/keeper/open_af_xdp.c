/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opener of af-xdp: the program stays with the keeper as long as the netdev,
 * and each engine gets sockets of its own, for a socket is bound once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/uplink_opts.h"
#include "keeper/keeper_priv.h"
#include "os/xsk.h"

enum {
	PATIENCE_MS = 5000, /* somebody waits for the answer */
	PATIENCE_AGAIN_MS = 60000,
};

struct plan_af_xdp {
	struct xsk_opts opts; /* its strings are the spec's */
	struct xsk xsk;
	bool is_given; /* the sockets are another's: there are no others */
};

static int opts_of(const struct plan_netdev *n, struct xsk_opts *o,
		   struct error *e)
{
	const char *mode = spec_str(n->spec, "mode");
	int queues = spec_int(n->spec, "queues");

	_Static_assert(XSK_QUEUES_MAX + 3 <= ENGINE_FDS_MAX,
		       "memory, watch and link go with them");
	if (queues > XSK_QUEUES_MAX)
		return error_set(e, EXIT_USAGE,
				 "af-xdp: queues=%d: at most %d queues are "
				 "built",
				 queues, XSK_QUEUES_MAX);
	*o = (struct xsk_opts){
		.ifname = spec_str(n->spec, "ifname"),
		.n_queues = (unsigned)queues,
		.first_queue = (unsigned)spec_int(n->spec, "start-queue"),
		.inhibit = spec_bool(n->spec, "inhibit"),
		.map_path = spec_str(n->spec, "map-path"),
		.map_index = (unsigned)spec_int(n->spec, "map-start-index"),
	};
	if (mode)
		o->mode = strcmp(mode, "skb") == 0 ? XSK_MODE_SKB
						   : XSK_MODE_NATIVE;
	return 0;
}

/* A copy for the engine; its place in the message is told by n_fds. */
static int add_copy(struct plan_netdev *n, int fd, struct error *e)
{
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (fd >= 0 && copy < 0)
		return error_errno(e, errno, "af-xdp: descriptors");
	if (copy >= 0)
		n->fds[n->n_fds++] = copy;
	return 0;
}

static void close_fds(struct plan_netdev *n)
{
	while (n->n_fds)
		fd_close(&n->fds[--n->n_fds]);
}

/* All that one engine gets; given: sockets of sock-fds=, or NULL. */
static int make_fds(struct plan_netdev *n, const int *given, struct error *e)
{
	const struct plan_af_xdp *a = n->af_xdp;
	struct xsk_sockets s;
	int r = xsk_sockets_make(&a->opts, &a->xsk, given, &s, e);

	if (r < 0)
		return r;
	n->fds[n->n_fds++] = fd_steal(&s.umem);
	for (unsigned i = 0; i < s.n; i++)
		n->fds[n->n_fds++] = fd_steal(&s.fds[i]);
	r = add_copy(n, a->xsk.watch, e);
	if (r == 0)
		r = add_copy(n, a->xsk.link, e);
	if (r < 0)
		close_fds(n);
	return r;
}

static void fill_order(struct plan_netdev *n)
{
	struct msg_af_xdp_add *m = &n->order.af_xdp_add;
	const struct plan_af_xdp *a = n->af_xdp;

	m->port = n->id;
	m->lan = n->lan;
	m->ifindex = a->xsk.ifindex;
	m->first_queue = a->opts.first_queue;
	m->n_queues = a->opts.n_queues;
	/* A program that runs on the kernel's copies has nothing else. */
	m->copies = spec_bool(n->spec, "force-copy") || a->xsk.is_skb;
	m->has_watch = a->xsk.watch >= 0;
	m->has_link = a->xsk.link >= 0;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_AF_XDP_ADD;
}

int open_af_xdp(struct plan_netdev *n, struct error *e)
{
	int given[XSK_QUEUES_MAX];
	struct plan_af_xdp *a;
	struct xsk_opts o;
	int r = opts_of(n, &o, e);

	if (r < 0)
		return r;
	a = calloc(1, sizeof(*a));
	if (!a)
		return error_errno(e, ENOMEM, "af-xdp");
	a->xsk = XSK_NULL;
	n->af_xdp = a;
	a->opts = o;
	a->is_given = spec_fds(n->spec, "sock-fds", given, XSK_QUEUES_MAX) > 0;
	r = xsk_open(&a->opts, &a->xsk, e);
	if (r == 0)
		r = make_fds(n, a->is_given ? given : NULL, e);
	if (r < 0) {
		af_xdp_free(n);
		return r;
	}
	if (!a->is_given) { /* those are of this interface for good */
		n->lower = a->opts.ifname;
		n->lower_index = a->xsk.ifindex;
	}
	fill_order(n);
	n->gives_fds = true;
	return 0;
}

void af_xdp_say(const struct plan_netdev *n, struct log *log)
{
	const struct plan_af_xdp *a = n->af_xdp;

	if (a)
		log_info(log, "%s: interface %s, %s mode", n->name,
			 a->opts.ifname, a->xsk.is_skb ? "skb" : "native");
}

/* A queue may still have the socket of an engine that was killed, or ended just
 * now, for a moment that is long on a busy host. */
static uint32_t patience_ms(const struct keeper *k)
{
	bool is_again = k->is_ready || (k->c->network && k->c->network->state);

	return is_again ? PATIENCE_AGAIN_MS : PATIENCE_MS;
}

bool af_xdp_start(struct keeper *k, struct plan_netdev *n)
{
	struct error e = ERROR_NULL;

	if (!n->af_xdp)
		return true;
	n->order.af_xdp_add.patience_ms = patience_ms(k);
	/* Later nobody asks why, and the others have no wait. */
	n->order.af_xdp_add.is_awaited = !k->is_ready;
	if (n->n_fds)
		return true; /* the first engine, or another interface */
	if (n->af_xdp->is_given)
		error_set(&e, EXIT_FAILED,
			  "the sockets of sock-fds= went with the engine");
	else if (make_fds(n, NULL, &e) == 0)
		return true;
	log_warn(n->log, "%s: %s", n->name, e.text);
	return false;
}

bool af_xdp_refused(struct keeper *k, struct plan_netdev *n, int err)
{
	struct error e = ERROR_NULL;

	if (!n->af_xdp)
		return true; /* it has no sockets any more */
	xsk_refused(&n->af_xdp->opts, err, &e);
	if (regain_refused(k, n, e.text))
		return true;
	error_set(&k->error, e.code, "%s", e.text);
	return false;
}

void af_xdp_free(struct plan_netdev *n)
{
	if (n->af_xdp)
		xsk_close(&n->af_xdp->xsk);
	free(n->af_xdp);
	n->af_xdp = NULL;
}
