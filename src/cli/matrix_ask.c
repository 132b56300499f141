/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The matrix's traffic: who answers, and who asks.  Each probe is a process of
 * its own, here or in the guest that asks, so that all are under way at once;
 * each tries again and again until it is answered by whom it asked, or its time
 * is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"
#include "cli/matrix.h"
#include "os/proc.h"
#include "os/sockaddr.h"
#include "wire/arp.h"
#include "wire/csum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/nd.h"

enum {
	AGAIN_MS = 200,	 /* a datagram, ping or request is repeated */
	TRY_MS = 2500,	 /* a connection, which its kernel repeats */
	REST_MS = 50,	 /* after a refusal */
	PROBES_MAX = N_MATRIX_FAMILIES * N_QUESTIONS * PAIRS_MAX * N_PROTOS,
};

/* ---- who answers ---- */

/* It tells where a datagram was for, and takes its own family only. */
static int set_server(int fd, bool is_v4)
{
	const int one = 1;

	if (is_v4)
		return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one,
				  sizeof(one));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return -1;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one,
			  sizeof(one));
}

static int open_server(enum matrix_family family, int type, uint16_t port)
{
	const bool is_v4 = family == MATRIX_IP4;
	const struct endpoint any = {
		.ip = is_v4 ? addr_v4(0, 0, 0, 0) : (addr){{0}}, .port = port};
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(&any, &ss);
	CLEANUP_FD int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || set_server(fd, is_v4) < 0 ||
	    bind(fd, (struct sockaddr *)&ss, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) < 0))
		return -1;
	return fd_steal(&fd);
}

/* By whichever interface the route says. */
static void forget_interface(struct cmsghdr *c)
{
	if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo info;

		memcpy(&info, CMSG_DATA(c), sizeof(info));
		info.ipi_ifindex = 0;
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else if (c && c->cmsg_level == IPPROTO_IPV6 &&
		   c->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(c), sizeof(info));
		info.ipi6_ifindex = 0;
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
}

/* From the address that was asked: a host with several would choose. */
static void answer_udp(int fd, const char *name)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_storage from;
	char buf[16];
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr m = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(fd, &m, MSG_DONTWAIT) < 0)
		return;
	forget_interface(CMSG_FIRSTHDR(&m));
	iov = (struct iovec){.iov_base = (char *)name, .iov_len = strlen(name)};
	(void)sendmsg(fd, &m, MSG_DONTWAIT); /* who asked asks again */
}

static void answer_tcp(int fd, const char *name)
{
	CLEANUP_FD int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (c >= 0)
		(void)send(c, name, strlen(name), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void matrix_answer(void *node, int ready_fd)
{
	const struct node *n = node;
	const char *name = node_names[n->id];
	/* TCP's and UDP's of each family; not every kernel has IPv6. */
	struct pollfd p[2 * N_MATRIX_FAMILIES];

	for (int f = 0; f < N_MATRIX_FAMILIES; f++) {
		enum matrix_family family = (enum matrix_family)f;

		p[2 * f] = (struct pollfd){
			.fd = open_server(family, SOCK_STREAM, TCP_PORT),
			.events = POLLIN};
		p[2 * f + 1] = (struct pollfd){
			.fd = open_server(family, SOCK_DGRAM, UDP_PORT),
			.events = POLLIN};
	}
	if (p[0].fd < 0 || p[1].fd < 0)
		return;
	if (write(ready_fd, "", 1) != 1)
		return;
	close(ready_fd);
	for (;;) {
		if (poll(p, array_len(p), -1) < 0)
			continue;
		for (size_t i = 0; i < array_len(p); i += 2) {
			if (p[i].revents)
				answer_tcp(p[i].fd, name);
			if (p[i + 1].revents)
				answer_udp(p[i + 1].fd, name);
		}
	}
}

/* ---- who asks ---- */

struct ask {
	struct endpoint to;
	const char *name; /* who must answer */
	int64_t end_ms;
};

static int left_ms(const struct ask *a, int most)
{
	int64_t now = now_ms();

	if (now >= a->end_ms)
		return 0;
	return a->end_ms - now < most ? (int)(a->end_ms - now) : most;
}

static void rest(const struct ask *a)
{
	(void)poll(NULL, 0, left_ms(a, REST_MS));
}

/* Ready within ms, or the time that is left. */
static bool is_ready(const struct ask *a, int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, left_ms(a, ms)) > 0;
}

static int open_to(const struct ask *a, int type)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(&a->to, &ss);
	CLEANUP_FD int fd = socket(ss.ss_family,
				   type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (connect(fd, (struct sockaddr *)&ss, len) < 0 &&
		       errno != EINPROGRESS))
		return -1;
	return fd_steal(&fd);
}

