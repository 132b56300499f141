/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), in little-endian order
 * whatever the host's.  Who writes looks at ferror() when it matters to him.
 */
#ifndef CAPTURE_PCAPNG_H
#define CAPTURE_PCAPNG_H

#include <stdint.h>
#include <stdio.h>

enum pcapng_dir {
	PCAPNG_IN = 1, /* epb_flags, bits 0 and 1 */
	PCAPNG_OUT = 2,
};

struct pcapng_frame {
	uint32_t interface;
	uint64_t when_ns; /* since 1970 */
	uint32_t frame_len, data_len;
	const uint8_t *data;
	enum pcapng_dir dir;
	const char *comment; /* NULL: none */
};

#define PCAPNG_UNKNOWN UINT64_MAX

struct pcapng_stats {
	uint32_t interface;
	uint64_t begin_ns, end_ns;
	/* PCAPNG_UNKNOWN: left out */
	uint64_t received; /* frames, by the interface's own count */
	uint64_t dropped;  /* by it, for any reason */
	uint64_t accepted; /* by the filter */
	uint64_t lost;	   /* frames that the capture had no room for */
	const char *comment; /* NULL: none */
};

/* The head of a file; texts may be NULL. */
void pcapng_section(FILE *f, const char *program, const char *comment);
/* An Ethernet interface with times in nanoseconds; the first one is 0.
 * snap_len 0: frames are whole; filter: in libpcap's words, NULL: none. */
void pcapng_interface(FILE *f, const char *name, uint32_t snap_len,
		      const char *filter);
void pcapng_frame(FILE *f, const struct pcapng_frame *p);
void pcapng_stats(FILE *f, const struct pcapng_stats *s);

#endif
