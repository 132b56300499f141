/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which options a client of our DHCP servers gets, and which address is its
 * alone: what the services add (a boot file, a time server), what was given
 * for all clients, what was given for this one, of which the later replaces
 * the former.  What a server says by itself (mask, router, lease times ..) is
 * its own matter, and gives way to an option of the same code.
 *
 * One worker's thread.  Who adds options of his own calls dhcp_rules_add_more()
 * when the gateway is made; both servers call him for each answer.
 */
#ifndef SERVICE_DHCP_OPTIONS_H
#define SERVICE_DHCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/dhcp_rule.h"
#include "service/lease.h"
#include "wire/dhcp.h"
#include "wire/dhcp6.h"

/* Who asks: all that his message says of him.  Borrowed for the call. */
struct dhcp_asker {
	mac mac;
	struct rd id;	/* DHCPv4's client identifier; empty: none */
	struct rd duid; /* DHCPv6's, or the one in id; empty: none */
	char name[DHCP_NAME_LEN]; /* "": it tells none */
	const struct dhcp_msg *m4;   /* the message; one of the two, .. */
	const struct dhcp6_msg *m6; /* .. the other is NULL */
};

enum {
	DHCP_TOLD_MAX = 128,	/* options */
	DHCP_TOLD_BYTES = 8192, /* of all of them */
};

/* What he is told. */
struct dhcp_told {
	struct {
		uint16_t code;
		uint16_t off, len; /* in store */
	} opt[DHCP_TOLD_MAX];
	unsigned n;
	size_t n_bytes; /* used of store */
	uint8_t store[DHCP_TOLD_BYTES];
	/* DHCPv4's fixed part; unspecified or "": the server's own, nothing */
	addr siaddr;
	char sname[DHCP_SNAME_LEN];
	char file[DHCP_FILE_LEN];
};

/* Option code has this value, of len bytes, whatever it had before.  What
 * finds no room is left out. */
void dhcp_told_put(struct dhcp_told *t, uint16_t code, const void *p,
		   size_t len);
/* Its value, borrowed; false: it is not told. */
bool dhcp_told_find(const struct dhcp_told *t, uint16_t code, struct rd *rp);

/* Adds to *t what this client is to be told: of DHCPv6 where a->m6 is. */
typedef void (*dhcp_more_fn)(void *arg, const struct dhcp_asker *a,
			     struct dhcp_told *t);

struct dhcp_rules;

/* NULL: no memory. */
struct dhcp_rules *dhcp_rules_new(void);
/* Accepts NULL; returns NULL. */
struct dhcp_rules *dhcp_rules_free(struct dhcp_rules *r);
/* -ENOMEM; -ENOBUFS: there are too many. */
__attribute__((warn_unused_result)) int
dhcp_rules_add_more(struct dhcp_rules *r, dhcp_more_fn fn, void *arg);
/* Both copy.  -EINVAL: a length is none; -ENOMEM; -ENOBUFS. */
__attribute__((warn_unused_result)) int
dhcp_rules_add_option(struct dhcp_rules *r, const struct dhcp_option *o);
__attribute__((warn_unused_result)) int
dhcp_rules_add_reservation(struct dhcp_rules *r,
			   const struct dhcp_reservation *v);

/* All that a is told; *t is whatever before.  r may be NULL. */
void dhcp_rules_tell(const struct dhcp_rules *r, const struct dhcp_asker *a,
		     struct dhcp_told *t);
/* The number, from 1 on, of the first reservation that is a's; 0: none is. */
unsigned dhcp_rules_find(const struct dhcp_rules *r,
			 const struct dhcp_asker *a);
/* How many there are. */
unsigned dhcp_rules_count(const struct dhcp_rules *r);
/* The one of that number. */
const struct dhcp_reservation *dhcp_rules_get(const struct dhcp_rules *r,
					      unsigned number);

/* What the client of a lease is called: as its reservation (rule, 0: it has
 * none) says, else as it says itself; if that is nothing, as before. */
void dhcp_learn_name(const struct dhcp_rules *r, const struct dhcp_asker *a,
		     unsigned rule, struct lease *l, uint64_t now_ns);
/* The DUID in a client identifier of DHCPv4 (RFC 4361 6.1); empty: none. */
struct rd dhcp_id_duid(struct rd id);

#endif
