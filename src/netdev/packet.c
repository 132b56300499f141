/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `packet`: an interface of the host by a packet socket
 * (packet(7)), which the keeper opened, bound and made promiscuous.
 *
 * Called by the lan (port hooks) and by the loop; one worker's thread.
 *
 * In:  recvmmsg into 64 buffers side by side, of which only what is used costs
 *      memory.  The kernel's header in front (PACKET_VNET_HDR) makes a train
 *      of segments one frame of up to 64 KiB; a VLAN tag, which the kernel
 *      takes out, is put back.
 * Out: sendmmsg for all frames of a call.
 *
 * What the host itself sends by the interface comes in, too; what we send does
 * not, for the kernel leaves out the socket that a frame is from.  The filter
 * (packet_filter.h) is made before the first frame of a new machine leaves, so
 * that its answer finds it.
 *
 * The host's own stack never sees what we send: the frame goes to the wire.
 *
 * With translate=on all of this is one MAC to the network: see translate.h.
 *
 * Carrier is the interface's own "up": the kernel tells that it went down by
 * an error; while it is down a slow timer asks by an empty send.  An interface
 * that was removed is the end of the port: FAULT_IO.
 */
/* #syscalls: recvmmsg sendmmsg sendto setsockopt close mmap munmap */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"
#include "netdev/hostif.h"
#include "netdev/netdev.h"
#include "netdev/packet_filter.h"
#include "netdev/translate.h"
#include "netdev/vnethdr.h"
#include "wire/neighbour.h"

#define PKT_PROBE_NS UINT64_C(500000000)
#define PKT_RETRY_NS UINT64_C(2000000) /* look for room again */

enum {
	PKT_HDR_LEN = 10, /* struct virtio_net_hdr */
	PKT_MACS_LEN = 12,
	PKT_TAG_LEN = 4,
	PKT_AT = 18, /* of a frame in its slot: IP is aligned, a tag fits */
	/* Three cache lines more than a frame, as in dgram.c. */
	PKT_SLOT = FRAME_MAX + 192,
	PKT_AREA = FRAME_BATCH * PKT_SLOT,
	PKT_TRIES = 16, /* errors or empty batches of one recv() */
	PKT_IOV = 512,  /* pieces of one sendmmsg */
	PKT_IOV_IN = 3, /* header, MACs, the rest */
	PKT_AT_CSUM_START = 6,
	AT_SOURCE = 6,
	ETH_T_CTAG = 0x8100,
};

/* What the kernel says beside a frame. */
union pkt_control {
	char room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct cmsghdr align;
};

struct pkt {
	struct port port;
	const struct netdev_env *env; /* borrowed */
	int fd;                       /* owned; -1: the interface is gone */
	struct loop_io io;
	struct loop_work more;    /* go on reading after the others' turn */
	struct loop_work recheck; /* look at the carrier, and the caps */
	struct timer probe;       /* armed while the carrier is down */
	struct timer retry;       /* looks for room where no event tells */
	struct packet_macs macs;
	struct translate *translate; /* owned; NULL: machines have MACs */
	bool hides_host;             /* this, of the host, is kept back: */
	struct hostif host;          /* its addresses (lengths are not told) */
	bool is_dry;                 /* the last batch emptied the socket */
	bool is_room_wanted;         /* somebody waits for lan_port_room() */
	bool no_uso;                 /* the kernel refused such a frame */
	uint8_t *area;               /* owned mapping, PKT_AREA bytes */
	struct mmsghdr in[FRAME_BATCH];
	struct iovec in_iov[FRAME_BATCH][PKT_IOV_IN];
	uint8_t in_hdr[FRAME_BATCH][VNETHDR_LEN]; /* the last 2 bytes zero */
	union pkt_control in_control[FRAME_BATCH];
	struct sockaddr_ll from[FRAME_BATCH]; /* with translate only */
};

