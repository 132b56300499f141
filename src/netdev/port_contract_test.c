/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the port contract test (port_contract.h) for every kind over sockets
 * or memory; taps, which need privileges, are in tap_contract_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/port_contract.h"
#include "netdev/rig.h"

/* One for all kinds; each uses its part. */
struct bench {
	struct rig rig;
	struct stream_peer peer; /* stream */
	struct netdev_server *server;
	int fd;			 /* dgram: the peer's socket */
	struct sockaddr_storage to; /* dgram: where the peer sends */
	socklen_t to_len;
	char dir[32];		 /* unix dgram by name */
	struct port *far;	 /* hubport: the end on the other lan */
	struct lan *far_lan;
	struct mem_port *mem;
	struct contract_rig *contract;
};

static struct bench *bench_of(struct contract_rig *r)
{
	return r->priv;
}

static struct bench *bench_new(struct contract_rig *r)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	rig_init(&b->rig);
	b->fd = b->peer.fd = -1;
	b->contract = r;
	r->lan = b->rig.lan;
	r->drops = &b->rig.drops;
	r->priv = b;
	return b;
}

static void bench_free(struct contract_rig *r)
{
	struct bench *b = bench_of(r);

	rig_remove(r->port);
	rig_deinit(&b->rig);
	free(b);
	r->port = NULL;
	r->priv = NULL;
}

static void bench_turn(struct contract_rig *r, int ms)
{
	rig_turn(&bench_of(r)->rig, ms);
}

/* ---- stream ---- */

static void stream_open_fds(struct contract_rig *r, const int fd[2])
{
	struct bench *b = bench_new(r);

	stream_peer_init(&b->peer, fd[1]);
	assert_int_equal(
		netdev_stream_new(&b->rig.env,
				  &(struct netdev_stream_config){.name = "vm0",
								 .fd = fd[0]},
				  &r->port),
		0);
}

static bool unix_stream_open(struct contract_rig *r)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	stream_open_fds(r, fd);
	return true;
}

static bool tcp_stream_open(struct contract_rig *r)
{
	int fd[2];

	tcp_pair(fd);
	stream_open_fds(r, fd);
	return true;
}

static void stream_close(struct contract_rig *r)
{
	struct bench *b = bench_of(r);

	stream_peer_deinit(&b->peer);
	netdev_server_free(b->server);
	if (b->server)
		r->port = NULL;
	bench_free(r);
}

static bool stream_send(struct contract_rig *r, const void *p, uint32_t len)
{
	return stream_peer_send(&bench_of(r)->peer, p, len);
}

static uint32_t stream_recv(struct contract_rig *r, void *p, uint32_t room)
{
	return stream_peer_recv(&bench_of(r)->peer, p, room);
}

static void stream_vanish(struct contract_rig *r)
{
	fd_close(&bench_of(r)->peer.fd);
}

/* ---- stream server ---- */

static void server_machine(void *arg, struct port *p, bool is_here)
{
	struct bench *b = arg;

	b->contract->port = is_here ? p : NULL;
}

static bool server_open(struct contract_rig *r)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(a);
	struct bench *b = bench_new(r);
	int l = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	/* An abstract name the kernel chooses. */
	assert_int_equal(bind(l, (struct sockaddr *)&a, sizeof(sa_family_t)),
			 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(listen(l, 5), 0);
	b->rig.env.machine = server_machine;
	b->rig.env.arg = b;
	assert_int_equal(
		netdev_server_new(&b->rig.env,
				  &(struct netdev_server_config){.name = "vm",
								 .fd = l},
				  &b->server),
		0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, len), 0);
	stream_peer_init(&b->peer, fd);
	for (unsigned i = 0; i < 100 && !r->port; i++)
		rig_turn(&b->rig, 10);
	return true;
}

/* ---- dgram ---- */

static void dgram_close(struct contract_rig *r)
{
	struct bench *b = bench_of(r);
	char path[64];

	fd_close(&b->fd);
	if (b->dir[0]) {
		snprintf(path, sizeof(path), "%s/a", b->dir);
		unlink(path);
		snprintf(path, sizeof(path), "%s/b", b->dir);
		unlink(path);
		rmdir(b->dir);
	}
	bench_free(r);
}

static bool dgram_send(struct contract_rig *r, const void *p, uint32_t len)
{
	struct bench *b = bench_of(r);

	return sendto(b->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		      b->to_len ? (struct sockaddr *)&b->to : NULL,
		      b->to_len) == (ssize_t)len;
}

static uint32_t dgram_recv(struct contract_rig *r, void *p, uint32_t room)
{
	ssize_t n = recv(bench_of(r)->fd, p, room, MSG_DONTWAIT);

	return n > 0 ? (uint32_t)n : 0;
}

