/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What this room believes of the kernel, shown on the running one.  What a
 * kernel may lack is skipped with a word, not failed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/test_user.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

/* A bound socket of the type; *sa is its address. */
static int bound(int type, struct sockaddr_in *sa)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*sa);

	*sa = loopback();
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)sa, sizeof(*sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)sa, &len), 0);
	return fd;
}

/* Two ends of a TCP connection. */
static void tcp_pair(int fd[2])
{
	const int one = 1;
	struct sockaddr_in sa;
	int l = bound(SOCK_STREAM, &sa);

	assert_int_equal(listen(l, 1), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&sa, sizeof(sa)), 0);
	fd[1] = accept(l, NULL, NULL);
	assert_true(fd[1] >= 0);
	setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(l);
}

/* Waits until n bytes can be read. */
static void wait_bytes(int fd, int n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int have = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n));
	assert_int_equal(poll(&p, 1, -1), 1);
	assert_int_equal(ioctl(fd, FIONREAD, &have), 0);
	assert_true(have >= n);
	n = 1;
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n));
}

static void close_pair(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

static uint32_t ready(int ep)
{
	struct epoll_event ev = {0};
	int n = epoll_wait(ep, &ev, 1, 0);

	assert_true(n >= 0);
	return n ? ev.events : 0;
}

/* An edge comes with new data, also when old data is unread; not without. */
static void an_edge_comes_with_each_arrival(void **state)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP |
					   EPOLLET};
	int ep = epoll_create1(EPOLL_CLOEXEC), fd[2];

	tcp_pair(fd);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &ev), 0);
	assert_int_equal(ready(ep), EPOLLOUT);
	assert_int_equal(ready(ep), 0);
	assert_int_equal(send(fd[0], "a", 1, 0), 1);
	wait_bytes(fd[1], 1);
	assert_true(ready(ep) & EPOLLIN);
	assert_int_equal(ready(ep), 0);
	assert_int_equal(send(fd[0], "b", 1, 0), 1);
	wait_bytes(fd[1], 2);
	assert_true(ready(ep) & EPOLLIN);
	shutdown(fd[0], SHUT_WR);
	while (!(ready(ep) & EPOLLRDHUP))
		;
	close_pair(fd);
	close(ep);
}

/* Each write to an eventfd is one too, though nobody ever reads it. */
static void an_edge_comes_with_each_ring(void **state)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const uint64_t one = 1;

	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	assert_int_equal(ready(ep), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
		assert_int_equal(ready(ep), EPOLLIN);
		assert_int_equal(ready(ep), 0);
	}
	close(fd);
	close(ep);
}

/* Room to write is an edge only after a write was refused. */
static void an_edge_for_room_follows_a_refusal(void **state)
{
	struct epoll_event ev = {.events = EPOLLOUT | EPOLLET};
	static char block[65536];
	int ep = epoll_create1(EPOLL_CLOEXEC), fd[2];
	size_t sent = 0, got = 0;
	ssize_t n;

	tcp_pair(fd);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev), 0);
	assert_int_equal(ready(ep), EPOLLOUT);
	while ((n = send(fd[0], block, sizeof(block), MSG_DONTWAIT)) > 0)
		sent += (size_t)n;
	assert_int_equal(errno, EAGAIN);
	while (got < sent) {
		n = recv(fd[1], block, sizeof(block), 0);
		assert_true(n > 0);
		got += (size_t)n;
	}
	while (!(ready(ep) & EPOLLOUT))
		;
	close_pair(fd);
	close(ep);
}

/* MSG_TRUNC on TCP throws bytes away, and the buffer stays as it is. */
static void tcp_discards_without_a_copy(void **state)
{
	char buf[4] = "....";
	int fd[2];

	tcp_pair(fd);
	assert_int_equal(send(fd[0], "abcdef", 6, 0), 6);
	wait_bytes(fd[1], 6);
	assert_int_equal(recv(fd[1], buf, 4, MSG_TRUNC), 4);
	assert_memory_equal(buf, "....", 4);
	assert_int_equal(recv(fd[1], buf, 4, 0), 2);
	assert_memory_equal(buf, "ef", 2);
	close_pair(fd);
}

/* On a unix stream the same call is an ordinary read. */
static void unix_streams_do_not(void **state)
{
	char buf[4] = "....";
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(send(fd[0], "abcdef", 6, 0), 6);
	assert_int_equal(recv(fd[1], buf, 4, MSG_TRUNC), 4);
	assert_memory_equal(buf, "abcd", 4);
	close_pair(fd);
}

static void expect_peek(int fd, const char *text)
{
	char buf[16];
	ssize_t n = (ssize_t)strlen(text);

	assert_int_equal(recv(fd, buf, (size_t)n, MSG_PEEK | MSG_DONTWAIT), n);
	assert_memory_equal(buf, text, (size_t)n);
}

static int peek_off(int fd)
{
	socklen_t len = sizeof(int);
	int off = -2;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, &len),
			 0);
	return off;
}

