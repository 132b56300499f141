/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ping of the world: one host ping socket per (guest, identifier), and of each
 * family, for a guest of IPv6 may ping IPv4 too (NAT64).  Called by icmp.c and
 * by the loop through the sockets; the worker's thread.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include "base/cursor.h"
#include "nat/icmp_priv.h"
#include "wire/csum.h"

enum {
	PING_READS = 64, /* messages read per event, then others' turn */
	PING_DF_FROM = 548, /* as UDP_DF_FROM */
};

#define PING_IDLE_NS (ICMP_IDLE_SECONDS * UINT64_C(1000000000))

struct ping_flow {
	struct flow flow; /* guest.port is the identifier, remote is zero in
			   * the socket's family */
	struct icmp *ic;
	uint64_t used_ns;
	uint64_t sent, received; /* bytes of messages */
	addr peer; /* whom it asked last, as the guest names him */
	bool is_answered;
	/* options the socket has now */
	uint8_t ttl;
	uint8_t tos;
	bool df; /* meaningless until has_df */
	bool has_df;
	bool has_more; /* the timer is armed to read on */
};

static struct ping_flow *flow_of(struct flow *f)
{
	return container_of(f, struct ping_flow, flow);
}

static void ping_close(struct ping_flow *p)
{
	struct icmp *ic = p->ic;
	struct host *h = ic->env->host;

	timer_disarm(ic->env->wheel, &p->flow.timer);
	h->ops->close(h, &p->flow.sock, false);
	flow_del(&ic->flows, &p->flow);
	slab_free(&ic->slab, p);
}

/* The quoted header has the kernel's identifier; the guest's comes back, and
 * with it the checksum (RFC 1624).  Of ICMPv6 that is of the guest's address
 * too; it is right if the message is quoted whole. */
static void restore_id(struct host_err *e, const struct endpoint *guest)
{
	uint16_t id = guest->port;
	uint16_t sum = (uint16_t)(e->payload[2] << 8 | e->payload[3]);
	uint16_t theirs = (uint16_t)(e->payload[4] << 8 | e->payload[5]);

	e->payload[4] = (uint8_t)(id >> 8);
	e->payload[5] = (uint8_t)id;
	sum = csum_update(sum, theirs, id);
	if (!addr_is_v4(&guest->ip)) {
		e->payload[2] = e->payload[3] = 0;
		sum = csum_fold(csum_add(
			e->payload, e->payload_len,
			icmp_pseudo(&guest->ip, &e->dst.ip,
				    (uint32_t)e->payload_len)));
	}
	e->payload[2] = (uint8_t)(sum >> 8);
	e->payload[3] = (uint8_t)sum;
}

/* What IPv4 quotes of a guest of IPv6. */
static void as_guest_sent(const struct ping_flow *p, struct host_err *e)
{
	const addr *guest = &p->flow.guest.ip;

	if (addr_is_v4(&p->flow.remote.ip) == addr_is_v4(guest))
		return;
	e->dst = nat_map_in(p->ic->env, &e->dst, guest);
	e->payload[0] = icmp_echo_type(guest);
}

/* Passes the error queue on to the guest.  What the host says of a message
 * that it did not send for its length goes to *mtup, if not NULL. */
static void read_errors(struct ping_flow *p, uint32_t *mtup)
{
	struct icmp *ic = p->ic;
	struct host *h = ic->env->host;
	struct host_err e;

	for (int i = 0; i < PING_READS; i++) {
		struct icmp_relay r = {.err = &e,
				       .guest_mac = p->flow.guest_mac,
				       .proto = p->flow.proto,
				       .guest = p->flow.guest};

		if (h->ops->recv_err(h, &p->flow.sock, &e) <= 0)
			return;
		if (e.origin == SO_EE_ORIGIN_LOCAL && e.err == EMSGSIZE &&
		    mtup)
			*mtup = e.info;
		if (e.payload_len < ICMP_HDR_LEN ||
		    e.payload_len > sizeof(e.payload) ||
		    e.payload[0] != icmp_echo_type(&p->flow.remote.ip))
			continue;
		as_guest_sent(p, &e);
		restore_id(&e, &r.guest);
		r.dst = e.dst;
		r.quote = e.payload;
		r.quote_len = (uint32_t)e.payload_len;
		(void)icmp_relay(ic, &r); /* there is no other way */
	}
}

