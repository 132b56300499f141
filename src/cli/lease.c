/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A DHCP client; see lease.h.
 *
 *	DISCOVER --> OFFER --> REQUEST --> ACK: done
 *	   ^  |silence           ^  |silence  | NAK, silence
 *	   +--+                  +--+         +--> DISCOVER
 *
 * Answers are asked for by broadcast: the kernel below has no address.
 */
#include "cli/lease_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "os/clock.h"
#include "wire/arp.h"
#include "wire/dhcp.h"
#include "wire/dns.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/packet.h"
#include "wire/udp.h"

enum {
	FRAME_MAX = 2048,
	REQUESTS = 2, /* how often one offer is asked for */
};

/* ---- what is sent ---- */

void lease_emit(struct wr *w, const struct lease_question *q)
{
	static const uint8_t params[] = {DHCP_O_MASK, DHCP_O_ROUTER, DHCP_O_DNS,
					 DHCP_O_DOMAIN, DHCP_O_MTU,
					 DHCP_O_SEARCH};
	const bool is_ours = !addr_is_unspecified(&q->own);
	struct dhcp_hdr h = {
		.op = DHCP_REQUEST_OP,
		.htype = DHCP_HTYPE_ETHERNET,
		.hlen = 6,
		.xid = q->xid,
		.flags = is_ours ? 0 : DHCP_F_BROADCAST,
		.ciaddr = is_ours ? q->own : addr_v4_u32(0),
		.yiaddr = addr_v4_u32(0),
		.siaddr = addr_v4_u32(0),
		.giaddr = addr_v4_u32(0),
	};
	size_t start = wr_len(w);

	memcpy(h.chaddr, q->mac.b, sizeof(q->mac.b));
	dhcp_emit_hdr(w, &h);
	dhcp_emit_u8(w, DHCP_O_TYPE, (uint8_t)q->type);
	if (q->type == DHCP_REQUEST && !is_ours) {
		dhcp_emit_addr(w, DHCP_O_REQUESTED_IP, &q->wanted);
		dhcp_emit_addr(w, DHCP_O_SERVER_ID, &q->server);
	}
	dhcp_emit_text(w, DHCP_O_HOSTNAME, q->hostname);
	dhcp_emit_opt(w, DHCP_O_PARAMS, params, sizeof(params));
	dhcp_emit_end(w, start);
}

static int send_frame(int fd, const struct wr *w)
{
	ssize_t n = wr_ok(w) ? send(fd, w->start, wr_len(w), MSG_NOSIGNAL) : -1;

	/* A full queue is a lost frame: it is sent again. */
	return n < 0 && errno != ENOBUFS && errno != EAGAIN ? -errno : 0;
}

static int send_question(int fd, const struct lease_question *q)
{
	uint8_t body[DHCP_SURE_LEN], frame[FRAME_MAX];
	struct wr b = wr_init(body, sizeof(body));
	struct wr w = wr_init(frame, sizeof(frame));
	const struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = q->mac, .type = ETH_T_IP4};
	struct ip4_hdr ip = {
		.ttl = IP4_TTL,
		.proto = IPPROTO_UDP,
		.src = addr_v4_u32(0),
		.dst = addr_v4_u32(UINT32_MAX),
	};
	struct udp_hdr udp = {.sport = DHCP_PORT_CLIENT,
			      .dport = DHCP_PORT_SERVER};

	lease_emit(&b, q);
	udp.len = (uint16_t)(UDP_HDR_LEN + wr_len(&b));
	ip.total_len = (uint16_t)(IP4_HDR_LEN + udp.len);
	eth_emit(&w, &eth);
	ip4_emit(&w, &ip);
	udp_emit(&w, &udp);
	wr_bytes(&w, body, wr_len(&b));
	w.bad |= b.bad;
	return send_frame(fd, &w);
}

/* ---- what comes ---- */

