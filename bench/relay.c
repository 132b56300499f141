/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-relay: the floor under every engine in user space, the same work with
 * nothing around it; for a NAT over loopback TCP with a process of its own at
 * the other end, for a switch between two machines a copy.
 *
 *      bench-relay up      send of chunk= bytes from shared memory
 *      bench-relay down    recv of chunk= bytes into shared memory
 *      bench-relay rr      bytes from a unix stream to TCP and back
 *      bench-relay copy    memcpy of chunk= bytes, out of memory that no cache
 *                          holds into other such memory
 *
 * With buf= each call has an iovec of as many pieces of that size as make up
 * a chunk, as a ring of small buffers has.
 *
 * The memory is a memfd's, as a machine's is; mem= bytes of it are gone
 * through in turn, as rings of buffers are.  (copy: twice mem= bytes.)
 */
#include "bench/common.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEER_CHUNK = 1 << 20, REQUEST_MAX = 64 << 10, PIECES_MAX = 128 };
enum { COPY_MEM = 512 << 20, COPY_TURN = 64 }; /* bytes, chunks */

struct relay {
	const char *cc;
	size_t chunk;
	size_t mem;
	size_t buf;           /* of one piece, 0: a chunk is one */
	size_t size;          /* of a request */
	int64_t secs_ns;
	int64_t warm_ns;
};

/* ---- the other end ---- */

/* Two ends of a TCP connection over loopback. */
static void connect_pair(const struct relay *r, int fd[2])
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	int on = 1;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (int i = 0; i < 2; i++) {
		int s = i ? listener : fd[0];

		if (setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, r->cc,
			       (socklen_t)strlen(r->cc)))
			die("congestion control %s: %s", r->cc,
			    strerror(errno));
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&sin, &len) ||
	    connect(fd[0], (struct sockaddr *)&sin, sizeof(sin)))
		die("loopback: %s", strerror(errno));
	fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd[1] < 0)
		die("accept: %s", strerror(errno));
	close(listener);
}

static void sink(const struct relay *r, int fd, void *area)
{
	char *buf = malloc(PEER_CHUNK);

	while (buf && recv(fd, buf, PEER_CHUNK, MSG_TRUNC) > 0)
		;
}

static void fill(const struct relay *r, int fd, void *area)
{
	size_t len = 128 << 10;
	char *buf = calloc(1, len);

	while (buf && send(fd, buf, len, MSG_NOSIGNAL) > 0)
		;
}

static void echo(const struct relay *r, int fd, void *area)
{
	char *buf = malloc(REQUEST_MAX);
	ssize_t n;

	while (buf && (n = recv(fd, buf, REQUEST_MAX, 0)) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			return;
}

/* What the asking process tells: shared memory. */
struct answers {
	uint64_t n;
	uint32_t ns[1 << 20]; /* the first of them */
};

static void ask(const struct relay *r, int fd, void *area)
{
	struct answers *a = area;
	char *buf = calloc(1, r->size);

	for (;;) {
		int64_t start = now_ns();
		size_t got = 0;

		if (send(fd, buf, r->size, MSG_NOSIGNAL) != (ssize_t)r->size)
			return;
		while (got < r->size) {
			ssize_t n = recv(fd, buf, r->size, 0);

			if (n <= 0)
				return;
			got += (size_t)n;
		}
		if (a->n < sizeof(a->ns) / sizeof(*a->ns))
			a->ns[a->n] = (uint32_t)(now_ns() - start);
		__atomic_store_n(&a->n, a->n + 1, __ATOMIC_RELEASE);
	}
}

/* Runs work in a process of its own, which ends with this one. */
static pid_t start(const struct relay *r, int fd, int other, void *area,
		   void (*work)(const struct relay *, int, void *))
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	close(other);
	work(r, fd, area);
	_exit(0);
}

/* ---- the floor ---- */

static char *map_memory(size_t len)
{
	int fd = memfd_create("bench-relay", MFD_CLOEXEC);
	char *p;

	if (fd < 0 || ftruncate(fd, (off_t)len))
		die("memfd: %s", strerror(errno));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		 fd, 0);
	if (p == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	close(fd);
	memset(p, 1, len);
	return p;
}

