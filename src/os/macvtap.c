/* SPDX-License-Identifier: BSD-3-Clause */
/* macvtaps; see macvtap.h. */
#include "os/macvtap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/card.h"
#include "os/fdpass.h"
#include "os/proc.h"
#include "os/rtnl.h"

enum { FDS_MAX = 2, IFNAME_LEN = 16 };

/* What a child is to do; the descriptors are its own copies. */
struct job {
	void (*run)(struct job *j);
	const struct macvtap_opts *o;
	int ns;          /* -1: a new one is made */
	int dev;         /* the macvtap, -1: none */
	unsigned number; /* run_remove: the first */
	/* What the child tells. */
	struct answer {
		struct error error; /* code EXIT_DONE: it worked */
		bool vnet_hdr;
	} a;
};

static const char *name_of(unsigned number, char name[static IFNAME_LEN])
{
	snprintf(name, IFNAME_LEN, "vm%u", number);
	return name;
}

/* ---- in the child ---- */

static int refused(const struct macvtap_opts *o, int err, struct error *e)
{
	char text[MAC_STRLEN];

	if (err == -EPERM)
		return error_set(e, EXIT_PERMISSION,
				 "making one on %s takes root (CAP_NET_ADMIN, "
				 "CAP_SYS_ADMIN and CAP_MKNOD on the host)",
				 o->lower);
	if (err == -EBUSY || err == -EINVAL)
		return error_set(e, EXIT_CONFLICT,
				 "%s is taken: a macvtap or another program "
				 "has it for itself",
				 o->lower);
	if (err == -EADDRINUSE)
		return error_set(e, EXIT_CONFLICT,
				 "the MAC %s is in use on %s already",
				 mac_format(o->mac, text), o->lower);
	if (err == -EOPNOTSUPP)
		return error_set(e, EXIT_FAILED,
				 "this kernel has none (modprobe macvtap)");
	return error_errno(e, err, "%s", o->lower);
}