/* A late answer to what was asked before is none to this. */
static bool fits(enum dhcp_type asked, enum dhcp_type type)
{
	return asked == DHCP_DISCOVER ? type == DHCP_OFFER
				      : type == DHCP_ACK || type == DHCP_NAK;
}

bool lease_parse(const struct lease_question *q, struct rd *r,
		 struct dhcp_msg *mp)
{
	return dhcp_parse(r, mp) && mp->hdr.op == DHCP_REPLY_OP &&
	       mp->hdr.xid == q->xid &&
	       memcmp(mp->hdr.chaddr, q->mac.b, sizeof(q->mac.b)) == 0 &&
	       fits(q->type, mp->type);
}

/* True if the frame is a DHCP server's answer to q; *mp is that. */
static bool is_answer(const struct lease_question *q, const uint8_t *frame,
		      size_t len, struct dhcp_msg *mp)
{
	struct packet p;
	struct udp_hdr udp;
	struct rd r;

	if (packet_parse(frame, len, len, &p) != PACKET_OK ||
	    p.ip_version != 4 || p.proto != IPPROTO_UDP || p.is_fragment ||
	    p.src.port != DHCP_PORT_SERVER || p.dst.port != DHCP_PORT_CLIENT)
		return false;
	r = rd_init(frame + p.l4_off, p.l4_len);
	if (!udp_parse(&r, p.l4_len, &udp))
		return false;
	r = rd_sub(&r, udp.len - UDP_HDR_LEN);
	return rd_ok(&r) && lease_parse(q, &r, mp);
}

/* Waits for an answer: 0, -ETIMEDOUT, or the socket's own errno. */
static int await(int fd, const struct lease_question *q, unsigned ms,
		 struct dhcp_msg *mp)
{
	int64_t until = now_ms() + ms;
	uint8_t frame[FRAME_MAX];

	for (;;) {
		int r = clock_await(fd, POLLIN, until);
		ssize_t n;

		if (r < 0)
			return r;
		n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return n == 0 ? -ECONNRESET : -errno;
		if (n > 0 && is_answer(q, frame, (size_t)n, mp))
			return 0;
	}
}

static void take_search(const struct dhcp_msg *m, struct lease *l)
{
	size_t n = 0;
	struct rd msg, r;
	char name[DNS_NAME_TEXT];

	if (!dhcp_find(m, DHCP_O_SEARCH, &msg)) {
		(void)!dhcp_find_text(m, DHCP_O_DOMAIN, l->search,
				      sizeof(l->search));
		return;
	}
	r = msg;
	while (rd_left(&r) && dns_name_parse(&msg, &r, name)) {
		int k = snprintf(l->search + n, sizeof(l->search) - n, "%s%s",
				 n ? " " : "", name);

		if (k >= (int)(sizeof(l->search) - n)) {
			l->search[n] = '\0';
			return;
		}
		n += (size_t)k;
	}
}

static unsigned mask_len(uint32_t mask)
{
	return mask ? (unsigned)__builtin_clz(~mask | 1) : 0;
}

bool lease_take(const struct dhcp_msg *m, struct lease *lp)
{
	struct lease l = {.ip.ip = m->hdr.yiaddr};
	uint32_t mask = 0xffffff00;
	struct rd r;

	if (!addr_is_unicast(&l.ip.ip))
		return false;
	(void)!dhcp_find_u32(m, DHCP_O_MASK, &mask);
	l.ip = prefix_of(&l.ip.ip, mask == UINT32_MAX ? 32 : mask_len(mask));
	/* The first of several is the one to be used (RFC 2132 3.5). */
	if (dhcp_find(m, DHCP_O_ROUTER, &r) && rd_left(&r) >= 4)
		l.router = addr_v4_u32(rd_u32(&r));
	if (dhcp_find(m, DHCP_O_DNS, &r)) {
		while (l.n_dns < LEASE_DNS_MAX && rd_left(&r) >= 4)
			l.dns[l.n_dns++] = addr_v4_u32(rd_u32(&r));
	}
	(void)!dhcp_find_u16(m, DHCP_O_MTU, &l.mtu);
	if (l.mtu < 576) /* no network of today has less */
		l.mtu = 0;
	take_search(m, &l);
	(void)!dhcp_find_addr(m, DHCP_O_SERVER_ID, &l.server);
	(void)!dhcp_find_u32(m, DHCP_O_LEASE_TIME, &l.lease_s);
	(void)!dhcp_find_u32(m, DHCP_O_RENEW_TIME, &l.renew_s);
	(void)!dhcp_find_u32(m, DHCP_O_REBIND_TIME, &l.rebind_s);
	*lp = l;
	return true;
}

