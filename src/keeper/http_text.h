/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What guests write in requests to the network's HTTP server, beyond what
 * libmicrohttpd reads: paths, ranges, tags of files.  Text in, values out; a
 * guest may write anything.  Called by http.c.
 */
#ifndef KEEPER_HTTP_TEXT_H
#define KEEPER_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"

enum {
	HTTP_DATE_LEN = 80, /* "Sun, 06 Nov 1994 08:49:37 GMT", or a year that
			     * no file should be of, with NUL */
	HTTP_TAG_LEN = 56,  /* of an entity tag with NUL */
	HTTP_RANGE_LEN = 72, /* "bytes 0-1/2" with NUL */
};

/* A request's path with %XX made bytes, in buf.  False: it has a '%' without
 * two hex digits behind it, a byte 0, or no room in buf. */
MUST_USE bool http_path(const char *url, char *buf, size_t room);

enum http_range {
	HTTP_RANGE_WHOLE, /* none is asked for, or one that may be ignored */
	HTTP_RANGE_PART,
	HTTP_RANGE_NONE, /* no byte of the file is in it: 416 */
};
/* What a Range header (RFC 9110 14.2; NULL: there is none) asks of a file of
 * size bytes.  HTTP_RANGE_PART: *fromp and *lenp say which, at least one byte
 * inside of the file.  Several ranges at once may be ignored, and are. */
enum http_range http_range(const char *text, uint64_t size, uint64_t *fromp,
			   uint64_t *lenp);
/* "bytes 0-4/10", or "bytes *" "/10" for a len of 0, in buf, which it
 * returns. */
const char *http_content_range(uint64_t from, uint64_t len, uint64_t size,
			       char buf[HTTP_RANGE_LEN]);

/* Which file and which content of it, in buf, which it returns: one that was
 * changed has another. */
const char *http_tag(const struct stat *st, char buf[HTTP_TAG_LEN]);
/* True if an If-None-Match header has the tag, or "*". */
bool http_has_tag(const char *list, const char *tag);
/* A date as HTTP writes it (RFC 9110 5.6.7), in buf, which it returns. */
const char *http_date(time_t t, char buf[HTTP_DATE_LEN]);

/* What a file of this name holds, as firmware wants it told: by the end of the
 * name. */
const char *http_type(const char *name);

#endif
