/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's life: open, start, serve until told to end, undo. */
#include "keeper/keeper.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/capture.h"
#include "keeper/forwards.h"
#include "keeper/http.h"
#include "keeper/keeper_priv.h"
#include "keeper/leases.h"
#include "keeper/look.h"
#include "keeper/machine.h"
#include "keeper/state.h"
#include "keeper/why.h"
#include "os/rlimit.h"

/* Of a log in a file: bytes, and how often they are counted. Lines are
 * rationed (log.h), so few come in between. */
#define LOG_MAX	    (1 << 20)
#define LOG_LOOK_NS UINT64_C(60000000000)

enum { KEPT_MAX = 100 }; /* addresses of a pool */

void keeper_fail(struct keeper *k)
{
	error_set(&k->error, EXIT_FAILED, "internal failure");
	k->is_stopping = true;
	loop_stop(k->loop);
}

void keeper_check_ready(struct keeper *k)
{
	/* Who cannot connect has failed already, and waits no more. */
	if (k->is_ready || k->is_stopping || !k->engine.synced)
		return;
	list_each(it, &k->plan.netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		/* One that may retry for ever holds nobody up. */
		if ((n->is_waiting && !n->reconnect_ms) || vde_client_is_new(n))
			return;
	}
	k->is_ready = true;
	if (k->c->network && control_open(k, &k->error) < 0) {
		keeper_fail(k);
		return;
	}
	if (k->c->network)
		event_say(k, EVENT_NETWORK_STARTED, "{s:s,s:s,s:b}", "network",
			  k->c->network->name, "mode", k->c->network->mode,
			  "revived", k->c->network->state != NULL);
	forwards_say_first(k);
	plan_say(&k->plan, k->c->say);
	state_save(k);
	if (k->c->ready)
		k->rest = k->c->ready(k->c->arg);
}

static void stop(struct keeper *k)
{
	k->is_stopping = true;
	loop_stop(k->loop);
}

void keeper_check_needed(struct keeper *k)
{
	if (!k->c->network || k->is_kept || k->starter.fd >= 0 ||
	    !list_empty(&k->machines))
		return;
	stop(k);
}

/* Who started us has plugged its machine in, or has died. */
static void on_starter(struct loop_io *io, uint32_t events)
{
	struct keeper *k = container_of(io, struct keeper, starter);
	char byte;
	ssize_t n = recv(io->fd, &byte, sizeof(byte), MSG_DONTWAIT);

	(void)events;
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	loop_del(k->loop, io);
	fd_close(&io->fd);
	keeper_check_needed(k);
}

/* A log that nobody reads begins anew. */
static void on_log(struct timer *t, uint64_t now_ns)
{
	struct keeper *k = container_of(t, struct keeper, log_timer);
	struct stat st;

	if (fstat(2, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > LOG_MAX)
		(void)!ftruncate(2, 0); /* written by O_APPEND */
	timer_arm(loop_wheel(k->loop), t, now_ns + LOG_LOOK_NS);
}

static void rest_ended(struct keeper *k)
{
	k->rest = 0;
	k->c->rest_over(k->c->arg);
}

static void reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->engine.pid)
			engine_link_ended(k, status);
		else if (pid == k->rest)
			rest_ended(k);
		else
			guestfwd_ended(k, pid, status);
	}
}

static void on_signal(void *arg, int signo)
{
	struct keeper *k = arg;

	if (signo == SIGCHLD)
		reap(k);
	else
		stop(k);
}

static void on_resolv(void *arg)
{
	engine_link_resolvers(arg, false);
}

static void on_network(void *arg, const addr *gone, unsigned n)
{
	engine_link_network(arg, gone, n);
}

/* Both without which vmlan runs: the state of the start stays. */
static void watch_host(struct keeper *k, const char *conf)
{
	struct log *log = k->c->log;
	int r = resolv_watch_new(k->loop, conf, on_resolv, k, &k->resolv);

	if (r < 0)
		log_warn(log, "%s: changes are not followed (inotify: %s)",
			 conf, strerror(-r));
	r = netwatch_new(k->loop, on_network, k, &k->network);
	if (r < 0)
		log_warn(log, "changes of the host's network are not followed "
			      "(netlink: %s)", strerror(-r));
}

/* Where machines come and go, the first addresses of the pool are kept for
 * those whose MAC is known, so that ports can be forwarded to them. */
static void keep_addresses(struct keeper *k)
{
	struct plan_netdev *n = plan_gateway(&k->plan);
	struct msg_user_add *m = n ? &n->order.user_add : NULL;
	addr last;
	uint32_t size;

	if (!n || !k->c->network || !k->c->network->is_shared)
		return;
	last = prefix_broadcast(&m->v4.net);
	if (!addr_is_unspecified(&m->serving.dhcp_last))
		last = m->serving.dhcp_last;
	size = addr_u32(&last) - addr_u32(&m->dhcp_start4);
	m->n_kept = size / 2 < KEPT_MAX ? size / 2 : KEPT_MAX;
}

