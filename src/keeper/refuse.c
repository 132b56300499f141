/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells who sent a guest something by UDP that the guest refuses it
 * (keeper_priv.h): clients of forwarded ports, and whom the guest spoke to.
 *
 * A kernel says "port unreachable" for ports that are closed, and ours is open.
 * So the error is made here, by a raw socket, which takes CAP_NET_RAW: the
 * engine has no rights.  Of what the engine says only the client is believed,
 * and the datagram's first bytes, which it could have sent to the client
 * anyhow.  Which port of the host refuses is seen by the socket that comes with
 * it: nobody has one who has not been given the port.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "keeper/keeper_priv.h"
#include "os/sock.h"
#include "os/sockaddr.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/udp.h"

enum {
	CODE_MAX = 15,	 /* RFC 1812 5.2.7.1 */
	RATE = 1000,	 /* errors in a second, of one netdev */
	QUOTE_LEN = IP6_HDR_LEN + UDP_HDR_LEN + ENGINE_REFUSED_LEN,
	PACKET_LEN = IP6_HDR_LEN + ICMP_HDR_LEN + QUOTE_LEN,
	LEN_MAX = 65507, /* payload over IPv4 */
};

/* What an error says: addresses as they are on the wire. */
struct refusal {
	struct endpoint local; /* whom the client had sent to */
	struct endpoint client;
	const struct msg_udp_refused *m;
};

static bool may_send(const struct keeper *k, struct plan_netdev *n)
{
	uint64_t now = *loop_now(k->loop);

	if (now - n->refuse_ns >= UINT64_C(1000000000)) {
		n->refuse_ns = now;
		n->n_refused = 0;
	}
	return n->n_refused++ < RATE;
}

static int domain_of(const addr *a)
{
	return addr_is_v4(a) ? AF_INET : AF_INET6;
}

