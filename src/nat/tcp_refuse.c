/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP and the guest's IP headers: what of them the host's socket carries, and
 * what the path says about them.  Called by tcp_open.c and tcp_input.c; one
 * worker's thread.
 *
 * An ICMP error ends a connect(), and the errno is all that an ordinary socket
 * keeps of it.  Type, code and sender are in the error queue of a socket that
 * was told beforehand to have one: too dear for every connection.  So the
 * queue is asked for where an error is to be expected (a guest that looks for
 * hops), and else by a second connect() after the first one has failed.
 */
#include <errno.h>

#include "nat/tcp_priv.h"

enum { QUEUE_READS = 4 }; /* entries looked at */

/* An answer that took longer came of silence, which a second try would only
 * double. */
#define AGAIN_NS (1 * TCP_SEC)

static void set_option(struct tcp_flow *f, enum host_opt opt, int value)
{
	struct host *h = f->tcp->env->host;

	/* Both ends may have closed, and a guest that sends on all the same. */
	if (f->flow.sock.fd < 0)
		return;
	/* An option the host refuses is not worth the connection. */
	(void)h->ops->set(h, &f->flow.sock, opt, value);
}

/* An address of ours is on the guest's own wire: there is no path to measure,
 * and the one behind it (guestfwd, the resolver's) is not the guest's. */
static uint8_t hop_limit(const struct tcp_flow *f, const struct packet *pkt)
{
	const struct nat_env *env = f->tcp->env;
	const addr *to = &f->flow.remote.ip;

	if (nat_is_inside(env, to))
		return IP_HOP_LIMIT;
	return ip_carried_ttl(pkt->ttl);
}

static void carry(struct tcp_flow *f, const struct packet *pkt)
{
	uint8_t ttl = hop_limit(f, pkt);

	if (ttl != f->ttl) {
		f->ttl = ttl;
		set_option(f, HOST_OPT_TTL, ttl);
	}
	tcp_carry_tos(f, pkt->tos);
}

void tcp_carry_tos(struct tcp_flow *f, uint8_t tos)
{
	uint8_t dscp = tos & TCP_DSCP;

	if (dscp == f->dscp)
		return;
	f->dscp = dscp;
	set_option(f, HOST_OPT_TOS, dscp);
}

void tcp_carry_syn(struct tcp_flow *f, const struct tcp_seg *s)
{
	struct tcp *t = f->tcp;

	f->syn_ttl = hop_limit(f, s->pkt);
	f->syn_tos = s->pkt->tos & TCP_DSCP;
	if (f->syn_ttl == IP_HOP_LIMIT)
		return;
	f->has_queue = true;
	if (t->report.probe)
		t->report.probe(t->report.arg, s->pkt, &s->frame);
}

void tcp_carry_open(struct tcp_flow *f)
{
	f->ttl = IP_HOP_LIMIT;
	f->dscp = 0;
	if (f->syn_ttl != IP_HOP_LIMIT) {
		f->ttl = f->syn_ttl;
		set_option(f, HOST_OPT_TTL, f->ttl);
	}
	tcp_carry_tos(f, f->syn_tos);
	if (f->has_queue)
		set_option(f, HOST_OPT_RECVERR, 1);
}

void tcp_carry_established(struct tcp_flow *f, const struct packet *pkt)
{
	/* With a queue every error on the way would end the connection
	 * (ip(7)), which TCP is to outlive (RFC 9293 3.9.2.2). */
	if (f->has_queue)
		set_option(f, HOST_OPT_RECVERR, 0);
	f->has_queue = false;
	carry(f, pkt);
}

/* The guest's SYN as far as an ICMP error quotes it. */
static uint32_t put_syn(const struct tcp_flow *f, struct wr *w)
{
	const struct tcp_hdr h = {.sport = f->flow.guest.port,
				  .dport = f->flow.remote.port,
				  .seq = f->irs,
				  .flags = TCP_SYN};

	tcp_hdr_emit(w, &h);
	return TCP_HDR_LEN;
}

