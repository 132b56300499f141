/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dhcp-option=, reserve= and route= of user: text made what a DHCP server
 * does.  Called by user_dhcp.c; opens nothing.
 */
#ifndef GRAMMAR_DHCP_RULES_H
#define GRAMMAR_DHCP_RULES_H

#include "base/cursor.h"
#include "base/dhcp_rule.h"
#include "base/error.h"
#include "base/mem.h"

/* All that was said of a netdev's DHCP. */
struct dhcp_said {
	struct dhcp_option *options; /* owned */
	unsigned n_options;
	struct dhcp_reservation *reservations; /* owned */
	unsigned n_reservations;
};

/* Codes of options that are known by other keys. */
enum {
	DHCP_CODE_NTP = 42,
	DHCP_CODE_ROUTES = 121, /* RFC 3442 */
	DHCP_CODE6_SNTP = 31,	/* RFC 4075 */
	DHCP_CODE6_NTP = 56,	/* RFC 5908 */
};

/* "[WHO/]NAME:VALUE", "[WHO/]NUMBER:VALUE", or the same of DHCPv6 behind
 * "option6:"; WHO is a MAC, id:HEX, duid:HEX or name:HOST.  An empty VALUE:
 * the option is not told at all.  0, or negative with one line in *e
 * (EXIT_USAGE). */
MUST_USE int dhcp_option_parse(const char *text, struct dhcp_option *o,
			       struct error *e);
/* "WHO/ADDRESS[/ADDRESS][/NAME]", the addresses of different families. */
MUST_USE int dhcp_reservation_parse(const char *text,
				    struct dhcp_reservation *v,
				    struct error *e);
/* "PREFIX/LENGTH/VIA", written behind w as RFC 3442 has it; *is_allp: it leads
 * everywhere. */
MUST_USE int dhcp_route_parse(const char *text, struct wr *w, bool *is_allp,
			      struct error *e);
/* Such a route. */
void dhcp_route_emit(struct wr *w, const struct prefix *to, const addr *via);

void dhcp_said_deinit(struct dhcp_said *s);

#endif
