/* SPDX-License-Identifier: BSD-3-Clause */
/* The IPv6 network becomes another while guests are on it, and how guests hear
 * of changes. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "gateway/gateway_nd.h"
#include "wire/dhcp6.h"
#include "wire/group.h"
#include "wire/udp.h"

#define SECOND UINT64_C(1000000000)

static const addr guest_ll6 = {{0xfe, 0x80, [15] = 0x15}};

/* 2001:db8:0:n::host */
static addr at(uint8_t n, uint8_t host)
{
	return (addr){{0x20, 1, 0xd, 0xb8, [7] = n, [15] = host}};
}

static struct subnet net(uint8_t n)
{
	return (struct subnet){.net = {.ip = at(n, 0), .len = 64},
			       .gw = at(n, 2),
			       .dns = at(n, 3),
			       .is_on = true};
}

static int setup(void **state)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_config gc = fake_gateway_config6();
	struct fake_gateway *b;

	gc.v6 = net(1);
	gc.follows_host = true;
	(void)fake_gateway_setup_with(state, &gc, &pc); /* 0 */
	b = *state;
	b->g.ip = at(1, 0x15);
	fake_gateway_pass(b, SECOND);
	fake_clear(b->g.port);
	return 0;
}

static void move(struct fake_gateway *b, uint8_t n)
{
	const struct subnet to = net(n);

	assert_int_equal(gateway_move6(b->gw, &to), 0);
}

/* The i-th advertisement that was heard; false: there are fewer. */
static bool heard(struct fake_gateway *b, unsigned i, struct nd_router *ra)
{
	const struct fake_frame *f;
	struct packet pkt;
	struct nd_msg m;

	if (i >= b->g.port->n_out)
		return false;
	f = &b->g.port->out[i];
	assert_int_equal(packet_parse(f->data, f->len, f->len, &pkt),
			 PACKET_OK);
	assert_true(nd_parse(&pkt, f->data + pkt.l4_off, false, &m));
	assert_int_equal(m.type, ND_ADVERTISE_ROUTER);
	*ra = m.router;
	return true;
}

static void ask_router(struct fake_gateway *b)
{
	const struct nd_msg m = {.type = ND_SOLICIT_ROUTER};
	const addr all = {{0xff, 2, [15] = 2}};
	uint8_t buf[200];
	struct wr w = wr_init(buf, sizeof(buf));

	nd_emit_frame(&w, group_mac(&all), b->g.mac, &guest_ll6, &all, &m);
	fake_clear(b->g.port);
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
}

static void assert_prefix(const struct nd_router *ra, uint8_t n)
{
	const addr ip = at(n, 0);

	assert_true(ra->has_prefix && ra->is_on_link && ra->is_autonomous);
	assert_true(addr_eq(&ra->prefix.ip, &ip));
	assert_int_equal(ra->lifetime_s, GATEWAY_RA_LIFETIME_SECONDS);
}

static void test_guests_are_told(void **state)
{
	struct fake_gateway *b = *state;
	const addr new_dns = at(2, 3), old_dns = at(1, 3);
	struct nd_router ra;

	move(b, 2);
	assert_true(heard(b, 0, &ra));
	assert_prefix(&ra, 2);
	assert_int_equal(ra.preferred_s, GATEWAY_RA_PREFERRED_SECONDS);
	assert_true(addr_eq(&ra.dns, &new_dns) && ra.dns_s);
	assert_true(heard(b, 1, &ra));
	assert_prefix(&ra, 1);
	assert_int_equal(ra.preferred_s, 0);
	assert_int_equal(ra.valid_s, GATEWAY_RA_WAS_SECONDS);
	assert_true(addr_eq(&ra.dns, &old_dns));
	assert_int_equal(ra.dns_s, 0);
	assert_false(heard(b, 2, &ra));
	/* who asks, an hour later */
	fake_gateway_pass(b, 3600 * SECOND);
	ask_router(b);
	assert_true(heard(b, 0, &ra));
	assert_prefix(&ra, 2);
	assert_true(heard(b, 1, &ra));
	assert_prefix(&ra, 1);
	assert_in_range(ra.valid_s, 3599, 3600);
	/* and when it is over */
	fake_gateway_pass(b, 3601 * SECOND);
	ask_router(b);
	assert_true(heard(b, 0, &ra));
	assert_prefix(&ra, 2);
	assert_false(heard(b, 1, &ra));
}

