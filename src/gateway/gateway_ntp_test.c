/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a guest is told the time, and where not; and that it hears of it. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "service/ntp.h"
#include "wire/dhcp.h"
#include "wire/dhcp6.h"
#include "wire/ntp.h"
#include "wire/udp.h"

static const addr gw4 = {{[10] = 0xff, 0xff, 10, 0, 2, 2}};
static const addr dns4 = {{[10] = 0xff, 0xff, 10, 0, 2, 3}};
static const addr ll_gw = {{0xfe, 0x80, [15] = 2}};
static const addr ll_guest = {{0xfe, 0x80, [15] = 0x99}};

static struct fake_gateway *start(void **state, bool is_restricted,
				  bool has_ntp)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_config gc = fake_gateway_config6();

	gc.is_restricted = is_restricted;
	gc.serving.has_ntp = has_ntp;
	fake_gateway_setup_with(state, &gc, &pc);
	return *state;
}

/* Who gets the time from dst at this port. */
static bool is_told(struct fake_gateway *b, const struct fake_guest *g,
		    addr dst, uint16_t port)
{
	const struct endpoint ep = {.ip = dst, .port = port};
	const uint8_t question[NTP_LEN] = {0x23};
	struct fake_guest from = *g;
	struct fake_got got;
	struct ntp_msg m;
	struct rd r;

	if (!addr_is_v4(&dst) && addr_is_v4(&g->ip))
		from.ip = addr_is_link_local6(&dst) ? ll_guest
						    : fake_inside6(0x15);
	fake_clear(from.port);
	fake_guest_udp(&from, 123, &ep, question, sizeof(question));
	fake_guest_kick(&from);
	fake_host_run(b->fh);
	if (!fake_guest_got(&from, 0, &got) || got.pkt.proto != IPPROTO_UDP ||
	    got.pkt.src.port != NTP_PORT)
		return false;
	assert_true(addr_eq(&got.pkt.src.ip, &dst));
	r = rd_init(got.l4 + UDP_HDR_LEN, got.l4_len - UDP_HDR_LEN);
	assert_true(ntp_parse(&r, &m));
	assert_true(m.transmit == ntp_time(FAKE_REALTIME_NS));
	return true;
}

static void test_where(void **state)
{
	for (unsigned restricted = 0; restricted < 2; restricted++) {
		struct fake_gateway *b = start(state, restricted, true);

		assert_true(is_told(b, &b->g, gw4, NTP_PORT));
		assert_true(is_told(b, &b->g, fake_inside6(2), NTP_PORT));
		assert_true(is_told(b, &b->g, ll_gw, NTP_PORT));
		assert_int_equal(b->fh->n_sent, 0);
		/* Others are others. */
		assert_false(is_told(b, &b->g, gw4, 124));
		assert_false(is_told(b, &b->g, dns4, NTP_PORT));
		assert_false(is_told(b, &b->g, addr_v4(192, 0, 2, 1),
				     NTP_PORT));
		assert_int_equal(b->drops.n[DROP_NTP_BAD], 0);
		fake_gateway_teardown(state);
	}
	*state = NULL;
}

/* Not turned on, it is a port of the host's, as any. */
static void test_is_off(void **state)
{
	struct fake_gateway *b = start(state, false, false);

	assert_false(is_told(b, &b->g, gw4, NTP_PORT));
	assert_int_equal(b->fh->n_sent, 1);
	assert_int_equal(fake_sent(b->fh, 0)->to.port, NTP_PORT);
	fake_gateway_teardown(state);
	b = start(state, true, false);
	assert_false(is_told(b, &b->g, gw4, NTP_PORT));
	assert_int_equal(b->fh->n_sent, 0);
	assert_int_equal(b->drops.n[DROP_RESTRICTED], 1);
}

