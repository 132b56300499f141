/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A machine with several queue pairs behind vhost-user that does what a guest
 * may: it sends from all of its queues, a flow by another one each time, turns
 * queues off and on, stops rings and starts them, tells its memory anew, and
 * is sometimes where another machine was.  What it gets it looks at.
 *
 *	pairs PAIRS MAC IP SEED
 *
 * and does what lines on standard input say, a line for each on its output:
 *	plug PATH	connects there, all rings run
 *	send MAC..	a load to these begins, of what stands at send_any();
 *			without any it ends
 *	calm		all queues are in use, no ring is touched, and the load
 *			leaves room for others
 *	stir		.. until here they are, all the time
 *	roam MAC	some frames come from this address, that others may have
 *	reach MAC	another such machine answers each of our queues
 *	count		what it has done, as JSON
 * The end of the input is its end.  It says why and fails if a frame is not as
 * it was sent, or the engine breaks a rule or the connection.
 *
 * It answers ARP, pings, and UDP to port 7001.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pairs_vhost.h"

enum {
	PEERS_MAX = 32,
	FRAME_MAX = 66000,
	TURN_MS = 1,
	TURN_FRAMES = 8, /* of a queue */
	BUSY_TURNS = 4,	 /* for a turn that sends */
	CALM_TURNS = 32,
	ASK_TURNS = 50,
	TYPE = 0x88b5, /* IEEE 802, for local experiments */
	ECHO_PORT = 7001,
	ETH_LEN = 14,
	IP_LEN = 20,
	TCP_LEN = 20,
	GSO_BYTES = 20000,
	GSO_SIZE = 1400,
};

enum kind { DATA = 1, ASK, ANSWER };

/* Behind the Ethernet header of our own frames; bytes of a pattern follow. */
struct __attribute__((packed)) own {
	uint8_t kind, pair;
	uint16_t len; /* of the pattern */
	uint32_t at;  /* where it begins */
};

static struct {
	uint8_t mac[6], roam[6], ask[6];
	uint8_t ip[4];
	uint8_t peers[PEERS_MAX][6];
	unsigned n_peers;
	bool stirs, roams, asks;
	unsigned turn;
	uint32_t random, at;
	struct {
		uint64_t sent, full, came, own, segments, echoes, changes;
	} count;
	uint8_t frame[VNET_LEN + FRAME_MAX];
} me;

static uint32_t any(uint32_t below)
{
	me.random ^= me.random << 13;
	me.random ^= me.random >> 17;
	me.random ^= me.random << 5;
	return me.random % below;
}

static uint8_t pattern(uint32_t at)
{
	return (uint8_t)(at * 0x9e3779b1u >> 24);
}

static void check_pattern(const uint8_t *p, uint32_t len, uint32_t at,
			  const char *what)
{
	for (uint32_t i = 0; i < len; i++) {
		if (p[i] != pattern(at + i))
			die("%s of %u bytes at %u: byte %u is %02x, not %02x",
			    what, len, at, i, p[i], pattern(at + i));
	}
}

/* What a guest's driver and its VMM may do at any time. */
static void stir(void)
{
	unsigned i = any(2 * vm.n);

	me.count.changes++;
	switch (any(8)) {
	case 0:
		tell_memory();
		break;
	case 1:
		restart(i);
		break;
	default:
		/* Linux keeps the first in use. */
		if (i / 2)
			enable(i / 2, !vm.pairs[i / 2].is_on);
	}
}

/* ---- what it sends ---- */