/* One sendmmsg. */
struct pkt_out {
	struct mmsghdr msg[FRAME_BATCH];
	uint8_t hdr[FRAME_BATCH][VNETHDR_LEN];
	uint8_t head[FRAME_BATCH][FRAME_HDR_MAX]; /* translated */
	struct iovec iov[PKT_IOV];
	uint8_t index[FRAME_BATCH]; /* of the frame in the batch */
	unsigned n;                 /* messages */
	unsigned n_iov;
};

static struct pkt *pkt_of(struct port *p)
{
	return container_of(p, struct pkt, port);
}

/* ---- carrier ---- */

/* What the interface is: 0, ENETDOWN, or another errno when it is gone.  A
 * send without even a header is refused with EINVAL, but after those. */
static int pkt_state(const struct pkt *k)
{
	if (send(k->fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	    errno == EINVAL || errno == EAGAIN)
		return 0;
	return errno;
}

static void pkt_end(struct pkt *k)
{
	loop_del(k->env->loop, &k->io);
	fd_close(&k->fd);
	timer_disarm(loop_wheel(k->env->loop), &k->probe);
	port_fault(&k->port, FAULT_IO, "the interface was removed");
	lan_port_link(&k->port, false);
}

static void pkt_check(struct pkt *k)
{
	int state;

	if (k->fd < 0)
		return;
	state = pkt_state(k);
	if (state != 0 && state != ENETDOWN) {
		pkt_end(k);
		return;
	}
	if (state == 0)
		timer_disarm(loop_wheel(k->env->loop), &k->probe);
	else
		timer_arm(loop_wheel(k->env->loop), &k->probe,
			  *loop_now(k->env->loop) + PKT_PROBE_NS);
	if ((state == 0) != k->port.carrier)
		lan_port_link(&k->port, state == 0);
}

static void pkt_probe(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	pkt_check(container_of(t, struct pkt, probe));
}

/* What was found out inside the lan and could not be acted upon there. */
static void pkt_recheck(struct loop_work *w)
{
	struct pkt *k = container_of(w, struct pkt, recheck);
	uint32_t uso = PORT_O_USO4 | PORT_O_USO6;
	struct port_caps caps = *lan_port_own_caps(&k->port);

	if (k->no_uso && (caps.offload & uso)) {
		caps.offload &= ~uso;
		lan_port_caps(&k->port, &caps);
	}
	pkt_check(k);
}

/* What the kernel is to show us. */
static void pkt_filter(struct pkt *k)
{
	struct sock_filter f[(int)TRANSLATE_FILTER_MAX > (int)PACKET_FILTER_MAX
				     ? (int)TRANSLATE_FILTER_MAX
				     : (int)PACKET_FILTER_MAX];
	unsigned n = k->translate ? translate_filter(k->translate, f)
				  : packet_macs_filter(&k->macs, f);
	const struct sock_fprog prog = {
		.len = (unsigned short)n,
		.filter = f,
	};

	/* Short of memory the one before stays: the new machine hears groups
	 * only until the next comes. */
	(void)setsockopt(k->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			 sizeof(prog));
}

/* ---- in ---- */

static void pkt_rx_drop(struct pkt *k, enum drop_reason why)
{
	drop(k->env->drops, why);
	k->port.stats.rx_drops++;
}

static void pkt_in_init(struct pkt *k)
{
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		uint8_t *at = k->area + (size_t)i * PKT_SLOT + PKT_AT;

		k->in_iov[i][0] = (struct iovec){k->in_hdr[i], PKT_HDR_LEN};
		k->in_iov[i][1] = (struct iovec){at, PKT_MACS_LEN};
		k->in_iov[i][2] = (struct iovec){at + PKT_MACS_LEN,
						 FRAME_MAX - PKT_MACS_LEN};
		k->in[i].msg_hdr = (struct msghdr){
			.msg_iov = k->in_iov[i],
			.msg_iovlen = PKT_IOV_IN,
			.msg_control = &k->in_control[i],
			.msg_name = k->translate ? &k->from[i] : NULL,
		};
	}
}

