/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our own plug in a VDE switch; see vde.h.
 *
 *	        connected, request sent     answered
 *	idle -------------------------> asking ------> served
 *	 ^                                | refused, late  | switch gone
 *	 +-------- retry timer <----------+----------------+
 *
 * The first attempt must succeed, or the keeper ends, unless it has taken the
 * place of one that was killed; after that it connects again for ever, in steps
 * from VDE_RETRY_MIN_NS to VDE_RETRY_MAX_NS (struct vde_wait).
 *
 * This is not libvdeplug's work, for it blocks until the switch answers, has
 * one errno for all that can go wrong, and loads its plug-ins in a way
 * (RTLD_DEEPBIND) that a program with sanitizers does not survive.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "grammar/vde_opts.h"
#include "keeper/vde.h"
#include "os/file.h"
#include "os/sock.h"

#define VDE_ANSWER_NS	 UINT64_C(5000000000)

enum {
	NAMES_MAX = 1000,  /* of data sockets that are tried in a folder */
	FOLDER_LEN = 512, /* of a candidate */
};

struct vde_client {
	struct plan_netdev *netdev; /* borrowed */
	struct keeper *keeper;	    /* borrowed; NULL before it is started */
	struct vde_opts opts;
	gid_t gid; /* of our data socket; -1: as it comes */
	struct loop_io ctl; /* fd: owned; -1 while idle */
	int data;	    /* owned; while asking: not connected yet */
	char path[108];	    /* of our data socket while asking; "" */
	char dir[FOLDER_LEN]; /* of the switch that is asked or serves */
	uint8_t in[VDE_REPLY_LEN];
	size_t n_in;
	struct timer timer; /* asking: too late; idle: try again */
	struct vde_wait wait;
	uint64_t begun_ns; /* when the first attempt was made */
	bool was_served;   /* at least once */
	bool may_wait;	   /* the same, or by a keeper that was killed */
};

static void attempt(struct vde_client *c);

static void arm(struct vde_client *c, uint64_t ns)
{
	struct loop *loop = c->keeper->loop;

	timer_arm(loop_wheel(loop), &c->timer, *loop_now(loop) + ns);
}

uint64_t vde_wait_next(struct vde_wait *w)
{
	uint64_t ns = w->next_ns ? w->next_ns : VDE_RETRY_MIN_NS;

	w->next_ns = ns < VDE_RETRY_MAX_NS / 2 ? ns * 2 : VDE_RETRY_MAX_NS;
	return ns;
}

void vde_wait_served(struct vde_wait *w, uint64_t now_ns)
{
	w->served_ns = now_ns;
}

void vde_wait_lost(struct vde_wait *w, uint64_t now_ns)
{
	if (now_ns - w->served_ns >= VDE_LASTED_NS)
		w->next_ns = 0;
}

static void ask_later(struct vde_client *c)
{
	uint64_t ns = vde_wait_next(&c->wait);

	log_debug(c->netdev->log, "%s: asks again in %u ms", c->netdev->name,
		  (unsigned)(ns / 1000000));
	arm(c, ns);
}

/* Gives up what an attempt, or a switch, had. */
static void let_go(struct vde_client *c)
{
	if (c->ctl.fd >= 0)
		loop_del(c->keeper->loop, &c->ctl);
	fd_close(&c->ctl.fd);
	fd_close(&c->data);
	if (c->path[0])
		unlink(c->path);
	c->path[0] = '\0';
	c->n_in = 0;
	timer_disarm(loop_wheel(c->keeper->loop), &c->timer);
}

static void failed(struct vde_client *c, const struct error *e)
{
	struct keeper *k = c->keeper;

	let_go(c);
	if (!c->may_wait) {
		error_set(&k->error, e->code, "%s: %s", c->netdev->name,
			  e->text);
		keeper_fail(k);
		return;
	}
	/* Once, and of one that was plugged in it is known. */
	log_line(c->netdev->log,
		 c->was_served || c->wait.next_ns ? LOG_LEVEL_DEBUG
						  : LOG_LEVEL_WARN,
		 "%s: %s", c->netdev->name, e->text);
	ask_later(c);
}

/* ---- our data socket ---- */

/* As libvdeplug does: a switch of another user's must be able to write to our
 * socket, for which it is its group's, or anybody's, until it is connected. */