/* A mount namespace of our own besides, for what must be mounted below. */
static int enter(int *nsp)
{
	int flags = CLONE_NEWNS | (*nsp < 0 ? CLONE_NEWNET : 0);

	if (*nsp >= 0 && setns(*nsp, CLONE_NEWNET) < 0)
		return -errno;
	if (unshare(flags) < 0)
		return -errno;
	if (mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (*nsp < 0)
		*nsp = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return *nsp < 0 ? -errno : 0;
}

static int remove_link(const char *name)
{
	struct rtnl_link l;
	int r = rtnl_link_get(name, 0, &l);

	return r < 0 ? r : rtnl_link_del(l.index);
}

/* From home, where the card is, into ns. */
static int make_link(const struct macvtap_opts *o, int lower, int home,
		     int ns)
{
	static const unsigned modes[] = {
		[MACVTAP_BRIDGE] = MACVLAN_MODE_BRIDGE,
		[MACVTAP_VEPA] = MACVLAN_MODE_VEPA,
		[MACVTAP_PRIVATE] = MACVLAN_MODE_PRIVATE,
		[MACVTAP_PASSTHRU] = MACVLAN_MODE_PASSTHRU,
	};
	char name[IFNAME_LEN];
	const struct rtnl_link_new n = {
		.name = name_of(o->number, name),
		.kind = "macvtap",
		.lower = lower,
		.macvlan = modes[o->mode],
		.txqlen = TAP_TXQLEN,
		.mac = o->mac,
		.netns = ns,
	};
	int r = remove_link(name); /* of an engine that is gone */

	if (r < 0 && r != -ENODEV)
		return r;
	if (setns(home, CLONE_NEWNET) < 0)
		return -errno;
	r = rtnl_link_add(&n);
	if (setns(ns, CLONE_NEWNET) < 0)
		return -errno;
	return r;
}

/* The kernel tells the number of the character device in sysfs, of which each
 * network namespace has its own. */
static int find_device(const char *ifname, dev_t *devp)
{
	char path[128];
	unsigned major, minor;
	const struct dirent *d;
	FILE *f = NULL;
	DIR *dir;
	int n;

	if (mount("none", "/sys", "sysfs", 0, NULL) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/sys/class/net/%s/macvtap", ifname);
	dir = opendir(path);
	if (!dir)
		return -errno;
	do
		d = readdir(dir);
	while (d && strncmp(d->d_name, "tap", 3) != 0);
	if (d) {
		snprintf(path, sizeof(path),
			 "/sys/class/net/%s/macvtap/%.32s/dev", ifname,
			 d->d_name);
		f = fopen(path, "re");
	}
	closedir(dir);
	if (!f)
		return -ENOENT;
	n = fscanf(f, "%u:%u", &major, &minor);
	fclose(f);
	if (n != 2)
		return -ENOENT;
	*devp = makedev(major, minor);
	return 0;
}

/* A node of our own: that in /dev may be missing, or another's, for its name
 * is a number that each namespace counts anew. */
static int open_device(dev_t dev)
{
	int fd;

	if (mount("none", "/sys", "tmpfs", 0, "mode=0700") < 0 ||
	    mknod("/sys/macvtap", S_IFCHR | 0600, dev) < 0)
		return -errno;
	fd = open("/sys/macvtap", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int set_up_device(struct job *j, const char *ifname)
{
	bool vnet_hdr = j->o->vnet_hdr != TAP_VNET_HDR_OFF;
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (vnet_hdr)
		ifr.ifr_flags |= IFF_VNET_HDR;
	if (ioctl(j->dev, TUNSETIFF, &ifr) < 0)
		return -errno;
	j->a.vnet_hdr = vnet_hdr;
	return tap_set_up_frames(j->dev, vnet_hdr);
}

/* Up, and deaf to no group: which of them the machines want is not known. */
static int set_up_link(const char *ifname)
{
	const struct rtnl_link_change c = {
		.ifname = ifname,
		.up = true,
		.all_multi = true,
	};

	return rtnl_link_set(&c);
}

/* A port of a bridge is reached by the bridge. */
static int taken(const struct macvtap_opts *o, const char *master,
		 struct error *e)
{
	return error_set(e, EXIT_CONFLICT,
			 "%s is a part of %s; if that is a bridge, use "
			 "bridge,br=%s",
			 o->lower, master, master);
}

static void run_open(struct job *j)
{
	CLEANUP_FD int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct error *e = &j->a.error;
	char name[IFNAME_LEN], master[IF_NAMESIZE];
	struct rtnl_link lower;
	dev_t dev = 0;
	int r;

	name_of(j->o->number, name);
	if (card_find(j->o->lower, &lower, e) < 0)
		return;
	if (lower.master &&
	    if_indextoname((unsigned)lower.master, master)) {
		taken(j->o, master, e);
		return;
	}
	r = enter(&j->ns);
	if (r == 0)
		r = make_link(j->o, lower.index, home, j->ns);
	if (r == 0)
		r = set_up_link(name);
	if (r < 0) {
		refused(j->o, r, e);
		return;
	}
	r = find_device(name, &dev);
	if (r == 0)
		r = j->dev = open_device(dev);
	if (r >= 0)
		r = set_up_device(j, name);
	if (r < 0)
		error_errno(e, r,
			    "the device of a macvtap on %s (%u:%u) cannot be "
			    "opened%s",
			    j->o->lower, major(dev), minor(dev),
			    r == -EPERM || r == -EACCES
				    ? " (that takes root of the host, outside "
				      "of any container)"
				    : "");
}

static void run_set_mac(struct job *j)
{
	char name[IFNAME_LEN];
	const struct rtnl_link_change c = {
		.ifname = name_of(j->o->number, name),
		.mac = j->o->mac,
	};
	int r = setns(j->ns, CLONE_NEWNET) < 0 ? -errno : rtnl_link_set(&c);

	if (r < 0)
		refused(j->o, r, &j->a.error);
}

static void run_remove(struct job *j)
{
	char name[IFNAME_LEN];
	int r = setns(j->ns, CLONE_NEWNET) < 0 ? -errno : 0;

	for (unsigned i = j->number; r == 0 && i < MACVTAP_MAX; i++) {
		r = remove_link(name_of(i, name));
		if (r == -ENODEV)
			r = 0; /* that one was refused */
	}
}

/* ---- in the keeper ---- */

static void child(struct job *j, int sock)
{
	int fds[FDS_MAX];
	unsigned n = 0;

	j->run(j);
	if (j->a.error.code == EXIT_DONE && j->dev >= 0) {
		fds[n++] = j->dev;
		fds[n++] = j->ns;
	}
	_exit(fd_send(sock, &j->a, sizeof(j->a), fds, n) < 0);
}

/* Descriptors that come back are the caller's. */
static int run_job(struct job *j, int fds[static FDS_MAX], unsigned *n_fdsp,
		   struct error *e)
{
	CLEANUP_FD int mine = -1, theirs = -1;
	int pair[2];
	ssize_t n;
	pid_t pid;

	*n_fdsp = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "macvtap");
	mine = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "macvtap");
	if (pid == 0)
		child(j, theirs);
	fd_close(&theirs);
	n = fd_recv(mine, &j->a, sizeof(j->a), fds, FDS_MAX, n_fdsp);
	proc_bury(pid);
	if (n != sizeof(j->a))
		return error_set(e, EXIT_FAILED,
				 "macvtap: the child that makes it died");
	if (j->a.error.code != EXIT_DONE) {
		j->a.error.text[sizeof(j->a.error.text) - 1] = '\0';
		return error_set(e, j->a.error.code, "macvtap: %s",
				 j->a.error.text);
	}
	return 0;
}

int macvtap_open(const struct macvtap_opts *o, int *nsp, struct tap_result *t,
		 struct error *e)
{
	struct job j = {.run = run_open, .o = o, .ns = *nsp, .dev = -1};
	int fds[FDS_MAX];
	unsigned n;
	int r = run_job(&j, fds, &n, e);

	*t = TAP_RESULT_NULL;
	if (r == 0 && n != FDS_MAX)
		r = error_set(e, EXIT_FAILED, "macvtap: no descriptor came");
	if (r < 0) {
		while (n)
			fd_close(&fds[--n]);
		return r;
	}
	name_of(o->number, t->ifname);
	t->fds[t->n_fds++] = fds[0];
	t->vnet_hdr = j.a.vnet_hdr;
	t->queue_frames = TAP_TXQLEN;
	if (*nsp < 0)
		*nsp = fds[1];
	else
		fd_close(&fds[1]);
	return 0;
}

int macvtap_set_mac(int ns, const struct macvtap_opts *o, struct error *e)
{
	struct job j = {.run = run_set_mac, .o = o, .ns = ns, .dev = -1};
	int fds[FDS_MAX];
	unsigned n;

	return run_job(&j, fds, &n, e);
}

void macvtap_remove(int ns, unsigned number)
{
	struct job j = {
		.run = run_remove, .ns = ns, .dev = -1, .number = number};
	int fds[FDS_MAX];
	unsigned n;

	if (ns >= 0) /* if it fails the kernel does it with the namespace */
		(void)!run_job(&j, fds, &n, NULL);
}
