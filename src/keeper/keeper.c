/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's life: open, start, serve until told to end, undo. */
#include "keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/keeper_priv.h"
#include "os/fdpass.h"
#include "os/rlimit.h"

/* As long as a machine may take to find a new engine. */
#define LONELY_NS UINT64_C(2000000000)

void keeper_fail(struct keeper *k)
{
	error_set(&k->error, EXIT_FAILED, "internal failure");
	k->is_stopping = true;
	loop_stop(k->loop);
}

void keeper_check_ready(struct keeper *k)
{
	if (k->is_ready || !k->engine.synced)
		return;
	list_each(it, &k->plan.netdevs) {
		struct plan_netdev *n =
			container_of(it, struct plan_netdev, link);

		/* One that may retry for ever holds nobody up. */
		if (n->is_waiting && !n->reconnect_ms)
			return;
	}
	k->is_ready = true;
	plan_say(&k->plan, k->c->say);
	if (k->c->ready)
		k->c->ready(k->c->arg);
}

static void stop(struct keeper *k)
{
	k->is_stopping = true;
	loop_stop(k->loop);
}

void keeper_machine(struct keeper *k, bool is_here)
{
	if (is_here)
		k->n_machines++;
	else if (k->n_machines)
		k->n_machines--;
	if (k->life_is_over && !k->n_machines)
		stop(k);
}

static void on_lonely(struct timer *t, uint64_t now_ns)
{
	struct keeper *k = container_of(t, struct keeper, lonely);

	(void)now_ns;
	if (!k->n_machines)
		stop(k);
}

void keeper_no_machines(struct keeper *k)
{
	k->n_machines = 0;
	if (k->life_is_over)
		timer_arm(loop_wheel(k->loop), &k->lonely,
			  *loop_now(k->loop) + LONELY_NS);
}

static void reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->engine.pid)
			engine_link_ended(k, status);
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

/* life_fd brought the pidfd of the process we live for, or ended. */
static void on_life(struct loop_io *io, uint32_t events)
{
	struct keeper *k = container_of(io, struct keeper, life);
	int fd = -1;
	unsigned n_fds = 0;
	char byte;
	ssize_t n;

	(void)events;
	if (k->life_is_pidfd) {
		/* A VMM that made itself a daemon left a child behind that
		 * still uses the network: its cable tells when it ends. */
		loop_del(k->loop, io);
		k->life_is_over = true;
		if (!k->n_machines)
			stop(k);
		return;
	}
	n = fd_recv(io->fd, &byte, sizeof(byte), &fd, 1, &n_fds);
	if (n == -EAGAIN || n == -EINTR)
		return;
	loop_del(k->loop, io);
	close(io->fd);
	io->fd = fd;
	k->life_is_pidfd = true;
	if (n <= 0 || n_fds != 1 || loop_add_level(k->loop, io, EPOLLIN) < 0)
		stop(k);
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
	};
	const char *conf = c->resolv_conf ? c->resolv_conf : "/etc/resolv.conf";
	int r;

	r = loop_new(&k->loop);
	if (r == 0)
		r = sigwatch_new(k->loop, signals, array_len(signals),
				 on_signal, k, &k->signals);
	if (r == 0 && c->life_fd >= 0) {
		k->life = (struct loop_io){.fd = c->life_fd, .fn = on_life};
		r = loop_add_level(k->loop, &k->life, EPOLLIN);
	}
	if (r < 0)
		return error_errno(&k->error, r, "keeper");
	r = plan_open(&k->plan, &args, &k->error);
	if (r < 0)
		return r;
	watch_host(k, conf);
	return engine_link_start(k);
}

int keeper_run(const struct keeper_config *c, struct error *e)
{
	struct keeper k = {
		.c = c,
		.engine = {.sock = -1},
		.refuser = {.fd = -1},
		.life = {.fd = -1},
		.error = ERROR_NULL,
	};
	int r;

	list_init(&k.plan.netdevs);
	timer_init(&k.lonely, on_lonely);
	k.n_files = rlimit_raise_nofile();
	r = start(&k);
	if (r == 0)
		r = loop_run(k.loop);
	if (r == 0 && k.error.code != EXIT_DONE)
		r = -EIO;
	k.is_stopping = true;
	list_each_safe(it, &k.plan.netdevs)
		client_stop(&k, container_of(it, struct plan_netdev, link));
	engine_link_stop(&k);
	guestfwd_stop(&k);
	refuse_stop(&k);
	resolv_watch_free(k.resolv);
	netwatch_free(k.network);
	if (k.loop)
		timer_disarm(loop_wheel(k.loop), &k.lonely);
	plan_close(&k.plan);
	sigwatch_free(k.signals);
	if (k.life.fd >= 0) {
		loop_del(k.loop, &k.life);
		fd_close(&k.life.fd);
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
