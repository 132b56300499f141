/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text to number, boolean, size and address, as QEMU reads them.  Used
 * within this room.
 */
#ifndef GRAMMAR_NUMBER_H
#define GRAMMAR_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* Unsigned number in C's bases, no sign or space; false if it is none or
 * above max (*too_bigp tells which). */
bool number_parse(const char *text, uint64_t max, uint64_t *np,
		  bool *too_bigp);
bool bool_parse(const char *text, bool *bp);
/* Decimal with an optional fraction and suffix, or 0x hexadecimal. */
bool size_parse(const char *text, uint64_t *np);
/* What inet_aton() takes ("127.1", "0x7f000001"), but nothing behind it. */
bool ip4_parse(const char *text, addr *ap);
/* An IPv6 address that is none of IPv4's in disguise (RFC 4291 2.5.5.2), and
 * no name of an interface behind it. */
bool ip6_parse(const char *text, addr *ap);
/* "[IPV6]" at *pp, which is then behind it. */
bool ip6_take(const char **pp, addr *ap);

#endif
