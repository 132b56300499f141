/* SPDX-License-Identifier: BSD-3-Clause */
/* A world around TCP, see tcp_sim.h. */
#include "nat/tcp_sim_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/fake_subnet.h"
#include "lan/steer.h"
#include "nat/tcp_peer.h"
#include "nat/tcp_priv.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ip.h"

static bool speaks_v6; /* set before each group of tests */

const mac sim_gw_mac = {{0x52, 0x55, 10, 0, 2, 2}};
const mac sim_guest_mac = {{0x52, 0x54, 0, 0, 0, 1}};

int sim_speaks4(void **state)
{
	speaks_v6 = false;
	return 0;
}

int sim_speaks6(void **state)
{
	speaks_v6 = true;
	return 0;
}

addr sim_guest(const struct sim *s, uint8_t n)
{
	return s->is_v6 ? (addr){{0xfe, 0xc0, [15] = n}}
			: addr_v4(10, 0, 2, n);
}

static unsigned place_of(const struct sim *s, const addr *guest)
{
	const struct hash_key *key = &s->tcp->flows.key;

	return quota_payer(hash_bytes(key, guest->b, sizeof(guest->b)), 0)
		.guest;
}

addr sim_other_guest(const struct sim *s)
{
	addr other = s->guest_ip;

	for (uint8_t n = 16; place_of(s, &other) == place_of(s, &s->guest_ip);)
		other = sim_guest(s, n++);
	return other;
}

/* The pattern, twice, so that any run of a period is contiguous. */
const uint8_t *sim_pattern(uint64_t off)
{
	static uint8_t table[2 * SIM_PERIOD];

	if (!table[1]) {
		for (unsigned i = 0; i < 2 * SIM_PERIOD; i++) {
			uint32_t v = i % SIM_PERIOD;

			table[i] = (uint8_t)(v * 167 + (v >> 8) * 13 + 1);
		}
		table[1] |= 1;
		table[SIM_PERIOD + 1] = table[1];
	}
	return table + off % SIM_PERIOD;
}

uint64_t sim_random(struct sim *s)
{
	s->rnd ^= s->rnd << 13;
	s->rnd ^= s->rnd >> 7;
	s->rnd ^= s->rnd << 17;
	return s->rnd;
}

bool sim_chance(struct sim *s, unsigned n)
{
	return n > 0 && sim_random(s) % 10000 < n;
}

/* The heap of packets. */

