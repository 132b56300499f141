/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An HTTP/1.1 answer, read whole to its end (the connection's, or that of
 * Content-Length): status and body.  Called by the commands.
 */
#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include <stddef.h>

struct control_answer {
	int status;	  /* 200 .. */
	const char *body; /* in the text given */
	size_t n_body;
};

/* 0; -EAGAIN if more must come; -EPROTO if text is no such answer. */
__attribute__((warn_unused_result)) int
control_answer_parse(const char *text, size_t len, struct control_answer *a);

#endif
