/* SPDX-License-Identifier: BSD-3-Clause */
/* Renewing a lease: a network of our own whose loopback has both ends, and a
 * clock that the test moves. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/renew.h"
#include "os/ownns.h"
#include "os/rtnl.h"
#include "wire/dhcp.h"

enum { OK = 0, DENIED = 77, T0 = 1000000 };

/* In the child: the number of the line that went wrong. */
#define NEED(c)                                                                \
	do {                                                                   \
		if (!(c))                                                      \
			return __LINE__ % 200 + 1;                             \
	} while (0)

static const mac own = {{0x52, 0x54, 0, 1, 2, 3}};

struct bench {
	struct renewal r;
	struct log log;
	int server;
};

static struct lease lease_of(uint32_t seconds)
{
	return (struct lease){
		.ip = {.ip = addr_v4(10, 0, 2, 20), .len = 120},
		.server = addr_v4(10, 0, 2, 2),
		.lease_s = seconds,
	};
}

/* 0, or DENIED where there can be no network of our own. */
static int begin(struct bench *b, const struct lease *l)
{
	const struct prefix client = {addr_v4(10, 0, 2, 20), 120};
	const struct prefix server = {addr_v4(10, 0, 2, 2), 120};
	const struct sockaddr_in sa = {.sin_family = AF_INET,
				       .sin_port = htons(DHCP_PORT_SERVER)};
	struct error e = ERROR_NULL;
	int fd;

	if (ownns_enter(&e) < 0)
		return DENIED;
	NEED(rtnl_addr_put("lo", &client) == 0);
	NEED(rtnl_addr_put("lo", &server) == 0);
	b->server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	NEED(bind(b->server, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
	fd = renewal_socket("lo");
	NEED(fd >= 0);
	b->log = LOG_INIT(LOG_LEVEL_ERROR);
	b->r = RENEWAL_NULL;
	b->r.mac = own;
	b->r.log = &b->log;
	snprintf(b->r.hostname, sizeof(b->r.hostname), "prog");
	renewal_begin(&b->r, fd, l, T0);
	return OK;
}

/* The question that came; false: none. */
static bool asked(const struct bench *b, struct dhcp_msg *m,
		  struct sockaddr_in *from)
{
	socklen_t len = sizeof(*from);
	uint8_t buf[2000];
	ssize_t n = recvfrom(b->server, buf, sizeof(buf), 0,
			     (struct sockaddr *)from, &len);
	struct rd r = rd_init(buf, n < 0 ? 0 : (size_t)n);

	return n > 0 && dhcp_parse(&r, m);
}

static bool answers(const struct bench *b, const struct dhcp_msg *m,
		    const struct sockaddr_in *to, enum dhcp_type type,
		    uint32_t seconds)
{
	const addr self = addr_v4(10, 0, 2, 2);
	struct dhcp_hdr h = dhcp_reply_hdr(m);
	uint8_t buf[1000];
	struct wr w = wr_init(buf, sizeof(buf));

	h.op = DHCP_REPLY_OP;
	h.yiaddr = type == DHCP_ACK ? addr_v4(10, 0, 2, 20) : addr_v4_u32(0);
	h.ciaddr = h.siaddr = addr_v4_u32(0);
	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, (uint8_t)type);
	dhcp_emit_addr(&w, DHCP_O_SERVER_ID, &self);
	dhcp_emit_u32(&w, DHCP_O_LEASE_TIME, seconds);
	dhcp_emit_end(&w, 0);
	return sendto(b->server, buf, wr_len(&w), 0,
		      (const struct sockaddr *)to, sizeof(*to)) > 0;
}

/* At half its time the server itself is asked, for what we have. */
static int renewed(void)
{
	const struct lease l = lease_of(1000);
	const addr own_ip = addr_v4(10, 0, 2, 20);
	struct bench b;
	struct dhcp_msg m;
	struct sockaddr_in from;
	char name[20];
	struct rd rd;
	int r = begin(&b, &l);

	if (r)
		return r;
	NEED(renewal_turn(&b.r, T0) == 500000);
	NEED(renewal_turn(&b.r, T0 + 499999) == 1);
	NEED(!asked(&b, &m, &from));
	NEED(renewal_turn(&b.r, T0 + 500000) == 375000 / 2);
	NEED(asked(&b, &m, &from));
	NEED(m.type == DHCP_REQUEST && m.hdr.op == DHCP_REQUEST_OP);
	NEED(addr_eq(&m.hdr.ciaddr, &own_ip) && m.hdr.flags == 0);
	NEED(memcmp(m.hdr.chaddr, own.b, 6) == 0);
	NEED(!dhcp_find(&m, DHCP_O_REQUESTED_IP, &rd));
	NEED(!dhcp_find(&m, DHCP_O_SERVER_ID, &rd));
	NEED(dhcp_find_text(&m, DHCP_O_HOSTNAME, name, sizeof(name)));
	NEED(strcmp(name, "prog") == 0);
	NEED(from.sin_port == htons(DHCP_PORT_CLIENT));
	NEED(answers(&b, &m, &from, DHCP_ACK, 2000));
	NEED(renewal_turn(&b.r, T0 + 500010) == 1000000);
	renewal_deinit(&b.r);
	return OK;
}

/* Then whoever hears it, and then it is over, and it is still asked. */
static int unanswered(void)
{
	struct lease l = lease_of(1000);
	struct bench b;
	struct dhcp_msg m;
	struct sockaddr_in from;
	int r;

	l.renew_s = 100;
	l.rebind_s = 600;
	r = begin(&b, &l);
	if (r)
		return r;
	NEED(renewal_turn(&b.r, T0) == 100000);
	NEED(renewal_turn(&b.r, T0 + 100000) == 250000);
	NEED(asked(&b, &m, &from));
	NEED(renewal_turn(&b.r, T0 + 350000) == 125000);
	NEED(renewal_turn(&b.r, T0 + 475000) == 62500);
	NEED(renewal_turn(&b.r, T0 + 537500) == 60000);
	NEED(renewal_turn(&b.r, T0 + 597500) == 2500);
	while (asked(&b, &m, &from))
		;
	NEED(renewal_turn(&b.r, T0 + 600000) == 200000);
	NEED(asked(&b, &m, &from));
	NEED(renewal_turn(&b.r, T0 + 1000000) == 60000);
	NEED(b.r.has_ended && asked(&b, &m, &from));
	NEED(renewal_turn(&b.r, T0 + 1060000) == 60000);
	NEED(asked(&b, &m, &from));
	/* it was only asleep */
	NEED(answers(&b, &m, &from, DHCP_ACK, 1000));
	NEED(renewal_turn(&b.r, T0 + 1060010) == 500000);
	NEED(!b.r.has_ended);
	renewal_deinit(&b.r);
	return OK;
}

/* Of another question, another client, for another address; none at all. */
static int noise(void)
{
	const struct lease l = lease_of(1000);
	struct bench b;
	struct dhcp_msg m, other;
	struct sockaddr_in from;
	int r = begin(&b, &l);

	if (r)
		return r;
	NEED(renewal_turn(&b.r, T0 + 500000) == 187500);
	NEED(asked(&b, &m, &from));
	other = m;
	other.hdr.xid ^= 1;
	NEED(answers(&b, &other, &from, DHCP_NAK, 0));
	NEED(answers(&b, &other, &from, DHCP_ACK, 5));
	other = m;
	other.hdr.chaddr[5] ^= 1;
	NEED(answers(&b, &other, &from, DHCP_ACK, 5));
	NEED(answers(&b, &m, &from, DHCP_OFFER, 5));
	NEED(answers(&b, &m, &from, DHCP_ACK, 0));
	NEED(sendto(b.server, "x", 1, 0, (struct sockaddr *)&from,
		    sizeof(from)) == 1);
	NEED(renewal_turn(&b.r, T0 + 500000) == 187500);
	NEED(answers(&b, &m, &from, DHCP_NAK, 0));
	NEED(renewal_turn(&b.r, T0 + 500000) == -1);
	NEED(b.r.fd < 0);
	return OK;
}

/* For ever, or nobody said how long. */
static int for_ever(void)
{
	struct lease l = lease_of(UINT32_MAX);
	struct bench b;
	int r = begin(&b, &l);

	if (r)
		return r;
	NEED(renewal_turn(&b.r, T0) == -1);
	l.lease_s = 0;
	renewal_begin(&b.r, dup(b.server), &l, T0);
	NEED(b.r.fd < 0 && renewal_turn(&b.r, T0) == -1);
	return OK;
}

static void in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == DENIED)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), OK);
}

static void test_renewed(void **state)
{
	(void)state;
	in_child(renewed);
}

static void test_unanswered(void **state)
{
	(void)state;
	in_child(unanswered);
}

static void test_noise(void **state)
{
	(void)state;
	in_child(noise);
}

static void test_for_ever(void **state)
{
	(void)state;
	in_child(for_ever);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_unanswered),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
