/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's side of bench-front: tap, socket, waiting; see front.h. */
#include "front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

static int set_up_tap(const struct front *f, int fd, const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int len = FRONT_VNET_LEN, little = 1;

	if (f->vnet)
		ifr.ifr_flags |= IFF_VNET_HDR;
	if (f->o.queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return front_say_errno("tap %s", name);
	if (!f->vnet)
		return front_tap_offload(f, fd, 0);
	if (ioctl(fd, TUNSETVNETHDRSZ, &len) < 0 ||
	    ioctl(fd, TUNSETVNETLE, &little) < 0)
		return front_say_errno("%s: vnet header", name);
	return 0;
}

int front_tap_make(const struct front *f, const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return front_say_errno("/dev/net/tun");
	if (set_up_tap(f, fd, name) == 0)
		return fd;
	close(fd);
	return -1;
}

int front_tap_open(struct front *f)
{
	if (f->o.raw) {
		front_raw_init(f);
		return 0;
	}
	f->tap = front_tap_make(f, f->o.tap);
	return f->tap < 0 ? -1 : 0;
}

int front_tap_offload(const struct front *f, int tap, unsigned offload)
{
	if (tap >= 0 && ioctl(tap, TUNSETOFFLOAD, (unsigned long)offload) < 0)
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
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		return front_say_errno("%s: address", f->o.tap);
	memcpy(f->mac, ifr.ifr_hwaddr.sa_data, sizeof(f->mac));
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return front_say_errno("%s: flags", f->o.tap);
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return front_say_errno("%s: up", f->o.tap);
	return 0;
}

int front_tap_up(struct front *f)
{
	int fd, r;

	if (f->tap < 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return front_say_errno("socket");
	r = link_up(f, fd);
	close(fd);
	return r < 0 ? r : front_wait_add(f, f->tap, EPOLLIN, FRONT_TAP);
}

/* A line of /proc/net/dev: name, then bytes, packets, errors, drops and four
 * more received, and as many sent. */
void front_tap_count(struct front *f)
{
	char line[512], name[IFNAMSIZ + 1];
	unsigned long long bytes, frames, drops;
	FILE *in = fopen("/proc/thread-self/net/dev", "re");

	if (!in)
		return;
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line,
			   " %16[^:]: %llu %llu %*u %*u %*u %*u %*u %*u "
			   "%*u %*u %*u %llu",
			   name, &bytes, &frames, &drops) != 4 ||
		    strcmp(name, f->o.tap))
			continue;
		f->c.lost = drops;
		if (f->o.way == FRONT_PACKET) {
			f->c.down_bytes = bytes;
			f->c.down_frames = frames;
		}
	}
	fclose(in);
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

static int unix_open(struct front *f)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (strlen(f->o.path) >= sizeof(sun.sun_path))
		return front_say("%s: too long for a socket", f->o.path);
	memcpy(sun.sun_path, f->o.path, strlen(f->o.path) + 1);
	return f->o.is_server ? accept_one(f, &sun) : connect_one(f, &sun);
}

/* A multicast group on loopback, as QEMU joins it.  A socket that is connected
 * to the group hears nothing from it: one is for each direction. */
static int dgram_open(struct front *f)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	const struct in_addr here = {htonl(INADDR_LOOPBACK)};
	struct ip_mreqn group = {.imr_address = here};
	const int on = 1, kind = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	char text[INET_ADDRSTRLEN];
	unsigned port;

	if (sscanf(f->o.path, "%15[0-9.]:%u", text, &port) != 2 ||
	    port > UINT16_MAX || inet_pton(AF_INET, text, &sin.sin_addr) != 1)
		return front_say("%s: GROUP:PORT is expected", f->o.path);
	sin.sin_port = htons((uint16_t)port);
	group.imr_multiaddr = sin.sin_addr;
	f->peer = socket(AF_INET, kind, 0);
	f->out = socket(AF_INET, kind, 0);
	if (setsockopt(f->peer, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(f->peer, (struct sockaddr *)&sin, sizeof(sin)) ||
	    setsockopt(f->peer, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group,
		       sizeof(group)) ||
	    setsockopt(f->out, IPPROTO_IP, IP_MULTICAST_IF, &here,
		       sizeof(here)) ||
	    connect(f->out, (struct sockaddr *)&sin, sizeof(sin)))
		return front_say_errno("%s", f->o.path);
	return 0;
}

static int open_here(struct front *f)
{
	switch (f->o.way) {
	case FRONT_VHOST:
	case FRONT_STREAM:
		return unix_open(f);
	case FRONT_DGRAM:
		return dgram_open(f);
	case FRONT_BESIDE:
		f->peer = front_tap_make(f, f->o.path);
		return f->peer < 0 ? -1 : 0;
	case FRONT_PACKET:
		break;
	}
	return 0;
}

static int enter(const char *path, int fd)
{
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return front_say_errno("%s", path);
	return 0;
}

int front_peer_open(struct front *f)
{
	static const char own[] = "/proc/thread-self/ns/net";
	int home, there, r;

	if (!f->o.net)
		return open_here(f);
	home = open(own, O_RDONLY | O_CLOEXEC);
	there = open(f->o.net, O_RDONLY | O_CLOEXEC);
	r = enter(f->o.net, there);
	if (r == 0)
		r = open_here(f);
	if (r == 0)
		r = enter(own, home);
	close(home);
	close(there);
	return r;
}

/* ---- waiting ---- */

uint64_t front_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

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
	sigaddset(&set, SIGUSR1);
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

struct front *front_more(struct front *first)
{
	struct front *f = malloc(sizeof(*f)), *last = first;

	if (!f) {
		front_say_errno("memory");
		return NULL;
	}
	*f = *first;
	f->next = NULL;
	f->c = (struct front_counts){0};
	f->peer = f->sig = -1;
	if (f->o.raw == FRONT_COUNT)
		f->raw.left = 0; /* the first one has told who is there */
	f->ep = epoll_create1(EPOLL_CLOEXEC);
	if (!f->o.raw)
		f->tap = front_tap_make(f, f->o.tap);
	while (last->next)
		last = last->next;
	last->next = f;
	if (f->ep < 0)
		front_say_errno("epoll");
	return f->ep < 0 || (!f->o.raw && f->tap < 0) ? NULL : f;
}

bool front_signal(struct front *f)
{
	struct signalfd_siginfo si;

	while (read(f->sig, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo != SIGUSR1)
			return true;
		front_print(f);
	}
	return false;
}