/* Asks for what was offered: 0, -EAGAIN if another offer is needed. */
static int request(const struct lease_args *a, struct lease_question *q,
		   const struct dhcp_msg *offer, struct lease *lp)
{
	struct dhcp_msg m;

	q->type = DHCP_REQUEST;
	q->wanted = offer->hdr.yiaddr;
	if (!dhcp_find_addr(offer, DHCP_O_SERVER_ID, &q->server))
		return -EAGAIN;
	for (int i = 0; i < REQUESTS; i++) {
		int r = send_question(a->fd, q);

		if (r == 0)
			r = await(a->fd, q, a->first_ms, &m);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
		if (r == 0 && m.type == DHCP_ACK)
			return lease_take(&m, lp) ? 0 : -EAGAIN;
		if (r == 0)
			return -EAGAIN; /* a NAK */
	}
	return -EAGAIN;
}

int lease_ask(const struct lease_args *a, struct lease *lp, struct error *e)
{
	unsigned wait_ms = a->first_ms;
	struct lease_question q = {.mac = a->mac, .hostname = a->hostname};
	struct dhcp_msg m;

	if (getrandom(&q.xid, sizeof(q.xid), 0) != sizeof(q.xid))
		q.xid = (uint32_t)now_ms();
	for (unsigned i = 0; i < a->tries; i++, wait_ms *= 2) {
		int r;

		q.type = DHCP_DISCOVER;
		r = send_question(a->fd, &q);
		if (r == 0)
			r = await(a->fd, &q, wait_ms, &m);
		if (r == 0)
			r = request(a, &q, &m, lp);
		if (r == 0)
			return 0;
		if (r != -ETIMEDOUT && r != -EAGAIN)
			return error_errno(e, r, "DHCP");
	}
	error_set(e, EXIT_FAILED,
		  "nobody leases an address by DHCP on this network; give one "
		  "by ip=ADDRESS/LENGTH, or ip=none");
	return -ETIMEDOUT;
}

void lease_announce(int fd, mac own, const addr *ip)
{
	uint8_t frame[ETH_MIN_LEN];
	struct wr w = wr_init(frame, sizeof(frame));
	const struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = own, .type = ETH_T_ARP};
	const struct arp_msg arp = {
		.op = ARP_REQUEST, .sha = own, .spa = *ip, .tpa = *ip};

	eth_emit(&w, &eth);
	arp_emit(&w, &arp);
	wr_zero(&w, wr_left(&w));
	(void)send_frame(fd, &w); /* who missed it asks */
}

void lease_resolv_conf(const struct lease *l, const char *network,
		       char buf[2 * LEASE_TEXT_LEN])
{
	char ip[ADDR_STRLEN];
	size_t room = 2 * LEASE_TEXT_LEN;
	int n = snprintf(buf, room, "# vmlan: network %s\n", network);

	if (l->search[0])
		n += snprintf(buf + n, room - (size_t)n, "search %s\n",
			      l->search);
	for (unsigned i = 0; i < l->n_dns; i++)
		n += snprintf(buf + n, room - (size_t)n, "nameserver %s\n",
			      addr_format(&l->dns[i], ip));
}