static bool is_name(const struct ask *a, const char *buf, ssize_t n)
{
	return n == (ssize_t)strlen(a->name) &&
	       memcmp(buf, a->name, (size_t)n) == 0;
}

static bool try_tcp(const struct ask *a)
{
	CLEANUP_FD int fd = open_to(a, SOCK_STREAM);
	char buf[16] = "";

	return fd >= 0 && is_ready(a, fd, POLLOUT, TRY_MS) &&
	       is_ready(a, fd, POLLIN, TRY_MS) &&
	       is_name(a, buf, recv(fd, buf, sizeof(buf), 0));
}

static bool ask_tcp(const struct ask *a)
{
	while (left_ms(a, 1)) {
		if (try_tcp(a))
			return true;
		rest(a);
	}
	return false;
}

static bool try_udp(const struct ask *a)
{
	CLEANUP_FD int fd = open_to(a, SOCK_DGRAM);
	char buf[16];

	while (fd >= 0 && left_ms(a, 1) && send(fd, "?", 1, 0) == 1) {
		if (is_ready(a, fd, POLLIN, AGAIN_MS))
			return is_name(a, buf, recv(fd, buf, sizeof(buf), 0));
	}
	return false;
}

static bool ask_udp(const struct ask *a)
{
	while (left_ms(a, 1)) {
		if (try_udp(a))
			return true;
		rest(a);
	}
	return false;
}

/* The next message of ICMP or ICMPv6; sockets of the former give the IP header
 * as well. */
static struct rd hear_icmp(int fd, bool is_v4, uint8_t *buf, size_t len,
			   addr *srcp)
{
	struct sockaddr_storage ss = {0};
	socklen_t ss_len = sizeof(ss);
	ssize_t n = recvfrom(fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&ss,
			     &ss_len);
	struct rd r = rd_init(buf, n > 0 ? (size_t)n : 0);
	struct endpoint from = {.port = 0};

	*srcp = n > 0 && sockaddr_to(&ss, &from) ? from.ip : (addr){{0}};
	if (is_v4 && n > 0)
		rd_skip(&r, (buf[0] & 15) * 4u);
	return r;
}

/* Hears until the answer has come or ms are over. */
static bool hear_ping(const struct ask *a, int fd, uint16_t id)
{
	const bool is_v4 = addr_is_v4(&a->to.ip);
	const uint8_t reply = is_v4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
	int64_t end = now_ms() + AGAIN_MS;

	while (now_ms() < end && is_ready(a, fd, POLLIN, AGAIN_MS)) {
		uint8_t buf[256];
		addr src;
		struct rd r = hear_icmp(fd, is_v4, buf, sizeof(buf), &src);
		struct icmp_hdr h;

		if (rd_ok(&r) && icmp_parse(&r, &h) && h.type == reply &&
		    h.id == id && addr_eq(&src, &a->to.ip))
			return true;
	}
	return false;
}

