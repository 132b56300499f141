/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpcap's filters: 'tcp port 53'.  The library brings ten others (of dbus,
 * systemd, compressors), which every command would load and relocate, and every
 * keeper hold: it is loaded where the first filter is.
 */
#ifndef CLI_CAP_FILTER_H
#define CLI_CAP_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

struct cap_filter;

/* *fp is the caller's.  0, or -1 with one line in *e: EXIT_USAGE where text is
 * no filter. */
MUST_USE int cap_filter_new(const char *text, struct cap_filter **fp,
			    struct error *e);
/* data: the first data_len bytes of an Ethernet frame of frame_len. */
bool cap_filter_passes(const struct cap_filter *f, const uint8_t *data,
		       uint32_t data_len, uint32_t frame_len);
/* NULL is none. */
void cap_filter_free(struct cap_filter *f);

#endif
