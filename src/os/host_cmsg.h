/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes and goes beside a datagram's bytes (cmsg(3)): addresses, hop
 * limit, traffic class, runs.  Used by host_sock.c. */
#ifndef OS_HOST_CMSG_H
#define OS_HOST_CMSG_H

#include <sys/socket.h>

#include "base/host.h"

enum { HOST_CMSG_RUN = 104 }; /* UDP_GRO: runs are received as such */

/* A run of datagrams of size bytes each; msg_control has room. */
void host_cmsg_put_run(struct msghdr *mh, uint16_t size);
/* To be sent from a; msg_control has room. */
void host_cmsg_put_local(struct msghdr *mh, addr a);
/* Fills in of m what came with mh; what is missing stays. */
void host_cmsg_take(struct msghdr *mh, struct host_msg *m);

#endif
