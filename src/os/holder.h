/* SPDX-License-Identifier: BSD-3-Clause */
/* Who holds a port, as far as /proc lets the caller know. */
#ifndef OS_HOLDER_H
#define OS_HOLDER_H

#include <stddef.h>
#include <stdint.h>

/* "nginx (pid 123)", or "a process of another user", or "another process",
 * for the holder of a local TCP or UDP port (proto IPPROTO_*).  buf of len
 * bytes; returns buf. */
const char *holder_of_port(uint8_t proto, uint16_t port, char *buf, size_t len);

#endif
