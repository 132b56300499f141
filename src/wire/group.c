/* SPDX-License-Identifier: BSD-3-Clause */
/* What IGMP and MLD have in common; see group.h. */
#include "wire/group.h"

enum {
	SCOPE_LINK = 2, /* RFC 4291 2.7 */
	EXP_BITS = 3,
	EXP_LEAST = 3,
	/* record types */
	IS_INCLUDE = 1,
	IS_EXCLUDE = 2,
	TO_INCLUDE = 3,
	TO_EXCLUDE = 4,
	ALLOW = 5,
};

bool group_is_local(const addr *group)
{
	if (!addr_is_v4(group))
		return (group->b[1] & 0x0f) <= SCOPE_LINK;
	return (addr_u32(group) & 0xffffff00) == 0xe0000000;
}

mac group_mac(const addr *group)
{
	const uint8_t *b = group->b;

	if (addr_is_v4(group))
		return (mac){{0x01, 0x00, 0x5e, b[13] & 0x7f, b[14], b[15]}};
	return (mac){{0x33, 0x33, b[12], b[13], b[14], b[15]}};
}

addr group_addr(struct rd *r, uint8_t addr_len)
{
	uint8_t b[4];
	addr a;

	if (addr_len == sizeof(b)) {
		rd_copy(r, b, sizeof(b));
		return addr_v4_bytes(b);
	}
	rd_copy(r, a.b, sizeof(a.b));
	return a;
}

uint32_t group_code(uint32_t code, unsigned mant_bits)
{
	uint32_t mant = code & ((1u << mant_bits) - 1);
	unsigned exp = code >> mant_bits & ((1u << EXP_BITS) - 1);

	if (code < 1u << (mant_bits + EXP_BITS))
		return code;
	return (mant | 1u << mant_bits) << (exp + EXP_LEAST);
}

static enum group_change record_change(uint8_t type, uint16_t n_sources)
{
	switch (type) {
	case IS_EXCLUDE:
	case TO_EXCLUDE:
		return GROUP_C_JOIN;
	case TO_INCLUDE:
		return n_sources ? GROUP_C_JOIN : GROUP_C_LEAVE;
	case IS_INCLUDE:
	case ALLOW:
		return n_sources ? GROUP_C_JOIN : GROUP_C_NONE;
	default: /* blocks some sources, or to be ignored (4.2.12) */
		return GROUP_C_NONE;
	}
}

bool group_next(struct group_msg *m, addr *groupp, enum group_change *changep)
{
	struct rd *r = &m->records;
	uint8_t type, aux_words;
	uint16_t n_sources;
	addr group;

	if (m->n_records == 0)
		return false;
	m->n_records--;
	type = rd_u8(r);
	aux_words = rd_u8(r);
	n_sources = rd_u16(r);
	group = group_addr(r, m->addr_len);
	rd_skip(r, (size_t)n_sources * m->addr_len + aux_words * (size_t)4);
	if (!rd_ok(r))
		return false;
	*groupp = group;
	*changep = addr_is_multicast(&group) ? record_change(type, n_sources)
					     : GROUP_C_NONE;
	return true;
}
