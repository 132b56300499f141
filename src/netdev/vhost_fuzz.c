/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: hostile front ends and hostile drivers, two of each on one lan,
 * with two queue pairs each.
 * The input is a list of steps of either: a message of any bytes, with or
 * without the guest's memory beside it; any bytes written somewhere into that
 * memory (descriptors, indices, frames); a kick; frames for the guest; sound
 * frames for the other guest, which wait while that one has no buffers; time.
 * A sound handshake comes first, so that rings run.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/list.h"
#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/vhost_session.h"
#include "os/fdpass.h"
#include "os/sigbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	RING = 16,
	MEM = 256 * 1024,
	DESC_AT = 0,	/* of a ring, in its PAGE */
	AVAIL_AT = 1024,
	USED_AT = 2048,
	PAGE = 4096,
	UVA = 0x10000000,
	STEPS = 256,
};

enum {
	GUESTS = 2,
	PAIRS = 2,
	RINGS = PAIRS * VHOST_RINGS,
	/* The rings of pair 0 are first, those of pair 1 last. */
	PAIR_LEN = VHOST_RINGS * PAGE,
	PAIR_1_AT = MEM - PAIR_LEN,
	FRAMES_AT = PAIR_LEN,
};

static uint32_t ring_at(uint32_t i)
{
	return (i < VHOST_RINGS ? 0 : PAIR_1_AT) + i % VHOST_RINGS * PAGE;
}

struct guest {
	struct port *port;
	int fd;
	int memfd;
	int kick[RINGS], call;
	uint8_t *mem;
	mac mac;
};

struct fuzz {
	struct loop *loop;
	struct lan *lan;
	struct timer_wheel wheel; /* the lan's time */
	uint64_t now_ns;
	struct drops drops;
	struct netdev_env env;
	struct guest guest[GUESTS];
	struct port gw; /* sends to the guests */
	uint8_t frame[8192];
};

static unsigned no_recv(struct port *p, struct batch *b)
{
	return 0;
}

static void no_done(struct port *p, struct batch *b)
{
}

/* Reads every byte it is given. */
static uint64_t read_all(struct port *p, const struct batch *b, uint64_t mask)
{
	uint64_t sum = 0;

	for (uint64_t m = mask; m; m &= m - 1)
		sum = frame_sum(&b->f[__builtin_ctzll(m)], 0, sum);
	__asm__ volatile("" : : "r"(sum)); /* is not optimised away */
	return mask;
}

static void no_room(struct port *p, struct port *other)
{
}

static void no_close(struct port *p)
{
}

static const struct port_ops gw_ops = {
	.kind = "fuzz",
	.recv = no_recv,
	.done = no_done,
	.send = read_all,
	.room = no_room,
	.close = no_close,
};

static void turn(struct fuzz *z)
{
	if (loop_turn(z->loop, 0) < 0)
		abort();
	timer_wheel_run(&z->wheel, z->now_ns);
}

static void say(struct fuzz *z, struct guest *g, uint32_t request,
		const void *p, uint32_t size, int fd)
{
	uint8_t buf[VHOST_HDR_LEN + 64];
	struct vhost_hdr h = {request, VHOST_VERSION, size};

	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), p, size);
	(void)!fd_send(g->fd, buf, sizeof(h) + size, &fd, fd >= 0);
	turn(z);
}

static void start_ring(struct fuzz *z, struct guest *g, uint32_t i)
{
	uint64_t base = UVA + ring_at(i), index = i;
	struct vhost_vring_state num = {i, RING}, on = {i, 1};
	struct vhost_vring_addr a = {.index = i,
				     .desc = base + DESC_AT,
				     .avail = base + AVAIL_AT,
				     .used = base + USED_AT};

	say(z, g, VHOST_SET_VRING_NUM, &num, sizeof(num), -1);
	say(z, g, VHOST_SET_VRING_ADDR, &a, sizeof(a), -1);
	say(z, g, VHOST_SET_VRING_CALL, &index, 8, g->call);
	say(z, g, VHOST_SET_VRING_KICK, &index, 8, g->kick[i]);
	say(z, g, VHOST_SET_VRING_ENABLE, &on, sizeof(on), -1);
}

