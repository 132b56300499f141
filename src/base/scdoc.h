/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text in scdoc's form, for the parts of manual pages that are made from
 * tables.  Called by the build only.
 */
#ifndef BASE_SCDOC_H
#define BASE_SCDOC_H

#include <stdio.h>

/* Text with what scdoc would take for markup escaped. */
void scdoc_text(const char *text, FILE *out);
/* A line of help as a sentence, without its full stop. */
void scdoc_sentence(const char *text, FILE *out);

#endif
