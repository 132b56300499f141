/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lease that is kept for longer than it was given (RFC 2131 4.4.5): for a
 * program that is a machine, by the command that waits for its end.  Speaks
 * over a UDP socket of the program's network, which routes and asks for MACs
 * by itself; the address itself is not touched.
 *
 *      begin        T1                 T2                 the lease's end
 *        |-----------|------------------|-----------------|---------------
 *                     asks the server     asks whoever      says so, goes
 *                                         hears it          on asking
 *        <---------------------------------------------- an ACK
 */
#ifndef CLI_RENEW_H
#define CLI_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "cli/lease.h"
#include "control/protocol.h"

struct renewal {
	int fd; /* owned; -1: nothing is to be renewed */
	mac mac;
	char hostname[CONTROL_NAME_LEN];
	struct lease lease;
	uint32_t xid;
	/* on the caller's clock, in ms */
	int64_t rebind_ms, end_ms;
	int64_t ask_ms; /* the next question */
	bool has_ended;
	struct log *log; /* borrowed */
};

#define RENEWAL_NULL ((struct renewal){.fd = -1})

/* In the program's network, as one who may: a socket for it, or a negative
 * errno. */
MUST_USE int renewal_socket(const char *ifname);
/* l was given now; fd is owned.  Leases that do not end are none to renew. */
void renewal_begin(struct renewal *r, int fd, const struct lease *l,
		   int64_t now_ms);
/* Takes answers and asks if it is time; ms until the next call, -1: none. */
int renewal_turn(struct renewal *r, int64_t now_ms);
void renewal_deinit(struct renewal *r);

#endif