static int give_data(struct vde_client *c, struct error *e)
{
	const mode_t mode = S_IFSOCK | c->opts.mode;
	char ctl[FOLDER_LEN + 8];
	struct stat st;
	int r;

	snprintf(ctl, sizeof(ctl), "%s/ctl", c->dir);
	if (c->gid == (gid_t)-1 && !(mode & 077) && stat(ctl, &st) == 0 &&
	    st.st_uid != 0 && st.st_uid != geteuid()) {
		if (file_give(c->path, mode | 070, (uid_t)-1, st.st_gid) == 0)
			return 0;
		r = file_give(c->path, mode | 077, (uid_t)-1, (gid_t)-1);
	} else {
		r = file_give(c->path, mode, (uid_t)-1, c->gid);
	}
	if (r < 0 && c->gid != (gid_t)-1)
		return error_errno(e, r, "cannot give %s to group %s", c->path,
				   spec_str(c->netdev->spec, "group"));
	return r < 0 ? error_errno(e, r, "%s", c->path) : 0;
}

/* Binds c->data in the folder under libvdeplug's names. */
static bool bind_in(struct vde_client *c, const char *dir, const char *start)
{
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		char path[FOLDER_LEN + 64];
		struct sockaddr_un sa;

		snprintf(path, sizeof(path), "%s/%s.%05d-%05u", dir, start,
			 (int)getpid(), i);
		if (!vde_address(path, &sa))
			return false;
		if (bind(c->data, (const struct sockaddr *)&sa, sizeof(sa)) ==
		    0) {
			memcpy(c->path, sa.sun_path, sizeof(c->path));
			return true;
		}
		if (errno != EADDRINUSE)
			return false;
	}
	return false;
}

/* What a killed keeper of ours left in the folder. */
static void sweep(const char *dir)
{
	CLEANUP_FREE char *path = malloc(FOLDER_LEN + NAME_MAX + 2);
	DIR *d = path ? opendir(dir) : NULL;
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		unsigned pid, i;
		struct stat st;
		char end;

		if (sscanf(entry->d_name, ".%7u-%7u%c", &pid, &i, &end) != 2)
			continue;
		snprintf(path, FOLDER_LEN + NAME_MAX + 2, "%s/%s", dir,
			 entry->d_name);
		if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		    st.st_uid == geteuid())
			sock_remove_unix(path); /* what lives stays */
	}
	if (d)
		closedir(d);
}

static int make_data(struct vde_client *c, struct error *e)
{
	static const char *const elsewhere[] = {"/var/run", "/var/tmp",
						"/tmp"};
	bool is_bound;

	c->data = sock_dgram_unix_tx(e);
	if (c->data < 0)
		return c->data;
	/* Until it is served, and not once only: a switch that was away when a
	 * killed keeper was replaced has the names of that one still. */
	if (!c->was_served)
		sweep(c->dir);
	is_bound = bind_in(c, c->dir, "");
	for (size_t i = 0; i < array_len(elsewhere) && !is_bound; i++)
		is_bound = bind_in(c, elsewhere[i], "vde");
	if (!is_bound)
		return error_errno(e, errno,
				   "no place for a socket in %s, nor in /tmp",
				   c->dir);
	return give_data(c, e);
}

/* ---- asking ---- */

