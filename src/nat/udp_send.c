/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP up: datagrams of a guest to the host's sockets, in as few calls as a
 * batch allows.  Called by udp.c; the worker's thread.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "nat/udp_priv.h"

static void tx_reset(struct udp_tx *tx)
{
	tx->end = NULL;
	tx->n = 0;
	tx->n_iov = 0;
}

static unsigned n_datagrams(const struct udp_tx *tx, unsigned i)
{
	uint16_t gso = tx->m[i].gso_size;

	return gso ? (tx->len[i] + gso - 1) / gso : 1;
}

static void tx_lost(struct udp *u, unsigned from)
{
	for (unsigned i = from; i < u->tx.n; i++)
		drop_n(u->env->drops, DROP_UDP_SEND, n_datagrams(&u->tx, i));
}

/* Tells the guest of an error of message i; its frame is looked at once more,
 * for this is rare. */
static void tell_guest(struct udp *u, unsigned i, int err, uint32_t mtu)
{
	const struct frame *f = u->tx.frame[i];
	struct packet pkt;

	if (packet_parse(f->hdr, f->hdr_len, f->len, &pkt) != PACKET_OK)
		return;
	mtu = nat_mtu_seen(mtu, &u->tx.m[i].ep.ip, &pkt.src.ip);
	icmp_errno(u->icmp, err, mtu, &pkt, f);
}

unsigned udp_slice(const struct iovec *from, unsigned n_from, uint32_t skip,
		   uint32_t len, struct iovec *to, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_from && len > 0; i++) {
		struct iovec v = from[i];

		if (skip >= v.iov_len) {
			skip -= (uint32_t)v.iov_len;
			continue;
		}
		v.iov_base = (uint8_t *)v.iov_base + skip;
		v.iov_len -= skip;
		skip = 0;
		if (v.iov_len > len)
			v.iov_len = len;
		len -= (uint32_t)v.iov_len;
		if (n == max)
			return max + 1;
		to[n++] = v;
	}
	return n;
}

/* Sends a run datagram by datagram, where the host cannot take it whole; true
 * if it took any. */
static bool send_singly(struct udp *u, unsigned i)
{
	struct udp_tx *tx = &u->tx;
	struct host *h = u->env->host;
	uint32_t step = tx->m[i].gso_size;
	bool is_taken = false;

	for (uint32_t pos = 0; pos < tx->len[i]; pos += step) {
		struct iovec iov[FRAME_IOV_MAX + 1];
		struct host_msg m = tx->m[i];
		uint32_t len = tx->len[i] - pos;
		int r = -EMSGSIZE;
		uint32_t mtu = 0;

		m.iov = iov;
		m.gso_size = 0;
		m.n_iov =
			udp_slice(tx->m[i].iov, tx->m[i].n_iov, pos,
				  len < step ? len : step, iov, array_len(iov));
		if (m.n_iov > 0 && m.n_iov <= array_len(iov))
			r = h->ops->send_batch(h, tx->end->sock, &m, 1);
		is_taken |= r > 0;
		if (r > 0)
			continue;
		drop(u->env->drops, DROP_UDP_SEND);
		if (udp_end_errors(tx->end, &mtu) == 0)
			tell_guest(u, i, r, mtu);
	}
	return is_taken;
}

static bool would_block(int r)
{
	return r == 0 || r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM;
}

/* The errors with which a host refuses a run because it is one: pieces longer
 * than the path takes, a device without checksums, no UDP_SEGMENT at all. */
static bool is_run_refused(int r)
{
	return r == -EINVAL || r == -EMSGSIZE || r == -EIO ||
	       r == -EOPNOTSUPP;
}

/* Message i was refused with r. False: try it once more. */
static bool refused(struct udp *u, unsigned i, int r, bool is_second)
{
	struct udp_tx *tx = &u->tx;
	uint32_t mtu = 0;
	unsigned n_errors = udp_end_errors(tx->end, &mtu);

	if (tx->m[i].gso_size && is_run_refused(r)) {
		tx->end->no_gso |= send_singly(u, i);
		return true;
	}
	/* The host reports what befell an earlier datagram on the next call:
	 * that has been passed on now, and this one was not tried. */
	if (!is_second && r != -EMSGSIZE)
		return false;
	drop_n(u->env->drops, DROP_UDP_SEND, n_datagrams(tx, i));
	if (n_errors == 0)
		tell_guest(u, i, r, mtu);
	return true;
}

void udp_flush(struct udp *u)
{
	struct udp_tx *tx = &u->tx;
	struct host *h = u->env->host;
	bool is_second = false;
	unsigned i = 0;

	while (i < tx->n) {
		int r = h->ops->send_batch(h, tx->end->sock, tx->m + i,
					   tx->n - i);

		if (r > 0) {
			i += (unsigned)r;
			is_second = false;
		} else if (would_block(r)) {
			tx_lost(u, i);
			break;
		} else if (refused(u, i, r, is_second)) {
			i++;
			is_second = false;
		} else {
			is_second = true;
		}
	}
	tx_reset(tx);
}

