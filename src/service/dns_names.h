/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What addresses were looked up by: for each guest (its MAC) and each address
 * that the name server told it of, the name that it asked for last.
 * DNS_NAMES_MAX of a network are remembered, however long their answers hold: a
 * connection may well outlive them.  When that many are, the port of the lan
 * that has most loses its oldest: who looks up many names, by whatever MACs of
 * his own, pushes out his own, and those of nobody who has less.  (Who asks in
 * another's MAC renames what both have been told of.)  For who looks at flows,
 * and nothing else depends on it.  Worker 0's thread.
 */
#ifndef SERVICE_DNS_NAMES_H
#define SERVICE_DNS_NAMES_H

#include "base/addr.h"
#include "base/cursor.h"

enum {
	DNS_NAMES_MAX = 4096,
	DNS_NAMES_LEN = 256, /* of a name, with NUL; a longer one is not kept */
	DNS_NAMES_ANSWER = 32, /* addresses of one answer */
};

struct dns_names;

/* 0 with *np set, or -ENOMEM. */
__attribute__((warn_unused_result)) int dns_names_new(struct dns_names **np);
struct dns_names *dns_names_free(struct dns_names *n);
/* The guest gets this message, a whole one; port of the lan that it asked by
 * (service_payer()), 0: all whose port is not known have one share. */
void dns_names_learn(struct dns_names *n, mac guest, uint32_t port,
		     const struct rd *answer);
/* What guest looked ip up by; NULL: by nothing. */
const char *dns_names_find(const struct dns_names *n, mac guest,
			   const addr *ip);

#endif