/* A frame with its header from me.frame; false: the queue is full. */
static bool send_on(struct pair *p, uint32_t len)
{
	struct vq *q = &p->tx;
	uint16_t i;

	for (unsigned n = vq_ready(q); n; n--) {
		uint32_t id = vq_elem(q, 0).id;

		if (id >= TX_SIZE || p->n_free == TX_SIZE)
			die("the engine gives back buffer %u", id);
		p->free[p->n_free++] = (uint16_t)id;
		q->seen++;
	}
	if (!p->n_free) {
		me.count.full++;
		return false;
	}
	i = p->free[--p->n_free];
	memcpy(p->tx_at + (uint32_t)i * TX_BUF, me.frame, VNET_LEN + len);
	q->desc[i] =
		(struct vq_desc){.addr = gpa(p->tx_at + (uint32_t)i * TX_BUF),
				 .len = VNET_LEN + len};
	vq_offer(q, i);
	vq_kick(q);
	me.count.sent++;
	return true;
}

static uint8_t *put_eth(const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	uint8_t *p = me.frame + VNET_LEN;

	memset(me.frame, 0, VNET_LEN);
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	p[12] = (uint8_t)(type >> 8);
	p[13] = (uint8_t)type;
	return p + ETH_LEN;
}

static bool send_own(struct pair *p, const uint8_t *dst, const uint8_t *src,
		     enum kind kind, uint8_t pair, uint16_t len)
{
	struct own o = {(uint8_t)kind, pair, len, me.at};
	uint8_t *b = put_eth(dst, src, TYPE);

	memcpy(b, &o, sizeof(o));
	for (uint16_t i = 0; i < len; i++)
		b[sizeof(o) + i] = pattern(me.at + i);
	me.at += len;
	return send_on(p, ETH_LEN + sizeof(o) + len);
}

static uint32_t sum(const void *data, size_t len)
{
	const uint8_t *b = data;
	uint32_t s = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		s += (uint32_t)b[i] << 8 | b[i + 1];
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* TCP of nobody's, longer than a frame of the wire, its sums to be made. */
static bool send_gso(struct pair *p, const uint8_t *dst)
{
	uint32_t tcp_len = TCP_LEN + 1 + any(GSO_BYTES), at = me.at;
	uint8_t *ip = put_eth(dst, me.mac, 0x0800), *tcp = ip + IP_LEN;
	const uint16_t start = ETH_LEN + IP_LEN, offset = 16,
		       hdr = ETH_LEN + IP_LEN + TCP_LEN, size = GSO_SIZE;

	memset(ip, 0, IP_LEN + TCP_LEN);
	ip[0] = 0x45;
	put16(ip + 2, IP_LEN + tcp_len);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, me.ip, 4);
	memcpy(ip + 16, me.ip, 4);
	ip[19] = 250; /* nobody */
	put16(ip + 10, (uint16_t)~fold(sum(ip, IP_LEN)));
	put16(tcp, TYPE);
	put16(tcp + 2, TYPE);
	at = htonl(at);
	memcpy(tcp + 4, &at, 4);
	tcp[12] = TCP_LEN / 4 << 4;
	tcp[13] = 0x10;
	put16(tcp + 16, fold(sum(ip + 12, 8) + IPPROTO_TCP + tcp_len));
	for (uint32_t i = 0; i < tcp_len - TCP_LEN; i++)
		tcp[TCP_LEN + i] = pattern(me.at + i);
	me.at += tcp_len - TCP_LEN;
	me.frame[0] = 1; /* the sum is to be made */
	if (tcp_len - TCP_LEN > GSO_SIZE) {
		me.frame[1] = 1; /* TCPv4 */
		memcpy(me.frame + 2, &hdr, 2);
		memcpy(me.frame + 4, &size, 2);
	}
	memcpy(me.frame + 6, &start, 2);
	memcpy(me.frame + 8, &offset, 2);
	return send_on(p, ETH_LEN + IP_LEN + tcp_len);
}

