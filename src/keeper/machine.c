/* SPDX-License-Identifier: BSD-3-Clause */
/* Machines that come and go; see machine.h. */
#include "keeper/machine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "grammar/nic.h"
#include "keeper/cable.h"
#include "keeper/cloud.h"
#include "keeper/forwards.h"
#include "grammar/port_spec.h"
#include "keeper/leases.h"
#include "keeper/state.h"
#include "os/proc.h"

/* As long as a machine may take to find a new engine. */
#define LONELY_NS UINT64_C(2000000000)

struct machine *machine_find(struct keeper *k, const char *name)
{
	list_each(it, &k->machines) {
		struct machine *m = container_of(it, struct machine, link);

		if (strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

/* ---- its end ---- */

static void close_forwards(struct machine *m)
{
	bool had_some = false;

	list_each_safe(it, &m->keeper->plan.forwards) {
		struct forward *f = container_of(it, struct forward, link);

		if (f->machine != m)
			continue;
		forward_untell(m->keeper, f);
		if (!list_empty(&m->link))
			forward_say(m->keeper, EVENT_FORWARD_REMOVED, f);
		forward_close(f);
		had_some = true;
	}
	if (had_some)
		router_forward(&m->keeper->plan);
}

void machine_detach(struct machine *m)
{
	struct keeper *k = m->keeper;

	log_debug(k->c->log, "%s: unplugged", m->name);
	close_forwards(m);
	cloud_remove(m);
	engine_link_keep(k, &m->ip, (mac){0});
	if (m->netns && m->netdev) /* a program that has ended */
		leases_forget(k->leases, m->mac);
	if (m->netdev) {
		client_stop(k, m->netdev);
		engine_link_del(k, m->netdev);
		m->netdev->unlink_path[0] = '\0'; /* not asked whose it is */
		plan_remove(m->netdev);
		if (m->socket[0])
			unlink(m->socket);
	}
	timer_disarm(loop_wheel(k->loop), &m->lonely);
	cable_stop(m);
	if (m->life.fd >= 0) {
		loop_del(k->loop, &m->life);
		fd_close(&m->life.fd);
	}
	netdev_spec_free(m->spec);
	attach_request_deinit(&m->request);
	if (!list_empty(&m->link)) {
		k->n_machines--;
		list_del(&m->link);
		event_say(k, EVENT_MACHINE_DETACHED, "{s:s}", "machine",
			  m->name);
		state_save(k);
	}
	free(m);
}

/* A card in a namespace has no peer that could be gone. */
static bool has_peer(const struct machine *m)
{
	return !m->netns &&
	       (m->netdev->n_connected || timer_is_armed(&m->lonely));
}

/* Nobody holds it; without a peer it is over. */
static void leave(struct machine *m)
{
	struct keeper *k = m->keeper;

	if (m->life.fd >= 0 || has_peer(m))
		return;
	machine_detach(m);
	keeper_check_needed(k);
}

static void on_lonely(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	leave(container_of(t, struct machine, lonely));
}

void machine_peer(struct machine *m, bool is_here)
{
	unsigned *n = &m->netdev->n_connected;

	if (is_here) {
		if (!(*n)++)
			event_say(m->keeper, EVENT_MACHINE_CONNECTED, "{s:s}",
				  "machine", m->name);
		timer_disarm(loop_wheel(m->keeper->loop), &m->lonely);
		return;
	}
	if (*n && !--*n)
		event_say(m->keeper, EVENT_MACHINE_DISCONNECTED, "{s:s}",
			  "machine", m->name);
	m->n_before = 0; /* who comes next may be another */
	leave(m);
}

void machines_engine_lost(struct keeper *k)
{
	list_each(it, &k->machines) {
		struct machine *m = container_of(it, struct machine, link);
		bool had_peer = m->netdev->n_connected > 0;

		m->netdev->n_connected = 0;
		if (had_peer)
			event_say(k, EVENT_MACHINE_DISCONNECTED, "{s:s}",
				  "machine", m->name);
		machine_heard_before(m);
		if (had_peer)
			timer_arm(loop_wheel(k->loop), &m->lonely,
				  *loop_now(k->loop) + LONELY_NS);
	}
}

/* ---- whose life it has ---- */

static void let_go(struct machine *m)
{
	if (m->life.fd < 0)
		return;
	loop_del(m->keeper->loop, &m->life);
	fd_close(&m->life.fd);
	m->pid = 0;
	m->pid_started = 0;
}

static void on_life(struct loop_io *io, uint32_t events)
{
	struct machine *m = container_of(io, struct machine, life);

	(void)events;
	let_go(m);
	leave(m);
}

/* A pidfd of a process that we may signal, which is one of our user's. */
static int open_life(pid_t pid, struct error *e)
{
	CLEANUP_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 && (errno == ESRCH || errno == EINVAL))
		return error_set(e, EXIT_NO_OBJECT, "there is no process %d",
				 (int)pid);
	if (fd < 0)
		return error_errno(e, errno, "process %d", (int)pid);
	if (syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0 &&
	    errno == EPERM)
		return error_errno(e, EPERM, "process %d is another user's",
				   (int)pid);
	return fd_steal(&fd);
}

int machine_hold(struct machine *m, pid_t pid, struct error *e)
{
	int fd = pid ? open_life(pid, e) : -1;
	int r;

	if (pid && fd < 0)
		return fd;
	let_go(m);
	if (!pid) {
		leave(m);
		return 0;
	}
	m->life = (struct loop_io){.fd = fd, .fn = on_life};
	r = loop_add_level(m->keeper->loop, &m->life, EPOLLIN);
	if (r < 0) {
		fd_close(&m->life.fd);
		return error_errno(e, r, "process %d", (int)pid);
	}
	m->pid = pid;
	m->pid_started = proc_started(pid);
	if (!list_empty(&m->link))
		state_save(m->keeper);
	return 0;
}

/* ---- its beginning ---- */

/* NAME, or NAME-2 and so on if there is one. */
static void choose_name(struct machine *m, const char *name)
{
	snprintf(m->name, sizeof(m->name), "%s", name);
	for (unsigned i = 2; machine_find(m->keeper, m->name); i++) {
		char suffix[16];
		int len = snprintf(suffix, sizeof(suffix), "-%u", i);

		snprintf(m->name, sizeof(m->name), "%.*s%s",
			 (int)sizeof(m->name) - 1 - len, name, suffix);
	}
}

static bool is_plugged(const struct keeper *k, unsigned plug)
{
	list_each(it, &k->machines) {
		if (container_of(it, struct machine, link)->plug == plug)
			return true;
	}
	return false;
}

/* vm.sock, vm-2.sock .. */
static int name_socket(struct machine *m, struct error *e)
{
	const char *dir = m->keeper->c->network->dir;
	int len;

	if (m->plug == 1)
		len = snprintf(m->socket, sizeof(m->socket), "%s/vm.sock", dir);
	else
		len = snprintf(m->socket, sizeof(m->socket), "%s/vm-%u.sock",
			       dir, m->plug);
	if (len < (int)sizeof(m->socket))
		return 0;
	m->socket[0] = '\0';
	return error_set(e, EXIT_FAILED,
			 "%s/vm-%u.sock is too long for a socket's name; set "
			 "XDG_RUNTIME_DIR to a shorter path",
			 dir, m->plug);
}

/* A tap in the namespace of a program. */
static void put_netns(FILE *f, const struct machine *m)
{
	char text[MAC_STRLEN];

	fprintf(f, "netns,pid=%d,ifname=eth0,mac=%s", (int)m->netns,
		mac_format(m->mac, text));
}

static void put_socket(FILE *f, const struct machine *m)
{
	fputs(m->is_vhost ? "vhost-user,path="
			  : "stream,addr.type=unix,addr.path=",
	      f);
	netdev_value_put(f, m->socket);
	if (m->request.queues > 1)
		fprintf(f, ",queues=%u", m->request.queues);
	/* A VMM opens its socket a moment after it was started. */
	fputs(m->vmm_listens ? ",server=off,reconnect-ms=20" : ",server=on",
	      f);
}

static int make_spec(struct machine *m, struct error *e)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return error_errno(e, ENOMEM, "%s", m->name);
	if (m->netns)
		put_netns(f, m);
	else
		put_socket(f, m);
	if (fclose(f) != 0)
		return error_errno(e, ENOMEM, "%s", m->name);
	return netdev_parse(text, &m->spec, e);
}

static int plug_in(struct machine *m, const int *hub, struct error *e)
{
	struct keeper *k = m->keeper;
	int r = make_spec(m, e);

	if (r == 0)
		r = plan_add(&k->plan, m->spec, m->name, hub, &m->netdev, e);
	if (r < 0)
		return r;
	m->netdev->machine = m;
	engine_link_add(k, m->netdev);
	client_start(k, m->netdev);
	return 0;
}

static bool is_taken(const struct keeper *k, const addr *ip)
{
	list_each(it, &k->machines) {
		if (addr_eq(&container_of(it, struct machine, link)->ip, ip))
			return true;
	}
	return false;
}

/* Reserved for somebody, in one family or the other. */
static bool is_reserved(const struct plan_netdev *n, const addr *ip)
{
	for (unsigned i = 0; i < n->dhcp.n_reservations; i++) {
		const struct dhcp_reservation *v = &n->dhcp.reservations[i];

		if (addr_eq(ip, &v->ip4) || addr_eq(ip, &v->ip6) ||
		    plan_is_twin(n, ip, v))
			return true;
	}
	return false;
}

/* The address that is reserved for this MAC; false: none is. */
static bool reserved_for(const struct plan_netdev *n, mac own, addr *ap)
{
	bool is_v4 = n->order.user_add.v4.is_on;

	for (unsigned i = 0; i < n->dhcp.n_reservations; i++) {
		const struct dhcp_reservation *v = &n->dhcp.reservations[i];
		const addr *ip = is_v4 ? &v->ip4 : &v->ip6;

		if (v->who.kind != DHCP_WHO_MAC ||
		    memcmp(v->who.b, own.b, MAC_LEN) != 0 ||
		    addr_is_unspecified(ip))
			continue;
		*ap = *ip;
		return true;
	}
	return false;
}

struct own_place {
	struct machine *m;
	addr ip;
	bool has_other; /* a lease that goes on, of another place */
};

static bool is_kept_place(const struct plan_netdev *n, const addr *ip)
{
	for (uint32_t i = 0; i < n->order.user_add.n_kept; i++) {
		addr kept;

		if (plan_place(n, i, &kept) && addr_eq(&kept, ip))
			return true;
	}
	return false;
}

static void find_own(void *arg, const struct kept_lease *l)
{
	struct own_place *to = arg;
	const struct plan_netdev *n = plan_gateway(&to->m->keeper->plan);
	const addr *ip = &l->lease.ip;

	if (!addr_is_unspecified(&to->ip) || !mac_eq(l->lease.mac, to->m->mac))
		return;
	if (is_kept_place(n, ip) && !is_reserved(n, ip) &&
	    !plan_is_gateways(n, ip) && !is_taken(to->m->keeper, ip))
		to->ip = *ip;
	else
		to->has_other |= lease_is_live(l);
}

/* True if what it had before, maybe when the network was another keeper's, says
 * which address is kept for it: *ap, or none, if its lease of another goes on
 * and no port waits for it to be known. */
static bool had_before(struct machine *m, addr *ap)
{
	struct own_place own = {.m = m};

	leases_each(m->keeper->leases, find_own, &own);
	*ap = own.ip;
	return !addr_is_unspecified(ap) ||
	       (own.has_other && !m->request.n_forwards);
}

/* How much an address is somebody's who may come again. */
enum claim { CLAIM_NONE, CLAIM_ENDED, CLAIM_LIVE };

static unsigned claim_of(const struct keeper *k, const addr *ip)
{
	const struct kept_lease *l = leases_at(k->leases, ip);

	if (!l)
		return CLAIM_NONE;
	return lease_is_live(l) ? CLAIM_LIVE : CLAIM_ENDED;
}

/* Of those that are kept for machines and have none the one that is least
 * somebody else's, the lowest. */
static void choose_address(struct machine *m)
{
	const struct plan_netdev *n = plan_gateway(&m->keeper->plan);
	const struct msg_user_add *u = n ? &n->order.user_add : NULL;
	/* What goes on is taken from nobody but for a forwarded port. */
	unsigned least = m->request.n_forwards ? UINT_MAX : CLAIM_LIVE;

	if (!n || !m->has_mac || reserved_for(n, m->mac, &m->ip) ||
	    had_before(m, &m->ip))
		return;
	for (uint32_t i = 0; i < u->n_kept; i++) {
		unsigned claim;
		addr ip;

		if (!plan_place(n, i, &ip) || plan_is_gateways(n, &ip) ||
		    is_reserved(n, &ip) || is_taken(m->keeper, &ip))
			continue;
		claim = claim_of(m->keeper, &ip);
		if (claim < least) {
			least = claim;
			m->ip = ip;
		}
	}
}

/* The i-th of its forwards. */
static int open_forward(struct machine *m, unsigned i, struct error *e)
{
	struct plan_netdev *n = plan_gateway(&m->keeper->plan);
	struct forward model = {
		.origin = FORWARD_OF_MACHINE,
		.machine = m,
		.index = i,
		.id = m->ids[i],
		.drawn = m->ports[i],
	};
	struct forward *f;
	int r;

	if (hostfwd_parse(m->request.forwards[i], &model.rule, e) < 0)
		return -EINVAL;
	if (!n)
		return error_set(e, EXIT_USAGE,
				 "this network has no gateway that forwards "
				 "ports");
	model.guest_ip = model.rule.guest_ip;
	if (addr_is_unspecified(&model.guest_ip))
		model.guest_ip = m->ip;
	if (addr_is_unspecified(&model.guest_ip))
		return error_set(e, EXIT_USAGE,
				 "ports can be forwarded to %s only by its "
				 "address, as in tcp::2222-%s:22, or if its "
				 "card's MAC is known (--nic MODEL,mac=)",
				 m->name,
				 n->order.user_add.v4.is_on ? "10.0.2.115"
							    : "[fd00::73]");
	r = plan_forward_check(n, model.rule.proto, &model.guest_ip, e);
	if (r == 0)
		r = forward_open(n, &model, &f, e);
	if (r < 0)
		return r;
	m->ports[i] = f->drawn;
	m->ids[i] = f->id;
	forward_tell(m->keeper, f);
	return 0;
}

static int open_forwards(struct machine *m, struct error *e)
{
	int r = 0;

	for (unsigned i = 0; i < m->request.n_forwards && r == 0; i++)
		r = open_forward(m, i, e);
	if (r == 0 && m->request.n_forwards)
		router_forward(&m->keeper->plan);
	return r;
}

/* In no list yet. */
static struct machine *machine_new(struct keeper *k,
				   const struct attach_request *a,
				   struct error *e)
{
	CLEANUP_FREE char *text = attach_request_format(a);
	struct machine *m = calloc(1, sizeof(*m));

