/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses: tests, prefixes and text; see addr.h. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>

#include "base/hex.h"

enum { N_GROUPS = 8 }; /* of 16 bits in an IPv6 address */

bool addr_is_unspecified(const addr *a)
{
	static const addr zero;

	return addr_eq(a, &zero) || (addr_is_v4(a) && addr_u32(a) == 0);
}

bool addr_is_loopback(const addr *a)
{
	static const addr one = {{[15] = 1}};

	if (addr_is_v4(a))
		return a->b[12] == 127;
	return addr_eq(a, &one);
}

bool addr_is_multicast(const addr *a)
{
	if (addr_is_v4(a))
		return (a->b[12] & 0xf0) == 0xe0;
	return a->b[0] == 0xff;
}

bool addr_is_broadcast(const addr *a)
{
	return addr_is_v4(a) && addr_u32(a) == UINT32_MAX;
}

addr addr_loopback(const addr *like)
{
	return addr_is_v4(like) ? addr_v4(127, 0, 0, 1)
				: (addr){.b = {[15] = 1}};
}

bool addr_is_unicast(const addr *a)
{
	return !addr_is_unspecified(a) && !addr_is_loopback(a) &&
	       !addr_is_multicast(a) && !addr_is_broadcast(a);
}

bool addr_is_link_local6(const addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* The mask of byte i for a prefix of len bits. */
static uint8_t mask_byte(unsigned len, unsigned i)
{
	unsigned before = i * 8;

	if (len >= before + 8)
		return 0xff;
	if (len <= before)
		return 0;
	return (uint8_t)(0xff << (8 - (len - before)));
}

/* The 64 bits from byte at on, set where the two differ. */
static uint64_t differing(const addr *a, const addr *b, unsigned at)
{
	uint64_t x, y;

	memcpy(&x, a->b + at, sizeof(x));
	memcpy(&y, b->b + at, sizeof(y));
	return be64toh(x ^ y);
}

/* Asked of each packet, more than once. */
bool prefix_has(const struct prefix *p, const addr *a)
{
	uint64_t first = differing(&p->ip, a, 0);
	uint64_t last = differing(&p->ip, a, 8);

	if (p->len < 64)
		return !p->len || !(first >> (64 - p->len));
	if (first || p->len == 64)
		return !first;
	return !(p->len < 128 ? last >> (128 - p->len) : last);
}

struct prefix prefix_network(const struct prefix *p)
{
	struct prefix n = *p;

	for (unsigned i = 0; i < sizeof(n.ip.b); i++)
		n.ip.b[i] &= mask_byte(p->len, i);
	return n;
}

bool prefix_twin(const addr *ip, const struct prefix *net4,
		 const struct prefix *net6, addr *ap)
{
	uint32_t n = addr_u32(ip) - addr_u32(&net4->ip);
	unsigned bits = 128u - net6->len;

	*ap = net6->ip;
	for (unsigned i = 0; i < 4; i++)
		ap->b[12 + i] |= (uint8_t)(n >> (24 - 8 * i));
	return bits >= 32 || n >> bits == 0;
}

addr prefix_broadcast(const struct prefix *p)
{
	addr a = p->ip;

	if (!addr_is_v4(&p->ip))
		return (addr){{0xff, 0x02, [15] = 1}};
	for (unsigned i = 12; i < sizeof(a.b); i++)
		a.b[i] |= (uint8_t)~mask_byte(p->len, i);
	return a;
}

static unsigned group(const addr *a, unsigned i)
{
	return (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1];
}

/* The first longest run of at least two zero groups: its length, and *fromp
 * where it begins (RFC 5952 4.2). */
static unsigned longest_run(const addr *a, unsigned *fromp)
{
	unsigned best = 1, len = 0;

	*fromp = N_GROUPS;
	for (unsigned i = 0; i < N_GROUPS; i++) {
		len = group(a, i) ? 0 : len + 1;
		if (len > best) {
			best = len;
			*fromp = i + 1 - len;
		}
	}
	return best;
}

/* Not inet_ntop(), which writes ::2:0 as ::0.2.0.0. */
static void format_v6(const addr *a, char *buf)
{
	unsigned from, run = longest_run(a, &from);
	char *p = buf;

	for (unsigned i = 0; i < N_GROUPS; i++) {
		if (i == from) {
			p += sprintf(p, "::");
			i += run - 1;
			continue;
		}
		if (i && i != from + run)
			*p++ = ':';
		p += sprintf(p, "%x", group(a, i));
	}
}

const char *addr_format(const addr *a, char *buf)
{
	if (addr_is_v4(a))
		snprintf(buf, ADDR_STRLEN, "%u.%u.%u.%u", a->b[12], a->b[13],
			 a->b[14], a->b[15]);
	else
		format_v6(a, buf);
	return buf;
}

const char *endpoint_format(const struct endpoint *e, char *buf)
{
	const char *fmt = addr_is_v4(&e->ip) ? "%s:%u" : "[%s]:%u";
	char text[ADDR_STRLEN];

	snprintf(buf, ENDPOINT_STRLEN, fmt, addr_format(&e->ip, text), e->port);
	return buf;
}

const char *prefix_format(const struct prefix *p,
			  char buf[static PREFIX_STRLEN])
{
	char ip[ADDR_STRLEN];

	snprintf(buf, PREFIX_STRLEN, "%s/%u", addr_format(&p->ip, ip),
		 prefix_len(p));
	return buf;
}

bool addr_parse(const char *text, addr *ap)
{
	uint8_t v4[4];
	addr v6;

	if (inet_pton(AF_INET, text, v4) == 1) {
		*ap = addr_v4_bytes(v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, v6.b) == 1) {
		*ap = v6;
		return true;
	}
	return false;
}

bool prefix_parse(const char *text, struct prefix *pp)
{
	char ip[ADDR_STRLEN] = "";
	size_t n = strcspn(text, "/");
	const char *p = text + n + 1;
	unsigned len = 0, most;
	addr a;

	if (n >= sizeof(ip) || !text[n] || !*p || strlen(p) > 3)
		return false;
	memcpy(ip, text, n);
	if (!addr_parse(ip, &a))
		return false;
	most = addr_is_v4(&a) ? 32 : 128;
	for (; *p >= '0' && *p <= '9'; p++)
		len = len * 10 + (unsigned)(*p - '0');
	if (*p || len > most)
		return false;
	*pp = prefix_of(&a, len);
	return true;
}

const char *mac_format(mac m, char *buf)
{
	snprintf(buf, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", m.b[0],
		 m.b[1], m.b[2], m.b[3], m.b[4], m.b[5]);
	return buf;
}

bool mac_parse(const char *text, mac *mp)
{
	mac m;

	for (unsigned i = 0; i < 6; i++) {
		int hi = hex_digit(text[0]);
		int lo = hi < 0 ? -1 : hex_digit(text[1]);

		if (lo < 0)
			return false;
		m.b[i] = (uint8_t)(hi << 4 | lo);
		text += 2;
		if (i == 5)
			break;
		if (*text != ':' && *text != '-')
			return false;
		text++;
	}
	if (*text)
		return false;
	*mp = m;
	return true;
}