static void handshake(struct fuzz *z, struct guest *g, uint8_t features)
{
	struct vhost_one_region one = {.region = {.size = MEM, .uva = UVA}};
	uint64_t f = (VHOST_FEATURES | VHOST_FEATURES_MQ) &
		     ~VHOST_BIT(VHOST_LOG_ALL);
	struct batch b = {.n = 1};

	if (features & 1)
		f &= ~VHOST_BIT(VIRTIO_NET_MRG_RXBUF);
	if (features & 2)
		f &= ~VHOST_BIT(VIRTIO_EVENT_IDX);
	if (features & 4)
		f &= ~VHOST_BIT(VIRTIO_VERSION_1);
	say(z, g, VHOST_SET_FEATURES, &f, 8, -1);
	say(z, g, VHOST_ADD_MEM_REG, &one, sizeof(one), g->memfd);
	for (uint32_t i = 0; i < RINGS; i++)
		start_ring(z, g, i);
	/* The lan knows where it is. */
	memset(z->frame, 0xff, 6);
	memcpy(z->frame + 6, g->mac.b, 6);
	b.f[0] = frame_flat(z->frame, 60);
	(void)lan_input(g->port, &b, false);
}

static void guest_begin(struct fuzz *z, struct guest *g)
{
	struct netdev_stream_config c = {.name = "vm", .queues = PAIRS};
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		abort();
	g->fd = fd[1];
	c.fd = fd[0];
	if (netdev_vhost_new(&z->env, &c, &g->port) < 0)
		abort();
	g->mac = (mac){{0x52, 0x54, 0, 1, 2, (uint8_t)(3 + (g - z->guest))}};
	g->memfd = memfd_create("guest", MFD_CLOEXEC);
	if (g->memfd < 0 || ftruncate(g->memfd, MEM) < 0)
		abort();
	g->mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED, g->memfd,
		      0);
	if (g->mem == MAP_FAILED)
		abort();
	for (unsigned i = 0; i < RINGS; i++)
		g->kick[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	g->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void begin(struct fuzz *z)
{
	struct lan_config lc = {.name = "lan"};

	if (loop_new(&z->loop) < 0)
		abort();
	z->now_ns = 1000000000;
	timer_wheel_init(&z->wheel, z->now_ns);
	lc.now_ns = &z->now_ns;
	lc.wheel = &z->wheel;
	lc.drops = &z->drops;
	if (lan_new(&lc, &z->lan) < 0)
		abort();
	z->env = (struct netdev_env){
		.loop = z->loop, .lan = z->lan, .drops = &z->drops};
	z->gw = (struct port){.ops = &gw_ops,
			      .caps = {.offload = PORT_O_ALL,
				       .max_frame = FRAME_MAX,
				       .queues = 1}};
	lan_port_add(z->lan, &z->gw);
	lan_port_link(&z->gw, true);
	for (unsigned i = 0; i < GUESTS; i++)
		guest_begin(z, &z->guest[i]);
}

static void guest_end(struct fuzz *z, struct guest *g)
{
	fd_close(&g->fd);
	turn(z);
	turn(z);
	lan_port_del(g->port);
	g->port->ops->close(g->port);
	for (unsigned i = 0; i < RINGS; i++)
		fd_close(&g->kick[i]);
	fd_close(&g->call);
	munmap(g->mem, MEM);
	fd_close(&g->memfd);
}

static void end(struct fuzz *z)
{
	for (unsigned i = 0; i < GUESTS; i++)
		guest_end(z, &z->guest[i]);
	lan_port_del(&z->gw);
	lan_free(z->lan);
	loop_free(z->loop);
}

static void send_message(struct guest *g, struct rd *r)
{
	uint8_t head = rd_u8(r), len = rd_u8(r);
	const uint8_t *p;
	int fd = head & 1 ? g->memfd : g->call;

	if (len > rd_left(r))
		len = (uint8_t)rd_left(r);
	p = rd_bytes(r, len);
	if (!len || !p)
		return;
	(void)!fd_send(g->fd, p, len, &fd, head & 2 ? 1 : 0);
}

static void write_memory(struct guest *g, unsigned pair, struct rd *r)
{
	uint32_t at = rd_u16(r);
	uint8_t len = rd_u8(r);
	const uint8_t *p;

	if (len > rd_left(r))
		len = (uint8_t)rd_left(r);
	p = rd_bytes(r, len);
	if (!len || !p)
		return;
	/* Most of it where the rings are. */
	if (pair)
		at = PAIR_1_AT + at % (PAIR_LEN - 256);
	else
		at %= at & 1 ? MEM - 256 : PAIR_LEN;
	memcpy(g->mem + at, p, len);
}

/* UDP over IPv4 behind the MACs, of some flow. */
static void put_flow(uint8_t *p, uint8_t flow)
{
	static const uint8_t head[] = {8, 0, 0x45, 0, 0, 40, 0, 0,
				       0, 0, 64,   17};

	memcpy(p + 12, head, sizeof(head));
	p[34] = flow;
}

static void to_guest(struct fuzz *z, struct guest *g, unsigned pair,
		     struct rd *r)
{
	const mac to = g->mac;
	uint32_t len = 14 + rd_u16(r) % (sizeof(z->frame) - 14);
	uint8_t flow = pair ? rd_u8(r) : 0;
	struct batch b = {.n = 1};
	struct lend l = {.n = 2, .flow = flow};

	memset(z->frame + 12, 0, 30);
	if (flow)
		put_flow(z->frame, flow);
	if (rd_left(r) & 1)
		memcpy(z->frame, to.b, 6);
	b.f[0] = frame_flat(z->frame, len);
	(void)lan_input(&z->gw, &b, rd_u8(r) & 1);
	l.f[0].want = len;
	l.f[1].want = 100;
	if (lan_lend(&z->gw, to, &l) == 0)
		return;
	l.n_used = rd_u8(r) % (l.n + 1);
	for (unsigned i = 0; i < l.n_used; i++)
		l.f[i].len = 14 + rd_u8(r) % (l.f[i].want - 13);
	(void)lan_give(&z->gw, to, &l);
}

static void store16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/* One descriptor each, in the lower half of the ring; the frames lie behind
 * the rings. */
static void to_other(struct guest *g, unsigned pair, const struct guest *other,
		     struct rd *r)
{
	uint8_t *ring = g->mem + ring_at(pair * VHOST_RINGS + VHOST_TX);
	uint8_t *p = g->mem + FRAMES_AT;
	unsigned n = rd_u8(r) % RING + 1, idx;
	uint32_t len = 60 + rd_u8(r) * 64u;
	uint64_t at = FRAMES_AT;

	memset(p, 0, 12);
	memcpy(p + 12, other->mac.b, 6);
	memcpy(p + 18, g->mac.b, 6);
	put_flow(p + 12, (uint8_t)n);
	idx = ring[AVAIL_AT + 2] | (unsigned)ring[AVAIL_AT + 3] << 8;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *desc = ring + DESC_AT + i * 16;

		memset(desc, 0, 16);
		memcpy(desc, &at, 8);
		memcpy(desc + 8, &len, 4);
		store16(ring + AVAIL_AT + 4 + (idx + i) % RING * 2, i);
	}
	store16(ring + AVAIL_AT + 2, idx + n);
}

