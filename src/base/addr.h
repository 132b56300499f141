/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses.  One type holds IPv4 (as ::ffff:a.b.c.d, RFC 4291 2.5.5.2) and
 * IPv6, so that the rest of the house has one code path for both families.
 * Used everywhere, on every thread; nothing here has state.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* An IP address, network byte order; all zero bytes is "::", unspecified. */
typedef struct addr {
	uint8_t b[16];
} addr;

/* A MAC address; all zero is "none". */
enum { MAC_LEN = 6 };
typedef struct mac {
	uint8_t b[MAC_LEN];
} mac;

/* A transport address: an IP address and a port in host byte order. */
struct endpoint {
	addr ip;
	uint16_t port;
};

/* A prefix; len counts in the 128-bit form, so an IPv4 /24 is 120. */
struct prefix {
	addr ip;
	uint8_t len;
};

enum {
	ADDR_STRLEN = 46,     /* longest text of an address, with NUL */
	ENDPOINT_STRLEN = 56, /* "[address]:65535" with NUL */
	PREFIX_STRLEN = 50,   /* "address/128" with NUL */
	MAC_STRLEN = 18,      /* "52:54:00:12:34:56" with NUL */
};

/* The length of a prefix in which machines choose their addresses themselves
 * (RFC 4862 5.5.3, RFC 2464 4), and so that of each of ours. */
enum { SLAAC_LEN = 64 };

/* The IPv4 address of four bytes a.b.c.d. */
static inline addr addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}};
}

/* The IPv4 address in the four bytes at p (network order). */
static inline addr addr_v4_bytes(const uint8_t *p)
{
	return addr_v4(p[0], p[1], p[2], p[3]);
}

/* The IPv4 address of a 32-bit number in host order (10.0.2.2 = 0x0a000202). */
static inline addr addr_v4_u32(uint32_t v)
{
	return addr_v4((uint8_t)(v >> 24), (uint8_t)(v >> 16),
		       (uint8_t)(v >> 8), (uint8_t)v);
}

static inline bool addr_is_v4(const addr *a)
{
	static const uint8_t v4[12] = {0, 0, 0, 0, 0,	 0,
				       0, 0, 0, 0, 0xff, 0xff};

	return memcmp(a->b, v4, sizeof(v4)) == 0;
}

/* The host-order number of an IPv4 address; meaningless for IPv6. */
static inline uint32_t addr_u32(const addr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 |
	       (uint32_t)a->b[14] << 8 | a->b[15];
}

static inline bool addr_eq(const addr *a, const addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool endpoint_eq(const struct endpoint *a,
			       const struct endpoint *b)
{
	return a->port == b->port && addr_eq(&a->ip, &b->ip);
}

enum { ENDPOINT_BYTES = sizeof(addr) + 2 };

/* e as bytes in a row, for a hash (the struct has padding); what is behind
 * them. */
static inline uint8_t *endpoint_put(uint8_t *p, const struct endpoint *e)
{
	memcpy(p, e->ip.b, sizeof(e->ip.b));
	p += sizeof(e->ip.b);
	*p++ = (uint8_t)(e->port >> 8);
	*p++ = (uint8_t)e->port;
	return p;
}

/* True for :: and 0.0.0.0. */
bool addr_is_unspecified(const addr *a);
/* True for 127.0.0.0/8 and ::1. */
bool addr_is_loopback(const addr *a);
/* True for 224.0.0.0/4 and ff00::/8. */
bool addr_is_multicast(const addr *a);
/* True for 255.255.255.255. */
bool addr_is_broadcast(const addr *a);
/* 127.0.0.1 or ::1, whichever is of like's family. */
addr addr_loopback(const addr *like);
/* True for one that a machine can have and others can reach it by: none of the
 * four above. */
bool addr_is_unicast(const addr *a);
/* True for fe80::/10 (RFC 4291 2.5.6): no router passes it on. */
bool addr_is_link_local6(const addr *a);
/* True if a lies in p. */
bool prefix_has(const struct prefix *p, const addr *a);
/* The directed broadcast of an IPv4 prefix; ff02::1 for IPv6. */
addr prefix_broadcast(const struct prefix *p);
/* The address that has in net6 the number that ip has in net4: *ap, whatever
 * is returned. False: net6 is too long for it. */
bool prefix_twin(const addr *ip, const struct prefix *net4,
		 const struct prefix *net6, addr *ap);
/* The prefix with its host bits cleared. */
struct prefix prefix_network(const struct prefix *p);
/* The one of ip and a length as people count it: 24 of an IPv4 /24. */
static inline struct prefix prefix_of(const addr *ip, unsigned len)
{
	return (struct prefix){
		.ip = *ip, .len = (uint8_t)(len + (addr_is_v4(ip) ? 96u : 0))};
}

/* That length. */
static inline unsigned prefix_len(const struct prefix *p)
{
	return p->len - (addr_is_v4(&p->ip) ? 96u : 0);
}

/* Text: IPv4 dotted, IPv6 as RFC 5952.  buf takes ADDR_STRLEN; returns buf. */
const char *addr_format(const addr *a, char *buf);
/* "a.b.c.d:port" or "[v6]:port".  buf takes ENDPOINT_STRLEN; returns buf. */
const char *endpoint_format(const struct endpoint *e, char *buf);
/* "10.0.2.0/24" or "fec0::/64", host bits as they are; returns buf. */
const char *prefix_format(const struct prefix *p,
			  char buf[static PREFIX_STRLEN]);
/* Strict dotted quad or RFC 4291 text; false leaves *ap untouched. */
bool addr_parse(const char *text, addr *ap);
/* "ADDRESS/LENGTH", host bits as they are; false leaves *pp untouched. */
bool prefix_parse(const char *text, struct prefix *pp);

static inline bool mac_eq(mac a, mac b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static inline bool mac_is_zero(mac a)
{
	return !(a.b[0] | a.b[1] | a.b[2] | a.b[3] | a.b[4] | a.b[5]);
}

/* Group bit set: multicast and broadcast (IEEE 802-2014 8.2). */
static inline bool mac_is_group(mac a)
{
	return a.b[0] & 1;
}

static inline bool mac_is_broadcast(mac a)
{
	return (a.b[0] & a.b[1] & a.b[2] & a.b[3] & a.b[4] & a.b[5]) == 0xff;
}

/* The six bytes as a number, for tables and messages of this process. */
static inline uint64_t mac_key(mac m)
{
	uint64_t key = 0;

	memcpy(&key, m.b, sizeof(m.b));
	return key;
}

static inline mac mac_of_key(uint64_t key)
{
	mac m;

	memcpy(m.b, &key, sizeof(m.b));
	return m;
}

static inline mac mac_bytes(const uint8_t *p)
{
	return (mac){{p[0], p[1], p[2], p[3], p[4], p[5]}};
}

#define MAC_BROADCAST ((mac){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})

/* buf takes MAC_STRLEN; returns buf. */
const char *mac_format(mac m, char *buf);
/* Six hex bytes with ':' or '-'; false leaves *mp untouched. */
bool mac_parse(const char *text, mac *mp);

#endif