static bool send_any(struct pair *p)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
	static const uint8_t group[6] = {1, 0, 0x5e, 1, 2, 3};
	uint8_t nobody[6] = {2, 0xee, 0, 0, me.mac[5], (uint8_t)any(256)};
	const uint8_t *dst = me.peers[any(me.n_peers)];

	switch (any(64)) {
	case 0:
		return send_own(p, nobody, me.mac, DATA, 0, 40);
	case 1:
		return send_own(p, all, me.mac, DATA, 0, 40);
	case 2:
		return send_own(p, group, me.mac, DATA, 0, 40);
	case 3:
	case 4:
		return !me.roams || send_own(p, dst, me.roam, DATA, 0, 40);
	case 5:
	case 6:
	case 7:
		return send_gso(p, dst);
	case 8: /* to who roams, wherever it is */
		return !me.roams || send_own(p, me.roam, me.mac, DATA, 0, 40);
	case 9: /* who invents addresses */
		return send_own(p, dst, nobody, DATA, 0, 40);
	case 10:
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
		return send_own(p, dst, me.mac, DATA, 0,
				(uint16_t)any(1500 - sizeof(struct own)));
	default:
		return send_own(p, dst, me.mac, DATA, 0, 42);
	}
}

/* ---- what it gets ---- */

static void swap(uint8_t *a, uint8_t *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t x = a[i];

		a[i] = b[i];
		b[i] = x;
	}
}

/* Back to who sent it, as it stands in me.frame, by the same queue. */
static void give_back(struct pair *p, uint32_t len)
{
	uint8_t *f = me.frame + VNET_LEN;

	memcpy(f, f + 6, 6);
	memcpy(f + 6, me.mac, 6);
	me.frame[10] = me.frame[11] = 0; /* buffers */
	me.frame[0] &= 1;                /* a sum that was seen to be right */
	if (send_on(p, len))
		me.count.echoes++;
}

static void on_own(struct pair *p, uint32_t len)
{
	uint8_t *f = me.frame + VNET_LEN;
	uint8_t from[6];
	struct own o;

	if (len < ETH_LEN + sizeof(o))
		die("a frame of %u bytes, cut", len);
	memcpy(&o, f + ETH_LEN, sizeof(o));
	if (o.kind < DATA || o.kind > ANSWER ||
	    len < ETH_LEN + sizeof(o) + o.len)
		die("a frame of %u bytes, kind %u, cut from %u", len, o.kind,
		    o.len);
	check_pattern(f + ETH_LEN + sizeof(o), o.len, o.at, "a frame");
	me.count.own++;
	if (memcmp(f, me.mac, 6) != 0)
		return;
	memcpy(from, f + 6, 6);
	if (o.kind == ASK)
		send_own(p, from, me.mac, ANSWER, o.pair, 40);
	else if (o.kind == ANSWER && me.asks && o.pair < vm.n &&
		 memcmp(from, me.ask, 6) == 0)
		vm.pairs[o.pair].was_answered = true;
}

static void on_ip4(struct pair *p, uint32_t len)
{
	uint8_t *ip = me.frame + VNET_LEN + ETH_LEN, *up = ip + IP_LEN;
	uint32_t ip_len = len - ETH_LEN, total, at;

	if (ip_len < IP_LEN + 8 || ip[0] != 0x45)
		return;
	total = (uint32_t)ip[2] << 8 | ip[3];
	if (total > ip_len)
		die("a packet of %u bytes in a frame of %u", total, len);
	if (ip[9] == IPPROTO_TCP && ip[19] == 250 && total > IP_LEN + TCP_LEN) {
		memcpy(&at, up + 4, 4);
		check_pattern(up + TCP_LEN, total - IP_LEN - TCP_LEN, ntohl(at),
			      "a segment");
		me.count.segments++;
		return;
	}
	if (memcmp(ip + 16, me.ip, 4) != 0 || (ip[6] & 0x3f) || ip[7])
		return;
	if (ip[9] == IPPROTO_UDP && ((uint32_t)up[2] << 8 | up[3]) == ECHO_PORT)
		swap(up, up + 2, 2);
	else if (ip[9] == IPPROTO_ICMP && up[0] == 8) {
		up[0] = 0;
		put16(up + 2, fold(((uint32_t)up[2] << 8 | up[3]) + 0x0800));
	} else
		return;
	swap(ip + 12, ip + 16, 4);
	give_back(p, len);
}

