/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lease as a line of the file that keeps it (leases.h):
 *
 *	ADDRESS MAC STATE END ID/N NAME SUM
 *
 * END is in seconds since 1970, or "never"; ID in hexadecimal digits, N how
 * many of its last bytes are the IAID; NAME may be empty, or have spaces in it;
 * SUM is that of what is before it, so that a line that was cut short, or that
 * somebody changed, is none.  Stateless.
 */
#ifndef KEEPER_LEASE_LINE_H
#define KEEPER_LEASE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dhcp_lease.h"

enum { LEASE_LINE_MAX = 512 };

#define LEASE_NEVER INT64_MAX /* a lease that does not end */

/* A lease, and when it ends or ended, in seconds since 1970. */
struct kept_lease {
	struct dhcp_lease lease;
	int64_t end;
};

/* buf takes LEASE_LINE_MAX; the length, '\n' included, no NUL is counted. */
size_t lease_line_format(const struct kept_lease *l, char *buf);
/* len bytes without the '\n'; false: it is none, *l holds anything. */
bool lease_line_parse(const char *text, size_t len, struct kept_lease *l);
/* True if a lease makes sense: lengths, state, name, address. */
bool lease_is_sound(const struct dhcp_lease *l);

#endif