/* Points msg at the next chunk of the memory, which begins at *atp. */
static void next_chunk(const struct relay *r, char *mem, size_t *atp,
		       struct msghdr *msg)
{
	size_t left = r->chunk;

	msg->msg_iovlen = 0;
	while (left && msg->msg_iovlen < PIECES_MAX) {
		struct iovec *v = &msg->msg_iov[msg->msg_iovlen++];
		size_t len = r->buf && r->buf < left ? r->buf : left;

		if (*atp + len > r->mem)
			*atp = 0;
		*v = (struct iovec){mem + *atp, len};
		*atp += len;
		left -= len;
	}
}

/* Moves bytes until the time is over; what is measured begins after warm. */
static void stream(const struct relay *r, bool is_up)
{
	char *mem = map_memory(r->mem);
	uint64_t bytes = 0, calls = 0;
	int64_t cpu = cpu_self_ns();
	int64_t from = now_ns() + r->warm_ns;
	struct iovec iov[PIECES_MAX];
	struct msghdr msg = {.msg_iov = iov};
	bool counting = false;
	size_t at = 0;
	int64_t now, spent;
	double gib;
	int fd[2];

	connect_pair(r, fd);
	start(r, fd[1], fd[0], NULL, is_up ? sink : fill);
	close(fd[1]);
	while ((now = now_ns()) < from + r->secs_ns) {
		ssize_t n;

		if (!counting && now >= from) {
			counting = true;
			bytes = calls = 0;
			from = now;
			cpu = cpu_self_ns();
		}
		next_chunk(r, mem, &at, &msg);
		n = is_up ? sendmsg(fd[0], &msg, MSG_NOSIGNAL)
			  : recvmsg(fd[0], &msg, 0);
		if (n <= 0)
			die("the other end has gone");
		bytes += (uint64_t)n;
		calls++;
	}
	cpu = cpu_self_ns() - cpu;
	spent = now - from;
	gib = (double)bytes / (double)(1 << 30);
	printf("{\"test\":\"floor\",\"dir\":\"%s\",\"secs\":%.3f,"
	       "\"bytes\":%llu,\"gbit_s\":%.4f,\"cpu_s\":%.6f,"
	       "\"cpu_s_per_gib\":%.6f,\"bytes_per_call\":%.0f}\n",
	       is_up ? "up" : "down", (double)spent / 1e9,
	       (unsigned long long)bytes,
	       (double)bytes * 8 / (double)spent, (double)cpu / 1e9,
	       (double)cpu / 1e9 / gib, (double)bytes / (double)calls);
}

/* A copy of everything that is moved: the least that a switch has to do. */
static void copy(const struct relay *r)
{
	char *from = map_memory(r->mem), *to = map_memory(r->mem);
	size_t at = 0;
	uint64_t bytes = 0;
	int64_t begun = now_ns(), cpu = cpu_self_ns(), spent;
	double gib;

	do {
		for (unsigned i = 0; i < COPY_TURN; i++) {
			if (r->chunk > r->mem - at)
				at = 0;
			memcpy(to + at, from + at, r->chunk);
			/* It is read by others, for all one knows. */
			__asm__ volatile("" : : "r"(to) : "memory");
			at += r->chunk;
			bytes += r->chunk;
		}
		spent = now_ns() - begun;
	} while (spent < r->secs_ns);
	cpu = cpu_self_ns() - cpu;
	gib = (double)bytes / (double)(1 << 30);
	printf("{\"test\":\"floor\",\"dir\":\"copy\",\"secs\":%.3f,"
	       "\"bytes\":%llu,\"gbit_s\":%.4f,\"cpu_s\":%.6f,"
	       "\"cpu_s_per_gib\":%.6f}\n",
	       (double)spent / 1e9, (unsigned long long)bytes,
	       (double)bytes * 8 / (double)spent, (double)cpu / 1e9,
	       (double)cpu / 1e9 / gib);
}

static void pass(int from, int to, char *buf)
{
	ssize_t n = recv(from, buf, REQUEST_MAX, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || send(to, buf, (size_t)n, MSG_NOSIGNAL) != n)
		die("the other end has gone");
}