static int start(struct keeper *k)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	const struct keeper_config *c = k->c;
	struct plan_args args = {
		.specs = c->specs,
		.n_specs = c->n_specs,
		.log = c->log,
		.deny = c->deny,
		.dir = c->network ? c->network->dir : NULL,
	};
	const char *conf = c->resolv_conf ? c->resolv_conf : "/etc/resolv.conf";
	json_t *past = NULL;
	struct mhd mhd;
	int r;

	/* Without it nothing on the host is to be changed. */
	if (c->network && mhd_load(&mhd, &k->error) < 0)
		return -ENOENT;
	r = loop_new(&k->loop);
	if (r == 0)
		k->start_ns = *loop_now(k->loop);
	if (r == 0)
		r = sigwatch_new(k->loop, signals, array_len(signals),
				 on_signal, k, &k->signals);
	if (r == 0)
		r = counters_open(&k->counters);
	if (r == 0 && k->starter.fd >= 0)
		r = loop_add_level(k->loop, &k->starter, EPOLLIN);
	if (r < 0)
		return error_errno(&k->error, r, "keeper");
	if (c->network && !c->network->in_front &&
	    (c->network->is_shared || c->network->state))
		timer_arm(loop_wheel(k->loop), &k->log_timer,
			  *loop_now(k->loop) + LOG_LOOK_NS);
	if (c->network && c->network->state)
		past = json_loads(c->network->state, 0, NULL);
	args.port_before = past ? state_port : NULL;
	args.past = past;
	r = plan_open(&k->plan, &args, &k->error);
	json_decref(past);
	if (r < 0)
		return r;
	keep_addresses(k);
	k->leases = leases_open(k);
	router_forward(&k->plan); /* the netdevs' own */
	if (c->network && c->network->state)
		state_restore(k);
	watch_host(k, conf);
	return engine_link_start(k);
}

int keeper_run(const struct keeper_config *c, struct error *e)
{
	struct keeper k = {
		.c = c,
		.engine = {.sock = -1},
		.counters = COUNTERS_NULL,
		.refuser = {{.fd = -1}, {.fd = -1}},
		.starter = {.fd = c->network ? c->network->starter_fd : -1,
			    .fn = on_starter},
		.is_kept = c->network && c->network->is_kept,
		.error = ERROR_NULL,
	};
	int r;

	k.plan = PLAN_INIT(k.plan);
	list_init(&k.machines);
	list_init(&k.captures);
	looks_init(&k);
	list_init(&k.whys);
	timer_init(&k.log_timer, on_log);
	state_init(&k);
	timer_init(&k.beside_timer, beside_tick);
	k.n_files = rlimit_raise_nofile();
	r = start(&k);
	if (r == 0)
		r = loop_run(k.loop);
	if (r == 0 && k.error.code != EXIT_DONE)
		r = -EIO;
	k.is_stopping = true;
	captures_stop(&k);
	looks_end(&k);
	whys_end(&k);
	control_close(&k);
	captures_free(&k);
	list_each_safe(mt, &k.machines)
		machine_detach(container_of(mt, struct machine, link));
	list_each_safe(it, &k.plan.netdevs)
		client_stop(&k, container_of(it, struct plan_netdev, link));
	list_each(vt, &k.plan.netdevs) { /* not safe: its plugs go */
		vde_server_stop(container_of(vt, struct plan_netdev, link));
		vde_client_stop(container_of(vt, struct plan_netdev, link));
	}
	engine_link_stop(&k);
	counters_close(&k.counters);
	k.leases = leases_close(k.leases);
	guestfwd_stop(&k);
	http_close(&k);
	refuse_stop(&k);
	resolv_watch_free(k.resolv);
	netwatch_free(k.network);
	if (k.loop) {
		timer_disarm(loop_wheel(k.loop), &k.log_timer);
		timer_disarm(loop_wheel(k.loop), &k.state_timer);
		timer_disarm(loop_wheel(k.loop), &k.beside_timer);
	}
	events_deinit(&k.events);
	plan_close(&k.plan);
	sigwatch_free(k.signals);
	if (k.starter.fd >= 0) {
		loop_del(k.loop, &k.starter);
		fd_close(&k.starter.fd);
	}
	loop_free(k.loop);
	if (r < 0) {
		error_set(&k.error, EXIT_FAILED, "%s", strerror(-r));
		*e = k.error;
	}
	return r;
}

int keeper_deny_parse(const char *text)
{
	static const struct {
		const char *word;
		int bit;
	} words[] = {
		{"peek_off", ENGINE_DENY_PEEK_OFF},
		{"ping", ENGINE_DENY_PING},
		{"gso", ENGINE_DENY_GSO},
		{"vnet_hdr", ENGINE_DENY_VNET_HDR},
	};
	int bits = 0;

	while (*text) {
		size_t len = strcspn(text, ",");
		size_t i;

		for (i = 0; i < array_len(words); i++) {
			if (strlen(words[i].word) == len &&
			    strncmp(words[i].word, text, len) == 0)
				break;
		}
		if (i == array_len(words))
			return -1;
		bits |= words[i].bit;
		text += len;
		text += *text == ',';
	}
	return bits;
}
