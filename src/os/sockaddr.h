/* SPDX-License-Identifier: BSD-3-Clause */
/* Between struct endpoint and the kernel's socket addresses. Stateless. */
#ifndef OS_SOCKADDR_H
#define OS_SOCKADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/addr.h"

/* Fills *ss as AF_INET for an IPv4 address, else AF_INET6; its length. */
socklen_t sockaddr_from(const struct endpoint *ep, struct sockaddr_storage *ss);
/* False (and *ep untouched) for families that are not Internet's. */
bool sockaddr_to(const struct sockaddr_storage *ss, struct endpoint *ep);

#endif
