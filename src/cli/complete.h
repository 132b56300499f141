/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan complete, for shells: what the word that is being typed can become
 * (complete.c: which kind of word it is; complete_values.c: what there is of
 * that kind).
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/cli.h"

struct complete {
	const char *word; /* being typed; borrowed */
	char *head;	  /* owned: the part of it that is settled */
	const char *rest; /* behind it */
	char *const *typed; /* the command's words before it, no options */
	unsigned n_typed;
	char *const *keys; /* that the help has; borrowed */
	unsigned n_keys;   /* 0: they are the mode's */
	bool takes_files; /* networks that do not run, by their files */
	json_t *said; /* owned: offers, each once */
	int64_t until_ms; /* keepers are asked; 0: none was */
};

/* What is behind the first n bytes of the word is completed from now on. */
void complete_settle(struct complete *c, size_t n);
/* Offers text with end behind it, if rest begins it. */
void complete_offer(struct complete *c, const char *text, const char *end);
/* Offers all that stands for what the help calls so, "NETWORK|VM", "add" or
 * "proxy=v1|v2"; of an option or else of the command itself. */
void complete_value(struct complete *c, const char *called, bool of_option);

#endif