/* One echo reply for the guest. */
static void reply(struct ping_flow *p, const struct host_msg *m)
{
	struct icmp *ic = p->ic;
	struct endpoint seen = nat_map_in(ic->env, &m->ep, &p->flow.guest.ip);
	struct out_addr a = {.to = p->flow.guest_mac,
			     .src = seen.ip,
			     .dst = p->flow.guest.ip,
			     .proto = p->flow.proto,
			     .ttl = m->ttl > 1 ? m->ttl - 1 : IP_HOP_LIMIT,
			     .tos = m->tos};
	struct rd r = rd_init(ic->scratch, m->len);
	uint8_t type = rd_u8(&r);
	uint16_t seq;

	rd_skip(&r, 5);
	seq = rd_u16(&r);
	if (!rd_ok(&r) || type != icmp_reply_type(&p->flow.remote.ip) ||
	    m->truncated)
		return;
	p->received += m->len;
	p->is_answered = true;
	icmp_send(ic, &a, icmp_reply_type(&a.dst), 0,
		  (uint32_t)p->flow.guest.port << 16 | seq, r.p,
		  (uint32_t)rd_left(&r));
}

static void read_replies(struct ping_flow *p)
{
	struct icmp *ic = p->ic;
	struct host *h = ic->env->host;
	/* what a datagram can hold: IPv4 counts its header */
	size_t room = addr_is_v4(&p->flow.remote.ip)
			      ? UINT16_MAX - IP4_HDR_LEN
			      : UINT16_MAX;

	p->has_more = false;
	for (int i = 0; i < PING_READS; i++) {
		struct iovec v = {.iov_base = ic->scratch, .iov_len = room};
		struct host_msg m = {.iov = &v, .n_iov = 1};
		int r = h->ops->recv_batch(h, &p->flow.sock, &m, 1);

		if (r == -EAGAIN || r == 0)
			return;
		if (r < 0)
			read_errors(p, NULL);
		else
			reply(p, &m);
	}
	p->has_more = true;
	timer_arm(ic->env->wheel, &p->flow.timer, *ic->env->now_ns);
}

static void ping_event(struct host_sock *s, unsigned events)
{
	struct ping_flow *p = flow_of(container_of(s, struct flow, sock));

	if (events & HOST_EV_ERR)
		read_errors(p, NULL);
	read_replies(p);
}

static void ping_timeout(struct timer *t, uint64_t now_ns)
{
	struct ping_flow *p = flow_of(container_of(t, struct flow, timer));

	if (p->has_more) {
		read_replies(p);
		if (p->has_more)
			return;
	}
	if (now_ns - p->used_ns >= PING_IDLE_NS)
		ping_close(p);
	else
		timer_arm(p->ic->env->wheel, t, p->used_ns + PING_IDLE_NS);
}

static void socket_failed(struct icmp *ic, int err, const struct packet *pkt,
			  const struct frame *f)
{
	if (err != -EACCES && err != -EPERM) {
		drop(ic->env->drops, DROP_HOST_SOCKET);
		icmp_errno(ic, err, 0, pkt, f);
		return;
	}
	drop(ic->env->drops, DROP_ICMP_DENIED);
	icmp_error(ic, ICMP_UNREACHABLE, ICMP_U_ADMIN, 0, pkt, f);
	if (ic->told_denied)
		return;
	ic->told_denied = true;
	log_warn(ic->env->log,
		 "ping: this user may not open ping sockets, guests are "
		 "told so; allow it with: sysctl -w "
		 "net.ipv4.ping_group_range=\"0 2147483647\"");
}

static struct ping_flow *ping_open(struct icmp *ic, const struct flow_key *key,
				   const struct packet *pkt,
				   const struct frame *f)
{
	struct host *h = ic->env->host;
	struct ping_flow *p = slab_alloc(&ic->slab);
	int r;

	if (!p) {
		drop(ic->env->drops, DROP_FLOW_TABLE_FULL);
		return NULL;
	}
	p->ic = ic;
	p->flow.born_ns = *ic->env->now_ns;
	p->ttl = IP_HOP_LIMIT;
	p->flow.guest = key->guest;
	p->flow.remote = key->remote;
	p->flow.proto = key->proto;
	p->flow.sock = HOST_SOCK_NULL;
	p->flow.sock.event = ping_event;
	timer_init(&p->flow.timer, ping_timeout);
	if (!flow_add(&ic->flows, &p->flow, lan_payer(ic->env->lan))) {
		drop(ic->env->drops, DROP_FLOW_TABLE_FULL);
		slab_free(&ic->slab, p);
		return NULL;
	}
	r = h->ops->open(h, &p->flow.sock, HOST_PING,
			 !addr_is_v4(&key->remote.ip));
	if (r < 0) {
		socket_failed(ic, r, pkt, f);
		ping_close(p);
		return NULL;
	}
	/* Without it errors are lost, and echo works. */
	(void)h->ops->set(h, &p->flow.sock, HOST_OPT_RECVERR, 1);
	timer_arm(ic->env->wheel, &p->flow.timer,
		  *ic->env->now_ns + PING_IDLE_NS);
	return p;
}

