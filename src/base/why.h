/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of a packet that nobody sends (vmlan why): what engine, gateway
 * and keeper tell each other of it, a step for each part of the way.  A step
 * is said by the function that decides about packets; values only.
 */
#ifndef BASE_WHY_H
#define BASE_WHY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	WHY_STEPS_MAX = 16,
	WHY_TEXT_LEN = 48,
};

enum why_ok {
	WHY_NO,	     /* it ends here */
	WHY_YES,
	WHY_UNKNOWN, /* it shows when somebody sends */
	WHY_OKS
};

enum why_code {
	WHY_PORT,	  /* the cable of side; err: enum why_port */
	WHY_EXIT,	  /* where frames to the other machine leave: by the
			   * port `text`; unknown: by all */
	WHY_FAMILY_OFF,	  /* the gateway does not serve it */
	WHY_SOURCE,	  /* no address of the gateway's network: ep */
	WHY_RESTRICTED,	  /* restrict=, or a protocol that is off */
	WHY_REFUSED,	  /* err: enum drop_reason */
	WHY_OWN,	  /* the gateway answers itself: what `text` says */
	WHY_NOT_OWN,	  /* .. or has nothing at that port */
	WHY_NOBODY,	  /* an address of the network, of nobody that is
			   * known */
	WHY_MAPPED,	  /* the host's sockets speak to ep */
	WHY_HOST_WAY,	  /* .. from ep, or err: its errno */
	WHY_PING_DENIED,  /* the host has no ping sockets for this user */
	WHY_NAME_OWN,	  /* the zone's name has ep, or nothing has it */
	WHY_NAME_KEPT,	  /* an answer that is kept says ep, or nothing */
	WHY_NAME_ASKED,	  /* the resolver ep would be asked */
	WHY_NAME_CLOSED,  /* the name server has the zone only */
	WHY_NAME_NOWHERE, /* there is no name server */
	WHY_GUEST,	  /* the guest's MAC is known, behind port `text` */
	WHY_CODES
};

/* What a cable is. */
enum why_port {
	WHY_PORT_UP,
	WHY_PORT_ALONE,	 /* no VMM is connected */
	WHY_PORT_PULLED,
	WHY_PORT_FAULT,
	WHY_PORTS
};

struct why_step {
	uint8_t code; /* enum why_code */
	uint8_t ok;   /* enum why_ok */
	uint8_t side; /* 0: who asks, 1: who is asked for; of a name 0: its
		       * IPv4 address, 1: its IPv6 address */
	int32_t err;
	struct endpoint ep;
	char text[WHY_TEXT_LEN];
};

struct why_trail {
	uint32_t n;
	struct why_step step[WHY_STEPS_MAX];
};

/* An address of the world: nobody's, so that only a route to everywhere leads
 * there (RFC 7526; the first of 2000::/3). */
static inline addr why_world(bool is_v4)
{
	const addr v6 = {{[0] = 0x20, [15] = 1}};

	return is_v4 ? addr_v4(192, 88, 99, 1) : v6;
}

/* One more step; what finds no room is left out. */
static inline struct why_step *why_put(struct why_trail *t, enum why_code code,
				       enum why_ok ok)
{
	struct why_step *s = &t->step[t->n < WHY_STEPS_MAX - 1
					      ? t->n
					      : WHY_STEPS_MAX - 1];

	t->n += t->n < WHY_STEPS_MAX;
	*s = (struct why_step){.code = (uint8_t)code, .ok = (uint8_t)ok};
	return s;
}

/* What a message brought. */
static inline int why_trail_is_sound(struct why_trail *t)
{
	if (t->n > WHY_STEPS_MAX)
		return 0;
	for (uint32_t i = 0; i < t->n; i++) {
		t->step[i].text[WHY_TEXT_LEN - 1] = '\0';
		if (t->step[i].code >= WHY_CODES || t->step[i].ok >= WHY_OKS)
			return 0;
	}
	return 1;
}

#endif
