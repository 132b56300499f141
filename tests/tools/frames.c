/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proves that a way between two interfaces keeps Ethernet frames: sends them
 * in at each end and sees that they come out at the other, each once, in
 * order, and with every byte.
 *
 *      frames [options] NETNS:IF NETNS:IF COUNT FROM TO STEP
 *          COUNT frames of each size FROM, FROM + STEP .. TO, whole frames
 *          without FCS, both ways at a time; NETNS is a path, empty: ours
 *          -> "N frames of M sizes each way, FROM to TO", or one line that
 *          names the first that did not come as it was sent, and 1
 *      -a MAC    the second end knows the first by another MAC
 *      -4 IP IP  the frames are UDP between these two, for a way that goes by
 *                addresses; otherwise of an Ethertype for experiments
 *      -w SECS   how long the first contact may take (30)
 *      -n N      frames under way of a direction at most (32)
 *
 * Before the first of them each end says hello until the other has heard it:
 * a way has to be there, and may first have to learn who is where.  Then
 * nothing may be lost.  So that a way that drops what comes in excess has no
 * reason to, only few are under way; both ends are this process, which knows what
 * has come without a word over the way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	STALL_MS = 20000, /* nothing came for so long: lost */
	LATE_MS = 1000,	  /* is one that others overtook still to come? */
	HELLO_MS = 100,
	ETH_LEN = 14,
	IP_LEN = 28, /* with UDP */
	TAG_LEN = 13,
	TYPE = 0x88b5, /* IEEE 802, for local experiments */
	PORT = 0x88b5,
	FRAME_MIN = ETH_LEN + IP_LEN + TAG_LEN,
	FRAME_MAX = 65535,
	SHORTEST = 60, /* a kernel may pad to it */
};

enum what {
	HELLO,
	DATA,
	LAST,
};

struct end {
	const char *name;
	int fd;
	uint8_t mac[6];
	uint32_t ip_be;
	bool is_heard;	/* by the other */
	uint64_t n_sent, n_come; /* of its own: that left, that arrived */
	bool is_broken; /* one did not arrive in its turn, but .. */
	uint64_t instead;
};

static struct {
	struct end end[2];
	uint8_t seen_mac[6]; /* end 0's, as end 1 sees it */
	bool is_ip;
	uint32_t run;
	uint32_t from, step, n_sizes;
	uint64_t count, total, window;
	unsigned contact_s;
} o;

