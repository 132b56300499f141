/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's end of the channel to its engine, and the engine's process. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/text.h"
#include "engine/engine.h"
#include "keeper/cable.h"
#include "keeper/forwards.h"
#include "keeper/http.h"
#include "keeper/keeper_priv.h"
#include "keeper/capture.h"
#include "keeper/leases.h"
#include "keeper/look.h"
#include "keeper/machine.h"
#include "keeper/state.h"
#include "keeper/why.h"
#include "os/cpus.h"
#include "os/fdpass.h"
#include "os/proc.h"
#include "os/rundir.h"
#include "os/sandbox.h"
#include "os/sock.h"

enum {
	RESTARTS_MAX = 5, /* engine starts within RESTART_WINDOW_S */
	RESTART_WINDOW_S = 10,
	STOP_WAIT_MS = 2000,
	SEND_WAIT_S = 2, /* for an engine that does not read */
	SYNC_PLAN = 1, /* cookie: the plan is taken */
};

static void channel_close(struct keeper *k)
{
	if (k->engine.sock < 0)
		return;
	loop_del(k->loop, &k->engine.io);
	fd_close(&k->engine.sock);
	k->engine.synced = false;
}

/* An engine that does not keep to the channel is replaced: SIGCHLD tells of
 * its end. */
static void give_up_engine(struct keeper *k, const char *why)
{
	if (!k->is_stopping)
		log_warn(k->c->log, "the engine %s", why);
	channel_close(k);
	if (k->engine.pid)
		kill(k->engine.pid, SIGKILL);
}

int engine_link_send(struct keeper *k, union engine_msg *m,
		     enum engine_msg_type type, const int *fds, unsigned n_fds)
{
	int r;

	if (k->engine.sock < 0)
		return -ENOTCONN;
	m->head.type = type;
	m->head.len = (uint32_t)engine_msg_len(type);
	r = fd_send(k->engine.sock, m, m->head.len, fds, n_fds);
	if (r == -EAGAIN)
		give_up_engine(k, "does not take its orders");
	return r;
}

void engine_link_resolvers(struct keeper *k, bool is_new)
{
	union engine_msg m = {0};
	struct resolv_list l;
	const char *path = k->c->resolv_conf;

	_Static_assert((int)RESOLV_MAX == (int)ENGINE_RESOLVERS_MAX,
		       "one bound");
	resolv_read(path ? path : "/etc/resolv.conf", &l);
	if (!is_new && resolv_equal(&l, &k->resolvers))
		return;
	k->resolvers = l;
	m.resolvers.n = l.n;
	memcpy(m.resolvers.ep, l.ep, sizeof(l.ep));
	(void)engine_link_send(k, &m, ENGINE_MSG_RESOLVERS, NULL, 0);
}

static int send_gone(struct keeper *k, const addr *gone, unsigned n)
{
	union engine_msg m = {.network = {
				      .has_way4 = k->ways.v4,
				      .has_way6 = k->ways.v6,
				      .link4 = k->ways.link4,
				      .link6 = k->ways.link6,
				      .n = n,
			      }};

	if (n)
		memcpy(m.network.gone, gone, n * sizeof(*gone));
	return engine_link_send(k, &m, ENGINE_MSG_NETWORK, NULL, 0);
}

void engine_link_network(struct keeper *k, const addr *gone, unsigned n)
{
	k->ways = ways_now();
	do {
		unsigned now = n < ENGINE_GONE_MAX ? n : ENGINE_GONE_MAX;

		/* A new engine has nothing at an old address. */
		(void)send_gone(k, gone, now);
		gone += now;
		n -= now;
	} while (n);
	follow_look(k, true);
	list_each (it, &k->plan.netdevs) {
		struct plan_netdev *d =
			container_of(it, struct plan_netdev, link);

		regain_look(k, d);
		packet_look(k, d);
		beside_look(k, d);
	}
}

static int send_lan(struct keeper *k, const char *name, unsigned hub)
{
	union engine_msg m = {.lan_add = {.lan = hub, .is_hub = hub > 0}};

	snprintf(m.lan_add.name, sizeof(m.lan_add.name), "%s", name);
	return engine_link_send(k, &m, ENGINE_MSG_LAN_ADD, NULL, 0);
}