	if (!m || !text ||
	    attach_request_parse(text, strlen(text), &m->request, e) < 0) {
		error_errno(e, ENOMEM, "%s", a->name);
		free(m);
		return NULL;
	}
	m->keeper = k;
	m->netns = a->netns;
	m->is_vhost = a->is_vhost;
	m->vmm_listens = a->vmm_listens;
	m->has_mac = a->has_mac || a->picks_mac;
	m->mac = a->mac;
	m->life.fd = -1;
	timer_init(&m->lonely, on_lonely);
	cable_init(m);
	list_init(&m->link);
	return m;
}

static void say_attached(const struct machine *m)
{
	const char *link = m->is_vhost ? "vhost-user" : "stream";
	char text[MAC_STRLEN];

	event_say(m->keeper, EVENT_MACHINE_ATTACHED, "{s:s,s:s,s:s*}",
		  "machine", m->name, "link", m->netns ? "netns" : link, "mac",
		  m->has_mac ? mac_format(m->mac, text) : NULL);
	list_each(it, &m->keeper->plan.forwards) {
		const struct forward *f =
			container_of(it, struct forward, link);

		if (f->machine == m)
			forward_say(m->keeper, EVENT_FORWARD_ADDED, f);
	}
}

/* All but its place among the others is chosen. It is gone if that fails. */
static int machine_begin(struct machine *m, struct error *e)
{
	struct attach_request *a = &m->request;
	struct keeper *k = m->keeper;
	int r = plug_in(m, a->has_hub ? &a->hub : NULL, e);

	if (r == 0)
		r = open_forwards(m, e);
	if (r < 0) {
		machine_detach(m);
		return r;
	}
	list_add_tail(&k->machines, &m->link);
	k->n_machines++;
	say_attached(m);
	return 0;
}

/* What the request asks for that this network does not give. */
static int check_allowed(const struct keeper *k,
			 const struct attach_request *a, struct error *e)
{
	const char *name = k->c->network->name;

	if (a->netns && k->c->network->denies_exec)
		return error_set(e, EXIT_PERMISSION,
				 "network %s is internal: no program of the "
				 "host gets in, unless it is started with "
				 "exec=on",
				 name);
	if (a->netns && !a->has_mac && !a->picks_mac)
		return error_set(e, EXIT_USAGE,
				 "a card in a namespace needs a \"mac\"");
	return 0;
}

int machine_attach(struct keeper *k, const struct attach_request *a,
		   struct machine **mp, struct error *e)
{
	struct machine *m;
	int r = check_allowed(k, a, e);