static bool is_way_of(const struct host_msg *m, const struct udp_way *way)
{
	if (!endpoint_eq(&m->ep, &way->to) || m->has_local != !!way->from)
		return false;
	return !way->from || addr_eq(&m->local, way->from);
}

/* Adds len bytes at iov[n_iov..] to the last message if they make an equal
 * run with it. */
static bool join_run(struct udp_tx *tx, const struct udp_way *way,
		     unsigned n_iov, uint32_t len)
{
	struct host_msg *m;
	uint32_t have, gso;

	if (tx->n == 0 || len == 0 || tx->end->no_gso)
		return false;
	m = &tx->m[tx->n - 1];
	have = tx->len[tx->n - 1];
	gso = m->gso_size ? m->gso_size : have;
	if (len > gso || have % gso || have / gso >= UDP_GSO_MAX ||
	    len > UDP_LEN_MAX - have || !is_way_of(m, way))
		return false;
	m->gso_size = (uint16_t)gso;
	m->n_iov += n_iov;
	tx->n_iov += n_iov;
	tx->len[tx->n - 1] += len;
	return true;
}

/* A run that the guest made (USO). */
static uint16_t guest_run(const struct frame *f, uint32_t len)
{
	if ((f->off.gso != FRAME_GSO_UDP4 && f->off.gso != FRAME_GSO_UDP6) ||
	    len <= f->off.gso_size)
		return 0;
	return f->off.gso_size;
}

static bool collect(struct udp *u, const struct udp_way *way,
		    const struct packet *pkt, const struct frame *f,
		    uint32_t len)
{
	struct udp_tx *tx = &u->tx;
	struct frame cut = *f;
	struct iovec *iov = tx->iov + tx->n_iov;
	uint16_t gso = guest_run(f, len);
	unsigned n = 0;

	cut.len = pkt->l4_off + UDP_HDR_LEN + len;
	if (len > 0)
		n = frame_iov(&cut, pkt->l4_off + UDP_HDR_LEN, iov,
			      UDP_SEND_IOV - tx->n_iov);
	if (len > 0 && n == 0)
		return false;
	if (!gso && join_run(tx, way, n, len))
		return true;
	if (tx->n == UDP_BATCH)
		return false;
	tx->m[tx->n] = (struct host_msg){
		.ep = way->to, .iov = iov, .n_iov = n, .gso_size = gso};
	if (way->from) {
		tx->m[tx->n].has_local = true;
		tx->m[tx->n].local = *way->from;
	}
	tx->frame[tx->n] = f;
	tx->len[tx->n] = len;
	tx->n++;
	tx->n_iov += n;
	return true;
}

static void set_option(struct udp_end *e, enum host_opt opt, int value)
{
	struct host *h = e->udp->env->host;

	if (e->udp->tx.end == e)
		udp_flush(e->udp); /* those before keep theirs */
	/* An option the host refuses is not worth the datagram. */
	(void)h->ops->set(h, e->sock, opt, value);
}

static bool fits_every_path(const struct packet *pkt)
{
	return pkt->l4_len < (pkt->ip_version == 4 ? (uint32_t)UDP_DF_FROM
						   : UDP_DF_FROM6);
}

/* Hop limit, traffic class and don't-fragment as the guest asked.  Nothing is
 * asked of the host for the ordinary datagram. */
static void carry_options(struct udp_end *e, const struct packet *pkt)
{
	uint8_t ttl = ip_carried_ttl(pkt->ttl);

	if (ttl != e->ttl) {
		set_option(e, HOST_OPT_TTL, ttl);
		e->ttl = ttl;
	}
	if (pkt->tos != e->tos) {
		set_option(e, HOST_OPT_TOS, pkt->tos);
		e->tos = pkt->tos;
	}
	if ((e->has_df && e->df == pkt->df) || fits_every_path(pkt))
		return;
	set_option(e, HOST_OPT_DF, pkt->df);
	e->df = pkt->df;
	e->has_df = true;
}

void udp_send(struct udp_end *e, const struct udp_way *way,
	      const struct packet *pkt, const struct frame *f, uint32_t len)
{
	struct udp *u = e->udp;
	uint16_t gso = guest_run(f, len);
	/* A guest's run of more pieces than the host takes. */
	bool is_huge = gso && (len + gso - 1) / gso > UDP_GSO_MAX;

	carry_options(e, pkt);
	if (e->ttl != IP_HOP_LIMIT)
		icmp_probe(u->icmp, pkt, f);
	if (u->tx.end != e || is_huge)
		udp_flush(u);
	u->tx.end = e;
	if (!collect(u, way, pkt, f, len)) {
		udp_flush(u);
		u->tx.end = e;
		if (!collect(u, way, pkt, f, len)) {
			drop(u->env->drops, DROP_UDP_SEND);
			return;
		}
	}
	if (is_huge) {
		(void)send_singly(u, 0); /* losses are counted */
		tx_reset(&u->tx);
	}
}
