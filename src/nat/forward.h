/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostfwd: ports of the host that lead to a guest.  TCP listeners live here,
 * UDP ports in udp_forward.c.  Made by the gateway; one worker's thread.
 */
#ifndef NAT_FORWARD_H
#define NAT_FORWARD_H

#include "base/forward_rules.h"
#include "nat/env.h"
#include "nat/tcp.h"
#include "nat/udp.h"

enum {
	FORWARD_LISTENERS_MAX = 65536,
	FORWARD_ACCEPTS = 32, /* connections taken per turn of one listener */
};

struct forward;

/* t and u are borrowed. */
__attribute__((warn_unused_result)) int forward_new(const struct nat_env *env,
						    struct tcp *t,
						    struct udp *u,
						    struct forward **fwp);
/* Closes the listeners; the connections are tcp's. */
struct forward *forward_free(struct forward *fw);

/* fd is a listening TCP or unix socket, or a bound UDP socket, owned here on
 * success; what comes by it goes to guest, as the rules (copied; NULL: none)
 * say.  0, -ENOBUFS, -EINVAL (another proto, or a header for UDP), or what
 * adopt() says.  id is for forward_del(). */
__attribute__((warn_unused_result)) int
forward_add(struct forward *fw, uint32_t id, uint8_t proto, int fd,
	    const struct endpoint *guest, const struct forward_rules *rules);
/* Closes the socket of the first forward with this id.  TCP connections that
 * came by it stay; a UDP port's clients are forgotten.  0 or -ENOENT. */
__attribute__((warn_unused_result)) int forward_del(struct forward *fw,
						    uint32_t id);

#endif