/* ICMPv6's sum is the kernel's part. */
static bool ask_ping(const struct ask *a)
{
	const bool is_v4 = addr_is_v4(&a->to.ip);
	struct icmp_hdr h = {.type = is_v4 ? ICMP_ECHO : ICMP6_ECHO,
			     .id = (uint16_t)getpid()};
	struct sockaddr_storage ss;
	const struct endpoint to = {.ip = a->to.ip};
	socklen_t len = sockaddr_from(&to, &ss);
	CLEANUP_FD int fd =
		socket(is_v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC,
		       is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	while (fd >= 0 && left_ms(a, 1)) {
		uint8_t buf[ICMP_HDR_LEN];
		struct wr w;

		h.seq++;
		h.csum = 0;
		w = wr_init(buf, sizeof(buf));
		icmp_emit(&w, &h);
		h.csum = csum_fold(csum_add(buf, sizeof(buf), 0));
		w = wr_init(buf, sizeof(buf));
		icmp_emit(&w, &h);
		if (sendto(fd, buf, sizeof(buf), MSG_DONTWAIT,
			   (struct sockaddr *)&ss, len) < 0)
			rest(a);
		else if (hear_ping(a, fd, h.id))
			return true;
	}
	return false;
}

/* The interface of the current namespace on whose network the address is. */
struct onlink {
	int index; /* 0: none */
	addr ip;
	mac mac;
};

static addr ip_of(const struct sockaddr *sa)
{
	struct sockaddr_storage ss = {0};
	struct endpoint ep = {.port = 0};

	memcpy(&ss, sa,
	       sa->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					: sizeof(struct sockaddr_in6));
	return sockaddr_to(&ss, &ep) ? ep.ip : (addr){{0}};
}

/* IPv4's as part of IPv6. */
static uint8_t length_of(const struct sockaddr *netmask)
{
	const addr mask = ip_of(netmask);
	uint8_t len = 0;

	for (int i = netmask->sa_family == AF_INET ? 12 : 0; i < 16; i++)
		len += (uint8_t)__builtin_popcount(mask.b[i]);
	return netmask->sa_family == AF_INET ? (uint8_t)(96 + len) : len;
}

static void look_for(const addr *ip, struct onlink *o,
		     const struct ifaddrs *list)
{
	const int family = addr_is_v4(ip) ? AF_INET : AF_INET6;

	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		struct prefix p;

		if (!i->ifa_addr || i->ifa_addr->sa_family != family ||
		    !i->ifa_netmask || i->ifa_flags & IFF_LOOPBACK)
			continue;
		p.ip = ip_of(i->ifa_addr);
		p.len = length_of(i->ifa_netmask);
		if (!prefix_has(&p, ip))
			continue;
		o->index = (int)if_nametoindex(i->ifa_name);
		o->ip = p.ip;
	}
}

static void find_onlink(const addr *ip, struct onlink *o)
{
	struct ifaddrs *list;

	*o = (struct onlink){.index = 0};
	if (getifaddrs(&list) < 0)
		return;
	look_for(ip, o, list);
	for (const struct ifaddrs *i = list; o->index && i; i = i->ifa_next) {
		struct sockaddr_ll ll;

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET)
			continue;
		memcpy(&ll, i->ifa_addr, sizeof(ll));
		if (ll.sll_ifindex == o->index)
			o->mac = mac_bytes(ll.sll_addr);
	}
	freeifaddrs(list);
}

static bool hear_arp(const struct ask *a, int fd)
{
	int64_t end = now_ms() + AGAIN_MS;

	while (now_ms() < end && is_ready(a, fd, POLLIN, AGAIN_MS)) {
		uint8_t buf[128];
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		struct rd r = rd_init(buf, n > 0 ? (size_t)n : 0);
		struct arp_msg m;

		if (arp_parse(&r, &m) && m.op == ARP_REPLY &&
		    addr_eq(&m.spa, &a->to.ip))
			return true;
	}
	return false;
}

static enum answer ask_arp(const struct ask *a, const struct onlink *o)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_halen = 6,
		.sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	};
	struct arp_msg m = {.op = ARP_REQUEST, .tpa = a->to.ip};
	CLEANUP_FD int fd = -1;

	m.sha = o->mac;
	m.spa = o->ip;
	to.sll_ifindex = o->index;
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return ANSWER_FAILED;
	while (left_ms(a, 1)) {
		uint8_t buf[ARP_LEN];
		struct wr w = wr_init(buf, sizeof(buf));

		arp_emit(&w, &m);
		if (sendto(fd, buf, sizeof(buf), MSG_DONTWAIT,
			   (struct sockaddr *)&to, sizeof(to)) < 0)
			rest(a);
		else if (hear_arp(a, fd))
			return ANSWER_YES;
	}
	return ANSWER_NO;
}

static bool hear_advertisement(const struct ask *a, int fd)
{
	int64_t end = now_ms() + AGAIN_MS;

	while (now_ms() < end && is_ready(a, fd, POLLIN, AGAIN_MS)) {
		uint8_t buf[256];
		addr src, target;
		struct rd r = hear_icmp(fd, false, buf, sizeof(buf), &src);
		uint8_t type = rd_u8(&r);

		rd_skip(&r, 7);
		rd_copy(&r, target.b, sizeof(target.b));
		if (rd_ok(&r) && type == ND_ADVERTISE &&
		    addr_eq(&target, &a->to.ip))
			return true;
	}
	return false;
}

