/* SPDX-License-Identifier: BSD-3-Clause */
/* What asking for a lease (lease.c) and renewing it (renew.c) share. */
#ifndef CLI_LEASE_PRIV_H
#define CLI_LEASE_PRIV_H

#include "base/cursor.h"
#include "cli/lease.h"
#include "wire/dhcp.h"

/* What is asked: a DISCOVER, a REQUEST for what was offered, or one for what
 * is there already. */
struct lease_question {
	mac mac;
	const char *hostname;
	uint32_t xid;
	enum dhcp_type type;
	addr wanted, server; /* of a REQUEST for what was offered */
	addr own;	     /* what is there; zero: nothing is */
};

void lease_emit(struct wr *w, const struct lease_question *q);
/* The DHCP message in a datagram, if it answers q. */
bool lease_parse(const struct lease_question *q, struct rd *r,
		 struct dhcp_msg *mp);
/* The lease that an ACK gives; false if it has no address for a machine. */
bool lease_take(const struct dhcp_msg *m, struct lease *lp);

#endif
