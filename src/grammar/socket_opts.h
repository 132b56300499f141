/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of `socket`, taken apart.  Called by netdev_parse(), which
 * refuses what cannot be, and by the keeper, which opens what is left.
 */
#ifndef GRAMMAR_SOCKET_OPTS_H
#define GRAMMAR_SOCKET_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "grammar/netdev_spec.h"

enum {
	SOCKET_HOST_LEN = 256, /* a name with NUL */
};

enum socket_way {
	SOCKET_FD,
	SOCKET_LISTEN,
	SOCKET_CONNECT,
	SOCKET_MCAST,
	SOCKET_UDP,
};

struct socket_host {
	char host[SOCKET_HOST_LEN]; /* never empty; a name or an address */
	uint16_t port;
};

struct socket_opts {
	enum socket_way way;
	struct socket_host at; /* where to listen, connect or send; not fd */
	/* udp: what to bind.  mcast: an address of the interface, port 0;
	 * host "" = not given */
	struct socket_host local;
	int fd; /* -1 for the other ways */
};

/* spec is of kind `socket`. 0, or negative with *e filled (EXIT_USAGE). */
MUST_USE int socket_opts_get(const struct netdev_spec *spec,
			     struct socket_opts *o, struct error *e);

#endif