/* The tag that the kernel took out of the frame, as it was on the wire; false:
 * there was none. */
static bool pkt_tag(struct msghdr *m, uint8_t tag[static PKT_TAG_LEN])
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct tpacket_auxdata aux;
	uint16_t type = ETH_T_CTAG;

	if (!c || c->cmsg_level != SOL_PACKET ||
	    c->cmsg_type != PACKET_AUXDATA ||
	    c->cmsg_len < CMSG_LEN(sizeof(aux)))
		return false;
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return false;
	if (aux.tp_status & TP_STATUS_VLAN_TPID_VALID)
		type = aux.tp_vlan_tpid;
	tag[0] = (uint8_t)(type >> 8);
	tag[1] = (uint8_t)type;
	tag[2] = (uint8_t)(aux.tp_vlan_tci >> 8);
	tag[3] = (uint8_t)aux.tp_vlan_tci;
	return true;
}

/* Puts tag between the MACs and the rest. */
static uint8_t *pkt_insert(uint8_t *at, uint8_t hdr[static VNETHDR_LEN],
			   const uint8_t tag[static PKT_TAG_LEN])
{
	uint8_t *start = at - PKT_TAG_LEN;
	uint16_t csum;

	memmove(start, at, PKT_MACS_LEN);
	memcpy(start + PKT_MACS_LEN, tag, PKT_TAG_LEN);
	memcpy(&csum, hdr + PKT_AT_CSUM_START, sizeof(csum));
	csum = (uint16_t)(csum + PKT_TAG_LEN);
	memcpy(hdr + PKT_AT_CSUM_START, &csum, sizeof(csum));
	return start;
}

/* Gives frame i, of len bytes at p, to the machine that it is for; false: it is
 * for none, or was ours. */
static bool pkt_translate(struct pkt *k, unsigned i, uint8_t *p, uint32_t len)
{
	bool is_own = mac_eq(mac_bytes(p + AT_SOURCE), k->translate->host);

	if (is_own && k->from[i].sll_pkttype != PACKET_OUTGOING) {
		pkt_rx_drop(k, DROP_SELF_ECHO);
		return false;
	}
	if (is_own && translate_host(k->translate, p, len))
		pkt_filter(k);
	return translate_in(k->translate, p, len);
}

/* What the host says of its own MAC, where it has another to the machines. */
static bool pkt_is_hosts_word(const struct pkt *k, const uint8_t *p,
			      uint32_t len)
{
	struct neighbour n;

	return k->hides_host &&
	       mac_eq(mac_bytes(p + AT_SOURCE), k->macs.host) &&
	       neighbour_parse(p, len, len, &n) &&
	       hostif_is_own(&k->host, &n.from);
}

/* Message i as a frame; false: dropped. */
static bool pkt_frame(struct pkt *k, unsigned i, struct frame *f)
{
	struct mmsghdr *m = &k->in[i];
	uint8_t *at = k->in_iov[i][1].iov_base;
	uint32_t len = m->msg_len - PKT_HDR_LEN;
	uint8_t tag[PKT_TAG_LEN];
	bool is_hidden;

	if (m->msg_len < PKT_HDR_LEN + FRAME_ETH_LEN) {
		pkt_rx_drop(k, DROP_FRAME_SHORT);
		return false;
	}
	if ((m->msg_hdr.msg_flags & MSG_TRUNC) ||
	    len > FRAME_MAX - PKT_TAG_LEN) {
		pkt_rx_drop(k, DROP_FRAME_LONG);
		return false;
	}
	if (pkt_tag(&m->msg_hdr, tag)) {
		at = pkt_insert(at, k->in_hdr[i], tag);
		len += PKT_TAG_LEN;
	}
	is_hidden = pkt_is_hosts_word(k, at, len);
	if (k->translate && !pkt_translate(k, i, at, len))
		return false;
	if (is_hidden) {
		pkt_rx_drop(k, DROP_SELF_ECHO);
		return false;
	}
	*f = frame_flat(at, len);
	if (vnethdr_parse(k->in_hdr[i], f) && frame_offload_check(f))
		return true;
	pkt_rx_drop(k, DROP_OFFLOAD_BAD);
	return false;
}

