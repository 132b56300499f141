/* SPDX-License-Identifier: BSD-3-Clause */
/* A DHCP client of the matrix's machines: one lease, once (RFC 2131 3.1). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "cli/matrix.h"
#include "os/rtnl.h"
#include "os/sockaddr.h"
#include "wire/dhcp.h"

enum {
	ROUND_MS = 500, /* until it is asked again */
	ROUNDS = 40,
	MESSAGE_MAX = 1500,
};

struct asking {
	int fd;
	mac mac;
	uint32_t xid;
	enum dhcp_type want; /* OFFER, then ACK */
	addr offered, server;
};

static int open_socket(const char *ifname, struct error *e)
{
	const struct endpoint any = {.ip = addr_v4(0, 0, 0, 0),
				     .port = DHCP_PORT_CLIENT};
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(&any, &ss);
	int one = 1;
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname,
		       (socklen_t)strlen(ifname)) < 0 ||
	    bind(fd, (struct sockaddr *)&ss, len) < 0)
		return error_errno(e, errno, "%s: DHCP", ifname);
	return fd_steal(&fd);
}

static void ask(const struct asking *a)
{
	static const uint8_t params[] = {DHCP_O_MASK, DHCP_O_ROUTER};
	const struct endpoint to = {.ip = addr_v4(255, 255, 255, 255),
				    .port = DHCP_PORT_SERVER};
	struct dhcp_hdr h = {
		.op = DHCP_REQUEST_OP,
		.htype = DHCP_HTYPE_ETHERNET,
		.hlen = sizeof(a->mac.b),
		.xid = a->xid,
		.flags = DHCP_F_BROADCAST,
		.ciaddr = addr_v4(0, 0, 0, 0),
		.yiaddr = addr_v4(0, 0, 0, 0),
		.siaddr = addr_v4(0, 0, 0, 0),
		.giaddr = addr_v4(0, 0, 0, 0),
	};
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(&to, &ss);
	uint8_t buf[DHCP_SURE_LEN];
	struct wr w = wr_init(buf, sizeof(buf));

	memcpy(h.chaddr, a->mac.b, sizeof(a->mac.b));
	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE,
		     a->want == DHCP_OFFER ? DHCP_DISCOVER : DHCP_REQUEST);
	if (a->want == DHCP_ACK) {
		dhcp_emit_addr(&w, DHCP_O_REQUESTED_IP, &a->offered);
		dhcp_emit_addr(&w, DHCP_O_SERVER_ID, &a->server);
	}
	dhcp_emit_opt(&w, DHCP_O_PARAMS, params, sizeof(params));
	dhcp_emit_end(&w, 0);
	/* It is sent again if nobody hears it. */
	(void)sendto(a->fd, buf, wr_len(&w), 0, (struct sockaddr *)&ss, len);
}

/* The answer that is wanted, within a round. */
static bool hear(const struct asking *a, struct dhcp_msg *m)
{
	struct pollfd p = {.fd = a->fd, .events = POLLIN};
	uint8_t buf[MESSAGE_MAX];

	while (poll(&p, 1, ROUND_MS) > 0) {
		ssize_t n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT);
		struct rd r = rd_init(buf, n > 0 ? (size_t)n : 0);

		if (n > 0 && dhcp_parse(&r, m) && m->hdr.xid == a->xid &&
		    m->hdr.op == DHCP_REPLY_OP &&
		    (m->type == a->want || m->type == DHCP_NAK))
			return true;
	}
	return false;
}

static bool take(const struct dhcp_msg *m, struct matrix_lease *l)
{
	uint32_t mask = 0;

	*l = (struct matrix_lease){.ip = m->hdr.yiaddr};
	if (!dhcp_find_u32(m, DHCP_O_MASK, &mask) || !mask)
		return false;
	l->len = (uint8_t)__builtin_popcount(mask);
	if (!dhcp_find_addr(m, DHCP_O_ROUTER, &l->router))
		l->router = (addr){.b = {0}};
	return true;
}

int matrix_lease_get(const char *ifname, struct matrix_lease *l,
		     struct error *e)
{
	CLEANUP_FD int fd = open_socket(ifname, e);
	struct asking a = {.fd = fd, .want = DHCP_OFFER};
	struct rtnl_link link;
	struct dhcp_msg m;

	if (fd < 0 || rtnl_link_get(ifname, 0, &link) < 0)
		return error_set(e, EXIT_FAILED, "%s: no DHCP", ifname);
	a.mac = link.mac;
	(void)!getrandom(&a.xid, sizeof(a.xid), 0); /* 0 is a number too */
	for (int i = 0; i < ROUNDS; i++) {
		ask(&a);
		if (!hear(&a, &m))
			continue;
		if (m.type == DHCP_ACK && take(&m, l))
			return 0;
		a.want = m.type == DHCP_OFFER &&
				dhcp_find_addr(&m, DHCP_O_SERVER_ID, &a.server)
			? DHCP_ACK
			: DHCP_OFFER;
		a.offered = m.hdr.yiaddr;
	}
	return error_set(e, EXIT_FAILED, "%s: no DHCP server answers", ifname);
}
