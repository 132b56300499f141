/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network boot of the netdev user: the folder of tftp= is opened here, and each
 * file that a guest asks for; the engine gets descriptors of ordinary files and
 * no names.  Which boot programs the folder has is looked at when the network
 * starts, and again whenever something comes into it or goes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/bootfiles.h"
#include "base/mem.h"
#include "grammar/nearest.h"
#include "grammar/user_opts.h"
#include "keeper/keeper_priv.h"
#include "os/rooted.h"
#include "os/sock.h"

struct plan_boot {
	const struct plan_netdev *netdev; /* borrowed: whose it is, and whose
					   * boot_dir is the folder */
	const char *path;     /* borrowed from the spec: of the folder */
	struct msg_boot told; /* as the engine is told */
	struct keeper *keeper; /* borrowed; NULL: not followed yet */
	struct loop_io io;    /* inotify; fd -1: not followed */
};

static void put_path(const struct msg_boot *m, const char *name,
		     char path[static ENGINE_TFTP_LEN])
{
	snprintf(path, ENGINE_TFTP_LEN, "%s%s%s", m->bootfile,
		 m->bootfile[0] ? "/" : "", name);
}

/* Which of the names known are there; true: others than before. */
static bool look(struct plan_boot *b)
{
	struct msg_boot *m = &b->told;
	uint64_t found = 0;
	char path[ENGINE_TFTP_LEN];
	bool changed;

	for (unsigned i = 0; boot_files[i].name; i++) {
		put_path(m, boot_files[i].name, path);
		if (rooted_has(b->netdev->boot_dir, path, S_IFREG))
			found |= UINT64_C(1) << i;
	}
	changed = found != m->found;
	m->found = found;
	return changed;
}

/* The name of a file that is everybody's, or a folder of the folder's.  Without
 * slashes in front and behind, which say nothing in both. */
static void take_bootfile(struct plan_boot *b, const char *name)
{
	struct msg_boot *m = &b->told;
	const char *inside = name + strspn(name, "/");
	const int dir = b->netdev->boot_dir;
	size_t len = strlen(inside);

	while (len && inside[len - 1] == '/')
		len--;
	snprintf(m->bootfile, sizeof(m->bootfile), "%.*s", (int)len, inside);
	m->is_folder = dir >= 0 &&
		       (!len || rooted_has(dir, m->bootfile, S_IFDIR));
	if (!m->is_folder)
		snprintf(m->bootfile, sizeof(m->bootfile), "%s", name);
}

/* Its address is told by IPv4; a name may be one that machines know and this
 * host does not, and then it alone is told. */
static void take_server(struct plan_boot *b, const char *name)
{
	struct endpoint ep;

	snprintf(b->told.server_name, sizeof(b->told.server_name), "%s", name);
	if (sock_resolve_as(name, "69", SOCK_V4, &ep, NULL) == 0)
		b->told.server4 = ep.ip;
}

int boot_open(struct plan_netdev *n, const struct user_opts *o, struct error *e)
{
	struct plan_boot *b;

	if (!o->tftp && !o->bootfile && !o->tftp_server_name)
		return 0;
	b = calloc(1, sizeof(*b));
	if (!b)
		return error_errno(e, ENOMEM, "user");
	b->io.fd = -1;
	b->netdev = n;
	b->told.port = n->id;
	n->boot = b;
	b->path = o->tftp;
	if (o->tftp) {
		n->boot_dir = rooted_dir(o->tftp, e);
		if (n->boot_dir < 0) {
			error_prefix(e, "user: tftp=");
			return -1;
		}
		b->told.has_tftp = true;
	}
	if (o->bootfile)
		take_bootfile(b, o->bootfile);
	if (o->tftp_server_name)
		take_server(b, o->tftp_server_name);
	if (n->boot_dir >= 0)
		(void)look(b);
	return 0;
}

void boot_free(struct plan_netdev *n)
{
	struct plan_boot *b = n->boot;

	if (!b)
		return;
	if (b->io.fd >= 0)
		loop_del(b->keeper->loop, &b->io);
	fd_close(&b->io.fd);
	free(b);
	n->boot = NULL;
}