static void dgram_make(struct contract_rig *r,
		       const struct netdev_dgram_config *c)
{
	struct bench *b = bench_of(r);
	int size = 1 << 20;

	(void)setsockopt(b->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(b->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	assert_int_equal(netdev_dgram_new(&b->rig.env, c, &r->port), 0);
}

static bool dgram_unix_open(struct contract_rig *r)
{
	struct bench *b = bench_new(r);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	b->fd = fd[1];
	dgram_make(r, &(struct netdev_dgram_config){
			      .name = "d0", .fd = fd[0], .is_connected = true});
	return true;
}

/* A plug of a VDE server, and our own port at a VDE switch. */
static bool vde_make(struct contract_rig *r, bool is_uplink)
{
	struct bench *b = bench_new(r);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
	b->fd = fd[1];
	dgram_make(r, &(struct netdev_dgram_config){.name = "v0",
						    .fd = fd[0],
						    .is_connected = true,
						    .is_vde = true,
						    .is_uplink = is_uplink});
	assert_string_equal(r->port->ops->kind, "vde");
	return true;
}

static bool vde_plug_open(struct contract_rig *r)
{
	return vde_make(r, false);
}

static bool vde_client_open(struct contract_rig *r)
{
	return vde_make(r, true);
}

static int unix_bound(const char *dir, const char *name, struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s", dir, name);
	assert_int_equal(bind(fd, (struct sockaddr *)a, sizeof(*a)), 0);
	return fd;
}

static bool dgram_path_open(struct contract_rig *r)
{
	struct bench *b = bench_new(r);
	struct netdev_dgram_config c = {.name = "d0"};
	struct sockaddr_un a, peer;

	strcpy(b->dir, "/tmp/netdev-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	c.fd = unix_bound(b->dir, "a", &a);
	b->fd = unix_bound(b->dir, "b", &peer);
	memcpy(&b->to, &a, sizeof(a));
	b->to_len = sizeof(a);
	memcpy(c.remote_path, peer.sun_path, sizeof(c.remote_path));
	dgram_make(r, &c);
	return true;
}

static int udp_bound(struct sockaddr_in *a, uint32_t ip)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*a = (struct sockaddr_in){.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(ip)};
	assert_int_equal(bind(fd, (struct sockaddr *)a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

static bool dgram_inet_open(struct contract_rig *r)
{
	struct bench *b = bench_new(r);
	struct netdev_dgram_config c = {.name = "d0"};
	struct sockaddr_in a, peer;

	c.fd = udp_bound(&a, INADDR_LOOPBACK);
	b->fd = udp_bound(&peer, INADDR_LOOPBACK);
	memcpy(&b->to, &a, sizeof(a));
	b->to_len = sizeof(a);
	c.remote = (struct endpoint){addr_v4(127, 0, 0, 1),
				     ntohs(peer.sin_port)};
	dgram_make(r, &c);
	return true;
}

static bool dgram_inet6_open(struct contract_rig *r)
{
	struct bench *b = bench_new(r);
	struct netdev_dgram_config c = {.name = "d0"};
	struct sockaddr_in6 a[2];
	socklen_t len = sizeof(a[0]);
	int fd[2];

	for (unsigned i = 0; i < 2; i++) {
		fd[i] = socket(AF_INET6, SOCK_DGRAM, 0);
		a[i] = (struct sockaddr_in6){.sin6_family = AF_INET6,
					     .sin6_addr = in6addr_loopback};
		if (fd[i] < 0 || bind(fd[i], (struct sockaddr *)&a[i], len)) {
			print_message("  no IPv6 loopback here\n");
			fd_close(&fd[0]);
			bench_free(r);
			return false;
		}
		assert_int_equal(
			getsockname(fd[i], (struct sockaddr *)&a[i], &len), 0);
	}
	c.fd = fd[0];
	b->fd = fd[1];
	memcpy(&b->to, &a[0], sizeof(a[0]));
	b->to_len = len;
	c.remote.ip.b[15] = 1;
	c.remote.port = ntohs(a[1].sin6_port);
	dgram_make(r, &c);
	return true;
}

/* A member of the group on the loopback interface; *tx sends to it. */
static int mcast_member(struct sockaddr_in *group, int *tx)
{
	struct in_addr lo = {htonl(INADDR_LOOPBACK)};
	struct ip_mreqn m = {.imr_multiaddr = group->sin_addr,
			     .imr_address = lo};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	struct sockaddr_in any;
	socklen_t len = sizeof(*group);

	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)group, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)group, &len), 0);
	assert_int_equal(
		setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)),
		0);
	*tx = udp_bound(&any, INADDR_ANY);
	assert_int_equal(
		setsockopt(*tx, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof(lo)),
		0);
	return fd;
}

