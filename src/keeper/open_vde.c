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
 * in it; what is made there is of its group. */
static mode_t folder_mode(mode_t mode)
{
	mode_t bits = S_ISGID | mode;

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

/* Listens in the folder, which is there. */
static int open_ctl(struct vde_server *s, bool is_made, struct error *e)
{
	const mode_t folder = folder_mode(s->mode);
	struct stat st;
	bool is_left;

	snprintf(s->ctl, sizeof(s->ctl), "%.90s/ctl", s->dir);
	is_left = lstat(s->ctl, &st) == 0;
	s->fd = sock_listen_unix(s->ctl, false, false, e);
	if (s->fd < 0)
		return s->fd;
	s->removes_dir = is_made || is_left;
	sweep(s);
	/* A folder that somebody prepared keeps its permissions. */
	if (s->removes_dir && (chown(s->dir, (uid_t)-1, s->gid) < 0 ||
			       chmod(s->dir, folder) < 0))
		return error_errno(e, errno, "%s", s->dir);
	if (chown(s->ctl, (uid_t)-1, s->gid) < 0 ||
	    chmod(s->ctl, s->mode) < 0)
		return error_errno(e, errno, "%s", s->ctl);
	return 0;
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
	if (r == 0)
		r = vde_group(n, &s->gid, e);
	if (r < 0)
		return r;
	s->mode = o.mode & 0666;
	s->max = (unsigned)spec_u64(n->spec, "max");
	if (!o.folder[0])
		snprintf(o.folder, sizeof(o.folder), "%s",
			 geteuid() == 0 ? "/var/run/vde.ctl" : "/tmp/vde.ctl");
	r = open_folder(s, o.folder, e);
	if (r == 0 && mgmt)
		r = vde_mgmt_open(s, mgmt, e);
	if (r == 0)
		log_info(n->log, "%s: VDE switch at %s%s%s", n->name, s->dir,
			 mgmt ? ", its console at " : "", mgmt ? mgmt : "");
	return r;
}

int open_vde(struct plan_netdev *n, struct error *e)
{
	return spec_bool(n->spec, "server") ? vde_server_open(n, e)
					    : vde_client_open(n, e);
}
