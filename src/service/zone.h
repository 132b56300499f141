/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The zone of a network, in which its machines find each other by name: the
 * name each was given, or else the host name that its DHCP client told, A and
 * AAAA, and back (in-addr.arpa, ip6.arpa) for the addresses of the network.
 *
 * Nothing is entered anywhere: each question is answered by who is here at
 * that moment, by the leases of both families and by what the switch has heard
 * (lan/heard.h).  So a name comes and goes with its machine.  Of two that want
 * one name a given one comes before what DHCP told, and of two of those who
 * told it first.  No question about the zone goes to a resolver, whatever is
 * in it.
 *
 * zone.c makes the answers, zone_find.c finds who is meant.  Used by the DNS
 * service; one worker's thread.
 */
#ifndef SERVICE_ZONE_H
#define SERVICE_ZONE_H

#include "base/cursor.h"
#include "service/lease.h"
#include "service/service.h"
#include "wire/dns.h"

enum {
	ZONE_TTL = 5,	       /* seconds */
	ZONE_NEGATIVE_TTL = 1, /* who is not here may come at any moment */
	ZONE_ADDRS_MAX = 16,   /* of a machine, in a family */
	ZONE_LABEL_LEN = DNS_LABEL_LEN + 1, /* with NUL */
};

/* A machine that is here. */
struct zone_machine {
	const void *key;  /* tells it from the others */
	const char *name; /* that it was given; NULL: none */
	mac mac;	  /* that it used last; zero: none */
	uint32_t serial;  /* of its port on the gateway's lan; 0: on another */
	bool is_one;	  /* one MAC alone was heard of it */
	bool is_uplink;	  /* not one machine: others' networks */
	const addr *ip;	  /* heard, last first; borrowed for the walk */
	unsigned n_ip;
	const addr *before; /* heard by others before us; likewise */
	unsigned n_before;
};

/* How far a walk over the machines is; zero: it begins. */
struct zone_walk {
	void *lan, *port;
};

/* What the zone is made of. */
struct zone_source {
	/* The next machine of the gateway's network; false: there is none any
	 * more.  NULL: there are none.  Nothing changes during a walk. */
	bool (*next)(void *arg, struct zone_walk *w, struct zone_machine *m);
	void *arg;
	struct lease_table *leases; /* of DHCPv4, its twin DHCPv6's; borrowed */
	addr host4, host6; /* stand for the host; unspecified: nothing does */
};

struct zone {
	const struct service_env *env; /* borrowed; NULL: there is no zone */
	struct zone_source source;
	uint8_t name[DNS_NAME_LEN]; /* on the wire */
	size_t len;
};

/* env and what src names are borrowed.  name is the zone's, "vm.lan"; false:
 * it is none, and there is no zone. */
bool zone_init(struct zone *z, const struct service_env *env,
	       const struct zone_source *src, const char *name);
/* The answer to the query that msg spans, which has one question.  False (and
 * nothing written): it is not about the zone, or w has no room. */
bool zone_answer(const struct zone *z, const struct rd *msg, struct wr *w);

/* --- for zone.c --- */

struct zone_addrs {
	addr ip[ZONE_ADDRS_MAX];
	unsigned n;
};

/* Text as a label: small letters, digits and hyphens.  With dots the whole of
 * it, else what is before the first.  False: nothing of it is left. */
bool zone_label(const char *text, bool with_dots, char out[ZONE_LABEL_LEN]);
/* The addresses in one family of who has the name; false: nobody has it. */
bool zone_find(const struct zone *z, const char *label, bool is_v4,
	       struct zone_addrs *found);
/* The name of who has the address; false: nobody has, or he has no name. */
bool zone_find_name(const struct zone *z, const addr *ip,
		    char label[ZONE_LABEL_LEN]);

#endif
