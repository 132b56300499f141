/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets that are in a multicast group. Used by host_sock.c. */
#ifndef OS_HOST_GROUP_H
#define OS_HOST_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* A non-blocking UDP socket that hears what comes to this group and port by the
 * interface numbered link, whoever else hears it, and sends to groups by it; or
 * a negative errno. */
int host_group_open(const struct endpoint *group, uint32_t link);
/* Which interface datagrams of fd to groups leave by. 0 or a negative errno. */
int host_group_link(int fd, bool is_v6, int link);

#endif