static void set_option(struct ping_flow *p, enum host_opt opt, int value)
{
	struct host *h = p->ic->env->host;

	/* An option the host refuses is not worth the message. */
	(void)h->ops->set(h, &p->flow.sock, opt, value);
}

/* Hop limit, traffic class and don't-fragment as the guest asked. */
static void carry_options(struct ping_flow *p, const struct packet *pkt)
{
	uint8_t ttl = ip_carried_ttl(pkt->ttl);

	if (ttl != p->ttl) {
		set_option(p, HOST_OPT_TTL, ttl);
		p->ttl = ttl;
	}
	if (pkt->tos != p->tos) {
		set_option(p, HOST_OPT_TOS, pkt->tos);
		p->tos = pkt->tos;
	}
	if (pkt->l4_len < PING_DF_FROM || (p->has_df && p->df == pkt->df))
		return;
	set_option(p, HOST_OPT_DF, pkt->df);
	p->df = pkt->df;
	p->has_df = true;
}

static void send_echo(struct ping_flow *p, const struct endpoint *to,
		      const struct packet *pkt, const struct frame *f)
{
	struct icmp *ic = p->ic;
	struct host *h = ic->env->host;
	uint8_t type = icmp_echo_type(&to->ip);
	struct iovec iov[FRAME_IOV_MAX + 2] = {
		{.iov_base = &type, .iov_len = sizeof(type)}};
	struct frame cut = *f;
	struct host_msg m = {.ep = *to, .iov = iov};
	uint32_t mtu = 0;
	int r;

	cut.len = pkt->l4_off + pkt->l4_len;
	/* The rest is the same in both families, but for what the host fills
	 * in: identifier and checksum. */
	m.n_iov = 1 + frame_iov(&cut, pkt->l4_off + sizeof(type), iov + 1,
				FRAME_IOV_MAX + 1);
	r = h->ops->send_batch(h, &p->flow.sock, &m, 1);
	if (r < 0 && r != -EAGAIN) {
		/* It may be an earlier error: pass it on and try again. */
		read_errors(p, &mtu);
		r = h->ops->send_batch(h, &p->flow.sock, &m, 1);
	}
	if (r > 0)
		return;
	read_errors(p, &mtu); /* the same again of the second try */
	drop(ic->env->drops, DROP_UDP_SEND);
	icmp_errno(ic, r, nat_mtu_seen(mtu, &to->ip, &pkt->src.ip), pkt, f);
}

void ping_input(struct icmp *ic, const struct packet *pkt,
		const struct frame *f)
{
	struct flow_key key = {.guest.ip = pkt->src.ip, .proto = pkt->proto};
	struct rd r = rd_init(f->hdr + pkt->l4_off + 4, 2);
	struct ping_flow *p;
	struct endpoint to;
	struct flow *found;

	if (!nat_map_out(ic->env, pkt->proto, &pkt->dst, &to)) {
		drop(ic->env->drops, DROP_IP_DEST);
		icmp_error(ic, ICMP_UNREACHABLE, ICMP_U_HOST, 0, pkt, f);
		return;
	}
	key.guest.port = rd_u16(&r);
	if (addr_is_v4(&to.ip))
		key.remote.ip = addr_v4(0, 0, 0, 0);
	found = flow_find(&ic->flows, &key);
	p = found ? flow_of(found) : ping_open(ic, &key, pkt, f);
	if (!p)
		return;
	p->flow.guest_mac = pkt->eth_src;
	p->used_ns = *ic->env->now_ns;
	p->sent += pkt->l4_len;
	p->peer = pkt->dst.ip;
	carry_options(p, pkt);
	if (p->ttl != IP_HOP_LIMIT)
		icmp_probe(ic, pkt, f);
	send_echo(p, &to, pkt, f);
}

int ping_init(struct icmp *ic, unsigned max_flows)
{
	int r = flow_table_init(&ic->flows, max_flows);

	if (r < 0)
		return r;
	return slab_init(&ic->slab, sizeof(struct ping_flow), max_flows);
}

void ping_deinit(struct icmp *ic)
{
	if (ic->flows.bucket)
		list_each_safe (it, &ic->flows.all)
			ping_close(
				flow_of(container_of(it, struct flow, link)));
	flow_table_deinit(&ic->flows);
	slab_deinit(&ic->slab);
}

static void show(void *arg, const struct flow *of)
{
	const struct ping_flow *p = container_of(of, struct ping_flow, flow);
	struct flow_seen *s = flow_show(arg, of, p->used_ns);

	s->peer.ip = p->peer;
	s->state = p->is_answered ? FLOW_ANSWERED : FLOW_UNANSWERED;
	s->sent = p->sent;
	s->received = p->received;
}

uint32_t icmp_show(const struct icmp *ic, uint32_t from, struct flow_room *r)
{
	return flow_walk(&ic->flows, from, r->max - r->n, show, r);
}
