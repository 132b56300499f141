/* SPDX-License-Identifier: BSD-3-Clause */
/* MACs behind a packet port; see packet_filter.h. */
#include "netdev/packet_filter.h"

#include <string.h>

#include "base/mem.h"

static bool knows(struct packet_macs *s, mac m, uint64_t now_ns)
{
	for (unsigned k = 0; k < s->n; k++) {
		unsigned i = (s->last + k) % s->n;

		if (mac_eq(s->e[i].mac, m)) {
			s->last = i;
			s->e[i].place.used_ns = now_ns;
			return true;
		}
	}
	return false;
}

bool packet_macs_saw(struct packet_macs *s, mac m, uint64_t now_ns)
{
	unsigned i;

	if (knows(s, m, now_ns))
		return false;
	if (mac_is_group(m) || mac_is_zero(m) || mac_eq(m, s->host))
		return false;
	if (s->n < PACKET_MACS_MAX) {
		i = s->n++;
	} else {
		i = fair_choose(&s->e[0].place, sizeof(s->e[0]), s->n, s->from,
				now_ns);
		if (i == s->n)
			return false;
	}
	s->e[i] = (struct packet_mac){m, {now_ns, s->from}};
	s->last = i;
	return true;
}

/* The kernel takes a filter for some ten times its length, and 20 kB of them
 * for a socket (Linux 6.1), the old and the new one: loads from the frame are
 * dear, so there is one of each half of the MAC. */
unsigned packet_macs_filter(const struct packet_macs *s,
			    struct sock_filter f[static PACKET_FILTER_MAX])
{
	const struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, ~0u);
	const struct sock_filter start[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
		all,
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_STMT(BPF_ST, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2),
		BPF_STMT(BPF_ST, 1),
	};
	unsigned n = array_len(start);

	memcpy(f, start, sizeof(start));
	for (unsigned i = 0; i < s->n; i++) {
		const uint8_t *b = s->e[i].mac.b;
		uint32_t high = (uint32_t)b[0] << 8 | b[1];
		uint32_t low = (uint32_t)b[2] << 24 | (uint32_t)b[3] << 16 |
			       (uint32_t)b[4] << 8 | b[5];
		const struct sock_filter one[] = {
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, 4),
			BPF_STMT(BPF_LD | BPF_MEM, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 1),
			all,
			BPF_STMT(BPF_LD | BPF_MEM, 1),
		};

		memcpy(f + n, one, sizeof(one));
		n += array_len(one);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return n;
}