	if (r < 0)
		return r;
	if (k->n_machines >= CONTROL_MACHINES_MAX)
		return error_set(e, EXIT_CONFLICT,
				 "%s has %u machines, and can have no more",
				 k->c->network->name, k->n_machines);
	m = machine_new(k, a, e);
	if (!m)
		return -ENOMEM;
	choose_name(m, a->name);
	m->plug = 1;
	while (is_plugged(k, m->plug))
		m->plug++;
	cloud_remove(m); /* of one that had the number with another keeper */
	r = m->netns ? 0 : name_socket(m, e);
	if (r == 0)
		r = machine_hold(m, a->pid, e);
	if (r < 0) {
		machine_detach(m);
		return r;
	}
	if (a->picks_mac)
		m->mac = nic_mac(k->c->network->mac_name, m->name, a->nic);
	choose_address(m);
	r = machine_begin(m, e);
	if (r < 0)
		return r;
	/* What was chosen would be asked for another time. */
	memcpy(m->request.name, m->name, sizeof(m->name));
	m->request.picks_mac = false;
	m->request.has_mac = m->has_mac;
	m->request.mac = m->mac;
	state_save(k);
	*mp = m;
	return 0;
}

int machine_restore(struct keeper *k, const struct attach_request *a,
		    const struct machine_past *past, struct machine **mp,
		    struct error *e)
{
	struct machine *m = machine_new(k, a, e);
	int r;

