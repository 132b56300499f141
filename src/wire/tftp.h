/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TFTP packets (RFC 1350) with options (RFC 2347 to 2349, 7440), as a server
 * reads and writes them. Stateless; any thread.
 */
#ifndef WIRE_TFTP_H
#define WIRE_TFTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

enum {
	TFTP_PORT = 69,
	TFTP_DATA_LEN = 4,    /* bytes before a block's */
	TFTP_NAME_LEN = 512,  /* of a file, with NUL */
	TFTP_BLOCK_LEN = 512, /* without option blksize */
	TFTP_BLOCK_MIN = 8,   /* RFC 2348 */
	TFTP_BLOCK_MAX = 65464,
};

enum tftp_op {
	TFTP_RRQ = 1,
	TFTP_WRQ,
	TFTP_DATA,
	TFTP_ACK,
	TFTP_ERROR,
	TFTP_OACK,
};

enum tftp_error {
	TFTP_E_TEXT, /* see its text */
	TFTP_E_NOT_FOUND,
	TFTP_E_ACCESS,
	TFTP_E_DISK_FULL,
	TFTP_E_ILLEGAL,
	TFTP_E_UNKNOWN_ID,
};

/* A request to read. */
struct tftp_request {
	char name[TFTP_NAME_LEN]; /* as it came; not empty */
	bool is_octet;		  /* of the modes the one without change */
	bool wants_tsize;
	uint16_t blksize;    /* bytes, TFTP_BLOCK_MIN.._MAX; 0: no option */
	uint8_t timeout_s;   /* likewise, 1..255 */
	uint16_t windowsize; /* likewise, blocks, 1..65535 */
};

/* What is behind the opcode of a TFTP_RRQ.  False (and *qp untouched) if a
 * string has no end, or the name is empty or longer than TFTP_NAME_LEN.
 * Options that are unknown, or have a value that RFC 2348, 2349 or 7440 do not
 * allow, are passed over; of one that comes twice the first counts. */
bool tftp_parse_request(struct rd *r, struct tftp_request *qp);

/* A block's head; TFTP_DATA_LEN bytes. */
void tftp_emit_data(struct wr *w, uint16_t block);
void tftp_emit_error(struct wr *w, enum tftp_error code, const char *text);
/* The opcode; each option that is granted follows. */
void tftp_emit_oack(struct wr *w);
void tftp_emit_option(struct wr *w, const char *name, uint64_t value);

#endif
