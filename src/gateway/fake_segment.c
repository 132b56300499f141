/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP by hand; see the header. */
#include "gateway/fake_segment.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/csum.h"

struct tcp_hdr fake_syn(uint16_t dport)
{
	return (struct tcp_hdr){.sport = 5000,
				.dport = dport,
				.seq = 100,
				.flags = TCP_SYN,
				.has_mss = true,
				.mss = 1460};
}

void fake_tell(struct fake_gateway *b, addr dst, struct tcp_hdr h,
	       const void *data, size_t len)
{
	uint8_t buf[200];
	struct wr w = wr_init(buf, sizeof(buf));
	uint32_t n = (uint32_t)(tcp_hdr_len(&h) + len);
	uint16_t sum;

	h.win = 65535;
	tcp_hdr_emit(&w, &h);
	wr_bytes(&w, data, len);
	sum = csum_fold(csum_add(buf, n,
				 csum_pseudo(&b->g.ip, &dst, IPPROTO_TCP, n)));
	buf[16] = (uint8_t)(sum >> 8);
	buf[17] = (uint8_t)sum;
	fake_clear(b->g.port);
	fake_guest_ip(&b->g, dst, IPPROTO_TCP, buf, n);
	fake_guest_kick(&b->g);
	fake_gateway_pass(b, 1000000);
}

struct tcp_hdr fake_heard(struct fake_gateway *b, struct fake_got *gp)
{
	struct tcp_hdr h = {0};
	struct rd r;

	assert_int_equal(b->g.port->n_out, 1);
	assert_true(fake_guest_got(&b->g, 0, gp));
	assert_int_equal(gp->pkt.proto, IPPROTO_TCP);
	assert_true(gp->csum_ok);
	r = rd_init(gp->l4, gp->l4_len);
	assert_true(tcp_hdr_parse(&r, &h));
	return h;
}
