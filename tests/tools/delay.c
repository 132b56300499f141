/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A long way between two network namespaces, for tests and measurements:
 *
 *      delay NETNS_A IF_A NETNS_B IF_B MS [MBIT]
 *
 * makes a tap in each namespace (a path; "-" is our own) and carries frames
 * from one to the other, MS milliseconds later, each direction no faster than
 * MBIT.  Offload requests pass through, so a frame is up to 64 KiB of TCP.
 * Nothing is lost if the taps' own queues are long (txqueuelen): what is read
 * from them has a place here, or stays there.
 *
 * Says "ready" when both taps are there.  Ends on SIGTERM, and says how many
 * frames it carried and lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_MAX = 10 + 14 + 65536 + 64, /* vnet header, Ethernet, IP */
	TURN = 64,			  /* frames of one direction in a row */
};

/* Address space; touched as far as the way holds bytes. */
#define RING (UINT64_C(1) << 30)
#define NS_PER_S UINT64_C(1000000000)
#define RECORD_MAX (sizeof(struct record) + FRAME_MAX)

struct record {
	uint64_t due_ns;
	uint32_t len; /* bytes behind this header; 0: go on at the start */
	uint32_t room;
};

/* One direction: records between head and tail, positions without end. */
struct way {
	int from, to;
	uint8_t *ring;
	uint64_t head, tail;
	uint64_t line_free; /* when the rate lets the next one go */
	uint64_t frames, lost;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void enter(const char *netns, int home)
{
	int fd = strcmp(netns, "-") ? open(netns, O_RDONLY | O_CLOEXEC) : home;

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(netns);
	if (fd != home)
		close(fd);
}

static int make_tap(const char *netns, const char *name, int home)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int fd;

	enter(netns, home);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, offload) < 0)
		die(name);
	enter("-", home);
	return fd;
}

/* Where the next record goes; NULL: the queue is full. */
static struct record *place(struct way *w)
{
	uint64_t at = w->tail % RING;
	struct record *r = (void *)(w->ring + at);

	if (RING - (w->tail - w->head) < 2 * RECORD_MAX)
		return NULL;
	if (RING - at >= RECORD_MAX)
		return r;
	r->len = 0;
	w->tail += RING - at;
	return (void *)w->ring;
}

/* Reads what the tap has; false: it may have more. */
static bool take(struct way *w, uint64_t delay, uint64_t mbit)
{
	for (int i = 0; i < TURN; i++) {
		struct record *r = place(w);
		uint64_t at = now_ns();
		ssize_t n;

		if (!r)
			return true;
		n = read(w->from, r + 1, FRAME_MAX);
		if (n < 0 && errno != EAGAIN && errno != EINTR &&
		    errno != EIO && errno != EBADFD)
			die("read");
		if (n <= 0)
			return true;
		if (mbit) {
			at = w->line_free > at ? w->line_free : at;
			at += (uint64_t)n * 8000 / mbit;
			w->line_free = at;
		}
		r->due_ns = at + delay;
		r->len = (uint32_t)n;
		r->room = (uint32_t)(sizeof(*r) + (r->len + 15u) / 16 * 16);
		w->tail += r->room;
		w->frames++;
	}
	return false;
}

/* The first record, or NULL. */
static struct record *first(struct way *w)
{
	struct record *r = (void *)(w->ring + w->head % RING);

	if (w->head == w->tail)
		return NULL;
	if (RING - w->head % RING >= RECORD_MAX || r->len)
		return r;
	w->head += RING - w->head % RING;
	return (void *)w->ring;
}

/* Writes what is due; when the next is, UINT64_MAX: there is none. */
static uint64_t let_go(struct way *w)
{
	uint64_t now = now_ns();
	struct record *r;

	for (int i = 0; (r = first(w)); i++) {
		if (r->due_ns > now)
			return r->due_ns;
		if (i == TURN)
			return now;
		if (write(w->to, r + 1, r->len) < 0)
			w->lost++;
		w->head += r->room;
	}
	return UINT64_MAX;
}

static void carry(struct way *w, int stop, uint64_t delay, uint64_t mbit)
{
	for (;;) {
		struct pollfd p[3] = {{.fd = w[0].from, .events = POLLIN},
				      {.fd = w[1].from, .events = POLLIN},
				      {.fd = stop, .events = POLLIN}};
		struct timespec ts = {.tv_sec = 3600};
		uint64_t due = UINT64_MAX, next, now;
		bool idle = true;

		for (int i = 0; i < 2; i++) {
			idle &= take(&w[i], delay, mbit);
			next = let_go(&w[i]);
			due = next < due ? next : due;
			if (!place(&w[i])) /* until some have left */
				p[i].fd = -1;
		}
		now = now_ns();
		due = !idle || due < now ? now : due;
		if (due != UINT64_MAX) {
			ts.tv_sec = (time_t)((due - now) / NS_PER_S);
			ts.tv_nsec = (long)((due - now) % NS_PER_S);
		}
		if (ppoll(p, 3, &ts, NULL) < 0 && errno != EINTR)
			die("poll");
		if (p[2].revents)
			return;
	}
}

static uint8_t *make_ring(void)
{
	void *p = mmap(NULL, RING, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

int main(int argc, char **argv)
{
	struct way w[2] = {{0}};
	sigset_t set;
	uint64_t delay, mbit;
	int home, stop, a, b;

	if (argc < 6 || argc > 7) {
		fprintf(stderr, "usage: delay NETNS_A IF_A NETNS_B IF_B MS "
				"[MBIT]\n");
		return 2;
	}
	delay = (uint64_t)(strtod(argv[5], NULL) * 1e6);
	mbit = argc > 6 ? strtoull(argv[6], NULL, 0) : 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	stop = signalfd(-1, &set, SFD_CLOEXEC);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (stop < 0 || home < 0)
		die("delay");
	a = make_tap(argv[1], argv[2], home);
	b = make_tap(argv[3], argv[4], home);
	w[0] = (struct way){.from = a, .to = b, .ring = make_ring()};
	w[1] = (struct way){.from = b, .to = a, .ring = make_ring()};
	puts("ready");
	fflush(stdout);
	carry(w, stop, delay, mbit);
	printf("%llu frames, %llu lost\n",
	       (unsigned long long)(w[0].frames + w[1].frames),
	       (unsigned long long)(w[0].lost + w[1].lost));
	return 0;
}