/* Number of messages, 0 when there are none, -1 when it should be asked
 * again. */
static int pkt_read(struct pkt *k)
{
	int n;

	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		k->in[i].msg_hdr.msg_controllen = sizeof(k->in_control[i]);
		k->in[i].msg_hdr.msg_namelen =
			k->translate ? sizeof(k->from[i]) : 0;
	}
	n = recvmmsg(k->fd, k->in, FRAME_BATCH, MSG_DONTWAIT, NULL);
	if (n >= 0) {
		/* Fewer than asked for: the next frame is a new edge. */
		k->is_dry = n < FRAME_BATCH;
		return n;
	}
	if (errno == EAGAIN || errno == ENOMEM) {
		k->is_dry = true;
		return 0;
	}
	if (errno == EINVAL) /* segmentation that the header cannot tell of */
		pkt_rx_drop(k, DROP_OFFLOAD_BAD);
	else if (errno != EINTR)
		loop_defer(k->env->loop, &k->recheck);
	return -1;
}

static unsigned pkt_recv(struct port *p, struct batch *b)
{
	struct pkt *k = pkt_of(p);

	b->n = 0;
	for (unsigned i = 0; i < PKT_TRIES; i++) {
		int n;

		if (k->is_dry || k->fd < 0)
			return 0;
		n = pkt_read(k);
		for (int j = 0; j < n; j++) {
			if (pkt_frame(k, (unsigned)j, &b->f[b->n]))
				b->n++;
		}
		if (b->n)
			return b->n;
	}
	/* Nothing but errors and what was dropped: the others' turn. */
	loop_defer(k->env->loop, &k->more);
	return 0;
}

static void pkt_done(struct port *p, struct batch *b)
{
	(void)p; /* the buffers are used again by the next recv */
	(void)b;
}

static void pkt_go(struct pkt *k)
{
	if (k->fd >= 0 && lan_port_readable(&k->port))
		loop_defer(k->env->loop, &k->more);
}

static void pkt_more(struct loop_work *w)
{
	pkt_go(container_of(w, struct pkt, more));
}

/* ---- out ---- */

static void pkt_tx_drop(struct pkt *k, enum drop_reason why)
{
	drop(k->env->drops, why);
	k->port.stats.tx_drops++;
}

/* Pieces of f, its header changed in head if need be; 0: they do not fit. */
static unsigned pkt_pieces(struct pkt *k, const struct frame *f,
			   uint8_t head[static FRAME_HDR_MAX],
			   struct iovec *iov, unsigned max)
{
	uint64_t now = *loop_now(k->env->loop);
	bool is_summed = !(f->off.flags & FRAME_F_NEEDS_CSUM);
	uint32_t len = f->hdr_len < FRAME_HDR_MAX ? f->hdr_len : FRAME_HDR_MAX;
	unsigned n;

	if (!k->translate) {
		k->macs.from = lan_ingress(k->env->lan);
		n = frame_iov(f, 0, iov, max);
		if (n && packet_macs_saw(&k->macs,
					 mac_bytes(f->hdr + AT_SOURCE), now))
			pkt_filter(k);
		return n;
	}
	n = len < f->len ? frame_iov(f, len, iov + 1, max - 1) : 0;
	if (n == 0 && len < f->len)
		return 0;
	memcpy(head, f->hdr, len);
	iov[0] = (struct iovec){head, len};
	k->translate->from = lan_ingress(k->env->lan);
	if (translate_out(k->translate, head, len, f->len, is_summed, now))
		pkt_filter(k);
	return n + 1;
}

