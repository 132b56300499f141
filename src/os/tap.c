/* SPDX-License-Identifier: BSD-3-Clause */
/* tap devices; see tap.h. */
#include "os/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/rtnl.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { VNET_HDR_LEN = 12 };

void tap_result_deinit(struct tap_result *t)
{
	for (unsigned i = 0; i < t->n_fds; i++)
		fd_close(&t->fds[i]);
	t->n_fds = 0;
}

/* Header size, byte order and what the kernel may leave to us. */
static int set_up_vnet_hdr(int fd)
{
	static const unsigned offloads[] = {
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN |
			TUN_F_USO4 | TUN_F_USO6,
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		TUN_F_CSUM,
		0,
	};
	int len = VNET_HDR_LEN;
	int little = 1;

	if (ioctl(fd, TUNSETVNETHDRSZ, &len) < 0)
		return -errno;
	/* Old kernels know the machine's own order only, which is this one
	 * on every machine we build for. */
	(void)ioctl(fd, TUNSETVNETLE, &little);
	for (size_t i = 0; i < array_len(offloads); i++) {
		if (ioctl(fd, TUNSETOFFLOAD, offloads[i]) == 0)
			return 0;
	}
	return -errno;
}

/* Offloads stay with the device when its user goes: without a header to tell
 * of them, frames must come complete whoever had it before. */
int tap_set_up_frames(int fd, bool vnet_hdr)
{
	if (vnet_hdr)
		return set_up_vnet_hdr(fd);
	return ioctl(fd, TUNSETOFFLOAD, 0) < 0 ? -errno : 0;
}

static int set_nonblocking(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

/* What TUNSETIFF is asked for. */
static int choose_flags(int fd, const struct tap_opts *o, short *flagsp,
			struct error *e)
{
	unsigned features = 0;

	if (ioctl(fd, TUNGETFEATURES, &features) < 0)
		features = 0;
	*flagsp = IFF_TAP | IFF_NO_PI;
	if (o->queues > 1)
		*flagsp |= IFF_MULTI_QUEUE;
	if (o->vnet_hdr == TAP_VNET_HDR_OFF)
		return 0;
	if (features & IFF_VNET_HDR)
		*flagsp |= IFF_VNET_HDR;
	else if (o->vnet_hdr == TAP_VNET_HDR_ON)
		return error_set(e, EXIT_FAILED,
				 "vnet_hdr=1 requested, but no kernel support "
				 "for IFF_VNET_HDR available");
	return 0;
}

/* What the person can do about a refused TUNSETIFF. */
static const char *remedy(int err)
{
	if (err == EPERM)
		return " (making a tap needs root or CAP_NET_ADMIN)";
	if (err == EBUSY)
		return " (another process has it open)";
	return "";
}

static int attach(int fd, const char *name, struct ifreq *ifr,
		  const struct tap_opts *o, struct error *e)
{
	short flags = ifr->ifr_flags;

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, ifr) == 0)
		return 0;
	/* One that was made for many queues takes no single-queue user. */
	if (errno == EINVAL && o->queues == 1) {
		ifr->ifr_flags = flags | IFF_MULTI_QUEUE;
		if (ioctl(fd, TUNSETIFF, ifr) == 0)
			return 0;
	}
	return error_errno(e, errno, "could not configure /dev/net/tun (%s)%s",
			   name, remedy(errno));
}

static int open_queue(const struct tap_opts *o, struct tap_result *t,
		      struct error *e)
{
	CLEANUP_FD int fd =
		open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	const char *name = t->n_fds ? t->ifname : o->ifname;
	int sndbuf =
		o->sndbuf && o->sndbuf < INT_MAX ? (int)o->sndbuf : INT_MAX;
	struct ifreq ifr = {0};
	int r;

	if (fd < 0)
		return error_errno(e, errno, "could not open /dev/net/tun%s",
				   errno == ENOENT || errno == ENODEV
					   ? " (modprobe tun)"
					   : "");
	r = choose_flags(fd, o, &ifr.ifr_flags, e);
	if (r == 0)
		r = attach(fd, name ? name : "tap%d", &ifr, o, e);
	if (r < 0)
		return r;
	snprintf(t->ifname, sizeof(t->ifname), "%.15s", ifr.ifr_name);
	t->vnet_hdr = ifr.ifr_flags & IFF_VNET_HDR;
	r = tap_set_up_frames(fd, t->vnet_hdr);
	if (r < 0)
		return error_errno(e, r, "%s: vnet header", t->ifname);
	if (ioctl(fd, TUNSETSNDBUF, &sndbuf) < 0 && o->sndbuf)
		return error_errno(e, errno, "TUNSETSNDBUF ioctl failed");
	t->fds[t->n_fds++] = fd_steal(&fd);
	return 0;
}