/* What one guest asks too often costs the other one nothing. */
static void test_each_has_his_own(void **state)
{
	const struct fake_config pc = {.name = "vm1", .offload = PORT_O_CSUM};
	struct fake_gateway *b = start(state, false, true);
	struct fake_guest other = b->g;

	other.port = fake_new(b->lan, &pc);
	other.mac = fake_mac(2);
	other.ip = addr_v4(10, 0, 2, 16);
	for (unsigned i = 0; i < NTP_RATE; i++)
		assert_true(is_told(b, &b->g, gw4, NTP_PORT));
	/* Nor has he more by another MAC. */
	b->g.mac = fake_mac(77);
	assert_false(is_told(b, &b->g, gw4, NTP_PORT));
	assert_int_equal(b->drops.n[DROP_NTP_RATE], 1);
	assert_true(is_told(b, &other, gw4, NTP_PORT));
	fake_free(other.port);
}

/* A DHCP message to dst; what the guest hears has these bytes in it. */
static bool hears(struct fake_gateway *b, addr dst, const struct wr *w,
		  const void *bytes, size_t len)
{
	const bool is_v4 = addr_is_v4(&dst);
	const struct endpoint ep = {.ip = dst, .port = is_v4 ? 67 : 547};
	struct fake_guest from = b->g;
	struct fake_got got;

	assert_true(wr_ok(w));
	if (!is_v4)
		from.ip = ll_guest;
	fake_clear(from.port);
	fake_guest_udp(&from, is_v4 ? 68 : 546, &ep, w->start,
		       (uint32_t)wr_len(w));
	fake_guest_kick(&from);
	return fake_guest_got(&from, 0, &got) &&
	       memmem(got.l4, got.l4_len, bytes, len);
}

static void test_dhcp_says_so(void **state)
{
	static const uint8_t list[] = {DHCP_O_NTP};
	static const uint8_t here4[] = {42, 4, 10, 0, 2, 2};
	static const uint8_t oro[] = {0, 56, 0, 31};
	static const uint8_t here6[] = {0, 56, 0, 20, 0, 1, 0, 16, 0xfe, 0xc0,
					0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
					2};
	static const uint8_t sntp6[] = {0, 31, 0, 16, 0xfe, 0xc0, 0, 0, 0, 0, 0,
					0, 0, 0, 0, 0, 0, 0, 0, 2};

	for (unsigned has_ntp = 0; has_ntp < 2; has_ntp++) {
		struct fake_gateway *b = start(state, false, has_ntp);
		struct dhcp_hdr h = {.op = DHCP_REQUEST_OP,
				     .htype = DHCP_HTYPE_ETHERNET,
				     .hlen = 6};
		uint8_t buf[DHCP_MIN_LEN];
		struct wr w = wr_init(buf, sizeof(buf));

		memcpy(h.chaddr, b->g.mac.b, sizeof(b->g.mac.b));
		dhcp_emit_hdr(&w, &h);
		dhcp_emit_u8(&w, DHCP_O_TYPE, DHCP_DISCOVER);
		dhcp_emit_opt(&w, DHCP_O_PARAMS, list, sizeof(list));
		dhcp_emit_end(&w, 0);
		assert_int_equal(hears(b, gw4, &w, here4, sizeof(here4)),
				 has_ntp);
		w = wr_init(buf, sizeof(buf));
		dhcp6_emit_hdr(&w, DHCP6_INFORMATION_REQUEST, 1);
		dhcp6_emit_duid_ll(&w, DHCP6_O_CLIENT_ID, b->g.mac);
		dhcp6_emit_opt(&w, DHCP6_O_ORO, oro, sizeof(oro));
		assert_int_equal(hears(b, fake_inside6(2), &w, here6,
				       sizeof(here6)),
				 has_ntp);
		assert_int_equal(hears(b, fake_inside6(2), &w, sntp6,
				       sizeof(sntp6)),
				 has_ntp);
		fake_gateway_teardown(state);
	}
	*state = NULL;
}

#define T(f) cmocka_unit_test_teardown(f, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where),
		T(test_is_off),
		cmocka_unit_test(test_dhcp_says_so),
		T(test_each_has_his_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