	if (!m)
		return -ENOMEM;
	memcpy(m->name, a->name, sizeof(m->name));
	m->plug = past->plug;
	m->ip = past->ip;
	memcpy(m->ports, past->ports, sizeof(m->ports));
	memcpy(m->ids, past->ids, sizeof(m->ids));
	memcpy(m->before, past->before, sizeof(m->before));
	m->n_before = past->n_before;
	r = name_socket(m, e);
	if (r == 0 && past->pid)
		r = machine_hold(m, past->pid, e);
	if (r < 0) {
		machine_detach(m);
		return r;
	}
	if (!past->pid)
		timer_arm(loop_wheel(k->loop), &m->lonely,
			  *loop_now(k->loop) + LONELY_NS);
	cloud_restore(m);
	r = machine_begin(m, e);
	if (r == 0)
		*mp = m;
	return r;
}

void machine_forward_removed(struct machine *m, unsigned i)
{
	struct attach_request *a = &m->request;
	unsigned n = --a->n_forwards - i; /* behind it */

	free(a->forwards[i]);
	memmove(&a->forwards[i], &a->forwards[i + 1],
		n * sizeof(*a->forwards));
	memmove(&m->ports[i], &m->ports[i + 1], n * sizeof(*m->ports));
	memmove(&m->ids[i], &m->ids[i + 1], n * sizeof(*m->ids));
	list_each(it, &m->keeper->plan.forwards) {
		struct forward *f = container_of(it, struct forward, link);

		if (f->machine == m && f->origin == FORWARD_OF_MACHINE &&
		    f->index > i)
			f->index--;
	}
}