/* The interface of that name here may be another one, if the descriptor is of
 * a tap in another namespace. */
static bool is_here(int fd, const char *ifname, struct rtnl_link *l)
{
	struct ifreq ifr = {0};

	return ioctl(fd, SIOCGIFHWADDR, &ifr) == 0 &&
	       rtnl_link_get(ifname, 0, l) == 0 &&
	       memcmp(l->mac.b, ifr.ifr_hwaddr.sa_data, sizeof(l->mac.b)) == 0;
}

/* What the interface's own kernel sends waits in its queue until it is read
 * here, and what finds the queue full is lost.  TAP_TXQLEN frames are 15 MB of
 * a guest that sends segments of 1500 bytes (ten full windows of TCP, or 30 ms
 * of datagrams as fast as they are read), and 80 kB for the empty ring.  A
 * longer queue was somebody's wish and stays; so does a shorter one that we
 * have no right to change. */
static void set_queue_length(struct tap_result *t)
{
	const struct rtnl_link_change c = {.ifname = t->ifname,
				      .txqlen = TAP_TXQLEN};
	struct rtnl_link l;

	t->queue_frames = TAP_TXQLEN_LEAST;
	if (!is_here(t->fds[0], t->ifname, &l))
		return;
	if (l.txqlen < TAP_TXQLEN && rtnl_link_set(&c) == 0)
		l.txqlen = TAP_TXQLEN;
	t->queue_frames = l.txqlen > 0 ? l.txqlen : 1;
}

int tap_open(const struct tap_opts *o, struct tap_result *t, struct error *e)
{
	int r = 0;

	*t = TAP_RESULT_NULL;
	if (o->queues < 1 || o->queues > TAP_QUEUES_MAX)
		return error_set(e, EXIT_USAGE, "tap: 1 to %d queues",
				 TAP_QUEUES_MAX);
	if (o->ifname && strlen(o->ifname) >= IFNAMSIZ)
		return error_set(
			e, EXIT_USAGE,
			"tap: interface name '%s' is too long (at most "
			"%d bytes)",
			o->ifname, IFNAMSIZ - 1);
	for (unsigned i = 0; i < o->queues && r == 0; i++)
		r = open_queue(o, t, e);
	if (r < 0)
		tap_result_deinit(t);
	else
		set_queue_length(t);
	return r;
}

static int adopt_one(int fd, struct tap_result *t, struct error *e)
{
	struct ifreq ifr = {0};
	bool vnet_hdr;
	int copy, r;

	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return error_set(e, EXIT_USAGE,
				 "Unable to query TUNGETIFF on FD %d: %s", fd,
				 errno == EBADF ? "no such descriptor"
						: "not an attached tap device");
	if (!(ifr.ifr_flags & IFF_TAP))
		return error_set(e, EXIT_USAGE,
				 "FD %d is not a tap device (a tun device "
				 "carries no Ethernet frames)",
				 fd);
	vnet_hdr = ifr.ifr_flags & IFF_VNET_HDR;
	if (t->n_fds && vnet_hdr != t->vnet_hdr)
		return error_set(
			e, EXIT_USAGE,
			"vnet_hdr not consistent across given tap fds");
	t->vnet_hdr = vnet_hdr;
	snprintf(t->ifname, sizeof(t->ifname), "%.15s", ifr.ifr_name);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return error_errno(e, errno, "FD %d", fd);
	t->fds[t->n_fds++] = copy;
	r = set_nonblocking(copy);
	if (r == 0)
		r = tap_set_up_frames(copy, vnet_hdr);
	return r < 0 ? error_errno(e, r, "FD %d", fd) : 0;
}

static bool is_listed(const int *fds, unsigned n, int fd)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] == fd)
			return true;
	}
	return false;
}

int tap_adopt(const int *fds, unsigned n, struct tap_result *t,
	      struct error *e)
{
	*t = TAP_RESULT_NULL;
	if (n > TAP_QUEUES_MAX)
		return error_set(e, EXIT_USAGE, "tap: at most %d queues",
				 TAP_QUEUES_MAX);
	for (unsigned i = 0; i < n; i++) {
		int r = -1;

		if (is_listed(fds, i, fds[i]))
			error_set(e, EXIT_USAGE, "FD %d is given twice",
				  fds[i]);
		else
			r = adopt_one(fds[i], t, e);
		if (r < 0) {
			tap_result_deinit(t);
			return r;
		}
	}
	if (n > 0)
		set_queue_length(t);
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] > 2)
			close(fds[i]);
	}
	return 0;
}
