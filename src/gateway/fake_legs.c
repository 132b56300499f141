/* SPDX-License-Identifier: BSD-3-Clause */
/* A gateway on several workers, for tests: see the header. */
#include "gateway/fake_legs.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lan/fake_subnet.h"
#include "wire/csum.h"

#define GW_MAC ((mac){{0x52, 0x55, 10, 0, 2, 2}})

static void on_pause(void *arg)
{
	team_pause(((struct legs_bench *)arg)->w.t);
}

static void on_resume(void *arg)
{
	team_resume(((struct legs_bench *)arg)->w.t);
}

static int on_leg(void *arg, struct port *p, unsigned worker, struct port *leg)
{
	return lanes_leg_set(((struct legs_bench *)arg)->w.net, p, worker, leg);
}

static uint64_t on_mail(void *arg, const struct port *p, unsigned me,
			unsigned to, const struct batch *b, uint64_t mask)
{
	return lanes_send(((struct legs_bench *)arg)->w.net, me, to, p->serial,
			  b, mask);
}

static void on_refuse(void *arg, uint32_t id, int fd,
		      const struct endpoint *client,
		      const struct icmp_refusal *r)
{
	struct legs_bench *b = arg;

	(void)id;
	(void)r;
	assert_true(fd >= 0);
	b->n_refused++;
	b->refused = *client;
}

static void gateway_up(struct legs_bench *b)
{
	struct worker *first = team_worker(b->w.t, 0);
	const struct gateway_config gc = {.name = "net0",
					  .v4 = fake_subnet4(),
					  .dhcp_start4 = addr_v4(10, 0, 2, 15)};
	const struct gateway_env ge = {.host = first->host,
				       .wheel = loop_wheel(first->loop),
				       .now_ns = loop_now(first->loop),
				       .lan = b->w.lan,
				       .drops = first->drops,
				       .log = first->log,
				       .workers = b->workers,
				       .n_workers = LEGS_N - 1,
				       .pause = on_pause,
				       .resume = on_resume,
				       .leg = on_leg,
				       .mail = on_mail,
				       .mail_arg = b,
				       .refuse = on_refuse,
				       .arg = b};

	for (unsigned i = 1; i < LEGS_N; i++) {
		struct worker *w = team_worker(b->w.t, i);

		b->workers[i - 1] =
			(struct gateway_worker){.host = w->host,
						.wheel = loop_wheel(w->loop),
						.now_ns = loop_now(w->loop),
						.lane = lanes_lane(b->w.net, i),
						.drops = w->drops,
						.log = w->log};
	}
	assert_int_equal(gateway_new(&ge, &gc, &b->gw), 0);
}

int legs_setup(void **state)
{
	struct legs_bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	world_init(&b->w, LEGS_N, 0);
	gateway_up(b);
	for (unsigned i = 0; i < LEGS_N; i++) {
		struct fake_port *p = i ? leg_new(&b->w, b->g[0].port, i)
					: port_new(&b->w, "vm0");

		fake_guest_init(&b->g[i], p, fake_mac(1), GW_MAC,
				addr_v4(10, 0, 2, 15));
	}
	fake_guest_arp(&b->g[0], addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g[0]);
	until_copied(&b->w);
	fake_clear(b->g[0].port);
	*state = b;
	return 0;
}

int legs_teardown(void **state)
{
	struct legs_bench *b = *state;

	gateway_free(b->gw);
	for (unsigned i = 0; i < LEGS_N; i++)
		fake_free(b->g[i].port);
	world_deinit(&b->w);
	free(b);
	return 0;
}

/* ---- the host ---- */

struct sockaddr_in legs_loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

