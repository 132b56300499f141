/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the requests of control/protocol.h do: text in, text out.  Called by
 * control.c with whole bodies.
 */
#ifndef KEEPER_REQUESTS_H
#define KEEPER_REQUESTS_H

#include <stddef.h>

#include "keeper/keeper_priv.h"

struct request {
	const char *method;
	const char *url;
	const char *body; /* n_body bytes, not terminated */
	size_t n_body;
	bool is_cut; /* the body was longer than a request may be */
};

/* Bytes that the body of a request to this path may have. */
size_t request_max(const char *url);
/* Carries r out. Returns the HTTP status, *bodyp the answer, which the caller
 * frees, NULL: no memory for it. Never ends the keeper; who sent the answer
 * calls keeper_check_needed(). */
unsigned request_answer(struct keeper *k, const struct request *r,
			char **bodyp);

#endif
