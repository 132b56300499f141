/* SPDX-License-Identifier: BSD-3-Clause */
/* Forwards and their sockets; see forwards.h. */
#include "keeper/forwards.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "keeper/machine.h"
#include "keeper/state.h"
#include "os/holder.h"
#include "os/sock.h"

/* ---- who is in the way ---- */

static bool is_unix(const struct plan_forward *pf)
{
	return pf->unix_path[0];
}

/* Whoever has all addresses of a family has each. */
static bool is_in_the_way(const struct plan_forward *pf,
			  const struct plan_forward *want)
{
	const addr *a = &pf->host.ip, *b = &want->host.ip;

	if (pf->fd < 0 || is_unix(pf) != is_unix(want))
		return false;
	if (is_unix(pf))
		return strcmp(pf->unix_path, want->unix_path) == 0;
	return pf->proto == want->proto && pf->host.port == want->host.port &&
	       addr_is_v4(a) == addr_is_v4(b) &&
	       (addr_eq(a, b) || addr_is_unspecified(a) ||
		addr_is_unspecified(b));
}

/* Of this network's; NULL: none. */
static const struct plan_forward *holder_of(const struct plan *p,
					    const struct plan_forward *want)
{
	list_each (it, &p->netdevs) {
		const struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		for (unsigned i = 0; i < n->n_forwards; i++) {
			if (is_in_the_way(&n->forwards[i], want))
				return &n->forwards[i];
		}
	}
	return NULL;
}

static int refuse_held(const struct plan_forward *held,
		       const struct plan_forward *want, struct error *e)
{
	const struct machine *m = held->of->machine;
	char where[ENDPOINT_STRLEN], guest[ENDPOINT_STRLEN];

	return error_set(e, EXIT_CONFLICT,
			 "cannot forward %s%s: forward %u of this network has "
			 "it, to %s%s%s; remove that (vmlan fwd .. rm %u) or "
			 "choose another port",
			 is_unix(want)                ? "unix:"
			 : want->proto == IPPROTO_UDP ? "udp "
						      : "tcp ",
			 is_unix(want) ? want->unix_path
				       : endpoint_format(&want->host, where),
			 held->of->id, m ? m->name : "", m ? ", " : "",
			 endpoint_format(&held->guest, guest), held->of->id);
}

/* ---- sockets ---- */

/* A UDP port that was ours until just now may be the engine's for a moment
 * more.  Who else has it since is left alone, though he may share it. */
static bool was_ours(const struct plan *p, const struct plan_forward *pf)
{
	unsigned long holder;
	bool found;

	if (pf->proto != IPPROTO_UDP)
		return false;
	holder = holder_socket(pf->proto, &pf->host);
	found = !holder; /* it has just closed it */
	for (unsigned i = 0; i < PLAN_RETIRED_MAX; i++)
		found |= p->retired[i] == holder;
	return found;
}

static void remember(struct plan *p, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		p->retired[p->n_retired++ % PLAN_RETIRED_MAX] = st.st_ino;
}

static int listen_inet(struct plan_forward *pf, const struct plan *p,
		       struct error *e)
{
	struct error why = ERROR_NULL;

	pf->fd = sock_listen_forward(pf->proto, &pf->host, &why);
	if (pf->fd < 0 && why.code == EXIT_CONFLICT && was_ours(p, pf))
		pf->fd = sock_listen_again(&pf->host);
	if (pf->fd < 0)
		error_set(e, why.code, "%s", why.text);
	return pf->fd;
}

static int listen_at(struct plan_forward *pf, const struct plan *p,
		     struct error *e)
{
	const struct plan_forward *held =
		pf->host.port || is_unix(pf) ? holder_of(p, pf) : NULL;

	if (held)
		return refuse_held(held, pf, e);
	if (!is_unix(pf))
		return listen_inet(pf, p, e) < 0 ? pf->fd : 0;
	pf->fd = sock_listen_unix(pf->unix_path, false, false, e);
	if (pf->fd >= 0)
		sock_file_of(pf->unix_path, &pf->file);
	return pf->fd < 0 ? pf->fd : 0;
}

