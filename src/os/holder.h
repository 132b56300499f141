/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who holds a port, as far as /proc lets the caller know, and as far as it is
 * soon known: at most HOLDER_LOOKS processes and descriptors are looked at, of
 * one process HOLDER_LOOKS_EACH, for others wait meanwhile.  Who is not among
 * them has no name.
 */
#ifndef OS_HOLDER_H
#define OS_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	HOLDER_LOOKS = 16384, /* some 20 ms */
	HOLDER_LOOKS_EACH = 4096,
};

/* "nginx (pid 123)", or "a process of another user", or "another process",
 * for who has, with TCP or UDP (proto IPPROTO_*), that port of that address, or
 * of all.  buf of len bytes; returns buf. */
const char *holder_of_port(uint8_t proto, const struct endpoint *ep, char *buf,
			   size_t len);
/* The same, false if nobody has it, and buf is as it was. */
bool holder_find_port(uint8_t proto, const struct endpoint *ep, char *buf,
		      size_t len);
/* The inode of the socket that has it; 0: none is seen. */
unsigned long holder_socket(uint8_t proto, const struct endpoint *ep);
/* As holder_of_port() for another process that has the file of fd open. */
const char *holder_of_file(int fd, char *buf, size_t len);

#endif