static bool is_before(const struct sim_pkt *a, const struct sim_pkt *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void heap_push(struct sim *s, struct sim_pkt p)
{
	unsigned i = s->n_q++;

	if (i == s->cap_q) {
		s->cap_q = s->cap_q ? 2 * s->cap_q : 1024;
		s->q = realloc(s->q, s->cap_q * sizeof(*s->q));
		if (!s->q)
			abort();
	}
	while (i > 0 && is_before(&p, &s->q[(i - 1) / 2])) {
		s->q[i] = s->q[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->q[i] = p;
}

static struct sim_pkt heap_pop(struct sim *s)
{
	struct sim_pkt top = s->q[0], last = s->q[--s->n_q];
	unsigned i = 0;

	for (;;) {
		unsigned k = 2 * i + 1;

		if (k >= s->n_q)
			break;
		if (k + 1 < s->n_q && is_before(&s->q[k + 1], &s->q[k]))
			k++;
		if (!is_before(&s->q[k], &last))
			break;
		s->q[i] = s->q[k];
		i = k;
	}
	s->q[i] = last;
	return top;
}

/* The link. */

/* False: the queue is full.  The link is before it, the delay of all frames
 * the same, so what is in the queue follows from when it will be read. */
static bool queue_put(struct sim *s, uint64_t *atp)
{
	if (s->queue_free > *atp) {
		uint64_t ahead = (s->queue_free - *atp) / s->c.queue_ns;

		if (ahead >= s->c.queue)
			return false;
		*atp = s->queue_free;
	}
	*atp += s->c.queue_ns;
	s->queue_free = *atp;
	return true;
}

static void link_put(struct sim *s, const uint8_t *p, uint32_t len, bool is_up,
		     const struct frame_offload *off)
{
	uint64_t delay = s->c.delay_ns ? s->c.delay_ns : SIM_MS / 10;
	struct sim_pkt k = {.at = s->now_ns, .len = len, .is_up = is_up};

	if (sim_chance(s, is_up ? s->c.loss_up : s->c.loss_down)) {
		s->n_lost++;
		return;
	}
	if (!is_up && s->c.ns_per_byte) {
		if (s->line_free > k.at)
			k.at = s->line_free;
		k.at += len * s->c.ns_per_byte;
		s->line_free = k.at;
	}
	k.at += delay;
	if (is_up && s->c.queue && !queue_put(s, &k.at)) {
		s->n_overrun++;
		return;
	}
	if (sim_chance(s, s->c.reorder))
		k.at += s->c.reorder_ns ? s->c.reorder_ns : 2 * SIM_MS;
	if (off)
		k.off = *off;
	for (int n = sim_chance(s, s->c.duplicate) ? 2 : 1; n > 0; n--) {
		k.order = s->order++;
		k.data = malloc(len);
		if (!k.data)
			abort();
		memcpy(k.data, p, len);
		if (!is_up)
			s->n_down++;
		heap_push(s, k);
	}
}

void sim_send_up(struct sim *s, const uint8_t *p, uint32_t len,
		 const struct frame_offload *off)
{
	s->n_up_frames++;
	link_put(s, p, len, true, off);
}

static bool is_syn(const struct sim *s, const uint8_t *p)
{
	return p[s->l4 + 13] & TCP_SYN;
}

/* Bytes of all headers. */
static uint32_t headers(const struct sim *s, const uint8_t *p)
{
	return s->l4 + (p[s->l4 + 12] >> 4) * 4u;
}

/* One packet of the wire's size to a guest. */
static void down_one(struct sim *s, const uint8_t *p, uint32_t len)
{
	s->n_down_frames++;
	if (len > headers(s, p))
		s->n_down_data++;
	if (s->drop_syn && is_syn(s, p)) {
		s->n_lost++;
		return;
	}
	link_put(s, p, len, false, NULL);
}

/* The IP header of what leaves, before l4_len bytes, must be sound. */
static void check_ip(const struct sim *s, const uint8_t *p, uint32_t l4_len,
		     addr *srcp, addr *dstp)
{
	assert_int_equal(get_be16(p + 12), s->is_v6 ? ETH_T_IP6 : ETH_T_IP4);
	if (s->is_v6) {
		assert_int_equal(get_be32(p + 14), UINT32_C(6) << 28);
		assert_int_equal(get_be16(p + 18), l4_len);
		assert_int_equal(p[20], IPPROTO_TCP);
		assert_int_equal(p[21], 64);
		memcpy(srcp->b, p + 22, 16);
		memcpy(dstp->b, p + 38, 16);
	} else {
		assert_int_equal(csum_fold(csum_add(p + 14, 20, 0)), 0);
		assert_int_equal(get_be16(p + 16), 20 + l4_len);
		*srcp = addr_v4_bytes(p + 26);
		*dstp = addr_v4_bytes(p + 30);
	}
}

/* A piece's IP header, before l4_len bytes. */
static void cut_ip(const struct sim *s, uint8_t *p, uint32_t l4_len)
{
	if (s->is_v6) {
		put_be16(p + 18, l4_len);
		return;
	}
	put_be16(p + 16, 20 + l4_len);
	put_be16(p + 24, 0);
	put_be16(p + 24, csum_fold(csum_add(p + 14, 20, 0)));
}

/* The checksum of what leaves must be right, or rightly left open. */
static void check_csum(const struct sim *s, const uint8_t *p, uint32_t len,
		       const struct frame_offload *off)
{
	uint32_t l4_len = len - s->l4;
	const uint8_t *th = p + s->l4;
	addr src, dst;
	uint64_t sum;

	check_ip(s, p, l4_len, &src, &dst);
	sum = csum_pseudo(&src, &dst, IPPROTO_TCP, l4_len);
	if (off->flags & FRAME_F_NEEDS_CSUM) {
		assert_false(s->c.no_csum);
		assert_int_equal(off->csum_start, s->l4);
		assert_int_equal(off->csum_offset, 16);
		assert_int_equal(csum_partial(sum), get_be16(th + 16));
	} else {
		assert_int_equal(csum_fold(csum_add(th, l4_len, sum)), 0);
	}
}

/* A frame to a guest, cut as the wire needs it. */
static void down_frame(struct sim *s, uint8_t *p, uint32_t len,
		       const struct frame_offload *off)
{
	uint32_t hdr = headers(s, p), seq = get_be32(p + s->l4 + 4);
	uint8_t piece[2048];
	uint8_t *th = piece + s->l4;

	check_csum(s, p, len, off);
	if (off->gso == FRAME_GSO_NONE) {
		assert_in_range(len, s->l4 + 20, 14 + s->env.mtu);
		down_one(s, p, len);
		return;
	}
	assert_true(s->c.tso);
	assert_int_equal(off->gso, s->is_v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4);
	assert_int_equal(off->hdr_len, hdr);
	assert_in_range(off->gso_size, 1, s->env.mtu - (hdr - 14));
	for (uint32_t at = hdr; at < len; at += off->gso_size) {
		uint32_t n = len - at < off->gso_size ? len - at
						      : off->gso_size;
		uint32_t now = seq + (at - hdr);

		memcpy(piece, p, hdr);
		memcpy(piece + hdr, p + at, n);
		cut_ip(s, piece, hdr - s->l4 + n);
		put_be16(th + 4, now >> 16);
		put_be16(th + 6, now & 0xffff);
		if (at + n < len)
			th[13] &= (uint8_t)~TCP_PSH;
		down_one(s, piece, hdr + n);
	}
}

/* The guests' port. */

static bool has_room(const struct sim *s)
{
	return !s->is_exit_shut && (s->c.room == 0 || s->n_down < s->c.room);
}

static uint64_t guest_send(struct port *p, const struct batch *b,
			   uint64_t mask)
{
	struct sim *s = container_of(p, struct sim, guest_port);
	uint64_t got = 0;
	uint8_t *buf = malloc(FRAME_MAX);

	for (; mask && has_room(s); mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);

		assert_true(frame_copy(&b->f[i], 0, b->f[i].len, buf));
		down_frame(s, buf, b->f[i].len, &b->f[i].off);
		got |= UINT64_C(1) << i;
	}
	free(buf);
	return got;
}

static unsigned guest_lend(struct port *p, struct lend *l)
{
	struct sim *s = container_of(p, struct sim, guest_port);
	unsigned n = has_room(s) ? l->n : 0;
	uint8_t *at = s->lent;

	assert_int_equal(l->n_iov, 0);
	if (n > 8)
		n = 8; /* a small ring */
	for (unsigned i = 0; i < n; i++) {
		l->f[i].iov = &l->iov[l->n_iov];
		l->f[i].n_iov = 0;
		for (uint32_t left = l->f[i].want; left > 0;) {
			uint32_t now = left < 1000 ? left : 1000;

			l->iov[l->n_iov++] =
				(struct iovec){.iov_base = at, .iov_len = now};
			l->f[i].n_iov++;
			at += now;
			left -= now;
		}
	}
	return l->n = n;
}

static void guest_give(struct port *p, struct lend *l)
{
	struct sim *s = container_of(p, struct sim, guest_port);
	uint8_t *buf = malloc(FRAME_MAX);
	struct frame view;

	for (unsigned i = 0; i < l->n_used; i++) {
		uint32_t n = 0;

		for (unsigned k = 0; k < l->f[i].n_iov; k++) {
			memcpy(buf + n, l->f[i].iov[k].iov_base,
			       l->f[i].iov[k].iov_len);
			n += (uint32_t)l->f[i].iov[k].iov_len;
		}
		view = frame_flat(buf, l->f[i].len);
		assert_int_equal(l->flow, steer_frame(&view));
		down_frame(s, buf, l->f[i].len, &l->f[i].off);
	}
	free(buf);
}

static void guest_want_room(struct port *p)
{
	container_of(p, struct sim, guest_port)->wants_room = true;
}

static unsigned no_recv(struct port *p, struct batch *b)
{
	return 0;
}

static void no_done(struct port *p, struct batch *b)
{
}

static void no_close(struct port *p)
{
}

/* The gateway's port. */

static uint64_t gw_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct sim *s = container_of(p, struct sim, gw_port);

	for (uint64_t m = mask; m; m &= m - 1) {
		const struct frame *f = &b->f[__builtin_ctzll(m)];
		struct packet pkt;

		if (packet_parse(f->hdr, f->hdr_len, f->len, &pkt) ==
			    PACKET_OK &&
		    pkt.proto == IPPROTO_TCP)
			tcp_input(s->tcp, &pkt, f);
	}
	tcp_flush(s->tcp);
	return mask;
}

static void gw_room(struct port *p, struct port *other)
{
	tcp_room(container_of(p, struct sim, gw_port)->tcp);
}

static const struct port_ops guest_ops = {
	.kind = "guest",
	.recv = no_recv,
	.done = no_done,
	.send = guest_send,
	.want_room = guest_want_room,
	.close = no_close,
};

static const struct port_ops guest_lend_ops = {
	.kind = "guest",
	.recv = no_recv,
	.done = no_done,
	.send = guest_send,
	.want_room = guest_want_room,
	.lend = guest_lend,
	.give = guest_give,
	.close = no_close,
};

static const struct port_ops gw_ops = {
	.kind = "gw",
	.recv = no_recv,
	.done = no_done,
	.send = gw_send,
	.room = gw_room,
	.close = no_close,
};

/* The clock. */

static void deliver_down(struct sim *s, struct sim_pkt *k)
{
	s->n_down--;
	if (s->on_down)
		s->on_down(s, k->data, k->len);
	peer_input(s, k->data, k->len);
	free(k->data);
	if (s->wants_room && has_room(s)) {
		s->wants_room = false;
		lan_port_room(&s->guest_port);
	}
}

/* The bytes behind the headers in pieces, as guest memory has them. */
static void cut_up(struct sim *s, struct frame *f, struct iovec *iov)
{
	uint32_t left;

	if (s->c.up_piece == 0 || f->len <= FRAME_HDR_MAX)
		return;
	f->hdr_len = FRAME_HDR_MAX;
	f->iov = iov;
	for (left = f->len - FRAME_HDR_MAX; left > 0; f->n_iov++) {
		uint32_t n = left < s->c.up_piece ? left : s->c.up_piece;

		assert_in_range(f->n_iov, 0, FRAME_IOV_MAX - 1);
		iov[f->n_iov].iov_base =
			(void *)(uintptr_t)(f->hdr + f->len - left);
		iov[f->n_iov].iov_len = n;
		left -= n;
	}
}

/* All packets due, those of guests in batches as a port would read them. */
static void deliver(struct sim *s)
{
	uint8_t *data[FRAME_BATCH];
	struct iovec iov[FRAME_BATCH][FRAME_IOV_MAX];
	struct batch b = {.n = 0};

	while (s->n_q > 0 && s->q[0].at <= s->now_ns) {
		struct sim_pkt k = heap_pop(s);

		if (!k.is_up) {
			deliver_down(s, &k);
			continue;
		}
		b.f[b.n] = frame_flat(k.data, k.len);
		b.f[b.n].off = k.off;
		cut_up(s, &b.f[b.n], iov[b.n]);
		data[b.n++] = k.data;
		if (b.n < FRAME_BATCH && s->n_q > 0 && s->q[0].is_up &&
		    s->q[0].at <= s->now_ns)
			continue;
		(void)lan_input(&s->guest_port, &b, false);
		for (unsigned i = 0; i < b.n; i++) {
			memset(data[i], 0xee, 16); /* a late look shows */
			free(data[i]);
		}
		b.n = 0;
	}
}

static uint64_t next_due(struct sim *s)
{
	uint64_t due = timer_wheel_next(&s->wheel), d = sim_host_due(s);

	if (s->n_q > 0 && s->q[0].at < due)
		due = s->q[0].at;
	if (d < due)
		due = d;
	for (struct peer *p = s->peers; p; p = p->next) {
		d = peer_due(p);
		if (d < due)
			due = d;
	}
	return due;
}

bool sim_run(struct sim *s, uint64_t limit_ns,
	     bool (*done)(struct sim *s, void *arg), void *arg)
{
	uint64_t end = s->now_ns + limit_ns;

	for (;;) {
		uint64_t due;

		sim_host_events(s);
		if (done && done(s, arg))
			return true;
		due = next_due(s);
		if (due > end) {
			s->now_ns = end;
			return false;
		}
		if (due > s->now_ns)
			s->now_ns = due;
		deliver(s);
		sim_host_connects(s);
		for (struct peer *p = s->peers; p; p = p->next)
			if (peer_due(p) <= s->now_ns)
				peer_timer(p);
		sim_host_events(s);
		timer_wheel_run(&s->wheel, s->now_ns);
	}
}

void sim_pass(struct sim *s, uint64_t ns)
{
	(void)sim_run(s, ns, NULL, NULL);
}

static bool env_neigh(void *arg, const addr *ip, mac *macp)
{
	struct sim *s = arg;

	*macp = sim_guest_mac;
	return s->knows_guest;
}

static bool env_redirect(void *arg, uint8_t proto, const struct endpoint *dst,
			 struct endpoint *to)
{
	return dst->port != 666;
}

static void unreachable(void *arg, const struct packet *pkt,
			const struct frame *f, int err)
{
	struct sim *s = arg;

	assert_int_equal(pkt->proto, IPPROTO_TCP);
	assert_true(f->len >= pkt->l4_off + 8u);
	s->n_unreachable++;
	s->last_unreachable = err;
}

static void add_ports(struct sim *s)
{
	s->guest_port.ops = s->c.can_lend ? &guest_lend_ops : &guest_ops;
	s->guest_port.caps = (struct port_caps){
		.offload = (s->c.tso ? PORT_O_TSO4 | PORT_O_TSO6 : 0) |
			   (s->c.no_csum ? 0 : PORT_O_CSUM),
		.max_frame = FRAME_MAX,
		.queues = 1,
		.lossy = s->c.lossy,
		.queue_frames = s->c.queue_said,
	};
	s->gw_port.ops = &gw_ops;
	s->gw_port.caps = (struct port_caps){
		.offload = PORT_O_ALL, .max_frame = FRAME_MAX, .queues = 1};
	lan_port_add(s->lan, &s->guest_port);
	lan_port_add(s->lan, &s->gw_port);
	lan_port_link(&s->guest_port, true);
	lan_port_link(&s->gw_port, true);
}

struct sim *sim_new(const struct sim_config *c)
{
	struct sim *s = calloc(1, sizeof(*s));
	struct lan_config lc = {.name = "lan",
				.wheel = &s->wheel,
				.now_ns = &s->now_ns,
				.drops = &s->drops};
	struct tcp_config tc = {.deny_peek_off = c->deny_peek,
				.peek_after = c->peek_after,
				.max_buffer = c->max_buffer,
				.max_flows = c->max_flows ? c->max_flows
							  : 32768,
				.seed = {1, c->seed}};
	struct tcp_report report = {.unreachable = unreachable, .arg = s};

	if (!s)
		abort();
	s->c = *c;
	s->now_ns = 100 * SIM_SEC;
	s->rnd = c->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	timer_wheel_init(&s->wheel, s->now_ns);
	assert_int_equal(lan_new(&lc, &s->lan), 0);
	s->host.ops = &sim_host_ops;
	s->lent = malloc(FRAME_BATCH * (size_t)FRAME_MAX);
	s->knows_guest = true;
	s->is_v6 = speaks_v6;
	s->guest_ip = sim_guest(s, 15);
	s->gw = (struct endpoint){sim_guest(s, 2), 5555};
	s->server = (struct endpoint){
		s->is_v6 ? (addr){{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}
			 : addr_v4(192, 0, 2, 1), 80};
	s->l4 = FRAME_ETH_LEN + ip_hdr_len(&s->guest_ip);
	add_ports(s);
	s->env = (struct nat_env){
		.host = &s->host,
		.wheel = &s->wheel,
		.now_ns = &s->now_ns,
		.drops = &s->drops,
		.lan = s->lan,
		.port = &s->gw_port,
		.gw_mac = sim_gw_mac,
		.v4 = fake_subnet4(),
		.v6 = fake_subnet6(),
		.mtu = c->mtu ? c->mtu : NAT_MTU,
		.arg = s,
		.neigh = env_neigh,
		.redirect = env_redirect,
	};
	assert_int_equal(tcp_new(&s->env, &tc, &s->tcp), 0);
	tcp_set_report(s->tcp, &report);
	return s;
}

void sim_free(struct sim *s)
{
	tcp_free(s->tcp);
	assert_int_equal(s->n_open, 0);
	while (s->n_q > 0)
		free(heap_pop(s).data);
	lan_port_del(&s->gw_port);
	lan_port_del(&s->guest_port);
	lan_free(s->lan);
	assert_int_equal(s->wheel.n_armed, 0);
	for (unsigned i = 0; i < s->n_socks; i++)
		free(s->sock[i]);
	while (s->peers) {
		struct peer *p = s->peers;

		s->peers = p->next;
		free(p);
	}
	free(s->q);
	free(s->lent);
	free(s);
}