uint16_t legs_port_of(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	assert_int_equal(getsockname(fd, (void *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

int legs_host_socket(int type, uint16_t port)
{
	struct sockaddr_in sa = legs_loopback(port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (void *)&sa, sizeof(sa)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1024), 0);
	return fd;
}

/* The world goes on until fd can be read. */
bool legs_is_readable(struct world *w, void *arg)
{
	struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};

	(void)w;
	return poll(&p, 1, 0) == 1;
}

int legs_host_accept(struct legs_bench *b, int listener)
{
	int fd;

	until(&b->w, legs_is_readable, &listener);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

void legs_host_expect(struct legs_bench *b, int fd, const char *text)
{
	char got[64] = {0};
	size_t n = 0;

	while (n < strlen(text)) {
		ssize_t r;

		until(&b->w, legs_is_readable, &fd);
		r = recv(fd, got + n, sizeof(got) - 1 - n, 0);
		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_string_equal(got, text);
}

/* A datagram; from which port of ours. */
uint16_t legs_host_heard(struct legs_bench *b, int fd, const char *text)
{
	char got[4096] = {0};
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	until(&b->w, legs_is_readable, &fd);
	assert_true(recvfrom(fd, got, sizeof(got) - 1, 0, (void *)&sa, &len) >
		    0);
	assert_string_equal(got, text);
	return ntohs(sa.sin_port);
}

/* ---- the guest ---- */

void legs_put_segment(struct fake_guest *g, struct legs_conn *c, uint8_t flags,
		      const char *text)
{
	uint8_t buf[200];
	struct wr w = wr_init(buf, sizeof(buf));
	struct tcp_hdr h = {.sport = c->sport,
			    .dport = c->server.port,
			    .seq = c->snd,
			    .ack = flags & TCP_ACK ? c->rcv : 0,
			    .flags = flags,
			    .win = 65535};
	uint32_t n = (uint32_t)(tcp_hdr_len(&h) + strlen(text));
	uint16_t sum;

	tcp_hdr_emit(&w, &h);
	wr_bytes(&w, text, strlen(text));
	sum = csum_fold(csum_add(
		buf, n, csum_pseudo(&g->ip, &c->server.ip, IPPROTO_TCP, n)));
	buf[16] = (uint8_t)(sum >> 8);
	buf[17] = (uint8_t)sum;
	fake_guest_ip(g, c->server.ip, IPPROTO_TCP, buf, n);
	c->snd += (uint32_t)strlen(text) + !!(flags & TCP_SYN);
}

/* By the guest's queue q. */
void legs_say_tcp(struct legs_bench *b, unsigned q, struct legs_conn *c,
		  uint8_t flags, const char *text)
{
	team_pause(b->w.t);
	legs_put_segment(&b->g[q], c, flags, text);
	fake_guest_kick(&b->g[q]);
	team_resume(b->w.t);
}

void legs_say_udp(struct legs_bench *b, unsigned q, uint16_t sport,
		  const struct endpoint *to, const char *text)
{
	team_pause(b->w.t);
	fake_guest_udp(&b->g[q], sport, to, text, (uint32_t)strlen(text));
	fake_guest_kick(&b->g[q]);
	team_resume(b->w.t);
}

struct expect {
	struct fake_guest *g;
	const struct legs_conn *c;
	uint8_t flags;
	struct tcp_hdr h;
	uint32_t len;
};

static bool has_heard(struct world *w, void *arg)
{
	struct expect *e = arg;
	struct fake_got got;

	(void)w;
	for (unsigned i = 0; i < e->g->port->n_out; i++) {
		struct rd r;

		if (!fake_guest_got(e->g, i, &got) ||
		    got.pkt.proto != IPPROTO_TCP)
			continue;
		r = rd_init(got.l4, got.l4_len);
		assert_true(tcp_hdr_parse(&r, &e->h));
		e->len = got.l4_len - e->h.off;
		if (e->h.dport == e->c->sport &&
		    e->h.sport == e->c->server.port &&
		    (e->h.flags & e->flags) == e->flags)
			return true;
	}
	return false;
}

/* The guest gets a segment by queue q: it is the next. */
struct tcp_hdr legs_hear_tcp(struct legs_bench *b, unsigned q,
			     struct legs_conn *c, uint8_t flags)
{
	struct expect e = {.g = &b->g[q], .c = c, .flags = flags};

	until(&b->w, has_heard, &e);
	if (e.h.flags & TCP_SYN)
		c->rcv = e.h.seq + 1;
	else
		assert_int_equal(e.h.seq, c->rcv);
	c->rcv += e.len;
	team_pause(b->w.t);
	fake_clear(b->g[q].port);
	team_resume(b->w.t);
	return e.h;
}

struct legs_conn legs_conn_to(uint16_t sport, int listener)
{
	return (struct legs_conn){
		.sport = sport,
		.server = fake_ep(10, 0, 2, 2, legs_port_of(listener)),
		.snd = LEGS_ISS};
}

/* Flows of worker i. */
unsigned legs_n_tcp(struct legs_bench *b, unsigned i)
{
	struct gateway_legs *ls = b->gw->legs;
	struct tcp_stats st;

	team_pause(b->w.t);
	tcp_stats(i ? ls->leg[i - 1]->tcp : b->gw->tcp, &st);
	team_resume(b->w.t);
	return st.n_flows;
}

unsigned legs_n_udp(struct legs_bench *b, unsigned i)
{
	unsigned n;

	team_pause(b->w.t);
	n = udp_n_flows(i ? b->gw->legs->leg[i - 1]->udp : b->gw->udp);
	team_resume(b->w.t);
	return n;
}

/* ---- many at once ---- */

/* What is read of a queue on its worker's own thread. */
static void talk_fn(struct loop_work *w)
{
	fake_guest_kick(container_of(w, struct legs_talk, work)->g);
}

void legs_talk_all(struct legs_bench *b, struct legs_talk *t)
{
	for (unsigned i = 0; i < LEGS_N; i++) {
		t[i].g = &b->g[i];
		loop_work_init(&t[i].work, talk_fn);
		loop_defer(loop_of(&b->w, i), &t[i].work);
	}
}

bool legs_has_flows(struct world *w, void *arg)
{
	const struct legs_sum *s = arg;
	struct gateway_stats st;

	(void)w;
	gateway_stats(s->b->gw, &st);
	return st.n_tcp + st.n_udp >= s->want;
}
