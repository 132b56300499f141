/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's side of bench-front: tap, socket, waiting; see front.h. */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECT_STEP_MS = 10,
	CONNECT_STEPS = 1000, /* an engine may be a while in starting */
};

/* ---- the tap ---- */

static int tap_frames(struct front *f, bool vnet)
{
	int len = FRONT_VNET_LEN, little = 1;

	if (!vnet)
		return front_tap_offload(f, 0);
	if (ioctl(f->tap, TUNSETVNETHDRSZ, &len) < 0 ||
	    ioctl(f->tap, TUNSETVNETLE, &little) < 0)
		return front_say_errno("%s: vnet header", f->o.tap);
	return 0;
}

int front_tap_open(struct front *f, bool vnet)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	if (vnet)
		ifr.ifr_flags |= IFF_VNET_HDR;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", f->o.tap);
	f->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (f->tap < 0)
		return front_say_errno("/dev/net/tun");
	if (ioctl(f->tap, TUNSETIFF, &ifr) < 0)
		return front_say_errno("tap %s", f->o.tap);
	return tap_frames(f, vnet);
}

int front_tap_offload(struct front *f, unsigned offload)
{
	if (ioctl(f->tap, TUNSETOFFLOAD, (unsigned long)offload) < 0)
		return front_say_errno("%s: offloads %#x", f->o.tap, offload);
	return 0;
}

/* The link as asked for, and up. */
static int link_up(struct front *f, int fd)
{
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", f->o.tap);
	ifr.ifr_qlen = (int)f->o.txqlen;
	/* In a user namespace only ip(8), by netlink, may: bench/run does. */
	if (ioctl(fd, SIOCSIFTXQLEN, &ifr) < 0 && errno != EPERM)
		return front_say_errno("%s: queue length", f->o.tap);
	ifr.ifr_mtu = (int)f->o.mtu;
	if (f->o.mtu && ioctl(fd, SIOCSIFMTU, &ifr) < 0)
		return front_say_errno("%s: mtu %u", f->o.tap, f->o.mtu);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return front_say_errno("%s: flags", f->o.tap);
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return front_say_errno("%s: up", f->o.tap);
	return 0;
}

int front_tap_up(struct front *f)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return front_say_errno("socket");
	r = link_up(f, fd);
	close(fd);
	return r;
}

/* A line of /proc/net/dev: name, then bytes, packets, errors, drops and four
 * more received, and as many sent. */
uint64_t front_tap_lost(const struct front *f)
{
	char line[512], name[IFNAMSIZ + 1];
	unsigned long long drops, lost = 0;
	FILE *in = fopen("/proc/thread-self/net/dev", "re");

	if (!in)
		return 0;
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line,
			   " %16[^:]: %*u %*u %*u %*u %*u %*u %*u %*u "
			   "%*u %*u %*u %llu",
			   name, &drops) == 2 &&
		    !strcmp(name, f->o.tap))
			lost = drops;
	}
	fclose(in);
	return lost;
}

/* ---- the engine's socket ---- */

static int accept_one(struct front *f, const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return front_say_errno("socket");
	(void)unlink(sun->sun_path); /* of a run before */
	if (bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0 ||
	    listen(fd, 1) < 0) {
		front_say_errno("%s", sun->sun_path);
		close(fd);
		return -1;
	}
	f->peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	close(fd);
	if (f->peer < 0)
		return front_say_errno("%s", sun->sun_path);
	return 0;
}

/* The engine may not listen yet. */
static int connect_one(struct front *f, const struct sockaddr_un *sun)
{
	const struct timespec step = {.tv_nsec = CONNECT_STEP_MS * 1000000L};

	for (unsigned i = 0; i < CONNECT_STEPS; i++) {
		f->peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (f->peer < 0)
			return front_say_errno("socket");
		if (connect(f->peer, (const struct sockaddr *)sun,
			    sizeof(*sun)) == 0)
			return 0;
		if (errno != ENOENT && errno != ECONNREFUSED)
			break;
		close(f->peer);
		f->peer = -1;
		nanosleep(&step, NULL);
	}
	return front_say_errno("%s", sun->sun_path);
}

int front_peer_open(struct front *f)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (strlen(f->o.path) >= sizeof(sun.sun_path))
		return front_say("%s: too long for a socket", f->o.path);
	memcpy(sun.sun_path, f->o.path, strlen(f->o.path) + 1);
	return f->o.is_server ? accept_one(f, &sun) : connect_one(f, &sun);
}

/* ---- waiting ---- */

static int wait_control(struct front *f, int op, int fd, uint32_t events,
			enum front_event what)
{
	struct epoll_event ev = {.events = events | EPOLLET, .data.u32 = what};

	if (epoll_ctl(f->ep, op, fd, &ev) < 0)
		return front_say_errno("epoll");
	return 0;
}

int front_wait_add(struct front *f, int fd, uint32_t events,
		   enum front_event what)
{
	return wait_control(f, EPOLL_CTL_ADD, fd, events, what);
}

int front_wait_change(struct front *f, int fd, uint32_t events,
		      enum front_event what)
{
	return wait_control(f, EPOLL_CTL_MOD, fd, events, what);
}

int front_wait_open(struct front *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	f->ep = epoll_create1(EPOLL_CLOEXEC);
	if (f->ep < 0)
		return front_say_errno("epoll");
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return front_say_errno("signals");
	f->sig = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->sig < 0)
		return front_say_errno("signalfd");
	return front_wait_add(f, f->sig, EPOLLIN, FRONT_SIGNAL);
}