static void step(struct fuzz *z, struct rd *r)
{
	static const uint64_t one = 1;
	uint8_t op = rd_u8(r);
	unsigned who = op / 8 % GUESTS, pair = op / (8 * GUESTS) % PAIRS;
	struct guest *g = &z->guest[who];
	const int *kick = &g->kick[pair * VHOST_RINGS];

	switch (op % 8) {
	case 0:
		send_message(g, r);
		break;
	case 1:
	case 2:
		write_memory(g, pair, r);
		break;
	case 3:
		(void)!write(kick[VHOST_TX], &one, sizeof(one));
		break;
	case 4:
		(void)!write(kick[VHOST_RX], &one, sizeof(one));
		break;
	case 5:
		to_guest(z, g, pair, r);
		break;
	case 6:
		to_other(g, pair, &z->guest[!who], r);
		(void)!write(kick[VHOST_TX], &one, sizeof(one));
		break;
	case 7:
		z->now_ns += rd_u8(r) * UINT64_C(2000000);
		break;
	}
	turn(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *z = calloc(1, sizeof(*z));
	struct rd r = rd_init(data, size);
	uint8_t features;

	/* Regions and logs may be longer than their file. */
	if (!z || sigbus_guard() < 0)
		abort();
	begin(z);
	features = rd_u8(&r);
	for (unsigned i = 0; i < GUESTS; i++)
		handshake(z, &z->guest[i], features);
	for (unsigned i = 0; i < STEPS && rd_left(&r); i++)
		step(z, &r);
	end(z);
	free(z);
	return 0;
}
