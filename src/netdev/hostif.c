/* SPDX-License-Identifier: BSD-3-Clause */
/* What passes between a LAN and the host; see hostif.h. */
#include "netdev/hostif.h"

#include "wire/eth.h"

/* Where the addresses are. */
enum {
	AT_TYPE = 12,
	AT_V4_FROM = 26,
	AT_V4_TO = 30,
	V4_END = 34,
	AT_V6_FROM = 22,
	AT_V6_TO = 38,
	V6_END = 54,
};

static uint16_t type_of(const struct frame *f)
{
	return (uint16_t)(f->hdr[AT_TYPE] << 8 | f->hdr[AT_TYPE + 1]);
}

bool hostif_addresses(const struct frame *f, addr *from, addr *to)
{
	uint16_t type = type_of(f);

	if (type == ETH_T_IP4 && f->hdr_len >= V4_END) {
		*from = addr_v4_bytes(f->hdr + AT_V4_FROM);
		*to = addr_v4_bytes(f->hdr + AT_V4_TO);
		return true;
	}
	if (type == ETH_T_IP6 && f->hdr_len >= V6_END) {
		memcpy(from->b, f->hdr + AT_V6_FROM, sizeof(from->b));
		memcpy(to->b, f->hdr + AT_V6_TO, sizeof(to->b));
		return true;
	}
	return false;
}

bool hostif_is_own(const struct hostif *h, const addr *a)
{
	for (unsigned i = 0; i < h->n; i++) {
		if (addr_eq(&h->ip[i].ip, a))
			return true;
	}
	return false;
}

static bool is_hosts(const struct hostif *h, const addr *a)
{
	return hostif_is_own(h, a) || addr_is_link_local6(a);
}

static bool is_group(const struct hostif *h, const addr *a)
{
	if (addr_is_multicast(a) || addr_is_broadcast(a))
		return true;
	for (unsigned i = 0; i < h->n; i++) {
		addr all = prefix_broadcast(&h->ip[i]);

		if (addr_is_v4(&h->ip[i].ip) && addr_eq(&all, a))
			return true;
	}
	return false;
}

bool hostif_takes(const struct hostif *h, const struct frame *f)
{
	addr from, to;

	if (type_of(f) == ETH_T_ARP)
		return true;
	return hostif_addresses(f, &from, &to) &&
	       (is_hosts(h, &to) || is_group(h, &to));
}

bool hostif_gives(const struct hostif *h, const struct frame *f)
{
	addr from, to;

	if (type_of(f) == ETH_T_ARP)
		return true;
	/* Without an address yet: IPv6's own search for equal ones. */
	return hostif_addresses(f, &from, &to) &&
	       (is_hosts(h, &from) || addr_is_unspecified(&from));
}
