/* SPDX-License-Identifier: BSD-3-Clause */
/* Common parts of the tests of this room, see rig.h. */
#include "netdev/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

/* ---- loop and lan ---- */

static void rig_fault(void *arg, struct port *p, enum port_fault why,
		      const char *text)
{
	struct rig *r = arg;

	(void)p;
	assert_int_not_equal(why, FAULT_NONE);
	assert_true(strlen(text) > 0);
	r->n_faults++;
}

struct lan *rig_lan(struct rig *r, const char *name)
{
	struct lan *lan = NULL;
	const struct lan_config c = {
		.name = name,
		.wheel = r->has_clock ? &r->wheel : loop_wheel(r->loop),
		.now_ns = r->has_clock ? &r->now_ns : loop_now(r->loop),
		.drops = &r->drops,
		.events = {.fault = rig_fault, .arg = r},
	};

	assert_int_equal(lan_new(&c, &lan), 0);
	return lan;
}

static void init(struct rig *r)
{
	assert_int_equal(loop_new(&r->loop), 0);
	r->lan = rig_lan(r, "test");
	r->env = (struct netdev_env){
		.loop = r->loop, .lan = r->lan, .drops = &r->drops};
}

void rig_init(struct rig *r)
{
	*r = (struct rig){0};
	init(r);
}

void rig_init_clock(struct rig *r)
{
	*r = (struct rig){.has_clock = true, .now_ns = 1000000000};
	timer_wheel_init(&r->wheel, r->now_ns);
	init(r);
}

void rig_advance(struct rig *r, uint64_t ns)
{
	r->now_ns += ns;
	timer_wheel_run(&r->wheel, r->now_ns);
}

void rig_deinit(struct rig *r)
{
	lan_free(r->lan);
	loop_free(r->loop);
	*r = (struct rig){0};
}

void rig_turn(struct rig *r, int ms)
{
	assert_true(loop_turn(r->loop, ms) >= 0);
	if (r->has_clock)
		timer_wheel_run(&r->wheel, r->now_ns);
}

void rig_remove(struct port *p)
{
	if (!p)
		return;
	lan_port_del(p);
	p->ops->close(p);
}

/* ---- sockets ---- */

void set_nonblock(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

void tcp_pair(int fd[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	assert_int_equal(bind(l, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[1], (struct sockaddr *)&a, len), 0);
	fd[0] = accept(l, NULL, NULL);
	assert_true(fd[0] >= 0);
	assert_int_equal(setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &on,
				    sizeof(on)),
			 0);
	close(l);
}

/* ---- the other end of a stream ---- */

enum { PEER_ROOM = 4 * (FRAME_MAX + 4) };

void stream_peer_init(struct stream_peer *s, int fd)
{
	*s = (struct stream_peer){.fd = fd,
				  .tx = malloc(FRAME_MAX + 4),
				  .rx = malloc(PEER_ROOM)};
	assert_non_null(s->tx);
	assert_non_null(s->rx);
	set_nonblock(fd);
}

void stream_peer_deinit(struct stream_peer *s)
{
	fd_close(&s->fd);
	free(s->tx);
	free(s->rx);
	*s = (struct stream_peer){.fd = -1};
}

static bool peer_flush(struct stream_peer *s)
{
	while (s->tx_len) {
		ssize_t n = send(s->fd, s->tx + s->tx_off, s->tx_len,
				 MSG_NOSIGNAL);

		if (n < 0)
			return false;
		s->tx_off += (size_t)n;
		s->tx_len -= (size_t)n;
	}
	return true;
}

bool stream_peer_send(struct stream_peer *s, const void *p, uint32_t len)
{
	uint32_t be = htonl(len);

	if (!peer_flush(s))
		return false;
	memcpy(s->tx, &be, 4);
	memcpy(s->tx + 4, p, len);
	s->tx_off = 0;
	s->tx_len = len + 4;
	(void)peer_flush(s); /* the next call goes on */
	if (s->tx_off == 0) {
		s->tx_len = 0;
		return false;
	}
	return true;
}

static uint32_t peer_take(struct stream_peer *s, void *p, uint32_t room)
{
	uint32_t len;

	if (s->rx_len < 4)
		return 0;
	memcpy(&len, s->rx + s->rx_off, 4);
	len = ntohl(len);
	assert_true(len > 0 && len <= room);
	if (s->rx_len < 4 + (size_t)len)
		return 0;
	memcpy(p, s->rx + s->rx_off + 4, len);
	s->rx_off += 4 + (size_t)len;
	s->rx_len -= 4 + (size_t)len;
	return len;
}

uint32_t stream_peer_recv(struct stream_peer *s, void *p, uint32_t room)
{
	uint32_t len;
	ssize_t n;

	(void)peer_flush(s); /* what cannot go now goes later */
	len = peer_take(s, p, room);
	if (len)
		return len;
	memmove(s->rx, s->rx + s->rx_off, s->rx_len);
	s->rx_off = 0;
	n = recv(s->fd, s->rx + s->rx_len, PEER_ROOM - s->rx_len,
		 MSG_DONTWAIT);
	if (n <= 0)
		return 0;
	s->rx_len += (size_t)n;
	return peer_take(s, p, room);
}

/* ---- a port in memory ---- */

static struct mem_port *mem_of(struct port *p)
{
	return container_of(p, struct mem_port, port);
}

static unsigned mem_recv(struct port *p, struct batch *b)
{
	struct mem_port *m = mem_of(p);

	assert_false(m->is_lent);
	b->n = m->n_in;
	for (unsigned i = 0; i < m->n_in; i++)
		b->f[i] = frame_flat(m->in + i * FRAME_MAX, m->in_len[i]);
	m->is_lent = m->n_in > 0;
	return b->n;
}

static void mem_done(struct port *p, struct batch *b)
{
	struct mem_port *m = mem_of(p);

	assert_true(m->is_lent);
	assert_int_equal(b->n, m->n_in);
	m->is_lent = false;
	m->n_in = 0;
}

static bool mem_store(struct mem_port *m, const struct frame *f)
{
	unsigned at = (m->first + m->n) % m->n_max;

	if (m->n == m->n_max)
		return false;
	if (m->look)
		m->look(m->look_arg, f);
	m->frames[at] = malloc(f->len);
	assert_non_null(m->frames[at]);
	assert_true(frame_copy(f, 0, f->len, m->frames[at]));
	m->len[at] = f->len;
	m->n++;
	return true;
}

static uint64_t mem_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct mem_port *m = mem_of(p);
	uint64_t done = 0;

	for (uint64_t left = mask; left; left &= left - 1) {
		const struct frame *f = &b->f[__builtin_ctzll(left)];

		if (f->len > FRAME_MAX)
			drop(m->drops, DROP_FRAME_LONG);
		else if (!mem_store(m, f))
			break;
		done |= left & -left;
	}
	return done;
}