/* The hubs that the engine does not know yet. */
static int send_hubs(struct keeper *k)
{
	unsigned *n = &k->engine.n_hubs;

	while (*n < k->plan.n_hubs) {
		char name[ENGINE_NAME_LEN];
		int r;

		snprintf(name, sizeof(name), "hub%d", (int)k->plan.hubs[*n]);
		r = send_lan(k, name, *n + 1);
		if (r < 0)
			return r;
		(*n)++;
	}
	return 0;
}

static int send_forward(struct keeper *k, const struct plan_netdev *n,
			uint32_t id)
{
	const struct plan_forward *f = &n->forwards[id];
	union engine_msg m = {.forward_add = {
				      .port = n->id,
				      .id = f->serial,
				      .proto = f->proto,
				      .guest = f->guest,
				      .rules = f->of->rules,
			      }};

	return engine_link_send(k, &m, ENGINE_MSG_FORWARD_ADD, &f->fd, 1);
}

static int send_forwards(struct keeper *k, const struct plan_netdev *n)
{
	int r = 0;

	for (unsigned i = 0; i < n->n_forwards && r == 0; i++) {
		if (n->forwards[i].fd >= 0)
			r = send_forward(k, n, i);
	}
	return r;
}

static int send_dns_servers(struct keeper *k, const struct plan_netdev *n)
{
	for (unsigned i = 0; i < n->n_dns_servers; i++) {
		const struct plan_dns_server *s = &n->dns_servers[i];
		union engine_msg m = {.dns_server = {.port = n->id,
						     .ep = s->ep}};
		int r;

		memcpy(m.dns_server.domain, s->domain, sizeof(s->domain));
		r = engine_link_send(k, &m, ENGINE_MSG_DNS_SERVER, NULL, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static int send_guestfwds(struct keeper *k, const struct plan_netdev *n)
{
	for (unsigned i = 0; i < n->n_guestfwds; i++) {
		const struct plan_guestfwd *g = &n->guestfwds[i];
		union engine_msg m = {.guestfwd_add = {
					      .port = n->id,
					      .server = g->rule.server,
					      .target = g->target,
				      }};
		int r = engine_link_send(k, &m, ENGINE_MSG_GUESTFWD_ADD, NULL,
					 0);

		if (r < 0)
			return r;
	}
	return 0;
}

/* What its DHCP servers tell clients, and keep for some. */
static int send_dhcp(struct keeper *k, const struct plan_netdev *n)
{
	union engine_msg m = {0};
	int r = 0;

	for (unsigned i = 0; i < n->dhcp.n_options && r == 0; i++) {
		m.dhcp_option.port = n->id;
		m.dhcp_option.option = n->dhcp.options[i];
		r = engine_link_send(k, &m, ENGINE_MSG_DHCP_OPTION, NULL, 0);
	}
	for (unsigned i = 0; i < n->dhcp.n_reservations && r == 0; i++) {
		m.dhcp_reserve.port = n->id;
		m.dhcp_reserve.reservation = n->dhcp.reservations[i];
		r = engine_link_send(k, &m, ENGINE_MSG_DHCP_RESERVE, NULL, 0);
	}
	return r;
}

/* What its machine is called: a machine of the network always, another netdev's
 * if somebody gave it a name. */
static int send_name(struct keeper *k, const struct plan_netdev *n)
{
	union engine_msg m = {.named = {.port = n->id}};
	const char *id = spec_id(n->spec);
	struct machine *who = n->machine;
	addr all[MACHINE_ADDRESSES_MAX];
	unsigned n_all;

	if (!who && (!id || strcmp(id, n->name) != 0))
		return 0;
	memcpy(m.named.name, n->name, sizeof(m.named.name));
	if (who) {
		n_all = machine_addresses(who, all);
		m.named.n = n_all < ENGINE_HEARD_MAX ? n_all : ENGINE_HEARD_MAX;
		memcpy(m.named.ip, all, m.named.n * sizeof(*all));
		m.named.mac = machine_mac(who);
	}
	return engine_link_send(k, &m, ENGINE_MSG_NAMED, NULL, 0);
}

static int send_netdev(struct keeper *k, struct plan_netdev *n)
{
	enum engine_msg_type type = (enum engine_msg_type)n->order.head.type;
	int r;

	if (type == ENGINE_MSG_NONE)
		return 0;
	macvtap_restart(n);
	beside_restart(n);
	if (!af_xdp_start(k, n))
		return 0;
	if (type == ENGINE_MSG_USER_ADD)
		n->order.user_add.has_way6 = k->ways.v6;
	r = engine_link_send(k, &n->order, type, n->fds, n->n_fds);
	if (r == 0)
		r = follow_tell(k, n);
	if (r == 0)
		r = boot_tell(k, n);
	if (r == 0)
		r = send_name(k, n);
	if (r == 0)
		r = cable_tell(k, n);
	if (r < 0)
		return r;
	if (n->gives_fds) {
		for (unsigned i = 0; i < n->n_fds; i++)
			fd_close(&n->fds[i]);
		n->n_fds = 0;
	}
	if (n->machine)
		engine_link_keep(k, &n->machine->ip, n->machine->mac);
	r = send_dhcp(k, n);
	if (r == 0)
		r = leases_send(k->leases, n);
	if (r == 0)
		r = send_dns_servers(k, n);
	if (r == 0)
		r = send_guestfwds(k, n);
	if (r == 0)
		r = http_tell(k, n);
	return r < 0 ? r : send_forwards(k, n);
}

/* How many the engine is to have. */
static unsigned workers_of(const struct keeper *k)
{
	unsigned n = k->c->queues ? k->c->queues : 1;
	unsigned cpus = cpus_usable();

	if (k->c->workers)
		return k->c->workers;
	list_each(it, &k->plan.netdevs) {
		const struct plan_netdev *d =
			container_of(it, struct plan_netdev, link);
		unsigned queues = plan_queues(d);

		n = queues > n ? queues : n;
	}
	n = n < cpus ? n : cpus;
	return n < ENGINE_WORKERS_MAX ? n : ENGINE_WORKERS_MAX;
}

/* Lans, netdevs, forwards, resolvers; SYNCED comes back when all is taken. */
static int send_plan(struct keeper *k)
{
	union engine_msg start = {.start = {
					  .deny = k->c->deny,
					  .log_level = k->c->log->level,
					  .ends_with_keeper =
						  !k->c->engine_outlives,
					  .more_workers = workers_of(k) - 1,
				  }};
	union engine_msg sync = {.sync = {.cookie = SYNC_PLAN}};
	int r;

	k->ways = ways_now();
	follow_look(k, false);
	r = engine_link_send(k, &start, ENGINE_MSG_START, &k->counters.fd, 1);
	k->engine.n_hubs = 0;
	if (r == 0)
		r = send_lan(k, "lan", 0);
	if (r == 0)
		r = send_hubs(k);
	list_each(it, &k->plan.netdevs) {
		if (r < 0)
			return r;
		r = send_netdev(k, container_of(it, struct plan_netdev, link));
	}
	if (r < 0)
		return r;
	engine_link_resolvers(k, true);
	r = send_gone(k, NULL, 0);
	if (r == 0)
		r = captures_send(k);
	return r < 0 ? r : engine_link_send(k, &sync, ENGINE_MSG_SYNC, NULL, 0);
}

void engine_link_add(struct keeper *k, struct plan_netdev *n)
{
	if (k->engine.sock < 0)
		return;
	/* One that takes no orders is replaced, and gets them all again. */
	if (send_hubs(k) == 0)
		(void)send_netdev(k, n);
}

void engine_link_del(struct keeper *k, const struct plan_netdev *n)
{
	union engine_msg m = {.port = {.port = n->id}};

	(void)engine_link_send(k, &m, ENGINE_MSG_NETDEV_DEL, NULL, 0);
}

void engine_link_forward_add(struct keeper *k, const struct plan_netdev *n,
			     uint32_t id)
{
	(void)send_forward(k, n, id); /* or a new engine is told */
}

void engine_link_forward_del(struct keeper *k, const struct plan_netdev *n,
			     uint32_t id)
{
	union engine_msg m = {.forward_del = {
				      .port = n->id,
				      .id = n->forwards[id].serial,
			      }};

	(void)engine_link_send(k, &m, ENGINE_MSG_FORWARD_DEL, NULL, 0);
}

void engine_link_keep(struct keeper *k, const addr *ip, mac owner)
{
	const struct plan_netdev *n = plan_gateway(&k->plan);
	union engine_msg m = {.lease_keep = {.ip = *ip, .mac = owner}};

	if (!n || addr_is_unspecified(ip))
		return;
	m.lease_keep.port = n->id;
	(void)engine_link_send(k, &m, ENGINE_MSG_LEASE_KEEP, NULL, 0);
}

/* A netdev that the engine cannot serve costs a machine its place, and the
 * network's own ends the network, but for one on an interface of the host's
 * (regain.c). */
static void take_failure(struct keeper *k, const struct msg_failed *f)
{
	struct plan_netdev *n = plan_find(&k->plan, f->port);

	if (f->order == ENGINE_MSG_CAPTURE_ADD) {
		captures_refused(k, f->port, f->text);
		return;
	}
	if (n && f->order == ENGINE_MSG_CABLE) {
		log_error(k->c->log, "%s: its cable is not as asked for: %s",
			  n->name, f->text);
		return;
	}
	if (n && n->machine) {
		log_error(k->c->log, "engine refused %s: %s", n->name, f->text);
		machine_detach(n->machine);
		keeper_check_needed(k);
		return;
	}
	if (n && n->vde_plug) {
		vde_plug_refused(n, f->text);
		return;
	}
	if (!n && f->port)
		return; /* of one that has gone */
	if (n && f->order == ENGINE_MSG_FORWARD_ADD &&
	    forward_refused(k, n, f->id, f->text))
		return;
	if (n && f->order == ENGINE_MSG_AF_XDP_ADD &&
	    af_xdp_refused(k, n, f->err))
		return;
	if (n && regain_refused(k, n, f->text))
		return;
	error_set(&k->error, EXIT_FAILED, "engine refused %s: %s",
		  n ? n->name : "the plan", f->text);
	keeper_fail(k);
}

/* It has taken the plan: whoever waits for it goes on. */
static void take_synced(struct keeper *k)
{
	k->engine.synced = true;
	event_say(k, EVENT_ENGINE_SERVES, "{s:i}", "engine",
		  (int)k->engine.pid);
	list_each(it, &k->plan.netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		client_start(k, n);
		vde_client_start(k, n);
		vde_server_start(k, n);
	}
	keeper_check_ready(k);
}

/* A line of the engine's: of a port that is shut, or of anything. */
static void say_warning(struct keeper *k, const struct msg_failed *f)
{
	const struct plan_netdev *n = plan_find(&k->plan, f->port);

	log_warn(k->c->log, "%s", f->text);
	if (n && f->err)
		event_say(k, EVENT_PORT_FAULT, "{s:s,s:o}", "netdev", n->name,
			  "text", text_shown(f->text));
	else
		event_say(k, EVENT_WARNING, "{s:o}", "text",
			  text_shown(f->text));
}

/* Of a netdev of the network's own; a machine's says it itself. */
static void say_peer(struct keeper *k, const struct plan_netdev *n,
		     const struct msg_machine *m)
{
	log_debug(k->c->log, "%s: %s", m->name,
		  m->is_here ? "connected" : "gone");
	if (n && !n->machine)
		event_say(k, m->is_here ? EVENT_NETDEV_CONNECTED
					: EVENT_NETDEV_GONE,
			  "{s:s,s:o}", "netdev", n->name, "peer",
			  text_shown(m->name));
}

static void take_want_fd(struct keeper *k, struct plan_netdev *n)
{
	if (n && n->points_tx)
		/* Nobody there yet: the engine asks again. */
		(void)!sock_dgram_unix_point(n->fds[1],
					     n->order.dgram_add.remote_path);
	else if (n)
		client_lost(k, n);
}

static void take_heard(struct keeper *k, const struct msg_heard *m)
{
	struct plan_netdev *n = plan_find(&k->plan, m->port);

	if (n && n->machine)
		machine_heard(n->machine, m);
	else if (n && n->vde_plug)
		vde_plug_heard(n, m);
}

/* What the engine said about a netdev: only believed as far as "port N".  fd
 * came with it, -1: none. */
static void take_message(struct keeper *k, const union engine_msg *m, int fd)
{
	struct plan_netdev *n;

	switch ((enum engine_msg_type)m->head.type) {
	case ENGINE_MSG_SYNCED:
		take_synced(k);
		break;
	case ENGINE_MSG_WANT_FD:
		take_want_fd(k, plan_find(&k->plan, m->port.port));
		break;
	case ENGINE_MSG_LEG_WANT:
		macvtap_leg(k, &m->leg);
		break;
	case ENGINE_MSG_NEIGHBOUR:
		beside_neighbour(k, &m->neighbour);
		break;
	case ENGINE_MSG_GUESTFWD_WANT:
		guestfwd_call(k, &m->guestfwd_call);
		break;
	case ENGINE_MSG_TFTP_WANT:
		tftp_want(k, &m->tftp_want);
		break;
	case ENGINE_MSG_UDP_REFUSED:
		refuse_client(k, &m->udp_refused, fd);
		break;
	case ENGINE_MSG_MACHINE:
		n = plan_find(&k->plan, m->machine.port);
		say_peer(k, n, &m->machine);
		if (n && !m->machine.is_here && !n->reconnect_ms)
			client_lost(k, n);
		if (n && n->machine) /* the last thing: it may go */
			machine_peer(n->machine, m->machine.is_here);
		break;
	case ENGINE_MSG_HEARD:
		take_heard(k, &m->heard);
		break;
	case ENGINE_MSG_LEASE:
		leases_take(k->leases, &m->lease);
		break;
	case ENGINE_MSG_EVENT:
		say_warning(k, &m->failed);
		break;
	case ENGINE_MSG_FAILED:
		take_failure(k, &m->failed);
		break;
	case ENGINE_MSG_LOOKED:
		looks_take(k, &m->look);
		break;
	case ENGINE_MSG_WHY:
		why_told(k, &m->why);
		break;
	case ENGINE_MSG_NONE:
	case ENGINE_MSG_START:
	case ENGINE_MSG_LAN_ADD:
	case ENGINE_MSG_STREAM_ADD:
	case ENGINE_MSG_SERVER_ADD:
	case ENGINE_MSG_DGRAM_ADD:
	case ENGINE_MSG_L2TPV3_ADD:
	case ENGINE_MSG_VXLAN_ADD:
	case ENGINE_MSG_TAP_ADD:
	case ENGINE_MSG_LEG_ADD:
	case ENGINE_MSG_PACKET_ADD:
	case ENGINE_MSG_AF_XDP_ADD:
	case ENGINE_MSG_PACKET_HOST:
	case ENGINE_MSG_HOSTIF_HOST:
	case ENGINE_MSG_HUBPORT_ADD:
	case ENGINE_MSG_USER_ADD:
	case ENGINE_MSG_NAMED:
	case ENGINE_MSG_DNS_SERVER:
	case ENGINE_MSG_USER_MOVE:
	case ENGINE_MSG_BOOT:
	case ENGINE_MSG_TFTP_TAKE:
	case ENGINE_MSG_NETDEV_DEL:
	case ENGINE_MSG_CABLE:
	case ENGINE_MSG_DHCP_OPTION:
	case ENGINE_MSG_DHCP_RESERVE:
	case ENGINE_MSG_LEASE_KEEP:
	case ENGINE_MSG_LEASE_ADD:
	case ENGINE_MSG_FORWARD_ADD:
	case ENGINE_MSG_FORWARD_DEL:
	case ENGINE_MSG_GUESTFWD_ADD:
	case ENGINE_MSG_GUESTFWD_TAKE:
	case ENGINE_MSG_HTTP_ADD:
	case ENGINE_MSG_RESOLVERS:
	case ENGINE_MSG_NETWORK:
	case ENGINE_MSG_ATTACH:
	case ENGINE_MSG_CAPTURE_ADD:
	case ENGINE_MSG_CAPTURE_DEL:
	case ENGINE_MSG_SYNC:
	case ENGINE_MSG_LOOK:
	case ENGINE_MSG_WHY_ASK:
	case ENGINE_MSG_STOP:
	case ENGINE_MSG_N:
		break;
	}
}

/* A socket that found no room among our descriptors is no fault of the
 * engine's, and guests have it sent. */
static bool is_refusal_lost(const union engine_msg *m, ssize_t got)
{
	return got == -EMSGSIZE && m->head.type == ENGINE_MSG_UDP_REFUSED;
}

static void channel_event(struct loop_io *io, uint32_t events)
{
	struct keeper *k = container_of(io, struct keeper, engine.io);
	union engine_msg m = {0};
	CLEANUP_FD int fd = -1;
	unsigned n_fds = 0;
	ssize_t n;

	(void)events;
	n = fd_recv(k->engine.sock, &m, sizeof(m), &fd, 1, &n_fds);
	if (n == -EAGAIN || n == -EINTR || is_refusal_lost(&m, n))
		return;
	if (n == 0 || n == -ECONNRESET)
		channel_close(k); /* its end comes by SIGCHLD */
	else if (n > 0 && engine_msg_check(&m, (size_t)n, n_fds))
		take_message(k, &m, fd);
	else
		give_up_engine(k, "sent a malformed message");
}

/* More than RESTARTS_MAX starts in a window: something is wrong for good. */
static bool may_start(struct engine_link *l, uint64_t now)
{
	if (now - l->window_ns > RESTART_WINDOW_S * 1000000000ull) {
		l->window_ns = now;
		l->n_starts = 0;
	}
	return l->n_starts++ < RESTARTS_MAX;
}

/* Errors of send_plan() that are the engine's end: SIGCHLD tells of it. */
static bool is_engine_gone(int err)
{
	return err == -EPIPE || err == -ECONNRESET || err == -ENOTCONN ||
	       err == -EAGAIN;
}

int engine_link_start(struct keeper *k)
{
	CLEANUP_FD int lock = -1;
	const struct timeval patience = {.tv_sec = SEND_WAIT_S};
	struct engine_link *l = &k->engine;
	int pair[2];
	pid_t pid;
	int r;

	if (!may_start(l, *loop_now(k->loop))) {
		error_set(&k->error, EXIT_FAILED,
			  "the engine died %d times in %d s; giving up",
			  RESTARTS_MAX, RESTART_WINDOW_S);
		return -EIO;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(&k->error, errno, "engine: socketpair");
	/* Who finds the folder of a killed keeper asks it whether the engine
	 * still lives; without one it is believed not to. */
	if (k->c->network)
		lock = rundir_engine_lock(k->c->network->dir);
	pid = sandbox_fork(k->c->log, &k->error);
	if (pid == 0) {
		close(pair[0]);
		_exit(engine_main(pair[1], lock));
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return (int)pid;
	}
	l->pid = pid;
	l->started = proc_started(pid);
	l->sock = pair[0];
	l->io = (struct loop_io){.fd = l->sock, .fn = channel_event};
	/* Fails never for a sensible time; else a send may wait longer. */
	(void)setsockopt(l->sock, SOL_SOCKET, SO_SNDTIMEO, &patience,
			 sizeof(patience));
	r = loop_add_level(k->loop, &l->io, EPOLLIN);
	if (r == 0)
		r = send_plan(k);
	if (r < 0 && !is_engine_gone(r))
		return error_errno(&k->error, r,
				   "engine: cannot send the plan");
	state_save(k);
	return 0;
}

void engine_link_ended(struct keeper *k, int status)
{
	struct engine_link *l = &k->engine;
	pid_t pid = l->pid;
	char why[96];

	channel_close(k);
	l->pid = 0;
	l->started = 0;
	if (k->is_stopping)
		return;
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why),
			 "the engine was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof(why), "the engine ended with status %d",
			 WEXITSTATUS(status));
	log_warn(k->c->log, "%s; starting it again", why);
	event_say(k, EVENT_ENGINE_ENDED, "{s:i,s:s}", "engine", (int)pid,
		  "text", why);
	machines_engine_lost(k);
	looks_engine_lost(k);
	whys_end(k);
	list_each_safe(it, &k->plan.netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		/* Its connection died with the engine. */
		if (n->is_client && (n->reconnect_ms || !n->has_connected))
			n->is_waiting = true;
	}
	if (engine_link_start(k) < 0)
		keeper_fail(k);
	else
		looks_engine_new(k);
}

void engine_link_stop(struct keeper *k)
{
	struct engine_link *l = &k->engine;
	union engine_msg m = {.sync = {.cookie = 0}};

	if (!l->pid)
		return;
	(void)engine_link_send(k, &m, ENGINE_MSG_STOP, NULL, 0);
	channel_close(k);
	if (sandbox_wait(l->pid, STOP_WAIT_MS) < 0) {
		kill(l->pid, SIGKILL);
		(void)sandbox_wait(l->pid, -1);
	}
	l->pid = 0;
	l->started = 0;
}
