/* SPDX-License-Identifier: BSD-3-Clause */
/* Who holds a port, as far as /proc lets the caller know. */
#ifndef OS_HOLDER_H
#define OS_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* "nginx (pid 123)", or "a process of another user", or "another process",
 * for who has, with TCP or UDP (proto IPPROTO_*), that port of that address, or
 * of all.  buf of len bytes; returns buf. */
const char *holder_of_port(uint8_t proto, const struct endpoint *ep, char *buf,
			   size_t len);
/* The inode of the socket that has it; 0: none is seen. */
unsigned long holder_socket(uint8_t proto, const struct endpoint *ep);
/* True if somebody has it: what comes there is taken. */
bool holder_has_port(uint8_t proto, const struct endpoint *ep);
/* As holder_of_port() for another process that has the file of fd open. */
const char *holder_of_file(int fd, char *buf, size_t len);

#endif