static void mem_room(struct loop_work *w)
{
	struct mem_port *m = container_of(w, struct mem_port, room);

	if (!m->is_wanted || m->n == m->n_max)
		return;
	m->is_wanted = false;
	lan_port_room(&m->port);
}

static void mem_want_room(struct port *p)
{
	struct mem_port *m = mem_of(p);

	m->is_wanted = true;
	loop_defer(m->loop, &m->room);
}

static void mem_told(struct port *p, struct port *other)
{
	(void)other;
	mem_of(p)->n_told++;
}

static void mem_readable(struct loop_work *w)
{
	struct mem_port *m = container_of(w, struct mem_port, readable);

	if (lan_port_readable(&m->port))
		loop_defer(m->loop, &m->readable);
}

static void mem_link(struct port *p, bool up)
{
	struct mem_port *m = mem_of(p);

	if (up)
		loop_defer(m->loop, &m->readable);
}

static void mem_close(struct port *p)
{
	struct mem_port *m = mem_of(p);

	loop_undefer(m->loop, &m->room);
	loop_undefer(m->loop, &m->readable);
	for (; m->n; m->n--, m->first = (m->first + 1) % m->n_max)
		free(m->frames[m->first]);
	free(m->frames);
	free(m->len);
	free(m->in);
	free(m);
}

static const struct port_ops mem_ops = {
	.kind = "mem",
	.recv = mem_recv,
	.done = mem_done,
	.send = mem_send,
	.want_room = mem_want_room,
	.room = mem_told,
	.link = mem_link,
	.close = mem_close,
};

struct mem_port *mem_port_new(struct rig *r, struct lan *lan,
			      const char *name, unsigned n_max)
{
	struct mem_port *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	*m = (struct mem_port){
		.port = {.ops = &mem_ops,
			 .caps = {.max_frame = FRAME_MAX, .queues = 1}},
		.n_max = n_max,
		.frames = calloc(n_max, sizeof(*m->frames)),
		.len = calloc(n_max, sizeof(*m->len)),
		.loop = r->loop,
		.drops = &r->drops,
		.in = malloc(FRAME_BATCH * FRAME_MAX),
	};
	assert_true(m->frames && m->len && m->in);
	snprintf(m->port.name, sizeof(m->port.name), "%s", name);
	loop_work_init(&m->room, mem_room);
	loop_work_init(&m->readable, mem_readable);
	lan_port_add(lan, &m->port);
	lan_port_link(&m->port, true);
	return m;
}

bool mem_port_push(struct mem_port *m, const void *p, uint32_t len)
{
	if (m->n_in == FRAME_BATCH || m->is_lent)
		return false;
	memcpy(m->in + m->n_in * FRAME_MAX, p, len);
	m->in_len[m->n_in++] = len;
	loop_defer(m->loop, &m->readable);
	return true;
}

uint32_t mem_port_pop(struct mem_port *m, void *p, uint32_t room)
{
	uint32_t len;

	if (m->n == 0)
		return 0;
	len = m->len[m->first];
	assert_true(len <= room);
	memcpy(p, m->frames[m->first], len);
	free(m->frames[m->first]);
	m->first = (m->first + 1) % m->n_max;
	m->n--;
	if (m->is_wanted)
		loop_defer(m->loop, &m->room);
	return len;
}
