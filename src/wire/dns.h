/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DNS messages (RFC 1035), as far as a relay looks into them: the header, the
 * question, and a reply that says why there is no answer. Stateless; used by
 * the DNS service; any thread.
 */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

enum {
	DNS_PORT = 53,
	DNS_HDR_LEN = 12,
	DNS_UDP_MAX = 512,   /* bytes over UDP without EDNS (RFC 1035 4.2.1) */
	DNS_NAME_LEN = 255,  /* bytes of a name on the wire (RFC 1035 3.1) */
	DNS_NAME_TEXT = 1024, /* bytes of its text with NUL, all escaped */
	DNS_LABEL_LEN = 63,
	DNS_POINTER = 0xc000, /* to a name at that offset (RFC 1035 4.1.4) */
	/* flags */
	DNS_F_QR = 0x8000, /* a response */
	DNS_F_OPCODE = 0x7800,
	DNS_F_AA = 0x0400,
	DNS_F_TC = 0x0200,
	DNS_F_RD = 0x0100,
	DNS_F_RA = 0x0080,
	DNS_F_AD = 0x0020,
	DNS_F_CD = 0x0010,
	DNS_F_RCODE = 0x000f,
	/* types and classes */
	DNS_T_A = 1,
	DNS_T_CNAME = 5,
	DNS_T_SOA = 6,
	DNS_T_PTR = 12,
	DNS_T_AAAA = 28,
	DNS_T_DNAME = 39,
	DNS_T_OPT = 41,
	DNS_T_NS = 2,
	DNS_C_IN = 1,
	DNS_C_ANY = 255,
	/* lower half of OPT's TTL (RFC 6891 6.1.4) */
	DNS_EDNS_DO = 0x8000,
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

struct dns_hdr {
	uint16_t id;
	uint16_t flags; /* DNS_F_* */
	uint16_t n_question;
	uint16_t n_answer;
	uint16_t n_authority;
	uint16_t n_extra;
};

/* The header and the question section of a message. */
struct dns_question {
	struct dns_hdr hdr;
	/* The first question; name is "" if there is none. */
	char name[DNS_NAME_TEXT]; /* "www.example.org", "." the root; bytes
				   * that are no plain text as \DDD */
	uint16_t type;
	uint16_t class;
	size_t end; /* where the section ends, from the message's start */
};

/* 12 bytes; false (and *hp untouched) if r is too short. */
bool dns_hdr_parse(struct rd *r, struct dns_hdr *hp);
void dns_hdr_emit(struct wr *w, const struct dns_hdr *h);

/* A name at r, advanced behind it, without compression into w: DNS_NAME_LEN
 * bytes at most.  False: it is malformed or w has no room, and neither is
 * touched. */
bool dns_name_copy(const struct rd *msg, struct rd *r, struct wr *w);

/* A name at r, advanced behind it; compressed names point back into msg, a
 * reader over the whole message.  buf takes DNS_NAME_TEXT bytes; untouched on
 * false. */
bool dns_name_parse(const struct rd *msg, struct rd *r, char *buf);

/* A host's name, "example.org" or "example.org.", as labels without
 * compression, which is what DHCPv6 (RFC 8415 10) and router advertisements
 * (RFC 8106 5.2) have.  False (and w as it was) if it is no name or does not
 * fit. */
bool dns_name_emit(struct wr *w, const char *name);

/* A byte of a name in small letters: ASCII (RFC 4343 3), and the lengths of
 * labels are below its letters. */
static inline uint8_t dns_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* A name of len bytes on the wire, without compression, is domain, of
 * domain_len, or below it (RFC 4343: letters of any case); the root is above
 * all. */
bool dns_name_is_below(const uint8_t *name, size_t len, const uint8_t *domain,
		       size_t domain_len);

/* Header and all questions of the message that msg spans (not advanced).
 * False (and *qp untouched) if they are malformed or cut short. */
bool dns_question_parse(const struct rd *msg, struct dns_question *qp);

/* The name of its first question on the wire, in any letters, without
 * compression; returns its length.  0: it is malformed or cut short, and what
 * name holds is nothing. */
size_t dns_question_name(const struct rd *msg, uint8_t name[DNS_NAME_LEN]);

/* One record; owner and data may hold pointers into its message. */
struct dns_record {
	struct rd owner;
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	struct rd data;
};

/* The record at r, advanced behind it; false (and *rp untouched) if it is
 * malformed or cut short. */
bool dns_record_parse(const struct rd *msg, struct rd *r,
		      struct dns_record *rp);
/* A walk over the records of all sections. */
struct dns_walk {
	const struct rd *msg; /* borrowed */
	struct dns_question q;
	unsigned n; /* records that the header counts .. */
	unsigned i; /* .. and those behind us */
	struct rd r;
};

/* To in front of the first one; false: what is before that is malformed. */
bool dns_walk_begin(struct dns_walk *w, const struct rd *msg);
/* The next one; false: there is none, or (i < n) it is malformed. */
bool dns_walk_next(struct dns_walk *w, struct dns_record *rp);
/* The OPT record (RFC 6891) of a message with one question; false: it has
 * none. */
bool dns_opt_find(const struct rd *msg, struct dns_record *rp);
/* The longest answer over UDP that who sent the query msg takes. */
size_t dns_udp_max(const struct rd *msg);

/* A response to the query that spans msg, with this rcode and no answer: id,
 * opcode, RD and CD as they came, RA, and the question if there is exactly one
 * and it is well formed.  False (and nothing written) if none may be sent:
 * msg is no query or has no whole header, or w has no room. */
bool dns_emit_error(struct wr *w, const struct rd *msg, enum dns_rcode rcode);

#endif