/* Tells the guest of an errno. */
static void report_errno(struct tcp_flow *f, int err)
{
	struct tcp *t = f->tcp;
	uint8_t b[TCP_CTL_MAX];
	struct wr w = wr_init(b, sizeof(b));
	const struct ip_hdr ip = {.l4_len = TCP_HDR_LEN,
				  .tos = f->syn_tos,
				  .ttl = IP_HOP_LIMIT,
				  .proto = IPPROTO_TCP,
				  .src = f->flow.guest.ip,
				  .dst = f->flow.remote.ip};
	struct frame fr;
	struct packet pkt;

	ip_emit_frame(&w, t->env->gw_mac, f->flow.guest_mac, &ip);
	(void)put_syn(f, &w); /* its length is in the header already */
	fr = frame_flat(b, (uint32_t)wr_len(&w));
	if (packet_parse(b, wr_len(&w), wr_len(&w), &pkt) != PACKET_OK)
		return;
	t->in_lan = true;
	t->report.unreachable(t->report.arg, &pkt, &fr, err);
	t->in_lan = false;
}

/* Passes on what the error queue has. False: nothing of the path's. */
static bool report_queue(struct tcp_flow *f)
{
	struct tcp *t = f->tcp;
	struct host *h = t->env->host;
	uint8_t b[TCP_HDR_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct host_err e;
	const struct icmp_relay r = {.err = &e,
				     .guest_mac = f->flow.guest_mac,
				     .proto = IPPROTO_TCP,
				     .guest = f->flow.guest,
				     .dst = f->flow.remote,
				     .quote = b,
				     .quote_len = put_syn(f, &w)};
	bool is_told = false;

	if (!f->has_queue || !t->report.relay)
		return false;
	for (int i = 0; i < QUEUE_READS && !is_told; i++) {
		if (h->ops->recv_err(h, &f->flow.sock, &e) <= 0)
			return false;
		t->in_lan = true;
		is_told = t->report.relay(t->report.arg, &r);
		t->in_lan = false;
	}
	return is_told;
}

/* True for what ICMP can tell better than a RST. */
static bool is_unreachable(int err)
{
	switch (err) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ETIMEDOUT:
	case ENETDOWN:
	case EHOSTDOWN:
	case ENONET:	  /* code 8 */
	case EOPNOTSUPP:  /* code 5 */
	case ENOPROTOOPT: /* code 2 */
	case EPROTO:	  /* parameter problem */
	case EACCES:
	case EPERM:
		return true;
	default: /* the peer's own word, or trouble of ours */
		return false;
	}
}

/* Connects once more, by another socket. */
static bool connect_again(struct tcp_flow *f)
{
	const struct nat_env *env = f->tcp->env;
	struct endpoint to;

	if (!nat_map_out(env, IPPROTO_TCP, &f->flow.remote, &to))
		return false;
	env->host->ops->close(env->host, &f->flow.sock, false);
	tcp_connect_host(f, &to);
	return true;
}

/* Connects once more, with an error queue. */
static bool ask_again(struct tcp_flow *f)
{
	uint64_t begun = f->due_idle - TCP_CONNECT_NS;

	if (f->has_queue || tcp_now(f->tcp) > begun + AGAIN_NS)
		return false;
	f->has_queue = true;
	return connect_again(f);
}

void tcp_reconnect(struct tcp_flow *f)
{
	f->flags &= ~(uint32_t)(TCP_F_HOST_ERR | TCP_F_READABLE);
	if (!connect_again(f))
		tcp_kill(f, false); /* the guest's SYN comes again */
}

void tcp_refused(struct tcp_flow *f, int err, bool is_late)
{
	bool tell = is_unreachable(err) && f->tcp->report.unreachable;

	if (tell && is_late && f->tcp->report.relay && ask_again(f))
		return;
	f->tcp->stats.n_refused++;
	if (!tell) {
		f->rcv_nxt = f->irs + 1;
		tcp_emit(f, TCP_RST | TCP_ACK, 0);
	} else if (!report_queue(f)) {
		report_errno(f, err);
	}
	tcp_kill(f, false);
}

/* What is open is not ended by who can guess a few numbers (RFC 5927 5); a SYN
 * that nobody takes has been answered, whatever the code says. */
void tcp_guest_refused(struct tcp *t, const struct icmp_refusal *r)
{
	struct flow_key key = {.guest = r->guest, .remote = r->peer,
			       .proto = IPPROTO_TCP};
	struct flow *found = flow_find(&t->flows, &key);
	struct tcp_flow *f = found ? tcp_of(found) : NULL;

	if (!f || f->state != TCP_S_SYN_SENT || r->seq != f->iss) {
		drop(t->env->drops, DROP_ICMP_TYPE);
		return;
	}
	t->stats.n_refused++;
	tcp_kill(f, true);
}
