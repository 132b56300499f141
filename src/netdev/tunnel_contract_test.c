/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the port contract test (port_contract.h) for l2tpv3 and vxlan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/mmsg.h"
#include "netdev/netdev.h"
#include "netdev/port_contract.h"
#include "netdev/rig.h"
#include "netdev/rig_tap.h"
#include "os/sockaddr.h"
#include "wire/vxlan.h"

enum { PROTO_L2TP = 115, IP4_HDR = 20, TX = 7, RX = 9 };

struct bench {
	struct rig rig;
	int fd;		    /* owned: the peer's, connected to the port's */
	size_t skip;	    /* bytes that the kernel puts in front */
	uint8_t tx[L2TPV3_HDR_MAX]; /* the peer's header .. */
	size_t tx_len;	    /* .. and its length, both ways */
	uint8_t *buf;	    /* owned */
};

static void tunnel_turn(struct contract_rig *r, int ms)
{
	struct bench *b = r->priv;

	rig_turn(&b->rig, ms);
}

static bool tunnel_send(struct contract_rig *r, const void *p, uint32_t len)
{
	struct bench *b = r->priv;
	const struct iovec iov[] = {{b->tx, b->tx_len}, {(void *)p, len}};
	const struct msghdr m = {.msg_iov = (struct iovec *)iov,
				 .msg_iovlen = 2};

	return sendmsg(b->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)(b->tx_len + len);
}

static uint32_t tunnel_recv(struct contract_rig *r, void *p, uint32_t room)
{
	struct bench *b = r->priv;
	size_t hdr = b->skip + b->tx_len;
	ssize_t n = recv(b->fd, b->buf, MMSG_SLOT, MSG_DONTWAIT);

	if (n < 0)
		return 0;
	assert_true(n > (ssize_t)hdr && n - (ssize_t)hdr <= room);
	memcpy(p, b->buf + hdr, (size_t)n - hdr);
	return (uint32_t)((size_t)n - hdr);
}

static void tunnel_close(struct contract_rig *r)
{
	struct bench *b = r->priv;

	rig_remove(r->port);
	rig_deinit(&b->rig);
	fd_close(&b->fd);
	free(b->buf);
	free(b);
	r->port = NULL;
	r->priv = NULL;
}

/* Bound to *ep, whose port is filled in; -1: not here. */
static int bound(struct endpoint *ep, int type, int proto)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(ep, &ss);
	CLEANUP_FD int fd = socket(ss.ss_family, type | SOCK_NONBLOCK, proto);
	int size = 1 << 20;

	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0)
		return -1;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_true(sockaddr_to(&ss, ep));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd_steal(&fd);
}

static void join(int fd, const struct endpoint *ep)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(ep, &ss);

	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
}

/* The two ends, *peer being the bench's; the port's descriptor, or -1. */
static int prepare(struct contract_rig *r, bool is_v4, int type, int proto,
		   struct endpoint *peer)
{
	const addr lo[2] = {addr_v4(127, 0, 0, 1), {{[15] = 1}}};
	struct endpoint us = {.ip = lo[!is_v4]};
	struct bench *b = calloc(1, sizeof(*b));
	int fd = bound(&us, type, proto);

	assert_non_null(b);
	peer->ip = is_v4 ? addr_v4(127, 0, 0, 2) : lo[1];
	peer->port = 0;
	b->fd = fd < 0 ? -1 : bound(peer, type, proto);
	if (b->fd < 0) {
		print_message("  no such sockets here\n");
		fd_close(&fd);
		free(b);
		return -1;
	}
	join(b->fd, &us);
	if (type == SOCK_RAW)
		join(fd, peer);
	b->buf = malloc(MMSG_SLOT);
	rig_init(&b->rig);
	r->lan = b->rig.lan;
	r->drops = &b->rig.drops;
	r->priv = b;
	return fd;
}

static bool l2tpv3_open(struct contract_rig *r, bool is_v4, bool is_udp,
			const struct l2tpv3_form *like)
{
	struct netdev_l2tpv3_config c = {.name = "l0", .tx = *like};
	struct l2tpv3_form theirs;
	struct bench *b;
	struct wr w;

	c.fd = prepare(r, is_v4, is_udp ? SOCK_DGRAM : SOCK_RAW,
		       is_udp ? 0 : PROTO_L2TP, &c.remote);
	if (c.fd < 0)
		return false;
	b = r->priv;
	c.tx.is_udp = is_udp;
	theirs = c.rx = c.tx;
	c.tx.session = TX;
	theirs.session = c.rx.session = RX;
	b->skip = !is_udp && is_v4 ? IP4_HDR : 0;
	w = wr_init(b->tx, sizeof(b->tx));
	l2tpv3_emit(&w, &theirs, 77);
	b->tx_len = wr_len(&w);
	assert_int_equal(netdev_l2tpv3_new(&b->rig.env, &c, &r->port), 0);
	return true;
}

static const struct l2tpv3_form plain, all = {.cookie_len = 8,
					      .cookie = 0x1122334455667788,
					      .has_counter = true,
					      .offset = 3};

static bool l2tpv3_inet(struct contract_rig *r)
{
	return l2tpv3_open(r, true, true, &plain);
}

static bool l2tpv3_inet_all(struct contract_rig *r)
{
	return l2tpv3_open(r, true, true, &all);
}

static bool l2tpv3_inet6(struct contract_rig *r)
{
	return l2tpv3_open(r, false, true, &all);
}

static bool l2tpv3_raw(struct contract_rig *r)
{
	return l2tpv3_open(r, true, false, &plain);
}

static bool vxlan_open(struct contract_rig *r, bool is_v4)
{
	struct netdev_vxlan_config c = {.name = "v0", .vni = 42, .learns = true,
					.age_ns = 1, .n_remotes = 1};
	struct endpoint peer;
	struct bench *b;
	struct wr w;

	c.fd = prepare(r, is_v4, SOCK_DGRAM, 0, &peer);
	if (c.fd < 0)
		return false;
	b = r->priv;
	c.remotes = &peer.ip;
	c.port = peer.port;
	w = wr_init(b->tx, sizeof(b->tx));
	vxlan_emit(&w, 42);
	b->tx_len = wr_len(&w);
	assert_int_equal(netdev_vxlan_new(&b->rig.env, &c, &r->port), 0);
	return true;
}

static bool vxlan_inet(struct contract_rig *r)
{
	return vxlan_open(r, true);
}

static bool vxlan_inet6(struct contract_rig *r)
{
	return vxlan_open(r, false);
}

#define PEER                                                                   \
	.close = tunnel_close, .turn = tunnel_turn, .peer_send = tunnel_send,  \
	.peer_recv = tunnel_recv, .is_uplink = true

static const struct contract_kind kinds[] = {
	{"l2tpv3, inet", false, UDP4_MAX - 8, 0, 16, l2tpv3_inet, PEER},
	{"l2tpv3, inet, all of it", false, UDP4_MAX - 23, 0, 16,
	 l2tpv3_inet_all, PEER},
	/* Linux makes no longer ones over its loopback. */
	{"l2tpv3, inet6", false, 65507 - 23, 0, 16, l2tpv3_inet6, PEER},
	{"l2tpv3, raw", false, 65515 - 4, 0, 16, l2tpv3_raw, PEER},
	{"vxlan, inet", false, UDP4_MAX - 8, 0, 16, vxlan_inet, PEER},
	{"vxlan, inet6", false, 65507 - 8, 0, 16, vxlan_inet6, PEER},
};

int main(void)
{
	rig_lo_enter(); /* raw sockets hear other runs of this test */
	return port_contract_main(kinds, array_len(kinds));
}