/* Connects to one candidate: the descriptor, or -errno. */
static int connect_ctl(struct vde_client *c, const char *dir)
{
	CLEANUP_FD int fd = socket(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CLEANUP_FREE char *real = realpath(dir, NULL);
	char path[FOLDER_LEN + 8];
	struct sockaddr_un sa;

	if (fd < 0)
		return -errno;
	if (!real)
		return -errno;
	/* The switch is told where we are: it has another working folder. */
	if (snprintf(c->dir, sizeof(c->dir), "%s", real) >=
	    (int)sizeof(c->dir))
		return -ENAMETOOLONG;
	snprintf(path, sizeof(path), "%s/ctl", c->dir);
	if (!vde_address(path, &sa))
		return -ENAMETOOLONG;
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return fd_steal(&fd);
}

/* In the order of libvdeplug; n-th, NULL: no more. */
static const char *candidate(unsigned n, char buf[FOLDER_LEN])
{
	static const char *const of_home[] = {"/.vdeplug/default",
					      "/.vde2/default.switch"};
	static const char *const of_host[] = {"/var/run/vde.ctl",
					      "/tmp/vde.ctl"};
	const char *home = getenv("HOME");

	if (n < array_len(of_home)) {
		if (!home || snprintf(buf, FOLDER_LEN, "%s%s", home,
				      of_home[n]) >= FOLDER_LEN)
			buf[0] = '\0';
		return buf;
	}
	n -= array_len(of_home);
	return n < array_len(of_host) ? of_host[n] : NULL;
}

static int connect_any(struct vde_client *c)
{
	char buf[FOLDER_LEN];
	const char *dir;
	int r = -ENOENT;

	for (unsigned i = 0; (dir = candidate(i, buf)); i++) {
		if (!*dir)
			continue;
		r = connect_ctl(c, dir);
		if (r != -ENOENT && r != -ECONNREFUSED && r != -ENOTDIR)
			return r;
	}
	return r;
}

static int no_switch(const struct vde_client *c, int err, struct error *e)
{
	const char *dir = c->opts.folder[0] ? c->opts.folder
					    : "the standard places";

	if (err == -ENOENT || err == -ECONNREFUSED || err == -ENOTDIR)
		return error_set(e, EXIT_NO_OBJECT,
				 "there is no VDE switch at %s (%s); start "
				 "one, or name its folder by sock=",
				 dir, strerror(-err));
	return error_errno(e, err, "VDE switch at %s", dir);
}

static int send_request(struct vde_client *c)
{
	struct vde_request r = {.port = c->opts.port};
	uint8_t buf[VDE_REQUEST_MAX];
	size_t n;

	snprintf(r.about, sizeof(r.about), "vmlan %s user=%u pid=%d",
		 c->netdev->name, (unsigned)geteuid(), (int)getpid());
	if (!vde_address(c->path, &r.data))
		return -ENAMETOOLONG;
	n = vde_request_emit(&r, buf);
	return send(c->ctl.fd, buf, n, MSG_NOSIGNAL) == (ssize_t)n ? 0
								   : -EPIPE;
}

static int ask(struct vde_client *c, struct error *e)
{
	int r = make_data(c, e);

	if (r < 0)
		return r;
	r = send_request(c);
	if (r == 0)
		r = loop_add_level(c->keeper->loop, &c->ctl, EPOLLIN);
	if (r < 0)
		return error_errno(e, r, "VDE switch at %s", c->dir);
	arm(c, VDE_ANSWER_NS);
	return 0;
}

/* ---- its answers ---- */

static void serve(struct vde_client *c)
{
	struct plan_netdev *n = c->netdev;
	struct msg_dgram_add *m = &n->order.dgram_add;

	log_info(n->log, "%s: plugged into the VDE switch at %s%s", n->name,
		 c->dir, c->may_wait ? " again" : "");
	c->was_served = c->may_wait = true;
	vde_wait_served(&c->wait, *loop_now(c->keeper->loop));
	timer_disarm(loop_wheel(c->keeper->loop), &c->timer);
	unlink(c->path); /* who has to be connected to it is */
	c->path[0] = '\0';
	n->fds[0] = fd_steal(&c->data);
	n->n_fds = 1;
	m->port = n->id;
	m->lan = n->lan;
	m->is_connected = true;
	m->is_vde = true;
	m->is_uplink = true;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_DGRAM_ADD;
	engine_link_add(c->keeper, n);
	keeper_check_ready(c->keeper);
}

/* The switch closed the connection, or broke it. */
static void closed(struct vde_client *c)
{
	struct plan_netdev *n = c->netdev;
	struct error e = ERROR_NULL;

	if (n->order.head.type == ENGINE_MSG_NONE) {
		if (c->opts.port)
			error_set(&e, EXIT_CONFLICT,
				  "the VDE switch at %s refuses port %u: it "
				  "is taken, or not for us; use another port=",
				  c->dir, c->opts.port);
		else
			error_set(&e, EXIT_FAILED,
				  "the VDE switch at %s refuses us: it has no "
				  "free port, or may not reach our socket %s "
				  "(group=, mode=)",
				  c->dir, c->path);
		failed(c, &e);
		return;
	}
	log_warn(n->log,
		 "%s: the VDE switch at %s has gone; we plug in again when it "
		 "is back",
		 n->name, c->dir);
	engine_link_del(c->keeper, n);
	fd_close(&n->fds[0]);
	n->n_fds = 0;
	n->order.head.type = ENGINE_MSG_NONE;
	let_go(c);
	vde_wait_lost(&c->wait, *loop_now(c->keeper->loop));
	ask_later(c);
}

/* Points our data socket at the one that the switch has named. */
static void point(struct vde_client *c, const struct sockaddr_un *to,
		  struct error *e)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(c->ctl.fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		error_errno(e, errno, "VDE switch at %s", c->dir);
	else if (sock_dgram_unix_point_for(c->data, to->sun_path, who.uid, e) <
		 0)
		error_prefix(e, "VDE switch at %s: ", c->dir);
}

static void answered(struct vde_client *c)
{
	struct error e = ERROR_NULL;
	struct sockaddr_un sa;

	if (vde_reply_parse(c->in, &sa))
		point(c, &sa, &e);
	else
		error_set(&e, EXIT_FAILED,
			  "what is at %s does not answer as a VDE switch",
			  c->dir);
	if (e.code != EXIT_DONE)
		failed(c, &e);
	else
		serve(c);
}

static void on_ctl(struct loop_io *io, uint32_t events)
{
	struct vde_client *c = container_of(io, struct vde_client, ctl);
	bool is_served = c->netdev->order.head.type != ENGINE_MSG_NONE;
	uint8_t rest[VDE_REPLY_LEN];
	ssize_t n = recv(io->fd, is_served ? rest : c->in + c->n_in,
			 sizeof(rest) - (is_served ? 0 : c->n_in),
			 MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		closed(c);
		return;
	}
	if (is_served)
		return; /* it has nothing to say */
	c->n_in += (size_t)n;
	if (c->n_in == sizeof(c->in))
		answered(c);
}

/* ---- its life ---- */

static void on_timer(struct timer *t, uint64_t now_ns)
{
	struct vde_client *c = container_of(t, struct vde_client, timer);
	struct error e = ERROR_NULL;

	(void)now_ns;
	if (c->ctl.fd < 0) {
		attempt(c);
		return;
	}
	error_set(&e, EXIT_FAILED, "the VDE switch at %s does not answer",
		  c->dir);
	failed(c, &e);
}

static void attempt(struct vde_client *c)
{
	const uint64_t now = *loop_now(c->keeper->loop);
	struct error e = ERROR_NULL;
	int fd = c->opts.folder[0] ? connect_ctl(c, c->opts.folder)
				   : connect_any(c);

	if (fd == -EAGAIN && now - c->begun_ns < VDE_ANSWER_NS) {
		arm(c, VDE_RETRY_MIN_NS); /* many plug in at once */
		return;
	}
	if (fd < 0) {
		(void)no_switch(c, fd, &e);
		failed(c, &e);
		return;
	}
	c->ctl = (struct loop_io){.fd = fd, .fn = on_ctl};
	if (ask(c, &e) < 0)
		failed(c, &e);
}

int vde_client_open(struct plan_netdev *n, struct error *e)
{
	struct vde_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_errno(e, ENOMEM, "vde");
	n->vde_client = c;
	c->netdev = n;
	c->ctl.fd = -1;
	c->data = -1;
	timer_init(&c->timer, on_timer);
	r = vde_opts_get(n->spec, &c->opts, e);
	return r < 0 ? r : vde_group(n, &c->gid, e);
}

void vde_client_start(struct keeper *k, struct plan_netdev *n)
{
	struct vde_client *c = n->vde_client;

	if (!c || c->keeper)
		return;
	c->keeper = k;
	/* Another keeper's plug counts: its network goes on with no switch. */
	c->may_wait = k->c->network && k->c->network->state;
	c->begun_ns = *loop_now(k->loop);
	attempt(c);
}

bool vde_client_is_new(const struct plan_netdev *n)
{
	return n->vde_client && !n->vde_client->may_wait;
}

void vde_client_stop(struct plan_netdev *n)
{
	if (n->vde_client && n->vde_client->keeper)
		let_go(n->vde_client);
}

struct vde_client *vde_client_free(struct vde_client *c)
{
	free(c); /* stopped: it holds nothing */
	return NULL;
}
