/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * macvtaps: interfaces with MAC addresses of their own that share a network
 * card with the host, read and written like taps.
 *
 * The kernel gives a macvtap the frames for its own MAC and for groups, so
 * there is one for each machine, and they come while machines do.  They all
 * live in a network namespace that is made for them: no configuration daemon
 * of the host sees them, and the kernel removes them with that namespace, when
 * the last descriptor of it and of them is closed, even by a kill.
 *
 * Everything is done by short-lived children, for who moves between namespaces
 * cannot come back.  Called by the keeper.
 */
#ifndef OS_MACVTAP_H
#define OS_MACVTAP_H

#include "base/addr.h"
#include "os/tap.h"

enum macvtap_mode {
	MACVTAP_BRIDGE,   /* machines of one card reach each other */
	MACVTAP_VEPA,     /* .. by a switch outside that sends back */
	MACVTAP_PRIVATE,  /* .. never */
	MACVTAP_PASSTHRU, /* the card is ours alone, with all MACs */
};

enum { MACVTAP_MAX = 64 }; /* of one namespace */

struct macvtap_opts {
	const char *lower; /* interface of the host */
	enum macvtap_mode mode;
	enum tap_vnet_hdr vnet_hdr;
	unsigned number; /* < MACVTAP_MAX; the first is 0 */
	mac mac;         /* zero = the kernel's choice */
};

/* Makes one (again).  *nsp is the namespace, made and published if it is -1.
 * Negative with *e filled. */
__attribute__((warn_unused_result)) int
macvtap_open(const struct macvtap_opts *o, int *nsp, struct tap_result *t,
	     struct error *e);
/* Gives one another MAC. */
__attribute__((warn_unused_result)) int
macvtap_set_mac(int ns, const struct macvtap_opts *o, struct error *e);
/* Removes them, from that number on, now and not when the kernel comes round
 * to it.  Harmless for ns -1; the caller closes it. */
void macvtap_remove(int ns, unsigned number);

#endif
