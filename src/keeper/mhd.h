/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libmicrohttpd's functions.  It is loaded, not linked: what it brings with it,
 * TLS and all that this needs, is half of what a command takes to start, and
 * only a keeper that serves calls it.  Used by http_loop.c, which has the
 * table.
 */
#ifndef KEEPER_MHD_H
#define KEEPER_MHD_H

#include <microhttpd.h>

#include "base/error.h"
#include "base/mem.h"

#define MHD_FUNCTIONS(X)                                                       \
	X(add_connection)                                                      \
	X(add_response_header)                                                 \
	X(create_response_for_upgrade)                                         \
	X(create_response_from_buffer)                                         \
	X(create_response_from_callback)                                       \
	X(create_response_from_fd_at_offset64)                                 \
	X(destroy_response)                                                    \
	X(get_connection_info)                                                 \
	X(get_connection_values)                                               \
	X(get_daemon_info)                                                     \
	X(get_timeout)                                                         \
	X(lookup_connection_value)                                             \
	X(queue_response)                                                      \
	X(resume_connection)                                                   \
	X(run)                                                                 \
	X(set_connection_option)                                               \
	X(start_daemon)                                                        \
	X(stop_daemon)                                                         \
	X(suspend_connection)                                                  \
	X(upgrade_action)

struct mhd {
#define MHD_MEMBER(name) __typeof__(MHD_##name) *name;
	MHD_FUNCTIONS(MHD_MEMBER)
#undef MHD_MEMBER
};

/* 0, or -1 with *e: it is not there.  It stays loaded. */
MUST_USE int mhd_load(struct mhd *m, struct error *e);

#endif