/* As many frames of mask as fit into one call. */
static void pkt_fill(struct pkt *k, struct pkt_out *o, const struct batch *b,
		     uint64_t mask)
{
	o->n = o->n_iov = 0;
	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask), n;
		const struct frame *f = &b->f[i];
		struct iovec *iov = &o->iov[o->n_iov];

		if (f->len > k->port.caps.max_frame || o->n_iov + 1 >= PKT_IOV)
			return;
		n = pkt_pieces(k, f, o->head[o->n], iov + 1,
			       PKT_IOV - o->n_iov - 1);
		if (n == 0)
			return;
		vnethdr_emit(&f->off, o->hdr[o->n]);
		iov[0] = (struct iovec){o->hdr[o->n], PKT_HDR_LEN};
		o->index[o->n] = (uint8_t)i;
		o->msg[o->n++] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = iov, .msg_iovlen = n + 1},
		};
		o->n_iov += n + 1;
	}
}

/* A frame was not sent: counts it as lost, or returns false if it may be sent
 * later. */
static bool pkt_refused(struct pkt *k, const struct frame *f, int err)
{
	bool is_uso =
		f->off.gso == FRAME_GSO_UDP4 || f->off.gso == FRAME_GSO_UDP6;

	if (err == EAGAIN || err == EINTR || err == ENOBUFS || err == ENOMEM)
		return false;
	if (err == EMSGSIZE) {
		pkt_tx_drop(k, DROP_FRAME_LONG);
	} else if (err == EFAULT) { /* the frame lay in a guest's memory */
		pkt_tx_drop(k, DROP_MEMORY_GONE);
	} else if (err == EINVAL && is_uso) { /* kernels before 6.2 */
		pkt_tx_drop(k, DROP_GSO_FAILED);
		k->no_uso = true;
		loop_defer(k->env->loop, &k->recheck);
	} else if (err == EINVAL) {
		pkt_tx_drop(k, DROP_PEER_REFUSED);
	} else { /* ENETDOWN, ENXIO */
		pkt_tx_drop(k, DROP_LINK_DOWN);
		loop_defer(k->env->loop, &k->recheck);
	}
	return true;
}

/* Sends the messages of o in order; returns the number dealt with. */
static unsigned pkt_push(struct pkt *k, struct pkt_out *o,
			 const struct batch *b)
{
	unsigned at = 0;

	while (at < o->n) {
		int n = sendmmsg(k->fd, o->msg + at, o->n - at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			at += (unsigned)n;
		else if (pkt_refused(k, &b->f[o->index[at]], errno))
			at++;
		else
			break;
	}
	return at;
}

static uint64_t pkt_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct pkt *k = pkt_of(p);
	uint64_t left = mask;
	struct pkt_out o;

	while (left && k->fd >= 0) {
		unsigned n;

		pkt_fill(k, &o, b, left);
		if (o.n == 0) { /* the first of them can never be sent */
			pkt_tx_drop(k, DROP_FRAME_LONG);
			left &= left - 1;
			continue;
		}
		n = pkt_push(k, &o, b);
		for (unsigned i = 0; i < n; i++)
			left &= ~(UINT64_C(1) << o.index[i]);
		if (n < o.n)
			break;
	}
	if (k->fd < 0) {
		for (; left; left &= left - 1)
			pkt_tx_drop(k, DROP_LINK_DOWN);
	}
	return mask & ~left;
}

/* A full queue of the interface has no event: look again soon. */
static void pkt_want_room(struct port *p)
{
	struct pkt *k = pkt_of(p);

	k->is_room_wanted = true;
	timer_arm(loop_wheel(k->env->loop), &k->retry,
		  *loop_now(k->env->loop) + PKT_RETRY_NS);
}

static void pkt_retry(struct timer *t, uint64_t now_ns)
{
	struct pkt *k = container_of(t, struct pkt, retry);

	(void)now_ns;
	if (!k->is_room_wanted)
		return;
	k->is_room_wanted = false;
	lan_port_room(&k->port);
}

/* ---- life ---- */

static void pkt_event(struct loop_io *io, uint32_t events)
{
	struct pkt *k = container_of(io, struct pkt, io);

	if (events & (EPOLLERR | EPOLLHUP))
		loop_defer(k->env->loop, &k->recheck);
	k->is_dry = false;
	pkt_go(k);
}

