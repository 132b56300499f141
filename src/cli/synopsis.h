/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a command takes, read out of its own --help: so that there is one list
 * of words, which people read and completion offers.
 *
 *	usage: vmlan fwd NETWORK|VM add SPEC.. [proxy=v1|v2]     a form
 *	       vmlan fwd [--json] NETWORK|VM ls                  another one
 *	  --keep SIZE|off  keep the last frames                  an option
 *
 *	  delay=50ms jitter=5ms     ..                           keys
 *
 * Capitals stand for something, small letters for themselves.
 */
#ifndef CLI_SYNOPSIS_H
#define CLI_SYNOPSIS_H

#include <stdbool.h>

#include "base/mem.h"

struct synopsis_word {
	char *text; /* owned: "NETWORK|VM", "add", "proxy=v1|v2", "--" */
	bool is_optional;
	bool repeats;
};

struct synopsis_form {
	struct synopsis_word *words; /* owned, and no options among them */
	unsigned n;
};

struct synopsis_option {
	char *name;  /* owned: "--keep" */
	char *value; /* owned: "SIZE|off"; NULL: it takes none */
};

struct synopsis {
	struct synopsis_form *forms;	 /* owned */
	unsigned n_forms;
	struct synopsis_option *options; /* owned */
	unsigned n_options;
	char **keys; /* owned, as the array: of lines such as "  rate=10mbit" */
	unsigned n_keys;
};

#define SYNOPSIS_NULL ((struct synopsis){.forms = NULL})

/* 0, or -ENOMEM; *s is the caller's either way. */
MUST_USE int synopsis_read(const char *help, struct synopsis *s);
void synopsis_deinit(struct synopsis *s);
/* The option of that name, or of the name before a '='; NULL: none. */
const struct synopsis_option *synopsis_option(const struct synopsis *s,
					      const char *word);
/* True if what was typed can stand there. */
bool synopsis_accepts(const struct synopsis_word *w, const char *typed);
/* Where in the form one is behind these words: the number of the next word of
 * it, f->n behind the last; -1: they are of another form. */
int synopsis_align(const struct synopsis_form *f, char *const *typed,
		   unsigned n);

#endif
