/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol by which a program plugs into a VDE switch (reference 1.7), as
 * bytes: over a stream socket the client says where its datagram socket is
 * and which port it wants, and the switch answers where its own is.  From then
 * on each frame is a datagram.  All numbers are in the host's byte order, and
 * addresses are struct sockaddr_un as the kernel has it.  No system calls.
 */
#ifndef KEEPER_VDE_WIRE_H
#define KEEPER_VDE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

enum {
	VDE_REQUEST_LEN = 12 + sizeof(struct sockaddr_un), /* at least */
	VDE_REQUEST_MAX = 256, /* bytes that a switch reads of one */
	VDE_ABOUT_LEN = VDE_REQUEST_MAX - VDE_REQUEST_LEN + 1,
	VDE_REPLY_LEN = sizeof(struct sockaddr_un),
	VDE_PORT_MAX = 65535,
};

/* What a client asks for. */
struct vde_request {
	bool is_port0;	 /* the port with number 0 */
	uint32_t port;	 /* else: 0 = any, at most VDE_PORT_MAX */
	struct sockaddr_un data; /* its datagram socket: an absolute path that
				  * ends inside, or an abstract name, which is
				  * as long as sun_path */
	char about[VDE_ABOUT_LEN]; /* who it is: printable ASCII */
};

enum vde_judgement {
	VDE_MORE,  /* it is not all here yet */
	VDE_WHOLE, /* *r is filled */
	VDE_BAD,   /* it never will be one; *whyp says why */
};

/* Judges the first len bytes that a client sent. */
enum vde_judgement vde_request_parse(const void *p, size_t len,
				     struct vde_request *r, const char **whyp);
/* Writes r as a client sends it; returns its bytes. */
size_t vde_request_emit(const struct vde_request *r,
			uint8_t buf[VDE_REQUEST_MAX]);

/* A unix address of this path, which fits; false: it does not. */
bool vde_address(const char *path, struct sockaddr_un *sa);
/* The address in a switch's answer; false: it is none with a path that ends
 * inside. */
bool vde_reply_parse(const uint8_t p[VDE_REPLY_LEN], struct sockaddr_un *sa);

#endif
