/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan show --svg: a picture of a network, as its keeper shows it. */
#ifndef CLI_SHOW_SVG_H
#define CLI_SHOW_SVG_H

#include <jansson.h>
#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"

/* Writes the picture of what GET /v1/network and GET /v1/captures answered;
 * the second may be NULL.  0, or negative with *e. */
MUST_USE int show_svg(FILE *out, const json_t *network, const json_t *captures,
		      struct error *e);

#endif