/* A socket for solicitations, which no router passes on (RFC 4861 7.1.1). */
static int open_nd(int index)
{
	const int hops = ND_HOP_LIMIT;
	CLEANUP_FD int fd =
		socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	if (fd < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index,
		       sizeof(index)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
		       sizeof(hops)) < 0)
		return -1;
	return fd_steal(&fd);
}

static enum answer ask_nd(const struct ask *a, const struct onlink *o)
{
	/* ff02::1:ffXX:XXXX hears it (RFC 4291 2.7.1). */
	struct endpoint group = {.ip = {{0xff, 2, [11] = 1, [12] = 0xff}}};
	struct sockaddr_storage ss;
	socklen_t len;
	CLEANUP_FD int fd = open_nd(o->index);

	memcpy(group.ip.b + 13, a->to.ip.b + 13, 3);
	len = sockaddr_from(&group, &ss);
	if (fd < 0)
		return ANSWER_FAILED;
	while (left_ms(a, 1)) {
		uint8_t buf[32];
		struct wr w = wr_init(buf, sizeof(buf));

		wr_u8(&w, ND_SOLICIT);
		wr_zero(&w, 7); /* the kernel sums it */
		wr_bytes(&w, a->to.ip.b, sizeof(a->to.ip.b));
		wr_u8(&w, ND_O_SOURCE);
		wr_u8(&w, 1);
		wr_bytes(&w, o->mac.b, sizeof(o->mac.b));
		if (sendto(fd, buf, sizeof(buf), MSG_DONTWAIT,
			   (struct sockaddr *)&ss, len) < 0)
			rest(a);
		else if (hear_advertisement(a, fd))
			return ANSWER_YES;
	}
	return ANSWER_NO;
}

/* ANSWER_NONE: no network of ours has the address. */
static enum answer ask_neighbour(const struct ask *a)
{
	struct onlink o;

	find_onlink(&a->to.ip, &o);
	if (!o.index)
		return ANSWER_NONE;
	return addr_is_v4(&a->to.ip) ? ask_arp(a, &o) : ask_nd(a, &o);
}

static enum answer yes_or_no(bool is_yes)
{
	return is_yes ? ANSWER_YES : ANSWER_NO;
}

static enum answer ask(const struct ask *a, enum protocol proto)
{
	switch (proto) {
	case PROTO_NEIGHBOUR:
		return ask_neighbour(a);
	case PROTO_PING:
		return yes_or_no(ask_ping(a));
	case PROTO_TCP:
		return yes_or_no(ask_tcp(a));
	case PROTO_UDP:
		return yes_or_no(ask_udp(a));
	case N_PROTOS:
		break;
	}
	return ANSWER_NONE;
}

void matrix_probe(const struct order *o, struct probe_found *found)
{
	int64_t began_ms = now_ms();
	const struct ask a = {
		.to = o->to,
		.name = node_names[o->whom],
		.end_ms = began_ms + o->wait_ms,
	};

	found->answer = ask(&a, o->proto);
	found->ms = (uint32_t)(now_ms() - began_ms);
}

/* ---- the questions ---- */

struct asks {
	struct probe_found *found[PROBES_MAX]; /* shared; by the orders' ids */
	unsigned n;
	pid_t pids[PROBES_MAX];
	unsigned n_pids;
	unsigned n_of_guest[N_NODES];
};

/* By a child, or by the guest. */
static int begin(const struct world *w, enum node_id from, struct order *o,
		 struct asks *all, struct error *e)
{
	struct probe_found *found = all->found[o->id];
	pid_t pid;

	if (is_guest(w, from)) {
		all->n_of_guest[from]++;
		return guest_tell(w, from, o, e);
	}
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "fork");
	if (pid == 0) {
		if (world_enter(w, from, e) == 0)
			matrix_probe(o, found);
		_exit(EXIT_DONE);
	}
	all->pids[all->n_pids++] = pid;
	return 0;
}

/* A forward has neither neighbours nor pings. */
static bool has_proto(const struct matrix_row *row, enum question q,
		      enum protocol p)
{
	if (q == Q_HOST_VM && row->host_has_routes)
		return p != PROTO_NEIGHBOUR;
	return q != Q_FORWARD || p == PROTO_TCP || p == PROTO_UDP;
}

