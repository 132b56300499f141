/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the DHCP server: dhcp.c judges what clients say, dhcp_reply.c
 * answers.  One worker's thread.
 */
#ifndef SERVICE_DHCP_PRIV_H
#define SERVICE_DHCP_PRIV_H

#include "service/dhcp.h"
#include "wire/dhcp.h"

#define SECOND_NS UINT64_C(1000000000)

enum { DHCP_TEXT_LEN = 256 };

struct dhcp {
	const struct service_env *env; /* borrowed */
	struct lease_table leases;
	dhcp_bound_fn bound;
	void *arg;
	const struct dhcp_rules *rules; /* borrowed; may be NULL */
	struct probes *probes; /* borrowed; may be NULL */
	uint32_t lease_s;
	char hostname[DHCP_TEXT_LEN];
	char domain[DHCP_TEXT_LEN];
	uint8_t search[DHCP_TEXT_LEN]; /* as option 119 has it */
	size_t search_len;
	addr router;
	bool hides_router, hides_dns;
	addr nameserver;
	uint64_t n_answers;
	struct dhcp_msg msg;   /* scratch of one call */
	struct dhcp_told told; /* likewise */
};

/* One request that is being answered. */
struct exchange {
	const struct dhcp_msg *m;
	const struct probe_msg *in; /* as it came */
	struct lease_client client;
	struct dhcp_asker asker;
	addr want; /* requested or current address; unspecified = none */
	uint64_t now_ns;
};

/* OFFER, ACK, the ACK of an INFORM (lease NULL), or a BOOTP reply
 * (DHCP_NONE). */
void dhcp_answer(struct dhcp *d, const struct exchange *x, enum dhcp_type type,
		 const struct lease *l);
/* A NAK. */
void dhcp_refuse(struct dhcp *d, const struct exchange *x, const char *why);

#endif
