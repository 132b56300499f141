/* SPDX-License-Identifier: BSD-3-Clause */
/* Text in JSON that may be any bytes, as names of files are: UTF-8 is a string,
 * anything else {"bytes": [47, 255, ..]}. */
#ifndef CONTROL_TEXT_H
#define CONTROL_TEXT_H

#include <jansson.h>

/* NULL: no memory. */
json_t *text_to_json(const char *text);
/* The text again, malloc'd.  NULL: there is none of it there, or no memory. */
char *text_from_json(const json_t *o);
/* A string that shows the text, with '?' in place of what a terminal would act
 * on; if it is not UTF-8, of all that is not ASCII.  NULL: no memory. */
json_t *text_shown(const char *text);

#endif
