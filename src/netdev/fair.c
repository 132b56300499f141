/* SPDX-License-Identifier: BSD-3-Clause */
/* Who gives a place away; see fair.h. */
#include "netdev/fair.h"

enum { PORTS = 64 }; /* beyond that many some are taken for one */

static const struct fair_place *at(const struct fair_place *first,
				   size_t stride, unsigned i)
{
	return (const void *)((const char *)first + i * stride);
}

unsigned fair_choose(const struct fair_place *first, size_t stride, unsigned n,
		     uint32_t from, uint64_t now_ns)
{
	const struct fair_place *oldest = first, *best = NULL;
	uint8_t places[PORTS] = {0};
	unsigned chosen = n, most = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct fair_place *p = at(first, stride, i);

		places[p->from % PORTS]++;
		if (p->used_ns <= oldest->used_ns) {
			oldest = p;
			chosen = i;
		}
	}
	if (n && now_ns - oldest->used_ns >= FAIR_IDLE_NS)
		return chosen;
	chosen = n;
	for (unsigned i = 0; i < n; i++) {
		const struct fair_place *p = at(first, stride, i);
		unsigned has = places[p->from % PORTS];

		if (has <= places[from % PORTS] + 1u || has < most ||
		    (has == most && p->used_ns >= best->used_ns))
			continue;
		best = p;
		most = has;
		chosen = i;
	}
	return chosen;
}
