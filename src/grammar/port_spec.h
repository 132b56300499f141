/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port forwards: QEMU's hostfwd= rules, and the specs of -p in QEMU's,
 * Docker's and passt's spelling.  Called by commands and keeper.
 */
#ifndef GRAMMAR_PORT_SPEC_H
#define GRAMMAR_PORT_SPEC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/mem.h"

/* Host ports host_lo..host_hi go to guest ports guest_lo and up. */
struct port_rule {
	uint8_t proto;	  /* IPPROTO_TCP or IPPROTO_UDP */
	bool has_host_ip; /* false: nothing typed; hostfwd= then means
			   * 0.0.0.0, -p means localhost (the caller's
			   * choice; host_ip is 0.0.0.0) */
	bool is_localhost; /* that word: 127.0.0.1, which is host_ip, and ::1
			    * where the host has it */
	bool has_both; /* host_ip is 0.0.0.0, and [::] too where the host has
			* IPv6 */
	addr host_ip;
	uint16_t host_lo, host_hi; /* both 0: the kernel picks one */
	addr guest_ip;		   /* unspecified: the default guest */
	uint16_t guest_lo;
	char unix_path[108]; /* not "": that socket instead of a host port */
};

enum {
	PORT_RULE_STRLEN = 256, /* text of a rule with NUL */
};

/* QEMU's [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT, or
 * unix:PATH-[GUESTADDR]:GUESTPORT; ours: an IPv6 address in brackets for each
 * of the two, and localhost for the host's. */
MUST_USE int hostfwd_parse(const char *text, struct port_rule *rulep,
			   struct error *e);
/* A spec of -p: one or more items joined by commas.  *np rules stored, at
 * most max (more are refused). */
MUST_USE int port_spec_parse(const char *text, struct port_rule *rules,
			     unsigned max, unsigned *np, struct error *e);
/* The rule without an address of the host leads from localhost. */
void port_rule_localhost(struct port_rule *r);
/* True if the two would listen on the same port of one address. */
bool port_rule_overlaps(const struct port_rule *a, const struct port_rule *b);
/* One rule as QEMU writes it ("tcp:127.0.0.1:2222-:22"), a range as Docker
 * does ("127.0.0.1:8000-8010:9000-9010/tcp"): port_spec_parse() reads both.
 * buf takes PORT_RULE_STRLEN; returns buf. */
const char *port_rule_format(const struct port_rule *r, char *buf);

#endif