/* A question of the guest's to far, and the answer. */
static void speak(struct fake_gateway *b, uint16_t port)
{
	const struct endpoint far = fake_ep6(9, 9);
	const struct fake_sent *s;
	struct fake_got got;
	unsigned n = b->fh->n_sent;

	fake_clear(b->g.port);
	fake_guest_udp(&b->g, port, &far, "question", 8);
	fake_guest_kick(&b->g);
	assert_int_equal(b->fh->n_sent, n + 1);
	s = fake_sent(b->fh, n);
	assert_true(endpoint_eq(&s->to, &far));
	fake_deliver(b->fh, s->sock, &far, "answer", 6);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(endpoint_eq(&got.pkt.src, &far));
	assert_true(addr_eq(&got.pkt.dst.ip, &b->g.ip));
}

static void test_both_addresses_work(void **state)
{
	struct fake_gateway *b = *state;
	struct gateway_stats st;

	speak(b, 5000);
	move(b, 2);
	speak(b, 5000);
	b->g.ip = at(2, 0x15);
	speak(b, 5000);
	gateway_stats(b->gw, &st);
	assert_int_equal(st.n_udp, 2);
}

/* Which of our addresses a guest knows is its own matter. */
static void test_we_are_what_we_were(void **state)
{
	struct fake_gateway *b = *state;
	const addr ours[] = {at(1, 2), at(1, 3), at(2, 2), at(2, 3)};

	move(b, 2);
	for (unsigned i = 0; i < 4; i++) {
		struct fake_got got;

		fake_clear(b->g.port);
		fake_guest_echo(&b->g, ours[i], 1, 1, "abcdefgh", 8);
		fake_guest_kick(&b->g);
		assert_true(fake_guest_got(&b->g, 0, &got));
		assert_true(addr_eq(&got.pkt.src.ip, &ours[i]));
	}
}

static bool is_believed(struct fake_gateway *b, addr ip)
{
	const struct endpoint far = fake_ep6(9, 9);
	unsigned n = b->drops.n[DROP_IP_SOURCE];

	b->g.ip = ip;
	fake_guest_udp(&b->g, 5000, &far, "question", 8);
	fake_guest_kick(&b->g);
	return b->drops.n[DROP_IP_SOURCE] == n;
}

static void test_what_is_past(void **state)
{
	struct fake_gateway *b = *state;

	move(b, 2);
	assert_true(is_believed(b, at(1, 0x15)));
	assert_false(is_believed(b, at(1, 2))); /* still ours */
	assert_false(is_believed(b, at(3, 0x15)));
	fake_gateway_pass(b, (GATEWAY_WAS_SECONDS - 1000) * SECOND);
	assert_true(is_believed(b, at(1, 0x15)));
	fake_gateway_pass(b, (1000 + GATEWAY_RA_MAX_SECONDS) * SECOND);
	assert_false(is_believed(b, at(1, 0x15)));
	assert_true(is_believed(b, at(2, 0x15)));
}

static void test_to_and_fro(void **state)
{
	struct fake_gateway *b = *state;
	struct nd_router ra;

	move(b, 2);
	move(b, 2); /* no news */
	move(b, 1);
	fake_gateway_pass(b, SECOND);
	ask_router(b);
	assert_true(heard(b, 0, &ra));
	assert_prefix(&ra, 1);
	assert_int_equal(ra.preferred_s, GATEWAY_RA_PREFERRED_SECONDS);
	assert_true(heard(b, 1, &ra));
	assert_prefix(&ra, 2);
	assert_int_equal(ra.preferred_s, 0);
	assert_false(heard(b, 2, &ra));
	/* of many the last ones are known */
	for (uint8_t i = 3; i < 9; i++)
		move(b, i);
	assert_true(is_believed(b, at(8, 0x15)));
	for (uint8_t i = 1; i < 8; i++)
		assert_int_equal(is_believed(b, at(i, 0x15)), i >= 4);
	fake_gateway_pass(b, SECOND);
}