static uint32_t wait_ms(const struct world *w, enum matrix_family f,
			enum question q)
{
	bool is_due = w->row->expected[q] == 'y';

	if (w->image)
		return is_due ? GUEST_YES_MS : GUEST_NO_MS;
	return is_due ? YES_MS : NO_MS;
}

static int begin_pair(const struct world *w, enum question q,
		      struct pair_found *pair, struct asks *all,
		      struct error *e)
{
	enum matrix_family f = addr_is_v4(&pair->ip) ? MATRIX_IP4 : MATRIX_IP6;
	int r = 0;

	for (int p = 0; p < N_PROTOS && r == 0; p++) {
		struct order o = {
			.kind = ORDER_PROBE,
			.id = all->n,
			.proto = (enum protocol)p,
			.to = {.ip = pair->ip,
			       .port = p == PROTO_UDP ? UDP_PORT : TCP_PORT},
			.whom = pair->to,
			.wait_ms = wait_ms(w, f, q),
		};

		if (!has_proto(w->row, q, o.proto))
			continue;
		if (q == Q_FORWARD)
			o.to.port = (uint16_t)(FORWARD_PORT + (p == PROTO_UDP));
		/* unless whoever asks tells */
		pair->probes[p].answer = ANSWER_FAILED;
		if (addr_is_unspecified(&pair->ip))
			continue;
		all->found[all->n++] = &pair->probes[p];
		r = begin(w, pair->from, &o, all, e);
	}
	return r;
}

static int await_guest(const struct world *w, enum node_id id,
		       struct asks *all, struct error *e)
{
	struct report rep;

	for (unsigned i = 0; i < all->n_of_guest[id]; i++) {
		if (guest_hear(w, id, &rep, e) < 0)
			return -1;
		if (rep.id < all->n)
			*all->found[rep.id] = rep.found;
	}
	return 0;
}

static const struct {
	enum node_id from, to;
} pairs[N_QUESTIONS][PAIRS_MAX] = {
	[Q_VM_LAN] = {{NODE_A, NODE_LAN}, {NODE_B, NODE_LAN}},
	[Q_LAN_VM] = {{NODE_LAN, NODE_A}, {NODE_LAN, NODE_B}},
	[Q_VM_VM] = {{NODE_A, NODE_B}, {NODE_B, NODE_A}},
	[Q_INTERNET] = {{NODE_A, NODE_INET}, {NODE_B, NODE_INET}},
	[Q_HOST_VM] = {{NODE_HOST, NODE_A}, {NODE_HOST, NODE_B}},
	[Q_FORWARD] = {{NODE_HOST, NODE_A}},
};

static int begin_family(const struct world *w, enum matrix_family family,
			struct row_found *f, struct asks *all, struct error *e)
{
	int r = 0;

	for (int q = 0; q < N_QUESTIONS; q++) {
		struct cell_found *c = &f->cells[family][q];

		if (w->row->expected[q] == '-')
			continue;
		c->n_pairs = q == Q_FORWARD ? 1 : PAIRS_MAX;
		for (unsigned i = 0; i < c->n_pairs && r == 0; i++) {
			struct pair_found *pair = &c->pairs[i];

			pair->from = pairs[q][i].from;
			pair->to = pairs[q][i].to;
			pair->ip = w->nodes[pair->to].ip[family];
			if (q == Q_VM_VM)
				pair->ip = w->nodes[pair->to].near[family];
			if (q == Q_FORWARD)
				pair->ip = w->nodes[NODE_HOST].ip[family];
			r = begin_pair(w, (enum question)q, pair, all, e);
		}
	}
	return r;
}

int matrix_ask(const struct world *w, struct row_found *f, struct error *e)
{
	struct asks all = {.n = 0};
	int r = 0;

	for (int i = 0; i < N_MATRIX_FAMILIES && r == 0; i++) {
		enum matrix_family family = (enum matrix_family)i;

		f->has_family[i] = world_has(w, family);
		if (f->has_family[i])
			r = begin_family(w, family, f, &all, e);
	}
	for (unsigned i = 0; i < all.n_pids; i++)
		proc_bury(all.pids[i]);
	for (int id = NODE_A; id <= NODE_B && r == 0; id++)
		r = await_guest(w, (enum node_id)id, &all, e);
	return r;
}
