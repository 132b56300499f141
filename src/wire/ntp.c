/* SPDX-License-Identifier: BSD-3-Clause */
/* NTP's header; see ntp.h. */
#include "wire/ntp.h"

#define SECOND_NS UINT64_C(1000000000)
#define SECOND_US UINT64_C(1000000)
/* From 1900 to 1970: 70 years, 17 of them leap years. */
#define EPOCH_S UINT64_C(2208988800)

static uint64_t rd_time(struct rd *r)
{
	uint64_t s = rd_u32(r);

	return s << 32 | rd_u32(r);
}

static void wr_time(struct wr *w, uint64_t t)
{
	wr_u32(w, (uint32_t)(t >> 32));
	wr_u32(w, (uint32_t)t);
}

bool ntp_parse(struct rd *r, struct ntp_msg *m)
{
	uint8_t first = rd_u8(r);
	struct ntp_msg n = {
		.leap = first >> 6,
		.version = first >> 3 & 7,
		.mode = first & 7,
	};

	n.stratum = rd_u8(r);
	n.poll = (int8_t)rd_u8(r);
	n.precision = (int8_t)rd_u8(r);
	n.root_delay = rd_u32(r);
	n.root_dispersion = rd_u32(r);
	n.ref_id = rd_u32(r);
	n.reference = rd_time(r);
	n.originate = rd_time(r);
	n.receive = rd_time(r);
	n.transmit = rd_time(r);
	if (!rd_ok(r))
		return false;
	*m = n;
	return true;
}

void ntp_emit(struct wr *w, const struct ntp_msg *m)
{
	wr_u8(w, (uint8_t)((m->leap & 3) << 6 | (m->version & 7) << 3 |
			   (m->mode & 7)));
	wr_u8(w, m->stratum);
	wr_u8(w, (uint8_t)m->poll);
	wr_u8(w, (uint8_t)m->precision);
	wr_u32(w, m->root_delay);
	wr_u32(w, m->root_dispersion);
	wr_u32(w, m->ref_id);
	wr_time(w, m->reference);
	wr_time(w, m->originate);
	wr_time(w, m->receive);
	wr_time(w, m->transmit);
}

uint64_t ntp_time(uint64_t unix_ns)
{
	uint64_t s = unix_ns / SECOND_NS + EPOCH_S;
	uint64_t fraction = (unix_ns % SECOND_NS << 32) / SECOND_NS;

	return (s & UINT32_MAX) << 32 | fraction;
}

uint32_t ntp_short(uint64_t us)
{
	uint64_t s = us / SECOND_US;

	if (s > UINT16_MAX)
		return UINT32_MAX;
	return (uint32_t)(s << 16) +
	       (uint32_t)(((us % SECOND_US << 16) + SECOND_US - 1) / SECOND_US);
}
