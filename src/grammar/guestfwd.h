/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guestfwd= of user: addresses inside the network whose connections go to a
 * program or a socket of the host.  Called by user_opts.c and the keeper.
 */
#ifndef GRAMMAR_GUESTFWD_H
#define GRAMMAR_GUESTFWD_H

#include "base/addr.h"
#include "base/error.h"
#include "base/mem.h"

enum {
	GUESTFWD_TARGET_LEN = 1024, /* with NUL */
	GUESTFWD_ARGS_MAX = 64,	    /* words of a command */
};

enum guestfwd_kind {
	GUESTFWD_CMD,  /* target: the command, checked to split */
	GUESTFWD_TCP,  /* target: a host name or address, and port */
	GUESTFWD_UNIX, /* target: an absolute path */
	GUESTFWD_SMB,  /* target: the folder of smb=; no rule's text says so */
};

struct guestfwd_rule {
	struct endpoint server; /* ip unspecified: not given */
	enum guestfwd_kind kind;
	char target[GUESTFWD_TARGET_LEN];
	char port[32]; /* GUESTFWD_TCP: number or service */
};

/* QEMU's [tcp]:[SERVER]:PORT-TARGET. */
MUST_USE int guestfwd_parse(const char *text, struct guestfwd_rule *rp,
			    struct error *e);

/* The words of a command as a shell would cut them: blanks, both quotes and
 * backslash; nothing is expanded.  buf (GUESTFWD_TARGET_LEN) holds the words,
 * argv points into it and ends with NULL.  NULL, or why it cannot be cut. */
const char *command_split(const char *text, char *buf,
			  char *argv[GUESTFWD_ARGS_MAX + 1]);

#endif