/* By the port that this forward, which asks for any, had with another keeper,
 * if nobody else has that now. */
static void listen_again(struct plan_forward *pf, const struct forward *f)
{
	struct plan_netdev *n = f->netdev;
	struct error e = ERROR_NULL;

	pf->host.port = f->drawn;
	if (listen_at(pf, n->plan, &e) == 0)
		return;
	pf->host.port = 0;
	log_warn(n->log,
		 "%s: its port of before cannot be forwarded again, it gets "
		 "another: %s",
		 f->machine ? f->machine->name : n->name, e.text);
}

/* A place in the array, free or new. */
static int find_place(struct plan_netdev *n, uint32_t *ip)
{
	struct plan_forward *more;

	for (*ip = 0; *ip < n->n_forwards; (*ip)++) {
		if (n->forwards[*ip].fd < 0)
			return 0;
	}
	more = reallocarray(n->forwards, n->n_forwards + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	n->forwards = more;
	more[n->n_forwards++] = (struct plan_forward){.fd = -1};
	return 0;
}

/* Takes the descriptor. */
static int keep(struct plan_netdev *n, struct plan_forward *pf, struct error *e)
{
	uint32_t i;

	if (find_place(n, &i) < 0) {
		fd_close(&pf->fd);
		return error_errno(e, ENOMEM, "%s", n->name);
	}
	pf->serial = ++n->plan->last_serial;
	n->forwards[i] = *pf;
	return 0;
}

/* The same port of ::1 beside 127.0.0.1, or of [::] beside 0.0.0.0.  Where the
 * host has none, or somebody else has a port that was drawn, there is none. */
static int open_second(struct forward *f, const struct plan_forward *first,
		       struct error *e)
{
	struct plan_forward pf = *first;
	struct error busy = ERROR_NULL;
	bool is_drawn = !f->rule.host_lo;

	pf.fd = -1;
	pf.host.ip = (addr){{[15] = !addr_is_unspecified(&pf.host.ip)}};
	if (!sock_has_address(&pf.host.ip))
		return 0;
	if (listen_at(&pf, f->netdev->plan, is_drawn ? &busy : e) == 0)
		return keep(f->netdev, &pf, e);
	if (!is_drawn)
		return -EADDRINUSE;
	log_warn(f->netdev->log, "%s: %s", f->netdev->name, busy.text);
	return 0;
}

/* The host's port that is offset above the first. */
static int open_port(struct forward *f, uint16_t offset, struct error *e)
{
	const struct port_rule *r = &f->rule;
	struct plan_netdev *n = f->netdev;
	struct plan_forward pf = {
		.of = f,
		.proto = r->proto,
		.host = {.ip = r->host_ip,
			 .port = (uint16_t)(r->host_lo + offset)},
		.guest = {.ip = f->guest_ip,
			  .port = (uint16_t)(r->guest_lo + offset)},
		.fd = -1,
	};
	bool is_drawn = !r->host_lo && !r->unix_path[0];
	int rc = 0;

	memcpy(pf.unix_path, r->unix_path, sizeof(pf.unix_path));
	if (is_drawn && f->drawn)
		listen_again(&pf, f);
	if (pf.fd < 0)
		rc = listen_at(&pf, n->plan, e);
	if (rc == 0)
		rc = keep(n, &pf, e);
	if (rc < 0)
		return rc;
	f->drawn = is_drawn ? pf.host.port : 0;
	return r->is_localhost || r->has_both ? open_second(f, &pf, e) : 0;
}

/* The engine, which was told, may have it open for a moment more. */
static void close_port(struct plan *p, struct plan_forward *pf)
{
	if (is_unix(pf))
		sock_file_remove(pf->unix_path, &pf->file);
	else
		sock_retire_forward(pf->fd, pf->proto);
	if (!is_unix(pf) && pf->proto == IPPROTO_UDP)
		remember(p, pf->fd);
	fd_close(&pf->fd);
}

static void close_ports(struct forward *f)
{
	struct plan_netdev *n = f->netdev;

	for (unsigned i = 0; i < n->n_forwards; i++) {
		struct plan_forward *pf = &n->forwards[i];

		if (pf->of != f || pf->fd < 0)
			continue;
		close_port(n->plan, pf);
		*pf = (struct plan_forward){.fd = -1};
	}
}

/* ---- forwards ---- */

static void put_in_order(struct plan *p, struct forward *f)
{
	struct list *before = &p->forwards;

	list_each (it, &p->forwards) {
		if (container_of(it, struct forward, link)->id > f->id)
			break;
		before = it;
	}
	list_add_head(before, &f->link);
}

static struct forward *forward_make(struct plan_netdev *n,
				    const struct forward *model)
{
	struct forward *f = malloc(sizeof(*f));
	struct plan *p = n->plan;

	if (!f)
		return NULL;
	*f = *model;
	list_init(&f->link);
	f->netdev = n;
	f->local = model->local ? strdup(model->local) : NULL;
	if (model->local && !f->local) {
		free(f);
		return NULL;
	}
	if (!f->id)
		f->id = p->last_forward + 1;
	if (f->id > p->last_forward)
		p->last_forward = f->id;
	put_in_order(p, f);
	return f;
}

int forward_open(struct plan_netdev *n, const struct forward *model,
		 struct forward **fp, struct error *e)
{
	uint32_t last = n->plan->last_forward;
	struct forward *f = forward_make(n, model);
	unsigned n_ports = 1u + model->rule.host_hi - model->rule.host_lo;
	int r = 0;

	if (!f)
		return error_errno(e, ENOMEM, "%s", n->name);
	for (unsigned i = 0; i < n_ports && r == 0 && !f->is_removed; i++)
		r = open_port(f, (uint16_t)i, e);
	if (r < 0) {
		forward_close(f);
		n->plan->last_forward = last; /* nobody was told of it */
		return r;
	}
	*fp = f;
	return 0;
}

void forward_close(struct forward *f)
{
	close_ports(f);
	list_del(&f->link);
	free(f->local);
	free(f);
}

void forward_retire(struct forward *f)
{
	close_ports(f);
	f->is_removed = true;
}

unsigned forward_n_ports(const struct forward *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->netdev->n_forwards; i++) {
		const struct plan_forward *pf = &f->netdev->forwards[i];

		n += pf->fd >= 0 && pf->of == f;
	}
	return n;
}

