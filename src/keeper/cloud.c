/* SPDX-License-Identifier: BSD-3-Clause */
/* user-data and meta-data of machines; see cloud.h. */
#include "keeper/cloud.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keeper/http.h"
#include "os/file.h"

enum { PATH_LEN = 144 };

static const char *part_path(const struct machine *m, enum cloud_part part,
			     char path[PATH_LEN])
{
	static const char *const names[] = {
		[CLOUD_USER_DATA] = "user-data",
		[CLOUD_META_DATA] = "meta-data",
	};

	_Static_assert(array_len(names) == CLOUD_N, "one for each");
	snprintf(path, PATH_LEN, "%s/cloud-%u.%s",
		 m->keeper->c->network->dir, m->plug, names[part]);
	return path;
}

/* The family that is served, IPv4 where both are. */
static const addr *server(const struct plan_netdev *n)
{
	const struct msg_user_add *u = &n->order.user_add;

	return u->v4.is_on ? &u->v4.dns : &u->v6.dns;
}

const char *cloud_url(struct keeper *k, char buf[CLOUD_URL_LEN])
{
	const struct plan_netdev *n = plan_gateway(&k->plan);
	char ip[ADDR_STRLEN];
	const addr *a;

	if (!n)
		return NULL;
	a = server(n);
	snprintf(buf, CLOUD_URL_LEN, addr_is_v4(a) ? "http://%s" HTTP_CLOUD
						   : "http://[%s]" HTTP_CLOUD,
		 addr_format(a, ip));
	return buf;
}

/* Somebody who asks would get something else, or nothing. */
static int check_served(const struct plan_netdev *n, const char *network,
			struct error *e)
{
	const struct endpoint ep = {.ip = *server(n), .port = HTTP_PORT};

	if (n->order.user_add.serving.lacks & LACK_TCP)
		return error_set(e, EXIT_USAGE,
				 "network %s has tcp off, and cloud-init asks "
				 "by that",
				 network);
	for (unsigned i = 0; i < n->n_guestfwds; i++) {
		if (endpoint_eq(&n->guestfwds[i].rule.server, &ep))
			return error_set(e, EXIT_CONFLICT,
					 "network %s has a guestfwd= where "
					 "cloud-init would ask, port %d of the "
					 "name server's address",
					 network, HTTP_PORT);
	}
	return 0;
}

int cloud_put(struct machine *m, enum cloud_part part, const void *data,
	      size_t len, struct error *e)
{
	struct keeper *k = m->keeper;
	struct plan_netdev *n = plan_gateway(&k->plan);
	const char *network = k->c->network->name;
	char path[PATH_LEN];
	int r;

	if (!n)
		return error_set(e, EXIT_USAGE,
				 "network %s has no gateway of vmlan's that "
				 "cloud-init could ask; natnet, hostonly and "
				 "internal with dhcp=on have",
				 network);
	r = check_served(n, network, e);
	if (r < 0)
		return r;
	r = file_replace(part_path(m, part, path), data, len);
	if (r < 0)
		return error_errno(e, r, "%s", path);
	m->has_cloud = true;
	http_serve_cloud(k, n);
	return 0;
}

int cloud_open(const struct machine *m, enum cloud_part part, struct stat *st)
{
	char path[PATH_LEN];
	CLEANUP_FD int fd = -1;

	if (!m->has_cloud)
		return -ENOENT;
	fd = open(part_path(m, part, path), O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	return fd_steal(&fd);
}

void cloud_restore(struct machine *m)
{
	struct plan_netdev *n = plan_gateway(&m->keeper->plan);
	char path[PATH_LEN];

	for (int part = 0; part < CLOUD_N; part++)
		m->has_cloud |= access(part_path(m, (enum cloud_part)part,
						 path),
				       R_OK) == 0;
	if (n && m->has_cloud)
		http_serve_cloud(m->keeper, n);
}

void cloud_remove(const struct machine *m)
{
	char path[PATH_LEN];

	/* Also what is not known of: it may have come back in part. */
	for (int part = 0; part < CLOUD_N; part++)
		(void)unlink(part_path(m, (enum cloud_part)part, path));
}