/* The raw socket of client's family; -1: there is none. */
static int raw_socket(struct keeper *k, const addr *client)
{
	struct refuser *r = &k->refuser[!addr_is_v4(client)];

	if (r->was_tried)
		return r->fd;
	r->fd = socket(domain_of(client),
		       SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	if (r->fd < 0 && errno != EPERM && errno != EACCES)
		return -1; /* short of descriptors or memory, just now */
	r->was_tried = true;
	if (r->fd < 0)
		log_info(k->c->log, "a guest refuses what came to it by UDP; "
				    "who sent it is not told, for that takes "
				    "CAP_NET_RAW");
	return r->fd;
}

/* Connects a datagram socket to ep, from the address from unless that is NULL,
 * and sends nothing; *ownp is the end that the kernel gave it.  Broadcast is
 * refused. */
static bool connects(const addr *from, const struct endpoint *to, addr *ownp)
{
	CLEANUP_FD int fd =
		socket(domain_of(&to->ip), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	socklen_t len;
	struct endpoint own = {0};

	if (from) {
		own.ip = *from;
		len = sockaddr_from(&own, &ss);
		if (bind(fd, (struct sockaddr *)&ss, len) < 0)
			return false;
	}
	len = sockaddr_from(to, &ss);
	if (connect(fd, (struct sockaddr *)&ss, len) < 0)
		return false;
	if (sock_bound_to(fd, &own) < 0)
		return false;
	*ownp = own.ip;
	return true;
}

/* True if the host could send to client from a.  A socket can be bound to
 * broadcast and, where that is allowed, to foreign addresses; it cannot be
 * connected to the first, nor from the second. */
static bool is_source(const addr *a, const struct endpoint *client)
{
	const struct endpoint self = {.ip = *a, .port = client->port};
	addr own;

	return addr_is_v4(a) == addr_is_v4(&client->ip) &&
	       !addr_is_unspecified(a) && !addr_is_multicast(a) &&
	       connects(NULL, &self, &own) && connects(a, client, &own);
}

bool refuse_source(const struct endpoint *client, addr *ap)
{
	return is_source(ap, client) || connects(NULL, client, ap);
}

static bool is_option(int fd, int name, int want)
{
	socklen_t len = sizeof(int);
	int got = -1;

	return getsockopt(fd, SOL_SOCKET, name, &got, &len) == 0 &&
	       got == want;
}

bool refuse_port(int fd, struct endpoint *ownp)
{
	return (is_option(fd, SO_DOMAIN, AF_INET) ||
		is_option(fd, SO_DOMAIN, AF_INET6)) &&
	       is_option(fd, SO_TYPE, SOCK_DGRAM) &&
	       is_option(fd, SO_PROTOCOL, IPPROTO_UDP) &&
	       sock_bound_to(fd, ownp) == 0 && ownp->port;
}

/* From which address client hears it. */
static bool choose_source(const struct msg_udp_refused *m,
			  const struct endpoint *own, addr *ap)
{
	/* Bound to any, it was one of them. */
	if (addr_is_unspecified(&own->ip)) {
		*ap = m->local;
		return refuse_source(&m->client, ap);
	}
	*ap = own->ip;
	return is_source(ap, &m->client);
}

/* The client's datagram as far as it is quoted; its length. */
static size_t put_quote(const struct refusal *r, uint8_t quote[QUOTE_LEN])
{
	const struct msg_udp_refused *m = r->m;
	uint16_t len = m->len < LEN_MAX ? m->len : LEN_MAX;
	const struct ip_hdr ip = {.l4_len = UDP_HDR_LEN + (uint32_t)len,
				  .ttl = 1,
				  .proto = IPPROTO_UDP,
				  .src = r->client.ip,
				  .dst = r->local.ip};
	const struct udp_hdr udp = {.sport = r->client.port,
				    .dport = r->local.port,
				    .len = (uint16_t)(UDP_HDR_LEN + len)};
	struct wr w = wr_init(quote, QUOTE_LEN);

	ip_emit(&w, &ip);
	udp_emit(&w, &udp);
	wr_bytes(&w, m->payload, m->n_payload);
	return wr_len(&w);
}

static void send_refusal(int fd, const struct refusal *r)
{
	uint8_t quote[QUOTE_LEN], packet[PACKET_LEN];
	struct icmp_report e = {.src = r->local.ip,
				.dst = r->client.ip,
				.type = ICMP_UNREACHABLE,
				.code = r->m->code,
				.quote = quote,
				.quote_len = put_quote(r, quote)};
	const struct ip_hdr ip = {
		.l4_len = ICMP_HDR_LEN + (uint32_t)e.quote_len,
		.ttl = IP_HOP_LIMIT,
		.proto = icmp_proto(&e.dst),
		.src = e.src,
		.dst = e.dst};
	/* (a link's address with the link, and without a port) */
	const struct endpoint to = {.ip = r->m->client.ip};
	struct wr w = wr_init(packet, sizeof(packet));
	struct sockaddr_storage ss;
	socklen_t ss_len = sockaddr_from(&to, &ss);

	if (!addr_is_v4(&e.dst)) {
		if (!icmp_to6(&e.type, &e.code))
			return;
		/* of an unknown protocol */
		e.rest = e.type == ICMP6_PARAMETER ? IP6_PROTO_AT : 0;
	}
	ip_emit(&w, &ip);
	icmp_emit_error(&w, &e);
	/* An error that is lost is as if the path had lost it. */
	(void)!sendto(fd, packet, wr_len(&w), 0, (struct sockaddr *)&ss,
		      ss_len);
}

void refuse_client(struct keeper *k, const struct msg_udp_refused *m, int fd)
{
	struct plan_netdev *n = plan_find(&k->plan, m->port);
	const addr *client = &m->client.ip;
	struct refusal r = {.client = m->client, .m = m};
	struct endpoint own;
	int raw;

	if (!n || m->code > CODE_MAX || m->code == ICMP_U_FRAG_NEEDED ||
	    addr_is_multicast(client) ||
	    addr_is_broadcast(client) || addr_is_unspecified(client) ||
	    !m->client.port)
		return;
	if (!may_send(k, n))
		return;
	raw = raw_socket(k, client);
	if (raw < 0 || !refuse_port(fd, &own) ||
	    !choose_source(m, &own, &r.local.ip))
		return;
	r.local.port = own.port;
	(void)sockaddr_unscope(&r.local.ip);
	(void)sockaddr_unscope(&r.client.ip);
	send_refusal(raw, &r);
}

void refuse_stop(struct keeper *k)
{
	fd_close(&k->refuser[0].fd);
	fd_close(&k->refuser[1].fd);
}