static void test_what_cannot_move(void **state)
{
	struct fake_gateway *b = *state;
	struct subnet to = net(2);

	to.net.len = 56;
	assert_int_equal(gateway_move6(b->gw, &to), -EINVAL);
	to.net.len = 64;
	to.is_on = false;
	assert_int_equal(gateway_move6(b->gw, &to), -EINVAL);
	assert_int_equal(b->g.port->n_out, 0);
}

/* The guest asks for an address, or once more for the one that it has; what it
 * gets, and what it is to forget. */
static void lease(struct fake_gateway *b, const addr *has, addr *gotp,
		  addr *stalep)
{
	const addr servers = {{0xff, 0x02, [13] = 1, 0, 2}};
	const struct endpoint ep = {.ip = servers, .port = DHCP6_PORT_SERVER};
	const mac group = {{0x33, 0x33, 0, 1, 0, 2}};
	const struct dhcp6_addr own = {.ip = has ? *has : servers};
	const addr was = b->g.ip;
	struct dhcp6_addr a;
	struct dhcp6_msg m;
	struct fake_got got;
	uint8_t buf[200];
	struct wr w = wr_init(buf, sizeof(buf));
	struct rd r;
	size_t ia;

	*gotp = *stalep = (addr){{0}};
	dhcp6_emit_hdr(&w, has ? DHCP6_REBIND : DHCP6_SOLICIT, 1);
	dhcp6_emit_duid_ll(&w, DHCP6_O_CLIENT_ID, b->g.mac);
	if (!has)
		dhcp6_emit_opt(&w, DHCP6_O_RAPID_COMMIT, "", 0);
	ia = dhcp6_ia_begin(&w, DHCP6_O_IA_NA, 1, 0, 0);
	if (has)
		dhcp6_emit_addr(&w, &own);
	dhcp6_opt_end(&w, ia);
	b->g.ip = guest_ll6;
	b->g.gw_mac = group;
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, DHCP6_PORT_CLIENT, &ep, buf,
		       (uint32_t)wr_len(&w));
	fake_guest_kick(&b->g);
	assert_true(fake_guest_got(&b->g, 0, &got));
	b->g.ip = was;
	b->g.gw_mac = FAKE_GW_MAC;
	r = rd_init(got.l4 + UDP_HDR_LEN, got.l4_len - UDP_HDR_LEN);
	assert_true(dhcp6_parse(&r, &m));
	assert_int_equal(m.n_ia, 1);
	while (dhcp6_next_addr(&m.ia[0].opts, &a)) {
		*(a.valid ? gotp : stalep) = a.ip;
		assert_int_equal(a.valid, a.preferred);
	}
}

static void test_leases_move_along(void **state)
{
	struct fake_gateway *b = *state;
	addr first, second, stale;
	const struct subnet one = net(1), two = net(2);

	lease(b, NULL, &first, &stale);
	assert_true(prefix_has(&one.net, &first));
	move(b, 2);
	lease(b, &first, &second, &stale);
	assert_true(addr_eq(&stale, &first));
	assert_true(prefix_has(&two.net, &second));
	assert_memory_equal(second.b + 8, first.b + 8, 8);
}

/* The word of a change may be lost: it is said again soon. */
static void test_changes_are_told_again(void **state)
{
	struct fake_gateway *b = *state;
	struct nd_router ra;

	fake_gateway_pass(b, 2000 * SECOND);
	fake_gateway_pass(b, SECOND);
	fake_clear(b->g.port);
	gateway_ways(b->gw, true, false);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(heard(b, 0, &ra));
		assert_int_equal(ra.lifetime_s, 0);
		fake_clear(b->g.port);
		fake_gateway_pass(b, 17 * SECOND);
	}
	assert_int_equal(b->g.port->n_out, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_guests_are_told),
		T(test_both_addresses_work),
		T(test_we_are_what_we_were),
		T(test_what_is_past),
		T(test_to_and_fro),
		T(test_what_cannot_move),
		T(test_leases_move_along),
		T(test_changes_are_told_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
