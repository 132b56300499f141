/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810) say, in one form:
 * igmp.h and mld.h read either into it.  Stateless.
 */
#ifndef WIRE_GROUP_H
#define WIRE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"

enum group_kind {
	GROUP_QUERY,   /* group unspecified: a general one */
	GROUP_JOIN,    /* version 1 and 2 (MLD: 1): group */
	GROUP_LEAVE,   /* the same */
	GROUP_RECORDS, /* version 3 (MLD: 2): see group_next() */
	GROUP_ROUTER,  /* a multicast router says that it is there (RFC 4286) */
	GROUP_OTHER,   /* sound, and of no matter here */
};

struct group_msg {
	enum group_kind kind;
	addr group;
	uint32_t wait_ms;   /* GROUP_QUERY: answers come within this time */
	uint16_t n_sources; /* the same: whom it asks about */
	bool needs_alert;   /* must have come with the router alert option */
	uint16_t n_records; /* not yet read */
	uint8_t addr_len;   /* 4 or 16 */
	struct rd records;  /* borrowed */
};

/* What one record says of its group (RFC 3376 4.2.12), as far as it matters
 * to who does not look at sources. */
enum group_change {
	GROUP_C_NONE, /* nothing to be concluded */
	GROUP_C_JOIN,
	GROUP_C_LEAVE,
};

/* True for groups that go to every port whoever joined them: 224.0.0.0/24
 * (RFC 4541 2.1.2), and in IPv6 all of link-local scope or less. */
bool group_is_local(const addr *group);
/* The MAC that packets to a multicast address are sent to (RFC 1112 6.4,
 * 2464 7). */
mac group_mac(const addr *group);
/* The next record; false: there is none, or the message ends before it. */
bool group_next(struct group_msg *m, addr *groupp, enum group_change *changep);
/* The address of m->addr_len bytes at r. */
addr group_addr(struct rd *r, uint8_t addr_len);
/* RFC 3376 4.1.1: a floating point number of exp_bits + mant_bits + 1 bits. */
uint32_t group_code(uint32_t code, unsigned mant_bits);

#endif
