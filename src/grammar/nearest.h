/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Help for a mistyped word: edit distance, and text made fit for one line.
 * Used within this room, and where strangers' words get into the log.
 */
#ifndef GRAMMAR_NEAREST_H
#define GRAMMAR_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

enum {
	QUOTE_LEN = 160, /* longest quotation in an error, with NUL */
};

/* Insertions, deletions, replacements and swaps of neighbours that turn a
 * into b, case ignored; words longer than 40 count as unlike. */
unsigned word_distance(const char *a, const char *b);

/* len bytes of text, with '?' for control bytes and what is no UTF-8, cut
 * with "..".  buf takes QUOTE_LEN; returns buf. */
const char *quote_n(char *buf, const char *text, size_t len);
const char *quote(char *buf, const char *text);
/* True for UTF-8 without control bytes other than tabs. */
bool text_is_plain(const char *text, size_t len);

#endif