static void on_arp(struct pair *p, uint32_t len)
{
	uint8_t *arp = me.frame + VNET_LEN + ETH_LEN;

	if (len < ETH_LEN + 28 || arp[7] != 1 ||
	    memcmp(arp + 24, me.ip, 4) != 0)
		return;
	arp[7] = 2;
	memcpy(arp + 18, arp + 8, 10);
	memcpy(arp + 8, me.mac, 6);
	memcpy(arp + 14, me.ip, 4);
	give_back(p, len);
}

static void on_frame(struct pair *p, uint32_t len)
{
	const uint8_t *f = me.frame + VNET_LEN;
	unsigned type;

	if (len < ETH_LEN)
		die("a frame of %u bytes", len);
	type = (unsigned)f[12] << 8 | f[13];
	me.count.came++;
	if (type == TYPE)
		on_own(p, len);
	else if (type == 0x0800)
		on_ip4(p, len);
	else if (type == 0x0806)
		on_arp(p, len);
}

/* The next frame into me.frame: its length with the header, 0 if the rest of
 * it has not come. */
static uint32_t gather(struct pair *p, unsigned ready)
{
	struct vq *q = &p->rx;
	uint32_t len = 0;
	uint16_t n = 1;

	for (uint16_t i = 0; i < n; i++) {
		struct vq_elem e;

		if (i >= ready)
			return 0;
		e = vq_elem(q, i);
		if (e.id >= RX_SIZE || e.len > RX_BUF ||
		    (!i && e.len < VNET_LEN) || len + e.len > sizeof(me.frame))
			die("the engine gives buffer %u with %u bytes", e.id,
			    e.len);
		memcpy(me.frame + len, p->rx_at + e.id * RX_BUF, e.len);
		len += e.len;
		if (i == 0)
			memcpy(&n, me.frame + VNET_LEN - 2, 2);
		if (n == 0 || n > RX_SIZE)
			die("the engine gives a frame of %u buffers", n);
	}
	for (uint16_t i = 0; i < n; i++)
		vq_offer(q, (uint16_t)vq_elem(q, i).id);
	q->seen = (uint16_t)(q->seen + n);
	return len;
}

static void receive(struct pair *p)
{
	uint32_t len;

	for (unsigned i = 0; i < RX_SIZE; i++) {
		unsigned ready = vq_ready(&p->rx);

		if (!ready || !(len = gather(p, ready)))
			break;
		on_frame(p, len - VNET_LEN);
	}
	vq_kick(&p->rx);
}

/* ---- orders ---- */

static void need_mac(const char *text, uint8_t *mac)
{
	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0],
		   &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		die("%s: no MAC address", text);
}

static void order_send(char *rest)
{
	me.n_peers = 0;
	for (char *word = strtok(rest, " "); word && me.n_peers < PEERS_MAX;
	     word = strtok(NULL, " "))
		need_mac(word, me.peers[me.n_peers++]);
}

static void order_count(void)
{
	printf("{\"sent\": %" PRIu64 ", \"full\": %" PRIu64
	       ", \"came\": %" PRIu64 ", \"own\": %" PRIu64
	       ", \"segments\": %" PRIu64 ", \"echoes\": %" PRIu64
	       ", \"changes\": %" PRIu64 "}\n",
	       me.count.sent, me.count.full, me.count.came, me.count.own,
	       me.count.segments, me.count.echoes, me.count.changes);
}