/* Passes bytes between fd[0] and fd[1] until then. */
static void pass_until(int ep, const int fd[2], char *buf, int64_t end)
{
	struct epoll_event e[2];

	while (now_ns() < end) {
		int n = epoll_wait(ep, e, 2, 100);

		for (int i = 0; i < n; i++)
			pass(fd[e[i].data.u32], fd[!e[i].data.u32], buf);
	}
}

static void rr(const struct relay *r)
{
	struct answers *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ep = epoll_create1(EPOLL_CLOEXEC);
	char *buf = malloc(REQUEST_MAX);
	int tcp[2], un[2], fd[2];
	struct samples s = {0};
	uint64_t before, n;
	int64_t cpu, begun;

	if (a == MAP_FAILED || ep < 0 || !buf)
		die("no memory");
	connect_pair(r, tcp);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, un))
		die("socketpair: %s", strerror(errno));
	start(r, tcp[1], tcp[0], NULL, echo);
	start(r, un[1], un[0], a, ask);
	close(tcp[1]);
	close(un[1]);
	fd[0] = tcp[0];
	fd[1] = un[0];
	for (uint32_t i = 0; i < 2; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};

		epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e);
	}
	pass_until(ep, fd, buf, now_ns() + r->warm_ns);
	before = __atomic_load_n(&a->n, __ATOMIC_ACQUIRE);
	cpu = cpu_self_ns();
	begun = now_ns();
	pass_until(ep, fd, buf, begun + r->secs_ns);
	cpu = cpu_self_ns() - cpu;
	n = __atomic_load_n(&a->n, __ATOMIC_ACQUIRE);
	for (uint64_t i = before; i < n && i < sizeof(a->ns) / sizeof(*a->ns);
	     i++)
		samples_add(&s, a->ns[i]);
	n -= before;
	if (!n)
		die("not one answer");
	printf("{\"test\":\"floor\",\"dir\":\"rr\",\"secs\":%.3f,"
	       "\"transactions\":%llu,\"cpu_s\":%.6f,"
	       "\"cpu_us_per_transaction\":%.4f",
	       (double)r->secs_ns / 1e9, (unsigned long long)n,
	       (double)cpu / 1e9, (double)cpu / 1e3 / (double)n);
	samples_print(&s);
	printf("}\n");
	samples_deinit(&s);
	free(buf);
}

int main(int argc, char **argv)
{
	struct relay r;
	struct args args;
	const char *what;
	bool is_copy;

	args_init(&args, argc - 1, argv + 1);
	what = args_word(&args);
	is_copy = what && !strcmp(what, "copy");
	r = (struct relay){
		.cc = args_text(&args, "cc", "cubic"),
		.chunk = (size_t)args_number(&args, "chunk", 64 << 10, 1,
					     16 << 20),
		.mem = (size_t)args_number(
			&args, "mem", is_copy ? COPY_MEM : 1 << 20, 1, 1 << 30),
		.buf = (size_t)args_number(&args, "buf", 0, 512, 1 << 20),
		.size = (size_t)args_number(&args, "size", 1, 1, 4096),
		.secs_ns = (int64_t)(args_number(&args, "secs", 2, 0.05, 60) *
				     1e9),
		.warm_ns =
			(int64_t)(args_number(&args, "warm", 0.3, 0, 60) * 1e9),
	};
	args_done(&args);
	if (r.mem < r.chunk)
		usage("mem= must be no less than chunk=");
	signal(SIGCHLD, SIG_IGN);
	deadline_set((double)(r.secs_ns + r.warm_ns) / 1e9 + 5,
		     "the other end");
	if (is_copy)
		copy(&r);
	else if (what && !strcmp(what, "rr"))
		rr(&r);
	else if (what && (!strcmp(what, "up") || !strcmp(what, "down")))
		stream(&r, !strcmp(what, "up"));
	else
		usage("up, down, rr or copy? [secs=2] [warm=0.3] [cc=cubic]"
		      " [chunk=65536] [mem=1048576] [buf=0] [size=1]");
	return 0;
}