static void die(const char *who, const char *what)
{
	fprintf(stderr, "frames: %s: %s: %s\n", who, what, strerror(errno));
	exit(2);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint32_t size_of(uint64_t k)
{
	if (k >= o.total)
		return o.from;
	return o.from + (uint32_t)(k / o.count) * o.step;
}

static void put_ip(uint8_t *p, uint32_t len, const struct end *from,
		   const struct end *to)
{
	uint32_t sum = 0;

	memset(p, 0, IP_LEN);
	p[0] = 0x45;
	put16(p + 2, len);
	p[8] = 64;
	p[9] = IPPROTO_UDP;
	memcpy(p + 12, &from->ip_be, 4);
	memcpy(p + 16, &to->ip_be, 4);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(p + 10, ~(sum + (sum >> 16)));
	put16(p + 20, PORT);
	put16(p + 22, PORT);
	put16(p + 24, len - 20);
}

static uint32_t tag_at(void)
{
	return ETH_LEN + (o.is_ip ? IP_LEN : 0);
}

/* Frame k of those that end i sends, as it is at end at; its length. */
static uint32_t make(uint8_t *p, int i, enum what what, uint64_t k, int at)
{
	const struct end *from = &o.end[i], *to = &o.end[!i];
	uint32_t len = what == DATA ? size_of(k) : o.from, n = tag_at();
	uint64_t x = mix((uint64_t)o.run << 32 | (uint64_t)i << 31) ^ k;

	memcpy(p, to->mac, 6);
	memcpy(p + 6, from->mac, 6);
	if (at == 1)
		memcpy(i == 0 ? p + 6 : p, o.seen_mac, 6);
	put16(p + 12, o.is_ip ? 0x0800 : TYPE);
	if (o.is_ip)
		put_ip(p + ETH_LEN, len - ETH_LEN, from, to);
	put32(p + n, o.run);
	p[n + 4] = (uint8_t)((unsigned)what << 1 | (unsigned)i);
	put32(p + n + 5, (uint32_t)(k >> 32));
	put32(p + n + 9, (uint32_t)k);
	for (n += TAG_LEN; n < len; n += 8) {
		uint64_t v = mix(x + ((uint64_t)n << 40));

		memcpy(p + n, &v, len - n < 8 ? len - n : 8);
	}
	return len;
}

static void put(int i, enum what what, uint64_t k)
{
	uint8_t buf[FRAME_MAX];
	uint32_t len = make(buf, i, what, k, i);

	if (send(o.end[i].fd, buf, len, 0) == (ssize_t)len)
		return;
	fprintf(stderr, "frames: %s: a frame of %u bytes: %s\n", o.end[i].name,
		len, strerror(errno));
	exit(2);
}

enum { NAME_LEN = 80 };

static const char *name_of(uint64_t k, char buf[static NAME_LEN])
{
	if (k < o.total)
		snprintf(buf, NAME_LEN, "frame %llu of %llu of %u bytes",
			 (unsigned long long)(k % o.count + 1),
			 (unsigned long long)o.count, size_of(k));
	else
		snprintf(buf, NAME_LEN, "the last frame");
	return buf;
}

/* Frame k of end i's is where it goes wrong. */
__attribute__((noreturn, format(printf, 3, 4))) static void
wrong(int i, uint64_t k, const char *fmt, ...)
{
	char name[NAME_LEN];
	va_list ap;

	printf("%s to %s: %s ", o.end[i].name, o.end[!i].name,
	       name_of(k, name));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static void compare(int i, enum what what, uint64_t k, const uint8_t *p,
		    size_t len)
{
	uint8_t want[FRAME_MAX];
	uint32_t n = make(want, i, what, k, !i);

	if (len != n && (len != SHORTEST || n > SHORTEST))
		wrong(i, k, "came with %zu", len);
	if (memcmp(p, want, n) == 0)
		return;
	for (uint32_t at = 0; at < n; at++)
		if (p[at] != want[at])
			wrong(i, k, "came with %02x instead of %02x at %u",
			      p[at], want[at], at);
}

/* A frame of end i's has come to the other. */
static void come(int i, const uint8_t *p, size_t len)
{
	struct end *e = &o.end[i];
	uint32_t t = tag_at();
	char name[NAME_LEN];
	enum what what;
	uint64_t k;

	if (len < t + TAG_LEN || get32(p + t) != o.run ||
	    (p[t + 4] & 1) != i)
		return; /* somebody else's */
	what = p[t + 4] >> 1;
	k = get64(p + t + 5);
	compare(i, what, k, p, len);
	if (what == HELLO) {
		e->is_heard = true;
		return;
	}
	if (k < e->n_come)
		wrong(i, k, "came twice");
	if (e->is_broken && k == e->n_come)
		wrong(i, k, "came after %s", name_of(e->instead, name));
	if (e->is_broken)
		return;
	if (k == e->n_come) {
		e->n_come++;
		return;
	}
	e->is_broken = true; /* late, or lost: which of them is told */
	e->instead = k;
}

static bool take(int i)
{
	uint8_t buf[FRAME_MAX];
	bool is_any = false;

	for (;;) {
		ssize_t n = recv(o.end[!i].fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return is_any;
		if (n < 0)
			die(o.end[!i].name, "receiving");
		come(i, buf, (size_t)n);
		is_any = true;
	}
}

/* Waits until one has something, and takes it. */
static bool take_any(int ms)
{
	struct pollfd p[2] = {{.fd = o.end[1].fd, .events = POLLIN},
			      {.fd = o.end[0].fd, .events = POLLIN}};
	bool is_any = false;

	if (poll(p, 2, ms) < 0)
		die("poll", "");
	for (int i = 0; i < 2; i++)
		if (p[i].revents)
			is_any |= take(i);
	return is_any;
}

static void greet(void)
{
	uint64_t end = now_ms() + o.contact_s * 1000u, next = 0;

	while (!o.end[0].is_heard || !o.end[1].is_heard) {
		uint64_t t = now_ms();

		if (t >= end) {
			int i = o.end[0].is_heard;

			printf("%s to %s: nothing came for %u s\n",
			       o.end[i].name, o.end[!i].name, o.contact_s);
			exit(1);
		}
		if (t >= next) {
			put(0, HELLO, 0);
			put(1, HELLO, 0);
			next = t + HELLO_MS;
		}
		take_any((int)(next > t ? next - t : 0));
	}
}

static bool is_broken(void)
{
	return o.end[0].is_broken || o.end[1].is_broken;
}

static void send_more(struct end *e, int i)
{
	for (; e->n_sent <= o.total && e->n_sent - e->n_come < o.window;
	     e->n_sent++)
		put(i, e->n_sent < o.total ? DATA : LAST, e->n_sent);
}

static void lost(void)
{
	char name[NAME_LEN];

	for (int i = 0; i < 2; i++) {
		const struct end *e = &o.end[i];

		if (e->is_broken)
			wrong(i, e->n_come, "was lost, %s came",
			      name_of(e->instead, name));
		if (!is_broken() && e->n_come <= o.total)
			wrong(i, e->n_come, "was lost");
	}
}

static void exchange(void)
{
	uint64_t end = now_ms() + STALL_MS, t;
	bool was_broken = false;

	/* One more than asked for: after it nothing can come twice unseen. */
	while (o.end[0].n_come <= o.total || o.end[1].n_come <= o.total) {
		for (int i = 0; i < 2 && !was_broken; i++)
			send_more(&o.end[i], i);
		t = now_ms();
		if (t >= end)
			lost();
		if (take_any((int)(end - t)) && !was_broken)
			end = now_ms() + (is_broken() ? LATE_MS : STALL_MS);
		was_broken = is_broken();
	}
}

static void enter(int ns, const char *name)
{
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(name, "its network namespace");
}

static void open_end(struct end *e, char *arg, int home)
{
	struct sockaddr_ll sa = {.sll_family = AF_PACKET};
	struct ifreq ifr = {0};
	char *ifname = strchr(arg, ':');
	int big = 16 << 20, ns = home;

	e->name = arg;
	if (!ifname || !ifname[1] || strlen(ifname + 1) >= IFNAMSIZ) {
		fprintf(stderr, "frames: '%s' is no NETNS:INTERFACE\n", arg);
		exit(2);
	}
	strcpy(ifr.ifr_name, ifname + 1);
	if (ifname != arg) {
		*ifname = '\0';
		ns = open(arg, O_RDONLY | O_CLOEXEC);
		*ifname = ':';
	}
	enter(ns, arg);
	e->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		die(arg, "socket");
	if (setsockopt(e->fd, SOL_SOCKET, SO_RCVBUFFORCE, &big,
		       sizeof(big)) < 0)
		setsockopt(e->fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	if (ioctl(e->fd, SIOCGIFHWADDR, &ifr) < 0)
		die(arg, "its MAC");
	memcpy(e->mac, ifr.ifr_hwaddr.sa_data, 6);
	if (ioctl(e->fd, SIOCGIFINDEX, &ifr) < 0)
		die(arg, "its index");
	sa.sll_ifindex = ifr.ifr_ifindex;
	sa.sll_protocol = htons(o.is_ip ? 0x0800 : TYPE);
	if (bind(e->fd, (void *)&sa, sizeof(sa)) < 0)
		die(arg, "bind");
	enter(home, "home");
	if (ns != home)
		close(ns);
}

static void usage(void)
{
	fprintf(stderr, "usage: frames [-a MAC] [-4 IP IP] [-w SECONDS] [-n N] "
			"NETNS:IF NETNS:IF COUNT FROM TO STEP\n");
	exit(2);
}

static bool parse_mac(const char *s, uint8_t *mac)
{
	int n = 0;

	return sscanf(s, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0],
		      &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &n) == 6 &&
	       !s[n];
}

int main(int argc, char **argv)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), opt;
	bool is_seen = false;
	uint32_t to;

	o.contact_s = 30;
	o.window = 32;
	while ((opt = getopt(argc, argv, "a:4:w:n:")) != -1) {
		if (opt == 'a' && parse_mac(optarg, o.seen_mac))
			is_seen = true;
		else if (opt == '4' && optind < argc &&
			 inet_pton(AF_INET, optarg, &o.end[0].ip_be) == 1 &&
			 inet_pton(AF_INET, argv[optind++],
				   &o.end[1].ip_be) == 1)
			o.is_ip = true;
		else if (opt == 'w')
			o.contact_s = (unsigned)atoi(optarg);
		else if (opt == 'n')
			o.window = strtoull(optarg, NULL, 10);
		else
			usage();
	}
	if (argc - optind != 6)
		usage();
	o.count = strtoull(argv[optind + 2], NULL, 10);
	o.from = (uint32_t)atoi(argv[optind + 3]);
	to = (uint32_t)atoi(argv[optind + 4]);
	o.step = (uint32_t)atoi(argv[optind + 5]);
	if (!o.count || !o.step || !o.window || o.from < FRAME_MIN || to < o.from ||
	    to > FRAME_MAX)
		usage();
	o.n_sizes = (to - o.from) / o.step + 1;
	o.total = o.count * o.n_sizes;
	if (getrandom(&o.run, sizeof(o.run), 0) != sizeof(o.run))
		die("getrandom", "");
	for (int i = 0; i < 2; i++)
		open_end(&o.end[i], argv[optind + i], home);
	if (!is_seen)
		memcpy(o.seen_mac, o.end[0].mac, 6);
	greet();
	exchange();
	printf("%llu frames of %u sizes each way, %u to %u\n",
	       (unsigned long long)o.total, o.n_sizes, o.from,
	       size_of(o.total - 1));
	return 0;
}