static void order(char *line)
{
	char *rest = strchr(line, ' ');

	if (rest)
		*rest++ = '\0';
	else
		rest = line + strlen(line);
	if (strcmp(line, "count") == 0) {
		order_count();
		return;
	}
	if (strcmp(line, "plug") == 0) {
		plug(rest);
	} else if (strcmp(line, "send") == 0) {
		order_send(rest);
	} else if (strcmp(line, "roam") == 0) {
		need_mac(rest, me.roam);
		me.roams = true;
	} else if (strcmp(line, "stir") == 0) {
		me.stirs = true;
	} else if (strcmp(line, "calm") == 0) {
		me.stirs = false;
		for (unsigned i = 1; i < vm.n; i++)
			enable(i, true);
	} else if (strcmp(line, "reach") == 0) {
		need_mac(rest, me.ask);
		me.asks = true;
		for (unsigned i = 0; i < vm.n; i++)
			vm.pairs[i].was_answered = false;
		return; /* said when it is so */
	} else {
		die("%s: no such order", line);
	}
	puts("done");
}

/* False: the end of the input. */
static bool read_orders(void)
{
	static char buf[4096];
	static size_t len;
	ssize_t n = read(0, buf + len, sizeof(buf) - 1 - len);
	char *end;

	if (n <= 0)
		return false;
	len += (size_t)n;
	while ((end = memchr(buf, '\n', len))) {
		size_t used = (size_t)(end + 1 - buf);

		*end = '\0';
		order(buf);
		memmove(buf, buf + used, len - used);
		len -= used;
	}
	fflush(stdout);
	return true;
}

/* By each queue that has had no answer, again and again. */
static void ask_on(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vm.n; i++) {
		if (vm.pairs[i].was_answered)
			n++;
		else if (me.turn % ASK_TURNS == 0 && vm.pairs[i].is_on)
			send_own(&vm.pairs[i], me.ask, me.mac, ASK, (uint8_t)i,
				 40);
	}
	if (n == vm.n) {
		me.asks = false;
		puts("done");
		fflush(stdout);
	}
}

static void turn(void)
{
	unsigned most = TURN_FRAMES;
	bool sends;

	for (unsigned i = 0; i < vm.n; i++)
		receive(&vm.pairs[i]);
	if (me.asks)
		ask_on();
	if (me.stirs && any(20) == 0)
		stir();
	sends = me.n_peers &&
		me.turn % (me.stirs ? BUSY_TURNS : CALM_TURNS) == 0;
	if (me.stirs && any(100) == 0)
		most = TX_SIZE;
	for (unsigned i = 0; sends && i < vm.n; i++) {
		for (unsigned k = 0; k < most && vm.pairs[i].is_on;
		     k++) {
			if (!send_any(&vm.pairs[i]))
				break;
		}
	}
	me.turn++;
}

int main(int argc, char **argv)
{
	struct pollfd p[2 + PAIRS_MAX] = {{.fd = 0, .events = POLLIN}};
	bool more = true;

	if (argc != 5)
		die("usage: pairs PAIRS MAC IP SEED");
	vm.n = (unsigned)atoi(argv[1]);
	me.random = (uint32_t)atoi(argv[4]) * 2 + 1;
	need_mac(argv[2], me.mac);
	if (vm.n < 1 || vm.n > PAIRS_MAX ||
	    inet_pton(AF_INET, argv[3], me.ip) != 1)
		die("usage: pairs PAIRS MAC IP SEED");
	while (more) {
		bool is_in = vm.fd >= 0;
		unsigned n = 2;
		int ms = is_in && (me.asks || me.stirs || me.n_peers) ? TURN_MS
								      : -1;

		p[1] = (struct pollfd){.fd = vm.fd, .events = POLLRDHUP};
		for (unsigned i = 0; is_in && i < vm.n; i++) {
			uint64_t calls;

			(void)!read(vm.pairs[i].rx.call, &calls, sizeof(calls));
			p[n++] = (struct pollfd){.fd = vm.pairs[i].rx.call,
						 .events = POLLIN};
			if (vq_want_call(&vm.pairs[i].rx, 0))
				ms = 0;
		}
		if (poll(p, n, ms) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (is_in && p[1].revents)
			die("the engine is gone");
		if (p[0].revents)
			more = read_orders();
		if (is_in)
			turn();
	}
	return 0;
}