static void check_peek_off(const int fd[2])
{
	char buf[16];

	assert_int_equal(send(fd[0], "abcdefgh", 8, 0), 8);
	wait_bytes(fd[1], 8);
	/* Each peek goes on where the last one ended. */
	expect_peek(fd[1], "abc");
	expect_peek(fd[1], "de");
	assert_int_equal(peek_off(fd[1]), 5);
	/* A drain of a part takes the offset back by as much. */
	assert_int_equal(recv(fd[1], buf, 2, MSG_TRUNC), 2);
	assert_int_equal(peek_off(fd[1]), 3);
	expect_peek(fd[1], "fg");
	/* At the end it waits, and new bytes are what comes next. */
	expect_peek(fd[1], "h");
	assert_int_equal(recv(fd[1], buf, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(send(fd[0], "ij", 2, 0), 2);
	wait_bytes(fd[1], 8);
	expect_peek(fd[1], "ij");
	/* A drain up to the offset leaves it at 0. */
	assert_int_equal(recv(fd[1], buf, 8, MSG_TRUNC), 8);
	assert_int_equal(peek_off(fd[1]), 0);
	assert_int_equal(send(fd[0], "k", 1, 0), 1);
	wait_bytes(fd[1], 1);
	expect_peek(fd[1], "k");
	/* It can be put back: what was lost is peeked again. */
	assert_int_equal(setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &(int){0},
				    sizeof(int)),
			 0);
	expect_peek(fd[1], "k");
}

static void tcp_peeks_at_an_offset(void **state)
{
	int fd[2];

	tcp_pair(fd);
	if (setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &(int){0},
		       sizeof(int)) < 0) {
		assert_int_equal(errno, EOPNOTSUPP);
		print_message("SO_PEEK_OFF: not for TCP here (Linux 6.9)\n");
		close_pair(fd);
		skip();
	}
	check_peek_off(fd);
	close_pair(fd);
}

/* The end of the stream behind peeked bytes is seen as 0. */
static void the_end_is_seen_behind_the_offset(void **state)
{
	char c;
	int fd[2];

	tcp_pair(fd);
	if (setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &(int){0},
		       sizeof(int)) < 0) {
		close_pair(fd);
		skip();
	}
	assert_int_equal(send(fd[0], "a", 1, 0), 1);
	shutdown(fd[0], SHUT_WR);
	wait_bytes(fd[1], 1);
	expect_peek(fd[1], "a");
	assert_int_equal(recv(fd[1], &c, 1, MSG_PEEK), 0);
	close_pair(fd);
}

/* A run sent with UDP_SEGMENT arrives whole where UDP_GRO is on. */
static void udp_runs_cross_whole(void **state)
{
	const int one = 1, size = 100;
	struct sockaddr_in sa;
	char buf[1000] = "", ctrl[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = ctrl,
			   .msg_controllen = sizeof(ctrl)};
	struct cmsghdr *c;
	int rx = bound(SOCK_DGRAM, &sa);
	int tx = socket(AF_INET, SOCK_DGRAM, 0);
	int got = 0;

	assert_int_equal(setsockopt(rx, SOL_UDP, UDP_GRO, &one, sizeof(one)),
			 0);
	assert_int_equal(setsockopt(tx, SOL_UDP, UDP_SEGMENT, &size,
				    sizeof(size)),
			 0);
	assert_int_equal(sendto(tx, buf, 350, 0, (struct sockaddr *)&sa,
				sizeof(sa)),
			 350);
	assert_int_equal(recvmsg(rx, &m, 0), 350);
	c = CMSG_FIRSTHDR(&m);
	assert_non_null(c);
	assert_int_equal(c->cmsg_level, SOL_UDP);
	assert_int_equal(c->cmsg_type, UDP_GRO);
	memcpy(&got, CMSG_DATA(c), sizeof(got));
	assert_int_equal(got, 100);
	close(rx);
	close(tx);
}

/* A name whose owner is gone refuses, which tells it from a live one; that of
 * a socket of another type answers in other words, alive or not. */
static void stale_names_refuse(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char dir[] = "/tmp/vmlan-kernel-XXXXXX";
	int a = socket(AF_UNIX, SOCK_STREAM, 0);
	int b = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_non_null(mkdtemp(dir));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
	assert_int_equal(bind(a, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(connect(b, (struct sockaddr *)&sa, sizeof(sa)), -1);
	assert_int_equal(errno, EPROTOTYPE);
	close(b);
	/* Bound and not listening yet looks stale as well. */
	b = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(b, (struct sockaddr *)&sa, sizeof(sa)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(a);
	assert_int_equal(connect(b, (struct sockaddr *)&sa, sizeof(sa)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(b);
	unlink(sa.sun_path);
	rmdir(dir);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edge_comes_with_each_arrival),
		cmocka_unit_test(an_edge_comes_with_each_ring),
		cmocka_unit_test(an_edge_for_room_follows_a_refusal),
		cmocka_unit_test(tcp_discards_without_a_copy),
		cmocka_unit_test(unix_streams_do_not),
		cmocka_unit_test(tcp_peeks_at_an_offset),
		cmocka_unit_test(the_end_is_seen_behind_the_offset),
		cmocka_unit_test(udp_runs_cross_whole),
		cmocka_unit_test(stale_names_refuse),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
