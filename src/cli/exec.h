/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan exec: the two halves.  The child goes into namespaces of its own,
 * says so, is told its card, makes that a machine's and becomes the program.
 * They speak over one SOCK_SEQPACKET pair; the structs travel as they are,
 * for both ends are one program.
 */
#ifndef CLI_EXEC_H
#define CLI_EXEC_H

#include <signal.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/error.h"
#include "cli/lease.h"
#include "control/protocol.h"

enum exec_ip {
	EXEC_IP_DHCP,
	EXEC_IP_NONE, /* the kernel's link-local one */
	EXEC_IP_STATIC,
	EXEC_IP_ADVERTISED, /* the kernel's, of an advertised prefix */
};

/* Parent to child: the card is there. */
struct exec_card {
	mac mac;
	char machine[CONTROL_NAME_LEN];
	char dir[96]; /* the network's folder */
};

/* Child to parent: it is in its namespaces; it has a lease, with which comes a
 * socket to renew it by; or an error, and nothing else.  Nothing comes any more
 * once it is the program. */
struct exec_news {
	struct error error; /* EXIT_DONE: none */
	bool has_lease;
	struct lease lease;
};

struct exec_child {
	int sock;	 /* owned */
	sigset_t signals; /* of the program */
	const char *network;
	enum exec_ip how;
	struct prefix ip; /* of EXEC_IP_STATIC */
	addr dns;	  /* of EXEC_IP_ADVERTISED; unspecified = none */
	char **argv;
};

/* In the child; does not return. */
_Noreturn void exec_child(struct exec_child *c);

#endif