struct forward *forward_find(struct plan *p, uint32_t id)
{
	list_each (it, &p->forwards) {
		struct forward *f = container_of(it, struct forward, link);

		if (f->id == id && !f->is_removed)
			return f;
	}
	return NULL;
}

/* ---- the engine ---- */

void forward_tell(struct keeper *k, const struct forward *f)
{
	for (unsigned i = 0; i < f->netdev->n_forwards; i++) {
		const struct plan_forward *pf = &f->netdev->forwards[i];

		if (pf->fd >= 0 && pf->of == f)
			engine_link_forward_add(k, f->netdev, i);
	}
}

void forward_untell(struct keeper *k, const struct forward *f)
{
	for (unsigned i = 0; i < f->netdev->n_forwards; i++) {
		const struct plan_forward *pf = &f->netdev->forwards[i];

		if (pf->fd >= 0 && pf->of == f)
			engine_link_forward_del(k, f->netdev, i);
	}
}

bool forward_refused(struct keeper *k, struct plan_netdev *n, uint32_t serial,
		     const char *why)
{
	struct forward *f = NULL;

	for (unsigned i = 0; i < n->n_forwards; i++) {
		if (n->forwards[i].fd >= 0 && n->forwards[i].serial == serial)
			f = n->forwards[i].of;
	}
	if (!f)
		return true; /* it is gone already */
	if (f->origin == FORWARD_OF_NETDEV)
		return false;
	log_error(k->c->log, "engine refused forward %u%s%s: %s", f->id,
		  f->machine ? ", to " : "", f->machine ? f->machine->name : "",
		  why);
	forward_untell(k, f); /* all of it goes */
	forward_say(k, EVENT_FORWARD_REMOVED, f);
	forward_close(f);
	router_forward(&k->plan);
	state_save_rarely(k); /* they may come by the thousand */
	return true;
}