static int tell(struct keeper *k, const struct plan_boot *b)
{
	union engine_msg m = {.boot = b->told};

	return engine_link_send(k, &m, ENGINE_MSG_BOOT, NULL, 0);
}

static void on_change(struct loop_io *io, uint32_t events)
{
	struct plan_boot *b = container_of(io, struct plan_boot, io);
	char drained[4096];

	(void)events;
	while (read(io->fd, drained, sizeof(drained)) > 0)
		continue;
	if (look(b))
		(void)tell(b->keeper, b); /* or a new engine is told */
}

static void watch(const struct plan_boot *b, const char *below)
{
	const int dir = b->netdev->boot_dir;
	char path[32 + ENGINE_TFTP_LEN];

	/* A part that is not there, or leads out, has no files either. */
	if (below[0] && !rooted_has(dir, below, S_IFDIR))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, below);
	(void)inotify_add_watch(b->io.fd, path,
				IN_ONLYDIR | IN_CREATE | IN_DELETE |
					IN_MOVED_FROM | IN_MOVED_TO);
}

/* What changes deeper than in the two folders that people put their files into
 * shows with the next change there. */
static void follow(struct keeper *k, struct plan_boot *b)
{
	b->keeper = k;
	b->io.fn = on_change;
	b->io.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (b->io.fd >= 0 && loop_add_level(k->loop, &b->io, EPOLLIN) < 0)
		fd_close(&b->io.fd);
	if (b->io.fd < 0) {
		log_warn(k->c->log,
			 "tftp=%s: boot files that come later are not offered "
			 "by themselves (inotify: %s)",
			 b->path, strerror(errno));
		return;
	}
	watch(b, "");
	if (b->told.is_folder && b->told.bootfile[0])
		watch(b, b->told.bootfile);
	(void)look(b); /* since it was opened */
}

int boot_tell(struct keeper *k, const struct plan_netdev *n)
{
	if (!n->boot)
		return 0;
	if (n->boot_dir >= 0 && !n->boot->keeper &&
	    (!n->boot->told.bootfile[0] || n->boot->told.is_folder))
		follow(k, n->boot);
	return tell(k, n->boot);
}

void tftp_want(struct keeper *k, const struct msg_tftp_want *w)
{
	const struct plan_netdev *n = plan_find(&k->plan, w->port);
	union engine_msg m = {.tftp_file = {.port = w->port,
					    .number = w->number}};
	CLEANUP_FD int fd = -ENOENT;
	char name[QUOTE_LEN];
	struct stat st = {.st_size = 0};

	if (n && n->boot_dir >= 0)
		fd = rooted_open(n->boot_dir, w->path, &st);
	m.tftp_file.err = fd < 0 ? -fd : 0;
	m.tftp_file.size = (uint64_t)st.st_size;
	log_debug(k->c->log, "tftp %s: %s", quote(name, w->path),
		  fd < 0 ? strerror(-fd) : "opened");
	/* An engine that is gone asks no more. */
	(void)engine_link_send(k, &m, ENGINE_MSG_TFTP_TAKE, &fd, fd >= 0);
}

void boot_say(const struct plan_netdev *n, struct log *log)
{
	const struct plan_boot *b = n->boot;
	char text[512] = "";
	size_t at = 0;
	enum boot_class last = BOOT_NONE;

	if (!b || n->boot_dir < 0)
		return;
	if (b->told.bootfile[0] && !b->told.is_folder) {
		log_info(log, "tftp %s, boot file %s", b->path,
			 b->told.bootfile);
		return;
	}
	/* The first of each class is what it boots; rows are by class. */
	for (unsigned i = 0; boot_files[i].name && at < sizeof(text); i++) {
		const struct boot_file *f = &boot_files[i];

		if (!(b->told.found >> i & 1) || f->class == last)
			continue;
		last = f->class;
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "%s %s: %s", at ? "," : ", boot files",
				       boot_class_name(last), f->name);
	}
	log_info(log, "tftp %s%s", b->path, text);
}
