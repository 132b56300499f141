/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the requests of control/protocol.h do: text in, text out.  Called by
 * control.c with whole bodies.
 */
#ifndef KEEPER_REQUESTS_H
#define KEEPER_REQUESTS_H

#include <stddef.h>

#include "control/schema.h"
#include "keeper/keeper_priv.h"

enum { REQUEST_ARGS_MAX = 8 };

struct later;

struct request {
	enum schema_id id; /* of schema_find(); SCHEMA_N: there is none */
	const char *url;
	char name[CONTROL_NAME_LEN];	/* that is in the path; "": none */
	char allow[SCHEMA_ALLOW_LEN];	/* SCHEMA_N: which methods there are */
	/* The query's keys and their values, which are never NULL. */
	const char *keys[REQUEST_ARGS_MAX], *values[REQUEST_ARGS_MAX];
	size_t n_args;
	bool has_more_args; /* than that */
	const char *body; /* n_body bytes, not terminated */
	size_t n_body;
	bool is_cut; /* the body was longer than a request may be */
	json_t *json; /* the body, of the row's keys; request_answer()'s */
	const char *upgrade; /* to what it asks to go on; NULL: it does not */
	struct capture **capturep; /* set by SCHEMA_UPGRADE: the connection is
				    * this one's (capture.h) */
	struct later **laterp; /* set by who has to ask the engine first: the
				* answer comes later (later.h) */
};

struct answer {
	unsigned status;
	char *text;	  /* the caller's to free; NULL: no memory for it */
	const char *type; /* of the text */
	bool is_stream;	  /* there is no text: it is one of lines, to come */
};

/* Bytes that the body of such a request may have. */
size_t request_max(enum schema_id id);
/* The value of a key of the query; NULL: it is not there. */
const char *request_arg(const struct request *r, const char *key);
/* Carries r out. Never ends the keeper; who sent the answer calls
 * keeper_check_needed(). */
void request_answer(struct keeper *k, struct request *r, struct answer *a);
/* Makes *a what carrying r out has come to: *o, which it takes; NULL: there is
 * no memory. */
void request_done(const struct request *r, json_t *o, struct answer *a);
/* Makes *a the answer that refuses r for e's reason. */
void request_refuse(const struct request *r, const struct error *e,
		    struct answer *a);

#endif