static bool dgram_mcast_open(struct contract_rig *r)
{
	struct sockaddr_in group = {.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(0xefc80123)};
	struct netdev_dgram_config c = {.name = "d0", .is_multicast = true};
	struct bench *b = bench_new(r);
	int lost = -1;

	c.fd = mcast_member(&group, &c.tx_fd);
	b->fd = mcast_member(&group, &lost);
	/* The peer sends from the group's own port, as QEMU does. */
	close(lost);
	assert_int_equal(setsockopt(b->fd, IPPROTO_IP, IP_MULTICAST_IF,
				    &(struct in_addr){htonl(INADDR_LOOPBACK)},
				    sizeof(struct in_addr)),
			 0);
	memcpy(&b->to, &group, sizeof(group));
	b->to_len = sizeof(group);
	c.remote = (struct endpoint){addr_v4(239, 200, 1, 35),
				     ntohs(group.sin_port)};
	dgram_make(r, &c);
	return true;
}

/* ---- hubport, and a port in memory ---- */

static bool hubport_open(struct contract_rig *r)
{
	struct bench *b = bench_new(r);
	struct netdev_hubport_config c = {.name = "h0", .a = b->rig.lan};

	b->far_lan = c.b = rig_lan(&b->rig, "far");
	assert_int_equal(netdev_hubport_new(&b->rig.env, &c, &r->port, &b->far),
			 0);
	b->mem = mem_port_new(&b->rig, b->far_lan, "peer", 256);
	return true;
}

static bool mem_open(struct contract_rig *r)
{
	struct bench *b = bench_new(r);

	b->mem = mem_port_new(&b->rig, b->rig.lan, "mem", 256);
	r->port = &b->mem->port;
	return true;
}

static void mem_close_bench(struct contract_rig *r)
{
	struct bench *b = bench_of(r);
	struct lan *far = b->far_lan;

	if (far) {
		rig_remove(&b->mem->port);
		rig_remove(b->far);
		rig_remove(r->port);
		r->port = NULL;
		lan_free(far);
	}
	bench_free(r);
}

static bool mem_send(struct contract_rig *r, const void *p, uint32_t len)
{
	return r->port && mem_port_push(bench_of(r)->mem, p, len);
}

static uint32_t mem_recv(struct contract_rig *r, void *p, uint32_t room)
{
	return r->port ? mem_port_pop(bench_of(r)->mem, p, room) : 0;
}

static void hubport_vanish(struct contract_rig *r)
{
	struct bench *b = bench_of(r);

	for (unsigned i = 0; i < 4; i++)
		rig_turn(&b->rig, 0); /* what was pushed is on its way */
	rig_remove(b->far);
	b->far = NULL;
}

#define STREAM_PEER                                                            \
	.close = stream_close, .turn = bench_turn, .peer_send = stream_send,   \
	.peer_recv = stream_recv, .peer_close = stream_vanish
#define DGRAM_PEER                                                             \
	.close = dgram_close, .turn = bench_turn, .peer_send = dgram_send,     \
	.peer_recv = dgram_recv
#define MEM_PEER                                                               \
	.close = mem_close_bench, .turn = bench_turn, .peer_send = mem_send,   \
	.peer_recv = mem_recv

static const struct contract_kind kinds[] = {
	{"mem", true, FRAME_MAX, 0, 64, mem_open, MEM_PEER},
	{"stream, unix client", true, FRAME_MAX, 0, 64, unix_stream_open,
	 STREAM_PEER},
	{"stream, tcp client", true, FRAME_MAX, 0, 64, tcp_stream_open,
	 STREAM_PEER},
	{"stream, unix server", true, FRAME_MAX, 0, 64, server_open,
	 STREAM_PEER, .frees_itself = true},
	{"dgram, unix", false, 65535, 0, 8, dgram_unix_open, DGRAM_PEER},
	{"dgram, unix by path", false, 65535, 0, 8, dgram_path_open,
	 DGRAM_PEER},
	{"dgram, inet", false, 65507, 0, 16, dgram_inet_open, DGRAM_PEER},
	{"dgram, inet6", false, 65507, 0, 16, dgram_inet6_open, DGRAM_PEER},
	{"dgram, multicast", false, 65507, 0, 16, dgram_mcast_open,
	 DGRAM_PEER},
	{"vde, plug", false, 65535, 0, 8, vde_plug_open, DGRAM_PEER},
	{"vde, client", false, 65535, 0, 8, vde_client_open, DGRAM_PEER,
	 .is_uplink = true},
	{"hubport", false, FRAME_MAX, 0, 64, hubport_open, MEM_PEER,
	 .peer_close = hubport_vanish, .is_uplink = true},
};

int main(void)
{
	return port_contract_main(kinds, array_len(kinds));
}