static void pkt_free(struct pkt *k)
{
	timer_disarm(loop_wheel(k->env->loop), &k->probe);
	timer_disarm(loop_wheel(k->env->loop), &k->retry);
	loop_undefer(k->env->loop, &k->more);
	loop_undefer(k->env->loop, &k->recheck);
	if (k->area)
		munmap(k->area, PKT_AREA);
	free(k->translate);
	free(k);
}

static void pkt_close(struct port *p)
{
	struct pkt *k = pkt_of(p);

	if (k->fd >= 0)
		loop_del(k->env->loop, &k->io);
	fd_close(&k->fd);
	pkt_free(k);
}

static const struct port_ops pkt_ops = {
	.kind = "packet",
	.recv = pkt_recv,
	.done = pkt_done,
	.send = pkt_send,
	.want_room = pkt_want_room,
	.close = pkt_close,
};

static void pkt_set_host(struct pkt *k, const addr *ip, unsigned n)
{
	k->host.n = n < HOSTIF_IP_MAX ? n : HOSTIF_IP_MAX;
	for (unsigned i = 0; i < k->host.n; i++)
		k->host.ip[i].ip = ip[i];
}

void netdev_packet_host(struct port *p, const addr *ip, unsigned n)
{
	struct pkt *k = pkt_of(p);

	pkt_set_host(k, ip, n);
	if (!k->translate)
		return;
	k->translate->n_host = 0;
	for (unsigned i = 0; i < n; i++)
		(void)!translate_host_ip(k->translate, &ip[i]);
	if (k->fd >= 0)
		pkt_filter(k);
}

static int pkt_translate_init(struct pkt *k,
			      const struct netdev_packet_config *c)
{
	k->translate = calloc(1, sizeof(*k->translate));
	if (!k->translate)
		return -ENOMEM;
	k->translate->host = c->mac;
	for (unsigned i = 0; i < c->n_host_ip; i++)
		(void)!translate_host_ip(k->translate, &c->host_ip[i]);
	return 0;
}

static struct pkt *pkt_alloc(const struct netdev_env *env,
			     const struct netdev_packet_config *c)
{
	struct pkt *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->port = (struct port){
		.ops = &pkt_ops,
		.caps = {.offload = PORT_O_ALL,
			 .max_frame = FRAME_MAX,
			 .queues = 1,
			 .lossy = true,
			 .is_uplink = true},
		.id = c->id,
	};
	snprintf(k->port.name, sizeof(k->port.name), "%s", c->name);
	k->env = env;
	k->fd = -1;
	k->macs.host = c->mac;
	k->hides_host = c->hides_host;
	pkt_set_host(k, c->host_ip, c->n_host_ip);
	if (c->translates && pkt_translate_init(k, c) < 0) {
		free(k);
		return NULL;
	}
	loop_work_init(&k->more, pkt_more);
	loop_work_init(&k->recheck, pkt_recheck);
	timer_init(&k->probe, pkt_probe);
	timer_init(&k->retry, pkt_retry);
	k->area = mmap(NULL, PKT_AREA, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (k->area == MAP_FAILED)
		k->area = NULL;
	else
		pkt_in_init(k);
	return k;
}

int netdev_packet_new(const struct netdev_env *env,
		      const struct netdev_packet_config *c, struct port **portp)
{
	struct pkt *k = pkt_alloc(env, c);
	int r = -ENOMEM;

	if (!k)
		return r;
	if (!k->area)
		goto err_free;
	k->io = (struct loop_io){.fd = c->fd, .fn = pkt_event};
	r = loop_add(env->loop, &k->io, EPOLLIN);
	if (r < 0)
		goto err_free;
	k->fd = c->fd;
	pkt_filter(k); /* groups */
	lan_port_add(env->lan, &k->port);
	pkt_check(k);
	*portp = &k->port;
	return 0;

err_free:
	pkt_free(k);
	return r;
}
