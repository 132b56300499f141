/* SPDX-License-Identifier: BSD-3-Clause */
/* A network of a process's own; see ownns.h. */
#include "os/ownns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/rtnl.h"
#include "os/sysctl.h"
#include "os/userns.h"

static int leave_host(struct error *e)
{
	const int wanted = CLONE_NEWNET | CLONE_NEWNS;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	if (uid == 0 && unshare(wanted) == 0)
		return 0;
	if (unshare(wanted | CLONE_NEWUSER) < 0)
		return error_errno(e, errno, "cannot make a user and a network "
					     "namespace (vmlan doctor tells "
					     "why)");
	/* Whoever we are outside we are inside, and nobody else is there. */
	r = userns_map(uid, gid, uid, gid);
	return r < 0 ? error_errno(e, r, "cannot map the user into a user "
					 "namespace")
		     : 0;
}

int ownns_enter(struct error *e)
{
	char range[64];
	int r = leave_host(e);

	if (r < 0)
		return r;
	/* What the host mounts later is seen; what we mount is not. */
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_errno(e, errno, "mount namespace");
	r = rtnl_lo_up();
	if (r < 0)
		return error_errno(e, r, "lo");
	/* Its MAC is nobody else's, and a machine is asked at once. */
	(void)!sysctl_set("net/ipv6/conf/default/accept_dad", "0");
	/* Programs that ping without a right to; those that may need none. */
	snprintf(range, sizeof(range), "%u %u", getegid(), getegid());
	(void)!sysctl_set("net/ipv4/ping_group_range", range);
	return 0;
}

static struct sockaddr_in ip4(const addr *a)
{
	struct sockaddr_in s = {.sin_family = AF_INET};

	if (a)
		memcpy(&s.sin_addr, a->b + 12, 4);
	return s;
}

int ownns_route(const char *ifname, const addr *router)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = ip4(NULL), via = ip4(router);
	struct rtentry rt = {
		.rt_flags = RTF_UP | RTF_GATEWAY,
		.rt_dev = (char *)ifname,
	};

	if (fd < 0)
		return -errno;
	memcpy(&rt.rt_dst, &to, sizeof(to));
	memcpy(&rt.rt_genmask, &to, sizeof(to));
	memcpy(&rt.rt_gateway, &via, sizeof(via));
	return ioctl(fd, SIOCADDRT, &rt) < 0 ? -errno : 0;
}

static int write_file(const char *path, const char *text)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				 0644);
	size_t len = strlen(text);
	ssize_t n = fd < 0 ? -1 : write(fd, text, len);

	if (n < 0 || fchmod(fd, 0644) < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EIO;
}

/* The file lies in a memory of its own, which nothing but the mount at path
 * holds: there is nothing to remove. */
int ownns_cover(const char *path, const char *text, const char *dir)
{
	char file[128];
	int r;

	if (snprintf(file, sizeof(file), "%s/text", dir) >= (int)sizeof(file))
		return -ENAMETOOLONG;
	if (mount("none", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k") < 0)
		return -errno;
	r = write_file(file, text);
	if (r == 0 && mount(file, path, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	if (umount2(dir, MNT_DETACH) < 0 && r == 0)
		r = -errno;
	return r;
}
