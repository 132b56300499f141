/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lines of a configuration file (vmlan.conf(5)): sections, KEY = VALUE and
 * what is neither, each with its number.  What they mean is the caller's; text
 * in, text out.  Called by the commands.
 *
 * A value is what stands behind the '=', without the blanks around it and with
 * nothing taken out: there are no quotes, no escapes and no comments behind it.
 */
#ifndef GRAMMAR_INI_H
#define GRAMMAR_INI_H

#include <stddef.h>

#include "base/error.h"
#include "base/mem.h"

enum ini_what {
	INI_SECTION, /* [key value] or [key] */
	INI_PAIR,    /* key = value */
	INI_BAD,     /* neither: why */
};

struct ini_line {
	enum ini_what what;
	unsigned number; /* from 1 */
	const char *key;   /* borrowed from the ini; "" of INI_BAD */
	const char *value; /* likewise; "": there is none */
	const char *why;   /* static; what is wrong and what to do */
};

struct ini {
	struct ini_line *lines; /* owned; in order, without empty ones and
				 * comments */
	unsigned n;
	char *text; /* owned */
};

#define INI_NULL ((struct ini){.lines = NULL})

/* len bytes, whatever they are.  0, *ini is then the caller's (ini_deinit); or
 * -ENOMEM. */
MUST_USE int ini_parse(const char *text, size_t len, struct ini *ini);
void ini_deinit(struct ini *ini);

#endif
