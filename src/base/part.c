/* SPDX-License-Identifier: BSD-3-Clause */
/* Parts of a prefix; see part.h. */
#include "base/part.h"

struct prefix part_of(const struct prefix *p, uint64_t bits)
{
	struct prefix part = {.len = SLAAC_LEN};

	for (unsigned i = 0; i < SLAAC_LEN / 8; i++) {
		unsigned own = p->len > 8 * i ? p->len - 8 * i : 0;
		uint8_t mask = (uint8_t)(own >= 8 ? 0 : 0xff >> own);
		uint8_t more = (uint8_t)(bits >> 8 * (7 - i));

		part.ip.b[i] = (uint8_t)((p->ip.b[i] & ~mask) | (more & mask));
	}
	return part;
}

bool part_is_free(const struct prefix *p, const struct prefix *part,
		  const struct prefix *routes, unsigned n_routes)
{
	if (addr_eq(&part->ip, &p->ip))
		return false;
	for (unsigned i = 0; i < n_routes; i++) {
		const struct prefix *r = &routes[i];

		if (!addr_is_v4(&r->ip) && r->len > p->len &&
		    (prefix_has(r, &part->ip) || prefix_has(part, &r->ip)))
			return false;
	}
	return true;
}
