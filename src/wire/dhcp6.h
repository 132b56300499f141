/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DHCPv6 messages between client and server (RFC 8415, 3646, 4704). Stateless.
 *
 * A message read from a stranger becomes a struct dhcp6_msg that points into
 * it: every option, and every option inside an IA, was walked to its end and
 * lies inside what holds it.  Of an option that may come once the first
 * counts.  Used by the DHCP service; any thread.
 */
#ifndef WIRE_DHCP6_H
#define WIRE_DHCP6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"

enum {
	DHCP6_PORT_SERVER = 547,
	DHCP6_PORT_CLIENT = 546,
	DHCP6_HDR_LEN = 4, /* type and transaction */
	DHCP6_DUID_MIN = 3,   /* its type, and a byte behind it */
	DHCP6_DUID_MAX = 130, /* RFC 8415 11.1 */
	DHCP6_IAID_LEN = 4,   /* RFC 8415 21.4 */
	DHCP6_IAS_MAX = 16,   /* of one message; those behind are not looked
			       * at */
	DHCP6_DUID_LL = 3,    /* RFC 8415 11.4 */
	DHCP6_HTYPE_ETHERNET = 1,
	DHCP6_DUID_LL_LEN = 10, /* with an Ethernet address */
};

enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE,
	DHCP6_REQUEST,
	DHCP6_CONFIRM,
	DHCP6_RENEW,
	DHCP6_REBIND,
	DHCP6_REPLY,
	DHCP6_RELEASE,
	DHCP6_DECLINE,
	DHCP6_RECONFIGURE,
	DHCP6_INFORMATION_REQUEST,
	DHCP6_TYPE_END, /* relays' are behind, and are not parsed */
};

/* RFC 8415 21 unless noted. */
enum dhcp6_opt {
	DHCP6_O_CLIENT_ID = 1,
	DHCP6_O_SERVER_ID = 2,
	DHCP6_O_IA_NA = 3,
	DHCP6_O_IA_TA = 4,
	DHCP6_O_IAADDR = 5,
	DHCP6_O_ORO = 6,
	DHCP6_O_PREFERENCE = 7,
	DHCP6_O_STATUS = 13,
	DHCP6_O_RAPID_COMMIT = 14,
	DHCP6_O_USER_CLASS = 15,
	DHCP6_O_VENDOR_CLASS = 16,
	DHCP6_O_DNS = 23,    /* RFC 3646 */
	DHCP6_O_DOMAINS = 24, /* RFC 3646 */
	DHCP6_O_IA_PD = 25,
	DHCP6_O_IAPREFIX = 26,
	DHCP6_O_SNTP = 31, /* RFC 4075 */
	DHCP6_O_FQDN = 39, /* RFC 4704 */
	DHCP6_O_NTP = 56,  /* RFC 5908 */
	DHCP6_O_BOOT_URL = 59, /* RFC 5970, as the next */
	DHCP6_O_CLIENT_ARCH = 61,
};

enum dhcp6_status {
	DHCP6_SUCCESS,
	DHCP6_UNSPEC_FAIL,
	DHCP6_NO_ADDRS_AVAIL,
	DHCP6_NO_BINDING,
	DHCP6_NOT_ON_LINK,
	DHCP6_USE_MULTICAST,
	DHCP6_NO_PREFIX_AVAIL,
};

/* An identity association: what the client wants one thing for. */
struct dhcp6_ia {
	uint16_t code; /* DHCP6_O_IA_NA, _TA or _PD */
	uint32_t iaid;
	struct rd opts; /* what it holds; for dhcp6_next_addr() */
};

/* One message that was read and found well formed. */
struct dhcp6_msg {
	uint8_t type;	/* enum dhcp6_type */
	uint32_t xid;	/* 24 bits */
	/* Empty unless they came; a DUID that is there has DHCP6_DUID_MIN
	 * to DHCP6_DUID_MAX bytes. */
	struct rd client_id;
	struct rd server_id;
	struct rd fqdn;
	struct rd user_class;
	struct rd vendor_class;
	struct rd arch; /* numbers of 16 bits */
	bool is_rapid; /* a REPLY is a good answer to this SOLICIT */
	struct dhcp6_ia ia[DHCP6_IAS_MAX];
	unsigned n_ia;
};

/* An address of an IA_NA or IA_TA. */
struct dhcp6_addr {
	addr ip;
	uint32_t preferred; /* seconds */
	uint32_t valid;
};

/* The whole UDP payload at r.  False (and *mp untouched) if it is cut short,
 * an option runs out of what holds it, a DUID is none, or the type is not one
 * of enum dhcp6_type. *mp borrows from r's bytes. */
bool dhcp6_parse(struct rd *r, struct dhcp6_msg *mp);
/* The next address of an IA, from opts on, which is advanced; false: none. */
bool dhcp6_next_addr(struct rd *opts, struct dhcp6_addr *ap);

/* The four bytes before all options. */
void dhcp6_emit_hdr(struct wr *w, enum dhcp6_type type, uint32_t xid);
void dhcp6_emit_opt(struct wr *w, uint16_t code, const void *p, size_t len);
/* An option that holds whatever is written before it is ended: begin returns
 * what end takes. */
size_t dhcp6_opt_begin(struct wr *w, uint16_t code);
void dhcp6_opt_end(struct wr *w, size_t at);
/* Begins an IA, with its times, which are none for an IA_TA; ended likewise. */
size_t dhcp6_ia_begin(struct wr *w, uint16_t code, uint32_t iaid, uint32_t t1,
		      uint32_t t2);
void dhcp6_emit_addr(struct wr *w, const struct dhcp6_addr *a);
void dhcp6_emit_status(struct wr *w, enum dhcp6_status status,
		       const char *text);
/* An option with the DUID made of a MAC. */
void dhcp6_emit_duid_ll(struct wr *w, uint16_t code, mac m);
/* True if r is that DUID. */
bool dhcp6_is_duid_ll(struct rd r, mac m);

#endif
