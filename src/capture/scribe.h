/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes records of a ring (ring.h) down as a pcapng file: an interface for
 * each port, a comment for each frame that was lost, checksums filled in that
 * were left to the card, and at the end what each port has counted.  Used by
 * `vmlan cap`, which believes no record beyond what ring_reader_next() has
 * checked.
 */
#ifndef CAPTURE_SCRIBE_H
#define CAPTURE_SCRIBE_H

#include <stdio.h>

#include "base/mem.h"
#include "capture/ring.h"

struct scribe;

struct scribe_config {
	FILE *f;	      /* borrowed */
	const char *comment;  /* of the file, NULL: none */
	uint32_t snap_len;    /* 0: frames are whole */
	const char *filter;   /* in words; NULL: none */
	/* With filter: whether a frame passes. */
	bool (*passes)(void *arg, const struct ring_record *r,
		       const uint8_t *data);
	void *arg;
	bool has_counts; /* the ring has them: not that of the last seconds */
	uint64_t since_ns; /* frames before are left out; 0: none */
	uint64_t n_max;	   /* frames that are written; 0: any number */
};

/* The head is written.  0 with *sp set, or -ENOMEM. */
MUST_USE int scribe_new(const struct scribe_config *c, struct scribe **sp);
struct scribe *scribe_free(struct scribe *s);
/* One record; the first r->data_len bytes at data.  0 or -ENOMEM. */
MUST_USE int scribe_record(struct scribe *s, const struct ring_record *r,
			   const uint8_t *data);

/* What ports counted is missing: none of it is known. */
void scribe_lacks_counts(struct scribe *s);

/* How it ended, for who asks. */
struct scribe_sum {
	uint64_t n_seen;    /* frames that the ports counted, and were there */
	uint64_t n_written; /* frames in the file */
	uint64_t n_interfaces;
};
/* lost: frames for which the ring had no room, as its writer says.  Writes what
 * was counted. */
void scribe_end(struct scribe *s, uint64_t end_ns, uint64_t lost,
		struct scribe_sum *sum);
uint64_t scribe_written(const struct scribe *s);

#endif
