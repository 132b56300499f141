/* SPDX-License-Identifier: BSD-3-Clause */
/* Opener of vde: a switch's folder, made or taken over, or a client's options;
 * the rest begins with the keeper's loop (vde_server.c, vde_client.c). */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "grammar/vde_opts.h"
#include "keeper/vde.h"
#include "os/file.h"
#include "os/sock.h"

int vde_group(const struct plan_netdev *n, gid_t *gidp, struct error *e)
{
	const char *name = spec_str(n->spec, "group");
	const struct group *gr;
	unsigned long id;
	char *end;

	*gidp = (gid_t)-1;
	if (!name)
		return 0;
	gr = getgrnam(name);
	if (gr) {
		*gidp = gr->gr_gid;
		return 0;
	}
	id = strtoul(name, &end, 10);
	if (end == name || *end || id >= UINT32_MAX)
		return error_set(e, EXIT_NO_OBJECT,
				 "vde: there is no group '%s'", name);
	*gidp = (gid_t)id;
	return 0;
}

/* The bits of a folder in which those may go who have a right to the sockets
 * in it; what is made there is of its group, and only its maker's to remove. */
static mode_t folder_mode(mode_t mode)
{
	mode_t bits = S_ISGID | mode | (mode & 022 ? S_ISVTX : 0);

	for (unsigned shift = 0; shift <= 6; shift += 3) {
		if (mode & (06u << shift))
			bits |= 01u << shift;
	}
	return bits;
}

/* Data sockets that a killed server left. */
static void sweep(const struct vde_server *s)
{
	DIR *d = opendir(s->dir);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char path[sizeof(s->dir) + 32];
		unsigned port, serial;
		char end;

		if (sscanf(entry->d_name, "%5u.%10u%c", &port, &serial,
			   &end) != 2)
			continue;
		snprintf(path, sizeof(path), "%s/%.20s", s->dir,
			 entry->d_name);
		sock_remove_unix(path);
	}
	if (d)
		closedir(d);
}

static bool is_ours(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 && st.st_uid == geteuid();
}

/* Listens in the folder, which is there. */
static int open_ctl(struct vde_server *s, bool is_made, struct error *e)
{
	bool is_left;
	int r;

	snprintf(s->ctl, sizeof(s->ctl), "%.90s/ctl", s->dir);
	is_left = is_ours(s->ctl) && is_ours(s->dir);
	s->fd = sock_listen_unix(s->ctl, false, false, e);
	if (s->fd < 0)
		return s->fd;
	s->removes_dir = is_made || is_left;
	sweep(s);
	r = file_give(s->ctl, S_IFSOCK | s->mode, (uid_t)-1, s->gid);
	if (r < 0)
		return error_errno(e, r, "%s", s->ctl);
	/* A folder that somebody prepared keeps its permissions. */
	if (s->removes_dir)
		r = file_give(s->dir, S_IFDIR | folder_mode(s->mode),
			      (uid_t)-1, s->gid);
	return r < 0 ? error_errno(e, r, "%s", s->dir) : 0;
}

static int open_folder(struct vde_server *s, const char *name, struct error *e)
{
	bool is_made = mkdir(name, 0700) == 0;
	CLEANUP_FREE char *real = NULL;
	struct stat st;
	int r;

	if (!is_made && errno != EEXIST)
		return error_errno(e, errno, "cannot make the folder %s", name);
	if (stat(name, &st) < 0)
		return error_errno(e, errno, "%s", name);
	if (!S_ISDIR(st.st_mode))
		return error_set(e, EXIT_CONFLICT,
				 "%s: exists and is not a folder; remove it or "
				 "use another sock=",
				 name);
	real = realpath(name, NULL);
	if (!real)
		return error_errno(e, errno, "%s", name);
	if (strlen(real) > VDE_FOLDER_MAX)
		r = error_set(e, EXIT_USAGE,
			      "vde: the folder '%s' is too long (at most %d "
			      "bytes)",
			      real, VDE_FOLDER_MAX);
	else {
		snprintf(s->dir, sizeof(s->dir), "%s", real);
		r = open_ctl(s, is_made, e);
	}
	if (r < 0 && is_made && s->fd < 0)
		rmdir(name);
	return r;
}

/* Anybody may have made the one in /tmp, and could then put what he likes in
 * the place of our sockets. */
static int standard_folder(char name[VDE_FOLDER_MAX + 1], struct error *e)
{
	bool is_root = geteuid() == 0;
	struct stat st;

	snprintf(name, VDE_FOLDER_MAX + 1, "%s",
		 is_root ? "/var/run/vde.ctl" : "/tmp/vde.ctl");
	if (!is_root && lstat(name, &st) == 0 && st.st_uid != 0 &&
	    st.st_uid != geteuid())
		return error_set(e, EXIT_PERMISSION,
				 "vde: the standard folder %s is user %u's; "
				 "name another by sock=",
				 name, (unsigned)st.st_uid);
	return 0;
}

/* Our standard input is one netdev's at most, and nobody's in a keeper that
 * is in the background. */
static int check_stdio(const struct plan_netdev *n, struct error *e)
{
	if (n->plan->dir)
		return error_set(e, EXIT_USAGE,
				 "vde: mgmt=- is for vmlan join, which is in "
				 "the foreground; name a socket by mgmt=PATH");
	list_each(it, &n->plan->netdevs) {
		const struct plan_netdev *other =
			container_of(it, struct plan_netdev, link);
		const struct vde_server *s = other->vde_server;

		if (other != n && s && s->mgmt && !vde_mgmt_path(s->mgmt))
			return error_set(e, EXIT_USAGE,
					 "vde: mgmt=- is %s's already; name a "
					 "socket by mgmt=PATH",
					 other->name);
	}
	return 0;
}

int vde_server_open(struct plan_netdev *n, struct error *e)
{
	struct vde_server *s = calloc(1, sizeof(*s));
	const char *mgmt = spec_str(n->spec, "mgmt");
	struct vde_opts o;
	int r;

	if (!s)
		return error_errno(e, ENOMEM, "vde");
	n->vde_server = s;
	s->netdev = n;
	s->fd = -1;
	list_init(&s->comers);
	list_init(&s->plugs);
	list_init(&s->ports.all);
	r = vde_opts_get(n->spec, &o, e);
	if (r == 0 && mgmt && vde_mgmt_is_stdio(mgmt))
		r = check_stdio(n, e);
	if (r == 0)
		r = vde_group(n, &s->gid, e);
	if (r < 0)
		return r;
	s->mode = o.mode & 0666;
	s->max = (unsigned)spec_u64(n->spec, "max");
	if (!o.folder[0])
		r = standard_folder(o.folder, e);
	if (r == 0)
		r = open_folder(s, o.folder, e);
	if (r == 0 && mgmt)
		r = vde_mgmt_open(s, mgmt, e);
	if (r == 0)
		log_info(n->log, "%s: VDE switch at %s%s%s", n->name, s->dir,
			 mgmt ? ", its console at " : "",
			 !mgmt				? ""
			 : vde_mgmt_is_stdio(mgmt) ? "standard input"
						   : mgmt);
	return r;
}

int open_vde(struct plan_netdev *n, struct error *e)
{
	return spec_bool(n->spec, "server") ? vde_server_open(n, e)
					    : vde_client_open(n, e);
}
